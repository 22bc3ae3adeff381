// SPDX-License-Identifier: MIT OR Apache-2.0
//! The run: A B C A B C …, so that whatever the machine does meanwhile happens to all alike.
//!
//! Before anything is timed every output of a cell is checked against `portable`'s. A sample is as
//! many calls as fill its time; the samples of a round follow each other, and behind them those of
//! the limit's instructions. The rounds of a cell are spread over the whole run: what disturbs the
//! machine for a second spoils a round of many cells, and no median.

use core::time::Duration;

use crate::clock::{Clock, median};
use crate::contender::{Contender, PORTABLE, Portable, Prepared, make_genuine};
use crate::limit::Limits;
use crate::message::{Message, Operation};

/// Messages up to this length are measured one by one, as a network's packets come; longer ones
/// back to back.
const ISOLATED: usize = 1424;

/// What to measure, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Bytes of text, before ECB and CBC round them up.
    pub sizes: Vec<usize>,
    /// Key sizes.
    pub key_bits: Vec<usize>,
    /// Samples of each contender in each cell.
    pub rounds: usize,
    /// How long a sample should take.
    pub sample: Duration,
}

impl Plan {
    /// Every size.
    pub fn full() -> Self {
        Self {
            sizes: vec![16, 64, 256, 1024, 1420, 4096, 16384, 131_072],
            key_bits: vec![128, 256],
            rounds: 31,
            sample: Duration::from_micros(400),
        }
    }

    /// The sizes that are judged and one of each other kind.
    pub fn quick() -> Self {
        Self {
            sizes: vec![16, 64, 1420, 16384],
            rounds: 21,
            sample: Duration::from_micros(200),
            ..Self::full()
        }
    }

    /// Cells of the plan.
    pub fn cells(&self) -> usize {
        Operation::ALL.len() * self.key_bits.len() * self.sizes.len()
    }
}

/// One contender in one cell.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name.
    pub contender: &'static str,
    /// Calls in a sample.
    pub calls: u64,
    /// Core cycles of a call, by round.
    pub cycles: Vec<f64>,
    /// Seconds of a call, by round.
    pub seconds: Vec<f64>,
}

/// One operation with one key size on one length.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The operation.
    pub operation: Operation,
    /// Bits of the key.
    pub key_bits: usize,
    /// Bytes of text.
    pub bytes: usize,
    /// Whether each call waited for the one before.
    pub isolated: bool,
    /// Everyone's figures.
    pub figures: Vec<Figure>,
}

impl Cell {
    /// The figure of a contender.
    pub fn figure(&self, contender: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.contender == contender)
    }

    /// Median cycles of a call for each byte of text.
    pub fn cycles_per_byte(&self, figure: &Figure) -> f64 {
        median(&figure.cycles) / self.bytes as f64
    }

    /// 10^6 bytes of text in a second, by the median.
    pub fn megabytes_per_second(&self, figure: &Figure) -> f64 {
        self.bytes as f64 / median(&figure.seconds) / 1e6
    }
}

/// All that a run has measured.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The cells, in the plan's order.
    pub cells: Vec<Cell>,
    /// The processor's own speed.
    pub limits: Limits,
}

impl Comparison {
    /// A cell, if the plan had it.
    pub fn cell(&self, operation: Operation, key_bits: usize, bytes: usize) -> Option<&Cell> {
        self.cells.iter().find(|cell| {
            cell.operation == operation && cell.key_bits == key_bits && cell.bytes == bytes
        })
    }
}

/// Steps of a run, of which `compare` tells each.
pub fn steps(plan: &Plan) -> usize {
    plan.cells() * (plan.rounds + 1)
}

/// A cell whose contenders are ready.
struct Ready<'m> {
    cell: Cell,
    runners: Vec<Prepared<'m>>,
}

/// Measures a plan. `step` hears what is done next.
///
/// # Errors
/// Somebody's output is wrong: who, and in which cell.
pub fn compare(
    plan: &Plan,
    field: &[Box<dyn Contender>],
    clock: &Clock,
    mut step: impl FnMut(&str),
) -> Result<Comparison, String> {
    let mut messages = Vec::with_capacity(plan.cells());
    for operation in Operation::ALL {
        for &key_bits in &plan.key_bits {
            for &size in &plan.sizes {
                messages.push(Message::new(operation, key_bits, operation.text_len(size)));
            }
        }
    }
    let mut cells = Vec::with_capacity(messages.len());
    for message in &messages {
        let title = title(message.operation, message.key.len() * 8, message.len);
        step(&title);
        let ready = check(plan, field, clock, message);
        cells.push(ready.map_err(|problem| format!("{title}: {problem}"))?);
    }
    let mut limits = Limits::default();
    for _ in 0..plan.rounds {
        for Ready { cell, runners } in &mut cells {
            step(&title(cell.operation, cell.key_bits, cell.bytes));
            for (prepared, figure) in runners.iter().zip(&mut cell.figures) {
                prepared.once(); // the other cells have taken the caches
                let span = clock.measure(|| repeat(prepared, cell.isolated, figure.calls));
                figure.cycles.push(span.cycles / figure.calls as f64);
                figure.seconds.push(span.seconds / figure.calls as f64);
            }
            if Limits::measurable() {
                limits.sample(clock);
            }
        }
    }
    Ok(Comparison { cells: cells.into_iter().map(|ready| ready.cell).collect(), limits })
}

