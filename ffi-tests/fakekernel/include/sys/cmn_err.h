/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * cmn_err(9F).  The fake kernel keeps what is logged: see fk_test.h.
 */

#ifndef	_SYS_CMN_ERR_H
#define	_SYS_CMN_ERR_H

#include <sys/types.h>
#include <sys/varargs.h>

#define	CE_CONT		0
#define	CE_NOTE		1
#define	CE_WARN		2
#define	CE_PANIC	3
#define	CE_IGNORE	4

extern void cmn_err(int, const char *, ...)
    __attribute__((format(printf, 2, 3)));
extern void vcmn_err(int, const char *, va_list)
    __attribute__((format(printf, 2, 0)));
extern void panic(const char *, ...)
    __attribute__((format(printf, 1, 2), noreturn));
extern size_t snprintf(char *, size_t, const char *, ...)
    __attribute__((format(printf, 3, 4)));

#endif	/* _SYS_CMN_ERR_H */
