/* SPDX-License-Identifier: CDDL-1.0 OR MIT */

/*
 * The vector test module is a consumer of KCF.  It runs a table of known
 * answers through whatever provider KCF has for each mechanism: in one call and
 * in parts, from one buffer and from a list of pieces.  Then it measures the
 * speed, if asked to.  It reports by cmn_err(9F).
 *
 * _init() returns EIO if an answer was wrong.  If all were right it returns
 * ECANCELED, so that the module does not stay loaded.  kcfaes_test_stay makes
 * it stay: the kernel warns about a module that /etc/system loads by force and
 * that refuses.
 *
 * The build makes vectors_table.h from the files in vectors/.
 */

#include <sys/types.h>
#include <sys/cmn_err.h>
#include <sys/errno.h>
#include <sys/kmem.h>
#include <sys/modctl.h>
#include <sys/systm.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/crypto/common.h>
#include <sys/crypto/api.h>

#include "kcfaes_env.h"
#include "vectors_table.h"

extern struct mod_ops mod_miscops;

static struct modlmisc kcfaes_test_modlmisc = {
	&mod_miscops,
	"kcfaes vector test"
};

static struct modlinkage kcfaes_test_modlinkage = {
	MODREV_1,
	{ &kcfaes_test_modlmisc, NULL }
};

/* Tunable: milliseconds for each measurement of speed.  0 makes none. */
uint_t kcfaes_test_speed_ms = 0;

/* Tunable: if nonzero, the module stays loaded when every answer was right. */
uint_t kcfaes_test_stay = 0;

#define	TAG		16
#define	GUARD		16		/* bytes after the output's room */
#define	GUARD_BYTE	0x5c
#define	PIECES		4
#define	SHOWN		10		/* failures reported */
#define	SPEED_BYTES	(128 * 1024)
#define	AAD_BYTES	(KCFAES_VEC_MAX_AAD + 1)
#define	TEXT_BYTES	(KCFAES_VEC_MAX_TEXT + 1)
#define	DATA_BYTES	\
	(TEXT_BYTES > SPEED_BYTES ? TEXT_BYTES : SPEED_BYTES)

typedef enum { ENCRYPT, DECRYPT, MAC, VERIFY } direction_t;
typedef enum { ATOMIC, WHOLE, PARTS } way_t;

static const char *const direction_names[] = { "encrypt", "decrypt", "mac",
	"verify" };
static const char *const way_names[] = { "in one call", "as one part",
	"in parts" };

/* In the order of KCFAES_VEC_ECB and so on. */
static const char *const mechanism_names[] = {
	SUN_CKM_AES_ECB, SUN_CKM_AES_CBC, SUN_CKM_AES_CTR, SUN_CKM_AES_CCM,
	SUN_CKM_AES_GCM, SUN_CKM_AES_GMAC, SUN_CKM_AES_CMAC
};

#define	MODES	(sizeof (mechanism_names) / sizeof (mechanism_names[0]))

/* All memory of a run, in one allocation. */
typedef struct room {
	crypto_mech_type_t types[MODES];
	uint_t		cases, calls, failures, skipped;
	uint64_t	operations[KCFAES_TABLES];	/* before the run */

	const struct kcfaes_vec *v;
	crypto_mechanism_t mech;
	crypto_key_t	key;
	union {
		CK_AES_CTR_PARAMS ctr;
		CK_AES_CCM_PARAMS ccm;
		CK_AES_GCM_PARAMS gcm;
		CK_AES_GMAC_PARAMS gmac;
	} param;
	int		split;		/* pieces, not one buffer */
	direction_t	direction;
	way_t		way;

	crypto_data_t	in, out;
	uio_t		in_uio, out_uio;
	iovec_t		in_iov[PIECES], out_iov[PIECES];

	uint8_t		key_bytes[32];
	uint8_t		iv[KCFAES_VEC_MAX_IV + 1];
	uint8_t		aad[AAD_BYTES];
	uint8_t		text[DATA_BYTES];
	uint8_t		sealed[DATA_BYTES + TAG];
	uint8_t		result[DATA_BYTES + TAG + GUARD];
} room_t;

static int
is_mac(uint_t mode)
{
	return (mode == KCFAES_VEC_GMAC || mode == KCFAES_VEC_CMAC);
}

/* Counts a failure.  Describes the first few. */
static void
fail(room_t *r, const char *what, int rv)
{
	if (r->failures++ >= SHOWN)
		return;
	cmn_err(CE_WARN, "kcfaes_test: %s: %s %s%s: %s (0x%x)",
	    r->v->id, direction_names[r->direction], way_names[r->way],
	    r->split ? ", in pieces" : "", what, rv);
}

