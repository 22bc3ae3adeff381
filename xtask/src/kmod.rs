// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds and audits the kernel modules: kcfaes, the provider, and kcfaes_test, its vector test.
//!
//! The Rust rooms are always the same object. The C around them is compiled against one of two sets
//! of headers ([`Headers`]):
//!
//! * Those of a checkout of illumos-gate. target/illumos has the modules that illumos can load.
//! * The fake kernel's headers, which stand in for illumos'. target/kmod has the modules for the userland
//!   KCF, where they run with every table. The modules' structs have the stand-ins' layouts, so illumos
//!   must not load the modules. Their names end in `.not-for-illumos.o`, and they refer to
//!   [`WITHOUT_GATE`], which no kernel has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol, SymbolKind};

use crate::audit::{MAX_TEXT, Rules, report};
use crate::gate::Gate;
use crate::machine::HOST;
use crate::process::{cargo, compiler, joined, output, run};
use crate::rooms::{self, Loader, Rooms, link_relocatable};
use crate::{Result, Tree, check, elf};

/// Constant data of the test module's vector table.
const TABLE_BYTES: &str = "262144";

/// How the module's C is compiled: the kernel's code model, no red zone, no vector or x87 register.
pub(crate) const FLAGS: [&str; 28] = [
    "-std=gnu99",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-D_KERNEL",
    "-nostdinc",
    "-ffreestanding",
    "-fno-builtin",
    "-mno-red-zone",
    "-mcmodel=kernel",
    "-fno-pic",
    "-fno-pie",
    "-mno-sse",
    "-mno-mmx",
    "-mno-avx",
    "-msoft-float",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-omit-frame-pointer",
    "-mno-omit-leaf-frame-pointer",
    "-fno-shrink-wrap",
    "-fno-asynchronous-unwind-tables",
    "-fno-common",
    "-fno-jump-tables",
    "-fno-reorder-blocks-and-partition",
    "-fno-strict-aliasing",
    "-fno-optimize-sibling-calls",
];

/// What every module exports.
const ENTRIES: [&str; 3] = ["_init", "_fini", "_info"];

/// What others find by name: tunables, which /etc/system sets, and what the test module and mdb read.
const VARIABLES: [&str; 7] = [
    "kcfaes_table_max",
    "kcfaes_hold_bytes",
    "kcfaes_light_bytes",
    "kcfaes_gcm_stream",
    "kcfaes_cpu_stats",
    "kcfaes_nstats",
    "kcfaes_table_names",
];
const TEST_VARIABLES: [&str; 2] = ["kcfaes_test_speed_ms", "kcfaes_test_stay"];

/// What the provider's module takes from the kernel and from misc/kcf.
const IMPORTS: [&str; 29] = [
    "bzero",
    "cmn_err",
    "crypto_kmflag",
    "crypto_register_provider",
    "crypto_unregister_provider",
    "getcr0",
    "gethrtime",
    "is_x86_feature",
    "kernel_fpu_begin",
    "kernel_fpu_end",
    "kmem_alloc",
    "kmem_cache_alloc",
    "kmem_cache_create",
    "kmem_cache_destroy",
    "kmem_cache_free",
    "kmem_free",
    "kmem_zalloc",
    "kstat_create",
    "kstat_delete",
    "kstat_install",
    "kstat_named_init",
    "max_ncpus",
    "mod_cryptoops",
    "mod_getctl",
    "servicing_interrupt",
    "setcr0",
    "snprintf",
    "strcmp",
    "x86_featureset",
];

/// What every module takes.
const COMMON_IMPORTS: [&str; 6] =
    ["memcpy", "memset", "mod_info", "mod_install", "mod_remove", "kpreempt"];

/// Functions of the stand-in headers. In illumos' headers they are inline: loads from the %gs segment.
const STAND_INS: [&str; 2] = ["curcpup", "threadp"];

/// A symbol that only the userland KCF and the kernel of `ring0` define. So krtld refuses a module that
/// was compiled against the stand-in headers.
const WITHOUT_GATE: &str = "kcfaes_built_without_gate";

/// The reference to that symbol. The linker script keeps the section.
const WITHOUT_GATE_SOURCE: &str = "\
    .section .rodata.kept,\"a\",@progbits
    .balign 8
    .quad kcfaes_built_without_gate
    .section .note.GNU-stack,\"\",@progbits
