/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The plain C API of libkcfaes: AES-GCM, CCM, GMAC, CMAC, CTR, CBC and ECB, whole messages in one
 * call or in parts, over buffers or lists of pieces.
 *
 * Lengths are in bytes. A pointer may be NULL only if its length is 0 or its function says so; any
 * other NULL is KCFAES_ARGUMENTS_BAD. Output may be the input's own bytes (in place) or share no
 * byte with it. A function that fails has consumed and written nothing, unless it says otherwise.
 * Any number of threads may use a key at the same time. A context serves one thread at a time. No
 * function blocks, prints or changes errno.
 *
 * These functions allocate: kcfaes_key_new, kcfaes_ctx_new, kcfaes_selftest, and
 * kcfaes_cbc_encrypt_batch if its keys differ. A function over lists takes 16 bytes for each piece
 * until it returns, if input and output have several pieces each, more than 64 together, and the
 * pieces' addresses do not ascend. If there is no memory the answer is KCFAES_HOST_MEMORY.
 *
 * Sections:
 * - Version and errors
 * - Keys
 * - Lists of pieces
 * - AES-GCM
 * - AES-CCM
 * - AES-GMAC and AES-CMAC
 * - AES-CTR, AES-CBC and AES-ECB
 * - Messages in parts
 * - Comparing and erasing secrets
 * - Tables of kernels, and the self-test
 *
 * Generated from rust-core/capi/src/api by cargo xtask headers: do not edit.
 */

#ifndef _KCFAES_H
#define _KCFAES_H

#include <stddef.h>
#include <stdint.h>

#ifndef KCFAES_VERSION
#define KCFAES_VERSION "0.1.0"
#define KCFAES_VERSION_MAJOR 0
#define KCFAES_VERSION_MINOR 1
#define KCFAES_VERSION_PATCH 0
#endif

#if defined(__GNUC__)
#define KCFAES_MUST_USE __attribute__((warn_unused_result))
#else
#define KCFAES_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* ---- Version and errors ---------------------------------------------------------------------- */

/* What a function answers: 0, or the number that KCF has for it in sys/crypto/common.h. */
typedef enum kcfaes_rc {
    /* Success. */
    KCFAES_OK = 0,
    /* There is no memory (CRYPTO_HOST_MEMORY). */
    KCFAES_HOST_MEMORY = 2,
    /* The self-test found a wrong answer (CRYPTO_FAILED). */
    KCFAES_FAILED = 4,
    /*
     * A pointer is NULL; a list of pieces or jobs is misaligned; input and output overlap at
     * different places; a key or context was erased, moved or never made; the function is not one
     * for this context (CRYPTO_ARGUMENTS_BAD).
     */
    KCFAES_ARGUMENTS_BAD = 5,
    /*
     * The text is too long, or not as long as was said when an AES-CCM message began; or ECB or CBC
     * was given a part of a block (CRYPTO_DATA_LEN_RANGE).
     */
    KCFAES_DATA_LEN_RANGE = 12,
    /*
     * The same of ciphertext, when decrypting; but too long a text of AES-GCM is
     * KCFAES_DATA_LEN_RANGE in both directions (CRYPTO_ENCRYPTED_DATA_LEN_RANGE).
     */
    KCFAES_ENCRYPTED_DATA_LEN_RANGE = 17,
    /* The key has not 16, 24 or 32 bytes (CRYPTO_KEY_SIZE_RANGE). */
    KCFAES_KEY_SIZE_RANGE = 19,
    /*
     * The IV, nonce or tag has a length that the mode does not know, or the nonce is too long for
     * the length of the text (CRYPTO_MECHANISM_PARAM_INVALID).
     */
    KCFAES_MECHANISM_PARAM_INVALID = 29,
    /* The context has no message begun (CRYPTO_OPERATION_NOT_INITIALIZED). */
    KCFAES_OPERATION_NOT_INITIALIZED = 32,
    /* The output has too little room (CRYPTO_BUFFER_TOO_SMALL). */
    KCFAES_BUFFER_TOO_SMALL = 66,
    /* This CPU cannot do it (CRYPTO_NOT_SUPPORTED). */
    KCFAES_NOT_SUPPORTED = 68,
    /* The message is not authentic (CRYPTO_INVALID_MAC). */
    KCFAES_INVALID_MAC = 72
} kcfaes_rc;

/* Version of the library: "major.minor.patch". */
const char *kcfaes_version(void);

/* One line of English on a kcfaes_rc, never NULL. */
const char *kcfaes_strerror(int rc);

