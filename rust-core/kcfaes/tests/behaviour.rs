// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the types promise: agreement with RustCrypto's own crates, forgeries, wrong lengths, lists cut anywhere,
//! positions in a stream, messages in parts, threads.

use aes_gcm::aead::consts::{U10, U12, U13, U16};
use kcfaes::aead::array::typenum::Unsigned;
use kcfaes::aead::{AeadInOut, KeyInit};
use kcfaes::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    IvState, KeyIvInit, StreamCipher, StreamCipherSeek,
};
use kcfaes::digest::{FixedOutputReset, Mac, Reset};
use kcfaes::{
    Aes128, Aes128Ccm, Aes128Gcm, Aes192, Aes192Gcm, Aes256, Aes256Ccm, Aes256Cmac, Aes256Gcm,
    AesGcm, CbcJob, CipherParts, Cmac, Ctr128BE, Error, GcmOpenJob, GcmSealJob, Key, MacParts,
    Message, OpenParts, Piece, PieceMut, SealParts, Text,
};
use kcfaes_vectors::Stream;

/// Lengths around those where the kernels change their way.
const LENGTHS: [usize; 16] =
    [0, 1, 15, 16, 17, 31, 63, 64, 65, 127, 128, 255, 256, 1000, 4096, 10_001];

/// Both seal a text to the same bytes, and each opens what the other has sealed.
fn same_aead<O, T>(ours: &O, theirs: &T, stream: &mut Stream)
where
    O: AeadInOut,
    T: AeadInOut<NonceSize = O::NonceSize, TagSize = O::TagSize>,
{
    for len in LENGTHS {
        let (text, aad) = (stream.draw(len), stream.draw(len % 37));
        let nonce = stream.draw(O::NonceSize::USIZE);
        let nonce = nonce.as_slice().try_into().unwrap();
        let (mut a, mut b) = (text.clone(), text.clone());
        let tag = ours.encrypt_inout_detached(nonce, &aad, a.as_mut_slice().into()).unwrap();
        let other = theirs.encrypt_inout_detached(nonce, &aad, b.as_mut_slice().into()).unwrap();
        assert!(a == b && tag == other, "{len} bytes");
        theirs.decrypt_inout_detached(nonce, &aad, a.as_mut_slice().into(), &tag).unwrap();
        ours.decrypt_inout_detached(nonce, &aad, b.as_mut_slice().into(), &other).unwrap();
        assert!(a == text && b == text, "{len} bytes opened");
    }
}

#[test]
fn gcm_and_ccm_agree_with_rustcrypto() {
    let stream = &mut Stream::new(1);
    for _ in 0..4 {
        let key = stream.draw(32);
        let (k16, k24, k32) = (&key[..16], &key[..24], &key[..32]);
        let theirs = aes_gcm::Aes128Gcm::new_from_slice(k16).unwrap();
        same_aead(&Aes128Gcm::new_from_slice(k16).unwrap(), &theirs, stream);
        let theirs = aes_gcm::AesGcm::<aes::Aes192, U12>::new_from_slice(k24).unwrap();
        same_aead(&Aes192Gcm::new_from_slice(k24).unwrap(), &theirs, stream);
        let theirs = aes_gcm::Aes256Gcm::new_from_slice(k32).unwrap();
        same_aead(&Aes256Gcm::new_from_slice(k32).unwrap(), &theirs, stream);
        let theirs = aes_gcm::AesGcm::<aes::Aes128, U10, U13>::new_from_slice(k16).unwrap();
        let ours = AesGcm::<Aes128, U10, U13>::new_from_slice(k16).unwrap();
        same_aead(&ours, &theirs, stream);
        let theirs = ccm::Ccm::<aes::Aes128, U16, U12>::new_from_slice(k16).unwrap();
        same_aead(&Aes128Ccm::<U16, U12>::new_from_slice(k16).unwrap(), &theirs, stream);
        let theirs = ccm::Ccm::<aes::Aes256, U10, U12>::new_from_slice(k32).unwrap();
        same_aead(&Aes256Ccm::<U10, U12>::new_from_slice(k32).unwrap(), &theirs, stream);
        // Their mode with our block cipher.
        let mixed = aes_gcm::AesGcm::<Aes128, U12>::new_from_slice(k16).unwrap();
        same_aead(&Aes128Gcm::new_from_slice(k16).unwrap(), &mixed, stream);
    }
}