";

/// What illumos' `ld -N misc/kcf` adds to a module. Before the module krtld loads what DT_NEEDED names.
/// The numbers are SHT_STRTAB and SHT_DYNAMIC, then DT_NEEDED with an offset in .dynstr, then DT_NULL.
const NEEDS_KCF_SOURCE: &str = "\
    .section .dynstr,\"\",@3
    .string \"\"
    .string \"misc/kcf\"
    .section .dynamic,\"\",@6
    .quad 1, 1
    .quad 0, 0
    .section .note.GNU-stack,\"\",@progbits
";

/// What the test module takes. Of KCF it takes only what every consumer takes.
const TEST_IMPORTS: [&str; 23] = [
    "bcopy",
    "bzero",
    "cmn_err",
    "crypto_cancel_ctx",
    "crypto_create_ctx_template",
    "crypto_decrypt",
    "crypto_decrypt_final",
    "crypto_decrypt_init",
    "crypto_decrypt_update",
    "crypto_destroy_ctx_template",
    "crypto_encrypt",
    "crypto_encrypt_final",
    "crypto_encrypt_init",
    "crypto_encrypt_update",
    "crypto_mac",
    "crypto_mac_final",
    "crypto_mac_init",
    "crypto_mac_update",
    "crypto_mac_verify",
    "crypto_mech2id",
    "gethrtime",
    "kmem_free",
    "kmem_zalloc",
];
const TEST_ONLY_IMPORTS: [&str; 4] = ["memcmp", "mod_miscops", "modgetsymvalue", "snprintf"];

/// Whose headers the C of the modules is compiled against.
#[derive(Clone, Copy)]
pub(crate) enum Headers<'a> {
    /// The fake kernel's.
    StandIns,
    Gate(&'a Gate),
}

impl Headers<'_> {
    /// The folder of the modules.
    fn folder(self, tree: &Tree) -> PathBuf {
        tree.target.join(match self {
            Self::StandIns => "kmod",
            Self::Gate(_) => "illumos",
        })
    }

    /// A module's file name.
    fn module(self, name: &str) -> String {
        match self {
            Self::StandIns => format!("{name}.not-for-illumos.o"),
            Self::Gate(_) => name.to_string(),
        }
    }

    /// Assembler text that each module is linked with.
    fn mark(self) -> &'static str {
        match self {
            Self::StandIns => WITHOUT_GATE_SOURCE,
            Self::Gate(_) => NEEDS_KCF_SOURCE,
        }
    }

    fn add_to(self, tree: &Tree, cc: &mut Command) -> Result<()> {
        match self {
            Self::StandIns => {
                let freestanding = output(compiler("CC", "cc").arg("-print-file-name=include"))?;
                cc.args(["-isystem", freestanding.trim()]);
                cc.arg(joined("-I", &tree.root.join("ffi-tests/fakekernel/include")));
                cc.arg(joined("-I", &tree.root.join("ffi-tests/fakekernel")));
            }
            Self::Gate(gate) => _ = cc.args(gate.arguments()),
        }
        Ok(())
    }
}

/// Functions that a userland copy of a module takes from the userland KCF (`fk_memcpy`). Unlike those
/// of the C library, they look at addresses as a DEBUG kernel does.
const CHECKED: [&str; 5] = ["bcopy", "bzero", "memcpy", "memmove", "memset"];

/// The built modules.
pub(crate) struct Modules {
    pub(crate) kcfaes: PathBuf,
    pub(crate) test: PathBuf,
}

/// Builds, audits and runs the modules for the userland KCF. With `GATE=DIR` it builds and audits those
/// for illumos.
pub(crate) fn command(tree: &Tree, arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => userland(tree),
        [gate] if gate.starts_with("GATE=") => illumos(tree, &gate["GATE=".len()..]).map(drop),
        other => Err(format!("kmod: not understood: {}", other.join(" ")).into()),
    }
}

fn userland(tree: &Tree) -> Result<()> {
    let rooms = rooms::build(tree)?;
    let modules = audited(tree, &rooms, Headers::StandIns)?;
    let program = link_userland(tree, &modules)?;
    run(&mut Command::new(&program))?;
    plant_faults(&program, &rooms)?;
    run(check::program(tree, "module_tests").env("KCFAES_OBJECTS", tree.target.join("kmod")))
}

