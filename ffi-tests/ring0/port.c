/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * fakekernel's port to ring 0: one processor, no threads, locks that turn
 * interrupts off, its own heap, and the memory functions.
 *
 * To the fake kernel an interrupt is a thread of its own, as on illumos.  So
 * the thread that it pins does not see what it does to preemption or T_KFPU.
 */

#include "fk_port.h"
#include "fk_test.h"
#include "ring0.h"

#define	HEAP		(16 * 1024 * 1024)
#define	CLASSES		32	/* powers of two */
#define	HEADER		16

static uint8_t heap[HEAP] __attribute__((aligned(HEADER)));
static size_t heap_used;
static void *free_list[CLASSES];

static uint8_t selves[LEVELS][FK_PORT_SELF_BYTES]
    __attribute__((aligned(16)));

static unsigned locks;		/* held now */
static int locks_on;		/* were on before the first */

void
fk_port_lock(fk_port_mutex_t *m)
{
	int on = interrupts_are_on();

	interrupts_off();
	/* Nobody could release it while we wait. */
	if (m->opaque[0] != 0)
		fk_port_abort();
	m->opaque[0] = 1;
	if (locks++ == 0)
		locks_on = on;
}

void
fk_port_unlock(fk_port_mutex_t *m)
{
	m->opaque[0] = 0;
	if (--locks == 0 && locks_on)
		interrupts_on();
}

void
fk_port_wait(fk_port_cond_t *c, fk_port_mutex_t *m)
{
	(void) c;
	(void) m;
	fk_port_abort();
}

void
fk_port_wake_all(fk_port_cond_t *c)
{
	(void) c;
}

int
fk_port_spawn(void (*func)(void *), void *arg)
{
	(void) func;
	(void) arg;
	return (1);
}

/* Blocks of 2^n bytes.  Each class has its own list of free blocks. */
void *
fk_port_alloc(size_t size)
{
	int on = interrupts_are_on();
	size_t class = 5;
	uint8_t *at = NULL;

	if (size > HEAP - HEADER)
		return (NULL);
	while (((size_t)1 << class) < size + HEADER)
		class++;
	interrupts_off();
	if (free_list[class] != NULL) {
		at = free_list[class];
		free_list[class] = *(void **)(at + HEADER);
	} else if (heap_used + ((size_t)1 << class) <= HEAP) {
		at = heap + heap_used;
		heap_used += (size_t)1 << class;
		*(size_t *)at = class;
	}
	if (on)
		interrupts_on();
	return (at == NULL ? NULL : at + HEADER);
}

void
fk_port_free(void *ptr)
{
	int on = interrupts_are_on();
	uint8_t *at = (uint8_t *)ptr - HEADER;

	if (ptr == NULL)
		return;
	interrupts_off();
	*(void **)ptr = free_list[*(size_t *)at];
	free_list[*(size_t *)at] = at;
	if (on)
		interrupts_on();
}

void
fk_port_write(const char *text, size_t len)
{
	int on = interrupts_are_on();

	interrupts_off();
	console_write(text, len);
	if (on)
		interrupts_on();
}

void
fk_port_abort(void)
{
	interrupts_off();
	fk_printf("ring 0: the fake kernel gave up, level %u\n", level);
	machine_exit(0);
}

void *
fk_port_self(void)
{
	return (selves[level]);
}

/* Counts cycles as if the processor ran at 1 GHz. */
uint64_t
fk_port_now_ns(void)
{
	return (cycles());
}

void
fk_port_sleep_ns(uint64_t ns)
{
	uint64_t begin = cycles();

	while (cycles() - begin < ns)
		continue;
}

unsigned
fk_port_cpu(void)
{
	return (0);
}

unsigned
fk_port_ncpus(void)
{
	return (1);
}

void *
memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *at = to;

	if (!fk_address("memcpy", to) || !fk_address("memcpy", from))
		return (to);
	__asm__ volatile("rep movsb" : "+D" (at), "+S" (from), "+c" (n) : :
	    "memory");
	return (to);
}

void *
memmove(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;

	if (!fk_address("memmove", to) || !fk_address("memmove", from))
		return (to);
	if (d <= s || d >= s + n)
		return (memcpy(to, from, n));
	while (n-- > 0)
		d[n] = s[n];
	return (to);
}

void *
memset(void *to, int byte, size_t n)
{
	void *at = to;

	if (!fk_address("memset", to))
		return (to);
	__asm__ volatile("rep stosb" : "+D" (at), "+c" (n) : "a" (byte) :
	    "memory");
	return (to);
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return (*x < *y ? -1 : 1);
	}
	return (0);
}

void
bcopy(const void *from, void *to, size_t n)
{
	(void) memmove(to, from, n);
}

void
bzero(void *to, size_t n)
{
	(void) memset(to, 0, n);
}

int
bcmp(const void *a, const void *b, size_t n)
{
	return (memcmp(a, b, n));
}

size_t
strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return (n);
}

int
strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return ((uint8_t)*a - (uint8_t)*b);
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0 && *a != '\0' && *a == *b; n--) {
		a++;
		b++;
	}
	return (n == 0 ? 0 : (uint8_t)*a - (uint8_t)*b);
}
