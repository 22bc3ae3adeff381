// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES (FIPS 197), bitsliced and fixsliced: four blocks at once in eight 64-bit words.
//!
//! Bit i of byte (row r, column c) of the block in lane l is bit 16r + 4c + l of word i. Each of the 16
//! nibbles of a word is one byte's place in the four blocks:
//!
//! ```text
//! bit 63        48 47        32 31        16 15         0
//!     row 3        row 2        row 1        row 0
//!     c3 c2 c1 c0  c3 c2 c1 c0  c3 c2 c1 c0  c3 c2 c1 c0     a nibble has lanes 3 2 1 0
//! ```
//!
//! So SubBytes is a circuit over words, and MixColumns rotates. No address, branch or multiplication depends
//! on data, so time does not either.
//!
//! ShiftRows is left out (Adomnicai and Peyrin, "Fixslicing AES-like ciphers", TCHES 2021). After round i,
//! i ShiftRows have yet to be done: the byte of row r and column c is at column c + i·r. Four ShiftRows
//! change nothing, so i counts modulo 4. The next byte of a column is one row and i columns further, and
//! MixColumns of round i rotates by that. Round key i is moved the same way. The last round's shift is done
//! on bytes.
//!
//! [`RoundKeys`] has the middle round keys in that form, with the S-box's constant added. They are made for
//! each call, because what is kept between calls belongs to no table. Decryption is the inverse cipher
//! (section 5.3), which takes the same round keys backwards.
//!
//! The rounds are a loop with one S-box, and branch on the round's number. Unrolled by four, decryption took
//! a tenth longer.

use super::sbox::{CONSTANT, State, inv_sub_bytes, sub_bytes};
use kcfaes_kernels::{MAX_ROUNDS, Schedule};

/// Bytes of the four blocks that are processed at once.
pub(super) const BATCH: usize = 64;

/// Four blocks, each as two little-endian words.
type Words = [[u64; 2]; 4];

/// Room for the middle round keys.
pub(super) type Middle = [State; MAX_ROUNDS - 1];

/// Round keys for the length of a call.
pub(super) struct RoundKeys<'a> {
    schedule: &'a Schedule,
    /// Round keys 1 to `rounds - 1` as the rounds add them.
    middle: &'a [State],
}

impl<'a> RoundKeys<'a> {
    /// Prepares the round keys of `schedule` in the caller's frame. Four are sliced at a time, each in the
    /// lane that its number has modulo 4. A key then takes all lanes.
    #[inline(never)]
    pub(super) fn new(schedule: &'a Schedule, room: &'a mut Middle) -> Self {
        let rounds = schedule.rounds as usize;
        let mut middle = room.iter_mut();
        for (first, keys) in (0..rounds).step_by(4).zip(schedule.enc.chunks(4)) {
            let mut words = Words::default();
            for (words, key) in words.iter_mut().zip(keys) {
                *words = halves(&key.0);
            }
            let mut state = slice(words);
            for word in &mut state {
                *word = swap_bits(*word, 4, LANES_PAIRS);
                *word = swap_bits(*word, 8, LANES_HALVES);
            }
            add_constant(&mut state);
            // Round key 0 is not one of the middle.
            for lane in u32::from(first == 0)..4 {
                let Some(key) = middle.next() else { break };
                for (key, word) in key.iter_mut().zip(state) {
                    *key = ((word >> lane) & EVERY_LANE_0) * 15;
                }
            }
        }
        let middle = room.get(..rounds.saturating_sub(1)).unwrap_or_default();
        Self { schedule, middle }
    }

    /// The first and the last round key. The last one also adds the last S-box's constant.
    #[inline(always)]
    fn outer(&self) -> ([u64; 2], [u64; 2]) {
        let [first, ..] = &self.schedule.enc;
        let last = self.schedule.enc.get(self.schedule.rounds as usize).unwrap_or(first);
        let last = halves(&last.0).map(|half| half ^ u64::from_ne_bytes([CONSTANT; 8]));
        (halves(&first.0), last)
    }

