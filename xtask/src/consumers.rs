// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make consumers`: the replays of illumos' consumers, through the kernel object as in `make demo`.

use crate::process::{cargo, run};
use crate::{Result, Tree, check};

/// The arguments are the program's own.
pub(crate) fn command(tree: &Tree, arguments: &[&str]) -> Result<()> {
    let mut program = cargo(tree);
    program.env_remove("KCFAES_OBJECTS");
    program.args(["run", "--quiet", "--release", "--package=kcfaes-consumers", "--"]);
    check::with_object(tree, &mut program)?;
    run(program.args(arguments))
}
