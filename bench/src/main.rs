// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the comparison and says what it found. It measures and does not judge: the exit status is 0 at
//! any speed, unless an output is wrong.
//!
//! `make bench` builds the peers and names them. Without that, only ours are measured.

use core::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use kcfaes_bench::clock::Clock;
use kcfaes_bench::compare::{Plan, compare, steps};
use kcfaes_bench::contender::{Loaded, Missing, ours};
use kcfaes_bench::{chart, report::Report};

/// Measures kcfaes, other libraries and the processor's own limit in one interleaved run
#[derive(Parser)]
#[command(name = "kcfaes-bench", version)]
struct Arguments {
    /// Fewer lengths and rounds
    #[arg(long)]
    quick: bool,
    /// Compares with the peer in this cdylib
    #[arg(long, value_name = "NAME=FILE")]
    peer: Vec<String>,
    /// Says in the report why a peer does not take part
    #[arg(long, value_name = "NAME=REASON")]
    without: Vec<String>,
    /// Writes compare.json, report.txt and the charts there
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let plan = if arguments.quick { Plan::quick() } else { Plan::full() };
    let (mut field, mut missing) = ours();
    for peer in &arguments.peer {
        let (name, path) = pair(peer)?;
        match Loaded::load(name, Path::new(path)) {
            Ok(peer) => field.push(Box::new(peer)),
            Err(reason) => missing.push(Missing { name: name.to_owned(), reason }),
        }
    }
    for without in &arguments.without {
        let (name, reason) = pair(without)?;
        missing.push(Missing { name: name.to_owned(), reason: reason.to_owned() });
    }
    let clock = Clock::new();

    let bar = ProgressBar::new(steps(&plan) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")?);
    let comparison = compare(&plan, &field, &clock, |title| {
        bar.inc(1);
        bar.set_message(title.to_owned());
    })?;
    bar.finish_and_clear();

    missing.extend(comparison.wrong.iter().cloned());
    let wrong = comparison.wrong.len();
    let report = Report::new(&plan, &clock, &comparison, &field, missing);
    let summary = report.summary();
    if let Some(out) = arguments.out {
        let write = |name: &str, text: String| {
            let path = out.join(name);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        write("compare.json", serde_json::to_string_pretty(&report)? + "\n")?;
        write("report.txt", summary.clone() + &report.figures())?;
        chart::write(&out, &comparison, &report)?;
        print!("{summary}");
        println!("\nEverybody's figures: {}", out.join("report.txt").display());
    } else {
        print!("{summary}{}", report.figures());
    }
    if wrong > 0 {
        Err(format!("{wrong} wrong answers of peers, see above").into())
    } else {
        Ok(())
    }
}

fn pair(argument: &str) -> Result<(&str, &str), String> {
    argument.split_once('=').ok_or_else(|| format!("{argument}: not NAME=…"))
}
