/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * High-resolution time, in nanoseconds.
 */

#ifndef	_SYS_TIME_H
#define	_SYS_TIME_H

#include <sys/types.h>

typedef longlong_t hrtime_t;

#define	NANOSEC	1000000000LL
#define	MICROSEC 1000000

extern hrtime_t gethrtime(void);

#endif	/* _SYS_TIME_H */
