// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages in parts.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use kcfaes_capi::api::*;

use crate::error::{Result, checked};
use crate::key::Key;
use crate::text::{Message, Place, Source, Text};

/// A context of the C API. Whoever holds one sees to it that its key lives as long.
pub(crate) struct Context(NonNull<kcfaes_ctx>);

// SAFETY: the C API allows any thread to use a context, one at a time, and any to free it.
unsafe impl Send for Context {}
// SAFETY: what a shared reference allows only reads.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn new() -> Result<Self> {
        let mut ctx = core::ptr::null_mut();
        // SAFETY: a reference; if the call succeeds, `ctx` points to a context that is ours.
        unsafe {
            checked(kcfaes_ctx_new(&raw mut ctx))?;
            Ok(Self(NonNull::new_unchecked(ctx)))
        }
    }

    pub(crate) fn as_ptr(&mut self) -> *mut kcfaes_ctx {
        self.0.as_ptr()
    }

    /// Begins a CMAC. The key must live as long as the context is used.
    pub(crate) fn begin_cmac(&mut self, key: &Key) -> Result<()> {
        // SAFETY: both are live.
        checked(unsafe { kcfaes_cmac_init(self.as_ptr(), key.as_ptr()) })
    }

    /// Ends a CMAC.
    #[cfg(feature = "digest")]
    pub(crate) fn end_cmac(&mut self, tag: &mut [u8]) -> Result<()> {
        // SAFETY: a reference.
        checked(unsafe { kcfaes_cmac_final(self.as_ptr(), tag.as_mut_ptr(), tag.len()) })
    }

    /// A second context in the same state.
    pub(crate) fn copied(&self) -> Result<Self> {
        let mut copy = Self::new()?;
        // SAFETY: both are contexts, and `self` is only read.
        checked(unsafe { kcfaes_ctx_copy(copy.as_ptr(), self.0.as_ptr()) })?;
        Ok(copy)
    }

    /// Gives more of a message that is only read.
    pub(crate) fn read(&mut self, message: &Message<'_>) -> Result<()> {
        let (mut written, none) = (0, core::ptr::null_mut());
        // SAFETY: a `Message` says what its pointers are; nothing is written.
        checked(unsafe {
            match message.source {
                Source::Buffer(src, len) => {
                    kcfaes_update(self.as_ptr(), src, len, none, 0, &raw mut written)
                }
                Source::Pieces(src, count) => {
                    let none = core::ptr::null();
                    kcfaes_update_iov(self.as_ptr(), src, count, none, 0, &raw mut written)
                }
            }
        })
    }

    /// Gives more of a text. Returns the number of bytes written.
    fn update(&mut self, release: Release, text: &Text<'_>) -> Result<usize> {
        let mut written = 0;
        let (at, ctx) = (&raw mut written, self.as_ptr());
        // SAFETY: a `Text` says what its pointers are.
        checked(unsafe {
            match (text.place, release) {
                (Place::Buffer { src, len, dst, room }, Release::Safe) => {
                    kcfaes_update(ctx, src, len, dst, room, at)
                }
                (Place::Buffer { src, len, dst, room }, Release::Unverified) => {
                    kcfaes_update_unverified(ctx, src, len, dst, room, at)
                }
                (Place::Pieces { src, src_count, dst, dst_count }, Release::Safe) => {
                    kcfaes_update_iov(ctx, src, src_count, dst, dst_count, at)
                }
                (Place::Pieces { src, src_count, dst, dst_count }, Release::Unverified) => {
                    kcfaes_update_unverified_iov(ctx, src, src_count, dst, dst_count, at)
                }
            }
        })?;
        Ok(written)
    }

    fn update_aad(&mut self, aad: &[u8]) -> Result<()> {
        // SAFETY: a reference.
        checked(unsafe { kcfaes_update_aad(self.as_ptr(), aad.as_ptr(), aad.len()) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `kcfaes_ctx_new`, and nobody uses it any more.
        unsafe { kcfaes_ctx_free(self.0.as_ptr()) }
    }
}

/// Whether a caller takes plaintext whose tag is not verified yet.
#[derive(Clone, Copy)]
enum Release {
    Safe,
    Unverified,
}

/// The modes that have a tag and a text.
#[derive(Clone, Copy)]
enum Aead {
    Gcm,
    Ccm,
}

/// The modes that have only a tag.
#[derive(Clone, Copy)]
enum MacMode {
    Gmac,
    Cmac,
}

/// A GCM or CCM message that is encrypted in parts: [`Key::gcm_seal_parts`], [`Key::ccm_seal_parts`]. Erased when it
/// is dropped.
pub struct SealParts<'k> {
    context: Context,
    mode: Aead,
    key: PhantomData<&'k Key>,
}