fn title(operation: Operation, key_bits: usize, bytes: usize) -> String {
    format!("{} AES-{key_bits}, {bytes} bytes", operation.name())
}

/// Checks everyone's output, and finds how many calls make a sample.
fn check<'m>(
    plan: &Plan,
    field: &[Box<dyn Contender>],
    clock: &Clock,
    message: &'m Message,
) -> Result<Ready<'m>, String> {
    make_genuine(message);
    let expected = output(message, PORTABLE, Portable.prepare(message).as_ref())?;
    let isolated = message.len <= ISOLATED;
    let (mut figures, mut runners) = (Vec::new(), Vec::new());
    for contender in field {
        let name = contender.name();
        let prepared = contender.prepare(message);
        if output(message, name, prepared.as_ref())? != expected {
            return Err(format!("the output of {name} differs from that of {PORTABLE}"));
        }
        if let Some(prepared) = prepared {
            let calls = calls_for(plan.sample, clock, isolated, &prepared);
            figures.push(Figure { contender: name, calls, cycles: vec![], seconds: vec![] });
            runners.push(prepared);
        }
    }
    let (operation, key_bits) = (message.operation, message.key.len() * 8);
    let cell = Cell { operation, key_bits, bytes: message.len, isolated, figures };
    Ok(Ready { cell, runners })
}

fn output(
    message: &Message,
    name: &str,
    prepared: Option<&Prepared<'_>>,
) -> Result<Vec<u8>, String> {
    message.spoil_output();
    match prepared {
        Some(prepared) if prepared.once() => Ok(message.output()),
        Some(_) => Err(format!("{name} fails")),
        None => Err(format!("{name} has no such operation")),
    }
}

fn repeat(prepared: &Prepared<'_>, isolated: bool, calls: u64) {
    if isolated { prepared.isolated(calls) } else { prepared.back_to_back(calls) }
}

/// Calls that take about `sample`: doubles until they take a quarter of it, undisturbed.
fn calls_for(sample: Duration, clock: &Clock, isolated: bool, prepared: &Prepared<'_>) -> u64 {
    let sample = sample.as_secs_f64();
    let mut calls = 1;
    loop {
        let measure = |_| clock.measure(|| repeat(prepared, isolated, calls)).seconds;
        let took = [(); 3].map(measure).into_iter().fold(f64::INFINITY, f64::min);
        if took >= sample / 4.0 {
            return ((calls as f64 * sample / took).round() as u64).max(1);
        }
        calls *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, compare, steps};
    use crate::clock::Clock;
    use crate::contender::{Contender, PORTABLE, Portable, Prepared};
    use crate::message::{Job, Message, Operation};
    use core::time::Duration;

    /// Does nothing, and says that it went well.
    struct Idle;

    impl Contender for Idle {
        fn name(&self) -> &'static str {
            "idle"
        }

        fn description(&self) -> String {
            String::new()
        }

        fn prepare<'m>(&self, message: &'m Message) -> Option<Prepared<'m>> {
            unsafe fn idle(_: &Job) -> u32 {
                0
            }
            Some(Prepared::new(message, idle, ()))
        }
    }

    fn plan() -> Plan {
        Plan { sizes: vec![20], key_bits: vec![128], rounds: 3, sample: Duration::from_micros(1) }
    }

    #[test]
    fn every_cell_has_every_round() {
        let field: Vec<Box<dyn Contender>> = vec![Box::new(Portable)];
        let mut done = 0;
        let found = compare(&plan(), &field, &Clock::new(), |_| done += 1).unwrap();
        assert_eq!((done, found.cells.len()), (steps(&plan()), plan().cells()));
        for cell in &found.cells {
            let figure = cell.figure(PORTABLE).unwrap();
            assert_eq!(cell.bytes, cell.operation.text_len(20));
            assert_eq!((figure.cycles.len(), figure.seconds.len()), (3, 3));
        }
        assert_eq!(
            found.cell(Operation::EcbEncrypt, 128, 32).map(|cell| cell.isolated),
            Some(true)
        );
    }

    #[test]
    fn wrong_output_is_not_timed() {
        let field: Vec<Box<dyn Contender>> = vec![Box::new(Portable), Box::new(Idle)];
        let found = compare(&plan(), &field, &Clock::new(), |_| ());
        assert_eq!(
            found.map(drop),
            Err("ECB encrypt AES-128, 32 bytes: the output of idle differs from that of portable"
                .to_owned())
        );
    }
}
