/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The module's C on the fake kernel, with stand-ins for the Rust entry
 * points: what it registers, how it fails, and what its environment does in
 * each context.
 */

#include <sys/cmn_err.h>
#include <sys/cpuvar.h>
#include <sys/disp.h>
#include <sys/errno.h>
#include <sys/kfpu.h>
#include <sys/kmem.h>
#include <sys/modctl.h>
#include <sys/systm.h>
#include <sys/crypto/impl.h>

#include "check.h"
#include "xor_provider.h"
#include "kcfaes_impl.h"
#include "kcfaes_module.h"
#include "kcfaes_spi.h"

extern int kcfaes_mod_init(void), kcfaes_mod_fini(void);
extern int kcfaes_mod_info(struct modinfo *);

/* Each stand-in returns its own code, so that a crossed slot shows. */
enum { E_INIT = 100, E, E_UPDATE, E_FINAL, E_ATOMIC, D_INIT, D, D_UPDATE,
    D_FINAL, D_ATOMIC, M_INIT, M, M_UPDATE, M_FINAL, M_ATOMIC, M_VERIFY,
    TEMPLATE };

static crypto_mech_type_t last_type;
static int init_return, freed;

#define	INIT(name, code)						\
int									\
name(crypto_ctx_t *ctx, crypto_mechanism_t *mech, crypto_key_t *key,	\
    crypto_spi_ctx_template_t tmpl, crypto_req_handle_t req)		\
{									\
	(void) key;							\
	(void) tmpl;							\
	(void) req;							\
	ctx->cc_provider_private = &freed;				\
	last_type = mech->cm_type;					\
	return (init_return ? init_return : (code));			\
}
#define	ON_TWO(name, code)						\
int									\
name(crypto_ctx_t *ctx, crypto_data_t *in, crypto_data_t *out,		\
    crypto_req_handle_t req)						\
{									\
	(void) ctx;							\
	(void) in;							\
	(void) out;							\
	(void) req;							\
	return (code);							\
}
#define	ON_ONE(name, code)						\
int									\
name(crypto_ctx_t *ctx, crypto_data_t *data, crypto_req_handle_t req)	\
{									\
	(void) ctx;							\
	(void) data;							\
	(void) req;							\
	return (code);							\
}
#define	ATOMIC(name, code)						\
int									\
name(crypto_provider_handle_t prov, crypto_session_id_t session,	\
    crypto_mechanism_t *mech, crypto_key_t *key, crypto_data_t *in,	\
    crypto_data_t *out, crypto_spi_ctx_template_t tmpl,			\
    crypto_req_handle_t req)						\
{									\
	(void) prov;							\
	(void) session;							\
	(void) key;							\
	(void) in;							\
	(void) out;							\
	(void) tmpl;							\
	(void) req;							\
	last_type = mech->cm_type;					\
	return (code);							\
}

INIT(kcfaes_spi_encrypt_init, E_INIT)
ON_TWO(kcfaes_spi_encrypt, E)
ON_TWO(kcfaes_spi_encrypt_update, E_UPDATE)
ON_ONE(kcfaes_spi_encrypt_final, E_FINAL)
ATOMIC(kcfaes_spi_encrypt_atomic, E_ATOMIC)
INIT(kcfaes_spi_decrypt_init, D_INIT)
ON_TWO(kcfaes_spi_decrypt, D)
ON_TWO(kcfaes_spi_decrypt_update, D_UPDATE)
ON_ONE(kcfaes_spi_decrypt_final, D_FINAL)
ATOMIC(kcfaes_spi_decrypt_atomic, D_ATOMIC)
INIT(kcfaes_spi_mac_init, M_INIT)
ON_TWO(kcfaes_spi_mac, M)
ON_ONE(kcfaes_spi_mac_update, M_UPDATE)
ON_ONE(kcfaes_spi_mac_final, M_FINAL)
ATOMIC(kcfaes_spi_mac_atomic, M_ATOMIC)
ATOMIC(kcfaes_spi_mac_verify_atomic, M_VERIFY)

void
kcfaes_spi_provider_status(crypto_provider_handle_t prov, uint_t *status)
{
	(void) prov;
	*status = CRYPTO_PROVIDER_READY;
}

