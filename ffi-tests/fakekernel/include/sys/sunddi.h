/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * DDI basics: everything kernel code expects from this header here.
 */

#ifndef	_SYS_SUNDDI_H
#define	_SYS_SUNDDI_H

#include <sys/types.h>
#include <sys/systm.h>
#include <sys/kmem.h>
#include <sys/cmn_err.h>
#include <sys/errno.h>

#endif	/* _SYS_SUNDDI_H */
