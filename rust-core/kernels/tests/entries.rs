// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entry points of table `aesni` against the published known answers and against independent
//! implementations, over every length, in place and out of place, unaligned, and with no byte
//! around the texts accessible.
//!
//! A machine without the features fails these tests: they never pass by not running.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "every call is the contract under test")]

use aes::{Aes128, Aes192, Aes256};
use cipher::{
    BlockDecrypt, BlockEncrypt, KeyInit, KeyIvInit, StreamCipher, generic_array::GenericArray,
};
use kcfaes_kernels::{Block, COMMON_POWERS, POWERS, Powers, Schedule, entry_aesni::*, mid_of};

/// Every length up to four turns of a bulk loop and more, and one bulk size.
const LENGTHS: core::ops::RangeInclusive<usize> = 0..=600;

fn require_features() {
    for (name, have) in [
        ("aes", is_x86_feature_detected!("aes")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("ssse3", is_x86_feature_detected!("ssse3")),
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
    ] {
        assert!(have, "this machine lacks {name}: table aesni was NOT tested");
    }
}

/// Deterministic bytes (xorshift64*).
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }

    fn block(&mut self) -> Block {
        Block(self.take(16).try_into().unwrap())
    }
}

fn schedule(key: &[u8]) -> Schedule {
    require_features();
    // Dirty, to see that all of it is written.
    let mut schedule =
        Schedule { enc: [Block([0xa5; 16]); 15], dec: [Block([0xa5; 16]); 15], rounds: 99 };
    unsafe { kcfaes_key_expand_aesni(&mut schedule, key.as_ptr(), key.len()) };
    schedule
}

fn powers(schedule: &Schedule) -> Powers {
    let mut powers = Powers::default();
    unsafe { kcfaes_ghash_init_aesni(schedule, &mut powers) };
    powers
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn block(text: &str) -> Block {
    Block(hex(text).try_into().unwrap())
}

/// A text with inaccessible pages right before and right after it.
struct Guarded {
    map: *mut u8,
    size: usize,
    text: *mut u8,
    len: usize,
}

const PAGE: usize = 4096;

impl Guarded {
    /// `at_end`: the text ends where the upper guard page begins; else it begins where the lower
    /// one ends.
    fn new(bytes: &[u8], at_end: bool) -> Self {
        let inner = bytes.len().div_ceil(PAGE).max(1) * PAGE;
        let size = inner + 2 * PAGE;
        unsafe {
            let map = libc::mmap(
                core::ptr::null_mut(),
                size,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(map, libc::MAP_FAILED);
            let map = map.cast::<u8>();
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(map.add(PAGE).cast(), inner, access), 0);
            let text = map.add(if at_end { PAGE + inner - bytes.len() } else { PAGE });
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), text, bytes.len());
            Self { map, size, text, len: bytes.len() }
        }
    }

    fn bytes(&self) -> &[u8] {
        unsafe { core::slice::from_raw_parts(self.text, self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.map.cast(), self.size) };
    }
}

/// Runs a kernel over `text` in every placement, and returns the output that all agree on.
/// The kernel gets source, destination and length in bytes.
fn everywhere(text: &[u8], kernel: &dyn Fn(*const u8, *mut u8, usize)) -> Vec<u8> {
    let len = text.len();
    let mut out = vec![0u8; len];
    kernel(text.as_ptr(), out.as_mut_ptr(), len);

    let mut same = text.to_vec();
    kernel(same.as_ptr(), same.as_mut_ptr(), len);
    assert_eq!(same, out, "in place, {len} bytes");

    for at_end in [false, true] {
        let (src, dst) = (Guarded::new(text, at_end), Guarded::new(&vec![0xee; len], at_end));
        kernel(src.text, dst.text, len);
        assert_eq!(src.bytes(), text, "source changed, {len} bytes");
        assert_eq!(dst.bytes(), out, "guarded, at end: {at_end}, {len} bytes");
        kernel(src.text, src.text, len);
        assert_eq!(src.bytes(), out, "guarded in place, at end: {at_end}, {len} bytes");
    }

    for shift in [1, 3, 8, 15] {
        let mut src = vec![0u8; len + 32];
        let mut dst = vec![0xee_u8; len + 64];
        src[shift..shift + len].copy_from_slice(text);
        let other = 16 - shift;
        kernel(src[shift..].as_ptr(), dst[other..].as_mut_ptr(), len);
        assert_eq!(dst[other..other + len], out, "shift {shift}, {len} bytes");
        assert!(dst[..other].iter().all(|&byte| byte == 0xee), "wrote before the destination");
        assert!(dst[other + len..].iter().all(|&byte| byte == 0xee), "wrote behind it");
    }
    out
}

