// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles the userland KCF and, against its headers, the kernel module's C.

use std::path::Path;

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
        .include(kernel.join("include"))
        .include(kernel)
        .opt_level(2);
    let mut module = freestanding.clone();
    freestanding.files(sources.split_whitespace().map(|file| kernel.join(file)));
    freestanding.compile("fakekernel");

    // `_init`, `_fini` and `_info` are names of the C start-up files of a program.
    module
        .define("_KERNEL", None)
        .define("_init", "kcfaes_module_init")
        .define("_fini", "kcfaes_module_fini")
        .define("_info", "kcfaes_module_info")
        .include("../include")
        .include("../kmod")
        .file("../kmod/kcfaes.c")
        .file("../kmod/kcfaes_env.c")
        .compile("kcfaes_module");

    cc::Build::new()
        .std("gnu99")
        .warnings(true)
        .warnings_into_errors(true)
        .include(kernel)
        .file(kernel.join("fk_port.c"))
        .compile("fakekernel_port");
}
