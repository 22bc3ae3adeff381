// SPDX-License-Identifier: MIT OR Apache-2.0
//! The EVP interface, which OpenSSL, AWS-LC and BoringSSL share.
//!
//! One context per key, as its documentation recommends: a message sets its IV only.

use core::ffi::{c_char, c_int, c_uchar, c_void};
use core::ptr::{null, null_mut};

use kcfaes_shape::{BLOCK, GCM_IV, Job, Operation, Prepared};

pub mod aead;
pub mod aes;
pub use aead::Aead;
pub use aes::Aes;

/// `EVP_CTRL_AEAD_GET_TAG` and `_SET_TAG` of `openssl/evp.h`.
const GET_TAG: c_int = 0x10;
const SET_TAG: c_int = 0x11;

/// Defines a struct of a library's functions and a macro that fills it from a module that has them.
macro_rules! functions {
    (
        $(#[$doc:meta])* $struct:ident, $of:ident;
        $($name:ident: fn($($arg:ty),* $(,)?) $(-> $ret:ty)?;)*
    ) => {
        $(#[$doc])*
        #[allow(non_snake_case, missing_docs, reason = "the library's names")]
        #[derive(Clone, Copy)]
        pub struct $struct {
            $(pub $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
        }

        impl $struct {
            /// Finds each function by its name.
            ///
            /// # Safety
            /// What `find` finds is the function of that name in the library's headers.
            ///
            /// # Errors
            /// What `find` says.
            pub unsafe fn find<E>(
                mut find: impl FnMut(&'static str) -> Result<*const (), E>,
            ) -> Result<Self, E> {
                Ok(Self {
                    // SAFETY: the types are those of the library's headers, up to what pointers
                    // point to.
                    $($name: unsafe { core::mem::transmute::<*const (), unsafe extern "C" fn($($arg),*) $(-> $ret)?>(find(stringify!($name))?) },)*
                })
            }
        }

        /// The functions of a module, whose pointers may have types of their own.
        #[macro_export]
        macro_rules! $of {
            ($module:path) => {{
                use $module as module;
                // SAFETY: functions of those names.
                let found = unsafe {
                    $crate::$struct::find(|name| match name {
                        $(stringify!($name) => Ok(module::$name as *const ()),)*
                        other => Err(other),
                    })
                };
                found.expect("the same list of names")
            }};
        }
    };
}
pub(crate) use functions;

functions! {
    /// Functions of libcrypto, under their own names.
    Evp, evp_of;
    EVP_get_cipherbyname: fn(*const c_char) -> *const c_void;
    EVP_CIPHER_CTX_new: fn() -> *mut c_void;
    EVP_CIPHER_CTX_free: fn(*mut c_void);
    EVP_CIPHER_CTX_set_padding: fn(*mut c_void, c_int) -> c_int;
    EVP_CIPHER_CTX_ctrl: fn(*mut c_void, c_int, c_int, *mut c_void) -> c_int;
    EVP_CipherInit_ex: fn(*mut c_void, *const c_void, *mut c_void, *const c_uchar, *const c_uchar, c_int) -> c_int;
    EVP_CipherUpdate: fn(*mut c_void, *mut c_uchar, *mut c_int, *const c_uchar, c_int) -> c_int;
    EVP_CipherFinal_ex: fn(*mut c_void, *mut c_uchar, *mut c_int) -> c_int;
}

/// An `EVP_CIPHER_CTX` with its key set.
struct State {
    evp: Evp,
    ctx: *mut c_void,
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: made by `EVP_CIPHER_CTX_new`.
        unsafe { (self.evp.EVP_CIPHER_CTX_free)(self.ctx) }
    }
}

/// Gets ready, with the functions of `evp`.
///
/// # Safety
/// As [`Peer::prepare`](kcfaes_shape::Peer); the library stays loaded as long as what is prepared.
pub unsafe fn prepare(evp: Evp, operation: Operation, job: &Job) -> Prepared {
    let (mode, call): (_, kcfaes_shape::Call) = match operation {
        Operation::EcbEncrypt | Operation::EcbDecrypt => ("ECB", text),
        Operation::Ctr => ("CTR", iv_and_text),
        Operation::CbcEncrypt | Operation::CbcDecrypt => ("CBC", iv_and_text),
        Operation::GcmSeal => ("GCM", gcm_seal),
        Operation::GcmOpen => ("GCM", gcm_open),
        Operation::GcmNewKeySeal => ("GCM", gcm_new_key_seal),
    };
    // BoringSSL knows small letters only, OpenSSL any.
    let name = format!("aes-{}-{}\0", job.key_len * 8, mode.to_ascii_lowercase());
    // SAFETY: as openssl/evp.h documents these functions; the name ends with a zero.
    unsafe {
        let cipher = (evp.EVP_get_cipherbyname)(name.as_ptr().cast());
        let ctx = (evp.EVP_CIPHER_CTX_new)();
        if cipher.is_null() || ctx.is_null() {
            return Prepared::NONE;
        }
        let state = State { evp, ctx };
        let encrypt = c_int::from(operation.encrypts());
        if (evp.EVP_CipherInit_ex)(ctx, cipher, null_mut(), job.key, null(), encrypt) != 1
            || (evp.EVP_CIPHER_CTX_set_padding)(ctx, 0) != 1
        {
            return Prepared::NONE;
        }
        Prepared::new(call, state)
    }
}

/// Whether a function failed.
fn failed(result: c_int) -> u32 {
    u32::from(result != 1)
}

/// # Safety
/// The contract of a [`Call`](kcfaes_shape::Call), here and below: `prepare` has put a [`State`]
/// behind the job.
unsafe extern "C" fn text(job: &Job) -> u32 {
    let mut written = 0;
    // SAFETY: see above.
    unsafe {
        let State { evp, ctx } = job.state();
        failed((evp.EVP_CipherUpdate)(*ctx, job.dst, &mut written, job.src, job.len as c_int))
    }
}

unsafe fn set(job: &Job, key: *const u8) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { evp, ctx } = job.state();
        failed((evp.EVP_CipherInit_ex)(*ctx, null(), null_mut(), key, job.iv, -1))
    }
}

unsafe extern "C" fn iv_and_text(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { set(job, null()) | text(job) }
}

unsafe fn gcm_text(job: &Job, key: *const u8) -> u32 {
    const { assert!(GCM_IV == 12, "the default length") };
    let mut written = 0;
    // SAFETY: see above.
    unsafe {
        let State { evp, ctx } = job.state();
        let aad = BLOCK as c_int;
        set(job, key)
            | failed((evp.EVP_CipherUpdate)(*ctx, null_mut(), &mut written, job.aad, aad))
            | text(job)
    }
}

unsafe fn seal(job: &Job, key: *const u8) -> u32 {
    let mut written = 0;
    // SAFETY: see above.
    unsafe {
        let State { evp, ctx } = job.state();
        let tag = job.tag_out();
        gcm_text(job, key)
            | failed((evp.EVP_CipherFinal_ex)(*ctx, tag, &mut written))
            | failed((evp.EVP_CIPHER_CTX_ctrl)(*ctx, GET_TAG, BLOCK as c_int, tag.cast()))
    }
}

unsafe extern "C" fn gcm_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { seal(job, null()) }
}

unsafe extern "C" fn gcm_new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { seal(job, job.key) }
}

unsafe extern "C" fn gcm_open(job: &Job) -> u32 {
    let mut written = 0;
    // SAFETY: see above.
    unsafe {
        let State { evp, ctx } = job.state();
        let tag = job.tag_in().cast_mut();
        gcm_text(job, null())
            | failed((evp.EVP_CIPHER_CTX_ctrl)(*ctx, SET_TAG, BLOCK as c_int, tag.cast()))
            | failed((evp.EVP_CipherFinal_ex)(*ctx, job.dst.add(job.len), &mut written))
    }
}