/// The block cipher itself, of another implementation.
enum Reference {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl Reference {
    fn new(key: &[u8]) -> Self {
        match key.len() {
            16 => Self::Aes128(Aes128::new(GenericArray::from_slice(key))),
            24 => Self::Aes192(Aes192::new(GenericArray::from_slice(key))),
            32 => Self::Aes256(Aes256::new(GenericArray::from_slice(key))),
            other => panic!("{other}-byte key"),
        }
    }

    fn encrypt(&self, block: &mut [u8]) {
        let block = GenericArray::from_mut_slice(block);
        match self {
            Self::Aes128(aes) => aes.encrypt_block(block),
            Self::Aes192(aes) => aes.encrypt_block(block),
            Self::Aes256(aes) => aes.encrypt_block(block),
        }
    }

    fn decrypt(&self, block: &mut [u8]) {
        let block = GenericArray::from_mut_slice(block);
        match self {
            Self::Aes128(aes) => aes.decrypt_block(block),
            Self::Aes192(aes) => aes.decrypt_block(block),
            Self::Aes256(aes) => aes.decrypt_block(block),
        }
    }
}

fn reference_cbc_encrypt(key: &[u8], iv: &Block, text: &[u8]) -> Vec<u8> {
    use cipher::{BlockEncryptMut, block_padding::NoPadding};
    let iv = GenericArray::from_slice(&iv.0);
    match key.len() {
        16 => cbc::Encryptor::<Aes128>::new(GenericArray::from_slice(key), iv)
            .encrypt_padded_vec_mut::<NoPadding>(text),
        24 => cbc::Encryptor::<Aes192>::new(GenericArray::from_slice(key), iv)
            .encrypt_padded_vec_mut::<NoPadding>(text),
        _ => cbc::Encryptor::<Aes256>::new(GenericArray::from_slice(key), iv)
            .encrypt_padded_vec_mut::<NoPadding>(text),
    }
}

fn reference_ctr32(key: &[u8], ctr: &Block, text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let ctr = GenericArray::from_slice(&ctr.0);
    match key.len() {
        16 => ctr::Ctr32BE::<Aes128>::new(GenericArray::from_slice(key), ctr)
            .apply_keystream(&mut out),
        24 => ctr::Ctr32BE::<Aes192>::new(GenericArray::from_slice(key), ctr)
            .apply_keystream(&mut out),
        _ => ctr::Ctr32BE::<Aes256>::new(GenericArray::from_slice(key), ctr)
            .apply_keystream(&mut out),
    }
    out
}

/// `ctr` after a text of `len` bytes.
fn advanced(ctr: &Block, len: usize) -> Block {
    let mut next = *ctr;
    let count = u32::from_be_bytes(ctr.0[12..].try_into().unwrap());
    next.0[12..].copy_from_slice(&count.wrapping_add(len.div_ceil(16) as u32).to_be_bytes());
    next
}

/// The product of SP 800-38D algorithm 1, bit by bit; byte 0's top bit is the coefficient of x^0.
fn slow_product(x: u128, y: u128) -> u128 {
    let (mut z, mut v) = (0, y);
    for i in 0..128 {
        if x >> (127 - i) & 1 == 1 {
            z ^= v;
        }
        v = v >> 1 ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}

fn slow_ghash(h: &Block, y: &Block, text: &[u8]) -> Block {
    let h = u128::from_be_bytes(h.0);
    let mut sum = u128::from_be_bytes(y.0);
    for chunk in text.chunks(16) {
        let mut padded = [0; 16];
        padded[..chunk.len()].copy_from_slice(chunk);
        sum = slow_product(sum ^ u128::from_be_bytes(padded), h);
    }
    Block(sum.to_be_bytes())
}

const KEY_SIZES: [usize; 3] = [16, 24, 32];

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
        let schedule = schedule(&key);
        assert_eq!(schedule.rounds as usize, key.len() / 4 + 6);
        assert_eq!(schedule.enc[schedule.rounds as usize], block(last));
        assert_eq!(schedule.enc[0].0[..], key[..16]);
    }
}

