// SPDX-License-Identifier: MIT OR Apache-2.0
//! libkcfaes on a processor that is not x86-64: cross-built for AArch64 and run under QEMU.
//!
//! Its tests are those of the plain C API, with every vector. In addition this program itself must compile
//! there, because `make lib` is it. A processor that is neither must be refused by name.

use std::process::{Command, Stdio};

use crate::library;
use crate::machine::AARCH64;
use crate::process::{cargo, line};
use crate::{Result, Tree, process};

/// A processor that kcfaes does not support.
pub(crate) const UNSUPPORTED: &str = "riscv64gc-unknown-linux-gnu";

/// What the refusal says.
const REFUSAL: &str = "error: kcfaes supports x86-64";

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let library = library::build_for(tree, &AARCH64, tree.target.join("lib").join(AARCH64.triple))?;
    library::test_api_with(tree, &library)?;
    library::run_examples_with(tree, &library)?;
    process::run(
        cargo(tree)
            .args(["check", "--quiet", "--package=xtask", "--target", AARCH64.triple])
            .arg("--target-dir")
            .arg(tree.target.join("aarch64")),
    )?;
    refused(tree)
}

/// The first and only error of a build for an unsupported processor says that it is none.
fn refused(tree: &Tree) -> Result<()> {
    let mut build = cargo(tree);
    build
        .args([
            "check",
            "--quiet",
            "--package=kcfaes-capi",
            "--target",
            UNSUPPORTED,
            "--target-dir",
        ])
        .arg(tree.target.join("aarch64"));
    let output = run_silently(&mut build)?;
    let errors: Vec<_> = output.lines().filter(|line| line.starts_with("error")).collect();
    match errors.as_slice() {
        [first, rest @ ..]
            if first.starts_with(REFUSAL)
                && rest.iter().all(|error| error.starts_with("error: could not compile")) =>
        {
            println!("{UNSUPPORTED}: refused, {first}");
            Ok(())
        }
        _ => Err(format!("{}: not refused clearly: {output}", line(&build)).into()),
    }
}

/// What a command writes to standard error.
fn run_silently(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
