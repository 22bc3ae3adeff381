// SPDX-License-Identifier: MIT OR Apache-2.0
//! ZFS native encryption (`zio_crypt.c`, `zio_do_crypt_uio`). A record is a uio on each side, in up to
//! 32 pieces of any length, wherever a block is divided into what is encrypted and what is only
//! authenticated. The MAC has an iovec of its own. One template of a key serves every thread. The
//! plaintext's `cd_length` counts the MAC too, although the plaintext has no iovec for it. Key wrapping
//! is one call without a template.

use core::ffi::c_int;

use std::rc::Rc;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS};
use kcfaes_vectors::Mode;

use crate::memory::{Memory, even, odd};
use crate::replay::{Atomic, Place, Plan, Replay, Secret, Shape, same_bytes};

const MAC: usize = 16;
const KIB: usize = 1024;
const WAYS: [Way; 2] = [Way::Encrypt, Way::Decrypt];

/// How the two sides of a record are cut.
#[derive(Clone, Copy)]
enum Cut {
    /// Pieces of whole blocks, the same on both sides.
    Even(usize),
    /// Pieces of odd lengths, the same on both sides, as ZFS does.
    Odd(usize),
    /// Pieces of odd lengths, different on each side.
    Apart(usize),
}

impl Cut {
    fn lengths(self, len: usize) -> [Vec<usize>; 2] {
        match self {
            Self::Even(count) => [0, 1].map(|_| even(len, count, 16)),
            Self::Odd(count) => [0, 1].map(|_| odd(len, count, 0)),
            Self::Apart(count) => [1, 2].map(|phase| odd(len, count, phase)),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Even(count) => format!("uio of {count}"),
            Self::Odd(count) => format!("uio of {count}, odd lengths"),
            Self::Apart(count) => format!("uio of {count}, odd, other on each side"),
        }
    }
}

#[derive(Clone, Copy)]
struct Record {
    mode: Mode,
    key_bits: usize,
    len: usize,
    cut: Cut,
    aad_len: usize,
    way: Way,
}

impl Record {
    fn secret(&self, plan: &mut Plan) -> Secret {
        Secret {
            mode: self.mode,
            key: plan.draw(self.key_bits / 8),
            iv: plan.draw(12),
            aad: plan.draw(self.aad_len),
            tag_len: MAC,
            text: plan.draw(self.len),
        }
    }

    /// The record as ZFS passes it. `sealed` is the ciphertext and its MAC, wherever it comes from.
    fn operation(
        &self,
        secret: &Secret,
        sealed: &[u8],
        template: Option<Rc<Template>>,
        plan: &mut Plan,
    ) -> Atomic {
        let [plain, mut cipher] = self.cut.lengths(self.len);
        cipher.push(MAC);
        let (way, whole) = (self.way, self.len + MAC);
        if way == Way::Encrypt {
            let place = Place::Apart(Memory::room(Format::Uio, &cipher), 0, whole);
            let input = plan.input(Format::Uio, &secret.text, &plain);
            Atomic::new(secret, template, way, input, (0, self.len), place, sealed)
        } else {
            let place = Place::Apart(Memory::room(Format::Uio, &plain), 0, whole);
            let input = plan.input(Format::Uio, sealed, &cipher);
            Atomic::new(secret, template, way, input, (0, whole), place, &secret.text)
        }
    }

    fn shape(self) -> Shape {
        let way = if self.way == Way::Encrypt { "encrypt" } else { "decrypt" };
        let size = if !self.len.is_multiple_of(KIB) {
            format!("{} B", self.len)
        } else {
            format!("{} KiB", self.len / KIB)
        };
        let aad =
            if self.aad_len > 0 { format!(", AAD {} B", self.aad_len) } else { String::new() };
        let (mode, bits, cut) = (self.mode.name(), self.key_bits, self.cut.name());
        let name = format!("{mode}-{bits} {way} {size}, {cut}{aad}");
        Shape::timed(name, self.len, move |plan| {
            let secret = self.secret(plan);
            let template = Rc::new(secret.request().template());
            let own = self.operation(&secret, &secret.sealed(), Some(template.clone()), plan);
            (own, Atomic::contiguous(&secret, Some(template), self.way, plan))
        })
    }
}

/// A record that somebody has changed. The answer is INVALID_MAC and no other error, and none of the
/// text.
fn forged(mode: Mode) -> Shape {
    let cut = Cut::Odd(8);
    let record = Record { mode, key_bits: 256, len: 16 * KIB, cut, aad_len: 0, way: Way::Decrypt };
    Shape::checked(format!("{}-256 forged record", mode.name()), record.len, move |plan| {
        let secret = record.secret(plan);
        let mut sealed = secret.sealed();
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        let template = Rc::new(secret.request().template());
        let forged = record.operation(&secret, &sealed, Some(template), plan);
        forged.failing(CRYPTO_INVALID_MAC, vec![0; record.len])
    })
}

/// A key and the HMAC key after it, wrapped by the wrapping key or unwrapped.
fn wrap(mode: Mode, way: Way) -> Shape {
    let name =
        format!("{}-256 key {}", mode.name(), if way == Way::Encrypt { "wrap" } else { "unwrap" });
    Shape::timed(name, 96, move |plan| {
        let secret = Secret {
            mode,
            key: plan.draw(32),
            iv: plan.draw(12),
            aad: plan.draw(24),
            tag_len: MAC,
            text: plan.draw(96),
        };
        let (from, to) = secret.ways(way);
        let pieces = [32, 64, MAC];
        let (inputs, outputs) = if way == Way::Encrypt { (2, 3) } else { (3, 2) };
        let input = plan.input(Format::Uio, &from, &pieces[..inputs]);
        let place = Place::Apart(Memory::room(Format::Uio, &pieces[..outputs]), 0, 96 + MAC);
        let own = Atomic::new(&secret, None, way, input, (0, from.len()), place, &to);
        (own, Atomic::contiguous(&secret, None, way, plan))
    })
}

