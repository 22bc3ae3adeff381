// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run, which is a stretch of bytes that is contiguous on both sides; and several runs.

use core::marker::PhantomData;
use core::slice::Iter;

use kcfaes_kernels::Piece;

use super::segments::exists;

/// Whether two ranges of `len` bytes overlap, but are not the same.
#[inline(always)]
fn mixed(src: *const u8, dst: *mut u8, len: usize) -> bool {
    let ahead = dst.addr().wrapping_sub(src.addr());
    ahead.min(ahead.wrapping_neg()).wrapping_sub(1) < len.wrapping_sub(1)
}

/// `len` bytes to read at `src` and `len` bytes to write at `dst`. The two are the same bytes or do not
/// overlap at all. Everything that KCF passes, in whatever pieces, reaches a mode as runs.
///
/// Invariant: both ranges stay valid for `'a`, and nobody else writes them meanwhile.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Run<'a> {
    piece: Piece,
    _borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Run<'a> {
    /// A run over memory that the caller vouches for.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len` bytes during `'a`, and `src == dst` or the
    /// ranges are disjoint.
    pub unsafe fn new(src: *const u8, dst: *mut u8, len: usize) -> Self {
        Self { piece: Piece { src, dst, len }, _borrow: PhantomData }
    }

    /// A run over buffers, if there is at least one byte and they are equal or share none.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len` bytes during `'a`, unless one is NULL or reaches past
    /// the end of the address space.
    #[inline(always)]
    pub unsafe fn between(src: *const u8, dst: *mut u8, len: usize) -> Option<Self> {
        let sound = len > 0 && exists(src, len) && exists(dst, len) && !mixed(src, dst, len);
        // SAFETY: the caller's promise, and the conditions above.
        sound.then(|| unsafe { Self::new(src, dst, len) })
    }

    /// The runs in the form that kernels read.
    pub fn pieces(runs: &[Self]) -> *const Piece {
        runs.as_ptr().cast()
    }

    /// A run that transforms `bytes` in place.
    pub fn in_place(bytes: &'a mut [u8]) -> Self {
        let dst = bytes.as_mut_ptr();
        Self { piece: Piece { src: dst, dst, len: bytes.len() }, _borrow: PhantomData }
    }

    /// Bytes in this run.
    pub fn len(&self) -> usize {
        self.piece.len
    }

    /// Whether the run is empty.
    pub fn is_empty(&self) -> bool {
        self.piece.len == 0
    }

    /// Start of the bytes to read.
    pub fn src(&self) -> *const u8 {
        self.piece.src
    }

    /// Start of the bytes to write.
    pub fn dst(&self) -> *mut u8 {
        self.piece.dst
    }

    /// Cuts off and returns the first `len` bytes (all, if there are fewer).
    pub fn split_off(&mut self, len: usize) -> Self {
        let len = len.min(self.piece.len);
        let mut head = *self;
        head.piece.len = len;
        // SAFETY: `len` is at most the run's length, so both stay within or one past their ranges.
        unsafe {
            self.piece.src = self.piece.src.add(len);
            self.piece.dst = self.piece.dst.add(len);
        }
        self.piece.len -= len;
        head
    }

    /// The bytes to read, for hashing.
    pub fn source(&self) -> &[u8] {
        if self.piece.len == 0 {
            return &[];
        }
        // SAFETY: the range is valid for `'a`, and nobody writes it while `self` is borrowed.
        unsafe { core::slice::from_raw_parts(self.piece.src, self.piece.len) }
    }

    /// Copies bytes to the destination, to the end of the shorter of the two.
    #[inline(always)]
    pub(crate) fn fill(&self, from: &[u8; 16]) {
        // SAFETY: within the destination, which `from` is no part of.
        unsafe {
            // The usual length takes no call of memcpy.
            if self.piece.len == 16 {
                self.piece.dst.cast::<u128>().write_unaligned(u128::from_ne_bytes(*from));
            } else {
                let len = self.piece.len.min(16);
                core::ptr::copy_nonoverlapping(from.as_ptr(), self.piece.dst, len);
            }
        }
    }

    /// Adds `keystream` to the bytes, to the end of the shorter of the two.
    pub fn xor(&self, keystream: &[u8]) {
        for (i, k) in keystream.iter().enumerate().take(self.piece.len) {
            // SAFETY: `i` is less than the run's length.
            unsafe { self.piece.dst.add(i).write(self.piece.src.add(i).read() ^ k) };
        }
    }

    /// Overwrites the destination with zeros, unless it is the source.
    pub(super) fn zero_destination(&self) {
        if !core::ptr::eq(self.piece.src, self.piece.dst) {
            // SAFETY: the destination is writable for the run's length.
            unsafe { self.piece.dst.write_bytes(0, self.piece.len) };
        }
    }
}

