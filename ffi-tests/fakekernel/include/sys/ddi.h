/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * DDI basics.
 */

#ifndef	_SYS_DDI_H
#define	_SYS_DDI_H

#include <sys/types.h>
#include <sys/systm.h>
#include <sys/sysmacros.h>

#endif	/* _SYS_DDI_H */
