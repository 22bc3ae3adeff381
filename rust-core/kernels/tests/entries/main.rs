// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entry points of every table of this CPU: against published known answers, against two other
//! implementations and the standards' own bit-by-bit definitions, and against the contract of a
//! function that may be called inside an FPU hold of a kernel.
//!
//! A machine without a table's features names the table; without those of `aesni` nothing passes.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "every call is the contract under test")]

mod answers;
mod ccm;
mod counters;
mod lengths;
mod memory;
mod pieces;
mod products;
mod reference;
mod table;
mod traces;

const KEY_SIZES: [usize; 3] = [16, 24, 32];
