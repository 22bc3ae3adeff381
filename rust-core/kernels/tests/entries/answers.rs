// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published known answers in every table, and the form of key material.

use kcfaes_kernels::{Block, POWERS, mid_of};

use crate::KEY_SIZES;
use crate::products::stored;
use crate::reference::{self, Bytes, Cipher, block, hex};
use crate::table::{Table, tables};

#[test]
fn fips_197_appendix_a_key_expansion() {
    // (key, last round key) of appendices A.1, A.2, A.3.
    for (key, last) in [
        ("2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6"),
        ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "e98ba06f448c773c8ecc720401002202"),
        (
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "fe4890d1e6188d0b046df344706c631e",
        ),
    ] {
        let key = hex(key);
        let schedule = tables()[0].schedule(&key);
        assert_eq!(schedule.rounds as usize, key.len() / 4 + 6);
        assert_eq!(schedule.enc[schedule.rounds as usize], block(last));
        assert_eq!(schedule.enc[0].0[..], key[..16]);
    }
}

#[test]
fn schedule_form() {
    let mut bytes = Bytes(11);
    for size in KEY_SIZES {
        let schedule = tables()[0].schedule(&bytes.take(size));
        let rounds = schedule.rounds as usize;
        assert_eq!(schedule.dec[0], schedule.enc[rounds]);
        assert_eq!(schedule.dec[rounds], schedule.enc[0]);
        for i in 1..rounds {
            assert_eq!(schedule.dec[i].0, inv_mix_columns(schedule.enc[rounds - i].0));
        }
        for i in rounds + 1..15 {
            assert_eq!(schedule.enc[i], Block::default());
            assert_eq!(schedule.dec[i], Block::default());
        }
    }
}

/// FIPS 197 section 5.3.3, byte by byte.
fn inv_mix_columns(block: [u8; 16]) -> [u8; 16] {
    fn times(mut a: u8, mut b: u8) -> u8 {
        let mut product = 0;
        while b != 0 {
            if b & 1 == 1 {
                product ^= a;
            }
            a = a << 1 ^ if a & 0x80 == 0 { 0 } else { 0x1b };
            b >>= 1;
        }
        product
    }
    core::array::from_fn(|i| {
        (0..4).fold(0, |sum, k| {
            sum ^ times(block[i / 4 * 4 + (i + k) % 4], [0x0e, 0x0b, 0x0d, 0x09][k])
        })
    })
}

