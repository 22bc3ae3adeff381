/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Seals a message with AES-256-GCM and opens it again: cc seal.c -lkcfaes */

#include <stdio.h>
#include <string.h>
#include <kcfaes.h>

static void
print_hex(const char *name, const uint8_t *bytes, size_t len)
{
	printf("%-10s ", name);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

int
main(void)
{
	/* A real key is random and secret, and an IV is never used twice with it. */
	static const uint8_t secret[32] = { 1, 2, 3 }, iv[12] = { 4, 5, 6 };
	static const char header[] = "to: alice", text[] = "the quick brown fox";
	uint8_t sealed[sizeof (text)], opened[sizeof (text)], tag[16];
	kcfaes_key *key;
	kcfaes_rc rc;

	rc = kcfaes_key_new(secret, sizeof (secret), &key);
	if (rc == KCFAES_OK) {
		rc = kcfaes_gcm_seal(key, iv, sizeof (iv), (const uint8_t *)header, sizeof (header),
		    (const uint8_t *)text, sizeof (text), sealed, tag, sizeof (tag));
		print_hex("ciphertext", sealed, sizeof (sealed));
		print_hex("tag", tag, sizeof (tag));
	}
	if (rc == KCFAES_OK)
		rc = kcfaes_gcm_open(key, iv, sizeof (iv), (const uint8_t *)header, sizeof (header),
		    sealed, sizeof (sealed), opened, tag, sizeof (tag));
	if (rc == KCFAES_OK)
		printf("opened     %s\n", (const char *)opened);
	else
		fprintf(stderr, "seal: %s\n", kcfaes_strerror(rc));
	kcfaes_key_free(key);
	return (rc == KCFAES_OK && memcmp(opened, text, sizeof (text)) == 0 ? 0 : 1);
}
