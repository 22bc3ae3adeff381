/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What a consumer's template is inside KCF.
 */

#ifndef	_SYS_CRYPTO_SCHED_IMPL_H
#define	_SYS_CRYPTO_SCHED_IMPL_H

#include <sys/types.h>
#include <sys/crypto/spi.h>

typedef struct kcf_ctx_template {
	crypto_kcf_provider_handle_t	ct_prov_handle;
	uint_t				ct_generation;
	size_t				ct_size;
	crypto_spi_ctx_template_t	ct_prov_tmpl;
} kcf_ctx_template_t;

#endif	/* _SYS_CRYPTO_SCHED_IMPL_H */
