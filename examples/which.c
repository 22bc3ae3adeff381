/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prints the library's version, the tables of kernels that this CPU has, and tests them. */

#include <stdio.h>
#include <kcfaes.h>

int
main(void)
{
	static const char *const tables[] = { "portable", "aesni", "vaes256", "vaes512" };
	kcfaes_fault fault;
	kcfaes_rc rc;

	printf("libkcfaes  %s (header %s)\n", kcfaes_version(), KCFAES_VERSION);
	printf("table      %s\n", kcfaes_table_name());
	for (size_t i = 0; i < sizeof (tables) / sizeof (tables[0]); i++) {
		rc = kcfaes_table_force(tables[i]);
		printf("%-10s %s\n", tables[i], rc == KCFAES_OK ? "available" : kcfaes_strerror(rc));
	}
	(void) kcfaes_table_force(NULL);
	rc = kcfaes_selftest(&fault);
	if (rc == KCFAES_OK)
		printf("self-test  passed\n");
	else
		printf("self-test  FAILED: table %s, mode %s, %zu bits\n", fault.table, fault.mode,
		    fault.key_bits);
	return (rc == KCFAES_OK ? 0 : 1);
}
