// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds each hot loop of the kernels against what llvm's models of processors say of it
//! (bench/README.md, "Simulation").
//!
//! The verb fails for a loop that takes longer than its bound, unless `REASONS` says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use iced_x86::CpuidFeature::{self, AVX512BW, AVX512DQ, AVX512F, AVX512VL, VAES, VPCLMULQDQ};
use iced_x86::{Formatter, GasFormatter, Instruction, Mnemonic};
use serde_json::Value;

use crate::elf::Object;
use crate::loops::{self, Kind, Loop, ROUNDS};
use crate::process::{output, works};
use crate::{Result, Tree, rooms};

/// A processor as llvm-mca knows it.
struct Model {
    name: &'static str,
    /// The resources that execute what works on vector registers, apart from loads and stores.
    vector_ports: &'static [&'static str],
    /// What the processor has not. llvm-mca would take any instruction.
    lacks: &'static [CpuidFeature],
}

const MODELS: [Model; 4] = [
    Model {
        name: "skylake-avx512",
        vector_ports: &["SKXPort0", "SKXPort1", "SKXPort5"],
        lacks: &[VAES, VPCLMULQDQ],
    },
    Model {
        name: "sapphirerapids",
        vector_ports: &["SPRPort00", "SPRPort01", "SPRPort05"],
        lacks: &[],
    },
    Model {
        name: "znver3",
        vector_ports: &["Zn3FP0", "Zn3FP1", "Zn3FP2", "Zn3FP3"],
        lacks: &[AVX512F, AVX512VL, AVX512BW, AVX512DQ],
    },
    Model { name: "znver4", vector_ports: &["Zn4FP0", "Zn4FP1", "Zn4FP2", "Zn4FP3"], lacks: &[] },
];

/// The first llvm that has all models.
const OLDEST_LLVM: u32 = 19;

/// Entry points that run once for each key.
const SETUP: [&str; 2] = ["kcfaes_key_expand_", "kcfaes_ghash_init_"];

/// Entry points that have a loop over text. One that is not found would be one that is not looked at.
const TEXT: [&str; 7] = [
    "kcfaes_cbc_",
    "kcfaes_ccm_",
    "kcfaes_ctr32_",
    "kcfaes_ecb_",
    "kcfaes_gcm_decrypt_",
    "kcfaes_gcm_encrypt_",
    "kcfaes_ghash_",
];

/// Entry points whose laps wait for each other: a block enters the cipher with the block before. Of the
/// modes that take pieces, those with a loop over blocks do.
const SERIAL: [&str; 4] =
    ["kcfaes_cbc_encrypt_", "kcfaes_cbc_mac_", "kcfaes_ccm_", "kcfaes_pieces_"];

/// A loop may take this much more than its bound: a tenth, and half a cycle for what does not divide.
/// Chosen: CBC encryption, with the sums that its chain has beside the rounds, is within it.
const RATIO: f64 = 1.1;
const CYCLES: f64 = 0.5;

/// Loops that take more, on which model, and why.
const REASONS: [(&str, &str, &str); 7] = [
    ("kcfaes_cbc_encrypt_aesni", "sapphirerapids", KEY_IN_MEMORY),
    ("kcfaes_cbc_mac_aesni", "sapphirerapids", KEY_IN_MEMORY),
    ("kcfaes_pieces_aesni #1", "sapphirerapids", KEY_IN_MEMORY),
    ("kcfaes_pieces_aesni #2", "sapphirerapids", KEY_IN_MEMORY),
    ("kcfaes_ghash_aesni #1", "skylake-avx512", PORT_5),
    ("kcfaes_ghash_aesni #1", "sapphirerapids", PORT_5),
    ("kcfaes_ghash_vaes256 #1", "sapphirerapids", PORT_5),
];
const KEY_IN_MEMORY: &str = "the model gives AESENC a cycle more if the round key is in memory";
const PORT_5: &str =
    "only port 5 multiplies, and the model gives it sums too; GCM in bulk does not use this loop";

