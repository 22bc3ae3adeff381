// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernels must compute: by two libraries that share no code with them or with each other, and bit
//! by bit as the standards define it.

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{AesGcm, TagSize};
use cipher::consts::{U12, U16};
use cipher::generic_array::GenericArray;
use cipher::{
    BlockCipher, BlockDecrypt, BlockEncrypt, BlockSizeUser, KeyInit, KeyIvInit, StreamCipher,
};
use ghash::{GHash, universal_hash::UniversalHash};
use kcfaes_kernels::Block;

/// Deterministic bytes (xorshift64*).
pub(crate) struct Bytes(pub(crate) u64);

impl Bytes {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }

    pub(crate) fn block(&mut self) -> Block {
        Block(self.take(16).try_into().expect("16 bytes"))
    }
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub(crate) fn block(text: &str) -> Block {
    Block(hex(text).try_into().expect("16 bytes"))
}

/// A key of any of the three sizes, for both libraries. The second library has no AES-192.
#[expect(clippy::large_enum_variant, reason = "on the stack of a test")]
pub(crate) enum Cipher {
    Aes128(Aes128, cryptoxide::aes::Aes128),
    Aes192(Aes192),
    Aes256(Aes256, cryptoxide::aes::Aes256),
}

impl Cipher {
    pub(crate) fn new(key: &[u8]) -> Self {
        let wide = || key.try_into().expect("32 bytes");
        match key.len() {
            16 => {
                let other = cryptoxide::aes::Aes128::new(key.try_into().expect("16 bytes"));
                Self::Aes128(Aes128::new(GenericArray::from_slice(key)), other)
            }
            24 => Self::Aes192(Aes192::new(GenericArray::from_slice(key))),
            _ => {
                let other = cryptoxide::aes::Aes256::new(wide());
                Self::Aes256(Aes256::new(GenericArray::from_slice(key)), other)
            }
        }
    }

    pub(crate) fn encrypt(&self, block: &Block) -> Block {
        let mut out = block.0.into();
        let other = match self {
            Self::Aes128(aes, other) => {
                aes.encrypt_block(&mut out);
                other.encrypt_block(&block.0)
            }
            Self::Aes192(aes) => {
                aes.encrypt_block(&mut out);
                out.into()
            }
            Self::Aes256(aes, other) => {
                aes.encrypt_block(&mut out);
                other.encrypt_block(&block.0)
            }
        };
        assert_eq!(other, <[u8; 16]>::from(out), "the libraries differ");
        Block(other)
    }

    pub(crate) fn decrypt(&self, block: &Block) -> Block {
        let mut out = block.0.into();
        let other = match self {
            Self::Aes128(aes, other) => {
                aes.decrypt_block(&mut out);
                other.decrypt_block(&block.0)
            }
            Self::Aes192(aes) => {
                aes.decrypt_block(&mut out);
                out.into()
            }
            Self::Aes256(aes, other) => {
                aes.decrypt_block(&mut out);
                other.decrypt_block(&block.0)
            }
        };
        assert_eq!(other, <[u8; 16]>::from(out), "the libraries differ");
        Block(other)
    }

    /// Full blocks. The second library has no mode for CBC encryption and CTR, and is not needed there.
    pub(crate) fn ecb(&self, text: &[u8], encrypt: bool) -> Vec<u8> {
        let blocks = text.as_chunks().0.iter();
        blocks
            .flat_map(|block| {
                let block = Block(*block);
                if encrypt { self.encrypt(&block).0 } else { self.decrypt(&block).0 }
            })
            .collect()
    }
}

pub(crate) fn cbc_encrypt(key: &[u8], iv: &Block, text: &[u8]) -> Vec<u8> {
    use cipher::{BlockEncryptMut, block_padding::NoPadding};
    let iv = GenericArray::from_slice(&iv.0);
    match key.len() {
        16 => cbc::Encryptor::<Aes128>::new(GenericArray::from_slice(key), iv)
            .encrypt_padded_vec_mut::<NoPadding>(text),
        24 => cbc::Encryptor::<Aes192>::new(GenericArray::from_slice(key), iv)
            .encrypt_padded_vec_mut::<NoPadding>(text),
        _ => cbc::Encryptor::<Aes256>::new(GenericArray::from_slice(key), iv)
            .encrypt_padded_vec_mut::<NoPadding>(text),
    }
}

pub(crate) fn ctr32(key: &[u8], ctr: &Block, text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let ctr = GenericArray::from_slice(&ctr.0);
    match key.len() {
        16 => ctr::Ctr32BE::<Aes128>::new(GenericArray::from_slice(key), ctr)
            .apply_keystream(&mut out),
        24 => ctr::Ctr32BE::<Aes192>::new(GenericArray::from_slice(key), ctr)
            .apply_keystream(&mut out),
        _ => ctr::Ctr32BE::<Aes256>::new(GenericArray::from_slice(key), ctr)
            .apply_keystream(&mut out),
    }
    out
}

