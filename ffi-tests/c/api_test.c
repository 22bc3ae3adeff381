/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The plain C API of libkcfaes, as a C program sees it: known answers, whole
 * messages and parts, buffers and pieces, every refusal.  All of it on every
 * table of kernels that the CPU has.
 */

#define	_DEFAULT_SOURCE		/* mmap */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kcfaes.h>
#include "api_kat.h"

#define	MAX_TEXT	4200
#define	MAX_PIECES	2000
#define	COUNT(a)	(sizeof (a) / sizeof ((a)[0]))

static unsigned long passed, failed;
static const char *table;

static void
check(int ok, const char *what, int line)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	if (failed <= 20)
		printf("api_test.c:%d: %s: %s\n", line, table, what);
}

#define	CHECK(condition)	check((condition) != 0, #condition, __LINE__)
#define	IS(call, code)		CHECK((call) == (code))
#define	OK(call)		IS(call, KCFAES_OK)

static uint8_t text[MAX_TEXT], out[MAX_TEXT + 64], back[MAX_TEXT + 64], ref[MAX_TEXT];

/* Text that does not repeat within a message. */
static void
fill(uint8_t *bytes, size_t len)
{
	uint32_t state = 12345;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(state >> 24);
	}
}

static size_t
hex(const char *digits, uint8_t *bytes)
{
	size_t len = strlen(digits) / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
			abort();
		bytes[i] = (uint8_t)byte;
	}
	return (len);
}

/* Cuts len bytes into pieces of 0 to 37 bytes; different seeds cut differently. */
static size_t
cut(uint8_t *bytes, size_t len, unsigned seed, kcfaes_iovec *pieces)
{
	static const size_t sizes[] = { 1, 0, 16, 7, 37, 15, 0, 17, 32, 3 };
	size_t count = 0, at = 0;

	while (at < len) {
		size_t n = sizes[(seed + count) % COUNT(sizes)];

		if (n > len - at)
			n = len - at;
		pieces[count].base = bytes + at;
		pieces[count].len = n;
		at += n;
		count++;
	}
	return (count);
}

static kcfaes_key *
new_key(size_t len)
{
	uint8_t bytes[32];
	kcfaes_key *key = NULL;

	hex(KAT_GCM_KEY, bytes);
	OK(kcfaes_key_new(bytes, len, &key));
	return (key);
}

static kcfaes_ctx *
new_ctx(void)
{
	kcfaes_ctx *ctx = NULL;

	OK(kcfaes_ctx_new(&ctx));
	return (ctx);
}

static void
test_known_answers(void)
{
	uint8_t plain[64], want[64], iv[16], got[64], aad[20], nonce[64], tag[16], right[16];
	uint8_t key_bytes[32];
	kcfaes_key *key;

	hex(KAT_TEXT, plain);
	for (size_t i = 0; i < COUNT(kat_blocks); i++) {
		OK(kcfaes_key_new(key_bytes, hex(kat_blocks[i].key, key_bytes), &key));
		hex(kat_blocks[i].ecb, want);
		OK(kcfaes_ecb_encrypt(key, plain, 64, got));
		CHECK(memcmp(got, want, 64) == 0);
		OK(kcfaes_ecb_decrypt(key, got, 64, got));
		CHECK(memcmp(got, plain, 64) == 0);

		/* In two calls, so that the IV has to go on. */
		hex(kat_blocks[i].cbc, want);
		hex(KAT_IV, iv);
		OK(kcfaes_cbc_encrypt(key, iv, plain, 16, got));
		OK(kcfaes_cbc_encrypt(key, iv, plain + 16, 48, got + 16));
		CHECK(memcmp(got, want, 64) == 0 && memcmp(iv, want + 48, 16) == 0);
		hex(KAT_IV, iv);
		OK(kcfaes_cbc_decrypt(key, iv, got, 48, got));
		OK(kcfaes_cbc_decrypt(key, iv, got + 48, 16, got + 48));
		CHECK(memcmp(got, plain, 64) == 0 && memcmp(iv, want + 48, 16) == 0);

		hex(kat_blocks[i].ctr, want);
		hex(KAT_COUNTER, iv);
		OK(kcfaes_ctr(key, iv, plain, 32, got));
		OK(kcfaes_ctr(key, iv, plain + 32, 31, got + 32));
		CHECK(memcmp(got, want, 63) == 0);
		hex(KAT_COUNTER, want);
		want[15] += 4;
		want[14] += 1;
		for (int j = 14; j > 0 && want[j] == 0; j--)
			want[j - 1]++;
		CHECK(memcmp(iv, want, 16) == 0);
		kcfaes_key_free(key);
	}

	hex(KAT_GCM_AAD, aad);
	for (size_t i = 0; i < COUNT(kat_gcm); i++) {
		size_t iv_len = hex(kat_gcm[i].iv, nonce);
		size_t len = hex(KAT_GCM_TEXT, plain);

		key = new_key(kat_gcm[i].key_len);
		hex(kat_gcm[i].ct, want);
		hex(kat_gcm[i].tag, right);
		OK(kcfaes_gcm_seal(key, nonce, iv_len, aad, 20, plain, len, got, tag, 16));
		CHECK(memcmp(got, want, len) == 0 && memcmp(tag, right, 16) == 0);
		for (size_t n = 0; n <= 20; n++) {
			int legal = n == 4 || n == 8 || (n >= 12 && n <= 16);
			kcfaes_rc rc = legal ? KCFAES_OK : KCFAES_MECHANISM_PARAM_INVALID;

			memset(tag, 0, 16);
			IS(kcfaes_gcm_seal(key, nonce, iv_len, aad, 20, plain, len, got, tag, n), rc);
			CHECK(!legal || memcmp(tag, right, n) == 0);
			CHECK(n >= 16 || tag[n] == 0);
			IS(kcfaes_gcm_open(key, nonce, iv_len, aad, 20, want, len, got, right, n), rc);
			CHECK(!legal || memcmp(got, plain, len) == 0);
		}
		hex(kat_gcm[i].gmac, right);
		OK(kcfaes_gmac(key, nonce, iv_len, plain, len, tag, 16));
		CHECK(memcmp(tag, right, 16) == 0);
		OK(kcfaes_gmac_verify(key, nonce, iv_len, plain, len, right, 16));
		OK(kcfaes_gmac_verify(key, nonce, iv_len, plain, len, right, 4));
		right[3] ^= 1;
		IS(kcfaes_gmac_verify(key, nonce, iv_len, plain, len, right, 16), KCFAES_INVALID_MAC);
		IS(kcfaes_gmac_verify(key, nonce, iv_len, plain, len, right, 4), KCFAES_INVALID_MAC);
		IS(kcfaes_gmac_verify(key, nonce, iv_len, plain, len, right, 5),
		    KCFAES_MECHANISM_PARAM_INVALID);
		kcfaes_key_free(key);
	}
}

static void
test_known_answers_of_cbc_mac(void)
{
	uint8_t key_bytes[32], nonce[20], aad[64], plain[64], want[64], got[64], right[16], tag[20];
	kcfaes_key *key;

	for (size_t i = 0; i < COUNT(kat_ccm); i++) {
		size_t nonce_len = hex(kat_ccm[i].nonce, nonce), aad_len = hex(kat_ccm[i].aad, aad);
		size_t len = hex(kat_ccm[i].pt, plain), tag_len = hex(kat_ccm[i].tag, right);

		OK(kcfaes_key_new(key_bytes, hex(kat_ccm[i].key, key_bytes), &key));
		hex(kat_ccm[i].ct, want);
		OK(kcfaes_ccm_seal(key, nonce, nonce_len, aad, aad_len, plain, len, got, tag, tag_len));
		CHECK(memcmp(got, want, len) == 0 && memcmp(tag, right, tag_len) == 0);
		OK(kcfaes_ccm_open(key, nonce, nonce_len, aad, aad_len, want, len, got, right, tag_len));
		CHECK(memcmp(got, plain, len) == 0);
		/* A shorter tag is not the beginning of the longer one, and of some lengths none. */
		for (size_t n = 0; n <= 20; n++) {
			int legal = n >= 4 && n <= 16 && n % 2 == 0;

			IS(kcfaes_ccm_seal(key, nonce, nonce_len, aad, aad_len, plain, len, got, tag, n),
			    legal ? KCFAES_OK : KCFAES_MECHANISM_PARAM_INVALID);
			if (!legal || n == tag_len)
				continue;
			CHECK(memcmp(tag, right, n < tag_len ? n : tag_len) != 0);
			OK(kcfaes_ccm_open(key, nonce, nonce_len, aad, aad_len, want, len, got, tag, n));
		}
		for (size_t n = 0; n <= 20; n++) {
			IS(kcfaes_ccm_seal(key, nonce, n, aad, aad_len, plain, len, got, tag, 16),
			    n >= 7 && n <= 13 ? KCFAES_OK : KCFAES_MECHANISM_PARAM_INVALID);
		}
		kcfaes_key_free(key);
	}

	for (size_t i = 0; i < COUNT(kat_cmac); i++) {
		size_t len = hex(kat_cmac[i].message, plain);

		OK(kcfaes_key_new(key_bytes, hex(kat_cmac[i].key, key_bytes), &key));
		hex(kat_cmac[i].mac, right);
		for (size_t n = 0; n <= 20; n++) {
			int legal = n >= 4 && n <= 16;
			kcfaes_rc rc = legal ? KCFAES_OK : KCFAES_MECHANISM_PARAM_INVALID;

			memset(tag, 0, 20);
			IS(kcfaes_cmac(key, plain, len, tag, n), rc);
			CHECK(!legal || (memcmp(tag, right, n) == 0 && tag[n] == 0));
			IS(kcfaes_cmac_verify(key, plain, len, right, n), rc);
			right[3] ^= 1;
			IS(kcfaes_cmac_verify(key, plain, len, right, n), legal ? KCFAES_INVALID_MAC : rc);
			right[3] ^= 1;
		}
		kcfaes_key_free(key);
	}
}

