// SPDX-License-Identifier: MIT OR Apache-2.0
//! One test vector, run in one manner through the registered ops vector. Checked to the byte: status,
//! output, `cd_length`, `cd_offset`, and that nothing else was written.

use core::ffi::c_int;

use kcfaes_provider::kcf::{
    CRYPTO_INVALID_MAC, CRYPTO_MECHANISM_PARAM_INVALID, CRYPTO_SUCCESS, crypto_data_t,
};
use kcfaes_vectors::{Case, Ciphertext, Expect, Mode, Stream};

use crate::buffer::{Buffer, Cut, FILL, Format, below};
use crate::consumer::{Request, Template, Way, pointer};
use crate::kernel::{
    crypto_mac, crypto_mac_final, crypto_mac_init, crypto_mac_single, crypto_mac_update,
    crypto_mac_verify,
};

/// The calls by which a message goes through the framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// One call.
    Atomic,
    /// init, then the whole message on the context.
    Single,
    /// init, update in parts, final.
    Parts,
}

impl Call {
    /// Every way to call.
    pub const ALL: [Self; 3] = [Self::Atomic, Self::Single, Self::Parts];
}

/// Where the output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// To separate memory, in this format.
    Apart(Format),
    /// To the input's bytes: NULL where the mode allows it, or a second struct if a tag needs room.
    InPlace,
}

/// The manner in which a case is run.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Calls.
    pub call: Call,
    /// Format of the input.
    pub input: Format,
    /// Where the output goes.
    pub output: Output,
    /// How the lists are cut.
    pub cut: Cut,
    /// Whether the key comes by template.
    pub template: bool,
}

impl Manner {
    /// The manners in which every vector is run. Apart: each format, call and way to pass the key, whole
    /// and in pieces; pieces have the output in another format. And in place.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for template in [false, true] {
            for input in Format::ALL {
                for call in Call::ALL {
                    for cut in [Cut::Whole, Cut::Few] {
                        let output = Output::Apart(match (cut, input) {
                            (Cut::Whole, same) => same,
                            (_, Format::Raw) => Format::Uio,
                            (_, Format::Uio) => Format::Mblk,
                            (_, Format::Mblk) => Format::Raw,
                        });
                        all.push(Self { call, input, output, cut, template });
                    }
                }
                let output = Output::InPlace;
                all.push(Self { call: Call::Atomic, input, output, cut: Cut::Few, template });
            }
        }
        all
    }
}

/// Why a case failed.
pub type Failure = String;

/// Runs a case; returns how many directions were checked.
///
/// # Errors
/// What was wrong.
pub fn run(case: &Case, manner: &Manner, random: &mut Stream) -> Result<usize, Failure> {
    let mut request = Request::of(case);
    let template = manner.template.then(|| request.template());
    let mut bench = Bench { case, manner, random, request, template };
    match (case.expect, case.mode) {
        (Expect::BadArg, _) => {
            bench.refused(Way::Encrypt)?;
            bench.refused(Way::Decrypt)?;
            Ok(2)
        }
        (_, mode) if mode.is_mac() => bench.mac(),
        (Expect::Ok, _) => {
            let sealed = bench.encrypt()?;
            bench.decrypt(&sealed, CRYPTO_SUCCESS)?;
            Ok(2)
        }
        (Expect::BadTag, _) => {
            let Ciphertext::Bytes(ct) = &case.ct else { return Err("no ciphertext".into()) };
            bench.decrypt(&[ct.as_slice(), &case.tag].concat(), CRYPTO_INVALID_MAC)?;
            Ok(1)
        }
    }
}

struct Bench<'a> {
    case: &'a Case,
    manner: &'a Manner,
    random: &'a mut Stream,
    request: Request,
    template: Option<Template>,
}

/// A buffer with a message in it, between bytes that must not change.
struct Window {
    buffer: Buffer,
    offset: usize,
    len: usize,
}

