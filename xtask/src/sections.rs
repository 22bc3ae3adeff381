// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sorts the declarations of a generated header into sections, each under a ruled heading.
//!
//! cbindgen writes all constants, then all types, then all functions. A reader wants related
//! declarations in one place.

use std::collections::BTreeMap;

use crate::Result;

/// Columns of a heading, and the most columns of a declaration.
const COLUMNS: usize = 100;

/// A part of a header.
pub(crate) struct Section {
    pub(crate) heading: String,
    /// What is declared in it, in that order.
    pub(crate) names: Vec<String>,
}

/// Sorts the declarations of a header.
///
/// # Errors
/// A declaration that is in no section, or one that the header does not have.
pub(crate) fn arrange(text: &str, sections: &[Section]) -> Result<String> {
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let mut declarations = BTreeMap::new();
    for block in text.trim_end().split("\n\n") {
        match declared(block) {
            Some(name) => {
                declarations.insert(name, block);
            }
            // Types may be in `extern "C"` too, so it opens before all sections.
            None if block.contains("__cplusplus") && block.contains('}') => tail.push(block),
            None if tail.is_empty() => head.push(block),
            None => tail.push(block),
        }
    }
    let mut blocks: Vec<String> = head.into_iter().map(str::to_string).collect();
    for section in sections {
        blocks.push(ruled(&section.heading));
        for name in &section.names {
            let block = declarations.remove(name.as_str());
            let block = block.ok_or_else(|| format!("{name} is not declared"))?;
            blocks.push(pair_parameters(block));
        }
    }
    if let Some(name) = declarations.keys().next() {
        return Err(format!("{name} is in no section").into());
    }
    blocks.extend(tail.into_iter().map(str::to_string));
    Ok(blocks.join("\n\n") + "\n")
}

/// The name that a block of a header declares. A block is a comment and one declaration.
fn declared(block: &str) -> Option<&str> {
    let code = block.lines().find(|line| {
        let line = line.trim_start();
        !(line.starts_with("/*") || line.starts_with('*') || line == "KCFAES_MUST_USE")
    })?;
    let word = |text: &str| text.find(|c: char| c != '_' && !c.is_alphanumeric());
    if let Some(rest) = code.strip_prefix("#define ") {
        return rest.get(..word(rest)?);
    }
    if let Some(rest) = code.strip_prefix("typedef ") {
        let (_, name) = rest.split_once(' ')?;
        return name.get(..word(name)?);
    }
    if code.starts_with('#') {
        return None;
    }
    let (before, _) = code.split_once('(')?;
    before.rsplit([' ', '*']).next()
}

fn ruled(heading: &str) -> String {
    let begin = format!("/* ---- {heading} ");
    let rule = "-".repeat(COLUMNS.saturating_sub(begin.chars().count() + 3));
    format!("{begin}{rule} */")
}

/// Puts a length into the line of the pointer before it.
fn pair_parameters(block: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in block.lines() {
        let parameter = line.trim_start();
        let length = parameter.starts_with("size_t ") && !parameter.contains('*');
        match lines.last_mut() {
            Some(last)
                if length
                    && last.ends_with(',')
                    && !last.contains(", ")
                    && last.contains(['*', '['])
                    && last.len() + 1 + parameter.len() <= COLUMNS =>
            {
                last.push(' ');
                last.push_str(parameter);
            }
            _ => lines.push(line.to_string()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "\
#ifndef A
#define A

/* A size. */
#define SIZE 1

/*
 * A type of f(int).
 */
typedef struct t {
    int a;
} t;

#ifdef __cplusplus
extern \"C\" {
#endif /* __cplusplus */

KCFAES_MUST_USE
enum e f(const t *a,
         size_t n,
         uint64_t m,
         size_t k);

/* Ends. */
t *g(void);

#ifdef __cplusplus
} /* extern \"C\" */
#endif /* __cplusplus */

#endif /* A */
";

    fn section(heading: &str, names: &[&str]) -> Section {
        let names = names.iter().map(ToString::to_string).collect();
        Section { heading: heading.to_string(), names }
    }

    #[test]
    fn declarations_stand_under_their_headings() {
        let sections = [section("Second", &["g"]), section("First", &["t", "SIZE", "f"])];
        let text = arrange(HEADER, &sections).expect("complete");
        let places: Vec<usize> = [
            "#define A",
            "extern \"C\" {",
            "/* ---- Second ---",
            "t *g(void);",
            "/* ---- First ---",
            "typedef struct t {",
            "#define SIZE 1",
            "KCFAES_MUST_USE\nenum e f(const t *a, size_t n,\n         uint64_t m,\n         size_t k);",
            "} /* extern",
            "#endif /* A */",
        ]
        .into_iter()
        .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part} in\n{text}")))
        .collect();
        assert!(places.is_sorted(), "{text}");
        let rulers = text.lines().filter(|line| line.starts_with("/* ---- "));
        assert!(rulers.into_iter().all(|line| line.len() == COLUMNS));
    }

    #[test]
    fn every_declaration_has_one_place() {
        let error = |sections: &[Section]| {
            arrange(HEADER, sections).map(|_| ()).expect_err("incomplete").to_string()
        };
        assert_eq!(error(&[section("All", &["t", "SIZE", "f"])]), "g is in no section");
        assert_eq!(error(&[section("All", &["t", "h"])]), "h is not declared");
    }
}