/// A GCM or CCM message that is decrypted in parts: [`Key::gcm_open_parts`], [`Key::ccm_open_parts`]. Whoever can
/// hold the whole message calls [`Key::gcm_open`] or [`Key::ccm_open`] instead. Erased when it is dropped.
pub struct OpenParts<'k> {
    context: Context,
    mode: Aead,
    key: PhantomData<&'k Key>,
}

/// A GMAC or CMAC in parts: [`Key::gmac_parts`], [`Key::cmac_parts`]. Erased when it is dropped.
pub struct MacParts<'k> {
    context: Context,
    mode: MacMode,
    key: PhantomData<&'k Key>,
}

/// A message of CTR, CBC or ECB in parts: [`Key::ctr_parts`] and its like. Erased when it is dropped.
pub struct CipherParts<'k> {
    context: Context,
    key: PhantomData<&'k Key>,
}

/// Makes a context and begins a message in it.
macro_rules! begun {
    ($init:ident($key:expr $(, $argument:expr)*)) => {{
        let mut context = Context::new()?;
        // SAFETY: context and key are live, and the rest are references.
        checked(unsafe { $init(context.as_ptr(), $key.as_ptr() $(, $argument)*) })?;
        context
    }};
}

impl Key {
    /// Begins a GCM message to encrypt in parts. IV as for [`gcm_seal`](Self::gcm_seal).
    ///
    /// ```
    /// # fn main() -> kcfaes::Result<()> {
    /// let key = kcfaes::Key::new(&[7; 32])?;
    /// let (mut one, mut two, mut tag) = (*b"quick brown", *b" fox", [0; 16]);
    /// let mut message = key.gcm_seal_parts(&[1; 12], b"header")?;
    /// message.update(&mut one)?;
    /// message.update(&mut two)?;
    /// message.finish(&mut [], &mut tag)?;
    /// # let mut whole = *b"quick brown fox";
    /// # let mut other = [0; 16];
    /// # key.gcm_seal(&[1; 12], b"header", &mut whole, &mut other)?;
    /// # assert_eq!(tag, other);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength) and [`NoMemory`](crate::Error::NoMemory), here and for the
    /// others that begin a message.
    pub fn gcm_seal_parts(&self, iv: &[u8], aad: &[u8]) -> Result<SealParts<'_>> {
        let (a, n) = (aad.as_ptr(), aad.len());
        let context = begun!(kcfaes_gcm_seal_init(self, iv.as_ptr(), iv.len(), a, n));
        Ok(SealParts { context, mode: Aead::Gcm, key: PhantomData })
    }

    /// Begins a GCM message to decrypt in parts.
    ///
    /// # Errors
    /// As for [`gcm_seal_parts`](Self::gcm_seal_parts).
    pub fn gcm_open_parts(&self, iv: &[u8], aad: &[u8]) -> Result<OpenParts<'_>> {
        let (a, n) = (aad.as_ptr(), aad.len());
        let context = begun!(kcfaes_gcm_open_init(self, iv.as_ptr(), iv.len(), a, n));
        Ok(OpenParts { context, mode: Aead::Gcm, key: PhantomData })
    }

    /// Begins a CCM message of `text_len` bytes to encrypt in parts. Lengths as for [`ccm_seal`](Self::ccm_seal).
    ///
    /// # Errors
    /// As for [`gcm_seal_parts`](Self::gcm_seal_parts).
    pub fn ccm_seal_parts(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text_len: u64,
        tag_len: usize,
    ) -> Result<SealParts<'_>> {
        let (at, len, a, n) = (nonce.as_ptr(), nonce.len(), aad.as_ptr(), aad.len());
        let context = begun!(kcfaes_ccm_seal_init(self, at, len, a, n, text_len, tag_len));
        Ok(SealParts { context, mode: Aead::Ccm, key: PhantomData })
    }

    /// Begins a CCM message of `text_len` bytes, without the tag, to decrypt in parts.
    ///
    /// # Errors
    /// As for [`gcm_seal_parts`](Self::gcm_seal_parts).
    pub fn ccm_open_parts(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text_len: u64,
        tag_len: usize,
    ) -> Result<OpenParts<'_>> {
        let (at, len, a, n) = (nonce.as_ptr(), nonce.len(), aad.as_ptr(), aad.len());
        let context = begun!(kcfaes_ccm_open_init(self, at, len, a, n, text_len, tag_len));
        Ok(OpenParts { context, mode: Aead::Ccm, key: PhantomData })
    }

    /// Begins a GMAC in parts.
    ///
    /// # Errors
    /// As for [`gcm_seal_parts`](Self::gcm_seal_parts).
    pub fn gmac_parts(&self, iv: &[u8]) -> Result<MacParts<'_>> {
        let context = begun!(kcfaes_gmac_init(self, iv.as_ptr(), iv.len()));
        Ok(MacParts { context, mode: MacMode::Gmac, key: PhantomData })
    }

    /// Begins a CMAC in parts.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory).
    pub fn cmac_parts(&self) -> Result<MacParts<'_>> {
        let mut context = Context::new()?;
        context.begin_cmac(self)?;
        Ok(MacParts { context, mode: MacMode::Cmac, key: PhantomData })
    }

    /// Begins a CTR message in parts, which may have any length.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory).
    pub fn ctr_parts(&self, counter: &[u8; 16]) -> Result<CipherParts<'_>> {
        let context = begun!(kcfaes_ctr_init(self, counter.as_ptr()));
        Ok(CipherParts { context, key: PhantomData })
    }

    /// Begins a CBC message to encrypt in parts.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory).
    pub fn cbc_encrypt_parts(&self, iv: &[u8; 16]) -> Result<CipherParts<'_>> {
        let context = begun!(kcfaes_cbc_encrypt_init(self, iv.as_ptr()));
        Ok(CipherParts { context, key: PhantomData })
    }

    /// Begins a CBC message to decrypt in parts.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory).
    pub fn cbc_decrypt_parts(&self, iv: &[u8; 16]) -> Result<CipherParts<'_>> {
        let context = begun!(kcfaes_cbc_decrypt_init(self, iv.as_ptr()));
        Ok(CipherParts { context, key: PhantomData })
    }

    /// Begins an ECB message to encrypt in parts.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory).
    pub fn ecb_encrypt_parts(&self) -> Result<CipherParts<'_>> {
        let context = begun!(kcfaes_ecb_encrypt_init(self));
        Ok(CipherParts { context, key: PhantomData })
    }

    /// Begins an ECB message to decrypt in parts.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory).
    pub fn ecb_decrypt_parts(&self) -> Result<CipherParts<'_>> {
        let context = begun!(kcfaes_ecb_decrypt_init(self));
        Ok(CipherParts { context, key: PhantomData })
    }
}

