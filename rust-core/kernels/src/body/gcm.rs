// SPDX-License-Identifier: MIT OR Apache-2.0
//! Galois/counter mode (SP 800-38D section 7): counter mode and GHASH of the ciphertext in one
//! pass, and the tag.
//!
//! Eight registers are encrypted while eight others, whose ciphertext is known, are hashed, a
//! register between every two rounds: on encryption the eight before, on decryption the same.

use super::ctr::{Counter, Ctr, xor_into};
use super::ghash::{Eight, Product, eight, tail};
use super::{IN_FLIGHT, Parallel, RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, Powers, Schedule};

/// One turn of the bulk loop: hashes `hashed`, and encrypts or decrypts `src` into `dst`.
///
/// # Safety
/// The CPU has the features of `L`; `powers` is readable, `hashed` and `src` are, and `dst` is
/// writable, for eight registers; `dst` equals each of them or is disjoint.
#[inline(always)]
unsafe fn stitched<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    y: Xmm,
    hashed: *const u8,
    src: *const u8,
    dst: *mut u8,
) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = mode.counter.take::<IN_FLIGHT>();
        let key = mode.keys.key::<L>(0);
        for x in &mut x {
            *x = x.xor(key);
        }
        let mut eight = Eight::<L>::new(powers, y, hashed);
        unrolled!(I in 0 1 2 3 4 5 6 7 {
            eight.add::<I>();
            mode.keys.round(&mut x, I + 1);
        });
        mode.keys.rounds_from(&mut x, IN_FLIGHT + 1);
        let y = eight.reduce();
        xor_into(mode.keys, &x, src, dst);
        y
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn gcm<L: Lanes, const ENCRYPT: bool>(
    schedule: *const Schedule,
    powers: *const Powers,
    ctr: *mut Block,
    y: *mut Block,
    mut src: *const u8,
    mut dst: *mut u8,
    len: usize,
) {
    let turn = IN_FLIGHT * L::BYTES;
    // SAFETY: the caller's promise; the steps together cover `len` bytes.
    unsafe {
        let mut mode = Ctr::<L>::new(schedule, ctr);
        let mut sum = Xmm::broadcast(y).swap_bytes();
        let mut left = len;
        if ENCRYPT {
            if left >= turn {
                mode.step::<IN_FLIGHT>(src, dst);
                loop {
                    src = src.add(turn);
                    left -= turn;
                    let hashed = dst;
                    dst = dst.add(turn);
                    if left < turn {
                        sum = eight::<L>(powers, sum, hashed);
                        break;
                    }
                    sum = stitched::<L>(&mut mode, powers, sum, hashed, src, dst);
                }
            }
            if left > 0 {
                mode.tail(src, dst, left);
                sum = tail::<L>(powers, sum, dst, left);
            }
        } else {
            while left >= turn {
                sum = stitched::<L>(&mut mode, powers, sum, src, src, dst);
                src = src.add(turn);
                dst = dst.add(turn);
                left -= turn;
            }
            if left > 0 {
                sum = tail::<L>(powers, sum, src, left);
                mode.tail(src, dst, left);
            }
        }
        Counter::<L>::advance(ctr, len.div_ceil(16));
        sum.swap_bytes().store(y.cast());
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn tag(
    schedule: *const Schedule,
    powers: *const Powers,
    j0: *const Block,
    y: *mut Block,
    aad_len: u64,
    text_len: u64,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let mut x = [Xmm::broadcast(j0)];
        keys.all_but_last(&mut x);
        // The length block holds bits, big-endian, the additional data first.
        let lengths = Xmm::from_u128(u128::from(aad_len << 3) << 64 | u128::from(text_len << 3));
        let mut sum = Product::<Xmm>::zero();
        sum.add(Xmm::broadcast(y).swap_bytes().xor(lengths), powers, 1);
        let mask = keys.last::<Xmm>().xor(sum.reduce().swap_bytes());
        x[0].last_round::<true>(mask).store(y.cast());
    }
}
