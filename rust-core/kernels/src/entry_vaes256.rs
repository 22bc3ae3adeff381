// SPDX-License-Identifier: MIT OR Apache-2.0
//! Table `vaes256`: AVX2, VAES and VPCLMULQDQ; ymm0–15.

use crate::{
    Block, BlockMode, ChainKeys, Chains, CounterBlock, Piece, Powers, Schedule, Tag,
    entry::wide_entries,
};
#[cfg(target_feature = "sse2")]
use crate::{
    CHAINS,
    body::{cbc, cbc_batch, ctr, ecb, gcm, ghash, pieces},
    entry_aesni::{
        kcfaes_cbc_decrypt_aesni, kcfaes_ctr32_aesni, kcfaes_ecb_decrypt_aesni,
        kcfaes_ecb_encrypt_aesni,
    },
    lanes::{Lanes, Xmm, Ymm},
    wipe,
};

/// Powers of H that this table wants.
pub const POWERS: usize = 16;

/// The longest text, in bytes, of `kcfaes_gcm_short_vaes256`: two blocks less than a turn.
pub const SHORT_TEXT: usize = 16 * (POWERS - 2);

wide_entries! {
    "aes,pclmulqdq,ssse3,sse4.1,avx2,vaes,vpclmulqdq", Ymm, (Xmm, 2, 2), wipe::wipe_stack_vaes256,
    kcfaes_ghash_init_vaes256,
    kcfaes_ecb_encrypt_vaes256,
    kcfaes_ecb_decrypt_vaes256,
    kcfaes_cbc_encrypt_batch_vaes256,
    kcfaes_cbc_decrypt_vaes256,
    kcfaes_ctr32_vaes256,
    kcfaes_pieces_vaes256,
    kcfaes_ghash_vaes256,
    kcfaes_gcm_encrypt_vaes256,
    kcfaes_gcm_decrypt_vaes256,
    kcfaes_gcm_short_vaes256,
    kcfaes_wipe_vaes256,
}
