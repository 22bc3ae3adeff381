// SPDX-License-Identifier: MIT OR Apache-2.0
//! Galois/counter mode (SP 800-38D section 7): counter mode and GHASH of the ciphertext in one
//! pass, and the tag.
//!
//! Eight registers are encrypted while eight others, whose ciphertext is known, are hashed, a
//! register between every two rounds: on encryption the eight before, on decryption the same.

use super::ctr::{Counter, Ctr, xor_into};
use super::ghash::{Eight, Product, TURN, eight, powers_from, tail};
use super::{Parallel, RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, CounterBlock, Piece, Powers, Schedule, Tag};

/// Registers in flight where there are few: a fragment of a packet that is cut in five has so many.
const FEW: usize = 5;

/// One turn of the bulk loop: hashes the eight registers at `hashed`, and returns the hash beside eight
/// registers that lack only the last round to be keystream.
///
/// # Safety
/// The CPU has the features of `L`; `powers` is readable, and `hashed` for eight registers.
#[inline(always)]
unsafe fn stitched<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    y: Xmm,
    hashed: *const u8,
) -> (Xmm, [L; TURN]) {
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
        (eight.reduce(), x)
    }
}

/// A part of a text, in pieces cut anywhere. One text for both directions, which differ in what is
/// hashed beside a turn: its source, or what the turn before it wrote.
///
/// With `tag`, the hash becomes the tag.
///
/// Nothing is gathered. A block that a cut goes through is enciphered with each of its pieces, and as
/// GHASH is linear it is the sum of what its pieces, with zeros around them, add to the hash.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
pub(crate) unsafe fn part<L: Lanes>(
    schedule: *const Schedule,
    powers: *const Powers,
    ctr: *mut CounterBlock,
    y: *mut Block,
    mut text: *const Piece,
    len: usize,
    multiply: bool,
    encrypt: bool,
    tag: *const Tag<'_>,
) {
    // SAFETY: the caller's promise; the pieces together have `len` bytes.
    unsafe {
        let mut sum = Xmm::broadcast(y).swap_bytes();
        if multiply {
            let mut product = Product::<Xmm>::zero();
            product.add(sum, powers, 1);
            sum = product.reduce();
        }
        let mut left = len;
        // Byte `place` of the block behind so many is the next. The counters of each piece are made from the
        // first: from those before they would come through memory, one piece after the other.
        let (mut blocks, mut place) = (0, 0);
        let (ctr, secret) = (&raw mut (*ctr).block, (*ctr).secret);
        let (keys, start) = (RoundKeys::new(schedule), Counter::<L>::new(ctr, secret));
        while left > 0 {
            let Piece { mut src, mut dst, len } = *text;
            text = text.add(1);
            let mut n = len.min(left);
            left -= n;
            let merges = L::MASKS && (17..TURN * L::BYTES).contains(&(place + n));
            if place > 0 && n > 0 && !merges {
                let here = n.min(16 - place);
                let [x] = Counter::<Xmm>::new(ctr, secret).behind(blocks).take();
                sum = inside::<L>(schedule, powers, x, sum, src, dst, (place, here), encrypt);
                src = src.add(here);
                dst = dst.add(here);
                n -= here;
                place += here;
                blocks += place / 16;
                place %= 16;
            }
            if n > 0 {
                let mut mode = Ctr { keys, counter: start.behind(blocks) };
                sum = piece(&mut mode, powers, sum, src, dst, (place, n), encrypt);
                blocks += (place + n) / 16;
                place = (place + n) % 16;
            }
        }
        Counter::<L>::advance(ctr, len.div_ceil(16));
        let mut out = sum.swap_bytes();
        if let Some(&Tag { j0, aad_len, text_len }) = tag.as_ref() {
            let mut x = [Xmm::broadcast(j0)];
            keys.all_but_last(&mut x);
            let mut product = Product::<Xmm>::zero();
            product.add(sum.xor(lengths(aad_len, text_len)), powers, 1);
            out = product.reduce().swap_bytes();
            out = x[0].last_round::<true>(keys.last::<Xmm>().xor(out));
        }
        out.store(y.cast());
    }
}

