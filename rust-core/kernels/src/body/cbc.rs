// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cipher block chaining (SP 800-38A section 6.2).
//!
//! Encryption is one chain, bound by the latency of its rounds. The xor with the next plaintext and the first
//! round key is folded into the last round key, off the chain. Decryption is parallel; the previous
//! ciphertext is folded into the last round key.

use super::{Parallel, RoundKeys};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, Schedule};

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn encrypt(
    schedule: *const Schedule,
    iv: *mut Block,
    mut src: *const u8,
    mut dst: *mut u8,
    mut blocks: usize,
) {
    if blocks == 0 {
        return;
    }
    // SAFETY: the caller's promise; each lap reads the block after the one it writes, while
    // there is one.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let (first, last) = (keys.key::<Xmm>(0), keys.last::<Xmm>());
        // The IV last: its caller may have just written it.
        let mut x = [first.xor(Xmm::load(src)).pin().xor(Xmm::load(iv.cast()))];
        loop {
            keys.rounds_from(&mut x, 1);
            blocks -= 1;
            if blocks == 0 {
                break;
            }
            src = src.add(16);
            let next = first.xor(Xmm::load(src));
            x = [x[0].last_round::<true>(last.xor(next))];
            x[0].xor(next).store(dst);
            dst = dst.add(16);
        }
        let out = x[0].last_round::<true>(last);
        out.store(dst);
        out.store(iv.cast());
    }
}

struct Decrypt {
    keys: RoundKeys<false>,
    previous: Xmm,
}

impl<L: Lanes> Parallel<L> for Decrypt {
    #[inline(always)]
    unsafe fn step<const N: usize>(&mut self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise; the blocks before the first register's second one are
        // `previous`, all others lie in the text one block further down.
        unsafe {
            let mut x = [L::zero(); N];
            for (i, x) in x.iter_mut().enumerate() {
                *x = L::load(src.add(i * L::BYTES));
            }
            self.keys.all_but_last(&mut x);
            let last = self.keys.last::<L>();
            let previous = self.previous;
            self.previous = Xmm::load(src.add(N * L::BYTES - 16));
            // Downwards, because in place a store destroys the ciphertext that the next register needs.
            for i in (1..N).rev() {
                let chain = L::load(src.add(i * L::BYTES - 16));
                x[i].last_round::<false>(last.xor(chain)).store(dst.add(i * L::BYTES));
            }
            let chain = L::load(src).chained(L::repeat(previous));
            x[0].last_round::<false>(last.xor(chain)).store(dst);
        }
    }

    #[inline(always)]
    unsafe fn end(&mut self, src: *const u8, dst: *mut u8, len: usize, before: usize) {
        // SAFETY: the caller's promise; full blocks, and where registers lie before them, a block does.
        unsafe {
            let previous = if before > 0 { Xmm::load(src.sub(16)) } else { self.previous };
            let mut x = [L::load_before(src, len)];
            let chain = x[0].chained(L::repeat(previous));
            self.keys.all_but_last(&mut x);
            let out = x[0].last_round::<false>(self.keys.last::<L>().xor(chain));
            out.store_before(dst, len);
        }
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn decrypt<L: Lanes>(
    schedule: *const Schedule,
    iv: *mut Block,
    src: *const u8,
    dst: *mut u8,
    blocks: usize,
) {
    if blocks == 0 {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        // In halves: the provider has just written it so.
        let mut mode =
            Decrypt { keys: RoundKeys::new(schedule), previous: Xmm::load_halves(iv.cast()) };
        // Before the walk overwrites it.
        Xmm::load(src.add(16 * (blocks - 1))).store(iv.cast());
        Parallel::<L>::walk(&mut mode, src, dst, 16 * blocks);
    }
}
