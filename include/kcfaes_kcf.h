/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Types and numbers of the illumos Kernel Cryptographic Framework that cross the ops
 * vector, for systems without its headers. LP64 only.
 *
 * Generated from rust-core/provider/src/kcf.rs by cargo xtask headers: do not edit.
 */

#ifndef _KCFAES_KCF_H
#define _KCFAES_KCF_H

#if !defined(_LP64) && !defined(__LP64__)
#error "kcfaes has KCF's structures as a 64-bit kernel has them: compile for LP64"
#endif

#include <stddef.h>
#include <stdint.h>

/* Data is one contiguous buffer. */
#define CRYPTO_DATA_RAW 1

/* Data is a uio_t. */
#define CRYPTO_DATA_UIO 2

/* Data is a chain of mblk_t. */
#define CRYPTO_DATA_MBLK 3

/* The key is given by value. */
#define CRYPTO_KEY_RAW 1

/* The key is a reference. */
#define CRYPTO_KEY_REFERENCE 2

/* The key is a list of attributes. */
#define CRYPTO_KEY_ATTR_LIST 3

/* The pieces of a uio are kernel memory (sys/uio.h). */
#define UIO_SYSSPACE 1

/* The caller may sleep (sys/kmem.h). */
#define KM_SLEEP 0

/* The caller may not sleep (sys/kmem.h). */
#define KM_NOSLEEP 1

/* State of a provider that takes requests (sys/crypto/spi.h). */
#define CRYPTO_PROVIDER_READY 0

/* Success (sys/crypto/common.h, as all results below). */
#define CRYPTO_SUCCESS 0

/* No memory. */
#define CRYPTO_HOST_MEMORY 2

/* Something impossible has happened. */
#define CRYPTO_GENERAL_ERROR 3

/* An argument is wrong. */
#define CRYPTO_ARGUMENTS_BAD 5

/* The length of the data is impossible. */
#define CRYPTO_DATA_LEN_RANGE 12

/* The length of the ciphertext is impossible. */
#define CRYPTO_ENCRYPTED_DATA_LEN_RANGE 17

/* The length of the key is impossible. */
#define CRYPTO_KEY_SIZE_RANGE 19

/* The key is not given by value. */
#define CRYPTO_KEY_TYPE_INCONSISTENT 20

/* This provider does not have the mechanism. */
#define CRYPTO_MECHANISM_INVALID 28

/* The mechanism's parameter is wrong. */
#define CRYPTO_MECHANISM_PARAM_INVALID 29

/* The context was not initialised. */
#define CRYPTO_OPERATION_NOT_INITIALIZED 32

/* The output has too little room; cd_length has the room needed. */
#define CRYPTO_BUFFER_TOO_SMALL 66

/* The tag does not match. */
#define CRYPTO_INVALID_MAC 72

/* Private number of a mechanism (sys/crypto/common.h). */
typedef unsigned long crypto_mech_type_t;

/* Handle of a registered provider (sys/crypto/spi.h); kcfaes has one instance and ignores it. */
typedef void *crypto_provider_handle_t;

/* Session of a hardware provider (sys/crypto/common.h); ignored. */
typedef unsigned int crypto_session_id_t;

/* A context template as the provider made it (sys/crypto/spi.h). */
typedef void *crypto_spi_ctx_template_t;

/* The framework's request, opaque; crypto_kmflag() tells whether it may sleep. */
typedef void *crypto_req_handle_t;

/* A mechanism and its parameter (sys/crypto/common.h). */
typedef struct crypto_mechanism_t {
    /* The provider's own number: one of the AES_*_MECH_INFO_TYPE. */
    crypto_mech_type_t cm_type;
    /* The parameter, of the type that the mechanism wants, or NULL. */
    char *cm_param;
    /* Bytes at cm_param. */
    size_t cm_param_len;
} crypto_mechanism_t;

/* One piece of a scattered buffer (sys/uio.h). */
typedef struct iovec_t {
    /* First byte. */
    char *iov_base;
    /* Bytes. */
    size_t iov_len;
} iovec_t;

/*
 * A list of pieces (sys/uio.h). Only uio_iov, uio_iovcnt and uio_segflg are read;
 * nothing is written.
 */
