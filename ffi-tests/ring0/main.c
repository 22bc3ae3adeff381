/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The run registers the module through its _init, once for each table as the
 * highest that it may use, without light holds but where nothing else is
 * allowed, and once as it is by default.  The module serves the vector table
 * from the thread.
 * Meanwhile the timer's interrupts call it too, wherever they fall: inside a
 * hold of the code they interrupt (TS clear) or outside one (TS set).  Around
 * each call in an interrupt the vector state and TS are compared.
 */

#include <sys/cmn_err.h>
#include <sys/disp.h>
#include <sys/kfpu.h>
#include <sys/kmem.h>
#include <sys/modctl.h>
#include <sys/systm.h>
#include <sys/crypto/api.h>

#include "fk_impl.h"
#include "kcfaes_impl.h"
#include "kcfaes_module.h"
#include "ring0.h"

#define	SHOWN		10	/* failures */
#define	THREADS_VALUE	0x1122334455667788ull
#define	GUESTS_VALUE	0x99aabbccddeeff00ull
#define	USERS_VALUE	0x0f1e2d3c4b5a6978ull

/* One in EVERY_* of the ticks inside or outside holds calls the provider. */
#define	EVERY_INSIDE	16
#define	EVERY_OUTSIDE	256

#define	PORTABLE	0	/* the table without holds */
#define	AESNI		1	/* the table of light holds */

/* The least number of vectors that a table must run. */
#define	VECTORS		500

extern uint_t kcfaes_table_max, kcfaes_hold_bytes, kcfaes_light_bytes;
extern void fk_xmm_fill(uint64_t);

static uint_t now;		/* the table under test */
static const char *name;	/* its name */
static uint64_t passes, failures;
static int loaded;

/* By TS: 0 clear, the interrupted code holds the FPU; 1 set. */
static uint64_t seen[2], called[2];
static uint64_t nested;

/*
 * A guest's registers are loaded, TS is set, and XCR0 is the guest's.  A
 * hypervisor's thread has this state just before it enters the guest.
 */
static int guest_is_live;

/* The thread, and the ticks that found it in a hold. */
static kthread_t *thread;
static volatile uint64_t found_in_hold;
static uint64_t guests, registers_lost;

void
check(int ok, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (ok) {
		(void) __atomic_add_fetch(&passes, 1, __ATOMIC_RELAXED);
		return;
	}
	if (__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED) > SHOWN)
		return;
	va_start(ap, fmt);
	(void) fk_vsnprintf(text, sizeof (text), fmt, ap);
	va_end(ap);
	fk_printf("FAILED: %s\n", text);
}

uint64_t
failed(void)
{
	return (failures);
}

/* Which of xmm0-15 differ between two images. */
static uint_t
registers_changed(const image_t *a, const image_t *b)
{
	uint_t changed = 0, i;

	for (i = 0; i < IMAGE_XMM_BYTES; i += 16) {
		changed += bcmp(a->bytes + IMAGE_XMM + i,
		    b->bytes + IMAGE_XMM + i, 16) != 0;
	}
	return (changed);
}

/*
 * Calls func in an interrupt.  The call begins with interrupts off; the first
 * level turns them on.  The registers are somebody's with TS clear and with TS
 * set, so every bit must come back.
 */
static void
guarded(void (*func)(void *), void *arg)
{
	static image_t before[LEVELS], after[LEVELS];
	image_t *b = &before[level], *a = &after[level];
	uint_t flag = curthread->t_flag;
	int ts = fpu_ts();

	if (ts && !guest_is_live)
		fpu_fill(GUESTS_VALUE);
	fpu_image(b);
	fk_set_interrupt(1);
	if (level == 1) {
		timer_arm();
		interrupts_on();
	}
	func(arg);
	interrupts_off();
	check(fpu_ts() == ts, "an interrupt found TS %d and left it %d", ts,
	    !ts);
	fpu_image(a);
	check(bcmp(b, a, sizeof (*b)) == 0,
	    "an interrupt with TS %d changed vector registers", ts);
	check(curthread->t_flag == flag, "an interrupt changed T_KFPU");
	called[ts]++;
	nested += level > 1;
}

/* What a thread or an interrupt wants its next interrupt to call. */
static void (*volatile job)(void *);
static void *volatile job_arg;
static volatile unsigned job_level;

