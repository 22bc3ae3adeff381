// SPDX-License-Identifier: MIT OR Apache-2.0
//! No consumer, but what one might do: a packet of 1280 bytes in every mode, as a chain of fragments.
//! They are so small that a cut goes through most blocks, or through all.

use std::rc::Rc;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::Way;
use kcfaes_vectors::Mode;

use crate::memory::{Memory, even};
use crate::replay::{Atomic, Place, Secret, Shape};

const LEN: usize = 1280;

fn shape(mode: Mode, way: Way, fragment: usize) -> Shape {
    let verb = match way {
        Way::Encrypt => "encrypt",
        Way::Decrypt => "decrypt",
        Way::Mac => "sign",
    };
    let name = format!("{}-128 {verb} {LEN} B, mblk of {fragment} B each", mode.name());
    Shape::timed(name, LEN, move |plan| {
        let (iv, tag_len) = match mode {
            Mode::Gcm | Mode::Ccm | Mode::Gmac => (12, 16),
            Mode::Cbc | Mode::Ctr => (16, 0),
            Mode::Cmac => (0, 16),
            Mode::Ecb => (0, 0),
        };
        let (key, iv, text) = (plan.draw(16), plan.draw(iv), plan.draw(LEN));
        let secret = Secret { mode, key, iv, aad: vec![], tag_len, text };
        let template = Some(Rc::new(secret.request().template()));
        let (from, to) = secret.ways(way);
        let lengths = even(from.len(), from.len() / fragment, 1);
        let input = plan.input(Format::Mblk, &from, &lengths);
        let room = match way {
            Way::Mac => Memory::room(Format::Raw, &[to.len()]),
            _ => Memory::room(Format::Mblk, &even(to.len(), to.len() / fragment, 1)),
        };
        let place = Place::Apart(room, 0, to.len());
        let window = (0, from.len());
        let own = Atomic::new(&secret, template.clone(), way, input, window, place, &to);
        (own, Atomic::contiguous(&secret, template, way, plan))
    })
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for mode in Mode::ALL {
        let ways: &[Way] = match mode {
            Mode::Gmac | Mode::Cmac => &[Way::Mac],
            _ => &[Way::Encrypt, Way::Decrypt],
        };
        for &way in ways {
            shapes.extend([20, 80, 320].map(|fragment| shape(mode, way, fragment)));
        }
    }
    shapes
}
