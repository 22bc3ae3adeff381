// SPDX-License-Identifier: MIT OR Apache-2.0
//! Power-on self-test: known answers of every mode and key size on every table that this CPU has,
//! through the same [`Operation`] that serves a request.
//!
//! The messages are the beginnings of one pattern. Of the longest the widest loop of every table,
//! its shorter ones and a ragged end run, and the CTR counter carries out of its low 32 bits on the
//! way; it is given in one part and in two. The others take each way that a short GCM message has
//! through the wide tables. An answer is 128 bits: of all messages the blocks, folded by rotating and
//! adding, which no single wrong bit survives. A test computes
//! them with RustCrypto.
//!
//! No heap, no panic, and no frame over 1 KiB: the caller lends the memory for a key and a message.
//! Both are public.

use kcfaes_kernels::Block;

use crate::data::{Flat, Io};
use crate::engine::{Fpu, Table, TableId, probe};
use crate::kcf::{Error, KM_NOSLEEP, Result};
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

/// Bytes of the longest message: 27 registers of four blocks, one block and 5 bytes. ECB and CBC take
/// the whole blocks of a message.
const LEN: usize = (27 * 4 + 1) * 16 + 5;

/// Bytes of each message, and those of its first part where it is given in two: so it is in GCM
/// alone, which has other kernels for that. CMAC takes the first part alone, which is whole blocks.
const MESSAGES: [(usize, Option<usize>); 10] = [
    (LEN, None),
    (LEN, Some(27 * 4 * 16)),
    (285, None),
    (221, None),
    (157, None),
    (141, None),
    (93, None),
    (61, None),
    (29, None),
    (13, None),
];

/// What a test works in: about 3 KiB, all-zero at first.
#[repr(C)]
pub struct Scratch {
    key: Key,
    message: [u8; LEN],
}

impl Default for Scratch {
    fn default() -> Self {
        Self { key: Key::default(), message: [0; LEN] }
    }
}

/// The message's first bytes are the AAD too.
const AAD_LEN: usize = 20;

/// The key is this, or the first 16 or 24 bytes of it.
const KEY: [u8; 32] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
];

/// The IV of CBC and first counter block of CTR; its first 12 bytes are the IV of GMAC and the nonce
/// of CCM.
const IV: [u8; 16] = [
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xff, 0xff, 0xff, 0xf0,
];

/// The IV of GCM. It hashes to a counter that begins with a low byte of 0xfc, 0xc3 or 0xf1, by key
/// size, so that in every table the carry out of it, a path of its own in the kernels, falls once into
/// the first step and once into a later one, which hashes meanwhile.
const GCM_IV: [u8; 16] = [
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0x1e, 0xaf,
];

/// [`fold`]s of the answers to one key size: of the ciphertext, in GCM and CCM with the tag behind it
/// as one more block; of the tag in CMAC and in GMAC, whose message follows the AAD.
struct Answers {
    key_len: usize,
    folds: [(Mechanism, u128); 7],
}

