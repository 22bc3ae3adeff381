// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of kernels, and the self-test.

use core::ffi::{CStr, c_char, c_int};

use kcfaes_provider::engine::{TableId, force, select};
use kcfaes_provider::env;
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

/// One table of kernels, on this CPU.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kcfaes_table {
    /// Its name: "portable", "aesni", "vaes256" or "vaes512".
    pub name: *const c_char,
    /// 1 if kcfaes_table_force accepts it, otherwise 0.
    pub here: c_int,
    /// Why calls do not choose it by themselves, in a line of English. NULL if they may: they take
    /// the last such table.
    pub why_not: *const c_char,
}

/// Tells which tables this CPU has, and why it lacks the others. Writes at most count tables, the
/// slowest first, and returns how many there are in all. tables may be NULL if count is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cpu_features(tables: *mut kcfaes_table, count: usize) -> usize {
    if !tables.is_null() && tables.is_aligned() {
        for (i, id) in (0..count).zip(TableId::ALL) {
            // SAFETY: the common contract: `count` tables.
            unsafe { tables.add(i).write(described(id)) };
        }
    }
    TableId::ALL.len()
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

/// What is said of a table.
fn described(id: TableId) -> kcfaes_table {
    // In the order in which processors got them: the first is the reason for the others.
    const FEATURES: [(u32, &CStr); 12] = [
        (env::FEATURE_AES, c"this CPU lacks AES-NI"),
        (env::FEATURE_PCLMULQDQ, c"this CPU lacks PCLMULQDQ"),
        (env::FEATURE_SSSE3, c"this CPU lacks SSSE3"),
        (env::FEATURE_SSE41, c"this CPU lacks SSE4.1"),
        (env::FEATURE_AVX, c"this CPU lacks AVX, or the system has not enabled it"),
        (env::FEATURE_AVX2, c"this CPU lacks AVX2"),
        (env::FEATURE_VAES, c"this CPU lacks VAES"),
        (env::FEATURE_VPCLMULQDQ, c"this CPU lacks VPCLMULQDQ"),
        (env::FEATURE_AVX512F, c"this CPU lacks AVX-512F, or the system has not enabled it"),
        (env::FEATURE_AVX512BW, c"this CPU lacks AVX-512BW"),
        (env::FEATURE_AVX512VL, c"this CPU lacks AVX-512VL"),
        (env::FEATURE_BMI2, c"this CPU lacks BMI2"),
    ];
    let (missing, here) = (id.missing(), id.available());
    let why_not = match FEATURES.iter().find(|(feature, _)| missing & feature != 0) {
        Some((_, lacks)) => Some(*lacks),
        None if !here => Some(c"its self-test gave a wrong answer"),
        None if !id.suits() => Some(c"512-bit registers slow this model of CPU down"),
        None => None,
    };
    kcfaes_table {
        name: id.c_name().as_ptr(),
        here: c_int::from(here),
        why_not: why_not.map_or(core::ptr::null(), CStr::as_ptr),
    }
}