impl SealParts<'_> {
    /// More AAD of a GCM message that has no text yet.
    ///
    /// # Errors
    /// [`BadArgument`](crate::Error::BadArgument): text has come, or the message is CCM.
    pub fn update_aad(&mut self, aad: &[u8]) -> Result<()> {
        self.context.update_aad(aad)
    }

    /// Encrypts more text, of any length. Returns the number of bytes written. GCM writes as many as it takes. CCM
    /// writes every block that is complete, and keeps the rest of a block for later: so a part in place may only
    /// follow parts that ended with a block.
    ///
    /// # Errors
    /// [`TooSmall`](crate::Error::TooSmall): the call may be repeated with more room.
    /// [`TextLength`](crate::Error::TextLength).
    pub fn update<'a>(&mut self, text: impl Into<Text<'a>>) -> Result<usize> {
        self.context.update(Release::Safe, &text.into())
    }

    /// Ends the message: writes the tag, and to `rest` what CCM has kept of its last block. Returns how many bytes
    /// of `rest` that took; none of GCM.
    ///
    /// # Errors
    /// [`TooSmall`](crate::Error::TooSmall): `rest` has too little room, and the call may be repeated.
    /// [`TextLength`](crate::Error::TextLength): less text has come than a CCM message began with; it goes on.
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength). [`Ended`](crate::Error::Ended): it has ended before.
    pub fn finish(&mut self, rest: &mut [u8], tag: &mut [u8]) -> Result<usize> {
        let end = match self.mode {
            Aead::Gcm => kcfaes_gcm_seal_final,
            Aead::Ccm => kcfaes_ccm_seal_final,
        };
        let (mut written, dst, room) = (0, rest.as_mut_ptr(), rest.len());
        let (tag, tag_len) = (tag.as_mut_ptr(), tag.len());
        // SAFETY: references.
        checked(unsafe { end(self.context.as_ptr(), dst, room, &raw mut written, tag, tag_len) })?;
        Ok(written)
    }
}

