// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which table runs on which processor. QEMU's user mode emulates models of processors that this
//! machine is not. It does not have the instructions beyond AVX2 and VAES. One test sees the kernels
//! that a call in the userland KCF reaches (ffi-tests/tests/dispatch.rs). The other sees the tables
//! that libkcfaes, which asks the processor itself, has and chooses.

use std::process::{Command, Stdio};

use crate::process::{cargo, output, run};
use crate::{Result, Tree, library};

/// Models, and the tables that each has. The last of its tables must be chosen. Then what libkcfaes says that
/// the model lacks for the next table.
const CPUS: [(&str, &str, &str); 14] = [
    // No AES.
    ("qemu64", "portable", "AES-NI"),
    ("Penryn", "portable", "AES-NI"),
    ("Nehalem", "portable", "AES-NI"),
    ("phenom", "portable", "AES-NI"),
    // One of the four features of `aesni` is missing.
    ("Westmere,-aes", "portable", "AES-NI"),
    ("Westmere,-pclmulqdq", "portable", "PCLMULQDQ"),
    ("qemu64,+aes,+pclmulqdq,+sse4.1", "portable", "SSSE3"),
    ("Westmere,-sse4.1", "portable", "SSE4.1"),
    // AVX2 and VAES do not make up for it.
    ("max,-aes", "portable", "AES-NI"),
    ("Westmere", "portable,aesni", "AVX, or the system has not enabled it"),
    ("Haswell", "portable,aesni", "VAES"),
    ("EPYC", "portable,aesni", "VAES"),
    // VAES without VPCLMULQDQ, and VAES that nobody may use.
    ("max,-vpclmulqdq", "portable,aesni", "VPCLMULQDQ"),
    ("max,-avx,-avx2", "portable,aesni", "AVX, or the system has not enabled it"),
];

/// What neither this machine nor QEMU is, and what is known of it nevertheless.
const NOT_RUN: &str = "\
NOT RUN: a processor with VAES and VPCLMULQDQ that lacks AVX-512 (QEMU has no such model); a system that
has not enabled zmm registers (XCR0) on a processor that has them; a model of processor on which 512-bit
registers are slow. For all of them rust-core/provider/tests/feature_sets.rs tests which table is chosen, the
audit that the table's kernels have no instruction beyond its features, and the tests of ffi-tests run its
kernels here.";

const TABLES: [&str; 4] = ["portable", "aesni", "vaes256", "vaes512"];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let test = ["test", "--quiet", "--package=kcfaes-ffi-tests", "--test=dispatch"];
    run(cargo(tree).args(test).arg("--no-run"))?;
    let which = library::example(tree, "which")?;
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let runner = host.trim().to_uppercase().replace('-', "_");
    for (cpu, tables, lacks) in CPUS {
        let emulated = ["qemu-x86_64", "-cpu", cpu];
        said(
            cargo(tree)
                .args(test)
                .env(format!("CARGO_TARGET_{runner}_RUNNER"), emulated.join(" "))
                .env("KCFAES_TABLES", tables),
        )
        .map_err(|error| format!("{cpu}: not the kernels of {tables}\n{error}"))?;
        let report = said(Command::new(emulated[0]).args(&emulated[1..]).arg(&which))
            .and_then(|report| agrees(&report, tables, lacks).map(|()| report));
        report.map_err(|error| format!("{cpu}: not {tables}, lacking {lacks}\n{error}"))?;
        println!("{cpu}: {tables}, lacks {lacks}");
    }
    println!("each call ran the kernels of its table on {} models of processors", CPUS.len());
    println!("{NOT_RUN}");
    Ok(())
}

/// Whether `examples/which` found these tables and no others, chose the last, and tested them; and whether it
/// names the missing feature as the reason for the next one, and only for tables that are missing.
fn agrees(report: &str, tables: &str, lacks: &str) -> Result<()> {
    let has: Vec<&str> = tables.split(',').collect();
    let says = |name: &str, what: &str| {
        report.lines().any(|line| line.split_whitespace().eq([name, what]))
    };
    let chosen = says("table", has[has.len() - 1]);
    let right = TABLES.iter().all(|table| says(table, "available") == has.contains(table));
    let reasons: Vec<_> =
        report.lines().filter_map(|line| line.trim().strip_prefix("this CPU lacks ")).collect();
    let explained = reasons.len() == TABLES.len() - has.len() && reasons[0] == lacks;
    if chosen && right && explained && says("self-test", "passed") {
        Ok(())
    } else {
        Err(report.into())
    }
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
            format!(
                "table {table}\nportable available\naesni {aesni}\n\
                 vaes256 not here\n this CPU lacks VAES\n\
                 vaes512 not here\n this CPU lacks VAES\nself-test {test}\n"
            )
        };
        let right = report("aesni", "available", "passed");
        assert!(agrees(&right, "portable,aesni", "VAES").is_ok());
        assert!(agrees(&right, "portable,aesni", "AVX2").is_err());
        let unexplained = right.replacen(" this CPU lacks VAES\n", "", 1);
        assert!(agrees(&unexplained, "portable,aesni", "VAES").is_err());
        for (table, aesni, test) in [
            ("portable", "available", "passed"),
            ("aesni", "not here", "passed"),
            ("aesni", "available", "FAILED"),
        ] {
            assert!(agrees(&report(table, aesni, test), "portable,aesni", "VAES").is_err());
        }
        assert!(agrees(&report("portable", "available", "passed"), "portable", "VAES").is_err());
    }
}
