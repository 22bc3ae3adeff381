// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenSSL's EVP interface, the system's own libcrypto: found when the program runs, so that it
//! builds where there is none and says so.
//!
//! One context per key, as its documentation recommends: a message sets its IV only.

use core::ffi::{CStr, c_char, c_int, c_uchar, c_void};
use core::ptr::{null, null_mut};
use std::sync::OnceLock;

use libloading::Library;

use super::{Contender, OPENSSL, Prepared};
use crate::message::{BLOCK, GCM_IV, Job, Message, Operation};

const LIBRARIES: [&str; 2] = ["libcrypto.so.3", "libcrypto.so"];

/// `EVP_CTRL_AEAD_GET_TAG` and `_SET_TAG` of `openssl/evp.h`.
const GET_TAG: c_int = 0x10;
const SET_TAG: c_int = 0x11;

/// `OPENSSL_VERSION` of `openssl/crypto.h`.
const VERSION: c_int = 0;

macro_rules! api {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// Functions of libcrypto, under their own names.
        #[allow(non_snake_case, reason = "OpenSSL's names")]
        struct Api {
            $($name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
            library: Library,
        }

        impl Api {
            fn find(library: Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of openssl/evp.h and openssl/crypto.h; the library
                // stays loaded as long as the pointers.
                unsafe {
                    Ok(Self { $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)* library })
                }
            }
        }
    };
}

api! {
    OpenSSL_version: fn(c_int) -> *const c_char;
    EVP_get_cipherbyname: fn(*const c_char) -> *const c_void;
    EVP_CIPHER_CTX_new: fn() -> *mut c_void;
    EVP_CIPHER_CTX_free: fn(*mut c_void);
    EVP_CIPHER_CTX_set_padding: fn(*mut c_void, c_int) -> c_int;
    EVP_CIPHER_CTX_ctrl: fn(*mut c_void, c_int, c_int, *mut c_void) -> c_int;
    EVP_CipherInit_ex: fn(*mut c_void, *const c_void, *mut c_void, *const c_uchar, *const c_uchar, c_int) -> c_int;
    EVP_CipherUpdate: fn(*mut c_void, *mut c_uchar, *mut c_int, *const c_uchar, c_int) -> c_int;
    EVP_CipherFinal_ex: fn(*mut c_void, *mut c_uchar, *mut c_int) -> c_int;
}

static API: OnceLock<Result<Api, String>> = OnceLock::new();

pub(super) struct OpenSsl(&'static Api);

impl OpenSsl {
    pub(super) fn load() -> Result<Self, String> {
        let api = API.get_or_init(|| {
            let mut reasons = Vec::new();
            for name in LIBRARIES {
                // SAFETY: libcrypto's initialisers are meant to run in any program.
                match unsafe { Library::new(name) }.and_then(Api::find) {
                    Ok(api) => return Ok(api),
                    Err(reason) => reasons.push(reason.to_string()),
                }
            }
            Err(reasons.join("; "))
        });
        api.as_ref().map(Self).map_err(Clone::clone)
    }
}

/// An `EVP_CIPHER_CTX` with its key set.
struct State {
    api: &'static Api,
    ctx: *mut c_void,
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: made by `EVP_CIPHER_CTX_new`.
        unsafe { (self.api.EVP_CIPHER_CTX_free)(self.ctx) }
    }
}

