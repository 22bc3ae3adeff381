// SPDX-License-Identifier: MIT OR Apache-2.0
//! CCM, SP 800-38C, formatted as in its appendix A.
//!
//! A message begins with the length of its text, which is kept to in both directions. Whole messages
//! are encrypted and decrypted in one pass; a forged one leaves no plaintext. A decryption in parts
//! deciphers into a buffer that was allocated when it began, and releases nothing before the MAC is
//! right.

use core::mem::MaybeUninit;

use kcfaes_kernels::{Block, BlockMode};

use super::tag::{same_tag, take_back};
use crate::data::{Data, Io, Pair, Segments, Short};
use crate::engine::drive::{Carry, drive, yield_to};
use crate::engine::{Buffer, Fpu, Pace, Step};
use crate::kcf::{Error, Result};
use crate::key::Key;
use crate::request::Direction;

/// The length of AAD as it is coded, and its bytes (appendix A.2.2): two, or six or ten that begin with
/// a mark.
fn coded_aad_len(len: u64) -> (u128, usize) {
    match len {
        0..0xff00 => (u128::from(len), 2),
        0xff00..0x1_0000_0000 => (0xfffe << 32 | u128::from(len), 6),
        _ => (0xffff << 64 | u128::from(len), 10),
    }
}

/// CBC-MAC and counter mode.
struct Text {
    mac: Block,
    /// The next counter block; its low `bits` bits count.
    ctr: Block,
    bits: u32,
}

impl Text {
    /// Runs of text (section 6.1 steps 4 and 8, section 6.2 steps 5 and 10).
    fn step<'a>(&'a mut self, direction: Direction, key: &'a Key) -> Step<'a> {
        let mode = match direction {
            Direction::Encrypt => BlockMode::CcmEncrypt,
            Direction::Decrypt => BlockMode::CcmDecrypt,
        };
        let Self { mac, ctr: state, bits } = self;
        Step::Blocks { mode, schedule: &key.schedule, state, bits: *bits, mac }
    }

    /// [`step`](Self::step) over the next `len` bytes.
    #[inline(never)]
    fn drive(
        &mut self,
        direction: Direction,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<(), Short> {
        drive(fpu, Pace::Serial, pair, len, &mut self.step(direction, key))
    }
}

/// State between the parts of a message.
pub(super) struct Ccm {
    text: Text,
    /// Counter block 0, which enciphers the MAC.
    a0: Block,
    tag_len: usize,
    /// Bytes of the MAC that follow the ciphertext: `tag_len`, or 0 where it is passed apart.
    attached: usize,
    /// The MAC that a decryption has received, passed apart.
    received: Block,
    /// Length of the text, as declared.
    declared: u64,
    /// Bytes that have come, those of an attached MAC included.
    come: u64,
    carry: Carry,
}

impl Ccm {
    #[inline(always)]
    pub(super) const fn new(text_len: u64, tag_len: usize) -> Self {
        Self {
            text: Text { mac: Block([0; 16]), ctr: Block([0; 16]), bits: 0 },
            a0: Block([0; 16]),
            tag_len,
            attached: tag_len,
            received: Block([0; 16]),
            declared: text_len,
            come: 0,
            carry: Carry::new(),
        }
    }

    /// Begins a message: its nonce of 7..=13 bytes, and its AAD.
    pub(super) fn begin(&mut self, key: &Key, fpu: &mut Fpu, nonce: &[u8], aad: &[u8]) {
        let bits = 8 * (15 - nonce.len() as u32);
        let nonce = nonce.iter().fold(0, |nonce, &byte| nonce << 8 | u128::from(byte));
        // Appendix A.2.1 and A.3: flags, nonce, and a number of `bits` bits.
        let block = |flags: u32, number: u64| {
            let flags = u128::from(flags | (bits / 8 - 1));
            Block((flags << 120 | nonce << bits | u128::from(number)).to_be_bytes())
        };
        let with_aad = u32::from(!aad.is_empty()) << 6;
        let b0 = block(with_aad | (self.tag_len as u32 - 2) << 2, self.declared);
        self.a0 = block(0, 0);
        self.text.ctr = block(0, 1);
        self.text.bits = bits;
        self.absorb(key, fpu, &b0.0);
        if !aad.is_empty() {
            self.absorb_aad(key, fpu, aad);
        }
    }

