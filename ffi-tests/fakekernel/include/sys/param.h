/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The few <sys/param.h> names that modules use.
 */

#ifndef	_SYS_PARAM_H
#define	_SYS_PARAM_H

#include <sys/types.h>

#define	MAXPATHLEN	1024
#define	PAGESIZE	4096

#endif	/* _SYS_PARAM_H */