/// What a model says of a loop, in cycles for each lap.
#[derive(Clone, Copy)]
struct Figures {
    bound: f64,
    simulated: f64,
}

impl Figures {
    fn ratio(self) -> f64 {
        self.simulated / self.bound
    }

    fn is_slow(self) -> bool {
        self.simulated > RATIO * self.bound + CYCLES
    }
}

/// Laps of the two simulations. Their difference has neither begin nor end.
const SHORT: u32 = 100;
const LONG: u32 = 300;

/// Prints the table and writes it to `target/simulate/`. Fails where a loop is slow without a reason.
pub(crate) fn command(tree: &Tree) -> Result<()> {
    let program = program().ok_or("no llvm-mca, or an old one")?;
    let rooms = rooms::build(tree)?;
    let (mut loops, left_out) = loops::find(&Object::read(&rooms.kernels)?);
    loops.retain(|one| !one.is_of(&SETUP));
    for entry in &rooms.kernel_entries {
        let begins = |prefix: &&str| entry.starts_with(prefix);
        if !TEXT.iter().any(begins) || SETUP.iter().any(begins) {
            continue;
        }
        // The loops of GCM that only hash are not enough.
        let of_text = |one: &Loop| one.bytes() > 0 || entry.starts_with("kcfaes_ghash_");
        let mut its = loops.iter().filter(|one| one.kind == Kind::Text && one.is_of(&[entry]));
        if !its.any(of_text) {
            return Err(format!("{entry}: no loop over text that goes around in one way").into());
        }
    }
    let dir = tree.target.join("simulate");
    fs::create_dir_all(&dir)?;
    let mut columns = Vec::new();
    for model in &MODELS {
        columns.push(simulate(&program, model, &loops, &dir)?);
    }
    let table = table(&loops, &columns);
    print!("{table}");
    fs::write(dir.join("table.md"), table)?;
    println!("\nNOT SIMULATED, they choose among ways: {}", left_out.join(", "));
    let mut unexplained = 0;
    for (model, column) in MODELS.iter().zip(&columns) {
        for (one, figures) in loops.iter().zip(column) {
            let Some(figures) = figures.filter(|figures| figures.is_slow()) else { continue };
            let reason = reason(&one.name, model);
            unexplained += usize::from(reason.is_none());
            println!(
                "{} ({}), {}: {:.1} cycles, bound {:.1}: {}",
                one.name,
                one.place(),
                model.name,
                figures.simulated,
                figures.bound,
                reason.unwrap_or("NO REASON KNOWN")
            );
        }
    }
    match unexplained {
        0 => Ok(()),
        n => Err(format!("loops slower than their bound: {n}; see {}", dir.display()).into()),
    }
}

fn reason(name: &str, model: &Model) -> Option<&'static str> {
    let known = REASONS.iter().find(|(one, on, _)| *one == name && *on == model.name);
    known.map(|(_, _, reason)| *reason)
}

/// llvm-mca: of the newest package that has its version in its name, or the one without.
pub(crate) fn program() -> Option<String> {
    let versions = (OLDEST_LLVM..OLDEST_LLVM + 20).rev();
    let names = versions.map(|version| format!("llvm-mca-{version}"));
    names.into_iter().find(|name| works(name, &["--version"])).or_else(|| {
        let version = output(Command::new("llvm-mca").arg("--version")).ok()?;
        let version: String = version
            .split("LLVM version ")
            .nth(1)?
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        (version.parse::<u32>().ok()? >= OLDEST_LLVM).then(|| "llvm-mca".to_string())
    })
}

