// SPDX-License-Identifier: MIT OR Apache-2.0
//! GHASH (SP 800-38D section 6.4) by carry-less multiplication, and the powers of its subkey.
//!
//! An accumulator is kept byte-reversed, as an integer whose bit 127 is the coefficient of x^0. The
//! carry-less product of two such integers is one bit too low. The powers contain the missing shift (see
//! [`Powers`]). Products of up to [`POWERS`] blocks, each with its own power, are summed and reduced once:
//! Y' = (Y + X1)·H^n + X2·H^(n-1) + … + Xn·H.

use super::{RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, COMMON_POWERS, POWERS, Powers, Schedule, mid_of};

/// Registers that bulk hashes with one reduction. Derived: of 16 vector registers, eight hold a turn's cipher
/// state, three the sums of products, and two or three a product. The powers and keys come from memory.
/// [`POWERS`] is enough for eight of the widest registers.
pub(super) const TURN: usize = 8;

/// An unreduced sum of 256-bit products: `lo` + `mid`·2^64 + `hi`·2^128.
///
/// [`add`](Self::add) makes the four schoolbook products: the fewest steps in a row, for the few blocks of a
/// rest. In bulk the three products of Karatsuba win ([`TurnHash`]): 0.41 cycles per byte of GHASH, not 0.61,
/// on Zen 5, which begins a PCLMULQDQ every second cycle.
#[derive(Clone, Copy)]
pub(super) struct Product<L: Lanes> {
    lo: L,
    mid: L,
    hi: L,
}

impl<L: Lanes> Product<L> {
    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    pub(super) unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { lo: L::zero(), mid: L::zero(), hi: L::zero() } }
    }

    /// Adds `x` times the powers from H^n on, n = `left`; `x` as integers.
    ///
    /// # Safety
    /// `powers` is readable, `left` <= [`POWERS`].
    #[inline(always)]
    pub(super) unsafe fn add(&mut self, x: L, powers: *const Powers, left: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.add_at(x, powers_from(powers, left), 0) }
    }

    /// Adds two blocks, each times its own power, H^n for n = `left`; blocks as integers.
    ///
    /// # Safety
    /// As [`add`](Self::add).
    #[inline(always)]
    pub(super) unsafe fn add_two(&mut self, x: [Xmm; 2], powers: *const Powers, left: [usize; 2]) {
        // SAFETY: the caller's promise.
        unsafe {
            if L::BLOCKS == 1 {
                self.add(L::widen(x[0]), powers, left[0]);
                self.add(L::widen(x[1]), powers, left[1]);
            } else {
                let h = left.map(|n| Xmm::consecutive(powers_from(powers, n)));
                self.add_product(L::two(x), L::two(h));
            }
        }
    }

    /// Adds `x` times the powers of register `i`, counted from `first`; `x` as integers.
    ///
    /// # Safety
    /// That register begins in [`Powers::pow`], which is readable.
    #[inline(always)]
    pub(super) unsafe fn add_at(&mut self, x: L, first: *const Block, i: usize) {
        // SAFETY: the caller's promise. A register that reaches beyond H^1 reads into the next
        // field, and multiplies that by zeros.
        let h = unsafe { L::consecutive(first.add(i * L::BLOCKS)) };
        self.add_product(x, h);
    }

    /// Adds to each block `x` times `h`.
    #[inline(always)]
    fn add_product(&mut self, x: L, h: L) {
        self.lo = self.lo.xor(x.clmul::<0x00>(h));
        self.mid = self.mid.xor(x.clmul::<0x01>(h)).xor(x.clmul::<0x10>(h));
        self.hi = self.hi.xor(x.clmul::<0x11>(h));
    }

    /// The sum modulo x^128 + x^7 + x^2 + x + 1.
    ///
    /// Twice, the lowest 64 bits (the highest powers of x) are multiplied by the polynomial and cancel.
    /// Bit-reversed, the polynomial is 2^128 + 0xc2·2^120 + 1.
    ///
    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    pub(super) unsafe fn reduce(self) -> Xmm {
        // SAFETY: the caller's promise.
        unsafe { self.reduce_each() }.fold()
    }

    /// As [`reduce`](Self::reduce), but with a sum for each lane.
    ///
    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    unsafe fn reduce_each(self) -> L {
        let Self { lo, mid, hi } = self;
        // SAFETY: the caller's promise.
        let polynomial = unsafe { L::broadcast(&POLYNOMIAL) };
        let mid = mid.xor(lo.swap_halves()).xor(lo.clmul::<0x00>(polynomial));
        hi.xor(mid.swap_halves()).xor(mid.clmul::<0x00>(polynomial))
    }
}

