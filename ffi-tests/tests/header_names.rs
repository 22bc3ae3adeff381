// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks the stand-in headers and the module's C against the names that illumos' headers make visible.
//!
//! `data/header-names.tsv` was taken from the real headers (September 2024) by libclang. For each name it
//! has the kind, the type, and every header that makes it visible after `<sys/types.h>`. Nothing here
//! generates it. Two rules follow from it:
//!
//! * A stand-in header gives no name that the real one does not give, and each name has the same kind and
//!   type. [`EXCEPTIONS`] lists the exceptions and their reasons.
//! * A source in `kmod/` uses a name of the kernel only if one of its headers makes it visible.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use clang::token::TokenKind;
use clang::{Clang, Entity, EntityKind, Index, Unsaved};

const FACTS: &str = include_str!("../data/header-names.tsv");

/// Names that a stand-in header gives differently from the real one, and why that harms nobody.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("struct kmutex_t", "opaque, and larger: it holds the host's lock"),
    ("kmutex_t._opaque", "likewise"),
    ("struct kcondvar_t", "likewise"),
    ("kcondvar_t._opaque", "likewise"),
];

/// What a name is, and its type where it has one.
type Meaning = (String, String);

/// A name of illumos' headers.
struct Fact {
    meaning: Meaning,
    headers: BTreeSet<&'static str>,
}

impl Fact {
    fn visible_by(&self, header: &str) -> bool {
        self.headers.contains("*") || self.headers.contains(header)
    }
}

fn facts() -> BTreeMap<&'static str, Fact> {
    let rows = FACTS.lines().filter(|line| !line.starts_with('#'));
    let facts = rows.map(|row| {
        let [name, kind, ty, headers] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {row}")
        };
        let headers = headers.split(' ').collect();
        (name, Fact { meaning: (kind.to_string(), ty.to_string()), headers })
    });
    facts.collect()
}

/// libclang, for one test at a time: a process can have only one.
fn libclang() -> (MutexGuard<'static, ()>, Clang) {
    static ONE: Mutex<()> = Mutex::new(());
    let lock = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    (lock, Clang::new().expect("libclang"))
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The names that the headers in `folder` give to a source that includes `<sys/types.h>` and `header`.
fn names(index: &Index<'_>, folder: &Path, header: &str) -> BTreeMap<String, Meaning> {
    let probe = folder.join("probe.c");
    let text = format!("#include <sys/types.h>\n#include <{header}>\n");
    let include = format!("-I{}", folder.display());
    let unit = index
        .parser(&probe)
        .arguments(&["-std=gnu99", "-D_KERNEL", "-ffreestanding", &include])
        .unsaved(&[Unsaved::new(&probe, text)])
        .detailed_preprocessing_record(true)
        .parse()
        .expect("libclang reads the header");
    let errors: Vec<_> = unit.get_diagnostics().into_iter().map(|d| d.get_text()).collect();
    assert!(errors.is_empty(), "<{header}>: {errors:?}");
    let mut names = BTreeMap::new();
    for entity in unit.get_entity().get_children() {
        let file = entity.get_location().and_then(|at| at.get_file_location().file);
        if file.is_some_and(|file| file.get_path().starts_with(folder)) {
            add_names(entity, &mut names);
        }
    }
    names
}

fn add_names(entity: Entity<'_>, names: &mut BTreeMap<String, Meaning>) {
    let name = own_name(entity);
    let none = || "-".to_string();
    let mut add = |name: String, kind: &str, ty| _ = names.insert(name, (kind.to_string(), ty));
    match (entity.get_kind(), name) {
        (EntityKind::MacroDefinition, Some(name)) if !is_guard(&name) => add(name, "macro", none()),
        (EntityKind::FunctionDecl, Some(name)) => add(name, "function", type_of(entity)),
        (EntityKind::VarDecl, Some(name)) => add(name, "variable", type_of(entity)),
        (EntityKind::TypedefDecl, Some(name)) => {
            add(name.clone(), "type", none());
            // A struct without a tag is known by the type's name.
            let record = entity.get_typedef_underlying_type().and_then(|ty| ty.get_declaration());
            if let Some(record) = record.filter(|record| own_name(*record).is_none()) {
                add_parts(record, &name, names);
            }
        }
        (EntityKind::StructDecl | EntityKind::UnionDecl, Some(name)) => {
            add_parts(entity, &name, names);
        }
        (EntityKind::EnumDecl, name) => {
            if let Some(name) = name {
                add(format!("enum {name}"), "tag", none());
            }
            for constant in entity.get_children() {
                if let Some((value, _)) = constant.get_enum_constant_value() {
                    let name = constant.get_name().expect("a constant has a name");
                    add(name, "enumerator", value.to_string());
                }
            }
        }
        _ => {}
    }
}

/// The tag of a struct or union, and its members. A tag alone promises no members.
fn add_parts(record: Entity<'_>, tag: &str, names: &mut BTreeMap<String, Meaning>) {
    let word = match record.get_kind() {
        EntityKind::StructDecl => "struct",
        EntityKind::UnionDecl => "union",
        _ => return,
    };
    if !record.is_definition() {
        return;
    }
    names.insert(format!("{word} {tag}"), ("tag".to_string(), "-".to_string()));
    for part in record.get_children().into_iter().filter(|p| p.get_kind() == EntityKind::FieldDecl)
    {
        if let Some(member) = part.get_name() {
            names.insert(format!("{tag}.{member}"), ("member".to_string(), type_of(part)));
        }
    }
}

/// Some versions of libclang name an unnamed entity by its place.
fn own_name(entity: Entity<'_>) -> Option<String> {
    entity.get_name().filter(|name| !name.is_empty() && !name.contains('('))
}

fn type_of(entity: Entity<'_>) -> String {
    let ty = entity.get_type().expect("a type").get_display_name();
    match ty.split_once(" at ") {
        Some((before, _)) => format!("{before})"),
        None => ty,
    }
}

/// Whether a macro only keeps a header from being included twice.
fn is_guard(name: &str) -> bool {
    name.starts_with("_SYS_") && name.ends_with("_H")
}

/// The headers in `folder`, as an `#include` names them.
fn headers(folder: &Path) -> Vec<String> {
    let mut headers = Vec::new();
    for directory in ["sys", "sys/crypto"] {
        for entry in fs::read_dir(folder.join(directory)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".h") {
                headers.push(format!("{directory}/{name}"));
            }
        }
    }
    headers.sort();
    headers
}

