// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists in any cut over memory with guard pages, rebuilt without allocating, and the one way to send a
//! message through them. [`Memory::send`] checks after every call what must have happened.
//!
//! Apart, each piece has its own page between two pages that fault. By turns it lies at that page's end or
//! at its beginning, so that a read or write past it stops the test. Over the same bytes the pieces of a
//! list are adjacent, because the other list is cut differently.
#![allow(dead_code, reason = "each test uses a part")]

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{FILL, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Template, Way};
use kcfaes_provider::kcf::{
    CRYPTO_DATA_LEN_RANGE, CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, CRYPTO_SUCCESS,
    UIO_SYSSPACE, crypto_data_cdu_t, crypto_data_t, iovec_t, mblk_t, uio_t,
};
use kcfaes_vectors::Mode;

use crate::oracle::Message;

const PAGE: usize = 4096;
/// Pieces that one list can have.
const SLOTS: usize = 400;
/// Bytes next to a piece, within its page, that must not change.
const MARGIN: usize = 32;

/// Where the output of a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To separate memory.
    Apart,
    /// To the input's bytes, through a separate list.
    Twin,
    /// To the input's bytes: NULL.
    Null,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::Apart, Self::Twin, Self::Null];
}

/// How one side is described to the provider.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) format: Format,
    /// Lengths of the pieces. They are cut or extended to the message's length.
    pub(crate) cut: Vec<usize>,
    /// `cd_offset`
    pub(crate) offset: usize,
    /// Whether the bytes before the message are a separate piece, so that the offset ends exactly where a
    /// piece does.
    pub(crate) apart: bool,
}

impl Side {
    pub(crate) fn new(format: Format, cut: &[usize], offset: usize) -> Self {
        Self { format, cut: cut.to_vec(), offset, apart: offset & 1 == 1 }
    }

    /// The lengths of the whole list for a message of `len` bytes: `offset` bytes before it, `behind` after
    /// it.
    fn lengths(&self, len: usize, behind: usize) -> Vec<usize> {
        let mut lengths = Vec::with_capacity(self.cut.len() + 2);
        let mut left = len;
        if self.format == Format::Raw {
            return vec![self.offset + len + behind];
        }
        for &n in &self.cut {
            lengths.push(n.min(left));
            left -= n.min(left);
        }
        if left > 0 || lengths.is_empty() {
            lengths.push(left);
        }
        if self.apart {
            lengths.insert(0, self.offset);
        } else {
            lengths[0] += self.offset;
        }
        *lengths.last_mut().expect("a piece") += behind;
        lengths
    }
}

/// The calls by which a message goes through.
#[derive(Clone, Debug)]
pub(crate) enum Calls {
    Atomic,
    /// init, one call.
    Single,
    /// init, updates of these lengths and of the remainder, final.
    Parts(Vec<usize>),
}

/// How a message is sent.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) calls: Calls,
    pub(crate) input: Side,
    pub(crate) output: Side,
    pub(crate) place: Place,
}

/// What must become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// Refused with this status when it is complete, with no plaintext left.
    Forged(c_int),
}

/// A list over pieces that somebody else owns.
struct List {
    format: Format,
    pieces: Vec<(*mut u8, usize)>,
    iov: Vec<iovec_t>,
    uio: Box<uio_t>,
    mblk: Vec<mblk_t>,
}

impl List {
    fn new() -> Self {
        Self {
            format: Format::Raw,
            pieces: Vec::with_capacity(SLOTS),
            iov: Vec::with_capacity(SLOTS),
            uio: Box::new(uio_t {
                uio_iov: core::ptr::null_mut(),
                uio_iovcnt: 0,
                _uio_offset: 0,
                uio_segflg: UIO_SYSSPACE,
                uio_fmode: 0,
                uio_extflg: 0,
                _uio_limit: 0,
                uio_resid: 0,
            }),
            mblk: Vec::with_capacity(SLOTS),
        }
    }

