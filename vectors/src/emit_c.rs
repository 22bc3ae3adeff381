// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vector cases as one C99 header: a byte pool, a table over it, and the generator and digest that the
//! generated cases need. It is for tests that cannot open files: a kernel module, a freestanding
//! program.
//!
//! Invariants: The same files and cap give the same text. Table and pool together stay within the cap.
//! Every (file, mode, key size, expectation) in the files is also in the table, by cases spread evenly
//! over the files' cases of that kind.

use crate::{Case, Ciphertext, Expect, File};
use core::fmt::{self, Write};
use std::collections::{BTreeMap, HashMap};

/// `sizeof (struct kcfaes_vec)` in the LP64 model. The header's reader can check it.
const ENTRY: usize = 96;

/// Writes the C header for as many cases of `files` as fit in `cap` bytes of constant data (table,
/// values and identifiers). Returns the number of cases written.
///
/// # Errors
/// Only those of `out`. If the cap is less than one case of each kind needs, exactly one of each is
/// written.
pub fn emit_c(files: &[File], cap: usize, out: &mut dyn Write) -> Result<usize, fmt::Error> {
    let strata = strata(files);
    // The most cases per stratum for which the table fits, found by bisection. The size grows with the
    // number of cases, except that equal values are shared, which only makes it smaller.
    let (mut fits, mut over) = (1, strata.iter().map(Vec::len).max().unwrap_or(0) + 1);
    while over - fits > 1 {
        let middle = fits.midpoint(over);
        if Table::build(&strata, middle).size() <= cap {
            fits = middle;
        } else {
            over = middle;
        }
    }
    let table = Table::build(&strata, fits);
    table.write(out)?;
    Ok(table.cases.len())
}

/// Cases of one kind, in file order.
fn strata(files: &[File]) -> Vec<Vec<&Case>> {
    let mut strata: BTreeMap<_, Vec<&Case>> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        for case in &file.cases {
            let kind = (index, case.mode, case.keybits(), case.expect);
            strata.entry(kind).or_default().push(case);
        }
    }
    strata.into_values().collect()
}

struct Table<'a> {
    cases: Vec<&'a Case>,
    pool: Vec<u8>,
    at: HashMap<&'a [u8], usize>,
}