/// Names that a stand-in header should not give, or should give differently.
fn lies(folder: &Path, exceptions: &[(&str, &str)]) -> Vec<String> {
    let (_lock, clang) = libclang();
    let index = Index::new(&clang, false, false);
    let facts = facts();
    let basic = names(&index, folder, "sys/types.h");
    let mut lies = Vec::new();
    for header in headers(folder) {
        let given = names(&index, folder, &header);
        for (name, meaning) in &given {
            let from_types = basic.contains_key(name) && header != "sys/types.h";
            if from_types || exceptions.iter().any(|(exception, _)| exception == name) {
                continue;
            }
            let lie = match facts.get(name.as_str()) {
                None => "illumos' headers are not known to have it".to_string(),
                Some(fact) if !fact.visible_by(&header) => {
                    let headers: Vec<_> = fact.headers.iter().copied().collect();
                    format!("it comes from {}", headers.join(" "))
                }
                Some(fact) if fact.meaning != *meaning => {
                    format!("it is {:?}, not {meaning:?}", fact.meaning)
                }
                Some(_) => continue,
            };
            lies.push(format!("<{header}>: {name}: {lie}"));
        }
    }
    lies
}

#[test]
fn the_stand_in_headers_give_what_illumos_gives() {
    let lies = lies(&here("fakekernel/include"), &EXCEPTIONS);
    assert!(lies.is_empty(), "{}", lies.join("\n"));
}

