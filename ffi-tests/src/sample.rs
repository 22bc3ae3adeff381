// SPDX-License-Identifier: MIT OR Apache-2.0
//! A message of each mechanism in each direction, with its expected output; and the memory around one call:
//! where the output goes, what may change, and what the call returned.

use core::ffi::c_int;

use kcfaes_provider::kcf::{
    AES_CBC_MECH_INFO_TYPE, AES_CCM_MECH_INFO_TYPE, AES_CMAC_MECH_INFO_TYPE,
    AES_CTR_MECH_INFO_TYPE, AES_ECB_MECH_INFO_TYPE, AES_GCM_MECH_INFO_TYPE,
    AES_GMAC_MECH_INFO_TYPE, CRYPTO_SUCCESS, crypto_data_t, crypto_mechanism_t,
};
use kcfaes_vectors::{Mode, Stream};

use crate::buffer::{Buffer, FILL, Format};
use crate::consumer::{Out, Request, Way};

/// A message and its expected output.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Mode.
    pub mode: Mode,
    /// Direction.
    pub way: Way,
    /// The input. For decryption it includes the tag.
    pub input: Vec<u8>,
    /// The expected output. For encryption it includes the tag.
    pub output: Vec<u8>,
    /// Length of the text.
    pub len: usize,
}

/// The key of every sample.
pub const KEY: [u8; 16] = *b"a key of samples";

/// The AAD of every GCM and CCM sample, and of the parameter of every GMAC sample.
pub const AAD: [u8; 20] = *b"data, not encrypted!";

impl Sample {
    /// `len` bytes of text in `mode`; ECB and CBC need full blocks. The expected output comes from the
    /// atomic call over contiguous memory, which the vectors check.
    pub fn new(mode: Mode, way: Way, len: usize) -> Self {
        let text = Stream::new(len as u64).draw(len);
        let mut sealed = vec![FILL; Self::produced(mode, Way::Encrypt, len)];
        let mut sample = Self { mode, way, input: text.clone(), output: vec![], len };
        let (mut src, mut dst) =
            (Buffer::new(Format::Raw, &text, &[]), Buffer::new(Format::Raw, &sealed, &[]));
        let rv = sample.request().atomic(
            Way::Encrypt,
            None,
            &mut src.data(0, len),
            Some(&mut dst.data(0, sealed.len())),
        );
        assert_eq!(rv, CRYPTO_SUCCESS, "sample {mode:?} of {len} bytes");
        sealed.copy_from_slice(&dst.bytes());
        match (mode, way) {
            (_, Way::Encrypt | Way::Mac) => sample.output = sealed,
            (Mode::Gmac, Way::Decrypt) => sample.input = [text, sealed].concat(),
            (_, Way::Decrypt) => (sample.input, sample.output) = (sealed, text),
        }
        sample
    }

    /// Every mechanism in every direction, with `len` bytes of text. Mechanisms that need full blocks round
    /// it up.
    pub fn all(len: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for mode in Mode::ALL {
            let len = match mode {
                Mode::Ecb | Mode::Cbc => len.next_multiple_of(16),
                _ => len,
            };
            all.extend(ways(mode).iter().map(|&way| Self::new(mode, way, len)));
        }
        all
    }

    fn produced(mode: Mode, way: Way, len: usize) -> usize {
        match (mode, way) {
            (Mode::Gcm | Mode::Ccm, Way::Encrypt) => len + 16,
            (Mode::Gcm | Mode::Ccm, _) => len - 16,
            (Mode::Gmac, Way::Decrypt) => 0,
            (Mode::Gmac | Mode::Cmac, _) => 16,
            _ => len,
        }
    }

    /// Whether its input ends with a tag, which is verified.
    pub fn verifies(&self) -> bool {
        self.mode.has_tag() && self.way == Way::Decrypt
    }