    /// The AAD behind its length (appendix A.2.2), with zeros behind it.
    fn absorb_aad(&mut self, key: &Key, fpu: &mut Fpu, aad: &[u8]) {
        let (coded, bytes) = coded_aad_len(aad.len() as u64);
        let mut first = (coded << (8 * (16 - bytes))).to_be_bytes();
        let (head, rest) = aad.split_at_checked(16 - bytes).unwrap_or((aad, &[]));
        for (to, from) in first.iter_mut().skip(bytes).zip(head) {
            *to = *from;
        }
        self.absorb(key, fpu, &first);
        self.absorb(key, fpu, rest);
    }

    /// Bytes that only the MAC sees; a partial block ends with zeros.
    #[inline(never)]
    fn absorb(&mut self, key: &Key, fpu: &mut Fpu, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (hold, granted) = fpu.hold(Pace::Serial, bytes.len());
            let (now, later) = bytes.split_at_checked(granted).unwrap_or((bytes, &[]));
            hold.cbc_mac(&key.schedule, &mut self.text.mac, now);
            bytes = later;
        }
    }

    /// The MAC is no part of the ciphertext. So a decryption in parts holds nothing back, and treats
    /// its parts as an encryption does.
    pub(super) fn detach_tag(&mut self) {
        self.attached = 0;
    }

    /// The received MAC, passed apart.
    pub(super) fn expect_tag(&mut self, tag: &[u8]) {
        for (to, from) in self.received.0.iter_mut().zip(tag) {
            *to = *from;
        }
    }

    /// The computed MAC, in full.
    pub(super) fn computed_tag(&self) -> &[u8; 16] {
        &self.text.mac.0
    }

    /// Bytes of the MAC.
    pub(super) fn tag_len(&self) -> usize {
        self.tag_len
    }

    /// Whether no text has come yet.
    pub(super) fn fresh(&self) -> bool {
        self.come == 0
    }

    /// The bytes that have come with `more`, unless they are more than were declared.
    fn grown(&self, more: usize, declared: u64, error: Error) -> Result<u64> {
        let come = self.come.checked_add(more as u64);
        come.filter(|&n| n <= declared).ok_or(error)
    }

    /// The bytes of a text that is decrypted, and of its MAC where that is attached.
    fn total(&self) -> u64 {
        self.declared.saturating_add(self.attached as u64)
    }

    /// Turns CBC-MAC into the MAC (section 6.1 steps 5 to 8), in full.
    #[inline(never)]
    fn tag(&mut self, key: &Key, fpu: &mut Fpu) -> &Block {
        let (hold, _) = fpu.hold(Pace::Serial, 16);
        hold.add_encrypted(&key.schedule, self.a0, &mut self.text.mac);
        &self.text.mac
    }

    /// Input and output of a whole message, and the bytes that will be written, of an encryption's MAC too.
    pub(super) fn open<'a, 'p>(
        &self,
        direction: Direction,
        io: &Io<'a>,
        room: &'p mut MaybeUninit<Pair<'a>>,
    ) -> Result<(usize, &'p mut Pair<'a>)> {
        let all = io.src.len();
        let produced = match direction {
            Direction::Encrypt if all as u64 == self.declared => all.saturating_add(self.attached),
            Direction::Decrypt if all as u64 == self.total() => all.saturating_sub(self.attached),
            _ => return Err(direction.wrong_length()),
        };
        Ok((produced, io.pair(produced, room)?))
    }

    /// Encrypts a whole message, which is [`open`](Self::open).
    pub(super) fn encrypt(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
    ) -> core::result::Result<(), Short> {
        self.come = self.declared;
        self.text.drive(Direction::Encrypt, key, fpu, pair, self.declared as usize)?;
        let attached = self.attached;
        let tag = self.tag(key, fpu);
        yield_to(pair, fpu);
        pair.scatter(tag.0.get(..attached).unwrap_or_default())
    }

