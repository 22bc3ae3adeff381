// SPDX-License-Identifier: MIT OR Apache-2.0
//! Table `vaes512`: AVX-512F, BW and VL, VAES and VPCLMULQDQ; zmm0–31.

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
    lanes::{Lanes, Zmm},
    wipe,
};

/// Powers of H that this table wants.
pub const POWERS: usize = 32;

/// The longest text, in bytes, of `kcfaes_gcm_short_vaes512`: two blocks less than a turn.
pub const SHORT_TEXT: usize = 16 * (POWERS - 2);

wide_entries! {
    "aes,pclmulqdq,ssse3,sse4.1,avx2,bmi2,vaes,vpclmulqdq,avx512f,avx512bw,avx512vl", Zmm, (Zmm, 3, 7), wipe::wipe_stack_vaes512,
    kcfaes_ghash_init_vaes512,
    kcfaes_ecb_encrypt_vaes512,
    kcfaes_ecb_decrypt_vaes512,
    kcfaes_cbc_encrypt_batch_vaes512,
    kcfaes_cbc_decrypt_vaes512,
    kcfaes_ctr32_vaes512,
    kcfaes_pieces_vaes512,
    kcfaes_ghash_vaes512,
    kcfaes_gcm_encrypt_vaes512,
    kcfaes_gcm_decrypt_vaes512,
    kcfaes_gcm_short_vaes512,
    kcfaes_wipe_vaes512,
}