/// The folder of the modules for illumos, against the headers of the checkout at `gate`.
pub(crate) fn illumos(tree: &Tree, gate: &str) -> Result<PathBuf> {
    let gate = Gate::open(tree, Path::new(gate))?;
    let headers = Headers::Gate(&gate);
    let modules = audited(tree, &rooms::build(tree)?, headers)?;
    for module in [&modules.kcfaes, &modules.test] {
        let needed = elf::dependencies(module)?;
        if needed != ["misc/kcf"] {
            return Err(format!("{}: depends on {needed:?}", module.display()).into());
        }
    }
    // The drop-in is the same file under the name in KCF's list.
    let folder = headers.folder(tree);
    fs::copy(&modules.kcfaes, folder.join("aes"))?;
    for name in ["kcfaes", "aes", "kcfaes_test"] {
        let module = folder.join(name);
        println!("{}: {} bytes", module.display(), fs::metadata(&module)?.len());
    }
    println!("for illumos, each depends on misc/kcf; kmod/INSTALL.md says where they go");
    Ok(folder)
}

fn audited(tree: &Tree, rooms: &Rooms, headers: Headers<'_>) -> Result<Modules> {
    let modules = modules(tree, rooms, headers)?;
    match audit(tree, rooms, headers, &modules)? {
        0 => Ok(modules),
        n => Err(format!("kmod: {n} violations of the kernel's rules").into()),
    }
}

/// Builds both modules.
pub(crate) fn modules(tree: &Tree, rooms: &Rooms, headers: Headers<'_>) -> Result<Modules> {
    let dir = headers.folder(tree);
    let objects = dir.join("objects");
    fs::create_dir_all(&objects)?;
    write_vector_table(tree, &objects)?;
    let mark = assemble(headers.mark(), &objects)?;

    let mut inputs = vec![rooms.joined.clone(), mark.clone()];
    for source in sources(tree)? {
        inputs.push(compile(tree, &source, &objects, headers)?);
    }
    let kcfaes = dir.join(headers.module("kcfaes"));
    link_module(&inputs, &VARIABLES, &kcfaes)?;
    let test = dir.join(headers.module("kcfaes_test"));
    let source = tree.root.join("kmod/kcfaes_test.c");
    let inputs = [compile(tree, &source, &objects, headers)?, mark];
    link_module(&inputs, &TEST_VARIABLES, &test)?;
    Ok(Modules { kcfaes, test })
}

/// Builds both modules for programs that run them in userland. Returns the folder of their copies.
pub(crate) fn userland_objects(tree: &Tree) -> Result<PathBuf> {
    let modules = modules(tree, &rooms::build(tree)?, Headers::StandIns)?;
    for module in [&modules.kcfaes, &modules.test] {
        renamed(module)?;
    }
    Ok(tree.target.join("kmod"))
}

/// Builds the modules for the userland KCF and proves the kernel's rules on them. Returns the number of
/// violations.
pub(crate) fn audit_userland(tree: &Tree, rooms: &Rooms) -> Result<usize> {
    let headers = Headers::StandIns;
    audit(tree, rooms, headers, &modules(tree, rooms, headers)?)
}

fn audit(tree: &Tree, rooms: &Rooms, headers: Headers<'_>, modules: &Modules) -> Result<usize> {
    let stand_ins: &[&str] = match headers {
        Headers::StandIns => &[&STAND_INS[..], &[WITHOUT_GATE]].concat(),
        Headers::Gate(_) => &[],
    };
    for module in [&modules.kcfaes, &modules.test] {
        if !stand_ins.is_empty() && !elf::Object::read(module)?.undefined.contains(WITHOUT_GATE) {
            return Err(format!("{}: krtld would load it", module.display()).into());
        }
    }
    let has = |lists: &[&[&str]], name: &str| lists.concat().contains(&name);
    let (operations, none) = (rooms::operations(tree)?, BTreeSet::new());
    let kcfaes = Rules {
        vector_registers: &|name| in_kernels_room(rooms, name) || name.starts_with("kcfaes_xmm_"),
        writable_data: true,
        readable: true,
        text: MAX_TEXT,
        operations: &operations,
        may_import: &|name| has(&[&IMPORTS, &COMMON_IMPORTS, stand_ins], name),
    };
    let test = Rules {
        vector_registers: &|_| false,
        writable_data: true,
        readable: true,
        text: MAX_TEXT,
        operations: &none,
        may_import: &|name| {
            has(&[&TEST_IMPORTS, &COMMON_IMPORTS, &TEST_ONLY_IMPORTS, stand_ins], name)
        },
    };
    let violations = report(&modules.kcfaes, &kcfaes)? + report(&modules.test, &test)?;
    if !stand_ins.is_empty() {
        println!("  of these imports, not illumos': {}", stand_ins.join(" "));
    }
    Ok(violations)
}

