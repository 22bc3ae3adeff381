// SPDX-License-Identifier: MIT OR Apache-2.0
//! The AES vector files next to this crate (format: README.md), as values.
//!
//! Every case from [`load`] is complete and coherent: hexadecimal is decoded, generated values are
//! drawn, lengths agree with the mode's rules in KCF, and identifiers are unique in their file.
//! Anything else is a [`VectorError`] that names file, line and reason. No line is skipped.
#![forbid(unsafe_code)]

mod emit_c;
mod generate;
mod parse;
mod provenance;

pub use emit_c::emit_c;
pub use generate::{Stream, fnv1a64};
pub use parse::{load, parse};
pub use provenance::{File, load_all};

use core::fmt;
use std::path::{Path, PathBuf};

/// The mechanism a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// CKM_AES_ECB: no IV; text a multiple of 16 bytes.
    Ecb,
    /// CKM_AES_CBC: 16-byte IV; text a multiple of 16 bytes, no padding.
    Cbc,
    /// CKM_AES_CTR: 16-byte counter block and a counter width in bits.
    Ctr,
    /// CKM_AES_CCM: nonce of 7 to 13 bytes in `iv`, AAD, tag of 4, 6, ... 16 bytes.
    Ccm,
    /// CKM_AES_GCM: IV of any length, AAD, tag of 4, 8 or 12 to 16 bytes.
    Gcm,
    /// CKM_AES_GMAC: 12-byte IV, 16-byte tag, the message in `aad`, no text.
    Gmac,
    /// CKM_AES_CMAC: no IV, tag of 4 to 16 bytes, the message in `aad`, no text. A tag of fewer than
    /// 16 bytes is the beginning of what the mechanism computes.
    Cmac,
}

impl Mode {
    /// Every mode, in declaration order.
    pub const ALL: [Self; 7] =
        [Self::Ecb, Self::Cbc, Self::Ctr, Self::Ccm, Self::Gcm, Self::Gmac, Self::Cmac];

    /// The word in the `mode` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecb => "ECB",
            Self::Cbc => "CBC",
            Self::Ctr => "CTR",
            Self::Ccm => "CCM",
            Self::Gcm => "GCM",
            Self::Gmac => "GMAC",
            Self::Cmac => "CMAC",
        }
    }

    /// Whether the mode produces a tag.
    pub fn has_tag(self) -> bool {
        self.is_aead() || self.is_mac()
    }

    /// Whether the mode transforms a text and makes a tag of it.
    pub fn is_aead(self) -> bool {
        matches!(self, Self::Ccm | Self::Gcm)
    }

    /// Whether the mode transforms nothing.
    pub fn is_mac(self) -> bool {
        matches!(self, Self::Gmac | Self::Cmac)
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// What a correct implementation does with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expect {
    /// Encrypting `pt` gives `ct` and `tag`; decrypting them gives `pt`.
    Ok,
    /// Decrypting (`ct`, `tag`) is refused because the tag is wrong. `pt` is what `ct` would decrypt to
    /// if the source states it, otherwise empty. Encryption is not tested.
    BadTag,
    /// The parameters are refused in both directions before any data is looked at.
    BadArg,
}

/// The expected ciphertext: the bytes, or a digest where bytes would only fill the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ciphertext {
    /// The ciphertext itself.
    Bytes(Vec<u8>),
    /// [`fnv1a64`] of the ciphertext, which is as long as the plaintext.
    Digest(u64),
}

impl Ciphertext {
    /// Whether `got` is the expected ciphertext. A digest detects every single changed byte. The caller
    /// compares the length (that of `pt`).
    pub fn matches(&self, got: &[u8]) -> bool {
        match self {
            Self::Bytes(want) => want == got,
            Self::Digest(want) => fnv1a64(got) == *want,
        }
    }
}

/// Which values of a case are drawn from the generator, and its seed. With it [`emit_c()`] can write
/// the recipe where the values themselves would be large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Recipe {
    seed: u64,
    key: bool,
    iv: bool,
    aad: bool,
    pt: bool,
}

/// One line of a vector file, generated values included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The mechanism.
    pub mode: Mode,
    /// 16, 24 or 32 bytes.
    pub key: Vec<u8>,
    /// ECB: empty. CBC: 16 bytes. CTR: the first counter block, 16 bytes. GMAC: 12 bytes. GCM: 1 byte
    /// or more. CCM: 7 to 13 bytes. CMAC: empty. In GCM and CCM other lengths occur only with
    /// [`Expect::BadArg`].
    pub iv: Vec<u8>,
    /// CTR: the counter is the low `counter_bits` (1 to 128) bits of the big-endian block and
    /// wraps inside them. 0 in every other mode.
    pub counter_bits: u32,
    /// GCM, CCM: additional data. GMAC, CMAC: the whole message.
    pub aad: Vec<u8>,
    /// The plaintext.
    pub pt: Vec<u8>,
    /// The ciphertext, without the tag.
    pub ct: Ciphertext,
    /// The tag. Its length is the tag length that is asked for. Empty in modes without a tag.
    pub tag: Vec<u8>,
    /// What must happen.
    pub expect: Expect,
    /// `source#id`, unique in its file.
    pub id: String,
    /// Line in its file, from 1.
    pub line: usize,
    recipe: Recipe,
}

impl Case {
    /// Key length in bits.
    pub fn keybits(&self) -> usize {
        self.key.len() * 8
    }

    /// Length in bytes of the text (plaintext and ciphertext alike).
    pub fn text_len(&self) -> usize {
        match &self.ct {
            Ciphertext::Bytes(ct) => ct.len(),
            Ciphertext::Digest(_) => self.pt.len(),
        }
    }
}

/// What is wrong in a vector file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorError {
    /// The file, as it was named to the loader.
    pub file: PathBuf,
    /// Line, counted from 1. It is 0 if the file as a whole is meant.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl VectorError {
    fn new(file: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self { file: file.to_path_buf(), line, reason: reason.into() }
    }
}

impl fmt::Display for VectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.reason),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.reason),
        }
    }
}

impl core::error::Error for VectorError {}