/* ---- Keys ------------------------------------------------------------------------------------ */

/*
 * A key, for every mode. It does not change once made, so that any number of threads may use it at
 * the same time. It must not be copied or moved.
 */
typedef struct kcfaes_key kcfaes_key;

/* Makes a key of 16, 24 or 32 bytes on the heap. KCFAES_KEY_SIZE_RANGE, KCFAES_HOST_MEMORY. */
enum kcfaes_rc kcfaes_key_new(const uint8_t bytes[], size_t len, struct kcfaes_key **key);

/* Erases a key and frees it if it came from kcfaes_key_new. NULL is fine. */
void kcfaes_key_free(struct kcfaes_key *key);

/* Erases a key, wherever it lies; later use of it is refused. NULL is fine. */
void kcfaes_key_wipe(struct kcfaes_key *key);

/*
 * Bytes of memory that are enough for a key, at any alignment, in every version with this soname.
 */
#define KCFAES_KEY_SIZE 2048

/* Bytes of memory that a key takes, at any alignment; at most KCFAES_KEY_SIZE. */
size_t kcfaes_key_size(void);

/*
 * Makes a key of 16, 24 or 32 bytes in the size bytes at memory, which stay the caller's; key then
 * points into them. KCFAES_KEY_SIZE_RANGE; KCFAES_BUFFER_TOO_SMALL: size is less than
 * kcfaes_key_size().
 */
enum kcfaes_rc kcfaes_key_init(void *memory, size_t size,
                               const uint8_t bytes[], size_t len,
                               struct kcfaes_key **key);

/* ---- Lists of pieces ------------------------------------------------------------------------- */

/*
 * One piece of scattered input or output, laid out as the system's struct iovec. Pieces may have
 * any length, 0 too, and text is cut among those of input and output independently. A function over
 * pieces takes all bytes of src, to the first bytes of dst. KCFAES_BUFFER_TOO_SMALL: dst has fewer.
 */
typedef struct kcfaes_iovec {
    /* First byte. */
    void *base;
    /* Bytes. */
    size_t len;
} kcfaes_iovec;

/* ---- AES-GCM --------------------------------------------------------------------------------- */

/*
 * AES-GCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 8 or 12 to 16 bytes,
 * which also covers aad. The IV has 1 byte or more, best 12, and must never be used twice with one
 * key. KCFAES_MECHANISM_PARAM_INVALID, KCFAES_DATA_LEN_RANGE (more than 2^36 - 32
 * bytes).
 */
enum kcfaes_rc kcfaes_gcm_seal(const struct kcfaes_key *key,
                               const uint8_t *iv, size_t iv_len,
                               const uint8_t *aad, size_t aad_len,
                               const uint8_t *src, size_t len,
                               uint8_t *dst,
                               uint8_t *tag, size_t tag_len);

/*
 * AES-GCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
 * is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gcm_open(const struct kcfaes_key *key,
                               const uint8_t *iv, size_t iv_len,
                               const uint8_t *aad, size_t aad_len,
                               const uint8_t *src, size_t len,
                               uint8_t *dst,
                               const uint8_t *tag, size_t tag_len);

/* kcfaes_gcm_seal over pieces. */
enum kcfaes_rc kcfaes_gcm_seal_iov(const struct kcfaes_key *key,
                                   const uint8_t *iv, size_t iv_len,
                                   const uint8_t *aad, size_t aad_len,
                                   const struct kcfaes_iovec *src, size_t src_count,
                                   const struct kcfaes_iovec *dst, size_t dst_count,
                                   uint8_t *tag, size_t tag_len);

/* kcfaes_gcm_open over pieces. */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gcm_open_iov(const struct kcfaes_key *key,
                                   const uint8_t *iv, size_t iv_len,
                                   const uint8_t *aad, size_t aad_len,
                                   const struct kcfaes_iovec *src, size_t src_count,
                                   const struct kcfaes_iovec *dst, size_t dst_count,
                                   const uint8_t *tag, size_t tag_len);

/* One message of kcfaes_gcm_seal_batch or kcfaes_gcm_open_batch. */
typedef struct kcfaes_gcm_job {
    /* The IV: iv_len bytes. */
    const uint8_t *iv;
    /* Length of the IV, 1 or more, best 12. */
    size_t iv_len;
    /* Data that is only authenticated: aad_len bytes. */
    const uint8_t *aad;
    /* Length of that data. */
    size_t aad_len;
    /* Text: len bytes. */
    const uint8_t *src;
    /* Output: len bytes, the same as src's or disjoint from every other byte of the batch. */
    uint8_t *dst;
    /* Length of the text. */
    size_t len;
    /* The tag: tag_len bytes. Sealing writes it, opening only reads it. */
    uint8_t *tag;
    /* Length of the tag, 4, 8 or 12 to 16. */
    size_t tag_len;
    /* Written: what kcfaes_gcm_seal or kcfaes_gcm_open would answer. */
    enum kcfaes_rc rc;
} kcfaes_gcm_job;

