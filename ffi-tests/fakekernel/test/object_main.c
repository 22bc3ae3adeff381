/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Loads the modules, the very objects that were audited, into the userland
 * KCF: the provider is registered by its _init, the vector test runs all of
 * its table through KCF, and after _fini nothing may be left.  An argument is
 * the time of each measurement of speed, in milliseconds.
 */

#include <sys/errno.h>
#include <sys/types.h>

#include "fk_test.h"

extern int kcfaes_module_init(void), kcfaes_module_fini(void);
extern int kcfaes_test_module_init(void);
extern uint_t kcfaes_test_speed_ms;

static int
print(const char *what, int good)
{
	unsigned i;

	for (i = 0; fk_log_line(i) != NULL; i++)
		fk_printf("  %s\n", fk_log_line(i));
	for (i = 0; fk_violation_text(i) != NULL; i++)
		fk_printf("  violation: %s\n", fk_violation_text(i));
	fk_printf("%s: %s\n", what, good ? "passed" : "FAILED");
	fk_log_clear();
	fk_violations_clear();
	return (good ? 0 : 1);
}

static void
statistic(void *arg, const char *name, uint64_t value, const char *text)
{
	(void) arg;
	if (text != NULL)
		fk_printf("  %-32s %s\n", name, text);
	else if (value != 0)
		fk_printf("  %-32s %lu\n", name, (ulong_t)value);
}

int
main(int argc, char **argv)
{
	int error, failed = 0;
	const char *c;

	for (c = argc > 1 ? argv[1] : ""; *c >= '0' && *c <= '9'; c++) {
		kcfaes_test_speed_ms = kcfaes_test_speed_ms * 10 +
		    (uint_t)(*c - '0');
	}
	error = fk_module_load("kcfaes", kcfaes_module_init);
	failed += print("_init of kcfaes", error == 0 &&
	    fk_violations(FK_V_KINDS) == 0);
	if (error != 0)
		return (1);
	fk_bench_mode(kcfaes_test_speed_ms != 0);
	error = fk_module_load("kcfaes_test", kcfaes_test_module_init);
	fk_bench_mode(0);
	failed += print("kcfaes_test", error == ECANCELED &&
	    fk_violations(FK_V_KINDS) == 0);
	fk_printf("kstat kcfaes:0:stats, what is not 0:\n");
	failed += fk_kstat_read("kcfaes", "stats", statistic, NULL) != 0;
	error = fk_module_unload("kcfaes", kcfaes_module_fini);
	failed += print("_fini of kcfaes", error == 0 &&
	    fk_kmem_live_blocks() == 0);
	return (failed != 0);
}
