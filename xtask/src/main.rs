// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask VERB`: every part of the build that cargo does not do by itself.
//!
//! The two rooms of the kernel object and their audit, the C headers, libkcfaes, and the list of
//! checks that a change must pass. The verbs of the Makefile are these.

mod aarch64;
mod abi;
mod audit;
mod bench;
mod cavp;
mod check;
mod check_full;
mod consumers;
mod cpus;
mod crates;
mod cstyle;
mod ct;
mod deb;
mod deny;
mod dist;
mod documents;
mod elf;
mod flow;
mod fuzz;
mod gate;
mod headers;
mod install;
mod kmod;
mod layers;
mod layout;
mod library;
mod licences;
mod loops;
mod machine;
mod manual;
mod miri;
mod mutants;
mod package;
mod process;
mod reproducible;
mod ring0;
mod rooms;
mod rust_source;
mod sbom;
mod sections;
mod setup;
mod simulate;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

type Result<T> = core::result::Result<T, Box<dyn core::error::Error>>;

const USAGE: &str = "\
usage: cargo xtask VERB

  demo           runs every test vector through the registered ops vector of a userland KCF,
                 into which the kernel object is loaded
  check          all checks and tests
                 (check --full: the exhaustive variants too, hours; says how long each part takes, ends
                 with a table; with RESUME=1 after a failure it goes on with the part that failed)
  consumers      replays illumos' consumers of AES through the userland KCF, checks what comes out,
                 and times each beside contiguous data (consumers --check: results only)
  bench          builds other libraries and measures them, this one and the machine's limit in one
                 interleaved run (bench --quick: less, with those that are built)
  simulate       simulates each hot loop of the kernels on llvm's models of four processors, and fails for
                 one that is slower than its bound without a known reason
  rooms          builds the two rooms of the kernel object: target/rooms/{kernels,provider,kcfaes_rooms}.o
  audit          builds the rooms and proves their contracts on the objects
  layers         checks that the modules of each room only use those below them
  kmod           builds and audits the kernel modules and runs them in the userland KCF;
                 with GATE=DIR, a checkout of illumos-gate: builds and audits those that illumos can
                 load, target/illumos/{kcfaes,aes,kcfaes_test}
  illumos        GATE=DIR: the same, packed with their places, modes and owners:
                 target/illumos/{kcfaes,kcfaes-aes}-VERSION.tar
  ct             checks that no branch and no address depends on a secret, by single steps and by
                 valgrind (ct --quick: a subset)
  fuzz           [SECONDS] runs each fuzz target for so long, under AddressSanitizer
                 (fuzz --corpus: stores anew the corpus that they begin with)
  miri           runs tests in Miri, which finds accesses that Rust's rules forbid
  tsan           runs threads under ThreadSanitizer, which finds data races
  mutants        plants faults in the provider room, one by one, and fails unless the tests notice them
                 (hours; a run that was interrupted goes on where it was)
  aarch64        cross-builds libkcfaes for AArch64, and runs its tests, every vector and the examples
                 under QEMU
  cavp           runs the complete CAVP set of GCM, which it takes from a registry, on every table
  cpus           proves which table runs on which model of processor, emulated by QEMU
  ring0          boots the rooms and the module's C in ring 0 under QEMU and Bochs
  headers        writes include/*.h and the symbol map from the Rust sources
                 (headers --check: fails where a committed one is stale or does not compile)
  lib            builds target/lib/libkcfaes.{a,so}, which make install installs without cargo
                 (lib --illumos: target/lib/illumos/libkcfaes.a)
  examples       compiles examples/*.c against both libraries and runs them
  installation   installs libkcfaes in folders of its own, as make install does, and builds programs there
  abi            compares the binary interface of libkcfaes.so with the committed one
                 (abi --accept: commits the one that is built)
  dist           makes target/dist/kcfaes-VERSION.tar.gz, -vendor.tar.gz with the crates that it needs, and what
                 library and module consist of, as SPDX documents
                 (dist --check: unpacks both, and builds and tests them without a network)
  reproducible   builds library, modules and tarball in two folders, and compares every file byte for byte
  deny           checks the crates of others with cargo-deny: licences, bans, sources; advisories too, if
                 KCFAES_ADVISORIES is the URL of a database of them
  crates         packs the crates for Rust users as they are published, builds each from its package, and tests
                 the crate kcfaes with all of its features and with none
  deb            builds Debian's packages from the tarballs, without a network, and runs lintian on them
  licences       checks that every file says its licence (reuse lint), and that NOTICE has those of the crates
                 in the objects
  manual         checks the manual pages against kcfaes.h
  cstyle         checks the form of kmod/*.c
  documents      looks up every command that a document shows, and runs those that take seconds
  setup          [VERB] installs, as root, what check or VERB needs and the machine lacks, by apt-get and
                 rustup, or prints how to

demo and check begin with that by themselves. Every other verb names what is missing, and stops.
";

/// Where things are.
struct Tree {
    /// The repository.
    root: PathBuf,
    /// `target/`, or what CARGO_TARGET_DIR says.
    target: PathBuf,
    /// Whether this verb may install what the machine lacks.
    installs: bool,
}

impl Tree {
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("xtask is not inside the repository")?
            .to_path_buf();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { target: root.join(target), root, installs: false })
    }

    /// The files in a folder that have one of these extensions, in order.
    fn files(&self, folder: &str, extensions: &[&str]) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in self.root.join(folder).read_dir()? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extensions.iter().any(|&one| extension == one))
            {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Where tests put their folders: nothing of ours stays in the system's.
#[cfg(test)]
fn scratch() -> PathBuf {
    let folder = Tree::find().expect("a repository").target.join("tmp");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<()> {
    let mut tree = Tree::find()?;
    tree.installs = matches!(args, ["demo" | "check" | "setup", ..]);
    if let [
        verb @ ("demo" | "check" | "consumers" | "bench" | "simulate" | "rooms" | "audit" | "kmod"
        | "illumos" | "ct" | "fuzz" | "cavp" | "cpus" | "ring0" | "tsan" | "mutants"),
        ..,
    ] = args
    {
        machine::require_x86_64(verb)?;
    }
    match args {
        ["setup", verb @ ..] => {
            let verb = if verb.is_empty() { &["check"] } else { verb };
            let mut needs = needs(verb).to_vec();
            match verb {
                ["bench"] => needs.extend(bench::needs()),
                ["check", rest @ ..] => needs.extend(check::needs(rest.contains(&"--full"))),
                _ => {}
            }
            return setup::setup(&tree, &needs);
        }
        _ => setup::setup(&tree, needs(args))?,
    }
    match args {
        ["rooms"] => rooms::build(&tree).map(drop),
        ["audit"] => audit::command(&tree),
        ["layers"] => layers::command(&tree),
        ["kmod", rest @ ..] => kmod::command(&tree, rest),
        ["illumos", rest @ ..] => package::command(&tree, rest),
        ["cavp"] => cavp::command(&tree),
        ["cpus"] => cpus::command(&tree),
        ["aarch64"] => aarch64::command(&tree),
        ["ring0"] => ring0::command(&tree),
        ["fuzz", rest @ ..] => fuzz::command(&tree, rest),
        ["miri"] => miri::command(&tree),
        ["tsan"] => miri::threads(&tree),
        ["mutants"] => mutants::command(&tree),
        ["headers"] => headers::write(&tree),
        ["headers", "--check"] => headers::check(&tree),
        ["lib", "--illumos"] => library::build_illumos(&tree),
        ["lib"] => library::build(&tree).map(drop),
        ["examples"] => library::run_examples(&tree),
        ["installation"] => install::check(&tree),
        ["simulate"] => simulate::command(&tree),
        ["reproducible"] => reproducible::command(&tree),
        ["dist"] => dist::release(&tree).map(drop),
        ["deny"] => deny::command(&tree),
        ["dist", "--check"] => dist::check(&tree),
        ["abi"] => abi::command(&tree, false),
        ["abi", "--accept"] => abi::command(&tree, true),
        ["crates"] => crates::command(&tree),
        ["deb"] => deb::command(&tree),
        ["licences"] => licences::command(&tree),
        ["cstyle"] => cstyle::command(&tree),
        ["documents"] => documents::command(&tree),
        ["manual"] => manual::check(&tree),
        ["ct", rest @ ..] => ct::command(&tree, rest),
        ["check"] => check::check(&tree),
        ["check", "--full"] => check_full::command(&tree, false),
        ["check", "--full", "RESUME=1"] => check_full::command(&tree, true),
        ["check", "--part", name] => check_full::part(&tree, name),
        ["demo", rest @ ..] => check::demo(&tree, rest),
        ["consumers", rest @ ..] => consumers::command(&tree, rest),
        ["bench", rest @ ..] => bench::bench(&tree, rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!("no such verb: {}\n\n{USAGE}", other.join(" ")).into()),
    }
}

/// What a verb needs.
fn needs(args: &[&str]) -> &'static [setup::Need] {
    match args {
        ["demo" | "consumers" | "bench" | "cavp", ..] => setup::DEMO,
        ["rooms" | "audit" | "kmod" | "illumos", ..] => setup::ROOMS,
        ["cpus", ..] => setup::CPUS,
        ["aarch64"] => setup::AARCH64,
        ["abi", ..] => setup::ABI,
        ["deb"] => setup::DEB,
        ["reproducible"] => setup::ROOMS,
        ["dist"] => setup::DIST,
        ["dist", "--check"] => setup::DIST_CHECK,
        ["deny"] => setup::DENY,
        ["ct", ..] => setup::CT,
        ["ring0", ..] => setup::RING0,
        ["simulate", ..] => setup::SIMULATE,
        ["fuzz", ..] => setup::FUZZ,
        ["miri"] => setup::MIRI,
        ["tsan"] => setup::TSAN,
        ["mutants"] => setup::MUTANTS,
        ["lib", "--illumos"] => setup::ILLUMOS_LIBRARY,
        ["lib" | "examples", ..] => setup::LIBRARY,
        ["headers", ..] => setup::HEADERS,
        ["check" | "documents" | "installation" | "manual", ..] => setup::CHECK,
        _ => &[],
    }
}