/*
 * AES-GCM: encrypts count messages with one key, as kcfaes_gcm_seal does with one: a queue of
 * packets. Short messages take little more than half the time of one call for each. Each job has a
 * result of its own, and one that fails has no effect on the others. The answer is that of the
 * first job that failed, or KCFAES_OK. If key is none, every job fails with KCFAES_ARGUMENTS_BAD;
 * if jobs is NULL or misaligned, that is only the answer.
 */
enum kcfaes_rc kcfaes_gcm_seal_batch(const struct kcfaes_key *key,
                                     struct kcfaes_gcm_job *jobs, size_t count);

/*
 * AES-GCM: verifies and decrypts count messages with one key, as kcfaes_gcm_open does with one;
 * otherwise as kcfaes_gcm_seal_batch. A forged message has the result KCFAES_INVALID_MAC and leaves
 * no plaintext; the others are still opened.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gcm_open_batch(const struct kcfaes_key *key,
                                     struct kcfaes_gcm_job *jobs, size_t count);

/* ---- AES-CCM --------------------------------------------------------------------------------- */

/*
 * AES-CCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 6, 8, 10, 12, 14 or 16
 * bytes, which also covers aad. The nonce has n = 7 to 13 bytes and must never be used twice with
 * one key; the text has less than 2^(8(15 - n)). KCFAES_MECHANISM_PARAM_INVALID.
 */
enum kcfaes_rc kcfaes_ccm_seal(const struct kcfaes_key *key,
                               const uint8_t *nonce, size_t nonce_len,
                               const uint8_t *aad, size_t aad_len,
                               const uint8_t *src, size_t len,
                               uint8_t *dst,
                               uint8_t *tag, size_t tag_len);

/*
 * AES-CCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
 * is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_ccm_open(const struct kcfaes_key *key,
                               const uint8_t *nonce, size_t nonce_len,
                               const uint8_t *aad, size_t aad_len,
                               const uint8_t *src, size_t len,
                               uint8_t *dst,
                               const uint8_t *tag, size_t tag_len);

/* kcfaes_ccm_seal over pieces. */
enum kcfaes_rc kcfaes_ccm_seal_iov(const struct kcfaes_key *key,
                                   const uint8_t *nonce, size_t nonce_len,
                                   const uint8_t *aad, size_t aad_len,
                                   const struct kcfaes_iovec *src, size_t src_count,
                                   const struct kcfaes_iovec *dst, size_t dst_count,
                                   uint8_t *tag, size_t tag_len);

/* kcfaes_ccm_open over pieces. */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_ccm_open_iov(const struct kcfaes_key *key,
                                   const uint8_t *nonce, size_t nonce_len,
                                   const uint8_t *aad, size_t aad_len,
                                   const struct kcfaes_iovec *src, size_t src_count,
                                   const struct kcfaes_iovec *dst, size_t dst_count,
                                   const uint8_t *tag, size_t tag_len);

/* ---- AES-GMAC and AES-CMAC ------------------------------------------------------------------- */

/*
 * AES-GMAC: the tag of len bytes of src, as AES-GCM makes it of so much aad and no text. IV and
 * tag as for kcfaes_gcm_seal.
 */
enum kcfaes_rc kcfaes_gmac(const struct kcfaes_key *key,
                           const uint8_t *iv, size_t iv_len,
                           const uint8_t *src, size_t len,
                           uint8_t *tag, size_t tag_len);

/* AES-GMAC: verifies the tag of len bytes of src. KCFAES_INVALID_MAC: they are not authentic. */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gmac_verify(const struct kcfaes_key *key,
                                  const uint8_t *iv, size_t iv_len,
                                  const uint8_t *src, size_t len,
                                  const uint8_t *tag, size_t tag_len);

/* kcfaes_gmac over pieces. */
enum kcfaes_rc kcfaes_gmac_iov(const struct kcfaes_key *key,
                               const uint8_t *iv, size_t iv_len,
                               const struct kcfaes_iovec *src, size_t src_count,
                               uint8_t *tag, size_t tag_len);

