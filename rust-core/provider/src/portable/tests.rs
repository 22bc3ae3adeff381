// SPDX-License-Identifier: MIT OR Apache-2.0
//! The portable table against the standards' own examples, against definitions evaluated bit by bit, and
//! against RustCrypto at every length up to 400 bytes.

use super::*;
use crate::data::Run;
use ::aes::cipher::block_padding::NoPadding;
use ::aes::cipher::consts::{U12, U16};
use ::aes::cipher::{
    BlockCipher, BlockDecrypt, BlockEncrypt, BlockEncryptMut, BlockSizeUser, InnerIvInit, KeyInit,
    StreamCipher,
};
use ::aes::{Aes128, Aes192, Aes256};
use ::ghash::universal_hash::UniversalHash;
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInPlace;
use kcfaes_kernels::BlockMode::{CbcDecrypt, CbcEncrypt, CcmDecrypt, CcmEncrypt, Ctr};
use kcfaes_kernels::{COMMON_POWERS, POWERS, mid_of};

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    assert_eq!(digits.len() % 2, 0);
    digits.chunks(2).map(|d| (d[0] << 4 | d[1]) as u8).collect()
}

fn block(digits: &str) -> Block {
    Block(hex(digits).try_into().unwrap())
}

/// Reproducible filling (splitmix64).
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) as u8
    };
    (0..len).map(|_| word()).collect()
}

fn schedule(key: &[u8]) -> Schedule {
    let mut schedule = Schedule::default();
    key_expand(&mut schedule, key);
    schedule
}

fn powers(schedule: &Schedule) -> Powers {
    let mut powers = Powers::default();
    ghash_init(schedule, &mut powers);
    powers
}

fn run(text: &[u8], transform: impl FnOnce(Runs<'_, '_>)) -> Vec<u8> {
    let mut text = text.to_vec();
    transform(Run::in_place(&mut text).into());
    text
}

fn ecb_encrypt(schedule: &Schedule, text: Runs<'_, '_>) {
    let [state, mac] = &mut [Block::default(); 2];
    transform(BlockMode::EcbEncrypt, schedule, state, mac, text);
}

fn ecb_decrypt(schedule: &Schedule, text: Runs<'_, '_>) {
    let [state, mac] = &mut [Block::default(); 2];
    transform(BlockMode::EcbDecrypt, schedule, state, mac, text);
}

/// A mode with a state.
fn with_state(mode: BlockMode, schedule: &Schedule, state: &mut Block, text: Runs<'_, '_>) {
    transform(mode, schedule, state, &mut Block::default(), text);
}

/// FIPS 197 section 4.2.
fn multiply_bytes(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0, |sum: u8, i| {
        let double = (sum << 1) ^ if sum >> 7 == 1 { 0x1b } else { 0 };
        double ^ if b >> i & 1 == 1 { a } else { 0 }
    })
}

