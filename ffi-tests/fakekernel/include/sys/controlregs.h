/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * CR0 bits.
 */

#ifndef	_SYS_CONTROLREGS_H
#define	_SYS_CONTROLREGS_H

#define	CR0_PE	0x00000001
#define	CR0_MP	0x00000002
#define	CR0_EM	0x00000004
#define	CR0_TS	0x00000008

#endif	/* _SYS_CONTROLREGS_H */
