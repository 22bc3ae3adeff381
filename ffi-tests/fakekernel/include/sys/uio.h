/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * uio_t and iovec_t (layouts: abi-layout.tsv).
 */

#ifndef	_SYS_UIO_H
#define	_SYS_UIO_H

#include <sys/types.h>

typedef struct iovec {
	caddr_t	iov_base;
	size_t	iov_len;
} iovec_t;

typedef enum uio_seg { UIO_USERSPACE, UIO_SYSSPACE, UIO_USERISPACE } uio_seg_t;

typedef struct uio {
	iovec_t		*uio_iov;
	int		uio_iovcnt;
	lloff_t		_uio_offset;
	uio_seg_t	uio_segflg;
	uint16_t	uio_fmode;
	uint16_t	uio_extflg;
	lloff_t		_uio_limit;
	ssize_t		uio_resid;
} uio_t;

#define	uio_loffset	_uio_offset._f
#define	uio_offset	_uio_offset._f
#define	uio_llimit	_uio_limit._f
#define	uio_limit	_uio_limit._f

#define	UIO_XUIO		0x0004
#define	UIO_COPY_DEFAULT	0x0000
#define	UIO_COPY_CACHED		0x0001

#endif	/* _SYS_UIO_H */
