// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor that the figures come from.

use core::arch::x86_64::{__cpuid, __cpuid_count};

use serde::Serialize;

/// The processor, as CPUID describes it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The brand string.
    pub model: String,
    /// Display family, model and stepping.
    pub signature: [u32; 3],
    /// Whether there is a hypervisor.
    pub virtual_machine: bool,
    /// Which features for AES, carry-less multiplication and vector widths the processor has and the
    /// system has enabled.
    pub features: Vec<&'static str>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        let leaf1 = __cpuid(1);
        let base = leaf1.eax >> 8 & 0xf;
        let family = if base == 0xf { base + (leaf1.eax >> 20 & 0xff) } else { base };
        let high = if base == 0xf || base == 6 { leaf1.eax >> 12 & 0xf0 } else { 0 };
        Self {
            model: brand(),
            signature: [family, high | leaf1.eax >> 4 & 0xf, leaf1.eax & 0xf],
            virtual_machine: leaf1.ecx >> 31 != 0,
            features: features(),
        }
    }
}

/// CPUID leaves 0x8000_0002 to 4 are 48 characters.
fn brand() -> String {
    if __cpuid(0x8000_0000).eax < 0x8000_0004 {
        return "unnamed x86-64".to_owned();
    }
    let bytes: Vec<u8> = (0x8000_0002..=0x8000_0004)
        .map(|leaf| __cpuid_count(leaf, 0))
        .flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx])
        .flat_map(u32::to_le_bytes)
        .take_while(|&byte| byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn features() -> Vec<&'static str> {
    macro_rules! named {
        ($($name:tt),* $(,)?) => { [$((is_x86_feature_detected!($name), $name)),*] };
    }
    named!(
        "aes",
        "pclmulqdq",
        "ssse3",
        "sse4.1",
        "avx",
        "avx2",
        "vaes",
        "vpclmulqdq",
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512dq",
        "bmi2"
    )
    .into_iter()
    .filter_map(|(has, name)| has.then_some(name))
    .collect()
}
