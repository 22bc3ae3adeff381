// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make check-full`: every part of the check, each in a process of its own.
//!
//! Before each part stands how long it takes, and how long all that is left takes. The output of a part goes
//! to the terminal and to `target/check-full/`. The results are kept there too. So after a failure
//! `make check-full RESUME=1` goes on with the part that failed. The last thing that is printed is a table.

use core::hash::{Hash, Hasher};
use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::check::{PARTS, Part};
use crate::process::line;
use crate::{Result, Tree};

/// How a part ended.
#[derive(Clone)]
struct Outcome {
    name: String,
    /// Passed, failed, or what is missing.
    result: String,
    cases: u64,
    failures: u64,
    seconds: f64,
    /// [`fingerprint`] of the sources that it saw.
    sources: u64,
}

const PASSED: &str = "passed";
const FAILED: &str = "FAILED";

impl Outcome {
    fn to_json(&self) -> Value {
        let Self { name, result, cases, failures, seconds, sources } = self;
        json!({
            "name": name, "result": result, "cases": cases, "failures": failures,
            "seconds": seconds, "sources": sources,
        })
    }

    fn of_json(value: &Value) -> Option<Self> {
        Some(Self {
            name: value["name"].as_str()?.to_owned(),
            result: value["result"].as_str()?.to_owned(),
            cases: value["cases"].as_u64()?,
            failures: value["failures"].as_u64()?,
            seconds: value["seconds"].as_f64()?,
            sources: value["sources"].as_u64()?,
        })
    }
}

/// Runs all parts. With `resume` those that passed in the last run are not run again.
pub(crate) fn command(tree: &Tree, resume: bool) -> Result<()> {
    let folder = tree.target.join("check-full");
    fs::create_dir_all(&folder)?;
    let results = folder.join("results.json");
    let earlier = read(&results).unwrap_or_default();
    let sources = fingerprint(&tree.root)?;
    let kept = |part: &Part| {
        earlier
            .iter()
            .find(|outcome| resume && outcome.name == part.name && outcome.result == PASSED)
    };
    // What a part took the last time, or about.
    let expected = |part: &Part| {
        let last = earlier.iter().find(|outcome| outcome.name == part.name);
        last.map_or(f64::from(part.seconds), |outcome| outcome.seconds)
    };
    let mut left: f64 = PARTS.iter().filter(|part| kept(part).is_none()).map(expected).sum();
    let mut outcomes = Vec::new();
    for (i, part) in PARTS.iter().enumerate() {
        let place = format!("[{}/{}] {}", i + 1, PARTS.len(), part.name);
        if let Some(outcome) = kept(part) {
            println!("== {place}: has passed");
            outcomes.push(outcome.clone());
            continue;
        }
        println!("== {place}: about {}; all that is left: {}", time(expected(part)), time(left));
        left -= expected(part);
        let outcome = run(tree, part, &folder, sources)?;
        println!("== {place}: {}, {}", outcome.result, time(outcome.seconds));
        let failed = outcome.result == FAILED;
        outcomes.push(outcome);
        // A part that has not run keeps its last time.
        let rest = earlier.iter().filter(|old| outcomes.iter().all(|new| new.name != old.name));
        let all: Vec<_> = outcomes.iter().chain(rest).map(Outcome::to_json).collect();
        fs::write(&results, serde_json::to_vec_pretty(&all)?)?;
        if failed {
            break;
        }
    }
    print!("{}", table(&outcomes, sources));
    let failed = outcomes.last().filter(|outcome| outcome.result == FAILED);
    match failed {
        None => Ok(()),
        Some(Outcome { name, .. }) => {
            Err(format!("{name} failed; to go on from there: make check-full RESUME=1").into())
        }
    }
}

/// One part alone: what this program runs in another process.
pub(crate) fn part(tree: &Tree, name: &str) -> Result<()> {
    let part = PARTS.iter().find(|part| part.name == name).ok_or("no such part")?;
    if let Some(missing) = part.run(tree, true)? {
        println!("{MISSING}{missing}");
    }
    Ok(())
}

/// Stands before what is missing, in the output of a part that did not run.
const MISSING: &str = "NOT RUN, missing here: ";

fn run(tree: &Tree, part: &Part, folder: &Path, sources: u64) -> Result<Outcome> {
    let begin = Instant::now();
    let (output, input) = pipe()?;
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["check", "--part", part.name])
        .current_dir(&tree.root)
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input);
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", line(&command)))?;
    // The pipe ends when nobody can write to it any more.
    drop(command);
    let mut log = File::create(folder.join(format!("{}.log", part.name.replace(' ', "-"))))?;
    let (mut cases, mut failures, mut result) = (0, 0, PASSED.to_owned());
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        println!("{text}");
        writeln!(log, "{text}")?;
        cases += number(&text, part.counts).unwrap_or(0);
        failures += FAILURES.iter().find_map(|form| number(&text, form)).unwrap_or(0);
        if let Some(missing) = text.strip_prefix(MISSING) {
            result = format!("{MISSING}{missing}");
        }
    }
    if !child.wait()?.success() {
        result = FAILED.to_owned();
        failures = failures.max(1);
    }
    let (name, seconds) = (part.name.to_owned(), begin.elapsed().as_secs_f64());
    Ok(Outcome { name, result, cases, failures, seconds, sources })
}

