/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * What the provider asks of the kernel: memory, CPU features, the FPU, and
 * counters for each CPU.
 *
 * An FPU hold is one of two kinds.  In both preemption is off.
 *
 * The kernel's hold is kernel_fpu_begin(KFPU_NO_STATE).  It saves the thread's
 * whole vector state by XSAVE and loads a fresh one.  The wide tables need it:
 * zmm registers put back by moves would count as in use for ever, in every
 * later XSAVE and signal frame of the thread.
 *
 * A light hold borrows xmm0-15 and puts them back.  It is for short calls,
 * whose work takes less time than XSAVE.  It is also for the two places where
 * kernel_fpu_begin() would destroy live registers or panic: an interrupt,
 * which may have pinned a thread inside an FPU section, and a thread already
 * inside one.  Only table aesni runs in it: legacy SSE on xmm0-15, integers
 * only; no VEX, no x87, no XSAVE.
 *
 * Why a light hold is sound.  Whoever owns the registers, they are the same
 * after it as before it: xmm0-15, CR0.TS and T_KFPU are put back, and legacy
 * SSE on integers changes nothing else.  Upper halves, mask registers, x87,
 * MXCSR, PKRU and AMX tiles stay as they are.  So what remains is who may look
 * at the registers between its two ends.
 *
 * - A switch of threads: fpsave_ctxt would save our registers as the thread's.
 *   Preemption is off, and nothing in a hold blocks.  T_KFPU is set, so that
 *   resume() panics if something ever does, and so does a nested
 *   kernel_fpu_begin().
 * - fp_save(), fp_restore() and /proc work for the current thread or for a
 *   stopped one.  The current thread is in this file, and is not stopped.
 * - FPU_VALID tells whether the pcb or the CPU has the thread's state.  The
 *   hold neither reads nor changes it.  Without FPU_VALID the CPU has the
 *   state, and has it again.  With it the registers are leftovers, which come
 *   back too.  Nothing is due when the thread returns to userland.
 * - CR0.TS is set for threads without user state, and after fp_save().  It is
 *   put back, so it goes on agreeing with FPU_VALID.  A thread without t_lwp,
 *   or whose lwp never uses the FPU, is no special case.
 * - XSAVEOPT leaves out what was not written since the last XRSTOR.  The CPU
 *   keeps track of that, and our loads of xmm registers are writes.  So xmm is
 *   saved later, with the right values.  No other component is written or
 *   becomes in use.  A signal frame always has xmm, and so does not grow.
 * - An interrupt that uses xmm registers (ours, stock's AES, the clearing of
 *   pages) finds TS clear, and so saves and restores them.  An interrupt
 *   thread has a t_flag of its own.  A high-level interrupt runs on the pinned
 *   thread's, and puts T_KFPU back as it was.
 * - An interrupt thread inherits t_lwp of the thread that it has pinned, and
 *   with it a pcb that is not its own.  A light hold does not look at t_lwp.
 * - bhyve loads a guest's registers and XCR0, sets TS, and only later enters
 *   the guest.  Until then the thread may be interrupted, and may itself run
 *   other kernel code.  XCR0 does not govern legacy SSE, and TS is put back,
 *   as bhyve demands.  So TS set does not mean that the registers are
 *   nobody's: they are saved then as well.  (kernel_fpu_begin() would lose the
 *   guest's.)
 * - kmdb and DTrace stop or probe the code anywhere, but use no vector
 *   register.  What kmdb shows as a thread's registers is what its pcb has, as
 *   ever.
 *
 * What this presumes.  No interrupt calls kernel_fpu_begin().  In a kernel's
 * hold that would destroy our registers.  In a light one it would also save
 * them in the pcb of the pinned thread, whose own are on the stack.  (In
 * illumos of 2024 only ZFS calls it, from threads.)  And the memory of a call
 * is resident, so nothing in a hold faults.
 *
 * Holds never nest, and nothing is allocated inside one.
 */

