/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * va_list for kernel code, from the compiler.
 */

#ifndef	_SYS_VARARGS_H
#define	_SYS_VARARGS_H

#include <stdarg.h>

#endif	/* _SYS_VARARGS_H */