#[test]
fn schedule_form() {
    let mut bytes = Bytes(11);
    for size in KEY_SIZES {
        let schedule = schedule(&bytes.take(size));
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
        let schedule = schedule(&key);
        let mut out = [0u8; 16];
        unsafe { kcfaes_ecb_encrypt_aesni(&schedule, plain.as_ptr(), out.as_mut_ptr(), 1) };
        assert_eq!(out[..], hex(cipher));
        unsafe { kcfaes_ecb_decrypt_aesni(&schedule, out.as_ptr(), out.as_mut_ptr(), 1) };
        assert_eq!(out[..], plain);
    }
}

const SP_PLAIN: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
    30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";

#[test]
fn sp_800_38a_cbc_and_ctr() {
    let schedule = schedule(&hex("2b7e151628aed2a6abf7158809cf4f3c"));
    let plain = hex(SP_PLAIN);
    let mut out = vec![0u8; 64];

    let cbc = hex("7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
        73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7");
    let mut iv = block("000102030405060708090a0b0c0d0e0f");
    unsafe { kcfaes_cbc_encrypt_aesni(&schedule, &mut iv, plain.as_ptr(), out.as_mut_ptr(), 4) };
    assert_eq!(out, cbc);
    assert_eq!(iv.0[..], cbc[48..]);
    iv = block("000102030405060708090a0b0c0d0e0f");
    unsafe { kcfaes_cbc_decrypt_aesni(&schedule, &mut iv, cbc.as_ptr(), out.as_mut_ptr(), 4) };
    assert_eq!(out, plain);
    assert_eq!(iv.0[..], cbc[48..]);

    let mut ctr = block("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    unsafe { kcfaes_ctr32_aesni(&schedule, &mut ctr, plain.as_ptr(), out.as_mut_ptr(), 64) };
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
        let schedule = schedule(&hex(&key));
        let powers = powers(&schedule);
        let (j0, text, aad, cipher) = (block(&j0), hex(text), hex(aad), hex(cipher));
        let (out, got) = seal(&schedule, &powers, &j0, &aad, &text);
        assert_eq!(out, cipher);
        assert_eq!(got, block(tag));
        let (out, got) = open(&schedule, &powers, &j0, &aad, &cipher);
        assert_eq!(out, text);
        assert_eq!(got, block(tag));
    }
}

type GcmKernel = unsafe extern "C" fn(
    *const Schedule,
    *const Powers,
    *mut Block,
    *mut Block,
    *const u8,
    *mut u8,
    usize,
);

fn gcm(
    kernel: GcmKernel,
    schedule: &Schedule,
    powers: &Powers,
    j0: &Block,
    aad: &[u8],
    text: &[u8],
) -> (Vec<u8>, Block) {
    let mut out = vec![0u8; text.len()];
    let (mut y, mut ctr) = (Block::default(), advanced(j0, 1));
    unsafe {
        kcfaes_ghash_aesni(powers, &mut y, aad.as_ptr(), aad.len());
        kernel(schedule, powers, &mut ctr, &mut y, text.as_ptr(), out.as_mut_ptr(), text.len());
        kcfaes_gcm_tag_aesni(schedule, powers, j0, &mut y, aad.len() as u64, text.len() as u64);
    }
    assert_eq!(ctr, advanced(j0, 16 + text.len()));
    (out, y)
}

fn seal(s: &Schedule, p: &Powers, j0: &Block, aad: &[u8], text: &[u8]) -> (Vec<u8>, Block) {
    gcm(kcfaes_gcm_encrypt_aesni, s, p, j0, aad, text)
}

fn open(s: &Schedule, p: &Powers, j0: &Block, aad: &[u8], text: &[u8]) -> (Vec<u8>, Block) {
    gcm(kcfaes_gcm_decrypt_aesni, s, p, j0, aad, text)
}

#[test]
fn powers_form() {
    let mut bytes = Bytes(12);
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let powers = powers(&schedule(&key));
        let mut h = [0u8; 16];
        Reference::new(&key).encrypt(&mut h);
        assert_eq!(powers.h.0, h);
        let h = u128::from_be_bytes(h);
        let mut power = h;
        for n in 1..=COMMON_POWERS {
            // Dividing by x: the inverse of one step of algorithm 1.
            let top = power >> 127;
            let stored = power << 1 ^ if top == 1 { 0xc2 << 120 | 1 } else { 0 };
            assert_eq!(powers.pow[POWERS - n].0, stored.to_le_bytes(), "H^{n}");
            let (pair, half) = mid_of(POWERS - n);
            assert_eq!(powers.mid[pair][half], (stored >> 64) as u64 ^ stored as u64, "mid {n}");
            power = slow_product(power, h);
        }
    }
}