impl Contender for OpenSsl {
    fn name(&self) -> &'static str {
        OPENSSL
    }

    fn description(&self) -> String {
        let _loaded = &self.0.library;
        // SAFETY: it returns a static string for this argument.
        let version = unsafe { CStr::from_ptr((self.0.OpenSSL_version)(VERSION)) };
        format!("{}, EVP interface", version.to_string_lossy())
    }

    fn prepare<'m>(&self, message: &'m Message) -> Option<Prepared<'m>> {
        let mode = match message.operation {
            Operation::EcbEncrypt | Operation::EcbDecrypt => "ECB",
            Operation::Ctr => "CTR",
            Operation::CbcEncrypt | Operation::CbcDecrypt => "CBC",
            Operation::GcmSeal | Operation::GcmOpen => "GCM",
        };
        let name = format!("AES-{}-{mode}\0", message.key.len() * 8);
        let api = self.0;
        // SAFETY: as openssl/evp.h documents these functions; the name ends with a zero.
        unsafe {
            let cipher = (api.EVP_get_cipherbyname)(name.as_ptr().cast());
            let ctx = (api.EVP_CIPHER_CTX_new)();
            if cipher.is_null() || ctx.is_null() {
                return None;
            }
            let state = State { api, ctx };
            let encrypt = c_int::from(message.operation.encrypts());
            let key = message.key.as_ptr();
            if (api.EVP_CipherInit_ex)(ctx, cipher, null_mut(), key, null(), encrypt) != 1
                || (api.EVP_CIPHER_CTX_set_padding)(ctx, 0) != 1
            {
                return None;
            }
            let call = match message.operation {
                Operation::EcbEncrypt | Operation::EcbDecrypt => text,
                Operation::Ctr | Operation::CbcEncrypt | Operation::CbcDecrypt => iv_and_text,
                Operation::GcmSeal => gcm_seal,
                Operation::GcmOpen => gcm_open,
            };
            Some(Prepared::new(message, call, state))
        }
    }
}

/// Whether a function of OpenSSL failed.
fn failed(result: c_int) -> u32 {
    u32::from(result != 1)
}

/// # Safety
/// The contract of a [`Call`](crate::message::Call), here and below: `prepare` has put a [`State`]
/// behind the job.
unsafe fn text(job: &Job) -> u32 {
    let mut written = 0;
    // SAFETY: see above.
    unsafe {
        let State { api, ctx } = &*job.state.cast::<State>();
        failed((api.EVP_CipherUpdate)(*ctx, job.dst, &mut written, job.src, job.len as c_int))
    }
}

unsafe fn set_iv(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, ctx } = &*job.state.cast::<State>();
        failed((api.EVP_CipherInit_ex)(*ctx, null(), null_mut(), null(), job.iv, -1))
    }
}

unsafe fn iv_and_text(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { set_iv(job) | text(job) }
}

unsafe fn gcm_text(job: &Job) -> u32 {
    const { assert!(GCM_IV == 12, "the default length") };
    let mut written = 0;
    // SAFETY: see above.
    unsafe {
        let State { api, ctx } = &*job.state.cast::<State>();
        let aad = BLOCK as c_int;
        set_iv(job)
            | failed((api.EVP_CipherUpdate)(*ctx, null_mut(), &mut written, job.aad, aad))
            | text(job)
    }
}

unsafe fn gcm_seal(job: &Job) -> u32 {
    let mut written = 0;
    // SAFETY: see above; behind the text is room for the tag.
    unsafe {
        let State { api, ctx } = &*job.state.cast::<State>();
        let tag = job.dst.add(job.len);
        gcm_text(job)
            | failed((api.EVP_CipherFinal_ex)(*ctx, tag, &mut written))
            | failed((api.EVP_CIPHER_CTX_ctrl)(*ctx, GET_TAG, BLOCK as c_int, tag.cast()))
    }
}

unsafe fn gcm_open(job: &Job) -> u32 {
    let mut written = 0;
    // SAFETY: see above; behind the text is the tag.
    unsafe {
        let State { api, ctx } = &*job.state.cast::<State>();
        let tag = job.src.add(job.len).cast_mut();
        gcm_text(job)
            | failed((api.EVP_CIPHER_CTX_ctrl)(*ctx, SET_TAG, BLOCK as c_int, tag.cast()))
            | failed((api.EVP_CipherFinal_ex)(*ctx, job.dst.add(job.len), &mut written))
    }
}
