// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registered ops vector: any sequence of calls, any mechanism, parameter and key, sound and
//! damaged lists in every format, in place and not, in every table, in interrupts and without memory.
//! Each call is made a second time on [`Model`], which is the contract of COMPATIBILITY.md over bytes
//! in vectors. Then its answer and every byte of memory, lists and structs are compared.
#![no_main]

use core::ffi::{c_int, c_long, c_uint, c_void};
use std::sync::LazyLock;

use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel::{self, Ledger, Stats, fk_kmem_fail_nth, in_interrupt, tables};
use kcfaes_ffi_tests::spi::{self, Spi};
use kcfaes_fuzz::memory::{FILL, Memory, Overlap, Range, Shadow, lengths, overlap};
use kcfaes_fuzz::wire::{Call, Head, decode, mutate};
use kcfaes_provider::engine::{force, set_hold_bytes, set_light_bytes};
use kcfaes_provider::kcf::{
    CK_AES_CCM_PARAMS, CK_AES_GCM_PARAMS, CK_AES_GMAC_PARAMS, CRYPTO_ARGUMENTS_BAD as BAD,
    CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE as DATA_LEN, CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW,
    CRYPTO_DATA_UIO, CRYPTO_ENCRYPTED_DATA_LEN_RANGE as ENCRYPTED_LEN, CRYPTO_HOST_MEMORY,
    CRYPTO_INVALID_MAC, CRYPTO_KEY_REFERENCE, CRYPTO_KEY_SIZE_RANGE, CRYPTO_KEY_TYPE_INCONSISTENT,
    CRYPTO_MECHANISM_INVALID, CRYPTO_MECHANISM_PARAM_INVALID as PARAMETER,
    CRYPTO_OPERATION_NOT_INITIALIZED, CRYPTO_SUCCESS, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, crypto_key_t, crypto_mechanism_t, iovec_t, mblk_t, uio_t,
};
use kcfaes_provider::watch::forbid_direct;
use kcfaes_vectors::Mode;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use oracle::Message;

#[path = "../../ffi-tests/tests/oracle/mod.rs"]
mod oracle;

unsafe extern "C" {
    fn kmem_free(at: *mut c_void, size: usize);
}

const NONE: *mut c_void = core::ptr::null_mut();

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    mutate(data, size, most, seed)
});

fuzz_target!(|data: &[u8]| {
    if let Ok((head, calls)) = decode(data) {
        let ledger = Ledger::begin();
        Session::new(head).run(&calls);
        ledger.settle();
    }
});

// The contract.

/// How a call fails: with a code, or because it needs this much room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    With(c_int),
    Room(usize),
}

use Refused::{Room, With};

type Answer<T> = Result<T, Refused>;

/// A `crypto_data_t`, and the bytes that it names.
#[derive(Clone)]
struct Side {
    format: c_uint,
    offset: c_long,
    len: usize,
    /// Whether there is a list.
    exists: bool,
    kernel_space: bool,
    count_negative: bool,
    pieces: Vec<Range>,
}

impl Side {
    /// The bytes `offset .. offset + len`. The error is `short` if the list ends before.
    fn window(&self, len: usize, short: Refused) -> Answer<Vec<Range>> {
        let bad = With(BAD);
        let offset = usize::try_from(self.offset).map_err(|_| bad)?;
        let end = offset.checked_add(len).ok_or(bad)?;
        let sound = |(at, n): Range| n == 0 || at != 0 && at.checked_add(n).is_some();
        match self.format {
            CRYPTO_DATA_RAW => {
                let (at, n) = self.pieces[0];
                return match () {
                    _ if end > n => Err(short),
                    _ if len == 0 => Ok(vec![]),
                    _ if !sound((at, end)) => Err(bad),
                    _ => Ok(vec![(at + offset, len)]),
                };
            }
            CRYPTO_DATA_UIO if !self.exists || !self.kernel_space => return Err(bad),
            CRYPTO_DATA_UIO if len == 0 => return Ok(vec![]),
            CRYPTO_DATA_UIO if self.count_negative => return Err(bad),
            CRYPTO_DATA_MBLK if !self.exists => return Err(short),
            CRYPTO_DATA_UIO | CRYPTO_DATA_MBLK => {}
            _ => return Err(bad),
        }
        let (mut skip, mut left, mut window) = (offset, len, vec![]);
        for &(at, n) in self.pieces.iter().filter(|(_, n)| *n > 0) {
            if n > isize::MAX as usize || !sound((at, n)) {
                return Err(bad);
            }
            if n > skip {
                let here = (n - skip).min(left);
                if here > 0 {
                    window.push((at + skip, here));
                }
                left -= here;
                if left == 0 {
                    return Ok(window);
                }
            }
            skip = skip.saturating_sub(n);
        }
        Err(short)
    }

    fn has_format(&self) -> bool {
        (CRYPTO_DATA_RAW..=CRYPTO_DATA_MBLK).contains(&self.format)
    }

    fn input(&self) -> Answer<Vec<Range>> {
        self.window(self.len, With(if self.format == CRYPTO_DATA_RAW { BAD } else { DATA_LEN }))
    }

    fn output(&self, needed: usize) -> Answer<Vec<Range>> {
        match needed {
            _ if self.len < needed => Err(Room(needed)),
            0 => Ok(vec![]),
            _ => self.window(needed, Room(needed)),
        }
    }

    fn same_list(&self, other: &Self) -> bool {
        self.format != CRYPTO_DATA_RAW && self.pieces == other.pieces && self.offset == other.offset
    }
}

/// Input and output of a call. Without an output it is in place.
struct Io<'a> {
    src: &'a Side,
    dst: Option<&'a Side>,
    /// What the provider has answered, where the contract leaves a choice.
    said: c_int,
}

/// Where a call reads and writes.
struct Pair {
    src: Vec<Range>,
    dst: Vec<Range>,
    aliased: bool,
}

