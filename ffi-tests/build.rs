// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles the userland KCF and, against its headers, the kernel module's C.

use std::path::{Path, PathBuf};

/// Constant data of the vector test module's table.
const TABLE_BYTES: usize = 262_144;

fn main() {
    let kernel = Path::new("fakekernel");
    let list = kernel.join("sources.txt");
    println!("cargo::rerun-if-changed=fakekernel");
    println!("cargo::rerun-if-changed=../kmod");
    println!("cargo::rerun-if-changed=../include");
    let sources = std::fs::read_to_string(&list).expect("fakekernel/sources.txt is readable");

    let mut freestanding = cc::Build::new();
    freestanding
        .std("gnu99")
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .flag("-ffreestanding")
        .flag("-mgeneral-regs-only")
        .include(kernel.join("include"))
        .include(kernel)
        .opt_level(2);
    let mut module = freestanding.clone();
    freestanding.files(sources.split_whitespace().map(|file| kernel.join(file)));
    freestanding.compile("fakekernel");

    // `_init`, `_fini` and `_info` are names of the C start-up files of a program.
    module.define("_KERNEL", None);
    let mut test_module = module.clone();
    module
        .define("_init", "kcfaes_module_init")
        .define("_fini", "kcfaes_module_fini")
        .define("_info", "kcfaes_module_info")
        .include("../include")
        .include("../kmod")
        .files(module_sources())
        .compile("kcfaes_module");

    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=../vectors");
    let files = kcfaes_vectors::load_all("../vectors".as_ref()).expect("the vectors are readable");
    let mut table = String::new();
    kcfaes_vectors::emit_c(&files, TABLE_BYTES, &mut table).expect("a string takes any text");
    std::fs::write(out.join("vectors_table.h"), table).expect("OUT_DIR is writable");
    test_module
        .define("_init", "kcfaes_test_module_init")
        .define("_fini", "kcfaes_test_module_fini")
        .define("_info", "kcfaes_test_module_info")
        .include(out)
        .file("../kmod/kcfaes_test.c")
        .compile("kcfaes_test_module");

    cc::Build::new()
        .std("gnu99")
        .warnings(true)
        .warnings_into_errors(true)
        .include(kernel)
        .file(kernel.join("fk_port.c"))
        .compile("fakekernel_port");
}

/// The module's C, which is all of kmod/ but the other module, the one of tests.
fn module_sources() -> Vec<PathBuf> {
    let mut sources: Vec<_> = std::fs::read_dir("../kmod")
        .expect("kmod/ is readable")
        .map(|entry| entry.expect("kmod/ is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .filter(|path| !path.ends_with("kcfaes_test.c"))
        .collect();
    sources.sort();
    sources
}
