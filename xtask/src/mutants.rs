// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make mutants`: the tests notice a fault in the provider room, wherever it is planted.
//!
//! cargo-mutants names the faults. All of those are planted that are in [`EVERYWHERE`] or [`SURE`], and a sample of
//! the others. It passes over unsafe functions, which are most of `spi.rs` and of the C API: there the faults are the
//! patches in `xtask/mutants/`. Each is planted in a copy of the source, and one suite decides whether it is noticed.
//!
//! The results are kept in `target/mutants/`, so that a run that was interrupted goes on where it was. What was
//! noticed counts as long as the code is the same, because a new test takes nothing away; what was not is tried
//! again when a test has changed.

use core::fmt::Write as _;
use core::ops::Range;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::process::{cargo, output, run};
use crate::reproducible::copied;
use crate::{Result, Tree, dist};

/// The version whose names and choice of mutants the list of equivalent ones was made with.
pub(crate) const VERSION: &str = "27.1.0";

const PROVIDER: &str = "rust-core/provider/src/";

/// Every mutant of these: the data of a call, requests, tags, messages with a tag, buffers.
const EVERYWHERE: [&str; 5] =
    ["data/", "engine/buffer.rs", "mode/aead.rs", "mode/tag.rs", "request.rs"];

/// No mutant of these may be missed: files and functions.
const SURE: &str = include_str!("../mutants/sure.tsv");

/// Mutants of the rest that are planted, and the number that chooses them.
const SAMPLE: usize = 150;
const SEED: u64 = 20;

/// What the tests themselves look through.
const INSTRUMENT: &str = "watch.rs";

/// The suite: what is fast and strong of the tests through the ops vector, those of the plain C API, the provider's
/// own. The second stage is built only for what the first does not notice.
const STAGES: [&str; 2] = [
    "--test=differences --test=errors --test=lists --test=protocol --test=protocol_stock_bugs",
    "--lib --test=counter_wrap --test=dispatch --test=feature_sets --test=fpu --test=memory --test=module \
     --test=plain_c_api --test=registration --test=splits --test=tables --test=tamper --test=threads",
];

/// Of these the tests that take seconds, and notice little that others do not.
const SKIPPED: &str = "every_bit_of_short_messages every_split_over_updates \
                       rows_of_empty_pieces_are_passed_before_the_fpu_is_held";

/// Seconds of processor time after which a test program has come to no end. Chosen: eight times what the longest takes.
const TOO_LONG: u32 = 40;

/// Seconds after which the suite waits for something that never comes, even on a busy machine. Chosen.
const STUCK: u32 = 300;

/// KiB of address space, so that an endless list does not take the machine's memory. Chosen: more than any test maps.
const ADDRESSES: u32 = 16 << 20;

/// Parts of all mutants that are noticed, in percent.
const LEAST: f64 = 95.0;

/// What of a run is counted together, in the order in which it is planted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Planted,
    Sure,
    Everywhere,
    Sampled,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Planted => "planted in spi.rs and the C API",
            Self::Sure => "tags, lengths, room, overlap",
            Self::Everywhere => "other code of data, requests, tags",
            Self::Sampled => "sample of the rest",
        }
    }
}

/// How the suite ended: the column of the table.
type Outcome = usize;
const CAUGHT: Outcome = 0;
const ENDLESS: Outcome = 1;
const MISSED: Outcome = 2;
const EQUIVALENT: Outcome = 3;
const NOT_BUILT: Outcome = 4;
const OUTCOMES: [&str; 5] = ["caught", "timed out", "missed", "equivalent", "not built"];

/// A fault.
struct Mutant {
    group: Group,
    file: String,
    /// What it does, without its place.
    name: String,
    /// The line that it makes, or the patch.
    line: String,
    /// The new source.
    mutated: Option<String>,
}

