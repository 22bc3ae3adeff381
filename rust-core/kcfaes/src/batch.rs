// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many messages in one call.

use core::fmt;
use core::marker::PhantomData;

use kcfaes_capi::api::*;

use crate::error::{Error, Result, checked};
use crate::key::Key;
use crate::text::{Place, Text};

/// One message of [`Key::gcm_seal_batch`].
#[repr(transparent)]
pub struct GcmSealJob<'a> {
    raw: kcfaes_gcm_job,
    life: PhantomData<&'a mut [u8]>,
}

/// One message of [`Key::gcm_open_batch`].
#[repr(transparent)]
pub struct GcmOpenJob<'a> {
    raw: kcfaes_gcm_job,
    life: PhantomData<&'a mut [u8]>,
}

/// One message of [`cbc_encrypt_batch`].
#[repr(transparent)]
pub struct CbcJob<'a> {
    raw: kcfaes_cbc_job,
    life: PhantomData<&'a mut [u8]>,
}

/// The pointers of a text that is a buffer.
fn buffer(text: &Text<'_>) -> Result<(*const u8, usize, *mut u8)> {
    match text.whole()? {
        Place::Buffer { src, len, dst, .. } => Ok((src, len, dst)),
        Place::Pieces { .. } => Err(Error::BadArgument),
    }
}

fn gcm_job(
    iv: &[u8],
    aad: &[u8],
    text: &Text<'_>,
    tag: *mut u8,
    tag_len: usize,
) -> Result<kcfaes_gcm_job> {
    let (src, len, dst) = buffer(text)?;
    Ok(kcfaes_gcm_job {
        iv: iv.as_ptr(),
        iv_len: iv.len(),
        aad: aad.as_ptr(),
        aad_len: aad.len(),
        src,
        dst,
        len,
        tag,
        tag_len,
        // Until a batch has run it.
        rc: kcfaes_rc::KCFAES_OPERATION_NOT_INITIALIZED,
    })
}

impl<'a> GcmSealJob<'a> {
    /// A message to encrypt, as [`Key::gcm_seal`] does.
    ///
    /// # Errors
    /// [`TooSmall`](Error::TooSmall). [`BadArgument`](Error::BadArgument): the text is a list of pieces.
    pub fn new(
        iv: &'a [u8],
        aad: &'a [u8],
        text: impl Into<Text<'a>>,
        tag: &'a mut [u8],
    ) -> Result<Self> {
        let raw = gcm_job(iv, aad, &text.into(), tag.as_mut_ptr(), tag.len())?;
        Ok(Self { raw, life: PhantomData })
    }

    /// What [`Key::gcm_seal`] would have answered.
    ///
    /// # Errors
    /// Those of that function. [`Ended`](Error::Ended): no batch has run it.
    pub fn result(&self) -> Result<()> {
        checked(self.raw.rc)
    }
}

impl<'a> GcmOpenJob<'a> {
    /// A message to decrypt, as [`Key::gcm_open`] does.
    ///
    /// # Errors
    /// As for [`GcmSealJob::new`].
    pub fn new(
        iv: &'a [u8],
        aad: &'a [u8],
        text: impl Into<Text<'a>>,
        tag: &'a [u8],
    ) -> Result<Self> {
        // Opening only reads the tag.
        let raw = gcm_job(iv, aad, &text.into(), tag.as_ptr().cast_mut(), tag.len())?;
        Ok(Self { raw, life: PhantomData })
    }

    /// What [`Key::gcm_open`] would have answered.
    ///
    /// # Errors
    /// Those of that function. [`Ended`](Error::Ended): no batch has run it.
    pub fn result(&self) -> Result<()> {
        checked(self.raw.rc)
    }
}

impl<'a> CbcJob<'a> {
    /// A message to encrypt, as [`Key::cbc_encrypt`] does.
    ///
    /// # Errors
    /// As for [`GcmSealJob::new`].
    pub fn new(key: &'a Key, iv: [u8; 16], text: impl Into<Text<'a>>) -> Result<Self> {
        let (src, len, dst) = buffer(&text.into())?;
        let raw = kcfaes_cbc_job { key: key.as_ptr(), src, dst, len, iv };
        Ok(Self { raw, life: PhantomData })
    }

    /// The IV; after the batch, the last ciphertext block.
    pub fn iv(&self) -> [u8; 16] {
        self.raw.iv
    }
}

impl Key {
    /// AES-GCM: encrypts many messages with one key, such as a queue of packets. Short messages take a little less
    /// time than one call for each. One that fails has no effect on the others.
    ///
    /// # Errors
    /// That of the first job that failed; each has its own [`result`](GcmSealJob::result).
    pub fn gcm_seal_batch(&self, jobs: &mut [GcmSealJob<'_>]) -> Result<()> {
        // SAFETY: a job is laid out as C's, and made of references: its output is nobody else's.
        checked(unsafe {
            kcfaes_gcm_seal_batch(self.as_ptr(), jobs.as_mut_ptr().cast(), jobs.len())
        })
    }

    /// AES-GCM: verifies and decrypts many messages with one key. A forged one leaves no plaintext, and the others
    /// are still opened.
    ///
    /// # Errors
    /// That of the first job that failed; each has its own [`result`](GcmOpenJob::result).
    pub fn gcm_open_batch(&self, jobs: &mut [GcmOpenJob<'_>]) -> Result<()> {
        // SAFETY: as in `gcm_seal_batch`; tags are only read.
        checked(unsafe {
            kcfaes_gcm_open_batch(self.as_ptr(), jobs.as_mut_ptr().cast(), jobs.len())
        })
    }
}

/// AES-CBC: encrypts messages that do not depend on each other, each with its own key or all with one: disk sectors, a
/// queue of packets. One CBC encryption waits for the processor at every block; 16 side by side wait together.
///
/// # Errors
/// That of the first wrong job, and then none has any effect: [`TextLength`](Error::TextLength).
/// [`NoMemory`](Error::NoMemory).
pub fn cbc_encrypt_batch(jobs: &mut [CbcJob<'_>]) -> Result<()> {
    // SAFETY: as in `gcm_seal_batch`; the keys are references too.
    checked(unsafe { kcfaes_cbc_encrypt_batch(jobs.as_mut_ptr().cast(), jobs.len()) })
}

macro_rules! job {
    ($($job:ident)*) => {$(
        // SAFETY: a job is made of references to bytes and keys, which any thread may use.
        unsafe impl Send for $job<'_> {}
        // SAFETY: as above.
        unsafe impl Sync for $job<'_> {}

        impl fmt::Debug for $job<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($job)).field("len", &self.raw.len).finish_non_exhaustive()
            }
        }
    )*};
}

job!(GcmSealJob GcmOpenJob CbcJob);
