// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which table runs: CPU policy in one place, decided anew for each call.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use kcfaes_kernels::entry_vaes256::POWERS as VAES256_POWERS;
use kcfaes_kernels::entry_vaes512::POWERS as VAES512_POWERS;
use kcfaes_kernels::{CHAINS, COMMON_POWERS};

use crate::env::{
    self, FEATURE_AES, FEATURE_AVX, FEATURE_AVX2, FEATURE_AVX512BW, FEATURE_AVX512F,
    FEATURE_AVX512VL, FEATURE_BMI2, FEATURE_PCLMULQDQ, FEATURE_SSE41, FEATURE_SSSE3, FEATURE_VAES,
    FEATURE_VPCLMULQDQ,
};

/// The tables of kernels, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TableId {
    /// Integer instructions only, constant-time; runs on every CPU, and is all that AArch64 has.
    Portable = 0,
    /// Legacy-SSE AES-NI and PCLMULQDQ; runs wherever the FPU is available, in an interrupt too.
    Aesni = 1,
    /// AVX2, VAES and VPCLMULQDQ on 256-bit registers.
    Vaes256 = 2,
    /// AVX-512, VAES and VPCLMULQDQ on 512-bit registers.
    Vaes512 = 3,
}

/// The features that table `aesni` uses.
const AESNI: u32 = FEATURE_AES | FEATURE_PCLMULQDQ | FEATURE_SSSE3 | FEATURE_SSE41;

/// The features that table `vaes256` uses. It takes from `aesni` what it cannot make faster.
const VAES256: u32 = AESNI | FEATURE_AVX | FEATURE_AVX2 | FEATURE_VAES | FEATURE_VPCLMULQDQ;

/// The features that table `vaes512` uses.
const VAES512: u32 = VAES256 | FEATURE_BMI2 | FEATURE_AVX512F | FEATURE_AVX512BW | FEATURE_AVX512VL;

/// Models of Intel's family 6 on which 256-bit registers are faster, because 512-bit multiplications lower
/// their clock so much: Skylake-SP and its successors, Ice Lake, Tiger Lake. (This is the list of BoringSSL's
/// and Linux's AES-GCM. All other models with VAES keep their clock, or nearly.)
const SLOW_ZMM: [u32; 7] = [85, 106, 108, 125, 126, 140, 141];

/// Whether a processor's signature, CPUID leaf 1 EAX, is in [`SLOW_ZMM`].
fn slow_zmm(signature: u32) -> bool {
    let family = signature >> 8 & 0xf;
    let model = signature >> 12 & 0xf0 | signature >> 4 & 0xf;
    family == 6 && SLOW_ZMM.contains(&model)
}

impl TableId {
    /// Every table.
    pub const ALL: [Self; env::TABLES] =
        [Self::Portable, Self::Aesni, Self::Vaes256, Self::Vaes512];

    /// Its name in C: in the statistics, and where a table is chosen by name.
    pub const fn c_name(self) -> &'static CStr {
        match self {
            Self::Portable => c"portable",
            Self::Aesni => c"aesni",
            Self::Vaes256 => c"vaes256",
            Self::Vaes512 => c"vaes512",
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self.c_name().to_str() {
            Ok(name) => name,
            Err(_) => "",
        }
    }

    /// The feature bits that its instructions need, all of them.
    const fn features(self) -> u32 {
        match self {
            Self::Portable => 0,
            Self::Aesni => AESNI,
            Self::Vaes256 => VAES256,
            Self::Vaes512 => VAES512,
        }
    }

    /// The number of powers of H that it wants.
    pub(super) const fn powers(self) -> usize {
        match self {
            Self::Portable | Self::Aesni => COMMON_POWERS,
            Self::Vaes256 => VAES256_POWERS,
            Self::Vaes512 => VAES512_POWERS,
        }
    }

    /// The number of CBC encryptions that it does side by side.
    pub(crate) const fn chains(self) -> usize {
        match self {
            Self::Portable => 1,
            Self::Aesni => 8,
            Self::Vaes256 | Self::Vaes512 => CHAINS,
        }
    }

