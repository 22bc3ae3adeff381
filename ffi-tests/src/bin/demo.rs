// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demonstration. It starts a userland KCF and loads the module, which registers the provider. It runs
//! every vector through the registered ops vector in all three data formats, and prints the results. Exit
//! status: 0; 1 if a case failed; 2 if the vectors could not be read.
//!
//! The module is the kernel object that would be installed. If `make demo` cannot build that, it is a
//! userland build of the same sources, and the first line says so.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressStyle};
use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Request, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_ffi_tests::vector::{Manner, run};
use kcfaes_provider::engine::TableId;
use kcfaes_vectors::{Case, File, Mode, Stream, load_all};

/// Runs every AES vector through a userland KCF and the kcfaes provider.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Folder of the vector files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors"))]
    vectors: PathBuf,
    /// Table of kernels to run, by its name; by default the best this CPU has.
    #[arg(long)]
    table: Option<String>,
}

/// `println!` that does not panic if the reader has gone: the exit status still counts.
macro_rules! say {
    ($($text:tt)*) => {
        _ = writeln!(io::stdout(), $($text)*)
    };
}

/// Bytes of one operation in a speed measurement.
const SPEED_BYTES: usize = 128 * 1024;

/// How long each speed is measured.
const SPEED_TIME: Duration = Duration::from_millis(12);

#[derive(Default)]
struct Tally {
    cases: usize,
    runs: usize,
    failures: usize,
}

type Row = (Mode, usize, Format);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let files = match load_all(&arguments.vectors) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::from(2);
        }
    };
    kernel::load();
    if let Some(name) = &arguments.table {
        let table = TableId::ALL.into_iter().find(|table| table.name() == name);
        if !table.is_some_and(kernel::reload) {
            eprintln!("demo: this CPU has no table called {name}");
            return ExitCode::from(2);
        }
    }
    say!("kcfaes {}: {}.", env!("CARGO_PKG_VERSION"), what_runs());
    say!("Registered with a userland KCF by the module's _init, table {}.", kernel::table_in_use());
    say!("Each vector: raw, uio and mblk; whole and in pieces; atomic, single and in parts;");
    say!("with and without a template; apart and in place.\n");

    let (rows, mut failed) = run_all(&files);
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_header(["mechanism", "key", "format", "cases", "runs", "failures", "MB/s"]);
    for (&(mode, keybits, format), tally) in &rows {
        table.add_row([
            mode.name().to_owned(),
            keybits.to_string(),
            format.name().to_owned(),
            tally.cases.to_string(),
            tally.runs.to_string(),
            tally.failures.to_string(),
            format!("{:.0}", speed(mode, keybits, format)),
        ]);
    }
    for i in [1, 3, 4, 5, 6] {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    say!("{table}");
    say!(
        "MB/s: encryption (GMAC, CMAC: the MAC) of 128 KiB in one call, by template, lists in 8 pieces."
    );

    for violation in kernel::violations() {
        say!("the kernel would have stopped: {violation}");
        failed += 1;
    }
    let error = kernel::unload();
    if error != 0 {
        say!("_fini failed: {error}");
        failed += 1;
    }
    // SAFETY: counters of the fake kernel.
    let live = unsafe { kernel::fk_kmem_live_bytes() };
    if live != 0 {
        say!("{live} bytes were still allocated after _fini");
        failed += 1;
    }
    let passed: usize = rows.values().map(|tally| tally.runs - tally.failures).sum();
    say!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is loaded: the object, or its substitute and the reason.
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

/// Runs every case in every manner. Returns a row for each mechanism, key size and format, and the number
/// of failures. A file whose executed cases do not match its counts is one failure more.
fn run_all(files: &[File]) -> (BTreeMap<Row, Tally>, usize) {
    let mut rows: BTreeMap<Row, Tally> = BTreeMap::new();
    let mut failed = 0;
    let mut random = Stream::new(2);
    let bar = ProgressBar::new(files.iter().map(|file| file.cases.len() as u64).sum());
    let style = "{prefix:>14} [{bar:40}] {pos}/{len} cases, {eta} left";
    bar.set_style(
        ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> "),
    );
    for file in files {
        bar.set_prefix(file.name.clone());
        let mut executed: BTreeMap<Mode, usize> = BTreeMap::new();
        for case in &file.cases {
            failed += run_case(&file.name, case, &mut rows, &mut random, &bar);
            *executed.entry(case.mode).or_default() += 1;
            bar.inc(1);
        }
        if executed != file.counts {
            bar.suspend(|| say!("{}: executed {executed:?}, not {:?}", file.name, file.counts));
            failed += 1;
        }
    }
    bar.finish_and_clear();
    (rows, failed)
}

fn run_case(
    file: &str,
    case: &Case,
    rows: &mut BTreeMap<Row, Tally>,
    random: &mut Stream,
    bar: &ProgressBar,
) -> usize {
    let mut failed = 0;
    for format in Format::ALL {
        let tally = rows.entry((case.mode, case.keybits(), format)).or_default();
        tally.cases += 1;
        for manner in Manner::all().iter().filter(|manner| manner.input == format) {
            tally.runs += 1;
            if let Err(why) = run(case, manner, random) {
                tally.failures += 1;
                failed += 1;
                if failed <= 3 {
                    // The bar's own `println` writes nothing where standard error is no terminal.
                    bar.suspend(|| say!("{file}:{} {}: {why} ({manner:?})", case.line, case.id));
                }
            }
        }
    }
    failed
}

/// MB/s of encryption with a template. FPU holds cost nothing here.
fn speed(mode: Mode, keybits: usize, format: Format) -> f64 {
    let mut random = Stream::new(3);
    let iv = random.draw(if mode.has_tag() { 12 } else { 16 });
    let mut request = Request::new(mode, &random.draw(keybits / 8), &iv, 32, &[], 16);
    request = request.for_text(SPEED_BYTES);
    let template = request.template();
    let tag_len = if mode.is_aead() { 16 } else { 0 };
    let produced = if mode.is_mac() { 16 } else { SPEED_BYTES + tag_len };
    let pieces = [SPEED_BYTES / 8; 8];
    let mut input = Buffer::new(format, &random.draw(SPEED_BYTES), &pieces);
    let mut output = Buffer::room(format, produced, &cut_like(&pieces, produced));
    // SAFETY: a switch of the fake kernel.
    unsafe { kernel::fk_bench_mode(1) };
    let mut samples = Vec::new();
    let began = Instant::now();
    while samples.len() < 5 || began.elapsed() < SPEED_TIME {
        let (mut src, mut dst) = (input.data(0, SPEED_BYTES), output.data(0, produced));
        let start = Instant::now();
        let rv = request.atomic(Way::Encrypt, Some(&template), &mut src, Some(&mut dst));
        samples.push(start.elapsed().as_secs_f64());
        assert_eq!(rv, 0, "speed of {}", mode.name());
    }
    // SAFETY: as above.
    unsafe { kernel::fk_bench_mode(0) };
    samples.sort_by(f64::total_cmp);
    SPEED_BYTES as f64 / samples[samples.len() / 2] / 1e6
}

/// The same pieces and one more for the remainder of `len`; or one piece if `len` is less than they have.
fn cut_like(pieces: &[usize], len: usize) -> Vec<usize> {
    match len.checked_sub(pieces.iter().sum()) {
        Some(rest) => [pieces, &[rest]].concat(),
        None => vec![len],
    }
}
