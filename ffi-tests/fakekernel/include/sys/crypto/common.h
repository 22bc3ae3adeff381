/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Types and codes shared by KCF's consumers and providers.  Layouts and values
 * are those of abi-layout.tsv and constants.tsv.
 */

#ifndef	_SYS_CRYPTO_COMMON_H
#define	_SYS_CRYPTO_COMMON_H

#include <sys/types.h>
#include <sys/uio.h>
#include <sys/stream.h>

#define	CRYPTO_MAX_MECH_NAME		32

typedef char crypto_mech_name_t[CRYPTO_MAX_MECH_NAME];
typedef ulong_t crypto_mech_type_t;

typedef struct crypto_mechanism {
	crypto_mech_type_t	cm_type;
	caddr_t			cm_param;
	size_t			cm_param_len;
} crypto_mechanism_t;

#define	SUN_CKM_AES_CBC			"CKM_AES_CBC"
#define	SUN_CKM_AES_ECB			"CKM_AES_ECB"
#define	SUN_CKM_AES_CTR			"CKM_AES_CTR"
#define	SUN_CKM_AES_CCM			"CKM_AES_CCM"
#define	SUN_CKM_AES_GCM			"CKM_AES_GCM"
#define	SUN_CKM_AES_GMAC		"CKM_AES_GMAC"
#define	SUN_CKM_AES_CFB128		"CKM_AES_CFB128"
#define	SUN_CKM_AES_CMAC		"CKM_AES_CMAC"

/* Parameters of the AES mechanisms. */
typedef struct CK_AES_CTR_PARAMS {
	ulong_t	ulCounterBits;
	uint8_t	cb[16];
} CK_AES_CTR_PARAMS;

typedef struct CK_AES_CCM_PARAMS {
	ulong_t	ulMACSize;
	ulong_t	ulNonceSize;
	ulong_t	ulAuthDataSize;
	ulong_t	ulDataSize;
	uchar_t	*nonce;
	uchar_t	*authData;
} CK_AES_CCM_PARAMS;

typedef struct CK_AES_GCM_PARAMS {
	uchar_t	*pIv;
	ulong_t	ulIvLen;
	ulong_t	ulIvBits;
	uchar_t	*pAAD;
	ulong_t	ulAADLen;
	ulong_t	ulTagBits;
} CK_AES_GCM_PARAMS;

typedef struct CK_AES_GMAC_PARAMS {
	uchar_t	*pIv;
	uchar_t	*pAAD;
	ulong_t	ulAADLen;
} CK_AES_GMAC_PARAMS;

typedef uint32_t crypto_keysize_unit_t;
#define	CRYPTO_KEYSIZE_UNIT_IN_BITS	1
#define	CRYPTO_KEYSIZE_UNIT_IN_BYTES	2
#define	CRYPTO_CAN_SHARE_OPSTATE	4

typedef enum crypto_data_format {
	CRYPTO_DATA_RAW = 1,
	CRYPTO_DATA_UIO,
	CRYPTO_DATA_MBLK
} crypto_data_format_t;

typedef struct crypto_data {
	crypto_data_format_t	cd_format;
	off_t			cd_offset;
	size_t			cd_length;
	caddr_t			cd_miscdata;
	union {
		iovec_t	cdu_raw;
		uio_t	*cdu_uio;
		mblk_t	*cdu_mp;
	} cdu;
} crypto_data_t;

#define	cd_raw	cdu.cdu_raw
#define	cd_uio	cdu.cdu_uio
#define	cd_mp	cdu.cdu_mp

typedef struct crypto_dual_data {
	crypto_data_t	dd_data;
	off_t		dd_offset2;
	size_t		dd_len2;
} crypto_dual_data_t;

typedef ulong_t crypto_attr_type_t;
typedef uint32_t crypto_object_id_t;

typedef struct crypto_object_attribute {
	crypto_attr_type_t	oa_type;
	caddr_t			oa_value;
	ssize_t			oa_value_len;
} crypto_object_attribute_t;

typedef enum {
	CRYPTO_KEY_RAW = 1,
	CRYPTO_KEY_REFERENCE,
	CRYPTO_KEY_ATTR_LIST
} crypto_key_format_t;

typedef struct crypto_key {
	crypto_key_format_t	ck_format;
	union {
		struct {
			uint_t	cku_v_length;	/* bits */
			void	*cku_v_data;
		} cku_key_value;
		crypto_object_id_t cku_key_id;
		struct {
			uint_t	cku_a_count;
			crypto_object_attribute_t *cku_a_oattr;
		} cku_key_attrs;
	} cku_data;
} crypto_key_t;

#define	ck_data		cku_data.cku_key_value.cku_v_data
#define	ck_length	cku_data.cku_key_value.cku_v_length
#define	ck_obj_id	cku_data.cku_key_id
#define	ck_count	cku_data.cku_key_attrs.cku_a_count
#define	ck_attrs	cku_data.cku_key_attrs.cku_a_oattr

typedef uint32_t crypto_provider_id_t;
typedef uint32_t crypto_session_id_t;

#define	KCF_PROVID_INVALID	0xffffffffu

