/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * The kstat kcfaes:0:stats has:
 *
 * - for each mechanism and table, the calls on data that succeeded and their
 *   input bytes;
 * - for each result, the calls that failed;
 * - the table in use;
 * - the time of the self-tests;
 * - the ticks of the longest FPU hold that ended because its budget was spent.
 *
 * Reading it adds up what each CPU has counted.  Nothing else ever does.
 */

#include <sys/types.h>
#include <sys/cmn_err.h>
#include <sys/errno.h>
#include <sys/kstat.h>
#include <sys/systm.h>
#include <sys/crypto/common.h>

#include "kcfaes_impl.h"
#include "kcfaes_module.h"

static const struct {
	const char	*name;
	uint_t		result;
} kcfaes_failures[] = {
	{ "fail_host_memory", CRYPTO_HOST_MEMORY },
	{ "fail_arguments_bad", CRYPTO_ARGUMENTS_BAD },
	{ "fail_data_len_range", CRYPTO_DATA_LEN_RANGE },
	{ "fail_encrypted_data_len_range", CRYPTO_ENCRYPTED_DATA_LEN_RANGE },
	{ "fail_key_size_range", CRYPTO_KEY_SIZE_RANGE },
	{ "fail_key_type_inconsistent", CRYPTO_KEY_TYPE_INCONSISTENT },
	{ "fail_mechanism_invalid", CRYPTO_MECHANISM_INVALID },
	{ "fail_mechanism_param_invalid", CRYPTO_MECHANISM_PARAM_INVALID },
	{ "fail_not_initialized", CRYPTO_OPERATION_NOT_INITIALIZED },
	{ "fail_buffer_too_small", CRYPTO_BUFFER_TOO_SMALL },
	{ "fail_invalid_mac", CRYPTO_INVALID_MAC },
};

#define	NFAILURES	(sizeof (kcfaes_failures) / sizeof (kcfaes_failures[0]))

static kstat_t *kcfaes_kstat;
static struct kcfaes_stats kcfaes_total;	/* by one reader at a time */

/* Values: table, time, hold; each pair of counters; each failure. */
static uint_t
kcfaes_kstat_count(void)
{
	uint_t number, counted = 0;

	for (number = 0; number < KCFAES_MECHANISMS; number++) {
		if (kcfaes_module_mechanism_name(number) != NULL)
			counted++;
	}
	return (3 + counted * KCFAES_TABLES * 2 + NFAILURES + 1);
}

static void
kcfaes_kstat_name(kstat_named_t *knp, const char *mechanism, uint_t table,
    const char *what)
{
	char name[KSTAT_STRLEN];

	(void) snprintf(name, sizeof (name), "%s_%s_%s",
	    mechanism, kcfaes_table_names[table], what);
	kstat_named_init(knp, name, KSTAT_DATA_UINT64);
}

static void
kcfaes_kstat_names(kstat_named_t *knp)
{
	const char *mechanism;
	uint_t i, number, table;

	kstat_named_init(knp++, "table", KSTAT_DATA_CHAR);
	kstat_named_init(knp++, "selftest_ns", KSTAT_DATA_UINT64);
	kstat_named_init(knp++, "longest_hold_ticks", KSTAT_DATA_UINT64);
	for (number = 0; number < KCFAES_MECHANISMS; number++) {
		mechanism = kcfaes_module_mechanism_name(number);
		if (mechanism == NULL)
			continue;
		for (table = 0; table < KCFAES_TABLES; table++) {
			kcfaes_kstat_name(knp++, mechanism, table, "ops");
			kcfaes_kstat_name(knp++, mechanism, table, "bytes");
		}
	}
	for (i = 0; i < NFAILURES; i++) {
		kstat_named_init(knp++, kcfaes_failures[i].name,
		    KSTAT_DATA_UINT64);
	}
	kstat_named_init(knp++, "fail_other", KSTAT_DATA_UINT64);
}

static int
kcfaes_kstat_update(kstat_t *ksp, int rw)
{
	struct kcfaes_stats *total = &kcfaes_total;
	kstat_named_t *knp = ksp->ks_data;
	uint64_t other = 0;
	uint_t i, number, table;

	if (rw == KSTAT_WRITE)
		return (EACCES);
	kcfaes_env_total(total);

	(void) snprintf(knp->value.c, sizeof (knp->value.c), "%s",
	    kcfaes_module_table_name(kcfaes_module_table()));
	knp++;
	(knp++)->value.ui64 = kcfaes_selftest_ns;
	(knp++)->value.ui64 = total->longest_hold;
	for (number = 0; number < KCFAES_MECHANISMS; number++) {
		if (kcfaes_module_mechanism_name(number) == NULL)
			continue;
		for (table = 0; table < KCFAES_TABLES; table++) {
			(knp++)->value.ui64 =
			    total->operations[number][table];
			(knp++)->value.ui64 = total->bytes[number][table];
		}
	}
	for (i = 0; i < KCFAES_RESULTS; i++)
		other += total->failures[i];
	for (i = 0; i < NFAILURES; i++) {
		(knp++)->value.ui64 =
		    total->failures[kcfaes_failures[i].result];
		other -= total->failures[kcfaes_failures[i].result];
	}
	(knp++)->value.ui64 = other;
	return (0);
}

void
kcfaes_kstat_create(void)
{
	kcfaes_kstat = kstat_create("kcfaes", 0, "stats", "crypto",
	    KSTAT_TYPE_NAMED, kcfaes_kstat_count(), 0);
	if (kcfaes_kstat == NULL) {
		cmn_err(CE_NOTE, "kcfaes: no kstat kcfaes:0:stats");
		return;
	}
	kcfaes_kstat->ks_update = kcfaes_kstat_update;
	kcfaes_kstat_names(kcfaes_kstat->ks_data);
	kstat_install(kcfaes_kstat);
}

void
kcfaes_kstat_destroy(void)
{
	if (kcfaes_kstat != NULL)
		kstat_delete(kcfaes_kstat);
	kcfaes_kstat = NULL;
}
