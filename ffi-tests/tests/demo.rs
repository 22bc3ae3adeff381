// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demonstration names each vector that fails, also where its output is no terminal.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// FIPS 197 appendix C.1, with the last bit of the ciphertext turned over.
const WRONG: &str = "ECB\t128\t000102030405060708090a0b0c0d0e0f\t-\t-\t\
                     00112233445566778899aabbccddeeff\t69c4e0d86a7b0430d8cdb78070b4c55b\t-\tok\twrong#7";

#[test]
fn a_wrong_vector_is_named() {
    let vectors = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo");
    fs::create_dir_all(&vectors).expect("a folder");
    fs::write(vectors.join("ecb.tsv"), format!("# header\n{WRONG}\n")).expect("a file");
    let stated = "ecb.tsv\tECB\t-\t-\t-\t-\t-\t-\t-\t1\n";
    fs::write(vectors.join("PROVENANCE.tsv"), stated).expect("a file");
    let demo = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--vectors").arg(vectors).output();
    let demo = demo.expect("the demonstration");
    let printed = String::from_utf8_lossy(&demo.stdout);
    assert_eq!(demo.status.code(), Some(1), "{printed}");
    assert!(printed.contains("ecb.tsv:2 wrong#7: "), "{printed}");
}