/// What `model` says of each loop. `None` where the processor lacks an instruction.
fn simulate(
    program: &str,
    model: &Model,
    loops: &[Loop],
    dir: &Path,
) -> Result<Vec<Option<Figures>>> {
    let can_run = |one: &Loop| {
        let mut features = one.lap.iter().flat_map(|i| i.cpuid_features());
        features.all(|feature| !model.lacks.contains(feature))
    };
    let mut text = region("AESENC", ["aesenc %xmm1, %xmm0".to_string()]);
    for one in loops.iter().filter(|one| can_run(one)) {
        let name = format!("{}, {}", one.name, one.place());
        text.push_str(&region(&name, one.lap.iter().map(assembler)));
    }
    let path = dir.join(format!("{}.s", model.name));
    fs::write(&path, text)?;
    let (short, long) = (run(program, model, &path, SHORT)?, run(program, model, &path, LONG)?);
    let mut regions = Report::regions(&short)?.into_iter().zip(Report::regions(&long)?);
    let (_, aesenc) = regions.next().ok_or("llvm-mca says nothing")?;
    let latency = aesenc.number(&["InstructionInfoView", "InstructionList", "0", "Latency"])?;
    let mut column = Vec::new();
    for one in loops {
        column.push(match can_run(one).then(|| regions.next()) {
            None => None,
            Some(None) => return Err(format!("llvm-mca leaves out {}", one.name).into()),
            Some(Some((short, long))) => {
                let chain = f64::from(chain(one)) * latency;
                let bound =
                    chain.max(long.summary("BlockRThroughput")?).max(long.ports(one, model)?);
                let cycles = long.summary("TotalCycles")? - short.summary("TotalCycles")?;
                Some(Figures { bound, simulated: cycles / f64::from(LONG - SHORT) })
            }
        });
    }
    Ok(column)
}

/// Rounds that a lap cannot begin before the lap before has ended them.
fn chain(one: &Loop) -> u32 {
    match one.kind {
        Kind::Rounds => 1,
        Kind::Text if one.is_of(&SERIAL) => ROUNDS,
        Kind::Text => 0,
    }
}

fn run(program: &str, model: &Model, path: &Path, laps: u32) -> Result<Value> {
    let report = output(
        Command::new(program)
            .args(["-mtriple=x86_64", "--json"])
            .arg(format!("-mcpu={}", model.name))
            .arg(format!("-iterations={laps}"))
            .arg(path),
    )?;
    Ok(serde_json::from_str(&report)?)
}

/// What llvm-mca says of one region.
struct Report<'a> {
    region: &'a Value,
    resources: Vec<&'a str>,
}

impl<'a> Report<'a> {
    fn regions(report: &'a Value) -> Result<Vec<Self>> {
        let list = |value: &'a Value| value.as_array().ok_or("llvm-mca's report has another form");
        let resources = list(&report["TargetInfo"]["Resources"])?;
        let resources: Vec<_> = resources.iter().map(|name| name.as_str().unwrap_or("")).collect();
        let regions = list(&report["CodeRegions"])?.iter();
        Ok(regions.map(|region| Self { region, resources: resources.clone() }).collect())
    }

    fn number(&self, path: &[&str]) -> Result<f64> {
        let number = self.region.pointer(&format!("/{}", path.join("/"))).and_then(Value::as_f64);
        number.ok_or_else(|| format!("llvm-mca's report has no {}", path.join("/")).into())
    }

    fn summary(&self, name: &str) -> Result<f64> {
        self.number(&["SummaryView", name])
    }

    /// Cycles that the vector instructions take if they are spread over the ports that they use at all.
    /// llvm-mca's own bound counts each group of ports by itself. In GCM the rounds have two ports, the
    /// products a third, and the sums any of the three.
    fn ports(&self, one: &Loop, model: &Model) -> Result<f64> {
        let list = self.region["ResourcePressureView"]["ResourcePressureInfo"].as_array();
        let mut used: BTreeMap<&str, f64> = BTreeMap::new();
        for usage in list.ok_or("llvm-mca says nothing of ports")? {
            let index = |name| usage[name].as_u64().and_then(|index| usize::try_from(index).ok());
            // One entry more than there are instructions is their sum.
            let instruction = index("InstructionIndex").and_then(|index| one.lap.get(index));
            let port = index("ResourceIndex").and_then(|index| self.resources.get(index));
            if let (Some(instruction), Some(port)) = (instruction, port)
                && model.vector_ports.contains(port)
                && has_vector(instruction)
            {
                *used.entry(port).or_default() += usage["ResourceUsage"].as_f64().unwrap_or(0.0);
            }
        }
        Ok(used.values().sum::<f64>() / used.len().max(1) as f64)
    }
}

