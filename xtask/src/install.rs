// SPDX-License-Identifier: MIT OR Apache-2.0
//! Installs libkcfaes: headers, archive, shared library with its two links, pkg-config file, manual.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::library::{self, SONAME, shared_name};
use crate::{Result, Tree, headers};

/// Where the files go, as packagers say it: below DESTDIR, which no installed text mentions.
struct Place {
    destdir: String,
    prefix: String,
    libdir: String,
}

impl Place {
    fn parse(settings: &[&str]) -> Result<Self> {
        let (mut destdir, mut prefix, mut libdir) = (String::new(), "/usr/local".to_string(), None);
        for setting in settings {
            match setting.split_once('=') {
                Some(("DESTDIR", value)) => destdir = value.to_string(),
                Some(("PREFIX", value)) if value.starts_with('/') => prefix = value.to_string(),
                Some(("LIBDIR", "")) => {}
                Some(("LIBDIR", value)) if value.starts_with('/') => {
                    libdir = Some(value.to_string())
                }
                _ => return Err(format!("install: not understood: {setting}").into()),
            }
        }
        let libdir = libdir.unwrap_or_else(|| format!("{prefix}/lib"));
        Ok(Self { destdir, prefix, libdir })
    }

    fn include(&self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap_or_default();
        PathBuf::from(format!("{}{}/include", self.destdir, self.prefix)).join(name)
    }

    fn man(&self, page: &Path) -> PathBuf {
        let name = page.file_name().unwrap_or_default();
        PathBuf::from(format!("{}{}/share/man/man3", self.destdir, self.prefix)).join(name)
    }

    fn lib(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{}{}", self.destdir, self.libdir)).join(name)
    }
}

pub(crate) fn install(tree: &Tree, settings: &[&str]) -> Result<()> {
    let place = Place::parse(settings)?;
    let library = library::build(tree)?;
    for header in headers::installed(tree) {
        put(&fs::read(&header)?, &place.include(&header), 0o644)?;
    }
    for page in manual(tree)? {
        put(&fs::read(&page)?, &place.man(&page), 0o644)?;
    }
    put(&fs::read(&library.archive)?, &place.lib("libkcfaes.a"), 0o644)?;
    put(&fs::read(&library.shared)?, &place.lib(&shared_name()), 0o755)?;
    library::link_names(&place.lib(""))?;
    let pc = library::pkg_config(&place.prefix, &place.libdir);
    put(pc.as_bytes(), &place.lib("pkgconfig/kcfaes.pc"), 0o644)
}

pub(crate) fn uninstall(tree: &Tree, settings: &[&str]) -> Result<()> {
    let place = Place::parse(settings)?;
    let names = ["libkcfaes.a", "libkcfaes.so", SONAME, &shared_name(), "pkgconfig/kcfaes.pc"];
    let files = headers::installed(tree).map(|header| place.include(&header));
    let pages = manual(tree)?.into_iter().map(|page| place.man(&page));
    for file in files.chain(names.map(|name| place.lib(name))).chain(pages) {
        if file.symlink_metadata().is_ok() {
            fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// The library's manual pages.
pub(crate) fn manual(tree: &Tree) -> Result<Vec<PathBuf>> {
    tree.files("man", &["3"])
}

fn put(bytes: &[u8], to: &Path, mode: u32) -> Result<()> {
    let write = || {
        fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
        fs::write(to, bytes)?;
        fs::set_permissions(to, fs::Permissions::from_mode(mode))
    };
    write().map_err(|error| format!("{}: {error}", to.display()))?;
    println!("installed {}", to.display());
    Ok(())
}
