// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vector file's parser. Either it refuses the bytes and names a line that exists, or it makes
//! cases of them. The cases, written again, say what the file says. What a well-formed row is, is
//! written down here a second time, cell by cell.
#![no_main]

use std::path::Path;

use kcfaes_vectors::{Case, Ciphertext, Expect, Mode, parse};
use libfuzzer_sys::{Corpus, fuzz_target};

/// More bytes of generated values would only waste the fuzzer's time.
const DRAWN: usize = 1 << 16;

fuzz_target!(|data: &[u8]| -> Corpus {
    let text = core::str::from_utf8(data);
    let rows: Vec<_> = text
        .iter()
        .flat_map(|text| text.lines())
        .enumerate()
        .skip_while(|(_, row)| row.starts_with('#'))
        .collect();
    let drawn =
        |cell: &str| cell.strip_prefix('@').and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    if rows.iter().flat_map(|(_, row)| row.split('\t')).map(drawn).fold(0, usize::saturating_add)
        > DRAWN
    {
        return Corpus::Reject;
    }
    let refused = match text {
        Err(error) => {
            Some(1 + data[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count())
        }
        Ok(_) => {
            let mut ids = std::collections::HashSet::new();
            let bad = rows
                .iter()
                .find(|(_, row)| !well_formed(row) || !ids.insert(row.rsplit('\t').next()));
            bad.map(|(index, _)| index + 1)
        }
    };
    match parse(Path::new("fuzz"), data.to_vec()) {
        Err(error) => assert_eq!(Some(error.line), refused, "{error}"),
        Ok(cases) => {
            assert_eq!(refused, None, "a row that is not well formed was taken");
            assert_eq!(cases.len(), rows.len());
            for (case, (index, row)) in cases.iter().zip(rows) {
                assert_eq!(case.line, index + 1);
                says(case, row);
            }
        }
    }
    Corpus::Keep
});

fn hex(bytes: &[u8]) -> String {
    match bytes {
        [] => "-".into(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Bytes in a cell's value. `None` if it is no cell.
fn len(cell: &str) -> Option<usize> {
    let digits = cell.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match cell {
        "-" => Some(0),
        _ => (digits && !cell.is_empty() && cell.len().is_multiple_of(2)).then_some(cell.len() / 2),
    }
}

/// The same for a cell whose value may be generated.
fn input_len(cell: &str) -> Option<usize> {
    match cell.strip_prefix('@') {
        Some(n) => n.parse().ok().filter(|n| (1..=1 << 20).contains(n)),
        None => len(cell),
    }
}

fn well_formed(row: &str) -> bool {
    let cells: Vec<_> = row.split('\t').collect();
    let [mode, bits, key, iv, aad, pt, ct, tag, result, id] = cells[..] else { return false };
    let Some(mode) = Mode::ALL.into_iter().find(|known| known.name() == mode) else { return false };
    let (iv, counter) = match (mode, iv.split_once('/')) {
        (Mode::Ctr, None) => return false,
        (Mode::Ctr, Some((iv, counter))) => (iv, counter),
        _ => (iv, "1"),
    };
    let drawn = [key, iv, aad, pt].iter().any(|cell| cell.starts_with('@'));
    let Some((source, number)) = id.split_once('#') else { return false };
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"#._-".contains(&byte));
    let Some([key, iv, aad, pt]) = all([key, iv, aad, pt].map(input_len)) else { return false };
    let ct = match ct.strip_prefix('=') {
        Some(digest) => (len(digest) == Some(8)).then_some(pt),
        None => len(ct),
    };
    let Some([ct, tag]) = all([ct, len(tag)]) else { return false };
    let refused = result == "bad_arg";
    let forged = result == "bad_tag";
    let aead = matches!(mode, Mode::Gcm | Mode::Ccm);
    let shape = match mode {
        Mode::Ecb => iv == 0 && tag == 0 && aad == 0 && ct % 16 == 0,
        Mode::Cbc => iv == 16 && tag == 0 && aad == 0 && ct % 16 == 0,
        Mode::Ctr => iv == 16 && tag == 0 && aad == 0,
        Mode::Gcm => refused || iv > 0 && [4, 8, 12, 13, 14, 15, 16].contains(&tag),
        Mode::Ccm => refused || (7..14).contains(&iv) && tag % 2 == 0 && (4..17).contains(&tag),
        Mode::Gmac => iv == 12 && tag == 16 && ct == 0 && pt == 0,
        Mode::Cmac => iv == 0 && (4..17).contains(&tag) && ct == 0 && pt == 0,
    };
    shape
        && matches!((bits, key), ("128", 16) | ("192", 24) | ("256", 32))
        && counter.parse::<u32>().is_ok_and(|n| (1..=128).contains(&n))
        && !source.is_empty()
        && !number.is_empty()
        && plain
        && (!drawn || number.parse::<u64>().is_ok())
        && (result == "ok" || refused && aead || forged && mode.has_tag())
        && (pt == ct || forged && pt == 0)
}

fn all<const N: usize>(values: [Option<usize>; N]) -> Option<[usize; N]> {
    values.iter().all(Option::is_some).then(|| values.map(Option::unwrap_or_default))
}

/// The case, written as a row, must be the row.
fn says(case: &Case, row: &str) {
    let cells: Vec<_> = row.split('\t').collect();
    let [mode, bits, key, iv, aad, pt, ct, tag, result, id] = cells[..] else { panic!("columns") };
    assert_eq!((case.mode.name(), case.id.as_str()), (mode, id));
    assert_eq!(case.keybits().to_string(), bits);
    let iv = if case.mode == Mode::Ctr {
        let (iv, width) = iv.split_once('/').expect("a width");
        assert_eq!(Ok(case.counter_bits), width.parse());
        iv
    } else {
        iv
    };
    for (value, cell) in [(&case.key, key), (&case.iv, iv), (&case.aad, aad), (&case.pt, pt)] {
        match cell.strip_prefix('@') {
            Some(n) => assert_eq!(Ok(value.len()), n.parse()),
            None => assert_eq!(hex(value), cell),
        }
    }
    match &case.ct {
        Ciphertext::Bytes(bytes) => assert_eq!(hex(bytes), ct),
        Ciphertext::Digest(digest) => assert_eq!(format!("={digest:016x}"), ct),
    }
    assert_eq!(hex(&case.tag), tag);
    let expect = match case.expect {
        Expect::Ok => "ok",
        Expect::BadTag => "bad_tag",
        Expect::BadArg => "bad_arg",
    };
    assert_eq!(expect, result);
}
