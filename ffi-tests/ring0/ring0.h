/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What the test kernel's own sources share.
 */

#ifndef	_RING0_H
#define	_RING0_H

#include <sys/types.h>

/* ---- machine.c: processor, console, traps, timer. ---- */

#define	LEVELS	3	/* the thread, an interrupt, one inside that */

extern void machine_init(void);
extern void machine_exit(int passed) __attribute__((noreturn));
extern void console_write(const char *, size_t);

/* 0: the thread.  n: n interrupts deep. */
extern volatile unsigned level;
extern volatile uint64_t ticks;

/* Instructions that ran while step_on was in force, some of its own too. */
extern volatile uint64_t steps;

extern void interrupts_on(void);
extern void interrupts_off(void);
extern int interrupts_are_on(void);

/* In main.c.  Each timer interrupt calls it with interrupts off. */
extern void tick(void);
extern void timer_arm(void);

static inline uint64_t
cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a" (low), "=d" (high));
	return (((uint64_t)high << 32) | low);
}

#define	TRAP_FLAG	0x100

static inline void
step_on(void)
{
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : :
	    "i" (TRAP_FLAG) : "memory", "cc");
}

static inline void
step_off(void)
{
	__asm__ volatile("pushfq; andq %0, (%%rsp); popfq" : :
	    "i" (~TRAP_FLAG) : "memory", "cc");
}

/* ---- fpu.c: CR0.TS and the vector state, for real. ---- */

#define	IMAGE_BYTES	4096
#define	IMAGE_XMM	160	/* xmm0-15 in the image */
#define	IMAGE_XMM_BYTES	256

typedef struct image {
	uint8_t bytes[IMAGE_BYTES];
} __attribute__((aligned(64))) image_t;

extern void fpu_init(void);
extern void fpu_report(void);
/* Saves x87, MXCSR and every vector and mask register; TS stays. */
extern void fpu_image(image_t *);
/* Fills every vector register, even with TS set, which stays. */
extern void fpu_fill(uint64_t);
/* Sets XCR0 as a guest that knows only x87 and SSE has it, or sets it back. */
extern void fpu_guest_xcr0(int on);
/*
 * What kernel_fpu_begin does to the registers of a thread with user state, and
 * what brings them back when the thread returns to userland.  TS is clear.
 */
extern void fpu_save_and_restore(void);
extern int fpu_ts(void);
extern void fpu_set_ts(int);

/* ---- probe.c. ---- */

extern int probe_locals_survive(const volatile uint64_t *ticks);
extern int probe_copy(void);

/* ---- vectors.c: the vector table through KCF. ---- */

/* Runs each case in every manner.  Returns their number; counts digests. */
extern unsigned vectors_all(const char *table, unsigned *digests);
/* Runs the next short case, in an interrupt. */
extern void vectors_short(void *);

/* ---- main.c ---- */

/* Counts a check, and reports a failure. */
extern void check(int ok, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
extern uint64_t failed(void);

#endif	/* _RING0_H */
