// SPDX-License-Identifier: MIT OR Apache-2.0
//! The environment: everything that the provider asks of the system it runs in.
//!
//! In the kernel `kmod/kcfaes_env.c` answers; in libkcfaes a few lines over malloc and CPUID do.
//! The linker binds the names, so no call to them is indirect.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::kcf::crypto_req_handle_t;

/// AES-NI.
pub const FEATURE_AES: u32 = 1 << 0;
/// PCLMULQDQ.
pub const FEATURE_PCLMULQDQ: u32 = 1 << 1;
/// SSSE3.
pub const FEATURE_SSSE3: u32 = 1 << 2;
/// SSE4.1.
pub const FEATURE_SSE41: u32 = 1 << 3;
/// AVX, enabled by the system.
pub const FEATURE_AVX: u32 = 1 << 4;
/// AVX2.
pub const FEATURE_AVX2: u32 = 1 << 5;
/// VAES.
pub const FEATURE_VAES: u32 = 1 << 6;
/// VPCLMULQDQ.
pub const FEATURE_VPCLMULQDQ: u32 = 1 << 7;
/// AVX-512F, enabled by the system.
pub const FEATURE_AVX512F: u32 = 1 << 8;
/// AVX-512BW.
pub const FEATURE_AVX512BW: u32 = 1 << 9;
/// AVX-512VL.
pub const FEATURE_AVX512VL: u32 = 1 << 10;
/// BMI2.
pub const FEATURE_BMI2: u32 = 1 << 11;

/// What the environment keeps while it lends the FPU. It lives on the caller's stack.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct kcfaes_hold {
    /// The environment's own: how the FPU was taken.
    pub mode: u64,
    /// The environment's own.
    pub pad: u64,
    /// Room for xmm0–15, saved in a light hold.
    pub xmm: [[u8; 16]; 16],
}

/// Tables of kernels that have separate counters.
pub const TABLES: usize = 4;
/// Mechanism numbers that have separate counters: KCF's, from 0. Some are unused.
pub const MECHANISMS: usize = 8;
/// Results that have separate counters: KCF's `CRYPTO_*`, from 0.
pub const RESULTS: usize = 128;

/// Counters of one CPU. The environment keeps one set for each CPU, zero at first, and adds them
/// up. The provider writes those of the CPU that it runs on, without a lock.
#[repr(C, align(64))]
pub struct kcfaes_stats {
    /// Calls on data (in one call, a part, an end) that succeeded, by mechanism and table.
    pub operations: [[u64; TABLES]; MECHANISMS],
    /// Bytes of their input.
    pub bytes: [[u64; TABLES]; MECHANISMS],
    /// Calls of any kind that failed, by result.
    pub failures: [u64; RESULTS],
    /// Ticks of the time stamp counter that the longest FPU hold took, of those that ended with
    /// their budget spent.
    pub longest_hold: u64,
}

unsafe extern "C" {
    /// Returns `size` > 0 bytes, aligned to at least 8, or NULL. With `KM_SLEEP` it may wait for
    /// memory, unless it runs in an interrupt.
    fn kcfaes_env_alloc(size: usize, kmflag: c_int) -> *mut c_void;
    /// Gives back what `kcfaes_env_alloc` returned for this `size`.
    fn kcfaes_env_free(ptr: *mut c_void, size: usize);
    /// `KM_SLEEP` or `KM_NOSLEEP`, as `req` allows; `req` may be NULL.
    fn kcfaes_env_kmflag(req: crypto_req_handle_t) -> c_int;
    /// The feature bits of this CPU that the system has enabled; the same at every call.
    fn kcfaes_env_features() -> u32;
    /// The processor's signature, CPUID leaf 1 EAX (Intel SDM volume 2A, CPUID): model, family and
    /// their extensions.
    fn kcfaes_env_signature() -> u32;
    /// Non-zero if the FPU may only be borrowed for legacy-SSE code: in an interrupt, or in a
    /// thread that is itself inside an FPU section.
    fn kcfaes_env_in_interrupt() -> c_int;
    /// Takes the FPU for the calling thread. The thread neither sleeps nor allocates until it
    /// gives the FPU back. Not nested. With `light` other than 0 the thread borrows xmm0–15 for
    /// legacy-SSE code; where `kcfaes_env_in_interrupt` is not 0, nothing else is allowed.
    fn kcfaes_env_hold(hold: *mut kcfaes_hold, light: c_int);
    /// The counters of this CPU, or NULL if nothing is counted.
    fn kcfaes_env_stats() -> *mut kcfaes_stats;
    /// Gives back the FPU that `kcfaes_env_hold` took with this `hold`.
    fn kcfaes_env_release(hold: *mut kcfaes_hold);
}

