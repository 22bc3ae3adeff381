// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shipped files load and hold what they claim; a corrupt file of each kind is refused by
//! file, line and reason.

use kcfaes_vectors::{Case, Ciphertext, Expect, Mode, fnv1a64, load, load_all};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

const DIR: &str = env!("CARGO_MANIFEST_DIR");

/// An empty directory of this test's own.
fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The reason why a file with a header, one good line and `row` is refused.
fn refusal(name: &str, row: &str) -> String {
    let path = scratch("refusal").join(format!("{name}.tsv"));
    let good = GOOD.join("\t").replace("t#1", "t#0");
    fs::write(&path, format!("# header\n{good}\n{row}\n")).unwrap();
    let error = load(&path).unwrap_err();
    assert_eq!((error.file.as_path(), error.line), (path.as_path(), 3), "{}", error.reason);
    assert_eq!(error.to_string(), format!("{}:3: {}", path.display(), error.reason));
    error.reason
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const GOOD: [&str; 10] = ["GCM", "128", KEY, "01", "02", "0304", "0506", KEY, "ok", "t#1"];

/// `GOOD` with some columns (from 0) replaced.
fn row(changes: &[(usize, &str)]) -> String {
    let mut row = GOOD;
    for &(column, cell) in changes {
        row[column] = cell;
    }
    row.join("\t")
}

#[test]
fn good_row_loads() {
    let path = scratch("good").join("good.tsv");
    fs::write(&path, format!("# header\n{}\n", row(&[]))).unwrap();
    let case = &load(&path).unwrap()[0];
    assert_eq!((case.mode, case.keybits(), case.expect), (Mode::Gcm, 128, Expect::Ok));
    assert_eq!((&case.iv[..], &case.aad[..], &case.pt[..]), (&[1][..], &[2][..], &[3, 4][..]));
    assert_eq!(case.ct, Ciphertext::Bytes(vec![5, 6]));
    assert_eq!((case.tag.len(), case.line, case.id.as_str()), (16, 2, "t#1"));
}

#[test]
fn corrupt_rows_are_refused() {
    let block = "00".repeat(16);
    // File name, reason, what differs from `GOOD`.
    type Corrupt<'a> = (&'a str, &'a str, Vec<(usize, &'a str)>);
    let cases: &[Corrupt<'_>] = &[
        ("mode", "unknown mode \"XTS\"", vec![(0, "XTS")]),
        ("result", "unknown result \"fail\"", vec![(8, "fail")]),
        ("keybits", "key size \"160\" is not 128, 192 or 256", vec![(1, "160")]),
        ("key_length", "key has 128 bits, column says 256", vec![(1, "256")]),
        ("digit", "aad: 'g' is not a hexadecimal digit", vec![(4, "0g")]),
        ("upper", "aad: 'A' is not a hexadecimal digit", vec![(4, "0A")]),
        ("odd", "pt: odd number of hexadecimal digits (3)", vec![(5, "030")]),
        ("empty", "tag: empty cell (no bytes is written -)", vec![(7, "")]),
        ("id", "id \"t\" is not source#id", vec![(9, "t")]),
        ("id_quote", "id \"t#\\\"\" is not source#id", vec![(9, "t#\"")]),
        ("twice", "t#0: id appears twice", vec![(9, "t#0")]),
        ("lengths", "pt has 1 bytes, ct 2", vec![(5, "03")]),
        ("tag", "5-byte tag in GCM", vec![(7, "0102030405")]),
        ("no_iv", "0-byte iv in GCM", vec![(3, "-")]),
        ("seed", "id \"t#x\" gives no seed", vec![(5, "@2"), (9, "t#x")]),
        ("draw", "pt: generated length \"0\" is not 1 to 1048576", vec![(5, "@0")]),
        ("huge", "pt: generated length \"9999999\" is not 1 to 1048576", vec![(5, "@9999999")]),
        ("digest", "ct: digest \"12\" is not 16 hexadecimal digits", vec![(6, "=12")]),
        ("drawn_ct", "ct: '@' is not a hexadecimal digit", vec![(6, "@2")]),
        ("ctr", "iv has no /counter width", vec![(0, "CTR")]),
        ("ctr_bits", "counter width \"129\" is not 1 to 128", vec![(0, "CTR"), (3, "00/129")]),
        ("ctr_iv", "1-byte iv in CTR", vec![(0, "CTR"), (3, "00/32")]),
        ("gcm_width", "iv: '/' is not a hexadecimal digit", vec![(3, "00/32")]),
        ("ecb_tag", "16-byte tag in ECB", vec![(0, "ECB"), (3, "-")]),
        ("ecb_aad", "aad in ECB", vec![(0, "ECB"), (3, "-"), (7, "-")]),
        ("ecb_text", "2 bytes of text in ECB", vec![(0, "ECB"), (3, "-"), (4, "-"), (7, "-")]),
        (
            "cbc_bad_tag",
            "bad_tag in CBC",
            vec![(0, "CBC"), (3, &block), (4, "-"), (7, "-"), (8, "bad_tag")],
        ),
        (
            "cbc_bad_arg",
            "bad_arg is not defined for CBC",
            vec![(0, "CBC"), (3, &block), (4, "-"), (7, "-"), (8, "bad_arg")],
        ),
        ("ccm_nonce", "14-byte iv in CCM", vec![(0, "CCM"), (3, "000102030405060708090a0b0c0d")]),
        ("ccm_short", "6-byte iv in CCM", vec![(0, "CCM"), (3, "000102030405")]),
        (
            "ccm_tag",
            "5-byte tag in CCM",
            vec![(0, "CCM"), (3, "000102030405060708090a0b"), (7, "0102030405")],
        ),
        ("cmac_iv", "1-byte iv in CMAC", vec![(0, "CMAC")]),
        ("cmac_tag", "3-byte tag in CMAC", vec![(0, "CMAC"), (3, "-"), (7, "010203")]),
        ("cmac_text", "text in CMAC", vec![(0, "CMAC"), (3, "-")]),
        (
            "cmac_bad_arg",
            "bad_arg is not defined for CMAC",
            vec![(0, "CMAC"), (3, "-"), (8, "bad_arg")],
        ),
        ("gmac_iv", "1-byte iv in GMAC", vec![(0, "GMAC")]),
        ("gmac_text", "text in GMAC", vec![(0, "GMAC"), (3, "000102030405060708090a0b")]),
    ];
    for (name, reason, changes) in cases {
        assert_eq!(refusal(name, &row(changes)), *reason, "{name}");
    }
    assert_eq!(refusal("short", "GCM\t128"), "2 columns, not 10");
    assert_eq!(refusal("long", &format!("{}\tx", row(&[]))), "11 columns, not 10");
    assert_eq!(refusal("blank", ""), "1 columns, not 10");
    assert_eq!(refusal("late_comment", "# not a header"), "1 columns, not 10");
}

