// SPDX-License-Identifier: MIT OR Apache-2.0
//! The 32-bit counter wraps, and each of its bytes carries, at every block of a text; the upper 96 bits
//! stay. The state between calls has one form, whichever table made it.

use kcfaes_kernels::{Block, Powers, Schedule};

use crate::reference::{self, Bytes, Cipher};
use crate::table::{BEFORE, Table, advanced, tables};

/// A key, and its powers by the widest table, which every other table can use.
fn keys(size: usize, bytes: &mut Bytes) -> (Vec<u8>, Schedule, Powers) {
    let key = bytes.take(size);
    let widest = &tables()[tables().len() - 1];
    let schedule = widest.schedule(&key);
    let powers = widest.powers(&schedule);
    (key, schedule, powers)
}

/// Runs every kernel that counts over a text whose first counter block is `start`.
fn count(
    table: &Table,
    (key, schedule, powers): &(Vec<u8>, Schedule, Powers),
    start: &Block,
    plain: &[u8],
    cipher: &[u8],
    hash: &Block,
) {
    let what = || format!("{}: {} bytes from {start:x?}", table.name, plain.len());
    let mut out = plain.to_vec();
    let (mut ctr, src, dst, len) = (*start, out.as_ptr(), out.as_mut_ptr(), out.len());
    unsafe { (table.ctr32)(schedule, &mut ctr, src, dst, len) };
    assert!(out == cipher, "{}", what());
    assert_eq!(ctr, advanced(start, len), "{}", what());

    let before = advanced(start, BEFORE);
    let sum = reference::ghash(&powers.h, hash, &reference::lengths(0, len).0);
    let tag = reference::ctr32(key, &before, &sum.0);
    for (encrypt, text, want) in [(true, plain, cipher), (false, cipher, plain)] {
        let (mut ctr, mut y) = (*start, Block::default());
        let mut out = text.to_vec();
        let at = (out.as_ptr(), out.as_mut_ptr(), len);
        table.part(encrypt, (schedule, powers), (&mut ctr, &mut y), at);
        assert!(out == want, "{}, encrypt: {encrypt}", what());
        assert_eq!((ctr, y), (advanced(start, len), *hash), "{}, encrypt: {encrypt}", what());

        let mut y = Block::default();
        out.copy_from_slice(text);
        let text = (out.as_ptr(), out.as_mut_ptr(), len);
        table.at_once(encrypt, (schedule, powers), &before, &mut y, 0, text);
        assert!(out == want, "{}, at once, encrypt: {encrypt}", what());
        assert_eq!(y.0[..], tag, "{}, at once, encrypt: {encrypt}", what());
    }
}

#[test]
fn every_start_before_the_wrap() {
    let mut bytes = Bytes(40);
    for size in crate::KEY_SIZES {
        let keys = keys(size, &mut bytes);
        let plain = bytes.take(64 * 16);
        for before in 0..=64_u32 {
            let mut start = bytes.block();
            start.0[12..].copy_from_slice(&0_u32.wrapping_sub(before).to_be_bytes());
            let cipher = reference::ctr32(&keys.0, &start, &plain);
            let mut hash = Block::default();
            for blocks in 1..=64 {
                let len = 16 * blocks;
                hash = reference::ghash(&keys.2.h, &hash, &cipher[len - 16..len]);
                // Every third text ends in a partial block.
                let len = if (blocks + before as usize).is_multiple_of(3) { len - 5 } else { len };
                let (plain, cipher) = (&plain[..len], &cipher[..len]);
                let hash = match len % 16 {
                    0 => hash,
                    _ => reference::ghash(&keys.2.h, &Block::default(), cipher),
                };
                for table in tables() {
                    count(table, &keys, &start, plain, cipher, &hash);
                }
            }
        }
    }
}

