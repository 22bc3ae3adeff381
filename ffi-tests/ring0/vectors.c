/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Runs the vector table through the consumer's calls of KCF.  Each case goes in
 * one call, and in three parts with a template.  It is encrypted and decrypted;
 * a MAC is computed and verified.  If the table has only a digest of an answer,
 * decryption uses the ciphertext that was just found right.
 */

#include <sys/systm.h>
#include <sys/kmem.h>
#include <sys/crypto/api.h>

#include "fk_test.h"
#include "ring0.h"
#include "vectors_table.h"

#define	TAG		16
#define	SHORT		128	/* bytes of text and AAD in an interrupt */

/*
 * An interrupt may come while the thread is at work: each has its own memory.
 */
static struct room {
	uint8_t key[32];
	uint8_t iv[KCFAES_VEC_MAX_IV + 1];
	uint8_t aad[KCFAES_VEC_MAX_AAD + 1];
	uint8_t text[KCFAES_VEC_MAX_TEXT + 1];
	uint8_t sealed[KCFAES_VEC_MAX_TEXT + TAG];
	uint8_t out[KCFAES_VEC_MAX_TEXT + TAG];
} rooms[LEVELS];

/* A case, ready for the framework. */
typedef struct request {
	const struct kcfaes_vec *v;
	struct room *room;
	crypto_mechanism_t mech;
	crypto_key_t key;
	union {
		CK_AES_CTR_PARAMS ctr;
		CK_AES_CCM_PARAMS ccm;
		CK_AES_GCM_PARAMS gcm;
		CK_AES_GMAC_PARAMS gmac;
	} param;
	uint8_t *in;
	size_t inlen, outlen;
} request_t;

typedef struct way {
	const char *name;
	int (*atomic)(crypto_mechanism_t *, crypto_data_t *, crypto_key_t *,
	    crypto_ctx_template_t, crypto_data_t *, crypto_call_req_t *);
	int (*init)(crypto_mechanism_t *, crypto_key_t *,
	    crypto_ctx_template_t, crypto_context_t *, crypto_call_req_t *);
	int (*update)(crypto_context_t, crypto_data_t *, crypto_data_t *,
	    crypto_call_req_t *);
	int (*final)(crypto_context_t, crypto_data_t *, crypto_call_req_t *);
} way_t;

static int
is_mac(const struct kcfaes_vec *v)
{
	return (v->mode == KCFAES_VEC_GMAC || v->mode == KCFAES_VEC_CMAC);
}

static int
mac_update(crypto_context_t ctx, crypto_data_t *in, crypto_data_t *out,
    crypto_call_req_t *crq)
{
	out->cd_length = 0;
	return (crypto_mac_update(ctx, in, crq));
}

static const way_t encrypt = { "encrypt", crypto_encrypt, crypto_encrypt_init,
	crypto_encrypt_update, crypto_encrypt_final };
static const way_t decrypt = { "decrypt", crypto_decrypt, crypto_decrypt_init,
	crypto_decrypt_update, crypto_decrypt_final };
static const way_t mac = { "mac", crypto_mac, crypto_mac_init, mac_update,
	crypto_mac_final };

static const char *table_name = "no table";

static crypto_data_t
raw(const uint8_t *at, size_t len)
{
	crypto_data_t d;

	bzero(&d, sizeof (d));
	d.cd_format = CRYPTO_DATA_RAW;
	d.cd_length = len;
	d.cd_raw.iov_base = (caddr_t)(uintptr_t)at;
	d.cd_raw.iov_len = len;
	return (d);
}

