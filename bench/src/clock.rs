// SPDX-License-Identifier: MIT OR Apache-2.0
//! Core cycles.
//!
//! The TSC ticks at a constant rate, the core does not. Its clock moves with load, temperature and the
//! density of vector code. In a chain of dependent `add reg, reg` each takes one core cycle on every
//! x86. (Some fold `add reg, imm` at rename.) So one chain right before the work and one right after it
//! tell how many cycles a tick is worth there and then.

use core::arch::asm;
use core::arch::x86_64::{_mm_lfence, _rdtsc};
use core::time::Duration;
use std::time::Instant;

/// Additions of one chain: long compared with the cost of reading the TSC, short compared with a
/// sample.
const CHAIN: u32 = 16_384;

/// Additions of one turn of the chain's loop. The loop's own counter runs in parallel with them.
const TURN: u32 = 64;

/// Reads the TSC when all earlier instructions have ended and no later one has begun.
fn ticks() -> u64 {
    // SAFETY: both instructions are in every x86-64.
    unsafe {
        _mm_lfence();
        let now = _rdtsc();
        _mm_lfence();
        now
    }
}

/// Runs `turns` times [`TURN`] dependent additions.
fn chain(turns: u32) {
    // SAFETY: touches only its operands and the flags.
    unsafe {
        asm!(
            "2:",
            ".rept 64",
            "add {x}, {y}",
            ".endr",
            "sub {turns:e}, 1",
            "jnz 2b",
            x = inout(reg) 1u64 => _,
            y = in(reg) 3u64,
            turns = inout(reg) turns => _,
            options(nomem, nostack),
        );
    }
}

/// What some work took.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Core cycles.
    pub cycles: f64,
    /// Seconds.
    pub seconds: f64,
}

/// Measures work in core cycles and seconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ticks_per_second: f64,
    /// What reading the TSC twice adds to the difference.
    overhead: u64,
}

impl Clock {
    /// Compares the TSC with the system's clock for a twentieth of a second.
    pub fn new() -> Self {
        let (from, start) = (Instant::now(), ticks());
        while from.elapsed() < Duration::from_millis(50) {
            chain(CHAIN / TURN);
        }
        let passed = ticks() - start;
        let ticks_per_second = passed as f64 / from.elapsed().as_secs_f64();
        let overhead = (0..1000).map(|_| ticks().abs_diff(ticks())).min().unwrap_or(0);
        Self { ticks_per_second, overhead }
    }

    /// Ticks of the TSC in a second.
    pub fn ticks_per_second(&self) -> f64 {
        self.ticks_per_second
    }

    /// Cycles of the core in a second, now.
    pub fn core_hertz(&self) -> f64 {
        let rates: Vec<_> = (0..101)
            .map(|_| {
                let span = self.measure(|| chain(CHAIN / TURN));
                span.cycles / span.seconds
            })
            .collect();
        median(&rates)
    }

    /// Measures `work`, whose code should be in the caches.
    pub fn measure(&self, work: impl FnOnce()) -> Span {
        chain(1); // brings its own code into the caches
        let before = ticks();
        chain(CHAIN / TURN);
        let start = ticks();
        work();
        let end = ticks();
        chain(CHAIN / TURN);
        let after = ticks();
        let took = |from: u64, to: u64| (to - from).saturating_sub(self.overhead) as f64;
        let cycles_per_tick = 2.0 * f64::from(CHAIN) / (took(before, start) + took(end, after));
        let ticks = took(start, end);
        Span { cycles: ticks * cycles_per_tick, seconds: ticks / self.ticks_per_second }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The median. NaN if there are no values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.as_slice() {
        [] => f64::NAN,
        odd if odd.len() % 2 == 1 => odd[middle],
        even => f64::midpoint(even[middle - 1], even[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_of_odd_even_and_no_values() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[9.0, 1.0, 5.0, 7.0]), 6.0);
        assert!(median(&[]).is_nan());
    }
}
