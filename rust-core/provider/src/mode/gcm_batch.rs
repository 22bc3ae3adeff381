// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM of many messages with one key, for which KCF has no call. The messages share a choice of table, holds
//! and one wiping. Each is independent of the others, so the processor begins one while the one before waits.

use super::aead::{Text as _, take_back_text};
use super::gcm::Text;
use super::tag::same_tag;
use crate::data::{Pair, Run};
use crate::engine::{Call, Fpu, Pace, RUN_COST};
use crate::kcf::Result;
use crate::key::Key;
use crate::request::Direction;
use crate::wipe::wipe;

/// A message whose lengths GCM allows.
pub struct GcmMessage<'a> {
    /// The IV, not empty.
    pub iv: &'a [u8],
    /// The additional data.
    pub aad: &'a [u8],
    /// The text.
    pub run: Run<'a>,
}

/// Messages of one key, one after the other.
pub struct GcmBatch<'a> {
    key: &'a Key,
    fpu: &'a mut Fpu,
    text: Text,
}

impl<'a> GcmBatch<'a> {
    /// No message yet.
    pub fn new(key: &'a Key, fpu: &'a mut Fpu) -> Self {
        Self { key, fpu, text: Text::new() }
    }

    /// Encrypts a message. Returns the tag in full.
    pub fn seal(&mut self, message: GcmMessage<'_>) -> &[u8; 16] {
        self.transform(Direction::Encrypt, message);
        &self.text.tag().0
    }

    /// Decrypts a message, and compares the `len` bytes of its tag, zeros after it. What a forged message
    /// leaves: see `take_back_text`.
    ///
    /// # Errors
    /// `INVALID_MAC`
    pub fn open(&mut self, message: GcmMessage<'_>, tag: &[u8; 16], len: usize) -> Result<()> {
        let run = message.run;
        self.transform(Direction::Decrypt, message);
        let Self { key, fpu, text } = self;
        same_tag(&text.tag().0, tag, len).inspect_err(|_| {
            let call = &mut Call { direction: Direction::Decrypt, key, fpu };
            take_back_text(text, call, run.into(), run.len());
        })
    }

    /// The tag is then in `text`.
    #[inline(always)]
    fn transform(&mut self, direction: Direction, message: GcmMessage<'_>) {
        let Self { key, fpu, text } = self;
        let GcmMessage { iv, aad, run } = message;
        let len = run.len();
        let call = &mut Call { direction, key, fpu };
        *text = Text::new();
        text.hash.begin_text(call, iv, aad);
        if len <= call.fpu.most(Pace::Parallel) {
            text.hash.transform_held(call, run, len.max(RUN_COST));
        } else {
            // A run has all of its bytes.
            _ = text.end(call, &mut Pair::from(run), len, len as u64);
        }
    }
}

impl Drop for GcmBatch<'_> {
    fn drop(&mut self) {
        wipe(&mut self.text);
    }
}
