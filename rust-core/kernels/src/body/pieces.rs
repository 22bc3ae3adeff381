// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts in pieces for modes that need a block as a whole: what a cut goes through is put together, and
//! taken apart, in a register.

use core::arch::asm;

use super::ctr::Counter;
use super::{RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, BlockMode, Piece, Schedule};

/// What a run must be longer than to be worth a call, for each whole register of a step.
const LONG: usize = 144;

/// A text in pieces, cut anywhere. A long run goes to `run`. The rest goes in steps of up to `N - 2` whole
/// registers from one piece and the register behind them, through which cuts may go: all in flight together,
/// no byte loaded twice. The modes that are serial only where `SERIAL`, which is for registers of one block.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn transform<L: Lanes, const N: usize, const SERIAL: bool>(
    mode: BlockMode,
    schedule: *const Schedule,
    state: *mut Block,
    mac: *mut Block,
    text: *const Piece,
    len: usize,
    run: impl Fn(Piece),
) {
    use BlockMode::{
        CbcDecrypt, CbcEncrypt, CbcMac, CcmDecrypt, CcmEncrypt, EcbDecrypt, EcbEncrypt,
    };
    const { assert!(L::MASKS || L::BLOCKS == 1 && N == 2) };
    const { assert!(!SERIAL || L::BLOCKS == 1) };
    // SAFETY: the caller's promise; the bytes taken are among the `left` ones.
    unsafe {
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
            // The last block of a text is that of a register, so that it always is the last block which the
            // next step chains to. It may lack bytes.
            let place = match L::BLOCKS {
                1 => 0,
                _ => L::BYTES.saturating_sub((left + 15) & !15),
            };
            let end = L::BYTES.min(place + left);
            left -= end - place;

            // The registers are flush right as well, and before them is what the first one chains to.
            let mut x = [L::broadcast(state); N];
            unrolled!(I in 5 4 3 2 1 {
                if I < N - 1 && whole >= I * L::BYTES {
                    x[N - 1 - I] = L::load(src.wrapping_sub(I * L::BYTES));
                }
            });
            let mut cut = x[N - 2].last();
            rest.register::<L, false>(place, end, |src, begin, end| {
                cut = cut.load_between(src, begin, end);
            });
            x[N - 1] = cut;

            // Or the compiler would keep a flag of each comparison on the stack.
            let mut registers = whole;
            asm!("/* {} */", inout(reg) registers, options(nomem, nostack, preserves_flags));
            // What the cipher is applied to, and what is added behind it.
            let (mut out, mut add) = (x, [L::zero(); N]);
            match mode {
                EcbEncrypt | EcbDecrypt | CbcMac => {}
                CbcEncrypt => out[1] = x[1].xor(x[0]),
                CbcDecrypt => {
                    for i in 1..N {
                        add[i] = x[i].chained(x[i - 1]);
                    }
                    cut.last().first().store(state.cast());
                }
                _ => {
                    add = x;
                    let behind = x[0].swap_bytes().count((whole / 16) as u32).number();
                    for (i, out) in out.iter_mut().enumerate() {
                        let before = if i < N - 1 { (N - 1 - i) * L::BLOCKS } else { place / 16 };
                        *out = behind.count((before as u32).wrapping_neg()).swap_bytes();
                    }
                    Counter::<L>::advance(state, (whole + end - place).div_ceil(16));
                }
            }
            let all = registers == (N - 2) * L::BYTES;
            let reads_only = SERIAL && mode == CbcMac;
            if reads_only {
                // Its blocks go to the chain alone.
            } else if let EcbDecrypt | CbcDecrypt = mode {
                cipher(RoundKeys::<false>::new(schedule), &mut out, &add, all);
            } else {
                cipher(RoundKeys::<true>::new(schedule), &mut out, &add, all);
            }
            if SERIAL {
                let out = out[1].first();
                match mode {
                    CbcEncrypt => out.store(state.cast()),
                    CcmEncrypt | CcmDecrypt | CbcMac => {
                        let plain =
                            if mode == CcmDecrypt { out.part::<false>(end) } else { cut.first() };
                        let mut chain = [Xmm::zero(), Xmm::broadcast(mac).xor(plain)];
                        let keys = RoundKeys::<true>::new(schedule);
                        cipher(keys, &mut chain, &[Xmm::zero(); 2], false);
                        chain[1].store(mac.cast());
                    }
                    _ => {}
                }
            }
            if reads_only {
                continue;
            }
            unrolled!(I in 5 4 3 2 1 {
                if I < N - 1 && registers >= I * L::BYTES {
                    out[N - 1 - I].store(dst.wrapping_sub(I * L::BYTES));
                }
            });
            output.register::<L, true>(place, end, |dst, begin, end| {
                out[N - 1].store_between(dst, begin, end);
            });
        }
    }
}

