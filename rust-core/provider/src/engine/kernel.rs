// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one place that calls kernels: a compare chain over the table to a direct call, so that no
//! call is indirect. Arguments are as the entry points document them.

use kcfaes_kernels::entry_aesni as aesni;
use kcfaes_kernels::{Block, Powers, Schedule};

use super::fpu::Hold;
use super::select::TableId;
use crate::data::Run;
use crate::portable;

// SAFETY of every block below: the hold proves that the FPU is ours and that the CPU has the table;
// a run's ranges are valid and equal or disjoint; references are valid.
impl Hold<'_> {
    /// Expands a key of 16, 24 or 32 bytes.
    pub fn key_expand(&self, schedule: &mut Schedule, key: &[u8]) {
        match self.table() {
            TableId::Portable => portable::key_expand(schedule, key),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_key_expand_aesni(schedule, key.as_ptr(), key.len());
            },
        }
    }

    /// H and its powers.
    pub fn ghash_init(&self, schedule: &Schedule, powers: &mut Powers) {
        match self.table() {
            TableId::Portable => portable::ghash_init(schedule, powers),
            // SAFETY: see above.
            TableId::Aesni => unsafe { aesni::kcfaes_ghash_init_aesni(schedule, powers) },
        }
    }

    /// ECB over whole blocks.
    pub fn ecb_encrypt(&self, schedule: &Schedule, run: Run<'_>) {
        match self.table() {
            TableId::Portable => portable::ecb_encrypt(schedule, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_ecb_encrypt_aesni(schedule, run.src(), run.dst(), run.len() / 16);
            },
        }
    }

    /// ECB over whole blocks.
    pub fn ecb_decrypt(&self, schedule: &Schedule, run: Run<'_>) {
        match self.table() {
            TableId::Portable => portable::ecb_decrypt(schedule, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_ecb_decrypt_aesni(schedule, run.src(), run.dst(), run.len() / 16);
            },
        }
    }

    /// CBC over whole blocks; `iv` moves on.
    pub fn cbc_encrypt(&self, schedule: &Schedule, iv: &mut Block, run: Run<'_>) {
        match self.table() {
            TableId::Portable => portable::cbc_encrypt(schedule, iv, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_cbc_encrypt_aesni(schedule, iv, run.src(), run.dst(), run.len() / 16);
            },
        }
    }

    /// CBC over whole blocks; `iv` moves on.
    pub fn cbc_decrypt(&self, schedule: &Schedule, iv: &mut Block, run: Run<'_>) {
        match self.table() {
            TableId::Portable => portable::cbc_decrypt(schedule, iv, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_cbc_decrypt_aesni(schedule, iv, run.src(), run.dst(), run.len() / 16);
            },
        }
    }

    /// CTR with a counter of 32 bits; `ctr` moves on.
    pub fn ctr32(&self, schedule: &Schedule, ctr: &mut Block, run: Run<'_>) {
        match self.table() {
            TableId::Portable => portable::ctr32(schedule, ctr, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_ctr32_aesni(schedule, ctr, run.src(), run.dst(), run.len());
            },
        }
    }

    /// Absorbs bytes into `y`, zero-padding the last block.
    pub fn ghash(&self, powers: &Powers, y: &mut Block, bytes: &[u8]) {
        match self.table() {
            TableId::Portable => portable::ghash(powers, y, bytes),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_ghash_aesni(powers, y, bytes.as_ptr(), bytes.len());
            },
        }
    }

    /// GCTR and GHASH of its output.
    pub fn gcm_encrypt(
        &self,
        schedule: &Schedule,
        powers: &Powers,
        ctr: &mut Block,
        y: &mut Block,
        run: Run<'_>,
    ) {
        match self.table() {
            TableId::Portable => portable::gcm_encrypt(schedule, powers, ctr, y, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                let (src, dst) = (run.src(), run.dst());
                aesni::kcfaes_gcm_encrypt_aesni(schedule, powers, ctr, y, src, dst, run.len());
            },
        }
    }

    /// GHASH of the input and GCTR.
    pub fn gcm_decrypt(
        &self,
        schedule: &Schedule,
        powers: &Powers,
        ctr: &mut Block,
        y: &mut Block,
        run: Run<'_>,
    ) {
        match self.table() {
            TableId::Portable => portable::gcm_decrypt(schedule, powers, ctr, y, run),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                let (src, dst) = (run.src(), run.dst());
                aesni::kcfaes_gcm_decrypt_aesni(schedule, powers, ctr, y, src, dst, run.len());
            },
        }
    }

    /// Turns `y` into the tag.
    pub fn gcm_tag(
        &self,
        schedule: &Schedule,
        powers: &Powers,
        j0: &Block,
        y: &mut Block,
        aad_len: u64,
        text_len: u64,
    ) {
        match self.table() {
            TableId::Portable => portable::gcm_tag(schedule, powers, j0, y, aad_len, text_len),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_gcm_tag_aesni(schedule, powers, j0, y, aad_len, text_len);
            },
        }
    }
}