typedef struct uio_t {
    /* The pieces. */
    struct iovec_t *uio_iov;
    /* The number of pieces. */
    int uio_iovcnt;
    /* lloff_t, not read. */
    int64_t _uio_offset;
    /* Must be UIO_SYSSPACE. */
    unsigned int uio_segflg;
    /* Not read. */
    uint16_t uio_fmode;
    /* Not read. */
    uint16_t uio_extflg;
    /* lloff_t, not read. */
    int64_t _uio_limit;
    /* Not read. */
    ptrdiff_t uio_resid;
} uio_t;

/*
 * A STREAMS message block (sys/stream.h). Only b_cont, b_rptr and b_wptr are read;
 * nothing is written.
 */
typedef struct mblk_t {
    /* Next message of a queue, not read. */
    struct mblk_t *b_next;
    /* Previous message of a queue, not read. */
    struct mblk_t *b_prev;
    /* Next block of this message. */
    struct mblk_t *b_cont;
    /* First byte of data. */
    unsigned char *b_rptr;
    /* One past the last byte of data. */
    unsigned char *b_wptr;
    /* Not read. */
    void *b_datap;
    /* Not read. */
    unsigned char b_band;
    /* Not read. */
    unsigned char b_tag;
    /* Not read. */
    uint16_t b_flag;
    /* Not read. */
    void *b_queue;
} mblk_t;

/* Where the bytes of a crypto_data_t are. */
typedef union crypto_data_cdu_t {
    /* CRYPTO_DATA_RAW */
    struct iovec_t cdu_raw;
    /* CRYPTO_DATA_UIO */
    struct uio_t *cdu_uio;
    /* CRYPTO_DATA_MBLK */
    struct mblk_t *cdu_mp;
} crypto_data_cdu_t;

/* Input or output of an operation (sys/crypto/common.h). */
typedef struct crypto_data_t {
    /* CRYPTO_DATA_RAW, CRYPTO_DATA_UIO or CRYPTO_DATA_MBLK. */
    unsigned int cd_format;
    /* Bytes to skip from the start of the whole list. */
    long cd_offset;
    /* Bytes to process, or room. */
    size_t cd_length;
    /* CBC only: if non-NULL, the 16-byte IV of this call. */
    char *cd_miscdata;
    /* The bytes. */
    union crypto_data_cdu_t cdu;
} crypto_data_t;

/* A key by value (sys/crypto/common.h). */
typedef struct crypto_key_value_t {
    /* Length in bits. */
    unsigned int cku_v_length;
    /* The key. */
    void *cku_v_data;
} crypto_key_value_t;

/* A key by attributes (sys/crypto/common.h). This provider refuses it. */
typedef struct crypto_key_attrs_t {
    /* The number of attributes. */
    unsigned int cku_a_count;
    /* crypto_object_attribute_t *, not read. */
    void *cku_a_oattr;
} crypto_key_attrs_t;

/* What a crypto_key_t holds. */
typedef union crypto_key_data_t {
    /* CRYPTO_KEY_RAW */
    struct crypto_key_value_t cku_key_value;
    /* CRYPTO_KEY_REFERENCE, refused. */
    unsigned int cku_key_id;
    /* CRYPTO_KEY_ATTR_LIST, refused. */
    struct crypto_key_attrs_t cku_key_attrs;
} crypto_key_data_t;

/* A key (sys/crypto/common.h). */
typedef struct crypto_key_t {
    /* Must be CRYPTO_KEY_RAW. */
    unsigned int ck_format;
    /* The key. */
    union crypto_key_data_t cku_data;
} crypto_key_t;

/*
 * The framework's context of a multi-part operation (sys/crypto/spi.h). The provider writes
 * only cc_provider_private.
 */
typedef struct crypto_ctx_t {
    /* Not read. */
    crypto_provider_handle_t cc_provider;
    /* Not read. */
    crypto_session_id_t cc_session;
    /* The provider's state; NULL if there is none. */
    void *cc_provider_private;
    /* Not read. */
    void *cc_framework_private;
    /* Not read. */
    uint32_t cc_flags;
    /* Not read. */
    void *cc_opstate;
} crypto_ctx_t;

