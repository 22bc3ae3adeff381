// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a message must become, by implementations that share no code with the provider. One is RustCrypto's
//! crates of modes. The other composes single blocks of its `aes` crate here, with GHASH bit by bit as SP
//! 800-38D section 6.3 defines it.
#![allow(dead_code, reason = "each test uses a part")]

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{AesGcm, KeyInit, TagSize};
use cipher::block_padding::NoPadding;
use cipher::consts::{U12, U13, U14, U15, U16};
use cipher::{BlockDecrypt, BlockEncrypt, BlockEncryptMut, KeyIvInit, StreamCipher};
use kcfaes_ffi_tests::consumer::{Request, Way};
use kcfaes_vectors::{Mode, Stream};

/// A message in the clear, all parameters of its mechanism, and its expected ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) mode: Mode,
    /// 16, 24 or 32 bytes.
    pub(crate) key: Vec<u8>,
    /// The IV or first counter block; empty for ECB.
    pub(crate) iv: Vec<u8>,
    /// CTR: width of the counter.
    pub(crate) bits: u32,
    /// The parameter's AAD, for GCM, GMAC and CCM.
    pub(crate) aad: Vec<u8>,
    /// Bytes of the tag; 0 without a tag.
    pub(crate) tag_len: usize,
    pub(crate) text: Vec<u8>,
    /// Ciphertext and tag. For a MAC only the tag.
    pub(crate) sealed: Vec<u8>,
}

impl Message {
    /// `len` bytes of text with a key of `key_len` bytes. All bytes are drawn from `random`.
    pub(crate) fn draw(mode: Mode, key_len: usize, len: usize, random: &mut Stream) -> Self {
        let (iv_len, tag_len) = match mode {
            Mode::Ecb => (0, 0),
            Mode::Cbc | Mode::Ctr => (16, 0),
            Mode::Gcm | Mode::Gmac | Mode::Ccm => (12, 16),
            Mode::Cmac => (0, 16),
        };
        Self {
            mode,
            key: random.draw(key_len),
            iv: random.draw(iv_len),
            bits: 32,
            aad: if iv_len == 12 { random.draw(20) } else { vec![] },
            tag_len,
            text: random.draw(len),
            sealed: vec![],
        }
        .seal()
    }

    /// Fills `sealed`.
    pub(crate) fn seal(mut self) -> Self {
        self.sealed = self.by_blocks();
        self
    }

    /// The input.
    pub(crate) fn input(&self, way: Way) -> Vec<u8> {
        match (way, self.mode) {
            (Way::Encrypt | Way::Mac, _) => self.text.clone(),
            (Way::Decrypt, Mode::Gmac) => [self.text.as_slice(), &self.sealed].concat(),
            (Way::Decrypt, _) => self.sealed.clone(),
        }
    }

    /// The expected output.
    pub(crate) fn output(&self, way: Way) -> Vec<u8> {
        match (way, self.mode) {
            (Way::Encrypt | Way::Mac, _) => self.sealed.clone(),
            (Way::Decrypt, Mode::Gmac) => vec![],
            (Way::Decrypt, _) => self.text.clone(),
        }
    }

    /// The request to the provider.
    pub(crate) fn request(&self) -> Request {
        Request::new(self.mode, &self.key, &self.iv, self.bits, &self.aad, self.tag_len)
            .for_text(self.text.len())
    }

    /// E(K, block)
    pub(crate) fn cipher(&self, block: [u8; 16]) -> [u8; 16] {
        Aes::new(&self.key).encrypt(block)
    }

    /// The text of a ciphertext without its tag. In ECB and CBC the ciphertext has full blocks.
    pub(crate) fn open(&self, ciphertext: &[u8]) -> Vec<u8> {
        let blocks = ciphertext.as_chunks().0;
        let aes = Aes::new(&self.key);
        match self.mode {
            Mode::Ecb => blocks.iter().flat_map(|&block| aes.decrypt(block)).collect(),
            Mode::Cbc => {
                let iv = self.iv.as_slice().try_into().expect("an IV");
                let chain = core::iter::once(&iv).chain(blocks);
                chain
                    .zip(blocks)
                    .flat_map(|(&chain, &block)| xor(chain, aes.decrypt(block)))
                    .collect()
            }
            // A keystream, which is added once more.
            _ => {
                let twice = Self { text: ciphertext.to_vec(), tag_len: 16, ..self.clone() };
                let mut text = twice.by_blocks();
                text.truncate(ciphertext.len());
                text
            }
        }
    }

