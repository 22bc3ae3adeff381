// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC, SP 800-38A section 6.2. No padding: KCF leaves that to its consumers.

use kcfaes_kernels::{Block, BlockMode};

use crate::data::{Pair, Short};
use crate::engine::drive::Carry;
use crate::engine::{Call, Step};
use crate::key::Key;
use crate::request::Direction;

/// State between the parts of a message.
pub(super) struct Cbc {
    /// The IV, later the last ciphertext block.
    pub(super) iv: Block,
    pub(super) carry: Carry,
}

impl Cbc {
    #[inline(always)]
    pub(super) const fn new(iv: Block) -> Self {
        Self { iv, carry: Carry::new() }
    }

    /// Transforms every complete block. An IV that comes with the input replaces the chain, as IPsec wants
    /// it.
    pub(super) fn update(
        &mut self,
        call: &mut Call<'_>,
        iv: Option<[u8; 16]>,
        pair: &mut Pair<'_>,
    ) -> Result<(), Short> {
        // Without one the chain continues.
        if let Some(iv) = iv {
            self.iv = Block(iv);
        }
        let Self { iv, carry } = self;
        carry.pump(0, call.fpu, pair, &mut step(iv, call.direction, call.key))
    }
}

/// The step for full blocks, which advances the chain.
#[inline(always)]
pub(super) fn step<'a>(iv: &'a mut Block, direction: Direction, key: &'a Key) -> Step<'a> {
    let (mode, schedule) = (mode(direction), &key.schedule);
    Step::Blocks { mode, schedule, state: Some(iv), bits: 0, mac: None }
}

#[inline(always)]
pub(super) fn mode(direction: Direction) -> BlockMode {
    match direction {
        Direction::Encrypt => BlockMode::CbcEncrypt,
        Direction::Decrypt => BlockMode::CbcDecrypt,
    }
}
