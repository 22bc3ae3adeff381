// SPDX-License-Identifier: MIT OR Apache-2.0
//! GHASH (SP 800-38D section 6.4) with integer multiplications.
//!
//! An element is the integer of its byte-reversed block; bit 127 is the coefficient of x^0. A stored power
//! contains the missing shift of such a bit-reversed product (see [`Powers`]): a left shift, reduced, which
//! is a division by x in the standard's notation.
//!
//! Carry-less products come from integer ones "with holes": every fifth bit of each operand is taken, 13 at
//! most. So a column of the product sums to at most 13, and its carries stay within the four bits below the
//! next column. x86-64 multiplies in a time that does not depend on data.

use kcfaes_kernels::{Block, COMMON_POWERS, Powers, mid_of};

/// A power as [`Powers`] stores it, prepared for multiplications: two halves, and their sum.
pub(super) struct Power {
    low: u64,
    high: u64,
    mid: u64,
}

impl Power {
    fn new(power: u128) -> Self {
        let (low, high) = (power as u64, (power >> 64) as u64);
        Self { low, high, mid: low ^ high }
    }

    /// H^1.
    pub(super) fn h(powers: &Powers) -> Self {
        let [.., h] = &powers.pow;
        Self::new(u128::from_le_bytes(h.0))
    }
}

/// The common powers of `h` = E(K, 0^128).
pub(super) fn init(powers: &mut Powers, h: Block) {
    let mut power = u128::from_be_bytes(h.0);
    let first = Power::new(shift(power));
    powers.h = h;
    powers.set = COMMON_POWERS as u32;
    for (i, pow) in powers.pow.iter_mut().enumerate().rev().take(COMMON_POWERS) {
        let shifted = shift(power);
        *pow = Block(shifted.to_le_bytes());
        let (pair, half) = mid_of(i);
        let mid = powers.mid.get_mut(pair).and_then(|pair| pair.get_mut(half));
        mid.into_iter().for_each(|mid| *mid = Power::new(shifted).mid);
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
    let low = clmul(x_low, power.low);
    let high = clmul(x_high, power.high);
    let mid = clmul(x_low ^ x_high, power.mid) ^ low ^ high;
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

/// The carry-less product of two 64-bit polynomials.
#[inline(never)]
fn clmul(a: u64, b: u64) -> u128 {
    const EVERY_FIFTH: u128 = 0x2108_4210_8421_0842_1084_2108_4210_8421;
    const HOLES: [u128; 5] =
        [EVERY_FIFTH, EVERY_FIFTH << 1, EVERY_FIFTH << 2, EVERY_FIFTH << 3, EVERY_FIFTH << 4];
    let [a0, a1, a2, a3, a4] = HOLES.map(|mask| u128::from(a & mask as u64));
    let [b0, b1, b2, b3, b4] = HOLES.map(|mask| u128::from(b & mask as u64));
    let columns = [
        (a0 * b0) ^ (a1 * b4) ^ (a2 * b3) ^ (a3 * b2) ^ (a4 * b1),
        (a0 * b1) ^ (a1 * b0) ^ (a2 * b4) ^ (a3 * b3) ^ (a4 * b2),
        (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b4) ^ (a4 * b3),
        (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0) ^ (a4 * b4),
        (a0 * b4) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1) ^ (a4 * b0),
    ];
    columns.iter().zip(HOLES).fold(0, |product, (column, mask)| product | (column & mask))
}
