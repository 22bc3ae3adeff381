/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * A provider for testing KCF itself: "encrypts" by XOR with the key's first
 * byte, tells what it was called with, and returns what it is told to.
 */

#ifndef	_XOR_PROVIDER_H
#define	_XOR_PROVIDER_H

#include <sys/crypto/impl.h>
#include <sys/modctl.h>

enum {
	SLOT_INIT, SLOT_SINGLE, SLOT_UPDATE, SLOT_FINAL, SLOT_ATOMIC,
	SLOT_VERIFY, SLOT_TEMPLATE, SLOT_FREE, SLOTS
};

#define	XOR_PRIVATE_SIZE	40
#define	XOR_TEMPLATE_SIZE	72

typedef struct xor_seen {
	unsigned		calls[SLOTS];
	crypto_req_handle_t	req;		/* of the last call */
	int			kmflag;
	crypto_mech_type_t	type;
	crypto_provider_handle_t handle;
	void			*tmpl;
} xor_seen_t;

extern xor_seen_t xor_seen;
extern int xor_return;		/* every slot returns it if nonzero */
extern int xor_keep_private;	/* single and final do not free it */
extern int xor_misbehave;	/* come back with preemption off */
extern int xor_quiet;		/* several threads: do not record */
extern void (*xor_inside)(void);	/* called from within atomic slots */

/* Fresh, writable copies of everything that registration takes. */
typedef struct xor_module {
	struct modlcrypto	modl;
	struct modlinkage	linkage;
	crypto_control_ops_t	control;
	crypto_cipher_ops_t	cipher;
	crypto_mac_ops_t	mac;
	crypto_ctx_ops_t	ctx;
	crypto_ops_t		ops;
	crypto_mech_info_t	mechs[6];
	crypto_provider_info_t	info;
	char			description[100];
	crypto_kcf_provider_handle_t handle;
} xor_module_t;

/* CKM_XOR (private number 77, all groups) and CKM_XOR_MAC (78, MAC only). */
extern void xor_module_make(xor_module_t *, const char *description);
extern int xor_module_register(xor_module_t *, const char *name);
extern int xor_module_unregister(xor_module_t *);

#endif	/* _XOR_PROVIDER_H */