#[test]
fn ecb_every_length() {
    let mut bytes = Bytes(1);
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let (schedule, reference) = (schedule(&key), Reference::new(&key));
        for blocks in (0..=*LENGTHS.end() / 16).chain([1024]) {
            let plain = bytes.take(16 * blocks);
            let mut cipher = plain.clone();
            cipher.chunks_exact_mut(16).for_each(|block| reference.encrypt(block));
            let mut again = cipher.clone();
            again.chunks_exact_mut(16).for_each(|block| reference.decrypt(block));
            assert_eq!(again, plain);
            let out = everywhere(&plain, &|src, dst, len| unsafe {
                kcfaes_ecb_encrypt_aesni(&schedule, src, dst, len / 16)
            });
            assert_eq!(out, cipher, "{size}-byte key, {blocks} blocks");
            let out = everywhere(&cipher, &|src, dst, len| unsafe {
                kcfaes_ecb_decrypt_aesni(&schedule, src, dst, len / 16)
            });
            assert_eq!(out, plain, "{size}-byte key, {blocks} blocks");
        }
    }
}

#[test]
fn cbc_every_length() {
    let mut bytes = Bytes(2);
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let schedule = schedule(&key);
        for blocks in (0..=*LENGTHS.end() / 16).chain([1024]) {
            let (iv, plain) = (bytes.block(), bytes.take(16 * blocks));
            let cipher = reference_cbc_encrypt(&key, &iv, &plain);
            let last = cipher.last_chunk::<16>().map_or(iv, |block| Block(*block));
            let out = everywhere(&plain, &|src, dst, len| {
                let mut chain = iv;
                unsafe { kcfaes_cbc_encrypt_aesni(&schedule, &mut chain, src, dst, len / 16) };
                assert_eq!(chain, last);
            });
            assert_eq!(out, cipher, "{size}-byte key, {blocks} blocks");
            let out = everywhere(&cipher, &|src, dst, len| {
                let mut chain = iv;
                unsafe { kcfaes_cbc_decrypt_aesni(&schedule, &mut chain, src, dst, len / 16) };
                assert_eq!(chain, last);
            });
            assert_eq!(out, plain, "{size}-byte key, {blocks} blocks");
        }
    }
}

#[test]
fn ctr_every_length() {
    let mut bytes = Bytes(3);
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let schedule = schedule(&key);
        for len in LENGTHS.chain([16384, 16389]) {
            let (start, plain) = (bytes.block(), bytes.take(len));
            let cipher = reference_ctr32(&key, &start, &plain);
            let out = everywhere(&plain, &|src, dst, len| {
                let mut ctr = start;
                unsafe { kcfaes_ctr32_aesni(&schedule, &mut ctr, src, dst, len) };
                assert_eq!(ctr, advanced(&start, len));
            });
            assert_eq!(out, cipher, "{size}-byte key, {len} bytes");
        }
    }
}

