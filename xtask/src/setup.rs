// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds out what is missing on this machine and installs it as root, or prints the commands.
//!
//! What is there is never asked for again, so that everything works without a network afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::process::{output, run, works};

/// The kernel object's target, whose core is built without vector registers.
const TARGET: &str = "x86_64-unknown-none";

/// A Debian package, and a sign that it is not needed.
const PACKAGES: [(&str, fn() -> bool); 4] = [
    ("gcc", || works("cc", &["--version"])),
    ("g++", || works("c++", &["--version"])),
    ("binutils", || works("ld", &["--version"]) && works("objcopy", &["--version"])),
    ("libclang-dev", has_libclang),
];

pub(crate) fn setup() -> Result<()> {
    let packages: Vec<&str> =
        PACKAGES.iter().filter(|(_, present)| !present()).map(|(name, _)| *name).collect();
    let mut commands = Vec::new();
    if !packages.is_empty() {
        commands.push("apt-get update".to_string());
        commands.push(format!("apt-get install -y --no-install-recommends {}", packages.join(" ")));
    }
    if !has_target()? {
        commands.push(format!("rustup target add {TARGET}"));
    }
    for (component, command) in [("clippy", "clippy"), ("rustfmt", "fmt")] {
        if !works("cargo", &[command, "--version"]) {
            commands.push(format!("rustup component add {component}"));
        }
    }
    if commands.is_empty() {
        return Ok(());
    }
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        return Err(
            format!("missing on this machine; run as root:\n  {}", commands.join("\n  ")).into()
        );
    }
    for command in &commands {
        println!("{command}");
        let mut words = command.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}

fn has_target() -> Result<bool> {
    let libraries =
        output(Command::new("rustc").args(["--print=target-libdir", "--target", TARGET]))?;
    Ok(Path::new(libraries.trim()).is_dir())
}

/// bindgen loads libclang at run time, from where the environment says or distributions put it.
fn has_libclang() -> bool {
    let named = std::env::var_os("LIBCLANG_PATH").map(Into::into);
    let llvm = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let llvm = llvm.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvm"))
    });
    let usual = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu"].map(Into::into);
    let folders = named.into_iter().chain(llvm.map(|path| path.join("lib"))).chain(usual);
    folders.map(fs::read_dir).filter_map(core::result::Result::ok).flatten().flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libclang.so") || name.starts_with("libclang-") && name.contains(".so")
    })
}
