// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts that are cut anywhere, each piece with no accessible byte next to it; and parts of such texts that
//! end anywhere, each in another table than the part before.

use core::ptr::null;

use kcfaes_kernels::{Block, BlockMode, Piece, Schedule, Tag};

use crate::KEY_SIZES;
use crate::ccm::cbc_mac;
use crate::memory::{At, Guarded};
use crate::reference::{self, Bytes, Cipher};
use crate::table::{BEFORE, Part, Pieces, Table, advanced, counter, tables, unmultiply};

/// The largest number of pieces of a text.
const PIECES: usize = 9;

/// Bytes of the longest text.
const LONGEST: usize = 12_000;

/// Memory for each piece.
struct Memory {
    src: [Guarded; PIECES],
    dst: [Guarded; PIECES],
}

struct Subject {
    schedule: Schedule,
    h: Block,
    start: Block,
    hash: Block,
    j0: Block,
    plain: Vec<u8>,
    cipher: Vec<u8>,
    cbc: Vec<u8>,
    ecb: Vec<u8>,
    key: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    GcmEncrypt,
    GcmDecrypt,
    In(BlockMode),
}

use BlockMode::{
    CbcDecrypt, CbcEncrypt, CbcMac, CcmDecrypt, CcmEncrypt, Ctr, EcbDecrypt, EcbEncrypt,
};
use What::{GcmDecrypt, GcmEncrypt, In};

const ALL: [What; 10] = [
    GcmEncrypt,
    GcmDecrypt,
    In(EcbEncrypt),
    In(EcbDecrypt),
    In(CbcEncrypt),
    In(CbcDecrypt),
    In(Ctr),
    In(CcmEncrypt),
    In(CcmDecrypt),
    In(CbcMac),
];

impl What {
    /// Whether a text must have full blocks only.
    fn whole_blocks(self) -> bool {
        matches!(self, In(EcbEncrypt | EcbDecrypt | CbcEncrypt | CbcDecrypt))
    }

    /// The entry point of a mode. All tables take the serial ones from `aesni`.
    fn entry(mode: BlockMode, table: &Table) -> Pieces {
        match mode {
            CbcEncrypt | CcmEncrypt | CcmDecrypt | CbcMac => tables()[0].pieces,
            _ => table.pieces,
        }
    }
}

impl Subject {
    fn new(bytes: &mut Bytes, key_size: usize) -> Self {
        let key = bytes.take(key_size);
        let (mut start, hash, j0) = (bytes.block(), bytes.block(), bytes.block());
        let plain = bytes.take(LONGEST);
        // One text in four has a counter that wraps within it.
        if key[0].is_multiple_of(4) {
            start.0[12..15].fill(0xff);
        }
        let cipher = reference::ctr32(&key, &start, &plain);
        let cbc = reference::cbc_encrypt(&key, &start, &plain);
        let by_block = Cipher::new(&key);
        let (h, ecb) = (by_block.encrypt(&Block::default()), by_block.ecb(&plain, true));
        let schedule = tables()[0].schedule(&key);
        Self { schedule, h, start, hash, j0, plain, cipher, cbc, ecb, key }
    }

