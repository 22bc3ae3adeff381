// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loop between data and modes: the only place that knows about time.

use core::mem::MaybeUninit;

use super::fpu::{Fpu, LEAST_HOLD_BYTES, Pace};
use super::step::Step;
use super::wipe;
use crate::data::{Pair, Segments};

/// Runs that go to a kernel in one call.
const RUNS: usize = 16;

/// Feeds the next `len` bytes of `pair` to `step`, in order and as they are cut, as many at a time as the
/// budget of a hold and the kernels allow.
#[inline(never)]
pub(crate) fn drive(
    fpu: &mut Fpu,
    pace: Pace,
    pair: &mut Pair<'_>,
    mut len: usize,
    step: &mut Step<'_>,
) {
    // Or no hold would do for as many runs of a byte each.
    const { assert!(RUNS * Pace::Parallel.least() <= LEAST_HOLD_BYTES) };
    while len > 0 {
        let mut runs = [const { MaybeUninit::uninit() }; RUNS];
        let (runs, n) = pair.runs(&mut runs, len.min(fpu.most(pace)).min(step.most()));
        let cost = n.max(runs.len() * pace.least());
        let Some(hold) = fpu.hold_all(pace, cost).filter(|_| n > 0) else { return };
        step.run(hold, runs, n, n == len);
        len -= n;
    }
}

/// Bytes that wait between the calls of a multi-part operation: a partial block and, where a mode
/// must hold back the last bytes it has seen (they may be the tag), those.
#[derive(Clone, Copy)]
pub(crate) struct Carry {
    blocks: [[u8; 16]; 2],
    len: usize,
}

impl Carry {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { blocks: [[0; 16]; 2], len: 0 }
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The bytes that wait, to be transformed in place.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        self.blocks.as_flattened_mut().get_mut(..self.len).unwrap_or_default()
    }

    /// Appends bytes; they must fit.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let tail = self.blocks.as_flattened_mut().get_mut(self.len..).unwrap_or_default();
        for (to, from) in tail.iter_mut().zip(bytes) {
            *to = *from;
            self.len += 1;
        }
    }

    /// Takes the last `len` bytes (at most 16), with zeros behind them; `None` if fewer wait.
    pub(crate) fn pop(&mut self, len: usize) -> Option<[u8; 16]> {
        let start = self.len.checked_sub(len)?;
        let mut popped = [0; 16];
        let bytes = self.blocks.as_flattened().get(start..self.len).unwrap_or_default();
        for (to, from) in popped.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len = start;
        Some(popped)
    }

    /// How many bytes, in whole blocks, go on when `more` arrive and the last `keep` (at most 16)
    /// stay.
    pub(crate) fn ready(&self, more: usize, keep: usize) -> Option<usize> {
        Some(self.len.checked_add(more)?.saturating_sub(keep) & !15)
    }

    /// Takes all of `pair`'s source: what is [`ready`](Self::ready) goes through `step` to the
    /// destination, the rest waits.
    #[inline(never)]
    pub(crate) fn pump(
        &mut self,
        keep: usize,
        fpu: &mut Fpu,
        pace: Pace,
        pair: &mut Pair<'_>,
        step: &mut Step<'_>,
    ) {
        let mut ready = self.ready(pair.src().left(), keep).unwrap_or_default();
        while ready > 0 && self.len > 0 {
            let [first, second] = &mut self.blocks;
            if self.len < 16 {
                pair.gather(first.get_mut(self.len..).unwrap_or_default());
                self.len = 16;
            }
            drive(fpu, pace, &mut Pair::in_place(Segments::from_mut(first)), 16, step);
            pair.scatter(first);
            *first = *second;
            wipe(second);
            self.len -= 16;
            ready -= 16;
        }
        drive(fpu, pace, pair, ready, step);
        let tail = self.blocks.as_flattened_mut().get_mut(self.len..).unwrap_or_default();
        self.len += pair.gather(tail);
    }
}