static void
prepare(request_t *r, const struct kcfaes_vec *v)
{
	static char *const names[] = {
		[KCFAES_VEC_ECB] = SUN_CKM_AES_ECB,
		[KCFAES_VEC_CBC] = SUN_CKM_AES_CBC,
		[KCFAES_VEC_CTR] = SUN_CKM_AES_CTR,
		[KCFAES_VEC_CCM] = SUN_CKM_AES_CCM,
		[KCFAES_VEC_GCM] = SUN_CKM_AES_GCM,
		[KCFAES_VEC_GMAC] = SUN_CKM_AES_GMAC,
		[KCFAES_VEC_CMAC] = SUN_CKM_AES_CMAC,
	};
	struct room *room = &rooms[level];

	bzero(r, sizeof (*r));
	r->v = v;
	r->room = room;
	kcfaes_vec_load(v, room->key, room->iv, room->aad, room->text);
	r->key.ck_format = CRYPTO_KEY_RAW;
	r->key.ck_length = v->keybits;
	r->key.ck_data = room->key;
	r->mech.cm_type = crypto_mech2id(names[v->mode]);
	r->mech.cm_param = (caddr_t)&r->param;
	switch (v->mode) {
	case KCFAES_VEC_ECB:
	case KCFAES_VEC_CMAC:
		r->mech.cm_param = NULL;
		break;
	case KCFAES_VEC_CBC:
		r->mech.cm_param = (caddr_t)room->iv;
		r->mech.cm_param_len = v->ivlen;
		break;
	case KCFAES_VEC_CTR:
		r->param.ctr.ulCounterBits = v->counter_bits;
		(void) memcpy(r->param.ctr.cb, room->iv, 16);
		r->mech.cm_param_len = sizeof (r->param.ctr);
		break;
	case KCFAES_VEC_CCM:
		r->param.ccm.ulMACSize = v->taglen;
		r->param.ccm.ulNonceSize = v->ivlen;
		r->param.ccm.ulAuthDataSize = v->aadlen;
		r->param.ccm.nonce = room->iv;
		r->param.ccm.authData = room->aad;
		r->mech.cm_param_len = sizeof (r->param.ccm);
		break;
	case KCFAES_VEC_GCM:
		r->param.gcm.pIv = room->iv;
		r->param.gcm.ulIvLen = v->ivlen;
		r->param.gcm.pAAD = v->aadlen == 0 ? NULL : room->aad;
		r->param.gcm.ulAADLen = v->aadlen;
		r->param.gcm.ulTagBits = v->taglen * 8;
		r->mech.cm_param_len = sizeof (r->param.gcm);
		break;
	default:
		r->param.gmac.pIv = room->iv;
		r->mech.cm_param_len = sizeof (r->param.gmac);
		break;
	}
}

static void
judge(const request_t *r, const way_t *way, const char *manner, int rv,
    int right)
{
	check(right, "%s: %s %s, %s, level %u: 0x%x", table_name, r->v->id,
	    way->name, manner, level, rv);
}

/* CCM's length of the message.  The length of ciphertext includes its tag. */
static void
declare(request_t *r)
{
	if (r->v->mode == KCFAES_VEC_CCM)
		r->param.ccm.ulDataSize = r->inlen;
}

/* In one call without a template. */
static int
whole(request_t *r, const way_t *way, size_t *produced)
{
	crypto_data_t in = raw(r->in, r->inlen);
	crypto_data_t out = raw(r->room->out, r->outlen);
	int rv;

	declare(r);
	rv = way->atomic(&r->mech, &in, &r->key, NULL, &out, NULL);
	*produced = out.cd_length;
	return (rv);
}

/* In three parts, two of them ragged, with a template. */
static int
parts(request_t *r, const way_t *way, size_t *produced)
{
	size_t cut[4] = { 0, r->inlen / 3, r->inlen / 3 * 2 + 1, r->inlen };
	crypto_data_t in = raw(r->in, r->inlen);
	crypto_data_t out = raw(r->room->out, r->outlen);
	crypto_ctx_template_t template = NULL;
	crypto_context_t ctx;
	int rv, i;

	*produced = 0;
	if (cut[2] > r->inlen)
		cut[2] = r->inlen;
	declare(r);
	rv = crypto_create_ctx_template(&r->mech, &r->key, &template,
	    KM_NOSLEEP);
	if (rv != CRYPTO_SUCCESS)
		return (rv);
	rv = way->init(&r->mech, &r->key, template, &ctx, NULL);
	if (rv != CRYPTO_SUCCESS)
		goto out;
	for (i = 0; i < 3; i++) {
		in.cd_offset = (off_t)cut[i];
		in.cd_length = cut[i + 1] - cut[i];
		out.cd_offset = (off_t)*produced;
		out.cd_length = r->outlen - *produced;
		rv = way->update(ctx, &in, &out, NULL);
		if (rv != CRYPTO_SUCCESS) {
			crypto_cancel_ctx(ctx);
			goto out;
		}
		*produced += out.cd_length;
	}
	out.cd_offset = (off_t)*produced;
	out.cd_length = r->outlen - *produced;
	rv = way->final(ctx, &out, NULL);
	if (rv == CRYPTO_BUFFER_TOO_SMALL)
		crypto_cancel_ctx(ctx);
	/* CTR's final leaves cd_length alone. */
	if (r->v->mode != KCFAES_VEC_CTR)
		*produced += out.cd_length;
out:
	crypto_destroy_ctx_template(template);
	return (rv);
}

