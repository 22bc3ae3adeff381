// SPDX-License-Identifier: MIT OR Apache-2.0
//! Input and output of an operation, walked together.

use super::{Overlap, Run, Segments};
use crate::kcf::{Error, Result};

/// A source and where its transformed bytes go.
///
/// Invariant: the two share no byte, or only bytes at the same place of both.
#[derive(Clone)]
pub struct Pair<'a> {
    src: Segments<'a>,
    dst: Sink<'a>,
}

#[derive(Clone)]
enum Sink<'a> {
    /// Nothing is written: the source is only hashed.
    None,
    /// Shares no byte with the source.
    Apart(Segments<'a>),
    /// Shares bytes with the source, at the same places.
    Aliased(Segments<'a>),
}

impl<'a> Pair<'a> {
    /// Reads `src`, writes `dst`.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD` where they overlap at different places: the result would depend on the order
    /// of the bytes.
    #[inline(always)]
    pub fn new(src: Segments<'a>, dst: Segments<'a>) -> Result<Self> {
        match src.overlap(&dst) {
            Overlap::None => Ok(Self { src, dst: Sink::Apart(dst) }),
            Overlap::Exact => Ok(Self { src, dst: Sink::Aliased(dst) }),
            Overlap::Partial => Err(Error::ARGUMENTS_BAD),
        }
    }

    /// Reads and writes the same bytes.
    #[inline(always)]
    pub fn in_place(src: Segments<'a>) -> Self {
        Self { dst: Sink::Aliased(src.clone()), src }
    }

    /// Reads only.
    pub fn read_only(src: Segments<'a>) -> Self {
        Self { src, dst: Sink::None }
    }

    /// Whether a byte is both read and written.
    pub fn aliased(&self) -> bool {
        matches!(self.dst, Sink::Aliased(_))
    }

    /// The source.
    pub fn src(&mut self) -> &mut Segments<'a> {
        &mut self.src
    }

    /// A cursor of its own over the source.
    #[inline(always)]
    pub fn source(&self) -> Segments<'a> {
        self.src.clone()
    }

    /// Cuts the source down to its first `len` bytes.
    pub fn limit(self, len: usize) -> Self {
        Self { src: self.src.limit(len), ..self }
    }

    /// Bytes that are contiguous on both sides.
    #[inline(always)]
    pub fn contiguous(&self) -> usize {
        let (_, n) = self.src.contiguous();
        match &self.dst {
            Sink::None => n,
            Sink::Apart(dst) | Sink::Aliased(dst) => n.min(dst.contiguous().1),
        }
    }

    /// The next `len` bytes, or as many as are contiguous, as a run; advances past them.
    #[inline(always)]
    pub fn run(&mut self, len: usize) -> Run<'a> {
        let len = len.min(self.contiguous());
        let (src, _) = self.src.contiguous();
        let dst = match &mut self.dst {
            Sink::None => src,
            Sink::Apart(dst) | Sink::Aliased(dst) => {
                let (at, _) = dst.contiguous();
                dst.advance(len);
                at
            }
        };
        self.src.advance(len);
        // SAFETY: `len` bytes are contiguous at both, valid for `'a`. They share no byte or, by the
        // invariant and since both sides have advanced alike, they are the same bytes. A caller who
        // scatters more than it gathered has made sure that the two sides are apart.
        unsafe { Run::new(src, dst, len) }
    }

    /// Copies bytes out of the source; see [`Segments::gather`].
    pub fn gather(&mut self, to: &mut [u8]) -> usize {
        self.src.gather(to)
    }

    /// Copies bytes into the destination; see [`Segments::scatter`].
    pub fn scatter(&mut self, from: &[u8]) {
        if let Sink::Apart(dst) | Sink::Aliased(dst) = &mut self.dst {
            dst.scatter(from);
        }
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
