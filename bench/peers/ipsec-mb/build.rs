// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types of the system's intel-ipsec-mb.h.

fn main() {
    let bindings = bindgen::Builder::default()
        .header_contents("ipsec-mb.h", "#include <intel-ipsec-mb.h>")
        .allowlist_function("alloc_mb_mgr|init_mb_mgr_auto|imb_get_version_str")
        .allowlist_type("IMB_(MGR|JOB|ARCH|CIPHER_.*|HASH_ALG|CHAIN_ORDER|STATUS)|gcm_.*_data")
        .layout_tests(false)
        .generate()
        .expect("intel-ipsec-mb.h");
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    bindings.write_to_file(format!("{out}/ipsec_mb.rs")).expect("a file in OUT_DIR");
    println!("cargo:rustc-link-lib=IPSec_MB");
    println!("cargo:rerun-if-changed=build.rs");
}
