// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C table compiles as strict C99, stays within its cap, is the same on every run, and holds
//! the values of the cases it was made from: a C program digests all of them, and so does this.

use kcfaes_vectors::{Case, Ciphertext, File, emit_c, fnv1a64, load_all};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CAP: usize = 300_000;

/// Prints one line a case (id, parameters, digest of all values), then the sizes.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <string.h>
#include "table.h"

static uint8_t all[32 + KCFAES_VEC_MAX_IV + KCFAES_VEC_MAX_AAD + 2 * KCFAES_VEC_MAX_TEXT + 16];

int
main(void)
{
	static uint8_t key[32], iv[KCFAES_VEC_MAX_IV], aad[KCFAES_VEC_MAX_AAD], pt[KCFAES_VEC_MAX_TEXT];
	size_t i, ids = 0;

	for (i = 0; i < KCFAES_VEC_COUNT; i++) {
		const struct kcfaes_vec *v = &kcfaes_vecs[i];
		uint8_t *p = all;

		memset(pt, 0, sizeof (pt));
		kcfaes_vec_load(v, key, iv, aad, pt);
		memcpy(p, key, v->keybits / 8); p += v->keybits / 8;
		memcpy(p, iv, v->ivlen); p += v->ivlen;
		memcpy(p, aad, v->aadlen); p += v->aadlen;
		memcpy(p, pt, v->len); p += v->len;
		if (v->ct != NULL) {
			memcpy(p, v->ct, v->len); p += v->len;
		}
		if (v->tag != NULL) {
			memcpy(p, v->tag, v->taglen); p += v->taglen;
		}
		ids += strlen(v->id) + 1;
		printf("%s %d %d %d %d %llu %llu\n", v->id, v->mode, v->expect, v->keybits, v->counter_bits,
		    (unsigned long long)v->digest,
		    (unsigned long long)kcfaes_vec_fnv1a64(all, (size_t)(p - all)));
	}
	printf("size %lu\n", (unsigned long)(sizeof (kcfaes_vecs) + sizeof (kcfaes_vec_pool) + ids));
	return (0);
}
"#;

/// The line that the C program prints for a case.
fn described(case: &Case) -> String {
    let mut pt = case.pt.clone();
    pt.resize(case.text_len(), 0);
    let mut all = [&case.key, &case.iv, &case.aad, &pt].map(|part| &part[..]).concat();
    let digest = match &case.ct {
        Ciphertext::Bytes(ct) => {
            all.extend_from_slice(ct);
            0
        }
        Ciphertext::Digest(digest) => *digest,
    };
    all.extend_from_slice(&case.tag);
    format!(
        "{} {} {} {} {} {digest} {}",
        case.id,
        case.mode as u8,
        case.expect as u8,
        case.keybits(),
        case.counter_bits,
        fnv1a64(&all)
    )
}

fn shipped() -> Vec<File> {
    load_all(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn c_reads_back_every_value() {
    let files = shipped();
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("c_table");
    fs::create_dir_all(&dir).unwrap();
    let (mut text, mut again) = (String::new(), String::new());
    let count = emit_c(&files, CAP, &mut text).unwrap();
    emit_c(&shipped(), CAP, &mut again).unwrap();
    assert!(text == again, "two runs differ");
    fs::write(dir.join("table.h"), text).unwrap();
    fs::write(dir.join("program.c"), PROGRAM).unwrap();

    let compiled = Command::new("gcc")
        .args([
            "-std=c99",
            "-O1",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
            "-o",
            "program",
            "program.c",
        ])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let ran = Command::new(dir.join("program")).output().unwrap();
    assert!(ran.status.success());
    let printed = String::from_utf8(ran.stdout).unwrap();

    // GCM and GMAC files name the same upstream lines, so an id alone is not unique here.
    let known: HashSet<String> = files.iter().flat_map(|f| &f.cases).map(described).collect();
    let mut lines: Vec<&str> = printed.lines().collect();
    let size: usize = lines.pop().unwrap().strip_prefix("size ").unwrap().parse().unwrap();
    assert_eq!(lines.len(), count);
    assert_eq!(lines.iter().collect::<HashSet<_>>().len(), count, "a case appears twice");
    for line in lines {
        assert!(known.contains(line), "{line}");
    }
    // The pool's closing byte is not part of the data.
    assert!(size - 1 <= CAP && size > CAP * 9 / 10, "{size} of {CAP}");
}

#[test]
fn every_kind_is_present_at_any_cap() {
    let files = shipped();
    let mut kinds = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        for case in &file.cases {
            *kinds.entry((index, case.mode, case.keybits(), case.expect)).or_insert(0usize) += 1;
        }
    }
    let mut text = String::new();
    assert_eq!(emit_c(&files, 0, &mut text).unwrap(), kinds.len());
    text.clear();
    assert_eq!(emit_c(&files, usize::MAX, &mut text).unwrap(), kinds.values().sum());
}
