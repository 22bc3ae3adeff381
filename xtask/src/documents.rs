// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every command that a document shows exists, with each name in it, and runs if it can do that here in
//! seconds.
//!
//! Commands stand on the lines of indented and fenced blocks, in the comments there, and in backticks. A
//! fence that is called `c` or `text` has none. A line that no rule here knows is a fault.

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::install::Place;
use crate::process::{VENDOR_CONFIG, cargo, output};
use crate::{Result, Tree, USAGE, library, manual, package};

/// Programs of an administrator, most of them illumos'. What they are told of this project is looked up.
const ADMINISTRATION: &str = "beadm bootadm cryptoadm dmesg dtrace echo grep init kstat ldconfig mdb modinfo \
    modload pkg pkgmogrify pkgsend set tail tar";

fn administers(program: &str) -> bool {
    ADMINISTRATION.split_whitespace().any(|one| one == program)
}

/// Verbs of xtask that only read, and take seconds.
const READERS: [&[&str]; 3] = [&[], &["layers"], &["headers", "--check"]];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let facts = Facts::read(tree)?;
    let (mut commands, mut faults) = (0, Vec::new());
    let documents = documents(tree)?;
    for document in &documents {
        let name = document.strip_prefix(&tree.root)?.display().to_string();
        commands += check(&facts, &name, &fs::read_to_string(document)?, &mut faults);
    }
    if !faults.is_empty() {
        return Err(format!("documents:\n{}", faults.join("\n")).into());
    }
    let ran = facts.ran.borrow().len();
    let documents = documents.len();
    println!("{commands} commands in {documents} documents: {ran} ran, the others were looked up");
    if ran == 0 { Err("no document shows a command that runs".into()) } else { Ok(()) }
}

/// Checks the commands that a document shows. Returns how many there are.
fn check(facts: &Facts, name: &str, text: &str, faults: &mut Vec<String>) -> usize {
    let mut commands = 0;
    let blocks = if name.ends_with(".md") { shown(text) } else { displayed(text) };
    for block in blocks {
        let mut folder = String::new();
        for (number, line) in block {
            match facts.line(&line, &mut folder) {
                Ok(count) => commands += count,
                Err(error) => faults.push(format!("{name}:{number}: {line}: {error}")),
            }
        }
    }
    commands
}

/// The documents of the repository and of each folder in it, and the manual pages. Not the changelog, which
/// may name what is gone.
fn documents(tree: &Tree) -> Result<Vec<PathBuf>> {
    let mut folders = vec![String::new()];
    for entry in tree.root.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let ours = !name.starts_with('.') && name != "target" && tree.root.join(&name).is_dir();
        folders.extend(ours.then_some(name));
    }
    let mut documents = Vec::new();
    for folder in folders {
        documents.extend(tree.files(&folder, &["md"])?);
    }
    documents.extend(manual::pages(tree)?);
    documents.extend(tree.files("kmod", &["4"])?);
    documents.retain(|path| !path.ends_with("CHANGELOG.md"));
    documents.sort();
    Ok(documents)
}

/// A command line and the number of the line where it begins.
type Shown = (usize, String);

/// The lines that a manual page displays by themselves.
fn displayed(page: &str) -> Vec<Vec<Shown>> {
    let lines = (1..).zip(page.lines());
    let lines = lines.filter_map(|(number, line)| Some((number, line.strip_prefix(".Dl ")?)));
    lines.map(|(number, line)| vec![(number, line.to_string())]).collect()
}

/// The command lines of each block. A text in backticks is a block of its own.
fn shown(document: &str) -> Vec<Vec<Shown>> {
    let mut blocks: Vec<Vec<Shown>> = Vec::new();
    let mut paragraph = String::new();
    let (mut fence, mut in_block, mut after_blank) = (None, false, true);
    for (number, line) in (1..).zip(document.lines()) {
        let fenced = line.trim_start().strip_prefix("```");
        let blank = line.trim().is_empty();
        let indented = line.starts_with("    ") && (in_block || after_blank);
        if fenced.is_some() || blank || (fence.is_none() && indented) {
            blocks.extend(in_backticks(&paragraph, number).into_iter().map(|span| vec![span]));
            paragraph.clear();
        }
        if let Some(language) = fenced {
            fence = fence.is_none().then(|| !["c", "text"].contains(&language.trim()));
            in_block = false;
        } else if !blank && fence.unwrap_or(indented) {
            match blocks.last_mut().filter(|_| in_block) {
                Some(block) => match block.last_mut().filter(|(_, last)| parsed(last).is_none()) {
                    Some((_, open)) => *open = format!("{}\n{line}", open.trim_end_matches('\\')),
                    None => block.push((number, line.trim().to_string())),
                },
                None => blocks.push(vec![(number, line.trim().to_string())]),
            }
            in_block = true;
        } else if !blank && fence.is_none() {
            in_block = false;
            paragraph.push_str(line);
            paragraph.push('\n');
        }
        after_blank = blank;
    }
    let end = document.lines().count() + 1;
    blocks.extend(in_backticks(&paragraph, end).into_iter().map(|span| vec![span]));
    blocks
}

