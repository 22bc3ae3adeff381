/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * KCF, the provider side: the mechanism tables, crypto_register_provider and
 * crypto_unregister_provider.  It has software providers only.  Each mechanism
 * has one slot for them, which the first registrant gets.
 */

#include <sys/cmn_err.h>
#include <sys/kmem.h>

#include "fk_kcf.h"

#define	PROVIDERS	64
#define	POLICIES	32
#define	MAX_PER_CLASS	116

fk_port_mutex_t fk_kcf_lock;
fk_port_cond_t fk_kcf_cond;
char fk_kcf_nosleep;

/* Table sizes by class. */
static const uint_t class_size[] = {
	[FK_DIGEST] = 16, [FK_CIPHER] = 64, [FK_MAC] = 40, [FK_SIGN] = 24,
	[FK_KEYOPS] = 116, [FK_MISC] = 16,
};
static fk_mech_entry_t mechs[FK_MISC + 1][MAX_PER_CLASS];
static fk_prov_t *providers[PROVIDERS];
static uint_t generation;
static int unregistering;
static struct {
	char module[32];
	crypto_mech_name_t mech;
} policies[POLICIES];
static uint_t npolicies;

/* Names that KCF knows, in these classes, before any provider registers. */
static const struct {
	fk_class_t class;
	const char *name;
} seeds[] = {
	{ FK_CIPHER, SUN_CKM_AES_CBC },
	{ FK_CIPHER, SUN_CKM_AES_ECB },
	{ FK_MAC, SUN_CKM_AES_GMAC },
	{ FK_MAC, SUN_CKM_AES_CMAC },
};

static void
copy_name(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i] != '\0'; i++)
		to[i] = from[i];
	(void) memset(to + i, 0, size - i);
}

static crypto_mech_type_t
mech_find(const char *name)
{
	uint_t class, i;

	for (class = FK_DIGEST; class <= FK_MISC; class++) {
		for (i = 0; i < class_size[class]; i++) {
			if (mechs[class][i].m_name[0] != '\0' &&
			    strncmp(mechs[class][i].m_name, name,
			    CRYPTO_MAX_MECH_NAME) == 0)
				return ((crypto_mech_type_t)class << 32 | i);
		}
	}
	return (CRYPTO_MECH_INVALID);
}

static crypto_mech_type_t
mech_add(fk_class_t class, const char *name)
{
	uint_t i;

	for (i = 0; i < class_size[class]; i++) {
		if (mechs[class][i].m_name[0] == '\0') {
			copy_name(mechs[class][i].m_name,
			    CRYPTO_MAX_MECH_NAME, name);
			return ((crypto_mech_type_t)class << 32 | i);
		}
	}
	return (CRYPTO_MECH_INVALID);
}

static void
seed(void)
{
	uint_t i;

	if (mechs[FK_CIPHER][0].m_name[0] != '\0')
		return;
	for (i = 0; i < sizeof (seeds) / sizeof (seeds[0]); i++)
		(void) mech_add(seeds[i].class, seeds[i].name);
}

/* The class of a name new to KCF, from the first matching function group. */
static fk_class_t
class_of(crypto_func_group_t fg)
{
	if (fg & (CRYPTO_FG_DIGEST | CRYPTO_FG_DIGEST_ATOMIC))
		return (FK_DIGEST);
	if (fg & (CRYPTO_FG_ENCRYPT | CRYPTO_FG_DECRYPT |
	    CRYPTO_FG_ENCRYPT_ATOMIC | CRYPTO_FG_DECRYPT_ATOMIC))
		return (FK_CIPHER);
	if (fg & (CRYPTO_FG_MAC | CRYPTO_FG_MAC_ATOMIC))
		return (FK_MAC);
	if (fg & (CRYPTO_FG_SIGN | CRYPTO_FG_VERIFY |
	    CRYPTO_FG_SIGN_ATOMIC | CRYPTO_FG_VERIFY_ATOMIC |
	    CRYPTO_FG_SIGN_RECOVER | CRYPTO_FG_VERIFY_RECOVER))
		return (FK_SIGN);
	if (fg & (CRYPTO_FG_GENERATE | CRYPTO_FG_GENERATE_KEY_PAIR |
	    CRYPTO_FG_WRAP | CRYPTO_FG_UNWRAP | CRYPTO_FG_DERIVE))
		return (FK_KEYOPS);
	return (FK_MISC);
}

/* A slot in a class's table is an entry, even while it has no name. */
fk_mech_entry_t *
fk_mech_by_type(crypto_mech_type_t type)
{
	ulong_t class = type >> 32, i = type & 0xffffffffu;

	seed();
	if (class < FK_DIGEST || class > FK_MISC || i >= class_size[class])
		return (NULL);
	return (&mechs[class][i]);
}

