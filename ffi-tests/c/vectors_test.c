/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Every test vector through the plain C API of libkcfaes: in one call, in
 * pieces, and in parts, on every table of kernels that the CPU has.  The build
 * makes vectors_table.h from the files in vectors/, without leaving any out.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <kcfaes.h>
#include "vectors_table.h"

#define	COUNT(a)	(sizeof (a) / sizeof ((a)[0]))
#define	PIECES		4
#define	SHOWN		10	/* failures described */
#define	MAX_TAG		64
#define	MAX_TEXT	(KCFAES_VEC_MAX_TEXT + 1)

enum way { WHOLE, PIECEWISE, PARTS, WAYS };
enum direction { SEAL, OPEN };

static const char *const way_names[] = { "in one call", "in pieces", "in parts" };

static unsigned long cases, calls, failures;
static const char *table;

/* The vector at hand, its values, and the context of messages in parts. */
static const struct kcfaes_vec *v;
static uint8_t key_bytes[32], iv[KCFAES_VEC_MAX_IV + 1], aad[KCFAES_VEC_MAX_AAD + 1];
static uint8_t text[MAX_TEXT], sealed[MAX_TEXT], result[MAX_TEXT];
static kcfaes_key *key;
static kcfaes_ctx *ctx;

static void
fail(enum way way, enum direction direction, const char *what, int rc)
{
	if (failures++ < SHOWN) {
		printf("%s: %s: %s %s: %s (%d)\n", v->id, table,
		    direction == SEAL ? "seal" : "open", way_names[way], what, rc);
	}
}

/* Pieces that cut blocks: 0 bytes, 1 byte, about a half or a third, the rest. */
static void
cut(kcfaes_iovec *pieces, const uint8_t *at, size_t len, size_t divisor)
{
	size_t sizes[PIECES];

	sizes[0] = 0;
	sizes[1] = len > 0;
	sizes[2] = len / divisor;
	sizes[3] = len - sizes[1] - sizes[2];
	if (len < 2)
		sizes[2] = sizes[3] = 0;
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i].base = (void *)(uintptr_t)at;
		pieces[i].len = sizes[i];
		at += sizes[i];
	}
}

static kcfaes_rc
whole(enum direction d, uint8_t *counter, const uint8_t *src, size_t len, uint8_t *dst,
    uint8_t *tag)
{
	switch (v->mode) {
	case KCFAES_VEC_ECB:
		return (d == SEAL ? kcfaes_ecb_encrypt(key, src, len, dst) :
		    kcfaes_ecb_decrypt(key, src, len, dst));
	case KCFAES_VEC_CBC:
		return (d == SEAL ? kcfaes_cbc_encrypt(key, counter, src, len, dst) :
		    kcfaes_cbc_decrypt(key, counter, src, len, dst));
	case KCFAES_VEC_CTR:
		return (kcfaes_ctr(key, counter, src, len, dst));
	case KCFAES_VEC_CCM:
		return (d == SEAL ?
		    kcfaes_ccm_seal(key, iv, v->ivlen, aad, v->aadlen, src, len, dst, tag,
		    v->taglen) :
		    kcfaes_ccm_open(key, iv, v->ivlen, aad, v->aadlen, src, len, dst, tag,
		    v->taglen));
	case KCFAES_VEC_GCM:
		return (d == SEAL ?
		    kcfaes_gcm_seal(key, iv, v->ivlen, aad, v->aadlen, src, len, dst, tag,
		    v->taglen) :
		    kcfaes_gcm_open(key, iv, v->ivlen, aad, v->aadlen, src, len, dst, tag,
		    v->taglen));
	case KCFAES_VEC_GMAC:
		return (d == SEAL ?
		    kcfaes_gmac(key, iv, v->ivlen, aad, v->aadlen, tag, v->taglen) :
		    kcfaes_gmac_verify(key, iv, v->ivlen, aad, v->aadlen, tag, v->taglen));
	default:
		return (d == SEAL ? kcfaes_cmac(key, aad, v->aadlen, tag, v->taglen) :
		    kcfaes_cmac_verify(key, aad, v->aadlen, tag, v->taglen));
	}
}

