/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * What the module's C sources share.  kcfaes_env.h declares the functions that
 * the provider imports.  It is generated from the Rust side.
 */

#ifndef	_KCFAES_IMPL_H
#define	_KCFAES_IMPL_H

#include <sys/types.h>

#include "kcfaes_env.h"

#ifdef	__cplusplus
extern "C" {
#endif

/* Reads the CPU's features.  Comes before anything else here. */
extern void kcfaes_env_init(void);

/*
 * Creates and destroys the counters for each CPU, and a cache for blocks of
 * operation_bytes.  No block of that size may be alive at either moment.
 */
extern void kcfaes_env_create(size_t operation_bytes);
extern void kcfaes_env_destroy(void);

/* What each CPU has counted, by its sequence number.  NULL and 0 at first. */
extern struct kcfaes_stats *kcfaes_cpu_stats;
extern uint_t kcfaes_nstats;

/* The names of the tables, by number. */
extern const char *kcfaes_table_names[KCFAES_TABLES];

/* The sum over all CPUs; of longest_hold, the maximum. */
extern void kcfaes_env_total(struct kcfaes_stats *);

/* The kstat kcfaes:0:stats.  Without memory for it there is none. */
extern void kcfaes_kstat_create(void);
extern void kcfaes_kstat_destroy(void);

/* How long the power-on self-tests took. */
extern uint64_t kcfaes_selftest_ns;

/*
 * SDT probes are a build option.  Each costs a call in an object that DTrace
 * has not yet patched.  The loader must know them.
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