    /// Whether a light hold is enough for it: it uses xmm registers only, in encodings that do not touch the
    /// upper halves.
    const fn is_light(self) -> bool {
        match self {
            Self::Portable | Self::Aesni => true,
            Self::Vaes256 | Self::Vaes512 => false,
        }
    }

    /// Whether this CPU can run it, and neither this table nor one that it takes kernels from is excluded.
    pub fn available(self) -> bool {
        self.runs_with(env::features(), excluded())
    }

    fn runs_with(self, features: u32, excluded: u8) -> bool {
        let needed = self.features();
        let parts = self.bit() | if self > Self::Aesni { Self::Aesni.bit() } else { 0 };
        // Every table but `portable` is x86-64's. What an environment says does not change that.
        (cfg!(target_arch = "x86_64") || self == Self::Portable)
            && features & needed == needed
            && excluded & parts == 0
    }

    /// The features that it needs and that this CPU lacks, or that the system has not enabled.
    pub fn missing(self) -> u32 {
        self.features() & !env::features()
    }

    /// Whether a call may choose it on this model of processor.
    pub fn suits(self) -> bool {
        self as u8 <= look_at_model()
    }

    /// Removes the table from the choice of every later call, or puts it back. `Portable` serves if there is
    /// no other, even when excluded.
    pub fn exclude(self, excluded: bool) {
        let bit = self.bit();
        set_policy(|forced, all| (forced, if excluded { all | bit } else { all & !bit }));
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Proof that this CPU, in this context, may run a table in a hold of one kind. Only [`select`],
/// [`select_for`] and [`probe`] hand one out.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    id: TableId,
    light: bool,
}

impl Table {
    /// Which table it is.
    pub fn id(self) -> TableId {
        self.id
    }

    /// Whether its holds are light: they borrow xmm registers, and the table touches no others.
    pub(super) fn light(self) -> bool {
        self.light
    }
}

/// The longest call, in bytes, whose holds are light, unless [`set_light_bytes`] sets another number.
///
/// Measured: a message of 512 bytes takes 0.42 to 0.92 of the time on `aesni` in a light hold that
/// it takes on a wide table between XSAVEOPT and two XRSTORs, ECB and GCM alike, and this is below 1
/// up to 1.0 KiB. For a kernel thread, which needs one XRSTOR only, it is 0.86 to 1.15 at 512 bytes,
/// and 1.0 on average (Sapphire Rapids at 4.1 GHz, `cargo bench -p kcfaes-ffi-tests --bench light`).
pub const LIGHT_BYTES: usize = 512;

/// Calls of fewer bytes have light holds. 0 at first: only a kernel has two kinds of hold.
static LIGHT_END: AtomicUsize = AtomicUsize::new(0);

/// Makes the holds of later calls light where a call has at most this many bytes, AAD included; 0 makes none
/// light that need not be.
pub fn set_light_bytes(bytes: usize) {
    LIGHT_END.store(if bytes == 0 { 0 } else { bytes.saturating_add(1) }, Ordering::Relaxed);
}

/// No table is forced, or the processor's model was not checked yet.
const AUTOMATIC: u8 = u8::MAX;

/// The number of the best table for this model of processor, or [`AUTOMATIC`].
static SUITED: AtomicU8 = AtomicU8::new(AUTOMATIC);

/// What decides which table calls use: the number of the forced table, or [`AUTOMATIC`]; in the next byte the
/// tables that gave a wrong answer, a bit for each; and above, how often that has been set.
static POLICY: AtomicU32 = AtomicU32::new(AUTOMATIC as u32);

/// The policy that the last choice followed, and below it, in a byte, the number of the chosen table. So a
/// call looks at features only if the policy has changed, and no call goes on with a choice of before.
static CHOSEN: AtomicU64 = AtomicU64::new(u64::MAX);

/// Sets the policy.
fn set_policy(set: impl Fn(u8, u8) -> (u8, u8)) {
    let next = |policy: u32| {
        let [forced, excluded, ..] = policy.to_le_bytes();
        let (forced, excluded) = set(forced, excluded);
        let times = (policy & !0xffff).wrapping_add(0x1_0000);
        Some(times | u32::from(excluded) << 8 | u32::from(forced))
    };
    // There always is a next value.
    _ = POLICY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
}

/// The tables that are excluded, a bit for each.
fn excluded() -> u8 {
    (POLICY.load(Ordering::Relaxed) >> 8) as u8
}

/// Makes every later call use table `id`, or the best one again (`None`). A call in an interrupt uses `id`
/// only if it may. Returns whether this CPU has the table; if not, nothing changes.
pub fn force(id: Option<TableId>) -> bool {
    match id {
        Some(id) if !id.available() => return false,
        Some(id) => set_policy(|_, excluded| (id as u8, excluded)),
        None => set_policy(|_, excluded| (AUTOMATIC, excluded)),
    }
    true
}

/// Table `id`, whatever is forced, if this CPU has it and this context may run it. For the self-test, which
/// must see every table.
pub fn probe(id: TableId) -> Option<Table> {
    let light = env::in_interrupt();
    (id.available() && (id.is_light() || !light)).then_some(Table { id, light })
}

/// The table for a call of any length that begins now, in this context.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub fn select() -> Table {
    chosen(env::in_interrupt())
}

