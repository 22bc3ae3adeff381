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
//! One register is hashed between every two rounds of the cipher.

use super::ctr::{Counter, Ctr, xor_into};
use super::ghash::{Product, TURN, TurnHash, hash_rest, hash_turn, powers_from};
use super::{Parallel, RoundKeys, unrolled};
use crate::lanes::{Lanes, Xmm};
use crate::{Block, CounterBlock, Piece, Powers, Schedule, Tag};

/// Registers of a short turn. Derived: a packet of 1420 bytes in five fragments has 284 bytes in each, so
/// five registers of `vaes512`. Measured: such packets are faster than with full turns alone (Zen 5,
/// `make consumers ARGS="--only ipsec"`).
const SHORT_TURN: usize = 5;

/// One lap of the bulk loop: hashes the eight registers at `hashed`. Returns the hash, and eight registers of
/// keystream that lack only the last round.
///
/// # Safety
/// The CPU has the features of `L`; `powers` is readable, and `hashed` for eight registers.
#[inline(always)]
unsafe fn encipher_and_hash_turn<L: Lanes>(
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
        let mut hash = TurnHash::<L>::new(powers, y, hashed);
        unrolled!(I in 0 1 2 3 4 5 6 7 {
            hash.add::<I>();
            mode.keys.round(&mut x, I + 1);
            // In pairs, so that one VPTERNLOG adds two products.
            if I % 2 == 1 {
                x = x.map(L::pin);
                hash.pin();
            }
        });
        mode.keys.rounds_from(&mut x, TURN + 1);
        (hash.reduce(), x)
    }
}

/// Some of a text, in pieces cut anywhere, in one direction or the other.
///
/// 1. Multiplies `y` by H, if `multiply`.
/// 2. Transforms and hashes each piece. Nothing is gathered. Each piece of a split block enciphers that
///    block's counter again. GHASH is linear, so the block's part of the hash is the sum of its pieces,
///    each with zeros around it.
/// 3. Advances the counter.
/// 4. If there is a `tag`, turns the hash into the tag.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
pub(crate) unsafe fn transform_part<L: Lanes>(
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
        let mut sum = Xmm::load_halves(y.cast()).swap_bytes();
        if multiply {
            sum = multiply_by_h(sum, powers);
        }
        let mut left = len;
        // The next byte is byte `place` of its block, and `blocks` blocks precede that block. The counters of
        // each piece are made from the first counter. Made from those of the piece before, they would come
        // through memory, one piece after the other.
        let (mut blocks, mut place) = (0, 0);
        let (ctr, secret) = (&raw mut (*ctr).block, (*ctr).secret);
        let (keys, start) = (RoundKeys::new(schedule), Counter::<L>::of_halves(ctr, secret));
        while left > 0 {
            let Piece { mut src, mut dst, len } = *text;
            text = text.add(1);
            let mut n = len.min(left);
            left -= n;
            // With masks, one turn takes the split block too, if bytes follow it and all these bytes are less
            // than a turn.
            let merges = L::MASKS && (17..TURN * L::BYTES).contains(&(place + n));
            if place > 0 && n > 0 && !merges {
                let here = n.min(16 - place);
                let [x] = Counter::<Xmm>::of_halves(ctr, secret).after(blocks).take();
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
            if n > 0 {
                let mut mode = Ctr { keys, counter: start.after(blocks) };
                sum = transform_piece(&mut mode, powers, sum, src, dst, (place, n), encrypt);
                blocks += (place + n) / 16;
                place = (place + n) % 16;
            }
        }
        Counter::<L>::advance(ctr, len.div_ceil(16));
        let mut out = sum.swap_bytes();
        if let Some(&Tag { j0, aad_len, text_len }) = tag.as_ref() {
            let mut x = [Xmm::load_halves(j0.0.as_ptr())];
            keys.all_but_last(&mut x);
            let hash = multiply_by_h(sum.xor(length_block(aad_len, text_len)), powers);
            out = hash.swap_bytes();
            out = x[0].last_round::<true>(keys.last::<Xmm>().xor(out));
        }
        out.store(y.cast());
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

/// `n` bytes of a piece, from place `place` of a block on. The last block may be partial.
///
/// There are two algorithms: one for full turns, and one for the rest, which is less than a turn. Without
/// masks the rest has another algorithm (`transform_rest`).
///
/// With masks, the rest takes one more turn, short or full. Only its first register and its end have masks.
/// The picture shows 150 bytes from place 5 on, in registers of four blocks (`·`: not touched):
///
/// ```text
///          lane 0            lane 1            lane 2            lane 3
///  x[0]    ·····ttttttttttt  tttttttttttttttt  tttttttttttttttt  tttttttttttttttt  place..BYTES
///  x[1]    tttttttttttttttt  tttttttttttttttt  tttttttttttttttt  tttttttttttttttt  full, no mask
///  x[2]    tttttttttttttttt  ttttttttttt·····  ················  ················  the end
/// ```
///
/// The hash so far enters at lane 0 of the first register. If `place` is not 0, the first block began in an
/// earlier piece. Then the hash already has that beginning, multiplied by H, and enters at lane 1.
///
/// # Safety
/// The CPU has the features of `L`. `powers` and `src` are readable and `dst` is writable for the bytes,
/// equal or disjoint. `place` is 0; or registers have masks, the bytes end after the first block, and
/// `place + n` is less than a turn.
#[inline(always)]
unsafe fn transform_piece<L: Lanes>(
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
        let (mut hashed, mut left) = (src, place + n);
        // 1. Full turns. Encryption is one turn ahead of the hash, from the first lap to the last. With masks
        //    the last turn is hashed while the rest is enciphered. Without masks, or without a rest, it is
        //    hashed at once.
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
            (sum, src, dst, left, hashed) =
                transform_turns(mode, powers, sum, src, dst, left, hashed);
            if ahead && (left == 0 || !L::MASKS) {
                sum = hash_turn::<L>(powers, sum, hashed);
            }
            if left == 0 {
                return sum;
            }
        }
        // 2. The rest, if there are no masks.
        if !L::MASKS {
            return transform_rest(mode, powers, sum, src, dst, left, encrypt);
        }
        // 3. The rest in one more turn. First its keystream, without the last round.
        let x;
        if ahead {
            (sum, x) = encipher_and_hash_turn(mode, powers, sum, hashed);
        } else {
            x = encipher_rest(mode, left);
        }
        let last = mode.keys.last::<L>();
        // Less than a turn, so the sum cannot overflow; `div_ceil` would have to provide for that.
        let first = powers_from(powers, (left + 15) >> 4);
        let y = L::place(sum, usize::from(place > 0));
        let mut product = Product::<L>::zero();
        // 4. The first register.
        let within = (place, left.min(L::BYTES));
        let hashed = transform_between(x[0], last, src, dst, within, encrypt);
        product.add_at(hashed.swap_bytes().xor(y), first, 0);
        // 5. Full registers.
        let (x, full) = 'full: {
            unrolled!(I in 1 2 3 4 5 6 {
                let at = I * L::BYTES;
                if left < at + L::BYTES {
                    break 'full (x[I], I);
                }
                let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
                let hashed = transform_register(x[I], last, src, dst, encrypt);
                product.add_at(hashed.swap_bytes(), first, I);
            });
            (x[7], 7)
        };
        // 6. The end.
        let at = full * L::BYTES;
        if left > at {
            let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
            let hashed = transform_between(x, last, src, dst, (0, left - at), encrypt);
            product.add_at(hashed.swap_bytes(), first, full);
        }
        product.reduce()
    }
}

