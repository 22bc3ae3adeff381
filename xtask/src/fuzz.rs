// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make fuzz`: builds the fuzz targets with AddressSanitizer. It runs each target on the stored
//! corpus, and on the inputs that the target makes of it.
//!
//! A corpus is stored as one text file for each target. Each line is one input in hexadecimal.

use core::fmt::Write as _;
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;

use crate::machine::HOST;
use crate::process::{cargo_of, joined, run};
use crate::{Result, Tree};

const TARGETS: [&str; 3] = ["ops", "api", "vectors"];

/// Seconds for each target, unless told otherwise.
const SECONDS: u64 = 60;

/// Seconds for each target in `make check`.
const CHECK_SECONDS: u64 = 30;

/// Between two lines of progress.
const PAUSE: Duration = Duration::from_secs(10);

/// `fuzz [SECONDS]`, or `fuzz --corpus`: makes the stored corpus anew.
pub(crate) fn command(tree: &Tree, arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => fuzz(tree, SECONDS),
        ["--corpus"] => store(tree),
        [seconds] => {
            let seconds = seconds.parse();
            fuzz(tree, seconds.map_err(|_| format!("no number of seconds: {}", arguments[0]))?)
        }
        _ => Err("usage: cargo xtask fuzz [SECONDS | --corpus]".into()),
    }
}

/// The step of `make check`.
pub(crate) fn check(tree: &Tree) -> Result<()> {
    fuzz(tree, CHECK_SECONDS)
}

fn fuzz(tree: &Tree, seconds: u64) -> Result<()> {
    build(tree)?;
    let mut lines = Vec::new();
    let mut findings = 0;
    for name in TARGETS {
        let outcome = Target { tree, name }.run(seconds)?;
        findings += outcome.findings;
        lines.push(format!("{name}: {}", outcome.line()));
    }
    println!("{}", lines.join("\n"));
    match findings {
        0 => Ok(()),
        n => Err(format!("{n} findings").into()),
    }
}

/// For all code: AddressSanitizer, and what code with libFuzzer's counters looks like. `fuzz/rustc.sh` says
/// which code has them.
const RUSTFLAGS: &[&str] = &[
    "-Zsanitizer=address",
    "--cfg=fuzzing",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

fn build(tree: &Tree) -> Result<()> {
    run(cargo_of("nightly", tree)
        .env("RUSTC_WRAPPER", tree.root.join("fuzz/rustc.sh"))
        // These are separated by the character that cargo chose for it.
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"))
        .args(["build", "--release", "--bins", "--manifest-path=fuzz/Cargo.toml"])
        // With a target, the flags are not those of build scripts.
        .arg(format!("--target={}", HOST.triple))
        .arg("--target-dir")
        .arg(tree.target.join("fuzz")))
}

/// The result of a run.
struct Outcome {
    executions: u64,
    edges: u64,
    seconds: u64,
    since_new_edge: u64,
    findings: usize,
}

impl Outcome {
    fn line(&self) -> String {
        format!(
            "{} executions in {} s, {} edges, none new for {} s, {} findings",
            self.executions, self.seconds, self.edges, self.since_new_edge, self.findings
        )
    }
}

struct Target<'a> {
    tree: &'a Tree,
    name: &'static str,
}

