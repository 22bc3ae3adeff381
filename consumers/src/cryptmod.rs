// SPDX-License-Identifier: MIT OR Apache-2.0
//! cryptmod (`cryptmod.c`, STREAMS): CBC in place with a template. The text is a message of several
//! mblks, or raw pieces of one or a few blocks. Each piece takes the IV that the piece before has left.

use core::ffi::c_int;

use std::rc::Rc;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::Mode;

use crate::memory::{Memory, even};
use crate::replay::{Atomic, Place, Plan, Replay, Secret, Shape, same_bytes};

fn secret(len: usize, plan: &mut Plan) -> Secret {
    Secret {
        mode: Mode::Cbc,
        key: plan.draw(32),
        iv: plan.draw(16),
        aad: vec![],
        tag_len: 0,
        text: plan.draw(len),
    }
}

fn message(way: Way, len: usize, count: usize) -> Shape {
    let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
    let name = format!("CBC-256 {verb} {len} B, mblk in {count}, in place");
    Shape::timed(name, len, move |plan| {
        let secret = secret(len, plan);
        let template = Rc::new(secret.request().template());
        let (from, to) = secret.ways(way);
        let input = plan.input(Format::Mblk, &from, &even(len, count, 1));
        let some = Some(template.clone());
        let own = Atomic::new(&secret, some, way, input, (0, len), Place::Null, &to);
        (own, Atomic::contiguous_in_place(&secret, Some(template), way, plan))
    })
}

/// A buffer piece by piece.
struct Pieces {
    request: Request,
    template: Rc<Template>,
    way: Way,
    piece: usize,
    iv: Box<[u8; 16]>,
    first_iv: Vec<u8>,
    data: Memory,
    before: Vec<u8>,
    want: Vec<u8>,
}

impl Pieces {
    fn shape(way: Way, len: usize, piece: usize) -> Shape {
        let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
        let name = format!("CBC-256 {verb} {len} B, raw by {piece}, in place");
        Shape::timed(name, len, move |plan| {
            let secret = secret(len, plan);
            let template = Rc::new(secret.request().template());
            let (from, want) = secret.ways(way);
            let data = plan.raw(&from).memory;
            let before = data.bytes();
            let mut iv = Box::new([0; 16]);
            let mut request = secret.request();
            request.mechanism.cm_param = iv.as_mut_ptr().cast();
            let first_iv = secret.iv.clone();
            let own = template.clone();
            let own = Self { request, template: own, way, piece, iv, first_iv, data, before, want };
            (own, Atomic::contiguous_in_place(&secret, Some(template), way, plan))
        })
    }
}

impl Replay for Pieces {
    fn reset(&mut self) {
        self.data.fill(&self.before);
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        self.iv.copy_from_slice(&self.first_iv);
        for at in (0..self.before.len()).step_by(self.piece) {
            let end = at + self.piece;
            let before = self.data.block(end - 16);
            let mut data = self.data.data(at, self.piece);
            let rv = self.request.atomic(self.way, Some(&self.template), &mut data, None);
            if rv != CRYPTO_SUCCESS {
                return rv;
            }
            *self.iv = if self.way == Way::Encrypt { self.data.block(end - 16) } else { before };
        }
        CRYPTO_SUCCESS
    }

    fn check(&self) -> Result<(), String> {
        same_bytes("the data", &self.data.bytes(), &self.want)
    }
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for way in [Way::Encrypt, Way::Decrypt] {
        shapes.push(message(way, 4096, 3));
        shapes.push(message(way, 208, 7));
        shapes.push(Pieces::shape(way, 1024, 16));
        shapes.push(Pieces::shape(way, 1024, 64));
    }
    shapes
}