static void
in_interrupt(void (*func)(void *), void *arg)
{
	job_arg = arg;
	job_level = level + 1;
	job = func;
	while (job != NULL)
		continue;
}

void
tick(void)
{
	void (*wanted)(void *) = job;
	int ts = fpu_ts();

	seen[ts]++;
	found_in_hold += (thread->t_flag & T_KFPU) != 0;
	if (wanted != NULL && level == job_level) {
		job = NULL;
		guarded(wanted, job_arg);
	} else if (loaded && seen[ts] % (ts ? EVERY_OUTSIDE : EVERY_INSIDE) ==
	    0) {
		guarded(vectors_short, NULL);
	}
}

/* A message that thread and interrupt work on together. */
#define	TEXT		40001	/* longer than a hold may be */
#define	TAG		16

static struct message {
	crypto_mechanism_t mech;
	crypto_key_t key;
	CK_AES_GCM_PARAMS param;
	crypto_ctx_template_t template;
	crypto_context_t ctx;
	size_t from, to, written;
	int rv;
} message;

static uint8_t text[TEXT], sealed[TEXT + TAG], again[TEXT + TAG];
static uint8_t secret[32], iv[12];

static crypto_data_t
raw(uint8_t *at, size_t offset, size_t len)
{
	crypto_data_t d;

	bzero(&d, sizeof (d));
	d.cd_format = CRYPTO_DATA_RAW;
	d.cd_offset = (off_t)offset;
	d.cd_length = len;
	d.cd_raw.iov_base = (caddr_t)at;
	d.cd_raw.iov_len = offset + len;
	return (d);
}

static void
seal_again(void *arg)
{
	struct message *m = arg;
	crypto_data_t in = raw(text, 0, TEXT);
	crypto_data_t out = raw(again, 0, TEXT + TAG);

	(void) memset(again, 0, sizeof (again));
	m->rv = crypto_encrypt(&m->mech, &in, &m->key, m->template, &out,
	    NULL);
}

static void
right_again(const char *where)
{
	check(message.rv == CRYPTO_SUCCESS &&
	    bcmp(sealed, again, sizeof (sealed)) == 0,
	    "%s: %s: 0x%x", name, where, message.rv);
}

static void
seal_part(void *arg)
{
	struct message *m = arg;
	crypto_data_t in = raw(text, m->from, m->to - m->from);
	crypto_data_t out = raw(again, m->written, TEXT + TAG - m->written);

	m->rv |= crypto_encrypt_update(m->ctx, &in, &out, NULL);
	m->written += out.cd_length;
	m->from = m->to;
}

/* Calls func in an interrupt of a thread that holds the FPU. */
static void
in_hold(void (*func)(void *), void *arg)
{
	kpreempt_disable();
	kernel_fpu_begin(NULL, KFPU_NO_STATE);
	fpu_fill(THREADS_VALUE);
	in_interrupt(func, arg);
	fpu_fill(0);
	kernel_fpu_end(NULL, KFPU_NO_STATE);
	kpreempt_enable();
}

/*
 * Calls func in an interrupt between a hypervisor's load of its guest's
 * registers and its entry into the guest.
 */
static void
in_guest(void (*func)(void *), void *arg)
{
	static image_t before, after;

	fpu_fill(GUESTS_VALUE);
	fpu_image(&before);
	guest_is_live = 1;
	fpu_guest_xcr0(1);
	in_interrupt(func, arg);
	fpu_guest_xcr0(0);
	guest_is_live = 0;
	check(fpu_ts(), "%s: TS was clear when a guest was entered", name);
	fpu_image(&after);
	registers_lost += registers_changed(&before, &after);
	check(bcmp(&before, &after, sizeof (before)) == 0,
	    "%s: a guest lost vector registers", name);
	guests++;
}

/*
 * Interrupts this interrupt: outside a hold, and inside one that this interrupt
 * has borrowed from the provider's environment.
 */
static void
nest(void *arg)
{
	struct kcfaes_hold hold;
	struct message *m = arg;

	in_interrupt(seal_again, m);
	right_again("nested, outside a hold");
	if (now == PORTABLE)
		return;
	kcfaes_env_hold(&hold, 1);
	fk_xmm_fill(THREADS_VALUE);	/* a borrower has only xmm */
	in_interrupt(seal_again, m);
	right_again("nested, inside a hold");
	kcfaes_env_release(&hold);
}

