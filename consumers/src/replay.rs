// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a consumer does again and again: one operation of its own shape, and for comparison the same
//! bytes in one contiguous buffer.

use core::ffi::{c_char, c_int};

use std::rc::Rc;

use kcfaes_ffi_tests::buffer::{FILL, Format, below};
use kcfaes_ffi_tests::consumer::{Request, Template, Way, pointer};
use kcfaes_ffi_tests::kernel::{CallReq, crypto_decrypt, crypto_encrypt, crypto_mac};
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::{Mode, Stream};

use crate::memory::Memory;
use crate::oracle::Message;

/// An operation that can be repeated.
pub(crate) trait Replay {
    /// Restores what a run changes in its input.
    fn reset(&mut self);

    /// Whether a run can work on what the run before has left, as long as nobody looks at the result.
    fn repeats(&self) -> bool;

    /// Does the operation. Returns what the consumer sees returned.
    fn run(&mut self) -> c_int;

    /// Compares all that the last run after a reset has left with what an independent library makes of
    /// the same message.
    fn check(&self) -> Result<(), String>;
}

/// A shape of data that a consumer feeds, in one size.
pub(crate) struct Shape {
    pub(crate) name: String,
    /// Bytes of text in an operation.
    pub(crate) bytes: usize,
    /// The least speed relative to the contiguous case.
    pub(crate) bar: Option<f64>,
    /// Whether its time is printed.
    pub(crate) timed: bool,
    /// Makes the operation, and the same operation with contiguous data.
    pub(crate) make: Box<dyn Fn(&mut Plan) -> Pair>,
}

pub(crate) struct Pair {
    pub(crate) own: Box<dyn Replay>,
    pub(crate) contiguous: Option<Box<dyn Replay>>,
}

impl Shape {
    /// A shape that is timed against the contiguous case.
    pub(crate) fn timed<A: Replay + 'static, B: Replay + 'static>(
        name: impl Into<String>,
        bytes: usize,
        make: impl Fn(&mut Plan) -> (A, B) + 'static,
    ) -> Self {
        let make = move |plan: &mut Plan| {
            let (own, contiguous) = make(plan);
            Pair { own: Box::new(own), contiguous: Some(Box::new(contiguous)) }
        };
        Self { name: name.into(), bytes, bar: None, timed: true, make: Box::new(make) }
    }

    /// A shape that is run for its result only.
    pub(crate) fn checked<A: Replay + 'static>(
        name: impl Into<String>,
        bytes: usize,
        make: impl Fn(&mut Plan) -> A + 'static,
    ) -> Self {
        let make = move |plan: &mut Plan| Pair { own: Box::new(make(plan)), contiguous: None };
        Self { name: name.into(), bytes, bar: None, timed: false, make: Box::new(make) }
    }

    pub(crate) fn timed_if(self, timed: bool) -> Self {
        Self { timed, ..self }
    }
}

/// Where the data of a replay comes from, and the fault that a test of the replays plants: one flipped
/// bit of one input. The independent library does not know of it.
pub(crate) struct Plan {
    random: Stream,
    /// The number of the input with the fault.
    fault_in: Option<usize>,
    /// Inputs made so far, except empty ones.
    pub(crate) inputs: usize,
}

impl Plan {
    pub(crate) fn new(seed: u64, fault_in: Option<usize>) -> Self {
        Self { random: Stream::new(seed), fault_in, inputs: 0 }
    }

    pub(crate) fn draw(&mut self, len: usize) -> Vec<u8> {
        self.random.draw(len)
    }

    /// `bytes` as they arrive in the consumer's memory.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if bytes.is_empty() {
            return bytes;
        }
        if self.fault_in == Some(self.inputs) {
            let bit = below(&mut self.random, bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        self.inputs += 1;
        bytes
    }

    /// An input of the consumer.
    pub(crate) fn input(&mut self, format: Format, bytes: &[u8], lengths: &[usize]) -> Input {
        self.input_with_room(format, bytes, 0, lengths)
    }

    /// The same with `room` bytes after it, which the output is to fill.
    pub(crate) fn input_with_room(
        &mut self,
        format: Format,
        bytes: &[u8],
        room: usize,
        lengths: &[usize],
    ) -> Input {
        let [arrived, bytes] =
            [&self.arrive(bytes), bytes].map(|b| [b, &vec![FILL; room]].concat());
        Input { memory: Memory::new(format, &arrived, lengths), bytes }
    }

    /// An input in one buffer.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Input {
        self.input(Format::Raw, bytes, &[bytes.len()])
    }
}

