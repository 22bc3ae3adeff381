// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor's own limit for 16-byte registers, from its instructions.
//!
//! Throughput is measured with more independent chains than latency times units asks for. What a
//! mode can reach follows: r rounds a block at the throughput of AESENC where blocks are
//! independent, at its latency where each waits for the one before; for GCM r AESENC and the three
//! PCLMULQDQ of a Karatsuba product, in one stream. Loads, stores, counters, xors and the reduction
//! are not in it: no code can be faster, and none need be as fast.

use core::arch::asm;

use serde::Serialize;

use crate::clock::{Clock, median};
use crate::message::Operation;

/// Turns of each loop below in one sample.
const TURNS: u32 = 400;

/// One instruction or mix whose speed bounds a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// AESENC, each waiting for the one before: cycles for one.
    AesencLatency,
    /// Independent AESENC: cycles for one.
    AesencThroughput,
    /// Independent PCLMULQDQ: cycles for one.
    PclmulqdqThroughput,
    /// Ten AESENC and three PCLMULQDQ, independent: cycles for one such block.
    Gcm10Rounds,
    /// Fourteen AESENC and three PCLMULQDQ, independent: cycles for one such block.
    Gcm14Rounds,
    /// Independent ADD: cycles for one. It bounds no mode; see [`Limits::shared`].
    AddThroughput,
}

/// Runs the same instructions in a loop of [`TURNS`] turns, over all of xmm0–15.
macro_rules! turns {
    ($($line:expr),* $(,)?) => {
        // SAFETY: touches its operands, the flags and the vector registers that it names.
        unsafe {
            asm!(
                "2:",
                $($line,)*
                "sub {turns:e}, 1",
                "jnz 2b",
                turns = inout(reg) TURNS => _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nomem, nostack),
            )
        }
    };
}

/// One AESENC on each of xmm0–7.
macro_rules! round {
    () => {
        ".irp i, 0,1,2,3,4,5,6,7\n aesenc xmm\\i, xmm15\n .endr"
    };
}

/// Eight blocks of a GCM of 8 + `$more` rounds: a round of each and three of the 24 products, eight
/// times, then the other rounds.
macro_rules! gcm {
    ($more:literal) => {
        turns!(
            ".rept 4",
            round!(),
            "pclmulqdq xmm8, xmm14, 0x00",
            "pclmulqdq xmm9, xmm14, 0x11",
            "pclmulqdq xmm10, xmm14, 0x01",
            round!(),
            "pclmulqdq xmm11, xmm14, 0x00",
            "pclmulqdq xmm12, xmm14, 0x11",
            "pclmulqdq xmm13, xmm14, 0x01",
            ".endr",
            $more,
            round!(),
            ".endr",
        )
    };
}

/// Eight chains of additions, in a loop of [`TURNS`] turns.
fn adds() {
    // SAFETY: touches its operands and the flags only.
    unsafe {
        asm!(
            "2:",
            ".rept 24",
            ".irp r, rax,rcx,rdx,rsi,rdi,r8,r9,r10\n add \\r, r11\n .endr",
            ".endr",
            "sub {turns:e}, 1",
            "jnz 2b",
            turns = inout(reg) TURNS => _,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _,
            out("rdi") _, out("r8") _, out("r9") _, out("r10") _,
            in("r11") 1,
            options(nomem, nostack),
        );
    }
}

impl Probe {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AesencLatency,
        Self::AesencThroughput,
        Self::PclmulqdqThroughput,
        Self::Gcm10Rounds,
        Self::Gcm14Rounds,
        Self::AddThroughput,
    ];

    /// What it is, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesencLatency => "AESENC xmm, latency",
            Self::AesencThroughput => "AESENC xmm, throughput",
            Self::PclmulqdqThroughput => "PCLMULQDQ xmm, throughput",
            Self::Gcm10Rounds => "10 AESENC + 3 PCLMULQDQ",
            Self::Gcm14Rounds => "14 AESENC + 3 PCLMULQDQ",
            Self::AddThroughput => "ADD r64, throughput",
        }
    }

    /// Units of work in one turn of its loop.
    fn units(self) -> u32 {
        match self {
            Self::AesencLatency => 64,
            Self::AesencThroughput | Self::PclmulqdqThroughput => 96,
            Self::Gcm10Rounds | Self::Gcm14Rounds => 8,
            Self::AddThroughput => 192,
        }
    }

    fn run(self) {
        match self {
            Self::AesencLatency => turns!(".rept 64", "aesenc xmm0, xmm15", ".endr"),
            Self::AesencThroughput => turns!(
                ".rept 8",
                ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11\n aesenc xmm\\i, xmm15\n .endr",
                ".endr"
            ),
            Self::PclmulqdqThroughput => turns!(
                ".rept 8",
                ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11\n pclmulqdq xmm\\i, xmm15, 0\n .endr",
                ".endr"
            ),
            Self::Gcm10Rounds => gcm!(".rept 2"),
            Self::Gcm14Rounds => gcm!(".rept 6"),
            Self::AddThroughput => adds(),
        }
    }

    /// One sample: cycles for one unit.
    pub fn sample(self, clock: &Clock) -> f64 {
        clock.measure(|| self.run()).cycles / f64::from(TURNS * self.units())
    }
}

