/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * DDI basics.
 */

#ifndef	_SYS_DDI_H
#define	_SYS_DDI_H

#include <sys/types.h>

extern void delay(clock_t);
extern clock_t drv_usectohz(clock_t);

#endif	/* _SYS_DDI_H */
