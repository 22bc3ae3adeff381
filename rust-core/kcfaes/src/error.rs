// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a call that fails says.

use core::ffi::{CStr, c_int};
use core::fmt;

use kcfaes_capi::api::{kcfaes_rc, kcfaes_strerror};

/// The reason why a call failed. It has then consumed and written nothing, unless it says otherwise.
///
/// The numbers are those of the C API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Error {
    /// There is no memory.
    NoMemory = kcfaes_rc::KCFAES_HOST_MEMORY as c_int,
    /// The self-test found a wrong answer.
    SelfTestFailed = kcfaes_rc::KCFAES_FAILED as c_int,
    /// A list has more than 1,048,576 pieces or more than 65,536 empty ones in a row; or the call is not one for
    /// this message.
    BadArgument = kcfaes_rc::KCFAES_ARGUMENTS_BAD as c_int,
    /// The text is too long, or not as long as was said when a CCM message began; ECB or CBC was given a part of
    /// a block; or a part in place begins within a block.
    TextLength = kcfaes_rc::KCFAES_DATA_LEN_RANGE as c_int,
    /// The ciphertext is not as long as was said when a CCM message began, or ECB or CBC was given a part of a
    /// block.
    CiphertextLength = kcfaes_rc::KCFAES_ENCRYPTED_DATA_LEN_RANGE as c_int,
    /// The key has not 16, 24 or 32 bytes.
    KeyLength = kcfaes_rc::KCFAES_KEY_SIZE_RANGE as c_int,
    /// The IV, nonce or tag has a length that the mode does not know, or the nonce is too long for the length of
    /// the text.
    IvOrTagLength = kcfaes_rc::KCFAES_MECHANISM_PARAM_INVALID as c_int,
    /// The message has ended.
    Ended = kcfaes_rc::KCFAES_OPERATION_NOT_INITIALIZED as c_int,
    /// The output has too little room.
    TooSmall = kcfaes_rc::KCFAES_BUFFER_TOO_SMALL as c_int,
    /// This CPU cannot do it.
    NotSupported = kcfaes_rc::KCFAES_NOT_SUPPORTED as c_int,
    /// The message is not authentic: forged, damaged, or of another key.
    NotAuthentic = kcfaes_rc::KCFAES_INVALID_MAC as c_int,
}

/// What a call answers.
pub type Result<T> = core::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: never NULL, and a constant string.
        let line = unsafe { CStr::from_ptr(kcfaes_strerror(*self as c_int)) };
        f.write_str(line.to_str().unwrap_or_default())
    }
}

impl core::error::Error for Error {}

/// The answer of the C API as a value.
pub(crate) fn checked(rc: kcfaes_rc) -> Result<()> {
    use kcfaes_rc as c;
    Err(match rc {
        c::KCFAES_OK => return Ok(()),
        c::KCFAES_HOST_MEMORY => Error::NoMemory,
        c::KCFAES_FAILED => Error::SelfTestFailed,
        c::KCFAES_ARGUMENTS_BAD => Error::BadArgument,
        c::KCFAES_DATA_LEN_RANGE => Error::TextLength,
        c::KCFAES_ENCRYPTED_DATA_LEN_RANGE => Error::CiphertextLength,
        c::KCFAES_KEY_SIZE_RANGE => Error::KeyLength,
        c::KCFAES_MECHANISM_PARAM_INVALID => Error::IvOrTagLength,
        c::KCFAES_OPERATION_NOT_INITIALIZED => Error::Ended,
        c::KCFAES_BUFFER_TOO_SMALL => Error::TooSmall,
        c::KCFAES_NOT_SUPPORTED => Error::NotSupported,
        c::KCFAES_INVALID_MAC => Error::NotAuthentic,
    })
}

/// A trait's method has no way to say that a call failed. What can fail there is only the allocation of a key or
/// context: a program is then as helpless as where a `Vec` finds no memory.
#[cfg(feature = "cipher")]
#[track_caller]
pub(crate) fn infallible<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("kcfaes: {error}"))
}
