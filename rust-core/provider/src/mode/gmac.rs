// SPDX-License-Identifier: MIT OR Apache-2.0
//! GMAC, SP 800-38D section 3: GCM of a message that is only additional authenticated data. This data is the
//! parameter's AAD followed by the message, in any parts.

use kcfaes_kernels::Block;

use super::gcm::Ghash;
use super::tag::same_tag;
use crate::data::Pair;
use crate::engine::drive::Carry;
use crate::engine::{Call, Hold, Pace, Step};
use crate::kcf::{Error, Result};
use crate::key::Key;
use crate::request::{Direction, MAX_HASHED};
use crate::wipe::wipe;

/// State between the parts of a message.
pub(super) struct Gmac {
    hash: Ghash,
    /// A partial block and, when verifying, the last 16 bytes seen: they may be the tag.
    carry: Carry,
    keep: usize,
    /// Bytes of the message, without the parameter's AAD.
    message_len: u64,
}

impl Gmac {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { hash: Ghash::new(), carry: Carry::new(), keep: 0, message_len: 0 }
    }

    /// Begins a message with the parameter's AAD.
    pub(super) fn begin(&mut self, call: &mut Call<'_>, iv: &[u8], aad: &[u8]) {
        self.keep = match call.direction {
            Direction::Encrypt => 0,
            Direction::Decrypt => 16,
        };
        self.hash.begin_iv(call, iv);
        let full = aad.len() & !15;
        let (blocks, tail) = aad.split_at_checked(full).unwrap_or((aad, &[]));
        self.hash.absorb(call, blocks);
        self.carry.push(tail);
        self.hash.aad_len = aad.len() as u64;
    }

    /// Whether, with `more` bytes, all of the tag to verify has come.
    ///
    /// # Errors
    /// `ENCRYPTED_DATA_LEN_RANGE`
    pub(super) fn check_tag_has_come(&self, more: usize) -> Result<()> {
        match self.message_len.saturating_add(more as u64) {
            0..16 => Err(Error::ENCRYPTED_DATA_LEN_RANGE),
            _ => Ok(()),
        }
    }

    /// Absorbs the message, or a part.
    pub(super) fn update(&mut self, call: &mut Call<'_>, pair: &mut Pair<'_>) -> Result<()> {
        let len = pair.src().left() as u64;
        let total = self.hash.aad_len.checked_add(len);
        let total = total.filter(|&n| n <= MAX_HASHED).ok_or(Error::DATA_LEN_RANGE)?;
        let mut step = Step::Ghash { powers: &call.key.powers, y: &mut self.hash.y };
        self.carry.pump(self.keep, call.fpu, pair, &mut step)?;
        self.hash.aad_len = total;
        self.message_len = self.message_len.saturating_add(len);
        Ok(())
    }

    /// The tag.
    pub(super) fn tag(&mut self, call: &mut Call<'_>) -> &Block {
        // Any hold has room for the waiting bytes, a block at most.
        let (hold, _) = call.fpu.hold(Pace::Parallel, 16);
        hold.ghash(&call.key.powers, &mut self.hash.y, self.carry.bytes());
        self.hash.make_tag(call.fpu.held(), call.key, 0, false)
    }

    /// Writes the tag of a whole message of at least one byte, for which one hold is enough.
    #[inline(always)]
    pub(super) fn tag_of(hold: Hold<'_>, key: &Key, iv: &[u8], message: &[u8], tag: &mut Block) {
        let mut hash = Ghash::new();
        hash.begin_in(hold, key, iv, message);
        *tag = *hash.make_tag(hold, key, 0, true);
        wipe(&mut hash);
    }

    /// Verifies the last 16 bytes of the message as the tag of those before.
    pub(super) fn verify(&mut self, call: &mut Call<'_>) -> Result<()> {
        self.check_tag_has_come(0)?;
        let received = self.carry.pop(16).ok_or(Error::ENCRYPTED_DATA_LEN_RANGE)?;
        self.hash.aad_len = self.hash.aad_len.saturating_sub(16);
        let tag = self.tag(call);
        same_tag(&tag.0, &received, 16)
    }
}
