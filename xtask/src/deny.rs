// SPDX-License-Identifier: MIT OR Apache-2.0
//! The crates of others, by cargo-deny and `deny.toml`: their licences, those that are banned, where they
//! come from; and what is known against them, if a database of advisories is given.

use std::fs;
use std::process::Command;

use crate::process::{cargo, run};
use crate::{Result, Tree, dist, licences};

/// All that the objects may have of others: ARCHITECTURE.md, and NOTICE.
const LINKED: [&str; 1] = ["subtle"];

/// The URL of a git repository with advisories, such as that of RustSec.
const DATABASE: &str = "KCFAES_ADVISORIES";

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let linked = licences::linked_crates(tree)?;
    let linked: Vec<_> = linked.iter().map(|(name, _)| name.as_str()).collect();
    if linked != LINKED {
        return Err(format!("the objects have crates {linked:?}, and may have {LINKED:?}").into());
    }
    let rules = tree.root.join("deny.toml");
    for workspace in dist::WORKSPACES {
        run(deny(tree, workspace).arg("--offline").arg("--config").arg(&rules).args([
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ]))?;
    }
    let Ok(database) = std::env::var(DATABASE) else {
        println!("NOT RUN: advisories: no database is given ({DATABASE}=URL of a git repository)");
        return Ok(());
    };
    let folder = tree.target.join("deny");
    fs::create_dir_all(&folder)?;
    let with_database = folder.join("deny.toml");
    let place = format!(
        "[advisories]\ngit-fetch-with-cli = true\ndb-path = {:?}\ndb-urls = [{database:?}]\n",
        folder.join("advisories").display().to_string()
    );
    fs::write(&with_database, fs::read_to_string(&rules)?.replacen("[advisories]\n", &place, 1))?;
    for workspace in dist::WORKSPACES {
        let mut deny = deny(tree, workspace);
        run(deny.arg("--config").arg(&with_database).args(["check", "advisories"]))?;
    }
    Ok(())
}

fn deny(tree: &Tree, workspace: &str) -> Command {
    let mut command = cargo(tree);
    command.args(["deny", "--locked", "--workspace", "--manifest-path", workspace]);
    command
}
