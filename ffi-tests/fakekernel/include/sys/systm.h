/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Kernel-wide routines.
 */

#ifndef	_SYS_SYSTM_H
#define	_SYS_SYSTM_H

#include <sys/types.h>

extern void bcopy(const void *, void *, size_t);
extern void bzero(void *, size_t);
extern int bcmp(const void *, const void *, size_t);
extern void *memcpy(void *, const void *, size_t);
extern void *memmove(void *, const void *, size_t);
extern void *memset(void *, int, size_t);
extern int memcmp(const void *, const void *, size_t);
extern size_t strlen(const char *);
extern int strcmp(const char *, const char *);
extern int strncmp(const char *, const char *, size_t);

extern void delay(clock_t);

#endif	/* _SYS_SYSTM_H */
