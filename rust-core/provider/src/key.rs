// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key material: what a template, a context or an atomic operation computes once for a key.

use kcfaes_kernels::{COMMON_POWERS, POWERS, Powers, Schedule, mid_of};

use crate::kcf::{Error, Result};
use crate::wipe::{Wipe, wipe};

/// Bytes of the shortest key.
pub const MIN_KEY: usize = 16;
/// Bytes of the longest key.
pub const MAX_KEY: usize = 32;

/// Round keys of one key and, for mechanisms that hash, the powers of its H. Nothing in it depends on a table
/// or on a mechanism's parameters. Once set it is read-only.
#[derive(Clone, Default)]
#[repr(C)]
pub struct Key {
    /// Round keys, both directions.
    pub schedule: Schedule,
    /// H and its powers. If the key was set without them, `set` and `h` are zero, and the others are anything.
    pub powers: Powers,
}

#[allow(unsafe_code, reason = "a statement about values")]
// SAFETY: bytes and integers.
unsafe impl Wipe for Key {}

impl Key {
    /// Erases what was set. The powers that were not are zero, or nobody has written there.
    pub fn erase(&mut self) {
        const COMMON: usize = POWERS - COMMON_POWERS;
        wipe(&mut self.schedule);
        let Powers { pow, mid, h, set } = &mut self.powers;
        let first = match *set as usize {
            0 => return,
            1..=COMMON_POWERS => COMMON,
            _ => 0,
        };
        pow.iter_mut().skip(first).for_each(wipe);
        mid.iter_mut().skip(mid_of(first).0).for_each(wipe);
        wipe(h);
        *set = 0;
    }

    /// Whether `len` bytes are an AES key.
    ///
    /// # Errors
    /// `KEY_SIZE_RANGE`
    pub fn check_len(len: usize) -> Result<()> {
        match len {
            MIN_KEY | 24 | MAX_KEY => Ok(()),
            _ => Err(Error::KEY_SIZE_RANGE),
        }
    }
}
