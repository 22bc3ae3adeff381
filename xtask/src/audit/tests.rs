// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plants a violation of each rule, in code that the C compiler or the assembler makes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::process;

const STRICT: Rules<'_> = Rules {
    vector_registers: &|_| false,
    writable_data: false,
    readable: false,
    text: MAX_TEXT,
    operations: &BTreeSet::new(),
    may_import: &|name| name == "allowed",
};

/// The audit of what the C compiler makes of `source` with the rooms' code generation.
fn audit_of(name: &str, extension: &str, source: &str, options: &[&str]) -> Audit {
    audit_under(&STRICT, name, extension, source, options)
}

fn audit_under(
    rules: &Rules<'_>,
    name: &str,
    extension: &str,
    source: &str,
    options: &[&str],
) -> Audit {
    audit(&object_of(name, extension, source, options), rules)
}

fn object_of(name: &str, extension: &str, source: &str, options: &[&str]) -> Object {
    let dir = crate::scratch().join(format!("kcfaes-audit-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a folder");
    let (text, object): (PathBuf, PathBuf) =
        (dir.join(format!("{name}.{extension}")), dir.join(format!("{name}.o")));
    fs::write(&text, source).expect("a file");
    process::run(
        Command::new("cc")
            .args(["-O1", "-ffreestanding", "-fno-pic", "-mcmodel=kernel", "-mno-red-zone"])
            .args(["-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables"])
            .args(["-fno-stack-protector", "-fcf-protection=none", "-mno-sse"])
            .args(options)
            .args(["-c", "-o"])
            .arg(&object)
            .arg(&text),
    )
    .expect("cc works");
    Object::read(&object).expect("an object")
}

/// The violations of a function that consists of `instructions`.
fn violations_of_asm(name: &str, instructions: &str) -> Vec<String> {
    let function = asm_function("f", instructions);
    audit_of(name, "s", &format!(".intel_syntax noprefix\n{function}"), &[]).violations
}

fn asm_function(name: &str, body: &str) -> String {
    format!(
        ".text\n.globl {name}\n.type {name}, @function\n{name}: {body}\n.size {name}, . - {name}\n"
    )
}

fn violations_of_c(name: &str, source: &str, options: &[&str]) -> Vec<String> {
    audit_of(name, "c", source, options).violations
}

#[track_caller]
fn assert_only(violations: &[String], what: &str) {
    assert!(violations.len() == 1 && violations[0].contains(what), "{what}: {violations:?}");
}

#[track_caller]
fn assert_among(violations: &[String], what: &str) {
    assert!(violations.iter().any(|v| v.contains(what)), "{what}: {violations:?}");
}

#[test]
fn clean_code_passes_and_is_counted() {
    let source = "long allowed(long);\n\
                  __attribute__((noinline)) long g(long a) { volatile long b[8] = {a}; return b[a & 7]; }\n\
                  long f(long a) { return g(a) + allowed(a) + 1; }";
    let audit = audit_of("clean", "c", source, &[]);
    assert!(audit.violations.is_empty(), "{:?}", audit.violations);
    assert_eq!(audit.functions, 2);
    assert!(audit.imports.contains("allowed") && audit.text_bytes > 20);
    assert!(audit.biggest_frame.0 >= 64 && audit.biggest_frame.1 == "g", "{audit:?}");
    assert!(audit.deepest_chain.0 > audit.biggest_frame.0 && audit.deepest_chain.1 == "f");
}

#[test]
fn vector_registers_only_where_they_may_be() {
    let names = ["kernel", "other"].map(|name| asm_function(name, "pxor xmm0, xmm0; ret"));
    let text = format!(".intel_syntax noprefix\n{}", names.concat());
    let rules = Rules { vector_registers: &|name| name == "kernel", ..STRICT };
    assert_only(&audit_under(&rules, "kernel", "s", &text, &[]).violations, "other+0x0: vector");
}

#[test]
fn an_object_without_functions_is_no_success() {
    assert_only(&violations_of_c("empty", "const int a = 1;", &[]), "no function symbol");
}

#[test]
fn an_undefined_symbol() {
    assert_only(
        &violations_of_c(
            "undefined",
            "int stranger(void); int f(void) { return stranger() + 1; }",
            &[],
        ),
        "undefined symbol: stranger",
    );
}

#[test]
fn vector_registers() {
    for (name, instruction) in [
        ("xmm", "pxor xmm3, xmm3"),
        ("ymm", "vpxor ymm3, ymm3, ymm3"),
        ("zmm", "vpxord zmm20, zmm20, zmm20"),
        ("mask", "kxorq k1, k1, k1"),
        ("store", "movups [rdi], xmm0"),
        ("mxcsr", "ldmxcsr [rdi]"),
        ("zeroupper", "vzeroupper"),
    ] {
        assert_only(&violations_of_asm(name, &format!("{instruction}; ret")), "vector register");
    }
    assert_only(
        &violations_of_c(
            "struct",
            "struct s { long a[4]; }; void f(struct s *a, struct s *b) { *a = *b; }",
            &["-O2", "-msse2"],
        )[..1],
        "vector register",
    );
}

#[test]
fn x87_and_mmx() {
    for (name, instruction) in
        [("mmx", "movq mm1, [rdi]"), ("fld", "fld1"), ("fninit", "fninit"), ("emms", "emms")]
    {
        let violations = violations_of_asm(name, &format!("{instruction}; ret"));
        assert!(violations.iter().any(|v| v.contains("x87 or MMX")), "{name}: {violations:?}");
    }
}

#[test]
fn panic_symbols() {
    for (name, symbol) in [
        ("handler", "kcfaes_panic_was_linked"),
        ("panicking", "_ZN4core9panicking9panic_fmt17h0123456789abcdefE"),
        ("v0", "_RNvNtCs1_4core9panicking5panic"),
    ] {
        assert_only(&violations_of_asm(name, &format!("call {symbol}; ret")), "panic symbol");
    }
}

#[test]
fn a_mangled_name() {
    for name in ["_ZN4some4path8function17h0123456789abcdefE", "_RNvNtCs1_4some4path8function"] {
        let text = asm_function(name, "push %rbp; mov %rsp, %rbp; pop %rbp; ret");
        let rules = Rules { readable: true, ..STRICT };
        assert_only(&audit_under(&rules, "mangled", "s", &text, &[]).violations, "mangled name");
    }
}

#[test]
fn relocations() {
    let got = violations_of_c(
        "got",
        "extern int allowed; int f(void) { return allowed; }",
        &["-fPIC", "-mcmodel=small", "-Wa,-mrelax-relocations=no"],
    );
    assert_among(&got, "relocation R_X86_64_GOTPCREL (");
    let relaxed = violations_of_c(
        "gotx",
        "extern int allowed; int f(void) { return allowed; }",
        &["-fPIC", "-mcmodel=small"],
    );
    assert_among(&relaxed, "GOTPCRELX");
    assert_only(
        &violations_of_asm("abs32", "mov edi, offset allowed; ret"),
        "relocation R_X86_64_32",
    );
}

#[test]
fn bytes_under_a_relocation() {
    let text = format!(
        "{}.section .rodata\n.reloc ., R_X86_64_64, f\n.quad 7\n",
        asm_function("f", "ret")
    );
    assert_only(&audit_of("addend", "s", &text, &[]).violations, "bytes that are not zero");
}

#[test]
fn indirect_branches() {
    assert_only(&violations_of_asm("icall", "push rax; call rdi; pop rax; ret"), "indirect call");
    assert_only(
        &violations_of_asm("icallm", "push rax; call [rdi + 8]; pop rax; ret"),
        "indirect call",
    );
    assert_only(&violations_of_asm("ijmp", "jmp rdi"), "indirect jump");
    let switch = "int f(int a) { switch (a) { case 0: return 5; case 1: return 9; case 2: return 4;\n\
                  case 3: return 77; case 4: return -1; case 5: return 8; } __builtin_unreachable(); }\n\
                  int g(int (*h)(void)) { return h(); }";
    let violations = violations_of_c("pointer", switch, &["-O2"]);
    assert!(
        violations.iter().any(|v| v.starts_with("g+") && v.contains("indirect")),
        "{violations:?}"
    );
}

#[test]
fn traps_and_undecodable_bytes() {
    assert_only(&violations_of_asm("trap", "ud2"), "trap");
    assert_only(&violations_of_asm("bytes", ".byte 0x06; ret"), "no instruction");
}

#[test]
fn frames() {
    let frame =
        |bytes| format!("push rbp; mov rbp, rsp; sub rsp, {bytes}; mov rax, [rsp]; leave; ret");
    assert_only(&violations_of_asm("frame", &frame(1024)), "frame of 1032 bytes");
    assert!(violations_of_asm("frameok", &frame(1016)).is_empty());
    assert_only(
        &violations_of_asm("alloca", "push rbp; mov rbp, rsp; sub rsp, rdi; leave; ret")[..1],
        "variable size",
    );
    assert_among(
        &violations_of_asm("pushes", "1: push rax; dec edi; jnz 1b; ret"),
        "without bound",
    );
    assert_only(&violations_of_asm("recursion", "push rax; call f; pop rax; ret"), "calls itself");
    assert_only(&violations_of_asm("switch", "mov rsp, rdi; ret"), "set to a value not known");
}

#[test]
fn the_stack_of_portable() {
    let source = include_str!("../../../rust-core/provider/src/portable/mod.rs");
    assert!(source.contains(&format!("pub const WIPED_STACK: usize = {WIPED_STACK};")));
    // Three frames of 8 + `bytes`, and two return addresses between them.
    let chain = |bytes: i64| {
        let function = |name: &str, call: &str| {
            let body = format!("push rbp; mov rbp, rsp; sub rsp, {bytes}; {call}; leave; ret");
            asm_function(&format!("kcfaes_provider_portable_{name}"), &body)
        };
        let call = |name: &str| format!("call kcfaes_provider_portable_{name}");
        [function("a", &call("b")), function("b", &call("c")), function("c", "nop")].concat()
    };
    let found = |name: &str, bytes| {
        let text = format!(".intel_syntax noprefix\n{}", chain(bytes));
        audit_of(name, "s", &text, &[])
    };
    let fits = found("fits", 512);
    assert!(fits.violations.is_empty(), "{:?}", fits.violations);
    assert_eq!(fits.portable_chain, CALL + 3 * (8 + 512) + 2 * 8);
    assert_only(&found("deep", 784).violations, "portable takes 2416 bytes");
}

#[test]
fn the_red_zone() {
    assert_only(&violations_of_asm("below", "mov [rsp - 8], rdi; ret"), "red zone");
    assert_only(
        &violations_of_asm("belowbp", "push rbp; mov rbp, rsp; mov [rbp - 8], rdi; pop rbp; ret"),
        "red zone",
    );
    assert_only(&violations_of_asm("indexed", "mov [rsp + rdi - 64], rdi; ret"), "red zone");
    assert!(
        violations_of_asm(
            "inside",
            "push rbp; mov rbp, rsp; sub rsp, 16; mov [rbp - 8], rdi; leave; ret"
        )
        .is_empty()
    );
    let leaf = "long f(long a) { volatile long b[4] = {a, a, a, a}; return b[a & 3]; }";
    assert!(!violations_of_c("leaf", leaf, &["-mred-zone"]).is_empty());
    assert!(violations_of_c("noleaf", leaf, &[]).is_empty());
}

#[test]
fn code_that_no_symbol_covers() {
    let text = format!("{}nop\nint3\nret\n", asm_function("f", "ret"));
    assert_only(&audit_of("uncovered", "s", &text, &[]).violations, "outside any function symbol");
}

#[test]
fn data_that_krtld_would_not_take() {
    let f = "int f(void) { return 1; }";
    assert_only(&violations_of_c("data", &format!("int a = 1; {f}"), &[]), "writable data");
    let common = violations_of_c("common", &format!("int a; {f}"), &["-fcommon"]);
    assert_only(&common, "common symbol: a");
    let tls = violations_of_c(
        "tls",
        &format!("static __thread int a; int *b(void) {{ return &a; }} {f}"),
        &["-mcmodel=small"],
    );
    assert!(tls.iter().any(|v| v.contains("thread-local")), "{tls:?}");
    let constructor = violations_of_c(
        "constructor",
        "void allowed(void); __attribute__((constructor)) static void f(void) { allowed(); }",
        &[],
    );
    assert!(constructor.iter().any(|v| v.contains("constructors")), "{constructor:?}");
    let group =
        ".section .text.f,\"axG\",@progbits,f,comdat\n.type f, @function\nf: ret\n.size f, . - f\n";
    assert_only(&audit_of("group", "s", group, &[]).violations, "section group");
}

#[test]
fn a_locked_instruction_that_an_operation_reaches() {
    let operations = BTreeSet::from(["operation".to_string()]);
    let rules = Rules { operations: &operations, ..STRICT };
    let audited = |name: &str, instruction: &str| {
        let bodies = asm_function("operation", "push rax; call below; pop rax; ret")
            + &asm_function("below", &format!("{instruction}; ret"))
            + &asm_function("init", "lock inc dword ptr [rdi]; ret");
        let text = format!(".intel_syntax noprefix\n{bodies}");
        audit_under(&rules, name, "s", &text, &[])
    };
    for (name, instruction) in [
        ("lockadd", "lock add dword ptr [rdi], 1"),
        ("lockcmpxchg", "lock cmpxchg [rdi], rsi"),
        ("xadd", "lock xadd [rdi], rax"),
        ("xchg", "xchg [rdi], rax"),
    ] {
        let violations = audited(name, instruction).violations;
        assert_only(&violations, "below+0x0: locked, in an operation");
    }
    let unlocked = audited("unlocked", "add dword ptr [rdi], 1; xchg rdi, rax");
    assert!(unlocked.violations.is_empty(), "{:?}", unlocked.violations);
    assert_eq!(unlocked.reached, 2);
    // Two names of one function.
    let alias = asm_function("other", "lock inc dword ptr [rdi]; ret")
        + ".globl operation\n.type operation, @function\n.set operation, other\n.size operation, 4\n";
    let text = format!(".intel_syntax noprefix\n{alias}");
    assert_only(
        &audit_under(&rules, "alias", "s", &text, &[]).violations,
        "locked, in an operation",
    );
    let tail =
        asm_function("operation", "jmp below") + &asm_function("below", "xchg [rdi], rax; ret");
    let text = format!(".intel_syntax noprefix\n{tail}");
    assert_only(&audit_under(&rules, "tail", "s", &text, &[]).violations, "below+0x0: locked");
}

#[test]
fn an_operation_that_is_not_there() {
    let operations = BTreeSet::from(["operation".to_string()]);
    let rules = Rules { operations: &operations, ..STRICT };
    let violations = audit_under(&rules, "gone", "s", &asm_function("f", "ret"), &[]).violations;
    assert_only(&violations, "an operation was not audited");
}

#[test]
fn a_vex_instruction_in_table_aesni() {
    let body = asm_function("kcfaes_x_aesni", "push rax; call g; pop rax; ret")
        + &asm_function("g", "andn rax, rdi, rsi; ret");
    let text = format!(".intel_syntax noprefix\n{body}");
    assert_among(&audit_of("vex", "s", &text, &[]).violations, "not a legacy encoding");
    assert!(violations_of_asm("vexelsewhere", "andn rax, rdi, rsi; ret").is_empty());
}

/// Each table's kernels, also those that they call, may use what the table needs, and nothing else.
#[test]
fn an_instruction_that_its_table_does_not_promise() {
    let of = |table: &str, instruction: &str| {
        let entry = format!("kcfaes_x_{table}");
        let body = asm_function(&entry, "push rax; call kcfaes_kernels_part; pop rax; ret")
            + &asm_function("kcfaes_kernels_part", &format!("{instruction}; ret"));
        let name = format!("beyond_{table}");
        beyond_tables(&object_of(&name, "s", &format!(".intel_syntax noprefix\n{body}"), &[]))
            .into_iter()
            .filter(|violation| !violation.starts_with("no kernel of"))
            .collect::<Vec<_>>()
    };
    for (table, instruction, lacks) in [
        ("aesni", "pinsrq xmm0, rax, 1", None),
        ("aesni", "pcmpgtq xmm0, xmm1", Some("SSE4_2")),
        ("vaes256", "vaesenc ymm0, ymm1, ymm2", None),
        ("vaes256", "vpclmulqdq ymm0, ymm1, ymm2, 0", None),
        ("vaes256", "vpxord ymm0, ymm1, ymm16", Some("AVX512")),
        ("vaes256", "vaesenc ymm0, ymm1, ymm16", Some("AVX512")),
        ("vaes256", "shlx rax, rdi, rsi", Some("BMI2")),
        ("vaes512", "bzhi rax, rdi, rsi", None),
        ("vaes512", "vpxord zmm0, zmm1, zmm16", None),
        ("vaes512", "vpermi2b zmm0, zmm1, zmm2", Some("AVX512_VBMI")),
        ("vaes512", "vinserti64x2 zmm0, zmm0, xmm1, 1", Some("AVX512DQ")),
        ("vaes512", "tzcnt rax, rdi", Some("BMI1")),
    ] {
        let found = of(table, instruction);
        match lacks {
            Some(lacks) => assert_only(&found, &format!("needs {lacks}")),
            None => assert_eq!(found, Vec::<String>::new(), "{table}: {instruction}"),
        }
    }
    let none = asm_function("f", "ret");
    let found = beyond_tables(&object_of("tables", "s", &none, &[]));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn frames_that_are_not_wiped() {
    let entry = "push rbp; mov rbp, rsp; push rbp; call kcfaes_kernels_part;";
    let of = |name, entry: &str, wiped: usize| {
        let part = "sub rsp, 72; mov [rsp], rdi; add rsp, 72; ret";
        let wiping = format!("sub rsp, {wiped}; mov [rsp], rax; add rsp, {wiped}; ret");
        let text = asm_function("kcfaes_x_vaes512", entry)
            + &asm_function("kcfaes_kernels_part", part)
            + &asm_function("kcfaes_kernels_wipe_stack_x", &wiping);
        audit_of(name, "s", &format!(".intel_syntax noprefix\n{text}"), &[]).violations
    };
    let wiped = format!("{entry} call kcfaes_kernels_wipe_stack_x; leave; ret");
    assert_eq!(of("wiped", &wiped, 72), Vec::<String>::new());
    assert_only(&of("less", &wiped, 64), "frame of 72 bytes 64 are wiped");
    assert_only(
        &of("unwiped", &format!("{entry} leave; ret"), 72),
        "frame of 72 bytes 0 are wiped",
    );
    let higher = format!("{entry} pop rax; call kcfaes_kernels_wipe_stack_x; leave; ret");
    assert_only(&of("higher", &higher, 720), "frame of 72 bytes 0 are wiped");
}

#[test]
fn too_much_text() {
    let text = asm_function("f", &format!(".skip {MAX_TEXT}, 0x90; ret"));
    let audit = audit_of("text", "s", &text, &[]);
    assert_only(
        &audit.violations,
        &format!("{} bytes of text, more than {MAX_TEXT}", MAX_TEXT + 1),
    );
}

#[test]
fn a_spill_that_nobody_wipes() {
    let spill = "sub rsp, 40; vmovdqu64 [rsp], ymm17; add rsp, 40; ret";
    let found = |name| {
        let text = format!(".intel_syntax noprefix\n{}", asm_function(name, spill));
        let audit = audit_of(name, "s", &text, &[]);
        audit.violations.iter().any(|v| v.contains("a spill that stays"))
    };
    assert!(found("kcfaes_x_vaes512") && !found("kcfaes_ctr32_vaes256"));
}

#[test]
fn a_function_without_a_frame() {
    let rules = Rules { readable: true, ..STRICT };
    let found = |name: &str, body: &str| {
        let text = format!(".intel_syntax noprefix\n{}", asm_function("f", body));
        audit_under(&rules, name, "s", &text, &[]).violations
    };
    let frame = "push rbp; mov rbp, rsp; pop rbp; ret";
    assert_eq!(found("frame", frame), Vec::<String>::new());
    let apart = "push rbp; xor eax, eax; mov rbp, rsp; pop rbp; ret";
    assert_eq!(found("apart", apart), Vec::<String>::new());
    assert_only(&found("none", "xor eax, eax; ret"), "f: no frame");
    let wrapped = "test edi, edi; je 1f; push rbp; mov rbp, rsp; pop rbp; 1: ret";
    assert_only(&found("wrapped", wrapped), "f: no frame");
    let evex = "vpxorq zmm0, zmm0, zmm0; push rbp; mov rbp, rsp; pop rbp; ret";
    assert!(found("evex", evex).iter().any(|violation| violation.contains("f: no frame")));
}

/// A library's code presumes no more than every x86-64 CPU has, except in the kernels.
#[test]
fn what_a_cpu_may_lack() {
    let beyond = |name: &str, function: &str, instruction: &str| {
        let source = asm_function("f", "ret") + &asm_function(function, instruction);
        let source = format!(".intel_syntax noprefix\n{source}");
        beyond_baseline(&object_of(name, "s", &source, &[]))
    };
    for (name, instruction) in [
        ("avx", "vpxor xmm0, xmm0, xmm0; ret"),
        ("bmi", "shlx rax, rdi, rsi; ret"),
        ("sse3", "lddqu xmm0, [rdi]; ret"),
        ("movbe", "movbe rax, [rdi]; ret"),
        ("popcnt", "popcnt rax, rdi; ret"),
    ] {
        assert_only(&beyond(name, "provider", instruction), "provider+0x0");
        assert_eq!(beyond(name, "kcfaes_ecb_encrypt_vaes256", instruction), Vec::<String>::new());
    }
    let baseline = "cmovne rax, rdi; paddq xmm0, xmm1; endbr64; pause; rdtsc; cpuid; ret";
    assert_eq!(beyond("baseline", "provider", baseline), Vec::<String>::new());
}
