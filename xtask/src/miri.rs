// SPDX-License-Identifier: MIT OR Apache-2.0
//! What no run on a processor shows: accesses that Rust's rules forbid, found by Miri, and data races, found by
//! ThreadSanitizer.
//!
//! Miri runs no assembler and no SIMD. Its processor has no features, so its table is `portable`. What erases
//! registers and dead stack does nothing there. Its inputs are small, because it takes a thousand times as long.

use std::process::Command;

use crate::machine::HOST;
use crate::process::{cargo_of, run};
use crate::{Result, Tree};

/// The two models of what a reference may be used for. The second is stricter.
const MODELS: [(&str, &str); 2] =
    [("Tree Borrows", "-Zmiri-tree-borrows"), ("Stacked Borrows", "")];

/// What Miri runs: the provider's own tests; the ops vector; lists and parts of the plain C API, by the crate for
/// Rust users.
const TESTS: [&[&str]; 3] = [
    &["--package=kcfaes-provider", "--lib"],
    &["--package=kcfaes", "--no-default-features", "--test=ops_vector"],
    &["--package=kcfaes", "--test=behaviour", "--", "messages_in_parts", "lists_are_cut_anywhere"],
];

/// What ThreadSanitizer runs: threads that share a template while others change what all calls read, and many
/// threads in the userland KCF, which has counters.
const THREADS: [&[&str]; 2] = [
    &["--package=kcfaes", "--no-default-features", "--test=ops_vector"],
    &["--package=kcfaes-ffi-tests", "--test=threads"],
];

/// `miri`: both models.
pub(crate) fn command(tree: &Tree) -> Result<()> {
    for (name, flags) in MODELS {
        println!("{name}");
        for tests in TESTS {
            run(nightly(tree)
                .args(["miri", "test", "--quiet"])
                .args(tests)
                .env("MIRIFLAGS", flags))?;
        }
    }
    Ok(())
}

/// `tsan`
pub(crate) fn threads(tree: &Tree) -> Result<()> {
    for tests in THREADS {
        run(nightly(tree)
            // With the standard library: what is not instrumented synchronises unseen. With a target: build
            // scripts and macros are built without ThreadSanitizer.
            .args(["test", "--quiet", "-Zbuild-std", "--target", HOST.triple, "--target-dir"])
            .arg(tree.target.join("tsan"))
            .args(tests)
            .env("RUSTFLAGS", "-Zsanitizer=thread")
            .env("TSAN_OPTIONS", "halt_on_error=1"))?;
    }
    Ok(())
}

/// The programs find no kernel object: they run the Rust sources.
fn nightly(tree: &Tree) -> Command {
    let mut cargo = cargo_of("nightly", tree);
    cargo.env("CARGO_TARGET_DIR", &tree.target).env_remove("KCFAES_OBJECTS");
    cargo
}