/// `size` bytes, aligned to at least 8, contents undefined; `None` if there is no memory.
pub fn alloc(size: usize, kmflag: c_int) -> Option<NonNull<u8>> {
    // SAFETY: the function has no precondition except a size other than zero.
    NonNull::new(unsafe { kcfaes_env_alloc(size.max(1), kmflag) }.cast())
}

/// Gives back what [`alloc`] gave.
///
/// # Safety
/// `ptr` came from [`alloc`] with this `size` and is not used again.
pub unsafe fn free(ptr: NonNull<u8>, size: usize) {
    // SAFETY: the caller's contract.
    unsafe { kcfaes_env_free(ptr.as_ptr().cast(), size.max(1)) }
}

/// `KM_SLEEP` or `KM_NOSLEEP`, as the request allows.
#[allow(clippy::not_unsafe_ptr_arg_deref, reason = "an opaque handle, never followed here")]
pub fn kmflag(req: crypto_req_handle_t) -> c_int {
    // SAFETY: the handle is opaque to us and the framework takes any value of its own.
    unsafe { kcfaes_env_kmflag(req) }
}

/// The `FEATURE_*` bits of this CPU that the system has enabled.
#[inline(always)]
pub(crate) fn features() -> u32 {
    // SAFETY: no precondition.
    unsafe { kcfaes_env_features() }
}

/// CPUID leaf 1 EAX.
pub(crate) fn signature() -> u32 {
    // SAFETY: no precondition.
    unsafe { kcfaes_env_signature() }
}

/// Whether the FPU may only be borrowed for legacy-SSE code: in an interrupt, or in a thread that
/// is itself inside an FPU section.
#[inline(always)]
pub(crate) fn in_interrupt() -> bool {
    // SAFETY: no precondition.
    unsafe { kcfaes_env_in_interrupt() != 0 }
}

/// The counters of this CPU, if any are kept. They live as long as the module.
#[inline(always)]
pub(crate) fn stats() -> *mut kcfaes_stats {
    // SAFETY: no precondition.
    unsafe { kcfaes_env_stats() }
}

/// Takes the FPU, in a light hold or the kernel's own.
///
/// # Safety
/// The FPU is not held already, and [`release`] follows with the same `hold`, unmoved. In a light hold only
/// legacy-SSE code runs. In an interrupt the hold is light.
#[inline(always)]
pub(crate) unsafe fn hold(hold: &mut MaybeUninit<kcfaes_hold>, light: bool) {
    // SAFETY: the caller's contract; the environment writes before it reads.
    unsafe { kcfaes_env_hold(hold.as_mut_ptr(), light.into()) }
}

/// Gives the FPU back.
///
/// # Safety
/// The FPU was taken by [`hold`] with this argument.
#[inline(always)]
pub(crate) unsafe fn release(hold: &mut MaybeUninit<kcfaes_hold>) {
    // SAFETY: the caller's contract.
    unsafe { kcfaes_env_release(hold.as_mut_ptr()) }
}

/// Memory for the tests of this crate, which have no environment.
#[cfg(test)]
mod tests {
    use super::{c_int, c_void, crypto_req_handle_t};
    use core::alloc::Layout;
    use std::alloc::{alloc, dealloc};

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("a size")
    }

    #[unsafe(no_mangle)]
    extern "C" fn kcfaes_env_alloc(size: usize, _kmflag: c_int) -> *mut c_void {
        // SAFETY: the size is not 0.
        unsafe { alloc(layout(size)).cast() }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn kcfaes_env_free(ptr: *mut c_void, size: usize) {
        // SAFETY: it came from `alloc` with this size.
        unsafe { dealloc(ptr.cast(), layout(size)) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn kcfaes_env_kmflag(_req: crypto_req_handle_t) -> c_int {
        0
    }
}
