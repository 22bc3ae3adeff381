// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![no_std]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "std")]
extern crate std;

// The environment, whose functions the linker finds by their names.
extern crate kcfaes_userland as _;

mod batch;
mod error;
mod key;
mod memory;
mod parts;
mod table;
mod text;
#[cfg(feature = "cipher")]
mod traits;

#[cfg(feature = "aead")]
pub use aead;
#[cfg(feature = "cipher")]
pub use cipher;
#[cfg(feature = "digest")]
pub use digest;

pub use self::batch::{CbcJob, GcmOpenJob, GcmSealJob, cbc_encrypt_batch};
pub use self::error::{Error, Result};
pub use self::key::Key;
pub use self::memory::{equal, wipe};
pub use self::parts::{CipherParts, MacParts, OpenParts, SealParts};
pub use self::table::{Table, selftest};
pub use self::text::{Message, Piece, PieceMut, Text};
#[cfg(feature = "cipher")]
pub use self::traits::*;
