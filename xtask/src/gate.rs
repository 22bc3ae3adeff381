// SPDX-License-Identifier: MIT OR Apache-2.0
//! A checkout of illumos-gate. Only the kernel's headers are read from it. The C of a module that
//! illumos can load is compiled against them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::compiler;
use crate::{Result, Tree, kmod};

/// Folders of headers, in the order of the gate's own makefiles.
const FOLDERS: [&str; 4] =
    ["usr/src/uts/common", "usr/src/uts/intel", "usr/src/uts/i86pc", "usr/src/common"];

/// What the gate's makefiles define for a module. The names after -U are not defined by the gate's own
/// compiler: it is a compiler for illumos. With `_ASM_INLINES` curthread and CPU are loads, not calls.
const FLAGS: [&str; 12] = [
    "-D_ASM_INLINES",
    "-D_SYSCALL32",
    "-D_SYSCALL32_IMPL",
    "-D_ELF64",
    "-D_DDI_STRICT",
    "-D__sun",
    "-D__SVR4",
    "-U__linux__",
    "-U__linux",
    "-Ulinux",
    "-U__gnu_linux__",
    "-Wno-attributes",
];

/// The oldest kernel that the module can be built for. From then on kernel_fpu_end() leaves CR0.TS
/// clear in a thread of a process.
const OLDEST: &str = "the module needs illumos of April 2021 or later";

/// The header that tells a checkout from another folder.
const FIRST: &str = "sys/crypto/spi.h";

/// Macros that came with what the module needs of a kernel.
const NEEDED: [(&str, &[&str]); 4] = [
    (FIRST, &["CRYPTO_SPI_VERSION_4"]),
    ("sys/kfpu.h", &["KFPU_NO_STATE"]),
    ("sys/thread.h", &["T_KFPU"]),
    ("sys/x86_archext.h", &["X86FSET_VAES", "X86FSET_VPCLMULQDQ"]),
];

pub(crate) struct Gate {
    root: PathBuf,
}

impl Gate {
    /// The checkout at `root`.
    ///
    /// # Errors
    /// One line that says what is missing: the folder, its headers, a name that every kernel has for
    /// which the module can be built, or a structure of KCF as the Rust side has it.
    pub(crate) fn open(tree: &Tree, root: &Path) -> Result<Self> {
        let fault = |what: String| format!("GATE={}: {what}", root.display());
        if !root.is_dir() {
            return Err(fault("no such folder".to_string()).into());
        }
        let gate = Self { root: std::path::absolute(root)? };
        for (header, names) in NEEDED {
            if !FOLDERS.iter().any(|folder| gate.root.join(folder).join(header).is_file()) {
                let place = FOLDERS[0];
                return Err(fault(match header {
                    FIRST => format!("no {place}/{header}: this is no checkout of illumos-gate"),
                    _ => format!("too old: it has no <{header}>; {OLDEST}"),
                })
                .into());
            }
            let macros = gate.macros(header).map_err(&fault)?;
            let defined = |name: &str| macros.contains(&format!("#define {name} "));
            if let Some(name) = names.iter().find(|name| !defined(name)) {
                let what = format!("too old: its <{header}> lacks {name}; {OLDEST}");
                return Err(fault(what).into());
            }
        }
        gate.check_layout(tree).map_err(fault)?;
        Ok(gate)
    }

