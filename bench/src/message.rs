// SPDX-License-Identifier: MIT OR Apache-2.0
//! The work that every contender does: one operation on one message, the same bytes for all.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::NonNull;
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};

use serde::Serialize;

/// Bytes of additional data in GCM, of a GCM tag, and of a block.
pub const BLOCK: usize = 16;

/// Bytes of a GCM IV.
pub const GCM_IV: usize = 12;

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// ECB encryption.
    EcbEncrypt,
    /// ECB decryption.
    EcbDecrypt,
    /// CTR, either direction.
    Ctr,
    /// CBC encryption, one stream.
    CbcEncrypt,
    /// CBC decryption.
    CbcDecrypt,
    /// GCM encryption with 16 bytes of additional data and a tag of 16 bytes.
    GcmSeal,
    /// GCM decryption of such a message, which is genuine.
    GcmOpen,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::EcbEncrypt,
        Self::EcbDecrypt,
        Self::Ctr,
        Self::CbcEncrypt,
        Self::CbcDecrypt,
        Self::GcmSeal,
        Self::GcmOpen,
    ];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcbEncrypt => "ECB encrypt",
            Self::EcbDecrypt => "ECB decrypt",
            Self::Ctr => "CTR",
            Self::CbcEncrypt => "CBC encrypt",
            Self::CbcDecrypt => "CBC decrypt",
            Self::GcmSeal => "GCM seal",
            Self::GcmOpen => "GCM open",
        }
    }

    /// The text's length where `bytes` were asked for: ECB and CBC round up to blocks.
    pub fn text_len(self, bytes: usize) -> usize {
        match self {
            Self::Ctr | Self::GcmSeal | Self::GcmOpen => bytes,
            _ => bytes.next_multiple_of(BLOCK),
        }
    }

    /// Whether it turns plaintext into ciphertext.
    pub fn encrypts(self) -> bool {
        matches!(self, Self::EcbEncrypt | Self::Ctr | Self::CbcEncrypt | Self::GcmSeal)
    }
}

/// What a call is given. Every pointer is reached through it, so that a call whose job's address
/// depends on the result before cannot begin earlier.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The input: the text, and behind it the tag where it is opened.
    pub src: *const u8,
    /// Where the output goes: the text, and behind it the tag where it is sealed.
    pub dst: *mut u8,
    /// Bytes of text.
    pub len: usize,
    /// Sixteen bytes: the IV of CBC, the first counter block of CTR; twelve of them that of GCM.
    pub iv: *const u8,
    /// [`BLOCK`] bytes of additional data.
    pub aad: *const u8,
    /// The contender's own.
    pub state: *mut c_void,
}

/// Does a job; 0 is success.
///
/// # Safety
/// The job was prepared by the contender whose call this is, and its message still lives.
pub type Call = unsafe fn(&Job) -> u32;

/// Bytes at the start of a page, so that no contender has a better place than another.
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

/// A message, and room for its transform.
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
    /// A message whose bytes follow from the arguments. To be opened it needs
    /// [`set_sealed`](Self::set_sealed).
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
        // A counter that cannot wrap: KCF's and GCM's of 32 bits and OpenSSL's of 128 agree on it.
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
            // SAFETY: within the buffer, which nobody else has.
            unsafe { this.src.at.add(i).write(byte()) };
        }
        this
    }

    /// The job, for a contender whose state is at `state`.
    pub fn job(&self, state: *mut c_void) -> Job {
        Job {
            src: self.src.at.as_ptr(),
            dst: self.dst.at.as_ptr(),
            len: self.len,
            iv: self.iv.as_ptr(),
            aad: self.aad.as_ptr(),
            state,
        }
    }

    /// Bytes that the operation reads: the tag's, too.
    pub fn src_len(&self) -> usize {
        self.len + if self.operation == Operation::GcmOpen { BLOCK } else { 0 }
    }

    /// Bytes that the operation writes: the tag's, too.
    pub fn dst_len(&self) -> usize {
        self.len + if self.operation == Operation::GcmSeal { BLOCK } else { 0 }
    }

    /// A copy of the output.
    pub fn output(&self) -> Vec<u8> {
        // SAFETY: initialised, and no call is running.
        unsafe { core::slice::from_raw_parts(self.dst.at.as_ptr(), self.dst_len()) }.to_vec()
    }

    /// Makes the output differ from any right one.
    pub fn spoil_output(&self) {
        // SAFETY: within the buffer, and no call is running.
        unsafe { self.dst.at.as_ptr().write_bytes(0xa5, self.dst_len()) }
    }

    /// The text becomes that of `sealed`, ciphertext and tag.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn set_sealed(&self, sealed: &[u8]) {
        assert_eq!(sealed.len(), self.src_len(), "ciphertext and tag");
        // SAFETY: of that length, and no call is running.
        unsafe { self.src.at.copy_from_nonoverlapping(NonNull::from(sealed).cast(), sealed.len()) }
    }
}