    /// J0 of SP 800-38D section 7.1, step 2.
    pub(crate) fn j0(&self) -> [u8; 16] {
        let mut j0 = [0; 16];
        if self.iv.len() == 12 {
            j0[..12].copy_from_slice(&self.iv);
            j0[15] = 1;
            j0
        } else {
            ghash(self.cipher([0; 16]), &[], &self.iv)
        }
    }

    /// The second implementation: AES blocks, and no other code from outside.
    pub(crate) fn by_blocks(&self) -> Vec<u8> {
        let aes = Aes::new(&self.key);
        let mut out = Vec::with_capacity(self.text.len() + 16);
        match self.mode {
            Mode::Ecb => {
                for block in self.text.as_chunks().0 {
                    out.extend(aes.encrypt(*block));
                }
            }
            Mode::Cbc => {
                let mut chain: [u8; 16] = self.iv.as_slice().try_into().expect("an IV");
                for block in self.text.as_chunks().0 {
                    chain = aes.encrypt(xor(chain, *block));
                    out.extend(chain);
                }
            }
            Mode::Ctr => {
                let first = u128::from_be_bytes(self.iv.as_slice().try_into().expect("a counter"));
                out = self.counter_mode(&aes, first, self.bits);
            }
            Mode::Gcm => {
                let j0 = self.j0();
                let counter = u128::from_be_bytes(j0);
                let first = counter & !0xffff_ffff | u128::from((counter as u32).wrapping_add(1));
                out = self.counter_mode(&aes, first, 32);
                let hash = ghash(aes.encrypt([0; 16]), &self.aad, &out);
                out.extend(&xor(hash, aes.encrypt(j0))[..self.tag_len]);
            }
            Mode::Ccm => {
                let [a0, first] = [0, 1].map(|number| self.ccm_block(0, number));
                let flags = u8::from(!self.aad.is_empty()) << 6 | (self.tag_len as u8 - 2) << 2;
                let mut authenticated = self.ccm_block(flags, self.text.len()).to_vec();
                authenticated.extend(match self.aad.len() {
                    0 => vec![],
                    len @ ..0xff00 => (len as u16).to_be_bytes().to_vec(),
                    len => [&[0xff, 0xfe], (len as u32).to_be_bytes().as_slice()].concat(),
                });
                for part in [&self.aad, &self.text] {
                    authenticated.extend(part);
                    authenticated.resize(authenticated.len().next_multiple_of(16), 0);
                }
                out = self.counter_mode(&aes, u128::from_be_bytes(first), 128);
                let mac = cbc_mac(&aes, &authenticated);
                out.extend(&xor(mac, aes.encrypt(a0))[..self.tag_len]);
            }
            Mode::Cmac => {
                let double = |block: [u8; 16]| {
                    let block = u128::from_be_bytes(block);
                    (block << 1 ^ if block >> 127 == 1 { 0x87 } else { 0 }).to_be_bytes()
                };
                let mut subkey = double(aes.encrypt([0; 16]));
                let mut text = self.text.clone();
                if text.is_empty() || !text.len().is_multiple_of(16) {
                    subkey = double(subkey);
                    text.push(0x80);
                    text.resize(text.len().next_multiple_of(16), 0);
                }
                let last = text.len() - 16;
                text[last..].iter_mut().zip(subkey).for_each(|(byte, key)| *byte ^= key);
                out.extend(&cbc_mac(&aes, &text)[..self.tag_len]);
            }
            Mode::Gmac => {
                let aad = [self.aad.as_slice(), &self.text].concat();
                let hash = ghash(aes.encrypt([0; 16]), &aad, &[]);
                out.extend(&xor(hash, aes.encrypt(self.j0()))[..self.tag_len]);
            }
        }
        out
    }

    /// A block of CCM: flags with the width of the number, the nonce, and the number (SP 800-38C
    /// appendix A).
    pub(crate) fn ccm_block(&self, flags: u8, number: usize) -> [u8; 16] {
        let mut block = (number as u128).to_be_bytes();
        block[0] = flags | (14 - self.iv.len()) as u8;
        block[1..=self.iv.len()].copy_from_slice(&self.iv);
        block
    }

