/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Encrypts a file, of any length, in constant memory:
 *
 *	file encrypt KEYFILE IN OUT
 *	file decrypt KEYFILE IN OUT
 *	file			encrypts and decrypts a temporary file, and damages it
 *
 * KEYFILE has 32 random bytes.  The encrypted file is
 *
 *	"kcfaes1\n", 32 bytes of salt, chunk, chunk, ...
 *
 * A chunk is 64 KiB of text (the last one 0 to 64 KiB) and a tag of 16 bytes.  Each is a message of
 * AES-256-GCM whose IV is the number of the chunk and whether it is the last.  So chunks that are
 * exchanged, doubled, left out or cut off are noticed, as a changed bit is.  A chunk is written only
 * when its tag was right.
 *
 * Each file has a key of its own, made of KEYFILE and the salt.  So an IV cannot come twice with one
 * key, and KEYFILE serves any number of files (man kcfaes_limits).
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <kcfaes.h>

#define	MAGIC	"kcfaes1\n"
#define	MAGIC_LEN	8
#define	SALT	32
#define	TAG	16
#define	CHUNK	((size_t)64 * 1024)

/* The text of a chunk and its tag. */
static uint8_t chunk[CHUNK + TAG];

/* Set where failures are expected. */
static int quiet;

/* Prints what went wrong. */
static int
fail(const char *what)
{
	if (!quiet)
		fprintf(stderr, "file: %s\n", what);
	return (-1);
}

static int
random_bytes(uint8_t *bytes, size_t len)
{
	FILE *source = fopen("/dev/urandom", "rb");
	size_t n;

	if (source == NULL)
		return (fail("no random numbers"));
	n = fread(bytes, 1, len, source);
	(void) fclose(source);
	return (n == len ? 0 : fail("too few random numbers"));
}

/*
 * The key of one file: SP 800-108 in counter mode, with CMAC.  Two blocks of 16 bytes are a key of
 * 32 bytes.
 */
static kcfaes_rc
file_key(const uint8_t secret[32], const uint8_t salt[SALT], kcfaes_key **key)
{
	/* Number of the block, purpose, a zero byte, the salt, number of bits. */
	uint8_t input[1 + 11 + 1 + SALT + 2] = "\0kcfaes file";
	uint8_t derived[32];
	kcfaes_key *master;
	kcfaes_rc rc;

	memcpy(input + 13, salt, SALT);
	input[13 + SALT] = 1;	/* 256, big-endian */
	rc = kcfaes_key_new(secret, 32, &master);
	if (rc != KCFAES_OK)
		return (rc);
	for (uint8_t i = 0; i < 2 && rc == KCFAES_OK; i++) {
		input[0] = (uint8_t)(i + 1);
		rc = kcfaes_cmac(master, input, sizeof (input), derived + 16 * i, 16);
	}
	if (rc == KCFAES_OK)
		rc = kcfaes_key_new(derived, sizeof (derived), key);
	kcfaes_wipe(derived, sizeof (derived));
	kcfaes_key_free(master);
	return (rc);
}

/* The IV of a chunk: seven zeros, its number, and whether it is the last. */
static void
chunk_iv(uint8_t iv[12], uint32_t number, int last)
{
	memset(iv, 0, 12);
	for (int i = 0; i < 4; i++)
		iv[7 + i] = (uint8_t)(number >> (24 - 8 * i));
	iv[11] = (uint8_t)last;
}

/* Says how far it is, and tells a terminal to write the next line over this one. */
static void
progress(const char *what, uint64_t bytes, int last)
{
	if (!quiet && (last || bytes % (16 * CHUNK) == 0))
		fprintf(stderr, "\r%s: %.1f MiB%s", what, (double)bytes / (1 << 20), last ? "\n" : "");
}

/*
 * Reads chunks of at most len bytes to the end.  Only a chunk that nothing follows is the last one,
 * so it is known one byte later.
 */