/* Buffers, in place, and pieces cut in four ways must agree, at every length up to 300. */
static void
test_pieces(const kcfaes_key *key, size_t len)
{
	static kcfaes_iovec in[MAX_PIECES], to[MAX_PIECES];
	static const uint8_t iv[12] = { 9 }, aad[33] = { 5 };
	uint8_t tag[16], tag2[16], c[16], whole = len % 16 == 0;
	size_t n, m;

	OK(kcfaes_gcm_seal(key, iv, 12, aad, 33, text, len, ref, tag, 16));
	memcpy(out, text, len);
	OK(kcfaes_gcm_seal(key, iv, 12, aad, 33, out, len, out, tag2, 16));
	CHECK(memcmp(out, ref, len) == 0 && memcmp(tag, tag2, 16) == 0);
	OK(kcfaes_gcm_open(key, iv, 12, aad, 33, out, len, out, tag, 16));
	CHECK(memcmp(out, text, len) == 0);
	OK(kcfaes_gmac(key, iv, 12, text, len, c, 16));
	for (unsigned seed = 0; seed < 4; seed++) {
		n = cut(text, len, seed, in);
		memset(out, 0xee, len + 1);
		m = cut(out, len, seed * 3 + 1, to);
		OK(kcfaes_gcm_seal_iov(key, iv, 12, aad, 33, in, n, to, m, tag2, 16));
		CHECK(memcmp(out, ref, len) == 0 && memcmp(tag, tag2, 16) == 0);
		CHECK(out[len] == 0xee);
		OK(kcfaes_gcm_open_iov(key, iv, 12, aad, 33, to, m, to, m, tag, 16));
		CHECK(memcmp(out, text, len) == 0);
		OK(kcfaes_gmac_iov(key, iv, 12, in, n, tag2, 16));
		CHECK(memcmp(c, tag2, 16) == 0);
		OK(kcfaes_gmac_verify_iov(key, iv, 12, in, n, c, 13));
		if (len > 0) {
			/* One byte of room too few: refused, nothing written, tag neither. */
			m = cut(out, len - 1, seed, to);
			memset(out, 0xee, len);
			memset(tag2, 0xee, 16);
			IS(kcfaes_gcm_seal_iov(key, iv, 12, aad, 33, in, n, to, m, tag2, 16),
			    KCFAES_BUFFER_TOO_SMALL);
			CHECK(out[0] == 0xee && out[len - 1] == 0xee && tag2[0] == 0xee);
		}
	}

	OK(kcfaes_ccm_seal(key, iv, 12, aad, 33, text, len, ref, tag, 16));
	memcpy(out, text, len);
	OK(kcfaes_ccm_seal(key, iv, 12, aad, 33, out, len, out, tag2, 16));
	CHECK(memcmp(out, ref, len) == 0 && memcmp(tag, tag2, 16) == 0);
	OK(kcfaes_ccm_open(key, iv, 12, aad, 33, out, len, out, tag, 16));
	CHECK(memcmp(out, text, len) == 0);
	OK(kcfaes_cmac(key, text, len, c, 16));
	for (unsigned seed = 0; seed < 4; seed++) {
		n = cut(text, len, seed, in);
		memset(out, 0xee, len + 1);
		m = cut(out, len, seed * 3 + 1, to);
		OK(kcfaes_ccm_seal_iov(key, iv, 12, aad, 33, in, n, to, m, tag2, 16));
		CHECK(memcmp(out, ref, len) == 0 && memcmp(tag, tag2, 16) == 0);
		CHECK(out[len] == 0xee);
		OK(kcfaes_ccm_open_iov(key, iv, 12, aad, 33, to, m, to, m, tag, 16));
		CHECK(memcmp(out, text, len) == 0);
		OK(kcfaes_cmac_iov(key, in, n, tag2, 16));
		CHECK(memcmp(c, tag2, 16) == 0);
		OK(kcfaes_cmac_verify_iov(key, in, n, c, 13));
	}

	/* CTR, then the block modes where the length is theirs. */
	memset(c, 0xff, 16);
	c[15] = 0xfd;
	OK(kcfaes_ctr(key, c, text, len, ref));
	n = cut(text, len, 3, in);
	m = cut(out, len, 5, to);
	memset(c, 0xff, 16);
	c[15] = 0xfd;
	OK(kcfaes_ctr_iov(key, c, in, n, to, m));
	CHECK(memcmp(out, ref, len) == 0);
	memset(c, 0xff, 16);
	c[15] = 0xfd;
	OK(kcfaes_ctr_iov(key, c, to, m, to, m));
	CHECK(memcmp(out, text, len) == 0);

	memset(c, 1, 16);
	IS(kcfaes_cbc_encrypt(key, c, text, len, ref), whole ? KCFAES_OK : KCFAES_DATA_LEN_RANGE);
	CHECK(whole || c[0] == 1);
	memset(c, 1, 16);
	IS(kcfaes_cbc_encrypt_iov(key, c, in, n, to, m), whole ? KCFAES_OK : KCFAES_DATA_LEN_RANGE);
	CHECK(!whole || memcmp(out, ref, len) == 0);
	memset(c, 1, 16);
	IS(kcfaes_cbc_decrypt_iov(key, c, to, m, to, m),
	    whole ? KCFAES_OK : KCFAES_ENCRYPTED_DATA_LEN_RANGE);
	CHECK(!whole || memcmp(out, text, len) == 0);
	memset(c, 1, 16);
	IS(kcfaes_cbc_decrypt(key, c, ref, len, back),
	    whole ? KCFAES_OK : KCFAES_ENCRYPTED_DATA_LEN_RANGE);
	CHECK(!whole || memcmp(back, text, len) == 0);
	IS(kcfaes_ecb_encrypt(key, text, len, ref), whole ? KCFAES_OK : KCFAES_DATA_LEN_RANGE);
	IS(kcfaes_ecb_encrypt_iov(key, in, n, to, m), whole ? KCFAES_OK : KCFAES_DATA_LEN_RANGE);
	CHECK(!whole || memcmp(out, ref, len) == 0);
	IS(kcfaes_ecb_decrypt_iov(key, to, m, to, m),
	    whole ? KCFAES_OK : KCFAES_ENCRYPTED_DATA_LEN_RANGE);
	CHECK(!whole || memcmp(out, text, len) == 0);
}

/* What a context can do. */
enum mode { SEAL, OPEN, CCM_SEAL, CCM_OPEN, GMAC, CMAC, CTR, CBC_E, CBC_D, ECB_E, ECB_D, MODES };

static const uint8_t nonce12[12] = { 1, 2, 3 }, block16[16] = { 4, 5, 6 }, header[5] = { 7 };

/* Bytes that the next CCM message declares. */
static size_t declared;

static int
is_open(enum mode mode)
{
	return (mode == OPEN || mode == CCM_OPEN);
}

/* Whether every byte of a part is given at once. */
static int
gives_all(enum mode mode)
{
	return (mode == SEAL || mode == OPEN || mode == CTR);
}

static int
is_mac(enum mode mode)
{
	return (mode == GMAC || mode == CMAC);
}

static kcfaes_rc
begin(kcfaes_ctx *ctx, const kcfaes_key *key, enum mode mode)
{
	switch (mode) {
	case CCM_SEAL:
		return (kcfaes_ccm_seal_init(ctx, key, nonce12, 12, header, 5, declared, 16));
	case CCM_OPEN:
		return (kcfaes_ccm_open_init(ctx, key, nonce12, 12, header, 5, declared, 16));
	case CMAC:
		return (kcfaes_cmac_init(ctx, key));
	case SEAL:
		return (kcfaes_gcm_seal_init(ctx, key, nonce12, 12, header, 5));
	case OPEN:
		return (kcfaes_gcm_open_init(ctx, key, nonce12, 12, header, 5));
	case GMAC:
		return (kcfaes_gmac_init(ctx, key, nonce12, 12));
	case CTR:
		return (kcfaes_ctr_init(ctx, key, block16));
	case CBC_E:
		return (kcfaes_cbc_encrypt_init(ctx, key, block16));
	case CBC_D:
		return (kcfaes_cbc_decrypt_init(ctx, key, block16));
	case ECB_E:
		return (kcfaes_ecb_encrypt_init(ctx, key));
	default:
		return (kcfaes_ecb_decrypt_init(ctx, key));
	}
}

static kcfaes_rc
update(kcfaes_ctx *ctx, enum mode mode, const uint8_t *in, size_t len, uint8_t *to, size_t room,
    size_t *written)
{
	if (is_open(mode))
		return (kcfaes_update_unverified(ctx, in, len, to, room, written));
	return (kcfaes_update(ctx, in, len, to, room, written));
}

/* Ends a message; tag is written by SEAL and the MACs, read by OPEN. */
static kcfaes_rc
finish(kcfaes_ctx *ctx, enum mode mode, uint8_t *to, size_t room, size_t *written, uint8_t *tag)
{
	*written = 0;
	switch (mode) {
	case SEAL:
		return (kcfaes_gcm_seal_final(ctx, to, room, written, tag, 16));
	case OPEN:
		return (kcfaes_gcm_open_final(ctx, to, room, written, tag, 16));
	case CCM_SEAL:
		return (kcfaes_ccm_seal_final(ctx, to, room, written, tag, 16));
	case CCM_OPEN:
		return (kcfaes_ccm_open_final(ctx, to, room, written, tag, 16));
	case GMAC:
		return (kcfaes_gmac_final(ctx, tag, 16));
	case CMAC:
		return (kcfaes_cmac_final(ctx, tag, 16));
	default:
		return (kcfaes_final(ctx));
	}
}

/* The same by one call, the source of truth here. */
static void
by_one_call(const kcfaes_key *key, enum mode mode, const uint8_t *in, size_t len, uint8_t *to,
    uint8_t *tag)
{
	uint8_t iv[16];

	memcpy(iv, block16, 16);
	switch (mode) {
	case SEAL:
		OK(kcfaes_gcm_seal(key, nonce12, 12, header, 5, in, len, to, tag, 16));
		break;
	case OPEN:
		/* The tag of whatever ciphertext: CTR first, then seal it back. */
		memcpy(iv, nonce12, 12);
		memcpy(iv + 12, "\0\0\0\2", 4);
		OK(kcfaes_ctr(key, iv, in, len, to));
		OK(kcfaes_gcm_seal(key, nonce12, 12, header, 5, to, len, back, tag, 16));
		CHECK(memcmp(back, in, len) == 0);
		break;
	case CCM_SEAL:
		OK(kcfaes_ccm_seal(key, nonce12, 12, header, 5, in, len, to, tag, 16));
		break;
	case CCM_OPEN:
		iv[0] = 2;
		memcpy(iv + 1, nonce12, 12);
		memcpy(iv + 13, "\0\0\1", 3);
		OK(kcfaes_ctr(key, iv, in, len, to));
		OK(kcfaes_ccm_seal(key, nonce12, 12, header, 5, to, len, back, tag, 16));
		CHECK(memcmp(back, in, len) == 0);
		break;
	case GMAC:
		OK(kcfaes_gmac(key, nonce12, 12, in, len, tag, 16));
		break;
	case CMAC:
		OK(kcfaes_cmac(key, in, len, tag, 16));
		break;
	case CTR:
		OK(kcfaes_ctr(key, iv, in, len, to));
		break;
	case CBC_E:
		OK(kcfaes_cbc_encrypt(key, iv, in, len, to));
		break;
	case CBC_D:
		OK(kcfaes_cbc_decrypt(key, iv, in, len, to));
		break;
	case ECB_E:
		OK(kcfaes_ecb_encrypt(key, in, len, to));
		break;
	default:
		OK(kcfaes_ecb_decrypt(key, in, len, to));
		break;
	}
}