    /// Does the last round's ShiftRows, or undoes it. A key has 10, 12 or 14 rounds. So the shift is by two
    /// columns in rows 1 and 3, or by none.
    #[inline(always)]
    fn shift_last(&self, words: &mut Words) {
        let rows = if self.schedule.rounds % 4 == 2 { 0xff00_ff00_ff00_ff00 } else { 0 };
        for [low, high] in words {
            let differ = (*low ^ *high) & rows;
            *low ^= differ;
            *high ^= differ;
        }
    }

    /// Encrypts four blocks.
    #[inline(never)]
    pub(super) fn encrypt(&self, batch: &mut [u8; BATCH]) {
        let (first, last) = self.outer();
        let mut words = read(batch);
        add_block(&mut words, first);
        let mut state = slice(words);
        let mut keys = self.middle.iter().enumerate();
        loop {
            sub_bytes(&mut state);
            let Some((i, key)) = keys.next() else { break };
            match (i + 1) % 4 {
                0 => mix_columns(&mut state, 0),
                1 => mix_columns(&mut state, 1),
                2 => mix_columns(&mut state, 2),
                _ => mix_columns(&mut state, 3),
            }
            add_round_key(&mut state, key);
        }
        let mut words = unslice(state);
        self.shift_last(&mut words);
        add_block(&mut words, last);
        *batch = write(words);
    }

    /// Decrypts four blocks.
    #[inline(never)]
    pub(super) fn decrypt(&self, batch: &mut [u8; BATCH]) {
        let (first, last) = self.outer();
        let mut words = read(batch);
        add_block(&mut words, last);
        self.shift_last(&mut words);
        let mut state = slice(words);
        let mut keys = self.middle.iter().enumerate().rev();
        loop {
            inv_sub_bytes(&mut state);
            let Some((i, key)) = keys.next() else { break };
            add_round_key(&mut state, key);
            match (i + 1) % 4 {
                0 => inv_mix_columns(&mut state, 0),
                1 => inv_mix_columns(&mut state, 1),
                2 => inv_mix_columns(&mut state, 2),
                _ => inv_mix_columns(&mut state, 3),
            }
        }
        let mut words = unslice(state);
        add_block(&mut words, first);
        *batch = write(words);
    }

    /// Encrypts one block, which costs as much as four.
    pub(super) fn encrypt_block(&self, block: &mut [u8; 16]) {
        let mut batch = one_block(block);
        self.encrypt(&mut batch);
        *block = first_block(&batch);
    }
}

/// Key expansion (FIPS 197 section 5.2) and the round keys of the equivalent inverse cipher.
///
/// A window of the last Nk words is replaced in place. Each word is needed once more, for the word that comes
/// Nk words after it.
pub(super) fn key_expand(schedule: &mut Schedule, key: &[u8]) {
    *schedule = Schedule::default();
    let (nk, rounds) = match key.len() {
        16 => (4, 10),
        24 => (6, 12),
        _ => (8, 14),
    };
    schedule.rounds = rounds;

    let round_keys = schedule.enc.iter_mut().take(rounds as usize + 1);
    let mut words = round_keys.flat_map(|key| key.0.as_chunks_mut::<4>().0);
    let mut window = [0u32; 8];
    let mut last = 0;
    for ((old, bytes), word) in window.iter_mut().zip(key.as_chunks::<4>().0).zip(&mut words) {
        *word = *bytes;
        *old = u32::from_le_bytes(*bytes);
        last = *old;
    }
    let mut rcon = 1u8;
    'expansion: loop {
        for (i, old) in window.iter_mut().take(nk).enumerate() {
            let Some(word) = words.next() else { break 'expansion };
            if i == 0 {
                last = sub_word(last.rotate_right(8)) ^ u32::from(rcon);
                rcon = (rcon << 1) ^ ((rcon >> 7) * 0x1b);
            } else if nk == 8 && i == 4 {
                last = sub_word(last);
            }
            *old ^= last;
            last = *old;
            *word = last.to_le_bytes();
        }
    }

    let reversed = schedule.enc.iter().take(rounds as usize + 1).rev();
    for (dec, enc) in schedule.dec.iter_mut().zip(reversed) {
        *dec = *enc;
    }
    // Four keys at a time, as many as a state has blocks.
    let between = schedule.dec.get_mut(1..rounds as usize).unwrap_or_default();
    for keys in between.chunks_mut(4) {
        let mut batch = [0; BATCH];
        for (to, key) in batch.as_chunks_mut().0.iter_mut().zip(keys.iter()) {
            *to = key.0;
        }
        let mut state = slice(read(&batch));
        inv_mix_columns(&mut state, 0);
        batch = write(unslice(state));
        for (key, from) in keys.iter_mut().zip(batch.as_chunks().0) {
            key.0 = *from;
        }
    }
}

