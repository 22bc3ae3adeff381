// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists of pieces.
//!
//! And input and output, a buffer or a list, as KCF describes them to the provider.

use core::ffi::{c_int, c_void};

use kcfaes_kernels::Block;
use kcfaes_provider::data::{Data, Io, Run, exists};
use kcfaes_provider::kcf::{
    CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, Error, Result, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, iovec_t, uio_t,
};

/// One piece of scattered input or output, laid out as the system's struct iovec. Pieces may have
/// any length, 0 too, and text is cut among those of input and output independently. A function over
/// pieces takes all bytes of src, to the first bytes of dst. KCFAES_BUFFER_TOO_SMALL: dst has fewer.
/// KCFAES_ARGUMENTS_BAD: before its text ends, a list has more than 1048576 pieces, or more than
/// 65536 empty ones in a row.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kcfaes_iovec {
    /// First byte.
    pub base: *mut c_void,
    /// Bytes.
    pub len: usize,
}

const _: () = {
    assert!(size_of::<kcfaes_iovec>() == size_of::<iovec_t>());
    assert!(core::mem::offset_of!(kcfaes_iovec, base) == core::mem::offset_of!(iovec_t, iov_base));
    assert!(core::mem::offset_of!(kcfaes_iovec, len) == core::mem::offset_of!(iovec_t, iov_len));
};

/// Input or output of a function.
#[derive(Clone, Copy)]
pub(super) enum Bytes {
    Buffer(*mut u8, usize),
    Pieces(*const kcfaes_iovec, usize),
}

pub(super) const NO_PIECES: uio_t = uio_t {
    uio_iov: core::ptr::null_mut(),
    uio_iovcnt: 0,
    _uio_offset: 0,
    uio_segflg: UIO_SYSSPACE,
    uio_fmode: 0,
    uio_extflg: 0,
    _uio_limit: 0,
    uio_resid: 0,
};

impl Bytes {
    /// The same, to be passed to a function that takes its address. So only what is made here is in memory.
    #[inline(always)]
    pub(super) fn again(self) -> Self {
        match self {
            Self::Buffer(at, len) => Self::Buffer(at, len),
            Self::Pieces(at, count) => Self::Pieces(at, count),
        }
    }

    #[inline(always)]
    pub(super) fn input(at: *const u8, len: usize) -> Self {
        Self::Buffer(at.cast_mut(), len)
    }

    /// The input, and as much of the output, as one run, if both are buffers with which nothing is wrong.
    #[inline(always)]
    pub(super) unsafe fn as_run<'a>(src: Self, dst: Self) -> Option<Run<'a>> {
        match (src, dst) {
            // SAFETY: the common contract.
            (Self::Buffer(from, len), Self::Buffer(to, room)) if len <= room => unsafe {
                Run::between(from, to, len)
            },
            _ => None,
        }
    }

    /// The bytes, if they are a buffer with which nothing is wrong.
    #[inline(always)]
    pub(super) unsafe fn contiguous<'a>(self) -> Option<&'a [u8]> {
        match self {
            // SAFETY: the common contract.
            Self::Buffer(at, len) if exists(at, len) => unsafe { readable(at, len).ok() },
            _ => None,
        }
    }

    /// Whether it is a buffer without any byte of `block`.
    #[inline(always)]
    pub(super) fn leaves_out(self, block: *const [u8; 16]) -> bool {
        match self {
            Self::Buffer(at, len) => {
                let (at, block) = (at.addr(), block.addr());
                block.wrapping_add(16) <= at || at.wrapping_add(len) <= block
            }
            Self::Pieces(..) => false,
        }
    }

    /// The number of bytes in all.
    unsafe fn len(self) -> Result<usize> {
        match self {
            Self::Buffer(_, len) => Ok(len),
            Self::Pieces(_, 0) => Ok(0),
            Self::Pieces(at, count) => {
                self.as_uio()?;
                // SAFETY: the common contract; it is a list, so neither NULL nor misaligned.
                let pieces = unsafe { core::slice::from_raw_parts(at, count) };
                pieces
                    .iter()
                    .try_fold(0usize, |sum, piece| sum.checked_add(piece.len))
                    .ok_or(Error::ARGUMENTS_BAD)
            }
        }
    }

    /// The number of bytes in all, as a parameter states it.
    pub(super) unsafe fn text_len(self) -> Result<u64> {
        // SAFETY: the common contract.
        unsafe { self.len() }.map(|len| len as u64)
    }

    /// A list of the pieces; an empty list for a buffer.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD` for pieces where none are possible, or more than a uio counts.
    fn as_uio(self) -> Result<uio_t> {
        let Self::Pieces(at, count) = self else {
            return Ok(NO_PIECES);
        };
        if count > 0 && (at.is_null() || !at.is_aligned()) {
            return Err(Error::ARGUMENTS_BAD);
        }
        let uio_iov = at.cast::<iovec_t>().cast_mut();
        let uio_iovcnt = c_int::try_from(count).map_err(|_| Error::ARGUMENTS_BAD)?;
        Ok(uio_t { uio_iov, uio_iovcnt, ..NO_PIECES })
    }

    /// The first `len` bytes, or room for them, as KCF describes them; `list` is [`Bytes::as_uio`].
    pub(super) fn as_crypto_data(self, list: &uio_t, len: usize) -> crypto_data_t {
        let (cd_format, cdu) = match self {
            Self::Buffer(at, len) => {
                let cdu_raw = iovec_t { iov_base: at.cast(), iov_len: len };
                (CRYPTO_DATA_RAW, crypto_data_cdu_t { cdu_raw })
            }
            Self::Pieces(..) => {
                let cdu_uio = core::ptr::from_ref(list).cast_mut();
                (CRYPTO_DATA_UIO, crypto_data_cdu_t { cdu_uio })
            }
        };
        let cd_miscdata = core::ptr::null_mut();
        crypto_data_t { cd_format, cd_offset: 0, cd_length: len, cd_miscdata, cdu }
    }
}

/// Describes input and output to the provider.
pub(super) unsafe fn with_io<R>(
    src: Bytes,
    dst: Bytes,
    work: impl FnOnce(&Io<'_>) -> Result<R>,
) -> Result<R> {
    let (src_list, dst_list) = (src.as_uio()?, dst.as_uio()?);
    // A walk of an output list finds out whether it has the room.
    let room = match dst {
        Bytes::Buffer(_, room) => room,
        Bytes::Pieces(..) => usize::MAX,
    };
    // SAFETY: the common contract; the lists outlive the work.
    unsafe {
        let (src, dst) =
            (src.as_crypto_data(&src_list, src.len()?), dst.as_crypto_data(&dst_list, room));
        work(&Io { src: Data::new(&src), dst: Some(Data::new(&dst)), req: core::ptr::null_mut() })
    }
}

/// `len` bytes to read.
#[inline(always)]
pub(super) unsafe fn readable<'a>(at: *const u8, len: usize) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if at.is_null() || len > isize::MAX as usize {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract; not NULL.
    Ok(unsafe { core::slice::from_raw_parts(at, len) })
}

/// The 16 bytes of an IV or counter.
pub(super) unsafe fn read_block(at: *const u8) -> Result<Block> {
    if at.is_null() {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract; not NULL, and bytes need no alignment.
    Ok(Block(unsafe { at.cast::<[u8; 16]>().read() }))
}