/// The 32-bit counter wraps, and its low byte carries, at every block of a text; the upper 96
/// bits stay.
#[test]
fn counter_wraps_at_each_block() {
    let mut bytes = Bytes(4);
    let key = bytes.take(16);
    let schedule = schedule(&key);
    let powers = powers(&schedule);
    let plain = bytes.take(45 * 16 + 7);
    for end in [0u32, 0x0000_0100, 0x0001_0000, 0x0100_0000, 0xffff_ff00] {
        for before in 0..=46 {
            let mut start = bytes.block();
            start.0[12..].copy_from_slice(&end.wrapping_sub(before).to_be_bytes());
            let cipher = reference_ctr32(&key, &start, &plain);
            let mut out = plain.clone();
            let mut ctr = start;
            let (src, dst) = (out.as_ptr(), out.as_mut_ptr());
            unsafe { kcfaes_ctr32_aesni(&schedule, &mut ctr, src, dst, plain.len()) };
            assert_eq!(out, cipher, "{before} before {end:#x}");
            assert_eq!(ctr, advanced(&start, plain.len()));

            for (kernel, text, want) in [
                (kcfaes_gcm_encrypt_aesni as GcmKernel, &plain, &cipher),
                (kcfaes_gcm_decrypt_aesni as GcmKernel, &cipher, &plain),
            ] {
                let (mut ctr, mut y) = (start, Block::default());
                let mut out = vec![0u8; text.len()];
                let (src, dst) = (text.as_ptr(), out.as_mut_ptr());
                unsafe {
                    kernel(&schedule, &powers, &mut ctr, &mut y, src, dst, text.len());
                }
                assert_eq!(&out, want, "{before} before {end:#x}");
                assert_eq!(ctr, advanced(&start, text.len()));
            }
        }
    }
}

#[test]
fn ghash_every_length() {
    use ghash::{GHash, universal_hash::UniversalHash};
    let mut bytes = Bytes(5);
    let key = bytes.take(16);
    let powers = powers(&schedule(&key));
    for len in LENGTHS.chain([16384, 16389]) {
        let (start, text) = (bytes.block(), bytes.take(len));
        let want = slow_ghash(&powers.h, &start, &text);
        // The crate knows no start value: it is absorbed as a first block in its stead.
        let mut other = GHash::new(GenericArray::from_slice(&powers.h.0));
        if len > 0 {
            let mut first = text.clone();
            first.resize(len.max(16), 0);
            first.iter_mut().zip(start.0).for_each(|(byte, start)| *byte ^= start);
            other.update_padded(&first);
            assert_eq!(other.finalize().as_slice(), want.0);
        }
        for at_end in [false, true] {
            let src = Guarded::new(&text, at_end);
            let mut y = start;
            unsafe { kcfaes_ghash_aesni(&powers, &mut y, src.text, len) };
            assert_eq!(y, want, "{len} bytes");
        }
    }
}

#[test]
fn gcm_every_length() {
    let mut bytes = Bytes(6);
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let schedule = schedule(&key);
        let powers = powers(&schedule);
        for len in LENGTHS.chain([16384, 16389]) {
            let (start, y0, plain) = (bytes.block(), bytes.block(), bytes.take(len));
            let cipher = reference_ctr32(&key, &start, &plain);
            let hash = slow_ghash(&powers.h, &y0, &cipher);
            for (kernel, text, want) in [
                (kcfaes_gcm_encrypt_aesni as GcmKernel, &plain, &cipher),
                (kcfaes_gcm_decrypt_aesni as GcmKernel, &cipher, &plain),
            ] {
                let out = everywhere(text, &|src, dst, len| {
                    let (mut ctr, mut y) = (start, y0);
                    unsafe { kernel(&schedule, &powers, &mut ctr, &mut y, src, dst, len) };
                    assert_eq!(y, hash, "{size}-byte key, {len} bytes");
                    assert_eq!(ctr, advanced(&start, len));
                });
                assert_eq!(&out, want, "{size}-byte key, {len} bytes");
            }
        }
    }
}

/// Whole messages against another implementation of the mode.
#[test]
fn gcm_messages() {
    use aes_gcm::{
        Aes128Gcm, Aes256Gcm,
        aead::{Aead, Payload},
    };
    let mut bytes = Bytes(7);
    for (aad_len, len) in (0..=70).flat_map(|aad| [(aad, 3 * aad), (aad, 500 - aad)]) {
        let (aad, plain, nonce) = (bytes.take(aad_len), bytes.take(len), bytes.take(12));
        let j0 = Block([&nonce[..], &[0, 0, 0, 1]].concat().try_into().unwrap());
        let payload = || Payload { msg: &plain, aad: &aad };
        for size in [16, 32] {
            let key = bytes.take(size);
            let nonce = GenericArray::from_slice(&nonce);
            let want = if size == 16 {
                Aes128Gcm::new(GenericArray::from_slice(&key)).encrypt(nonce, payload())
            } else {
                Aes256Gcm::new(GenericArray::from_slice(&key)).encrypt(nonce, payload())
            }
            .unwrap();
            let schedule = schedule(&key);
            let powers = powers(&schedule);
            let (mut out, tag) = seal(&schedule, &powers, &j0, &aad, &plain);
            let (back, same) = open(&schedule, &powers, &j0, &aad, &out);
            assert_eq!((back, same), (plain.clone(), tag));
            out.extend(tag.0);
            assert_eq!(out, want, "{aad_len} + {len} bytes");
        }
    }
}

