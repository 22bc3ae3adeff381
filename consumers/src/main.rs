// SPDX-License-Identifier: MIT OR Apache-2.0
//! The consumers of AES in illumos, replayed through the userland KCF as each of them calls it.
//!
//! The output is compared with RustCrypto's. The time of an operation is printed next to the time for
//! the same bytes in one contiguous buffer, measured in turns. `make consumers` runs this. `cargo test`
//! runs every replay once for its result.

mod cores;
mod cryptmod;
mod direct;
mod fragments;
mod ipsec;
mod kerberos;
mod kssl;
mod latency;
mod lofi;
mod measure;
mod memory;
mod net80211;
mod replay;
mod smb;
mod zfs;

#[allow(unreachable_pub, dead_code, reason = "the bench's, which is a library")]
#[path = "../../bench/src/clock.rs"]
mod clock;
#[path = "../../ffi-tests/tests/oracle/mod.rs"]
mod oracle;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use kcfaes_ffi_tests::kernel::{self, Ledger};
use kcfaes_provider::engine::TableId;
use kcfaes_vectors::Mode;

use crate::clock::Clock;
use crate::measure::{Bar, Effort};
use crate::replay::{Plan, Shape};

/// Replays the consumers of AES in illumos through the userland KCF, checks what comes out, and
/// times each operation beside the same bytes in one contiguous buffer.
#[derive(Parser)]
struct Arguments {
    /// Checks results only.
    #[arg(long)]
    check: bool,
    /// Takes fewer samples.
    #[arg(long)]
    quick: bool,
    /// Uses no table of kernels above this one.
    #[arg(long)]
    table: Option<String>,
    /// Only the consumer of this name, or what is measured beside them: "latency", CCM beside the
    /// chain of CBC, "entry", what the entry point adds to the kernels, or "cores", two threads.
    #[arg(long)]
    only: Option<String>,
    /// Times only the operations whose name contains this.
    #[arg(long, default_value = "")]
    operation: String,
}

/// A consumer, and the shapes of data that it feeds.
struct Consumer {
    name: &'static str,
    shapes: fn() -> Vec<Shape>,
}

const CONSUMERS: [Consumer; 9] = [
    Consumer { name: "zfs", shapes: || zfs::shapes(&[Mode::Gcm, Mode::Ccm]) },
    Consumer { name: "ipsec", shapes: || ipsec::shapes(&[Mode::Gcm, Mode::Ccm, Mode::Cbc]) },
    Consumer { name: "smb", shapes: || smb::shapes(&[Mode::Gcm, Mode::Ccm]) },
    Consumer { name: "lofi", shapes: lofi::shapes },
    Consumer { name: "kssl", shapes: kssl::shapes },
    Consumer { name: "kerberos", shapes: kerberos::shapes },
    Consumer { name: "net80211", shapes: net80211::shapes },
    Consumer { name: "cryptmod", shapes: cryptmod::shapes },
    Consumer { name: "fragments", shapes: fragments::shapes },
];

/// Writes a line. It is no failure if the reader has gone away.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    kernel::load();
    if let Some(name) = &arguments.table {
        let table = TableId::ALL.into_iter().find(|table| table.name() == name);
        if !table.is_some_and(kernel::reload) {
            eprintln!("consumers: this CPU has no table called {name}");
            return ExitCode::from(2);
        }
    }
    say!("kcfaes {}: {}.", env!("CARGO_PKG_VERSION"), what_runs());
    say!(
        "Registered with a userland KCF by the module's _init, table {}.\n",
        kernel::table_in_use()
    );
    let chosen = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    let consumers: Vec<_> = CONSUMERS.iter().filter(|consumer| chosen(consumer.name)).collect();

    let (mut passed, mut failed) = (0, 0);
    for consumer in &consumers {
        for shape in (consumer.shapes)() {
            let ledger = Ledger::begin();
            match check(&shape, &mut Plan::new(1, None)) {
                Ok(()) => passed += 1,
                Err(why) => {
                    say!("{}: {}: {why}", consumer.name, shape.name);
                    failed += 1;
                }
            }
            ledger.settle();
        }
    }
    for violation in kernel::violations() {
        say!("the kernel would have stopped: {violation}");
        failed += 1;
    }
    say!("{passed} shapes of {} consumers right, {failed} wrong", consumers.len());
    if failed > 0 {
        return ExitCode::FAILURE;
    }
    if !arguments.check {
        let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
        time(&consumers, effort, &arguments.operation, chosen);
    }
    ExitCode::SUCCESS
}

