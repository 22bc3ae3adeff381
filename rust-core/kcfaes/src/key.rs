// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, and whole messages in one call.

use core::fmt;
use core::ptr::NonNull;

use kcfaes_capi::api::*;

use crate::error::{Result, checked};
use crate::text::{Message, Place, Source, Text};

/// An AES key, for every mode. It lies on the heap, is erased when it is dropped, and never changes, so that any
/// number of threads may use it at the same time.
///
/// It has no `Clone`: a copy is a second place from which a key must be erased. Share it by reference or in an
/// `Arc`.
pub struct Key(NonNull<kcfaes_key>);

// SAFETY: the C API allows any thread to use a key, any number at the same time, and any to free it.
unsafe impl Send for Key {}
// SAFETY: as above.
unsafe impl Sync for Key {}

/// Calls the function for buffers or the one for lists. In place of the text's pointers stands `..`.
macro_rules! call {
    ($text:expr, $buffer:ident | $pieces:ident, [$($before:expr),*], [$($after:expr),*]) => {
        match $text.into().whole()? {
            // SAFETY: key, IV, AAD and tag are references, and a `Text` says what its pointers are.
            Place::Buffer { src, len, dst, .. } => unsafe {
                checked($buffer($($before,)* src, len, dst $(, $after)*))
            },
            // SAFETY: as above.
            Place::Pieces { src, src_count, dst, dst_count } => unsafe {
                checked($pieces($($before,)* src, src_count, dst, dst_count $(, $after)*))
            },
        }
    };
}

/// The same for a function that only reads.
macro_rules! call_mac {
    ($message:expr, $buffer:ident | $pieces:ident, [$($before:expr),*], [$($after:expr),*]) => {
        match $message.into().source {
            // SAFETY: as in `call!`.
            Source::Buffer(src, len) => unsafe {
                checked($buffer($($before,)* src, len $(, $after)*))
            },
            // SAFETY: as above.
            Source::Pieces(src, count) => unsafe {
                checked($pieces($($before,)* src, count $(, $after)*))
            },
        }
    };
}

