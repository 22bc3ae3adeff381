// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every length and every alignment of a text, and every length of additional data and of an IV; in place
//! and apart, with no accessible byte around the text; in every table and key size.
//!
//! Both libraries computed the expected output once, for the longest text. The output of a shorter text is
//! the beginning of it.

use kcfaes_kernels::{Block, CHAINS, ChainKeys, Chains, MAX_ROUNDS, Powers, Schedule};

use crate::KEY_SIZES;
use crate::memory::{At, Guarded, Memory};
use crate::reference::{self, Bytes, Cipher};
use crate::table::{BEFORE, Table, advanced, tables};

/// Every length up to this is tested, and the lengths around the powers of two up to 64 KiB. It is more
/// than one turn of every loop that such a text reaches.
const SHORT: usize = 1100;
const LONGEST: usize = (64 << 10) + 31;

fn lengths() -> impl Iterator<Item = usize> {
    let edges = (11..=16).flat_map(|bit| {
        [-33, -17, -16, -15, -1, 0, 1, 15, 16, 17, 31].map(|d: isize| (1 << bit) + d as usize)
    });
    // GCM's laps of two turns, and each number of registers after them.
    let bulk = (0..=24).flat_map(|n| [0, 1, 16].map(|d| 4 * 1024 + 64 * n + d));
    (0..=SHORT).chain(edges.map(|len| len & 0x1_ffff)).chain(bulk)
}

fn blocks() -> impl Iterator<Item = usize> {
    lengths().filter(|len| len % 16 == 0)
}

/// A key with the longest text and its expected outputs.
struct Subject {
    key: Vec<u8>,
    start: Block,
    plain: Vec<u8>,
    ecb: Vec<u8>,
    cbc: Vec<u8>,
    ctr: Vec<u8>,
    h: Block,
    /// The hash of the first n blocks of `ctr`, for each n, starting from `start`.
    hashes: Vec<Block>,
    schedule: Schedule,
}

impl Subject {
    fn new(size: usize) -> Self {
        let mut bytes = Bytes(size as u64);
        let (key, start) = (bytes.take(size), bytes.block());
        let plain = bytes.take(LONGEST);
        let cipher = Cipher::new(&key);
        let whole = &plain[..LONGEST & !15];
        let ecb = cipher.ecb(whole, true);
        assert_eq!(cipher.ecb(&ecb, false), whole);
        let cbc = reference::cbc_encrypt(&key, &start, whole);
        let ctr = reference::ctr32(&key, &start, &plain);
        let h = cipher.encrypt(&Block::default());
        let mut hashes = vec![start];
        for block in ctr.as_chunks::<16>().0 {
            let before = hashes[hashes.len() - 1];
            hashes.push(reference::ghash(&h, &before, block));
        }
        assert_eq!(
            reference::ghash_by_crate(&h, &start, &ctr[..LONGEST & !15]),
            hashes[LONGEST / 16]
        );
        let schedule = tables()[0].schedule(&key);
        Self { key, start, plain, ecb, cbc, ctr, h, hashes, schedule }
    }

    /// The hash of the first `len` bytes of ciphertext.
    fn hash(&self, len: usize) -> Block {
        let (whole, rest) = self.ctr[..len].split_at(len & !15);
        reference::ghash(&self.h, &self.hashes[whole.len() / 16], rest)
    }
}

/// Runs `test` for every key size and table.
fn each(test: impl Fn(&Subject, &Table, &Powers, &mut Memory)) {
    let mut memory = Memory::new();
    for size in KEY_SIZES {
        let subject = Subject::new(size);
        for table in tables() {
            test(&subject, table, &table.powers(&subject.schedule), &mut memory);
        }
    }
}

#[test]
fn ecb() {
    each(|s, table, _, memory| {
        for len in blocks() {
            let (plain, cipher) = (&s.plain[..len], &s.ecb[..len]);
            memory.everywhere((plain, cipher), |src, dst, len| unsafe {
                (table.ecb_encrypt)(&s.schedule, src, dst, len / 16)
            });
            memory.everywhere((cipher, plain), |src, dst, len| unsafe {
                (table.ecb_decrypt)(&s.schedule, src, dst, len / 16)
            });
        }
    });
}

