// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boots the rooms and the module's C in ring 0, under emulators that need no privilege.
//!
//! `ffi-tests/ring0` is the kernel around them. It is linked from the very object that the audit looks
//! at, from kmod's sources compiled with the kernel's flags, and from the fake kernel's sources. It
//! must pass on a processor with AES-NI and on one without (QEMU), and on one with AVX-512 (Bochs).
//! Each control is the same kernel with one source compiled wrongly. It must fail for the reason that
//! was planted.

use core::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSymbol as _, SymbolKind};

use crate::process::{cargo, compiler, joined, output, run};
use crate::{Result, Tree, rooms};

/// Constant data of the vector table; the widest case has 32 KiB.
const TABLE_BYTES: &str = "131072";

/// Seconds after which an emulator is stopped.
const LIMIT: &str = "300";

/// A processor, the tables that must have run on it, and the table it uses where none is forced.
struct Cpu {
    model: &'static str,
    tables: &'static [&'static str],
    automatic: &'static str,
}

const QEMU_CPUS: [Cpu; 2] = [
    Cpu { model: "max", tables: &["portable", "aesni"], automatic: "aesni" },
    Cpu { model: "qemu64", tables: &["portable"], automatic: "portable" },
];

/// Ice Lake lowers its clock for 512-bit registers.
const BOCHS_CPU: Cpu = Cpu {
    model: "corei7_icelake_u",
    tables: &["portable", "aesni", "vaes256", "vaes512"],
    automatic: "vaes256",
};

/// Flags of the test kernel in addition to the module's own. Its memcpy and memset must not become
/// calls of themselves.
const FLAGS: [&str; 2] = ["-DDEBUG", "-fno-tree-loop-distribute-patterns"];

/// The fake kernel's simulation of what `fpu.c` does for real. `fpu.c` calls the simulation.
const SIMULATED: [&str; 4] = [
    "-Dgetcr0=fk_simulated_getcr0",
    "-Dsetcr0=fk_simulated_setcr0",
    "-Dkernel_fpu_begin=fk_simulated_fpu_begin",
    "-Dkernel_fpu_end=fk_simulated_fpu_end",
];

/// A fault that the run must notice.
struct Control {
    name: &'static str,
    /// The source that is compiled wrongly, and how.
    source: &'static str,
    flags: &'static [&'static str],
    /// A text of the source and what is written for it.
    edit: Option<(&'static str, &'static str)>,
    /// What the run must say.
    sign: &'static str,
}

