// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an entry point was given: an input, and an output or none.

use core::marker::PhantomData;

use super::{Pair, Segments};
use crate::kcf::{CRYPTO_DATA_RAW, Error, Result, crypto_data_cdu_t, crypto_data_t, iovec_t};

/// A `crypto_data_t` whose pointers the caller has vouched for; only read.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    data: &'a crypto_data_t,
}

/// Bytes of our own, described as KCF would.
pub struct Flat<'a> {
    data: crypto_data_t,
    _borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Flat<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        let raw = iovec_t { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        let data = crypto_data_t {
            cd_format: CRYPTO_DATA_RAW,
            cd_offset: 0,
            cd_length: bytes.len(),
            cd_miscdata: core::ptr::null_mut(),
            cdu: crypto_data_cdu_t { cdu_raw: raw },
        };
        Self { data, _borrow: PhantomData }
    }

    /// As input or output.
    pub fn data(&mut self) -> Data<'_> {
        Data { data: &self.data }
    }
}

impl<'a> Data<'a> {
    /// Vouches for `data`.
    ///
    /// # Safety
    /// For `'a` its list is readable, the bytes that it names are readable (and writable if it is
    /// an output or transformed in place), and `cd_miscdata` is NULL or readable for 16 bytes.
    pub unsafe fn new(data: &'a crypto_data_t) -> Self {
        Self { data }
    }

    /// Bytes to process, or room: `cd_length`.
    pub fn len(&self) -> usize {
        self.data.cd_length
    }

    /// Whether `cd_length` is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as an input.
    ///
    /// # Errors
    /// As [`Segments::input`].
    #[inline(always)]
    pub fn input(&self) -> Result<Segments<'a>> {
        // SAFETY: vouched for.
        unsafe { Segments::input(self.data) }
    }

    /// Room for `needed` bytes of output.
    ///
    /// # Errors
    /// As [`Segments::output`].
    #[inline(always)]
    pub fn output(&self, needed: usize) -> Result<Segments<'a>> {
        // SAFETY: vouched for.
        unsafe { Segments::output(self.data, needed) }
    }

    /// The IV that came with the input, if any.
    pub fn miscdata(&self) -> Option<[u8; 16]> {
        let at = self.data.cd_miscdata.cast::<[u8; 16]>();
        // SAFETY: vouched for; an array of bytes needs no alignment.
        (!at.is_null()).then(|| unsafe { at.read() })
    }
}

/// Input and output of one call.
#[derive(Clone, Copy)]
pub struct Io<'a> {
    /// The input.
    pub src: Data<'a>,
    /// The output; `None` means in place, where KCF passes NULL or the input's own struct.
    pub dst: Option<Data<'a>>,
}

impl<'a> Io<'a> {
    /// The room for output.
    pub fn dst_or_src(&self) -> &Data<'a> {
        self.dst.as_ref().unwrap_or(&self.src)
    }

    /// The whole input, and `needed` bytes of output.
    ///
    /// # Errors
    /// First `Room(needed)` by `cd_length`, then what is wrong with the input, then with the output,
    /// then `ARGUMENTS_BAD` where they overlap at different places.
    #[inline(always)]
    pub fn pair(&self, needed: usize) -> Result<Pair<'a>> {
        if self.dst_or_src().len() < needed {
            return Err(Error::Room(needed));
        }
        let src = self.src.input()?;
        match &self.dst {
            None => Ok(Pair::in_place(src)),
            Some(dst) => Pair::new(src, dst.output(needed)?),
        }
    }
}
