/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The consumer interface of KCF, as far as ciphers and MACs need it.
 */

#ifndef	_SYS_CRYPTO_API_H
#define	_SYS_CRYPTO_API_H

#include <sys/types.h>
#include <sys/crypto/common.h>

typedef long crypto_req_id_t;
typedef uint32_t crypto_call_flag_t;
typedef void *crypto_context_t;
typedef void *crypto_ctx_template_t;

/* Values for cr_flag. */
#define	CRYPTO_ALWAYS_QUEUE	0x00000001
#define	CRYPTO_NOTIFY_OPDONE	0x00000002
#define	CRYPTO_SKIP_REQID	0x00000004

typedef struct {
	crypto_call_flag_t	cr_flag;
	void			(*cr_callback_func)(void *, int);
	void			*cr_callback_arg;
	crypto_req_id_t		cr_reqid;
} crypto_call_req_t;

#define	CRYPTO_MECH_INVALID	((crypto_mech_type_t)-1)

extern crypto_mech_type_t crypto_mech2id(const char *);

extern int crypto_create_ctx_template(crypto_mechanism_t *, crypto_key_t *,
    crypto_ctx_template_t *, int);
extern void crypto_destroy_ctx_template(crypto_ctx_template_t);

extern int crypto_encrypt(crypto_mechanism_t *, crypto_data_t *,
    crypto_key_t *, crypto_ctx_template_t, crypto_data_t *,
    crypto_call_req_t *);
extern int crypto_encrypt_init(crypto_mechanism_t *, crypto_key_t *,
    crypto_ctx_template_t, crypto_context_t *, crypto_call_req_t *);
extern int crypto_encrypt_update(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);
extern int crypto_encrypt_final(crypto_context_t, crypto_data_t *,
    crypto_call_req_t *);

extern int crypto_decrypt(crypto_mechanism_t *, crypto_data_t *,
    crypto_key_t *, crypto_ctx_template_t, crypto_data_t *,
    crypto_call_req_t *);
extern int crypto_decrypt_init(crypto_mechanism_t *, crypto_key_t *,
    crypto_ctx_template_t, crypto_context_t *, crypto_call_req_t *);
extern int crypto_decrypt_update(crypto_context_t, crypto_data_t *,
    crypto_data_t *, crypto_call_req_t *);
extern int crypto_decrypt_final(crypto_context_t, crypto_data_t *,
    crypto_call_req_t *);

extern int crypto_mac(crypto_mechanism_t *, crypto_data_t *, crypto_key_t *,
    crypto_ctx_template_t, crypto_data_t *, crypto_call_req_t *);
extern int crypto_mac_verify(crypto_mechanism_t *, crypto_data_t *,
    crypto_key_t *, crypto_ctx_template_t, crypto_data_t *,
    crypto_call_req_t *);
extern int crypto_mac_init(crypto_mechanism_t *, crypto_key_t *,
    crypto_ctx_template_t, crypto_context_t *, crypto_call_req_t *);
extern int crypto_mac_update(crypto_context_t, crypto_data_t *,
    crypto_call_req_t *);
extern int crypto_mac_final(crypto_context_t, crypto_data_t *,
    crypto_call_req_t *);

extern void crypto_cancel_ctx(crypto_context_t);

#endif	/* _SYS_CRYPTO_API_H */