/// FIPS 197 section 5.1.1: inverse, then the affine map.
fn s_box(x: u8) -> u8 {
    let inverse = (0..=255).find(|&y| multiply_bytes(x, y) == 1).unwrap_or(0);
    (0..5).fold(0x63, |sum, i| sum ^ inverse.rotate_left(i))
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn s_box_of_every_byte_at_every_place() {
    assert_eq!((s_box(0), s_box(0x53)), (0x63, 0xed));
    for x in 0..=255u8 {
        // Every place of the batch takes every value. At any time all places have different values.
        let input: [u8; BATCH] = core::array::from_fn(|i| x.wrapping_add((37 * i) as u8));
        let mut state = aes::slice(aes::read(&input));
        sbox::sub_bytes(&mut state);
        let output = aes::write(aes::unslice(state));
        assert_eq!(output.map(|byte| byte ^ sbox::CONSTANT), input.map(s_box));
        let mut state = aes::slice(aes::read(&output));
        sbox::inv_sub_bytes(&mut state);
        assert_eq!(aes::write(aes::unslice(state)), input);
    }
}

/// FIPS 197 section 5.1, with the S-box's values in a table.
fn cipher(schedule: &Schedule, s_box: &[u8; 256], block: [u8; 16]) -> [u8; 16] {
    let add = |a: [u8; 16], b: [u8; 16]| core::array::from_fn(|i| a[i] ^ b[i]);
    let rounds = schedule.rounds as usize;
    (1..=rounds).fold(add(block, schedule.enc[0].0), |state, round| {
        // Row r and column c are byte 4c + r.
        let shifted: [u8; 16] =
            core::array::from_fn(|i| s_box[state[(i + 4 * (i % 4)) % 16] as usize]);
        let mixed = core::array::from_fn(|i| {
            (0..4).fold(0, |sum, k| {
                let byte = shifted[i / 4 * 4 + (i + k) % 4];
                sum ^ multiply_bytes(byte, [2, 3, 1, 1][k])
            })
        });
        add(if round == rounds { shifted } else { mixed }, schedule.enc[round].0)
    })
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn cipher_by_definition_of_every_byte_at_every_place() {
    let s_box: [u8; 256] = core::array::from_fn(|x| s_box(x as u8));
    // Any even number of rounds: each way to mix columns is the last one once.
    for rounds in [2, 4, 6, 8, 10, 12, 14] {
        let mut schedule = Schedule { rounds, ..Schedule::default() };
        for (i, key) in (0..=rounds).zip(&mut schedule.enc) {
            key.0 = bytes(u64::from(100 * rounds + i), 16).try_into().unwrap();
        }
        for x in 0..=255u8 {
            let input: [u8; BATCH] = core::array::from_fn(|i| x.wrapping_add((101 * i) as u8));
            let output = run(&input, |text| ecb_encrypt(&schedule, text));
            for (from, to) in input.as_chunks().0.iter().zip(output.chunks(16)) {
                assert_eq!(cipher(&schedule, &s_box, *from), to);
            }
            assert_eq!(run(&output, |text| ecb_decrypt(&schedule, text)), input);
        }
    }
}

#[test]
fn key_expansion_of_fips_197_appendix_a() {
    let last = |key: &str| {
        let schedule = schedule(&hex(key));
        assert!(schedule.enc[schedule.rounds as usize + 1..].iter().all(|key| key.0 == [0; 16]));
        assert!(schedule.dec[schedule.rounds as usize + 1..].iter().all(|key| key.0 == [0; 16]));
        (schedule.rounds, schedule.enc[schedule.rounds as usize])
    };
    assert_eq!(
        last("2b7e151628aed2a6abf7158809cf4f3c"),
        (10, block("d014f9a8c9ee2589e13f0cc8b6630ca6"))
    );
    assert_eq!(
        last("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        (12, block("e98ba06f448c773c8ecc720401002202"))
    );
    assert_eq!(
        last("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        (14, block("fe4890d1e6188d0b046df344706c631e"))
    );
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn inverse_round_keys_by_definition() {
    for len in [16, 24, 32] {
        let schedule = schedule(&bytes(len as u64, len));
        let rounds = schedule.rounds as usize;
        for i in 0..=rounds {
            let key = schedule.enc[rounds - i].0;
            let expected = if i == 0 || i == rounds {
                key
            } else {
                // FIPS 197 section 5.3.3.
                core::array::from_fn(|at| {
                    (0..4).fold(0, |sum, k| {
                        let byte = key[at / 4 * 4 + (at + k) % 4];
                        sum ^ multiply_bytes(byte, [0x0e, 0x0b, 0x0d, 0x09][k])
                    })
                })
            };
            assert_eq!(schedule.dec[i].0, expected);
        }
    }
}

#[test]
fn cipher_of_fips_197_appendix_c() {
    let key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let plain = hex("00112233445566778899aabbccddeeff");
    for (len, cipher) in [
        (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
        (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
        (32, "8ea2b7ca516745bfeafc49904b496089"),
    ] {
        let schedule = schedule(&key[..len]);
        assert_eq!(run(&plain, |text| ecb_encrypt(&schedule, text)), hex(cipher));
        assert_eq!(run(&hex(cipher), |text| ecb_decrypt(&schedule, text)), plain);
    }
}

/// The plaintext of every example in SP 800-38A appendix F.
const F_PLAIN: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
    30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn sp_800_38a_appendix_f() {
    let plain = hex(F_PLAIN);
    let iv = block("000102030405060708090a0b0c0d0e0f");
    let counter = block("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    for (key, ecb, cbc, ctr) in [
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf
             43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4",
            "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
             73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7",
            "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff
             5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee",
        ),
        (
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "bd334f1d6e45f25ff712a214571fa5cc 974104846d0ad3ad7734ecb3ecee4eef
             ef7afd2270e2e60adce0ba2face6444e 9a4b41ba738d6c72fb16691603c18e0e",
            "4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a
             571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd",
            "1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94
             1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050",
        ),
        (
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870
             b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
             39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b",
            "601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5
             2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6",
        ),
    ] {
        let schedule = schedule(&hex(key));
        assert_eq!(run(&plain, |text| ecb_encrypt(&schedule, text)), hex(ecb));
        assert_eq!(run(&hex(ecb), |text| ecb_decrypt(&schedule, text)), plain);
        let last = Block(hex(cbc)[48..].try_into().unwrap());
        let mut chain = iv;
        assert_eq!(
            run(&plain, |text| with_state(CbcEncrypt, &schedule, &mut chain, text)),
            hex(cbc)
        );
        assert_eq!(chain, last);
        let mut chain = iv;
        assert_eq!(
            run(&hex(cbc), |text| with_state(CbcDecrypt, &schedule, &mut chain, text)),
            plain
        );
        assert_eq!(chain, last);
        let mut next = counter;
        assert_eq!(run(&plain, |text| with_state(Ctr, &schedule, &mut next, text)), hex(ctr));
        assert_eq!(next, block("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03"));
    }
}

struct Gcm {
    key: &'static str,
    iv: &'static str,
    aad: &'static str,
    plain: &'static str,
    cipher: &'static str,
    tag: &'static str,
}

const GCM_KEY: &str = "feffe9928665731c6d6a8f9467308308";
const GCM_PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
const GCM_AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";

/// Test cases of the GCM specification (McGrew and Viega, appendix B), by number.
const GCM: [(u32, Gcm); 8] = [
    (
        1,
        Gcm {
            key: "00000000000000000000000000000000",
            iv: "000000000000000000000000",
            aad: "",
            plain: "",
            cipher: "",
            tag: "58e2fccefa7e3061367f1d57a4e7455a",
        },
    ),
    (
        2,
        Gcm {
            key: "00000000000000000000000000000000",
            iv: "000000000000000000000000",
            aad: "",
            plain: "00000000000000000000000000000000",
            cipher: "0388dace60b6a392f328c2b971b2fe78",
            tag: "ab6e47d42cec13bdf53a67b21257bddf",
        },
    ),
    (
        3,
        Gcm {
            key: GCM_KEY,
            iv: "cafebabefacedbaddecaf888",
            aad: "",
            plain: GCM_PLAIN,
            cipher: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
                21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
            tag: "4d5c2af327cd64a62cf35abd2ba6fab4",
        },
    ),
    (
        4,
        Gcm {
            key: GCM_KEY,
            iv: "cafebabefacedbaddecaf888",
            aad: GCM_AAD,
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            cipher: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
                21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
            tag: "5bc94fbc3221a5db94fae95ae7121a47",
        },
    ),
    (
        5,
        Gcm {
            key: GCM_KEY,
            iv: "cafebabefacedbad",
            aad: GCM_AAD,
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            cipher: "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423
                73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
            tag: "3612d2e79e3b0785561be14aaca2fccb",
        },
    ),
    (
        10,
        Gcm {
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c",
            iv: "cafebabefacedbaddecaf888",
            aad: GCM_AAD,
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            cipher: "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c
                7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
            tag: "2519498e80f1478f37ba55bd6d27618c",
        },
    ),
    (
        13,
        Gcm {
            key: "0000000000000000000000000000000000000000000000000000000000000000",
            iv: "000000000000000000000000",
            aad: "",
            plain: "",
            cipher: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b",
        },
    ),
    (
        15,
        Gcm {
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            iv: "cafebabefacedbaddecaf888",
            aad: "",
            plain: GCM_PLAIN,
            cipher: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
            tag: "b094dac5d93471bdec1a502270e3cc6c",
        },
    ),
];

/// J0 (SP 800-38D section 7.1 step 2).
fn j0(powers: &Powers, iv: &[u8]) -> Block {
    let mut j0 = Block::default();
    if let Ok(iv) = <[u8; 12]>::try_from(iv) {
        j0.0[..12].copy_from_slice(&iv);
        j0.0[15] = 1;
    } else {
        ghash(powers, &mut j0, iv);
        ghash(powers, &mut j0, &(8 * iv.len() as u128).to_be_bytes());
    }
    j0
}

/// Encrypts and decrypts. Both must give the same tag.
fn gcm(key: &[u8], iv: &[u8], aad: &[u8], plain: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let schedule = schedule(key);
    let powers = powers(&schedule);
    let j0 = j0(&powers, iv);
    let mut start = Block::default();
    ghash(&powers, &mut start, aad);
    let tag = |mut y| {
        gcm_tag(&schedule, &powers, &j0, &mut y, aad.len() as u64, plain.len() as u64);
        y.0
    };

    let (mut ctr, mut y) = (Block(inc32(u128::from_be_bytes(j0.0), 1).to_be_bytes()), start);
    let first = ctr;
    let cipher = run(plain, |text| gcm_encrypt(&schedule, &powers, &mut ctr, &mut y, text));
    let (mut ctr2, mut y2) = (first, start);
    let back = run(&cipher, |text| gcm_decrypt(&schedule, &powers, &mut ctr2, &mut y2, text));
    assert_eq!(back, plain);
    assert_eq!((ctr, y), (ctr2, y2));
    assert_eq!(
        ctr.0,
        inc32(u128::from_be_bytes(first.0), plain.len().div_ceil(16) as u32).to_be_bytes()
    );
    (cipher, tag(y))
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn gcm_specification() {
    for (number, case) in &GCM {
        let (cipher, tag) = gcm(&hex(case.key), &hex(case.iv), &hex(case.aad), &hex(case.plain));
        assert_eq!(cipher, hex(case.cipher), "test case {number}");
        assert_eq!(tag.to_vec(), hex(case.tag), "test case {number}");
    }
}

/// SP 800-38D section 6.3, algorithm 1; bit 127 is x^0.
fn multiply_elements(x: u128, y: u128) -> u128 {
    let (mut z, mut v) = (0, y);
    for i in (0..128).rev() {
        z ^= if x >> i & 1 == 1 { v } else { 0 };
        v = (v >> 1) ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}

fn powers_of(h: u128) -> Powers {
    let mut powers = Powers::default();
    ghash::init(&mut powers, Block(h.to_be_bytes()));
    powers
}

fn product(x: u128, powers: &Powers) -> u128 {
    let mut y = Block::default();
    ghash(powers, &mut y, &x.to_be_bytes());
    u128::from_be_bytes(y.0)
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn products_of_basis_elements() {
    for i in 0..128 {
        let powers = powers_of(1 << i);
        for j in 0..128 {
            assert_eq!(product(1 << j, &powers), multiply_elements(1 << i, 1 << j));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn products_of_dense_elements() {
    let random = |seed| u128::from_le_bytes(bytes(seed, 16).try_into().unwrap());
    let mut elements: Vec<_> = (0..200).map(random).collect();
    // The fullest columns of the multiplication with holes.
    elements.extend([u128::MAX, u128::MAX >> 1, u128::MAX << 1, u128::MAX / 3, u128::MAX / 31]);
    for &h in &elements {
        let powers = powers_of(h);
        for &x in &elements {
            assert_eq!(product(x, &powers), multiply_elements(x, h));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn powers_by_definition() {
    for len in [16, 24, 32] {
        let schedule = schedule(&bytes(7, len));
        let powers = powers(&schedule);
        let h = run(&[0; 16], |text| ecb_encrypt(&schedule, text));
        assert_eq!(powers.h.0.to_vec(), h);
        let h = u128::from_be_bytes(powers.h.0);
        let mut power = h;
        for n in 1..=COMMON_POWERS {
            let stored = u128::from_le_bytes(powers.pow[POWERS - n].0);
            // x^1, stored with bit 127 as x^0, times the stored power is the power.
            assert_eq!(multiply_elements(1 << 126, stored), power);
            let (pair, half) = mid_of(POWERS - n);
            assert_eq!(powers.mid[pair][half], stored as u64 ^ (stored >> 64) as u64);
            power = multiply_elements(power, h);
        }
    }
}

#[test]
fn counter_wraps_in_its_low_32_bits() {
    let schedule = schedule(&bytes(1, 16));
    let mut ctr = block("000102030405060708090a00fffffffe");
    let stream = run(&[0; 80], |text| with_state(Ctr, &schedule, &mut ctr, text));
    assert_eq!(ctr, block("000102030405060708090a0000000003"));
    for (i, low) in ["fffffffe", "ffffffff", "00000000", "00000001", "00000002"].iter().enumerate()
    {
        let counter = block(&format!("000102030405060708090a00{low}"));
        let expected = run(&counter.0, |text| ecb_encrypt(&schedule, text));
        assert_eq!(stream[16 * i..16 * i + 16], expected);
    }
}

/// Every mode at every length up to 400 bytes; ECB and CBC with full blocks, AAD as long as the text.
fn against_rustcrypto<C>(key: &[u8])
where
    C: KeyInit + BlockCipher + BlockSizeUser<BlockSize = U16> + BlockEncrypt + BlockDecrypt + Clone,
{
    let schedule = schedule(key);
    let powers = powers(&schedule);
    let cipher = C::new_from_slice(key).unwrap();
    let aead = AesGcm::<C, U12>::from(cipher.clone());
    let iv = bytes(2, 16);
    let start = Block(iv.clone().try_into().unwrap());
    for len in 0..=400 {
        let plain = bytes(3 + len as u64, len);

        let mut expected = plain.clone();
        let core = ::ctr::CtrCore::inner_iv_init(cipher.clone(), iv[..].into());
        ::ctr::Ctr32BE::<C>::from_core(core).apply_keystream(&mut expected);
        let mut ctr = start;
        assert_eq!(run(&plain, |text| with_state(Ctr, &schedule, &mut ctr, text)), expected);

        // CBC-MAC is the last block of CBC, for a text followed by zeros.
        let padded = [plain.as_slice(), &vec![0; len.next_multiple_of(16) - len]].concat();
        let chained = ::cbc::Encryptor::<C>::inner_iv_init(cipher.clone(), iv[..].into())
            .encrypt_padded_vec_mut::<NoPadding>(&padded);
        let chained = chained.last_chunk().map_or(start, |&last| Block(last));
        let mut mac = start;
        cbc_mac(&schedule, &mut mac, &plain);
        assert_eq!(mac, chained);
        let (mut mac, mut next) = (start, start);
        let sealed =
            run(&plain, |text| transform(CcmEncrypt, &schedule, &mut next, &mut mac, text));
        assert_eq!((&sealed, next, mac), (&expected, ctr, chained));
        let (mut mac, mut next) = (start, start);
        let opened =
            run(&sealed, |text| transform(CcmDecrypt, &schedule, &mut next, &mut mac, text));
        assert_eq!((&opened, next, mac), (&plain, ctr, chained));

        let aad = bytes(1000 + len as u64, len);
        let mut expected = plain.clone();
        let nonce = &iv[..12];
        let tag = aead.encrypt_in_place_detached(nonce.into(), &aad, &mut expected).unwrap();
        assert_eq!(gcm(key, nonce, &aad, &plain), (expected, tag.into()));

        let mut expected = ::ghash::GHash::new(&powers.h.0.into());
        expected.update_padded(&plain);
        let mut y = Block::default();
        ghash(&powers, &mut y, &plain);
        assert_eq!(y.0, <[u8; 16]>::from(expected.finalize()));

        if len % 16 != 0 {
            continue;
        }
        let mut expected = plain.clone();
        for block in expected.chunks_exact_mut(16) {
            cipher.encrypt_block(block.into());
        }
        assert_eq!(run(&plain, |text| ecb_encrypt(&schedule, text)), expected);
        assert_eq!(run(&expected, |text| ecb_decrypt(&schedule, text)), plain);

        let expected = ::cbc::Encryptor::<C>::inner_iv_init(cipher.clone(), iv[..].into())
            .encrypt_padded_vec_mut::<NoPadding>(&plain);
        let mut chain = start;
        assert_eq!(
            run(&plain, |text| with_state(CbcEncrypt, &schedule, &mut chain, text)),
            expected
        );
        let mut back = start;
        assert_eq!(
            run(&expected, |text| with_state(CbcDecrypt, &schedule, &mut back, text)),
            plain
        );
        assert_eq!((&chain.0[..], &back.0[..]), {
            let last = if len == 0 { &iv } else { &expected[len - 16..] };
            (last, last)
        });
    }
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn aes_128_against_rustcrypto() {
    against_rustcrypto::<Aes128>(&bytes(128, 16));
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn aes_192_against_rustcrypto() {
    against_rustcrypto::<Aes192>(&bytes(192, 24));
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and many values")]
fn aes_256_against_rustcrypto() {
    against_rustcrypto::<Aes256>(&bytes(256, 32));
}

#[test]
fn one_message_in_pieces() {
    let schedule = schedule(&bytes(9, 16));
    let powers = powers(&schedule);
    let mut text = bytes(10, if cfg!(miri) { 112 } else { 400 });
    let mut pieces = text.clone();
    let (mut ctr, mut y) = (Block::default(), Block::default());
    gcm_encrypt(&schedule, &powers, &mut ctr, &mut y, Run::in_place(&mut text).into());
    let (mut ctr2, mut y2) = (Block::default(), Block::default());
    for piece in pieces.chunks_mut(48) {
        let mut whole = Run::in_place(piece);
        let head = whole.split_off(16);
        gcm_encrypt(&schedule, &powers, &mut ctr2, &mut y2, head.into());
        gcm_encrypt(&schedule, &powers, &mut ctr2, &mut y2, whole.into());
    }
    assert_eq!((&pieces, ctr2, y2), (&text, ctr, y));

    // Between the pieces the state has the form of the other tables: it holds no keystream in advance.
    for mode in [CcmEncrypt, CcmDecrypt] {
        let (mut ctr, mut mac) = (Block::default(), Block::default());
        transform(mode, &schedule, &mut ctr, &mut mac, Run::in_place(&mut text).into());
        let (mut ctr2, mut mac2) = (Block::default(), Block::default());
        for piece in pieces.chunks_mut(48) {
            transform(mode, &schedule, &mut ctr2, &mut mac2, Run::in_place(piece).into());
        }
        assert_eq!((&pieces, ctr2, mac2), (&text, ctr, mac));
    }
}
