// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of kernels, called directly. No other way to call a mode can be faster.

use kcfaes_kernels::entry_aesni::kcfaes_ghash_init_aesni;
use kcfaes_kernels::{Block, COMMON_POWERS, CounterBlock, Piece, Powers, Schedule, Tag};
use kcfaes_provider::engine::select;
use kcfaes_shape::{Call, Prepared};

use super::{AESNI, Contender, Missing, Role, VAES256, VAES512, same_tag};
use crate::message::{BLOCK, GCM_IV, Job, Operation};

/// Every table that this processor can run, the widest first, and every table that it cannot run.
pub(super) fn all() -> (Vec<Box<dyn Contender>>, Vec<Missing>) {
    let (mut field, mut missing) = (Vec::<Box<dyn Contender>>::new(), Vec::new());
    for table in TABLES {
        let lacking: Vec<_> = (table.features)()
            .into_iter()
            .filter_map(|(name, has)| (!has).then_some(name))
            .collect();
        if lacking.is_empty() {
            field.push(Box::new(table));
        } else {
            let reason = format!("this processor lacks {}", lacking.join(", "));
            missing.push(Missing { name: table.name.to_owned(), reason });
        }
    }
    (field, missing)
}

const TABLES: [Table; 3] = [vaes512::TABLE, vaes256::TABLE, aesni::TABLE];

struct Table {
    name: &'static str,
    /// What its instructions need, and whether this processor has it.
    features: fn() -> Vec<(&'static str, bool)>,
    /// Sets up a key.
    set_key: unsafe fn(&mut State, &Job),
    call: fn(Operation) -> Call,
}

struct State {
    schedule: Schedule,
    powers: Powers,
}

impl Contender for Table {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> String {
        "entry points of the kernels room, called directly; no wiping".to_owned()
    }

    fn role(&self) -> Role {
        let chosen = select().id().name();
        if self.name.strip_suffix(" kernels") == Some(chosen) {
            Role::Kernels
        } else {
            Role::OtherKernels
        }
    }

