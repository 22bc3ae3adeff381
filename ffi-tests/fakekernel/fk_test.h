/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What tests see and control of the fake kernel.  It depends on the
 * freestanding headers alone, so that hosted programs and binding generators
 * can read it.
 *
 * Scope: "thread" state (interrupt simulation, T_KFPU, CR0, failed allocations,
 * fk_stats_thread) belongs to the calling thread, so tests may run in parallel.
 * Everything else exists once in a process.
 */

#ifndef	_FK_TEST_H
#define	_FK_TEST_H

#include <stddef.h>
#include <stdint.h>

#ifdef	__cplusplus
extern "C" {
#endif

/* ---- Violations: what would panic, hang or corrupt state on illumos. ---- */

enum fk_violation_kind {
	FK_V_FREE_SIZE,		/* kmem_free with another size */
	FK_V_ZERO,		/* kmem_alloc or kmem_free of 0 bytes */
	FK_V_FREE_BAD,		/* not a live block (wild or double free) */
	FK_V_OVERRUN,		/* bytes before or after a block changed */
	FK_V_USE_AFTER_FREE,	/* a freed block was written to */
	FK_V_ADDRESS,		/* memory call below kernelbase, of 0 bytes too */
	FK_V_SLEEP,		/* KM_SLEEP where blocking is illegal */
	FK_V_ALLOC_IN_HOLD,	/* kmem call inside an FPU hold */
	FK_V_CACHE,		/* kmem_cache misuse */
	FK_V_FPU_NESTED,	/* kernel_fpu_begin inside a hold */
	FK_V_FPU_PREEMPT,	/* hold without kpreempt_disable */
	FK_V_FPU_INTERRUPT,	/* kernel_fpu_begin in an interrupt */
	FK_V_FPU_ARGS,		/* bad flags or state, begin/end differ */
	FK_V_FPU_END,		/* kernel_fpu_end without begin */
	FK_V_FPU_RESIDUE,	/* data left in vector registers at end */
	FK_V_PREEMPT,		/* unbalanced kpreempt_enable */
	FK_V_MUTEX,		/* entered twice, left by another, kept */
	FK_V_MODULE,		/* mod_install/mod_remove misuse */
	FK_V_KINDS
};

/* Process-wide count of one kind.  A number that is no kind means all. */
extern uint64_t fk_violations(int kind);
/* Text of the i-th recorded violation (at most 32 are kept), or NULL. */
extern const char *fk_violation_text(unsigned i);
extern void fk_violations_clear(void);

/* ---- Counters. ---- */

typedef struct fk_stats {
	uint64_t allocs;	/* successful kmem allocations */
	uint64_t frees;
	uint64_t nosleep_allocs; /* KM_NOSLEEP requests, failed ones too */
	uint64_t failed_allocs;	/* failed by injection or exhaustion */
	uint64_t alloc_bytes;
	uint64_t free_bytes;
	uint64_t holds;		/* kernel_fpu_begin calls */
	uint64_t violations;
} fk_stats_t;

extern void fk_stats_thread(fk_stats_t *);
extern void fk_stats_thread_clear(void);
extern void fk_stats_global(fk_stats_t *);

/* ---- kmem ledger. ---- */

extern uint64_t fk_kmem_live_blocks(void);
extern uint64_t fk_kmem_live_bytes(void);
/* Verifies the canaries of all live blocks; returns the number of bad ones. */
extern unsigned fk_kmem_check(void);
/* Prints every live block; returns how many there are. */
extern unsigned fk_kmem_print_live(void);

/* The sizes of this thread's last allocations, oldest first, up to 64. */
extern unsigned fk_kmem_sizes(size_t *sizes, unsigned max);
extern void fk_kmem_sizes_clear(void);

/*
 * Fails this thread's n-th KM_NOSLEEP allocation from now (1 = the next one);
 * 0 turns it off.  fk_kmem_fail_all fails every one until turned off.
 */
extern void fk_kmem_fail_nth(uint64_t n);
extern void fk_kmem_fail_all(int on);

/*
 * Called with each block as it is freed, before it is poisoned, so that a test
 * can scan it for secrets.  Runs on the freeing thread with no lock held.
 */
typedef void (*fk_on_free_t)(void *arg, const void *block, size_t size);
extern void fk_kmem_on_free(fk_on_free_t func, void *arg);

/*
 * Number of freed blocks kept and watched for writes (default and at most 64).
 */
extern void fk_kmem_quarantine(unsigned blocks);

/* ---- Thread context. ---- */

extern void fk_set_interrupt(int on);	/* servicing_interrupt() */
extern void fk_set_kfpu(int on);	/* T_KFPU: in its own FPU section */
extern void fk_set_cr0_ts(int on);	/* the simulated CR0.TS */
extern int fk_cr0_ts(void);
extern int fk_preempt_depth(void);	/* kpreempt_disable nesting */

/* ---- FPU. ---- */

/*
 * Fills all vector registers with a canary at begin.  At end it records
 * FK_V_FPU_RESIDUE for any 16-byte lane that is neither canary nor zero.  For
 * callers that keep every vector instruction inside the kernels.
 */
extern void fk_fpu_canary(int on);

/*
 * For benches: work that a kernel would not do costs nothing.  FPU begin and
 * end do nothing.  Memory comes without ledger, canaries and poison.  A request
 * takes no lock and no reference.  A thread asks only once which CPU it is on.
 * What is allocated or begun in this mode must end in it.
 */
extern void fk_bench_mode(int on);

/* ---- CPU features (bit n = X86FSET number n of sys/x86_archext.h). ---- */

#define	FK_F_SSSE3	(1ull << 3)
#define	FK_F_SSE4_1	(1ull << 4)
#define	FK_F_AES	(1ull << 6)
#define	FK_F_PCLMULQDQ	(1ull << 7)
#define	FK_F_AVX	(1ull << 9)
#define	FK_F_AVX2	(1ull << 10)
#define	FK_F_BMI2	(1ull << 12)
#define	FK_F_AVX512F	(1ull << 13)
#define	FK_F_AVX512DQ	(1ull << 14)
#define	FK_F_AVX512BW	(1ull << 15)
#define	FK_F_AVX512VL	(1ull << 16)
#define	FK_F_VAES	(1ull << 17)
#define	FK_F_VPCLMULQDQ	(1ull << 18)

extern uint64_t fk_host_features(void);	/* CPUID and XGETBV */
extern uint64_t fk_features(void);	/* what is_x86_feature() says */
/* Features that the host lacks are dropped: they could not run. */
extern void fk_set_features(uint64_t mask);

/* ---- The log. ---- */

extern unsigned fk_log_count(void);
/* The i-th line of the last 64 with its prefix ("WARNING: "), or NULL. */
extern const char *fk_log_line(unsigned i);
/* Number of kept lines that contain the text. */
extern unsigned fk_log_find(const char *text);
extern void fk_log_clear(void);
extern void fk_log_echo(int on);	/* also print, default off */

extern void fk_printf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* ---- Modules. ---- */

struct modinfo;

/*
 * Loads a module under a name, which policy goes by.  Returns what _init does.
 */
extern int fk_module_load(const char *name, int (*init)(void));
extern int fk_module_unload(const char *name, int (*fini)(void));
/* The next mod_install or mod_remove returns this errno.  0: it works. */
extern void fk_mod_install_error(int error);
extern void fk_mod_remove_error(int error);

/* The loadflags of a module that is installed now; 0 if it is not. */
extern int fk_module_loadflags(const char *name);

/* ---- kstats. ---- */

/* Updates the kstat and passes each statistic.  text is NULL for a number. */
typedef void (*fk_kstat_func_t)(void *arg, const char *name, uint64_t value,
    const char *text);
/* ENOENT, or what the update function returned. */
extern int fk_kstat_read(const char *module, const char *name,
    fk_kstat_func_t func, void *arg);
/* One number; UINT64_MAX if there is no such kstat or statistic. */
extern uint64_t fk_kstat_value(const char *module, const char *name,
    const char *statistic);
extern const char *fk_kstat_text(const char *module, const char *name,
    const char *statistic);
extern void fk_kstat_create_fails(int on);

/* ---- KCF. ---- */

/* cryptoadm-style policy: honoured silently at the next registration. */
extern void fk_policy_disable(const char *module, const char *mech);
extern void fk_policy_clear(void);

/*
 * The slot that crypto_encrypt() would call, and the arguments that KCF itself
 * would add.  For a bench that leaves the framework out.
 */
typedef struct fk_slot {
	int (*call)(void *, uint32_t, void *, void *, void *, void *, void *,
	    void *);
	void *provider;
	uint64_t mech_type;
	void *tmpl;
} fk_slot_t;
extern int fk_kcf_encrypt_slot(void *mech, void *tmpl, fk_slot_t *);

/* What KCF knows about a mechanism.  Nonzero if it has no such provider. */
typedef struct fk_mech {
	const char *provider;		/* description */
	const char *module;
	uint64_t provider_number;	/* cm_mech_number */
	uint32_t groups;
	int64_t min_key, max_key;
	uint32_t flags;
	uint32_t generation;
	uint32_t spi_version;
	uint32_t vectors;		/* bit i: i-th of the ops vector */
	uint32_t status;		/* what provider_status stores */
} fk_mech_t;
extern int fk_kcf_mech(const char *name, fk_mech_t *);

extern unsigned fk_kcf_providers(void);	/* registered now */
extern unsigned fk_kcf_contexts(void);	/* live now */
/* Nonzero while crypto_unregister_provider waits for references. */
extern int fk_kcf_unregistering(void);
/* Waits until no queued request is left. */
extern void fk_kcf_drain(void);

/* ---- Threads. ---- */

typedef struct fk_task fk_task_t;
extern fk_task_t *fk_task_start(void (*func)(void *), void *arg);
extern int fk_task_done(fk_task_t *);
extern void fk_task_join(fk_task_t *);	/* frees it */
extern void fk_sleep_us(uint64_t us);

#ifdef	__cplusplus
}
#endif

#endif	/* _FK_TEST_H */
