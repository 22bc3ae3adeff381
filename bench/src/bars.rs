// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bars that the design sets itself.

use serde::Serialize;

use crate::clock::median;
use crate::compare::{Comparison, ISOLATED};
use crate::contender::{AESNI, Contender, OPS, VAES256};
use crate::limit::{Limits, Probe, Width};
use crate::message::{BLOCK, Operation};
use crate::verdict::{Verdicts, known, limit, ours};

/// A bar, and how far the figure is from it.
#[derive(Debug, Serialize)]
pub struct Bar {
    /// What is measured.
    pub what: String,
    /// The unit of the figure.
    pub unit: &'static str,
    /// The figure; `None` where the plan has no such cell or a contender is missing.
    pub figure: Option<f64>,
    /// The figure should not exceed it or, where more is better, not fall short of it. `None` where the
    /// figure only explains the bar before.
    pub bar: Option<f64>,
    /// Whether more is better.
    pub at_least: bool,
}

impl Bar {
    fn at_most(what: impl Into<String>, unit: &'static str, figure: Option<f64>, bar: f64) -> Self {
        Self { what: what.into(), unit, figure, bar: Some(bar), at_least: false }
    }

    /// "reached", "missed by …", or why there is neither.
    pub fn verdict(&self) -> String {
        match (self.figure, self.bar) {
            (None, _) => "not measured".to_owned(),
            (_, None) => String::new(),
            (Some(figure), Some(bar)) if figure == bar || (figure > bar) == self.at_least => {
                "reached".to_owned()
            }
            (Some(figure), Some(bar)) if self.at_least => format!("missed by {}", bar - figure),
            (Some(figure), Some(0.0)) => format!("missed by {figure}"),
            (Some(figure), Some(bar)) => format!("missed by {:.1} %", 100.0 * (figure / bar - 1.0)),
        }
    }
}

const BULK: usize = 16384;
const KIB: usize = 1024;

