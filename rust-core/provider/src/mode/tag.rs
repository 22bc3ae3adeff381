// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tags: comparing two, and taking back the text of a forged message. And the last block of what a tag covers.

use subtle::ConstantTimeEq;

use crate::data::Pair;
use crate::engine::drive::drive;
use crate::engine::{Fpu, Step};
use crate::kcf::{Error, Result};

/// Whether the first `len` bytes of two tags are equal; a tag has 1 to 16. In constant time. The tags are
/// compared as numbers: bytes compared one by one would be spread over the stack. Never inlined: a longer
/// function would keep the computed tag in its frame, and that of a forged message is a secret.
///
/// # Errors
/// `INVALID_MAC`
#[inline(never)]
pub fn same_tag(computed: &[u8; 16], received: &[u8; 16], len: usize) -> Result<()> {
    let differ = u128::from_le_bytes(*computed) ^ u128::from_le_bytes(*received);
    // The first byte is the lowest.
    let beyond = 16_usize.checked_sub(len).filter(|&beyond| beyond < 16);
    let differ = differ << (8 * beyond.ok_or(Error::INVALID_MAC)?);
    let differ = differ as u64 | (differ >> 64) as u64;
    if bool::from(differ.ct_eq(&0)) { Ok(()) } else { Err(Error::INVALID_MAC) }
}

/// At most 16 bytes with zeros after them, as [`same_tag`] takes a tag, and GHASH a partial block. The block is
/// made in registers: whoever reads it next would wait for bytes that were stored one by one.
#[inline(always)]
pub fn padded(bytes: &[u8]) -> [u8; 16] {
    let len = bytes.len();
    if let Some(full) = bytes.first_chunk() {
        return *full;
    }
    // Of two loads that overlap, both have the same bytes in the middle.
    let halves = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>());
    let quarters = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>());
    let block = if let (Some(head), Some(tail)) = halves {
        let (head, tail) = (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
        u128::from(head) | u128::from(tail) << (8 * (len - 8))
    } else if let (Some(head), Some(tail)) = quarters {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        u128::from(u64::from(head) | u64::from(tail) << (8 * (len - 4)))
    } else {
        bytes.iter().rfold(0, |block, &byte| block << 8 | u128::from(byte))
    };
    block.to_le_bytes()
}

/// The full blocks before the last block, and the last block: 1 to 16 bytes, or none if there are none at all.
#[inline(always)]
pub(super) fn before_last_block(bytes: &[u8]) -> (&[u8], &[u8]) {
    let full = bytes.len().saturating_sub(1) & !15;
    bytes.split_at_checked(full).unwrap_or((bytes, &[]))
}

/// Removes the plaintext of a forged message, which is the first `len` bytes. Where output is also input,
/// `step`, from its beginning, makes it ciphertext again; the rest of the output becomes zero. The kernels
/// that deciphered the text must take it back, with the same number of blocks at a time: a list may name a
/// byte twice.
#[inline(never)]
pub(super) fn take_back(mut message: Pair<'_>, len: usize, step: &mut Step<'_>, fpu: &mut Fpu) {
    message.limit(len);
    if message.aliased() {
        // An error here is the one for which the text is taken back: the list ends where it ended before.
        _ = drive(fpu, &mut message.clone(), len, step);
    }
    fpu.end();
    message.zero_destination();
}