/* kcfaes_gmac_verify over pieces. */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gmac_verify_iov(const struct kcfaes_key *key,
                                      const uint8_t *iv, size_t iv_len,
                                      const struct kcfaes_iovec *src, size_t src_count,
                                      const uint8_t *tag, size_t tag_len);

/*
 * AES-CMAC: the MAC of len bytes of src; of its 16 bytes the first tag_len, 4 to 16.
 * KCFAES_MECHANISM_PARAM_INVALID.
 */
enum kcfaes_rc kcfaes_cmac(const struct kcfaes_key *key,
                           const uint8_t *src, size_t len,
                           uint8_t *tag, size_t tag_len);

/* AES-CMAC: verifies the MAC of len bytes of src. KCFAES_INVALID_MAC: they are not authentic. */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_cmac_verify(const struct kcfaes_key *key,
                                  const uint8_t *src, size_t len,
                                  const uint8_t *tag, size_t tag_len);

/* kcfaes_cmac over pieces. */
enum kcfaes_rc kcfaes_cmac_iov(const struct kcfaes_key *key,
                               const struct kcfaes_iovec *src, size_t src_count,
                               uint8_t *tag, size_t tag_len);

/* kcfaes_cmac_verify over pieces. */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_cmac_verify_iov(const struct kcfaes_key *key,
                                      const struct kcfaes_iovec *src, size_t src_count,
                                      const uint8_t *tag, size_t tag_len);

/* ---- AES-CTR, AES-CBC and AES-ECB ------------------------------------------------------------ */

/*
 * AES-CTR: encrypts or decrypts len bytes. counter is the first counter block, a big-endian number
 * of 128 bits, and becomes the one after the last used: another call goes on where this ended if
 * len was a multiple of 16. Not authenticated. No counter block may be used twice with one key.
 */
enum kcfaes_rc kcfaes_ctr(const struct kcfaes_key *key,
                          uint8_t counter[16],
                          const uint8_t *src, size_t len,
                          uint8_t *dst);

/* kcfaes_ctr over pieces. */
enum kcfaes_rc kcfaes_ctr_iov(const struct kcfaes_key *key,
                              uint8_t counter[16],
                              const struct kcfaes_iovec *src, size_t src_count,
                              const struct kcfaes_iovec *dst, size_t dst_count);

/*
 * AES-CTR from the middle: encrypts or decrypts the len bytes that begin offset bytes into the text
 * whose first counter block is counter, which does not change. For a part of a file or a record
 * that is read again. Whatever is written twice at one place, with two texts, can be read by
 * whoever has both ciphertexts.
 */
enum kcfaes_rc kcfaes_ctr_at(const struct kcfaes_key *key,
                             const uint8_t counter[16],
                             uint64_t offset,
                             const uint8_t *src, size_t len,
                             uint8_t *dst);

/* kcfaes_ctr_at over pieces. */
enum kcfaes_rc kcfaes_ctr_at_iov(const struct kcfaes_key *key,
                                 const uint8_t counter[16],
                                 uint64_t offset,
                                 const struct kcfaes_iovec *src, size_t src_count,
                                 const struct kcfaes_iovec *dst, size_t dst_count);

/*
 * AES-CBC: encrypts len bytes, a multiple of 16, without padding. iv becomes the last ciphertext
 * block, so that another call goes on where this ended. Not authenticated; the first IV must be
 * unpredictable. KCFAES_DATA_LEN_RANGE.
 */
enum kcfaes_rc kcfaes_cbc_encrypt(const struct kcfaes_key *key,
                                  uint8_t iv[16],
                                  const uint8_t *src, size_t len,
                                  uint8_t *dst);

/* AES-CBC: decrypts; otherwise as kcfaes_cbc_encrypt. KCFAES_ENCRYPTED_DATA_LEN_RANGE. */
enum kcfaes_rc kcfaes_cbc_decrypt(const struct kcfaes_key *key,
                                  uint8_t iv[16],
                                  const uint8_t *src, size_t len,
                                  uint8_t *dst);

/* kcfaes_cbc_encrypt over pieces. */
enum kcfaes_rc kcfaes_cbc_encrypt_iov(const struct kcfaes_key *key,
                                      uint8_t iv[16],
                                      const struct kcfaes_iovec *src, size_t src_count,
                                      const struct kcfaes_iovec *dst, size_t dst_count);

