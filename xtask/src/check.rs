// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of checks that a change must pass, and the programs that show what the library does.

use std::process::Command;
use std::time::Instant;
use std::{fs, io};

use crate::process::{cargo, cargo_of, joined, run};
use crate::rust_source::Source;
use crate::{
    Result, Tree, aarch64, abi, audit, cpus, cstyle, ct, deb, dist, fuzz, headers, install, kmod,
    layers, library, licences, setup, simulate,
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

const STEPS: [Step; 15] = [
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
    ("manual pages", manual_pages),
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
    ("userland KCF", |tree| {
        run(Command::new("make")
            .args(["-C", "ffi-tests/fakekernel", "check"])
            .arg(joined("OUT=", &tree.target.join("fakekernel")))
            .current_dir(&tree.root))
    }),
    ("tests", |tree| run(cargo(tree).args(["test", "--quiet", "--workspace"]))),
];

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
        timed(name, || setup::setup(needs).and_then(|()| step(tree)))?;
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
        match setup::missing(needs) {
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

/// Every page passes mandoc's checks, and every function of the plain C API is in one of them.
fn manual_pages(tree: &Tree) -> Result<()> {
    let mut pages = install::manual(tree)?;
    pages.push(tree.root.join("kmod/kcfaes.4"));
    run(Command::new("mandoc").args(["-Tlint", "-Wwarning"]).args(&pages))?;
    let texts: Vec<String> = pages.iter().map(fs::read_to_string).collect::<io::Result<_>>()?;
    for name in Source::read(&tree.root.join("rust-core/capi/src/api/mod.rs"))?.exports() {
        let named = |text: &String| {
            text.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| word == name)
        };
        if !texts.iter().any(named) {
            return Err(format!("{name} is in no manual page").into());
        }
    }
    Ok(())
}

/// What is shipped builds with the oldest compiler that the workspace names.
fn oldest_compiler(tree: &Tree) -> Result<()> {
    run(cargo_of(setup::OLDEST_RUST, tree)
        .args(["check", "--quiet", "--package=kcfaes-capi", "--target-dir"])
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
            .args(["--", "-D", "warnings", "--cfg"])
            .arg(format!("kcfaes_artifact={artifact:?}")))?;
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
    match setup::missing(setup::ROOMS) {
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