static kcfaes_rc
piecewise(enum direction d, uint8_t *counter, const uint8_t *src, size_t len, uint8_t *dst,
    uint8_t *tag)
{
	kcfaes_iovec in[PIECES], out[PIECES];

	cut(in, src, len, 2);
	cut(out, dst, len, 3);
	switch (v->mode) {
	case KCFAES_VEC_ECB:
		return (d == SEAL ? kcfaes_ecb_encrypt_iov(key, in, PIECES, out, PIECES) :
		    kcfaes_ecb_decrypt_iov(key, in, PIECES, out, PIECES));
	case KCFAES_VEC_CBC:
		return (d == SEAL ?
		    kcfaes_cbc_encrypt_iov(key, counter, in, PIECES, out, PIECES) :
		    kcfaes_cbc_decrypt_iov(key, counter, in, PIECES, out, PIECES));
	case KCFAES_VEC_CTR:
		return (kcfaes_ctr_iov(key, counter, in, PIECES, out, PIECES));
	case KCFAES_VEC_CCM:
		return (d == SEAL ?
		    kcfaes_ccm_seal_iov(key, iv, v->ivlen, aad, v->aadlen, in, PIECES, out,
		    PIECES, tag, v->taglen) :
		    kcfaes_ccm_open_iov(key, iv, v->ivlen, aad, v->aadlen, in, PIECES, out,
		    PIECES, tag, v->taglen));
	case KCFAES_VEC_GCM:
		return (d == SEAL ?
		    kcfaes_gcm_seal_iov(key, iv, v->ivlen, aad, v->aadlen, in, PIECES, out,
		    PIECES, tag, v->taglen) :
		    kcfaes_gcm_open_iov(key, iv, v->ivlen, aad, v->aadlen, in, PIECES, out,
		    PIECES, tag, v->taglen));
	case KCFAES_VEC_GMAC:
		cut(in, aad, v->aadlen, 2);
		return (d == SEAL ?
		    kcfaes_gmac_iov(key, iv, v->ivlen, in, PIECES, tag, v->taglen) :
		    kcfaes_gmac_verify_iov(key, iv, v->ivlen, in, PIECES, tag, v->taglen));
	default:
		cut(in, aad, v->aadlen, 2);
		return (d == SEAL ? kcfaes_cmac_iov(key, in, PIECES, tag, v->taglen) :
		    kcfaes_cmac_verify_iov(key, in, PIECES, tag, v->taglen));
	}
}

static kcfaes_rc
begin(enum direction d, const uint8_t *counter, size_t len)
{
	switch (v->mode) {
	case KCFAES_VEC_ECB:
		return (d == SEAL ? kcfaes_ecb_encrypt_init(ctx, key) :
		    kcfaes_ecb_decrypt_init(ctx, key));
	case KCFAES_VEC_CBC:
		return (d == SEAL ? kcfaes_cbc_encrypt_init(ctx, key, counter) :
		    kcfaes_cbc_decrypt_init(ctx, key, counter));
	case KCFAES_VEC_CTR:
		return (kcfaes_ctr_init(ctx, key, counter));
	case KCFAES_VEC_CCM:
		return (d == SEAL ?
		    kcfaes_ccm_seal_init(ctx, key, iv, v->ivlen, aad, v->aadlen, len,
		    v->taglen) :
		    kcfaes_ccm_open_init(ctx, key, iv, v->ivlen, aad, v->aadlen, len,
		    v->taglen));
	case KCFAES_VEC_GCM:
		return (d == SEAL ?
		    kcfaes_gcm_seal_init(ctx, key, iv, v->ivlen, aad, v->aadlen) :
		    kcfaes_gcm_open_init(ctx, key, iv, v->ivlen, aad, v->aadlen));
	case KCFAES_VEC_GMAC:
		return (kcfaes_gmac_init(ctx, key, iv, v->ivlen));
	default:
		return (kcfaes_cmac_init(ctx, key));
	}
}

