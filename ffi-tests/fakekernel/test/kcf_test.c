/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Pins KCF's rules of registration and dispatch, with the XOR provider.
 */

#include <sys/cpuvar.h>
#include <sys/disp.h>
#include <sys/kmem.h>
#include <sys/systm.h>
#include <sys/crypto/sched_impl.h>

#include "check.h"
#include "xor_provider.h"

static uchar_t key_byte = 0x5a;
static crypto_key_t key = { .ck_format = CRYPTO_KEY_RAW };
static char in_bytes[16], out_bytes[16];
static crypto_data_t in, out;
static crypto_call_req_t no_queue;	/* a callback, but no queueing */
static xor_module_t one, two;

static void
fresh(void)
{
	size_t i;

	key.ck_length = 8;
	key.ck_data = &key_byte;
	for (i = 0; i < sizeof (in_bytes); i++)
		in_bytes[i] = (char)i;
	bzero(out_bytes, sizeof (out_bytes));
	bzero(&in, sizeof (in));
	in.cd_format = CRYPTO_DATA_RAW;
	in.cd_length = sizeof (in_bytes);
	in.cd_raw.iov_base = in_bytes;
	in.cd_raw.iov_len = sizeof (in_bytes);
	out = in;
	out.cd_raw.iov_base = out_bytes;
	bzero(&xor_seen, sizeof (xor_seen));
	xor_return = 0;
	xor_keep_private = 0;
	xor_misbehave = 0;
	xor_inside = NULL;
	fk_log_clear();
}

static crypto_mechanism_t
mech(char *name)
{
	crypto_mechanism_t m = { crypto_mech2id(name), NULL, 0 };

	return (m);
}

static int
right_output(void)
{
	size_t i;

	for (i = 0; i < sizeof (out_bytes); i++) {
		if (out_bytes[i] != (char)(i ^ key_byte))
			return (0);
	}
	return (1);
}

static void
test_registration(void)
{
	crypto_ctx_template_t tmpl;
	crypto_mechanism_t m;
	fk_mech_t k;
	char *long_name = "0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789";

	fresh();
	CHECK_EQ(crypto_mech2id("CKM_XOR"), CRYPTO_MECH_INVALID);
	xor_module_make(&one, long_name);
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	CHECK_EQ(one.handle, 0);
	CHECK_EQ(fk_kcf_providers(), 1);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 0);
	CHECK_EQ(strlen(k.provider), 64);
	CHECK(strcmp(k.module, "one") == 0);
	CHECK_EQ(k.provider_number, 77);
	CHECK_EQ(k.min_key, 1);
	CHECK_EQ(k.max_key, 32);
	CHECK_EQ(k.flags, CRYPTO_KEYSIZE_UNIT_IN_BYTES);

	/* Classes: by group for new names, seeded names keep theirs. */
	CHECK_EQ(crypto_mech2id("CKM_XOR") >> 32, 2);
	CHECK_EQ(crypto_mech2id("CKM_XOR_MAC") >> 32, 3);
	CHECK_EQ(crypto_mech2id(SUN_CKM_AES_GMAC) >> 32, 3);
	CHECK_EQ(crypto_mech2id(SUN_CKM_AES_CMAC) >> 32, 3);
	CHECK_EQ(crypto_mech2id(SUN_CKM_AES_CBC) >> 32, 2);

	/* A known name without a provider has a number, and no service. */
	m = mech(SUN_CKM_AES_CBC);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	m.cm_type = 12345;
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECHANISM_INVALID);

	/* So has any place in a class's table, if nobody has it yet. */
	m.cm_type = (crypto_mech_type_t)2 << 32 | 63;
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(crypto_create_ctx_template(&m, &key, &tmpl, KM_SLEEP),
	    CRYPTO_MECH_NOT_SUPPORTED);
	m.cm_type++;
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECHANISM_INVALID);
	CHECK_EQ(crypto_create_ctx_template(&m, &key, &tmpl, KM_SLEEP),
	    CRYPTO_MECHANISM_INVALID);

	/* All was copied: what registration was given may change or go. */
	bzero(&one.cipher, sizeof (one.cipher));
	bzero(&one.ops, sizeof (one.ops));
	bzero(&one.mechs, sizeof (one.mechs));
	bzero(one.description, sizeof (one.description));
	m = mech("CKM_XOR");
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK(right_output());

	/* Numbers are translated on a copy; the handle is the provider's. */
	CHECK_EQ(xor_seen.type, 77);
	CHECK_EQ(m.cm_type, crypto_mech2id("CKM_XOR"));
	CHECK(xor_seen.handle == &one);

	CHECK_EQ(crypto_unregister_provider(7), CRYPTO_UNKNOWN_PROVIDER);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_EQ(crypto_unregister_provider(0), CRYPTO_UNKNOWN_PROVIDER);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 1);
	CHECK_EQ(crypto_mech2id("CKM_XOR"), m.cm_type);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_CLEAN();
}

