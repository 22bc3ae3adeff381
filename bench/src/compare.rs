// SPDX-License-Identifier: MIT OR Apache-2.0
//! The run: A B C A B C …, so that whatever the machine does meanwhile happens to all alike.
//!
//! Before anything is timed, every output of a cell is checked against `portable`'s, and a forged
//! message must be refused. Who fails a check is not timed in that cell. A sample is as many calls as
//! fill its time. The samples of a round follow each other, and those of the limit's instructions come
//! after them. The rounds of a cell are spread over the whole run. So what disturbs the machine for a
//! second spoils one round of many cells, and no median.

use core::time::Duration;

use crate::clock::{Clock, median};
use crate::contender::{
    Contender, Missing, PORTABLE, Portable, Prepared, Role, make_genuine, prepare,
};
use crate::limit::Limits;
use crate::message::{Message, Operation};

/// Messages up to this length are also measured one by one, as a network's packets come.
pub const ISOLATED: usize = 1424;

/// What to measure, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Bytes of text, before ECB and CBC round them up.
    pub sizes: Vec<usize>,
    /// Bytes of text of the messages that come with a key.
    pub cold_sizes: Vec<usize>,
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
            cold_sizes: vec![64, 1420],
            key_bits: vec![128, 256],
            rounds: 31,
            sample: Duration::from_micros(400),
        }
    }

    /// The same with fewer and shorter samples.
    pub fn quick() -> Self {
        Self { rounds: 11, sample: Duration::from_micros(150), ..Self::full() }
    }

    /// What is measured. Short messages both ways: one by one as packets come, and back to back. Long
    /// messages back to back. New keys one by one.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        let mut add = |operation: Operation, sizes: &[usize], isolated: bool| {
            for &key_bits in &self.key_bits {
                for &size in sizes {
                    let bytes = operation.text_len(size);
                    if !isolated || bytes <= ISOLATED {
                        cells.push(Cell { operation, key_bits, bytes, isolated, figures: vec![] });
                    }
                }
            }
        };
        for operation in Operation::WARM {
            add(operation, &self.sizes, true);
            add(operation, &self.sizes, false);
        }
        add(Operation::GcmNewKeySeal, &self.cold_sizes, true);
        cells
    }
}

/// One contender in one cell.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name.
    pub contender: String,
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
    /// The cell's name for people.
    pub fn title(&self) -> String {
        let Self { operation, key_bits, bytes, .. } = self;
        let isolated = if self.isolated { ", one by one" } else { "" };
        format!("{} AES-{key_bits}, {bytes} bytes{isolated}", operation.name())
    }

    /// Whether contenders are compared in this cell: short messages one by one, long ones back to back,
    /// and keys set before.
    pub fn is_judged(&self) -> bool {
        self.operation != Operation::GcmNewKeySeal && self.isolated == (self.bytes <= ISOLATED)
    }

    /// The figure of a contender.
    pub fn figure(&self, contender: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.contender == contender)
    }

    /// Median cycles of a contender's call for each byte of text.
    pub fn cycles_per_byte(&self, contender: &str) -> Option<f64> {
        Some(median(&self.figure(contender)?.cycles) / self.bytes as f64)
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
    /// Peers that gave a wrong answer, and in which cell.
    pub wrong: Vec<Missing>,
}

impl Comparison {
    /// A cell, if the plan had it.
    pub fn cell(
        &self,
        operation: Operation,
        key_bits: usize,
        bytes: usize,
        isolated: bool,
    ) -> Option<&Cell> {
        let wanted = (operation, key_bits, bytes, isolated);
        self.cells
            .iter()
            .find(|cell| (cell.operation, cell.key_bits, cell.bytes, cell.isolated) == wanted)
    }
}

/// Steps of a run. `compare` reports each.
pub fn steps(plan: &Plan) -> usize {
    plan.cells().len() * (plan.rounds + 1)
}

