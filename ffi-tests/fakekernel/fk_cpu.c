/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * CPU features as illumos sees them: CPUID says what the processor has, XGETBV
 * says what the system saves.  Each feature has its own test bit.
 */

#include <sys/x86_archext.h>

#include "fk_impl.h"

#define	BIT(n)	(1ull << (n))

_Static_assert(FK_F_SSSE3 == BIT(X86FSET_SSSE3), "SSSE3");
_Static_assert(FK_F_SSE4_1 == BIT(X86FSET_SSE4_1), "SSE4_1");
_Static_assert(FK_F_AES == BIT(X86FSET_AES), "AES");
_Static_assert(FK_F_PCLMULQDQ == BIT(X86FSET_PCLMULQDQ), "PCLMULQDQ");
_Static_assert(FK_F_AVX == BIT(X86FSET_AVX), "AVX");
_Static_assert(FK_F_AVX2 == BIT(X86FSET_AVX2), "AVX2");
_Static_assert(FK_F_BMI2 == BIT(X86FSET_BMI2), "BMI2");
_Static_assert(FK_F_AVX512F == BIT(X86FSET_AVX512F), "AVX512F");
_Static_assert(FK_F_AVX512DQ == BIT(X86FSET_AVX512DQ), "AVX512DQ");
_Static_assert(FK_F_AVX512BW == BIT(X86FSET_AVX512BW), "AVX512BW");
_Static_assert(FK_F_AVX512VL == BIT(X86FSET_AVX512VL), "AVX512VL");
_Static_assert(FK_F_VAES == BIT(X86FSET_VAES), "VAES");
_Static_assert(FK_F_VPCLMULQDQ == BIT(X86FSET_VPCLMULQDQ), "VPCLMULQDQ");

#define	XCR0_AVX	0x06u	/* XMM and YMM state */
#define	XCR0_AVX512	0xe6u	/* and opmask, ZMM_Hi256, Hi16_ZMM */

uchar_t x86_featureset[(NUM_X86_FEATURES + 7) / 8];
static int filled;

struct regs {
	uint32_t a, b, c, d;
};

static struct regs
cpuid(uint32_t leaf)
{
	struct regs r;

	__asm__ volatile("cpuid" : "=a" (r.a), "=b" (r.b), "=c" (r.c),
	    "=d" (r.d) : "0" (leaf), "2" (0));
	return (r);
}

static uint64_t
host_features(void)
{
	static const struct {
		uint8_t reg, bit, feature, needs;
	} map[] = {
		{ 'd', 25, X86FSET_SSE, 0 },
		{ 'd', 26, X86FSET_SSE2, 0 },
		{ 'c', 0, X86FSET_SSE3, 0 },
		{ 'c', 1, X86FSET_PCLMULQDQ, 0 },
		{ 'c', 9, X86FSET_SSSE3, 0 },
		{ 'c', 19, X86FSET_SSE4_1, 0 },
		{ 'c', 20, X86FSET_SSE4_2, 0 },
		{ 'c', 25, X86FSET_AES, 0 },
		{ 'c', 27, X86FSET_XSAVE, 0 },
		{ 'c', 28, X86FSET_AVX, XCR0_AVX },
		{ 'B', 3, X86FSET_BMI1, 0 },
		{ 'B', 5, X86FSET_AVX2, XCR0_AVX },
		{ 'B', 8, X86FSET_BMI2, 0 },
		{ 'B', 16, X86FSET_AVX512F, XCR0_AVX512 },
		{ 'B', 17, X86FSET_AVX512DQ, XCR0_AVX512 },
		{ 'B', 30, X86FSET_AVX512BW, XCR0_AVX512 },
		{ 'B', 31, X86FSET_AVX512VL, XCR0_AVX512 },
		{ 'C', 9, X86FSET_VAES, XCR0_AVX },
		{ 'C', 10, X86FSET_VPCLMULQDQ, XCR0_AVX },
	};
	struct regs one = cpuid(1), seven = { 0, 0, 0, 0 };
	uint32_t xcr0 = 0, high, word;
	uint64_t mask = 0;
	size_t i;

	if (cpuid(0).a >= 7)
		seven = cpuid(7);
	if (one.c & (1u << 27)) {
		__asm__ volatile("xgetbv" : "=a" (xcr0), "=d" (high) :
		    "c" (0));
	}
	for (i = 0; i < sizeof (map) / sizeof (map[0]); i++) {
		word = map[i].reg == 'c' ? one.c : map[i].reg == 'd' ? one.d :
		    map[i].reg == 'B' ? seven.b : seven.c;
		if ((word >> map[i].bit & 1) &&
		    (xcr0 & map[i].needs) == map[i].needs)
			mask |= BIT(map[i].feature);
	}
	return (mask);
}

static void
fill(uint64_t mask)
{
	size_t i;

	for (i = 0; i < sizeof (x86_featureset); i++)
		x86_featureset[i] = (uchar_t)(mask >> (8 * i));
	filled = 1;
}

boolean_t
is_x86_feature(void *set, uint_t feature)
{
	const uchar_t *bytes = set;

	if (!filled)
		fill(fk_host_features());
	return (feature < NUM_X86_FEATURES &&
	    (bytes[feature / 8] >> feature % 8 & 1) ? B_TRUE : B_FALSE);
}

uint64_t
fk_host_features(void)
{
	static uint64_t mask;

	if (mask == 0)
		mask = host_features();
	return (mask);
}

uint64_t
fk_features(void)
{
	uint64_t mask = 0;
	uint_t i;

	for (i = 0; i < NUM_X86_FEATURES; i++) {
		if (is_x86_feature(x86_featureset, i))
			mask |= BIT(i);
	}
	return (mask);
}

void
fk_set_features(uint64_t mask)
{
	fill(mask & fk_host_features());
}
