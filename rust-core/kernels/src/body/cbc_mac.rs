// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC-MAC, the chain of CCM (SP 800-38C section 6.1, steps 2 to 4) and of CMAC (SP 800-38B section 6.2): CBC
//! with an unpublished ciphertext. As in CBC, the xor with the next block and the first round key is folded
//! into the last round key. So only the rounds' latency remains.

use super::RoundKeys;
use crate::lanes::{Lanes, Xmm};
use crate::{Block, Schedule};

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn absorb(
    schedule: *const Schedule,
    mac: *mut Block,
    mut src: *const u8,
    mut len: usize,
) {
    // SAFETY: the caller's promise; each lap reads the block after the one it absorbs, while there
    // is one.
    unsafe {
        let keys = RoundKeys::<true>::new(schedule);
        let (first, last) = (keys.key::<Xmm>(0), keys.last::<Xmm>());
        // In halves: callers write the MAC's beginning and the blocks that they make in words.
        let mut x = [Xmm::load_halves(mac.cast())];
        if len >= 16 {
            x = [x[0].xor(first).xor(Xmm::load_halves(src))];
            loop {
                keys.rounds_from(&mut x, 1);
                src = src.add(16);
                len -= 16;
                if len < 16 {
                    break;
                }
                x = [x[0].last_round::<true>(last.xor(first.xor(Xmm::load_halves(src))))];
            }
            x = [x[0].last_round::<true>(last)];
        }
        if len > 0 {
            x = [x[0].xor(Xmm::load_before(src, len))];
            keys.all_but_last(&mut x);
            x = [x[0].last_round::<true>(last)];
        }
        x[0].store(mac.cast());
    }
}
