// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one place that calls kernels: a compare chain over the table to a direct call, so no call is indirect.
//! Arguments are as the entry points document them. All SIMD tables take from `aesni` the kernels that a wide
//! register cannot make faster, because they are serial or small.

use core::mem::MaybeUninit;

use kcfaes_kernels::{
    Block, BlockMode, CHAINS, COMMON_POWERS, ChainKeys, Chains, CounterBlock, Powers, Schedule, Tag,
};
use kcfaes_kernels::{entry_aesni as aesni, entry_vaes256 as vaes256, entry_vaes512 as vaes512};

use super::fpu::Hold;
use super::select::TableId;
use crate::data::{Run, Runs};
use crate::key::Key;
use crate::portable;
use crate::request::Direction;
use crate::wipe::Secret;

/// One CBC encryption of several: the text that is left, full blocks.
pub struct Chain<'a> {
    /// Round keys.
    pub schedule: &'a Schedule,
    /// The IV, or the last ciphertext block.
    pub iv: Block,
    /// The text.
    pub run: Run<'a>,
}

/// Powers of H for a text of `len` bytes and two more blocks: the AAD's and the lengths'.
const fn needed(len: usize) -> usize {
    len.div_ceil(16).saturating_add(2)
}

// SAFETY of every block below: the hold proves that the FPU is ours and that the CPU has the table;
// a run's ranges are valid and equal or disjoint; references are valid.
impl Hold<'_> {
    /// The table to run when `powers` hash `len` bytes. A key that was set where only a narrower table could
    /// run has too few powers for more than a short text in a wide table.
    #[inline(always)]
    fn hashing(&self, powers: &Powers, len: usize) -> TableId {
        let (table, set) = (self.table(), powers.set as usize);
        if set >= table.powers() || set >= needed(len) { table } else { TableId::Aesni }
    }

    /// Expands a key of 16, 24 or 32 bytes.
    pub fn key_expand(&self, schedule: &mut Schedule, key: &[u8]) {
        match self.table() {
            TableId::Portable => portable::key_expand(schedule, key),
            // SAFETY: see above.
            _ => unsafe {
                aesni::kcfaes_key_expand_aesni(schedule, key.as_ptr(), key.len());
            },
        }
    }

    /// H and its powers: those that the table wants, or only the common ones if these suffice for the
    /// `hashed` bytes that they will be used for.
    pub fn ghash_init(&self, schedule: &Schedule, powers: &mut Powers, hashed: usize) {
        match self.table() {
            TableId::Portable => portable::ghash_init(schedule, powers),
            // SAFETY: see above.
            TableId::Vaes256 if needed(hashed) > COMMON_POWERS => unsafe {
                vaes256::kcfaes_ghash_init_vaes256(schedule, powers);
            },
            // SAFETY: see above.
            TableId::Vaes512 if needed(hashed) > COMMON_POWERS => unsafe {
                vaes512::kcfaes_ghash_init_vaes512(schedule, powers);
            },
            // SAFETY: see above.
            _ => unsafe { aesni::kcfaes_ghash_init_aesni(schedule, powers) },
        }
    }

    /// `mode` over the first `len` bytes of `runs`, which have at least `len` and may be cut anywhere. `len`
    /// is full blocks, except at the end of a text in the modes with a counter. Advances `state`, and the
    /// `mac` of CCM and CBC-MAC.
    #[inline(always)]
    pub(super) fn transform(
        &self,
        mode: BlockMode,
        schedule: &Schedule,
        state: &mut Block,
        mac: &mut Block,
        runs: &[Run<'_>],
        len: usize,
    ) {
        let (table, s, text) = (self.table(), schedule, Run::pieces(runs));
        if table == TableId::Portable {
            return portable::transform(mode, s, state, mac, Runs::new(runs, len));
        }
        if let [run] = runs {
            return self.transform_run(mode, s, &mut state.0, mac, run, len);
        }
        // SAFETY: see above; the runs have at least `len` bytes.
        unsafe {
            match table {
                TableId::Vaes512 if !mode.is_serial() => {
                    vaes512::kcfaes_pieces_vaes512(mode, s, state, mac, text, len);
                }
                TableId::Vaes256 if !mode.is_serial() => {
                    vaes256::kcfaes_pieces_vaes256(mode, s, state, mac, text, len);
                }
                _ => aesni::kcfaes_pieces_aesni(mode, s, state, mac, text, len),
            }
        }
    }

    /// [`transform`](Self::transform) of the first `len` bytes of one run, in any table but `portable`. In the
    /// kernel object there is one copy. In libkcfaes the functions of each mode have their own, which asks less.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn transform_run(
        &self,
        mode: BlockMode,
        schedule: &Schedule,
        state: &mut [u8; 16],
        mac: &mut Block,
        run: &Run<'_>,
        len: usize,
    ) {
        use BlockMode::{
            CbcDecrypt, CbcEncrypt, CbcMac, CcmDecrypt, CcmEncrypt, Ctr, EcbDecrypt, EcbEncrypt,
        };
        use TableId::{Aesni, Vaes256, Vaes512};
        let (s, src, dst, blocks) = (schedule, run.src(), run.dst(), len / 16);
        let table = if mode.is_serial() { Aesni } else { self.table };
        let state = core::ptr::from_mut(state).cast::<Block>();
        // SAFETY: see above; the run has at least `len` bytes.
        unsafe {
            match (mode, table) {
                (EcbEncrypt, Vaes512) => vaes512::kcfaes_ecb_encrypt_vaes512(s, src, dst, blocks),
                (EcbEncrypt, Vaes256) => vaes256::kcfaes_ecb_encrypt_vaes256(s, src, dst, blocks),
                (EcbEncrypt, _) => aesni::kcfaes_ecb_encrypt_aesni(s, src, dst, blocks),
                (EcbDecrypt, Vaes512) => vaes512::kcfaes_ecb_decrypt_vaes512(s, src, dst, blocks),
                (EcbDecrypt, Vaes256) => vaes256::kcfaes_ecb_decrypt_vaes256(s, src, dst, blocks),
                (EcbDecrypt, _) => aesni::kcfaes_ecb_decrypt_aesni(s, src, dst, blocks),
                (CbcEncrypt, _) => aesni::kcfaes_cbc_encrypt_aesni(s, state, src, dst, blocks),
                (CbcDecrypt, Vaes512) => {
                    vaes512::kcfaes_cbc_decrypt_vaes512(s, state, src, dst, blocks);
                }
                (CbcDecrypt, Vaes256) => {
                    vaes256::kcfaes_cbc_decrypt_vaes256(s, state, src, dst, blocks);
                }
                (CbcDecrypt, _) => aesni::kcfaes_cbc_decrypt_aesni(s, state, src, dst, blocks),
                (Ctr, Vaes512) => vaes512::kcfaes_ctr32_vaes512(s, state, src, dst, len),
                (Ctr, Vaes256) => vaes256::kcfaes_ctr32_vaes256(s, state, src, dst, len),
                (Ctr, _) => aesni::kcfaes_ctr32_aesni(s, state, src, dst, len),
                (CcmEncrypt, _) => aesni::kcfaes_ccm_encrypt_aesni(s, state, mac, src, dst, len),
                (CcmDecrypt, _) => aesni::kcfaes_ccm_decrypt_aesni(s, state, mac, src, dst, len),
                (CbcMac, _) => aesni::kcfaes_cbc_mac_aesni(s, mac, src, len),
            }
        }
    }

    /// Adds E(K, `input`) to a block.
    pub fn add_encrypted(&self, schedule: &Schedule, input: Block, block: &mut Block) {
        let (mut ctr, run) = (input, Run::in_place(&mut block.0));
        match self.table() {
            TableId::Portable => {
                let mac = &mut Block::default();
                portable::transform(BlockMode::Ctr, schedule, &mut ctr, mac, run.into());
            }
            // SAFETY: see above.
            _ => unsafe {
                aesni::kcfaes_ctr32_aesni(schedule, &mut ctr, run.src(), run.dst(), run.len());
            },
        }
    }

    /// CBC over the next `blocks` blocks of each chain. The chains advance. They occupy only the first
    /// places, as many as the table has. Unless all have the same key, their round keys are in `keys`; a
    /// place without a chain repeats the first chain, and has its round keys.
    pub fn cbc_encrypt_batch(
        &self,
        keys: Option<&ChainKeys>,
        chains: &mut [Option<Chain<'_>>; CHAINS],
        blocks: usize,
    ) {
        let table = self.table();
        let Some(model) = chains.iter().flatten().next() else { return };
        let schedule = model.schedule;
        let alone = chains.iter().flatten().count() == 1;
        // Every chain has at least this many blocks.
        let blocks = chains.iter().flatten().fold(blocks, |n, chain| n.min(chain.run.len() / 16));
        let mut batch = Chains {
            iv: [model.iv; CHAINS],
            src: [model.run.src(); CHAINS],
            dst: [model.run.dst(); CHAINS],
            line: MaybeUninit::uninit(),
        };
        let places = batch.iv.iter_mut().zip(&mut batch.src).zip(&mut batch.dst);
        for (chain, ((iv, src), dst)) in chains.iter_mut().zip(places) {
            if let Some(chain) = chain {
                let part = chain.run.split_off(16 * blocks);
                (*iv, *src, *dst) = (chain.iv, part.src(), part.dst());
                if table == TableId::Portable {
                    let (mac, part) = (&mut Block::default(), part.into());
                    let (mode, s) = (BlockMode::CbcEncrypt, chain.schedule);
                    portable::transform(mode, s, &mut chain.iv, mac, part);
                } else if alone {
                    // A batch of one would take half as long again.
                    let (s, iv) = (chain.schedule, &mut chain.iv);
                    // SAFETY: see above; the chain has `blocks` blocks.
                    unsafe {
                        aesni::kcfaes_cbc_encrypt_aesni(s, iv, part.src(), part.dst(), blocks)
                    };
                }
            }
        }
        if alone {
            return;
        }
        let keys = keys.map_or(core::ptr::null(), core::ptr::from_ref);
        match table {
            TableId::Portable => return,
            // SAFETY: see above; every chain has `blocks` blocks.
            TableId::Aesni => unsafe {
                aesni::kcfaes_cbc_encrypt_batch_aesni(schedule, keys, &mut batch, blocks);
            },
            // SAFETY: as above.
            TableId::Vaes256 => unsafe {
                vaes256::kcfaes_cbc_encrypt_batch_vaes256(schedule, keys, &mut batch, blocks);
            },
            // SAFETY: as above.
            TableId::Vaes512 => unsafe {
                vaes512::kcfaes_cbc_encrypt_batch_vaes512(schedule, keys, &mut batch, blocks);
            },
        }
        for (chain, iv) in chains.iter_mut().zip(&batch.iv) {
            chain.iter_mut().for_each(|chain| chain.iv = *iv);
        }
    }

    /// Absorbs bytes into `y`, zero-padding the last block.
    pub fn ghash(&self, powers: &Powers, y: &mut Block, bytes: &[u8]) {
        match self.hashing(powers, bytes.len()) {
            TableId::Portable => portable::ghash(powers, y, bytes),
            // SAFETY: see above.
            TableId::Aesni => unsafe {
                aesni::kcfaes_ghash_aesni(powers, y, bytes.as_ptr(), bytes.len());
            },
            // SAFETY: see above.
            TableId::Vaes256 => unsafe {
                vaes256::kcfaes_ghash_vaes256(powers, y, bytes.as_ptr(), bytes.len());
            },
            // SAFETY: see above.
            TableId::Vaes512 => unsafe {
                vaes512::kcfaes_ghash_vaes512(powers, y, bytes.as_ptr(), bytes.len());
            },
        }
    }

    /// GCTR and GHASH of the ciphertext, for the first `len` bytes of `runs`, which have at least `len`.
    /// `len` is full blocks, except at the end of a text. If a block `waits`, `y` is first multiplied by H,
    /// and `ctr` is the counter block before. With `tag`, `y` becomes the tag, and `ctr` stays as it is.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "as the entry points")]
    pub fn gcm(
        &self,
        direction: Direction,
        key: &Key,
        ctr: &mut CounterBlock,
        y: &mut Block,
        runs: &[Run<'_>],
        len: usize,
        waits: bool,
        tag: Option<&Tag<'_>>,
    ) {
        // SAFETY: `ctr` is a reference.
        unsafe { self.gcm_at(direction, key, ctr, y, runs, len, waits, tag) }
    }

    /// A whole text: GCTR from inc32(`j0`) and GHASH of the ciphertext. On entry `y` is the hash of the AAD
    /// without its last multiplication. It becomes the tag, or the tag that a decrypted text should have.
    #[inline(always)]
    pub fn gcm_whole(
        &self,
        direction: Direction,
        key: &Key,
        j0: &CounterBlock,
        y: &mut Block,
        aad_len: u64,
        run: Run<'_>,
    ) {
        let (src, dst, len) = (run.src(), run.dst(), run.len());
        let Key { schedule: s, powers: p } = key;
        let (table, encrypt) = (self.hashing(p, len), direction == Direction::Encrypt);
        // SAFETY: see above; the text is short.
        unsafe {
            match table {
                TableId::Aesni if len <= aesni::SHORT_TEXT => {
                    return aesni::kcfaes_gcm_short_aesni(
                        s, p, j0, y, aad_len, src, dst, len, encrypt,
                    );
                }
                TableId::Vaes512 if len <= vaes512::SHORT_TEXT => {
                    return vaes512::kcfaes_gcm_short_vaes512(
                        s, p, j0, y, aad_len, src, dst, len, encrypt,
                    );
                }
                TableId::Vaes256 if len <= vaes256::SHORT_TEXT => {
                    return vaes256::kcfaes_gcm_short_vaes256(
                        s, p, j0, y, aad_len, src, dst, len, encrypt,
                    );
                }
                _ => {}
            }
        }
        let tag = Tag { j0: &j0.block, aad_len, text_len: len as u64 };
        let ctr = core::ptr::from_ref(j0).cast_mut();
        // SAFETY: with a tag nothing is written there.
        unsafe { self.gcm_at(direction, key, ctr, y, &[run], len, true, Some(&tag)) }
    }

    /// # Safety
    /// `ctr` is readable, and writable unless there is a `tag`.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "as the entry points")]
    unsafe fn gcm_at(
        &self,
        direction: Direction,
        key: &Key,
        ctr: *mut CounterBlock,
        y: &mut Block,
        runs: &[Run<'_>],
        len: usize,
        waits: bool,
        tag: Option<&Tag<'_>>,
    ) {
        use Direction::{Decrypt, Encrypt};
        let (Key { schedule: s, powers: p }, text) = (key, Run::pieces(runs));
        let end = tag.map_or(core::ptr::null(), core::ptr::from_ref);
        // A block would fill one lane of a wide register.
        let table = match self.hashing(p, len) {
            TableId::Vaes256 | TableId::Vaes512 if len <= 16 => TableId::Aesni,
            table => table,
        };
        // SAFETY: see above, and the caller's promise; the runs have at least `len` bytes.
        unsafe {
            match (table, direction) {
                (TableId::Portable, _) => {
                    gcm_portable(direction, key, ctr, y, Runs::new(runs, len), waits, tag);
                }
                (TableId::Aesni, Encrypt) => {
                    aesni::kcfaes_gcm_encrypt_aesni(s, p, ctr, y, text, len, waits, end);
                }
                (TableId::Aesni, Decrypt) => {
                    aesni::kcfaes_gcm_decrypt_aesni(s, p, ctr, y, text, len, waits, end);
                }
                (TableId::Vaes256, Encrypt) => {
                    vaes256::kcfaes_gcm_encrypt_vaes256(s, p, ctr, y, text, len, waits, end);
                }
                (TableId::Vaes256, Decrypt) => {
                    vaes256::kcfaes_gcm_decrypt_vaes256(s, p, ctr, y, text, len, waits, end);
                }
                (TableId::Vaes512, Encrypt) => {
                    vaes512::kcfaes_gcm_encrypt_vaes512(s, p, ctr, y, text, len, waits, end);
                }
                (TableId::Vaes512, Decrypt) => {
                    vaes512::kcfaes_gcm_decrypt_vaes512(s, p, ctr, y, text, len, waits, end);
                }
            }
        }
    }

    /// Absorbs bytes into the CBC-MAC `mac`, zero-padding the last block.
    pub fn cbc_mac(&self, schedule: &Schedule, mac: &mut Block, bytes: &[u8]) {
        match self.table() {
            TableId::Portable => portable::cbc_mac(schedule, mac, bytes),
            // SAFETY: see above.
            _ => unsafe {
                aesni::kcfaes_cbc_mac_aesni(schedule, mac, bytes.as_ptr(), bytes.len());
            },
        }
    }
}

/// As [`Hold::gcm`], in integer registers.
///
/// # Safety
/// `ctr` is readable, and writable unless there is a `tag`.
#[inline(never)]
unsafe fn gcm_portable(
    direction: Direction,
    key: &Key,
    ctr: *mut CounterBlock,
    y: &mut Block,
    runs: Runs<'_, '_>,
    waits: bool,
    tag: Option<&Tag<'_>>,
) {
    let Key { schedule, powers } = key;
    // SAFETY: the caller's promise.
    let mut counter = Secret(unsafe { (*ctr).block });
    if waits {
        portable::next_counter(&mut counter.0);
        let hash = Secret(core::mem::take(y));
        portable::ghash(powers, y, &hash.0.0);
    }
    match direction {
        Direction::Encrypt => portable::gcm_encrypt(schedule, powers, &mut counter.0, y, runs),
        Direction::Decrypt => portable::gcm_decrypt(schedule, powers, &mut counter.0, y, runs),
    }
    match tag {
        Some(tag) => portable::gcm_tag(schedule, powers, tag.j0, y, tag.aad_len, tag.text_len),
        // SAFETY: the caller's promise.
        None => unsafe { (*ctr).block = counter.0 },
    }
}
