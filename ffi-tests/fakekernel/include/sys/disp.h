/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Preemption control: macros into kthread_t, as in illumos.
 */

#ifndef	_SYS_DISP_H
#define	_SYS_DISP_H

#include <sys/thread.h>
#include <sys/cpuvar.h>
#include <sys/debug.h>

#define	KPREEMPT_SYNC	(-1)

extern void kpreempt(int);
extern int servicing_interrupt(void);

#define	kpreempt_disable()				\
	{						\
		curthread->t_preempt++;			\
		ASSERT(curthread->t_preempt >= 1);	\
	}
#define	kpreempt_enable()				\
	{						\
		ASSERT(curthread->t_preempt >= 1);	\
		if (--curthread->t_preempt == 0 &&	\
		    CPU->cpu_kprunrun)			\
			kpreempt(KPREEMPT_SYNC);	\
	}

#endif	/* _SYS_DISP_H */
