// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a C artifact needs of the Rust language: a panic handler. This one cannot be linked.
//!
//! It calls a function that nobody defines. If the compiler could not prove every panic away, the object has
//! an undefined symbol. The audit reports it, and every linker refuses it.

unsafe extern "C" {
    fn kcfaes_panic_was_linked() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never runs: a program that contains this call does not link.
    unsafe { kcfaes_panic_was_linked() }
}
