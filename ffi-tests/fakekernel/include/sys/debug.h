/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * ASSERT and VERIFY.  A failure is a panic of the fake kernel.
 */

#ifndef	_SYS_DEBUG_H
#define	_SYS_DEBUG_H

#include <sys/types.h>

extern void assfail(const char *, const char *, int);

#define	VERIFY(ex)	\
	((void)((ex) || (assfail(#ex, __FILE__, __LINE__), 0)))
#define	VERIFY0(x)	VERIFY((x) == 0)

#ifdef	DEBUG
#define	ASSERT(ex)	VERIFY(ex)
#else
#define	ASSERT(ex)	((void)0)
#endif

#define	CTASSERT(x)		_Static_assert(x, #x)

#endif	/* _SYS_DEBUG_H */