/// A piece of `n` bytes from place `place` of a block on; the last block may end with zeros. `place` is 0
/// unless registers have masks, and the piece ends behind that block and before a turn does.
///
/// # Safety
/// The CPU has the features of `L`; `powers` and `src` are readable and `dst` is writable for the
/// bytes, equal or disjoint.
#[inline(always)]
unsafe fn piece<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    mut sum: Xmm,
    src: *const u8,
    dst: *mut u8,
    (place, n): (usize, usize),
    encrypt: bool,
) -> Xmm {
    let turn = TURN * L::BYTES;
    // SAFETY: the caller's promise; the steps together cover the bytes.
    unsafe {
        let (mut src, mut dst) = (src.wrapping_sub(place), dst.wrapping_sub(place));
        let mut hashed = src;
        let mut left = place + n;
        let mut ahead = false;
        if left >= turn {
            ahead = encrypt;
            if ahead {
                mode.step::<TURN>(src, dst);
                hashed = dst;
                src = src.add(turn);
                dst = dst.add(turn);
                left -= turn;
            }
            while left >= turn {
                let x: [L; TURN];
                (sum, x) = stitched(mode, powers, sum, hashed);
                xor_into(mode.keys, &x, src, dst);
                hashed = hashed.add(turn);
                src = src.add(turn);
                dst = dst.add(turn);
                left -= turn;
            }
            if ahead && (left == 0 || !L::MASKS) {
                sum = eight::<L>(powers, sum, hashed);
            }
            if left == 0 {
                return sum;
            }
        }
        if !L::MASKS {
            // The last register is hashed as it is at hand: what is stored in parts is slow to be read.
            let whole = left & !(L::BYTES - 1);
            let (rest, end) = (left - whole, dst.add(whole));
            let text = L::load_part::<false>(src.add(whole), rest);
            if !encrypt {
                sum = tail(powers, sum, src, left, text);
            }
            let mut out = text;
            if rest > 0 {
                out = mode.encrypt(whole / 16, text);
                out.store_part::<false>(end, rest);
            }
            mode.few(src, dst, whole);
            if encrypt {
                sum = tail(powers, sum, dst, left, out.part::<false>(rest));
            }
            return sum;
        }
        // In one turn too, or a shorter one: all is at hand to be hashed.
        let x;
        if ahead {
            (sum, x) = stitched(mode, powers, sum, hashed);
        } else {
            let mut counters = mode.counter.take::<TURN>();
            match counters.first_chunk_mut::<FEW>() {
                Some(few) if left <= FEW * L::BYTES => mode.keys.all_but_last(few),
                _ => mode.keys.all_but_last(&mut counters),
            }
            x = counters;
        }
        let last = mode.keys.last::<L>();
        // Less than a turn: nothing overflows, as `div_ceil` would have to think.
        let first = powers_from(powers, (left + 15) >> 4);
        // The beginning of the first block is in the sum already, multiplied.
        let y = L::place(sum, usize::from(place > 0));
        let mut product = Product::<L>::zero();
        // A branch: a decryption does not wait for its output.
        let hashing = |text: L, out: L| if encrypt { out.pin() } else { text.pin() };
        let end = left.min(L::BYTES);
        let text = L::zero().load_between(src, place, end);
        let out = x[0].last_round::<true>(last.xor(text)).store_between(dst, place, end);
        product.add_at(hashing(text, out).swap_bytes().xor(y), first, 0);
        // Then whole registers, which need no masks, and what is left behind them.
        let (x, whole) = 'whole: {
            unrolled!(I in 1 2 3 4 5 6 {
                if left < (I + 1) * L::BYTES {
                    break 'whole (x[I], I);
                }
                let text = L::load(src.wrapping_add(I * L::BYTES));
                let out = x[I].last_round::<true>(last.xor(text));
                out.store(dst.wrapping_add(I * L::BYTES));
                product.add_at(hashing(text, out).swap_bytes(), first, I);
            });
            (x[7], 7)
        };
        let at = whole * L::BYTES;
        if left > at {
            let (src, dst, end) = (src.wrapping_add(at), dst.wrapping_add(at), left - at);
            let text = L::zero().load_between(src, 0, end);
            let out = x.last_round::<true>(last.xor(text)).store_between(dst, 0, end);
            product.add_at(hashing(text, out).swap_bytes(), first, whole);
        }
        product.reduce()
    }
}

/// The bytes of a piece that are in the block of `counter`, begun before it: `n` from place `place` on.
///
/// # Safety
/// As [`piece`], for these bytes, which end in the block.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
unsafe fn inside<L: Lanes>(
    schedule: *const Schedule,
    powers: *const Powers,
    counter: Xmm,
    sum: Xmm,
    src: *const u8,
    dst: *mut u8,
    (place, n): (usize, usize),
    encrypt: bool,
) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let mut x = [counter];
        keys.all_but_last(&mut x);
        let text = L::load_inside(src, place, n);
        let out = x[0].last_round::<true>(keys.last::<Xmm>().xor(text));
        let out = L::store_inside(out, dst, place, n);
        let hashed = if encrypt { out } else { text };
        let mut product = Product::<Xmm>::zero();
        product.add(hashed.swap_bytes(), powers, 1);
        sum.xor(product.reduce())
    }
}

