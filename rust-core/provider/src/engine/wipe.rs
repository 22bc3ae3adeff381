// SPDX-License-Identifier: MIT OR Apache-2.0
//! Erasing state so that the compiler cannot leave it out.

use core::sync::atomic::{Ordering, compiler_fence};

/// A type of which all-zero bytes are a value and which owns nothing.
///
/// # Safety
/// Both hold.
pub unsafe trait Wipe {}

// SAFETY: bytes.
unsafe impl<const N: usize> Wipe for [u8; N] {}
// SAFETY: bytes.
unsafe impl Wipe for kcfaes_kernels::Block {}

/// Overwrites `value` with zeros, for good.
#[inline]
pub fn wipe<T: Wipe>(value: &mut T) {
    // SAFETY: the type may be all-zero and owns nothing.
    unsafe { wipe_raw(core::ptr::from_mut(value).cast(), size_of::<T>()) }
}

/// Overwrites `bytes` with zeros, for good.
pub fn wipe_bytes(bytes: &mut [u8]) {
    // SAFETY: bytes.
    unsafe { wipe_raw(bytes.as_mut_ptr(), bytes.len()) }
}

/// Overwrites `len` bytes at `at` with zeros, for good.
///
/// # Safety
/// They are writable, and nobody minds.
#[inline]
pub unsafe fn wipe_raw(at: *mut u8, len: usize) {
    let words = at.cast::<Word>();
    for i in 0..len / 8 {
        // SAFETY: within the bytes; `Word` presumes no alignment.
        unsafe { words.add(i).write_volatile(Word(0)) };
    }
    for i in len & !7..len {
        // SAFETY: within the bytes.
        unsafe { at.add(i).write_volatile(0) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// Eight bytes at any address.
#[repr(C, packed)]
struct Word(u64);
