/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Two functions that are right when compiled as kernel code.  Compiled
 * otherwise they show what the run would see: a compiler puts the locals of the
 * leaf into the red zone, and uses vector registers for the copy.
 */

#include "ring0.h"

#define	WORDS	8

/* Whether locals last through four interrupts. */
int
probe_locals_survive(const volatile uint64_t *now)
{
	volatile uint64_t local[WORDS];
	uint64_t begin = *now, i;
	int survived = 1;

	for (i = 0; i < WORDS; i++)
		local[i] = begin ^ i;
	while (*now - begin < 4)
		continue;
	for (i = 0; i < WORDS; i++)
		survived &= local[i] == (begin ^ i);
	return (survived);
}

struct words {
	uint64_t word[4];
};

static struct words from = { { 1, 2, 3, 4 } }, to;

int
probe_copy(void)
{
	struct words *volatile at = &to;

	*at = from;
	return (to.word[3] == from.word[3]);
}