impl Io<'_> {
    fn pair(&self, needed: usize) -> Answer<Pair> {
        let out = self.dst.unwrap_or(self.src);
        if out.len < needed {
            return Err(Room(needed));
        }
        let (src, dst) = (self.src.input()?, out.output(needed)?);
        self.compared()?;
        match overlap(&src, &dst) {
            Overlap::Partial => Err(With(BAD)),
            found => Ok(Pair { aliased: found == Overlap::Exact, src, dst }),
        }
    }

    /// To compare two lists of many pieces may take memory, and there may be none.
    fn compared(&self) -> Answer<()> {
        let many = self.dst.is_some_and(|dst| self.src.pieces.len() + dst.pieces.len() > 64);
        match self.said {
            CRYPTO_HOST_MEMORY if many => Err(With(CRYPTO_HOST_MEMORY)),
            _ => Ok(()),
        }
    }

    /// The same where no byte may be in both.
    fn pair_apart(&self, needed: usize, shared: c_int) -> Answer<Pair> {
        let dst = self.dst.ok_or(With(shared))?;
        if dst.len < needed {
            return Err(Room(needed));
        }
        let (src, to) = (self.src.input()?, dst.output(needed)?);
        self.compared()?;
        // If nothing is written to an output, the contract leaves open whether it is apart.
        let open = needed == 0 && self.src.same_list(dst) && self.said == shared;
        if overlap(&src, &to) != Overlap::None || open {
            return Err(With(shared));
        }
        Ok(Pair { src, dst: to, aliased: false })
    }
}

/// How a GCM decryption in parts releases plaintext.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    Undecided,
    Streaming,
    Buffered,
}

/// A message that is being worked on.
struct Model {
    way: Way,
    /// It has no text.
    message: Message,
    /// CCM: bytes of text, as declared.
    declared: usize,
    /// The bytes that have come; in CBC those since the last IV.
    come: Vec<u8>,
    /// How many of them have gone out.
    given: usize,
    release: Release,
}

impl Model {
    fn decrypts(&self) -> bool {
        self.way == Way::Decrypt
    }

    fn ragged(&self) -> Refused {
        With(if self.decrypts() { ENCRYPTED_LEN } else { DATA_LEN })
    }

    /// A message with `text`. In a MAC, `text` is what is authenticated.
    fn with(&self, text: &[u8]) -> Message {
        Message { text: text.to_vec(), ..self.message.clone() }
    }

    /// The output for the whole message with its tag, by two implementations.
    fn sealed(&self, text: &[u8]) -> Vec<u8> {
        let message = self.with(text);
        let sealed = message.by_blocks();
        if let Some(other) = message.by_crates() {
            assert_eq!(sealed, other, "the two implementations differ");
        }
        sealed
    }

    fn tag(&self, text: &[u8]) -> Vec<u8> {
        let sealed = self.sealed(text);
        sealed[sealed.len() - self.message.tag_len..].to_vec()
    }

    /// The output for `text`, without a tag. `text` need not be the whole text.
    fn transformed(&self, text: &[u8]) -> Vec<u8> {
        if self.decrypts() {
            return self.message.open(text);
        }
        let mut out = self.with(text).by_blocks();
        out.truncate(text.len());
        out
    }

    /// Takes bytes in, and gives out those of the first `all` that have not gone out yet.
    fn give(&mut self, pair: &Pair, all: usize, shadow: &mut Shadow) -> usize {
        self.come.extend(shadow.read(&pair.src));
        let out = self.transformed(&self.come[..all]);
        shadow.write(&pair.dst, &out[self.given..]);
        let n = all - self.given;
        self.given = all;
        n
    }

    /// A part in a mode that gives out each complete block.
    fn blocks(&mut self, io: &Io, iv: Option<&[u8; 16]>, shadow: &mut Shadow) -> Answer<usize> {
        let waiting = self.come.len() - self.given;
        let needed = (waiting + io.src.len) & !15;
        let pair = match (waiting, io.src.len) {
            (1.., 1..) => io.pair_apart(needed, DATA_LEN)?,
            _ => io.pair(needed)?,
        };
        if let Some(iv) = iv.filter(|_| self.message.mode == Mode::Cbc) {
            self.come.drain(..self.given);
            (self.message.iv, self.given) = (iv.to_vec(), 0);
        }
        Ok(self.give(&pair, self.given + needed, shadow))
    }

    fn update(&mut self, io: &Io, iv: Option<&[u8; 16]>, shadow: &mut Shadow) -> Answer<usize> {
        let (len, tag_len) = (io.src.len, self.message.tag_len);
        let all = self.come.len() + len;
        match (self.message.mode, self.decrypts()) {
            (Mode::Ecb | Mode::Cbc, _) | (Mode::Gcm, false) => self.blocks(io, iv, shadow),
            (Mode::Ctr, _) => Ok(self.give(&io.pair(len)?, all, shadow)),
            (Mode::Ccm, false) if all > self.declared => Err(With(DATA_LEN)),
            (Mode::Ccm, false) => self.blocks(io, iv, shadow),
            (Mode::Ccm, true) if all > self.declared + tag_len => Err(With(ENCRYPTED_LEN)),
            (Mode::Gcm, true) => {
                let src = io.src.input()?;
                if len > 0 && self.release == Release::Undecided {
                    let streams = io.dst.is_some_and(|dst| {
                        let plain = len.saturating_sub(tag_len);
                        let room = dst.output(len.min(dst.len).max(plain));
                        room.or_else(|_| dst.output(plain))
                            .is_ok_and(|room| overlap(&src, &room) == Overlap::None)
                    });
                    let decided = if streams { Release::Streaming } else { Release::Buffered };
                    // The first part that is taken decides.
                    self.release = decided;
                    let result = self.absorb(io, src, shadow);
                    if result.is_err() {
                        self.release = Release::Undecided;
                    }
                    return result;
                }
                self.absorb(io, src, shadow)
            }
            (Mode::Ccm, true) | (Mode::Gmac | Mode::Cmac, _) => {
                let src = io.src.input()?;
                self.come.extend(shadow.read(&src));
                Ok(0)
            }
        }
    }

    /// A part of a GCM decryption.
    fn absorb(&mut self, io: &Io, src: Vec<Range>, shadow: &mut Shadow) -> Answer<usize> {
        let all = self.come.len() + io.src.len;
        if io.src.len == 0 {
            return Ok(0);
        }
        if self.release != Release::Streaming {
            if io.said == CRYPTO_HOST_MEMORY {
                return Err(With(CRYPTO_HOST_MEMORY));
            }
            self.come.extend(shadow.read(&src));
            return Ok(0);
        }
        let ready = all.saturating_sub(self.message.tag_len);
        let ready = self.given + (ready.saturating_sub(self.given) & !15);
        let pair = io.pair_apart(ready - self.given, BAD)?;
        Ok(self.give(&pair, ready, shadow))
    }

    /// Checks that `come` is text and its tag. Returns the text.
    fn verified(&self) -> Answer<Vec<u8>> {
        let (text, tag) = self.come.split_at(self.come.len() - self.message.tag_len);
        let text =
            if self.message.mode == Mode::Gmac { text.to_vec() } else { self.message.open(text) };
        if self.tag(&text) == tag { Ok(text) } else { Err(With(CRYPTO_INVALID_MAC)) }
    }

