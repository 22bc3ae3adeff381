// SPDX-License-Identifier: MIT OR Apache-2.0
//! The userland KCF: declarations of its consumer API (`sys/crypto/api.h`, `sys/crypto/impl.h`) and of its
//! instruments (`fk_test.h`), and the functions that load the module into it.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

use std::ffi::CString;
use std::io::Write as _;
use std::sync::{Once, OnceLock};

use kcfaes_provider::engine::TableId;
use kcfaes_provider::kcf::{crypto_data_t, crypto_key_t, crypto_mech_type_t, crypto_mechanism_t};
#[cfg(debug_assertions)]
use kcfaes_provider::watch::forbid_direct;

/// A consumer's context.
pub type Context = *mut c_void;
/// A consumer's template.
pub type TemplatePtr = *mut c_void;

#[allow(missing_docs, reason = "as sys/crypto/api.h and sys/crypto/impl.h say")]
unsafe extern "C" {
    pub fn crypto_mech2id(name: *const c_char) -> crypto_mech_type_t;
    pub fn crypto_create_ctx_template(
        mech: *mut crypto_mechanism_t,
        key: *mut crypto_key_t,
        template: *mut TemplatePtr,
        kmflag: c_int,
    ) -> c_int;
    pub fn crypto_destroy_ctx_template(template: TemplatePtr);
    pub fn crypto_encrypt(
        mech: *mut crypto_mechanism_t,
        plaintext: *mut crypto_data_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        ciphertext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_encrypt_init(
        mech: *mut crypto_mechanism_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        ctx: *mut Context,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_encrypt_update(
        ctx: Context,
        plaintext: *mut crypto_data_t,
        ciphertext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_encrypt_final(
        ctx: Context,
        ciphertext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_encrypt_single(
        ctx: Context,
        plaintext: *mut crypto_data_t,
        ciphertext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_decrypt(
        mech: *mut crypto_mechanism_t,
        ciphertext: *mut crypto_data_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        plaintext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_decrypt_init(
        mech: *mut crypto_mechanism_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        ctx: *mut Context,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_decrypt_update(
        ctx: Context,
        ciphertext: *mut crypto_data_t,
        plaintext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_decrypt_final(
        ctx: Context,
        plaintext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_decrypt_single(
        ctx: Context,
        ciphertext: *mut crypto_data_t,
        plaintext: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_mac(
        mech: *mut crypto_mechanism_t,
        data: *mut crypto_data_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        mac: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_mac_verify(
        mech: *mut crypto_mechanism_t,
        data: *mut crypto_data_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        mac: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_mac_init(
        mech: *mut crypto_mechanism_t,
        key: *mut crypto_key_t,
        template: TemplatePtr,
        ctx: *mut Context,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_mac_update(ctx: Context, data: *mut crypto_data_t, crq: *mut CallReq) -> c_int;
    pub fn crypto_mac_final(ctx: Context, mac: *mut crypto_data_t, crq: *mut CallReq) -> c_int;
    pub fn crypto_mac_single(
        ctx: Context,
        data: *mut crypto_data_t,
        mac: *mut crypto_data_t,
        crq: *mut CallReq,
    ) -> c_int;
    pub fn crypto_cancel_ctx(ctx: Context);
}

/// How the caller of an asynchronous request is told its result (`sys/crypto/api.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CallReq {
    /// Flags.
    pub cr_flag: u32,
    /// Called with the result of a queued request.
    pub cr_callback_func: Option<unsafe extern "C" fn(*mut c_void, c_int)>,
    /// Its first argument.
    pub cr_callback_arg: *mut c_void,
    /// Set by the framework.
    pub cr_reqid: i64,
}

impl CallReq {
    /// A request that says only that the caller must not sleep.
    pub fn nosleep() -> Self {
        unsafe extern "C" fn done(_: *mut c_void, _: c_int) {}
        Self {
            cr_flag: 0,
            cr_callback_func: Some(done),
            cr_callback_arg: core::ptr::null_mut(),
            cr_reqid: 0,
        }
    }
}

/// Counters of the fake kernel (`fk_stats_t`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs, reason = "as fk_test.h says")]
pub struct Stats {
    pub allocs: u64,
    pub frees: u64,
    pub nosleep_allocs: u64,
    pub failed_allocs: u64,
    pub alloc_bytes: u64,
    pub free_bytes: u64,
    pub holds: u64,
    pub violations: u64,
}

/// What KCF knows about a mechanism (`fk_mech_t`).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "as fk_test.h says")]
pub struct MechanismEntry {
    pub provider: *const c_char,
    pub module: *const c_char,
    pub provider_number: u64,
    pub groups: u32,
    pub min_key: i64,
    pub max_key: i64,
    pub flags: u32,
    pub generation: u32,
    pub spi_version: u32,
    pub vectors: u32,
    pub status: u32,
}

impl MechanismEntry {
    /// What KCF knows now; `None` while the mechanism has no provider.
    pub fn of(name: &CStr) -> Option<Self> {
        let mut entry = core::mem::MaybeUninit::uninit();
        // SAFETY: a C string, and room for the entry, which success fills.
        unsafe {
            (fk_kcf_mech(name.as_ptr(), entry.as_mut_ptr()) == 0).then(|| entry.assume_init())
        }
    }

    /// The provider's description.
    pub fn provider(&self) -> String {
        // SAFETY: a C string that lives as long as the provider is registered.
        unsafe { text(self.provider) }.unwrap_or_default()
    }

    /// The module's name.
    pub fn module(&self) -> String {
        // SAFETY: as above.
        unsafe { text(self.module) }.unwrap_or_default()
    }
}

/// The provider's slot for `encrypt_atomic`, and the arguments that KCF itself adds.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "as fk_test.h says")]
pub struct Slot {
    pub call: Option<
        unsafe extern "C" fn(
            provider: *mut c_void,
            session: u32,
            mech: *mut c_void,
            key: *mut c_void,
            input: *mut c_void,
            output: *mut c_void,
            tmpl: *mut c_void,
            req: *mut c_void,
        ) -> c_int,
    >,
    pub provider: *mut c_void,
    pub mech_type: u64,
    pub tmpl: *mut c_void,
}

impl Default for Slot {
    fn default() -> Self {
        let none = core::ptr::null_mut();
        Self { call: None, provider: none, mech_type: 0, tmpl: none }
    }
}

#[allow(missing_docs, reason = "as fk_test.h says")]
unsafe extern "C" {
    pub fn fk_violations(kind: c_int) -> u64;
    pub fn fk_violation_text(i: c_uint) -> *const c_char;
    pub fn fk_violations_clear();
    pub fn fk_stats_thread(stats: *mut Stats);
    pub fn fk_stats_thread_clear();
    pub fn fk_kmem_live_blocks() -> u64;
    pub fn fk_kmem_live_bytes() -> u64;
    pub fn fk_kmem_check() -> c_uint;
    pub fn fk_kmem_sizes(sizes: *mut usize, max: c_uint) -> c_uint;
    pub fn fk_kmem_sizes_clear();
    pub fn fk_kmem_fail_nth(n: u64);
    pub fn fk_kmem_fail_all(on: c_int);
    pub fn fk_kmem_on_free(
        func: Option<unsafe extern "C" fn(*mut c_void, *const c_void, usize)>,
        arg: *mut c_void,
    );
    pub fn fk_kmem_quarantine(blocks: c_uint);
    pub fn fk_set_interrupt(on: c_int);
    pub fn fk_set_kfpu(on: c_int);
    pub fn fk_set_cr0_ts(on: c_int);
    pub fn fk_cr0_ts() -> c_int;
    pub fn fk_preempt_depth() -> c_int;
    pub fn fk_fpu_canary(on: c_int);
    pub fn fk_bench_mode(on: c_int);
    pub fn fk_host_features() -> u64;
    pub fn fk_set_features(mask: u64);
    pub fn fk_log_count() -> c_uint;
    pub fn fk_log_line(i: c_uint) -> *const c_char;
    pub fn fk_log_find(text: *const c_char) -> c_uint;
    pub fn fk_log_clear();
    pub fn fk_module_load(name: *const c_char, init: unsafe extern "C" fn() -> c_int) -> c_int;
    pub fn fk_module_unload(name: *const c_char, fini: unsafe extern "C" fn() -> c_int) -> c_int;
    pub fn fk_policy_disable(module: *const c_char, mech: *const c_char);
    pub fn fk_policy_clear();
    pub fn fk_kcf_providers() -> c_uint;
    pub fn fk_kcf_contexts() -> c_uint;
    pub fn fk_kcf_unregistering() -> c_int;
    pub fn fk_kcf_mech(name: *const c_char, mech: *mut MechanismEntry) -> c_int;
    pub fn fk_kcf_encrypt_slot(mech: *mut c_void, tmpl: TemplatePtr, slot: *mut Slot) -> c_int;
    pub fn fk_mod_install_error(error: c_int);
    pub fn fk_mod_remove_error(error: c_int);
    fn fk_kstat_read(
        module: *const c_char,
        name: *const c_char,
        each: extern "C" fn(*mut c_void, *const c_char, u64, *const c_char),
        arg: *mut c_void,
    ) -> c_int;
    pub fn fk_kstat_value(
        module: *const c_char,
        name: *const c_char,
        statistic: *const c_char,
    ) -> u64;
    pub fn fk_kstat_text(
        module: *const c_char,
        name: *const c_char,
        statistic: *const c_char,
    ) -> *const c_char;
    /// A tunable of the module, which its `_init` reads.
    pub static mut kcfaes_table_max: c_uint;
    pub static mut kcfaes_hold_bytes: c_uint;
    pub static mut kcfaes_light_bytes: c_uint;
    pub static mut kcfaes_gcm_stream: c_uint;
    /// The module's `_init`.
    pub fn kcfaes_module_init() -> c_int;
    /// The module's `_fini`.
    pub fn kcfaes_module_fini() -> c_int;
}

/// Not a kind of violation: [`fk_violations`] takes it for "all".
const ALL_KINDS: c_int = -1;

/// Loads the module as `kcfaes`, once per process, without light holds but where nothing else is allowed: so
/// the table that a test forces serves its short calls too.
///
/// # Panics
/// If `_init` fails.
pub fn load() {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        // SAFETY: a tunable, read by `_init` only; the name is a C string and `_init` is the module's.
        let error = unsafe {
            kcfaes_light_bytes = 0;
            fk_module_load(c"kcfaes".as_ptr(), kcfaes_module_init)
        };
        assert_eq!(error, 0, "_init failed: {:?}", log());
    });
}

/// Unloads the module; returns `_fini`'s errno.
pub fn unload() -> c_int {
    // SAFETY: the name is a C string and `_fini` is the module's.
    unsafe { fk_module_unload(c"kcfaes".as_ptr(), kcfaes_module_fini) }
}

/// The kernel log.
pub fn log() -> Vec<String> {
    // SAFETY: lines are NULL or C strings that stay.
    unsafe { (0..fk_log_count()).filter_map(|i| text(fk_log_line(i))).collect() }
}

/// What the fake kernel caught. On a real kernel each would panic, hang or corrupt state.
pub fn violations() -> Vec<String> {
    // SAFETY: texts are NULL or C strings that stay.
    unsafe {
        let n = fk_violations(ALL_KINDS);
        let kept = (0..n.min(32) as c_uint).filter_map(|i| text(fk_violation_text(i)));
        kept.collect()
    }
}

/// # Safety
/// NULL or a C string.
unsafe fn text(at: *const c_char) -> Option<String> {
    // SAFETY: the caller's contract.
    (!at.is_null()).then(|| unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned())
}

/// This thread's counters since [`clear_stats`].
pub fn stats() -> Stats {
    let mut stats = Stats::default();
    // SAFETY: the struct is `fk_stats_t`.
    unsafe { fk_stats_thread(&mut stats) };
    stats
}

/// Proves two things when it is settled: what this thread has allocated since `begin` is free again, and
/// the fake kernel caught no violation.
pub struct Ledger(());

impl Ledger {
    /// Begins with this thread's counters at zero.
    pub fn begin() -> Self {
        load();
        clear_stats();
        Self(())
    }

    /// # Panics
    /// If a block is left, or the fake kernel caught something.
    pub fn settle(self) {
        let stats = stats();
        assert_eq!(stats.violations, 0, "{:?}", violations());
        assert_eq!(
            (stats.allocs, stats.alloc_bytes),
            (stats.frees, stats.free_bytes),
            "blocks left"
        );
    }
}

/// Sets this thread's counters to zero.
pub fn clear_stats() {
    // SAFETY: no precondition.
    unsafe { fk_stats_thread_clear() }
}

/// Runs `f` as if servicing an interrupt, with CR0.TS as given.
pub fn in_interrupt<T>(ts: bool, f: impl FnOnce() -> T) -> T {
    // SAFETY: per-thread flags of the fake kernel.
    unsafe {
        let before = fk_cr0_ts();
        fk_set_interrupt(1);
        fk_set_cr0_ts(ts.into());
        let result = f();
        assert_eq!(fk_cr0_ts(), c_int::from(ts), "CR0.TS after the call");
        fk_set_cr0_ts(before);
        fk_set_interrupt(0);
        result
    }
}

/// The table that a call would use now, according to the module's kstat.
pub fn table_in_use() -> String {
    // SAFETY: C strings; the result is NULL or stays while the module is loaded.
    unsafe { text(fk_kstat_text(c"kcfaes".as_ptr(), c"stats".as_ptr(), c"table".as_ptr())) }
        .expect("kstat kcfaes:0:stats")
}

/// A number of the module's kstat.
///
/// # Panics
/// If it has none of that name.
pub fn statistic(name: &str) -> u64 {
    let c_name = CString::new(name).expect("a name");
    // SAFETY: C strings.
    let value = unsafe { fk_kstat_value(c"kcfaes".as_ptr(), c"stats".as_ptr(), c_name.as_ptr()) };
    assert_ne!(value, u64::MAX, "no statistic {name}");
    value
}

/// The names in the module's kstat, in their order.
///
/// # Panics
/// If it cannot be read.
pub fn statistics() -> Vec<String> {
    extern "C" fn push(names: *mut c_void, name: *const c_char, _: u64, _: *const c_char) {
        // SAFETY: `names` below, which nothing else uses during the call, and a C string.
        unsafe { (*names.cast::<Vec<String>>()).extend(text(name)) }
    }
    let mut names: Vec<String> = Vec::new();
    let at = (&raw mut names).cast();
    // SAFETY: C strings; `push` takes what `at` is.
    let error = unsafe { fk_kstat_read(c"kcfaes".as_ptr(), c"stats".as_ptr(), push, at) };
    assert_eq!(error, 0);
    names
}

/// Loads the module again with `table` as the highest it may use. Returns whether it uses that table, which
/// it does if the CPU has it.
///
/// # Panics
/// If the module cannot be unloaded or loaded.
pub fn reload(table: TableId) -> bool {
    load();
    assert_eq!(unload(), 0, "_fini: {:?}", log());
    // SAFETY: a tunable, read by `_init` only; the name is a C string and `_init` is the module's.
    let error = unsafe {
        kcfaes_table_max = table as c_uint;
        fk_module_load(c"kcfaes".as_ptr(), kcfaes_module_init)
    };
    assert_eq!(error, 0, "_init: {:?}", log());
    table_in_use() == table.name()
}

/// Does `work` twice: once as callers do, and once with all of this thread's messages on the general path.
/// Builds without debug assertions have no such switch.
#[cfg(debug_assertions)]
pub fn on_both_paths(mut work: impl FnMut()) {
    for forbidden in [false, true] {
        forbid_direct(forbidden);
        work();
    }
    forbid_direct(false);
}

/// The tables that this CPU has, slowest first. KCFAES_TABLES can name the expected ones, separated by
/// commas. If it does not, the missing ones are printed where a test's output is not captured: a test that
/// did not run has not passed.
///
/// # Panics
/// * If KCFAES_TABLES is set and names other tables.
/// * If it is not set and `aesni` is missing.
/// * If the CPU has all features that a table needs, and the table is missing.
pub fn tables() -> &'static [TableId] {
    static TABLES: OnceLock<Vec<TableId>> = OnceLock::new();
    TABLES.get_or_init(|| {
        load();
        let here: Vec<_> = TableId::ALL.into_iter().filter(|&table| chosen::has(table)).collect();
        let known = std::env::var("KCFAES_TABLES").ok();
        if let Some(known) = &known {
            let names: Vec<_> = here.iter().map(|table| table.name()).collect();
            assert_eq!(names.join(","), *known, "the tables of this CPU");
        }
        for table in TableId::ALL {
            let (name, lacking) = (table.name(), lacking(table).join(", "));
            assert_eq!(here.contains(&table), lacking.is_empty(), "{name}, lacking [{lacking}]");
            if !lacking.is_empty() && known.is_none() {
                assert!(table > TableId::Aesni, "this CPU lacks {lacking}");
                let line = format!("NOT RUN: table {name}: this CPU lacks {lacking}\n");
                _ = std::io::stderr().write_all(line.as_bytes());
            }
        }
        here
    })
}

/// The features that a table's instructions need and this CPU lacks.
fn lacking(table: TableId) -> Vec<&'static str> {
    macro_rules! features {
        ($($name:tt)*) => { vec![$(($name, std::arch::is_x86_feature_detected!($name))),*] };
    }
    let mut features = match table {
        TableId::Portable => vec![],
        TableId::Aesni => features!["aes" "pclmulqdq" "ssse3" "sse4.1"],
        TableId::Vaes256 => features!["avx" "avx2" "vaes" "vpclmulqdq"],
        TableId::Vaes512 => features!["bmi2" "avx512f" "avx512bw" "avx512vl"],
    };
    features.retain(|&(_, has)| !has);
    let below = match table {
        TableId::Portable | TableId::Aesni => vec![],
        TableId::Vaes256 => lacking(TableId::Aesni),
        TableId::Vaes512 => lacking(TableId::Vaes256),
    };
    below.into_iter().chain(features.into_iter().map(|(name, _)| name)).collect()
}

/// Makes every later call of the process use `table`. A built module is loaded again, so nothing of it may
/// be alive.
///
/// # Panics
/// If this CPU does not have it.
pub fn use_table(table: TableId) {
    assert!(chosen::set(table), "no {} here", table.name());
}

#[cfg(not(kcfaes_object))]
mod chosen {
    use kcfaes_provider::engine::{TableId, force};

    pub(super) fn has(table: TableId) -> bool {
        table.available()
    }

    pub(super) fn set(table: TableId) -> bool {
        force(Some(table))
    }
}

/// Only its tunable tells a built module which table to use.
#[cfg(kcfaes_object)]
mod chosen {
    pub(super) use super::reload as has;
    pub(super) use super::reload as set;
}
