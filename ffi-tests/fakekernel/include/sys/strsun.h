/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Lengths and references of a message block.
 */

#ifndef	_SYS_STRSUN_H
#define	_SYS_STRSUN_H

#include <sys/stream.h>

#define	MBLKL(mp)	((mp)->b_wptr - (mp)->b_rptr)
#define	MBLKSIZE(mp)	((mp)->b_datap->db_lim - (mp)->b_datap->db_base)
#define	DB_BASE(mp)	((mp)->b_datap->db_base)
#define	DB_LIM(mp)	((mp)->b_datap->db_lim)
#define	DB_REF(mp)	((mp)->b_datap->db_ref)

extern size_t msgsize(mblk_t *);

#endif	/* _SYS_STRSUN_H */
