// SPDX-License-Identifier: MIT OR Apache-2.0
//! COMPATIBILITY.md names only tests that exist. It has a row for each fault of the stock module and for
//! each thing that a consumer may try.

use std::collections::HashMap;
use std::fs::read_to_string;

fn document() -> String {
    read_to_string("../COMPATIBILITY.md").expect("COMPATIBILITY.md is readable")
}

/// Each difference that was found has a row.
#[test]
fn every_difference_has_a_row() {
    let (document, source) = (document(), include_str!("differences.rs"));
    let mut tests = 0;
    for test in source.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split_once("()")) {
        assert!(document.contains(&format!("`differences::{}`", test.0)), "no row of {}", test.0);
        tests += 1;
    }
    assert!(tests >= 15, "{tests} tests: is the file's form another?");
}

#[test]
fn every_test_that_is_named_exists() {
    let document = document();
    let mut files: HashMap<&str, String> = HashMap::new();
    let mut named = 0;
    for quoted in document.split('`').skip(1).step_by(2) {
        let Some((file, test)) = quoted.split_once("::") else { continue };
        if file == "file" {
            continue;
        }
        let source = files.entry(file).or_insert_with(|| {
            let path = format!("tests/{file}.rs");
            read_to_string(&path).unwrap_or_else(|e| panic!("{path}, of `{quoted}`: {e}"))
        });
        assert!(source.contains(&format!("fn {test}()")), "no test `{quoted}`");
        named += 1;
    }
    assert!(named > 100, "{named} names: is the document's form another?");
    for fault in 1..=30 {
        assert!(document.contains(&format!("\n| B{fault} |")), "no row of B{fault}");
    }
    for attempt in 1..=16 {
        assert!(document.contains(&format!("\n| {attempt} |")), "no row {attempt}");
    }
}
