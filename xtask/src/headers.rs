// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes `include/*.h` and the library's symbol map from the Rust sources, or checks that the
//! committed files are the same.

use std::fs;
use std::path::PathBuf;

use crate::layout::{self, MECHANISM_NUMBER};
use crate::library;
use crate::process::{compiler, run};
use crate::rust_source::Source;
use crate::sections::{self, Section};
use crate::{Result, Tree};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a header is made from.
enum Content {
    /// KCF's types and numbers, for systems that do not have them.
    KcfTypes,
    /// Functions that Rust exports, in sections if the source is in modules.
    Exports { types: &'static str, sections: &'static [&'static str] },
    /// Functions that Rust exports to the kernel module alone, and numbers that its C must agree with.
    Module,
    /// Functions that C provides to Rust.
    Environment,
    /// The layout table.
    Layout,
}

struct Header {
    file: &'static str,
    /// Relative to `rust-core/`.
    source: &'static str,
    /// The text at its head. It is empty where the source's own text is used.
    about: &'static str,
    content: Content,
}

/// The structures of KCF have the layout of LP64. Elsewhere a header would compile, with wrong sizes.
const LP64: &str = "\
#if !defined(_LP64) && !defined(__LP64__)
#error \"kcfaes has KCF's structures as a 64-bit kernel has them: compile for LP64\"
#endif

";

/// Includes the types that cross the ops vector. They are the system's own where it has them.
const KCF_TYPES: &str = "\
#ifdef _KERNEL
#include <sys/types.h>
#include <sys/crypto/common.h>
#include <sys/crypto/spi.h>
#else
#include \"kcfaes_kcf.h\"
#endif
";

const MODULE_TYPES: &str = "\
#ifdef _KERNEL
#include <sys/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif
";

/// Where the numbers of the module's header are, relative to `rust-core/`, and how their names end.
const MODULE_NUMBERS: [(&str, &[&str]); 4] = [
    ("provider/src/kcf.rs", &[MECHANISM_NUMBER]),
    ("provider/src/key.rs", &["MIN_KEY", "MAX_KEY"]),
    ("provider/src/engine/fpu.rs", &["HOLD_BYTES", "LEAST_HOLD", "MOST_HOLD"]),
    ("provider/src/engine/select.rs", &["LIGHT_BYTES"]),
];

const FREESTANDING_TYPES: &str = "#include <stddef.h>\n#include <stdint.h>\n";

/// The modules of the plain C API in the header's order: first what the others need, then what is used
/// most.
const API_SECTIONS: [&str; 10] =
    ["error", "key", "bytes", "gcm", "ccm", "mac", "block", "context", "memory", "tables"];

const HEADERS: [Header; 6] = [
    Header {
        file: "kcfaes_kcf.h",
        source: "provider/src/kcf.rs",
        about: "Types and numbers of the illumos Kernel Cryptographic Framework that cross the ops\n\
                vector, for systems without its headers. LP64 only.",
        content: Content::KcfTypes,
    },
    Header {
        file: "kcfaes_spi.h",
        source: "capi/src/spi.rs",
        about: "",
        content: Content::Exports { types: KCF_TYPES, sections: &[] },
    },
    Header {
        file: "kcfaes.h",
        source: "capi/src/api/mod.rs",
        about: "",
        content: Content::Exports { types: FREESTANDING_TYPES, sections: &API_SECTIONS },
    },
    Header {
        file: "kcfaes_env.h",
        source: "provider/src/env.rs",
        about: "",
        content: Content::Environment,
    },
    Header {
        file: "kcfaes_module.h",
        source: "capi/src/module.rs",
        about: "",
        content: Content::Module,
    },
    Header {
        file: "kcfaes_abi.h",
        source: "provider/src/kcf.rs",
        about: "Sizes (KCFAES_SIZEOF_type), offsets (KCFAES_OFFSETOF_type_field) and widths\n\
                (KCFAES_FIELDSIZE_type_field) of KCF's types as the Rust side has them, and its\n\
                numbers (KCFAES_VALUE_name): to be asserted against the system's own headers.",
        content: Content::Layout,
    },
];

/// The library's version script.
pub(crate) const MAP: &str = "rust-core/capi/libkcfaes.map";

/// Each generated file and its text.
fn generate(tree: &Tree) -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for header in &HEADERS {
        let text = header.generate(tree).map_err(|error| format!("{}: {error}", header.file))?;
        if let Some(long) = text.lines().find(|line| line.chars().count() > 100) {
            return Err(format!("{}: longer than 100 columns: {long}", header.file).into());
        }
        files.push((tree.root.join("include").join(header.file), text));
    }
    files.push((tree.root.join(MAP), symbol_map(tree)?));
    Ok(files)
}

pub(crate) fn write(tree: &Tree) -> Result<()> {
    for (path, text) in generate(tree)? {
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        fs::create_dir_all(path.parent().unwrap_or(&tree.root))?;
        fs::write(&path, text)?;
        println!("wrote {}", path.strip_prefix(&tree.root)?.display());
    }
    Ok(())
}

/// Fails if a committed file is not what the sources say, or if a header does not compile.
pub(crate) fn check(tree: &Tree) -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in generate(tree)? {
        if let Some(line) = difference(&fs::read_to_string(&path).unwrap_or_default(), &text) {
            stale.push(format!("{}:{line}", path.strip_prefix(&tree.root)?.display()));
        }
    }
    if !stale.is_empty() {
        return Err(format!("stale, run `cargo xtask headers`: {}", stale.join(", ")).into());
    }
    compile(tree)
}

