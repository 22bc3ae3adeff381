// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every vector, on every table that this CPU has: through `Key` in place, apart, over lists and in parts, and
//! through RustCrypto's traits in place and apart.

use std::collections::BTreeMap;

use kcfaes::aead::array::sizes::*;
use kcfaes::aead::{AeadInOut, KeyInit};
use kcfaes::cipher::inout::InOutBuf;
use kcfaes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    StreamCipher,
};
use kcfaes::digest::Mac;
use kcfaes::{
    Aes, Aes128, Aes192, Aes256, AesCcm, AesGcm, Cmac, Ctr128BE, Error, Key, Piece, PieceMut,
    Result, Table, Text, cbc,
};
use kcfaes_vectors::{Case, Ciphertext, Expect, Mode, load_all};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    InPlace,
    Apart,
    PiecesInPlace,
    Pieces,
    Parts,
    TraitInPlace,
    TraitApart,
}

use Way::{Apart, InPlace, Parts, Pieces, PiecesInPlace, TraitApart, TraitInPlace};

impl Way {
    const ALL: [Self; 7] = [InPlace, Apart, PiecesInPlace, Pieces, Parts, TraitInPlace, TraitApart];

    fn is_in_place(self) -> bool {
        matches!(self, InPlace | PiecesInPlace | TraitInPlace)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Seal,
    Open,
}

use Direction::{Open, Seal};

/// What was written before a call that must not leave it as plaintext.
const FILL: u8 = 0x5c;

/// 0 bytes, 1 byte, a part, the rest.
fn lengths(len: usize, divisor: usize) -> [usize; 4] {
    let one = len.min(1);
    let part = (len / divisor).min(len - one);
    [0, one, part, len - one - part]
}

fn cut(mut bytes: &[u8], divisor: usize) -> Vec<Piece<'_>> {
    let lengths = lengths(bytes.len(), divisor);
    lengths.map(|len| Piece::new(bytes.split_off(..len).expect("a part"))).into()
}

fn cut_mut(mut bytes: &mut [u8], divisor: usize) -> Vec<PieceMut<'_>> {
    let lengths = lengths(bytes.len(), divisor);
    lengths.map(|len| PieceMut::new(bytes.split_off_mut(..len).expect("a part"))).into()
}

