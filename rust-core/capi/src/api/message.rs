// SPDX-License-Identifier: MIT OR Apache-2.0
//! A whole message in one call, and its tag.

use kcfaes_provider::data::Io;
use kcfaes_provider::engine::{Fpu, Material};
use kcfaes_provider::kcf::{Error, Result};
use kcfaes_provider::key::Key;
use kcfaes_provider::mode::{Apart, Operation, padded, same_tag};
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
    pub(super) unsafe fn settle(self, len: usize, computed: &[u8; 16]) -> Result<()> {
        match self {
            Self::Write(at) => {
                let computed = computed.get(..len).ok_or(Error::MECHANISM_PARAM_INVALID)?;
                // SAFETY: the common contract; checked, and `computed` is memory of our own.
                unsafe { core::ptr::copy_nonoverlapping(computed.as_ptr(), at, computed.len()) };
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
#[inline(never)]
pub(super) fn run_message(
    key: &Key,
    direction: Direction,
    parameter: &Parameter<'_>,
    apart: Apart<'_>,
    io: &Io<'_>,
) -> Result<()> {
    let mut fpu = Fpu::new();
    let key = Material::Set(key);
    Operation::at_once(direction, parameter, apart, key, &mut fpu, io).map(drop)
}

/// Encrypts a GCM or CCM message and writes its tag.
pub(super) unsafe fn seal_message(
    key: *const kcfaes_key,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    dst: Bytes,
    tag: *mut u8,
    tag_len: usize,
) -> Result<()> {
    let (parameter, tag) = (parameter?, Tag::Write(tag));
    tag.check(parameter.mechanism(), tag_len)?;
    // SAFETY: the common contract.
    unsafe {
        let (key, mut computed) = (&live(key)?.material, [0; 16]);
        with_io(src, dst, |io| {
            let apart = Apart::ComputedTag(&mut computed);
            run_message(key, Direction::Encrypt, &parameter, apart, io)
        })?;
        tag.settle(tag_len, &computed)
    }
}

/// Verifies the tag of a GCM or CCM message and decrypts it.
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
        with_io(src, dst, |io| {
            let apart = Apart::ReceivedTag(received);
            run_message(key, Direction::Decrypt, &parameter, apart, io)
        })
    }
}