/// The first line in which the texts differ.
fn difference(committed: &str, generated: &str) -> Option<usize> {
    if committed == generated {
        return None;
    }
    let same = committed.lines().zip(generated.lines()).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

/// Names that the library exports: the plain API and the ops vector.
pub(crate) fn library_exports(tree: &Tree) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for header in &HEADERS {
        if let Content::Exports { .. } = header.content {
            names.extend(header.read(tree)?.exports());
        }
    }
    names.sort();
    Ok(names)
}

/// Files that `make install` puts into the include folder.
pub(crate) fn installed(tree: &Tree) -> impl Iterator<Item = PathBuf> {
    ["kcfaes.h", "kcfaes_kcf.h", "kcfaes_spi.h"]
        .map(|file| tree.root.join("include").join(file))
        .into_iter()
}

// REUSE-IgnoreStart
/// The first line of a generated file.
const LICENCE: &str = "/* SPDX-License-Identifier: MIT OR Apache-2.0 */\n";
// REUSE-IgnoreEnd

/// How the names of KCF's ops begin. No function of the plain API has such a name.
const OPS: &str = "kcfaes_spi_";

/// The version nodes of the library, and the names in each: the two kinds of functions have one each, and names
/// that tell them apart.
pub(crate) fn versions(tree: &Tree) -> Result<Vec<(&'static str, Vec<String>)>> {
    let nodes = [(library::API_NODE, "kcfaes.h", false), (library::OPS_NODE, "kcfaes_spi.h", true)];
    let names = nodes.into_iter().map(|(node, file, ops)| {
        let header = HEADERS.iter().find(|header| header.file == file).ok_or(file)?;
        let mut names = header.read(tree)?.exports();
        names.sort();
        match names.iter().find(|name| name.starts_with(OPS) != ops) {
            None => Ok((node, names)),
            Some(name) => {
                Err(format!("{file}: {OPS}* are KCF's ops and nothing else: {name}").into())
            }
        }
    });
    names.collect()
}

fn symbol_map(tree: &Tree) -> Result<String> {
    let mut text = format!(
        "{LICENCE}\
         /* Generated by `cargo xtask headers`: every function of kcfaes.h and kcfaes_spi.h. */\n",
    );
    for (node, names) in versions(tree)? {
        text.push_str(&format!("{node} {{\nglobal:\n"));
        for name in names {
            text.push_str(&format!("\t{name};\n"));
        }
        text.push_str(if node == library::API_NODE { "local:\n\t*;\n};\n\n" } else { "};\n" });
    }
    Ok(text)
}