int
kcfaes_spi_create_ctx_template(crypto_provider_handle_t prov,
    crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_spi_ctx_template_t *tmpl, size_t *size, crypto_req_handle_t req)
{
	(void) prov;
	(void) mech;
	(void) key;
	(void) tmpl;
	(void) size;
	(void) req;
	return (TEMPLATE);
}

int
kcfaes_spi_free_context(crypto_ctx_t *ctx)
{
	ctx->cc_provider_private = NULL;
	freed++;
	return (CRYPTO_SUCCESS);
}

/* Stand-ins for the rest: results to give, arguments received. */
#define	OPERATION_BYTES	888

static int selftests[KCFAES_TABLES] = { 1, 1, 0, 1 };
static uint32_t table_max;
static size_t hold_bytes, light_bytes;
static int gcm_stream = -1;

int
kcfaes_module_selftest(uint32_t table, struct kcfaes_module_fault *fault)
{
	fault->mode = "ctr";
	fault->key_bits = 192;
	return (selftests[table]);
}

const char *
kcfaes_module_table_name(uint32_t table)
{
	static const char *const names[KCFAES_TABLES] = { "slow", "fast",
	    "wide", "wider" };

	return (table < KCFAES_TABLES ? names[table] : NULL);
}

/* Two of these numbers have no mechanism. */
const char *
kcfaes_module_mechanism_name(uint32_t number)
{
	static const char *const names[KCFAES_MECHANISMS] = { "a", NULL, "c",
	    "d", NULL, "f", "g", "h" };

	return (number < KCFAES_MECHANISMS ? names[number] : NULL);
}

uint32_t
kcfaes_module_table(void)
{
	return (1);
}

void
kcfaes_module_set_table_max(uint32_t table)
{
	table_max = table;
}

size_t
kcfaes_module_set_hold_bytes(size_t bytes)
{
	hold_bytes = bytes < KCFAES_LEAST_HOLD ? KCFAES_LEAST_HOLD :
	    bytes > KCFAES_MOST_HOLD ? KCFAES_MOST_HOLD : bytes;
	return (hold_bytes);
}

void
kcfaes_module_set_light_bytes(size_t bytes)
{
	light_bytes = bytes;
}

void
kcfaes_module_set_gcm_stream(int on)
{
	gcm_stream = on;
}

size_t
kcfaes_module_operation_bytes(void)
{
	return (OPERATION_BYTES);
}

static void
test_slots(void)
{
	const uint32_t encrypt = CRYPTO_FG_ENCRYPT | CRYPTO_FG_ENCRYPT_ATOMIC;
	const uint32_t cipher = encrypt | CRYPTO_FG_DECRYPT |
	    CRYPTO_FG_DECRYPT_ATOMIC;
	const uint32_t mac = CRYPTO_FG_MAC | CRYPTO_FG_MAC_ATOMIC;
	const struct {
		char *name;
		uint64_t number;
		uint32_t groups;
	} want[] = {
		{ SUN_CKM_AES_ECB, 0, cipher }, { SUN_CKM_AES_CBC, 1, cipher },
		{ SUN_CKM_AES_CMAC, 7, encrypt | mac },
		{ SUN_CKM_AES_CTR, 3, cipher }, { SUN_CKM_AES_CCM, 4, cipher },
		{ SUN_CKM_AES_GCM, 5, cipher },
		{ SUN_CKM_AES_GMAC, 6, cipher | mac },
	};
	crypto_mechanism_t m = { 0, NULL, 0 };
	crypto_context_t ctx;
	crypto_ctx_template_t t;
	fk_mech_t k;
	size_t i;

	for (i = 0; i < sizeof (want) / sizeof (want[0]); i++) {
		CHECK_EQ(fk_kcf_mech(want[i].name, &k), 0);
		CHECK_EQ(k.provider_number, want[i].number);
		CHECK_EQ(k.groups, want[i].groups);
		CHECK_EQ(k.min_key, 16);
		CHECK_EQ(k.max_key, 32);
		CHECK_EQ(k.flags, CRYPTO_KEYSIZE_UNIT_IN_BYTES);
		CHECK(strncmp(k.provider, "kcfaes", 6) == 0);
		m.cm_type = crypto_mech2id(want[i].name);
		CHECK_EQ(crypto_encrypt(&m, NULL, NULL, NULL, NULL, NULL),
		    E_ATOMIC);
		CHECK_EQ(last_type, want[i].number);
	}

	/* The last one, GMAC, has all groups. */
	CHECK_EQ(crypto_decrypt(&m, NULL, NULL, NULL, NULL, NULL), D_ATOMIC);
	CHECK_EQ(crypto_mac(&m, NULL, NULL, NULL, NULL, NULL), M_ATOMIC);
	CHECK_EQ(crypto_mac_verify(&m, NULL, NULL, NULL, NULL, NULL),
	    M_VERIFY);
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL), E_INIT);
	CHECK_EQ(crypto_decrypt_init(&m, NULL, NULL, &ctx, NULL), D_INIT);
	CHECK_EQ(crypto_mac_init(&m, NULL, NULL, &ctx, NULL), M_INIT);
	CHECK_EQ(freed, 3);
	CHECK_EQ(crypto_create_ctx_template(&m, NULL, &t, KM_SLEEP),
	    TEMPLATE);
	/* Success with the code 0 cannot name a slot: QUEUED keeps it. */
	init_return = CRYPTO_QUEUED;
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	CHECK_EQ(crypto_encrypt_update(ctx, NULL, NULL, NULL), E_UPDATE);
	CHECK_EQ(crypto_decrypt_update(ctx, NULL, NULL, NULL), D_UPDATE);
	CHECK_EQ(crypto_mac_update(ctx, NULL, NULL), M_UPDATE);
	CHECK_EQ(crypto_encrypt_final(ctx, NULL, NULL), E_FINAL);
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	CHECK_EQ(crypto_decrypt_final(ctx, NULL, NULL), D_FINAL);
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	CHECK_EQ(crypto_mac_final(ctx, NULL, NULL), M_FINAL);
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	CHECK_EQ(crypto_encrypt_single(ctx, NULL, NULL, NULL), E);
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	CHECK_EQ(crypto_decrypt_single(ctx, NULL, NULL, NULL), D);
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	CHECK_EQ(crypto_mac_single(ctx, NULL, NULL, NULL), M);
	CHECK_EQ(fk_kcf_contexts(), 0);
	init_return = 0;
}