impl Mutant {
    fn of_json(tree: &Tree, value: &Value) -> Option<Self> {
        let file = value["file"].as_str()?;
        let source = fs::read_to_string(tree.root.join(file)).ok()?;
        let at = |end: &str| {
            let number = |name: &str| value["span"][end][name].as_u64().map(|n| n as usize - 1);
            Some(offset(&source, number("line")?, number("column")?))
        };
        let (span, with) = (at("start")?..at("end")?, value["replacement"].as_str()?);
        let (_, name) = value["name"].as_str()?.split_once(": ")?;
        let function = value["function"]["function_name"].as_str().unwrap_or_default();
        let line = mutated_line(&source, span.clone(), with);
        let mutated = Some([&source[..span.start], with, &source[span.end..]].concat());
        let (file, name) = (file.to_owned(), name.to_owned());
        Some(Self { group: group(&file, function), file, name, line, mutated })
    }

    fn key(&self) -> u64 {
        hash([self.file.as_bytes(), self.name.as_bytes(), self.line.as_bytes()])
    }

    fn is(&self, [file, name, line]: &[String; 3]) -> bool {
        (file, name, line) == (&self.file, &self.name, &self.line)
    }

    /// Decides whether the suite notices it. The copy is as it was afterwards.
    fn decide(&self, copy: &Tree) -> Result<Outcome> {
        let of_patch = self.line.lines().find_map(|line| line.strip_prefix("+++ b/"));
        let changed = copy.root.join(of_patch.unwrap_or(&self.file));
        let before = fs::read(&changed)?;
        match &self.mutated {
            Some(source) => fs::write(&changed, source)?,
            None => run(apply(&copy.root).arg(&self.file))?,
        }
        let outcome = suite(copy);
        fs::write(&changed, before)?;
        outcome
    }
}

/// `git apply` in a folder that may lie in a repository.
fn apply(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("apply").current_dir(folder).env("GIT_CEILING_DIRECTORIES", folder.join(".."));
    git
}

fn group(file: &str, function: &str) -> Group {
    let Some(file) = file.strip_prefix(PROVIDER) else { return Group::Sampled };
    let sure = |row: &str| row == format!("{file}\t{function}") || row == format!("{file}\t*");
    if SURE.lines().any(sure) {
        Group::Sure
    } else if EVERYWHERE.iter().any(|place| file.starts_with(place)) {
        Group::Everywhere
    } else {
        Group::Sampled
    }
}

/// Where the character `column` of `line` begins.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    start + source[start..].chars().take(column).map(char::len_utf8).sum::<usize>()
}

/// The line in which a mutation begins, mutated: what tells it from others of the same name.
fn mutated_line(source: &str, span: Range<usize>, with: &str) -> String {
    let start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let one = !source[span.clone()].contains('\n');
    let rest = if one { source[span.end..].lines().next().unwrap_or_default() } else { "" };
    let line = [&source[start..span.start], with, rest].concat();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// FNV-1a, the same everywhere and always.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let bytes = parts.into_iter().flat_map(|part| part.iter().chain(&[0]));
    bytes.fold(0xcbf2_9ce4_8422_2325 ^ SEED, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// What cargo-mutants finds.
fn listed(tree: &Tree) -> Result<Vec<Mutant>> {
    let list = output(
        cargo(tree)
            .args(["mutants", "--list", "--json"])
            .args(["--package=kcfaes-provider", "--package=kcfaes-capi"]),
    )?;
    let list: Value = serde_json::from_str(&list)?;
    let mutants = list.as_array().into_iter().flatten().map(|one| Mutant::of_json(tree, one));
    let mutants: Option<Vec<_>> = mutants.collect();
    mutants.ok_or_else(|| "cargo-mutants' list has another form".into())
}

/// The patches, by their file names.
fn planted(tree: &Tree) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for folder in ["xtask/mutants/spi", "xtask/mutants/capi"] {
        for path in tree.files(folder, &["patch"])? {
            let line = fs::read_to_string(&path)?;
            let file = path.strip_prefix(&tree.root)?.display().to_string();
            let name = line.lines().next().unwrap_or_default().to_owned();
            mutants.push(Mutant { group: Group::Planted, file, name, line, mutated: None });
        }
    }
    Ok(mutants)
}

/// The rows of `equivalent.tsv`, a mutant each that does what the source does: its file, its name, its line.
fn equivalents(tree: &Tree) -> Result<Vec<[String; 3]>> {
    let text = fs::read_to_string(tree.root.join("xtask/mutants/equivalent.tsv"))?;
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| match row.split('\t').collect::<Vec<_>>().as_slice() {
        &[file, name, line, reason] if !reason.is_empty() => {
            Ok([format!("rust-core/{file}"), name.to_owned(), line.to_owned()])
        }
        _ => Err(format!("equivalent.tsv: not file, mutant, line, reason: {row}").into()),
    })
    .collect()
}

