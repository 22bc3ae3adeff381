/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * What the module's C sources share.  The functions that the provider imports
 * are declared by kcfaes_env.h, generated from the Rust side.
 */

#ifndef	_KCFAES_IMPL_H
#define	_KCFAES_IMPL_H

#include <sys/types.h>

#include "kcfaes_env.h"

#ifdef	__cplusplus
extern "C" {
#endif

/* Reads the CPU's features; before anything else of the environment. */
extern void kcfaes_env_init(void);

/*
 * Counters for each CPU, and a cache for blocks of the given size.  Between
 * their creation and destruction no such block may outlive either end.
 */
extern void kcfaes_env_create(size_t operation_bytes);
extern void kcfaes_env_destroy(void);

/* What each CPU has counted, by its sequence number; NULL and 0 at first. */
extern struct kcfaes_stats *kcfaes_cpu_stats;
extern uint_t kcfaes_nstats;

/* The names of the tables, by number. */
extern const char *kcfaes_table_names[KCFAES_TABLES];

/* The sum over all CPUs, of longest_hold the maximum. */
extern void kcfaes_env_total(struct kcfaes_stats *);

/* The kstat kcfaes:0:stats; without memory for it there is none. */
extern void kcfaes_kstat_create(void);
extern void kcfaes_kstat_destroy(void);

/* How long the power-on self-tests took. */
extern uint64_t kcfaes_selftest_ns;

/*
 * SDT probes are a build option: each costs a call in an object that DTrace
 * has not yet patched, and a loader that knows them.
 */
#ifdef	KCFAES_SDT
#include <sys/sdt.h>
#define	KCFAES_PROBE1(name, type, arg)	DTRACE_PROBE1(name, type, arg)
#else
#define	KCFAES_PROBE1(name, type, arg)
#endif

#ifdef	__cplusplus
}
#endif

#endif	/* _KCFAES_IMPL_H */
