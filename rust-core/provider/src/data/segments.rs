// SPDX-License-Identifier: MIT OR Apache-2.0
//! One cursor over the three data formats of KCF: raw, uio and mblk.
//!
//! A list is validated as a whole, with checked arithmetic, before a byte of it is touched. To walk it
//! afterwards copies nothing and allocates nothing. Neither the list nor its `crypto_data_t` is ever written,
//! only the bytes that the list names.

use core::ffi::c_void;
use core::marker::PhantomData;

use crate::env;
use crate::kcf::{
    CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, Error, Result, UIO_SYSSPACE, crypto_data_t,
    crypto_req_handle_t, iovec_t, mblk_t, uio_t,
};
use crate::watch;

/// The most empty pieces in a row that a list may contain. A longer row is a chain that loops. Chosen: no
/// real list has so many.
pub const MAX_EMPTY_PIECES: usize = 65_536;

/// The most pieces of a list that are walked, empty ones included. A longer list is a chain that loops.
/// Chosen: 1 GiB in pieces of 1 KiB.
pub const MAX_PIECES: usize = 1 << 20;

/// The most empty pieces in a row that may be walked while the FPU is held. Chosen: a run costs at least 64
/// units of a hold, so each of these pieces has 8.
const MAX_HELD_EMPTY: usize = 8;

/// The most pieces whose bytes are copied at a time. Chosen: 512 bytes in pieces of 20 are 26.
pub(crate) const FEW_PIECES: usize = 32;

/// The most pieces of two lists that are compared each with each, if their addresses do not ascend. For more
/// pieces memory is allocated. Chosen: 32 pieces with 32 are 1024 comparisons.
pub const MAX_COMPARED_PIECES: usize = 64;

/// The pieces after the current one. Two words, not an enum: an enum would be copied as a string of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rest {
    /// An [`iovec_t`]; an [`mblk_t`] or NULL if `count` has [`CHAIN`].
    next: *const c_void,
    /// The number of iovecs, at most 2^31 - 1, or [`CHAIN`]; [`SPARSE`]; and the number of cuts.
    count: usize,
}

/// The pieces are a chain. Only its end tells its length.
const CHAIN: usize = 1 << 62;

/// A row of more than [`MAX_HELD_EMPTY`] empty pieces exists.
const SPARSE: usize = 1 << 63;

/// Where the number of cuts in a [`CUT_UNIT`] of the window is, at most [`MOST_CUTS`].
const CUTS_SHIFT: u32 = 40;
const MOST_CUTS: usize = 0xfff;

/// Bytes in which the cuts of a list are counted. Chosen: a page.
pub(crate) const CUT_UNIT: usize = 4096;

/// Fewer cuts in a [`CUT_UNIT`] count as none. Chosen: no step asks whether they are fewer (asserted in
/// `step.rs`).
pub(crate) const LEAST_CUTS: usize = 16;

impl Rest {
    /// The next piece of the list, which may be empty; `None` at the end of the list.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn piece(&mut self) -> Option<(*mut u8, usize)> {
        watch::piece();
        if self.count & CHAIN != 0 {
            // SAFETY: NULL, or a readable block of the chain.
            let mp = unsafe { self.next.cast::<mblk_t>().as_ref() }?;
            self.next = mp.b_cont.cast();
            // If the end lies before the beginning, this is an impossible length.
            Some((mp.b_rptr, mp.b_wptr.addr().wrapping_sub(mp.b_rptr.addr())))
        } else {
            if self.count as u32 == 0 {
                return None;
            }
            self.count -= 1;
            let at = self.next.cast::<iovec_t>();
            self.next = at.wrapping_add(1).cast();
            // SAFETY: one of `count` readable iovecs.
            let iov = unsafe { *at };
            Some((iov.iov_base.cast(), iov.iov_len))
        }
    }

    /// The next piece that is not empty; an empty one at the end of the list. Counts the pieces in `passed`,
    /// and notes whether the list is [`SPARSE`]. `None` if a piece is impossible, or too many are empty or
    /// passed.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn bytes(&mut self, passed: &mut usize) -> Option<(*mut u8, usize)> {
        // SAFETY: the caller's contract.
        let Some((mut base, mut n)) = (unsafe { self.piece() }) else { return Some(END) };
        *passed += 1;
        if n == 0 {
            // A copy, so that `self` can stay in registers.
            let (mut rest, mut empty) = (*self, 1);
            // SAFETY: the caller's contract.
            (base, n) = unsafe { rest.behind_empty(&mut empty) };
            *self = rest;
            *passed += empty;
            if empty > MAX_HELD_EMPTY {
                self.count |= SPARSE;
            }
            if n == 0 {
                return (*passed <= MAX_PIECES).then_some(END);
            }
        }
        let sound = n <= isize::MAX as usize && exists(base, n) && *passed <= MAX_PIECES;
        sound.then_some((base, n))
    }

    /// The same for a list whose pieces are all known to be sound.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn next_bytes(&mut self) -> (*mut u8, usize) {
        // SAFETY: the caller's contract.
        match unsafe { self.piece() } {
            Some((_, 0)) => {
                let mut rest = *self;
                // SAFETY: the caller's contract.
                let (base, n) = unsafe { rest.behind_empty(&mut 1) };
                *self = rest;
                if base.is_null() { END } else { (base, n) }
            }
            piece => piece.unwrap_or(END),
        }
    }

    /// The next piece that is not empty, after `empty` empty ones, which it counts; an empty piece at the end
    /// of the list. If too many are empty, an impossible one. Two words, which are returned in registers.
    ///
    /// # Safety
    /// The list is readable.
    #[cold]
    #[inline(never)]
    unsafe fn behind_empty(&mut self, empty: &mut usize) -> (*mut u8, usize) {
        // SAFETY: the caller's contract.
        while let Some((base, n)) = unsafe { self.piece() } {
            if n > 0 {
                return (base, n);
            }
            *empty += 1;
            if *empty > MAX_EMPTY_PIECES {
                return (core::ptr::null_mut(), usize::MAX);
            }
        }
        END
    }
}

