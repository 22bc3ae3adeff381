/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ops vector: KCF's software provider interface, version 4 (sys/crypto/spi.h).
 *
 * Every function returns a CRYPTO_* number of sys/crypto/common.h. They share these rules:
 * - An output of NULL, or the input's own struct, means in place. Two structs over the same
 *   bytes are allowed too, if the bytes are at the same place in both; other overlap is
 *   CRYPTO_ARGUMENTS_BAD.
 * - On success cd_length of an output that is not in place is the number of bytes written. On
 *   CRYPTO_BUFFER_TOO_SMALL it is the number needed, nothing was consumed, and the call may be
 *   repeated. Any other failure leaves it unchanged. cd_offset never changes. In one call on a
 *   context, computing a MAC leaves cd_length unchanged, and verifying a GMAC makes it 0, in
 *   place too.
 * - Nothing else of the caller's structs, lists and input bytes is written.
 * - Any thread may call, and an interrupt too. One context serves one call at a time, a template
 *   any number.
 *
 * Common safety contract: pointers are NULL or point to the framework's own, valid structs.
 * Lists are readable, and the bytes they name are readable or writable as their role wants. A
 * context was made by an init function of this module, and a template by
 * kcfaes_spi_create_ctx_template.
 *
 * Generated from rust-core/capi/src/spi.rs by cargo xtask headers: do not edit.
 */

#ifndef _KCFAES_SPI_H
#define _KCFAES_SPI_H

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

#ifndef KCFAES_VERSION
#define KCFAES_VERSION "0.1.0"
#define KCFAES_VERSION_MAJOR 0
#define KCFAES_VERSION_MINOR 1
#define KCFAES_VERSION_PATCH 0
#endif

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* Stores CRYPTO_PROVIDER_READY. */
void kcfaes_spi_provider_status(crypto_provider_handle_t provider, unsigned int *status);

/*
 * Begins an encryption in parts. The mechanism, its parameter and the key need not outlive the
 * call. The template must outlive the context.
 */
int kcfaes_spi_encrypt_init(crypto_ctx_t *ctx,
                            crypto_mechanism_t *mechanism,
                            crypto_key_t *key,
                            crypto_spi_ctx_template_t template_,
                            crypto_req_handle_t req);

/* Encrypts a whole message on a context. Success ends the context. */
int kcfaes_spi_encrypt(crypto_ctx_t *ctx,
                       crypto_data_t *plaintext,
                       crypto_data_t *ciphertext,
                       crypto_req_handle_t req);

/* Encrypts a part. */
int kcfaes_spi_encrypt_update(crypto_ctx_t *ctx,
                              crypto_data_t *plaintext,
                              crypto_data_t *ciphertext,
                              crypto_req_handle_t req);

/*
 * Ends an encryption in parts: writes the rest of the text, and the tag. Success ends the
 * context.
 */
int kcfaes_spi_encrypt_final(crypto_ctx_t *ctx,
                             crypto_data_t *ciphertext,
                             crypto_req_handle_t req);

/* Encrypts a message in one call. With a template the key is not read. */
int kcfaes_spi_encrypt_atomic(crypto_provider_handle_t provider,
                              crypto_session_id_t session,
                              crypto_mechanism_t *mechanism,
                              crypto_key_t *key,
                              crypto_data_t *plaintext,
                              crypto_data_t *ciphertext,
                              crypto_spi_ctx_template_t template_,
                              crypto_req_handle_t req);

/* Begins a decryption in parts; otherwise as kcfaes_spi_encrypt_init. */
int kcfaes_spi_decrypt_init(crypto_ctx_t *ctx,
                            crypto_mechanism_t *mechanism,
                            crypto_key_t *key,
                            crypto_spi_ctx_template_t template_,
                            crypto_req_handle_t req);

/* Decrypts a whole message on a context. Success and CRYPTO_INVALID_MAC end it. */
int kcfaes_spi_decrypt(crypto_ctx_t *ctx,
                       crypto_data_t *ciphertext,
                       crypto_data_t *plaintext,
                       crypto_req_handle_t req);

