// SPDX-License-Identifier: MIT OR Apache-2.0
//! The data of a call: an input, and an output or none.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::pair::{Pair, Sink};
use super::segments::{Extent, exists};
use super::{Overlap, Run, Segments};
use crate::kcf::{
    CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, Error, Result, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, crypto_req_handle_t, iovec_t, uio_t,
};

/// A `crypto_data_t` whose pointers the caller has vouched for. It is only read.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    data: &'a crypto_data_t,
}

/// Bytes of our own, described as KCF describes them.
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

/// Bytes of our own in two pieces.
pub struct Halves<'a> {
    iov: [iovec_t; 2],
    uio: uio_t,
    data: crypto_data_t,
    _borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Halves<'a> {
    /// All of `bytes`, cut after the first `at` bytes, or after the last one if there are fewer.
    pub fn new(bytes: &'a mut [u8], at: usize) -> Self {
        let mut data = Flat::new(bytes).data;
        data.cd_format = CRYPTO_DATA_UIO;
        let len = data.cd_length;
        let at = at.min(len);
        // SAFETY: the format is still a raw buffer.
        let base = unsafe { data.cdu.cdu_raw.iov_base.cast::<u8>() };
        let piece =
            |at: usize, len| iovec_t { iov_base: base.wrapping_add(at).cast(), iov_len: len };
        let uio = uio_t {
            uio_iov: core::ptr::null_mut(),
            uio_iovcnt: 2,
            _uio_offset: 0,
            uio_segflg: UIO_SYSSPACE,
            uio_fmode: 0,
            uio_extflg: 0,
            _uio_limit: 0,
            uio_resid: len as isize,
        };
        Self { iov: [piece(0, at), piece(at, len - at)], uio, data, _borrow: PhantomData }
    }

    /// As input or output.
    pub fn data(&mut self) -> Data<'_> {
        self.uio.uio_iov = self.iov.as_mut_ptr();
        self.data.cdu.cdu_uio = &raw mut self.uio;
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
    /// As [`Io::pair`].
    pub fn input(&self) -> Result<Segments<'a>> {
        let mut window = Segments::empty();
        self.open_input(&mut window, &mut { Extent::NONE })?;
        Ok(window)
    }

    /// Room for `needed` bytes of output. Its list may be shorter than `cd_length`: only the bytes that will
    /// be written count.
    ///
    /// # Errors
    /// As [`Io::pair`].
    pub fn output(&self, needed: usize) -> Result<Segments<'a>> {
        let mut window = Segments::empty();
        self.open_output(&mut window, needed, &mut { Extent::NONE })?;
        Ok(window)
    }

    /// Whether `cd_length` has room for `needed` bytes.
    ///
    /// # Errors
    /// `Room(needed)`
    fn check_room(&self, needed: usize) -> Result<()> {
        if self.len() < needed { Err(Error::Room(needed)) } else { Ok(()) }
    }

    /// The address of the first `len` bytes, if there is at least one, the first piece has them all, and
    /// nothing is wrong.
    #[inline(always)]
    fn in_first_piece(&self, len: usize) -> Option<NonNull<u8>> {
        let (at, most) = if self.data.cd_format == CRYPTO_DATA_RAW {
            // SAFETY: vouched for; the format says which member is set.
            let iov = unsafe { self.data.cdu.cdu_raw };
            (iov.iov_base.cast::<u8>(), iov.iov_len)
        } else {
            // SAFETY: vouched for.
            unsafe { Segments::first_piece(self.data)? }
        };
        let offset = usize::try_from(self.data.cd_offset).ok()?;
        let end = offset.checked_add(len)?;
        let sound = len > 0 && end <= most && exists(at, end);
        NonNull::new(at.wrapping_add(offset)).filter(|_| sound)
    }

    /// Whether both are the same list from the same place on.
    fn same_list(&self, other: &Self) -> bool {
        let place = |data: &crypto_data_t| {
            // SAFETY: each member begins with a pointer.
            (data.cd_format, data.cd_offset, unsafe { data.cdu.cdu_mp })
        };
        self.data.cd_format != CRYPTO_DATA_RAW && place(self.data) == place(other.data)
    }

    /// The first `len` bytes; see [`Segments::open`].
    #[inline(always)]
    fn open(
        &self,
        window: &mut Segments<'a>,
        len: usize,
        short: Error,
        extent: &mut Extent,
    ) -> Result<()> {
        // SAFETY: vouched for.
        unsafe { window.open(self.data, len, short, extent) }
    }

    /// The error of an input that ends early.
    fn short(&self) -> Error {
        match self.data.cd_format {
            CRYPTO_DATA_RAW => Error::ARGUMENTS_BAD,
            _ => Error::DATA_LEN_RANGE,
        }
    }

    #[inline(always)]
    fn open_input(&self, window: &mut Segments<'a>, extent: &mut Extent) -> Result<()> {
        self.open(window, self.len(), self.short(), extent)
    }

    #[inline(always)]
    fn open_output(
        &self,
        window: &mut Segments<'a>,
        needed: usize,
        extent: &mut Extent,
    ) -> Result<()> {
        self.check_room(needed)?;
        if needed == 0 {
            *window = Segments::empty();
            return Ok(());
        }
        self.open(window, needed, Error::Room(needed), extent)
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
    /// The request, which says whether memory may be waited for.
    pub req: crypto_req_handle_t,
}

