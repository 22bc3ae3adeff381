// SPDX-License-Identifier: MIT OR Apache-2.0
//! Constant time as a check: no branch and no address may depend on a key, a text or a tag, nor on what
//! is computed from them.
//!
//! `cargo xtask ct` builds this program with the kernel object and libkcfaes.a and runs it twice.
//! `trace` steps through each call with several secrets and compares the traces ([`step`]). It sees
//! every table of this CPU. `memcheck LOG` is run by valgrind, to which secrets are undefined bytes.
//! Valgrind reports each branch and each address that is computed from one ([`memcheck`]). It does not
//! know the instructions of the wide tables. Both runs begin with planted leaks ([`plant`]).

mod api;
mod case;
mod kcf;
#[path = "../../ffi-tests/tests/library/mod.rs"]
mod library;
mod memcheck;
mod plant;
mod secret;
mod step;
mod symbols;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::process::ExitCode;
use std::time::Instant;

use kcfaes_capi::api::{kcfaes_rc, kcfaes_table_force};
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::engine::TableId;

use case::{Api, Case, Depth};
use memcheck::Memcheck;
use plant::{PLANTS, Plant};
use step::{Difference, Stepper};
use symbols::Symbols;

type Result<T> = core::result::Result<T, Box<dyn core::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        _ if !cfg!(kcfaes_shipped) => Err("run it by `cargo xtask ct`".into()),
        ["trace", rest @ ..] => Trace::new().and_then(|tool| check(tool, rest == ["--full"])),
        ["memcheck", log, rest @ ..] => {
            Memcheck::new(log).and_then(|tool| check(tool, rest == ["--full"]))
        }
        _ => Err("trace [--full] | memcheck LOG [--full]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ct: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A tool that looks at a call.
trait Tool {
    /// Its name, and what it counts.
    const NAME: &str;
    const COUNTS: &str;

    fn look(&mut self, case: &Case) -> Result<Seen>;

    /// Whether it must see a planted leak.
    fn sees(plant: &Plant) -> bool;

    /// How many cases it runs on a table.
    fn depth(table: TableId, full: bool) -> Depth;

    /// The entry points that no case has reached.
    fn missed(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The places that depend on a secret by contract.
    fn public(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

/// What a tool has seen of a case.
struct Seen {
    amount: usize,
    /// Whether something depends on a secret.
    differs: bool,
    /// The places that do, except those already known.
    places: Vec<String>,
}

fn check<T: Tool>(mut tool: T, full: bool) -> Result<()> {
    let begin = Instant::now();
    for plant in PLANTS.iter().filter(|plant| T::sees(plant)) {
        let seen = tool.look(&plant.case())?;
        let Some(place) = seen.places.iter().find(|place| place.starts_with(plant.function)) else {
            return Err(format!("{} is not seen, but {:?}", plant.function, seen.places).into());
        };
        println!("{}: planted and seen: {place}", T::NAME);
    }
    // SAFETY: nothing is allocated yet.
    unsafe { kernel::fk_bench_mode(1) };
    let mut places = BTreeMap::new();
    let mut total = (0, 0, 0);
    for &table in kernel::tables() {
        kernel::use_table(table);
        let name = CString::new(table.name())?;
        // SAFETY: a C string.
        let rc = unsafe { kcfaes_table_force(name.as_ptr()) };
        assert!(rc == kcfaes_rc::KCFAES_OK, "{table:?}");
        for api in Api::ALL {
            let since = Instant::now();
            let cases = case::cases(api, T::depth(table, full));
            let (mut amount, mut differing) = (0, 0);
            for case in &cases {
                let seen = tool.look(case).map_err(|error| format!("{}: {error}", case.name))?;
                amount += seen.amount;
                differing += usize::from(seen.differs);
                for place in seen.places {
                    places.entry(place).or_insert_with(|| format!("{} ({table:?})", case.name));
                }
            }
            print::<T>(
                &format!("{api:?} {}", table.name()),
                (cases.len(), amount, differing),
                since,
            );
            total = (total.0 + cases.len(), total.1 + amount, total.2 + differing);
        }
    }
    for (place, case) in &places {
        println!("{}: {place}, first seen in {case}", T::NAME);
    }
    for place in tool.public() {
        println!("{}: public by contract: {place}", T::NAME);
    }
    print::<T>("all", total, begin);
    if total.2 != 0 {
        return Err(format!("{} cases depend on a secret", total.2).into());
    }
    // For the subset the only claim is that its cases are the same.
    match tool.missed().as_slice() {
        missed if full && !missed.is_empty() => {
            Err(format!("no case reaches {}", missed.join(" ")).into())
        }
        _ => Ok(()),
    }
}

fn print<T: Tool>(what: &str, (cases, amount, differing): (usize, usize, usize), begin: Instant) {
    let (name, counts, seconds) = (T::NAME, T::COUNTS, begin.elapsed().as_secs_f32());
    println!(
        "{name}: {what}: {cases} cases, {amount} {counts}, {differing} differ, {seconds:.1} s"
    );
}

/// Looks by stepping.
struct Trace {
    stepper: Stepper,
    symbols: Symbols,
}

impl Trace {
    fn new() -> Result<Self> {
        Ok(Self { stepper: Stepper::new(), symbols: Symbols::read()? })
    }
}

impl Tool for Trace {
    const NAME: &str = "trace";
    const COUNTS: &str = "steps";

    fn look(&mut self, case: &Case) -> Result<Seen> {
        let traces = self.stepper.traces(&case.secrets, &*case.run)?;
        let (first, others) = traces.split_first().ok_or("a case without a secret")?;
        let amount = traces.iter().map(step::Trace::len).sum();
        let differences: BTreeSet<_> = others.iter().flat_map(|t| first.differences(t)).collect();
        let place = |difference: &_| match *difference {
            Difference::Branch(at) => format!("{}: goes two ways", self.symbols.place(at)),
            Difference::Operand(at) => {
                format!("{}: another address, mask or dividend", self.symbols.place(at))
            }
        };
        let places: Vec<_> = differences.iter().map(place).collect();
        Ok(Seen { amount, differs: !places.is_empty(), places })
    }

    fn sees(plant: &Plant) -> bool {
        plant.can_run()
    }

    fn depth(table: TableId, full: bool) -> Depth {
        match (table, full) {
            (TableId::Portable, true) => Depth::Modes,
            (TableId::Portable, false) => Depth::One,
            (_, true) => Depth::Edges { wide: table > TableId::Aesni },
            (_, false) => Depth::Sample(table as usize),
        }
    }

    fn missed(&self) -> Vec<&str> {
        let tables = kernel::tables();
        let lacking = |name: &&str| tables.iter().all(|table| table.name() != *name);
        let lacking: Vec<_> = symbols::TABLES.into_iter().filter(lacking).collect();
        self.symbols
            .entries()
            .filter(|entry| !lacking.iter().any(|table| entry.name.ends_with(table)))
            .filter(|entry| !self.stepper.stepped(entry.start))
            .map(|entry| entry.name.as_str())
            .collect()
    }
}
