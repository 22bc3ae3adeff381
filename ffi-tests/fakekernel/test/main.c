/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Runs the tests of the fake kernel, of its KCF, and of the module's shim on
 * both; exit status 1 when a check failed.
 */

#include "check.h"

unsigned long check_passed, check_failed;

int
main(void)
{
	kernel_test();
	kcf_test();
	kmod_test();
	fk_printf("%lu passed, %lu failed\n", check_passed, check_failed);
	return (check_failed != 0);
}
