// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a run says: tables for people, JSON for programs, and the bars that the design sets itself.

use core::fmt::Write as _;

use comfy_table::{Cell as Field, CellAlignment, Row, Table, presets};
use serde::Serialize;

use crate::clock::{Clock, median};
use crate::compare::{Cell, Comparison, Plan};
use crate::contender::{AESNI, Contender, Missing, OPS};
use crate::limit::Probe;
use crate::machine::Machine;
use crate::message::{BLOCK, Operation};

/// Everything, in the form of the JSON file.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of kcfaes.
    pub version: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// Ticks of the TSC in a second.
    pub tsc_hertz: f64,
    /// Cycles of the core in a second, when the run ended.
    pub core_hertz: f64,
    /// Samples of each contender in each cell.
    pub rounds: usize,
    /// Who took part.
    pub contenders: Vec<Named>,
    /// Who could not.
    pub missing: Vec<Missing>,
    /// Cycles of the instructions that bound the modes.
    pub limits: Vec<Limit>,
    /// The share of rounds in which another thread took part of the core.
    pub shared_core: Option<f64>,
    /// The figures.
    pub cells: Vec<CellReport>,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// A contender.
#[derive(Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: String,
}

/// A probe's median.
#[derive(Debug, Serialize)]
pub struct Limit {
    /// What was measured.
    pub probe: Probe,
    /// Cycles for one.
    pub cycles: Option<f64>,
}

/// One cell.
#[derive(Debug, Serialize)]
pub struct CellReport {
    /// The operation.
    pub operation: Operation,
    /// Bits of the key.
    pub key_bits: usize,
    /// Bytes of text.
    pub bytes: usize,
    /// Whether each call waited for the one before.
    pub isolated: bool,
    /// The limit, cycles for a byte.
    pub limit_cycles_per_byte: Option<f64>,
    /// Everyone's figures.
    pub figures: Vec<FigureReport>,
}

/// One contender in one cell.
#[derive(Debug, Serialize)]
pub struct FigureReport {
    /// Who.
    pub contender: &'static str,
    /// Calls in a sample.
    pub calls_per_sample: u64,
    /// Median core cycles of a call.
    pub cycles_per_call: f64,
    /// The same for each byte of text.
    pub cycles_per_byte: f64,
    /// The same as a multiple of the limit.
    pub ratio_to_limit: Option<f64>,
    /// 10^6 bytes of text in a second.
    pub megabytes_per_second: f64,
    /// Core cycles of a call in each round.
    pub rounds: Vec<f64>,
}

/// A bar, and how far the figure is from it.
#[derive(Debug, Serialize)]
pub struct Bar {
    /// What is measured.
    pub what: &'static str,
    /// In what.
    pub unit: &'static str,
    /// The figure; `None` where the plan has no such cell or a contender is missing.
    pub figure: Option<f64>,
    /// What it should not exceed.
    pub bar: Option<f64>,
}

impl Bar {
    /// "reached", "missed by …", or why there is neither.
    pub fn verdict(&self) -> String {
        match (self.figure, self.bar) {
            (Some(figure), Some(bar)) if figure <= bar => "reached".to_owned(),
            (Some(figure), Some(bar)) => format!("missed by {:.1} %", 100.0 * (figure / bar - 1.0)),
            _ => "not measured".to_owned(),
        }
    }
}

/// A number, or nothing where there is none.
fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn limit_per_byte(comparison: &Comparison, cell: &Cell) -> Option<f64> {
    let block = comparison.limits.cycles_per_block(cell.operation, cell.key_bits);
    known(block / BLOCK as f64)
}

