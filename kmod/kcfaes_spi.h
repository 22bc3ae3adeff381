/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * The provider's entry points, in the types of the system's spi.h.
 */

#ifndef	_KCFAES_SPI_H
#define	_KCFAES_SPI_H

#include <sys/types.h>
#include <sys/crypto/common.h>
#include <sys/crypto/spi.h>

extern void kcfaes_provider_status(crypto_provider_handle_t, uint_t *);

extern int kcfaes_encrypt_init(crypto_ctx_t *, crypto_mechanism_t *,
    crypto_key_t *, crypto_spi_ctx_template_t, crypto_req_handle_t);
extern int kcfaes_encrypt(crypto_ctx_t *, crypto_data_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_encrypt_update(crypto_ctx_t *, crypto_data_t *,
    crypto_data_t *, crypto_req_handle_t);
extern int kcfaes_encrypt_final(crypto_ctx_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_encrypt_atomic(crypto_provider_handle_t,
    crypto_session_id_t, crypto_mechanism_t *, crypto_key_t *,
    crypto_data_t *, crypto_data_t *, crypto_spi_ctx_template_t,
    crypto_req_handle_t);

extern int kcfaes_decrypt_init(crypto_ctx_t *, crypto_mechanism_t *,
    crypto_key_t *, crypto_spi_ctx_template_t, crypto_req_handle_t);
extern int kcfaes_decrypt(crypto_ctx_t *, crypto_data_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_decrypt_update(crypto_ctx_t *, crypto_data_t *,
    crypto_data_t *, crypto_req_handle_t);
extern int kcfaes_decrypt_final(crypto_ctx_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_decrypt_atomic(crypto_provider_handle_t,
    crypto_session_id_t, crypto_mechanism_t *, crypto_key_t *,
    crypto_data_t *, crypto_data_t *, crypto_spi_ctx_template_t,
    crypto_req_handle_t);

extern int kcfaes_mac_init(crypto_ctx_t *, crypto_mechanism_t *,
    crypto_key_t *, crypto_spi_ctx_template_t, crypto_req_handle_t);
extern int kcfaes_mac(crypto_ctx_t *, crypto_data_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_mac_update(crypto_ctx_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_mac_final(crypto_ctx_t *, crypto_data_t *,
    crypto_req_handle_t);
extern int kcfaes_mac_atomic(crypto_provider_handle_t, crypto_session_id_t,
    crypto_mechanism_t *, crypto_key_t *, crypto_data_t *, crypto_data_t *,
    crypto_spi_ctx_template_t, crypto_req_handle_t);
extern int kcfaes_mac_verify_atomic(crypto_provider_handle_t,
    crypto_session_id_t, crypto_mechanism_t *, crypto_key_t *,
    crypto_data_t *, crypto_data_t *, crypto_spi_ctx_template_t,
    crypto_req_handle_t);

extern int kcfaes_create_ctx_template(crypto_provider_handle_t,
    crypto_mechanism_t *, crypto_key_t *, crypto_spi_ctx_template_t *,
    size_t *, crypto_req_handle_t);
extern int kcfaes_free_context(crypto_ctx_t *);

#endif	/* _KCFAES_SPI_H */
