/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * KCF, the consumer side.  Every call becomes one request, which calls one slot
 * of the provider's vector.  The slot is called at once, or from another thread
 * if the caller asks for CRYPTO_ALWAYS_QUEUE.  After each slot returns, the
 * thread's preemption, FPU and CR0 state must be what it was.
 */

#include <sys/cmn_err.h>
#include <sys/kmem.h>

#include "fk_kcf.h"

typedef enum {
	ENCRYPT_INIT, ENCRYPT_SINGLE, ENCRYPT_UPDATE, ENCRYPT_FINAL,
	ENCRYPT_ATOMIC,
	DECRYPT_INIT, DECRYPT_SINGLE, DECRYPT_UPDATE, DECRYPT_FINAL,
	DECRYPT_ATOMIC,
	MAC_INIT, MAC_SINGLE, MAC_UPDATE, MAC_FINAL, MAC_ATOMIC,
	MAC_VERIFY_ATOMIC,
	OPS
} op_t;

typedef enum { INIT, SINGLE, UPDATE, FINAL, ATOMIC } stage_t;

static const struct {
	stage_t stage;
	crypto_func_group_t group;	/* INIT and ATOMIC */
} ops[OPS] = {
	[ENCRYPT_INIT] = { INIT, CRYPTO_FG_ENCRYPT },
	[ENCRYPT_SINGLE] = { SINGLE, 0 },
	[ENCRYPT_UPDATE] = { UPDATE, 0 },
	[ENCRYPT_FINAL] = { FINAL, 0 },
	[ENCRYPT_ATOMIC] = { ATOMIC, CRYPTO_FG_ENCRYPT_ATOMIC },
	[DECRYPT_INIT] = { INIT, CRYPTO_FG_DECRYPT },
	[DECRYPT_SINGLE] = { SINGLE, 0 },
	[DECRYPT_UPDATE] = { UPDATE, 0 },
	[DECRYPT_FINAL] = { FINAL, 0 },
	[DECRYPT_ATOMIC] = { ATOMIC, CRYPTO_FG_DECRYPT_ATOMIC },
	[MAC_INIT] = { INIT, CRYPTO_FG_MAC },
	[MAC_SINGLE] = { SINGLE, 0 },
	[MAC_UPDATE] = { UPDATE, 0 },
	[MAC_FINAL] = { FINAL, 0 },
	[MAC_ATOMIC] = { ATOMIC, CRYPTO_FG_MAC_ATOMIC },
	[MAC_VERIFY_ATOMIC] = { ATOMIC, CRYPTO_FG_MAC_ATOMIC },
};

typedef struct request {
	op_t			r_op;
	fk_prov_t		*r_prov;
	fk_ctx_t		*r_ctx;
	crypto_mechanism_t	r_mech;		/* cm_type is the provider's */
	crypto_key_t		*r_key;
	crypto_spi_ctx_template_t r_tmpl;
	uint_t			r_generation;	/* of the mechanism */
	crypto_data_t		*r_in;
	crypto_data_t		*r_out;
	crypto_call_req_t	r_crq;		/* queued requests only */
} request_t;

static uint_t live_contexts;
static uint_t queued;

/*
 * Whether a request that returned rv ends its context.  An update never does.
 * A direct single or final may be tried again after some codes.  A queued one
 * may not, because its caller has gone on.  A failed init is released by
 * whoever made the context.  For a queued init that is the request.
 */
static int
ends_context(stage_t stage, int from_queue, int rv)
{
	switch (stage) {
	case INIT:
		return (from_queue && rv != CRYPTO_SUCCESS);
	case SINGLE:
	case FINAL:
		return (from_queue || (rv != CRYPTO_QUEUED &&
		    rv != CRYPTO_BUSY && rv != CRYPTO_BUFFER_TOO_SMALL));
	default:
		return (0);
	}
}

static void
prov_hold(fk_prov_t *p)
{
	fk_port_lock(&fk_kcf_lock);
	p->p_refs++;
	fk_port_unlock(&fk_kcf_lock);
}

/*
 * A request's reference.  A bench takes none: it unloads no module meanwhile.
 */
static void
request_release(fk_prov_t *p)
{
	if (!fk_bench)
		fk_prov_release(p);
}

