// SPDX-License-Identifier: MIT OR Apache-2.0
//! Table `portable`: AES and GHASH in integer registers only, for code that may not touch a vector register,
//! and for CPUs without AES-NI.
//!
//! Functions mean the same as the entry points of the other tables ([`kcfaes_kernels::entry_aesni`]). Key
//! material and state are the same too, so one message may alternate between tables. Constant time; no
//! allocation, no panic. Text comes as [`Runs`], cut anywhere. A batch is read before it is written, so
//! source and destination may be the same bytes.

mod aes;
mod ghash;
mod sbox;
#[cfg(test)]
mod tests;

use crate::data::Runs;
use aes::{BATCH, Middle, RoundKeys};
use ghash::Power;
use kcfaes_kernels::{Block, BlockMode, Powers, Schedule};

/// Expands a key of 16, 24 or 32 bytes into `schedule` (both directions).
#[inline(never)]
pub fn key_expand(schedule: &mut Schedule, key: &[u8]) {
    aes::key_expand(schedule, key);
}

/// Computes H = E(K, 0^128) and its powers.
#[inline(never)]
pub fn ghash_init(schedule: &Schedule, powers: &mut Powers) {
    let mut h = Block::default();
    encrypt_block(schedule, &mut h);
    ghash::init(powers, h);
}

/// `mode` over `runs`, as the functions below say. `state` is as [`BlockMode`] says; `mac` is for CCM and
/// CBC-MAC. The sliced round keys take most of this frame, so the modes have frames of their own.
#[inline(never)]
pub fn transform(
    mode: BlockMode,
    schedule: &Schedule,
    state: &mut Block,
    mac: &mut Block,
    runs: Runs<'_, '_>,
) {
    let mut room = Middle::default();
    let keys = &RoundKeys::new(schedule, &mut room);
    match mode {
        BlockMode::EcbEncrypt => ecb_encrypt(keys, runs),
        BlockMode::EcbDecrypt => ecb_decrypt(keys, runs),
        BlockMode::CbcEncrypt => cbc_encrypt(keys, state, runs),
        BlockMode::CbcDecrypt => cbc_decrypt(keys, state, runs),
        BlockMode::Ctr => ctr32(keys, state, runs),
        BlockMode::CcmEncrypt => ccm_encrypt(keys, state, mac, runs),
        BlockMode::CcmDecrypt => ccm_decrypt(keys, state, mac, runs),
        BlockMode::CbcMac => cbc_mac_of(keys, mac, runs),
    }
}

/// The cipher applied to one block.
#[inline(never)]
fn encrypt_block(schedule: &Schedule, block: &mut Block) {
    let mut room = Middle::default();
    RoundKeys::new(schedule, &mut room).encrypt_block(&mut block.0);
}

/// ECB encryption of full blocks.
#[inline(never)]
fn ecb_encrypt(keys: &RoundKeys<'_>, mut runs: Runs<'_, '_>) {
    let mut text = [0; BATCH];
    while runs.peek(&mut text) != 0 {
        keys.encrypt(&mut text);
        runs.put(&text);
    }
}

/// ECB decryption of full blocks.
#[inline(never)]
fn ecb_decrypt(keys: &RoundKeys<'_>, mut runs: Runs<'_, '_>) {
    let mut text = [0; BATCH];
    while runs.peek(&mut text) != 0 {
        keys.decrypt(&mut text);
        runs.put(&text);
    }
}

/// CBC encryption of full blocks. `iv` is the previous ciphertext block, and becomes the last block written.
#[inline(never)]
fn cbc_encrypt(keys: &RoundKeys<'_>, iv: &mut Block, mut runs: Runs<'_, '_>) {
    let mut text = [0; 16];
    while runs.peek(&mut text) != 0 {
        add(&mut iv.0, &text);
        keys.encrypt_block(&mut iv.0);
        runs.put(&iv.0);
    }
}

/// CBC decryption of full blocks. `iv` is the previous ciphertext block, and becomes the last block read.
#[inline(never)]
fn cbc_decrypt(keys: &RoundKeys<'_>, iv: &mut Block, mut runs: Runs<'_, '_>) {
    let mut cipher = [0; BATCH];
    loop {
        let len = runs.peek(&mut cipher);
        if len == 0 {
            break;
        }
        let mut text = cipher;
        keys.decrypt(&mut text);
        for (text, cipher) in blocks_mut(&mut text).zip(blocks(&cipher)).take(len.div_ceil(16)) {
            add(text, &iv.0);
            iv.0 = *cipher;
        }
        runs.put(&text);
    }
}

