/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * kmem_alloc(9F) and kmem_cache_create(9F), over the ledger of fk_kmem.c.
 */

#ifndef	_SYS_KMEM_H
#define	_SYS_KMEM_H

#include <sys/types.h>

#define	KM_SLEEP	0x0000
#define	KM_NOSLEEP	0x0001

struct kmem_cache;
typedef struct kmem_cache kmem_cache_t;
struct vmem;
typedef struct vmem vmem_t;

extern void *kmem_alloc(size_t, int);
extern void *kmem_zalloc(size_t, int);
extern void kmem_free(void *, size_t);

extern kmem_cache_t *kmem_cache_create(char *, size_t, size_t,
    int (*)(void *, void *, int), void (*)(void *, void *),
    void (*)(void *), void *, vmem_t *, int);
extern void kmem_cache_destroy(kmem_cache_t *);
extern void *kmem_cache_alloc(kmem_cache_t *, int);
extern void kmem_cache_free(kmem_cache_t *, void *);

#endif	/* _SYS_KMEM_H */
