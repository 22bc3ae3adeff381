// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kerberos (`aes_provider.c` of the krb5 mechanism): CBC with ciphertext stealing (RFC 3962), made of
//! plain CBC. Each side is a uio of two iovecs, which together are longer than `cd_length`. The second
//! is a scratch block after the message. The last blocks are swapped from there into place.

use core::ffi::c_int;

use std::rc::Rc;

use kcfaes_ffi_tests::buffer::{FILL, Format};
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::Mode;

use crate::memory::Memory;
use crate::replay::{Atomic, Plan, Replay, Secret, Shape, same_bytes};

const BLOCK: usize = 16;
const SCRATCH: usize = 3 * BLOCK;

/// `cbc` is the ciphertext of a text padded with zeros. Its last two blocks change places, and the one
/// that is then last is cut, to `len` bytes in all.
fn steal(cbc: &[u8], len: usize) -> Vec<u8> {
    let (front, last) = cbc.split_at(cbc.len() - 2 * BLOCK);
    let (a, b) = last.split_at(BLOCK);
    [front, b, a].concat()[..len].to_vec()
}

struct Stealing {
    request: Request,
    template: Rc<Template>,
    way: Way,
    /// The message and its scratch block, on each side.
    input: Memory,
    output: Memory,
    /// A block decrypted by itself.
    single: Memory,
    len: usize,
    before: Vec<u8>,
    want: Vec<u8>,
    result: Vec<u8>,
}

impl Stealing {
    fn new(
        secret: &Secret,
        template: Rc<Template>,
        sealed: &[u8],
        way: Way,
        plan: &mut Plan,
    ) -> Self {
        let len = secret.text.len();
        let front = len.next_multiple_of(BLOCK) - 2 * BLOCK;
        let (from, want) = if way == Way::Encrypt {
            (secret.text.as_slice(), sealed)
        } else {
            (sealed, secret.text.as_slice())
        };
        let before = [plan.arrive(from).as_slice(), &[0; SCRATCH]].concat();
        let (inputs, outputs) = match way {
            Way::Encrypt => ([len, SCRATCH], [front, SCRATCH]),
            _ => ([front, len - front + SCRATCH], [front, SCRATCH]),
        };
        Self {
            request: secret.request(),
            template,
            way,
            input: Memory::new(Format::Uio, &before, &inputs),
            output: Memory::room(Format::Uio, &outputs),
            single: Memory::room(Format::Raw, &[BLOCK]),
            len,
            before,
            want: want.to_vec(),
            result: vec![],
        }
    }

    fn call(&mut self, length: usize) -> c_int {
        let (mut src, mut dst) = (self.input.data(0, length), self.output.data(0, length));
        let rv = self.request.atomic(self.way, Some(&self.template), &mut src, Some(&mut dst));
        if rv == CRYPTO_SUCCESS && dst.cd_length != length { -1 } else { rv }
    }

    /// Decrypts the block at `at` of the message by itself, with an IV of zeros.
    fn single(&mut self, at: usize) -> Result<[u8; BLOCK], c_int> {
        self.single.fill(&self.before[at..at + BLOCK]);
        let mut data = self.single.data(0, BLOCK);
        let mut zero = [0_u8; BLOCK];
        let iv = core::mem::replace(&mut self.request.mechanism.cm_param, zero.as_mut_ptr().cast());
        let rv = self.request.atomic(Way::Decrypt, Some(&self.template), &mut data, None);
        self.request.mechanism.cm_param = iv;
        if rv == CRYPTO_SUCCESS { Ok(self.single.block(0)) } else { Err(rv) }
    }
}

impl Replay for Stealing {
    fn reset(&mut self) {
        self.input.fill(&self.before);
        let room = self.want.len().next_multiple_of(BLOCK) - 2 * BLOCK + SCRATCH;
        self.output.fill(&vec![FILL; room]);
        self.result.clear();
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        let padded = self.len.next_multiple_of(BLOCK);
        if self.way == Way::Encrypt {
            return self.call(padded);
        }
        // What was stolen comes back out of the block that is now the last but one.
        let at = padded - 2 * BLOCK;
        let mut block = match self.single(at) {
            Ok(block) => block,
            Err(rv) => return rv,
        };
        let rest = &self.before[at + BLOCK..self.len];
        self.input.put(at, rest);
        self.input.put(at + rest.len(), &block[rest.len()..]);
        let rv = self.call(padded - BLOCK);
        let rest = &self.before[at + BLOCK..self.len];
        block.iter_mut().zip(rest).for_each(|(byte, other)| *byte ^= other);
        self.result = block[..rest.len()].to_vec();
        rv
    }