/// CTR over any number of bytes. The low 32 bits of `ctr` (big-endian, bytes 12..16) count modulo 2^32; the
/// upper 96 stay. `ctr` advances by the blocks begun. A last partial block uses the leading bytes of its
/// keystream block.
#[inline(never)]
fn ctr32(keys: &RoundKeys<'_>, ctr: &mut Block, mut runs: Runs<'_, '_>) {
    let mut text = [0; BATCH];
    loop {
        let len = runs.peek(&mut text);
        if len == 0 {
            break;
        }
        gctr(keys, ctr, &mut text, len);
        runs.put(&text);
    }
}

/// GHASH: absorbs `bytes` into `y`, zero-padding a last partial block (SP 800-38D section 6.4).
#[inline(never)]
pub fn ghash(powers: &Powers, y: &mut Block, bytes: &[u8]) {
    let (whole, partial) = bytes.as_chunks();
    let mut last = [0; 16];
    last.iter_mut().zip(partial).for_each(|(to, from)| *to = *from);
    let padded = (!partial.is_empty()).then_some(&last);
    absorb(&Power::h(powers), y, whole.iter().chain(padded));
}

/// GCTR encryption and GHASH of the ciphertext in one pass. `ctr` is as in `ctr32`. A last partial block is
/// zero-padded into `y`.
#[inline(never)]
pub fn gcm_encrypt(
    schedule: &Schedule,
    powers: &Powers,
    ctr: &mut Block,
    y: &mut Block,
    runs: Runs<'_, '_>,
) {
    let mut room = Middle::default();
    gcm_encrypt_with(&RoundKeys::new(schedule, &mut room), powers, ctr, y, runs);
}

#[inline(never)]
fn gcm_encrypt_with(
    keys: &RoundKeys<'_>,
    powers: &Powers,
    ctr: &mut Block,
    y: &mut Block,
    mut runs: Runs<'_, '_>,
) {
    let h = Power::h(powers);
    let mut text = [0; BATCH];
    loop {
        let len = runs.peek(&mut text);
        if len == 0 {
            break;
        }
        gctr(keys, ctr, &mut text, len);
        runs.put(&text);
        text.iter_mut().skip(len).for_each(|keystream| *keystream = 0);
        absorb(&h, y, blocks(&text).take(len.div_ceil(16)));
    }
}

/// GHASH of the ciphertext and GCTR decryption in one pass, otherwise as [`gcm_encrypt`].
#[inline(never)]
pub fn gcm_decrypt(
    schedule: &Schedule,
    powers: &Powers,
    ctr: &mut Block,
    y: &mut Block,
    runs: Runs<'_, '_>,
) {
    let mut room = Middle::default();
    gcm_decrypt_with(&RoundKeys::new(schedule, &mut room), powers, ctr, y, runs);
}

#[inline(never)]
fn gcm_decrypt_with(
    keys: &RoundKeys<'_>,
    powers: &Powers,
    ctr: &mut Block,
    y: &mut Block,
    mut runs: Runs<'_, '_>,
) {
    let h = Power::h(powers);
    let mut text = [0; BATCH];
    loop {
        let len = runs.peek(&mut text);
        if len == 0 {
            break;
        }
        absorb(&h, y, blocks(&text).take(len.div_ceil(16)));
        gctr(keys, ctr, &mut text, len);
        runs.put(&text);
    }
}

/// Turns `y` into the full 16-byte tag: absorbs the length block of `aad_len` and `text_len` bytes,
/// then adds E(K, `j0`) (SP 800-38D section 7.1, steps 5 and 6).
#[inline(never)]
pub fn gcm_tag(
    schedule: &Schedule,
    powers: &Powers,
    j0: &Block,
    y: &mut Block,
    aad_len: u64,
    text_len: u64,
) {
    let bits = |bytes: u64| u128::from(bytes.wrapping_mul(8));
    let lengths = ((bits(aad_len) << 64) | bits(text_len)).to_be_bytes();
    absorb(&Power::h(powers), y, [&lengths].into_iter());
    let mut pad = *j0;
    encrypt_block(schedule, &mut pad);
    add(&mut y.0, &pad.0);
}

/// CBC-MAC: absorbs `bytes` into `mac`, zero-padding a last partial block.
#[inline(never)]
pub fn cbc_mac(schedule: &Schedule, mac: &mut Block, bytes: &[u8]) {
    let mut room = Middle::default();
    let keys = RoundKeys::new(schedule, &mut room);
    for piece in bytes.chunks(16) {
        mac.0.iter_mut().zip(piece).for_each(|(mac, byte)| *mac ^= byte);
        keys.encrypt_block(&mut mac.0);
    }
}

/// As [`cbc_mac`], for the bytes that the runs read.
#[inline(never)]
fn cbc_mac_of(keys: &RoundKeys<'_>, mac: &mut Block, mut runs: Runs<'_, '_>) {
    let mut text = [0; 16];
    while runs.peek(&mut text) != 0 {
        add(&mut mac.0, &text);
        keys.encrypt_block(&mut mac.0);
        runs.skip(text.len());
    }
}

