// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key expansion (FIPS 197 sections 5.2 and 5.3.5) without tables: SubWord is a last round of the cipher on
//! four equal columns.

use crate::lanes::{Lanes, Xmm};
use crate::{Block, MAX_ROUNDS, Schedule};

/// Round constants x^(i-1) in the low byte of a word; the ninth is x^8 reduced.
#[inline(always)]
fn next_rcon(rcon: u32) -> u32 {
    if rcon == 0x80 { 0x1b } else { rcon << 1 }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn expand(schedule: *mut Schedule, key: *const u8, key_len: usize) {
    // SAFETY: the caller's promise; every block written lies in `enc` or `dec`.
    unsafe {
        let enc = (&raw mut (*schedule).enc).cast::<Block>();
        let dec = (&raw mut (*schedule).dec).cast::<Block>();
        let rounds = match key_len {
            16 => expand_128(enc, key),
            24 => expand_192(enc, key),
            _ => expand_256(enc, key),
        };
        (*schedule).rounds = rounds as u32;

        Xmm::broadcast(enc.add(rounds)).store(dec.cast());
        for i in 1..rounds {
            Xmm::broadcast(enc.add(rounds - i)).inv_mix_columns().store(dec.add(i).cast());
        }
        Xmm::broadcast(enc).store(dec.add(rounds).cast());
        for i in rounds + 1..=MAX_ROUNDS {
            Xmm::zero().store(enc.add(i).cast());
            Xmm::zero().store(dec.add(i).cast());
        }
    }
}

/// # Safety
/// The CPU has AES-NI; `enc` is writable for 11 blocks, `key` readable for 16 bytes.
#[inline(always)]
unsafe fn expand_128(enc: *mut Block, key: *const u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut words = Xmm::load(key);
        words.store(enc.cast());
        let mut rcon = 1;
        for i in 1..=10 {
            let sub = words.sub_word::<3, true>(Xmm::words(rcon));
            words = words.running_xor().xor(sub);
            words.store(enc.add(i).cast());
            rcon = next_rcon(rcon);
        }
        10
    }
}

/// Six words a lap: four in a register, and two in the low half of another. They are stored one after the
/// other, across the borders of the round keys.
///
/// # Safety
/// The CPU has AES-NI; `enc` is writable for 13 blocks, `key` readable for 24 bytes.
#[inline(always)]
unsafe fn expand_192(enc: *mut Block, key: *const u8) -> usize {
    // SAFETY: the caller's promise; 24·8 + 16 bytes are 13 blocks.
    unsafe {
        let mut four = Xmm::load(key);
        let mut two = Xmm::load_low_half(key.add(16));
        let mut out = enc.cast::<u8>();
        let mut rcon = 1;
        four.store(out);
        for _ in 0..8 {
            two.store_low_half(out.add(16));
            out = out.add(24);
            let sub = two.sub_word::<1, true>(Xmm::words(rcon));
            four = four.running_xor().xor(sub);
            four.store(out);
            two = two.running_xor().xor(four.last_word());
            rcon = next_rcon(rcon);
        }
        12
    }
}

/// # Safety
/// The CPU has AES-NI; `enc` is writable for 15 blocks, `key` readable for 32 bytes.
#[inline(always)]
unsafe fn expand_256(enc: *mut Block, key: *const u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut even = Xmm::load(key);
        let mut odd = Xmm::load(key.add(16));
        let mut rcon = 1;
        even.store(enc.cast());
        for i in 1..=7 {
            odd.store(enc.add(2 * i - 1).cast());
            let sub = odd.sub_word::<3, true>(Xmm::words(rcon));
            even = even.running_xor().xor(sub);
            even.store(enc.add(2 * i).cast());
            odd = odd.running_xor().xor(even.sub_word::<3, false>(Xmm::zero()));
            rcon <<= 1;
        }
        14
    }
}
