// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which table runs: CPU policy in one place, decided anew for each call.

use core::sync::atomic::{AtomicU8, Ordering};

use super::env::{self, FEATURE_AES, FEATURE_PCLMULQDQ, FEATURE_SSE41, FEATURE_SSSE3};

/// The tables of kernels, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TableId {
    /// Integer instructions only, constant-time; runs anywhere.
    Portable = 0,
    /// Legacy-SSE AES-NI and PCLMULQDQ; runs wherever the FPU can be had, in an interrupt too.
    Aesni = 1,
}

impl TableId {
    /// Every table.
    pub const ALL: [Self; env::TABLES] = [Self::Portable, Self::Aesni];

    /// Its name, which [`force`] and the statistics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Aesni => "aesni",
        }
    }

    /// The feature bits that its instructions presume, every one of them.
    const fn features(self) -> u32 {
        match self {
            Self::Portable => 0,
            Self::Aesni => FEATURE_AES | FEATURE_PCLMULQDQ | FEATURE_SSSE3 | FEATURE_SSE41,
        }
    }

    /// Whether a thread that does not own the FPU may run it on borrowed registers: xmm only, in
    /// encodings that leave the upper halves alone.
    const fn in_interrupt(self) -> bool {
        match self {
            Self::Portable | Self::Aesni => true,
        }
    }

    /// Whether this CPU can run it, and it has not been excluded.
    pub fn available(self) -> bool {
        let needed = self.features();
        env::features() & needed == needed && EXCLUDED.load(Ordering::Relaxed) & self.bit() == 0
    }

    /// Takes the table out of the choice of every later call, or back in. `Portable` serves where
    /// there is no other, whatever is excluded.
    pub fn exclude(self, excluded: bool) {
        if excluded {
            EXCLUDED.fetch_or(self.bit(), Ordering::Relaxed);
        } else {
            EXCLUDED.fetch_and(!self.bit(), Ordering::Relaxed);
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Proof that this CPU, in this context, may run a table: only [`select`] and [`probe`] hand one
/// out.
#[derive(Clone, Copy, Debug)]
pub struct Table(TableId);

impl Table {
    /// Which table it is.
    pub fn id(self) -> TableId {
        self.0
    }
}

/// No table is forced.
const AUTOMATIC: u8 = u8::MAX;

/// The forced table's number, or [`AUTOMATIC`].
static FORCED: AtomicU8 = AtomicU8::new(AUTOMATIC);

/// Tables that gave a wrong answer, a bit for each.
static EXCLUDED: AtomicU8 = AtomicU8::new(0);

/// Makes every later call use table `id`, or again the best one (`None`). A call in an interrupt
/// uses it only if it may. Returns whether this CPU has the table; if not, nothing changes.
pub fn force(id: Option<TableId>) -> bool {
    match id {
        Some(id) if !id.available() => return false,
        Some(id) => FORCED.store(id as u8, Ordering::Relaxed),
        None => FORCED.store(AUTOMATIC, Ordering::Relaxed),
    }
    true
}

/// Table `id`, whatever is forced, if this CPU has it and this context may run it: for the
/// self-test, which must see every one.
pub fn probe(id: TableId) -> Option<Table> {
    (id.available() && (id.in_interrupt() || !env::in_interrupt())).then_some(Table(id))
}

/// The table for a call that begins now, in this context.
pub fn select() -> Table {
    let forced = FORCED.load(Ordering::Relaxed);
    let usable = |id: TableId| {
        id.available()
            && (id.in_interrupt() || !env::in_interrupt())
            && (forced == AUTOMATIC || forced >= id as u8)
    };
    Table(if usable(TableId::Aesni) { TableId::Aesni } else { TableId::Portable })
}
