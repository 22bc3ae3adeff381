// SPDX-License-Identifier: MIT OR Apache-2.0
//! One cursor over the three data formats of KCF: raw, uio and mblk.
//!
//! A list is validated as a whole, with checked arithmetic, before a byte of it is touched; walking
//! it afterwards copies nothing and allocates nothing. Neither the list nor its `crypto_data_t` is
//! ever written, only the bytes that it names.

use core::ffi::c_void;
use core::marker::PhantomData;

use crate::kcf::{
    CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, Error, Result, UIO_SYSSPACE, crypto_data_t,
    iovec_t, mblk_t,
};

/// Longest row of empty pieces that a list may contain; a longer one is a chain that loops.
pub const MAX_EMPTY_PIECES: usize = 65_536;

/// Where the pieces behind the current one are. Two words and no enum, which would be copied as a
/// string of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rest {
    /// An [`iovec_t`] or, where `count` is [`CHAIN`], an [`mblk_t`] or NULL.
    next: *const c_void,
    count: usize,
}

/// The pieces are a chain, of a length that only its end tells.
const CHAIN: usize = usize::MAX;

impl Rest {
    /// The next piece as the list has it, which may be empty; `None` at the end of the list.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn piece(&mut self) -> Option<(*mut u8, usize)> {
        if self.count == CHAIN {
            // SAFETY: NULL, or a readable block of the chain.
            let mp = unsafe { self.next.cast::<mblk_t>().as_ref() }?;
            self.next = mp.b_cont.cast();
            // Where the end lies before the beginning, a length that cannot be.
            Some((mp.b_rptr, mp.b_wptr.addr().wrapping_sub(mp.b_rptr.addr())))
        } else {
            self.count = self.count.checked_sub(1)?;
            let at = self.next.cast::<iovec_t>();
            self.next = at.wrapping_add(1).cast();
            // SAFETY: one of `count` readable iovecs.
            let iov = unsafe { *at };
            Some((iov.iov_base.cast(), iov.iov_len))
        }
    }

    /// The next piece that is not empty; at the end of the list an empty one. `None` where a piece cannot
    /// be, or too many are empty.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn bytes(&mut self) -> Option<(*mut u8, usize)> {
        // SAFETY: the caller's contract.
        let (base, n) = unsafe { self.next_bytes() }?;
        let sound = n <= isize::MAX as usize && exists(base, n);
        sound.then_some((base, n))
    }

    /// The same of a list of which all pieces are known to be sound.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn next_bytes(&mut self) -> Option<(*mut u8, usize)> {
        let mut empty = 0;
        // SAFETY: the caller's contract.
        while let Some((base, n)) = unsafe { self.piece() } {
            if n > 0 {
                return Some((base, n));
            }
            empty += 1;
            if empty > MAX_EMPTY_PIECES {
                return None;
            }
        }
        Some((core::ptr::null_mut(), 0))
    }
}

/// Whether there can be `len` bytes at `base`: not at NULL, nor past the end of the address space.
#[inline(always)]
pub fn exists(base: *const u8, len: usize) -> bool {
    len == 0 || !base.is_null() && (base as usize).checked_add(len).is_some()
}

/// Lowest address of a window and one past its highest, or wider.
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

