// SPDX-License-Identifier: MIT OR Apache-2.0
//! CMAC, SP 800-38B, with a MAC of 16 bytes.

use kcfaes_kernels::{Block, BlockMode};

use super::tag::{before_last_block, padded};
use crate::data::{Pair, Short};
use crate::engine::drive::Carry;
use crate::engine::{Call, Hold, Pace, Step};
use crate::key::Key;
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

    /// The MAC.
    pub(super) fn tag(&mut self, call: &mut Call<'_>) -> &Block {
        // Any hold has room for two blocks.
        let (hold, _) = call.fpu.hold(Pace::Serial, 32);
        absorb_last(hold, call.key, &mut self.mac, self.carry.bytes());
        &self.mac
    }
}

/// The MAC of a whole message, for which one hold is enough. It is made in `mac`, which is zero.
#[inline(always)]
pub(super) fn mac_of(hold: Hold<'_>, key: &Key, message: &[u8], mac: &mut Block) {
    let (blocks, last) = before_last_block(message);
    if !blocks.is_empty() {
        hold.cbc_mac(&key.schedule, mac, blocks);
    }
    absorb_last(hold, key, mac, last);
}

/// Absorbs the last block of a message, of at most 16 bytes (section 6.2 steps 3 to 6). Its subkey comes from
/// E(K, 0), which is H if the key has powers of H.
#[inline(never)]
fn absorb_last(hold: Hold<'_>, key: &Key, mac: &mut Block, last: &[u8]) {
    let mut secret = Secret(key.powers.h);
    let block = &mut secret.0;
    if key.powers.set == 0 {
        hold.add_encrypted(&key.schedule, Block([0; 16]), block);
    }
    let mut subkey = double(u128::from_be_bytes(block.0));
    let mut message = u128::from_be_bytes(padded(last));
    if last.len() < 16 {
        subkey = double(subkey);
        message |= 0x80 << 120 >> (8 * last.len());
    }
    block.0 = (subkey ^ message).to_be_bytes();
    hold.cbc_mac(&key.schedule, mac, &block.0);
}

/// Times x in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, without a branch on the bit that leaves
/// (section 6.1 steps 2 and 3).
fn double(value: u128) -> u128 {
    value << 1 ^ (value >> 127).wrapping_neg() & 0x87
}