    /// Its mechanism, parameter and key.
    pub fn request(&self) -> Request {
        match self.mode {
            Mode::Ctr => Request::new(self.mode, &KEY, &[0x5c; 16], 32, &[], 0),
            Mode::Gcm | Mode::Gmac => Request::new(self.mode, &KEY, &[0x5c; 12], 0, &AAD, 16),
            Mode::Ccm => Request::new(self.mode, &KEY, &[0x5c; 12], 0, &AAD, 16).for_text(self.len),
            Mode::Ecb | Mode::Cbc => Request::new(self.mode, &KEY, &[0x5c; 16], 0, &[], 0),
            Mode::Cmac => Request::new(self.mode, &KEY, &[], 0, &[], 16),
        }
    }

    /// Its description, for a failed assertion.
    pub fn name(&self) -> String {
        format!("{} {:?}", self.mode.name(), self.way)
    }
}

/// The directions of a mode, and the MAC entry points if it has them.
pub fn ways(mode: Mode) -> &'static [Way] {
    match mode {
        Mode::Gmac => &[Way::Encrypt, Way::Decrypt, Way::Mac],
        Mode::Cmac => &[Way::Encrypt, Way::Mac],
        _ => &[Way::Encrypt, Way::Decrypt],
    }
}

/// Every mode in every one of its [`ways`].
pub fn tasks() -> Vec<(Mode, Way)> {
    Mode::ALL.iter().flat_map(|&mode| ways(mode).iter().map(move |&way| (mode, way))).collect()
}

/// The provider's own number for a mode.
pub fn provider_number(mode: Mode) -> u64 {
    match mode {
        Mode::Ecb => AES_ECB_MECH_INFO_TYPE,
        Mode::Cbc => AES_CBC_MECH_INFO_TYPE,
        Mode::Ctr => AES_CTR_MECH_INFO_TYPE,
        Mode::Ccm => AES_CCM_MECH_INFO_TYPE,
        Mode::Gcm => AES_GCM_MECH_INFO_TYPE,
        Mode::Gmac => AES_GMAC_MECH_INFO_TYPE,
        Mode::Cmac => AES_CMAC_MECH_INFO_TYPE,
    }
}

/// Where the output of a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To separate memory.
    Apart,
    /// NULL.
    Null,
    /// The input's struct.
    Same,
    /// A second struct over the input's bytes.
    Twin,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 4] = [Self::Apart, Self::Null, Self::Same, Self::Twin];

    /// Whether the entry point gets no struct except the input.
    pub fn one_struct(self) -> bool {
        matches!(self, Self::Null | Self::Same)
    }
}

/// Memory for one call or several. It has a message and room for output, each with bytes around it that
/// must not change. The room is separate memory or the message's own.
pub struct Bench {
    /// Where the output goes.
    pub place: Place,
    message: Buffer,
    room: Buffer,
    message_len: usize,
    room_len: usize,
    message_at: usize,
    room_at: usize,
}

/// What a call answered, in its return value and in the caller's structs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Return value.
    pub rv: c_int,
    /// `cd_length` of the input afterwards.
    pub input_length: usize,
    /// `cd_length` of the output afterwards, if there is a second struct.
    pub output_length: Option<usize>,
}

/// Bytes after a message and after its room.
const BEHIND: usize = 23;

impl Bench {
    /// `message` in `formats.0` and room for `room` bytes in `formats.1`. Both are cut into pieces of
    /// `piece` bytes, with empty pieces between. The two have different offsets, except in place.
    pub fn new(
        place: Place,
        formats: (Format, Format),
        piece: usize,
        message: &[u8],
        room: usize,
    ) -> Self {
        let message_at = 21;
        let room_at = if place == Place::Apart { 34 } else { message_at };
        let mut memory = vec![FILL; message_at];
        memory.extend_from_slice(message);
        if place != Place::Apart {
            memory.resize(message_at + message.len().max(room), FILL);
        }
        memory.resize(memory.len() + BEHIND, FILL);
        let room_memory = vec![FILL; room_at + room + BEHIND];
        let (a, b) = (pieces(memory.len(), piece), pieces(room_memory.len(), piece));
        Self {
            place,
            message: Buffer::new(formats.0, &memory, &a),
            room: Buffer::new(formats.1, &room_memory, &b),
            message_len: message.len(),
            room_len: room,
            message_at,
            room_at,
        }
    }

