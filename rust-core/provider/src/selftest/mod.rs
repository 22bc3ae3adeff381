// SPDX-License-Identifier: MIT OR Apache-2.0
//! Power-on self-test: known answers of every mode and key size on every table that this CPU has,
//! through the same [`Operation`] that serves a request.
//!
//! The messages are the beginnings of one pattern. The longest message runs the widest loop of every table,
//! its shorter loops and a partial end. On the way the CTR counter carries out of its low 32 bits. This
//! message is given in one part and in two. So is another, for GCM in bulk. The others take each way that a short
//! GCM message can take through the wide tables. An answer is 128 bits: the blocks of all messages, folded by rotation and
//! addition. A single wrong bit always changes it. The answers are in `answers.rs`; a test computes them with
//! RustCrypto.
//!
//! No heap, no panic, and no frame over 1 KiB: the caller lends the memory for a key and a message. Both are
//! public.

mod answers;

use kcfaes_kernels::Block;

use crate::data::{Flat, Halves, Io};
use crate::engine::{Fpu, Table, TableId, probe};
use crate::kcf::{Error, KM_NOSLEEP, Result};
use crate::key::Key;
use crate::mode::Operation;
use crate::request::{Direction, Mechanism, Parameter};
use crate::wipe::Wipe;

use self::answers::ANSWERS;

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

/// Bytes of the longest message: 27 registers of four blocks, one block and 5 bytes. ECB and CBC take the
/// full blocks of a message.
const LEN: usize = (27 * 4 + 1) * 16 + 5;

/// Bytes of the message for GCM's laps of two turns: four of them and a few bytes. With the public counter the
/// carry out of its low byte falls into the fourth.
const BULK: usize = 4 * 1024 + 21;

/// How a message is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// In one call and one piece.
    Whole,
    /// In two calls; the first has this many bytes. Only in GCM, which has other kernels for that.
    Parts(usize),
    /// In one call and two pieces; the first has this many bytes.
    Pieces(usize),
}

use Manner::{Parts, Pieces, Whole};

/// Bytes of each message, and how it is given. The longest come last, and only for tables with wide loops.
const MESSAGES: [(usize, Manner); 16] = [
    (477, Whole),
    (285, Whole),
    (221, Whole),
    (157, Whole),
    (141, Whole),
    (109, Whole),
    (93, Whole),
    (77, Whole),
    (61, Whole),
    (45, Whole),
    (32, Whole),
    (13, Whole),
    (LEN, Whole),
    (LEN, Parts(27 * 4 * 16)),
    (BULK, Whole),
    (BULK, Parts(BULK & !15)),
];

/// The memory of a test: about 6 KiB, all-zero at first.
#[repr(C)]
pub struct Scratch {
    key: Key,
    message: [u8; BULK],
}

#[allow(unsafe_code, reason = "a statement about values")]
// SAFETY: a key and bytes.
unsafe impl Wipe for Scratch {}

impl Default for Scratch {
    fn default() -> Self {
        Self { key: Key::default(), message: [0; BULK] }
    }
}

/// The AAD is also the beginning of the message.
const AAD_LEN: usize = 20;

/// The key is this, or the first 16 or 24 bytes of it.
const KEY: [u8; 32] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
];

/// The IV of CBC, and the first counter block of CTR except for its low bits. Its first 12 bytes are the IV
/// of GMAC and the nonce of CCM.
const IV: [u8; 16] = [
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xff, 0xff, 0xff, 0xf0,
];

/// The first counter block of CTR, by the number of rounds. One counter wraps in its low 32 bits where a text
/// is cut. In the others the low byte decides where its carry falls: in the first of the widest steps, or a
/// later one.
const fn counter(rounds: u32) -> [u8; 16] {
    let low = match rounds {
        10 => return IV,
        12 => 0x1111_11fc,
        _ => 0x2222_22c3,
    };
    ((u128::from_be_bytes(IV) & !0xffff_ffff) | low).to_be_bytes()
}

/// The IV of GCM in one call. By key size it hashes to a counter with a low byte of 0xfc, 0xc3 or 0xf1. So in
/// every table a carry out of that byte falls once into the first step, and once into a later step, which
/// also hashes.
const GCM_IV: [u8; 16] = [
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0x1e, 0xaf,
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
        scratch.key.set(&mut Fpu::on(table), KEY.get(..key_len).unwrap_or(&KEY), BULK);
        for &(mechanism, answer) in &answers.folds {
            let mut sum = 0;
            for (len, manner) in MESSAGES {
                if !takes(table.id(), mechanism, len, manner) {
                    continue;
                }
                let key = &scratch.key;
                let text = scratch.message.get_mut(..len).unwrap_or_default();
                sum = answer_of(table, mechanism, key, text, manner, sum).unwrap_or_default();
            }
            let whole = table.id() > TableId::Portable;
            if sum != if whole { answer.all } else { answer.short } {
                return Err(Fault { table: table.id(), mechanism, key_len });
            }
        }
    }
    Ok(())
}