/// What is loaded: the object, or its substitute and why.
fn what_runs() -> String {
    match option_env!("KCFAES_OBJECTS") {
        Some(folder) => format!("the kernel object {folder}/kcfaes, only its entry points renamed"),
        None => {
            let why = std::env::var("KCFAES_NO_OBJECT");
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            format!("NOT the kernel object, but a userland build of its two rooms{why}")
        }
    }
}

/// Runs a shape and its contiguous case twice each. The second run works on what the first has left.
fn check(shape: &Shape, plan: &mut Plan) -> Result<(), String> {
    let pair = (shape.make)(plan);
    let contiguous = pair.contiguous.map(|replay| ("contiguous: ", replay));
    for (which, mut replay) in [("", pair.own)].into_iter().chain(contiguous) {
        for _ in 0..2 {
            replay.reset();
            replay.run();
            replay.check().map_err(|why| format!("{which}{why}"))?;
        }
    }
    Ok(())
}

fn time(consumers: &[&Consumer], effort: Effort, operation: &str, chosen: impl Fn(&str) -> bool) {
    let clock = Clock::new();
    let mut bars = Vec::new();
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_header(["consumer", "operation", "GB/s", "ns", "contiguous ns", "ratio"]);
    for consumer in consumers {
        let timed = |shape: &Shape| shape.timed && shape.name.contains(operation);
        for shape in (consumer.shapes)().into_iter().filter(timed) {
            let mut pair = (shape.make)(&mut Plan::new(1, None));
            let Some(contiguous) = &mut pair.contiguous else { continue };
            let times = measure::pair(&clock, effort, &mut *pair.own, &mut **contiguous);
            table.add_row([
                consumer.name.to_owned(),
                shape.name.clone(),
                format!("{:.2}", shape.bytes as f64 / times.own_ns),
                format!("{:.0}", times.own_ns),
                format!("{:.0}", times.other_ns),
                format!("{:.2}", times.speed()),
            ]);
            if let Some(bar) = shape.bar {
                let what = format!("{}: {}", consumer.name, shape.name);
                bars.push(Bar::at_least(what, "of contiguous", times.speed(), bar));
            }
        }
    }
    for i in 2..6 {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    say!("{table}");
    say!(
        "ns: of one operation, the least of {} medians by turns; holds are stubs, wiping",
        effort.rounds
    );
    say!("counts. ratio: speed to that of the same bytes in one raw buffer in one call.\n");
    if chosen("latency") {
        bars.extend(latency::bars(&clock, effort));
    }
    if chosen("entry") {
        bars.extend(direct::bars(&clock, effort));
    }
    if chosen("cores") {
        bars.extend(cores::bars(&clock, effort));
    }
    for bar in bars {
        say!("{bar}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every replay once.
    #[test]
    fn every_consumer_gets_what_it_should() {
        for consumer in &CONSUMERS {
            let mut shapes = 0;
            for shape in (consumer.shapes)() {
                let ledger = Ledger::begin();
                let right = check(&shape, &mut Plan::new(2, None));
                assert_eq!(right, Ok(()), "{}: {}", consumer.name, shape.name);
                ledger.settle();
                shapes += 1;
            }
            assert!(shapes > 3, "{}", consumer.name);
        }
    }

    /// Flips one bit in any input of any replay: the test of the replays.
    #[test]
    fn a_wrong_bit_is_noticed() {
        for consumer in &CONSUMERS {
            for shape in (consumer.shapes)().iter().filter(|shape| shape.bytes <= 9000) {
                let mut plan = Plan::new(3, None);
                drop((shape.make)(&mut plan));
                assert!(plan.inputs > 0 || shape.bytes == 0, "{}", shape.name);
                for input in 0..plan.inputs {
                    let result = check(shape, &mut Plan::new(3, Some(input)));
                    assert!(result.is_err(), "{}: {}: {input}", consumer.name, shape.name);
                }
            }
        }
    }
}
