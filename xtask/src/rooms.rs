// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds the two rooms of the kernel object (ARCHITECTURE.md, "Two rooms").
//!
//! * `kernels.o`: the kernels crate alone, hard-float, for the host.
//! * `provider.o`: provider and capi with all of core that they use, for x86_64-unknown-none.
//! * `kcfaes_rooms.o`: both. Only the functions of `capi/src/spi.rs` and `module.rs` are global, and no name
//!   is mangled.
//!
//! The flags are those of a kernel without a GOT. Fat LTO and the default relro level would bring
//! GOTPCREL relocations, which krtld cannot apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::archive::ArchiveFile;

use crate::elf::{Object, Symbols};
use crate::machine::{HOST, Machine};
use crate::process::{cargo, joined, run};
use crate::rust_source::Source;
use crate::{Result, Tree};

/// Code generation of both rooms.
const FLAGS: [&str; 7] = [
    "-Crelocation-model=static",
    "-Ccode-model=kernel",
    "-Crelro-level=off",
    "-Cforce-frame-pointers=yes",
    "-Cllvm-args=-enable-shrink-wrap=false",
    "-Cpanic=abort",
    "-Cjump-tables=no",
];

/// How large a function LLVM copies into its callers, in the provider room. LLVM's own choice, 225, would be 6 KiB
/// more text, which `MAX_TEXT` has no room for. What a short message needs is marked `inline(always)`, and what a
/// walk over pieces needs, `inline`.
const INLINING: &str = "-Cllvm-args=-inline-threshold=40";

/// Who loads a relocatable object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    /// illumos' kernel: nothing that only a debugger or an unwinder reads.
    Krtld,
    /// A program: with unwind tables.
    Userland,
    /// A program that a debugger looks into.
    Debugger,
}

impl Loader {
    /// One output section of each kind. `.note.GNU-stack` is left: it is not loaded, and without it ld makes a
    /// program's stack executable.
    fn sections(self) -> String {
        const UNWIND: &str = "  .eh_frame 0 : { KEEP(*(.eh_frame)) }\n";
        let (kept, dropped) = match self {
            Self::Krtld => ("", ".eh_frame .debug_* "),
            Self::Userland => (UNWIND, ".debug_* "),
            Self::Debugger => (UNWIND, ""),
        };
        format!(
            "\
SECTIONS {{
  .text 0 : {{ *(.text .text.*) }}
  .rodata 0 : {{ KEEP(*(.rodata.kept)) *(.rodata .rodata.*) }}
  .data 0 : {{ *(.data .data.*) }}
  .bss 0 : {{ *(.bss .bss.* COMMON) }}
  .dynstr 0 : {{ KEEP(*(.dynstr)) }}
  .dynamic 0 : {{ KEEP(*(.dynamic)) }}
{kept}  /DISCARD/ : {{
    *({dropped}.gcc_except_table* .note.gnu.* .comment .llvmbc .llvmcmd .stack_sizes)
  }}
}}
"
        )
    }
}

/// The built objects.
pub(crate) struct Rooms {
    pub(crate) kernels: PathBuf,
    pub(crate) provider: PathBuf,
    pub(crate) joined: PathBuf,
    /// What the kernels room defines and the provider calls.
    pub(crate) kernel_entries: BTreeSet<String>,
    /// What the joined object exports.
    pub(crate) exports: BTreeSet<String>,
}

/// Functions of the ops vector.
pub(crate) fn operations(tree: &Tree) -> Result<BTreeSet<String>> {
    exports(tree, &["rust-core/capi/src/spi.rs"])
}

/// Functions that the kernel shim calls.
pub(crate) fn spi_exports(tree: &Tree) -> Result<BTreeSet<String>> {
    exports(tree, &["rust-core/capi/src/spi.rs", "rust-core/capi/src/module.rs"])
}

fn exports(tree: &Tree, files: &[&str]) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for file in files {
        let exports = Source::read(&tree.root.join(file))?.exports();
        if exports.is_empty() {
            return Err(format!("{file} exports no function").into());
        }
        all.extend(exports);
    }
    Ok(all)
}