void
fk_prov_release(fk_prov_t *p)
{
	fk_port_lock(&fk_kcf_lock);
	p->p_refs--;
	fk_port_wake_all(&fk_kcf_cond);
	fk_port_unlock(&fk_kcf_lock);
}

static int
disabled(const char *module, const char *mech)
{
	uint_t i;

	for (i = 0; i < npolicies; i++) {
		if (strcmp(policies[i].module, module) == 0 &&
		    strncmp(policies[i].mech, mech,
		    CRYPTO_MAX_MECH_NAME) == 0)
			return (1);
	}
	return (0);
}

static void
mechs_remove(fk_prov_t *p)
{
	uint_t class, i;

	for (class = FK_DIGEST; class <= FK_MISC; class++) {
		for (i = 0; i < class_size[class]; i++) {
			if (mechs[class][i].m_sw == p)
				mechs[class][i].m_sw = NULL;
		}
	}
}

/*
 * Installs what can be installed.  Fails as a whole if a key length unit is
 * ambiguous, or if no mechanism is allowed and finds its slot free.
 */
static int
mechs_install(fk_prov_t *p, const crypto_mech_info_t *info, uint_t count)
{
	const uint32_t both = CRYPTO_KEYSIZE_UNIT_IN_BITS |
	    CRYPTO_KEYSIZE_UNIT_IN_BYTES;
	crypto_mech_type_t type;
	fk_mech_entry_t *m;
	uint_t i, n = 0;

	if (count > KCF_MAXMECHS)
		return (CRYPTO_ARGUMENTS_BAD);
	for (i = 0; i < count; i++) {
		if ((info[i].cm_mech_flags & both) == both) {
			mechs_remove(p);
			return (CRYPTO_ARGUMENTS_BAD);
		}
		if (disabled(p->p_module, info[i].cm_mech_name))
			continue;
		type = mech_find(info[i].cm_mech_name);
		if (type == CRYPTO_MECH_INVALID) {
			type = mech_add(class_of(info[i].cm_func_group_mask),
			    info[i].cm_mech_name);
		}
		if (type == CRYPTO_MECH_INVALID) {
			mechs_remove(p);
			return (CRYPTO_HOST_MEMORY);
		}
		m = fk_mech_by_type(type);
		if (m->m_sw != NULL) {
			cmn_err(CE_WARN, "software provider \"%s\" will not "
			    "be used for %s; \"%s\" will be used instead",
			    p->p_description, m->m_name,
			    m->m_sw->p_description);
			continue;
		}
		m->m_sw = p;
		m->m_info = info[i];
		m->m_generation = ++generation;
		n++;
	}
	return (n == 0 ? CRYPTO_ARGUMENTS_BAD : CRYPTO_SUCCESS);
}

static void
ops_copy(fk_prov_t *p, const crypto_ops_t *ops)
{
	const void *const *vectors = (const void *const *)ops;
	size_t i;

	for (i = 0; i < sizeof (*ops) / sizeof (*vectors); i++)
		p->p_vectors |= (uint32_t)(vectors[i] != NULL) << i;
	if (ops->co_control_ops != NULL)
		p->p_control = *ops->co_control_ops;
	if (ops->co_cipher_ops != NULL)
		p->p_cipher = *ops->co_cipher_ops;
	if (ops->co_mac_ops != NULL)
		p->p_mac = *ops->co_mac_ops;
	if (ops->co_ctx_ops != NULL)
		p->p_ctx = *ops->co_ctx_ops;
}

int
crypto_register_provider(crypto_provider_info_t *info,
    crypto_kcf_provider_handle_t *handle)
{
	const char *module;
	fk_prov_t *p;
	uint_t id;
	int rv;

	if (info->pi_interface_version > CRYPTO_SPI_VERSION_4)
		return (CRYPTO_VERSION_MISMATCH);
	module = fk_module_name(info->pi_provider_dev.pd_sw);
	if (info->pi_provider_type != CRYPTO_SW_PROVIDER ||
	    info->pi_ops_vector == NULL || module == NULL)
		return (CRYPTO_ARGUMENTS_BAD);

	p = fk_port_alloc(sizeof (*p));
	if (p == NULL)
		return (CRYPTO_HOST_MEMORY);
	bzero(p, sizeof (*p));
	p->p_linkage = info->pi_provider_dev.pd_sw;
	p->p_handle = info->pi_provider_handle;
	p->p_version = info->pi_interface_version;
	copy_name(p->p_module, sizeof (p->p_module), module);
	copy_name(p->p_description, sizeof (p->p_description),
	    info->pi_provider_description == NULL ? "" :
	    info->pi_provider_description);
	ops_copy(p, info->pi_ops_vector);

	fk_port_lock(&fk_kcf_lock);
	seed();
	for (id = 0; id < PROVIDERS && providers[id] != NULL; )
		id++;
	if (id == PROVIDERS)
		rv = CRYPTO_HOST_MEMORY;
	else
		rv = mechs_install(p, info->pi_mechanisms,
		    info->pi_mechanisms == NULL ? 0 :
		    info->pi_mech_list_count);
	if (rv == CRYPTO_SUCCESS) {
		p->p_id = id;
		providers[id] = p;
		*handle = id;
	} else if (rv == CRYPTO_ARGUMENTS_BAD) {
		cmn_err(CE_WARN, "provider \"%s\" provided bad arguments and "
		    "is not registered", p->p_description);
	}
	fk_port_unlock(&fk_kcf_lock);
	if (rv != CRYPTO_SUCCESS)
		fk_port_free(p);
	return (rv);
}

