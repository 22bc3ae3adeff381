// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running other programs. Each one succeeds, or it ends the verb with its command line.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Result, Tree};

/// Runs `command`. Its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{status}: {}", line(command)).into()) }
}

/// Runs `command` and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, line(command)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether `program` can be started and ends well with `args`, whatever it prints.
pub(crate) fn works(program: &str, args: &[&str]) -> bool {
    succeeds(Command::new(program).args(args))
}

/// Whether `command` can be started and ends well, whatever it prints.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Where an unpacked second tarball tells cargo of its crates.
pub(crate) const VENDOR_CONFIG: &str = "vendor/.cargo/config.toml";

/// `cargo` in the repository, with the crates of an unpacked second tarball, if there is one.
///
/// Without the caller's RUSTFLAGS, and without those of a cargo configuration in the home directory or above
/// the repository: `target-cpu=native` there would build an artifact that dies on an older CPU. An empty
/// `CARGO_ENCODED_RUSTFLAGS` replaces all of them.
pub(crate) fn cargo(tree: &Tree) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&tree.root);
    for name in ["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
        command.env_remove(name);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", "");
    // It may have been said of the repository, and this be a copy of it.
    if std::env::var_os("CARGO_TARGET_DIR").is_some() {
        command.env("CARGO_TARGET_DIR", &tree.target);
    }
    for name in ["CFLAGS", "CXXFLAGS"] {
        if let Some(flags) = std::env::var(name).ok().and_then(|flags| for_rustc(&flags)) {
            command.env(name, flags);
        }
    }
    command.args(vendored(tree));
    command
}

fn vendored(tree: &Tree) -> &'static [&'static str] {
    if tree.root.join(VENDOR_CONFIG).is_file() { &["--config", VENDOR_CONFIG] } else { &[] }
}

/// Options for C that a build script compiles, if they have to be others than the user's: rustc's linker reads
/// no bytecode of a C compiler.
fn for_rustc(flags: &str) -> Option<String> {
    flags.contains("-flto").then(|| format!("{flags} -fno-lto"))
}

/// The cargo of another toolchain, with nothing of what this one has set.
pub(crate) fn cargo_of(toolchain: &str, tree: &Tree) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, "cargo"]).current_dir(&tree.root);
    for (name, _) in cargo(tree).get_envs() {
        command.env_remove(name);
    }
    command.args(vendored(tree));
    command
}

/// The C compiler that the user names by CC or CXX, otherwise the system's. Options may follow its name, as
/// in `CC="gcc -m64"`.
pub(crate) fn compiler(variable: &str, default: &str) -> Command {
    let named = flags(variable);
    let mut words = named.iter().map(String::as_str);
    let mut command = Command::new(words.next().unwrap_or(default));
    command.args(words);
    command
}

/// The words of an environment variable that has options for a compiler or linker.
pub(crate) fn flags(variable: &str) -> Vec<String> {
    let value = std::env::var(variable).unwrap_or_default();
    value.split_whitespace().map(ToString::to_string).collect()
}

/// An argument that is an option and a path: `-Tscript`.
pub(crate) fn joined(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// The command line.
pub(crate) fn line(command: &Command) -> String {
    let mut line = command.get_program().display().to_string();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustc_links_is_no_bytecode() {
        assert_eq!(for_rustc("-O2 -flto=auto").as_deref(), Some("-O2 -flto=auto -fno-lto"));
        assert_eq!(for_rustc("-O2 -g"), None);
    }
}
