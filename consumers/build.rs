// SPDX-License-Identifier: MIT OR Apache-2.0
//! A built kernel object, with which `kcfaes-ffi-tests` is linked where KCFAES_OBJECTS is set,
//! presumes addresses below 2 GiB.

fn main() {
    println!("cargo::rerun-if-env-changed=KCFAES_OBJECTS");
    if std::env::var_os("KCFAES_OBJECTS").is_some() {
        println!("cargo::rustc-link-arg=-no-pie");
    }
}
