// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of kernels, and the self-test.

use core::ffi::CStr;

use kcfaes_capi::api::{
    kcfaes_cpu_features, kcfaes_selftest, kcfaes_table, kcfaes_table_force, kcfaes_table_name,
};

use crate::error::{Result, checked};

/// A set of kernels for one kind of CPU. Each call takes the best that the CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Table {
    /// Integers only, on every CPU.
    Portable,
    /// AES-NI and PCLMULQDQ.
    AesNi,
    /// VAES and VPCLMULQDQ on 256 bits.
    Vaes256,
    /// VAES and VPCLMULQDQ on 512 bits.
    Vaes512,
}

impl Table {
    /// Every table, the slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::AesNi, Self::Vaes256, Self::Vaes512];

    const fn c_name(self) -> &'static CStr {
        match self {
            Self::Portable => c"portable",
            Self::AesNi => c"aesni",
            Self::Vaes256 => c"vaes256",
            Self::Vaes512 => c"vaes512",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.c_name().to_str().unwrap_or_default()
    }

    /// The table that a call would use now.
    pub fn current() -> Self {
        // SAFETY: never NULL, and a constant string.
        let name = unsafe { CStr::from_ptr(kcfaes_table_name()) };
        Self::ALL.into_iter().find(|table| table.c_name() == name).unwrap_or(Self::Portable)
    }

    /// Whether this CPU has it.
    pub fn is_here(self) -> bool {
        let nothing = kcfaes_table { name: core::ptr::null(), here: 0, why_not: core::ptr::null() };
        let mut tables = [nothing; Self::ALL.len()];
        // SAFETY: there is room for as many tables.
        unsafe { kcfaes_cpu_features(tables.as_mut_ptr(), tables.len()) };
        tables.iter().any(|table| {
            // SAFETY: a constant string, unless NULL.
            !table.name.is_null()
                && unsafe { CStr::from_ptr(table.name) } == self.c_name()
                && table.here != 0
        })
    }

    /// Makes later calls of the whole process use this table: for tests and comparisons. Messages in work may go
    /// on with another table.
    ///
    /// # Errors
    /// [`NotSupported`](crate::Error::NotSupported): this CPU lacks it.
    pub fn force(self) -> Result<()> {
        // SAFETY: a constant string.
        checked(unsafe { kcfaes_table_force(self.c_name().as_ptr()) })
    }

    /// Ends what [`force`](Self::force) began.
    pub fn release() {
        // SAFETY: NULL is allowed, and that call cannot fail.
        let _ = unsafe { kcfaes_table_force(core::ptr::null()) };
    }
}

/// Known answers of every mode and key size on every table that this CPU has, in one to two milliseconds.
///
/// # Errors
/// [`SelfTestFailed`](crate::Error::SelfTestFailed), [`NoMemory`](crate::Error::NoMemory).
pub fn selftest() -> Result<()> {
    // SAFETY: NULL is allowed.
    checked(unsafe { kcfaes_selftest(core::ptr::null_mut()) })
}
