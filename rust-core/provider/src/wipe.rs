// SPDX-License-Identifier: MIT OR Apache-2.0
//! Erasing state so that the compiler cannot omit it, and erasing what calls have left on the stack.
//!
//! Miri runs no assembler, and has no registers and no dead stack: there, what erases those does nothing.

use core::arch::asm;
use core::mem::MaybeUninit;
use core::sync::atomic::{Ordering, compiler_fence};

/// A type for which all-zero bytes are a value, and which owns nothing.
///
/// # Safety
/// Both hold.
pub unsafe trait Wipe {}

// SAFETY: bytes.
unsafe impl<const N: usize> Wipe for [u8; N] {}
// SAFETY: bytes.
unsafe impl Wipe for kcfaes_kernels::Block {}
// SAFETY: integers.
unsafe impl Wipe for [u64; 2] {}
// SAFETY: bytes and an integer.
unsafe impl Wipe for kcfaes_kernels::Schedule {}
// SAFETY: bytes and a boolean.
unsafe impl Wipe for kcfaes_kernels::CounterBlock {}
// SAFETY: bytes.
unsafe impl Wipe for kcfaes_kernels::ChainKeys {}

/// A value that is wiped whenever it goes out of scope.
#[derive(Debug)]
pub struct Secret<T: Wipe>(pub T);

impl<T: Wipe> Drop for Secret<T> {
    #[inline]
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Repeats the body for each listed value: a compiler that optimises for size unrolls no loop.
macro_rules! unrolled {
    ($i:ident in $($n:literal)* $body:block) => {
        $({
            const $i: usize = $n;
            $body
        })*
    };
}

/// Overwrites `value` with zeros, for good.
#[inline]
pub fn wipe<T: Wipe>(value: &mut T) {
    let at = core::ptr::from_mut(value);
    // SAFETY: the type may be all-zero and owns nothing. If its alignment is that of words, its size is a
    // multiple of words.
    unsafe {
        let words = size_of::<T>() / size_of::<u64>();
        if align_of::<T>() < align_of::<u64>() {
            wipe_raw(at.cast(), size_of::<T>());
        } else if words > 16 {
            zero_words(at.cast(), words);
        } else {
            let at = at.cast::<u64>();
            unrolled!(I in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 {
                if I < words {
                    at.add(I).write_volatile(0);
                }
            });
        }
    }
    compiler_fence(Ordering::SeqCst);
}

/// Overwrites `bytes` with zeros, for good.
pub fn wipe_bytes(bytes: &mut [u8]) {
    // SAFETY: bytes.
    unsafe { wipe_raw(bytes.as_mut_ptr(), bytes.len()) }
}

/// Overwrites `len` bytes at `at` with zeros, for good.
///
/// # Safety
/// The bytes are writable, and nobody needs them.
#[inline]
pub unsafe fn wipe_raw(at: *mut u8, len: usize) {
    let head = (at.addr().wrapping_neg() & 7).min(len);
    let words = (len - head) / 8;
    // SAFETY: within the bytes; `head` brings the words to their alignment.
    unsafe {
        zero(at, head);
        zero_words(at.add(head).cast(), words);
        zero(at.add(head + words * 8), len - head - words * 8);
    }
    compiler_fence(Ordering::SeqCst);
}

/// Zeros `count` integers, one store each.
///
/// # Safety
/// The integers are writable and aligned.
#[inline]
unsafe fn zero<T: From<u8>>(at: *mut T, count: usize) {
    for i in 0..count {
        // SAFETY: within the integers.
        unsafe { at.add(i).write_volatile(T::from(0)) };
    }
}

/// The most words that single stores zero. Derived: `rep stosq` takes some thirty cycles before its first
/// store. In that time two stores a cycle do as much.
#[cfg(target_arch = "x86_64")]
const FEW_WORDS: usize = 64;

/// Zeros `count` words.
///
/// # Safety
/// The words are writable and aligned.
#[inline(never)]
unsafe fn zero_words(at: *mut u64, count: usize) {
    // SAFETY: within the words; the assembler stores only to them.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if count > FEW_WORDS && !cfg!(miri) {
            asm!(
                "rep stosq",
                inout("rdi") at => _,
                inout("rcx") count => _,
                in("rax") 0_u64,
                options(nostack, preserves_flags),
            );
            return;
        }
        let mut i = 0;
        while i + 4 <= count {
            let at = at.add(i);
            at.write_volatile(0);
            at.add(1).write_volatile(0);
            at.add(2).write_volatile(0);
            at.add(3).write_volatile(0);
            i += 4;
        }
        zero(at.add(i), count - i);
    }
}