/// One template under several threads, each with records of its own.
struct Threads {
    secrets: Vec<Secret>,
    arrived: Vec<(Vec<u8>, Vec<u8>)>,
    got: Vec<(c_int, Vec<u8>)>,
}

impl Threads {
    fn shape(mode: Mode) -> Shape {
        let name = format!("{}-256, one template, 4 threads", mode.name());
        Shape::checked(name, 64 * KIB, move |plan| {
            let record = Record {
                mode,
                key_bits: 256,
                len: 16 * KIB,
                cut: Cut::Odd(5),
                aad_len: 512,
                way: Way::Encrypt,
            };
            let key = plan.draw(32);
            let secrets: Vec<_> =
                (0..4).map(|_| Secret { key: key.clone(), ..record.secret(plan) }).collect();
            let arrived = secrets
                .iter()
                .map(|secret| (plan.arrive(&secret.text), plan.arrive(&secret.sealed())))
                .collect();
            Self { secrets, arrived, got: vec![] }
        })
    }
}

impl Replay for Threads {
    fn reset(&mut self) {
        self.got.clear();
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        let template = self.secrets[0].request().template();
        let all = self.secrets.iter().zip(&self.arrived);
        self.got = std::thread::scope(|scope| {
            let threads: Vec<_> = all
                .map(|(secret, (text, sealed))| {
                    scope.spawn(|| both_ways(secret, text, sealed, &template))
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
        });
        self.got.iter().map(|(rv, _)| *rv).find(|&rv| rv != 0).unwrap_or(CRYPTO_SUCCESS)
    }

    fn check(&self) -> Result<(), String> {
        let must = self.secrets.iter().flat_map(|secret| [secret.sealed(), secret.text.clone()]);
        for ((_, is), must) in self.got.iter().zip(must) {
            same_bytes("a thread's record", is, &must)?;
        }
        if self.got.len() == 2 * self.secrets.len() { Ok(()) } else { Err("not run".to_owned()) }
    }
}

/// The work of one thread: it encrypts its record, then decrypts another copy.
fn both_ways(
    secret: &Secret,
    text: &[u8],
    sealed: &[u8],
    template: &Template,
) -> [(c_int, Vec<u8>); 2] {
    let cut = Cut::Odd(5).lengths(text.len())[0].clone();
    let with_mac = [cut.as_slice(), &[MAC]].concat();
    WAYS.map(|way| {
        let mut request: Request = secret.request();
        let (from, to, bytes) = match way {
            Way::Decrypt => (&with_mac, &cut, sealed),
            _ => (&cut, &with_mac, text),
        };
        let (mut input, mut room) =
            (Memory::new(Format::Uio, bytes, from), Memory::room(Format::Uio, to));
        let (mut src, mut dst) = (input.data(0, bytes.len()), room.data(0, text.len() + MAC));
        let rv = request.atomic(way, Some(template), &mut src, Some(&mut dst));
        (rv, room.bytes())
    })
}

pub(crate) fn shapes(modes: &[Mode]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for &mode in modes {
        let record = |key_bits, len, cut, aad_len, way| {
            Record { mode, key_bits, len, cut, aad_len, way }.shape()
        };
        let gcm = mode == Mode::Gcm;
        for way in WAYS {
            for (cut, bar) in [
                (Cut::Even(1), None),
                (Cut::Even(8), Some(0.95)),
                (Cut::Even(32), Some(0.95)),
                (Cut::Odd(8), Some(0.90)),
                (Cut::Odd(32), Some(0.90)),
                (Cut::Apart(8), Some(0.90)),
                (Cut::Apart(32), Some(0.90)),
            ] {
                let shape = record(256, 128 * KIB, cut, 0, way);
                shapes.push(Shape { bar: bar.filter(|_| gcm), ..shape });
            }
            for (len, cut, aad_len) in [
                (512, Cut::Even(2), 0),
                (4 * KIB, Cut::Odd(4), 512),
                (16 * KIB, Cut::Odd(24), 0),
                (16 * KIB, Cut::Odd(24), 16 * KIB),
                (KIB * KIB, Cut::Even(32), 0),
            ] {
                shapes.push(record(256, len, cut, aad_len, way));
            }
            // A block of dnodes: 24 of its 32 have a bonus buffer, which is encrypted. The rest is authenticated.
            for aad_len in [0, 16 * KIB] {
                shapes.push(record(256, 24 * 320, Cut::Odd(24), aad_len, way));
            }
            // Every number of pieces, for the result, over the usual size and over another size.
            for count in 1..=32 {
                let key_bits = [128, 192, 256][count % 3];
                let cut = if count % 2 == 0 { Cut::Odd(count) } else { Cut::Apart(count) };
                for len in [128 * KIB, [512, 3 * KIB, 8 * KIB, 64 * KIB][count % 4]] {
                    let aad_len = [0, 200, len][count % 3];
                    shapes.push(record(key_bits, len, cut, aad_len, way).timed_if(false));
                }
            }
            shapes.push(wrap(mode, way));
        }
        shapes.push(forged(mode));
        shapes.push(Threads::shape(mode));
    }
    shapes
}
