// SPDX-License-Identifier: MIT OR Apache-2.0
//! The environment that the provider asks for (`kcfaes_provider::env`). Its holds do nothing, because
//! the provider is measured, not a kernel's FPU bookkeeping.

use core::alloc::Layout;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, Ordering};
use std::alloc::{alloc, dealloc};
use std::sync::LazyLock;

use kcfaes_provider::env::{self, kcfaes_hold, kcfaes_stats};
use kcfaes_provider::kcf::{KM_SLEEP, crypto_req_handle_t};

/// The bits of the features that CPUID reports and the system has enabled (XGETBV).
static FEATURES: LazyLock<u32> = LazyLock::new(|| {
    macro_rules! bits {
        ($($name:tt => $bit:ident),* $(,)?) => {
            0 $(| if is_x86_feature_detected!($name) { env::$bit } else { 0 })*
        };
    }
    bits! {
        "aes" => FEATURE_AES,
        "pclmulqdq" => FEATURE_PCLMULQDQ,
        "ssse3" => FEATURE_SSSE3,
        "sse4.1" => FEATURE_SSE41,
        "avx" => FEATURE_AVX,
        "avx2" => FEATURE_AVX2,
        "vaes" => FEATURE_VAES,
        "vpclmulqdq" => FEATURE_VPCLMULQDQ,
        "avx512f" => FEATURE_AVX512F,
        "avx512bw" => FEATURE_AVX512BW,
        "avx512vl" => FEATURE_AVX512VL,
        "bmi2" => FEATURE_BMI2,
    }
});

/// It is read in each call, so that the optimiser cannot see that the answer never changes.
static IN_INTERRUPT: AtomicI32 = AtomicI32::new(0);

const ALIGNMENT: usize = 8;

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_alloc(size: usize, _kmflag: c_int) -> *mut c_void {
    match Layout::from_size_align(size, ALIGNMENT) {
        // SAFETY: the provider asks for at least one byte.
        Ok(layout) => unsafe { alloc(layout) }.cast(),
        Err(_) => core::ptr::null_mut(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn kcfaes_env_free(at: *mut c_void, size: usize) {
    if let Ok(layout) = Layout::from_size_align(size, ALIGNMENT) {
        // SAFETY: the caller passes, once, what `kcfaes_env_alloc` gave for this size.
        unsafe { dealloc(at.cast(), layout) }
    }
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_kmflag(_req: crypto_req_handle_t) -> c_int {
    KM_SLEEP
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kcfaes_env_features() -> u32 {
    *FEATURES
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_signature() -> u32 {
    core::arch::x86_64::__cpuid(1).eax
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kcfaes_env_in_interrupt() -> c_int {
    IN_INTERRUPT.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kcfaes_env_stats() -> *mut kcfaes_stats {
    core::ptr::null_mut()
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kcfaes_env_hold(hold: *mut kcfaes_hold, light: c_int) {
    core::hint::black_box((hold, light));
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kcfaes_env_release(hold: *mut kcfaes_hold) {
    core::hint::black_box(hold);
}