/*
 * Describes len bytes at an address.  They are one buffer, or pieces that cut
 * blocks: 0 bytes, 1 byte, about half, the rest.
 */
static void
describe(crypto_data_t *data, uio_t *uio, iovec_t *iov, int split,
    const uint8_t *at, size_t len)
{
	const size_t sizes[PIECES] = { 0, len > 0, len / 2, len - len / 2 -
	    (len > 0) };
	int i;

	bzero(data, sizeof (*data));
	data->cd_length = len;
	if (!split) {
		data->cd_format = CRYPTO_DATA_RAW;
		data->cd_raw.iov_base = (void *)(uintptr_t)at;
		data->cd_raw.iov_len = len;
		return;
	}
	for (i = 0; i < PIECES; i++) {
		iov[i].iov_base = (void *)(uintptr_t)at;
		iov[i].iov_len = sizes[i];
		at += sizes[i];
	}
	bzero(uio, sizeof (*uio));
	uio->uio_iov = iov;
	uio->uio_iovcnt = PIECES;
	uio->uio_segflg = UIO_SYSSPACE;
	data->cd_format = CRYPTO_DATA_UIO;
	data->cd_uio = uio;
}

static int
atomic(room_t *r, crypto_ctx_template_t tmpl)
{
	switch (r->direction) {
	case ENCRYPT:
		return (crypto_encrypt(&r->mech, &r->in, &r->key, tmpl,
		    &r->out, NULL));
	case DECRYPT:
		return (crypto_decrypt(&r->mech, &r->in, &r->key, tmpl,
		    &r->out, NULL));
	case MAC:
		return (crypto_mac(&r->mech, &r->in, &r->key, tmpl,
		    &r->out, NULL));
	default:
		return (crypto_mac_verify(&r->mech, &r->in, &r->key, tmpl,
		    &r->out, NULL));
	}
}

static int
init(room_t *r, crypto_ctx_template_t tmpl, crypto_context_t *ctx)
{
	switch (r->direction) {
	case ENCRYPT:
		return (crypto_encrypt_init(&r->mech, &r->key, tmpl, ctx,
		    NULL));
	case DECRYPT:
		return (crypto_decrypt_init(&r->mech, &r->key, tmpl, ctx,
		    NULL));
	default:
		return (crypto_mac_init(&r->mech, &r->key, tmpl, ctx, NULL));
	}
}

static int
update(room_t *r, crypto_context_t ctx)
{
	switch (r->direction) {
	case ENCRYPT:
		return (crypto_encrypt_update(ctx, &r->in, &r->out, NULL));
	case DECRYPT:
		return (crypto_decrypt_update(ctx, &r->in, &r->out, NULL));
	default:
		r->out.cd_length = 0;
		return (crypto_mac_update(ctx, &r->in, NULL));
	}
}

static int
final(room_t *r, crypto_context_t ctx)
{
	switch (r->direction) {
	case ENCRYPT:
		return (crypto_encrypt_final(ctx, &r->out, NULL));
	case DECRYPT:
		return (crypto_decrypt_final(ctx, &r->out, NULL));
	default:
		return (crypto_mac_final(ctx, &r->out, NULL));
	}
}

/* In parts: the output of each part follows that of the part before. */
static int
in_parts(room_t *r, crypto_ctx_template_t tmpl, size_t *produced)
{
	size_t left = r->in.cd_length, room = r->out.cd_length, done = 0;
	size_t part = r->way == WHOLE ? left : left / 3 + 1;
	crypto_context_t ctx;
	int rv;

	rv = init(r, tmpl, &ctx);
	while (rv == CRYPTO_SUCCESS && left > 0) {
		r->in.cd_length = left < part ? left : part;
		r->out.cd_offset = (off_t)done;
		r->out.cd_length = room - done;
		left -= r->in.cd_length;
		rv = update(r, ctx);
		if (rv != CRYPTO_SUCCESS) {
			crypto_cancel_ctx(ctx);
			return (rv);
		}
		done += r->out.cd_length;
		r->in.cd_offset += (off_t)r->in.cd_length;
	}
	if (rv != CRYPTO_SUCCESS)
		return (rv);
	r->out.cd_offset = (off_t)done;
	r->out.cd_length = room - done;
	rv = final(r, ctx);
	/* CTR's final leaves cd_length alone. */
	if (r->v->mode != KCFAES_VEC_CTR)
		done += r->out.cd_length;
	*produced = done;
	return (rv);
}

