// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every function of a mode needs to transform or to hash bytes.

use super::fpu::Fpu;
use crate::key::Key;
use crate::request::Direction;

/// One call of an entry point, once its arguments are found right.
pub(crate) struct Call<'a> {
    pub(crate) direction: Direction,
    pub(crate) key: &'a Key,
    pub(crate) fpu: &'a mut Fpu,
}