/* Calls func from a thread that is inside its own FPU section. */
static void
in_own_section(void (*func)(void *), void *arg)
{
	static image_t before, after;

	fpu_set_ts(0);
	fk_set_kfpu(1);
	fpu_fill(THREADS_VALUE);
	fpu_image(&before);
	func(arg);
	check(!fpu_ts(), "a thread in its own FPU section lost it");
	fpu_image(&after);
	check(bcmp(&before, &after, sizeof (before)) == 0,
	    "a thread in its own FPU section lost vector registers");
	fpu_fill(0);
	fk_set_kfpu(0);
	fpu_set_ts(1);
}

/* A short message, which threads of any kind send while interrupts fall. */
#define	SHORTEST	64
#define	LONGEST		512
#define	CALLS		256	/* at least, until a tick has fallen in a hold */
#define	MOST_CALLS	65536

static uint8_t sealed_short[LONGEST + TAG];

static void
seal_short(size_t len, uint8_t *to)
{
	struct message *m = &message;
	crypto_data_t in = raw(text, 0, len);
	crypto_data_t out = raw(to, 0, len + TAG);

	m->rv = crypto_encrypt(&m->mech, &in, &m->key, m->template, &out,
	    NULL);
}

/*
 * Sends short messages from a thread whose registers have this pattern: one with
 * user state (TS clear), one without (TS set), or a hypervisor's, whose guest's
 * registers and XCR0 are loaded.  Every bit comes back, TS and T_KFPU too.
 */
static void
in_thread(const char *who, uint64_t pattern, int ts, int guest)
{
	static image_t before, after;
	uint64_t found = found_in_hold;
	size_t len;
	uint_t i;

	loaded = 1;
	for (i = 0; i < CALLS || (i < MOST_CALLS && now != PORTABLE &&
	    found_in_hold == found); i++) {
		len = SHORTEST + i % (LONGEST - SHORTEST);
		seal_short(len, sealed_short);	/* with registers of its own */
		check(message.rv == CRYPTO_SUCCESS, "%s: 0x%x", who,
		    message.rv);
		(void) memset(again, 0, len + TAG);
		interrupts_off();
		fpu_set_ts(ts);
		fpu_fill(pattern);
		fpu_image(&before);
		guest_is_live = guest;
		fpu_guest_xcr0(guest);
		interrupts_on();
		seal_short(len, again);
		interrupts_off();
		fpu_guest_xcr0(0);
		guest_is_live = 0;
		check(fpu_ts() == ts, "%s: TS was %d and is %d", who, ts,
		    !ts);
		fpu_image(&after);
		check(bcmp(&before, &after, sizeof (before)) == 0,
		    "%s lost vector registers", who);
		check(!(curthread->t_flag & T_KFPU), "%s: T_KFPU is set", who);
		fpu_set_ts(1);
		interrupts_on();
		check(message.rv == CRYPTO_SUCCESS &&
		    bcmp(again, sealed_short, len + TAG) == 0,
		    "%s: %lu bytes: 0x%x", who, len, message.rv);
	}
	loaded = 0;
	check(found_in_hold > found || now == PORTABLE,
	    "%s: no tick in a light hold", who);
}