    fn check(&self) -> Result<(), String> {
        let padded = self.len.next_multiple_of(BLOCK);
        let bytes = self.output.bytes();
        let message = if self.way == Way::Encrypt {
            steal(&bytes[..padded], self.len)
        } else {
            [&bytes[..padded - BLOCK], &self.result].concat()
        };
        let behind = if self.way == Way::Encrypt { padded } else { padded - BLOCK };
        same_bytes("the rest of the scratch", &bytes[behind..], &vec![FILL; bytes.len() - behind])?;
        same_bytes("the message", &message, &self.want)
    }
}

fn shape(key_bits: usize, way: Way, len: usize) -> Shape {
    let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
    let name = format!("CBC-CTS-{key_bits} {verb} {len} B, uio of 2");
    Shape::timed(name, len, move |plan| {
        let mut secret = Secret {
            mode: Mode::Cbc,
            key: plan.draw(key_bits / 8),
            iv: plan.draw(BLOCK),
            aad: vec![],
            tag_len: 0,
            text: plan.draw(len),
        };
        let template = Rc::new(secret.request().template());
        let mut padded = secret.clone();
        padded.text.resize(len.next_multiple_of(BLOCK), 0);
        let sealed = steal(&padded.sealed(), len);
        let own = Stealing::new(&secret, template.clone(), &sealed, way, plan);
        secret.text = padded.text;
        (own, Atomic::contiguous(&secret, Some(template), way, plan))
    })
}

/// RFC 3962 appendix B: the key, and ciphertexts for prefixes of one text, with an IV of zero.
const KEY: &[u8; 16] = b"chicken teriyaki";
const TEXT: &[u8; 32] = b"I would like the General Gau's C";
const KNOWN: [&[u8]; 3] = [
    &[
        0xc6, 0x35, 0x35, 0x68, 0xf2, 0xbf, 0x8c, 0xb4, 0xd8, 0xa5, 0x80, 0x36, 0x2d, 0xa7, 0xff,
        0x7f, 0x97,
    ],
    &[
        0xfc, 0x00, 0x78, 0x3e, 0x0e, 0xfd, 0xb2, 0xc1, 0xd4, 0x45, 0xd4, 0xc8, 0xef, 0xf7, 0xed,
        0x22, 0x97, 0x68, 0x72, 0x68, 0xd6, 0xec, 0xcc, 0xc0, 0xc0, 0x7b, 0x25, 0xe2, 0x5e, 0xcf,
        0xe5,
    ],
    &[
        0x39, 0x31, 0x25, 0x23, 0xa7, 0x86, 0x62, 0xd5, 0xbe, 0x7f, 0xcb, 0xcc, 0x98, 0xeb, 0xf5,
        0xa8, 0x97, 0x68, 0x72, 0x68, 0xd6, 0xec, 0xcc, 0xc0, 0xc0, 0x7b, 0x25, 0xe2, 0x5e, 0xcf,
        0xe5, 0x84,
    ],
];

fn known(way: Way, sealed: &'static [u8]) -> Shape {
    let name = format!("RFC 3962, {} B, {way:?}", sealed.len());
    Shape::checked(name, sealed.len(), move |plan| {
        let secret = Secret {
            mode: Mode::Cbc,
            key: KEY.to_vec(),
            iv: vec![0; BLOCK],
            aad: vec![],
            tag_len: 0,
            text: TEXT[..sealed.len()].to_vec(),
        };
        let template = Rc::new(secret.request().template());
        Stealing::new(&secret, template, sealed, way, plan)
    })
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for way in [Way::Encrypt, Way::Decrypt] {
        for (key_bits, len) in [(256, 1037), (256, 32768 + 5)] {
            shapes.push(shape(key_bits, way, len));
        }
        for len in [17, 31, 32, 33, 47, 48, 4095] {
            shapes.push(shape(128, way, len).timed_if(false));
        }
        shapes.extend(KNOWN.map(|sealed| known(way, sealed)));
    }
    shapes
}
