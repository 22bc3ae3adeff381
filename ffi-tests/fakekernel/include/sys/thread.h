/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * kthread_t: only the members that modules read.  On illumos curthread is a
 * load from %gs; here threadp() is a function that the port backs by
 * thread-local storage.
 */

#ifndef	_SYS_THREAD_H
#define	_SYS_THREAD_H

#include <sys/types.h>

struct _klwp;
typedef struct _klwp klwp_t;
struct proc;

typedef struct _kthread {
	volatile char		t_preempt;	/* > 0: preemption is off */
	uint_t			t_flag;
	struct _kthread		*t_intr;
	klwp_t			*t_lwp;
	struct proc		*t_procp;
} kthread_t;

/* The thread is inside its own kernel_fpu_begin/end section. */
#define	T_KFPU	0x1000

extern kthread_t *threadp(void);
#define	curthread	(threadp())

#endif	/* _SYS_THREAD_H */