#[test]
fn cmac_agrees_with_rustcrypto() {
    let stream = &mut Stream::new(2);
    for len in LENGTHS {
        let (key, text) = (stream.draw(32), stream.draw(len));
        let ours = Aes256Cmac::new_from_slice(&key).unwrap().chain_update(&text).finalize();
        let theirs = cmac::Cmac::<aes::Aes256>::new_from_slice(&key).unwrap();
        assert!(ours == Mac::chain_update(theirs, &text).finalize().into_bytes().into(), "{len}");
        let mut parts = Aes256Cmac::new_from_slice(&key).unwrap();
        text.chunks(7).for_each(|part| Mac::update(&mut parts, part));
        parts.verify_slice(&ours.into_bytes()).unwrap();
    }
}

#[test]
fn ctr_agrees_with_rustcrypto() {
    let stream = &mut Stream::new(3);
    for len in LENGTHS {
        let (key, text) = (stream.draw(16), stream.draw(len));
        // So that the counter carries into its upper half.
        let mut iv = stream.draw(16);
        iv[8..].fill(0xff);
        let (mut a, mut b, mut mixed) = (text.clone(), text.clone(), text.clone());
        let mut ours = Ctr128BE::<Aes128>::new_from_slices(&key, &iv).unwrap();
        a.chunks_mut(len / 5 + 1).for_each(|part| ours.apply_keystream(part));
        ctr::Ctr128BE::<aes::Aes128>::new_from_slices(&key, &iv).unwrap().apply_keystream(&mut b);
        ctr::Ctr128BE::<Aes128>::new_from_slices(&key, &iv).unwrap().apply_keystream(&mut mixed);
        assert!(a == b && b == mixed, "{len} bytes");
        let mut keystream = vec![1; len];
        let mut ours = Ctr128BE::<Aes128>::new_from_slices(&key, &iv).unwrap();
        ours.write_keystream(&mut keystream);
        assert!(keystream.iter().zip(&text).map(|(k, t)| k ^ t).eq(a), "{len} bytes written");
    }
}

#[test]
fn blocks_agree_with_rustcrypto() {
    let stream = &mut Stream::new(4);
    for count in [0, 1, 2, 63, 64, 65, 128, 200] {
        let (key, iv) = (stream.draw(24), stream.draw(16));
        let bytes = stream.draw(16 * count);
        let blocks = || -> Vec<Array<u8, U16>> {
            bytes.chunks(16).map(|block| block.try_into().unwrap()).collect()
        };
        let (ours, theirs) =
            (Aes192::new_from_slice(&key).unwrap(), aes::Aes192::new_from_slice(&key).unwrap());
        let (mut a, mut b, mut c) = (blocks(), blocks(), blocks());
        ours.encrypt_blocks(&mut a);
        theirs.encrypt_blocks(&mut b);
        ours.encrypt_blocks_b2b(&blocks(), &mut c).unwrap();
        assert!(a == b && a == c, "{count} blocks");
        // By the reference, which has only what RustCrypto's generic code calls.
        let mut d = blocks();
        <&Aes192 as BlockCipherEncrypt>::encrypt_blocks(&&ours, &mut d);
        assert_eq!(a, d, "{count} blocks by 64");
        let mut e = blocks();
        e.iter_mut().for_each(|block| ours.encrypt_block(block));
        assert_eq!(a, e, "{count} blocks one by one");
        <&Aes192 as BlockCipherDecrypt>::decrypt_blocks(&&ours, &mut d);
        ours.decrypt_blocks(&mut a);
        assert!(a == blocks() && d == blocks(), "{count} blocks decrypted");

        let (mut a, mut b) = (blocks(), blocks());
        let mut ours =
            kcfaes::cbc::Encryptor::inner_iv_init(&ours, iv.as_slice().try_into().unwrap());
        let (first, rest) = a.split_at_mut(count / 3);
        ours.encrypt_blocks(first);
        ours.encrypt_blocks(rest);
        cbc::Encryptor::<aes::Aes192>::new_from_slices(&key, &iv).unwrap().encrypt_blocks(&mut b);
        assert_eq!(a, b, "{count} blocks of CBC");
        assert_eq!(ours.iv_state(), a.last().copied().unwrap_or(iv.as_slice().try_into().unwrap()));
        let mut mixed = cbc::Decryptor::<Aes192>::new_from_slices(&key, &iv).unwrap();
        mixed.decrypt_blocks(&mut b);
        let mut ours = kcfaes::cbc::Decryptor::<Aes192>::new_from_slices(&key, &iv).unwrap();
        ours.decrypt_blocks(&mut a);
        assert!(a == blocks() && b == blocks(), "{count} blocks of CBC decrypted");
    }
    let mut one = [Array::default()];
    assert!(Aes128::new(&[0; 16].into()).encrypt_blocks_b2b(&[], &mut one).is_err());
}