/* Every context that a call can come from, with one template. */
static void
contexts(int light)
{
	struct message *m = &message;
	crypto_data_t out;
	size_t i;

	for (i = 0; i < TEXT; i++)
		text[i] = (uint8_t)(i * 7 + (i >> 8));
	for (i = 0; i < sizeof (secret); i++)
		secret[i] = (uint8_t)(i * 11 + 1);
	bzero(m, sizeof (*m));
	m->param.pIv = iv;
	m->param.ulIvLen = sizeof (iv);
	m->param.ulTagBits = TAG * 8;
	m->mech.cm_type = crypto_mech2id(SUN_CKM_AES_GCM);
	m->mech.cm_param = (caddr_t)&m->param;
	m->mech.cm_param_len = sizeof (m->param);
	m->key.ck_format = CRYPTO_KEY_RAW;
	m->key.ck_length = sizeof (secret) * 8;
	m->key.ck_data = secret;
	m->rv = crypto_create_ctx_template(&m->mech, &m->key, &m->template,
	    KM_SLEEP);
	check(m->rv == CRYPTO_SUCCESS, "%s: template: 0x%x", name, m->rv);

	if (light) {
		in_thread("a thread with user state", USERS_VALUE, 0, 0);
		in_thread("a thread without", GUESTS_VALUE, 1, 0);
		in_thread("a hypervisor's thread", GUESTS_VALUE, 1, 1);
	}
	seal_again(m);
	(void) memcpy(sealed, again, sizeof (sealed));
	right_again("in the thread");
	in_interrupt(seal_again, m);
	right_again("in an interrupt outside a hold");
	in_hold(seal_again, m);
	right_again("in an interrupt inside a hold");
	in_guest(seal_again, m);
	right_again("in an interrupt with a guest's registers live");
	in_own_section(seal_again, m);
	right_again("in a thread inside its own FPU section");
	in_interrupt(nest, m);
	in_hold(nest, m);

	/* One message begun, continued and ended in different contexts. */
	m->rv = crypto_encrypt_init(&m->mech, &m->key, m->template, &m->ctx,
	    NULL);
	(void) memset(again, 0, sizeof (again));
	m->to = TEXT / 4;
	seal_part(m);
	m->to = TEXT / 2;
	in_interrupt(seal_part, m);
	m->to = TEXT / 4 * 3;
	in_hold(seal_part, m);
	m->to = TEXT;
	seal_part(m);
	out = raw(again, m->written, TEXT + TAG - m->written);
	m->rv |= crypto_encrypt_final(m->ctx, &out, NULL);
	right_again("in parts from thread and interrupts");
	crypto_destroy_ctx_template(m->template);
}

/*
 * The table, and no higher one, served each mechanism in the thread.  With
 * light holds aesni served the short calls; MACs may have no others.
 */
static void
check_served(int light)
{
	static const char *const mechs[] = { "ecb", "cbc", "ctr", "ccm",
	    "gcm", "gmac", "cmac" };
	const uint_t macs = 5;
	uint_t least = light && now > AESNI ? AESNI : now;
	char statistic[32];
	uint64_t calls;
	uint_t i, table;

	for (i = 0; i < sizeof (mechs) / sizeof (mechs[0]); i++) {
		for (table = least; table < KCFAES_TABLES; table++) {
			int serves = table == now || table == least;

			if (table == now && now != least && i >= macs)
				continue;

			(void) snprintf(statistic, sizeof (statistic),
			    "%s_%s_ops", mechs[i],
			    kcfaes_module_table_name(table));
			calls = fk_kstat_value("kcfaes", "stats", statistic);
			check((calls > 0) == serves, "%s: %s is %lu", name,
			    statistic, calls);
		}
	}
}

/*
 * Serves the vector table and every context with the loaded module, whose best
 * table is this one.
 */
static void
serve(uint_t table, int light, uint64_t time)
{
	uint64_t begin = passes, inside = seen[0], longest;
	fk_stats_t stats[2];
	unsigned vectors, digests;

	now = table;
	fk_stats_global(&stats[0]);
	loaded = 1;
	vectors = vectors_all(name, &digests);
	loaded = 0;
	fk_stats_global(&stats[1]);
	inside = seen[0] - inside;
	contexts(light);

	check_served(light);
	longest = fk_kstat_value("kcfaes", "stats", "longest_hold_ticks");
	check((longest == 0) == (table == PORTABLE), "%s: a hold of %lu ticks",
	    name, longest);
	stats[1].holds -= stats[0].holds;
	check((stats[1].holds == 0) == (table == PORTABLE), "%s: %lu holds",
	    name, stats[1].holds);
	check(inside > 0 || table == PORTABLE, "%s: no tick in a hold", name);
	check(vectors >= VECTORS && digests > 0, "%s: %u vectors, %u digests",
	    name, vectors, digests);
	fk_printf("%s: %u vectors, %u of them wide by digest, %lu checks, "
	    "%lu holds of the kernel's, the longest of %lu ticks; _init %lu "
	    "cycles\n", name, vectors, digests, passes - begin,
	    stats[1].holds, longest, time);
	check(fk_kcf_contexts() == 0, "%s: contexts are left", name);
}

static void
unload(void)
{
	int error = fk_module_unload("kcfaes", _fini);

	check(error == 0, "%s: _fini: %d", name, error);
	check(fk_kmem_live_bytes() == 0, "%s: %lu bytes live after _fini",
	    name, fk_kmem_live_bytes());
	(void) fk_kmem_print_live();
}

