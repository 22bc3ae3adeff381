/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * KCF's state, shared by its two halves: registration (fk_kcf_spi.c) and the
 * consumer interface (fk_kcf_api.c).  One lock guards all of it; no provider
 * code runs under that lock.
 */

#ifndef	_FK_KCF_H
#define	_FK_KCF_H

#include <sys/crypto/impl.h>
#include <sys/crypto/sched_impl.h>

#include "fk_impl.h"

typedef enum {
	FK_PROV_READY,
	FK_PROV_UNREGISTERING
} fk_prov_state_t;

typedef struct fk_prov {
	crypto_kcf_provider_handle_t p_id;
	fk_prov_state_t		p_state;
	uint_t			p_refs;		/* contexts and requests */
	struct modlinkage	*p_linkage;
	char			p_module[32];
	char			p_description[CRYPTO_PROVIDER_DESCR_MAX_LEN + 1];
	crypto_provider_handle_t p_handle;
	uint_t			p_version;
	uint32_t		p_vectors;	/* those present */
	/* Copies: KCF keeps no pointer into what the provider registered. */
	crypto_control_ops_t	p_control;
	crypto_cipher_ops_t	p_cipher;
	crypto_mac_ops_t	p_mac;
	crypto_ctx_ops_t	p_ctx;
} fk_prov_t;

/* A mechanism keeps its name and number for ever.  Its provider may go. */
typedef struct fk_mech_entry {
	crypto_mech_name_t	m_name;
	crypto_mech_info_t	m_info;		/* as the provider gave it */
	fk_prov_t		*m_sw;
	uint_t			m_generation;
} fk_mech_entry_t;

/* Mechanism classes, as in a crypto_mech_type_t: class << 32 | index. */
typedef enum {
	FK_DIGEST = 1, FK_CIPHER, FK_MAC, FK_SIGN, FK_KEYOPS, FK_MISC
} fk_class_t;

typedef struct fk_ctx {
	crypto_ctx_t	c_ctx;		/* first: the provider sees it */
	fk_prov_t	*c_prov;
	uint_t		c_refs;		/* consumer, queued requests */
	int		c_counted;	/* not in bench mode */
} fk_ctx_t;

extern fk_port_mutex_t fk_kcf_lock;
extern fk_port_cond_t fk_kcf_cond;	/* a reference was dropped */

extern fk_mech_entry_t *fk_mech_by_type(crypto_mech_type_t);
extern void fk_prov_release(fk_prov_t *);

/* A request handle for a caller that gave a callback: do not sleep. */
extern char fk_kcf_nosleep;

#endif	/* _FK_KCF_H */
