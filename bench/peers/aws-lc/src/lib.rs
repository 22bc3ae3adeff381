// SPDX-License-Identifier: MIT OR Apache-2.0
//! AWS-LC, as the crate aws-lc-sys builds it: CTR and CBC by its AES functions, ECB and GCM by EVP,
//! which here is faster than its AEAD interface.

use core::ffi::CStr;

use kcfaes_peer_evp::{aes, aes_of, evp_of};
use kcfaes_shape::{Job, Operation, Prepared};

fn describe() -> Option<&'static CStr> {
    CStr::from_bytes_with_nul(aws_lc_sys::AWSLC_VERSION_NUMBER_STRING).ok()
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    // SAFETY: the caller's promise.
    unsafe {
        match operation {
            Operation::Ctr | Operation::CbcEncrypt | Operation::CbcDecrypt => {
                aes::prepare(aes_of!(aws_lc_sys), operation, job)
            }
            _ => kcfaes_peer_evp::prepare(evp_of!(aws_lc_sys), operation, job),
        }
    }
}

kcfaes_shape::peer!(describe, prepare);
