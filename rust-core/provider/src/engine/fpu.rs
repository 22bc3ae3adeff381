// SPDX-License-Identifier: MIT OR Apache-2.0
//! FPU holds: short, never nested, and wiped before they end.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use kcfaes_kernels::entry_aesni::kcfaes_wipe_aesni;
use kcfaes_kernels::entry_vaes256::kcfaes_wipe_vaes256;
use kcfaes_kernels::entry_vaes512::kcfaes_wipe_vaes512;

use super::select::{Table, TableId, select};
use crate::env::{self, kcfaes_hold};
use crate::{portable, watch, wipe};

/// Cost units of one hold unless [`set_hold_bytes`] says otherwise. Chosen: 7 to 16 microseconds of a
/// core. A unit is the time of a byte in a parallel mode (ECB, CTR, CBC decryption, GCM).
pub const HOLD_BYTES: usize = 32 * 1024;

/// A byte in a serial mode costs `1 << 2` units. Chosen: a hold of those modes is a quarter, 8 KiB by default.
const SERIAL_SHIFT: u32 = 2;

static HOLD_LIMIT: AtomicUsize = AtomicUsize::new(HOLD_BYTES);

/// The least that [`set_hold_bytes`] takes. Derived: the cost of as many runs as go to a kernel at
/// once (asserted in `drive.rs`).
pub const LEAST_HOLD: usize = 1024;

/// The most that [`set_hold_bytes`] takes.
pub const MOST_HOLD: usize = 1024 * 1024;

/// Units that a run costs at least, with the pieces that end in it. Derived: a piece of one byte waits for the
/// latency of its rounds and its product, in which four blocks would go through together.
pub(super) const RUN_COST: usize = 64;

/// Sets the units of a hold for calls that begin later, which are the bytes that a parallel mode may
/// process in one, clamped to [`LEAST_HOLD`] `..=` [`MOST_HOLD`] and rounded down to whole blocks in either
/// pace; returns the value taken.
pub fn set_hold_bytes(bytes: usize) -> usize {
    let units = bytes.clamp(LEAST_HOLD, MOST_HOLD) & !((16 << SERIAL_SHIFT) - 1);
    HOLD_LIMIT.store(units, Ordering::Relaxed);
    units
}

/// How a mode uses the processor, which decides what a byte costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Many blocks in flight.
    Parallel,
    /// Each block waits for the one before.
    Serial,
}

impl Pace {
    const fn shift(self) -> u32 {
        match self {
            Self::Parallel => 0,
            Self::Serial => SERIAL_SHIFT,
        }
    }

    /// Cost units of `len` bytes.
    #[inline(always)]
    pub(super) const fn cost(self, len: usize) -> usize {
        len << self.shift()
    }
}

/// The FPU for the length of one call: taken when first needed, given back when the budget is
/// spent (so that the thread can be preempted) and at the end, with the registers wiped.
pub struct Fpu {
    table: Table,
    /// Cost units of a hold, and those that are left of this one; 0 where there is none.
    budget: usize,
    left: usize,
    held: bool,
    /// Lowest stack pointer from which a kernel of `portable` was called; `usize::MAX` if none was.
    low: Cell<usize>,
    /// When this hold began by the time stamp counter, if that is worth reading; 0 if not.
    begun: u64,
    /// Ticks of the longest hold that ended because its budget was spent.
    longest: u64,
    hold: MaybeUninit<kcfaes_hold>,
}

/// Proof that the FPU is ours and that `table` may use it: only [`Fpu::hold`] hands one out, and
/// while it lives the hold cannot end.
#[derive(Clone, Copy)]
pub struct Hold<'a> {
    table: TableId,
    low: &'a Cell<usize>,
}

impl Hold<'_> {
    /// The table to run. Inlined into the function that calls its kernel, so that the stack pointer
    /// seen here is the one below which the kernel's frame will lie.
    #[inline(always)]
    pub(super) fn table(&self) -> TableId {
        if self.table == TableId::Portable {
            self.low.set(self.low.get().min(wipe::stack_pointer()));
        }
        self.table
    }
}

impl Fpu {
    /// Chooses the table for this call.
    #[expect(clippy::new_without_default, reason = "it looks at the CPU and the context")]
    pub fn new() -> Self {
        Self::on(select())
    }

    /// For a call on a given table.
    pub fn on(table: Table) -> Self {
        let budget = HOLD_LIMIT.load(Ordering::Relaxed);
        let hold = MaybeUninit::uninit();
        Self {
            table,
            budget,
            left: 0,
            held: false,
            low: Cell::new(usize::MAX),
            begun: 0,
            longest: 0,
            hold,
        }
    }

    /// The table of this call.
    pub fn table(&self) -> TableId {
        self.table.id()
    }

    /// Ticks of the time stamp counter that the longest hold of this call took, of those that ended
    /// because their budget was spent and of which the beginning was noted; 0 if there was none.
    pub fn longest_hold(&self) -> u64 {
        self.longest
    }