/* A message in parts of every size from 1 to 50 and in growing parts, against one call. */
static void
test_parts(const kcfaes_key *key, enum mode mode, size_t len)
{
	static kcfaes_iovec in[MAX_PIECES], to[MAX_PIECES];
	kcfaes_ctx *ctx = new_ctx();
	uint8_t tag[16], tag2[16];

	if (mode >= CBC_E)
		len &= ~(size_t)15;
	memset(tag, 0, 16);
	declared = len;
	by_one_call(key, mode, text, len, ref, tag);
	for (size_t step = 0; step <= 50; step++) {
		size_t at = 0, done = 0, n = step == 0 ? 1 : step, written;

		memset(out, 0xee, len + 16);
		OK(begin(ctx, key, mode));
		while (at < len) {
			size_t part = n < len - at ? n : len - at;
			size_t want = is_mac(mode) ? 0 : gives_all(mode) ? part :
			    ((at + part) & ~(size_t)15) - done;

			if (want > 0) {
				/* A byte too little, said how much, nothing consumed. */
				IS(update(ctx, mode, text + at, part, out + done, want - 1, &written),
				    KCFAES_BUFFER_TOO_SMALL);
				CHECK(written == want && out[done] == 0xee);
			}
			if (step % 3 == 2) {
				size_t a = cut(text + at, part, (unsigned)step, in);
				size_t b = cut(out + done, want, (unsigned)at, to);

				OK(is_open(mode) ?
				    kcfaes_update_unverified_iov(ctx, in, a, to, b, &written) :
				    kcfaes_update_iov(ctx, in, a, to, b, &written));
			} else {
				OK(update(ctx, mode, text + at, part, out + done, want, &written));
			}
			CHECK(written == want);
			at += part;
			done += written;
			n += step == 0;
		}
		if (mode <= CCM_OPEN && done < len) {
			IS(finish(ctx, mode, out + done, len - done - 1, &written, tag),
			    KCFAES_BUFFER_TOO_SMALL);
			CHECK(written == len - done && out[done] == 0xee);
		}
		memcpy(tag2, tag, 16);
		if (!is_open(mode))
			memset(tag2, 0, 16);
		OK(finish(ctx, mode, out + done, len - done, &written, tag2));
		CHECK(is_mac(mode) || done + written == len);
		CHECK(is_mac(mode) || memcmp(out, ref, len) == 0);
		CHECK(mode > CMAC || memcmp(tag, tag2, 16) == 0);
		CHECK(out[len] == 0xee);
	}
	if (is_mac(mode)) {
		kcfaes_rc (*verify)(kcfaes_ctx *, const uint8_t *, size_t) =
		    mode == GMAC ? kcfaes_gmac_verify_final : kcfaes_cmac_verify_final;
		size_t written;

		OK(begin(ctx, key, mode));
		OK(kcfaes_update(ctx, text, len, NULL, 0, &written));
		OK(verify(ctx, tag, 16));
		OK(begin(ctx, key, mode));
		OK(kcfaes_update(ctx, text, len, NULL, 0, &written));
		tag[15] ^= 0x80;
		IS(verify(ctx, tag, 16), KCFAES_INVALID_MAC);
		IS(verify(ctx, tag, 16), KCFAES_OPERATION_NOT_INITIALIZED);
	}
	kcfaes_ctx_free(ctx);
}

/* In place: right as long as the parts are full blocks, refused after a part of one that waits. */
static void
test_parts_in_place(const kcfaes_key *key, enum mode mode)
{
	kcfaes_ctx *ctx = new_ctx();
	uint8_t tag[16] = { 0 };
	size_t written;

	declared = 160;
	by_one_call(key, mode, text, 160, ref, tag);
	memcpy(out, text, 160);
	OK(begin(ctx, key, mode));
	OK(update(ctx, mode, out, 48, out, 48, &written));
	CHECK(written == 48);
	OK(update(ctx, mode, out + 48, 112, out + 48, 112, &written));
	CHECK(written == 112 && memcmp(out, ref, 160) == 0);
	OK(finish(ctx, mode, NULL, 0, &written, tag));

	memcpy(out, text, 160);
	OK(begin(ctx, key, mode));
	IS(update(ctx, mode, out + 1, 32, out, 32, &written), KCFAES_ARGUMENTS_BAD);
	CHECK(memcmp(out, text, 160) == 0);
	OK(update(ctx, mode, out, 7, out, 7, &written));
	IS(update(ctx, mode, out + 7, 32, out + 7, 32, &written),
	    gives_all(mode) ? KCFAES_OK : KCFAES_DATA_LEN_RANGE);
	CHECK(gives_all(mode) || memcmp(out, text, 160) == 0);
	kcfaes_ctx_free(ctx);
}

/* In place, in parts of every size: where nothing waits there is nothing to refuse. */
static void
test_all_in_place(const kcfaes_key *key, enum mode mode, size_t len)
{
	kcfaes_ctx *ctx = new_ctx();
	uint8_t tag[16] = { 0 }, tag2[16];

	by_one_call(key, mode, text, len, ref, tag);
	for (size_t step = 1; step <= 50; step++) {
		size_t written;

		memcpy(out, text, len);
		memset(out + len, 0xee, 16);
		OK(begin(ctx, key, mode));
		for (size_t at = 0; at < len; at += step) {
			size_t part = step < len - at ? step : len - at;

			OK(update(ctx, mode, out + at, part, out + at, part, &written));
			CHECK(written == part);
			/* Nothing beyond the part is touched. */
			CHECK(memcmp(out + at + part, text + at + part, len - at - part) == 0);
		}
		memcpy(tag2, tag, 16);
		if (mode == SEAL)
			memset(tag2, 0, 16);
		OK(finish(ctx, mode, NULL, 0, &written, tag2));
		CHECK(written == 0 && memcmp(tag, tag2, 16) == 0);
		CHECK(memcmp(out, ref, len) == 0 && out[len] == 0xee);
	}
	/* A bit of the ciphertext, in a block of which each byte came alone. */
	if (mode == OPEN && len > 0) {
		size_t written;

		OK(begin(ctx, key, mode));
		for (size_t at = 0; at < len; at++) {
			uint8_t byte = text[at] ^ (at == len / 2);

			OK(update(ctx, mode, &byte, 1, out, 1, &written));
		}
		IS(finish(ctx, mode, NULL, 0, &written, tag), KCFAES_INVALID_MAC);
	}
	kcfaes_ctx_free(ctx);
}

/* AAD in the init and in parts of every size, against one call; then text. */
static void
test_aad(const kcfaes_key *key, size_t len, size_t text_len)
{
	static const size_t iv_lens[] = { 12, 16, 1 };
	kcfaes_ctx *ctx = new_ctx();
	uint8_t tag[16], tag2[16];
	size_t written;

	for (size_t i = 0; i < COUNT(iv_lens); i++) {
		size_t iv_len = iv_lens[i];

		OK(kcfaes_gcm_seal(key, block16, iv_len, text + 7, len, text, text_len, ref, tag, 16));
		for (size_t step = 1; step <= 40; step += step > 17 ? 5 : 1) {
			size_t first = (step * 7) % (len + 1);

			OK(kcfaes_gcm_seal_init(ctx, key, block16, iv_len, text + 7, first));
			OK(kcfaes_update(ctx, NULL, 0, NULL, 0, &written));
			for (size_t at = first; at < len; at += step)
				OK(kcfaes_update_aad(ctx, text + 7 + at, step < len - at ? step : len - at));
			OK(kcfaes_update_aad(ctx, NULL, 0));
			OK(kcfaes_update(ctx, text, text_len, out, text_len, &written));
			IS(kcfaes_update_aad(ctx, text, 1), text_len > 0 ? KCFAES_ARGUMENTS_BAD : KCFAES_OK);
			if (text_len == 0) {
				kcfaes_ctx_wipe(ctx);
				kcfaes_ctx_free(ctx);
				ctx = new_ctx();
				continue;
			}
			OK(kcfaes_gcm_seal_final(ctx, NULL, 0, &written, tag2, 16));
			CHECK(memcmp(tag, tag2, 16) == 0 && memcmp(out, ref, text_len) == 0);

			OK(kcfaes_gcm_open_init(ctx, key, block16, iv_len, text + 7, first));
			for (size_t at = first; at < len; at += step)
				OK(kcfaes_update_aad(ctx, text + 7 + at, step < len - at ? step : len - at));
			OK(kcfaes_update_unverified(ctx, ref, text_len, out, text_len, &written));
			OK(kcfaes_gcm_open_final(ctx, NULL, 0, &written, tag, 16));
			CHECK(memcmp(out, text, text_len) == 0);
		}
		/* Without text: only the tag. */
		OK(kcfaes_gcm_seal(key, block16, iv_len, text + 7, len, NULL, 0, NULL, tag, 16));
		OK(kcfaes_gcm_seal_init(ctx, key, block16, iv_len, NULL, 0));
		OK(kcfaes_update_aad(ctx, text + 7, len));
		OK(kcfaes_gcm_seal_final(ctx, NULL, 0, &written, tag2, 16));
		CHECK(memcmp(tag, tag2, 16) == 0);
	}
	kcfaes_ctx_free(ctx);
}

