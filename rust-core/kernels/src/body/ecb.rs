// SPDX-License-Identifier: MIT OR Apache-2.0
//! Electronic codebook, both directions (SP 800-38A section 6.1).

use super::{Parallel, RoundKeys};
use crate::Schedule;
use crate::lanes::Lanes;

struct Ecb<const ENCRYPT: bool> {
    keys: RoundKeys<ENCRYPT>,
}

impl<L: Lanes, const ENCRYPT: bool> Parallel<L> for Ecb<ENCRYPT> {
    #[inline(always)]
    unsafe fn step<const N: usize>(&mut self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut x = [L::zero(); N];
            for (i, x) in x.iter_mut().enumerate() {
                *x = L::load(src.add(i * L::BYTES));
            }
            self.keys.all_but_last(&mut x);
            let last = self.keys.last::<L>();
            for (i, x) in x.iter().enumerate() {
                x.last_round::<ENCRYPT>(last).store(dst.add(i * L::BYTES));
            }
        }
    }

    #[inline(always)]
    unsafe fn end(&mut self, src: *const u8, dst: *mut u8, len: usize, _before: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut x = [L::load_before(src, len)];
            self.keys.all_but_last(&mut x);
            let out = x[0].last_round::<ENCRYPT>(self.keys.last::<L>());
            out.store_before(dst, len);
        }
    }
}

/// # Safety
/// The contract of the entry points.
#[inline(always)]
pub(crate) unsafe fn ecb<L: Lanes, const ENCRYPT: bool>(
    schedule: *const Schedule,
    src: *const u8,
    dst: *mut u8,
    blocks: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut mode = Ecb::<ENCRYPT> { keys: RoundKeys::new(schedule) };
        Parallel::<L>::walk(&mut mode, src, dst, 16 * blocks);
    }
}