    /// Makes sure of a hold and grants the first bytes of `want` for it: all, or as many whole
    /// blocks as the budget has left.
    pub fn hold(&mut self, pace: Pace, want: usize) -> (Hold<'_>, usize) {
        let shift = pace.shift();
        if self.left >> shift < 16 && (want > 0 || !self.held) {
            self.renew(0);
        }
        let granted = (self.left >> shift & !15).min(want);
        (self.spend(pace.cost(granted)), granted)
    }

    /// A hold for what is not worth counting: the one that there is, or a new one.
    #[inline]
    pub fn held(&mut self) -> Hold<'_> {
        if !self.held {
            self.renew(0);
        }
        self.current()
    }

    /// The hold that was taken.
    #[inline(always)]
    fn current(&self) -> Hold<'_> {
        Hold { table: self.table.id(), low: &self.low }
    }

    /// Most bytes to ask of [`hold_all`](Self::hold_all), whole blocks: in a serial mode what the hold that
    /// there is has left, if it has; a parallel one is better off with a new hold than with one more cut.
    pub fn most(&self, pace: Pace) -> usize {
        let left = self.left >> SERIAL_SHIFT & !15;
        if pace == Pace::Serial && left > 0 { left } else { self.budget >> pace.shift() & !15 }
    }

    /// A hold for all of `cost` units at once, which the caller knows to be no more than the budget.
    #[inline]
    pub fn hold_all(&mut self, cost: usize) -> Hold<'_> {
        debug_assert!(cost <= self.budget);
        if cost > self.left || !self.held {
            self.renew(cost);
        }
        self.spend(cost)
    }

    #[inline(always)]
    fn spend(&mut self, cost: usize) -> Hold<'_> {
        if self.table.id() > TableId::Portable {
            watch::spent(cost);
        }
        self.left = self.left.saturating_sub(cost);
        self.current()
    }

    /// Gives the FPU back, if it is held: before a walk of a list that may be long. The portable table holds
    /// none, and frames of its kernels may be live yet: they are wiped at the end.
    #[inline]
    pub fn end(&mut self) {
        if self.held && self.table.id() > TableId::Portable {
            self.release();
        }
    }

    /// Ends the hold, if there is one, because its budget is spent, and begins another, of which `cost`
    /// units are wanted at once. The clock is read for holds that will be full, and where another was full:
    /// not in a short call. A function of its own, because every step of every mode has it: the object is
    /// smaller by a sixth.
    #[inline(never)]
    fn renew(&mut self, cost: usize) {
        let mut full = cost >= self.budget;
        if self.held {
            if self.begun > 0 {
                self.longest = self.longest.max(ticks().wrapping_sub(self.begun));
            }
            self.release();
            full = true;
        }
        self.begun = 0;
        if self.table.id() > TableId::Portable {
            // SAFETY: `release` has just ended any hold of ours, and will end this one; `self` is
            // borrowed by the `Hold` meanwhile and so does not move.
            unsafe { env::hold(&mut self.hold) };
            watch::held();
            if full && !env::stats().is_null() {
                self.begun = ticks();
            }
        }
        self.held = true;
        self.left = self.budget;
    }

    /// Wipes what the kernels left behind and gives the FPU back.
    #[inline(never)]
    fn release(&mut self) {
        self.held = false;
        self.left = 0;
        match self.table.id() {
            // Nothing is held. What its kernels left is wiped at the end.
            TableId::Portable => {}
            table => {
                watch::released();
                // SAFETY: the table was selected for this CPU, and the FPU is held.
                unsafe {
                    match table {
                        TableId::Vaes512 => kcfaes_wipe_vaes512(),
                        TableId::Vaes256 => kcfaes_wipe_vaes256(),
                        _ => kcfaes_wipe_aesni(),
                    }
                }
                // SAFETY: `renew` took it.
                unsafe { env::release(&mut self.hold) };
            }
        }
    }
}

impl Drop for Fpu {
    /// Inlined, so that `dead_stack` is called from the frame that the FPU is in: `portable`'s frames, which
    /// may hold round keys and text, began below it, and end some way below the lowest stack pointer that
    /// called one. A frame of this function's own would cover, and so keep, some of that. The other tables'
    /// entry points leave nothing on the stack.
    #[inline(always)]
    fn drop(&mut self) {
        if self.held {
            self.release();
        }
        let low = self.low.get();
        if low < usize::MAX {
            wipe::dead_stack(low, portable::WIPED_STACK);
            wipe::registers();
        }
    }
}

/// The time stamp counter. Read in the kernel alone, where that is always allowed.
fn ticks() -> u64 {
    // SAFETY: every CPU with 64 bits has the instruction, and whoever keeps statistics is in the kernel.
    unsafe { core::arch::x86_64::_rdtsc() }
}