/// The bars for AES-128, most of them at 16 KiB.
fn bars(comparison: &Comparison) -> Vec<Bar> {
    const BULK: usize = 16384;
    const PACKET: usize = 64;
    let cell = |operation, bytes| comparison.cell(operation, 128, bytes);
    let per_byte = |operation| {
        let cell = cell(operation, BULK)?;
        Some((cell, cell.cycles_per_byte(cell.figure(AESNI)?)))
    };
    let to_limit = |operation| {
        let (cell, figure) = per_byte(operation)?;
        Some(figure / limit_per_byte(comparison, cell)?)
    };
    // Both ways do the same work in the same round: what is compared is their difference there.
    let ops_against_kernels = |bytes, difference: fn(f64, f64) -> f64| {
        let cell = cell(Operation::GcmSeal, bytes)?;
        let (ops, kernels) = (cell.figure(OPS)?, cell.figure(AESNI)?);
        let pairs = ops.cycles.iter().zip(&kernels.cycles);
        Some(median(&pairs.map(|(&ops, &kernels)| difference(ops, kernels)).collect::<Vec<_>>()))
    };
    let latency = known(comparison.limits.cycles(Probe::AesencLatency));
    let bar = |what, unit, figure, bar| Bar { what, unit, figure, bar };
    vec![
        bar("ECB encryption, 16 KiB", "x limit", to_limit(Operation::EcbEncrypt), Some(1.06)),
        bar("ECB decryption, 16 KiB", "x limit", to_limit(Operation::EcbDecrypt), Some(1.06)),
        bar("CTR, 16 KiB", "x limit", to_limit(Operation::Ctr), Some(1.06)),
        bar("CBC decryption, 16 KiB", "x limit", to_limit(Operation::CbcDecrypt), Some(1.06)),
        bar(
            "CBC encryption, 16 KiB (bar: 10 AESENC in a row, and 1)",
            "cycles/block",
            per_byte(Operation::CbcEncrypt).map(|(_, figure)| figure * BLOCK as f64),
            latency.map(|cycles| 10.0 * cycles + 1.0),
        ),
        bar(
            "GCM seal, 16 KiB",
            "cycles/byte",
            per_byte(Operation::GcmSeal).map(|f| f.1),
            Some(0.5),
        ),
        bar(
            "GCM open, 16 KiB",
            "cycles/byte",
            per_byte(Operation::GcmOpen).map(|f| f.1),
            Some(0.5),
        ),
        bar(
            "GCM seal, 64 bytes: ops vector above direct calls",
            "cycles",
            ops_against_kernels(PACKET, |ops, kernels| ops - kernels),
            Some(120.0),
        ),
        bar(
            "GCM seal, 16 KiB: ops vector to direct calls",
            "x",
            ops_against_kernels(BULK, |ops, kernels| ops / kernels),
            Some(1.02),
        ),
    ]
}

