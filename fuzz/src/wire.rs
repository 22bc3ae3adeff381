// SPDX-License-Identifier: MIT OR Apache-2.0
//! An input is a [`Head`], which says what the message is, and any number of [`Call`]s. Both consist of
//! integers only, one after the other. So every string of bytes is an input (missing bytes are zero),
//! and examples/corpus.rs can write one.

use arbitrary::{Arbitrary, Unstructured};
use kcfaes_vectors::{Mode, Stream};

macro_rules! wire {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Arbitrary, Clone, Copy, Debug, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            /// Its length.
            pub const BYTES: usize = 0 $(+ size_of::<$type>())*;

            /// Appends the bytes that decode to this value.
            pub fn put(&self, to: &mut Vec<u8>) {
                $(to.extend(self.$field.to_le_bytes());)*
            }
        }
    };
}

wire! {
    /// A message and its request.
    Head {
        /// Mode. One more number is no mode.
        mode: u8,
        /// Direction or group.
        way: u8,
        /// 0, 1, 2: 16, 24, 32 bytes. Any other number is the length itself.
        key_len: u8,
        /// Bytes of the IV; its first 16 are `iv`.
        iv_len: u8,
        /// Bytes of the tag.
        tag_len: u8,
        /// CTR: width of the counter.
        bits: u8,
        /// What is wrong with the request.
        fault: u8,
        /// No template, one, or a foreign pointer; and the table that makes it.
        template: u8,
        /// CCM: the declared length less the text's.
        declared: u8,
        /// Longest hold of the FPU; whether short calls have light ones; and whether the direct path is forbidden.
        hold: u8,
        /// Bytes of AAD.
        aad_len: u16,
        /// Bytes of text.
        len: u16,
        /// Seed of what is drawn: AAD, text, the rest of an IV.
        seed: u64,
        /// Key.
        key: u128,
        /// Key, bytes 16 to 31.
        key_high: u128,
        /// IV.
        iv: u128,
    }
}

wire! {
    /// One call.
    Call {
        /// Which function.
        op: u8,
        /// Which table.
        table: u8,
        /// Where the output goes.
        place: u8,
        /// Formats of both sides.
        formats: u8,
        /// Cut of the input: lengths of pieces, which repeat.
        cut_in: u32,
        /// Cut of the output.
        cut_out: u32,
        /// Where the message begins in the input's memory.
        at_in: u8,
        /// Where the room begins.
        at_out: u8,
        /// Bytes of the message that this call takes.
        len: u16,
        /// Room for output.
        room: u8,
        /// What is wrong with a list, and with which.
        damage: u8,
        /// The piece that is wrong.
        which: u8,
        /// Whether the call is in an interrupt, and which allocation fails.
        fail: u8,
        /// Bit of the input that is flipped, if not 0.
        forge: u16,
    }
}

/// The length of a call that takes all that is left of the message.
pub const REST: u16 = u16::MAX;

/// Longest text and AAD.
const LONGEST: u16 = 2500;

/// Most calls of one input.
const CALLS: usize = 24;

/// Decodes `data` as an input.
pub fn decode(data: &[u8]) -> arbitrary::Result<(Head, Vec<Call>)> {
    let mut bytes = Unstructured::new(data);
    let head = Head::arbitrary(&mut bytes)?;
    let mut calls = Vec::new();
    while !bytes.is_empty() && calls.len() < CALLS {
        calls.push(Call::arbitrary(&mut bytes)?);
    }
    Ok((head, calls))
}

