// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds out what is missing on this machine, and installs it or prints the commands.
//!
//! Only `demo`, `check` and `setup` install anything, and only as root: a build daemon is root too, and must
//! not find other packages on its machine afterwards. What is already there is never asked for again. So
//! everything works without a network afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::aarch64::UNSUPPORTED;
use crate::machine::ILLUMOS;
use crate::process::{compiler, line, output, run, succeeds, works};
use crate::{Result, Tree, mutants, simulate};

/// Something that a verb cannot do without.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    Compiler,
    CxxCompiler,
    Binutils,
    Libclang,
    Clippy,
    Rustfmt,
    /// The compiler that has sanitizers and coverage.
    Nightly,
    /// Miri of the nightly compiler.
    Miri,
    /// The sources of its standard library.
    StdSources,
    /// The oldest compiler that the workspace says it builds with.
    OldestRust,
    CargoDeny,
    CargoMutants,
    CargoSbom,
    /// Python with what its environments need.
    Python,
    /// llvm-mca, 19 or later.
    Mca,
    /// A target of rustc, with its core.
    Target(&'static str),
    /// A Debian package, and a sign that it is there: a path, or the name of a program or library.
    Package(&'static str, &'static str),
}

use Need::{
    Binutils, CargoDeny, CargoMutants, CargoSbom, Clippy, Compiler, CxxCompiler, Libclang, Mca,
    Miri, Nightly, OldestRust, Package, Python, Rustfmt, StdSources, Target,
};

/// `rust-version` of the workspace.
pub(crate) const OLDEST_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// The target of the kernel object. Its core is built without vector registers.
const KERNEL: Need = Target("x86_64-unknown-none");

pub(crate) const DEMO: &[Need] = &[Compiler];
pub(crate) const ROOMS: &[Need] = &[Compiler, Binutils, KERNEL];
pub(crate) const LIBRARY: &[Need] = &[Compiler, Binutils];
pub(crate) const HEADERS: &[Need] = &[Compiler, CxxCompiler];
pub(crate) const CHECK: &[Need] = &[
    Compiler,
    CxxCompiler,
    Binutils,
    Libclang,
    KERNEL,
    Clippy,
    Rustfmt,
    Package("mandoc", "mandoc"),
    Package("man-db", "man"),
    Package("pkg-config", "pkg-config"),
    Package("cmake", "cmake"),
    Package("clang", "clang"),
    Package("musl-tools", "musl-gcc"),
    Package("gdb", "gdb"),
];
pub(crate) const ILLUMOS_LIBRARY: &[Need] = &[Binutils, Target(ILLUMOS.triple)];
pub(crate) const ABI: &[Need] = &[Compiler, Binutils, Package("abigail-tools", "abidiff")];
pub(crate) const DIST: &[Need] = &[CargoSbom];
pub(crate) const DIST_CHECK: &[Need] = &[Compiler, Binutils, KERNEL, CargoSbom];
pub(crate) const DENY: &[Need] = &[CargoDeny];
pub(crate) const MUTANTS: &[Need] = &[Compiler, CargoMutants];
pub(crate) const DEB: &[Need] = &[
    Compiler,
    Binutils,
    Package("dpkg-dev", "dpkg-buildpackage"),
    Package("debhelper", "dh"),
    Package("lintian", "lintian"),
];
pub(crate) const PYTHON: &[Need] = &[Python];
pub(crate) const AARCH64: &[Need] = &[
    Target("aarch64-unknown-linux-gnu"),
    Package("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc"),
    Package("libc6-dev-arm64-cross", "/usr/aarch64-linux-gnu/include/stdio.h"),
    Package("qemu-user", "qemu-aarch64"),
    // Its core, so that nothing else is missing there.
    Target(UNSUPPORTED),
];
pub(crate) const CPUS: &[Need] = &[Compiler, Binutils, Package("qemu-user", "qemu-x86_64")];
pub(crate) const CT: &[Need] = &[Compiler, Binutils, KERNEL, Package("valgrind", "valgrind")];
pub(crate) const SIMULATE: &[Need] = &[Compiler, Binutils, KERNEL, Mca];
pub(crate) const OLDEST: &[Need] = &[Compiler, OldestRust];
pub(crate) const FUZZ: &[Need] = &[Compiler, CxxCompiler, Nightly];
pub(crate) const MIRI: &[Need] = &[Compiler, Nightly, Miri, StdSources];
pub(crate) const TSAN: &[Need] = &[Compiler, Libclang, Nightly, StdSources];
pub(crate) const RING0: &[Need] = &[
    Compiler,
    Binutils,
    KERNEL,
    Package("qemu-system-x86", "qemu-system-x86_64"),
    Package("bochs", "bochs"),
    Package("bochs-term", "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so"),
    Package("bochsbios", "/usr/share/bochs/BIOS-bochs-latest"),
    Package("vgabios", "/usr/share/vgabios/vgabios.bin"),
    Package("grub-pc-bin", "/usr/lib/grub/i386-pc/boot.img"),
    Package("grub-common", "grub-mkrescue"),
    Package("xorriso", "xorriso"),
    Package("mtools", "mformat"),
];