    fn whole(&mut self, io: &Io, iv: Option<&[u8; 16]>, shadow: &mut Shadow) -> Answer<usize> {
        let (len, tag_len) = (io.src.len, self.message.tag_len);
        match (self.message.mode, self.decrypts()) {
            (Mode::Ecb | Mode::Cbc, _) if !(self.come.len() | len).is_multiple_of(16) => {
                Err(self.ragged())
            }
            (Mode::Ecb | Mode::Cbc | Mode::Ctr, _) => self.update(io, iv, shadow),
            (Mode::Gcm | Mode::Ccm, _) if !self.come.is_empty() => Err(With(BAD)),
            (Mode::Ccm, false) if len != self.declared => Err(With(DATA_LEN)),
            (Mode::Ccm, true) if len != self.declared + tag_len => Err(With(ENCRYPTED_LEN)),
            (Mode::Gcm | Mode::Ccm, false) => {
                let pair = io.pair(len + tag_len)?;
                let text = shadow.read(&pair.src);
                shadow.write(&pair.dst, &self.sealed(&text));
                Ok(len + tag_len)
            }
            (Mode::Gcm | Mode::Ccm, true) => {
                let text_len = len.checked_sub(tag_len).ok_or(With(ENCRYPTED_LEN))?;
                let pair = io.pair(text_len)?;
                self.come = shadow.read(&pair.src);
                let verdict = self.verified();
                match &verdict {
                    Ok(text) => shadow.write(&pair.dst, text),
                    // No plaintext is left: ciphertext again, or zero.
                    Err(_) if pair.aliased => {}
                    Err(_) => shadow.write(&pair.dst, &vec![0; text_len]),
                }
                verdict.map(|_| text_len)
            }
            (Mode::Gmac, true) => {
                let src = io.src.input()?;
                if self.come.len() + len < 16 {
                    return Err(With(ENCRYPTED_LEN));
                }
                self.come.extend(shadow.read(&src));
                self.verified().map(|_| 0)
            }
            (Mode::Gmac | Mode::Cmac, _) => {
                let out = io.dst.unwrap_or(io.src);
                if out.len < 16 {
                    return Err(Room(16));
                }
                let (src, dst) = (io.src.input()?, out.output(16)?);
                self.come.extend(shadow.read(&src));
                shadow.write(&dst, &self.tag(&self.come));
                Ok(16)
            }
        }
    }

    fn finish(&mut self, dst: Option<&Side>, shadow: &mut Shadow) -> Answer<usize> {
        let waiting = self.come.len() - self.given;
        let tag_len = self.message.tag_len;
        let mode = self.message.mode;
        match (mode, self.decrypts()) {
            (Mode::Ecb | Mode::Cbc, _) if waiting > 0 => return Err(self.ragged()),
            (Mode::Ecb | Mode::Cbc | Mode::Ctr, _) => return Ok(0),
            (Mode::Gmac, true) if self.come.len() < 16 => return Err(With(ENCRYPTED_LEN)),
            (Mode::Gmac, true) => return self.verified().map(|_| 0),
            _ => {}
        }
        let dst = dst.ok_or(With(BAD))?;
        let left = match (mode, self.decrypts()) {
            (Mode::Gcm | Mode::Ccm, true) => {
                let declared = mode == Mode::Gcm || self.come.len() == self.declared + tag_len;
                let left = waiting.checked_sub(tag_len).filter(|_| declared);
                let to = dst.output(left.ok_or(With(ENCRYPTED_LEN))?)?;
                let rest = self.verified()?[self.given..].to_vec();
                shadow.write(&to, &rest);
                return Ok(rest.len());
            }
            (Mode::Ccm, false) if self.come.len() != self.declared => return Err(With(DATA_LEN)),
            (Mode::Gcm | Mode::Ccm, false) => self.sealed(&self.come)[self.given..].to_vec(),
            _ => self.tag(&self.come),
        };
        if dst.len < left.len() {
            return Err(With(DATA_LEN));
        }
        let to = dst.output(left.len())?;
        shadow.write(&to, &left);
        Ok(left.len())
    }
}

// The calls.

/// A list in one of KCF's forms, over pieces of memory.
struct List {
    pieces: Vec<(*mut u8, usize)>,
    iov: Vec<iovec_t>,
    uio: Box<uio_t>,
    mblk: Vec<mblk_t>,
    data: crypto_data_t,
}

/// The formats. Two bits choose that of each side.
const FORMATS: [c_uint; 4] = [CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, CRYPTO_DATA_MBLK, CRYPTO_DATA_UIO];

/// What can be wrong with a side.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Damage {
    None,
    Format,
    NegativeOffset,
    FarOffset,
    UserSpace,
    NullPiece,
    PieceBeforeItself,
    PieceOverTheEnd,
    NegativeCount,
    NoList,
    Short,
    LongLength,
}

impl Damage {
    const ALL: [Self; 12] = [
        Self::None,
        Self::Format,
        Self::NegativeOffset,
        Self::FarOffset,
        Self::UserSpace,
        Self::NullPiece,
        Self::PieceBeforeItself,
        Self::PieceOverTheEnd,
        Self::NegativeCount,
        Self::NoList,
        Self::Short,
        Self::LongLength,
    ];
}