/// The mutants of a run: first those that must not be missed.
fn chosen(tree: &Tree, listed: Vec<Mutant>) -> Result<Vec<Mutant>> {
    let (mut rest, mut chosen): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .filter(|mutant| !mutant.file.ends_with(INSTRUMENT))
        .partition(|mutant| mutant.group == Group::Sampled);
    rest.sort_by_key(Mutant::key);
    chosen.extend(planted(tree)?);
    chosen.extend(rest.into_iter().take(SAMPLE));
    chosen.sort_by_key(|mutant| mutant.group);
    Ok(chosen)
}

/// The suite, in the copy.
fn suite(copy: &Tree) -> Result<Outcome> {
    for tests in STAGES {
        let outcome = stage(copy, tests)?;
        if outcome != MISSED {
            return Ok(outcome);
        }
    }
    Ok(MISSED)
}

fn stage(copy: &Tree, tests: &str) -> Result<Outcome> {
    let path = copy.root.with_extension("log");
    let log = File::create(&path)?;
    let mut cargo = cargo(copy);
    cargo.args(["test", "--quiet", "--profile=mutants"]).args(tests.split(' '));
    cargo.args(["--package=kcfaes-ffi-tests", "--package=kcfaes-provider"]);
    let mut timed = Command::new("sh");
    let limits = format!("ulimit -v {ADDRESSES}; ulimit -t {TOO_LONG}");
    let program = format!("{limits}; exec timeout --kill-after=5 {STUCK} cargo \"$@\"");
    timed.args(["-c", &program, "sh"]).args(cargo.get_args()).arg("--");
    timed.args(SKIPPED.split(' ').flat_map(|test| ["--skip", test])).current_dir(&copy.root);
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    let built = cargo.arg("--no-run").stdout(log.try_clone()?).stderr(log.try_clone()?).status()?;
    if !built.success() {
        return Ok(NOT_BUILT);
    }
    let status = timed.stdout(log.try_clone()?).stderr(log).status()?;
    Ok(match status.code() {
        Some(0) => MISSED,
        // Of `timeout`; and SIGXCPU.
        Some(124 | 137) | None => ENDLESS,
        _ if String::from_utf8_lossy(&fs::read(path)?).contains("signal: 24") => ENDLESS,
        _ => CAUGHT,
    })
}

/// Two numbers: one that tells the code of the rooms from any other, but not by its comments and tests, and one that
/// tells the suite from any other.
fn fingerprints(tree: &Tree) -> Result<[u64; 2]> {
    let (mut code, mut tests) = (Vec::new(), vec![STAGES.concat().into(), SKIPPED.into()]);
    for name in dist::files(tree)? {
        let (path, bytes) = (name.to_string_lossy(), fs::read(tree.root.join(&name)));
        if path.starts_with("rust-core/") && path.contains("/src/") {
            let text = String::from_utf8(bytes.as_ref().map_err(|_| "unreadable")?.clone())?;
            let (text, _) = text.split_once("\n#[cfg(test)]\nmod ").unwrap_or((&text, ""));
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            code.extend(lines.map(|line| line.as_bytes().to_vec()));
        }
        if ["ffi-tests", "rust-core", "kmod"].iter().any(|folder| name.starts_with(folder)) {
            tests.extend(bytes);
        }
    }
    Ok([code, tests].map(|parts| hash(parts.iter().map(Vec::as_slice))))
}

