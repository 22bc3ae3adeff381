// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions of this program. It is linked for fixed addresses.

use object::{Object as _, ObjectSymbol as _, SymbolKind};

use crate::Result;

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) start: u64,
    size: u64,
    local: bool,
}

pub(crate) struct Symbols(Vec<Function>);

impl Symbols {
    pub(crate) fn read() -> Result<Self> {
        let bytes = std::fs::read(std::env::current_exe()?)?;
        let file = object::File::parse(&*bytes)?;
        let mut functions: Vec<_> = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
            .map(|symbol| Function {
                name: format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or("?"))),
                start: symbol.address(),
                size: symbol.size(),
                local: symbol.is_local(),
            })
            .collect();
        functions.sort_by_key(|function| (function.start, function.size));
        Ok(Self(functions))
    }

    /// `function+0xoffset`
    pub(crate) fn place(&self, at: u64) -> String {
        let after = self.0.partition_point(|function| function.start <= at);
        match self.0[..after].last() {
            Some(f) if at < f.start + f.size.max(1) => format!("{}+{:#x}", f.name, at - f.start),
            _ => format!("{at:#x}, in no function of the program"),
        }
    }

    /// All functions that are given a secret: the functions of the plain C API, and the entry points of
    /// the kernels in the object and in the library, where they are local.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Function> {
        self.0.iter().filter(|function| {
            let kernel = TABLES.iter().any(|table| {
                function.name.strip_suffix(table).is_some_and(|name| {
                    name.starts_with("kcfaes_") && name.ends_with('_') && !name.contains("::")
                })
            });
            kernel && function.local || API.contains(&function.name.as_str())
        })
    }
}

/// Tables that have entry points.
pub(crate) const TABLES: [&str; 3] = ["aesni", "vaes256", "vaes512"];

/// The functions of kcfaes.h that take a key, a text or a tag, or what is computed from them.
const API: &[&str] = &[
    "kcfaes_key_new",
    "kcfaes_key_init",
    "kcfaes_key_wipe",
    "kcfaes_key_free",
    "kcfaes_gcm_seal",
    "kcfaes_gcm_open",
    "kcfaes_gcm_seal_batch",
    "kcfaes_gcm_open_batch",
    "kcfaes_gcm_seal_iov",
    "kcfaes_gcm_open_iov",
    "kcfaes_gmac",
    "kcfaes_gmac_verify",
    "kcfaes_gmac_iov",
    "kcfaes_gmac_verify_iov",
    "kcfaes_ccm_seal",
    "kcfaes_ccm_open",
    "kcfaes_ccm_seal_iov",
    "kcfaes_ccm_open_iov",
    "kcfaes_cmac",
    "kcfaes_cmac_verify",
    "kcfaes_cmac_iov",
    "kcfaes_cmac_verify_iov",
    "kcfaes_ctr",
    "kcfaes_ctr_iov",
    "kcfaes_ctr_at",
    "kcfaes_ctr_at_iov",
    "kcfaes_cbc_encrypt",
    "kcfaes_cbc_decrypt",
    "kcfaes_cbc_encrypt_batch",
    "kcfaes_cbc_encrypt_iov",
    "kcfaes_cbc_decrypt_iov",
    "kcfaes_ecb_encrypt",
    "kcfaes_ecb_decrypt",
    "kcfaes_ecb_encrypt_iov",
    "kcfaes_ecb_decrypt_iov",
    "kcfaes_ctx_wipe",
    "kcfaes_ctx_free",
    "kcfaes_gcm_seal_init",
    "kcfaes_gcm_open_init",
    "kcfaes_gmac_init",
    "kcfaes_ccm_seal_init",
    "kcfaes_ccm_open_init",
    "kcfaes_cmac_init",
    "kcfaes_ctr_init",
    "kcfaes_cbc_encrypt_init",
    "kcfaes_cbc_decrypt_init",
    "kcfaes_ecb_encrypt_init",
    "kcfaes_ecb_decrypt_init",
    "kcfaes_ctx_copy",
    "kcfaes_update_aad",
    "kcfaes_update",
    "kcfaes_update_unverified",
    "kcfaes_update_iov",
    "kcfaes_update_unverified_iov",
    "kcfaes_final",
    "kcfaes_gcm_seal_final",
    "kcfaes_gcm_open_final",
    "kcfaes_ccm_seal_final",
    "kcfaes_ccm_open_final",
    "kcfaes_cmac_final",
    "kcfaes_cmac_verify_final",
    "kcfaes_gmac_final",
    "kcfaes_gmac_verify_final",
    "kcfaes_equal",
    "kcfaes_wipe",
];
