// SPDX-License-Identifier: MIT OR Apache-2.0
//! ECB, SP 800-38A section 6.1.

use kcfaes_kernels::BlockMode;

use crate::data::{Pair, Short};
use crate::engine::drive::Carry;
use crate::engine::{Call, Step};
use crate::key::Key;
use crate::request::Direction;

/// State between the parts of a message.
pub(super) struct Ecb {
    pub(super) carry: Carry,
}

impl Ecb {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { carry: Carry::new() }
    }

    /// Transforms every complete block.
    pub(super) fn update(&mut self, call: &mut Call<'_>, pair: &mut Pair<'_>) -> Result<(), Short> {
        let mut step = Self::step(call.direction, call.key);
        self.carry.pump(0, call.fpu, pair, &mut step)
    }

    /// The step for full blocks.
    #[inline(always)]
    pub(super) fn step(direction: Direction, key: &Key) -> Step<'_> {
        let (mode, schedule) = (Self::mode(direction), &key.schedule);
        Step::Blocks { mode, schedule, state: None, bits: 0, mac: None }
    }

    #[inline(always)]
    pub(super) fn mode(direction: Direction) -> BlockMode {
        match direction {
            Direction::Encrypt => BlockMode::EcbEncrypt,
            Direction::Decrypt => BlockMode::EcbDecrypt,
        }
    }
}