static void
test_refused_registration(void)
{
	fk_mech_t k;

	fresh();
	xor_module_make(&one, "one");
	one.info.pi_interface_version = 5;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_VERSION_MISMATCH);

	xor_module_make(&one, "one");
	one.mechs[1].cm_mech_flags = CRYPTO_KEYSIZE_UNIT_IN_BITS |
	    CRYPTO_KEYSIZE_UNIT_IN_BYTES;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_ARGUMENTS_BAD);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 1);
	CHECK_EQ(fk_log_find("WARNING: provider \"one\" provided bad "
	    "arguments"), 1);

	xor_module_make(&one, "one");
	one.info.pi_provider_type = CRYPTO_HW_PROVIDER;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_ARGUMENTS_BAD);
	xor_module_make(&one, "one");
	one.info.pi_ops_vector = NULL;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_ARGUMENTS_BAD);
	xor_module_make(&one, "one");
	one.info.pi_mech_list_count = 0;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_ARGUMENTS_BAD);

	/* Before mod_install the linkage has no module. */
	xor_module_make(&one, "one");
	CHECK_EQ(crypto_register_provider(&one.info, &one.handle),
	    CRYPTO_ARGUMENTS_BAD);
	CHECK_EQ(one.handle, 0xdddd);
	CHECK_EQ(fk_kcf_providers(), 0);
	CHECK_CLEAN();
}

static void
test_first_wins(void)
{
	crypto_mechanism_t m;
	fk_mech_t k;

	fresh();
	xor_module_make(&one, "first");
	one.info.pi_mech_list_count = 1;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);

	/* A partial clash warns and installs the rest. */
	xor_module_make(&two, "second");
	CHECK_EQ(xor_module_register(&two, "two"), CRYPTO_SUCCESS);
	CHECK_EQ(two.handle, 1);
	CHECK_EQ(fk_log_find("WARNING: software provider \"second\" will not "
	    "be used for CKM_XOR; \"first\" will be used instead"), 1);
	CHECK_EQ(fk_log_count(), 1);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 0);
	CHECK(strcmp(k.provider, "first") == 0);
	CHECK_EQ(fk_kcf_mech("CKM_XOR_MAC", &k), 0);
	CHECK(strcmp(k.provider, "second") == 0);

	/* The loser is not promoted. */
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 1);
	m = mech("CKM_XOR");
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(xor_module_unregister(&two), CRYPTO_SUCCESS);

	/* All clash: refused. */
	fk_log_clear();
	xor_module_make(&one, "first");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	xor_module_make(&two, "second");
	CHECK_EQ(xor_module_register(&two, "two"), CRYPTO_ARGUMENTS_BAD);
	CHECK_EQ(fk_log_find("will be used instead"), 2);
	CHECK_EQ(fk_log_find("provider \"second\" provided bad arguments"), 1);
	CHECK_EQ(fk_kcf_providers(), 1);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

