// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proves the contracts of the two rooms on the objects themselves.
//!
//! Every instruction of every function is decoded, and every relocation is looked at. A broken rule is
//! reported with function and offset. The rules are those of a kernel module. It may touch vector
//! registers only during an FPU hold, and krtld must be able to load it (ARCHITECTURE.md, "Two rooms").
//! The tests plant a violation of each rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use iced_x86::{
    CpuidFeature, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction,
    InstructionInfoFactory, Mnemonic, OpKind, Register,
};
use object::elf;

use crate::elf::{Function, Object, Section};
use crate::flow::{self, Callee, Walk};
use crate::rooms::{self, Rooms, demangled, is_mangled};
use crate::{Result, Tree};

/// Bytes of stack that one function may take.
const MAX_FRAME: i64 = 1024;

/// What the kernel gives a module in addition to our own environment.
const MEMORY_FUNCTIONS: [&str; 5] = ["bcmp", "memcmp", "memcpy", "memmove", "memset"];

/// Bytes of text that a module may have, and bytes of text that the kernels may have. These bounds make
/// growth noticed. ARCHITECTURE.md says what the text is for.
pub(crate) const MAX_TEXT: u64 = 160 * 1024;
const MAX_KERNELS_TEXT: u64 = 96 * 1024;

/// Kernels that spill a vector register where nobody wipes it, and what the spill holds. It is public.
/// The tests of the kernels look at what is left there.
const PUBLIC_SPILLS: [(&str, &str); 1] = [("kcfaes_ctr32_vaes256", "the next counter blocks")];

/// Bytes of stack that are zeroed after `portable` has run: `WIPED_STACK` in `provider/src/portable/mod.rs`.
const WIPED_STACK: i64 = 2304;

/// What a call of `portable` pushes: a return address, and of eight arguments those that are not in registers. The
/// stack pointer from which bytes are zeroed was read before that.
const CALL: i64 = 8 + 16;

/// What a program's function may use below its stack pointer (System V ABI, AMD64, 3.2.2). The rooms have none.
const RED_ZONE: i64 = 128;

/// Functions without a frame, and why. fbt has no probe there. gcc gives no frame to a leaf that uses
/// no stack, whatever its options say.
const FRAMELESS: [(&str, &str); 7] = [
    ("kcfaes_kernels_wipe_wipe_stack_aesni", "zeros the frame that was at its place"),
    ("kcfaes_kernels_wipe_wipe_stack_vaes256", "likewise"),
    ("kcfaes_kernels_wipe_wipe_stack_vaes512", "likewise"),
    ("kcfaes_xmm_save", "a leaf of gcc's"),
    ("kcfaes_xmm_restore", "likewise"),
    ("kcfaes_env_features", "likewise"),
    ("kcfaes_env_stats", "likewise"),
];

/// What an object may contain.
pub(crate) struct Rules<'a> {
    /// Whether a function of this name may use vector registers.
    pub(crate) vector_registers: &'a dyn Fn(&str) -> bool,
    pub(crate) writable_data: bool,
    /// Whether DTrace and mdb will work with its names and frames.
    pub(crate) readable: bool,
    /// The most bytes of text.
    pub(crate) text: u64,
    /// The functions where operations enter, from all CPUs at once. What they reach locks no memory.
    pub(crate) operations: &'a BTreeSet<String>,
    pub(crate) may_import: &'a dyn Fn(&str) -> bool,
}

/// What the audit found in an object.
#[derive(Debug, Default)]
struct Audit {
    functions: usize,
    text_bytes: u64,
    data_bytes: u64,
    biggest_frame: (i64, String),
    deepest_chain: (i64, String),
    /// The same from functions of `portable`, with what their call pushes.
    portable_chain: i64,
    /// Functions that operations reach.
    reached: usize,
    imports: BTreeSet<String>,
    relocations: BTreeMap<String, usize>,
    violations: Vec<String>,
}

