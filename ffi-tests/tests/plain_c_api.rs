// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C program that tests the plain C API (`c/api_test.c`), linked with the crates as they are and not with
//! libkcfaes, which takes longer to build: `make mutants` builds this for each mutant.
#![cfg(not(kcfaes_object))]

use core::ffi::c_int;

use kcfaes_capi as _;
use kcfaes_ffi_tests::kernel;

unsafe extern "C" {
    /// Its `main`.
    fn kcfaes_api_test() -> c_int;
}

#[test]
fn the_program_finds_nothing() {
    // The environment knows the CPU once the module is loaded.
    assert!(!kernel::tables().is_empty());
    // SAFETY: a C program's main function, which runs once.
    assert_eq!(unsafe { kcfaes_api_test() }, 0);
}