static int
next_chunk(FILE *in, size_t len, int *ahead, size_t *got)
{
	size_t n = 0;

	if (*ahead != EOF) {
		chunk[n++] = (uint8_t)*ahead;
		n += fread(chunk + n, 1, len - n, in);
	}
	*ahead = n == len ? fgetc(in) : EOF;
	*got = n;
	return (ferror(in) ? fail("cannot read") : 0);
}

/* Encrypts or decrypts all of in. */
static int
transform(FILE *in, FILE *out, const uint8_t secret[32], int encrypt)
{
	uint8_t head[MAGIC_LEN + SALT] = MAGIC, iv[12];
	const char *what = encrypt ? "encrypted" : "decrypted";
	size_t most = encrypt ? CHUNK : CHUNK + TAG, len;
	uint64_t done = 0;
	kcfaes_key *key;
	int result = 0, ahead;

	if (encrypt) {
		if (random_bytes(head + MAGIC_LEN, SALT) != 0)
			return (-1);
		if (fwrite(head, 1, sizeof (head), out) != sizeof (head))
			return (fail("cannot write"));
	} else if (fread(head, 1, sizeof (head), in) != sizeof (head) ||
	    memcmp(head, MAGIC, MAGIC_LEN) != 0) {
		return (fail("not an encrypted file"));
	}
	if (file_key(secret, head + MAGIC_LEN, &key) != KCFAES_OK)
		return (fail("no memory"));
	ahead = fgetc(in);
	for (uint32_t number = 0; result == 0; number++) {
		kcfaes_rc rc;
		int last;

		result = next_chunk(in, most, &ahead, &len);
		if (result != 0)
			break;
		last = ahead == EOF;
		chunk_iv(iv, number, last);
		if (encrypt) {
			rc = kcfaes_gcm_seal(key, iv, sizeof (iv), head, sizeof (head), chunk, len,
			    chunk, chunk + len, TAG);
			len += TAG;
		} else if (len < TAG) {
			rc = KCFAES_INVALID_MAC;
		} else {
			len -= TAG;
			rc = kcfaes_gcm_open(key, iv, sizeof (iv), head, sizeof (head), chunk, len,
			    chunk, chunk + len, TAG);
		}
		if (rc != KCFAES_OK)
			result = fail(kcfaes_strerror(rc));
		else if (fwrite(chunk, 1, len, out) != len)
			result = fail("cannot write");
		else if (!last && number == UINT32_MAX)
			result = fail("too long a file");
		if (result != 0)
			break;
		done += encrypt ? len - TAG : len;
		progress(what, done, last);
		if (last)
			break;
	}
	if (result == 0 && fflush(out) != 0)
		result = fail("cannot write");
	kcfaes_wipe(chunk, sizeof (chunk));
	kcfaes_key_free(key);
	return (result);
}

/* A command line.  Of a file that is not authentic nothing stays. */
static int
command(char *argv[])
{
	int encrypt = strcmp(argv[1], "encrypt") == 0, result = -1;
	uint8_t secret[32];
	FILE *file = fopen(argv[2], "rb"), *in, *out;

	if (file == NULL || fread(secret, 1, sizeof (secret), file) != sizeof (secret))
		result = fail("no key of 32 bytes");
	else if ((in = fopen(argv[3], "rb")) == NULL)
		result = fail("cannot read");
	else if ((out = fopen(argv[4], "wb")) == NULL) {
		result = fail("cannot write");
		(void) fclose(in);
	} else {
		result = transform(in, out, secret, encrypt);
		(void) fclose(in);
		if (fclose(out) != 0)
			result = fail("cannot write");
		if (result != 0)
			(void) remove(argv[4]);
	}
	if (file != NULL)
		(void) fclose(file);
	kcfaes_wipe(secret, sizeof (secret));
	return (result);
}

/*
 * Decrypts len bytes of an encrypted file.  Returns 1 if that succeeds and the text is that of plain,
 * which may be NULL.
 */