/// CTR and CBC-MAC of the plaintext in one pass. `ctr` is as in [`ctr32`]. A last partial block is
/// zero-padded into `mac`.
#[inline(never)]
fn ccm_encrypt(keys: &RoundKeys<'_>, ctr: &mut Block, mac: &mut Block, mut runs: Runs<'_, '_>) {
    let mut text = [0; 16];
    while runs.peek(&mut text) != 0 {
        add(&mut mac.0, &text);
        let keystream = mac_and_keystream(keys, ctr, mac);
        add(&mut text, &keystream);
        runs.put(&text);
        next_counter(ctr);
    }
}

/// CTR decryption and CBC-MAC of the plaintext in one pass, otherwise as [`ccm_encrypt`].
#[inline(never)]
fn ccm_decrypt(keys: &RoundKeys<'_>, ctr: &mut Block, mac: &mut Block, mut runs: Runs<'_, '_>) {
    let mut keystream = ctr.0;
    keys.encrypt_block(&mut keystream);
    let mut text = [0; 16];
    loop {
        let len = runs.peek(&mut text);
        if len == 0 {
            break;
        }
        add(&mut text, &keystream);
        runs.put(&text);
        text.iter_mut().skip(len).for_each(|keystream| *keystream = 0);
        add(&mut mac.0, &text);
        next_counter(ctr);
        keystream = mac_and_keystream(keys, ctr, mac);
    }
}

/// Encrypts `mac`, to which text was added, and returns the keystream of `ctr`: two blocks cost as much as
/// one.
#[inline(always)]
fn mac_and_keystream(keys: &RoundKeys<'_>, ctr: &Block, mac: &mut Block) -> [u8; 16] {
    let mut batch = [0; BATCH];
    for (to, from) in blocks_mut(&mut batch).zip([mac.0, ctr.0]) {
        *to = from;
    }
    keys.encrypt(&mut batch);
    let mut keystream = [0; 16];
    for (from, to) in blocks(&batch).zip([&mut mac.0, &mut keystream]) {
        *to = *from;
    }
    keystream
}

/// The counter block after `ctr`.
#[inline(always)]
pub(crate) fn next_counter(ctr: &mut Block) {
    ctr.0 = inc32(u128::from_be_bytes(ctr.0), 1).to_be_bytes();
}

/// Bytes of stack below the caller's that a function of this table may have used. Measured: the deepest chain of
/// GCM, with what its call pushes, takes 1,992 in the kernel object (`make audit` prints it, and fails if it is more
/// than this). On AArch64 no audit looks at frames: there `ffi-tests/c/residue_test.c` would find what a shorter
/// wipe leaves (`make aarch64`). The rest allows for another compiler's frames. The functions are never inlined, so
/// none of this moves into the caller's own frame.
pub const WIPED_STACK: usize = 2304;

/// Adds the keystream of `ctr` to `text`. Advances `ctr` by the blocks that the first `len` bytes of `text`
/// begin.
#[inline(always)]
fn gctr(keys: &RoundKeys<'_>, ctr: &mut Block, text: &mut [u8; BATCH], len: usize) {
    let first = u128::from_be_bytes(ctr.0);
    let mut keystream = [0; BATCH];
    for (i, block) in (0..).zip(blocks_mut(&mut keystream)) {
        *block = inc32(first, i).to_be_bytes();
    }
    keys.encrypt(&mut keystream);
    for (text, keystream) in blocks_mut(text).zip(blocks(&keystream)) {
        add(text, keystream);
    }
    ctr.0 = inc32(first, len.div_ceil(16) as u32).to_be_bytes();
}

/// The incrementing function inc_32 (SP 800-38D section 6.2), applied `by` times.
#[inline]
fn inc32(counter: u128, by: u32) -> u128 {
    (counter & !u128::from(u32::MAX)) | u128::from((counter as u32).wrapping_add(by))
}

#[inline(always)]
fn absorb<'a>(h: &Power, y: &mut Block, blocks: impl Iterator<Item = &'a [u8; 16]>) {
    y.0 = ghash::absorb(u128::from_be_bytes(y.0), h, blocks).to_be_bytes();
}

/// Adds one block to another.
#[inline(always)]
fn add(block: &mut [u8; 16], other: &[u8; 16]) {
    *block = (u128::from_ne_bytes(*block) ^ u128::from_ne_bytes(*other)).to_ne_bytes();
}

fn blocks(batch: &[u8; BATCH]) -> impl Iterator<Item = &[u8; 16]> {
    batch.as_chunks().0.iter()
}

fn blocks_mut(batch: &mut [u8; BATCH]) -> impl Iterator<Item = &mut [u8; 16]> {
    batch.as_chunks_mut().0.iter_mut()
}
