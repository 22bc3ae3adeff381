// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES (FIPS 197), bitsliced: four blocks at once in eight 64-bit words.
//!
//! Bit i of byte (row r, column c) of the block in lane l is bit 16r + 4c + l of word i. So SubBytes is a
//! circuit over words, MixColumns rotates by multiples of 16, and ShiftRows permutes nibbles. No address,
//! branch or multiplication depends on data, so time does not either.
//!
//! Round keys stay in standard order and are sliced in the round that uses them. That takes 2 of the 11
//! cycles a byte of AES-128, and no key needs a second form. Decryption is the equivalent inverse cipher
//! (section 5.3.5).

use super::sbox::{State, inv_sub_bytes, sub_bytes};
use kcfaes_kernels::{Block, Schedule};

/// Bytes of the four blocks that are processed at once.
pub(super) const BATCH: usize = 64;

/// Encrypts four blocks.
#[inline(never)]
pub(super) fn encrypt(schedule: &Schedule, batch: &mut [u8; BATCH]) {
    let mut state = slice(batch);
    let [first, keys @ ..] = &schedule.enc;
    add_round_key(&mut state, first);
    for (round, key) in (1..=schedule.rounds).zip(keys) {
        sub_bytes(&mut state);
        shift_rows(&mut state);
        if round != schedule.rounds {
            mix_columns(&mut state);
        }
        add_round_key(&mut state, key);
    }
    *batch = unslice(state);
}

/// Decrypts four blocks.
#[inline(never)]
pub(super) fn decrypt(schedule: &Schedule, batch: &mut [u8; BATCH]) {
    let mut state = slice(batch);
    let [first, keys @ ..] = &schedule.dec;
    add_round_key(&mut state, first);
    for (round, key) in (1..=schedule.rounds).zip(keys) {
        inv_sub_bytes(&mut state);
        inv_shift_rows(&mut state);
        if round != schedule.rounds {
            inv_mix_columns(&mut state);
        }
        add_round_key(&mut state, key);
    }
    *batch = unslice(state);
}

/// Encrypts one block, which costs as much as four.
pub(super) fn encrypt_block(schedule: &Schedule, block: &mut [u8; 16]) {
    let mut batch = one_block(block);
    encrypt(schedule, &mut batch);
    *block = first_block(&batch);
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
    for ((i, dec), enc) in (0..).zip(&mut schedule.dec).zip(reversed) {
        *dec = *enc;
        if 0 < i && i < rounds {
            let mut state = slice(&one_block(&enc.0));
            inv_mix_columns(&mut state);
            dec.0 = first_block(&unslice(state));
        }
    }
}

