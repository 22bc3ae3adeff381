// SPDX-License-Identifier: MIT OR Apache-2.0
//! Galois/counter mode (SP 800-38D section 7): counter mode and GHASH of the ciphertext in one
//! pass, and the tag.
//!
//! GHASH needs ciphertext. So the two directions interleave cipher and hash differently. T1 is the first turn
//! of eight registers:
//!
//! ```text
//!                        lap 1    lap 2    lap 3
//!  encryption  cipher    T1       T2       T3
//!              hash               T1       T2       (T3 is hashed after the laps)
//!  decryption  cipher    T1       T2       T3
//!              hash      T1       T2       T3
//! ```
//!
//! One register is hashed between every two rounds of the cipher. A lap over a long text has two turns, and hashes
//! two registers between every two rounds: one reduction for each turn, so powers up to one turn are enough.

use super::ctr::{Counter, Ctr, xor_into};
use super::ghash::{Product, TURN, TurnHash, hash_turn, powers_from};
use super::{RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, CounterBlock, Piece, Powers, Schedule, Tag};

/// One lap of a bulk loop: all rounds except the last of the counters `x`, one turn or two, and the hash of as
/// many registers at `hashed`, which is returned.
///
/// # Safety
/// The CPU has the features of `L`; `powers` is readable, and `hashed` for `N` registers.
#[inline(always)]
unsafe fn encipher_and_hash<L: Lanes, const N: usize>(
    keys: RoundKeys<true>,
    x: &mut [L; N],
    powers: *const Powers,
    y: Xmm,
    hashed: *const u8,
) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe {
        let key = keys.key::<L>(0);
        for x in &mut *x {
            *x = x.xor(key);
        }
        let mut hash = TurnHash::<L>::new(powers, y, hashed);
        let turns = const { N / TURN };
        unrolled!(I in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 {
            if I < N {
                if I == TURN {
                    hash = TurnHash::new(powers, hash.reduce(), hashed.add(TURN * L::BYTES));
                }
                hash.add::<{ I % TURN }>();
                if (I + 1).is_multiple_of(turns) {
                    keys.round(x, (I + 1) / turns);
                }
                // In pairs, so that one VPTERNLOG adds two products.
                if I % 2 == 1 {
                    *x = core::array::from_fn(|i| x[i].pin());
                    hash.pin();
                }
            }
        });
        keys.rounds_from(x, TURN + 1);
        hash.reduce()
    }
}

/// The shortest text, in bytes, of which two turns are enciphered in one lap, with AES-128 and masks. In laps of
/// one turn the last round of a turn waits for its rounds, and meanwhile the units for AESENC idle. Measured: 16
/// KiB take 4 % less time, 4 KiB 1 %. A seal of 2 KiB took 18 % more: its first two turns hash nothing. With
/// AES-256 16 KiB took 3 % more: its rounds fill the units anyway (Sapphire Rapids, both kernels in one program).
const LONG: usize = 4096;

/// The rounds of AES-128 (FIPS 197, table 3).
const ROUNDS_OF_128: usize = 10;

