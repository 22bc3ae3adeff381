// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC encryption (SP 800-38A section 6.2) of many messages side by side. While one chain waits for its
//! rounds, others fill the units.
//!
//! Four blocks of each chain come into the room of `Chains` at once, are encrypted there, and are written at
//! once. See [`LINE`] for the reason.

use super::RoundKeys;
use crate::lanes::Lanes;
use crate::{Block, CHAINS, ChainKeys, Chains, LINE, Schedule};

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
        let line = (&raw mut (*chains).line).cast::<Block>();
        let place = |n: usize, i: usize| line.add(n * CHAINS + i * L::BLOCKS);
        let mut done = 0;
        while done < blocks {
            let (at, some) = (16 * done, LINE.min(blocks - done));
            if some == LINE {
                for i in 0..R {
                    let blocks = L::gather_line(src.add(i * L::BLOCKS), at);
                    for (n, x) in blocks.into_iter().enumerate() {
                        x.store(place(n, i).cast());
                    }
                }
            } else {
                for n in 0..some {
                    for i in 0..R {
                        L::gather(src.add(i * L::BLOCKS), at + 16 * n).store(place(n, i).cast());
                    }
                }
            }
            for n in 0..some {
                for (i, x) in x.iter_mut().enumerate() {
                    *x = x.xor(L::consecutive(place(n, i)).xor(key(0, i)));
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
                    x.store(place(n, i).cast());
                }
            }
            if some == LINE {
                for i in 0..R {
                    let blocks = [0, 1, 2, 3].map(|n| L::consecutive(place(n, i)));
                    L::scatter_line(blocks, dst.add(i * L::BLOCKS), at);
                }
            } else {
                for n in 0..some {
                    for i in 0..R {
                        L::consecutive(place(n, i)).scatter(dst.add(i * L::BLOCKS), at + 16 * n);
                    }
                }
            }
            done += some;
        }
        for (i, x) in x.iter().enumerate() {
            x.store(iv.add(i * L::BLOCKS).cast());
        }
    }
}
