// SPDX-License-Identifier: MIT OR Apache-2.0
//! RustCrypto's traits, by the calls of [`Key`](crate::Key).

#[cfg(feature = "aead")]
mod aead;
mod aes;
pub mod cbc;
#[cfg(feature = "digest")]
mod cmac;
mod ctr;

#[cfg(feature = "aead")]
pub use self::aead::*;
pub use self::aes::*;
#[cfg(feature = "digest")]
pub use self::cmac::*;
pub use self::ctr::*;
