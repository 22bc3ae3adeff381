/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Control register access.  In userland CR0 is simulated, per thread.
 */

#ifndef	_SYS_ARCHSYSTM_H
#define	_SYS_ARCHSYSTM_H

#include <sys/types.h>

extern ulong_t getcr0(void);
extern void setcr0(ulong_t);

#endif	/* _SYS_ARCHSYSTM_H */
