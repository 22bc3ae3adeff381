// SPDX-License-Identifier: MIT OR Apache-2.0
//! One generic body for each mode, over [`Lanes`]. This file has what the bodies share: the rounds of the
//! cipher, and the walk over a text.
//!
//! Invariants: nothing outside the given ranges is touched. A step reads all of its source before it writes
//! any of its destination, so both may be the same bytes. The only branches are on lengths and on the number
//! of rounds. Everything is inlined into the entry points.

pub(crate) mod cbc;
pub(crate) mod cbc_batch;
pub(crate) mod cbc_mac;
pub(crate) mod ccm;
pub(crate) mod ctr;
pub(crate) mod ecb;
pub(crate) mod gcm;
pub(crate) mod ghash;
pub(crate) mod key;
pub(crate) mod pieces;

use core::arch::asm;

use crate::lanes::Lanes;
use crate::{Block, Schedule};

/// Registers in flight in the bulk loops. AESENC has a latency of 3 or 4 cycles and runs on two units, so
/// eight would do if each instruction began at once. Measured: twelve are 4 % faster (Zen 5, `make bench`).
const IN_FLIGHT: usize = 12;

/// A step of at least this many registers is long: its rounds hide other work. Derived: AESENC's latency of 4
/// cycles times its two units. So eight registers fill the units, and fewer leave them idle.
const MANY: usize = 8;

/// Repeats the body for each listed value. No optimiser unrolls a loop whose body has a barrier.
macro_rules! unrolled {
    ($i:ident in $($n:literal)* $body:block) => {
        $({
            const $i: usize = $n;
            $body
        })*
    };
}
use unrolled;

/// The round keys of one direction.
///
/// A raw pointer, not a reference: a reference would let the compiler keep all keys in registers over a loop,
/// and it would spill them. To load a key where it is used costs nothing.
#[derive(Clone, Copy)]
struct RoundKeys<const ENCRYPT: bool> {
    first: *const Block,
    rounds: usize,
}

impl<const ENCRYPT: bool> RoundKeys<ENCRYPT> {
    /// # Safety
    /// `schedule` is readable and stays so while this lives.
    #[inline(always)]
    unsafe fn new(schedule: *const Schedule) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let first = if ENCRYPT {
                (&raw const (*schedule).enc).cast()
            } else {
                (&raw const (*schedule).dec).cast()
            };
            Self { first, rounds: (*schedule).rounds as usize }
        }
    }

    /// # Safety
    /// `round` <= `rounds`, and the CPU has the features of `L`.
    #[inline(always)]
    unsafe fn key<L: Lanes>(self, round: usize) -> L {
        // SAFETY: `new` was promised a schedule, the caller promises the rest.
        unsafe { L::broadcast(self.first.add(round)) }
    }

    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    unsafe fn last<L: Lanes>(self) -> L {
        // SAFETY: the caller's promise.
        unsafe { self.key(self.rounds) }
    }

    /// # Safety
    /// As [`key`](Self::key).
    #[inline(always)]
    unsafe fn round<L: Lanes, const N: usize>(self, x: &mut [L; N], round: usize) {
        // SAFETY: the caller's promise.
        let key = unsafe { self.key::<L>(round) };
        for x in x {
            *x = x.round::<ENCRYPT>(key);
        }
    }

    /// The rounds from `from` to the one before the last. A loop costs no time. Unrolled, these rounds would
    /// be half of this room's text. So the number of rounds is hidden from the compiler.
    ///
    /// # Safety
    /// The CPU has the features of `L`, and `from` < `rounds`.
    #[inline(always)]
    unsafe fn rounds_from<L: Lanes, const N: usize>(self, x: &mut [L; N], from: usize) {
        // SAFETY: the caller's promise; the assembler adds to a register.
        unsafe {
            let one = const { Self::one::<N>() };
            let (mut at, stop) = (from * one, self.rounds * one);
            loop {
                let key = L::broadcast(self.first.byte_add(at * (size_of::<Block>() / one)));
                for x in x.iter_mut() {
                    *x = x.round::<ENCRYPT>(key);
                }
                asm!("add {}, {}", inout(reg) at, const Self::one::<N>(), options(pure, nomem, nostack));
                if at >= stop {
                    break;
                }
            }
        }
    }

    /// The size of one round in the loop's count. With few registers it is the bytes of a key: that takes two
    /// instructions less, a fifth of the round. With [`MANY`] registers these two do not show, and the loop
    /// is placed less well.
    const fn one<const N: usize>() -> usize {
        if N < MANY { size_of::<Block>() } else { 1 }
    }

    /// All rounds except the last.
    ///
    /// # Safety
    /// The CPU has the features of `L`.
    #[inline(always)]
    unsafe fn all_but_last<L: Lanes, const N: usize>(self, x: &mut [L; N]) {
        // SAFETY: the caller's promise.
        unsafe {
            let key = self.key::<L>(0);
            for x in x.iter_mut() {
                *x = x.xor(key);
            }
            self.rounds_from(x, 1);
        }
    }
}