/// Builds and audits the rooms, prints the figures, and fails on any violation.
pub(crate) fn command(tree: &Tree) -> Result<()> {
    let rooms = rooms::build(tree)?;
    let from_kernel =
        |name: &str| name.starts_with("kcfaes_env_") || MEMORY_FUNCTIONS.contains(&name);
    let from_room = |name: &str| from_kernel(name) || rooms.kernel_entries.contains(name);
    let none = BTreeSet::new();
    let operations = rooms::operations(tree)?;
    let objects = [
        (
            &rooms.kernels,
            Rules {
                vector_registers: &|_| true,
                writable_data: false,
                readable: false,
                text: MAX_KERNELS_TEXT,
                operations: &none,
                may_import: &|_| false,
            },
        ),
        (
            &rooms.provider,
            Rules {
                vector_registers: &|_| false,
                writable_data: true,
                readable: false,
                text: MAX_TEXT,
                operations: &operations,
                may_import: &from_room,
            },
        ),
        (
            &rooms.joined,
            Rules {
                vector_registers: &|_| true,
                writable_data: true,
                readable: true,
                text: MAX_TEXT,
                operations: &operations,
                may_import: &from_kernel,
            },
        ),
    ];
    let mut violations = 0;
    for (path, rules) in &objects {
        violations += report(path, rules)?;
    }
    check_exports(&rooms)?;
    violations += crate::kmod::audit_userland(tree, &rooms)?;
    match violations {
        0 => Ok(()),
        n => Err(format!("audit: {n} violations").into()),
    }
}

/// Audits an object and prints the figures and each violation; returns their number.
pub(crate) fn report(path: &Path, rules: &Rules<'_>) -> Result<usize> {
    let audit = audit(&Object::read(path)?, rules);
    let name = path.file_name().unwrap_or_default().display();
    println!(
        "{name}: {} functions, {} bytes of text, {} of data",
        audit.functions, audit.text_bytes, audit.data_bytes
    );
    println!("  biggest frame: {} bytes, {}", audit.biggest_frame.0, audit.biggest_frame.1);
    println!("  deepest chain: {} bytes, from {}", audit.deepest_chain.0, audit.deepest_chain.1);
    if audit.portable_chain > 0 {
        println!(
            "  portable:      {} bytes of stack, {WIPED_STACK} are wiped",
            audit.portable_chain
        );
    }
    if !rules.operations.is_empty() {
        println!("  operations:    {} functions, no locked instruction allowed", audit.reached);
    }
    println!("  imports:       {}", join(&audit.imports));
    let relocations = audit.relocations.iter().map(|(kind, count)| format!("{count} {kind}"));
    println!("  relocations:   {}", relocations.collect::<Vec<_>>().join(", "));
    for violation in &audit.violations {
        println!("  VIOLATION: {violation}");
    }
    Ok(audit.violations.len())
}

/// The joined object must define what the shim calls.
fn check_exports(rooms: &Rooms) -> Result<()> {
    let defined = crate::elf::Symbols::read(&rooms.joined)?.defined_with_prefix("");
    if defined == rooms.exports {
        Ok(())
    } else {
        Err(format!(
            "audit: the joined object exports {}, the sources {}",
            join(&defined),
            join(&rooms.exports)
        )
        .into())
    }
}

fn join(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none".to_string();
    }
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn audit(object: &Object, rules: &Rules<'_>) -> Audit {
    let mut audit = Audit { imports: object.undefined.clone(), ..Audit::default() };
    audit.check_symbols(object, rules);
    let mut walks = BTreeMap::new();
    for section in &object.sections {
        audit.check_section(section, rules);
        if section.executable {
            audit.text_bytes += section.size;
            audit.check_code(section, rules, &mut walks);
        } else {
            audit.data_bytes += section.size;
        }
    }
    if audit.text_bytes > rules.text {
        audit.violation(format!("{} bytes of text, more than {}", audit.text_bytes, rules.text));
    }
    if audit.functions == 0 {
        audit.violation("no function symbol: nothing was audited");
    }
    audit.check_frames(&walks);
    audit.check_legacy_encodings(object, &walks);
    audit.check_features(object, &walks);
    audit.check_wiped_frames(&walks);
    audit.check_locks(object, rules, &walks);
    audit
}

