/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Named kstats (kstat_create(9F)) on a list.  Tests read them as kstat(8) does:
 * the owner's update function runs first, then the values are read.
 */

#include <sys/cmn_err.h>
#include <sys/errno.h>
#include <sys/kmem.h>
#include <sys/kstat.h>
#include <sys/time.h>

#include "fk_impl.h"

typedef struct entry {
	kstat_t		e_kstat;	/* first: the module has this */
	struct entry	*e_next;
	int		e_installed;
	size_t		e_bytes;	/* data that is not virtual */
} entry_t;

static fk_port_mutex_t lock;
static entry_t *entries;
static int create_fails;

static void
name_copy(char *to, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < KSTAT_STRLEN && from[i] != '\0'; i++)
		to[i] = from[i];
	to[i] = '\0';
}

kstat_t *
kstat_create(const char *module, int instance, const char *name,
    const char *class, uchar_t type, uint_t ndata, uchar_t flags)
{
	entry_t *e;

	if (create_fails || type != KSTAT_TYPE_NAMED)
		return (NULL);
	e = kmem_zalloc(sizeof (*e), KM_SLEEP);
	name_copy(e->e_kstat.ks_module, module);
	e->e_kstat.ks_instance = instance;
	name_copy(e->e_kstat.ks_name, name);
	name_copy(e->e_kstat.ks_class, class);
	e->e_kstat.ks_type = type;
	e->e_kstat.ks_flags = flags;
	e->e_kstat.ks_ndata = ndata;
	e->e_kstat.ks_crtime = gethrtime();
	e->e_kstat.ks_data_size = ndata * sizeof (kstat_named_t);
	if (!(flags & KSTAT_FLAG_VIRTUAL)) {
		e->e_bytes = e->e_kstat.ks_data_size;
		e->e_kstat.ks_data = kmem_zalloc(e->e_bytes, KM_SLEEP);
	}
	fk_port_lock(&lock);
	e->e_next = entries;
	entries = e;
	fk_port_unlock(&lock);
	return (&e->e_kstat);
}

void
kstat_install(kstat_t *ksp)
{
	((entry_t *)ksp)->e_installed = 1;
}

void
kstat_delete(kstat_t *ksp)
{
	entry_t *e = (entry_t *)ksp, **at;

	fk_port_lock(&lock);
	for (at = &entries; *at != NULL && *at != e; )
		at = &(*at)->e_next;
	if (*at == NULL) {
		fk_port_unlock(&lock);
		fk_violation(FK_V_MODULE, "kstat_delete of no kstat");
		return;
	}
	*at = e->e_next;
	fk_port_unlock(&lock);
	if (e->e_bytes != 0)
		kmem_free(ksp->ks_data, e->e_bytes);
	kmem_free(e, sizeof (*e));
}

void
kstat_named_init(kstat_named_t *knp, const char *name, uchar_t type)
{
	bzero(knp, sizeof (*knp));
	name_copy(knp->name, name);
	if (strcmp(knp->name, name) != 0) {
		fk_violation(FK_V_MODULE,
		    "kstat name %s has more than %d characters", name,
		    KSTAT_STRLEN - 1);
	}
	knp->data_type = type;
}

static entry_t *
find(const char *module, const char *name)
{
	entry_t *e;

	for (e = entries; e != NULL; e = e->e_next) {
		if (e->e_installed &&
		    strcmp(e->e_kstat.ks_module, module) == 0 &&
		    strcmp(e->e_kstat.ks_name, name) == 0)
			return (e);
	}
	return (NULL);
}

int
fk_kstat_read(const char *module, const char *name, fk_kstat_func_t func,
    void *arg)
{
	kstat_named_t *knp;
	kstat_t *ksp;
	fk_state_t before;
	entry_t *e;
	int error;
	uint_t i;

	fk_port_lock(&lock);
	e = find(module, name);
	fk_port_unlock(&lock);
	if (e == NULL)
		return (ENOENT);
	ksp = &e->e_kstat;
	fk_state(&before);
	error = ksp->ks_update == NULL ? 0 : ksp->ks_update(ksp, KSTAT_READ);
	fk_state_check(&before, "ks_update");
	if (error != 0)
		return (error);
	for (i = 0, knp = ksp->ks_data; i < ksp->ks_ndata; i++, knp++) {
		if (knp->data_type == KSTAT_DATA_CHAR)
			func(arg, knp->name, 0, knp->value.c);
		else
			func(arg, knp->name, knp->value.ui64, NULL);
	}
	return (0);
}

typedef struct wanted {
	const char	*w_name;
	uint64_t	w_value;
	const char	*w_text;
	int		w_found;
} wanted_t;

static void
look(void *arg, const char *name, uint64_t value, const char *text)
{
	wanted_t *w = arg;

	if (strcmp(w->w_name, name) == 0) {
		w->w_value = value;
		w->w_text = text;
		w->w_found = 1;
	}
}

uint64_t
fk_kstat_value(const char *module, const char *name, const char *statistic)
{
	wanted_t w = { statistic, 0, NULL, 0 };

	if (fk_kstat_read(module, name, look, &w) != 0 || !w.w_found)
		return (UINT64_MAX);
	return (w.w_value);
}

const char *
fk_kstat_text(const char *module, const char *name, const char *statistic)
{
	wanted_t w = { statistic, 0, NULL, 0 };

	(void) fk_kstat_read(module, name, look, &w);
	return (w.w_text);
}

void
fk_kstat_create_fails(int on)
{
	create_fails = on;
}
