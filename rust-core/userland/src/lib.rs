// SPDX-License-Identifier: MIT OR Apache-2.0
//! The environment of a userland process: malloc and CPUID answer what `kcfaes_provider::env` asks. libkcfaes
//! and the crate `kcfaes` have it.
//!
//! A program may have one environment, because the linker binds its functions by name. A process owns its vector
//! registers and is never in an interrupt, so a hold does nothing. A processor that is not x86-64 has none of the
//! features that `env` names: its table is `portable`.
#![no_std]

#[cfg(target_arch = "x86_64")]
mod cpuid;

use core::ffi::{c_int, c_void};

use kcfaes_provider::env::{kcfaes_hold, kcfaes_stats};
use kcfaes_provider::kcf::{KM_SLEEP, crypto_req_handle_t};

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(ptr: *mut c_void);
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_alloc(size: usize, _kmflag: c_int) -> *mut c_void {
    // SAFETY: no precondition.
    unsafe { malloc(size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn kcfaes_env_free(ptr: *mut c_void, _size: usize) {
    // SAFETY: the caller passes what `kcfaes_env_alloc` returned, once.
    unsafe { free(ptr) }
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_kmflag(_req: crypto_req_handle_t) -> c_int {
    KM_SLEEP
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_in_interrupt() -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_stats() -> *mut kcfaes_stats {
    core::ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_hold(_hold: *mut kcfaes_hold, _light: c_int) {}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_release(_hold: *mut kcfaes_hold) {}

#[cfg(not(target_arch = "x86_64"))]
#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_features() -> u32 {
    0
}

#[cfg(not(target_arch = "x86_64"))]
#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_signature() -> u32 {
    0
}
