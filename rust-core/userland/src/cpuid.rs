// SPDX-License-Identifier: MIT OR Apache-2.0
//! The features and the signature of an x86-64 processor, by CPUID and XGETBV.
//!
//! The feature bits are tested one by one, because some machines report VAES without VPCLMULQDQ or AES.

use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, CpuidResult};
use core::sync::atomic::{AtomicU32, Ordering};

use kcfaes_provider::env;

/// XCR0 bits of SSE and AVX state.
const XCR0_AVX: u64 = 0x06;
/// XCR0 bits of SSE, AVX, opmask, the upper halves of zmm0–15 and zmm16–31.
const XCR0_AVX512: u64 = 0xe6;

/// The requirements of a feature: a bit of `leaf 1 ecx`, `leaf 7 ebx` or `leaf 7 ecx` (Intel SDM volume 2A,
/// CPUID, tables of "Feature Information" and "Structured Extended Feature Flags"), and the register state
/// that the system must have enabled in XCR0.
struct Needs {
    feature: u32,
    leaf1_ecx: u32,
    leaf7_ebx: u32,
    leaf7_ecx: u32,
    xcr0: u64,
}

const fn leaf1_ecx(feature: u32, bit: u32, xcr0: u64) -> Needs {
    Needs { feature, leaf1_ecx: 1 << bit, leaf7_ebx: 0, leaf7_ecx: 0, xcr0 }
}

const fn leaf7_ebx(feature: u32, bit: u32, xcr0: u64) -> Needs {
    Needs { feature, leaf1_ecx: 0, leaf7_ebx: 1 << bit, leaf7_ecx: 0, xcr0 }
}

const fn leaf7_ecx(feature: u32, bit: u32, xcr0: u64) -> Needs {
    Needs { feature, leaf1_ecx: 0, leaf7_ebx: 0, leaf7_ecx: 1 << bit, xcr0 }
}

const FEATURES: [Needs; 12] = [
    leaf1_ecx(env::FEATURE_AES, 25, 0),
    leaf1_ecx(env::FEATURE_PCLMULQDQ, 1, 0),
    leaf1_ecx(env::FEATURE_SSSE3, 9, 0),
    leaf1_ecx(env::FEATURE_SSE41, 19, 0),
    leaf1_ecx(env::FEATURE_AVX, 28, XCR0_AVX),
    leaf7_ebx(env::FEATURE_AVX2, 5, XCR0_AVX),
    leaf7_ecx(env::FEATURE_VAES, 9, XCR0_AVX),
    leaf7_ecx(env::FEATURE_VPCLMULQDQ, 10, XCR0_AVX),
    leaf7_ebx(env::FEATURE_AVX512F, 16, XCR0_AVX512),
    leaf7_ebx(env::FEATURE_AVX512BW, 30, XCR0_AVX512),
    leaf7_ebx(env::FEATURE_AVX512VL, 31, XCR0_AVX512),
    leaf7_ebx(env::FEATURE_BMI2, 8, 0),
];

/// CPUID.1:ECX.OSXSAVE: the system has enabled XGETBV.
const OSXSAVE: u32 = 1 << 27;

/// What [`detect`] found, with [`DETECTED`] set; 0 before the first call.
static DETECTED_FEATURES: AtomicU32 = AtomicU32::new(0);
const DETECTED: u32 = 1 << 31;

// Detected once: CPUID leaves a virtual machine, at thousands of cycles. Threads that race find the same
// bits.
#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_features() -> u32 {
    let mut features = DETECTED_FEATURES.load(Ordering::Relaxed);
    if features == 0 {
        features = detect() | DETECTED;
        DETECTED_FEATURES.store(features, Ordering::Relaxed);
    }
    features & !DETECTED
}

#[unsafe(no_mangle)]
extern "C" fn kcfaes_env_signature() -> u32 {
    cpuid(1).eax
}

/// What CPUID says of a leaf, its part 0. Miri runs no assembler: there no feature is.
#[allow(unused_unsafe, reason = "to the oldest compilers that build this the call is unsafe")]
fn cpuid(leaf: u32) -> CpuidResult {
    if cfg!(miri) {
        return CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    }
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { __cpuid_count(leaf, 0) }
}

fn detect() -> u32 {
    let leaf1 = cpuid(1);
    let (ebx7, ecx7) = if cpuid(0).eax >= 7 {
        let leaf7 = cpuid(7);
        (leaf7.ebx, leaf7.ecx)
    } else {
        (0, 0)
    };
    let xcr0 = if leaf1.ecx & OSXSAVE != 0 { xgetbv0() } else { 0 };
    FEATURES
        .iter()
        .filter(|needs| {
            leaf1.ecx & needs.leaf1_ecx == needs.leaf1_ecx
                && ebx7 & needs.leaf7_ebx == needs.leaf7_ebx
                && ecx7 & needs.leaf7_ecx == needs.leaf7_ecx
                && xcr0 & needs.xcr0 == needs.xcr0
        })
        .fold(0, |found, needs| found | needs.feature)
}

fn xgetbv0() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the only caller has checked OSXSAVE.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}
