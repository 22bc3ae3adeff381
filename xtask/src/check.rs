// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of checks that a change must pass, and the programs that show what the library does.

use std::process::Command;
use std::time::Instant;

use crate::process::{cargo, cargo_of, joined, run};
use crate::setup::Need;
use crate::{
    Result, Tree, aarch64, abi, audit, cavp, cpus, crates, cstyle, ct, deb, deny, dist, documents,
    fuzz, headers, install, kmod, layers, library, licences, manual, miri, reproducible, ring0,
    setup, simulate,
};

/// One part of the check.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// The second argument asks for all that the part can do, for `make check-full`.
    step: fn(&Tree, bool) -> Result<()>,
    needs: &'static [Need],
    /// Where its needs cannot be had: the part is NOT RUN. Otherwise it fails.
    optional: bool,
    /// It is a part of `make check-full` only.
    pub(crate) full: bool,
    /// About how long it takes in `make check-full`. Measured: two cores, nothing built yet.
    pub(crate) seconds: u32,
    /// What says the number of its cases in its output: `#` stands for the number. Empty if nothing does.
    pub(crate) counts: &'static str,
}

impl Part {
    const fn new(
        name: &'static str,
        seconds: u32,
        counts: &'static str,
        step: fn(&Tree, bool) -> Result<()>,
    ) -> Self {
        Self { name, step, needs: &[], optional: false, full: false, seconds, counts }
    }

    /// It needs more than the others, and fails where that cannot be had.
    const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    /// It needs what not every machine can have.
    const fn if_had(self, needs: &'static [Need]) -> Self {
        Self { needs, optional: true, ..self }
    }

    const fn full(self) -> Self {
        Self { full: true, ..self }
    }

    /// Runs the part. What is missing here, if it is NOT RUN.
    pub(crate) fn run(&self, tree: &Tree, full: bool) -> Result<Option<String>> {
        if self.optional {
            if let Some(missing) = setup::missing(tree, self.needs) {
                return Ok(Some(missing));
            }
        } else {
            setup::setup(tree, self.needs)?;
        }
        (self.step)(tree, full).map(|()| None)
    }
}