    fn counter_mode(&self, aes: &Aes, first: u128, bits: u32) -> Vec<u8> {
        let mask = u128::MAX >> (128 - bits);
        let counters = (0..).map(|i| first & !mask | first.wrapping_add(i) & mask);
        let keystream = counters.flat_map(|counter| aes.encrypt(counter.to_be_bytes()));
        self.text.iter().zip(keystream).map(|(byte, key)| byte ^ key).collect()
    }

    /// The crates of modes. `None` if they lack the width of the counter, or the length of the IV or tag.
    pub(crate) fn by_crates(&self) -> Option<Vec<u8>> {
        match self.key.len() {
            16 => self.by_crates_with::<Aes128>(),
            24 => self.by_crates_with::<Aes192>(),
            _ => self.by_crates_with::<Aes256>(),
        }
    }

    fn by_crates_with<C>(&self) -> Option<Vec<u8>>
    where
        C: KeyInit
            + BlockEncryptMut
            + cipher::BlockCipher
            + cipher::BlockSizeUser<BlockSize = U16>
            + BlockEncrypt
            + Clone,
    {
        let mut out = self.text.clone();
        match self.mode {
            Mode::Ecb => {
                let cipher = C::new_from_slice(&self.key).ok()?;
                for block in out.chunks_exact_mut(16) {
                    cipher.encrypt_block(block.into());
                }
            }
            Mode::Cbc => {
                let cbc = cbc::Encryptor::<C>::new_from_slices(&self.key, &self.iv).ok()?;
                out = cbc.encrypt_padded_vec_mut::<NoPadding>(&self.text);
            }
            Mode::Ctr => match self.bits {
                32 => ctr::Ctr32BE::<C>::new_from_slices(&self.key, &self.iv)
                    .ok()?
                    .try_apply_keystream(&mut out)
                    .ok()?,
                64 => ctr::Ctr64BE::<C>::new_from_slices(&self.key, &self.iv)
                    .ok()?
                    .try_apply_keystream(&mut out)
                    .ok()?,
                128 => ctr::Ctr128BE::<C>::new_from_slices(&self.key, &self.iv)
                    .ok()?
                    .try_apply_keystream(&mut out)
                    .ok()?,
                _ => return None,
            },
            Mode::Gcm => match self.tag_len {
                12 => self.gcm::<C, U12>(&mut out)?,
                13 => self.gcm::<C, U13>(&mut out)?,
                14 => self.gcm::<C, U14>(&mut out)?,
                15 => self.gcm::<C, U15>(&mut out)?,
                16 => self.gcm::<C, U16>(&mut out)?,
                _ => return None,
            },
            Mode::Ccm => self.ccm::<C>(&mut out)?,
            Mode::Cmac => {
                let mut cmac = <cmac::Cmac<C> as KeyInit>::new_from_slice(&self.key).ok()?;
                cmac::Mac::update(&mut cmac, &self.text);
                out = cmac::Mac::finalize(cmac).into_bytes()[..self.tag_len].to_vec();
            }
            Mode::Gmac => {
                let aad = [self.aad.as_slice(), &self.text].concat();
                let message = Self { mode: Mode::Gcm, aad, text: vec![], ..self.clone() };
                return message.by_crates();
            }
        }
        Some(out)
    }

    fn ccm<C>(&self, out: &mut Vec<u8>) -> Option<()>
    where
        C: KeyInit + cipher::BlockCipher + cipher::BlockSizeUser<BlockSize = U16> + BlockEncrypt,
    {
        fn sealed<C, M, N>(message: &Message, out: &mut [u8]) -> Option<Vec<u8>>
        where
            C: KeyInit
                + cipher::BlockCipher
                + cipher::BlockSizeUser<BlockSize = U16>
                + BlockEncrypt,
            M: cipher::generic_array::ArrayLength<u8> + ccm::TagSize,
            N: cipher::generic_array::ArrayLength<u8> + ccm::NonceSize,
        {
            let ccm = ccm::Ccm::<C, M, N>::new_from_slice(&message.key).ok()?;
            let nonce = message.iv.as_slice().into();
            Some(ccm.encrypt_in_place_detached(nonce, &message.aad, out).ok()?.to_vec())
        }
        use cipher::consts::{U4, U6, U7, U8, U9, U10, U11};
        macro_rules! of {
            ($($tag_len:literal: $tag:ty),*) => {
                match (self.tag_len, self.iv.len()) {
                    $(
                        ($tag_len, 7) => sealed::<C, $tag, U7>(self, out)?,
                        ($tag_len, 8) => sealed::<C, $tag, U8>(self, out)?,
                        ($tag_len, 9) => sealed::<C, $tag, U9>(self, out)?,
                        ($tag_len, 10) => sealed::<C, $tag, U10>(self, out)?,
                        ($tag_len, 11) => sealed::<C, $tag, U11>(self, out)?,
                        ($tag_len, 12) => sealed::<C, $tag, U12>(self, out)?,
                        ($tag_len, 13) => sealed::<C, $tag, U13>(self, out)?,
                    )*
                    _ => return None,
                }
            };
        }
        let tag = of!(4: U4, 6: U6, 8: U8, 10: U10, 12: U12, 14: U14, 16: U16);
        out.extend(tag);
        Some(())
    }

