// SPDX-License-Identifier: MIT OR Apache-2.0
//! The source as others get it: `kcfaes-VERSION.tar.gz`, and the crates of others that its build and its
//! checks need, `kcfaes-VERSION-vendor.tar.gz`, which is unpacked inside the first.
//!
//! The same source gives the same bytes: names are in order, and every date is that of the last commit, or what
//! SOURCE_DATE_EPOCH says. An unpacked tarball makes itself again. Crates that are only for other systems are
//! stubs: cargo wants to see their manifests.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::process::{VENDOR_CONFIG, cargo, output, run};
use crate::{Result, Tree, sbom};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Systems that the library or its checks are built for.
const PLATFORMS: [&str; 5] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-illumos",
    "x86_64-unknown-none",
];

/// Workspaces whose crates are in the second tarball. Those of the comparison's peers are not.
pub(crate) const WORKSPACES: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// Where cargo finds the crates: in the folder that has the folder of this file.
const CONFIG: &str = "\
[source.crates-io]
replace-with = \"vendored-sources\"

[source.vendored-sources]
directory = \".\"
";

/// The two archives.
pub(crate) struct Dist {
    pub(crate) source: PathBuf,
    pub(crate) vendor: PathBuf,
}

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
        walk(&tree.root, &|name| ["target", "vendor"].iter().any(|other| name == Path::new(other)))?
    };
    files.sort();
    Ok(files)
}

/// The names of all files below `root`, without those in a folder that is left out.
fn walk(root: &Path, leave_out: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in root.join(&folder).read_dir()? {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true if leave_out(&name) => {}
                true => folders.push(name),
                false => files.push(name),
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Makes both tarballs and their checksums in `target/dist`.
pub(crate) fn command(tree: &Tree) -> Result<Dist> {
    let dir = tree.target.join("dist");
    fs::create_dir_all(&dir)?;
    let date = date(tree)?;
    let source = pack_source(tree, date)?;

    let ours = tree.root.join("vendor");
    let folder = if ours.is_dir() { ours } else { vendor(tree, &dir.join("vendor"))? };
    let vendor = dir.join(format!("kcfaes-{VERSION}-vendor.tar.gz"));
    pack(&folder, &walk(&folder, &|_| false)?, Path::new("vendor"), date, &vendor)?;

    if has_history(tree) {
        let changes =
            output(Command::new("git").args(["status", "--porcelain"]).current_dir(&tree.root))?;
        if !changes.is_empty() {
            println!("these tarballs have changes that are not committed");
        }
    }
    Ok(Dist { source, vendor })
}

/// Makes all that a release has: both tarballs, and what library and module consist of.
pub(crate) fn release(tree: &Tree) -> Result<Vec<PathBuf>> {
    let Dist { source, vendor } = command(tree)?;
    let dir = tree.target.join("dist");
    let sum = output(Command::new("sha256sum").arg(&source))?;
    let checksum = sum.split_whitespace().next().unwrap_or_default();
    let documents = sbom::write(tree, &dir, date(tree)?, checksum)?;
    let files = [vec![source, vendor], documents].concat();
    let names = files.iter().map(|path| path.file_name().unwrap_or_default());
    let sums = output(Command::new("sha256sum").args(names).current_dir(&dir))?;
    fs::write(dir.join("SHA256SUMS"), &sums)?;
    print!("{sums}");
    Ok(files)
}

/// Makes the tarball of the source.
pub(crate) fn pack_source(tree: &Tree, date: u64) -> Result<PathBuf> {
    let dir = tree.target.join("dist");
    fs::create_dir_all(&dir)?;
    let top = PathBuf::from(format!("kcfaes-{VERSION}"));
    let source = dir.join(format!("kcfaes-{VERSION}.tar.gz"));
    pack(&tree.root, &files(tree)?, &top, date, &source)?;
    Ok(source)
}

/// The date of everything in the tarballs.
pub(crate) fn date(tree: &Tree) -> Result<u64> {
    if let Ok(date) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(date.parse()?);
    }
    if has_history(tree) {
        let log = ["log", "-1", "--format=%ct"];
        return Ok(output(Command::new("git").args(log).current_dir(&tree.root))?
            .trim()
            .parse()?);
    }
    let date = fs::metadata(tree.root.join("Cargo.toml"))?.modified()?;
    Ok(date.duration_since(std::time::SystemTime::UNIX_EPOCH)?.as_secs())
}

/// Packs `files` of the folder `root` below `top`.
fn pack(root: &Path, files: &[PathBuf], top: &Path, date: u64, archive: &Path) -> Result<()> {
    let plain = archive.with_extension("");
    let mut builder = Builder::new(File::create(&plain)?);
    for name in files {
        let path = root.join(name);
        let kind =
            path.symlink_metadata().map_err(|error| format!("{}: {error}", path.display()))?;
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(date);
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            builder.append_link(&mut header, top.join(name), fs::read_link(&path)?)?;
        } else {
            let bytes = fs::read(&path)?;
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if kind.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 });
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, top.join(name), bytes.as_slice())?;
        }
    }
    builder.into_inner()?.sync_all()?;
    // Without the name and the date of the file.
    run(Command::new("gzip").args(["-9", "--no-name", "--force"]).arg(&plain))
}