/*
 * Decrypts a part. GCM streams if the first part's output is apart from its input and has room
 * for all of it except the tag. Otherwise nothing is written before kcfaes_spi_decrypt_final; CCM
 * never writes before it.
 */
int kcfaes_spi_decrypt_update(crypto_ctx_t *ctx,
                              crypto_data_t *ciphertext,
                              crypto_data_t *plaintext,
                              crypto_req_handle_t req);

/*
 * Ends a decryption in parts. It writes only if the tag is right. Success and
 * CRYPTO_INVALID_MAC end the context.
 */
int kcfaes_spi_decrypt_final(crypto_ctx_t *ctx, crypto_data_t *plaintext, crypto_req_handle_t req);

/*
 * Decrypts a message in one call. For a forged one it returns CRYPTO_INVALID_MAC, and leaves
 * no plaintext: output apart from the input becomes zero, and bytes that are both become the
 * ciphertext again.
 */
int kcfaes_spi_decrypt_atomic(crypto_provider_handle_t provider,
                              crypto_session_id_t session,
                              crypto_mechanism_t *mechanism,
                              crypto_key_t *key,
                              crypto_data_t *ciphertext,
                              crypto_data_t *plaintext,
                              crypto_spi_ctx_template_t template_,
                              crypto_req_handle_t req);

/* Begins a MAC in parts; otherwise as kcfaes_spi_encrypt_init. */
int kcfaes_spi_mac_init(crypto_ctx_t *ctx,
                        crypto_mechanism_t *mechanism,
                        crypto_key_t *key,
                        crypto_spi_ctx_template_t template_,
                        crypto_req_handle_t req);

/* MAC of a whole message on a context. Success ends the context. */
int kcfaes_spi_mac(crypto_ctx_t *ctx,
                   crypto_data_t *data,
                   crypto_data_t *mac,
                   crypto_req_handle_t req);

/* Absorbs a part. */
int kcfaes_spi_mac_update(crypto_ctx_t *ctx, crypto_data_t *data, crypto_req_handle_t req);

/* Ends a MAC in parts. Success ends the context. */
int kcfaes_spi_mac_final(crypto_ctx_t *ctx, crypto_data_t *mac, crypto_req_handle_t req);

/* MAC of a message in one call. */
int kcfaes_spi_mac_atomic(crypto_provider_handle_t provider,
                          crypto_session_id_t session,
                          crypto_mechanism_t *mechanism,
                          crypto_key_t *key,
                          crypto_data_t *data,
                          crypto_data_t *mac,
                          crypto_spi_ctx_template_t template_,
                          crypto_req_handle_t req);

/*
 * Verifies the MAC of a message in one call, in constant time. If its length is not the
 * mechanism's, it returns CRYPTO_INVALID_MAC, whatever else is wrong.
 */
int kcfaes_spi_mac_verify_atomic(crypto_provider_handle_t provider,
                                 crypto_session_id_t session,
                                 crypto_mechanism_t *mechanism,
                                 crypto_key_t *key,
                                 crypto_data_t *data,
                                 crypto_data_t *mac,
                                 crypto_spi_ctx_template_t template_,
                                 crypto_req_handle_t req);

/*
 * Makes a template of a key: one flat block from the environment's heap, which KCF itself wipes
 * and frees. The mechanism's parameter is not read, and the template serves every mechanism.
 */
int kcfaes_spi_create_ctx_template(crypto_provider_handle_t provider,
                                   crypto_mechanism_t *mechanism,
                                   crypto_key_t *key,
                                   crypto_spi_ctx_template_t *template_,
                                   size_t *size,
                                   crypto_req_handle_t req);

/*
 * Ends a context, in any state. A context that has ended already, or never began, stays
 * unchanged.
 */
int kcfaes_spi_free_context(crypto_ctx_t *ctx);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* _KCFAES_SPI_H */