/// Memory, and what should be in it.
pub(crate) struct Input {
    pub(crate) memory: Memory,
    pub(crate) bytes: Vec<u8>,
}

/// A message with its key and parameter.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) mode: Mode,
    pub(crate) key: Vec<u8>,
    pub(crate) iv: Vec<u8>,
    pub(crate) aad: Vec<u8>,
    pub(crate) tag_len: usize,
    pub(crate) text: Vec<u8>,
}

impl Secret {
    /// Ciphertext and tag, by RustCrypto.
    pub(crate) fn sealed(&self) -> Vec<u8> {
        // Its GCM has no tag of fewer than 12 bytes. A shorter tag is the beginning of the whole one.
        let short = self.mode == Mode::Gcm && self.tag_len < 12;
        let message = Message {
            mode: self.mode,
            key: self.key.clone(),
            iv: self.iv.clone(),
            bits: 32,
            aad: self.aad.clone(),
            tag_len: if short { 16 } else { self.tag_len },
            text: self.text.clone(),
            sealed: vec![],
        };
        let mut sealed = message.by_crates().expect("RustCrypto has it");
        if short {
            sealed.truncate(self.text.len() + self.tag_len);
        }
        sealed
    }

    pub(crate) fn request(&self) -> Request {
        Request::new(self.mode, &self.key, &self.iv, 32, &self.aad, self.tag_len)
            .for_text(self.text.len())
    }
}

/// Where the output of a call goes.
pub(crate) enum Place {
    /// NULL: in place.
    Null,
    /// A second struct over the input's bytes, with this `cd_length`.
    Twin(usize),
    /// Memory of its own: offset and `cd_length`.
    Apart(Memory, usize, usize),
}

/// A message in one call.
pub(crate) struct Atomic {
    request: Request,
    template: Option<Rc<Template>>,
    way: Way,
    /// Whether it compares a tag.
    verifies: bool,
    input: Input,
    offset: usize,
    length: usize,
    /// The offset in the first piece of the IV that `cd_miscdata` points to.
    misc: Option<usize>,
    place: Place,
    /// The bytes of the input before the call.
    before: Vec<u8>,
    /// What the call must return, and what all bytes of the output's memory must be after it.
    want: (c_int, Vec<u8>),
    /// What `cd_length` of a second struct must be after the call.
    want_length: usize,
    /// Status, and `cd_length` of the two structs.
    got: Option<(c_int, usize, usize)>,
}

impl Atomic {
    /// `window` of the input goes to `place`. There the bytes from the output's beginning on become
    /// `output`.
    pub(crate) fn new(
        secret: &Secret,
        template: Option<Rc<Template>>,
        way: Way,
        input: Input,
        window: (usize, usize),
        place: Place,
        output: &[u8],
    ) -> Self {
        let before = input.memory.bytes();
        let (mut after, offset) = match &place {
            Place::Apart(memory, offset, _) => (memory.bytes(), *offset),
            _ => (input.bytes.clone(), window.0),
        };
        after[offset..offset + output.len()].copy_from_slice(output);
        Self {
            request: secret.request(),
            template,
            way,
            verifies: secret.tag_len > 0 && way == Way::Decrypt,
            input,
            offset: window.0,
            length: window.1,
            misc: None,
            place,
            before,
            want: (CRYPTO_SUCCESS, after),
            want_length: output.len(),
            got: None,
        }
    }

    /// From one buffer into another: all of `secret`'s text, or of its sealed text.
    pub(crate) fn contiguous(
        secret: &Secret,
        template: Option<Rc<Template>>,
        way: Way,
        plan: &mut Plan,
    ) -> Self {
        let (from, to) = secret.ways(way);
        let room = Memory::room(Format::Raw, &[to.len()]);
        let place = Place::Apart(room, 0, to.len());
        let window = (0, from.len());
        Self::new(secret, template, way, plan.raw(&from), window, place, &to)
    }

    /// The same in place, by an output of NULL. A mode with a tag can do this only in decryption.
    pub(crate) fn contiguous_in_place(
        secret: &Secret,
        template: Option<Rc<Template>>,
        way: Way,
        plan: &mut Plan,
    ) -> Self {
        let (from, to) = secret.ways(way);
        let window = (0, from.len());
        Self::new(secret, template, way, plan.raw(&from), window, Place::Null, &to)
    }