static void
unload(void *arg)
{
	*(int *)arg = fk_module_unload("aes", kcfaes_mod_fini);
}

static void
test_load(void)
{
	static xor_module_t stock;
	crypto_mechanism_t m = { 0, NULL, 0 };
	crypto_context_t ctx;
	struct modinfo info;
	fk_task_t *task;
	fk_mech_t k;
	int rv = -1, i;

	/* Handle 0 is a handle: unload and load again work with it. */
	CHECK_EQ(fk_module_load("aes", kcfaes_mod_init), 0);
	CHECK(kcfaes_mod_info(&info) != 0);
	CHECK(strcmp(info.mi_name, "aes") == 0);
	test_slots();
	CHECK_EQ(fk_module_unload("aes", kcfaes_mod_fini), 0);
	CHECK_EQ(fk_kcf_providers(), 0);
	CHECK_EQ(fk_module_load("kcfaes", kcfaes_mod_init), 0);
	CHECK_EQ(fk_kcf_mech(SUN_CKM_AES_GCM, &k), 0);
	CHECK(strcmp(k.module, "kcfaes") == 0);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_CLEAN();

	fk_mod_install_error(ENOMEM);
	CHECK_EQ(fk_module_load("aes", kcfaes_mod_init), ENOMEM);
	CHECK_EQ(fk_kcf_providers(), 0);

	/* Every mechanism taken or disabled: EACCES, a line, nothing left. */
	xor_module_make(&stock, "AES stand-in");
	for (i = 0; i < 6; i++) {
		static char *names[] = { SUN_CKM_AES_ECB, SUN_CKM_AES_CBC,
		    SUN_CKM_AES_CTR, SUN_CKM_AES_GCM, SUN_CKM_AES_CCM,
		    SUN_CKM_AES_CMAC };

		stock.mechs[i] = stock.mechs[0];
		bzero(stock.mechs[i].cm_mech_name, CRYPTO_MAX_MECH_NAME);
		bcopy(names[i], stock.mechs[i].cm_mech_name,
		    strlen(names[i]));
	}
	stock.info.pi_mech_list_count = 6;
	CHECK_EQ(xor_module_register(&stock, "aes"), 0);
	fk_policy_disable("kcfaes", SUN_CKM_AES_GMAC);
	fk_log_clear();
	CHECK_EQ(fk_module_load("kcfaes", kcfaes_mod_init), EACCES);
	CHECK_EQ(fk_log_find("\"AES stand-in\" will be used instead"), 6);
	CHECK_EQ(fk_log_find("WARNING: kcfaes: KCF refused the provider (0x5): "
	    "no mechanism is left for it"), 1);
	CHECK_EQ(fk_kcf_providers(), 1);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	fk_policy_clear();

	/* GMAC alone is free: it loads for that one. */
	CHECK_EQ(fk_module_load("kcfaes", kcfaes_mod_init), 0);
	CHECK_EQ(fk_kcf_mech(SUN_CKM_AES_GMAC, &k), 0);
	CHECK(strcmp(k.module, "kcfaes") == 0);
	CHECK_EQ(fk_kcf_mech(SUN_CKM_AES_GCM, &k), 0);
	CHECK(strcmp(k.module, "aes") == 0);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_EQ(xor_module_unregister(&stock), CRYPTO_SUCCESS);

	/* While one thread waits in _fini, another's gets EBUSY. */
	CHECK_EQ(fk_module_load("aes", kcfaes_mod_init), 0);
	m.cm_type = crypto_mech2id(SUN_CKM_AES_ECB);
	init_return = CRYPTO_QUEUED;
	CHECK_EQ(crypto_encrypt_init(&m, NULL, NULL, &ctx, NULL),
	    CRYPTO_QUEUED);
	init_return = 0;
	task = fk_task_start(unload, &rv);
	for (i = 0; i < 5000 && !fk_kcf_unregistering(); i++)
		fk_sleep_us(1000);
	CHECK_EQ(fk_module_unload("aes", kcfaes_mod_fini), EBUSY);
	CHECK(!fk_task_done(task));
	crypto_cancel_ctx(ctx);
	fk_task_join(task);
	CHECK_EQ(rv, 0);

	/* A refused mod_remove leaves it loaded, unregistered, unloadable. */
	CHECK_EQ(fk_module_load("aes", kcfaes_mod_init), 0);
	fk_mod_remove_error(EBUSY);
	CHECK_EQ(fk_module_unload("aes", kcfaes_mod_fini), EBUSY);
	CHECK_EQ(fk_kcf_providers(), 0);
	CHECK_EQ(fk_module_unload("aes", kcfaes_mod_fini), 0);
	CHECK_CLEAN();
}