/// The results of earlier runs that still count.
fn decided(path: &Path, [code, tests]: [u64; 2]) -> HashMap<u64, Outcome> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let row = |line: &str| {
        let words: Vec<_> = line.split('\t').collect();
        let [key, outcome, _, of_code, of_tests, ..] = *words.as_slice() else { return None };
        let outcome = OUTCOMES.iter().position(|name| *name == outcome)?;
        let same =
            of_code == code.to_string() && (outcome != MISSED || of_tests == tests.to_string());
        same.then_some((key.parse().ok()?, outcome))
    };
    text.lines().filter_map(row).collect()
}

/// `mutants`
pub(crate) fn command(tree: &Tree) -> Result<()> {
    let place = tree.target.join("mutants/tree");
    fs::create_dir_all(&place)?;
    let (listed, equivalents) = (listed(tree)?, equivalents(tree)?);
    let gone = |row: &&[String; 3]| !listed.iter().any(|mutant| mutant.is(row));
    let gone = equivalents.iter().filter(gone);
    let mut faults: Vec<_> =
        gone.map(|[file, name, _]| format!("{file}: {name}: no such mutant")).collect();
    let mutants = chosen(tree, listed)?;
    let (path, fingerprints) = (tree.target.join("mutants/results.tsv"), fingerprints(tree)?);
    let mut known = decided(&path, fingerprints);
    let left: Vec<_> = mutants.iter().filter(|one| !known.contains_key(&one.key())).collect();
    println!("{} mutants, {} of them to be decided", mutants.len(), left.len());
    let copy = copied(tree, &place)?;
    if !left.is_empty() {
        // The first builds what no mutant changes.
        for what in ["built", "the suite takes"] {
            let begin = Instant::now();
            let outcome = suite(&copy)?;
            println!("without a mutant: {what} {:.1} s", begin.elapsed().as_secs_f64());
            if outcome != MISSED {
                let log = place.with_extension("log");
                return Err(
                    format!("{} without a mutant: {}", OUTCOMES[outcome], log.display()).into()
                );
            }
        }
    }
    let (begin, mut file) = (Instant::now(), File::options().create(true).append(true).open(path)?);
    for (i, mutant) in left.iter().enumerate() {
        let one = Instant::now();
        let outcome = mutant.decide(&copy)?;
        let (name, seconds) = (OUTCOMES[outcome], one.elapsed().as_secs_f64());
        let ([code, tests], Mutant { file: of, name: what, .. }) = (fingerprints, mutant);
        writeln!(file, "{}\t{name}\t{seconds:.1}\t{code}\t{tests}\t{of}\t{what}", mutant.key())?;
        known.insert(mutant.key(), outcome);
        let count = |which| known.values().filter(|outcome| **outcome == which).count();
        let minutes =
            begin.elapsed().as_secs_f64() / (i + 1) as f64 * (left.len() - i - 1) as f64 / 60.0;
        println!(
            "[{}/{}] {name}, {seconds:.1} s: {of}: {what}; caught {}, missed {}, timed out {}; \
             about {minutes:.0} min left",
            i + 1,
            left.len(),
            count(CAUGHT),
            count(MISSED),
            count(ENDLESS),
        );
    }
    let (table, more) = verdict(&mutants, &known, &equivalents);
    print!("{table}");
    faults.extend(more);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n  ").into()) }
}

