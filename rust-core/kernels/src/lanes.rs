// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vector vocabulary: what a mode may ask of a register that holds one or more AES blocks.
//!
//! The modes are written once over [`Lanes`]; a table of another width is an implementation of it
//! and a file of entry points. Invariant: a value of a `Lanes` type exists only where the CPU has
//! the features of its table, for only the `unsafe` constructors make one out of nothing. So
//! everything else is safe to call. Methods are inlined into roots that enable those features.

mod xmm;
pub(crate) use xmm::Xmm;

use crate::{Block, Powers};

/// A register of [`BLOCKS`](Lanes::BLOCKS) blocks; "each" below means each block by itself.
///
/// Blocks are in the byte order of the standards, or byte-reversed, "as integers" (bit 127 of a
/// GHASH operand is the coefficient of x^0), where a method says so.
pub(crate) trait Lanes: Copy {
    const BLOCKS: usize;
    const BYTES: usize = 16 * Self::BLOCKS;

    /// # Safety
    /// The CPU has the table's features.
    unsafe fn zero() -> Self;
    /// # Safety
    /// As [`zero`](Lanes::zero), and `src` is readable for `BYTES`.
    unsafe fn load(src: *const u8) -> Self;
    /// The first `len` bytes, the rest zero; touches no byte beyond.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), `0 < len < BYTES`, and `src` is readable for `len`.
    unsafe fn load_head(src: *const u8, len: usize) -> Self;
    /// # Safety
    /// `dst` is writable for `BYTES`.
    unsafe fn store(self, dst: *mut u8);
    /// # Safety
    /// `0 < len < BYTES`, and `dst` is writable for `len`.
    unsafe fn store_head(self, dst: *mut u8, len: usize);
    /// One block, repeated.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), and `block` is readable.
    unsafe fn broadcast(block: *const Block) -> Self;
    /// `BLOCKS` blocks that follow each other from `block`.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), and `block` is readable for `BYTES`.
    unsafe fn consecutive(block: *const Block) -> Self;
    /// `block`, then the `BLOCKS - 1` blocks at `src`.
    ///
    /// # Safety
    /// `src` is readable for `BYTES - 16`.
    unsafe fn after(block: Xmm, src: *const u8) -> Self;
    /// The counter blocks `block + 0`, `block + 1`, …; `block` as an integer.
    fn counters(block: Xmm) -> Self;
    /// `block` first, then zeros.
    fn widen(block: Xmm) -> Self;
    /// The sum (xor) of all blocks.
    fn fold(self) -> Xmm;

    fn xor(self, other: Self) -> Self;
    /// Reverses the bytes of each.
    fn swap_bytes(self) -> Self;
    /// One round of the cipher, or of the equivalent inverse cipher.
    fn round<const ENCRYPT: bool>(self, key: Self) -> Self;
    /// The last round.
    fn last_round<const ENCRYPT: bool>(self, key: Self) -> Self;

    /// Adds `n` to the counter (modulo 2^32) of each; blocks as integers.
    fn count(self, n: u32) -> Self;
    /// Adds `n` < 256 to the last byte of each, where the caller knows that no carry leaves it.
    fn count_within_byte(self, n: u32) -> Self;

    /// Carry-less product of the 64-bit halves of each: bit 0 of `HALVES` picks the half of
    /// `self`, bit 4 that of `other`.
    fn clmul<const HALVES: i32>(self, other: Self) -> Self;
    /// Adds to `[lo, mid, hi]` the Karatsuba products of `x` (as integers) and register `I` of
    /// `powers`, counted from the highest: the low halves', the halves' sums' and the high halves'.
    ///
    /// # Safety
    /// `powers` is readable, and has a register `I`.
    unsafe fn multiply_add<const I: usize>(
        sum: [Self; 3],
        x: Self,
        powers: *const Powers,
    ) -> [Self; 3];
    /// Exchanges the 64-bit halves of each.
    fn swap_halves(self) -> Self;
}
