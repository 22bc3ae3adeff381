/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * One counter of passed and one of failed checks; a failure names its line.
 */

#ifndef	_CHECK_H
#define	_CHECK_H

#include "fk_test.h"

extern unsigned long check_passed, check_failed;

#define	CHECK(ex)							\
	do {								\
		if (ex) {						\
			check_passed++;					\
		} else {						\
			check_failed++;					\
			fk_printf("%s:%d: failed: %s\n", __FILE__,	\
			    __LINE__, #ex);				\
		}							\
	} while (0)

#define	CHECK_EQ(a, b)							\
	do {								\
		long long check_a = (long long)(a);			\
		long long check_b = (long long)(b);			\
									\
		if (check_a == check_b) {				\
			check_passed++;					\
		} else {						\
			check_failed++;					\
			fk_printf("%s:%d: failed: %s is %ld, not %ld\n", \
			    __FILE__, __LINE__, #a, (long)check_a,	\
			    (long)check_b);				\
		}							\
	} while (0)

/* Exactly n violations of this kind since the last look, none of another. */
#define	CHECK_VIOLATIONS(kind, n)					\
	do {								\
		CHECK_EQ(fk_violations(kind), n);			\
		CHECK_EQ(fk_violations(FK_V_KINDS), n);			\
		fk_violations_clear();					\
	} while (0)
#define	CHECK_CLEAN()							\
	do {								\
		CHECK_EQ(fk_violations(FK_V_KINDS), 0);			\
		if (fk_violations(FK_V_KINDS) != 0)			\
			fk_printf("\t%s\n", fk_violation_text(0));	\
		fk_violations_clear();					\
	} while (0)

extern void kernel_test(void);
extern void kcf_test(void);
extern void kmod_test(void);

#endif	/* _CHECK_H */