impl Header {
    fn path(&self, tree: &Tree) -> PathBuf {
        tree.root.join("rust-core").join(self.source)
    }

    fn read(&self, tree: &Tree) -> Result<Source> {
        Source::read(&self.path(tree))
    }

    /// The sections of the header, if it has any.
    fn sections(&self, rust: &Source) -> Result<Vec<Section>> {
        let Content::Exports { sections, .. } = self.content else {
            return Ok(Vec::new());
        };
        let sections = sections.iter().map(|&name| {
            let module = rust.module(name).ok_or_else(|| format!("no module {name}"))?;
            let documentation = module.documentation();
            let heading = documentation.lines().next().unwrap_or_default();
            let heading = heading.trim_end_matches('.').to_string();
            Ok(Section { heading, names: module.declarations() })
        });
        sections.collect()
    }

    fn generate(&self, tree: &Tree) -> Result<String> {
        let Self { file, source, about, .. } = self;
        let rust = self.read(tree)?;
        let mut about = if about.is_empty() { rust.documentation() } else { (*about).to_string() };
        let sections = self.sections(&rust)?;
        if !sections.is_empty() {
            about.push_str("\nSections:\n");
            about.extend(sections.iter().map(|section| format!("* {}\n", section.heading)));
        }
        let source = source.trim_end_matches("/mod.rs");
        let origin =
            format!("Generated from rust-core/{source} by `cargo xtask headers`: do not edit.");
        let intro = comment("", &plain(&format!("{}\n\n{origin}", about.trim_end())));
        let intro = format!("{LICENCE}{intro}");
        let guard = format!("_{}", file.to_uppercase().replace('.', "_"));
        if let Content::Layout = self.content {
            return Ok(format!(
                "{intro}\n#ifndef {guard}\n#define {guard}\n\n{}\n#endif /* {guard} */\n",
                layout::macros()
            ));
        }

        let mut config =
            cbindgen::Config::from_file(tree.root.join("rust-core/capi/cbindgen.toml"))?;
        config.include_guard = Some(guard);
        config.export.include = rust.c_types();
        let mut input = self.path(tree);
        let mut before = String::new();
        match &self.content {
            Content::KcfTypes => {
                before.push_str(LP64);
                before.push_str(FREESTANDING_TYPES);
                config.export.exclude = rust.rust_only_types();
            }
            Content::Exports { types, .. } => {
                if *types == KCF_TYPES {
                    before.push_str(LP64);
                }
                before.push_str(types);
                before.push_str(&version_macros());
                if *file == "kcfaes.h" {
                    before.push_str(MUST_USE);
                    config.function.must_use = Some("KCFAES_MUST_USE".to_string());
                }
            }
            Content::Module => {
                before.push_str(MODULE_TYPES);
                let mut text = fs::read_to_string(&input)?;
                for (file, endings) in MODULE_NUMBERS {
                    let source = Source::read(&tree.root.join("rust-core").join(file))?;
                    for (name, definition) in source.numbers(endings) {
                        config.export.rename.insert(name.clone(), format!("KCFAES_{name}"));
                        text.push_str(&definition);
                    }
                }
                input = write_input(tree, "module.rs", &text)?;
            }
            Content::Environment => {
                before.push_str(LP64);
                before.push_str(KCF_TYPES);
                before.push_str(ALIGNED);
                for name in rust.constants() {
                    config.export.rename.insert(name.clone(), format!("KCFAES_{name}"));
                }
                input = write_input(tree, "env.rs", &rust.foreign_as_definitions())?;
            }
            Content::Layout => {}
        }
        config.after_includes = Some(before);
        let bindings = cbindgen::Builder::new().with_config(config).with_src(&input).generate()?;
        let mut text = Vec::new();
        bindings.write(&mut text);
        let mut text = tidy(&String::from_utf8(text)?);
        if let Content::Exports { .. } = self.content {
            text = name_parameters(&text);
        }
        if !sections.is_empty() {
            text = sections::arrange(&text, &sections)?;
        }
        Ok(format!("{intro}\n{}", text.trim_start()))
    }
}

