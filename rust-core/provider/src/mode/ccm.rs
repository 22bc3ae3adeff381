// SPDX-License-Identifier: MIT OR Apache-2.0
//! CCM, SP 800-38C, formatted as in its appendix A.
//!
//! A message begins with the length of its text, which is enforced in both directions. A decryption in parts
//! deciphers into a buffer that was allocated when it began. It releases nothing before the MAC is right.

use kcfaes_kernels::{Block, BlockMode};

use super::aead;
use crate::data::{Pair, Short};
use crate::engine::drive::drive;
use crate::engine::{Call, Pace, Step};
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

    /// Begins a message with a MAC of `tag_len` bytes: takes its nonce of 7..=13 bytes and its AAD.
    pub(super) fn begin(&mut self, call: &mut Call<'_>, nonce: &[u8], aad: &[u8], tag_len: usize) {
        let bits = 8 * (15 - nonce.len() as u32);
        let nonce = nonce.iter().fold(0, |nonce, &byte| nonce << 8 | u128::from(byte));
        // Appendix A.2.1 and A.3: flags, nonce, and a number of `bits` bits.
        let block = |flags: u32, number: u64| {
            let flags = u128::from(flags | (bits / 8 - 1));
            Block((flags << 120 | nonce << bits | u128::from(number)).to_be_bytes())
        };
        let with_aad = u32::from(!aad.is_empty()) << 6;
        let b0 = block(with_aad | (tag_len as u32 - 2) << 2, self.declared);
        self.a0 = block(0, 0);
        self.ctr = block(0, 1);
        self.bits = bits;
        self.absorb(call, &b0.0);
        if !aad.is_empty() {
            self.absorb_aad(call, aad);
        }
    }

    /// Absorbs the AAD, with its length before it (appendix A.2.2) and zeros after it.
    fn absorb_aad(&mut self, call: &mut Call<'_>, aad: &[u8]) {
        let (coded, bytes) = coded_aad_len(aad.len() as u64);
        let mut first = (coded << (8 * (16 - bytes))).to_be_bytes();
        let (head, rest) = aad.split_at_checked(16 - bytes).unwrap_or((aad, &[]));
        for (to, from) in first.iter_mut().skip(bytes).zip(head) {
            *to = *from;
        }
        self.absorb(call, &first);
        self.absorb(call, rest);
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

impl aead::Text for Text {
    const EXACT: bool = true;

    /// Section 6.1 steps 4 and 8, section 6.2 steps 5 and 10.
    #[inline(always)]
    fn step<'a>(&'a mut self, direction: Direction, key: &'a Key) -> Step<'a> {
        let mode = match direction {
            Direction::Encrypt => BlockMode::CcmEncrypt,
            Direction::Decrypt => BlockMode::CcmDecrypt,
        };
        let Self { mac, ctr, bits, .. } = self;
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