#[test]
fn cbc() {
    each(|s, table, _, memory| {
        for len in blocks() {
            let (plain, cipher) = (&s.plain[..len], &s.cbc[..len]);
            let last = cipher.last_chunk::<16>().map_or(s.start, |block| Block(*block));
            for (kernel, texts) in
                [(table.cbc_encrypt, (plain, cipher)), (table.cbc_decrypt, (cipher, plain))]
            {
                memory.everywhere(texts, |src, dst, len| {
                    let mut iv = s.start;
                    unsafe { kernel(&s.schedule, &mut iv, src, dst, len / 16) };
                    assert_eq!(iv, last, "{}: the IV after {len} bytes", table.name);
                });
            }
        }
    });
}

/// Many chains at once. Each has its own text and, by turns, its own key; in place and apart, at both guard
/// pages.
#[test]
fn cbc_batch() {
    const LEN: usize = 16 * 21;
    let mut bytes = Bytes(90);
    for (size, own) in KEY_SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
        for table in tables() {
            for blocks in 0..=LEN / 16 {
                let len = 16 * blocks;
                let shared = bytes.take(size);
                let mut keys: ChainKeys = [[Block::default(); CHAINS]; MAX_ROUNDS + 1];
                let mut chains = Chains {
                    iv: core::array::from_fn(|_| bytes.block()),
                    src: [core::ptr::null(); CHAINS],
                    dst: [core::ptr::null_mut(); CHAINS],
                    line: core::mem::MaybeUninit::uninit(),
                };
                let mut memory: Vec<(Guarded, Guarded)> =
                    (0..table.chains).map(|_| (Guarded::new(), Guarded::new())).collect();
                let mut wants = Vec::new();
                for (i, (src, dst)) in memory.iter_mut().enumerate() {
                    let key = if own { bytes.take(size) } else { shared.clone() };
                    let text = bytes.take(len);
                    for (row, round) in keys.iter_mut().zip(&table.schedule(&key).enc) {
                        row[i] = *round;
                    }
                    wants.push(reference::cbc_encrypt(&key, &chains.iv[i], &text));
                    let at = if i % 2 == 0 { At::End } else { At::Start };
                    let from = src.put(at, &text);
                    let apart = (i + blocks) % 3 != 0;
                    chains.src[i] = from;
                    chains.dst[i] = if apart { dst.put(at, &vec![0; len]) } else { from };
                }
                let starts = chains.iv;
                let schedule = table.schedule(&shared);
                let own = if own { &raw const keys } else { core::ptr::null() };
                unsafe { (table.cbc_encrypt_batch)(&schedule, own, &mut chains, blocks) };
                for (i, (src, dst)) in memory.iter_mut().enumerate() {
                    let at = if i % 2 == 0 { At::End } else { At::Start };
                    let out = if (i + blocks) % 3 != 0 { dst } else { src };
                    let what = format!("{}: chain {i} of {blocks} blocks", table.name);
                    assert!(out.text(at, len) == wants[i], "{what}");
                    let last = wants[i].last_chunk::<16>().map_or(starts[i], |last| Block(*last));
                    assert_eq!(chains.iv[i], last, "{what}");
                }
                assert_eq!(chains.iv[table.chains..], starts[table.chains..]);
            }
        }
    }
}

#[test]
fn ctr() {
    each(|s, table, _, memory| {
        for len in lengths() {
            memory.everywhere((&s.plain[..len], &s.ctr[..len]), |src, dst, len| {
                let mut ctr = s.start;
                unsafe { (table.ctr32)(&s.schedule, &mut ctr, src, dst, len) };
                assert_eq!(ctr, advanced(&s.start, len), "{}: {len} bytes", table.name);
            });
        }
    });
}

#[test]
fn ghash() {
    each(|s, table, powers, memory| {
        for len in lengths() {
            let (text, hash) = (&s.ctr[..len], s.hash(len));
            memory.everywhere((text, text), |src, dst, len| {
                let mut y = s.start;
                unsafe { (table.ghash)(powers, &mut y, src, len) };
                assert_eq!(y, hash, "{}: {len} bytes", table.name);
                // GHASH writes no output. The copy is for the comparison of outputs.
                unsafe { src.copy_to(dst, len) };
            });
        }
    });
}

