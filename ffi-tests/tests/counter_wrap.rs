// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM messages whose 32-bit counter wraps while the table changes from part to part. For the IVs of these
//! vectors J0 was solved: its low 32 bits are 2^32 - k, k = 0 to 64 (vectors/README.md). OpenSSL and
//! pycryptodome computed the answers.

use kcfaes_capi::api::kcfaes_rc::KCFAES_OK;
use kcfaes_capi::api::{
    kcfaes_ctx, kcfaes_ctx_free, kcfaes_ctx_new, kcfaes_gcm_open_final, kcfaes_gcm_open_init,
    kcfaes_gcm_seal_final, kcfaes_gcm_seal_init, kcfaes_key, kcfaes_key_free, kcfaes_key_new,
    kcfaes_update, kcfaes_update_unverified,
};
use kcfaes_ffi_tests::buffer::{Buffer, Format, below};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::engine::TableId;
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::{Case, Ciphertext, Mode, Stream, load_all};

/// The text of each case, in bytes.
const LEN: usize = 1100;

/// The cases, each with the blocks of text before its counter is zero.
fn cases() -> Vec<(Case, usize)> {
    let files = load_all("../vectors".as_ref()).unwrap_or_else(|e| panic!("{e}"));
    let cases = files.into_iter().flat_map(|file| file.cases);
    let solved = cases.filter(|case| {
        let digest = matches!(case.ct, Ciphertext::Digest(_));
        case.mode == Mode::Gcm && digest && case.iv.len() == 16 && case.pt.len() == LEN
    });
    let of = |case: Case, index: usize| {
        // In the order of the vectors: k is 0 to 64, once for each key size. The text begins one block
        // behind J0.
        let k = index % 65;
        (case, k.saturating_sub(1))
    };
    solved.enumerate().map(|(index, case)| of(case, index)).collect()
}

/// Lengths of parts that add up to [`LEN`]. `wrap` is where the counter becomes zero.
fn cuts(wrap: usize, random: &mut Stream) -> Vec<Vec<usize>> {
    let places = [
        vec![wrap],
        vec![wrap + 16],
        vec![wrap.saturating_sub(16), wrap, wrap + 16],
        vec![wrap.saturating_sub(1), wrap + 1],
        vec![wrap.saturating_sub(5), wrap.saturating_sub(4), wrap + 9],
        (1..=LEN / 100).map(|i| 100 * i).collect(),
        (0..8).map(|_| below(random, LEN)).collect(),
        vec![below(random, 64), 64 + below(random, LEN - 64)],
    ];
    places
        .into_iter()
        .map(|mut places| {
            places.extend([0, LEN]);
            places.sort_unstable();
            places.windows(2).map(|pair| (pair[1] - pair[0]).min(LEN)).collect()
        })
        .collect()
}

/// The next table, one after the other, with each change both ways.
struct Turns(usize);

impl Turns {
    fn next(&mut self) -> TableId {
        let tables = kernel::tables();
        let n = tables.len();
        // Steps of 1 to n - 1: every pair of tables follows one another.
        self.0 += 1 + self.0 / n % n.saturating_sub(1).max(1);
        let table = tables[self.0 % n];
        kernel::use_table(table);
        table
    }
}

/// By KCF's calls, to separate memory. Returns what came out.
fn by_module(case: &Case, way: Way, input: &[u8], parts: &[usize], turns: &mut Turns) -> Vec<u8> {
    let mut request = Request::of(case);
    turns.next();
    let mut message = request.init(way, None).expect("init");
    let tag = case.tag.len();
    let want = if way == Way::Encrypt { LEN + tag } else { LEN };
    let mut src = Buffer::new(Format::Raw, input, &[]);
    let mut dst = Buffer::room(Format::Raw, want, &[]);
    let (mut taken, mut given) = (0, 0);
    // The tag is a part of its own.
    for &part in parts.iter().chain(&[input.len() - LEN]) {
        turns.next();
        let (mut from, mut to) = (src.data(taken, part), dst.data(given, want - given));
        assert_eq!(message.update(&mut from, Out::Other(&mut to)), CRYPTO_SUCCESS, "{}", case.id);
        taken += part;
        given += to.cd_length;
    }
    turns.next();
    let mut to = dst.data(given, want - given);
    assert_eq!(message.finish(Some(&mut to)), CRYPTO_SUCCESS, "{} {way:?} {parts:?}", case.id);
    assert_eq!(given + to.cd_length, want);
    dst.bytes()
}