impl Target<'_> {
    fn stored(&self) -> PathBuf {
        self.tree.root.join(format!("fuzz/corpus/{}.txt", self.name))
    }

    /// The inputs that runs have found, and the stored ones.
    fn corpus(&self) -> PathBuf {
        self.tree.target.join("fuzz/corpus").join(self.name)
    }

    fn program(&self) -> Command {
        let path = format!("fuzz/{}/release/{}", HOST.triple, self.name);
        Command::new(self.tree.target.join(path))
    }

    /// Writes the stored inputs where the program finds them.
    fn unpack(&self) -> Result<()> {
        fs::create_dir_all(self.corpus())?;
        let stored = fs::read_to_string(self.stored())?;
        for (number, line) in stored.lines().enumerate() {
            let digit = |digit: &u8| (*digit as char).to_digit(16);
            let byte = |pair: &[u8; 2]| Some((digit(&pair[0])? << 4 | digit(&pair[1])?) as u8);
            let input: Option<Vec<u8>> = line.as_bytes().as_chunks().0.iter().map(byte).collect();
            let input = input.ok_or(format!("{}: line {}", self.stored().display(), number + 1))?;
            fs::write(self.corpus().join(format!("stored-{number:04}")), input)?;
        }
        Ok(())
    }

    /// Fuzzes for `seconds` seconds, or up to the first finding.
    fn run(&self, seconds: u64) -> Result<Outcome> {
        self.unpack()?;
        let artifacts = self.tree.root.join("fuzz/artifacts").join(self.name);
        fs::create_dir_all(&artifacts)?;
        let log = self.tree.target.join(format!("fuzz/{}.log", self.name));
        let mut program = self.program();
        program
            .args([
                format!("-max_total_time={seconds}"),
                "-timeout=20".into(),
                "-len_control=0".into(),
                // Edges, not how often each is passed: as in `store`.
                "-use_counters=0".into(),
            ])
            .arg(joined("-artifact_prefix=", &artifacts.join("")))
            .arg(self.corpus())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        println!("{}: {seconds} s", self.name);
        let begin = Instant::now();
        let mut child = program.spawn()?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let (send, lines) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(core::result::Result::ok) {
                _ = send.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let (mut outcome, mut text) = (
            Outcome { executions: 0, edges: 0, seconds: 0, since_new_edge: 0, findings: 0 },
            String::new(),
        );
        let (mut new_edge, mut said) = (begin, begin);
        loop {
            match lines.recv_timeout(Duration::from_secs(1)) {
                Ok(line) => {
                    _ = writeln!(text, "{line}");
                    if let Some((executions, edges)) = progress(&line) {
                        if edges > outcome.edges {
                            new_edge = Instant::now();
                        }
                        (outcome.executions, outcome.edges) = (executions, edges);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            outcome.seconds = begin.elapsed().as_secs();
            outcome.since_new_edge = new_edge.elapsed().as_secs();
            if said.elapsed() >= PAUSE {
                said = Instant::now();
                println!("{}: {}", self.name, outcome.line());
            }
        }
        reader.join().map_err(|_| "the log was lost")?;
        fs::write(&log, text)?;
        if !child.wait()?.success() {
            outcome.findings = 1;
            println!("{}: a finding, in {} and {}", self.name, log.display(), artifacts.display());
        }
        Ok(outcome)
    }
}

/// Executions and edges in a line of libFuzzer's: `#4096 pulse cov: 1195 ft: 3830 ...`.
fn progress(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let executions = words.next()?.strip_prefix('#')?.parse().ok()?;
    words.find(|&word| word == "cov:")?;
    Some((executions, words.next()?.parse().ok()?))
}

/// Makes the stored corpus from the vectors' corpus and all inputs that runs here have found. It keeps
/// inputs that together reach all that these reach.
fn store(tree: &Tree) -> Result<()> {
    build(tree)?;
    let seeds = tree.target.join("fuzz/seeds");
    run(cargo_of("nightly", tree)
        .args(["run", "--release", "--manifest-path=fuzz/Cargo.toml", "--example=corpus"])
        .arg("--target-dir")
        .arg(tree.target.join("fuzz-corpus"))
        .args(["--", "vectors"])
        .arg(&seeds))?;
    for name in TARGETS {
        let target = Target { tree, name };
        fs::create_dir_all(target.corpus())?;
        let least = tree.target.join("fuzz/least").join(name);
        _ = fs::remove_dir_all(&least);
        fs::create_dir_all(&least)?;
        run(target
            .program()
            // Edges are what a corpus is for. With a count of how often each edge is passed, there
            // would be four times as many inputs.
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .arg(&least)
            .args([target.corpus(), seeds.join(name)]))?;
        let mut lines = Vec::new();
        for entry in fs::read_dir(least)? {
            let bytes = fs::read(entry?.path())?;
            lines.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n");
        }
        lines.sort();
        fs::create_dir_all(tree.root.join("fuzz/corpus"))?;
        fs::write(target.stored(), lines.concat())?;
        println!("{name}: {} inputs", lines.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::progress;

    #[test]
    fn lines_of_libfuzzer() {
        let line = "#69076\tNEW    cov: 15805 ft: 48670 corp: 3185/478Kb lim: 215 exec/s: 759";
        assert_eq!(progress(line), Some((69076, 15805)));
        assert_eq!(progress("INFO: Loaded 1 modules"), None);
        assert_eq!(progress("    #0 0x5557a30557e1 in main"), None);
    }
}
