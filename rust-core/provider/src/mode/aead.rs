// SPDX-License-Identifier: MIT OR Apache-2.0
//! What GCM and CCM have in common: a text with a tag, in one call or in parts.
//!
//! In one call a message is transformed in one pass, and a forged message leaves no plaintext. In parts, an
//! encryption releases each block at once, and so does a text whose tag is passed apart. A decryption that
//! finds its tag at the end of the text holds back the bytes that may be the tag. It releases its plaintext
//! in one of three ways ([`Release`]).

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

use kcfaes_kernels::Block;

use super::tag::{padded, same_tag, take_back};
use crate::data::{Data, Io, Overlap, Pair, Run, Segments, Short};
use crate::engine::drive::{Carry, yield_to};
use crate::engine::{Buffer, Call, Fpu, Hold, Material, Once, Step, Table, TableId};
use crate::kcf::{Error, Result};
use crate::key::Key;
use crate::request::Direction;
use crate::wipe::{Wipe, wipe};

/// What is passed apart from the text of a whole message.
pub enum Apart<'a> {
    /// Nothing: a tag is in the text.
    Nothing,
    /// An encryption writes its tag there, in full.
    ComputedTag(&'a mut [u8; 16]),
    /// A decryption must find this tag; its length is the parameter's.
    ReceivedTag(&'a [u8]),
    /// The IV or counter block of the parameter in CBC or CTR, which becomes that of a next message.
    NextIv(&'a mut [u8; 16]),
}

/// The text of a message that has begun: the differences between GCM and CCM.
pub(super) trait Text {
    /// Begins a message with a tag of `tag_len` bytes: takes its IV and its AAD.
    fn begin(&mut self, call: &mut Call<'_>, iv: &[u8], aad: &[u8], tag_len: usize);

    /// The step for runs of the text that are not its end.
    fn step<'a>(&'a mut self, direction: Direction, key: &'a Key) -> Step<'a>;

    /// The last `len` bytes, cut anywhere, of a text of `text_len`. Returns the tag in full.
    ///
    /// # Errors
    /// As [`drive`](crate::engine::drive::drive).
    fn end(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
        text_len: u64,
    ) -> core::result::Result<&Block, Short>;

    /// A whole text of `len` bytes. Returns the tag in full.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    #[inline(always)]
    fn transform_whole(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<&Block, Short> {
        self.end(call, pair, len, len as u64)
    }

    /// Goes back to the first counter block.
    fn rewind(&mut self);

    /// The tag, when the text has ended.
    fn tag(&self) -> &Block;

    /// The most bytes that the text may have; the exact number, if `EXACT`.
    fn most(&self) -> u64;

    const EXACT: bool;

    /// The error for a text of another length.
    fn wrong_length(direction: Direction) -> Error;
}

/// A whole text that is one run, for which one hold is enough: the direct path.
pub(super) trait Whole {
    /// Begins the message: takes its IV and its AAD. Its tag has `tag_len` bytes.
    fn begin(&mut self, hold: Hold<'_>, key: &Key, iv: &[u8], aad: &[u8], tag_len: usize);

    /// The text of a message that has begun, and its tag.
    fn transform_run(&mut self, hold: Hold<'_>, direction: Direction, key: &Key, run: Run<'_>);

    /// The tag in full.
    fn tag(&self) -> &[u8; 16];

    /// Removes the plaintext of a forged message.
    fn take_back_run(&mut self, call: &mut Call<'_>, run: Run<'_>);
}

/// A tag of a text in one run: where it is, and how long.
pub(super) struct TagOf<'a, 't> {
    /// Where it is passed, if it is passed apart.
    pub(super) apart: &'a mut Apart<'t>,
    /// Its place, as a run, if it is passed with the text.
    pub(super) place: Run<'a>,
    /// Its bytes.
    pub(super) len: usize,
}

/// Transforms a message on the direct path. `first` are its IV and its AAD, if it has not begun yet. In the
/// kernel object it is one function for GCM and one for CCM, in libkcfaes a part of each caller.
///
/// # Errors
/// `INVALID_MAC`
#[cfg_attr(target_os = "none", inline(never))]
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(super) fn transform_run<W: Whole>(
    whole: &mut W,
    way: Way,
    direction: Direction,
    key: &mut Material<'_>,
    first: Option<(&[u8], &[u8])>,
    run: Run<'_>,
    tag: TagOf<'_, '_>,
) -> Result<()> {
    // A received tag is read first: it may lie where the text is written.
    let received = match (&*tag.apart, direction) {
        (Apart::ReceivedTag(tag), _) => padded(tag),
        (Apart::Nothing, Direction::Decrypt) => padded(tag.place.source()),
        _ => [0; 16],
    };
    let mut room = MaybeUninit::uninit();
    let once = Once::new(way.table, way.cost, &mut room);
    let key = key.set_in(once.hold());
    if let Some((iv, aad)) = first {
        whole.begin(once.hold(), key, iv, aad, tag.len);
    }
    whole.transform_run(once.hold(), direction, key, run);
    once.end();
    if direction == Direction::Decrypt {
        return same_tag(whole.tag(), &received, tag.len)
            .inspect_err(|_| take_back_run(whole, way.table, direction, key, run));
    }
    match tag.apart {
        Apart::ComputedTag(to) => **to = *whole.tag(),
        _ => tag.place.fill(whole.tag()),
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn take_back_run<W: Whole>(
    whole: &mut W,
    table: Table,
    direction: Direction,
    key: &Key,
    run: Run<'_>,
) {
    whole.take_back_run(&mut Call { direction, key, fpu: &mut Fpu::on(table) }, run);
}

/// The table of a message on the direct path, and what it costs its hold.
#[derive(Clone, Copy)]
pub struct Way {
    pub(super) table: Table,
    pub(super) cost: usize,
}

impl Way {
    /// The table.
    pub fn table(self) -> TableId {
        self.table.id()
    }
}

/// Whether a text that is whole, or has ended, may have `len` bytes.
///
/// # Errors
/// [`Text::wrong_length`]
#[inline(always)]
fn check_len<T: Text>(text: &T, direction: Direction, len: u64) -> Result<()> {
    if len == text.most() || !T::EXACT && len < text.most() {
        Ok(())
    } else {
        Err(T::wrong_length(direction))
    }
}

/// Input and output of a whole message whose text has `attached` bytes of its tag with it, and the number of
/// bytes that will be written.
#[inline(always)]
pub(super) fn open_whole<'a, 'p, T: Text>(
    text: &T,
    direction: Direction,
    attached: usize,
    io: &Io<'a>,
    room: &'p mut MaybeUninit<Pair<'a>>,
) -> Result<(usize, &'p mut Pair<'a>)> {
    let all = io.src.len();
    let produced = match direction {
        Direction::Encrypt => {
            check_len(text, direction, all as u64)?;
            all.saturating_add(attached)
        }
        Direction::Decrypt => {
            let len = all.checked_sub(attached).ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?;
            check_len(text, direction, len as u64)?;
            len
        }
    };
    Ok((produced, io.pair(produced, room)?))
}

/// A whole message from its beginning, whose `text` has not begun. Returns the bytes produced.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "all that a message is")]
pub(super) fn at_once<T: Text + Wipe>(
    text: &mut T,
    direction: Direction,
    iv: &[u8],
    aad: &[u8],
    tag_len: usize,
    apart: Apart<'_>,
    mut key: Material<'_>,
    fpu: &mut Fpu,
    io: &Io<'_>,
) -> Result<usize> {
    let attached = if matches!(apart, Apart::Nothing) { tag_len } else { 0 };
    let mut room = MaybeUninit::uninit();
    let (produced, pair) = open_whole(text, direction, attached, io, &mut room)?;
    let key = key.set(fpu);
    let call = &mut Call { direction, key, fpu };
    text.begin(call, iv, aad, tag_len);
    let result = match direction {
        Direction::Encrypt => {
            let result = encrypt_whole(text, attached, call, pair, produced - attached);
            if let (Apart::ComputedTag(tag), Ok(())) = (apart, &result) {
                *tag = text.tag().0;
            }
            result.map_err(Error::from)
        }
        Direction::Decrypt => {
            let known = if let Apart::ReceivedTag(tag) = apart { tag } else { &[] };
            let mut received = Received { bytes: padded(known), len: tag_len, attached };
            decrypt_whole(text, &mut received, call, pair, produced)
        }
    };
    wipe(text);
    result.map(|()| produced)
}

/// Encrypts a whole text of `len` bytes that has begun, and writes `attached` bytes of its tag after it.
#[inline(never)]
pub(super) fn encrypt_whole<T: Text>(
    text: &mut T,
    attached: usize,
    call: &mut Call<'_>,
    pair: &mut Pair<'_>,
    len: usize,
) -> core::result::Result<(), Short> {
    let tag = text.transform_whole(call, pair, len)?;
    yield_to(pair, call.fpu);
    pair.scatter(tag.0.get(..attached).unwrap_or_default())
}

/// A received tag of `len` bytes. `attached` of them follow the text; the others are known.
pub(super) struct Received {
    pub(super) bytes: [u8; 16],
    pub(super) len: usize,
    pub(super) attached: usize,
}

/// Decrypts a whole text of `len` bytes that has begun, and compares its tag. If the tag is wrong, output
/// that is not also input becomes zero, and output that is also input becomes ciphertext again. The tag is
/// read last: `io.pair` has checked that no output lies over it.
#[inline(never)]
pub(super) fn decrypt_whole<T: Text>(
    text: &mut T,
    received: &mut Received,
    call: &mut Call<'_>,
    pair: &mut Pair<'_>,
    len: usize,
) -> Result<()> {
    let message = pair.clone();
    let tag = text.transform_whole(call, pair, len);
    yield_to(pair, call.fpu);
    let same = tag.map_err(Error::from).and_then(|tag| {
        let Received { bytes, len, attached } = received;
        pair.gather(bytes.get_mut(..*attached).unwrap_or_default())?;
        same_tag(&tag.0, bytes, *len)
    });
    same.inspect_err(|_| take_back_text(text, call, message, len))
}

/// Removes the plaintext of a forged message: [`take_back`] from the first counter block on.
#[cold]
#[inline(never)]
pub(super) fn take_back_text<T: Text>(
    text: &mut T,
    call: &mut Call<'_>,
    message: Pair<'_>,
    len: usize,
) {
    text.rewind();
    take_back(message, len, &mut text.step(Direction::Encrypt, call.key), call.fpu);
}

static STREAM: AtomicBool = AtomicBool::new(true);

/// Whether GCM decryptions in parts may stream (the default) or always buffer. Applies to later contexts
/// only.
pub fn set_gcm_stream(stream: bool) {
    STREAM.store(stream, Ordering::Relaxed);
}

/// How a decryption in parts releases plaintext.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// No part has come yet. It will be `Streaming` or `Buffered`.
    Undecided,
    /// Each block as soon as it cannot be part of the tag.
    Streaming,
    /// All of it at the end. The ciphertext is kept in a buffer that grows.
    Buffered,
    /// All of it at the end. The plaintext is kept in a reserved buffer.
    Deciphered,
}

/// State between the parts of a message.
pub(super) struct Aead<T> {
    pub(super) text: T,
    /// At most 16, by [`Parameter`](crate::request::Parameter): no tag is shorter than the part that is used.
    tag_len: usize,
    /// Bytes of the tag that follow the ciphertext: `tag_len`, or 0 if the tag is passed apart.
    attached: usize,
    /// The tag that a decryption has received, if it is passed apart.
    received: Block,
    /// Bytes that have come; in a decryption they include the attached tag.
    pub(super) come: u64,
    carry: Carry,
    release: Release,
}

impl<T: Text> Aead<T> {
    #[inline(always)]
    pub(super) const fn new(text: T, tag_len: usize, release: Release) -> Self {
        Self {
            text,
            tag_len,
            attached: tag_len,
            received: Block([0; 16]),
            come: 0,
            carry: Carry::new(),
            release,
        }
    }

    /// The text, to be begun, and the bytes of its tag.
    pub(super) fn text(&mut self) -> (&mut T, usize) {
        (&mut self.text, self.tag_len)
    }

    /// The tag is not part of the ciphertext. So a decryption in parts holds nothing back, and treats its
    /// parts as an encryption does.
    pub(super) fn detach_tag(&mut self) {
        self.attached = 0;
        self.release = Release::Streaming;
    }

    /// The received tag, passed apart.
    pub(super) fn expect_tag(&mut self, tag: &[u8]) {
        self.tag_len = tag.len().min(16);
        self.received = Block(padded(tag));
    }

    /// The computed tag, in full.
    pub(super) fn computed_tag(&self) -> &[u8; 16] {
        &self.text.tag().0
    }

    /// Bytes of the tag.
    pub(super) fn tag_len(&self) -> usize {
        self.tag_len
    }

    /// The bytes of the tag that are in the text, if it has any there and no text has come yet: a message
    /// that may come whole.
    #[inline(always)]
    pub(super) fn attached_to_whole(&self) -> Option<usize> {
        (self.fresh() && self.attached > 0).then_some(self.attached)
    }

    /// `len`, if the text may have that length.
    #[inline(always)]
    pub(super) fn exactly(&self, len: usize) -> Option<usize> {
        (len as u64 == self.text.most()).then_some(len)
    }

    /// Whether no text has come yet.
    pub(super) fn fresh(&self) -> bool {
        self.come == 0
    }

    /// The total of bytes with `more`, unless they are too many with a tag of `attached` bytes.
    pub(super) fn grown(&self, direction: Direction, more: usize, attached: usize) -> Result<u64> {
        let most = self.text.most().saturating_add(attached as u64);
        let come = self.come.checked_add(more as u64).filter(|&come| come <= most);
        come.ok_or(T::wrong_length(direction))
    }

    /// Input and output of a whole message; see [`open_whole`].
    pub(super) fn open<'a, 'p>(
        &self,
        direction: Direction,
        io: &Io<'a>,
        room: &'p mut MaybeUninit<Pair<'a>>,
    ) -> Result<(usize, &'p mut Pair<'a>)> {
        open_whole(&self.text, direction, self.attached, io, room)
    }

    /// Transforms a whole message of `all` bytes, after [`open`](Self::open).
    pub(super) fn transform_whole(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        all: usize,
    ) -> Result<()> {
        let Self { text, tag_len, attached, received, .. } = self;
        self.come = all as u64;
        match call.direction {
            Direction::Encrypt => Ok(encrypt_whole(text, *attached, call, pair, all)?),
            Direction::Decrypt => {
                let mut received =
                    Received { bytes: received.0, len: *tag_len, attached: *attached };
                let len = all.saturating_sub(received.attached);
                decrypt_whole(text, &mut received, call, pair, len)
            }
        }
    }

    /// Transforms every complete block, except that the last `keep` bytes stay.
    fn pump(
        &mut self,
        keep: usize,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
    ) -> core::result::Result<(), Short> {
        self.carry.pump(keep, call.fpu, pair, &mut self.text.step(call.direction, call.key))
    }

    /// The waiting bytes before a part of `len` bytes of a text without tag, if the text may have that part.
    pub(super) fn for_part(&self, direction: Direction, len: usize) -> Result<&Carry> {
        self.grown(direction, len, 0).map(|_| &self.carry)
    }

    /// Transforms every complete block of a part of `len` bytes, after [`for_part`](Self::for_part).
    pub(super) fn transform_part(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<(), Short> {
        self.come += len as u64;
        self.pump(0, call, pair)
    }

    /// The step for a part of `len` bytes, full blocks, if the text may have it and has no partial block. The
    /// part counts as come.
    #[inline(always)]
    pub(super) fn part<'a>(
        &'a mut self,
        direction: Direction,
        key: &'a Key,
        len: usize,
    ) -> Option<Step<'a>> {
        let waits = self.come & 15 != 0 || direction == Direction::Decrypt && self.waits();
        self.come = self.grown(direction, len, 0).ok().filter(|_| !waits)?;
        Some(self.text.step(direction, key))
    }

    /// Whether a decryption in parts holds back the bytes that may be its tag.
    pub(super) fn waits(&self) -> bool {
        self.attached > 0
    }

    /// Ends an encryption: the rest of the text, and the tag.
    pub(super) fn encrypt_final(&mut self, call: &mut Call<'_>, dst: &Data<'_>) -> Result<usize> {
        let produced = self.carry.len() + self.attached;
        if dst.len() < produced {
            return Err(Error::DATA_LEN_RANGE);
        }
        check_len(&self.text, Direction::Encrypt, self.come)?;
        let mut out = dst.output(produced)?;
        let mut tail = Pair::in_place(self.carry.bytes());
        let len = tail.src().left();
        let tag = self.text.end(call, &mut tail, len, self.come)?;
        call.fpu.end();
        out.scatter(self.carry.bytes())?;
        out.scatter(tag.0.get(..self.attached).unwrap_or_default())?;
        Ok(produced)
    }

    /// Takes in a part of a decryption that [`waits`](Self::waits). Returns the number of bytes written.
    pub(super) fn decrypt_update(
        &mut self,
        call: &mut Call<'_>,
        io: &Io<'_>,
        buffer: &mut Buffer,
        kmflag: c_int,
    ) -> Result<usize> {
        let come = self.grown(Direction::Decrypt, io.src.len(), self.attached)?;
        let mut src = io.src.input()?;
        if io.src.is_empty() {
            return Ok(0);
        }
        let release = match self.release {
            Release::Undecided => self.decide(io, &src)?,
            decided => decided,
        };
        let produced = match release {
            Release::Streaming => self.stream(call, io)?,
            Release::Deciphered => self.decipher(call, src, buffer)?,
            Release::Buffered | Release::Undecided => {
                buffer.append(&mut src, kmflag)?;
                0
            }
        };
        self.release = release;
        self.come = come;
        Ok(produced)
    }

    /// Whether the first part can stream: its output is elsewhere, and has room for all bytes that could be
    /// plaintext. If it has room for the tag too, that room must also be elsewhere: for a first part no
    /// longer than the tag, that room is the only sign that the message is decrypted in place.
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
            // Without room the message is kept, whatever else is wrong with the output.
            if let Ok(room) = room
                && src.overlap(&room, io.req)? == Overlap::None
            {
                return Ok(Release::Streaming);
            }
        }
        Ok(Release::Buffered)
    }

    /// Decrypts every block that cannot be part of the tag.
    fn stream(&mut self, call: &mut Call<'_>, io: &Io<'_>) -> Result<usize> {
        let produced =
            self.carry.ready(io.src.len(), self.attached).ok_or(Error::DATA_LEN_RANGE)?;
        let mut room = MaybeUninit::uninit();
        let pair = io.pair_apart(produced, &mut room, Error::ARGUMENTS_BAD)?;
        self.pump(self.attached, call, pair)?;
        Ok(produced)
    }

    /// The same into the buffer, which has room for the declared length of the text.
    fn decipher(
        &mut self,
        call: &mut Call<'_>,
        src: Segments<'_>,
        buffer: &mut Buffer,
    ) -> Result<usize> {
        let ready = self.carry.ready(src.left(), self.attached).ok_or(Short)?;
        let room = buffer.extend(ready).ok_or(Error::HOST_MEMORY)?;
        let mut pair = Pair::apart(src, Segments::from_mut(room));
        self.pump(self.attached, call, &mut pair)?;
        Ok(0)
    }

    /// Ends a decryption. Nothing is written unless the tag is right.
    pub(super) fn decrypt_final(
        &mut self,
        call: &mut Call<'_>,
        dst: &Data<'_>,
        buffer: &mut Buffer,
    ) -> Result<usize> {
        if self.release == Release::Undecided {
            self.release = Release::Buffered;
        }
        let kept = if self.release == Release::Deciphered { buffer.bytes().len() } else { 0 };
        // The end of the text, and the tag.
        let waiting = match self.release {
            Release::Buffered => buffer.bytes(),
            _ => self.carry.bytes(),
        };
        let text_len = self.come.checked_sub(self.attached as u64);
        let text_len = text_len.ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?;
        check_len(&self.text, Direction::Decrypt, text_len)?;
        let tail =
            waiting.len().checked_sub(self.attached).ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?;
        // `tail` is in range. If it were not, a text without bytes would have the wrong tag.
        let (text, tag_at) = waiting.split_at_mut_checked(tail).unwrap_or_default();
        let mut received = self.received.0;
        for (to, from) in received.iter_mut().zip(tag_at) {
            *to = *from;
        }
        let mut tail = Pair::in_place(text);
        let len = tail.src().left();
        let mut out = dst.output(kept + len)?;
        let tag = self.text.end(call, &mut tail, len, text_len)?;
        call.fpu.end();
        same_tag(&tag.0, &received, self.tag_len)?;
        let waiting = match self.release {
            Release::Buffered => buffer.bytes(),
            Release::Deciphered => {
                out.scatter(buffer.bytes())?;
                self.carry.bytes()
            }
            Release::Streaming | Release::Undecided => self.carry.bytes(),
        };
        out.scatter(waiting.get(..len).unwrap_or_default())?;
        Ok(kept + len)
    }
}