impl Need {
    fn is_met(self) -> bool {
        match self {
            Compiler => succeeds(compiler("CC", "cc").arg("--version")),
            CxxCompiler => succeeds(compiler("CXX", "c++").arg("--version")),
            Binutils => ["ld", "ar", "objcopy"].iter().all(|tool| works(tool, &["--version"])),
            Libclang => has_libclang(),
            Target(name) => has_target(name),
            Clippy => works("cargo", &["clippy", "--version"]),
            Rustfmt => works("cargo", &["fmt", "--version"]),
            Nightly => works("rustup", &["run", "nightly", "rustc", "--version"]),
            Miri => works("rustup", &["run", "nightly", "cargo", "miri", "--version"]),
            StdSources => has_std_sources(),
            OldestRust => works("rustup", &["run", OLDEST_RUST, "rustc", "--version"]),
            Python => works("python3", &["-c", "import ensurepip, venv"]),
            Mca => simulate::program().is_some(),
            CargoDeny => works("cargo-deny", &["--version"]),
            CargoMutants => output(Command::new("cargo-mutants").args(["mutants", "--version"]))
                .is_ok_and(|version| version.trim_end().ends_with(mutants::VERSION)),
            CargoSbom => works("cargo-sbom", &["sbom", "--version"]),
            Package(_, sign) => is_found(sign),
        }
    }

    /// Debian's package, or what to tell rustup.
    fn source(self) -> Source {
        match self {
            Compiler => Source::Debian("gcc"),
            CxxCompiler => Source::Debian("g++"),
            Binutils => Source::Debian("binutils"),
            Libclang => Source::Debian("libclang-dev"),
            Target(name) => Source::Rustup(vec!["target", "add", name]),
            Clippy => Source::Rustup(vec!["component", "add", "clippy"]),
            Rustfmt => Source::Rustup(vec!["component", "add", "rustfmt"]),
            Nightly => Source::Rustup(vec!["toolchain", "install", "nightly", "--profile=minimal"]),
            Miri => Source::Rustup(vec!["component", "add", "miri", "--toolchain=nightly"]),
            StdSources => {
                Source::Rustup(vec!["component", "add", "rust-src", "--toolchain=nightly"])
            }
            OldestRust => {
                Source::Rustup(vec!["toolchain", "install", OLDEST_RUST, "--profile=minimal"])
            }
            Python => Source::Debian("python3-venv"),
            Mca => Source::Debian("llvm-19"),
            CargoDeny => Source::Cargo(vec!["install", "--locked", "cargo-deny"]),
            CargoMutants => Source::Cargo(vec![
                "install",
                "--locked",
                "--version",
                mutants::VERSION,
                "cargo-mutants",
            ]),
            CargoSbom => Source::Cargo(vec!["install", "--locked", "cargo-sbom"]),
            Package(name, _) => Source::Debian(name),
        }
    }

    /// The name by which it is asked for.
    fn name(self) -> String {
        match self.source() {
            Source::Debian(package) => format!("Debian package {package}"),
            Source::Rustup(arguments) => format!("rustup {}", arguments.join(" ")),
            Source::Cargo(arguments) => format!("cargo {}", arguments.join(" ")),
        }
    }
}

