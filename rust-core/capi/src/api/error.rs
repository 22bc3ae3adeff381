// SPDX-License-Identifier: MIT OR Apache-2.0
//! Version and errors.

use core::ffi::{CStr, c_char, c_int};

use kcfaes_provider::kcf::{self, Error, Result};
use kcfaes_provider::wipe::general_registers;

/// What a function answers: 0, or the number that KCF has for it in sys/crypto/common.h.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum kcfaes_rc {
    /// Success.
    KCFAES_OK = 0,
    /// There is no memory (CRYPTO_HOST_MEMORY).
    KCFAES_HOST_MEMORY = 2,
    /// The self-test found a wrong answer (CRYPTO_FAILED).
    KCFAES_FAILED = 4,
    /// A pointer is NULL; a list of pieces or jobs is misaligned; a list has too many pieces, or too
    /// many empty ones in a row; input and output overlap at different places; a key or context was
    /// erased, moved or never made; the function is not one for this context; no table has that name
    /// (CRYPTO_ARGUMENTS_BAD).
    KCFAES_ARGUMENTS_BAD = 5,
    /// The text is too long, or not as long as was said when an AES-CCM message began; ECB or CBC
    /// was given a part of a block; or a part in place begins within a block
    /// (CRYPTO_DATA_LEN_RANGE).
    KCFAES_DATA_LEN_RANGE = 12,
    /// When decrypting: the ciphertext is not as long as was said when an AES-CCM message began,
    /// or ECB or CBC was given a part of a block. The other faults of KCFAES_DATA_LEN_RANGE have
    /// that number in both directions (CRYPTO_ENCRYPTED_DATA_LEN_RANGE).
    KCFAES_ENCRYPTED_DATA_LEN_RANGE = 17,
    /// The key has not 16, 24 or 32 bytes (CRYPTO_KEY_SIZE_RANGE).
    KCFAES_KEY_SIZE_RANGE = 19,
    /// The IV, nonce or tag has a length that the mode does not know, or the nonce is too long for
    /// the length of the text (CRYPTO_MECHANISM_PARAM_INVALID).
    KCFAES_MECHANISM_PARAM_INVALID = 29,
    /// The context has no message begun (CRYPTO_OPERATION_NOT_INITIALIZED).
    KCFAES_OPERATION_NOT_INITIALIZED = 32,
    /// The output has too little room (CRYPTO_BUFFER_TOO_SMALL).
    KCFAES_BUFFER_TOO_SMALL = 66,
    /// This CPU cannot do it (CRYPTO_NOT_SUPPORTED).
    KCFAES_NOT_SUPPORTED = 68,
    /// The message is not authentic (CRYPTO_INVALID_MAC).
    KCFAES_INVALID_MAC = 72,
}

use kcfaes_rc::{
    KCFAES_ARGUMENTS_BAD, KCFAES_BUFFER_TOO_SMALL, KCFAES_DATA_LEN_RANGE,
    KCFAES_ENCRYPTED_DATA_LEN_RANGE, KCFAES_FAILED, KCFAES_HOST_MEMORY, KCFAES_INVALID_MAC,
    KCFAES_KEY_SIZE_RANGE, KCFAES_MECHANISM_PARAM_INVALID, KCFAES_NOT_SUPPORTED, KCFAES_OK,
    KCFAES_OPERATION_NOT_INITIALIZED,
};

