// SPDX-License-Identifier: MIT OR Apache-2.0
//! The newest OpenSSL that the crate openssl-src has, linked into this peer.

use core::ffi::{CStr, c_char, c_int};

use kcfaes_peer_evp::evp_of;
use kcfaes_shape::{Job, Operation, Prepared};

/// `OPENSSL_VERSION` of `openssl/crypto.h`.
const VERSION: c_int = 0;

/// The symbols, of which only the addresses are taken.
mod crypto {
    unsafe extern "C" {
        pub(crate) fn EVP_get_cipherbyname();
        pub(crate) fn EVP_CIPHER_CTX_new();
        pub(crate) fn EVP_CIPHER_CTX_free();
        pub(crate) fn EVP_CIPHER_CTX_set_padding();
        pub(crate) fn EVP_CIPHER_CTX_ctrl();
        pub(crate) fn EVP_CipherInit_ex();
        pub(crate) fn EVP_CipherUpdate();
        pub(crate) fn EVP_CipherFinal_ex();
    }
}

unsafe extern "C" {
    fn OpenSSL_version(what: c_int) -> *const c_char;
}

fn describe() -> Option<&'static CStr> {
    // SAFETY: it returns a static string for this argument.
    Some(unsafe { CStr::from_ptr(OpenSSL_version(VERSION)) })
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    // SAFETY: the caller's promise.
    unsafe { kcfaes_peer_evp::prepare(evp_of!(crate::crypto), operation, job) }
}

kcfaes_shape::peer!(describe, prepare);
