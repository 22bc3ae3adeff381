// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the comparison and says what it found. It measures and judges no one: whatever the speeds,
//! the exit status is 0, unless somebody's output is wrong.

use core::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use kcfaes_bench::clock::Clock;
use kcfaes_bench::compare::{Plan, compare, steps};
use kcfaes_bench::{chart, contender, report::Report};

/// Measures kcfaes, the processor's own limit and OpenSSL in one interleaved run
#[derive(Parser)]
#[command(name = "kcfaes-bench", version)]
struct Arguments {
    /// Fewer lengths and rounds
    #[arg(long)]
    quick: bool,
    /// Writes every figure to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws the speed chart into FILE
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let plan = if arguments.quick { Plan::quick() } else { Plan::full() };
    let (field, missing) = contender::field();
    let clock = Clock::new();

    let bar = ProgressBar::new(steps(&plan) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")?);
    let comparison = compare(&plan, &field, &clock, |title| {
        bar.inc(1);
        bar.set_message(title.to_owned());
    })?;
    bar.finish_and_clear();

    let report = Report::new(&plan, &clock, &comparison, &field, missing);
    print!("{}", report.text());
    if let Some(path) = arguments.json {
        fs::write(&path, serde_json::to_string_pretty(&report)? + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if let Some(path) = arguments.svg {
        chart::write(&path, &comparison, &report.machine.model)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