/// The next bytes of a text, in several runs. They are read and written in order, as if they were one run.
///
/// Invariant: `first` is empty only if nothing is left.
#[derive(Clone)]
pub struct Runs<'r, 'a> {
    first: Run<'a>,
    behind: Iter<'r, Run<'a>>,
    left: usize,
}

impl<'r, 'a> Runs<'r, 'a> {
    /// The first `len` bytes of `runs`, which have at least `len`.
    #[inline(never)]
    pub fn new(runs: &'r [Run<'a>], len: usize) -> Self {
        let mut all = Self { first: Run::in_place(&mut []), behind: runs.iter(), left: len };
        all.settle();
        all
    }

    /// Advances to the run of the next byte.
    fn settle(&mut self) {
        while self.first.is_empty() {
            let Some(&next) = self.behind.next() else {
                self.left = 0;
                return;
            };
            self.first = next;
        }
    }

    /// The number of bytes left.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The number of bytes left in the run of the next byte.
    pub fn contiguous(&self) -> usize {
        self.first.len().min(self.left)
    }

    /// Takes the next `len` bytes, or as many of them as are contiguous.
    #[inline]
    pub fn take(&mut self, len: usize) -> Run<'a> {
        let run = self.first.split_off(len.min(self.left));
        self.left -= run.len();
        self.settle();
        run
    }

    /// Advances by `len` bytes, or to the end.
    #[inline]
    pub fn skip(&mut self, mut len: usize) {
        while self.left > 0 && len > 0 {
            len -= self.take(len).len();
        }
    }

    /// Reads the next `N` bytes or, at the end, the bytes left, followed by zeros. Returns how many were
    /// read. [`put`](Self::put), which advances past them, is its counterpart.
    #[inline(never)]
    pub fn peek<const N: usize>(&self, bytes: &mut [u8; N]) -> usize {
        if self.contiguous() >= N {
            // SAFETY: the run has `N` bytes, and they are no buffer of ours.
            unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(self.first.src(), N) };
            return N;
        }
        *bytes = [0; N];
        let (mut ahead, mut rest) = (self.clone(), bytes.as_mut_slice());
        while ahead.left > 0 && !rest.is_empty() {
            let run = ahead.take(rest.len());
            // SAFETY: the run is no longer than `rest`, which is a buffer of our own.
            unsafe { core::ptr::copy_nonoverlapping(run.src(), rest.as_mut_ptr(), run.len()) };
            rest = rest.get_mut(run.len()..).unwrap_or_default();
        }
        self.left.min(N)
    }

    /// Writes the first `N` bytes (at the end as many as are left) and advances past them.
    #[inline(never)]
    pub fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        if self.contiguous() >= N {
            // SAFETY: the run has `N` bytes, and they are no buffer of ours.
            unsafe { self.take(N).dst().copy_from_nonoverlapping(bytes.as_ptr(), N) };
            return;
        }
        let mut rest = bytes.as_slice();
        while self.left > 0 && !rest.is_empty() {
            let run = self.take(rest.len());
            // SAFETY: the run is no longer than `rest`, which is a buffer of our own.
            unsafe { core::ptr::copy_nonoverlapping(rest.as_ptr(), run.dst(), run.len()) };
            rest = rest.get(run.len()..).unwrap_or_default();
        }
    }
}

impl<'a> From<Run<'a>> for Runs<'_, 'a> {
    fn from(run: Run<'a>) -> Self {
        Self { left: run.len(), first: run, behind: [].iter() }
    }
}
