// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory of a consumer: bytes in pieces, and the list that passes them to KCF.

use core::ffi::{c_char, c_int};

use kcfaes_ffi_tests::buffer::{FILL, Format};
use kcfaes_provider::kcf::{
    CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, iovec_t, mblk_t, uio_t,
};

const LINE: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

/// Bytes in pieces that do not touch. Each byte has the place in its cache line that it would have in
/// one piece. So two cuts of the same bytes differ only in the cut.
pub(crate) struct Memory {
    format: Format,
    pages: Box<[Page]>,
    /// Where each piece begins in `pages`, and its length.
    pieces: Vec<(usize, usize)>,
    iov: Box<[iovec_t]>,
    uio: Box<uio_t>,
    mblk: Box<[mblk_t]>,
}

impl Memory {
    /// `bytes` in pieces of these lengths, which must add up.
    pub(crate) fn new(format: Format, bytes: &[u8], lengths: &[usize]) -> Self {
        assert_eq!(lengths.iter().sum::<usize>(), bytes.len(), "pieces of {lengths:?}");
        assert!(format != Format::Raw || lengths.len() == 1, "raw in {lengths:?}");
        let mut pieces = Vec::new();
        let (mut at, mut total) = (0_usize, 0);
        for &len in lengths {
            let start = at.next_multiple_of(LINE) + total % LINE;
            pieces.push((start, len));
            (at, total) = (start + len + LINE, total + len);
        }
        let mut pages = vec![Page([FILL; 4096]); at.div_ceil(4096)].into_boxed_slice();
        let base = pages.as_mut_ptr().cast::<u8>();
        // The pieces are inside `pages`.
        let places = || pieces.iter().map(|&(start, len)| (base.wrapping_add(start), len));
        let mut iov: Box<[iovec_t]> =
            places().map(|(at, len)| iovec_t { iov_base: at.cast(), iov_len: len }).collect();
        let uio = Box::new(uio_t {
            uio_iov: iov.as_mut_ptr(),
            uio_iovcnt: iov.len() as c_int,
            _uio_offset: 0,
            uio_segflg: UIO_SYSSPACE,
            uio_fmode: 0,
            uio_extflg: 0,
            _uio_limit: 0,
            uio_resid: bytes.len() as isize,
        });
        let null = core::ptr::null_mut();
        let mut mblk: Box<[mblk_t]> = places()
            .map(|(at, len)| mblk_t {
                b_next: null,
                b_prev: null,
                b_cont: null,
                b_rptr: at,
                b_wptr: at.wrapping_add(len),
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
        let mut memory = Self { format, pages, pieces, iov, uio, mblk };
        memory.fill(bytes);
        memory
    }

    /// One piece, passed as one buffer.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self::new(Format::Raw, bytes, &[bytes.len()])
    }

    /// Room for output, in pieces of these lengths.
    pub(crate) fn room(format: Format, lengths: &[usize]) -> Self {
        Self::new(format, &vec![FILL; lengths.iter().sum()], lengths)
    }

    /// Puts `bytes` into the pieces.
    pub(crate) fn fill(&mut self, mut bytes: &[u8]) {
        let base = self.pages.as_mut_ptr().cast::<u8>();
        for &(start, len) in &self.pieces {
            let (now, later) = bytes.split_at(len);
            // SAFETY: the piece is inside the pages, which are ours.
            unsafe { base.add(start).copy_from_nonoverlapping(now.as_ptr(), len) };
            bytes = later;
        }
    }

    /// Puts `bytes` at `offset` of the whole.
    pub(crate) fn put(&mut self, mut offset: usize, mut bytes: &[u8]) {
        let base = self.pages.as_mut_ptr().cast::<u8>();
        for &(start, len) in &self.pieces {
            let n = len.saturating_sub(offset).min(bytes.len());
            let (now, later) = bytes.split_at(n);
            // SAFETY: as above.
            unsafe { base.add(start + offset.min(len)).copy_from_nonoverlapping(now.as_ptr(), n) };
            (offset, bytes) = (offset.saturating_sub(len), later);
        }
        assert!(bytes.is_empty(), "behind the last piece");
    }

    /// The bytes of all pieces. Nothing may have been written between the pieces.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let base = self.pages.as_ptr().cast::<u8>();
        // SAFETY: all of the pages, which are ours. No running call writes to them.
        let all = unsafe { core::slice::from_raw_parts(base, self.pages.len() * 4096) };
        let mut bytes = Vec::new();
        let mut end = 0;
        for &(start, len) in &self.pieces {
            assert!(all[end..start].iter().all(|&byte| byte == FILL), "written between pieces");
            end = start + len;
            bytes.extend_from_slice(&all[start..end]);
        }
        assert!(all[end..].iter().all(|&byte| byte == FILL), "written behind the last piece");
        bytes
    }

    /// The block at `offset` of the first piece.
    pub(crate) fn block(&self, offset: usize) -> [u8; 16] {
        let (start, len) = self.pieces[0];
        assert!(offset + 16 <= len, "inside of the piece");
        let at = self.pages.as_ptr().cast::<u8>().wrapping_add(start + offset);
        // SAFETY: inside the pages. No running call writes to them.
        unsafe { at.cast::<[u8; 16]>().read() }
    }

    /// Address of a byte of the first piece.
    pub(crate) fn address(&mut self, offset: usize) -> *mut c_char {
        let (start, len) = self.pieces[0];
        assert!(offset <= len);
        self.pages.as_mut_ptr().cast::<c_char>().wrapping_add(start + offset)
    }

    /// The window of `length` bytes from `offset`, in the form for KCF.
    pub(crate) fn data(&mut self, offset: usize, length: usize) -> crypto_data_t {
        let (cd_format, cdu) = match self.format {
            Format::Raw => (CRYPTO_DATA_RAW, crypto_data_cdu_t { cdu_raw: self.iov[0] }),
            Format::Uio => (CRYPTO_DATA_UIO, crypto_data_cdu_t { cdu_uio: &raw mut *self.uio }),
            Format::Mblk => {
                (CRYPTO_DATA_MBLK, crypto_data_cdu_t { cdu_mp: self.mblk.as_mut_ptr() })
            }
        };
        let cd_miscdata = core::ptr::null_mut();
        crypto_data_t { cd_format, cd_offset: offset as i64, cd_length: length, cd_miscdata, cdu }
    }
}

/// `len` in `count` pieces that are as equal as multiples of `unit` can be.
pub(crate) fn even(len: usize, count: usize, unit: usize) -> Vec<usize> {
    let piece = len / count / unit * unit;
    let mut lengths = vec![piece; count];
    lengths[count - 1] += len - piece * count;
    lengths
}

/// `len` in `count` pieces of odd lengths. Only the last has the length that is left. None is half as
/// long again as the average. `phase` tells cuts apart.
pub(crate) fn odd(len: usize, count: usize, phase: usize) -> Vec<usize> {
    let piece = len / count;
    let mut cut = 0;
    let mut lengths: Vec<_> = (1..count)
        .map(|i| {
            let swing = (i * 37 + phase * 53) % (piece / 2 + 1);
            let length = (i * piece + swing - piece / 4 - cut) | 1;
            cut += length;
            length
        })
        .collect();
    lengths.push(len - cut);
    lengths
}
