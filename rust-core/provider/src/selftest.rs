// SPDX-License-Identifier: MIT OR Apache-2.0
//! Power-on self-test: known answers of every mode and key size on every table that this CPU has,
//! through the same [`Operation`] that serves a request.
//!
//! One message serves all: 45 blocks and 5 bytes, so that the widest loop of a table, its shorter
//! ones and a ragged end run; the CTR counter carries out of its low 32 bits on the way. An answer is
//! 128 bits: its blocks folded by rotating and adding, which no single wrong bit survives. They were
//! computed with OpenSSL, and a test computes them again with RustCrypto.
//!
//! No heap, no panic, and no frame over 1 KiB: a key, a message and a hold are each on the stack of
//! another function. The keys and the message are public.

use kcfaes_kernels::Block;

use crate::data::{Flat, Io};
use crate::engine::{Fpu, Table, TableId, probe};
use crate::kcf::{Error, Result};
use crate::key::Key;
use crate::mode::Operation;
use crate::request::{Direction, Mechanism, Parameter};

/// Where a table gave a wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The table.
    pub table: TableId,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// Length of the key in bytes.
    pub key_len: usize,
}

/// Bytes of the message; ECB and CBC take the whole blocks of it.
const LEN: usize = 45 * 16 + 5;

/// The message's first bytes are the AAD too.
const AAD_LEN: usize = 20;

/// The key is this, or the first 16 or 24 bytes of it.
const KEY: [u8; 32] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
];

/// The IV of CBC and first counter block of CTR; its first 12 bytes are the IV of GMAC.
const IV: [u8; 16] = [
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xff, 0xff, 0xff, 0xf0,
];

/// The IV of GCM. It hashes to a counter that begins with a low byte of 0xfa, 0xf6 or 0xed, by key
/// size, so that the carry out of it, a path of its own in the kernels, falls into the first wide
/// step or into a later one.
const GCM_IV: [u8; 16] = [
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0x44, 0xa8,
];

/// [`fold`]s of the answers to one key size: of the ciphertext, in GCM with the tag behind it as
/// one more block; of the tag in GMAC, whose message follows the AAD.
struct Answers {
    key_len: usize,
    folds: [(Mechanism, u128); 5],
}

const ANSWERS: [Answers; 3] = [
    Answers {
        key_len: 16,
        folds: [
            (Mechanism::Ecb, 0x1f6e34a7_9ebc8cb0_46fc7637_61289f02),
            (Mechanism::Cbc, 0x8e83ef57_495e2c04_a28d778e_c59909f4),
            (Mechanism::Ctr, 0x5d095302_08346daa_f34600c9_eca2b809),
            (Mechanism::Gcm, 0x0ba5b496_c6087e0d_d06cff98_a326be95),
            (Mechanism::Gmac, 0x762758c4_e7264822_3d9ec7ec_a51b02b1),
        ],
    },
    Answers {
        key_len: 24,
        folds: [
            (Mechanism::Ecb, 0x394bf840_fd50767c_84478a11_9a4da2b8),
            (Mechanism::Cbc, 0xd6aee6f4_7292a84d_a54a3995_6ceff427),
            (Mechanism::Ctr, 0x9c047934_ffaf5ec3_4d5e817e_542f6631),
            (Mechanism::Gcm, 0xc98e3cd7_fa873711_cbcb0465_8cf72e4f),
            (Mechanism::Gmac, 0xddc3d589_54fd7b23_2df8e05d_20cf46f8),
        ],
    },
    Answers {
        key_len: 32,
        folds: [
            (Mechanism::Ecb, 0x14303b95_0ffc8180_d96745e1_c091e570),
            (Mechanism::Cbc, 0x51372760_0687bdde_92be24b4_35200299),
            (Mechanism::Ctr, 0xf7591fff_491495b2_700c7a16_e1a7ba9a),
            (Mechanism::Gcm, 0x95b4af95_a85982eb_6bcdf6c1_a4a6724f),
            (Mechanism::Gmac, 0x832ddde2_c29a9aa7_151b5e27_b2652b01),
        ],
    },
];