/// Copies a value that may be secret word by word. A memcpy, and an assignment in userland, would copy through
/// vector registers, which nobody wipes afterwards.
///
/// # Safety
/// `T` is words, and may be there twice.
#[inline]
pub unsafe fn copy_words<T>(from: &T, to: &mut T) {
    const { assert!(align_of::<T>() >= align_of::<u64>()) };
    let from = core::ptr::from_ref(from).cast::<MaybeUninit<u64>>();
    let to = core::ptr::from_mut(to).cast::<MaybeUninit<u64>>();
    for i in 0..size_of::<T>() / size_of::<u64>() {
        // SAFETY: within both values; a word may be padding.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
}

/// Zeros the general registers that a callee may change. It is the last thing that an entry point does. Code
/// that moves text, and the code of `portable`, leaves bytes of text and keys in them.
#[inline(always)]
pub fn general_registers() {
    if cfg!(miri) {
        return;
    }
    // SAFETY: touches the named registers only, all of which are declared.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "xor eax, eax", "xor ecx, ecx", "xor edx, edx", "xor esi, esi", "xor edi, edi",
            "xor r8d, r8d", "xor r9d, r9d", "xor r10d, r10d", "xor r11d, r11d",
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nomem, nostack),
        );
        #[cfg(target_arch = "aarch64")]
        asm!(
            "mov x0, xzr", "mov x1, xzr", "mov x2, xzr", "mov x3, xzr", "mov x4, xzr",
            "mov x5, xzr", "mov x6, xzr", "mov x7, xzr", "mov x8, xzr", "mov x9, xzr",
            "mov x10, xzr", "mov x11, xzr", "mov x12, xzr", "mov x13, xzr", "mov x14, xzr",
            "mov x15, xzr", "mov x16, xzr", "mov x17, xzr", "mov x18, xzr",
            out("x0") _, out("x1") _, out("x2") _, out("x3") _, out("x4") _,
            out("x5") _, out("x6") _, out("x7") _, out("x8") _, out("x9") _,
            out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _,
            out("x15") _, out("x16") _, out("x17") _, out("x18") _,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// The stack pointer of the function that this is inlined into.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    if cfg!(miri) {
        return usize::MAX;
    }
    let here;
    // SAFETY: reads a register.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    here
}

/// Zeros the dead stack below its caller's frame, down to `below` bytes under `low`. `low` is a stack pointer
/// from which a call was made; if none was (`usize::MAX`), it zeros nothing.
///
/// In userland the stack pointer goes down too. Then the bytes are a frame of [`zero_stack`], and a memory
/// checker sees no write below the stack. In the kernel object the stack pointer only moves by constants, so
/// that the audit can follow it.
#[inline(never)]
pub(crate) fn dead_stack(low: usize, below: usize) {
    if cfg!(miri) {
        return;
    }
    let low = low.saturating_sub(below) & !15;
    // SAFETY: nobody owns the bytes below the stack pointer any more. An interrupt or a signal puts its frame
    // there, and has left before the stores continue. The compiler has nothing there either: it must assume
    // that a call, or assembly without `nostack`, pushes.
    unsafe {
        #[cfg(not(target_os = "none"))]
        zero_stack(low);
        #[cfg(target_os = "none")]
        asm!(
            "mov rcx, rsp",
            "sub rcx, rdi",
            "jbe 2f",
            "shr rcx, 3",
            "rep stosq",
            "2:",
            inout("rdi") low => _,
            in("rax") 0_u64,
            out("rcx") _,
        );
    }
}

