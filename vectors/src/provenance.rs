// SPDX-License-Identifier: MIT OR Apache-2.0
//! PROVENANCE.tsv: what the directory must hold, file by file and mode by mode.

use crate::{Case, Mode, VectorError, load, parse};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

const PROVENANCE: &str = "PROVENANCE.tsv";

/// A vector file whose contents agree with PROVENANCE.tsv.
#[derive(Clone, Debug)]
pub struct File {
    /// File name without directory.
    pub name: String,
    /// Its cases in file order.
    pub cases: Vec<Case>,
    /// Cases per mode as PROVENANCE.tsv states them. A runner compares this map with the cases that it
    /// executed, and fails if they differ.
    pub counts: BTreeMap<Mode, usize>,
}

/// Reads every vector file of `dir`, in the order of PROVENANCE.tsv.
///
/// # Errors
/// The first corrupt file or line; a `.tsv` file that PROVENANCE.tsv does not name; a file or mode
/// whose number of cases is not the stated one.
pub fn load_all(dir: &Path) -> Result<Vec<File>, VectorError> {
    let stated = stated(&dir.join(PROVENANCE))?;
    let listing = |error: std::io::Error| VectorError::new(dir, 0, error.to_string());
    for entry in std::fs::read_dir(dir).map_err(listing)? {
        let path = entry.map_err(listing)?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if path.extension() == Some(OsStr::new("tsv"))
            && name != PROVENANCE
            && !stated.iter().any(|(file, _)| file == name)
        {
            return Err(VectorError::new(&path, 0, format!("not in {PROVENANCE}")));
        }
    }
    stated
        .into_iter()
        .map(|(name, counts)| {
            let path = dir.join(&name);
            let cases = load(&path)?;
            let mut found = BTreeMap::new();
            for case in &cases {
                *found.entry(case.mode).or_insert(0) += 1;
            }
            if found != counts {
                let reason =
                    format!("{}, {PROVENANCE} states {}", numbers(&found), numbers(&counts));
                return Err(VectorError::new(&path, 0, reason));
            }
            Ok(File { name, cases, counts })
        })
        .collect()
}

/// The number of cases of each mode, in words.
fn numbers(counts: &BTreeMap<Mode, usize>) -> String {
    if counts.is_empty() {
        return "no case".to_string();
    }
    let counts: Vec<_> =
        counts.iter().map(|(mode, count)| format!("{count} {}", mode.name())).collect();
    counts.join(", ")
}

type Stated = Vec<(String, BTreeMap<Mode, usize>)>;

fn stated(path: &Path) -> Result<Stated, VectorError> {
    let mut files = Stated::new();
    for (line, row) in parse::rows(path, parse::read(path)?)? {
        let fail = |reason: String| VectorError::new(path, line, reason);
        let [file, mode, .., count] = parse::columns(&row).map_err(fail)?;
        if file.contains('/') || !file.ends_with(".tsv") {
            return Err(fail(format!("{file:?} is not a vector file's name")));
        }
        let mode = Mode::from_name(mode).ok_or_else(|| fail(format!("unknown mode {mode:?}")))?;
        let count: usize =
            count.parse().map_err(|_| fail(format!("count {count:?} is not a number")))?;
        let known = files.iter().position(|(name, _)| name == file).unwrap_or_else(|| {
            files.push((file.to_string(), BTreeMap::new()));
            files.len() - 1
        });
        *files[known].1.entry(mode).or_insert(0) += count;
    }
    if files.is_empty() {
        return Err(VectorError::new(path, 0, "names no file"));
    }
    Ok(files)
}
