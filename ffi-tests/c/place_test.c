/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the bytes of a call lie: each piece of a list alone between two pages that fault; the AAD, the IV or
 * the tag where the text is; keys and contexts at every alignment, and moved.
 */

#define _DEFAULT_SOURCE		/* mmap */
#include <kcfaes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(a) (sizeof (a) / sizeof ((a)[0]))
#define MOST 1200
#define PIECES 160

static unsigned long passed, failed;
static const char *table;

static void
check(int ok, const char *what, int line)
{
	if (ok)
		passed++;
	else if (++failed <= 20)
		fprintf(stderr, "place_test.c:%d: %s: %s\n", line, table, what);
}

#define CHECK(condition) check((condition) != 0, #condition, __LINE__)
#define IS(call, code) CHECK((call) == (code))
#define OK(call) IS(call, KCFAES_OK)

static uint8_t text[MOST + 64], whole[MOST + 64];
static const uint8_t secret[32] = { 1, 2, 3 }, header[16] = { 7, 8 };
static kcfaes_key *key;
static size_t page;

/* Slots for pieces: a page each, between two pages that fault. */
struct slots {
	uint8_t *pages;
	kcfaes_iovec list[PIECES];
	size_t count;
};

static struct slots from, to;

static void
make_slots(struct slots *s)
{
	s->pages = mmap(NULL, (2 * PIECES + 1) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->pages == MAP_FAILED)
		abort();
	for (size_t i = 0; i < PIECES; i++)
		if (mprotect(s->pages + (2 * i + 1) * page, page, PROT_READ | PROT_WRITE) != 0)
			abort();
}

/* Cuts len bytes: the pieces lie at the end of their pages, or at the beginning, by turns. */
static void
lay(struct slots *s, const uint8_t *bytes, size_t len, unsigned seed)
{
	static const size_t sizes[] = { 1, 0, 16, 7, 64, 15, 0, 17, 32, 3, 128, 130, 5, 257 };
	size_t at = 0;

	for (s->count = 0; at < len; s->count++) {
		size_t n = sizes[(seed + s->count * (1 + seed % 3)) % COUNT(sizes)];
		uint8_t *slot = s->pages + (2 * s->count + 1) * page;

		if (s->count == PIECES)
			abort();
		n = n > len - at ? len - at : n;
		slot += (s->count + seed) % 2 == 0 ? page - n : 0;
		if (bytes != NULL)
			memcpy(slot, bytes + at, n);
		else
			memset(slot, 0xee, n);
		s->list[s->count].base = slot;
		s->list[s->count].len = n;
		at += n;
	}
}

/* Whether the pieces have these bytes. */
static int
have(const struct slots *s, const uint8_t *bytes)
{
	for (size_t i = 0; i < s->count; i++) {
		if (memcmp(s->list[i].base, bytes, s->list[i].len) != 0)
			return (0);
		bytes += s->list[i].len;
	}
	return (1);
}

typedef kcfaes_rc (*seal_fn)(const kcfaes_key *, const uint8_t *, size_t, const uint8_t *, size_t,
    const uint8_t *, size_t, uint8_t *, uint8_t *, size_t);
typedef kcfaes_rc (*open_fn)(const kcfaes_key *, const uint8_t *, size_t, const uint8_t *, size_t,
    const uint8_t *, size_t, uint8_t *, const uint8_t *, size_t);
typedef kcfaes_rc (*seal_iov_fn)(const kcfaes_key *, const uint8_t *, size_t, const uint8_t *, size_t,
    const kcfaes_iovec *, size_t, const kcfaes_iovec *, size_t, uint8_t *, size_t);
typedef kcfaes_rc (*open_iov_fn)(const kcfaes_key *, const uint8_t *, size_t, const uint8_t *, size_t,
    const kcfaes_iovec *, size_t, const kcfaes_iovec *, size_t, const uint8_t *, size_t);

static const struct aead {
	seal_fn seal;
	open_fn open;
	seal_iov_fn seal_iov;
	open_iov_fn open_iov;
} aeads[] = {
	{ kcfaes_gcm_seal, kcfaes_gcm_open, kcfaes_gcm_seal_iov, kcfaes_gcm_open_iov },
	{ kcfaes_ccm_seal, kcfaes_ccm_open, kcfaes_ccm_seal_iov, kcfaes_ccm_open_iov },
};

static const uint8_t nonce[12] = { 9, 9 };

