/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Shows that each recorder of the fake kernel fires on the fault it is for,
 * and stays quiet otherwise.
 */

#include <sys/cmn_err.h>
#include <sys/controlregs.h>
#include <sys/ddi.h>
#include <sys/archsystm.h>
#include <sys/cpuvar.h>
#include <sys/disp.h>
#include <sys/errno.h>
#include <sys/kfpu.h>
#include <sys/kmem.h>
#include <sys/ksynch.h>
#include <sys/modctl.h>
#include <sys/strsun.h>
#include <sys/systm.h>
#include <sys/time.h>
#include <sys/x86_archext.h>

#include "check.h"
#include "fk_port.h"

static struct {
	size_t size;
	uint8_t first;
} freed;

static void
remember(void *arg, const void *block, size_t size)
{
	CHECK(arg == &freed);
	freed.size = size;
	freed.first = *(const uint8_t *)block;
}

static void
test_ledger(void)
{
	size_t sizes[4];
	fk_stats_t s, all;
	uint8_t *p, *q;

	fk_stats_thread_clear();
	fk_kmem_sizes_clear();
	p = kmem_alloc(100, KM_SLEEP);
	q = kmem_zalloc(33, KM_NOSLEEP);
	CHECK_EQ((uintptr_t)p % 16, 8);
	CHECK_EQ((uintptr_t)q % 16, 8);
	CHECK(memcmp(p, "\xfe\xca\xdd\xba\xfe\xca\xdd\xba", 8) == 0);
	CHECK(memcmp(p + 96, "\xfe\xca\xdd\xba", 4) == 0);
	CHECK(memcmp(p + 100, "\xce\xfa\xed\xfe", 4) == 0);
	CHECK_EQ(q[0] | q[32], 0);
	CHECK_EQ(fk_kmem_live_blocks(), 2);
	CHECK_EQ(fk_kmem_live_bytes(), 133);
	CHECK_EQ(fk_kmem_check(), 0);
	CHECK_EQ(fk_kmem_sizes(sizes, 4), 2);
	CHECK_EQ(sizes[0], 100);
	CHECK_EQ(sizes[1], 33);
	fk_kmem_on_free(remember, &freed);
	p[0] = 0x77;
	kmem_free(p, 100);
	CHECK_EQ(freed.size, 100);
	CHECK_EQ(freed.first, 0x77);
	fk_kmem_on_free(NULL, NULL);
	kmem_free(q, 33);
	fk_stats_thread(&s);
	CHECK_EQ(s.allocs, 2);
	CHECK_EQ(s.frees, 2);
	CHECK_EQ(s.nosleep_allocs, 1);
	CHECK_EQ(s.alloc_bytes, 133);
	CHECK_EQ(s.free_bytes, 133);
	fk_stats_global(&all);
	CHECK(all.allocs >= s.allocs);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

static void
test_kmem_faults(void)
{
	uint8_t *p, on_stack[8] = { 0 };
	int i;

	p = kmem_alloc(24, KM_SLEEP);
	kmem_free(p, 25);
	CHECK_VIOLATIONS(FK_V_FREE_SIZE, 1);

	p = kmem_alloc(24, KM_SLEEP);
	p[24] = 0;
	CHECK_EQ(fk_kmem_check(), 1);
	kmem_free(p, 24);
	CHECK_VIOLATIONS(FK_V_OVERRUN, 1);
	p = kmem_alloc(24, KM_SLEEP);
	p[-1] = 0;
	kmem_free(p, 24);
	CHECK_VIOLATIONS(FK_V_OVERRUN, 1);
	p = kmem_alloc(24, KM_SLEEP);
	p[24 + 31] = 0;
	kmem_free(p, 24);
	CHECK_VIOLATIONS(FK_V_OVERRUN, 1);

	p = kmem_alloc(8, KM_SLEEP);
	kmem_free(on_stack, 8);
	CHECK_VIOLATIONS(FK_V_FREE_BAD, 1);
	kmem_free(p, 8);
	CHECK_CLEAN();

	/* Double free and writes after free are seen: by the next frees. */
	p = kmem_alloc(27, KM_SLEEP);
	kmem_free(p, 27);
	CHECK(memcmp(p, "\xef\xbe\xad\xde\xef\xbe\xad\xde", 8) == 0);
	CHECK(memcmp(p + 24, "\xef\xbe\xad", 3) == 0);
	kmem_free(p, 27);
	CHECK_VIOLATIONS(FK_V_FREE_BAD, 1);
	p[26] = 1;
	for (i = 0; i < 63; i++)
		kmem_free(kmem_alloc(8, KM_SLEEP), 8);
	CHECK_CLEAN();
	kmem_free(kmem_alloc(8, KM_SLEEP), 8);
	CHECK_VIOLATIONS(FK_V_USE_AFTER_FREE, 1);
	fk_kmem_quarantine(4);
	p = kmem_alloc(24, KM_SLEEP);
	kmem_free(p, 24);
	p[3] = 1;
	fk_kmem_quarantine(64);
	CHECK_VIOLATIONS(FK_V_USE_AFTER_FREE, 1);

	/* Nothing may be asked for or given back in no bytes. */
	CHECK(kmem_alloc(0, KM_SLEEP) == NULL);
	CHECK_VIOLATIONS(FK_V_ZERO, 1);
	CHECK(kmem_zalloc(0, KM_NOSLEEP) == NULL);
	CHECK_VIOLATIONS(FK_V_ZERO, 1);
	kmem_free(NULL, 0);
	CHECK_VIOLATIONS(FK_V_ZERO, 1);
	kmem_free(NULL, 8);
	CHECK_VIOLATIONS(FK_V_FREE_BAD, 1);
	p = kmem_alloc(8, KM_SLEEP);
	kmem_free(p, 0);
	CHECK_VIOLATIONS(FK_V_ZERO, 1);
	kmem_free(p, 8);

	fk_set_interrupt(1);
	CHECK(servicing_interrupt());
	p = kmem_alloc(8, KM_SLEEP);
	CHECK_VIOLATIONS(FK_V_SLEEP, 1);
	kmem_free(p, 8);
	p = kmem_alloc(8, KM_NOSLEEP);
	kmem_free(p, 8);
	fk_set_interrupt(0);
	CHECK(!servicing_interrupt());
	CHECK_CLEAN();

	kpreempt_disable();
	p = kmem_alloc(8, KM_NOSLEEP);
	CHECK_VIOLATIONS(FK_V_ALLOC_IN_HOLD, 1);
	kmem_free(p, 8);
	CHECK_VIOLATIONS(FK_V_ALLOC_IN_HOLD, 1);
	kpreempt_enable();
	CHECK_EQ(fk_preempt_depth(), 0);
}

static void
test_kmem_failures(void)
{
	fk_stats_t s;
	void *p[4];
	int i;

	fk_stats_thread_clear();
	fk_kmem_fail_nth(2);
	for (i = 0; i < 4; i++)
		p[i] = kmem_alloc(16, i == 1 ? KM_SLEEP : KM_NOSLEEP);
	/* Sleeping requests neither fail nor count. */
	CHECK(p[0] != NULL && p[1] != NULL && p[2] == NULL && p[3] != NULL);
	for (i = 0; i < 4; i++) {
		if (p[i] != NULL)
			kmem_free(p[i], 16);
	}
	fk_kmem_fail_all(1);
	CHECK(kmem_alloc(16, KM_NOSLEEP) == NULL);
	CHECK(kmem_alloc(16, KM_NOSLEEP) == NULL);
	p[0] = kmem_alloc(16, KM_SLEEP);
	CHECK(p[0] != NULL);
	fk_kmem_fail_all(0);
	kmem_free(p[0], 16);
	CHECK(kmem_alloc(SIZE_MAX - 8, KM_NOSLEEP) == NULL);
	fk_stats_thread(&s);
	CHECK_EQ(s.failed_allocs, 4);
	CHECK_EQ(s.nosleep_allocs, 6);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

/*
 * The memory functions as a module calls them: an address that is not the
 * kernel's is a violation at any length, on either side, and nothing is done.
 */
static void
test_addresses(void)
{
	static const uintptr_t low[] = { 0, 1, 8, 64, 4096 };
	static uint8_t a[8] = "abcdefg", b[8] = "1234567";
	uint8_t stack[8];
	unsigned i, n;

	for (i = 0; i < sizeof (low) / sizeof (low[0]); i++) {
		void *at = (void *)low[i];

		for (n = 0; n < 9; n += 8) {
			(void) fk_memcpy(at, a, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			(void) fk_memcpy(a, at, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			(void) fk_memmove(at, a, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			(void) fk_memmove(a, at, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			(void) fk_memset(at, 0, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			fk_bcopy(at, a, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			fk_bcopy(a, at, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
			fk_bzero(at, n);
			CHECK_VIOLATIONS(FK_V_ADDRESS, 1);
		}
	}
	CHECK(strcmp((char *)a, "abcdefg") == 0);
	for (n = 0; n < 9; n += 8) {
		CHECK(fk_memcpy(a, b, n) == a);
		CHECK_EQ(memcmp(a, b, 8) == 0, n != 0);
		CHECK(fk_memset(a, 'x', n) == a);
		CHECK_EQ(a[7], n == 0 ? 0 : 'x');
		CHECK(fk_memmove(stack, b, n) == stack);
		fk_bzero(a, n);
		CHECK_EQ(a[0], n == 0 ? 'a' : 0);
		fk_bcopy(b, a, n);
		CHECK_EQ(a[6], n == 0 ? 'g' : '7');
	}
	CHECK_CLEAN();
}

static int built, torn;

static int
build(void *obj, void *arg, int kmflag)
{
	(void) kmflag;
	*(int *)obj = *(int *)arg;
	built++;
	return (0);
}

static void
tear(void *obj, void *arg)
{
	(void) obj;
	(void) arg;
	torn++;
}

static void
test_caches(void)
{
	kmem_cache_t *c, *d;
	int value = 99;
	void *p;

	c = kmem_cache_create("c", 200, 64, build, tear, NULL, &value, NULL,
	    0);
	d = kmem_cache_create("d", 200, 0, NULL, NULL, NULL, NULL, NULL, 0);
	p = kmem_cache_alloc(c, KM_SLEEP);
	CHECK_EQ((uintptr_t)p % 64, 0);
	CHECK_EQ(*(int *)p, 99);
	kmem_cache_free(c, p);
	CHECK_EQ(built, 1);
	CHECK_EQ(torn, 1);
	fk_kmem_fail_nth(1);
	CHECK(kmem_cache_alloc(c, KM_NOSLEEP) == NULL);
	CHECK_CLEAN();

	p = kmem_cache_alloc(d, KM_SLEEP);
	kmem_cache_free(c, p);
	CHECK_VIOLATIONS(FK_V_CACHE, 1);
	p = kmem_cache_alloc(d, KM_SLEEP);
	kmem_free(p, 200);
	CHECK_VIOLATIONS(FK_V_CACHE, 1);
	p = kmem_cache_alloc(d, KM_SLEEP);
	kmem_cache_destroy(c);
	CHECK_CLEAN();
	kmem_cache_free(d, p);
	kmem_cache_destroy(d);
	CHECK_CLEAN();
	d = kmem_cache_create("d", 8, 0, NULL, NULL, NULL, NULL, NULL, 0);
	p = kmem_cache_alloc(d, KM_SLEEP);
	CHECK_EQ(fk_kmem_live_blocks(), 1);
	CHECK_EQ(fk_kmem_print_live(), 1);
	kmem_cache_free(d, p);
	kmem_cache_destroy(d);
	CHECK_CLEAN();
}

static void
begin(void)
{
	kpreempt_disable();
	kernel_fpu_begin(NULL, KFPU_NO_STATE);
}

static void
end(void)
{
	kernel_fpu_end(NULL, KFPU_NO_STATE);
	kpreempt_enable();
}

static void
test_fpu(void)
{
	fk_stats_t s;
	void *p;

	fk_stats_thread_clear();
	begin();
	CHECK(curthread->t_flag & T_KFPU);
	CHECK_EQ(fk_preempt_depth(), 1);
	end();
	CHECK(!(curthread->t_flag & T_KFPU));
	fk_stats_thread(&s);
	CHECK_EQ(s.holds, 1);
	CHECK_CLEAN();

	begin();
	kernel_fpu_begin(NULL, KFPU_NO_STATE);
	end();
	CHECK_VIOLATIONS(FK_V_FPU_NESTED, 1);
	fk_set_kfpu(1);
	begin();
	CHECK_VIOLATIONS(FK_V_FPU_NESTED, 1);
	end();
	fk_set_kfpu(0);
	CHECK_CLEAN();

	kernel_fpu_begin(NULL, KFPU_NO_STATE);
	CHECK_VIOLATIONS(FK_V_FPU_PREEMPT, 1);
	kernel_fpu_end(NULL, KFPU_NO_STATE);
	CHECK_VIOLATIONS(FK_V_FPU_PREEMPT, 1);
	begin();
	kpreempt_enable();
	kernel_fpu_end(NULL, KFPU_NO_STATE);
	CHECK_VIOLATIONS(FK_V_FPU_PREEMPT, 1);

	fk_set_interrupt(1);
	begin();
	CHECK_VIOLATIONS(FK_V_FPU_INTERRUPT, 1);
	end();
	fk_set_interrupt(0);

	kpreempt_disable();
	kernel_fpu_begin(NULL, KFPU_NO_STATE | KFPU_USE_LWP);
	CHECK_VIOLATIONS(FK_V_FPU_ARGS, 1);
	end();
	CHECK_VIOLATIONS(FK_V_FPU_ARGS, 1);

	kpreempt_disable();
	kernel_fpu_end(NULL, KFPU_NO_STATE);
	kpreempt_enable();
	CHECK_VIOLATIONS(FK_V_FPU_END, 1);

	begin();
	p = kmem_alloc(8, KM_NOSLEEP);
	end();
	CHECK_VIOLATIONS(FK_V_ALLOC_IN_HOLD, 1);
	kmem_free(p, 8);
	CHECK_CLEAN();
}

static void
test_residue(void)
{
	fk_fpu_canary(1);
	begin();
	end();
	CHECK_CLEAN();
	begin();
	__asm__ volatile("pxor %%xmm3, %%xmm3" : : : "memory");
	end();
	CHECK_CLEAN();
	begin();
	__asm__ volatile("movq %0, %%xmm15" : : "r" (0x123456789ul) :
	    "memory");
	end();
	CHECK_VIOLATIONS(FK_V_FPU_RESIDUE, 1);
	if (fk_host_features() & FK_F_AVX2) {
		/* Only the upper half of a ymm register. */
		begin();
		__asm__ volatile("vmovq %0, %%xmm0\n\t"
		    "vinserti128 $1, %%xmm0, %%ymm7, %%ymm7\n\t"
		    "vpxor %%xmm0, %%xmm0, %%xmm0"
		    : : "r" (0x123456789ul) : "memory");
		end();
		CHECK_VIOLATIONS(FK_V_FPU_RESIDUE, 1);
	}
	if (fk_host_features() & FK_F_AVX512F) {
		begin();
		__asm__ volatile("vpbroadcastq %0, %%zmm31" : :
		    "r" (0x123456789ul) : "memory");
		end();
		CHECK_VIOLATIONS(FK_V_FPU_RESIDUE, 1);
	}
	fk_fpu_canary(0);
	begin();
	__asm__ volatile("movq %0, %%xmm15" : : "r" (0x123456789ul) :
	    "memory");
	end();
	CHECK_CLEAN();
}

static void
test_bench_mode(void)
{
	fk_stats_t s;
	void *p;

	fk_stats_thread_clear();
	fk_bench_mode(1);
	begin();
	kernel_fpu_begin(NULL, KFPU_NO_STATE);
	end();
	p = kmem_alloc(64, KM_SLEEP);
	kmem_free(p, 64);
	fk_bench_mode(0);
	fk_stats_thread(&s);
	CHECK_EQ(s.holds, 0);
	CHECK_EQ(s.allocs, 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

static void
test_cr0(void)
{
	CHECK(!(getcr0() & CR0_TS));
	setcr0(getcr0() | CR0_TS);
	CHECK(fk_cr0_ts());
	setcr0(getcr0() & ~(ulong_t)CR0_TS);
	CHECK(!fk_cr0_ts());
	fk_set_cr0_ts(1);
	CHECK(getcr0() & CR0_TS);
	fk_set_cr0_ts(0);
}

static void
test_features(void)
{
	uint64_t host = fk_host_features();

	CHECK_EQ(fk_features(), host);
	CHECK(is_x86_feature(x86_featureset, X86FSET_SSE2));
	CHECK(!is_x86_feature(x86_featureset, NUM_X86_FEATURES));
	fk_set_features(FK_F_AES);
	CHECK_EQ(fk_features(), FK_F_AES & host);
	CHECK(!is_x86_feature(x86_featureset, X86FSET_SSE2));
	CHECK(!is_x86_feature(x86_featureset, X86FSET_PCLMULQDQ));
	fk_set_features(~0ull);
	CHECK_EQ(fk_features(), host);
	/* The compiler's own view of the same CPU. */
	CHECK_EQ(!!(host & FK_F_AES), !!__builtin_cpu_supports("aes"));
	CHECK_EQ(!!(host & FK_F_PCLMULQDQ),
	    !!__builtin_cpu_supports("pclmul"));
	CHECK_EQ(!!(host & FK_F_SSSE3), !!__builtin_cpu_supports("ssse3"));
	CHECK_EQ(!!(host & FK_F_SSE4_1), !!__builtin_cpu_supports("sse4.1"));
	CHECK_EQ(!!(host & FK_F_AVX), !!__builtin_cpu_supports("avx"));
	CHECK_EQ(!!(host & FK_F_AVX2), !!__builtin_cpu_supports("avx2"));
	CHECK_EQ(!!(host & FK_F_BMI2), !!__builtin_cpu_supports("bmi2"));
	CHECK_EQ(!!(host & FK_F_AVX512F),
	    !!__builtin_cpu_supports("avx512f"));
	CHECK_EQ(!!(host & FK_F_AVX512BW),
	    !!__builtin_cpu_supports("avx512bw"));
	CHECK_EQ(!!(host & FK_F_AVX512VL),
	    !!__builtin_cpu_supports("avx512vl"));
	CHECK_EQ(!!(host & FK_F_AVX512DQ),
	    !!__builtin_cpu_supports("avx512dq"));
	CHECK_EQ(!!(host & FK_F_VPCLMULQDQ),
	    !!__builtin_cpu_supports("vpclmulqdq"));
}

static void
test_log(void)
{
	char buf[64];
	size_t n;

	n = snprintf(buf, sizeof (buf), "%d|%5u|%-4x|%04x|%s|%.2s|%c%%",
	    -7, 42u, 0xabu, 0xabu, "text", "cut", 'q');
	CHECK(strcmp(buf, "-7|   42|ab  |00ab|text|cu|q%") == 0);
	CHECK_EQ(n, strlen(buf));
	n = snprintf(buf, 4, "%lu", 1234567ul);
	CHECK(strcmp(buf, "123") == 0);
	CHECK_EQ(n, 7);
	(void) snprintf(buf, sizeof (buf), "%ld %lx %05d",
	    -9223372036854775807l - 1, ~0ul, -42);
	CHECK(strcmp(buf, "-9223372036854775808 ffffffffffffffff -0042") == 0);

	fk_log_clear();
	cmn_err(CE_WARN, "!hidden %d", 1);
	cmn_err(CE_NOTE, "note");
	cmn_err(CE_CONT, "?verbose");
	CHECK_EQ(fk_log_count(), 3);
	CHECK(strcmp(fk_log_line(0), "WARNING: hidden 1") == 0);
	CHECK(strcmp(fk_log_line(1), "NOTICE: note") == 0);
	CHECK(strcmp(fk_log_line(2), "verbose") == 0);
	CHECK(fk_log_line(3) == NULL);
	CHECK_EQ(fk_log_find("hid"), 1);
	CHECK_EQ(fk_log_find("none"), 0);
}

static struct modlmisc modl = { &mod_miscops, "test" };
static struct modlinkage linkage = { MODREV_1, { &modl, NULL } };

static int
init_well(void)
{
	return (mod_install(&linkage));
}

static int
init_leaving_behind(void)
{
	(void) mod_install(&linkage);
	return (EACCES);
}

static int
init_nothing(void)
{
	return (0);
}

static int
fini_well(void)
{
	return (mod_remove(&linkage));
}

static void
test_modules(void)
{
	struct modinfo info;

	CHECK_EQ(fk_module_load("m", init_well), 0);
	CHECK_EQ(mod_install(&linkage), EBUSY);
	CHECK(mod_info(&linkage, &info) != 0);
	CHECK(strcmp(info.mi_name, "m") == 0);
	CHECK(strcmp(info.mi_msinfo[0].msi_linkinfo, "test") == 0);
	fk_mod_remove_error(EBUSY);
	CHECK_EQ(fk_module_unload("m", fini_well), EBUSY);
	CHECK_EQ(fk_module_unload("m", fini_well), 0);
	fk_mod_install_error(ENOMEM);
	CHECK_EQ(fk_module_load("m", init_well), ENOMEM);
	CHECK_CLEAN();

	CHECK_EQ(fk_module_load("m", init_leaving_behind), EACCES);
	CHECK_VIOLATIONS(FK_V_MODULE, 1);
	CHECK_EQ(fini_well(), 0);
	CHECK_EQ(fk_module_load("m", init_nothing), 0);
	CHECK_VIOLATIONS(FK_V_MODULE, 1);
	CHECK_EQ(fini_well(), EINVAL);
	CHECK_VIOLATIONS(FK_V_MODULE, 1);
	linkage.ml_rev = 2;
	CHECK_EQ(fk_module_load("m", init_well), EINVAL);
	linkage.ml_rev = MODREV_1;
	CHECK_CLEAN();
}

static void
test_streams(void)
{
	mblk_t *mp = allocb(10, BPRI_MED), *mp2 = allocb(0, BPRI_MED);

	CHECK_EQ(MBLKL(mp), 0);
	CHECK_EQ(MBLKSIZE(mp), 10);
	CHECK_EQ(DB_REF(mp), 1);
	mp->b_wptr += 7;
	linkb(mp, mp2);
	CHECK(mp->b_cont == mp2);
	CHECK_EQ(msgdsize(mp), 7);
	freemsg(mp);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
}

static int
init_unbalanced(void)
{
	kpreempt_disable();
	return (mod_install(&linkage));
}

static int
fini_unbalanced(void)
{
	kpreempt_enable();
	return (mod_remove(&linkage));
}

static kmutex_t lock;
static kcondvar_t cond;
static int turn;

static int
fini_holding(void)
{
	mutex_enter(&lock);
	return (mod_remove(&linkage));
}

/* What a module's own functions must not come back with. */
static void
test_balance(void)
{
	CHECK_EQ(fk_module_load("m", init_unbalanced), 0);
	CHECK_VIOLATIONS(FK_V_PREEMPT, 1);
	CHECK_EQ(fk_module_unload("m", fini_unbalanced), 0);
	CHECK_VIOLATIONS(FK_V_PREEMPT, 1);
	CHECK_EQ(fk_preempt_depth(), 0);
	mutex_init(&lock, NULL, MUTEX_DEFAULT, NULL);
	CHECK_EQ(fk_module_load("m", init_well), 0);
	CHECK_CLEAN();
	CHECK_EQ(fk_module_unload("m", fini_holding), 0);
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	mutex_exit(&lock);
	mutex_destroy(&lock);
	CHECK_CLEAN();
}

static void
leave(void *arg)
{
	mutex_exit(arg);
}

static void
test_mutexes(void)
{
	mutex_init(&lock, NULL, MUTEX_DEFAULT, NULL);
	cv_init(&cond, NULL, CV_DEFAULT, NULL);
	mutex_exit(&lock);
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	cv_wait(&cond, &lock);
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	mutex_enter(&lock);
	CHECK_CLEAN();
	mutex_enter(&lock);
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	/* By another thread. */
	fk_task_join(fk_task_start(leave, &lock));
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	mutex_exit(&lock);
	CHECK_CLEAN();
	mutex_exit(&lock);
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	mutex_enter(&lock);
	mutex_exit(&lock);
	CHECK_CLEAN();
	mutex_enter(&lock);
	mutex_destroy(&lock);
	CHECK_VIOLATIONS(FK_V_MUTEX, 1);
	mutex_init(&lock, NULL, MUTEX_DEFAULT, NULL);
	cv_destroy(&cond);
	CHECK_CLEAN();
}

static void
take_turn(void *arg)
{
	mutex_enter(&lock);
	*(int *)arg = servicing_interrupt();
	turn = 1;
	cv_broadcast(&cond);
	mutex_exit(&lock);
}

static void
test_threads(void)
{
	int other = 7;
	fk_task_t *task;
	hrtime_t start = gethrtime();

	mutex_init(&lock, NULL, MUTEX_DEFAULT, NULL);
	cv_init(&cond, NULL, CV_DEFAULT, NULL);
	fk_set_interrupt(1);
	mutex_enter(&lock);
	task = fk_task_start(take_turn, &other);
	while (!turn)
		cv_wait(&cond, &lock);
	mutex_exit(&lock);
	fk_task_join(task);
	fk_set_interrupt(0);
	/* Thread state is the thread's own. */
	CHECK_EQ(other, 0);
	delay(drv_usectohz(10000));
	CHECK(gethrtime() - start >= 10000000);
	CHECK(CPU->cpu_id >= 0 && CPU->cpu_id < max_ncpus);
	cv_destroy(&cond);
	mutex_destroy(&lock);
}

void
kernel_test(void)
{
	test_ledger();
	test_kmem_faults();
	test_addresses();
	test_kmem_failures();
	test_caches();
	test_fpu();
	test_residue();
	test_bench_mode();
	test_cr0();
	test_features();
	test_log();
	test_modules();
	test_balance();
	test_mutexes();
	test_streams();
	test_threads();
	CHECK_CLEAN();
}
