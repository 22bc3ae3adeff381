// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of checks that a change must pass, and the programs that show what the library does.

use std::process::Command;
use std::time::Instant;

use crate::process::{cargo, cargo_of, joined, run};
use crate::{
    Result, Tree, aarch64, abi, audit, cpus, crates, cstyle, ct, deb, dist, documents, fuzz,
    headers, install, kmod, layers, library, licences, manual, setup, simulate,
};

/// A check's name and what it does.
type Step = (&'static str, fn(&Tree) -> Result<()>);

/// The steps that need what not every machine can have.
const OPTIONAL: [(Step, &[setup::Need]); 4] = [
    (("library for illumos", library::build_illumos), setup::ILLUMOS_LIBRARY),
    (("tables by processor, emulated", cpus::command), setup::CPUS),
    (("oldest compiler", oldest_compiler), setup::OLDEST),
    (("fuzz targets", fuzz::check), setup::FUZZ),
];

/// The steps that need more than the others, and fail where it cannot be had.
const REQUIRED: [(Step, &[setup::Need]); 2] = [
    (("library on AArch64, emulated", aarch64::command), setup::AARCH64),
    (("binary interface", |tree| abi::command(tree, false)), setup::ABI),
];

/// Those of the full check only: they take minutes.
const PACKAGING: [(Step, &[setup::Need]); 2] = [
    (("tarballs, built and tested without a network", dist::check), setup::ROOMS),
    (("Debian packages", deb::command), setup::DEB),
];

const STEPS: [Step; 18] = [
    ("rustfmt", |tree| {
        // The comparison's peers and the fuzz targets are workspaces of their own.
        ["Cargo.toml", "bench/peers/Cargo.toml", "fuzz/Cargo.toml"].into_iter().try_for_each(
            |workspace| {
                run(cargo(tree).args(["fmt", "--all", "--check", "--manifest-path", workspace]))
            },
        )
    }),
    ("licences", licences::command),
    ("C style", cstyle::command),
    ("manual pages", manual::check),
    ("vector checksums", |tree| {
        run(Command::new("sha256sum")
            .args(["--check", "--quiet", "--strict", "SHA256SUMS"])
            .current_dir(tree.root.join("vectors")))
    }),
    ("headers", headers::check),
    ("layers", layers::command),
    ("clippy", clippy),
    ("rustdoc", |tree| {
        run(cargo(tree)
            .args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("rooms and their audit", audit::command),
    ("modules, run in userland", |tree| kmod::command(tree, &[])),
    ("library and examples", library::run_examples),
    ("plain C API", library::test_api),
    ("installation", install::check),
    ("userland KCF", |tree| {
        run(Command::new("make")
            .args(["-C", "ffi-tests/fakekernel", "check"])
            .arg(joined("OUT=", &tree.target.join("fakekernel")))
            // What `make CFLAGS=` says is not for this make.
            .env_remove("MAKEFLAGS")
            .current_dir(&tree.root))
    }),
    ("tests", |tree| run(cargo(tree).args(["test", "--quiet", "--workspace"]))),
    ("crates", crates::command),
    // What this runs is built by now.
    ("documents' commands", documents::command),
];

/// What the steps need that must run, beside the needs of all.
pub(crate) fn needs(full: bool) -> impl Iterator<Item = setup::Need> {
    let packaging = full.then_some(PACKAGING).into_iter().flatten();
    REQUIRED.into_iter().chain(packaging).flat_map(|(_, needs)| needs.iter().copied())
}

pub(crate) fn check(tree: &Tree, full: bool) -> Result<()> {
    let begin = Instant::now();
    let (traces, memcheck): (Step, Step) = if full {
        (
            ("constant time, traces", |tree| ct::trace(tree, true)),
            ("constant time, memcheck", |tree| ct::memcheck(tree, true)),
        )
    } else {
        (
            ("constant time, traces of a subset", |tree| ct::trace(tree, false)),
            ("constant time, memcheck of a subset", |tree| ct::memcheck(tree, false)),
        )
    };
    for (name, step) in STEPS.into_iter().chain([traces]) {
        timed(name, || step(tree))?;
    }
    let packaging = full.then_some(PACKAGING).into_iter().flatten();
    for ((name, step), needs) in REQUIRED.into_iter().chain(packaging) {
        timed(name, || setup::setup(tree, needs).and_then(|()| step(tree)))?;
    }
    if full {
        // The exhaustive variants are tests marked as ignored.
        timed("exhaustive tests", || {
            run(cargo(tree).args([
                "test",
                "--quiet",
                "--workspace",
                "--release",
                "--",
                "--ignored",
            ]))
        })?;
    }
    let mut not_run = String::new();
    let simulation: Option<(Step, _)> =
        full.then_some((("hot loops, simulated", simulate::command), setup::SIMULATE));
    let optional = OPTIONAL.into_iter().chain([(memcheck, setup::CT)]).chain(simulation);
    for ((name, step), needs) in optional {
        match setup::missing(tree, needs) {
            None => timed(name, || step(tree))?,
            Some(missing) => {
                println!("== {name}: NOT RUN, missing here: {missing}");
                not_run.push_str(&format!("; NOT RUN: {name}"));
            }
        }
    }
    let all = if not_run.is_empty() { "all checks" } else { "all other checks" };
    println!("{all} passed in {:.0} s{not_run}", begin.elapsed().as_secs_f32());
    Ok(())
}

fn timed(name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let begin = Instant::now();
    step().map_err(|error| format!("{name}: {error}"))?;
    println!("== {name}: passed, {:.1} s", begin.elapsed().as_secs_f32());
    Ok(())
}

/// What is shipped builds with the oldest compiler that the workspace names.
fn oldest_compiler(tree: &Tree) -> Result<()> {
    run(cargo_of(setup::OLDEST_RUST, tree)
        .args(["check", "--quiet", "--package=kcfaes-capi", "--package=kcfaes", "--target-dir"])
        .arg(tree.target.join("oldest"))
        // Some of its warnings were mistakes.
        .env("RUSTFLAGS", "-Awarnings"))
}

/// Clippy of everything, including the two forms of capi that only artifacts have.
fn clippy(tree: &Tree) -> Result<()> {
    run(cargo(tree).args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    for artifact in ["kernel", "userland"] {
        let target = tree.target.join("clippy-artifact");
        run(cargo(tree)
            .args(["clippy", "--quiet", "--package=kcfaes-capi", "--lib"])
            .args(["--target=x86_64-unknown-none", "--target-dir"])
            .arg(target)
            .args(["--", "-D", "warnings"])
            .env("CARGO_ENCODED_RUSTFLAGS", format!("--cfg=kcfaes_artifact={artifact:?}")))?;
    }
    Ok(())
}

/// Runs every vector through the registered ops vector of the userland KCF. It is the kernel object's own.
/// Where a tool is missing to build that object, it is a userland build's, and the program says so.
pub(crate) fn demo(tree: &Tree, arguments: &[&str]) -> Result<()> {
    let mut demo = program(tree, "demo");
    with_object(tree, &mut demo)?;
    run(demo.args(arguments))
}

/// Gives the program the kernel object or, where it cannot be built, the reason.
pub(crate) fn with_object(tree: &Tree, program: &mut Command) -> Result<()> {
    match setup::missing(tree, setup::ROOMS) {
        None => program.env("KCFAES_OBJECTS", kmod::userland_objects(tree)?),
        Some(missing) => program.env("KCFAES_NO_OBJECT", format!("missing here: {missing}")),
    };
    Ok(())
}

/// A program of ffi-tests, optimised. It has the modules' objects only if they are given to it.
pub(crate) fn program(tree: &Tree, name: &str) -> Command {
    let mut program = cargo(tree);
    program.env_remove("KCFAES_OBJECTS");
    program.args([
        "run",
        "--quiet",
        "--release",
        "--package=kcfaes-ffi-tests",
        "--bin",
        name,
        "--",
    ]);
    program
}

#[cfg(test)]
mod tests {
    /// The exponent of a power of two, such as 2^48.
    fn exponent(power: &str) -> i32 {
        let digits = power.strip_prefix("2^").and_then(|rest| rest.split_whitespace().next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{power}"))
    }

    /// log2 of a risk of the page, such as `5 b^2 / 2^128`, at 2^`count`. L is 2^32.
    fn risk(formula: &str, count: i32) -> f64 {
        let (above, below) = formula.split_once(" / ").expect("a fraction");
        let factor = match above {
            "n^2" | "b^2" => 0.0,
            "(2b)^2" => 2.0,
            "5 b^2" => 5_f64.log2(),
            "n^2 L" => 32.0,
            other => panic!("{other}"),
        };
        factor + f64::from(2 * count - exponent(below))
    }

    /// man kcfaes_limits: each number keeps the risk that its own formula states within 2^-32, and a doubled
    /// number does not; bytes and blocks agree; the risks of forgeries are those of their formulas.
    #[test]
    fn the_limits_of_a_key_add_up() {
        let page = include_str!("../../man/kcfaes_limits.3");
        let rows = page.lines().filter_map(|line| line.strip_prefix(".It "));
        let rows: Vec<Vec<_>> = rows.map(|row| row.split(" Ta ").collect()).collect();
        let mut seen = 0;
        for row in rows.iter().filter(|row| !row[0].starts_with("Sy") && row.len() > 2) {
            match row.as_slice() {
                [_, formula, risks @ ..] if formula.ends_with("2^t") => {
                    // L of 64 KiB is 2^12 blocks and one.
                    let blocks = if formula.starts_with('L') { 12 } else { 0 };
                    let risks: Vec<_> = risks.iter().map(|risk| exponent(risk)).collect();
                    assert_eq!(risks, [128, 64, 32].map(|bits| blocks - bits), "{row:?}");
                }
                [_, count, rest @ .., formula] => {
                    let count = exponent(count);
                    let log2 = risk(formula, count);
                    assert!(log2 <= -32.0 && log2 > -34.0, "{row:?}: 2^{log2}");
                    if let [bytes] = rest {
                        let pib = bytes.strip_suffix(" PiB").and_then(|n| n.parse().ok());
                        assert_eq!(pib, Some(1_u64 << (count + 4 - 50)), "{row:?}");
                    }
                }
                _ => panic!("{row:?}"),
            }
            seen += 1;
        }
        assert_eq!(seen, 12, "rows");
    }
}
