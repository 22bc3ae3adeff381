/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * Checks the Rust side's sizes, offsets, widths and numbers (kcfaes_abi.h)
 * against the headers of the system that the module is built for.  If the two
 * do not fit together, this file does not compile.  It generates no code.
 */

#include <sys/types.h>
#include <sys/kmem.h>
#include <sys/stream.h>
#include <sys/systm.h>
#include <sys/uio.h>
#include <sys/crypto/common.h>
#include <sys/crypto/spi.h>

#include "kcfaes_abi.h"

#define	SIZE(type)		\
	_Static_assert(sizeof (type) == KCFAES_SIZEOF_##type, #type)
#define	FIELD(type, field)	\
	_Static_assert(__builtin_offsetof(type, field) ==		\
	    KCFAES_OFFSETOF_##type##_##field, #type "." #field);	\
	_Static_assert(sizeof (((type *)0)->field) ==			\
	    KCFAES_FIELDSIZE_##type##_##field, #type "." #field " width")
#define	VALUE(name)		\
	_Static_assert((name) == KCFAES_VALUE_##name, #name)

/* Types that have no name in the system's headers. */
#define	MEMBER(type, member)	__typeof__ (((type *)0)->member)
#define	crypto_data_cdu_t	MEMBER(crypto_data_t, cdu)
#define	crypto_key_data_t	MEMBER(crypto_key_t, cku_data)
#define	crypto_key_value_t	MEMBER(crypto_key_t, cku_data.cku_key_value)
#define	crypto_key_attrs_t	MEMBER(crypto_key_t, cku_data.cku_key_attrs)

SIZE(crypto_mechanism_t);
FIELD(crypto_mechanism_t, cm_type);
FIELD(crypto_mechanism_t, cm_param);
FIELD(crypto_mechanism_t, cm_param_len);

SIZE(iovec_t);
FIELD(iovec_t, iov_base);
FIELD(iovec_t, iov_len);

SIZE(uio_t);
FIELD(uio_t, uio_iov);
FIELD(uio_t, uio_iovcnt);
FIELD(uio_t, _uio_offset);
FIELD(uio_t, uio_segflg);
FIELD(uio_t, uio_fmode);
FIELD(uio_t, uio_extflg);
FIELD(uio_t, _uio_limit);
FIELD(uio_t, uio_resid);

SIZE(mblk_t);
FIELD(mblk_t, b_next);
FIELD(mblk_t, b_prev);
FIELD(mblk_t, b_cont);
FIELD(mblk_t, b_rptr);
FIELD(mblk_t, b_wptr);
FIELD(mblk_t, b_datap);
FIELD(mblk_t, b_band);
FIELD(mblk_t, b_tag);
FIELD(mblk_t, b_flag);
FIELD(mblk_t, b_queue);

SIZE(crypto_data_cdu_t);
FIELD(crypto_data_cdu_t, cdu_raw);
FIELD(crypto_data_cdu_t, cdu_uio);
FIELD(crypto_data_cdu_t, cdu_mp);

SIZE(crypto_data_t);
FIELD(crypto_data_t, cd_format);
FIELD(crypto_data_t, cd_offset);
FIELD(crypto_data_t, cd_length);
FIELD(crypto_data_t, cd_miscdata);
FIELD(crypto_data_t, cdu);

SIZE(crypto_key_value_t);
FIELD(crypto_key_value_t, cku_v_length);
FIELD(crypto_key_value_t, cku_v_data);

SIZE(crypto_key_attrs_t);
FIELD(crypto_key_attrs_t, cku_a_count);
FIELD(crypto_key_attrs_t, cku_a_oattr);

SIZE(crypto_key_data_t);
FIELD(crypto_key_data_t, cku_key_value);
FIELD(crypto_key_data_t, cku_key_id);
FIELD(crypto_key_data_t, cku_key_attrs);

SIZE(crypto_key_t);
FIELD(crypto_key_t, ck_format);
FIELD(crypto_key_t, cku_data);

SIZE(crypto_ctx_t);
FIELD(crypto_ctx_t, cc_provider);
FIELD(crypto_ctx_t, cc_session);
FIELD(crypto_ctx_t, cc_provider_private);
FIELD(crypto_ctx_t, cc_framework_private);
FIELD(crypto_ctx_t, cc_flags);
FIELD(crypto_ctx_t, cc_opstate);

SIZE(CK_AES_CTR_PARAMS);
FIELD(CK_AES_CTR_PARAMS, ulCounterBits);
FIELD(CK_AES_CTR_PARAMS, cb);

SIZE(CK_AES_CCM_PARAMS);
FIELD(CK_AES_CCM_PARAMS, ulMACSize);
FIELD(CK_AES_CCM_PARAMS, ulNonceSize);
FIELD(CK_AES_CCM_PARAMS, ulAuthDataSize);
FIELD(CK_AES_CCM_PARAMS, ulDataSize);
FIELD(CK_AES_CCM_PARAMS, nonce);
FIELD(CK_AES_CCM_PARAMS, authData);

SIZE(CK_AES_GCM_PARAMS);
FIELD(CK_AES_GCM_PARAMS, pIv);
FIELD(CK_AES_GCM_PARAMS, ulIvLen);
FIELD(CK_AES_GCM_PARAMS, ulIvBits);
FIELD(CK_AES_GCM_PARAMS, pAAD);
FIELD(CK_AES_GCM_PARAMS, ulAADLen);
FIELD(CK_AES_GCM_PARAMS, ulTagBits);

SIZE(CK_AES_GMAC_PARAMS);
FIELD(CK_AES_GMAC_PARAMS, pIv);
FIELD(CK_AES_GMAC_PARAMS, pAAD);
FIELD(CK_AES_GMAC_PARAMS, ulAADLen);

SIZE(crypto_cipher_ops_t);
FIELD(crypto_cipher_ops_t, encrypt_init);
FIELD(crypto_cipher_ops_t, encrypt);
FIELD(crypto_cipher_ops_t, encrypt_update);
FIELD(crypto_cipher_ops_t, encrypt_final);
FIELD(crypto_cipher_ops_t, encrypt_atomic);
FIELD(crypto_cipher_ops_t, decrypt_init);
FIELD(crypto_cipher_ops_t, decrypt);
FIELD(crypto_cipher_ops_t, decrypt_update);
FIELD(crypto_cipher_ops_t, decrypt_final);
FIELD(crypto_cipher_ops_t, decrypt_atomic);

SIZE(crypto_mac_ops_t);
FIELD(crypto_mac_ops_t, mac_init);
FIELD(crypto_mac_ops_t, mac);
FIELD(crypto_mac_ops_t, mac_update);
FIELD(crypto_mac_ops_t, mac_final);
FIELD(crypto_mac_ops_t, mac_atomic);
FIELD(crypto_mac_ops_t, mac_verify_atomic);

SIZE(crypto_ctx_ops_t);
FIELD(crypto_ctx_ops_t, create_ctx_template);
FIELD(crypto_ctx_ops_t, free_context);

SIZE(crypto_control_ops_t);
FIELD(crypto_control_ops_t, provider_status);

VALUE(CRYPTO_DATA_RAW);
VALUE(CRYPTO_DATA_UIO);
VALUE(CRYPTO_DATA_MBLK);
VALUE(CRYPTO_KEY_RAW);
VALUE(CRYPTO_KEY_REFERENCE);
VALUE(CRYPTO_KEY_ATTR_LIST);
VALUE(UIO_SYSSPACE);
VALUE(KM_SLEEP);
VALUE(KM_NOSLEEP);
VALUE(CRYPTO_PROVIDER_READY);
VALUE(CRYPTO_SUCCESS);
VALUE(CRYPTO_HOST_MEMORY);
VALUE(CRYPTO_GENERAL_ERROR);
VALUE(CRYPTO_ARGUMENTS_BAD);
VALUE(CRYPTO_DATA_LEN_RANGE);
VALUE(CRYPTO_ENCRYPTED_DATA_LEN_RANGE);
VALUE(CRYPTO_KEY_SIZE_RANGE);
VALUE(CRYPTO_KEY_TYPE_INCONSISTENT);
VALUE(CRYPTO_MECHANISM_INVALID);
VALUE(CRYPTO_MECHANISM_PARAM_INVALID);
VALUE(CRYPTO_OPERATION_NOT_INITIALIZED);
VALUE(CRYPTO_BUFFER_TOO_SMALL);
VALUE(CRYPTO_INVALID_MAC);