/* A message over lists, opened again, forged: apart, and in place, where the lists are cut alike. */
static void
test_alone(const struct aead *mode, size_t len, unsigned seed)
{
	static uint8_t zeros[MOST];
	uint8_t tag[16], got[16];
	kcfaes_iovec *src = from.list, *dst = to.list;

	OK(mode->seal(key, nonce, 12, header, 16, text, len, whole, tag, 16));
	lay(&from, text, len, seed);
	lay(&to, NULL, len, seed + 5);
	OK(mode->seal_iov(key, nonce, 12, header, 16, src, from.count, dst, to.count, got, 16));
	CHECK(have(&to, whole) && have(&from, text) && memcmp(got, tag, 16) == 0);

	lay(&from, whole, len, seed + 1);
	lay(&to, NULL, len, seed + 7);
	OK(mode->open_iov(key, nonce, 12, header, 16, src, from.count, dst, to.count, tag, 16));
	CHECK(have(&to, text) && have(&from, whole));

	got[seed % 16] ^= (uint8_t)(1 << seed % 8);
	lay(&to, text, len, seed + 7);
	IS(mode->open_iov(key, nonce, 12, header, 16, src, from.count, dst, to.count, got, 16),
	    KCFAES_INVALID_MAC);
	CHECK(have(&to, zeros) && have(&from, whole));

	/* In place. */
	IS(mode->open_iov(key, nonce, 12, header, 16, src, from.count, src, from.count, got, 16),
	    KCFAES_INVALID_MAC);
	CHECK(have(&from, whole));
	OK(mode->open_iov(key, nonce, 12, header, 16, src, from.count, src, from.count, tag, 16));
	CHECK(have(&from, text));
	OK(mode->seal_iov(key, nonce, 12, header, 16, src, from.count, src, from.count, got, 16));
	CHECK(have(&from, whole) && memcmp(got, tag, 16) == 0);
}

/* The same in the modes without a tag, and the MACs. */
static void
test_alone_without_tag(size_t len, unsigned seed)
{
	uint8_t tag[16], got[16], counter[16] = { 5 }, again[16] = { 5 };
	kcfaes_iovec *src = from.list, *dst = to.list;
	size_t blocks = len & ~(size_t)15;

	lay(&from, text, len, seed);
	lay(&to, NULL, len, seed + 3);
	OK(kcfaes_ctr(key, counter, text, len, whole));
	OK(kcfaes_ctr_iov(key, again, src, from.count, dst, to.count));
	CHECK(have(&to, whole) && have(&from, text));
	OK(kcfaes_cmac(key, text, len, tag, 16));
	OK(kcfaes_cmac_iov(key, src, from.count, got, 16));
	CHECK(memcmp(got, tag, 16) == 0);
	got[seed % 16] ^= 1;
	IS(kcfaes_cmac_verify_iov(key, src, from.count, got, 16), KCFAES_INVALID_MAC);
	OK(kcfaes_gmac(key, nonce, 12, text, len, tag, 16));
	OK(kcfaes_gmac_iov(key, nonce, 12, src, from.count, got, 16));
	CHECK(memcmp(got, tag, 16) == 0);
	got[seed % 16] ^= 1;
	IS(kcfaes_gmac_verify_iov(key, nonce, 12, src, from.count, got, 16), KCFAES_INVALID_MAC);

	for (int way = 0; way < 4; way++) {
		uint8_t iv[2][16] = { { 6 }, { 6 } };
		kcfaes_rc rc;

		lay(&from, text, blocks, seed);
		lay(&to, NULL, blocks, seed + 11);
		if (way == 0) {
			OK(kcfaes_ecb_encrypt(key, text, blocks, whole));
			rc = kcfaes_ecb_encrypt_iov(key, src, from.count, dst, to.count);
		} else if (way == 1) {
			OK(kcfaes_ecb_decrypt(key, text, blocks, whole));
			rc = kcfaes_ecb_decrypt_iov(key, src, from.count, dst, to.count);
		} else if (way == 2) {
			OK(kcfaes_cbc_encrypt(key, iv[0], text, blocks, whole));
			rc = kcfaes_cbc_encrypt_iov(key, iv[1], src, from.count, dst, to.count);
		} else {
			OK(kcfaes_cbc_decrypt(key, iv[0], text, blocks, whole));
			rc = kcfaes_cbc_decrypt_iov(key, iv[1], src, from.count, dst, to.count);
		}
		OK(rc);
		CHECK(have(&to, whole) && have(&from, text));
	}
}

