// SPDX-License-Identifier: MIT OR Apache-2.0
//! How ours compare with the peers and the limit, cell by cell.
//!
//! Ours is the table of kernels that this processor's callers get, called directly. The best peer is
//! the fastest of the other libraries in that cell, whichever it is.

use serde::{Deserialize, Serialize};

use crate::compare::{Cell, Comparison};
use crate::contender::{Contender, Role};
use crate::limit::Limits;
use crate::message::Operation;

/// A time up to this much longer still counts as not slower: medians of one run scatter so far.
pub const SLACK: f64 = 1.02;

/// The bar for cells in which a peer is faster nevertheless.
pub const TENTH: f64 = 1.10;

/// Ours may nowhere be slower than these libraries. Their names begin so.
const NOT_SLOWER_THAN: [&str; 3] = ["OpenSSL", "AWS-LC", "BoringSSL"];

/// Someone's speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Who.
    pub contender: String,
    /// Core cycles for a byte.
    pub cycles_per_byte: f64,
}

/// One cell.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The operation.
    pub operation: &'static str,
    /// Bits of the key.
    pub key_bits: usize,
    /// Bytes of text.
    pub bytes: usize,
    /// Ours.
    pub ours: Entry,
    /// The best of the others.
    pub best_peer: Option<Entry>,
    /// Time of ours relative to the best peer's.
    pub ratio_to_peer: Option<f64>,
    /// Time of ours relative to the limit.
    pub ratio_to_limit: Option<f64>,
    /// Those of `NOT_SLOWER_THAN` that are faster, by more than [`SLACK`].
    pub behind: Vec<String>,
    /// Why a peer is faster, from `reasons.json`.
    pub reason: Option<String>,
}

impl Verdict {
    /// Whether a peer is faster by more than [`SLACK`].
    pub fn is_lost(&self) -> bool {
        self.ratio_to_peer.is_some_and(|ratio| ratio > SLACK)
    }
}

/// Why a peer is faster in some cells: an entry of `reasons.json`. A field that is left out matches any
/// value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    operation: Option<String>,
    key_bits: Option<usize>,
    bytes: Option<usize>,
    reason: String,
}

impl Reason {
    fn all() -> Vec<Self> {
        let reasons = include_str!("../reasons.json");
        serde_json::from_str(reasons).expect("a test reads it")
    }

    fn is_for(&self, cell: &Cell) -> bool {
        self.operation.as_deref().is_none_or(|name| name == cell.operation.name())
            && self.key_bits.is_none_or(|bits| bits == cell.key_bits)
            && self.bytes.is_none_or(|bytes| bytes == cell.bytes)
    }
}

/// Numbers of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Compared with a peer.
    pub compared: usize,
    /// Not slower than the best peer by more than [`SLACK`].
    pub not_slower: usize,
    /// Slower than the best peer by more than [`SLACK`], but not by more than [`TENTH`].
    pub within_tenth: usize,
    /// Slower than the best peer by more than [`TENTH`].
    pub worse: usize,
    /// Slower by more than [`SLACK`] than one of `NOT_SLOWER_THAN`.
    pub behind: usize,
}

/// All cells of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Verdicts {
    /// By operation, key and length.
    pub cells: Vec<Verdict>,
    /// Their counts.
    pub counts: Counts,
}

/// The fastest contender in a cell among those that `is` chooses by name.
pub fn fastest(cell: &Cell, is: impl Fn(&str) -> bool) -> Option<Entry> {
    let entries = cell.figures.iter().filter(|figure| is(&figure.contender)).filter_map(|figure| {
        let cycles_per_byte = cell.cycles_per_byte(&figure.contender)?;
        Some(Entry { contender: figure.contender.clone(), cycles_per_byte })
    });
    entries.min_by(|a, b| a.cycles_per_byte.total_cmp(&b.cycles_per_byte))
}

/// Ours in a cell.
pub fn ours(cell: &Cell, field: &[Box<dyn Contender>]) -> Option<Entry> {
    fastest(cell, |name| has_role(field, name, Role::Kernels))
}

fn has_role(field: &[Box<dyn Contender>], name: &str, role: Role) -> bool {
    field.iter().any(|it| it.name() == name && it.role() == role)
}

/// The limit of a cell in cycles for a byte, on the widest registers that pay.
pub fn limit(comparison: &Comparison, operation: Operation, key_bits: usize) -> Option<f64> {
    let limits = &comparison.limits;
    known(Limits::best(|width| limits.cycles_per_byte(width, operation, key_bits)))
}