/* kcfaes_cbc_decrypt over pieces. */
enum kcfaes_rc kcfaes_cbc_decrypt_iov(const struct kcfaes_key *key,
                                      uint8_t iv[16],
                                      const struct kcfaes_iovec *src, size_t src_count,
                                      const struct kcfaes_iovec *dst, size_t dst_count);

/* One message of kcfaes_cbc_encrypt_batch. */
typedef struct kcfaes_cbc_job {
    /* Its key. */
    const struct kcfaes_key *key;
    /* Text: len bytes. */
    const uint8_t *src;
    /* Ciphertext: len bytes, the same as src's or disjoint from every src of the batch. */
    uint8_t *dst;
    /* Length of the text, a multiple of 16. */
    size_t len;
    /* The IV; becomes the last ciphertext block. */
    uint8_t iv[16];
} kcfaes_cbc_job;

/*
 * AES-CBC: encrypts count messages that do not depend on each other, each with its own key or all
 * with the same one. A single CBC encryption waits for the processor at every block; up to 16 side
 * by side take hardly longer than one: disk sectors, a queue of packets. The lengths may differ.
 * If a job is wrong, no job has any effect, and the answer is that of the first wrong one:
 * KCFAES_ARGUMENTS_BAD or KCFAES_DATA_LEN_RANGE. KCFAES_HOST_MEMORY has no effect either; it cannot
 * happen if all keys are the same.
 */
enum kcfaes_rc kcfaes_cbc_encrypt_batch(struct kcfaes_cbc_job *jobs, size_t count);

/*
 * AES-ECB: encrypts len bytes, a multiple of 16, each block by itself. Equal blocks stay equal: a
 * building block, not a way to protect text. KCFAES_DATA_LEN_RANGE.
 */
enum kcfaes_rc kcfaes_ecb_encrypt(const struct kcfaes_key *key,
                                  const uint8_t *src, size_t len,
                                  uint8_t *dst);

/* AES-ECB: decrypts; otherwise as kcfaes_ecb_encrypt. KCFAES_ENCRYPTED_DATA_LEN_RANGE. */
enum kcfaes_rc kcfaes_ecb_decrypt(const struct kcfaes_key *key,
                                  const uint8_t *src, size_t len,
                                  uint8_t *dst);

/* kcfaes_ecb_encrypt over pieces. */
enum kcfaes_rc kcfaes_ecb_encrypt_iov(const struct kcfaes_key *key,
                                      const struct kcfaes_iovec *src, size_t src_count,
                                      const struct kcfaes_iovec *dst, size_t dst_count);

/* kcfaes_ecb_decrypt over pieces. */
enum kcfaes_rc kcfaes_ecb_decrypt_iov(const struct kcfaes_key *key,
                                      const struct kcfaes_iovec *src, size_t src_count,
                                      const struct kcfaes_iovec *dst, size_t dst_count);

/* ---- Messages in parts ----------------------------------------------------------------------- */

/*
 * A message in parts, in any mode. One thread at a time. The key must stay until the message ends.
 * It must not be copied or moved.
 */
typedef struct kcfaes_ctx kcfaes_ctx;

/* Makes a context on the heap, with no message begun. KCFAES_HOST_MEMORY. */
enum kcfaes_rc kcfaes_ctx_new(struct kcfaes_ctx **ctx);

/* Erases a context and frees it if it came from kcfaes_ctx_new. NULL is fine. */
void kcfaes_ctx_free(struct kcfaes_ctx *ctx);

/*
 * Erases a context, wherever it lies and in whatever state; later use of it is refused. NULL is
 * fine.
 */
void kcfaes_ctx_wipe(struct kcfaes_ctx *ctx);

/*
 * Bytes of memory that are enough for a context, at any alignment, in every version with this
 * soname.
 */
#define KCFAES_CTX_SIZE 512

/* Bytes of memory that a context takes, at any alignment; at most KCFAES_CTX_SIZE. */
size_t kcfaes_ctx_size(void);

/*
 * Makes a context in the size bytes at memory, which stay the caller's; ctx then points into them.
 * KCFAES_BUFFER_TOO_SMALL: size is less than kcfaes_ctx_size().
 */
enum kcfaes_rc kcfaes_ctx_init(void *memory, size_t size, struct kcfaes_ctx **ctx);

/*
 * Begins an AES-GCM message to encrypt in parts: kcfaes_update, kcfaes_gcm_seal_final. IV as for
 * kcfaes_gcm_seal; it and aad need not stay. Every init function abandons the message that the
 * context may have in work, even if it fails itself.
 */