#[test]
fn a_stream_begins_anywhere() {
    let key = Aes256::new(&[3; 32].into());
    let iv = [0xfe; 16].into();
    let mut whole = [0; 200];
    Ctr128BE::inner_iv_init(&key, &iv).apply_keystream(&mut whole);
    let mut ctr = Ctr128BE::inner_iv_init(&key, &iv);
    for at in 0..200_u64 {
        for len in [0, 1, 16, 40] {
            let end = 200.min(at as usize + len);
            let mut part = vec![0; end - at as usize];
            ctr.seek(at);
            assert_eq!(ctr.current_pos::<u64>(), at);
            ctr.apply_keystream(&mut part);
            assert_eq!(part, whole[at as usize..end], "{at}");
            assert_eq!(ctr.current_pos::<usize>(), end);
        }
    }
    ctr.seek(u64::MAX - 1);
    assert_eq!(ctr.current_pos::<u128>(), u128::from(u64::MAX - 1));
    ctr.try_apply_keystream(&mut [0]).unwrap();
    let mut kept = [7; 2];
    assert!(ctr.try_apply_keystream(&mut kept).is_err());
    assert_eq!(kept, [7; 2]);
    assert!(ctr.try_seek(1_u128 << 64).is_err());
    assert!(ctr.try_current_pos::<u32>().is_err());
}

/// Every bit of tag, AAD, IV and ciphertext counts, and a forgery leaves no plaintext.
#[test]
fn forgeries_leave_nothing() {
    let key = Key::new(&[1; 16]).unwrap();
    let cipher = Aes128Gcm::new(&[1; 16].into());
    let (iv, aad, text) = ([2; 12], [3; 20], [4; 40]);
    let (mut sealed, mut tag) = (text, [0; 16]);
    key.gcm_seal(&iv, &aad, &mut sealed, &mut tag).unwrap();
    let all = [tag.as_slice(), &aad, &iv, &sealed].concat();
    for bit in 0..8 * all.len() {
        let mut forged = all.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let (tag, rest) = forged.split_at(16);
        let (aad, rest) = rest.split_at(20);
        let (iv, sealed) = rest.split_at(12);
        let mut place = sealed.to_vec();
        assert_eq!(key.gcm_open(iv, aad, place.as_mut_slice(), tag), Err(Error::NotAuthentic));
        assert_eq!(place, sealed, "in place the ciphertext is there again");
        let mut apart = [0x5c; 40];
        let text = Text::from((sealed, apart.as_mut_slice()));
        assert_eq!(key.gcm_open(iv, aad, text, tag), Err(Error::NotAuthentic));
        assert_eq!(apart, [0; 40]);
        let (nonce, tag) = (iv.try_into().unwrap(), tag.try_into().unwrap());
        let text = place.as_mut_slice().into();
        assert!(cipher.decrypt_inout_detached(nonce, aad, text, tag).is_err());
        assert_eq!(place, sealed);
    }
    let mut ccm = text;
    key.ccm_seal(&iv, &aad, &mut ccm, &mut tag).unwrap();
    let mut place = ccm;
    assert_eq!(key.ccm_open(&iv, b"", &mut place, &tag), Err(Error::NotAuthentic));
    assert_eq!(place, ccm);
    let mut mac = Aes256Cmac::new(&[0; 32].into());
    Mac::update(&mut mac, b"message");
    let right = mac.finalize_fixed_reset();
    for bit in 0..128 {
        let mut wrong = right;
        wrong[bit / 8] ^= 1 << (bit % 8);
        Mac::update(&mut mac, b"message");
        assert!(mac.verify_reset(&wrong).is_err());
    }
    Mac::update(&mut mac, b"message");
    mac.verify(&right).unwrap();
}