impl List {
    fn new(
        format: c_uint,
        mut pieces: Vec<(*mut u8, usize)>,
        offset: usize,
        len: usize,
        (damage, which): (Damage, u8),
    ) -> Self {
        let raw = format == CRYPTO_DATA_RAW;
        let place = usize::from(which) % pieces.len();
        let piece = &mut pieces[place];
        match damage {
            Damage::NullPiece => piece.0 = core::ptr::null_mut(),
            // The length of a raw buffer is the caller's word.
            Damage::PieceBeforeItself if !raw => piece.1 = usize::MAX - 3,
            Damage::PieceOverTheEnd if !raw => {
                *piece = (core::ptr::without_provenance_mut(usize::MAX - 3), 100)
            }
            Damage::PieceOverTheEnd => piece.0 = core::ptr::without_provenance_mut(usize::MAX),
            Damage::Short if raw => piece.1 -= usize::from(which).min(piece.1),
            Damage::Short => pieces.truncate(place + 1),
            _ => {}
        }
        let mut iov: Vec<_> =
            pieces.iter().map(|&(at, iov_len)| iovec_t { iov_base: at.cast(), iov_len }).collect();
        let uio = Box::new(uio_t {
            uio_iov: iov.as_mut_ptr(),
            uio_iovcnt: if damage == Damage::NegativeCount { -1 } else { iov.len() as c_int },
            _uio_offset: 0x1111,
            uio_segflg: UIO_SYSSPACE - c_uint::from(damage == Damage::UserSpace),
            uio_fmode: 0x22,
            uio_extflg: 0x33,
            _uio_limit: 0x4444,
            uio_resid: 0x5555,
        });
        let none = core::ptr::null_mut();
        let block = |&(at, len): &(*mut u8, usize)| mblk_t {
            b_next: none,
            b_prev: none,
            b_cont: none,
            b_rptr: at,
            b_wptr: at.wrapping_add(len),
            b_datap: NONE,
            b_band: 0,
            b_tag: 0,
            b_flag: 0,
            b_queue: NONE,
        };
        let mut mblk: Vec<_> = pieces.iter().map(block).collect();
        for i in 1..mblk.len() {
            mblk[i - 1].b_cont = &raw mut mblk[i];
        }
        let data = crypto_data_t {
            cd_format: if damage == Damage::Format { 4 + c_uint::from(which) } else { format },
            cd_offset: match damage {
                Damage::NegativeOffset => -1 - c_long::from(which),
                Damage::FarOffset => c_long::MAX - c_long::from(which),
                _ => offset as c_long,
            },
            cd_length: if damage == Damage::LongLength {
                len + 1 + usize::from(which) * 8
            } else {
                len
            },
            cd_miscdata: core::ptr::null_mut(),
            cdu: crypto_data_cdu_t { cdu_raw: iovec_t { iov_base: NONE.cast(), iov_len: 0 } },
        };
        let mut list = Self { pieces, iov, uio, mblk, data };
        match format {
            CRYPTO_DATA_RAW => list.data.cdu.cdu_raw = list.iov[0],
            _ if damage == Damage::NoList => {}
            CRYPTO_DATA_UIO => list.data.cdu.cdu_uio = &raw mut *list.uio,
            _ => list.data.cdu.cdu_mp = list.mblk.as_mut_ptr(),
        }
        list
    }

    fn side(&self) -> Side {
        let data = &self.data;
        // SAFETY: every member begins with a pointer.
        let exists = !unsafe { data.cdu.cdu_mp }.is_null();
        Side {
            format: data.cd_format,
            offset: data.cd_offset,
            len: data.cd_length,
            exists,
            kernel_space: self.uio.uio_segflg == UIO_SYSSPACE,
            count_negative: self.uio.uio_iovcnt < 0,
            pieces: self.pieces.iter().map(|&(at, len)| (at.expose_provenance(), len)).collect(),
        }
    }

    /// # Panics
    /// Unless everything is as it was except `cd_length`, which must be `len`.
    fn check(&self, before: &Side, len: usize) {
        let after = self.side();
        assert_eq!(after.len, len, "cd_length");
        assert_eq!((after.offset, after.format), (before.offset, before.format));
        assert!(after.exists == before.exists && after.kernel_space == before.kernel_space);
        let uio = &self.uio;
        assert_eq!((uio._uio_offset, uio._uio_limit, uio.uio_resid), (0x1111, 0x4444, 0x5555));
        assert!(core::ptr::eq(uio.uio_iov, self.iov.as_ptr()), "the list");
        for (i, &(at, len)) in self.pieces.iter().enumerate() {
            let (iov, mp) = (&self.iov[i], &self.mblk[i]);
            assert!(core::ptr::eq(iov.iov_base.cast(), at) && iov.iov_len == len, "the list");
            let next = self.mblk.get(i + 1).map_or(core::ptr::null(), core::ptr::from_ref);
            assert!(core::ptr::eq(mp.b_rptr, at) && core::ptr::eq(mp.b_cont, next), "the chain");
            assert!(core::ptr::eq(mp.b_wptr, at.wrapping_add(len)), "the chain");
        }
    }
}

/// What is wrong with the request, by `Head::fault`.
mod fault {
    pub(crate) const NO_PARAMETER: u8 = 1;
    pub(crate) const LONG_PARAMETER: u8 = 2;
    pub(crate) const SHORT_PARAMETER: u8 = 3;
    pub(crate) const KEY_FORMAT: u8 = 4;
    pub(crate) const KEY_BITS: u8 = 5;
    pub(crate) const NO_KEY_BYTES: u8 = 6;
    pub(crate) const NO_IV: u8 = 7;
    pub(crate) const NO_AAD: u8 = 8;
    pub(crate) const HUGE_AAD: u8 = 9;
    pub(crate) const TAG_BITS: u8 = 10;
    pub(crate) const NO_KEY: u8 = 11;
    pub(crate) const NO_MECHANISM: u8 = 12;
}

/// A template of the provider.
struct Template {
    at: *mut c_void,
    size: usize,
}

/// Whether each call is written out, for reading a finding.
static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("KCFAES_FUZZ_TRACE").is_some());

/// Whether success reports a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    Length,
    Nothing,
}

/// What a call has answered, and what it should have answered.
#[derive(Debug)]
struct Said {
    rv: c_int,
    want: Answer<usize>,
    tells: Tells,
    /// Whether a lack of room is reported in the input's struct.
    on_input: bool,
}

impl Said {
    /// Whether the message is over.
    fn ends(&self) -> bool {
        matches!(self.want, Ok(_) | Err(With(CRYPTO_INVALID_MAC)))
    }
}

/// One input.
struct Session {
    head: Head,
    mode: Option<Mode>,
    way: Way,
    request: Request,
    mechanism: crypto_mechanism_t,
    key: crypto_key_t,
    /// It has no text.
    message: Message,
    declared: usize,
    /// The most that can go in: the text or, in decryption, its ciphertext.
    source: Vec<u8>,
    template: Option<Template>,
    foreign: Box<[u64; 64]>,
    spi: Spi,
    model: Option<Model>,
}

/// The tag's length in an undamaged request to the parameter's mode.
fn tag_len(mode: Mode, tag_len: u8) -> usize {
    match mode {
        Mode::Gcm | Mode::Ccm => tag_len.into(),
        Mode::Gmac | Mode::Cmac => 16,
        _ => 0,
    }
}

