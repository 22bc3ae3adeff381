/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * What the module's C sources share.  The functions that the provider imports
 * are declared by kcfaes_env.h, generated from the Rust side.
 */

#ifndef	_KCFAES_IMPL_H
#define	_KCFAES_IMPL_H

#include <sys/types.h>

#include "kcfaes_env.h"

#ifdef	__cplusplus
extern "C" {
#endif

/* Reads the CPU's features; before anything else of the environment. */
extern void kcfaes_env_init(void);

#ifdef	__cplusplus
}
#endif

#endif	/* _KCFAES_IMPL_H */