/// What says the number of failures in the output of a part.
const FAILURES: [&str; 4] = ["# failed", "all: # differ", "# not noticed", "# failures"];

/// The number in `text` at the place of `#` in `form`. The words before it may stand anywhere earlier.
fn number(text: &str, form: &str) -> Option<u64> {
    let (before, after) = form.split_once('#')?;
    let text = &text[text.find(before.trim_end())?..];
    text.match_indices(after).find_map(|(at, _)| {
        let start = text[..at].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |last| last + 1);
        text[start..at].parse().ok()
    })
}

fn read(results: &Path) -> Option<Vec<Outcome>> {
    let value: Value = serde_json::from_slice(&fs::read(results).ok()?).ok()?;
    value.as_array()?.iter().map(Outcome::of_json).collect()
}

/// A number that another state of the sources does not have.
fn fingerprint(root: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = folder.read_dir()?.collect::<std::io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let generated = path.join("CACHEDIR.TAG").exists();
            if kind.is_dir() && !generated && entry.file_name() != ".git" {
                folders.push(path);
            } else if kind.is_file() {
                path.hash(&mut hasher);
                fs::read(path)?.hash(&mut hasher);
            }
        }
    }
    Ok(hasher.finish())
}

fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if whole < 90 {
        format!("{whole} s")
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// Part, cases, failures, time.
fn table(outcomes: &[Outcome], sources: u64) -> String {
    let mut table = format!("\n{:<46} {:>10} {:>9} {:>13}\n", "part", "cases", "failures", "time");
    let mut changed = false;
    for outcome in outcomes {
        let Outcome { name, result, cases, failures, seconds, .. } = outcome;
        let cases = if *cases > 0 { cases.to_string() } else { "-".to_owned() };
        table += &format!("{name:<46} {cases:>10} {failures:>9} {:>13}", time(*seconds));
        if result != PASSED {
            table += &format!("  {result}");
        } else if outcome.sources != sources {
            table += "  on earlier sources";
            changed = true;
        }
        table.push('\n');
    }
    let (cases, failures) =
        outcomes.iter().fold((0, 0), |(c, f), one| (c + one.cases, f + one.failures));
    let seconds = outcomes.iter().map(|one| one.seconds).sum();
    table += &format!("{:<46} {cases:>10} {failures:>9} {:>13}\n", "all", time(seconds));
    if changed {
        table +=
            "The sources have changed since a part passed. make check-full runs all parts again.\n";
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_where_their_words_are() {
        let cargo = "test result: ok. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(number(cargo, "# passed"), Some(12));
        assert_eq!(number(cargo, "# failed"), Some(3));
        let trace = "trace: Kcf aesni: 34 cases, 855402 steps, 0 differ, 14.9 s";
        assert_eq!(number(trace, "# cases"), Some(34));
        assert_eq!(number(trace, "all: # cases"), None);
        let all = "trace: all: 198 cases, 4603449 steps, 2 differ, 82.9 s";
        assert_eq!(number(all, "all: # cases"), Some(198));
        assert_eq!(number(all, "all: # differ"), Some(2));
        assert_eq!(number("all checks passed", "# passed"), None);
        assert_eq!(number(all, ""), None);
    }

    #[test]
    fn the_table_names_what_failed_what_did_not_run_and_what_is_old() {
        let outcome = |name: &str, result: &str, failures, sources| Outcome {
            name: name.to_owned(),
            result: result.to_owned(),
            cases: 7,
            failures,
            seconds: 100.0,
            sources,
        };
        let missing = format!("{MISSING}qemu");
        let table = table(
            &[
                outcome("new", PASSED, 0, 1),
                outcome("old", PASSED, 0, 2),
                outcome("lacking", &missing, 0, 1),
                outcome("wrong", FAILED, 3, 1),
            ],
            1,
        );
        let row = |name| table.lines().find(|line| line.starts_with(name)).expect("a row");
        assert!(row("new").ends_with("1 min 40 s"), "{table}");
        assert!(row("old").ends_with("on earlier sources"), "{table}");
        assert!(row("lacking").ends_with("missing here: qemu"), "{table}");
        assert!(row("wrong").ends_with("FAILED"), "{table}");
        assert_eq!(row("all").split_whitespace().collect::<Vec<_>>()[1..3], ["28", "3"], "{table}");
    }

    #[test]
    fn outcomes_are_read_as_they_were_written() {
        let outcome = Outcome {
            name: "a".to_owned(),
            result: PASSED.to_owned(),
            cases: 1,
            failures: 2,
            seconds: 3.5,
            sources: u64::MAX,
        };
        let again = Outcome::of_json(&outcome.to_json()).expect("all members");
        assert_eq!(again.to_json(), outcome.to_json());
    }
}
