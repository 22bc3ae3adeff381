// SPDX-License-Identifier: MIT OR Apache-2.0
//! Input and output of an operation, walked together.

use core::mem::MaybeUninit;

use super::{Overlap, Run, Segments};
use crate::kcf::{Error, Result};

/// A source and where its transformed bytes go.
///
/// Invariant: the two share no byte, or only bytes at the same place of both.
#[derive(Clone)]
pub struct Pair<'a> {
    pub(super) src: Segments<'a>,
    /// Empty where nothing is written.
    pub(super) dst: Segments<'a>,
    pub(super) sink: Sink,
}

/// What the destination is to the source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// Nothing is written: the source is only hashed.
    None,
    /// Shares no byte with the source.
    Apart,
    /// Shares bytes with the source, at the same places.
    Aliased,
}

impl Sink {
    /// # Errors
    /// `ARGUMENTS_BAD` where the two overlap at different places: the result would depend on the
    /// order of the bytes.
    #[inline(always)]
    pub(super) fn of(overlap: Overlap) -> Result<Self> {
        match overlap {
            Overlap::None => Ok(Self::Apart),
            Overlap::Exact => Ok(Self::Aliased),
            Overlap::Partial => Err(Error::ARGUMENTS_BAD),
        }
    }
}

impl<'a> Pair<'a> {
    /// Nothing to read or write.
    #[inline(always)]
    pub(super) fn empty() -> Self {
        Self { src: Segments::empty(), dst: Segments::empty(), sink: Sink::None }
    }

    /// Reads and writes the same bytes.
    #[inline]
    pub fn in_place(src: Segments<'a>) -> Self {
        Self { dst: src.clone(), src, sink: Sink::Aliased }
    }

    /// Reads `src` and writes to memory of our own, which no caller's list names.
    #[inline]
    pub(crate) fn apart(src: Segments<'a>, dst: Segments<'a>) -> Self {
        Self { src, dst, sink: Sink::Apart }
    }

    /// Reads only.
    #[inline]
    pub fn read_only(src: Segments<'a>) -> Self {
        Self { src, dst: Segments::empty(), sink: Sink::None }
    }

    /// Whether a byte is both read and written.
    pub fn aliased(&self) -> bool {
        self.sink == Sink::Aliased
    }

    /// The source.
    pub fn src(&mut self) -> &mut Segments<'a> {
        &mut self.src
    }

    /// Cuts the source down to its first `len` bytes.
    pub fn limit(&mut self, len: usize) {
        self.src.limit(len);
    }

    /// Bytes that are contiguous on both sides.
    #[inline(always)]
    pub fn contiguous(&self) -> usize {
        let (_, n) = self.src.contiguous();
        match self.sink {
            Sink::None => n,
            Sink::Apart | Sink::Aliased => n.min(self.dst.contiguous().1),
        }
    }

    /// The next `len` bytes, or as many as are contiguous, as a run; advances past them.
    #[inline(always)]
    pub fn run(&mut self, len: usize) -> Run<'a> {
        let len = len.min(self.contiguous());
        let (src, _) = self.src.contiguous();
        let dst = match self.sink {
            Sink::None => src,
            Sink::Apart | Sink::Aliased => self.dst.contiguous().0,
        };
        self.dst.advance(len);
        self.src.advance(len);
        // SAFETY: `len` bytes are contiguous at both, valid for `'a`. They share no byte or, by the
        // invariant and since both sides have advanced alike, they are the same bytes. A caller who
        // scatters more than it gathered has made sure that the two sides are apart.
        unsafe { Run::new(src, dst, len) }
    }

    /// Goes `len` bytes on.
    pub fn skip(&mut self, len: usize) {
        self.src.advance(len);
        self.dst.advance(len);
    }

    /// The next `len` bytes of a pair that writes, or of those in as many pieces as `to` has room for the
    /// whole blocks: the runs, and their bytes; advances past them.
    #[inline(always)]
    pub fn runs<'r>(
        &mut self,
        to: &'r mut [MaybeUninit<Run<'a>>],
        len: usize,
    ) -> (&'r [Run<'a>], usize) {
        let (input, output) = (self.src.left(), self.dst.left());
        let most = len.min(input).min(output);
        let mut pair = self.clone();
        let (mut n, mut left) = (0, most);
        if self.src.same_place(&self.dst) {
            // One list: the longer window is walked for both, in a local, which is in registers.
            let mut list = if input < output { self.dst.clone() } else { self.src.clone() };
            for place in &mut *to {
                if left == 0 {
                    break;
                }
                let (at, here) = list.contiguous();
                let here = here.min(left);
                // SAFETY: as in `run`.
                place.write(unsafe { Run::new(at, at, here) });
                list.advance_within(here);
                n += 1;
                left -= here;
            }
            pair.src.clone_from(&list);
            pair.dst = list;
            pair.src.limit(input + left - most);
            pair.dst.limit(output + left - most);
        } else {
            for place in &mut *to {
                if left == 0 {
                    break;
                }
                let run = pair.run(left);
                left -= run.len();
                place.write(run);
                n += 1;
            }
        }
        let mut bytes = most - left;
        if left > 0 && bytes & 15 != 0 {
            bytes &= !15;
            self.skip(bytes);
        } else {
            *self = pair;
        }
        // SAFETY: the first `n` are set.
        (unsafe { core::slice::from_raw_parts(to.as_ptr().cast(), n) }, bytes)
    }

    /// Copies bytes out of the source; see [`Segments::gather`].
    pub fn gather(&mut self, to: &mut [u8]) -> usize {
        self.src.gather(to)
    }

    /// Copies bytes into the destination; see [`Segments::scatter`].
    pub fn scatter(&mut self, from: &[u8]) {
        self.dst.scatter(from);
    }

    /// Overwrites with zeros whatever part of the destination is not the source itself.
    pub fn zero_destination(mut self) {
        loop {
            let run = self.run(usize::MAX);
            if run.is_empty() {
                return;
            }
            run.zero_destination();
        }
    }
}
