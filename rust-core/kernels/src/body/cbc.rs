// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cipher block chaining (SP 800-38A section 6.2).
//!
//! Encryption is one chain, bound by the latency of its rounds: the xor with the next plaintext
//! and the first round key is folded into the last round key, off the chain. Decryption is
//! parallel; the previous ciphertext is folded into the last round key.

use core::arch::asm;

use super::pieces::Rest;
use super::{Parallel, RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, Piece, Schedule};

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
    // SAFETY: the caller's promise; each turn reads the block after the one it writes, while
    // there is one.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let (first, last) = (keys.key::<Xmm>(0), keys.last::<Xmm>());
        // The IV last: its caller may have just written it.
        let mut x = [first.xor(Xmm::load(src)).pin().xor(Xmm::broadcast(iv))];
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

/// What a run must be longer than to be worth a call, for each whole register of a step of
/// [`decrypt_pieces`].
const LONG: usize = 144;

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
            // Downwards, since in place a store destroys the ciphertext that the next one needs.
            for i in (1..N).rev() {
                let chain = L::load(src.add(i * L::BYTES - 16));
                x[i].last_round::<false>(last.xor(chain)).store(dst.add(i * L::BYTES));
            }
            let chain = after::<L>(previous, src, L::BYTES);
            x[0].last_round::<false>(last.xor(chain)).store(dst);
        }
    }

    #[inline(always)]
    unsafe fn end(&mut self, src: *const u8, dst: *mut u8, len: usize, before: usize) {
        // SAFETY: the caller's promise; whole blocks, and where registers lie before them, a block does.
        unsafe {
            let previous = if before > 0 { Xmm::load(src.sub(16)) } else { self.previous };
            let mut x = [L::load_part::<false>(src, len)];
            let chain = after::<L>(previous, src, len);
            self.keys.all_but_last(&mut x);
            let out = x[0].last_round::<false>(self.keys.last::<L>().xor(chain));
            out.store_part::<false>(dst, len);
        }
    }
}

/// What the first `len` bytes at `src` chain to: `previous`, then the blocks before their last.
///
/// # Safety
/// The CPU has the features of `L`; 16 <= `len` <= `BYTES`, and `src` is readable for `len`.
#[inline(always)]
unsafe fn after<L: Lanes>(previous: Xmm, src: *const u8, len: usize) -> L {
    // SAFETY: the block before `src` is skipped.
    unsafe { L::load_part::<true>(src.wrapping_sub(16), len) }.xor(L::widen(previous))
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
        let mut mode = Decrypt { keys: RoundKeys::new(schedule), previous: Xmm::broadcast(iv) };
        // Before the walk overwrites it.
        Xmm::load(src.add(16 * (blocks - 1))).store(iv.cast());
        Parallel::<L>::walk(&mut mode, src, dst, 16 * blocks);
    }
}

/// A text in pieces, cut anywhere. A long run goes to `run`. The rest goes in steps of up to `N - 2` whole
/// registers from one piece and the register behind them, through which cuts may go: all in flight together,
/// no byte loaded twice.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn decrypt_pieces<L: Lanes, const N: usize>(
    schedule: *const Schedule,
    iv: *mut Block,
    text: *const Piece,
    len: usize,
    run: impl Fn(Piece),
) {
    // SAFETY: the caller's promise; the bytes taken are among the `left` ones, whole blocks.
    unsafe {
        let keys = RoundKeys::<false>::new(schedule);
        let mut rest = Rest::new(text);
        let mut left = len;
        while left > 0 {
            rest.settle();
            let here = rest.here(left) & !(L::BYTES - 1);
            if here > LONG * (N - 2) {
                // But for the registers that cost nothing beside the cut.
                let len = here - N.saturating_sub(3) * L::BYTES;
                run(rest.take(len));
                left -= len;
                continue;
            }
            let whole = here.min((N - 2) * L::BYTES);
            let Piece { src, dst, .. } = rest.take(whole);
            let (src, dst) = (src.wrapping_add(whole), dst.wrapping_add(whole));
            let mut output = rest.output(dst);
            left -= whole;
            // The text ends at the end of a register, so that it always is the last block which the next
            // step chains to.
            let place = L::BYTES.saturating_sub(left);
            left -= L::BYTES - place;

            // The registers are flush right as well, and before them is what the first one chains to.
            let mut x = [L::broadcast(iv); N];
            unrolled!(I in 5 4 3 2 1 {
                if I < N - 1 && whole >= I * L::BYTES {
                    x[N - 1 - I] = L::load(src.wrapping_sub(I * L::BYTES));
                }
            });
            let mut cut = x[N - 2].last();
            rest.register::<L, false>(place, |src, begin, end| {
                cut = cut.load_between(src, begin, end);
            });
            x[N - 1] = cut;
            cut.last().first().store(iv.cast());

            // Or the compiler would keep a flag of each comparison on the stack.
            let mut registers = whole;
            asm!("/* {} */", inout(reg) registers, options(nomem, nostack, preserves_flags));
            let mut out = x;
            keys.all_but_last(&mut out);
            if N > 2 {
                // The first one by itself: pieces of a packet are often too short for it.
                let mut first = [x[1]];
                if registers == (N - 2) * L::BYTES {
                    keys.all_but_last(&mut first);
                }
                out[1] = first[0];
            }
            let last = keys.last::<L>();
            for i in 1..N {
                out[i] = out[i].last_round::<false>(last.xor(x[i].chained(x[i - 1])));
            }
            unrolled!(I in 5 4 3 2 1 {
                if I < N - 1 && registers >= I * L::BYTES {
                    out[N - 1 - I].store(dst.wrapping_sub(I * L::BYTES));
                }
            });
            output.register::<L, true>(place, |dst, begin, end| {
                out[N - 1].store_between(dst, begin, end);
            });
        }
    }
}
