// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds libkcfaes from the same crates as the rooms, position-independent, with the userland
//! environment. It is one relocatable member and a shared library.
//!
//! Both have the functions of kcfaes.h and kcfaes_spi.h and no other global name. Of libc both need
//! only memory functions. That is checked on the files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::audit;
use crate::elf::{self, Object, Symbols};
use crate::headers;
use crate::machine::{HOST, ILLUMOS, Machine};
use crate::process::{cargo, joined, output, run};
use crate::rooms::{link_relocatable, link_with_debug_information, own_members};
use crate::{Result, Tree};

const VERSION: &str = env!("CARGO_PKG_VERSION");
pub(crate) const SONAME: &str = "libkcfaes.so.0";
/// The version node of the symbol map, which the linker adds to the dynamic symbols.
pub(crate) const VERSION_NODE: &str = "KCFAES_0";

/// All that the library may need of its C library.
const LIBC: [&str; 8] =
    ["bcmp", "calloc", "free", "malloc", "memcmp", "memcpy", "memmove", "memset"];

/// The built library.
pub(crate) struct Library {
    pub(crate) archive: PathBuf,
    /// The real file, `libkcfaes.so.VERSION`.
    pub(crate) shared: PathBuf,
    dir: PathBuf,
    machine: &'static Machine,
}

pub(crate) fn shared_name() -> String {
    format!("libkcfaes.so.{VERSION}")
}

/// The variable that asks for a library with debug information: the same code, and what debuggers and abidiff
/// read. Packagers set it, and strip the library themselves.
const DEBUG: &str = "KCFAES_DEBUG";

/// The library for the machine that this is.
pub(crate) fn build(tree: &Tree) -> Result<Library> {
    build_for(tree, &HOST, tree.target.join("lib"))
}

pub(crate) fn build_for(tree: &Tree, machine: &'static Machine, dir: PathBuf) -> Result<Library> {
    build_with(tree, machine, dir, std::env::var_os(DEBUG).is_some())
}

/// The library for the machine that this is, with debug information.
pub(crate) fn build_with_debug_information(tree: &Tree) -> Result<Library> {
    build_with(tree, &HOST, tree.target.join("lib/debug"), true)
}

fn build_with(
    tree: &Tree,
    machine: &'static Machine,
    dir: PathBuf,
    debug: bool,
) -> Result<Library> {
    let exports: BTreeSet<String> = headers::library_exports(tree)?.into_iter().collect();
    let (object, archive) = build_archive(tree, machine, &dir, &exports, debug)?;

    let shared = dir.join(shared_name());
    let map = joined("-Wl,--version-script=", &tree.root.join(headers::MAP));
    run(machine
        .cc()
        .args(["-shared", "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack"])
        .arg(format!("-Wl,-soname,{SONAME}"))
        .arg(map)
        .arg("-o")
        .arg(&shared)
        .arg(&object))?;
    check_dynamic(&shared, &exports)?;
    link_names(&dir)?;

    let library = Library { archive, shared, dir, machine };
    Ok(library)
}

/// Builds libkcfaes.a for programs of illumos.
pub(crate) fn build_illumos(tree: &Tree) -> Result<()> {
    let exports: BTreeSet<String> = headers::library_exports(tree)?.into_iter().collect();
    let (_, archive) =
        build_archive(tree, &ILLUMOS, &tree.target.join("lib/illumos"), &exports, false)?;
    println!("{}: {} functions for {}", archive.display(), exports.len(), ILLUMOS.triple);
    Ok(())
}

