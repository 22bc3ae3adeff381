// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plain C API, as a C program calls it: one call for a message, with a key made before. The
//! figures include checking the arguments, taking the FPU (a stub here) and wiping.

use core::ffi::c_void;
use core::ptr::null_mut;

use kcfaes_capi::api::{
    kcfaes_cbc_decrypt, kcfaes_cbc_encrypt, kcfaes_ctr, kcfaes_ecb_decrypt, kcfaes_ecb_encrypt,
    kcfaes_gcm_open, kcfaes_gcm_seal, kcfaes_key, kcfaes_key_free, kcfaes_key_init, kcfaes_key_new,
    kcfaes_key_size, kcfaes_key_wipe, kcfaes_rc,
};
use kcfaes_provider::engine::select;
use kcfaes_shape::{Call, Prepared};

use super::{API, Contender, Role};
use crate::message::{BLOCK, GCM_IV, Job, Operation};

pub(super) struct Api;

/// A key, and memory for a key that comes with a message.
struct State {
    key: *mut kcfaes_key,
    memory: Vec<u8>,
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: `kcfaes_key_new` made it, and nobody uses it any more.
        unsafe { kcfaes_key_free(self.key) }
    }
}

impl Contender for Api {
    fn name(&self) -> &str {
        API
    }

    fn description(&self) -> String {
        format!(
            "kcfaes_gcm_seal and its like, wiping; a new key by kcfaes_key_init in memory of the \
             caller's, wiped after the message; table {}",
            select().id().name()
        )
    }

    fn role(&self) -> Role {
        Role::Interface
    }

    unsafe fn prepare(&self, operation: Operation, job: &Job) -> Prepared {
        let mut key = null_mut();
        // SAFETY: the caller's promise.
        let made = unsafe { kcfaes_key_new(job.key, job.key_len, &mut key) };
        assert_eq!(made as u32, kcfaes_rc::KCFAES_OK as u32, "a key");
        let call: Call = match operation {
            Operation::EcbEncrypt => ecb_encrypt,
            Operation::EcbDecrypt => ecb_decrypt,
            Operation::Ctr => ctr,
            Operation::CbcEncrypt => cbc_encrypt,
            Operation::CbcDecrypt => cbc_decrypt,
            Operation::GcmSeal => gcm_seal,
            Operation::GcmOpen => gcm_open,
            Operation::GcmNewKeySeal => gcm_new_key_seal,
        };
        Prepared::new(call, State { key, memory: vec![0; kcfaes_key_size()] })
    }
}

/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`State`] into the job.
unsafe fn state(job: &Job) -> &State {
    // SAFETY: see above.
    unsafe { job.state() }
}

unsafe fn iv(job: &Job) -> [u8; BLOCK] {
    // SAFETY: see above.
    unsafe { job.iv.cast::<[u8; BLOCK]>().read() }
}

unsafe extern "C" fn ecb_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { kcfaes_ecb_encrypt(state(job).key, job.src, job.len, job.dst) as u32 }
}

unsafe extern "C" fn ecb_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { kcfaes_ecb_decrypt(state(job).key, job.src, job.len, job.dst) as u32 }
}

unsafe extern "C" fn ctr(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let mut counter = iv(job);
        kcfaes_ctr(state(job).key, counter.as_mut_ptr(), job.src, job.len, job.dst) as u32
    }
}

unsafe extern "C" fn cbc_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let mut iv = iv(job);
        kcfaes_cbc_encrypt(state(job).key, iv.as_mut_ptr(), job.src, job.len, job.dst) as u32
    }
}

unsafe extern "C" fn cbc_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let mut iv = iv(job);
        kcfaes_cbc_decrypt(state(job).key, iv.as_mut_ptr(), job.src, job.len, job.dst) as u32
    }
}

unsafe fn seal(key: *const kcfaes_key, job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let (iv, aad, tag) = (job.iv, job.aad, job.tag_out());
        let (src, dst) = (job.src, job.dst);
        kcfaes_gcm_seal(key, iv, GCM_IV, aad, BLOCK, src, job.len, dst, tag, BLOCK) as u32
    }
}

unsafe extern "C" fn gcm_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { seal(state(job).key, job) }
}

unsafe extern "C" fn gcm_new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above. The memory is the key's during this call.
    unsafe {
        let State { memory, .. } = job.state();
        let (at, size) = (memory.as_mut_ptr().cast::<c_void>(), memory.len());
        let mut key = null_mut();
        let made = kcfaes_key_init(at, size, job.key, job.key_len, &mut key) as u32;
        if made != 0 {
            return made;
        }
        let sealed = seal(key, job);
        kcfaes_key_wipe(key);
        sealed
    }
}

unsafe extern "C" fn gcm_open(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let (iv, aad, tag) = (job.iv, job.aad, job.tag_in());
        let (key, src, dst) = (state(job).key, job.src, job.dst);
        kcfaes_gcm_open(key, iv, GCM_IV, aad, BLOCK, src, job.len, dst, tag, BLOCK) as u32
    }
}
