// SPDX-License-Identifier: MIT OR Apache-2.0
//! FPU holds: short, never nested, and wiped before they end.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use kcfaes_kernels::BlockMode;
use kcfaes_kernels::entry_aesni::kcfaes_wipe_aesni;
use kcfaes_kernels::entry_vaes256::kcfaes_wipe_vaes256;
use kcfaes_kernels::entry_vaes512::kcfaes_wipe_vaes512;

use super::select::{Table, TableId, select, select_for};
use crate::env::{self, kcfaes_hold};
use crate::{portable, watch, wipe};

/// Cost units of one hold, unless [`set_hold_bytes`] sets another number. A unit is the time of a
/// byte in a parallel mode (ECB, CTR, CBC decryption, GCM). Chosen: a hold is short beside the time
/// slice of a thread, and long beside taking and giving back the FPU. Measured: 1.3 microseconds
/// (ECB-128, `vaes512`) to 5.0 (GCM-256, `aesni`) on Rocket Lake at 3.6 GHz, 16 KiB rows of
/// `make bench`.
pub const HOLD_BYTES: usize = 32 * 1024;

/// A byte in a serial mode costs `1 << 2` units, so that a hold of those modes has 8 KiB by default. Measured
/// as above: a byte of CBC encryption takes 6 to 12 times as long as one of CBC decryption, and such a hold
/// 4.0 to 5.6 microseconds, as much as the longest of the others.
const SERIAL_SHIFT: u32 = 2;

static HOLD_LIMIT: AtomicUsize = AtomicUsize::new(HOLD_BYTES);

/// The smallest hold that [`set_hold_bytes`] accepts. Derived: the cost of all the runs that one
/// call of a kernel takes (asserted in `drive.rs`).
pub const LEAST_HOLD: usize = 1024;

/// The largest hold that [`set_hold_bytes`] accepts.
pub const MOST_HOLD: usize = 1024 * 1024;

/// The least cost of a run, in units, with the pieces that end in it. Derived: a piece of one byte waits for
/// the latency of its rounds and its product. Four blocks would go through together in that time.
pub(crate) const RUN_COST: usize = 64;

/// Sets the units of a hold for later calls: the number of bytes that a parallel mode may process in one
/// hold. `bytes` is clamped to [`LEAST_HOLD`] `..=` [`MOST_HOLD`] and rounded down to full blocks in either
/// pace. Returns the value taken.
pub fn set_hold_bytes(bytes: usize) -> usize {
    let units = bytes.clamp(LEAST_HOLD, MOST_HOLD) & !((16 << SERIAL_SHIFT) - 1);
    HOLD_LIMIT.store(units, Ordering::Relaxed);
    units
}

/// How a mode uses the processor. This decides what a byte costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Many blocks in flight.
    Parallel,
    /// Each block waits for the one before.
    Serial,
}

impl Pace {
    /// Of a mode other than GCM and GMAC, which are parallel.
    #[inline(always)]
    pub(crate) fn of(mode: BlockMode) -> Self {
        if mode.is_serial() { Self::Serial } else { Self::Parallel }
    }

    const fn shift(self) -> u32 {
        match self {
            Self::Parallel => 0,
            Self::Serial => SERIAL_SHIFT,
        }
    }

    /// Cost units of `len` bytes.
    #[inline(always)]
    pub(crate) const fn cost(self, len: usize) -> usize {
        len << self.shift()
    }
}

/// The FPU for the length of one call. It is taken when first needed, and given back at the end of the call.
/// It is also given back when the budget is spent, so that the thread can be preempted. The registers are
/// wiped each time.
pub struct Fpu {
    table: Table,
    /// Cost units of a hold, and the units left of this one; 0 without a hold.
    budget: usize,
    left: usize,
    held: bool,
    /// Lowest stack pointer from which a kernel of `portable` was called; `usize::MAX` if none was.
    low: Cell<usize>,
    /// The time stamp counter when this hold began, if it is worth reading; otherwise 0.
    begun: u64,
    /// Ticks of the longest hold that ended with its budget spent.
    longest: u64,
    hold: MaybeUninit<kcfaes_hold>,
}

