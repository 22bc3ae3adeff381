// SPDX-License-Identifier: MIT OR Apache-2.0
//! FPU holds: short, never nested, and wiped before they end.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use kcfaes_kernels::Powers;
use kcfaes_kernels::entry_aesni::kcfaes_wipe_aesni;
use kcfaes_kernels::entry_vaes256::kcfaes_wipe_vaes256;
use kcfaes_kernels::entry_vaes512::kcfaes_wipe_vaes512;

use super::env::{self, kcfaes_hold};
use super::kernel::needed;
use super::select::{Table, TableId, select};
use super::wipe;
use crate::portable;

/// Bytes of text that a parallel mode (ECB, CTR, CBC decryption, GCM) may process in one hold
/// unless [`set_hold_bytes`] says otherwise: 7 to 16 microseconds of a core.
pub const HOLD_BYTES: usize = 32 * 1024;

/// Serial modes get a quarter of it (8 KiB by default): each of their bytes counts `1 << 2`.
const SERIAL_SHIFT: u32 = 2;

static HOLD_LIMIT: AtomicUsize = AtomicUsize::new(HOLD_BYTES);

/// The least that [`set_hold_bytes`] takes.
pub(super) const LEAST_HOLD_BYTES: usize = 1024;

/// Sets the bytes of a hold for calls that begin later, clamped to 1 KiB ..= 1 MiB and rounded down
/// to whole blocks; returns the value taken.
pub fn set_hold_bytes(bytes: usize) -> usize {
    let bytes = bytes.clamp(LEAST_HOLD_BYTES, 1024 * 1024) & !((16 << SERIAL_SHIFT) - 1);
    HOLD_LIMIT.store(bytes, Ordering::Relaxed);
    bytes
}

/// How a mode uses the processor, which decides how long a hold may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Many blocks in flight.
    Parallel,
    /// Each block waits for the one before.
    Serial,
}

impl Pace {
    /// Each byte counts as `1 << shift` of the budget.
    const fn shift(self) -> u32 {
        match self {
            Self::Parallel => 0,
            Self::Serial => SERIAL_SHIFT,
        }
    }

    /// Bytes that a run counts as at least: the rounds and the product of a piece of one byte take about
    /// as long as those of four blocks that are in flight together.
    pub(super) const fn least(self) -> usize {
        64 >> self.shift()
    }
}

/// The FPU for the length of one call: taken when first needed, given back when the budget is
/// spent (so that the thread can be preempted) and at the end, with the registers wiped.
pub struct Fpu {
    table: Table,
    budget: usize,
    left: usize,
    held: bool,
    /// Lowest stack pointer from which a kernel of `portable` was called in this hold.
    low: Cell<usize>,
    /// Bytes granted in this hold, and most in any before it.
    granted: usize,
    longest: usize,
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

    /// The table to run where `powers` hash `len` bytes: a key that was set where only a narrower
    /// table could run has too few for more than a short text in a wide one.
    #[inline(always)]
    pub(super) fn hashing(&self, powers: &Powers, len: usize) -> TableId {
        let (table, set) = (self.table(), powers.set as usize);
        if set >= table.powers() || set >= needed(len) { table } else { TableId::Aesni }
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
            granted: 0,
            longest: 0,
            hold,
        }
    }

    /// The table of this call.
    pub fn table(&self) -> TableId {
        self.table.id()
    }

    /// Most bytes that one hold of this call has processed; 0 where the table needs none.
    pub fn longest_hold(&self) -> usize {
        if self.table.id() > TableId::Portable { self.longest.max(self.granted) } else { 0 }
    }

    /// Makes sure of a hold and grants the first bytes of `want` for it: all, or as many whole
    /// blocks as the budget has left.
    pub fn hold(&mut self, pace: Pace, want: usize) -> (Hold<'_>, usize) {
        let shift = pace.shift();
        let mut granted = self.left >> shift & !15;
        if granted == 0 && (want > 0 || !self.held) {
            self.renew();
            granted = self.budget >> shift & !15;
        }
        let granted = granted.min(want);
        self.left = self.left.saturating_sub(granted << shift);
        self.granted = self.granted.wrapping_add(granted);
        (self.current(), granted)
    }

    /// A hold for what is not worth counting: the one that there is, or a new one.
    #[inline]
    pub fn held(&mut self) -> Hold<'_> {
        if !self.held {
            self.renew();
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

    /// A hold for all of `want` bytes at once; `None` if they are more than the budget.
    #[inline]
    pub fn hold_all(&mut self, pace: Pace, want: usize) -> Option<Hold<'_>> {
        let shift = pace.shift();
        if want > self.budget >> shift {
            return None;
        }
        if want > self.left >> shift || !self.held {
            self.renew();
        }
        self.left -= want << shift;
        self.granted = self.granted.wrapping_add(want);
        Some(self.current())
    }

    /// Ends the hold, if there is one, and begins another. A function of its own, because every
    /// step of every mode has it: the object is smaller by a sixth.
    #[inline(never)]
    fn renew(&mut self) {
        if self.held {
            self.release();
        }
        if self.table.id() > TableId::Portable {
            // SAFETY: `release` has just ended any hold of ours, and will end this one; `self` is
            // borrowed by the `Hold` meanwhile and so does not move.
            unsafe { env::hold(&mut self.hold) };
        }
        self.held = true;
        self.left = self.budget;
        self.longest = self.longest.max(self.granted);
        self.granted = 0;
    }

    /// Wipes what the kernels left behind and gives the FPU back.
    #[inline(never)]
    fn release(&mut self) {
        if !self.held {
            return;
        }
        self.held = false;
        match self.table.id() {
            TableId::Portable => {
                // A kernel is called from deeper down than this is: its frame, which may hold round
                // keys and text, ends some way below the caller's stack pointer. The other tables'
                // entry points leave nothing on the stack.
                let low = self.low.replace(usize::MAX);
                wipe::dead_stack(low, portable::WIPED_STACK);
                wipe::registers();
            }
            table => {
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
    fn drop(&mut self) {
        self.release();
    }
}
