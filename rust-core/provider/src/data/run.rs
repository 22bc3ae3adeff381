// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run: one stretch of bytes that is contiguous on both sides.

use core::marker::PhantomData;

use kcfaes_kernels::Piece;

/// `len` bytes to read at `src` and as many to write at `dst`; the two are the same bytes or do not
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

    /// Runs as the kernels read them.
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

    /// Cuts off and returns the first `len` bytes (all of them when there are fewer).
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

    /// Reads the next `N` bytes or, at the end, those that are left with zeros behind them; returns
    /// how many were read. Pairs with [`Run::put`], which advances.
    pub fn peek<const N: usize>(&self, bytes: &mut [u8; N]) -> usize {
        let n = self.piece.len.min(N);
        *bytes = [0; N];
        // SAFETY: `n` is at most the run's length and at most `N`.
        unsafe { core::ptr::copy_nonoverlapping(self.piece.src, bytes.as_mut_ptr(), n) };
        n
    }

    /// Writes the first `N` bytes (at the end as many as are left) and advances past them.
    pub fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        let n = self.piece.len.min(N);
        // SAFETY: `n` is at most the run's length and at most `N`.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.piece.dst, n) };
        self.split_off(n);
    }

    /// The bytes to read, for hashing.
    pub fn source(&self) -> &[u8] {
        if self.piece.len == 0 {
            return &[];
        }
        // SAFETY: the range is valid for `'a`, and nobody writes it while `self` is borrowed.
        unsafe { core::slice::from_raw_parts(self.piece.src, self.piece.len) }
    }

    /// Adds `keystream` to as many bytes as both have.
    pub fn xor(&self, keystream: &[u8]) {
        for (i, k) in keystream.iter().enumerate().take(self.piece.len) {
            // SAFETY: `i` is less than the run's length.
            unsafe { self.piece.dst.add(i).write(self.piece.src.add(i).read() ^ k) };
        }
    }

    /// Overwrites the destination with zeros where it is not the source.
    pub(super) fn zero_destination(&self) {
        if !core::ptr::eq(self.piece.src, self.piece.dst) {
            // SAFETY: the destination is writable for the run's length.
            unsafe { self.piece.dst.write_bytes(0, self.piece.len) };
        }
    }
}
