// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts in pieces, for modes that need each block whole. A split block is put together, and taken apart, in
//! a register.

use core::arch::asm;

use super::ctr::Counter;
use super::{RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, BlockMode, Piece, Schedule};

/// A run of more than `LONG * (N - 2)` bytes goes to the bulk kernel. Measured: 144 (Zen 5,
/// `make consumers`).
const LONG: usize = 144;

/// A text in pieces, cut anywhere. A long run goes to `run`. The rest goes in steps. A step has up to `N` - 2
/// full registers from one piece, and after them one register that cuts may go through. All are in flight
/// together, and no byte is loaded twice. The picture shows a step in registers of four blocks, `N` = 4.
/// Piece A has two full registers and 22 bytes, piece B 9 bytes, and piece C more than the step needs:
///
/// ```text
///          lane 0            lane 1            lane 2            lane 3
///  x[0]    what x[1] chains to: `state`, in every lane
///  x[1]    AAAAAAAAAAAAAAAA  AAAAAAAAAAAAAAAA  AAAAAAAAAAAAAAAA  AAAAAAAAAAAAAAAA
///  x[2]    AAAAAAAAAAAAAAAA  AAAAAAAAAAAAAAAA  AAAAAAAAAAAAAAAA  AAAAAAAAAAAAAAAA
///  x[3]    AAAAAAAAAAAAAAAA  AAAAAABBBBBBBBBC  CCCCCCCCCCCCCCCC  CCCCCCCCCCCCCCCC
/// ```
///
/// Full registers are right-aligned: if the piece has only one, it is `x[2]`, and `x[1]` is a copy of
/// `x[0]`. The end of the text is right-aligned in the same way, by blocks. So `x[N - 1].last()` is always
/// the block that the next step chains to. That last block may be partial.
///
/// Serial modes need `SERIAL`, which is for registers of one block.
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
    const { assert!(L::MASKS || L::BLOCKS == 1 && N == 2) };
    const { assert!(!SERIAL || L::BLOCKS == 1) };
    // SAFETY: the caller's promise; the bytes taken are among the `left` ones.
    unsafe {
        let mut source = Cursor::new(text);
        let mut left = len;
        while left > 0 {
            source.settle();
            let here = source.here(left) & !(L::BYTES - 1);
            if here > LONG * (N - 2) {
                // The step with the cut gets the full registers that cost it nothing.
                let len = here - N.saturating_sub(3) * L::BYTES;
                run(source.take(len));
                left -= len;
                continue;
            }
            let full = here.min((N - 2) * L::BYTES);
            let Piece { src, dst, .. } = source.take(full);
            let (src, dst) = (src.wrapping_add(full), dst.wrapping_add(full));
            let mut output = source.output(dst);
            left -= full;
            // The bytes of the cut register are `place..stop`.
            let place = match L::BLOCKS {
                1 => 0,
                _ => L::BYTES.saturating_sub((left + 15) & !15),
            };
            let stop = L::BYTES.min(place + left);
            left -= stop - place;

            // 1. Gather.
            let (x, cut): ([L; N], L) = gather(state, src, full, &mut source, (place, stop));
            // 2. Prepare.
            let registers = hidden(full);
            let (mut out, mut add) = (x, [L::zero(); N]);
            prepare(mode, state, &x, &mut out, &mut add, full, (place, stop));
            // 3. Cipher. The blocks of CBC-MAC go to the chain alone.
            let reads_only = SERIAL && mode == BlockMode::CbcMac;
            if !reads_only {
                let all = registers == (N - 2) * L::BYTES;
                cipher_mode(mode, schedule, &mut out, &add, all);
            }
            // 4. Chain.
            if SERIAL {
                chain(mode, schedule, state, mac, cut.first(), out[1].first(), stop);
            }
            // 5. Scatter.
            if reads_only {
                continue;
            }
            scatter(&out, dst, registers, &mut output, (place, stop));
        }
    }
}