/// SubWord, on the bytes of a word in either order.
#[inline(never)]
fn sub_word(word: u32) -> u32 {
    let mut state = slice(&one_block(&u128::from(word).to_le_bytes()));
    sub_bytes(&mut state);
    u128::from_le_bytes(first_block(&unslice(state))) as u32
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

/// Transposes an 8 by 8 matrix of bits in each of the eight byte columns of the words. Its own inverse.
#[inline(never)]
fn transpose(state: &mut State) {
    const M4: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const M2: u64 = 0x3333_3333_3333_3333;
    const M1: u64 = 0x5555_5555_5555_5555;
    for (distance, mask) in [(4, M4), (2, M2), (1, M1)] {
        for words in state.chunks_exact_mut((2 * distance).max(1)) {
            let (low, high) = words.split_at_mut_checked(distance).unwrap_or_default();
            for (low, high) in low.iter_mut().zip(high) {
                let differ = ((*low >> distance) ^ *high) & mask;
                *high ^= differ;
                *low ^= differ << distance;
            }
        }
    }
}

/// Four blocks to words. One word of a block takes columns 0 and 2, another columns 1 and 3, with the bytes
/// of a row next to each other. Then the lane and the low bit of the column, which select the word, trade
/// places with the bit number, which selects the bit.
#[inline(never)]
pub(super) fn slice(batch: &[u8; BATCH]) -> State {
    let mut state = State::default();
    let (even, odd) = state.split_at_mut(4);
    for ((block, even), odd) in batch.as_chunks().0.iter().zip(even).zip(odd) {
        let block = u128::from_le_bytes(*block);
        let (low, high) = (block as u64, (block >> 64) as u64);
        *even = rows_together((low & 0xffff_ffff) | (high << 32));
        *odd = rows_together((low >> 32) | (high & !0xffff_ffff));
    }
    transpose(&mut state);
    state
}

/// The inverse of [`slice()`].
#[inline(never)]
pub(super) fn unslice(mut state: State) -> [u8; BATCH] {
    let mut batch = [0; BATCH];
    transpose(&mut state);
    let (even, odd) = state.split_at(4);
    for ((block, even), odd) in batch.as_chunks_mut().0.iter_mut().zip(even).zip(odd) {
        let (even, odd) = (columns_together(*even), columns_together(*odd));
        let low = (even & 0xffff_ffff) | (odd << 32);
        let high = (even >> 32) | (odd & !0xffff_ffff);
        *block = (u128::from(low) | (u128::from(high) << 64)).to_le_bytes();
    }
    batch
}

/// Interleaves the bytes of two columns.
#[inline(always)]
fn rows_together(columns: u64) -> u64 {
    swap_bits(swap_bits(columns, 16, 0x0000_0000_ffff_0000), 8, 0x0000_ff00_0000_ff00)
}

/// The inverse of [`rows_together`].
#[inline(always)]
fn columns_together(rows: u64) -> u64 {
    swap_bits(swap_bits(rows, 8, 0x0000_ff00_0000_ff00), 16, 0x0000_0000_ffff_0000)
}

/// AddRoundKey with the same key for each lane.
#[inline(never)]
fn add_round_key(state: &mut State, key: &Block) {
    let mut batch = [0; BATCH];
    batch.as_chunks_mut().0.fill(key.0);
    for (word, key) in state.iter_mut().zip(slice(&batch)) {
        *word ^= key;
    }
}

/// Exchanges columns 0 and 1, and 2 and 3, of rows 1 and 3.
const PAIRS: (u32, u64) = (4, 0x0f0f_0000_0f0f_0000);
/// Exchanges columns 1 and 3 of row 1, both pairs two apart of row 2, columns 0 and 2 of row 3.
const HALVES: (u32, u64) = (8, 0x000f_00ff_00f0_0000);

/// ShiftRows: two exchanges rotate four columns by one, one exchange rotates them by two.
#[inline(always)]
fn shift_rows(state: &mut State) {
    for word in state {
        *word = swap_bits(swap_bits(*word, PAIRS.0, PAIRS.1), HALVES.0, HALVES.1);
    }
}

/// InvShiftRows.
#[inline(always)]
fn inv_shift_rows(state: &mut State) {
    for word in state {
        *word = swap_bits(swap_bits(*word, HALVES.0, HALVES.1), PAIRS.0, PAIRS.1);
    }
}

/// Each byte times x in GF(2^8) (FIPS 197 section 4.2, XTIMES).
#[inline(always)]
fn xtimes([b0, b1, b2, b3, b4, b5, b6, b7]: State) -> State {
    [b7, b0 ^ b7, b1, b2 ^ b7, b3 ^ b7, b4, b5, b6]
}

/// MixColumns: row r becomes x·(a_r + a_(r+1)) + a_(r+1) + (a_(r+2) + a_(r+3)).
#[inline(always)]
fn mix_columns(state: &mut State) {
    let sums = state.map(|word| word ^ word.rotate_right(16));
    for ((word, sum), double) in state.iter_mut().zip(sums).zip(xtimes(sums)) {
        *word = double ^ word.rotate_right(16) ^ sum.rotate_right(32);
    }
}

/// InvMixColumns: {0b}x^3+{0d}x^2+{09}x+{0e} is MixColumns' polynomial times {04}x^2+{05}. So x^2·(a_r +
/// a_(r+2)) is first added to row r.
#[inline(always)]
fn inv_mix_columns(state: &mut State) {
    let sums = state.map(|word| word ^ word.rotate_right(32));
    for (word, fourfold) in state.iter_mut().zip(xtimes(xtimes(sums))) {
        *word ^= fourfold;
    }
    mix_columns(state);
}
