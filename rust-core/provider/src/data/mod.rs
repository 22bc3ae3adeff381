// SPDX-License-Identifier: MIT OR Apache-2.0
//! KCF data as runs: the only place that follows its raw pointers.
//!
//! `crypto_data_t` (raw, uio or mblk) → [`Segments`] → [`Pair`] → [`Run`]. Nothing is copied on the way.

mod io;
mod pair;
mod run;
mod segments;

pub use io::{Data, Flat, Halves, Io};
pub use pair::Pair;
pub use run::{Run, Runs};
pub(crate) use segments::{CUT_UNIT, FEW_PIECES, LEAST_CUTS};
pub use segments::{
    MAX_COMPARED_PIECES, MAX_EMPTY_PIECES, MAX_PIECES, Overlap, Segments, Short, exists,
};