/// The powers from H^n on, n = `left`.
///
/// # Safety
/// `powers` is readable, `left` <= [`POWERS`].
#[inline(always)]
pub(super) unsafe fn powers_from(powers: *const Powers, left: usize) -> *const Block {
    // SAFETY: the caller's promise.
    unsafe { (&raw const (*powers).pow).cast::<Block>().add(POWERS - left) }
}

/// The polynomial without its highest and lowest terms, as an integer: 0xc2·2^56.
const POLYNOMIAL: Block = Block([0, 0, 0, 0, 0, 0, 0, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0]);

/// The sum over [`TURN`] registers by Karatsuba, one register at a time.
pub(super) struct TurnHash<L: Lanes> {
    sum: [L; 3],
    y: Xmm,
    src: *const u8,
    powers: *const Powers,
}

impl<L: Lanes> TurnHash<L> {
    /// # Safety
    /// The CPU has the features of `L`; `powers` and the registers at `src` are readable, while
    /// this lives.
    #[inline(always)]
    pub(super) unsafe fn new(powers: *const Powers, y: Xmm, src: *const u8) -> Self {
        const { assert!(TURN * L::BLOCKS <= POWERS) };
        // SAFETY: the caller's promise.
        unsafe { Self { sum: [L::zero(); 3], y, src, powers } }
    }

    /// # Safety
    /// `I` < [`TURN`].
    #[inline(always)]
    pub(super) unsafe fn add<const I: usize>(&mut self) {
        // SAFETY: `new` was promised the registers, the caller promises that `I` is among them.
        unsafe {
            let mut x = L::load(self.src.add(I * L::BYTES)).swap_bytes();
            if I == 0 {
                x = x.xor(L::widen(self.y));
            }
            self.sum = L::multiply_add::<I>(self.sum, x, self.powers);
        }
    }

    /// See [`Lanes::pin`].
    #[inline(always)]
    pub(super) fn pin(&mut self) {
        self.sum = self.sum.map(L::pin);
    }

    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    pub(super) unsafe fn reduce(self) -> Xmm {
        let [lo, mid, hi] = self.sum;
        // SAFETY: the caller's promise.
        unsafe { Product { lo, mid: mid.xor(lo).xor(hi), hi }.reduce() }
    }
}

/// Absorbs the [`TURN`] registers at `src`, with one reduction.
///
/// # Safety
/// The CPU has the features of `L`; `powers` and the registers at `src` are readable.
#[inline(always)]
pub(super) unsafe fn hash_turn<L: Lanes>(powers: *const Powers, y: Xmm, src: *const u8) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe {
        let mut hash = TurnHash::<L>::new(powers, y, src);
        unrolled!(I in 0 1 2 3 4 5 6 7 {
            hash.add::<I>();
        });
        hash.reduce()
    }
}