    fn set(&mut self, format: Format, pieces: impl Iterator<Item = (*mut u8, usize)>) {
        self.format = format;
        self.pieces.clear();
        self.pieces.extend(pieces);
        self.iov.clear();
        self.mblk.clear();
        match format {
            Format::Mblk => {
                let none = core::ptr::null_mut();
                self.mblk.reserve(self.pieces.len());
                for &(at, len) in &self.pieces {
                    let block = mblk_t {
                        b_next: none,
                        b_prev: none,
                        b_cont: none,
                        b_rptr: at,
                        b_wptr: at.wrapping_add(len),
                        b_datap: core::ptr::null_mut(),
                        b_band: 0,
                        b_tag: 0,
                        b_flag: 0,
                        b_queue: core::ptr::null_mut(),
                    };
                    self.mblk.push(block);
                }
                for i in 1..self.mblk.len() {
                    let next = &raw mut self.mblk[i];
                    self.mblk[i - 1].b_cont = next;
                }
            }
            _ => {
                let iov =
                    |&(at, iov_len): &(*mut u8, usize)| iovec_t { iov_base: at.cast(), iov_len };
                self.iov.extend(self.pieces.iter().map(iov));
                self.uio.uio_iov = self.iov.as_mut_ptr();
                self.uio.uio_iovcnt = self.iov.len() as c_int;
            }
        }
    }

    fn data(&mut self, offset: usize, length: usize) -> crypto_data_t {
        let (cd_format, cdu) = match self.format {
            Format::Raw => (CRYPTO_DATA_RAW, crypto_data_cdu_t { cdu_raw: self.iov[0] }),
            Format::Uio => (CRYPTO_DATA_UIO, crypto_data_cdu_t { cdu_uio: &raw mut *self.uio }),
            Format::Mblk => {
                (CRYPTO_DATA_MBLK, crypto_data_cdu_t { cdu_mp: self.mblk.as_mut_ptr() })
            }
        };
        crypto_data_t {
            cd_format,
            cd_offset: offset as i64,
            cd_length: length,
            cd_miscdata: core::ptr::null_mut(),
            cdu,
        }
    }

    /// Whether the list still names the same pieces.
    fn untouched(&self) -> bool {
        self.iov
            .iter()
            .zip(&self.pieces)
            .all(|(iov, &(at, len))| core::ptr::eq(iov.iov_base.cast(), at) && iov.iov_len == len)
            && self.mblk.iter().zip(&self.pieces).all(|(mp, &(at, len))| {
                core::ptr::eq(mp.b_rptr, at) && core::ptr::eq(mp.b_wptr, at.wrapping_add(len))
            })
    }

    /// Copies `bytes` into the pieces, with FILL around.
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let total: usize = self.pieces.iter().map(|&(_, len)| len).sum();
        let around = vec![FILL; total - offset - bytes.len()];
        let mut all = vec![FILL; offset].into_iter().chain(bytes.iter().copied()).chain(around);
        for &(at, len) in &self.pieces {
            for i in 0..len {
                // SAFETY: the piece is alive.
                unsafe { at.add(i).write(all.next().expect("a byte")) };
            }
        }
    }

    /// The `len` bytes after `offset`. FILL must be around them.
    fn read(&self, offset: usize, len: usize) -> Result<Vec<u8>, String> {
        let mut all = Vec::with_capacity(offset + len + 8);
        for &(at, len) in &self.pieces {
            // SAFETY: the piece is alive, and nobody writes it now.
            all.extend_from_slice(unsafe { core::slice::from_raw_parts(at, len) });
        }
        let message = all[offset..offset + len].to_vec();
        let mut around = all[..offset].iter().chain(&all[offset + len..]);
        if around.any(|&b| b != FILL) {
            return Err("bytes of the list around the message were written".into());
        }
        Ok(message)
    }
}

/// Pages; every second one faults.
struct Pages(*mut u8);

