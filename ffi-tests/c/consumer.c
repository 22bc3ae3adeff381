/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that uses the installed library and its headers, for `make check`: C89 and C++98 at the same time,
 * and clean under strict warnings. It seals test case 3 of the GCM specification (McGrew and Viega) and opens it again.
 */

#include <kcfaes.h>
#include <kcfaes_spi.h>
#include <stdio.h>
#include <string.h>

static const uint8_t secret[16] = {
	0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08
};
static const uint8_t iv[12] = {
	0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88
};
static const uint8_t text[64] = {
	0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26, 0x9a,
	0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72,
	0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25,
	0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39, 0x1a, 0xaf, 0xd2, 0x55
};
static const uint8_t right_tag[16] = {
	0x4d, 0x5c, 0x2a, 0xf3, 0x27, 0xcd, 0x64, 0xa6, 0x2c, 0xf3, 0x5a, 0xbd, 0x2b, 0xa6, 0xfa, 0xb4
};

int
main(void)
{
	uint8_t memory[KCFAES_KEY_SIZE], sealed[sizeof (text)], opened[sizeof (text)], tag[16];
	kcfaes_iovec from[2], to;
	kcfaes_key *key = NULL;
	kcfaes_rc rc;

	if (strcmp(kcfaes_version(), KCFAES_VERSION) != 0) {
		fprintf(stderr, "header " KCFAES_VERSION ", library %s\n", kcfaes_version());
		return (1);
	}
	rc = kcfaes_key_init(memory, sizeof (memory), secret, sizeof (secret), &key);
	if (rc == KCFAES_OK)
		rc = kcfaes_gcm_seal(key, iv, sizeof (iv), NULL, 0, text, sizeof (text), sealed,
		    tag, sizeof (tag));
	if (rc == KCFAES_OK) {
		from[0].base = sealed;
		from[0].len = 20;
		from[1].base = sealed + 20;
		from[1].len = sizeof (sealed) - 20;
		to.base = opened;
		to.len = sizeof (opened);
		rc = kcfaes_gcm_open_iov(key, iv, sizeof (iv), NULL, 0, from, 2, &to, 1,
		    tag, sizeof (tag));
	}
	kcfaes_key_wipe(key);
	if (rc != KCFAES_OK) {
		fprintf(stderr, "%s\n", kcfaes_strerror((int)rc));
		return (1);
	}
	if (memcmp(tag, right_tag, sizeof (tag)) != 0 ||
	    memcmp(opened, text, sizeof (text)) != 0) {
		fprintf(stderr, "a wrong answer\n");
		return (1);
	}
	return (0);
}
