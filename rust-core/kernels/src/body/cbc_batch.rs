// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC encryption (SP 800-38A section 6.2) of many messages side by side. While one chain waits for its
//! rounds, others fill the units.

use super::RoundKeys;
use crate::lanes::Lanes;
use crate::{Block, CHAINS, ChainKeys, Chains, Schedule};

/// `R` registers of chains. With `OWN` each chain has its own round keys in `keys`; otherwise all use those
/// of `schedule`. `schedule` gives the number of rounds in both cases.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn encrypt<L: Lanes, const R: usize, const OWN: bool>(
    schedule: *const Schedule,
    keys: *const ChainKeys,
    chains: *mut Chains,
    blocks: usize,
) {
    // SAFETY: the caller's promise: `R * BLOCKS` chains of `blocks` blocks.
    unsafe {
        let shared = RoundKeys::<true>::new(schedule);
        let key = |round: usize, i: usize| -> L {
            if OWN {
                L::consecutive(keys.cast::<Block>().add(round * CHAINS + i * L::BLOCKS))
            } else {
                shared.key(round)
            }
        };
        let src = (&raw const (*chains).src).cast::<*const u8>();
        let dst = (&raw const (*chains).dst).cast::<*mut u8>();
        let iv = (&raw mut (*chains).iv).cast::<Block>();
        let mut x = [L::zero(); R];
        for (i, x) in x.iter_mut().enumerate() {
            *x = L::consecutive(iv.add(i * L::BLOCKS));
        }
        for block in 0..blocks {
            let at = 16 * block;
            for (i, x) in x.iter_mut().enumerate() {
                let text = L::gather(src.add(i * L::BLOCKS), at);
                *x = x.xor(text.xor(key(0, i)));
            }
            for round in 1..shared.rounds {
                for (i, x) in x.iter_mut().enumerate() {
                    *x = x.round::<true>(key(round, i));
                }
            }
            for (i, x) in x.iter_mut().enumerate() {
                *x = x.last_round::<true>(key(shared.rounds, i));
            }
            for (i, x) in x.iter().enumerate() {
                x.scatter(dst.add(i * L::BLOCKS), at);
            }
        }
        for (i, x) in x.iter().enumerate() {
            x.store(iv.add(i * L::BLOCKS).cast());
        }
    }
}
