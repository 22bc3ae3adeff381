/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * KCF's inside, as far as other kernel code sees it: the single-shot calls on a
 * context that /dev/crypto makes.
 */

#ifndef	_SYS_CRYPTO_IMPL_H
#define	_SYS_CRYPTO_IMPL_H

#include <sys/types.h>
#include <sys/crypto/common.h>
#include <sys/crypto/api.h>
#include <sys/crypto/spi.h>

#define	KCF_MAXMECHS	276

extern int crypto_encrypt_single(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);
extern int crypto_decrypt_single(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);
extern int crypto_mac_single(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);

#endif	/* _SYS_CRYPTO_IMPL_H */
