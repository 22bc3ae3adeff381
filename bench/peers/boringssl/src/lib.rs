// SPDX-License-Identifier: MIT OR Apache-2.0
//! BoringSSL, as the crate boring-sys builds it: GCM by its AEAD interface, the rest by EVP.

use core::ffi::CStr;
use std::ffi::CString;
use std::sync::OnceLock;

use kcfaes_peer_evp::{aead, aead_of, evp_of};
use kcfaes_shape::{Job, Operation, Prepared, locked};

fn describe() -> Option<&'static CStr> {
    static TEXT: OnceLock<Option<CString>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let version = locked(include_str!("../../Cargo.lock"), "boring-sys")?;
        CString::new(format!("of boring-sys {version}")).ok()
    });
    text.as_deref()
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    // SAFETY: the caller's promise.
    unsafe {
        match operation {
            Operation::GcmSeal | Operation::GcmOpen | Operation::GcmNewKeySeal => {
                aead::prepare(aead_of!(boring_sys), operation, job)
            }
            _ => kcfaes_peer_evp::prepare(evp_of!(boring_sys), operation, job),
        }
    }
}

kcfaes_shape::peer!(describe, prepare);
