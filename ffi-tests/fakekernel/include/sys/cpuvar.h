/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The current CPU, as far as modules look at it.
 */

#ifndef	_SYS_CPUVAR_H
#define	_SYS_CPUVAR_H

#include <sys/types.h>
#include <sys/debug.h>

typedef int processorid_t;	/* of <sys/processor.h> */

typedef struct cpu {
	processorid_t	cpu_id;
	processorid_t	cpu_seqid;	/* 0 .. ncpus - 1 */
	char		cpu_kprunrun;	/* a kernel preemption is pending */
} cpu_t;

extern struct cpu *curcpup(void);
#define	CPU	(curcpup())

extern int ncpus;
extern int max_ncpus;

#endif	/* _SYS_CPUVAR_H */