#[test]
fn unreadable_files_are_refused() {
    let dir = scratch("unreadable");
    let error = load(&dir.join("none.tsv")).unwrap_err();
    assert_eq!(error.line, 0);
    assert!(error.reason.contains("No such file"), "{}", error.reason);

    let path = dir.join("binary.tsv");
    fs::write(&path, b"# header\n# more\nGCM\t\xff\n").unwrap();
    let error = load(&path).unwrap_err();
    assert_eq!((error.line, error.reason.as_str()), (3, "not UTF-8 text"));
}

/// A directory with one vector file of two GCM cases and the given provenance rows.
fn directory(name: &str, provenance: &[[&str; 3]]) -> PathBuf {
    let dir = scratch(name);
    fs::write(dir.join("a.tsv"), format!("{}\n{}\n", row(&[]), row(&[(9, "t#2")]))).unwrap();
    let rows: String = provenance
        .iter()
        .map(|[file, mode, count]| format!("{file}\t{mode}\tp\tv\t-\tu\t-\tl\tc\t{count}\n"))
        .collect();
    fs::write(dir.join("PROVENANCE.tsv"), format!("# header\n{rows}")).unwrap();
    dir
}

#[test]
fn counts_must_equal_provenance() {
    let dir = directory("counts", &[["a.tsv", "GCM", "1"], ["a.tsv", "GCM", "1"]]);
    let files = load_all(&dir).unwrap();
    assert_eq!((files.len(), files[0].cases.len(), files[0].counts[&Mode::Gcm]), (1, 2, 2));

    let refused = |name: &str, rows: &[[&str; 3]]| {
        let dir = directory(name, rows);
        let error = load_all(&dir).unwrap_err();
        (error.file.strip_prefix(&dir).unwrap().to_path_buf(), error.line, error.reason)
    };
    let of =
        |file: &str, line: usize, reason: &str| (PathBuf::from(file), line, reason.to_string());
    assert_eq!(
        refused("more", &[["a.tsv", "GCM", "3"]]),
        of("a.tsv", 0, "2 GCM, PROVENANCE.tsv states 3 GCM")
    );
    assert_eq!(
        refused("mode", &[["a.tsv", "GCM", "2"], ["a.tsv", "GMAC", "1"]]),
        of("a.tsv", 0, "2 GCM, PROVENANCE.tsv states 2 GCM, 1 GMAC")
    );
    assert_eq!(
        refused("word", &[["a.tsv", "GCM", "two"]]),
        of("PROVENANCE.tsv", 2, "count \"two\" is not a number")
    );
    assert_eq!(
        refused("unknown", &[["a.tsv", "XTS", "2"]]),
        of("PROVENANCE.tsv", 2, "unknown mode \"XTS\"")
    );
    assert_eq!(
        refused("path", &[["../a.tsv", "GCM", "2"]]),
        of("PROVENANCE.tsv", 2, "\"../a.tsv\" is not a vector file's name")
    );
    assert_eq!(refused("nothing", &[]), of("PROVENANCE.tsv", 0, "names no file"));
    let missing = refused("missing", &[["a.tsv", "GCM", "2"], ["b.tsv", "GCM", "2"]]);
    assert_eq!((missing.0, missing.1), (PathBuf::from("b.tsv"), 0));

    let dir = directory("empty", &[["a.tsv", "GCM", "2"]]);
    fs::write(dir.join("a.tsv"), "").unwrap();
    let reason = load_all(&dir).unwrap_err().reason;
    assert_eq!(reason, "no case, PROVENANCE.tsv states 2 GCM");

    let dir = directory("stray", &[["a.tsv", "GCM", "2"]]);
    fs::write(dir.join("stray.tsv"), "# header\n").unwrap();
    let error = load_all(&dir).unwrap_err();
    assert_eq!(error.reason, "not in PROVENANCE.tsv");
    assert_eq!(error.file, dir.join("stray.tsv"));
}

