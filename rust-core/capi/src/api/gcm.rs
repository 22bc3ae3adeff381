// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-GCM.

use kcfaes_provider::kcf::{Error, Result};
use kcfaes_provider::request::Parameter;

use super::bytes::{Bytes, kcfaes_iovec, readable};
use super::error::{answer, kcfaes_rc};
use super::key::kcfaes_key;
use super::message::{open_message, seal_message};

/// AES-GCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 8 or 12 to 16 bytes,
/// which also covers aad. The IV has 1 byte or more, best 12, and must never be used twice with one
/// key. KCFAES_MECHANISM_PARAM_INVALID, KCFAES_DATA_LEN_RANGE (more than 2^36 - 32
/// bytes).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
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
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        seal_message(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// AES-GCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
/// is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
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
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        open_message(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// kcfaes_gcm_seal over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
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
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        seal_message(key, parameter, src, dst, tag, tag_len)
    })
}

/// kcfaes_gcm_open over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
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
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        open_message(key, parameter, src, dst, tag, tag_len)
    })
}

/// Parameter of GCM and GMAC. The length of the tag is checked where the tag is. For a tag still to come it
/// is 16.
#[inline(always)]
pub(super) unsafe fn gcm_parameter<'a>(
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    tag_len: usize,
) -> Result<Parameter<'a>> {
    // SAFETY: the common contract.
    let (iv, aad) = unsafe { (read_iv(iv, iv_len)?, readable(aad, aad_len)?) };
    Ok(Parameter::Gcm { iv, aad, tag_len })
}

/// An IV of GCM or GMAC.
#[inline(always)]
pub(super) unsafe fn read_iv<'a>(iv: *const u8, iv_len: usize) -> Result<&'a [u8]> {
    if iv_len == 0 {
        return Err(Error::MECHANISM_PARAM_INVALID);
    }
    // SAFETY: the common contract.
    unsafe { readable(iv, iv_len) }
}