    unsafe fn prepare(&self, operation: Operation, job: &Job) -> Prepared {
        let mut state = State { schedule: Schedule::default(), powers: Powers::default() };
        // SAFETY: `all` has seen every feature of the table.
        unsafe { (self.set_key)(&mut state, job) }
        Prepared::new((self.call)(operation), state)
    }
}

unsafe fn block(at: *const u8) -> Block {
    // SAFETY: the caller's promise is that of a `Call`: a block is there.
    Block(unsafe { at.cast::<[u8; BLOCK]>().read() })
}

/// J0 of a 12-byte IV (SP 800-38D section 7.1, step 2).
unsafe fn first_counter(job: &Job) -> Block {
    use core::arch::x86_64::{_mm_insert_epi32, _mm_loadu_si128, _mm_store_si128};
    const { assert!(GCM_IV == 12) };
    #[target_feature(enable = "sse4.1")]
    unsafe fn with_one(iv: *const u8, j0: &mut Block) {
        // SAFETY: as `block`. Sixteen bytes are there, and twelve of them are the IV.
        unsafe {
            let iv = _mm_loadu_si128(iv.cast());
            let j0 = core::ptr::from_mut(j0).cast();
            _mm_store_si128(j0, _mm_insert_epi32::<3>(iv, 1 << 24));
        }
    }
    let mut j0 = Block::default();
    // SAFETY: every table has SSE4.1. J0 is written in one store, because the kernels load it as one.
    unsafe { with_one(job.iv, &mut j0) };
    j0
}

/// The calls of a table. Its module imports the entry points under names that do not have the table's
/// name.
macro_rules! table {
    ($name:expr, [$($feature:tt),* $(,)?]) => {
        pub(super) const TABLE: Table = Table {
            name: $name,
            features: || vec![$(($feature, is_x86_feature_detected!($feature))),*],
            set_key,
            call,
        };

        fn call(operation: Operation) -> Call {
            match operation {
                Operation::EcbEncrypt => ecb_encrypt_call,
                Operation::EcbDecrypt => ecb_decrypt_call,
                Operation::Ctr => ctr_call,
                Operation::CbcEncrypt => cbc_encrypt_call,
                Operation::CbcDecrypt => cbc_decrypt_call,
                Operation::GcmSeal => gcm_seal_call,
                Operation::GcmOpen => gcm_open_call,
                Operation::GcmNewKeySeal => gcm_new_key_seal_call,
            }
        }

        /// # Safety
        /// The contract of a [`Call`], here and below: `prepare` has put a [`State`] into the job, and
        /// the processor has the table's features.
        unsafe fn set_key(state: &mut State, job: &Job) {
            // SAFETY: see above; the key has 16 or 32 bytes.
            unsafe {
                key_expand(&mut state.schedule, job.key, job.key_len);
                ghash_init(&state.schedule, &mut state.powers);
            }
        }

        unsafe extern "C" fn ecb_encrypt_call(job: &Job) -> u32 {
            // SAFETY: see above.
            unsafe {
                let state: &mut State = job.state();
                ecb_encrypt(&state.schedule, job.src, job.dst, job.len / BLOCK);
            }
            0
        }

        unsafe extern "C" fn ecb_decrypt_call(job: &Job) -> u32 {
            // SAFETY: see above.
            unsafe {
                let state: &mut State = job.state();
                ecb_decrypt(&state.schedule, job.src, job.dst, job.len / BLOCK);
            }
            0
        }

        unsafe extern "C" fn ctr_call(job: &Job) -> u32 {
            // SAFETY: see above.
            unsafe {
                let (state, mut ctr): (&mut State, _) = (job.state(), block(job.iv));
                ctr32(&state.schedule, &mut ctr, job.src, job.dst, job.len);
            }
            0
        }

        unsafe extern "C" fn cbc_encrypt_call(job: &Job) -> u32 {
            // SAFETY: see above.
            unsafe {
                let (state, mut iv): (&mut State, _) = (job.state(), block(job.iv));
                cbc_encrypt(&state.schedule, &mut iv, job.src, job.dst, job.len / BLOCK);
            }
            0
        }

        unsafe extern "C" fn cbc_decrypt_call(job: &Job) -> u32 {
            // SAFETY: see above.
            unsafe {
                let (state, mut iv): (&mut State, _) = (job.state(), block(job.iv));
                cbc_decrypt(&state.schedule, &mut iv, job.src, job.dst, job.len / BLOCK);
            }
            0
        }

        /// What the provider calls for a whole text in one piece.
        #[expect(clippy::too_many_arguments, reason = "as the entry points")]
        unsafe fn gcm_whole(
            schedule: &Schedule,
            powers: &Powers,
            j0: &CounterBlock,
            y: &mut Block,
            aad_len: u64,
            src: *const u8,
            dst: *mut u8,
            len: usize,
            encrypt: bool,
        ) {
            // SAFETY: see above. With a tag nothing is written to `j0`.
            unsafe {
                if len <= SHORT_TEXT {
                    return gcm_short(schedule, powers, j0, y, aad_len, src, dst, len, encrypt);
                }
                let kernel = if encrypt { gcm_encrypt } else { gcm_decrypt };
                let (text, ctr) = (Piece { src, dst, len }, core::ptr::from_ref(j0).cast_mut());
                let tag = Tag { j0: &j0.block, aad_len, text_len: len as u64 };
                kernel(schedule, powers, ctr, y, &text, len, true, &tag);
            }
        }

        unsafe extern "C" fn gcm_seal_call(job: &Job) -> u32 {
            // SAFETY: see above. After the text there is room for the tag.
            unsafe {
                let State { schedule, powers } = job.state();
                let j0 = CounterBlock { block: first_counter(job), secret: false };
                let mut y = block(job.aad);
                let (src, dst, aad_len) = (job.src, job.dst, BLOCK as u64);
                gcm_whole(schedule, powers, &j0, &mut y, aad_len, src, dst, job.len, true);
                job.tag_out().cast::<[u8; BLOCK]>().write(y.0);
            }
            0
        }

        unsafe extern "C" fn gcm_new_key_seal_call(job: &Job) -> u32 {
            // SAFETY: see above.
            unsafe {
                let state: &mut State = job.state();
                if job.len.div_ceil(BLOCK) + 2 <= COMMON_POWERS {
                    // As the provider does for a key that seals one short text.
                    key_expand(&mut state.schedule, job.key, job.key_len);
                    kcfaes_ghash_init_aesni(&state.schedule, &mut state.powers);
                } else {
                    set_key(state, job);
                }
                gcm_seal_call(job)
            }
        }

        unsafe extern "C" fn gcm_open_call(job: &Job) -> u32 {
            // SAFETY: see above. After the text there is the tag.
            unsafe {
                let State { schedule, powers } = job.state();
                let j0 = CounterBlock { block: first_counter(job), secret: false };
                let mut y = block(job.aad);
                let (src, dst, aad_len) = (job.src, job.dst, BLOCK as u64);
                gcm_whole(schedule, powers, &j0, &mut y, aad_len, src, dst, job.len, false);
                u32::from(!same_tag(&y.0, &block(job.tag_in()).0))
            }
        }
    };
}

mod aesni {
    use kcfaes_kernels::entry_aesni::{
        SHORT_TEXT, kcfaes_cbc_decrypt_aesni as cbc_decrypt,
        kcfaes_cbc_encrypt_aesni as cbc_encrypt, kcfaes_ctr32_aesni as ctr32,
        kcfaes_ecb_decrypt_aesni as ecb_decrypt, kcfaes_ecb_encrypt_aesni as ecb_encrypt,
        kcfaes_gcm_decrypt_aesni as gcm_decrypt, kcfaes_gcm_encrypt_aesni as gcm_encrypt,
        kcfaes_gcm_short_aesni as gcm_short, kcfaes_ghash_init_aesni as ghash_init,
        kcfaes_key_expand_aesni as key_expand,
    };

