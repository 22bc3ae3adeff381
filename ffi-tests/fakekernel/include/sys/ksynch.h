/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Locks and condition variables for consumers.
 */

#ifndef	_SYS_KSYNCH_H
#define	_SYS_KSYNCH_H

#include <sys/mutex.h>
#include <sys/condvar.h>

#endif	/* _SYS_KSYNCH_H */
