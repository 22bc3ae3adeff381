// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every function of a mode needs to transform or to hash bytes.

use super::fpu::Fpu;
use crate::key::Key;
use crate::request::Direction;

/// One call of an entry point, once its arguments are found right.
pub struct Call<'a> {
    /// Encryption or decryption.
    pub direction: Direction,
    /// The key, which is set.
    pub key: &'a Key,
    /// The FPU for the length of the call.
    pub fpu: &'a mut Fpu,
}
