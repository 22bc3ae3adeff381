/* SPDX-License-Identifier: MIT OR Apache-2.0 */

#include <sys/cpuvar.h>
#include <sys/disp.h>
#include <sys/kmem.h>
#include <sys/systm.h>

#include "fk_test.h"
#include "xor_provider.h"

xor_seen_t xor_seen;
int xor_return;
int xor_keep_private;
int xor_misbehave;
int xor_quiet;
void (*xor_inside)(void);

static int
seen(int slot, crypto_provider_handle_t handle, crypto_mechanism_t *mech,
    void *tmpl, crypto_req_handle_t req)
{
	if (xor_quiet)
		return (xor_return);
	xor_seen.calls[slot]++;
	xor_seen.req = req;
	xor_seen.kmflag = crypto_kmflag(req);
	xor_seen.handle = handle;
	xor_seen.tmpl = tmpl;
	if (mech != NULL)
		xor_seen.type = mech->cm_type;
	if (xor_misbehave)
		kpreempt_disable();
	return (xor_return);
}

static void
xor_run(const crypto_data_t *in, crypto_data_t *out, uchar_t k)
{
	size_t i;

	if (in == NULL || out == NULL)
		return;
	for (i = 0; i < in->cd_length; i++) {
		out->cd_raw.iov_base[i] =
		    (char)(in->cd_raw.iov_base[i] ^ k);
	}
	out->cd_length = in->cd_length;
}

static int
xor_init(crypto_ctx_t *ctx, crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_spi_ctx_template_t tmpl, crypto_req_handle_t req)
{
	int rv = seen(SLOT_INIT, ctx->cc_provider, mech, tmpl, req);
	uchar_t *private;

	if (rv != CRYPTO_SUCCESS && !xor_keep_private)
		return (rv);
	private = kmem_alloc(XOR_PRIVATE_SIZE, crypto_kmflag(req));
	if (private == NULL)
		return (CRYPTO_HOST_MEMORY);
	private[0] = *(uchar_t *)key->ck_data;
	ctx->cc_provider_private = private;
	return (rv);
}

static void
xor_done(crypto_ctx_t *ctx)
{
	kmem_free(ctx->cc_provider_private, XOR_PRIVATE_SIZE);
	ctx->cc_provider_private = NULL;
}

static int
xor_single(crypto_ctx_t *ctx, crypto_data_t *in, crypto_data_t *out,
    crypto_req_handle_t req)
{
	int rv = seen(SLOT_SINGLE, ctx->cc_provider, NULL, NULL, req);

	if (rv == CRYPTO_SUCCESS) {
		xor_run(in, out, *(uchar_t *)ctx->cc_provider_private);
		if (!xor_keep_private)
			xor_done(ctx);
	}
	return (rv);
}

static int
xor_update(crypto_ctx_t *ctx, crypto_data_t *in, crypto_data_t *out,
    crypto_req_handle_t req)
{
	int rv = seen(SLOT_UPDATE, ctx->cc_provider, NULL, NULL, req);

	if (rv == CRYPTO_SUCCESS)
		xor_run(in, out, *(uchar_t *)ctx->cc_provider_private);
	return (rv);
}

static int
xor_mac_update(crypto_ctx_t *ctx, crypto_data_t *in, crypto_req_handle_t req)
{
	(void) in;
	return (seen(SLOT_UPDATE, ctx->cc_provider, NULL, NULL, req));
}

static int
xor_final(crypto_ctx_t *ctx, crypto_data_t *out, crypto_req_handle_t req)
{
	int rv = seen(SLOT_FINAL, ctx->cc_provider, NULL, NULL, req);

	if (rv == CRYPTO_SUCCESS) {
		if (out != NULL)
			out->cd_length = 0;
		if (!xor_keep_private)
			xor_done(ctx);
	}
	return (rv);
}

static int
xor_atomic(crypto_provider_handle_t handle, crypto_session_id_t session,
    crypto_mechanism_t *mech, crypto_key_t *key, crypto_data_t *in,
    crypto_data_t *out, crypto_spi_ctx_template_t tmpl,
    crypto_req_handle_t req)
{
	int rv = seen(SLOT_ATOMIC, handle, mech, tmpl, req);

	(void) session;
	if (xor_inside != NULL)
		xor_inside();
	if (rv == CRYPTO_SUCCESS)
		xor_run(in, out, *(uchar_t *)key->ck_data);
	return (rv);
}

