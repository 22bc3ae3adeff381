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
use std::process::Command;

use crate::audit;
use crate::elf::{self, Object, Symbols};
use crate::headers;
use crate::process::{cargo, compiler, joined, run};
use crate::rooms::{link_relocatable, own_members};
use crate::{Result, Tree};

const VERSION: &str = env!("CARGO_PKG_VERSION");
pub(crate) const SONAME: &str = "libkcfaes.so.0";
/// rustc's name of an illumos machine.
pub(crate) const ILLUMOS: &str = "x86_64-unknown-illumos";
/// The version node of the symbol map, which the linker adds to the dynamic symbols.
const VERSION_NODE: &str = "KCFAES_0";

/// All that the library may need of its C library.
const LIBC: [&str; 8] =
    ["bcmp", "calloc", "free", "malloc", "memcmp", "memcpy", "memmove", "memset"];

/// The built library.
pub(crate) struct Library {
    pub(crate) archive: PathBuf,
    /// The real file, `libkcfaes.so.VERSION`.
    pub(crate) shared: PathBuf,
    dir: PathBuf,
}

pub(crate) fn shared_name() -> String {
    format!("libkcfaes.so.{VERSION}")
}

pub(crate) fn build(tree: &Tree) -> Result<Library> {
    let dir = tree.target.join("lib");
    let exports: BTreeSet<String> = headers::library_exports(tree)?.into_iter().collect();
    let (object, archive) = build_archive(tree, "x86_64-unknown-linux-gnu", &dir, &exports)?;

    let shared = dir.join(shared_name());
    let map = joined("-Wl,--version-script=", &tree.root.join(headers::MAP));
    run(compiler("CC", "cc")
        .args(["-shared", "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack"])
        .arg(format!("-Wl,-soname,{SONAME}"))
        .arg(map)
        .arg("-o")
        .arg(&shared)
        .arg(&object))?;
    check_dynamic(&shared, &exports)?;
    link_names(&dir)?;

    let library = Library { archive, shared, dir };
    Ok(library)
}

/// Builds libkcfaes.a for programs of illumos.
pub(crate) fn build_illumos(tree: &Tree) -> Result<()> {
    let exports: BTreeSet<String> = headers::library_exports(tree)?.into_iter().collect();
    let (_, archive) = build_archive(tree, ILLUMOS, &tree.target.join("lib/illumos"), &exports)?;
    println!("{}: {} functions for {ILLUMOS}", archive.display(), exports.len());
    Ok(())
}

/// The one object that has all of the library, and the archive of only that object.
fn build_archive(
    tree: &Tree,
    target: &str,
    dir: &Path,
    exports: &BTreeSet<String>,
) -> Result<(PathBuf, PathBuf)> {
    fs::create_dir_all(dir)?;
    run(cargo(tree)
        .args(["rustc", "--quiet", "--package=kcfaes-capi", "--lib", "--crate-type=staticlib"])
        .args(["--profile=library", "--target", target, "--target-dir"])
        .arg(dir.join("build"))
        .args(["--", "--cfg", "kcfaes_artifact=\"userland\""]))?;
    let raw = dir.join("build").join(target).join("library/libkcfaes_capi.a");
    let members = own_members(&raw, &dir.join("members"))?;
    let object = dir.join("kcfaes.o");
    link_relocatable(&members, exports, &object)?;
    check_object(&object, exports)?;

    let archive = dir.join("libkcfaes.a");
    if archive.exists() {
        fs::remove_file(&archive)?;
    }
    run(Command::new("ar").arg("rcsD").arg(&archive).arg(&object))?;
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

fn check_object(path: &Path, exports: &BTreeSet<String>) -> Result<()> {
    let object = Object::read(path)?;
    let strange: Vec<_> =
        object.undefined.iter().filter(|name| !LIBC.contains(&name.as_str())).cloned().collect();
    if !strange.is_empty() {
        return Err(format!("libkcfaes needs {}", strange.join(" ")).into());
    }
    compare("libkcfaes.a", &Symbols::read(path)?.defined_with_prefix(""), exports)?;
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
    let library = build(tree)?;
    let dir = tree.target.join("examples");
    fs::create_dir_all(&dir)?;
    let sources = tree.files("examples", &["c"])?;
    if sources.is_empty() {
        return Err("examples/ has no C program".into());
    }
    let shown = dir.join("readme.c");
    fs::write(&shown, program_in(&fs::read_to_string(tree.root.join("README.md"))?)?)?;
    for source in sources.iter().chain([&shown]) {
        run_linked(tree, &library, source, &dir)?;
    }
    println!("{} example programs ran", 2 * (sources.len() + 1));
    Ok(())
}

/// The one C program in a Markdown text.
fn program_in(markdown: &str) -> Result<String> {
    let programs: Vec<_> = markdown.split("\n```c\n").skip(1).collect();
    let [program] = programs.as_slice() else {
        return Err(format!("README.md has {} C programs, not one", programs.len()).into());
    };
    let (program, _) = program.split_once("\n```").ok_or("README.md: a program has no end")?;
    Ok(format!("{program}\n"))
}

/// Compiles one of the examples against both libraries and runs both programs. Returns the static
/// program.
pub(crate) fn example(tree: &Tree, name: &str) -> Result<PathBuf> {
    let dir = tree.target.join("examples");
    fs::create_dir_all(&dir)?;
    let source = tree.root.join("examples").join(name).with_extension("c");
    run_linked(tree, &build(tree)?, &source, &dir)?;
    Ok(dir.join(name).with_extension("static"))
}

/// Runs the test of the plain C API against both libraries.
pub(crate) fn test_api(tree: &Tree) -> Result<()> {
    let library = build(tree)?;
    let dir = tree.target.join("c-tests");
    fs::create_dir_all(&dir)?;
    run_linked(tree, &library, &tree.root.join("ffi-tests/c/api_test.c"), &dir)
}

/// Compiles a C program against the static and the shared library and runs both.
fn run_linked(tree: &Tree, library: &Library, source: &Path, dir: &Path) -> Result<()> {
    let name = source.file_stem().unwrap_or_default();
    for kind in ["static", "shared"] {
        let program = dir.join(name).with_extension(kind);
        let mut cc = compiler("CC", "cc");
        cc.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I"])
            .arg(tree.root.join("include"))
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
        run(&mut Command::new(&program))
            .map_err(|error| format!("{}: {error}", program.display()))?;
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
    fn one_program_is_shown() {
        let text = "a\n```c\nint a;\n\nint b;\n```\nb\n```sh\nls\n```\n";
        assert_eq!(program_in(text).expect("a program"), "int a;\n\nint b;\n");
        for wrong in ["a", "a\n```c\nint a;\n", "\n```c\n\n```\n\n```c\n\n```\n"] {
            assert!(program_in(wrong).is_err(), "{wrong}");
        }
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
