// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make bench`: builds the other libraries, each as its own peer, and runs the comparison.
//!
//! The report names a peer that cannot be built, with the reason. The others go on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use crate::process::{cargo, run};
use crate::setup::{Need, setup};
use crate::{Result, Tree};

/// A library to compare with.
struct Peer {
    /// Its name in the report.
    name: &'static str,
    /// Its package in `bench/peers`, without "kcfaes-peer-".
    package: &'static str,
    /// The directory under `target` where it is built, one for each set of flags.
    directory: &'static str,
    /// What the compiler is told in addition.
    flags: &'static [&'static str],
    needs: &'static [Need],
}

impl Peer {
    const fn new(name: &'static str, package: &'static str, needs: &'static [Need]) -> Self {
        Self { name, package, directory: "peers", flags: &[], needs }
    }

    fn target(&self, tree: &Tree) -> PathBuf {
        tree.target.join(self.directory)
    }

    fn library(&self, tree: &Tree) -> PathBuf {
        let package = self.package.replace('-', "_");
        self.target(tree).join(format!("release/libkcfaes_peer_{package}.so"))
    }

    /// Builds the peer. The build's output goes to a file.
    fn build(&self, tree: &Tree, logs: &Path) -> Result<()> {
        setup(tree, self.needs)?;
        let log = logs.join(format!("{}.log", self.name.replace(' ', "-")));
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = cargo(tree);
        command
            .args(["build", "--release", "--locked", "--manifest-path=bench/peers/Cargo.toml"])
            .arg(format!("--package=kcfaes-peer-{}", self.package))
            .arg("--target-dir")
            .arg(self.target(tree))
            .stdout(Stdio::null())
            .stderr(file);
        if !self.flags.is_empty() {
            command.env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\x1f"));
        }
        run(&mut command).map_err(|_| reason(&log).into())
    }
}

/// The first line of a build's log that says what is wrong.
fn reason(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("error"));
    format!("it does not build: {} ({})", line.unwrap_or("no error named"), log.display())
}

use Need::{Compiler, CxxCompiler, Libclang, Package};

const CMAKE: Need = Package("cmake", "cmake");
const PERL: Need = Package("perl", "perl");
const MAKE: Need = Package("make", "make");

/// Has RustCrypto use integers only, as `portable` does.
const SOFT: [&str; 2] = [r#"--cfg=aes_backend="soft""#, r#"--cfg=polyval_backend="soft""#];

const PEERS: [Peer; 10] = [
    Peer::new("OpenSSL system", "openssl", &[Package("libssl3", "libcrypto.so.3")]),
    Peer::new("OpenSSL newest", "openssl-src", &[Compiler, PERL, MAKE]),
    Peer::new("AWS-LC", "aws-lc", &[Compiler, CMAKE]),
    Peer::new("BoringSSL", "boringssl", &[Compiler, CxxCompiler, MAKE, CMAKE, Libclang]),
    Peer::new("RustCrypto", "rustcrypto", &[]),
    Peer {
        directory: "peers-native",
        flags: &["-Ctarget-cpu=native"],
        ..Peer::new("RustCrypto native", "rustcrypto", &[])
    },
    Peer {
        directory: "peers-soft",
        flags: &SOFT,
        ..Peer::new("RustCrypto soft", "rustcrypto", &[])
    },
    Peer::new("ring", "ring", &[Compiler]),
    Peer::new(
        "ipsec-mb",
        "ipsec-mb",
        &[Libclang, Package("libipsec-mb-dev", "/usr/include/intel-ipsec-mb.h")],
    ),
    Peer::new("libgcrypt", "libgcrypt", &[Package("libgcrypt20", "libgcrypt.so.20")]),
];

/// What all peers need.
pub(crate) fn needs() -> Vec<Need> {
    PEERS.iter().flat_map(|peer| peer.needs).copied().collect()
}

/// The interleaved measurement. The arguments are the program's own. With `--quick` no peer is built:
/// the peers that are already there take part.
pub(crate) fn bench(tree: &Tree, arguments: &[&str]) -> Result<()> {
    let out = tree.target.join("bench");
    fs::create_dir_all(&out)?;
    let quick = arguments.contains(&"--quick");
    let program = ["--quiet", "--release", "--package=kcfaes-bench"];
    run(cargo(tree).arg("build").args(program))?;
    let mut peers = Vec::new();
    for peer in &PEERS {
        let begin = Instant::now();
        let built = if quick { Ok(()) } else { peer.build(tree, &out) };
        let library = peer.library(tree);
        peers.push(match built {
            Err(reason) => {
                let reason = reason.to_string();
                let words: Vec<_> = reason.split_whitespace().collect();
                format!("--without={}={}", peer.name, words.join(" "))
            }
            Ok(()) if !library.is_file() => {
                format!("--without={}=not built; make bench without --quick does", peer.name)
            }
            Ok(()) => format!("--peer={}={}", peer.name, library.display()),
        });
        if !quick {
            println!("{}: {:.0} s", peer.name, begin.elapsed().as_secs_f32());
        }
    }
    let mut command = cargo(tree);
    command.arg("run").args(program).arg("--").arg("--out").arg(out);
    run(command.args(peers).args(arguments))
}