/// Gathers the crates of others in `folder`.
fn vendor(tree: &Tree, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let [first, rest @ ..] = &WORKSPACES;
    let mut command = cargo(tree);
    command.args(["vendor", "--quiet", "--locked", "--versioned-dirs", "--manifest-path", first]);
    for workspace in rest {
        command.args(["--sync", workspace]);
    }
    run(command.arg(folder).stdout(Stdio::null()))?;

    let needed = needed(tree)?;
    let (mut whole, mut stubs) = (0, 0);
    for entry in folder.read_dir()? {
        let package = entry?.path();
        let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if needed.contains(&name) {
            leave_out(&package)?;
            whole += 1;
        } else {
            make_stub(&package)?;
            stubs += 1;
        }
    }
    let config = folder.join(".cargo/config.toml");
    fs::create_dir_all(folder.join(".cargo"))?;
    fs::write(config, CONFIG)?;
    println!("{whole} crates, and stubs of {stubs} that no platform here needs");
    Ok(folder.to_path_buf())
}

/// `name-version` of each crate that some platform needs.
fn needed(tree: &Tree) -> Result<BTreeSet<String>> {
    let mut needed = BTreeSet::new();
    for workspace in WORKSPACES {
        let mut command = cargo(tree);
        command.args(["metadata", "--format-version=1", "--locked", "--manifest-path", workspace]);
        for platform in PLATFORMS {
            command.args(["--filter-platform", platform]);
        }
        let metadata: Value = serde_json::from_str(&output(&mut command)?)?;
        let list =
            |at: &str| metadata.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
        let used: BTreeSet<String> =
            list("/resolve/nodes").iter().map(|node| node["id"].to_string()).collect();
        for package in list("/packages") {
            if used.contains(&package["id"].to_string()) {
                let text = |key: &str| package[key].as_str().unwrap_or_default().to_string();
                needed.insert(format!("{}-{}", text("name"), text("version")));
            }
        }
    }
    Ok(needed)
}

/// Kinds of files in crates that nothing here reads, and that nobody could make again: programs of other
/// systems for tests, reports of tools.
const WITHOUT_SOURCE: [&str; 2] = ["dll", "html"];

/// Removes such files of a crate, and cargo's checksums of them.
fn leave_out(package: &Path) -> Result<()> {
    let list = package.join(".cargo-checksum.json");
    let mut checksums: Value = serde_json::from_str(&fs::read_to_string(&list)?)?;
    let mut removed = false;
    for name in walk(package, &|_| false)? {
        if WITHOUT_SOURCE.iter().any(|kind| name.extension().is_some_and(|found| found == *kind)) {
            fs::remove_file(package.join(&name))?;
            if let Some(files) = checksums["files"].as_object_mut() {
                files.remove(name.to_string_lossy().as_ref());
            }
            removed = true;
        }
    }
    if removed {
        fs::write(&list, checksums.to_string())?;
    }
    Ok(())
}

