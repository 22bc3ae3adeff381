// SPDX-License-Identifier: MIT OR Apache-2.0
//! One cursor over the three data formats of KCF: raw, uio and mblk.
//!
//! A list is validated as a whole, with checked arithmetic, before a byte of it is touched; walking
//! it afterwards copies nothing and allocates nothing. Neither the list nor its `crypto_data_t` is
//! ever written, only the bytes that it names.

use core::marker::PhantomData;

use crate::kcf::{
    CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, Error, Result, UIO_SYSSPACE, crypto_data_t,
    iovec_t, mblk_t,
};

/// Longest row of empty pieces that a list may contain; a longer one is a chain that loops.
pub const MAX_EMPTY_PIECES: usize = 65_536;

/// Where the pieces behind the current one are.
#[derive(Clone, Copy)]
enum Rest {
    None,
    Iov { next: *const iovec_t, count: usize },
    Mblk { next: *const mblk_t },
}

impl Rest {
    /// The next piece, which may be empty; `None` at the end of the list.
    ///
    /// # Safety
    /// The list is readable.
    unsafe fn piece(&mut self) -> Option<Result<(*mut u8, usize)>> {
        let (base, len) = match self {
            Self::None => return None,
            Self::Iov { count: 0, .. } => return None,
            Self::Iov { next, count } => {
                // SAFETY: `count` iovecs are readable at `next`.
                let iov = unsafe { **next };
                *next = next.wrapping_add(1);
                *count -= 1;
                (iov.iov_base.cast::<u8>(), iov.iov_len)
            }
            Self::Mblk { next } if next.is_null() => return None,
            Self::Mblk { next } => {
                // SAFETY: `next` is a readable block of the chain.
                let (mp, rptr, wptr) =
                    unsafe { ((**next).b_cont, (**next).b_rptr, (**next).b_wptr) };
                *next = mp;
                match (wptr as usize).checked_sub(rptr as usize) {
                    Some(len) => (rptr, len),
                    None => return Some(Err(Error::ARGUMENTS_BAD)),
                }
            }
        };
        if len > isize::MAX as usize || (base.is_null() && len > 0) {
            return Some(Err(Error::ARGUMENTS_BAD));
        }
        Some(Ok((base, len)))
    }
}