/// The missed ones and the table, and what is wrong.
fn verdict(
    mutants: &[Mutant],
    known: &HashMap<u64, Outcome>,
    equivalents: &[[String; 3]],
) -> (String, Vec<String>) {
    let (mut faults, mut rows) = (Vec::new(), BTreeMap::<_, [usize; 5]>::new());
    let mut table = String::new();
    for mutant in mutants {
        let Mutant { file, name, line, group, .. } = mutant;
        let listed = equivalents.iter().any(|row| mutant.is(row));
        let outcome = match known.get(&mutant.key()) {
            Some(&MISSED) if listed => EQUIVALENT,
            Some(&outcome) => outcome,
            None => continue,
        };
        rows.entry(*group).or_default()[outcome] += 1;
        if outcome == MISSED {
            _ = writeln!(table, "missed: {file}\t{name}\t{line}");
        }
        let severe = match group {
            Group::Planted => outcome == MISSED || outcome == NOT_BUILT,
            Group::Sure => outcome == MISSED,
            Group::Everywhere | Group::Sampled => false,
        };
        if severe || listed && outcome != EQUIVALENT {
            faults.push(format!("{}: {file}: {name}: {line}", OUTCOMES[outcome]));
        }
    }
    _ = writeln!(
        table,
        "\n{:<35}{}   score",
        "",
        OUTCOMES.map(|name| format!("{name:>11}")).concat()
    );
    let all = rows.values().fold([0; 5], |sum, row| core::array::from_fn(|i| sum[i] + row[i]));
    let rows = rows.iter().map(|(group, row)| (group.name(), *row)).chain([("all", all)]);
    for (name, row) in rows {
        let counts = row.map(|count| format!("{count:>11}")).concat();
        let noticed = row[CAUGHT] + row[ENDLESS];
        let score = 100.0 * noticed as f64 / (noticed + row[MISSED]).max(1) as f64;
        _ = writeln!(table, "{name:<35}{counts} {score:>5.1} %");
        if name == "all" && score < LEAST {
            faults.push(format!("less than {LEAST} percent of the mutants are noticed"));
        }
    }
    (table, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of the function in the name of a mutant.
    fn function(name: &str) -> &str {
        let whole = name.strip_prefix("replace ").unwrap_or(name);
        let (before, _) =
            whole.split_once(" -> ").or(whole.split_once(" with ")).unwrap_or((whole, ""));
        name.rsplit_once(" in ").map_or(before, |(_, function)| function)
    }

    #[test]
    fn each_patch_applies_and_says_what_it_breaks() {
        let tree = Tree::find().expect("a repository");
        let planted = planted(&tree).expect("patches");
        for folder in ["spi/", "capi/"] {
            let here = planted.iter().filter(|one| one.file.contains(folder)).count();
            assert!(here >= 10, "{here} in {folder}");
        }
        for Mutant { file, name, .. } in planted {
            assert!(name.starts_with("Breaks: "), "{file}");
            run(apply(&tree.root).arg("--check").arg(&file)).expect("a patch that applies");
        }
    }

    #[test]
    fn what_is_listed_is_of_functions_that_exist() {
        let tree = Tree::find().expect("a repository");
        let equivalents = equivalents(&tree).expect("rows");
        let equivalents = equivalents.iter().map(|[file, name, _]| (file.clone(), function(name)));
        let sure = SURE.lines().filter_map(|row| row.split_once('\t'));
        let sure = sure.map(|(file, name)| ([PROVIDER, file].concat(), name));
        for (file, name) in equivalents.chain(sure) {
            let source = fs::read_to_string(tree.root.join(&file)).expect("a source");
            let function = name.rsplit("::").next().unwrap_or_default();
            assert!(name == "*" || source.contains(&format!("fn {function}")), "{file} {name}");
        }
    }

    #[test]
    fn a_mutant_is_put_where_it_belongs() {
        let source = "fn f() {\n    \u{e4} + b\n}\n";
        let at = offset(source, 1, 6);
        assert_eq!(&source[at..=at], "+");
        assert_eq!(mutated_line(source, at..at + 1, "-"), "\u{e4} - b");
    }

    #[test]
    fn a_missed_one_an_old_equivalent_and_a_low_score_fail() {
        let words = |words: [&str; 3]| words.map(str::to_owned);
        let faults = |group, outcome, listed: &[[String; 3]]| {
            let [file, name, line] = words(["f", "m", "l"]);
            let one = Mutant { group, file, name, line, mutated: None };
            let known = HashMap::from([(one.key(), outcome)]);
            verdict(&[one], &known, listed).1.len()
        };
        let same = [words(["f", "m", "l"])];
        assert_eq!(faults(Group::Sure, CAUGHT, &[]), 0);
        assert_eq!(faults(Group::Planted, MISSED, &[]), 2);
        assert_eq!(faults(Group::Sampled, MISSED, &[]), 1);
        assert_eq!(faults(Group::Sampled, ENDLESS, &same), 1);
    }
}