/// Some of a text, in pieces cut anywhere, in one direction or the other.
///
/// 1. Multiplies `y` by H, if a block `waits`. Then the first counter block follows the one at `ctr`.
/// 2. Transforms and hashes each piece. Nothing is gathered. Each piece of a split block enciphers that
///    block's counter again. GHASH is linear, so the block's part of the hash is the sum of its pieces,
///    each with zeros around it.
/// 3. Turns the hash into the tag with the last piece, if there is a `tag`.
/// 4. Advances the counter, if there is no `tag`.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
pub(crate) unsafe fn transform<L: Lanes>(
    schedule: *const Schedule,
    powers: *const Powers,
    ctr: *mut CounterBlock,
    y: *mut Block,
    mut text: *const Piece,
    len: usize,
    waits: bool,
    encrypt: bool,
    tag: *const Tag<'_>,
) {
    // SAFETY: the caller's promise; the pieces together have `len` bytes.
    unsafe {
        let mut sum = Xmm::load_halves(y.cast()).swap_bytes();
        if waits {
            sum = multiply_by_h(sum, powers);
        }
        let mut mask = Xmm::zero();
        let mut left = len;
        // The next byte is byte `place` of its block, and the counter of that block is the one at `ctr` and
        // `blocks`. The counters of each piece are made from the first counter. Made from those of the piece
        // before, they would come through memory, one piece after the other.
        let (mut blocks, mut place) = (usize::from(waits), 0);
        let (ctr, secret) = (&raw mut (*ctr).block, (*ctr).secret);
        let (keys, start) = (RoundKeys::new(schedule), Counter::<L>::new(ctr, secret));
        while left > 0 || !tag.is_null() {
            // A tag of no text has no piece.
            let none = Piece { src: ctr.cast(), dst: ctr.cast(), len: 0 };
            let Piece { mut src, mut dst, len } = if left > 0 { *text } else { none };
            text = text.wrapping_add(1);
            let mut n = len.min(left);
            left -= n;
            let tag = if left == 0 { tag.as_ref() } else { None };
            // With masks, one turn takes the split block too, if bytes follow it and all these bytes are no
            // more than a turn.
            let merges = L::MASKS && (17..=TURN * L::BYTES).contains(&(place + n));
            if place > 0 && n > 0 && !merges {
                let here = n.min(16 - place);
                let [x] = Counter::<Xmm>::new(ctr, secret).after(blocks).take();
                sum = transform_inside_block::<L>(
                    schedule,
                    powers,
                    x,
                    sum,
                    src,
                    dst,
                    (place, here),
                    encrypt,
                );
                src = src.add(here);
                dst = dst.add(here);
                n -= here;
                place += here;
                blocks += place / 16;
                place %= 16;
            }
            if n > 0 || tag.is_some() {
                let mut mode = Ctr { keys, counter: start.after(blocks) };
                // The block that `place` is in is complete, or bytes follow.
                let place_now = if n > 0 { place } else { 0 };
                (sum, mask) =
                    transform_piece(&mut mode, powers, sum, src, dst, (place_now, n), encrypt, tag);
                blocks += (place + n) / 16;
                place = (place + n) % 16;
            }
            if left == 0 {
                break;
            }
        }
        if tag.is_null() {
            Counter::<L>::advance(ctr, len.div_ceil(16) + usize::from(waits));
        }
        sum.swap_bytes().xor(mask).store(y.cast());
    }
}

/// `x` times H, as integers.
///
/// # Safety
/// The CPU has the features of `Xmm`; `powers` is readable.
#[inline(always)]
unsafe fn multiply_by_h(x: Xmm, powers: *const Powers) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe {
        let mut product = Product::<Xmm>::zero();
        product.add(x, powers, 1);
        product.reduce()
    }
}

/// The bytes of a piece that belong to a block that began in an earlier piece: `n` bytes from place `place`
/// on.
///
/// # Safety
/// As [`transform_piece`], for these bytes, which all lie in the block.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
unsafe fn transform_inside_block<L: Lanes>(
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
        sum.xor(multiply_by_h(hashed.swap_bytes(), powers))
    }
}

/// The beginning of a long text of `len` bytes, in laps of two turns, until no more than two turns are left. Returns
/// the hash and the bytes that are done. As the laps of one turn want it, the last turn of an encryption is not
/// hashed yet.
///
/// # Safety
/// The CPU has the features of `L`, which has masks. `powers` and `src` are readable and `dst` is writable for
/// the bytes, equal or disjoint.
#[inline(always)]
unsafe fn transform_two_turns_a_lap<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    mut sum: Xmm,
    mut src: *const u8,
    mut dst: *mut u8,
    len: usize,
    encrypt: bool,
) -> (Xmm, usize) {
    let two = 2 * TURN * L::BYTES;
    let mut left = len;
    // SAFETY: the caller's promise.
    unsafe {
        loop {
            let mut x = mode.counter.take::<{ 2 * TURN }>();
            if encrypt && left == len {
                mode.keys.all_but_last(&mut x);
            } else {
                let hashed = if encrypt { dst.wrapping_sub(two).cast_const() } else { src };
                sum = encipher_and_hash(mode.keys, &mut x, powers, sum, hashed);
            }
            xor_into(mode.keys, &x, src, dst);
            src = src.add(two);
            dst = dst.add(two);
            left -= two;
            if left <= two {
                break;
            }
        }
        if encrypt {
            sum = hash_turn::<L>(powers, sum, dst.wrapping_sub(two));
        }
    }
    (sum, len - left)
}

