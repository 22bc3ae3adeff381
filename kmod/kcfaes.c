/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * The kcfaes kernel module: what it tells KCF, and loading and unloading.  The
 * kcfaes_* entry points do all cryptography.  They have exactly the types of
 * the op vectors' slots.
 *
 * Nothing is registered until every table of kernels that this CPU has gave the
 * known answers.
 *
 * KCF gives handle 0 to the first provider that registers.  So a flag of our
 * own says whether we are registered, never the handle.
 */

#include <sys/types.h>
#include <sys/errno.h>
#include <sys/cmn_err.h>
#include <sys/modctl.h>
#include <sys/systm.h>
#include <sys/time.h>
#include <sys/crypto/common.h>
#include <sys/crypto/spi.h>

#include "kcfaes_impl.h"
#include "kcfaes_module.h"
#include "kcfaes_spi.h"

extern struct mod_ops mod_cryptoops;

/*
 * Tunables, read once when the module is loaded.  In /etc/system they are set
 * under the name that the module is installed by.
 *
 * kcfaes_table_max is the number of the highest table of kernels that may be
 * used.  The count of tables means the best for this model of CPU.
 *
 * kcfaes_hold_bytes is the most bytes that one FPU hold may process.  Modes
 * that cannot work on several blocks at once get a quarter of it.
 *
 * kcfaes_light_bytes is the most bytes of a call, AAD included, that runs on
 * table 1 in a light FPU hold (kcfaes_env.c).  With 0 only calls that may have
 * no other hold do.
 *
 * kcfaes_gcm_stream says whether a GCM decryption in parts may release text
 * before its end.
 */
uint_t kcfaes_table_max = KCFAES_TABLES;
uint_t kcfaes_hold_bytes = KCFAES_HOLD_BYTES;
uint_t kcfaes_light_bytes = KCFAES_LIGHT_BYTES;
uint_t kcfaes_gcm_stream = 1;

static struct modlcrypto kcfaes_modlcrypto = {
	&mod_cryptoops,
	"kcfaes AES provider"
};

static struct modlinkage kcfaes_modlinkage = {
	MODREV_1,
	{ &kcfaes_modlcrypto, NULL }
};

#define	KCFAES_FG_CIPHER	\
	(CRYPTO_FG_ENCRYPT | CRYPTO_FG_ENCRYPT_ATOMIC | \
	CRYPTO_FG_DECRYPT | CRYPTO_FG_DECRYPT_ATOMIC)
#define	KCFAES_FG_MAC		\
	(CRYPTO_FG_MAC | CRYPTO_FG_MAC_ATOMIC)
#define	KCFAES_FG_CMAC		\
	(CRYPTO_FG_ENCRYPT | CRYPTO_FG_ENCRYPT_ATOMIC | KCFAES_FG_MAC)