    fn gcm<C, T>(&self, out: &mut Vec<u8>) -> Option<()>
    where
        C: KeyInit + cipher::BlockCipher + cipher::BlockSizeUser<BlockSize = U16> + BlockEncrypt,
        T: TagSize,
    {
        fn sealed<C, N, T>(message: &Message, out: &mut [u8]) -> Option<Vec<u8>>
        where
            C: KeyInit
                + cipher::BlockCipher
                + cipher::BlockSizeUser<BlockSize = U16>
                + BlockEncrypt,
            N: cipher::generic_array::ArrayLength<u8>,
            T: TagSize,
        {
            let gcm = AesGcm::<C, N, T>::new_from_slice(&message.key).ok()?;
            let nonce = message.iv.as_slice().into();
            Some(gcm.encrypt_in_place_detached(nonce, &message.aad, out).ok()?.to_vec())
        }
        use cipher::consts::{U1, U8, U17, U60};
        let tag = match self.iv.len() {
            1 => sealed::<C, U1, T>(self, out)?,
            8 => sealed::<C, U8, T>(self, out)?,
            12 => sealed::<C, U12, T>(self, out)?,
            16 => sealed::<C, U16, T>(self, out)?,
            17 => sealed::<C, U17, T>(self, out)?,
            60 => sealed::<C, U60, T>(self, out)?,
            _ => return None,
        };
        out.extend(tag);
        Some(())
    }
}

/// Single blocks of AES.
enum Aes {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl Aes {
    fn new(key: &[u8]) -> Self {
        match key.len() {
            16 => Self::Aes128(Aes128::new_from_slice(key).expect("16")),
            24 => Self::Aes192(Aes192::new_from_slice(key).expect("24")),
            _ => Self::Aes256(Aes256::new_from_slice(key).expect("32")),
        }
    }

    fn encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        match self {
            Self::Aes128(aes) => aes.encrypt_block(&mut block),
            Self::Aes192(aes) => aes.encrypt_block(&mut block),
            Self::Aes256(aes) => aes.encrypt_block(&mut block),
        }
        block.into()
    }

    fn decrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        match self {
            Self::Aes128(aes) => aes.decrypt_block(&mut block),
            Self::Aes192(aes) => aes.decrypt_block(&mut block),
            Self::Aes256(aes) => aes.decrypt_block(&mut block),
        }
        block.into()
    }
}

fn cbc_mac(aes: &Aes, blocks: &[u8]) -> [u8; 16] {
    blocks.as_chunks().0.iter().fold([0; 16], |mac, block| aes.encrypt(xor(mac, *block)))
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
}

/// GHASH of `aad` and `text`, both padded, and their lengths. With no AAD it is the hash of an IV.
fn ghash(h: [u8; 16], aad: &[u8], text: &[u8]) -> [u8; 16] {
    let h = u128::from_be_bytes(h);
    let mut y = 0;
    for part in [aad, text] {
        for piece in part.chunks(16) {
            let mut block = [0; 16];
            block[..piece.len()].copy_from_slice(piece);
            y = multiply(y ^ u128::from_be_bytes(block), h);
        }
    }
    let lengths = (aad.len() as u128) << 67 | (text.len() as u128) << 3;
    multiply(y ^ lengths, h).to_be_bytes()
}

/// SP 800-38D, algorithm 1.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut z, mut v) = (0, y);
    for i in (0..128).rev() {
        if x >> i & 1 == 1 {
            z ^= v;
        }
        v = v >> 1 ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}