static void
test_policy(void)
{
	fk_mech_t k;

	fresh();
	fk_policy_disable("one", "CKM_XOR");
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 1);
	CHECK_EQ(fk_kcf_mech("CKM_XOR_MAC", &k), 0);
	CHECK_EQ(fk_log_count(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);

	/* Policy goes by module name. */
	CHECK_EQ(xor_module_register(&one, "other"), CRYPTO_SUCCESS);
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);

	fk_policy_disable("one", "CKM_XOR_MAC");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_ARGUMENTS_BAD);
	fk_policy_clear();
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

static void
test_groups_and_slots(void)
{
	crypto_mechanism_t m;
	crypto_context_t ctx;
	crypto_ctx_template_t t;

	fresh();
	xor_module_make(&one, "one");
	one.cipher.decrypt_atomic = NULL;
	one.cipher.encrypt_update = NULL;
	one.mac.mac_final = NULL;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);

	m = mech("CKM_XOR_MAC");
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(crypto_decrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(crypto_decrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(crypto_mac(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK_EQ(xor_seen.type, 78);
	CHECK_EQ(crypto_mac_verify(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK_EQ(xor_seen.calls[SLOT_VERIFY], 1);

	m = mech("CKM_XOR");
	CHECK_EQ(crypto_decrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_NOT_SUPPORTED);
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_SUCCESS);
	CHECK_EQ(crypto_encrypt_update(ctx, &in, &out, NULL),
	    CRYPTO_NOT_SUPPORTED);
	CHECK_EQ(crypto_encrypt_final(ctx, &out, NULL), CRYPTO_SUCCESS);
	CHECK_EQ(crypto_mac_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_SUCCESS);
	CHECK_EQ(crypto_mac_update(ctx, &in, NULL), CRYPTO_SUCCESS);
	/* NOT_SUPPORTED ends a context like any other code. */
	CHECK_EQ(crypto_mac_final(ctx, &out, NULL), CRYPTO_NOT_SUPPORTED);
	CHECK_EQ(fk_kcf_contexts(), 0);
	CHECK_EQ(xor_seen.calls[SLOT_FREE], 1);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);

	/* A missing sub-vector is a vector of missing slots. */
	xor_module_make(&one, "one");
	one.ops.co_mac_ops = NULL;
	one.ops.co_ctx_ops = NULL;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	CHECK_EQ(crypto_mac(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_NOT_SUPPORTED);
	CHECK_EQ(crypto_mac_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_NOT_SUPPORTED);
	CHECK_EQ(crypto_create_ctx_template(&m, &key, &t, KM_SLEEP),
	    CRYPTO_NOT_SUPPORTED);
	CHECK_EQ(fk_kcf_contexts(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_CLEAN();
}

/* KM_NOSLEEP: only with a call request, and only in init and atomic. */
static void
test_kmflag(void)
{
	crypto_call_req_t *crqs[2] = { NULL, &no_queue };
	crypto_mechanism_t m;
	crypto_context_t ctx;
	int i;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");
	CHECK_EQ(crypto_kmflag(NULL), KM_SLEEP);
	CHECK_EQ(crypto_kmflag(&m), KM_SLEEP);
	for (i = 0; i < 2; i++) {
		int want = i == 0 ? KM_SLEEP : KM_NOSLEEP;

		CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);
		CHECK_EQ(xor_seen.req == NULL, i == 0);
		CHECK_EQ(crypto_decrypt(&m, &in, &key, NULL, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);
		CHECK_EQ(crypto_mac(&m, &in, &key, NULL, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);
		CHECK_EQ(crypto_mac_verify(&m, &in, &key, NULL, &out,
		    crqs[i]), CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);

		CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);
		CHECK_EQ(crypto_encrypt_update(ctx, &in, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK(xor_seen.req == NULL);
		CHECK(right_output());
		CHECK_EQ(crypto_encrypt_final(ctx, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK(xor_seen.req == NULL);

		CHECK_EQ(crypto_decrypt_init(&m, &key, NULL, &ctx, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);
		CHECK_EQ(crypto_decrypt_single(ctx, &in, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK(xor_seen.req == NULL);

		CHECK_EQ(crypto_mac_init(&m, &key, NULL, &ctx, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.kmflag, want);
		CHECK_EQ(crypto_mac_update(ctx, &in, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK_EQ(crypto_mac_final(ctx, &out, crqs[i]),
		    CRYPTO_SUCCESS);
		CHECK(xor_seen.req == NULL);
	}
	CHECK_EQ(fk_kcf_contexts(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

static void
test_context_life(void)
{
	static const int keep[] = { CRYPTO_BUFFER_TOO_SMALL, CRYPTO_BUSY,
	    CRYPTO_QUEUED };
	static const int end[] = { CRYPTO_DATA_LEN_RANGE, CRYPTO_INVALID_MAC,
	    CRYPTO_HOST_MEMORY, CRYPTO_FAILED, CRYPTO_KEY_SIZE_RANGE };
	crypto_mechanism_t m;
	crypto_context_t ctx;
	int final;
	size_t i;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");

	for (final = 0; final < 2; final++) {
		xor_return = 0;
		CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
		    CRYPTO_SUCCESS);
		CHECK_EQ(fk_kcf_contexts(), 1);
		for (i = 0; i < sizeof (keep) / sizeof (keep[0]); i++) {
			xor_return = keep[i];
			CHECK_EQ(final ? crypto_encrypt_final(ctx, &out,
			    NULL) : crypto_encrypt_single(ctx, &in, &out,
			    NULL), keep[i]);
			CHECK_EQ(fk_kcf_contexts(), 1);
		}
		/* The retry works, and the provider has freed it itself. */
		xor_return = 0;
		bzero(&xor_seen, sizeof (xor_seen));
		CHECK_EQ(final ? crypto_encrypt_final(ctx, &out, NULL) :
		    crypto_encrypt_single(ctx, &in, &out, NULL),
		    CRYPTO_SUCCESS);
		CHECK_EQ(fk_kcf_contexts(), 0);
		CHECK_EQ(xor_seen.calls[SLOT_FREE], 0);

		for (i = 0; i < sizeof (end) / sizeof (end[0]); i++) {
			xor_return = 0;
			CHECK_EQ(crypto_decrypt_init(&m, &key, NULL, &ctx,
			    NULL), CRYPTO_SUCCESS);
			xor_return = end[i];
			/* No code from update ends a context. */
			CHECK_EQ(crypto_decrypt_update(ctx, &in, &out, NULL),
			    end[i]);
			CHECK_EQ(fk_kcf_contexts(), 1);
			bzero(&xor_seen, sizeof (xor_seen));
			CHECK_EQ(final ? crypto_decrypt_final(ctx, &out,
			    NULL) : crypto_decrypt_single(ctx, &in, &out,
			    NULL), end[i]);
			CHECK_EQ(fk_kcf_contexts(), 0);
			CHECK_EQ(xor_seen.calls[SLOT_FREE], 1);
			CHECK_EQ(fk_kmem_live_blocks(), 0);
		}
		/* Success with the private part still there: freed by KCF. */
		xor_return = 0;
		xor_keep_private = 1;
		CHECK_EQ(crypto_mac_init(&m, &key, NULL, &ctx, NULL),
		    CRYPTO_SUCCESS);
		bzero(&xor_seen, sizeof (xor_seen));
		CHECK_EQ(final ? crypto_mac_final(ctx, &out, NULL) :
		    crypto_mac_single(ctx, &in, &out, NULL), CRYPTO_SUCCESS);
		CHECK_EQ(xor_seen.calls[SLOT_FREE], 1);
		xor_keep_private = 0;
	}

	/* Cancel; and calls without a context. */
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_SUCCESS);
	bzero(&xor_seen, sizeof (xor_seen));
	crypto_cancel_ctx(ctx);
	CHECK_EQ(xor_seen.calls[SLOT_FREE], 1);
	crypto_cancel_ctx(NULL);
	CHECK_EQ(crypto_encrypt_update(NULL, &in, &out, NULL),
	    CRYPTO_INVALID_CONTEXT);
	CHECK_EQ(crypto_mac_final(NULL, &out, NULL), CRYPTO_INVALID_CONTEXT);

	/* A failed init leaves no context; free_context iff private is set. */
	bzero(&xor_seen, sizeof (xor_seen));
	ctx = &ctx;
	xor_return = CRYPTO_MECHANISM_PARAM_INVALID;
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_MECHANISM_PARAM_INVALID);
	CHECK(ctx == &ctx);
	CHECK_EQ(xor_seen.calls[SLOT_FREE], 0);
	xor_keep_private = 1;
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_MECHANISM_PARAM_INVALID);
	CHECK_EQ(xor_seen.calls[SLOT_FREE], 1);
	CHECK_EQ(fk_kcf_contexts(), 0);

	/* A failed allocation in init: the injected failure arrives. */
	xor_return = 0;
	fk_kmem_fail_nth(1);
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, &no_queue),
	    CRYPTO_HOST_MEMORY);
	CHECK_EQ(fk_kcf_contexts(), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

static int zeroed_frees;

static void
count_zeroed(void *arg, const void *block, size_t size)
{
	const uchar_t *p = block;
	size_t i;

	CHECK(arg == &zeroed_frees);
	for (i = 0; i < size && p[i] == 0; )
		i++;
	zeroed_frees += i == size && size == XOR_TEMPLATE_SIZE;
}

static void
test_templates(void)
{
	crypto_mechanism_t m, mac;
	crypto_ctx_template_t t, t2;
	crypto_context_t ctx;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");
	mac = mech("CKM_XOR_MAC");
	CHECK_EQ(crypto_create_ctx_template(&m, &key, NULL, KM_SLEEP),
	    CRYPTO_ARGUMENTS_BAD);
	CHECK_EQ(crypto_create_ctx_template(NULL, &key, &t, KM_SLEEP),
	    CRYPTO_MECHANISM_INVALID);
	CHECK_EQ(crypto_create_ctx_template(&m, &key, &t, KM_NOSLEEP),
	    CRYPTO_SUCCESS);
	CHECK_EQ(xor_seen.kmflag, KM_NOSLEEP);
	CHECK_EQ(xor_seen.type, 77);
	CHECK_EQ(crypto_create_ctx_template(&mac, &key, &t2, KM_SLEEP),
	    CRYPTO_SUCCESS);
	CHECK_EQ(xor_seen.kmflag, KM_SLEEP);
	CHECK_EQ(fk_kmem_live_bytes(), 2 * XOR_TEMPLATE_SIZE);

	CHECK_EQ(crypto_encrypt(&m, &in, &key, t, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK(xor_seen.tmpl == ((kcf_ctx_template_t *)t)->ct_prov_tmpl);
	CHECK_EQ(crypto_encrypt_init(&m, &key, t, &ctx, NULL),
	    CRYPTO_SUCCESS);
	CHECK(xor_seen.tmpl == ((kcf_ctx_template_t *)t)->ct_prov_tmpl);
	crypto_cancel_ctx(ctx);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK(xor_seen.tmpl == NULL);

	/* Another mechanism's template has another generation. */
	bzero(&xor_seen, sizeof (xor_seen));
	CHECK_EQ(crypto_encrypt(&m, &in, &key, t2, &out, NULL),
	    CRYPTO_OLD_CTX_TEMPLATE);
	CHECK_EQ(crypto_mac_init(&mac, &key, t, &ctx, NULL),
	    CRYPTO_OLD_CTX_TEMPLATE);
	CHECK_EQ(xor_seen.calls[SLOT_ATOMIC] + xor_seen.calls[SLOT_INIT], 0);

	/* So has this one's, once the provider is back. */
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, t, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	CHECK_EQ(one.handle, 0);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, t, &out, NULL),
	    CRYPTO_OLD_CTX_TEMPLATE);

	/* KCF clears and frees them, without the provider. */
	fk_kmem_on_free(count_zeroed, &zeroed_frees);
	bzero(&xor_seen, sizeof (xor_seen));
	crypto_destroy_ctx_template(t);
	crypto_destroy_ctx_template(t2);
	crypto_destroy_ctx_template(NULL);
	CHECK_EQ(zeroed_frees, 2);
	CHECK_EQ(xor_seen.calls[SLOT_FREE], 0);
	fk_kmem_on_free(NULL, NULL);

	fk_kmem_fail_nth(1);
	CHECK_EQ(crypto_create_ctx_template(&m, &key, &t, KM_NOSLEEP),
	    CRYPTO_HOST_MEMORY);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

static void
unregister_one(void *arg)
{
	*(int *)arg = xor_module_unregister(&one);
}

static void
test_unregister_blocks(void)
{
	crypto_mechanism_t m;
	crypto_context_t ctx;
	fk_task_t *task;
	fk_mech_t k;
	int rv = -1, i;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, NULL),
	    CRYPTO_SUCCESS);
	task = fk_task_start(unregister_one, &rv);
	for (i = 0; i < 5000 && !fk_kcf_unregistering(); i++)
		fk_sleep_us(1000);
	CHECK(fk_kcf_unregistering());

	/* Hidden from new requests, alive for the old context. */
	CHECK_EQ(fk_kcf_mech("CKM_XOR", &k), 1);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_MECH_NOT_SUPPORTED);
	CHECK_EQ(crypto_encrypt_update(ctx, &in, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK(right_output());
	CHECK_EQ(crypto_unregister_provider(one.handle), CRYPTO_BUSY);
	fk_sleep_us(20000);
	CHECK(!fk_task_done(task));
	CHECK_EQ(fk_kcf_providers(), 1);

	CHECK_EQ(crypto_encrypt_final(ctx, &out, NULL), CRYPTO_SUCCESS);
	fk_task_join(task);
	CHECK_EQ(rv, CRYPTO_SUCCESS);
	CHECK_EQ(fk_kcf_providers(), 0);
	CHECK_CLEAN();
}

static int gate, called_back, back_status;
static void *back_arg;

static void
wait_at_gate(void)
{
	while (!__atomic_load_n(&gate, __ATOMIC_ACQUIRE))
		fk_sleep_us(500);
}

static void
callback(void *arg, int status)
{
	back_arg = arg;
	back_status = status;
	called_back++;
}

static void
test_queued(void)
{
	crypto_call_req_t crq = { CRYPTO_ALWAYS_QUEUE | CRYPTO_SKIP_REQID,
	    callback, &gate, 0 };
	crypto_mechanism_t m;
	crypto_context_t ctx;
	fk_task_t *task;
	int rv = -1, i;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");

	/* A running request holds the provider too. */
	xor_inside = wait_at_gate;
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, &crq),
	    CRYPTO_QUEUED);
	CHECK_EQ(called_back, 0);
	task = fk_task_start(unregister_one, &rv);
	for (i = 0; i < 5000 && !fk_kcf_unregistering(); i++)
		fk_sleep_us(1000);
	fk_sleep_us(5000);
	CHECK(!fk_task_done(task));
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	fk_kcf_drain();
	fk_task_join(task);
	CHECK_EQ(rv, CRYPTO_SUCCESS);
	CHECK_EQ(called_back, 1);
	CHECK_EQ(back_status, CRYPTO_SUCCESS);
	CHECK(back_arg == &gate);
	CHECK_EQ(xor_seen.kmflag, KM_SLEEP);
	CHECK(right_output());

	/*
	 * A step that went well and is not the last calls back only where
	 * the caller wants that.
	 */
	xor_inside = NULL;
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	for (i = 0; i < 2; i++) {
		called_back = 0;
		crq.cr_flag ^= i == 0 ? 0 : CRYPTO_NOTIFY_OPDONE;
		CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, &crq),
		    CRYPTO_QUEUED);
		fk_kcf_drain();
		CHECK_EQ(crypto_encrypt_update(ctx, &in, &out, &crq),
		    CRYPTO_QUEUED);
		fk_kcf_drain();
		CHECK_EQ(called_back, i == 0 ? 0 : 2);
		CHECK_EQ(crypto_encrypt_final(ctx, &out, &crq),
		    CRYPTO_QUEUED);
		fk_kcf_drain();
		CHECK_EQ(called_back, i == 0 ? 1 : 3);
		CHECK_EQ(fk_kcf_contexts(), 0);
	}
	crq.cr_flag ^= CRYPTO_NOTIFY_OPDONE;

	/* A step that did not calls back, and an update keeps the context. */
	called_back = 0;
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, &crq),
	    CRYPTO_QUEUED);
	fk_kcf_drain();
	xor_return = CRYPTO_DATA_LEN_RANGE;
	CHECK_EQ(crypto_encrypt_update(ctx, &in, &out, &crq), CRYPTO_QUEUED);
	fk_kcf_drain();
	CHECK_EQ(called_back, 1);
	CHECK_EQ(back_status, CRYPTO_DATA_LEN_RANGE);
	CHECK_EQ(fk_kcf_contexts(), 1);

	/* Single and final end theirs, whatever they say: no second try. */
	xor_return = CRYPTO_BUFFER_TOO_SMALL;
	CHECK_EQ(crypto_encrypt_final(ctx, &out, &crq), CRYPTO_QUEUED);
	fk_kcf_drain();
	CHECK_EQ(called_back, 2);
	CHECK_EQ(back_status, CRYPTO_BUFFER_TOO_SMALL);
	CHECK_EQ(fk_kcf_contexts(), 0);

	/* An init that fails ends the context that it has handed out. */
	xor_return = CRYPTO_MECHANISM_PARAM_INVALID;
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &ctx, &crq),
	    CRYPTO_QUEUED);
	fk_kcf_drain();
	CHECK_EQ(called_back, 3);
	CHECK_EQ(back_status, CRYPTO_MECHANISM_PARAM_INVALID);
	CHECK_EQ(fk_kcf_contexts(), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

/* What a provider must not come back with, KCF records. */
static void
test_thread_state(void)
{
	crypto_mechanism_t m;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");
	xor_misbehave = 1;
	CHECK_EQ(crypto_encrypt(&m, &in, &key, NULL, &out, NULL),
	    CRYPTO_SUCCESS);
	kpreempt_enable();
	CHECK_VIOLATIONS(FK_V_PREEMPT, 1);
	xor_misbehave = 0;
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

typedef struct hammer {
	int	bad;
	int	own_key;
} hammer_t;

static void
hammer(void *arg)
{
	hammer_t *h = arg;
	uchar_t byte = (uchar_t)h->own_key;
	crypto_key_t k = { .ck_format = CRYPTO_KEY_RAW };
	char buf[16], res[16];
	crypto_data_t i, o;
	crypto_mechanism_t m = mech("CKM_XOR");
	crypto_context_t ctx;
	int n;

	k.ck_length = 8;
	k.ck_data = &byte;
	bzero(buf, sizeof (buf));
	bzero(&i, sizeof (i));
	i.cd_format = CRYPTO_DATA_RAW;
	i.cd_length = i.cd_raw.iov_len = sizeof (buf);
	i.cd_raw.iov_base = buf;
	o = i;
	o.cd_raw.iov_base = res;
	for (n = 0; n < 2000; n++) {
		o.cd_length = sizeof (res);
		h->bad += crypto_encrypt_init(&m, &k, NULL, &ctx, NULL) != 0;
		h->bad += crypto_encrypt_update(ctx, &i, &o, NULL) != 0;
		h->bad += (uchar_t)res[n % 16] != byte;
		h->bad += crypto_encrypt_final(ctx, &o, NULL) != 0;
	}
}

static void
test_threads(void)
{
	fk_task_t *tasks[4];
	hammer_t h[4];
	int i;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	xor_quiet = 1;
	for (i = 0; i < 4; i++) {
		h[i].bad = 0;
		h[i].own_key = 0x11 * (i + 1);
		tasks[i] = fk_task_start(hammer, &h[i]);
	}
	for (i = 0; i < 4; i++) {
		fk_task_join(tasks[i]);
		CHECK_EQ(h[i].bad, 0);
	}
	xor_quiet = 0;
	CHECK_EQ(fk_kcf_contexts(), 0);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

/* Requests and contexts of bench mode are KCF's as any, but uncounted. */
static void
test_bench_mode(void)
{
	crypto_mechanism_t m;
	crypto_ctx_template_t t;
	crypto_context_t early, late;
	fk_slot_t slot;

	fresh();
	xor_module_make(&one, "one");
	CHECK_EQ(xor_module_register(&one, "one"), CRYPTO_SUCCESS);
	m = mech("CKM_XOR");
	CHECK_EQ(crypto_create_ctx_template(&m, &key, &t, KM_SLEEP),
	    CRYPTO_SUCCESS);
	CHECK_EQ(crypto_encrypt_init(&m, &key, NULL, &early, NULL),
	    CRYPTO_SUCCESS);
	fk_bench_mode(1);
	CHECK_EQ(crypto_encrypt(&m, &in, &key, t, &out, NULL),
	    CRYPTO_SUCCESS);
	CHECK(right_output());
	CHECK_EQ(fk_kcf_encrypt_slot(&m, t, &slot), CRYPTO_SUCCESS);
	CHECK_EQ(slot.mech_type, 77);
	CHECK(slot.provider == &one && slot.tmpl == xor_seen.tmpl);
	bzero(out_bytes, sizeof (out_bytes));
	CHECK_EQ(slot.call(slot.provider, 0, &m, &key, &in, &out, slot.tmpl,
	    NULL), CRYPTO_SUCCESS);
	CHECK(right_output());
	m.cm_type = 12345;
	CHECK_EQ(fk_kcf_encrypt_slot(&m, t, &slot), CRYPTO_MECHANISM_INVALID);
	m = mech("CKM_XOR");
	CHECK_EQ(crypto_encrypt_final(early, &out, NULL), CRYPTO_SUCCESS);
	CHECK_EQ(crypto_encrypt_init(&m, &key, t, &late, NULL),
	    CRYPTO_SUCCESS);
	CHECK_EQ(crypto_encrypt_update(late, &in, &out, NULL),
	    CRYPTO_SUCCESS);
	crypto_cancel_ctx(late);
	CHECK_EQ(fk_kcf_contexts(), 0);
	fk_bench_mode(0);
	crypto_destroy_ctx_template(t);
	CHECK_EQ(fk_kmem_live_blocks(), 0);
	CHECK_EQ(xor_module_unregister(&one), CRYPTO_SUCCESS);
	CHECK_CLEAN();
}

void
kcf_test(void)
{
	test_registration();
	test_refused_registration();
	test_first_wins();
	test_policy();
	test_groups_and_slots();
	test_kmflag();
	test_context_life();
	test_templates();
	test_unregister_blocks();
	test_queued();
	test_thread_state();
	test_threads();
	test_bench_mode();
	CHECK_EQ(fk_kcf_providers(), 0);
	CHECK_EQ(fk_kmem_live_bytes(), 0);
}
