// SPDX-License-Identifier: MIT OR Apache-2.0
//! The packages' files as tar archives, to be unpacked in the root of an illumos system. Places, modes
//! and owners are those of the IPS manifests, kmod/*.p5m.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tar::{Builder, EntryType, Header};

use crate::{Result, Tree, kmod};

/// The package of the trial name, and that of the drop-in.
pub(crate) const PACKAGES: [&str; 2] = ["kcfaes", "kcfaes-aes"];

/// Groups of illumos' /etc/group that the manifests name.
const GROUPS: [(&str, u64); 2] = [("bin", 2), ("sys", 3)];

/// A `file` or `dir` action of a manifest.
struct Action {
    /// The file that is installed. `None` for a folder.
    file: Option<String>,
    /// Below the root, without a leading slash.
    path: String,
    group: String,
    mode: u32,
}

/// Builds the modules for illumos and packs them: `target/illumos/PACKAGE-VERSION.tar`.
pub(crate) fn command(tree: &Tree, arguments: &[&str]) -> Result<()> {
    let gate = match arguments {
        [gate] if gate.len() > "GATE=".len() => gate.strip_prefix("GATE="),
        _ => None,
    };
    let gate = gate.ok_or("illumos: say GATE=DIR, a checkout of illumos-gate")?;
    let modules = kmod::illumos(tree, gate)?;
    for package in PACKAGES {
        let tar = modules.join(format!("{package}-{}.tar", env!("CARGO_PKG_VERSION")));
        pack(&manifest(tree, package)?, &[&modules, &tree.root.join("kmod")], &tar)?;
        println!("{}", tar.display());
    }
    Ok(())
}

/// What a package's manifest installs, in its order.
fn manifest(tree: &Tree, package: &str) -> Result<Vec<Action>> {
    let path = tree.root.join(format!("kmod/{package}.p5m"));
    let text = fs::read_to_string(&path)?.replace("\\\n", " ");
    let actions = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let file = match words.next()? {
            "file" => Some(words.next()?.to_string()),
            "dir" => None,
            _ => return None,
        };
        let attributes: BTreeMap<_, _> = words.filter_map(|word| word.split_once('=')).collect();
        Some(action(file, &attributes).ok_or_else(|| format!("{}: {line}", path.display()).into()))
    });
    actions.collect()
}

/// Files that a package installs, below the root.
pub(crate) fn files(tree: &Tree, package: &str) -> Result<BTreeSet<String>> {
    let actions = manifest(tree, package)?.into_iter();
    Ok(actions.filter(|action| action.file.is_some()).map(|action| action.path).collect())
}

/// `None` where an attribute is missing, or the owner is not root.
fn action(file: Option<String>, attributes: &BTreeMap<&str, &str>) -> Option<Action> {
    attributes.get("owner").filter(|owner| **owner == "root")?;
    Some(Action {
        file,
        path: attributes.get("path")?.to_string(),
        group: attributes.get("group")?.to_string(),
        mode: u32::from_str_radix(attributes.get("mode")?, 8).ok()?,
    })
}

/// Packs the files, each from the first of `folders` that has it.
///
/// Each file has the archive's date: bootadm recognises a changed file by its size and date.
fn pack(actions: &[Action], folders: &[&Path], tar: &Path) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let mut builder = Builder::new(File::create(tar)?);
    for action in actions {
        let group = GROUPS.iter().find(|(name, _)| *name == action.group);
        let (group, gid) = group.ok_or_else(|| format!("group {}: not known", action.group))?;
        let (kind, bytes) = match &action.file {
            None => (EntryType::Directory, Vec::new()),
            Some(name) => (EntryType::Regular, fs::read(found(name, folders)?)?),
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(action.mode);
        header.set_username("root")?;
        header.set_groupname(group)?;
        header.set_uid(0);
        header.set_gid(*gid);
        header.set_mtime(now);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, &action.path, bytes.as_slice())?;
    }
    Ok(builder.finish()?)
}

fn found(name: &str, folders: &[&Path]) -> Result<PathBuf> {
    let mut paths = folders.iter().map(|folder| folder.join(name));
    Ok(paths.find(|path| path.is_file()).ok_or_else(|| format!("{name}: not built"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is unpacked: type, mode, owner, group and path, and for files also the bytes.
    #[test]
    fn an_archive_has_what_the_manifests_say() {
        let tree = Tree::find().expect("the repository");
        let dir = crate::scratch().join(format!("kcfaes-package-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        for name in ["kcfaes", "kcfaes_test"] {
            fs::write(dir.join(name), name).expect("a file");
        }
        let mut unpacked = Vec::new();
        for package in PACKAGES {
            let tar = dir.join(package).with_extension("tar");
            let actions = manifest(&tree, package).expect("a manifest");
            pack(&actions, &[&dir, &tree.root.join("kmod")], &tar).expect("an archive");
            let mut archive = tar::Archive::new(File::open(tar).expect("an archive"));
            for entry in archive.entries().expect("entries") {
                let mut entry = entry.expect("an entry");
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut bytes).expect("bytes");
                let header = entry.header();
                assert_eq!(header.username(), Ok(Some("root")));
                assert_eq!(header.uid().expect("a number"), 0);
                let path = entry.path().expect("a path").display().to_string();
                if header.entry_type() == EntryType::Directory {
                    assert_eq!(header.mode().expect("a mode"), 0o755);
                    assert_eq!(header.groupname(), Ok(Some("sys")));
                    continue;
                }
                let place = (header.mode().expect("a mode"), header.gid().expect("a group"), path);
                let manual = bytes == fs::read(tree.root.join("kmod/kcfaes.4")).expect("a page");
                let what = String::from_utf8(bytes).expect("a text");
                unpacked.push((place, if manual { "kcfaes.4".to_string() } else { what }));
            }
        }
        let of =
            |mode, gid, path: &str, what: &str| ((mode, gid, path.to_string()), what.to_string());
        assert_eq!(
            unpacked,
            [
                of(0o755, 3, "kernel/crypto/amd64/kcfaes", "kcfaes"),
                of(0o755, 3, "kernel/misc/amd64/kcfaes_test", "kcfaes_test"),
                of(0o444, 2, "usr/share/man/man4/kcfaes.4", "kcfaes.4"),
                of(0o755, 3, "platform/i86pc/kernel/crypto/amd64/aes", "kcfaes"),
            ]
        );
    }

    /// Each action has what pkgsend wants of it, once.
    #[test]
    fn the_manifests_are_complete() {
        let tree = Tree::find().expect("the repository");
        for package in PACKAGES {
            let actions = manifest(&tree, package).expect("owner, group, path and mode");
            assert!(actions.iter().any(|action| action.file.is_some()));
        }
        let attributes = |text: &'static str| {
            text.split_whitespace().filter_map(|word| word.split_once('=')).collect()
        };
        let good = "path=a owner=root group=sys mode=0755";
        assert!(action(None, &attributes(good)).is_some());
        for bad in ["owner=root group=sys mode=0755", "path=a owner=bin group=sys mode=0755"] {
            assert!(action(None, &attributes(bad)).is_none());
        }
    }
}