/// Names and walks of functions, by where they start.
type Walks = BTreeMap<(usize, u64), (String, Walk)>;

/// Bytes of stack of the deepest chain from each function.
type Depths = BTreeMap<(usize, u64), i64>;

impl Audit {
    fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    fn check_symbols(&mut self, object: &Object, rules: &Rules<'_>) {
        for name in &object.undefined {
            if !(rules.may_import)(name) && !is_panic(name) {
                self.violation(format!("undefined symbol: {name}"));
            }
        }
        for name in &object.symbols {
            if is_panic(name) {
                self.violation(format!("panic symbol: {}", demangled(name)));
            }
        }
        for name in &object.common {
            self.violation(format!("common symbol: {name}"));
        }
        if object.groups != 0 {
            self.violation("section group");
        }
    }

    fn check_section(&mut self, section: &Section, rules: &Rules<'_>) {
        let name = &section.name;
        if section.address != 0 {
            self.violation(format!("{name}: loaded section with an address"));
        }
        if section.unloadable {
            self.violation(format!("{name}: thread-local data or constructors"));
        }
        if section.writable && section.size != 0 && !rules.writable_data {
            self.violation(format!("{name}: {} bytes of writable data", section.size));
        }
        for (&offset, relocation) in &section.relocations {
            let kind = relocation_name(relocation.kind);
            *self.relocations.entry(kind.clone()).or_default() += 1;
            let width = match relocation.kind {
                elf::R_X86_64_64 => 8,
                elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 | elf::R_X86_64_32S => 4,
                _ => {
                    self.violation(format!("{name}+{offset:#x}: relocation {kind}"));
                    continue;
                }
            };
            // krtld adds to the field instead of setting it.
            let field = section.bytes.get(offset as usize..offset as usize + width);
            if field.is_none_or(|bytes| bytes.iter().any(|&byte| byte != 0)) {
                self.violation(format!("{name}+{offset:#x}: bytes that are not zero under {kind}"));
            }
        }
    }

    fn check_code(&mut self, section: &Section, rules: &Rules<'_>, walks: &mut Walks) {
        self.functions += section.functions.len();
        let mut covered = 0;
        for function in &section.functions {
            if function.start > covered {
                self.check_padding(section, covered, function.start);
            }
            covered = covered.max(function.start + function.size);
            let name = demangled(&function.name);
            if rules.readable && is_mangled(&function.name) {
                self.violation(format!("mangled name: {name}"));
            }
            let code = decode(section, function.start, function.start + function.size);
            let mut factory = InstructionInfoFactory::new();
            let vector_registers = (rules.vector_registers)(&name);
            for instruction in code.values() {
                let what = forbidden(instruction, vector_registers, &mut factory);
                for what in what {
                    let offset = instruction.ip() - function.start;
                    self.violation(format!("{name}+{offset:#x}: {what}"));
                }
            }
            let frameless = FRAMELESS.iter().any(|(function, _)| *function == name);
            if rules.readable && !frameless && !has_frame(&code) {
                self.violation(format!("{name}: no frame: fbt and mdb do not find it"));
            }
            self.check_spills(&name, function.start, &code);
            let walk = flow::walk(section, function, &code);
            for (address, fault) in &walk.faults {
                let offset = address.wrapping_sub(function.start);
                self.violation(format!("{name}+{offset:#x}: {fault}"));
            }
            walks.insert((section.index, function.start), (name, walk));
        }
        self.check_padding(section, covered, section.size);
    }

    /// Between functions there is only padding. Anything else is code that the audit has not seen.
    fn check_padding(&mut self, section: &Section, start: u64, end: u64) {
        let padding = decode(section, start, end)
            .values()
            .all(|code| matches!(code.mnemonic(), Mnemonic::Nop | Mnemonic::Int3));
        if !padding {
            self.violation(format!(
                "{}+{start:#x}: code outside any function symbol",
                section.name
            ));
        }
    }

