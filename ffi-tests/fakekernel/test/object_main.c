/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Loads the modules, the very objects that were audited, into the userland
 * KCF, once for each table of kernels: the provider is registered by its
 * _init, the vector test runs all of its table through KCF, and after _fini
 * nothing may be left.  An argument is the time of each measurement of speed,
 * in milliseconds.
 *
 * Or it is a file of three words for each copy of a constant: its number, its
 * address and its size in bytes.  Turns over one bit of a copy, loads the
 * module, and puts it back, until a load has noticed.
 */

#include <sys/types.h>
#include <sys/errno.h>
#include <sys/cmn_err.h>

#include "fk_test.h"

extern int kcfaes_module_init(void), kcfaes_module_fini(void);
extern int kcfaes_test_module_init(void);
extern uint_t kcfaes_table_max, kcfaes_hold_bytes, kcfaes_light_bytes;
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

/* Of the host's C library. */
extern int mprotect(void *, size_t, int);
extern int open(const char *, int, ...);
extern ssize_t read(int, void *, size_t);
#define	PAGE	4096ul

/* Loads that went on with the wrong table, or left something behind. */
static uint64_t mishandled;

/*
 * Does a load say that an answer was wrong?  Then the table is not used, or
 * nothing is loaded.
 */
static int
noticed(void)
{
	int error = fk_module_load("kcfaes", kcfaes_module_init);
	int wrong = fk_log_find("kcfaes: self-test:") != 0;
	char line[64];

	if (error == 0) {
		(void) snprintf(line, sizeof (line), "table %s gave a wrong",
		    fk_kstat_text("kcfaes", "stats", "table"));
		mishandled += fk_log_find(line) != 0 ||
		    fk_log_find("not loaded") != 0;
		(void) fk_module_unload("kcfaes", kcfaes_module_fini);
	} else {
		mishandled += error != EIO || fk_log_find("not loaded") != 1;
	}
	mishandled += fk_kcf_providers() != 0 || fk_kmem_live_blocks() != 0;
	fk_log_clear();
	return (wrong);
}

static int
noticed_in(uint64_t at, uint64_t size)
{
	volatile uint8_t *byte = (volatile uint8_t *)at;
	uint64_t bit;
	int seen = 0;

	(void) mprotect((void *)(at & ~(PAGE - 1)), 2 * PAGE, 7);
	for (bit = 0; bit < 8 * size && !seen; bit++) {
		byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
		seen = noticed();
		byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	return (seen);
}

static int
plant(const char *path)
{
	uint64_t copy[3], constants = 0, missed = 0, at = 0;
	int fd = open(path, 0), seen = 1;

	while (read(fd, copy, sizeof (copy)) == sizeof (copy)) {
		if (copy[0] == constants) {
			if (!seen) {
				fk_printf("constant at %lx: a fault in it "
				    "was not noticed\n", at);
				missed++;
			}
			constants++;
			seen = 0;
		}
		at = copy[1];
		seen = seen || noticed_in(copy[1], copy[2]);
	}
	if (!seen || constants == 0 || noticed()) {
		fk_printf("no fault noticed, or one where none is\n");
		missed++;
	}
	fk_printf("self-tests: a one-bit fault planted in each of %lu "
	    "constants, %lu not noticed, %lu mishandled\n", constants, missed,
	    mishandled);
	return (missed != 0 || mishandled != 0);
}

/* The table that a call would use. */
static uint64_t
in_use(void)
{
	const char *name = fk_kstat_text("kcfaes", "stats", "table");
	uint64_t sum = 0;

	while (name != NULL && *name != '\0')
		sum = sum * 257 + (uchar_t)*name++;
	return (sum);
}

/*
 * From _init to _fini, with the vector test and no table above this one;
 * unless that is one which the CPU lacks, and the table in use is the last
 * one again.  Calls of up to so many bytes have light holds.
 */
static int
run(uint_t table, uint_t light)
{
	static uint64_t last, portable;
	int error, failed = 0;

	kcfaes_table_max = table;
	kcfaes_light_bytes = light;
	error = fk_module_load("kcfaes", kcfaes_module_init);
	failed += print("_init of kcfaes", error == 0 &&
	    fk_violations(FK_V_KINDS) == 0);
	if (error != 0)
		return (1);
	if (in_use() == last && light == 0) {
		fk_printf("NOT RUN: table %u: this CPU lacks it\n", table);
		return (fk_module_unload("kcfaes", kcfaes_module_fini) != 0);
	}
	last = in_use();
	if (table == 0)
		portable = last;
	fk_bench_mode(kcfaes_test_speed_ms != 0);
	error = fk_module_load("kcfaes_test", kcfaes_test_module_init);
	fk_bench_mode(0);
	failed += print("kcfaes_test", error == ECANCELED &&
	    fk_violations(FK_V_KINDS) == 0);
	fk_printf("kstat kcfaes:0:stats, what is not 0:\n");
	failed += fk_kstat_read("kcfaes", "stats", statistic, NULL) != 0;
	failed += print("longest hold measured, but in portable", (last ==
	    portable) == (fk_kstat_value("kcfaes", "stats",
	    "longest_hold_ticks") == 0));
	error = fk_module_unload("kcfaes", kcfaes_module_fini);
	failed += print("_fini of kcfaes", error == 0 &&
	    fk_kmem_live_blocks() == 0);
	return (failed);
}

int
main(int argc, char **argv)
{
	uint_t best, table = 0, light = kcfaes_light_bytes;
	int failed = 0;
	const char *c;

	if (argc > 1 && argv[1][0] == '/')
		return (plant(argv[1]));
	for (c = argc > 1 ? argv[1] : ""; *c >= '0' && *c <= '9'; c++) {
		kcfaes_test_speed_ms = kcfaes_test_speed_ms * 10 +
		    (uint_t)(*c - '0');
	}
	for (best = kcfaes_table_max; table < best; table++)
		failed += run(table, 0);
	failed += run(best, light);
	return (failed != 0);
}
