/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A signal handler that encrypts, called at every instruction of a call that encrypts, with the same key.
 * Both get their answers. The interrupted program has an unusual MXCSR and live MMX registers: both calls
 * leave them alone.
 */

#define _GNU_SOURCE
#include <kcfaes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#define COUNT(a) (sizeof (a) / sizeof ((a)[0]))

/* Long enough for the bulk loop of every table, with a partial end. */
#define MOST (16 * 40 + 5)

static const uint8_t secret[32] = { 1, 2, 3 }, iv[16] = { 4, 5, 6 }, header[20] = { 7 };
static uint8_t text[MOST], sealed[MOST], sealed_tag[16];
static size_t len;
static kcfaes_key *key;

/* The memory of one call: the program's, and the handler's. */
struct place {
	uint8_t out[MOST + 16], tag[16], room[KCFAES_CTX_SIZE];
	kcfaes_ctx *ctx;
};

static struct place interrupted, handler;

/* Each makes the memory of its place as it was at first, but for its answer. */
static kcfaes_rc
gcm_seal(struct place *p)
{
	return (kcfaes_gcm_seal(key, iv, 12, header, 20, text, len, p->out, p->tag, 16));
}

static kcfaes_rc
gcm_open(struct place *p)
{
	return (kcfaes_gcm_open(key, iv, 12, header, 20, sealed, len, p->out, sealed_tag, 16));
}

/* No plaintext of a forged message is left. */
static kcfaes_rc
gcm_forged(struct place *p)
{
	return (kcfaes_gcm_open(key, iv, 12, header, 19, sealed, len, p->out, sealed_tag, 16));
}

static kcfaes_rc
gcm_parts(struct place *p)
{
	kcfaes_iovec from[2] = { { text + 37, 20 }, { text + 57, len - 57 } };
	kcfaes_iovec to[2] = { { p->out + 37, 9 }, { p->out + 46, len - 46 } };
	size_t written;

	if (kcfaes_gcm_seal_init(p->ctx, key, iv, 16, header, 20) != KCFAES_OK ||
	    kcfaes_update(p->ctx, text, 37, p->out, 37, &written) != KCFAES_OK ||
	    kcfaes_update_iov(p->ctx, from, 2, to, 2, &written) != KCFAES_OK)
		return (KCFAES_FAILED);
	return (kcfaes_gcm_seal_final(p->ctx, NULL, 0, &written, p->tag, 16));
}

static kcfaes_rc
ccm_seal(struct place *p)
{
	return (kcfaes_ccm_seal(key, iv, 12, header, 20, text, 45, p->out, p->tag, 16));
}

static kcfaes_rc
cmac(struct place *p)
{
	return (kcfaes_cmac(key, text, 45, p->tag, 16));
}

static kcfaes_rc
ctr(struct place *p)
{
	uint8_t counter[16];

	memset(counter, 0xff, 16);
	return (kcfaes_ctr(key, counter, text, len, p->out));
}

static kcfaes_rc
cbc_decrypt(struct place *p)
{
	uint8_t chain[16] = { 8 };

	return (kcfaes_cbc_decrypt(key, chain, text, len & ~(size_t)15, p->out));
}

static kcfaes_rc
cbc_encrypt(struct place *p)
{
	uint8_t chain[16] = { 8 };

	return (kcfaes_cbc_encrypt(key, chain, text, 48, p->out));
}

static kcfaes_rc
ecb_encrypt(struct place *p)
{
	return (kcfaes_ecb_encrypt(key, text, len & ~(size_t)15, p->out));
}

static const struct {
	const char *name;
	kcfaes_rc (*call)(struct place *);
	kcfaes_rc rc;
} calls[] = {
	/* The first ones are interrupted in the portable table too, which takes ten times the instructions. */
	{ "gcm_forged", gcm_forged, KCFAES_INVALID_MAC }, { "gcm_parts", gcm_parts, KCFAES_OK },
	{ "ctr", ctr, KCFAES_OK }, { "cmac", cmac, KCFAES_OK },
	{ "gcm_seal", gcm_seal, KCFAES_OK }, { "gcm_open", gcm_open, KCFAES_OK },
	{ "ccm_seal", ccm_seal, KCFAES_OK }, { "cbc_decrypt", cbc_decrypt, KCFAES_OK },
	{ "cbc_encrypt", cbc_encrypt, KCFAES_OK }, { "ecb_encrypt", ecb_encrypt, KCFAES_OK },
};

/* The answers of a call that nothing interrupts. */
static struct {
	uint8_t out[MOST + 16], tag[16];
} answers[COUNT(calls)];

/* Whether a call gives its answer. */
static int
is_right(size_t i, struct place *p)
{
	memset(p->out, 0xee, sizeof (p->out));
	memset(p->tag, 0xee, sizeof (p->tag));
	return (calls[i].call(p) == calls[i].rc &&
	    memcmp(p->out, answers[i].out, sizeof (p->out)) == 0 &&
	    memcmp(p->tag, answers[i].tag, 16) == 0);
}

