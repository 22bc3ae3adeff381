/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Message blocks for consumers.  They do not go through the ledger, because the
 * ledger counts what the module under test allocates.
 */

#include <sys/strsun.h>

#include "fk_impl.h"

/* One allocation holds the mblk, the dblk and exactly size bytes. */
mblk_t *
allocb(size_t size, uint_t pri)
{
	mblk_t *mp = fk_port_alloc(sizeof (mblk_t) + sizeof (dblk_t) + size);
	dblk_t *db = (dblk_t *)(mp + 1);

	(void) pri;
	if (mp == NULL)
		return (NULL);
	bzero(mp, sizeof (*mp) + sizeof (*db));
	db->db_base = (unsigned char *)(db + 1);
	db->db_lim = db->db_base + size;
	db->db_ref = 1;
	db->db_mblk = mp;
	mp->b_datap = db;
	mp->b_rptr = mp->b_wptr = db->db_base;
	return (mp);
}

void
freeb(mblk_t *mp)
{
	fk_port_free(mp);
}

void
freemsg(mblk_t *mp)
{
	mblk_t *next;

	for (; mp != NULL; mp = next) {
		next = mp->b_cont;
		freeb(mp);
	}
}

void
linkb(mblk_t *mp, mblk_t *tail)
{
	while (mp->b_cont != NULL)
		mp = mp->b_cont;
	mp->b_cont = tail;
}

size_t
msgsize(mblk_t *mp)
{
	size_t size = 0;

	for (; mp != NULL; mp = mp->b_cont)
		size += (size_t)MBLKL(mp);
	return (size);
}

/* Every block here is M_DATA (db_type 0). */
size_t
msgdsize(struct msgb *mp)
{
	return (msgsize(mp));
}