/// The one object that has all of the library, and the archive of only that object.
fn build_archive(
    tree: &Tree,
    machine: &Machine,
    dir: &Path,
    exports: &BTreeSet<String>,
    debug: bool,
) -> Result<(PathBuf, PathBuf)> {
    fs::create_dir_all(dir)?;
    run(cargo(tree)
        .args(["rustc", "--quiet", "--package=kcfaes-capi", "--lib", "--crate-type=staticlib"])
        .args(["--profile=library", "--target", machine.triple, "--target-dir"])
        .arg(dir.join("build"))
        .args(["--", "--cfg", "kcfaes_artifact=\"userland\""])
        // A second `--config` would take the place of the one that names the crates of an unpacked tarball.
        .env("CARGO_PROFILE_LIBRARY_DEBUG", if debug { "2" } else { "false" }))?;
    let raw = dir.join("build").join(machine.triple).join("library/libkcfaes_capi.a");
    let members = own_members(&raw, &dir.join("members"))?;
    let object = dir.join("kcfaes.o");
    if debug {
        link_with_debug_information(&members, exports, &object, machine)?;
    } else {
        link_relocatable(&members, exports, &object, machine)?;
    }
    check_object(&object, exports)?;
    if machine.is_x86_64() {
        audit_object(&object)?;
    }

    let archive = dir.join("libkcfaes.a");
    if archive.exists() {
        fs::remove_file(&archive)?;
    }
    run(machine.tool("ar").arg("rcsD").arg(&archive).arg(&object))?;
    Ok((object, archive))
}

/// The names by which the run-time and the build-time linker find the library.
pub(crate) fn link_names(dir: &Path) -> Result<()> {
    for (name, target) in [(SONAME, shared_name().as_str()), ("libkcfaes.so", SONAME)] {
        let link = dir.join(name);
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(target, &link)?;
    }
    Ok(())
}

/// Of libc the library needs only what is listed, and it has no other global name.
fn check_object(path: &Path, exports: &BTreeSet<String>) -> Result<()> {
    let object = Object::read(path)?;
    let strange: Vec<_> =
        object.undefined.iter().filter(|name| !LIBC.contains(&name.as_str())).cloned().collect();
    if !strange.is_empty() {
        return Err(format!("libkcfaes needs {}", strange.join(" ")).into());
    }
    compare("libkcfaes.a", &Symbols::read(path)?.defined_with_prefix(""), exports)
}

/// The audit reads x86-64 instructions only.
fn audit_object(path: &Path) -> Result<()> {
    let object = Object::read(path)?;
    match audit::beyond_baseline(&object).as_slice() {
        [] => {}
        beyond => {
            return Err(format!("libkcfaes needs more than x86-64: {}", beyond.join("; ")).into());
        }
    }
    match audit::unwiped(&object).as_slice() {
        [] => Ok(()),
        left => Err(format!("libkcfaes leaves on the stack: {}", left.join("; ")).into()),
    }
}

fn check_dynamic(path: &Path, exports: &BTreeSet<String>) -> Result<()> {
    let mut defined = elf::dynamic_exports(path)?;
    defined.remove(VERSION_NODE);
    compare("libkcfaes.so", &defined, exports)
}

fn compare(what: &str, defined: &BTreeSet<String>, exports: &BTreeSet<String>) -> Result<()> {
    let more: Vec<_> = defined.difference(exports).cloned().collect();
    let less: Vec<_> = exports.difference(defined).cloned().collect();
    if more.is_empty() && less.is_empty() && !defined.is_empty() {
        return Ok(());
    }
    Err(format!("{what} exports [{}] too much, lacks [{}]", more.join(" "), less.join(" ")).into())
}

/// Compiles every C program in `examples/` against both libraries and runs it.
pub(crate) fn run_examples(tree: &Tree) -> Result<()> {
    run_examples_with(tree, &build(tree)?)
}

pub(crate) fn run_examples_with(tree: &Tree, library: &Library) -> Result<()> {
    let sources = tree.files("examples", &["c"])?;
    if sources.is_empty() {
        return Err("examples/ has no C program".into());
    }
    for source in &sources {
        run_linked(tree, library, source, &library.programs(tree, "examples")?)?;
    }
    println!("{} example programs ran", 2 * sources.len());
    Ok(())
}

/// Compiles one of the examples against both libraries and runs both programs. Returns the static
/// program.
pub(crate) fn example(tree: &Tree, name: &str) -> Result<PathBuf> {
    let library = build(tree)?;
    let dir = library.programs(tree, "examples")?;
    let source = tree.root.join("examples").join(name).with_extension("c");
    run_linked(tree, &library, &source, &dir)?;
    Ok(dir.join(name).with_extension("static"))
}

/// Runs the tests of the plain C API against both libraries: its functions, every vector, and what a call
/// leaves behind.
pub(crate) fn test_api(tree: &Tree) -> Result<()> {
    test_api_with(tree, &build(tree)?)
}

