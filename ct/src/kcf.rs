// SPDX-License-Identifier: MIT OR Apache-2.0
//! A call through KCF's consumer API into the kernel object.

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS};
use kcfaes_vectors::Mode;

use crate::case::{AAD, Call, Form};
use crate::library::pieces;
use crate::secret::Secret;
use crate::watch::{Region, watched};

pub(crate) fn run(call: &Call, secret: &Secret) {
    let text = secret.text(call.len);
    let sealed = sealed(call, secret, &text);
    let (mut input, mut tag) = (text, Vec::new());
    let room = match (call.mode, call.way) {
        (mode, Way::Decrypt) if mode.has_tag() => {
            input = if mode.is_mac() { [input, sealed].concat() } else { sealed };
            let at = input.len() - call.tag_len;
            if call.forged {
                secret.forge(&mut input[at..]);
            }
            if mode.is_mac() { 0 } else { call.len }
        }
        _ => {
            if call.form == Form::Verify {
                tag.clone_from(&sealed);
                if call.forged {
                    secret.forge(&mut tag);
                }
            }
            sealed.len()
        }
    };
    let buffer = |bytes: &[u8]| match call.form {
        Form::Pieces | Form::Parts | Form::Stored => {
            Buffer::new(Format::Uio, bytes, &pieces(bytes.len()))
        }
        Form::Mblk => Buffer::new(Format::Mblk, bytes, &pieces(bytes.len())),
        _ => Buffer::new(Format::Raw, bytes, &[]),
    };
    let in_place = call.form == Form::InPlace;
    let len = input.len();
    if in_place {
        input.resize(len.max(room), 0);
    }
    let (mut src, mut dst) = (buffer(&input), buffer(&vec![0; room]));
    let mut mac = Buffer::new(Format::Raw, &tag, &[]);
    let mut request = request(call, &secret.key);

    let key = request.key.cku_data;
    // SAFETY: a key by value.
    let key = unsafe { key.cku_key_value };
    let mut secrets: Vec<Region> = vec![(key.cku_v_data.cast(), secret.key.len())];
    secrets.extend(regions(&mut src));
    secrets.extend(regions(&mut mac));
    let mut to = if in_place { &mut src } else { &mut dst }.data(0, room);
    let mut from = src.data(0, len);
    let way = call.way;
    let rv = match call.form {
        Form::Template => watched(&secrets, || {
            let template = request.template();
            request.atomic(way, Some(&template), &mut from, Out::Other(&mut to))
        }),
        Form::Single => watched(&secrets, || match request.init(way, None) {
            Ok(mut message) => message.single(&mut from, Out::Other(&mut to)),
            Err(rv) => rv,
        }),
        Form::Parts | Form::Blocks | Form::Stored => watched(&secrets, || {
            let stored = call.form == Form::Stored;
            let first = if call.form == Form::Blocks { (len / 2) & !15 } else { len / 2 };
            let lengths = [first, len - first];
            parts(&mut request, way, stored, lengths, &mut src, (&mut dst, room))
        }),
        Form::Interrupt => kernel::in_interrupt(true, || {
            watched(&secrets, || request.atomic(way, None, &mut from, Out::Other(&mut to)))
        }),
        Form::Verify => {
            let mut tag = mac.data(0, tag.len());
            watched(&secrets, || request.verify(None, &mut from, &mut tag))
        }
        _ => watched(&secrets, || request.atomic(way, None, &mut from, Out::Other(&mut to))),
    };
    let expected = if call.forged { CRYPTO_INVALID_MAC } else { CRYPTO_SUCCESS };
    assert_eq!(rv, expected, "{call:?}");
}

fn parts(
    request: &mut Request,
    way: Way,
    stored: bool,
    lengths: [usize; 2],
    src: &mut Buffer,
    (dst, room): (&mut Buffer, usize),
) -> c_int {
    let mut message = match request.init(way, None) {
        Ok(message) => message,
        Err(rv) => return rv,
    };
    let (mut taken, mut given) = (0, 0);
    for n in lengths {
        let mut input = src.data(taken, n);
        let mut output = dst.data(given, room - given);
        // A MAC has no output either.
        let rv = if stored || way == Way::Mac {
            message.update(&mut input, None)
        } else {
            let rv = message.update(&mut input, Some(&mut output));
            given += output.cd_length;
            rv
        };
        if rv != CRYPTO_SUCCESS {
            message.cancel();
            return rv;
        }
        taken += n;
    }
    message.finish(Some(&mut dst.data(given, room - given)))
}

fn request(call: &Call, key: &[u8]) -> Request {
    let aad: &[u8] = if call.mode.is_aead() { &AAD } else { &[] };
    let bits = if call.mode == Mode::Ctr { 32 } else { 0 };
    let tag_len = if call.mode.has_tag() { call.tag_len } else { 0 };
    Request::new(call.mode, key, &call.iv(), bits, aad, tag_len).for_text(call.len)
}

/// The output of an encryption.
fn sealed(call: &Call, secret: &Secret, text: &[u8]) -> Vec<u8> {
    let len = match call.mode {
        mode if mode.is_mac() => 16,
        mode if mode.is_aead() => text.len() + call.tag_len,
        _ => text.len(),
    };
    let mut src = Buffer::new(Format::Raw, text, &[]);
    let mut dst = Buffer::room(Format::Raw, len, &[]);
    let (mut from, mut to) = (src.data(0, text.len()), dst.data(0, len));
    let rv = request(call, &secret.key).atomic(Way::Encrypt, None, &mut from, Some(&mut to));
    assert_eq!(rv, CRYPTO_SUCCESS);
    dst.bytes()
}

/// Where the bytes of the buffer are.
fn regions(buffer: &mut Buffer) -> Vec<Region> {
    buffer.iov().iter().map(|iov| (iov.iov_base.cast_const().cast(), iov.iov_len)).collect()
}