/// Whether a function belongs to the kernels room. Its name may be mangled or not.
fn in_kernels_room(rooms: &Rooms, name: &str) -> bool {
    rooms.kernel_entries.contains(name) || name.contains("kcfaes_kernels")
}

/// The C of the provider's module.
pub(crate) fn sources(tree: &Tree) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(tree.root.join("kmod"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".c") && !name.ends_with("_test.c") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

fn write_vector_table(tree: &Tree, dir: &Path) -> Result<()> {
    let emit = ["run", "--quiet", "--package=kcfaes-vectors", "--", "emit-c", "vectors"];
    Ok(fs::write(dir.join("vectors_table.h"), output(cargo(tree).args(emit).arg(TABLE_BYTES))?)?)
}

fn compile(tree: &Tree, source: &Path, dir: &Path, headers: Headers<'_>) -> Result<PathBuf> {
    let object = dir.join(source.file_name().unwrap_or_default()).with_extension("o");
    let mut cc = compiler("CC", "cc");
    cc.args(FLAGS);
    headers.add_to(tree, &mut cc)?;
    run(cc
        .arg(joined("-I", &tree.root.join("include")))
        .arg(joined("-I", dir))
        .args(["-c", "-o"])
        .arg(&object)
        .arg(source))?;
    Ok(object)
}

fn assemble(text: &str, dir: &Path) -> Result<PathBuf> {
    let (source, object) = (dir.join("mark.s"), dir.join("mark.o"));
    fs::write(&source, text)?;
    run(compiler("CC", "cc").args(["-m64", "-c", "-o"]).arg(&object).arg(source))?;
    Ok(object)
}

fn link_module(inputs: &[PathBuf], variables: &[&str], output: &Path) -> Result<()> {
    let globals: BTreeSet<String> =
        ENTRIES.iter().chain(variables).map(ToString::to_string).collect();
    link_relocatable(Loader::Krtld, inputs, &globals, output, &HOST)
}

/// A copy of a module for a program that has its own `_init`. `_init` becomes `NAME_module_init`, and
/// so on. Calls of [`CHECKED`] go to the userland KCF. Every other byte is the module's. An equal copy
/// is left as it is, so that its date makes nobody build anew.
fn renamed(module: &Path) -> Result<PathBuf> {
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    let (copy, new) = (format!("{name}.userland.o"), format!("{name}.new.o"));
    let (copy, new) = (module.with_file_name(copy), module.with_file_name(new));
    run(Command::new("objcopy")
        .args(ENTRIES.map(|entry| format!("--redefine-sym={entry}={name}_module{entry}")))
        .args(CHECKED.map(|function| format!("--redefine-sym={function}=fk_{function}")))
        .arg(module)
        .arg(&new))?;
    if fs::read(&copy).is_ok_and(|old| fs::read(&new).is_ok_and(|new| old == new)) {
        fs::remove_file(new)?;
    } else {
        fs::rename(new, &copy)?;
    }
    Ok(copy)
}

/// Links the modules themselves with the userland KCF, at addresses below 2 GiB. Their relocations
/// presume that.
fn link_userland(tree: &Tree, modules: &Modules) -> Result<PathBuf> {
    let fake = tree.root.join("ffi-tests/fakekernel");
    let dir = tree.target.join("kmod/objects");
    let program = tree.target.join("kmod/userland");
    let list = fs::read_to_string(fake.join("sources.txt"))?;
    let mut objects = vec![renamed(&modules.kcfaes)?, renamed(&modules.test)?];
    for source in list.split_whitespace() {
        objects.push(compile(tree, &fake.join(source), &dir, Headers::StandIns)?);
    }
    objects.push(compile(tree, &fake.join("test/object_main.c"), &dir, Headers::StandIns)?);
    run(compiler("CC", "cc")
        .args(["-no-pie", "-Wall", "-Wextra", "-Werror", "-O2", "-z", "noexecstack", "-o"])
        .arg(&program)
        .arg(fake.join("fk_port.c"))
        .args(objects)
        .arg("-lpthread"))?;
    Ok(program)
}

/// The test of the self-tests. For each constant of each kernel it flips one bit of the constant in the
/// running program and loads the module. The module's self-tests must see it.
///
/// Not every bit of a constant matters: a selector has unused bits, and a mask has bits for lanes that
/// hold nothing. Nor does a kernel use every copy of a constant for every length. So bits are tried in
/// turn until one is seen. A constant without such a bit is missed.
fn plant_faults(program: &Path, rooms: &Rooms) -> Result<()> {
    let bytes = fs::read(program)?;
    let elf = ElfFile64::<LittleEndian>::parse(&*bytes)?;
    let mut constants = BTreeMap::new();
    for (table, feature) in lacking() {
        println!("NOT RUN: faults in the constants of table {table}: this CPU lacks {feature}");
    }
    for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let name = symbol.name()?;
        if lacking().iter().any(|(table, _)| name.contains(table)) {
            continue;
        }
        if in_kernels_room(rooms, name) || name.contains("portable") {
            add_constants(&elf, &symbol, &mut constants)?;
        }
    }
    let list = program.with_extension("constants");
    let words: Vec<u64> = (0..)
        .zip(constants.into_values())
        .flat_map(|(number, copies)| copies.into_iter().map(move |at| (number, at)))
        .flat_map(|(number, (at, size))| [number, at, size])
        .collect();
    fs::write(&list, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())?;
    run(Command::new(program).arg(list))
}