    fn check_frames(&mut self, walks: &Walks) {
        for (name, walk) in walks.values() {
            if walk.frame > MAX_FRAME {
                self.violation(format!(
                    "{name}: frame of {} bytes, more than {MAX_FRAME}",
                    walk.frame
                ));
            }
            if walk.frame >= self.biggest_frame.0 {
                self.biggest_frame = (walk.frame, name.clone());
            }
        }
        let mut depths = Depths::new();
        for (start, (name, _)) in walks {
            let depth = chain(walks, *start, &mut depths, &mut Vec::new());
            match depth {
                Some(depth) if depth >= self.deepest_chain.0 => {
                    self.deepest_chain = (depth, name.clone());
                }
                Some(_) => {}
                None => self.violation(format!("{name}: calls itself, the stack has no bound")),
            }
        }
        self.check_portable(walks, &mut depths, CALL);
    }

    /// All that functions of `portable` may leave below their caller's frame is zeroed.
    fn check_portable(&mut self, walks: &Walks, depths: &mut Depths, more: i64) {
        for (start, (name, _)) in walks {
            if name.starts_with("kcfaes_provider") && name.contains("portable") {
                let depth = chain(walks, *start, depths, &mut Vec::new()).unwrap_or_default();
                self.portable_chain = self.portable_chain.max(more + depth);
            }
        }
        if self.portable_chain > WIPED_STACK {
            self.violation(format!(
                "portable takes {} bytes of stack, {WIPED_STACK} are wiped",
                self.portable_chain
            ));
        }
    }

    /// Table `aesni` runs where only xmm0–15 are saved. A VEX or EVEX instruction would clear the upper
    /// halves of registers that belong to an interrupted thread.
    fn check_legacy_encodings(&mut self, object: &Object, walks: &Walks) {
        let entry = |name: &str| name.starts_with("kcfaes_") && name.ends_with("_aesni");
        for (name, offset, instruction) in reachable(object, walks, entry).instructions() {
            if instruction.encoding() != EncodingKind::Legacy {
                self.violation(format!(
                    "{name}+{offset:#x}: {instruction:?} is not a legacy encoding"
                ));
            }
        }
    }

    /// A table's kernels use no instruction that a CPU with the table's features may lack. So a table that no
    /// machine here runs as its widest, such as `vaes256` where there is no AVX-512, is known to run there.
    fn check_features(&mut self, object: &Object, walks: &Walks) {
        for (table, features) in table_features() {
            let suffix = format!("_{table}");
            let entry = |name: &str| is_kernel(name) && name.ends_with(&suffix);
            for (name, offset, instruction) in reachable(object, walks, entry).instructions() {
                let mut needs = instruction.cpuid_features().iter();
                if let Some(lacks) = needs.find(|f| !is_baseline(**f) && !features.contains(f)) {
                    let text = text(&instruction);
                    self.violation(format!(
                        "{name}+{offset:#x}: needs {lacks:?}, which {table} does not: {text}"
                    ));
                }
            }
        }
    }

    /// Nobody wipes the frame of an entry point.
    fn check_spills(&mut self, name: &str, start: u64, code: &BTreeMap<u64, Instruction>) {
        if !is_kernel(name) || PUBLIC_SPILLS.iter().any(|(kernel, _)| *kernel == name) {
            return;
        }
        for instruction in code.values().filter(|instruction| spills(instruction)) {
            let offset = instruction.ip() - start;
            let what = text(instruction);
            self.violation(format!("{name}+{offset:#x}: a spill that stays: {what}"));
        }
    }