/// SubWord, on the bytes of a word in either order.
#[inline(never)]
fn sub_word(word: u32) -> u32 {
    let mut state = slice([[u64::from(word), 0], [0; 2], [0; 2], [0; 2]]);
    sub_bytes(&mut state);
    let [[word, _], ..] = unslice(state);
    word as u32 ^ u32::from_ne_bytes([CONSTANT; 4])
}

fn one_block(block: &[u8; 16]) -> [u8; BATCH] {
    let mut batch = [0; BATCH];
    batch.as_chunks_mut().0.iter_mut().take(1).for_each(|first| *first = *block);
    batch
}

fn first_block(batch: &[u8; BATCH]) -> [u8; 16] {
    let mut block = [0; 16];
    block.iter_mut().zip(batch).for_each(|(to, from)| *to = *from);
    block
}

/// Exchanges the bits of `word` under `mask` with those `shift` places above.
#[inline(always)]
fn swap_bits(word: u64, shift: u32, mask: u64) -> u64 {
    let differ = (word ^ (word >> shift)) & mask;
    word ^ differ ^ (differ << shift)
}

/// Exchanges the bits of `high` under `mask` with those of `low` that are `shift` places above.
#[inline(always)]
fn exchange(low: &mut u64, high: &mut u64, shift: u32, mask: u64) {
    let differ = ((*low >> shift) ^ *high) & mask;
    *high ^= differ;
    *low ^= differ << shift;
}

/// Transposes an 8 by 8 matrix of bits in each of the eight byte columns of the words. Its own inverse.
#[inline(always)]
fn transpose(state: &mut State) {
    const M4: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const M2: u64 = 0x3333_3333_3333_3333;
    const M1: u64 = 0x5555_5555_5555_5555;
    for (distance, mask) in [(4, M4), (2, M2), (1, M1)] {
        for words in state.chunks_exact_mut((2 * distance).max(1)) {
            let (low, high) = words.split_at_mut_checked(distance).unwrap_or_default();
            for (low, high) in low.iter_mut().zip(high) {
                exchange(low, high, distance as u32, mask);
            }
        }
    }
}

fn halves(block: &[u8; 16]) -> [u64; 2] {
    let block = u128::from_le_bytes(*block);
    [block as u64, (block >> 64) as u64]
}

#[inline(always)]
pub(super) fn read(batch: &[u8; BATCH]) -> Words {
    let mut words = Words::default();
    for (words, block) in words.iter_mut().zip(batch.as_chunks().0) {
        *words = halves(block);
    }
    words
}

#[inline(always)]
pub(super) fn write(words: Words) -> [u8; BATCH] {
    let mut batch = [0; BATCH];
    for ([low, high], block) in words.into_iter().zip(batch.as_chunks_mut().0) {
        *block = (u128::from(low) | (u128::from(high) << 64)).to_le_bytes();
    }
    batch
}

