/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * For the controls, each of which must fail: kernel functions that do nothing.
 * A faulty shim is the shim compiled to call these.
 */

#include <sys/archsystm.h>
#include <sys/kfpu.h>

extern void no_fpu_begin(kfpu_state_t *, uint_t);
extern void no_fpu_end(kfpu_state_t *, uint_t);
extern void no_setcr0(ulong_t);
extern int no_interrupt(void);

void
no_fpu_begin(kfpu_state_t *state, uint_t flags)
{
	(void) state;
	(void) flags;
}

void
no_fpu_end(kfpu_state_t *state, uint_t flags)
{
	(void) state;
	(void) flags;
}

void
no_setcr0(ulong_t value)
{
	(void) value;
}

int
no_interrupt(void)
{
	return (0);
}
