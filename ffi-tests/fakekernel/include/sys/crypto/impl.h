/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * KCF's inside, as far as other kernel code sees it: the single-shot calls on a
 * context that /dev/crypto makes, and the consumer's template.
 */

#ifndef	_SYS_CRYPTO_IMPL_H
#define	_SYS_CRYPTO_IMPL_H

#include <sys/types.h>
#include <sys/crypto/common.h>
#include <sys/crypto/api.h>
#include <sys/crypto/spi.h>

#define	KCF_MAXMECHS	276

typedef struct kcf_ctx_template {
	crypto_kcf_provider_handle_t	ct_prov_handle;
	uint_t				ct_generation;
	size_t				ct_size;
	crypto_spi_ctx_template_t	ct_prov_tmpl;
} kcf_ctx_template_t;

extern int crypto_encrypt_single(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);
extern int crypto_decrypt_single(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);
extern int crypto_mac_single(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);

#endif	/* _SYS_CRYPTO_IMPL_H */
