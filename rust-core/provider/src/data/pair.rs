// SPDX-License-Identifier: MIT OR Apache-2.0
//! Input and output of an operation, walked together.

use core::mem::MaybeUninit;

use super::segments::copy_few;
use super::{Run, Segments, Short};

/// A source, and the destination of its transformed bytes.
///
/// Invariant: the two share no byte, or only bytes at the same place of both.
#[derive(Clone)]
pub struct Pair<'a> {
    pub(super) src: Segments<'a>,
    /// Empty if nothing is written.
    pub(super) dst: Segments<'a>,
    pub(super) sink: Sink,
}

/// How the destination relates to the source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// Nothing is written: the source is only hashed.
    None,
    /// Shares no byte with the source.
    Apart,
    /// Shares bytes with the source, at the same places.
    Aliased,
}

impl<'a> Pair<'a> {
    /// Nothing to read or write.
    #[inline(always)]
    pub(super) fn empty() -> Self {
        Self { src: Segments::empty(), dst: Segments::empty(), sink: Sink::None }
    }

    /// Reads and writes memory of our own.
    #[inline(never)]
    pub fn in_place(bytes: &'a mut [u8]) -> Self {
        let src = Segments::from_mut(bytes);
        Self { dst: src.clone(), src, sink: Sink::Aliased }
    }

    /// Reads `src` and writes to memory of our own, which is in no caller's list.
    #[inline]
    pub(crate) fn apart(src: Segments<'a>, dst: Segments<'a>) -> Self {
        Self { src, dst, sink: Sink::Apart }
    }

    /// Whether a byte is both read and written.
    pub fn aliased(&self) -> bool {
        self.sink == Sink::Aliased
    }

    /// Whether a walk over a few pieces may be a long one; see [`Segments::sparse`].
    #[inline(always)]
    pub(crate) fn sparse(&self) -> bool {
        self.src.sparse() | self.dst.sparse()
    }

