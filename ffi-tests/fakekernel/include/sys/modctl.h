/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Module linkage (layouts: abi-layout.tsv) and mod_install(9F).
 */

#ifndef	_SYS_MODCTL_H
#define	_SYS_MODCTL_H

#include <sys/types.h>

#define	MODREV_1	1
#define	MODMAXLINK	10
#define	MODMAXNAMELEN	32
#define	MODMAXLINKINFOLEN 32

struct modlinkage {
	int	ml_rev;
	void	*ml_linkage[7];
};

struct mod_ops;
extern struct mod_ops mod_cryptoops;
extern struct mod_ops mod_miscops;

struct modlcrypto {
	struct mod_ops	*crypto_modops;
	char		*crypto_linkinfo;
};

struct modlmisc {
	struct mod_ops	*misc_modops;
	char		*misc_linkinfo;
};

/* Only the members that fakekernel fills; illumos has more. */
struct modspecific_info {
	char	msi_linkinfo[MODMAXLINKINFOLEN];
	int	msi_p0;
};
struct modinfo {
	int	mi_rev;
	int	mi_loadcnt;
	char	mi_name[MODMAXNAMELEN];
	struct modspecific_info mi_msinfo[MODMAXLINK];
};

extern int _init(void);
extern int _fini(void);
extern int _info(struct modinfo *);

extern int mod_install(struct modlinkage *);
extern int mod_remove(struct modlinkage *);
extern int mod_info(struct modlinkage *, struct modinfo *);

/* A loaded module: the members that modules look at. */
typedef struct modctl {
	char	*mod_modname;
	char	mod_loadflags;
} modctl_t;

#define	MOD_NOAUTOUNLOAD	0x1

/* The address of a global symbol of the kernel or a loaded module; or 0. */
extern uintptr_t modgetsymvalue(char *, int);

/* Of a module that is loaded, by its linkage; NULL if there is none. */
extern modctl_t *mod_getctl(struct modlinkage *);

#endif	/* _SYS_MODCTL_H */