/// Tests every table that this CPU has and this context may run, slowest first.
///
/// # Errors
/// The first wrong answer.
pub fn run() -> core::result::Result<(), Fault> {
    TableId::ALL.into_iter().filter_map(probe).try_for_each(test)
}

/// Tests one table.
///
/// # Errors
/// The first wrong answer.
pub fn test(table: Table) -> core::result::Result<(), Fault> {
    ANSWERS.iter().try_for_each(|answers| test_key(table, answers))
}

#[inline(never)]
fn test_key(table: Table, answers: &Answers) -> core::result::Result<(), Fault> {
    let mut key = Key::default();
    let key_len = answers.key_len;
    set(table, &mut key, key_len);
    for &(mechanism, answer) in &answers.folds {
        if !answers_right(table, mechanism, &key, answer) {
            return Err(Fault { table: table.id(), mechanism, key_len });
        }
    }
    Ok(())
}

/// Expands the key; a function of its own for the sake of its frame, which an FPU hold fills.
#[inline(never)]
fn set(table: Table, key: &mut Key, key_len: usize) {
    key.set(&mut Fpu::on(table), KEY.get(..key_len).unwrap_or(&KEY), true);
}

/// Whether a mechanism encrypts to `answer` and back; in GCM, whether it also refuses a tag with one
/// bit wrong and leaves the ciphertext as it was.
#[inline(never)]
fn answers_right(table: Table, mechanism: Mechanism, key: &Key, answer: u128) -> bool {
    let mut message = [0; LEN];
    pattern().zip(&mut message).for_each(|(from, to)| *to = from);
    let text = match mechanism {
        Mechanism::Ecb | Mechanism::Cbc => message.get_mut(..LEN & !15).unwrap_or_default(),
        _ => message.as_mut_slice(),
    };
    let mut tag = [0; 16];
    let sealed = transform(table, mechanism, Direction::Encrypt, key, text, &mut tag);
    let computed = match mechanism {
        Mechanism::Gmac => fold(0, &tag),
        Mechanism::Gcm => fold(fold(0, text), &tag),
        _ => fold(0, text),
    };
    if sealed.is_err() || computed != answer {
        return false;
    }
    if mechanism == Mechanism::Gcm {
        let mut wrong = tag;
        wrong.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        let opened = transform(table, mechanism, Direction::Decrypt, key, text, &mut wrong);
        if opened != Err(Error::INVALID_MAC) || fold(fold(0, text), &tag) != answer {
            return false;
        }
    }
    // GMAC has no inverse: its message was not transformed.
    mechanism == Mechanism::Gmac
        || transform(table, mechanism, Direction::Decrypt, key, text, &mut tag).is_ok()
            && pattern().zip(text).all(|(byte, &mut got)| byte == got)
}

/// Transforms `text` in place with the tag apart, which is written or, decrypting, compared.
#[inline(never)]
fn transform(
    table: Table,
    mechanism: Mechanism,
    direction: Direction,
    key: &Key,
    text: &mut [u8],
    tag: &mut [u8; 16],
) -> Result<()> {
    let mut aad = [0; AAD_LEN];
    pattern().zip(&mut aad).for_each(|(from, to)| *to = from);
    let [iv @ .., _, _, _, _] = &IV;
    let parameter = match mechanism {
        Mechanism::Ecb => Parameter::Ecb,
        Mechanism::Cbc => Parameter::Cbc { iv: Block(IV) },
        Mechanism::Ctr => Parameter::Ctr { bits: 128, cb: Block(IV) },
        Mechanism::Gcm => Parameter::Gcm { iv: &GCM_IV, aad: &aad, tag_len: 16 },
        Mechanism::Gmac => Parameter::Gcm { iv, aad: &aad, tag_len: 16 },
    };
    let mut fpu = Fpu::on(table);
    let mut operation = Operation::idle();
    operation.begin(mechanism, direction, &parameter, key, &mut fpu);
    operation.detach_tag();
    if mechanism == Mechanism::Gmac {
        let (mut text, mut tag) = (Flat::new(text), Flat::new(tag));
        let io = Io { src: text.data(), dst: Some(tag.data()) };
        return operation.whole(key, &mut fpu, &io).map(|_| ());
    }
    operation.expect_tag(tag);
    operation.whole(key, &mut fpu, &Io { src: Flat::new(text).data(), dst: None })?;
    if let Some(computed) = operation.computed_tag() {
        *tag = *computed;
    }
    Ok(())
}

