// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key material: what a template, a context or an atomic operation computes once per key.

use kcfaes_kernels::{Powers, Schedule};

use crate::engine::{Fpu, Pace};
use crate::kcf::{Error, Result};

/// Key set-up counts as this many bytes of a hold: its time, about that of 1 KiB of text.
const SETUP_BYTES: usize = 1024;

/// The key of a message in one call.
pub enum Material<'a> {
    /// A key that was set before.
    Set(&'a Key),
    /// One that is set when everything else about the message was found right: that takes a hold.
    Raw {
        /// The place of the key, all zero.
        key: &'a mut Key,
        /// The 16, 24 or 32 bytes.
        bytes: &'a [u8],
        /// As in [`Key::set`].
        hashed: usize,
    },
}

impl<'a> Material<'a> {
    /// The key.
    #[inline(always)]
    pub fn set(self, fpu: &mut Fpu) -> &'a Key {
        match self {
            Self::Set(key) => key,
            Self::Raw { key, bytes, hashed } => {
                key.set(fpu, bytes, hashed);
                key
            }
        }
    }
}

/// Round keys of one key and, where a mechanism hashes, the powers of its H. Nothing in it depends
/// on a table or on a mechanism's parameters, and it is read-only once set.
#[derive(Clone, Default)]
#[repr(C)]
pub struct Key {
    /// Round keys, both directions.
    pub schedule: Schedule,
    /// H and its powers; all zero in a key that was set without them.
    pub powers: Powers,
}

impl Key {
    /// Whether `len` bytes are an AES key.
    ///
    /// # Errors
    /// `KEY_SIZE_RANGE`
    pub fn check_len(len: usize) -> Result<()> {
        match len {
            16 | 24 | 32 => Ok(()),
            _ => Err(Error::KEY_SIZE_RANGE),
        }
    }

    /// Expands `key` (16, 24 or 32 bytes), with the powers of H that are worth while where `hashed`
    /// bytes will be hashed; none if that is 0. A `self` that was never set must be all zero.
    pub fn set(&mut self, fpu: &mut Fpu, key: &[u8], hashed: usize) {
        // Whatever is granted: what it counts as is no length of a text.
        let (hold, _) = fpu.hold(Pace::Parallel, SETUP_BYTES);
        hold.key_expand(&mut self.schedule, key);
        if hashed > 0 {
            hold.ghash_init(&self.schedule, &mut self.powers, hashed);
        }
    }
}