/* Which contexts take AAD. */
static void
test_aad_refusals(const kcfaes_key *key)
{
	kcfaes_ctx *ctx = new_ctx();
	size_t written;

	IS(kcfaes_update_aad(NULL, text, 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_update_aad(ctx, text, 1), KCFAES_OPERATION_NOT_INITIALIZED);
	declared = 16;
	for (int mode = 0; mode < MODES; mode++) {
		kcfaes_rc rc = mode == SEAL || mode == OPEN ? KCFAES_OK : KCFAES_ARGUMENTS_BAD;

		OK(begin(ctx, key, (enum mode)mode));
		IS(kcfaes_update_aad(ctx, text, 1), rc);
		OK(begin(ctx, key, (enum mode)mode));
		IS(kcfaes_update_aad(ctx, text, 0), rc);
		IS(kcfaes_update_aad(ctx, NULL, 1), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_update_aad(ctx, text, SIZE_MAX), KCFAES_ARGUMENTS_BAD);
		OK(update(ctx, (enum mode)mode, text, 1, out, 1, &written));
		IS(kcfaes_update_aad(ctx, text, 0), KCFAES_ARGUMENTS_BAD);
	}
	kcfaes_ctx_free(ctx);
}

/* CTR from every byte offset against the whole text, buffers, in place and pieces. */
static void
test_ctr_at(const kcfaes_key *key)
{
	static kcfaes_iovec in[MAX_PIECES], to[MAX_PIECES];
	static const size_t lens[] = { 0, 1, 15, 16, 17, 33, 100, 300 };
	uint8_t counter[16], first[16];

	/* The counter wraps in the second block. */
	memset(first, 0xff, 16);
	memcpy(counter, first, 16);
	OK(kcfaes_ctr(key, counter, text, MAX_TEXT, ref));
	for (size_t offset = 0; offset <= 70; offset++) {
		for (size_t i = 0; i < COUNT(lens); i++) {
			size_t len = lens[i], n, m;

			memset(out, 0xee, len + 1);
			OK(kcfaes_ctr_at(key, first, offset, text + offset, len, out));
			CHECK(memcmp(out, ref + offset, len) == 0 && out[len] == 0xee);
			CHECK(first[0] == 0xff && first[15] == 0xff);
			OK(kcfaes_ctr_at(key, first, offset, out, len, out));
			CHECK(memcmp(out, text + offset, len) == 0);
			n = cut(text + offset, len, (unsigned)offset, in);
			m = cut(out, len, (unsigned)offset + 3, to);
			OK(kcfaes_ctr_at_iov(key, first, offset, in, n, to, m));
			CHECK(memcmp(out, ref + offset, len) == 0);
			if (len == 0)
				continue;
			IS(kcfaes_ctr_at(key, first, offset, out, len, out + 1),
			    len == 1 ? KCFAES_OK : KCFAES_ARGUMENTS_BAD);
			IS(kcfaes_ctr_at(key, first, offset, NULL, len, out), KCFAES_ARGUMENTS_BAD);
			IS(kcfaes_ctr_at(key, first, offset, text, len, NULL), KCFAES_ARGUMENTS_BAD);
			m = cut(out, len - 1, (unsigned)offset, to);
			memset(out, 0xee, len);
			IS(kcfaes_ctr_at_iov(key, first, offset, in, n, to, m), KCFAES_BUFFER_TOO_SMALL);
			CHECK(out[0] == 0xee && out[len - 1] == 0xee);
		}
	}
	/* The low 32 bits wrap within the first call, or where it ends. */
	for (size_t before = 1; before <= 3; before++) {
		memset(counter, 0x5a, 12);
		memset(counter + 12, 0xff, 4);
		counter[15] = (uint8_t)(0x100 - before);
		memcpy(first, counter, 16);
		OK(kcfaes_ctr(key, counter, text, 96, ref));
		memcpy(counter, first, 16);
		OK(kcfaes_ctr(key, counter, text, 32, out));
		OK(kcfaes_ctr(key, counter, text + 32, 64, out + 32));
		CHECK(memcmp(out, ref, 96) == 0);
	}
	/* Far into a text: 2^64 - 1 bytes are 2^60 - 1 blocks and 15 bytes. */
	memset(first, 0, 16);
	memcpy(counter, "\0\0\0\0\0\0\0\0\x0f\xff\xff\xff\xff\xff\xff\xff", 16);
	OK(kcfaes_ctr(key, counter, text, 100, ref));
	OK(kcfaes_ctr_at(key, first, UINT64_MAX, text + 15, 85, out));
	CHECK(memcmp(out, ref + 15, 85) == 0);
	IS(kcfaes_ctr_at(key, NULL, 5, text, 16, out), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ctr_at(NULL, first, 5, text, 16, out), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ctr_at(NULL, first, 16, text, 16, out), KCFAES_ARGUMENTS_BAD);
}

/* A copy and its original end a message each, whatever comes after the copy was made. */
static void
test_copy(const kcfaes_key *key, enum mode mode)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 40, 64 };
	kcfaes_ctx *ctx = new_ctx(), *copy = new_ctx();
	uint8_t tag[16] = { 0 }, tag2[16];
	size_t written;

	IS(kcfaes_ctx_copy(copy, ctx), KCFAES_OPERATION_NOT_INITIALIZED);
	declared = 96;
	OK(begin(ctx, key, mode));
	IS(kcfaes_ctx_copy(NULL, ctx), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ctx_copy(ctx, NULL), KCFAES_ARGUMENTS_BAD);
	if (mode != CMAC && !is_open(mode) && mode != CBC_D && mode != ECB_D) {
		IS(kcfaes_ctx_copy(copy, ctx), KCFAES_ARGUMENTS_BAD);
		IS(update(copy, mode, text, 16, out, 16, &written), KCFAES_OPERATION_NOT_INITIALIZED);
		/* A refused copy leaves the message of the other context alone. */
		OK(begin(copy, key, CMAC));
		IS(kcfaes_ctx_copy(copy, ctx), KCFAES_ARGUMENTS_BAD);
		OK(kcfaes_update(copy, text, 9, NULL, 0, &written));
		kcfaes_ctx_free(ctx);
		kcfaes_ctx_free(copy);
		return;
	}
	for (size_t i = 0; i < COUNT(lens); i++) {
		size_t len = lens[i], done;

		OK(begin(ctx, key, mode));
		OK(update(ctx, mode, text, len, out, len, &done));
		/* The copy had a message of another mode in work. */
		OK(begin(copy, key, i % 2 ? ECB_E : GMAC));
		OK(kcfaes_update(copy, text, 21, back, 32, &written));
		OK(kcfaes_ctx_copy(copy, ctx));
		OK(kcfaes_ctx_copy(ctx, ctx));
		for (int which = 0; which < 2; which++) {
			/* The two go on with different text. */
			memcpy(back, text, 96);
			if (which == 1 && !is_open(mode))
				memset(back + len, 0x5a, 96 - len);
			memcpy(ref + 1000, back, 96);
			by_one_call(key, mode, ref + 1000, 96, ref, tag);
			OK(update(which ? copy : ctx, mode, ref + 1000 + len, 96 - len, out + done, 96,
			    &written));
			memcpy(tag2, tag, 16);
			if (mode == CMAC)
				memset(tag2, 0, 16);
			CHECK(mode == CMAC || (done + written == 96 && memcmp(out, ref, 96) == 0));
			OK(finish(which ? copy : ctx, mode, out + 200, 16, &written, tag2));
			CHECK(memcmp(tag, tag2, 16) == 0);
		}
		IS(kcfaes_ctx_copy(copy, ctx), KCFAES_OPERATION_NOT_INITIALIZED);
	}
	kcfaes_ctx_wipe(copy);
	OK(begin(ctx, key, mode));
	IS(kcfaes_ctx_copy(copy, ctx), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ctx_copy(ctx, copy), KCFAES_ARGUMENTS_BAD);
	OK(update(ctx, mode, text, 16, out, 16, &written));
	kcfaes_ctx_free(ctx);
	kcfaes_ctx_free(copy);
}

static void
test_memory(void)
{
	for (size_t len = 0; len <= 70; len++) {
		memcpy(out, text, len + 1);
		out[len] ^= 1;
		CHECK(kcfaes_equal(out, text, len) == 1);
		CHECK(kcfaes_equal(out, text, len + 1) == 0);
		for (size_t i = 0; i < 8 * len; i++) {
			out[i / 8] ^= (uint8_t)(1u << i % 8);
			CHECK(kcfaes_equal(out, text, len) == 0);
			out[i / 8] ^= (uint8_t)(1u << i % 8);
		}
		/* Differences that cancel each other out in a sum are differences. */
		if (len >= 2) {
			out[0] ^= 0x80;
			out[1] ^= 0x80;
			CHECK(kcfaes_equal(out, text, len) == 0);
		}
		memcpy(out, text, 200);
		kcfaes_wipe(out + 3, len);
		CHECK(memcmp(out, text, 3) == 0 && memcmp(out + 3 + len, text + 3 + len, 90) == 0);
		for (size_t i = 0; i < len; i++)
			CHECK(out[3 + i] == 0);
	}
	CHECK(kcfaes_equal(NULL, NULL, 0) == 1 && kcfaes_equal(NULL, NULL, 1) == 0);
	CHECK(kcfaes_equal(text, NULL, 1) == 0 && kcfaes_equal(NULL, text, 1) == 0);
	kcfaes_wipe(NULL, 0);
	kcfaes_wipe(NULL, 5);
}

/* What is said of the tables is what choosing them finds; the table in use does not matter. */
static void
test_features(const char *in_use)
{
	kcfaes_table all[5], few[2];
	size_t count;

	memset(all, 0xee, sizeof (all));
	memset(few, 0xee, sizeof (few));
	count = kcfaes_cpu_features(all, 5);
	CHECK(count == 4 && kcfaes_cpu_features(NULL, 0) == 4 && kcfaes_cpu_features(NULL, 9) == 4);
	CHECK(memcmp(&all[4], &few[0], sizeof (few[0])) == 0);
	CHECK(kcfaes_cpu_features(few, 1) == 4);
	CHECK(few[0].name == all[0].name && memcmp(&all[4], &few[1], sizeof (few[1])) == 0);
	CHECK(strcmp(all[0].name, "portable") == 0 && all[0].here == 1 && all[0].why_not == NULL);
	for (size_t i = 0; i < 4; i++) {
		CHECK(all[i].here == (kcfaes_table_force(all[i].name) == KCFAES_OK));
		CHECK(all[i].here || (all[i].why_not != NULL && strlen(all[i].why_not) > 10));
	}
	OK(kcfaes_table_force(NULL));
	for (size_t i = 0; i < 4; i++) {
		if (all[i].why_not == NULL)
			few[0] = all[i];
	}
	CHECK(strcmp(few[0].name, kcfaes_table_name()) == 0);
	OK(kcfaes_table_force(in_use));
}

/* Every order of at most five calls of init, update and final. */
static void
test_order(const kcfaes_key *key, enum mode mode)
{
	kcfaes_ctx *ctx;
	uint8_t tags[6][16], tag[16];
	size_t written;

	memset(tags, 0, sizeof (tags));
	for (size_t n = 0; n <= 5; n++)
		by_one_call(key, mode, text, 16 * n, ref, tags[n]);
	for (unsigned length = 1; length <= 5; length++) {
		unsigned orders = 1;

		for (unsigned i = 0; i < length; i++)
			orders *= 3;
		for (unsigned order = 0; order < orders; order++) {
			int active = 0;
			unsigned calls = order, blocks = 0;

			ctx = new_ctx();
			for (unsigned i = 0; i < length; i++, calls /= 3) {
				kcfaes_rc want = active ? KCFAES_OK : KCFAES_OPERATION_NOT_INITIALIZED;

				switch (calls % 3) {
				case 0:
					/* As many blocks as will come before another init or final. */
					declared = 0;
					for (unsigned to_come = calls / 3, j = i + 1;
					    j < length && to_come % 3 == 1; to_come /= 3, j++)
						declared += 16;
					OK(begin(ctx, key, mode));
					active = 1;
					blocks = 0;
					break;
				case 1:
					memset(out, 0xee, 16);
					IS(update(ctx, mode, text + 16 * blocks, 16, out, 16, &written), want);
					CHECK(active || (written == 0 && out[0] == 0xee));
					blocks++;
					break;
				default:
					memset(tag, 0xee, 16);
					if (is_open(mode) && active)
						memcpy(tag, tags[blocks], 16);
					IS(finish(ctx, mode, out, 16, &written, tag), want);
					CHECK(!active || mode > CMAC || memcmp(tag, tags[blocks], 16) == 0);
					CHECK(active || tag[0] == 0xee);
					active = 0;
					break;
				}
			}
			kcfaes_ctx_free(ctx);
		}
	}

	/* Functions of other modes. */
	ctx = new_ctx();
	for (int other = 0; other < MODES; other++) {
		int same = (other <= CMAC || mode <= CMAC) ? other == (int)mode : 1;

		if (same)
			continue;
		OK(begin(ctx, key, mode));
		IS(finish(ctx, (enum mode)other, out, 64, &written, tag), KCFAES_ARGUMENTS_BAD);
	}
	OK(begin(ctx, key, mode));
	if (is_open(mode))
		IS(kcfaes_update(ctx, text, 16, out, 16, &written), KCFAES_ARGUMENTS_BAD);
	else
		IS(kcfaes_update_unverified(ctx, text, 16, out, 16, &written),
		    KCFAES_ARGUMENTS_BAD);

	/* A failed init ends the message before it. */
	OK(begin(ctx, key, mode));
	IS(begin(ctx, NULL, mode), KCFAES_ARGUMENTS_BAD);
	IS(update(ctx, mode, text, 16, out, 16, &written), KCFAES_OPERATION_NOT_INITIALIZED);
	kcfaes_ctx_free(ctx);
}

