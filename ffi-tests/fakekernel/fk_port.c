/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The userland port: C library and POSIX threads.  It is the only hosted source
 * of fakekernel.  It must not see the include directory of the fake sys
 * headers.
 */

#define	_GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "fk_port.h"

_Static_assert(sizeof (pthread_mutex_t) <=
    offsetof(fk_port_mutex_t, opaque[7]), "mutex");
_Static_assert(sizeof (pthread_cond_t) <= sizeof (fk_port_cond_t), "cond");

static __thread _Alignas(16) unsigned char self[FK_PORT_SELF_BYTES];

struct start {
	void (*func)(void *);
	void *arg;
};

void *
fk_port_alloc(size_t size)
{
	return (malloc(size));
}

void
fk_port_free(void *ptr)
{
	free(ptr);
}

void
fk_port_write(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

void
fk_port_abort(void)
{
	abort();
}

void *
fk_port_self(void)
{
	return (self);
}

/* In glibc and musl PTHREAD_*_INITIALIZER is all zero bytes. */
void
fk_port_lock(fk_port_mutex_t *m)
{
	(void) pthread_mutex_lock((pthread_mutex_t *)(void *)m);
}

void
fk_port_unlock(fk_port_mutex_t *m)
{
	(void) pthread_mutex_unlock((pthread_mutex_t *)(void *)m);
}

void
fk_port_wait(fk_port_cond_t *c, fk_port_mutex_t *m)
{
	(void) pthread_cond_wait((pthread_cond_t *)(void *)c,
	    (pthread_mutex_t *)(void *)m);
}

void
fk_port_wake_all(fk_port_cond_t *c)
{
	(void) pthread_cond_broadcast((pthread_cond_t *)(void *)c);
}

static void *
run(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	s.func(s.arg);
	return (NULL);
}

int
fk_port_spawn(void (*func)(void *), void *arg)
{
	struct start *s = malloc(sizeof (*s));
	pthread_t tid;

	if (s == NULL)
		return (1);
	s->func = func;
	s->arg = arg;
	if (pthread_create(&tid, NULL, run, s) != 0) {
		free(s);
		return (1);
	}
	(void) pthread_detach(tid);
	return (0);
}

uint64_t
fk_port_now_ns(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

void
fk_port_sleep_ns(uint64_t ns)
{
	struct timespec ts;

	ts.tv_sec = (time_t)(ns / 1000000000);
	ts.tv_nsec = (long)(ns % 1000000000);
	(void) nanosleep(&ts, NULL);
}

unsigned
fk_port_cpu(void)
{
	int cpu = sched_getcpu();

	return (cpu < 0 ? 0 : (unsigned)cpu);
}

unsigned
fk_port_ncpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return (n < 1 ? 1 : (unsigned)n);
}

void *
fk_memcpy(void *to, const void *from, size_t n)
{
	if (fk_address("memcpy", to) && fk_address("memcpy", from))
		(void) memcpy(to, from, n);
	return (to);
}

void *
fk_memmove(void *to, const void *from, size_t n)
{
	if (fk_address("memmove", to) && fk_address("memmove", from))
		(void) memmove(to, from, n);
	return (to);
}

void *
fk_memset(void *to, int byte, size_t n)
{
	if (fk_address("memset", to))
		(void) memset(to, byte, n);
	return (to);
}

void
fk_bcopy(const void *from, void *to, size_t n)
{
	if (fk_address("bcopy", from) && fk_address("bcopy", to))
		bcopy(from, to, n);
}

void
fk_bzero(void *to, size_t n)
{
	if (fk_address("bzero", to))
		bzero(to, n);
}