    /// A kernel that spills blocks is a function of its own. Its caller also calls a function that
    /// wipes at least the kernel's frame, with the stack pointer at the same place.
    fn check_wiped_frames(&mut self, walks: &Walks) {
        let callee = |callee: &Callee| match callee {
            Callee::Here(section, address) => walks.get(&(*section, *address)),
            Callee::Import(_) => None,
        };
        for (caller, walk) in walks.values().filter(|(name, _)| in_kernels_room(name)) {
            let calls = || walk.calls.iter().filter_map(|(to, used)| Some((callee(to)?, *used)));
            for ((name, kernel), used) in calls() {
                if !is_private(name) || name.contains(WIPING) {
                    continue;
                }
                let wiped = calls()
                    .filter(|((name, _), at)| name.contains(WIPING) && *at == used)
                    .map(|((_, wiping), _)| wiping.frame)
                    .max();
                if wiped.is_none_or(|bytes| bytes < kernel.frame) {
                    let (frame, wiped) = (kernel.frame, wiped.unwrap_or(0));
                    self.violation(format!(
                        "{caller}: of {name}'s frame of {frame} bytes {wiped} are wiped"
                    ));
                }
            }
        }
    }

    /// A locked instruction is a write that all CPUs wait for, whatever it writes.
    fn check_locks(&mut self, object: &Object, rules: &Rules<'_>, walks: &Walks) {
        for name in rules.operations {
            if !functions(object).any(|(_, function)| function.name == *name) {
                self.violation(format!("no function {name}: an operation was not audited"));
            }
        }
        let reached = reachable(object, walks, |name| rules.operations.contains(name));
        self.reached = reached.0.len();
        for (name, offset, instruction) in reached.instructions() {
            let memory = (0..instruction.op_count())
                .any(|operand| instruction.op_kind(operand) == OpKind::Memory);
            let exchange = instruction.mnemonic() == Mnemonic::Xchg && memory;
            if instruction.has_lock_prefix() || exchange {
                let text = text(&instruction);
                self.violation(format!("{name}+{offset:#x}: locked, in an operation: {text}"));
            }
        }
    }
}

/// Functions, and their code.
struct Reachable(Vec<(String, u64, BTreeMap<u64, Instruction>)>);

impl Reachable {
    /// Each with the name of its function and its offset in it.
    fn instructions(&self) -> impl Iterator<Item = (&str, u64, Instruction)> {
        self.0.iter().flat_map(|(name, start, code)| {
            code.values()
                .map(move |instruction| (name.as_str(), instruction.ip() - start, *instruction))
        })
    }
}

/// Every function, with its section. Two functions with the same code may be one, under both names.
fn functions(object: &Object) -> impl Iterator<Item = (&Section, &Function)> {
    object.sections.iter().flat_map(|section| section.functions.iter().map(move |f| (section, f)))
}

/// What the functions of these names reach, themselves included.
fn reachable(object: &Object, walks: &Walks, entry: impl Fn(&str) -> bool) -> Reachable {
    let entries = functions(object).filter(|(_, function)| entry(&function.name));
    let mut pending: Vec<_> = entries.map(|(section, f)| (section.index, f.start)).collect();
    let mut seen = BTreeSet::new();
    let mut reached = Vec::new();
    while let Some(start) = pending.pop() {
        if !seen.insert(start) {
            continue;
        }
        let Some((name, walk)) = walks.get(&start) else { continue };
        for (callee, _) in &walk.calls {
            if let Callee::Here(section, address) = callee {
                pending.push((*section, *address));
            }
        }
        let Some(section) = object.section(start.0) else { continue };
        let function = section.functions.iter().find(|f| f.start == start.1);
        let Some(function) = function else { continue };
        let code = decode(section, function.start, function.start + function.size);
        reached.push((name.clone(), function.start, code));
    }
    Reachable(reached)
}

/// What the kernels and `portable` in an object leave on the stack.
pub(crate) fn unwiped(object: &Object) -> Vec<String> {
    let mut audit = Audit::default();
    let (mut walks, mut others) = (Walks::new(), Walks::new());
    for section in object.sections.iter().filter(|section| section.executable) {
        for function in &section.functions {
            let name = demangled(&function.name);
            let code = decode(section, function.start, function.start + function.size);
            let walk = flow::walk(section, function, &code);
            if in_kernels_room(&name) {
                audit.check_spills(&name, function.start, &code);
                walks.insert((section.index, function.start), (name, walk));
            } else {
                others.insert((section.index, function.start), (name, walk));
            }
        }
    }
    audit.check_wiped_frames(&walks);
    audit.check_portable(&others, &mut Depths::new(), CALL + RED_ZONE);
    if audit.portable_chain == 0 {
        audit.violation("no function of portable: none was audited");
    }
    if !walks.values().any(|(name, _)| name.contains(WIPING)) {
        audit.violation("no kernel wipes a frame: none was audited");
    }
    audit.violations
}