/// Adds a block to each of four.
#[inline(always)]
fn add_block(words: &mut Words, [low, high]: [u64; 2]) {
    for [to_low, to_high] in words {
        *to_low ^= low;
        *to_high ^= high;
    }
}

/// The exchanges between the two words of a block that bring the bytes of a row together:
///
/// | | bits of a byte's place in its word | the words differ in |
/// |---|---|---|
/// | before | low bit of the column, row | high bit of the column |
/// | after | row, high bit of the column | low bit of the column |
const ROWS: [(u32, u64); 3] =
    [(8, 0x00ff_00ff_00ff_00ff), (16, 0x0000_ffff_0000_ffff), (32, 0x0000_0000_ffff_ffff)];

/// Four blocks to words: columns 0 and 2 of a block come to one word, columns 1 and 3 to another. Then the
/// lane and the low bit of the column, which select the word, trade places with the bit number, which selects
/// the bit. Never inlined, nor are its inverse and `sub_bytes`: their copies were 2.6 KB of the kernel object.
#[inline(never)]
pub(super) fn slice(mut words: Words) -> State {
    for [low, high] in &mut words {
        for (shift, mask) in ROWS {
            exchange(low, high, shift, mask);
        }
    }
    let [[a0, b0], [a1, b1], [a2, b2], [a3, b3]] = words;
    let mut state = [a0, a1, a2, a3, b0, b1, b2, b3];
    transpose(&mut state);
    state
}

/// The inverse of [`slice()`].
#[inline(never)]
pub(super) fn unslice(mut state: State) -> Words {
    transpose(&mut state);
    let [a0, a1, a2, a3, b0, b1, b2, b3] = state;
    let mut words = [[a0, b0], [a1, b1], [a2, b2], [a3, b3]];
    for [low, high] in &mut words {
        for (shift, mask) in ROWS.into_iter().rev() {
            exchange(low, high, shift, mask);
        }
    }
    words
}

/// AddRoundKey.
#[inline(always)]
fn add_round_key(state: &mut State, key: &State) {
    for (word, key) in state.iter_mut().zip(key) {
        *word ^= key;
    }
}

/// Adds the S-box's constant to each byte.
#[inline(always)]
fn add_constant(state: &mut State) {
    for (bit, word) in state.iter_mut().enumerate() {
        *word ^= (u64::from(CONSTANT) >> bit & 1).wrapping_neg();
    }
}

/// Lane 0 of each byte.
const EVERY_LANE_0: u64 = 0x1111_1111_1111_1111;

/// Two exchanges move what lane l has in row r by l·r columns, from column c to c + l·r. The first exchanges
/// columns 0 and 1, and 2 and 3, of rows 1 and 3 in lanes 1 and 3.
const LANES_PAIRS: u64 = 0x0a0a_0000_0a0a_0000;
/// The second exchanges columns that are two apart:
///
/// | row | columns 0 and 2 in lanes | columns 1 and 3 in lanes |
/// |---|---|---|
/// | 1 | 1, 2 | 2, 3 |
/// | 2 | 1, 3 | 1, 3 |
/// | 3 | 2, 3 | 1, 2 |
const LANES_HALVES: u64 = 0x006c_00aa_00c6_0000;

/// For each byte the next one of its column, where `shifts` ShiftRows have yet to be done: one row and
/// `shifts` columns further.
#[inline(always)]
fn next(word: u64, shifts: u32) -> u64 {
    if shifts == 0 {
        return word.rotate_right(16);
    }
    // The first columns wrap around to the last of the same row, not to those of the row before.
    let last = ((0xffff << (4 * shifts)) & 0xffff) * 0x0001_0001_0001_0001;
    (word & last).rotate_right(16 + 4 * shifts) | (word & !last).rotate_right(4 * shifts)
}