    /// Decrypts a whole message, ciphertext and (if attached) MAC, which is [`open`](Self::open). If the
    /// MAC is wrong, output that is not also input becomes zero, and what is becomes ciphertext
    /// again. The MAC is read last: `io.pair` has seen that no output lies over it.
    pub(super) fn decrypt(&mut self, key: &Key, fpu: &mut Fpu, pair: &mut Pair<'_>) -> Result<()> {
        let len = self.declared as usize;
        self.come = self.total();
        let message = pair.clone();
        let first = self.text.ctr;
        let done = self.text.drive(Direction::Decrypt, key, fpu, pair, len);
        let same = done.map_err(Error::from).and_then(|()| {
            let (mut received, attached, tag_len) = (self.received.0, self.attached, self.tag_len);
            let tag = self.tag(key, fpu);
            yield_to(pair, fpu);
            pair.gather(received.get_mut(..attached).unwrap_or_default())?;
            same_tag(&tag.0, &received, tag_len)
        });
        same.inspect_err(|_| {
            self.text.ctr = first;
            let step = &mut self.text.step(Direction::Encrypt, key);
            take_back(message, len, step, Pace::Serial, fpu);
        })
    }

    /// Transforms every block that is complete when the last `keep` bytes stay.
    fn pump(
        &mut self,
        direction: Direction,
        keep: usize,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
    ) -> core::result::Result<(), Short> {
        self.carry.pump(keep, fpu, Pace::Serial, pair, &mut self.text.step(direction, key))
    }

    /// What waits for a part of `len` bytes of a text without MAC, if that many were declared.
    pub(super) fn for_part(&self, direction: Direction, len: usize) -> Result<&Carry> {
        self.grown(len, self.declared, direction.wrong_length()).map(|_| &self.carry)
    }

    /// Transforms a part of `len` bytes, which are [`for_part`](Self::for_part): every block that is complete.
    pub(super) fn part(
        &mut self,
        direction: Direction,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<(), Short> {
        self.come += len as u64;
        self.pump(direction, 0, key, fpu, pair)
    }

    /// Whether a decryption in parts waits for its end.
    pub(super) fn waits(&self) -> bool {
        self.attached > 0
    }

    /// Ends an encryption: the rest of the text, and the MAC.
    pub(super) fn encrypt_final(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        dst: &Data<'_>,
    ) -> Result<usize> {
        let produced = self.carry.len() + self.attached;
        if dst.len() < produced || self.come != self.declared {
            return Err(Error::DATA_LEN_RANGE);
        }
        let mut out = dst.output(produced)?;
        let mut tail = Pair::in_place(self.carry.bytes());
        let len = tail.src().left();
        self.text.drive(Direction::Encrypt, key, fpu, &mut tail, len)?;
        self.tag(key, fpu);
        fpu.end();
        out.scatter(self.carry.bytes())?;
        out.scatter(self.text.mac.0.get(..self.attached).unwrap_or_default())?;
        Ok(produced)
    }

    /// Decrypts a part into the buffer, which has room for the text: it was declared.
    pub(super) fn decrypt_update(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        io: &Io<'_>,
        buffer: &mut Buffer,
    ) -> Result<usize> {
        let come = self.grown(io.src.len(), self.total(), Error::ENCRYPTED_DATA_LEN_RANGE)?;
        let src = io.src.input()?;
        let ready = self.carry.ready(src.left(), self.tag_len).ok_or(Short)?;
        let room = buffer.extend(ready).ok_or(Error::HOST_MEMORY)?;
        let mut pair = Pair::apart(src, Segments::from_mut(room));
        self.pump(Direction::Decrypt, self.tag_len, key, fpu, &mut pair)?;
        self.come = come;
        Ok(0)
    }

    /// Ends a decryption: nothing is written unless the MAC is right.
    pub(super) fn decrypt_final(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        dst: &Data<'_>,
        buffer: &mut Buffer,
    ) -> Result<usize> {
        let tail = self.carry.len().checked_sub(self.attached);
        let tail = tail.filter(|_| self.come == self.total());
        let tail = tail.ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?;
        let len = buffer.bytes().len() + tail;
        let mut out = dst.output(len)?;
        let mut received = self.received.0;
        // `tail` is within; if it were not, a text without bytes would have the wrong MAC.
        let (text, tag_at) = self.carry.bytes().split_at_mut_checked(tail).unwrap_or_default();
        for (to, from) in received.iter_mut().zip(tag_at) {
            *to = *from;
        }
        let mut pair = Pair::in_place(text);
        self.text.drive(Direction::Decrypt, key, fpu, &mut pair, tail)?;
        let tag_len = self.tag_len;
        same_tag(&self.tag(key, fpu).0, &received, tag_len)?;
        fpu.end();
        out.scatter(buffer.bytes())?;
        out.scatter(self.carry.bytes().get(..tail).unwrap_or_default())?;
        Ok(len)
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
