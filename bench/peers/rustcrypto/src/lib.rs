// SPDX-License-Identifier: MIT OR Apache-2.0
//! RustCrypto: the crates aes, cbc, ctr and aes-gcm. Which instructions they use is their choice when
//! they run, or that of the compiler where it is told the processor. Built as "RustCrypto soft" they use
//! integers only (`xtask/src/bench.rs`).

use core::ffi::CStr;
use core::slice::{from_raw_parts, from_raw_parts_mut};
use std::ffi::CString;
use std::sync::OnceLock;

use aes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit, StreamCipherCore,
};
use aes::{Aes128, Aes256, Block};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm};
use ctr::CtrCore;
use ctr::flavors::Ctr32BE;
use kcfaes_shape::{BLOCK, Call, GCM_IV, Job, Operation, Prepared, locked};

fn describe() -> Option<&'static CStr> {
    static TEXT: OnceLock<Option<CString>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let lock = include_str!("../../Cargo.lock");
        let versions =
            ["aes", "cbc", "ctr", "aes-gcm"].map(|it| Some(format!("{it} {}", locked(lock, it)?)));
        let versions: Option<Vec<_>> = versions.into_iter().collect();
        CString::new(versions?.join(", ")).ok()
    });
    text.as_deref()
}

/// The functions for one key size.
macro_rules! key_size {
    ($name:ident, $aes:ty, $gcm:ty) => {
        /// # Safety
        /// As [`Peer::prepare`](kcfaes_shape::Peer).
        unsafe fn $name(operation: Operation, job: &Job) -> Prepared {
            // SAFETY: the caller's promise.
            let key = unsafe { job.key() };
            let call: Call = match operation {
                Operation::EcbEncrypt => ecb_encrypt::<$aes>,
                Operation::EcbDecrypt => ecb_decrypt::<$aes>,
                Operation::Ctr => ctr::<$aes>,
                Operation::CbcEncrypt => cbc_encrypt::<$aes>,
                Operation::CbcDecrypt => cbc_decrypt::<$aes>,
                Operation::GcmSeal => seal::<$gcm>,
                Operation::GcmOpen => open::<$gcm>,
                Operation::GcmNewKeySeal => new_key_seal::<$gcm>,
            };
            match operation {
                Operation::GcmSeal | Operation::GcmOpen | Operation::GcmNewKeySeal => {
                    <$gcm>::new_from_slice(key).map(|state| Prepared::new(call, state))
                }
                _ => <$aes>::new_from_slice(key).map(|state| Prepared::new(call, state)),
            }
            .unwrap_or(Prepared::NONE)
        }
    };
}

key_size!(prepare_128, Aes128, Aes128Gcm);
key_size!(prepare_256, Aes256, Aes256Gcm);

unsafe fn prepare(operation: Operation, job: &Job) -> Prepared {
    // SAFETY: the caller's promise.
    unsafe {
        match job.key_len {
            16 => prepare_128(operation, job),
            _ => prepare_256(operation, job),
        }
    }
}

/// Input and output of `len` items.
///
/// # Safety
/// The contract of a [`Call`], here and below: `prepare` has put the type's state behind the job.
unsafe fn buffers<T>(job: &Job, len: usize) -> InOutBuf<'_, '_, T> {
    // SAFETY: see above.
    let (src, dst) =
        unsafe { (from_raw_parts(job.src.cast(), len), from_raw_parts_mut(job.dst.cast(), len)) };
    InOutBuf::new(src, dst).expect("the same length")
}

unsafe fn blocks(job: &Job) -> InOutBuf<'_, '_, Block> {
    // SAFETY: see above.
    unsafe { buffers(job, job.len / BLOCK) }
}

unsafe fn iv(job: &Job) -> &Block {
    // SAFETY: see above.
    unsafe { &*job.iv.cast() }
}

unsafe extern "C" fn ecb_encrypt<A: BlockCipherEncrypt<BlockSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { job.state::<A>().encrypt_blocks_inout(blocks(job)) }
    0
}

unsafe extern "C" fn ecb_decrypt<A: BlockCipherDecrypt<BlockSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { job.state::<A>().decrypt_blocks_inout(blocks(job)) }
    0
}

unsafe extern "C" fn ctr<A: BlockCipherEncrypt<BlockSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        CtrCore::<_, Ctr32BE>::inner_iv_init(&*job.state::<A>(), iv(job))
            .apply_keystream_partial(buffers(job, job.len));
    }
    0
}

unsafe extern "C" fn cbc_encrypt<A: BlockCipherEncrypt<BlockSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        cbc::Encryptor::inner_iv_init(&*job.state::<A>(), iv(job))
            .encrypt_blocks_inout(blocks(job));
    }
    0
}

unsafe extern "C" fn cbc_decrypt<A: BlockCipherDecrypt<BlockSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        cbc::Decryptor::inner_iv_init(&*job.state::<A>(), iv(job))
            .decrypt_blocks_inout(blocks(job));
    }
    0
}

type Size = aes::cipher::consts::U16;
type Iv = aes::cipher::consts::U12;

unsafe fn seal_with<G: AeadInOut<NonceSize = Iv, TagSize = Size>>(gcm: &G, job: &Job) -> u32 {
    const { assert!(GCM_IV == 12) };
    // SAFETY: see above.
    unsafe {
        let aad = from_raw_parts(job.aad, BLOCK);
        match gcm.encrypt_inout_detached(&*job.iv.cast(), aad, buffers(job, job.len)) {
            Ok(tag) => {
                job.tag_out().cast::<Block>().write_unaligned(tag);
                0
            }
            Err(_) => 1,
        }
    }
}

unsafe extern "C" fn seal<G: AeadInOut<NonceSize = Iv, TagSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe { seal_with(&*job.state::<G>(), job) }
}

unsafe extern "C" fn new_key_seal<G>(job: &Job) -> u32
where
    G: AeadInOut<NonceSize = Iv, TagSize = Size> + KeyInit,
{
    // SAFETY: see above.
    unsafe {
        let gcm = job.state::<G>();
        *gcm = match G::new_from_slice(job.key()) {
            Ok(new) => new,
            Err(_) => return 1,
        };
        seal_with(gcm, job)
    }
}

unsafe extern "C" fn open<G: AeadInOut<NonceSize = Iv, TagSize = Size>>(job: &Job) -> u32 {
    // SAFETY: see above.
    unsafe {
        let aad = from_raw_parts(job.aad, BLOCK);
        let tag = &*job.tag_in().cast();
        let gcm = &*job.state::<G>();
        u32::from(
            gcm.decrypt_inout_detached(&*job.iv.cast(), aad, buffers(job, job.len), tag).is_err(),
        )
    }
}

kcfaes_shape::peer!(describe, prepare);
