/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Named kernel statistics: the members and calls that modules use.
 */

#ifndef	_SYS_KSTAT_H
#define	_SYS_KSTAT_H

#include <sys/types.h>
#include <sys/time.h>

#define	KSTAT_STRLEN		31
#define	KSTAT_TYPE_NAMED	1
#define	KSTAT_FLAG_VIRTUAL	0x01

#define	KSTAT_READ		0
#define	KSTAT_WRITE		1

#define	KSTAT_DATA_CHAR		0
#define	KSTAT_DATA_UINT64	4

typedef int kid_t;

typedef struct kstat {
	hrtime_t	ks_crtime;
	struct kstat	*ks_next;
	kid_t		ks_kid;
	char		ks_module[KSTAT_STRLEN];
	int		ks_instance;
	char		ks_name[KSTAT_STRLEN];
	uchar_t		ks_type;
	char		ks_class[KSTAT_STRLEN];
	uchar_t		ks_flags;
	void		*ks_data;
	uint_t		ks_ndata;
	size_t		ks_data_size;
	hrtime_t	ks_snaptime;
	int		(*ks_update)(struct kstat *, int);
	void		*ks_private;
	int		(*ks_snapshot)(struct kstat *, void *, int);
	void		*ks_lock;
} kstat_t;

typedef struct kstat_named {
	char	name[KSTAT_STRLEN];
	uchar_t	data_type;
	union {
		char		c[16];
		int64_t		i64;
		uint64_t	ui64;
	} value;
} kstat_named_t;

extern kstat_t *kstat_create(const char *, int, const char *, const char *,
    uchar_t, uint_t, uchar_t);
extern void kstat_install(kstat_t *);
extern void kstat_delete(kstat_t *);
extern void kstat_named_init(kstat_named_t *, const char *, uchar_t);

#endif	/* _SYS_KSTAT_H */
