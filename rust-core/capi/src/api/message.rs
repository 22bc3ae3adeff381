// SPDX-License-Identifier: MIT OR Apache-2.0
//! A whole message in one call, and its tag.

use kcfaes_provider::engine::Material;
use kcfaes_provider::kcf::{Error, Result};
use kcfaes_provider::key::Key;
use kcfaes_provider::mode::{Apart, Operation, direct, padded, same_tag};
use kcfaes_provider::request::{Direction, Mechanism, Parameter};

use super::bytes::{Bytes, readable, with_io};
use super::key::kcfaes_key;
use super::object::live;

/// What to do with a tag.
#[derive(Clone, Copy)]
pub(super) enum Tag {
    Write(*mut u8),
    Verify(*const u8),
}

impl Tag {
    /// Checks that it has a possible length and a place, before any work is done.
    #[inline(always)]
    pub(super) fn check(self, mechanism: Mechanism, len: usize) -> Result<()> {
        let possible = mechanism.has_tag_len(len);
        let missing = match self {
            Self::Write(at) => at.is_null(),
            Self::Verify(at) => at.is_null(),
        };
        match possible {
            false => Err(Error::MECHANISM_PARAM_INVALID),
            true if missing => Err(Error::ARGUMENTS_BAD),
            true => Ok(()),
        }
    }

    /// Writes or compares the tag, in constant time.
    #[inline(always)]
    pub(super) unsafe fn settle(self, len: usize, computed: &[u8; 16]) -> Result<()> {
        match self {
            Self::Write(at) => {
                let computed = computed.get(..len).ok_or(Error::MECHANISM_PARAM_INVALID)?;
                // SAFETY: the common contract; checked, and `computed` is memory of our own.
                unsafe {
                    // The usual length takes no call of memcpy.
                    if let Some(full) = computed.first_chunk() {
                        at.cast::<u128>().write_unaligned(u128::from_ne_bytes(*full));
                    } else {
                        core::ptr::copy_nonoverlapping(computed.as_ptr(), at, computed.len());
                    }
                }
                Ok(())
            }
            Self::Verify(at) => {
                // SAFETY: the common contract.
                let tag = unsafe { readable(at, len)? };
                same_tag(computed, &padded(tag), len)
            }
        }
    }
}

/// Gives a whole message to the provider.
#[inline(always)]
pub(super) unsafe fn run_message(
    key: &Key,
    direction: Direction,
    mut parameter: Parameter<'_>,
    mut apart: Apart<'_>,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    if let Some(run) = unsafe { Bytes::as_run(src, dst) }
        && let (parameter, apart) = (&mut parameter, &mut apart)
        && let key = &mut Material::Set(key)
        && let Some((result, _)) = direct::transform(direction, parameter, apart, key, run, || run)
    {
        return result;
    }
    // SAFETY: the common contract.
    unsafe { run_in_general(key, direction, parameter, apart, src.again(), dst.again()) }
}

/// [`run_message`] for any message.
#[inline(never)]
pub(super) unsafe fn run_in_general(
    key: &Key,
    direction: Direction,
    mut parameter: Parameter<'_>,
    apart: Apart<'_>,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        with_io(src, dst, |io| {
            Operation::at_once(direction, &mut parameter, apart, Material::Set(key), io)
                .result
                .map(drop)
        })
    }
}

/// Encrypts a GCM or CCM message and writes its tag.
#[inline(always)]
pub(super) unsafe fn seal_message(
    key: *const kcfaes_key,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    dst: Bytes,
    at: *mut u8,
    tag_len: usize,
) -> Result<()> {
    let (parameter, tag) = (parameter?, Tag::Write(at));
    tag.check(parameter.mechanism(), tag_len)?;
    // SAFETY: the common contract.
    unsafe {
        let (key, mut computed) = (&live(key)?.material, [0; 16]);
        // A tag in full goes to its place at once.
        let full = tag_len == 16;
        let to = if full { at.cast() } else { &raw mut computed };
        let apart = Apart::ComputedTag(&mut *to);
        run_message(key, Direction::Encrypt, parameter, apart, src, dst)?;
        if full { Ok(()) } else { tag.settle(tag_len, &computed) }
    }
}

/// Verifies the tag of a GCM or CCM message and decrypts it.
#[inline(always)]
pub(super) unsafe fn open_message(
    key: *const kcfaes_key,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    dst: Bytes,
    tag: *const u8,
    tag_len: usize,
) -> Result<()> {
    let parameter = parameter?;
    Tag::Verify(tag).check(parameter.mechanism(), tag_len)?;
    // SAFETY: the common contract.
    unsafe {
        let (key, received) = (&live(key)?.material, readable(tag, tag_len)?);
        let apart = Apart::ReceivedTag(received);
        run_message(key, Direction::Decrypt, parameter, apart, src, dst)
    }
}