/// Uses of the kernel's names in a source of `kmod/` that none of its headers makes visible, with their
/// lines. `own` has the project's headers, by name.
fn strangers(text: &str, own: &BTreeMap<String, String>) -> Vec<String> {
    let facts = facts();
    let mut included = BTreeSet::new();
    let mut pending = vec![text];
    while let Some(text) = pending.pop() {
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("#include ")) {
            let name = line.trim_matches(['<', '>', '"']);
            if included.insert(name.to_string()) {
                pending.extend(own.get(name).map(String::as_str));
            }
        }
    }
    let (_lock, clang) = libclang();
    let index = Index::new(&clang, false, false);
    let source = Path::new("source.c");
    let unit = index.parser(source).unsaved(&[Unsaved::new(source, text)]).parse();
    let unit = unit.expect("libclang reads what it can");
    let mut strangers = Vec::new();
    let mut before = String::new();
    for token in unit.get_entity().get_range().expect("the whole text").tokenize() {
        let spelling = token.get_spelling();
        let name = match before.as_str() {
            // The name of a member.
            "." | "->" => None,
            "struct" | "union" | "enum" => Some(format!("{before} {spelling}")),
            _ => Some(spelling.clone()),
        };
        before = spelling;
        if token.get_kind() != TokenKind::Identifier {
            continue;
        }
        let Some(name) = name else { continue };
        let Some(fact) = facts.get(name.as_str()) else { continue };
        if !included.iter().any(|header| fact.visible_by(header)) {
            let line = token.get_location().get_file_location().line;
            let headers: Vec<_> = fact.headers.iter().copied().collect();
            strangers.push(format!("line {line}: {name}: it comes from {}", headers.join(" ")));
        }
    }
    strangers
}

/// The project's headers that the module's C includes.
fn own_headers() -> BTreeMap<String, String> {
    let files =
        ["../kmod", "../include"].map(|folder| fs::read_dir(here(folder)).expect("a folder"));
    let paths = files.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let headers = paths.filter(|path| path.extension().is_some_and(|extension| extension == "h"));
    headers
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a header"))
        })
        .collect()
}

#[test]
fn the_modules_use_what_their_headers_give() {
    let own = own_headers();
    let mut seen = 0;
    for entry in fs::read_dir(here("../kmod")).expect("kmod/") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "c") {
            let text = fs::read_to_string(&path).expect("a source");
            let strangers = strangers(&text, &own);
            assert!(strangers.is_empty(), "{}:\n{}", path.display(), strangers.join("\n"));
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} sources");
}

/// The fault that once kept the module from compiling on illumos.
#[test]
fn a_planted_name_is_noticed() {
    let source = fs::read_to_string(here("../kmod/kcfaes_env.c")).expect("a source");
    let right = "CPU->cpu_seqid";
    assert!(source.contains(right));
    let wrong = source.replace(right, "CPU_SEQID");
    let [stranger] = &strangers(&wrong, &own_headers())[..] else { panic!("one is planted") };
    assert!(stranger.contains("CPU_SEQID: it comes from sys/crypto/impl.h"), "{stranger}");
    // The name in a comment, a string or a member is no use of it.
    let quiet = source.replace(right, "x->CPU_SEQID /* CPU_SEQID */ + sizeof (\"\\\"CPU_SEQID\")");
    assert_eq!(strangers(&quiet, &own_headers()), Vec::<String>::new());
}

/// A header that gives too much, another kind or another type, or a name that illumos does not have.
#[test]
fn each_lie_of_a_header_is_noticed() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("kcfaes-header-names-{}", std::process::id()));
    fs::create_dir_all(folder.join("sys/crypto")).expect("a folder");
    let original = here("fakekernel/include/sys/types.h");
    fs::copy(original, folder.join("sys/types.h")).expect("a copy");
    let header = folder.join("sys/cpuvar.h");
    for (text, lie) in [
        ("#define CPU_SEQID 0\n", "CPU_SEQID: it comes from sys/crypto/impl.h"),
        ("extern int CPU;\n", "CPU: it is (\"macro\", \"-\"), not (\"variable\", \"int\")"),
        ("extern long max_ncpus;\n", "not (\"variable\", \"long\")"),
        ("struct cpu { long cpu_id; };\n", "not (\"member\", \"long\")"),
        ("extern int servicing_interrupt(int);\n", "not (\"function\", \"int (int)\")"),
        ("#define CPU_OF_OURS 1\n", "CPU_OF_OURS: illumos' headers are not known to have it"),
        ("enum { B_FALSE_TOO };\n", "B_FALSE_TOO: illumos' headers are not known to have it"),
    ] {
        fs::write(&header, text).expect("a header");
        let [found] = &lies(&folder, &[])[..] else { panic!("{text}: one lie") };
        assert!(found.starts_with("<sys/cpuvar.h>: ") && found.contains(lie), "{found}");
    }
    fs::write(&header, "extern int max_ncpus;\n").expect("a header");
    assert_eq!(lies(&folder, &[]), Vec::<String>::new());
}
