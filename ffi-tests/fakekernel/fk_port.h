/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The port is everything that fakekernel takes from the world below it.
 * fk_port.c implements it over a C library and POSIX threads.  A ring-0 test
 * kernel brings its own file and uses all other sources unchanged.
 *
 * The port also supplies memcpy, memmove, memset, memcmp, bcopy, bzero, bcmp,
 * strlen, strcmp and strncmp.  In userland they are the C library's.
 *
 * A module's calls of these behave as in a DEBUG kernel, which checks an
 * address before it looks at the count.  A call of no bytes at an address that
 * is not the kernel's panics there, and is a violation here.  In ring 0 the
 * functions themselves check.  A userland copy of a module calls the fk_
 * functions.
 */

#ifndef	_FK_PORT_H
#define	_FK_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Memory: 16-byte aligned, NULL on failure. */
extern void *fk_port_alloc(size_t);
extern void fk_port_free(void *);

extern void fk_port_write(const char *, size_t);
extern void fk_port_abort(void) __attribute__((noreturn));

/* Per-thread storage: zero at a thread's first call, stable for its life. */
#define	FK_PORT_SELF_BYTES	1024
extern void *fk_port_self(void);

/* Locks and condition variables: all-zero is the initial state. */
/* The last word belongs to the caller. */
typedef struct fk_port_mutex {
	uint64_t opaque[8];
} fk_port_mutex_t;
typedef struct fk_port_cond {
	uint64_t opaque[8];
} fk_port_cond_t;

extern void fk_port_lock(fk_port_mutex_t *);
extern void fk_port_unlock(fk_port_mutex_t *);
extern void fk_port_wait(fk_port_cond_t *, fk_port_mutex_t *);
extern void fk_port_wake_all(fk_port_cond_t *);

/* Starts a detached thread.  Nonzero if there are no threads here. */
extern int fk_port_spawn(void (*)(void *), void *);

/* From the linker.  No address below it is the kernel's. */
extern char __executable_start[];

/* Records the violation. */
extern void fk_wild(const char *function, const void *at);

static inline int
fk_address(const char *function, const void *at)
{
	if ((uintptr_t)at >= (uintptr_t)__executable_start)
		return (1);
	fk_wild(function, at);
	return (0);
}

extern void *fk_memcpy(void *, const void *, size_t);
extern void *fk_memmove(void *, const void *, size_t);
extern void *fk_memset(void *, int, size_t);
extern void fk_bcopy(const void *, void *, size_t);
extern void fk_bzero(void *, size_t);

extern uint64_t fk_port_now_ns(void);
extern void fk_port_sleep_ns(uint64_t);

extern unsigned fk_port_cpu(void);
extern unsigned fk_port_ncpus(void);

#endif	/* _FK_PORT_H */