/* Compares text and tag, or text alone, with the table. */
static int
answer_right(const request_t *r, const uint8_t *got)
{
	const struct kcfaes_vec *v = r->v;

	if (v->drawn & KCFAES_VEC_CT_DIGEST) {
		if (kcfaes_vec_fnv1a64(got, v->len) != v->digest)
			return (0);
	} else if (v->ct != NULL && bcmp(got, v->ct, v->len) != 0) {
		return (0);
	}
	return (v->tag == NULL || bcmp(got + v->len, v->tag, v->taglen) == 0);
}

static void
seal(request_t *r, const way_t *way)
{
	const struct kcfaes_vec *v = r->v;
	int manner, rv;
	size_t produced;

	r->in = is_mac(v) ? r->room->aad : r->room->text;
	r->inlen = is_mac(v) ? v->aadlen : v->len;
	r->outlen = is_mac(v) ? TAG : v->len + v->taglen;
	for (manner = 0; manner < 2; manner++) {
		(void) memset(r->room->out, 0xee, r->outlen);
		rv = manner == 0 ? whole(r, way, &produced) :
		    parts(r, way, &produced);
		judge(r, way, manner == 0 ? "whole" : "parts", rv,
		    rv == CRYPTO_SUCCESS && produced == r->outlen &&
		    answer_right(r, r->room->out));
	}
	(void) memcpy(r->room->sealed, r->room->out, r->outlen);
}

static void
open(request_t *r)
{
	const struct kcfaes_vec *v = r->v;
	int bad = v->expect == KCFAES_VEC_BAD_TAG, manner, rv, right;
	size_t produced;

	if (bad) {
		if (v->ct != NULL)
			bcopy(v->ct, r->room->sealed, v->len);
		bcopy(v->tag, r->room->sealed + v->len, v->taglen);
	}
	r->in = r->room->sealed;
	r->inlen = v->len + v->taglen;
	r->outlen = v->len;
	for (manner = 0; manner < 2; manner++) {
		(void) memset(r->room->out, 0xee, r->outlen);
		rv = manner == 0 ? whole(r, &decrypt, &produced) :
		    parts(r, &decrypt, &produced);
		right = bad ? rv == CRYPTO_INVALID_MAC :
		    rv == CRYPTO_SUCCESS && produced == v->len &&
		    bcmp(r->room->out, r->room->text, v->len) == 0;
		judge(r, &decrypt, manner == 0 ? "whole" : "parts", rv, right);
	}
}

static void
verify(request_t *r)
{
	crypto_data_t data = raw(r->room->aad, r->v->aadlen);
	crypto_data_t tag = raw(r->v->tag, r->v->taglen);
	int rv = crypto_mac_verify(&r->mech, &data, &r->key, NULL, &tag, NULL);

	judge(r, &mac, "verify", rv, rv ==
	    (r->v->expect == KCFAES_VEC_OK ? CRYPTO_SUCCESS :
	    CRYPTO_INVALID_MAC));
}

static void
refuse(request_t *r, const way_t *way)
{
	size_t produced;
	int rv;

	r->in = r->room->text;
	r->inlen = r->v->len + r->v->taglen;
	r->outlen = r->inlen;
	rv = whole(r, way, &produced);
	judge(r, way, "refused", rv, rv == CRYPTO_MECHANISM_PARAM_INVALID);
}

static void
run(const struct kcfaes_vec *v)
{
	request_t r;

	prepare(&r, v);
	if (v->expect == KCFAES_VEC_BAD_ARG) {
		refuse(&r, &encrypt);
		refuse(&r, &decrypt);
	} else if (is_mac(v)) {
		if (v->expect == KCFAES_VEC_OK)
			seal(&r, &mac);
		/* A short tag is the beginning of the MAC. */
		if (v->taglen == TAG)
			verify(&r);
	} else {
		if (v->expect == KCFAES_VEC_OK)
			seal(&r, &encrypt);
		open(&r);
	}
}

unsigned
vectors_all(const char *table, unsigned *digests)
{
	unsigned i;

	table_name = table;
	*digests = 0;
	for (i = 0; i < KCFAES_VEC_COUNT; i++) {
		run(&kcfaes_vecs[i]);
		*digests += (kcfaes_vecs[i].drawn & KCFAES_VEC_CT_DIGEST) != 0;
	}
	return (i);
}

void
vectors_short(void *arg)
{
	static unsigned next;
	const struct kcfaes_vec *v;

	(void) arg;
	do {
		v = &kcfaes_vecs[next];
		next = (next + 1) % KCFAES_VEC_COUNT;
	} while (v->len > SHORT || v->aadlen > SHORT);
	run(v);
}
