/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * kmem_alloc(9F) and kmem_cache over a ledger.  Every live block is on a list,
 * has its size and a canary on each side, and is checked when it is freed.
 * This is always on, as kmem_flags=0xf would be.  New memory is 0xbaddcafe,
 * freed memory 0xdeadbeef.  Freed memory is checked before it is used again.
 * Blocks are aligned as kmem_alloc promises and no better (8 mod 16), so that
 * code which presumes more fails here first.
 */

#include <sys/kmem.h>
#include <sys/cmn_err.h>

#include "fk_impl.h"

#define	LIVE	0x6c69766562656566ull
#define	DEAD	0x6465616462656566ull
#define	FAST	0x6661737462656566ull	/* bench mode, on no list */
#define	FRESH	0xbaddcafeu	/* words of a new block */
#define	POISON	0xdeadbeefu	/* words of a freed block */
#define	EDGE	0xfeedfaceu	/* words around a block */
#define	TAIL	32
#define	KEPT	64

typedef struct block {
	uint64_t	b_magic;
	size_t		b_size;
	struct block	*b_prev;
	struct block	*b_next;
	kmem_cache_t	*b_cache;
	void		*b_base;
	uint64_t	b_edge;
} block_t;

_Static_assert(sizeof (block_t) % 16 == 8, "blocks are 8 mod 16 aligned");

struct kmem_cache {
	char	c_name[32];
	size_t	c_size;
	size_t	c_align;
	int	(*c_ctor)(void *, void *, int);
	void	(*c_dtor)(void *, void *);
	void	*c_arg;
	uint64_t c_live;
};

static fk_port_mutex_t lock;
static block_t *live;
static uint64_t live_blocks, live_bytes;
static block_t *kept[KEPT];
static unsigned kept_next, kept_max = KEPT;
static fk_on_free_t on_free;
static void *on_free_arg;

fk_stats_t fk_totals;

static uint8_t *
payload(block_t *b)
{
	return ((uint8_t *)(b + 1));
}

static void
fill(void *at, uint32_t word, size_t size)
{
	uint8_t *to = at;
	size_t i;

	for (i = 0; i + sizeof (word) <= size; i += sizeof (word))
		__builtin_memcpy(to + i, &word, sizeof (word));
	if (i < size)
		(void) memcpy(to + i, &word, size - i);
}

/* Is this the pattern that fill() wrote? */
static int
filled(const void *at, uint32_t word, size_t size)
{
	const uint8_t *from = at;
	size_t i;

	for (i = 0; i + sizeof (word) <= size; i += sizeof (word)) {
		if (__builtin_memcmp(from + i, &word, sizeof (word)) != 0)
			return (0);
	}
	return (i == size || memcmp(from + i, &word, size - i) == 0);
}

static int
edges_intact(block_t *b)
{
	return (filled(&b->b_edge, EDGE, sizeof (b->b_edge)) &&
	    filled(payload(b) + b->b_size, EDGE, TAIL));
}

static void *
fast_alloc(size_t size, size_t align, kmem_cache_t *cache)
{
	uint8_t *base = fk_port_alloc(size + sizeof (block_t) + align);
	uintptr_t at = (uintptr_t)base + sizeof (block_t);
	block_t *b;

	if (base == NULL)
		panic("fakekernel: out of memory for %lu bytes", (ulong_t)size);
	if (align > 8)
		at = (at + align - 1) & ~(uintptr_t)(align - 1);
	b = (block_t *)at - 1;
	b->b_magic = FAST;
	b->b_size = size;
	b->b_cache = cache;
	b->b_base = base;
	return (payload(b));
}

/* Nonzero if injection makes this request fail. */
static int
injected(fk_thread_t *t)
{
	if (t->ft_fail_all)
		return (1);
	return (t->ft_fail_nth != 0 && --t->ft_fail_nth == 0);
}