impl OpenParts<'_> {
    /// More AAD of a GCM message that has no text yet.
    ///
    /// # Errors
    /// [`BadArgument`](crate::Error::BadArgument): text has come, or the message is CCM.
    pub fn update_aad(&mut self, aad: &[u8]) -> Result<()> {
        self.context.update_aad(aad)
    }

    /// Decrypts more text; otherwise as [`SealParts::update`]. What it writes is plaintext that nobody has
    /// verified. Nothing may depend on it, and it must be thrown away unless [`finish`](Self::finish) succeeds.
    ///
    /// # Errors
    /// As [`SealParts::update`]; [`CiphertextLength`](crate::Error::CiphertextLength).
    pub fn update_unverified<'a>(&mut self, text: impl Into<Text<'a>>) -> Result<usize> {
        self.context.update(Release::Unverified, &text.into())
    }

    /// Ends the message: verifies the tag, then writes to `rest` what CCM has kept of its last block.
    ///
    /// # Errors
    /// [`NotAuthentic`](crate::Error::NotAuthentic): the message has ended, nothing is written, and what
    /// [`update_unverified`](Self::update_unverified) wrote must be thrown away. Others as for
    /// [`SealParts::finish`], with [`CiphertextLength`](crate::Error::CiphertextLength).
    pub fn finish(&mut self, rest: &mut [u8], tag: &[u8]) -> Result<usize> {
        let end = match self.mode {
            Aead::Gcm => kcfaes_gcm_open_final,
            Aead::Ccm => kcfaes_ccm_open_final,
        };
        let (mut written, dst, room) = (0, rest.as_mut_ptr(), rest.len());
        let (tag, tag_len) = (tag.as_ptr(), tag.len());
        // SAFETY: references.
        checked(unsafe { end(self.context.as_ptr(), dst, room, &raw mut written, tag, tag_len) })?;
        Ok(written)
    }

    /// A second message in the same state, which goes on by itself.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory), [`Ended`](crate::Error::Ended).
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self { context: self.context.copied()?, ..*self })
    }
}

impl MacParts<'_> {
    /// More of the message.
    ///
    /// # Errors
    /// [`Ended`](crate::Error::Ended).
    pub fn update<'a>(&mut self, message: impl Into<Message<'a>>) -> Result<()> {
        self.context.read(&message.into())
    }

    /// Ends the message with its tag.
    ///
    /// # Errors
    /// [`IvOrTagLength`](crate::Error::IvOrTagLength), [`Ended`](crate::Error::Ended).
    pub fn finish(&mut self, tag: &mut [u8]) -> Result<()> {
        let end = match self.mode {
            MacMode::Gmac => kcfaes_gmac_final,
            MacMode::Cmac => kcfaes_cmac_final,
        };
        // SAFETY: references.
        checked(unsafe { end(self.context.as_ptr(), tag.as_mut_ptr(), tag.len()) })
    }

    /// Ends the message and verifies its tag.
    ///
    /// # Errors
    /// [`NotAuthentic`](crate::Error::NotAuthentic), [`IvOrTagLength`](crate::Error::IvOrTagLength), [`Ended`](crate::Error::Ended).
    pub fn verify(&mut self, tag: &[u8]) -> Result<()> {
        let end = match self.mode {
            MacMode::Gmac => kcfaes_gmac_verify_final,
            MacMode::Cmac => kcfaes_cmac_verify_final,
        };
        // SAFETY: references.
        checked(unsafe { end(self.context.as_ptr(), tag.as_ptr(), tag.len()) })
    }

    /// A second CMAC in the same state, which goes on by itself: so the MAC of a handshake can be ended at several
    /// places.
    ///
    /// # Errors
    /// [`NoMemory`](crate::Error::NoMemory), [`Ended`](crate::Error::Ended). [`BadArgument`](crate::Error::BadArgument): it is a GMAC,
    /// and two ends would be two messages with one IV.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self { context: self.context.copied()?, ..*self })
    }
}

impl CipherParts<'_> {
    /// Encrypts or decrypts more text, of any length. Returns the number of bytes written. CTR writes as many as it
    /// takes. CBC and ECB write every block that is complete, and keep the rest of a block for later: so a part in
    /// place may only follow parts that ended with a block.
    ///
    /// # Errors
    /// [`TooSmall`](crate::Error::TooSmall): the call may be repeated with more room. [`TextLength`](crate::Error::TextLength),
    /// [`Ended`](crate::Error::Ended).
    pub fn update<'a>(&mut self, text: impl Into<Text<'a>>) -> Result<usize> {
        self.context.update(Release::Safe, &text.into())
    }

    /// Ends the message.
    ///
    /// # Errors
    /// [`TextLength`](crate::Error::TextLength), [`CiphertextLength`](crate::Error::CiphertextLength): a part of a block is left;
    /// the message goes on. [`Ended`](crate::Error::Ended).
    pub fn finish(&mut self) -> Result<()> {
        // SAFETY: a context.
        checked(unsafe { kcfaes_final(self.context.as_ptr()) })
    }
}

macro_rules! shown {
    ($($parts:ident)*) => {$(
        impl fmt::Debug for $parts<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($parts)).finish_non_exhaustive()
            }
        }

        #[cfg(feature = "zeroize")]
        impl zeroize::ZeroizeOnDrop for $parts<'_> {}
    )*};
}

shown!(SealParts OpenParts MacParts CipherParts);