/// The message's bytes.
fn pattern() -> impl Iterator<Item = u8> {
    (0u32..).map(|i| (i.wrapping_mul(167).wrapping_add(i >> 8)) as u8)
}

/// Rotates by one bit and adds each block (big-endian, the last with zeros behind it). A wrong bit
/// cannot cancel itself: fewer than 128 blocks follow.
fn fold(start: u128, bytes: &[u8]) -> u128 {
    bytes.chunks(16).fold(start, |folded, chunk| {
        let mut block = [0; 16];
        chunk.iter().zip(&mut block).for_each(|(from, to)| *to = *from);
        folded.rotate_left(1) ^ u128::from_be_bytes(block)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::block_padding::NoPadding;
    use aes::cipher::consts::U12;
    use aes::cipher::{
        BlockCipher, BlockEncrypt, BlockEncryptMut, BlockSizeUser, InnerIvInit, KeyInit,
        StreamCipher, consts::U16,
    };
    use aes::{Aes128, Aes192, Aes256};
    use aes_gcm::AesGcm;
    use aes_gcm::aead::AeadInPlace;

    /// The five folds by RustCrypto.
    fn folds<C>(key_len: usize) -> [u128; 5]
    where
        C: BlockCipher
            + BlockSizeUser<BlockSize = U16>
            + BlockEncrypt
            + BlockEncryptMut
            + KeyInit
            + Clone,
        AesGcm<C, U12>: KeyInit + AeadInPlace<NonceSize = U12>,
        AesGcm<C, U16>: KeyInit + AeadInPlace<NonceSize = U16>,
    {
        let cipher = C::new_from_slice(&KEY[..key_len]).unwrap();
        let text: Vec<u8> = pattern().take(LEN).collect();
        let blocks = &text[..LEN & !15];

        let ecb = cipher.clone().encrypt_padded_vec_mut::<NoPadding>(blocks);
        let cbc = cbc::Encryptor::inner_iv_init(cipher.clone(), &IV.into())
            .encrypt_padded_vec_mut::<NoPadding>(blocks);
        let mut ctr = text.clone();
        let core = ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(cipher, &IV.into());
        aes::cipher::StreamCipherCoreWrapper::from_core(core).apply_keystream(&mut ctr);

        let gcm = <AesGcm<C, U16> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
        let mut sealed = text.clone();
        let tag =
            gcm.encrypt_in_place_detached((&GCM_IV).into(), &text[..AAD_LEN], &mut sealed).unwrap();
        let gmac = <AesGcm<C, U12> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
        let nonce = aes_gcm::aead::generic_array::GenericArray::from_slice(&IV[..12]);
        let authenticated = [&text[..AAD_LEN], &text].concat();
        let mac = gmac.encrypt_in_place_detached(nonce, &authenticated, &mut []).unwrap();
        let gcm = fold(fold(0, &sealed), &tag);
        [fold(0, &ecb), fold(0, &cbc), fold(0, &ctr), gcm, fold(0, &mac)]
    }

    #[test]
    fn answers_are_those_of_another_library() {
        let expected = [folds::<Aes128>(16), folds::<Aes192>(24), folds::<Aes256>(32)];
        let ours = ANSWERS.map(|answers| answers.folds.map(|(_, fold)| fold));
        assert_eq!(ours, expected);
    }

    #[test]
    fn every_wrong_bit_changes_the_fold() {
        let mut text: Vec<u8> = pattern().take(LEN).collect();
        let right = fold(0, &text);
        for i in 0..LEN * 8 {
            text[i / 8] ^= 1 << (i % 8);
            assert_ne!(fold(0, &text), right);
            text[i / 8] ^= 1 << (i % 8);
        }
    }
}
