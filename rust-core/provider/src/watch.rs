// SPDX-License-Identifier: MIT OR Apache-2.0
//! For tests: what a thread has done while the FPU was held (lists walked, pieces passed, cost spent), and a
//! switch that sends this thread's messages along the general path. Builds without debug assertions, as every
//! artifact is, contain none of it. Nothing here is inlined: the tests also check the stack of the callers.

#[cfg(all(debug_assertions, not(target_os = "none")))]
pub use self::counting::{Seen, forbid_direct, take};
#[cfg(all(debug_assertions, not(target_os = "none")))]
pub(crate) use self::counting::{direct, held, piece, released, spent, walk};

#[cfg(not(all(debug_assertions, not(target_os = "none"))))]
mod idle {
    #[inline(always)]
    pub(crate) fn direct() -> bool {
        true
    }
    #[inline(always)]
    pub(crate) fn held() {}
    #[inline(always)]
    pub(crate) fn released() {}
    #[inline(always)]
    pub(crate) fn spent(_: usize) {}
    #[inline(always)]
    pub(crate) fn piece() {}
    #[inline(always)]
    pub(crate) fn walk() {}
}
#[cfg(not(all(debug_assertions, not(target_os = "none"))))]
pub(crate) use self::idle::{direct, held, piece, released, spent, walk};

#[cfg(all(debug_assertions, not(target_os = "none")))]
mod counting {
    extern crate std;

    use core::cell::Cell;
    use std::thread_local;

    /// What has happened since the last call of [`take`].
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Seen {
        /// Lists that were opened or compared inside a hold.
        pub walks: usize,
        /// The most pieces, empty ones included, that were passed in one hold.
        pub pieces: usize,
        /// The most cost units that one hold was asked for.
        pub cost: usize,
    }

    thread_local! {
        static SEEN: Cell<Seen> = const { Cell::new(Seen { walks: 0, pieces: 0, cost: 0 }) };
        /// The pieces and the cost of the current hold.
        static HOLD: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
        /// Whether a message may take the direct path.
        static DIRECT: Cell<bool> = const { Cell::new(true) };
    }

    /// Whether this thread's messages must take the general path.
    pub fn forbid_direct(forbidden: bool) {
        DIRECT.set(!forbidden);
    }

    /// Whether a message of this thread may take the direct path.
    pub(crate) fn direct() -> bool {
        DIRECT.get()
    }

    /// What this thread has done.
    pub fn take() -> Seen {
        SEEN.take()
    }

    #[inline(never)]
    pub(crate) fn held() {
        HOLD.set(Some((0, 0)));
    }

    #[inline(never)]
    pub(crate) fn released() {
        HOLD.set(None);
    }

    #[inline(never)]
    fn count(pieces: usize, cost: usize, walks: usize) {
        if let Some((pieces_before, cost_before)) = HOLD.get() {
            let (pieces, cost) = (pieces_before + pieces, cost_before + cost);
            HOLD.set(Some((pieces, cost)));
            let mut seen = SEEN.get();
            seen.walks += walks;
            seen.pieces = seen.pieces.max(pieces);
            seen.cost = seen.cost.max(cost);
            SEEN.set(seen);
        }
    }

    pub(crate) fn spent(cost: usize) {
        count(0, cost, 0);
    }

    pub(crate) fn piece() {
        count(1, 0, 0);
    }

    pub(crate) fn walk() {
        count(0, 0, 1);
    }
}