/// Absorbs the rest of a text, `len` bytes: less than a turn, and at least one. The full registers are at
/// `src`; `end` has the bytes after them.
///
/// # Safety
/// The CPU has the features of `L`; `powers` is readable, and `src` for the full registers.
#[inline(always)]
unsafe fn hash_rest<L: Lanes>(
    powers: *const Powers,
    y: Xmm,
    mut src: *const u8,
    mut len: usize,
    end: L,
) -> Xmm {
    // SAFETY: the caller's promise; `left` is the number of blocks that [src, src + len) touches.
    unsafe {
        let mut left = len.div_ceil(16);
        let mut y = L::widen(y);
        let mut sum = Product::<L>::zero();
        while len >= L::BYTES {
            sum.add(L::load(src).swap_bytes().xor(y), powers, left);
            y = L::zero();
            src = src.add(L::BYTES);
            len -= L::BYTES;
            left -= L::BLOCKS;
        }
        if len != 0 {
            sum.add(end.swap_bytes().xor(y), powers, left);
        }
        sum.reduce()
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn ghash<L: Lanes>(
    powers: *const Powers,
    y: *mut Block,
    mut src: *const u8,
    mut len: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sum = Xmm::broadcast(y).swap_bytes();
        while len >= TURN * L::BYTES {
            sum = hash_turn::<L>(powers, sum, src);
            src = src.add(TURN * L::BYTES);
            len -= TURN * L::BYTES;
        }
        if len > 0 {
            let end_len = len % L::BYTES;
            let end = L::load_before(src.add(len - end_len), end_len);
            sum = hash_rest::<L>(powers, sum, src, len, end);
        }
        sum.swap_bytes().store(y.cast());
    }
}

/// H and its powers up to those of a turn, by doubling: H^(m+1)..H^2m are H^m times H^1..H^m. So only log2 of
/// their number products depend on each other. They stay in registers: a load of what was stored block by block
/// would wait for all of these stores. The other powers, and their middles, become zero.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn init<L: Lanes>(schedule: *const Schedule, powers: *mut Powers) {
    const { assert!(COMMON_POWERS <= TURN * L::BLOCKS && TURN * L::BLOCKS <= POWERS) };
    // SAFETY: the caller's promise; every index is below POWERS.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let mut x = [Xmm::zero()];
        keys.all_but_last(&mut x);
        let h = x[0].last_round::<true>(keys.last());
        h.store((&raw mut (*powers).h).cast());
        let set = TURN * L::BLOCKS;
        (*powers).set = set as u32;

        // Register i has the powers from H^(BLOCKS·(i + 1)) down, in the order in which they are stored.
        let mut r = [L::zero(); TURN];
        let first = h.swap_bytes().shift_left_reduced();
        r[0] = L::place(first, L::BLOCKS - 1);
        if L::BLOCKS > 1 {
            let second = multiply(first, first);
            r[0] = r[0].xor(L::place(second, L::BLOCKS - 2));
            if L::BLOCKS > 2 {
                r[0] = r[0].xor(L::place(multiply(second, first), L::BLOCKS - 3));
                r[0] = r[0].xor(L::place(multiply(second, second), L::BLOCKS - 4));
            }
        }
        unrolled!(HAVE in 1 2 4 {
            let top = L::repeat(r[HAVE - 1].first());
            unrolled!(I in 0 1 2 3 {
                if I < HAVE {
                    r[HAVE + I] = multiply(top, r[I]);
                }
            });
        });
        let pow = (&raw mut (*powers).pow).cast::<Block>();
        let mid = (&raw mut (*powers).mid).cast::<Block>();
        unrolled!(I in 0 1 2 3 4 5 6 7 {
            r[I].store(pow.add(POWERS - (I + 1) * L::BLOCKS).cast());
            // The middles of eight powers are those of four in the low halves, and of the next four in the high.
            let half = 4 / L::BLOCKS;
            if (I / half).is_multiple_of(2) {
                let (even, odd) = (r[I + half], r[I]);
                let (even, odd) = (even.xor(even.swap_halves()), odd.xor(odd.swap_halves()));
                let (pair, _) = mid_of(POWERS - (I + half + 1) * L::BLOCKS);
                even.low_halves(odd).store(mid.add(pair).cast());
            }
        });
        for i in (0..POWERS - set).step_by(L::BLOCKS) {
            // Pinned, or this would become a call of memset.
            L::zero().pin().store(pow.add(i).cast());
        }
        for i in (0..(POWERS - set) / 2).step_by(L::BLOCKS) {
            L::zero().pin().store(mid.add(i).cast());
        }
    }
}

/// The product of each block and a power, reduced.
///
/// # Safety
/// The CPU has the features of `L`.
#[inline(always)]
unsafe fn multiply<L: Lanes>(x: L, h: L) -> L {
    // SAFETY: the caller's promise.
    unsafe {
        let mut product = Product::zero();
        product.add_product(x, h);
        product.reduce_each()
    }
}