/// The tables that the self-tests cannot run here, and the first feature that each lacks.
fn lacking() -> Vec<(&'static str, &'static str)> {
    #[cfg(target_arch = "x86_64")]
    macro_rules! features {
        ($($name:tt)*) => { [$(($name, std::arch::is_x86_feature_detected!($name))),*] };
    }
    #[cfg(not(target_arch = "x86_64"))]
    macro_rules! features {
        ($($name:tt)*) => { [$(($name, false)),*] };
    }
    let wide = features!["avx2" "vaes" "vpclmulqdq"];
    let wider = features!["bmi2" "avx512f" "avx512bw" "avx512vl"];
    let first = |features: &[(&'static str, bool)]| {
        features.iter().find(|(_, has)| !has).map(|&(name, _)| name)
    };
    let of = |table, feature: Option<&'static str>| feature.map(|feature| (table, feature));
    let all = [wide.as_slice(), &wider].concat();
    [of("vaes256", first(&wide)), of("vaes512", first(&all))].into_iter().flatten().collect()
}

/// Constants on which no answer of a self-test depends. SubWord goes through a batch of blocks in which all
/// words except one are zero, and this mask picks from the zeros. The masks of `key_expand` slice the keys of
/// the equivalent inverse cipher. `portable` makes these for the other tables, and deciphers without them:
/// the tests that set a key in one table and use it in another look at them (`tables.rs`, `property.rs`).
const IDLE: [(&str, u64); 6] = [
    ("kcfaes_provider_portable_aes_sub_word", 0xffff_ffff_0000_0000),
    ("kcfaes_provider_portable_key_expand", 0x0f0f_0f0f_0f0f_0f0f),
    ("kcfaes_provider_portable_key_expand", 0x3333_3333_3333_3333),
    ("kcfaes_provider_portable_key_expand", 0x5555_5555_5555_5555),
    ("kcfaes_provider_portable_key_expand", 0x00ff_00ff_00ff_00ff),
    ("kcfaes_provider_portable_key_expand", 0x0000_ffff_0000_ffff),
];

/// Where the copies of each constant are, and their size in bytes; by kernel and value.
type Constants = BTreeMap<(String, Vec<u8>), BTreeSet<(u64, u64)>>;

/// Adds the constants of a function: what a vector instruction reads at a fixed address, the immediate
/// of an instruction that multiplies or makes round keys, and masks of 64 bits.
fn add_constants<'a>(
    elf: &ElfFile64<'a, LittleEndian>,
    symbol: &impl ObjectSymbol<'a>,
    constants: &mut Constants,
) -> Result<()> {
    let bytes = |at: u64, size: u64| -> Result<&'a [u8]> {
        for section in elf.sections() {
            if let Ok(Some(bytes)) = section.data_range(at, size) {
                return Ok(bytes);
            }
        }
        Err(format!("nothing at {at:#x}").into())
    };
    let code = bytes(symbol.address(), symbol.size())?;
    let mut decoder = Decoder::with_ip(64, code, symbol.address(), DecoderOptions::NONE);
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let end = instruction.next_ip();
        let (at, size) = match instruction.mnemonic() {
            Mnemonic::Pclmulqdq | Mnemonic::Vpclmulqdq | Mnemonic::Aeskeygenassist => (end - 1, 1),
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Immediate64 => (end - 8, 8),
            _ if instruction.is_ip_rel_memory_operand()
                && instruction.op0_register().is_vector_register() =>
            {
                (instruction.ip_rel_memory_address(), instruction.memory_size().size() as u64)
            }
            _ => continue,
        };
        let constant = (symbol.name()?.to_string(), bytes(at, size)?.to_vec());
        if IDLE.iter().any(|(name, mask)| constant.0 == *name && constant.1 == mask.to_le_bytes()) {
            continue;
        }
        constants.entry(constant).or_default().insert((at, size));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::find().expect("the repository")
    }

    fn text(file: &str) -> String {
        let path = tree().root.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn scratch(name: &str) -> PathBuf {
        let dir = crate::scratch().join(format!("kcfaes-kmod-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        dir
    }

    /// Every size, offset, width and number of the generated header is in kcfaes_abi.c.
    #[test]
    fn the_layout_assertions_are_complete() {
        let source = text("kmod/kcfaes_abi.c");
        let header = text("include/kcfaes_abi.h");
        let names = header.lines().filter_map(|line| line.strip_prefix("#define KCFAES_"));
        let mut types = Vec::new();
        let mut asserted = 0;
        for name in names.filter_map(|line| line.split(' ').next()) {
            let (kind, name) = name.split_once('_').expect("a kind and a name");
            let wanted = match kind {
                "SIZEOF" => {
                    types.push(name);
                    format!("SIZE({name});")
                }
                "VALUE" => format!("VALUE({name});"),
                _ => {
                    let field = |of: &&str| name.strip_prefix(*of)?.strip_prefix('_');
                    let found = types.iter().rev().find_map(|of| Some((of, field(of)?)));
                    let (of, field) = found.expect("a field of a type");
                    format!("FIELD({of}, {field});")
                }
            };
            assert!(source.lines().any(|line| line == wanted), "kcfaes_abi.c lacks {wanted}");
            asserted += 1;
        }
        assert!(asserted > 150, "{asserted}");
    }

    /// A header whose numbers are not the system's does not compile.
    #[test]
    fn a_wrong_layout_does_not_compile() {
        let dir = scratch("abi");
        let source = tree().root.join("kmod/kcfaes_abi.c");
        compile(&tree(), &source, &dir, Headers::StandIns).expect("it compiles as it is");
        let copy = dir.join("kcfaes_abi.c");
        fs::copy(source, &copy).expect("a copy");
        let header = text("include/kcfaes_abi.h");
        for (from, to) in [
            ("crypto_data_t_cd_length 16", "crypto_data_t_cd_length 24"),
            ("FIELDSIZE_crypto_key_t_ck_format 4", "FIELDSIZE_crypto_key_t_ck_format 8"),
            ("SIZEOF_crypto_ctx_t 48", "SIZEOF_crypto_ctx_t 40"),
            ("VALUE_CRYPTO_INVALID_MAC 72", "VALUE_CRYPTO_INVALID_MAC 73"),
        ] {
            assert!(header.contains(from), "{from}");
            // The compiler finds this header before the right one, because it is next to the source.
            fs::write(dir.join("kcfaes_abi.h"), header.replacen(from, to, 1)).expect("a file");
            assert!(compile(&tree(), &copy, &dir, Headers::StandIns).is_err(), "{to}");
        }
    }

    /// Undefined symbols of `kmod/kcfaes_env.c`, compiled with `options`.
    fn undefined(options: &str) -> Vec<String> {
        let dir = scratch("sdt");
        let copy = dir.join(if options.is_empty() { "without.c" } else { "with.c" });
        let source = format!("{options}\n{}", text("kmod/kcfaes_env.c"));
        fs::write(&copy, source).expect("a file");
        fs::write(dir.join("kcfaes_impl.h"), text("kmod/kcfaes_impl.h")).expect("a file");
        let object = compile(&tree(), &copy, &dir, Headers::StandIns).expect("it compiles");
        let symbols = output(Command::new("nm").arg("-u").arg(object)).expect("nm");
        symbols.split_whitespace().filter(|word| *word != "U").map(str::to_string).collect()
    }

    #[test]
    fn probes_are_an_option() {
        let probes = |names: Vec<String>| -> Vec<String> {
            names.into_iter().filter(|name| name.starts_with("__dtrace_probe_")).collect()
        };
        assert!(probes(undefined("")).is_empty());
        let with = probes(undefined("#define KCFAES_SDT"));
        assert_eq!(with, ["__dtrace_probe_kcfaes__hold", "__dtrace_probe_kcfaes__release"]);
    }

    /// Each kind of module has the mark of its kind, and no other.
    #[test]
    fn the_marks_of_modules_survive_their_linking() {
        let dir = scratch("marks");
        let function = assemble(".globl _init\n.type _init,@function\n_init: ret\n", &dir);
        let function = function.expect("as");
        let copy = dir.join("function.o");
        fs::rename(function, &copy).expect("a file");
        let entries = BTreeSet::from(["_init".to_string()]);
        let linked = |mark: &str| {
            let inputs = [copy.clone(), assemble(mark, &dir).expect("as")];
            let output = dir.join("linked");
            link_relocatable(Loader::Krtld, &inputs, &entries, &output, &HOST).expect("ld");
            let needed = elf::dependencies(&output).expect("an object");
            (needed, elf::Object::read(&output).expect("an object").undefined)
        };
        let kcf = (vec!["misc/kcf".to_string()], BTreeSet::new());
        assert_eq!(linked(NEEDS_KCF_SOURCE), kcf);
        let refused = (Vec::new(), BTreeSet::from([WITHOUT_GATE.to_string()]));
        assert_eq!(linked(WITHOUT_GATE_SOURCE), refused);
        assert_eq!(linked(""), (Vec::new(), BTreeSet::new()));
    }

    fn make(arguments: &[&str], dir: &Path) -> Result<String> {
        output(Command::new("make").arg("-n").args(arguments).current_dir(dir))
    }

    #[test]
    fn the_makefile_outside_the_gate_expands() {
        let rooms = scratch("make").join("kcfaes_rooms.o");
        fs::write(&rooms, "").expect("a file");
        let rooms = format!("ROOMS={}", rooms.display());
        let kmod = tree().root.join("kmod");
        let plain = make(&["GATE=/gate", &rooms, "install"], &kmod).expect("make -n");
        let linked = "/usr/bin/ld -ztype=kmod -Nmisc/kcf -o kcfaes kcfaes.o";
        let flags = ["-D_ASM_INLINES", "-fno-pic", "-fno-pie", "-fno-omit-frame-pointer"];
        let own = ["-msave-args", "-fno-clone-functions"];
        for part in [linked, "-o kcfaes_test kcfaes_test.o"].iter().chain(&flags).chain(&own) {
            assert!(plain.contains(part), "{part}: {plain}");
        }
        let man = "-f /usr/share/man/man4 -m 0444 -g bin kcfaes.4";
        assert!(plain.contains(man), "{plain}");
        let older =
            make(&["GATE=/gate", &rooms, "LINK=r", "ILLUMOS_GCC="], &kmod).expect("make -n");
        assert!(older.contains("/usr/bin/ld -r -dy -Nmisc/kcf -o kcfaes kcfaes.o"), "{older}");
        assert!(!older.contains("type=kmod") && own.iter().all(|flag| !older.contains(flag)));
        for source in sources(&tree()).expect("sources") {
            let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
            assert!(plain.contains(&format!(" {name}\n")), "{name} is not compiled: {plain}");
        }
        assert!(plain.contains("-f /kernel/crypto/amd64 -m 0755 -g sys kcfaes"), "{plain}");
        assert!(!plain.contains("platform") && !plain.contains("KCFAES_SDT"));
        let probes = make(&["GATE=/gate", &rooms, "SDT=1"], &kmod).expect("make -n");
        assert!(probes.contains("-DKCFAES_SDT"));
    }

    /// The gate's own makefiles are not here. Small ones with their variables stand in.
    #[test]
    fn the_makefiles_for_the_gate_expand() {
        let dir = scratch("gate");
        let intel = dir.join("intel");
        fs::create_dir_all(intel.join("kcfaes")).expect("a folder");
        fs::write(
            intel.join("Makefile.intel"),
            "include $(UTSBASE)/../Makefile.files\nOBJS_DIR = obj64\nBINARY = $(OBJS_DIR)/$(MODULE)\n\
             ALL_DEPS = $(ALL_TARGET)\nINSTALL_DEPS = $(INSTALL_TARGET)\nCP = cp\n\
             ROOT_CRYPTO_DIR = /root/kernel/crypto/amd64\nROOT_MISC_DIR = /root/kernel/misc/amd64\n",
        )
        .expect("a file");
        fs::write(
            intel.join("Makefile.targ"),
            "include $(UTSBASE)/../Makefile.rules\nCOMPILE.c = cc $(CPPFLAGS) -c\n\
             $(BINARY): $(OBJECTS)\n\tld $(LDFLAGS) -o $@ $(OBJECTS)\n\
             $(ROOTMODULE): $(BINARY)\n\tinstall $(BINARY) $@\n",
        )
        .expect("a file");
        for part in ["files", "rules"] {
            let name = format!("Makefile.{part}");
            let fragment = text(&format!("kmod/gate/{name}")).replace("$(UTSBASE)/common", "../..");
            fs::write(dir.join(name), fragment).expect("a file");
        }
        let here = intel.join("kcfaes");
        fs::write(here.join("kcfaes_rooms.o"), "").expect("a file");
        let sources = dir.join("crypto/kcfaes");
        fs::create_dir_all(&sources).expect("a folder");
        for module in ["kcfaes", "kcfaes_test"] {
            let makefile = text(&format!("kmod/gate/Makefile.{module}"))
                .replace("UTSBASE =\t../..", "UTSBASE =\t../../uts");
            fs::create_dir_all(dir.join("uts")).expect("a folder");
            let makefile = makefile.replace("$(UTSBASE)/intel", "..");
            fs::write(here.join("Makefile"), makefile).expect("a file");
            for object in ["kcfaes", "kcfaes_env", "kcfaes_kstat", "kcfaes_abi", "kcfaes_test"] {
                fs::write(sources.join(format!("{object}.c")), "").expect("a file");
            }
            let plan = make(&["install"], &here).expect("make -n");
            let old = make(&["install", "LINK=r"], &here).expect("make -n");
            // The gate's own line begins with -ztype=kmod or -r.
            assert!(plan.contains("ld  -Nmisc/kcf -o obj64/kcfaes"), "{plan}");
            assert!(old.contains("ld -dy -Nmisc/kcf -o obj64/kcfaes"), "{old}");
            assert!(plan.contains(&format!("amd64/{module}\n")), "{plan}");
            assert_eq!(plan.contains("cp kcfaes_rooms.o obj64/kcfaes_rooms.o"), module == "kcfaes");
        }
    }

    /// The drop-in, which takes the place of the stock module, has every mechanism of it. The trial
    /// package does not take that place.
    #[test]
    fn the_drop_in_is_complete_and_a_package_of_its_own() {
        let module = text("kmod/kcfaes.c");
        for mechanism in ["ECB", "CBC", "CMAC", "CTR", "CCM", "GCM", "GMAC"] {
            assert!(module.contains(&format!("{{ SUN_CKM_AES_{mechanism}, ")), "{mechanism}");
        }
        let trial = text("kmod/kcfaes.p5m");
        let drop_in = text("kmod/kcfaes-aes.p5m");
        assert!(trial.contains("file kcfaes path=kernel/crypto/amd64/kcfaes owner=root"));
        assert!(!trial.lines().any(|line| line.contains("amd64/aes")));
        let place = "file kcfaes path=platform/i86pc/kernel/crypto/amd64/aes owner=root";
        assert!(drop_in.contains(place));
        assert_eq!(drop_in.lines().filter(|line| line.starts_with("file ")).count(), 1);
        let plan =
            make(&["GATE=/gate", "ROOMS=/dev/null", "install-aes"], &tree().root.join("kmod"));
        let plan = plan.expect("make -n");
        let place = "-f /platform/i86pc/kernel/crypto/amd64 -m 0755 -g sys aes";
        assert!(plan.contains("cp kcfaes aes\n") && plan.contains(place), "{plan}");
    }
}
