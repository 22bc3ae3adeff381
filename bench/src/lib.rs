// SPDX-License-Identifier: MIT OR Apache-2.0
//! What kcfaes costs: its kernels and its ops vector are compared with the processor's own limit and
//! with other libraries, in one interleaved run.
//!
//! Every [`contender`] does the same [`message`] through the same form of call. Its output is checked
//! before anything is timed. The [`clock`] counts core cycles, not ticks of the TSC. The [`limit`]
//! comes from instructions measured in the same rounds. [`compare`] interleaves them and keeps every
//! sample. [`verdict`] compares ours with the others. [`report`] and [`chart`] show the result.
//!
//! Figures of one run may be compared with each other, and with nothing else.

pub mod bars;
pub mod chart;
pub mod clock;
pub mod compare;
pub mod contender;
mod env;
pub mod limit;
pub mod machine;
pub mod message;
pub mod report;
pub mod verdict;
