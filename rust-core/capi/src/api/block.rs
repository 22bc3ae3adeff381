// SPDX-License-Identifier: MIT OR Apache-2.0
//! AES-CTR, AES-CBC and AES-ECB.

use kcfaes_kernels::{Block, ChainKeys};
use kcfaes_provider::data::{Flat, Io, Run, exists};
use kcfaes_provider::engine::{Chain, Fpu};
use kcfaes_provider::kcf::{Error, KM_SLEEP, Result};
use kcfaes_provider::mode::{Apart, Operation, cbc_encrypt_batch};
use kcfaes_provider::request::{Direction, Parameter};
use kcfaes_provider::wipe::Secret;

use super::bytes::{Bytes, kcfaes_iovec, read_block, with_io};
use super::error::{answer, kcfaes_rc};
use super::key::kcfaes_key;
use super::message::run_message;
use super::object::live;
use crate::context::Heap;

/// AES-CTR: encrypts or decrypts len bytes. counter is the first counter block, a big-endian number
/// of 128 bits, and becomes the one after the last used: another call goes on where this ended if
/// len was a multiple of 16. Not authenticated. No counter block may be used twice with one key.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr(
    key: *const kcfaes_key,
    counter: *mut u8,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { apply_ctr(key, counter, Bytes::input(src, len), Bytes::Buffer(dst, len)) })
}

/// kcfaes_ctr over pieces.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr_iov(
    key: *const kcfaes_key,
    counter: *mut u8,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe {
        apply_ctr(key, counter, Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count))
    })
}

/// AES-CTR from the middle: encrypts or decrypts the len bytes that begin offset bytes into the text
/// whose first counter block is counter, which does not change. For a part of a file or a record
/// that is read again. Whatever is written twice at one place, with two texts, can be read by
/// whoever has both ciphertexts.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr_at(
    key: *const kcfaes_key,
    counter: *const u8,
    offset: u64,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    answer(unsafe { apply_ctr_at(key, counter, offset, src, dst) })
}

/// kcfaes_ctr_at over pieces.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr_at_iov(
    key: *const kcfaes_key,
    counter: *const u8,
    offset: u64,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    answer(unsafe { apply_ctr_at(key, counter, offset, src, dst) })
}

/// AES-CBC: encrypts len bytes, a multiple of 16, without padding. iv becomes the last ciphertext
/// block, so that another call goes on where this ended. Not authenticated; the first IV must be
/// unpredictable. KCFAES_DATA_LEN_RANGE.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    answer(unsafe { apply_cbc(Direction::Encrypt, key, iv, src, dst) })
}

/// AES-CBC: decrypts; otherwise as kcfaes_cbc_encrypt. KCFAES_ENCRYPTED_DATA_LEN_RANGE.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_decrypt(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    answer(unsafe { apply_cbc(Direction::Decrypt, key, iv, src, dst) })
}

/// kcfaes_cbc_encrypt over pieces.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt_iov(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    answer(unsafe { apply_cbc(Direction::Encrypt, key, iv, src, dst) })
}

/// kcfaes_cbc_decrypt over pieces.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_decrypt_iov(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    answer(unsafe { apply_cbc(Direction::Decrypt, key, iv, src, dst) })
}

/// One message of kcfaes_cbc_encrypt_batch.
#[repr(C)]
pub struct kcfaes_cbc_job {
    /// Its key.
    pub key: *const kcfaes_key,
    /// Text: len bytes.
    pub src: *const u8,
    /// Ciphertext: len bytes, the same as src's or disjoint from every other byte of the batch.
    pub dst: *mut u8,
    /// Length of the text, a multiple of 16.
    pub len: usize,
    /// The IV; becomes the last ciphertext block.
    pub iv: [u8; 16],
}

/// AES-CBC: encrypts count messages that do not depend on each other, each with its own key or all
/// with the same one: disk sectors, a queue of packets. The lengths may differ. A single CBC
/// encryption waits for the processor at every block. 16 messages of 1 KiB side by side take two to
/// three times as long as one with VAES, and four times with AES-NI alone. Short messages gain less,
/// and "portable" gains nothing.
/// If a job is wrong, no job has any effect, and the answer is that of the first wrong one:
/// KCFAES_ARGUMENTS_BAD or KCFAES_DATA_LEN_RANGE. KCFAES_HOST_MEMORY has no effect either; it cannot
/// happen if all keys are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt_batch(
    jobs: *mut kcfaes_cbc_job,
    count: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { if count == 1 { encrypt_one(jobs) } else { encrypt_batch(jobs, count) } })
}

/// AES-ECB: encrypts len bytes, a multiple of 16, each block by itself. Equal blocks stay equal: a
/// building block, not a way to protect text. KCFAES_DATA_LEN_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_encrypt(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    answer(unsafe { apply_ecb(Direction::Encrypt, key, src, dst) })
}

/// AES-ECB: decrypts; otherwise as kcfaes_ecb_encrypt. KCFAES_ENCRYPTED_DATA_LEN_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_decrypt(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    answer(unsafe { apply_ecb(Direction::Decrypt, key, src, dst) })
}

/// kcfaes_ecb_encrypt over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_encrypt_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    answer(unsafe { apply_ecb(Direction::Encrypt, key, src, dst) })
}

/// kcfaes_ecb_decrypt over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_decrypt_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    answer(unsafe { apply_ecb(Direction::Decrypt, key, src, dst) })
}

