// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM, SP 800-38D section 7.
//!
//! A decryption in parts either streams or buffers; its first part decides which. Streaming takes constant
//! memory, and holds back the bytes that may be the tag. Buffering releases nothing before the tag is right.

use core::mem::take;

use kcfaes_kernels::{Block, CounterBlock, Tag};

use super::aead::{self, Whole, take_back_text};
use super::tag::{before_last_block, padded};
use crate::data::{Pair, Run, Short};
use crate::engine::drive::drive;
use crate::engine::{Call, Hold, Pace, Step};
use crate::kcf::Error;
use crate::key::Key;
use crate::request::Direction;
use crate::wipe::Secret;

/// Longest text in bytes: 2^32 - 2 blocks (SP 800-38D section 5.2.1.1).
pub const MAX_TEXT: u64 = ((1 << 32) - 2) * 16;

/// A counter block that is not set yet.
const ZERO: CounterBlock = CounterBlock { block: Block([0; 16]), secret: false };

/// J0 and the hash of SP 800-38D section 7.1, steps 2 to 6.
pub(super) struct Ghash {
    pub(super) j0: CounterBlock,
    pub(super) y: Block,
    pub(super) aad_len: u64,
}

impl Ghash {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { j0: ZERO, y: Block([0; 16]), aad_len: 0 }
    }

    /// Step 2 for an IV of 12 bytes.
    #[inline(always)]
    fn set_j0(&mut self, iv: &[u8; 12]) {
        let [a, b, c, d, e, f, g, h, low @ ..] = *iv;
        let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let low = u64::from(u32::from_be_bytes(low)) << 32 | 1;
        self.j0.block = Block((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
    }

    /// Step 2: J0 of an IV.
    #[inline(always)]
    pub(super) fn begin_iv(&mut self, call: &mut Call<'_>, iv: &[u8]) {
        match iv.try_into() {
            Ok(iv) => self.set_j0(iv),
            Err(_) => self.hash_iv(call, iv),
        }
    }

    /// Steps 2 and 5 before a text: takes the IV and the AAD.
    #[inline(always)]
    pub(super) fn begin_text(&mut self, call: &mut Call<'_>, iv: &[u8], aad: &[u8]) {
        self.begin_iv(call, iv);
        self.aad_len = aad.len() as u64;
        match aad.len() {
            0..=16 => self.y = Block(padded(aad)),
            _ => self.absorb_all_but_last(call, aad),
        }
    }

    /// [`begin_text`](Self::begin_text) in a hold that is enough.
    #[inline(always)]
    pub(super) fn begin_in(&mut self, hold: Hold<'_>, key: &Key, iv: &[u8], aad: &[u8]) {
        match iv.try_into() {
            Ok(iv) => self.set_j0(iv),
            Err(_) => self.hash_iv_in(hold, key, iv),
        }
        self.aad_len = aad.len() as u64;
        if aad.len() <= 16 {
            self.y = Block(padded(aad));
        } else {
            self.absorb_in(hold, key, aad);
        }
    }

    /// Step 5 for the AAD, without the last multiplication, in a hold that is enough.
    #[inline(never)]
    fn absorb_in(&mut self, hold: Hold<'_>, key: &Key, aad: &[u8]) {
        let (blocks, last) = before_last_block(aad);
        hold.ghash(&key.powers, &mut self.y, blocks);
        self.add(last);
    }

    /// Adds a block, which may be partial, without a multiplication.
    #[inline(never)]
    fn add(&mut self, block: &[u8]) {
        let y = u128::from_le_bytes(self.y.0) ^ u128::from_le_bytes(padded(block));
        self.y = Block(y.to_le_bytes());
    }

    /// What the direct path adds to the cost of a text for an IV.
    #[inline(always)]
    pub(super) fn cost_of_iv(iv: &[u8]) -> usize {
        if iv.len() == 12 { 0 } else { iv.len().saturating_add(16) }
    }

    #[inline(never)]
    fn hash_iv(&mut self, call: &mut Call<'_>, iv: &[u8]) {
        let (blocks, last) = before_last_block(iv);
        self.absorb(call, blocks);
        let (hold, _) = call.fpu.hold(Pace::Parallel, 32);
        self.end_iv(hold, call.key, last, iv.len());
    }

    /// The same, in a hold that is enough.
    #[inline(never)]
    fn hash_iv_in(&mut self, hold: Hold<'_>, key: &Key, iv: &[u8]) {
        let (blocks, last) = before_last_block(iv);
        if !blocks.is_empty() {
            hold.ghash(&key.powers, &mut self.y, blocks);
        }
        self.end_iv(hold, key, last, iv.len());
    }

    /// The last block of an IV of `len` bytes and its length, which take one call of a kernel together.
    #[inline(always)]
    fn end_iv(&mut self, hold: Hold<'_>, key: &Key, last: &[u8], len: usize) {
        let bits = (len as u128) << 3;
        let end = [padded(last), bits.to_be_bytes()];
        hold.ghash(&key.powers, &mut self.y, end.as_flattened());
        self.j0 = CounterBlock { block: self.y, secret: true };
        self.y = Block([0; 16]);
    }

    /// Step 5 for data that is only hashed. A partial block is zero-padded.
    #[inline(never)]
    pub(super) fn absorb(&mut self, call: &mut Call<'_>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (hold, granted) = call.fpu.hold(Pace::Parallel, bytes.len());
            let (now, later) = bytes.split_at_checked(granted).unwrap_or((bytes, &[]));
            hold.ghash(&call.key.powers, &mut self.y, now);
            bytes = later;
        }
    }

    /// Step 5 for the AAD, without the last multiplication.
    #[inline(never)]
    pub(super) fn absorb_all_but_last(&mut self, call: &mut Call<'_>, aad: &[u8]) {
        let (blocks, last) = before_last_block(aad);
        self.absorb(call, blocks);
        self.add(last);
    }

    /// Steps 3 to 6 for a whole text in one run that costs a hold `cost` units. Returns the tag in full.
    #[inline(always)]
    pub(super) fn transform_held(
        &mut self,
        call: &mut Call<'_>,
        run: Run<'_>,
        cost: usize,
    ) -> &Block {
        let Call { direction, key, fpu } = call;
        self.transform_run(fpu.hold_all(cost), *direction, key, run);
        &self.y
    }

    /// Steps 5 and 6: the hash becomes the tag, in full. If a block `waits`, it is multiplied first.
    pub(super) fn make_tag(
        &mut self,
        hold: Hold<'_>,
        key: &Key,
        text_len: u64,
        waits: bool,
    ) -> &Block {
        let Self { j0, y, aad_len } = self;
        let end = Some(&Tag { j0: &j0.block, aad_len: *aad_len, text_len });
        hold.gcm(Direction::Encrypt, key, &mut { ZERO }, y, &[], 0, waits, end);
        y
    }
}