/// The laps of the bulk loop: hashes at `hashed` and transforms at `src`, turn by turn, until less than a
/// turn is left. Returns the hash, and where `hashed`, `src`, `dst` and `left` are then.
///
/// # Safety
/// As [`transform_piece`]; `hashed` is `src` itself, or the output of the turn before.
#[inline(always)]
unsafe fn transform_turns<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    mut sum: Xmm,
    mut src: *const u8,
    mut dst: *mut u8,
    mut left: usize,
    mut hashed: *const u8,
) -> (Xmm, *const u8, *mut u8, usize, *const u8) {
    let turn = TURN * L::BYTES;
    // SAFETY: the caller's promise; there is a turn.
    unsafe {
        while left >= turn {
            let x: [L; TURN];
            (sum, x) = encipher_and_hash_turn(mode, powers, sum, hashed);
            xor_into(mode.keys, &x, src, dst);
            hashed = hashed.add(turn);
            src = src.add(turn);
            dst = dst.add(turn);
            left -= turn;
        }
    }
    (sum, src, dst, left, hashed)
}

/// The rest of a piece without masks: the end first, then the full registers. The end is hashed from its
/// register, because it is slow to read again what was stored in parts.
///
/// # Safety
/// As [`transform_piece`], for `left` bytes: less than a turn, and at least one.
#[inline(always)]
unsafe fn transform_rest<L: Lanes>(
    mode: &mut Ctr<L>,
    powers: *const Powers,
    mut sum: Xmm,
    src: *const u8,
    dst: *mut u8,
    left: usize,
    encrypt: bool,
) -> Xmm {
    // SAFETY: the caller's promise; the steps together cover the bytes.
    unsafe {
        let full = left & !(L::BYTES - 1);
        let (end_len, end) = (left - full, dst.add(full));
        let text = L::load_before::<false>(src.add(full), end_len);
        if !encrypt {
            sum = hash_rest(powers, sum, src, left, text);
        }
        let mut out = text;
        if end_len > 0 {
            out = mode.encrypt(full / 16, text);
            out.store_before::<false>(end, end_len);
        }
        mode.walk_few(src, dst, full);
        if encrypt {
            sum = hash_rest(powers, sum, dst, left, out.keep_before::<false>(end_len));
        }
        sum
    }
}

