// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entry points of every table that this CPU has. They are tested against published known answers,
//! against two other implementations and the standards' own bit-by-bit definitions, and against the
//! contract of a function that a kernel may call inside an FPU hold.
//!
//! A machine that lacks a table's features prints the table's name. Without the features of `aesni` nothing
//! passes.
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
