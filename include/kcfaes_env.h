/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The environment: everything that the provider asks of the system it runs in.
 *
 * In the kernel kmod/kcfaes_env.c answers; in libkcfaes a few lines over malloc and CPUID do.
 * The linker binds the names, so no call to them is indirect.
 *
 * Generated from rust-core/provider/src/env.rs by cargo xtask headers: do not edit.
 */

#ifndef _KCFAES_ENV_H
#define _KCFAES_ENV_H

#if !defined(_LP64) && !defined(__LP64__)
#error "kcfaes has KCF's structures as a 64-bit kernel has them: compile for LP64"
#endif

#ifdef _KERNEL
#include <sys/types.h>
#include <sys/crypto/common.h>
#include <sys/crypto/spi.h>
#else
#include "kcfaes_kcf.h"
#endif

#define KCFAES_ALIGNED(n) __attribute__((aligned(n)))

/* AES-NI. */
#define KCFAES_FEATURE_AES (1 << 0)

/* PCLMULQDQ. */
#define KCFAES_FEATURE_PCLMULQDQ (1 << 1)

/* SSSE3. */
#define KCFAES_FEATURE_SSSE3 (1 << 2)

/* SSE4.1. */
#define KCFAES_FEATURE_SSE41 (1 << 3)

/* AVX, enabled by the system. */
#define KCFAES_FEATURE_AVX (1 << 4)

/* AVX2. */
#define KCFAES_FEATURE_AVX2 (1 << 5)

/* VAES. */
#define KCFAES_FEATURE_VAES (1 << 6)

/* VPCLMULQDQ. */
#define KCFAES_FEATURE_VPCLMULQDQ (1 << 7)

/* AVX-512F, enabled by the system. */
#define KCFAES_FEATURE_AVX512F (1 << 8)

/* AVX-512BW. */
#define KCFAES_FEATURE_AVX512BW (1 << 9)

/* AVX-512VL. */
#define KCFAES_FEATURE_AVX512VL (1 << 10)

/* BMI2. */
#define KCFAES_FEATURE_BMI2 (1 << 11)

/* Tables of kernels that have separate counters. */
#define KCFAES_TABLES 4

/* Mechanism numbers that have separate counters: KCF's, from 0. Some are unused. */
#define KCFAES_MECHANISMS 8

/* Results that have separate counters: KCF's CRYPTO_*, from 0. */
#define KCFAES_RESULTS 128

/* What the environment keeps while it lends the FPU. It lives on the caller's stack. */
typedef struct KCFAES_ALIGNED(16) kcfaes_hold {
    /* The environment's own: how the FPU was taken. */
    uint64_t mode;
    /* The environment's own. */
    uint64_t pad;
    /* Room for xmm0-15, saved in a light hold. */
    uint8_t xmm[16][16];
} kcfaes_hold;

/*
 * Counters of one CPU. The environment keeps one set for each CPU, zero at first, and adds them
 * up. The provider writes those of the CPU that it runs on, without a lock.
 */
typedef struct KCFAES_ALIGNED(64) kcfaes_stats {
    /* Calls on data (in one call, a part, an end) that succeeded, by mechanism and table. */
    uint64_t operations[KCFAES_MECHANISMS][KCFAES_TABLES];
    /* Bytes of their input. */
    uint64_t bytes[KCFAES_MECHANISMS][KCFAES_TABLES];
    /* Calls of any kind that failed, by result. */
    uint64_t failures[KCFAES_RESULTS];
    /*
     * Ticks of the time stamp counter that the longest FPU hold took, of those that ended with
     * their budget spent.
     */
    uint64_t longest_hold;
} kcfaes_stats;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/*
 * Returns size > 0 bytes, aligned to at least 8, or NULL. With KM_SLEEP it may wait for
 * memory, unless it runs in an interrupt.
 */
void *kcfaes_env_alloc(size_t size, int kmflag);

/* Gives back what kcfaes_env_alloc returned for this size. */
void kcfaes_env_free(void *ptr, size_t size);

/* KM_SLEEP or KM_NOSLEEP, as req allows; req may be NULL. */
int kcfaes_env_kmflag(crypto_req_handle_t req);

/* The feature bits of this CPU that the system has enabled; the same at every call. */
uint32_t kcfaes_env_features(void);

/*
 * The processor's signature, CPUID leaf 1 EAX (Intel SDM volume 2A, CPUID): model, family and
 * their extensions.
 */
uint32_t kcfaes_env_signature(void);

/*
 * Non-zero if the FPU may only be borrowed for legacy-SSE code: in an interrupt, or in a
 * thread that is itself inside an FPU section.
 */
int kcfaes_env_in_interrupt(void);

/*
 * Takes the FPU for the calling thread. The thread neither sleeps nor allocates until it
 * gives the FPU back. Not nested. With light other than 0 the thread borrows xmm0-15 for
 * legacy-SSE code; where kcfaes_env_in_interrupt is not 0, nothing else is allowed.
 */
void kcfaes_env_hold(struct kcfaes_hold *hold, int light);

/* The counters of this CPU, or NULL if nothing is counted. */
struct kcfaes_stats *kcfaes_env_stats(void);

/* Gives back the FPU that kcfaes_env_hold took with this hold. */
void kcfaes_env_release(struct kcfaes_hold *hold);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* _KCFAES_ENV_H */