/// Parts of messages: text, hash and counter.
#[test]
fn gcm_parts() {
    each(|s, table, powers, memory| {
        for len in lengths() {
            let (plain, cipher, hash) = (&s.plain[..len], &s.ctr[..len], s.hash(len));
            for (encrypt, texts) in [(true, (plain, cipher)), (false, (cipher, plain))] {
                memory.everywhere(texts, |src, dst, len| {
                    let (mut ctr, mut y) = (s.start, s.start);
                    let (state, text) = ((&mut ctr, &mut y), (src, dst, len));
                    table.part(encrypt, (&s.schedule, powers), state, text);
                    assert_eq!(y, hash, "{}: {len} bytes", table.name);
                    assert_eq!(ctr, advanced(&s.start, len), "{}: {len} bytes", table.name);
                });
            }
        }
    });
}

/// Whole messages after some additional data: text and tag, at once and in parts. The expected output comes
/// from whole implementations of GCM.
#[test]
fn gcm_messages() {
    let mut memory = Memory::new();
    for size in KEY_SIZES {
        let mut bytes = Bytes(70 + size as u64);
        let (key, iv, aad) = (bytes.take(size), bytes.take(12), bytes.take(33));
        let plain = bytes.take(LONGEST);
        let schedule = tables()[0].schedule(&key);
        let h = Cipher::new(&key).encrypt(&Block::default());
        let j0 = reference::j0(&h, &iv);
        let hash = reference::ghash(&h, &Block::default(), &aad);
        for len in lengths() {
            let plain = &plain[..len];
            let (cipher, tag) = reference::gcm(&key, &iv, &aad, plain);
            for table in tables() {
                let powers = table.powers(&schedule);
                let keys = (&schedule, &powers);
                for (encrypt, texts) in [(true, (plain, &cipher[..])), (false, (&cipher, plain))] {
                    memory.everywhere(texts, |src, dst, len| {
                        let mut y = hash;
                        let text = (src, dst, len);
                        table.at_once(encrypt, keys, &j0, &mut y, aad.len(), text);
                        assert_eq!(y, tag, "{}: {len} bytes", table.name);
                    });
                    memory.run((At::End, None), texts, |src, dst, len| {
                        let mut y = hash;
                        let text = (src, dst, len);
                        table.in_parts(encrypt, keys, &j0, &mut y, aad.len(), text);
                        assert_eq!(y, tag, "{}: {len} bytes in parts", table.name);
                    });
                }
            }
        }
    }
}

/// Additional data of every length up to 300, IVs of every length from 1 to 300, and some pairs of both.
#[test]
fn gcm_additional_data_and_ivs() {
    let mut bytes = Bytes(80);
    let (long_aad, long_iv, long_text) = (bytes.take(300), bytes.take(300), bytes.take(400));
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let schedule = tables()[0].schedule(&key);
        let cipher = Cipher::new(&key);
        let h = cipher.encrypt(&Block::default());
        for n in 0..=300 {
            for (aad_len, iv_len) in [(n, 12), (20, n.max(1)), (n, 301 - n.max(1)), (n, 16)] {
                let (aad, iv) = (&long_aad[..aad_len], &long_iv[..iv_len]);
                let plain = &long_text[..(37 * n + aad_len) % 400];
                let j0 = reference::j0(&h, iv);
                let out = reference::ctr32(&key, &advanced(&j0, 1), plain);
                let hash = reference::ghash(&h, &Block::default(), aad);
                let both = reference::ghash(&h, &hash, &out);
                let sum = reference::ghash(&h, &both, &reference::lengths(aad_len, plain.len()).0);
                let mask = cipher.encrypt(&j0);
                let tag = Block(core::array::from_fn(|i| sum.0[i] ^ mask.0[i]));
                if matches!(iv_len, 12 | 16) {
                    assert_eq!((out.clone(), tag), reference::gcm(&key, iv, aad, plain));
                }
                for table in tables() {
                    let powers = table.powers(&schedule);
                    let absorb = |y: &mut Block, bytes: &[u8]| unsafe {
                        (table.ghash)(&powers, y, bytes.as_ptr(), bytes.len())
                    };
                    let what = format!("{}: AAD {aad_len}, IV {iv_len}", table.name);
                    if iv_len != 12 {
                        let mut y = Block::default();
                        absorb(&mut y, iv);
                        absorb(&mut y, &reference::lengths(0, iv_len).0);
                        assert_eq!(y, j0, "{what}: J0");
                    }
                    for (encrypt, text, want) in [(true, plain, &out[..]), (false, &out, plain)] {
                        let mut y = Block::default();
                        absorb(&mut y, aad);
                        assert_eq!(y, hash, "{what}");
                        let mut got = text.to_vec();
                        let text = (got.as_ptr(), got.as_mut_ptr(), got.len());
                        table.at_once(encrypt, (&schedule, &powers), &j0, &mut y, aad_len, text);
                        assert_eq!((&got[..], y), (want, tag), "{what}");
                    }
                }
            }
        }
    }
}