/// The registers of a step: `state`, the `full` bytes before `src`, and bytes `place..stop` of the cut
/// register, which cuts may go through. That register is also returned alone. `source` advances past them.
///
/// # Safety
/// As [`transform`].
#[inline(always)]
unsafe fn gather<L: Lanes, const N: usize>(
    state: *const Block,
    src: *const u8,
    full: usize,
    source: &mut Cursor,
    (place, stop): (usize, usize),
) -> ([L; N], L) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [L::broadcast(state); N];
        unrolled!(I in 5 4 3 2 1 {
            if I < N - 1 && full >= I * L::BYTES {
                x[N - 1 - I] = L::load(src.wrapping_sub(I * L::BYTES));
            }
        });
        let mut cut = x[N - 2].last();
        source.by_pieces::<L, false>(place, stop, |src, start, stop| {
            cut = cut.load_between(src, start, stop);
        });
        x[N - 1] = cut;
        (x, cut)
    }
}

/// Returns `n`, hidden from the compiler: otherwise it would keep a flag of each comparison on the stack.
#[inline(always)]
fn hidden(mut n: usize) -> usize {
    // SAFETY: no instruction.
    unsafe { asm!("/* {} */", inout(reg) n, options(nomem, nostack, preserves_flags)) };
    n
}

/// The input of the cipher (`out`, at first the text `x`), and what is added to its output (`add`, at first
/// zero). Advances `state` in the modes that already know the next one.
///
/// | mode | the cipher's input | added to its output | the next state |
/// |---|---|---|---|
/// | ECB, CBC-MAC | text | - | - |
/// | CBC encryption | text + state | - | (output: in [`chain`]) |
/// | CBC decryption | text | the ciphertext block before | last block of text |
/// | CTR, CCM | counter | text | counter |
///
/// # Safety
/// As [`transform`].
#[inline(always)]
unsafe fn prepare<L: Lanes, const N: usize>(
    mode: BlockMode,
    state: *mut Block,
    x: &[L; N],
    out: &mut [L; N],
    add: &mut [L; N],
    full: usize,
    (place, stop): (usize, usize),
) {
    use BlockMode::{CbcDecrypt, CbcEncrypt, CbcMac, EcbDecrypt, EcbEncrypt};
    // SAFETY: the caller's promise.
    unsafe {
        match mode {
            EcbEncrypt | EcbDecrypt | CbcMac => {}
            CbcEncrypt => out[1] = x[1].xor(x[0]),
            CbcDecrypt => {
                for i in 1..N {
                    add[i] = x[i].chained(x[i - 1]);
                }
                x[N - 1].last().first().store(state.cast());
            }
            _ => {
                *add = *x;
                // The counter of the cut register's lane 0, if `place` is 0. The others come before.
                let after = x[0].swap_bytes().count((full / 16) as u32).number();
                for (i, out) in out.iter_mut().enumerate() {
                    let before = if i < N - 1 { (N - 1 - i) * L::BLOCKS } else { place / 16 };
                    *out = after.count((before as u32).wrapping_neg()).swap_bytes();
                }
                Counter::<L>::advance(state, (full + stop - place).div_ceil(16));
            }
        }
    }
}

/// [`cipher`] in the direction of `mode`.
///
/// # Safety
/// As [`transform`].
#[inline(always)]
unsafe fn cipher_mode<L: Lanes, const N: usize>(
    mode: BlockMode,
    schedule: *const Schedule,
    x: &mut [L; N],
    add: &[L; N],
    all: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if let BlockMode::EcbDecrypt | BlockMode::CbcDecrypt = mode {
            cipher(RoundKeys::<false>::new(schedule), x, add, all);
        } else {
            cipher(RoundKeys::<true>::new(schedule), x, add, all);
        }
    }
}

