// SPDX-License-Identifier: MIT OR Apache-2.0
//! The work that every contender does: one operation on one message, the same bytes for all.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};

pub use kcfaes_shape::{BLOCK, GCM_IV, Job, Operation};

/// Bytes at the start of a page. So no contender has a better place than another.
struct Buffer {
    at: NonNull<u8>,
    layout: Layout,
}

impl Buffer {
    fn new(len: usize) -> Self {
        let layout = Layout::from_size_align(len.max(1), 4096).expect("a small, aligned size");
        // SAFETY: not empty.
        let at = unsafe { alloc_zeroed(layout) };
        let at = NonNull::new(at).unwrap_or_else(|| handle_alloc_error(layout));
        Self { at, layout }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.at.as_ptr(), self.layout) }
    }
}

/// A message, and room for what it is transformed into.
pub struct Message {
    /// What is to be done.
    pub operation: Operation,
    /// 16 or 32 bytes.
    pub key: Vec<u8>,
    /// Bytes of text.
    pub len: usize,
    iv: Box<[u8; BLOCK]>,
    aad: Box<[u8; BLOCK]>,
    src: Buffer,
    dst: Buffer,
}

impl Message {
    /// A message whose bytes follow from the arguments. [`set_sealed`](Self::set_sealed) must come
    /// before it can be opened.
    pub fn new(operation: Operation, key_bits: usize, len: usize) -> Self {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut byte = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 32) as u8
        };
        let key = (0..key_bits / 8).map(|_| byte()).collect();
        let mut iv = Box::new([0; BLOCK]);
        let mut aad = Box::new([0; BLOCK]);
        iv.iter_mut().chain(aad.iter_mut()).for_each(|to| *to = byte());
        // The counter cannot wrap. So KCF's and GCM's counters of 32 bits and OpenSSL's of 128 agree.
        iv[GCM_IV..].fill(0);
        let this = Self {
            operation,
            key,
            len,
            iv,
            aad,
            src: Buffer::new(len + BLOCK),
            dst: Buffer::new(len + BLOCK),
        };
        for i in 0..len {
            // SAFETY: within the buffer, which nobody else uses.
            unsafe { this.src.at.add(i).write(byte()) };
        }
        this
    }

    /// The job, without a state.
    pub fn job(&self) -> Job {
        Job {
            src: self.src.at.as_ptr(),
            dst: self.dst.at.as_ptr(),
            len: self.len,
            iv: self.iv.as_ptr(),
            aad: self.aad.as_ptr(),
            key: self.key.as_ptr(),
            key_len: self.key.len(),
            state: null_mut(),
        }
    }

    /// Bytes that the operation reads, including the tag.
    pub fn src_len(&self) -> usize {
        self.len + if self.operation == Operation::GcmOpen { BLOCK } else { 0 }
    }

    /// Bytes that the operation writes, including the tag.
    pub fn dst_len(&self) -> usize {
        self.len + if self.operation.seals() { BLOCK } else { 0 }
    }

    /// A copy of the output.
    pub fn output(&self) -> Vec<u8> {
        // SAFETY: initialised, and no call is running.
        unsafe { core::slice::from_raw_parts(self.dst.at.as_ptr(), self.dst_len()) }.to_vec()
    }

    /// Makes the output differ from any right output.
    pub fn spoil_output(&self) {
        // SAFETY: within the buffer, and no call is running.
        unsafe { self.dst.at.as_ptr().write_bytes(0xa5, self.dst_len()) }
    }

    /// Flips a bit of the tag of a message to be opened. The next call flips it back.
    pub fn turn_tag(&self) {
        assert_eq!(self.operation, Operation::GcmOpen, "no other message has a tag");
        // SAFETY: the buffer's last byte, and no call is running.
        unsafe {
            let last = self.src.at.add(self.len + BLOCK - 1);
            last.write(last.read() ^ 0x40);
        }
    }

    /// Makes the text that of `sealed`: ciphertext and tag.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn set_sealed(&self, sealed: &[u8]) {
        assert_eq!(sealed.len(), self.src_len(), "ciphertext and tag");
        // SAFETY: of that length, and no call is running.
        unsafe { self.src.at.copy_from_nonoverlapping(NonNull::from(sealed).cast(), sealed.len()) }
    }
}
