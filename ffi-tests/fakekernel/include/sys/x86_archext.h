/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * CPU features that the kernel may use.  Names are illumos'; the numbers are
 * the fake kernel's own and mean nothing outside it.
 */

#ifndef	_SYS_X86_ARCHEXT_H
#define	_SYS_X86_ARCHEXT_H

#include <sys/types.h>

#define	X86FSET_SSE		0
#define	X86FSET_SSE2		1
#define	X86FSET_SSE3		2
#define	X86FSET_SSSE3		3
#define	X86FSET_SSE4_1		4
#define	X86FSET_SSE4_2		5
#define	X86FSET_AES		6
#define	X86FSET_PCLMULQDQ	7
#define	X86FSET_XSAVE		8
#define	X86FSET_AVX		9
#define	X86FSET_AVX2		10
#define	X86FSET_BMI1		11
#define	X86FSET_BMI2		12
#define	X86FSET_AVX512F		13
#define	X86FSET_AVX512DQ	14
#define	X86FSET_AVX512BW	15
#define	X86FSET_AVX512VL	16
#define	X86FSET_VAES		17
#define	X86FSET_VPCLMULQDQ	18
#define	NUM_X86_FEATURES	19

extern uchar_t x86_featureset[];

extern boolean_t is_x86_feature(void *, uint_t);

#endif	/* _SYS_X86_ARCHEXT_H */
