// SPDX-License-Identifier: MIT OR Apache-2.0
//! GHASH's multiplier. Every product of two basis vectors is tested, in every place of a register that a
//! text or a power can have. Linearity is tested too: it covers all other products.
//!
//! A kernel multiplies the blocks of a text by the operands in [`Powers`], so a test can put any operand
//! there. If every power is the same operand, the hash is the product of that operand and the sum of the
//! blocks.

use core::ops::RangeInclusive;

use kcfaes_kernels::{Block, POWERS, Piece, Powers, Schedule, Tag, mid_of};

use crate::reference::{self, Bytes};
use crate::table::{Table, advanced, counter, tables, unmultiply};

/// Registers that are hashed with one reduction. A longer text takes several reductions.
const TURN: usize = 8;

/// `operand` in the place of every power, in the form that the kernels need.
fn in_every_place(operand: u128) -> Powers {
    let mut powers = Powers { set: POWERS as u32, ..Powers::default() };
    let stored = stored(operand);
    for i in 0..POWERS {
        let (pair, half) = mid_of(i);
        powers.pow[i] = Block(stored.to_le_bytes());
        powers.mid[pair][half] = (stored >> 64) as u64 ^ stored as u64;
    }
    powers
}

/// `power` divided by x: the inverse of one step of SP 800-38D algorithm 1.
pub(crate) fn stored(power: u128) -> u128 {
    power << 1 ^ if power >> 127 == 1 { 0xc2 << 120 | 1 } else { 0 }
}

/// A basis vector x^i.
struct Operand {
    value: u128,
    powers: Powers,
    /// Its product with each x^j, bit by bit.
    products: Vec<u128>,
}

fn basis() -> Vec<Operand> {
    let vectors = (0..128).map(|i| 1_u128 << (127 - i));
    vectors
        .clone()
        .map(|value| Operand {
            value,
            powers: in_every_place(value),
            products: vectors.clone().map(|other| reference::product(value, other)).collect(),
        })
        .collect()
}

/// Calls `f` with the text in which block `place` has the coefficient x^j and all others are zero.
fn with_bit(text: &mut [u8], place: usize, j: usize, f: impl FnOnce(&mut [u8])) {
    text[16 * place + j / 8] ^= 0x80 >> (j % 8);
    f(text);
    text[16 * place + j / 8] ^= 0x80 >> (j % 8);
}

/// Hashes a text, starting from zero.
type Kernel<'a> = &'a dyn Fn(&Operand, &mut [u8]) -> u128;

/// Every product in each place of a text of `blocks` blocks. Without `all`, one product for each operand
/// and place.
fn every_product(what: &str, blocks: usize, all: bool, basis: &[Operand], hash: Kernel<'_>) {
    let mut text = vec![0; 16 * blocks];
    for (i, operand) in basis.iter().enumerate() {
        for place in 0..blocks {
            let some = (31 * i + 7 * blocks + place) % 128;
            for j in if all { 0..128 } else { some..some + 1 } {
                with_bit(&mut text, place, j, |text| {
                    let what = format_args!("{what}: x^{i} by x^{j}, block {place} of {blocks}");
                    assert_eq!(hash(operand, text), operand.products[j], "{what}");
                });
            }
        }
    }
}

struct Subject {
    schedule: Schedule,
    keystream: Vec<u8>,
    j0: Block,
    mask: u128,
}

impl Subject {
    fn new() -> Self {
        let mut bytes = Bytes(50);
        let (key, j0) = (bytes.take(16), bytes.block());
        let schedule = tables()[0].schedule(&key);
        let keystream = reference::ctr32(&key, &advanced(&j0, 1), &[0; 16 * (POWERS + 1)]);
        let mask = reference::ctr32(&key, &j0, &[0; 16]).try_into().expect("16 bytes");
        Self { schedule, keystream, j0, mask: u128::from_be_bytes(mask) }
    }

    /// What a tag adds to the hash: the length block's product and the mask.
    fn end(&self, operand: &Operand, len: usize) -> u128 {
        let lengths = u128::from_be_bytes(reference::lengths(0, len).0);
        self.mask ^ reference::product(lengths, operand.value)
    }