impl Session {
    fn new(head: Head) -> Self {
        let way = match head.way % 3 {
            0 => Way::Encrypt,
            1 => Way::Decrypt,
            _ => Way::Mac,
        };
        let mode = head.mode();
        let any = mode.unwrap_or(Mode::Ecb);
        let (mut iv, aad, mut text) = head.draw();
        if any == Mode::Ctr || any == Mode::Cbc && head.fault != 0 {
            iv.resize(16, 0x36);
        }
        if any == Mode::Gmac {
            iv.resize(12, 0x36);
        }
        let key = head.key();
        let bits = head.bits.into();
        let tag_len = tag_len(any, head.tag_len);
        // The declared length is that of the text, or about that, or more than there is memory for.
        let declared = match head.declared {
            0x80 => usize::MAX - 300,
            n => text.len().saturating_add_signed(isize::from(n.cast_signed()) % 40),
        };
        let aad = if matches!(any, Mode::Gcm | Mode::Ccm | Mode::Gmac) { aad } else { vec![] };
        let mut request = Request::new(any, &key, &iv, bits, &aad, tag_len).for_text(declared);
        let mut mechanism = request.provider_mechanism(way);
        let mut key_arg = request.key;
        match head.fault {
            fault::NO_PARAMETER => mechanism.cm_param = core::ptr::null_mut(),
            fault::LONG_PARAMETER => mechanism.cm_param_len += 1,
            fault::SHORT_PARAMETER => {
                mechanism.cm_param_len = mechanism.cm_param_len.wrapping_sub(1)
            }
            fault::KEY_FORMAT => key_arg.ck_format = CRYPTO_KEY_REFERENCE,
            // SAFETY: the key is by value.
            fault::KEY_BITS => unsafe { key_arg.cku_data.cku_key_value.cku_v_length += 1 },
            fault::NO_KEY_BYTES => {
                key_arg.cku_data.cku_key_value.cku_v_data = core::ptr::null_mut();
            }
            // SAFETY: the request owns a parameter of its mode.
            fault::NO_IV | fault::NO_AAD | fault::HUGE_AAD | fault::TAG_BITS => unsafe {
                damage_parameter(any, head.fault, mechanism.cm_param);
            },
            _ => {}
        }
        if mode.is_none() {
            mechanism.cm_type = 2 + 6 * u64::from(head.mode / 8);
        }
        let mut message =
            Message { mode: any, key, iv, bits, aad, tag_len, text: vec![], sealed: vec![] };
        if any == Mode::Cbc && head.fault == fault::NO_PARAMETER {
            message.iv = vec![0; 16];
        }
        let mut session = Self {
            head,
            mode,
            way,
            request,
            mechanism,
            key: key_arg,
            message,
            declared,
            source: vec![],
            template: None,
            foreign: Box::new([0x5a5a_5a5a_5a5a_5a5a; 64]),
            spi: Spi::marked(),
            model: None,
        };
        // A valid decryption needs something to decrypt.
        if way == Way::Decrypt && session.refusal(false, 0).is_none() {
            if matches!(any, Mode::Ecb | Mode::Cbc) {
                text.truncate(text.len() & !15);
            }
            let sealed = Message { text: text.clone(), ..session.message.clone() }.by_blocks();
            text = if any == Mode::Gmac { [text, sealed].concat() } else { sealed };
        }
        session.source = text;
        session
    }

    /// How init, or a call for a whole message with `len` bytes, is refused for its request.
    fn refusal(&self, init: bool, len: usize) -> Option<c_int> {
        let (fault, template) = (self.head.fault, self.head.template % 3);
        if fault == fault::NO_MECHANISM || init && fault == fault::NO_KEY {
            return Some(BAD);
        }
        if init && fault == fault::KEY_FORMAT {
            return Some(CRYPTO_KEY_TYPE_INCONSISTENT);
        }
        let Some(mode) = self.mode else { return Some(CRYPTO_MECHANISM_INVALID) };
        if matches!(mode, Mode::Ecb | Mode::Cbc) && !len.is_multiple_of(16) {
            return Some(if self.way == Way::Decrypt { ENCRYPTED_LEN } else { DATA_LEN });
        }
        let has_parameter = !self.mechanism.cm_param.is_null();
        let expected = match mode {
            Mode::Ecb | Mode::Cmac => None,
            Mode::Cbc => Some(16),
            Mode::Ctr | Mode::Gmac => Some(24),
            Mode::Gcm | Mode::Ccm => Some(48),
        };
        if has_parameter && expected.is_some_and(|len| len != self.mechanism.cm_param_len) {
            return Some(PARAMETER);
        }
        let has = match (mode, self.way) {
            (Mode::Gmac, _) | (Mode::Cmac, Way::Encrypt | Way::Mac) => true,
            (Mode::Cmac, Way::Decrypt) | (_, Way::Mac) => false,
            _ => true,
        };
        if !has {
            return Some(CRYPTO_MECHANISM_INVALID);
        }
        match template {
            1 if self.template.is_some() => {}
            2 => return Some(BAD),
            _ => {
                if let Some(rv) = self.key_refused() {
                    return Some(rv);
                }
            }
        }
        let Message { iv, aad, tag_len, bits, .. } = &self.message;
        let null = fault == fault::NO_IV && !iv.is_empty()
            || fault == fault::NO_AAD && !aad.is_empty()
            || fault == fault::HUGE_AAD;
        let sound = match mode {
            Mode::Ecb | Mode::Cbc | Mode::Cmac => true,
            _ if !has_parameter => false,
            Mode::Ctr => (1..=128).contains(bits),
            Mode::Gmac => !null,
            Mode::Gcm => {
                let tag = [4, 8, 12, 13, 14, 15, 16].contains(tag_len) && fault != fault::TAG_BITS;
                tag && !iv.is_empty() && !null
            }
            Mode::Ccm => {
                let tag = [4, 6, 8, 10, 12, 14, 16].contains(tag_len) && fault != fault::TAG_BITS;
                let fits = |n: usize| n >= 8 || self.declared >> (8 * n) == 0;
                tag && (7..14).contains(&iv.len()) && fits(15 - iv.len()) && !null
            }
        };
        (!sound).then_some(PARAMETER)
    }

    fn key_refused(&self) -> Option<c_int> {
        match self.head.fault {
            fault::NO_KEY => Some(BAD),
            fault::KEY_FORMAT => Some(CRYPTO_KEY_TYPE_INCONSISTENT),
            fault::KEY_BITS => Some(CRYPTO_KEY_SIZE_RANGE),
            _ if ![16, 24, 32].contains(&self.message.key.len()) => Some(CRYPTO_KEY_SIZE_RANGE),
            fault::NO_KEY_BYTES => Some(BAD),
            _ => None,
        }
    }

    fn run(&mut self, calls: &[Call]) {
        set_hold_bytes(1024 << (self.head.hold % 6));
        set_light_bytes(if self.head.hold & 0x40 == 0 { 0 } else { 256 });
        forbid_direct(self.head.hold & 0x80 != 0);
        if self.head.template % 3 == 1 {
            self.make_template();
        }
        for call in calls {
            let tables = tables();
            assert!(force(Some(tables[usize::from(call.table) % tables.len()])));
            self.call(call);
        }
        assert_eq!(self.spi.free(), CRYPTO_SUCCESS);
        assert!(self.spi.is_marked() && !self.spi.live());
        if let Some(Template { at, size }) = self.template.take() {
            // SAFETY: the block came from the provider, with this size.
            unsafe {
                at.cast::<u8>().write_bytes(0, size);
                kmem_free(at, size);
            }
        }
    }