/* A part of a block left over is no end, and the message may go on. */
static void
test_ragged_end(const kcfaes_key *key, enum mode mode)
{
	kcfaes_rc ragged = mode == CBC_E || mode == ECB_E ? KCFAES_DATA_LEN_RANGE :
	    KCFAES_ENCRYPTED_DATA_LEN_RANGE;
	kcfaes_ctx *ctx = new_ctx();
	size_t written;

	OK(begin(ctx, key, mode));
	OK(kcfaes_update(ctx, text, 13, out, 0, &written));
	IS(kcfaes_final(ctx), ragged);
	OK(kcfaes_update(ctx, text + 13, 3, out, 16, &written));
	CHECK(written == 16);
	OK(kcfaes_final(ctx));
	kcfaes_ctx_free(ctx);
}

/* CCM in parts keeps to its length, its tag's too. */
static void
test_declared_length(const kcfaes_key *key, enum mode mode)
{
	kcfaes_rc wrong = mode == CCM_OPEN ? KCFAES_ENCRYPTED_DATA_LEN_RANGE : KCFAES_DATA_LEN_RANGE;
	kcfaes_ctx *ctx = new_ctx();
	uint8_t tag[16] = { 0 };
	size_t written;

	by_one_call(key, mode, text, 50, ref, tag);
	declared = 50;
	OK(begin(ctx, key, mode));
	OK(update(ctx, mode, text, 40, out, 32, &written));
	IS(update(ctx, mode, text + 40, 11, out + 32, 32, &written), wrong);
	IS(finish(ctx, mode, out + 32, 32, &written, tag), wrong);
	IS(mode == CCM_OPEN ? kcfaes_ccm_open_final(ctx, out, 64, &written, tag, 14) :
	    kcfaes_ccm_seal_final(ctx, out, 64, &written, tag, 14), KCFAES_MECHANISM_PARAM_INVALID);
	OK(update(ctx, mode, text + 40, 10, out + 32, 32, &written));
	OK(finish(ctx, mode, out + 48, 2, &written, tag));
	CHECK(written == 2 && memcmp(out, ref, 50) == 0);

	/* The longest text of a nonce of 13 bytes, and one byte more. */
	OK(kcfaes_ccm_seal_init(ctx, key, block16, 13, NULL, 0, 65535, 4));
	IS(kcfaes_ccm_seal_init(ctx, key, block16, 13, NULL, 0, 65536, 4),
	    KCFAES_MECHANISM_PARAM_INVALID);
	OK(kcfaes_ccm_open_init(ctx, key, block16, 7, NULL, 0, UINT64_MAX, 4));
	IS(kcfaes_ccm_open_init(ctx, key, NULL, 13, NULL, 0, 1, 4), KCFAES_ARGUMENTS_BAD);
	IS(update(ctx, mode, text, 16, out, 16, &written), KCFAES_OPERATION_NOT_INITIALIZED);
	kcfaes_ctx_free(ctx);
}

/* Every bit of the tag, bits of everything else: refused, and no plaintext is left. */
static void
test_forgery(const kcfaes_key *key, size_t len, int ccm)
{
	kcfaes_rc (*seal)(const kcfaes_key *, const uint8_t *, size_t, const uint8_t *, size_t,
	    const uint8_t *, size_t, uint8_t *, uint8_t *, size_t) =
	    ccm ? kcfaes_ccm_seal : kcfaes_gcm_seal;
	kcfaes_rc (*open)(const kcfaes_key *, const uint8_t *, size_t, const uint8_t *, size_t,
	    const uint8_t *, size_t, uint8_t *, const uint8_t *, size_t) =
	    ccm ? kcfaes_ccm_open : kcfaes_gcm_open;
	kcfaes_rc (*open_final)(kcfaes_ctx *, uint8_t *, size_t, size_t *, const uint8_t *, size_t) =
	    ccm ? kcfaes_ccm_open_final : kcfaes_gcm_open_final;
	static kcfaes_iovec in[MAX_PIECES], to[MAX_PIECES];
	uint8_t iv[12] = { 3 }, aad[20] = { 4 }, tag[16];
	kcfaes_ctx *ctx = new_ctx();
	size_t written, n, m;

	OK(seal(key, iv, 12, aad, 20, text, len, ref, tag, 16));
	for (size_t bit = 0; bit < 128 + 96 + 160 + 8 * len; bit += bit < 128 ? 1 : 37) {
		uint8_t *byte = bit < 128 ? &tag[bit / 8] :
		    bit < 224 ? &iv[bit / 8 - 16] :
		    bit < 384 ? &aad[bit / 8 - 28] : &ref[bit / 8 - 48];
		int zero = 1;

		*byte ^= (uint8_t)(1 << bit % 8);
		memset(out, 0xee, len + 1);
		IS(open(key, iv, 12, aad, 20, ref, len, out, tag, 16), KCFAES_INVALID_MAC);
		for (size_t i = 0; i < len; i++)
			zero &= out[i] == 0;
		CHECK(zero && out[len] == 0xee);
		memcpy(out, ref, len);
		IS(open(key, iv, 12, aad, 20, out, len, out, tag, 16), KCFAES_INVALID_MAC);
		CHECK(memcmp(out, ref, len) == 0);

		n = cut(ref, len, (unsigned)bit, in);
		memset(out, 0xee, len);
		m = cut(out, len, (unsigned)bit / 2, to);
		IS(ccm ? kcfaes_ccm_open_iov(key, iv, 12, aad, 20, in, n, to, m, tag, 16) :
		    kcfaes_gcm_open_iov(key, iv, 12, aad, 20, in, n, to, m, tag, 16),
		    KCFAES_INVALID_MAC);
		for (size_t i = 0; i < len; i++)
			zero &= out[i] == 0;
		CHECK(zero);

		OK(ccm ? kcfaes_ccm_open_init(ctx, key, iv, 12, aad, 20, len, 16) :
		    kcfaes_gcm_open_init(ctx, key, iv, 12, aad, 20));
		OK(kcfaes_update_unverified(ctx, ref, len, out, len, &written));
		memset(back, 0xee, 16);
		IS(open_final(ctx, back, 16, &written, tag, 16), KCFAES_INVALID_MAC);
		CHECK(written == 0 && back[0] == 0xee);
		IS(open_final(ctx, back, 16, &written, tag, 16),
		    KCFAES_OPERATION_NOT_INITIALIZED);
		*byte ^= (uint8_t)(1 << bit % 8);
	}
	OK(open(key, iv, 12, aad, 20, ref, len, out, tag, 16));
	CHECK(memcmp(out, text, len) == 0);
	kcfaes_ctx_free(ctx);
}

