// SPDX-License-Identifier: MIT OR Apache-2.0
//! Galois/counter mode (SP 800-38D section 7): counter mode and GHASH of the ciphertext in one
//! pass, and the tag.
//!
//! Eight registers are encrypted while eight others, whose ciphertext is known, are hashed, a
//! register between every two rounds: on encryption the eight before, on decryption the same.

use super::ctr::{Counter, Ctr, xor_into};
use super::ghash::{Eight, Product, TURN, eight, tail};
use super::{Parallel, RoundKeys, unrolled};
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
        let mut x = mode.counter.take::<TURN>();
        let key = mode.keys.key::<L>(0);
        for x in &mut x {
            *x = x.xor(key);
        }
        let mut eight = Eight::<L>::new(powers, y, hashed);
        unrolled!(I in 0 1 2 3 4 5 6 7 {
            eight.add::<I>();
            mode.keys.round(&mut x, I + 1);
            // In pairs, so that two products are added by one VPTERNLOG.
            if I % 2 == 1 {
                x = x.map(L::pin);
                eight.pin();
            }
        });
        mode.keys.rounds_from(&mut x, TURN + 1);
        let y = eight.reduce();
        xor_into(mode.keys, &x, src, dst);
        y
    }
}

/// A text in work.
struct Text<L: Lanes> {
    mode: Ctr<L>,
    powers: *const Powers,
    y: Xmm,
    src: *const u8,
    dst: *mut u8,
    left: usize,
}

impl<L: Lanes> Text<L> {
    /// Transforms and hashes all turns of eight registers.
    ///
    /// # Safety
    /// The contract of the entry points.
    #[inline(always)]
    unsafe fn turns<const ENCRYPT: bool>(&mut self) {
        let turn = TURN * L::BYTES;
        let mut hashed = self.src;
        // SAFETY: the caller's promise.
        unsafe {
            if ENCRYPT && self.left >= turn {
                hashed = self.dst;
                self.mode.step::<TURN>(self.src, self.dst);
                self.advance(turn);
            }
            while self.left >= turn {
                let Self { powers, y, src, dst, .. } = *self;
                self.y = stitched::<L>(&mut self.mode, powers, y, hashed, src, dst);
                hashed = hashed.add(turn);
                self.advance(turn);
            }
            if ENCRYPT && hashed != self.src {
                self.y = eight::<L>(self.powers, self.y, hashed);
            }
        }
    }

    /// # Safety
    /// `len` bytes are left.
    #[inline(always)]
    unsafe fn advance(&mut self, len: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.src = self.src.add(len);
            self.dst = self.dst.add(len);
        }
        self.left -= len;
    }

    /// Transforms and hashes `len` bytes, which are less than eight registers and not none.
    ///
    /// # Safety
    /// The contract of the entry points, and `len` bytes are left.
    #[inline(always)]
    unsafe fn tail<const ENCRYPT: bool>(&mut self, len: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if ENCRYPT {
                self.mode.tail(self.src, self.dst, len);
                self.y = tail::<L>(self.powers, self.y, self.dst, len);
            } else {
                self.y = tail::<L>(self.powers, self.y, self.src, len);
                self.mode.tail(self.src, self.dst, len);
            }
            self.advance(len);
        }
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn part<L: Lanes, const ENCRYPT: bool>(
    schedule: *const Schedule,
    powers: *const Powers,
    ctr: *mut Block,
    y: *mut Block,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's promise; the steps together cover `len` bytes.
    unsafe {
        let mode = Ctr::<L>::new(schedule, ctr);
        let sum = Xmm::broadcast(y).swap_bytes();
        let mut text = Text { mode, powers, y: sum, src, dst, left: len };
        text.turns::<ENCRYPT>();
        if text.left > 0 {
            text.tail::<ENCRYPT>(text.left);
        }
        Counter::<L>::advance(ctr, len.div_ceil(16));
        text.y.swap_bytes().store(y.cast());
    }
}

/// Most registers that [`End::finish`] has in flight: all of a text of 9 blocks where a register
/// holds two, of 19 where it holds four.
const FINISH: usize = 5;

