/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * CR0.TS and the vector state, for real.  TS is set whenever nobody holds the
 * FPU, so that an instruction that needs the FPU then raises #NM.
 *
 * The kernel's functions have their own names here.  fakekernel's functions are
 * compiled under fk_simulated_* names.  They go on recording misuse and filling
 * the registers with the canary.
 */

#include <sys/archsystm.h>
#include <sys/controlregs.h>
#include <sys/kfpu.h>
#include <sys/systm.h>

#include "fk_impl.h"
#include "ring0.h"

#define	CR4_OSFXSR	0x200
#define	CR4_OSXMMEXCPT	0x400
#define	CR4_OSXSAVE	0x40000

/* x87, SSE, AVX, and the three of AVX-512. */
#define	XCR0_WANTED	0xe7

/* x87 and SSE only: a VEX instruction is then undefined. */
#define	XCR0_GUEST	0x3

/* The part of an image that says which components were saved. */
#define	XSAVE_HEADER	512
#define	XSAVE_HEADER_BYTES 64

extern void fk_simulated_fpu_begin(kfpu_state_t *, uint_t);
extern void fk_simulated_fpu_end(kfpu_state_t *, uint_t);

static uint32_t xcr0;	/* 0: this processor has FXSAVE alone */

static void
cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a" (r[0]), "=b" (r[1]), "=c" (r[2]),
	    "=d" (r[3]) : "0" (leaf), "2" (0));
}

ulong_t
getcr0(void)
{
	ulong_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r" (value));
	return (value);
}

void
setcr0(ulong_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r" (value) : "memory");
}

int
fpu_ts(void)
{
	return ((getcr0() & CR0_TS) != 0);
}

void
fpu_set_ts(int on)
{
	ulong_t rest = getcr0() & ~(ulong_t)CR0_TS;

	setcr0(on ? rest | CR0_TS : rest);
}

void
kernel_fpu_begin(kfpu_state_t *state, uint_t flags)
{
	if (!fpu_ts())
		check(0, "kernel_fpu_begin with TS clear");
	fpu_set_ts(0);
	fk_simulated_fpu_begin(state, flags);
}

void
kernel_fpu_end(kfpu_state_t *state, uint_t flags)
{
	if (fpu_ts())
		check(0, "kernel_fpu_end with TS set");
	fk_simulated_fpu_end(state, flags);
	fpu_set_ts(1);
}

/* Names for the report only. */
static const struct {
	const char *name;
	uint64_t bit;
} names[] = {
	{ "ssse3", FK_F_SSSE3 }, { "sse4.1", FK_F_SSE4_1 },
	{ "aes", FK_F_AES }, { "pclmulqdq", FK_F_PCLMULQDQ },
	{ "avx", FK_F_AVX }, { "avx2", FK_F_AVX2 }, { "bmi2", FK_F_BMI2 },
	{ "avx512f", FK_F_AVX512F }, { "avx512dq", FK_F_AVX512DQ },
	{ "avx512bw", FK_F_AVX512BW }, { "avx512vl", FK_F_AVX512VL },
	{ "vaes", FK_F_VAES }, { "vpclmulqdq", FK_F_VPCLMULQDQ },
};

void
fpu_init(void)
{
	uint32_t r[4];
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r" (cr4));
	cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	cpuid(1, r);
	if (r[2] & (1u << 26))
		cr4 |= CR4_OSXSAVE;
	__asm__ volatile("mov %0, %%cr4" : : "r" (cr4));
	if (cr4 & CR4_OSXSAVE) {
		cpuid(13, r);
		xcr0 = r[0] & XCR0_WANTED;
		__asm__ volatile("xsetbv" : : "a" (xcr0), "d" (0), "c" (0));
	}
	fpu_set_ts(0);
	__asm__ volatile("fninit");
	fpu_set_ts(1);
}

void
fpu_guest_xcr0(int on)
{
	if (xcr0 != 0) {
		__asm__ volatile("xsetbv" : : "a" (on ? XCR0_GUEST : xcr0),
		    "d" (0), "c" (0));
	}
}

void
fpu_report(void)
{
	size_t i;

	fk_printf("features:");
	for (i = 0; i < sizeof (names) / sizeof (names[0]); i++) {
		if (fk_host_features() & names[i].bit)
			fk_printf(" %s", names[i].name);
	}
	fk_printf("; xcr0 0x%x\n", xcr0);
}

void
fpu_image(image_t *image)
{
	int ts = fpu_ts();

	bzero(image, sizeof (*image));
	fpu_set_ts(0);
	if (xcr0 != 0) {
		__asm__ volatile("xsave64 (%0)" : : "r" (image),
		    "a" (xcr0), "d" (0) : "memory");
		/* The set of components in their initial state may change. */
		bzero(image->bytes + XSAVE_HEADER, XSAVE_HEADER_BYTES);
	} else {
		__asm__ volatile("fxsave64 (%0)" : : "r" (image) : "memory");
	}
	fpu_set_ts(ts);
}

void
fpu_save_and_restore(void)
{
	static image_t own, fresh;

	if (xcr0 != 0) {
		__asm__ volatile("xsave64 (%0); xrstor64 (%1); xrstor64 (%0)"
		    : : "r" (&own), "r" (&fresh), "a" (xcr0), "d" (0) :
		    "memory");
	} else {
		__asm__ volatile("fxsave64 (%0); fxrstor64 (%1); "
		    "fxrstor64 (%0)" : : "r" (&own), "r" (&fresh) : "memory");
	}
}

void
fpu_fill(uint64_t pattern)
{
	int ts = fpu_ts();

	fpu_set_ts(0);
	fk_vector_fill(pattern);
	fpu_set_ts(ts);
}