#include <sys/types.h>
#include <sys/archsystm.h>
#include <sys/controlregs.h>
#include <sys/cpuvar.h>
#include <sys/disp.h>
#include <sys/kfpu.h>
#include <sys/kmem.h>
#include <sys/systm.h>
#include <sys/thread.h>
#include <sys/x86_archext.h>
#include <sys/crypto/spi.h>

#include "kcfaes_impl.h"

/* Bits of kcfaes_hold.mode.  Without the first the hold is the kernel's. */
#define	HOLD_LIGHT	0x1	/* xmm0-15 are saved */
#define	HOLD_TS		0x2	/* CR0.TS was set */
#define	HOLD_KFPU	0x4	/* T_KFPU was set */

static uint32_t kcfaes_features;

/* For one-call operations without a template: frequent, and all one size. */
static kmem_cache_t *kcfaes_operation_cache;
static size_t kcfaes_operation_bytes;	/* 0 while there is no cache */

/*
 * One for each CPU, by its sequence number, on its own cache line.  The vector
 * test module and mdb find them by name.
 */
struct kcfaes_stats *kcfaes_cpu_stats;
uint_t kcfaes_nstats;
static void *kcfaes_stats_block;

#define	STATS_BLOCK_BYTES	\
	(kcfaes_nstats * sizeof (struct kcfaes_stats) + 63)

static const struct {
	uint_t		feature;
	uint32_t	bit;
} kcfaes_feature_map[] = {
	{ X86FSET_AES,		KCFAES_FEATURE_AES },
	{ X86FSET_PCLMULQDQ,	KCFAES_FEATURE_PCLMULQDQ },
	{ X86FSET_SSSE3,	KCFAES_FEATURE_SSSE3 },
	{ X86FSET_SSE4_1,	KCFAES_FEATURE_SSE41 },
	{ X86FSET_AVX,		KCFAES_FEATURE_AVX },
	{ X86FSET_AVX2,		KCFAES_FEATURE_AVX2 },
	{ X86FSET_VAES,		KCFAES_FEATURE_VAES },
	{ X86FSET_VPCLMULQDQ,	KCFAES_FEATURE_VPCLMULQDQ },
	{ X86FSET_AVX512F,	KCFAES_FEATURE_AVX512F },
	{ X86FSET_AVX512BW,	KCFAES_FEATURE_AVX512BW },
	{ X86FSET_AVX512VL,	KCFAES_FEATURE_AVX512VL },
	{ X86FSET_BMI2,		KCFAES_FEATURE_BMI2 },
};

void
kcfaes_env_init(void)
{
	uint32_t features = 0;
	size_t i;

	for (i = 0; i < sizeof (kcfaes_feature_map) /
	    sizeof (kcfaes_feature_map[0]); i++) {
		if (is_x86_feature(x86_featureset,
		    kcfaes_feature_map[i].feature))
			features |= kcfaes_feature_map[i].bit;
	}
	kcfaes_features = features;
}

