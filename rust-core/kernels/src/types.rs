// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key material shared by every table, in one table-independent form.

use core::mem::MaybeUninit;

/// Rounds of AES-256, the most of the three key sizes (FIPS 197, table 3).
pub const MAX_ROUNDS: usize = 14;

/// The most powers of the hash subkey that a table uses: a turn of eight registers of four blocks.
pub const POWERS: usize = 32;

/// Powers that are always set: what table `aesni` uses, a turn of eight registers of one block.
pub const COMMON_POWERS: usize = 8;

/// One 16-byte block in the byte order of the standards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Block(pub [u8; 16]);

/// A counter block of GCM (SP 800-38D section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct CounterBlock {
    /// J0 or one that follows it; its last 32 bits count.
    pub block: Block,
    /// Whether J0 is the GHASH of the IV. Then the counter reveals H, and no branch may depend on it. An IV
    /// of 12 bytes makes J0 itself, which is as public as the IV.
    pub secret: bool,
}

/// Round keys of one AES key (FIPS 197 section 5.2), for encryption and for the equivalent inverse
/// cipher (section 5.3.5).
#[derive(Clone, Debug, Default)]
#[repr(C, align(16))]
pub struct Schedule {
    /// Round keys in the order of encryption. `rounds + 1` of them are set; the others are zero.
    pub enc: [Block; MAX_ROUNDS + 1],
    /// Round keys of the equivalent inverse cipher in the order of use: `dec[0] = enc[rounds]`,
    /// `dec[i] = InvMixColumns(enc[rounds - i])`, `dec[rounds] = enc[0]`.
    pub dec: [Block; MAX_ROUNDS + 1],
    /// 10, 12 or 14.
    pub rounds: u32,
}

/// The hash subkey H of GCM and its powers (SP 800-38D section 6.3).
///
/// A power P is kept as v·2 modulo x^128 + x^127 + x^126 + x^121 + 1. Here v is the 128-bit integer whose
/// big-endian bytes are P (so bit 127 is the coefficient of x^0 in GHASH's sense), and bit i stands for x^i.
/// That is v << 1, xored with 0xc2…01 if a bit left at the top. It is stored little-endian. One carry-less
/// product of this form and a byte-reversed block needs no further shift. (RFC 8452 appendix A calls it
/// mulX_POLYVAL(ByteReverse(P)).)
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
pub struct Powers {
    /// H^32, H^31, … H^1 in that form. For the last N blocks of a text the powers start at `POWERS - N`. The
    /// first `POWERS - set` are zero.
    pub pow: [Block; POWERS],
    /// For each power the xor of its two halves, the middle operand of Karatsuba, at the place that
    /// [`mid_of`] gives. A load of 1, 2 or 4 pairs has the operands of as many consecutive powers, in the
    /// same half of each pair.
    pub mid: [[u64; 2]; POWERS / 2],
    /// H itself, E(K, 0^128), in the byte order of the standard.
    pub h: Block,
    /// The number of powers that are set, at least [`COMMON_POWERS`].
    pub set: u32,
}

/// The pair, and the half of that pair, where [`Powers::mid`] has the operand of `pow[index]`.
pub const fn mid_of(index: usize) -> (usize, usize) {
    (index / 8 * 4 + index % 4, index / 4 % 2)
}

/// The most chains that a table encrypts side by side.
pub const CHAINS: usize = 16;

/// Blocks of a cache line. A batch reads and writes its chains' texts a line at a time: texts that lie 4096
/// bytes apart have all their lines in one set of the cache. There a line does not stay until its next block's
/// turn. Measured: 16 texts of 512 bytes, 4096 bytes apart, took 2.5 times as long as adjacent ones when they
/// were written block by block, and now take 1.05 times as long (Rocket Lake, `vaes512`,
/// `cargo bench -p kcfaes-bench --bench batches`).
pub const LINE: usize = 4;

/// CBC encryptions that advance side by side. A chain without a message repeats another chain.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Chains {
    /// The previous ciphertext block of each.
    pub iv: [Block; CHAINS],
    /// The next block of text of each.
    pub src: [*const u8; CHAINS],
    /// Where that block is written: the same place, or one disjoint from every text.
    pub dst: [*mut u8; CHAINS],
    /// Room for the next [`LINE`] blocks of each, until they are written. What is left in it is ciphertext.
    pub line: MaybeUninit<[[Block; CHAINS]; LINE]>,
}

/// The round keys of one schedule for each chain, all of one key size: by round, then by chain.
pub type ChainKeys = [[Block; CHAINS]; MAX_ROUNDS + 1];

/// What a GCM tag needs in addition to the hash (SP 800-38D section 7.1, steps 5 and 6).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Tag<'a> {
    /// J0.
    pub j0: &'a Block,
    /// Bytes of additional data.
    pub aad_len: u64,
    /// Bytes of text.
    pub text_len: u64,
}

/// Modes whose texts may be in pieces, except GCM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum BlockMode {
    /// Without a state.
    EcbEncrypt,
    /// Without a state.
    EcbDecrypt,
    /// The state is the previous ciphertext block.
    CbcEncrypt,
    /// The state is the previous ciphertext block.
    CbcDecrypt,
    /// The state is the next counter block. Its last 32 bits count.
    Ctr,
    /// As [`Ctr`](Self::Ctr), with CBC-MAC of the input.
    CcmEncrypt,
    /// As [`Ctr`](Self::Ctr), with CBC-MAC of the output.
    CcmDecrypt,
    /// Reads only, without a state.
    CbcMac,
}

impl BlockMode {
    /// Whether each block waits for the one before. Then a wider register makes nothing faster.
    #[must_use]
    pub const fn is_serial(self) -> bool {
        matches!(self, Self::CbcEncrypt | Self::CcmEncrypt | Self::CcmDecrypt | Self::CbcMac)
    }
}

/// A stretch of a text, contiguous on both sides.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Piece {
    /// The bytes to read.
    pub src: *const u8,
    /// Where they are written, transformed: the same place, or one disjoint from all of the text's source.
    pub dst: *mut u8,
    /// Bytes; there may be none.
    pub len: usize,
}
