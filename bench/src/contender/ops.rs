// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ops vector as KCF's clients reach it: `encrypt_atomic` and `decrypt_atomic` with a template, raw
//! data, output apart from the input. The figures include checking the request, taking the FPU (a stub
//! here) and wiping. A key that comes with the message comes without a template.

use core::ffi::c_void;
use core::ptr::null_mut;

use kcfaes_capi::spi::{
    kcfaes_spi_create_ctx_template, kcfaes_spi_decrypt_atomic, kcfaes_spi_encrypt_atomic,
};
use kcfaes_provider::engine::select;
use kcfaes_provider::env;
use kcfaes_provider::kcf::{
    AES_CBC_MECH_INFO_TYPE, AES_CTR_MECH_INFO_TYPE, AES_ECB_MECH_INFO_TYPE, AES_GCM_MECH_INFO_TYPE,
    CK_AES_CTR_PARAMS, CK_AES_GCM_PARAMS, CRYPTO_DATA_RAW, CRYPTO_KEY_RAW, CRYPTO_SUCCESS,
    crypto_data_cdu_t, crypto_data_t, crypto_key_data_t, crypto_key_t, crypto_key_value_t,
    crypto_mechanism_t, iovec_t,
};
use kcfaes_shape::{Call, Prepared};

use super::{Contender, OPS, Role};
use crate::message::{BLOCK, GCM_IV, Job, Operation};

pub(super) struct Ops;

/// What a client of KCF has set up before it calls.
struct State {
    mechanism: crypto_mechanism_t,
    key: crypto_key_t,
    input: crypto_data_t,
    output: crypto_data_t,
    template: *mut c_void,
    template_size: usize,
    /// What `mechanism` points to.
    _parameter: Parameter,
}

enum Parameter {
    None,
    Ctr(#[allow(dead_code, reason = "reached through the mechanism")] Box<CK_AES_CTR_PARAMS>),
    Gcm(#[allow(dead_code, reason = "reached through the mechanism")] Box<CK_AES_GCM_PARAMS>),
}

impl Contender for Ops {
    fn name(&self) -> &str {
        OPS
    }

    fn description(&self) -> String {
        format!(
            "encrypt_atomic and decrypt_atomic, raw data, template, stubbed FPU hold, wiping; \
             table {}",
            select().id().name()
        )
    }

    fn role(&self) -> Role {
        Role::Interface
    }

    unsafe fn prepare(&self, operation: Operation, job: &Job) -> Prepared {
        let (number, param, param_len, parameter) = match operation {
            Operation::EcbEncrypt | Operation::EcbDecrypt => {
                (AES_ECB_MECH_INFO_TYPE, null_mut(), 0, Parameter::None)
            }
            Operation::CbcEncrypt | Operation::CbcDecrypt => {
                (AES_CBC_MECH_INFO_TYPE, job.iv.cast_mut().cast(), BLOCK, Parameter::None)
            }
            Operation::Ctr => {
                // SAFETY: the message has sixteen bytes there.
                let cb = unsafe { job.iv.cast::<[u8; BLOCK]>().read() };
                let mut ctr = Box::new(CK_AES_CTR_PARAMS { ulCounterBits: 32, cb });
                let at = (&raw mut *ctr).cast();
                let len = size_of::<CK_AES_CTR_PARAMS>();
                (AES_CTR_MECH_INFO_TYPE, at, len, Parameter::Ctr(ctr))
            }
            Operation::GcmSeal | Operation::GcmOpen | Operation::GcmNewKeySeal => {
                let mut gcm = Box::new(CK_AES_GCM_PARAMS {
                    pIv: job.iv.cast_mut(),
                    ulIvLen: GCM_IV as u64,
                    ulIvBits: 0,
                    pAAD: job.aad.cast_mut(),
                    ulAADLen: BLOCK as u64,
                    ulTagBits: 128,
                });
                let at = (&raw mut *gcm).cast();
                let len = size_of::<CK_AES_GCM_PARAMS>();
                (AES_GCM_MECH_INFO_TYPE, at, len, Parameter::Gcm(gcm))
            }
        };
        let mut state = State {
            mechanism: crypto_mechanism_t {
                cm_type: number,
                cm_param: param,
                cm_param_len: param_len,
            },
            key: crypto_key_t {
                ck_format: CRYPTO_KEY_RAW,
                cku_data: crypto_key_data_t {
                    cku_key_value: crypto_key_value_t {
                        cku_v_length: job.key_len as u32 * 8,
                        cku_v_data: job.key.cast_mut().cast(),
                    },
                },
            },
            input: raw(
                job.src.cast_mut(),
                job.len + if operation == Operation::GcmOpen { BLOCK } else { 0 },
            ),
            output: raw(job.dst, job.len + if operation.seals() { BLOCK } else { 0 }),
            template: null_mut(),
            template_size: 0,
            _parameter: parameter,
        };
        if operation != Operation::GcmNewKeySeal {
            // SAFETY: valid structs that outlive the call.
            let made = unsafe {
                kcfaes_spi_create_ctx_template(
                    null_mut(),
                    &mut state.mechanism,
                    &mut state.key,
                    &mut state.template,
                    &mut state.template_size,
                    null_mut(),
                )
            };
            assert_eq!(made, CRYPTO_SUCCESS, "a template");
        }
        let call: Call = if operation.encrypts() { encrypt } else { decrypt };
        Prepared::new(call, state)
    }
}

fn raw(at: *mut u8, len: usize) -> crypto_data_t {
    crypto_data_t {
        cd_format: CRYPTO_DATA_RAW,
        cd_offset: 0,
        cd_length: len,
        cd_miscdata: null_mut(),
        cdu: crypto_data_cdu_t { cdu_raw: iovec_t { iov_base: at.cast(), iov_len: len } },
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(at) = core::ptr::NonNull::new(self.template) {
            // SAFETY: as KCF does it: the template is one block of that size, and nobody uses it any
            // more.
            unsafe { env::free(at.cast(), self.template_size) }
        }
    }
}

/// # Safety
/// The contract of a [`Call`]: `prepare` has put a [`State`] into the job.
unsafe extern "C" fn encrypt(job: &Job) -> u32 {
    let state = job.state.cast::<State>();
    // SAFETY: see above.
    unsafe {
        kcfaes_spi_encrypt_atomic(
            null_mut(),
            0,
            &raw mut (*state).mechanism,
            &raw mut (*state).key,
            &raw mut (*state).input,
            &raw mut (*state).output,
            (*state).template,
            null_mut(),
        ) as u32
    }
}

/// # Safety
/// As [`encrypt`].
unsafe extern "C" fn decrypt(job: &Job) -> u32 {
    let state = job.state.cast::<State>();
    // SAFETY: see above.
    unsafe {
        kcfaes_spi_decrypt_atomic(
            null_mut(),
            0,
            &raw mut (*state).mechanism,
            &raw mut (*state).key,
            &raw mut (*state).input,
            &raw mut (*state).output,
            (*state).template,
            null_mut(),
        ) as u32
    }
}