/* Runs a message.  On success the output must be exactly outlen bytes. */
static int
run(room_t *r, crypto_ctx_template_t tmpl, const uint8_t *in, size_t inlen,
    size_t outlen)
{
	size_t produced = outlen;
	int rv, i;

	/* The length of ciphertext includes its tag. */
	if (r->v->mode == KCFAES_VEC_CCM)
		r->param.ccm.ulDataSize = inlen;
	describe(&r->in, &r->in_uio, r->in_iov, r->split, in, inlen);
	describe(&r->out, &r->out_uio, r->out_iov, r->split, r->result,
	    outlen);
	(void) memset(r->result, GUARD_BYTE, outlen + GUARD);
	r->calls++;
	if (r->way == ATOMIC) {
		rv = atomic(r, tmpl);
		/* cd_length may count an opened message's tag. */
		if (rv == CRYPTO_SUCCESS && r->direction == ENCRYPT)
			produced = r->out.cd_length;
	} else {
		rv = in_parts(r, tmpl, &produced);
	}
	if (rv == CRYPTO_SUCCESS && produced != outlen)
		fail(r, "wrong length of output", (int)produced);
	for (i = 0; i < GUARD; i++) {
		if (r->result[outlen + i] != GUARD_BYTE) {
			fail(r, "written behind the output", i);
			break;
		}
	}
	return (rv);
}

static void
expect(room_t *r, int rv, const uint8_t *want, size_t len)
{
	if (rv != CRYPTO_SUCCESS)
		fail(r, "failed", rv);
	else if (memcmp(r->result, want, len) != 0)
		fail(r, "wrong answer", 0);
}

/*
 * If the table has only a digest, the first encryption supplies the ciphertext.
 */
static void
expect_sealed(room_t *r, int rv)
{
	const struct kcfaes_vec *v = r->v;

	if (rv == CRYPTO_SUCCESS && (v->drawn & KCFAES_VEC_CT_DIGEST)) {
		if (kcfaes_vec_fnv1a64(r->result, v->len) != v->digest)
			fail(r, "wrong answer", 0);
		bcopy(r->result, r->sealed, v->len);
	}
	expect(r, rv, r->sealed, v->len + v->taglen);
}

static void
run_cipher(room_t *r, crypto_ctx_template_t tmpl)
{
	const struct kcfaes_vec *v = r->v;
	size_t sealed = v->len + v->taglen;
	int rv;

	r->direction = ENCRYPT;
	if (v->expect != KCFAES_VEC_BAD_TAG) {
		rv = run(r, tmpl, r->text, v->len, sealed);
		if (v->expect == KCFAES_VEC_OK)
			expect_sealed(r, rv);
		else if (rv != CRYPTO_MECHANISM_PARAM_INVALID)
			fail(r, "bad parameter was taken", rv);
	}
	r->direction = DECRYPT;
	rv = run(r, tmpl, r->sealed, sealed, v->len);
	if (v->expect == KCFAES_VEC_OK)
		expect(r, rv, r->text, v->len);
	else if (v->expect == KCFAES_VEC_BAD_TAG && rv != CRYPTO_INVALID_MAC)
		fail(r, "forgery was taken", rv);
	else if (v->expect == KCFAES_VEC_BAD_ARG &&
	    rv != CRYPTO_MECHANISM_PARAM_INVALID)
		fail(r, "bad parameter was taken", rv);
}

/* The message is the vector's AAD.  A short tag is the beginning of the MAC. */
static void
run_mac(room_t *r, crypto_ctx_template_t tmpl)
{
	const struct kcfaes_vec *v = r->v;
	int rv;

	r->direction = MAC;
	rv = run(r, tmpl, r->aad, v->aadlen, TAG);
	if (v->expect == KCFAES_VEC_OK)
		expect(r, rv, v->tag, v->taglen);
	if (r->way != ATOMIC || v->taglen != TAG)
		return;

	r->direction = VERIFY;
	describe(&r->in, &r->in_uio, r->in_iov, r->split, r->aad, v->aadlen);
	describe(&r->out, &r->out_uio, r->out_iov, r->split, v->tag, TAG);
	r->calls++;
	rv = atomic(r, tmpl);
	if (rv != (v->expect == KCFAES_VEC_OK ? CRYPTO_SUCCESS :
	    CRYPTO_INVALID_MAC))
		fail(r, "wrong verdict", rv);
}

