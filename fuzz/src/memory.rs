// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory in pieces. Each piece is an allocation of its own, so the sanitizer sees what runs over its
//! end. A copy of the memory takes what a call must write: a model writes it there.

/// The byte around messages, and the byte that fills room for output.
pub const FILL: u8 = 0xa5;

/// The most pieces of a list.
const PIECES: usize = 150;

/// Address and length.
pub type Range = (usize, usize);

/// Bytes that adjoin in a list, but not in memory.
pub struct Memory(Vec<Box<[u8]>>);

impl Memory {
    /// `bytes` in pieces of these lengths, which must add up.
    pub fn new(bytes: &[u8], lengths: &[usize]) -> Self {
        let mut rest = bytes;
        let pieces = lengths.iter().map(|&n| rest.split_off(..n).expect("lengths add up").into());
        Self(pieces.collect())
    }

    /// All of it, cut once more.
    pub fn pieces(&mut self, cut: u32) -> Vec<(*mut u8, usize)> {
        let mut pieces = Vec::new();
        for piece in &mut self.0 {
            let mut at = piece.as_mut_ptr();
            for len in lengths(piece.len(), cut) {
                pieces.push((at, len));
                at = at.wrapping_add(len);
            }
        }
        pieces
    }
}

/// Lengths that add up to `len`. The four bytes of `cut` give them in turn; bytes above 223 stand for
/// multiples of 64 bytes. There is one length if all four are 0.
pub fn lengths(len: usize, cut: u32) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut left = len;
    if cut != 0 {
        for byte in cut.to_le_bytes().into_iter().cycle().take(PIECES) {
            let n = if byte < 224 { byte.into() } else { (usize::from(byte) - 223) * 64 };
            lengths.push(n.min(left));
            left -= n.min(left);
            if left == 0 {
                return lengths;
            }
        }
    }
    lengths.push(left);
    lengths
}

/// The bytes at `range` as a call has left them.
fn now(&(at, len): &Range) -> &[u8] {
    // SAFETY: a shadow is of memory that is alive, and no call is running.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(at), len) }
}

/// A copy of memory by its addresses. The expected output is written into it.
pub struct Shadow(Vec<(Range, Vec<u8>)>);

impl Shadow {
    /// A copy of several memories, which must stay alive.
    pub fn of(memories: &[&Memory]) -> Self {
        let pieces = memories.iter().flat_map(|memory| &memory.0);
        let copy =
            |piece: &[u8]| ((piece.as_ptr().expose_provenance(), piece.len()), piece.to_vec());
        Self(pieces.map(|piece| copy(piece)).collect())
    }

    fn bytes(&mut self, (at, len): Range) -> &mut [u8] {
        if len == 0 {
            return &mut [];
        }
        let holds =
            |&&mut ((start, n), _): &&mut (Range, Vec<u8>)| start <= at && at + len <= start + n;
        let (range, bytes) = self.0.iter_mut().find(holds).expect("memory of this call");
        &mut bytes[at - range.0..][..len]
    }

    /// The bytes at `ranges`.
    pub fn read(&mut self, ranges: &[Range]) -> Vec<u8> {
        ranges.iter().flat_map(|&range| self.bytes(range).to_vec()).collect()
    }

    /// Expects `bytes` at the first of `ranges`.
    pub fn write(&mut self, ranges: &[Range], mut bytes: &[u8]) {
        for &(at, len) in ranges {
            let now = bytes.split_off(..len.min(bytes.len())).expect("so many");
            self.bytes((at, now.len())).copy_from_slice(now);
        }
        assert!(bytes.is_empty(), "the model writes {} bytes too many", bytes.len());
    }

    /// Makes the memory equal to this copy.
    pub fn copy_back(&self) {
        for ((at, len), bytes) in &self.0 {
            // SAFETY: memory that is alive, and no call is running.
            unsafe {
                core::ptr::with_exposed_provenance_mut::<u8>(*at).copy_from(bytes.as_ptr(), *len)
            };
        }
    }

    /// # Panics
    /// If the memory is not as expected.
    pub fn check(&self) {
        for (range, want) in &self.0 {
            if let Some(i) = (0..want.len()).find(|&i| now(range)[i] != want[i]) {
                panic!(
                    "byte {i} of {} at {:#x} is {:02x?}, not {:02x?}",
                    range.1,
                    range.0,
                    &now(range)[i..range.1.min(i + 20)],
                    &want[i..range.1.min(i + 20)]
                );
            }
        }
    }
}

/// How two windows share memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Not one byte.
    None,
    /// Every shared byte is at the same place of both.
    Exact,
    /// A byte is at two places.
    Partial,
}

/// How `a` and `b` share memory.
pub fn overlap(a: &[Range], b: &[Range]) -> Overlap {
    let mut found = Overlap::None;
    let mut a_place = 0;
    for &(at, n) in a {
        let mut b_place = 0;
        for &(bt, m) in b {
            if at < bt + m && bt < at + n {
                if at.wrapping_sub(a_place) != bt.wrapping_sub(b_place) {
                    return Overlap::Partial;
                }
                found = Overlap::Exact;
            }
            b_place += m;
        }
        a_place += n;
    }
    found
}