/// Leaves of a crate what cargo reads to choose versions: its manifest, without anything to compile.
fn make_stub(package: &Path) -> Result<()> {
    const CODE: [&str; 5] = ["[lib]", "[[bin]]", "[[example]]", "[[test]]", "[[bench]]"];
    const OF_CODE: [&str; 5] =
        ["autolib = ", "build = ", "links = ", "readme = ", "license-file = "];
    let checksums: Value =
        serde_json::from_str(&fs::read_to_string(package.join(".cargo-checksum.json"))?)?;
    let mut manifest = String::new();
    let mut table = String::new();
    for line in fs::read_to_string(package.join("Cargo.toml"))?.lines() {
        if line.starts_with('[') {
            table = line.to_string();
        }
        let left_out = CODE.contains(&table.as_str())
            || table == "[package]" && OF_CODE.iter().any(|key| line.starts_with(key));
        if !left_out {
            manifest.push_str(line);
            manifest.push('\n');
        }
    }
    fs::remove_dir_all(package)?;
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "")?;
    fs::write(package.join("Cargo.toml"), manifest)?;
    let checksums = json!({ "files": {}, "package": checksums["package"] });
    Ok(fs::write(package.join(".cargo-checksum.json"), checksums.to_string())?)
}

/// Unpacks both tarballs. Returns the folder of the source.
pub(crate) fn unpack(dist: &Dist, into: &Path) -> Result<PathBuf> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    fs::create_dir_all(into)?;
    let source = into.join(format!("kcfaes-{VERSION}"));
    run(Command::new("tar").arg("-xzf").arg(&dist.source).arg("-C").arg(into))?;
    run(Command::new("tar").arg("-xzf").arg(&dist.vendor).arg("-C").arg(&source))?;
    Ok(source)
}

/// The tarballs are complete: unpacked on a machine without a network and without a crate of cargo's, they make
/// the same release again. Library, examples and modules are built there, and all tests pass.
pub(crate) fn check(tree: &Tree) -> Result<()> {
    let files = release(tree)?;
    let [source, vendor, ..] = files.as_slice() else { return Err("two tarballs".into()) };
    let dist = Dist { source: source.clone(), vendor: vendor.clone() };
    let room = tree.target.join("dist/check");
    let source = unpack(&dist, &room)?;
    let offline = |words: &[&str]| run(&mut offline(&room, &source, words));
    offline(&["make", "dist"])?;
    for archive in &files {
        let again = source.join("target/dist").join(archive.file_name().unwrap_or_default());
        if fs::read(archive)? != fs::read(&again)? {
            return Err(format!("{} is not made again, byte for byte", archive.display()).into());
        }
    }
    offline(&["make", "lib", "examples", "kmod"])?;
    let test = ["cargo", "--config", VENDOR_CONFIG, "test", "--quiet", "--workspace", "--locked"];
    offline(&test)?;
    Ok(fs::remove_dir_all(room)?)
}

/// A command in the unpacked source. Cargo has an empty home there and, if we are root, there is no network.
pub(crate) fn offline(room: &Path, source: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    // As root of a namespace of its own, where the system lets us.
    let options: &[&str] = &["--net", "--map-root-user"];
    let isolated = Command::new("unshare")
        .args(options)
        .arg("true")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if isolated {
        command.args(options).args(words);
    } else {
        println!("here the network cannot be taken away: cargo is only told to do without it");
        command = Command::new(words[0]);
        command.args(&words[1..]);
    }
    command.current_dir(source);
    command.env("CARGO_HOME", room.join("cargo")).env("CARGO_NET_OFFLINE", "true");
    for name in ["CARGO_TARGET_DIR", "SOURCE_DATE_EPOCH", "MAKEFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}
