// SPDX-License-Identifier: MIT OR Apache-2.0
//! The complete CAVP set of GCM: all 15 cases of each of 3,150 groups, through the registered ops vector,
//! on every table. The repository has two of each (`vectors/gcm.tsv`); all of them are 8 MB even if
//! compressed.
//!
//! So the package that has them is taken from its registry, and converted as those in the repository
//! were. Both the package and what becomes of it have a checksum in `vectors/convert.py`.

use std::fs;
use std::process::Command;

use crate::process::{run, works};
use crate::{Result, Tree, check, library, setup};

/// The package with NIST's files.
const PACKAGE: &str = "cryptography-vectors==50.0.2";
const WHEEL: &str = "cryptography_vectors-50.0.2-py3-none-any.whl";

const TABLES: [&str; 4] = ["portable", "aesni", "vaes256", "vaes512"];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let folder = tree.target.join("cavp");
    fs::create_dir_all(&folder)?;
    let wheel = folder.join(WHEEL);
    let environment = folder.join("python");
    let python = environment.join("bin/python");
    if !works(&python.to_string_lossy(), &["-m", "pip", "--version"]) {
        setup::setup(tree, setup::PYTHON)?;
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    }
    if !wheel.is_file() {
        run(Command::new(&python)
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
            .arg(&folder)
            .arg(PACKAGE))
        .map_err(|error| {
            format!("missing on this machine: {PACKAGE}, a Python package: {error}")
        })?;
    }
    let vectors = folder.join("gcm");
    run(Command::new(&python)
        .arg(tree.root.join("vectors/convert.py"))
        .args(["all-gcm", "--cavp"])
        .arg(&wheel)
        .arg("--out")
        .arg(&vectors))?;
    let has = library::tables(tree)?;
    for table in TABLES {
        if !has.iter().any(|name| name == table) {
            println!("NOT RUN: table {table}: this CPU lacks it");
            continue;
        }
        let mut demo = check::program(tree, "demo");
        check::with_object(tree, &mut demo)?;
        run(demo.args(["--table", table, "--vectors"]).arg(&vectors))?;
    }
    Ok(())
}
