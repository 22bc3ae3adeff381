// SPDX-License-Identifier: MIT OR Apache-2.0
//! The buffer of a multi-part decryption that may release nothing before its end. It grows, or has room for a
//! text of known length.

use core::ffi::c_int;
use core::ptr::NonNull;

use crate::data::Segments;
use crate::env;
use crate::kcf::{Error, KM_NOSLEEP, Result};
use crate::wipe::wipe_bytes;

/// First size; each later one is double. Chosen: a page.
const FIRST_CAPACITY: usize = 4096;

/// The largest room for which an allocation may wait. A larger one is only announced: nobody has sent that
/// many bytes yet. Chosen: longer than any real message.
const MAX_WAIT: usize = 64 << 20;

/// Bytes from the environment's heap, wiped before they are freed.
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

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The bytes.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `len` bytes were written at `at`; the pointer is dangling only while it is 0.
        unsafe { core::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }

    /// Appends all bytes left in `from`.
    ///
    /// # Errors
    /// `HOST_MEMORY`; then nothing has changed.
    pub(crate) fn append(&mut self, from: &mut Segments<'_>, kmflag: c_int) -> Result<()> {
        let more = from.left();
        let len = self.len.checked_add(more).ok_or(Error::HOST_MEMORY)?;
        if len > self.capacity {
            self.grow(len, kmflag)?;
        }
        from.gather(self.extend(more).ok_or(Error::HOST_MEMORY)?);
        Ok(())
    }

    /// Makes room for `len` bytes. The buffer must be empty.
    ///
    /// # Errors
    /// `HOST_MEMORY`; then there is no room.
    pub(crate) fn reserve(&mut self, len: usize, kmflag: c_int) -> Result<()> {
        if len > isize::MAX as usize {
            return Err(Error::HOST_MEMORY);
        }
        if len > 0 {
            let kmflag = if len > MAX_WAIT { KM_NOSLEEP } else { kmflag };
            let at = env::alloc(len, kmflag).ok_or(Error::HOST_MEMORY)?;
            *self = Self { at, len: 0, capacity: len };
        }
        Ok(())
    }

    /// Appends `len` zeros, to be written by the caller. There must be room for them.
    #[inline(never)]
    pub(crate) fn extend(&mut self, len: usize) -> Option<&mut [u8]> {
        // Without memory there is no address either, and a DEBUG kernel checks the address before the count.
        if len == 0 {
            return Some(&mut []);
        }
        let end = self.len.checked_add(len).filter(|&end| end <= self.capacity)?;
        // SAFETY: `capacity` bytes at `at` are ours, and those after `len` are free. They are set before they
        // become a slice.
        let tail = unsafe {
            let tail = self.at.add(self.len);
            tail.write_bytes(0, len);
            core::slice::from_raw_parts_mut(tail.as_ptr(), len)
        };
        self.len = end;
        Some(tail)
    }

    fn grow(&mut self, len: usize, kmflag: c_int) -> Result<()> {
        let capacity = len.max(self.capacity.saturating_mul(2)).max(FIRST_CAPACITY);
        let at = env::alloc(capacity, kmflag).ok_or(Error::HOST_MEMORY)?;
        if self.len > 0 {
            // SAFETY: the new memory has room for `len` bytes, which the old one holds.
            unsafe { self.at.copy_to_nonoverlapping(at, self.len) };
        }
        let grown = Self { at, len: self.len, capacity };
        *self = grown;
        Ok(())
    }

    #[inline(never)]
    fn give_back(&mut self) {
        wipe_bytes(self.bytes());
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
