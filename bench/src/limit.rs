// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor's own limit for each width of register, from its instructions.
//!
//! Throughput is measured with more independent chains than latency times units. What a mode can reach
//! follows from it. Where blocks are independent, a block takes r rounds at the throughput of AESENC.
//! Where each block waits for the one before, it takes r rounds at the latency. In GCM a block takes r
//! AESENC and its products in one stream: three products (Karatsuba), or four (schoolbook) where the
//! processor likes that better. Loads, stores, counters, xors and the reduction are not counted. So no
//! code can be faster than the limit, and none need be as fast.

use core::arch::asm;

use serde::Serialize;

use crate::clock::{Clock, median};
use crate::message::{BLOCK, Operation};

/// Turns of each loop below in one sample.
const TURNS: u32 = 400;

/// Registers of AES state in the loops below, each an independent chain. In instructions, that is more
/// than the longest latency times the most units.
const CHAINS: u32 = 10;

/// A vector register's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    /// 128 bits, legacy-SSE encodings: table `aesni`.
    Xmm,
    /// 256 bits, VAES and VPCLMULQDQ in VEX encodings: table `vaes256`.
    Ymm,
    /// 512 bits, the same in EVEX encodings: table `vaes512`.
    Zmm,
}

impl Width {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Xmm, Self::Ymm, Self::Zmm];

    /// Name of its registers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xmm => "xmm",
            Self::Ymm => "ymm",
            Self::Zmm => "zmm",
        }
    }

    /// The table of kernels that it bounds.
    pub fn table(self) -> &'static str {
        match self {
            Self::Xmm => "aesni",
            Self::Ymm => "vaes256",
            Self::Zmm => "vaes512",
        }
    }

    /// Blocks in a register.
    pub fn blocks(self) -> u32 {
        match self {
            Self::Xmm => 1,
            Self::Ymm => 2,
            Self::Zmm => 4,
        }
    }

    /// What its probes need and this processor does not have.
    pub fn lacking(self) -> Vec<&'static str> {
        macro_rules! lacking {
            ($($name:tt),*) => { [$(($name, is_x86_feature_detected!($name))),*].to_vec() };
        }
        let needed = match self {
            Self::Xmm => lacking!("aes", "pclmulqdq"),
            Self::Ymm => lacking!("avx2", "vaes", "vpclmulqdq"),
            Self::Zmm => lacking!("avx512f", "avx512bw", "avx512vl", "vaes", "vpclmulqdq"),
        };
        needed.into_iter().filter_map(|(name, has)| (!has).then_some(name)).collect()
    }
}

/// One instruction or mix whose speed bounds a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// AESENC where each waits for the one before: cycles for one.
    AesencLatency,
    /// Independent AESENC: cycles for one.
    AesencThroughput,
    /// Independent PCLMULQDQ: cycles for one.
    PclmulqdqThroughput,
    /// Ten AESENC and three PCLMULQDQ, independent: cycles for a register of such blocks.
    Aes128Karatsuba,
    /// Ten AESENC and four PCLMULQDQ.
    Aes128Schoolbook,
    /// Fourteen AESENC and three PCLMULQDQ.
    Aes256Karatsuba,
    /// Fourteen AESENC and four PCLMULQDQ.
    Aes256Schoolbook,
}

/// Runs the same instructions in a loop of `$turns` turns, over the vector registers 0 to 15 of any
/// width. Then it runs `$end` once.
macro_rules! turns {
    ($turns:expr, $end:literal, $($line:expr),* $(,)?) => {
        // SAFETY: touches only its operands, the flags and the vector registers. A register's narrow
        // name stands for the whole register. The caller has seen the processor's features.
        unsafe {
            asm!(
                "2:",
                $($line,)*
                "sub {turns:e}, 1",
                "jnz 2b",
                $end,
                turns = inout(reg) $turns => _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nomem, nostack),
            )
        }
    };
}

/// Eight runs of CHAINS independent instructions: `$one`, with the register's number as `\i`.
macro_rules! eight {
    ($one:literal) => {
        concat!(".rept 8\n .irp i, 0,1,2,3,4,5,6,7,8,9\n ", $one, "\n .endr\n .endr")
    };
}

