// SPDX-License-Identifier: MIT OR Apache-2.0
//! The licence of every file, and of what others wrote in the objects.
//!
//! `reuse lint` reads each file's copyright and licence, from the file or from REUSE.toml. NOTICE has the
//! licence of each crate whose code is linked into libkcfaes and the modules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::machine::HOST;
use crate::process::{cargo, output, run, works};
use crate::{Result, Tree, dist, setup};

/// The version of the tool. Before 4.0 it could not read REUSE.toml.
const REUSE: &str = "reuse==6.2.0";

pub(crate) fn command(tree: &Tree) -> Result<()> {
    notices(tree)?;
    let mut reuse = Command::new(tool(tree)?);
    reuse.current_dir(&tree.root).arg("--root").arg(&tree.root);
    if dist::has_history(tree) {
        // With all rules, also that no licence's text is there in vain.
        run(reuse.args(["lint", "--lines"]))
    } else {
        run(reuse.arg("lint-file").args(dist::files(tree)?))
    }
}

/// The program, in a Python environment of its own below `target/`.
fn tool(tree: &Tree) -> Result<PathBuf> {
    let environment = tree.target.join("reuse");
    let program = environment.join("bin/reuse");
    if !works(&program.to_string_lossy(), &["--version"]) {
        setup::setup(tree, setup::PYTHON)?;
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", REUSE]))
            .map_err(|error| {
                format!("missing on this machine: {REUSE}, a Python package: {error}")
            })?;
    }
    Ok(program)
}

/// NOTICE has the licence of every crate in the library, word for word.
fn notices(tree: &Tree) -> Result<()> {
    let notice = words(&fs::read_to_string(tree.root.join("NOTICE"))?);
    let crates = linked_crates(tree)?;
    for (name, folder) in &crates {
        let licences: Vec<_> = tree_files(folder)?;
        let given = licences.iter().any(|licence| {
            fs::read_to_string(licence).is_ok_and(|text| notice.contains(&words(&text)))
        });
        if !given {
            return Err(
                format!("NOTICE lacks the licence of {name}, of which objects have code").into()
            );
        }
    }
    let names: Vec<_> = crates.iter().map(|(name, _)| name.as_str()).collect();
    println!("NOTICE has the licence of each crate in the objects: {}", names.join(" "));
    Ok(())
}

/// The words of a text, one space between two.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The files of a crate that say its licence.
fn tree_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = folder.read_dir()?.map(|entry| Ok(entry?.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_>>()?;
    let is_licence = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().to_uppercase().starts_with("LICENSE"))
    };
    Ok(files.into_iter().filter(is_licence).collect())
}

/// The crates of others in the dependencies of the C API, with their folders.
pub(crate) fn linked_crates(tree: &Tree) -> Result<BTreeSet<(String, PathBuf)>> {
    let text = output(cargo(tree).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        HOST.triple,
    ]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let of =
        |list: &'static str| metadata.pointer(list).and_then(Value::as_array).into_iter().flatten();
    let package = |id: &Value| of("/packages").find(|package| &package["id"] == id);
    let api = of("/packages").find(|package| package["name"] == "kcfaes-capi");
    let mut pending = vec![api.ok_or("cargo metadata: no kcfaes-capi")?["id"].clone()];
    let mut seen = BTreeSet::new();
    let mut crates = BTreeSet::new();
    while let Some(id) = pending.pop() {
        if !seen.insert(id.to_string()) {
            continue;
        }
        let package = package(&id).ok_or("cargo metadata: a package is missing")?;
        if !package["source"].is_null() {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
            let name = package["name"].as_str().unwrap_or_default().to_string();
            crates.insert((name, manifest.parent().unwrap_or(manifest).to_path_buf()));
        }
        let node = of("/resolve/nodes").find(|node| node["id"] == id);
        for dependency in node.and_then(|node| node["deps"].as_array()).into_iter().flatten() {
            let kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            if kinds.into_iter().any(|kind| kind["kind"].is_null()) {
                pending.push(dependency["pkg"].clone());
            }
        }
    }
    if crates.is_empty() {
        return Err("cargo metadata names no crate in the library, but subtle is one".into());
    }
    Ok(crates)
}