/// A mode in which the registers of a text can be in flight together.
trait Parallel<L: Lanes> {
    /// Processes `N` registers.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `N * BYTES`, equal or disjoint.
    unsafe fn step<const N: usize>(&mut self, src: *const u8, dst: *mut u8);

    /// Processes the end of a text, `0 < len < BYTES`. `before` registers that precede it are not processed
    /// yet.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len`, equal or disjoint.
    unsafe fn end(&mut self, src: *const u8, dst: *mut u8, len: usize, before: usize);

    /// Walks over a text. The end and the remainder modulo twelve registers come first. Then the steps of
    /// twelve fill the units while those few registers wait for their rounds.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len`, equal or disjoint.
    #[inline(always)]
    unsafe fn walk(&mut self, mut src: *const u8, mut dst: *mut u8, mut len: usize) {
        let registers = len / L::BYTES;
        let full = registers * L::BYTES;
        // SAFETY: the steps together cover `len` bytes.
        unsafe {
            if full != len {
                self.end(src.add(full), dst.add(full), len - full, registers);
            }
            let first = left_over(registers) * L::BYTES;
            self.walk_few(src, dst, first);
            src = src.add(first);
            dst = dst.add(first);
            len = full - first;
            while len > 0 {
                self.step::<IN_FLIGHT>(src, dst);
                src = src.add(IN_FLIGHT * L::BYTES);
                dst = dst.add(IN_FLIGHT * L::BYTES);
                len -= IN_FLIGHT * L::BYTES;
            }
        }
    }

    /// Walks over less than 16 registers: one step for each bit of their number, without a loop, so that the
    /// steps overlap. The largest step comes first and hides the others (4 % of 1424 bytes: Zen 5,
    /// `make bench`).
    ///
    /// # Safety
    /// As [`walk`](Self::walk), and `len` is less than 16 full registers.
    #[inline(always)]
    unsafe fn walk_few(&mut self, mut src: *const u8, mut dst: *mut u8, len: usize) {
        // SAFETY: the steps together cover `len` bytes.
        unsafe {
            unrolled!(N in 8 4 2 1 {
                if len & (N * L::BYTES) != 0 {
                    self.step::<N>(src, dst);
                    src = src.add(N * L::BYTES);
                    dst = dst.add(N * L::BYTES);
                }
            });
        }
    }
}

/// `registers` modulo [`IN_FLIGHT`], in 32 bits: 2^32 is 1 modulo 3. In 64 bits the compiler would multiply
/// by a constant so large that a fault in it cannot be tested without a crash.
#[inline(always)]
fn left_over(registers: usize) -> usize {
    const { assert!(IN_FLIGHT == 12) };
    let fold = |n: usize| (n & 0xffff_ffff) + (n >> 32);
    let fours = fold(fold(registers >> 2)) as u32;
    (fours % 3) as usize * 4 + (registers & 3)
}

#[cfg(test)]
mod tests {
    use super::{IN_FLIGHT, left_over};

    #[test]
    fn left_over_of_any_number() {
        let edges = (0..60).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 5]);
        for registers in (0..100).chain(edges) {
            assert_eq!(left_over(registers), registers % IN_FLIGHT, "{registers}");
        }
    }
}