/// All of them.
pub fn bars(
    comparison: &Comparison,
    field: &[Box<dyn Contender>],
    verdicts: &Verdicts,
) -> Vec<Bar> {
    let limits = &comparison.limits;
    // The calls are back to back.
    let best = |operation, key_bits, bytes| {
        let cell = comparison.cell(operation, key_bits, bytes, false)?;
        Some(ours(cell, field)?.cycles_per_byte)
    };
    let of = |name: &str, operation, bytes| {
        comparison.cell(operation, 128, bytes, false)?.cycles_per_byte(name)
    };
    let one = |operation, bytes| {
        let cell = comparison.cell(operation, 128, bytes, true)?;
        Some(ours(cell, field)?.cycles_per_byte * bytes as f64)
    };
    let mut bars = Vec::new();

    for operation in [
        Operation::EcbEncrypt,
        Operation::EcbDecrypt,
        Operation::Ctr,
        Operation::CbcDecrypt,
        Operation::CbcEncrypt,
    ] {
        let ratios = comparison.cells.iter().filter_map(|cell| {
            let bulk = cell.operation == operation && cell.bytes >= KIB && !cell.isolated;
            let limit = limit(comparison, operation, cell.key_bits)?;
            Some(ours(cell, field).filter(|_| bulk)?.cycles_per_byte / limit)
        });
        let worst = ratios.max_by(f64::total_cmp);
        let what = format!("{}, worst from 1 KiB up, both keys", operation.name());
        bars.push(Bar::at_most(what, "x limit", worst, 1.03));
    }
    for (operation, key_bits, bytes, bar) in [
        (Operation::GcmSeal, 128, BULK, 1.08),
        (Operation::GcmOpen, 128, BULK, 1.12),
        (Operation::GcmSeal, 128, KIB, 1.35),
        (Operation::GcmOpen, 128, KIB, 1.35),
        (Operation::GcmSeal, 256, BULK, 1.04),
        (Operation::GcmOpen, 256, BULK, 1.04),
    ] {
        let figure = best(operation, key_bits, bytes);
        let what = format!("{} AES-{key_bits}, {bytes} bytes", operation.name());
        let aes = known(Limits::best(|width| limits.aes_per_byte(width, key_bits)));
        let mix = limit(comparison, operation, key_bits);
        let to = |limit: Option<f64>| Some(figure? / limit?);
        bars.push(Bar::at_most(what, "x AES alone", to(aes), bar));
        let what = "  the same, to the limit of GCM".to_owned();
        let (figure, unit) = (to(mix), "x limit");
        bars.push(Bar { what, unit, figure, bar: None, at_least: false });
    }
    let short = one(Operation::GcmSeal, 16);
    bars.push(Bar::at_most("GCM seal AES-128, 16 bytes, one by one", "cycles", short, 110.0));
    let cold = one(Operation::GcmNewKeySeal, 64);
    bars.push(Bar::at_most("GCM new key + seal AES-128, 64 bytes", "cycles", cold, 420.0));
    for operation in [Operation::GcmSeal, Operation::GcmOpen] {
        let what = format!("{VAES256}: {} AES-128, 16 KiB", operation.name());
        bars.push(Bar::at_most(what, "cycles/byte", of(VAES256, operation, BULK), 0.26));
    }

    for operation in
        [Operation::EcbEncrypt, Operation::EcbDecrypt, Operation::Ctr, Operation::CbcDecrypt]
    {
        let limit = known(limits.cycles_per_byte(Width::Xmm, operation, 128));
        let ratio = of(AESNI, operation, BULK).zip(limit).map(|(figure, limit)| figure / limit);
        let what = format!("{AESNI}: {}, 16 KiB", operation.name());
        bars.push(Bar::at_most(what, "x xmm limit", ratio, 1.06));
    }
    let block = of(AESNI, Operation::CbcEncrypt, BULK).map(|figure| figure * BLOCK as f64);
    let chain = 10.0 * limits.cycles(Width::Xmm, Probe::AesencLatency) + 1.0;
    let what = format!("{AESNI}: CBC encrypt, 16 KiB (10 AESENC in a row, and 1)");
    let unit = "cycles/block";
    bars.push(Bar { what, unit, figure: block, bar: known(chain), at_least: false });
    for operation in [Operation::GcmSeal, Operation::GcmOpen] {
        let what = format!("{AESNI}: {} AES-128, 16 KiB", operation.name());
        bars.push(Bar::at_most(what, "cycles/byte", of(AESNI, operation, BULK), 0.5));
    }

    // Both ways do the same work in the same round. Their difference in that round is what is compared.
    let ops = |bytes, isolated, difference: fn(f64, f64) -> f64| {
        let cell = comparison.cell(Operation::GcmSeal, 128, bytes, isolated)?;
        let kernels = cell.figure(&ours(cell, field)?.contender)?;
        let pairs = cell.figure(OPS)?.cycles.iter().zip(&kernels.cycles);
        Some(median(&pairs.map(|(&ops, &kernels)| difference(ops, kernels)).collect::<Vec<_>>()))
    };
    let above = ops(64, 64 <= ISOLATED, |ops, kernels| ops - kernels);
    let what = "GCM seal, 64 bytes: ops vector above direct calls";
    bars.push(Bar::at_most(what, "cycles", above, 120.0));
    let ratio = ops(BULK, false, |ops, kernels| ops / kernels);
    let what = "GCM seal, 16 KiB: ops vector to direct calls";
    bars.push(Bar::at_most(what, "x", ratio, 1.02));

    let counts = verdicts.counts;
    let count = |count: usize| (counts.compared > 0).then_some(count as f64);
    bars.push(Bar {
        what: format!("cells of {} not slower than the best peer by 2 %", counts.compared),
        unit: "cells",
        figure: count(counts.not_slower),
        bar: Some(100.0),
        at_least: true,
    });
    let what = "cells slower than the best peer by more than 10 %";
    bars.push(Bar::at_most(what, "cells", count(counts.worse), 0.0));
    let what = "cells slower than OpenSSL, AWS-LC or BoringSSL by more than 2 %";
    bars.push(Bar::at_most(what, "cells", count(counts.behind), 0.0));
    bars
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[test]
    fn a_bar_is_reached_or_missed() {
        let bar = |figure, bar, at_least| {
            Bar { what: String::new(), unit: "", figure, bar, at_least }.verdict()
        };
        assert_eq!(bar(Some(1.0), Some(1.0), false), "reached");
        assert_eq!(bar(Some(1.1), Some(1.0), false), "missed by 10.0 %");
        assert_eq!(bar(Some(3.0), Some(0.0), false), "missed by 3");
        assert_eq!(bar(Some(101.0), Some(100.0), true), "reached");
        assert_eq!(bar(Some(99.0), Some(100.0), true), "missed by 1");
        assert_eq!(bar(None, Some(1.0), false), "not measured");
        assert_eq!(bar(Some(1.0), None, false), "");
    }
}
