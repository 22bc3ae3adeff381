// SPDX-License-Identifier: MIT OR Apache-2.0
//! Comparing and erasing secrets.

use kcfaes_capi::api::{kcfaes_equal, kcfaes_wipe};

/// Whether two texts are equal, in a time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    // SAFETY: as many bytes as both have.
    a.len() == b.len()
        && unsafe { kcfaes_equal(a.as_ptr().cast(), b.as_ptr().cast(), a.len()) } == 1
}

/// Erases bytes for good: a compiler may omit a plain write that nobody reads.
pub fn wipe(bytes: &mut [u8]) {
    // SAFETY: a reference.
    unsafe { kcfaes_wipe(bytes.as_mut_ptr().cast(), bytes.len()) }
}
