// SPDX-License-Identifier: MIT OR Apache-2.0
//! The secrets that a case is run with.

use aes::cipher::{BlockEncrypt as _, KeyInit as _};
use ghash::GHash;
use ghash::universal_hash::UniversalHash as _;
use kcfaes_vectors::Stream;

/// A key and a text, and where a forged tag is wrong.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) key: Vec<u8>,
    fill: Fill,
    /// The wrong byte of a forged tag, in sixteenths of the tag's length.
    pub(crate) wrong: usize,
}

#[derive(Clone, Copy)]
enum Fill {
    Byte(u8),
    Drawn(u64),
}

impl Secret {
    /// Zeros, ones, and one that is drawn. Where J0 is a hash of the IV, also keys whose J0 has a last
    /// byte after which a carry comes at once or late. No code may look at such a counter.
    pub(crate) fn all(key_len: usize, hashed_iv: Option<&[u8]>) -> Vec<Self> {
        let drawn = |seed| Self {
            key: Stream::new(seed).draw(key_len),
            fill: Fill::Drawn(seed),
            wrong: seed as usize % 16,
        };
        let filled = |byte, wrong| Self { key: vec![byte; key_len], fill: Fill::Byte(byte), wrong };
        let mut all = vec![filled(0, 0), filled(0xff, 15), drawn(7)];
        if let Some(iv) = hashed_iv {
            for last in [0x00, 0xe8, 0xff] {
                all.extend((8..).map(drawn).find(|secret| j0(&secret.key, iv)[15] == last));
            }
        }
        all
    }

    pub(crate) fn text(&self, len: usize) -> Vec<u8> {
        // It is drawn in either case, because what is allocated must be the same for every secret.
        let drawn = if let Fill::Drawn(seed) = self.fill { seed } else { 0 };
        let mut text = Stream::new(!drawn).draw(len);
        if let Fill::Byte(byte) = self.fill {
            text.fill(byte);
        }
        text
    }

    /// Makes a tag wrong.
    pub(crate) fn forge(&self, tag: &mut [u8]) {
        let at = self.wrong * tag.len() / 16;
        tag[at] ^= 0x40;
    }
}

/// J0 of GCM for an IV that does not have 12 bytes (SP 800-38D section 7.1), by other people's code.
pub(crate) fn j0(key: &[u8], iv: &[u8]) -> [u8; 16] {
    let mut h = aes::Block::default();
    match key.len() {
        16 => aes::Aes128::new(key.into()).encrypt_block(&mut h),
        24 => aes::Aes192::new(key.into()).encrypt_block(&mut h),
        _ => aes::Aes256::new(key.into()).encrypt_block(&mut h),
    }
    let mut hash = GHash::new(&h);
    hash.update_padded(iv);
    hash.update_padded(&(iv.len() as u128 * 8).to_be_bytes());
    hash.finalize().into()
}
