// SPDX-License-Identifier: MIT OR Apache-2.0
//! CTR and CBC by the functions of `openssl/aes.h`, which AWS-LC and BoringSSL lead to their fastest
//! code, without the cost of a cipher context.

use core::ffi::{c_int, c_uint};

use kcfaes_shape::{BLOCK, Call, Job, Operation, Prepared};

crate::functions! {
    /// The AES functions of libcrypto, under their own names.
    Aes, aes_of;
    AES_set_encrypt_key: fn(*const u8, c_uint, *mut Key) -> c_int;
    AES_set_decrypt_key: fn(*const u8, c_uint, *mut Key) -> c_int;
    AES_ctr128_encrypt: fn(*const u8, *mut u8, usize, *const Key, *mut u8, *mut u8, *mut c_uint);
    AES_cbc_encrypt: fn(*const u8, *mut u8, usize, *const Key, *mut u8, c_int);
}

/// `AES_KEY`.
#[repr(C, align(16))]
#[derive(Default)]
pub struct Key {
    round_keys: [[u32; 4]; 15],
    rounds: c_uint,
}

struct State {
    aes: Aes,
    key: Key,
}

/// Gets ready for CTR and CBC; there is nothing for other modes.
///
/// # Safety
/// As [`Peer::prepare`](kcfaes_shape::Peer).
pub unsafe fn prepare(aes: Aes, operation: Operation, job: &Job) -> Prepared {
    let (set_key, call): (_, Call) = match operation {
        Operation::Ctr => (aes.AES_set_encrypt_key, ctr),
        Operation::CbcEncrypt => (aes.AES_set_encrypt_key, cbc_encrypt),
        Operation::CbcDecrypt => (aes.AES_set_decrypt_key, cbc_decrypt),
        _ => return Prepared::NONE,
    };
    let mut key = Key::default();
    // SAFETY: as openssl/aes.h documents the function.
    match unsafe { set_key(job.key, job.key_len as c_uint * 8, &mut key) } {
        0 => Prepared::new(call, State { aes, key }),
        _ => Prepared::NONE,
    }
}

/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put a [`State`] behind the job.
unsafe fn iv(job: &Job) -> [u8; BLOCK] {
    // SAFETY: see above.
    unsafe { job.iv.cast::<[u8; BLOCK]>().read() }
}

unsafe extern "C" fn ctr(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { aes, key } = job.state();
        let (mut counter, mut keystream, mut used) = (iv(job), [0; BLOCK], 0);
        (aes.AES_ctr128_encrypt)(
            job.src,
            job.dst,
            job.len,
            key,
            counter.as_mut_ptr(),
            keystream.as_mut_ptr(),
            &mut used,
        );
    }
    0
}

unsafe extern "C" fn cbc_encrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { aes, key } = job.state();
        (aes.AES_cbc_encrypt)(job.src, job.dst, job.len, key, iv(job).as_mut_ptr(), 1);
    }
    0
}

unsafe extern "C" fn cbc_decrypt(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let State { aes, key } = job.state();
        (aes.AES_cbc_encrypt)(job.src, job.dst, job.len, key, iv(job).as_mut_ptr(), 0);
    }
    0
}
