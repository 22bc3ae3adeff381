// SPDX-License-Identifier: MIT OR Apache-2.0
//! CCM, SP 800-38C, formatted as in its appendix A.
//!
//! A message begins with the length of its text, which is enforced in both directions. A decryption in parts
//! deciphers into a buffer that was allocated when it began. It releases nothing before the MAC is right.

use kcfaes_kernels::{Block, BlockMode};

use super::aead::{self, Whole, take_back_text};
use super::tag::padded;
use crate::data::{Pair, Run, Short};
use crate::engine::drive::drive;
use crate::engine::{Call, Hold, Pace, Step};
use crate::kcf::Error;
use crate::key::Key;
use crate::request::Direction;

/// The encoded length of the AAD, and the bytes of the encoding (appendix A.2.2): two, or six or ten that
/// begin with a mark.
fn coded_aad_len(len: u64) -> (u128, usize) {
    match len {
        0..0xff00 => (u128::from(len), 2),
        0xff00..0x1_0000_0000 => (0xfffe << 32 | u128::from(len), 6),
        _ => (0xffff << 64 | u128::from(len), 10),
    }
}

/// Section 6.1 steps 4 and 8, section 6.2 steps 5 and 10.
#[inline(always)]
fn mode(direction: Direction) -> BlockMode {
    match direction {
        Direction::Encrypt => BlockMode::CcmEncrypt,
        Direction::Decrypt => BlockMode::CcmDecrypt,
    }
}

/// CBC-MAC and counter mode.
pub(super) struct Text {
    mac: Block,
    /// The next counter block; its low `bits` bits count.
    ctr: Block,
    bits: u32,
    /// Counter block 0, which enciphers the MAC.
    a0: Block,
    /// Length of the text, as declared.
    declared: u64,
}

impl Text {
    #[inline(always)]
    pub(super) const fn new(declared: u64) -> Self {
        let zero = Block([0; 16]);
        Self { mac: zero, ctr: zero, bits: 0, a0: zero, declared }
    }

    /// Writes the blocks that the MAC begins with: one, and another if there is AAD. That has the AAD's
    /// length (appendix A.2.2) and beginning. Returns the rest of the AAD.
    #[inline(never)]
    fn first_blocks<'a>(
        &mut self,
        nonce: &[u8],
        aad: &'a [u8],
        tag_len: usize,
        first: &mut [[u8; 16]; 2],
    ) -> &'a [u8] {
        let bits = 8 * (15 - nonce.len() as u32);
        let nonce = nonce.iter().fold(0, |nonce, &byte| nonce << 8 | u128::from(byte));
        // Appendix A.2.1 and A.3: flags, nonce, and a number of `bits` bits.
        let block = |flags: u32, number: u64| {
            let flags = u128::from(flags | (bits / 8 - 1));
            Block((flags << 120 | nonce << bits | u128::from(number)).to_be_bytes())
        };
        let with_aad = u32::from(!aad.is_empty()) << 6;
        let [b0, b1] = first;
        *b0 = block(with_aad | (tag_len as u32 - 2) << 2, self.declared).0;
        self.a0 = block(0, 0);
        self.ctr = block(0, 1);
        self.bits = bits;
        let (coded, bytes) = coded_aad_len(aad.len() as u64);
        let (head, rest) = aad.split_at_checked(16 - bytes).unwrap_or((aad, &[]));
        let head = u128::from_be_bytes(padded(head)) >> (8 * bytes);
        *b1 = (coded << (8 * (16 - bytes)) | head).to_be_bytes();
        rest
    }

    /// Absorbs bytes that only the MAC covers. A partial block is zero-padded.
    #[inline(never)]
    fn absorb(&mut self, call: &mut Call<'_>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (hold, granted) = call.fpu.hold(Pace::Serial, bytes.len());
            let (now, later) = bytes.split_at_checked(granted).unwrap_or((bytes, &[]));
            hold.cbc_mac(&call.key.schedule, &mut self.mac, now);
            bytes = later;
        }
    }
}

/// As many of the first blocks as a message has.
fn used<'a>(first: &'a [[u8; 16]; 2], aad: &[u8]) -> &'a [u8] {
    let [b0, _] = first;
    if aad.is_empty() { b0 } else { first.as_flattened() }
}