/* Parameter of CKM_AES_CTR (sys/crypto/common.h). */
typedef struct CK_AES_CTR_PARAMS {
    /* Width of the counter in bits, 1 to 128: the low bits of cb, which wrap within themselves. */
    unsigned long ulCounterBits;
    /* The first counter block. */
    uint8_t cb[16];
} CK_AES_CTR_PARAMS;

/* Parameter of CKM_AES_CCM (sys/crypto/common.h). */
typedef struct CK_AES_CCM_PARAMS {
    /* Length of the MAC in bytes: 4, 6, 8, 10, 12, 14 or 16. */
    unsigned long ulMACSize;
    /* Length of the nonce in bytes, 7 to 13. */
    unsigned long ulNonceSize;
    /* Length of the additional authenticated data in bytes. */
    unsigned long ulAuthDataSize;
    /*
     * Length of the message in bytes: of the plaintext in an encryption, of the ciphertext with
     * its MAC in a decryption.
     */
    unsigned long ulDataSize;
    /* The nonce. */
    unsigned char *nonce;
    /* The additional authenticated data; may be NULL when ulAuthDataSize is 0. */
    unsigned char *authData;
} CK_AES_CCM_PARAMS;

/* Parameter of CKM_AES_GCM (sys/crypto/common.h). */
typedef struct CK_AES_GCM_PARAMS {
    /* The IV. */
    unsigned char *pIv;
    /* Its length in bytes, not 0. */
    unsigned long ulIvLen;
    /* Never read: consumers leave it unset. */
    unsigned long ulIvBits;
    /* The additional authenticated data; may be NULL when ulAADLen is 0. */
    unsigned char *pAAD;
    /* Its length in bytes. */
    unsigned long ulAADLen;
    /* Length of the tag in bits: 32, 64, 96, 104, 112, 120 or 128. */
    unsigned long ulTagBits;
} CK_AES_GCM_PARAMS;

/* Parameter of CKM_AES_GMAC (sys/crypto/common.h). */
typedef struct CK_AES_GMAC_PARAMS {
    /* The IV of 12 bytes. */
    unsigned char *pIv;
    /* Authenticated data that precedes the message; may be NULL when ulAADLen is 0. */
    unsigned char *pAAD;
    /* Its length in bytes. */
    unsigned long ulAADLen;
} CK_AES_GMAC_PARAMS;

/* The cipher entry points (sys/crypto/spi.h). */
typedef struct crypto_cipher_ops_t {
    /* Begins a multi-part encryption. */
    int (*encrypt_init)(struct crypto_ctx_t*,
                        struct crypto_mechanism_t*,
                        struct crypto_key_t*,
                        crypto_spi_ctx_template_t,
                        crypto_req_handle_t);
    /* Encrypts a whole message on a context. */
    int (*encrypt)(struct crypto_ctx_t*,
                   struct crypto_data_t*,
                   struct crypto_data_t*,
                   crypto_req_handle_t);
    /* Encrypts a part. */
    int (*encrypt_update)(struct crypto_ctx_t*,
                          struct crypto_data_t*,
                          struct crypto_data_t*,
                          crypto_req_handle_t);
    /* Ends a multi-part encryption. */
    int (*encrypt_final)(struct crypto_ctx_t*, struct crypto_data_t*, crypto_req_handle_t);
    /* Encrypts a message in one call. */
    int (*encrypt_atomic)(crypto_provider_handle_t,
                          crypto_session_id_t,
                          struct crypto_mechanism_t*,
                          struct crypto_key_t*,
                          struct crypto_data_t*,
                          struct crypto_data_t*,
                          crypto_spi_ctx_template_t,
                          crypto_req_handle_t);
    /* Begins a multi-part decryption. */
    int (*decrypt_init)(struct crypto_ctx_t*,
                        struct crypto_mechanism_t*,
                        struct crypto_key_t*,
                        crypto_spi_ctx_template_t,
                        crypto_req_handle_t);
    /* Decrypts a whole message on a context. */
    int (*decrypt)(struct crypto_ctx_t*,
                   struct crypto_data_t*,
                   struct crypto_data_t*,
                   crypto_req_handle_t);
    /* Decrypts a part. */
    int (*decrypt_update)(struct crypto_ctx_t*,
                          struct crypto_data_t*,
                          struct crypto_data_t*,
                          crypto_req_handle_t);
    /* Ends a multi-part decryption. */
    int (*decrypt_final)(struct crypto_ctx_t*, struct crypto_data_t*, crypto_req_handle_t);
    /* Decrypts a message in one call. */
    int (*decrypt_atomic)(crypto_provider_handle_t,
                          crypto_session_id_t,
                          struct crypto_mechanism_t*,
                          struct crypto_key_t*,
                          struct crypto_data_t*,
                          struct crypto_data_t*,
                          crypto_spi_ctx_template_t,
                          crypto_req_handle_t);
} crypto_cipher_ops_t;

