// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a C artifact needs of the Rust language: a panic handler, here one that cannot be linked.
//!
//! It calls a function that nobody defines. So an object in which the compiler could not prove every
//! panic away has an undefined symbol, which the audit reports and every linker refuses.

unsafe extern "C" {
    fn kcfaes_panic_was_linked() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never runs: a program that contains this call does not link.
    unsafe { kcfaes_panic_was_linked() }
}
