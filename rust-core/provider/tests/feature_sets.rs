// SPDX-License-Identifier: MIT OR Apache-2.0
//! CPUs that nobody has. The environment is this program's own: it names every one of the 4,096 sets of
//! features, in process context and in an interrupt, on a model of processor that suits 512-bit registers
//! and on one that does not. The table that is chosen has every feature that it needs, and is the best
//! one that has. The self-test runs on a sample of sets that this CPU includes.
#![cfg(target_arch = "x86_64")]

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use kcfaes_provider::engine::{TableId, force, probe, select};
use kcfaes_provider::env::{self, kcfaes_hold, kcfaes_stats};
use kcfaes_provider::selftest::{self, Scratch};

static FEATURES: AtomicU32 = AtomicU32::new(0);
static INTERRUPT: AtomicI32 = AtomicI32::new(0);
static SIGNATURE: AtomicU32 = AtomicU32::new(0);
/// Holds taken and not given back.
static HOLDS: AtomicI32 = AtomicI32::new(0);

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_features() -> u32 {
    FEATURES.load(Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_signature() -> u32 {
    SIGNATURE.load(Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_in_interrupt() -> c_int {
    INTERRUPT.load(Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_hold(_hold: *mut kcfaes_hold, _light: c_int) {
    assert_eq!(HOLDS.fetch_add(1, Relaxed), 0, "a hold in a hold");
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_release(_hold: *mut kcfaes_hold) {
    assert_eq!(HOLDS.fetch_sub(1, Relaxed), 1, "no hold");
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_stats() -> *mut kcfaes_stats {
    core::ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_kmflag(_req: *mut c_void) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_alloc(_size: usize, _kmflag: c_int) -> *mut c_void {
    core::ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_free(_ptr: *mut c_void, _size: usize) {}

/// Every feature, with the first table that needs it; the tables above it need it too.
const NEEDED: [(u32, TableId); 12] = [
    (env::FEATURE_AES, TableId::Aesni),
    (env::FEATURE_PCLMULQDQ, TableId::Aesni),
    (env::FEATURE_SSSE3, TableId::Aesni),
    (env::FEATURE_SSE41, TableId::Aesni),
    (env::FEATURE_AVX, TableId::Vaes256),
    (env::FEATURE_AVX2, TableId::Vaes256),
    (env::FEATURE_VAES, TableId::Vaes256),
    (env::FEATURE_VPCLMULQDQ, TableId::Vaes256),
    (env::FEATURE_BMI2, TableId::Vaes512),
    (env::FEATURE_AVX512F, TableId::Vaes512),
    (env::FEATURE_AVX512BW, TableId::Vaes512),
    (env::FEATURE_AVX512VL, TableId::Vaes512),
];

/// All features that a table needs.
fn needed(table: TableId) -> u32 {
    NEEDED.iter().filter(|(_, first)| *first <= table).fold(0, |all, (bit, _)| all | bit)
}

/// The bits of the 12 features, each set once.
fn sets() -> impl Iterator<Item = u32> {
    let all = needed(TableId::Vaes512);
    assert_eq!((all.count_ones(), all), (12, 0xfff), "bits of no feature");
    0..=all
}

/// What this CPU has, as Rust's library finds it.
fn host() -> u32 {
    macro_rules! has {
        ($($bit:expr, $name:tt;)*) => {
            0 $(| if std::arch::is_x86_feature_detected!($name) { $bit } else { 0 })*
        };
    }
    has! {
        env::FEATURE_AES, "aes";
        env::FEATURE_PCLMULQDQ, "pclmulqdq";
        env::FEATURE_SSSE3, "ssse3";
        env::FEATURE_SSE41, "sse4.1";
        env::FEATURE_AVX, "avx";
        env::FEATURE_AVX2, "avx2";
        env::FEATURE_VAES, "vaes";
        env::FEATURE_VPCLMULQDQ, "vpclmulqdq";
        env::FEATURE_AVX512F, "avx512f";
        env::FEATURE_AVX512BW, "avx512bw";
        env::FEATURE_AVX512VL, "avx512vl";
        env::FEATURE_BMI2, "bmi2";
    }
}

/// Checks the choice for a set of features in a context, where tables are `excluded` and one may be forced.
fn choice(
    features: u32,
    interrupt: bool,
    excluded: &[TableId],
    forced: Option<TableId>,
    slow: bool,
) {
    let chosen = select().id();
    let what = format!(
        "{features:#05x}, interrupt {interrupt}, without {excluded:?}, {forced:?} forced, slow {slow}"
    );
    // What must never be: an instruction that the CPU lacks, or a wide register in an interrupt.
    assert_eq!(needed(chosen) & !features, 0, "{what}: {chosen:?}");
    assert!(!interrupt || chosen <= TableId::Aesni, "{what}: {chosen:?}");
    assert!(chosen == TableId::Portable || !excluded.contains(&chosen), "{what}: {chosen:?}");
    // And no table above it would have done.
    let most = match forced {
        Some(table) => table,
        None if slow => TableId::Vaes256,
        None => TableId::Vaes512,
    };
    let does = |table: &TableId| {
        let parts = [*table, (*table).min(TableId::Aesni)];
        needed(*table) & !features == 0
            && (!interrupt || *table <= TableId::Aesni)
            && parts.iter().all(|part| !excluded.contains(part))
            && *table <= most
    };
    let best = TableId::ALL.into_iter().rfind(does).unwrap_or(TableId::Portable);
    assert_eq!(chosen, best, "{what}");
}

/// Every set, in both contexts, with each table excluded and each forced.
fn every_set(slow: bool) -> usize {
    let mut cases = 0;
    for (features, interrupt) in sets().flat_map(|set| [(set, false), (set, true)]) {
        FEATURES.store(features, Relaxed);
        INTERRUPT.store(interrupt.into(), Relaxed);
        for table in TableId::ALL {
            let has = needed(table) & !features == 0;
            assert_eq!(table.available(), has, "{table:?} with {features:#05x}");
            assert_eq!(
                table.missing(),
                needed(table) & !features,
                "{table:?} with {features:#05x}"
            );
            let wide = table > TableId::Aesni;
            assert_eq!(probe(table).is_some(), has && !(interrupt && wide), "{table:?}");
        }
        for excluded in 0..16 {
            let out: Vec<_> = TableId::ALL
                .into_iter()
                .filter(|table| excluded >> *table as u8 & 1 == 1)
                .collect();
            out.iter().for_each(|table| table.exclude(true));
            for forced in TableId::ALL.map(Some).into_iter().chain([None]) {
                let done = force(forced);
                assert_eq!(done, forced.is_none_or(TableId::available));
                if done {
                    choice(features, interrupt, &out, forced, slow);
                    cases += 1;
                }
                force(None);
            }
            out.iter().for_each(|table| table.exclude(false));
        }
    }
    cases
}

/// The self-test, on every set that lacks one feature or one table's, and on others at random: the tables
/// that it tests are those that the set has.
fn selftests() -> usize {
    let host = host();
    let mut random = 20_u64;
    let drawn = core::iter::from_fn(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some((random >> 40) as u32 & 0xfff)
    });
    let single = NEEDED.iter().map(|(bit, _)| 0xfff & !bit);
    let tables = TableId::ALL.into_iter().map(needed);
    let mut tested = 0;
    for (features, interrupt) in tables
        .chain(single)
        .chain(drawn.take(40))
        .map(|set| set & host)
        .flat_map(|set| [(set, false), (set, true)])
    {
        FEATURES.store(features, Relaxed);
        INTERRUPT.store(interrupt.into(), Relaxed);
        let mut scratch = Scratch::default();
        assert_eq!(selftest::run(&mut scratch), Ok(()), "{features:#05x} {interrupt}");
        tested += TableId::ALL.into_iter().filter_map(probe).count();
        assert_eq!(HOLDS.load(Relaxed), 0);
    }
    tested
}

/// One process for each model: the model is looked at once.
#[test]
fn a_table_runs_only_where_all_its_features_are() {
    const MODEL: &str = "KCFAES_TEST_SIGNATURE";
    // Rocket Lake, and Ice Lake-SP.
    let models = [(0x000a_0671_u32, false), (0x0006_06a6, true)];
    match std::env::var(MODEL) {
        Ok(model) => {
            let (signature, slow) = models[usize::from(model == "slow")];
            SIGNATURE.store(signature, Relaxed);
            let (cases, tested) = (every_set(slow), selftests());
            assert!(cases > 8192 * 16 && tested > 0, "{cases} {tested}");
        }
        Err(_) => {
            for (_, slow) in models {
                let model = if slow { "slow" } else { "fast" };
                let mut own = std::process::Command::new(std::env::current_exe().expect("a path"));
                let status = own.env(MODEL, model).arg("--nocapture").status();
                assert!(status.expect("it runs").success(), "{model}");
            }
        }
    }
}