/// Whether a table is tested in a mechanism with a message. The longest messages are for wide loops, not for
/// modes in which each block waits for the one before. In two parts, and with the message for bulk, only GCM is
/// tested.
fn takes(table: TableId, mechanism: Mechanism, len: usize, manner: Manner) -> bool {
    let serial = matches!(mechanism, Mechanism::Ccm | Mechanism::Cmac);
    (len < LEN || table > TableId::Portable && !serial)
        && (len <= LEN && manner == Whole || mechanism == Mechanism::Gcm)
}

/// Folds a mechanism's answer to a message into `sum`. The answer must decrypt to the message again. In GCM
/// and CCM a tag with one wrong bit must be refused, and leave the ciphertext unchanged. If there are kernels
/// for pieces, the message in two pieces must give the same answer.
#[inline(never)]
fn answer_of(
    table: Table,
    mechanism: Mechanism,
    key: &Key,
    text: &mut [u8],
    manner: Manner,
    sum: u128,
) -> Option<u128> {
    let whole = match mechanism {
        Mechanism::Ecb | Mechanism::Cbc => text.len() & !15,
        _ => text.len(),
    };
    let text = text.get_mut(..whole)?;
    pattern().zip(&mut *text).for_each(|(from, to)| *to = from);
    let mut tag = [0; 16];
    transform(table, mechanism, Direction::Encrypt, key, text, manner, &mut tag).ok()?;
    let aead = matches!(mechanism, Mechanism::Gcm | Mechanism::Ccm);
    let mac = matches!(mechanism, Mechanism::Gmac | Mechanism::Cmac);
    let sealed = |text: &[u8], tag: &[u8; 16]| {
        let sum = if mac { sum } else { fold(sum, text) };
        if mac || aead { fold(sum, tag) } else { sum }
    };
    let answer = sealed(text, &tag);
    if aead && manner == Whole {
        let mut wrong = tag;
        wrong.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        let opened = transform(table, mechanism, Direction::Decrypt, key, text, Whole, &mut wrong);
        if opened != Err(Error::INVALID_MAC) || sealed(text, &tag) != answer {
            return None;
        }
    }
    if !mac {
        // A MAC has no inverse: its message was not transformed.
        transform(table, mechanism, Direction::Decrypt, key, text, manner, &mut tag).ok()?;
        if manner == Whole && table.id() > TableId::Portable {
            // The second piece begins with the last byte of a block.
            let pieces = Pieces((whole / 2) | 15);
            transform(table, mechanism, Direction::Encrypt, key, text, pieces, &mut tag).ok()?;
            if sealed(text, &tag) != answer {
                return None;
            }
            transform(table, mechanism, Direction::Decrypt, key, text, pieces, &mut tag).ok()?;
        }
    }
    pattern().zip(text).all(|(byte, &mut got)| byte == got).then_some(answer)
}

/// The IV of a GCM message. A message in parts has the 12 bytes of `public`. Kernels count from such an IV in
/// another way than from a hashed one.
fn gcm_iv(manner: Manner, public: &[u8]) -> &[u8] {
    if matches!(manner, Parts(_)) { public } else { &GCM_IV }
}

/// Transforms `text` in place, with the tag apart: it is written, or in a decryption compared. A first part
/// has full blocks.
#[inline(never)]
fn transform(
    table: Table,
    mechanism: Mechanism,
    direction: Direction,
    key: &Key,
    text: &mut [u8],
    manner: Manner,
    tag: &mut [u8; 16],
) -> Result<()> {
    let mut aad = [0; AAD_LEN];
    pattern().zip(&mut aad).for_each(|(from, to)| *to = from);
    let [iv @ .., _, _, _, _] = &IV;
    let parameter = match mechanism {
        Mechanism::Ecb => Parameter::Ecb,
        Mechanism::Cbc => Parameter::Cbc { iv: Block(IV) },
        Mechanism::Ctr => Parameter::Ctr { bits: 128, cb: Block(counter(key.schedule.rounds)) },
        Mechanism::Gcm => Parameter::Gcm { iv: gcm_iv(manner, iv), aad: &aad, tag_len: 16 },
        Mechanism::Gmac => Parameter::Gmac { iv, aad: &aad },
        Mechanism::Ccm => Parameter::ccm(iv, &aad, text.len() as u64, 16)?,
        Mechanism::Cmac => Parameter::Cmac,
    };
    let mut fpu = Fpu::on(table);
    let mut operation = Operation::idle();
    operation.begin(direction, &parameter, key, &mut fpu);
    fpu.end();
    operation.detach_tag();
    if operation.is_mac() {
        let (mut text, mut tag) = (Flat::new(text), Flat::new(tag));
        let io = Io { src: text.data(), dst: Some(tag.data()), req: core::ptr::null_mut() };
        return operation.transform_in_general(key, &mut fpu, &io).map(|_| ());
    }
    operation.expect_tag(tag);
    feed(&mut operation, key, &mut fpu, text, manner)?;
    if let Some(computed) = operation.computed_tag() {
        *tag = *computed;
    }
    Ok(())
}

