/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * kcondvar_t over the port's condition variable.
 */

#ifndef	_SYS_CONDVAR_H
#define	_SYS_CONDVAR_H

#include <sys/mutex.h>

typedef struct {
	uint64_t	_opaque[8];
} kcondvar_t;

typedef enum { CV_DEFAULT, CV_DRIVER } kcv_type_t;

extern void cv_init(kcondvar_t *, char *, kcv_type_t, void *);
extern void cv_destroy(kcondvar_t *);
extern void cv_wait(kcondvar_t *, kmutex_t *);
extern void cv_signal(kcondvar_t *);
extern void cv_broadcast(kcondvar_t *);

#endif	/* _SYS_CONDVAR_H */