/// Adds to each byte the opposite one of its column: two rows and 2·`shifts` columns further. Both get the
/// same sum. Where they are two columns apart, it is computed in columns 0 and 1, and copied to the others.
#[inline(always)]
fn add_opposite(word: u64, shifts: u32) -> u64 {
    if shifts.is_multiple_of(2) {
        return word ^ word.rotate_right(32);
    }
    let sum = (word ^ word.rotate_right(32 + 8)) & 0x00ff_00ff_00ff_00ff;
    sum | sum.rotate_right(32 - 8)
}

/// MixColumns where `shifts` ShiftRows have yet to be done. With s_r = a_r + a_(r+1), row r becomes
/// a_r + x·s_r + s_r + s_(r+2). It goes bit by bit, so that few words are needed at a time.
#[inline(always)]
fn mix_columns(state: &mut State, shifts: u32) {
    let sum = |a| a ^ next(a, shifts);
    let [a0, a1, a2, a3, a4, a5, a6, a7] = *state;
    let s7 = sum(a7);
    let s0 = sum(a0);
    let b0 = a0 ^ s7 ^ add_opposite(s0, shifts);
    let s1 = sum(a1);
    let b1 = a1 ^ s0 ^ s7 ^ add_opposite(s1, shifts);
    let s2 = sum(a2);
    let b2 = a2 ^ s1 ^ add_opposite(s2, shifts);
    let s3 = sum(a3);
    let b3 = a3 ^ s2 ^ s7 ^ add_opposite(s3, shifts);
    let s4 = sum(a4);
    let b4 = a4 ^ s3 ^ s7 ^ add_opposite(s4, shifts);
    let s5 = sum(a5);
    let b5 = a5 ^ s4 ^ add_opposite(s5, shifts);
    let s6 = sum(a6);
    let b6 = a6 ^ s5 ^ add_opposite(s6, shifts);
    let b7 = a7 ^ s6 ^ add_opposite(s7, shifts);
    *state = [b0, b1, b2, b3, b4, b5, b6, b7];
}

/// InvMixColumns where `shifts` ShiftRows have yet to be done. With s_r = a_r + a_(r+1), g_r = a_r + x·s_r
/// and e_r = s_r + x^2·g_r, row r becomes g_r + e_r + e_(r+2).
#[inline(always)]
fn inv_mix_columns(state: &mut State, shifts: u32) {
    let sum = |a| a ^ next(a, shifts);
    let [a0, a1, a2, a3, a4, a5, a6, a7] = *state;
    let s5 = sum(a5);
    let g6 = a6 ^ s5;
    let s6 = sum(a6);
    let g7 = a7 ^ s6;
    let s7 = sum(a7);
    let g67 = g6 ^ g7;

    let s0 = sum(a0);
    let g0 = a0 ^ s7;
    let b0 = g0 ^ add_opposite(s0 ^ g6, shifts);
    let s1 = sum(a1);
    let g1 = a1 ^ s0 ^ s7;
    let b1 = g1 ^ add_opposite(s1 ^ g67, shifts);
    let s2 = sum(a2);
    let g2 = a2 ^ s1;
    let b2 = g2 ^ add_opposite(s2 ^ g0 ^ g7, shifts);
    let s3 = sum(a3);
    let g3 = a3 ^ s2 ^ s7;
    let b3 = g3 ^ add_opposite(s3 ^ g1 ^ g6, shifts);
    let s4 = sum(a4);
    let g4 = a4 ^ s3 ^ s7;
    let b4 = g4 ^ add_opposite(s4 ^ g2 ^ g67, shifts);
    let g5 = a5 ^ s4;
    let b5 = g5 ^ add_opposite(s5 ^ g3 ^ g7, shifts);
    let b6 = g6 ^ add_opposite(s6 ^ g4, shifts);
    let b7 = g7 ^ add_opposite(s7 ^ g5, shifts);
    *state = [b0, b1, b2, b3, b4, b5, b6, b7];
}