/// `n` bytes of a piece, from place `place` of a block on. The last block may be partial. Returns the hash;
/// or with a `tag` the last hash, and E(K, J0).
///
/// Full turns come first, while more than a turn is left. Encryption is one turn ahead of the hash: the last
/// of these turns is hashed while the rest is enciphered.
///
/// # Safety
/// The CPU has the features of `L`. `powers` and `src` are readable and `dst` is writable for the bytes,
/// equal or disjoint. `place` is 0; or registers have masks, the bytes end after the first block, and
/// `place + n` is at most a turn.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
unsafe fn transform_piece<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    mut sum: Xmm,
    src: *const u8,
    dst: *mut u8,
    (place, n): (usize, usize),
    encrypt: bool,
    tag: Option<&Tag<'_>>,
) -> (Xmm, Xmm) {
    let turn = TURN * L::BYTES;
    // SAFETY: the caller's promise; the steps together cover the bytes.
    unsafe {
        let (mut src, mut dst) = (src.wrapping_sub(place), dst.wrapping_sub(place));
        let mut left = place + n;
        let j0 = tag.map(|tag| Xmm::load_halves(tag.j0.0.as_ptr()));
        // Encryption begins with a lap that hashes nothing, decryption ends with one.
        let (mut first, last) = if encrypt { (left, 0) } else { (usize::MAX, turn) };
        let room = if tag.is_some() { turn - 16 } else { 0 };
        if L::MASKS && left >= LONG && mode.keys.rounds == ROUNDS_OF_128 {
            let (y, done) = transform_two_turns_a_lap(mode, powers, sum, src, dst, left, encrypt);
            (sum, src, dst) = (y, src.add(done), dst.add(done));
            (left, first) = (left - done, usize::MAX);
        }
        let (x, with_j0) = loop {
            let mut x = mode.counter.take::<TURN>();
            let with_j0;
            if left >= first || left <= last {
                let (left, j0) = if left <= turn { (left, j0) } else { (turn, None) };
                (x, with_j0) = encipher_rest::<L, false>(mode.keys, left, j0, |i| x[i]);
            } else {
                if let Some(j0) = j0
                    && left <= room
                {
                    x[TURN - 1] = x[TURN - 1].with_last(j0);
                }
                // The output of the turn before, or this turn.
                let hashed = if encrypt { dst.wrapping_sub(turn).cast_const() } else { src };
                sum = encipher_and_hash(mode.keys, &mut x, powers, sum, hashed);
                with_j0 = x[TURN - 1];
            }
            if left <= turn {
                break (x, with_j0);
            }
            xor_into(mode.keys, &x, src, dst);
            src = src.add(turn);
            dst = dst.add(turn);
            left -= turn;
        };
        let mut product = Product::<L>::zero();
        // There is no power above a turn's. After a full turn the length block takes a reduction of its own.
        let mut power = left.div_ceil(16);
        let fits = power < TURN * L::BLOCKS;
        let lengths = tag.map(|tag| length_block(tag.aad_len, tag.text_len));
        if let Some(lengths) = lengths
            && fits
        {
            product.add(L::widen(lengths), powers, 1);
            power += 1;
        }
        let (y, first) = (L::place(sum, usize::from(place > 0)), powers_from(powers, power));
        finish(mode.keys, x, &mut product, y, first, src, dst, (place, left), encrypt);
        sum = product.reduce();
        let (Some(lengths), Some(j0)) = (lengths, j0) else {
            return (sum, Xmm::zero());
        };
        if !fits {
            sum = multiply_by_h(sum.xor(lengths), powers);
        }
        let last = mode.keys.last::<L>();
        let mut mask = with_j0.last_round::<true>(last).last().first();
        // The text has filled the lane of J0.
        if left + 16 > turn {
            let mut x = [j0];
            mode.keys.all_but_last(&mut x);
            mask = x[0].last_round::<true>(mode.keys.last());
        }
        (sum, mask)
    }
}

