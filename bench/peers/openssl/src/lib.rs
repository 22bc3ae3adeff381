// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenSSL as the system has it, found when it is measured.

use core::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

use kcfaes_peer_evp::Evp;
use kcfaes_shape::{Job, Operation, Prepared};
use libloading::Library;

const LIBRARIES: [&str; 2] = ["libcrypto.so.3", "libcrypto.so"];

/// `OPENSSL_VERSION` of `openssl/crypto.h`.
const VERSION: c_int = 0;

struct OpenSsl {
    evp: Evp,
    version: &'static CStr,
    _library: Library,
}

static OPENSSL: OnceLock<Option<OpenSsl>> = OnceLock::new();

fn load() -> Option<&'static OpenSsl> {
    let load = |name| {
        // SAFETY: libcrypto's initialisers are meant to run in any program, the functions have the
        // types of openssl/evp.h and openssl/crypto.h, and the library stays loaded.
        unsafe {
            let library = Library::new(name).ok()?;
            let evp = Evp::find(|name| library.get::<*const ()>(name.as_bytes()).map(|it| *it));
            let version: unsafe extern "C" fn(c_int) -> *const c_char =
                *library.get(b"OpenSSL_version").ok()?;
            let version = CStr::from_ptr(version(VERSION));
            Some(OpenSsl { evp: evp.ok()?, version, _library: library })
        }
    };
    OPENSSL.get_or_init(|| LIBRARIES.into_iter().find_map(load)).as_ref()
}

fn describe() -> Option<&'static CStr> {
    load().map(|it| it.version)
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    match load() {
        // SAFETY: the caller's promise.
        Some(it) => unsafe { kcfaes_peer_evp::prepare(it.evp, operation, job) },
        None => Prepared::NONE,
    }
}

kcfaes_shape::peer!(describe, prepare);