pub(crate) fn build(tree: &Tree) -> Result<Rooms> {
    let dir = tree.target.join("rooms");
    fs::create_dir_all(&dir)?;
    let exports = spi_exports(tree)?;

    run(cargo(tree)
        .args(["rustc", "--quiet", "--package=kcfaes-capi", "--lib", "--crate-type=staticlib"])
        .args(["--profile=kernel", "--target=x86_64-unknown-none", "--target-dir"])
        .arg(dir.join("build"))
        .args(["--", "--cfg", "kcfaes_artifact=\"kernel\""])
        // For every crate of the room.
        .env("CARGO_ENCODED_RUSTFLAGS", [FLAGS.as_slice(), &[INLINING]].concat().join("\u{1f}")))?;
    let archive = dir.join("build/x86_64-unknown-none/kernel/libkcfaes_capi.a");
    let members = own_members(&archive, &dir.join("provider"))?;
    let provider = dir.join("provider.o");
    link_relocatable(Loader::Krtld, &members, &exports, &provider, &HOST)?;

    let raw = dir.join("kernels.raw.o");
    let emit = joined("--emit=obj=", &raw);
    run(cargo(tree)
        .args(["rustc", "--quiet", "--package=kcfaes-kernels", "--lib", "--release"])
        .args(["--target=x86_64-unknown-linux-gnu", "--target-dir"])
        .arg(dir.join("build"))
        .arg("--")
        .args(FLAGS)
        .args(["-Cno-redzone=yes", "-Copt-level=3", "-Ccodegen-units=1"])
        .arg(emit))?;
    // What only libkcfaes calls stays out.
    let called = Object::read(&provider)?.undefined;
    let kernel_entries = &Symbols::read(&raw)?.defined_with_prefix("kcfaes_") & &called;
    let kernels = dir.join("kernels.o");
    link_relocatable(Loader::Krtld, &[&raw], &kernel_entries, &kernels, &HOST)?;

    let both = dir.join("kcfaes_rooms.o");
    link_relocatable(Loader::Krtld, &[&kernels, &provider], &exports, &both, &HOST)?;
    make_readable(&both)?;
    Ok(Rooms { kernels, provider, joined: both, kernel_entries, exports })
}

/// Unpacks the members of `archive` that hold this crate's code into `dir`.
///
/// Thin LTO has folded into them all that they use of other crates. compiler_builtins is left out, so
/// that memcpy and its like are the kernel's or libc's own.
pub(crate) fn own_members(archive: &Path, dir: &Path) -> Result<Vec<PathBuf>> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    let bytes = fs::read(archive).map_err(|error| format!("{}: {error}", archive.display()))?;
    let mut members = Vec::new();
    for member in ArchiveFile::parse(&*bytes)?.members() {
        let member = member?;
        let name = String::from_utf8_lossy(member.name()).into_owned();
        if name.starts_with("kcfaes_") && name.ends_with(".o") {
            let path = dir.join(&name);
            fs::write(&path, member.data(&*bytes)?)?;
            members.push(path);
        }
    }
    if members.is_empty() {
        return Err(format!("{}: no member of our own", archive.display()).into());
    }
    Ok(members)
}

/// Links `inputs` into one relocatable object. It has what `entries` reach, and only `entries` are
/// global.
pub(crate) fn link_relocatable(
    loader: Loader,
    inputs: &[impl AsRef<Path>],
    entries: &BTreeSet<String>,
    output: &Path,
    machine: &Machine,
) -> Result<()> {
    let script = output.with_extension("ld");
    fs::write(&script, loader.sections())?;
    let mut ld = machine.tool("ld");
    ld.args(["-r", "-z", "noexecstack", "--gc-sections", "-T"]).arg(&script).arg("-o").arg(output);
    for entry in entries {
        ld.args(["-u", entry]);
    }
    run(ld.args(inputs.iter().map(AsRef::as_ref)))?;

    // A symbol that only discarded sections referred to is still in the symbol table as undefined.
    // krtld would refuse the object for it.
    let phantoms = Symbols::read(output)?.undefined_unreferenced;
    let keep = output.with_extension("globals");
    fs::write(&keep, lines(entries))?;
    run(machine
        .tool("objcopy")
        .arg(joined("--keep-global-symbols=", &keep))
        .args(phantoms.iter().map(|name| format!("--strip-symbol={name}")))
        .arg(output))
}

/// Renames each function that has a mangled name. DTrace and mdb can read the new name, and DTrace can
/// take it as a probe's name: `kcfaes_provider_engine_drive_drive`.
fn make_readable(object: &Path) -> Result<()> {
    let mut names = String::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let functions = Object::read(object)?.sections.into_iter().flat_map(|s| s.functions);
    for mangled in functions.map(|f| f.name).filter(|name| is_mangled(name)) {
        if !seen.insert(mangled.clone()) {
            continue;
        }
        let words = demangled(&mangled);
        let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut name = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name.push_str(&format!("_{count}"));
        }
        names.push_str(&format!("{mangled} {name}\n"));
    }
    let list = object.with_extension("names");
    fs::write(&list, names)?;
    run(Command::new("objcopy").arg(joined("--redefine-syms=", &list)).arg(object))
}

/// Whether rustc has made this name.
pub(crate) fn is_mangled(name: &str) -> bool {
    rustc_demangle::try_demangle(name).is_ok()
}

/// The name as the source has it.
pub(crate) fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn lines(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}
