// SPDX-License-Identifier: MIT OR Apache-2.0
//! The generator for `@N` cells and the digest for `=` cells (README.md, "Generated values"):
//! splitmix64 (Steele, Lea, Flood 2014) and 64-bit FNV-1a. Both are a few lines in any language and
//! need no cryptography. So a kernel test can carry them.

/// An endless byte stream fixed by its seed: splitmix64 words, little-endian, without gaps.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
    word: u64,
    left: u32,
}

impl Stream {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, word: 0, left: 0 }
    }

    /// The next `n` bytes.
    pub fn draw(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.byte()).collect()
    }

    fn byte(&mut self) -> u8 {
        if self.left == 0 {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = self.state;
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            self.word = z ^ (z >> 31);
            self.left = 8;
        }
        let byte = self.word as u8;
        self.word >>= 8;
        self.left -= 1;
        byte
    }
}

/// 64-bit FNV-1a. Each step is a bijection of the state, so a change of any single byte changes the
/// result.
pub fn fnv1a64(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |h, &byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_answers() {
        // splitmix64 from 0 begins e220a8397b1dcdaf 6e789e6aa1b965f4.
        assert_eq!(
            Stream::new(0).draw(12),
            [0xaf, 0xcd, 0x1d, 0x7b, 0x39, 0xa8, 0x20, 0xe2, 0xf4, 0x65, 0xb9, 0xa1]
        );
        // FNV reference: "" and "foobar".
        assert_eq!(fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn draws_join_without_gaps() {
        let (mut whole, mut parts) = (Stream::new(7), Stream::new(7));
        let want = whole.draw(61);
        let got: Vec<u8> = [0, 1, 3, 8, 16, 33].iter().flat_map(|&n| parts.draw(n)).collect();
        assert_eq!(got, want);
    }
}
