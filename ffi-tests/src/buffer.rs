// SPDX-License-Identifier: MIT OR Apache-2.0
//! `crypto_data_t` of every format, over bytes cut into any pieces.

use core::ffi::c_int;

use kcfaes_provider::kcf::{
    CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, iovec_t, mblk_t, uio_t,
};
use kcfaes_vectors::Stream;

/// The three formats of KCF data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `CRYPTO_DATA_RAW`
    Raw,
    /// `CRYPTO_DATA_UIO`
    Uio,
    /// `CRYPTO_DATA_MBLK`
    Mblk,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Uio, Self::Mblk];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Uio => "uio",
            Self::Mblk => "mblk",
        }
    }
}

/// Bytes in pieces, and the list that names them. The memory does not move while the buffer lives. Each
/// piece is a separate allocation, so that a sanitizer sees an access past its end.
pub struct Buffer {
    format: Format,
    pieces: Vec<Box<[u8]>>,
    iov: Box<[iovec_t]>,
    uio: Box<uio_t>,
    mblk: Box<[mblk_t]>,
}

impl Buffer {
    /// `bytes` in pieces of these lengths, which must add up to its length. A raw buffer has one piece.
    pub fn new(format: Format, bytes: &[u8], lengths: &[usize]) -> Self {
        let whole = [bytes.len()];
        let lengths = if format == Format::Raw { &whole } else { lengths };
        assert_eq!(lengths.iter().sum::<usize>(), bytes.len());
        let mut rest = bytes;
        let mut pieces = Vec::new();
        for &n in lengths {
            let (now, later) = rest.split_at(n);
            pieces.push(now.to_vec().into_boxed_slice());
            rest = later;
        }
        let mut iov: Box<[iovec_t]> = pieces
            .iter_mut()
            .map(|p| iovec_t { iov_base: p.as_mut_ptr().cast(), iov_len: p.len() })
            .collect();
        let uio = Box::new(uio_t {
            uio_iov: iov.as_mut_ptr(),
            uio_iovcnt: iov.len() as c_int,
            _uio_offset: 0x1111,
            uio_segflg: UIO_SYSSPACE,
            uio_fmode: 0x22,
            uio_extflg: 0x33,
            _uio_limit: 0x4444,
            uio_resid: 0x5555,
        });
        let mut mblk: Box<[mblk_t]> = pieces
            .iter_mut()
            .map(|p| mblk_t {
                b_next: core::ptr::null_mut(),
                b_prev: core::ptr::null_mut(),
                b_cont: core::ptr::null_mut(),
                b_rptr: p.as_mut_ptr(),
                b_wptr: p.as_mut_ptr_range().end,
                b_datap: core::ptr::null_mut(),
                b_band: 0,
                b_tag: 0,
                b_flag: 0,
                b_queue: core::ptr::null_mut(),
            })
            .collect();
        for i in (1..mblk.len()).rev() {
            let next = &raw mut mblk[i];
            mblk[i - 1].b_cont = next;
        }
        Self { format, pieces, iov, uio, mblk }
    }

    /// Room for `len` bytes, filled with [`FILL`].
    pub fn room(format: Format, len: usize, lengths: &[usize]) -> Self {
        Self::new(format, &vec![FILL; len], lengths)
    }

    /// All bytes, in one vector.
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// The list, with the window `offset .. offset + length`.
    pub fn data(&mut self, offset: usize, length: usize) -> crypto_data_t {
        let cdu = match self.format {
            Format::Raw => crypto_data_cdu_t { cdu_raw: self.iov[0] },
            Format::Uio => crypto_data_cdu_t { cdu_uio: &raw mut *self.uio },
            Format::Mblk => crypto_data_cdu_t { cdu_mp: self.mblk.as_mut_ptr() },
        };
        crypto_data_t {
            cd_format: match self.format {
                Format::Raw => CRYPTO_DATA_RAW,
                Format::Uio => CRYPTO_DATA_UIO,
                Format::Mblk => CRYPTO_DATA_MBLK,
            },
            cd_offset: offset as i64,
            cd_length: length,
            cd_miscdata: core::ptr::null_mut(),
            cdu,
        }
    }

    /// The uio, to be damaged.
    pub fn uio(&mut self) -> &mut uio_t {
        &mut self.uio
    }

    /// The iovecs, to be damaged.
    pub fn iov(&mut self) -> &mut [iovec_t] {
        &mut self.iov
    }

    /// The message blocks, to be damaged.
    pub fn mblk(&mut self) -> &mut [mblk_t] {
        &mut self.mblk
    }

    /// Whether the lists are as [`Buffer::new`] made them. No entry point may write them.
    pub fn lists_untouched(&self) -> bool {
        let iov = self.iov.iter().zip(&self.pieces).all(|(iov, p)| {
            core::ptr::eq(iov.iov_base.cast(), p.as_ptr()) && iov.iov_len == p.len()
        });
        let mblk = self.mblk.iter().zip(&self.pieces).all(|(mp, p)| {
            core::ptr::eq(mp.b_rptr, p.as_ptr()) && core::ptr::eq(mp.b_wptr, p.as_ptr_range().end)
        });
        let uio = &self.uio;
        iov && mblk
            && (uio._uio_offset, uio._uio_limit, uio.uio_resid) == (0x1111, 0x4444, 0x5555)
            && uio.uio_iovcnt as usize == self.iov.len()
            && core::ptr::eq(uio.uio_iov, self.iov.as_ptr())
    }
}

/// What fills memory that a call must not touch.
pub const FILL: u8 = 0xa5;

/// How bytes are cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// One piece.
    Whole,
    /// A few pieces of arbitrary lengths, some of them empty.
    Few,
    /// Pieces of 1 to 17 bytes, some of them empty.
    Crumbs,
}

impl Cut {
    /// Lengths that add up to `len`.
    pub fn lengths(self, len: usize, random: &mut Stream) -> Vec<usize> {
        let most = match self {
            Self::Whole => return vec![len],
            Self::Few => len.div_ceil(3).max(1),
            Self::Crumbs => 17,
        };
        let mut left = len;
        let mut lengths = Vec::new();
        while left > 0 {
            let draw = u32::from_le_bytes(random.draw(4).try_into().expect("4 bytes")) as usize;
            let n = if draw & 7 == 0 { 0 } else { (1 + (draw >> 3) % most).min(left) };
            lengths.push(n);
            left -= n;
        }
        lengths.push(0);
        lengths
    }
}

/// A number below `bound`.
pub fn below(random: &mut Stream, bound: usize) -> usize {
    u32::from_le_bytes(random.draw(4).try_into().expect("4 bytes")) as usize % bound
}
