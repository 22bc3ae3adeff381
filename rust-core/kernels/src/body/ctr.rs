// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counter mode (SP 800-38A section 6.5) with the 32-bit counter of GCM (inc_32 of SP 800-38D
//! section 6.2): the last four bytes count, big-endian, modulo 2^32.

use super::{MANY, Parallel, RoundKeys};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, Schedule};

/// The counter blocks of the next registers.
///
/// To add to a big-endian counter takes a byte reversal of each block, unless no carry leaves its last byte:
/// then one addition does. `low` tells which. In the bulk loops most registers have no carry. For a secret
/// counter `low` is always 255, as if each register had a carry.
#[derive(Clone, Copy)]
pub(super) struct Counter<L: Lanes> {
    next: L,
    /// The last byte of the next counter block; or 255.
    low: u32,
    /// Selects how much of a number of blocks is added to `low`: all, or nothing.
    mask: u32,
}

impl<L: Lanes> Counter<L> {
    /// The counter block may just have been written in halves: so it is read. A load of the whole would wait for
    /// both stores to leave the store buffer (5 % of a short call of the ops vector, Sapphire Rapids).
    ///
    /// # Safety
    /// The CPU has the features of `L`, and `ctr` is readable; it need not be aligned.
    #[inline(always)]
    pub(super) unsafe fn new(ctr: *const Block, secret: bool) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let last = || u32::from(ctr.cast::<u8>().add(15).read());
            let (low, mask) = if secret { (255, 0) } else { (last(), u32::MAX) };
            let first = L::repeat(Xmm::load_halves(ctr.cast()));
            let next = if low as usize + L::BLOCKS <= 256 {
                first.number_within_byte()
            } else {
                first.swap_bytes().number().swap_bytes()
            };
            Self { next, low, mask }
        }
    }

    /// The counter blocks of the next `N` registers.
    #[inline(always)]
    pub(super) fn take<const N: usize>(&mut self) -> [L; N] {
        let mut x = [self.next; N];
        let blocks = L::BLOCKS as u32;
        let taken = N as u32 * blocks;
        // Fewer registers do not use this: it would be 0.7 KB more text.
        if N >= MANY && self.low + taken + blocks <= 256 {
            for (i, x) in x.iter_mut().enumerate().skip(1) {
                *x = x.count_within_byte(i as u32 * blocks);
            }
            self.next = self.next.count_within_byte(taken);
            self.low += taken;
        } else {
            // With many registers each counter is made from the one before. Otherwise the compiler would keep
            // a register for each of the numbers, and have none for what every call needs.
            let first = self.next.swap_bytes();
            let mut next = first;
            for (i, x) in x.iter_mut().enumerate().skip(1) {
                next = if N >= MANY { next.count(blocks) } else { first.count(i as u32 * blocks) };
                *x = next.swap_bytes();
            }
            next = if N >= MANY { next.count(blocks) } else { first.count(taken) };
            self.next = next.swap_bytes();
            self.low = (self.low + (taken & self.mask)) & 0xff;
        }
        x
    }

    /// The counter after `blocks` blocks.
    #[inline(always)]
    pub(super) fn after(&self, blocks: usize) -> Self {
        let next = self.next.swap_bytes().count(blocks as u32).swap_bytes();
        Self { next, low: (self.low + (blocks as u32 & self.mask)) & 0xff, ..*self }
    }

    /// Advances the counter block in memory by `blocks`.
    ///
    /// # Safety
    /// The CPU has the features of `Xmm`, and `ctr` is readable and writable; it need not be aligned.
    #[inline(always)]
    pub(super) unsafe fn advance(ctr: *mut Block, blocks: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let next = Xmm::load(ctr.cast()).swap_bytes().count(blocks as u32).swap_bytes();
            next.store(ctr.cast());
        }
    }
}

pub(super) struct Ctr<L: Lanes> {
    pub(super) keys: RoundKeys<true>,
    pub(super) counter: Counter<L>,
}

impl<L: Lanes> Ctr<L> {
    /// With a public counter.
    ///
    /// # Safety
    /// The CPU has the features of `L`; `ctr` is readable, and `schedule` while this lives.
    #[inline(always)]
    pub(super) unsafe fn new(schedule: *const Schedule, ctr: *const Block) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { keys: RoundKeys::new(schedule), counter: Counter::new(ctr, false) } }
    }

    /// One register, which comes after `blocks` blocks that are not processed yet.
    ///
    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    pub(super) unsafe fn encrypt(&self, blocks: usize, text: L) -> L {
        // SAFETY: the caller's promise.
        unsafe {
            let mut x = self.counter.after(blocks).take::<1>();
            self.keys.all_but_last(&mut x);
            let [x] = x;
            x.last_round::<true>(self.keys.last::<L>().xor(text))
        }
    }
}

impl<L: Lanes> Parallel<L> for Ctr<L> {
    #[inline(always)]
    unsafe fn step<const N: usize>(&mut self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut x = self.counter.take::<N>();
            self.keys.all_but_last(&mut x);
            xor_into(self.keys, &x, src, dst);
        }
    }

    #[inline(always)]
    unsafe fn end(&mut self, src: *const u8, dst: *mut u8, len: usize, before: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let text = L::load_before(src, len);
            self.encrypt(before * L::BLOCKS, text).store_before(dst, len);
        }
    }
}

/// The last round, with the text added to its key. That takes the addition out of the chain.
///
/// # Safety
/// The CPU has the features of `L`; `src` is readable and `dst` writable for `N * BYTES`, equal or
/// disjoint.
#[inline(always)]
pub(super) unsafe fn xor_into<L: Lanes, const N: usize>(
    keys: RoundKeys<true>,
    x: &[L; N],
    src: *const u8,
    dst: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let last = keys.last::<L>();
        for (i, x) in x.iter().enumerate() {
            let text = L::load(src.add(i * L::BYTES));
            x.last_round::<true>(last.xor(text)).store(dst.add(i * L::BYTES));
        }
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn ctr32<L: Lanes>(
    schedule: *const Schedule,
    ctr: *mut Block,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        Ctr::<L>::new(schedule, ctr).walk(src, dst, len);
        Counter::<L>::advance(ctr, len.div_ceil(16));
    }
}