#[test]
fn fips_197_appendix_c() {
    let plain = hex("00112233445566778899aabbccddeeff");
    for (size, cipher) in [
        (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
        (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
        (32, "8ea2b7ca516745bfeafc49904b496089"),
    ] {
        let key: Vec<u8> = (0..size as u8).collect();
        let schedule = tables()[0].schedule(&key);
        for table in tables() {
            let mut out = [0u8; 16];
            unsafe { (table.ecb_encrypt)(&schedule, plain.as_ptr(), out.as_mut_ptr(), 1) };
            assert_eq!(out[..], hex(cipher), "{}", table.name);
            unsafe { (table.ecb_decrypt)(&schedule, out.as_ptr(), out.as_mut_ptr(), 1) };
            assert_eq!(out[..], plain, "{}", table.name);
        }
    }
}

const SP_PLAIN: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
    30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";

#[test]
fn sp_800_38a_cbc_and_ctr() {
    tables().iter().for_each(cbc_and_ctr);
}

fn cbc_and_ctr(table: &Table) {
    let schedule = table.schedule(&hex("2b7e151628aed2a6abf7158809cf4f3c"));
    let plain = hex(SP_PLAIN);
    let mut out = vec![0u8; 64];

    let cbc = hex("7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
        73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7");
    let mut iv = block("000102030405060708090a0b0c0d0e0f");
    unsafe { (table.cbc_encrypt)(&schedule, &mut iv, plain.as_ptr(), out.as_mut_ptr(), 4) };
    assert_eq!(out, cbc);
    assert_eq!(iv.0[..], cbc[48..]);
    iv = block("000102030405060708090a0b0c0d0e0f");
    unsafe { (table.cbc_decrypt)(&schedule, &mut iv, cbc.as_ptr(), out.as_mut_ptr(), 4) };
    assert_eq!(out, plain);
    assert_eq!(iv.0[..], cbc[48..]);

    let mut ctr = block("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    unsafe { (table.ctr32)(&schedule, &mut ctr, plain.as_ptr(), out.as_mut_ptr(), 64) };
    assert_eq!(
        out,
        hex("874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff
            5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee")
    );
    assert_eq!(ctr, block("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03"));
}

#[test]
fn gcm_specification_test_cases() {
    let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let key = "feffe9928665731c6d6a8f9467308308";
    let iv = "cafebabefacedbaddecaf888";
    // Test cases 1, 2, 4, 10 and 16: key, initial counter block, text, additional data,
    // ciphertext, tag.
    let cases = [
        (
            "00000000000000000000000000000000".to_string(),
            "00000000000000000000000000000001".to_string(),
            "",
            "",
            "",
            "58e2fccefa7e3061367f1d57a4e7455a",
        ),
        (
            "00000000000000000000000000000000".to_string(),
            "00000000000000000000000000000001".to_string(),
            "00000000000000000000000000000000",
            "",
            "0388dace60b6a392f328c2b971b2fe78",
            "ab6e47d42cec13bdf53a67b21257bddf",
        ),
        (
            key.to_string(),
            format!("{iv}00000001"),
            text,
            aad,
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
             21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            format!("{key}feffe9928665731c"),
            format!("{iv}00000001"),
            text,
            aad,
            "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c
             7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
            "2519498e80f1478f37ba55bd6d27618c",
        ),
        (
            format!("{key}{key}"),
            format!("{iv}00000001"),
            text,
            aad,
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];
    for (key, j0, text, aad, cipher, tag) in cases {
        let (j0, text, aad, cipher) = (block(&j0), hex(text), hex(aad), hex(cipher));
        for (table, in_parts) in tables().iter().flat_map(|table| [(table, false), (table, true)]) {
            let schedule = table.schedule(&hex(&key));
            let powers = table.powers(&schedule);
            for (encrypt, text, want) in [(true, &text, &cipher), (false, &cipher, &text)] {
                let (mut y, mut out) = (Block::default(), text.clone());
                unsafe { (table.ghash)(&powers, &mut y, aad.as_ptr(), aad.len()) };
                let keys = (&schedule, &powers);
                let text = (out.as_ptr(), out.as_mut_ptr(), out.len());
                match in_parts {
                    false => table.at_once(encrypt, keys, &j0, &mut y, aad.len(), text),
                    true => table.in_parts(encrypt, keys, &j0, &mut y, aad.len(), text),
                }
                assert_eq!((&out, y), (want, block(tag)), "{}, in parts: {in_parts}", table.name);
            }
        }
    }
}

/// All tables make the same powers, though not equally many, and they are the powers of H.
#[test]
fn powers_form() {
    let mut bytes = Bytes(12);
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let h = Cipher::new(&key).encrypt(&Block::default());
        for table in tables() {
            let powers = table.powers(&table.schedule(&key));
            assert_eq!((powers.h, powers.set as usize), (h, table.powers));
            let h = u128::from_be_bytes(h.0);
            let mut power = h;
            for n in 1..=table.powers {
                let (stored, (pair, half)) = (stored(power), mid_of(POWERS - n));
                assert_eq!(powers.pow[POWERS - n].0, stored.to_le_bytes(), "{}: H^{n}", table.name);
                let mid = (stored >> 64) as u64 ^ stored as u64;
                assert_eq!(powers.mid[pair][half], mid, "{}: the middle of H^{n}", table.name);
                power = reference::product(power, h);
            }
            let unused = POWERS - table.powers;
            assert!(powers.pow[..unused].iter().all(|power| *power == Block::default()));
            for (pair, half) in (0..unused).map(mid_of) {
                assert_eq!(powers.mid[pair][half], 0);
            }
        }
    }
}
