// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sizes, offsets and numbers of KCF's types as rustc lays them out, for `include/kcfaes_abi.h`.

use core::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use core::fmt::Write as _;
use core::mem::offset_of;

use kcf::*;

#[allow(dead_code, unreachable_pub, reason = "only the layout is used here")]
#[path = "../../rust-core/provider/src/kcf.rs"]
mod kcf;

/// A field of a type.
pub(crate) struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
}

/// A struct or union.
pub(crate) struct Type {
    name: &'static str,
    size: usize,
    fields: &'static [Field],
}

/// How the names of the mechanisms' numbers end. They are the provider's own: no header of the system has
/// them.
pub(crate) const MECHANISM_NUMBER: &str = "_MECH_INFO_TYPE";

include!(concat!(env!("OUT_DIR"), "/layout.rs"));

/// The table as macros, so that it can be asserted against whichever headers define the types.
/// Definitions of the same names could not be in one translation unit with those headers.
pub(crate) fn macros() -> String {
    let mut text = String::new();
    for ty in TYPES {
        let name = ty.name;
        let _ = writeln!(text, "#define KCFAES_SIZEOF_{name} {}", ty.size);
        for field in ty.fields {
            let _ =
                writeln!(text, "#define KCFAES_OFFSETOF_{name}_{} {}", field.name, field.offset);
            let _ = writeln!(text, "#define KCFAES_FIELDSIZE_{name}_{} {}", field.name, field.size);
        }
        text.push('\n');
    }
    for (name, value) in CONSTANTS.iter().filter(|(name, _)| !name.ends_with(MECHANISM_NUMBER)) {
        let _ = writeln!(text, "#define KCFAES_VALUE_{name} {value}");
    }
    text
}
