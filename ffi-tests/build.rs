// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles the userland KCF and, with its headers, the C of the kernel modules.
//!
//! If KCFAES_OBJECTS names a folder, the modules come from there, as `cargo xtask kmod` has built them.
//! Then every function that is called is in those objects. The provider's crates supply only types and
//! constants, and `cfg(kcfaes_object)` leaves out the code that would call them.

use std::env;
use std::path::{Path, PathBuf};

/// The folder of the built modules, renamed for userland.
const OBJECTS: &str = "KCFAES_OBJECTS";

/// Bytes of constant data in the vector test module's table.
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
    let module = freestanding.clone();
    freestanding.files(sources.split_whitespace().map(|file| kernel.join(file)));
    freestanding.compile("fakekernel");

    println!("cargo::rustc-check-cfg=cfg(kcfaes_object)");
    println!("cargo::rerun-if-env-changed={OBJECTS}");
    match env::var_os(OBJECTS) {
        Some(folder) => link_objects(folder.as_ref()),
        None => compile_modules(&module),
    }

    cc::Build::new()
        .std("gnu99")
        .warnings(true)
        .warnings_into_errors(true)
        .include(kernel)
        .file(kernel.join("fk_port.c"))
        .compile("fakekernel_port");

    println!("cargo::rerun-if-changed=c");
    cc::Build::new()
        .std("c99")
        .warnings_into_errors(true)
        .include("../include")
        .define("main", "kcfaes_api_test")
        .file("c/api_test.c")
        .compile("api_test");
}

/// The C of both modules. The provider functions that it calls come from the crates.
fn compile_modules(freestanding: &cc::Build) {
    // `_init`, `_fini` and `_info` are names of the C start-up files of a program.
    let compile = |name: &str, files: Vec<PathBuf>| {
        let mut module = freestanding.clone();
        for entry in ["_init", "_fini", "_info"] {
            module.define(entry, format!("{name}_module{entry}").as_str());
        }
        module.define("_KERNEL", None).include("../include").include("../kmod").include(out());
        module.files(files).compile(&format!("{name}_module"));
    };
    compile("kcfaes", module_sources());

    println!("cargo::rerun-if-changed=../vectors");
    let files = kcfaes_vectors::load_all("../vectors".as_ref()).expect("the vectors are readable");
    let mut table = String::new();
    kcfaes_vectors::emit_c(&files, TABLE_BYTES, &mut table).expect("a string takes any text");
    std::fs::write(out().join("vectors_table.h"), table).expect("OUT_DIR is writable");
    compile("kcfaes_test", vec!["../kmod/kcfaes_test.c".into()]);
}

/// The built modules. Their relocations need addresses below 2 GiB.
fn link_objects(folder: &Path) {
    for name in ["kcfaes", "kcfaes_test"] {
        let object = folder.join(name).with_extension("userland.o");
        println!("cargo::rerun-if-changed={}", object.display());
        cc::Build::new().object(object).compile(&format!("{name}_module"));
    }
    println!("cargo::rustc-link-arg=-no-pie");
    println!("cargo::rustc-cfg=kcfaes_object");
}

fn out() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))
}

/// The module's C: all of kmod/ except the vector test module.
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