fn shipped(name: &str) -> Vec<Case> {
    let files = load_all(Path::new(DIR)).unwrap();
    files.into_iter().find(|file| file.name == name).unwrap().cases
}

#[test]
fn shipped_counts_are_the_published_ones() {
    let files = load_all(Path::new(DIR)).unwrap();
    let count = |name: &str| files.iter().find(|f| f.name == name).unwrap().cases.len();
    assert_eq!(count("ecb.tsv") + count("cbc.tsv"), 4276);
    assert_eq!((count("ctr.tsv"), count("gcm.tsv"), count("gmac.tsv")), (12, 6300, 450));
    assert_eq!((count("ccm.tsv"), count("cmac.tsv")), (720 + 1080 + 27, 12 + 320));
    assert_eq!(count("wycheproof.tsv"), 316 + 414 + 552 + 306);
    assert_eq!(files.len(), 9);
}

#[test]
fn wycheproof_refusals() {
    let cases = shipped("wycheproof.tsv");
    let of = |mode, expect| cases.iter().filter(|c| c.mode == mode && c.expect == expect).count();
    // 81 modified GCM tags; 162 modified GMAC tags with a 12-byte IV and as many with 16 bytes.
    assert_eq!((of(Mode::Gcm, Expect::BadTag), of(Mode::Gmac, Expect::BadTag)), (81 + 162, 162));
    assert_eq!((of(Mode::Gcm, Expect::BadArg), of(Mode::Gmac, Expect::BadArg)), (6, 0));
    let gcm = || cases.iter().filter(|c| c.mode == Mode::Gcm);
    assert!(gcm().all(|c| (c.expect == Expect::BadArg) == c.iv.is_empty()));
    // 27 modified tags for each key size; 13 lengths of the nonce and 9 of the tag that are not, for each.
    assert_eq!((of(Mode::Ccm, Expect::BadTag), of(Mode::Ccm, Expect::BadArg)), (81, 66));
    assert_eq!((of(Mode::Cmac, Expect::BadTag), of(Mode::Cmac, Expect::BadArg)), (243, 0));
}