static kcfaes_rc
end(enum direction d, uint8_t *dst, size_t room, size_t *written, uint8_t *tag)
{
	*written = 0;
	switch (v->mode) {
	case KCFAES_VEC_CCM:
		return (d == SEAL ?
		    kcfaes_ccm_seal_final(ctx, dst, room, written, tag, v->taglen) :
		    kcfaes_ccm_open_final(ctx, dst, room, written, tag, v->taglen));
	case KCFAES_VEC_GCM:
		return (d == SEAL ?
		    kcfaes_gcm_seal_final(ctx, dst, room, written, tag, v->taglen) :
		    kcfaes_gcm_open_final(ctx, dst, room, written, tag, v->taglen));
	case KCFAES_VEC_GMAC:
		return (d == SEAL ? kcfaes_gmac_final(ctx, tag, v->taglen) :
		    kcfaes_gmac_verify_final(ctx, tag, v->taglen));
	case KCFAES_VEC_CMAC:
		return (d == SEAL ? kcfaes_cmac_final(ctx, tag, v->taglen) :
		    kcfaes_cmac_verify_final(ctx, tag, v->taglen));
	default:
		return (kcfaes_final(ctx));
	}
}

static int
is_mac(void)
{
	return (v->mode == KCFAES_VEC_GMAC || v->mode == KCFAES_VEC_CMAC);
}

static int
is_aead(void)
{
	return (v->mode == KCFAES_VEC_GCM || v->mode == KCFAES_VEC_CCM);
}

static kcfaes_rc
in_parts(enum direction d, uint8_t *counter, const uint8_t *src, size_t len, uint8_t *dst,
    uint8_t *tag)
{
	size_t done = 0, written, room = len;
	kcfaes_rc rc = begin(d, counter, len);

	if (is_mac()) {
		src = aad;
		len = v->aadlen;
	}
	for (size_t at = 0, part = len / 3 + 1; rc == KCFAES_OK && at < len; at += part) {
		size_t n = len - at < part ? len - at : part;

		if (is_mac())
			rc = kcfaes_update(ctx, src + at, n, NULL, 0, &written);
		else if (is_aead() && d == OPEN)
			rc = kcfaes_update_unverified(ctx, src + at, n, dst + done,
			    room - done, &written);
		else
			rc = kcfaes_update(ctx, src + at, n, dst + done, room - done,
			    &written);
		done += written;
	}
	if (rc != KCFAES_OK)
		return (rc);
	rc = end(d, dst + done, room - done, &written, tag);
	if (rc == KCFAES_OK && !is_mac() && done + written != len)
		fail(PARTS, d, "wrong length of output", (int)(done + written));
	return (rc);
}

static kcfaes_rc
call(enum way way, enum direction d, uint8_t *counter, const uint8_t *src, size_t len,
    uint8_t *dst, uint8_t *tag)
{
	calls++;
	switch (way) {
	case WHOLE:
		return (whole(d, counter, src, len, dst, tag));
	case PIECEWISE:
		return (piecewise(d, counter, src, len, dst, tag));
	default:
		return (in_parts(d, counter, src, len, dst, tag));
	}
}

/*
 * The blocks until the low `bits` bits of a counter return to zero; at most
 * `most`.
 */
static size_t
blocks_left(const uint8_t *counter, unsigned bits, size_t most)
{
	uint64_t low = 0;

	for (size_t i = 8; i < 16; i++)
		low = low << 8 | counter[i];
	for (unsigned bit = bits; bit > 64; bit--) {
		unsigned at = bit - 1;

		/* Too far from its end for any message here. */
		if ((counter[15 - at / 8] >> at % 8 & 1) == 0)
			return (most);
	}
	low = bits < 64 ? (UINT64_C(1) << bits) - 1 - (low & ((UINT64_C(1) << bits) - 1)) : ~low;
	return (low < most ? (size_t)low + 1 : most);
}

/* The API's counter has 128 bits.  A narrower one is brought back to zero here. */
static kcfaes_rc
run(enum way way, enum direction d, const uint8_t *src, uint8_t *dst, uint8_t *tag)
{
	size_t len = v->len, at = 0;
	uint8_t counter[16] = { 0 };
	kcfaes_rc rc;

	if (v->mode == KCFAES_VEC_CBC || v->mode == KCFAES_VEC_CTR)
		memcpy(counter, iv, 16);
	if (v->mode != KCFAES_VEC_CTR || v->counter_bits == 128)
		return (call(way, d, counter, src, len, dst, tag));
	do {
		size_t blocks = blocks_left(counter, v->counter_bits, len / 16 + 1);
		size_t n = len - at < 16 * blocks ? len - at : 16 * blocks;

		rc = call(way, d, counter, src + at, n, dst + at, tag);
		for (unsigned bit = 0; bit < 128; bit++) {
			uint8_t one = (uint8_t)(1 << bit % 8);
			uint8_t *byte = &counter[15 - bit / 8];

			/* The upper bits stay; the lower ones have returned to zero. */
			if (bit >= v->counter_bits)
				*byte = (uint8_t)((*byte & ~one) | (iv[15 - bit / 8] & one));
			else
				*byte &= (uint8_t)~one;
		}
		at += n;
	} while (rc == KCFAES_OK && at < len);
	return (rc);
}

