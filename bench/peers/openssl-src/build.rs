// SPDX-License-Identifier: MIT OR Apache-2.0
//! Builds OpenSSL from the sources that come with the crate.

fn main() {
    openssl_src::Build::new().build().print_cargo_metadata();
    println!("cargo:rerun-if-changed=build.rs");
}