const _: () = {
    assert!(KCFAES_OK as c_int == kcf::CRYPTO_SUCCESS);
    assert!(KCFAES_HOST_MEMORY as c_int == kcf::CRYPTO_HOST_MEMORY);
    assert!(KCFAES_ARGUMENTS_BAD as c_int == kcf::CRYPTO_ARGUMENTS_BAD);
    assert!(KCFAES_DATA_LEN_RANGE as c_int == kcf::CRYPTO_DATA_LEN_RANGE);
    assert!(KCFAES_ENCRYPTED_DATA_LEN_RANGE as c_int == kcf::CRYPTO_ENCRYPTED_DATA_LEN_RANGE);
    assert!(KCFAES_KEY_SIZE_RANGE as c_int == kcf::CRYPTO_KEY_SIZE_RANGE);
    assert!(KCFAES_MECHANISM_PARAM_INVALID as c_int == kcf::CRYPTO_MECHANISM_PARAM_INVALID);
    assert!(KCFAES_OPERATION_NOT_INITIALIZED as c_int == kcf::CRYPTO_OPERATION_NOT_INITIALIZED);
    assert!(KCFAES_BUFFER_TOO_SMALL as c_int == kcf::CRYPTO_BUFFER_TOO_SMALL);
    assert!(KCFAES_INVALID_MAC as c_int == kcf::CRYPTO_INVALID_MAC);
};

/// Version of the library: "major.minor.patch".
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// One line of English on a kcfaes_rc, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_strerror(rc: c_int) -> *const c_char {
    const MESSAGES: [(kcfaes_rc, &CStr); 12] = [
        (KCFAES_OK, c"success"),
        (KCFAES_HOST_MEMORY, c"out of memory"),
        (KCFAES_FAILED, c"self-test failed"),
        (KCFAES_ARGUMENTS_BAD, c"bad argument"),
        (KCFAES_DATA_LEN_RANGE, c"text of impossible length"),
        (KCFAES_ENCRYPTED_DATA_LEN_RANGE, c"ciphertext of impossible length"),
        (KCFAES_KEY_SIZE_RANGE, c"key of impossible length"),
        (KCFAES_MECHANISM_PARAM_INVALID, c"bad IV or tag length"),
        (KCFAES_OPERATION_NOT_INITIALIZED, c"no message begun"),
        (KCFAES_BUFFER_TOO_SMALL, c"output too small"),
        (KCFAES_NOT_SUPPORTED, c"not supported by this CPU"),
        (KCFAES_INVALID_MAC, c"message not authentic"),
    ];
    let known = MESSAGES.iter().find(|(known, _)| *known as c_int == rc);
    known.map_or(c"unknown error", |(_, message)| message).as_ptr()
}

/// The return value of a function, computed last.
pub(super) fn answer(result: Result<()>) -> kcfaes_rc {
    general_registers();
    code_of(result)
}

/// The code for a result.
#[inline(always)]
pub(super) fn code_of(result: Result<()>) -> kcfaes_rc {
    match result {
        Ok(()) => KCFAES_OK,
        Err(Error::Room(_)) => KCFAES_BUFFER_TOO_SMALL,
        Err(Error::HOST_MEMORY) => KCFAES_HOST_MEMORY,
        Err(Error::DATA_LEN_RANGE) => KCFAES_DATA_LEN_RANGE,
        Err(Error::ENCRYPTED_DATA_LEN_RANGE) => KCFAES_ENCRYPTED_DATA_LEN_RANGE,
        Err(Error::KEY_SIZE_RANGE) => KCFAES_KEY_SIZE_RANGE,
        Err(Error::MECHANISM_PARAM_INVALID) => KCFAES_MECHANISM_PARAM_INVALID,
        Err(Error::OPERATION_NOT_INITIALIZED) => KCFAES_OPERATION_NOT_INITIALIZED,
        Err(Error::INVALID_MAC) => KCFAES_INVALID_MAC,
        Err(Error::Kcf(_)) => KCFAES_ARGUMENTS_BAD,
    }
}

/// Does the work if its outcome can be reported, and reports the bytes written or needed.
///
/// # Safety
/// The module's common contract, here and below.
#[inline(always)]
pub(super) unsafe fn answer_written(
    written: *mut usize,
    work: impl FnOnce() -> Result<usize>,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    let Some(written) = (unsafe { written.as_mut() }) else {
        return KCFAES_ARGUMENTS_BAD;
    };
    let result = work();
    *written = match result {
        Ok(n) | Err(Error::Room(n)) => n,
        Err(_) => 0,
    };
    answer(result.map(|_| ()))
}