static crypto_mech_info_t kcfaes_mechanisms[] = {
	{ SUN_CKM_AES_ECB, KCFAES_AES_ECB_MECH_INFO_TYPE, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_CBC, KCFAES_AES_CBC_MECH_INFO_TYPE, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_CMAC, KCFAES_AES_CMAC_MECH_INFO_TYPE, KCFAES_FG_CMAC,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_CTR, KCFAES_AES_CTR_MECH_INFO_TYPE, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_CCM, KCFAES_AES_CCM_MECH_INFO_TYPE, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_GCM, KCFAES_AES_GCM_MECH_INFO_TYPE, KCFAES_FG_CIPHER,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	{ SUN_CKM_AES_GMAC, KCFAES_AES_GMAC_MECH_INFO_TYPE,
	    KCFAES_FG_CIPHER | KCFAES_FG_MAC,
	    KCFAES_MIN_KEY, KCFAES_MAX_KEY, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
};

static crypto_control_ops_t kcfaes_control_ops = {
	.provider_status = kcfaes_spi_provider_status
};

static crypto_cipher_ops_t kcfaes_cipher_ops = {
	.encrypt_init = kcfaes_spi_encrypt_init,
	.encrypt = kcfaes_spi_encrypt,
	.encrypt_update = kcfaes_spi_encrypt_update,
	.encrypt_final = kcfaes_spi_encrypt_final,
	.encrypt_atomic = kcfaes_spi_encrypt_atomic,
	.decrypt_init = kcfaes_spi_decrypt_init,
	.decrypt = kcfaes_spi_decrypt,
	.decrypt_update = kcfaes_spi_decrypt_update,
	.decrypt_final = kcfaes_spi_decrypt_final,
	.decrypt_atomic = kcfaes_spi_decrypt_atomic
};

static crypto_mac_ops_t kcfaes_mac_ops = {
	.mac_init = kcfaes_spi_mac_init,
	.mac = kcfaes_spi_mac,
	.mac_update = kcfaes_spi_mac_update,
	.mac_final = kcfaes_spi_mac_final,
	.mac_atomic = kcfaes_spi_mac_atomic,
	.mac_verify_atomic = kcfaes_spi_mac_verify_atomic
};

static crypto_ctx_ops_t kcfaes_ctx_ops = {
	.create_ctx_template = kcfaes_spi_create_ctx_template,
	.free_context = kcfaes_spi_free_context
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

uint64_t kcfaes_selftest_ns;

const char *kcfaes_table_names[KCFAES_TABLES];

/*
 * A wrong tunable does not keep AES from a system.  It is clamped, and a
 * message says so.
 */
static void
kcfaes_tune(void)
{
	uint_t bytes;

	if (kcfaes_table_max > KCFAES_TABLES) {
		cmn_err(CE_WARN, "kcfaes: kcfaes_table_max is %u, now %u",
		    kcfaes_table_max, KCFAES_TABLES);
		kcfaes_table_max = KCFAES_TABLES;
	}
	kcfaes_module_set_table_max(kcfaes_table_max);

	bytes = (uint_t)kcfaes_module_set_hold_bytes(kcfaes_hold_bytes);
	if (bytes != kcfaes_hold_bytes) {
		cmn_err(CE_WARN, "kcfaes: kcfaes_hold_bytes is %u, now %u",
		    kcfaes_hold_bytes, bytes);
		kcfaes_hold_bytes = bytes;
	}

	kcfaes_module_set_light_bytes(kcfaes_light_bytes);

	if (kcfaes_gcm_stream > 1) {
		cmn_err(CE_WARN, "kcfaes: kcfaes_gcm_stream is %u, now 1",
		    kcfaes_gcm_stream);
		kcfaes_gcm_stream = 1;
	}
	kcfaes_module_set_gcm_stream((int)kcfaes_gcm_stream);
}

/*
 * Table 0 is the portable one.  Without it there is nothing to fall back on.
 * If it is wrong, so is the memory or the module.
 */
static int
kcfaes_selftest(void)
{
	struct kcfaes_module_fault fault;
	hrtime_t start = gethrtime();
	uint_t table;
	int right;

	for (table = 0; table < KCFAES_TABLES; table++) {
		kcfaes_table_names[table] = kcfaes_module_table_name(table);
		right = kcfaes_module_selftest(table, &fault);
		if (right == 0 && table == 1) {
			cmn_err(CE_NOTE, "kcfaes: this CPU lacks AES-NI or "
			    "PCLMULQDQ: AES runs without them, slowly");
		}
		if (right >= 0)
			continue;
		if (table == 0) {
			cmn_err(CE_WARN, "kcfaes: self-test: wrong answer in "
			    "%s with a key of %u bits: not loaded",
			    fault.mode, fault.key_bits);
			return (EIO);
		}
		cmn_err(CE_NOTE, "kcfaes: self-test: table %s gave a wrong "
		    "answer in %s with a key of %u bits: it is not used",
		    kcfaes_table_names[table], fault.mode,
		    fault.key_bits);
	}
	kcfaes_selftest_ns = (uint64_t)(gethrtime() - start);
	return (0);
}

static const char *
kcfaes_refusal(int error)
{
	switch (error) {
	case CRYPTO_ARGUMENTS_BAD:
		return ("no mechanism is left for it: another AES provider "
		    "is loaded, or policy disables them");
	case CRYPTO_VERSION_MISMATCH:
		return ("this kernel's KCF is older than the module");
	default:
		return ("unexpected");
	}
}

/*
 * KCF keeps the modules that it loads itself.  If the module has any name
 * except the one on KCF's list, it may be unloaded whenever memory is short.
 * The stock provider would then take its place.
 */
static void
kcfaes_stay_loaded(void)
{
	modctl_t *module = mod_getctl(&kcfaes_modlinkage);

	if (module != NULL && strcmp(module->mod_modname, "aes") != 0)
		module->mod_loadflags |= MOD_NOAUTOUNLOAD;
}

int
_init(void)
{
	int error;

	kcfaes_env_init();

	error = mod_install(&kcfaes_modlinkage);
	if (error != 0)
		return (error);

	error = kcfaes_selftest();
	if (error != 0) {
		(void) mod_remove(&kcfaes_modlinkage);
		return (error);
	}
	kcfaes_tune();
	kcfaes_env_create(kcfaes_module_operation_bytes());

	error = crypto_register_provider(&kcfaes_provider_info,
	    &kcfaes_handle);
	if (error != CRYPTO_SUCCESS) {
		cmn_err(CE_WARN, "kcfaes: KCF refused the provider (0x%x): "
		    "%s; see KCF's own warnings above", error,
		    kcfaes_refusal(error));
		kcfaes_env_destroy();
		(void) mod_remove(&kcfaes_modlinkage);
		return (EACCES);
	}
	kcfaes_registered = B_TRUE;
	kcfaes_kstat_create();
	kcfaes_stay_loaded();
	return (0);
}

/* Waits, inside KCF, for contexts that are still alive. */
int
_fini(void)
{
	int error;

	if (kcfaes_registered) {
		error = crypto_unregister_provider(kcfaes_handle);
		if (error != CRYPTO_SUCCESS) {
			cmn_err(CE_NOTE, "kcfaes: KCF does not let the "
			    "provider go (0x%x)", error);
			return (EBUSY);
		}
		kcfaes_registered = B_FALSE;
		kcfaes_kstat_destroy();
		kcfaes_env_destroy();
	}
	return (mod_remove(&kcfaes_modlinkage));
}

int
_info(struct modinfo *modinfop)
{
	return (mod_info(&kcfaes_modlinkage, modinfop));
}
