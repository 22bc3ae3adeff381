/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What calls of libkcfaes leave behind, with table portable.  Each call is made
 * twice, on the same stack and with the same addresses, but with another key
 * and another text.  What then differs on the dead stack or in the registers
 * that a callee may change depends on a secret, unless it is a result.
 */

#define	_DEFAULT_SOURCE		/* ucontext */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <kcfaes.h>

#define	COUNT(a)	(sizeof (a) / sizeof ((a)[0]))
#define	STACK		(256 * 1024)
#define	LEN		407
#define	BLOCKS		(LEN & ~(size_t)15)
#define	PIECES		5

/*
 * Calls a function and stores the registers as it leaves them.  Before that it
 * makes those registers equal in both rounds that the function will save on its
 * stack.
 */
extern void call_and_capture(kcfaes_rc (*function)(void), uint64_t *registers);

#if defined(__aarch64__)
/* x0 to x18 and the stack pointer, then v0 to v31.  Of v8 to v15 a callee keeps the lower halves. */
#define	GENERAL		20
#define	REGISTERS	(GENERAL + 64)
__asm__(
    ".text\n"
    ".globl call_and_capture\n"
    ".type call_and_capture, %function\n"
    "call_and_capture:\n"
    "	stp x29, x30, [sp, #-160]!\n"
    "	mov x29, sp\n"
    "	stp x19, x20, [sp, #16]\n"
    "	stp x21, x22, [sp, #32]\n"
    "	stp x23, x24, [sp, #48]\n"
    "	stp x25, x26, [sp, #64]\n"
    "	stp x27, x28, [sp, #80]\n"
    "	stp d8, d9, [sp, #96]\n"
    "	stp d10, d11, [sp, #112]\n"
    "	stp d12, d13, [sp, #128]\n"
    "	stp d14, d15, [sp, #144]\n"
    "	mov x19, x1\n"
    "	mov x20, xzr\n"
    "	mov x21, xzr\n"
    "	mov x22, xzr\n"
    "	mov x23, xzr\n"
    "	mov x24, xzr\n"
    "	mov x25, xzr\n"
    "	mov x26, xzr\n"
    "	mov x27, xzr\n"
    "	mov x28, xzr\n"
    "	movi v8.2d, #0\n"
    "	movi v9.2d, #0\n"
    "	movi v10.2d, #0\n"
    "	movi v11.2d, #0\n"
    "	movi v12.2d, #0\n"
    "	movi v13.2d, #0\n"
    "	movi v14.2d, #0\n"
    "	movi v15.2d, #0\n"
    "	blr x0\n"
    "	stp x0, x1, [x19]\n"
    "	stp x2, x3, [x19, #16]\n"
    "	stp x4, x5, [x19, #32]\n"
    "	stp x6, x7, [x19, #48]\n"
    "	stp x8, x9, [x19, #64]\n"
    "	stp x10, x11, [x19, #80]\n"
    "	stp x12, x13, [x19, #96]\n"
    "	stp x14, x15, [x19, #112]\n"
    "	stp x16, x17, [x19, #128]\n"
    "	mov x9, sp\n"
    "	stp x18, x9, [x19, #144]\n"
    "	stp q0, q1, [x19, #160]\n"
    "	stp q2, q3, [x19, #192]\n"
    "	stp q4, q5, [x19, #224]\n"
    "	stp q6, q7, [x19, #256]\n"
    "	stp q8, q9, [x19, #288]\n"
    "	stp q10, q11, [x19, #320]\n"
    "	stp q12, q13, [x19, #352]\n"
    "	stp q14, q15, [x19, #384]\n"
    "	stp q16, q17, [x19, #416]\n"
    "	stp q18, q19, [x19, #448]\n"
    "	stp q20, q21, [x19, #480]\n"
    "	stp q22, q23, [x19, #512]\n"
    "	stp q24, q25, [x19, #544]\n"
    "	stp q26, q27, [x19, #576]\n"
    "	stp q28, q29, [x19, #608]\n"
    "	stp q30, q31, [x19, #640]\n"
    "	ldp x19, x20, [sp, #16]\n"
    "	ldp x21, x22, [sp, #32]\n"
    "	ldp x23, x24, [sp, #48]\n"
    "	ldp x25, x26, [sp, #64]\n"
    "	ldp x27, x28, [sp, #80]\n"
    "	ldp d8, d9, [sp, #96]\n"
    "	ldp d10, d11, [sp, #112]\n"
    "	ldp d12, d13, [sp, #128]\n"
    "	ldp d14, d15, [sp, #144]\n"
    "	ldp x29, x30, [sp], #160\n"
    "	ret\n"
    ".size call_and_capture, . - call_and_capture\n");
