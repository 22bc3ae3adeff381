/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * kmutex_t over the port's lock.  The object is larger than illumos' own.
 */

#ifndef	_SYS_MUTEX_H
#define	_SYS_MUTEX_H

#include <sys/types.h>

typedef struct {
	uint64_t	_opaque[8];
} kmutex_t;

typedef enum { MUTEX_ADAPTIVE = 0, MUTEX_DRIVER = 4, MUTEX_DEFAULT = 6 }
    kmutex_type_t;

extern void mutex_init(kmutex_t *, char *, kmutex_type_t, void *);
extern void mutex_destroy(kmutex_t *);
extern void mutex_enter(kmutex_t *);
extern void mutex_exit(kmutex_t *);

#endif	/* _SYS_MUTEX_H */
