// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make ct`: constant time as a check, of the kernel object and of libkcfaes.a (ct/).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{cargo, joined, run};
use crate::{Result, Tree, kmod, library};

/// Both tools, over all cases or over a subset.
pub(crate) fn command(tree: &Tree, arguments: &[&str]) -> Result<()> {
    let full = match arguments {
        [] => true,
        ["--quick"] => false,
        other => return Err(format!("ct: not understood: {}", other.join(" ")).into()),
    };
    // The second tool runs even if the first has found something.
    let undefined = memcheck(tree, full);
    trace(tree, full).and(undefined)
}

/// Traces of every table that this CPU has.
pub(crate) fn trace(tree: &Tree, full: bool) -> Result<()> {
    run(Command::new(program(tree)?).arg("trace").args(scope(full)))
}

/// The kernel object wipes dead stack below the stack pointer.
const DEAD_STACK: &str = "{
    wiping of dead stack
    Memcheck:Addr8
    fun:kcfaes_provider_wipe_dead_stack
}
";

/// valgrind's memcheck, on the tables whose instructions it knows.
pub(crate) fn memcheck(tree: &Tree, full: bool) -> Result<()> {
    let program = program(tree)?;
    let log = tree.target.join("ct/memcheck.log");
    fs::create_dir_all(tree.target.join("ct"))?;
    let suppressions = tree.target.join("ct/memcheck.supp");
    fs::write(&suppressions, DEAD_STACK)?;
    run(Command::new("valgrind")
        .args(["--tool=memcheck", "--quiet", "--error-limit=no"])
        // Reports are told apart by the instruction. The program itself names it.
        .args(["--num-callers=2", "--read-inline-info=no"])
        .arg(joined("--suppressions=", &suppressions))
        .arg(joined("--log-file=", &log))
        .arg(&program)
        .arg("memcheck")
        .arg(&log)
        .args(scope(full)))
}

fn scope(full: bool) -> &'static [&'static str] {
    if full { &["--full"] } else { &[] }
}

/// The program with what is shipped in it.
fn program(tree: &Tree) -> Result<PathBuf> {
    let library = library::build(tree)?;
    run(cargo(tree)
        .args(["build", "--quiet", "--release", "--package=kcfaes-ct"])
        .env("KCFAES_OBJECTS", kmod::userland_objects(tree)?)
        .env("KCFAES_LIBRARY", library.archive.parent().unwrap_or(&tree.target)))?;
    Ok(tree.target.join("release/kcfaes-ct"))
}
