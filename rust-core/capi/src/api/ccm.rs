// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-CCM.

use kcfaes_provider::kcf::Result;
use kcfaes_provider::request::Parameter;

use super::bytes::{Bytes, kcfaes_iovec, readable};
use super::error::{answer, kcfaes_rc};
use super::key::kcfaes_key;
use super::message::{open_message, seal_message};

/// AES-CCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 6, 8, 10, 12, 14 or 16
/// bytes, which also covers aad. The nonce has n = 7 to 13 bytes and must never be used twice with
/// one key; the text has less than 2^(8(15 - n)). KCFAES_MECHANISM_PARAM_INVALID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_seal(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let parameter = ccm_parameter(nonce, nonce_len, aad, aad_len, Ok(len as u64), tag_len);
        seal_message(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// AES-CCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
/// is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_open(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let parameter = ccm_parameter(nonce, nonce_len, aad, aad_len, Ok(len as u64), tag_len);
        open_message(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// kcfaes_ccm_seal over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_seal_iov(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        let parameter = ccm_parameter(nonce, nonce_len, aad, aad_len, src.text_len(), tag_len);
        seal_message(key, parameter, src, dst, tag, tag_len)
    })
}

/// kcfaes_ccm_open over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_open_iov(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        let parameter = ccm_parameter(nonce, nonce_len, aad, aad_len, src.text_len(), tag_len);
        open_message(key, parameter, src, dst, tag, tag_len)
    })
}

/// Parameter of CCM.
pub(super) unsafe fn ccm_parameter<'a>(
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    text_len: Result<u64>,
    tag_len: usize,
) -> Result<Parameter<'a>> {
    // SAFETY: the common contract.
    let (nonce, aad) = unsafe { (readable(nonce, nonce_len)?, readable(aad, aad_len)?) };
    Parameter::ccm(nonce, aad, text_len?, tag_len)
}