/// A cell whose contenders are ready.
struct Ready<'m> {
    cell: Cell,
    runners: Vec<Prepared<'m>>,
}

/// Measures a plan. `step` is told what is done next.
///
/// # Errors
/// An output of ours is wrong. The error names the contender and the cell.
pub fn compare(
    plan: &Plan,
    field: &[Box<dyn Contender>],
    clock: &Clock,
    mut step: impl FnMut(&str),
) -> Result<Comparison, String> {
    let planned = plan.cells();
    let messages: Vec<_> = planned
        .iter()
        .map(|cell| Message::new(cell.operation, cell.key_bits, cell.bytes))
        .collect();
    let (mut cells, mut wrong) = (Vec::with_capacity(planned.len()), Vec::new());
    for (cell, message) in planned.into_iter().zip(&messages) {
        step(&cell.title());
        cells.push(check(plan, field, clock, cell, message, &mut wrong)?);
    }
    let mut limits = Limits::default();
    for _ in 0..plan.rounds {
        for Ready { cell, runners } in &mut cells {
            step(&cell.title());
            for (prepared, figure) in runners.iter().zip(&mut cell.figures) {
                prepared.once(); // the other cells have used the caches
                let span = clock.measure(|| repeat(prepared, cell.isolated, figure.calls));
                figure.cycles.push(span.cycles / figure.calls as f64);
                figure.seconds.push(span.seconds / figure.calls as f64);
            }
            limits.sample(clock);
        }
    }
    let cells = cells.into_iter().map(|ready| ready.cell).collect();
    Ok(Comparison { cells, limits, wrong })
}

/// Checks everyone's output, and finds how many calls make a sample.
fn check<'m>(
    plan: &Plan,
    field: &[Box<dyn Contender>],
    clock: &Clock,
    mut cell: Cell,
    message: &'m Message,
    wrong: &mut Vec<Missing>,
) -> Result<Ready<'m>, String> {
    make_genuine(message);
    let reference = prepare(&Portable, message).ok_or("portable has every operation")?;
    let expected = output(message, &reference)?;
    let mut runners = Vec::new();
    for contender in field {
        let name = contender.name();
        let Some(prepared) = prepare(&**contender, message) else { continue };
        let answer = output(message, &prepared).and_then(|output| {
            if output != expected {
                Err(format!("its output differs from that of {PORTABLE}"))
            } else if opens_forged(message, &prepared) {
                Err("it opens a forged message".to_owned())
            } else {
                Ok(())
            }
        });
        if let Err(problem) = answer {
            let reason = format!("{}: {problem}", cell.title());
            if contender.role() != Role::Peer {
                return Err(format!("{name}: {reason}"));
            }
            wrong.push(Missing { name: name.to_owned(), reason });
            continue;
        }
        let calls = calls_for(plan.sample, clock, cell.isolated, &prepared);
        let contender = name.to_owned();
        cell.figures.push(Figure { contender, calls, cycles: vec![], seconds: vec![] });
        runners.push(prepared);
    }
    Ok(Ready { cell, runners })
}

fn output(message: &Message, prepared: &Prepared<'_>) -> Result<Vec<u8>, String> {
    message.spoil_output();
    if prepared.once() { Ok(message.output()) } else { Err("it fails".to_owned()) }
}

fn opens_forged(message: &Message, prepared: &Prepared<'_>) -> bool {
    if message.operation != Operation::GcmOpen {
        return false;
    }
    message.turn_tag();
    let opened = prepared.once();
    message.turn_tag();
    opened
}

fn repeat(prepared: &Prepared<'_>, isolated: bool, calls: u64) {
    if isolated { prepared.isolated(calls) } else { prepared.back_to_back(calls) }
}

