// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts in pieces for modes that need a block as a whole. One that a cut goes through is put
//! together, and taken apart, in a register.

use crate::Piece;
use crate::lanes::{Lanes, Xmm};

/// Where a text goes on: in this piece, and then in those at `next`.
#[derive(Clone, Copy)]
struct Rest {
    here: Piece,
    next: *const Piece,
}

impl Rest {
    /// Makes the piece of the next byte the current one.
    ///
    /// # Safety
    /// There is a next byte.
    #[inline(always)]
    unsafe fn settle(&mut self) {
        while self.here.len == 0 {
            // SAFETY: the caller's promise.
            unsafe {
                self.here = *self.next;
                self.next = self.next.add(1);
            }
        }
    }

    /// The next `len` bytes, which are in one piece; goes on behind them.
    #[inline(always)]
    fn take(&mut self, len: usize) -> Piece {
        let Piece { src, dst, .. } = self.here;
        self.here.src = src.wrapping_add(len);
        self.here.dst = dst.wrapping_add(len);
        self.here.len -= len;
        Piece { src, dst, len }
    }

    /// The parts of the next block, one by one from `place` 0 on.
    ///
    /// # Safety
    /// The rest of the block is there.
    #[inline(always)]
    unsafe fn part(&mut self, place: &mut usize) -> Option<(Piece, usize)> {
        if *place == 16 {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe { self.settle() };
        let (part, at) = (self.take(self.here.len.min(16 - *place)), *place);
        *place += part.len;
        Some((part, at))
    }
}

/// Gives the first `len` bytes of `text`, whole blocks, to `run` where they are in one piece, and to
/// `block`, which transforms a register, where they are not.
///
/// # Safety
/// The CPU has the features of `L`; the pieces have so many bytes, readable at each `src` and writable
/// at each `dst`.
#[inline(always)]
pub(crate) unsafe fn blocks<L: Lanes>(
    text: *const Piece,
    len: usize,
    mut run: impl FnMut(Piece),
    mut block: impl FnMut(Xmm) -> Xmm,
) {
    let here = Piece { src: core::ptr::null(), dst: core::ptr::null_mut(), len: 0 };
    let mut rest = Rest { here, next: text };
    let mut left = len;
    // SAFETY: the caller's promise; the bytes taken are among the `left` ones, whole blocks.
    unsafe {
        while left > 0 {
            rest.settle();
            let mut taken = rest.here.len.min(left) & !15;
            if taken > 0 {
                run(rest.take(taken));
            } else {
                let (mut again, mut x, mut place) = (rest, Xmm::zero(), 0);
                while let Some((part, at)) = rest.part(&mut place) {
                    x = x.xor(L::load_inside(part.src, at, part.len));
                }
                x = block(x);
                place = 0;
                while let Some((part, at)) = again.part(&mut place) {
                    L::store_inside(x, part.dst, at, part.len);
                }
                taken = 16;
            }
            left -= taken;
        }
    }
}
