// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which table runs on which processor. QEMU's user mode emulates models of processors that this
//! machine is not. It does not have the instructions beyond AVX2 and VAES. One test sees the kernels
//! that a call in the userland KCF reaches (ffi-tests/tests/dispatch.rs). The other sees the tables
//! that libkcfaes, which asks the processor itself, has and chooses.

use std::process::{Command, Stdio};

use crate::process::{cargo, output, run};
use crate::{Result, Tree, library};

/// Models, and the tables that each has. The last of its tables must be chosen.
const CPUS: [(&str, &str); 14] = [
    // No AES.
    ("qemu64", "portable"),
    ("Penryn", "portable"),
    ("Nehalem", "portable"),
    ("phenom", "portable"),
    // One of the four features of `aesni` is missing.
    ("Westmere,-aes", "portable"),
    ("Westmere,-pclmulqdq", "portable"),
    ("qemu64,+aes,+pclmulqdq,+sse4.1", "portable"),
    ("Westmere,-sse4.1", "portable"),
    // AVX2 and VAES do not make up for it.
    ("max,-aes", "portable"),
    ("Westmere", "portable,aesni"),
    ("Haswell", "portable,aesni"),
    ("EPYC", "portable,aesni"),
    // VAES without VPCLMULQDQ, and VAES that nobody may use.
    ("max,-vpclmulqdq", "portable,aesni"),
    ("max,-avx,-avx2", "portable,aesni"),
];

const TABLES: [&str; 4] = ["portable", "aesni", "vaes256", "vaes512"];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let test = ["test", "--quiet", "--package=kcfaes-ffi-tests", "--test=dispatch"];
    run(cargo(tree).args(test).arg("--no-run"))?;
    let which = library::example(tree, "which")?;
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let runner = host.trim().to_uppercase().replace('-', "_");
    for (cpu, tables) in CPUS {
        let emulated = ["qemu-x86_64", "-cpu", cpu];
        said(
            cargo(tree)
                .args(test)
                .env(format!("CARGO_TARGET_{runner}_RUNNER"), emulated.join(" "))
                .env("KCFAES_TABLES", tables),
        )
        .map_err(|error| format!("{cpu}: not the kernels of {tables}\n{error}"))?;
        let report = said(Command::new(emulated[0]).args(&emulated[1..]).arg(&which))
            .and_then(|report| agrees(&report, tables).map(|()| report));
        report.map_err(|error| format!("{cpu}: libkcfaes has not {tables}\n{error}"))?;
        println!("{cpu}: {tables}");
    }
    println!("each call ran the kernels of its table on {} models of processors", CPUS.len());
    Ok(())
}

/// Whether `examples/which` found these tables and no others, chose the last, and tested them.
fn agrees(report: &str, tables: &str) -> Result<()> {
    let has: Vec<&str> = tables.split(',').collect();
    let says = |name: &str, what: &str| {
        report.lines().any(|line| line.split_whitespace().eq([name, what]))
    };
    let chosen = says("table", has[has.len() - 1]);
    let right = TABLES.iter().all(|table| says(table, "available") == has.contains(table));
    if chosen && right && says("self-test", "passed") { Ok(()) } else { Err(report.into()) }
}

/// What a command printed. If the command fails, the error has that and its complaints.
fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(said.into());
    }
    Err(format!("{}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

#[cfg(test)]
mod tests {
    use super::agrees;

    #[test]
    fn another_table_is_seen() {
        let report = |table: &str, aesni: &str, test: &str| {
            format!("table {table}\nportable available\naesni {aesni}\nself-test {test}\n")
        };
        assert!(agrees(&report("aesni", "available", "passed"), "portable,aesni").is_ok());
        for (table, aesni, test) in [
            ("portable", "available", "passed"),
            ("aesni", "not here", "passed"),
            ("aesni", "available", "FAILED"),
        ] {
            assert!(agrees(&report(table, aesni, test), "portable,aesni").is_err());
        }
        assert!(agrees(&report("portable", "available", "passed"), "portable").is_err());
    }
}