/// One text in two calls is one text: the state between them has one form.
#[test]
fn state_carries_over_calls() {
    let mut bytes = Bytes(8);
    let key = bytes.take(32);
    let schedule = schedule(&key);
    let powers = powers(&schedule);
    let plain = bytes.take(400);
    let (start, iv) = (bytes.block(), bytes.block());
    let ctr_want = reference_ctr32(&key, &start, &plain);
    let hash_want = slow_ghash(&powers.h, &iv, &ctr_want);
    let cbc_want = reference_cbc_encrypt(&key, &iv, &plain);
    for blocks in 0..=25 {
        let cut = 16 * blocks;
        let mut out = plain.clone();
        let (mut ctr, mut y) = (start, iv);
        for part in [0..cut, cut..400] {
            let (src, dst, len) =
                (out[part.clone()].as_ptr(), out[part.clone()].as_mut_ptr(), part.len());
            unsafe {
                kcfaes_gcm_encrypt_aesni(&schedule, &powers, &mut ctr, &mut y, src, dst, len)
            };
        }
        assert_eq!((&out, y), (&ctr_want, hash_want));

        out.copy_from_slice(&plain);
        let mut chain = iv;
        for part in [0..cut, cut..400] {
            let (src, dst, len) =
                (out[part.clone()].as_ptr(), out[part.clone()].as_mut_ptr(), part.len());
            unsafe { kcfaes_cbc_encrypt_aesni(&schedule, &mut chain, src, dst, len / 16) };
        }
        assert_eq!(out, cbc_want);
        chain = iv;
        for part in [0..cut, cut..400] {
            let (src, dst, len) =
                (out[part.clone()].as_ptr(), out[part.clone()].as_mut_ptr(), part.len());
            unsafe { kcfaes_cbc_decrypt_aesni(&schedule, &mut chain, src, dst, len / 16) };
        }
        assert_eq!(out, plain);
    }
}

/// After wiping the vector registers hold nothing.
#[test]
fn wipe_clears_registers() {
    require_features();
    let mut registers = [[1u8; 16]; 16];
    unsafe {
        core::arch::asm!(
            "movq xmm0, {pattern}",
            "punpcklqdq xmm0, xmm0",
            "movdqa xmm1, xmm0", "movdqa xmm2, xmm0", "movdqa xmm3, xmm0", "movdqa xmm4, xmm0",
            "movdqa xmm5, xmm0", "movdqa xmm6, xmm0", "movdqa xmm7, xmm0", "movdqa xmm8, xmm0",
            "movdqa xmm9, xmm0", "movdqa xmm10, xmm0", "movdqa xmm11, xmm0",
            "movdqa xmm12, xmm0", "movdqa xmm13, xmm0", "movdqa xmm14, xmm0",
            "movdqa xmm15, xmm0",
            "call {wipe}",
            "movdqu [{registers}], xmm0", "movdqu [{registers} + 16], xmm1",
            "movdqu [{registers} + 32], xmm2", "movdqu [{registers} + 48], xmm3",
            "movdqu [{registers} + 64], xmm4", "movdqu [{registers} + 80], xmm5",
            "movdqu [{registers} + 96], xmm6", "movdqu [{registers} + 112], xmm7",
            "movdqu [{registers} + 128], xmm8", "movdqu [{registers} + 144], xmm9",
            "movdqu [{registers} + 160], xmm10", "movdqu [{registers} + 176], xmm11",
            "movdqu [{registers} + 192], xmm12", "movdqu [{registers} + 208], xmm13",
            "movdqu [{registers} + 224], xmm14", "movdqu [{registers} + 240], xmm15",
            pattern = in(reg) 0x5ec3_e700_5ec3_e700_u64,
            wipe = sym kcfaes_wipe_aesni,
            registers = in(reg) registers.as_mut_ptr(),
            clobber_abi("C"),
        );
    }
    assert_eq!(registers, [[0u8; 16]; 16]);
}