impl Window {
    fn new(format: Format, cut: Cut, message: &[u8], random: &mut Stream) -> Self {
        let offset = [0, 1, 15, 16, 17, 40][below(random, 6)];
        let behind = 1 + below(random, 20);
        let bytes = [&vec![FILL; offset], message, &vec![FILL; behind]].concat();
        let lengths = cut.lengths(bytes.len(), random);
        Self { buffer: Buffer::new(format, &bytes, &lengths), offset, len: message.len() }
    }

    fn data(&mut self, start: usize, len: usize) -> crypto_data_t {
        self.buffer.data(self.offset + start, len)
    }

    fn bytes(&self) -> Vec<u8> {
        self.buffer.bytes()[self.offset..self.offset + self.len].to_vec()
    }

    /// Checks that nothing outside the message, and no list, was written.
    fn check_around(&self, what: &str) -> Result<(), Failure> {
        let bytes = self.buffer.bytes();
        let (before, behind) = (&bytes[..self.offset], &bytes[self.offset + self.len..]);
        if before.iter().chain(behind).any(|&b| b != FILL) {
            return Err(format!("{what}: bytes around the message were written"));
        }
        if !self.buffer.lists_untouched() {
            return Err(format!("{what}: the list was written"));
        }
        Ok(())
    }
}

fn expect<T: PartialEq + core::fmt::Debug>(what: &str, got: T, want: T) -> Result<(), Failure> {
    if got == want { Ok(()) } else { Err(format!("{what}: {got:x?}, not {want:x?}")) }
}

