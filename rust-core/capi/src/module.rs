// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel module asks of the provider in addition to the ops vector, when it is loaded
//! and when its statistics are read: self-tests, tunables, names. Not in libkcfaes.
//!
//! The numbers are the provider's own. The module registers its mechanisms by them, and uses them
//! as default and range of a tunable.
//!
//! Tables are numbered from 0, slowest first. `KCFAES_TABLES` of kcfaes_env.h is their number.
#![allow(clippy::missing_safety_doc, reason = "one pointer, documented as writable")]

use core::ffi::{c_char, c_int};

use kcfaes_provider::engine::{
    Fpu, TableId, force, probe, select, set_hold_bytes, set_light_bytes,
};
use kcfaes_provider::kcf::KM_SLEEP;
use kcfaes_provider::mode::set_gcm_stream;
use kcfaes_provider::request::Mechanism;
use kcfaes_provider::selftest;

use crate::context::{Heap, HeapKey};

/// Where a self-test found a wrong answer.
#[repr(C)]
pub struct kcfaes_module_fault {
    /// Name of the mode.
    pub mode: *const c_char,
    /// Length of the key in bits.
    pub key_bits: u32,
}

/// Runs the known answers of a table, in every mode and key size, on this CPU. Returns 1 if all
/// are right, and 0 if this CPU does not have the table or no table has that number. At the first
/// wrong answer it returns -1, and `fault` (writable) says where. Then no later call uses the
/// table. Table 0 is the exception, because it serves where there is no other: if it fails, the
/// module may not be loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_module_selftest(
    table: u32,
    fault: *mut kcfaes_module_fault,
) -> c_int {
    let Some(id) = numbered(table) else { return 0 };
    id.exclude(false);
    let Some(table) = probe(id) else { return 0 };
    let (mode, key_bits) = match Heap::new(KM_SLEEP) {
        Ok(mut scratch) => match selftest::test(table, scratch.get()) {
            Ok(()) => return 1,
            Err(found) => (found.mechanism.c_name(), (found.key_len as u32) << 3),
        },
        Err(_) => (c"any mode, for want of memory,", 0),
    };
    id.exclude(true);
    // SAFETY: the caller's contract.
    unsafe { fault.write(kcfaes_module_fault { mode: mode.as_ptr(), key_bits }) };
    -1
}

/// Name of a table, NULL if no table has that number.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_table_name(table: u32) -> *const c_char {
    numbered(table).map_or(core::ptr::null(), |id| id.c_name().as_ptr())
}

/// Name of a mechanism by its number, NULL if no mechanism has that number. The statistics are by
/// mechanism, in the order of their numbers.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_mechanism_name(number: u32) -> *const c_char {
    Mechanism::numbered(number.into())
        .map_or(core::ptr::null(), |mechanism| mechanism.c_name().as_ptr())
}

/// Number of the table that a long call would use here and now.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_table() -> u32 {
    Fpu::on(select()).table() as u32
}

/// Makes later calls use this table, or the next below it that this CPU has. If no table has that
/// number, they use the best for this model of CPU.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_set_table_max(table: u32) {
    let below = TableId::ALL.into_iter().rfind(|&id| id as u32 <= table && id.available());
    force(below.filter(|_| numbered(table).is_some()));
}

/// Sets the most bytes of an FPU hold in later calls. Returns the value taken, which is a
/// multiple of 64 from `KCFAES_LEAST_HOLD` to `KCFAES_MOST_HOLD`.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_set_hold_bytes(bytes: usize) -> usize {
    set_hold_bytes(bytes)
}

/// Later calls of at most this many bytes, AAD included, run in light holds; with 0 only those that
/// must.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_set_light_bytes(bytes: usize) {
    set_light_bytes(bytes);
}

/// Whether GCM decryptions in parts that begin later may release text before they end.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_set_gcm_stream(on: c_int) {
    set_gcm_stream(on != 0);
}

/// Bytes of the block that an operation in one call without a template takes while it runs. It is
/// the only size for which a cache is worthwhile. A template, which KCF itself frees, is larger.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_module_operation_bytes() -> usize {
    HeapKey::BYTES
}

fn numbered(table: u32) -> Option<TableId> {
    TableId::ALL.into_iter().find(|&id| id as u32 == table)
}
