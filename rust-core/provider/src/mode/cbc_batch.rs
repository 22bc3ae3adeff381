// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC encryption of many messages side by side, for which KCF has no call. While a chain waits for its
//! rounds, others fill the units.

use kcfaes_kernels::{Block, CHAINS, ChainKeys};

use crate::engine::{Chain, Fpu, Pace};

/// Encrypts the messages that `next` gives, until it gives none. It writes a message to the place that it is
/// passed, and returns the message's number. When a message ends, `done` gets its number and its last
/// ciphertext block (or its IV). The texts are full blocks, and the keys all have one size. `keys` is room for
/// the round keys of the messages in work. Without it all keys are the same.
pub fn cbc_encrypt_batch<'a>(
    fpu: &mut Fpu,
    mut keys: Option<&mut ChainKeys>,
    mut next: impl FnMut(&mut Option<Chain<'a>>) -> Option<usize>,
    mut done: impl FnMut(usize, &Block),
) {
    let limit = fpu.table().chains();
    let longest = fpu.most(Pace::Parallel) / (16 * CHAINS);
    let mut numbers = [0; CHAINS];
    let mut chains: [Option<Chain<'a>>; CHAINS] = [const { None }; CHAINS];
    loop {
        for (i, (chain, number)) in chains.iter_mut().zip(&mut numbers).enumerate().take(limit) {
            while chain.as_ref().is_none_or(|chain| chain.run.is_empty()) {
                if let Some(ended) = chain.take() {
                    done(*number, &ended.iv);
                }
                let Some(n) = next(chain) else { break };
                *number = n;
                if let (Some(keys), Some(begun)) = (&mut keys, &chain) {
                    set_keys(keys, i, begun);
                }
            }
        }
        if let (Some(keys), Some(model)) = (&mut keys, chains.iter().flatten().next()) {
            let idle = chains.iter().enumerate().filter(|(_, chain)| chain.is_none());
            idle.for_each(|(i, _)| set_keys(keys, i, model));
        }
        let left = chains.iter().flatten().map(|chain| chain.run.len() / 16).min();
        let Some(blocks) = left else { return };
        let blocks = blocks.min(longest);
        let hold = fpu.hold_all(16 * CHAINS * blocks);
        hold.cbc_encrypt_batch(keys.as_deref(), &mut chains, blocks);
    }
}

/// Puts the round keys of a chain next to those of the others.
fn set_keys(keys: &mut ChainKeys, place: usize, chain: &Chain<'_>) {
    for (row, key) in keys.iter_mut().zip(&chain.schedule.enc) {
        row.get_mut(place).into_iter().for_each(|at| *at = *key);
    }
}