/// In the order in which they run. What a part runs is built by those before it, where they build the same.
pub(crate) const PARTS: [Part; 36] = [
    Part::new("rustfmt", 2, "", |tree, _| {
        // The comparison's peers and the fuzz targets are workspaces of their own.
        ["Cargo.toml", "bench/peers/Cargo.toml", "fuzz/Cargo.toml"].into_iter().try_for_each(
            |workspace| {
                run(cargo(tree).args(["fmt", "--all", "--check", "--manifest-path", workspace]))
            },
        )
    }),
    Part::new("licences", 10, "", |tree, _| licences::command(tree)),
    Part::new("C style", 1, "", |tree, _| cstyle::command(tree)),
    Part::new("manual pages", 1, "# functions", |tree, _| manual::check(tree)),
    Part::new("vector checksums", 1, "", |tree, _| {
        run(Command::new("sha256sum")
            .args(["--check", "--quiet", "--strict", "SHA256SUMS"])
            .current_dir(tree.root.join("vectors")))
    }),
    Part::new("headers", 2, "", |tree, _| headers::check(tree)),
    Part::new("layers", 1, "# imports", |tree, _| layers::command(tree)),
    Part::new("clippy", 60, "", |tree, _| clippy(tree)),
    Part::new("rustdoc", 10, "", |tree, _| {
        run(cargo(tree)
            .args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    }),
    Part::new("rooms and their audit", 20, "# functions", |tree, _| audit::command(tree)),
    Part::new("modules, run in userland", 40, "# calls", |tree, _| kmod::command(tree, &[])),
    Part::new("library and examples", 10, "", |tree, _| library::run_examples(tree)),
    Part::new("plain C API", 20, "# passed", |tree, _| library::test_api(tree)),
    Part::new("installation", 20, "", |tree, _| install::check(tree)),
    Part::new("userland KCF", 5, "# passed", |tree, _| {
        run(Command::new("make")
            .args(["-C", "ffi-tests/fakekernel", "check"])
            .arg(joined("OUT=", &tree.target.join("fakekernel")))
            // What `make CFLAGS=` says is not for this make.
            .env_remove("MAKEFLAGS")
            .current_dir(&tree.root))
    }),
    Part::new("tests", 250, "# passed", |tree, _| {
        run(cargo(tree).args(["test", "--quiet", "--workspace"]))
    }),
    Part::new("crates", 40, "# passed", |tree, _| crates::command(tree)),
    // What this runs is built by now.
    Part::new("documents' commands", 5, "# commands", |tree, _| documents::command(tree)),
    Part::new("constant time, traces", 1800, "all: # cases", ct::trace),
    Part::new("library on AArch64, emulated", 60, "# passed", |tree, _| aarch64::command(tree))
        .needs(setup::AARCH64),
    Part::new("binary interface", 10, "", |tree, _| abi::command(tree, false)).needs(setup::ABI),
    Part::new("crates of others", 60, "", |tree, _| deny::command(tree)).needs(setup::DENY).full(),
    Part::new("reproducible builds", 90, "# files", |tree, _| reproducible::command(tree))
        .needs(setup::ROOMS)
        .full(),
    Part::new("complete CAVP set of GCM", 210, "# passed", |tree, _| cavp::command(tree))
        .needs(setup::PYTHON)
        .full(),
    Part::new("tarballs, built and tested without a network", 600, "# passed", |tree, _| {
        dist::check(tree)
    })
    .needs(setup::DIST_CHECK)
    .full(),
    Part::new("Miri", 300, "# passed", |tree, _| miri::command(tree)).needs(setup::MIRI).full(),
    Part::new("ThreadSanitizer", 150, "# passed", |tree, _| miri::threads(tree))
        .needs(setup::TSAN)
        .full(),
    Part::new("Debian packages", 120, "", |tree, _| deb::command(tree)).needs(setup::DEB).full(),
    // The exhaustive variants are tests marked as ignored.
    Part::new("exhaustive tests", 600, "# passed", |tree, _| {
        run(cargo(tree).args(["test", "--quiet", "--workspace", "--release", "--", "--ignored"]))
    })
    .full(),
    Part::new("ring 0, emulated", 120, "# checks", |tree, _| ring0::command(tree))
        .needs(setup::RING0)
        .full(),
    Part::new("library for illumos", 5, "# functions", |tree, _| library::build_illumos(tree))
        .if_had(setup::ILLUMOS_LIBRARY),
    Part::new("tables by processor, emulated", 20, "# models", |tree, _| cpus::command(tree))
        .if_had(setup::CPUS),
    Part::new("oldest compiler", 5, "", |tree, _| oldest_compiler(tree)).if_had(setup::OLDEST),
    Part::new("fuzz targets", 180, "", |tree, _| fuzz::check(tree)).if_had(setup::FUZZ),
    Part::new("constant time, memcheck", 180, "all: # cases", ct::memcheck).if_had(setup::CT),
    Part::new("hot loops, simulated", 40, "", |tree, _| simulate::command(tree))
        .if_had(setup::SIMULATE)
        .full(),
];

/// What the parts need that must run, beside the needs of all.
pub(crate) fn needs(full: bool) -> impl Iterator<Item = Need> {
    let parts = PARTS.iter().filter(move |part| !part.optional && (full || !part.full));
    parts.flat_map(|part| part.needs).copied()
}

/// `make check`: all parts but those of `make check-full`, one after the other, until one fails.
pub(crate) fn check(tree: &Tree) -> Result<()> {
    let begin = Instant::now();
    let mut not_run = String::new();
    for part in PARTS.iter().filter(|part| !part.full) {
        let name = part.name;
        println!("== {name}");
        let begin = Instant::now();
        match part.run(tree, false).map_err(|error| format!("{name}: {error}"))? {
            None => println!("== {name}: passed, {:.1} s", begin.elapsed().as_secs_f32()),
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