/* Rounding up, denormals are zero both ways, some exceptions have been; none is unmasked. */
#define MXCSR 0xdfd5u

static const uint64_t marks[8] = {
	0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444,
	0x5555555555555555, 0x6666666666666666, 0x7777777777777777, 0x8888888888888888
};

static void
mark(void)
{
	uint32_t mxcsr = MXCSR;

	__asm__ __volatile__(
	    "ldmxcsr %0\n\t"
	    "movq (%1), %%mm0\n\tmovq 8(%1), %%mm1\n\tmovq 16(%1), %%mm2\n\tmovq 24(%1), %%mm3\n\t"
	    "movq 32(%1), %%mm4\n\tmovq 40(%1), %%mm5\n\tmovq 48(%1), %%mm6\n\tmovq 56(%1), %%mm7"
	    : : "m" (mxcsr), "r" (marks) : "memory", "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7");
}

/* Whether MXCSR and the MMX registers are as mark() made them, and still in use. Makes them usual again. */
static int
is_marked(void)
{
	static struct { uint8_t bytes[512]; } area __attribute__((aligned(16)));
	uint32_t mxcsr, usual = 0x1f80;
	int same;

	/* No register has been used since. */
	__asm__ __volatile__("fxsave %0\n\temms\n\tldmxcsr %1" : "=m" (area) : "m" (usual));
	memcpy(&mxcsr, area.bytes + 24, 4);
	same = mxcsr == MXCSR && area.bytes[4] == 0xff;
	for (size_t i = 0; i < 8; i++)
		same &= memcmp(area.bytes + 32 + 16 * i, &marks[i], 8) == 0;
	return (same);
}

/* How many of the calls are interrupted, and how often the handler encrypts: at every such step. */
static size_t stepped_calls;
static unsigned long every;
static volatile unsigned long steps, nested, wrong, unmarked;

static void
stepped(int number)
{
	(void) number;
	if (++steps % every != 0)
		return;
	mark();
	nested++;
	wrong += !is_right(nested % COUNT(calls), &handler);
	unmarked += !is_marked();
}

/* Turns the trap flag over: from here on, or no longer, each instruction ends in SIGTRAP. */
void turn(void);
__asm__(
    ".text\n"
    "turn:\tpushfq\n\t"
    "xorq $0x100, (%rsp)\n\t"
    "popfq\n\t"
    "ret\n");

static int
run(const char *table)
{
	int bad = 0;

	if (kcfaes_gcm_seal(key, iv, 12, header, 20, text, len, sealed, sealed_tag, 16) != KCFAES_OK)
		abort();
	for (size_t i = 0; i < COUNT(calls); i++) {
		struct place *p = &interrupted;

		memset(p->out, 0xee, sizeof (p->out));
		memset(p->tag, 0xee, sizeof (p->tag));
		if (calls[i].call(p) != calls[i].rc)
			abort();
		memcpy(answers[i].out, p->out, sizeof (p->out));
		memcpy(answers[i].tag, p->tag, 16);
	}
	for (size_t i = 0; i < stepped_calls; i++) {
		int right, marked;

		steps = nested = 0;
		mark();
		turn();
		right = is_right(i, &interrupted);
		turn();
		marked = is_marked();
		if (right && marked && wrong == 0 && unmarked == 0 && nested > 100)
			continue;
		fprintf(stderr, "%s, %s: interrupted %lu times; %s; MXCSR and MMX are %s; in the handler %lu "
		    "answers were wrong, and MXCSR and MMX %lu times\n", table, calls[i].name, nested,
		    right ? "right" : "WRONG", marked ? "kept" : "CHANGED", wrong, unmarked);
		bad = 1;
	}
	return (bad);
}

int
main(void)
{
	static const char *const tables[] = { "portable", "aesni", "vaes256", "vaes512" };
	int bad = 0;

	for (size_t i = 0; i < sizeof (text); i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
	if (kcfaes_key_new(secret, 32, &key) != KCFAES_OK ||
	    kcfaes_ctx_init(interrupted.room, sizeof (interrupted.room), &interrupted.ctx) != KCFAES_OK ||
	    kcfaes_ctx_init(handler.room, sizeof (handler.room), &handler.ctx) != KCFAES_OK ||
	    signal(SIGTRAP, stepped) == SIG_ERR)
		return (1);
	for (size_t t = 0; t < COUNT(tables); t++) {
		if (kcfaes_table_force(tables[t]) != KCFAES_OK)
			continue;
		/* The portable table takes hundreds of instructions for a byte. */
		len = t == 0 ? 85 : MOST;
		every = t == 0 ? 13 : 1;
		stepped_calls = t == 0 ? 4 : COUNT(calls);
		bad |= run(tables[t]);
	}
	if (!bad)
		printf("each call gave its answer, interrupted at each instruction and interrupting\n");
	kcfaes_key_free(key);
	return (bad);
}

#else

int
main(void)
{
	printf("NOT RUN: a call interrupted at each instruction: this is no x86-64\n");
	return (0);
}

#endif
