// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks with valgrind's memcheck. To memcheck a secret is a byte that nobody has written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;

use kcfaes_provider::engine::TableId;

use crate::case::{Case, Depth};
use crate::plant::Plant;
use crate::symbols::Symbols;
use crate::{Result, Seen, Tool, watch};

pub(crate) struct Memcheck {
    /// What valgrind writes, from where it has not been read yet.
    log: File,
    symbols: Symbols,
    /// Where verdicts are.
    public: BTreeSet<String>,
}

impl Memcheck {
    pub(crate) fn new(log: &str) -> Result<Self> {
        watch::under_memcheck();
        use_stack();
        Ok(Self { log: File::open(log)?, symbols: Symbols::read()?, public: BTreeSet::new() })
    }

    /// The new reports in the log: what and where.
    fn reports(&mut self) -> Result<Vec<String>> {
        let mut text = String::new();
        self.log.read_to_string(&mut text)?;
        let mut reports = Vec::new();
        let mut what = "";
        for line in text.lines() {
            let line = line.trim_start_matches(|c: char| c == '=' || c.is_ascii_digit()).trim();
            if let Some((at, _)) = line.strip_prefix("at 0x").and_then(|rest| rest.split_once(':'))
            {
                let at = self.symbols.place(u64::from_str_radix(at, 16)?);
                reports.push(format!("{at}: {what}"));
            } else if !line.is_empty() && !line.starts_with("by ") {
                what = line;
            }
        }
        Ok(reports)
    }
}

/// Uses the pages below this frame once. The kernel object wipes dead stack below the stack pointer, and memcheck
/// kills a program that writes there to a page that it has not used.
#[inline(never)]
fn use_stack() {
    core::hint::black_box([0_u8; 64 * 1024]);
}

impl Tool for Memcheck {
    const NAME: &str = "memcheck";
    const COUNTS: &str = "reports";

    /// One secret is as good as another. Memcheck writes a report once and only counts it from then on.
    fn look(&mut self, case: &Case) -> Result<Seen> {
        let before = watch::errors();
        case.secrets.iter().take(1).for_each(|secret| (case.run)(secret));
        let amount = watch::errors() - before;
        let mut places = self.reports()?;
        // A comparison's verdict is public, and it is exactly one report.
        let differs = amount != case.verdicts;
        if differs {
            places.retain(|place| !self.public.contains(place));
        } else {
            self.public.extend(places.drain(..));
        }
        Ok(Seen { amount, differs, places })
    }

    fn sees(plant: &Plant) -> bool {
        plant.by_memcheck && plant.can_run()
    }

    fn depth(_: TableId, full: bool) -> Depth {
        if full { Depth::All } else { Depth::Few }
    }

    fn public(&self) -> BTreeSet<String> {
        self.public.clone()
    }
}