const ANSWERS: [Answers; 3] = [
    Answers {
        key_len: 16,
        folds: [
            (Mechanism::Ecb, 0xc81f24ba_ace615d1_a99cf5aa_706ae945),
            (Mechanism::Cbc, 0xe63dde7d_023460e6_b7a633d4_d0601627),
            (Mechanism::Ctr, 0x348902eb_c9cbd0e2_140ebf36_624814d6),
            (Mechanism::Gcm, 0xe31cfbfb_496d6c31_293cb04c_c4eb7e24),
            (Mechanism::Ccm, 0x91c1bb00_48a3ea5b_c5ce0ff3_1243ecdc),
            (Mechanism::Gmac, 0xb489506c_acf61ca1_a031c43a_8b655051),
            (Mechanism::Cmac, 0xab7c904e_d08aa312_d479846c_b6aaab12),
        ],
    },
    Answers {
        key_len: 24,
        folds: [
            (Mechanism::Ecb, 0x18d60f5c_28e81d1b_3b266ba2_e84cabf3),
            (Mechanism::Cbc, 0xa22404f6_d0071ea7_906c600b_e4be8e71),
            (Mechanism::Ctr, 0xe23e1a48_f243e61c_26e16c01_d5142531),
            (Mechanism::Gcm, 0x7c5ab939_5361dee1_523d83c2_c91137e6),
            (Mechanism::Ccm, 0x6cb40303_3efe6c9b_7549e30d_f55cf4d1),
            (Mechanism::Gmac, 0x90e5b908_a1537b85_83b94380_deab08c2),
            (Mechanism::Cmac, 0xdb7f8e44_8936f4ad_b3e2354f_38ffc1f3),
        ],
    },
    Answers {
        key_len: 32,
        folds: [
            (Mechanism::Ecb, 0x19e4826c_0c1410ec_585e6f53_88df1cfc),
            (Mechanism::Cbc, 0x0ad3c730_5be62444_2b7c88e8_69900d5d),
            (Mechanism::Ctr, 0xa858d176_6a3ee033_dfda0ac4_5c252894),
            (Mechanism::Gcm, 0x1730bf48_62a88946_91b1901b_96f54812),
            (Mechanism::Ccm, 0xfa35619c_7a0ca77f_124ba539_ab5291f9),
            (Mechanism::Gmac, 0xae1f2541_a57f8d70_18be23fe_7d457060),
            (Mechanism::Cmac, 0xc8a447c2_dd813a54_1606f35c_1eae972f),
        ],
    },
];

/// Tests every table that this CPU has and this context may run, slowest first.
///
/// # Errors
/// The first wrong answer.
pub fn run(scratch: &mut Scratch) -> core::result::Result<(), Fault> {
    TableId::ALL.into_iter().filter_map(probe).try_for_each(|table| test(table, scratch))
}

/// Tests one table.
///
/// # Errors
/// The first wrong answer.
pub fn test(table: Table, scratch: &mut Scratch) -> core::result::Result<(), Fault> {
    for answers in &ANSWERS {
        let key_len = answers.key_len;
        scratch.key.set(&mut Fpu::on(table), KEY.get(..key_len).unwrap_or(&KEY), true);
        for &(mechanism, answer) in &answers.folds {
            let mut sum = 0;
            for (len, part) in MESSAGES {
                if part.is_some() && !matches!(mechanism, Mechanism::Gcm | Mechanism::Cmac) {
                    continue;
                }
                let key = &scratch.key;
                let text = scratch.message.get_mut(..len).unwrap_or_default();
                sum = answer_of(table, mechanism, key, text, part, sum).unwrap_or_default();
            }
            if sum != answer {
                return Err(Fault { table: table.id(), mechanism, key_len });
            }
        }
    }
    Ok(())
}

/// Folds what a mechanism makes of a message behind `sum`, if it then decrypts to the message again;
/// in GCM and CCM, if it has also refused a tag with one bit wrong and left the ciphertext as it was.
#[inline(never)]
fn answer_of(
    table: Table,
    mechanism: Mechanism,
    key: &Key,
    text: &mut [u8],
    part: Option<usize>,
    sum: u128,
) -> Option<u128> {
    let whole = match mechanism {
        Mechanism::Ecb | Mechanism::Cbc => text.len() & !15,
        Mechanism::Cmac => part.unwrap_or(text.len()),
        _ => text.len(),
    };
    let text = text.get_mut(..whole)?;
    pattern().zip(&mut *text).for_each(|(from, to)| *to = from);
    let mut tag = [0; 16];
    transform(table, mechanism, Direction::Encrypt, key, text, part, &mut tag).ok()?;
    let aead = matches!(mechanism, Mechanism::Gcm | Mechanism::Ccm);
    let mac = matches!(mechanism, Mechanism::Gmac | Mechanism::Cmac);
    let sealed = |text: &[u8], tag: &[u8; 16]| {
        let sum = if mac { sum } else { fold(sum, text) };
        if mac || aead { fold(sum, tag) } else { sum }
    };
    let answer = sealed(text, &tag);
    if aead && part.is_none() {
        let mut wrong = tag;
        wrong.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        let opened = transform(table, mechanism, Direction::Decrypt, key, text, None, &mut wrong);
        if opened != Err(Error::INVALID_MAC) || sealed(text, &tag) != answer {
            return None;
        }
    }
    if !mac {
        // A MAC has no inverse: its message was not transformed.
        transform(table, mechanism, Direction::Decrypt, key, text, part, &mut tag).ok()?;
    }
    pattern().zip(text).all(|(byte, &mut got)| byte == got).then_some(answer)
}

