// SPDX-License-Identifier: MIT OR Apache-2.0
//! `kcfaes-vectors check DIR` reads every vector file and prints what it holds.
//! `kcfaes-vectors emit-c DIR BYTES` writes the C table, with at most BYTES of constant data, to
//! standard output. The exit status is 2 for a corrupt file (file, line and reason on standard error)
//! or a wrong command line.

use kcfaes_vectors::{File, emit_c, load_all};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn check(files: &[File]) -> String {
    let mut out = String::new();
    for file in files {
        for (mode, count) in &file.counts {
            out += &format!("{:<16}{:<6}{count:>6}\n", file.name, mode.name());
        }
    }
    let total: usize = files.iter().map(|file| file.cases.len()).sum();
    out + &format!("{total} cases\n")
}

fn run() -> Result<String, String> {
    let usage = "usage: kcfaes-vectors check DIR | kcfaes-vectors emit-c DIR BYTES";
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let files = |dir: &str| load_all(Path::new(dir)).map_err(|error| error.to_string());
    match args[..] {
        ["check", dir] => Ok(check(&files(dir)?)),
        ["emit-c", dir, cap] => {
            let cap = cap.parse().map_err(|_| format!("{cap:?} is not a number of bytes"))?;
            let mut text = String::new();
            emit_c(&files(dir)?, cap, &mut text).map_err(|error| error.to_string())?;
            Ok(text)
        }
        _ => Err(usage.to_string()),
    }
}

fn main() -> ExitCode {
    let written = run().and_then(|text| {
        std::io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("kcfaes-vectors: {reason}");
            ExitCode::from(2)
        }
    }
}
