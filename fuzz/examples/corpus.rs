// SPDX-License-Identifier: MIT OR Apache-2.0
//! `corpus VECTORS OUT` makes the corpus that fuzzing begins with of the vectors: OUT/ops, OUT/api and
//! OUT/vectors. Of each shape that a case can have it takes one; the shapes of the calls go round.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use kcfaes_fuzz::wire::{Call, Head, REST, encode};
use kcfaes_vectors::{Case, Mode, fnv1a64, load_all};

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().collect();
    let [_, vectors, out] = arguments.as_slice() else { panic!("usage: corpus VECTORS OUT") };
    let (vectors, out) = (Path::new(vectors), Path::new(out));
    let files = load_all(vectors).expect("the vectors are readable");
    for target in ["ops", "api", "vectors"] {
        fs::create_dir_all(out.join(target))?;
    }
    let mut seen = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(vectors.join(&file.name))?;
        let lines: Vec<_> = text.lines().collect();
        for case in &file.cases {
            let bits = |len: usize| usize::BITS - (len / 16).leading_zeros();
            let lengths = [case.key.len(), case.iv.len().min(18), case.tag.len()];
            let shape =
                (case.mode, case.expect, lengths, bits(case.text_len()), bits(case.aad.len()));
            if case.text_len() > 2499 || case.aad.len() > 2499 || !seen.insert(shape) {
                continue;
            }
            let turn = seen.len();
            for target in ["ops", "api"] {
                save(out, target, &input(case, turn, target))?;
            }
            let row = lines[case.line - 1];
            if row.len() < 1000 {
                save(out, "vectors", format!("# a header\n{row}\n").as_bytes())?;
            }
        }
    }
    println!("{} shapes", seen.len());
    Ok(())
}

fn save(out: &Path, target: &str, bytes: &[u8]) -> io::Result<()> {
    fs::write(out.join(target).join(format!("{:016x}", fnv1a64(bytes))), bytes)
}

/// The case's request, and calls in the shape whose turn it is.
fn input(case: &Case, turn: usize, target: &str) -> Vec<u8> {
    let wide = |bytes: &[u8], from: usize| {
        let mut wide = [0; 16];
        let bytes = bytes.get(from..).unwrap_or_default();
        let n = bytes.len().min(16);
        wide[..n].copy_from_slice(&bytes[..n]);
        u128::from_le_bytes(wide)
    };
    // A MAC's message is data.
    let (aad, text) =
        if case.mode.is_mac() { (0, case.aad.len()) } else { (case.aad.len(), case.text_len()) };
    let way = match case.mode {
        Mode::Cmac => [0, 2],
        Mode::Gmac => [turn as u8 / 2 % 2, 2],
        _ => [0, 1],
    }[turn % 2];
    let head = Head {
        mode: Mode::ALL.iter().position(|&mode| mode == case.mode).expect("a mode") as u8,
        way,
        key_len: (case.key.len() / 8 - 2) as u8,
        iv_len: case.iv.len().min(255) as u8,
        tag_len: case.tag.len() as u8,
        bits: case.counter_bits as u8,
        template: (turn % 5 == 1).into(),
        hold: (turn % 6) as u8,
        aad_len: aad as u16,
        len: text as u16,
        seed: turn as u64,
        key: wide(&case.key, 0),
        key_high: wide(&case.key, 16),
        iv: wide(&case.iv, 0),
        ..Head::default()
    };
    let cuts = [0, 0x10, 0x11_0f, 0x07_00_05, 0x01, 0xe1_20_03, 0x40_40, 0x0d_01_10_22];
    let any = |at: usize| cuts[(turn / 3 + at) % cuts.len()];
    let call = Call {
        table: (turn % 4) as u8,
        place: [0, 3, 1, 0, 4, 2][turn % 6],
        formats: (turn % 16) as u8,
        cut_in: any(0),
        cut_out: any(3),
        at_in: [0, 1, 16, 35][turn % 4],
        at_out: [3, 0, 17][turn % 3],
        len: REST,
        forge: if turn % 11 == 3 { 1 + turn as u16 } else { 0 },
        ..Call::default()
    };
    let part = |op: u8, len: u16| Call { op, len, ..call };
    let apart = |op: u8, len: u16| Call { place: 0, ..part(op, len) };
    let calls = match (target, turn % 4) {
        ("ops", 0) => vec![part(5, REST), part(6, REST), Call { room: 80, ..apart(6, REST) }],
        ("ops", 1) => vec![part(1, 16), part(1, 5), part(1, 40), part(1, REST), part(4, 0)],
        ("ops", 2) => vec![part(0, 0), part(3, REST), part(1, REST), part(4, 0)],
        ("ops", _) => vec![
            part(1, 33),
            apart(1, REST),
            apart(4, 0),
            Call { fail: 1, table: 1, ..part(5, REST) },
        ],
        (_, 0) => vec![part(0, REST), part(0x40, REST), part(1, 0), part(0x80, REST)],
        (_, 1) => vec![part(3, 16), part(3, 5), part(0x47, 0), part(3, REST), part(5, 0)],
        (_, 2) => vec![
            part(2, 0),
            part(0x27, 40),
            apart(3, 21),
            apart(3, REST),
            apart(5, 0),
            part(0, REST),
        ],
        (_, _) => vec![part(0, REST), apart(3, REST), apart(0x45, 0), part(7, 0)],
    };
    encode(&head, &calls)
}
