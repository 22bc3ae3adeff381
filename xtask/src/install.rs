// SPDX-License-Identifier: MIT OR Apache-2.0
//! Installs libkcfaes as a packager does, and builds programs against what is there as their authors do.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::headers::{STANDARDS, WARNINGS};
use crate::library::{SONAME, shared_name};
use crate::process::{compiler, joined, output, run};
use crate::{Result, Tree, elf, headers, manual};

/// Where Debian and its like have libraries, below the prefix.
const MULTIARCH: &str = "lib/x86_64-linux-gnu";

pub(crate) fn check(tree: &Tree) -> Result<()> {
    build_as_distributions_do(tree)?;
    let dir = tree.target.join("installation");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    staged(tree, &dir)?;
    let multiarch = Place::new(&dir, "multiarch", MULTIARCH);
    multiarch.make(tree, "install")?;
    consumers_by_cmake(tree, &multiarch)?;
    consumers_by_pkg_config(tree, &multiarch)?;
    multiarch.make(tree, "uninstall")?;
    if multiarch.prefix.exists() {
        return Err(format!("make uninstall leaves {}", multiarch.prefix.display()).into());
    }

    let plain = Place::new(&dir, "plain", "lib");
    plain.make(tree, "install")?;
    consumers_by_cmake(tree, &plain)?;
    let strict = consumers_by_compiler(tree, &plain)?;
    debuggers(tree, &plain)?;
    println!("{strict} programs by standard and compiler, and those of pkg-config and CMake, ran");
    // A folder that somebody else uses stays.
    fs::write(plain.prefix.join("share/other"), "")?;
    plain.make(tree, "uninstall")?;
    match contents(&plain.prefix)?.as_slice() {
        [share, other] if share == "share" && other == "share/other" => Ok(()),
        left => Err(format!("make uninstall leaves {}", left.join(" ")).into()),
    }
}

/// Builds the library as a build daemon has it done: with options in CC, and for link-time optimization.
fn build_as_distributions_do(tree: &Tree) -> Result<()> {
    run(make(tree, "lib")
        .arg("CC=gcc -m64")
        .arg("CFLAGS=-O2 -flto=auto -ffat-lto-objects")
        .arg("LDFLAGS=-flto=auto -Wl,-z,relro"))
}

/// A `make` of ours, with nothing of the make that may have started us.
fn make(tree: &Tree, verb: &str) -> Command {
    let mut make = Command::new("make");
    make.args(["--silent", verb]).current_dir(&tree.root);
    make.env_remove("MAKEFLAGS").env("CARGO_TARGET_DIR", &tree.target);
    make
}

/// An installation without DESTDIR.
struct Place {
    prefix: PathBuf,
    libdir: PathBuf,
}

impl Place {
    fn new(dir: &Path, name: &str, libdir: &str) -> Self {
        let prefix = dir.join(name);
        Self { libdir: prefix.join(libdir), prefix }
    }

    fn make(&self, tree: &Tree, verb: &str) -> Result<()> {
        let mut make = without_cargo(tree, verb);
        make.arg(joined("PREFIX=", &self.prefix)).arg(joined("LIBDIR=", &self.libdir));
        output(&mut make).map(drop)
    }
}

/// `sudo make install`: no cargo, and root's own umask.
fn without_cargo(tree: &Tree, verb: &str) -> Command {
    let inner = make(tree, verb);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(inner.get_program());
    command.args(inner.get_args()).arg("CARGO=no-cargo-here").current_dir(&tree.root).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("CARGO_TARGET_DIR", &tree.target);
    command
}

/// A staged installation, as for a package, in a folder with blanks in its name.
fn staged(tree: &Tree, dir: &Path) -> Result<()> {
    let destdir = dir.join("a staged \"installation\"");
    let run = |verb| {
        let mut make = without_cargo(tree, verb);
        make.arg(joined("DESTDIR=", &destdir)).arg("PREFIX=/usr");
        make.arg(format!("LIBDIR=/usr/{MULTIARCH}"));
        output(&mut make).map(drop)
    };
    run("install")?;
    // Again, as for a newer version.
    run("install")?;
    let usr = destdir.join("usr");
    compare(&contents(&usr)?, &expected(tree)?)?;
    modes(&usr)?;
    if let Some(text) = mentions(&usr, &dir.to_string_lossy())? {
        return Err(format!("{text} mentions DESTDIR").into());
    }
    let shared = usr.join(MULTIARCH).join(shared_name());
    match elf::unprotected(&shared)?.as_slice() {
        [] => {}
        lacks => return Err(format!("{} lacks {}", shared.display(), lacks.join(", ")).into()),
    }
    by_name(tree, &usr.join("share/man"))?;
    run("uninstall")?;
    match contents(&destdir)?.as_slice() {
        [] => Ok(()),
        left => Err(format!("make uninstall leaves {}", left.join(" ")).into()),
    }
}