static void *
block_alloc(size_t size, size_t align, int kmflag, kmem_cache_t *cache)
{
	fk_thread_t *t = fk_self();
	uintptr_t at;
	uint8_t *base;
	block_t *b;

	if (fk_bench)
		return (fast_alloc(size, align, cache));
	if (kmflag & KM_NOSLEEP) {
		FK_COUNT(nosleep_allocs, 1);
	} else if (t->ft_interrupt || t->ft_kthread.t_preempt > 0) {
		fk_violation(FK_V_SLEEP, "KM_SLEEP of %lu bytes %s",
		    (ulong_t)size, t->ft_interrupt ?
		    "in an interrupt" : "with preemption off");
	}
	if (t->ft_in_hold || t->ft_kthread.t_preempt > 0) {
		fk_violation(FK_V_ALLOC_IN_HOLD,
		    "allocation of %lu bytes inside a hold", (ulong_t)size);
	}
	if ((kmflag & KM_NOSLEEP) && injected(t)) {
		FK_COUNT(failed_allocs, 1);
		return (NULL);
	}

	base = NULL;
	if (size < SIZE_MAX - sizeof (*b) - TAIL - align)
		base = fk_port_alloc(size + sizeof (*b) + TAIL + align);
	if (base == NULL) {
		if (!(kmflag & KM_NOSLEEP)) {
			panic("fakekernel: out of memory for %lu bytes",
			    (ulong_t)size);
		}
		FK_COUNT(failed_allocs, 1);
		return (NULL);
	}
	at = (uintptr_t)base + sizeof (*b);
	if (align > 8)
		at = (at + align - 1) & ~(uintptr_t)(align - 1);
	b = (block_t *)at - 1;
	b->b_magic = LIVE;
	b->b_size = size;
	b->b_cache = cache;
	b->b_base = base;
	fill(&b->b_edge, EDGE, sizeof (b->b_edge));
	fill(payload(b), FRESH, size);
	fill(payload(b) + size, EDGE, TAIL);

	fk_port_lock(&lock);
	b->b_prev = NULL;
	b->b_next = live;
	if (live != NULL)
		live->b_prev = b;
	live = b;
	live_blocks++;
	live_bytes += size;
	if (cache != NULL)
		cache->c_live++;
	fk_port_unlock(&lock);

	FK_COUNT(allocs, 1);
	FK_COUNT(alloc_bytes, size);
	t->ft_sizes[t->ft_nsizes++ % FK_SIZES] = (uint32_t)size;
	return (payload(b));
}

static void
evict(block_t *b)
{
	if (!filled(payload(b), POISON, b->b_size)) {
		fk_violation(FK_V_USE_AFTER_FREE,
		    "write to a freed block of %lu bytes", (ulong_t)b->b_size);
	}
	fk_port_free(b->b_base);
}

static void
block_free(void *ptr, size_t size, kmem_cache_t *cache)
{
	fk_thread_t *t = fk_self();
	block_t *b = (block_t *)((uintptr_t)ptr - sizeof (*b)), *old = NULL;
	block_t *scan;

	if (fk_bench && b->b_magic == FAST && b->b_size == size &&
	    b->b_cache == cache) {
		fk_port_free(b->b_base);
		return;
	}
	if (t->ft_in_hold || t->ft_kthread.t_preempt > 0) {
		fk_violation(FK_V_ALLOC_IN_HOLD,
		    "free of %lu bytes inside a hold", (ulong_t)size);
	}

	/* A wild pointer has no header to read: search the list. */
	fk_port_lock(&lock);
	for (scan = live; scan != NULL && scan != b; )
		scan = scan->b_next;
	b = scan;
	if (b == NULL || b->b_magic != LIVE) {
		fk_port_unlock(&lock);
		fk_violation(FK_V_FREE_BAD, "free of %p, size %lu: not live",
		    ptr, (ulong_t)size);
		return;
	}
	if (b->b_prev != NULL)
		b->b_prev->b_next = b->b_next;
	else
		live = b->b_next;
	if (b->b_next != NULL)
		b->b_next->b_prev = b->b_prev;
	live_blocks--;
	live_bytes -= b->b_size;
	if (b->b_cache != NULL)
		b->b_cache->c_live--;
	fk_port_unlock(&lock);

	if (b->b_size != size) {
		fk_violation(FK_V_FREE_SIZE, "free of %lu bytes as %lu",
		    (ulong_t)b->b_size, (ulong_t)size);
	}
	if (b->b_cache != cache) {
		fk_violation(FK_V_CACHE, "free of %p to the wrong cache", ptr);
	}
	if (!edges_intact(b)) {
		fk_violation(FK_V_OVERRUN, "bytes around a block of %lu "
		    "bytes have changed", (ulong_t)b->b_size);
	}
	FK_COUNT(frees, 1);
	FK_COUNT(free_bytes, b->b_size);

	if (on_free != NULL)
		on_free(on_free_arg, ptr, b->b_size);
	b->b_magic = DEAD;
	fill(ptr, POISON, b->b_size);

	if (kept_max != 0) {
		fk_port_lock(&lock);
		old = kept[kept_next];
		kept[kept_next] = b;
		kept_next = (kept_next + 1) % kept_max;
		fk_port_unlock(&lock);
		b = old;
	}
	if (b == old && old != NULL)
		evict(old);
	else if (b != NULL)
		fk_port_free(b->b_base);
}

void *
kmem_alloc(size_t size, int kmflag)
{
	if (size == 0) {
		fk_violation(FK_V_ZERO, "kmem_alloc of 0 bytes");
		return (NULL);
	}
	return (block_alloc(size, 8, kmflag, NULL));
}

void *
kmem_zalloc(size_t size, int kmflag)
{
	void *ptr = kmem_alloc(size, kmflag);

	if (ptr != NULL)
		bzero(ptr, size);
	return (ptr);
}