/// A whole text of less than a turn, and its tag. `y` is the hash of the AAD without its last multiplication.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
pub(crate) unsafe fn transform_short<L: Lanes>(
    schedule: *const Schedule,
    powers: *const Powers,
    j0: *const CounterBlock,
    y: *mut Block,
    aad_len: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
    encrypt: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let blocks = len.div_ceil(16);
        let hash = Xmm::load_halves(y.cast()).swap_bytes();
        let mut product = Product::<L>::zero();
        product.add_two([hash, length_block(aad_len, len as u64)], powers, [blocks + 2, 1]);
        let j0 = Xmm::load_halves((&raw const (*j0).block).cast());
        // The counters of the text are made as if each had a carry: without a branch, so J0 may be secret.
        let first = L::repeat(j0.swap_bytes().count(1)).number();
        let keys = RoundKeys::new(schedule);
        let (x, with_j0) = encipher_rest::<L, true>(keys, len, Some(j0), |i| {
            first.count((i * L::BLOCKS) as u32).swap_bytes()
        });
        let mask = with_j0.last_round::<true>(keys.last::<L>()).last().first();
        let (none, first) = (L::zero(), powers_from(powers, blocks + 1));
        finish(keys, x, &mut product, none, first, src, dst, (0, len), encrypt);
        product.reduce().swap_bytes().xor(mask).store(y.cast());
    }
}

/// Keystream for a rest of `left` bytes: registers that lack only the last round, and the one that has `j0` in
/// its last lane, if there is a `j0`. Only as many registers are enciphered as are needed. A `SHORT` text has two
/// blocks less than a turn, and there always is a `j0`. `counter` makes the counters of a register.
///
/// # Safety
/// The CPU has the features of `L`; `left` is at most a turn.
#[inline(always)]
unsafe fn encipher_rest<L: Lanes, const SHORT: bool>(
    keys: RoundKeys<true>,
    left: usize,
    j0: Option<Xmm>,
    counter: impl Fn(usize) -> L,
) -> ([L; TURN], L) {
    let needed = left + if j0.is_some() { 16 } else { 0 };
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [L::zero(); TURN];
        unrolled!(N in 1 2 3 4 5 7 8 {
            let last = if SHORT && L::BLOCKS == 1 { TURN - 1 } else { TURN };
            let taken = if SHORT { N < 6 } else { N == 2 || N == 5 };
            if (N == last || taken && needed <= N * L::BYTES)
                && let Some(few) = x.first_chunk_mut::<N>()
            {
                *few = core::array::from_fn(&counter);
                if let Some(j0) = j0
                    && (SHORT || needed <= N * L::BYTES)
                {
                    // The text of a short message does not reach the last register of the most.
                    let bare = SHORT && (N - 1) * L::BLOCKS >= TURN * L::BLOCKS - 2;
                    few[N - 1] =
                        if bare { L::repeat(j0) } else { few[N - 1].with_last(j0) };
                }
                keys.all_but_last(few);
                let last = few[N - 1];
                return (x, last);
            }
        });
        unreachable!()
    }
}