enum kcfaes_rc kcfaes_gcm_seal_init(struct kcfaes_ctx *ctx,
                                    const struct kcfaes_key *key,
                                    const uint8_t *iv, size_t iv_len,
                                    const uint8_t *aad, size_t aad_len);

/*
 * Begins an AES-GCM message to decrypt in parts: kcfaes_update_unverified, kcfaes_gcm_open_final.
 * Whoever can hold the whole message calls kcfaes_gcm_open or kcfaes_gcm_open_iov instead.
 */
enum kcfaes_rc kcfaes_gcm_open_init(struct kcfaes_ctx *ctx,
                                    const struct kcfaes_key *key,
                                    const uint8_t *iv, size_t iv_len,
                                    const uint8_t *aad, size_t aad_len);

/*
 * Begins an AES-CCM message of text_len bytes to encrypt in parts: kcfaes_update,
 * kcfaes_ccm_seal_final. Lengths as for kcfaes_ccm_seal; nonce and aad need not stay.
 */
enum kcfaes_rc kcfaes_ccm_seal_init(struct kcfaes_ctx *ctx,
                                    const struct kcfaes_key *key,
                                    const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len,
                                    uint64_t text_len,
                                    size_t tag_len);

/*
 * Begins an AES-CCM message of text_len bytes, without the tag, to decrypt in parts:
 * kcfaes_update_unverified, kcfaes_ccm_open_final. Whoever can hold the whole message calls
 * kcfaes_ccm_open or kcfaes_ccm_open_iov instead.
 */
enum kcfaes_rc kcfaes_ccm_open_init(struct kcfaes_ctx *ctx,
                                    const struct kcfaes_key *key,
                                    const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len,
                                    uint64_t text_len,
                                    size_t tag_len);

/*
 * Begins an AES-GMAC message in parts: kcfaes_update (its output is not used, and may be NULL),
 * kcfaes_gmac_final or kcfaes_gmac_verify_final.
 */
enum kcfaes_rc kcfaes_gmac_init(struct kcfaes_ctx *ctx,
                                const struct kcfaes_key *key,
                                const uint8_t *iv, size_t iv_len);

/*
 * Begins an AES-CMAC message in parts: kcfaes_update (its output is not used, and may be NULL),
 * kcfaes_cmac_final or kcfaes_cmac_verify_final.
 */
enum kcfaes_rc kcfaes_cmac_init(struct kcfaes_ctx *ctx, const struct kcfaes_key *key);

/*
 * Begins an AES-CTR message in parts: kcfaes_update, kcfaes_final. The keystream is continuous
 * over parts of any length.
 */
enum kcfaes_rc kcfaes_ctr_init(struct kcfaes_ctx *ctx,
                               const struct kcfaes_key *key,
                               const uint8_t counter[16]);

/* Begins an AES-CBC message to encrypt in parts: kcfaes_update, kcfaes_final. */
enum kcfaes_rc kcfaes_cbc_encrypt_init(struct kcfaes_ctx *ctx,
                                       const struct kcfaes_key *key,
                                       const uint8_t iv[16]);

/* Begins an AES-CBC message to decrypt in parts: kcfaes_update, kcfaes_final. */
enum kcfaes_rc kcfaes_cbc_decrypt_init(struct kcfaes_ctx *ctx,
                                       const struct kcfaes_key *key,
                                       const uint8_t iv[16]);

/* Begins an AES-ECB message to encrypt in parts: kcfaes_update, kcfaes_final. */
enum kcfaes_rc kcfaes_ecb_encrypt_init(struct kcfaes_ctx *ctx, const struct kcfaes_key *key);

/* Begins an AES-ECB message to decrypt in parts: kcfaes_update, kcfaes_final. */
enum kcfaes_rc kcfaes_ecb_decrypt_init(struct kcfaes_ctx *ctx, const struct kcfaes_key *key);

/*
 * Copies the message that ctx has in work to copy, another context. Both go on with it, each with
 * its own text: so the MAC of a handshake can be ended at several places. A message that copy had
 * in work is abandoned. The key must stay until both messages end.
 *
 * KCFAES_ARGUMENTS_BAD: the message encrypts, or is AES-CTR or AES-GMAC. Two ends of it would be
 * two messages with one IV: their texts could be read, or messages be forged.
 */
enum kcfaes_rc kcfaes_ctx_copy(struct kcfaes_ctx *copy, const struct kcfaes_ctx *ctx);

