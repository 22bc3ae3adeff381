// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every vector × table × format × way to call × template or none, in one piece, in a few and in crumbs,
//! apart and in place. What takes the direct path is also run on the general path.

use std::collections::BTreeMap;

use kcfaes_ffi_tests::buffer::{Cut, Format};
use kcfaes_ffi_tests::kernel;
use kcfaes_ffi_tests::vector::{Manner, run};
use kcfaes_provider::watch::forbid_direct;
use kcfaes_vectors::{File, Mode, Stream, load_all};

#[test]
fn every_vector_in_every_manner() {
    let files = load_all("../vectors".as_ref()).unwrap_or_else(|e| panic!("{e}"));
    let manners = Manner::all();
    run_all(&files, &manners);
    let contiguous = |manner: &Manner| manner.cut == Cut::Whole && manner.input == Format::Raw;
    let contiguous: Vec<_> = manners.into_iter().filter(contiguous).collect();
    forbid_direct(true);
    run_all(&files, &contiguous);
    forbid_direct(false);
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

fn run_all(files: &[File], manners: &[Manner]) {
    let mut random = Stream::new(1);
    let mut failures = Vec::new();
    for &table in kernel::tables() {
        kernel::use_table(table);
        for file in files {
            let mut executed: BTreeMap<Mode, usize> = BTreeMap::new();
            for case in &file.cases {
                let mut ran = 0;
                for manner in manners {
                    match run(case, manner, &mut random) {
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
}
