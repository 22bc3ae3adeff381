// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a run says: tables for people, JSON for programs.

use core::fmt::Write as _;

use comfy_table::{Cell as Field, CellAlignment, Row, Table, presets};
use serde::Serialize;

use crate::bars::{Bar, bars};
use crate::clock::{Clock, median};
use crate::compare::{Cell, Comparison, Plan};
use crate::contender::{API, Contender, Missing, OPS, Role};
use crate::limit::{Limits, Probe, Width};
use crate::machine::Machine;
use crate::message::Operation;
use crate::verdict::{Verdict, Verdicts, known, limit};

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
    /// Who and what was not run.
    pub missing: Vec<Missing>,
    /// Cycles of the instructions that bound the modes.
    pub probes: Vec<ProbeReport>,
    /// The limits that follow from the probes.
    pub limits: Vec<LimitReport>,
    /// The share of rounds in which another thread took part of the core.
    pub shared_core: Option<f64>,
    /// The figures.
    pub cells: Vec<CellReport>,
    /// Ours against the best of the peers.
    pub verdicts: Verdicts,
    /// The same for the fastest table in each cell, and for the ways in which callers reach ours.
    pub others: Vec<(&'static str, Verdicts)>,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// A contender.
#[derive(Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What it stands for.
    pub role: Role,
}

/// A probe's median.
#[derive(Debug, Serialize)]
pub struct ProbeReport {
    /// What was measured.
    pub probe: Probe,
    /// The registers it was measured on.
    pub width: Width,
    /// Cycles for one; `None` where this processor has no such registers.
    pub cycles: Option<f64>,
}

/// The speed that an operation cannot exceed.
#[derive(Debug, Serialize)]
pub struct LimitReport {
    /// The operation.
    pub operation: &'static str,
    /// Bits of the key.
    pub key_bits: usize,
    /// The registers it applies to.
    pub width: Width,
    /// The table of kernels that this bounds.
    pub table: &'static str,
    /// Cycles for a byte.
    pub cycles_per_byte: Option<f64>,
}

/// One cell.
#[derive(Debug, Serialize)]
pub struct CellReport {
    /// The operation.
    pub operation: &'static str,
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
    pub contender: String,
    /// Calls in a sample.
    pub calls_per_sample: u64,
    /// Median core cycles of a call.
    pub cycles_per_call: f64,
    /// Cycles of a call for each byte of text.
    pub cycles_per_byte: f64,
    /// The cycles as a multiple of the limit.
    pub ratio_to_limit: Option<f64>,
    /// 10^6 bytes of text in a second.
    pub megabytes_per_second: f64,
    /// Core cycles of a call in each round.
    pub rounds: Vec<f64>,
}