/* Return codes, in numerical order. */
#define	CRYPTO_SUCCESS			0
#define	CRYPTO_CANCEL			1
#define	CRYPTO_HOST_MEMORY		2
#define	CRYPTO_GENERAL_ERROR		3
#define	CRYPTO_FAILED			4
#define	CRYPTO_ARGUMENTS_BAD		5
#define	CRYPTO_ATTRIBUTE_READ_ONLY	6
#define	CRYPTO_ATTRIBUTE_SENSITIVE	7
#define	CRYPTO_ATTRIBUTE_TYPE_INVALID	8
#define	CRYPTO_ATTRIBUTE_VALUE_INVALID	9
#define	CRYPTO_CANCELED			10
#define	CRYPTO_DATA_INVALID		11
#define	CRYPTO_DATA_LEN_RANGE		12
#define	CRYPTO_DEVICE_ERROR		13
#define	CRYPTO_DEVICE_MEMORY		14
#define	CRYPTO_DEVICE_REMOVED		15
#define	CRYPTO_ENCRYPTED_DATA_INVALID	16
#define	CRYPTO_ENCRYPTED_DATA_LEN_RANGE	17
#define	CRYPTO_KEY_HANDLE_INVALID	18
#define	CRYPTO_KEY_SIZE_RANGE		19
#define	CRYPTO_KEY_TYPE_INCONSISTENT	20
#define	CRYPTO_KEY_NOT_NEEDED		21
#define	CRYPTO_KEY_CHANGED		22
#define	CRYPTO_KEY_NEEDED		23
#define	CRYPTO_KEY_INDIGESTIBLE		24
#define	CRYPTO_KEY_FUNCTION_NOT_PERMITTED	25
#define	CRYPTO_KEY_NOT_WRAPPABLE	26
#define	CRYPTO_KEY_UNEXTRACTABLE	27
#define	CRYPTO_MECHANISM_INVALID	28
#define	CRYPTO_MECHANISM_PARAM_INVALID	29
#define	CRYPTO_OBJECT_HANDLE_INVALID	30
#define	CRYPTO_OPERATION_IS_ACTIVE	31
#define	CRYPTO_OPERATION_NOT_INITIALIZED	32
#define	CRYPTO_PIN_INCORRECT		33
#define	CRYPTO_PIN_INVALID		34
#define	CRYPTO_PIN_LEN_RANGE		35
#define	CRYPTO_PIN_EXPIRED		36
#define	CRYPTO_PIN_LOCKED		37
#define	CRYPTO_SESSION_CLOSED		38
#define	CRYPTO_SESSION_COUNT		39
#define	CRYPTO_SESSION_HANDLE_INVALID	40
#define	CRYPTO_SESSION_READ_ONLY	41
#define	CRYPTO_SESSION_EXISTS		42
#define	CRYPTO_SESSION_READ_ONLY_EXISTS	43
#define	CRYPTO_SESSION_READ_WRITE_SO_EXISTS	44
#define	CRYPTO_SIGNATURE_INVALID	45
#define	CRYPTO_SIGNATURE_LEN_RANGE	46
#define	CRYPTO_TEMPLATE_INCOMPLETE	47
#define	CRYPTO_TEMPLATE_INCONSISTENT	48
#define	CRYPTO_UNWRAPPING_KEY_HANDLE_INVALID	49
#define	CRYPTO_UNWRAPPING_KEY_SIZE_RANGE	50
#define	CRYPTO_UNWRAPPING_KEY_TYPE_INCONSISTENT	51
#define	CRYPTO_USER_ALREADY_LOGGED_IN	52
#define	CRYPTO_USER_NOT_LOGGED_IN	53
#define	CRYPTO_USER_PIN_NOT_INITIALIZED	54
#define	CRYPTO_USER_TYPE_INVALID	55
#define	CRYPTO_USER_ANOTHER_ALREADY_LOGGED_IN	56
#define	CRYPTO_USER_TOO_MANY_TYPES	57
#define	CRYPTO_WRAPPED_KEY_INVALID	58
#define	CRYPTO_WRAPPED_KEY_LEN_RANGE	59
#define	CRYPTO_WRAPPING_KEY_HANDLE_INVALID	60
#define	CRYPTO_WRAPPING_KEY_SIZE_RANGE	61
#define	CRYPTO_WRAPPING_KEY_TYPE_INCONSISTENT	62
#define	CRYPTO_RANDOM_SEED_NOT_SUPPORTED	63
#define	CRYPTO_RANDOM_NO_RNG		64
#define	CRYPTO_DOMAIN_PARAMS_INVALID	65
#define	CRYPTO_BUFFER_TOO_SMALL		66
#define	CRYPTO_INFORMATION_SENSITIVE	67
#define	CRYPTO_NOT_SUPPORTED		68
#define	CRYPTO_QUEUED			69
#define	CRYPTO_BUFFER_TOO_BIG		70
#define	CRYPTO_INVALID_CONTEXT		71
#define	CRYPTO_INVALID_MAC		72
#define	CRYPTO_MECH_NOT_SUPPORTED	73
#define	CRYPTO_INCONSISTENT_ATTRIBUTE	74
#define	CRYPTO_NO_PERMISSION		75
#define	CRYPTO_INVALID_PROVIDER_ID	76
#define	CRYPTO_VERSION_MISMATCH		77
#define	CRYPTO_BUSY			78
#define	CRYPTO_UNKNOWN_PROVIDER		79
#define	CRYPTO_MODVERIFICATION_FAILED	80
#define	CRYPTO_OLD_CTX_TEMPLATE		81
#define	CRYPTO_WEAK_KEY			82
#define	CRYPTO_FIPS140_ERROR		83
#define	CRYPTO_LAST_ERROR		83

#endif	/* _SYS_CRYPTO_COMMON_H */
