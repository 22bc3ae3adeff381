// SPDX-License-Identifier: MIT OR Apache-2.0
//! Setting a key: its round keys, and the powers of its H.

use kcfaes_kernels::Block;

use super::fpu::{Fpu, Hold, Pace};
use crate::key::Key;

/// Key set-up costs a hold as many units as this: it takes about as long as 1 KiB of text. `make bench`
/// measures it: "new key and seal" minus "GCM seal".
const SETUP_BYTES: usize = 1024;

/// The key of a message in one call.
pub enum Material<'a> {
    /// A key that was set before.
    Set(&'a Key),
    /// A key that is set once everything else about the message is found right, because that takes a hold.
    Raw {
        /// The place of the key.
        key: &'a mut Key,
        /// The 16, 24 or 32 bytes.
        bytes: &'a [u8],
        /// As in [`Key::set`].
        hashed: usize,
    },
}

impl Material<'_> {
    /// What setting the key costs a hold.
    #[inline(always)]
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Set(_) => 0,
            Self::Raw { .. } => SETUP_BYTES,
        }
    }

    /// The key.
    #[inline(always)]
    pub fn set(&mut self, fpu: &mut Fpu) -> &Key {
        match self {
            Self::Set(key) => key,
            Self::Raw { key, bytes, hashed } => {
                key.set(fpu, bytes, *hashed);
                key
            }
        }
    }

    /// The key, in a hold that has room for its [`cost`](Self::cost).
    #[inline(always)]
    pub(crate) fn set_in(&mut self, hold: Hold<'_>) -> &Key {
        match self {
            Self::Set(key) => key,
            Self::Raw { key, bytes, hashed } => {
                key.set_in(hold, bytes, *hashed);
                key
            }
        }
    }
}

impl Key {
    /// Expands `key` (16, 24 or 32 bytes), with the powers of H that are worthwhile for `hashed` bytes to
    /// hash; none if that is 0. Whatever `self` was before, it is overwritten.
    pub fn set(&mut self, fpu: &mut Fpu, key: &[u8], hashed: usize) {
        // The grant does not matter: the cost is not the length of a text.
        let (hold, _) = fpu.hold(Pace::Parallel, SETUP_BYTES);
        self.set_in(hold, key, hashed);
    }

    /// [`set`](Self::set) in a hold.
    #[inline(never)]
    fn set_in(&mut self, hold: Hold<'_>, key: &[u8], hashed: usize) {
        hold.key_expand(&mut self.schedule, key);
        if hashed > 0 {
            hold.ghash_init(&self.schedule, &mut self.powers, hashed);
        } else {
            (self.powers.set, self.powers.h) = (0, Block([0; 16]));
        }
    }
}
