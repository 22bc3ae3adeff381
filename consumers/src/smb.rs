// SPDX-License-Identifier: MIT OR Apache-2.0
//! SMB server encryption (`smb3_encrypt_kcf.c`), without templates. From 2018 to 2020 it works in
//! parts: raw pieces of odd lengths go into one raw output, whose `cd_offset` the server moves on. The
//! rest and the tag go into a buffer on the stack. Decryption has NULL outputs until the end. The
//! newest server passes a whole message as a uio on each side, with the tag in an iovec of its own.
//! Signing is a CMAC in parts.

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{FILL, Format};
use kcfaes_ffi_tests::consumer::{Message, Out, Request, Way};
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS};
use kcfaes_vectors::Mode;

use crate::memory::{Memory, odd};
use crate::replay::{Atomic, Input, Place, Plan, Replay, Secret, Shape, same, same_bytes};

const TAG: usize = 16;
/// The room that `final` gets to write into.
const LAST: usize = 32;

fn secret(mode: Mode, len: usize, plan: &mut Plan) -> Secret {
    Secret {
        mode,
        key: plan.draw(16),
        iv: plan.draw(if mode == Mode::Gcm { 12 } else { 11 }),
        aad: plan.draw(32),
        tag_len: TAG,
        text: plan.draw(len),
    }
}

/// A message's bytes in buffers of odd lengths.
fn pieces(mut bytes: &[u8], count: usize, plan: &mut Plan) -> Vec<Input> {
    let mut pieces = Vec::new();
    for len in odd(bytes.len(), count, 3) {
        let (now, later) = bytes.split_at(len);
        pieces.push(plan.raw(now));
        bytes = later;
    }
    pieces
}

/// A message in parts.
struct Parts {
    request: Request,
    way: Way,
    pieces: Vec<Input>,
    output: Memory,
    room: usize,
    last: Memory,
    /// What was returned, the bytes that updates have written, and the bytes that `final` has written.
    got: Option<(c_int, usize, usize)>,
    want: (c_int, Vec<u8>),
}

impl Parts {
    fn new(
        secret: &Secret,
        ways: (Vec<u8>, Vec<u8>),
        way: Way,
        count: usize,
        plan: &mut Plan,
    ) -> Self {
        let (from, to) = ways;
        let pieces = pieces(&from, count, plan);
        let room = secret.text.len();
        Self {
            request: secret.request(),
            way,
            pieces,
            output: Memory::room(Format::Raw, &[room]),
            room,
            last: Memory::room(Format::Raw, &[LAST]),
            got: None,
            want: (CRYPTO_SUCCESS, to),
        }
    }

    fn shape(mode: Mode, way: Way, len: usize, count: usize) -> Shape {
        let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
        let name = format!("{}-128 {verb} {len} B, {count} updates of odd lengths", mode.name());
        Shape::timed(name, len, move |plan| {
            let secret = secret(mode, len, plan);
            let own = Self::new(&secret, secret.ways(way), way, count, plan);
            (own, Atomic::contiguous(&secret, None, way, plan))
        })
    }

    /// The tag does not match, so nothing is written.
    fn forged(mode: Mode) -> Shape {
        Shape::checked(format!("{}-128 forged, in parts", mode.name()), 4099, move |plan| {
            let secret = secret(mode, 4099, plan);
            let mut sealed = secret.sealed();
            sealed[7] ^= 0x80;
            let nothing = vec![FILL; secret.text.len()];
            let forged = Self::new(&secret, (sealed, nothing.clone()), Way::Decrypt, 5, plan);
            Self { want: (CRYPTO_INVALID_MAC, nothing), ..forged }
        })
    }

    fn check_pieces(&self) -> Result<(), String> {
        let same = |piece: &Input| same_bytes("a piece", &piece.memory.bytes(), &piece.bytes);
        self.pieces.iter().try_for_each(same)
    }

    fn updates(&mut self, message: &mut Message) -> Result<usize, c_int> {
        let mut at = 0;
        for piece in &mut self.pieces {
            let mut src = piece.memory.data(0, piece.bytes.len());
            let rv = if self.way == Way::Encrypt {
                let mut dst = self.output.data(at, self.room - at);
                let rv = message.update(&mut src, Some(&mut dst));
                at += dst.cd_length;
                rv
            } else {
                message.update(&mut src, Out::Null)
            };
            if rv != CRYPTO_SUCCESS {
                return Err(rv);
            }
        }
        Ok(at)
    }
}

impl Replay for Parts {
    fn reset(&mut self) {
        self.output.fill(&vec![FILL; self.room]);
        self.last.fill(&[FILL; LAST]);
        self.got = None;
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        let mut message = match self.request.init(self.way, None) {
            Ok(message) => message,
            Err(rv) => return rv,
        };
        let at = match self.updates(&mut message) {
            Ok(at) => at,
            Err(rv) => {
                message.cancel();
                return rv;
            }
        };
        let mut dst = match self.way {
            Way::Encrypt => self.last.data(0, LAST),
            _ => self.output.data(0, self.room),
        };
        let rv = message.finish(Some(&mut dst));
        // Stock CCM moves the offset on and does not change the length. The server takes either.
        let given = if dst.cd_offset == 0 { dst.cd_length } else { dst.cd_offset as usize };
        self.got = Some((rv, at, given));
        rv
    }

