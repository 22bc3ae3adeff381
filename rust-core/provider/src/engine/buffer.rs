// SPDX-License-Identifier: MIT OR Apache-2.0
//! The growing buffer of a multi-part decryption that may release nothing before its end.

use core::ffi::c_int;
use core::ptr::NonNull;

use super::env;
use crate::data::Segments;
use crate::kcf::{Error, Result};

/// First size; later ones double.
const FIRST_CAPACITY: usize = 4096;

/// Bytes from the environment's heap, wiped before they go back.
pub(crate) struct Buffer {
    at: NonNull<u8>,
    len: usize,
    capacity: usize,
}

impl Buffer {
    /// No bytes, no memory.
    pub(crate) const fn new() -> Self {
        Self { at: NonNull::dangling(), len: 0, capacity: 0 }
    }

    /// The bytes.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `len` bytes were written at `at`; the pointer is dangling only while it is 0.
        unsafe { core::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }

    /// Appends all that is left of `from`.
    ///
    /// # Errors
    /// `HOST_MEMORY`: then nothing has changed.
    pub(crate) fn append(&mut self, from: &mut Segments<'_>, kmflag: c_int) -> Result<()> {
        let len = self.len.checked_add(from.left()).ok_or(Error::HOST_MEMORY)?;
        if len > self.capacity {
            self.grow(len, kmflag)?;
        }
        // SAFETY: `capacity` bytes are ours at `at`, of which those behind `len` are free; they are
        // set before they become a slice.
        let tail = unsafe {
            let tail = self.at.add(self.len);
            tail.write_bytes(0, len - self.len);
            core::slice::from_raw_parts_mut(tail.as_ptr(), len - self.len)
        };
        from.gather(tail);
        self.len = len;
        Ok(())
    }

    fn grow(&mut self, len: usize, kmflag: c_int) -> Result<()> {
        let capacity = len.max(self.capacity.saturating_mul(2)).max(FIRST_CAPACITY);
        let at = env::alloc(capacity, kmflag).ok_or(Error::HOST_MEMORY)?;
        // SAFETY: the new memory has room for `len` bytes, which the old one holds.
        unsafe { self.at.copy_to_nonoverlapping(at, self.len) };
        let grown = Self { at, len: self.len, capacity };
        *self = grown;
        Ok(())
    }

    #[inline(never)]
    fn give_back(&mut self) {
        super::wipe::wipe_bytes(self.bytes());
        // SAFETY: it came from `alloc` with this size, and nothing refers to it any more.
        unsafe { env::free(self.at, self.capacity) };
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if self.capacity > 0 {
            self.give_back();
        }
    }
}
