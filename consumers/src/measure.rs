// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two operations measured in turns, and what is asked of the result.

use core::fmt;

use kcfaes_ffi_tests::kernel;

use crate::clock::{Clock, median};
use crate::replay::Replay;

/// How many samples are taken.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) samples: usize,
}

impl Effort {
    pub(crate) const FULL: Self = Self { rounds: 11, samples: 41 };
    pub(crate) const QUICK: Self = Self { rounds: 3, samples: 15 };
}

/// What one operation takes, in core cycles and in nanoseconds.
pub(crate) struct Times {
    own: f64,
    other: f64,
    pub(crate) own_ns: f64,
    pub(crate) other_ns: f64,
}

impl Times {
    /// Speed of the first, relative to the second.
    pub(crate) fn speed(&self) -> f64 {
        self.other / self.own
    }
}

/// Long compared with reading the clock, short compared with a thread's share of a CPU.
const SAMPLE_SECONDS: f64 = 20e-6;

/// Work that is timed: an operation, several times where it can be repeated as it is.
struct Work<'a> {
    replay: &'a mut dyn Replay,
    runs: usize,
}

impl<'a> Work<'a> {
    fn new(clock: &Clock, replay: &'a mut dyn Replay) -> Self {
        let mut work = Self { replay, runs: 1 };
        work.replay.reset();
        let seconds = (0..5).map(|_| work.sample(clock).1).fold(f64::INFINITY, f64::min);
        if work.replay.repeats() {
            work.runs = ((SAMPLE_SECONDS / seconds) as usize).clamp(1, 200);
        }
        work
    }

    /// Cycles and seconds of one run.
    fn sample(&mut self, clock: &Clock) -> (f64, f64) {
        if !self.replay.repeats() {
            self.replay.reset();
        }
        let mut status = 0;
        let span = clock.measure(|| {
            for _ in 0..self.runs {
                status |= self.replay.run();
            }
        });
        assert_eq!(status, 0, "what is timed succeeds");
        (span.cycles / self.runs as f64, span.seconds / self.runs as f64)
    }
}

/// For each of the two, the least of the medians of the rounds: noise only adds.
pub(crate) fn pair(
    clock: &Clock,
    effort: Effort,
    own: &mut dyn Replay,
    other: &mut dyn Replay,
) -> Times {
    let mut works = [Work::new(clock, own), Work::new(clock, other)];
    let mut least = [[f64::INFINITY; 2]; 2];
    fast(|| {
        for round in 0..effort.rounds {
            let mut samples = [const { (Vec::new(), Vec::new()) }; 2];
            for sample in 0..effort.samples {
                // So that neither is always the one that comes after the other.
                for turn in 0..2 {
                    let which = (turn + sample + round) % 2;
                    let (cycles, seconds) = works[which].sample(clock);
                    samples[which].0.push(cycles);
                    samples[which].1.push(seconds);
                }
            }
            for (least, (cycles, seconds)) in least.iter_mut().zip(&samples) {
                let medians = [median(cycles), median(seconds) * 1e9];
                least.iter_mut().zip(medians).for_each(|(least, now)| *least = least.min(now));
            }
        }
    });
    let [[own, own_ns], [other, other_ns]] = least;
    for work in works {
        work.replay.reset();
        work.replay.run();
        assert_eq!(work.replay.check(), Ok(()), "after the clock has run");
    }
    Times { own, other, own_ns, other_ns }
}

/// Runs `work` with all instruments of the fake kernel off.
pub(crate) fn fast<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: this switches the fake kernel while nobody else uses it.
    unsafe { kernel::fk_bench_mode(1) };
    let result = work();
    // SAFETY: as above.
    unsafe { kernel::fk_bench_mode(0) };
    result
}

/// A figure, and what it should be.
pub(crate) struct Bar {
    what: String,
    unit: &'static str,
    /// `Err` says why there is none.
    figure: Result<f64, String>,
    bar: f64,
    at_least: bool,
    remark: String,
}

impl Bar {
    pub(crate) fn at_least(
        what: impl Into<String>,
        unit: &'static str,
        figure: f64,
        bar: f64,
    ) -> Self {
        let remark = String::new();
        Self { what: what.into(), unit, figure: Ok(figure), bar, at_least: true, remark }
    }

    pub(crate) fn at_most(
        what: impl Into<String>,
        unit: &'static str,
        figure: f64,
        bar: f64,
    ) -> Self {
        Self { at_least: false, ..Self::at_least(what, unit, figure, bar) }
    }

    pub(crate) fn none(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { figure: Err(why.into()), ..Self::at_least(what, "", 0.0, 0.0) }
    }

    pub(crate) fn remark(self, remark: String) -> Self {
        Self { remark, ..self }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, bar, .. } = self;
        let side = if self.at_least { "at least" } else { "at most" };
        let digits = if *bar < 10.0 { 2 } else { 0 };
        let figure = match &self.figure {
            Ok(figure) => *figure,
            Err(why) => return write!(f, "  none    {what}: {why}"),
        };
        let missed = if self.at_least { 1.0 - figure / bar } else { figure / bar - 1.0 };
        let verdict = if missed <= 0.0 { "pass" } else { "MISS" };
        write!(f, "  {verdict}    {what}: {figure:.digits$} {unit}, {side} {bar:.digits$}")?;
        if missed > 0.0 {
            write!(f, " ({:.1} % off)", 100.0 * missed)?;
        }
        if self.remark.is_empty() { Ok(()) } else { write!(f, "; {}", self.remark) }
    }
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[test]
    fn a_bar_is_passed_or_missed() {
        let text = |bar: Bar| bar.to_string();
        assert!(text(Bar::at_least("a", "x", 0.96, 0.95)).contains("pass"));
        assert!(text(Bar::at_least("a", "x", 0.855, 0.95)).contains("MISS"));
        assert!(text(Bar::at_least("a", "x", 0.855, 0.95)).contains("10.0 % off"));
        assert!(text(Bar::at_most("a", "cycles", 90.0, 100.0)).contains("pass"));
        assert!(text(Bar::at_most("a", "cycles", 110.0, 100.0)).contains("10.0 % off"));
        assert!(text(Bar::none("a", "no")).contains("none    a: no"));
    }
}
