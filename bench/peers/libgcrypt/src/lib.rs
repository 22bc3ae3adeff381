// SPDX-License-Identifier: MIT OR Apache-2.0
//! libgcrypt as the system has it, found when it is measured. One handle per key.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::ptr::null_mut;
use std::sync::OnceLock;

use kcfaes_shape::{BLOCK, Call, GCM_IV, Job, Operation, Prepared};
use libloading::Library;

const LIBRARY: &str = "libgcrypt.so.20";

/// Of `enum gcry_ctl_cmds`, `gcry_cipher_algos` and `gcry_cipher_modes` in `gcrypt.h`.
const DISABLE_SECMEM: c_int = 37;
const INITIALIZATION_FINISHED: c_int = 38;
const AES128: c_int = 7;
const AES256: c_int = 9;
const ECB: c_int = 1;
const CBC: c_int = 3;
const CTR: c_int = 6;
const GCM: c_int = 9;

type SetBytes = unsafe extern "C" fn(*mut c_void, *const u8, usize) -> c_uint;
type Transform = unsafe extern "C" fn(*mut c_void, *mut u8, usize, *const u8, usize) -> c_uint;

macro_rules! api {
    ($($name:ident: $ty:ty;)*) => {
        /// Functions of libgcrypt, under their own names.
        struct Api {
            $($name: $ty,)*
            _library: Library,
        }

        impl Api {
            fn find(library: Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of gcrypt.h; the library stays loaded.
                unsafe {
                    $(let $name: $ty = *library.get(stringify!($name).as_bytes())?;)*
                    Ok(Self { $($name,)* _library: library })
                }
            }
        }
    };
}

api! {
    gcry_check_version: unsafe extern "C" fn(*const c_char) -> *const c_char;
    gcry_control: unsafe extern "C" fn(c_int, ...) -> c_uint;
    gcry_cipher_open: unsafe extern "C" fn(*mut *mut c_void, c_int, c_int, c_uint) -> c_uint;
    gcry_cipher_close: unsafe extern "C" fn(*mut c_void);
    gcry_cipher_setkey: SetBytes;
    gcry_cipher_setiv: SetBytes;
    gcry_cipher_setctr: SetBytes;
    gcry_cipher_authenticate: SetBytes;
    gcry_cipher_encrypt: Transform;
    gcry_cipher_decrypt: Transform;
    gcry_cipher_gettag: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> c_uint;
    gcry_cipher_checktag: SetBytes;
}

/// The library, initialised, and its version.
fn load() -> Option<&'static (Api, &'static CStr)> {
    static API: OnceLock<Option<(Api, &'static CStr)>> = OnceLock::new();
    let load = || {
        // SAFETY: as gcrypt.h documents these functions; they are called once, before any other.
        unsafe {
            let api = Library::new(LIBRARY).and_then(Api::find).ok()?;
            let version = (api.gcry_check_version)(core::ptr::null());
            (api.gcry_control)(DISABLE_SECMEM, 0 as c_int);
            (api.gcry_control)(INITIALIZATION_FINISHED, 0 as c_int);
            (!version.is_null()).then(|| (api, CStr::from_ptr(version)))
        }
    };
    API.get_or_init(load).as_ref()
}

fn describe() -> Option<&'static CStr> {
    load().map(|(_, version)| *version)
}

/// A handle with its key set.
struct State {
    api: &'static Api,
    handle: *mut c_void,
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: opened by `gcry_cipher_open`.
        unsafe { (self.api.gcry_cipher_close)(self.handle) }
    }
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    let Some((api, _)) = load() else { return Prepared::NONE };
    let (mode, call): (_, Call) = match operation {
        Operation::EcbEncrypt => (ECB, encrypt),
        Operation::EcbDecrypt => (ECB, decrypt),
        Operation::Ctr => (CTR, ctr),
        Operation::CbcEncrypt => (CBC, cbc_encrypt),
        Operation::CbcDecrypt => (CBC, cbc_decrypt),
        Operation::GcmSeal => (GCM, gcm_seal),
        Operation::GcmOpen => (GCM, gcm_open),
        Operation::GcmNewKeySeal => (GCM, gcm_new_key_seal),
    };
    let algorithm = if job.key_len == 16 { AES128 } else { AES256 };
    // SAFETY: as gcrypt.h documents these functions.
    unsafe {
        let mut handle = null_mut();
        if (api.gcry_cipher_open)(&mut handle, algorithm, mode, 0) != 0 {
            return Prepared::NONE;
        }
        let state = State { api, handle };
        if (api.gcry_cipher_setkey)(handle, job.key, job.key_len) != 0 {
            return Prepared::NONE;
        }
        Prepared::new(call, state)
    }
}

/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`State`] behind the job.
unsafe extern "C" fn encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        (api.gcry_cipher_encrypt)(*handle, job.dst, job.len, job.src, job.len)
    }
}

unsafe extern "C" fn decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        (api.gcry_cipher_decrypt)(*handle, job.dst, job.len, job.src, job.len)
    }
}

unsafe fn set_iv(job: &Job, len: usize) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        (api.gcry_cipher_setiv)(*handle, job.iv, len)
    }
}

unsafe extern "C" fn ctr(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        (api.gcry_cipher_setctr)(*handle, job.iv, BLOCK) | encrypt(job)
    }
}

unsafe extern "C" fn cbc_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { set_iv(job, BLOCK) | encrypt(job) }
}

unsafe extern "C" fn cbc_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { set_iv(job, BLOCK) | decrypt(job) }
}

unsafe fn gcm_begin(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        set_iv(job, GCM_IV) | (api.gcry_cipher_authenticate)(*handle, job.aad, BLOCK)
    }
}

unsafe extern "C" fn gcm_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        gcm_begin(job) | encrypt(job) | (api.gcry_cipher_gettag)(*handle, job.tag_out(), BLOCK)
    }
}

unsafe extern "C" fn gcm_new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        (api.gcry_cipher_setkey)(*handle, job.key, job.key_len) | gcm_seal(job)
    }
}

unsafe extern "C" fn gcm_open(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { api, handle } = job.state();
        gcm_begin(job) | decrypt(job) | (api.gcry_cipher_checktag)(*handle, job.tag_in(), BLOCK)
    }
}

kcfaes_shape::peer!(describe, prepare);
