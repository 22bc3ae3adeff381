// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machines that something is built for, and the tools that know them.

use std::process::Command;

use crate::Result;
use crate::process::{compiler, flags, run};

/// What something is built for.
#[derive(Debug)]
pub(crate) struct Machine {
    /// rustc's name of it.
    pub(crate) triple: &'static str,
    /// What the names of its binutils and its C compiler begin with; nothing for the host's own.
    tools: &'static str,
    /// The command that runs its programs here.
    emulator: &'static [&'static str],
}

/// This machine.
pub(crate) static HOST: Machine = Machine { triple: env!("KCFAES_HOST"), tools: "", emulator: &[] };

/// An illumos machine. The host's binutils know its objects.
pub(crate) static ILLUMOS: Machine =
    Machine { triple: "x86_64-unknown-illumos", tools: "", emulator: &[] };

/// A 64-bit Arm machine, cross-built and emulated.
pub(crate) static AARCH64: Machine = Machine {
    triple: "aarch64-unknown-linux-gnu",
    tools: "aarch64-linux-gnu-",
    emulator: &["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
};

impl Machine {
    pub(crate) fn is_x86_64(&self) -> bool {
        self.triple.starts_with("x86_64-")
    }

    /// What rustc is told for its code. On AArch64 rustc would call a function of libgcc for each atomic
    /// exchange.
    pub(crate) fn codegen(&self) -> &'static [&'static str] {
        if self.is_x86_64() { &[] } else { &["-Ctarget-feature=-outline-atomics"] }
    }

    /// One of its binutils.
    pub(crate) fn tool(&self, name: &str) -> Command {
        Command::new(format!("{}{name}", self.tools))
    }

    /// Its C compiler. For the host the user may name another.
    pub(crate) fn cc(&self) -> Command {
        if self.tools.is_empty() { compiler("CC", "cc") } else { self.tool("gcc") }
    }

    /// The options for it that the user names by CFLAGS or LDFLAGS. They are for the host's.
    pub(crate) fn flags(&self, variable: &str) -> Vec<String> {
        if self.tools.is_empty() { flags(variable) } else { Vec::new() }
    }

    /// Runs a program of its own.
    pub(crate) fn run(&self, program: &std::path::Path) -> Result<()> {
        let mut command = match self.emulator {
            [] => Command::new(program),
            [emulator, options @ ..] => {
                let mut command = Command::new(emulator);
                command.args(options).arg(program);
                command
            }
        };
        run(&mut command)
    }
}

/// Refuses a verb that only an x86-64 machine can do.
pub(crate) fn require_x86_64(verb: &str) -> Result<()> {
    if HOST.is_x86_64() {
        return Ok(());
    }
    Err(format!(
        "{verb} needs an x86-64 machine, and this is {}. lib, examples, headers and make install work here",
        HOST.triple
    )
    .into())
}
