// SPDX-License-Identifier: MIT OR Apache-2.0
//! The source as others get it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::output;
use crate::{Result, Tree};

/// Whether this is a checkout, and not an unpacked tarball.
pub(crate) fn has_history(tree: &Tree) -> bool {
    tree.root.join(".git").exists()
}

/// Every file of the source, in order: those that git knows, or in an unpacked tarball all except what was
/// built and the crates of others.
pub(crate) fn files(tree: &Tree) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = if has_history(tree) {
        let names = output(Command::new("git").args(["ls-files", "-z"]).current_dir(&tree.root))?;
        names.split_terminator('\0').map(PathBuf::from).collect()
    } else {
        let mut files = Vec::new();
        walk(&tree.root, Path::new(""), &mut files)?;
        files
    };
    files.sort();
    Ok(files)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in root.join(folder).read_dir()? {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !["target", "vendor"].iter().any(|other| name == Path::new(other)) {
                walk(root, &name, files)?;
            }
        } else {
            files.push(name);
        }
    }
    Ok(())
}