/// Changes the first `size` bytes of `data` into another input of at most `most` bytes, and returns its
/// length. It uses libFuzzer's own mutations, or a change that keeps calls whole. Such a change doubles
/// a call, leaves it out, puts it in another's place, changes a field of it, gives it another table, length
/// and pieces, gives all calls one table, or changes the message.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let mut random = Stream::new(seed.into());
    let mut below = |n: usize| {
        let drawn = random.draw(8).try_into().expect("8 bytes");
        (u64::from_le_bytes(drawn) % n as u64) as usize
    };
    let (head, call) = (Head::BYTES, Call::BYTES);
    let calls = size.saturating_sub(head) / call;
    if calls == 0 || head + (calls + 1) * call > most || below(4) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, most);
    }
    let size = head + calls * call;
    let at = head + below(calls) * call;
    match below(9) {
        0 => {
            data.copy_within(at..size, at + call);
            return size + call;
        }
        1 if calls > 1 => {
            data.copy_within(at + call..size, at);
            return size - call;
        }
        2 => {
            let from = head + below(calls) * call;
            data.copy_within(from..from + call, at);
        }
        3 | 4 => {
            let (mut message, _) = decode(&data[..head]).unwrap_or_default();
            message.mode = below(8) as u8;
            message.way = below(3) as u8;
            message.key_len = below(3) as u8;
            message.iv_len = [12, 16, 13, 7, 8, below(20), below(80)][below(7)] as u8;
            message.tag_len = [16, 15, 14, 13, 12, 10, 8, 6, 4][below(9)];
            message.bits = [32, 64, 128, 1 + below(128)][below(4)] as u8;
            message.fault = [0, 0, 0, below(16)][below(4)] as u8;
            message.aad_len = [message.aad_len.into(), 0, below(100), below(1000)][below(4)] as u16;
            message.len = [message.len.into(), below(300), below(1000)][below(3)] as u16;
            data[..head].copy_from_slice(&encode(&message, &[]));
        }
        5 => {
            let mut bytes = Unstructured::new(&data[at..at + call]);
            let mut shape = Call::arbitrary(&mut bytes).unwrap_or_default();
            shape.table = below(4) as u8;
            shape.len = [shape.len, REST, below(600) as u16][below(3)];
            let mut cut =
                || (0..4).fold(0, |cut, _| cut << 8 | below(128) as u32) * below(4).min(1) as u32;
            (shape.cut_in, shape.cut_out) = (cut(), cut());
            let mut encoded = Vec::new();
            shape.put(&mut encoded);
            data[at..at + call].copy_from_slice(&encoded);
        }
        // What a table does at a length, another may do elsewhere.
        6 => {
            let table = below(4) as u8;
            (head..size).step_by(call).for_each(|at| data[at + Call::TABLE] = table);
        }
        7 => data[below(head)] = below(256) as u8,
        _ => data[at + below(call)] = [below(256), below(20)][below(2)] as u8,
    }
    size
}

/// The bytes of an input.
pub fn encode(head: &Head, calls: &[Call]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.put(&mut bytes);
    calls.iter().for_each(|call| call.put(&mut bytes));
    bytes
}

impl Head {
    /// `None` for a number that is no mechanism's.
    pub fn mode(&self) -> Option<Mode> {
        Mode::ALL.get(usize::from(self.mode) % (Mode::ALL.len() + 1)).copied()
    }

    /// The key.
    pub fn key(&self) -> Vec<u8> {
        let len = match self.key_len {
            n @ 0..3 => 16 + 8 * usize::from(n),
            n => usize::from(n),
        };
        let mut key = [self.key.to_le_bytes(), self.key_high.to_le_bytes()].concat();
        key.resize(len, 0x5c);
        key
    }

    /// The IV, AAD and text.
    pub fn draw(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut random = Stream::new(self.seed);
        let mut iv = self.iv.to_le_bytes().to_vec();
        iv.extend(random.draw(usize::from(self.iv_len).saturating_sub(16)));
        iv.truncate(self.iv_len.into());
        let draw = |len: u16, random: &mut Stream| random.draw((len % LONGEST).into());
        let aad = draw(self.aad_len, &mut random);
        (iv, aad, draw(self.len, &mut random))
    }
}

impl Call {
    /// Where the table is in a call's bytes.
    const TABLE: usize = 1;

    /// Bytes that the call takes of a message with `left` bytes left. It may be more than there are.
    pub fn take(&self, left: usize) -> usize {
        if self.len == REST { left } else { (self.len % LONGEST).into() }
    }

    /// Room for output, given a number of bytes that is likely to be needed: about that many, or any
    /// number.
    pub fn room(&self, likely: usize) -> usize {
        match usize::from(self.room) {
            0 => likely + 40,
            n @ 1..64 => (likely + 20).saturating_sub(n),
            n => n - 64,
        }
    }

    /// Flips a bit of `bytes`, or none.
    pub fn forge(&self, bytes: &mut [u8]) {
        let bits = bytes.len() * 8;
        if self.forge != 0 && bits > 0 {
            let bit = usize::from(self.forge) % bits;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
