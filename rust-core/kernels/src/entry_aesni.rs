// SPDX-License-Identifier: MIT OR Apache-2.0
//! Table `aesni`: legacy-SSE encodings of AES-NI, SSSE3, SSE4.1 and PCLMULQDQ; xmm0–15 only.

use crate::{
    Block, BlockMode, ChainKeys, Chains, CounterBlock, Piece, Powers, Schedule, Tag,
    entry::{entries, framed_entries},
};
#[cfg(target_feature = "sse2")]
use crate::{
    body::{cbc, cbc_batch, cbc_mac, ccm, ctr, ecb, gcm, ghash, key, pieces},
    lanes::Xmm,
    wipe,
};

/// The longest text, in bytes, of `kcfaes_gcm_short_aesni`: two blocks less than a turn.
pub const SHORT_TEXT: usize = 16 * (crate::COMMON_POWERS - 2);

entries! {
    "aes,pclmulqdq,ssse3,sse4.1"

    /// Expands a key of `key_len` 16, 24 or 32 bytes into `schedule` (both directions).
    fn kcfaes_key_expand_aesni(schedule: *mut Schedule, key: *const u8, key_len: usize) {
        key::expand(schedule, key, key_len)
    }
    /// Computes H = E(K, 0^128) and [`COMMON_POWERS`](crate::COMMON_POWERS) powers of it. The others become zero.
    fn kcfaes_ghash_init_aesni(schedule: *const Schedule, powers: *mut Powers) {
        ghash::init::<Xmm>(schedule, powers)
    }
    /// ECB encryption of `blocks` blocks.
    fn kcfaes_ecb_encrypt_aesni(schedule: *const Schedule, src: *const u8, dst: *mut u8, blocks: usize) {
        ecb::ecb::<Xmm, true>(schedule, src, dst, blocks)
    }
    /// ECB decryption of `blocks` blocks.
    fn kcfaes_ecb_decrypt_aesni(schedule: *const Schedule, src: *const u8, dst: *mut u8, blocks: usize) {
        ecb::ecb::<Xmm, false>(schedule, src, dst, blocks)
    }
    /// CBC encryption. `iv` is the previous ciphertext block, and becomes the last block written.
    fn kcfaes_cbc_encrypt_aesni(schedule: *const Schedule, iv: *mut Block, src: *const u8, dst: *mut u8, blocks: usize) {
        cbc::encrypt(schedule, iv, src, dst, blocks)
    }
    /// CBC encryption of `blocks` blocks in each of the first 8 `chains`. Their `iv` advance, their pointers
    /// do not. The round keys are those of `schedule`, or those in `keys` if `keys` is not NULL.
    fn kcfaes_cbc_encrypt_batch_aesni(schedule: *const Schedule, keys: *const ChainKeys, chains: *mut Chains, blocks: usize) {
        if keys.is_null() {
            cbc_batch::encrypt::<Xmm, 8, false>(schedule, keys, chains, blocks)
        } else {
            cbc_batch::encrypt::<Xmm, 8, true>(schedule, keys, chains, blocks)
        }
    }
    /// CBC decryption. `iv` is the previous ciphertext block, and becomes the last block read.
    fn kcfaes_cbc_decrypt_aesni(schedule: *const Schedule, iv: *mut Block, src: *const u8, dst: *mut u8, blocks: usize) {
        cbc::decrypt::<Xmm>(schedule, iv, src, dst, blocks)
    }
    /// CTR over `len` bytes. The low 32 bits of `ctr` (big-endian, bytes 12..16) count modulo 2^32; the upper
    /// 96 stay. `ctr` advances by `len / 16` rounded up. A last partial block uses the leading bytes of its
    /// keystream block.
    fn kcfaes_ctr32_aesni(schedule: *const Schedule, ctr: *mut Block, src: *const u8, dst: *mut u8, len: usize) {
        ctr::ctr32::<Xmm>(schedule, ctr, src, dst, len)
    }
    /// GHASH: absorbs `len` bytes into `y`, zero-padding a last partial block (SP 800-38D 6.4).
    fn kcfaes_ghash_aesni(powers: *const Powers, y: *mut Block, src: *const u8, len: usize) {
        ghash::ghash::<Xmm>(powers, y, src, len)
    }
    /// CBC-MAC: absorbs `len` bytes into `mac`, zero-padding a last partial block.
    fn kcfaes_cbc_mac_aesni(schedule: *const Schedule, mac: *mut Block, src: *const u8, len: usize) {
        cbc_mac::absorb(schedule, mac, src, len)
    }
    /// CTR and CBC-MAC of the plaintext in one pass. `ctr` is as in CTR. A last partial block is zero-padded
    /// into `mac`.
    fn kcfaes_ccm_encrypt_aesni(schedule: *const Schedule, ctr: *mut Block, mac: *mut Block, src: *const u8, dst: *mut u8, len: usize) {
        ccm::ccm::<true>(schedule, ctr, mac, src, dst, len)
    }
    /// CTR decryption and CBC-MAC of the plaintext in one pass, otherwise as encryption.
    fn kcfaes_ccm_decrypt_aesni(schedule: *const Schedule, ctr: *mut Block, mac: *mut Block, src: *const u8, dst: *mut u8, len: usize) {
        ccm::ccm::<false>(schedule, ctr, mac, src, dst, len)
    }
    /// A whole text of at most [`SHORT_TEXT`] bytes in one piece, and its tag (SP 800-38D 7.1 steps 3 to 6, or
    /// 7.2). The counters of the text follow `j0`. On entry `y` is the hash of `aad_len` bytes without its last
    /// multiplication. (So it is the padded AAD itself, if that is one block.) On return `y` is the full 16-byte
    /// tag, or the one that a decrypted text should have.
    fn kcfaes_gcm_short_aesni(schedule: *const Schedule, powers: *const Powers, j0: *const CounterBlock, y: *mut Block, aad_len: u64, src: *const u8, dst: *mut u8, len: usize, encrypt: bool) {
        gcm::transform_short::<Xmm>(schedule, powers, j0, y, aad_len, src, dst, len, encrypt)
    }
    /// Clears xmm0–15. An entry point leaves no keys and no text on the stack.
    fn kcfaes_wipe_aesni() {
        wipe::xmm()
    }
}