static void
ctx_release(fk_ctx_t *c)
{
	fk_prov_t *p = c->c_prov;
	int counted = c->c_counted;
	fk_state_t before;
	uint_t refs;

	if (counted)
		fk_port_lock(&fk_kcf_lock);
	refs = --c->c_refs;
	if (counted)
		fk_port_unlock(&fk_kcf_lock);
	if (refs != 0)
		return;

	if (c->c_ctx.cc_provider_private != NULL &&
	    p->p_ctx.free_context != NULL) {
		fk_state(&before);
		(void) p->p_ctx.free_context(&c->c_ctx);
		fk_state_check(&before, "free_context");
	}
	(void) memset(c, 0xdb, sizeof (*c));
	fk_port_free(c);
	if (!counted)
		return;
	fk_port_lock(&fk_kcf_lock);
	live_contexts--;
	fk_port_unlock(&fk_kcf_lock);
	fk_prov_release(p);
}

/* The context takes its own reference on the provider. */
static fk_ctx_t *
ctx_create(fk_prov_t *p)
{
	fk_ctx_t *c = fk_port_alloc(sizeof (*c));

	if (c == NULL)
		return (NULL);
	bzero(c, sizeof (*c));
	c->c_ctx.cc_provider = p->p_handle;
	c->c_ctx.cc_framework_private = c;
	c->c_prov = p;
	c->c_refs = 1;
	c->c_counted = !fk_bench;
	if (!c->c_counted)
		return (c);
	prov_hold(p);
	fk_port_lock(&fk_kcf_lock);
	live_contexts++;
	fk_port_unlock(&fk_kcf_lock);
	return (c);
}

static fk_ctx_t *
ctx_of(crypto_context_t ctx)
{
	fk_ctx_t *c = ctx;

	if (c == NULL || c->c_ctx.cc_framework_private != c)
		return (NULL);
	return (c);
}

#define	CALL(slot, ...)	\
	((slot) == NULL ? CRYPTO_NOT_SUPPORTED : (slot)(__VA_ARGS__))
#define	CALL_INIT(slot)	\
	CALL(slot, ctx, &r->r_mech, r->r_key, r->r_tmpl, rh)
#define	CALL_ATOMIC(slot)	\
	CALL(slot, p->p_handle, 0, &r->r_mech, r->r_key, r->r_in, \
	    r->r_out, r->r_tmpl, rh)

static int
dispatch(request_t *r, crypto_req_handle_t rh)
{
	fk_prov_t *p = r->r_prov;
	crypto_cipher_ops_t *cipher = &p->p_cipher;
	crypto_mac_ops_t *mac = &p->p_mac;
	crypto_ctx_t *ctx = r->r_ctx == NULL ? NULL : &r->r_ctx->c_ctx;

	switch (r->r_op) {
	case ENCRYPT_INIT:
		return (CALL_INIT(cipher->encrypt_init));
	case ENCRYPT_SINGLE:
		return (CALL(cipher->encrypt, ctx, r->r_in, r->r_out, rh));
	case ENCRYPT_UPDATE:
		return (CALL(cipher->encrypt_update, ctx, r->r_in, r->r_out,
		    rh));
	case ENCRYPT_FINAL:
		return (CALL(cipher->encrypt_final, ctx, r->r_out, rh));
	case ENCRYPT_ATOMIC:
		return (CALL_ATOMIC(cipher->encrypt_atomic));
	case DECRYPT_INIT:
		return (CALL_INIT(cipher->decrypt_init));
	case DECRYPT_SINGLE:
		return (CALL(cipher->decrypt, ctx, r->r_in, r->r_out, rh));
	case DECRYPT_UPDATE:
		return (CALL(cipher->decrypt_update, ctx, r->r_in, r->r_out,
		    rh));
	case DECRYPT_FINAL:
		return (CALL(cipher->decrypt_final, ctx, r->r_out, rh));
	case DECRYPT_ATOMIC:
		return (CALL_ATOMIC(cipher->decrypt_atomic));
	case MAC_INIT:
		return (CALL_INIT(mac->mac_init));
	case MAC_SINGLE:
		return (CALL(mac->mac, ctx, r->r_in, r->r_out, rh));
	case MAC_UPDATE:
		return (CALL(mac->mac_update, ctx, r->r_in, rh));
	case MAC_FINAL:
		return (CALL(mac->mac_final, ctx, r->r_out, rh));
	case MAC_ATOMIC:
		return (CALL_ATOMIC(mac->mac_atomic));
	case MAC_VERIFY_ATOMIC:
		return (CALL_ATOMIC(mac->mac_verify_atomic));
	case OPS:
		break;
	}
	return (CRYPTO_NOT_SUPPORTED);
}