enum what { AAD, IV, TAG };

/*
 * AAD, IV or tag where the text is: in the input or in the output, when sealing and when opening. That makes
 * twelve ways, each at several places: across the beginning, in the first block, deep inside, across the end.
 * What a call reads it has read before it writes there; a tag is written last.
 */
static void
test_overlap(const struct aead *mode, size_t len, enum what what, int in_output, int opens, size_t place)
{
	static uint8_t in[MOST + 64], out[MOST + 64], want[MOST + 64], ct[MOST + 64];
	uint8_t item[16], tag[16], own[3][16];
	const uint8_t *aad = own[AAD], *iv = own[IV];
	uint8_t *shared, *at = own[TAG];
	size_t aad_len = 16;

	memcpy(own[AAD], header, 16);
	memset(own[IV], 3, 16);
	memset(in, 0xaa, sizeof (in));
	memset(out, 0xbb, sizeof (out));
	memcpy(in + 16, text, len);
	shared = (in_output ? out : in) + place;
	/* What the shared bytes are when the call begins. */
	memcpy(item, shared, 16);
	if (what == AAD)
		memcpy(own[AAD], item, 16);
	if (what == IV)
		memcpy(own[IV], item, 16);
	/* The answer, over memory that shares nothing. */
	if (!opens) {
		OK(mode->seal(key, iv, 12, aad, aad_len, in + 16, len, want, tag, 16));
	} else {
		/* in is a ciphertext: its tag is that of what it decrypts to. */
		uint8_t none[16];

		memset(none, 0, 16);
		if (what == TAG && !in_output) {
			/* The tag is a part of the ciphertext that it authenticates: none fits but by chance. */
			IS(mode->open(key, iv, 12, aad, aad_len, in + 16, len, out + 16, shared, 16),
			    KCFAES_INVALID_MAC);
			for (size_t i = 0; i < len; i++)
				CHECK(out[16 + i] == 0);
			return;
		}
		/* The keystream, from the text of zeros; in both modes it does not depend on the text. */
		memset(ct, 0, len);
		OK(mode->seal(key, iv, 12, aad, aad_len, ct, len, want, tag, 16));
		for (size_t i = 0; i < len; i++)
			want[i] ^= in[16 + i];
		OK(mode->seal(key, iv, 12, aad, aad_len, want, len, ct, tag, 16));
		CHECK(memcmp(ct, in + 16, len) == 0);
		memcpy(own[TAG], tag, 16);
		if (what == TAG)
			memcpy(shared, tag, 16);
	}
	if (what == AAD)
		aad = shared;
	if (what == IV)
		iv = shared;
	if (what == TAG)
		at = shared;
	if (opens) {
		OK(mode->open(key, iv, 12, aad, aad_len, in + 16, len, out + 16, at, 16));
		CHECK(memcmp(out + 16, want, len) == 0);
	} else {
		OK(mode->seal(key, iv, 12, aad, aad_len, in + 16, len, out + 16, at, 16));
		CHECK(memcmp(at, tag, 16) == 0);
		for (size_t i = 0; i < len; i++) {
			int of_tag = what == TAG && in_output && out + 16 + i >= at && out + 16 + i < at + 16;

			CHECK(of_tag || out[16 + i] == want[i]);
		}
	}

	/* A forged one leaves no plaintext, whatever it overlaps. */
	if (opens) {
		if (what == TAG) {
			memcpy(shared, tag, 16);
			shared[3] ^= 4;
		} else {
			memcpy(shared, item, 16);
			own[TAG][3] ^= 4;
		}
		IS(mode->open(key, iv, 12, aad, aad_len, in + 16, len, out + 16, at, 16), KCFAES_INVALID_MAC);
		for (size_t i = 0; i < len; i++)
			CHECK(out[16 + i] == 0);
	}
}

/* In place: AAD or IV in the text itself. The text's own bytes are the AAD. */
static void
test_overlap_in_place(const struct aead *mode, size_t len, enum what what, size_t place)
{
	static uint8_t memory[MOST + 64], want[MOST + 64];
	uint8_t tag[16], got[16], item[16];
	const uint8_t *aad = header, *iv = nonce;

	memset(memory, 0xaa, sizeof (memory));
	memcpy(memory + 16, text, len);
	memcpy(item, memory + place, 16);
	if (what == AAD)
		aad = item;
	else
		iv = item;
	OK(mode->seal(key, iv, 12, aad, 16, text, len, want, tag, 16));
	if (what == AAD)
		aad = memory + place;
	else
		iv = memory + place;
	OK(mode->seal(key, iv, 12, aad, 16, memory + 16, len, memory + 16, got, 16));
	CHECK(memcmp(memory + 16, want, len) == 0 && memcmp(got, tag, 16) == 0);
}

