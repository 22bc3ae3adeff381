// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statistics: what a call did, added to the counters of the CPU that it ends on.
//!
//! A counter has one writer as long as its thread stays on the CPU. So an addition is a plain load and store,
//! never a locked instruction, and touches no cache line of another CPU. The price: if the thread is
//! preempted between finding the counters and adding, and continues on another CPU, one addition can be lost.
//! An interrupt on the same CPU cannot cause that, because the compiler adds to memory in one instruction.
//! Statistics can bear that loss.

use core::ffi::c_int;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::engine::TableId;
use crate::env::{self, MECHANISMS, RESULTS, TABLES, kcfaes_stats};
use crate::kcf::Error;
use crate::request::Mechanism;

/// [`kcfaes_stats`] as memory that others read at the same time.
#[repr(C, align(64))]
struct Counters {
    operations: [[AtomicU64; TABLES]; MECHANISMS],
    bytes: [[AtomicU64; TABLES]; MECHANISMS],
    failures: [AtomicU64; RESULTS],
    longest_hold: AtomicU64,
}

const _: () = {
    assert!(size_of::<Counters>() == size_of::<kcfaes_stats>());
    assert!(offset_of!(Counters, bytes) == offset_of!(kcfaes_stats, bytes));
    assert!(offset_of!(Counters, failures) == offset_of!(kcfaes_stats, failures));
    assert!(offset_of!(Counters, longest_hold) == offset_of!(kcfaes_stats, longest_hold));
    assert!(TableId::ALL.len() == TABLES);
    // CMAC has the highest number.
    assert!(Mechanism::Cmac as usize + 1 == MECHANISMS);
};

/// The counters of this CPU.
#[inline(always)]
fn here() -> Option<&'static Counters> {
    // SAFETY: NULL, or counters in this layout that live as long as the module. Everybody who writes them
    // uses atomic instructions.
    unsafe { env::stats().cast::<Counters>().as_ref() }
}

impl Counters {
    #[inline(never)]
    fn succeeded(&self, mechanism: Mechanism, table: TableId, held: u64, bytes: usize) {
        let (mechanism, table) = (mechanism as usize, table as usize);
        add(self.operations.get(mechanism).and_then(|tables| tables.get(table)), 1);
        add(self.bytes.get(mechanism).and_then(|tables| tables.get(table)), bytes as u64);
        if held > self.longest_hold.load(Ordering::Relaxed) {
            self.longest_hold.store(held, Ordering::Relaxed);
        }
    }
}

fn add(counter: Option<&AtomicU64>, n: u64) {
    if let Some(counter) = counter {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }
}

/// Counts a successful call on `bytes` bytes of input. `held` is its longest hold ([`Fpu::longest_hold`]).
///
/// [`Fpu::longest_hold`]: crate::engine::Fpu::longest_hold
#[inline(always)]
pub fn succeeded(mechanism: Mechanism, table: TableId, held: u64, bytes: usize) {
    if let Some(counters) = here() {
        counters.succeeded(mechanism, table, held, bytes);
    }
}

/// Counts a call that failed.
pub fn failed(error: Error) {
    let code: c_int = error.code();
    add(here().and_then(|counters| counters.failures.get(code as usize)), 1);
}