impl<'a> Table<'a> {
    /// Up to `most` cases of each stratum, evenly spread, with their values pooled.
    fn build(strata: &[Vec<&'a Case>], most: usize) -> Self {
        let mut table = Self { cases: Vec::new(), pool: Vec::new(), at: HashMap::new() };
        for stratum in strata {
            let take = stratum.len().min(most);
            for index in 0..take {
                table.add(stratum[index * stratum.len() / take]);
            }
        }
        table
    }

    fn add(&mut self, case: &'a Case) {
        self.cases.push(case);
        for (value, _) in values(case).into_iter().filter(|&(value, drawn)| stored(value, drawn)) {
            self.at.entry(value).or_insert_with(|| {
                self.pool.extend_from_slice(value);
                self.pool.len() - value.len()
            });
        }
    }

    fn size(&self) -> usize {
        let ids: usize = self.cases.iter().map(|case| case.id.len() + 1).sum();
        self.cases.len() * ENTRY + self.pool.len() + ids
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(HEAD)?;
        let most = |length: fn(&Case) -> usize| self.cases.iter().map(|case| length(case)).max();
        writeln!(out, "#define KCFAES_VEC_COUNT {}", self.cases.len())?;
        writeln!(out, "#define KCFAES_VEC_MAX_IV {}", most(|c| c.iv.len()).unwrap_or(0))?;
        writeln!(out, "#define KCFAES_VEC_MAX_AAD {}", most(|c| c.aad.len()).unwrap_or(0))?;
        writeln!(out, "#define KCFAES_VEC_MAX_TEXT {}", most(Case::text_len).unwrap_or(0))?;
        writeln!(out, "\nstatic const uint8_t kcfaes_vec_pool[] = {{")?;
        for row in self.pool.chunks(24) {
            for byte in row {
                write!(out, "{byte},")?;
            }
            out.write_char('\n')?;
        }
        // The extra byte keeps the array legal when no value is stored.
        writeln!(out, "0}};\n\nstatic const struct kcfaes_vec kcfaes_vecs[] = {{")?;
        for case in &self.cases {
            self.write_entry(case, out)?;
        }
        out.write_str("};\n\n#endif\n")
    }

    fn write_entry(&self, case: &Case, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{{\"{}\",", case.id)?;
        for (value, drawn) in values(case) {
            match self.at.get(value) {
                Some(at) if stored(value, drawn) => write!(out, "kcfaes_vec_pool+{at},")?,
                _ => out.write_str("0,")?,
            }
        }
        let digest = match case.ct {
            Ciphertext::Digest(digest) => digest,
            Ciphertext::Bytes(_) => 0,
        };
        let recipe = &case.recipe;
        let drawn = u8::from(recipe.key)
            | u8::from(recipe.iv) << 1
            | u8::from(recipe.aad) << 2
            | u8::from(recipe.pt) << 3
            | u8::from(matches!(case.ct, Ciphertext::Digest(_))) << 4;
        writeln!(
            out,
            "{}ULL,{digest}ULL,{},{},{},{},{},{},KCFAES_VEC_{},KCFAES_VEC_{},{drawn}}},",
            recipe.seed,
            case.iv.len(),
            case.aad.len(),
            case.text_len(),
            case.tag.len(),
            case.keybits(),
            case.counter_bits,
            case.mode.name(),
            match case.expect {
                Expect::Ok => "OK",
                Expect::BadTag => "BAD_TAG",
                Expect::BadArg => "BAD_ARG",
            },
        )
    }
}

/// The values of a case in the order of the C structure. The flag says whether the value is drawn.
fn values(case: &Case) -> [(&[u8], bool); 6] {
    let ct: &[u8] = match &case.ct {
        Ciphertext::Bytes(ct) => ct,
        Ciphertext::Digest(_) => &[],
    };
    let recipe = &case.recipe;
    [
        (&case.key, recipe.key),
        (&case.iv, recipe.iv),
        (&case.aad, recipe.aad),
        (&case.pt, recipe.pt),
        (ct, false),
        (&case.tag, false),
    ]
}

fn stored(value: &[u8], drawn: bool) -> bool {
    !drawn && !value.is_empty()
}

const HEAD: &str = r#"/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * AES test vectors, generated from the files in vectors/ (kcfaes-vectors emit-c); do not edit.
 * Sources and licences of the data: vectors/NOTICE and vectors/PROVENANCE.tsv.
 */
#ifndef KCFAES_VECTORS_TABLE_H
#define KCFAES_VECTORS_TABLE_H

#ifdef _KERNEL
#include <sys/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

enum {
	KCFAES_VEC_ECB, KCFAES_VEC_CBC, KCFAES_VEC_CTR, KCFAES_VEC_CCM, KCFAES_VEC_GCM,
	KCFAES_VEC_GMAC, KCFAES_VEC_CMAC
};

/*
 * OK: encryption gives ct and tag, decryption gives pt. BAD_TAG: decryption must refuse ct with
 * tag (pt may be NULL). BAD_ARG: the parameters must be refused.
 */
enum { KCFAES_VEC_OK, KCFAES_VEC_BAD_TAG, KCFAES_VEC_BAD_ARG };

/* Bits of `drawn`: the value comes from kcfaes_vec_load(); ct is known by its digest only. */
enum {
	KCFAES_VEC_DRAWN_KEY = 1, KCFAES_VEC_DRAWN_IV = 2, KCFAES_VEC_DRAWN_AAD = 4,
	KCFAES_VEC_DRAWN_PT = 8, KCFAES_VEC_CT_DIGEST = 16
};

struct kcfaes_vec {
	const char *id;
	/* NULL when empty, drawn, or (ct) known by digest. A MAC's message is in aad. */
	const uint8_t *key, *iv, *aad, *pt, *ct, *tag;
	uint64_t seed;
	uint64_t digest;	/* kcfaes_vec_fnv1a64() of the ciphertext */
	uint32_t ivlen, aadlen, len, taglen;	/* bytes; len: text */
	uint16_t keybits;
	uint8_t counter_bits;	/* CTR: 1..128; iv is the counter block */
	uint8_t mode, expect, drawn;
};

static inline uint64_t
kcfaes_vec_fnv1a64(const uint8_t *p, size_t n)
{
	uint64_t h = 14695981039346656037ULL;

	while (n-- != 0)
		h = (h ^ *p++) * 1099511628211ULL;
	return (h);
}

/* splitmix64, words little-endian, cut into bytes without gaps. */
struct kcfaes_vec_stream { uint64_t state, word; unsigned int left; };

static inline void
kcfaes_vec_draw(struct kcfaes_vec_stream *s, uint8_t *p, size_t n)
{
	while (n-- != 0) {
		if (s->left == 0) {
			uint64_t z = s->state += 11400714819323198485ULL;

			z = (z ^ (z >> 30)) * 13787848793156543929ULL;
			z = (z ^ (z >> 27)) * 10723151780598845931ULL;
			s->word = z ^ (z >> 31);
			s->left = 8;
		}
		*p++ = (uint8_t)s->word;
		s->word >>= 8;
		s->left--;
	}
}

static inline void
kcfaes_vec_take(struct kcfaes_vec_stream *s, int drawn, const uint8_t *from, uint8_t *to, size_t n)
{
	if (drawn) {
		kcfaes_vec_draw(s, to, n);
	} else if (from != NULL) {
		while (n-- != 0)
			*to++ = *from++;
	}
}

/*
 * Fills key (keybits / 8 bytes), iv (ivlen), aad (aadlen) and pt (len). pt is left alone when the
 * case has none (BAD_TAG with pt == NULL).
 */
static inline void
kcfaes_vec_load(const struct kcfaes_vec *v, uint8_t *key, uint8_t *iv, uint8_t *aad, uint8_t *pt)
{
	struct kcfaes_vec_stream s = { 0, 0, 0 };

	s.state = v->seed;
	kcfaes_vec_take(&s, v->drawn & KCFAES_VEC_DRAWN_KEY, v->key, key, v->keybits / 8U);
	kcfaes_vec_take(&s, v->drawn & KCFAES_VEC_DRAWN_IV, v->iv, iv, v->ivlen);
	kcfaes_vec_take(&s, v->drawn & KCFAES_VEC_DRAWN_AAD, v->aad, aad, v->aadlen);
	kcfaes_vec_take(&s, v->drawn & KCFAES_VEC_DRAWN_PT, v->pt, pt, v->len);
}

"#;