const CONTROLS: [Control; 9] = [
    Control {
        name: "an SSE instruction outside a hold",
        source: "ffi-tests/ring0/probe.c",
        flags: &["-msse2"],
        edit: None,
        sign: "#NM at",
    },
    Control {
        name: "a user of the red zone",
        source: "ffi-tests/ring0/probe.c",
        flags: &["-mred-zone"],
        edit: None,
        sign: "an interrupt overwrote the locals",
    },
    Control {
        name: "a shim without a hold",
        source: "kmod/kcfaes_env.c",
        flags: &["-Dkernel_fpu_begin=no_fpu_begin", "-Dkernel_fpu_end=no_fpu_end"],
        edit: None,
        sign: "#NM at",
    },
    Control {
        name: "an interrupt path without clts",
        source: "kmod/kcfaes_env.c",
        flags: &["-Dsetcr0=no_setcr0"],
        edit: None,
        sign: "#NM at",
    },
    Control {
        name: "a shim that takes a thread's hold in an interrupt",
        source: "kmod/kcfaes_env.c",
        flags: &["-Dservicing_interrupt=no_interrupt"],
        edit: None,
        sign: "kernel_fpu_begin with TS clear",
    },
    Control {
        name: "a register that a light hold does not put back",
        source: ENVIRONMENT,
        flags: &[],
        edit: Some((r#""movdqu 0x70(%0), %%xmm7\n\t""#, "")),
        sign: "changed vector registers",
    },
    Control {
        name: "a light hold that leaves TS clear",
        source: ENVIRONMENT,
        flags: &[],
        edit: Some(("setcr0(getcr0() | CR0_TS)", "(void) getcr0()")),
        sign: "found TS 1 and left it 0",
    },
    Control {
        name: "a light hold that leaves T_KFPU set",
        source: ENVIRONMENT,
        flags: &[],
        edit: Some(("t->t_flag &= ~T_KFPU", "(void) t")),
        sign: "an interrupt changed T_KFPU",
    },
    Control {
        name: "a light hold that is not for legacy SSE alone",
        source: ENVIRONMENT,
        flags: &[],
        edit: Some(("\t    \"pxor %%xmm15, %%xmm15", "\t    \"vpxor %%xmm15, %%xmm15, %%xmm15")),
        sign: "changed vector registers",
    },
];

const ENVIRONMENT: &str = "kmod/kcfaes_env.c";

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let begin = Instant::now();
    let build = Build::new(tree)?;
    let kernel = build.link("ring0", &build.objects)?;
    println!("kernel built in {:.1} s", begin.elapsed().as_secs_f32());

    // Bochs takes most of the time, so it runs in parallel with the others.
    thread::scope(|scope| {
        let in_bochs = scope.spawn(|| {
            let boot = |kernel: &Path| bochs(tree, kernel, BOCHS_CPU.model);
            expect_pass("Bochs", &BOCHS_CPU, &kernel, boot).map_err(|error| error.to_string())
        });
        for cpu in &QEMU_CPUS {
            let boot = |kernel: &Path| qemu(kernel, cpu.model);
            print!("{}", expect_pass("QEMU", cpu, &kernel, boot)?);
        }
        for control in &CONTROLS {
            expect_failure(&build, control)?;
        }
        print!("{}", in_bochs.join().map_err(|_| "Bochs: a panic")??);
        Ok::<_, Box<dyn Error>>(())
    })?;
    println!("ring 0: passed under QEMU and Bochs, {} controls caught", CONTROLS.len());
    Ok(())
}

/// The compiled sources.
struct Build<'a> {
    tree: &'a Tree,
    directory: PathBuf,
    /// The compiler's own headers. Only these are not ours.
    freestanding: PathBuf,
    objects: Vec<PathBuf>,
}

impl<'a> Build<'a> {
    fn new(tree: &'a Tree) -> Result<Self> {
        let directory = tree.target.join("ring0");
        fs::create_dir_all(&directory)?;
        let freestanding = output(compiler("CC", "cc").arg("-print-file-name=include"))?;
        let freestanding = PathBuf::from(freestanding.trim());
        let table = output(cargo(tree).args([
            "run",
            "--quiet",
            "--package=kcfaes-vectors",
            "--",
            "emit-c",
            "vectors",
            TABLE_BYTES,
        ]))?;
        fs::write(directory.join("vectors_table.h"), table)?;
        let rooms = rooms::build(tree)?;

        let mut build = Self { tree, directory, freestanding, objects: vec![rooms.joined] };
        for source in sources(tree)? {
            let simulated = source == "ffi-tests/fakekernel/fk_thread.c";
            let object = build.compile(&source, if simulated { &SIMULATED } else { &[] }, "o")?;
            build.objects.push(object);
        }
        Ok(build)
    }

    /// Compiles a source into an object with this extension.
    fn compile(
        &self,
        source: impl AsRef<Path>,
        flags: &[&str],
        extension: &str,
    ) -> Result<PathBuf> {
        let source = self.tree.root.join(source);
        let object = self.object(&source, extension);
        let mut cc = compiler("CC", "cc");
        cc.args(crate::kmod::FLAGS).args(FLAGS).arg("-isystem").arg(&self.freestanding);
        for folder in ["ffi-tests/fakekernel/include", "ffi-tests/fakekernel", "kmod", "include"] {
            cc.arg(joined("-I", &self.tree.root.join(folder)));
        }
        cc.arg(joined("-I", &self.directory));
        run(cc.args(flags).arg("-c").arg(source).arg("-o").arg(&object))?;
        Ok(object)
    }

    fn object(&self, source: &Path, extension: &str) -> PathBuf {
        self.directory.join(source.file_name().unwrap_or_default()).with_extension(extension)
    }

