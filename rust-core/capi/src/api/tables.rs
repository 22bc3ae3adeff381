// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of kernels, and the self-test.

use core::ffi::{CStr, c_char};

use kcfaes_provider::engine::{TableId, force, select};
use kcfaes_provider::kcf::KM_SLEEP;
use kcfaes_provider::selftest;

use super::error::answer;
use super::error::kcfaes_rc::{
    self, KCFAES_ARGUMENTS_BAD, KCFAES_FAILED, KCFAES_NOT_SUPPORTED, KCFAES_OK,
};
use crate::context::Heap;

/// Name of the table of kernels that a call would use now: "portable", "aesni",
/// "vaes256" or "vaes512".
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_table_name() -> *const c_char {
    select().id().c_name().as_ptr()
}

/// Makes later calls of the whole process use the table of that name or, with NULL, again the best
/// that the CPU has. KCFAES_ARGUMENTS_BAD: no such table. KCFAES_NOT_SUPPORTED: this CPU lacks
/// it. Messages in work may go on with another table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_table_force(name: *const c_char) -> kcfaes_rc {
    let mut chosen = None;
    if !name.is_null() {
        // SAFETY: the common contract: a string.
        chosen = TableId::ALL.into_iter().find(|&id| unsafe { same_string(name, id.c_name()) });
        if chosen.is_none() {
            return KCFAES_ARGUMENTS_BAD;
        }
    }
    if force(chosen) { KCFAES_OK } else { KCFAES_NOT_SUPPORTED }
}

/// What the self-test found.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kcfaes_fault {
    /// Name of the table that gave a wrong answer; NULL if none did.
    pub table: *const c_char,
    /// "ecb", "cbc", "ctr", "ccm", "gcm", "gmac" or "cmac".
    pub mode: *const c_char,
    /// 128, 192 or 256.
    pub key_bits: usize,
}

/// Known answers of every mode and key size on every table that this CPU has. It takes
/// some milliseconds.
/// KCFAES_FAILED: an answer was wrong, and fault (which may be NULL) says where. KCFAES_HOST_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_selftest(fault: *mut kcfaes_fault) -> kcfaes_rc {
    let mut scratch = match Heap::<selftest::Scratch>::new(KM_SLEEP) {
        Ok(scratch) => scratch,
        Err(error) => return answer(Err(error)),
    };
    let result = selftest::run(scratch.get());
    let found = match result {
        Ok(()) => kcfaes_fault { table: core::ptr::null(), mode: core::ptr::null(), key_bits: 0 },
        Err(found) => kcfaes_fault {
            table: found.table.c_name().as_ptr(),
            mode: found.mechanism.c_name().as_ptr(),
            key_bits: found.key_len << 3,
        },
    };
    // SAFETY: the common contract.
    if let Some(fault) = unsafe { fault.as_mut() } {
        *fault = found;
    }
    if result.is_ok() { KCFAES_OK } else { KCFAES_FAILED }
}

/// Whether the string at `at` is `name`; reads no further than the first difference.
unsafe fn same_string(at: *const c_char, name: &CStr) -> bool {
    let bytes = name.to_bytes_with_nul();
    // SAFETY: all bytes before `i` were equal, so the string has at least a byte `i`.
    (0..).zip(bytes).all(|(i, &byte)| unsafe { at.add(i).cast::<u8>().read() } == byte)
}