/* Loads the module under this name.  Whether it loads, and its cycles. */
static int
load(const char *as, uint64_t *time)
{
	int error;

	name = as;
	*time = cycles();
	error = fk_module_load("kcfaes", _init);
	*time = cycles() - *time;
	check(error == 0, "%s: _init: %d", name, error);
	return (error == 0);
}

static void
run_table(uint_t table)
{
	uint64_t time;

	kcfaes_table_max = table;
	kcfaes_light_bytes = 0;
	if (!load(kcfaes_module_table_name(table), &time))
		return;
	if (kcfaes_module_table() == table)
		serve(table, 0, time);
	else
		fk_printf("%s: not on this processor\n", name);
	unload();
}

/* Reports the table that the module chooses by default, and serves with it. */
static void
run_default(void)
{
	uint64_t time;

	kcfaes_table_max = KCFAES_TABLES;
	kcfaes_light_bytes = KCFAES_LIGHT_BYTES;
	if (!load("automatic", &time))
		return;
	fk_printf("%s: %s\n", name,
	    kcfaes_module_table_name(kcfaes_module_table()));
	name = "light";
	serve(kcfaes_module_table(), 1, time);
	unload();
}

static void
light_hold(void)
{
	struct kcfaes_hold hold;

	kcfaes_env_hold(&hold, 1);
	kcfaes_env_release(&hold);
}

static void
nothing(void)
{
}

/*
 * The instructions and the shortest of many times of a light hold and its end,
 * and of what the kernel's does to the registers.  More than half of a light
 * hold's instructions are this kernel's own, which has functions where illumos
 * has a load from %gs.  An XSAVE is one instruction, whatever time it takes.
 */
static void
measure(void)
{
	static const struct {
		const char *name;
		void (*work)(void);
		int ts;
	} ways[] = {
		{ "nothing", nothing, 0 },
		{ "light hold, TS clear", light_hold, 0 },
		{ "light hold, TS set", light_hold, 1 },
		{ "xsave, xrstor, xrstor", fpu_save_and_restore, 0 },
	};
	uint64_t none = 0, count, best, time;
	unsigned way, i;

	interrupts_off();
	for (way = 0; way < sizeof (ways) / sizeof (ways[0]); way++) {
		fpu_set_ts(ways[way].ts);
		best = UINT64_MAX;
		for (i = 0; i < 64; i++) {
			time = cycles();
			ways[way].work();
			time = cycles() - time;
			best = time < best ? time : best;
		}
		count = steps;
		step_on();
		ways[way].work();
		step_off();
		count = steps - count;
		if (way == 0)
			none = count;
		else
			fk_printf("%s: %lu instructions, %lu cycles "
			    "(emulated)\n", ways[way].name, count - none,
			    best);
	}
	fpu_set_ts(1);
	interrupts_on();
}

void
ring0_main(void)
{
	uint_t i;

	thread = curthread;
	machine_init();
	fpu_report();
	fk_log_echo(1);
	fk_fpu_canary(1);

	check(probe_locals_survive(&ticks), "an interrupt overwrote the "
	    "locals of a leaf function");
	check(probe_copy(), "a copy is wrong");

	for (i = 0; i < KCFAES_TABLES; i++)
		run_table(i);
	run_default();
	check(fk_log_find("self-test") == 0, "a self-test failed");
	measure();

	check(called[1] > 0 && nested > 0, "no call outside a hold, or none "
	    "in an interrupt of an interrupt");
	check(fpu_ts(), "TS is clear at the end");
	check(fk_violations(FK_V_KINDS) == 0, "%lu violations, the first: %s",
	    fk_violations(FK_V_KINDS), fk_violation_text(0));
	fk_printf("%lu interrupts: %lu inside a hold, %lu of them called the "
	    "provider; %lu outside, %lu called; %lu nested calls\n", ticks,
	    seen[0], called[0], seen[1], called[1], nested);
	fk_printf("%lu guests, %lu of their registers lost\n", guests,
	    registers_lost);
	fk_printf("0 #NM, %lu violations, %lu bytes live\n",
	    fk_violations(FK_V_KINDS), fk_kmem_live_bytes());
	fk_printf("ring 0: %lu passed, %lu failed\n", passes, failures);
	machine_exit(failures == 0);
}
