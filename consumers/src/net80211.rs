// SPDX-License-Identifier: MIT OR Apache-2.0
//! net80211's CCMP (`ieee80211_crypto_ccmp.c`): CCM with a nonce of 13 bytes and a MAC of 8. The data
//! is raw, in two structs over the same frame or over two frames. There is no template. In decryption
//! `ulDataSize` includes the MAC.

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::Way;
use kcfaes_provider::kcf::CRYPTO_INVALID_MAC;
use kcfaes_vectors::Mode;

use crate::memory::Memory;
use crate::replay::{Atomic, Place, Plan, Secret, Shape};

const MAC: usize = 8;

/// A frame's text; the AAD is made of its header, with QoS or without.
fn secret(len: usize, plan: &mut Plan) -> Secret {
    Secret {
        mode: Mode::Ccm,
        key: plan.draw(16),
        iv: plan.draw(13),
        aad: plan.draw([22, 24, 28, 30][len % 4]),
        tag_len: MAC,
        text: plan.draw(len),
    }
}

fn frame(secret: &Secret, sealed: &[u8], way: Way, same: bool, plan: &mut Plan) -> Atomic {
    let len = secret.text.len();
    let (from, to) = match way {
        Way::Decrypt => (sealed, secret.text.as_slice()),
        _ => (secret.text.as_slice(), sealed),
    };
    let window = (0, from.len());
    if same {
        let room = len + MAC - from.len();
        let input = plan.input_with_room(Format::Raw, from, room, &[len + MAC]);
        Atomic::new(secret, None, way, input, window, Place::Twin(to.len()), to)
    } else {
        let place = Place::Apart(Memory::room(Format::Raw, &[to.len()]), 0, to.len());
        Atomic::new(secret, None, way, plan.raw(from), window, place, to)
    }
}

fn shape(way: Way, len: usize, same: bool) -> Shape {
    let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
    let place = if same { "two structs, same bytes" } else { "raw to raw" };
    Shape::timed(format!("CCM-128 {verb} {len} B, {place}"), len, move |plan| {
        let secret = secret(len, plan);
        let own = frame(&secret, &secret.sealed(), way, same, plan);
        (own, Atomic::contiguous(&secret, None, way, plan))
    })
}

fn forged(same: bool) -> Shape {
    Shape::checked("CCM-128 forged frame", 300, move |plan| {
        let secret = secret(300, plan);
        let mut sealed = secret.sealed();
        sealed[300] ^= 4;
        let after = if same { sealed.clone() } else { vec![0; 300] };
        let call = frame(&secret, &sealed, Way::Decrypt, same, plan);
        call.failing(CRYPTO_INVALID_MAC, after)
    })
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = vec![forged(false), forged(true)];
    for way in [Way::Encrypt, Way::Decrypt] {
        for same in [false, true] {
            shapes.push(shape(way, 1500, same));
            for len in [0, 1, 15, 16, 17, 255, 2304] {
                shapes.push(shape(way, len, same).timed_if(false));
            }
        }
    }
    shapes
}