static int
load_with(int portable, int fast)
{
	selftests[0] = portable;
	selftests[1] = fast;
	fk_log_clear();
	return (fk_module_load("kcfaes", kcfaes_mod_init));
}

static void
test_selftest(void)
{
	/* A wrong portable table: no registration, nothing left. */
	CHECK_EQ(load_with(-1, 1), EIO);
	CHECK_EQ(fk_log_find("WARNING: kcfaes: self-test: wrong answer in "
	    "ctr with a key of 192 bits: not loaded"), 1);
	CHECK_EQ(fk_log_count(), 1);
	CHECK_EQ(fk_kcf_providers(), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "selftest_ns"),
	    UINT64_MAX);

	/* A wrong faster table: it loads without. */
	CHECK_EQ(load_with(1, -1), 0);
	CHECK_EQ(fk_log_find("NOTICE: kcfaes: self-test: table fast gave a "
	    "wrong answer in ctr with a key of 192 bits: it is not used"), 1);
	CHECK_EQ(fk_log_count(), 1);
	CHECK_EQ(fk_kcf_providers(), 1);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);

	/* A CPU without the instructions: likewise, and another notice. */
	CHECK_EQ(load_with(1, 0), 0);
	CHECK_EQ(fk_log_find("NOTICE: kcfaes: this CPU lacks AES-NI or "
	    "PCLMULQDQ"), 1);
	CHECK_EQ(fk_log_count(), 1);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);

	CHECK_EQ(load_with(1, 1), 0);
	CHECK_EQ(fk_log_count(), 0);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

/* Only under the name on KCF's list does KCF itself keep a module. */
static void
test_stay_loaded(void)
{
	CHECK_EQ(fk_module_load("kcfaes", kcfaes_mod_init), 0);
	CHECK_EQ(fk_module_loadflags("kcfaes"), MOD_NOAUTOUNLOAD);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_EQ(fk_module_load("aes", kcfaes_mod_init), 0);
	CHECK_EQ(fk_module_loadflags("aes"), 0);
	CHECK_EQ(fk_module_unload("aes", kcfaes_mod_fini), 0);
	CHECK_CLEAN();
}

