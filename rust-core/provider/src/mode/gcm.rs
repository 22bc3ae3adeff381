// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM, SP 800-38D section 7.
//!
//! Whole messages are encrypted and decrypted in one pass; a forged one leaves no plaintext. A
//! decryption in parts either streams, in constant memory and holding back what may be the tag, or
//! buffers and releases nothing before the tag is right; its first part decides which.

use core::ffi::c_int;
use core::mem::{MaybeUninit, take};
use core::sync::atomic::{AtomicBool, Ordering};

use kcfaes_kernels::{Block, CounterBlock, Tag};

use super::tag::{same_tag, take_back};
use crate::data::{Data, Io, Overlap, Pair, Segments, Short};
use crate::engine::drive::{Carry, drive, yield_to};
use crate::engine::{Buffer, Fpu, Material, Pace, Step, inc32};
use crate::kcf::{Error, Result};
use crate::key::Key;
use crate::request::Direction;
use crate::wipe::wipe;

/// Longest text in bytes: 2^32 - 2 blocks (SP 800-38D section 5.2.1.1).
pub(super) const MAX_TEXT: u64 = ((1 << 32) - 2) * 16;

/// Longest AAD in bytes: 2^64 - 1 bits (SP 800-38D section 5.2.1.1).
pub(super) const MAX_AAD: u64 = (1 << 61) - 1;

static STREAM: AtomicBool = AtomicBool::new(true);

/// Whether decryption in parts may stream (the default) or always buffers; later contexts only.
pub fn set_gcm_stream(stream: bool) {
    STREAM.store(stream, Ordering::Relaxed);
}

/// A counter block yet to be set.
const ZERO: CounterBlock = CounterBlock { block: Block([0; 16]), secret: false };

/// J0 and the hash of SP 800-38D section 7.1, steps 2 to 6.
pub(super) struct Ghash {
    j0: CounterBlock,
    pub(super) y: Block,
    pub(super) aad_len: u64,
}

impl Ghash {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { j0: ZERO, y: Block([0; 16]), aad_len: 0 }
    }

    /// Step 2: J0 of an IV.
    #[inline]
    pub(super) fn begin(&mut self, key: &Key, fpu: &mut Fpu, iv: &[u8]) {
        if let Ok(iv) = <&[u8; 12]>::try_from(iv) {
            let [a, b, c, d, e, f, g, h, low @ ..] = *iv;
            let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            let low = u64::from(u32::from_be_bytes(low)) << 32 | 1;
            self.j0.block = Block((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
        } else {
            self.hash_iv(key, fpu, iv);
        }
    }

    #[inline(never)]
    fn hash_iv(&mut self, key: &Key, fpu: &mut Fpu, iv: &[u8]) {
        self.absorb(key, fpu, iv);
        let bits = (iv.len() as u128) << 3;
        self.absorb(key, fpu, &bits.to_be_bytes());
        self.j0 = CounterBlock { block: self.y, secret: true };
        self.y = Block([0; 16]);
    }

    /// Step 5 for data that is only hashed; a partial block ends with zeros.
    pub(super) fn absorb(&mut self, key: &Key, fpu: &mut Fpu, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (hold, granted) = fpu.hold(Pace::Parallel, bytes.len());
            let (now, later) = bytes.split_at_checked(granted).unwrap_or((bytes, &[]));
            hold.ghash(&key.powers, &mut self.y, now);
            bytes = later;
        }
    }

    /// Step 5 for AAD, but for the last multiplication; there is at least one byte.
    #[inline(never)]
    fn absorb_all_but_last(&mut self, key: &Key, fpu: &mut Fpu, aad: &[u8]) {
        let whole = aad.len().saturating_sub(1) & !15;
        let (blocks, last) = aad.split_at_checked(whole).unwrap_or((aad, &[]));
        self.absorb(key, fpu, blocks);
        for (y, byte) in self.y.0.iter_mut().zip(last) {
            *y ^= byte;
        }
    }

    /// inc32(J0), where the text's keystream begins.
    fn first_counter(&self) -> CounterBlock {
        inc32(&self.j0)
    }

    /// Steps 5 and 6: the hash, yet to be multiplied if `multiply`, becomes the tag, in full.
    pub(super) fn tag(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        text_len: u64,
        multiply: bool,
    ) -> &Block {
        let Self { j0, y, aad_len } = self;
        let end = Some(&Tag { j0: &j0.block, aad_len: *aad_len, text_len });
        fpu.held().gcm(Direction::Encrypt, key, &mut { ZERO }, y, &[], 0, multiply, end);
        y
    }
}