impl Pages {
    fn new() -> Self {
        let len = (2 * SLOTS + 1) * PAGE;
        // SAFETY: fresh anonymous memory; every second page of it then becomes usable.
        unsafe {
            let at = libc::mmap(
                core::ptr::null_mut(),
                len,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(at, libc::MAP_FAILED);
            let at = at.cast::<u8>();
            for slot in 0..SLOTS {
                let page = at.add((2 * slot + 1) * PAGE);
                let rv = libc::mprotect(page.cast(), PAGE, libc::PROT_READ | libc::PROT_WRITE);
                assert_eq!(rv, 0);
                page.write_bytes(FILL, PAGE);
            }
            Self(at)
        }
    }

    fn page(&self, slot: usize) -> *mut u8 {
        assert!(slot < SLOTS);
        self.0.wrapping_add((2 * slot + 1) * PAGE)
    }

    /// Where a piece of `len` bytes lies in a slot. In even slots it is at the page's end.
    fn piece(&self, slot: usize, len: usize) -> (*mut u8, usize) {
        assert!(len <= PAGE);
        let at = if slot.is_multiple_of(2) { PAGE - len } else { 0 };
        (self.page(slot).wrapping_add(at), len)
    }

    /// Whether the bytes next to a piece are as they were.
    fn margin_intact(&self, slot: usize, len: usize) -> bool {
        let n = MARGIN.min(PAGE - len);
        let at = if slot.is_multiple_of(2) { PAGE - len - n } else { len };
        // SAFETY: within the page.
        let margin = unsafe { core::slice::from_raw_parts(self.page(slot).add(at), n) };
        margin.iter().all(|&b| b == FILL)
    }

    /// Makes the page as it was.
    fn clear(&self, slot: usize, len: usize) {
        let (at, len) = self.piece(slot, len);
        // SAFETY: within the page.
        unsafe { at.write_bytes(FILL, len) };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: our mapping; no list that names it is left.
        unsafe { libc::munmap(self.0.cast(), (2 * SLOTS + 1) * PAGE) };
    }
}

/// Memory and lists of one thread's messages.
pub(crate) struct Memory {
    input_pages: Pages,
    output_pages: Pages,
    /// For two lists over the same bytes.
    shared: Box<[u8; 16 * PAGE]>,
    input: List,
    output: List,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            input_pages: Pages::new(),
            output_pages: Pages::new(),
            shared: Box::new([FILL; 16 * PAGE]),
            input: List::new(),
            output: List::new(),
        }
    }
}

/// A message on its way.
struct Journey<'a> {
    mode: Mode,
    way: Way,
    tag_len: usize,
    shape: &'a Shape,
    verdict: Verdict,
    input: &'a [u8],
    want: &'a [u8],
}

macro_rules! expect {
    ($got:expr, $want:expr, $($what:tt)+) => {{
        let (got, want) = (&$got, &$want);
        if got != want {
            return Err(format!("{}: {got:x?}, not {want:x?}", format_args!($($what)+)));
        }
    }};
}

impl Memory {
    /// Sends `message` through in `shape` and checks everything: statuses, lengths, offsets and output;
    /// that the input is unchanged where it should be; and that nothing else was written.
    ///
    /// # Errors
    /// What was wrong.
    pub(crate) fn send(
        &mut self,
        message: &Message,
        way: Way,
        request: &mut Request,
        template: Option<&Template>,
        shape: &Shape,
    ) -> Result<(), String> {
        let (input, want) = (message.input(way), message.output(way));
        self.pass(message, way, request, template, shape, Verdict::Good, (&input, &want))
    }

    /// As [`Memory::send`], with any `input`. For a forged one, `want` is the plaintext that must not be
    /// left. What is streamed before the end may be anything.
    #[allow(clippy::too_many_arguments, reason = "a case is all of these")]
    pub(crate) fn pass(
        &mut self,
        message: &Message,
        way: Way,
        request: &mut Request,
        template: Option<&Template>,
        shape: &Shape,
        verdict: Verdict,
        (input, want): (&[u8], &[u8]),
    ) -> Result<(), String> {
        let (mode, tag_len) = (message.mode, message.tag_len);
        let journey = Journey { mode, way, tag_len, shape, verdict, input, want };
        self.lay(&journey);
        let result = self.travel(&journey, request, template);
        let settled = self.settle(&journey);
        result.and(settled)
    }

    fn lay(&mut self, journey: &Journey<'_>) {
        let Journey { shape, input, want, .. } = journey;
        let (src, dst) = (&shape.input, &shape.output);
        let slots = |(slot, len): (usize, usize), pages: &Pages| pages.piece(slot, len);
        match shape.place {
            Place::Apart | Place::Null => {
                let lengths = src.lengths(input.len(), 3);
                let pages = &self.input_pages;
                let pieces = lengths.into_iter().enumerate().map(|piece| slots(piece, pages));
                self.input.set(src.format, pieces);
                self.input.write(src.offset, input);
                let lengths = dst.lengths(want.len(), 5);
                let pages = &self.output_pages;
                let pieces = lengths.into_iter().enumerate().map(|piece| slots(piece, pages));
                self.output.set(dst.format, pieces);
                self.output.write(dst.offset, &vec![FILL; want.len()]);
            }
            Place::Twin => {
                // Both windows begin at the same byte, wherever their lists begin.
                let len = input.len().max(want.len());
                let start = self.shared.as_mut_ptr().wrapping_add(64);
                for (list, side, own) in
                    [(&mut self.output, dst, want.len()), (&mut self.input, src, input.len())]
                {
                    let mut at = start.wrapping_sub(side.offset);
                    // One byte more than needed, because an mblk offset at the very end is refused.
                    let pieces = side.lengths(own, len - own + 1).into_iter().map(|n| {
                        let piece = (at, n);
                        at = at.wrapping_add(n);
                        piece
                    });
                    list.set(side.format, pieces);
                }
                self.shared[64 - 32..64 + len + 32].fill(FILL);
                self.shared[64..64 + input.len()].copy_from_slice(input);
            }
        }
    }

