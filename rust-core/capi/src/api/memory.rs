// SPDX-License-Identifier: MIT OR Apache-2.0
//! Comparing and erasing secrets.

use core::ffi::{c_int, c_void};

use kcfaes_provider::wipe::{general_registers, wipe_raw};

/// 1 if the len bytes at a and at b are equal, otherwise 0. The time depends on len only, so that
/// nobody learns from it where a tag, a password's hash or a key differs. memcmp does not promise
/// that. A pointer that is NULL where len is not 0 is equal to nothing.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_equal(a: *const c_void, b: *const c_void, len: usize) -> c_int {
    // SAFETY: the common contract.
    let equal = unsafe { same_bytes(a.cast(), b.cast(), len) };
    general_registers();
    equal
}

/// Erases len bytes for good: a compiler that sees that they are not read again may omit a memset.
/// NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_wipe(memory: *mut c_void, len: usize) {
    if !memory.is_null() {
        // SAFETY: the common contract; not NULL.
        unsafe { wipe_raw(memory.cast(), len) };
    }
}

/// The reads are volatile: so the loop ends nowhere else, and no byte is in a vector register, which nobody
/// would wipe.
unsafe fn same_bytes(a: *const u8, b: *const u8, len: usize) -> c_int {
    if len > 0 && (a.is_null() || b.is_null()) {
        return 0;
    }
    let mut differ = 0;
    for i in 0..len {
        // SAFETY: the common contract; not NULL, and less than the length.
        differ |= unsafe { a.add(i).read_volatile() ^ b.add(i).read_volatile() };
    }
    // 1 if `differ` is 0, without a comparison that could become a branch.
    (c_int::from(differ) - 1) >> 8 & 1
}