#[test]
fn wrong_lengths_are_refused() {
    for len in (0..40).filter(|len| ![16, 24, 32].contains(len)) {
        assert_eq!(Key::new(&vec![0; len]).unwrap_err(), Error::KeyLength);
        assert!(Aes128::new_from_slice(&vec![0; len]).is_err());
    }
    let key = Key::new(&[0; 32]).unwrap();
    for len in 0..=17 {
        let (mut tag, mut text) = (vec![0; len], [9; 32]);
        let right = |possible: bool| if possible { Ok(()) } else { Err(Error::IvOrTagLength) };
        let gcm = right([4, 8, 12, 13, 14, 15, 16].contains(&len));
        assert_eq!(key.gcm_seal(&[0; 12], b"", &mut text, &mut tag), gcm);
        assert_eq!(text == [9; 32], gcm.is_err());
        assert_eq!(key.gmac(&[0; 12], b"text", &mut tag), gcm);
        let ccm = right([4, 6, 8, 10, 12, 14, 16].contains(&len));
        assert_eq!(key.ccm_seal(&[0; 12], b"", &mut text, &mut tag), ccm);
        assert_eq!(key.cmac(b"text", &mut tag), right((4..=16).contains(&len)));
        let nonce = right((7..=13).contains(&len));
        assert_eq!(key.ccm_seal(&vec![0; len], b"", &mut text, &mut [0; 16]), nonce);
        assert_eq!(key.gcm_seal(&vec![0; len], b"", &mut text, &mut [0; 16]), right(len > 0));
        let whole = len % 16 == 0;
        let mut part = vec![9; len];
        let encrypted = key.cbc_encrypt(&mut [0; 16], part.as_mut_slice());
        assert_eq!(encrypted, if whole { Ok(()) } else { Err(Error::TextLength) });
        let decrypted = key.ecb_decrypt(part.as_mut_slice());
        assert_eq!(decrypted, if whole { Ok(()) } else { Err(Error::CiphertextLength) });
    }
    let (src, mut dst) = ([1; 20], [9; 19]);
    let short = Text::from((src.as_slice(), dst.as_mut_slice()));
    assert_eq!(key.ctr(&mut [0; 16], short), Err(Error::TooSmall));
    let mut list = [PieceMut::new(&mut dst)];
    let src_list = [Piece::new(&src)];
    let short = Text::from((src_list.as_slice(), list.as_mut_slice()));
    assert_eq!(key.ctr(&mut [0; 16], short), Err(Error::TooSmall));
    assert_eq!(dst, [9; 19]);
    let mut room = [9; 24];
    key.ctr(&mut [0; 16], (src.as_slice(), room.as_mut_slice())).unwrap();
    assert_eq!(room[20..], [9; 4], "no more than the text is written");
}

fn cut_mut(mut bytes: &mut [u8], ends: [usize; 2]) -> Vec<PieceMut<'_>> {
    let (one, two) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    let lengths = [one, two - one, bytes.len() - two];
    lengths.map(|len| PieceMut::new(bytes.split_off_mut(..len).unwrap())).into()
}