/// The piece at the end of a list.
const END: (*mut u8, usize) = (core::ptr::null_mut(), 0);

/// The pieces of a uio, and how many they are; `None` for a uio in user space, or one without a list.
#[inline(always)]
fn iovecs(uio: &uio_t) -> Option<(*const iovec_t, usize)> {
    let count = u32::try_from(uio.uio_iovcnt).ok()?;
    let sound = uio.uio_segflg == UIO_SYSSPACE && (count == 0 || !uio.uio_iov.is_null());
    sound.then_some((uio.uio_iov.cast_const(), count as usize))
}

/// Whether `len` bytes can exist at `base`: not at NULL, nor past the end of the address space.
#[inline(always)]
pub fn exists(base: *const u8, len: usize) -> bool {
    // `base + len` is at most `usize::MAX`. For NULL the left side is `usize::MAX`.
    len == 0 || base.addr().wrapping_sub(1) < !len
}

/// The lowest address of a window and one past its highest, or wider.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    low: usize,
    high: usize,
}

impl Extent {
    /// Of no bytes.
    pub(super) const NONE: Self = Self { low: usize::MAX, high: 0 };

    #[inline(always)]
    fn widen(&mut self, start: *mut u8, len: usize) {
        self.low = self.low.min(start.addr());
        self.high = self.high.max(start.addr() + len);
    }

    /// Whether windows of these extents share no byte.
    #[inline(always)]
    pub(super) fn apart(self, other: Self) -> bool {
        self.high <= other.low || other.high <= self.low
    }
}

/// A list has fewer bytes than when it was opened: somebody has changed it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

impl From<Short> for Error {
    fn from(_: Short) -> Self {
        Self::GENERAL_ERROR
    }
}

