// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every vector × table × format × way to call × template or none, in one piece, in a few and in crumbs,
//! apart and in place.

use std::collections::BTreeMap;

use kcfaes_ffi_tests::kernel;
use kcfaes_ffi_tests::vector::{Manner, run};
use kcfaes_vectors::{Mode, Stream, load_all};

#[test]
fn every_vector_in_every_manner() {
    let files = load_all("../vectors".as_ref()).unwrap_or_else(|e| panic!("{e}"));
    let mut random = Stream::new(1);
    let mut failures = Vec::new();
    for &table in kernel::tables() {
        kernel::use_table(table);
        for file in &files {
            let mut executed: BTreeMap<Mode, usize> = BTreeMap::new();
            for case in &file.cases {
                let mut ran = 0;
                for manner in Manner::all() {
                    match run(case, &manner, &mut random) {
                        Ok(n) => ran += n,
                        Err(why) => failures.push(format!(
                            "{}:{} {} {} {manner:?}: {why}",
                            file.name,
                            case.line,
                            case.id,
                            table.name()
                        )),
                    }
                }
                if ran > 0 {
                    *executed.entry(case.mode).or_default() += 1;
                }
                assert!(failures.len() < 10, "{failures:#?}");
            }
            assert_eq!(executed, file.counts, "{}: cases executed", file.name);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