#elif defined(__x86_64__)
/* rax, rcx, rdx, rsi, rdi, r8 to r11 and rsp, then xmm0 to xmm15. */
#define	GENERAL		10
#define	REGISTERS	(GENERAL + 32)
__asm__(
    ".text\n"
    ".globl call_and_capture\n"
    ".type call_and_capture, @function\n"
    "call_and_capture:\n"
    "	pushq %rbx\n"
    "	pushq %rbp\n"
    "	pushq %r12\n"
    "	pushq %r13\n"
    "	pushq %r14\n"
    "	pushq %r15\n"
    "	subq $8, %rsp\n"
    "	movq %rsi, %rbx\n"
    "	xorl %ebp, %ebp\n"
    "	xorl %r12d, %r12d\n"
    "	xorl %r13d, %r13d\n"
    "	xorl %r14d, %r14d\n"
    "	xorl %r15d, %r15d\n"
    "	call *%rdi\n"
    "	movq %rax, (%rbx)\n"
    "	movq %rcx, 8(%rbx)\n"
    "	movq %rdx, 16(%rbx)\n"
    "	movq %rsi, 24(%rbx)\n"
    "	movq %rdi, 32(%rbx)\n"
    "	movq %r8, 40(%rbx)\n"
    "	movq %r9, 48(%rbx)\n"
    "	movq %r10, 56(%rbx)\n"
    "	movq %r11, 64(%rbx)\n"
    "	movq %rsp, 72(%rbx)\n"
    "	movups %xmm0, 80(%rbx)\n"
    "	movups %xmm1, 96(%rbx)\n"
    "	movups %xmm2, 112(%rbx)\n"
    "	movups %xmm3, 128(%rbx)\n"
    "	movups %xmm4, 144(%rbx)\n"
    "	movups %xmm5, 160(%rbx)\n"
    "	movups %xmm6, 176(%rbx)\n"
    "	movups %xmm7, 192(%rbx)\n"
    "	movups %xmm8, 208(%rbx)\n"
    "	movups %xmm9, 224(%rbx)\n"
    "	movups %xmm10, 240(%rbx)\n"
    "	movups %xmm11, 256(%rbx)\n"
    "	movups %xmm12, 272(%rbx)\n"
    "	movups %xmm13, 288(%rbx)\n"
    "	movups %xmm14, 304(%rbx)\n"
    "	movups %xmm15, 320(%rbx)\n"
    "	addq $8, %rsp\n"
    "	popq %r15\n"
    "	popq %r14\n"
    "	popq %r13\n"
    "	popq %r12\n"
    "	popq %rbp\n"
    "	popq %rbx\n"
    "	ret\n"
    ".size call_and_capture, . - call_and_capture\n");
#endif

static const uint8_t nonce[12] = "public nonce";
static const uint8_t long_iv[20] = "public IV of 20 byte";
static const uint8_t header[33] = "public data that is authenticated";

static uint8_t key_bytes[32], text[LEN], sealed[LEN], opened[LEN], tag[16], mac[16];
static uint8_t counter[16];
static kcfaes_key *key;
static kcfaes_ctx *ctx;
static size_t written;
static kcfaes_iovec in[PIECES], out[PIECES];
static uint64_t key_memory[KCFAES_KEY_SIZE / 8];

static kcfaes_rc
set_key(void)
{
	return (kcfaes_key_init(key_memory, sizeof (key_memory), key_bytes, 32, &key));
}

static kcfaes_rc
gcm_seal(void)
{
	return (kcfaes_gcm_seal(key, nonce, 12, header, 33, text, LEN, sealed, tag, 16));
}

static kcfaes_rc
gcm_open(void)
{
	return (kcfaes_gcm_open(key, nonce, 12, header, 33, sealed, LEN, opened, tag, 16));
}

/* J0 is then GHASH of the IV, and tells of H. */
static kcfaes_rc
gcm_seal_long_iv(void)
{
	return (kcfaes_gcm_seal(key, long_iv, 20, header, 33, text, LEN, sealed, tag, 16));
}

