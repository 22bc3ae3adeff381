/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * What the provider asks of the kernel: memory, CPU features, the FPU, and
 * counters for each CPU.
 *
 * An FPU hold in process context is kernel_fpu_begin() with preemption off.
 * That call saves user state only.  It would destroy live registers or panic in
 * two places: in an interrupt, which may have pinned a thread inside its own
 * FPU section, and in a thread already inside one.  There the hold borrows: it
 * clears CR0.TS if that is set, saves xmm0-15, and puts both back.
 *
 * The registers may be somebody's with TS set, too.  bhyve loads a guest's
 * state, its XCR0 included, sets TS, and only then enters the guest.  So a
 * borrower runs legacy-SSE code only.  It uses no VEX, which XCR0 may forbid
 * and which would clear upper halves.  It uses no XSAVE.
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

/* Values of kcfaes_hold.mode. */
#define	HOLD_KERNEL_FPU	0
#define	HOLD_BORROWED	1	/* xmm0-15 are saved, TS was clear */
#define	HOLD_TS_CLEARED	2	/* xmm0-15 are saved, TS was set */

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

static void KCFAES_NOINLINE
kcfaes_xmm_restore(uint8_t (*xmm)[16])
{
	__asm__ volatile(
	    "movdqu 0x00(%0), %%xmm0\n\t"
	    "movdqu 0x10(%0), %%xmm1\n\t"
	    "movdqu 0x20(%0), %%xmm2\n\t"
	    "movdqu 0x30(%0), %%xmm3\n\t"
	    "movdqu 0x40(%0), %%xmm4\n\t"
	    "movdqu 0x50(%0), %%xmm5\n\t"
	    "movdqu 0x60(%0), %%xmm6\n\t"
	    "movdqu 0x70(%0), %%xmm7\n\t"
	    "movdqu 0x80(%0), %%xmm8\n\t"
	    "movdqu 0x90(%0), %%xmm9\n\t"
	    "movdqu 0xa0(%0), %%xmm10\n\t"
	    "movdqu 0xb0(%0), %%xmm11\n\t"
	    "movdqu 0xc0(%0), %%xmm12\n\t"
	    "movdqu 0xd0(%0), %%xmm13\n\t"
	    "movdqu 0xe0(%0), %%xmm14\n\t"
	    "movdqu 0xf0(%0), %%xmm15"
	    : : "r" (xmm) : "memory");
}

/*
 * Clears the save area with integer stores.  The registers belong to the
 * interrupted thread again, and a library's bzero might use them.
 */
static void
kcfaes_xmm_forget(uint8_t (*xmm)[16])
{
	size_t words = 16 * 16 / sizeof (uint64_t);

	__asm__ volatile("rep stosq" : "+D" (xmm), "+c" (words) :
	    "a" (0ul) : "memory");
}

/* TS is read with preemption off: a switch could change it. */
void
kcfaes_env_hold(struct kcfaes_hold *h)
{
	ulong_t cr0;

	kpreempt_disable();
	if (!kcfaes_env_in_interrupt()) {
		h->mode = HOLD_KERNEL_FPU;
		kernel_fpu_begin(NULL, KFPU_NO_STATE);
		KCFAES_PROBE1(kcfaes__hold, uint64_t, h->mode);
		return;
	}
	h->mode = HOLD_BORROWED;
	cr0 = getcr0();
	if (cr0 & CR0_TS) {
		h->mode = HOLD_TS_CLEARED;
		setcr0(cr0 & ~(ulong_t)CR0_TS);
	}
	kcfaes_xmm_save(h->xmm);
	KCFAES_PROBE1(kcfaes__hold, uint64_t, h->mode);
}

/*
 * The saved registers are another thread's secrets, so they do not stay on the
 * stack.
 */
void
kcfaes_env_release(struct kcfaes_hold *h)
{
	KCFAES_PROBE1(kcfaes__release, uint64_t, h->mode);
	if (h->mode == HOLD_KERNEL_FPU) {
		kernel_fpu_end(NULL, KFPU_NO_STATE);
	} else {
		kcfaes_xmm_restore(h->xmm);
		kcfaes_xmm_forget(h->xmm);
		if (h->mode == HOLD_TS_CLEARED)
			setcr0(getcr0() | CR0_TS);
	}
	kpreempt_enable();
}
