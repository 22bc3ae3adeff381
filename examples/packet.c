/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Seals packets of one direction of a connection, and opens them as they come: in any order, some
 * lost, some forged, some sent again.  A packet is
 *
 *	8 bytes of number, ciphertext, 16 bytes of tag
 *
 * The IV is 4 bytes that both sides know and the number, which is counted.  So no IV comes twice, and
 * the receiver knows which packets it has seen.  Each direction has a key of its own.
 *
 * Nothing allocates: the key is in memory of the connection's.  Packets are sealed and opened in
 * place.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <kcfaes.h>

#define	HEAD	8
#define	TAG	16

/*
 * Packets of one key: 2^32, long before the risk of AES-GCM matters for packets of at most 64 KiB
 * (man kcfaes_limits).  Then both sides need a new key.
 */
#define	MOST	((uint64_t)1 << 32)

/* One direction, at one end. */
struct direction {
	uint8_t memory[KCFAES_KEY_SIZE];
	kcfaes_key *key;
	uint8_t salt[4];
	/* Sender: the next number.  Receiver: the highest that was authentic, plus one. */
	uint64_t next;
	/* Receiver: which of the 64 numbers before next have come; bit 0 is next - 1. */
	uint64_t seen;
};

static kcfaes_rc
direction_init(struct direction *d, const uint8_t secret[32], const uint8_t salt[4])
{
	memcpy(d->salt, salt, 4);
	d->next = 0;
	d->seen = 0;
	return (kcfaes_key_init(d->memory, sizeof (d->memory), secret, 32, &d->key));
}

static void
packet_iv(const struct direction *d, const uint8_t head[HEAD], uint8_t iv[12])
{
	memcpy(iv, d->salt, 4);
	memcpy(iv + 4, head, HEAD);
}

/*
 * Seals the len bytes of text after packet's head, and writes head and tag around them.  The packet
 * has HEAD + len + TAG bytes.
 */
static kcfaes_rc
packet_seal(struct direction *d, uint8_t *packet, size_t len)
{
	uint8_t iv[12];

	if (d->next >= MOST)
		return (KCFAES_DATA_LEN_RANGE);
	for (int i = 0; i < HEAD; i++)
		packet[i] = (uint8_t)(d->next >> (56 - 8 * i));
	/* The number is spent, whatever happens now. */
	d->next++;
	packet_iv(d, packet, iv);
	return (kcfaes_gcm_seal(d->key, iv, sizeof (iv), packet, HEAD, packet + HEAD, len,
	    packet + HEAD, packet + HEAD + len, TAG));
}

/* Opens a packet of len bytes in place.  KCFAES_INVALID_MAC: forged, or seen before, or too old. */
static kcfaes_rc
packet_open(struct direction *d, uint8_t *packet, size_t len, uint8_t **text, size_t *text_len)
{
	uint64_t number = 0, behind;
	uint8_t iv[12];
	kcfaes_rc rc;

	if (len < HEAD + TAG)
		return (KCFAES_INVALID_MAC);
	for (int i = 0; i < HEAD; i++)
		number = number << 8 | packet[i];
	if (number >= MOST)
		return (KCFAES_INVALID_MAC);
	behind = d->next - number;	/* 1 to 64: within the window */
	if (number < d->next && (behind > 64 || (d->seen >> (behind - 1) & 1) != 0))
		return (KCFAES_INVALID_MAC);
	packet_iv(d, packet, iv);
	*text = packet + HEAD;
	*text_len = len - HEAD - TAG;
	rc = kcfaes_gcm_open(d->key, iv, sizeof (iv), packet, HEAD, *text, *text_len, *text,
	    *text + *text_len, TAG);
	if (rc != KCFAES_OK)
		return (rc);
	/* Only an authentic packet moves the window. */
	if (number >= d->next) {
		uint64_t step = number - d->next + 1;

		d->seen = (step < 64 ? d->seen << step : 0) | 1;
		d->next = number + 1;
	} else {
		d->seen |= (uint64_t)1 << (behind - 1);
	}
	return (KCFAES_OK);
}

#define	PACKETS	100
#define	MTU	1500

int
main(void)
{
	/* A real key is random, and agreed on with the other side. */
	static const uint8_t secret[32] = { 1, 2, 3 }, salt[4] = { 4, 5, 6, 7 };
	static struct direction sender, receiver;
	static uint8_t sent[PACKETS][MTU], packet[MTU];
	static size_t lens[PACKETS];
	int delivered = 0, refused = 0, wrong = 0;
	uint8_t *text;
	size_t len;

	if (direction_init(&sender, secret, salt) != KCFAES_OK ||
	    direction_init(&receiver, secret, salt) != KCFAES_OK)
		return (1);
	for (int i = 0; i < PACKETS; i++) {
		len = (size_t)i * 14;
		memset(sent[i] + HEAD, i, len);
		if (packet_seal(&sender, sent[i], len) != KCFAES_OK)
			return (1);
		lens[i] = HEAD + len + TAG;
	}

	/* Pairs come in the wrong order, and each packet comes twice; the first time it may be forged. */
	for (int i = 0; i < 2 * PACKETS; i++) {
		int n = (i / 2) ^ 1;
		kcfaes_rc rc;

		memcpy(packet, sent[n], lens[n]);
		if (i % 8 == 0)
			packet[(size_t)i * 7 % lens[n]] ^= 0x10;
		rc = packet_open(&receiver, packet, lens[n], &text, &len);
		if (rc == KCFAES_INVALID_MAC) {
			refused++;
		} else if (rc == KCFAES_OK) {
			delivered++;
			wrong += len != (size_t)n * 14;
			for (size_t j = 0; j < len; j++)
				wrong += text[j] != n;
		} else {
			fprintf(stderr, "packet: %s\n", kcfaes_strerror(rc));
			wrong++;
		}
	}
	/* One that is older than the window, which nobody has to remember. */
	memcpy(packet, sent[3], lens[3]);
	refused += packet_open(&receiver, packet, lens[3], &text, &len) == KCFAES_INVALID_MAC;

	kcfaes_key_wipe(sender.key);
	kcfaes_key_wipe(receiver.key);
	printf("packet: %d delivered, %d refused, %d wrong\n", delivered, refused, wrong);
	return (delivered == PACKETS && refused == PACKETS + 1 && wrong == 0 ? 0 : 1);
}
