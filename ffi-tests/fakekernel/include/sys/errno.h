/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Error numbers that modules return (System V numbering, as illumos).
 */

#ifndef	_SYS_ERRNO_H
#define	_SYS_ERRNO_H

#define	EPERM	1
#define	ENOENT	2
#define	EIO	5
#define	ENXIO	6
#define	EAGAIN	11
#define	ENOMEM	12
#define	EACCES	13
#define	EFAULT	14
#define	EBUSY	16
#define	EEXIST	17
#define	ENODEV	19
#define	EINVAL	22
#define	ENOTSUP	48
#define	ECANCELED 47

#endif	/* _SYS_ERRNO_H */
