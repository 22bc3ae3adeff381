// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turns one vector file into cases (README.md, "Format").

use crate::{Case, Ciphertext, Expect, Mode, Recipe, Stream, VectorError};
use std::collections::HashSet;
use std::path::Path;

/// A generated value longer than this means that the length is corrupt.
const MAX_DRAW: usize = 1 << 20;

/// Reads one vector file. The header is the run of `#` lines at its start. Every line after it is a
/// case.
///
/// # Errors
/// The first line that is not a coherent case, or that the file cannot be read.
pub fn load(path: &Path) -> Result<Vec<Case>, VectorError> {
    parse(path, read(path)?)
}

/// The cases of a vector file that holds `bytes`. Errors name `path`.
///
/// # Errors
/// The first line that is not a coherent case.
pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Vec<Case>, VectorError> {
    let mut ids = HashSet::new();
    let mut cases = Vec::new();
    for (line, row) in rows(path, bytes)? {
        let fail = |reason: String| VectorError::new(path, line, reason);
        let case = case(&row, line).map_err(fail)?;
        if !ids.insert(case.id.clone()) {
            return Err(fail(format!("{}: id appears twice", case.id)));
        }
        cases.push(case);
    }
    Ok(cases)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, VectorError> {
    std::fs::read(path).map_err(|error| VectorError::new(path, 0, error.to_string()))
}

/// The lines after the header, with their numbers. The file's first line is number 1.
pub(crate) fn rows(path: &Path, bytes: Vec<u8>) -> Result<Vec<(usize, String)>, VectorError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        VectorError::new(path, line, "not UTF-8 text")
    })?;
    let numbered = text.lines().enumerate().map(|(index, row)| (index + 1, row.to_string()));
    Ok(numbered.skip_while(|(_, row)| row.starts_with('#')).collect())
}

/// Exactly ten tab-separated columns (both kinds of file have ten).
pub(crate) fn columns(row: &str) -> Result<[&str; 10], String> {
    let columns: Vec<&str> = row.split('\t').collect();
    columns.try_into().map_err(|columns: Vec<&str>| format!("{} columns, not 10", columns.len()))
}

fn case(row: &str, line: usize) -> Result<Case, String> {
    let [mode, keybits, key, iv, aad, pt, ct, tag, result, id] = columns(row)?;

    let mode = Mode::from_name(mode).ok_or_else(|| format!("unknown mode {mode:?}"))?;
    let expect = match result {
        "ok" => Expect::Ok,
        "bad_tag" => Expect::BadTag,
        "bad_arg" => Expect::BadArg,
        _ => return Err(format!("unknown result {result:?}")),
    };
    let keybits = match keybits {
        "128" => 128,
        "192" => 192,
        "256" => 256,
        _ => return Err(format!("key size {keybits:?} is not 128, 192 or 256")),
    };
    // Only these characters, so that an id can be in a C string and in a log line.
    let plain = |c: char| c.is_ascii_alphanumeric() || "#._-".contains(c);
    let number = match id.split_once('#') {
        Some((source, number))
            if !source.is_empty() && !number.is_empty() && id.chars().all(plain) =>
        {
            number
        }
        _ => return Err(format!("id {id:?} is not source#id")),
    };
    let (iv, counter_bits) = match (mode, iv.split_once('/')) {
        (Mode::Ctr, Some((iv, bits))) => match bits.parse() {
            Ok(bits @ 1..=128) => (iv, bits),
            _ => return Err(format!("counter width {bits:?} is not 1 to 128")),
        },
        (Mode::Ctr, None) => return Err("iv has no /counter width".to_string()),
        _ => (iv, 0),
    };

    let drawn = |cell: &str| cell.starts_with('@');
    let mut recipe =
        Recipe { seed: 0, key: drawn(key), iv: drawn(iv), aad: drawn(aad), pt: drawn(pt) };
    if recipe != Recipe::default() {
        recipe.seed = number.parse().map_err(|_| format!("id {id:?} gives no seed"))?;
    }
    // The order of the draws is the order of the columns.
    let mut stream = Stream::new(recipe.seed);
    let mut value = |name: &str, cell: &str| {
        value(&mut stream, cell).map_err(|reason| format!("{name}: {reason}"))
    };
    let case = Case {
        mode,
        key: value("key", key)?,
        iv: value("iv", iv)?,
        counter_bits,
        aad: value("aad", aad)?,
        pt: value("pt", pt)?,
        ct: match ct.strip_prefix('=') {
            Some(digest) => match <[u8; 8]>::try_from(hex(digest).unwrap_or_default()) {
                Ok(digest) => Ciphertext::Digest(u64::from_be_bytes(digest)),
                Err(_) => {
                    return Err(format!("ct: digest {digest:?} is not 16 hexadecimal digits"));
                }
            },
            None => Ciphertext::Bytes(fixed(ct).map_err(|reason| format!("ct: {reason}"))?),
        },
        tag: fixed(tag).map_err(|reason| format!("tag: {reason}"))?,
        expect,
        id: id.to_string(),
        line,
        recipe,
    };
    if case.keybits() != keybits {
        return Err(format!("key has {} bits, column says {keybits}", case.keybits()));
    }
    coherent(&case)?;
    Ok(case)
}