extern uint_t kcfaes_table_max, kcfaes_hold_bytes, kcfaes_light_bytes;
extern uint_t kcfaes_gcm_stream;

static void
tune(uint_t table, uint_t hold, uint_t stream)
{
	kcfaes_table_max = table;
	kcfaes_hold_bytes = hold;
	kcfaes_gcm_stream = stream;
	CHECK_EQ(load_with(1, 1), 0);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
}

static void
test_tunables(void)
{
	CHECK_EQ(kcfaes_table_max, KCFAES_TABLES);
	CHECK_EQ(kcfaes_hold_bytes, 32768);
	CHECK_EQ(kcfaes_light_bytes, KCFAES_LIGHT_BYTES);
	CHECK_EQ(kcfaes_gcm_stream, 1);

	kcfaes_light_bytes = 0;
	tune(0, 8192, 0);
	CHECK_EQ(light_bytes, 0);
	kcfaes_light_bytes = ~0u;
	CHECK_EQ(table_max, 0);
	CHECK_EQ(hold_bytes, 8192);
	CHECK_EQ(gcm_stream, 0);
	CHECK_EQ(fk_log_count(), 0);

	tune(KCFAES_TABLES + 1, 12, 2);
	CHECK_EQ(table_max, KCFAES_TABLES);
	CHECK_EQ(hold_bytes, 1024);
	CHECK_EQ(light_bytes, ~0u);
	kcfaes_light_bytes = KCFAES_LIGHT_BYTES;
	CHECK_EQ(gcm_stream, 1);
	CHECK_EQ(fk_log_find("WARNING: kcfaes: kcfaes_table_max is 5, now 4"),
	    1);
	CHECK_EQ(fk_log_find("WARNING: kcfaes: kcfaes_hold_bytes is 12, now "
	    "1024"), 1);
	CHECK_EQ(fk_log_find("WARNING: kcfaes: kcfaes_gcm_stream is 2, now "
	    "1"), 1);
	CHECK_EQ(fk_log_count(), 3);

	tune(~0u, ~0u, ~0u);
	CHECK_EQ(kcfaes_table_max, KCFAES_TABLES);
	CHECK_EQ(kcfaes_hold_bytes, 1048576);
	CHECK_EQ(kcfaes_gcm_stream, 1);
	CHECK_EQ(fk_log_count(), 3);

	tune(KCFAES_TABLES - 1, 32768, 1);
	CHECK_EQ(fk_log_count(), 0);
	CHECK_CLEAN();
}

static void
sum_names(void *arg, const char *name, uint64_t value, const char *text)
{
	(void) name;
	if (text == NULL)
		*(uint64_t *)arg += value;
}

static void
test_kstat(void)
{
	struct kcfaes_stats *mine, *all;
	uint64_t sum = 0;
	int i;

	CHECK(kcfaes_env_stats() == NULL);
	CHECK_EQ(load_with(1, 1), 0);
	mine = kcfaes_env_stats();
	CHECK(mine != NULL);
	CHECK_EQ((uintptr_t)mine % 64, 0);
	CHECK(fk_kstat_value("kcfaes", "stats", "selftest_ns") < 1000000000);
	CHECK(strcmp(fk_kstat_text("kcfaes", "stats", "table"), "fast") == 0);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "g_slow_ops"), 0);

	/* Every CPU's counters are added, of the hold the most is taken. */
	all = mine - CPU->cpu_seqid;
	for (i = 0; i < max_ncpus; i++) {
		all[i].operations[6][0] = 5;
		all[i].bytes[5][1] = 1000;
		all[i].failures[CRYPTO_INVALID_MAC] = 2;
		all[i].failures[CRYPTO_MECHANISM_INVALID + 1] = 0;
		all[i].failures[99] = 3;
		all[i].longest_hold = 100 + i;
	}
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "g_slow_ops"),
	    5 * max_ncpus);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "f_fast_bytes"),
	    1000 * max_ncpus);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "fail_invalid_mac"),
	    2 * max_ncpus);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "fail_other"),
	    3 * max_ncpus);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "longest_hold_ticks"),
	    99 + max_ncpus);
	CHECK_EQ(fk_kstat_read("kcfaes", "stats", sum_names, &sum), 0);
	CHECK_EQ(sum - fk_kstat_value("kcfaes", "stats", "selftest_ns"),
	    1010 * max_ncpus + 99 + max_ncpus);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_EQ(fk_kstat_value("kcfaes", "stats", "fail_other"), UINT64_MAX);

	/* No memory for a kstat: no kstat. */
	fk_kstat_create_fails(1);
	CHECK_EQ(load_with(1, 1), 0);
	fk_kstat_create_fails(0);
	CHECK_EQ(fk_log_find("NOTICE: kcfaes: no kstat kcfaes:0:stats"), 1);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