/// What is in backticks in a paragraph that ends before the line `end`, and is a command: a program that some
/// rule knows, with arguments, or a variable with a value.
fn in_backticks(paragraph: &str, end: usize) -> Vec<Shown> {
    let mut number = end - paragraph.matches('\n').count();
    let mut spans = Vec::new();
    for (at, text) in paragraph.split('`').enumerate() {
        let words: Vec<_> = text.split_whitespace().collect();
        let is_command = match words.as_slice() {
            [word] => is_assignment(word),
            [program, _, ..] => {
                let more = ["make", "gmake", "cargo", "sudo", "sha256sum", "man", "rm"];
                more.contains(program)
                    || administers(program)
                    || (program.starts_with('*') && program.contains("::"))
            }
            [] => false,
        };
        if at % 2 == 1 && is_command {
            // What begins with a star is mdb's, which a block shows after its prompt.
            let prompt = if words[0].starts_with('*') { "> " } else { "" };
            spans.push((number, format!("{prompt}{}", words.join(" "))));
        }
        number += text.matches('\n').count();
    }
    spans
}

/// Whether a word is `NAME=` and perhaps a value, with a name as variables have.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// A command line as its shell takes it apart.
#[derive(Default)]
struct Parsed {
    commands: Vec<Vec<String>>,
    comment: String,
}

/// `None` where the line goes on in the next one.
fn parsed(line: &str) -> Option<Parsed> {
    let mut parsed = Parsed { commands: vec![Vec::new()], ..Parsed::default() };
    // mdb's prompt.
    let (rest, shell) = line.strip_prefix("> ").map_or((line, true), |rest| (rest, false));
    if !shell {
        parsed.commands[0].push("mdb".to_string());
    }
    let (mut word, mut quote, mut depth, mut redirected) = (String::new(), None, 0, false);
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|&(_, next)| next);
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\\') if next.is_none() => return None,
            (None, '\'' | '"') => quote = Some(c),
            // A command whose output is an argument is a part of that argument.
            (None, '(') if depth > 0 || word.ends_with('$') => {
                depth += 1;
                word.push(c);
            }
            (None, ')') if depth > 0 => {
                depth -= 1;
                word.push(c);
            }
            (None, _) if depth > 0 => word.push(c),
            (None, '#') if word.is_empty() => {
                parsed.comment = rest[at + 1..].trim().to_string();
                break;
            }
            (None, ' ' | '\n' | '(' | ')' | '&' | '|' | ';' | '>' | '<') => {
                let ended = core::mem::take(&mut word);
                if !ended.is_empty() && !core::mem::take(&mut redirected) {
                    parsed.commands.last_mut()?.push(ended);
                }
                match c {
                    '&' | '|' | ';' => parsed.commands.push(Vec::new()),
                    '>' | '<' => redirected = true,
                    _ => {}
                }
            }
            (None, _) => word.push(c),
        }
    }
    if quote.is_some() || depth > 0 {
        return None;
    }
    if !word.is_empty() && !redirected {
        parsed.commands.last_mut()?.push(word);
    }
    parsed.commands.retain(|command| !command.is_empty());
    Some(parsed)
}

/// Commands in a comment: `or: ONE, ANOTHER`, or a make with its target and variables in a sentence.
fn in_comment(comment: &str) -> Vec<String> {
    if let Some(list) = comment.strip_prefix("or: ") {
        return list.split(", ").map(ToString::to_string).collect();
    }
    let words: Vec<_> = comment
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| "`,;:.()".contains(c)))
        .collect();
    let makes = (0..words.len()).filter(|&at| ["make", "gmake"].contains(&words[at]));
    let commands = makes.map(|at| {
        let target = words[at + 1..].iter().take(1);
        let variables = words[at + 1..].iter().skip(1).take_while(|word| is_assignment(word));
        words[at..=at].iter().chain(target).chain(variables).copied().collect::<Vec<_>>().join(" ")
    });
    commands.collect()
}