/// The number of calls that take about `sample`. It doubles until the calls take a quarter of that,
/// undisturbed.
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
    use crate::contender::{Contender, PORTABLE, Portable, Role};
    use crate::message::{Job, Operation};
    use core::time::Duration;
    use kcfaes_shape::Prepared;

    /// Does nothing and answers success. It has no CTR.
    struct Idle;

    impl Contender for Idle {
        fn name(&self) -> &str {
            "idle"
        }

        fn description(&self) -> String {
            String::new()
        }

        fn role(&self) -> Role {
            Role::Peer
        }

        unsafe fn prepare(&self, operation: Operation, _: &Job) -> Prepared {
            unsafe extern "C" fn idle(_: &Job) -> u32 {
                0
            }
            match operation {
                Operation::Ctr => Prepared::NONE,
                _ => Prepared::new(idle, ()),
            }
        }
    }

    fn plan(sizes: Vec<usize>) -> Plan {
        let sample = Duration::from_micros(1);
        Plan { sizes, cold_sizes: vec![16], key_bits: vec![128], rounds: 3, sample }
    }

    #[test]
    fn every_cell_has_every_round() {
        let (plan, field): (_, Vec<Box<dyn Contender>>) =
            (plan(vec![20]), vec![Box::new(Portable)]);
        let mut done = 0;
        let found = compare(&plan, &field, &Clock::new(), |_| done += 1).unwrap();
        assert_eq!((done, found.cells.len()), (steps(&plan), 2 * Operation::WARM.len() + 1));
        for cell in &found.cells {
            let figure = cell.figure(PORTABLE).unwrap();
            assert_eq!((figure.cycles.len(), figure.seconds.len()), (3, 3));
        }
        assert_eq!(
            found.cell(Operation::EcbEncrypt, 128, 32, true).map(|cell| cell.is_judged()),
            Some(true)
        );
        assert!(found.cell(Operation::GcmNewKeySeal, 128, 16, true).is_some());
    }

    #[test]
    fn wrong_output_is_not_timed() {
        let field: Vec<Box<dyn Contender>> = vec![Box::new(Portable), Box::new(Idle)];
        let found = compare(&plan(vec![20]), &field, &Clock::new(), |_| ()).unwrap();
        assert!(found.cells.iter().all(|cell| cell.figures.len() == 1));
        // Six operations in two ways, and one with a new key. It has no CTR.
        assert_eq!(found.wrong.len(), 13);
        assert_eq!(
            (found.wrong[0].name.as_str(), found.wrong[0].reason.as_str()),
            (
                "idle",
                "ECB encrypt AES-128, 32 bytes, one by one: its output differs from that of \
                 portable"
            )
        );
    }

    /// Opens whatever it is given: the genuine message of this length, and the forged one.
    #[test]
    fn whoever_opens_a_forged_message_is_not_timed() {
        struct Credulous;
        impl Contender for Credulous {
            fn name(&self) -> &str {
                "credulous"
            }

            fn description(&self) -> String {
                String::new()
            }

            fn role(&self) -> Role {
                Role::Peer
            }

            unsafe fn prepare(&self, operation: Operation, job: &Job) -> Prepared {
                unsafe extern "C" fn open(job: &Job) -> u32 {
                    // SAFETY: a job whose state is the portable table's.
                    unsafe {
                        let inner: &Prepared = job.state();
                        let call = inner.call.expect("portable has every operation");
                        call(&Job { state: inner.state, ..*job });
                    }
                    0
                }
                // SAFETY: the caller's promise.
                let inner = unsafe { Portable.prepare(operation, job) };
                Prepared::new(open, inner)
            }
        }
        let field: Vec<Box<dyn Contender>> = vec![Box::new(Credulous)];
        let found = compare(&plan(vec![20]), &field, &Clock::new(), |_| ()).unwrap();
        let reasons: Vec<_> = found.wrong.iter().map(|it| it.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "GCM open AES-128, 20 bytes, one by one: it opens a forged message",
                "GCM open AES-128, 20 bytes: it opens a forged message"
            ]
        );
    }
}