/*
 * Runs a request to its end, decides whether its context lives on, and drops
 * the request's references.  A queued request is its own handle.
 */
static int
run(request_t *r, crypto_req_handle_t rh)
{
	fk_state_t before;
	int rv;

	fk_state(&before);
	rv = dispatch(r, rh);
	fk_state_check(&before, "an entry point");
	if (ends_context(ops[r->r_op].stage, rh == r, rv))
		ctx_release(r->r_ctx);
	request_release(r->r_prov);
	return (rv);
}

static void
run_queued(void *arg)
{
	request_t *r = arg;
	crypto_call_req_t crq = r->r_crq;
	fk_ctx_t *c = r->r_ctx;
	stage_t stage = ops[r->r_op].stage;
	int rv;

	/* The request's own reference keeps the context during the call. */
	rv = run(r, r);
	if (c != NULL)
		ctx_release(c);
	fk_port_free(r);
	/* A successful step before the last is told only on demand. */
	if (crq.cr_callback_func != NULL && (rv != CRYPTO_SUCCESS ||
	    (stage != INIT && stage != UPDATE) ||
	    (crq.cr_flag & CRYPTO_NOTIFY_OPDONE)))
		crq.cr_callback_func(crq.cr_callback_arg, rv);
	fk_port_lock(&fk_kcf_lock);
	queued--;
	fk_port_wake_all(&fk_kcf_cond);
	fk_port_unlock(&fk_kcf_lock);
}

/* r->r_prov is held for the request. */
static int
submit(request_t *r, crypto_call_req_t *crq)
{
	stage_t stage = ops[r->r_op].stage;
	request_t *node;

	if (crq == NULL || !(crq->cr_flag & CRYPTO_ALWAYS_QUEUE)) {
		return (run(r, crq != NULL && (stage == INIT ||
		    stage == ATOMIC) ? &fk_kcf_nosleep : NULL));
	}

	node = fk_port_alloc(sizeof (*node));
	if (node == NULL) {
		request_release(r->r_prov);
		return (CRYPTO_HOST_MEMORY);
	}
	*node = *r;
	node->r_crq = *crq;
	fk_port_lock(&fk_kcf_lock);
	queued++;
	if (node->r_ctx != NULL)
		node->r_ctx->c_refs++;
	fk_port_unlock(&fk_kcf_lock);
	if (fk_port_spawn(run_queued, node) != 0)
		run_queued(node);
	return (CRYPTO_QUEUED);
}

/*
 * Finds and holds the mechanism's software provider for a function group, and
 * fills in the provider's own mechanism number.  Key lengths are not checked:
 * KCF checks them for hardware only.  Each mechanism has one provider, so a
 * recoverable error cannot be retried with another.  The first error stands.
 */
static int
provider_for(crypto_mechanism_t *mech, crypto_func_group_t group,
    crypto_ctx_template_t tmpl, request_t *r)
{
	kcf_ctx_template_t *t = tmpl;
	fk_mech_entry_t *m;
	int rv = CRYPTO_SUCCESS;

	if (!fk_bench)
		fk_port_lock(&fk_kcf_lock);
	m = fk_mech_by_type(mech->cm_type);
	if (m == NULL) {
		rv = CRYPTO_MECHANISM_INVALID;
	} else if (m->m_sw == NULL ||
	    (group != 0 && !(m->m_info.cm_func_group_mask & group))) {
		rv = CRYPTO_MECH_NOT_SUPPORTED;
	} else if (t != NULL && t->ct_generation != m->m_generation) {
		rv = CRYPTO_OLD_CTX_TEMPLATE;
	} else {
		r->r_prov = m->m_sw;
		if (!fk_bench)
			r->r_prov->p_refs++;
		r->r_mech = *mech;
		r->r_mech.cm_type = m->m_info.cm_mech_number;
		r->r_generation = m->m_generation;
		r->r_tmpl = t == NULL ? NULL : t->ct_prov_tmpl;
	}
	if (!fk_bench)
		fk_port_unlock(&fk_kcf_lock);
	return (rv);
}

int
fk_kcf_encrypt_slot(void *mech, void *tmpl, fk_slot_t *slot)
{
	request_t r = { .r_op = ENCRYPT_ATOMIC };
	int rv = provider_for(mech, CRYPTO_FG_ENCRYPT_ATOMIC, tmpl, &r);

	if (rv != CRYPTO_SUCCESS)
		return (rv);
	slot->call = (int (*)(void *, uint32_t, void *, void *, void *, void *,
	    void *, void *))r.r_prov->p_cipher.encrypt_atomic;
	slot->provider = r.r_prov->p_handle;
	slot->mech_type = r.r_mech.cm_type;
	slot->tmpl = r.r_tmpl;
	request_release(r.r_prov);
	return (rv);
}

