/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The thread as kernel code sees it: preemption, interrupts, FPU holds, the
 * simulated CR0, locks and time.  On illumos most misuse of the FPU panics.
 * Here it is recorded, so that a test can ask for it.
 */

#include <sys/archsystm.h>
#include <sys/controlregs.h>
#include <sys/disp.h>
#include <sys/kfpu.h>
#include <sys/ksynch.h>
#include <sys/time.h>

#include "fk_impl.h"

/* PE, MP, ET, NE, WP, AM, PG: what a running amd64 kernel has. */
#define	CR0_RUNNING	0x80050033ul

_Static_assert(sizeof (fk_thread_t) <= FK_PORT_SELF_BYTES, "thread storage");
_Static_assert(sizeof (kmutex_t) == sizeof (fk_port_mutex_t), "kmutex_t");
_Static_assert(sizeof (kcondvar_t) == sizeof (fk_port_cond_t), "kcondvar_t");

int fk_bench;
static int canary;

fk_thread_t *
fk_self(void)
{
	return (fk_port_self());
}

kthread_t *
threadp(void)
{
	return (&fk_self()->ft_kthread);
}

cpu_t *
curcpup(void)
{
	fk_thread_t *t = fk_self();

	if (!fk_bench || !t->ft_has_cpu) {
		t->ft_cpu.cpu_id = (processorid_t)fk_port_cpu();
		t->ft_cpu.cpu_seqid = t->ft_cpu.cpu_id;
		t->ft_has_cpu = 1;
	}
	return (&t->ft_cpu);
}

/* cpu_kprunrun is never set here, so nothing has a reason to call this. */
void
kpreempt(int sync)
{
	(void) sync;
}

int
servicing_interrupt(void)
{
	return (fk_self()->ft_interrupt);
}

ulong_t
getcr0(void)
{
	return (CR0_RUNNING | (fk_self()->ft_ts ? CR0_TS : 0));
}

void
setcr0(ulong_t value)
{
	fk_self()->ft_ts = (value & CR0_TS) != 0;
}

void
kernel_fpu_begin(kfpu_state_t *state, uint_t flags)
{
	fk_thread_t *t;

	if (fk_bench)
		return;
	t = fk_self();
	FK_COUNT(holds, 1);
	if (t->ft_in_hold || (t->ft_kthread.t_flag & T_KFPU)) {
		fk_violation(FK_V_FPU_NESTED, "kernel_fpu_begin in a hold");
	}
	if (t->ft_interrupt) {
		fk_violation(FK_V_FPU_INTERRUPT,
		    "kernel_fpu_begin while servicing an interrupt");
	}
	if (flags != KFPU_NO_STATE || state != NULL) {
		fk_violation(FK_V_FPU_ARGS,
		    "kernel_fpu_begin(%p, 0x%x)", (void *)state, flags);
	}
	if (t->ft_kthread.t_preempt <= 0) {
		fk_violation(FK_V_FPU_PREEMPT,
		    "kernel_fpu_begin without kpreempt_disable");
	}
	t->ft_in_hold = 1;
	t->ft_hold_flags = flags;
	t->ft_kthread.t_flag |= T_KFPU;
	if (canary)
		fk_vector_fill(FK_VECTOR_CANARY);
}

void
kernel_fpu_end(kfpu_state_t *state, uint_t flags)
{
	fk_thread_t *t;

	if (fk_bench)
		return;
	t = fk_self();
	if (canary && fk_vector_residue()) {
		fk_violation(FK_V_FPU_RESIDUE,
		    "data left in vector registers at kernel_fpu_end");
	}
	if (!t->ft_in_hold) {
		fk_violation(FK_V_FPU_END, "kernel_fpu_end outside a hold");
		return;
	}
	if (flags != t->ft_hold_flags || state != NULL) {
		fk_violation(FK_V_FPU_ARGS,
		    "kernel_fpu_end(%p, 0x%x)", (void *)state, flags);
	}
	if (t->ft_kthread.t_preempt <= 0) {
		fk_violation(FK_V_FPU_PREEMPT,
		    "preemption was enabled inside a hold");
	}
	t->ft_in_hold = 0;
	t->ft_kthread.t_flag &= (ushort_t)~T_KFPU;
}

void
fk_set_interrupt(int on)
{
	fk_self()->ft_interrupt = on;
}

void
fk_set_kfpu(int on)
{
	fk_thread_t *t = fk_self();

	if (on)
		t->ft_kthread.t_flag |= T_KFPU;
	else
		t->ft_kthread.t_flag &= (ushort_t)~T_KFPU;
}

void
fk_set_cr0_ts(int on)
{
	fk_self()->ft_ts = on;
}

int
fk_cr0_ts(void)
{
	return (fk_self()->ft_ts);
}

int
fk_preempt_depth(void)
{
	return (fk_self()->ft_kthread.t_preempt);
}

void
fk_fpu_canary(int on)
{
	canary = on;
}

void
fk_bench_mode(int on)
{
	fk_bench = on;
}

void
fk_stats_thread(fk_stats_t *s)
{
	*s = fk_self()->ft_stats;
}

void
fk_stats_thread_clear(void)
{
	bzero(&fk_self()->ft_stats, sizeof (fk_stats_t));
}