/// Advances the state that depends on the block: `state` to the block that CBC encryption wrote, and `mac`
/// over the plaintext of CCM or the text of CBC-MAC. `text` is the block that came in, `out` the block that
/// goes out, and `len` the number of its bytes.
///
/// # Safety
/// As [`transform`].
#[inline(always)]
unsafe fn chain(
    mode: BlockMode,
    schedule: *const Schedule,
    state: *mut Block,
    mac: *mut Block,
    text: Xmm,
    out: Xmm,
    len: usize,
) {
    use BlockMode::{CbcEncrypt, CbcMac, CcmDecrypt, CcmEncrypt};
    // SAFETY: the caller's promise.
    unsafe {
        match mode {
            CbcEncrypt => out.store(state.cast()),
            CcmEncrypt | CcmDecrypt | CbcMac => {
                let plain = if mode == CcmDecrypt { out.keep_before(len) } else { text };
                let mut chain = [Xmm::zero(), Xmm::broadcast(mac).xor(plain)];
                let keys = RoundKeys::<true>::new(schedule);
                cipher(keys, &mut chain, &[Xmm::zero(); 2], false);
                chain[1].store(mac.cast());
            }
            _ => {}
        }
    }
}

/// Stores the registers of a step at the places that [`gather`] loaded them from.
///
/// # Safety
/// As [`transform`].
#[inline(always)]
unsafe fn scatter<L: Lanes, const N: usize>(
    out: &[L; N],
    dst: *mut u8,
    full: usize,
    output: &mut Cursor,
    (place, stop): (usize, usize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        unrolled!(I in 5 4 3 2 1 {
            if I < N - 1 && full >= I * L::BYTES {
                out[N - 1 - I].store(dst.wrapping_sub(I * L::BYTES));
            }
        });
        output.by_pieces::<L, true>(place, stop, |dst, start, stop| {
            out[N - 1].store_between(dst, start, stop);
        });
    }
}

/// Enciphers or deciphers each register of `x` except the first, and adds the same register of `add`.
/// If `N > 3`, `x[1]` only if `all`: pieces of a packet are often too short for it.
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

/// A position in a text, in its source or in its destination.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    at: *mut u8,
    /// Bytes from there to the end of their piece.
    here: usize,
    /// The pieces after that one.
    next: *const Piece,
}

impl Cursor {
    /// A whole text, in its source.
    #[inline(always)]
    pub(super) fn new(text: *const Piece) -> Self {
        Self { at: core::ptr::null_mut(), here: 0, next: text }
    }

    /// Goes to the piece of the next byte.
    ///
    /// # Safety
    /// This is in the source, and there is a next byte.
    #[inline(always)]
    pub(super) unsafe fn settle(&mut self) {
        while self.here == 0 {
            // SAFETY: the caller's promise.
            unsafe { self.next_piece::<false>() };
        }
    }

    /// Goes to the beginning of the next piece; in its destination, if `OUT`.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    unsafe fn next_piece<const OUT: bool>(&mut self) {
        // SAFETY: the caller's promise.
        let Piece { src, dst, len } = unsafe { *self.next };
        self.at = if OUT { dst } else { src.cast_mut() };
        self.here = len;
        self.next = self.next.wrapping_add(1);
    }

    /// How many bytes are left in this piece, at most `most`.
    #[inline(always)]
    pub(super) fn here(&self, most: usize) -> usize {
        self.here.min(most)
    }

    /// The next `len` bytes, which are in this piece. Advances past them.
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

    /// Passes the next bytes, which fill a register from `place` to `stop`, to `each`, piece by piece: the
    /// address where the register would begin, and which of its bytes the piece has. Advances past them.
    ///
    /// # Safety
    /// The bytes exist; `OUT` tells whether this is in the destination.
    #[inline(always)]
    pub(super) unsafe fn by_pieces<L: Lanes, const OUT: bool>(
        &mut self,
        mut place: usize,
        stop: usize,
        mut each: impl FnMut(*mut u8, usize, usize),
    ) {
        loop {
            let (window, end) = (self.at.wrapping_sub(place), self.here + place);
            let to = end.min(stop);
            each(window, place, to);
            place = to;
            if end >= stop {
                self.at = window.wrapping_add(stop);
                self.here = end - stop;
                return;
            }
            // SAFETY: the caller's promise.
            unsafe { self.next_piece::<OUT>() };
        }
    }
}
