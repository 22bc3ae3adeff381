// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM in parts as libkcfaes gives it: every byte that comes in goes out at once, and the AAD may come in parts
//! too. KCF has no such call: its parts wait until a block is full (`Carry`).
//!
//! No byte waits here, because neither half of GCM needs a block as a whole. What the message keeps is what it
//! keeps anyway, with the number of bytes that have come:
//!
//! * The ciphertext of a block that a part ends in is added to `y` as it comes. `y` is multiplied when the next
//!   block begins, or when the tag is made (`waits`): that is how the last block of the AAD waits too.
//! * The counter stays at that block, as it stays at J0 while the AAD's last block waits. Each part of the block
//!   makes the keystream anew, as the kernels do for a block that lies in two pieces. It is one call of the
//!   cipher, and no keystream is kept.

use core::mem::{MaybeUninit, replace, take};

use kcfaes_kernels::{Block, BlockMode};

use super::aead::{Aead, Text as _};
use super::gcm::{Ghash, Text};
use super::tag::padded;
use crate::data::{Io, Pair, Run, Short};
use crate::engine::drive::{drive, yield_to};
use crate::engine::{Call, Step};
use crate::kcf::{Error, Result};
use crate::portable;
use crate::request::{Direction, MAX_HASHED};
use crate::wipe::Secret;

impl Ghash {
    /// The multiplication that `y` has been waiting for.
    fn multiply(&mut self, call: &mut Call<'_>) {
        let hash = Secret(take(&mut self.y));
        call.fpu.held().ghash(&call.key.powers, &mut self.y, &hash.0.0);
    }

    /// Takes more AAD, before the text. The last block of what came before waits in `y`.
    fn more_aad(&mut self, call: &mut Call<'_>, aad: &[u8]) {
        let at = (self.aad_len % 16) as usize;
        let here = if at > 0 { aad.len().min(16 - at) } else { 0 };
        let (head, rest) = aad.split_at_checked(here).unwrap_or((aad, &[]));
        let y = u128::from_le_bytes(self.y.0) ^ u128::from_le_bytes(padded(head)) << (8 * at);
        self.y = Block(y.to_le_bytes());
        if !rest.is_empty() {
            self.multiply(call);
            self.absorb_all_but_last(call, rest);
        }
        self.aad_len = self.aad_len.saturating_add(aad.len() as u64);
    }
}

impl Text {
    /// Transforms `len` bytes, at least one, of one block: from byte `at` of it on.
    #[inline(never)]
    fn transform_within(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        at: usize,
        len: usize,
    ) -> core::result::Result<(), Short> {
        if at == 0 && take(&mut self.waits) {
            self.hash.multiply(call);
            if !replace(&mut self.begun, true) {
                self.ctr = self.hash.j0;
            }
            portable::next_counter(&mut self.ctr.block);
        }
        // The counter may be a secret. So it is not given to CTR's kernel, which looks at it, and no copy of it
        // is left.
        let mut keystream = Secret(self.ctr.block);
        let (mode, schedule) = (BlockMode::EcbEncrypt, &call.key.schedule);
        let mut step = Step::Blocks { mode, schedule, state: None, bits: 0, mac: None };
        step.run(call.fpu.held(), &[Run::in_place(&mut keystream.0.0)], 16, true);
        yield_to(pair, call.fpu);
        let mut text = Secret(Block([0; 16]));
        pair.gather(text.0.0.get_mut(at..at + len).unwrap_or_default())?;
        combine(call.direction, &mut self.hash.y, &keystream.0, &mut text.0, at, len);
        pair.scatter(text.0.0.get(at..at + len).unwrap_or_default())?;
        self.waits = true;
        Ok(())
    }
}

/// GCTR, and the addition of GHASH, for bytes `at..at + len` of a block. Never inlined: a function that calls
/// others would keep the keystream in its frame.
#[inline(never)]
fn combine(
    direction: Direction,
    y: &mut Block,
    keystream: &Block,
    text: &mut Block,
    at: usize,
    len: usize,
) {
    let here = u128::MAX >> (128 - 8 * len) << (8 * at);
    let input = u128::from_le_bytes(text.0);
    let output = input ^ u128::from_le_bytes(keystream.0) & here;
    let ciphertext = if direction == Direction::Encrypt { output } else { input };
    *y = Block((u128::from_le_bytes(y.0) ^ ciphertext).to_le_bytes());
    *text = Block(output.to_le_bytes());
}

impl Aead<Text> {
    /// Takes more AAD, if no text has come.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD`: text has come. `DATA_LEN_RANGE`: more AAD than GCM allows.
    pub(super) fn more_aad(&mut self, call: &mut Call<'_>, aad: &[u8]) -> Result<()> {
        if !self.fresh() {
            return Err(Error::ARGUMENTS_BAD);
        }
        let hash = &mut self.text.hash;
        if hash.aad_len.saturating_add(aad.len() as u64) > MAX_HASHED {
            return Err(Error::DATA_LEN_RANGE);
        }
        hash.more_aad(call, aad);
        Ok(())
    }

    /// Transforms a part, all of its bytes. Returns how many they are.
    ///
    /// # Errors
    /// As [`Operation::update`](super::Operation::update).
    pub(super) fn transform_all(&mut self, call: &mut Call<'_>, io: &Io<'_>) -> Result<usize> {
        let len = io.src.len();
        let come = self.grown(call.direction, len, 0)?;
        let at = (self.come % 16) as usize;
        let mut room = MaybeUninit::uninit();
        let pair = io.pair(len, &mut room)?;
        self.come = come;
        let text = &mut self.text;
        // The end of the block that an earlier part has begun, full blocks, and the beginning of a block.
        let head = if at > 0 { len.min(16 - at) } else { 0 };
        let tail = (len - head) % 16;
        if head > 0 {
            text.transform_within(call, pair, at, head)?;
        }
        drive(call.fpu, pair, len - head - tail, &mut text.step(call.direction, call.key))?;
        if tail > 0 {
            text.transform_within(call, pair, 0, tail)?;
        }
        Ok(len)
    }
}
