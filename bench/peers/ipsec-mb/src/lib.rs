// SPDX-License-Identifier: MIT OR Apache-2.0
//! Intel's multi-buffer library for IPsec: GCM by its direct calls, CTR and CBC by bursts of one job,
//! which cost less than a job in the queue, ECB by the queue.

use core::ffi::CStr;
use core::mem::zeroed;
use core::ptr::null_mut;
use std::sync::OnceLock;

use kcfaes_shape::{BLOCK, Call, GCM_IV, Job, Operation, Prepared};

#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    dead_code,
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::use_self,
    reason = "generated from the library's header"
)]
mod ipsec_mb {
    include!(concat!(env!("OUT_DIR"), "/ipsec_mb.rs"));
}
use ipsec_mb::{
    IMB_CHAIN_ORDER_IMB_ORDER_CIPHER_HASH as CIPHER_HASH,
    IMB_CHAIN_ORDER_IMB_ORDER_HASH_CIPHER as HASH_CIPHER, IMB_CIPHER_DIRECTION,
    IMB_CIPHER_DIRECTION_IMB_DIR_DECRYPT as DECRYPT,
    IMB_CIPHER_DIRECTION_IMB_DIR_ENCRYPT as ENCRYPT, IMB_CIPHER_MODE,
    IMB_CIPHER_MODE_IMB_CIPHER_CBC as CBC, IMB_CIPHER_MODE_IMB_CIPHER_CNTR as CTR,
    IMB_CIPHER_MODE_IMB_CIPHER_ECB as ECB, IMB_CIPHER_MODE_IMB_CIPHER_GCM as GCM,
    IMB_HASH_ALG_IMB_AUTH_NULL as NO_HASH, IMB_JOB, IMB_MGR,
    IMB_STATUS_IMB_STATUS_COMPLETED as COMPLETED, gcm_context_data, gcm_key_data,
};

fn describe() -> Option<&'static CStr> {
    // SAFETY: a static string.
    Some(unsafe { CStr::from_ptr(ipsec_mb::imb_get_version_str()) })
}

/// Round keys of both directions, aligned as the library asks.
#[repr(C, align(16))]
struct Schedule {
    encryption: [u8; 16 * 15],
    decryption: [u8; 16 * 15],
}

/// What a job does.
#[derive(Clone, Copy)]
struct Mode {
    cipher: IMB_CIPHER_MODE,
    direction: IMB_CIPHER_DIRECTION,
    iv_len: u64,
}

/// What a message needs: round keys and a job, or a key of GCM.
struct State {
    manager: *mut IMB_MGR,
    schedule: Schedule,
    mode: Mode,
    job: IMB_JOB,
    gcm: gcm_key_data,
    context: gcm_context_data,
}

/// A manager serves one thread, which is how many there are.
struct Manager(*mut IMB_MGR);
// SAFETY: only the measuring thread calls.
unsafe impl Send for Manager {}
// SAFETY: as above.
unsafe impl Sync for Manager {}

fn manager() -> *mut IMB_MGR {
    static MANAGER: OnceLock<Manager> = OnceLock::new();
    let new = || {
        // SAFETY: as the header documents these functions.
        unsafe {
            let manager = ipsec_mb::alloc_mb_mgr(0);
            if !manager.is_null() {
                ipsec_mb::init_mb_mgr_auto(manager, null_mut());
            }
            Manager(manager)
        }
    };
    MANAGER.get_or_init(new).0
}

/// Calls a function that the manager has a pointer to.
macro_rules! through {
    ($manager:expr, $name:ident($($arg:expr),* $(,)?)) => {
        match (*$manager).$name {
            Some(function) => function($($arg),*),
            None => unreachable!("init_mb_mgr_auto sets every pointer"),
        }
    };
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    /// The lanes in which the manager encrypts CBC count bytes in 16 bits.
    const LANE: usize = u16::MAX as usize;
    let manager = manager();
    if manager.is_null() || (operation == Operation::CbcEncrypt && job.len > LANE) {
        return Prepared::NONE;
    }
    let (cipher, call): (_, Call) = match operation {
        Operation::EcbEncrypt | Operation::EcbDecrypt => (ECB, queue),
        Operation::Ctr => (CTR, burst),
        Operation::CbcEncrypt | Operation::CbcDecrypt => (CBC, burst),
        Operation::GcmSeal => (GCM, gcm_seal),
        Operation::GcmOpen => (GCM, gcm_open),
        Operation::GcmNewKeySeal => (GCM, gcm_new_key_seal),
    };
    let mode = Mode {
        cipher,
        direction: if operation.encrypts() { ENCRYPT } else { DECRYPT },
        iv_len: if cipher == ECB { 0 } else { BLOCK as u64 },
    };
    // SAFETY: zero is a value of each; then as the header documents these functions.
    unsafe {
        let mut state = State {
            manager,
            schedule: Schedule { encryption: [0; 16 * 15], decryption: [0; 16 * 15] },
            mode,
            job: zeroed(),
            gcm: zeroed(),
            context: zeroed(),
        };
        let key = job.key.cast();
        let both = (state.schedule.encryption.as_mut_ptr(), state.schedule.decryption.as_mut_ptr());
        let (encryption, decryption) = (both.0.cast(), both.1.cast());
        if job.key_len == 16 {
            through!(manager, keyexp_128(key, encryption, decryption));
        } else {
            through!(manager, keyexp_256(key, encryption, decryption));
        }
        set_gcm_key(&mut state, job);
        Prepared::new(call, state)
    }
}