    fn check(&self) -> Result<(), String> {
        let (rv, at, given) = self.got.ok_or("not run to its end")?;
        self.check_pieces()?;
        same("status", rv, self.want.0)?;
        same("updates and final have written", at + given, self.want.1.len())?;
        let mut bytes = self.output.bytes();
        if self.way == Way::Encrypt {
            // The server's own work: the tail goes after what updates wrote, the tag into the header.
            bytes.truncate(at);
            bytes.extend_from_slice(&self.last.bytes()[..given]);
        }
        same_bytes("the message", &bytes, &self.want.1)
    }
}

/// A message that is given up after its first part.
struct Cancelled(Parts);

impl Replay for Cancelled {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        let mut message = match self.0.request.init(self.0.way, None) {
            Ok(message) => message,
            Err(rv) => return rv,
        };
        let result = self.0.updates(&mut message);
        message.cancel();
        self.0.got = result.map(|at| (CRYPTO_SUCCESS, at, 0)).ok();
        result.err().unwrap_or(CRYPTO_SUCCESS)
    }

    fn check(&self) -> Result<(), String> {
        let (_, at, _) = self.0.got.ok_or("an update failed")?;
        self.0.check_pieces()?;
        same_bytes("what was written", &self.0.output.bytes()[..at], &self.0.want.1[..at])
    }
}

/// A whole message, with the tag in an iovec of its own.
fn whole(mode: Mode, way: Way, len: usize, count: usize) -> Shape {
    let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
    let name = format!("{}-128 {verb} {len} B, uio of {count}", mode.name());
    Shape::timed(name, len, move |plan| {
        let secret = secret(mode, len, plan);
        let (from, to) = secret.ways(way);
        let [mut inputs, mut outputs] = [1, 2].map(|phase| odd(len, count, phase));
        if way == Way::Encrypt {
            outputs.push(TAG)
        } else {
            inputs.push(TAG)
        }
        let input = plan.input(Format::Uio, &from, &inputs);
        let place = Place::Apart(Memory::room(Format::Uio, &outputs), 0, to.len());
        let own = Atomic::new(&secret, None, way, input, (0, from.len()), place, &to);
        (own, Atomic::contiguous(&secret, None, way, plan))
    })
}

/// The signing of a message. Its header has zeros in place of the signature.
struct Signing {
    request: Request,
    pieces: Vec<Input>,
    signature: Memory,
    want: Vec<u8>,
    got: Option<(c_int, usize)>,
}

impl Signing {
    fn shape(len: usize, count: usize) -> Shape {
        let name = format!("CMAC-128 {len} B, {count} updates of odd lengths");
        Shape::timed(name, len, move |plan| {
            let mut text = plan.draw(len);
            text[48..64].fill(0);
            let (mode, key) = (Mode::Cmac, plan.draw(16));
            let secret = Secret { mode, key, iv: vec![], aad: vec![], tag_len: TAG, text };
            let pieces = pieces(&secret.text, count, plan);
            let request = secret.request();
            let signature = Memory::room(Format::Raw, &[TAG]);
            let own = Self { request, pieces, signature, want: secret.sealed(), got: None };
            (own, Atomic::contiguous(&secret, None, Way::Mac, plan))
        })
    }
}

impl Replay for Signing {
    fn reset(&mut self) {
        self.signature.fill(&[FILL; TAG]);
        self.got = None;
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        let mut message = match self.request.init(Way::Mac, None) {
            Ok(message) => message,
            Err(rv) => return rv,
        };
        for piece in &mut self.pieces {
            let mut src = piece.memory.data(0, piece.bytes.len());
            let rv = message.update(&mut src, Out::Null);
            if rv != CRYPTO_SUCCESS {
                message.cancel();
                return rv;
            }
        }
        let mut dst = self.signature.data(0, TAG);
        let rv = message.finish(Some(&mut dst));
        self.got = Some((rv, dst.cd_length));
        rv
    }

    fn check(&self) -> Result<(), String> {
        same("status and length", self.got, Some((CRYPTO_SUCCESS, TAG)))?;
        same_bytes("the signature", &self.signature.bytes(), &self.want)
    }
}

pub(crate) fn shapes(modes: &[Mode]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for &mode in modes {
        for way in [Way::Encrypt, Way::Decrypt] {
            shapes.push(Parts::shape(mode, way, 65536 + 77, 17));
            shapes.push(Parts::shape(mode, way, 131, 3));
            for (len, count) in [(0, 1), (1, 1), (16, 1), (4096, 31), (8 << 20, 61)] {
                shapes.push(Parts::shape(mode, way, len, count).timed_if(false));
            }
            shapes.push(whole(mode, way, 65536 + 77, 17));
            shapes.push(whole(mode, way, 1 << 20, 16).timed_if(false));
        }
        shapes.push(Parts::forged(mode));
        for way in [Way::Encrypt, Way::Decrypt] {
            shapes.push(Shape::checked(
                format!("{}-128 cancelled", mode.name()),
                999,
                move |plan| {
                    let secret = secret(mode, 999, plan);
                    Cancelled(Parts::new(&secret, secret.ways(way), way, 7, plan))
                },
            ));
        }
    }
    for (len, count) in [(64 + 65536, 17), (64 + 57, 3), (64, 1), (4096, 31)] {
        shapes.push(Signing::shape(len, count).timed_if(len != 4096));
    }
    shapes
}
