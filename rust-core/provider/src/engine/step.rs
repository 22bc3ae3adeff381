// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is done with the runs of a text: a kernel, the key, and the state that it advances. It is a value,
//! not a closure, so that the loop that feeds it is one piece of code for all modes.

use core::mem::{replace, take};

use kcfaes_kernels::{Block, BlockMode, CounterBlock, Powers, Schedule, Tag};

use super::fpu::{Hold, Pace};
use crate::data::{CUT_UNIT, LEAST_CUTS, Run, Runs};
use crate::key::Key;
use crate::request::Direction;

/// One variant for each group of modes, with the state between its runs.
pub(crate) enum Step<'a> {
    /// GCTR, and GHASH of the ciphertext.
    Gcm {
        direction: Direction,
        key: &'a Key,
        j0: &'a CounterBlock,
        /// The next counter block; or the one before, if a block `waits`.
        ctr: &'a mut CounterBlock,
        /// Whether `ctr` is set. If not, it is J0.
        begun: &'a mut bool,
        y: &'a mut Block,
        /// Whether `y` must still be multiplied.
        waits: &'a mut bool,
        /// Makes `y` the tag after the last run of a text. `None` once that is done.
        tag: Option<Tag<'a>>,
    },
    /// Any mode except GCM and GMAC.
    Blocks {
        mode: BlockMode,
        schedule: &'a Schedule,
        /// The chain or the counter block, in a mode that has one.
        state: Option<&'a mut Block>,
        /// The number of low bits of `state` that count, and wrap within themselves; 0 if nothing counts.
        bits: u32,
        /// The MAC of CCM and CBC-MAC.
        mac: Option<&'a mut Block>,
    },
    /// GMAC; reads only.
    Ghash { powers: &'a Powers, y: &'a mut Block },
}

impl Step<'_> {
    /// The most bytes that one call of a kernel takes, in full blocks: kernels count in 32 bits.
    #[inline(always)]
    pub(crate) fn most(&self) -> usize {
        match self {
            Self::Blocks { state: Some(state), bits: bits @ 1.., .. } => to_wrap(state, *bits),
            _ => usize::MAX,
        }
    }

    /// A list with more cuts in a page is put together before a kernel has it: one whose pieces have less than
    /// 64 bytes on the average, in GCM 200. Measured (Sapphire Rapids, `make consumers`, 1280 bytes in pieces of
    /// 20 to 320): in place takes as long with pieces of 64 to 100 bytes in ECB, CTR and CBC (`vaes512`; with
    /// narrower tables of 110), of 64 in CCM, of 80 in GMAC, and of 210 in GCM. Pieces of full blocks need less
    /// than others.
    #[inline(always)]
    pub(crate) fn most_cuts(&self) -> usize {
        const GCM: usize = CUT_UNIT / 200;
        const OTHER: usize = CUT_UNIT / 64;
        const { assert!(GCM >= LEAST_CUTS && OTHER >= LEAST_CUTS) };
        match self {
            Self::Gcm { .. } => GCM,
            Self::Blocks { .. } | Self::Ghash { .. } => OTHER,
        }
    }

    /// How it uses the processor.
    #[inline(always)]
    pub(crate) fn pace(&self) -> Pace {
        match self {
            Self::Blocks { mode, .. } => Pace::of(*mode),
            Self::Gcm { .. } | Self::Ghash { .. } => Pace::Parallel,
        }
    }

    /// The next `len` bytes of a text, at most [`most`](Self::most), in runs that are cut anywhere. `len` is
    /// full blocks, except that the last block of a text may be partial. `last` if nothing follows.
    #[inline(never)]
    pub(crate) fn run(&mut self, hold: Hold<'_>, runs: &[Run<'_>], len: usize, last: bool) {
        match self {
            Self::Gcm { direction, key, j0, ctr, begun, y, waits, tag } => {
                // Here and not before, because the hold's end wipes what the copy leaves in registers.
                if !replace(begun, true) {
                    **ctr = **j0;
                }
                let end = tag.as_ref().filter(|_| last);
                hold.gcm(*direction, key, ctr, y, runs, len, take(waits), end);
                if last {
                    *tag = None;
                }
            }
            Self::Blocks { mode, schedule, state, bits, mac } => {
                // A mode neither reads nor writes the state that it lacks, but the kernel has an argument for
                // it.
                let [mut no_state, mut no_mac] = [Block([0; 16]); 2];
                let state = state.as_deref_mut().unwrap_or(&mut no_state);
                let mac = mac.as_deref_mut().unwrap_or(&mut no_mac);
                let first = *state;
                hold.transform(*mode, schedule, state, mac, runs, len);
                if *bits > 0 {
                    carry(first, state, *bits);
                }
            }
            Self::Ghash { powers, y } => ghash(hold, powers, y, Runs::new(runs, len)),
        }
    }
}