static void
test_arguments(void)
{
	uint8_t iv[16] = { 0 }, tag[16], bytes[32] = { 0 };
	kcfaes_key *key = new_key(16), *none = NULL;
	kcfaes_ctx *ctx = new_ctx();
	kcfaes_iovec bad = { NULL, 16 }, good = { text, 16 }, to = { out, 16 };
	kcfaes_iovec huge[2] = { { text, (size_t)-1 }, { text, 16 } };
	size_t written;

	for (size_t len = 0; len <= 33; len++) {
		int legal = len == 16 || len == 24 || len == 32;

		if (legal)
			continue;
		IS(kcfaes_key_new(bytes, len, &none), KCFAES_KEY_SIZE_RANGE);
		CHECK(none == NULL);
	}
	IS(kcfaes_key_new(NULL, 16, &none), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_key_new(bytes, 16, NULL), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ctx_new(NULL), KCFAES_ARGUMENTS_BAD);

	/* NULL is fine where the length is 0, and only there. */
	OK(kcfaes_gcm_seal(key, iv, 12, NULL, 0, NULL, 0, NULL, tag, 16));
	OK(kcfaes_gcm_open(key, iv, 12, NULL, 0, NULL, 0, NULL, tag, 16));
	OK(kcfaes_gcm_seal_iov(key, iv, 12, NULL, 0, NULL, 0, NULL, 0, tag, 16));
	OK(kcfaes_gmac(key, iv, 12, NULL, 0, tag, 16));
	OK(kcfaes_ccm_seal(key, iv, 12, NULL, 0, NULL, 0, NULL, tag, 16));
	OK(kcfaes_ccm_open(key, iv, 12, NULL, 0, NULL, 0, NULL, tag, 16));
	OK(kcfaes_ccm_open_iov(key, iv, 12, NULL, 0, NULL, 0, NULL, 0, tag, 16));
	OK(kcfaes_cmac(key, NULL, 0, tag, 16));
	OK(kcfaes_ctr(key, iv, NULL, 0, NULL));
	OK(kcfaes_cbc_encrypt(key, iv, NULL, 0, NULL));
	OK(kcfaes_ecb_decrypt(key, NULL, 0, NULL));
	IS(kcfaes_gcm_seal(NULL, iv, 12, NULL, 0, text, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal(key, NULL, 12, NULL, 0, text, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal(key, iv, 0, NULL, 0, text, 16, out, tag, 16),
	    KCFAES_MECHANISM_PARAM_INVALID);
	IS(kcfaes_gcm_seal(key, iv, 12, NULL, 1, text, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal(key, iv, 12, NULL, 0, NULL, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal(key, iv, 12, NULL, 0, text, 16, NULL, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal(key, iv, 12, NULL, 0, text, 16, out, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_open(key, iv, 12, NULL, 0, text, 16, out, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_open(key, iv, 12, NULL, 0, NULL, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_open(key, iv, 0, NULL, 0, text, 16, out, tag, 16),
	    KCFAES_MECHANISM_PARAM_INVALID);
	IS(kcfaes_gmac(key, iv, 0, text, 16, tag, 16), KCFAES_MECHANISM_PARAM_INVALID);
	IS(kcfaes_gmac(key, iv, 12, NULL, 16, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gmac(key, iv, 12, text, 16, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gmac_verify(key, iv, 12, text, 16, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal(NULL, iv, 12, NULL, 0, text, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal(key, NULL, 12, NULL, 0, text, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal(key, iv, 12, NULL, 1, text, 16, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal(key, iv, 12, NULL, 0, text, 16, out, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_open(key, iv, 12, NULL, 0, text, 16, NULL, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_open(key, iv, 12, NULL, 0, text, 16, out, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal_iov(key, iv, 12, NULL, 0, huge, 2, &to, 1, tag, 16),
	    KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal_iov(key, iv, 12, NULL, 0, &good, 1, NULL, 0, tag, 16),
	    KCFAES_BUFFER_TOO_SMALL);
	IS(kcfaes_cmac(NULL, text, 16, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_cmac(key, NULL, 16, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_cmac(key, text, 16, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_cmac_verify(key, text, 16, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ctr(key, NULL, text, 16, out), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_cbc_encrypt(key, NULL, text, 16, out), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_cbc_decrypt(NULL, iv, text, 16, out), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt(key, text, 16, NULL), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt_iov(key, NULL, 1, &to, 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt_iov(key, &good, 1, NULL, 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt_iov(key, &bad, 1, &to, 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt_iov(key, &good, 1, &bad, 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt_iov(key, huge, 2, &to, 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt_iov(key, &good, 1, NULL, 0), KCFAES_BUFFER_TOO_SMALL);
	IS(kcfaes_ecb_encrypt_iov(key, &good, 1, &to, (size_t)1 << 31), KCFAES_ARGUMENTS_BAD);

	/* Overlap at different places. */
	memcpy(out, text, 64);
	IS(kcfaes_ctr(key, iv, out, 48, out + 1), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal(key, iv, 12, NULL, 0, out + 16, 48, out, tag, 16), KCFAES_ARGUMENTS_BAD);
	CHECK(memcmp(out, text, 64) == 0);

	IS(kcfaes_gcm_seal_init(NULL, key, iv, 12, NULL, 0), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal_init(ctx, key, iv, 0, NULL, 0), KCFAES_MECHANISM_PARAM_INVALID);
	IS(kcfaes_ctr_init(ctx, key, NULL), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_update(ctx, text, 16, out, 16, &written), KCFAES_OPERATION_NOT_INITIALIZED);
	OK(kcfaes_ctr_init(ctx, key, iv));
	IS(kcfaes_update(ctx, text, 16, out, 16, NULL), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_update(ctx, NULL, 16, out, 16, &written), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_update(ctx, text, 16, NULL, 16, &written), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_update(NULL, text, 16, out, 16, &written), KCFAES_ARGUMENTS_BAD);
	OK(kcfaes_update(ctx, NULL, 0, NULL, 0, &written));
	CHECK(written == 0);
	OK(kcfaes_gcm_seal_init(ctx, key, iv, 12, NULL, 0));
	IS(kcfaes_update(ctx, text, 5, out, 4, &written), KCFAES_BUFFER_TOO_SMALL);
	CHECK(written == 5);
	IS(kcfaes_update(ctx, text, 5, NULL, 5, &written), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_update(ctx, NULL, 5, out, 5, &written), KCFAES_ARGUMENTS_BAD);
	OK(kcfaes_update(ctx, text, 5, out, 5, &written));
	CHECK(written == 5);
	IS(kcfaes_update(ctx, text, ((size_t)1 << 36) - 36, out, SIZE_MAX, &written),
	    KCFAES_DATA_LEN_RANGE);
	IS(kcfaes_gcm_seal_final(ctx, out, 16, NULL, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal_final(ctx, out, 16, &written, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_gcm_seal_final(ctx, out, 16, &written, tag, 7), KCFAES_MECHANISM_PARAM_INVALID);
	OK(kcfaes_gcm_seal_final(ctx, out, 16, &written, tag, 16));
	CHECK(written == 0);
	OK(kcfaes_ccm_seal_init(ctx, key, iv, 12, NULL, 0, 5, 16));
	OK(kcfaes_update(ctx, text, 5, NULL, 0, &written));
	IS(kcfaes_ccm_seal_final(ctx, out, 16, NULL, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal_final(ctx, NULL, 16, &written, tag, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal_final(ctx, out, 16, &written, NULL, 16), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ccm_seal_final(ctx, out, 16, &written, tag, 14), KCFAES_MECHANISM_PARAM_INVALID);
	OK(kcfaes_ccm_seal_final(ctx, out, 16, &written, tag, 16));
	CHECK(written == 5);
	IS(kcfaes_final(NULL), KCFAES_ARGUMENTS_BAD);

	kcfaes_key_free(key);
	kcfaes_key_free(NULL);
	kcfaes_key_wipe(NULL);
	kcfaes_ctx_free(ctx);
	kcfaes_ctx_free(NULL);
	kcfaes_ctx_wipe(NULL);
}

/*
 * The limits that the header states: those of a text of GCM, which have one
 * answer in both directions, and those of a list.
 */
static void
test_limits(void)
{
	static kcfaes_iovec pieces[(1 << 20) + 1];
	const size_t over = ((size_t)1 << 36) - 31, most = 1 << 20, empty = 65536;
	kcfaes_iovec big = { text, over };
	kcfaes_key *key = new_key(16);
	kcfaes_ctx *ctx;
	uint8_t iv[12] = { 0 }, tag[16] = { 0 };
	size_t written;

	/* Nothing is read or written: text has no such length. */
	IS(kcfaes_gcm_seal(key, iv, 12, NULL, 0, text, over, text, tag, 16), KCFAES_DATA_LEN_RANGE);
	IS(kcfaes_gcm_open(key, iv, 12, NULL, 0, text, over, text, tag, 16), KCFAES_DATA_LEN_RANGE);
	IS(kcfaes_gcm_seal_iov(key, iv, 12, NULL, 0, &big, 1, &big, 1, tag, 16),
	    KCFAES_DATA_LEN_RANGE);
	IS(kcfaes_gcm_open_iov(key, iv, 12, NULL, 0, &big, 1, &big, 1, tag, 16),
	    KCFAES_DATA_LEN_RANGE);
	OK(kcfaes_ctx_new(&ctx));
	OK(kcfaes_gcm_open_init(ctx, key, iv, 12, NULL, 0));
	written = 99;
	IS(kcfaes_update_unverified(ctx, text, over, text, over, &written), KCFAES_DATA_LEN_RANGE);
	CHECK(written == 0);
	written = 99;
	IS(kcfaes_update_unverified_iov(ctx, &big, 1, &big, 1, &written), KCFAES_DATA_LEN_RANGE);
	CHECK(written == 0);
	kcfaes_ctx_free(ctx);

	for (size_t i = 0; i <= most; i++) {
		pieces[i].base = text;
		pieces[i].len = 1;
	}
	OK(kcfaes_cmac_iov(key, pieces, most, tag, 16));
	IS(kcfaes_cmac_iov(key, pieces, most + 1, tag, 16), KCFAES_ARGUMENTS_BAD);
	for (size_t i = 0; i <= empty; i++)
		pieces[i].len = 0;
	IS(kcfaes_cmac_iov(key, pieces, empty + 2, tag, 16), KCFAES_ARGUMENTS_BAD);
	OK(kcfaes_cmac_iov(key, pieces + 1, empty + 1, tag, 16));
	/* After the end of the text nothing counts. */
	OK(kcfaes_cmac_iov(key, pieces, empty + 1, tag, 16));
	kcfaes_key_free(key);
}

/* Keys and contexts in memory of the caller's, at every alignment. */
static void
test_own_memory(void)
{
	static uint8_t memory[KCFAES_KEY_SIZE + 64], room[KCFAES_CTX_SIZE + 64], moved[KCFAES_KEY_SIZE];
	uint8_t bytes[32], iv[16] = { 0 }, tag[16], tag2[16];
	size_t key_size = kcfaes_key_size(), ctx_size = kcfaes_ctx_size(), written, left;
	kcfaes_key *key, *heap = new_key(32);
	kcfaes_ctx *ctx;

	CHECK(key_size <= KCFAES_KEY_SIZE && ctx_size <= KCFAES_CTX_SIZE);
	hex(KAT_GCM_KEY, bytes);
	OK(kcfaes_gcm_seal(heap, iv, 12, NULL, 0, text, 100, ref, tag, 16));
	for (size_t shift = 0; shift < 64; shift++) {
		memset(memory, 0xee, sizeof (memory));
		memset(room, 0xee, sizeof (room));
		OK(kcfaes_key_init(memory + shift, key_size, bytes, 32, &key));
		OK(kcfaes_ctx_init(room + shift, ctx_size, &ctx));
		OK(kcfaes_gcm_seal(key, iv, 12, NULL, 0, text, 100, out, tag2, 16));
		CHECK(memcmp(out, ref, 100) == 0 && memcmp(tag, tag2, 16) == 0);
		OK(kcfaes_gcm_seal_init(ctx, key, iv, 12, NULL, 0));
		OK(kcfaes_update(ctx, text, 100, out, 100, &written));
		OK(kcfaes_gcm_seal_final(ctx, out + written, 100 - written, &left, tag2, 16));
		CHECK(memcmp(out, ref, 100) == 0 && memcmp(tag, tag2, 16) == 0);
		/* Nothing beside the memory was touched. */
		for (size_t i = 0; i < 64; i++) {
			size_t at = i < shift ? i : key_size + i, bt = i < shift ? i : ctx_size + i;

			CHECK(memory[at] == 0xee && room[bt] == 0xee);
		}

		/* A message in work refuses an erased key; so does everything else. */
		OK(kcfaes_gcm_seal_init(ctx, key, iv, 12, NULL, 0));
		kcfaes_key_wipe(key);
		IS(kcfaes_update(ctx, text, 16, out, 16, &written), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_gcm_seal(key, iv, 12, NULL, 0, text, 16, out, tag2, 16),
		    KCFAES_ARGUMENTS_BAD);
		for (size_t i = 0; i + 16 <= key_size; i++)
			CHECK(memcmp(memory + shift + i, bytes, 16) != 0);
		kcfaes_ctx_wipe(ctx);
		IS(kcfaes_final(ctx), KCFAES_ARGUMENTS_BAD);
		kcfaes_ctx_wipe(ctx);
		kcfaes_key_free(key);
		kcfaes_ctx_free(ctx);
	}
	IS(kcfaes_key_init(memory, key_size - 1, bytes, 32, &key), KCFAES_BUFFER_TOO_SMALL);
	IS(kcfaes_ctx_init(room, ctx_size - 1, &ctx), KCFAES_BUFFER_TOO_SMALL);
	IS(kcfaes_key_init(NULL, key_size, bytes, 32, &key), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_key_init(memory, key_size, bytes, 31, &key), KCFAES_KEY_SIZE_RANGE);

	/* A copy elsewhere is not a key, aligned or not. */
	OK(kcfaes_key_init(memory, sizeof (memory), bytes, 32, &key));
	memcpy(moved, key, key_size - 63);
	IS(kcfaes_ecb_encrypt((const kcfaes_key *)(const void *)moved, text, 16, out),
	    KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_ecb_encrypt((const kcfaes_key *)(const void *)(moved + 1), text, 16, out),
	    KCFAES_ARGUMENTS_BAD);
	/* A context is no key. */
	OK(kcfaes_ctx_init(room, sizeof (room), &ctx));
	IS(kcfaes_ecb_encrypt((const kcfaes_key *)(const void *)ctx, text, 16, out),
	    KCFAES_ARGUMENTS_BAD);
	/* A heap key that was erased is still freed (valgrind sees it). */
	kcfaes_key_wipe(heap);
	kcfaes_key_free(heap);
}

/*
 * A context passed as a key and a key passed as a context, each with its last
 * byte at the end of a page that no page follows: refused by their first bytes,
 * and nothing past them is read.
 */
static void
test_mistaken(void)
{
	uint8_t bytes[32] = { 0 }, iv[16] = { 0 }, tag[16];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), written;
	uint8_t *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kcfaes_key *key;
	kcfaes_ctx *ctx;

	CHECK(pages != MAP_FAILED);
	CHECK(mprotect(pages, page, PROT_NONE) == 0);
	CHECK(mprotect(pages + 2 * page, page, PROT_NONE) == 0);
	for (size_t shift = 0; shift < 128; shift++) {
		uint8_t *end = pages + 2 * page - shift;
		const kcfaes_key *no_key;
		kcfaes_ctx *no_ctx;

		OK(kcfaes_ctx_init(end - kcfaes_ctx_size(), kcfaes_ctx_size(), &ctx));
		no_key = (const kcfaes_key *)(const void *)ctx;
		IS(kcfaes_ecb_encrypt(no_key, text, 16, out), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_gcm_open(no_key, iv, 12, NULL, 0, text, 16, out, tag, 16),
		    KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_cmac_init(ctx, no_key), KCFAES_ARGUMENTS_BAD);
		kcfaes_key_wipe((kcfaes_key *)(void *)ctx);
		kcfaes_key_free((kcfaes_key *)(void *)ctx);
		IS(kcfaes_final(ctx), KCFAES_OPERATION_NOT_INITIALIZED);

		OK(kcfaes_key_init(end - kcfaes_key_size(), kcfaes_key_size(), bytes, 16, &key));
		no_ctx = (kcfaes_ctx *)(void *)key;
		IS(kcfaes_ecb_encrypt_init(no_ctx, key), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_update(no_ctx, text, 16, out, 16, &written), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_final(no_ctx), KCFAES_ARGUMENTS_BAD);
		kcfaes_ctx_wipe(no_ctx);
		kcfaes_ctx_free(no_ctx);
		OK(kcfaes_ecb_encrypt(key, text, 16, out));
	}
	CHECK(munmap(pages, 3 * page) == 0);
}

/* A list of pieces where no piece can be: refused, on either side. */
static void
test_misaligned_pieces(void)
{
	static uint64_t room[2 * sizeof (kcfaes_iovec) / sizeof (uint64_t)];
	uint8_t iv[16] = { 0 }, tag[16];
	kcfaes_key *key = new_key(16);
	kcfaes_ctx *ctx = new_ctx();
	kcfaes_iovec piece = { text, 16 }, to = { out, 16 };
	size_t written;

	OK(kcfaes_ecb_encrypt_init(ctx, key));
	memset(out, 0xee, 16);
	for (size_t shift = 1; shift < sizeof (void *); shift++) {
		const kcfaes_iovec *odd = (const void *)((uint8_t *)room + shift);

		memcpy((uint8_t *)room + shift, &piece, sizeof (piece));
		IS(kcfaes_ecb_encrypt_iov(key, odd, 1, &to, 1), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_ccm_seal_iov(key, iv, 12, NULL, 0, odd, 1, &to, 1, tag, 16),
		    KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_gmac_iov(key, iv, 12, odd, 1, tag, 16), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_update_iov(ctx, odd, 1, &to, 1, &written), KCFAES_ARGUMENTS_BAD);
		memcpy((uint8_t *)room + shift, &to, sizeof (to));
		IS(kcfaes_ecb_encrypt_iov(key, &piece, 1, odd, 1), KCFAES_ARGUMENTS_BAD);
		IS(kcfaes_update_iov(ctx, &piece, 1, odd, 1, &written), KCFAES_ARGUMENTS_BAD);
		CHECK(out[0] == 0xee && out[15] == 0xee);
		OK(kcfaes_ecb_encrypt_iov(key, odd, 0, odd, 0));
	}
	kcfaes_ctx_free(ctx);
	kcfaes_key_free(key);
}

#define	JOBS	41

/*
 * A batch against one call for each message: lengths that end in any order, the
 * same key for all, own keys of one size or of all sizes, in place or not.
 */
static void
test_batch(size_t count, size_t keys, int mixed, int in_place)
{
	static uint8_t outs[JOBS][MAX_TEXT];
	static const size_t lens[] = { 512, 16, 0, 1024, 48, 4096, 512, 160, 32 };
	kcfaes_key *key[JOBS];
	kcfaes_cbc_job jobs[JOBS];
	uint8_t bytes[32], iv[16];

	hex(KAT_GCM_KEY, bytes);
	for (size_t i = 0; i < keys; i++) {
		bytes[3] = (uint8_t)i;
		OK(kcfaes_key_new(bytes, mixed ? 16 + 8 * (i % 3) : 16, &key[i]));
	}
	for (size_t i = 0; i < count; i++) {
		jobs[i].key = key[i % keys];
		jobs[i].len = lens[i % COUNT(lens)];
		jobs[i].src = in_place ? outs[i] : text + i;
		jobs[i].dst = outs[i];
		memset(jobs[i].iv, (int)i, 16);
		memset(outs[i], 0xee, MAX_TEXT);
		if (in_place)
			memcpy(outs[i], text + i, jobs[i].len);
	}
	OK(kcfaes_cbc_encrypt_batch(jobs, count));
	for (size_t i = 0; i < count; i++) {
		size_t len = jobs[i].len;

		memset(iv, (int)i, 16);
		OK(kcfaes_cbc_encrypt(key[i % keys], iv, text + i, len, ref));
		CHECK(memcmp(outs[i], ref, len) == 0 && outs[i][len] == 0xee);
		CHECK(memcmp(jobs[i].iv, iv, 16) == 0);
	}
	for (size_t i = 0; i < keys; i++)
		kcfaes_key_free(key[i]);
}

/* What is refused leaves every text and IV alone. */
static void
test_batch_refusals(void)
{
	kcfaes_key *key = new_key(16);
	kcfaes_cbc_job jobs[3], good = { key, text, out, 64, { 7 } };
	uint8_t iv[16] = { 0 };

	OK(kcfaes_cbc_encrypt_batch(NULL, 0));
	IS(kcfaes_cbc_encrypt_batch(NULL, 1), KCFAES_ARGUMENTS_BAD);
	for (int fault = 0; fault < 6; fault++) {
		kcfaes_rc rc = KCFAES_ARGUMENTS_BAD;

		jobs[0] = jobs[1] = jobs[2] = good;
		memset(out, 0xee, 256);
		switch (fault) {
		case 0:
			jobs[2].key = NULL;
			break;
		case 1:
			jobs[2].src = NULL;
			break;
		case 2:
			jobs[2].dst = NULL;
			break;
		case 3:
			jobs[2].src = out + 16;
			break;
		case 4:
			jobs[2].src = out;
			jobs[2].dst = out + 63;
			break;
		default:
			jobs[2].len = 63;
			rc = KCFAES_DATA_LEN_RANGE;
		}
		IS(kcfaes_cbc_encrypt_batch(jobs, 3), rc);
		CHECK(jobs[0].iv[0] == 7 && out[0] == 0xee && out[255] == 0xee);
	}
	/* Lengths that no text can have: the answer is the single call's. */
	for (size_t less = 1; less <= 64; less++) {
		kcfaes_rc rc = kcfaes_cbc_encrypt(key, iv, text, (size_t)0 - less, out);

		for (int in_place = 0; in_place < 2; in_place++) {
			jobs[0] = jobs[1] = jobs[2] = good;
			jobs[2].len = (size_t)0 - less;
			if (in_place)
				jobs[2].src = out;
			IS(kcfaes_cbc_encrypt_batch(jobs, 3), rc);
			CHECK(jobs[0].iv[0] == 7 && out[0] == 0xee && out[255] == 0xee);
		}
		CHECK(rc == (less % 16 == 0 ? KCFAES_ARGUMENTS_BAD : KCFAES_DATA_LEN_RANGE));
	}
	/* Of one job both calls find the same fault first. */
	jobs[0] = good;
	jobs[0].src = NULL;
	jobs[0].len = 63;
	IS(kcfaes_cbc_encrypt_batch(jobs, 1), kcfaes_cbc_encrypt(key, iv, NULL, 63, out));
	kcfaes_key_free(key);
}

#define	PACKET	1600
#define	LONG	40000

/* A message of a batch, and its twin for the call for one message. */
struct packet {
	uint8_t iv[64], aad[64], tag[2][24], src[2][LONG], dst[2][LONG + 1];
};

static struct packet packets[JOBS];

/* The job of a packet, with memory of its own for each side. */
static kcfaes_gcm_job
gcm_job(size_t i, int side, int in_place)
{
	static const size_t lens[] = { 64, 0, 1, 16, 1500, 40, 17, 256, 100, 511, 32, 1024, 15 };
	static const size_t iv_lens[] = { 12, 12, 16, 12, 1, 12, 60 };
	static const size_t aad_lens[] = { 13, 0, 16, 8, 64, 1, 17, 12, 3, 4, 7 };
	static const size_t tag_lens[] = { 16, 16, 12, 16, 4, 13, 16, 8 };
	struct packet *packet = &packets[i];
	kcfaes_gcm_job job = {
		packet->iv, iv_lens[i % COUNT(iv_lens)],
		packet->aad, aad_lens[i % COUNT(aad_lens)],
		packet->src[side], in_place ? packet->src[side] : packet->dst[side],
		lens[i % COUNT(lens)],
		packet->tag[side], tag_lens[i % COUNT(tag_lens)], KCFAES_FAILED
	};

	return (job);
}

static kcfaes_rc
gcm_one(const kcfaes_key *key, const kcfaes_gcm_job *job, int open)
{
	return (open ? kcfaes_gcm_open(key, job->iv, job->iv_len, job->aad, job->aad_len,
	    job->src, job->len, job->dst, job->tag, job->tag_len) :
	    kcfaes_gcm_seal(key, job->iv, job->iv_len, job->aad, job->aad_len,
	    job->src, job->len, job->dst, job->tag, job->tag_len));
}

static kcfaes_rc
gcm_batch(const kcfaes_key *key, kcfaes_gcm_job *jobs, size_t count, int open)
{
	return (open ? kcfaes_gcm_open_batch(key, jobs, count) :
	    kcfaes_gcm_seal_batch(key, jobs, count));
}

/* The batch has done, side 0, what one call for each job does, side 1. */
static void
same_as_one_by_one(const kcfaes_key *key, kcfaes_gcm_job jobs[2][JOBS], size_t count, int open)
{
	kcfaes_rc first = KCFAES_OK, rc = gcm_batch(key, jobs[0], count, open);

	for (size_t i = 0; i < count; i++) {
		struct packet *packet = &packets[i];
		kcfaes_rc one = gcm_one(key, &jobs[1][i], open);

		IS(jobs[0][i].rc, one);
		first = first == KCFAES_OK ? one : first;
		CHECK(memcmp(packet->src[0], packet->src[1], PACKET) == 0);
		CHECK(memcmp(packet->dst[0], packet->dst[1], PACKET) == 0);
		CHECK(memcmp(packet->tag[0], packet->tag[1], sizeof (packet->tag[0])) == 0);
	}
	IS(rc, first);
}

static void
fill_packets(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct packet *packet = &packets[i];

		fill(packet->iv, sizeof (packet->iv));
		packet->iv[0] = (uint8_t)i;
		memcpy(packet->aad, text + i, sizeof (packet->aad));
		for (int side = 0; side < 2; side++) {
			memcpy(packet->src[side], text + 3 * i, PACKET);
			memset(packet->dst[side], 0xee, PACKET);
			memset(packet->tag[side], 0xdd, sizeof (packet->tag[side]));
		}
	}
}

/* Messages sealed, and opened again; of the opened ones some are forged. */
static void
test_gcm_batch(size_t count, size_t key_len, int in_place)
{
	static kcfaes_gcm_job jobs[2][JOBS];
	kcfaes_key *key = new_key(key_len);

	fill_packets(count);
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < count; i++)
			jobs[side][i] = gcm_job(i, side, in_place);
	same_as_one_by_one(key, jobs, count, 0);
	for (size_t i = 0; i < count; i++) {
		IS(jobs[0][i].rc, KCFAES_OK);
		CHECK(packets[i].tag[0][jobs[0][i].tag_len] == 0xdd);
	}
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < count; i++) {
			struct packet *packet = &packets[i];

			if (!in_place)
				memcpy(packet->src[side], packet->dst[side], PACKET);
			memset(packet->dst[side], 0xee, PACKET);
			jobs[side][i].rc = KCFAES_FAILED;
			if (i % 4 == 1)
				packet->tag[side][jobs[side][i].tag_len - 1] ^= 1;
			if (i % 7 == 3 && jobs[side][i].len > 0)
				packet->src[side][jobs[side][i].len - 1] ^= 0x80;
		}
	}
	same_as_one_by_one(key, jobs, count, 1);
	for (size_t i = 0; i < count; i++) {
		size_t len = jobs[0][i].len;
		int forged = i % 4 == 1 || (i % 7 == 3 && len > 0);

		IS(jobs[0][i].rc, forged ? KCFAES_INVALID_MAC : KCFAES_OK);
		CHECK(forged || memcmp(jobs[0][i].dst, text + 3 * i, len) == 0);
	}
	kcfaes_key_free(key);
}

/* Each fault in a job of its own: the others are done, and what is wrong has no effect. */
static void
test_gcm_batch_refusals(void)
{
	static kcfaes_gcm_job jobs[2][JOBS];
	enum { FAULTS = 14 };
	kcfaes_key *key = new_key(16);
	uint64_t room[COUNT(jobs[0]) * sizeof (jobs[0][0]) / 8];

	OK(kcfaes_gcm_seal_batch(key, NULL, 0));
	OK(kcfaes_gcm_open_batch(NULL, NULL, 0));
	for (int open = 0; open < 2; open++) {
		IS(gcm_batch(key, NULL, 1, open), KCFAES_ARGUMENTS_BAD);
		/* The result of the first job that fails is the answer. */
		for (int first = 0; first < FAULTS; first++) {
			size_t count = 0;

			fill_packets(FAULTS);
			for (int side = 0; side < 2; side++) {
				count = 0;
				for (int fault = first; fault < FAULTS; fault++) {
					kcfaes_gcm_job *job = &jobs[side][count];

					*job = gcm_job(count++, side, fault % 2);
					if (job->len < 64)
						job->len = 64;
					switch (fault) {
					case 0:
						job->iv_len = 0;
						break;
					case 1:
						job->iv = NULL;
						break;
					case 2:
						job->aad = NULL;
						job->aad_len = 1;
						break;
					case 3:
						job->src = NULL;
						break;
					case 4:
						job->dst = NULL;
						break;
					case 5:
						job->tag = NULL;
						break;
					case 6:
						job->tag_len = 11;
						break;
					case 7:
						job->tag_len = 17;
						break;
					case 8:
						job->dst = packets[count - 1].src[side] + 1;
						break;
					case 9:
						job->dst = packets[count - 1].src[side];
						job->src = job->dst + job->len - 1;
						break;
					case 10:
						job->len = (size_t)1 << 36;
						break;
					case 11:
						job->len = (size_t)0 - 16;
						break;
					case 12:
						job->tag_len = 0;
						job->tag = NULL;
						break;
					default:
						break;
					}
				}
			}
			same_as_one_by_one(key, jobs, count, open);
		}
		/* No job is done with a key that is none, and each of them says so. */
		fill_packets(3);
		for (size_t i = 0; i < 3; i++)
			jobs[0][i] = gcm_job(i, 0, 0);
		jobs[0][2].rc = KCFAES_OK;
		IS(gcm_batch(NULL, jobs[0], 3, open), KCFAES_ARGUMENTS_BAD);
		for (size_t i = 0; i < 3; i++) {
			IS(jobs[0][i].rc, KCFAES_ARGUMENTS_BAD);
			CHECK(packets[i].dst[0][0] == 0xee && packets[i].tag[0][0] == 0xdd);
		}
		for (size_t shift = 1; shift < sizeof (void *); shift++)
			IS(gcm_batch(key, (void *)((uint8_t *)room + shift), 1, open),
			    KCFAES_ARGUMENTS_BAD);
	}
	kcfaes_key_free(key);
}

/* A text of more than a hold among short ones, right and forged. */
static void
test_gcm_batch_long(int in_place)
{
	static kcfaes_gcm_job jobs[2][JOBS];
	kcfaes_key *key = new_key(32);

	fill_packets(3);
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < 3; i++)
			jobs[side][i] = gcm_job(i, side, in_place);
		jobs[side][1].len = LONG - 7;
		fill(packets[1].src[side], LONG);
	}
	same_as_one_by_one(key, jobs, 3, 0);
	CHECK(memcmp(jobs[0][1].dst, jobs[1][1].dst, LONG) == 0);
	for (int forged = 0; forged < 2; forged++) {
		for (int side = 0; side < 2; side++) {
			for (size_t i = 0; i < 3; i++) {
				jobs[side][i] = gcm_job(i, side, in_place);
				if (!in_place && forged == 0)
					memcpy(packets[i].src[side], packets[i].dst[side], LONG);
			}
			jobs[side][1].len = LONG - 7;
			if (in_place && forged)
				OK(gcm_one(key, &jobs[side][0], 0) | gcm_one(key, &jobs[side][1], 0) |
				    gcm_one(key, &jobs[side][2], 0));
			packets[1].tag[side][0] ^= (uint8_t)forged;
		}
		same_as_one_by_one(key, jobs, 3, 1);
		IS(jobs[0][1].rc, forged ? KCFAES_INVALID_MAC : KCFAES_OK);
		CHECK(memcmp(jobs[0][1].dst, jobs[1][1].dst, LONG) == 0);
	}
	kcfaes_key_free(key);
}

static void
test_library(void)
{
	static const int codes[] = { 0, 2, 4, 5, 12, 17, 19, 29, 32, 66, 68, 72 };
	kcfaes_fault fault = { "x", "x", 1 };
	char version[32];

	CHECK(strcmp(kcfaes_version(), KCFAES_VERSION) == 0);
	(void) snprintf(version, sizeof (version), "%d.%d.%d", KCFAES_VERSION_MAJOR,
	    KCFAES_VERSION_MINOR, KCFAES_VERSION_PATCH);
	CHECK(strcmp(version, KCFAES_VERSION) == 0);
	for (size_t i = 0; i < COUNT(codes); i++) {
		const char *message = kcfaes_strerror(codes[i]);

		CHECK(strlen(message) > 0 && strcmp(message, kcfaes_strerror(12345)) != 0);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(message, kcfaes_strerror(codes[j])) != 0);
	}
	CHECK(strcmp(kcfaes_strerror(-1), "unknown error") == 0);
	CHECK(strcmp(kcfaes_table_name(), table) == 0);
	IS(kcfaes_table_force("no such table"), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_table_force("aesn"), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_table_force("aesnii"), KCFAES_ARGUMENTS_BAD);
	IS(kcfaes_table_force(""), KCFAES_ARGUMENTS_BAD);
	CHECK(strcmp(kcfaes_table_name(), table) == 0);
	OK(kcfaes_selftest(&fault));
	CHECK(fault.table == NULL && fault.mode == NULL && fault.key_bits == 0);
	OK(kcfaes_selftest(NULL));
	CHECK(strcmp(kcfaes_table_name(), table) == 0);
}

int
main(void)
{
	static const char *const tables[] = {
		"portable", "aesni", "vaes256", "vaes512"
	};
	static const size_t long_ones[] = { 511, 512, 1024, 2049, 4096, 4199 };

	fill(text, sizeof (text));
	for (size_t t = 0; t < COUNT(tables); t++) {
		kcfaes_rc rc = kcfaes_table_force(tables[t]);

		table = tables[t];
		if (rc == KCFAES_NOT_SUPPORTED) {
			printf("%s: this CPU lacks it\n", table);
			continue;
		}
		OK(rc);
		test_library();
		test_memory();
		test_features(table);
		test_known_answers();
		test_known_answers_of_cbc_mac();
		test_arguments();
		test_limits();
		test_own_memory();
		test_mistaken();
		test_misaligned_pieces();
		test_batch_refusals();
		test_gcm_batch_refusals();
		for (int in_place = 0; in_place < 2; in_place++) {
			for (size_t count = 1; count <= JOBS; count++)
				test_gcm_batch(count, 16 + 8 * (count % 3), in_place);
			test_gcm_batch_long(in_place);
		}
		for (int way = 0; way < 4; way++) {
			for (size_t count = 1; count <= JOBS; count++)
				test_batch(count, count, way & 1, way & 2);
			test_batch(JOBS, 1, way & 1, way & 2);
			test_batch(JOBS, 5, way & 1, way & 2);
		}
		for (size_t key_len = 16; key_len <= 32; key_len += 8) {
			kcfaes_key *key = new_key(key_len);

			for (size_t len = 0; len <= 300; len++)
				test_pieces(key, len);
			for (size_t i = 0; i < COUNT(long_ones); i++)
				test_pieces(key, long_ones[i]);
			for (int mode = 0; mode < MODES; mode++) {
				for (size_t len = 0; len <= 200; len += 23)
					test_parts(key, (enum mode)mode, len);
				test_parts(key, (enum mode)mode, 1024);
				if (!is_mac((enum mode)mode))
					test_parts_in_place(key, (enum mode)mode);
				if (gives_all((enum mode)mode)) {
					for (size_t len = 0; len <= 200; len += 25)
						test_all_in_place(key, (enum mode)mode, len);
					test_all_in_place(key, (enum mode)mode, 2049);
				}
				test_copy(key, (enum mode)mode);
				test_order(key, (enum mode)mode);
				if (mode >= CBC_E)
					test_ragged_end(key, (enum mode)mode);
			}
			for (size_t len = 0; len <= 70; len += 5)
				for (size_t text_len = 0; text_len <= 34; text_len += 17)
					test_aad(key, len, text_len);
			test_aad(key, 1000, 100);
			test_aad_refusals(key);
			test_ctr_at(key);
			test_declared_length(key, CCM_SEAL);
			test_declared_length(key, CCM_OPEN);
			for (int ccm = 0; ccm < 2; ccm++) {
				test_forgery(key, 0, ccm);
				test_forgery(key, 77, ccm);
				test_forgery(key, 400, ccm);
			}
			kcfaes_key_free(key);
		}
	}
	OK(kcfaes_table_force(NULL));
	printf("%lu passed, %lu failed\n", passed, failed);
	return (failed == 0 ? 0 : 1);
}
