/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What a provider hands to KCF and what KCF calls.  Layouts and values are those
 * of abi-layout.tsv and constants.tsv; op vectors that no software cipher fills
 * stay opaque.
 */

#ifndef	_SYS_CRYPTO_SPI_H
#define	_SYS_CRYPTO_SPI_H

#include <sys/types.h>
#include <sys/crypto/common.h>

#define	CRYPTO_SPI_VERSION_1		1
#define	CRYPTO_SPI_VERSION_2		2
#define	CRYPTO_SPI_VERSION_3		3
#define	CRYPTO_SPI_VERSION_4		4
#define	CRYPTO_FG_ENCRYPT		0x1
#define	CRYPTO_FG_DECRYPT		0x2
#define	CRYPTO_FG_DIGEST		0x4
#define	CRYPTO_FG_SIGN			0x8
#define	CRYPTO_FG_SIGN_RECOVER		0x10
#define	CRYPTO_FG_VERIFY		0x20
#define	CRYPTO_FG_VERIFY_RECOVER	0x40
#define	CRYPTO_FG_GENERATE		0x80
#define	CRYPTO_FG_GENERATE_KEY_PAIR	0x100
#define	CRYPTO_FG_WRAP			0x200
#define	CRYPTO_FG_UNWRAP		0x400
#define	CRYPTO_FG_DERIVE		0x800
#define	CRYPTO_FG_MAC			0x1000
#define	CRYPTO_FG_ENCRYPT_MAC		0x2000
#define	CRYPTO_FG_MAC_DECRYPT		0x4000
#define	CRYPTO_FG_ENCRYPT_ATOMIC	0x8000
#define	CRYPTO_FG_DECRYPT_ATOMIC	0x10000
#define	CRYPTO_FG_MAC_ATOMIC		0x20000
#define	CRYPTO_FG_DIGEST_ATOMIC		0x40000
#define	CRYPTO_FG_SIGN_ATOMIC		0x80000
#define	CRYPTO_FG_SIGN_RECOVER_ATOMIC	0x100000
#define	CRYPTO_FG_VERIFY_ATOMIC		0x200000
#define	CRYPTO_FG_VERIFY_RECOVER_ATOMIC	0x400000
#define	CRYPTO_FG_ENCRYPT_MAC_ATOMIC	0x800000
#define	CRYPTO_FG_MAC_DECRYPT_ATOMIC	0x1000000
#define	CRYPTO_FG_RESERVED		0x80000000u

#define	CRYPTO_PROVIDER_DESCR_MAX_LEN	64

#define	CRYPTO_HIDE_PROVIDER		1
#define	CRYPTO_HASH_NO_UPDATE		2
#define	CRYPTO_SYNCHRONOUS		4
#define	CRYPTO_HMAC_NO_UPDATE		8

#define	CRYPTO_PROVIDER_READY		0
#define	CRYPTO_PROVIDER_BUSY		1
#define	CRYPTO_PROVIDER_FAILED		2

typedef void *crypto_provider_handle_t;
typedef uint_t crypto_kcf_provider_handle_t;
typedef void *crypto_req_handle_t;
typedef void *crypto_spi_ctx_template_t;
typedef uint32_t crypto_func_group_t;

typedef struct crypto_ctx {
	crypto_provider_handle_t cc_provider;
	crypto_session_id_t	cc_session;
	void			*cc_provider_private;
	void			*cc_framework_private;
	uint32_t		cc_flags;
	void			*cc_opstate;
} crypto_ctx_t;

typedef struct crypto_control_ops {
	void (*provider_status)(crypto_provider_handle_t, uint_t *);
} crypto_control_ops_t;

typedef struct crypto_ctx_ops {
	int (*create_ctx_template)(crypto_provider_handle_t,
	    crypto_mechanism_t *, crypto_key_t *,
	    crypto_spi_ctx_template_t *, size_t *, crypto_req_handle_t);
	int (*free_context)(crypto_ctx_t *);
} crypto_ctx_ops_t;