/// The rules of [`Case`] beyond those for single cells.
fn coherent(case: &Case) -> Result<(), String> {
    let (iv, tag, text) = (case.iv.len(), case.tag.len(), case.text_len());
    let refused = case.expect == Expect::BadArg;
    if refused && !case.mode.is_aead() {
        return Err(format!("bad_arg is not defined for {}", case.mode.name()));
    }
    let iv_fits = match case.mode {
        Mode::Ecb | Mode::Cmac => iv == 0,
        Mode::Cbc | Mode::Ctr => iv == 16,
        Mode::Ccm => matches!(iv, 7..=13) || refused,
        Mode::Gcm => iv > 0 || refused,
        Mode::Gmac => iv == 12,
    };
    if !iv_fits {
        return Err(format!("{iv}-byte iv in {}", case.mode.name()));
    }
    let tag_fits = match case.mode {
        Mode::Ccm => matches!(tag, 4 | 6 | 8 | 10 | 12 | 14 | 16) || refused,
        Mode::Gcm => matches!(tag, 4 | 8 | 12..=16) || refused,
        Mode::Gmac => tag == 16,
        Mode::Cmac => matches!(tag, 4..=16),
        _ => tag == 0,
    };
    if !tag_fits {
        return Err(format!("{tag}-byte tag in {}", case.mode.name()));
    }
    if !case.mode.has_tag() && !case.aad.is_empty() {
        return Err(format!("aad in {}", case.mode.name()));
    }
    if !case.mode.has_tag() && case.expect == Expect::BadTag {
        return Err(format!("bad_tag in {}", case.mode.name()));
    }
    if case.mode.is_mac() && (text != 0 || !case.pt.is_empty()) {
        return Err(format!("text in {}", case.mode.name()));
    }
    if matches!(case.mode, Mode::Ecb | Mode::Cbc) && !text.is_multiple_of(16) {
        return Err(format!("{text} bytes of text in {}", case.mode.name()));
    }
    let text_fits = case.pt.len() == text || (case.expect == Expect::BadTag && case.pt.is_empty());
    if !text_fits {
        return Err(format!("pt has {} bytes, ct {text}", case.pt.len()));
    }
    Ok(())
}

/// An input cell: `-`, `@N` or hexadecimal.
fn value(stream: &mut Stream, cell: &str) -> Result<Vec<u8>, String> {
    match cell.strip_prefix('@') {
        None => fixed(cell),
        Some(length) => match length.parse() {
            Ok(length @ 1..=MAX_DRAW) => Ok(stream.draw(length)),
            _ => Err(format!("generated length {length:?} is not 1 to {MAX_DRAW}")),
        },
    }
}

/// A cell that is never generated: `-` or hexadecimal.
fn fixed(cell: &str) -> Result<Vec<u8>, String> {
    match cell {
        "-" => Ok(Vec::new()),
        "" => Err("empty cell (no bytes is written -)".to_string()),
        _ => hex(cell),
    }
}

/// Lower-case hexadecimal only, so that a value has one spelling.
fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let nibbles = digits
        .chars()
        .map(|c| match c {
            '0'..='9' => Ok(c as u8 - b'0'),
            'a'..='f' => Ok(c as u8 - b'a' + 10),
            _ => Err(format!("{c:?} is not a hexadecimal digit")),
        })
        .collect::<Result<Vec<u8>, String>>()?;
    if !nibbles.len().is_multiple_of(2) {
        return Err(format!("odd number of hexadecimal digits ({})", nibbles.len()));
    }
    Ok(nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