/// Instructions outside the kernels room that a CPU may lack: those beyond SSE2, which every x86-64 CPU has.
/// `XGETBV` is where the environment asks for the features, after it has asked whether the CPU has it.
pub(crate) fn beyond_baseline(object: &Object) -> Vec<String> {
    let mut beyond = Vec::new();
    let mut functions = 0;
    for section in object.sections.iter().filter(|section| section.executable) {
        for function in &section.functions {
            let name = demangled(&function.name);
            if in_kernels_room(&name) {
                continue;
            }
            functions += 1;
            let code = decode(section, function.start, function.start + function.size);
            let code = code.values().filter(|code| code.mnemonic() != Mnemonic::Xgetbv);
            let beyond_it =
                |code: &&Instruction| !code.cpuid_features().iter().all(|f| is_baseline(*f));
            for instruction in code.filter(beyond_it) {
                let offset = instruction.ip() - function.start;
                beyond.push(format!("{name}+{offset:#x}: {}", text(instruction)));
            }
        }
    }
    if functions == 0 {
        beyond.push("no function outside the kernels: nothing was audited".to_string());
    }
    beyond
}

/// The instructions in the kernels of an object that their tables' features do not include.
pub(crate) fn beyond_tables(object: &Object) -> Vec<String> {
    let mut audit = Audit::default();
    let mut walks = Walks::new();
    for (section, function) in functions(object) {
        let name = demangled(&function.name);
        if in_kernels_room(&name) {
            let code = decode(section, function.start, function.start + function.size);
            let walk = flow::walk(section, function, &code);
            walks.insert((section.index, function.start), (name, walk));
        }
    }
    audit.check_features(object, &walks);
    for (table, _) in table_features() {
        if !walks.values().any(|(name, _)| is_kernel(name) && name.ends_with(table)) {
            audit.violation(format!("no kernel of {table}: none was audited"));
        }
    }
    audit.violations
}

/// Where the features of each table are stated.
const SELECT: &str = include_str!("../../rust-core/provider/src/engine/select.rs");

/// The tables that have kernels here, and the features that they need, all of them.
fn table_features() -> Vec<(&'static str, Vec<CpuidFeature>)> {
    use CpuidFeature::{
        AES, AVX, AVX2, AVX512BW, AVX512F, AVX512VL, BMI2, PCLMULQDQ, SSE4_1, SSSE3, VAES,
        VPCLMULQDQ,
    };
    fn of(name: &str) -> Vec<CpuidFeature> {
        let single = match name {
            "FEATURE_AES" => AES,
            "FEATURE_PCLMULQDQ" => PCLMULQDQ,
            "FEATURE_SSSE3" => SSSE3,
            "FEATURE_SSE41" => SSE4_1,
            "FEATURE_AVX" => AVX,
            "FEATURE_AVX2" => AVX2,
            "FEATURE_VAES" => VAES,
            "FEATURE_VPCLMULQDQ" => VPCLMULQDQ,
            "FEATURE_AVX512F" => AVX512F,
            "FEATURE_AVX512BW" => AVX512BW,
            "FEATURE_AVX512VL" => AVX512VL,
            "FEATURE_BMI2" => BMI2,
            _ => {
                let begin = format!("\nconst {name}: u32 = ");
                let terms = SELECT.split_once(&begin).and_then(|(_, rest)| rest.split_once(';'));
                let (terms, _) = terms.unwrap_or_else(|| panic!("select.rs: no const {name}"));
                return terms.split('|').flat_map(|term| of(term.trim())).collect();
            }
        };
        vec![single]
    }
    vec![("aesni", of("AESNI")), ("vaes256", of("VAES256")), ("vaes512", of("VAES512"))]
}

