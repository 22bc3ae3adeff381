/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * FPU use in the kernel.  The fake records every misuse that would panic or
 * corrupt registers on illumos: see fk_test.h.
 */

#ifndef	_SYS_KFPU_H
#define	_SYS_KFPU_H

#include <sys/types.h>

struct kfpu_state;
typedef struct kfpu_state kfpu_state_t;

#define	KFPU_NO_STATE	0x01
#define	KFPU_USE_LWP	0x02

extern void kernel_fpu_begin(kfpu_state_t *, uint_t);
extern void kernel_fpu_end(kfpu_state_t *, uint_t);

#endif	/* _SYS_KFPU_H */
