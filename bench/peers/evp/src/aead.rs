// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM by the AEAD interface that AWS-LC and BoringSSL have, one call for a message.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use kcfaes_shape::{BLOCK, Call, GCM_IV, Job, Operation, Prepared};

crate::functions! {
    /// The AEAD functions of libcrypto, under their own names.
    Aead, aead_of;
    EVP_aead_aes_128_gcm: fn() -> *const c_void;
    EVP_aead_aes_256_gcm: fn() -> *const c_void;
    EVP_AEAD_CTX_new: fn(*const c_void, *const u8, usize, usize) -> *mut c_void;
    EVP_AEAD_CTX_free: fn(*mut c_void);
    EVP_AEAD_CTX_init: fn(*mut c_void, *const c_void, *const u8, usize, usize, *mut c_void) -> c_int;
    EVP_AEAD_CTX_cleanup: fn(*mut c_void);
    EVP_AEAD_CTX_seal_scatter: fn(
        *const c_void, *mut u8, *mut u8, *mut usize, usize, *const u8, usize,
        *const u8, usize, *const u8, usize, *const u8, usize,
    ) -> c_int;
    EVP_AEAD_CTX_open_gather: fn(
        *const c_void, *mut u8, *const u8, usize, *const u8, usize, *const u8, usize,
        *const u8, usize,
    ) -> c_int;
}

/// An `EVP_AEAD_CTX`.
struct State {
    api: Aead,
    aead: *const c_void,
    ctx: *mut c_void,
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: made by `EVP_AEAD_CTX_new`.
        unsafe { (self.api.EVP_AEAD_CTX_free)(self.ctx) }
    }
}

/// Gets ready for GCM; there is nothing for other modes.
///
/// # Safety
/// As [`Peer::prepare`](kcfaes_shape::Peer).
pub unsafe fn prepare(api: Aead, operation: Operation, job: &Job) -> Prepared {
    let call: Call = match operation {
        Operation::GcmSeal => seal,
        Operation::GcmOpen => open,
        Operation::GcmNewKeySeal => new_key_seal,
        _ => return Prepared::NONE,
    };
    // SAFETY: as openssl/aead.h documents these functions.
    unsafe {
        let aead = match job.key_len {
            16 => (api.EVP_aead_aes_128_gcm)(),
            _ => (api.EVP_aead_aes_256_gcm)(),
        };
        let ctx = (api.EVP_AEAD_CTX_new)(aead, job.key, job.key_len, BLOCK);
        if ctx.is_null() {
            return Prepared::NONE;
        }
        Prepared::new(call, State { api, aead, ctx })
    }
}

/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`State`] behind the job.
unsafe extern "C" fn seal(job: &Job) -> u32 {
    let mut tag_len = 0;
    // SAFETY: see above.
    let done = unsafe {
        let State { api, ctx, .. } = job.state();
        (api.EVP_AEAD_CTX_seal_scatter)(
            *ctx,
            job.dst,
            job.tag_out(),
            &mut tag_len,
            BLOCK,
            job.iv,
            GCM_IV,
            job.src,
            job.len,
            core::ptr::null(),
            0,
            job.aad,
            BLOCK,
        )
    };
    u32::from(done != 1)
}

unsafe extern "C" fn new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, aead, ctx } = job.state();
        (api.EVP_AEAD_CTX_cleanup)(*ctx);
        let set = (api.EVP_AEAD_CTX_init)(*ctx, *aead, job.key, job.key_len, BLOCK, null_mut());
        u32::from(set != 1) | seal(job)
    }
}

unsafe extern "C" fn open(job: &Job) -> u32 {
    // SAFETY: see above.
    let done = unsafe {
        let State { api, ctx, .. } = job.state();
        (api.EVP_AEAD_CTX_open_gather)(
            *ctx,
            job.dst,
            job.iv,
            GCM_IV,
            job.src,
            job.len,
            job.tag_in(),
            BLOCK,
            job.aad,
            BLOCK,
        )
    };
    u32::from(done != 1)
}
