// SPDX-License-Identifier: MIT OR Apache-2.0
//! CTR, SP 800-38A section 6.5, with the standard incrementing function of its appendix B.1 on the low `bits`
//! bits of the counter block. The keystream is continuous across parts of any length. As in the reference, a
//! counter that wraps within its bits is not an error.

use kcfaes_kernels::{Block, BlockMode};

use crate::data::{Pair, Short};
use crate::engine::drive::drive;
use crate::engine::{Call, Step, to_wrap};
use crate::key::Key;

/// State between the parts of a message.
pub(super) struct Ctr {
    /// The next counter block.
    pub(super) counter: Block,
    bits: u32,
    /// The last keystream block. Its bytes from `used` on are unused; 16 means none.
    keystream: Block,
    used: usize,
}

impl Ctr {
    #[inline(always)]
    pub(super) const fn new(bits: u32, cb: Block) -> Self {
        Self { counter: cb, bits, keystream: Block([0; 16]), used: 16 }
    }

    /// Adds the keystream to all `len` bytes. A whole message may end with a partial block. In a part the
    /// unused bytes of the last keystream block are kept.
    pub(super) fn update(
        &mut self,
        call: &mut Call<'_>,
        pair: &mut Pair<'_>,
        len: usize,
        whole: bool,
    ) -> Result<(), Short> {
        let left = len - self.use_keystream(pair, len);
        let bulk = if whole { left } else { left & !15 };
        let mut step = step(&mut self.counter, self.bits, call.key);
        drive(call.fpu, pair, bulk, &mut step)?;
        if bulk < left {
            self.keystream = Block([0; 16]);
            let mut block = Pair::in_place(&mut self.keystream.0);
            drive(call.fpu, &mut block, 16, &mut step)?;
            self.used = 0;
            call.fpu.end();
            if self.use_keystream(pair, left - bulk) < left - bulk {
                return Err(Short);
            }
        }
        Ok(())
    }

    /// The counter for a part of `len` bytes, if no keystream is left over and the counter does not wrap.
    #[inline(always)]
    pub(super) fn part(&mut self, len: usize) -> Option<&mut Block> {
        // Strictly: the counter after the part must not have wrapped either.
        let fits = len < to_wrap(&self.counter, self.bits).saturating_sub(15);
        (self.used == 16 && fits).then_some(&mut self.counter)
    }

    /// Adds the unused bytes of the last keystream block to at most `len` bytes. Returns how many.
    fn use_keystream(&mut self, pair: &mut Pair<'_>, len: usize) -> usize {
        let mut done = 0;
        while let Some(rest @ [_, ..]) = self.keystream.0.get(self.used..) {
            let run = pair.run(rest.len().min(len - done));
            // Either all of `len` is done, or the list has become shorter.
            if run.is_empty() {
                break;
            }
            run.xor(rest);
            self.used += run.len();
            done += run.len();
        }
        done
    }
}

#[inline(always)]
fn step<'a>(counter: &'a mut Block, bits: u32, key: &'a Key) -> Step<'a> {
    let (schedule, state) = (&key.schedule, Some(counter));
    Step::Blocks { mode: BlockMode::Ctr, schedule, state, bits, mac: None }
}