impl Bench<'_> {
    fn window(&mut self, format: Format, message: &[u8]) -> Window {
        Window::new(format, self.manner.cut, message, self.random)
    }

    /// Checks that bad parameters are refused before any data is read.
    fn refused(&mut self, way: Way) -> Result<(), Failure> {
        let text = vec![FILL; 64];
        let mut input = self.window(self.manner.input, &text);
        let mut data = input.data(0, 32);
        let rv = match self.manner.call {
            Call::Atomic => {
                let mut room = input.data(0, 64);
                self.request.atomic(way, self.template.as_ref(), &mut data, Some(&mut room))
            }
            _ => self.request.init(way, self.template.as_ref()).err().unwrap_or(0),
        };
        expect("status", rv, CRYPTO_MECHANISM_PARAM_INVALID)?;
        expect("data", input.bytes(), text)?;
        input.check_around("input")
    }

    fn encrypt(&mut self) -> Result<Vec<u8>, Failure> {
        let case = self.case;
        let tag_len = case.tag.len();
        let sealed = self.transform(Way::Encrypt, &case.pt, case.pt.len() + tag_len, 0)?;
        let (ct, tag) = sealed.split_at(case.pt.len());
        if !case.ct.matches(ct) {
            return Err(format!("ciphertext {}", hex(ct)));
        }
        expect("tag", tag, &case.tag)?;
        Ok(sealed)
    }

    fn decrypt(&mut self, sealed: &[u8], status: c_int) -> Result<(), Failure> {
        let len = sealed.len() - self.case.tag.len();
        let pt = self.transform(Way::Decrypt, sealed, len, status)?;
        if status == CRYPTO_SUCCESS {
            expect("plaintext", pt.as_slice(), &self.case.pt)?;
        }
        Ok(())
    }

    /// Sends `message` through; the output must have `produced` bytes. For a forged message it checks that
    /// no plaintext is left.
    fn transform(
        &mut self,
        way: Way,
        message: &[u8],
        produced: usize,
        status: c_int,
    ) -> Result<Vec<u8>, Failure> {
        match (self.manner.output, self.manner.call) {
            (Output::Apart(format), call) => {
                self.transform_apart(way, message, produced, status, format, call)
            }
            (Output::InPlace, _) => self.transform_in_place(way, message, produced, status),
        }
    }

    fn transform_apart(
        &mut self,
        way: Way,
        message: &[u8],
        produced: usize,
        status: c_int,
        format: Format,
        call: Call,
    ) -> Result<Vec<u8>, Failure> {
        let mut input = self.window(self.manner.input, message);
        let mut output = self.window(format, &vec![FILL; produced]);
        let len = message.len();
        let rv = match call {
            Call::Atomic | Call::Single => {
                let (mut src, mut dst) = (input.data(0, len), output.data(0, produced));
                let offset = dst.cd_offset;
                let rv = if call == Call::Atomic {
                    let template = self.template.as_ref();
                    self.request.atomic(way, template, &mut src, Some(&mut dst))
                } else {
                    let message = self.request.init(way, self.template.as_ref());
                    let mut message = message.map_err(|rv| format!("init: {rv:#x}"))?;
                    message.single(&mut src, Some(&mut dst))
                };
                expect("status", rv, status)?;
                expect("cd_length", dst.cd_length, produced)?;
                expect("cd_offset", dst.cd_offset, offset)?;
                expect("input cd_length", src.cd_length, len)?;
                rv
            }
            Call::Parts => self.parts(way, &mut input, &mut output)?,
        };
        expect("status", rv, status)?;
        expect("input", input.bytes().as_slice(), message)?;
        input.check_around("input")?;
        output.check_around("output")?;
        if status != CRYPTO_SUCCESS && call != Call::Parts {
            expect("output of a forged message", output.bytes(), vec![0; produced])?;
        }
        Ok(output.bytes())
    }

    /// init, updates of arbitrary lengths, final; returns the last status.
    fn parts(
        &mut self,
        way: Way,
        input: &mut Window,
        output: &mut Window,
    ) -> Result<c_int, Failure> {
        let message = self.request.init(way, self.template.as_ref());
        let mut message = message.map_err(|rv| format!("init: {rv:#x}"))?;
        let lengths = self.manner.cut.lengths(input.len, self.random);
        let stored = self.case.mode.is_aead() && way == Way::Decrypt && below(self.random, 2) == 0;
        let (mut taken, mut given) = (0, 0);
        for n in lengths {
            let mut src = input.data(taken, n);
            let mut dst = output.data(given, output.len - given);
            let rv = if stored {
                message.update(&mut src, None)
            } else {
                let rv = message.update(&mut src, Some(&mut dst));
                given += dst.cd_length;
                rv
            };
            if rv != CRYPTO_SUCCESS {
                message.cancel();
                return Err(format!("update of {n} bytes behind {taken}: {rv:#x}"));
            }
            expect("input cd_length", src.cd_length, n)?;
            taken += n;
        }
        let room = output.len - given;
        let mut dst = output.data(given, room);
        let rv = message.finish(Some(&mut dst));
        if rv == CRYPTO_SUCCESS {
            let last = if self.case.mode == Mode::Ctr { 0 } else { room };
            expect("bytes before final", given, output.len - last)?;
            expect("cd_length of final", dst.cd_length, room)?;
        }
        Ok(rv)
    }

    fn transform_in_place(
        &mut self,
        way: Way,
        message: &[u8],
        produced: usize,
        status: c_int,
    ) -> Result<Vec<u8>, Failure> {
        let len = message.len();
        let mut memory = message.to_vec();
        memory.resize(len.max(produced), FILL);
        let mut window = self.window(self.manner.input, &memory);
        let mut src = window.data(0, len);
        let mut dst = window.data(0, produced);
        let template = self.template.as_ref();
        // A tag needs room, which the input's own struct does not have.
        let rv = if produced > len {
            self.request.atomic(way, template, &mut src, Some(&mut dst))
        } else {
            self.request.atomic(way, template, &mut src, None)
        };
        expect("status", rv, status)?;
        expect("input cd_length", src.cd_length, len)?;
        window.check_around("buffer")?;
        let mut bytes = window.bytes();
        if status != CRYPTO_SUCCESS {
            expect("buffer of a forged message", bytes.as_slice(), message)?;
        }
        bytes.truncate(produced);
        Ok(bytes)
    }

    /// GMAC and CMAC through the MAC group, and as ciphers. A CMAC of fewer than 16 bytes is the beginning
    /// of the computed one, and KCF cannot verify it. A CMAC cannot be decrypted.
    fn mac(&mut self) -> Result<usize, Failure> {
        let case = self.case;
        let good = case.expect == Expect::Ok;
        let mut checked = 0;
        let verdict = if good { CRYPTO_SUCCESS } else { CRYPTO_INVALID_MAC };
        if self.manner.call == Call::Atomic && case.tag.len() == 16 {
            expect("crypto_mac_verify", self.mac_verify()?, verdict)?;
            checked += 1;
        }
        if self.manner.call == Call::Atomic && case.mode == Mode::Gmac {
            let sealed = [case.aad.as_slice(), &case.tag].concat();
            let mut input = self.window(self.manner.input, &sealed);
            let mut src = input.data(0, sealed.len());
            let rv = self.request.atomic(Way::Decrypt, self.template.as_ref(), &mut src, None);
            expect("crypto_decrypt", rv, verdict)?;
            expect("input", input.bytes(), sealed)?;
            checked += 1;
        }
        let begins = |mac: Vec<u8>| mac[..case.tag.len()].to_vec();
        if good {
            expect("crypto_mac", begins(self.mac_compute()?), case.tag.clone())?;
            if self.manner.call == Call::Atomic {
                let mac = self.transform(Way::Encrypt, &case.aad, 16, CRYPTO_SUCCESS);
                if let Output::Apart(_) = self.manner.output {
                    expect("crypto_encrypt", begins(mac?), case.tag.clone())?;
                }
            }
            checked += 2;
        }
        Ok(checked)
    }

    fn mac_verify(&mut self) -> Result<c_int, Failure> {
        let case = self.case;
        let mut input = self.window(self.manner.input, &case.aad);
        let mut mac = self.window(self.manner.input, &case.tag);
        let (mut src, mut tag) = (input.data(0, case.aad.len()), mac.data(0, 16));
        let request = &mut self.request;
        let template = pointer(self.template.as_ref());
        // SAFETY: request, template and buffers are alive.
        let rv = unsafe {
            crypto_mac_verify(
                &mut request.mechanism,
                &mut src,
                &mut request.key,
                template,
                &mut tag,
                core::ptr::null_mut(),
            )
        };
        input.check_around("input")?;
        mac.check_around("mac")?;
        expect("input", input.bytes().as_slice(), &case.aad)?;
        Ok(rv)
    }

    fn mac_compute(&mut self) -> Result<Vec<u8>, Failure> {
        let case = self.case;
        let format = match self.manner.output {
            Output::Apart(format) => format,
            Output::InPlace => self.manner.input,
        };
        let mut input = self.window(self.manner.input, &case.aad);
        let mut mac = self.window(format, &[FILL; 16]);
        let (mut src, mut dst) = (input.data(0, case.aad.len()), mac.data(0, 16));
        let offset = dst.cd_offset;
        let template = pointer(self.template.as_ref());
        let lengths = self.manner.cut.lengths(case.aad.len(), self.random);
        let (mechanism, key) = (&mut self.request.mechanism, &mut self.request.key);
        let none = core::ptr::null_mut();
        let mut context = core::ptr::null_mut();
        // SAFETY: request, template, context and buffers are alive.
        let rv = unsafe {
            match self.manner.call {
                Call::Atomic => crypto_mac(mechanism, &mut src, key, template, &mut dst, none),
                Call::Single => {
                    let rv = crypto_mac_init(mechanism, key, template, &mut context, none);
                    expect("crypto_mac_init", rv, CRYPTO_SUCCESS)?;
                    crypto_mac_single(context, &mut src, &mut dst, none)
                }
                Call::Parts => {
                    let rv = crypto_mac_init(mechanism, key, template, &mut context, none);
                    expect("crypto_mac_init", rv, CRYPTO_SUCCESS)?;
                    let mut taken = 0;
                    for n in lengths {
                        let rv = crypto_mac_update(context, &mut input.data(taken, n), none);
                        expect("crypto_mac_update", rv, CRYPTO_SUCCESS)?;
                        taken += n;
                    }
                    crypto_mac_final(context, &mut dst, none)
                }
            }
        };
        expect("status", rv, CRYPTO_SUCCESS)?;
        expect("cd_length", dst.cd_length, 16)?;
        expect("cd_offset", dst.cd_offset, offset)?;
        expect("input", input.bytes().as_slice(), &case.aad)?;
        input.check_around("input")?;
        mac.check_around("mac")?;
        Ok(mac.bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
