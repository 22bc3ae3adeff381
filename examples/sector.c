/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Encrypts the sectors of a disk, each by itself and in its own place: AES-256-CBC whose IV is the
 * number of the sector, encrypted with a second key (ESSIV).  Whoever does not know the keys can
 * neither foresee an IV nor see which sectors are equal.
 *
 * A sector has no room for a tag.  So a changed sector is not noticed, and an old one that is put
 * back is not either; who writes a sector again with the same beginning shows how long that is.
 * Where there is room, AES-GCM is better: examples/file.c.
 *
 * Sectors are encrypted many at a time.  A single CBC encryption waits for the processor at every
 * block, and the blocks of other sectors fill that time (kcfaes_cbc_encrypt_batch).
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <kcfaes.h>

#define	SECTOR	512
#define	BATCH	16

struct disk {
	kcfaes_key *text;	/* encrypts sectors */
	kcfaes_key *iv;		/* encrypts their numbers */
};

/* The keys are two halves of 64 secret bytes. */
static kcfaes_rc
disk_open(struct disk *disk, const uint8_t secret[64])
{
	kcfaes_rc rc;

	rc = kcfaes_key_new(secret, 32, &disk->text);
	if (rc != KCFAES_OK)
		return (rc);
	rc = kcfaes_key_new(secret + 32, 32, &disk->iv);
	if (rc != KCFAES_OK)
		kcfaes_key_free(disk->text);
	return (rc);
}

static void
disk_close(struct disk *disk)
{
	kcfaes_key_free(disk->text);
	kcfaes_key_free(disk->iv);
}

/* The IVs of n sectors, the first of which is number; at most BATCH. */
static kcfaes_rc
sector_ivs(const struct disk *disk, uint64_t number, size_t n, uint8_t ivs[BATCH][16])
{
	memset(ivs, 0, 16 * n);
	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < 8; j++)
			ivs[i][j] = (uint8_t)((number + i) >> 8 * j);
	return (kcfaes_ecb_encrypt(disk->iv, ivs[0], 16 * n, ivs[0]));
}

/* Encrypts count sectors in place, the first of which is number. */
static kcfaes_rc
sectors_encrypt(const struct disk *disk, uint64_t number, uint8_t *sectors, size_t count)
{
	while (count > 0) {
		size_t n = count < BATCH ? count : BATCH;
		kcfaes_cbc_job jobs[BATCH];
		uint8_t ivs[BATCH][16];
		kcfaes_rc rc;

		rc = sector_ivs(disk, number, n, ivs);
		if (rc != KCFAES_OK)
			return (rc);
		for (size_t i = 0; i < n; i++) {
			jobs[i].key = disk->text;
			jobs[i].src = jobs[i].dst = sectors + i * SECTOR;
			jobs[i].len = SECTOR;
			memcpy(jobs[i].iv, ivs[i], 16);
		}
		rc = kcfaes_cbc_encrypt_batch(jobs, n);
		if (rc != KCFAES_OK)
			return (rc);
		number += n;
		sectors += n * SECTOR;
		count -= n;
	}
	return (KCFAES_OK);
}

/* Decrypts count sectors in place.  Decryption of one sector has no chain to wait for. */
static kcfaes_rc
sectors_decrypt(const struct disk *disk, uint64_t number, uint8_t *sectors, size_t count)
{
	while (count > 0) {
		size_t n = count < BATCH ? count : BATCH;
		uint8_t ivs[BATCH][16];
		kcfaes_rc rc;

		rc = sector_ivs(disk, number, n, ivs);
		for (size_t i = 0; i < n && rc == KCFAES_OK; i++)
			rc = kcfaes_cbc_decrypt(disk->text, ivs[i], sectors + i * SECTOR, SECTOR,
			    sectors + i * SECTOR);
		if (rc != KCFAES_OK)
			return (rc);
		number += n;
		sectors += n * SECTOR;
		count -= n;
	}
	return (KCFAES_OK);
}

#define	COUNT	100

int
main(void)
{
	/* Real keys are random. */
	static const uint8_t secret[64] = { 1, 2, 3 };
	static uint8_t plain[COUNT * SECTOR], image[COUNT * SECTOR], one[SECTOR];
	const uint64_t first = 1000000;
	struct disk disk;
	kcfaes_rc rc;
	int right = 0, equal = 0;

	rc = disk_open(&disk, secret);
	if (rc != KCFAES_OK) {
		fprintf(stderr, "sector: %s\n", kcfaes_strerror(rc));
		return (1);
	}
	/* Equal sectors, which nobody may recognize. */
	memset(plain, 'x', sizeof (plain));
	memcpy(image, plain, sizeof (image));
	rc = sectors_encrypt(&disk, first, image, COUNT);
	for (size_t i = 0; i < COUNT && rc == KCFAES_OK; i++) {
		equal += memcmp(image + i * SECTOR, plain, 16) == 0;
		for (size_t j = 0; j < i; j++)
			equal += memcmp(image + i * SECTOR, image + j * SECTOR, 16) == 0;
	}
	/* Any sector by itself, and encrypted alone it is the same. */
	for (size_t i = 0; i < COUNT && rc == KCFAES_OK; i++) {
		memcpy(one, image + i * SECTOR, SECTOR);
		rc = sectors_decrypt(&disk, first + i, one, 1);
		if (rc == KCFAES_OK && memcmp(one, plain + i * SECTOR, SECTOR) == 0)
			rc = sectors_encrypt(&disk, first + i, one, 1);
		right += rc == KCFAES_OK && memcmp(one, image + i * SECTOR, SECTOR) == 0;
	}
	if (rc == KCFAES_OK)
		rc = sectors_decrypt(&disk, first, image, COUNT);
	disk_close(&disk);
	if (rc != KCFAES_OK) {
		fprintf(stderr, "sector: %s\n", kcfaes_strerror(rc));
		return (1);
	}
	right += memcmp(image, plain, sizeof (image)) == 0;
	printf("sector: %d of %d right, %d look alike\n", right, COUNT + 1, equal);
	return (right == COUNT + 1 && equal == 0 ? 0 : 1);
}