static void
test_features(void)
{
	static const struct {
		uint64_t fk;
		uint32_t bit;
	} map[] = {
		{ FK_F_AES, 1 }, { FK_F_PCLMULQDQ, 2 }, { FK_F_SSSE3, 4 },
		{ FK_F_SSE4_1, 8 }, { FK_F_AVX, 16 }, { FK_F_AVX2, 32 },
		{ FK_F_VAES, 64 }, { FK_F_VPCLMULQDQ, 128 },
		{ FK_F_AVX512F, 256 }, { FK_F_AVX512BW, 512 },
		{ FK_F_AVX512VL, 1024 }, { FK_F_BMI2, 2048 },
	};
	uint32_t all = 0;
	size_t i;

	for (i = 0; i < sizeof (map) / sizeof (map[0]); i++) {
		fk_set_features(map[i].fk);
		kcfaes_env_init();
		CHECK_EQ(kcfaes_env_features(),
		    fk_host_features() & map[i].fk ? map[i].bit : 0);
		all |= kcfaes_env_features();
	}
	fk_set_features(~0ull);
	CHECK_EQ(kcfaes_env_features(), fk_host_features() & FK_F_BMI2 ?
	    2048 : 0);
	kcfaes_env_init();
	CHECK_EQ(kcfaes_env_features(), all);
}