/// GCTR of the text, and the hash.
pub(super) struct Text {
    pub(super) hash: Ghash,
    /// The next counter block; or the one before, if a block `waits`.
    pub(super) ctr: CounterBlock,
    /// Whether `ctr` is set. Before any text, J0 is the counter block before.
    pub(super) begun: bool,
    /// The last block of the AAD, or of a text whose parts may end within a block, is added to the hash, and the
    /// next kernel must multiply it.
    pub(super) waits: bool,
}

impl Text {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { hash: Ghash::new(), ctr: ZERO, begun: false, waits: true }
    }

    /// Steps 3 and 5 for runs of text. If they are the `end` of a text, of that many bytes, also step 6.
    #[inline(always)]
    fn runs<'a>(&'a mut self, direction: Direction, key: &'a Key, end: Option<u64>) -> Step<'a> {
        let Self { hash: Ghash { j0, y, aad_len }, ctr, begun, waits } = self;
        let tag = end.map(|text_len| Tag { j0: &j0.block, aad_len: *aad_len, text_len });
        Step::Gcm { direction, key, j0, ctr, begun, y, waits, tag }
    }
}

impl aead::Text for Text {
    const EXACT: bool = false;

    #[inline(always)]
    fn begin(&mut self, call: &mut Call<'_>, iv: &[u8], aad: &[u8], _: usize) {
        self.hash.begin_text(call, iv, aad);
    }

    #[inline(always)]
    fn step<'a>(&'a mut self, direction: Direction, key: &'a Key) -> Step<'a> {
        self.runs(direction, key, None)
    }

    /// One call of a kernel, if the text is in one piece and fits into one hold.
    #[inline(always)]
    fn transform_whole(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
    ) -> core::result::Result<&Block, Short> {
        if !self.begun && pair.contiguous() >= len && len <= call.fpu.most(Pace::Parallel) {
            Ok(self.hash.transform_held(call, pair.run(len), len))
        } else {
            self.end(call, pair, len, len as u64)
        }
    }

    #[inline(never)]
    fn end(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
        text_len: u64,
    ) -> core::result::Result<&Block, Short> {
        let mut step = self.runs(call.direction, call.key, Some(text_len));
        drive(call.fpu, pair, len, &mut step)?;
        // No kernel had the last run, because the text ended before.
        if let Step::Gcm { tag: Some(_), .. } = step {
            self.hash.make_tag(call.fpu.held(), call.key, text_len, take(&mut self.waits));
        }
        Ok(&self.hash.y)
    }

    #[inline(always)]
    fn rewind(&mut self) {
        (self.begun, self.waits) = (false, true);
    }

    fn tag(&self) -> &Block {
        &self.hash.y
    }

    #[inline(always)]
    fn most(&self) -> u64 {
        MAX_TEXT
    }

    #[inline(always)]
    fn wrong_length(_: Direction) -> Error {
        Error::DATA_LEN_RANGE
    }
}

impl Whole for Ghash {
    #[inline(always)]
    fn begin(&mut self, hold: Hold<'_>, key: &Key, iv: &[u8], aad: &[u8], _: usize) {
        self.begin_in(hold, key, iv, aad);
    }

    /// Steps 3 to 6.
    #[inline(always)]
    fn transform_run(&mut self, hold: Hold<'_>, direction: Direction, key: &Key, run: Run<'_>) {
        let Self { j0, y, aad_len } = self;
        hold.gcm_whole(direction, key, j0, y, *aad_len, run);
    }

    #[inline(always)]
    fn tag(&self) -> &[u8; 16] {
        &self.y.0
    }

    /// Only now the message gets the state of a text.
    fn take_back_run(&mut self, call: &mut Call<'_>, run: Run<'_>) {
        let mut text = Secret(Text::new());
        text.0.hash.j0 = self.j0;
        take_back_text(&mut text.0, call, run.into(), run.len());
    }
}
