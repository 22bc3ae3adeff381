// SPDX-License-Identifier: MIT OR Apache-2.0
//! Table `portable`, called directly. It works in place on a copy of the text. The figures include the
//! copy, which takes a few thousandths of the whole.

use kcfaes_kernels::{Block, BlockMode, Powers, Schedule};
use kcfaes_provider::data::{Run, Runs};
use kcfaes_provider::portable;
use kcfaes_shape::{Call, Prepared};

use super::{Contender, PORTABLE, Role, same_tag};
use crate::message::{BLOCK, GCM_IV, Job, Operation};

/// The table that every CPU has. The output of all others is checked against it.
pub struct Portable;

struct State {
    schedule: Schedule,
    powers: Powers,
}

impl Contender for Portable {
    fn name(&self) -> &str {
        PORTABLE
    }

    fn description(&self) -> String {
        "constant-time integer code of the provider room, called directly".to_owned()
    }

    fn role(&self) -> Role {
        Role::Reference
    }

    unsafe fn prepare(&self, operation: Operation, job: &Job) -> Prepared {
        let mut state = State { schedule: Schedule::default(), powers: Powers::default() };
        // SAFETY: the caller's promise.
        unsafe { set_key(&mut state, job) }
        let call: Call = match operation {
            Operation::EcbEncrypt => ecb_encrypt,
            Operation::EcbDecrypt => ecb_decrypt,
            Operation::Ctr => ctr,
            Operation::CbcEncrypt => cbc_encrypt,
            Operation::CbcDecrypt => cbc_decrypt,
            Operation::GcmSeal => gcm_seal,
            Operation::GcmOpen => gcm_open,
            Operation::GcmNewKeySeal => gcm_new_key_seal,
        };
        Prepared::new(call, state)
    }
}

/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`State`] into the job.
unsafe fn state(job: &Job) -> &State {
    // SAFETY: see above.
    unsafe { job.state() }
}

unsafe fn set_key(state: &mut State, job: &Job) {
    // SAFETY: see above.
    portable::key_expand(&mut state.schedule, unsafe { job.key() });
    portable::ghash_init(&state.schedule, &mut state.powers);
}

/// The text, copied to where the output goes.
unsafe fn run(job: &Job) -> Runs<'_, '_> {
    // SAFETY: see above. The message's two buffers are apart.
    unsafe {
        job.dst.copy_from_nonoverlapping(job.src, job.len);
        Run::in_place(core::slice::from_raw_parts_mut(job.dst, job.len)).into()
    }
}

unsafe fn block(at: *const u8) -> Block {
    // SAFETY: see above.
    Block(unsafe { at.cast::<[u8; BLOCK]>().read() })
}

unsafe fn transform(mode: BlockMode, job: &Job) {
    let mac = &mut Block::default();
    // SAFETY: see above.
    unsafe { portable::transform(mode, &state(job).schedule, &mut block(job.iv), mac, run(job)) }
}

unsafe extern "C" fn ecb_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { transform(BlockMode::EcbEncrypt, job) }
    0
}

unsafe extern "C" fn ecb_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { transform(BlockMode::EcbDecrypt, job) }
    0
}

unsafe extern "C" fn ctr(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { transform(BlockMode::Ctr, job) }
    0
}

unsafe extern "C" fn cbc_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { transform(BlockMode::CbcEncrypt, job) }
    0
}

unsafe extern "C" fn cbc_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { transform(BlockMode::CbcDecrypt, job) }
    0
}

unsafe fn gcm(
    job: &Job,
    text: fn(&Schedule, &Powers, &mut Block, &mut Block, Runs<'_, '_>),
) -> [u8; BLOCK] {
    // SAFETY: see above.
    unsafe {
        let State { schedule, powers } = state(job);
        let mut j0 = block(job.iv);
        j0.0[GCM_IV..].copy_from_slice(&[0, 0, 0, 1]);
        let mut ctr = j0;
        ctr.0[BLOCK - 1] = 2;
        let mut y = Block([0; BLOCK]);
        portable::ghash(powers, &mut y, &block(job.aad).0);
        text(schedule, powers, &mut ctr, &mut y, run(job));
        portable::gcm_tag(schedule, powers, &j0, &mut y, BLOCK as u64, job.len as u64);
        y.0
    }
}

unsafe extern "C" fn gcm_seal(job: &Job) -> u32 {
    // SAFETY: see above. After the text there is room for the tag.
    unsafe {
        let tag = gcm(job, portable::gcm_encrypt);
        job.tag_out().cast::<[u8; BLOCK]>().write(tag);
    }
    0
}

unsafe extern "C" fn gcm_new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        set_key(job.state(), job);
        gcm_seal(job)
    }
}

unsafe extern "C" fn gcm_open(job: &Job) -> u32 {
    // SAFETY: see above. After the text there is the tag.
    unsafe {
        let tag = gcm(job, portable::gcm_decrypt);
        u32::from(!same_tag(&tag, &block(job.tag_in()).0))
    }
}