    fn input(&mut self, journey: &Journey<'_>, start: usize, len: usize) -> crypto_data_t {
        self.input.data(journey.shape.input.offset + start, len)
    }

    fn output(&mut self, journey: &Journey<'_>, start: usize, len: usize) -> crypto_data_t {
        self.output.data(journey.shape.output.offset + start, len)
    }

    fn travel(
        &mut self,
        journey: &Journey<'_>,
        request: &mut Request,
        template: Option<&Template>,
    ) -> Result<(), String> {
        let &Journey { mode, way, shape, verdict, input, want, .. } = journey;
        let status = match verdict {
            Verdict::Good => CRYPTO_SUCCESS,
            Verdict::Forged(status) => status,
        };
        if let Calls::Parts(parts) = &shape.calls {
            return self.parts(journey, parts, status, request, template);
        }
        let mut src = self.input(journey, 0, input.len());
        let mut dst = self.output(journey, 0, want.len());
        let (src_offset, dst_offset) = (src.cd_offset, dst.cd_offset);
        let out = match shape.place {
            Place::Null => Out::Null,
            _ => Out::Other(&mut dst),
        };
        let rv = if let Calls::Atomic = shape.calls {
            request.atomic(way, template, &mut src, out)
        } else {
            let context = request.init(way, template);
            context.map_err(|rv| format!("init: {rv:#x}"))?.single(&mut src, out)
        };
        expect!(rv, status, "status");
        // A verification by GMAC on a context sets `cd_length` to 0, in place too.
        let verified = matches!(shape.calls, Calls::Single)
            && (mode, way, verdict) == (Mode::Gmac, Way::Decrypt, Verdict::Good);
        let stays = if verified && shape.place == Place::Null { 0 } else { input.len() };
        expect!(src.cd_length, stays, "input cd_length");
        expect!(dst.cd_length, want.len(), "output cd_length");
        expect!((src.cd_offset, dst.cd_offset), (src_offset, dst_offset), "cd_offset");
        Ok(())
    }

    fn parts(
        &mut self,
        journey: &Journey<'_>,
        parts: &[usize],
        status: c_int,
        request: &mut Request,
        template: Option<&Template>,
    ) -> Result<(), String> {
        let &Journey { mode, way, tag_len, shape, input, want, .. } = journey;
        let apart = shape.place == Place::Apart;
        let context = request.init(way, template);
        let mut context = context.map_err(|rv| format!("init: {rv:#x}"))?;
        let (mut taken, mut given) = (0, 0);
        let rest = input.len() - parts.iter().sum::<usize>();
        for (i, &n) in parts.iter().chain([&rest]).enumerate() {
            let room = want.len() - given;
            let mut src = self.input(journey, taken, n);
            let mut dst = self.output(journey, given, room);
            let rv = match shape.place {
                Place::Null => context.update(&mut src, Out::Null),
                _ => context.update(&mut src, Out::Other(&mut dst)),
            };
            let waits = taken - given;
            let whole_blocks =
                matches!(mode, Mode::Ecb | Mode::Cbc) || mode.is_aead() && way == Way::Encrypt;
            if whole_blocks && waits > 0 && n > 0 {
                // The output would begin where the waiting block did, before the input.
                let refusal = match shape.place {
                    Place::Apart => None,
                    Place::Null => Some(CRYPTO_DATA_LEN_RANGE),
                    Place::Twin => (waits + n >= 16).then_some(CRYPTO_DATA_LEN_RANGE),
                };
                if let Some(refusal) = refusal {
                    context.cancel();
                    expect!(rv, refusal, "in place behind a partial block");
                    return Err(REFUSED.into());
                }
            }
            if rv != CRYPTO_SUCCESS {
                context.cancel();
                return Err(format!("update {i} of {n} bytes behind {taken}: {rv:#x}"));
            }
            expect!(src.cd_length, n, "update {i}: input cd_length");
            taken += n;
            let reach = match (mode, way) {
                (Mode::Gmac | Mode::Cmac, _) | (Mode::Ccm, Way::Decrypt) => 0,
                (Mode::Ctr, _) => taken,
                (Mode::Gcm, Way::Decrypt) if apart => taken.saturating_sub(tag_len) & !15,
                (Mode::Gcm, Way::Decrypt) => 0,
                _ => taken & !15,
            };
            if shape.place != Place::Null && way != Way::Mac {
                let produced = dst.cd_length;
                if (given + produced) != reach {
                    context.cancel();
                    return Err(format!(
                        "update {i}: {produced} bytes behind {given}, not to {reach}"
                    ));
                }
            }
            given = reach;
        }
        let room = want.len() - given;
        let mut dst = match shape.place {
            Place::Null => self.input(journey, given, room),
            _ => self.output(journey, given, room),
        };
        let rv = context.finish(Some(&mut dst));
        expect!(rv, status, "final");
        expect!(dst.cd_length, room, "final cd_length");
        if apart && journey.verdict != Verdict::Good {
            let written = self.output.read(shape.output.offset, want.len())?;
            if written[given..].iter().any(|&b| b != FILL) {
                return Err("final of a forged message wrote".into());
            }
        }
        Ok(())
    }