    /// The template wins over the key. It is made of the key here, before anything happens to the key.
    fn make_template(&mut self) {
        let tables = tables();
        assert!(force(Some(tables[usize::from(self.head.template / 3) % tables.len()])));
        let (mut at, mut size) = (NONE, 0);
        let (mut key, mut mechanism) = (self.key, self.mechanism);
        let mechanism = (self.head.fault != fault::NO_MECHANISM).then_some(&mut mechanism);
        let refused = match (mechanism.is_some(), self.mode) {
            (false, _) => Some(BAD),
            _ if self.head.fault == fault::NO_KEY => Some(BAD),
            (_, None) => Some(CRYPTO_MECHANISM_INVALID),
            _ => self.key_refused(),
        };
        let key = (self.head.fault != fault::NO_KEY).then_some(&mut key);
        let rv = spi::create_template(mechanism, key, Some(&mut at), Some(&mut size));
        assert_eq!(rv, refused.unwrap_or(CRYPTO_SUCCESS), "template");
        if rv == CRYPTO_SUCCESS {
            self.template = Some(Template { at, size });
        } else if [16, 24, 32].contains(&self.message.key.len()) && self.mode.is_some() {
            // The template is made of the undamaged key, so that calls do not look at the damaged one.
            let (mut mechanism, mut key) = (self.mechanism, self.request.key);
            let rv = spi::create_template(
                Some(&mut mechanism),
                Some(&mut key),
                Some(&mut at),
                Some(&mut size),
            );
            assert_eq!(rv, CRYPTO_SUCCESS);
            self.template = Some(Template { at, size });
        }
    }

    fn template_argument(&mut self) -> *mut c_void {
        match (self.head.template % 3, &self.template) {
            (1, Some(template)) => template.at,
            (2, _) => self.foreign.as_mut_ptr().cast(),
            _ => NONE,
        }
    }

    fn arguments(&self) -> (Option<crypto_mechanism_t>, Option<crypto_key_t>) {
        let mechanism = (self.head.fault != fault::NO_MECHANISM).then_some(self.mechanism);
        let key = (self.head.fault != fault::NO_KEY).then_some(self.key);
        (mechanism, key)
    }

    fn begin(&self) -> Model {
        Model {
            way: self.way,
            message: self.message.clone(),
            declared: self.declared,
            come: vec![],
            given: 0,
            release: Release::Undecided,
        }
    }

    fn init(&mut self, call: &Call) {
        // The framework would have freed the context.
        self.spi.free();
        self.model = None;
        let (mut mechanism, mut key) = self.arguments();
        let template = self.template_argument();
        let way = self.way;
        let (rv, failed, _) =
            disturbed(call, || self.spi.init(way, mechanism.as_mut(), key.as_mut(), template));
        let buffers = way == Way::Decrypt && self.mode == Some(Mode::Ccm);
        let want = match self.refusal(true, 0) {
            Some(rv) => rv,
            _ if failed || buffers && self.declared > isize::MAX as usize => CRYPTO_HOST_MEMORY,
            None => CRYPTO_SUCCESS,
        };
        assert_eq!(rv, want, "init");
        assert!(!failed || rv == CRYPTO_HOST_MEMORY);
        assert!(self.spi.is_marked());
        assert_eq!(self.spi.live(), rv == CRYPTO_SUCCESS);
        self.model = (rv == CRYPTO_SUCCESS).then(|| self.begin());
    }

    fn call(&mut self, call: &Call) {
        const INIT: u8 = 0;
        const FREE: u8 = 7;
        let op = call.op & 7;
        match op {
            INIT => return self.init(call),
            FREE if call.op & 8 == 0 => {
                assert_eq!(self.spi.free(), CRYPTO_SUCCESS);
                self.model = None;
                return;
            }
            // A call that needs a message begins one, unless the input wants the refusal.
            1..=4 if self.model.is_none() && call.op & 0x40 == 0 => self.init(call),
            _ => {}
        }
        let way = match (call.op & 0x80, self.way) {
            (0, way) => way,
            (_, Way::Decrypt) => Way::Encrypt,
            (_, Way::Encrypt | Way::Mac) => Way::Decrypt,
        };
        let fresh = op >= 5;
        let done = self.model.as_ref().map_or(0, |model| model.come.len());
        let from = if fresh { 0 } else { done.min(self.source.len()) };
        let take = call.take(self.source.len() - from);
        let mut bytes = self.source[from..].to_vec();
        bytes.resize(take, 0x77);
        call.forge(&mut bytes);
        let mut scene = Scene::new(call, &bytes, self.message.tag_len);
        let no_input = call.place & 0x40 != 0;
        let said = match op {
            1 | 2 => self.update(call, way, &mut scene, no_input),
            3 => self.single(call, way, &mut scene, no_input),
            4 => self.finish(call, way, &mut scene),
            5 => self.atomic(call, &mut scene, no_input),
            _ => self.verify(call, &mut scene),
        };
        if *TRACE {
            eprintln!("{:?} {:?}: {call:?}: {said:?}", self.message.mode, self.way);
        }
        scene.check(&said);
    }

    /// How a call on a context is refused for its arguments.
    fn context_refused(&self, way: Way, no_input: bool) -> Option<c_int> {
        if no_input {
            return Some(BAD);
        }
        (way != self.way || self.model.is_none()).then_some(CRYPTO_OPERATION_NOT_INITIALIZED)
    }

    /// Only a lack of room keeps a message after its last call. The framework frees all others.
    fn keep(&mut self, model: Model, answer: Answer<usize>) {
        match answer {
            Err(Room(_)) => self.model = Some(model),
            _ => _ = self.spi.free(),
        }
    }

    fn update(&mut self, call: &Call, way: Way, scene: &mut Scene, no_input: bool) -> Said {
        let refused = self.context_refused(way, no_input);
        let mac = way == Way::Mac;
        let (rv, failed, stats) = disturbed(call, || {
            let (src, out) = scene.arguments(no_input);
            self.spi.update(way, src, if mac { Out::Null } else { out })
        });
        let tells = if mac || scene.before.in_place() { Tells::Nothing } else { Tells::Length };
        let mut said = Said { rv, want: Ok(0), tells, on_input: scene.before.in_place() };
        let Some(model) = self.model.as_mut().filter(|_| refused.is_none()) else {
            said.want = Err(With(refused.expect("a reason")));
            return said;
        };
        let buffers = model.decrypts() && model.message.mode == Mode::Gcm;
        said.want = model.update(&scene.before.io(rv), scene.iv.as_deref(), &mut scene.shadow);
        assert_eq!(failed, rv == CRYPTO_HOST_MEMORY, "update without memory");
        let allocates = buffers || scene.before.many_pieces();
        assert!(allocates || !failed && stats.allocs == 0, "update allocates");
        said
    }