/// Writes the text that cbindgen reads in place of a source.
fn write_input(tree: &Tree, name: &str, text: &str) -> Result<PathBuf> {
    let folder = tree.target.join("headers");
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

const MUST_USE: &str = "
#if defined(__GNUC__)
#define KCFAES_MUST_USE __attribute__((warn_unused_result))
#else
#define KCFAES_MUST_USE
#endif
";

const ALIGNED: &str = "\n#define KCFAES_ALIGNED(n) __attribute__((aligned(n)))\n";

fn version_macros() -> String {
    let mut parts = VERSION.split('.');
    let mut text = String::from("\n#ifndef KCFAES_VERSION\n");
    text.push_str(&format!("#define KCFAES_VERSION \"{VERSION}\"\n"));
    for name in ["MAJOR", "MINOR", "PATCH"] {
        text.push_str(&format!("#define KCFAES_VERSION_{name} {}\n", parts.next().unwrap_or("0")));
    }
    text.push_str("#endif\n");
    text
}

/// Rustdoc's text as C programmers write it: ASCII, without marks.
fn plain(text: &str) -> String {
    let marks = [
        ("[`", ""),
        ("`]", ""),
        ("`", ""),
        ("..=", " to "),
        ("\u{2013}", "-"),
        ("\u{2026}", "..."),
        ("\n* ", "\n- "),
    ];
    marks.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// A comment of one or more lines.
fn comment(indent: &str, text: &str) -> String {
    if !text.contains('\n') && indent.len() + text.len() <= 94 {
        return format!("{indent}/* {text} */\n");
    }
    let lines = text.lines().map(|line| format!("{indent} * {line}").trim_end().to_string() + "\n");
    format!("{indent}/*\n{}{indent} */\n", lines.collect::<String>())
}

/// Gives cbindgen's comments the form of [`comment`]. Drops double blank lines, and the comma after the last
/// member of an enum, which C89 and C++98 do not have.
fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        if line.trim_start() == "/*" {
            let indent = &line[..line.len() - 2];
            let body = lines.by_ref().take_while(|line| line.trim() != "*/");
            let body: Vec<_> = body
                .map(|line| line.strip_prefix(indent).unwrap_or(line).replacen(' ', "", 1))
                .collect();
            tidy.push_str(&comment(indent, plain(&body.join("\n")).trim_end()));
        } else if let Some((code, remark)) = line.split_once("// ") {
            tidy.push_str(&format!("{} /* {remark} */\n", code.trim_end()));
        } else if !(line.is_empty() && tidy.ends_with("\n\n")) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.replace(",\n}", "\n}")
}

/// Rust marks an unused parameter with an underscore. For a caller the parameter has a plain name.
fn name_parameters(text: &str) -> String {
    let mut named = String::new();
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let starts = c == '_' && matches!(before, ' ' | '*');
        if !(starts && chars.peek().is_some_and(char::is_ascii_lowercase)) {
            named.push(c);
        }
        before = c;
    }
    named
}

/// The oldest standards of C and C++ that a program may be in, and newer ones.
pub(crate) const STANDARDS: [(&str, &str, &str, &str); 4] = [
    ("CC", "cc", "c", "-std=c89"),
    ("CC", "cc", "c", "-std=c99"),
    ("CXX", "c++", "cc", "-std=c++98"),
    ("CXX", "c++", "cc", "-std=c++17"),
];

/// Warnings with which a program may compile our headers.
pub(crate) const WARNINGS: [&str; 5] = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"];