static void
test_memory(void)
{
	void *p;

	p = kcfaes_env_alloc(100, KM_SLEEP);
	kcfaes_env_free(p, 100);
	CHECK_EQ(kcfaes_env_kmflag(NULL), KM_SLEEP);
	CHECK_EQ(kcfaes_env_in_interrupt(), 0);

	/* Sleeping is a request of KCF's, not a fact: never in interrupts. */
	fk_set_interrupt(1);
	CHECK(kcfaes_env_in_interrupt() != 0);
	p = kcfaes_env_alloc(100, KM_SLEEP);
	CHECK(p != NULL);
	kcfaes_env_free(p, 100);
	fk_kmem_fail_nth(1);
	CHECK(kcfaes_env_alloc(100, KM_SLEEP) == NULL);
	fk_set_interrupt(0);
	fk_set_kfpu(1);
	CHECK(kcfaes_env_in_interrupt() != 0);
	fk_kmem_fail_nth(1);
	CHECK(kcfaes_env_alloc(100, KM_SLEEP) == NULL);
	fk_set_kfpu(0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);

	/* An operation comes from the cache, and goes back to it. */
	CHECK_EQ(fk_module_load("kcfaes", kcfaes_mod_init), 0);
	p = kcfaes_env_alloc(OPERATION_BYTES, KM_SLEEP);
	kmem_free(p, OPERATION_BYTES);
	CHECK_VIOLATIONS(FK_V_CACHE, 1);
	p = kcfaes_env_alloc(OPERATION_BYTES, KM_SLEEP);
	kcfaes_env_free(p, OPERATION_BYTES);
	p = kcfaes_env_alloc(OPERATION_BYTES + 16, KM_SLEEP);
	kmem_free(p, OPERATION_BYTES + 16);
	fk_set_interrupt(1);
	fk_kmem_fail_nth(1);
	CHECK(kcfaes_env_alloc(OPERATION_BYTES, KM_SLEEP) == NULL);
	fk_set_interrupt(0);
	CHECK_EQ(fk_module_unload("kcfaes", kcfaes_mod_fini), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

extern void fk_xmm_fill(uint64_t);
extern void fk_xmm_store(void *);

/* Takes and gives back the FPU around code that spoils xmm0-15. */
static void
spoil(struct kcfaes_hold *h, uint8_t (*before)[16], uint8_t (*after)[16])
{
	fk_xmm_fill(0x1122334455667788ull);
	fk_xmm_store(before);
	kcfaes_env_hold(h, 1);
	fk_xmm_fill(0xdeadbeefdeadbeefull);
	kcfaes_env_release(h);
	fk_xmm_store(after);
}

static void
test_holds(void)
{
	struct kcfaes_hold h __attribute__((aligned(16)));
	uint8_t before[16][16], after[16][16];
	uint8_t zero[16][16];
	fk_stats_t s;
	int ts;

	bzero(zero, sizeof (zero));
	CHECK_EQ(sizeof (h), 272);

	/* Process context: the kernel's own section, once. */
	fk_stats_thread_clear();
	kcfaes_env_hold(&h, 0);
	CHECK_EQ(fk_preempt_depth(), 1);
	CHECK(curthread->t_flag & T_KFPU);
	kcfaes_env_release(&h);
	CHECK_EQ(fk_preempt_depth(), 0);
	fk_stats_thread(&s);
	CHECK_EQ(s.holds, 1);
	CHECK_CLEAN();

	/* Process context, a light one, of threads with user state or none. */
	for (ts = 0; ts < 2; ts++) {
		fk_set_cr0_ts(ts);
		kcfaes_env_hold(&h, 1);
		CHECK_EQ(fk_preempt_depth(), 1);
		CHECK(curthread->t_flag & T_KFPU);
		CHECK(!fk_cr0_ts());
		kcfaes_env_release(&h);
		CHECK_EQ(fk_preempt_depth(), 0);
		CHECK(!(curthread->t_flag & T_KFPU));
		CHECK_EQ(fk_cr0_ts(), ts);
		spoil(&h, before, after);
		CHECK_EQ(memcmp(before, after, sizeof (before)), 0);
		CHECK_EQ(memcmp(h.xmm, zero, sizeof (zero)), 0);
	}
	fk_set_cr0_ts(0);
	CHECK_CLEAN();

	/* Interrupt, somebody's registers are live: they come back. */
	fk_set_interrupt(1);
	(void) memset(&h, 0, sizeof (h));
	spoil(&h, before, after);
	CHECK_EQ(memcmp(before, after, sizeof (before)), 0);
	CHECK_EQ(memcmp(h.xmm, zero, sizeof (zero)), 0);
	CHECK(!fk_cr0_ts());
	CHECK_EQ(fk_preempt_depth(), 0);

	/* Interrupt, TS set: a guest's come back as well, and TS. */
	fk_set_cr0_ts(1);
	kcfaes_env_hold(&h, 1);
	CHECK(!fk_cr0_ts());
	CHECK_EQ(fk_preempt_depth(), 1);
	fk_xmm_fill(0xdeadbeefdeadbeefull);
	kcfaes_env_release(&h);
	CHECK(fk_cr0_ts());
	(void) memset(&h, 0, sizeof (h));
	spoil(&h, before, after);
	CHECK_EQ(memcmp(before, after, sizeof (before)), 0);
	CHECK_EQ(memcmp(h.xmm, zero, sizeof (zero)), 0);
	CHECK(fk_cr0_ts());
	fk_set_cr0_ts(0);
	fk_set_interrupt(0);

	/* A thread in its own FPU section borrows too. */
	fk_set_kfpu(1);
	spoil(&h, before, after);
	CHECK_EQ(memcmp(before, after, sizeof (before)), 0);
	CHECK(curthread->t_flag & T_KFPU);
	fk_set_kfpu(0);

	/* An interrupt inside a borrowed hold borrows in turn. */
	fk_set_interrupt(1);
	fk_set_cr0_ts(1);
	{
		struct kcfaes_hold inner __attribute__((aligned(16)));

		kcfaes_env_hold(&h, 1);
		spoil(&inner, before, after);
		CHECK_EQ(memcmp(before, after, sizeof (before)), 0);
		CHECK(!fk_cr0_ts());
		kcfaes_env_release(&h);
	}
	CHECK(fk_cr0_ts());
	fk_set_cr0_ts(0);
	fk_set_interrupt(0);

	fk_stats_thread(&s);
	CHECK_EQ(s.holds, 1);
	CHECK_EQ(fk_preempt_depth(), 0);
	CHECK_CLEAN();
}

void
kmod_test(void)
{
	test_load();
	test_selftest();
	test_stay_loaded();
	test_tunables();
	test_kstat();
	test_features();
	test_memory();
	test_holds();
	CHECK_EQ(fk_kmem_live_blocks(), 0);
}
