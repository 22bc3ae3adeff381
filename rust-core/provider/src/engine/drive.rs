// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loop between data and modes: the only place that knows about time.

use core::mem::MaybeUninit;

use super::fpu::{Fpu, LEAST_HOLD, Pace, RUN_COST};
use super::select::TableId;
use super::step::Step;
use crate::data::{FEW_PIECES, Pair, Run, Short};
use crate::wipe::{wipe, wipe_raw};

/// Runs that one call of a kernel takes. Derived: no run is empty, so this many have a block.
const RUNS: usize = 16;

// So `drive` always advances, whatever the pieces are: `RUNS` runs have a block, and the smallest hold is
// enough for `RUNS` runs and for a block.
const _: () = {
    assert!(RUNS >= 16);
    assert!(RUNS * RUN_COST <= LEAST_HOLD);
    assert!(Pace::Parallel.cost(16) <= LEAST_HOLD && Pace::Serial.cost(16) <= LEAST_HOLD);
};

/// Feeds the next `len` bytes of `pair` to `step`, in order and as they are cut. Each call takes as many as
/// the budget of a hold and the kernels allow.
///
/// # Errors
/// [`Short`]; what was transformed before it stays transformed.
#[inline(never)]
pub(crate) fn drive(
    fpu: &mut Fpu,
    pair: &mut Pair<'_>,
    mut len: usize,
    step: &mut Step<'_>,
) -> Result<(), Short> {
    if pair.cuts() > 0 && len > 0 && is_staged(fpu, pair, step) {
        return staged(fpu, pair, len, step);
    }
    let pace = step.pace();
    while len > 0 {
        yield_to(pair, fpu);
        let mut runs = [const { MaybeUninit::uninit() }; RUNS];
        let (runs, n) = pair.runs(&mut runs, len.min(fpu.most(pace)).min(step.most()));
        if n == 0 {
            return Err(Short);
        }
        let cost = pace.cost(n).max(runs.len() * RUN_COST);
        step.run(fpu.hold_all(cost), runs, n, n == len);
        len -= n;
    }
    Ok(())
}

/// Whether a text of a list with cuts is put together first. Not `portable`'s: its kernels do that themselves. Nor
/// a serial mode's in place: it goes block by block over a list that names a byte twice.
#[inline(never)]
fn is_staged(fpu: &Fpu, pair: &Pair<'_>, step: &Step<'_>) -> bool {
    pair.cuts() > step.most_cuts()
        && fpu.table() > TableId::Portable
        && (step.pace() == Pace::Parallel || !pair.aliased())
}

/// Bytes that are put together at a time. Chosen: a turn of the widest registers in GCM, and half of the frame
/// that a function may have.
const STAGED: usize = 512;

/// As [`drive`], for a list of small pieces: its bytes are copied together, transformed there, and copied to
/// where they belong. All bytes of a stage are read before one of them is written.
///
/// How the text is cut into stages does not depend on what is left of a hold: who takes a text back must cut it in
/// the same way.
#[inline(never)]
fn staged(
    fpu: &mut Fpu,
    pair: &mut Pair<'_>,
    mut len: usize,
    step: &mut Step<'_>,
) -> Result<(), Short> {
    let pace = step.pace();
    let mut stage = [MaybeUninit::<u8>::uninit(); STAGED];
    let most = len.min(fpu.most_anew(pace)).min(STAGED);
    let result = 'text: loop {
        yield_to(pair, fpu);
        let want = len.min(most).min(step.most());
        let mut n = 0;
        while n < want {
            fpu.pay(FEW_PIECES * RUN_COST);
            let more = pair.gather_few(stage.get_mut(n..want).unwrap_or_default());
            if more == 0 {
                break 'text Err(Short);
            }
            n += more;
        }
        // SAFETY: the first `n` bytes are set.
        let text = unsafe { core::slice::from_raw_parts_mut(stage.as_mut_ptr().cast::<u8>(), n) };
        step.run(fpu.hold_all(pace.cost(n)), &[Run::in_place(text)], n, n == len);
        yield_to(pair, fpu);
        let mut done = 0;
        while done < n {
            fpu.pay(FEW_PIECES * RUN_COST);
            let more = pair.scatter_few(text.get(done..).unwrap_or_default());
            if more == 0 {
                break 'text Err(Short);
            }
            done += more;
        }
        len -= n;
        if len == 0 {
            break Ok(());
        }
    };
    // SAFETY: bytes of our own, the only ones that were set.
    unsafe { wipe_raw(stage.as_mut_ptr().cast(), most) };
    result
}

/// Ends the hold before a walk that may take long. Any other walk goes over a few pieces, and the cost of the
/// runs that they become covers it.
#[inline(always)]
pub(crate) fn yield_to(pair: &Pair<'_>, fpu: &mut Fpu) {
    if pair.sparse() {
        fpu.end();
    }
}

/// Bytes that wait between the calls of a multi-part operation: a partial block and, in a mode that must hold
/// back the last bytes (they may be the tag), those bytes.
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

    /// The number of waiting bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The waiting bytes, to be transformed in place.
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

    /// Takes the last `len` bytes (at most 16), followed by zeros; `None` if fewer wait.
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

    /// How many bytes, in full blocks, advance when `more` arrive and the last `keep` (at most 16) stay.
    pub(crate) fn ready(&self, more: usize, keep: usize) -> Option<usize> {
        Some(self.len.checked_add(more)?.saturating_sub(keep) & !15)
    }

    /// Takes all of `pair`'s source. The bytes that are [`ready`](Self::ready) go through `step` to the
    /// destination, the others wait.
    ///
    /// # Errors
    /// As [`drive`].
    #[inline(never)]
    pub(crate) fn pump(
        &mut self,
        keep: usize,
        fpu: &mut Fpu,
        pair: &mut Pair<'_>,
        step: &mut Step<'_>,
    ) -> Result<(), Short> {
        let left = pair.src().left();
        let mut ready = self.ready(left, keep).ok_or(Short)?;
        // At most 31.
        let waits = self.len + left - ready;
        while ready > 0 && self.len > 0 {
            yield_to(pair, fpu);
            let [first, second] = &mut self.blocks;
            if self.len < 16 {
                // Never out of range; nor are the ranges below.
                pair.gather(first.get_mut(self.len..).unwrap_or_default())?;
                self.len = 16;
            }
            drive(fpu, &mut Pair::in_place(first), 16, step)?;
            yield_to(pair, fpu);
            pair.scatter(first)?;
            *first = *second;
            wipe(second);
            self.len -= 16;
            ready -= 16;
        }
        drive(fpu, pair, ready, step)?;
        yield_to(pair, fpu);
        if self.len < waits {
            let tail = self.blocks.as_flattened_mut().get_mut(self.len..waits).unwrap_or_default();
            pair.gather(tail)?;
            self.len = waits;
        }
        Ok(())
    }
}
