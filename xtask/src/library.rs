// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds libkcfaes from the same crates as the rooms, position-independent, with the userland
//! environment. It is one relocatable member and a shared library.
//!
//! Both have the functions of kcfaes.h and kcfaes_spi.h and no other global name. Of libc both need
//! only memory functions. Both have unwind tables, and bear a shadow stack on x86-64. That is checked on the
//! files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::audit;
use crate::elf::{self, Object, Symbols};
use crate::headers;
use crate::machine::{HOST, ILLUMOS, Machine};
use crate::process::{cargo, joined, output, run};
use crate::rooms::{Loader, link_relocatable, own_members};
use crate::{Result, Tree};

const VERSION: &str = env!("CARGO_PKG_VERSION");
pub(crate) const SONAME: &str = "libkcfaes.so.0";
/// The version nodes of the symbol map, which the linker adds to the dynamic symbols: that of the plain API and
/// that of KCF's ops. Who never calls the ops depends on the first alone.
pub(crate) const API_NODE: &str = "KCFAES_0";
pub(crate) const OPS_NODE: &str = "KCFAES_SPI_0";

/// All that the library may need of its C library.
const LIBC: [&str; 8] =
    ["bcmp", "calloc", "free", "malloc", "memcmp", "memcpy", "memmove", "memset"];

/// The built library.
pub(crate) struct Library {
    pub(crate) archive: PathBuf,
    pub(crate) shared: PathBuf,
    /// Where the shared library is.
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
        .args(machine.flags("CFLAGS"))
        .args(machine.flags("LDFLAGS"))
        .args(["-shared", "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack"])
        .args(machine.is_x86_64().then_some("-Wl,-z,shstk"))
        .arg(format!("-Wl,-soname,{SONAME}"))
        .arg(map)
        .arg("-o")
        .arg(&shared)
        .arg(&object))?;
    check_dynamic(&shared, &exports)?;
    for (name, target) in [(SONAME, shared_name().as_str()), ("libkcfaes.so", SONAME)] {
        let link = dir.join(name);
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(target, &link)?;
    }

    Ok(Library { archive, shared, dir, machine })
}

/// Says in the object that the processor may keep a shadow stack: every return goes to where a call came from.
/// Without this note in the archive, no program that links it has one. It says nothing of IBT, because stable
/// rustc emits no ENDBR64.
///
/// The note is added to the linked object: rustc writes none, and ld keeps only what all inputs have.
fn mark_shadow_stack(object: &Path) -> Result<()> {
    const NOTE: &str = ".note.gnu.property";
    // Lengths of the name and of what follows it, NT_GNU_PROPERTY_TYPE_0; then one property: its type
    // (GNU_PROPERTY_X86_FEATURE_1_AND), its length, SHSTK, padding (Linux Extensions to gABI).
    let words = [4, 16, 5, u32::from_le_bytes(*b"GNU\0"), 0xc000_0002, 4, 2, 0];
    let file = object.with_extension("note");
    fs::write(&file, words.map(u32::to_le_bytes).concat())?;
    run(Command::new("objcopy")
        .arg("--add-section")
        .arg(joined(&format!("{NOTE}="), &file))
        .arg(format!("--set-section-flags={NOTE}=alloc,readonly"))
        .arg(object))?;
    run(Command::new("objcopy").arg(format!("--set-section-alignment={NOTE}=8")).arg(object))
}

/// Builds libkcfaes.a for programs of illumos.
pub(crate) fn build_illumos(tree: &Tree) -> Result<()> {
    let exports: BTreeSet<String> = headers::library_exports(tree)?.into_iter().collect();
    let (_, archive) =
        build_archive(tree, &ILLUMOS, &tree.target.join("lib/illumos"), &exports, false)?;
    println!("{}: {} functions for {}", archive.display(), exports.len(), ILLUMOS.triple);
    Ok(())
}