/// Proof that the FPU is ours and that `table` may use it. Only [`Fpu`] and `Once` hand one out, and the
/// hold cannot end while the proof lives.
#[derive(Clone, Copy)]
pub struct Hold<'a> {
    pub(super) table: TableId,
    /// [`Fpu::low`]; `None` if the table is not `portable`.
    low: Option<&'a Cell<usize>>,
}

impl Hold<'_> {
    /// The table to run. Inlined into the function that calls its kernel: the stack pointer read here is then
    /// the one below which the kernel's frame will lie.
    #[inline(always)]
    pub(super) fn table(&self) -> TableId {
        if self.table == TableId::Portable
            && let Some(low) = self.low
        {
            low.set(low.get().min(wipe::stack_pointer()));
        }
        // A constant elsewhere, so that no call of another table's kernel is compiled.
        if cfg!(target_arch = "x86_64") { self.table } else { TableId::Portable }
    }
}

/// The bytes, in full blocks, for which one hold is enough after `setup` cost units.
#[inline(always)]
pub(crate) fn most_at_once(pace: Pace, setup: usize) -> usize {
    HOLD_LIMIT.load(Ordering::Relaxed).saturating_sub(setup) >> pace.shift() & !15
}

/// The one hold of a call that needs no more. It has no budget, so its state need not go through memory, as
/// an [`Fpu`]'s does. The table is not `portable`, whose frames an [`Fpu`] wipes.
#[must_use]
pub(crate) struct Once<'a> {
    table: TableId,
    room: &'a mut MaybeUninit<kcfaes_hold>,
}

impl<'a> Once<'a> {
    /// Takes the FPU, for work of `cost` units, at most a budget.
    #[inline(always)]
    pub(crate) fn new(table: Table, cost: usize, room: &'a mut MaybeUninit<kcfaes_hold>) -> Self {
        debug_assert!(table.id() > TableId::Portable);
        // SAFETY: a call that takes the direct path holds nothing else. `end` gives the FPU back; meanwhile
        // the room is borrowed, so it does not move.
        unsafe { env::hold(room, table.light()) };
        watch::held();
        watch::spent(cost);
        Self { table: table.id(), room }
    }

    /// The hold.
    #[inline(always)]
    pub(crate) fn hold(&self) -> Hold<'_> {
        Hold { table: self.table, low: None }
    }

    /// Gives the FPU back. Not a `drop`, which would not be inlined.
    #[inline(always)]
    pub(crate) fn end(self) {
        // SAFETY: `new` took it.
        unsafe { give_back(self.table, self.room) };
    }
}

/// Wipes what the kernels of a table, not `portable`, have left in registers, and gives the FPU back.
///
/// # Safety
/// The FPU was taken for this table, with `room`.
#[inline(always)]
unsafe fn give_back(table: TableId, room: &mut MaybeUninit<kcfaes_hold>) {
    watch::released();
    // SAFETY: the table was selected for this CPU, and the FPU is held.
    unsafe {
        match table {
            TableId::Vaes512 => kcfaes_wipe_vaes512(),
            TableId::Vaes256 => kcfaes_wipe_vaes256(),
            _ => kcfaes_wipe_aesni(),
        }
        env::release(room);
    }
}

impl Fpu {
    /// Chooses the table for a call of any length, and for a key that any call may use.
    #[expect(clippy::new_without_default, reason = "it looks at the CPU and the context")]
    pub fn new() -> Self {
        Self::on(select())
    }

    /// Chooses the table, and with it the kind of hold, for a call of `len` bytes, AAD included.
    pub fn of(len: usize) -> Self {
        Self::on(select_for(len))
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

    /// Ticks of the time stamp counter that this call's longest hold took, of those that ended with their
    /// budget spent and whose beginning was noted; 0 if there was none.
    pub fn longest_hold(&self) -> u64 {
        self.longest
    }

    /// Makes sure of a hold and grants it the first bytes of `want`: all, or as many full blocks as the
    /// budget has left.
    pub fn hold(&mut self, pace: Pace, want: usize) -> (Hold<'_>, usize) {
        let shift = pace.shift();
        if self.left >> shift < 16 && (want > 0 || !self.held) {
            self.renew(0);
        }
        let granted = (self.left >> shift & !15).min(want);
        (self.spend(pace.cost(granted)), granted)
    }

    /// A hold for work that is too small to count: the current one, or a new one.
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
        Hold { table: self.table.id(), low: Some(&self.low) }
    }

