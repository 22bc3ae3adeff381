/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Fills and reads whole vector register files.  It is written in assembly so
 * that these sources can be compiled without vector registers.  At every level
 * all registers of that level are touched.
 */

#include "fk_impl.h"

#define	XMM_REGS	16
#define	ZMM_REGS	32

extern void fk_xmm_fill(uint64_t);
extern void fk_ymm_fill(uint64_t);
extern void fk_zmm_fill(uint64_t);
extern void fk_xmm_store(void *);
extern void fk_ymm_store(void *);
extern void fk_zmm_store(void *);

__asm__(
	".text\n"
	".irp level,x,y,z\n"
	".globl fk_\\level\\()mm_fill\n"
	".type fk_\\level\\()mm_fill, @function\n"
	".globl fk_\\level\\()mm_store\n"
	".type fk_\\level\\()mm_store, @function\n"
	".endr\n"
	"fk_xmm_fill:\n"
	"	movq %rdi, %xmm0\n"
	"	punpcklqdq %xmm0, %xmm0\n"
	".irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqa %xmm0, %xmm\\n\n"
	".endr\n"
	"	ret\n"
	"fk_ymm_fill:\n"
	"	vmovq %rdi, %xmm0\n"
	"	vpbroadcastq %xmm0, %ymm0\n"
	".irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	vmovdqa %ymm0, %ymm\\n\n"
	".endr\n"
	"	ret\n"
	"fk_zmm_fill:\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
	"23,24,25,26,27,28,29,30,31\n"
	"	vpbroadcastq %rdi, %zmm\\n\n"
	".endr\n"
	"	ret\n"
	"fk_xmm_store:\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu %xmm\\n, 16*\\n(%rdi)\n"
	".endr\n"
	"	ret\n"
	"fk_ymm_store:\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	vmovdqu %ymm\\n, 32*\\n(%rdi)\n"
	".endr\n"
	"	ret\n"
	"fk_zmm_store:\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
	"23,24,25,26,27,28,29,30,31\n"
	"	vmovdqu64 %zmm\\n, 64*\\n(%rdi)\n"
	".endr\n"
	"	ret\n");

void
fk_vector_fill(uint64_t pattern)
{
	uint64_t host = fk_host_features();

	if (host & FK_F_AVX512F)
		fk_zmm_fill(pattern);
	else if (host & FK_F_AVX2)
		fk_ymm_fill(pattern);
	else
		fk_xmm_fill(pattern);
}

int
fk_vector_residue(void)
{
	uint64_t regs[ZMM_REGS * 8];
	uint64_t host = fk_host_features();
	size_t n, i;

	if (host & FK_F_AVX512F) {
		fk_zmm_store(regs);
		n = ZMM_REGS * 8;
	} else if (host & FK_F_AVX2) {
		fk_ymm_store(regs);
		n = XMM_REGS * 4;
	} else {
		fk_xmm_store(regs);
		n = XMM_REGS * 2;
	}
	for (i = 0; i < n; i++) {
		if (regs[i] != 0 && regs[i] != FK_VECTOR_CANARY)
			return (1);
	}
	return (0);
}