static int
decrypts(const uint8_t *bytes, size_t len, const uint8_t secret[32], FILE *plain)
{
	FILE *in = tmpfile(), *out = tmpfile();
	int same = 0, a, b;

	if (in != NULL && out != NULL && fwrite(bytes, 1, len, in) == len) {
		rewind(in);
		same = transform(in, out, secret, 0) == 0;
		if (same && plain != NULL) {
			rewind(out);
			rewind(plain);
			do {
				a = getc(out);
				b = getc(plain);
				same = a == b;
			} while (same && a != EOF);
		}
	}
	if (in != NULL)
		(void) fclose(in);
	if (out != NULL)
		(void) fclose(out);
	return (same);
}

/* Makes a text of len bytes and encrypts it.  Returns the length of the encrypted file. */
static size_t
encrypted(size_t len, const uint8_t secret[32], FILE *plain, uint8_t *bytes, size_t room)
{
	FILE *sealed = tmpfile();
	size_t n = 0;

	if (sealed == NULL)
		return (0);
	for (size_t i = 0; i < len; i++)
		(void) putc((int)(i * 7 % 251), plain);
	rewind(plain);
	if (transform(plain, sealed, secret, 1) == 0) {
		rewind(sealed);
		n = fread(bytes, 1, room, sealed);
	}
	(void) fclose(sealed);
	return (n);
}

/* Encrypts texts of several lengths, and damages the longest in eight ways. */
static int
demonstrate(void)
{
	static uint8_t whole[MAGIC_LEN + SALT + 4 * (CHUNK + TAG)], bad[sizeof (whole)];
	static const size_t lens[] = { 0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 1000 };
	const size_t head = MAGIC_LEN + SALT, one = CHUNK + TAG;
	uint8_t secret[32];
	size_t len = 0;
	int noticed = 0, right = 0;

	if (random_bytes(secret, sizeof (secret)) != 0)
		return (-1);
	for (size_t i = 0; i < 5; i++) {
		FILE *plain = tmpfile();

		if (plain == NULL)
			return (fail("no temporary file"));
		len = encrypted(lens[i], secret, plain, whole, sizeof (whole));
		right += decrypts(whole, len, secret, plain);
		(void) fclose(plain);
	}
	quiet = 1;
	if (len == head + 3 * one + 1000 + TAG) {
		memcpy(bad, whole, len);	/* a bit of the text */
		bad[head + one + 5] ^= 1;
		noticed += !decrypts(bad, len, secret, NULL);
		memcpy(bad, whole, len);	/* a bit of the salt */
		bad[MAGIC_LEN] ^= 1;
		noticed += !decrypts(bad, len, secret, NULL);
		memcpy(bad, whole, len);	/* two chunks exchanged */
		memcpy(bad + head, whole + head + one, one);
		memcpy(bad + head + one, whole + head, one);
		noticed += !decrypts(bad, len, secret, NULL);
		memcpy(bad, whole, len);	/* a chunk left out */
		memmove(bad + head + one, bad + head + 2 * one, len - head - 2 * one);
		noticed += !decrypts(bad, len - one, secret, NULL);
		noticed += !decrypts(whole, head + 3 * one, secret, NULL);	/* the last one cut off */
		noticed += !decrypts(whole, len - 1, secret, NULL);	/* a byte cut off */
		memcpy(bad, whole, len);	/* a byte appended */
		bad[len] = 0;
		noticed += !decrypts(bad, len + 1, secret, NULL);
		secret[31] ^= 1;	/* another key */
		noticed += !decrypts(whole, len, secret, NULL);
	}
	kcfaes_wipe(secret, sizeof (secret));
	printf("file: %d of 5 files decrypted, %d of 8 damages noticed\n", right, noticed);
	return (right == 5 && noticed == 8 ? 0 : -1);
}

int
main(int argc, char *argv[])
{
	int result;

	if (argc == 1)
		result = demonstrate();
	else if (argc == 5 && (strcmp(argv[1], "encrypt") == 0 || strcmp(argv[1], "decrypt") == 0))
		result = command(argv);
	else
		result = fail("usage: file encrypt|decrypt KEYFILE IN OUT");
	return (result == 0 ? 0 : 1);
}