/// The number, or `None` if it is not known.
pub fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl Verdicts {
    /// The verdicts of a run: the cells that are judged.
    pub fn new(comparison: &Comparison, field: &[Box<dyn Contender>]) -> Self {
        Self::of(comparison, field, ours)
    }

    /// The same for another contender of ours, by its name.
    pub fn of_one(comparison: &Comparison, field: &[Box<dyn Contender>], name: &str) -> Self {
        Self::of(comparison, field, |cell, _| fastest(cell, |it| it == name))
    }

    /// The same for the fastest table in each cell.
    pub fn of_any_table(comparison: &Comparison, field: &[Box<dyn Contender>]) -> Self {
        Self::of(comparison, field, |cell, field| {
            fastest(cell, |name| {
                has_role(field, name, Role::Kernels) || has_role(field, name, Role::OtherKernels)
            })
        })
    }

    fn of(
        comparison: &Comparison,
        field: &[Box<dyn Contender>],
        ours: impl Fn(&Cell, &[Box<dyn Contender>]) -> Option<Entry>,
    ) -> Self {
        let reasons = Reason::all();
        let mut judged: Vec<_> = comparison.cells.iter().filter(|cell| cell.is_judged()).collect();
        judged.sort_by_key(|cell| (cell.operation as u32, cell.key_bits, cell.bytes));
        let cells: Vec<_> = judged
            .into_iter()
            .filter_map(|cell| {
                let ours = ours(cell, field)?;
                let mine = ours.cycles_per_byte;
                let is_peer = |name: &str| has_role(field, name, Role::Peer);
                let best_peer = fastest(cell, is_peer);
                let ratio_to_peer = best_peer.as_ref().map(|best| mine / best.cycles_per_byte);
                let limit = limit(comparison, cell.operation, cell.key_bits);
                let behind = cell.figures.iter().map(|figure| figure.contender.as_str());
                let behind = behind.filter(|name| {
                    is_peer(name)
                        && NOT_SLOWER_THAN.iter().any(|it| name.starts_with(it))
                        && cell.cycles_per_byte(name).is_some_and(|it| mine > SLACK * it)
                });
                Some(Verdict {
                    operation: cell.operation.name(),
                    key_bits: cell.key_bits,
                    bytes: cell.bytes,
                    ratio_to_peer,
                    ratio_to_limit: limit.map(|limit| mine / limit),
                    behind: behind.map(str::to_owned).collect(),
                    reason: reasons.iter().find(|it| it.is_for(cell)).map(|it| it.reason.clone()),
                    ours,
                    best_peer,
                })
            })
            .collect();
        let ratios: Vec<_> = cells.iter().filter_map(|it| it.ratio_to_peer).collect();
        let count = |is: fn(f64) -> bool| ratios.iter().filter(|&&ratio| is(ratio)).count();
        let counts = Counts {
            compared: ratios.len(),
            not_slower: count(|ratio| ratio <= SLACK),
            within_tenth: count(|ratio| ratio > SLACK && ratio <= TENTH),
            worse: count(|ratio| ratio > TENTH),
            behind: cells.iter().filter(|it| !it.behind.is_empty()).count(),
        };
        Self { cells, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Reason, Verdicts};
    use crate::compare::{Cell, Comparison, Figure};
    use crate::contender::{Contender, Role};
    use crate::limit::Limits;
    use crate::message::{Job, Operation};
    use kcfaes_shape::Prepared;

    struct Named(&'static str, Role);

    impl Contender for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn description(&self) -> String {
            String::new()
        }

        fn role(&self) -> Role {
            self.1
        }

        unsafe fn prepare(&self, _: Operation, _: &Job) -> Prepared {
            Prepared::NONE
        }
    }

    /// A cell in which each contender takes the given number of cycles for 100 bytes.
    fn cell(bytes: usize, cycles: &[(&str, f64)]) -> Cell {
        let figure = |&(name, cycles): &(&str, f64)| Figure {
            contender: name.to_owned(),
            calls: 1,
            cycles: vec![cycles],
            seconds: vec![1.0],
        };
        let figures = cycles.iter().map(figure).collect();
        Cell { operation: Operation::Ctr, key_bits: 128, bytes, isolated: bytes < 1000, figures }
    }

    #[test]
    fn ours_is_compared_with_the_best_of_theirs() {
        let field: Vec<Box<dyn Contender>> = vec![
            Box::new(Named("narrow", Role::OtherKernels)),
            Box::new(Named("wide", Role::Kernels)),
            Box::new(Named("ops", Role::Interface)),
            Box::new(Named("OpenSSL 9", Role::Peer)),
            Box::new(Named("other", Role::Peer)),
        ];
        let cells = vec![
            // Wins. The interface's speed does not matter.
            cell(16, &[("wide", 90.0), ("narrow", 95.0), ("ops", 80.0), ("OpenSSL 9", 100.0)]),
            // Loses by 5 % to a library that may be faster, whatever the other table does.
            cell(64, &[("wide", 105.0), ("narrow", 99.0), ("OpenSSL 9", 110.0), ("other", 100.0)]),
            // Loses by 50 %, and against OpenSSL by 25 %.
            cell(4096, &[("wide", 150.0), ("OpenSSL 9", 120.0), ("other", 100.0)]),
            // Nobody to compare with.
            cell(8192, &[("wide", 150.0)]),
            // Within the slack.
            cell(9000, &[("wide", 101.9), ("OpenSSL 9", 100.0)]),
        ];
        let comparison = Comparison { cells, limits: Limits::default(), wrong: vec![] };
        let all = Verdicts::new(&comparison, &field);
        assert_eq!(
            all.counts,
            Counts { compared: 4, not_slower: 2, within_tenth: 1, worse: 1, behind: 1 }
        );
        assert_eq!(all.cells[0].ours.contender, "wide");
        assert_eq!(all.cells[1].best_peer.as_ref().unwrap().contender, "other");
        assert_eq!(all.cells[2].behind, ["OpenSSL 9"]);
        assert!(all.cells[2].is_lost() && !all.cells[4].is_lost());
        let ops = Verdicts::of_one(&comparison, &field, "ops");
        assert_eq!((ops.cells.len(), ops.counts.not_slower), (1, 1));
        let any = Verdicts::of_any_table(&comparison, &field);
        assert_eq!((any.counts.not_slower, any.counts.within_tenth), (3, 0));
        assert_eq!(any.cells[1].ours.contender, "narrow");
    }

    #[test]
    fn reasons_name_cells_that_exist() {
        for reason in Reason::all() {
            let known =
                Operation::WARM.iter().any(|it| Some(it.name()) == reason.operation.as_deref());
            assert!(known || reason.operation.is_none(), "{reason:?}");
            assert!(!reason.reason.is_empty());
        }
    }
}