/// The probes of one width. After them `$end` leaves the registers as legacy-SSE code likes them.
/// `$aes` and `$product` are the two instructions, with the register's number as `\i`. Registers 0 to 9
/// hold state, registers 10 to 13 products.
macro_rules! width {
    ($run:ident, $end:literal, $aes:literal, $chain:literal, $product:literal) => {
        fn $run(probe: Probe, turns: u32) {
            /// A round of each register's blocks.
            macro_rules! round {
                () => {
                    concat!(".irp i, 0,1,2,3,4,5,6,7,8,9\n ", $aes, "\n .endr\n")
                };
            }
            /// Products, into the named registers.
            macro_rules! products {
                ($i:literal) => {
                    concat!(".irp i, ", $i, "\n ", $product, "\n .endr\n")
                };
            }
            match probe {
                Probe::AesencLatency => {
                    turns!(turns, $end, concat!(".rept 80\n ", $chain, "\n .endr"))
                }
                Probe::AesencThroughput => turns!(turns, $end, eight!($aes)),
                Probe::PclmulqdqThroughput => turns!(turns, $end, eight!($product)),
                // Thirty products over ten rounds.
                Probe::Aes128Karatsuba => {
                    turns!(turns, $end, ".rept 10", round!(), products!("10,11,12"), ".endr")
                }
                // Forty products over ten rounds.
                Probe::Aes128Schoolbook => {
                    turns!(turns, $end, ".rept 10", round!(), products!("10,11,12,13"), ".endr")
                }
                // Thirty products over fourteen rounds.
                Probe::Aes256Karatsuba => turns!(
                    turns,
                    $end,
                    ".rept 2",
                    ".rept 6",
                    round!(),
                    products!("10,11"),
                    ".endr",
                    round!(),
                    products!("10,11,12"),
                    ".endr",
                ),
                // Forty products over fourteen rounds.
                Probe::Aes256Schoolbook => turns!(
                    turns,
                    $end,
                    ".rept 2",
                    ".rept 6",
                    round!(),
                    products!("10,11,12"),
                    ".endr",
                    round!(),
                    products!("10,11"),
                    ".endr",
                ),
            }
        }
    };
}

width!(run_xmm, "", "aesenc xmm\\i, xmm15", "aesenc xmm0, xmm15", "pclmulqdq xmm\\i, xmm14, 0x01");
width!(
    run_ymm,
    "vzeroupper",
    "vaesenc ymm\\i, ymm\\i, ymm15",
    "vaesenc ymm0, ymm0, ymm15",
    "vpclmulqdq ymm\\i, ymm15, ymm14, 0x01"
);
width!(
    run_zmm,
    "vzeroupper",
    "vaesenc zmm\\i, zmm\\i, zmm15",
    "vaesenc zmm0, zmm0, zmm15",
    "vpclmulqdq zmm\\i, zmm15, zmm14, 0x01"
);

/// Additions in one turn of [`adds`].
const ADDS: u32 = 192;

/// Eight chains of additions, in a loop of `turns` turns.
fn adds(turns: u32) {
    // SAFETY: touches only its operands and the flags.
    unsafe {
        asm!(
            "2:",
            ".rept 24",
            ".irp r, rax,rcx,rdx,rsi,rdi,r8,r9,r10\n add \\r, r11\n .endr",
            ".endr",
            "sub {turns:e}, 1",
            "jnz 2b",
            turns = inout(reg) turns => _,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _,
            out("rdi") _, out("r8") _, out("r9") _, out("r10") _,
            in("r11") 1,
            options(nomem, nostack),
        );
    }
}

impl Probe {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AesencLatency,
        Self::AesencThroughput,
        Self::PclmulqdqThroughput,
        Self::Aes128Karatsuba,
        Self::Aes128Schoolbook,
        Self::Aes256Karatsuba,
        Self::Aes256Schoolbook,
    ];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesencLatency => "AESENC, latency",
            Self::AesencThroughput => "AESENC, throughput",
            Self::PclmulqdqThroughput => "PCLMULQDQ, throughput",
            Self::Aes128Karatsuba => "10 AESENC + 3 PCLMULQDQ",
            Self::Aes128Schoolbook => "10 AESENC + 4 PCLMULQDQ",
            Self::Aes256Karatsuba => "14 AESENC + 3 PCLMULQDQ",
            Self::Aes256Schoolbook => "14 AESENC + 4 PCLMULQDQ",
        }
    }

    /// Units of work in one turn of its loop.
    fn units(self) -> u32 {
        match self {
            Self::AesencLatency | Self::AesencThroughput | Self::PclmulqdqThroughput => 8 * CHAINS,
            _ => CHAINS,
        }
    }

    /// One sample: cycles for one unit. The processor must have all that the width needs.
    fn sample(self, width: Width, clock: &Clock) -> f64 {
        let run = match width {
            Width::Xmm => run_xmm,
            Width::Ymm => run_ymm,
            Width::Zmm => run_zmm,
        };
        run(self, 1); // the contenders have used the caches
        clock.measure(|| run(self, TURNS)).cycles / f64::from(TURNS * self.units())
    }
}

/// The samples of every probe, taken between those of the contenders.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    probes: [[Vec<f64>; Probe::ALL.len()]; Width::ALL.len()],
    /// Independent ADD: cycles for one. It bounds no mode. [`Limits::shared`] uses it.
    adds: Vec<f64>,
}