/// Three pieces on both sides, with every place of every cut.
#[test]
fn lists_are_cut_anywhere() {
    const LEN: usize = 50;
    let stream = &mut Stream::new(5);
    let (key, text) = (Key::new(&stream.draw(16)).unwrap(), stream.draw(LEN));
    let (mut sealed, mut tag, mut mac) = (text.clone(), [0; 16], [0; 16]);
    key.gcm_seal(&[0; 12], b"aad", sealed.as_mut_slice(), &mut tag).unwrap();
    key.cmac(text.as_slice(), &mut mac).unwrap();
    // Miri takes a thousand times as long.
    let stride = if cfg!(miri) { 23 } else { 1 };
    for a in (0..=LEN).step_by(stride) {
        for b in (0..=LEN).step_by(stride) {
            let (one, two) = (a.min(b), a.max(b));
            let src = [&text[..one], &text[one..two], &text[two..]].map(Piece::new);
            let (mut out, mut made) = (vec![0x5c; LEN], [0; 16]);
            // The output is cut elsewhere.
            let mut dst = cut_mut(&mut out, [b, (a * 7 + b) % (LEN + 1)]);
            let list = Text::from((src.as_slice(), dst.as_mut_slice()));
            key.gcm_seal(&[0; 12], b"aad", list, &mut made).unwrap();
            assert!(out == sealed && made == tag, "{a} {b}");
            let mut list = cut_mut(&mut out, [a, b]);
            key.gcm_open(&[0; 12], b"aad", list.as_mut_slice(), &tag).unwrap();
            assert_eq!(out, text, "{a} {b}");
            let mut place = sealed.clone();
            let mut list = cut_mut(&mut place, [a, b]);
            let answer = key.gcm_open(&[0; 12], b"", list.as_mut_slice(), &tag);
            assert_eq!(answer, Err(Error::NotAuthentic));
            assert_eq!(place, sealed, "{a} {b}");
            key.cmac_verify(src.as_slice(), &mac).unwrap();
        }
    }
}

#[test]
#[cfg(all(feature = "std", unix))]
fn slices_of_the_standard_library_are_pieces() {
    use std::io::{IoSlice, IoSliceMut};

    let key = Key::new(&[0; 16]).unwrap();
    let (mut text, mut tag) = (*b"quick brown fox", [0; 16]);
    let (first, second) = text.split_at_mut(6);
    let mut list = [IoSliceMut::new(first), IoSliceMut::new(second)];
    key.gcm_seal(&[0; 12], b"", list.as_mut_slice(), &mut tag).unwrap();
    let (mut out, mut mac) = ([0; 15], [0; 16]);
    let src = [IoSlice::new(&text[..3]), IoSlice::new(&text[3..])];
    let mut dst = [IoSliceMut::new(&mut out)];
    key.gcm_open(&[0; 12], b"", (src.as_slice(), dst.as_mut_slice()), &tag).unwrap();
    assert_eq!(&out, b"quick brown fox");
    key.cmac(src.as_slice(), &mut mac).unwrap();
    key.cmac_verify(&text, &mac).unwrap();
}

#[test]
#[cfg(feature = "alloc")]
fn a_vector_has_text_and_tag() {
    use kcfaes::aead::{Aead, Payload};

    let cipher = Aes256Gcm::new(&[0; 32].into());
    let nonce = [0; 12].into();
    let sealed = cipher.encrypt(&nonce, Payload { msg: b"text", aad: b"aad" }).unwrap();
    assert_eq!(sealed.len(), 20);
    assert_eq!(cipher.decrypt(&nonce, Payload { msg: &sealed, aad: b"aad" }).unwrap(), b"text");
    assert!(cipher.decrypt(&nonce, sealed.as_slice()).is_err());
    assert!(cipher.decrypt(&nonce, &sealed[..15]).is_err());
}