/// Hashes a text in place, except the split blocks. These are copied together, four at a time, on the stack:
/// what GMAC authenticates is no secret.
#[inline(never)]
fn ghash(hold: Hold<'_>, powers: &Powers, y: &mut Block, mut text: Runs<'_, '_>) {
    while text.left() > 0 {
        let here = text.contiguous();
        let whole = if here == text.left() { here } else { here & !15 };
        if whole > 0 {
            hold.ghash(powers, y, text.take(whole).source());
        } else {
            let mut gathered = [0; 64];
            let n = text.peek(&mut gathered);
            hold.ghash(powers, y, gathered.get(..n).unwrap_or_default());
            text.skip(n);
        }
    }
}

/// Bytes, in full blocks, until a counter of 32 bits wraps, or the counter in the low `bits` bits does.
#[inline]
pub(crate) fn to_wrap(counter: &Block, bits: u32) -> usize {
    let mask = u32::MAX >> (32 - bits.clamp(1, 32));
    (((mask - (u128::from_be_bytes(counter.0) as u32 & mask)) as usize) + 1).saturating_mul(16)
}

/// Corrects a counter that a kernel has advanced from `first` in 32 bits: it counts in the low `bits` bits.
fn carry(first: Block, counter: &mut Block, bits: u32) {
    let (first, next) = (u128::from_be_bytes(first.0), u128::from_be_bytes(counter.0));
    let carry = u128::from(next as u32 == 0) << 32;
    let next = first & !mask(bits) | next.wrapping_add(carry) & mask(bits);
    *counter = Block(next.to_be_bytes());
}

/// A mask of the low `bits` bits, 1 to 128.
fn mask(bits: u32) -> u128 {
    u128::MAX >> (128 - bits.clamp(1, 128))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter of a CCM with a short nonce has more than 32 bits. No test has the bytes to count past them,
    /// so this one starts just before they are full.
    #[test]
    fn a_text_is_cut_where_32_bits_wrap_and_where_the_counter_does() {
        for (bits, first, next, parts) in [
            (64, 0x0000_0007_ffff_fffe, 0x0000_0008_0000_0003, [32, 48].as_slice()),
            (40, 0x0055_00ff_ffff_fffe, 0x0055_0000_0000_0003, &[32, 48]),
            (40, 0x0055_0000_0000_0001, 0x0055_0000_0000_0006, &[80]),
            (24, 0x0000_0077_00ff_ffff, 0x0000_0077_0000_0004, &[16, 64]),
            (2, 0x0000_0000_0000_0003, 0x0000_0000_0000_0000, &[16, 64]),
        ] {
            let high = 0x0123_4567_89ab_cdef_u128 << 64;
            let mut counter = Block((high | first).to_be_bytes());
            let (mut left, mut seen) = (80, Vec::new());
            while left > 0 {
                let (before, len) = (counter, to_wrap(&counter, bits).min(left));
                // What a kernel does at any width.
                let low = counter.0.last_chunk_mut::<4>().unwrap();
                *low = (u32::from_be_bytes(*low).wrapping_add(len as u32 / 16)).to_be_bytes();
                carry(before, &mut counter, bits);
                seen.push(len);
                left -= len;
            }
            assert_eq!((seen.as_slice(), counter.0), (parts, (high | next).to_be_bytes()));
        }
    }
}