// GCM and texts in pieces, which spill blocks.

framed_entries! {
    wipe::wipe_stack_aesni,

    /// `mode` over the first `len` bytes of these pieces. `len` is full blocks, except at the end of a text
    /// in the modes with a counter. `mac` is for CCM and CBC-MAC. Otherwise as the entry point of the mode.
    fn kcfaes_pieces_aesni(mode: BlockMode, schedule: *const Schedule, state: *mut Block, mac: *mut Block, text: *const Piece, len: usize) pieces;
    /// GCTR encryption and GHASH of the ciphertext in one pass, over the first `len` bytes of these pieces.
    /// If a block `waits`, `y` lacks the multiplication of its last block, and `ctr` is the counter block before
    /// the next one. So a message begins with J0, and with the padded AAD if that is one block. A last
    /// partial block is zero-padded into `y`. If `tag` is not NULL, `y` becomes the full 16-byte tag: the length
    /// block is hashed and E(K, J0) added. Otherwise `ctr` advances.
    fn kcfaes_gcm_encrypt_aesni(schedule: *const Schedule, powers: *const Powers, ctr: *mut CounterBlock, y: *mut Block, text: *const Piece, len: usize, waits: bool, tag: *const Tag<'_>) gcm, crate::entry::pass_gcm!(1);
    /// GHASH of the ciphertext and GCTR decryption in one pass, otherwise as encryption.
    fn kcfaes_gcm_decrypt_aesni(schedule: *const Schedule, powers: *const Powers, ctr: *mut CounterBlock, y: *mut Block, text: *const Piece, len: usize, waits: bool, tag: *const Tag<'_>) gcm, crate::entry::pass_gcm!(0);
}

#[cfg(target_feature = "sse2")]
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
unsafe extern "C" fn pieces(
    mode: BlockMode,
    schedule: *const Schedule,
    state: *mut Block,
    mac: *mut Block,
    text: *const Piece,
    len: usize,
) {
    // SAFETY: the entry points' contract; the features are enabled here.
    unsafe {
        pieces::transform::<Xmm, 2, true>(mode, schedule, state, mac, text, len, |run| {
            let Piece { src, dst, len } = run;
            match mode {
                BlockMode::EcbEncrypt => kcfaes_ecb_encrypt_aesni(schedule, src, dst, len / 16),
                BlockMode::EcbDecrypt => kcfaes_ecb_decrypt_aesni(schedule, src, dst, len / 16),
                BlockMode::CbcEncrypt => {
                    kcfaes_cbc_encrypt_aesni(schedule, state, src, dst, len / 16)
                }
                BlockMode::CbcDecrypt => {
                    kcfaes_cbc_decrypt_aesni(schedule, state, src, dst, len / 16)
                }
                BlockMode::Ctr => kcfaes_ctr32_aesni(schedule, state, src, dst, len),
                BlockMode::CcmEncrypt => {
                    kcfaes_ccm_encrypt_aesni(schedule, state, mac, src, dst, len)
                }
                BlockMode::CcmDecrypt => {
                    kcfaes_ccm_decrypt_aesni(schedule, state, mac, src, dst, len)
                }
                BlockMode::CbcMac => kcfaes_cbc_mac_aesni(schedule, mac, src, len),
            }
        });
    }
}

#[cfg(target_feature = "sse2")]
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
unsafe extern "C" fn gcm(
    schedule: *const Schedule,
    powers: *const Powers,
    ctr: *mut CounterBlock,
    y: *mut Block,
    text: *const Piece,
    len: usize,
    waits: bool,
    encrypt: bool,
    tag: *const Tag<'_>,
) {
    // SAFETY: the entry points' contract; the features are enabled here.
    unsafe { gcm::transform::<Xmm>(schedule, powers, ctr, y, text, len, waits, encrypt, tag) }
}