impl<'a> Io<'a> {
    /// The room for output.
    pub fn dst_or_src(&self) -> &Data<'a> {
        self.dst.as_ref().unwrap_or(&self.src)
    }

    /// The whole input, and `needed` bytes of output. Written to `room`, because a return value would be
    /// copied.
    ///
    /// # Errors
    /// In this order:
    ///
    /// 1. `Room(needed)`, by `cd_length`.
    /// 2. A fault of the input. `ARGUMENTS_BAD`: an unknown format, a negative offset, an offset and length
    ///    that overflow, a raw buffer that is too short, a uio in user space, a malformed piece, a chain that
    ///    loops. `DATA_LEN_RANGE`: a list that ends early.
    /// 3. A fault of the output, likewise, except that a list that ends early is `Room(needed)`. A raw output
    ///    is checked before an input is walked.
    /// 4. `HOST_MEMORY`, as [`Segments::overlap`].
    /// 5. `ARGUMENTS_BAD`, if they overlap at different places.
    pub fn pair<'p>(
        &self,
        needed: usize,
        room: &'p mut MaybeUninit<Pair<'a>>,
    ) -> Result<&'p mut Pair<'a>> {
        self.open(needed, room, May::Alias)
    }

    /// As [`pair`](Self::pair), for an output that may share no byte with the input.
    ///
    /// # Errors
    /// As [`pair`](Self::pair), but `shared` if they overlap at all, in place included.
    pub fn pair_apart<'p>(
        &self,
        needed: usize,
        room: &'p mut MaybeUninit<Pair<'a>>,
        shared: Error,
    ) -> Result<&'p mut Pair<'a>> {
        if self.dst.is_none() {
            return Err(shared);
        }
        self.open(needed, room, May::Nothing(shared))
    }

    /// The whole input, which is only read; and separately `needed` bytes of output, which may overlap it.
    ///
    /// # Errors
    /// As [`pair`](Self::pair), whatever the overlap.
    pub fn pair_unmixed<'p>(
        &self,
        needed: usize,
        room: &'p mut MaybeUninit<Pair<'a>>,
    ) -> Result<&'p mut Pair<'a>> {
        self.open(needed, room, May::Anything)
    }

    /// Opens both windows. It first assumes that nothing is in pieces or wrong: that takes a third of the
    /// time.
    #[inline(never)]
    fn open<'p>(
        &self,
        needed: usize,
        room: &'p mut MaybeUninit<Pair<'a>>,
        may: May,
    ) -> Result<&'p mut Pair<'a>> {
        // Only raw buffers are tried: most lists in one piece have taken the direct path.
        let raw = |data: &Data<'_>| data.data.cd_format == CRYPTO_DATA_RAW;
        if !raw(&self.src) || !raw(self.dst_or_src()) {
            return self.open_lists(needed, room, may);
        }
        let unmixed = matches!(may, May::Anything);
        let Some((from, to)) = self.contiguous(needed, unmixed) else {
            return self.open_lists(needed, room, may);
        };
        let to_len = if self.dst.is_some() { needed } else { self.src.len() };
        let sink = match may {
            May::Anything => Sink::None,
            _ if from.as_ptr() != to => Sink::Apart,
            May::Alias => Sink::Aliased,
            May::Nothing(shared) => return Err(shared),
        };
        let src = Segments::raw(from.as_ptr(), self.src.len());
        Ok(room.write(Pair { src, dst: Segments::raw(to, to_len), sink }))
    }

    /// The text of a whole message whose output has `needed` bytes: as many as both sides have. `None` if a
    /// side has no bytes, or not all of them in its first piece, if an IV comes with the input, or if
    /// anything is wrong.
    #[inline(always)]
    pub(crate) fn run(&self, needed: usize) -> Option<Run<'a>> {
        if !self.src.data.cd_miscdata.is_null() {
            return None;
        }
        let (from, to) = self.contiguous(needed, false)?;
        let len = self.src.len().min(needed);
        // SAFETY: vouched for; `contiguous` has found that the sides are equal or share nothing.
        unsafe { Some(Run::new(from.as_ptr(), to, len)) }
    }

    /// The tag that one of the sides of [`run`](Self::run) has after it: bytes of the output if they are more
    /// than those of the input, otherwise of the input.
    #[inline(always)]
    pub(crate) fn behind(&self, run: &Run<'a>, needed: usize) -> Run<'a> {
        let all = self.src.len();
        let at = if needed > all { run.dst() } else { run.src().cast_mut() };
        let tag = at.wrapping_add(run.len());
        // SAFETY: as in `run`.
        unsafe { Run::new(tag, tag, needed.max(all) - run.len()) }
    }

    /// A message that is only read, and room for `needed` bytes of output that the first piece of the output
    /// has, as a run in place. `None` as in [`run`](Self::run); they may overlap.
    #[inline(always)]
    pub(crate) fn message(&self, needed: usize) -> Option<(&'a [u8], Run<'a>)> {
        let len = self.src.len();
        let (from, to) = self.contiguous(needed, true)?;
        // SAFETY: vouched for; `contiguous` has checked the ranges. The output is written when the message is
        // no longer read.
        unsafe { Some((core::slice::from_raw_parts(from.as_ptr(), len), Run::new(to, to, needed))) }
    }

    /// The beginnings of both windows, if each is in one piece and nothing is wrong. Unless they are
    /// `unmixed`, they are the same, or the windows share no byte.
    #[inline(never)]
    fn contiguous(&self, needed: usize, unmixed: bool) -> Option<(NonNull<u8>, *mut u8)> {
        let len = self.src.len();
        let from = self.src.in_first_piece(len)?;
        let (to, to_len) = match &self.dst {
            None => (from.as_ptr(), len),
            Some(dst) => (dst.in_first_piece(needed)?.as_ptr(), needed),
        };
        let ahead = to.addr().wrapping_sub(from.addr().get());
        let sound = unmixed || ahead == 0 || ahead >= len && ahead.wrapping_neg() >= to_len;
        (sound && self.dst_or_src().len() >= needed).then_some((from, to))
    }

    /// Opens both windows. A raw output is refused before the input is walked, so that a caller with a long
    /// list and no room does not wait.
    #[inline(never)]
    fn open_lists<'p>(
        &self,
        needed: usize,
        room: &'p mut MaybeUninit<Pair<'a>>,
        may: May,
    ) -> Result<&'p mut Pair<'a>> {
        let (len, out) = (self.src.len(), self.dst_or_src());
        out.check_room(needed)?;
        if needed > 0 && out.data.cd_format == CRYPTO_DATA_RAW {
            // SAFETY: vouched for.
            unsafe {
                Segments::refuse(self.src.data, len, self.src.short())?;
                Segments::refuse(out.data, needed, Error::Room(needed))?;
            }
        }
        let pair = room.write(Pair::empty());
        let Pair { src, dst, .. } = pair;
        let (mut from, mut to) = (Extent::NONE, Extent::NONE);
        // If both are the same list from the same place on, it is walked once. If that finds a fault, two
        // walks find out which of the two it is in.
        let both = len.max(needed);
        let one = out.same_list(&self.src)
            && out.open(src, both, Error::DATA_LEN_RANGE, &mut from).is_ok();
        if one {
            dst.clone_from(src);
            src.limit(len);
            dst.limit(needed);
        } else {
            self.src.open_input(src, &mut from)?;
            out.open_output(dst, needed, &mut to)?;
        }
        let overlap = match may {
            May::Anything => return Ok(pair),
            _ if one => Overlap::Exact,
            _ if from.apart(to) => Overlap::None,
            _ => src.overlap(dst, self.req)?,
        };
        pair.sink = match (overlap, may) {
            (Overlap::None, _) => Sink::Apart,
            (_, May::Nothing(shared)) => return Err(shared),
            (Overlap::Exact, _) => Sink::Aliased,
            (Overlap::Partial, _) => return Err(Error::ARGUMENTS_BAD),
        };
        Ok(pair)
    }
}

/// What the output may share with the input.
#[derive(Clone, Copy)]
enum May {
    /// Only bytes at the same place in both. With others the result would depend on the order of the bytes.
    Alias,
    /// Nothing; otherwise this is the error.
    Nothing(Error),
    /// Anything: the input is read before the output is written.
    Anything,
}
