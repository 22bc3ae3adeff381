// SPDX-License-Identifier: MIT OR Apache-2.0
//! The users of kcfaes' C ABI: a userland KCF, and the tests that drive the provider through it.
//!
//! * [`kernel`] is the userland KCF (fakekernel/, C), its consumer API and its instruments.
//! * [`buffer`] builds `crypto_data_t` of every format in any pieces.
//! * [`consumer`] is a KCF consumer with values instead of pointers.
//! * [`vector`] runs one test vector in one way.
//! * [`sample`] has a message of each mechanism, and the memory around a call.
//! * [`spi`] calls the ops vector without a framework.
//!
//! The kernel module's own C is linked in, so that everything else goes through `_init()` and
//! `crypto_register_provider()`. Under `cfg(kcfaes_object)` (build.rs) it is the built kernel object.

pub mod buffer;
pub mod consumer;
pub mod kernel;
pub mod sample;
#[cfg(not(kcfaes_object))]
pub mod spi;
pub mod vector;

/// Makes tests of these functions, and a list of them for a program without the test harness
/// (`bin/module_tests.rs`). A function that is missing from the list is unused, which does not compile.
#[macro_export]
macro_rules! tests {
    ($($name:ident)*) => {
        /// By name.
        #[allow(dead_code, reason = "of the program only")]
        pub const TESTS: &[(&str, fn())] = &[$((stringify!($name), $name)),*];

        #[cfg(test)]
        mod tests {
            $(#[test] fn $name() { super::$name(); })*
        }
    };
}