/// Enciphers or deciphers each register of `x` but the first, and adds that of `add`. The one behind it only
/// if `all`: pieces of a packet are often too short for it.
///
/// # Safety
/// The CPU has the features of `L`.
#[inline(always)]
unsafe fn cipher<L: Lanes, const N: usize, const ENCRYPT: bool>(
    keys: RoundKeys<ENCRYPT>,
    x: &mut [L; N],
    add: &[L; N],
    all: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut first = [x[1]];
        keys.all_but_last(x);
        if N > 3 {
            if all {
                keys.all_but_last(&mut first);
            }
            x[1] = first[0];
        }
        let last = keys.last::<L>();
        for (x, &add) in x.iter_mut().zip(add) {
            *x = x.last_round::<ENCRYPT>(last.xor(add));
        }
    }
}

/// Where a text goes on, in its source or in its destination.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    at: *mut u8,
    /// Bytes there, up to the end of their piece.
    here: usize,
    /// The pieces behind that one.
    next: *const Piece,
}

impl Rest {
    /// All of a text, in its source.
    #[inline(always)]
    pub(super) fn new(text: *const Piece) -> Self {
        Self { at: core::ptr::null_mut(), here: 0, next: text }
    }

    /// Goes to the next byte's piece.
    ///
    /// # Safety
    /// This is in the source, and there is a next byte.
    #[inline(always)]
    pub(super) unsafe fn settle(&mut self) {
        while self.here == 0 {
            // SAFETY: the caller's promise.
            unsafe { self.turn_over::<false>() };
        }
    }

    /// Goes to the beginning of the next piece, in its destination if `OUT`.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    unsafe fn turn_over<const OUT: bool>(&mut self) {
        // SAFETY: the caller's promise.
        let Piece { src, dst, len } = unsafe { *self.next };
        self.at = if OUT { dst } else { src.cast_mut() };
        self.here = len;
        self.next = self.next.wrapping_add(1);
    }

    /// The bytes in this piece, at most `most`.
    #[inline(always)]
    pub(super) fn here(&self, most: usize) -> usize {
        self.here.min(most)
    }

    /// The next `len` bytes, which are in this piece; goes on behind them.
    ///
    /// # Safety
    /// This is in the source.
    #[inline(always)]
    pub(super) unsafe fn take(&mut self, len: usize) -> Piece {
        // SAFETY: the piece before the next one is that of `at`.
        let piece = unsafe { *self.next.sub(1) };
        let src = self.at.cast_const();
        let dst = piece.dst.wrapping_offset((src as isize).wrapping_sub(piece.src as isize));
        self.at = self.at.wrapping_add(len);
        self.here -= len;
        Piece { src, dst, len }
    }

    /// The same place in the destination, which is `dst`.
    #[inline(always)]
    pub(super) fn output(self, dst: *mut u8) -> Self {
        Self { at: dst, ..self }
    }

    /// Gives the next bytes to `part` that fill a register from `place` to `stop`, by pieces: where the
    /// register would begin, and which of its bytes there are. Goes on behind them.
    ///
    /// # Safety
    /// They are there; `OUT` tells whether this is in the destination.
    #[inline(always)]
    pub(super) unsafe fn register<L: Lanes, const OUT: bool>(
        &mut self,
        mut place: usize,
        stop: usize,
        mut part: impl FnMut(*mut u8, usize, usize),
    ) {
        loop {
            let (window, end) = (self.at.wrapping_sub(place), self.here + place);
            let to = end.min(stop);
            part(window, place, to);
            place = to;
            if end >= stop {
                self.at = window.wrapping_add(stop);
                self.here = end - stop;
                return;
            }
            // SAFETY: the caller's promise.
            unsafe { self.turn_over::<OUT>() };
        }
    }
}