    use super::*;

    table!(AESNI, ["aes", "pclmulqdq", "ssse3", "sse4.1"]);
}

mod vaes256 {
    use kcfaes_kernels::entry_aesni::{
        kcfaes_cbc_encrypt_aesni as cbc_encrypt, kcfaes_key_expand_aesni as key_expand,
    };
    use kcfaes_kernels::entry_vaes256::{
        SHORT_TEXT, kcfaes_cbc_decrypt_vaes256 as cbc_decrypt, kcfaes_ctr32_vaes256 as ctr32,
        kcfaes_ecb_decrypt_vaes256 as ecb_decrypt, kcfaes_ecb_encrypt_vaes256 as ecb_encrypt,
        kcfaes_gcm_decrypt_vaes256 as gcm_decrypt, kcfaes_gcm_encrypt_vaes256 as gcm_encrypt,
        kcfaes_gcm_short_vaes256 as gcm_short, kcfaes_ghash_init_vaes256 as ghash_init,
    };

    use super::*;

    table!(VAES256, ["aes", "pclmulqdq", "ssse3", "sse4.1", "avx2", "vaes", "vpclmulqdq"]);
}

mod vaes512 {
    use kcfaes_kernels::entry_aesni::{
        kcfaes_cbc_encrypt_aesni as cbc_encrypt, kcfaes_key_expand_aesni as key_expand,
    };
    use kcfaes_kernels::entry_vaes512::{
        SHORT_TEXT, kcfaes_cbc_decrypt_vaes512 as cbc_decrypt, kcfaes_ctr32_vaes512 as ctr32,
        kcfaes_ecb_decrypt_vaes512 as ecb_decrypt, kcfaes_ecb_encrypt_vaes512 as ecb_encrypt,
        kcfaes_gcm_decrypt_vaes512 as gcm_decrypt, kcfaes_gcm_encrypt_vaes512 as gcm_encrypt,
        kcfaes_gcm_short_vaes512 as gcm_short, kcfaes_ghash_init_vaes512 as ghash_init,
    };

    use super::*;

    table!(
        VAES512,
        [
            "aes",
            "pclmulqdq",
            "ssse3",
            "sse4.1",
            "avx2",
            "bmi2",
            "vaes",
            "vpclmulqdq",
            "avx512f",
            "avx512bw",
            "avx512vl"
        ]
    );
}