void
kmem_free(void *ptr, size_t size)
{
	if (size == 0) {
		fk_violation(FK_V_ZERO, "kmem_free of %p, 0 bytes", ptr);
		return;
	}
	block_free(ptr, size, NULL);
}

kmem_cache_t *
kmem_cache_create(char *name, size_t size, size_t align,
    int (*ctor)(void *, void *, int), void (*dtor)(void *, void *),
    void (*reclaim)(void *), void *arg, struct vmem *vmp, int cflags)
{
	kmem_cache_t *c = fk_port_alloc(sizeof (*c));
	size_t i;

	(void) reclaim;
	(void) vmp;
	(void) cflags;
	if (c == NULL)
		panic("fakekernel: out of memory for a cache");
	bzero(c, sizeof (*c));
	for (i = 0; i + 1 < sizeof (c->c_name) && name[i] != '\0'; i++)
		c->c_name[i] = name[i];
	c->c_size = size;
	c->c_align = align == 0 ? 8 : align;
	c->c_ctor = ctor;
	c->c_dtor = dtor;
	c->c_arg = arg;
	return (c);
}

void
kmem_cache_destroy(kmem_cache_t *c)
{
	if (c->c_live != 0) {
		fk_violation(FK_V_CACHE, "cache %s destroyed with %lu live",
		    c->c_name, (ulong_t)c->c_live);
	}
	fk_port_free(c);
}

/*
 * The constructor runs at every allocation.  A client that relies on data from
 * an earlier use of the object reads constructed bytes instead.
 */
void *
kmem_cache_alloc(kmem_cache_t *c, int kmflag)
{
	void *ptr = block_alloc(c->c_size, c->c_align, kmflag, c);

	if (ptr != NULL && c->c_ctor != NULL &&
	    c->c_ctor(ptr, c->c_arg, kmflag) != 0) {
		block_free(ptr, c->c_size, c);
		return (NULL);
	}
	return (ptr);
}

void
kmem_cache_free(kmem_cache_t *c, void *ptr)
{
	if (c->c_dtor != NULL)
		c->c_dtor(ptr, c->c_arg);
	block_free(ptr, c->c_size, c);
}

uint64_t
fk_kmem_live_blocks(void)
{
	uint64_t n;

	fk_port_lock(&lock);
	n = live_blocks;
	fk_port_unlock(&lock);
	return (n);
}

uint64_t
fk_kmem_live_bytes(void)
{
	uint64_t n;

	fk_port_lock(&lock);
	n = live_bytes;
	fk_port_unlock(&lock);
	return (n);
}

unsigned
fk_kmem_check(void)
{
	unsigned bad = 0;
	block_t *b;

	fk_port_lock(&lock);
	for (b = live; b != NULL; b = b->b_next)
		bad += !edges_intact(b);
	fk_port_unlock(&lock);
	return (bad);
}

unsigned
fk_kmem_print_live(void)
{
	unsigned n = 0;
	block_t *b;

	fk_port_lock(&lock);
	for (b = live; b != NULL; b = b->b_next, n++) {
		fk_printf("live block %p: %lu bytes%s%s\n", payload(b),
		    (ulong_t)b->b_size, b->b_cache ? ", cache " : "",
		    b->b_cache ? b->b_cache->c_name : "");
	}
	fk_port_unlock(&lock);
	return (n);
}

unsigned
fk_kmem_sizes(size_t *sizes, unsigned max)
{
	fk_thread_t *t = fk_self();
	unsigned n = t->ft_nsizes < FK_SIZES ? t->ft_nsizes : FK_SIZES;
	unsigned i;

	if (n > max)
		n = max;
	for (i = 0; i < n; i++)
		sizes[i] = t->ft_sizes[(t->ft_nsizes - n + i) % FK_SIZES];
	return (n);
}

void
fk_kmem_sizes_clear(void)
{
	fk_self()->ft_nsizes = 0;
}

void
fk_kmem_fail_nth(uint64_t n)
{
	fk_self()->ft_fail_nth = n;
}

void
fk_kmem_fail_all(int on)
{
	fk_self()->ft_fail_all = on;
}

void
fk_kmem_on_free(fk_on_free_t func, void *arg)
{
	on_free = NULL;
	on_free_arg = arg;
	on_free = func;
}

void
fk_kmem_quarantine(unsigned blocks)
{
	block_t *old[KEPT];
	unsigned i;

	fk_port_lock(&lock);
	for (i = 0; i < KEPT; i++) {
		old[i] = kept[i];
		kept[i] = NULL;
	}
	kept_next = 0;
	kept_max = blocks < KEPT ? blocks : KEPT;
	fk_port_unlock(&lock);
	for (i = 0; i < KEPT; i++) {
		if (old[i] != NULL)
			evict(old[i]);
	}
}