/// The table for a call that begins now, in this context, and has `len` bytes. A short one takes less time on
/// `aesni` in a light hold than on a wide table in the kernel's hold.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub fn select_for(len: usize) -> Table {
    chosen(len < LIGHT_END.load(Ordering::Relaxed) || env::in_interrupt())
}

/// The chosen table, or the part of it that a light hold is enough for.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn chosen(light: bool) -> Table {
    let policy = POLICY.load(Ordering::Relaxed);
    let chosen = CHOSEN.load(Ordering::Relaxed);
    let chosen = match chosen as u8 {
        _ if chosen >> 8 != u64::from(policy) => choose(policy),
        3 => TableId::Vaes512,
        2 => TableId::Vaes256,
        1 => TableId::Aesni,
        _ => TableId::Portable,
    };
    // A wide table contains `aesni`.
    Table { id: if light { chosen.min(TableId::Aesni) } else { chosen }, light }
}

/// The best table that this CPU has, that is not excluded, and that is not above the forced one.
#[cold]
#[inline(never)]
fn choose(policy: u32) -> TableId {
    let [mut best, excluded, ..] = policy.to_le_bytes();
    if best == AUTOMATIC {
        best = SUITED.load(Ordering::Relaxed);
    }
    if best == AUTOMATIC {
        best = look_at_model();
    }
    let features = env::features();
    let usable = |id: TableId| best >= id as u8 && id.runs_with(features, excluded);
    let id = if usable(TableId::Vaes512) {
        TableId::Vaes512
    } else if usable(TableId::Vaes256) {
        TableId::Vaes256
    } else if usable(TableId::Aesni) {
        TableId::Aesni
    } else {
        TableId::Portable
    };
    CHOSEN.store(u64::from(policy) << 8 | id as u64, Ordering::Relaxed);
    id
}

/// The best table for this model of processor. Read once: the read may leave a virtual machine.
#[cold]
fn look_at_model() -> u8 {
    let best = if slow_zmm(env::signature()) { TableId::Vaes256 } else { TableId::Vaes512 };
    SUITED.store(best as u8, Ordering::Relaxed);
    best as u8
}

#[cfg(test)]
mod tests {
    use super::slow_zmm;

    #[test]
    fn models_by_signature() {
        // Skylake-SP, Ice Lake-SP, Tiger Lake; Rocket Lake, Sapphire Rapids, Zen 4 and Zen 5.
        for signature in [0x0005_0654, 0x0006_06a6, 0x0008_06c1] {
            assert!(slow_zmm(signature), "{signature:#x}");
        }
        for signature in [0x000a_0671, 0x0008_06f8, 0x00a1_0f11, 0x00b0_0f21] {
            assert!(!slow_zmm(signature), "{signature:#x}");
        }
    }
}
