// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one shape of call that every library of the comparison has.
//!
//! A peer is a cdylib, so that two libraries with the same symbols can be measured in one process.
//! It exports a [`Peer`] under the name [`SYMBOL`], by [`peer!`]. Ours have the same shape, without
//! the loading.
#![no_std]

extern crate alloc;

use alloc::boxed::Box;
use core::ffi::{CStr, c_char, c_void};

/// Bytes of a block, of a GCM message's additional data, and of a GCM tag.
pub const BLOCK: usize = 16;

/// Bytes of a GCM IV.
pub const GCM_IV: usize = 12;

/// What is done with a message.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// GCM encryption with [`BLOCK`] bytes of additional data and a tag of [`BLOCK`] bytes.
    GcmSeal,
    /// GCM decryption of such a message, which is genuine.
    GcmOpen,
    /// The same as `GcmSeal` with a key that comes with the message: its set-up counts.
    GcmNewKeySeal,
}

impl Operation {
    /// Those with a key that is set up before.
    pub const WARM: [Self; 7] = [
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
            Self::GcmNewKeySeal => "GCM new key + seal",
        }
    }

    /// The text's length where `bytes` were asked for: ECB and CBC round up to blocks.
    pub fn text_len(self, bytes: usize) -> usize {
        match self {
            Self::Ctr | Self::GcmSeal | Self::GcmOpen | Self::GcmNewKeySeal => bytes,
            _ => bytes.next_multiple_of(BLOCK),
        }
    }

    /// Whether it turns plaintext into ciphertext.
    pub fn encrypts(self) -> bool {
        !matches!(self, Self::EcbDecrypt | Self::CbcDecrypt | Self::GcmOpen)
    }

    /// Whether it writes a tag behind the text.
    pub fn seals(self) -> bool {
        matches!(self, Self::GcmSeal | Self::GcmNewKeySeal)
    }
}

/// What a call is given. Every pointer is reached through it, so that a call whose job's address
/// depends on the result before cannot begin earlier.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The input: the text, and behind it the tag where it is opened.
    pub src: *const u8,
    /// Where the output goes: the text, and behind it the tag where it is sealed. It shares no byte
    /// with the input.
    pub dst: *mut u8,
    /// Bytes of text.
    pub len: usize,
    /// Sixteen bytes: the IV of CBC, the first counter block of CTR (its low 32 bits do not wrap);
    /// [`GCM_IV`] of them that of GCM.
    pub iv: *const u8,
    /// [`BLOCK`] bytes of additional data.
    pub aad: *const u8,
    /// The key.
    pub key: *const u8,
    /// Bytes of the key, 16 or 32.
    pub key_len: usize,
    /// The library's own, from [`Prepared::state`].
    pub state: *mut c_void,
}

impl Job {
    /// The key.
    ///
    /// # Safety
    /// The job is one that a call was given, or that `prepare` was.
    pub unsafe fn key(&self) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { core::slice::from_raw_parts(self.key, self.key_len) }
    }

    /// The state that `prepare` made.
    ///
    /// # Safety
    /// The job is one that a call was given, whose `prepare` made a state of this type, and no
    /// other reference to it lives.
    #[allow(clippy::mut_from_ref, reason = "the job only points there")]
    pub unsafe fn state<T>(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.state.cast() }
    }

    /// Where the tag of a sealed message goes.
    ///
    /// # Safety
    /// The job is one of sealing.
    pub unsafe fn tag_out(&self) -> *mut u8 {
        // SAFETY: behind the text is room for the tag.
        unsafe { self.dst.add(self.len) }
    }

    /// Where the tag of a message to be opened is.
    ///
    /// # Safety
    /// The job is one of opening.
    pub unsafe fn tag_in(&self) -> *const u8 {
        // SAFETY: behind the text is the tag.
        unsafe { self.src.add(self.len) }
    }
}

/// Does a job; 0 is success. It may do it again and again.
///
/// # Safety
/// The job was prepared by the library whose call this is, its buffers are as [`Job`] says, and
/// nobody else uses them or the state meanwhile.
pub type Call = unsafe extern "C" fn(&Job) -> u32;

/// A library that is ready to do a job; without a call it has no such operation.
#[repr(C)]
#[derive(Debug)]
pub struct Prepared {
    /// Does it.
    pub call: Option<Call>,
    /// What the job's `state` has to be.
    pub state: *mut c_void,
    free: Option<unsafe extern "C" fn(*mut c_void)>,
}

impl Prepared {
    /// No such operation.
    pub const NONE: Self = Self { call: None, state: core::ptr::null_mut(), free: None };

    /// `call`, with a state of its own. The state keeps its address.
    pub fn new<T>(call: Call, state: T) -> Self {
        /// # Safety
        /// `state` is what [`Prepared::new`] made of a `T`, once.
        unsafe extern "C" fn free<T>(state: *mut c_void) {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(state.cast::<T>()) });
        }
        let state = Box::into_raw(Box::new(state)).cast();
        Self { call: Some(call), state, free: Some(free::<T>) }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: made together in `new`.
            unsafe { free(self.state) }
        }
    }
}

/// A peer: what its cdylib exports.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// [`SHAPE`] of the peer's own compilation.
    pub shape: u32,
    /// A string that lives as long as the library: version, way of calling. Null where the peer
    /// cannot run on this machine.
    pub describe: extern "C" fn() -> *const c_char,
    /// Gets ready for a job, whose `state` is not yet set.
    pub prepare: unsafe extern "C" fn(Operation, &Job) -> Prepared,
}

/// Number of this shape; a peer of another one is not called.
pub const SHAPE: u32 = 1;

/// Name of the static [`Peer`] in a cdylib.
pub const SYMBOL: &CStr = c"KCFAES_PEER";

/// The version of package `name` in the text of a Cargo.lock.
pub fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines
        .find(|line| line.strip_prefix("name = ").is_some_and(|it| it.trim_matches('"') == name))?;
    Some(lines.next()?.strip_prefix("version = ")?.trim_matches('"'))
}

/// Exports a peer: `peer!(describe, prepare)`, the functions that [`Peer`] has, in Rust:
/// `fn() -> Option<&'static CStr>` and `unsafe fn(Operation, &Job) -> Prepared`.
#[macro_export]
macro_rules! peer {
    ($describe:path, $prepare:path) => {
        /// Where kcfaes-bench finds this peer.
        #[unsafe(no_mangle)]
        pub static KCFAES_PEER: $crate::Peer = {
            extern "C" fn exported_describe() -> *const core::ffi::c_char {
                let described: Option<&'static core::ffi::CStr> = $describe();
                described.map_or(core::ptr::null(), core::ffi::CStr::as_ptr)
            }
            unsafe extern "C" fn exported_prepare(
                operation: $crate::Operation,
                job: &$crate::Job,
            ) -> $crate::Prepared {
                // SAFETY: the caller's promise is that of the function.
                unsafe { $prepare(operation, job) }
            }
            $crate::Peer {
                shape: $crate::SHAPE,
                describe: exported_describe,
                prepare: exported_prepare,
            }
        };
    };
}

#[cfg(test)]
mod tests {
    use super::locked;

    #[test]
    fn version_of_the_named_package() {
        let lock = "[[package]]\nname = \"aes-gcm\"\nversion = \"0.11.1\"\n\n\
                    [[package]]\nname = \"aes\"\nversion = \"0.9.4\"\n";
        assert_eq!(locked(lock, "aes"), Some("0.9.4"));
        assert_eq!(locked(lock, "ae"), None);
    }
}
