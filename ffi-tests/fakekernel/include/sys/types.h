/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The basic names of illumos' <sys/types.h>, LP64 only.  Sizes are those of
 * abi-layout.tsv; nothing here comes from the host's C library, so kernel
 * sources must be compiled with this directory ahead of it.
 */

#ifndef	_SYS_TYPES_H
#define	_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned char	uchar_t;
typedef unsigned short	ushort_t;
typedef unsigned int	uint_t;
typedef unsigned long	ulong_t;
typedef long long	longlong_t;
typedef unsigned long long u_longlong_t;

typedef char		*caddr_t;
typedef uint32_t	caddr32_t;
typedef long		ssize_t;
typedef long		off_t;
typedef long long	offset_t;
typedef int		pid_t;
typedef int		id_t;
typedef unsigned int	uid_t;
typedef short		pri_t;
typedef long		clock_t;

typedef enum { B_FALSE, B_TRUE } boolean_t;

typedef union {
	offset_t _f;
	struct {
		int32_t _l;
		int32_t _u;
	} _p;
} lloff_t;

#endif	/* _SYS_TYPES_H */
