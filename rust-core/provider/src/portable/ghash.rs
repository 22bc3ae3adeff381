// SPDX-License-Identifier: MIT OR Apache-2.0
//! GHASH (SP 800-38D section 6.4) with integer multiplications.
//!
//! An element is the integer of its byte-reversed block; bit 127 is the coefficient of x^0. A stored power
//! contains the missing shift of such a bit-reversed product (see [`Powers`]): a left shift, reduced, which
//! is a division by x in the standard's notation.
//!
//! Carry-less products come from integer ones "with holes": every fourth bit of each operand is taken. A
//! column of the product then counts the pairs of bits that meet there. The lowest bit of the count is the
//! carry-less product's. Up to 15 pairs, the carries stay within the three bits below the next column. 16
//! pairs can meet if both operands have all 16 bits. So of a power only 15 are taken:
//!
//! ```text
//! bit          63 … 60  59           …              3  2  1  0
//! taken as       top     3  2  1  0  …  3  2  1  0  3  2  1  0
//! ```
//!
//! The top four bits are an operand of their own. They are next to each other and just fill the holes of the
//! other operand, so nothing is carried. x86-64 multiplies in a time that does not depend on data.
//! So does AArch64 where the CPU has FEAT_DIT and PSTATE.DIT is set; SECURITY.md says what that means.

use kcfaes_kernels::{Block, COMMON_POWERS, Powers, mid_of};

/// A power as [`Powers`] stores it, prepared for multiplications: two halves, and their sum.
pub(super) struct Power {
    low: Factor,
    high: Factor,
    mid: Factor,
}

impl Power {
    fn new(power: u128) -> Self {
        let (low, high) = (power as u64, (power >> 64) as u64);
        Self { low: Factor::new(low), high: Factor::new(high), mid: Factor::new(low ^ high) }
    }

    /// H^1.
    pub(super) fn h(powers: &Powers) -> Self {
        let [.., h] = &powers.pow;
        Self::new(u128::from_le_bytes(h.0))
    }
}

/// The common powers of `h` = E(K, 0^128). The others become zero.
pub(super) fn init(powers: &mut Powers, h: Block) {
    // Field by field: a copy of all would bring stale bytes of the stack as padding.
    powers.pow.fill(Block([0; 16]));
    powers.mid.fill([0; 2]);
    let mut power = u128::from_be_bytes(h.0);
    let first = Power::new(shift(power));
    powers.h = h;
    powers.set = COMMON_POWERS as u32;
    for (i, pow) in powers.pow.iter_mut().enumerate().rev().take(COMMON_POWERS) {
        let shifted = shift(power);
        *pow = Block(shifted.to_le_bytes());
        let (pair, half) = mid_of(i);
        let mid = powers.mid.get_mut(pair).and_then(|pair| pair.get_mut(half));
        mid.into_iter().for_each(|mid| *mid = shifted as u64 ^ (shifted >> 64) as u64);
        power = multiply(power, &first);
    }
}

/// Absorbs full blocks: Y = (Y + X)·H for each.
#[inline(always)]
pub(super) fn absorb<'a>(y: u128, h: &Power, blocks: impl Iterator<Item = &'a [u8; 16]>) -> u128 {
    blocks.fold(y, |y, x| multiply(y ^ u128::from_be_bytes(*x), h))
}

/// Shifts left by one bit modulo the bit-reversed polynomial 2^128 + 2^127 + 2^126 + 2^121 + 1.
fn shift(x: u128) -> u128 {
    const POLYNOMIAL: u128 = (0xc2 << 120) | 1;
    (x << 1) ^ ((x >> 127).wrapping_neg() & POLYNOMIAL)
}

/// The product of an element and a stored power, reduced; three multiplications by Karatsuba.
#[inline(never)]
fn multiply(x: u128, power: &Power) -> u128 {
    let (x_low, x_high) = (x as u64, (x >> 64) as u64);
    let low = power.low.clmul(x_low);
    let high = power.high.clmul(x_high);
    let mid = power.mid.clmul(x_low ^ x_high) ^ low ^ high;
    reduce(low ^ (mid << 64), high ^ (mid >> 64))
}

/// Multiples of the bit-reversed polynomial cancel the lowest 64 bits, twice. `fold` is such a multiple
/// without the bits that it cancels.
#[inline(always)]
fn reduce(low: u128, high: u128) -> u128 {
    let fold = |word: u64| {
        let word = u128::from(word);
        (word << 64) ^ (word << 63) ^ (word << 62) ^ (word << 57)
    };
    let mid = (low >> 64) ^ fold(low as u64);
    high ^ (mid >> 64) ^ fold(mid as u64)
}

/// Every fourth bit, from each of the four lowest.
const HOLES: [u128; 4] = {
    const EVERY_FOURTH: u128 = 0x1111_1111_1111_1111_1111_1111_1111_1111;
    [EVERY_FOURTH, EVERY_FOURTH << 1, EVERY_FOURTH << 2, EVERY_FOURTH << 3]
};

/// 64 bits of a power, as multiplications take them.
struct Factor {
    /// Every fourth bit of the lower 60.
    holes: [u64; 4],
    /// The other four.
    top: u64,
}

impl Factor {
    #[inline(never)]
    fn new(bits: u64) -> Self {
        const TOP: u64 = 0xf << 60;
        Self { holes: HOLES.map(|mask| bits & mask as u64 & !TOP), top: bits & TOP }
    }

    /// The carry-less product with `a`.
    #[inline(never)]
    fn clmul(&self, a: u64) -> u128 {
        let [a0, a1, a2, a3] = HOLES.map(|mask| u128::from(a & mask as u64));
        let [b0, b1, b2, b3] = self.holes.map(u128::from);
        let top = u128::from(self.top);
        let columns = [
            (a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1),
            (a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2),
            (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3),
            (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0),
        ];
        let product = (a0 * top) ^ (a1 * top) ^ (a2 * top) ^ (a3 * top);
        columns.iter().zip(HOLES).fold(product, |product, (column, mask)| product ^ (column & mask))
    }
}
