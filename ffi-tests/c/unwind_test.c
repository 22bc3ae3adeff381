/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A debugger or profiler that stops anywhere in the library finds the way to main. The program steps through
 * calls of each mode on each table. At every instruction it unwinds the stack as backtrace(3) does, and looks
 * whether main's frame is found, at the same place each time.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <kcfaes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

int main(void);

/* Where main's frame ends, once it has been seen. */
static _Unwind_Word main_frame;
static unsigned long steps, lost;
/* The instruction that is looked at, and the first from which main was not found. */
static uintptr_t here, first_lost;

enum found { NOTHING, MAIN, MAIN_IN_ITS_PLACE };

static _Unwind_Reason_Code
look(struct _Unwind_Context *frame, void *found)
{
	/* What the unwinder calls a frame's CFA here is where the frame below it ends. */
	_Unwind_Word end = _Unwind_GetCFA(frame);

	if (*(enum found *)found == MAIN) {
		if (main_frame == 0)
			main_frame = end;
		if (main_frame == end)
			*(enum found *)found = MAIN_IN_ITS_PLACE;
		return (_URC_END_OF_STACK);
	}
	if (_Unwind_FindEnclosingFunction((void *)(_Unwind_GetIP(frame) - 1)) == (void *)main)
		*(enum found *)found = MAIN;
	return (_URC_NO_REASON);
}

static void
stepped(int number, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;
	enum found found = NOTHING;

	(void) number;
	(void) info;
	here = interrupted == NULL ? 0 : (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP];
	_Unwind_Backtrace(look, &found);
	steps++;
	if (found != MAIN_IN_ITS_PLACE && lost++ == 0)
		first_lost = here;
}

/* Names an instruction by its file and its address there. */
static void
complain(const char *what, uintptr_t instruction)
{
	Dl_info place;

	if (dladdr((void *)instruction, &place) == 0) {
		place.dli_fname = "?";
		place.dli_fbase = NULL;
	}
	fprintf(stderr, "%s %s+%#lx\n", what, place.dli_fname,
	    (unsigned long)(instruction - (uintptr_t)place.dli_fbase));
}

/* A wrong table can send the unwinder anywhere. */
static void
crashed(int number)
{
	(void) number;
	complain("the unwinder crashed, looking from", here);
	_exit(1);
}

/*
 * turn: turns the trap flag over: from here on, or no longer, each instruction ends in SIGTRAP.
 * lie: has a frame of which its table says nothing. Its return address seems to be 0.
 */
void turn(void);
void lie(void);
__asm__(
    ".text\n"
    "turn:\t.cfi_startproc\n\t"
    "pushfq\n\t"
    ".cfi_adjust_cfa_offset 8\n\t"
    "xorq $0x100, (%rsp)\n\t"
    "popfq\n\t"
    ".cfi_adjust_cfa_offset -8\n\t"
    "ret\n\t"
    ".cfi_endproc\n"
    "lie:\t.cfi_startproc\n\t"
    "pushq $0\n\t"
    "popq %rax\n\t"
    "ret\n\t"
    ".cfi_endproc\n");