static kcfaes_rc
gcm_open_long_iv(void)
{
	return (kcfaes_gcm_open(key, long_iv, 20, header, 33, sealed, LEN, opened, tag, 16));
}

static kcfaes_rc
gcm_seal_pieces(void)
{
	return (kcfaes_gcm_seal_iov(key, nonce, 12, header, 33, in, PIECES, out, PIECES, tag,
	    16));
}

static kcfaes_rc
gcm_forged(void)
{
	tag[3] ^= 1;
	return (kcfaes_gcm_open(key, nonce, 12, header, 33, sealed, LEN, opened, tag, 16) ==
	    KCFAES_INVALID_MAC ? KCFAES_OK : KCFAES_FAILED);
}

static kcfaes_rc
ccm_seal(void)
{
	return (kcfaes_ccm_seal(key, nonce, 12, header, 33, text, LEN, sealed, tag, 16));
}

static kcfaes_rc
ccm_open(void)
{
	return (kcfaes_ccm_open(key, nonce, 12, header, 33, sealed, LEN, opened, tag, 16));
}

static kcfaes_rc
gmac(void)
{
	return (kcfaes_gmac(key, nonce, 12, text, LEN, tag, 16));
}

static kcfaes_rc
cmac(void)
{
	return (kcfaes_cmac(key, text, LEN, mac, 16));
}

static kcfaes_rc
cmac_verify(void)
{
	return (kcfaes_cmac_verify(key, text, LEN, mac, 16));
}

static kcfaes_rc
ctr(void)
{
	return (kcfaes_ctr(key, counter, text, LEN, sealed));
}

static kcfaes_rc
cbc_encrypt(void)
{
	return (kcfaes_cbc_encrypt(key, counter, text, BLOCKS, sealed));
}

static kcfaes_rc
cbc_decrypt(void)
{
	return (kcfaes_cbc_decrypt(key, counter, sealed, BLOCKS, opened));
}

static kcfaes_rc
ecb_decrypt_pieces(void)
{
	kcfaes_iovec from = { sealed, BLOCKS };

	return (kcfaes_ecb_decrypt_iov(key, &from, 1, out, PIECES));
}

static kcfaes_rc
gcm_begin(void)
{
	return (kcfaes_gcm_seal_init(ctx, key, nonce, 12, header, 33));
}

static kcfaes_rc
gcm_part(void)
{
	return (kcfaes_update(ctx, text, 77, sealed, LEN, &written));
}

static kcfaes_rc
gcm_end(void)
{
	return (kcfaes_gcm_seal_final(ctx, sealed + written, LEN - written, &written, tag, 16));
}

/* In order: a call may use what an earlier one wrote. */
static const struct {
	const char *name;
	kcfaes_rc (*call)(void);
} steps[] = {
	{ "key", set_key }, { "gcm seal", gcm_seal }, { "gcm open", gcm_open },
	{ "gcm forged", gcm_forged }, { "gcm seal, hashed iv", gcm_seal_long_iv },
	{ "gcm open, hashed iv", gcm_open_long_iv }, { "gcm seal, pieces", gcm_seal_pieces },
	{ "ccm seal", ccm_seal }, { "ccm open", ccm_open }, { "gmac", gmac }, { "cmac", cmac },
	{ "cmac verify", cmac_verify }, { "ctr", ctr }, { "cbc encrypt", cbc_encrypt },
	{ "cbc decrypt", cbc_decrypt }, { "ecb decrypt, pieces", ecb_decrypt_pieces },
	{ "gcm begin", gcm_begin }, { "gcm part", gcm_part }, { "gcm end", gcm_end },
};

/* After each step: the stack, the registers, and what is public. */
static struct left {
	unsigned char stack[STACK];
	uint64_t registers[REGISTERS];
	uint8_t sealed[LEN], tag[16], mac[16], counter[16];
} left[2][COUNT(steps)];

static unsigned char stack[STACK] __attribute__((aligned(64)));
static uint64_t registers[REGISTERS];
static ucontext_t program, callee;
static size_t step;
static unsigned long failures;

static void
on_its_stack(void)
{
	call_and_capture(steps[step].call, registers);
	(void) swapcontext(&callee, &program);
}

