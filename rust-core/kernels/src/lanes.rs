// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vector vocabulary: the operations of a register that holds one or more AES blocks.
//!
//! The modes are written once over [`Lanes`]. A table of another width is an implementation of it and a file
//! of entry points. Invariant: a value of a `Lanes` type exists only where the CPU has the features of its
//! table, because only the `unsafe` constructors make one from nothing. So everything else is safe to call.
//! Methods are inlined into roots that enable those features.

mod xmm;
mod ymm;
mod zmm;
pub(crate) use xmm::Xmm;
pub(crate) use ymm::Ymm;
pub(crate) use zmm::Zmm;

use crate::{Block, LINE, POWERS, Powers, types::mid_of};

/// A register of [`BLOCKS`](Lanes::BLOCKS) blocks; "each" below means each block by itself.
///
/// Blocks are in the byte order of the standards. Where a method says "as integers", they are byte-reversed
/// (bit 127 of a GHASH operand is the coefficient of x^0).
pub(crate) trait Lanes: Copy {
    const BLOCKS: usize;
    const BYTES: usize = 16 * Self::BLOCKS;
    /// Whether a masked load or store moves any set of bytes of a register at once.
    const MASKS: bool = false;

    /// # Safety
    /// The CPU has the table's features.
    unsafe fn zero() -> Self;
    /// # Safety
    /// As [`zero`](Lanes::zero), and `src` is readable for `BYTES`.
    unsafe fn load(src: *const u8) -> Self;
    /// Of the `BYTES` bytes at `src`, those before `stop`. The other bytes are not touched, and are zero in the
    /// result.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), `stop <= BYTES`, and the bytes that are loaded are readable.
    unsafe fn load_before(src: *const u8, stop: usize) -> Self;
    /// # Safety
    /// `dst` is writable for `BYTES`.
    unsafe fn store(self, dst: *mut u8);
    /// Stores what [`load_before`](Lanes::load_before) would load.
    ///
    /// # Safety
    /// `stop <= BYTES`, and the bytes that are stored are writable.
    unsafe fn store_before(self, dst: *mut u8, stop: usize);
    /// The `n` bytes at `src`, in a block from place `place` on; zeros elsewhere.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), `place + n <= 16`, the bytes are readable, and with [`MASKS`](Lanes::MASKS)
    /// `0 < n`.
    #[inline(always)]
    unsafe fn load_inside(src: *const u8, place: usize, n: usize) -> Xmm {
        // SAFETY: the caller's promise.
        unsafe { Xmm::from_u128(Xmm::load_before(src, n).to_u128() << (8 * place)) }
    }
    /// Stores those bytes of `block`, and returns them alone.
    ///
    /// # Safety
    /// As [`load_inside`](Lanes::load_inside), and the bytes are writable.
    #[inline(always)]
    unsafe fn store_inside(block: Xmm, dst: *mut u8, place: usize, n: usize) -> Xmm {
        // SAFETY: the caller's promise.
        unsafe {
            let bytes = Xmm::from_u128(block.to_u128() >> (8 * place));
            bytes.store_before(dst, n);
            Xmm::from_u128(bytes.keep_before(n).to_u128() << (8 * place))
        }
    }
    /// These blocks, with their bytes `start..stop` replaced by those of the register at `src`. Without
    /// [`MASKS`](Lanes::MASKS) only for registers of one block, and in the order of the bytes.
    ///
    /// # Safety
    /// As [`load_before`](Lanes::load_before).
    #[inline(always)]
    unsafe fn load_between(self, src: *const u8, start: usize, stop: usize) -> Self {
        let src = src.wrapping_add(start);
        // SAFETY: the caller's promise.
        let block = Self::widen(unsafe { Self::load_inside(src, start, stop - start) });
        if start == 0 { block } else { self.xor(block) }
    }
    /// Stores those bytes, and returns them alone.
    ///
    /// # Safety
    /// As [`store_before`](Lanes::store_before).
    #[inline(always)]
    unsafe fn store_between(self, dst: *mut u8, start: usize, stop: usize) -> Self {
        let dst = dst.wrapping_add(start);
        // SAFETY: the caller's promise.
        Self::widen(unsafe { Self::store_inside(self.first(), dst, start, stop - start) })
    }
    /// The last block, repeated.
    fn last(self) -> Self;
    /// These blocks, with `block` in place of the last.
    fn with_last(self, block: Xmm) -> Self;
    /// The block before each of these: the last one of `before`, then these without their last.
    fn chained(self, before: Self) -> Self;
    /// One block, repeated.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), and `block` is readable.
    unsafe fn broadcast(block: *const Block) -> Self;
    /// `block`, repeated.
    fn repeat(block: Xmm) -> Self;
    /// `BLOCKS` consecutive blocks, from `block` on.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), and `block` is readable for `BYTES`.
    unsafe fn consecutive(block: *const Block) -> Self;
    /// For each of the next `BLOCKS` pointers at `src`, the block `at` bytes after it.
    ///
    /// # Safety
    /// As [`zero`](Lanes::zero), and all of this is readable.
    unsafe fn gather(src: *const *const u8, at: usize) -> Self;
    /// Stores where [`gather`](Lanes::gather) would load.
    ///
    /// # Safety
    /// All of this is writable.
    unsafe fn scatter(self, dst: *const *mut u8, at: usize);
    /// The same for [`LINE`] blocks in a row: the first of each, then the second of each, and so on.
    ///
    /// # Safety
    /// As [`gather`](Lanes::gather).
    unsafe fn gather_line(src: *const *const u8, at: usize) -> [Self; LINE];
    /// Stores where [`gather_line`](Lanes::gather_line) would load, one text after the other.
    ///
    /// # Safety
    /// All of this is writable.
    unsafe fn scatter_line(line: [Self; LINE], dst: *const *mut u8, at: usize);
    /// `block` first, then zeros.
    fn widen(block: Xmm) -> Self;
    /// These two first, then zeros. Only for registers that hold two.
    fn two(blocks: [Xmm; 2]) -> Self;
    /// `block` in place `lane`, zeros elsewhere.
    fn place(block: Xmm, lane: usize) -> Self;
    /// The first block.
    fn first(self) -> Xmm;
    /// The bytes that [`load_before`](Lanes::load_before) would load, zeros elsewhere.
    fn keep_before(self, stop: usize) -> Self;
    /// The sum (xor) of all blocks.
    fn fold(self) -> Xmm;