#define CHECK(call) \
	do { \
		if ((call) != KCFAES_OK) { \
			fprintf(stderr, "%s: %s\n", table, #call); \
			exit(1); \
		} \
	} while (0)

/* Long enough for the bulk loop of every table. */
#define MOST (16 * 40)

/* Each call that a table has a kernel for, with texts of len bytes or a few more. */
static void __attribute__((noinline))
calls(const char *table, size_t len)
{
	static const uint8_t secret[16] = { 1 }, iv[16] = { 2 };
	static uint8_t text[MOST + 5], opened[MOST + 5];
	kcfaes_iovec from[3] = { { text, 20 }, { text + 20, 30 }, { text + 50, len - 50 } };
	kcfaes_iovec to[2] = { { opened, 40 }, { opened + 40, len - 40 } };
	kcfaes_cbc_job jobs[3];
	uint8_t tag[16], counter[16] = { 0 };
	kcfaes_key *key;
	kcfaes_ctx *ctx;
	size_t written;
	int forged;

	memset(jobs, 0, sizeof (jobs));
	turn();
	CHECK(kcfaes_key_new(secret, sizeof (secret), &key));
	CHECK(kcfaes_gcm_seal(key, iv, 12, iv, 16, text, len + 5, text, tag, 16));
	tag[0] ^= 1;
	forged = kcfaes_gcm_open(key, iv, 12, iv, 16, text, len + 5, opened, tag, 16);
	tag[0] ^= 1;
	CHECK(kcfaes_gcm_open(key, iv, 12, iv, 16, text, len + 5, opened, tag, 16));
	CHECK(kcfaes_gcm_seal(key, iv, 13, NULL, 0, text, 20, text, tag, 16));
	CHECK(kcfaes_gcm_seal_iov(key, iv, 12, NULL, 0, from, 3, to, 2, tag, 16));
	CHECK(kcfaes_gmac(key, iv, 12, text, 40, tag, 16));
	CHECK(kcfaes_ccm_seal(key, iv, 12, NULL, 0, text, 40, text, tag, 16));
	CHECK(kcfaes_cmac(key, text, 40, tag, 16));
	CHECK(kcfaes_ctr(key, counter, text, len + 5, opened));
	CHECK(kcfaes_ecb_encrypt(key, text, len, opened));
	CHECK(kcfaes_ecb_decrypt(key, text, len, opened));
	CHECK(kcfaes_cbc_encrypt(key, counter, text, 32, opened));
	CHECK(kcfaes_cbc_decrypt(key, counter, text, len, opened));
	CHECK(kcfaes_cbc_decrypt_iov(key, counter, from, 3, to, 2));
	CHECK(kcfaes_ecb_encrypt_iov(key, from, 3, to, 2));
	for (size_t i = 0; i < 3; i++) {
		jobs[i].key = key;
		jobs[i].src = jobs[i].dst = text + len / 64 * 16 * i;
		jobs[i].len = len / 64 * 16;
	}
	CHECK(kcfaes_cbc_encrypt_batch(jobs, 3));
	CHECK(kcfaes_ctx_new(&ctx));
	CHECK(kcfaes_gcm_seal_init(ctx, key, iv, 12, NULL, 0));
	CHECK(kcfaes_update(ctx, text, 50, opened, sizeof (opened), &written));
	CHECK(kcfaes_update(ctx, text, 50, opened, sizeof (opened), &written));
	CHECK(kcfaes_gcm_seal_final(ctx, opened, sizeof (opened), &written, tag, 16));
	kcfaes_ctx_free(ctx);
	kcfaes_key_free(key);
	turn();
	if (forged != KCFAES_INVALID_MAC) {
		fprintf(stderr, "%s: a forged message was opened\n", table);
		exit(1);
	}
}

/* The program must see a frame that lies. */
static void
planted(void)
{
	turn();
	lie();
	turn();
	if (lost != 1) {
		fprintf(stderr, "of one wrong frame %lu were seen\n", lost);
		exit(1);
	}
	lost = 0;
}

int
main(void)
{
	static const char *const tables[] = { "portable", "aesni", "vaes256", "vaes512" };
	struct sigaction action;

	memset(&action, 0, sizeof (action));
	action.sa_sigaction = stepped;
	action.sa_flags = SA_SIGINFO;
	/* The first backtrace may load and allocate. */
	stepped(0, NULL, NULL);
	if (lost != 0 || sigaction(SIGTRAP, &action, NULL) != 0) {
		fprintf(stderr, "main's frame is not found from here\n");
		return (1);
	}
	(void) signal(SIGSEGV, crashed);
	(void) signal(SIGBUS, crashed);
	planted();
	for (size_t i = 0; i < sizeof (tables) / sizeof (tables[0]); i++) {
		unsigned long before = steps;

		if (kcfaes_table_force(tables[i]) != KCFAES_OK)
			continue;
		/* The portable table takes hundreds of instructions for a byte. */
		calls(tables[i], i == 0 ? 64 : MOST);
		if (lost == 0) {
			printf("%s: main was found from each of %lu instructions\n", tables[i],
			    steps - before);
			continue;
		}
		fprintf(stderr, "%s: main is not found from %lu of %lu instructions\n", tables[i], lost,
		    steps - before);
		complain("the first is", first_lost);
		return (1);
	}
	return (0);
}