typedef struct crypto_cipher_ops {
	int (*encrypt_init)(crypto_ctx_t *,
	    crypto_mechanism_t *, crypto_key_t *,
	    crypto_spi_ctx_template_t, crypto_req_handle_t);
	int (*encrypt)(crypto_ctx_t *,
	    crypto_data_t *, crypto_data_t *, crypto_req_handle_t);
	int (*encrypt_update)(crypto_ctx_t *,
	    crypto_data_t *, crypto_data_t *, crypto_req_handle_t);
	int (*encrypt_final)(crypto_ctx_t *,
	    crypto_data_t *, crypto_req_handle_t);
	int (*encrypt_atomic)(crypto_provider_handle_t, crypto_session_id_t,
	    crypto_mechanism_t *, crypto_key_t *, crypto_data_t *,
	    crypto_data_t *, crypto_spi_ctx_template_t, crypto_req_handle_t);
	int (*decrypt_init)(crypto_ctx_t *,
	    crypto_mechanism_t *, crypto_key_t *,
	    crypto_spi_ctx_template_t, crypto_req_handle_t);
	int (*decrypt)(crypto_ctx_t *,
	    crypto_data_t *, crypto_data_t *, crypto_req_handle_t);
	int (*decrypt_update)(crypto_ctx_t *,
	    crypto_data_t *, crypto_data_t *, crypto_req_handle_t);
	int (*decrypt_final)(crypto_ctx_t *,
	    crypto_data_t *, crypto_req_handle_t);
	int (*decrypt_atomic)(crypto_provider_handle_t, crypto_session_id_t,
	    crypto_mechanism_t *, crypto_key_t *, crypto_data_t *,
	    crypto_data_t *, crypto_spi_ctx_template_t, crypto_req_handle_t);
} crypto_cipher_ops_t;

typedef struct crypto_mac_ops {
	int (*mac_init)(crypto_ctx_t *,
	    crypto_mechanism_t *, crypto_key_t *,
	    crypto_spi_ctx_template_t, crypto_req_handle_t);
	int (*mac)(crypto_ctx_t *,
	    crypto_data_t *, crypto_data_t *, crypto_req_handle_t);
	int (*mac_update)(crypto_ctx_t *,
	    crypto_data_t *, crypto_req_handle_t);
	int (*mac_final)(crypto_ctx_t *,
	    crypto_data_t *, crypto_req_handle_t);
	int (*mac_atomic)(crypto_provider_handle_t, crypto_session_id_t,
	    crypto_mechanism_t *, crypto_key_t *, crypto_data_t *,
	    crypto_data_t *, crypto_spi_ctx_template_t, crypto_req_handle_t);
	int (*mac_verify_atomic)(crypto_provider_handle_t,
	    crypto_session_id_t, crypto_mechanism_t *, crypto_key_t *,
	    crypto_data_t *, crypto_data_t *, crypto_spi_ctx_template_t,
	    crypto_req_handle_t);
} crypto_mac_ops_t;

typedef struct crypto_digest_ops crypto_digest_ops_t;
typedef struct crypto_sign_ops crypto_sign_ops_t;
typedef struct crypto_verify_ops crypto_verify_ops_t;
typedef struct crypto_dual_ops crypto_dual_ops_t;
typedef struct crypto_dual_cipher_mac_ops crypto_dual_cipher_mac_ops_t;
typedef struct crypto_random_number_ops crypto_random_number_ops_t;
typedef struct crypto_session_ops crypto_session_ops_t;
typedef struct crypto_object_ops crypto_object_ops_t;
typedef struct crypto_key_ops crypto_key_ops_t;
typedef struct crypto_provider_management_ops crypto_provider_management_ops_t;
typedef struct crypto_mech_ops crypto_mech_ops_t;
typedef struct crypto_nostore_key_ops crypto_nostore_key_ops_t;
typedef struct crypto_fips140_ops crypto_fips140_ops_t;

typedef struct crypto_ops_v1 {
	crypto_control_ops_t			*co_control_ops;
	crypto_digest_ops_t			*co_digest_ops;
	crypto_cipher_ops_t			*co_cipher_ops;
	crypto_mac_ops_t			*co_mac_ops;
	crypto_sign_ops_t			*co_sign_ops;
	crypto_verify_ops_t			*co_verify_ops;
	crypto_dual_ops_t			*co_dual_ops;
	crypto_dual_cipher_mac_ops_t		*co_dual_cipher_mac_ops;
	crypto_random_number_ops_t		*co_random_ops;
	crypto_session_ops_t			*co_session_ops;
	crypto_object_ops_t			*co_object_ops;
	crypto_key_ops_t			*co_key_ops;
	crypto_provider_management_ops_t	*co_provider_ops;
	crypto_ctx_ops_t			*co_ctx_ops;
} crypto_ops_v1_t;

typedef struct crypto_ops_v2 {
	crypto_ops_v1_t		v1_ops;
	crypto_mech_ops_t	*co_mech_ops;
} crypto_ops_v2_t;

typedef struct crypto_ops_v3 {
	crypto_ops_v2_t			v2_ops;
	crypto_nostore_key_ops_t	*co_nostore_key_ops;
} crypto_ops_v3_t;