/// A whole text and its tag, in tables with more than one block in a register. `part` is the
/// table's kernel for parts of a text, which multiplies `y` and takes all but the end.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
pub(crate) unsafe fn whole<L: Lanes, const ENCRYPT: bool>(
    schedule: *const Schedule,
    powers: *const Powers,
    j0: *const CounterBlock,
    y: *mut Block,
    aad_len: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
    part: impl FnOnce(*mut CounterBlock, usize),
) {
    let at_once = 16 * (L::FINISH * L::BLOCKS - 1);
    // SAFETY: the caller's promise; the steps together cover `len` bytes.
    unsafe {
        let keys = RoundKeys::new(schedule);
        let lengths = lengths(aad_len, len as u64);
        let (j0, secret) = (&raw const (*j0).block, (*j0).secret);
        let mut before;
        let mut end = End { keys, powers, j0, before: j0, secret, lengths, src, dst, len };
        // `y` is yet to be multiplied, as the block in the place before the text.
        let mut lane = 0;
        if len > at_once {
            let mut bulk = len - len % (TURN * L::BYTES);
            bulk += (len - bulk).saturating_sub(at_once).next_multiple_of(L::BYTES);
            // A copy of all of `j0` would read its last byte and what nobody has written with it, and wait.
            let mut ctr = CounterBlock { block: *j0, secret };
            before = *j0;
            Counter::<L>::advance(&raw mut ctr.block, 1);
            Counter::<L>::advance(&raw mut before, bulk / 16);
            part(&raw mut ctr, bulk);
            lane = 1;
            end.before = &raw const before;
            end.src = src.add(bulk);
            end.dst = dst.add(bulk);
            end.len = len - bulk;
        }
        let sum = Xmm::broadcast(y).swap_bytes();
        if L::MASKS && len <= 16 {
            return end.finish_block::<L, ENCRYPT>(sum).store(y.cast());
        }
        let sum = L::place(sum, lane);
        let registers = end.len.div_ceil(16) / L::BLOCKS + 1;
        unrolled!(N in 1 2 3 4 5 {
            if N <= L::FINISH && registers == N {
                end.finish::<L, N, ENCRYPT>(sum).store(y.cast());
            }
        });
    }
}

/// The last bytes of a text, and what ends its message.
struct End {
    keys: RoundKeys<true>,
    powers: *const Powers,
    j0: *const Block,
    /// The counter block before that of the first byte.
    before: *const Block,
    /// Whether the counter tells of H.
    secret: bool,
    /// The length block, as an integer.
    lengths: Xmm,
    src: *const u8,
    dst: *mut u8,
    len: usize,
}

impl End {
    /// [`finish`](Self::finish) of a whole text of at most one block: in registers of one block, of which
    /// none has to be folded, 10 cycles of 130 less.
    ///
    /// # Safety
    /// The contract of the entry points.
    #[inline(always)]
    unsafe fn finish_block<L: Lanes, const ENCRYPT: bool>(&self, y: Xmm) -> Xmm {
        let &Self { keys, powers, j0, secret, lengths, src, dst, len, .. } = self;
        let blocks = len.div_ceil(16) + 2;
        // SAFETY: the caller's promise.
        unsafe {
            let mut x = Counter::<Xmm>::new(j0, secret).take::<2>();
            keys.all_but_last(&mut x);
            let last = keys.last::<Xmm>();
            let text = L::load_part::<false>(src, len).first();
            let out = L::widen(x[1].last_round::<true>(last.xor(text)));
            out.store_part::<false>(dst, len);
            let hashed = if ENCRYPT { out.part::<false>(len).first() } else { text };
            let mut sum = Product::<Xmm>::zero();
            sum.add(lengths, powers, 1);
            sum.add(y, powers, blocks);
            sum.add(hashed.swap_bytes(), powers, blocks - 1);
            sum.reduce().swap_bytes().xor(x[0].last_round::<true>(last))
        }
    }

    /// Transforms and hashes them, with the length block behind them, and returns the tag: `N`
    /// registers all in flight, one reduction, nothing in memory but the output.
    ///
    /// The text lies one block behind the beginning of the first register; in the place before it
    /// E(K, J0) is computed. `y`, as an integer in the first register, is a block yet to be hashed in
    /// that place, or a hash in the next.
    ///
    /// # Safety
    /// The contract of the entry points; the text, and one block more, end in register `N`.
    #[inline(always)]
    unsafe fn finish<L: Lanes, const N: usize, const ENCRYPT: bool>(&self, y: L) -> Xmm {
        let &Self { keys, powers, j0, before, secret, lengths, len, .. } = self;
        let (src, dst) = (self.src.wrapping_sub(16), self.dst.wrapping_sub(16));
        // SAFETY: the caller's promise; the first block of the first register is skipped.
        unsafe {
            let mut x = Counter::<L>::new(before, secret).take::<N>();
            x[0] = x[0].xor(L::widen(Xmm::broadcast(before).xor(Xmm::broadcast(j0))));
            keys.all_but_last(&mut x);
            let last = keys.last::<L>();
            let mut mask = lengths;
            let mut sum = Product::<L>::zero();
            sum.add(L::widen(lengths), powers, 1);
            let first = powers_from(powers, len.div_ceil(16) + 2);
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
                        hashed.swap_bytes().xor(y)
                    } else {
                        let text = L::load_part::<false>(src, end);
                        let out = x.last_round::<true>(last.xor(text));
                        out.store_part::<false>(dst, end);
                        let hashed = if ENCRYPT { out.part::<false>(end) } else { text };
                        hashed.swap_bytes()
                    };
                    sum.add_at(hashed, first, I);
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