impl Limits {
    /// Takes one more sample of each probe that this processor can run.
    pub fn sample(&mut self, clock: &Clock) {
        adds(1);
        self.adds.push(clock.measure(|| adds(TURNS)).cycles / f64::from(TURNS * ADDS));
        for (width, probes) in Width::ALL.into_iter().zip(&mut self.probes) {
            if width.lacking().is_empty() {
                for (probe, samples) in Probe::ALL.into_iter().zip(probes) {
                    samples.push(probe.sample(width, clock));
                }
            }
        }
    }

    /// Cycles for one unit. NaN if nothing was measured.
    pub fn cycles(&self, width: Width, probe: Probe) -> f64 {
        median(&self.probes[width as usize][probe as usize])
    }

    /// If this core has two threads: the share of rounds in which the other thread ran and took issue
    /// slots. In those rounds additions took more than a fifth longer than in the fastest. Code that is
    /// bound by latency hardly suffers. Code of many short steps, such as a request's checks, does.
    pub fn shared(&self) -> f64 {
        let mut sorted = self.adds.clone();
        sorted.sort_by(f64::total_cmp);
        // Not the very fastest, which may be an error of its clock.
        let Some(alone) = sorted.get(sorted.len() / 20) else { return f64::NAN };
        let slow = sorted.iter().filter(|&cycles| cycles / alone > 1.2).count();
        slow as f64 / sorted.len() as f64
    }

    /// The least cycles that a byte of an operation can take with a key of `key_bits`, on registers of
    /// at most this width. NaN if that was not measured.
    pub fn cycles_per_byte(&self, width: Width, operation: Operation, key_bits: usize) -> f64 {
        use Probe::{Aes128Karatsuba, Aes128Schoolbook, Aes256Karatsuba, Aes256Schoolbook};
        let rounds = (key_bits / 32 + 6) as f64;
        let lanes = f64::from(width.blocks());
        let mix = |a, b| self.cycles(width, a).min(self.cycles(width, b)) / lanes;
        let block = match operation {
            Operation::EcbEncrypt
            | Operation::EcbDecrypt
            | Operation::Ctr
            | Operation::CbcDecrypt => return self.aes_per_byte(width, key_bits),
            // One block at a time: no width helps.
            Operation::CbcEncrypt => rounds * self.cycles(width, Probe::AesencLatency),
            Operation::GcmSeal | Operation::GcmOpen | Operation::GcmNewKeySeal => match key_bits {
                128 => mix(Aes128Karatsuba, Aes128Schoolbook),
                256 => mix(Aes256Karatsuba, Aes256Schoolbook),
                _ => f64::NAN,
            },
        };
        block / BLOCK as f64
    }

    /// The least cycles for AES alone, for a byte of independent blocks.
    pub fn aes_per_byte(&self, width: Width, key_bits: usize) -> f64 {
        let rounds = (key_bits / 32 + 6) as f64;
        let lanes = f64::from(width.blocks());
        rounds * self.cycles(width, Probe::AesencThroughput) / lanes / BLOCK as f64
    }

    /// The least of a figure over the widths that were measured. NaN if there are none.
    pub fn best(figure: impl Fn(Width) -> f64) -> f64 {
        Width::ALL.map(figure).into_iter().fold(f64::NAN, f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Probe, Width};
    use crate::message::Operation;

    #[test]
    fn limits_follow_from_the_probes() {
        let mut limits = Limits::default();
        let cycles = [4.0, 0.5, 1.0, 5.5, 6.0, 8.0, 7.25];
        for (width, times) in [(Width::Xmm, 1.0), (Width::Ymm, 1.5)] {
            for (probe, cycles) in Probe::ALL.into_iter().zip(cycles) {
                limits.probes[width as usize][probe as usize] = vec![times * cycles];
            }
        }
        let block = |width, operation, key| 16.0 * limits.cycles_per_byte(width, operation, key);
        assert_eq!(block(Width::Xmm, Operation::Ctr, 128), 5.0);
        assert_eq!(block(Width::Ymm, Operation::Ctr, 128), 3.75);
        assert_eq!(block(Width::Xmm, Operation::EcbDecrypt, 192), 6.0);
        assert_eq!(block(Width::Xmm, Operation::CbcEncrypt, 256), 56.0);
        assert_eq!(block(Width::Ymm, Operation::CbcEncrypt, 128), 60.0);
        assert_eq!(block(Width::Xmm, Operation::GcmSeal, 128), 5.5);
        assert_eq!(block(Width::Xmm, Operation::GcmOpen, 256), 7.25);
        assert!(block(Width::Zmm, Operation::Ctr, 128).is_nan());
        assert_eq!(Limits::best(|width| block(width, Operation::Ctr, 128)), 3.75);
        assert_eq!(Limits::best(|width| block(width, Operation::CbcEncrypt, 128)), 40.0);
    }

    #[test]
    fn a_shared_core_is_seen() {
        let mut limits = Limits::default();
        assert!(limits.shared().is_nan());
        limits.adds = [vec![0.2; 75], vec![0.35; 25]].concat();
        assert_eq!(limits.shared(), 0.25);
    }
}