void
fk_stats_global(fk_stats_t *s)
{
	const uint64_t *from = (const uint64_t *)&fk_totals;
	uint64_t *to = (uint64_t *)s;
	size_t i;

	for (i = 0; i < sizeof (*s) / sizeof (*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void
fk_state_read(fk_state_t *s)
{
	fk_thread_t *t = fk_self();

	s->s_preempt = t->ft_kthread.t_preempt;
	s->s_flag = t->ft_kthread.t_flag;
	s->s_ts = t->ft_ts;
	s->s_mutexes = t->ft_mutexes;
}

void
fk_state_compare(const fk_state_t *before, const char *what)
{
	fk_state_t now;

	fk_state_read(&now);
	if (now.s_preempt != before->s_preempt) {
		fk_violation(FK_V_PREEMPT, "%s came back with preemption "
		    "depth %d, not %d", what, now.s_preempt, before->s_preempt);
	}
	if (now.s_flag != before->s_flag || now.s_ts != before->s_ts) {
		fk_violation(FK_V_FPU_END, "%s came back with T_KFPU or "
		    "CR0.TS changed", what);
	}
	if (now.s_mutexes != before->s_mutexes) {
		fk_violation(FK_V_MUTEX, "%s came back with %d mutexes held, "
		    "not %d", what, now.s_mutexes, before->s_mutexes);
	}
}

/*
 * The owner is in the last word of the port's lock, which no port uses.  An
 * operation at which a DEBUG kernel would panic is recorded and not done.
 */
static fk_thread_t **
owner(kmutex_t *m)
{
	return ((fk_thread_t **)&((fk_port_mutex_t *)m)->opaque[7]);
}

static int
held(kmutex_t *m, const char *function)
{
	if (__atomic_load_n(owner(m), __ATOMIC_RELAXED) == fk_self())
		return (1);
	fk_violation(FK_V_MUTEX, "%s by a thread that does not hold it",
	    function);
	return (0);
}

static void
own(kmutex_t *m, int n)
{
	fk_thread_t *t = fk_self();

	t->ft_mutexes += n;
	__atomic_store_n(owner(m), n > 0 ? t : NULL, __ATOMIC_RELAXED);
}

void
mutex_init(kmutex_t *m, char *name, kmutex_type_t type, void *arg)
{
	(void) name;
	(void) type;
	(void) arg;
	bzero(m, sizeof (*m));
}

void
mutex_destroy(kmutex_t *m)
{
	fk_thread_t *t = __atomic_load_n(owner(m), __ATOMIC_RELAXED);

	if (t != NULL) {
		fk_violation(FK_V_MUTEX, "mutex_destroy of a held mutex");
		t->ft_mutexes--;
	}
	(void) memset(m, 0xdb, sizeof (*m));
}

void
mutex_enter(kmutex_t *m)
{
	if (__atomic_load_n(owner(m), __ATOMIC_RELAXED) == fk_self()) {
		fk_violation(FK_V_MUTEX, "mutex_enter by the thread that "
		    "holds it");
		return;
	}
	fk_port_lock((fk_port_mutex_t *)m);
	own(m, 1);
}

void
mutex_exit(kmutex_t *m)
{
	if (!held(m, "mutex_exit"))
		return;
	own(m, -1);
	fk_port_unlock((fk_port_mutex_t *)m);
}

void
cv_init(kcondvar_t *c, char *name, kcv_type_t type, void *arg)
{
	(void) name;
	(void) type;
	(void) arg;
	bzero(c, sizeof (*c));
}

void
cv_destroy(kcondvar_t *c)
{
	(void) memset(c, 0xdb, sizeof (*c));
}

void
cv_wait(kcondvar_t *c, kmutex_t *m)
{
	if (!held(m, "cv_wait"))
		return;
	own(m, -1);
	fk_port_wait((fk_port_cond_t *)c, (fk_port_mutex_t *)m);
	own(m, 1);
}

void
cv_signal(kcondvar_t *c)
{
	fk_port_wake_all((fk_port_cond_t *)c);
}

void
cv_broadcast(kcondvar_t *c)
{
	fk_port_wake_all((fk_port_cond_t *)c);
}

hrtime_t
gethrtime(void)
{
	return ((hrtime_t)fk_port_now_ns());
}

/* A tick is 10 ms: the default of 100 Hz. */
void
delay(clock_t ticks)
{
	fk_port_sleep_ns((uint64_t)ticks * 10000000);
}

clock_t
drv_usectohz(clock_t us)
{
	return ((us + 9999) / 10000);
}

struct fk_task {
	void		(*func)(void *);
	void		*arg;
	int		done;
	fk_port_mutex_t	lock;
	fk_port_cond_t	cond;
};

static void
task_run(void *arg)
{
	fk_task_t *task = arg;

	task->func(task->arg);
	fk_port_lock(&task->lock);
	task->done = 1;
	fk_port_wake_all(&task->cond);
	fk_port_unlock(&task->lock);
}

/* If the port has no threads, the task has run when this returns. */
fk_task_t *
fk_task_start(void (*func)(void *), void *arg)
{
	fk_task_t *task = fk_port_alloc(sizeof (*task));

	bzero(task, sizeof (*task));
	task->func = func;
	task->arg = arg;
	if (fk_port_spawn(task_run, task) != 0)
		task_run(task);
	return (task);
}

int
fk_task_done(fk_task_t *task)
{
	int done;

	fk_port_lock(&task->lock);
	done = task->done;
	fk_port_unlock(&task->lock);
	return (done);
}

void
fk_task_join(fk_task_t *task)
{
	fk_port_lock(&task->lock);
	while (!task->done)
		fk_port_wait(&task->cond, &task->lock);
	fk_port_unlock(&task->lock);
	fk_port_free(task);
}

void
fk_sleep_us(uint64_t us)
{
	fk_port_sleep_ns(us * 1000);
}
