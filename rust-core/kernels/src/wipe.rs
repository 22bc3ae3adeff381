// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wiping of what a kernel leaves behind: registers, and the stack below its caller.
//!
//! A kernel that spills blocks is a function of its own below its entry point, which then calls
//! [`stack`]: the wiping frame stands where the kernel's frame stood and covers at least as much.

use core::{
    arch::x86_64::{__m128i, _mm_setzero_si128},
    mem::MaybeUninit,
};

/// Bytes of stack that are cleared. The deepest kernel has 112 below its return address and saved
/// frame pointer; a test looks for what would be left if it grew.
const WIPED_STACK: usize = 192;

/// Zeros the dead stack in which the last called kernel had its frame.
#[inline(never)]
pub(crate) fn stack() {
    let mut dead = MaybeUninit::<[__m128i; WIPED_STACK / 16]>::uninit();
    let first = dead.as_mut_ptr().cast::<__m128i>();
    for i in 0..WIPED_STACK / 16 {
        // SAFETY: within the array. Volatile, because nothing reads it again.
        unsafe { first.add(i).write_volatile(_mm_setzero_si128()) };
    }
}

/// Zeros xmm0–15 with legacy-SSE encodings, so that the upper halves keep their (caller's) values.
///
/// # Safety
/// The caller owns the vector registers.
#[inline(always)]
pub(crate) unsafe fn xmm() {
    // SAFETY: touches the named registers only, all of which are declared.
    unsafe {
        core::arch::asm!(
            "pxor xmm0, xmm0",
            "pxor xmm1, xmm1",
            "pxor xmm2, xmm2",
            "pxor xmm3, xmm3",
            "pxor xmm4, xmm4",
            "pxor xmm5, xmm5",
            "pxor xmm6, xmm6",
            "pxor xmm7, xmm7",
            "pxor xmm8, xmm8",
            "pxor xmm9, xmm9",
            "pxor xmm10, xmm10",
            "pxor xmm11, xmm11",
            "pxor xmm12, xmm12",
            "pxor xmm13, xmm13",
            "pxor xmm14, xmm14",
            "pxor xmm15, xmm15",
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nomem, nostack, preserves_flags),
        );
    }
}