    /// Links a kernel: an ELF64 for its symbols, and next to it the ELF32 that is booted.
    fn link(&self, name: &str, objects: &[PathBuf]) -> Result<PathBuf> {
        let kernel = self.directory.join(name).with_extension("elf");
        let script = self.tree.root.join("ffi-tests/ring0/ring0.ld");
        run(Command::new("ld")
            .args(["-n", "-z", "max-page-size=4096", "-z", "noexecstack"])
            .args(["--no-warn-rwx-segments", "-T"])
            .arg(script)
            .arg("-o")
            .arg(&kernel)
            .args(objects))?;
        run(Command::new("objcopy")
            .args(["--strip-all", "-O", "elf32-i386"])
            .arg(&kernel)
            .arg(bootable(&kernel)))?;
        Ok(kernel)
    }

    /// The kernel with a control's source in place of the right one.
    fn faulty(&self, control: &Control) -> Result<PathBuf> {
        let right = self.object(Path::new(control.source), "o");
        let source = match control.edit {
            None => PathBuf::from(control.source),
            Some((right, wrong)) => {
                let text = fs::read_to_string(self.tree.root.join(control.source))?;
                if text.matches(right).count() != 1 {
                    return Err(format!("ring0: {}: not once: {right}", control.source).into());
                }
                let faulty = self.directory.join("faulty.c");
                fs::write(&faulty, text.replace(right, wrong))?;
                faulty
            }
        };
        let mut objects = vec![
            self.compile(&source, control.flags, "faulty.o")?,
            self.compile("ffi-tests/ring0/faults.c", &[], "o")?,
        ];
        objects.extend(self.objects.iter().filter(|object| **object != right).cloned());
        self.link("control", &objects)
    }
}