static int
atomic(op_t op, crypto_mechanism_t *mech, crypto_data_t *in,
    crypto_key_t *key, crypto_ctx_template_t tmpl, crypto_data_t *out,
    crypto_call_req_t *crq)
{
	request_t r = { .r_op = op, .r_key = key, .r_in = in, .r_out = out };
	int rv = provider_for(mech, ops[op].group, tmpl, &r);

	return (rv == CRYPTO_SUCCESS ? submit(&r, crq) : rv);
}

static int
init(op_t op, crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_ctx_template_t tmpl, crypto_context_t *ctxp,
    crypto_call_req_t *crq)
{
	request_t r = { .r_op = op, .r_key = key };
	fk_ctx_t *c;
	int rv = provider_for(mech, ops[op].group, tmpl, &r);

	if (rv != CRYPTO_SUCCESS)
		return (rv);
	r.r_ctx = c = ctx_create(r.r_prov);
	if (c == NULL) {
		request_release(r.r_prov);
		return (CRYPTO_HOST_MEMORY);
	}
	rv = submit(&r, crq);
	if (rv == CRYPTO_SUCCESS || rv == CRYPTO_QUEUED)
		*ctxp = c;
	else
		ctx_release(c);
	return (rv);
}

static int
on_context(op_t op, crypto_context_t ctx, crypto_data_t *in,
    crypto_data_t *out, crypto_call_req_t *crq)
{
	request_t r = { .r_op = op, .r_in = in, .r_out = out };

	r.r_ctx = ctx_of(ctx);
	if (r.r_ctx == NULL)
		return (CRYPTO_INVALID_CONTEXT);
	r.r_prov = r.r_ctx->c_prov;
	if (!fk_bench)
		prov_hold(r.r_prov);
	return (submit(&r, crq));
}

int
crypto_encrypt(crypto_mechanism_t *mech, crypto_data_t *plaintext,
    crypto_key_t *key, crypto_ctx_template_t tmpl, crypto_data_t *ciphertext,
    crypto_call_req_t *crq)
{
	return (atomic(ENCRYPT_ATOMIC, mech, plaintext, key, tmpl, ciphertext,
	    crq));
}

int
crypto_encrypt_init(crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_ctx_template_t tmpl, crypto_context_t *ctxp,
    crypto_call_req_t *crq)
{
	return (init(ENCRYPT_INIT, mech, key, tmpl, ctxp, crq));
}

int
crypto_encrypt_single(crypto_context_t ctx, crypto_data_t *plaintext,
    crypto_data_t *ciphertext, crypto_call_req_t *crq)
{
	return (on_context(ENCRYPT_SINGLE, ctx, plaintext, ciphertext, crq));
}

int
crypto_encrypt_update(crypto_context_t ctx, crypto_data_t *plaintext,
    crypto_data_t *ciphertext, crypto_call_req_t *crq)
{
	return (on_context(ENCRYPT_UPDATE, ctx, plaintext, ciphertext, crq));
}

int
crypto_encrypt_final(crypto_context_t ctx, crypto_data_t *ciphertext,
    crypto_call_req_t *crq)
{
	return (on_context(ENCRYPT_FINAL, ctx, NULL, ciphertext, crq));
}

int
crypto_decrypt(crypto_mechanism_t *mech, crypto_data_t *ciphertext,
    crypto_key_t *key, crypto_ctx_template_t tmpl, crypto_data_t *plaintext,
    crypto_call_req_t *crq)
{
	return (atomic(DECRYPT_ATOMIC, mech, ciphertext, key, tmpl, plaintext,
	    crq));
}

int
crypto_decrypt_init(crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_ctx_template_t tmpl, crypto_context_t *ctxp,
    crypto_call_req_t *crq)
{
	return (init(DECRYPT_INIT, mech, key, tmpl, ctxp, crq));
}

int
crypto_decrypt_single(crypto_context_t ctx, crypto_data_t *ciphertext,
    crypto_data_t *plaintext, crypto_call_req_t *crq)
{
	return (on_context(DECRYPT_SINGLE, ctx, ciphertext, plaintext, crq));
}

