// SPDX-License-Identifier: MIT OR Apache-2.0
//! The provider room: AES mechanisms of the illumos Kernel Cryptographic Framework.
//!
//! From the bottom up: [`kcf`] has the framework's structures and numbers; [`mod@env`] is what the room asks
//! of its system, [`wipe`] erases; [`key`] is what is computed once for a key; [`request`] checks mechanism,
//! key and parameter; [`data`] turns raw, uio and mblk into runs; [`portable`] is the table that every
//! CPU runs; [`engine`] chooses the table and takes the FPU, for a bounded time; [`mode`] gives the runs
//! their meaning; [`selftest`] and [`stats`] test and count. No module uses one above it:
//! `cargo xtask layers` checks that.
//!
//! In the kernel object this room has no vector register, no panic and no indirect branch.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "raw pointers of KCF data become runs here")]
pub mod data;
#[allow(unsafe_code, reason = "the kernels are called here, and holds taken")]
pub mod engine;
#[allow(unsafe_code, reason = "what the environment answers")]
pub mod env;
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
#[allow(unsafe_code, reason = "erasing memory")]
pub mod wipe;