    /// Each way of hashing that a table has: its name, the numbers of blocks of a text, and the hash.
    fn each_way(&self, table: &Table, mut f: impl FnMut(&str, RangeInclusive<usize>, Kernel<'_>)) {
        let most = TURN * table.lanes;
        f(&format!("{}: ghash", table.name), 1..=most, &|operand, text| {
            let mut y = Block::default();
            unsafe { (table.ghash)(&operand.powers, &mut y, text.as_ptr(), text.len()) };
            u128::from_be_bytes(y.0)
        });
        // In both directions the ciphertext is hashed.
        let plain = |text: &[u8]| -> Vec<u8> {
            text.iter().zip(&self.keystream).map(|(text, key)| text ^ key).collect()
        };
        for encrypt in [true, false] {
            let name = format!("{}: parts, encrypt: {encrypt}", table.name);
            f(&name, 1..=most, &|operand, text| {
                let (mut ctr, mut y) = (advanced(&self.j0, 1), Block::default());
                let mut text = if encrypt { plain(text) } else { text.to_vec() };
                let text = (text.as_ptr(), text.as_mut_ptr(), text.len());
                let key = (&self.schedule, &operand.powers);
                table.part(encrypt, key, (&mut ctr, &mut y), text);
                u128::from_be_bytes(y.0)
            });
            // More than a turn is hashed turn by turn. The block that follows is zero, and multiplies the hash.
            let name = format!("{}: a turn, encrypt: {encrypt}", table.name);
            f(&name, most..=most, &|operand, text| {
                let (mut ctr, mut y) = (advanced(&self.j0, 1), Block::default());
                let mut text = [&*text, &[0; 16]].concat();
                if encrypt {
                    text = plain(&text);
                }
                let text = (text.as_ptr(), text.as_mut_ptr(), text.len());
                let key = (&self.schedule, &operand.powers);
                table.part(encrypt, key, (&mut ctr, &mut y), text);
                unmultiply(&Block(operand.value.to_be_bytes()), &mut y);
                u128::from_be_bytes(y.0)
            });
            let name = format!("{}: short, encrypt: {encrypt}", table.name);
            f(&name, 1..=table.short / 16, &|operand, text| {
                let mut y = Block::default();
                let mut text = if encrypt { plain(text) } else { text.to_vec() };
                let (src, dst, len) = (text.as_ptr(), text.as_mut_ptr(), text.len());
                let (keys, j0, kernel) = (&self.schedule, counter(&self.j0, len), table.gcm_short);
                unsafe { kernel(keys, &operand.powers, &j0, &mut y, 0, src, dst, len, encrypt) };
                u128::from_be_bytes(y.0) ^ self.end(operand, len)
            });
            // A turn and the length block are hashed with two reductions.
            let name = format!("{}: whole, encrypt: {encrypt}", table.name);
            let kernel = if encrypt { table.gcm_encrypt } else { table.gcm_decrypt };
            f(&name, 1..=most - 1, &|operand, text| {
                let mut y = Block::default();
                let mut text = if encrypt { plain(text) } else { text.to_vec() };
                let (src, dst, len) = (text.as_ptr(), text.as_mut_ptr(), text.len());
                let (keys, mut j0) = (&self.schedule, counter(&self.j0, len));
                let text = Piece { src, dst, len };
                let tag = Tag { j0: &self.j0, aad_len: 0, text_len: len as u64 };
                unsafe { kernel(keys, &operand.powers, &mut j0, &mut y, &text, len, true, &tag) };
                u128::from_be_bytes(y.0) ^ self.end(operand, len)
            });
        }
    }
}

/// All products of a turn, and some for every shorter text.
#[test]
fn basis_products() {
    let (subject, basis) = (Subject::new(), basis());
    for table in tables() {
        subject.each_way(table, |what, blocks, hash| {
            let (first, last) = (*blocks.start(), *blocks.end());
            for blocks in blocks {
                let all = blocks == first || blocks == last;
                every_product(what, blocks, all, &basis, hash);
            }
        });
    }
}

/// All products in each place, in texts of every number of blocks.
#[test]
#[ignore = "exhaustive"]
fn basis_products_full() {
    let (subject, basis) = (Subject::new(), basis());
    for table in tables() {
        subject.each_way(table, |what, blocks, hash| {
            for blocks in blocks {
                every_product(what, blocks, true, &basis, hash);
            }
        });
    }
}

/// The start value is one more operand that the first power multiplies.
#[test]
fn basis_products_of_the_start() {
    let basis = basis();
    for table in tables() {
        for blocks in [1, 2, table.lanes, table.lanes + 1, TURN * table.lanes] {
            let text = vec![0; 16 * blocks];
            for (i, Operand { powers, products, .. }) in basis.iter().enumerate() {
                for (j, &product) in products.iter().enumerate() {
                    let mut y = Block((1_u128 << (127 - j)).to_be_bytes());
                    unsafe { (table.ghash)(powers, &mut y, text.as_ptr(), text.len()) };
                    let got = u128::from_be_bytes(y.0);
                    assert_eq!(got, product, "{}: x^{i} by x^{j} of {blocks}", table.name);
                }
            }
        }
    }
}

/// The hash of a sum is the sum of the hashes, in each length that a loop can meet.
#[test]
fn linearity() {
    let mut bytes = Bytes(51);
    let subject = Subject::new();
    for table in tables() {
        let powers = table.powers(&subject.schedule);
        for len in (0..=1100).chain([4096, 65536]) {
            let hash = |start: &Block, text: &[u8]| {
                let mut y = *start;
                unsafe { (table.ghash)(&powers, &mut y, text.as_ptr(), text.len()) };
                u128::from_be_bytes(y.0)
            };
            let (one, other) = (bytes.take(len), bytes.take(len));
            let (y, z) = (bytes.block(), bytes.block());
            let sum: Vec<u8> = one.iter().zip(&other).map(|(a, b)| a ^ b).collect();
            let start = Block(core::array::from_fn(|i| y.0[i] ^ z.0[i]));
            let both = hash(&y, &one) ^ hash(&z, &other);
            assert_eq!(hash(&start, &sum), both, "{}: {len} bytes", table.name);
        }
    }
}