const FLAGS: [&str; 2] = ["-Cforce-unwind-tables=yes", "--cfg=kcfaes_artifact=\"userland\""];

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
        // A second `--config` would take the place of the one that names the crates of an unpacked tarball.
        .env("CARGO_PROFILE_LIBRARY_DEBUG", if debug { "2" } else { "false" })
        // For every crate of the library. The target of illumos has no tables by itself; no byte of the text is
        // another with them. By the cfg cargo knows that the environment belongs to it.
        .env("CARGO_ENCODED_RUSTFLAGS", [&FLAGS, machine.codegen()].concat().join("\u{1f}")))?;
    let raw = dir.join("build").join(machine.triple).join("library/libkcfaes_capi.a");
    let members = own_members(&raw, &dir.join("members"))?;
    let object = dir.join("kcfaes.o");
    let loader = if debug { Loader::Debugger } else { Loader::Userland };
    link_relocatable(loader, &members, exports, &object, machine)?;
    if machine.is_x86_64() {
        mark_shadow_stack(&object)?;
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

/// Of libc the library needs only what is listed, it has no other global name, and each function has an unwind
/// table.
fn check_object(path: &Path, exports: &BTreeSet<String>) -> Result<()> {
    let object = Object::read(path)?;
    let strange: Vec<_> =
        object.undefined.iter().filter(|name| !LIBC.contains(&name.as_str())).cloned().collect();
    if !strange.is_empty() {
        return Err(format!("libkcfaes needs {}", strange.join(" ")).into());
    }
    compare("libkcfaes.a", &Symbols::read(path)?.defined_with_prefix(""), exports)?;
    match object.not_unwound().as_slice() {
        [] => Ok(()),
        lost => Err(format!("libkcfaes has no unwind table of {}", lost.join(" ")).into()),
    }
}

/// The rest is of x86-64: what the audit reads in instructions, and the shadow stack.
fn audit_object(path: &Path) -> Result<()> {
    let object = Object::read(path)?;
    match audit::beyond_baseline(&object).as_slice() {
        [] => {}
        beyond => {
            return Err(format!("libkcfaes needs more than x86-64: {}", beyond.join("; ")).into());
        }
    }
    if !elf::marks_shadow_stack(path)? {
        return Err("libkcfaes.a lacks SHSTK in .note.gnu.property".into());
    }
    match audit::beyond_tables(&object).as_slice() {
        [] => {}
        beyond => return Err(format!("libkcfaes: {}", beyond.join("; ")).into()),
    }
    match audit::unwiped(&object).as_slice() {
        [] => Ok(()),
        left => Err(format!("libkcfaes leaves on the stack: {}", left.join("; ")).into()),
    }
}

fn check_dynamic(path: &Path, exports: &BTreeSet<String>) -> Result<()> {
    let mut defined = elf::dynamic_exports(path)?;
    defined.remove(API_NODE);
    defined.remove(OPS_NODE);
    compare("libkcfaes.so", &defined, exports)?;
    match elf::unprotected(path)?.as_slice() {
        [] => Ok(()),
        lacks => Err(format!("libkcfaes.so lacks {}", lacks.join(", ")).into()),
    }
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
    let dir = library.programs(tree, "examples")?;
    let shown = dir.join("readme.c");
    fs::write(&shown, program_in(&fs::read_to_string(tree.root.join("README.md"))?)?)?;
    for source in sources.iter().chain([&shown]) {
        run_linked(tree, library, source, &dir)?;
    }
    println!("{} example programs ran", 2 * (sources.len() + 1));
    Ok(())
}

/// The one C program in a Markdown text.
pub(crate) fn program_in(markdown: &str) -> Result<String> {
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
    let library = build(tree)?;
    let dir = library.programs(tree, "examples")?;
    let source = tree.root.join("examples").join(name).with_extension("c");
    run_linked(tree, &library, &source, &dir)?;
    Ok(dir.join(name).with_extension("static"))
}

/// The tables that this CPU has.
pub(crate) fn tables(tree: &Tree) -> Result<Vec<String>> {
    let report = output(&mut Command::new(example(tree, "which")?))?;
    let lines = report.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let here = lines.filter_map(|words| match words[..] {
        [name, "available"] => Some(name.to_string()),
        _ => None,
    });
    Ok(here.collect())
}

/// Runs the tests of the plain C API against both libraries: its functions, every vector, what a call leaves
/// behind, where its bytes may lie, and a call that interrupts another.
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
    let tests = ["api_test.c", "vectors_test.c", "residue_test.c", "place_test.c", "signal_test.c"];
    for test in tests {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A shared library and an object of `source` in a folder of the test's own.
    fn compiled(name: &str, source: &str) -> (PathBuf, PathBuf) {
        let dir = crate::scratch().join(format!("kcfaes-library-{name}-{}", std::process::id()));
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

    /// A shared library linked with all that protects it, except what `replaced` puts another option for.
    fn linked(name: &str, replaced: (&str, &str)) -> Vec<&'static str> {
        let (object, shared) =
            compiled(name, "int kcfaes_a; int kcfaes_f(void) { return kcfaes_a; }");
        let options = ["now", "relro", "noexecstack", "shstk"];
        let options = options.map(|one| if one == replaced.0 { replaced.1 } else { one });
        run(Command::new("cc")
            .args(["-shared", "-nostdlib", "-o"])
            .arg(&shared)
            .args(options.map(|option| format!("-Wl,-z,{option}")))
            .arg(object))
        .expect("cc links");
        elf::unprotected(&shared).expect("a library")
    }

    #[test]
    fn a_library_without_protection_is_refused() {
        assert_eq!(linked("protected", ("", "")), [""; 0]);
        for (option, opposite, lacks) in [
            ("now", "lazy", "BIND_NOW"),
            ("relro", "norelro", "RELRO"),
            ("noexecstack", "execstack", "a stack that is not executable"),
            ("shstk", "noexecstack", "SHSTK alone in .note.gnu.property"),
        ] {
            assert_eq!(linked(option, (option, opposite)), [lacks]);
        }
    }

    #[test]
    fn a_function_without_unwind_table_is_refused() {
        let source = "asm(\".text\\n.globl kcfaes_a\\n.type kcfaes_a, @function\\n\"
            \"kcfaes_a: ret\\n.size kcfaes_a, 1\");";
        let (object, _) = compiled("unwind", source);
        let error = check_object(&object, &names(&["kcfaes_a"])).expect_err("no table").to_string();
        assert!(error.contains("no unwind table of kcfaes_a"), "{error}");
    }

    #[test]
    fn an_archive_without_shadow_stack_is_refused() {
        let (object, _) = compiled("shadow", "int kcfaes_a(void) { return 0; }");
        let lacking =
            || audit_object(&object).is_err_and(|e| e.to_string().contains("lacks SHSTK"));
        assert!(lacking());
        mark_shadow_stack(&object).expect("objcopy works");
        assert!(!lacking());
    }

    #[test]
    fn what_libc_does_not_promise_is_refused() {
        let source = "int getpid(void); int kcfaes_a(void) { return getpid(); }";
        let (object, _) = compiled("needs", source);
        let error = check_object(&object, &names(&["kcfaes_a"])).expect_err("getpid");
        assert!(error.to_string().contains("needs"), "{error}");
    }
}
