/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Preemption control: macros into kthread_t, as in illumos.  Who uses them
 * includes <sys/cpuvar.h> as well.
 */

#ifndef	_SYS_DISP_H
#define	_SYS_DISP_H

#include <sys/thread.h>

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
