// SPDX-License-Identifier: MIT OR Apache-2.0
//! The form of the kernel module's C: the rules of illumos' own C style that a machine can check
//! without parsing.

use std::fs;

use crate::{Result, Tree};

/// Columns, a tab being eight.
const WIDTH: usize = 80;

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let mut faults = Vec::new();
    let files = tree.files("kmod", &["c", "h"])?;
    for path in &files {
        for (line, fault) in check(&fs::read_to_string(path)?) {
            faults.push(format!("{}:{line}: {fault}", path.strip_prefix(&tree.root)?.display()));
        }
    }
    if files.is_empty() {
        return Err("cstyle: kmod/ has no C file".into());
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("cstyle:\n{}", faults.join("\n")).into()) }
}

// REUSE-IgnoreStart
const LICENCE: &str = "/* SPDX-License-Identifier: CDDL-1.0 OR MIT */\n";
// REUSE-IgnoreEnd

/// Line numbers and what is wrong there.
fn check(text: &str) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    if !text.starts_with(LICENCE) {
        faults.push((1, "no licence line".to_string()));
    }
    let mut in_comment = false;
    let mut ended = true;
    for (number, line) in (1..).zip(text.lines()) {
        let mut fault = |what: &str| faults.push((number, what.to_string()));
        if columns(line) > WIDTH {
            fault("longer than 80 columns");
        }
        if line.trim_end() != line {
            fault("white space at the end");
        }
        let code = line.trim_start_matches('\t');
        let spaces = code.len() - code.trim_start_matches(' ').len();
        let comment_body = spaces == 1 && code.starts_with(" *");
        if !in_comment && spaces != 0 && spaces != 4 && !comment_body {
            fault("indented by other than tabs, and four spaces for a continuation");
        }
        if !in_comment && spaces == 4 && ended {
            fault("four spaces, where nothing is continued");
        }
        if !in_comment && code.trim_start().starts_with("//") {
            fault("a // comment");
        }
        for keyword in ["if(", "for(", "while(", "switch(", "return("] {
            if !in_comment && code.trim_start().starts_with(keyword) {
                fault("no space after a keyword");
            }
        }
        ended = line.is_empty() || line.ends_with([';', '{', '}']) || line.ends_with("*/");
        match (line.rfind("/*"), line.rfind("*/")) {
            (Some(open), Some(close)) => in_comment = open > close,
            (Some(_), None) => in_comment = true,
            (None, Some(_)) => in_comment = false,
            (None, None) => {}
        }
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        faults.push((text.lines().count(), "does not end in one newline".to_string()));
    }
    faults
}

fn columns(line: &str) -> usize {
    line.chars().fold(0, |column, c| if c == '\t' { column / 8 * 8 + 8 } else { column + 1 })
}

#[cfg(test)]
mod tests {
    use super::{LICENCE, check};

    fn faults(body: &str) -> Vec<String> {
        check(&format!("{LICENCE}{body}")).into_iter().map(|(_, fault)| fault).collect()
    }

    #[test]
    fn good_style_passes() {
        let text = "\n/*\n * A comment.\n */\nint\nmain(void)\n{\n\tif (1 == 2 &&\n\t    3 == 4)\n\t\treturn (1);\n}\n";
        assert!(faults(text).is_empty(), "{:?}", faults(text));
    }

    #[test]
    fn each_fault_is_seen() {
        let nine_tabs = format!("{}abcdefghi\n", "\t".repeat(9));
        for (text, fault) in [
            (nine_tabs.as_str(), "longer than 80 columns"),
            ("int a; \n", "white space at the end"),
            ("        int a;\n", "indented by other than tabs, and four spaces for a continuation"),
            ("{\n    int a;\n}\n", "four spaces, where nothing is continued"),
            ("\t// hello\n", "a // comment"),
            ("\tif(a)\n", "no space after a keyword"),
            ("int a;", "does not end in one newline"),
        ] {
            assert_eq!(faults(text), [fault], "{text:?}");
        }
        assert_eq!(check("int a;\n"), [(1, "no licence line".to_string())]);
    }
}