/// Compiles every header alone and twice, and all together, in each standard. Those with KCF's structures
/// must be refused where they would have wrong sizes.
fn compile(tree: &Tree) -> Result<()> {
    let dir = tree.target.join("headers");
    fs::create_dir_all(&dir)?;
    let files: Vec<&str> = HEADERS.iter().map(|header| header.file).collect();
    let mut units: Vec<Vec<&str>> = files.iter().map(|&file| vec![file, file]).collect();
    units.push(files);
    for unit in units {
        let mut text: String = unit.iter().map(|file| format!("#include \"{file}\"\n")).collect();
        // A header of macros alone would leave a translation unit empty, which C forbids.
        text.push_str("typedef int unit;\n");
        for (variable, default, extension, standard) in STANDARDS {
            let path = dir.join("unit").with_extension(extension);
            fs::write(&path, &text)?;
            run(compiler(variable, default)
                .arg(standard)
                .args(WARNINGS)
                .args(["-fsyntax-only", "-I"])
                .arg(tree.root.join("include"))
                .arg(path))?;
        }
    }
    ["kcfaes_kcf.h", "kcfaes_spi.h", "kcfaes_env.h"]
        .into_iter()
        .try_for_each(|file| refused_for_32_bits(tree, file))
}

/// Fails unless the header says itself that it is not for this machine. Freestanding, because a machine may
/// lack the 32-bit headers of libc.
fn refused_for_32_bits(tree: &Tree, file: &str) -> Result<()> {
    let header = tree.root.join("include").join(file);
    let compiled = compiler("CC", "cc")
        .args(["-m32", "-ffreestanding", "-fsyntax-only", "-x", "c"])
        .arg(&header)
        .output()?;
    let messages = String::from_utf8_lossy(&compiled.stderr);
    if !compiled.status.success() && messages.contains("compile for LP64") {
        return Ok(());
    }
    Err(format!("{file} does not refuse a 32-bit program: {messages}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of what the headers are made from, in a folder of the test's own.
    fn copy_of_tree(name: &str) -> Tree {
        let tree = Tree::find().expect("the repository");
        let root = crate::scratch().join(format!("kcfaes-headers-{name}-{}", std::process::id()));
        let mut files = vec!["rust-core/capi/cbindgen.toml".to_string(), MAP.to_string()];
        for header in &HEADERS {
            files.push(format!("rust-core/{}", header.source));
            files.push(format!("include/{}", header.file));
        }
        let api = fs::read_dir(tree.root.join("rust-core/capi/src/api")).expect("a folder");
        for file in api {
            let name = file.expect("a file").file_name();
            files.push(format!("rust-core/capi/src/api/{}", name.to_string_lossy()));
        }
        files.extend(MODULE_NUMBERS.map(|(file, _)| format!("rust-core/{file}")));
        for file in files {
            let to = root.join(&file);
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::copy(tree.root.join(&file), to).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        Tree { target: root.join("target"), root, installs: false }
    }

    fn replace(tree: &Tree, file: &str, from: &str, to: &str) {
        let path = tree.root.join(file);
        let text = fs::read_to_string(&path).expect(file);
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replacen(from, to, 1)).expect(file);
    }

    fn error(tree: &Tree) -> String {
        check(tree).expect_err("planted").to_string()
    }

    #[test]
    fn committed_headers_are_fresh_and_compile() {
        check(&copy_of_tree("fresh")).expect("fresh");
    }

    #[test]
    fn an_edited_header_is_stale() {
        let tree = copy_of_tree("edited");
        replace(&tree, "include/kcfaes_kcf.h", "size_t cd_length", "int cd_length");
        assert!(error(&tree).contains("stale") && error(&tree).contains("include/kcfaes_kcf.h:"));
    }

    #[test]
    fn a_changed_source_makes_its_headers_stale() {
        let tree = copy_of_tree("source");
        replace(
            &tree,
            "rust-core/capi/src/spi.rs",
            "fn kcfaes_spi_mac_final(",
            "fn kcfaes_spi_mac_end(",
        );
        let error = error(&tree);
        assert!(error.contains("kcfaes_spi.h:") && error.contains("libkcfaes.map:"), "{error}");
    }

    #[test]
    fn an_op_with_a_name_of_the_api_is_refused() {
        let tree = copy_of_tree("ops");
        let (ops, api) = ("rust-core/capi/src/spi.rs", "rust-core/capi/src/api/tables.rs");
        replace(&tree, ops, "fn kcfaes_spi_mac_final(", "fn kcfaes_mac_final(");
        assert!(error(&tree).contains("ops and nothing else: kcfaes_mac_final"));
        replace(&tree, ops, "fn kcfaes_mac_final(", "fn kcfaes_spi_mac_final(");
        replace(&tree, api, "fn kcfaes_selftest(", "fn kcfaes_spi_selftest(");
        assert!(error(&tree).contains("ops and nothing else: kcfaes_spi_selftest"));
    }

    #[test]
    fn a_changed_environment_makes_its_header_stale() {
        let tree = copy_of_tree("environment");
        replace(
            &tree,
            "rust-core/provider/src/env.rs",
            "kcfaes_env_features() -> u32",
            "kcfaes_env_features() -> u64",
        );
        assert!(error(&tree).contains("include/kcfaes_env.h:"));
    }

    #[test]
    fn a_changed_number_makes_the_modules_header_stale() {
        for (file, from, to) in [
            (
                "kcf.rs",
                "AES_GCM_MECH_INFO_TYPE: crypto_mech_type_t = 5",
                "AES_GCM_MECH_INFO_TYPE: crypto_mech_type_t = 6",
            ),
            ("engine/fpu.rs", "HOLD_BYTES: usize = 32 * 1024", "HOLD_BYTES: usize = 16 * 1024"),
            ("engine/fpu.rs", "MOST_HOLD: usize", "LARGEST_HOLD: usize"),
            ("engine/select.rs", "LIGHT_BYTES: usize = 512", "LIGHT_BYTES: usize = 256"),
        ] {
            let tree = copy_of_tree("number");
            replace(&tree, &format!("rust-core/provider/src/{file}"), from, to);
            assert!(error(&tree).contains("include/kcfaes_module.h"), "{from}");
        }
    }

    #[test]
    fn a_missing_header_is_stale() {
        let tree = copy_of_tree("missing");
        fs::remove_file(tree.root.join("include/kcfaes_abi.h")).expect("it was there");
        assert!(error(&tree).contains("include/kcfaes_abi.h:1"));
    }

    #[test]
    fn a_header_that_is_no_strict_c_does_not_compile() {
        let tree = copy_of_tree("strict");
        // Nested functions, an empty struct: GNU C would take it.
        replace(
            &tree,
            "include/kcfaes_kcf.h",
            "#include <stddef.h>",
            "struct empty {};\n#include <stddef.h>",
        );
        assert!(compile(&tree).is_err());
    }

    #[test]
    fn a_header_that_is_no_old_c_does_not_compile() {
        let tree = copy_of_tree("old");
        replace(&tree, "include/kcfaes.h", "KCFAES_INVALID_MAC = 72", "KCFAES_INVALID_MAC = 72,");
        assert!(compile(&tree).is_err());
    }

    #[test]
    fn a_header_that_serves_32_bit_programs_is_refused() {
        let tree = copy_of_tree("lp64");
        for file in ["kcfaes_kcf.h", "kcfaes_env.h", "kcfaes_spi.h"] {
            replace(&tree, &format!("include/{file}"), "#error", "#define ANY");
            let error = compile(&tree).expect_err("planted").to_string();
            assert!(error.contains("does not refuse a 32-bit program"), "{error}");
        }
    }

    #[test]
    fn comments_and_parameters_get_their_form() {
        let text = "  /*\n   One `a`.\n   */\n  int a;\n\n\n#endif // b\n";
        assert_eq!(tidy(text), "  /* One a. */\n  int a;\n\n#endif /* b */\n");
        assert_eq!(tidy("enum e {\n    A,\n};\n"), "enum e {\n    A\n};\n");
        assert_eq!(name_parameters("int f(a *_b, int _c, int d_e)"), "int f(a *b, int c, int d_e)");
    }
}