impl Report {
    /// Of a run.
    pub fn new(
        plan: &Plan,
        clock: &Clock,
        comparison: &Comparison,
        field: &[Box<dyn Contender>],
        missing: Vec<Missing>,
    ) -> Self {
        let cells = comparison.cells.iter().map(|cell| {
            let limit = limit_per_byte(comparison, cell);
            let figures = cell.figures.iter().map(|figure| {
                let cycles_per_byte = cell.cycles_per_byte(figure);
                FigureReport {
                    contender: figure.contender,
                    calls_per_sample: figure.calls,
                    cycles_per_call: median(&figure.cycles),
                    cycles_per_byte,
                    ratio_to_limit: limit.map(|limit| cycles_per_byte / limit),
                    megabytes_per_second: cell.megabytes_per_second(figure),
                    rounds: figure.cycles.clone(),
                }
            });
            CellReport {
                operation: cell.operation,
                key_bits: cell.key_bits,
                bytes: cell.bytes,
                isolated: cell.isolated,
                limit_cycles_per_byte: limit,
                figures: figures.collect(),
            }
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(),
            tsc_hertz: clock.ticks_per_second(),
            core_hertz: clock.core_hertz(),
            rounds: plan.rounds,
            contenders: field
                .iter()
                .map(|it| Named { name: it.name(), description: it.description() })
                .collect(),
            missing,
            limits: Probe::ALL
                .map(|probe| Limit { probe, cycles: known(comparison.limits.cycles(probe)) })
                .into(),
            shared_core: known(comparison.limits.shared()),
            cells: cells.collect(),
            bars: bars(comparison),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let [family, model, stepping] = self.machine.signature;
        let _ = writeln!(
            text,
            "{} (family {family} model {model} stepping {stepping}{}), core {:.2} GHz, TSC {:.2} GHz\n\
             features: {}",
            self.machine.model,
            if self.machine.virtual_machine { ", virtual machine" } else { "" },
            self.core_hertz / 1e9,
            self.tsc_hertz / 1e9,
            self.machine.features.join(" "),
        );
        for Named { name, description } in &self.contenders {
            let _ = writeln!(text, "{name}: {description}");
        }
        for Missing { name, reason } in &self.missing {
            let _ = writeln!(text, "MISSING {name}: {reason}");
        }
        let _ = writeln!(text, "\nThe processor, core cycles\n{}", self.limit_table());
        let _ = writeln!(
            text,
            "\nCore cycles per byte, medians of {} rounds (* calls that wait for the one before)\n{}",
            self.rounds,
            self.cell_table()
        );
        if let Some(share) = self.shared_core.filter(|&share| share > 0.05) {
            let _ = writeln!(
                text,
                "\nNOT ALONE: in {:.0} % of the rounds another thread took part of the core; short \
                 messages and the ops vector look slower than they are",
                100.0 * share
            );
        }
        let _ = writeln!(text, "\nBars, AES-128\n{}", self.bar_table());
        text
    }

    fn limit_table(&self) -> Table {
        let mut table = table();
        for limit in &self.limits {
            table.add_row(row([limit.probe.name().to_owned(), number(limit.cycles, 3)], 1));
        }
        table
    }

    /// One row for each operation, key size and contender, one column for each length.
    fn cell_table(&self) -> Table {
        let mut table = table();
        let mut cells = self.cells.as_slice();
        let same =
            |a: &CellReport, b: &CellReport| (a.operation, a.key_bits) == (b.operation, b.key_bits);
        let mut headed = false;
        while let Some(first) = cells.first() {
            let (now, later) = cells.split_at(cells.iter().take_while(|c| same(c, first)).count());
            cells = later;
            if !headed {
                let sizes =
                    now.iter().map(|c| format!("{}{}", c.bytes, if c.isolated { "*" } else { "" }));
                let head = ["operation".to_owned(), String::new()].into_iter().chain(sizes);
                table.set_header(row(head, 2));
                headed = true;
            }
            let title = format!("{} {}", first.operation.name(), first.key_bits);
            let limits = now.iter().map(|c| number(c.limit_cycles_per_byte, 3));
            table.add_row(row([title, "limit".to_owned()].into_iter().chain(limits), 2));
            for figure in &first.figures {
                let values = now.iter().map(|c| {
                    let found = c.figures.iter().find(|f| f.contender == figure.contender);
                    number(found.map(|f| f.cycles_per_byte), 3)
                });
                let head = [String::new(), figure.contender.to_owned()];
                table.add_row(row(head.into_iter().chain(values), 2));
            }
        }
        table
    }

    fn bar_table(&self) -> Table {
        let mut table = table();
        for it in &self.bars {
            let figure = format!("{} {}", number(it.figure, 3), it.unit);
            table.add_row(row(
                [it.what.to_owned(), figure, format!("<= {}", number(it.bar, 2)), it.verdict()],
                1,
            ));
        }
        table
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

/// A row whose fields after the first `names` stand to the right.
fn row(fields: impl IntoIterator<Item = String>, names: usize) -> Row {
    fields
        .into_iter()
        .enumerate()
        .map(|(i, text)| {
            let side = if i < names { CellAlignment::Left } else { CellAlignment::Right };
            Field::new(text).set_alignment(side)
        })
        .collect::<Vec<_>>()
        .into()
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