/// The last round of a rest, bytes `place..left` at `src`, and its products.
///
/// The text begins in lane 0. The last lane of a register that the text does not fill has J0: it is enciphered
/// there at no cost. A text of 150 bytes from place 5 on, and its tag, in registers of four blocks (`·`: not
/// touched):
///
/// ```text
///          lane 0            lane 1            lane 2            lane 3
///  x[0]    ·····ttttttttttt  tttttttttttttttt  tttttttttttttttt  tttttttttttttttt  place..BYTES
///  x[1]    tttttttttttttttt  tttttttttttttttt  tttttttttttttttt  tttttttttttttttt  full, no mask
///  x[2]    tttttttttttttttt  ttttttttttt·····  ················  J0                the end
/// ```
///
/// The hash so far, `y`, enters at lane 0 of the first register. If `place` is not 0, the first block began in
/// an earlier piece. Then the hash already has that beginning, multiplied by H, and enters at lane 1. With n
/// blocks of text the power of lane 0, at `first`, is H^n; with a tag it is H^(n+1), because the length block
/// follows.
///
/// # Safety
/// As [`transform_piece`].
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
unsafe fn finish<L: Lanes>(
    keys: RoundKeys<true>,
    x: [L; TURN],
    product: &mut Product<L>,
    y: L,
    first: *const Block,
    src: *const u8,
    dst: *mut u8,
    (place, left): (usize, usize),
    encrypt: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let last = keys.last::<L>();
        let (x, full) = 'full: {
            unrolled!(I in 0 1 2 3 4 5 6 7 {
                let at = I * L::BYTES;
                if left < at + L::BYTES {
                    break 'full (x[I].pin(), I);
                }
                let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
                let mut hashed = if L::MASKS && I == 0 && place > 0 {
                    transform_between(x[I], last, src, dst, (place, L::BYTES), encrypt)
                } else {
                    transform_register(x[I], last, src, dst, encrypt)
                }
                .swap_bytes();
                if I == 0 {
                    hashed = hashed.xor(y);
                }
                product.add_at(hashed, first, I);
            });
            return;
        };
        let (at, start) = (full * L::BYTES, if full == 0 { place } else { 0 });
        // Nothing is left to be hashed, not even the hash so far.
        if full > 0 && left == at {
            return;
        }
        let mut hashed = if full == 0 { y } else { L::zero() };
        if left > at {
            let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
            let text = transform_between(x, last, src, dst, (start, left - at), encrypt);
            hashed = hashed.xor(text.swap_bytes());
        }
        product.add_at(hashed, first, full);
    }
}

/// The last round of a full register. Returns the ciphertext, to be hashed.
///
/// # Safety
/// The CPU has the features of `L`; `src` is readable and `dst` writable for the register, equal or disjoint.
#[inline(always)]
unsafe fn transform_register<L: Lanes>(
    x: L,
    last: L,
    src: *const u8,
    dst: *mut u8,
    encrypt: bool,
) -> L {
    // SAFETY: the caller's promise.
    unsafe {
        let text = L::load(src);
        let out = x.last_round::<true>(last.xor(text));
        out.store(dst);
        ciphertext(text, out, encrypt)
    }
}

/// The same for bytes `start..stop` of a register. The other bytes are zeros in what is returned.
///
/// # Safety
/// As [`transform_register`], for these bytes, which lie in the register.
#[inline(always)]
unsafe fn transform_between<L: Lanes>(
    x: L,
    last: L,
    src: *const u8,
    dst: *mut u8,
    (start, stop): (usize, usize),
    encrypt: bool,
) -> L {
    // SAFETY: the caller's promise.
    unsafe {
        if L::MASKS && start > 0 {
            let text = L::zero().load_between(src, start, stop);
            let out = x.last_round::<true>(last.xor(text)).store_between(dst, start, stop);
            return ciphertext(text, out, encrypt);
        }
        let text = L::load_before(src, stop);
        let out = x.last_round::<true>(last.xor(text));
        out.store_before(dst, stop);
        ciphertext(text, out.keep_before(stop), encrypt)
    }
}

/// Selects the ciphertext, which is hashed. Pinned, so that this is a branch: a decryption does not wait for
/// its output.
#[inline(always)]
fn ciphertext<L: Lanes>(text: L, out: L, encrypt: bool) -> L {
    if encrypt { out.pin() } else { text.pin() }
}

/// The length block (step 5), as an integer. It counts bits; the additional data comes first.
///
/// # Safety
/// The CPU has the features of `Xmm`.
#[inline(always)]
unsafe fn length_block(aad_len: u64, text_len: u64) -> Xmm {
    // SAFETY: the caller's promise.
    unsafe { Xmm::from_u128(u128::from(aad_len << 3) << 64 | u128::from(text_len << 3)) }
}
