/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What fakekernel's own sources share.
 */

#ifndef	_FK_IMPL_H
#define	_FK_IMPL_H

#include <sys/types.h>
#include <sys/varargs.h>
#include <sys/systm.h>
#include <sys/thread.h>
#include <sys/cpuvar.h>

#include "fk_port.h"
#include "fk_test.h"

#define	FK_SIZES	64	/* allocation sizes kept per thread */

/* One per thread, in the port's per-thread storage; starts as zero bytes. */
typedef struct fk_thread {
	kthread_t	ft_kthread;
	cpu_t		ft_cpu;
	int		ft_interrupt;
	int		ft_in_hold;
	uint_t		ft_hold_flags;
	int		ft_ts;
	int		ft_fail_all;
	int		ft_has_cpu;
	int		ft_mutexes;	/* held now */
	uint64_t	ft_fail_nth;
	fk_stats_t	ft_stats;
	const char	*ft_module;	/* being loaded by fk_module_load */
	uint_t		ft_nsizes;
	uint32_t	ft_sizes[FK_SIZES];
} fk_thread_t;

extern fk_thread_t *fk_self(void);

extern int fk_bench;		/* fk_bench_mode */
extern fk_stats_t fk_totals;

/* Adds to this thread's and to the process's counter. */
#define	FK_COUNT(field, n)						\
	do {								\
		fk_self()->ft_stats.field += (n);			\
		(void) __atomic_add_fetch(&fk_totals.field, (n),	\
		    __ATOMIC_RELAXED);					\
	} while (0)

/* What a thread must have again when a module's function has returned. */
typedef struct fk_state {
	int	s_preempt;
	int	s_flag;
	int	s_ts;
	int	s_mutexes;
} fk_state_t;

extern void fk_state_read(fk_state_t *);
extern void fk_state_compare(const fk_state_t *before, const char *what);

/* Does nothing in bench mode. */
static inline void
fk_state(fk_state_t *s)
{
	if (!fk_bench)
		fk_state_read(s);
}

static inline void
fk_state_check(const fk_state_t *before, const char *what)
{
	if (!fk_bench)
		fk_state_compare(before, what);
}

extern void fk_violation(int, const char *, ...)
    __attribute__((format(printf, 2, 3)));

extern size_t fk_vsnprintf(char *, size_t, const char *, va_list)
    __attribute__((format(printf, 3, 0)));

/* Module bookkeeping: the name under which a linkage was installed, or NULL. */
struct modlinkage;
extern const char *fk_module_name(const struct modlinkage *);
/* Is a provider of this linkage registered? */
extern int fk_kcf_registered(const struct modlinkage *);

/*
 * fk_vector.c fills every vector register that the host has with the 64-bit
 * pattern, or searches them for lanes that are neither the pattern nor zero.
 */
#define	FK_VECTOR_CANARY	0xc5c5c5c5c5c5c5c5ull
extern void fk_vector_fill(uint64_t);
extern int fk_vector_residue(void);

#endif	/* _FK_IMPL_H */