/// The bytes `cd_offset .. cd_offset + length` of a list, read or written from the front.
///
/// Invariant: `current` is valid for `here` bytes, which is 0 only at the end.
#[derive(Clone)]
pub struct Segments<'a> {
    current: *mut u8,
    /// Bytes of the window in the current piece.
    here: usize,
    /// Bytes of the window in the pieces after the current one.
    behind: usize,
    rest: Rest,
    _borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Segments<'a> {
    /// A window without bytes.
    #[inline(always)]
    pub fn empty() -> Self {
        Self::raw(core::ptr::dangling_mut(), 0)
    }

    /// All of `bytes`.
    pub fn from_mut(bytes: &'a mut [u8]) -> Self {
        Self::raw(bytes.as_mut_ptr(), bytes.len())
    }

    /// `len` bytes at `base`.
    #[inline(always)]
    pub(super) fn raw(base: *mut u8, len: usize) -> Self {
        let rest = Rest { next: core::ptr::dangling(), count: 0 };
        Self { current: base, here: len, behind: 0, rest, _borrow: PhantomData }
    }

    /// The checks of a window of `len` bytes that need no walk. Returns the beginning of its list or, for a
    /// raw buffer, of its bytes.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Safety
    /// As there.
    #[inline(never)]
    unsafe fn admit(data: &crypto_data_t, len: usize, short: Error) -> Result<Rest> {
        let offset = usize::try_from(data.cd_offset).map_err(|_| Error::ARGUMENTS_BAD)?;
        let end = offset.checked_add(len).ok_or(Error::ARGUMENTS_BAD)?;
        match data.cd_format {
            CRYPTO_DATA_RAW => {
                // SAFETY: the format says which member is set.
                let iov = unsafe { data.cdu.cdu_raw };
                if end > iov.iov_len {
                    return Err(short);
                }
                let base = iov.iov_base.cast::<u8>();
                if len > 0 && !exists(base, end) {
                    return Err(Error::ARGUMENTS_BAD);
                }
                Ok(Rest { next: base.wrapping_add(offset).cast(), count: 0 })
            }
            CRYPTO_DATA_UIO => {
                // SAFETY: the format says which member is set; a uio that is not NULL is readable.
                let uio = unsafe { data.cdu.cdu_uio.as_ref() }.ok_or(Error::ARGUMENTS_BAD)?;
                match iovecs(uio) {
                    // The list is not checked.
                    _ if len == 0 && uio.uio_segflg == UIO_SYSSPACE => {
                        Ok(Rest { next: core::ptr::dangling(), count: 0 })
                    }
                    Some((next, count)) => Ok(Rest { next: next.cast(), count }),
                    None => Err(Error::ARGUMENTS_BAD),
                }
            }
            CRYPTO_DATA_MBLK => {
                // SAFETY: the format says which member is set.
                Ok(Rest { next: unsafe { data.cdu.cdu_mp }.cast(), count: CHAIN })
            }
            _ => Err(Error::ARGUMENTS_BAD),
        }
    }

    /// The first piece of a list, if the list has one and nothing is wrong with it.
    ///
    /// # Safety
    /// As [`open`](Self::open).
    #[inline(always)]
    pub(super) unsafe fn first_piece(data: &crypto_data_t) -> Option<(*mut u8, usize)> {
        let mut rest = match data.cd_format {
            CRYPTO_DATA_UIO => {
                // SAFETY: the format says which member is set; a uio that is not NULL is readable.
                let (next, count) = iovecs(unsafe { data.cdu.cdu_uio.as_ref() }?)?;
                Rest { next: next.cast(), count }
            }
            // SAFETY: as above.
            CRYPTO_DATA_MBLK => Rest { next: unsafe { data.cdu.cdu_mp }.cast(), count: CHAIN },
            _ => return None,
        };
        // SAFETY: the caller's contract.
        let (base, n) = unsafe { rest.piece() }?;
        (n <= isize::MAX as usize && exists(base, n)).then_some((base, n))
    }

    /// Refuses a window that [`open`](Self::open) would refuse without a walk.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn refuse(data: &crypto_data_t, len: usize, short: Error) -> Result<()> {
        // SAFETY: the caller's contract.
        unsafe { Self::admit(data, len, short) }.map(|_| ())
    }

    /// Becomes the window of `len` bytes after `cd_offset`, and adds it to `extent`. If that fails, the value
    /// must not be used. In place, because a returned window is copied, word by word, more than once. A list
    /// is walked until `len` bytes after the offset are seen. With `len` 0 the offset itself must still be
    /// inside an mblk, as in the reference.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD`: unknown format, negative offset, offset and length that overflow, a uio in
    /// user space, a malformed piece, a chain that loops. `short`: the buffer or list ends before.
    ///
    /// # Safety
    /// The list is readable for `'a`, and the bytes it names are readable or writable.
    #[inline(never)]
    pub(super) unsafe fn open(
        &mut self,
        data: &crypto_data_t,
        len: usize,
        short: Error,
        extent: &mut Extent,
    ) -> Result<()> {
        // SAFETY: the caller's contract.
        let mut rest = unsafe { Self::admit(data, len, short) }?;
        if data.cd_format == CRYPTO_DATA_RAW {
            *self = Self::raw(rest.next.cast_mut().cast(), len);
            extent.widen(self.current, len);
            return Ok(());
        }
        if len == 0 && data.cd_format == CRYPTO_DATA_UIO {
            *self = Self::empty();
            return Ok(());
        }
        watch::walk();
        let (mut skip, mut passed) = (data.cd_offset as usize, 0);
        let (start, bytes) = loop {
            // SAFETY: the caller's contract.
            let (base, n) = unsafe { rest.bytes(&mut passed) }.ok_or(Error::ARGUMENTS_BAD)?;
            if n > skip {
                break (base.wrapping_add(skip), n - skip);
            }
            if n == 0 {
                return Err(short);
            }
            skip -= n;
        };
        let here = bytes.min(len);
        let mut missing = len - here;
        *self = Self { current: start, here, behind: missing, rest, _borrow: PhantomData };
        let mut seen = *extent;
        seen.widen(start, bytes);
        while missing > 0 {
            // SAFETY: the caller's contract.
            let (base, n) = unsafe { rest.bytes(&mut passed) }.ok_or(Error::ARGUMENTS_BAD)?;
            if n == 0 {
                return Err(short);
            }
            seen.widen(base, n);
            missing = missing.saturating_sub(n);
        }
        self.rest.count |= rest.count & SPARSE | cuts(passed, len) << CUTS_SHIFT;
        *extent = seen;
        Ok(())
    }

    /// Whether a walk over a few pieces may be long because of empty pieces between them. The FPU must not be
    /// held meanwhile.
    #[inline(always)]
    pub(super) fn sparse(&self) -> bool {
        self.rest.count & SPARSE != 0
    }

    /// Cuts in a [`CUT_UNIT`], on the average of the window that was opened; 0 for one or two pieces.
    #[inline(always)]
    pub(super) fn cuts(&self) -> usize {
        self.rest.count >> CUTS_SHIFT & MOST_CUTS
    }

    /// Passes the next bytes, at most `len` and of at most [`FEW_PIECES`] pieces, to `each`, piece by piece: the
    /// address, the place among these bytes, and how many there are. Advances past them. Returns how many.
    #[inline(always)]
    pub(super) fn few(&mut self, len: usize, mut each: impl FnMut(*mut u8, usize, usize)) -> usize {
        // Local variables, which stay in registers.
        let Self { mut current, mut here, mut behind, mut rest, .. } = *self;
        let (mut done, mut pieces) = (0, FEW_PIECES);
        loop {
            let n = here.min(len - done);
            each(current, done, n);
            done += n;
            here -= n;
            current = current.wrapping_add(n);
            if here > 0 || behind == 0 {
                break;
            }
            // As in `load`.
            // SAFETY: the list is readable for `'a`, by the contract of the constructors.
            let (base, bytes) = unsafe { rest.next_bytes() };
            here = bytes.min(behind);
            behind = if bytes == 0 { 0 } else { behind - here };
            current = base;
            pieces -= 1;
            if pieces == 0 || here == 0 {
                break;
            }
        }
        *self = Self { current, here, behind, rest, _borrow: PhantomData };
        done
    }

    /// Bytes left.
    pub fn left(&self) -> usize {
        self.here + self.behind
    }

    /// The bytes at the front that are contiguous.
    pub(super) fn contiguous(&self) -> (*mut u8, usize) {
        (self.current, self.here)
    }

    /// Cuts the window down to its first `len` bytes.
    pub(super) fn limit(&mut self, len: usize) {
        let left = self.left().min(len);
        self.here = self.here.min(len);
        self.behind = left - self.here;
    }

    /// Drops the first `n` bytes (all, if there are fewer).
    #[inline(always)]
    pub fn advance(&mut self, n: usize) {
        match self.here.checked_sub(n) {
            Some(here) if here > 0 || self.behind == 0 => {
                self.current = self.current.wrapping_add(n);
                self.here = here;
            }
            _ => self.advance_over_pieces(n),
        }
    }

    #[inline(never)]
    fn advance_over_pieces(&mut self, mut n: usize) {
        while n >= self.here && self.behind > 0 {
            n -= self.here;
            self.load();
        }
        self.advance_within(n.min(self.here));
    }

    /// Drops the contiguous bytes and returns their address and number.
    #[inline(never)]
    fn pop(&mut self) -> (*mut u8, usize) {
        let piece = self.contiguous();
        self.advance_within(piece.1);
        piece
    }

    /// Drops the first `n` of the contiguous bytes.
    #[inline(always)]
    pub(super) fn advance_within(&mut self, n: usize) {
        self.current = self.current.wrapping_add(n);
        self.here -= n;
        if self.here == 0 && self.behind > 0 {
            self.load();
        }
    }

    /// Makes the next piece that is not empty the current one.
    #[inline(always)]
    fn load(&mut self) {
        // SAFETY: the list is readable for `'a`, by the contract of the constructors.
        let (base, len) = unsafe { self.rest.next_bytes() };
        self.current = base;
        self.here = len.min(self.behind);
        self.behind -= self.here;
        if len == 0 {
            // The list was valid when it was opened, so somebody has cut it since. Any request for the
            // missing bytes now fails.
            self.behind = 0;
        }
    }

    /// Whether both are at the same place of the same list.
    #[inline(always)]
    pub(super) fn same_place(&self, other: &Self) -> bool {
        let window = MOST_CUTS << CUTS_SHIFT;
        core::ptr::eq(self.current, other.current)
            && self.rest.next == other.rest.next
            && (self.rest.count ^ other.rest.count) & !window == 0
    }

    /// Copies out as many bytes as fit and are left, and advances past them. Returns how many.
    pub fn gather(&mut self, mut to: &mut [u8]) -> usize {
        let mut copied = 0;
        loop {
            let n = to.len().min(self.here);
            if n == 0 {
                return copied;
            }
            // SAFETY: `n` bytes are valid at `current`, and `to` is a buffer of our own.
            unsafe { core::ptr::copy_nonoverlapping(self.current, to.as_mut_ptr(), n) };
            // Never out of range.
            to = to.get_mut(n..).unwrap_or_default();
            copied += n;
            self.advance(n);
        }
    }

    /// Copies bytes in and advances past them.
    ///
    /// # Errors
    /// [`Short`]
    #[inline]
    pub fn scatter(&mut self, from: &[u8]) -> core::result::Result<(), Short> {
        match <&[u8; 16]>::try_from(from) {
            // A tag.
            Ok(block) if self.here >= block.len() => {
                // SAFETY: the bytes of a block are writable at `current`.
                unsafe { self.current.cast::<[u8; 16]>().write(*block) };
                self.advance(block.len());
                Ok(())
            }
            _ => self.scatter_any(from),
        }
    }

    #[inline(never)]
    fn scatter_any(&mut self, mut from: &[u8]) -> core::result::Result<(), Short> {
        while !from.is_empty() {
            let n = from.len().min(self.here);
            if n == 0 {
                return Err(Short);
            }
            // SAFETY: `n` bytes are writable at `current`, and `from` is a buffer of our own.
            unsafe { copy_text(from.as_ptr(), self.current, n) };
            // Never out of range.
            from = from.get(n..).unwrap_or_default();
            self.advance(n);
        }
        Ok(())
    }

    /// How the bytes left here and those of `other` share memory.
    ///
    /// # Errors
    /// `HOST_MEMORY`: two lists of more than [`MAX_COMPARED_PIECES`] pieces, whose addresses do not
    /// ascend, need 16 bytes for each piece, as `req` allows.
    #[inline(always)]
    pub fn overlap(&self, other: &Self, req: crypto_req_handle_t) -> Result<Overlap> {
        if self.here == 0 || other.here == 0 {
            return Ok(Overlap::None);
        }
        if self.behind == 0 && other.behind == 0 {
            let ((a, n), (b, m)) = (self.contiguous(), other.contiguous());
            return Ok(Overlap::of(a.addr(), n, b.addr(), m, 0, 0));
        }
        self.overlap_of_lists(other, req)
    }

    /// [`overlap`](Self::overlap) if a side has several pieces.
    ///
    /// Two numbers decide: `alike`, the bytes that are at the same place in both, and `shared`, the bytes
    /// that are anywhere in both. `alike` takes one walk. `shared` takes the pieces in the order of their
    /// addresses, so the cases that do not need it come first. If no shared byte is twice in a list
    /// (`sound`):
    ///
    /// | shared | |
    /// |---|---|
    /// | 0 | `None` |
    /// | = alike | `Exact`: each shared byte is at the same place |
    /// | > alike | `Partial` |
    ///
    /// If a byte is twice in one list and also in the other, it cannot be at the same place both times:
    /// `Partial`.
    #[inline(never)]
    fn overlap_of_lists(&self, other: &Self, req: crypto_req_handle_t) -> Result<Overlap> {
        watch::walk();
        // 1. The same list from the same place on.
        if self.same_place(other) {
            return Ok(Overlap::Exact);
        }
        // 2. All of the shorter list is at the same places of the longer one.
        let alike = self.alike(other);
        if alike == self.left().min(other.left()) {
            return Ok(Overlap::Exact);
        }
        // 3. One lies above the other.
        let (mut pieces, mut ascend) = (0, true);
        let from = self.shape(&mut pieces, &mut ascend);
        let first = pieces;
        let to = other.shape(&mut pieces, &mut ascend);
        if from.apart(to) {
            return Ok(Overlap::None);
        }
        // 4. In the order of the addresses: as in the lists, or each piece with each, or by a heap.
        let mut sweep = Sweep::default();
        let sound = if ascend {
            sweep.merge(self, other)
        } else if pieces <= MAX_COMPARED_PIECES || first == 1 || first + 1 == pieces {
            return Ok(self.overlap_of_pieces(other));
        } else {
            sweep.sort([self, other], pieces, req)?
        };
        Ok(match sweep.shared {
            0 if sound => Overlap::None,
            shared if sound && shared == alike => Overlap::Exact,
            _ => Overlap::Partial,
        })
    }

    /// The number of bytes that are at the same place in both windows.
    #[inline(always)]
    fn alike(&self, other: &Self) -> usize {
        let (mut a, mut b, mut alike) = (self.walk(), other.walk(), 0);
        while a.here > 0 && b.here > 0 {
            let n = a.here.min(b.here);
            alike += if a.current == b.current { n } else { 0 };
            a.advance_over_pieces(n);
            b.advance_over_pieces(n);
        }
        alike
    }

    /// Compares each piece with each of `other`. The worst pair of pieces decides.
    ///
    /// ```text
    ///  window   |----- place -----|------ piece ------|
    ///  memory                     at                  at + n
    /// ```
    ///
    /// Byte `at + i` of memory is byte `place + i` of the window. So if two pieces share bytes, these are at
    /// the same place exactly if `at - place` is the same in both.
    #[inline(never)]
    fn overlap_of_pieces(&self, other: &Self) -> Overlap {
        let (mut found, mut a) = (Overlap::None, self.walk());
        while a.here > 0 {
            let place = self.left() - a.left();
            let (at, n) = a.pop();
            let mut b = other.walk();
            while b.here > 0 {
                let other_place = other.left() - b.left();
                let (other_at, m) = b.pop();
                match Overlap::of(at.addr(), n, other_at.addr(), m, place, other_place) {
                    Overlap::None => {}
                    Overlap::Exact => found = Overlap::Exact,
                    Overlap::Partial => return Overlap::Partial,
                }
            }
        }
        found
    }

    /// The extent. Adds the number of pieces to `pieces`, and clears `ascend` unless each piece lies above
    /// the one before.
    #[inline(never)]
    fn shape(&self, pieces: &mut usize, ascend: &mut bool) -> Extent {
        let (mut extent, mut list) = (Extent::NONE, self.walk());
        while list.here > 0 {
            let (at, n) = list.pop();
            *ascend &= at.addr() >= extent.high;
            *pieces += 1;
            extent.widen(at, n);
        }
        extent
    }

    /// A copy, for a walk of its own. Never inlined: an inlined copy is longer.
    #[inline(never)]
    fn walk(&self) -> Self {
        self.clone()
    }
}