static void
prepare_mech(room_t *r, uint_t mode, uint_t ivlen, uint_t aadlen,
    uint_t taglen, uint_t counter_bits)
{
	crypto_mechanism_t *m = &r->mech;

	bzero(&r->param, sizeof (r->param));
	m->cm_type = r->types[mode];
	m->cm_param = (caddr_t)&r->param;
	switch (mode) {
	case KCFAES_VEC_ECB:
	case KCFAES_VEC_CMAC:
		m->cm_param = NULL;
		m->cm_param_len = 0;
		break;
	case KCFAES_VEC_CBC:
		m->cm_param = (caddr_t)r->iv;
		m->cm_param_len = 16;
		break;
	case KCFAES_VEC_CTR:
		r->param.ctr.ulCounterBits = counter_bits;
		bcopy(r->iv, r->param.ctr.cb, 16);
		m->cm_param_len = sizeof (r->param.ctr);
		break;
	case KCFAES_VEC_CCM:
		r->param.ccm.ulMACSize = taglen;
		r->param.ccm.ulNonceSize = ivlen;
		r->param.ccm.nonce = r->iv;
		r->param.ccm.ulAuthDataSize = aadlen;
		r->param.ccm.authData = r->aad;
		m->cm_param_len = sizeof (r->param.ccm);
		break;
	case KCFAES_VEC_GCM:
		r->param.gcm.pIv = r->iv;
		r->param.gcm.ulIvLen = ivlen;
		r->param.gcm.ulIvBits = ivlen * 8;
		r->param.gcm.pAAD = r->aad;
		r->param.gcm.ulAADLen = aadlen;
		r->param.gcm.ulTagBits = taglen * 8;
		m->cm_param_len = sizeof (r->param.gcm);
		break;
	default:
		r->param.gmac.pIv = r->iv;
		m->cm_param_len = sizeof (r->param.gmac);
		break;
	}
}

static void
prepare_key(room_t *r, uint_t keybits)
{
	r->key.ck_format = CRYPTO_KEY_RAW;
	r->key.ck_length = keybits;
	r->key.ck_data = r->key_bytes;
}

/* Template or none, every way to call, one buffer or four pieces. */
static void
run_vector(room_t *r, const struct kcfaes_vec *v)
{
	crypto_ctx_template_t tmpl;
	int rv, templates;

	r->v = v;
	r->cases++;
	kcfaes_vec_load(v, r->key_bytes, r->iv, r->aad, r->text);
	if (v->ct != NULL)
		bcopy(v->ct, r->sealed, v->len);
	if (v->tag != NULL)
		bcopy(v->tag, r->sealed + v->len, v->taglen);
	prepare_mech(r, v->mode, v->ivlen, v->aadlen, v->taglen,
	    v->counter_bits);
	prepare_key(r, v->keybits);

	rv = crypto_create_ctx_template(&r->mech, &r->key, &tmpl, KM_SLEEP);
	if (rv != CRYPTO_SUCCESS) {
		fail(r, "no template", rv);
		return;
	}
	for (templates = 0; templates < 2; templates++) {
		for (r->way = ATOMIC; r->way <= PARTS; r->way++) {
			for (r->split = 0; r->split < 2; r->split++) {
				if (is_mac(v->mode))
					run_mac(r, templates ? tmpl : NULL);
				else
					run_cipher(r, templates ? tmpl : NULL);
			}
		}
	}
	crypto_destroy_ctx_template(tmpl);
}

/* MB/s of operations of 128 KiB, from one buffer to another.  0: it failed. */
static uint_t
speed(room_t *r, direction_t direction, crypto_ctx_template_t tmpl,
    const uint8_t *in, size_t inlen, size_t outlen)
{
	hrtime_t start = gethrtime(), took;
	uint64_t bytes = 0;

	r->direction = direction;
	if (r->mech.cm_type == r->types[KCFAES_VEC_CCM])
		r->param.ccm.ulDataSize = inlen;
	do {
		describe(&r->in, &r->in_uio, r->in_iov, 0, in, inlen);
		describe(&r->out, &r->out_uio, r->out_iov, 0, r->result,
		    outlen);
		if (atomic(r, tmpl) != CRYPTO_SUCCESS)
			return (0);
		bytes += SPEED_BYTES;
		took = gethrtime() - start;
	} while (took < (hrtime_t)kcfaes_test_speed_ms * 1000000);
	return ((uint_t)(bytes * 1000 / (uint64_t)took));
}