/*
 * Gives len more bytes of AAD to an AES-GCM message that has no text yet: after
 * kcfaes_gcm_seal_init or kcfaes_gcm_open_init, whose aad comes first, and before an update with
 * text. The message has the AAD of all these calls together. KCFAES_ARGUMENTS_BAD: text has come,
 * or the message is not AES-GCM; AES-CCM begins with the length of its AAD.
 * KCFAES_DATA_LEN_RANGE: more than 2^61 - 1 bytes in all.
 */
enum kcfaes_rc kcfaes_update_aad(struct kcfaes_ctx *ctx, const uint8_t *aad, size_t len);

/*
 * Gives len more bytes to a message; any number, 0 too. written becomes the number of bytes at
 * dst: AES-GCM and AES-CTR write len. AES-CCM, AES-CBC and AES-ECB write every block that is
 * complete, at most len + 15, and keep the rest of a block for later.
 *
 * KCFAES_BUFFER_TOO_SMALL: room is less than what would be written, written says how much that is,
 * and the call may be repeated. KCFAES_DATA_LEN_RANGE: too long a text; or, in the modes that keep
 * the rest of a block, a part in place where an earlier one ended within a block, so that the
 * output would begin before it. KCFAES_ARGUMENTS_BAD: the context decrypts AES-GCM or AES-CCM.
 */
enum kcfaes_rc kcfaes_update(struct kcfaes_ctx *ctx,
                             const uint8_t *src, size_t len,
                             uint8_t *dst, size_t room,
                             size_t *written);

/*
 * kcfaes_update of an AES-GCM or AES-CCM message that is decrypted: dst is plaintext that nobody
 * has verified. Nothing may depend on it, and it must be thrown away unless kcfaes_gcm_open_final
 * or kcfaes_ccm_open_final succeeds. KCFAES_ARGUMENTS_BAD: the context does something else.
 * KCFAES_ENCRYPTED_DATA_LEN_RANGE: more bytes than an AES-CCM message began with.
 */
enum kcfaes_rc kcfaes_update_unverified(struct kcfaes_ctx *ctx,
                                        const uint8_t *src, size_t len,
                                        uint8_t *dst, size_t room,
                                        size_t *written);

/* kcfaes_update over pieces. */
enum kcfaes_rc kcfaes_update_iov(struct kcfaes_ctx *ctx,
                                 const struct kcfaes_iovec *src, size_t src_count,
                                 const struct kcfaes_iovec *dst, size_t dst_count,
                                 size_t *written);

/* kcfaes_update_unverified over pieces. */
enum kcfaes_rc kcfaes_update_unverified_iov(struct kcfaes_ctx *ctx,
                                            const struct kcfaes_iovec *src, size_t src_count,
                                            const struct kcfaes_iovec *dst, size_t dst_count,
                                            size_t *written);

/*
 * Ends a message of CTR, CBC or ECB. KCFAES_DATA_LEN_RANGE, KCFAES_ENCRYPTED_DATA_LEN_RANGE: CBC
 * or ECB has a part of a block left; the message goes on. After success, here and in the other
 * final functions, the context takes nothing more until another init.
 */
enum kcfaes_rc kcfaes_final(struct kcfaes_ctx *ctx);

/*
 * Ends the encryption of an AES-GCM message: writes the tag. The text is complete, so written
 * becomes 0 and dst is not used; it may be NULL.
 */
enum kcfaes_rc kcfaes_gcm_seal_final(struct kcfaes_ctx *ctx,
                                     uint8_t *dst, size_t room,
                                     size_t *written,
                                     uint8_t *tag, size_t tag_len);

/*
 * Ends the decryption of an AES-GCM message: verifies the tag. The text is complete, so written
 * becomes 0 and dst is not used; it may be NULL. KCFAES_INVALID_MAC: the message is not authentic,
 * it has ended, and what kcfaes_update_unverified gave must be thrown away.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gcm_open_final(struct kcfaes_ctx *ctx,
                                     uint8_t *dst, size_t room,
                                     size_t *written,
                                     const uint8_t *tag, size_t tag_len);

/*
 * Ends the encryption of an AES-CCM message, whose text is complete: writes the rest of the
 * ciphertext, written bytes and less than 16, to dst, and the tag. KCFAES_BUFFER_TOO_SMALL: written
 * says how much room the rest needs, and the call may be repeated. KCFAES_DATA_LEN_RANGE: less
 * text has come than the message began with; it goes on. KCFAES_MECHANISM_PARAM_INVALID: tag_len
 * is not that of the beginning.
 */
enum kcfaes_rc kcfaes_ccm_seal_final(struct kcfaes_ctx *ctx,
                                     uint8_t *dst, size_t room,
                                     size_t *written,
                                     uint8_t *tag, size_t tag_len);