impl aead::Text for Text {
    const EXACT: bool = true;

    /// The nonce has 7..=13 bytes.
    fn begin(&mut self, call: &mut Call<'_>, nonce: &[u8], aad: &[u8], tag_len: usize) {
        let mut first = [[0; 16]; 2];
        let rest = self.first_blocks(nonce, aad, tag_len, &mut first);
        self.absorb(call, used(&first, aad));
        self.absorb(call, rest);
    }

    #[inline(always)]
    fn step<'a>(&'a mut self, direction: Direction, key: &'a Key) -> Step<'a> {
        let (mode, Self { mac, ctr, bits, .. }) = (mode(direction), self);
        let (state, mac) = (Some(ctr), Some(mac));
        Step::Blocks { mode, schedule: &key.schedule, state, bits: *bits, mac }
    }

    /// As `step`; then CBC-MAC becomes the MAC (section 6.1 steps 5 to 8).
    #[inline(never)]
    fn end(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
        _: u64,
    ) -> core::result::Result<&Block, Short> {
        drive(call.fpu, pair, len, &mut self.step(call.direction, call.key))?;
        let (hold, _) = call.fpu.hold(Pace::Serial, 16);
        hold.add_encrypted(&call.key.schedule, self.a0, &mut self.mac);
        Ok(&self.mac)
    }

    #[inline(always)]
    fn rewind(&mut self) {
        // Counter block 1: the number is at the end, and has at least two bytes.
        self.ctr = self.a0;
        self.ctr.0[15] = 1;
    }

    fn tag(&self) -> &Block {
        &self.mac
    }

    #[inline(always)]
    fn most(&self) -> u64 {
        self.declared
    }

    #[inline(always)]
    fn wrong_length(direction: Direction) -> Error {
        direction.wrong_length()
    }
}

impl Whole for Text {
    #[inline(always)]
    fn begin(&mut self, hold: Hold<'_>, key: &Key, iv: &[u8], aad: &[u8], tag_len: usize) {
        let mut first = [[0; 16]; 2];
        let rest = self.first_blocks(iv, aad, tag_len, &mut first);
        hold.cbc_mac(&key.schedule, &mut self.mac, used(&first, aad));
        if !rest.is_empty() {
            hold.cbc_mac(&key.schedule, &mut self.mac, rest);
        }
    }

    /// The counter does not wrap: it has 16 bits at least, and starts at 1.
    #[inline(always)]
    fn transform_run(&mut self, hold: Hold<'_>, direction: Direction, key: &Key, run: Run<'_>) {
        let Self { mac, ctr, a0, .. } = self;
        hold.transform_run(mode(direction), &key.schedule, &mut ctr.0, mac, &run, run.len());
        hold.add_encrypted(&key.schedule, *a0, mac);
    }

    #[inline(always)]
    fn tag(&self) -> &[u8; 16] {
        &self.mac.0
    }

    fn take_back_run(&mut self, call: &mut Call<'_>, run: Run<'_>) {
        take_back_text(self, call, run.into(), run.len());
    }
}

#[cfg(test)]
mod tests {
    use super::coded_aad_len;

    /// The standard's own examples of appendix A.2.2, and both sides of each step.
    #[test]
    fn length_of_aad_is_coded_in_three_sizes() {
        for (len, coded, bytes) in [
            (1, 0x0001, 2),
            (0xfeff, 0xfeff, 2),
            (0xff00, 0xfffe_0000_ff00, 6),
            (65_536, 0xfffe_0001_0000, 6),
            (0x7fff_ffff, 0xfffe_7fff_ffff, 6),
            (0x8000_0000, 0xfffe_8000_0000, 6),
            (0xffff_ffff, 0xfffe_ffff_ffff, 6),
            (0x1_0000_0000, 0xffff_0000_0001_0000_0000, 10),
            (u64::MAX, 0xffff_ffff_ffff_ffff_ffff, 10),
        ] {
            assert_eq!(coded_aad_len(len), (coded, bytes), "{len:#x}");
        }
    }
}
