// SPDX-License-Identifier: MIT OR Apache-2.0
//! The same source gives the same bytes, wherever it lies: the library, the modules and the rooms, the
//! release's tarballs. Built in two folders of different names, from nothing; then every file is
//! compared.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::{Result, Tree, dist, kmod, library, rooms, setup};

/// One name is longer than the other, and its parts are others.
const FOLDERS: [&str; 2] = ["a", "another/place with a longer name"];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let room = tree.target.join("reproducible");
    if room.exists() {
        fs::remove_dir_all(&room)?;
    }
    // The tarballs' date is that of the last commit, of which a copy does not know.
    let date = dist::date(tree)?;
    let mut built = Vec::new();
    for folder in FOLDERS {
        let copy = copied(tree, &room.join(folder))?;
        println!("building in {}", copy.root.display());
        built.push((copy.target.clone(), artefacts(&copy, date)?));
    }
    let [(first, names), (second, others)] = built.as_slice() else {
        return Err("two folders".into());
    };
    if names != others || names.is_empty() {
        return Err(format!("in one folder {names:?} were built, in the other {others:?}").into());
    }
    let mut differ = Vec::new();
    for name in names {
        let (a, b) = (fs::read(first.join(name))?, fs::read(second.join(name))?);
        match a.iter().zip(&b).position(|(a, b)| a != b) {
            None if a.len() == b.len() => println!("{}: {} bytes", name.display(), a.len()),
            at => {
                let at = at.unwrap_or(a.len().min(b.len()));
                differ.push(format!("{} differs from byte {at:#x} on", name.display()));
            }
        }
    }
    if !differ.is_empty() {
        return Err(format!("{}; see {}", differ.join("; "), room.display()).into());
    }
    println!("{} files are the same, byte for byte, in two folders", names.len());
    Ok(fs::remove_dir_all(room)?)
}

/// The source in a folder of its own. A file that is there already, and the same, keeps its time.
pub(crate) fn copied(tree: &Tree, folder: &Path) -> Result<Tree> {
    for name in dist::files(tree)? {
        let (from, to) = (tree.root.join(&name), folder.join(&name));
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        if from.is_symlink() {
            _ = fs::remove_file(&to);
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else {
            let bytes = fs::read(&from)?;
            if fs::read(&to).is_ok_and(|old| old == bytes) {
                continue;
            }
            fs::write(&to, bytes)?;
            let mode = fs::metadata(&from)?.permissions().mode();
            fs::set_permissions(&to, fs::Permissions::from_mode(mode))?;
        }
    }
    let (root, target) = (folder.to_path_buf(), folder.join("target"));
    Ok(Tree { root, target, installs: false })
}

/// Builds all that is shipped. Returns the names of the files, below `target/`.
fn artefacts(tree: &Tree, date: u64) -> Result<Vec<PathBuf>> {
    rooms::build(tree)?;
    let library = library::build(tree)?;
    kmod::userland_objects(tree)?;
    let dist = dist::pack_source(tree, date)?;
    let mut files = vec![library.archive, library.shared, dist];
    if setup::missing(tree, setup::ILLUMOS_LIBRARY).is_none() {
        library::build_illumos(tree)?;
        files.push(tree.target.join("lib/illumos/libkcfaes.a"));
    } else {
        println!("NOT RUN: libkcfaes.a for illumos: its target is missing here");
    }
    for folder in ["rooms", "kmod"] {
        let entries = tree.target.join(folder).read_dir()?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        // The raw object is what rustc wrote: its private names tell of the folder, and have gone from
        // the others.
        let kinds = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.is_file() && name.ends_with(".o") && !name.ends_with(".raw.o")
        };
        files.extend(paths.into_iter().filter(kinds));
    }
    let below = |path: &PathBuf| Ok(path.strip_prefix(&tree.target)?.to_path_buf());
    let mut names = files.iter().map(below).collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
