// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernels of table `aesni`, called directly: what a mode cannot be faster than.

use kcfaes_kernels::entry_aesni as aesni;
use kcfaes_kernels::{Block, Powers, Schedule};

use super::{AESNI, Contender, Prepared, same_tag};
use crate::message::{BLOCK, GCM_IV, Job, Message, Operation};

pub(super) struct Aesni;

struct State {
    schedule: Schedule,
    powers: Powers,
}

impl Aesni {
    pub(super) fn new() -> Result<Self, String> {
        let lacking: Vec<_> = [
            ("AES", is_x86_feature_detected!("aes")),
            ("PCLMULQDQ", is_x86_feature_detected!("pclmulqdq")),
            ("SSSE3", is_x86_feature_detected!("ssse3")),
            ("SSE4.1", is_x86_feature_detected!("sse4.1")),
        ]
        .into_iter()
        .filter_map(|(name, has)| (!has).then_some(name))
        .collect();
        if lacking.is_empty() {
            Ok(Self)
        } else {
            Err(format!("this processor lacks {}", lacking.join(", ")))
        }
    }
}

impl Contender for Aesni {
    fn name(&self) -> &'static str {
        AESNI
    }

    fn description(&self) -> String {
        "entry points of the kernels room, called directly; no wiping".to_owned()
    }

    fn prepare<'m>(&self, message: &'m Message) -> Option<Prepared<'m>> {
        let mut state = State { schedule: Schedule::default(), powers: Powers::default() };
        // SAFETY: `new` has seen every feature of the table; the key has one of the three lengths.
        unsafe {
            aesni::kcfaes_key_expand_aesni(
                &mut state.schedule,
                message.key.as_ptr(),
                message.key.len(),
            );
            aesni::kcfaes_ghash_init_aesni(&state.schedule, &mut state.powers);
        }
        let call = match message.operation {
            Operation::EcbEncrypt => ecb_encrypt,
            Operation::EcbDecrypt => ecb_decrypt,
            Operation::Ctr => ctr,
            Operation::CbcEncrypt => cbc_encrypt,
            Operation::CbcDecrypt => cbc_decrypt,
            Operation::GcmSeal => gcm_seal,
            Operation::GcmOpen => gcm_open,
        };
        Some(Prepared::new(message, call, state))
    }
}

/// # Safety
/// The contract of a [`Call`](crate::message::Call), here and below: `prepare` has put a [`State`]
/// behind the job.
unsafe fn state(job: &Job) -> &State {
    // SAFETY: see above.
    unsafe { &*job.state.cast::<State>() }
}

unsafe fn block(at: *const u8) -> Block {
    // SAFETY: see above.
    Block(unsafe { at.cast::<[u8; BLOCK]>().read() })
}

unsafe fn ecb_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let schedule = &state(job).schedule;
        aesni::kcfaes_ecb_encrypt_aesni(schedule, job.src, job.dst, job.len / BLOCK);
    }
    0
}

unsafe fn ecb_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let schedule = &state(job).schedule;
        aesni::kcfaes_ecb_decrypt_aesni(schedule, job.src, job.dst, job.len / BLOCK);
    }
    0
}

unsafe fn ctr(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let mut ctr = block(job.iv);
        aesni::kcfaes_ctr32_aesni(&state(job).schedule, &mut ctr, job.src, job.dst, job.len);
    }
    0
}

unsafe fn cbc_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let (schedule, mut iv) = (&state(job).schedule, block(job.iv));
        aesni::kcfaes_cbc_encrypt_aesni(schedule, &mut iv, job.src, job.dst, job.len / BLOCK);
    }
    0
}

unsafe fn cbc_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let (schedule, mut iv) = (&state(job).schedule, block(job.iv));
        aesni::kcfaes_cbc_decrypt_aesni(schedule, &mut iv, job.src, job.dst, job.len / BLOCK);
    }
    0
}

/// J0 of a 12-byte IV and inc32(J0) (SP 800-38D section 7.1, steps 2 and 3).
unsafe fn counters(job: &Job) -> (Block, Block) {
    // SAFETY: see above; sixteen bytes are there, of which twelve are the IV.
    let bytes = u128::from_be_bytes(unsafe { block(job.iv) }.0) >> 32 << 32;
    const { assert!(GCM_IV == 12) };
    (Block((bytes | 1).to_be_bytes()), Block((bytes | 2).to_be_bytes()))
}

unsafe fn gcm_seal(job: &Job) -> u32 {
    // SAFETY: see above; behind the text is room for the tag.
    unsafe {
        let State { schedule, powers } = state(job);
        let ((j0, mut ctr), mut y) = (counters(job), Block([0; BLOCK]));
        let text = job.len as u64;
        aesni::kcfaes_ghash_aesni(powers, &mut y, job.aad, BLOCK);
        aesni::kcfaes_gcm_encrypt_aesni(
            schedule, powers, &mut ctr, &mut y, job.src, job.dst, job.len,
        );
        aesni::kcfaes_gcm_tag_aesni(schedule, powers, &j0, &mut y, BLOCK as u64, text);
        job.dst.add(job.len).cast::<[u8; BLOCK]>().write(y.0);
    }
    0
}

unsafe fn gcm_open(job: &Job) -> u32 {
    // SAFETY: see above; behind the text is the tag.
    unsafe {
        let State { schedule, powers } = state(job);
        let ((j0, mut ctr), mut y) = (counters(job), Block([0; BLOCK]));
        let text = job.len as u64;
        aesni::kcfaes_ghash_aesni(powers, &mut y, job.aad, BLOCK);
        aesni::kcfaes_gcm_decrypt_aesni(
            schedule, powers, &mut ctr, &mut y, job.src, job.dst, job.len,
        );
        aesni::kcfaes_gcm_tag_aesni(schedule, powers, &j0, &mut y, BLOCK as u64, text);
        u32::from(!same_tag(&y.0, &block(job.src.add(job.len)).0))
    }
}