fn has_vector(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|n| instruction.op_register(n).is_vector_register())
}

fn region(name: &str, lines: impl IntoIterator<Item = String>) -> String {
    let lines: String = lines.into_iter().map(|line| line + "\n").collect();
    format!("# LLVM-MCA-BEGIN {name}\n{lines}# LLVM-MCA-END\n")
}

fn assembler(instruction: &Instruction) -> String {
    // The assembler would make several instructions of a long one's prefixes.
    if instruction.mnemonic() == Mnemonic::Nop {
        return "nop".to_string();
    }
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_rip_relative_addresses(true);
    formatter.options_mut().set_use_pseudo_ops(false);
    let mut line = String::new();
    formatter.format(instruction, &mut line);
    line
}

/// The table, in Markdown. Loops of rounds that have the same in flight share a row, with the worst of them.
fn table(loops: &[Loop], columns: &[Vec<Option<Figures>>]) -> String {
    let mut rows: Vec<(&Loop, usize, Vec<Option<Figures>>)> = Vec::new();
    for (n, one) in loops.iter().enumerate() {
        let new = || columns.iter().map(|column| column[n]);
        match rows.iter_mut().find(|(other, ..)| other.name == one.name) {
            Some((_, count, figures)) => {
                *count += 1;
                for (worst, new) in figures.iter_mut().zip(new()) {
                    let ratio = |figures: &Option<Figures>| figures.map_or(0.0, Figures::ratio);
                    if ratio(&new) > ratio(worst) {
                        *worst = new;
                    }
                }
            }
            None => rows.push((one, 1, new().collect())),
        }
    }
    rows.sort_by_key(|(one, ..)| match one.kind {
        Kind::Text => String::new(),
        Kind::Rounds => one.name.clone(),
    });
    let mut cells: Vec<Vec<String>> = vec![
        ["loop", "instructions", "bytes"].map(String::from).to_vec(),
        vec!["---".to_string(); 3 + MODELS.len()],
    ];
    cells[0].extend(MODELS.iter().map(|model| model.name.to_string()));
    for (one, count, figures) in rows {
        let (name, bytes) = match one.kind {
            Kind::Rounds => (format!("{}, {count} loops", one.name), String::new()),
            Kind::Text => (format!("`{}`", one.name), one.bytes().to_string()),
        };
        let bytes = if bytes == "0" { String::new() } else { bytes };
        let mut row = vec![name, one.lap.len().to_string(), bytes];
        row.extend(figures.iter().map(|figures| match figures {
            None => "NOT MODELLED".to_string(),
            Some(it) => {
                let mark = if it.is_slow() { " *" } else { "" };
                format!("{:.1}, {:.1}, {:.2}{mark}", it.bound, it.simulated, it.ratio())
            }
        }));
        cells.push(row);
    }
    let width = |n: usize| cells.iter().map(|row| row[n].len()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let padded = row.iter().enumerate().map(|(n, cell)| format!("{cell:0$}", width(n)));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_and_half_a_cycle_is_not_slow() {
        assert!(!Figures { bound: 40.0, simulated: 44.5 }.is_slow());
        assert!(Figures { bound: 40.0, simulated: 44.6 }.is_slow());
    }

    #[test]
    fn a_reason_is_for_one_loop_on_one_model() {
        assert!(reason("kcfaes_ghash_aesni #1", &MODELS[0]).is_some());
        assert!(reason("kcfaes_ghash_aesni #2", &MODELS[0]).is_none());
        assert!(reason("kcfaes_ghash_aesni #1", &MODELS[3]).is_none());
    }
}