static void
run_speed(room_t *r, uint_t mode, uint_t keybits)
{
	uint_t tag = mode == KCFAES_VEC_GCM || mode == KCFAES_VEC_CCM ?
	    TAG : 0, one, two;
	crypto_ctx_template_t tmpl;

	bzero(r->iv, 16);
	prepare_mech(r, mode, 12, 0, TAG, 128);
	prepare_key(r, keybits);
	if (crypto_create_ctx_template(&r->mech, &r->key, &tmpl, KM_SLEEP) !=
	    CRYPTO_SUCCESS)
		return;
	if (is_mac(mode)) {
		one = speed(r, MAC, tmpl, r->text, SPEED_BYTES, TAG);
		cmn_err(CE_NOTE, "kcfaes_test: %s %u: mac %u MB/s",
		    mechanism_names[mode], keybits, one);
	} else {
		one = speed(r, ENCRYPT, tmpl, r->text, SPEED_BYTES,
		    SPEED_BYTES + tag);
		bcopy(r->result, r->sealed, SPEED_BYTES + tag);
		two = speed(r, DECRYPT, tmpl, r->sealed, SPEED_BYTES + tag,
		    SPEED_BYTES);
		cmn_err(CE_NOTE, "kcfaes_test: %s %u: encrypt %u MB/s, "
		    "decrypt %u MB/s", mechanism_names[mode], keybits, one,
		    two);
	}
	crypto_destroy_ctx_template(tmpl);
}

/*
 * Operations that kcfaes has counted in each table, on all CPUs.  Zeros if
 * kcfaes is not loaded.
 */
static void
count_operations(uint64_t *operations)
{
	struct kcfaes_stats **stats = (struct kcfaes_stats **)
	    modgetsymvalue("kcfaes_cpu_stats", 0);
	uint_t *nstats = (uint_t *)modgetsymvalue("kcfaes_nstats", 0);
	uint_t cpu, mode, table;

	bzero(operations, KCFAES_TABLES * sizeof (*operations));
	if (stats == NULL || nstats == NULL)
		return;
	for (cpu = 0; cpu < *nstats; cpu++) {
		for (mode = 0; mode < KCFAES_MECHANISMS; mode++) {
			for (table = 0; table < KCFAES_TABLES; table++) {
				operations[table] +=
				    (*stats)[cpu].operations[mode][table];
			}
		}
	}
}

/* The tables of kcfaes that have worked since the run began. */
static void
name_tables(room_t *r, char *names, size_t size)
{
	const char **table_names = (const char **)
	    modgetsymvalue("kcfaes_table_names", 0);
	uint64_t operations[KCFAES_TABLES];
	size_t used = 0;
	uint_t table;

	count_operations(operations);
	(void) snprintf(names, size, "not by kcfaes");
	for (table = 0; table < KCFAES_TABLES && table_names != NULL; table++) {
		if (operations[table] != r->operations[table] && used < size) {
			used += snprintf(names + used, size - used, "%s%s",
			    used == 0 ? "table " : ", ", table_names[table]);
		}
	}
}

static int
kcfaes_test(void)
{
	room_t *r = kmem_zalloc(sizeof (*r), KM_SLEEP);
	uint_t mode, failures;
	char tables[64];
	size_t i;

	count_operations(r->operations);

	for (mode = 0; mode < MODES; mode++) {
		r->types[mode] = crypto_mech2id(
		    (char *)(uintptr_t)mechanism_names[mode]);
		if (r->types[mode] == CRYPTO_MECH_INVALID) {
			cmn_err(CE_WARN, "kcfaes_test: no provider for %s",
			    mechanism_names[mode]);
		}
	}
	for (i = 0; i < KCFAES_VEC_COUNT; i++) {
		if (r->types[kcfaes_vecs[i].mode] == CRYPTO_MECH_INVALID)
			r->skipped++;
		else
			run_vector(r, &kcfaes_vecs[i]);
	}
	name_tables(r, tables, sizeof (tables));
	cmn_err(r->failures == 0 ? CE_NOTE : CE_WARN, "kcfaes_test: %u cases "
	    "in %u calls, %u skipped: %u failures; %s", r->cases, r->calls,
	    r->skipped, r->failures, tables);
	for (mode = 0; kcfaes_test_speed_ms != 0 && mode < MODES; mode++) {
		if (r->types[mode] != CRYPTO_MECH_INVALID) {
			run_speed(r, mode, 128);
			run_speed(r, mode, 256);
		}
	}
	failures = r->failures + r->skipped;
	kmem_free(r, sizeof (*r));
	return (failures == 0 ? ECANCELED : EIO);
}

int
_init(void)
{
	int error = mod_install(&kcfaes_test_modlinkage);

	if (error != 0)
		return (error);
	error = kcfaes_test();
	if (error == ECANCELED && kcfaes_test_stay != 0)
		return (0);
	(void) mod_remove(&kcfaes_test_modlinkage);
	return (error);
}

int
_fini(void)
{
	return (mod_remove(&kcfaes_test_modlinkage));
}

int
_info(struct modinfo *modinfop)
{
	return (mod_info(&kcfaes_test_modlinkage, modinfop));
}