impl Key {
    /// Makes a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyLength`](crate::Error::KeyLength), [`NoMemory`](crate::Error::NoMemory).
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let mut key = core::ptr::null_mut();
        // SAFETY: both are references; if the call succeeds, `key` points to a key that is ours.
        unsafe {
            checked(kcfaes_key_new(bytes.as_ptr(), bytes.len(), &raw mut key))?;
            Ok(Self(NonNull::new_unchecked(key)))
        }
    }

    pub(crate) fn as_ptr(&self) -> *const kcfaes_key {
        self.0.as_ptr()
    }

    /// AES-GCM: encrypts `text` and makes its tag, of 4, 8 or 12 to 16 bytes, which also covers `aad`. The IV has
    /// 1 byte or more, best 12, and must never be used twice with one key.
    ///
    /// ```
    /// # fn main() -> kcfaes::Result<()> {
    /// let key = kcfaes::Key::new(&[7; 16])?;
    /// let (mut text, mut tag) = (*b"quick brown fox", [0; 16]);
    /// key.gcm_seal(&[1; 12], b"header", &mut text, &mut tag)?;
    /// key.gcm_open(&[1; 12], b"header", &mut text, &tag)?;
    /// assert_eq!(&text, b"quick brown fox");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength); [`TextLength`](crate::Error::TextLength): more than
    /// 2^36 - 32 bytes; [`TooSmall`](crate::Error::TooSmall), and [`NoMemory`](crate::Error::NoMemory) for long
    /// lists, as in every function that takes a [`Text`].
    pub fn gcm_seal<'a>(
        &self,
        iv: &[u8],
        aad: &[u8],
        text: impl Into<Text<'a>>,
        tag: &mut [u8],
    ) -> Result<()> {
        call!(
            text,
            kcfaes_gcm_seal | kcfaes_gcm_seal_iov,
            [self.as_ptr(), iv.as_ptr(), iv.len(), aad.as_ptr(), aad.len()],
            [tag.as_mut_ptr(), tag.len()]
        )
    }

    /// AES-GCM: verifies the tag and decrypts `text`.
    ///
    /// # Errors
    /// [`NotAuthentic`](crate::Error::NotAuthentic): no plaintext is left. The output is zero or, in place, the
    /// ciphertext again. Others as for [`gcm_seal`](Self::gcm_seal).
    pub fn gcm_open<'a>(
        &self,
        iv: &[u8],
        aad: &[u8],
        text: impl Into<Text<'a>>,
        tag: &[u8],
    ) -> Result<()> {
        call!(
            text,
            kcfaes_gcm_open | kcfaes_gcm_open_iov,
            [self.as_ptr(), iv.as_ptr(), iv.len(), aad.as_ptr(), aad.len()],
            [tag.as_ptr(), tag.len()]
        )
    }

    /// AES-CCM: encrypts `text` and makes its tag, of 4, 6, 8, 10, 12, 14 or 16 bytes, which also covers `aad`.
    /// The nonce has n = 7 to 13 bytes and must never be used twice with one key. The text has less than
    /// 2^(8(15 - n)) bytes.
    ///
    /// # Errors
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength).
    pub fn ccm_seal<'a>(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: impl Into<Text<'a>>,
        tag: &mut [u8],
    ) -> Result<()> {
        call!(
            text,
            kcfaes_ccm_seal | kcfaes_ccm_seal_iov,
            [self.as_ptr(), nonce.as_ptr(), nonce.len(), aad.as_ptr(), aad.len()],
            [tag.as_mut_ptr(), tag.len()]
        )
    }

    /// AES-CCM: verifies the tag and decrypts `text`.
    ///
    /// # Errors
    /// [`NotAuthentic`](crate::Error::NotAuthentic), as for [`gcm_open`](Self::gcm_open);
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength).
    pub fn ccm_open<'a>(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: impl Into<Text<'a>>,
        tag: &[u8],
    ) -> Result<()> {
        call!(
            text,
            kcfaes_ccm_open | kcfaes_ccm_open_iov,
            [self.as_ptr(), nonce.as_ptr(), nonce.len(), aad.as_ptr(), aad.len()],
            [tag.as_ptr(), tag.len()]
        )
    }

    /// AES-GMAC: the tag that AES-GCM makes of `message` as AAD and no text. IV and tag as for
    /// [`gcm_seal`](Self::gcm_seal).
    ///
    /// # Errors
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength).
    pub fn gmac<'a>(
        &self,
        iv: &[u8],
        message: impl Into<Message<'a>>,
        tag: &mut [u8],
    ) -> Result<()> {
        call_mac!(
            message,
            kcfaes_gmac | kcfaes_gmac_iov,
            [self.as_ptr(), iv.as_ptr(), iv.len()],
            [tag.as_mut_ptr(), tag.len()]
        )
    }

    /// AES-GMAC: verifies the tag of `message`.
    ///
    /// # Errors
    /// [`NotAuthentic`](crate::Error::NotAuthentic), [`IvOrTagLength`](crate::Error::IvOrTagLength).
    pub fn gmac_verify<'a>(
        &self,
        iv: &[u8],
        message: impl Into<Message<'a>>,
        tag: &[u8],
    ) -> Result<()> {
        call_mac!(
            message,
            kcfaes_gmac_verify | kcfaes_gmac_verify_iov,
            [self.as_ptr(), iv.as_ptr(), iv.len()],
            [tag.as_ptr(), tag.len()]
        )
    }

    /// AES-CMAC: the first 4 to 16 bytes of the MAC of `message`.
    ///
    /// # Errors
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength).
    pub fn cmac<'a>(&self, message: impl Into<Message<'a>>, tag: &mut [u8]) -> Result<()> {
        call_mac!(
            message,
            kcfaes_cmac | kcfaes_cmac_iov,
            [self.as_ptr()],
            [tag.as_mut_ptr(), tag.len()]
        )
    }

    /// AES-CMAC: verifies the MAC of `message`.
    ///
    /// # Errors
    /// [`NotAuthentic`](crate::Error::NotAuthentic), [`IvOrTagLength`](crate::Error::IvOrTagLength).
    pub fn cmac_verify<'a>(&self, message: impl Into<Message<'a>>, tag: &[u8]) -> Result<()> {
        call_mac!(
            message,
            kcfaes_cmac_verify | kcfaes_cmac_verify_iov,
            [self.as_ptr()],
            [tag.as_ptr(), tag.len()]
        )
    }

    /// AES-CTR: encrypts or decrypts `text`. `counter` is the first counter block, a big-endian number of 128
    /// bits, and becomes the one after the last used. So another call goes on where this ended, if the text's
    /// length was a multiple of 16. Not authenticated. No counter block may be used twice with one key.
    ///
    /// # Errors
    /// Those of a [`Text`].
    pub fn ctr<'a>(&self, counter: &mut [u8; 16], text: impl Into<Text<'a>>) -> Result<()> {
        call!(text, kcfaes_ctr | kcfaes_ctr_iov, [self.as_ptr(), counter.as_mut_ptr()], [])
    }

    /// AES-CTR from the middle: `text` begins `offset` bytes into that whose first counter block is `counter`.
    /// Whatever is written twice at one place, with two texts, can be read by whoever has both ciphertexts.
    ///
    /// # Errors
    /// Those of a [`Text`].
    pub fn ctr_at<'a>(
        &self,
        counter: &[u8; 16],
        offset: u64,
        text: impl Into<Text<'a>>,
    ) -> Result<()> {
        call!(
            text,
            kcfaes_ctr_at | kcfaes_ctr_at_iov,
            [self.as_ptr(), counter.as_ptr(), offset],
            []
        )
    }

    /// AES-CBC: encrypts `text`, whose length is a multiple of 16, without padding. `iv` becomes the last
    /// ciphertext block, so that another call goes on where this ended. Not authenticated; the first IV must be
    /// unpredictable.
    ///
    /// # Errors
    /// [`TextLength`](crate::Error::TextLength).
    pub fn cbc_encrypt<'a>(&self, iv: &mut [u8; 16], text: impl Into<Text<'a>>) -> Result<()> {
        call!(
            text,
            kcfaes_cbc_encrypt | kcfaes_cbc_encrypt_iov,
            [self.as_ptr(), iv.as_mut_ptr()],
            []
        )
    }

    /// AES-CBC: decrypts; otherwise as [`cbc_encrypt`](Self::cbc_encrypt).
    ///
    /// # Errors
    /// [`CiphertextLength`](crate::Error::CiphertextLength).
    pub fn cbc_decrypt<'a>(&self, iv: &mut [u8; 16], text: impl Into<Text<'a>>) -> Result<()> {
        call!(
            text,
            kcfaes_cbc_decrypt | kcfaes_cbc_decrypt_iov,
            [self.as_ptr(), iv.as_mut_ptr()],
            []
        )
    }

    /// AES-ECB: encrypts `text`, whose length is a multiple of 16, each block by itself. Equal blocks stay equal:
    /// a building block, not a way to protect text.
    ///
    /// # Errors
    /// [`TextLength`](crate::Error::TextLength).
    pub fn ecb_encrypt<'a>(&self, text: impl Into<Text<'a>>) -> Result<()> {
        call!(text, kcfaes_ecb_encrypt | kcfaes_ecb_encrypt_iov, [self.as_ptr()], [])
    }

    /// AES-ECB: decrypts; otherwise as [`ecb_encrypt`](Self::ecb_encrypt).
    ///
    /// # Errors
    /// [`CiphertextLength`](crate::Error::CiphertextLength).
    pub fn ecb_decrypt<'a>(&self, text: impl Into<Text<'a>>) -> Result<()> {
        call!(text, kcfaes_ecb_decrypt | kcfaes_ecb_decrypt_iov, [self.as_ptr()], [])
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: made by `kcfaes_key_new`, and nobody uses it any more.
        unsafe { kcfaes_key_free(self.0.as_ptr()) }
    }
}

#[cfg(feature = "zeroize")]
impl zeroize::ZeroizeOnDrop for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}
