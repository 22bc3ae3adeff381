/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The port: everything fakekernel takes from the world below it.  fk_port.c
 * implements it over a C library and POSIX threads; a ring-0 test kernel
 * brings its own file and reuses all other sources unchanged.
 *
 * The port also supplies memcpy, memmove, memset, memcmp, bcopy, bzero, bcmp,
 * strlen, strcmp and strncmp.  In userland they are the C library's.
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

/* Starts a detached thread; nonzero: there are no threads here. */
extern int fk_port_spawn(void (*)(void *), void *);

extern uint64_t fk_port_now_ns(void);
extern void fk_port_sleep_ns(uint64_t);

extern unsigned fk_port_cpu(void);
extern unsigned fk_port_ncpus(void);

#endif	/* _FK_PORT_H */
