/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * mod_install(9F) and friends, and the loader that tests use.  The loader gives
 * the module the name by which KCF's policy knows it.  It notices a module that
 * fails to load, or that unloads without cleaning up.
 */

#include <sys/cmn_err.h>
#include <sys/errno.h>
#include <sys/modctl.h>

#include "fk_impl.h"

#define	MODULES	16

struct mod_ops {
	const char *name;
};
struct mod_ops mod_cryptoops = { "crypto" };
struct mod_ops mod_miscops = { "misc" };

static fk_port_mutex_t lock;
static struct {
	char name[MODMAXNAMELEN];
	struct modlinkage *linkage;
	modctl_t ctl;
} modules[MODULES];
static int install_error, remove_error;

/* Modules built with these headers refer to this.  No kernel has it. */
const char kcfaes_built_without_gate = 1;

/*
 * A module may size its tables by these, so they are set before _init goes on.
 */
int ncpus, max_ncpus;

static int
find(const struct modlinkage *linkage)
{
	int i;

	for (i = 0; i < MODULES; i++) {
		if (modules[i].linkage == linkage)
			return (i);
	}
	return (-1);
}

static int
installed(const char *name)
{
	int i;

	for (i = 0; i < MODULES; i++) {
		if (modules[i].linkage != NULL &&
		    strcmp(modules[i].name, name) == 0)
			return (1);
	}
	return (0);
}

const char *
fk_module_name(const struct modlinkage *linkage)
{
	int i = linkage == NULL ? -1 : find(linkage);

	return (i < 0 ? NULL : modules[i].name);
}

modctl_t *
mod_getctl(struct modlinkage *linkage)
{
	int i = find(linkage);

	return (i < 0 ? NULL : &modules[i].ctl);
}

/*
 * The symbols that the modules look up, as far as they are linked with these
 * tests.  A symbol is found while the module that has it is loaded.
 */
extern struct kcfaes_stats *kcfaes_cpu_stats __attribute__((weak));
extern uint_t kcfaes_nstats __attribute__((weak));
extern const char *kcfaes_table_names[] __attribute__((weak));

uintptr_t
modgetsymvalue(char *name, int kernelonly)
{
	const struct {
		const char *name;
		void *at;
	} symbols[] = {
		{ "kcfaes_cpu_stats", &kcfaes_cpu_stats },
		{ "kcfaes_nstats", &kcfaes_nstats },
		{ "kcfaes_table_names", kcfaes_table_names },
	};
	size_t i;

	if (kernelonly || (!installed("kcfaes") && !installed("aes")))
		return (0);
	for (i = 0; i < sizeof (symbols) / sizeof (symbols[0]); i++) {
		if (strcmp(symbols[i].name, name) == 0)
			return ((uintptr_t)symbols[i].at);
	}
	return (0);
}

int
fk_module_loadflags(const char *name)
{
	int i;

	for (i = 0; i < MODULES; i++) {
		if (modules[i].linkage != NULL &&
		    strcmp(modules[i].name, name) == 0)
			return (modules[i].ctl.mod_loadflags);
	}
	return (0);
}

int
mod_install(struct modlinkage *linkage)
{
	const char *name = fk_self()->ft_module;
	struct modlcrypto *l = linkage->ml_linkage[0];
	int error = install_error, i;

	ncpus = max_ncpus = (int)fk_port_ncpus();
	install_error = 0;
	if (error != 0)
		return (error);
	if (linkage->ml_rev != MODREV_1 || l == NULL ||
	    (l->crypto_modops != &mod_cryptoops &&
	    l->crypto_modops != &mod_miscops))
		return (EINVAL);
	if (name == NULL)
		name = "unnamed";
	fk_port_lock(&lock);
	i = find(linkage) >= 0 ? -1 : find(NULL);
	if (i >= 0) {
		size_t n;

		for (n = 0; n + 1 < MODMAXNAMELEN && name[n] != '\0'; n++)
			modules[i].name[n] = name[n];
		modules[i].name[n] = '\0';
		modules[i].linkage = linkage;
		modules[i].ctl.mod_modname = modules[i].name;
		modules[i].ctl.mod_loadflags = 0;
	}
	fk_port_unlock(&lock);
	return (i < 0 ? EBUSY : 0);
}

int
mod_remove(struct modlinkage *linkage)
{
	int error = remove_error, i;

	remove_error = 0;
	if (error != 0)
		return (error);
	if (fk_kcf_registered(linkage)) {
		fk_violation(FK_V_MODULE,
		    "mod_remove of %s with a provider registered",
		    fk_module_name(linkage));
	}
	fk_port_lock(&lock);
	i = find(linkage);
	if (i >= 0)
		modules[i].linkage = NULL;
	fk_port_unlock(&lock);
	if (i < 0) {
		fk_violation(FK_V_MODULE, "mod_remove before mod_install");
		return (EINVAL);
	}
	return (0);
}

/* Nonzero is success, as on illumos. */
int
mod_info(struct modlinkage *linkage, struct modinfo *info)
{
	struct modlcrypto *l = linkage->ml_linkage[0];
	const char *name = fk_module_name(linkage);

	bzero(info, sizeof (*info));
	info->mi_rev = linkage->ml_rev;
	(void) snprintf(info->mi_name, sizeof (info->mi_name), "%s",
	    name == NULL ? "" : name);
	(void) snprintf(info->mi_msinfo[0].msi_linkinfo,
	    sizeof (info->mi_msinfo[0].msi_linkinfo), "%s",
	    l->crypto_linkinfo);
	return (1);
}

int
fk_module_load(const char *name, int (*init)(void))
{
	fk_thread_t *t = fk_self();
	fk_state_t before;
	int error;

	fk_state(&before);
	t->ft_module = name;
	error = init();
	t->ft_module = NULL;
	fk_state_check(&before, "_init");
	if ((error == 0) != installed(name)) {
		fk_violation(FK_V_MODULE, "_init of %s returned %d and left "
		    "it %sinstalled", name, error, error == 0 ? "un" : "");
	}
	return (error);
}

int
fk_module_unload(const char *name, int (*fini)(void))
{
	fk_state_t before;
	int error;

	fk_state(&before);
	error = fini();
	fk_state_check(&before, "_fini");
	if ((error == 0) == installed(name)) {
		fk_violation(FK_V_MODULE, "_fini of %s returned %d and left "
		    "it %sinstalled", name, error, error == 0 ? "" : "un");
	}
	return (error);
}

void
fk_mod_install_error(int error)
{
	install_error = error;
}

void
fk_mod_remove_error(int error)
{
	remove_error = error;
}
