// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a call reads and writes: buffers and lists of pieces.

use core::fmt;
use core::marker::PhantomData;

use kcfaes_capi::api::kcfaes_iovec;

use crate::error::{Error, Result};

/// One piece of scattered input. Pieces may have any length, 0 too.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Piece<'a> {
    raw: kcfaes_iovec,
    bytes: PhantomData<&'a [u8]>,
}

/// One piece of scattered text that is written. Pieces may have any length, 0 too.
#[repr(transparent)]
pub struct PieceMut<'a> {
    raw: kcfaes_iovec,
    bytes: PhantomData<&'a mut [u8]>,
}

impl<'a> Piece<'a> {
    /// All of `bytes` as a piece.
    pub const fn new(bytes: &'a [u8]) -> Self {
        let raw = kcfaes_iovec { base: bytes.as_ptr().cast_mut().cast(), len: bytes.len() };
        Self { raw, bytes: PhantomData }
    }
}

impl<'a> PieceMut<'a> {
    /// All of `bytes` as a piece.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        let raw = kcfaes_iovec { base: bytes.as_mut_ptr().cast(), len: bytes.len() };
        Self { raw, bytes: PhantomData }
    }
}

// SAFETY: a piece is a `&[u8]`, and one that is written a `&mut [u8]`. Here and below.
unsafe impl Send for Piece<'_> {}
// SAFETY: as above.
unsafe impl Sync for Piece<'_> {}
// SAFETY: as above.
unsafe impl Send for PieceMut<'_> {}
// SAFETY: as above.
unsafe impl Sync for PieceMut<'_> {}

impl fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("len", &self.raw.len).finish_non_exhaustive()
    }
}

impl fmt::Debug for PieceMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceMut").field("len", &self.raw.len).finish_non_exhaustive()
    }
}

/// The text of a call: what it reads, and where it writes.
///
/// | made from | means |
/// |---|---|
/// | `&mut [u8]` | a buffer, in place |
/// | `(&[u8], &mut [u8])` | one buffer to another, which is as long or longer |
/// | `&mut [PieceMut]` | a list of pieces, in place |
/// | `(&[Piece], &mut [PieceMut])` | one list to another, cut anywhere: all of the first, to the first bytes of the second |
///
/// With the feature `std`, on Unix, a list may consist of the standard library's `IoSlice` and `IoSliceMut`. With
/// the feature `cipher` RustCrypto's `InOutBuf` is a text.
pub struct Text<'a> {
    pub(crate) place: Place,
    life: PhantomData<&'a mut [u8]>,
}

/// What a MAC is made of: a buffer, `&[u8]`, or a list of pieces, `&[Piece]`.
pub struct Message<'a> {
    pub(crate) source: Source,
    life: PhantomData<&'a [u8]>,
}

/// The pointers of a [`Text`]: valid for as many bytes as is said; the output is the input or shares no byte
/// with it.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Buffer {
        src: *const u8,
        len: usize,
        dst: *mut u8,
        room: usize,
    },
    Pieces {
        src: *const kcfaes_iovec,
        src_count: usize,
        dst: *const kcfaes_iovec,
        dst_count: usize,
    },
}

/// The pointers of a [`Message`].
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Buffer(*const u8, usize),
    Pieces(*const kcfaes_iovec, usize),
}

impl Text<'_> {
    fn of(place: Place) -> Self {
        Self { place, life: PhantomData }
    }

    fn pieces(
        src: *const kcfaes_iovec,
        src_count: usize,
        dst: *const kcfaes_iovec,
        dst_count: usize,
    ) -> Self {
        Self::of(Place::Pieces { src, src_count, dst, dst_count })
    }

    /// The pointers for a call that writes as many bytes as it reads. Of buffers the C API takes one length.
    pub(crate) fn whole(&self) -> Result<Place> {
        match self.place {
            Place::Buffer { len, room, .. } if room < len => Err(Error::TooSmall),
            place => Ok(place),
        }
    }
}

impl<'a> From<&'a mut [u8]> for Text<'a> {
    fn from(text: &'a mut [u8]) -> Self {
        let (dst, len) = (text.as_mut_ptr(), text.len());
        Self::of(Place::Buffer { src: dst, len, dst, room: len })
    }
}

impl<'a, const N: usize> From<&'a mut [u8; N]> for Text<'a> {
    fn from(text: &'a mut [u8; N]) -> Self {
        Self::from(text.as_mut_slice())
    }
}

impl<'a> From<(&'a [u8], &'a mut [u8])> for Text<'a> {
    fn from((src, dst): (&'a [u8], &'a mut [u8])) -> Self {
        let (len, room) = (src.len(), dst.len());
        Self::of(Place::Buffer { src: src.as_ptr(), len, dst: dst.as_mut_ptr(), room })
    }
}

impl<'a> From<&'a mut [PieceMut<'_>]> for Text<'a> {
    fn from(list: &'a mut [PieceMut<'_>]) -> Self {
        let (at, count) = (list.as_ptr().cast(), list.len());
        Self::pieces(at, count, at, count)
    }
}

impl<'a> From<(&'a [Piece<'_>], &'a mut [PieceMut<'_>])> for Text<'a> {
    fn from((src, dst): (&'a [Piece<'_>], &'a mut [PieceMut<'_>])) -> Self {
        Self::pieces(src.as_ptr().cast(), src.len(), dst.as_ptr().cast(), dst.len())
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { source: Source::Buffer(bytes.as_ptr(), bytes.len()), life: PhantomData }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'a> From<&'a [Piece<'_>]> for Message<'a> {
    fn from(list: &'a [Piece<'_>]) -> Self {
        Self { source: Source::Pieces(list.as_ptr().cast(), list.len()), life: PhantomData }
    }
}

// The standard library promises that its slices are laid out as the system's iovec, and so are ours.
#[cfg(all(feature = "std", unix))]
mod io {
    use std::io::{IoSlice, IoSliceMut};

    use super::{Message, PhantomData, Source, Text};

    impl<'a> From<&'a mut [IoSliceMut<'_>]> for Text<'a> {
        fn from(list: &'a mut [IoSliceMut<'_>]) -> Self {
            let (at, count) = (list.as_ptr().cast(), list.len());
            Self::pieces(at, count, at, count)
        }
    }

    impl<'a> From<(&'a [IoSlice<'_>], &'a mut [IoSliceMut<'_>])> for Text<'a> {
        fn from((src, dst): (&'a [IoSlice<'_>], &'a mut [IoSliceMut<'_>])) -> Self {
            Self::pieces(src.as_ptr().cast(), src.len(), dst.as_ptr().cast(), dst.len())
        }
    }

    impl<'a> From<&'a [IoSlice<'_>]> for Message<'a> {
        fn from(list: &'a [IoSlice<'_>]) -> Self {
            Self { source: Source::Pieces(list.as_ptr().cast(), list.len()), life: PhantomData }
        }
    }
}

#[cfg(feature = "cipher")]
impl<'a> From<cipher::InOutBuf<'a, 'a, u8>> for Text<'a> {
    fn from(text: cipher::InOutBuf<'a, 'a, u8>) -> Self {
        let len = text.len();
        let (src, dst) = text.into_raw();
        Self::of(Place::Buffer { src, len, dst, room: len })
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").finish_non_exhaustive()
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").finish_non_exhaustive()
    }
}