/// Makes the text of a call.
fn with_text(
    way: Way,
    src: &[u8],
    out: &mut [u8],
    call: impl FnOnce(Text<'_>) -> Result<()>,
) -> Result<()> {
    match way {
        InPlace => call(out.into()),
        Apart => call((src, out).into()),
        PiecesInPlace => call(cut_mut(out, 2).as_mut_slice().into()),
        _ => call((cut(src, 2).as_slice(), cut_mut(out, 3).as_mut_slice()).into()),
    }
}

/// Gives a text to `update` in three parts. Returns the number of bytes written.
fn in_parts(
    src: &[u8],
    out: &mut [u8],
    mut update: impl FnMut(Text<'_>) -> Result<usize>,
) -> Result<usize> {
    let mut done = 0;
    for part in src.chunks(src.len() / 3 + 1) {
        done += update((part, &mut out[done..]).into())?;
    }
    Ok(done)
}

/// One vector through the crate's own types.
fn plain(
    way: Way,
    direction: Direction,
    case: &Case,
    counter: &mut [u8; 16],
    src: &[u8],
    out: &mut [u8],
    tag: &mut [u8],
) -> Result<()> {
    let key = &Key::new(&case.key)?;
    let (iv, aad) = (case.iv.as_slice(), case.aad.as_slice());
    if way == Parts {
        return parts(direction, case, key, counter, src, out, tag);
    }
    let list = cut(aad, 2);
    let message = || match way {
        Pieces | PiecesInPlace => list.as_slice().into(),
        _ => kcfaes::Message::from(aad),
    };
    match (case.mode, direction) {
        (Mode::Gmac, Seal) => key.gmac(iv, message(), tag),
        (Mode::Gmac, Open) => key.gmac_verify(iv, message(), tag),
        (Mode::Cmac, Seal) => key.cmac(message(), tag),
        (Mode::Cmac, Open) => key.cmac_verify(message(), tag),
        (mode, direction) => with_text(way, src, out, |text| match (mode, direction) {
            (Mode::Ecb, Seal) => key.ecb_encrypt(text),
            (Mode::Ecb, Open) => key.ecb_decrypt(text),
            (Mode::Cbc, Seal) => key.cbc_encrypt(counter, text),
            (Mode::Cbc, Open) => key.cbc_decrypt(counter, text),
            (Mode::Ccm, Seal) => key.ccm_seal(iv, aad, text, tag),
            (Mode::Ccm, Open) => key.ccm_open(iv, aad, text, tag),
            (Mode::Gcm, Seal) => key.gcm_seal(iv, aad, text, tag),
            (Mode::Gcm, Open) => key.gcm_open(iv, aad, text, tag),
            _ => key.ctr(counter, text),
        }),
    }
}

fn parts(
    direction: Direction,
    case: &Case,
    key: &Key,
    counter: &[u8; 16],
    src: &[u8],
    out: &mut [u8],
    tag: &mut [u8],
) -> Result<()> {
    let (iv, aad, len) = (case.iv.as_slice(), case.aad.as_slice(), src.len() as u64);
    let done = match (case.mode, direction) {
        (Mode::Gcm | Mode::Ccm, Seal) => {
            let mut message = match case.mode {
                Mode::Gcm => key.gcm_seal_parts(iv, aad)?,
                _ => key.ccm_seal_parts(iv, aad, len, tag.len())?,
            };
            let done = in_parts(src, out, |text| message.update(text))?;
            done + message.finish(&mut out[done..], tag)?
        }
        (Mode::Gcm | Mode::Ccm, Open) => {
            let mut message = match case.mode {
                Mode::Gcm => key.gcm_open_parts(iv, aad)?,
                _ => key.ccm_open_parts(iv, aad, len, tag.len())?,
            };
            let done = in_parts(src, out, |text| message.update_unverified(text))?;
            done + message.finish(&mut out[done..], tag)?
        }
        (Mode::Gmac | Mode::Cmac, direction) => {
            let mut mac =
                if case.mode == Mode::Gmac { key.gmac_parts(iv)? } else { key.cmac_parts()? };
            aad.chunks(aad.len() / 3 + 1).try_for_each(|part| mac.update(part))?;
            match direction {
                Seal => mac.finish(tag)?,
                Open => mac.verify(tag)?,
            }
            out.len()
        }
        (mode, direction) => {
            let mut message = match (mode, direction) {
                (Mode::Ecb, Seal) => key.ecb_encrypt_parts()?,
                (Mode::Ecb, Open) => key.ecb_decrypt_parts()?,
                (Mode::Cbc, Seal) => key.cbc_encrypt_parts(counter)?,
                (Mode::Cbc, Open) => key.cbc_decrypt_parts(counter)?,
                _ => key.ctr_parts(counter)?,
            };
            let done = in_parts(src, out, |text| message.update(text))?;
            message.finish()?;
            done
        }
    };
    assert_eq!(done, out.len(), "{}: bytes written in parts", case.id);
    Ok(())
}

/// The output in place, or the input and another place.
fn inout<'a>(way: Way, src: &'a [u8], out: &'a mut [u8]) -> InOutBuf<'a, 'a, u8> {
    if way == TraitInPlace { out.into() } else { InOutBuf::new(src, out).expect("one length") }
}

fn aead<A: AeadInOut>(
    aead: &A,
    direction: Direction,
    case: &Case,
    text: InOutBuf<'_, '_, u8>,
    tag: &mut [u8],
) -> Result<()> {
    let nonce = case.iv.as_slice().try_into().expect("a nonce");
    let answer = match direction {
        Seal => aead
            .encrypt_inout_detached(nonce, &case.aad, text)
            .map(|computed| tag.copy_from_slice(&computed)),
        Open => {
            aead.decrypt_inout_detached(nonce, &case.aad, text, (&*tag).try_into().expect("a tag"))
        }
    };
    // The trait's error says no more.
    answer.map_err(|_| Error::NotAuthentic)
}

/// One vector through the traits. `None` if no type is made here for its lengths.
fn by_trait<A: Aes + KeyInit + BlockCipherEncrypt + BlockCipherDecrypt>(
    way: Way,
    direction: Direction,
    case: &Case,
    counter: &[u8; 16],
    src: &[u8],
    out: &mut [u8],
    tag: &mut [u8],
) -> Option<Result<()>> {
    let aes = &A::new_from_slice(&case.key).expect("a key");
    macro_rules! gcm {
        ($($nonce:literal $nonce_size:ident / $($tag:literal $tag_size:ident)*;)*) => {
            match (case.iv.len(), tag.len()) {
                $($(($nonce, $tag) => {
                    let gcm = AesGcm::<&A, $nonce_size, $tag_size>::from(aes);
                    Some(aead(&gcm, direction, case, inout(way, src, out), tag))
                })*)*
                _ => None,
            }
        };
    }
    macro_rules! ccm {
        ($($tag:literal $tag_size:ident)*) => {
            match (tag.len(), case.iv.len()) {
                $(
                    ($tag, 7) => ccm!(U7, $tag_size),
                    ($tag, 8) => ccm!(U8, $tag_size),
                    ($tag, 9) => ccm!(U9, $tag_size),
                    ($tag, 10) => ccm!(U10, $tag_size),
                    ($tag, 11) => ccm!(U11, $tag_size),
                    ($tag, 12) => ccm!(U12, $tag_size),
                    ($tag, 13) => ccm!(U13, $tag_size),
                )*
                _ => None,
            }
        };
        ($nonce_size:ident, $tag_size:ident) => {{
            let ccm = AesCcm::<&A, $tag_size, $nonce_size>::from(aes);
            Some(aead(&ccm, direction, case, inout(way, src, out), tag))
        }};
    }
    match case.mode {
        Mode::Gcm => gcm! {
            1 U1 / 4 U4 8 U8 12 U12 13 U13 14 U14 15 U15 16 U16;
            12 U12 / 4 U4 8 U8 12 U12 13 U13 14 U14 15 U15 16 U16;
            128 U128 / 4 U4 8 U8 12 U12 13 U13 14 U14 15 U15 16 U16;
            2 U2 / 16 U16; 4 U4 / 16 U16; 6 U6 / 16 U16; 8 U8 / 16 U16; 10 U10 / 16 U16;
            15 U15 / 16 U16; 16 U16 / 16 U16; 20 U20 / 16 U16; 32 U32 / 16 U16; 64 U64 / 16 U16;
            257 U257 / 16 U16;
        },
        Mode::Ccm => ccm!(4 U4 6 U6 8 U8 10 U10 12 U12 14 U14 16 U16),
        // `Mac` knows no IV.
        Mode::Gmac => None,
        Mode::Cmac => {
            let mut mac = <Cmac<&A> as kcfaes::digest::common::InnerInit>::inner_init(aes);
            case.aad.chunks(case.aad.len() / 3 + 1).for_each(|part| Mac::update(&mut mac, part));
            Some(match direction {
                Seal => {
                    tag.copy_from_slice(&mac.finalize().into_bytes()[..tag.len()]);
                    Ok(())
                }
                Open => mac.verify_truncated_left(tag).map_err(|_| Error::NotAuthentic),
            })
        }
        Mode::Ctr => {
            let mut ctr = Ctr128BE::inner_iv_init(aes, &(*counter).into());
            let text = inout(way, src, out);
            Some(ctr.try_apply_keystream_inout(text).map_err(|_| Error::TextLength))
        }
        Mode::Ecb | Mode::Cbc => {
            let (blocks, rest) = inout(way, src, out).into_chunks::<U16>();
            assert!(rest.is_empty(), "{}: whole blocks", case.id);
            let iv = (*counter).into();
            match (case.mode, direction) {
                (Mode::Ecb, Seal) => aes.encrypt_blocks_inout(blocks),
                (Mode::Ecb, Open) => aes.decrypt_blocks_inout(blocks),
                (_, Seal) => cbc::Encryptor::inner_iv_init(aes, &iv).encrypt_blocks_inout(blocks),
                (_, Open) => cbc::Decryptor::inner_iv_init(aes, &iv).decrypt_blocks_inout(blocks),
            }
            Some(Ok(()))
        }
    }
}

/// The counter blocks that a text of `len` bytes begins with and goes on with where a counter narrower than the
/// crate's returns to zero, and the bytes that each is for.
fn stretches(case: &Case, len: usize) -> Vec<([u8; 16], usize)> {
    let first = <[u8; 16]>::try_from(case.iv.as_slice()).unwrap_or_default();
    if case.mode != Mode::Ctr || case.counter_bits == 128 {
        return vec![(first, len)];
    }
    let (mut at, mut stretches) = (0, Vec::new());
    let mask = (1_u128 << case.counter_bits) - 1;
    let mut block = u128::from_be_bytes(first);
    while at < len || stretches.is_empty() {
        let left = usize::try_from(mask - (block & mask)).unwrap_or(usize::MAX).saturating_add(1);
        let n = left.saturating_mul(16).min(len - at);
        stretches.push((block.to_be_bytes(), n));
        at += n;
        block &= !mask;
    }
    stretches
}

/// One vector by one way. `None` if there is none.
fn run(
    way: Way,
    direction: Direction,
    case: &Case,
    src: &[u8],
    out: &mut [u8],
    tag: &mut [u8],
) -> Option<Result<()>> {
    let mut at = 0;
    for (mut counter, n) in stretches(case, src.len()) {
        let (src, out) = (&src[at..at + n], &mut out[at..at + n]);
        let answer = match (way, case.key.len()) {
            (TraitInPlace | TraitApart, 16) => {
                by_trait::<Aes128>(way, direction, case, &counter, src, out, tag)?
            }
            (TraitInPlace | TraitApart, 24) => {
                by_trait::<Aes192>(way, direction, case, &counter, src, out, tag)?
            }
            (TraitInPlace | TraitApart, _) => {
                by_trait::<Aes256>(way, direction, case, &counter, src, out, tag)?
            }
            _ => plain(way, direction, case, &mut counter, src, out, tag),
        };
        if answer.is_err() {
            return Some(answer);
        }
        at += n;
    }
    Some(Ok(()))
}

/// Seals and opens a vector by one way. `false` if there is no type for it.
fn check(way: Way, case: &Case) -> bool {
    let name = format!("{} {way:?} {}", case.id, Table::current().name());
    let buffer = |src: &[u8]| if way.is_in_place() { src.to_vec() } else { vec![FILL; src.len()] };
    let mut sealed = case.pt.clone();
    if case.expect != Expect::BadTag {
        let (mut out, mut tag) = (buffer(&case.pt), vec![0; case.tag.len()]);
        let Some(answer) = run(way, Seal, case, &case.pt, &mut out, &mut tag) else { return false };
        if case.expect == Expect::BadArg {
            assert_eq!(answer, Err(Error::IvOrTagLength), "{name}: seal");
        } else {
            assert_eq!(answer, Ok(()), "{name}: seal");
            assert!(case.ct.matches(&out), "{name}: ciphertext");
            assert_eq!(tag, case.tag, "{name}: tag");
        }
        sealed = out;
    }
    if let Ciphertext::Bytes(bytes) = &case.ct {
        sealed.clone_from(bytes);
    }
    let (mut out, mut tag) = (buffer(&sealed), case.tag.clone());
    let Some(answer) = run(way, Open, case, &sealed, &mut out, &mut tag) else { return false };
    match case.expect {
        Expect::Ok => {
            assert_eq!(answer, Ok(()), "{name}: open");
            assert_eq!(out, case.pt, "{name}: plaintext");
        }
        Expect::BadArg => assert_eq!(answer, Err(Error::IvOrTagLength), "{name}: open"),
        Expect::BadTag => {
            assert_eq!(answer, Err(Error::NotAuthentic), "{name}: a forgery");
            let left = match way {
                // The caller has asked for it.
                Parts => return true,
                _ if way.is_in_place() => sealed,
                _ => vec![0; out.len()],
            };
            assert_eq!(out, left, "{name}: what a forgery leaves");
        }
    }
    true
}

#[test]
fn every_vector_every_way_on_every_table() {
    let files = load_all("../../vectors".as_ref()).unwrap_or_else(|error| panic!("{error}"));
    for table in Table::ALL {
        if let Err(error) = table.force() {
            assert_eq!(error, Error::NotSupported);
            println!("{} NOT RUN: this CPU lacks it", table.name());
            continue;
        }
        for way in Way::ALL {
            for file in &files {
                let mut ran = BTreeMap::new();
                for case in &file.cases {
                    // Our own cases have every length of IV. No type can be made of an impossible length.
                    let may_lack = way >= TraitInPlace
                        && (case.mode == Mode::Gmac
                            || case.expect == Expect::BadArg
                            || case.mode == Mode::Gcm && file.name == "wide.tsv");
                    assert!(check(way, case) || may_lack, "{}: no type", case.id);
                    *ran.entry(case.mode).or_insert(0) += 1;
                }
                assert_eq!(ran, file.counts, "{}: {way:?}", file.name);
            }
        }
    }
    Table::release();
}