typedef struct crypto_ops_v4 {
	crypto_ops_v3_t		v3_ops;
	crypto_fips140_ops_t	*co_fips140_ops;
} crypto_ops_v4_t;

typedef struct crypto_ops {
	union {
		crypto_ops_v4_t	cou_v4;
		crypto_ops_v3_t	cou_v3;
		crypto_ops_v2_t	cou_v2;
		crypto_ops_v1_t	cou_v1;
	} cou;
} crypto_ops_t;

#define	co_control_ops		cou.cou_v1.co_control_ops
#define	co_digest_ops		cou.cou_v1.co_digest_ops
#define	co_cipher_ops		cou.cou_v1.co_cipher_ops
#define	co_mac_ops		cou.cou_v1.co_mac_ops
#define	co_sign_ops		cou.cou_v1.co_sign_ops
#define	co_verify_ops		cou.cou_v1.co_verify_ops
#define	co_dual_ops		cou.cou_v1.co_dual_ops
#define	co_dual_cipher_mac_ops	cou.cou_v1.co_dual_cipher_mac_ops
#define	co_random_ops		cou.cou_v1.co_random_ops
#define	co_session_ops		cou.cou_v1.co_session_ops
#define	co_object_ops		cou.cou_v1.co_object_ops
#define	co_key_ops		cou.cou_v1.co_key_ops
#define	co_provider_ops		cou.cou_v1.co_provider_ops
#define	co_ctx_ops		cou.cou_v1.co_ctx_ops
#define	co_mech_ops		cou.cou_v2.co_mech_ops
#define	co_nostore_key_ops	cou.cou_v3.co_nostore_key_ops
#define	co_fips140_ops		cou.cou_v4.co_fips140_ops

typedef struct crypto_mech_info {
	crypto_mech_name_t	cm_mech_name;
	crypto_mech_type_t	cm_mech_number;
	crypto_func_group_t	cm_func_group_mask;
	ssize_t			cm_min_key_length;
	ssize_t			cm_max_key_length;
	uint32_t		cm_mech_flags;
} crypto_mech_info_t;

#define	cm_keysize_unit	cm_mech_flags

typedef enum {
	CRYPTO_HW_PROVIDER = 0,
	CRYPTO_SW_PROVIDER,
	CRYPTO_LOGICAL_PROVIDER
} crypto_provider_type_t;

typedef struct dev_info dev_info_t;

typedef union crypto_provider_dev {
	struct modlinkage	*pd_sw;
	dev_info_t		*pd_hw;
} crypto_provider_dev_t;

typedef struct crypto_provider_info_v1 {
	uint_t			pi_interface_version;
	char			*pi_provider_description;
	crypto_provider_type_t	pi_provider_type;
	crypto_provider_dev_t	pi_provider_dev;
	crypto_provider_handle_t pi_provider_handle;
	crypto_ops_t		*pi_ops_vector;
	uint_t			pi_mech_list_count;
	crypto_mech_info_t	*pi_mechanisms;
	uint_t			pi_logical_provider_count;
	crypto_kcf_provider_handle_t *pi_logical_providers;
} crypto_provider_info_v1_t;

typedef struct crypto_provider_info_v2 {
	crypto_provider_info_v1_t	v1_info;
	uint_t				pi_flags;
} crypto_provider_info_v2_t;

typedef struct crypto_provider_info {
	union {
		crypto_provider_info_v2_t	piu_v2;
		crypto_provider_info_v1_t	piu_v1;
	} piu;
} crypto_provider_info_t;

#define	pi_interface_version	piu.piu_v1.pi_interface_version
#define	pi_provider_description	piu.piu_v1.pi_provider_description
#define	pi_provider_type	piu.piu_v1.pi_provider_type
#define	pi_provider_dev		piu.piu_v1.pi_provider_dev
#define	pi_provider_handle	piu.piu_v1.pi_provider_handle
#define	pi_ops_vector		piu.piu_v1.pi_ops_vector
#define	pi_mech_list_count	piu.piu_v1.pi_mech_list_count
#define	pi_mechanisms		piu.piu_v1.pi_mechanisms
#define	pi_logical_provider_count piu.piu_v1.pi_logical_provider_count
#define	pi_logical_providers	piu.piu_v1.pi_logical_providers
#define	pi_flags		piu.piu_v2.pi_flags

extern int crypto_register_provider(crypto_provider_info_t *,
    crypto_kcf_provider_handle_t *);
extern int crypto_unregister_provider(crypto_kcf_provider_handle_t);
extern int crypto_kmflag(crypto_req_handle_t);

#endif	/* _SYS_CRYPTO_SPI_H */