#[test]
fn messages_in_parts() {
    let key = Key::new(&[1; 16]).unwrap();
    let text = [5; 20];
    let (mut whole, mut tag, mut made) = (text, [0; 16], [0; 16]);
    key.ccm_seal(&[0; 12], b"aad", &mut whole, &mut tag).unwrap();
    let mut message = key.ccm_seal_parts(&[0; 12], b"aad", 20, 16).unwrap();
    let mut out = [0; 20];
    assert_eq!(message.update_aad(b"more"), Err(Error::BadArgument));
    assert_eq!(message.finish(&mut [], &mut made), Err(Error::TextLength));
    assert_eq!(message.update((&text[..], &mut out[..15])), Err(Error::TooSmall));
    let done = message.update((&text[..], &mut out[..])).unwrap();
    assert_eq!(done, 16);
    assert_eq!(message.finish(&mut [0; 3], &mut made), Err(Error::TooSmall));
    assert_eq!(message.finish(&mut out[done..], &mut made), Ok(4));
    assert!(out == whole && made == tag);
    assert_eq!(message.finish(&mut [], &mut made), Err(Error::Ended));

    key.gcm_seal(&[0; 12], b"aad and more", whole.as_mut_slice(), &mut tag).unwrap();
    let mut message = key.gcm_open_parts(&[0; 12], b"aad").unwrap();
    message.update_aad(b" and more").unwrap();
    let mut list = cut_mut(&mut whole[..17], [3, 8]);
    assert_eq!(message.update_unverified(list.as_mut_slice()), Ok(17));
    let mut other = message.try_clone().unwrap();
    assert_eq!(message.update_unverified(&mut whole[17..]), Ok(3));
    assert_eq!(message.finish(&mut [], &tag), Ok(0));
    assert!(whole == out, "opened in parts and in place");
    assert_eq!(other.finish(&mut [], &tag), Err(Error::NotAuthentic));
    assert_eq!(other.finish(&mut [], &tag), Err(Error::Ended));

    let mut mac = key.cmac_parts().unwrap();
    mac.update(&[1; 20]).unwrap();
    let mut other = mac.try_clone().unwrap();
    mac.update([Piece::new(&[2; 7]), Piece::new(&[2; 8])].as_slice()).unwrap();
    mac.finish(&mut tag).unwrap();
    let aes = Aes128::new(&[1; 16].into());
    let mut same = <Cmac<&Aes128> as kcfaes::digest::common::InnerInit>::inner_init(&aes);
    Mac::update(&mut same, &[1; 20]);
    let half = same.clone();
    Mac::update(&mut same, &[2; 15]);
    assert_eq!(same.clone().finalize().into_bytes(), tag);
    other.verify(&half.finalize().into_bytes()).unwrap();
    assert_eq!(other.verify(&tag), Err(Error::Ended));
    Reset::reset(&mut same);
    key.cmac(b"", &mut tag).unwrap();
    same.verify_slice(&tag).unwrap();
    assert_eq!(key.gmac_parts(&[0; 12]).unwrap().try_clone().unwrap_err(), Error::BadArgument);

    let mut cipher = key.cbc_encrypt_parts(&[0; 16]).unwrap();
    assert_eq!(cipher.update(&mut [0; 5]), Ok(0));
    assert_eq!(cipher.finish(), Err(Error::TextLength));
}

#[test]
fn many_messages_in_one_call() {
    let stream = &mut Stream::new(6);
    let keys = [(); 3].map(|()| Key::new(&stream.draw(16)).unwrap());
    let texts: Vec<_> = LENGTHS.iter().map(|len| stream.draw(*len)).collect();
    let ivs: Vec<_> = texts.iter().map(|_| stream.draw(12)).collect();
    let mut sealed = texts.clone();
    let mut tags = vec![[0; 16]; texts.len()];
    let mut jobs: Vec<_> = (sealed.iter_mut().zip(&mut tags).zip(&ivs))
        .map(|((text, tag), iv)| GcmSealJob::new(iv, b"aad", text.as_mut_slice(), tag).unwrap())
        .collect();
    assert_eq!(jobs[0].result(), Err(Error::Ended));
    keys[0].gcm_seal_batch(&mut jobs).unwrap();
    assert!(jobs.iter().all(|job| job.result().is_ok()));
    for (i, text) in texts.iter().enumerate() {
        let (mut one, mut tag) = (text.clone(), [0; 16]);
        keys[0].gcm_seal(&ivs[i], b"aad", one.as_mut_slice(), &mut tag).unwrap();
        assert!(one == sealed[i] && tag == tags[i], "{} bytes", text.len());
    }
    tags[3][0] ^= 1;
    let forged = sealed[3].clone();
    let mut jobs: Vec<_> = (sealed.iter_mut().zip(&tags).zip(&ivs))
        .map(|((text, tag), iv)| GcmOpenJob::new(iv, b"aad", text.as_mut_slice(), tag).unwrap())
        .collect();
    assert_eq!(keys[0].gcm_open_batch(&mut jobs), Err(Error::NotAuthentic));
    let failed: Vec<_> = (0..jobs.len()).filter(|&i| jobs[i].result().is_err()).collect();
    assert_eq!(failed, [3]);
    assert_eq!(sealed[3], forged, "in place the ciphertext is there again");
    assert!((0..texts.len()).all(|i| i == 3 || sealed[i] == texts[i]));

    let blocks: Vec<_> = (0..20).map(|n| stream.draw(16 * n)).collect();
    let mut sealed = blocks.clone();
    let mut jobs: Vec<_> = (sealed.iter_mut().enumerate())
        .map(|(i, text)| CbcJob::new(&keys[i % 3], [i as u8; 16], text.as_mut_slice()).unwrap())
        .collect();
    kcfaes::cbc_encrypt_batch(&mut jobs).unwrap();
    let ivs: Vec<_> = jobs.iter().map(CbcJob::iv).collect();
    for (i, text) in blocks.iter().enumerate() {
        let (mut one, mut iv) = (text.clone(), [i as u8; 16]);
        keys[i % 3].cbc_encrypt(&mut iv, one.as_mut_slice()).unwrap();
        assert!(one == sealed[i] && iv == ivs[i], "{i} blocks");
    }
    let mut odd = [7; 17];
    let mut job = [CbcJob::new(&keys[0], [0; 16], &mut odd).unwrap()];
    assert_eq!(kcfaes::cbc_encrypt_batch(&mut job), Err(Error::TextLength));
    assert_eq!(odd, [7; 17]);
    let short = Text::from((&[0; 2][..], &mut odd[..1]));
    assert_eq!(CbcJob::new(&keys[0], [0; 16], short).unwrap_err(), Error::TooSmall);
    let mut list = [PieceMut::new(&mut odd)];
    let list = list.as_mut_slice();
    assert_eq!(CbcJob::new(&keys[0], [0; 16], list).unwrap_err(), Error::BadArgument);
}

