// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links the program with what is shipped: libkcfaes.a from the folder that KCFAES_LIBRARY names, and
//! the kernel object, which `kcfaes-ffi-tests` takes where KCFAES_OBJECTS is set.

fn main() {
    println!("cargo::rerun-if-env-changed=KCFAES_OBJECTS");
    println!("cargo::rerun-if-env-changed=KCFAES_LIBRARY");
    println!("cargo::rustc-check-cfg=cfg(kcfaes_shipped)");
    let folders = ["KCFAES_OBJECTS", "KCFAES_LIBRARY"].map(std::env::var_os);
    if let [Some(_), Some(library)] = folders {
        let library = library.display();
        println!("cargo::rerun-if-changed={library}/libkcfaes.a");
        println!("cargo::rustc-link-search=native={library}");
        println!("cargo::rustc-link-lib=static=kcfaes");
        // The kernel object presumes addresses below 2 GiB. And so an address is the symbol table's.
        println!("cargo::rustc-link-arg=-no-pie");
        // Of the crates that are in them only types are used; rustc links their functions too. The
        // first definition counts, which is the library's.
        println!("cargo::rustc-link-arg=-Wl,-z,muldefs");
        println!("cargo::rustc-cfg=kcfaes_shipped");
    }
}