    /// Takes the destination away: from now on the bytes are only read.
    pub(crate) fn aside(&mut self) -> Segments<'a> {
        core::mem::replace(&mut self.dst, Segments::empty())
    }

    /// The source.
    pub fn src(&mut self) -> &mut Segments<'a> {
        &mut self.src
    }

    /// Cuts the source down to its first `len` bytes.
    pub fn limit(&mut self, len: usize) {
        self.src.limit(len);
    }

    /// The number of bytes that are contiguous on both sides.
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
        // SAFETY: `len` bytes are contiguous at both, valid for `'a`. They share no byte, or they are the
        // same bytes: that is the invariant, and both sides have advanced alike. A caller that scatters more
        // than it gathered has made sure that the two sides are apart.
        unsafe { Run::new(src, dst, len) }
    }

    /// Advances by `len` bytes.
    #[inline(never)]
    pub fn skip(&mut self, len: usize) {
        self.src.advance(len);
        self.dst.advance(len);
    }

    /// The next `len` bytes, or the full blocks of as many pieces as `to` has room for. Returns the runs and
    /// the number of their bytes; advances past them.
    #[inline(always)]
    pub fn runs<'r>(
        &mut self,
        to: &'r mut [MaybeUninit<Run<'a>>],
        len: usize,
    ) -> (&'r [Run<'a>], usize) {
        let (input, writes) = (self.src.left(), self.sink != Sink::None);
        let output = if writes { self.dst.left() } else { input };
        let most = len.min(input).min(output);
        if self.contiguous() >= most {
            let Some(first) = to.first_mut() else { return (&[], 0) };
            return (core::slice::from_ref(first.write(self.run(most))), most);
        }
        let (n, bytes) = if writes && !self.src.same_place(&self.dst) {
            self.runs_of_two_lists(to, most)
        } else {
            self.runs_of_one_list(to, most, input, output)
        };
        // SAFETY: the first `n` are set.
        (unsafe { core::slice::from_raw_parts(to.as_ptr().cast(), n) }, bytes)
    }

    /// [`runs`](Self::runs) of a list that is only read, or of one list that has both sides. `input` and
    /// `output` are the bytes left of each side; `most` is at most either.
    ///
    /// Invariant, before and after: both sides begin at the same byte of the same list. So the shorter side
    /// is the beginning of the longer one, and one walk over the longer one serves both:
    ///
    /// ```text
    ///  pieces of the list   aaaaaaaa bbbbb cccccccccc ddddd ...
    ///  src                  |--------- input ----------|
    ///  dst                  |------ output -----|
    ///  runs                 |---- bytes ---|
    ///                                      both sides begin here next
    /// ```
    #[inline(always)]
    fn runs_of_one_list(
        &mut self,
        to: &mut [MaybeUninit<Run<'a>>],
        most: usize,
        input: usize,
        output: usize,
    ) -> (usize, usize) {
        // 1. The longer side, in a local variable, so that it stays in registers.
        let mut list = if input < output { self.dst.clone() } else { self.src.clone() };
        // 2. Its next bytes become runs.
        let (mut n, mut left) = (0, most);
        for place in to {
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
        // 3. If the last block is not complete, the walk went too far: both sides start again from where they
        //    were.
        let bytes = taken(most, left);
        if bytes < most - left {
            self.skip(bytes);
            return (n, bytes);
        }
        // 4. Otherwise both continue from where the walk has ended, each with the bytes that it has left.
        if self.sink != Sink::None {
            self.dst.clone_from(&list);
            self.dst.limit(output - bytes);
        }
        self.src = list;
        self.src.limit(input - bytes);
        (n, bytes)
    }

    /// [`runs`](Self::runs) of two lists, in local variables, as there.
    #[inline(never)]
    fn runs_of_two_lists(
        &mut self,
        to: &mut [MaybeUninit<Run<'a>>],
        most: usize,
    ) -> (usize, usize) {
        let (mut src, mut dst) = (self.src.clone(), self.dst.clone());
        let (mut n, mut left) = (0, most);
        for place in to {
            if left == 0 {
                break;
            }
            let ((from, input), (at, output)) = (src.contiguous(), dst.contiguous());
            let here = input.min(output).min(left);
            // SAFETY: as in `run`.
            place.write(unsafe { Run::new(from, at, here) });
            src.advance_within(here);
            dst.advance_within(here);
            n += 1;
            left -= here;
        }
        let bytes = taken(most, left);
        if bytes < most - left {
            self.skip(bytes);
        } else {
            (self.src, self.dst) = (src, dst);
        }
        (n, bytes)
    }

    /// Cuts in a [`CUT_UNIT`](super::CUT_UNIT) of the list that has more of them.
    #[inline(always)]
    pub(crate) fn cuts(&self) -> usize {
        self.src.cuts().max(self.dst.cuts())
    }

    /// Copies the next bytes of the source to `to`: of a few pieces, as many as there is room for. Returns how
    /// many.
    #[inline(always)]
    pub(crate) fn gather_few(&mut self, to: &mut [MaybeUninit<u8>]) -> usize {
        let at = to.as_mut_ptr().cast::<u8>();
        // SAFETY: each piece fits into the rest of `to`, which is a buffer of our own.
        self.src.few(to.len(), |from, i, n| unsafe { copy_few(from, at.add(i), n) })
    }

    /// Copies bytes of `from` into a few pieces of the destination, if there is one. Returns how many.
    #[inline(always)]
    pub(crate) fn scatter_few(&mut self, from: &[u8]) -> usize {
        if self.sink == Sink::None {
            return from.len();
        }
        let at = from.as_ptr();
        // SAFETY: each piece is no longer than the rest of `from`, which is a buffer of our own.
        self.dst.few(from.len(), |to, i, n| unsafe { copy_few(at.add(i), to, n) })
    }

    /// Fills `to` from the source.
    ///
    /// # Errors
    /// [`Short`]
    #[inline(never)]
    pub fn gather(&mut self, to: &mut [u8]) -> Result<(), Short> {
        let len = to.len();
        if self.src.gather(to) == len { Ok(()) } else { Err(Short) }
    }

    /// Copies bytes into the destination, if there is one; see [`Segments::scatter`].
    ///
    /// # Errors
    /// As there.
    pub fn scatter(&mut self, from: &[u8]) -> Result<(), Short> {
        if self.sink == Sink::None { Ok(()) } else { self.dst.scatter(from) }
    }

    /// Overwrites with zeros the part of the destination that is not the source itself.
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

impl<'a> From<Run<'a>> for Pair<'a> {
    fn from(run: Run<'a>) -> Self {
        let src = Segments::raw(run.src().cast_mut(), run.len());
        let dst = Segments::raw(run.dst(), run.len());
        let sink = if core::ptr::eq(run.src(), run.dst()) { Sink::Aliased } else { Sink::Apart };
        Self { src, dst, sink }
    }
}

/// How many of `most` bytes advance if `left` of them did not fit: full blocks, unless all fit.
fn taken(most: usize, left: usize) -> usize {
    if left > 0 { (most - left) & !15 } else { most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Halves, Io};

    /// A tag is in one window of a list and not in the other: in the input of a decryption, or the output of
    /// an encryption.
    #[test]
    fn both_windows_of_one_list_end_where_they_did() {
        for encryption in [false, true] {
            let mut text = [0; 64];
            let mut halves = Halves::new(&mut text, 20);
            let io = Io { src: halves.data(), dst: None, req: core::ptr::null_mut() };
            let mut room = MaybeUninit::uninit();
            let pair = io.pair(40, &mut room).unwrap();
            if encryption {
                core::mem::swap(&mut pair.src, &mut pair.dst);
            }
            let mut runs = [const { MaybeUninit::uninit() }; 4];
            let (runs, n) = pair.runs(&mut runs, 32);
            let lengths: Vec<_> = runs.iter().map(Run::len).collect();
            assert_eq!((lengths.as_slice(), n), ([20, 12].as_slice(), 32));
            let left = (pair.src.left(), pair.dst.left());
            assert_eq!(left, if encryption { (8, 32) } else { (32, 8) });
        }
    }

    /// Any few bytes, from any place in a piece to any other, arrive once and change nothing beside them.
    #[test]
    fn a_few_pieces_are_gathered_and_scattered() {
        // Miri takes a thousand times as long.
        let (places, lengths) = if cfg!(miri) { (29, 11) } else { (1, 1) };
        for at in (0..70).step_by(places) {
            for len in (1..70).step_by(lengths) {
                let mut from: [u8; 140] = core::array::from_fn(|i| i as u8 + 1);
                let (want, mut to) = (from, [0; 140]);
                let (mut halves, mut other) =
                    (Halves::new(&mut from, at), Halves::new(&mut to, 70));
                let io =
                    Io { src: halves.data(), dst: Some(other.data()), req: core::ptr::null_mut() };
                let mut room = MaybeUninit::uninit();
                let pair = io.pair(140, &mut room).unwrap();
                let mut done = 0;
                while done < 140 {
                    let most = len.min(140 - done);
                    // Miri sees bytes that nobody has set.
                    let before =
                        if cfg!(miri) { MaybeUninit::uninit() } else { MaybeUninit::new(0xee) };
                    let mut stage = [before; 70];
                    let n = pair.gather_few(&mut stage[..most]);
                    assert_eq!(n, most);
                    // SAFETY: set by `gather_few`.
                    let staged =
                        unsafe { core::slice::from_raw_parts(stage.as_ptr().cast::<u8>(), n) };
                    assert_eq!(staged, &want[done..done + n], "{at} {len}");
                    assert_eq!(pair.scatter_few(staged), n);
                    done += n;
                }
                assert_eq!((pair.src.left(), pair.dst.left()), (0, 0));
                assert_eq!(to, want, "{at} {len}");
            }
        }
    }

    /// More pieces than there is room for: their full blocks advance, the rest stays.
    #[test]
    fn what_does_not_fit_stays() {
        let mut text = [0; 64];
        let mut halves = Halves::new(&mut text, 20);
        let io = Io { src: halves.data(), dst: None, req: core::ptr::null_mut() };
        let mut room = MaybeUninit::uninit();
        let pair = io.pair(64, &mut room).unwrap();
        let mut one = [MaybeUninit::uninit()];
        let (runs, n) = pair.runs(&mut one, 64);
        assert_eq!((runs.len(), n), (1, 16));
        assert_eq!((pair.src.left(), pair.contiguous()), (48, 4));
    }
}