/// Cuts in a [`CUT_UNIT`], if `len` bytes are in `pieces`; 0 if they are fewer than [`LEAST_CUTS`]. One cut does
/// not count: two short pieces take a kernel less time than copies of them. Measured: CBC decryption of 48 bytes in two, 118 and 127 ns (Sapphire Rapids,
/// `make consumers`).
#[inline(always)]
fn cuts(pieces: usize, len: usize) -> usize {
    // Of 32 bits: a division of 64 bits takes longer. The cuts do not overflow, because they are fewer than
    // `MAX_PIECES`. The length does not either: where it is divided by, it is at most 256 bytes a cut.
    const { assert!(MAX_PIECES * CUT_UNIT <= 1 << 32) };
    let cuts = pieces.saturating_sub(2);
    // Most lists need no division.
    if cuts * (CUT_UNIT / LEAST_CUTS) < len {
        return 0;
    }
    let cuts = (cuts as u32 * CUT_UNIT as u32).checked_div(len as u32).unwrap_or_default();
    cuts.min(MOST_CUTS as u32) as usize
}

/// Defines a function that copies as many bytes as its name says, `at` bytes after `from`, to as many after `to`.
/// In assembler, so that the text goes through one register only: not through a vector register, which nobody
/// might wipe, nor through the stack, as it does in code that is not optimised. Miri runs no assembler.
macro_rules! copy_word {
    ($name:ident, $len:literal: $x86:literal, $arm:literal) => {
        #[inline(always)]
        unsafe fn $name(from: *const u8, to: *mut u8, at: usize) {
            // SAFETY: the caller promises that the bytes are readable and writable.
            unsafe {
                if cfg!(miri) {
                    return to.add(at).copy_from_nonoverlapping(from.add(at), $len);
                }
                #[cfg(target_arch = "x86_64")]
                core::arch::asm!(
                    $x86,
                    from = in(reg) from,
                    to = in(reg) to,
                    at = in(reg) at,
                    word = out(reg) _,
                    options(nostack, preserves_flags),
                );
                #[cfg(target_arch = "aarch64")]
                core::arch::asm!(
                    $arm,
                    from = in(reg) from,
                    to = in(reg) to,
                    at = inout(reg) at => _,
                    word = out(reg) _,
                    options(nostack, preserves_flags),
                );
            }
        }
    };
}
copy_word!(copy_16, 16:
    "mov {word}, [{from} + {at}]
     mov [{to} + {at}], {word}
     mov {word}, [{from} + {at} + 8]
     mov [{to} + {at} + 8], {word}",
    "ldr {word}, [{from}, {at}]
     str {word}, [{to}, {at}]
     add {at}, {at}, #8
     ldr {word}, [{from}, {at}]
     str {word}, [{to}, {at}]");
copy_word!(copy_8, 8:
    "mov {word}, [{from} + {at}]
     mov [{to} + {at}], {word}",
    "ldr {word}, [{from}, {at}]
     str {word}, [{to}, {at}]");
copy_word!(copy_4, 4:
    "mov {word:e}, [{from} + {at}]
     mov [{to} + {at}], {word:e}",
    "ldr {word:w}, [{from}, {at}]
     str {word:w}, [{to}, {at}]");
copy_word!(copy_1, 1:
    "movzx {word:e}, byte ptr [{from} + {at}]
     mov [{to} + {at}], {word:l}",
    "ldrb {word:w}, [{from}, {at}]
     strb {word:w}, [{to}, {at}]");

/// Copies a few bytes by words, of which the last overlaps the one before: to call memcpy would take as long.
///
/// # Safety
/// `len` bytes are readable at `from` and writable at `to`, and the two are disjoint.
#[inline(always)]
pub(super) unsafe fn copy_few(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's contract; no word reaches beyond the bytes.
    unsafe {
        if len >= 16 {
            let mut at = 0;
            while at + 16 < len {
                copy_16(from, to, at);
                at += 16;
            }
            copy_16(from, to, len - 16);
        } else if len >= 8 {
            copy_8(from, to, 0);
            copy_8(from, to, len - 8);
        } else if len >= 4 {
            copy_4(from, to, 0);
            copy_4(from, to, len - 4);
        } else {
            for at in 0..len {
                copy_1(from, to, at);
            }
        }
    }
}

/// Finds what two lists share, from their pieces in the order of their addresses. Two pieces share a byte if
/// the one that begins first ends after the other's beginning.
#[derive(Default)]
struct Sweep {
    /// For each list, the highest end of the pieces so far, and the second highest.
    ends: [[usize; 2]; 2],
    /// Bytes that the lists share.
    shared: usize,
}

/// A piece of one of two lists, stored in memory of our own.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    /// Its length, with [`SECOND`]. No piece is longer than `isize::MAX`.
    len: usize,
}

/// The piece belongs to the second list.
const SECOND: usize = 1 << 63;

impl Sweep {
    /// Takes the next piece. Returns `false` if a byte of one list is twice in the other: it cannot be at the
    /// same place both times.
    #[inline(always)]
    fn next(&mut self, Place { at, len }: Place) -> bool {
        let [first, second] = &mut self.ends;
        let (own, other) = if len & SECOND != 0 { (second, first) } else { (first, second) };
        let end = at + (len & !SECOND);
        let ([highest, below], [other, other_below]) = (own, *other);
        if other > at {
            if *highest > at || other_below > at {
                return false;
            }
            self.shared += end.min(other) - at;
        }
        *below = (*highest).min(end).max(*below);
        *highest = end.max(*highest);
        true
    }

    /// Two lists whose addresses ascend.
    fn merge<'a>(&mut self, a: &Segments<'a>, b: &Segments<'a>) -> bool {
        let (mut a, mut b, mut sound) = (a.walk(), b.walk(), true);
        while a.here > 0 || b.here > 0 {
            let second = a.here == 0 || b.here > 0 && b.current < a.current;
            let (list, which) = if second { (&mut b, SECOND) } else { (&mut a, 0) };
            let (at, len) = list.pop();
            sound &= self.next(Place { at: at.addr(), len: len | which });
        }
        sound
    }

    /// Two lists of `pieces` in all, by a heap of the pieces with the lowest at its top.
    fn sort(
        &mut self,
        lists: [&Segments<'_>; 2],
        pieces: usize,
        req: crypto_req_handle_t,
    ) -> Result<bool> {
        let bytes = pieces * size_of::<Place>();
        let block = env::alloc(bytes, env::kmflag(req)).ok_or(Error::HOST_MEMORY)?;
        let heap = block.cast::<Place>().as_ptr();
        let (mut n, mut which) = (0, 0);
        for list in lists {
            let mut list = list.walk();
            while list.here > 0 && n < pieces {
                let (at, len) = list.pop();
                // SAFETY: the block has room for `pieces` at their alignment of 8, and this is the n-th of
                // them.
                unsafe { heap.add(n).write(Place { at: at.addr(), len: len | which }) };
                n += 1;
            }
            which = SECOND;
        }
        let mut sound = true;
        // First make the heap: sift each place down, from the last one that has children to the first. Then
        // take the top, n times, and each time sift the last place down from the top.
        for i in (0..n + n / 2).rev() {
            let (mut root, end) = if i >= n { (i - n, n) } else { (0, i) };
            // SAFETY: `root`, `child` and its neighbour are less than `n`, and the first `n` places are set.
            unsafe {
                let moved = if i >= n { *heap.add(root) } else { *heap.add(i) };
                if i < n {
                    sound &= self.next(*heap);
                }
                loop {
                    let mut child = 2 * root + 1;
                    if child >= end {
                        break;
                    }
                    if child + 1 < end && (*heap.add(child + 1)).at < (*heap.add(child)).at {
                        child += 1;
                    }
                    if moved.at <= (*heap.add(child)).at {
                        break;
                    }
                    *heap.add(root) = *heap.add(child);
                    root = child;
                }
                *heap.add(root) = moved;
            }
        }
        // SAFETY: it came from `alloc` with this size, and is not used again.
        unsafe { env::free(block, bytes) };
        Ok(sound)
    }
}

/// Copies plaintext that was kept back, after the FPU was given back. It may not use vector registers, as the
/// `memcpy` of a program would: nobody would wipe them.
///
/// # Safety
/// `len` bytes are readable at `from` and writable at `to`, and the two are disjoint.
unsafe fn copy_text(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's contract; the direction flag is clear, by the ABI.
    unsafe {
        // Miri runs no assembler.
        if cfg!(miri) {
            return to.copy_from_nonoverlapping(from, len);
        }
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!(
            "b 3f",
            "2:",
            "ldrb {byte:w}, [{from}], #1",
            "strb {byte:w}, [{to}], #1",
            "sub {len}, {len}, #1",
            "3:",
            "cbnz {len}, 2b",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            len = inout(reg) len => _,
            byte = out(reg) _,
            options(nostack, preserves_flags),
        );
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!(
            "rep movsb",
            inout("rsi") from => _,
            inout("rdi") to => _,
            inout("rcx") len => _,
            options(nostack, preserves_flags),
        );
    }
}

/// How two windows share memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Not one byte.
    None,
    /// Every shared byte is at the same place in both.
    Exact,
    /// A byte is at different places in the two.
    Partial,
}

impl Overlap {
    /// For one piece at address `a` and one at `b`, which begin at `a_place` and `b_place` of their windows.
    #[inline(always)]
    pub(super) fn of(
        a: usize,
        a_len: usize,
        b: usize,
        b_len: usize,
        a_place: usize,
        b_place: usize,
    ) -> Self {
        if a.wrapping_add(a_len) <= b || b.wrapping_add(b_len) <= a {
            Self::None
        } else if a.wrapping_sub(a_place) == b.wrapping_sub(b_place) {
            Self::Exact
        } else {
            Self::Partial
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of pieces, none empty, over addresses that nobody touches.
    fn window(list: &[iovec_t]) -> Segments<'_> {
        let [first, behind @ ..] = list else { return Segments::empty() };
        Segments {
            current: first.iov_base.cast(),
            here: first.iov_len,
            behind: behind.iter().map(|piece| piece.iov_len).sum(),
            rest: Rest { next: behind.as_ptr().cast(), count: behind.len() },
            _borrow: PhantomData,
        }
    }

    fn list(pieces: &[(usize, usize)]) -> Vec<iovec_t> {
        let piece = |&(at, iov_len): &(usize, usize)| iovec_t {
            iov_base: core::ptr::without_provenance_mut(0x1000 + at),
            iov_len,
        };
        pieces.iter().map(piece).collect()
    }

    /// Compares each byte of one list with each of the other.
    fn by_bytes(a: &[(usize, usize)], b: &[(usize, usize)]) -> Overlap {
        let bytes = |list: &[(usize, usize)]| -> Vec<usize> {
            list.iter().flat_map(|&(at, len)| at..at + len).collect()
        };
        let (a, b) = (bytes(a), bytes(b));
        let shared = || {
            a.iter().enumerate().flat_map(|(i, x)| {
                b.iter().enumerate().filter(move |&(_, y)| x == y).map(move |(j, _)| i == j)
            })
        };
        match (shared().next(), shared().all(|same| same)) {
            (None, _) => Overlap::None,
            (_, true) => Overlap::Exact,
            _ => Overlap::Partial,
        }
    }

    /// Compares every method with the definition. One more case may be `Exact`: all that both lists have is
    /// the same, even if they name bytes twice.
    fn check(a: &[(usize, usize)], b: &[(usize, usize)]) -> Overlap {
        let (first, second, none) = (list(a), list(b), core::ptr::null_mut());
        let (x, y) = (window(&first), window(&second));
        let want = by_bytes(a, b);
        let of = |sweep: &Sweep, sound| match sweep.shared {
            0 if sound => Overlap::None,
            _ if !sound => Overlap::Partial,
            // All shared bytes are at the same places.
            shared if shared == alike(a, b) => Overlap::Exact,
            _ => Overlap::Partial,
        };
        assert_eq!(x.overlap_of_pieces(&y), want, "{a:?} {b:?}");
        let mut sweep = Sweep::default();
        let sound = sweep.sort([&x, &y], a.len() + b.len(), none).expect("memory");
        assert_eq!(of(&sweep, sound), want, "{a:?} {b:?}, sorted");
        let ascends = |list: &[(usize, usize)]| list.is_sorted_by(|p, q| p.0 + p.1 <= q.0);
        if ascends(a) && ascends(b) {
            let mut sweep = Sweep::default();
            let sound = sweep.merge(&x, &y);
            assert_eq!(of(&sweep, sound), want, "{a:?} {b:?}, merged");
        }
        let shorter = x.left().min(y.left());
        let said = if shorter > 0 && alike(a, b) == shorter { Overlap::Exact } else { want };
        assert_eq!(x.overlap(&y, none), Ok(said), "{a:?} {b:?}");
        want
    }

    /// Bytes at the same place of both lists and of memory.
    fn alike(a: &[(usize, usize)], b: &[(usize, usize)]) -> usize {
        let bytes = |list: &[(usize, usize)]| -> Vec<usize> {
            list.iter().flat_map(|&(at, len)| at..at + len).collect()
        };
        bytes(a).iter().zip(bytes(b)).filter(|&(&x, y)| x == y).count()
    }

    /// All lists of up to two pieces of up to three bytes, against all of up to three pieces of up to two.
    #[test]
    fn overlap_of_every_pair_of_short_lists() {
        let lists = |pieces: usize, longest: usize, places: usize| {
            let mut lists = vec![vec![]];
            for _ in 0..pieces {
                let longer: Vec<_> = lists
                    .iter()
                    .flat_map(|list| {
                        (0..places).flat_map(move |at| {
                            (1..=longest).map(move |len| [list.as_slice(), &[(at, len)]].concat())
                        })
                    })
                    .collect();
                lists.extend(longer);
                lists.sort();
                lists.dedup();
            }
            lists
        };
        let mut found = [0; 3];
        // Miri takes a thousand times as long.
        let (first, second, least) = if cfg!(miri) {
            (lists(2, 1, 2), lists(2, 2, 3), 10)
        } else {
            (lists(2, 3, 5), lists(3, 2, 4), 1000)
        };
        for a in &first {
            for b in &second {
                found[check(a, b) as usize] += 1;
            }
        }
        assert!(found.iter().all(|&n| n > least), "{found:?}");
    }

    /// Up to 200 pieces on either side, in ascending order or no order: apart, alike except for one piece, or
    /// with pieces that are named twice.
    #[test]
    fn overlap_of_long_lists() {
        let mut state = 1_u64;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 33) as usize % bound
        };
        let mut found = [0; 3];
        // Miri takes a thousand times as long.
        let (turns, longest, least) = if cfg!(miri) { (30, 12, 1) } else { (3000, 200, 100) };
        for turn in 0..turns {
            let mut sides = [vec![], vec![]];
            let mut at = 0;
            for _ in 0..below(longest) {
                let piece = (at, 1 + below(9));
                at += piece.1 + below(3);
                match below(8) {
                    0..3 => sides[0].push(piece),
                    3..6 => sides[1].push(piece),
                    6 if turn % 3 > 0 => sides.iter_mut().for_each(|side| side.push(piece)),
                    _ => {}
                }
            }
            if turn % 7 == 0 {
                let [a, b] = &mut sides;
                b.clone_from(a);
                if let Some(piece) = b.last_mut() {
                    piece.0 = at + 100;
                }
            }
            for i in (1..sides[0].len()).rev().filter(|_| turn % 2 == 0) {
                let j = below(i + 1);
                sides[0].swap(i, j);
                if turn % 7 == 0 {
                    // The same number of bytes, so that both stay alike.
                    sides[1].swap(i, j);
                }
            }
            for i in (1..sides[1].len()).rev().filter(|_| turn % 5 == 0 && turn % 7 > 0) {
                sides[1].swap(i, below(i + 1));
            }
            if turn % 11 == 0 && !sides[0].is_empty() {
                let twice = sides[0][below(sides[0].len())];
                sides[0].push(twice);
            }
            found[check(&sides[0], &sides[1]) as usize] += 1;
        }
        assert!(found.iter().all(|&n| n > least), "{found:?}");
    }
}
