// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manual pages of the library: each function of kcfaes.h has a page, with the header's prototype.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::run;
use crate::{Result, Tree};

/// The library's pages.
pub(crate) fn pages(tree: &Tree) -> Result<Vec<PathBuf>> {
    tree.files("man", &["3"])
}

/// Every page passes mandoc's checks, and the pages have the header's prototypes and no others.
pub(crate) fn check(tree: &Tree) -> Result<()> {
    let pages = pages(tree)?;
    let module = tree.root.join("kmod/kcfaes.4");
    run(Command::new("mandoc").args(["-Tlint", "-Wwarning"]).args(&pages).arg(module))?;
    let mut described = BTreeMap::new();
    for page in &pages {
        let text = fs::read_to_string(page)?;
        let synopsis = synopsis(&text);
        let named: BTreeSet<_> = names(&text).into_iter().collect();
        // A page about no function is named by its file.
        if !text.contains("\n.Sh SYNOPSIS\n") {
            let stem = page.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if !named.iter().eq([stem]) {
                return Err(format!("{}: NAME is not the file's", page.display()).into());
            }
            continue;
        }
        if !named.iter().eq(synopsis.keys()) {
            return Err(format!("{}: NAME and SYNOPSIS differ", page.display()).into());
        }
        described.extend(synopsis);
    }
    let declared = prototypes(&fs::read_to_string(tree.root.join("include/kcfaes.h"))?);
    differences(&declared, &described)?;
    println!("{} functions, each with its prototype in a manual page", declared.len());
    Ok(())
}

/// Names of the functions that the header declares.
pub(crate) fn functions(tree: &Tree) -> Result<Vec<String>> {
    let header = fs::read_to_string(tree.root.join("include/kcfaes.h"))?;
    Ok(prototypes(&header).into_keys().collect())
}

fn differences(
    declared: &BTreeMap<String, String>,
    described: &BTreeMap<String, String>,
) -> Result<()> {
    for (name, prototype) in declared {
        match described.get(name) {
            None => return Err(format!("{name} is in no manual page").into()),
            Some(page) if page != prototype => {
                return Err(format!("{name}: header: {prototype}; page: {page}").into());
            }
            Some(_) => {}
        }
    }
    match described.keys().find(|name| !declared.contains_key(*name)) {
        Some(name) => Err(format!("{name} is in a manual page and not in kcfaes.h").into()),
        None if declared.is_empty() => Err("kcfaes.h declares no function".into()),
        None => Ok(()),
    }
}

/// Prototypes of a header, by name.
fn prototypes(header: &str) -> BTreeMap<String, String> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let code: Vec<_> = code.lines().filter(|line| !line.starts_with('#')).collect();
    let code = code.join("\n");
    // A statement that is in braces is a member of a type.
    let statements = code.split([';', '{', '}']);
    let functions = statements.filter_map(|statement| {
        let (head, arguments) = statement.split_once('(')?;
        let name = head.rsplit([' ', '*', '\n']).next()?;
        let kind = head.strip_suffix(name)?;
        let arguments = arguments.trim_end().strip_suffix(')')?;
        let arguments: Vec<_> = arguments.split(',').map(one_form).collect();
        Some((name.to_string(), format!("{} {name}({})", one_form(kind), arguments.join(", "))))
    });
    functions.collect()
}

/// Functions of a page's NAME.
fn names(page: &str) -> Vec<String> {
    let lines = page.lines().skip_while(|line| *line != ".Sh NAME");
    let names = lines.take_while(|line| !line.starts_with(".Nd"));
    let names = names.filter_map(|line| line.strip_prefix(".Nm "));
    names.map(|name| name.trim_end_matches(" ,").to_string()).collect()
}

/// Prototypes of a page's SYNOPSIS, by name.
fn synopsis(page: &str) -> BTreeMap<String, String> {
    let mut functions = BTreeMap::new();
    let (mut kind, mut open) = (String::new(), None::<(String, Vec<String>)>);
    let lines = page.lines().skip_while(|line| *line != ".Sh SYNOPSIS").skip(1);
    for line in lines.take_while(|line| !line.starts_with(".Sh")) {
        let (request, text) = line.split_once(' ').unwrap_or((line, ""));
        match request {
            ".Ft" => kind = one_form(text),
            ".Fo" => open = Some((text.to_string(), Vec::new())),
            ".Fn" => {
                let (name, arguments) = text.split_once(' ').unwrap_or((text, ""));
                open = Some((name.to_string(), words(arguments)));
            }
            ".Fa" => {
                if let Some((_, arguments)) = &mut open {
                    arguments.extend(words(text));
                }
            }
            _ => {}
        }
        if matches!(request, ".Fn" | ".Fc")
            && let Some((name, arguments)) = open.take()
        {
            let prototype = format!("{kind} {name}({})", arguments.join(", "));
            functions.insert(name, prototype);
        }
    }
    functions
}

/// The arguments of a request: words, or several words between quotes.
fn words(text: &str) -> Vec<String> {
    let parts = text.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(ToString::to_string).collect(),
        _ => vec![one_form(part)],
    });
    words.collect()
}

/// A declaration with one space between its words, and without what only the header says.
fn one_form(text: &str) -> String {
    let text = text.replace('*', " * ");
    let words = text.split_whitespace();
    let words: Vec<_> =
        words.filter(|word| !["struct", "enum", "KCFAES_MUST_USE"].contains(word)).collect();
    words.join(" ").replace("* ", "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "\
#define A 1
/* int no(void); */
typedef struct t {
    int x;
} t;
KCFAES_MUST_USE
enum rc open(const struct t *a,
             uint8_t b[16]);
";

    const PAGE: &str = "\
.Sh NAME
.Nm open
.Nd opens
.Sh SYNOPSIS
.Ft rc
.Fo open
.Fa \"const t *a\"
.Fa \"uint8_t b[16]\"
.Fc
.Sh DESCRIPTION
";

    fn compared(page: &str) -> Result<()> {
        differences(&prototypes(HEADER), &synopsis(page))
    }

    #[test]
    fn a_page_has_the_headers_prototype() {
        assert_eq!(prototypes(HEADER)["open"], "rc open(const t *a, uint8_t b[16])");
        assert_eq!(names(PAGE), ["open"]);
        compared(PAGE).expect("the same");
    }

    #[test]
    fn another_prototype_is_refused() {
        let error = compared(&PAGE.replace("const t *a", "t *a")).expect_err("planted");
        assert!(error.to_string().contains("page: rc open(t *a"), "{error}");
    }

    #[test]
    fn a_function_without_prototype_is_refused() {
        let error = compared(&PAGE.replace("Fo open", "Fo close")).expect_err("planted");
        assert!(error.to_string().contains("open is in no manual page"), "{error}");
    }

    #[test]
    fn a_function_that_the_header_lacks_is_refused() {
        let more = PAGE.replace(".Sh DESCRIPTION", ".Ft int\n.Fn gone void\n.Sh DESCRIPTION");
        let error = compared(&more).expect_err("planted");
        assert!(error.to_string().contains("gone is in a manual page"), "{error}");
    }
}