    fn xor(self, other: Self) -> Self;
    /// Reverses the bytes of each.
    fn swap_bytes(self) -> Self;
    /// One round of the cipher, or of the equivalent inverse cipher.
    fn round<const ENCRYPT: bool>(self, key: Self) -> Self;
    /// The last round.
    fn last_round<const ENCRYPT: bool>(self, key: Self) -> Self;

    /// Adds to the counter (modulo 2^32) of each block its place; blocks as integers.
    fn number(self) -> Self;
    /// Adds to the last byte of each block its place. The caller knows that no carry leaves the byte.
    fn number_within_byte(self) -> Self;
    /// Adds `n` to the counter (modulo 2^32) of each; blocks as integers.
    fn count(self, n: u32) -> Self;
    /// Adds `n` < 256 to the last byte of each. The caller knows that no carry leaves the byte.
    fn count_within_byte(self, n: u32) -> Self;

    /// Carry-less product of 64-bit halves of each: bit 0 of `HALVES` selects the half of `self`, bit 4 the
    /// half of `other`.
    fn clmul<const HALVES: i32>(self, other: Self) -> Self;
    /// Adds to `[lo, mid, hi]` the Karatsuba products of `x` (as integers) and register `I` of the eight that
    /// end with H^1. The three products are those of the low halves, of the halves' sums, and of the high
    /// halves.
    ///
    /// # Safety
    /// `powers` is readable, and `I` < 8.
    #[inline(always)]
    unsafe fn multiply_add<const I: usize>(
        [lo, mid, hi]: [Self; 3],
        x: Self,
        powers: *const Powers,
    ) -> [Self; 3] {
        let first = POWERS - (8 - I) * Self::BLOCKS;
        let (pair, half) = mid_of(first);
        // SAFETY: the caller's promise.
        let (pow, mids) = unsafe {
            (
                Self::consecutive((&raw const (*powers).pow).cast::<Block>().add(first)),
                Self::consecutive((&raw const (*powers).mid).cast::<Block>().add(pair)),
            )
        };
        let both = x.xor(x.swap_halves());
        let middle = if half == 0 { both.clmul::<0x00>(mids) } else { both.clmul::<0x10>(mids) };
        [lo.xor(x.clmul::<0x00>(pow)), mid.xor(middle), hi.xor(x.clmul::<0x11>(pow))]
    }
    /// The low halves of each block: this one's is low, the other's high.
    fn low_halves(self, other: Self) -> Self;
    /// No instruction. But the compiler makes and uses the values that pass through here in the order of
    /// their passing.
    fn pin(self) -> Self;
    /// Exchanges the 64-bit halves of each.
    fn swap_halves(self) -> Self;
}