/// The sources of a right kernel, from the repository's root.
fn sources(tree: &Tree) -> Result<Vec<String>> {
    let fake = "ffi-tests/fakekernel";
    let list = fs::read_to_string(tree.root.join(fake).join("sources.txt"))?;
    let mut sources: Vec<String> =
        list.split_whitespace().map(|file| format!("{fake}/{file}")).collect();
    for folder in ["kmod", "ffi-tests/ring0"] {
        for entry in fs::read_dir(tree.root.join(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let source = name.ends_with(".c") || name.ends_with(".S");
            // Modules of their own, and the source of the controls.
            if source && !name.ends_with("_test.c") && name != "faults.c" {
                sources.push(format!("{folder}/{name}"));
            }
        }
    }
    sources.sort();
    Ok(sources)
}

fn bootable(kernel: &Path) -> PathBuf {
    kernel.with_extension("elf32")
}

/// What a run said, and whether it ended as a run that passed ends.
struct Outcome {
    console: String,
    passed: bool,
}

/// The debug port's exit status says which way the run ended.
fn qemu(kernel: &Path, cpu: &str) -> Result<Outcome> {
    let output = Command::new("timeout")
        .args(["--kill-after=5", LIMIT, "qemu-system-x86_64", "-machine", "accel=tcg", "-cpu"])
        .args([cpu, "-m", "64", "-display", "none", "-nodefaults", "-no-reboot"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio", "-kernel"])
        .arg(bootable(kernel))
        .stdin(Stdio::null())
        .output()?;
    let mut console = String::from_utf8_lossy(&output.stdout).into_owned();
    console.push_str(&String::from_utf8_lossy(&output.stderr));
    console.push_str(&format!("qemu: {}\n", output.status));
    Ok(Outcome { passed: output.status.code() == Some(33), console })
}

/// Bochs boots from a CD. It has no exit status of ours, so the last line of its serial port counts.
///
/// Debian's build has the debugger, which must be told to go on. Its only display without a window
/// wants a terminal.
fn bochs(tree: &Tree, kernel: &Path, cpu: &str) -> Result<Outcome> {
    let directory = kernel.with_extension("bochs");
    let grub = directory.join("iso/boot/grub");
    fs::create_dir_all(&grub)?;
    fs::write(grub.join("grub.cfg"), "set timeout=0\nmultiboot /boot/ring0\nboot\n")?;
    fs::copy(bootable(kernel), directory.join("iso/boot/ring0"))?;
    let machine = fs::read_to_string(tree.root.join("ffi-tests/ring0/bochsrc"))?;
    fs::write(directory.join("bochsrc"), machine.replace("@CPU@", cpu))?;
    fs::write(directory.join("commands"), "c\n")?;
    let image = Command::new("grub-mkrescue")
        .args(["--install-modules=normal iso9660 biosdisk multiboot", "--locales=", "--fonts="])
        .args(["--themes=", "-o", "ring0.iso", "iso"])
        .current_dir(&directory)
        .output()?;
    if !image.status.success() {
        return Err(format!("grub-mkrescue: {}", String::from_utf8_lossy(&image.stderr)).into());
    }

    let serial = directory.join("serial.log");
    fs::write(&serial, "")?;
    let status = Command::new("timeout")
        .args(["--kill-after=5", LIMIT, "script", "-qc", "bochs -q -f bochsrc -rc commands"])
        .arg("/dev/null")
        .current_dir(&directory)
        .env("TERM", "vt100")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let mut console = String::from_utf8_lossy(&fs::read(&serial)?).into_owned();
    let last = console.trim_end().lines().last().unwrap_or_default();
    let passed = last.starts_with("ring 0: ") && last.ends_with(" passed, 0 failed");
    if !passed {
        console.push_str(&format!("bochs: {status}, {}\n", directory.join("bochs.log").display()));
    }
    Ok(Outcome { console, passed })
}

/// What the run said. If it did not pass, an error with all of that.
fn expect_pass(
    emulator: &str,
    cpu: &Cpu,
    kernel: &Path,
    boot: impl FnOnce(&Path) -> Result<Outcome>,
) -> Result<String> {
    let begin = Instant::now();
    let name = format!("{emulator}, cpu {}", cpu.model);
    let outcome = boot(kernel)?;
    let mut said = format!("{name}, {:.1} s:\n", begin.elapsed().as_secs_f32());
    for line in outcome.console.lines().filter(|line| !line.trim().is_empty()) {
        said.push_str(&format!("  {}\n", with_function(kernel, line)?));
    }
    if !outcome.passed {
        return Err(format!("ring0: {name}: failed\n{said}").into());
    }
    let ran = |table: &str| {
        let begin = format!("{table}: ");
        outcome.console.lines().any(|line| line.starts_with(&begin) && line.contains(" vectors, "))
    };
    if let Some(table) = cpu.tables.iter().find(|table| !ran(table)) {
        return Err(format!("ring0: {name}: table {table} did not run\n{said}").into());
    }
    let automatic = format!("automatic: {}", cpu.automatic);
    if !outcome.console.lines().any(|line| line.trim_end() == automatic) {
        return Err(format!("ring0: {name}: not {automatic}\n{said}").into());
    }
    Ok(said)
}

fn expect_failure(build: &Build<'_>, control: &Control) -> Result<()> {
    let kernel = build.faulty(control)?;
    let outcome = qemu(&kernel, "max")?;
    let sign = outcome.console.lines().find(|line| line.contains(control.sign));
    match sign {
        Some(line) if !outcome.passed => {
            println!("control, {}: caught: {}", control.name, with_function(&kernel, line)?);
            Ok(())
        }
        _ => {
            Err(format!("ring0: control not caught: {}\n{}", control.name, outcome.console).into())
        }
    }
}

/// A line with the function's name after the first address of code in it.
fn with_function(kernel: &Path, line: &str) -> Result<String> {
    let Some((before, rest)) = line.split_once(" at 0x") else { return Ok(line.to_string()) };
    let digits = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(digits);
    let address = u64::from_str_radix(digits, 16)?;
    let bytes = fs::read(kernel)?;
    let elf = ElfFile64::<LittleEndian>::parse(&*bytes)?;
    let function = elf
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.address() <= address)
        .max_by_key(|symbol| symbol.address());
    let name = function.and_then(|symbol| symbol.name().ok()).unwrap_or("?");
    Ok(format!("{before} at 0x{digits} ({name}){after}"))
}