#[test]
fn threads_share_a_key() {
    fn shared<T: Send + Sync>() {}
    shared::<Key>();
    shared::<(SealParts<'_>, OpenParts<'_>, MacParts<'_>, CipherParts<'_>)>();
    shared::<(Piece<'_>, PieceMut<'_>, GcmSealJob<'_>, GcmOpenJob<'_>, CbcJob<'_>)>();
    shared::<(Aes128, Aes256Gcm, Aes128Ccm, Aes256Cmac, Ctr128BE<&Aes128>)>();
    let key = Key::new(&[1; 16]).unwrap();
    let mut want = [0; 5000];
    key.ctr(&mut [0; 16], &mut want).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut text = [0; 5000];
                    key.ctr(&mut [0; 16], &mut text).unwrap();
                    assert!(text == want);
                }
            });
        }
    });
}

#[test]
fn nothing_secret_is_shown() {
    let key = Key::new(&[0xab; 16]).unwrap();
    let shown = format!(
        "{key:?} {:?} {:?} {:?}",
        Aes128::new(&[0xab; 16].into()),
        Aes128Gcm::new(&[0xab; 16].into()),
        Message::from(b"secret")
    );
    assert!(
        !shown.contains("171") && !shown.contains("ab") && !shown.contains("secret"),
        "{shown}"
    );
    let lines: std::collections::BTreeSet<String> = [
        Error::NoMemory,
        Error::SelfTestFailed,
        Error::BadArgument,
        Error::TextLength,
        Error::CiphertextLength,
        Error::KeyLength,
        Error::IvOrTagLength,
        Error::Ended,
        Error::TooSmall,
        Error::NotSupported,
        Error::NotAuthentic,
    ]
    .map(|error| error.to_string())
    .into();
    assert!(lines.len() == 11 && !lines.contains("unknown error"), "{lines:?}");
}

#[test]
fn secrets_are_compared_and_erased() {
    kcfaes::selftest().unwrap();
    let mut bytes = [1; 33];
    assert!(kcfaes::equal(&bytes, &[1; 33]));
    assert!(!kcfaes::equal(&bytes, &bytes[..32]) && !kcfaes::equal(&bytes[..32], &bytes));
    bytes[32] = 2;
    assert!(!kcfaes::equal(&bytes, &[1; 33]));
    kcfaes::wipe(&mut bytes);
    assert_eq!(bytes, [0; 33]);
}
