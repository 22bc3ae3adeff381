/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Statically defined DTrace probes: each is a call to a function that nobody
 * defines, which illumos' loader replaces.  Here such an object only compiles.
 */

#ifndef	_SYS_SDT_H
#define	_SYS_SDT_H

#include <sys/types.h>

#define	DTRACE_PROBE1(name, type1, arg1)				\
	do {								\
		extern void __dtrace_probe_##name(uintptr_t);		\
		__dtrace_probe_##name((uintptr_t)(arg1));		\
	} while (0)
#define	DTRACE_PROBE2(name, type1, arg1, type2, arg2)			\
	do {								\
		extern void __dtrace_probe_##name(uintptr_t, uintptr_t); \
		__dtrace_probe_##name((uintptr_t)(arg1),		\
		    (uintptr_t)(arg2));					\
	} while (0)

#endif	/* _SYS_SDT_H */