/// Encrypts or decrypts, and advances the counter.
#[inline(always)]
unsafe fn apply_ctr(
    key: *const kcfaes_key,
    counter: *mut u8,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let parameter = Parameter::Ctr { bits: 128, cb: read_block(counter)? };
        run_chained(Direction::Encrypt, key, parameter, counter, src, dst)
    }
}

/// Encrypts or decrypts from byte `offset` of a text on. Within a block, a message in parts goes there: its
/// first part is the bytes before, which nobody needs.
unsafe fn apply_ctr_at(
    key: *const kcfaes_key,
    counter: *const u8,
    offset: u64,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let first = u128::from_be_bytes(read_block(counter)?.0);
        let cb = Block(first.wrapping_add((offset / 16).into()).to_be_bytes());
        let parameter = Parameter::Ctr { bits: 128, cb };
        let key = &live(key)?.material;
        let before = (offset % 16) as usize;
        if before == 0 {
            return run_message(key, Direction::Encrypt, parameter, Apart::Nothing, src, dst);
        }
        with_io(src, dst, |io| {
            let (mut operation, mut fpu) = (Operation::idle(), Fpu::new());
            operation.begin(Direction::Encrypt, &parameter, key, &mut fpu);
            let mut skipped = Secret([0; 16]);
            let mut skipped = Flat::new(skipped.0.get_mut(..before).unwrap_or_default());
            let skip = Io { src: skipped.data(), dst: None, req: io.req };
            operation.update_in_general(key, &mut fpu, &skip, KM_SLEEP)?;
            operation.update_in_general(key, &mut fpu, io, KM_SLEEP).map(drop)
        })
    }
}

/// Encrypts or decrypts, and advances the IV.
#[inline(always)]
unsafe fn apply_cbc(
    direction: Direction,
    key: *const kcfaes_key,
    iv: *mut u8,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let parameter = Parameter::Cbc { iv: read_block(iv)? };
        run_chained(direction, key, parameter, iv, src, dst)
    }
}

/// Gives the provider a message whose IV or counter block is at `iv`, and advances that block. A kernel
/// advances it in place, unless it lies where text does.
#[inline(always)]
unsafe fn run_chained(
    direction: Direction,
    key: *const kcfaes_key,
    parameter: Parameter<'_>,
    iv: *mut u8,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    let iv = iv.cast::<[u8; 16]>();
    // SAFETY: the common contract; `iv` is not NULL.
    unsafe {
        let key = &live(key)?.material;
        let mut next = [0; 16];
        let apart = src.leaves_out(iv) && dst.leaves_out(iv);
        let to = if apart { iv } else { &raw mut next };
        if !apart {
            to.write(iv.read());
        }
        run_message(key, direction, parameter, Apart::NextIv(&mut *to), src, dst)?;
        if !apart {
            iv.write(next);
        }
    }
    Ok(())
}

/// A batch of one message is that message's plain call.
unsafe fn encrypt_one(job: *mut kcfaes_cbc_job) -> Result<()> {
    if job.is_null() || !job.is_aligned() {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract: one job.
    unsafe {
        let kcfaes_cbc_job { key, src, dst, len, iv } = &mut *job;
        let (src, dst) = (Bytes::input(*src, *len), Bytes::Buffer(*dst, *len));
        apply_cbc(Direction::Encrypt, *key, iv.as_mut_ptr(), src, dst)
    }
}

/// Checks every job before it encrypts any. Not inlined: a batch of one message does not need its frame.
#[inline(never)]
unsafe fn encrypt_batch(jobs: *mut kcfaes_cbc_job, count: usize) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    if jobs.is_null() || !jobs.is_aligned() {
        return Err(Error::ARGUMENTS_BAD);
    }
    let mut same = true;
    for i in 0..count {
        // SAFETY: the common contract: `count` jobs.
        let (job, first) = unsafe { (&*jobs.add(i), &*jobs) };
        // SAFETY: the common contract.
        unsafe { live(job.key)? };
        if job.len & 15 != 0 {
            return Err(Error::DATA_LEN_RANGE);
        }
        let apart = job.src.addr().abs_diff(job.dst.addr());
        let overlap = apart != 0 && apart < job.len;
        if !exists(job.src, job.len) || !exists(job.dst, job.len) || overlap {
            return Err(Error::ARGUMENTS_BAD);
        }
        same &= job.key == first.key;
    }
    let mut keys = if same { None } else { Some(Heap::<ChainKeys>::new(KM_SLEEP)?) };
    let mut fpu = Fpu::new();
    for rounds in [10, 12, 14] {
        let mut numbers = 0..count;
        let next = |chain: &mut Option<Chain<'_>>| {
            // SAFETY: the common contract. The part of it that can be checked was checked above: the key is
            // one.
            unsafe {
                let i =
                    numbers.find(|&i| (*(*jobs.add(i)).key).material.schedule.rounds == rounds)?;
                let job = &*jobs.add(i);
                let schedule = &(*job.key).material.schedule;
                let run = Run::new(job.src, job.dst, job.len);
                *chain = Some(Chain { schedule, iv: Block(job.iv), run });
                Some(i)
            }
        };
        let done = |i, iv: &Block| {
            // SAFETY: the common contract; `i` came from `next`.
            unsafe { (*jobs.add(i)).iv = iv.0 };
        };
        cbc_encrypt_batch(&mut fpu, keys.as_mut().map(Heap::get), next, done);
    }
    Ok(())
}

#[inline(always)]
unsafe fn apply_ecb(
    direction: Direction,
    key: *const kcfaes_key,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let key = &live(key)?.material;
        run_message(key, direction, Parameter::Ecb, Apart::Nothing, src, dst)
    }
}
