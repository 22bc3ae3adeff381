// SPDX-License-Identifier: MIT OR Apache-2.0
//! ring: GCM, its only mode of AES. It works in place, so that the text is copied first, and the copy
//! counts.

use core::ffi::CStr;
use core::slice::{from_raw_parts, from_raw_parts_mut};
use std::ffi::CString;
use std::sync::OnceLock;

use kcfaes_shape::{BLOCK, Call, GCM_IV, Job, Operation, Prepared, locked};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

fn describe() -> Option<&'static CStr> {
    static TEXT: OnceLock<Option<CString>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let version = locked(include_str!("../../Cargo.lock"), "ring")?;
        CString::new(format!("{version}, in place on a copy of the text, which counts")).ok()
    });
    text.as_deref()
}

fn new_key(key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    let call: Call = match operation {
        Operation::GcmSeal => seal,
        Operation::GcmOpen => open,
        Operation::GcmNewKeySeal => new_key_seal,
        _ => return Prepared::NONE,
    };
    // SAFETY: the caller's promise.
    match new_key(unsafe { job.key() }) {
        Some(key) => Prepared::new(call, key),
        None => Prepared::NONE,
    }
}

/// Nonce and additional data.
///
/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`LessSafeKey`] behind the job.
unsafe fn header(job: &Job) -> (Nonce, Aad<&[u8]>) {
    // SAFETY: see above.
    unsafe {
        let nonce = Nonce::assume_unique_for_key(job.iv.cast::<[u8; GCM_IV]>().read());
        (nonce, Aad::from(from_raw_parts(job.aad, BLOCK)))
    }
}

unsafe fn seal_with(key: &LessSafeKey, job: &Job) -> u32 {
    // SAFETY: see above; input and output are apart.
    unsafe {
        let (nonce, aad) = header(job);
        job.dst.copy_from_nonoverlapping(job.src, job.len);
        let text = from_raw_parts_mut(job.dst, job.len);
        match key.seal_in_place_separate_tag(nonce, aad, text) {
            Ok(tag) => {
                job.tag_out().copy_from_nonoverlapping(tag.as_ref().as_ptr(), BLOCK);
                0
            }
            Err(_) => 1,
        }
    }
}

unsafe extern "C" fn seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { seal_with(job.state(), job) }
}

unsafe extern "C" fn new_key_seal(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let Some(key) = new_key(job.key()) else { return 1 };
        let state: &mut LessSafeKey = job.state();
        *state = key;
        seal_with(state, job)
    }
}

unsafe extern "C" fn open(job: &Job) -> u32 {
    // SAFETY: see above; input and output are apart.
    unsafe {
        let key: &LessSafeKey = job.state();
        let (nonce, aad) = header(job);
        job.dst.copy_from_nonoverlapping(job.src, job.len);
        let text = from_raw_parts_mut(job.dst, job.len);
        let tag = Tag::from(job.tag_in().cast::<[u8; BLOCK]>().read());
        u32::from(key.open_in_place_separate_tag(nonce, aad, tag, text, 0..).is_err())
    }
}

kcfaes_shape::peer!(describe, prepare);
