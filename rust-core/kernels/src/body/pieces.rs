// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts in pieces for modes that need a block as a whole: what a cut goes through is put together, and
//! taken apart, in a register.

use crate::Piece;
use crate::lanes::Lanes;

/// Where a text goes on, in its source or in its destination.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    at: *mut u8,
    /// Bytes there, up to the end of their piece.
    here: usize,
    /// The pieces behind that one.
    next: *const Piece,
}

impl Rest {
    /// All of a text, in its source.
    #[inline(always)]
    pub(super) fn new(text: *const Piece) -> Self {
        Self { at: core::ptr::null_mut(), here: 0, next: text }
    }

    /// Goes to the next byte's piece.
    ///
    /// # Safety
    /// This is in the source, and there is a next byte.
    #[inline(always)]
    pub(super) unsafe fn settle(&mut self) {
        while self.here == 0 {
            // SAFETY: the caller's promise.
            unsafe { self.turn_over::<false>() };
        }
    }

    /// Goes to the beginning of the next piece, in its destination if `OUT`.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    unsafe fn turn_over<const OUT: bool>(&mut self) {
        // SAFETY: the caller's promise.
        let Piece { src, dst, len } = unsafe { *self.next };
        self.at = if OUT { dst } else { src.cast_mut() };
        self.here = len;
        self.next = self.next.wrapping_add(1);
    }

    /// The bytes in this piece, at most `most`.
    #[inline(always)]
    pub(super) fn here(&self, most: usize) -> usize {
        self.here.min(most)
    }

    /// The next `len` bytes, which are in this piece; goes on behind them.
    ///
    /// # Safety
    /// This is in the source.
    #[inline(always)]
    pub(super) unsafe fn take(&mut self, len: usize) -> Piece {
        // SAFETY: the piece before the next one is that of `at`.
        let piece = unsafe { *self.next.sub(1) };
        let src = self.at.cast_const();
        let dst = piece.dst.wrapping_offset((src as isize).wrapping_sub(piece.src as isize));
        self.at = self.at.wrapping_add(len);
        self.here -= len;
        Piece { src, dst, len }
    }

    /// The same place in the destination, which is `dst`.
    #[inline(always)]
    pub(super) fn output(self, dst: *mut u8) -> Self {
        Self { at: dst, ..self }
    }

    /// Gives the next bytes to `part` that fill a register from `place` on, by pieces: where the register
    /// would begin, and which of its bytes there are. Goes on behind them.
    ///
    /// # Safety
    /// They are there; `OUT` tells whether this is in the destination.
    #[inline(always)]
    pub(super) unsafe fn register<L: Lanes, const OUT: bool>(
        &mut self,
        mut place: usize,
        mut part: impl FnMut(*mut u8, usize, usize),
    ) {
        loop {
            let (window, end) = (self.at.wrapping_sub(place), self.here + place);
            let to = end.min(L::BYTES);
            part(window, place, to);
            place = to;
            if end >= L::BYTES {
                self.at = window.wrapping_add(L::BYTES);
                self.here = end - L::BYTES;
                return;
            }
            // SAFETY: the caller's promise.
            unsafe { self.turn_over::<OUT>() };
        }
    }
}