/// Gives the text to the operation. Not inlined: `transform`'s frame would be too large.
#[inline(never)]
fn feed(
    operation: &mut Operation,
    key: &Key,
    fpu: &mut Fpu,
    text: &mut [u8],
    manner: Manner,
) -> Result<()> {
    let req = core::ptr::null_mut();
    match manner {
        Whole => {
            operation.transform_in_general(
                key,
                fpu,
                &Io { src: Flat::new(text).data(), dst: None, req },
            )?;
        }
        Pieces(first) => {
            let mut pieces = Halves::new(text, first);
            operation.transform_in_general(key, fpu, &Io { src: pieces.data(), dst: None, req })?;
        }
        Parts(first) => {
            let (first, rest) = text.split_at_mut_checked(first).unwrap_or_default();
            for part in [&mut *first, rest] {
                let mut part = Flat::new(part);
                let io = Io { src: part.data(), dst: None, req };
                operation.update_in_general(key, fpu, &io, KM_NOSLEEP)?;
            }
            let waiting = rest.len() & !15;
            let mut end = Flat::new(rest.get_mut(waiting..).unwrap_or_default());
            operation.finish(key, fpu, Some(&end.data()))?;
        }
    }
    Ok(())
}

/// The message's bytes.
fn pattern() -> impl Iterator<Item = u8> {
    (0u32..).map(|i| (i.wrapping_mul(167).wrapping_add(i >> 8)) as u8)
}

/// Rotates by one bit and adds each block (big-endian, the last followed by zeros). A wrong bit stays a wrong
/// bit.
#[inline(never)]
fn fold(start: u128, bytes: &[u8]) -> u128 {
    bytes.chunks(16).fold(start, |folded, chunk| {
        let mut block = [0; 16];
        chunk.iter().zip(&mut block).for_each(|(from, to)| *to = *from);
        folded.rotate_left(1) ^ u128::from_be_bytes(block)
    })
}

#[cfg(test)]
mod tests {
    use super::answers::Answer;
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
    fn folds<C>(key_len: usize) -> [Answer; 7]
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
        let of_12_bytes = <AesGcm<C, U12> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
        let nonce = aes_gcm::aead::generic_array::GenericArray::from_slice(&IV[..12]);
        let aad: Vec<u8> = pattern().take(AAD_LEN).collect();
        let (mut short, mut sums) = ([0; 7], [0; 7]);
        for (len, manner) in MESSAGES {
            if (len, manner) == (LEN, Whole) {
                short = sums;
            }
            let text: Vec<u8> = pattern().take(len).collect();
            let [ecb, cbc, ctr, gcm_sum, ccm_sum, gmac_sum, cmac_sum] = sums;

            let mut sealed = text.clone();
            let tag = if matches!(manner, Parts(_)) {
                of_12_bytes.encrypt_in_place_detached(nonce, &aad, &mut sealed).unwrap().to_vec()
            } else {
                gcm.encrypt_in_place_detached((&GCM_IV).into(), &aad, &mut sealed).unwrap().to_vec()
            };
            sums[3] = fold(fold(gcm_sum, &sealed), &tag);

            if len < LEN {
                let mut sealed = text.clone();
                let tag = ccm.encrypt_in_place_detached(nonce, &aad, &mut sealed).unwrap();
                sums[4] = fold(fold(ccm_sum, &sealed), &tag);
                let cmac = <cmac::Cmac<C> as KeyInit>::new_from_slice(&KEY[..key_len]).unwrap();
                sums[6] = fold(cmac_sum, &cmac.chain_update(&text).finalize().into_bytes());
            }
            if manner != Whole || len > LEN {
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
                &counter(6 + key_len as u32 / 4).into(),
            );
            aes::cipher::StreamCipherCoreWrapper::from_core(core).apply_keystream(&mut sealed);
            sums[2] = fold(ctr, &sealed);

            let authenticated = [&aad[..], &text].concat();
            let mac =
                of_12_bytes.encrypt_in_place_detached(nonce, &authenticated, &mut []).unwrap();
            sums[5] = fold(gmac_sum, &mac);
        }
        core::array::from_fn(|i| Answer { short: short[i], all: sums[i] })
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, and many values")]
    fn answers_are_those_of_another_library() {
        let expected = [folds::<Aes128>(16), folds::<Aes192>(24), folds::<Aes256>(32)];
        let ours = ANSWERS.map(|answers| answers.folds.map(|(_, fold)| fold));
        assert_eq!(ours, expected);
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, and many values")]
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