/// The bytes `cd_offset .. cd_offset + length` of a list, read or written from the front.
///
/// Invariant: `current` is valid for `current_len` bytes, which is 0 only at the end.
#[derive(Clone)]
pub struct Segments<'a> {
    current: *mut u8,
    current_len: usize,
    /// Bytes of the window that are left, those of the current piece included.
    left: usize,
    rest: Rest,
    _borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Segments<'a> {
    /// A window without bytes.
    pub fn empty() -> Self {
        Self::raw(core::ptr::null_mut(), 0)
    }

    /// All of `bytes`.
    pub fn from_mut(bytes: &'a mut [u8]) -> Self {
        Self::raw(bytes.as_mut_ptr(), bytes.len())
    }

    #[inline(always)]
    fn raw(base: *mut u8, len: usize) -> Self {
        Self { current: base, current_len: len, left: len, rest: Rest::None, _borrow: PhantomData }
    }

    /// The `cd_length` bytes of an input.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD`: unknown format, negative offset, offset and length that overflow, a raw
    /// buffer that is too short, a uio in user space, a malformed piece, a chain that loops.
    /// `DATA_LEN_RANGE`: a list that ends early.
    ///
    /// # Safety
    /// The list and the bytes it names are readable for `'a`.
    #[inline(always)]
    pub unsafe fn input(data: &crypto_data_t) -> Result<Self> {
        // SAFETY: the caller's contract.
        match unsafe { Self::open(data, data.cd_length) }? {
            Some(window) => Ok(window),
            None if data.cd_format == CRYPTO_DATA_RAW => Err(Error::ARGUMENTS_BAD),
            None => Err(Error::DATA_LEN_RANGE),
        }
    }

    /// The first `needed` bytes of an output. Its list may be shorter than `cd_length`: what counts
    /// is what will be written.
    ///
    /// # Errors
    /// `Room(needed)` where `cd_length` or the list has less; otherwise as [`Segments::input`].
    ///
    /// # Safety
    /// The list is readable and the bytes it names are writable for `'a`.
    #[inline(always)]
    pub unsafe fn output(data: &crypto_data_t, needed: usize) -> Result<Self> {
        if data.cd_length < needed {
            return Err(Error::Room(needed));
        }
        if needed == 0 {
            return Ok(Self::empty());
        }
        // SAFETY: the caller's contract.
        unsafe { Self::open(data, needed) }?.ok_or(Error::Room(needed))
    }

    /// The window of `len` bytes behind `cd_offset`; `None` where the list ends before.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(always)]
    unsafe fn open(data: &crypto_data_t, len: usize) -> Result<Option<Self>> {
        let offset = usize::try_from(data.cd_offset).map_err(|_| Error::ARGUMENTS_BAD)?;
        let end = offset.checked_add(len).ok_or(Error::ARGUMENTS_BAD)?;
        let rest = match data.cd_format {
            CRYPTO_DATA_RAW => {
                // SAFETY: the format says which member is set.
                let iov = unsafe { data.cdu.cdu_raw };
                if end > iov.iov_len {
                    return Ok(None);
                }
                if iov.iov_base.is_null() && len > 0 {
                    return Err(Error::ARGUMENTS_BAD);
                }
                return Ok(Some(Self::raw(iov.iov_base.cast::<u8>().wrapping_add(offset), len)));
            }
            CRYPTO_DATA_UIO => {
                // SAFETY: the format says which member is set; a uio that is not NULL is readable.
                let uio = unsafe { data.cdu.cdu_uio.as_ref() }.ok_or(Error::ARGUMENTS_BAD)?;
                if uio.uio_segflg != UIO_SYSSPACE {
                    return Err(Error::ARGUMENTS_BAD);
                }
                if len == 0 {
                    return Ok(Some(Self::empty()));
                }
                let count = usize::try_from(uio.uio_iovcnt).map_err(|_| Error::ARGUMENTS_BAD)?;
                if uio.uio_iov.is_null() && count > 0 {
                    return Err(Error::ARGUMENTS_BAD);
                }
                Rest::Iov { next: uio.uio_iov, count }
            }
            CRYPTO_DATA_MBLK => {
                // SAFETY: the format says which member is set.
                let next = unsafe { data.cdu.cdu_mp };
                if next.is_null() {
                    return Err(Error::ARGUMENTS_BAD);
                }
                Rest::Mblk { next }
            }
            _ => return Err(Error::ARGUMENTS_BAD),
        };
        // SAFETY: the caller's contract.
        unsafe { Self::walk(rest, offset, len) }
    }

    /// Walks a list until `len` bytes behind `offset` are seen. With `len` 0 the offset itself must
    /// still be inside the list, as it must in the reference for mblk.
    ///
    /// # Safety
    /// The list is readable.
    #[inline(never)]
    unsafe fn walk(mut rest: Rest, offset: usize, len: usize) -> Result<Option<Self>> {
        let (mut skip, mut missing, mut empty) = (offset, len, 0);
        let mut window = None;
        // SAFETY: the caller's contract.
        while let Some(piece) = unsafe { rest.piece() } {
            let (base, n) = piece?;
            if n == 0 {
                empty += 1;
                if empty > MAX_EMPTY_PIECES {
                    return Err(Error::ARGUMENTS_BAD);
                }
                continue;
            }
            empty = 0;
            if skip >= n {
                skip -= n;
                continue;
            }
            let here = n - skip;
            window.get_or_insert(Self {
                current: base.wrapping_add(skip),
                current_len: here.min(len),
                left: len,
                rest,
                _borrow: PhantomData,
            });
            if here >= missing {
                return Ok(window);
            }
            missing -= here;
            skip = 0;
        }
        Ok(None)
    }

    /// Bytes left.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The bytes at the front that are contiguous.
    pub(super) fn contiguous(&self) -> (*mut u8, usize) {
        (self.current, self.current_len)
    }

    /// Cuts the window down to its first `len` bytes.
    pub fn limit(mut self, len: usize) -> Self {
        self.left = self.left.min(len);
        self.current_len = self.current_len.min(len);
        self
    }

    /// Drops the first `n` bytes (all when there are fewer).
    #[inline(always)]
    pub fn advance(&mut self, n: usize) {
        if n < self.current_len || (n == self.current_len && n == self.left) {
            self.current = self.current.wrapping_add(n);
            self.current_len -= n;
            self.left -= n;
        } else {
            self.advance_over_pieces(n);
        }
    }

    #[inline(never)]
    fn advance_over_pieces(&mut self, mut n: usize) {
        loop {
            let here = self.current_len.min(n);
            self.current = self.current.wrapping_add(here);
            self.current_len -= here;
            self.left -= here;
            n -= here;
            if self.current_len > 0 || self.left == 0 {
                return;
            }
            self.load();
            if self.current_len == 0 {
                // The list was valid when it was opened: somebody cut it meanwhile.
                self.left = 0;
                return;
            }
        }
    }

    /// Makes the next piece that is not empty the current one.
    fn load(&mut self) {
        // SAFETY: the list is readable for `'a`, by the contract of the constructors.
        while let Some(Ok((base, n))) = unsafe { self.rest.piece() } {
            if n > 0 {
                self.current = base;
                self.current_len = n.min(self.left);
                return;
            }
        }
    }

    /// Copies bytes out, as many as fit and are left, and advances past them; returns how many.
    pub fn gather(&mut self, mut to: &mut [u8]) -> usize {
        let mut copied = 0;
        loop {
            let n = to.len().min(self.current_len);
            if n == 0 {
                return copied;
            }
            // SAFETY: `n` bytes are valid at `current`, and `to` is a buffer of our own; as in
            // `scatter`.
            unsafe {
                match n {
                    16 => core::ptr::copy_nonoverlapping(self.current, to.as_mut_ptr(), 16),
                    _ => core::ptr::copy_nonoverlapping(self.current, to.as_mut_ptr(), n),
                }
            }
            to = to.get_mut(n..).unwrap_or_default();
            copied += n;
            self.advance(n);
        }
    }

    /// Copies bytes in, as many as there is room for, and advances past them.
    pub fn scatter(&mut self, mut from: &[u8]) {
        loop {
            let n = from.len().min(self.current_len);
            if n == 0 {
                return;
            }
            // SAFETY: `n` bytes are writable at `current`, and `from` is a buffer of our own. Of a
            // block or a full tag the length is a constant, and the copy no call.
            unsafe {
                match n {
                    16 => core::ptr::copy_nonoverlapping(from.as_ptr(), self.current, 16),
                    _ => core::ptr::copy_nonoverlapping(from.as_ptr(), self.current, n),
                }
            }
            from = from.get(n..).unwrap_or_default();
            self.advance(n);
        }
    }

    /// How the bytes left here and those of `other` share memory.
    #[inline(always)]
    pub fn overlap(&self, other: &Self) -> Overlap {
        let piece = |s: &Self| (s.current as usize, s.current_len);
        if self.left == 0 || other.left == 0 {
            return Overlap::None;
        }
        if self.current_len == self.left && other.current_len == other.left {
            let ((a, n), (b, m)) = (piece(self), piece(other));
            return Overlap::of(a, n, b, m, 0, 0);
        }
        self.overlap_of_lists(other)
    }

    /// [`overlap`](Self::overlap) where a side has several pieces.
    #[inline(never)]
    fn overlap_of_lists(&self, other: &Self) -> Overlap {
        let piece = |s: &Self| (s.current as usize, s.current_len);
        let (mut a, mut b) = (self.clone(), other.clone());
        let mut same = true;
        while a.current_len > 0 && b.current_len > 0 {
            same &= a.current == b.current;
            let n = a.current_len.min(b.current_len);
            a.advance(n);
            b.advance(n);
        }
        if same {
            return Overlap::Exact;
        }
        let (a_low, a_high) = self.bounds();
        let (b_low, b_high) = other.bounds();
        if a_high <= b_low || b_high <= a_low {
            return Overlap::None;
        }
        let mut found = Overlap::None;
        let mut a = self.clone();
        while a.current_len > 0 {
            let (at, n) = piece(&a);
            let mut b = other.clone();
            while b.current_len > 0 {
                let (bt, m) = piece(&b);
                match Overlap::of(at, n, bt, m, self.left - a.left, other.left - b.left) {
                    Overlap::None => {}
                    Overlap::Exact => found = Overlap::Exact,
                    Overlap::Partial => return Overlap::Partial,
                }
                b.advance(m);
            }
            a.advance(n);
        }
        found
    }

    /// Lowest address and one past the highest.
    fn bounds(&self) -> (usize, usize) {
        let (mut low, mut high) = (usize::MAX, 0);
        let mut at = self.clone();
        while at.current_len > 0 {
            low = low.min(at.current as usize);
            high = high.max(at.current as usize + at.current_len);
            at.advance(at.current_len);
        }
        (low, high)
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
    fn of(a: usize, a_len: usize, b: usize, b_len: usize, a_place: usize, b_place: usize) -> Self {
        if a.wrapping_add(a_len) <= b || b.wrapping_add(b_len) <= a {
            Self::None
        } else if a.wrapping_sub(a_place) == b.wrapping_sub(b_place) {
            Self::Exact
        } else {
            Self::Partial
        }
    }
}
