// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets share. [`wire`] turns bytes into calls, and calls into the corpus. [`memory`]
//! is the memory of one call, in pieces, and what it must become.

pub mod memory;
pub mod wire;
