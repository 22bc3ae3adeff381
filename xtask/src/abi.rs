// SPDX-License-Identifier: MIT OR Apache-2.0
//! The binary interface of libkcfaes.so is the one that is committed: its symbols, and the types that C programs
//! see. libabigail reads both from a build with debug information.
//!
//! A program that was linked with one version must run with every later one of the same soname.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::library::{self, SONAME};
use crate::process::{line, run};
use crate::{Result, Tree, headers};

/// What is committed: the interface, and Debian's list of the symbols.
const BASELINE: &str = "rust-core/capi/libkcfaes.abi";
const SYMBOLS: &str = "debian/libkcfaes0.symbols";

/// The sizes of memory that a program lends: macros, which no debug information has.
const SIZES: &str = "rust-core/capi/libkcfaes.sizes";

/// What abidw leaves out.
const SUPPRESSIONS: &str = "rust-core/capi/libkcfaes.abignore";

/// Bits of abidiff's exit status: it failed itself, it was used wrongly, something changed.
const FAILED: i32 = 1 | 2;

pub(crate) fn command(tree: &Tree, accept: bool) -> Result<()> {
    let library = library::build_with_debug_information(tree)?;
    let dir = tree.target.join("abi");
    fs::create_dir_all(&dir)?;
    let found = dir.join("libkcfaes.abi");
    write_interface(tree, &library.shared, &found)?;
    if accept {
        fs::copy(&found, tree.root.join(BASELINE))?;
        fs::write(tree.root.join(SYMBOLS), symbols(tree)?)?;
        fs::write(tree.root.join(SIZES), sizes(tree)?)?;
    }
    if fs::read_to_string(tree.root.join(SIZES))? != sizes(tree)? {
        return Err(changed("a size in kcfaes.h").into());
    }
    compare(&tree.root.join(BASELINE), &found)?;
    if fs::read_to_string(tree.root.join(SYMBOLS))? != symbols(tree)? {
        return Err(format!("{SYMBOLS} is stale: look at the change, then {ACCEPT}").into());
    }
    println!("{SONAME}: the interface is the committed one");
    Ok(())
}

const ACCEPT: &str = "cargo xtask abi --accept";

/// Writes the interface of a shared library.
fn write_interface(tree: &Tree, shared: &Path, to: &Path) -> Result<()> {
    run(Command::new("abidw")
        .args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"])
        .arg("--suppressions")
        .arg(tree.root.join(SUPPRESSIONS))
        .arg("--out-file")
        .arg(to)
        .arg(shared))
}

/// Any change fails, an added symbol too: it has to be committed.
fn compare(old: &Path, new: &Path) -> Result<()> {
    let mut abidiff = Command::new("abidiff");
    abidiff.arg(old).arg(new);
    let status = abidiff.status().map_err(|error| format!("abidiff: {error}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) if code & FAILED == 0 => {
            Err(changed(&format!("the interface of {SONAME}")).into())
        }
        _ => Err(format!("{status}: {}", line(&abidiff)).into()),
    }
}

fn changed(what: &str) -> String {
    format!(
        "{what} has changed: a change that breaks programs needs another soname (SONAME in \
         xtask/src/library.rs); then, and for an addition, {ACCEPT}"
    )
}

/// The sizes in the header, a line each.
fn sizes(tree: &Tree) -> Result<String> {
    let header = fs::read_to_string(tree.root.join("include/kcfaes.h"))?;
    let is_size = |line: &&str| matches!(line.split(' ').collect::<Vec<_>>()[..], ["#define", name, _] if name.ends_with("_SIZE"));
    let lines: Vec<&str> = header.lines().filter(is_size).collect();
    if lines.is_empty() {
        return Err("kcfaes.h has no size".into());
    }
    // REUSE-IgnoreStart
    let licence = "/* SPDX-License-Identifier: MIT OR Apache-2.0 */";
    // REUSE-IgnoreEnd
    Ok(format!("{licence}\n{}\n", lines.join("\n")))
}

/// Debian's symbols file. Every symbol is as old as the first version.
fn symbols(tree: &Tree) -> Result<String> {
    let mut text = format!("{SONAME} libkcfaes0 #MINVER#\n");
    for (node, names) in headers::versions(tree)? {
        text.push_str(&format!(" {node}@{node} 0.1.0\n"));
        for name in names {
            text.push_str(&format!(" {name}@{node} 0.1.0\n"));
        }
    }
    Ok(text)
}