/// The product of SP 800-38D algorithm 1, bit by bit; byte 0's top bit is the coefficient of x^0.
pub(crate) fn product(x: u128, y: u128) -> u128 {
    let (mut z, mut v) = (0, y);
    for i in 0..128 {
        if x >> (127 - i) & 1 == 1 {
            z ^= v;
        }
        v = v >> 1 ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}

/// 1 divided by `x`: x^(2^128 - 2).
pub(crate) fn inverse(x: u128) -> u128 {
    let (mut result, mut square) = (1 << 127, x);
    for _ in 1..128 {
        square = product(square, square);
        result = product(result, square);
    }
    result
}

/// GHASH of SP 800-38D section 6.4, starting from `y`. The last block is padded with zeros.
pub(crate) fn ghash(h: &Block, y: &Block, text: &[u8]) -> Block {
    let h = u128::from_be_bytes(h.0);
    let mut sum = u128::from_be_bytes(y.0);
    for chunk in text.chunks(16) {
        let mut padded = [0; 16];
        padded[..chunk.len()].copy_from_slice(chunk);
        sum = product(sum ^ u128::from_be_bytes(padded), h);
    }
    Block(sum.to_be_bytes())
}

/// The same by RustCrypto's crate. It has no start value, so `y` is absorbed with the first block.
pub(crate) fn ghash_by_crate(h: &Block, y: &Block, text: &[u8]) -> Block {
    if text.is_empty() {
        return *y;
    }
    let mut first = text.to_vec();
    first.resize(text.len().max(16), 0);
    first.iter_mut().zip(y.0).for_each(|(byte, start)| *byte ^= start);
    let mut hash = GHash::new(GenericArray::from_slice(&h.0));
    hash.update_padded(&first);
    Block(hash.finalize().into())
}

/// The length block of SP 800-38D section 7.1 step 5.
pub(crate) fn lengths(aad_len: usize, text_len: usize) -> Block {
    Block(((aad_len as u128) << 67 | (text_len as u128) << 3).to_be_bytes())
}

/// J0 of SP 800-38D section 7.1 step 2.
pub(crate) fn j0(h: &Block, iv: &[u8]) -> Block {
    if iv.len() == 12 {
        return Block([iv, &[0, 0, 0, 1]].concat().try_into().expect("16 bytes"));
    }
    let hash = ghash(h, &Block::default(), iv);
    ghash(h, &hash, &lengths(0, iv.len()).0)
}

/// GCM with an IV of 12 or 16 bytes and a tag of 16. RustCrypto computes it, and so does the second library
/// if it supports the key's size and the IV's.
pub(crate) fn gcm(key: &[u8], iv: &[u8], aad: &[u8], text: &[u8]) -> (Vec<u8>, Block) {
    fn by<C, N>(key: &[u8], iv: &[u8], aad: &[u8], text: &[u8]) -> (Vec<u8>, Block)
    where
        C: BlockCipher + BlockSizeUser<BlockSize = U16> + BlockEncrypt + KeyInit,
        N: cipher::ArrayLength<u8>,
        AesGcm<C, N>: KeyInit + AeadInPlace<NonceSize = N>,
        U16: TagSize,
    {
        let mut out = text.to_vec();
        let gcm = <AesGcm<C, N> as KeyInit>::new_from_slice(key).expect("a key");
        let nonce = GenericArray::from_slice(iv);
        let tag = gcm.encrypt_in_place_detached(nonce, aad, &mut out).expect("a short text");
        let tag = tag.as_slice().try_into().expect("16 bytes");
        (out, Block(tag))
    }
    let sealed = match (key.len(), iv.len()) {
        (16, 12) => by::<Aes128, U12>(key, iv, aad, text),
        (24, 12) => by::<Aes192, U12>(key, iv, aad, text),
        (32, 12) => by::<Aes256, U12>(key, iv, aad, text),
        (16, 16) => by::<Aes128, U16>(key, iv, aad, text),
        (24, 16) => by::<Aes192, U16>(key, iv, aad, text),
        _ => by::<Aes256, U16>(key, iv, aad, text),
    };
    if let (16 | 32, Ok(nonce)) = (key.len(), <&[u8; 12]>::try_from(iv)) {
        let mut out = vec![0; text.len()];
        let mut tag = cryptoxide::aes_gcm::Tag([0; 16]);
        match key.len() {
            16 => {
                let gcm = cryptoxide::aes_gcm::AesGcm128::new(key.try_into().expect("16 bytes"));
                gcm.encrypt(nonce, aad, text, &mut out, &mut tag);
            }
            _ => {
                let gcm = cryptoxide::aes_gcm::AesGcm256::new(key.try_into().expect("32 bytes"));
                gcm.encrypt(nonce, aad, text, &mut out, &mut tag);
            }
        }
        assert_eq!((&out, Block(tag.0)), (&sealed.0, sealed.1), "the libraries differ");
    }
    sealed
}