enum Source {
    Debian(&'static str),
    Rustup(Vec<&'static str>),
    Cargo(Vec<&'static str>),
}

/// The commands that install what is `missing`, in order.
fn commands(missing: impl Iterator<Item = Need>) -> Vec<Vec<&'static str>> {
    let mut packages = Vec::new();
    let mut rust = Vec::new();
    for need in missing {
        match need.source() {
            Source::Debian(package) => packages.push(package),
            Source::Rustup(arguments) => rust.push([&["rustup"], &arguments[..]].concat()),
            Source::Cargo(arguments) => rust.push([&["cargo"], &arguments[..]].concat()),
        }
    }
    let mut commands = Vec::new();
    if !packages.is_empty() {
        commands.push(vec!["apt-get", "update"]);
        let install = ["apt-get", "install", "-y", "--no-install-recommends"];
        commands.push([&install, &packages[..]].concat());
    }
    commands.extend(rust);
    commands
}

/// Gets what is missing of `needs`, if this verb may. Otherwise says what is missing, and how to get it.
pub(crate) fn setup(tree: &Tree, needs: &[Need]) -> Result<()> {
    let missing = obtain(tree, needs, |command| {
        println!("{}", line(command));
        // A failure leaves something missing.
        _ = run(command);
    });
    let Some(missing) = missing else { return Ok(()) };
    let commands = commands(needs.iter().copied().filter(|need| !need.is_met()));
    let lines: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
    Err(format!("missing on this machine: {missing}; run as root:\n  {}", lines.join("\n  "))
        .into())
}

/// What of `needs` cannot be had here, after a silent attempt to get it if this verb may. `None` if all is
/// there.
pub(crate) fn missing(tree: &Tree, needs: &[Need]) -> Option<String> {
    obtain(tree, needs, |command| {
        let quiet = || Stdio::null();
        _ = command.stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
    })
}

fn obtain(tree: &Tree, needs: &[Need], run: impl Fn(&mut Command)) -> Option<String> {
    let missing = || needs.iter().copied().filter(|need| !need.is_met());
    if tree.installs && missing().next().is_some() && is_root() {
        for words in commands(missing()) {
            let mut command = Command::new(words[0]);
            run(command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive"));
        }
    }
    let names: Vec<_> = missing().map(Need::name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0")
}

/// Where distributions put libraries.
const LIBRARIES: [&str; 4] =
    ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

fn is_found(sign: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let libraries = LIBRARIES.map(PathBuf::from);
    std::env::split_paths(&path).chain(libraries).any(|directory| directory.join(sign).is_file())
}

fn has_target(name: &str) -> bool {
    output(Command::new("rustc").args(["--print=target-libdir", "--target", name]))
        .is_ok_and(|libraries| Path::new(libraries.trim()).is_dir())
}

fn has_std_sources() -> bool {
    output(Command::new("rustup").args(["run", "nightly", "rustc", "--print=sysroot"])).is_ok_and(
        |root| Path::new(root.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").is_file(),
    )
}

/// bindgen loads libclang at run time, from where the environment says or where distributions put it.
fn has_libclang() -> bool {
    let named = std::env::var_os("LIBCLANG_PATH").map(Into::into);
    let llvm = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let llvm = llvm.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvm"))
    });
    let usual = LIBRARIES.map(Into::into);
    let folders = named.into_iter().chain(llvm.map(|path| path.join("lib"))).chain(usual);
    folders.map(fs::read_dir).filter_map(core::result::Result::ok).flatten().flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        // Not libclang-cpp.so, which is another library.
        let version = name.strip_prefix("libclang").map(|rest| rest.trim_start_matches('-'));
        version.is_some_and(|rest| {
            rest.starts_with(".so") || rest.starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_come_in_one_command_after_the_lists() {
        let commands = commands([CxxCompiler, KERNEL, Libclang].into_iter());
        let lines: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
        assert_eq!(
            lines,
            [
                "apt-get update",
                "apt-get install -y --no-install-recommends g++ libclang-dev",
                "rustup target add x86_64-unknown-none",
            ]
        );
    }

    #[test]
    fn a_verb_that_may_not_install_starts_no_command() {
        let tree = Tree { installs: false, ..Tree::find().expect("the repository") };
        let needs = [Package("kcfaes-no-such-package", "kcfaes-no-such-program")];
        let missing = obtain(&tree, &needs, |command| panic!("{}", line(command)));
        assert_eq!(missing.as_deref(), Some("Debian package kcfaes-no-such-package"));
        let error = setup(&tree, &needs).expect_err("missing").to_string();
        assert!(error.contains("apt-get install"), "{error}");
    }

    #[test]
    fn nothing_missing_is_nothing_to_do() {
        assert!(commands(core::iter::empty()).is_empty());
    }
}