/// Zeros the stack from `low` to its own return address.
///
/// A function of its own, because an unwinder must find the frames above while the stack pointer is at `low`:
/// `rdx` or, on AArch64, `x1` then has what the CFA is counted from.
///
/// # Safety
/// `low` is a multiple of 16, and nobody owns the bytes between it and the stack pointer.
#[cfg(not(target_os = "none"))]
#[unsafe(naked)]
unsafe extern "C" fn zero_stack(low: usize) {
    #[cfg(target_arch = "aarch64")]
    core::arch::naked_asm!(
        ".cfi_startproc",
        "mov x1, sp",
        "cmp x1, x0",
        "b.ls 3f",
        ".cfi_def_cfa_register x1",
        "mov sp, x0",
        "2:",
        "stp xzr, xzr, [x0], #16",
        "cmp x0, x1",
        "b.lo 2b",
        "mov sp, x1",
        ".cfi_def_cfa_register sp",
        "3:",
        "ret",
        ".cfi_endproc",
    );
    #[cfg(target_arch = "x86_64")]
    core::arch::naked_asm!(
        ".cfi_startproc",
        "xor eax, eax",
        "mov rcx, rsp",
        "sub rcx, rdi",
        "jbe 2f",
        "mov rdx, rsp",
        ".cfi_def_cfa_register rdx",
        "mov rsp, rdi",
        "shr rcx, 3",
        "rep stosq",
        "mov rsp, rdx",
        ".cfi_def_cfa_register rsp",
        "2:",
        "ret",
        ".cfi_endproc",
    )
}

/// Zeros the vector registers that this room's own code uses, if it is compiled with any. In the kernel
/// object it is not.
#[cfg(target_arch = "x86_64")]
pub(crate) fn registers() {
    // Miri runs no assembler code.
    #[cfg(all(target_feature = "sse2", not(miri)))]
    // SAFETY: touches the named registers only, all of which are declared.
    unsafe {
        asm!(
            "pxor xmm0, xmm0", "pxor xmm1, xmm1", "pxor xmm2, xmm2", "pxor xmm3, xmm3",
            "pxor xmm4, xmm4", "pxor xmm5, xmm5", "pxor xmm6, xmm6", "pxor xmm7, xmm7",
            "pxor xmm8, xmm8", "pxor xmm9, xmm9", "pxor xmm10, xmm10", "pxor xmm11, xmm11",
            "pxor xmm12, xmm12", "pxor xmm13, xmm13", "pxor xmm14, xmm14", "pxor xmm15, xmm15",
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// Zeros the vector registers that this room's own code uses.
#[cfg(target_arch = "aarch64")]
pub(crate) fn registers() {
    if cfg!(miri) {
        return;
    }
    vector_registers();
}

/// Zeros v0 to v31, except the halves that a callee must keep: the low 64 bits of v8 to v15 (AAPCS64, section
/// 6.1.2). A naked function: a compiled one would save these halves on the stack.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn vector_registers() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "movi v0.2d, #0",
        "movi v1.2d, #0",
        "movi v2.2d, #0",
        "movi v3.2d, #0",
        "movi v4.2d, #0",
        "movi v5.2d, #0",
        "movi v6.2d, #0",
        "movi v7.2d, #0",
        "mov v8.d[1], xzr",
        "mov v9.d[1], xzr",
        "mov v10.d[1], xzr",
        "mov v11.d[1], xzr",
        "mov v12.d[1], xzr",
        "mov v13.d[1], xzr",
        "mov v14.d[1], xzr",
        "mov v15.d[1], xzr",
        "movi v16.2d, #0",
        "movi v17.2d, #0",
        "movi v18.2d, #0",
        "movi v19.2d, #0",
        "movi v20.2d, #0",
        "movi v21.2d, #0",
        "movi v22.2d, #0",
        "movi v23.2d, #0",
        "movi v24.2d, #0",
        "movi v25.2d, #0",
        "movi v26.2d, #0",
        "movi v27.2d, #0",
        "movi v28.2d, #0",
        "movi v29.2d, #0",
        "movi v30.2d, #0",
        "movi v31.2d, #0",
        "ret",
        ".cfi_endproc",
    )
}