/// Whether every x86-64 CPU has it.
fn is_baseline(feature: CpuidFeature) -> bool {
    use CpuidFeature::{
        CET_IBT, CLFSH, CMOV, CPUID, CX8, FXSR, INTEL186, INTEL286, INTEL386, INTEL486, INTEL8086,
        MMX, MULTIBYTENOP, PAUSE, SSE, SSE2, SYSCALL, TSC, X64,
    };
    matches!(
        feature,
        CET_IBT
            | CLFSH
            | CMOV
            | CPUID
            | CX8
            | FXSR
            | INTEL186
            | INTEL286
            | INTEL386
            | INTEL486
            | INTEL8086
            | MMX
            | MULTIBYTENOP
            | PAUSE
            | SSE
            | SSE2
            | SYSCALL
            | TSC
            | X64
    )
}

/// Part of the name of a function that wipes another function's frame.
const WIPING: &str = "wipe_stack";

fn in_kernels_room(name: &str) -> bool {
    is_private(name) || is_kernel(name)
}

/// Whether a function is the kernels room's own: `kcfaes_kernels::…`, or `kcfaes_kernels_…` where names
/// are readable.
fn is_private(name: &str) -> bool {
    name.starts_with("kcfaes_kernels")
}

/// Whether a function is an entry point of the kernels room.
fn is_kernel(name: &str) -> bool {
    let tables = ["_aesni", "_vaes256", "_vaes512"];
    name.starts_with("kcfaes_") && !is_private(name) && tables.iter().any(|t| name.ends_with(t))
}

/// Whether an instruction puts a vector register on the stack.
fn spills(instruction: &Instruction) -> bool {
    matches!(instruction.memory_base(), Register::RSP | Register::RBP)
        && instruction.op0_kind() == OpKind::Memory
        && instruction.op1_register().is_vector_register()
}

/// Bytes of stack from `start` to the end of its deepest chain of calls. `None` if it calls itself.
fn chain(
    walks: &Walks,
    start: (usize, u64),
    depths: &mut Depths,
    path: &mut Vec<(usize, u64)>,
) -> Option<i64> {
    if let Some(&depth) = depths.get(&start) {
        return Some(depth);
    }
    if path.contains(&start) {
        return None;
    }
    let Some((_, walk)) = walks.get(&start) else { return Some(0) };
    path.push(start);
    let mut depth = walk.frame;
    for (callee, used) in &walk.calls {
        let below = match callee {
            Callee::Here(section, address) => chain(walks, (*section, *address), depths, path)?,
            Callee::Import(_) => 0,
        };
        depth = depth.max(used + below);
    }
    path.pop();
    depths.insert(start, depth);
    Some(depth)
}

/// The instructions of `section` from `start` to `end`, by address.
pub(crate) fn decode(section: &Section, start: u64, end: u64) -> BTreeMap<u64, Instruction> {
    let bytes = section.bytes.get(start as usize..end as usize).unwrap_or_default();
    Decoder::with_ip(64, bytes, start, DecoderOptions::NONE)
        .into_iter()
        .map(|instruction| (instruction.ip(), instruction))
        .collect()
}

/// Whether a function sets up a frame before its first branch or call. fbt has its entry probe at that
/// `push rbp`, and mdb finds the caller by the frame. Compilers put other instructions in between.
/// These may not be EVEX: DTrace's own decoder stops at those.
fn has_frame(code: &BTreeMap<u64, Instruction>) -> bool {
    let straight = |code: &&Instruction| {
        code.flow_control() == FlowControl::Next && code.encoding() != EncodingKind::EVEX
    };
    let mut entry = code.values().take_while(straight);
    let mut finds = |mnemonic, operands: [Register; 2]| {
        entry.any(|code| {
            code.mnemonic() == mnemonic && [code.op0_register(), code.op1_register()] == operands
        })
    };
    finds(Mnemonic::Push, [Register::RBP, Register::None])
        && finds(Mnemonic::Mov, [Register::RBP, Register::RSP])
}