/// What must fail of the CAVP set of CCM: two of three cases of DVPT.
#[test]
fn ccm_forgeries() {
    let cases = shipped("ccm.tsv");
    assert_eq!(cases.iter().filter(|c| c.expect == Expect::BadTag).count(), 480);
    let rfc3610 = cases.iter().filter(|c| c.id.starts_with("RFC3610#"));
    assert_eq!(rfc3610.count(), 24);
}

#[test]
fn wide_covers_what_it_promises() {
    let cases = shipped("wide.tsv");
    for keybits in [128, 192, 256] {
        let of =
            |mode| cases.iter().filter(move |c: &&Case| c.mode == mode && c.keybits() == keybits);
        let edges: Vec<usize> = (1..=6).map(|k| 1024 << k).collect();
        for mode in Mode::ALL {
            // Modes that work on one block at a time have no wide loops.
            let serial = matches!(mode, Mode::Ccm | Mode::Cmac);
            let edges = if serial { vec![8192, 16384] } else { edges.clone() };
            let step = if matches!(mode, Mode::Ecb | Mode::Cbc) { 16 } else { 1 };
            let lengths: HashSet<usize> =
                of(mode).map(|c| if mode.is_mac() { c.aad.len() } else { c.pt.len() }).collect();
            assert!((0..=1100).step_by(step).all(|n| lengths.contains(&n)), "{mode:?}");
            assert!(
                edges.iter().all(|e| [e - step, *e, e + step].iter().all(|n| lengths.contains(n)))
            );
        }
        let ivs: HashSet<usize> = of(Mode::Gcm).map(|c| c.iv.len()).collect();
        assert!((1..=300).all(|n| ivs.contains(&n)));
        let aads: HashSet<usize> = of(Mode::Gcm).map(|c| c.aad.len()).collect();
        assert!((0..=300).all(|n| aads.contains(&n)));
        let ccm: HashSet<usize> = of(Mode::Ccm).map(|c| c.aad.len()).collect();
        assert!((0..=300).chain([0xfeff, 0xff00, 0x1_0000]).all(|n| ccm.contains(&n)));
        let lengths: HashSet<_> = of(Mode::Ccm).map(|c| (c.iv.len(), c.tag.len())).collect();
        assert_eq!(lengths.len(), 7 * 7);
        assert_eq!(of(Mode::Gcm).filter(|c| c.iv.len() == 16 && c.pt.len() == 1100).count(), 65);

        let starts: HashSet<(u32, u128)> = of(Mode::Ctr)
            .filter(|c| c.pt.len() == 1100)
            .map(|c| {
                let block = u128::from_be_bytes(c.iv[..].try_into().unwrap());
                let mask = u128::MAX >> (128 - c.counter_bits);
                // Blocks before the counter returns to zero.
                (c.counter_bits, (block & mask).wrapping_neg() & mask)
            })
            .collect();
        for bits in [8, 16, 31, 32, 33, 63, 64, 65, 96, 127, 128] {
            assert!((1..=64).all(|k| starts.contains(&(bits, k))), "{bits} bits");
        }
        assert!(starts.contains(&(1, 1)) && starts.contains(&(1, 0)));
    }
}

#[test]
fn digest_sees_each_changed_byte() {
    let case = shipped("wide.tsv").into_iter().find(|c| c.pt.len() == 1100).unwrap();
    let want = Ciphertext::Digest(fnv1a64(&case.pt));
    assert!(want.matches(&case.pt));
    for index in 0..case.pt.len() {
        let mut changed = case.pt.clone();
        changed[index] ^= 1;
        assert!(!want.matches(&changed), "byte {index}");
    }
}