/*
 * Ends the decryption of an AES-CCM message, whose text is complete: verifies the tag, then writes
 * the rest of the plaintext, written bytes and less than 16, to dst. KCFAES_INVALID_MAC: the
 * message is not authentic, nothing is written, it has ended, and what kcfaes_update_unverified
 * gave must be thrown away. KCFAES_BUFFER_TOO_SMALL: written says how much room the rest needs, and
 * the call may be repeated. KCFAES_ENCRYPTED_DATA_LEN_RANGE: less text has come than the message
 * began with; it goes on. KCFAES_MECHANISM_PARAM_INVALID: tag_len is not that of the beginning.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_ccm_open_final(struct kcfaes_ctx *ctx,
                                     uint8_t *dst, size_t room,
                                     size_t *written,
                                     const uint8_t *tag, size_t tag_len);

/* Ends an AES-GMAC message with its tag. */
enum kcfaes_rc kcfaes_gmac_final(struct kcfaes_ctx *ctx, uint8_t *tag, size_t tag_len);

/*
 * Ends an AES-GMAC message and verifies its tag. KCFAES_INVALID_MAC: it is not authentic, and it
 * has ended.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_gmac_verify_final(struct kcfaes_ctx *ctx,
                                        const uint8_t *tag, size_t tag_len);

/* Ends an AES-CMAC message with its MAC. */
enum kcfaes_rc kcfaes_cmac_final(struct kcfaes_ctx *ctx, uint8_t *tag, size_t tag_len);

/*
 * Ends an AES-CMAC message and verifies its MAC. KCFAES_INVALID_MAC: it is not authentic, and it
 * has ended.
 */
KCFAES_MUST_USE
enum kcfaes_rc kcfaes_cmac_verify_final(struct kcfaes_ctx *ctx,
                                        const uint8_t *tag, size_t tag_len);

/* ---- Comparing and erasing secrets ----------------------------------------------------------- */

/*
 * 1 if the len bytes at a and at b are equal, otherwise 0. The time depends on len only, so that
 * nobody learns from it where a tag, a password's hash or a key differs. memcmp does not promise
 * that. A pointer that is NULL where len is not 0 is equal to nothing.
 */
KCFAES_MUST_USE int kcfaes_equal(const void *a, const void *b, size_t len);

/*
 * Erases len bytes for good: a compiler that sees that they are not read again may omit a memset.
 * NULL is fine.
 */
void kcfaes_wipe(void *memory, size_t len);

/* ---- Tables of kernels, and the self-test ---------------------------------------------------- */

/*
 * Name of the table of kernels that a call would use now: "portable", "aesni",
 * "vaes256" or "vaes512".
 */
const char *kcfaes_table_name(void);

/*
 * Makes later calls of the whole process use the table of that name or, with NULL, again the best
 * that the CPU has. KCFAES_ARGUMENTS_BAD: no such table. KCFAES_NOT_SUPPORTED: this CPU lacks
 * it. Messages in work may go on with another table.
 */
enum kcfaes_rc kcfaes_table_force(const char *name);

/* One table of kernels, on this CPU. */
typedef struct kcfaes_table {
    /* Its name: "portable", "aesni", "vaes256" or "vaes512". */
    const char *name;
    /* 1 if kcfaes_table_force accepts it, otherwise 0. */
    int here;
    /*
     * Why calls do not choose it by themselves, in a line of English. NULL if they may: they take
     * the last such table.
     */
    const char *why_not;
} kcfaes_table;

/*
 * Tells which tables this CPU has, and why it lacks the others. Writes at most count tables, the
 * slowest first, and returns how many there are in all. tables may be NULL if count is 0.
 */
size_t kcfaes_cpu_features(struct kcfaes_table *tables, size_t count);

/* What the self-test found. */
typedef struct kcfaes_fault {
    /* Name of the table that gave a wrong answer; NULL if none did. */
    const char *table;
    /* "ecb", "cbc", "ctr", "ccm", "gcm", "gmac" or "cmac". */
    const char *mode;
    /* 128, 192 or 256. */
    size_t key_bits;
} kcfaes_fault;

/*
 * Known answers of every mode and key size on every table that this CPU has. It takes
 * some milliseconds.
 * KCFAES_FAILED: an answer was wrong, and fault (which may be NULL) says where. KCFAES_HOST_MEMORY.
 */
enum kcfaes_rc kcfaes_selftest(struct kcfaes_fault *fault);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* _KCFAES_H */
