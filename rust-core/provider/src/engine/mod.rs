// SPDX-License-Identifier: MIT OR Apache-2.0
//! The engine: which kernels run, when the FPU is ours, and for how long.

mod buffer;
mod call;
pub(crate) mod drive;
mod fpu;
mod kernel;
mod material;
mod select;
mod step;

pub(crate) use buffer::Buffer;
pub use call::Call;
pub use fpu::{Fpu, HOLD_BYTES, Hold, LEAST_HOLD, MOST_HOLD, Pace, set_hold_bytes};
pub(crate) use fpu::{Once, RUN_COST, most_at_once};
pub use kernel::Chain;
pub use material::Material;
pub use select::{LIGHT_BYTES, Table, TableId, force, probe, select, select_for, set_light_bytes};
pub(crate) use step::{Step, to_wrap};
