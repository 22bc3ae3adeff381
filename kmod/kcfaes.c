/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * The kcfaes kernel module: what it tells KCF, and loading and unloading.
 * All cryptography is behind the kcfaes_* entry points, which have exactly
 * the types of the op vectors' slots.
 *
 * KCF gives the first provider that registers handle 0, so that a flag of
 * our own says whether we are registered, never the handle.
 */

#include <sys/types.h>
#include <sys/errno.h>
#include <sys/cmn_err.h>
#include <sys/modctl.h>
#include <sys/crypto/common.h>
#include <sys/crypto/spi.h>

#include "kcfaes_impl.h"
#include "kcfaes_spi.h"

extern struct mod_ops mod_cryptoops;

static struct modlcrypto kcfaes_modlcrypto = {
	&mod_cryptoops,
	"kcfaes AES provider"
};

static struct modlinkage kcfaes_modlinkage = {
	MODREV_1,
	{ &kcfaes_modlcrypto, NULL }
};

/*
 * Mechanism numbers are the stock aes module's; 2 is its reserved CBC_PAD.
 */
#define	KCFAES_ECB	0
#define	KCFAES_CBC	1
#define	KCFAES_CTR	3
#define	KCFAES_GCM	5
#define	KCFAES_GMAC	6

#define	KCFAES_MIN_KEY	16
#define	KCFAES_MAX_KEY	32

#define	KCFAES_FG_CIPHER	\
	(CRYPTO_FG_ENCRYPT | CRYPTO_FG_ENCRYPT_ATOMIC | \
	CRYPTO_FG_DECRYPT | CRYPTO_FG_DECRYPT_ATOMIC)
#define	KCFAES_FG_MAC		\
	(CRYPTO_FG_MAC | CRYPTO_FG_MAC_ATOMIC)

static crypto_mech_info_t kcfaes_mechanisms[] = {
	{ SUN_CKM_AES_ECB, KCFAES_ECB, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_CBC, KCFAES_CBC, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_CTR, KCFAES_CTR, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_GCM, KCFAES_GCM, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_GMAC, KCFAES_GMAC, KCFAES_FG_CIPHER | KCFAES_FG_MAC,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
};

static crypto_control_ops_t kcfaes_control_ops = {
	.provider_status = kcfaes_provider_status
};

static crypto_cipher_ops_t kcfaes_cipher_ops = {
	.encrypt_init = kcfaes_encrypt_init,
	.encrypt = kcfaes_encrypt,
	.encrypt_update = kcfaes_encrypt_update,
	.encrypt_final = kcfaes_encrypt_final,
	.encrypt_atomic = kcfaes_encrypt_atomic,
	.decrypt_init = kcfaes_decrypt_init,
	.decrypt = kcfaes_decrypt,
	.decrypt_update = kcfaes_decrypt_update,
	.decrypt_final = kcfaes_decrypt_final,
	.decrypt_atomic = kcfaes_decrypt_atomic
};

static crypto_mac_ops_t kcfaes_mac_ops = {
	.mac_init = kcfaes_mac_init,
	.mac = kcfaes_mac,
	.mac_update = kcfaes_mac_update,
	.mac_final = kcfaes_mac_final,
	.mac_atomic = kcfaes_mac_atomic,
	.mac_verify_atomic = kcfaes_mac_verify_atomic
};

static crypto_ctx_ops_t kcfaes_ctx_ops = {
	.create_ctx_template = kcfaes_create_ctx_template,
	.free_context = kcfaes_free_context
};

static crypto_ops_t kcfaes_crypto_ops = {
	.co_control_ops = &kcfaes_control_ops,
	.co_cipher_ops = &kcfaes_cipher_ops,
	.co_mac_ops = &kcfaes_mac_ops,
	.co_ctx_ops = &kcfaes_ctx_ops
};

static crypto_provider_info_t kcfaes_provider_info = {
	.pi_interface_version = CRYPTO_SPI_VERSION_4,
	.pi_provider_description = "kcfaes AES software provider",
	.pi_provider_type = CRYPTO_SW_PROVIDER,
	.pi_provider_dev = { .pd_sw = &kcfaes_modlinkage },
	.pi_ops_vector = &kcfaes_crypto_ops,
	.pi_mech_list_count =
	    sizeof (kcfaes_mechanisms) / sizeof (kcfaes_mechanisms[0]),
	.pi_mechanisms = kcfaes_mechanisms
};

static crypto_kcf_provider_handle_t kcfaes_handle;
static boolean_t kcfaes_registered = B_FALSE;

int
_init(void)
{
	int error;

	kcfaes_env_init();

	error = mod_install(&kcfaes_modlinkage);
	if (error != 0)
		return (error);

	error = crypto_register_provider(&kcfaes_provider_info,
	    &kcfaes_handle);
	if (error != CRYPTO_SUCCESS) {
		cmn_err(CE_WARN, "kcfaes: KCF refused the provider (0x%x); "
		    "its own warnings, if any, stand above this line: another "
		    "AES provider may be loaded, or policy disables every "
		    "mechanism", error);
		(void) mod_remove(&kcfaes_modlinkage);
		return (EACCES);
	}
	kcfaes_registered = B_TRUE;
	return (0);
}

/* Waits, inside KCF, for contexts that are still alive. */
int
_fini(void)
{
	if (kcfaes_registered) {
		if (crypto_unregister_provider(kcfaes_handle) !=
		    CRYPTO_SUCCESS)
			return (EBUSY);
		kcfaes_registered = B_FALSE;
	}
	return (mod_remove(&kcfaes_modlinkage));
}

int
_info(struct modinfo *modinfop)
{
	return (mod_info(&kcfaes_modlinkage, modinfop));
}
