// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-GCM.

use kcfaes_provider::data::{Run, exists};
use kcfaes_provider::engine::Fpu;
use kcfaes_provider::kcf::{Error, Result};
use kcfaes_provider::mode::{GCM_MAX_TEXT, GcmBatch, GcmMessage, padded};
use kcfaes_provider::request::{Direction, Mechanism, Parameter};
use kcfaes_provider::wipe::general_registers;

use super::bytes::{Bytes, kcfaes_iovec, readable};
use super::error::kcfaes_rc::{self, KCFAES_ARGUMENTS_BAD, KCFAES_OK};
use super::error::{answer, code_of};
use super::key::kcfaes_key;
use super::message::{Tag, open_message, seal_message};
use super::object::live;

/// AES-GCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 8 or 12 to 16 bytes,
/// which also covers aad. The IV has 1 byte or more, best 12, and must never be used twice with one
/// key. KCFAES_MECHANISM_PARAM_INVALID, KCFAES_DATA_LEN_RANGE (more than 2^36 - 32
/// bytes).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        seal_message(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// AES-GCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
/// is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
/// KCFAES_MECHANISM_PARAM_INVALID, KCFAES_DATA_LEN_RANGE: as for kcfaes_gcm_seal.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        open_message(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// kcfaes_gcm_seal over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        seal_message(key, parameter, src, dst, tag, tag_len)
    })
}

/// kcfaes_gcm_open over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, tag_len);
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        open_message(key, parameter, src, dst, tag, tag_len)
    })
}

/// One message of kcfaes_gcm_seal_batch or kcfaes_gcm_open_batch.
#[repr(C)]
pub struct kcfaes_gcm_job {
    /// The IV: iv_len bytes.
    pub iv: *const u8,
    /// Length of the IV, 1 or more, best 12.
    pub iv_len: usize,
    /// Data that is only authenticated: aad_len bytes.
    pub aad: *const u8,
    /// Length of that data.
    pub aad_len: usize,
    /// Text: len bytes.
    pub src: *const u8,
    /// Output: len bytes, the same as src's or disjoint from every other byte of the batch.
    pub dst: *mut u8,
    /// Length of the text.
    pub len: usize,
    /// The tag: tag_len bytes. Sealing writes it, opening only reads it.
    pub tag: *mut u8,
    /// Length of the tag, 4, 8 or 12 to 16.
    pub tag_len: usize,
    /// Written: what kcfaes_gcm_seal or kcfaes_gcm_open would answer.
    pub rc: kcfaes_rc,
}

/// AES-GCM: encrypts count messages with one key, as kcfaes_gcm_seal does with one: a queue of
/// packets. Short messages take a little less time than one call for each. Each job has a result of
/// its own, and one that fails has no effect on the others. The answer is that of the first job that
/// failed, or KCFAES_OK. If key is none, every job fails with KCFAES_ARGUMENTS_BAD; if jobs is NULL
/// or misaligned, that is only the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal_batch(
    key: *const kcfaes_key,
    jobs: *mut kcfaes_gcm_job,
    count: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    let rc = unsafe { run_batch(Direction::Encrypt, key, jobs, count) };
    general_registers();
    rc
}

/// AES-GCM: verifies and decrypts count messages with one key, as kcfaes_gcm_open does with one;
/// otherwise as kcfaes_gcm_seal_batch. A forged message has the result KCFAES_INVALID_MAC and leaves
/// no plaintext; the others are still opened.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open_batch(
    key: *const kcfaes_key,
    jobs: *mut kcfaes_gcm_job,
    count: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    let rc = unsafe { run_batch(Direction::Decrypt, key, jobs, count) };
    general_registers();
    rc
}

/// Checks every job before the FPU is first held. Returns the result of the first job that failed.
unsafe fn run_batch(
    direction: Direction,
    key: *const kcfaes_key,
    jobs: *mut kcfaes_gcm_job,
    count: usize,
) -> kcfaes_rc {
    if count == 0 {
        return KCFAES_OK;
    }
    if jobs.is_null() || !jobs.is_aligned() {
        return KCFAES_ARGUMENTS_BAD;
    }
    // SAFETY: the common contract.
    let key = unsafe { live(key) };
    for i in 0..count {
        // SAFETY: the common contract: `count` jobs. Before it is written, `rc` may be no number of a
        // `kcfaes_rc`.
        unsafe {
            let job = jobs.add(i);
            (&raw mut (*job).rc).write(KCFAES_ARGUMENTS_BAD);
            if key.is_ok() {
                (*job).rc = code_of((*job).check());
            }
        }
    }
    let Ok(key) = key else { return KCFAES_ARGUMENTS_BAD };
    let mut fpu = Fpu::new();
    let mut batch = GcmBatch::new(&key.material, &mut fpu);
    let mut first = KCFAES_OK;
    for i in 0..count {
        // SAFETY: as above, and the jobs whose `rc` is KCFAES_OK were checked.
        unsafe {
            let job = &mut *jobs.add(i);
            if job.rc == KCFAES_OK {
                job.rc = code_of(job.run(direction, &mut batch));
            }
            if first == KCFAES_OK {
                first = job.rc;
            }
        }
    }
    first
}

impl kcfaes_gcm_job {
    /// Finds the faults that the call for one message finds, in its order.
    unsafe fn check(&self) -> Result<()> {
        let &Self { iv, iv_len, aad, aad_len, src, dst, len, tag, tag_len, .. } = self;
        // SAFETY: the common contract.
        unsafe { gcm_parameter(iv, iv_len, aad, aad_len, tag_len)? };
        Tag::Write(tag).check(Mechanism::Gcm, tag_len)?;
        if len as u64 > GCM_MAX_TEXT {
            return Err(Error::DATA_LEN_RANGE);
        }
        let apart = src.addr().abs_diff(dst.addr());
        let overlap = apart != 0 && apart < len;
        if !exists(src, len) || !exists(dst, len) || overlap {
            return Err(Error::ARGUMENTS_BAD);
        }
        Ok(())
    }

    /// Seals or opens the message, which was checked.
    unsafe fn run(&self, direction: Direction, batch: &mut GcmBatch<'_>) -> Result<()> {
        let &Self { iv, iv_len, aad, aad_len, src, dst, len, tag, tag_len, .. } = self;
        // SAFETY: the common contract; the text's ranges are equal or disjoint.
        unsafe {
            let (iv, aad) = (readable(iv, iv_len)?, readable(aad, aad_len)?);
            let message = GcmMessage { iv, aad, run: Run::new(src, dst, len) };
            match direction {
                Direction::Encrypt => Tag::Write(tag).settle(tag_len, batch.seal(message)),
                Direction::Decrypt => {
                    batch.open(message, &padded(readable(tag, tag_len)?), tag_len)
                }
            }
        }
    }
}

/// Parameter of GCM and GMAC. The length of the tag is checked where the tag is. For a tag still to come it
/// is 16.
#[inline(always)]
pub(super) unsafe fn gcm_parameter<'a>(
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    tag_len: usize,
) -> Result<Parameter<'a>> {
    // SAFETY: the common contract.
    let (iv, aad) = unsafe { (read_iv(iv, iv_len)?, readable(aad, aad_len)?) };
    Ok(Parameter::Gcm { iv, aad, tag_len })
}

/// An IV of GCM or GMAC.
#[inline(always)]
pub(super) unsafe fn read_iv<'a>(iv: *const u8, iv_len: usize) -> Result<&'a [u8]> {
    if iv_len == 0 {
        return Err(Error::MECHANISM_PARAM_INVALID);
    }
    // SAFETY: the common contract.
    unsafe { readable(iv, iv_len) }
}