pub(crate) fn test_api_with(tree: &Tree, library: &Library) -> Result<()> {
    let dir = library.programs(tree, "c-tests")?;
    // More than the table of all vectors takes.
    let table =
        output(cargo(tree).args(["run", "--quiet", "--package=kcfaes-vectors", "--"]).args([
            "emit-c",
            "vectors",
            "1000000000",
        ]))?;
    fs::write(dir.join("vectors_table.h"), table)?;
    for test in ["api_test.c", "vectors_test.c", "residue_test.c"] {
        run_linked(tree, library, &tree.root.join("ffi-tests/c").join(test), &dir)?;
    }
    Ok(())
}

impl Library {
    /// The folder of the programs of one kind that are linked with it.
    fn programs(&self, tree: &Tree, kind: &str) -> Result<PathBuf> {
        let dir = if core::ptr::eq(self.machine, &HOST) {
            tree.target.join(kind)
        } else {
            tree.target.join(kind).join(self.machine.triple)
        };
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }
}

/// Compiles a C program against the static and the shared library and runs both.
fn run_linked(tree: &Tree, library: &Library, source: &Path, dir: &Path) -> Result<()> {
    let name = source.file_stem().unwrap_or_default();
    for kind in ["static", "shared"] {
        let program = dir.join(name).with_extension(kind);
        let mut cc = library.machine.cc();
        cc.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I"])
            .arg(tree.root.join("include"))
            .arg(joined("-I", dir))
            .arg("-o")
            .arg(&program)
            .arg(source);
        if kind == "static" {
            cc.arg(&library.archive);
        } else {
            cc.arg(joined("-L", &library.dir)).arg("-lkcfaes");
            cc.arg(joined("-Wl,-rpath,", &library.dir));
        }
        run(&mut cc)?;
        library.machine.run(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    }
    Ok(())
}

/// The pkg-config file for an installation.
pub(crate) fn pkg_config(prefix: &str, libdir: &str) -> String {
    // Relative where it can be, so that the prefix alone moves an installation.
    let libdir =
        libdir.strip_prefix(prefix).map_or(libdir.to_string(), |rest| format!("${{prefix}}{rest}"));
    format!(
        "prefix={prefix}\n\
         libdir={libdir}\n\
         includedir=${{prefix}}/include\n\
         \n\
         Name: kcfaes\n\
         Description: AES modes behind the ops vector of the illumos Kernel Cryptographic Framework\n\
         Version: {VERSION}\n\
         Libs: -L${{libdir}} -lkcfaes\n\
         Cflags: -I${{includedir}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A shared library and an object of `source` in a folder of the test's own.
    fn compiled(name: &str, source: &str) -> (PathBuf, PathBuf) {
        let dir =
            std::env::temp_dir().join(format!("kcfaes-library-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        fs::write(dir.join("t.c"), source).expect("a file");
        let (object, shared) = (dir.join("t.o"), dir.join("t.so"));
        run(Command::new("cc").args(["-fPIC", "-c", "-o"]).arg(&object).arg(dir.join("t.c")))
            .expect("cc works");
        run(Command::new("cc").args(["-shared", "-nostdlib", "-o"]).arg(&shared).arg(&object))
            .expect("cc links");
        (object, shared)
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_export_too_many_is_refused() {
        let (object, shared) = compiled("many", "int kcfaes_a; int leaked(void) { return 1; }");
        for error in [
            check_dynamic(&shared, &names(&["kcfaes_a"])),
            check_object(&object, &names(&["kcfaes_a"])),
        ] {
            assert!(error.expect_err("leaked").to_string().contains("[leaked] too much"));
        }
    }

    #[test]
    fn an_export_too_few_is_refused() {
        let (_, shared) = compiled("few", "int kcfaes_a;");
        let error = check_dynamic(&shared, &names(&["kcfaes_a", "kcfaes_b"])).expect_err("lacking");
        assert!(error.to_string().contains("lacks [kcfaes_b]"));
    }

    #[test]
    fn what_libc_does_not_promise_is_refused() {
        let source = "int getpid(void); int kcfaes_a(void) { return getpid(); }";
        let (object, _) = compiled("needs", source);
        let error = check_object(&object, &names(&["kcfaes_a"])).expect_err("getpid");
        assert!(error.to_string().contains("needs"), "{error}");
    }
}