/* Keys and contexts at 64 alignments, each moved by every distance to another: refused, and nothing is read. */
static void
test_moved(void)
{
	static uint8_t one[KCFAES_KEY_SIZE + KCFAES_CTX_SIZE + 64], other[KCFAES_KEY_SIZE + KCFAES_CTX_SIZE + 64];
	size_t key_size = kcfaes_key_size(), ctx_size = kcfaes_ctx_size(), written;
	uint8_t out[48], tag[16];
	kcfaes_key *made;
	kcfaes_ctx *ctx;

	for (size_t shift = 0; shift < 64; shift++) {
		for (size_t by = 0; by < 64; by += 1 + shift % 5) {
			uint8_t *place = other + by;

			OK(kcfaes_key_init(one + shift, key_size, secret, 32, &made));
			memcpy(place, made, key_size - 63);
			IS(kcfaes_gcm_seal((kcfaes_key *)(void *)place, nonce, 12, NULL, 0, text, 48, out, tag, 16),
			    KCFAES_ARGUMENTS_BAD);
			/* And where it was. */
			OK(kcfaes_gcm_seal(made, nonce, 12, NULL, 0, text, 48, out, tag, 16));

			OK(kcfaes_ctx_init(one + shift, ctx_size, &ctx));
			OK(kcfaes_gcm_seal_init(ctx, key, nonce, 12, NULL, 0));
			OK(kcfaes_update(ctx, text, 20, out, 20, &written));
			memcpy(place, ctx, ctx_size - 63);
			IS(kcfaes_update((kcfaes_ctx *)(void *)place, text, 20, out, 20, &written),
			    KCFAES_ARGUMENTS_BAD);
			IS(kcfaes_gcm_seal_final((kcfaes_ctx *)(void *)place, NULL, 0, &written, tag, 16),
			    KCFAES_ARGUMENTS_BAD);
			OK(kcfaes_update(ctx, text + 20, 28, out + 20, 28, &written));
			OK(kcfaes_gcm_seal_final(ctx, NULL, 0, &written, tag, 16));
			kcfaes_ctx_wipe(ctx);
		}
	}
}

int
main(void)
{
	static const char *const tables[] = { "portable", "aesni", "vaes256", "vaes512" };
	static const size_t lengths[] = { 1, 16, 33, 100, 128, 300, 513, 1100 };

	page = (size_t)sysconf(_SC_PAGESIZE);
	make_slots(&from);
	make_slots(&to);
	for (size_t i = 0; i < sizeof (text); i++)
		text[i] = (uint8_t)(i * 11 + i / 241);
	for (size_t t = 0; t < COUNT(tables); t++) {
		table = tables[t];
		if (kcfaes_table_force(table) != KCFAES_OK)
			continue;
		OK(kcfaes_key_new(secret, 32, &key));
		for (size_t l = 0; l < COUNT(lengths); l++) {
			size_t len = lengths[l];
			/* Of the text, which begins at 16. */
			const size_t places[] = { 0, 1, 8, 16, 17, 24, len / 2 + 9, len, len + 7, len + 15, len + 16 };

			for (unsigned seed = 0; seed < 20; seed++) {
				for (size_t m = 0; m < COUNT(aeads); m++)
					test_alone(&aeads[m], len, seed);
				test_alone_without_tag(len, seed);
			}
			for (size_t m = 0; m < COUNT(aeads); m++) {
				for (size_t p = 0; p < COUNT(places); p++) {
					for (int way = 0; way < 12; way++)
						test_overlap(&aeads[m], len, (enum what)(way % 3), way / 3 % 2, way / 6,
						    places[p]);
					test_overlap_in_place(&aeads[m], len, AAD, places[p]);
					test_overlap_in_place(&aeads[m], len, IV, places[p]);
				}
			}
		}
		test_moved();
		kcfaes_key_free(key);
	}
	printf("%lu passed, %lu failed\n", passed, failed);
	return (failed == 0 ? 0 : 1);
}
