// SPDX-License-Identifier: MIT OR Apache-2.0
//! The crates for Rust users, as they would be published: `kcfaes`, and those of the workspace that it is made of.
//!
//! Each is packed, and built from its package and the packages of the others. No network is needed once the tests
//! are built.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{VENDOR_CONFIG, cargo, output, run};
use crate::{Result, Tree};

/// The crate that users name.
const CRATE: &str = "kcfaes";

/// Files that a package of ours must have.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    // Without features, and with those that know nothing of std on a target that has none.
    let bare: &[&str] = &["--no-default-features"];
    let freestanding = &["--target=x86_64-unknown-none", "--features=alloc,block-padding,zeroize"];
    for options in [bare, freestanding, &["--all-features"]] {
        run(cargo(tree)
            .args(["clippy", "--quiet", "--package", CRATE, "--lib"])
            .args(options)
            .args(["--", "-D", "warnings"]))?;
    }
    // The vectors have run with the workspace's tests.
    let tests = ["test", "--quiet", "--package", CRATE, "--all-features", "--test", "behaviour"];
    run(cargo(tree).args(tests))?;
    for example in tree.files(&format!("rust-core/{CRATE}/examples"), &["rs"])? {
        let name = example.file_stem().unwrap_or_default();
        output(cargo(tree).args(["run", "--quiet", "--package", CRATE, "--example"]).arg(name))?;
    }

    let published = published(tree)?;
    if tree.root.join(VENDOR_CONFIG).is_file() {
        // Nobody publishes from there: cargo does not pack where crates.io is a folder.
        println!("NOT RUN: in an unpacked tarball the crates are not packed");
        return Ok(());
    }
    let mut package = cargo(tree);
    // What is not committed is packed too: this is a check of the sources as they are.
    package.args(["package", "--quiet", "--allow-dirty", "--offline"]);
    for (name, _) in &published {
        package.args(["--package", name]);
    }
    run(&mut package)?;
    for (name, version) in &published {
        let archive = tree.target.join("package").join(format!("{name}-{version}.crate"));
        check_files(name, &files(&archive, &format!("{name}-{version}/"))?)?;
    }
    let names: Vec<_> = published.iter().map(|(name, _)| name.as_str()).collect();
    println!("packed, and built from the packages: {}", names.join(" "));
    Ok(())
}

/// Name and version of each crate that is published: those of the workspace that may be.
fn published(tree: &Tree) -> Result<BTreeSet<(String, String)>> {
    let metadata = output(cargo(tree).args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    // `publish = false` is an empty list of registries.
    let may = packages.iter().filter(|package| package["publish"].is_null());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let published: BTreeSet<_> =
        may.map(|package| (text(&package["name"]), text(&package["version"]))).collect();
    if !published.iter().any(|(name, _)| name == CRATE) {
        return Err(format!("{CRATE} is not published").into());
    }
    Ok(published)
}

/// The files of a package, below its folder.
fn files(archive: &Path, folder: &str) -> Result<BTreeSet<String>> {
    let list = output(Command::new("tar").arg("-tzf").arg(archive))?;
    Ok(list.lines().filter_map(|line| line.strip_prefix(folder)).map(ToString::to_string).collect())
}

/// A package has its licences and sources, and none of what only works in this repository.
fn check_files(name: &str, files: &BTreeSet<String>) -> Result<()> {
    let mut needed = LICENCES.to_vec();
    if name == CRATE {
        needed.push("README.md");
    }
    if let Some(lacking) = needed.into_iter().find(|file| !files.contains(*file)) {
        return Err(format!("the package of {name} lacks {lacking}").into());
    }
    let strange =
        files.iter().find(|file| ["tests/", "benches/"].iter().any(|at| file.starts_with(at)));
    match strange {
        Some(file) => Err(format!("the package of {name} has {file}").into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_licence_is_refused() {
        let files = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let whole = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"];
        assert!(check_files(CRATE, &files(&whole)).is_ok());
        for lacking in 0..3 {
            let mut less = whole.to_vec();
            less.remove(lacking);
            assert!(check_files(CRATE, &files(&less)).is_err());
        }
        let more = [whole.as_slice(), &["tests/vectors.rs"]].concat();
        assert!(check_files(CRATE, &files(&more)).is_err());
    }
}
