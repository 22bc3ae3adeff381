// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is done with the runs of a text: a kernel, the key, and the state that it advances. A value
//! and not a closure, so that the loops that feed it are one piece of code for all modes.

use core::mem::take;

use kcfaes_kernels::{Block, Powers, Schedule, Tag};

use super::fpu::Hold;
use crate::data::Run;
use crate::key::Key;
use crate::request::Direction;

/// Of the modes, each with the state between its runs.
pub(crate) enum Step<'a> {
    /// GCTR, and GHASH of the ciphertext.
    Gcm {
        direction: Direction,
        key: &'a Key,
        ctr: &'a mut Block,
        y: &'a mut Block,
        /// Whether `y` is yet to be multiplied.
        multiply: &'a mut bool,
        /// What makes `y` the tag behind the last run of a text; gone when it has.
        tag: Option<Tag<'a>>,
    },
    /// The last `bits` bits of `ctr` count, and wrap within themselves.
    Ctr { schedule: &'a Schedule, ctr: &'a mut Block, bits: u32 },
    /// CTR, and CBC-MAC of the plaintext.
    Ccm {
        direction: Direction,
        schedule: &'a Schedule,
        ctr: &'a mut Block,
        bits: u32,
        mac: &'a mut Block,
    },
    /// Whole blocks only.
    Cbc { direction: Direction, schedule: &'a Schedule, iv: &'a mut Block },
    /// Whole blocks only.
    Ecb { direction: Direction, schedule: &'a Schedule },
    /// Reads only.
    Ghash { powers: &'a Powers, y: &'a mut Block },
    /// Reads only.
    CbcMac { schedule: &'a Schedule, mac: &'a mut Block },
}

impl Step<'_> {
    /// Whether there are kernels for a text that is cut anywhere.
    pub(super) fn takes_pieces(&self) -> bool {
        matches!(self, Self::Gcm { .. } | Self::Cbc { direction: Direction::Decrypt, .. })
    }

    /// The next `len` bytes of a text that has such kernels, whole blocks, of which the last of a text may
    /// be ragged; `last` if nothing follows.
    #[inline(always)]
    pub(super) fn run_pieces(&mut self, hold: Hold<'_>, runs: &[Run<'_>], len: usize, last: bool) {
        match self {
            Self::Gcm { direction, key, ctr, y, multiply, tag } => {
                let end = tag.as_ref().filter(|_| last);
                hold.gcm(*direction, key, ctr, y, runs, len, take(multiply), end);
                if last {
                    *tag = None;
                }
            }
            Self::Cbc { schedule, iv, .. } => hold.cbc_decrypt(schedule, iv, runs, len),
            _ => {}
        }
    }

    /// Whole blocks, of which the last of a text may be ragged.
    #[inline(always)]
    pub(super) fn run(&mut self, hold: Hold<'_>, run: Run<'_>) {
        use Direction::{Decrypt, Encrypt};
        match self {
            Self::Gcm { .. } | Self::Cbc { direction: Decrypt, .. } => {
                self.run_pieces(hold, &[run], run.len(), false);
            }
            Self::Ctr { schedule, ctr, bits } => {
                counted(ctr, *bits, run, |ctr, part| hold.ctr32(schedule, ctr, part));
            }
            Self::Ccm { direction, schedule, ctr, bits, mac } => {
                counted(ctr, *bits, run, |ctr, part| match direction {
                    Encrypt => hold.ccm_encrypt(schedule, ctr, mac, part),
                    Decrypt => hold.ccm_decrypt(schedule, ctr, mac, part),
                });
            }
            Self::Cbc { schedule, iv, .. } => hold.cbc_encrypt(schedule, iv, run),
            Self::Ecb { direction, schedule } => match direction {
                Encrypt => hold.ecb_encrypt(schedule, run),
                Decrypt => hold.ecb_decrypt(schedule, run),
            },
            Self::Ghash { powers, y } => hold.ghash(powers, y, run.source()),
            Self::CbcMac { schedule, mac } => hold.cbc_mac(schedule, mac, run.source()),
        }
    }
}

/// Feeds `run` to a kernel that counts in 32 bits, cut where those wrap or the low `bits` bits of the
/// counter do; whole blocks, of which the last may be ragged.
#[inline(always)]
fn counted(
    counter: &mut Block,
    bits: u32,
    mut run: Run<'_>,
    mut kernel: impl FnMut(&mut Block, Run<'_>),
) {
    let mask = u128::MAX >> (128 - bits.clamp(1, 128));
    while !run.is_empty() {
        let first = u128::from_be_bytes(counter.0);
        let to_wrap = ((mask as u32) - (first as u32 & mask as u32)) as usize + 1;
        let part = run.split_off(to_wrap.saturating_mul(16));
        kernel(counter, part);
        let next = u128::from_be_bytes(counter.0);
        let carry = u128::from(next as u32 == 0) << 32;
        let next = first & !mask | next.wrapping_add(carry) & mask;
        *counter = Block(next.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter of a CCM with a short nonce has more than 32 bits, which no test has the bytes to
    /// count out: so here from just before they are full.
    #[test]
    fn a_run_is_cut_where_32_bits_wrap_and_where_the_counter_does() {
        for (bits, first, next, parts) in [
            (64, 0x0000_0007_ffff_fffe, 0x0000_0008_0000_0003, [32, 48].as_slice()),
            (40, 0x0055_00ff_ffff_fffe, 0x0055_0000_0000_0003, &[32, 48]),
            (40, 0x0055_0000_0000_0001, 0x0055_0000_0000_0006, &[80]),
            (24, 0x0000_0077_00ff_ffff, 0x0000_0077_0000_0004, &[16, 64]),
            (2, 0x0000_0000_0000_0003, 0x0000_0000_0000_0000, &[16, 64]),
        ] {
            let high = 0x0123_4567_89ab_cdef_u128 << 64;
            let mut counter = Block((high | first).to_be_bytes());
            let mut bytes = [0; 80];
            let mut seen = Vec::new();
            counted(&mut counter, bits, Run::in_place(&mut bytes), |at, part| {
                // What a kernel does, whatever the width.
                let low = at.0.last_chunk_mut::<4>().unwrap();
                let count = u32::from_be_bytes(*low).wrapping_add(part.len() as u32 / 16);
                *low = count.to_be_bytes();
                seen.push(part.len());
            });
            assert_eq!((seen.as_slice(), counter.0), (parts, (high | next).to_be_bytes()));
        }
    }
}
