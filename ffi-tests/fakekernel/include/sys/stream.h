/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * mblk_t and dblk_t (layouts: abi-layout.tsv) and the message routines that
 * consumers use.
 */

#ifndef	_SYS_STREAM_H
#define	_SYS_STREAM_H

#include <sys/types.h>

typedef struct free_rtn {
	void	(*free_func)();
	caddr_t	free_arg;
} frtn_t;

struct cred;
typedef struct cred cred_t;
struct queue;
typedef struct queue queue_t;

typedef struct msgb {
	struct msgb	*b_next;
	struct msgb	*b_prev;
	struct msgb	*b_cont;
	unsigned char	*b_rptr;
	unsigned char	*b_wptr;
	struct datab	*b_datap;
	unsigned char	b_band;
	unsigned char	b_tag;
	unsigned short	b_flag;
	queue_t		*b_queue;
} mblk_t;

typedef struct datab {
	frtn_t		*db_frtnp;
	unsigned char	*db_base;
	unsigned char	*db_lim;
	unsigned char	db_ref;
	unsigned char	db_type;
	unsigned char	db_flags;
	unsigned char	db_struioflag;
	pid_t		db_cpid;
	void		*db_cache;
	struct msgb	*db_mblk;
	void		(*db_free)(struct msgb *, struct datab *);
	void		(*db_lastfree)(struct msgb *, struct datab *);
	intptr_t	db_cksumstart;
	intptr_t	db_cksumend;
	intptr_t	db_cksumstuff;
	union {
		uint64_t	enforce_alignment;
		unsigned char	data[8];
		struct {
			union {
				uint32_t u32;
				uint16_t u16;
			} cksum_val;
			uint16_t flags;
			uint16_t pad;
		} cksum;
	} db_struioun;
	struct fthdr	*db_fthdr;
	cred_t		*db_credp;
} dblk_t;

#define	BPRI_LO		1
#define	BPRI_MED	2
#define	BPRI_HI		3

extern mblk_t *allocb(size_t, uint_t);
extern void freeb(struct msgb *);
extern void freemsg(mblk_t *);
extern void linkb(mblk_t *, mblk_t *);
extern size_t msgdsize(struct msgb *);

#endif	/* _SYS_STREAM_H */