/// All offsets from a multiple of 64: of the source, of the destination, of both, and in place.
#[test]
fn every_alignment() {
    const LENGTHS: [usize; 24] = [
        1, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 80, 100, 128, 161, 240, 256, 304, 305, 511,
        512, 800, 1040,
    ];
    each(|s, table, powers, memory| {
        for len in LENGTHS {
            let whole = len & !15;
            let hash = s.hash(len);
            let before = advanced(&s.start, BEFORE);
            assert_eq!(advanced(&before, 1), s.start);
            let tag = reference::ghash(&s.h, &hash, &reference::lengths(0, len).0);
            let tag = reference::ctr32(&s.key, &before, &tag.0);
            for offset in 0..64 {
                let here = At::Offset(offset);
                for places in [
                    (here, Some(At::Offset(0))),
                    (At::Offset(0), Some(here)),
                    (here, Some(At::Offset((5 * offset + len) % 64))),
                    (here, None),
                ] {
                    let (plain, ecb, cbc) = (&s.plain[..whole], &s.ecb[..whole], &s.cbc[..whole]);
                    memory.run(places, (plain, ecb), |src, dst, len| unsafe {
                        (table.ecb_encrypt)(&s.schedule, src, dst, len / 16)
                    });
                    memory.run(places, (ecb, plain), |src, dst, len| unsafe {
                        (table.ecb_decrypt)(&s.schedule, src, dst, len / 16)
                    });
                    memory.run(places, (plain, cbc), |src, dst, len| unsafe {
                        (table.cbc_encrypt)(&s.schedule, &mut s.start.clone(), src, dst, len / 16)
                    });
                    memory.run(places, (cbc, plain), |src, dst, len| unsafe {
                        (table.cbc_decrypt)(&s.schedule, &mut s.start.clone(), src, dst, len / 16)
                    });
                    let (plain, ctr) = (&s.plain[..len], &s.ctr[..len]);
                    memory.run(places, (plain, ctr), |src, dst, len| unsafe {
                        (table.ctr32)(&s.schedule, &mut s.start.clone(), src, dst, len)
                    });
                    for (encrypt, texts) in [(true, (plain, ctr)), (false, (ctr, plain))] {
                        memory.run(places, texts, |src, dst, len| {
                            let (mut ctr, mut y) = (s.start, s.start);
                            let (state, text) = ((&mut ctr, &mut y), (src, dst, len));
                            table.part(encrypt, (&s.schedule, powers), state, text);
                            assert_eq!(y, hash, "{}: {len} bytes, {places:?}", table.name);
                        });
                        memory.run(places, texts, |src, dst, len| {
                            let (mut y, text) = (s.start, (src, dst, len));
                            table.at_once(encrypt, (&s.schedule, powers), &before, &mut y, 0, text);
                            assert_eq!(y.0[..], tag, "{}: {len} bytes, {places:?}", table.name);
                        });
                    }
                }
            }
        }
    });
}