static void
check_open(enum way way, kcfaes_rc rc)
{
	switch (v->expect) {
	case KCFAES_VEC_OK:
		if (rc != KCFAES_OK)
			fail(way, OPEN, "refused", rc);
		else if (memcmp(result, text, v->len) != 0)
			fail(way, OPEN, "wrong text", rc);
		break;
	case KCFAES_VEC_BAD_TAG:
		if (rc != KCFAES_INVALID_MAC)
			fail(way, OPEN, "a forgery was taken", rc);
		for (size_t i = 0; i < v->len && way != PARTS; i++) {
			if (result[i] != 0) {
				fail(way, OPEN, "left text of a forgery", (int)i);
				break;
			}
		}
		break;
	default:
		if (rc != KCFAES_MECHANISM_PARAM_INVALID)
			fail(way, OPEN, "a bad parameter was taken", rc);
	}
}

static void
check_seal(enum way way, kcfaes_rc rc, const uint8_t *tag)
{
	if (v->expect == KCFAES_VEC_BAD_ARG) {
		if (rc != KCFAES_MECHANISM_PARAM_INVALID)
			fail(way, SEAL, "a bad parameter was taken", rc);
		return;
	}
	if (rc != KCFAES_OK)
		fail(way, SEAL, "refused", rc);
	else if ((v->drawn & KCFAES_VEC_CT_DIGEST) != 0 ?
	    kcfaes_vec_fnv1a64(result, v->len) != v->digest :
	    v->ct != NULL && memcmp(result, v->ct, v->len) != 0)
		fail(way, SEAL, "wrong ciphertext", rc);
	else if (v->taglen > 0 && memcmp(tag, v->tag, v->taglen) != 0)
		fail(way, SEAL, "wrong tag", rc);
	memcpy(sealed, result, v->len);
}

static void
run_vector(void)
{
	uint8_t tag[MAX_TAG] = { 0 };

	kcfaes_vec_load(v, key_bytes, iv, aad, text);
	if (v->taglen > sizeof (tag) ||
	    kcfaes_key_new(key_bytes, v->keybits / 8U, &key) != KCFAES_OK) {
		fail(WHOLE, SEAL, "no key", 0);
		return;
	}
	for (int way = 0; way < WAYS; way++) {
		if (v->ct != NULL)
			memcpy(sealed, v->ct, v->len);
		if (v->expect != KCFAES_VEC_BAD_TAG) {
			memset(tag, 0, sizeof (tag));
			memset(result, 0x5c, v->len);
			check_seal((enum way)way, run((enum way)way, SEAL, text, result, tag), tag);
		}
		if (v->tag != NULL)
			memcpy(tag, v->tag, v->taglen);
		memset(result, 0x5c, v->len);
		check_open((enum way)way, run((enum way)way, OPEN, sealed, result, tag));
	}
	kcfaes_key_free(key);
	cases++;
}

int
main(void)
{
	static const char *const tables[] = { "portable", "aesni", "vaes256", "vaes512" };

	if (kcfaes_ctx_new(&ctx) != KCFAES_OK)
		return (1);
	for (size_t t = 0; t < COUNT(tables); t++) {
		unsigned long failed = failures;

		table = tables[t];
		if (kcfaes_table_force(table) != KCFAES_OK) {
			printf("%-10s NOT RUN: this CPU lacks it\n", table);
			continue;
		}
		cases = calls = 0;
		for (size_t i = 0; i < KCFAES_VEC_COUNT; i++) {
			v = &kcfaes_vecs[i];
			run_vector();
		}
		printf("%-10s %lu vectors, %lu calls, %lu failed\n", table, cases, calls,
		    failures - failed);
		if (cases != KCFAES_VEC_COUNT)
			failures++;
	}
	kcfaes_ctx_free(ctx);
	return (failures == 0 ? 0 : 1);
}