/// How a decryption in parts releases plaintext.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    /// No part has come yet.
    Undecided,
    /// Each block as soon as it cannot be the tag.
    Streaming,
    /// All of it at the end.
    Buffered,
}

/// GCTR of the text, and the hash.
pub(super) struct Text {
    hash: Ghash,
    /// The next counter block.
    ctr: CounterBlock,
    /// Otherwise `ctr` is yet to be set.
    begun: bool,
    /// The hash is that of the AAD, yet to be multiplied: so the first kernel wants it.
    multiply: bool,
}

impl Text {
    /// Steps 3 and 5 for runs of text; and step 6 behind the last, if they are the `end` of a text of so
    /// many bytes.
    #[inline(always)]
    fn step<'a>(&'a mut self, direction: Direction, key: &'a Key, end: Option<u64>) -> Step<'a> {
        let Self { hash: Ghash { j0, y, aad_len }, ctr, multiply, .. } = self;
        let tag = end.map(|text_len| Tag { j0: &j0.block, aad_len: *aad_len, text_len });
        Step::Gcm { direction, key, ctr, y, multiply, tag }
    }

    #[inline(always)]
    const fn new() -> Self {
        Self { hash: Ghash::new(), ctr: ZERO, begun: false, multiply: true }
    }

    /// Begins a message: its IV and AAD.
    #[inline(always)]
    fn begin(&mut self, key: &Key, fpu: &mut Fpu, iv: &[u8], aad: &[u8]) {
        self.hash.begin(key, fpu, iv);
        self.hash.aad_len = aad.len() as u64;
        if !aad.is_empty() {
            self.hash.absorb_all_but_last(key, fpu, aad);
        }
    }

    /// Where the text begins in parts: the first counter.
    #[inline(always)]
    fn settle(&mut self) {
        if !self.begun {
            self.begun = true;
            self.ctr = self.hash.first_counter();
        }
    }