    fn single(&mut self, call: &Call, way: Way, scene: &mut Scene, no_input: bool) -> Said {
        let refused = self.context_refused(way, no_input);
        let (rv, failed, stats) = disturbed(call, || {
            let (src, out) = scene.arguments(no_input);
            self.spi.single(way, src, out)
        });
        let in_place = scene.before.in_place();
        let mut said = Said { rv, want: Ok(0), tells: Tells::Nothing, on_input: in_place };
        if let Some(rv) = refused {
            said.want = Err(With(rv));
            return said;
        }
        let mut model = self.model.take().expect("a message");
        said.want = model.whole(&scene.before.io(rv), scene.iv.as_deref(), &mut scene.shadow);
        // To compute a MAC on a context leaves `cd_length` as it was. To verify one makes it 0, in
        // place too.
        let verifies = model.message.mode == Mode::Gmac && model.decrypts();
        if verifies || !model.message.mode.is_mac() && !in_place {
            said.tells = Tells::Length;
        }
        assert!(scene.before.many_pieces() || !failed && stats.allocs == 0, "single allocates");
        assert_eq!(self.spi.live(), !said.ends(), "the context after {rv:#x}");
        self.keep(model, said.want);
        said
    }

    fn finish(&mut self, call: &Call, way: Way, scene: &mut Scene) -> Said {
        let refused = self.context_refused(way, false);
        let null = scene.before.place == Place::Null;
        let (rv, failed, stats) =
            disturbed(call, || self.spi.finish(way, (!null).then_some(&mut scene.output.data)));
        let mut said = Said { rv, want: Ok(0), tells: Tells::Nothing, on_input: false };
        if let Some(rv) = refused {
            said.want = Err(With(rv));
            return said;
        }
        let mut model = self.model.take().expect("a message");
        let dst = (!null).then_some(&scene.before.output);
        said.want = match dst {
            Some(dst) if !dst.has_format() => Err(With(BAD)),
            _ => model.finish(dst, &mut scene.shadow),
        };
        if model.message.mode != Mode::Ctr && !null {
            said.tells = Tells::Length;
        }
        assert!(!failed && stats.allocs == 0, "final allocates");
        assert_eq!(self.spi.live(), !said.ends(), "the context after {rv:#x}");
        self.keep(model, said.want);
        said
    }

    fn atomic(&mut self, call: &Call, scene: &mut Scene, no_input: bool) -> Said {
        let (mut mechanism, mut key) = self.arguments();
        let (template, way) = (self.template_argument(), self.way);
        let (rv, failed, stats) = disturbed(call, || {
            let (src, out) = scene.arguments(no_input);
            spi::atomic(way, mechanism.as_mut(), key.as_mut(), template, src, out)
        });
        let (io, in_place) = (scene.before.io(rv), scene.before.in_place());
        let want = match self.refusal(false, io.src.len) {
            _ if no_input => Err(With(BAD)),
            Some(rv) => Err(With(rv)),
            None if failed => Err(With(CRYPTO_HOST_MEMORY)),
            None => self.begin().whole(&io, scene.iv.as_deref(), &mut scene.shadow),
        };
        assert_eq!(failed, rv == CRYPTO_HOST_MEMORY, "atomic without memory");
        let allocates = template.is_null() || scene.before.many_pieces();
        assert!(allocates || stats.allocs == 0, "atomic with a template allocates");
        let tells = if in_place { Tells::Nothing } else { Tells::Length };
        Said { rv, want, tells, on_input: in_place }
    }

    /// Verification of the message's MAC. The MAC is where the output goes otherwise.
    fn verify(&mut self, call: &Call, scene: &mut Scene) -> Said {
        let way = core::mem::replace(&mut self.way, Way::Mac);
        let refusal = self.refusal(false, scene.before.input.len);
        self.way = way;
        let src = refusal.map_or_else(|| scene.before.input.input(), |rv| Err(With(rv)));
        let tag = src.map(|src| self.begin().tag(&scene.shadow.read(&src)));
        let place = scene.before.output.window(16, With(BAD));
        if let (Ok(tag), Ok(to), Place::Apart) = (&tag, place, scene.before.place) {
            let mut mac = tag.clone();
            call.forge(&mut mac);
            scene.shadow.write(&to, &mac);
            scene.shadow.copy_back();
        }
        let (mut mechanism, mut key) = self.arguments();
        let template = self.template_argument();
        let (rv, failed, _) = disturbed(call, || {
            let (src, mac) = (&mut scene.input.data, &mut scene.output.data);
            spi::verify(mechanism.as_mut(), key.as_mut(), template, Some(src), Some(mac))
        });
        assert_eq!(failed, rv == CRYPTO_HOST_MEMORY, "verification without memory");
        let mac = &scene.before.output;
        let want = match tag {
            _ if mac.len != 16 => Err(With(CRYPTO_INVALID_MAC)),
            _ if failed => Err(With(CRYPTO_HOST_MEMORY)),
            Err(why) => Err(why),
            Ok(tag) => match mac.input() {
                Ok(mac) if scene.shadow.read(&mac) == tag => Ok(0),
                Ok(_) => Err(With(CRYPTO_INVALID_MAC)),
                Err(why) => Err(why),
            },
        };
        Said { rv, want, tells: Tells::Nothing, on_input: false }
    }
}