/// Three turns of the widest loop. The low byte and each other byte carry at every block.
#[test]
fn every_carry_in_a_long_text() {
    const BLOCKS: u32 = 3 * 12 * 4 + 21;
    let mut bytes = Bytes(41);
    let keys = keys(16, &mut bytes);
    let plain = bytes.take(16 * BLOCKS as usize + 7);
    for end in [0_u32, 0x0000_0100, 0x0001_0000, 0x0100_0000, 0xffff_ff00] {
        for before in 0..=BLOCKS + 1 {
            let mut start = bytes.block();
            start.0[12..].copy_from_slice(&end.wrapping_sub(before).to_be_bytes());
            let cipher = reference::ctr32(&keys.0, &start, &plain);
            let hash = reference::ghash(&keys.2.h, &Block::default(), &cipher);
            for table in tables() {
                count(table, &keys, &start, &plain, &cipher, &hash);
            }
        }
    }
}

/// A kernel over a text in place, with two blocks of state.
type OnState<'a> = &'a dyn Fn(&Table, &mut [Block; 2], *mut u8, usize);

/// A text in two calls gives the same as in one. The cut is anywhere between two blocks, and any two tables
/// take part.
#[test]
fn state_carries_over_calls_and_tables() {
    const LEN: usize = 16 * 75;
    let mut bytes = Bytes(42);
    let (key, schedule, powers) = keys(32, &mut bytes);
    let cipher = Cipher::new(&key);
    assert_eq!(powers.h, cipher.encrypt(&Block::default()));
    let plain = bytes.take(LEN);
    let (start, iv) = (bytes.block(), bytes.block());
    let ctr_want = reference::ctr32(&key, &start, &plain);
    let hash_want = reference::ghash(&powers.h, &iv, &ctr_want);
    let cbc_want = reference::cbc_encrypt(&key, &iv, &plain);
    for (one, other) in tables().iter().flat_map(|one| tables().iter().map(move |o| (one, o))) {
        for cut in (0..=LEN).step_by(16) {
            let in_two = |text: &[u8], state: [Block; 2], kernel: OnState<'_>| {
                let (mut out, mut state) = (text.to_vec(), state);
                let (first, second) = out.split_at_mut(cut);
                kernel(one, &mut state, first.as_mut_ptr(), first.len());
                kernel(other, &mut state, second.as_mut_ptr(), second.len());
                (out, state)
            };
            let what = format!("{} to {cut}, then {}", one.name, other.name);
            let end = [advanced(&start, LEN), hash_want];
            let sealed = in_two(&plain, [start, iv], &|table, [ctr, y], at, len| {
                table.part(true, (&schedule, &powers), (ctr, y), (at, at, len));
            });
            assert_eq!(sealed, (ctr_want.clone(), end), "{what}");
            let opened = in_two(&ctr_want, [start, iv], &|table, [ctr, y], at, len| {
                table.part(false, (&schedule, &powers), (ctr, y), (at, at, len));
            });
            assert_eq!(opened, (plain.clone(), end), "{what}");
            let (_, [_, y]) = in_two(&ctr_want, [start, iv], &|table, [_, y], at, len| unsafe {
                (table.ghash)(&powers, y, at, len)
            });
            assert_eq!(y, hash_want, "{what}");
            let (out, [ctr, _]) = in_two(&plain, [start, iv], &|table, [ctr, _], at, len| unsafe {
                (table.ctr32)(&schedule, ctr, at, at, len)
            });
            assert_eq!((out, ctr), (ctr_want.clone(), end[0]), "{what}");
            let (out, _) = in_two(&plain, [iv, iv], &|table, [chain, _], at, len| unsafe {
                (table.cbc_encrypt)(&schedule, chain, at, at, len / 16)
            });
            assert_eq!(out, cbc_want, "{what}");
            let (out, _) = in_two(&cbc_want, [iv, iv], &|table, [chain, _], at, len| unsafe {
                (table.cbc_decrypt)(&schedule, chain, at, at, len / 16)
            });
            assert_eq!(out, plain, "{what}");
        }
    }
}