    /// The largest request to make of [`hold_all`](Self::hold_all), in full blocks. Serial modes use up the
    /// current hold, if anything is left of it. Parallel modes start a new one, because an extra cut costs
    /// more than a hold.
    pub fn most(&self, pace: Pace) -> usize {
        let left = self.left >> SERIAL_SHIFT & !15;
        if pace == Pace::Serial && left > 0 { left } else { self.most_anew(pace) }
    }

    /// The largest request that a new hold grants, in full blocks.
    #[inline(always)]
    pub(crate) fn most_anew(&self, pace: Pace) -> usize {
        self.budget >> pace.shift() & !15
    }

    /// A hold for all of `cost` units at once. The caller knows that they are within the budget.
    #[inline]
    pub fn hold_all(&mut self, cost: usize) -> Hold<'_> {
        debug_assert!(cost <= self.budget);
        if cost > self.left || !self.held {
            self.renew(cost);
        }
        self.spend(cost)
    }

    /// Pays for other work than a kernel's, if the FPU is held. The hold ends if it has not so many units left.
    #[inline]
    pub(crate) fn pay(&mut self, cost: usize) {
        if cost > self.left {
            self.end();
        } else {
            self.spend(cost);
        }
    }

    #[inline(always)]
    fn spend(&mut self, cost: usize) -> Hold<'_> {
        if self.table.id() > TableId::Portable {
            watch::spent(cost);
        }
        self.left = self.left.saturating_sub(cost);
        self.current()
    }

    /// Gives the FPU back, if it is held, before a walk of a list that may be long. The portable table holds
    /// none. Frames of its kernels may still be live; they are wiped at the end.
    #[inline]
    pub fn end(&mut self) {
        if self.held && self.table.id() > TableId::Portable {
            self.release();
        }
    }

    /// Ends the hold, if there is one, because its budget is spent. Then begins another, which must grant
    /// `cost` units at once. The clock is read for holds that will be full, and when the one before was full:
    /// not in a short call. This is a function of its own because every step of every mode calls it: that
    /// makes the object smaller by a sixth.
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
            // SAFETY: `release` has just ended any hold of ours, and will end this one. Meanwhile the `Hold`
            // borrows `self`, so `self` does not move. The table may run in this kind of hold: it says so.
            unsafe { env::hold(&mut self.hold, self.table.light()) };
            watch::held();
            if full && !env::stats().is_null() {
                self.begun = ticks();
            }
        }
        self.held = true;
        self.left = self.budget;
    }

    /// Wipes what the kernels have left and gives the FPU back.
    #[inline(never)]
    fn release(&mut self) {
        self.held = false;
        self.left = 0;
        match self.table.id() {
            // Nothing is held. The stack of its kernels is wiped at the end.
            TableId::Portable => {}
            // SAFETY: `renew` took it.
            table => unsafe { give_back(table, &mut self.hold) },
        }
    }
}

impl Drop for Fpu {
    /// Inlined, so that `dead_stack` is called from the frame that the FPU is in. `portable`'s frames, which
    /// may hold round keys and text, began below that frame, and end some way below the lowest stack pointer
    /// that called one. A frame of this function would cover some of that stack, and so keep it. The other
    /// tables' entry points leave nothing on the stack.
    #[inline(always)]
    fn drop(&mut self) {
        if self.held {
            self.release();
        }
        let low = self.low.get();
        if low < usize::MAX {
            // `dead_stack` may push a register to align its frame.
            wipe::general_registers();
            wipe::dead_stack(low, portable::WIPED_STACK);
            wipe::registers();
        }
    }
}

/// The time stamp counter. It is read only in the kernel, where that is always allowed.
#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: every CPU with 64 bits has the instruction, and only the kernel keeps statistics.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The only kernel that keeps statistics is x86-64's.
#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    0
}