static void
run(int round)
{
	size_t cuts[PIECES] = { 16, 0, 33, 100, LEN - 149 };

	for (size_t i = 0; i < 32; i++)
		key_bytes[i] = (uint8_t)(round == 0 ? 0x51 + 7 * i : 0xa9 ^ 11 * i);
	for (size_t i = 0, at = 0; i < PIECES; at += cuts[i++]) {
		in[i].base = text + at;
		out[i].base = (i + 1 < PIECES ? sealed : opened) + at;
		in[i].len = out[i].len = cuts[i];
	}
	for (step = 0; step < COUNT(steps); step++) {
		struct left *l = &left[round][step];

		for (size_t i = 0; i < LEN; i++)
			text[i] = (uint8_t)(round == 0 ? 13 * i + i / 7 : 0xff - 29 * i - i / 5);
		memset(counter, 0x42, 16);
		memset(stack, 0xee, STACK);
		memset(&callee, 0, sizeof (callee));
		if (getcontext(&callee) != 0)
			abort();
		callee.uc_stack.ss_sp = stack;
		callee.uc_stack.ss_size = STACK;
		callee.uc_link = NULL;
		makecontext(&callee, on_its_stack, 0);
		if (swapcontext(&program, &callee) != 0)
			abort();
		if ((int)registers[0] != KCFAES_OK) {
			printf("%s: answered %d\n", steps[step].name, (int)registers[0]);
			failures++;
		}
		memcpy(l->stack, stack, STACK);
		memcpy(l->registers, registers, sizeof (registers));
		memcpy(l->sealed, sealed, LEN);
		memcpy(l->tag, tag, 16);
		memcpy(l->mac, mac, 16);
		memcpy(l->counter, counter, 16);
	}
}

static int
within(const unsigned char *bytes, size_t n, const uint8_t *in_these, size_t len)
{
	for (size_t at = 0; at + n <= len; at++) {
		if (memcmp(in_these + at, bytes, n) == 0)
			return (1);
	}
	return (0);
}

/* Whether 8 bytes are part of a result, in either byte order. */
static int
is_public(const struct left *l, const unsigned char *bytes)
{
	unsigned char swapped[8];

	for (size_t i = 0; i < 8; i++)
		swapped[i] = bytes[7 - i];
	for (int i = 0; i < 2; i++, bytes = swapped) {
		if (within(bytes, 8, l->sealed, LEN) || within(bytes, 8, l->tag, 16) ||
		    within(bytes, 8, l->mac, 16) || within(bytes, 8, l->counter, 16))
			return (1);
	}
	return (0);
}

static unsigned long
differences(size_t at_step, const char *what, const unsigned char *a, const unsigned char *b,
    size_t len)
{
	unsigned long found = 0;

	for (size_t at = 0; at < len; at += 8) {
		if (memcmp(a + at, b + at, 8) == 0 ||
		    (is_public(&left[0][at_step], a + at) && is_public(&left[1][at_step], b + at)))
			continue;
		if (found++ < 4)
			printf("%s: %s, byte %zu of %zu differs\n", steps[at_step].name, what, at,
			    len);
	}
	return (found);
}

int
main(void)
{
	if (kcfaes_table_force("portable") != KCFAES_OK || kcfaes_ctx_new(&ctx) != KCFAES_OK)
		return (1);
	/* The first round binds the library's symbols, which uses the stack too. */
	for (int round = -1; round < 2; round++)
		run(round < 0 ? 0 : round);
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct left *a = &left[0][i], *b = &left[1][i];
		size_t deepest = 0;

		while (deepest < STACK && a->stack[deepest] == 0xee)
			deepest++;
		/* What is above the stack pointer is this program's. */
		failures += differences(i, "stack", a->stack, b->stack,
		    (size_t)(a->registers[GENERAL - 1] - (uintptr_t)stack));
		failures += differences(i, "register", (const unsigned char *)a->registers,
		    (const unsigned char *)b->registers, sizeof (a->registers));
		if (STACK - deepest < 512) {
			printf("%s: ran elsewhere\n", steps[i].name);
			failures++;
		}
		printf("%-20s %zu bytes of stack\n", steps[i].name, STACK - deepest);
	}
	kcfaes_ctx_free(ctx);
	printf("%zu calls looked at, %lu secrets left\n", COUNT(steps), failures);
	return (failures == 0 ? 0 : 1);
}