/* The MAC entry points (sys/crypto/spi.h). */
typedef struct crypto_mac_ops_t {
    /* Begins a multi-part MAC. */
    int (*mac_init)(struct crypto_ctx_t*,
                    struct crypto_mechanism_t*,
                    struct crypto_key_t*,
                    crypto_spi_ctx_template_t,
                    crypto_req_handle_t);
    /* MAC of a whole message on a context. */
    int (*mac)(struct crypto_ctx_t*,
               struct crypto_data_t*,
               struct crypto_data_t*,
               crypto_req_handle_t);
    /* Absorbs a part. */
    int (*mac_update)(struct crypto_ctx_t*, struct crypto_data_t*, crypto_req_handle_t);
    /* Ends a multi-part MAC. */
    int (*mac_final)(struct crypto_ctx_t*, struct crypto_data_t*, crypto_req_handle_t);
    /* MAC of a message in one call. */
    int (*mac_atomic)(crypto_provider_handle_t,
                      crypto_session_id_t,
                      struct crypto_mechanism_t*,
                      struct crypto_key_t*,
                      struct crypto_data_t*,
                      struct crypto_data_t*,
                      crypto_spi_ctx_template_t,
                      crypto_req_handle_t);
    /* Verifies a MAC in one call. */
    int (*mac_verify_atomic)(crypto_provider_handle_t,
                             crypto_session_id_t,
                             struct crypto_mechanism_t*,
                             struct crypto_key_t*,
                             struct crypto_data_t*,
                             struct crypto_data_t*,
                             crypto_spi_ctx_template_t,
                             crypto_req_handle_t);
} crypto_mac_ops_t;

/* The context entry points (sys/crypto/spi.h). */
typedef struct crypto_ctx_ops_t {
    /* Makes a template of a key. */
    int (*create_ctx_template)(crypto_provider_handle_t,
                               struct crypto_mechanism_t*,
                               struct crypto_key_t*,
                               crypto_spi_ctx_template_t*,
                               size_t*,
                               crypto_req_handle_t);
    /* Frees the state of a context. */
    int (*free_context)(struct crypto_ctx_t*);
} crypto_ctx_ops_t;

/* The control entry points (sys/crypto/spi.h). */
typedef struct crypto_control_ops_t {
    /* Stores the provider's state. */
    void (*provider_status)(crypto_provider_handle_t, unsigned int*);
} crypto_control_ops_t;

/*
 * Number of CKM_AES_ECB in this provider. All these numbers are those of the stock provider,
 * which reserves 2 for CBC_PAD.
 */
#define AES_ECB_MECH_INFO_TYPE 0

/* Number of CKM_AES_CBC in this provider. */
#define AES_CBC_MECH_INFO_TYPE 1

/* Number of CKM_AES_CTR in this provider. */
#define AES_CTR_MECH_INFO_TYPE 3

/* Number of CKM_AES_CCM in this provider. */
#define AES_CCM_MECH_INFO_TYPE 4

/* Number of CKM_AES_GCM in this provider. */
#define AES_GCM_MECH_INFO_TYPE 5

/* Number of CKM_AES_GMAC in this provider. */
#define AES_GMAC_MECH_INFO_TYPE 6

/* Number of CKM_AES_CMAC in this provider. */
#define AES_CMAC_MECH_INFO_TYPE 7

#endif  /* _KCFAES_KCF_H */
