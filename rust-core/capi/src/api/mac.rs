// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-GMAC and AES-CMAC.

use kcfaes_kernels::Block;
use kcfaes_provider::engine::Material;
use kcfaes_provider::kcf::Result;
use kcfaes_provider::mode::{Apart, direct};
use kcfaes_provider::request::{Direction, Mechanism, Parameter};
use kcfaes_provider::wipe::Secret;

use super::bytes::{Bytes, kcfaes_iovec};
use super::error::{answer, kcfaes_rc};
use super::gcm::read_iv;
use super::key::kcfaes_key;
use super::message::{Tag, run_in_general};
use super::object::live;

/// AES-GMAC: the tag of len bytes of src, as AES-GCM makes it of so much aad and no text. IV and
/// tag as for kcfaes_gcm_seal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const u8,
    len: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_gmac(key, iv, iv_len, Bytes::input(src, len), Tag::Write(tag), tag_len) })
}

/// AES-GMAC: verifies the tag of len bytes of src. KCFAES_INVALID_MAC: they are not authentic.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_verify(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const u8,
    len: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_gmac(key, iv, iv_len, Bytes::input(src, len), Tag::Verify(tag), tag_len) })
}

/// kcfaes_gmac over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        make_gmac(key, iv, iv_len, Bytes::Pieces(src, src_count), Tag::Write(tag), tag_len)
    })
}

/// kcfaes_gmac_verify over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_verify_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        make_gmac(key, iv, iv_len, Bytes::Pieces(src, src_count), Tag::Verify(tag), tag_len)
    })
}

/// AES-CMAC: the MAC of len bytes of src; of its 16 bytes the first tag_len, 4 to 16.
/// KCFAES_MECHANISM_PARAM_INVALID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_cmac(key, Bytes::input(src, len), Tag::Write(tag), tag_len) })
}

/// AES-CMAC: verifies the MAC of len bytes of src. KCFAES_INVALID_MAC: they are not authentic.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_verify(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_cmac(key, Bytes::input(src, len), Tag::Verify(tag), tag_len) })
}

/// kcfaes_cmac over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_cmac(key, Bytes::Pieces(src, src_count), Tag::Write(tag), tag_len) })
}

/// kcfaes_cmac_verify over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_verify_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_cmac(key, Bytes::Pieces(src, src_count), Tag::Verify(tag), tag_len) })
}

#[inline(always)]
unsafe fn make_gmac(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: Bytes,
    tag: Tag,
    tag_len: usize,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe { make_mac(key, Mechanism::Gmac, gmac_parameter(iv, iv_len), src, tag, tag_len) }
}

/// The parameter of AES-GMAC.
pub(super) unsafe fn gmac_parameter<'a>(iv: *const u8, iv_len: usize) -> Result<Parameter<'a>> {
    // SAFETY: the common contract.
    unsafe { read_iv(iv, iv_len) }.map(|iv| Parameter::Gmac { iv, aad: &[] })
}

#[inline(always)]
unsafe fn make_cmac(key: *const kcfaes_key, src: Bytes, tag: Tag, tag_len: usize) -> Result<()> {
    // SAFETY: the common contract.
    unsafe { make_mac(key, Mechanism::Cmac, Ok(Parameter::Cmac), src, tag, tag_len) }
}

/// Makes a MAC, and writes or compares it.
#[inline(always)]
unsafe fn make_mac(
    key: *const kcfaes_key,
    mechanism: Mechanism,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    tag: Tag,
    tag_len: usize,
) -> Result<()> {
    tag.check(mechanism, tag_len)?;
    let parameter = parameter?;
    // SAFETY: the common contract.
    let key = unsafe { &live(key)?.material };
    // SAFETY: the common contract.
    if let Some(message) = unsafe { src.contiguous() }
        && let Some(way) = direct::takes_mac(&parameter, message.len(), 0)
    {
        let mut computed = Secret(Block([0; 16]));
        direct::make_mac(way, &parameter, &mut Material::Set(key), message, &mut computed);
        // SAFETY: the common contract.
        return unsafe { tag.settle(tag_len, &computed.0.0) };
    }
    let mut computed = Secret([0; 16]);
    // SAFETY: the common contract.
    unsafe {
        let mac = Bytes::Buffer(computed.0.as_mut_ptr(), 16);
        run_in_general(key, Direction::Encrypt, parameter, Apart::Nothing, src, mac)?;
        tag.settle(tag_len, &computed.0)
    }
}