impl Report {
    /// The report of a run.
    pub fn new(
        plan: &Plan,
        clock: &Clock,
        comparison: &Comparison,
        field: &[Box<dyn Contender>],
        mut missing: Vec<Missing>,
    ) -> Self {
        missing.extend(Width::ALL.into_iter().filter_map(|width| {
            let lacking = width.lacking();
            let reason = format!("this processor lacks {}", lacking.join(", "));
            let name = format!("limit of {}", width.name());
            (!lacking.is_empty()).then_some(Missing { name, reason })
        }));
        let verdicts = Verdicts::new(comparison, field);
        let limits = &comparison.limits;
        let probes = Width::ALL.into_iter().flat_map(|width| {
            Probe::ALL.map(|probe| {
                let cycles = known(limits.cycles(width, probe));
                ProbeReport { probe, width, cycles }
            })
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(),
            tsc_hertz: clock.ticks_per_second(),
            core_hertz: clock.core_hertz(),
            rounds: plan.rounds,
            contenders: field
                .iter()
                .map(|it| Named {
                    name: it.name().to_owned(),
                    description: it.description(),
                    role: it.role(),
                })
                .collect(),
            missing,
            probes: probes.collect(),
            limits: limit_reports(plan, limits),
            shared_core: known(limits.shared()),
            cells: comparison.cells.iter().map(|cell| cell_report(comparison, cell)).collect(),
            bars: bars(comparison, field, &verdicts),
            verdicts,
            others: [
                ("any kernels", Verdicts::of_any_table(comparison, field)),
                (API, Verdicts::of_one(comparison, field, API)),
                (OPS, Verdicts::of_one(comparison, field, OPS)),
            ]
            .into(),
        }
    }

    /// For people: the figures that matter.
    pub fn summary(&self) -> String {
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
        for Named { name, description, .. } in &self.contenders {
            let _ = writeln!(text, "{name}: {description}");
        }
        for Missing { name, reason } in &self.missing {
            let _ = writeln!(text, "NOT RUN {name}: {reason}");
        }
        if let Some(share) = self.shared_core.filter(|&share| share > 0.05) {
            let _ = writeln!(
                text,
                "\nNOT ALONE: in {:.0} % of the rounds another thread took part of the core; short \
                 messages and the ops vector look slower than they are",
                100.0 * share
            );
        }
        let _ = writeln!(text, "\nThe processor, core cycles for one\n{}", self.probe_table());
        let _ = writeln!(text, "\nThe limit, core cycles per byte\n{}", self.limit_table());
        let _ = writeln!(
            text,
            "\nTime of our table to that of the best peer, medians of {} rounds (one by one \
             up to 1424 bytes)\n{}",
            self.rounds,
            self.verdict_table(|it| it.ratio_to_peer.map(|ratio| {
                let peer = it.best_peer.as_ref().map_or("", |peer| &peer.contender);
                format!("{ratio:.2} {}", self.letter(peer))
            }))
        );
        let peers = self.contenders.iter().filter(|it| it.role == Role::Peer);
        for peer in peers {
            let _ = writeln!(text, "{} {}", self.letter(&peer.name), peer.name);
        }
        let _ = writeln!(
            text,
            "\nThe same to the limit\n{}",
            self.verdict_table(|it| it.ratio_to_limit.map(|ratio| format!("{ratio:.2}")))
        );
        let _ = writeln!(text, "\n{}", self.counts());
        let _ = writeln!(text, "\nCells in which a peer is faster by more than 2 %");
        let lost: Vec<_> = self.verdicts.cells.iter().filter(|it| it.is_lost()).collect();
        match lost.as_slice() {
            [] => text.push_str("none\n"),
            lost => {
                let _ = writeln!(text, "{}", lost_table(lost));
            }
        }
        let _ = writeln!(
            text,
            "\nNew key and seal, core cycles of a call (one by one)\n{}",
            self.cold_table()
        );
        let _ = writeln!(text, "\nBars\n{}", self.bar_table());
        text
    }

    /// For people: everybody's figures.
    pub fn figures(&self) -> String {
        let mut text = String::new();
        for (isolated, title) in
            [(true, "one by one (each waits for the one before)"), (false, "back to back")]
        {
            let _ = writeln!(
                text,
                "\nCore cycles per byte, medians of {} rounds, {title}\n{}",
                self.rounds,
                self.cell_table(isolated)
            );
        }
        text
    }

    /// A peer's letter in the table of ratios.
    fn letter(&self, name: &str) -> char {
        let peers = self.contenders.iter().filter(|it| it.role == Role::Peer);
        let place = peers.zip('a'..='z').find(|(peer, _)| peer.name == name);
        place.map_or('?', |(_, letter)| letter)
    }

    fn probe_table(&self) -> Table {
        let mut table = table();
        let widths = Width::ALL.map(|width| width.name().to_owned());
        table.set_header(row([String::new()].into_iter().chain(widths), 1));
        for probe in Probe::ALL {
            let cycles = self.probes.iter().filter(|it| it.probe == probe);
            let cycles = cycles.map(|it| number(it.cycles, 3));
            table.add_row(row([probe.name().to_owned()].into_iter().chain(cycles), 1));
        }
        table
    }

    fn limit_table(&self) -> Table {
        let mut table = table();
        let widths = Width::ALL.map(|width| format!("{}: {}", width.name(), width.table()));
        table.set_header(row([String::new()].into_iter().chain(widths), 1));
        for limits in self.limits.chunks(Width::ALL.len()) {
            let Some(first) = limits.first() else { continue };
            let title = format!("{} {}", first.operation, first.key_bits);
            let cycles = limits.iter().map(|it| number(it.cycles_per_byte, 4));
            table.add_row(row([title].into_iter().chain(cycles), 1));
        }
        table
    }

    /// One row for each operation and key size, one column for each length.
    fn verdict_table(&self, field: impl Fn(&Verdict) -> Option<String>) -> Table {
        let mut table = table();
        let same =
            |a: &Verdict, b: &Verdict| (a.operation, a.key_bits) == (b.operation, b.key_bits);
        for cells in self.verdicts.cells.chunk_by(same) {
            let Some(first) = cells.first() else { continue };
            if table.header().is_none() {
                let head = [String::new()].into_iter().chain(cells.iter().map(length));
                table.set_header(row(head, 1));
            }
            let title = format!("{} {}", first.operation, first.key_bits);
            let fields = cells.iter().map(|it| field(it).unwrap_or_else(|| "-".to_owned()));
            table.add_row(row([title].into_iter().chain(fields), 1));
        }
        table
    }

    fn counts(&self) -> String {
        let line = |who: &str, verdicts: &Verdicts| {
            let it = verdicts.counts;
            format!(
                "{who}: of {} cells {} not slower than the best peer by more than 2 %, {} within \
                 10 %, {} worse; {} slower than OpenSSL, AWS-LC or BoringSSL by more than 2 %",
                it.compared, it.not_slower, it.within_tenth, it.worse, it.behind
            )
        };
        let mut lines = vec![line("the table's kernels", &self.verdicts)];
        lines.extend(self.others.iter().map(|(name, verdicts)| line(name, verdicts)));
        lines.join("\n")
    }

    fn cold_table(&self) -> Table {
        let mut table = table();
        let cells = self.cells.iter().filter(|it| it.operation == Operation::GcmNewKeySeal.name());
        let cells: Vec<_> = cells.collect();
        let head = cells.iter().map(|it| format!("AES-{}, {} B", it.key_bits, it.bytes));
        table.set_header(row([String::new()].into_iter().chain(head), 1));
        for Named { name, .. } in &self.contenders {
            let calls = cells.iter().map(|cell| {
                let figure = cell.figures.iter().find(|figure| figure.contender == *name);
                number(figure.map(|figure| figure.cycles_per_call), 0)
            });
            table.add_row(row([name.clone()].into_iter().chain(calls), 1));
        }
        table
    }

    /// One row for each operation, key size and contender, one column for each length.
    fn cell_table(&self, isolated: bool) -> Table {
        let mut table = table();
        let same =
            |a: &CellReport, b: &CellReport| (a.operation, a.key_bits) == (b.operation, b.key_bits);
        for cells in self.cells.chunk_by(same) {
            let cells: Vec<_> = cells.iter().filter(|it| it.isolated == isolated).collect();
            let Some(first) = cells.first() else { continue };
            let title = format!("{} {}", first.operation, first.key_bits);
            let sizes = cells.iter().map(|it| it.bytes.to_string());
            table.add_row(row([title, String::new()].into_iter().chain(sizes), 2));
            let limits = cells.iter().map(|it| number(it.limit_cycles_per_byte, 4));
            table.add_row(row([String::new(), "limit".to_owned()].into_iter().chain(limits), 2));
            for Named { name, .. } in &self.contenders {
                let values = cells.iter().map(|it| {
                    let found = it.figures.iter().find(|figure| figure.contender == *name);
                    number(found.map(|figure| figure.cycles_per_byte), 4)
                });
                table.add_row(row([String::new(), name.clone()].into_iter().chain(values), 2));
            }
        }
        table
    }

    fn bar_table(&self) -> Table {
        let mut table = table();
        for it in &self.bars {
            let sign = if it.at_least { ">=" } else { "<=" };
            let bar = it.bar.map_or_else(String::new, |bar| format!("{sign} {}", trimmed(bar)));
            let figure = format!("{} {}", it.figure.map_or("-".to_owned(), trimmed), it.unit);
            table.add_row(row([it.what.clone(), figure, bar, it.verdict()], 1));
        }
        table
    }
}

/// The head of a cell's column. ECB and CBC, which come first, round 1420 bytes up.
pub(crate) fn length(it: &Verdict) -> String {
    if it.bytes == 1424 { "1420/4".to_owned() } else { it.bytes.to_string() }
}

fn limit_reports(plan: &Plan, limits: &Limits) -> Vec<LimitReport> {
    let mut reports = Vec::new();
    for operation in Operation::WARM {
        for &key_bits in &plan.key_bits {
            reports.extend(Width::ALL.map(|width| LimitReport {
                operation: operation.name(),
                key_bits,
                width,
                table: width.table(),
                cycles_per_byte: known(limits.cycles_per_byte(width, operation, key_bits)),
            }));
        }
    }
    reports
}

fn cell_report(comparison: &Comparison, cell: &Cell) -> CellReport {
    let limit = limit(comparison, cell.operation, cell.key_bits);
    let figures = cell.figures.iter().map(|figure| {
        let cycles_per_call = median(&figure.cycles);
        let cycles_per_byte = cycles_per_call / cell.bytes as f64;
        FigureReport {
            contender: figure.contender.clone(),
            calls_per_sample: figure.calls,
            cycles_per_call,
            cycles_per_byte,
            ratio_to_limit: limit.map(|limit| cycles_per_byte / limit),
            megabytes_per_second: cell.megabytes_per_second(figure),
            rounds: figure.cycles.clone(),
        }
    });
    CellReport {
        operation: cell.operation.name(),
        key_bits: cell.key_bits,
        bytes: cell.bytes,
        isolated: cell.isolated,
        limit_cycles_per_byte: limit,
        figures: figures.collect(),
    }
}

/// The cells in which a peer is faster, the worst first.
fn lost_table(lost: &[&Verdict]) -> Table {
    let mut table = table();
    let mut lost = lost.to_vec();
    lost.sort_by(|a, b| {
        b.ratio_to_peer.partial_cmp(&a.ratio_to_peer).unwrap_or(a.bytes.cmp(&b.bytes))
    });
    for it in lost {
        let Some((peer, ratio)) = it.best_peer.as_ref().zip(it.ratio_to_peer) else { continue };
        let behind = if it.behind.is_empty() {
            String::new()
        } else {
            format!("behind {}", it.behind.join(", "))
        };
        let fields = [
            format!("{} {}", it.operation, it.key_bits),
            format!("{} B", it.bytes),
            format!("{ratio:.3}"),
            format!("{} {:.4}", it.ours.contender, it.ours.cycles_per_byte),
            format!("{} {:.4}", peer.contender, peer.cycles_per_byte),
            behind,
            it.reason.clone().unwrap_or_else(|| "(no reason given yet)".to_owned()),
        ];
        table.add_row(row(fields, 7));
    }
    table
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

/// A row. Its fields after the first `names` are aligned to the right.
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

/// Three digits after the point, without trailing zeros.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