/// What is forbidden about `instruction`.
fn forbidden(
    instruction: &Instruction,
    vector_registers: bool,
    factory: &mut InstructionInfoFactory,
) -> Vec<String> {
    let mut faults = Vec::new();
    if instruction.is_invalid() {
        faults.push("bytes that are no instruction".to_string());
        return faults;
    }
    match instruction.flow_control() {
        FlowControl::IndirectBranch => faults.push(format!("indirect jump: {}", text(instruction))),
        FlowControl::IndirectCall => faults.push(format!("indirect call: {}", text(instruction))),
        FlowControl::Exception => faults.push(format!("trap: {}", text(instruction))),
        FlowControl::Interrupt | FlowControl::XbeginXabortXend => {
            faults.push(format!("interrupt or transaction: {}", text(instruction)));
        }
        _ => {}
    }
    let x87 = instruction.cpuid_features().iter().any(|feature| {
        use CpuidFeature::{FPU, FPU287, FPU287XL_ONLY, FPU387, FPU387SL_ONLY, MMX};
        matches!(feature, FPU | FPU287 | FPU287XL_ONLY | FPU387 | FPU387SL_ONLY | MMX)
    });
    let state = {
        use Mnemonic::{
            Emms, Fxrstor, Fxrstor64, Fxsave, Fxsave64, Ldmxcsr, Stmxcsr, Vldmxcsr, Vstmxcsr,
            Vzeroall, Vzeroupper, Xrstor, Xrstor64, Xsave, Xsave64, Xsavec, Xsavec64, Xsaveopt,
            Xsaveopt64,
        };
        matches!(
            instruction.mnemonic(),
            Emms | Fxrstor
                | Fxrstor64
                | Fxsave
                | Fxsave64
                | Ldmxcsr
                | Stmxcsr
                | Vldmxcsr
                | Vstmxcsr
                | Vzeroall
                | Vzeroupper
                | Xrstor
                | Xrstor64
                | Xsave
                | Xsave64
                | Xsavec
                | Xsavec64
                | Xsaveopt
                | Xsaveopt64
        )
    };
    let mut vector = state;
    let mut mmx = x87;
    for used in factory.info(instruction).used_registers() {
        let register: Register = used.register();
        mmx |= register.is_st() || register.is_mm();
        vector |= register.is_vector_register() || register.is_k() || register.is_tmm();
    }
    if mmx {
        faults.push(format!("x87 or MMX instruction: {}", text(instruction)));
    }
    if vector && !vector_registers {
        faults.push(format!("vector register: {}", text(instruction)));
    }
    faults
}

fn text(instruction: &Instruction) -> String {
    use iced_x86::{Formatter, IntelFormatter};
    let mut text = String::new();
    IntelFormatter::new().format(instruction, &mut text);
    text
}

/// Anything that only a panic reaches. The handler itself calls a function that nobody defines.
fn is_panic(name: &str) -> bool {
    let name = demangled(name);
    [
        "kcfaes_panic_was_linked",
        "core::panicking",
        "core_panicking",
        "rust_begin_unwind",
        "unwrap_failed",
        "expect_failed",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn relocation_name(kind: elf::RelocationType) -> String {
    let name = match kind {
        elf::R_X86_64_64 => "R_X86_64_64",
        elf::R_X86_64_PC32 => "R_X86_64_PC32",
        elf::R_X86_64_PLT32 => "R_X86_64_PLT32",
        elf::R_X86_64_32S => "R_X86_64_32S",
        elf::R_X86_64_32 => "R_X86_64_32",
        elf::R_X86_64_PC64 => "R_X86_64_PC64",
        elf::R_X86_64_GOTPCREL => "R_X86_64_GOTPCREL (krtld would apply it wrongly)",
        elf::R_X86_64_GOTPCRELX => "R_X86_64_GOTPCRELX (krtld would never return)",
        elf::R_X86_64_REX_GOTPCRELX => "R_X86_64_REX_GOTPCRELX (krtld would never return)",
        other => return format!("number {}", other.0),
    };
    name.to_string()
}

#[cfg(test)]
mod tests;