    /// No parameter. `cd_miscdata` points to the IV, at `offset` of the input's first piece.
    pub(crate) fn with_misc(mut self, offset: usize) -> Self {
        self.request.mechanism.cm_param = core::ptr::null_mut();
        self.request.mechanism.cm_param_len = 0;
        Self { misc: Some(offset), ..self }
    }

    /// The call fails with `rv`. Then the output's struct is as it was, and its bytes are `output`.
    pub(crate) fn failing(self, rv: c_int, output: Vec<u8>) -> Self {
        let length = match self.place {
            Place::Null => 0,
            Place::Twin(length) | Place::Apart(_, _, length) => length,
        };
        Self { want: (rv, output), want_length: length, ..self }
    }
}

impl Atomic {
    /// Calls KCF. If the request is queued, `wait` brings the status.
    pub(crate) fn call(&mut self, crq: *mut CallReq, wait: impl FnOnce(c_int) -> c_int) -> c_int {
        let misc = self.misc.map(|offset| self.input.memory.address(offset));
        let mut src = self.input.memory.data(self.offset, self.length);
        src.cd_miscdata = misc.unwrap_or(core::ptr::null_mut::<c_char>());
        let mut dst = match &mut self.place {
            Place::Null => None,
            Place::Twin(length) => Some(self.input.memory.data(self.offset, *length)),
            Place::Apart(room, offset, length) => Some(room.data(*offset, *length)),
        };
        let out = dst.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
        let call = match self.way {
            Way::Encrypt => crypto_encrypt,
            Way::Decrypt => crypto_decrypt,
            Way::Mac => crypto_mac,
        };
        self.request.declare(self.way);
        let Request { mechanism, key, .. } = &mut self.request;
        let template = pointer(self.template.as_deref());
        // SAFETY: all pointers are to what lives until the call is over. `wait` waits for that.
        let rv = wait(unsafe { call(mechanism, &mut src, key, template, out, crq) });
        let given = dst.map_or(self.want_length, |dst| dst.cd_length);
        self.got = Some((rv, src.cd_length, given));
        rv
    }
}

impl Secret {
    /// What goes in and what comes out.
    pub(crate) fn ways(&self, way: Way) -> (Vec<u8>, Vec<u8>) {
        match way {
            Way::Decrypt => (self.sealed(), self.text.clone()),
            _ => (self.text.clone(), self.sealed()),
        }
    }
}

impl Replay for Atomic {
    fn reset(&mut self) {
        self.got = None;
        if let Place::Apart(room, ..) = &mut self.place {
            let blank = vec![FILL; self.want.1.len()];
            room.fill(&blank);
        }
        self.input.memory.fill(&self.before);
    }

    fn repeats(&self) -> bool {
        matches!(self.place, Place::Apart(..)) || !self.verifies
    }

    fn run(&mut self) -> c_int {
        self.call(core::ptr::null_mut(), |rv| rv)
    }

    fn check(&self) -> Result<(), String> {
        let (rv, taken, given) = self.got.ok_or("not run")?;
        same("status", rv, self.want.0)?;
        same("cd_length of the input", taken, self.length)?;
        same("cd_length of the output", given, self.want_length)?;
        match &self.place {
            Place::Apart(room, ..) => {
                same_bytes("the input", &self.input.memory.bytes(), &self.input.bytes)?;
                same_bytes("the output", &room.bytes(), &self.want.1)
            }
            _ => same_bytes("the data", &self.input.memory.bytes(), &self.want.1),
        }
    }
}

/// Fails where two values differ.
pub(crate) fn same<T: PartialEq + core::fmt::Debug>(
    what: &str,
    is: T,
    must: T,
) -> Result<(), String> {
    if is == must { Ok(()) } else { Err(format!("{what} is {is:?}, not {must:?}")) }
}

/// Fails where bytes differ, and says where.
pub(crate) fn same_bytes(what: &str, is: &[u8], must: &[u8]) -> Result<(), String> {
    same(&format!("length of {what}"), is.len(), must.len())?;
    match is.iter().zip(must).position(|(is, must)| is != must) {
        None => Ok(()),
        Some(at) => Err(format!("byte {at} of {what} is {:#04x}, not {:#04x}", is[at], must[at])),
    }
}