/// The samples of every probe, taken between those of the contenders.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    samples: [Vec<f64>; Probe::ALL.len()],
}

impl Limits {
    /// Whether this processor has the instructions at all.
    pub fn measurable() -> bool {
        is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq")
    }

    /// Takes one more sample of each.
    pub fn sample(&mut self, clock: &Clock) {
        for (probe, samples) in Probe::ALL.into_iter().zip(&mut self.samples) {
            samples.push(probe.sample(clock));
        }
    }

    /// Cycles for one unit; NaN where nothing was measured.
    pub fn cycles(&self, probe: Probe) -> f64 {
        let at = Probe::ALL.iter().position(|&p| p == probe);
        at.map_or(f64::NAN, |at| median(&self.samples[at]))
    }

    /// The share of rounds in which another thread ran on this core, if it has two, and took
    /// issue slots: those in which additions were slower than the fastest by a fifth. Code that is
    /// bound by latency hardly suffers, code of many short steps, such as a request's checks, does.
    pub fn shared(&self) -> f64 {
        let Some(at) = Probe::ALL.iter().position(|&p| p == Probe::AddThroughput) else {
            return f64::NAN;
        };
        let mut sorted = self.samples[at].clone();
        sorted.sort_by(f64::total_cmp);
        // Not the very fastest: that may be an error of its clock.
        let Some(alone) = sorted.get(sorted.len() / 20) else { return f64::NAN };
        let slow = sorted.iter().filter(|&cycles| cycles / alone > 1.2).count();
        slow as f64 / sorted.len() as f64
    }

    /// The least cycles that a block of an operation can take with a key of `key_bits`.
    pub fn cycles_per_block(&self, operation: Operation, key_bits: usize) -> f64 {
        let rounds = (key_bits / 32 + 6) as f64;
        match operation {
            Operation::EcbEncrypt
            | Operation::EcbDecrypt
            | Operation::Ctr
            | Operation::CbcDecrypt => rounds * self.cycles(Probe::AesencThroughput),
            Operation::CbcEncrypt => rounds * self.cycles(Probe::AesencLatency),
            Operation::GcmSeal | Operation::GcmOpen => match key_bits {
                128 => self.cycles(Probe::Gcm10Rounds),
                256 => self.cycles(Probe::Gcm14Rounds),
                _ => f64::NAN,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Probe};
    use crate::message::Operation;

    #[test]
    fn limits_follow_from_the_probes() {
        let mut limits = Limits::default();
        for (probe, cycles) in Probe::ALL.into_iter().zip([4.0, 0.5, 1.0, 5.5, 7.25, 0.2]) {
            let at = Probe::ALL.iter().position(|&p| p == probe).unwrap();
            limits.samples[at] = vec![cycles];
        }
        assert_eq!(limits.cycles_per_block(Operation::Ctr, 128), 5.0);
        assert_eq!(limits.cycles_per_block(Operation::EcbDecrypt, 192), 6.0);
        assert_eq!(limits.cycles_per_block(Operation::CbcEncrypt, 256), 56.0);
        assert_eq!(limits.cycles_per_block(Operation::GcmSeal, 128), 5.5);
        assert_eq!(limits.cycles_per_block(Operation::GcmOpen, 256), 7.25);
    }

    #[test]
    fn a_shared_core_is_seen() {
        let at = Probe::ALL.iter().position(|&p| p == Probe::AddThroughput).unwrap();
        let mut limits = Limits::default();
        assert!(limits.shared().is_nan());
        limits.samples[at] = [vec![0.2; 75], vec![0.35; 25]].concat();
        assert_eq!(limits.shared(), 0.25);
    }
}