    /// Steps 3 to 6 for a whole text of `len` bytes: in one call of a kernel where it is in one
    /// piece and fits into one hold. Returns the tag, or an error of [`drive`].
    #[inline(always)]
    fn whole(
        &mut self,
        direction: Direction,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<&Block, Short> {
        if !self.begun && pair.contiguous() >= len && len <= fpu.most(Pace::Parallel) {
            let Ghash { j0, y, aad_len } = &mut self.hash;
            fpu.hold_all(len).gcm_whole(direction, key, j0, y, *aad_len, pair.run(len));
            Ok(y)
        } else {
            self.end(direction, key, fpu, pair, len, len as u64)
        }
    }

    /// Steps 3 to 6 for the last `len` bytes, however they are cut, of a text of `text_len`. Returns the
    /// tag, or an error of [`drive`].
    #[inline(never)]
    fn end(
        &mut self,
        direction: Direction,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        len: usize,
        text_len: u64,
    ) -> core::result::Result<&Block, Short> {
        self.settle();
        let mut step = self.step(direction, key, Some(text_len));
        drive(fpu, Pace::Parallel, pair, len, &mut step)?;
        // No kernel had a last run: the text has ended before.
        if let Step::Gcm { tag: Some(_), .. } = step {
            self.hash.tag(key, fpu, text_len, take(&mut self.multiply));
        }
        Ok(&self.hash.y)
    }

    /// Encrypts a whole text of `len` bytes that has begun, with `attached` bytes of its tag behind it.
    #[inline(never)]
    fn encrypt(
        &mut self,
        attached: usize,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<(), Short> {
        let tag = self.whole(Direction::Encrypt, key, fpu, pair, len)?;
        yield_to(pair, fpu);
        pair.scatter(tag.0.get(..attached).unwrap_or_default())
    }

    /// Decrypts a whole text of `len` bytes that has begun, and `attached` bytes of tag, beyond which
    /// `received` has the tag. If the tag is wrong, output that is not also input becomes zero, and what
    /// is becomes ciphertext again. The tag is read last: `io.pair` has seen that no output lies over it.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "all that a message is")]
    fn decrypt(
        &mut self,
        tag_len: usize,
        attached: usize,
        received: &mut [u8; 16],
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> Result<()> {
        let message = pair.clone();
        let tag = self.whole(Direction::Decrypt, key, fpu, pair, len);
        yield_to(pair, fpu);
        let same = tag.map_err(Error::from).and_then(|tag| {
            pair.gather(received.get_mut(..attached).unwrap_or_default())?;
            same_tag(&tag.0, received, tag_len)
        });
        same.inspect_err(|_| {
            self.ctr = self.hash.first_counter();
            let step = &mut self.step(Direction::Encrypt, key, None);
            take_back(message, len, step, Pace::Parallel, fpu);
        })
    }
}

/// Input and output of a whole message, of whose tag `attached` bytes are with its text; and the bytes that
/// will be written.
#[inline(always)]
fn open<'a, 'p>(
    direction: Direction,
    attached: usize,
    io: &Io<'a>,
    room: &'p mut MaybeUninit<Pair<'a>>,
) -> Result<(usize, &'p mut Pair<'a>)> {
    let produced = match direction {
        Direction::Encrypt => text_len(io.src.len())? + attached,
        Direction::Decrypt => {
            let len = io.src.len().checked_sub(attached);
            text_len(len.ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?)?
        }
    };
    Ok((produced, io.pair(produced, room)?))
}

/// A length of text, if a message may have it.
///
/// # Errors
/// `DATA_LEN_RANGE`
fn text_len(len: usize) -> Result<usize> {
    if len as u64 <= MAX_TEXT { Ok(len) } else { Err(Error::DATA_LEN_RANGE) }
}

/// A whole message from its beginning. Its tag may be passed `apart`: an encryption writes it there in
/// full, a decryption finds it there. Returns the bytes produced.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "all that a message is")]
pub(super) fn at_once(
    direction: Direction,
    iv: &[u8],
    aad: &[u8],
    tag_len: usize,
    apart: Option<&mut [u8; 16]>,
    key: Material<'_>,
    fpu: &mut Fpu,
    io: &Io<'_>,
) -> Result<usize> {
    let attached = if apart.is_some() { 0 } else { tag_len };
    let mut room = MaybeUninit::uninit();
    let (produced, pair) = open(direction, attached, io, &mut room)?;
    let key = key.set(fpu);
    let mut text = Text::new();
    text.begin(key, fpu, iv, aad);
    let result = match direction {
        Direction::Encrypt => {
            let result = text.encrypt(attached, key, fpu, pair, produced - attached);
            if let (Some(tag), Ok(())) = (apart, &result) {
                *tag = text.hash.y.0;
            }
            result.map_err(Error::from)
        }
        Direction::Decrypt => {
            let mut within = [0; 16];
            let received = apart.unwrap_or(&mut within);
            text.decrypt(tag_len, attached, received, key, fpu, pair, produced)
        }
    };
    wipe(&mut text);
    result.map(|()| produced)
}

/// State between the parts of a message.
pub(super) struct Gcm {
    text: Text,
    /// At most 16, by [`Parameter`](crate::request::Parameter): no tag is shorter than what is cut from it.
    tag_len: usize,
    /// Bytes of the tag that follow the ciphertext: `tag_len`, or 0 where it is passed apart.
    attached: usize,
    /// The tag that a decryption has received, passed apart.
    received: Block,
    text_len: u64,
    carry: Carry,
    release: Release,
}

impl Gcm {
    #[inline(always)]
    pub(super) const fn new(tag_len: usize) -> Self {
        Self {
            text: Text::new(),
            tag_len,
            attached: tag_len,
            received: Block([0; 16]),
            text_len: 0,
            carry: Carry::new(),
            release: Release::Undecided,
        }
    }

    /// Begins a message: its IV and AAD.
    pub(super) fn begin(&mut self, key: &Key, fpu: &mut Fpu, iv: &[u8], aad: &[u8]) {
        self.text.begin(key, fpu, iv, aad);
    }

    /// The tag is no part of the ciphertext. So a decryption in parts need hold nothing back, and
    /// treats its parts as an encryption does.
    pub(super) fn detach_tag(&mut self) {
        self.attached = 0;
        self.release = Release::Streaming;
    }

    /// The received tag, passed apart.
    pub(super) fn expect_tag(&mut self, tag: &[u8]) {
        self.tag_len = tag.len().min(16);
        for (to, from) in self.received.0.iter_mut().zip(tag) {
            *to = *from;
        }
    }

    /// The computed tag, in full.
    pub(super) fn computed_tag(&self) -> &[u8; 16] {
        &self.text.hash.y.0
    }

    /// Whether no text has come yet.
    pub(super) fn fresh(&self) -> bool {
        self.text_len == 0
    }

    /// The text's length when `more` bytes have come.
    fn grown(&self, more: usize, overhead: usize) -> Result<u64> {
        let len = self.text_len.checked_add(more as u64);
        len.filter(|&n| n <= MAX_TEXT + overhead as u64).ok_or(Error::DATA_LEN_RANGE)
    }

    /// Input and output of a whole message; see [`open`].
    pub(super) fn open<'a, 'p>(
        &self,
        direction: Direction,
        io: &Io<'a>,
        room: &'p mut MaybeUninit<Pair<'a>>,
    ) -> Result<(usize, &'p mut Pair<'a>)> {
        open(direction, self.attached, io, room)
    }

    /// Transforms a whole message of `all` bytes, which is [`open`](Self::open).
    pub(super) fn whole(
        &mut self,
        direction: Direction,
        key: &Key,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        all: usize,
    ) -> Result<()> {
        let Self { text, tag_len, attached, received, .. } = self;
        self.text_len = all as u64;
        match direction {
            Direction::Encrypt => Ok(text.encrypt(*attached, key, fpu, pair, all)?),
            Direction::Decrypt => {
                let (mut received, len) = (received.0, all.saturating_sub(*attached));
                text.decrypt(*tag_len, *attached, &mut received, key, fpu, pair, len)
            }
        }
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
        self.text.settle();
        self.carry.pump(keep, fpu, Pace::Parallel, pair, &mut self.text.step(direction, key, None))
    }

    /// What waits for a part of `len` bytes of a text without tag, if the text may have them.
    pub(super) fn for_part(&self, len: usize) -> Result<&Carry> {
        self.grown(len, 0).map(|_| &self.carry)
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
        self.text_len += len as u64;
        self.pump(direction, 0, key, fpu, pair)
    }

    /// Whether a decryption in parts holds back what may be its tag.
    pub(super) fn waits(&self) -> bool {
        self.attached > 0
    }

    /// Ends an encryption: the rest of the text, and the tag.
    pub(super) fn encrypt_final(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        dst: &Data<'_>,
    ) -> Result<usize> {
        let produced = self.carry.len() + self.attached;
        if dst.len() < produced {
            return Err(Error::DATA_LEN_RANGE);
        }
        let mut out = dst.output(produced)?;
        let mut tail = Pair::in_place(self.carry.bytes());
        let len = tail.src().left();
        let tag = self.text.end(Direction::Encrypt, key, fpu, &mut tail, len, self.text_len)?;
        fpu.end();
        out.scatter(self.carry.bytes())?;
        out.scatter(tag.0.get(..self.attached).unwrap_or_default())?;
        Ok(produced)
    }

    /// Decrypts a part, or stores it. Here `text_len` counts the tag too, until the end.
    pub(super) fn decrypt_update(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        io: &Io<'_>,
        buffer: &mut Buffer,
        kmflag: c_int,
    ) -> Result<usize> {
        let text_len = self.grown(io.src.len(), self.tag_len)?;
        let mut src = io.src.input()?;
        if io.src.is_empty() {
            return Ok(0);
        }
        let release = match self.release {
            Release::Undecided => self.decide(io, &src)?,
            decided => decided,
        };
        let produced = match release {
            Release::Streaming => self.stream(key, fpu, io)?,
            _ => {
                buffer.append(&mut src, kmflag)?;
                0
            }
        };
        self.release = release;
        self.text_len = text_len;
        Ok(produced)
    }

    /// Whether the first part can stream: its output is elsewhere, and has room for all that could
    /// be plaintext. Where there is room for the tag too, that must be elsewhere as well: a first
    /// part no longer than the tag says by it alone that the message is decrypted in place.
    ///
    /// # Errors
    /// As [`Segments::overlap`].
    fn decide(&self, io: &Io<'_>, src: &Segments<'_>) -> Result<Release> {
        let all = io.src.len();
        let plain = all.saturating_sub(self.tag_len);
        if STREAM.load(Ordering::Relaxed)
            && let Some(dst) = &io.dst
        {
            let room = dst.output(all.min(dst.len()).max(plain)).or_else(|_| dst.output(plain));
            // Without room for it the message is kept, whatever is wrong with the output.
            if let Ok(room) = room
                && src.overlap(&room, io.req)? == Overlap::None
            {
                return Ok(Release::Streaming);
            }
        }
        Ok(Release::Buffered)
    }

    /// Decrypts every block that cannot be part of the tag.
    fn stream(&mut self, key: &Key, fpu: &mut Fpu, io: &Io<'_>) -> Result<usize> {
        let produced = self.carry.ready(io.src.len(), self.tag_len).ok_or(Error::DATA_LEN_RANGE)?;
        let mut room = MaybeUninit::uninit();
        let pair = io.pair_apart(produced, &mut room, Error::ARGUMENTS_BAD)?;
        self.pump(Direction::Decrypt, self.tag_len, key, fpu, pair)?;
        Ok(produced)
    }

    /// Ends a decryption: nothing is written unless the tag is right.
    pub(super) fn decrypt_final(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        dst: &Data<'_>,
        buffer: &mut Buffer,
    ) -> Result<usize> {
        if self.release == Release::Undecided {
            self.release = Release::Buffered;
        }
        let waiting = match self.release {
            Release::Streaming => self.carry.bytes(),
            _ => buffer.bytes(),
        };
        let len =
            waiting.len().checked_sub(self.attached).ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?;
        let mut out = dst.output(len)?;
        // `len` is within; if it were not, a text without bytes would have the wrong tag.
        let (text, tag_at) = waiting.split_at_mut_checked(len).unwrap_or_default();
        let mut received = self.received.0;
        for (to, from) in received.iter_mut().zip(tag_at) {
            *to = *from;
        }
        let mut pair = Pair::in_place(text);
        let text_len = self.text_len.saturating_sub(self.attached as u64);
        let tag = self.text.end(Direction::Decrypt, key, fpu, &mut pair, len, text_len)?;
        fpu.end();
        same_tag(&tag.0, &received, self.tag_len)?;
        let waiting = match self.release {
            Release::Streaming => self.carry.bytes(),
            _ => buffer.bytes(),
        };
        out.scatter(waiting.get(..len).unwrap_or_default())?;
        Ok(len)
    }
}