    /// One call with `input_len` bytes of the message at `from`, and `output_len` bytes of room at `to`.
    /// Checks that the call changed nothing else in the structs and nothing in the lists.
    pub fn call(
        &mut self,
        (from, input_len): (usize, usize),
        (to, output_len): (usize, usize),
        call: impl FnOnce(&mut crypto_data_t, Out<'_>) -> c_int,
    ) -> Answer {
        let mut src = self.message.data(self.message_at + from, input_len);
        let mut dst = match self.place {
            Place::Apart => self.room.data(self.room_at + to, output_len),
            _ => self.message.data(self.room_at + to, output_len),
        };
        let (src_offset, dst_offset) = (src.cd_offset, dst.cd_offset);
        let rv = match self.place {
            Place::Null => call(&mut src, Out::Null),
            Place::Same => call(&mut src, Out::Same),
            Place::Apart | Place::Twin => call(&mut src, Out::Other(&mut dst)),
        };
        assert_eq!(src.cd_offset, src_offset, "input cd_offset");
        assert_eq!(dst.cd_offset, dst_offset, "output cd_offset");
        assert!(src.cd_miscdata.is_null() && dst.cd_miscdata.is_null());
        assert!(self.message.lists_untouched(), "the input's list");
        assert!(self.room.lists_untouched(), "the output's list");
        if !self.place.one_struct() {
            assert_eq!(src.cd_length, input_len, "input cd_length");
        }
        let output_length = (!self.place.one_struct()).then_some(dst.cd_length);
        Answer { rv, input_length: src.cd_length, output_length }
    }

    /// The final call, which takes only an output.
    pub fn finish(
        &mut self,
        (to, len): (usize, usize),
        call: impl FnOnce(&mut crypto_data_t) -> c_int,
    ) -> (c_int, usize) {
        let mut dst = self.room.data(self.room_at + to, len);
        let offset = dst.cd_offset;
        let rv = call(&mut dst);
        assert_eq!(dst.cd_offset, offset, "output cd_offset");
        assert!(self.room.lists_untouched(), "the output's list");
        (rv, dst.cd_length)
    }

    /// The message's bytes now.
    pub fn message(&self) -> Vec<u8> {
        self.message.bytes()[self.message_at..][..self.message_len].to_vec()
    }

    /// The output's bytes now.
    pub fn output(&self) -> Vec<u8> {
        let all = if self.place == Place::Apart { &self.room } else { &self.message };
        all.bytes()[self.room_at..][..self.room_len].to_vec()
    }

    /// Asserts that nothing around the message and its room was written.
    pub fn check_around(&self) {
        let filled = |bytes: &[u8]| bytes.iter().all(|&b| b == FILL);
        let mut len = self.message_len;
        let room = self.room.bytes();
        if self.place == Place::Apart {
            assert!(filled(&room[..self.room_at]), "before the room");
            assert!(filled(&room[self.room_at + self.room_len..]), "behind the room");
        } else {
            assert!(filled(&room));
            len = len.max(self.room_len);
        }
        let bytes = self.message.bytes();
        assert!(filled(&bytes[..self.message_at]), "before the message");
        assert!(filled(&bytes[self.message_at + len..]), "behind the message");
    }
}

/// Lengths of at most `piece` that add up to `len`, with an empty piece after every third.
pub fn pieces(len: usize, piece: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut left = len;
    while left > 0 {
        let n = piece.min(left);
        lengths.push(n);
        if lengths.len() % 4 == 3 {
            lengths.push(0);
        }
        left -= n;
    }
    lengths
}

impl Request {
    /// The mechanism as the framework passes it to the provider for this direction, with the provider's own
    /// number.
    pub fn provider_mechanism(&mut self, way: Way) -> crypto_mechanism_t {
        self.declare(way);
        let cm_type = Mode::ALL
            .into_iter()
            .find(|&mode| crate::consumer::mechanism_id(mode) == self.mechanism.cm_type)
            .map_or(self.mechanism.cm_type, provider_number);
        crypto_mechanism_t { cm_type, ..self.mechanism }
    }
}