int
crypto_decrypt_update(crypto_context_t ctx, crypto_data_t *ciphertext,
    crypto_data_t *plaintext, crypto_call_req_t *crq)
{
	return (on_context(DECRYPT_UPDATE, ctx, ciphertext, plaintext, crq));
}

int
crypto_decrypt_final(crypto_context_t ctx, crypto_data_t *plaintext,
    crypto_call_req_t *crq)
{
	return (on_context(DECRYPT_FINAL, ctx, NULL, plaintext, crq));
}

int
crypto_mac(crypto_mechanism_t *mech, crypto_data_t *data, crypto_key_t *key,
    crypto_ctx_template_t tmpl, crypto_data_t *mac, crypto_call_req_t *crq)
{
	return (atomic(MAC_ATOMIC, mech, data, key, tmpl, mac, crq));
}

int
crypto_mac_verify(crypto_mechanism_t *mech, crypto_data_t *data,
    crypto_key_t *key, crypto_ctx_template_t tmpl, crypto_data_t *mac,
    crypto_call_req_t *crq)
{
	return (atomic(MAC_VERIFY_ATOMIC, mech, data, key, tmpl, mac, crq));
}

int
crypto_mac_init(crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_ctx_template_t tmpl, crypto_context_t *ctxp,
    crypto_call_req_t *crq)
{
	return (init(MAC_INIT, mech, key, tmpl, ctxp, crq));
}

int
crypto_mac_single(crypto_context_t ctx, crypto_data_t *data,
    crypto_data_t *mac, crypto_call_req_t *crq)
{
	return (on_context(MAC_SINGLE, ctx, data, mac, crq));
}

int
crypto_mac_update(crypto_context_t ctx, crypto_data_t *data,
    crypto_call_req_t *crq)
{
	return (on_context(MAC_UPDATE, ctx, data, NULL, crq));
}

int
crypto_mac_final(crypto_context_t ctx, crypto_data_t *mac,
    crypto_call_req_t *crq)
{
	return (on_context(MAC_FINAL, ctx, NULL, mac, crq));
}

void
crypto_cancel_ctx(crypto_context_t ctx)
{
	fk_ctx_t *c = ctx_of(ctx);

	if (c != NULL)
		ctx_release(c);
}

int
crypto_create_ctx_template(crypto_mechanism_t *mech, crypto_key_t *key,
    crypto_ctx_template_t *ptmpl, int kmflag)
{
	request_t r = { .r_op = OPS };
	kcf_ctx_template_t *t;
	fk_state_t before;
	int rv;

	if (ptmpl == NULL)
		return (CRYPTO_ARGUMENTS_BAD);
	if (mech == NULL)
		return (CRYPTO_MECHANISM_INVALID);
	rv = provider_for(mech, 0, NULL, &r);
	if (rv != CRYPTO_SUCCESS)
		return (rv);
	t = fk_port_alloc(sizeof (*t));
	if (t == NULL) {
		request_release(r.r_prov);
		return (CRYPTO_HOST_MEMORY);
	}
	bzero(t, sizeof (*t));
	t->ct_prov_handle = r.r_prov->p_id;
	t->ct_generation = r.r_generation;

	fk_state(&before);
	rv = CALL(r.r_prov->p_ctx.create_ctx_template, r.r_prov->p_handle,
	    &r.r_mech, key, &t->ct_prov_tmpl, &t->ct_size,
	    kmflag == KM_SLEEP ? NULL : (void *)&fk_kcf_nosleep);
	fk_state_check(&before, "create_ctx_template");
	if (rv == CRYPTO_SUCCESS)
		*ptmpl = t;
	else
		fk_port_free(t);
	request_release(r.r_prov);
	return (rv);
}

/* The provider is not asked: KCF clears and frees the block it was given. */
void
crypto_destroy_ctx_template(crypto_ctx_template_t tmpl)
{
	kcf_ctx_template_t *t = tmpl;

	if (t == NULL)
		return;
	bzero(t->ct_prov_tmpl, t->ct_size);
	kmem_free(t->ct_prov_tmpl, t->ct_size);
	fk_port_free(t);
}

unsigned
fk_kcf_contexts(void)
{
	unsigned n;

	fk_port_lock(&fk_kcf_lock);
	n = live_contexts;
	fk_port_unlock(&fk_kcf_lock);
	return (n);
}

void
fk_kcf_drain(void)
{
	fk_port_lock(&fk_kcf_lock);
	while (queued != 0)
		fk_port_wait(&fk_kcf_cond, &fk_kcf_lock);
	fk_port_unlock(&fk_kcf_lock);
}
