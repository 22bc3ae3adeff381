/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * What the module's C sources share, and the environment that the Rust
 * provider imports (rust-core/provider/src/engine/env.rs declares the same).
 */

#ifndef	_KCFAES_IMPL_H
#define	_KCFAES_IMPL_H

#include <sys/types.h>
#include <sys/crypto/spi.h>

#ifdef	__cplusplus
extern "C" {
#endif

/* Bits of kcfaes_env_features(). */
#define	KCFAES_FEATURE_AES		0x0001
#define	KCFAES_FEATURE_PCLMULQDQ	0x0002
#define	KCFAES_FEATURE_SSSE3		0x0004
#define	KCFAES_FEATURE_SSE4_1		0x0008
#define	KCFAES_FEATURE_AVX		0x0010
#define	KCFAES_FEATURE_AVX2		0x0020
#define	KCFAES_FEATURE_VAES		0x0040
#define	KCFAES_FEATURE_VPCLMULQDQ	0x0080
#define	KCFAES_FEATURE_AVX512F		0x0100
#define	KCFAES_FEATURE_AVX512BW		0x0200
#define	KCFAES_FEATURE_AVX512VL		0x0400
#define	KCFAES_FEATURE_BMI2		0x0800
#define	KCFAES_FEATURE_AVX512DQ		0x1000

/* An FPU hold; lives on the caller's stack, 16-byte aligned. */
struct kcfaes_hold {
	uint64_t	mode;
	uint64_t	pad;
	uint8_t		xmm[16][16];
};

extern void kcfaes_env_init(void);

extern void *kcfaes_env_alloc(size_t, int);
extern void kcfaes_env_free(void *, size_t);
extern int kcfaes_env_kmflag(crypto_req_handle_t);
extern uint32_t kcfaes_env_features(void);
extern int kcfaes_env_in_interrupt(void);
extern void kcfaes_env_hold(struct kcfaes_hold *);
extern void kcfaes_env_release(struct kcfaes_hold *);

#ifdef	__cplusplus
}
#endif

#endif	/* _KCFAES_IMPL_H */