/// No entry point leaves a block of text, of keystream or of the hash state, nor a round key, on the
/// stack below its caller, whatever the length.
#[test]
fn entries_leave_nothing_on_the_stack() {
    require_features();
    const BELOW: usize = 1024;
    let key: [u8; 16] = core::array::from_fn(|i| 0xc1 ^ (i as u8).wrapping_mul(29));
    let (mut schedule, mut powers) = (Schedule::default(), Powers::default());
    unsafe {
        kcfaes_key_expand_aesni(&mut schedule, key.as_ptr(), 16);
        kcfaes_ghash_init_aesni(&schedule, &mut powers);
    }
    let plain: Vec<u8> = (0..400).map(|i| (i as u8).wrapping_mul(167) ^ 0x5e).collect();
    let start = Block(core::array::from_fn(|i| 0x90 + i as u8));
    let mut sealed = plain.clone();
    unsafe {
        kcfaes_ctr32_aesni(&schedule, &mut start.clone(), plain.as_ptr(), sealed.as_mut_ptr(), 400);
    }
    let keystream: Vec<u8> = plain.iter().zip(&sealed).map(|(p, c)| p ^ c).collect();
    let words = |bytes: &[u8]| -> Vec<u64> {
        bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let mut secrets = words(&keystream);
    for block in schedule.enc.iter().chain(&schedule.dec).chain(&powers.pow).chain([&powers.h]) {
        secrets.extend(words(&block.0));
    }
    secrets.retain(|&word| word != 0);

    let mut text = plain.clone();
    let at = text.as_mut_ptr();
    for len in 0..=400 {
        for entry in 0..7 {
            unsafe { core::ptr::copy_nonoverlapping(plain.as_ptr(), at, 400) };
            let (mut ctr, mut y) = (start, Block::default());
            let (s, p) = (&raw const schedule, &raw const powers);
            let found = after::<BELOW>(&mut || unsafe {
                match entry {
                    0 => kcfaes_gcm_encrypt_aesni(s, p, &mut ctr, &mut y, at, at, len),
                    1 => kcfaes_gcm_decrypt_aesni(s, p, &mut ctr, &mut y, at, at, len),
                    2 => kcfaes_ctr32_aesni(s, &mut ctr, at, at, len),
                    3 => kcfaes_ghash_aesni(p, &mut y, at, len),
                    4 => kcfaes_ecb_encrypt_aesni(s, at, at, len / 16),
                    5 => kcfaes_ecb_decrypt_aesni(s, at, at, len / 16),
                    _ => kcfaes_cbc_decrypt_aesni(s, &mut ctr, at, at, len / 16),
                }
            });
            let decrypts = matches!(entry, 1 | 5 | 6);
            let plaintext = words(if decrypts { &text[..len] } else { &plain });
            let secret = |word: &&u64| secrets.contains(word) || plaintext.contains(word);
            let left: Vec<_> = found.iter().filter(secret).collect();
            assert!(left.is_empty(), "entry {entry}, {len} bytes: {left:x?} on the stack");
        }
    }
}

/// Zeros `BELOW` bytes of stack below this function's frame, calls `f`, and returns what is there.
#[inline(never)]
fn after<const BELOW: usize>(f: &mut dyn FnMut()) -> Vec<u64> {
    let mut found = vec![0u64; BELOW / 8];
    unsafe {
        core::arch::asm!(
            "lea rdi, [rsp - {below}]",
            "rep stosq",
            below = const BELOW,
            inout("rcx") BELOW / 8 => _,
            in("rax") 0_u64,
            out("rdi") _,
        );
    }
    f();
    unsafe {
        core::arch::asm!(
            "lea rsi, [rsp - {below}]",
            "rep movsq",
            below = const BELOW,
            inout("rcx") BELOW / 8 => _,
            inout("rdi") found.as_mut_ptr() => _,
            out("rsi") _,
        );
    }
    found
}