/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`State`] behind the job.
unsafe fn set_gcm_key(state: &mut State, job: &Job) {
    // SAFETY: see above.
    unsafe {
        if job.key_len == 16 {
            through!(state.manager, gcm128_pre(job.key.cast(), &mut state.gcm));
        } else {
            through!(state.manager, gcm256_pre(job.key.cast(), &mut state.gcm));
        }
    }
}

/// Fills a job whose other fields are zero, or those of an earlier one of the same state.
unsafe fn fill(it: &mut IMB_JOB, schedule: &Schedule, mode: Mode, job: &Job) {
    it.enc_keys = schedule.encryption.as_ptr().cast();
    it.dec_keys = schedule.decryption.as_ptr().cast();
    it.key_len_in_bytes = job.key_len as u64;
    it.__bindgen_anon_1.src = job.src;
    it.__bindgen_anon_2.dst = job.dst;
    it.__bindgen_anon_3.cipher_start_src_offset_in_bytes = 0;
    it.__bindgen_anon_4.msg_len_to_cipher_in_bytes = job.len as u64;
    it.iv = job.iv;
    it.iv_len_in_bytes = mode.iv_len;
    it.cipher_mode = mode.cipher;
    it.cipher_direction = mode.direction;
    it.chain_order = if mode.direction == ENCRYPT { CIPHER_HASH } else { HASH_CIPHER };
    it.hash_alg = NO_HASH;
}

/// One job by the queue, which is empty between messages, so that the job that is done is ours.
unsafe extern "C" fn queue(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { manager, schedule, mode, .. } = job.state();
        let manager = *manager;
        let next: *mut IMB_JOB = through!(manager, get_next_job(manager));
        fill(&mut *next, schedule, *mode, job);
        let mut done = through!(manager, submit_job_nocheck(manager));
        if done.is_null() {
            done = through!(manager, flush_job(manager));
        }
        u32::from(done.is_null() || (*done).status != COMPLETED)
    }
}

/// A burst of one job.
unsafe extern "C" fn burst(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { manager, schedule, mode, job: it, .. } = job.state();
        let (manager, size) = (*manager, job.key_len as u32);
        fill(it, schedule, *mode, job);
        let (cipher, direction) = (mode.cipher, mode.direction);
        let done =
            through!(manager, submit_cipher_burst_nocheck(manager, it, 1, cipher, direction, size));
        u32::from(done != 1)
    }
}

/// A whole message by `$b128` or `$b256`, its tag to `$tag`.
macro_rules! gcm {
    ($job:expr, $state:expr, $b128:ident, $b256:ident, $tag:expr) => {{
        const { assert!(GCM_IV == 12, "the only length of these calls") };
        let (job, state): (&Job, &mut State) = ($job, $state);
        let (manager, key, context) = (state.manager, &raw const state.gcm, &mut state.context);
        let (src, dst, len) = (job.src, job.dst, job.len as u64);
        let (aad, size) = (job.aad, BLOCK as u64);
        if job.key_len == 16 {
            through!(manager, $b128(key, context, dst, src, len, job.iv, aad, size, $tag, size));
        } else {
            through!(manager, $b256(key, context, dst, src, len, job.iv, aad, size, $tag, size));
        }
    }};
}

unsafe extern "C" fn gcm_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { gcm!(job, job.state(), gcm128_enc, gcm256_enc, job.tag_out()) }
    0
}

unsafe extern "C" fn gcm_new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { set_gcm_key(job.state(), job) }
    // SAFETY: see above.
    unsafe { gcm_seal(job) }
}

/// The library leaves the comparison of the tags to its caller.
unsafe extern "C" fn gcm_open(job: &Job) -> u32 {
    let mut tag = [0; BLOCK];
    // SAFETY: see above.
    let given = unsafe {
        gcm!(job, job.state(), gcm128_dec, gcm256_dec, tag.as_mut_ptr());
        job.tag_in().cast::<[u8; BLOCK]>().read()
    };
    u32::from(u128::from_ne_bytes(tag) ^ u128::from_ne_bytes(given) != 0)
}

kcfaes_shape::peer!(describe, prepare);