/// Transforms `text` in place, in one call or with a first part of so many bytes (whole blocks), with
/// the tag apart, which is written or, decrypting, compared.
#[inline(never)]
fn transform(
    table: Table,
    mechanism: Mechanism,
    direction: Direction,
    key: &Key,
    text: &mut [u8],
    part: Option<usize>,
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
        Mechanism::Ccm => Parameter::ccm(iv, &aad, text.len() as u64, 16)?,
        Mechanism::Cmac => Parameter::Cmac,
    };
    let mut fpu = Fpu::on(table);
    let mut operation = Operation::idle();
    operation.begin(mechanism, direction, &parameter, key, &mut fpu);
    operation.detach_tag();
    if operation.is_mac() {
        let (mut text, mut tag) = (Flat::new(text), Flat::new(tag));
        let io = Io { src: text.data(), dst: Some(tag.data()) };
        return operation.whole(key, &mut fpu, &io).map(|_| ());
    }
    operation.expect_tag(tag);
    if let Some((first, rest)) = part.and_then(|part| text.split_at_mut_checked(part)) {
        for part in [&mut *first, rest] {
            let mut part = Flat::new(part);
            let io = Io { src: part.data(), dst: None };
            operation.update(key, &mut fpu, &io, KM_NOSLEEP)?;
        }
        let waiting = rest.len() & !15;
        let mut end = Flat::new(rest.get_mut(waiting..).unwrap_or_default());
        operation.finish(key, &mut fpu, Some(&end.data()))?;
    } else {
        operation.whole(key, &mut fpu, &Io { src: Flat::new(text).data(), dst: None })?;
    }
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
/// stays a wrong bit.
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
    use cmac::Mac;

    /// The seven folds by RustCrypto.
    fn folds<C>(key_len: usize) -> [u128; 7]
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
        let gcm = <AesGcm<C, U16> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
        let ccm = <ccm::Ccm<C, U16, U12> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
        let gmac = <AesGcm<C, U12> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
        let nonce = aes_gcm::aead::generic_array::GenericArray::from_slice(&IV[..12]);
        let aad: Vec<u8> = pattern().take(AAD_LEN).collect();
        let mut sums = [0; 7];
        for (len, part) in MESSAGES {
            let text: Vec<u8> = pattern().take(len).collect();
            let [ecb, cbc, ctr, gcm_sum, ccm_sum, gmac_sum, cmac_sum] = sums;

            let mut sealed = text.clone();
            let tag = gcm.encrypt_in_place_detached((&GCM_IV).into(), &aad, &mut sealed).unwrap();
            sums[3] = fold(fold(gcm_sum, &sealed), &tag);

            let cmac = <cmac::Cmac<C> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
            let mac = cmac.chain_update(&text[..part.unwrap_or(len)]).finalize().into_bytes();
            sums[6] = fold(cmac_sum, &mac);
            if part.is_some() {
                continue;
            }

            let blocks = &text[..len & !15];
            let sealed = cipher.clone().encrypt_padded_vec_mut::<NoPadding>(blocks);
            sums[0] = fold(ecb, &sealed);
            let sealed = cbc::Encryptor::inner_iv_init(cipher.clone(), &IV.into())
                .encrypt_padded_vec_mut::<NoPadding>(blocks);
            sums[1] = fold(cbc, &sealed);

            let mut sealed = text.clone();
            let core = ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(
                cipher.clone(),
                &IV.into(),
            );
            aes::cipher::StreamCipherCoreWrapper::from_core(core).apply_keystream(&mut sealed);
            sums[2] = fold(ctr, &sealed);

            let authenticated = [&aad[..], &text].concat();
            let mac = gmac.encrypt_in_place_detached(nonce, &authenticated, &mut []).unwrap();
            sums[5] = fold(gmac_sum, &mac);

            let mut sealed = text.clone();
            let tag = ccm.encrypt_in_place_detached(nonce, &aad, &mut sealed).unwrap();
            sums[4] = fold(fold(ccm_sum, &sealed), &tag);
        }
        sums
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