/// By the plain C API, in place.
fn by_library(
    case: &Case,
    (key, ctx): (*const kcfaes_key, *mut kcfaes_ctx),
    way: Way,
    input: &[u8],
    parts: &[usize],
    turns: &mut Turns,
) -> Vec<u8> {
    let (mut text, mut tag) = (input[..LEN].to_vec(), input[LEN..].to_vec());
    tag.resize(case.tag.len(), 0);
    let (iv, iv_len) = (case.iv.as_ptr(), case.iv.len());
    let (aad, aad_len) = (case.aad.as_ptr(), case.aad.len());
    let seals = way == Way::Encrypt;
    let mut written = 0;
    turns.next();
    // SAFETY: a live key and context; pointers to as many bytes as stated.
    unsafe {
        let init = if seals { kcfaes_gcm_seal_init } else { kcfaes_gcm_open_init };
        assert!(init(ctx, key, iv, iv_len, aad, aad_len) == KCFAES_OK);
        let mut at = text.as_mut_ptr();
        for &part in parts {
            turns.next();
            let update = if seals { kcfaes_update } else { kcfaes_update_unverified };
            assert!(update(ctx, at, part, at, part, &raw mut written) == KCFAES_OK);
            assert_eq!(written, part);
            at = at.add(part);
        }
        turns.next();
        let rc = if seals {
            kcfaes_gcm_seal_final(ctx, at, 0, &raw mut written, tag.as_mut_ptr(), tag.len())
        } else {
            kcfaes_gcm_open_final(ctx, at, 0, &raw mut written, tag.as_ptr(), tag.len())
        };
        assert!(rc == KCFAES_OK, "{} {way:?} {parts:?}", case.id);
    }
    if seals { [text, tag].concat() } else { text }
}

#[test]
fn the_counter_wraps_while_the_table_changes() {
    let (mut random, mut turns) = (Stream::new(20), Turns(0));
    let cases = cases();
    assert_eq!(cases.len(), 3 * 65, "solved cases of wide.tsv");
    for (case, wrap) in &cases {
        let (mut key, mut ctx) = (core::ptr::null_mut(), core::ptr::null_mut());
        // SAFETY: pointers to live data of that length.
        let (rc, of) = unsafe {
            turns.next();
            let rc = kcfaes_key_new(case.key.as_ptr(), case.key.len(), &raw mut key);
            (rc, kcfaes_ctx_new(&raw mut ctx))
        };
        assert!(rc == KCFAES_OK && of == KCFAES_OK);
        for parts in cuts(16 * wrap, &mut random) {
            let name = format!("{} wraps at {wrap}, {parts:?}", case.id);
            let sealed = by_module(case, Way::Encrypt, &case.pt, &parts, &mut turns);
            assert!(case.ct.matches(&sealed[..LEN]), "{name}: ciphertext");
            assert_eq!(sealed[LEN..], case.tag, "{name}: tag");
            let opened = by_module(case, Way::Decrypt, &sealed, &parts, &mut turns);
            assert!(opened == case.pt, "{name}: plaintext");
            let both = (key.cast_const(), ctx);
            let again = by_library(case, both, Way::Encrypt, &case.pt, &parts, &mut turns);
            assert!(again == sealed, "{name}: libkcfaes");
            let opened = by_library(case, both, Way::Decrypt, &sealed, &parts, &mut turns);
            assert!(opened == case.pt, "{name}: libkcfaes, plaintext");
        }
        // SAFETY: nobody uses them again.
        unsafe {
            kcfaes_ctx_free(ctx);
            kcfaes_key_free(key);
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// The vectors are what the test takes them for: RustCrypto's AES over J0, computed from the IV.
#[test]
fn the_counters_wrap_where_they_say() {
    // The keystream of the block that follows the wrap is E(K, J0's first 12 bytes and zeros).
    for (case, wrap) in cases() {
        let j0 = j0_of(&case);
        let low = u32::from_be_bytes(*j0.last_chunk().expect("4 bytes"));
        let k = low.wrapping_neg() as usize;
        assert_eq!(wrap, k.saturating_sub(1), "{}", case.id);
    }
}

/// GHASH of the IV and its length, from single blocks of RustCrypto's AES.
fn j0_of(case: &Case) -> [u8; 16] {
    use aes::cipher::{BlockEncrypt, KeyInit};
    let mut h = [0; 16].into();
    match case.key.len() {
        16 => aes::Aes128::new_from_slice(&case.key).expect("a key").encrypt_block(&mut h),
        24 => aes::Aes192::new_from_slice(&case.key).expect("a key").encrypt_block(&mut h),
        _ => aes::Aes256::new_from_slice(&case.key).expect("a key").encrypt_block(&mut h),
    }
    let h = u128::from_be_bytes(h.into());
    let iv = u128::from_be_bytes(case.iv.as_slice().try_into().expect("16 bytes"));
    multiply(multiply(iv, h) ^ 128, h).to_be_bytes()
}

/// SP 800-38D, algorithm 1.
fn multiply(x: u128, mut v: u128) -> u128 {
    let mut z = 0;
    for i in (0..128).rev() {
        z ^= if x >> i & 1 == 1 { v } else { 0 };
        v = v >> 1 ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}
