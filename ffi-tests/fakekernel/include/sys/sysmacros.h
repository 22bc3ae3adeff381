/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Arithmetic macros under their illumos names.
 */

#ifndef	_SYS_SYSMACROS_H
#define	_SYS_SYSMACROS_H

#ifndef	MIN
#define	MIN(a, b)	((a) < (b) ? (a) : (b))
#define	MAX(a, b)	((a) > (b) ? (a) : (b))
#endif

#define	ARRAY_SIZE(x)	(sizeof (x) / sizeof ((x)[0]))

/* align must be a power of two. */
#define	P2ROUNDUP(x, align)	(((x) + (align) - 1) & ~((align) - 1))
#define	P2ALIGN(x, align)	((x) & ~((align) - 1))
#define	IS_P2ALIGNED(v, a)	((((uintptr_t)(v)) & ((uintptr_t)(a) - 1)) == 0)

#endif	/* _SYS_SYSMACROS_H */