/// What the repository has, for the commands to be compared with.
struct Facts<'a> {
    tree: &'a Tree,
    /// The targets of each package of the workspace: kind and name.
    packages: BTreeMap<String, Vec<(String, String)>>,
    /// Subcommands of cargo.
    cargo: BTreeSet<String>,
    /// Names in the module's sources and in the headers, and of the files that the packages have.
    names: BTreeSet<String>,
    /// The module's sources by the name of the file.
    module: BTreeMap<String, String>,
    /// Files that each package installs, below the root.
    installed: Vec<BTreeSet<String>>,
    /// What has run, to run it once.
    ran: RefCell<BTreeSet<String>>,
}

impl<'a> Facts<'a> {
    fn read(tree: &'a Tree) -> Result<Self> {
        let mut metadata = cargo(tree);
        metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
        let metadata: Value = serde_json::from_str(&output(&mut metadata)?)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let mut packages = BTreeMap::new();
        for package in metadata["packages"].as_array().ok_or("cargo metadata: no packages")? {
            let targets = package["targets"].as_array().into_iter().flatten();
            let targets = targets.map(|target| (text(&target["kind"][0]), text(&target["name"])));
            packages.insert(text(&package["name"]), targets.collect());
        }
        let listed = output(cargo(tree).arg("--list"))?;
        let subcommands = listed.lines().filter_map(|line| line.split_whitespace().next());

        let mut module = BTreeMap::new();
        for path in tree.files("kmod", &["c", "h", "4", "p5m"])? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            module.insert(name, fs::read_to_string(path)?);
        }
        let mut names: BTreeSet<String> = module.keys().cloned().collect();
        let mut texts: Vec<_> = module.values().cloned().collect();
        for header in tree.files("include", &["h"])? {
            texts.push(fs::read_to_string(header)?);
        }
        for text in &texts {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            names.extend(words.map(ToString::to_string));
        }
        let mut installed = Vec::new();
        for package in package::PACKAGES {
            names.insert(package.to_string());
            names.insert(format!("{package}-{}.tar", env!("CARGO_PKG_VERSION")));
            let files = package::files(tree, package)?;
            names.extend(files.iter().filter_map(|file| file.rsplit('/').next()).map(String::from));
            installed.push(files);
        }
        let cargo = subcommands.map(ToString::to_string).collect();
        Ok(Self { tree, packages, cargo, names, module, installed, ran: RefCell::default() })
    }

    /// Checks each command of a line in `folder`, which a `cd` changes. Returns how many there are.
    fn line(&self, line: &str, folder: &mut String) -> Result<usize> {
        let before = folder.clone();
        let parsed = parsed(line).ok_or("it has no end")?;
        let mut count = 0;
        for words in &parsed.commands {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            self.command(&words, folder)?;
            count += 1;
        }
        if line.starts_with('(') {
            *folder = before;
        }
        self.look_up_names(&parsed.comment)?;
        for other in in_comment(&parsed.comment) {
            count += self.line(&other, &mut folder.clone())?;
        }
        Ok(count)
    }

    fn command(&self, words: &[&str], folder: &mut String) -> Result<()> {
        match words {
            ["sudo", words @ ..] => self.command(words, folder),
            [variable] if is_assignment(variable) => self.variable(variable),
            ["make", "-C", below, words @ ..] => self.make(words, below),
            ["make", words @ ..] => self.make(words, folder),
            ["gmake", words @ ..] => self.make(words, "kmod"),
            ["cargo", "xtask", words @ ..] => self.verb(words),
            ["cargo", words @ ..] => self.cargo(words),
            ["cd", to] => {
                *folder = format!("{folder}{to}/");
                let is_there = self.tree.root.join(&*folder).is_dir();
                if is_there { Ok(()) } else { Err(format!("no folder {folder}").into()) }
            }
            ["sha256sum", ..] => {
                let mut command = Command::new(words[0]);
                command.args(&words[1..]).current_dir(self.tree.root.join(&*folder));
                self.run(words, &mut command)
            }
            ["cc", ..] => self.compile(words),
            ["man", page] => self.page(page),
            ["python3" | "venv/bin/python" | "venv/bin/pip", words @ ..] => self.python(words),
            ["rm", words @ ..] => self.removed(words),
            // A name that the administrator makes up.
            ["beadm", ..] => Ok(()),
            [program, words @ ..] if administers(program) => {
                words.iter().try_for_each(|word| self.path(word))?;
                self.administration(&words.join(" "))
            }
            _ => Err("no rule knows this command".into()),
        }
    }

    /// Runs a command, if it has not run yet.
    fn run(&self, words: &[&str], command: &mut Command) -> Result<()> {
        if !self.ran.borrow_mut().insert(words.join(" ")) {
            return Ok(());
        }
        silent(command).map(drop)
    }

    /// The makefile has the target, and each variable changes what would run.
    fn make(&self, words: &[&str], folder: &str) -> Result<()> {
        let (variables, targets): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| is_assignment(word));
        let plan = |variable: Option<&str>| {
            let mut make = Command::new("make");
            make.args(["--dry-run", "--always-make", "--no-print-directory", "-C"])
                .arg(self.tree.root.join(folder))
                .args(["CARGO=cargo", "ROOMS=/dev/null"])
                .args(&targets)
                .args(variable)
                // What the caller's make or shell has set is not what a document shows.
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default());
            silent(&mut make)
        };
        let plain = plan(None)?;
        if plain.is_empty() || plain.contains("Nothing to be done") {
            return Err("it does nothing".into());
        }
        for variable in variables {
            let (name, _) = variable.split_once('=').unwrap_or((variable, ""));
            let (as_shown, probed) = (plan(Some(variable))?, plan(Some(&format!("{name}=probe")))?);
            if as_shown == plain && probed == plain && !self.exports(&targets, name, &plain)? {
                return Err(format!("nothing reads {name}").into());
            }
            self.planned(&as_shown)?;
        }
        self.planned(&plain)
    }

    /// The verbs of xtask that a make would start exist.
    fn planned(&self, plan: &str) -> Result<()> {
        // In an unpacked tarball make's cargo has an option.
        let plan = plan.replace(&format!("cargo --config {VENDOR_CONFIG} "), "cargo ");
        for line in plan.lines().filter(|line| line.starts_with("cargo xtask")) {
            let parsed = parsed(line).ok_or_else(|| line.to_string())?;
            for command in parsed.commands {
                let words: Vec<_> = command.iter().map(String::as_str).collect();
                has_verb(USAGE, words.get(2..).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Whether the Makefile gives the variable to a target's script, which reads it.
    fn exports(&self, targets: &[&str], name: &str, plan: &str) -> Result<bool> {
        let makefile = fs::read_to_string(self.tree.root.join("Makefile"))?;
        let exported = makefile.lines().any(|line| {
            line.split_once(&format!(": export {name} :="))
                .is_some_and(|(of, _)| of.split(' ').any(|target| targets.contains(&target)))
        });
        let scripts = plan.split_whitespace().filter(|word| word.ends_with(".sh"));
        let mut texts = scripts.filter_map(|at| fs::read_to_string(self.tree.root.join(at)).ok());
        Ok(exported && texts.any(|text| reads(&text, name)))
    }

    /// Some source, script or makefile reads the variable.
    fn variable(&self, assignment: &str) -> Result<()> {
        let (name, _) = assignment.split_once('=').unwrap_or((assignment, ""));
        let mut folders = vec![self.tree.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir()? {
                let path = entry?.path();
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let source = [".rs", ".sh", ".c"].iter().any(|end| file.ends_with(end));
                if path.is_dir() && !file.starts_with('.') && file != "target" {
                    folders.push(path);
                } else if (source || file.starts_with("Makefile"))
                    && fs::read_to_string(&path).is_ok_and(|text| reads(&text, name))
                {
                    return Ok(());
                }
            }
        }
        Err(format!("nothing reads {name}").into())
    }

    fn verb(&self, words: &[&str]) -> Result<()> {
        has_verb(USAGE, words)?;
        if !READERS.contains(&words) {
            return Ok(());
        }
        // With the flags of the cargo that has started this, which has nothing to build then.
        let mut command = Command::new("cargo");
        command.arg("xtask").args(words).current_dir(&self.tree.root);
        self.run(&[&["cargo", "xtask"], words].concat(), &mut command)
    }

    /// cargo has the subcommand, and the workspace the packages and their targets. A `cargo run` runs.
    fn cargo(&self, words: &[&str]) -> Result<()> {
        let subcommand = words.first().copied().unwrap_or_default();
        if !self.cargo.contains(subcommand) {
            return Err(format!("cargo has no {subcommand}").into());
        }
        let own: Vec<_> = words.iter().copied().take_while(|word| *word != "--").collect();
        let options = |names: &[&str]| {
            let pairs = own.windows(2).filter(|pair| names.contains(&pair[0]));
            pairs.map(|pair| (pair[0].to_string(), pair[1].to_string())).collect::<Vec<_>>()
        };
        let mut targets = Vec::new();
        for (_, package) in options(&["-p", "--package"]) {
            let of = self.packages.get(&package).ok_or_else(|| format!("no package {package}"))?;
            targets.extend(of.iter().cloned());
        }
        for (kind, name) in options(&["--test", "--bench", "--bin", "--example"]) {
            let target = (kind.trim_start_matches('-').to_string(), name);
            if !targets.contains(&target) {
                return Err(format!("no package here has {} {}", target.0, target.1).into());
            }
        }
        match subcommand {
            "run" => self.run(&[&["cargo"], words].concat(), cargo(self.tree).args(words)),
            _ => Ok(()),
        }
    }

    /// README's C program, compiled as README says against an installation, and run.
    fn compile(&self, words: &[&str]) -> Result<()> {
        let dir = self.tree.target.join("documents");
        fs::create_dir_all(&dir)?;
        if !self.tree.target.join("lib/libkcfaes.so").exists() {
            library::build(self.tree)?;
        }
        let place = Place::new(&dir, "installed", "lib");
        place.make(self.tree, "install")?;
        let readme = fs::read_to_string(self.tree.root.join("README.md"))?;
        fs::write(dir.join("program.c"), library::program_in(&readme)?)?;
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(words.join(" ")).current_dir(&dir);
        shell.env("PKG_CONFIG_PATH", place.libdir.join("pkgconfig"));
        self.run(words, &mut shell)?;
        let mut program = Command::new(dir.join("a.out"));
        silent(program.env("LD_LIBRARY_PATH", &place.libdir)).map(drop)
    }

    fn page(&self, name: &str) -> Result<()> {
        let pages = [format!("man/{name}.3"), format!("kmod/{name}.4")];
        let is_page = pages.iter().any(|page| self.tree.root.join(page).is_file());
        let known =
            is_page || manual::functions(self.tree)?.iter().any(|function| function == name);
        if known { Ok(()) } else { Err(format!("no manual page {name}").into()) }
    }

    /// Files are there, a program has the words that it is given, and versions are those of requirements.txt.
    fn python(&self, words: &[&str]) -> Result<()> {
        let mut program: Option<String> = None;
        for word in words {
            self.path(word)?;
            if let Some(text) = &program
                && (word.starts_with("--") || word.chars().all(|c| c.is_ascii_lowercase()))
                && !text.contains(&format!("\"{word}\""))
            {
                return Err(format!("the program has no {word}").into());
            }
            if word.ends_with(".py") {
                program = Some(fs::read_to_string(self.tree.root.join(word))?);
            }
            let pins = self.tree.root.join("vectors/requirements.txt");
            if word.contains("==") && !fs::read_to_string(pins)?.lines().any(|line| line == *word) {
                return Err(format!("requirements.txt has another {word}").into());
            }
        }
        Ok(())
    }

    /// A path below a folder of the repository is there.
    fn path(&self, word: &str) -> Result<()> {
        let first = word.split('/').next().unwrap_or_default();
        let ours =
            word.contains('/') && !word.contains('*') && first != "target" && !first.is_empty();
        let root = &self.tree.root;
        if ours && root.join(first).is_dir() && !root.join(word).exists() {
            return Err(format!("{word} is not there").into());
        }
        Ok(())
    }

    /// `rm` removes all files of one package and nothing else.
    fn removed(&self, words: &[&str]) -> Result<()> {
        let files: BTreeSet<_> =
            words.iter().map(|word| word.trim_start_matches('/').to_string()).collect();
        match self.installed.contains(&files) {
            true => Ok(()),
            false => Err("these are not the files of a package of kmod/*.p5m".into()),
        }
    }

    /// What an administrator tells illumos of the modules is what they have.
    fn administration(&self, text: &str) -> Result<()> {
        self.look_up_names(text)?;
        let source = |name: &str| self.module.get(name).map_or("", String::as_str);
        for word in text.split_whitespace() {
            let parts: Vec<_> = word.split(':').collect();
            match parts.as_slice() {
                // /etc/system: `set MODULE:TUNABLE = N`.
                [module, tunable] if tunable.starts_with("kcfaes") => {
                    let name = if *module == "aes" { "kcfaes" } else { module };
                    if !source(&format!("{name}.c")).contains(&format!("\nuint_t {tunable} = ")) {
                        return Err(format!("{module} has no tunable {tunable}").into());
                    }
                }
                // kstat: `MODULE:INSTANCE:NAME`.
                ["kcfaes", instance, name] if instance.parse::<u32>().is_ok() => {
                    let created = format!("kstat_create(\"kcfaes\", {instance}, \"{name}\"");
                    if !source("kcfaes_kstat.c").contains(&created) {
                        return Err(format!("no kstat {word}").into());
                    }
                }
                _ => {}
            }
            // What krtld finds below /kernel.
            if let Some((folder @ ("crypto" | "misc"), module)) = word.split_once('/') {
                let path = format!("kernel/{folder}/amd64/{module}");
                if !self.installed.iter().any(|files| files.contains(&path)) {
                    return Err(format!("no package has {path}").into());
                }
            }
            match word.split_once('=') {
                Some(("provider", name)) if name != "aes" && !self.names.contains(name) => {
                    return Err(format!("no provider {name}").into());
                }
                // pkgmogrify: a macro of the manifests.
                Some((name, _)) if is_assignment(word) => {
                    let mut manifests = package::PACKAGES.iter().map(|one| format!("{one}.p5m"));
                    if !manifests.all(|one| source(&one).contains(&format!("$({name})"))) {
                        return Err(format!("no macro {name} in kmod/*.p5m").into());
                    }
                }
                _ => {}
            }
            if let Some(version) = word.strip_prefix("VERSION=")
                && version != env!("CARGO_PKG_VERSION")
            {
                return Err(format!("the version is {}", env!("CARGO_PKG_VERSION")).into());
            }
        }
        Ok(())
    }

    /// Every name of the project or of a mechanism is one of the module's sources, headers or packages.
    fn look_up_names(&self, text: &str) -> Result<()> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_-.*".contains(c));
        for word in words.map(|word| word.trim_start_matches('*').trim_end_matches('.')) {
            // sdt:::a-b is a__b in C.
            let in_c = word.replace('-', "__");
            let known = self.names.contains(word)
                || self.names.contains(&in_c)
                || word.contains('*') && self.names.iter().any(|name| matches(word, name));
            if (word.starts_with("kcfaes") || word.starts_with("CKM_")) && !known {
                return Err(format!("no such name: {word}").into());
            }
        }
        Ok(())
    }
}

/// Runs a command and returns what it wrote. Its complaints are shown only if it fails.
fn silent(command: &mut Command) -> Result<String> {
    let ended = command.stdin(Stdio::null()).output()?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    Err(format!("{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim_end()).into())
}

/// Whether `name` is `pattern`, in which a star is for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(first) else { return false };
    (0..=name.len()).any(|at| name.get(at..).is_some_and(|end| matches(rest, end)))
}

/// Whether the text of a source, script or makefile reads a variable.
fn reads(text: &str, name: &str) -> bool {
    let forms =
        [format!("(\"{name}\")"), format!("$({name})"), format!("${{{name}"), format!("${name}")];
    forms.iter().any(|form| text.contains(form))
}

/// The usage has the verb, and says that it takes these arguments.
fn has_verb(usage: &str, words: &[&str]) -> Result<()> {
    let [verb, arguments @ ..] = words else { return Ok(()) };
    if words == ["help"] {
        return Ok(());
    }
    let mut lines = usage.lines().skip_while(|line| {
        line.strip_prefix("  ").and_then(|line| line.split(' ').next()) != Some(verb)
    });
    let first = lines.next().ok_or_else(|| format!("xtask has no verb {verb}"))?;
    let more = lines.take_while(|line| line.starts_with("    "));
    let about = [first].into_iter().chain(more).collect::<Vec<_>>().join("\n");
    for argument in arguments {
        let takes = match argument.split_once('=') {
            _ if argument.starts_with("--") => about.contains(&format!("({verb} {argument}: ")),
            Some((name, _)) => about.contains(&format!(" {name}=")),
            None if about.contains(" [VERB] ") => has_verb(usage, &[argument]).is_ok(),
            None => about.contains(" [SECONDS] ") && argument.parse::<u64>().is_ok(),
        };
        if !takes {
            return Err(format!("xtask's {verb} takes no {argument}").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(document: &str) -> Vec<Shown> {
        shown(document).concat()
    }

    fn shown_at(number: usize, line: &str) -> Shown {
        (number, line.to_string())
    }

    #[test]
    fn commands_are_found_where_they_are_shown() {
        let document = "\
# Title

Say `make\ncheck` or `rm`, not `make_check`.

    make lib   # one
    dtrace -n 'a
        b'

* an item:
    its rest

```
make audit
```

```c
make(no);
```
| a | `X=1` |
";
        assert_eq!(
            lines(document),
            [
                shown_at(3, "make check"),
                shown_at(6, "make lib   # one"),
                shown_at(7, "dtrace -n 'a\n        b'"),
                shown_at(14, "make audit"),
                shown_at(20, "X=1"),
            ]
        );
        assert_eq!(displayed("text\n.Dl make lib\n"), [[shown_at(2, "make lib")]]);
    }

    #[test]
    fn a_line_is_taken_apart_as_a_shell_does() {
        for (line, commands) in [
            ("a b >> c && d | e", vec!["a b", "d", "e"]),
            ("(cd a && b -c)", vec!["cd a", "b -c"]),
            ("cc a.c $(b --c d) e", vec!["cc a.c $(b --c d) e"]),
            ("a 'b > c; d' e # f", vec!["a b > c; d e"]),
            ("> *a,8/J", vec!["mdb *a,8/J"]),
        ] {
            let parsed = parsed(line).expect(line);
            let joined: Vec<_> = parsed.commands.iter().map(|words| words.join(" ")).collect();
            assert_eq!(joined, commands, "{line}");
        }
        assert!(parsed("a 'b").is_none() && parsed("a \\").is_none() && parsed("$(a").is_none());
        assert_eq!(in_comment("or: gmake a, pkg b"), ["gmake a", "pkg b"]);
        assert_eq!(in_comment("needs x (y; make a B=c)"), ["make a B=c"]);
        assert_eq!(in_comment("make a removes it; make b"), ["make a", "make b"]);
    }

    /// The usage, which commands are compared with, has the verbs of the table.
    #[test]
    fn the_usage_has_each_verb() {
        let rooms = "\n        [\"rooms\"]";
        let (_, table) = include_str!("main.rs").split_once(rooms).expect("a table");
        let arms = table.lines().skip(1).map_while(|line| line.trim_start().strip_prefix("[\""));
        let arms: BTreeSet<_> = arms.filter_map(|arm| arm.split('"').next()).collect();
        let lines = USAGE.lines().filter_map(|line| line.strip_prefix("  "));
        let verbs = lines.filter(|line| !line.starts_with(' '));
        let mut verbs: BTreeSet<_> = verbs.filter_map(|line| line.split(' ').next()).collect();
        assert!(verbs.remove("rooms") && verbs.remove("setup"));
        assert_eq!(arms, verbs);
    }

    /// One fault of each kind, in commands that are right otherwise.
    #[test]
    fn a_command_that_is_wrong_is_refused() {
        let tree = Tree::find().expect("the repository");
        let facts = Facts::read(&tree).expect("facts");
        let check = |line: &str| facts.line(line, &mut String::new());
        for (right, wrong, error) in [
            ("make audit", "make audits", "exit status: 2"),
            ("make help", "make Makefile", "does nothing"),
            ("make -C ffi-tests/fakekernel check", "make -C ffi-tests check", "exit status: 2"),
            ("gmake install-aes", "gmake install-aesni", "exit status: 2"),
            ("make fuzz SECONDS=6", "make fuzz SECOND=6", "nothing reads SECOND"),
            ("make install PREFIX=/usr", "make lib PREFIX=/usr", "nothing reads PREFIX"),
            ("gmake LINK=r", "make LINK=r", "nothing reads LINK"),
            ("make kmod GATE=", "make kmod GATES=", "nothing reads GATES"),
            ("make setup FOR=ct", "make setup FOR=ctr", "takes no ctr"),
            ("make bench ARGS=--quick", "make bench ARGS=--quickly", "takes no --quickly"),
            ("KCFAES_FUZZ_TRACE=1", "KCFAES_FUZZ_TRACES=1", "nothing reads"),
            ("cargo xtask cpus", "cargo xtask cpu", "no verb cpu"),
            ("cargo xtask fuzz --corpus", "cargo xtask ct --corpus", "takes no --corpus"),
            ("cargo test -p xtask", "cargo test -p xtasks", "no package xtasks"),
            ("cargo test", "cargo tests", "cargo has no tests"),
            (
                "cargo test -p kcfaes-ffi-tests --test dispatch",
                "cargo test -p xtask --test dispatch",
                "no package here has test dispatch",
            ),
            ("cd kmod && make", "cd kmods && make", "no folder kmods"),
            ("man kcfaes_limits", "man kcfaes_limit", "no manual page"),
        ]
        .into_iter()
        .chain(ADMINISTRATORS)
        {
            check(right).unwrap_or_else(|error| panic!("{right}: {error}"));
            let refused = check(wrong).expect_err(wrong).to_string();
            assert!(refused.contains(error), "{wrong}: {refused}");
        }
    }

    const ADMINISTRATORS: [(&str, &str, &str); 15] = [
        ("python3 vectors/convert.py wide", "python3 vectors/convert.py wider", "has no wider"),
        ("python3 vectors/convert.py", "python3 vectors/converter.py", "is not there"),
        (
            "venv/bin/pip install -r vectors/requirements.txt",
            "venv/bin/pip download cryptography-vectors==0.0.1",
            "another",
        ),
        (
            "rm /platform/i86pc/kernel/crypto/amd64/aes",
            "rm /kernel/crypto/amd64/kcfaes",
            "not the files of a package",
        ),
        ("kstat -p kcfaes:0:stats", "kstat -p kcfaes:0:stat", "no kstat"),
        (
            "echo 'set kcfaes_test:kcfaes_test_stay = 1' >> /etc/system",
            "echo 'set kcfaes:kcfaes_test_stay = 1' >> /etc/system",
            "no tunable",
        ),
        ("set aes:kcfaes_hold_bytes = 1", "set aes:kcfaes_cpu_stats = 1", "no tunable"),
        ("echo 'forceload: crypto/kcfaes'", "echo 'forceload: misc/kcfaes'", "no package has"),
        ("cryptoadm list -p provider=aes", "cryptoadm list -p provider=des", "no provider"),
        ("pkg install kcfaes-aes", "pkg install kcfaes-des", "no such name"),
        (
            concat!("tar xpf kcfaes-", env!("CARGO_PKG_VERSION"), ".tar -C /"),
            "tar xpf kcfaes-0.0.0.tar -C /",
            "no such name",
        ),
        (
            concat!("pkgmogrify -D VERSION=", env!("CARGO_PKG_VERSION")),
            "pkgmogrify -D VERSION=0.0.0",
            "the version is",
        ),
        (
            concat!("pkgmogrify -D VERSION=", env!("CARGO_PKG_VERSION")),
            "pkgmogrify -D RELEASE=1",
            "no macro RELEASE",
        ),
        (
            "dtrace -n 'sdt:kcfaes::kcfaes-hold { }'",
            "dtrace -n 'fbt:kcfaes:kcfaes_spy_*_atomic:return { }'",
            "no such name",
        ),
        ("> kcfaes_nstats/D", "> kcfaes_stat/D", "no such name"),
    ];

    #[test]
    fn a_command_that_fails_is_refused_with_its_place() {
        let tree = Tree::find().expect("the repository");
        let facts = Facts::read(&tree).expect("facts");
        let document = "Text.\n\n    (cd vectors && sha256sum -c SUMS)\n    lsmod | grep kcfaes\n";
        let mut faults = Vec::new();
        assert_eq!(check(&facts, "a.md", document, &mut faults), 0);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(
            faults[0].starts_with("a.md:3: (cd vectors") && faults[0].contains("exit status: 1")
        );
        assert_eq!(faults[1], "a.md:4: lsmod | grep kcfaes: no rule knows this command");
        let right = document.replace("SUMS", "SHA256SUMS").replace("lsmod", "modinfo");
        assert_eq!(check(&facts, "a.md", &right, &mut faults), 4);
        assert_eq!((faults.len(), facts.ran.borrow().len()), (2, 2));
    }
}