    /// Checks the bytes, and makes the memory as it was.
    fn settle(&mut self, journey: &Journey<'_>) -> Result<(), String> {
        let &Journey { shape, verdict, input, want, .. } = journey;
        let good = verdict == Verdict::Good;
        let parts = matches!(shape.calls, Calls::Parts(_));
        let check = |memory: &Self| -> Result<(), String> {
            let in_place = shape.place != Place::Apart;
            if !(memory.input.untouched() && memory.output.untouched()) {
                return Err("a list was written".into());
            }
            if shape.place == Place::Twin {
                let len = input.len().max(want.len());
                let (before, behind) =
                    (&memory.shared[64 - 32..64], &memory.shared[64 + len..64 + len + 32]);
                if before.iter().chain(behind).any(|&b| b != FILL) {
                    return Err("bytes around the message were written".into());
                }
                let now = &memory.shared[64..64 + len];
                if good {
                    // After a shorter output the input's own bytes stay: a tag.
                    expect!(now[..want.len()], *want, "output");
                    if input.len() > want.len() {
                        expect!(now[want.len()..], input[want.len()..], "bytes behind the output");
                    }
                } else {
                    expect!(now[..input.len()], *input, "buffer of a forged message");
                }
                return Ok(());
            }
            for (pages, list) in
                [(&memory.input_pages, &memory.input), (&memory.output_pages, &memory.output)]
            {
                for (slot, &(_, len)) in list.pieces.iter().enumerate() {
                    if !pages.margin_intact(slot, len) {
                        return Err(format!("bytes beside piece {slot} were written"));
                    }
                }
            }
            let now = memory.input.read(shape.input.offset, input.len())?;
            let out = memory.output.read(shape.output.offset, want.len())?;
            match (in_place, good) {
                (true, true) => {
                    expect!(now[..want.len()], *want, "output");
                    expect!(now[want.len()..], input[want.len()..], "bytes behind the output");
                }
                (true, false) => expect!(now, *input, "buffer of a forged message"),
                (false, _) => expect!(now, *input, "input"),
            }
            match (in_place, good) {
                (false, true) => expect!(out, *want, "output"),
                (false, false) if parts => {}
                (false, false) => expect!(out, vec![0; want.len()], "output of a forged message"),
                (true, _) => expect!(out, vec![FILL; want.len()], "room that nobody was told of"),
            }
            Ok(())
        };
        let result = check(self);
        if shape.place != Place::Twin {
            for (pages, list) in
                [(&self.input_pages, &self.input), (&self.output_pages, &self.output)]
            {
                for (slot, &(_, len)) in list.pieces.iter().enumerate() {
                    pages.clear(slot, len);
                }
            }
        }
        result
    }
}

/// The answer of [`Memory::send`] if a part arrives in place after a partial block, and the provider
/// refused it as it must.
pub(crate) const REFUSED: &str = "refused, as it must be";