/// Registers of keystream for a rest of `left` bytes, which lack only the last round. Only those of a short
/// turn, if they are enough.
///
/// # Safety
/// The CPU has the features of `L`.
#[inline(always)]
unsafe fn encipher_rest<L: Lanes>(mode: &mut Ctr<L>, left: usize) -> [L; TURN] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = mode.counter.take::<TURN>();
        match x.first_chunk_mut::<SHORT_TURN>() {
            Some(short) if left <= SHORT_TURN * L::BYTES => mode.keys.all_but_last(short),
            _ => mode.keys.all_but_last(&mut x),
        }
        x
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
        let text = L::zero().load_between(src, start, stop);
        let out = x.last_round::<true>(last.xor(text)).store_between(dst, start, stop);
        ciphertext(text, out, encrypt)
    }
}

/// Selects the ciphertext, which is hashed. Pinned, so that this is a branch: a decryption does not wait for
/// its output.
#[inline(always)]
fn ciphertext<L: Lanes>(text: L, out: L, encrypt: bool) -> L {
    if encrypt { out.pin() } else { text.pin() }
}

/// A whole text and its tag, in tables with more than one block in a register. `bulk` is the table's kernel
/// for a part of a text. It multiplies `y`, and takes everything except the end.
///
/// # Safety
/// The contract of the entry points.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "as the entry points")]
pub(crate) unsafe fn transform_whole<L: Lanes, const ENCRYPT: bool>(
    schedule: *const Schedule,
    powers: *const Powers,
    j0: *const CounterBlock,
    y: *mut Block,
    aad_len: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
    bulk: impl FnOnce(*mut CounterBlock, usize),
) {
    // The longest end. Lane 0 of its first register is not for text.
    let longest_end = 16 * (L::FINISH * L::BLOCKS - 1);
    // SAFETY: the caller's promise; the steps together cover `len` bytes.
    unsafe {
        let keys = RoundKeys::new(schedule);
        let lengths = length_block(aad_len, len as u64);
        let (j0, secret) = (&raw const (*j0).block, (*j0).secret);
        let mut before;
        let mut end = End { keys, powers, j0, before: j0, secret, lengths, src, dst, len };
        // `y` must still be multiplied, as the block before the text.
        let mut lane = 0;
        if len > longest_end {
            let mut bulk_len = len - len % (TURN * L::BYTES);
            bulk_len += (len - bulk_len).saturating_sub(longest_end).next_multiple_of(L::BYTES);
            let first = Xmm::load_halves(j0.cast()).swap_bytes();
            let mut ctr = CounterBlock { block: Block([0; 16]), secret };
            before = Block([0; 16]);
            first.count(1).swap_bytes().store((&raw mut ctr.block).cast());
            first.count(bulk_len as u32 / 16).swap_bytes().store((&raw mut before).cast());
            bulk(&raw mut ctr, bulk_len);
            // `y` is a hash.
            lane = 1;
            end.before = &raw const before;
            end.src = src.add(bulk_len);
            end.dst = dst.add(bulk_len);
            end.len = len - bulk_len;
        }
        let sum = Xmm::load_halves(y.cast()).swap_bytes();
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

/// The last bytes of a text, and the end of its message.
struct End {
    keys: RoundKeys<true>,
    powers: *const Powers,
    j0: *const Block,
    /// The counter block before the one of the first byte.
    before: *const Block,
    /// Whether the counter reveals H.
    secret: bool,
    /// The length block, as an integer.
    lengths: Xmm,
    src: *const u8,
    dst: *mut u8,
    len: usize,
}

impl End {
    /// [`finish`](Self::finish) for a whole text of at most one block. It uses registers of one block, which
    /// need no fold. Measured: 118 cycles, not 130 (Zen 5, `make bench`).
    ///
    /// # Safety
    /// The contract of the entry points.
    #[inline(always)]
    unsafe fn finish_block<L: Lanes, const ENCRYPT: bool>(&self, y: Xmm) -> Xmm {
        let &Self { keys, powers, j0, secret, lengths, src, dst, len, .. } = self;
        let blocks = len.div_ceil(16) + 2;
        // SAFETY: the caller's promise.
        unsafe {
            let mut x = Counter::<Xmm>::of_halves(j0, secret).take::<2>();
            keys.all_but_last(&mut x);
            let last = keys.last::<Xmm>();
            let text = L::load_before::<false>(src, len).first();
            let out = L::widen(x[1].last_round::<true>(last.xor(text)));
            out.store_before::<false>(dst, len);
            let hashed = if ENCRYPT { out.keep_before::<false>(len).first() } else { text };
            let mut sum = Product::<Xmm>::zero();
            sum.add(lengths, powers, 1);
            sum.add(y, powers, blocks);
            sum.add(hashed.swap_bytes(), powers, blocks - 1);
            sum.reduce().swap_bytes().xor(x[0].last_round::<true>(last))
        }
    }

    /// Transforms and hashes the bytes, and returns the tag. All `N` registers are in flight, there is one
    /// reduction, and only the output is in memory. The text begins at lane 1. Lane 0 makes E(K, J0): that
    /// takes a lane of the cipher, and leaves that lane free in the hash. A text of n = 9 blocks in registers
    /// of four, `N` = 3:
    ///
    /// ```text
    ///             x[0]                        x[1]                 x[2]
    ///  lane       0         1     2     3     0    1    2    3     0    1    2  3
    ///  counter    J0        c     c+1   c+2   c+3  c+4  c+5  c+6   c+7  c+8  -  -
    ///  cipher     E(K, J0)  B1    B2    B3    B4   B5   B6   B7    B8   B9   -  -
    ///  hash       y or 0    C1    C2    C3    C4   C5   C6   C7    C8   C9   0  0
    ///  times H^   n+2       n+1   n     n-1   ...                  3    2    -  -    lengths: 1
    /// ```
    ///
    /// `before` is the counter before c. It is J0 itself if there was no bulk. Then the caller gives `y` in
    /// lane 0, as a block that is not multiplied yet (the last one of the AAD). After a bulk `y` is the hash
    /// so far. Then the caller gives it in lane 1, where C1 is added to it.
    ///
    /// # Safety
    /// The contract of the entry points; the text and one more block end in register `N`.
    #[inline(always)]
    unsafe fn finish<L: Lanes, const N: usize, const ENCRYPT: bool>(&self, y: L) -> Xmm {
        let &Self { keys, powers, j0, before, secret, lengths, len, .. } = self;
        let (src, dst) = (self.src.wrapping_sub(16), self.dst.wrapping_sub(16));
        // SAFETY: the caller's promise; the first block of the first register is skipped.
        unsafe {
            let mut x = Counter::<L>::of_halves(before, secret).take::<N>();
            // Lane 0: J0 in place of `before`.
            x[0] = x[0]
                .xor(L::widen(Xmm::load_halves(before.cast()).xor(Xmm::load_halves(j0.cast()))));
            keys.all_but_last(&mut x);
            let last = keys.last::<L>();
            let mut mask = lengths;
            let mut sum = Product::<L>::zero();
            sum.add(L::widen(lengths), powers, 1);
            let first = powers_from(powers, len.div_ceil(16) + 2);
            unrolled!(I in 0 1 2 3 4 {
                if I < N {
                    let at = I * L::BYTES;
                    let stop = if I + 1 < N { L::BYTES } else { len + 16 - at };
                    let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
                    let (out, hashed) =
                        transform_before::<L, { I == 0 }, ENCRYPT>(x[I % N], last, src, dst, stop);
                    let mut hashed = hashed.swap_bytes();
                    if I == 0 {
                        mask = out.first();
                        hashed = hashed.xor(y);
                    }
                    sum.add_at(hashed, first, I);
                }
            });
            sum.reduce().swap_bytes().xor(mask)
        }
    }
}

/// The last round of a register, for its bytes before `stop`; if `SKIP`, without the first block. Returns the
/// output, and the bytes to hash.
///
/// # Safety
/// As [`Lanes::load_before`] and [`Lanes::store_before`].
#[inline(always)]
unsafe fn transform_before<L: Lanes, const SKIP: bool, const ENCRYPT: bool>(
    x: L,
    last: L,
    src: *const u8,
    dst: *mut u8,
    stop: usize,
) -> (L, L) {
    // SAFETY: the caller's promise.
    unsafe {
        let text = L::load_before::<SKIP>(src, stop);
        let out = x.last_round::<true>(last.xor(text));
        out.store_before::<SKIP>(dst, stop);
        (out, if ENCRYPT { out.keep_before::<SKIP>(stop) } else { text })
    }
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
