// SPDX-License-Identifier: MIT OR Apache-2.0
//! The provider room: AES mechanisms of the illumos Kernel Cryptographic Framework.
//!
//! In the order of the data's way: [`request`] checks mechanism, key and parameter; [`key`] holds
//! what is computed once per key; [`data`] turns raw, uio and mblk into runs; [`engine`] chooses the
//! table and takes the FPU, for a bounded time; [`mode`] gives the runs their meaning; [`portable`]
//! is the table that runs anywhere. Nothing points back.
//!
//! In the kernel object this room has no vector register, no panic and no indirect branch.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "raw pointers of KCF data become runs here")]
pub mod data;
#[allow(unsafe_code, reason = "the environment, the kernels and erasing memory")]
pub mod engine;
pub mod kcf;
pub mod key;
pub mod mode;
pub mod portable;
#[allow(unsafe_code, reason = "raw mechanisms and keys become values here")]
pub mod request;
pub mod selftest;
#[allow(unsafe_code, reason = "counters that the environment keeps")]
pub mod stats;
pub mod watch;
