// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text of CCM (SP 800-38C sections 6.1 and 6.2): counter mode, and CBC-MAC of the plaintext, in one
//! pass.
//!
//! The MAC is one chain, bound by the latency of its rounds. With each block of the chain a keystream block
//! goes through its rounds, at no cost. It is the keystream of the next block of text. So in a decryption the
//! plaintext is ready when the chain takes it in, folded into its last round key.

use super::RoundKeys;
use super::ctr::Counter;
use crate::lanes::{Lanes, Xmm};
use crate::{Block, Schedule};

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn ccm<const ENCRYPT: bool>(
    schedule: *const Schedule,
    ctr: *mut Block,
    mac: *mut Block,
    mut src: *const u8,
    mut dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise; the blocks and the head together cover `len` bytes.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let (first, last) = (keys.key::<Xmm>(0), keys.last::<Xmm>());
        let mut next = Xmm::broadcast(ctr).swap_bytes();
        let mut counter = || {
            let block = next.swap_bytes().xor(first);
            next = next.count(1);
            block
        };
        let mut left = len;
        let mut key = [counter()];
        keys.rounds_from(&mut key, 1);
        // In flight: a block of the chain, and the keystream for the next text.
        let mut x = [Xmm::broadcast(mac), key[0]];
        let transform = |key: Xmm, src: *const u8, dst: *mut u8| {
            let text = Xmm::load(src);
            let out = key.last_round::<true>(last.xor(text));
            out.store(dst);
            if ENCRYPT { text } else { out }
        };
        if left >= 16 {
            x[0] = x[0].xor(first).xor(transform(x[1], src, dst));
            loop {
                x[1] = counter();
                keys.rounds_from(&mut x, 1);
                src = src.add(16);
                dst = dst.add(16);
                left -= 16;
                if left < 16 {
                    break;
                }
                let plain = transform(x[1], src, dst);
                x[0] = x[0].last_round::<true>(last.xor(first.xor(plain)));
            }
            x[0] = x[0].last_round::<true>(last);
        }
        if left > 0 {
            let text = Xmm::load_before(src, left);
            x[1].last_round::<true>(last.xor(text)).store_before(dst, left);
            // The MAC is of plaintext, padded with zeros.
            let plain = if ENCRYPT { text } else { Xmm::load_before(dst, left) };
            let mut chain = [x[0].xor(plain)];
            keys.all_but_last(&mut chain);
            x[0] = chain[0].last_round::<true>(last);
        }
        x[0].store(mac.cast());
        Counter::<Xmm>::advance(ctr, len.div_ceil(16));
    }
}