/// # Safety
/// The parameter is the mode's.
unsafe fn damage_parameter(mode: Mode, fault: u8, at: *mut i8) {
    let null = core::ptr::null_mut();
    // SAFETY: the caller's contract.
    unsafe {
        match (mode, fault) {
            (Mode::Gcm, fault::NO_IV) => (*at.cast::<CK_AES_GCM_PARAMS>()).pIv = null,
            (Mode::Gcm, fault::NO_AAD) => (*at.cast::<CK_AES_GCM_PARAMS>()).pAAD = null,
            (Mode::Gcm, fault::HUGE_AAD) => (*at.cast::<CK_AES_GCM_PARAMS>()).ulAADLen = 1 << 61,
            (Mode::Gcm, fault::TAG_BITS) => (*at.cast::<CK_AES_GCM_PARAMS>()).ulTagBits += 1,
            (Mode::Ccm, fault::NO_IV) => (*at.cast::<CK_AES_CCM_PARAMS>()).nonce = null,
            (Mode::Ccm, fault::NO_AAD) => (*at.cast::<CK_AES_CCM_PARAMS>()).authData = null,
            (Mode::Ccm, fault::HUGE_AAD) => {
                (*at.cast::<CK_AES_CCM_PARAMS>()).ulAuthDataSize = 1 << 61
            }
            (Mode::Ccm, fault::TAG_BITS) => (*at.cast::<CK_AES_CCM_PARAMS>()).ulMACSize |= 1,
            (Mode::Gmac, fault::NO_IV) => (*at.cast::<CK_AES_GMAC_PARAMS>()).pIv = null,
            (Mode::Gmac, fault::NO_AAD) => (*at.cast::<CK_AES_GMAC_PARAMS>()).pAAD = null,
            (Mode::Gmac, fault::HUGE_AAD) => (*at.cast::<CK_AES_GMAC_PARAMS>()).ulAADLen = 1 << 61,
            _ => {}
        }
    }
}

/// Makes a call as `Call::fail` says. Returns its answer, whether an allocation failed, and the
/// allocations.
fn disturbed(call: &Call, f: impl FnOnce() -> c_int) -> (c_int, bool, Stats) {
    let before = kernel::stats();
    let rv = if call.fail == 0 {
        f()
    } else {
        // SAFETY: a per-thread setting of the fake kernel.
        unsafe { fk_kmem_fail_nth(u64::from(call.fail % 4)) };
        let rv = in_interrupt(call.fail & 0x80 != 0, f);
        // SAFETY: as above.
        unsafe { fk_kmem_fail_nth(0) };
        rv
    };
    let after = kernel::stats();
    let stats = Stats { allocs: after.allocs - before.allocs, ..Stats::default() };
    (rv, after.failed_allocs > before.failed_allocs, stats)
}

/// Where the output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Apart,
    Null,
    Same,
    /// The input's bytes through another list, or the same list in another struct.
    Twin,
    /// The input's memory, at another place.
    Elsewhere,
}

/// Input and output as they are before the call.
struct Sides {
    place: Place,
    input: Side,
    output: Side,
}

impl Sides {
    fn in_place(&self) -> bool {
        matches!(self.place, Place::Null | Place::Same)
    }

    fn io(&self, said: c_int) -> Io<'_> {
        Io { src: &self.input, dst: (!self.in_place()).then_some(&self.output), said }
    }

    /// Whether there are more pieces than two lists may have if they are to be compared without memory.
    fn many_pieces(&self) -> bool {
        !self.in_place() && self.input.pieces.len() + self.output.pieces.len() > 64
    }
}

/// The memory of one call.
struct Scene {
    before: Sides,
    input: List,
    output: List,
    shadow: Shadow,
    /// The IV that comes with the data.
    iv: Option<Box<[u8; 16]>>,
    _memories: [Memory; 2],
}

impl Scene {
    fn new(call: &Call, message: &[u8], tag_len: usize) -> Self {
        let place = match call.place % 6 {
            1 => Place::Null,
            2 => Place::Same,
            3 => Place::Twin,
            4 => Place::Elsewhere,
            _ => Place::Apart,
        };
        let (from, to) =
            (FORMATS[usize::from(call.formats & 3)], FORMATS[usize::from(call.formats >> 2 & 3)]);
        let (apart, len) = (place == Place::Apart, message.len());
        let room = call.room(len + if len < 32 { tag_len } else { 0 });
        let at = usize::from(call.at_in % 64);
        let to_at = match place {
            Place::Apart => usize::from(call.at_out % 64),
            Place::Elsewhere => call.at_out.into(),
            _ => at,
        };
        // The bytes around the message and the room must not change.
        let mut bytes = [&vec![FILL; at], message].concat();
        let end = if apart { 0 } else { to_at + room };
        bytes.resize(bytes.len().max(end) + 7, FILL);
        let raw = from == CRYPTO_DATA_RAW || !apart && to == CRYPTO_DATA_RAW;
        let mut memory =
            Memory::new(&bytes, &lengths(bytes.len(), if raw { 0 } else { call.cut_in }));
        let rooms = vec![FILL; if apart { to_at + room + 7 } else { 0 }];
        let cut_out = if to == CRYPTO_DATA_RAW { 0 } else { call.cut_out };
        let mut other = Memory::new(&rooms, &lengths(rooms.len(), cut_out));
        let damage = Damage::ALL[usize::from(call.damage & 0x7f) % Damage::ALL.len()];
        let (damage_in, damage_out) =
            if call.damage & 0x80 == 0 { (damage, Damage::None) } else { (Damage::None, damage) };
        let pieces = if apart { other.pieces(0) } else { memory.pieces(cut_out) };
        let output = List::new(to, pieces, to_at, room, (damage_out, call.which));
        let mut input = List::new(from, memory.pieces(0), at, len, (damage_in, call.which));
        let mut iv = (call.formats & 0x40 != 0).then(|| Box::new([call.which; 16]));
        if let Some(iv) = &mut iv {
            input.data.cd_miscdata = iv.as_mut_ptr().cast();
        }
        Self {
            before: Sides { place, input: input.side(), output: output.side() },
            shadow: Shadow::of(&[&memory, &other]),
            input,
            output,
            iv,
            _memories: [memory, other],
        }
    }

    fn arguments(&mut self, no_input: bool) -> (Option<&mut crypto_data_t>, Out<'_>) {
        let out = match self.before.place {
            Place::Null => Out::Null,
            Place::Same => Out::Same,
            _ => Out::Other(&mut self.output.data),
        };
        ((!no_input).then_some(&mut self.input.data), out)
    }

    /// # Panics
    /// If the call has not answered what it should, or if memory is not what it should be.
    fn check(&self, said: &Said) {
        let want = match said.want {
            Ok(_) => CRYPTO_SUCCESS,
            Err(With(rv)) => rv,
            Err(Room(_)) => CRYPTO_BUFFER_TOO_SMALL,
        };
        assert_eq!(said.rv, want, "answer; {:?}", said.want);
        let told = match (said.want, said.tells) {
            (Err(Room(n)), _) | (Ok(n), Tells::Length) => Some(n),
            _ => None,
        };
        let Sides { input, output, .. } = &self.before;
        let (in_told, out_told) = if said.on_input { (told, None) } else { (None, told) };
        self.input.check(input, in_told.unwrap_or(input.len));
        self.output.check(output, out_told.unwrap_or(output.len));
        self.shadow.check();
    }
}
