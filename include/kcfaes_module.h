/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the kernel module asks of the provider in addition to the ops vector, when it is loaded
 * and when its statistics are read: self-tests, tunables, names. Not in libkcfaes.
 *
 * The numbers are the provider's own. The module registers its mechanisms by them, and uses them
 * as default and range of a tunable.
 *
 * Tables are numbered from 0, slowest first. KCFAES_TABLES of kcfaes_env.h is their number.
 *
 * Generated from rust-core/capi/src/module.rs by cargo xtask headers: do not edit.
 */

#ifndef _KCFAES_MODULE_H
#define _KCFAES_MODULE_H

#ifdef _KERNEL
#include <sys/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/*
 * Number of CKM_AES_ECB in this provider. All these numbers are those of the stock provider,
 * which reserves 2 for CBC_PAD.
 */
#define KCFAES_AES_ECB_MECH_INFO_TYPE 0

/* Number of CKM_AES_CBC in this provider. */
#define KCFAES_AES_CBC_MECH_INFO_TYPE 1

/* Number of CKM_AES_CTR in this provider. */
#define KCFAES_AES_CTR_MECH_INFO_TYPE 3

/* Number of CKM_AES_CCM in this provider. */
#define KCFAES_AES_CCM_MECH_INFO_TYPE 4

/* Number of CKM_AES_GCM in this provider. */
#define KCFAES_AES_GCM_MECH_INFO_TYPE 5

/* Number of CKM_AES_GMAC in this provider. */
#define KCFAES_AES_GMAC_MECH_INFO_TYPE 6

/* Number of CKM_AES_CMAC in this provider. */
#define KCFAES_AES_CMAC_MECH_INFO_TYPE 7

/* Bytes of the shortest key. */
#define KCFAES_MIN_KEY 16

/* Bytes of the longest key. */
#define KCFAES_MAX_KEY 32

/*
 * Cost units of one hold, unless set_hold_bytes sets another number. A unit is the time of a
 * byte in a parallel mode (ECB, CTR, CBC decryption, GCM). Chosen: a hold is short beside the time
 * slice of a thread, and long beside taking and giving back the FPU. Measured: 1.3 microseconds
 * (ECB-128, vaes512) to 5.0 (GCM-256, aesni) on Rocket Lake at 3.6 GHz, 16 KiB rows of
 * make bench.
 */
#define KCFAES_HOLD_BYTES (32 * 1024)

/*
 * The smallest hold that set_hold_bytes accepts. Derived: the cost of all the runs that one
 * call of a kernel takes (asserted in drive.rs).
 */
#define KCFAES_LEAST_HOLD 1024

/* The largest hold that set_hold_bytes accepts. */
#define KCFAES_MOST_HOLD (1024 * 1024)

/*
 * The longest call, in bytes, whose holds are light, unless set_light_bytes sets another number.
 *
 * Measured: a message of 512 bytes takes 0.42 to 0.92 of the time on aesni in a light hold that
 * it takes on a wide table between XSAVEOPT and two XRSTORs, ECB and GCM alike, and this is below 1
 * up to 1.0 KiB. For a kernel thread, which needs one XRSTOR only, it is 0.86 to 1.15 at 512 bytes,
 * and 1.0 on average (Sapphire Rapids at 4.1 GHz, cargo bench -p kcfaes-ffi-tests --bench light).
 */
#define KCFAES_LIGHT_BYTES 512

/* Where a self-test found a wrong answer. */
typedef struct kcfaes_module_fault {
    /* Name of the mode. */
    const char *mode;
    /* Length of the key in bits. */
    uint32_t key_bits;
} kcfaes_module_fault;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/*
 * Runs the known answers of a table, in every mode and key size, on this CPU. Returns 1 if all
 * are right, and 0 if this CPU does not have the table or no table has that number. At the first
 * wrong answer it returns -1, and fault (writable) says where. Then no later call uses the
 * table. Table 0 is the exception, because it serves where there is no other: if it fails, the
 * module may not be loaded.
 */
int kcfaes_module_selftest(uint32_t table, struct kcfaes_module_fault *fault);

/* Name of a table, NULL if no table has that number. */
const char *kcfaes_module_table_name(uint32_t table);

/*
 * Name of a mechanism by its number, NULL if no mechanism has that number. The statistics are by
 * mechanism, in the order of their numbers.
 */
const char *kcfaes_module_mechanism_name(uint32_t number);

/* Number of the table that a long call would use here and now. */
uint32_t kcfaes_module_table(void);

/*
 * Makes later calls use this table, or the next below it that this CPU has. If no table has that
 * number, they use the best for this model of CPU.
 */
void kcfaes_module_set_table_max(uint32_t table);

/*
 * Sets the most bytes of an FPU hold in later calls. Returns the value taken, which is a
 * multiple of 64 from KCFAES_LEAST_HOLD to KCFAES_MOST_HOLD.
 */
size_t kcfaes_module_set_hold_bytes(size_t bytes);

/*
 * Later calls of at most this many bytes, AAD included, run in light holds; with 0 only those that
 * must.
 */
void kcfaes_module_set_light_bytes(size_t bytes);

/* Whether GCM decryptions in parts that begin later may release text before they end. */
void kcfaes_module_set_gcm_stream(int on);

/*
 * Bytes of the block that an operation in one call without a template takes while it runs. It is
 * the only size for which a cache is worthwhile. A template, which KCF itself frees, is larger.
 */
size_t kcfaes_module_operation_bytes(void);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* _KCFAES_MODULE_H */
