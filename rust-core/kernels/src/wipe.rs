// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wiping of what a kernel leaves: registers, and the stack below its caller.
//!
//! A kernel that spills blocks has a frame of its own. Its caller then calls a function that zeros the same
//! stack, as many bytes as that frame can have. The audit compares the two sizes in the object. (Each target
//! and each profile has a frame of its own: GCM's of `vaes512` has 552 to 1000 bytes.)

use core::arch::{asm, naked_asm};

/// Defines a function that zeros the given number of registers of dead stack, from its return address down.
macro_rules! wipe_stack {
    ($name:ident: $clear:literal, $store:literal, $register:literal, $width:literal * [$($n:literal)*]) => {
        /// Zeros the dead stack that held the frame of the table's last called kernel.
        ///
        /// # Safety
        /// The caller owns the vector registers, and the CPU has the table's features.
        #[unsafe(naked)]
        pub(crate) unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "sub rsp, {bytes}",
                ".cfi_adjust_cfa_offset {bytes}",
                $clear,
                $(concat!($store, " [rsp + ", $width, " * ", $n, "], ", $register),)*
                "add rsp, {bytes}",
                ".cfi_adjust_cfa_offset -{bytes}",
                "ret",
                ".cfi_endproc",
                bytes = const $width * [$($n),*].len(),
            )
        }
    };
}

wipe_stack!(wipe_stack_aesni: "pxor xmm0, xmm0", "movups", "xmm0", 16 * [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19]);
wipe_stack!(wipe_stack_vaes256: "vpxor xmm0, xmm0, xmm0", "vmovdqu", "ymm0", 32 * [0 1 2 3 4 5 6 7 8 9 10 11 12 13]);
wipe_stack!(wipe_stack_vaes512: "vpxor xmm0, xmm0, xmm0", "vmovdqu64", "zmm0", 64 * [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]);

/// Zeros xmm0–15 with legacy-SSE encodings, so that the upper halves keep their (caller's) values.
///
/// # Safety
/// The caller owns the vector registers.
#[inline(always)]
pub(crate) unsafe fn xmm() {
    // SAFETY: touches the named registers only, all of which are declared.
    unsafe {
        asm!(
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