/// A whole text and its tag, in tables with more than one block in a register.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn whole<L: Lanes, const ENCRYPT: bool>(
    schedule: *const Schedule,
    powers: *const Powers,
    j0: *const Block,
    y: *mut Block,
    aad_len: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) {
    let at_once = 16 * (FINISH * L::BLOCKS - 1);
    // SAFETY: the caller's promise; the steps together cover `len` bytes.
    unsafe {
        let first = Xmm::broadcast(j0).swap_bytes();
        let mode = Ctr::<L>::at(schedule, first.count(1));
        let sum = Xmm::broadcast(y).swap_bytes();
        let mut text = Text { mode, powers, y: sum, src, dst, left: len };
        let mut end = End {
            counters: L::counters(first),
            not_j0: L::zero(),
            lengths: lengths(aad_len, len as u64),
        };
        if len > at_once {
            text.turns::<ENCRYPT>();
            if text.left > at_once {
                text.tail::<ENCRYPT>(4 * L::BYTES);
            }
            end.counters = text.mode.counter.next.swap_bytes().count(u32::MAX);
            end.not_j0 = L::widen(end.counters.first().xor(first).swap_bytes());
        }
        let registers = text.left.div_ceil(16) / L::BLOCKS + 1;
        let mut tag = sum;
        unrolled!(N in 1 2 3 4 5 {
            if registers == N {
                tag = end.finish::<N, ENCRYPT>(&text);
            }
        });
        tag.store(y.cast());
    }
}

/// What ends a message beside its last bytes.
struct End<L: Lanes> {
    /// As integers, the counter before that of the first byte left, and those that follow.
    counters: L,
    /// What makes J0 of the first of them; zero where it is.
    not_j0: L,
    lengths: Xmm,
}

impl<L: Lanes> End<L> {
    /// Transforms and hashes what is left of a text, with the length block behind it, and returns
    /// the tag: `N` registers all in flight, one reduction, nothing in memory but the output.
    ///
    /// The text lies one block behind the beginning of the first register; in the place before it
    /// E(K, J0) is computed.
    ///
    /// # Safety
    /// The contract of the entry points; what is left, and one block more, end in register `N`.
    #[inline(always)]
    unsafe fn finish<const N: usize, const ENCRYPT: bool>(&self, text: &Text<L>) -> Xmm {
        let &Text { ref mode, powers, y, left: len, .. } = text;
        let (src, dst) = (text.src.wrapping_sub(16), text.dst.wrapping_sub(16));
        let blocks = len.div_ceil(16) + 2;
        // SAFETY: the caller's promise; the first block of the first register is skipped.
        unsafe {
            let mut x = [self.counters; N];
            for (i, x) in x.iter_mut().enumerate() {
                *x = x.count((i * L::BLOCKS) as u32).swap_bytes();
            }
            x[0] = x[0].xor(self.not_j0);
            mode.keys.all_but_last(&mut x);
            let last = mode.keys.last::<L>();
            let mut mask = y;
            let mut sum = Product::<L>::zero();
            sum.add(L::widen(self.lengths), powers, 1);
            unrolled!(I in 0 1 2 3 4 {
                if I < N {
                    let at = I * L::BYTES;
                    let end = if I + 1 < N { L::BYTES } else { len + 16 - at };
                    let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
                    let x = x[I % N];
                    let hashed = if I == 0 {
                        let text = L::load_part::<true>(src, end);
                        let out = x.last_round::<true>(last.xor(text));
                        out.store_part::<true>(dst, end);
                        mask = out.first();
                        let hashed = if ENCRYPT { out.part::<true>(end) } else { text };
                        hashed.swap_bytes().xor(L::place(y, 1))
                    } else {
                        let text = L::load_part::<false>(src, end);
                        let out = x.last_round::<true>(last.xor(text));
                        out.store_part::<false>(dst, end);
                        let hashed = if ENCRYPT { out.part::<false>(end) } else { text };
                        hashed.swap_bytes()
                    };
                    sum.add(hashed, powers, blocks - I * L::BLOCKS);
                }
            });
            sum.reduce().swap_bytes().xor(mask)
        }
    }
}

/// The length block (step 5), as an integer: bits, the additional data first.
///
/// # Safety
/// The CPU has the features of `Xmm`.
#[inline(always)]
unsafe fn lengths(aad_len: u64, text_len: u64) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe { Xmm::from_u128(u128::from(aad_len << 3) << 64 | u128::from(text_len << 3)) }
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
        let mut sum = Product::<Xmm>::zero();
        let lengths = lengths(aad_len, text_len);
        sum.add(Xmm::broadcast(y).swap_bytes().xor(lengths), powers, 1);
        let mask = keys.last::<Xmm>().xor(sum.reduce().swap_bytes());
        x[0].last_round::<true>(mask).store(y.cast());
    }
}
