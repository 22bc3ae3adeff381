// SPDX-License-Identifier: MIT OR Apache-2.0
//! CMAC, SP 800-38B, with a MAC of 16 bytes.

use kcfaes_kernels::{Block, BlockMode};

use crate::data::{Pair, Short};
use crate::engine::drive::Carry;
use crate::engine::{Call, Pace, Step};
use crate::wipe::Secret;

/// State between the parts of a message.
pub(super) struct Cmac {
    mac: Block,
    /// The last 1..=16 bytes of the message so far. They wait because the message's last block takes a
    /// subkey.
    carry: Carry,
}

impl Cmac {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { mac: Block([0; 16]), carry: Carry::new() }
    }

    /// Absorbs the message, or a part.
    pub(super) fn update(&mut self, call: &mut Call<'_>, pair: &mut Pair<'_>) -> Result<(), Short> {
        let (schedule, mac) = (&call.key.schedule, Some(&mut self.mac));
        let mode = BlockMode::CbcMac;
        let mut step = Step::Blocks { mode, schedule, state: None, bits: 0, mac };
        self.carry.pump(1, call.fpu, pair, &mut step)
    }

    /// The MAC (section 6.2 steps 3 to 6).
    pub(super) fn tag(&mut self, call: &mut Call<'_>) -> &Block {
        // Any hold has room for two blocks.
        let (hold, _) = call.fpu.hold(Pace::Serial, 32);
        let mut secret = Secret(Block([0; 16]));
        let subkey = &mut secret.0;
        hold.add_encrypted(&call.key.schedule, Block([0; 16]), subkey);
        double(subkey);
        if self.carry.len() < 16 {
            double(subkey);
            self.carry.push(&[0x80]);
        }
        for (to, from) in subkey.0.iter_mut().zip(self.carry.bytes()) {
            *to ^= *from;
        }
        hold.cbc_mac(&call.key.schedule, &mut self.mac, &subkey.0);
        &self.mac
    }
}

/// Times x in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, without a branch on the bit that leaves
/// (section 6.1 steps 2 and 3).
fn double(block: &mut Block) {
    let value = u128::from_be_bytes(block.0);
    block.0 = (value << 1 ^ (value >> 127).wrapping_neg() & 0x87).to_be_bytes();
}
