// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's packages of libkcfaes, built from the two tarballs without a network, and checked by lintian.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::run;
use crate::{Result, Tree, dist};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the source and the binary packages in `target/deb`.
pub(crate) fn command(tree: &Tree) -> Result<()> {
    let tarballs = dist::command(tree)?;
    let room = tree.target.join("deb");
    let source = dist::unpack(&tarballs, &room)?;
    for (tarball, kind) in [(&tarballs.source, ""), (&tarballs.vendor, "-vendor")] {
        fs::copy(tarball, room.join(format!("kcfaes_{VERSION}.orig{kind}.tar.gz")))?;
    }
    // Not by the packages of the compiler: rustup's may be the one that is here.
    let build = ["dpkg-buildpackage", "--no-sign", "--no-check-builddeps"];
    run(&mut dist::offline(&room, &source, &build))?;
    lint(&room)
}

/// No error and no warning. What is no fault here is in debian/*.lintian-overrides, with the reason.
fn lint(room: &Path) -> Result<()> {
    let changes = room.read_dir()?.filter_map(|entry| Some(entry.ok()?.path()));
    let changes: Vec<_> =
        changes.filter(|path| path.extension().is_some_and(|kind| kind == "changes")).collect();
    if changes.is_empty() {
        return Err("dpkg-buildpackage has made no .changes".into());
    }
    run(Command::new("lintian")
        .args(["--fail-on", "error,warning", "--tag-display-limit", "0"])
        .args(changes))
}
