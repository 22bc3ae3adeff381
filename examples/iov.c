/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Seals a packet that lies in three buffers without gathering it, then opens it in place in two
 * others, with the key in memory of our own: no heap at all.
 */

#include <stdio.h>
#include <string.h>
#include <kcfaes.h>

int
main(void)
{
	static uint8_t memory[KCFAES_KEY_SIZE];
	static const uint8_t secret[16] = { 7 }, iv[12] = { 8 };
	char head[] = "HEAD|", body[] = "a body that is not next to it|", tail[] = "tail";
	uint8_t packet[64], opened[64], tag[12];
	size_t len = strlen(head) + strlen(body) + strlen(tail);
	kcfaes_iovec parts[] = {
		{ head, strlen(head) }, { body, strlen(body) }, { tail, strlen(tail) }
	};
	kcfaes_iovec wire = { packet, sizeof (packet) };
	/* The receiver's buffers are cut elsewhere. */
	kcfaes_iovec halves[] = { { opened, 11 }, { opened + 20, len - 11 } };
	kcfaes_key *key;
	kcfaes_rc rc;

	rc = kcfaes_key_init(memory, sizeof (memory), secret, sizeof (secret), &key);
	if (rc != KCFAES_OK) {
		fprintf(stderr, "iov: %s\n", kcfaes_strerror(rc));
		return (1);
	}
	rc = kcfaes_gcm_seal_iov(key, iv, sizeof (iv), NULL, 0, parts, 3, &wire, 1, tag,
	    sizeof (tag));
	if (rc == KCFAES_OK) {
		memcpy(opened, packet, 11);
		memcpy(opened + 20, packet + 11, len - 11);
		rc = kcfaes_gcm_open_iov(key, iv, sizeof (iv), NULL, 0, halves, 2, halves, 2, tag,
		    sizeof (tag));
	}
	if (rc == KCFAES_OK)
		printf("%.11s%.*s\n", (char *)opened, (int)(len - 11), (char *)opened + 20);
	else
		fprintf(stderr, "iov: %s\n", kcfaes_strerror(rc));

	/* One bit on the wire: the message is refused, and its buffers hold ciphertext again. */
	memcpy(opened, packet, 11);
	memcpy(opened + 20, packet + 11, len - 11);
	opened[3] ^= 1;
	if (kcfaes_gcm_open_iov(key, iv, sizeof (iv), NULL, 0, halves, 2, halves, 2, tag,
	    sizeof (tag)) != KCFAES_INVALID_MAC)
		rc = KCFAES_FAILED;
	else
		printf("forged: %s\n", kcfaes_strerror(KCFAES_INVALID_MAC));
	kcfaes_key_wipe(key);
	return (rc == KCFAES_OK ? 0 : 1);
}