/// Paths of all that is in a folder, below it, in order.
fn contents(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir()? {
            let path = entry?.path();
            paths.push(path.strip_prefix(folder)?.to_string_lossy().into_owned());
            if path.symlink_metadata()?.is_dir() {
                folders.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// All that an installation below /usr has.
fn expected(tree: &Tree) -> Result<Vec<String>> {
    let mut files = BTreeSet::new();
    let mut add = |file: String| {
        for (end, _) in file.match_indices('/') {
            files.insert(file[..end].to_string());
        }
        files.insert(file);
    };
    for header in headers::installed(tree) {
        add(format!("include/{}", header.file_name().unwrap_or_default().display()));
    }
    for name in ["libkcfaes.a", "libkcfaes.so", SONAME, &shared_name(), "pkgconfig/kcfaes.pc"] {
        add(format!("{MULTIARCH}/{name}"));
    }
    for name in ["kcfaes-config.cmake", "kcfaes-config-version.cmake"] {
        add(format!("{MULTIARCH}/cmake/kcfaes/{name}"));
    }
    for page in manual::pages(tree)? {
        add(format!("share/man/man3/{}", page.file_name().unwrap_or_default().display()));
    }
    for function in manual::functions(tree)? {
        add(format!("share/man/man3/{function}.3"));
    }
    Ok(files.into_iter().collect())
}

fn compare(found: &[String], expected: &[String]) -> Result<()> {
    let (found, expected): (BTreeSet<_>, BTreeSet<_>) =
        (found.iter().collect(), expected.iter().collect());
    if found == expected {
        return Ok(());
    }
    let more: Vec<_> = found.difference(&expected).collect();
    let less: Vec<_> = expected.difference(&found).collect();
    Err(format!("make install has {more:?} too much, lacks {less:?}").into())
}

/// Folders are 0755, and files 0644 or, if the linker loads them, 0755. All belong to who installs.
fn modes(folder: &Path) -> Result<()> {
    let owner = fs::metadata("/proc/self")?.uid();
    for path in contents(folder)? {
        let file = fs::symlink_metadata(folder.join(&path))?;
        let executable = file.is_dir() || path.ends_with(&shared_name());
        let right = if executable { 0o755 } else { 0o644 };
        let mode = file.permissions().mode() & 0o7777;
        if (mode != right && !file.is_symlink()) || file.uid() != owner {
            return Err(format!("{path}: mode {mode:o} of {}, not {right:o}", file.uid()).into());
        }
    }
    Ok(())
}

/// A text in `folder` that has `word` in it.
fn mentions(folder: &Path, word: &str) -> Result<Option<String>> {
    for path in contents(folder)? {
        let file = folder.join(&path);
        if file.is_file() && String::from_utf8_lossy(&fs::read(file)?).contains(word) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// `man` finds the page of each function by its name, without an index.
fn by_name(tree: &Tree, manual: &Path) -> Result<()> {
    for function in manual::functions(tree)? {
        let mut man = Command::new("man");
        let found = output(man.arg("-M").arg(manual).args(["-w", &function]))?;
        let page = fs::read_to_string(found.trim())?;
        if !page.lines().any(|line| line.trim_end_matches(" ,") == format!(".Nm {function}")) {
            return Err(format!("man {function} shows {}", found.trim()).into());
        }
    }
    Ok(())
}

fn consumer(tree: &Tree) -> PathBuf {
    tree.root.join("ffi-tests/c/consumer.c")
}

/// Runs a built program. A shared library is found in `place`.
fn execute(place: &Place, program: &Path) -> Result<()> {
    run(Command::new(program).env("LD_LIBRARY_PATH", &place.libdir))
        .map_err(|error| format!("{}: {error}", program.display()).into())
}

/// Fails unless `program` has the shared library if and only if it is to have it.
fn loads_library(program: &Path, shared: bool) -> Result<()> {
    let needs = output(Command::new("readelf").arg("-d").arg(program))?.contains(SONAME);
    match needs == shared {
        true => Ok(()),
        false => Err(format!("{}: needs {SONAME}: {needs}", program.display()).into()),
    }
}

/// Programs built with what pkg-config says: shared, static, static with musl, and optimized at link time.
fn consumers_by_pkg_config(tree: &Tree, place: &Place) -> Result<()> {
    let asked = |arguments: &[&str]| {
        output(
            Command::new("pkg-config")
                .env("PKG_CONFIG_PATH", place.libdir.join("pkgconfig"))
                .args(arguments)
                .arg("kcfaes"),
        )
    };
    asked(&["--validate"])?;
    if asked(&["--modversion"])?.trim() != env!("CARGO_PKG_VERSION") {
        return Err("kcfaes.pc has another version".into());
    }
    let shared = asked(&["--cflags", "--libs"])?;
    let fixed = asked(&["--static", "--cflags", "--libs"])?;
    let kinds: [(&str, Command, &str, &[&str]); 6] = [
        ("shared", compiler("CC", "cc"), &shared, &[]),
        ("static", compiler("CC", "cc"), &fixed, &["-static"]),
        ("static-pie", compiler("CC", "cc"), &fixed, &["-static-pie", "-fPIE"]),
        ("lto", compiler("CC", "cc"), &fixed, &["-flto", "-O2", "-static"]),
        ("lto-shared", compiler("CC", "cc"), &shared, &["-flto", "-O2"]),
        ("musl", Command::new("musl-gcc"), &fixed, &["-static"]),
    ];
    for (kind, mut cc, options, more) in kinds {
        let program = place.prefix.with_extension(kind);
        cc.args(WARNINGS).args(more).arg("-o").arg(&program).arg(consumer(tree));
        run(cc.args(options.split_whitespace()))?;
        loads_library(&program, kind.ends_with("shared"))?;
        execute(place, &program)?;
    }
    Ok(())
}

/// A CMake project with both targets, and one that wants another version.
fn consumers_by_cmake(tree: &Tree, place: &Place) -> Result<()> {
    let project = place.prefix.with_extension("cmake");
    fs::create_dir_all(&project)?;
    let version: Vec<_> = env!("CARGO_PKG_VERSION").split('.').collect();
    let describe = |version: &str| {
        format!(
            "cmake_minimum_required(VERSION 3.13)\n\
             project(consumer C CXX)\n\
             find_package(kcfaes {version} REQUIRED)\n\
             add_executable(shared {source})\n\
             target_link_libraries(shared PRIVATE kcfaes::kcfaes)\n\
             add_executable(static {source})\n\
             target_link_libraries(static PRIVATE kcfaes::kcfaes_static)\n\
             configure_file({source} consumer.cc COPYONLY)\n\
             add_executable(cxx ${{CMAKE_CURRENT_BINARY_DIR}}/consumer.cc)\n\
             set_target_properties(cxx PROPERTIES CXX_STANDARD 17)\n\
             target_link_libraries(cxx PRIVATE kcfaes::kcfaes)\n",
            source = consumer(tree).display(),
        )
    };
    let configure = |build: &Path, version: &str| {
        fs::write(project.join("CMakeLists.txt"), describe(version))?;
        let mut cmake = Command::new("cmake");
        cmake.arg("-S").arg(&project).arg("-B").arg(build);
        cmake.arg(joined("-DCMAKE_PREFIX_PATH=", &place.prefix));
        cmake.output()
    };
    let build = project.join("build");
    let same = version[..2].join(".");
    let configured = configure(&build, &same)?;
    if !configured.status.success() {
        return Err(format!("cmake: {}", String::from_utf8_lossy(&configured.stderr)).into());
    }
    output(Command::new("cmake").arg("--build").arg(&build))?;
    for (program, shared) in [("shared", true), ("static", false), ("cxx", true)] {
        let program = build.join(program);
        loads_library(&program, shared)?;
        execute(place, &program)?;
    }
    let other = version[0].parse::<u32>()? + 1;
    if configure(&project.join("other"), &other.to_string())?.status.success() {
        return Err(format!("find_package(kcfaes {other}) finds {}", version.join(".")).into());
    }
    Ok(())
}

/// The strict program in each standard, by gcc and by clang.
fn consumers_by_compiler(tree: &Tree, place: &Place) -> Result<usize> {
    let mut programs = 0;
    for (_, _, extension, standard) in STANDARDS {
        let (gnu, llvm) = if extension == "c" { ("gcc", "clang") } else { ("g++", "clang++") };
        for name in [gnu, llvm] {
            let mut cc = Command::new(name);
            let program = place.prefix.with_extension(format!("{name}{standard}"));
            let language = if extension == "c" { "c" } else { "c++" };
            cc.args([standard, "-x", language]).args(WARNINGS).arg("-O2");
            run(cc
                .arg(joined("-I", &place.prefix.join("include")))
                .arg("-o")
                .arg(&program)
                .arg(consumer(tree))
                .args(["-x", "none"])
                .arg(joined("-L", &place.libdir))
                .arg("-lkcfaes"))?;
            execute(place, &program)?;
            programs += 1;
        }
    }
    Ok(programs)
}

/// What stops anywhere in the library finds the way to main: a program that unwinds at each instruction, and
/// gdb, which also names the functions.
fn debuggers(tree: &Tree, place: &Place) -> Result<()> {
    let built = |source: &str, name: &str| {
        let program = place.prefix.with_extension(name);
        run(compiler("CC", "cc")
            .args(["-std=gnu99", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program)
            .arg(tree.root.join("ffi-tests/c").join(source))
            .arg(joined("-I", &place.prefix.join("include")))
            .arg(joined("-L", &place.libdir))
            .arg("-lkcfaes"))?;
        Ok::<_, Box<dyn core::error::Error>>(program)
    };
    execute(place, &built("unwind_test.c", "unwind")?)?;

    let program = built("consumer.c", "debugged")?;
    let script = place.prefix.with_extension("gdb");
    fs::write(&script, GDB)?;
    let said = output(
        Command::new("gdb")
            .args(["-q", "-nx", "-batch", "-x"])
            .arg(&script)
            .arg(&program)
            .env("LD_LIBRARY_PATH", &place.libdir)
            .env("DEBUGINFOD_URLS", ""),
    )?;
    let stacks = stacks(&said)?;
    println!("gdb: {stacks} stacks from the library to main");
    Ok(())
}

/// Stops at each function of GCM that is called, and where a kernel's stack is wiped, and shows the stack.
const GDB: &str = "\
set pagination off
set width 0
set breakpoint pending on
break main
run
rbreak kcfaes_gcm\\|wipe_stack\\|zero_stack
commands
silent
echo STACK\\n
backtrace
continue
end
continue
";

/// Counts the stacks that gdb has shown. Each has names of functions and ends in main, and one has a function
/// that wipes a stack.
fn stacks(said: &str) -> Result<usize> {
    let stacks: Vec<_> = said.split("STACK\n").skip(1).collect();
    for stack in &stacks {
        let frames: Vec<_> = stack.lines().filter(|line| line.starts_with('#')).collect();
        let ends = frames.last().is_some_and(|frame| frame.contains(" main ("));
        if !ends || frames.len() < 2 || frames.iter().any(|frame| frame.contains("??")) {
            return Err(format!("gdb does not find main from here:\n{stack}").into());
        }
    }
    match stacks.iter().any(|stack| stack.contains("wipe_stack") || stack.contains("zero_stack")) {
        true => Ok(stacks.len()),
        false => Err(format!("gdb has not stopped where a stack is wiped:\n{said}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIPED: &str = "STACK\n#0  0x1 in a::wipe_stack_aesni ()\n#1  0x2 in main () at c.c:1\n";

    #[test]
    fn a_stack_that_ends_before_main_is_refused() {
        assert_eq!(stacks(&WIPED.repeat(3)).expect("right"), 3);
        for wrong in [
            WIPED.replace(" main (", " kcfaes_gcm_seal ("),
            WIPED.replace("#1 ", "#1  0x3 in ?? ()\n#2 "),
            WIPED.replace("#0  0x1 in a::wipe_stack_aesni ()\n", ""),
        ] {
            let error = stacks(&format!("{WIPED}{wrong}")).expect_err("planted").to_string();
            assert!(error.contains("does not find main"), "{error}");
        }
    }

    #[test]
    fn a_debugger_that_never_stopped_is_refused() {
        for said in ["", &WIPED.replace("wipe_stack", "other")] {
            let error = stacks(said).expect_err("planted").to_string();
            assert!(error.contains("has not stopped"), "{error}");
        }
    }
}