/* Hides the provider, then waits until nothing refers to it any more. */
int
crypto_unregister_provider(crypto_kcf_provider_handle_t handle)
{
	fk_prov_t *p;

	fk_port_lock(&fk_kcf_lock);
	p = handle < PROVIDERS ? providers[handle] : NULL;
	if (p == NULL || p->p_state != FK_PROV_READY) {
		fk_port_unlock(&fk_kcf_lock);
		return (p == NULL ? CRYPTO_UNKNOWN_PROVIDER : CRYPTO_BUSY);
	}
	p->p_state = FK_PROV_UNREGISTERING;
	mechs_remove(p);
	unregistering++;
	while (p->p_refs != 0)
		fk_port_wait(&fk_kcf_cond, &fk_kcf_lock);
	unregistering--;
	providers[handle] = NULL;
	fk_port_unlock(&fk_kcf_lock);
	fk_port_free(p);
	return (CRYPTO_SUCCESS);
}

int
crypto_kmflag(crypto_req_handle_t req)
{
	return (req == &fk_kcf_nosleep ? KM_NOSLEEP : KM_SLEEP);
}

/*
 * The real one also loads a module by its configured name.  Here the test loads
 * modules.
 */
crypto_mech_type_t
crypto_mech2id(const char *name)
{
	crypto_mech_type_t type;

	fk_port_lock(&fk_kcf_lock);
	seed();
	type = mech_find(name);
	fk_port_unlock(&fk_kcf_lock);
	return (type);
}

int
fk_kcf_registered(const struct modlinkage *linkage)
{
	int i, found = 0;

	fk_port_lock(&fk_kcf_lock);
	for (i = 0; i < PROVIDERS; i++)
		found |= providers[i] != NULL &&
		    providers[i]->p_linkage == linkage;
	fk_port_unlock(&fk_kcf_lock);
	return (found);
}

unsigned
fk_kcf_providers(void)
{
	unsigned i, n = 0;

	fk_port_lock(&fk_kcf_lock);
	for (i = 0; i < PROVIDERS; i++)
		n += providers[i] != NULL;
	fk_port_unlock(&fk_kcf_lock);
	return (n);
}

int
fk_kcf_unregistering(void)
{
	int n;

	fk_port_lock(&fk_kcf_lock);
	n = unregistering;
	fk_port_unlock(&fk_kcf_lock);
	return (n);
}

int
fk_kcf_mech(const char *name, fk_mech_t *out)
{
	fk_mech_entry_t *m;
	int missing;

	fk_port_lock(&fk_kcf_lock);
	m = fk_mech_by_type(mech_find(name));
	missing = m == NULL || m->m_sw == NULL;
	if (!missing) {
		out->provider = m->m_sw->p_description;
		out->module = m->m_sw->p_module;
		out->provider_number = m->m_info.cm_mech_number;
		out->groups = m->m_info.cm_func_group_mask;
		out->min_key = m->m_info.cm_min_key_length;
		out->max_key = m->m_info.cm_max_key_length;
		out->flags = m->m_info.cm_mech_flags;
		out->generation = m->m_generation;
		out->spi_version = m->m_sw->p_version;
		out->vectors = m->m_sw->p_vectors;
		out->status = ~0u;
		if (m->m_sw->p_control.provider_status != NULL)
			m->m_sw->p_control.provider_status(
			    m->m_sw->p_handle, &out->status);
	}
	fk_port_unlock(&fk_kcf_lock);
	return (missing);
}

void
fk_policy_disable(const char *module, const char *mech)
{
	fk_port_lock(&fk_kcf_lock);
	if (npolicies < POLICIES) {
		copy_name(policies[npolicies].module,
		    sizeof (policies[0].module), module);
		copy_name(policies[npolicies].mech, CRYPTO_MAX_MECH_NAME,
		    mech);
		npolicies++;
	}
	fk_port_unlock(&fk_kcf_lock);
}

void
fk_policy_clear(void)
{
	fk_port_lock(&fk_kcf_lock);
	npolicies = 0;
	fk_port_unlock(&fk_kcf_lock);
}