/// The bytes `cd_offset .. cd_offset + length` of a list, read or written from the front.
///
/// Invariant: `current` is valid for `here` bytes, which is 0 only at the end.
#[derive(Clone)]
pub struct Segments<'a> {
    current: *mut u8,
    /// Bytes of the window in the current piece.
    here: usize,
    /// Bytes of the window in the pieces behind it.
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

    /// Becomes the window of `len` bytes behind `cd_offset`, and adds it to `extent`; of no use where that
    /// fails. In place, because a window that is returned is copied, word by word, more than once.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD`: unknown format, negative offset, offset and length that overflow, a uio in
    /// user space, a malformed piece, a chain that loops. `short`: the buffer or list ends before.
    ///
    /// # Safety
    /// The list is readable for `'a`, and the bytes it names are readable or writable.
    #[inline(always)]
    pub(super) unsafe fn open(
        &mut self,
        data: &crypto_data_t,
        len: usize,
        short: Error,
        extent: &mut Extent,
    ) -> Result<()> {
        let offset = usize::try_from(data.cd_offset).map_err(|_| Error::ARGUMENTS_BAD)?;
        let end = offset.checked_add(len).ok_or(Error::ARGUMENTS_BAD)?;
        if data.cd_format != CRYPTO_DATA_RAW {
            // SAFETY: the caller's contract.
            return unsafe { self.open_list(data, len, short, extent) };
        }
        // SAFETY: the format says which member is set.
        let iov = unsafe { data.cdu.cdu_raw };
        if end > iov.iov_len {
            return Err(short);
        }
        let base = iov.iov_base.cast::<u8>();
        if len > 0 && !exists(base, end) {
            return Err(Error::ARGUMENTS_BAD);
        }
        *self = Self::raw(base.wrapping_add(offset), len);
        extent.widen(self.current, len);
        Ok(())
    }

    /// [`open`](Self::open) of a uio or mblk, whose offset is not negative: walks the list until
    /// `len` bytes behind the offset are seen. With `len` 0 the offset itself must still be inside
    /// an mblk, as it must in the reference, and a chain without a block ends early.
    ///
    /// # Safety
    /// As there.
    #[inline(never)]
    unsafe fn open_list(
        &mut self,
        data: &crypto_data_t,
        len: usize,
        short: Error,
        extent: &mut Extent,
    ) -> Result<()> {
        let mut rest = match data.cd_format {
            CRYPTO_DATA_UIO => {
                // SAFETY: the format says which member is set; a uio that is not NULL is readable.
                let uio = unsafe { data.cdu.cdu_uio.as_ref() }.ok_or(Error::ARGUMENTS_BAD)?;
                if uio.uio_segflg != UIO_SYSSPACE {
                    return Err(Error::ARGUMENTS_BAD);
                }
                if len == 0 {
                    *self = Self::empty();
                    return Ok(());
                }
                let count = u32::try_from(uio.uio_iovcnt).map_err(|_| Error::ARGUMENTS_BAD)?;
                if uio.uio_iov.is_null() && count > 0 {
                    return Err(Error::ARGUMENTS_BAD);
                }
                Rest { next: uio.uio_iov.cast(), count: count as usize }
            }
            CRYPTO_DATA_MBLK => {
                // SAFETY: the format says which member is set.
                Rest { next: unsafe { data.cdu.cdu_mp }.cast(), count: CHAIN }
            }
            _ => return Err(Error::ARGUMENTS_BAD),
        };
        let mut skip = data.cd_offset as usize;
        let (start, bytes) = loop {
            // SAFETY: the caller's contract.
            let (base, n) = unsafe { rest.bytes() }.ok_or(Error::ARGUMENTS_BAD)?;
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
            let (base, n) = unsafe { rest.bytes() }.ok_or(Error::ARGUMENTS_BAD)?;
            if n == 0 {
                return Err(short);
            }
            seen.widen(base, n);
            missing = missing.saturating_sub(n);
        }
        *extent = seen;
        Ok(())
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

    /// Drops the first `n` bytes (all when there are fewer).
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
        let (base, len) = unsafe { self.rest.next_bytes() }.unwrap_or((core::ptr::null_mut(), 0));
        self.current = base;
        self.here = len.min(self.behind);
        self.behind -= self.here;
        if len == 0 {
            // The list was valid when it was opened: somebody cut it meanwhile.
            self.behind = 0;
        }
    }

    /// Whether both are at the same place of the same list.
    #[inline(always)]
    pub(super) fn same_place(&self, other: &Self) -> bool {
        core::ptr::eq(self.current, other.current) && self.rest == other.rest
    }

    /// Copies bytes out, as many as fit and are left, and advances past them; returns how many.
    pub fn gather(&mut self, mut to: &mut [u8]) -> usize {
        let mut copied = 0;
        loop {
            let n = to.len().min(self.here);
            if n == 0 {
                return copied;
            }
            // SAFETY: `n` bytes are valid at `current`, and `to` is a buffer of our own.
            unsafe { core::ptr::copy_nonoverlapping(self.current, to.as_mut_ptr(), n) };
            to = to.get_mut(n..).unwrap_or_default();
            copied += n;
            self.advance(n);
        }
    }

    /// Copies bytes in, as many as there is room for, and advances past them.
    #[inline]
    pub fn scatter(&mut self, from: &[u8]) {
        match <&[u8; 16]>::try_from(from) {
            // A tag.
            Ok(block) if self.here >= block.len() => {
                // SAFETY: so many bytes are writable at `current`.
                unsafe { self.current.cast::<[u8; 16]>().write(*block) };
                self.advance(block.len());
            }
            _ => self.scatter_any(from),
        }
    }

    #[inline(never)]
    fn scatter_any(&mut self, mut from: &[u8]) {
        loop {
            let n = from.len().min(self.here);
            if n == 0 {
                return;
            }
            // SAFETY: `n` bytes are writable at `current`, and `from` is a buffer of our own.
            unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), self.current, n) };
            from = from.get(n..).unwrap_or_default();
            self.advance(n);
        }
    }

    /// How the bytes left here and those of `other` share memory.
    #[inline(always)]
    pub fn overlap(&self, other: &Self) -> Overlap {
        let piece = |s: &Self| (s.current as usize, s.here);
        if self.here == 0 || other.here == 0 {
            return Overlap::None;
        }
        if self.behind == 0 && other.behind == 0 {
            let ((a, n), (b, m)) = (piece(self), piece(other));
            return Overlap::of(a, n, b, m, 0, 0);
        }
        self.overlap_of_lists(other)
    }

    /// [`overlap`](Self::overlap) where a side has several pieces, of which no two of the same side
    /// share a byte.
    #[inline(never)]
    fn overlap_of_lists(&self, other: &Self) -> Overlap {
        // The same list from the same place on.
        if self.current == other.current && self.rest == other.rest {
            return Overlap::Exact;
        }
        let (mut a, mut b) = (self.clone(), other.clone());
        let mut same = true;
        while a.here > 0 && b.here > 0 {
            same &= a.current == b.current;
            let n = a.here.min(b.here);
            a.advance_over_pieces(n);
            b.advance_over_pieces(n);
        }
        if same {
            return Overlap::Exact;
        }
        let (a_low, a_high, a_ascends) = self.extent();
        let (b_low, b_high, b_ascends) = other.extent();
        if a_high <= b_low || b_high <= a_low {
            Overlap::None
        } else if b_ascends {
            self.overlap_of_pieces(other, true)
        } else {
            other.overlap_of_pieces(self, a_ascends)
        }
    }

    /// Compares each piece with each of `other` or, where the addresses of those ascend, with those
    /// that it can meet: then as long as its own ascend too, `other` is walked once.
    fn overlap_of_pieces(&self, other: &Self, ascends: bool) -> Overlap {
        let mut found = Overlap::None;
        let (mut a, mut b) = (self.clone(), other.clone());
        // The pieces that `b` has left behind lie below.
        let mut passed = 0;
        while a.here > 0 {
            let (at, n) = (a.current as usize, a.here);
            if at < passed {
                b.clone_from(other);
            }
            passed = if ascends { at + n } else { usize::MAX };
            while b.here > 0 {
                let (bt, m) = (b.current as usize, b.here);
                match Overlap::of(at, n, bt, m, self.left() - a.left(), other.left() - b.left()) {
                    Overlap::None => {}
                    Overlap::Exact => found = Overlap::Exact,
                    Overlap::Partial => return Overlap::Partial,
                }
                if bt + m > passed {
                    break;
                }
                b.advance_over_pieces(m);
            }
            a.advance_over_pieces(n);
        }
        found
    }

    /// Lowest address, one past the highest, and whether each piece lies above the one before.
    fn extent(&self) -> (usize, usize, bool) {
        let (mut low, mut high, mut ascends) = (usize::MAX, 0, true);
        let mut at = self.clone();
        while at.here > 0 {
            let start = at.current as usize;
            ascends &= start >= high;
            low = low.min(start);
            high = high.max(start + at.here);
            at.advance_over_pieces(at.here);
        }
        (low, high, ascends)
    }
}

/// How two windows share memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Not one byte.
    None,
    /// Every shared byte is at the same place in both.
    Exact,
    /// A byte of the one is at another place in the other.
    Partial,
}

impl Overlap {
    /// Of one piece at address `a` and one at `b`, which begin at `a_place` and `b_place` of their
    /// windows.
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
