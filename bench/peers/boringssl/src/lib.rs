// SPDX-License-Identifier: MIT OR Apache-2.0
//! BoringSSL, as the crate boring-sys builds it: GCM by its AEAD interface, CTR and CBC
//! by its AES functions, ECB by EVP.

use core::ffi::CStr;
use std::ffi::CString;
use std::sync::OnceLock;

use kcfaes_peer_evp::{aead, aead_of, aes, aes_of, evp_of};
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
            Operation::Ctr | Operation::CbcEncrypt | Operation::CbcDecrypt => {
                aes::prepare(aes_of!(boring_sys), operation, job)
            }
            Operation::GcmSeal | Operation::GcmOpen | Operation::GcmNewKeySeal => {
                aead::prepare(aead_of!(boring_sys), operation, job)
            }
            Operation::EcbEncrypt | Operation::EcbDecrypt => {
                kcfaes_peer_evp::prepare(evp_of!(boring_sys), operation, job)
            }
        }
    }
}

kcfaes_shape::peer!(describe, prepare);