static int
xor_verify(crypto_provider_handle_t handle, crypto_session_id_t session,
    crypto_mechanism_t *mech, crypto_key_t *key, crypto_data_t *in,
    crypto_data_t *mac, crypto_spi_ctx_template_t tmpl,
    crypto_req_handle_t req)
{
	(void) session;
	(void) key;
	(void) in;
	(void) mac;
	return (seen(SLOT_VERIFY, handle, mech, tmpl, req));
}

static int
xor_template(crypto_provider_handle_t handle, crypto_mechanism_t *mech,
    crypto_key_t *key, crypto_spi_ctx_template_t *tmpl, size_t *size,
    crypto_req_handle_t req)
{
	int rv = seen(SLOT_TEMPLATE, handle, mech, NULL, req);

	if (rv != CRYPTO_SUCCESS)
		return (rv);
	*tmpl = kmem_alloc(XOR_TEMPLATE_SIZE, crypto_kmflag(req));
	if (*tmpl == NULL)
		return (CRYPTO_HOST_MEMORY);
	(void) memset(*tmpl, *(uchar_t *)key->ck_data, XOR_TEMPLATE_SIZE);
	*size = XOR_TEMPLATE_SIZE;
	return (CRYPTO_SUCCESS);
}

static int
xor_free(crypto_ctx_t *ctx)
{
	xor_seen.calls[SLOT_FREE]++;
	xor_done(ctx);
	return (CRYPTO_SUCCESS);
}

static void
xor_status(crypto_provider_handle_t handle, uint_t *status)
{
	(void) handle;
	*status = CRYPTO_PROVIDER_READY;
}

void
xor_module_make(xor_module_t *m, const char *description)
{
	static const crypto_mech_info_t mechs[] = {
		{ "CKM_XOR", 77, CRYPTO_FG_ENCRYPT | CRYPTO_FG_DECRYPT |
		    CRYPTO_FG_ENCRYPT_ATOMIC | CRYPTO_FG_DECRYPT_ATOMIC |
		    CRYPTO_FG_MAC | CRYPTO_FG_MAC_ATOMIC,
		    1, 32, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
		{ "CKM_XOR_MAC", 78, CRYPTO_FG_MAC | CRYPTO_FG_MAC_ATOMIC,
		    1, 32, CRYPTO_KEYSIZE_UNIT_IN_BYTES },
	};

	bzero(m, sizeof (*m));
	m->modl.crypto_modops = &mod_cryptoops;
	m->modl.crypto_linkinfo = "xor";
	m->linkage.ml_rev = MODREV_1;
	m->linkage.ml_linkage[0] = &m->modl;
	m->control.provider_status = xor_status;
	m->cipher = (crypto_cipher_ops_t) {
		xor_init, xor_single, xor_update, xor_final, xor_atomic,
		xor_init, xor_single, xor_update, xor_final, xor_atomic
	};
	m->mac = (crypto_mac_ops_t) {
		xor_init, xor_single, xor_mac_update, xor_final, xor_atomic,
		xor_verify
	};
	m->ctx = (crypto_ctx_ops_t) { xor_template, xor_free };
	m->ops.co_control_ops = &m->control;
	m->ops.co_cipher_ops = &m->cipher;
	m->ops.co_mac_ops = &m->mac;
	m->ops.co_ctx_ops = &m->ctx;
	bcopy(mechs, m->mechs, sizeof (mechs));
	bcopy(description, m->description, strlen(description) + 1);
	m->info.pi_interface_version = CRYPTO_SPI_VERSION_4;
	m->info.pi_provider_description = m->description;
	m->info.pi_provider_type = CRYPTO_SW_PROVIDER;
	m->info.pi_provider_dev.pd_sw = &m->linkage;
	m->info.pi_provider_handle = m;
	m->info.pi_ops_vector = &m->ops;
	m->info.pi_mech_list_count = 2;
	m->info.pi_mechanisms = m->mechs;
	m->handle = 0xdddd;
}

static xor_module_t *loading;

static int
xor_load(void)
{
	int rv = mod_install(&loading->linkage);

	if (rv != 0)
		return (1000 + rv);
	rv = crypto_register_provider(&loading->info, &loading->handle);
	if (rv != CRYPTO_SUCCESS)
		(void) mod_remove(&loading->linkage);
	return (rv);
}

int
xor_module_register(xor_module_t *m, const char *name)
{
	loading = m;
	return (fk_module_load(name, xor_load));
}

int
xor_module_unregister(xor_module_t *m)
{
	int rv = crypto_unregister_provider(m->handle);

	if (rv == CRYPTO_SUCCESS)
		(void) mod_remove(&m->linkage);
	return (rv);
}
