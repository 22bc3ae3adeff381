/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Prints the library's version, the tables of kernels that this CPU has, why it lacks the others or
 * does not choose them, and tests them.
 */

#include <stdio.h>
#include <kcfaes.h>

int
main(void)
{
	kcfaes_table tables[4];
	size_t count = kcfaes_cpu_features(tables, 4);
	kcfaes_fault fault;
	kcfaes_rc rc;

	printf("libkcfaes  %s (header %s)\n", kcfaes_version(), KCFAES_VERSION);
	printf("table      %s\n", kcfaes_table_name());
	for (size_t i = 0; i < count && i < 4; i++) {
		printf("%-10s %s\n", tables[i].name, tables[i].here ? "available" : "not here");
		if (tables[i].why_not != NULL)
			printf("%-10s %s\n", "", tables[i].why_not);
	}
	rc = kcfaes_selftest(&fault);
	if (rc == KCFAES_OK)
		printf("self-test  passed\n");
	else
		printf("self-test  FAILED: table %s, mode %s, %zu bits\n", fault.table, fault.mode,
		    fault.key_bits);
	return (rc == KCFAES_OK ? 0 : 1);
}