    /// Transforms the first bytes, in pieces of these lengths and in parts of these numbers of bytes, each
    /// part with its own table. Where a text must have full blocks only, the lengths do.
    fn check(
        &self,
        memory: &mut Memory,
        what: What,
        in_place: bool,
        lengths: &[usize],
        parts: &[(usize, &Table)],
    ) {
        let case = || {
            let tables: Vec<_> = parts.iter().map(|(n, table)| (n, table.name)).collect();
            format!("{lengths:?}, {what:?}, in place: {in_place}, {tables:?}")
        };
        let untouched = vec![0x11; LONGEST];
        let (from, to) = match what {
            GcmEncrypt | In(Ctr | CcmEncrypt) => (&self.plain, &self.cipher),
            GcmDecrypt | In(CcmDecrypt) => (&self.cipher, &self.plain),
            In(CbcEncrypt) => (&self.plain, &self.cbc),
            In(CbcDecrypt) => (&self.cbc, &self.plain),
            In(EcbEncrypt) => (&self.plain, &self.ecb),
            In(EcbDecrypt) => (&self.ecb, &self.plain),
            // Nothing is written.
            In(CbcMac) if in_place => (&self.plain, &self.plain),
            In(CbcMac) => (&self.plain, &untouched),
        };
        // 1. Lay out the pieces, each at one guard page or the other.
        let at = |i: usize| if (i + lengths[i]).is_multiple_of(2) { At::Start } else { At::End };
        let mut pieces = Vec::new();
        let mut len = 0;
        for (i, &n) in lengths.iter().enumerate() {
            let text = &from[len..len + n];
            let src = memory.src[i].put(at(i), text);
            let dst = if in_place { src } else { memory.dst[i].put(at(i), &vec![0x11; n]) };
            pieces.push(Piece { src, dst, len: n });
            len += n;
        }
        // 2. Transform part by part.
        let (mut state, mut y) = (self.start, self.hash);
        // The last part of a GCM message makes the tag, in every second case.
        let tagged = (len + lengths.len()).is_multiple_of(2);
        let tag = Tag { j0: &self.j0, aad_len: 77, text_len: len as u64 };
        let mut rest = pieces.as_mut_slice();
        for (i, &(n, table)) in parts.iter().enumerate() {
            // The last of these pieces may go on after the part.
            let text = rest.as_ptr();
            let (s, powers) = (&self.schedule, table.powers(&self.schedule));
            // The beginning of a message has the counter block before, and no last multiplication.
            let begins = n > 0 && (n + i).is_multiple_of(3);
            let ends = i + 1 == parts.len() && tagged;
            let mut gcm = |part: Part, y: &mut Block| {
                let mut first = state;
                if begins {
                    unmultiply(&self.h, y);
                    first = advanced(&state, BEFORE);
                }
                let mut ctr = counter(&first, n);
                let tag = if ends { &raw const tag } else { null() };
                unsafe { part(s, &powers, &mut ctr, y, text, n, begins, tag) };
                let next = advanced(&state, n);
                assert_eq!(ctr.block, if ends { first } else { next }, "{}", case());
                state = next;
            };
            match what {
                GcmEncrypt => gcm(table.gcm_encrypt, &mut y),
                GcmDecrypt => gcm(table.gcm_decrypt, &mut y),
                In(mode) => unsafe {
                    What::entry(mode, table)(mode, s, &mut state, &mut y, text, n);
                },
            }
            let mut done = n;
            while done > 0 {
                let n = done.min(rest[0].len);
                let piece = &mut rest[0];
                piece.src = piece.src.wrapping_add(n);
                piece.dst = piece.dst.wrapping_add(n);
                piece.len -= n;
                done -= n;
                if piece.len == 0 {
                    rest = &mut rest[1..];
                }
            }
        }
        assert_eq!(len, parts.iter().map(|(n, _)| n).sum::<usize>());
        // 3. Compare the output, and if it is apart, the input.
        let mut end = 0;
        for (i, &n) in lengths.iter().enumerate() {
            let (source, want) = (&from[end..end + n], &to[end..end + n]);
            end += n;
            let kept = if in_place { want } else { source };
            assert!(memory.src[i].text(at(i), n) == kept, "piece {i} of {}", case());
            let out = if in_place { &mut memory.src[i] } else { &mut memory.dst[i] };
            assert!(out.text(at(i), n) == want, "piece {i} of {}", case());
        }
        // 4. Compare the state.
        let (counter, text) = (advanced(&self.start, len), &self.plain[..len]);
        let end = match what {
            GcmEncrypt | GcmDecrypt => {
                let mut hash = reference::ghash(&self.h, &self.hash, &self.cipher[..len]);
                if tagged {
                    hash = reference::ghash(&self.h, &hash, &reference::lengths(77, len).0);
                    let sealed = reference::ctr32(&self.key, tag.j0, &hash.0);
                    hash = Block(sealed.try_into().expect("16 bytes"));
                }
                (counter, hash)
            }
            In(Ctr) => (counter, self.hash),
            In(CcmEncrypt | CcmDecrypt) => (counter, cbc_mac(&self.key, &self.hash, text)),
            In(CbcEncrypt | CbcDecrypt) => {
                let last = self.cbc[..len].last_chunk();
                (last.map_or(self.start, |&last| Block(last)), self.hash)
            }
            In(CbcMac) => (self.start, cbc_mac(&self.key, &self.hash, text)),
            In(EcbEncrypt | EcbDecrypt) => (self.start, self.hash),
        };
        assert_eq!((state, y), end, "{}", case());
    }
}

/// Makes the lengths add up to whole blocks.
fn whole_blocks(lengths: &mut [usize]) {
    let over = lengths.iter().sum::<usize>() % 16;
    if let Some(last) = lengths.last_mut() {
        *last += (16 - over) % 16;
    }
}

fn memory() -> Memory {
    Memory {
        src: core::array::from_fn(|_| Guarded::new()),
        dst: core::array::from_fn(|_| Guarded::new()),
    }
}

/// Every first cut, and every length between it and a second cut.
#[test]
fn two_cuts_anywhere() {
    let mut memory = memory();
    let subject = Subject::new(&mut Bytes(81), 16);
    for table in tables() {
        for first in 0..=70 {
            for second in (0..=35).chain([
                63, 64, 65, 127, 128, 319, 320, 321, 384, 511, 512, 513, 767, 768, 831, 832,
            ]) {
                let mut lengths = [first, second, (first * 7 + second * 13) % 150];
                for what in ALL {
                    if what.whole_blocks() {
                        whole_blocks(&mut lengths);
                    }
                    let in_place = (first + second) % 2 == 0;
                    let parts = [(lengths.iter().sum(), table)];
                    subject.check(&mut memory, what, in_place, &lengths, &parts);
                }
            }
        }
    }
}

/// Pieces of a few bytes, of some blocks, of some turns.
#[test]
fn many_cuts() {
    let mut memory = memory();
    let mut bytes = Bytes(82);
    for round in 0..900 {
        let subject = Subject::new(&mut bytes, KEY_SIZES[round % 3]);
        let mut below = |n: usize| (bytes.next() >> 33) as usize % n;
        let count = 1 + below(PIECES);
        let mut lengths: Vec<usize> = (0..count)
            .map(|_| {
                let most = [3, 20, 100, 300, LONGEST / PIECES - 16][below(5)];
                below(most)
            })
            .collect();
        let (what, in_place) = (ALL[below(ALL.len())], below(2) == 0);
        if what.whole_blocks() {
            whole_blocks(&mut lengths);
        }
        let len = lengths.iter().sum();
        for table in tables() {
            subject.check(&mut memory, what, in_place, &lengths, &[(len, table)]);
        }
        // In parts of full blocks, each of which ends within any of the pieces.
        let (mut parts, mut left) = (Vec::new(), len);
        while left > 0 {
            let n = left.min(16 * (1 + below(60)));
            parts.push((n, &tables()[below(tables().len())]));
            left -= n;
        }
        subject.check(&mut memory, what, in_place, &lengths, &parts);
    }
}