    /// The arguments with which a compiler compiles C against these headers.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = FLAGS.map(OsString::from).into();
        for folder in FOLDERS {
            arguments.extend(["-isystem".into(), self.root.join(folder).into()]);
        }
        arguments
    }

    /// `#define` lines after a header is included.
    fn macros(&self, header: &str) -> core::result::Result<String, String> {
        let mut cc = compiler("CC", "cc");
        cc.args(kmod::FLAGS).args(self.arguments());
        cc.args([
            "-E",
            "-dM",
            "-include",
            "sys/types.h",
            "-include",
            header,
            "-x",
            "c",
            "/dev/null",
        ]);
        let (good, text, error) = captured(&mut cc)?;
        if good { Ok(text) } else { Err(format!("<{header}>: {}", first_error(&error))) }
    }

    /// Checks the layout's assertions. Each has the name of what it is about.
    fn check_layout(&self, tree: &Tree) -> core::result::Result<(), String> {
        let mut cc = compiler("CC", "cc");
        cc.args(kmod::FLAGS).args(self.arguments()).arg("-fsyntax-only");
        cc.arg("-I").arg(tree.root.join("include")).arg(tree.root.join("kmod/kcfaes_abi.c"));
        let (good, _, errors) = captured(&mut cc)?;
        if good {
            return Ok(());
        }
        let names: Vec<&str> = errors
            .lines()
            .filter_map(|line| line.split_once("static assertion failed: \"")?.1.strip_suffix('"'))
            .collect();
        if names.is_empty() {
            return Err(format!("kcfaes_abi.c does not compile: {}", first_error(&errors)));
        }
        Err(format!(
            "its KCF structures are not those that the module was written for: {}",
            names.join(", ")
        ))
    }
}

/// Whether a command ends well, and what it says.
fn captured(command: &mut Command) -> core::result::Result<(bool, String, String), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

fn first_error(errors: &str) -> &str {
    let mut lines = errors.lines();
    lines.find(|line| line.contains("error:")).unwrap_or(errors).trim()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::{output, run};

    fn tree() -> Tree {
        Tree::find().expect("the repository")
    }

    /// A checkout's folders with the stand-in headers in place of illumos'.
    fn checkout(name: &str) -> PathBuf {
        let root = crate::scratch().join(format!("kcfaes-gate-{name}-{}", std::process::id()));
        let common = root.join(FOLDERS[0]);
        fs::create_dir_all(&common).expect("a folder");
        let headers = tree().root.join("ffi-tests/fakekernel/include/sys");
        run(Command::new("cp").arg("-r").arg(headers).arg(&common)).expect("cp");
        let own = output(compiler("CC", "cc").arg("-print-file-name=include")).expect("cc");
        for header in ["stddef.h", "stdint.h", "stdint-gcc.h"] {
            let text = format!("#include \"{}/{header}\"\n", own.trim());
            fs::write(common.join(header), text).expect("a file");
        }
        root
    }

    fn replaced(root: &Path, header: &str, from: &str, to: &str) {
        let path = root.join(FOLDERS[0]).join(header);
        let text = fs::read_to_string(&path).expect("a header");
        assert!(text.contains(from), "{from}");
        fs::write(path, text.replace(from, to)).expect("a header");
    }

    fn refusal(root: &Path) -> String {
        let error = Gate::open(&tree(), root).err().expect("it is refused").to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }

    #[test]
    fn what_is_no_checkout() {
        assert!(refusal(Path::new("/nowhere")).ends_with("/nowhere: no such folder"));
        let empty = std::env::temp_dir();
        assert!(refusal(&empty).ends_with("this is no checkout of illumos-gate"));
    }

    #[test]
    fn a_checkout_that_is_too_old() {
        let root = checkout("old");
        assert!(Gate::open(&tree(), &root).is_ok());
        replaced(&root, "sys/x86_archext.h", "X86FSET_VAES\t", "X86FSET_OTHER\t");
        assert!(refusal(&root).contains("too old: its <sys/x86_archext.h> lacks X86FSET_VAES"));
        fs::remove_file(root.join(FOLDERS[0]).join("sys/kfpu.h")).expect("a header");
        assert!(refusal(&root).contains("too old: it has no <sys/kfpu.h>"));
    }

    #[test]
    fn a_checkout_with_other_structures() {
        let root = checkout("other");
        replaced(&root, "sys/crypto/common.h", "\tsize_t\t", "\tlong\tother;\n\tsize_t\t");
        let error = refusal(&root);
        assert!(error.contains("not those that the module was written for"), "{error}");
        assert!(error.contains("crypto_data_t.cd_length"), "{error}");
    }

    #[test]
    fn a_checkout_whose_headers_do_not_compile() {
        let root = checkout("broken");
        replaced(
            &root,
            "sys/kfpu.h",
            "#define\tKFPU_NO_STATE",
            "#error broken\n#define\tKFPU_NO_STATE",
        );
        assert!(refusal(&root).contains("broken"));
    }
}