/* The instruction itself, because the kernel's name for it has changed. */
uint32_t
kcfaes_env_signature(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__ __volatile__("cpuid"
	    : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	return (eax);
}

void
kcfaes_env_create(size_t operation_bytes)
{
	kcfaes_nstats = (uint_t)max_ncpus;
	kcfaes_stats_block = kmem_zalloc(STATS_BLOCK_BYTES, KM_SLEEP);
	kcfaes_cpu_stats = (struct kcfaes_stats *)
	    (((uintptr_t)kcfaes_stats_block + 63) & ~(uintptr_t)63);

	kcfaes_operation_cache = kmem_cache_create("kcfaes_operation",
	    operation_bytes, 0, NULL, NULL, NULL, NULL, NULL, 0);
	kcfaes_operation_bytes = operation_bytes;
}

void
kcfaes_env_destroy(void)
{
	kcfaes_operation_bytes = 0;
	kmem_cache_destroy(kcfaes_operation_cache);

	kcfaes_cpu_stats = NULL;
	kmem_free(kcfaes_stats_block, STATS_BLOCK_BYTES);
	kcfaes_nstats = 0;
}

/*
 * The caller may have moved to another CPU by the time that it counts.  Then
 * two CPUs write one counter, and one addition may be lost.
 */
struct kcfaes_stats *
kcfaes_env_stats(void)
{
	uint_t cpu = (uint_t)CPU->cpu_seqid;

	return (cpu < kcfaes_nstats ? &kcfaes_cpu_stats[cpu] : NULL);
}

void
kcfaes_env_total(struct kcfaes_stats *total)
{
	const size_t words = sizeof (*total) / sizeof (uint64_t);
	const volatile uint64_t *from;
	uint64_t *to = (uint64_t *)total;
	uint64_t longest = 0;
	size_t i;
	uint_t cpu;

	bzero(total, sizeof (*total));
	for (cpu = 0; cpu < kcfaes_nstats; cpu++) {
		from = (const volatile uint64_t *)&kcfaes_cpu_stats[cpu];
		for (i = 0; i < words; i++)
			to[i] += from[i];
		if (kcfaes_cpu_stats[cpu].longest_hold > longest)
			longest = kcfaes_cpu_stats[cpu].longest_hold;
	}
	total->longest_hold = longest;
}

uint32_t
kcfaes_env_features(void)
{
	return (kcfaes_features);
}

/*
 * KCF's fast path passes no request handle, which means KM_SLEEP, even when its
 * caller is an interrupt.  So that flag alone is no licence to block.  A thread
 * may not block inside an FPU section either.
 *
 * KCF frees one kind of block by itself: a template.  A template is larger than
 * an operation, so it never comes from the cache.
 */
void *
kcfaes_env_alloc(size_t size, int kmflag)
{
	if (kcfaes_env_in_interrupt())
		kmflag = KM_NOSLEEP;
	if (size == kcfaes_operation_bytes)
		return (kmem_cache_alloc(kcfaes_operation_cache, kmflag));
	return (kmem_alloc(size, kmflag));
}

void
kcfaes_env_free(void *ptr, size_t size)
{
	if (size == kcfaes_operation_bytes)
		kmem_cache_free(kcfaes_operation_cache, ptr);
	else
		kmem_free(ptr, size);
}

int
kcfaes_env_kmflag(crypto_req_handle_t req)
{
	return (crypto_kmflag(req));
}

int
kcfaes_env_in_interrupt(void)
{
	return (servicing_interrupt() || (curthread->t_flag & T_KFPU) != 0);
}

/*
 * The assembly names registers without clobbers: this file is compiled without
 * vector registers, and the caller must save xmm0-15.  These are separate
 * functions, so that the audit of the object can tell where vector registers
 * may be.
 */
#define	KCFAES_NOINLINE	__attribute__((noinline))

static void KCFAES_NOINLINE
kcfaes_xmm_save(uint8_t (*xmm)[16])
{
	__asm__ volatile(
	    "movdqu %%xmm0, 0x00(%0)\n\t"
	    "movdqu %%xmm1, 0x10(%0)\n\t"
	    "movdqu %%xmm2, 0x20(%0)\n\t"
	    "movdqu %%xmm3, 0x30(%0)\n\t"
	    "movdqu %%xmm4, 0x40(%0)\n\t"
	    "movdqu %%xmm5, 0x50(%0)\n\t"
	    "movdqu %%xmm6, 0x60(%0)\n\t"
	    "movdqu %%xmm7, 0x70(%0)\n\t"
	    "movdqu %%xmm8, 0x80(%0)\n\t"
	    "movdqu %%xmm9, 0x90(%0)\n\t"
	    "movdqu %%xmm10, 0xa0(%0)\n\t"
	    "movdqu %%xmm11, 0xb0(%0)\n\t"
	    "movdqu %%xmm12, 0xc0(%0)\n\t"
	    "movdqu %%xmm13, 0xd0(%0)\n\t"
	    "movdqu %%xmm14, 0xe0(%0)\n\t"
	    "movdqu %%xmm15, 0xf0(%0)"
	    : : "r" (xmm) : "memory");
}

/*
 * Clears the save area too: the registers are somebody's secrets, and would
 * stay on the stack.  xmm15 has the zeros until its own turn.
 */
static void KCFAES_NOINLINE
kcfaes_xmm_restore(uint8_t (*xmm)[16])
{
	__asm__ volatile(
	    "pxor %%xmm15, %%xmm15\n\t"
	    "movdqu 0x00(%0), %%xmm0\n\t"
	    "movdqu %%xmm15, 0x00(%0)\n\t"
	    "movdqu 0x10(%0), %%xmm1\n\t"
	    "movdqu %%xmm15, 0x10(%0)\n\t"
	    "movdqu 0x20(%0), %%xmm2\n\t"
	    "movdqu %%xmm15, 0x20(%0)\n\t"
	    "movdqu 0x30(%0), %%xmm3\n\t"
	    "movdqu %%xmm15, 0x30(%0)\n\t"
	    "movdqu 0x40(%0), %%xmm4\n\t"
	    "movdqu %%xmm15, 0x40(%0)\n\t"
	    "movdqu 0x50(%0), %%xmm5\n\t"
	    "movdqu %%xmm15, 0x50(%0)\n\t"
	    "movdqu 0x60(%0), %%xmm6\n\t"
	    "movdqu %%xmm15, 0x60(%0)\n\t"
	    "movdqu 0x70(%0), %%xmm7\n\t"
	    "movdqu %%xmm15, 0x70(%0)\n\t"
	    "movdqu 0x80(%0), %%xmm8\n\t"
	    "movdqu %%xmm15, 0x80(%0)\n\t"
	    "movdqu 0x90(%0), %%xmm9\n\t"
	    "movdqu %%xmm15, 0x90(%0)\n\t"
	    "movdqu 0xa0(%0), %%xmm10\n\t"
	    "movdqu %%xmm15, 0xa0(%0)\n\t"
	    "movdqu 0xb0(%0), %%xmm11\n\t"
	    "movdqu %%xmm15, 0xb0(%0)\n\t"
	    "movdqu 0xc0(%0), %%xmm12\n\t"
	    "movdqu %%xmm15, 0xc0(%0)\n\t"
	    "movdqu 0xd0(%0), %%xmm13\n\t"
	    "movdqu %%xmm15, 0xd0(%0)\n\t"
	    "movdqu 0xe0(%0), %%xmm14\n\t"
	    "movdqu %%xmm15, 0xe0(%0)\n\t"
	    "movdqu 0xf0(%0), %%xmm15\n\t"
	    "movq $0, 0xf0(%0)\n\t"
	    "movq $0, 0xf8(%0)"
	    : : "r" (xmm) : "memory");
}

/*
 * The provider asks for a light hold where nothing else is allowed, too.  TS is
 * read with preemption off: a switch could change it.
 */
void
kcfaes_env_hold(struct kcfaes_hold *h, int light)
{
	kthread_t *t = curthread;
	ulong_t cr0;

	kpreempt_disable();
	h->mode = 0;
	if (light) {
		h->mode = HOLD_LIGHT;
		if (t->t_flag & T_KFPU)
			h->mode |= HOLD_KFPU;
		t->t_flag |= T_KFPU;
		cr0 = getcr0();
		if (cr0 & CR0_TS) {
			h->mode |= HOLD_TS;
			setcr0(cr0 & ~(ulong_t)CR0_TS);
		}
		kcfaes_xmm_save(h->xmm);
	} else {
		kernel_fpu_begin(NULL, KFPU_NO_STATE);
	}
	KCFAES_PROBE1(kcfaes__hold, uint64_t, h->mode);
}

void
kcfaes_env_release(struct kcfaes_hold *h)
{
	kthread_t *t = curthread;

	KCFAES_PROBE1(kcfaes__release, uint64_t, h->mode);
	if (h->mode & HOLD_LIGHT) {
		kcfaes_xmm_restore(h->xmm);
		if (h->mode & HOLD_TS)
			setcr0(getcr0() | CR0_TS);
		if (!(h->mode & HOLD_KFPU))
			t->t_flag &= ~T_KFPU;
	} else {
		kernel_fpu_end(NULL, KFPU_NO_STATE);
	}
	kpreempt_enable();
}
