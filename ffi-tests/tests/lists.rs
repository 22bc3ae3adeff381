// SPDX-License-Identifier: MIT OR Apache-2.0
//! Data lists, good and bad, raw, uio and mblk, on both sides. What is refused is refused before a byte is
//! written, what is legal gives the right answer, and no list walk is endless.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use std::collections::HashMap;

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format, below};
use kcfaes_ffi_tests::consumer::{Message, Out, Way};
use kcfaes_ffi_tests::kernel::{
    self, CallReq, Ledger, fk_kmem_fail_all, fk_kmem_sizes, fk_kmem_sizes_clear,
};
use kcfaes_ffi_tests::sample::{Place, Sample};
use kcfaes_provider::data::{Data, Io, MAX_COMPARED_PIECES, MAX_EMPTY_PIECES, MAX_PIECES, Overlap};
use kcfaes_provider::kcf::{
    CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE, CRYPTO_DATA_MBLK,
    CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, CRYPTO_ENCRYPTED_DATA_LEN_RANGE, CRYPTO_GENERAL_ERROR,
    CRYPTO_HOST_MEMORY, CRYPTO_INVALID_MAC, CRYPTO_SUCCESS, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, iovec_t, mblk_t, uio_t,
};
use kcfaes_vectors::{Mode, Stream};

/// The calls that walk a list: atomic, single on a context, update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Atomic,
    Single,
    Update,
}

const ENTRIES: [Entry; 3] = [Entry::Atomic, Entry::Single, Entry::Update];

fn begin(sample: &Sample) -> Message {
    sample.request().init(sample.way, None).expect("init")
}

impl Entry {
    fn call<'a>(self, sample: &Sample, src: &mut crypto_data_t, out: impl Into<Out<'a>>) -> c_int {
        if self == Self::Atomic {
            return sample.request().atomic(sample.way, None, src, out);
        }
        let mut message = begin(sample);
        match self {
            Self::Single => {
                let rv = message.single(src, out);
                if rv == CRYPTO_BUFFER_TOO_SMALL {
                    message.cancel();
                }
                rv
            }
            _ => {
                let rv = message.update(src, out);
                message.cancel();
                rv
            }
        }
    }

    /// The least number of bytes that the call writes. An AEAD's update may write fewer than the message
    /// has.
    fn writes(self, sample: &Sample) -> usize {
        match (self, sample.mode, sample.way) {
            (Self::Update, Mode::Gmac | Mode::Cmac, _) => 0,
            (Self::Update, Mode::Gcm | Mode::Ccm, Way::Encrypt) => sample.input.len() & !15,
            // With less room GCM would buffer and write nothing. CCM always does.
            (Self::Update, Mode::Gcm | Mode::Ccm, _) => 0,
            _ => sample.output.len(),
        }
    }
}

/// Damages a list. Has the code for an input and for an output.
struct Damage {
    name: &'static str,
    formats: &'static [Format],
    damage: fn(&mut Buffer, &mut crypto_data_t),
    input: fn(Format) -> c_int,
    output: fn(Format) -> c_int,
}

const LISTS: &[Format] = &[Format::Uio, Format::Mblk];

fn bad(_: Format) -> c_int {
    CRYPTO_ARGUMENTS_BAD
}

fn ends_early(format: Format) -> c_int {
    if format == Format::Raw { CRYPTO_ARGUMENTS_BAD } else { CRYPTO_DATA_LEN_RANGE }
}

fn too_small(_: Format) -> c_int {
    CRYPTO_BUFFER_TOO_SMALL
}

const DAMAGES: &[Damage] = &[
    Damage {
        name: "unknown format",
        formats: &Format::ALL,
        damage: |_, data| data.cd_format = 0,
        input: bad,
        output: bad,
    },
    Damage {
        name: "unknown format, large",
        formats: &Format::ALL,
        damage: |_, data| data.cd_format = 4,
        input: bad,
        output: bad,
    },
    Damage {
        name: "negative offset",
        formats: &Format::ALL,
        damage: |_, data| data.cd_offset = -1,
        input: bad,
        output: bad,
    },
    Damage {
        name: "most negative offset",
        formats: &Format::ALL,
        damage: |_, data| data.cd_offset = i64::MIN,
        input: bad,
        output: bad,
    },
    Damage {
        name: "offset past the end",
        formats: &Format::ALL,
        damage: |_, data| data.cd_offset = 100_000,
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "largest offset",
        formats: &Format::ALL,
        damage: |_, data| data.cd_offset = i64::MAX,
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "offset by one too far",
        formats: &Format::ALL,
        damage: |_, data| data.cd_offset += 1,
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "user space",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_segflg = UIO_SYSSPACE - 1,
        input: bad,
        output: bad,
    },
    Damage {
        name: "user instruction space",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_segflg = 2,
        input: bad,
        output: bad,
    },
    Damage {
        name: "no iovecs",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_iovcnt = 0,
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "negative iovcnt",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_iovcnt = -1,
        input: bad,
        output: bad,
    },
    Damage {
        name: "most negative iovcnt",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_iovcnt = i32::MIN,
        input: bad,
        output: bad,
    },
    Damage {
        name: "one iovec less",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_iovcnt -= 1,
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "no array of iovecs",
        formats: &[Format::Uio],
        damage: |list, _| list.uio().uio_iov = core::ptr::null_mut(),
        input: bad,
        output: bad,
    },
    Damage {
        name: "piece at NULL",
        formats: &[Format::Uio],
        damage: |list, _| list.iov()[1].iov_base = core::ptr::null_mut(),
        input: bad,
        output: bad,
    },
    Damage {
        name: "piece past the end of the address space",
        formats: &[Format::Uio],
        damage: |list, _| {
            list.iov()[1].iov_base = core::ptr::without_provenance_mut(usize::MAX - 3)
        },
        input: bad,
        output: bad,
    },
    Damage {
        name: "raw past the end of the address space",
        formats: &[Format::Raw],
        damage: |_, data| {
            data.cdu.cdu_raw.iov_base = core::ptr::without_provenance_mut(usize::MAX - 3);
        },
        input: bad,
        output: bad,
    },
    Damage {
        name: "negative iov_len",
        formats: &[Format::Uio],
        damage: |list, _| list.iov()[1].iov_len = usize::MAX - 7,
        input: bad,
        output: bad,
    },
    Damage {
        name: "no uio",
        formats: &[Format::Uio],
        damage: |_, data| data.cdu.cdu_uio = core::ptr::null_mut(),
        input: bad,
        output: bad,
    },
    Damage {
        name: "no chain",
        formats: &[Format::Mblk],
        damage: |_, data| data.cdu.cdu_mp = core::ptr::null_mut(),
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "chain cut short",
        formats: &[Format::Mblk],
        damage: |list, _| list.mblk()[0].b_cont = core::ptr::null_mut(),
        input: ends_early,
        output: too_small,
    },
    Damage {
        name: "b_rptr behind b_wptr",
        formats: &[Format::Mblk],
        damage: |list, _| list.mblk()[1].b_rptr = list.mblk()[1].b_wptr.wrapping_add(1),
        input: bad,
        output: bad,
    },
    Damage {
        name: "b_rptr NULL",
        formats: &[Format::Mblk],
        damage: |list, _| list.mblk()[1].b_rptr = core::ptr::null_mut(),
        input: bad,
        output: bad,
    },
    Damage {
        name: "looped chain of empty blocks",
        formats: &[Format::Mblk],
        damage: |list, _| {
            let first = &raw mut list.mblk()[0];
            for block in list.mblk() {
                block.b_wptr = block.b_rptr;
                block.b_cont = first;
            }
        },
        input: bad,
        output: bad,
    },
    Damage {
        name: "chain whose end loops over empty blocks",
        formats: &[Format::Mblk],
        damage: |list, _| {
            let last = list.mblk().len() - 1;
            let at = &raw mut list.mblk()[last];
            list.mblk()[last].b_wptr = list.mblk()[last].b_rptr;
            list.mblk()[last].b_cont = at;
        },
        input: bad,
        output: bad,
    },
    Damage {
        name: "raw at NULL",
        formats: &[Format::Raw],
        damage: |_, data| {
            data.cdu.cdu_raw.iov_base = core::ptr::null_mut();
        },
        input: bad,
        output: bad,
    },
    Damage {
        name: "raw one byte short",
        formats: &[Format::Raw],
        // SAFETY: the data is raw.
        damage: |_, data| unsafe { data.cdu.cdu_raw.iov_len -= 1 },
        input: bad,
        output: too_small,
    },
];

/// Three pieces with exactly `len` bytes.
fn thirds(len: usize) -> [usize; 3] {
    [len / 3, len / 3, len - 2 * (len / 3)]
}

#[test]
fn damaged_input_is_refused() {
    let ledger = Ledger::begin();
    for sample in Sample::all(61) {
        for damage in DAMAGES {
            for &format in damage.formats {
                for entry in ENTRIES {
                    let name = format!("{} {entry:?} {format:?}: {}", sample.name(), damage.name);
                    let len = sample.input.len();
                    let room = sample.output.len();
                    let mut input = Buffer::new(format, &sample.input, &thirds(len));
                    let mut output = Buffer::room(Format::Raw, room, &[]);
                    let (mut src, mut dst) = (input.data(0, len), output.data(0, room));
                    (damage.damage)(&mut input, &mut src);
                    let before = (src.cd_offset, dst.cd_offset);
                    let rv = entry.call(&sample, &mut src, Some(&mut dst));
                    assert_eq!(rv, (damage.input)(format), "{name}");
                    assert_eq!((src.cd_length, dst.cd_length), (len, room), "{name}");
                    assert_eq!((src.cd_offset, dst.cd_offset), before, "{name}");
                    assert_eq!(output.bytes(), vec![FILL; room], "{name}");
                    assert_eq!(input.bytes(), sample.input, "{name}");
                }
            }
        }
    }
    ledger.settle();
}

#[test]
fn damaged_output_is_refused() {
    let ledger = Ledger::begin();
    for sample in Sample::all(61) {
        for damage in DAMAGES {
            for &format in damage.formats {
                for entry in ENTRIES {
                    let name = format!("{} {entry:?} {format:?}: {}", sample.name(), damage.name);
                    let len = sample.input.len();
                    let needed = entry.writes(&sample);
                    if needed == 0 {
                        continue;
                    }
                    let mut input = Buffer::new(Format::Uio, &sample.input, &thirds(len));
                    let mut output = Buffer::room(format, needed, &thirds(needed));
                    let (mut src, mut dst) = (input.data(0, len), output.data(0, needed));
                    (damage.damage)(&mut output, &mut dst);
                    // What cd_length claims does not count, but an update of CTR reads all of it.
                    dst.cd_length += 40;
                    let before = (src.cd_offset, dst.cd_offset);
                    let rv = entry.call(&sample, &mut src, Some(&mut dst));
                    let want = (damage.output)(format);
                    assert_eq!(rv, want, "{name}");
                    let said = if want == CRYPTO_BUFFER_TOO_SMALL { needed } else { needed + 40 };
                    assert_eq!((src.cd_length, dst.cd_length), (len, said), "{name}");
                    assert_eq!((src.cd_offset, dst.cd_offset), before, "{name}");
                    assert_eq!(output.bytes(), vec![FILL; needed], "{name}");
                    assert_eq!(input.bytes(), sample.input, "{name}");
                }
            }
        }
    }
    ledger.settle();
}

/// In place the same list is both, however the caller says so. A damage is found before a byte is
/// transformed.
#[test]
fn damaged_list_in_place_is_refused() {
    let ledger = Ledger::begin();
    for sample in Sample::all(61) {
        let len = sample.input.len();
        for (damage, entry) in DAMAGES.iter().flat_map(|damage| ENTRIES.map(|e| (damage, e))) {
            // A whole message that grows has no room here.
            if entry != Entry::Update && sample.output.len() > len {
                continue;
            }
            for (&format, place) in damage
                .formats
                .iter()
                .flat_map(|f| [Place::Null, Place::Same, Place::Twin].map(|place| (f, place)))
            {
                let name =
                    format!("{} {entry:?} {place:?} {format:?}: {}", sample.name(), damage.name);
                let mut buffer = Buffer::new(format, &sample.input, &thirds(len));
                let mut src = buffer.data(0, len);
                (damage.damage)(&mut buffer, &mut src);
                let mut twin = src;
                let out = match place {
                    Place::Null => Out::Null,
                    Place::Same => Out::Same,
                    _ => Out::Other(&mut twin),
                };
                let rv = entry.call(&sample, &mut src, out);
                assert_eq!(rv, (damage.input)(format), "{name}");
                assert_eq!((src.cd_length, twin.cd_length), (len, len), "{name}");
                assert_eq!(buffer.bytes(), sample.input, "{name}");
            }
        }
    }
    ledger.settle();
}

/// An output to which a call writes nothing may be anything. A GCM decryption in parts takes it for an
/// output that cannot be streamed to.
#[test]
fn output_that_gets_nothing_is_not_looked_at() {
    let ledger = Ledger::begin();
    let mut calls = 0;
    for sample in Sample::all(61) {
        let whole = ENTRIES.into_iter().filter(|entry| entry.writes(&sample) == 0);
        let mut given: Vec<_> = whole.map(|entry| (entry, sample.input.len())).collect();
        // Less than a block produces no output.
        if sample.mode != Mode::Ctr {
            given.push((Entry::Update, 5));
        }
        for ((entry, len), damage) in
            given.iter().flat_map(|&call| DAMAGES.iter().map(move |damage| (call, damage)))
        {
            for &format in damage.formats {
                let name = format!("{} {entry:?} {format:?}: {}", sample.name(), damage.name);
                let room = sample.output.len().max(16);
                let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
                let mut output = Buffer::room(format, room, &thirds(room));
                let mut dst = output.data(0, room);
                (damage.damage)(&mut output, &mut dst);
                let rv = entry.call(&sample, &mut input.data(0, len), Some(&mut dst));
                // The MAC group's update has no output argument.
                let unsaid = sample.way == Way::Mac;
                let said = if unsaid { room } else { 0 };
                assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, said), "{name}");
                assert_eq!(output.bytes(), vec![FILL; room], "{name}");
                calls += 1;
            }
        }
    }
    assert!(calls > 400, "{calls}");
    ledger.settle();
}

/// A later part that is refused, for a fault in either of its lists, changes nothing. The message goes on
/// and comes out right.
#[test]
fn damaged_part_changes_nothing() {
    const FIRST: usize = 21;
    let ledger = Ledger::begin();
    for sample in Sample::all(80) {
        let (rest, room) = (sample.input.len() - FIRST, sample.output.len());
        let mut output = Buffer::room(Format::Raw, room, &[]);
        let mut message = begin(&sample);
        let mut first = Buffer::new(Format::Raw, &sample.input[..FIRST], &[]);
        let mut dst = output.data(0, room);
        assert_eq!(message.update(&mut first.data(0, FIRST), Some(&mut dst)), CRYPTO_SUCCESS);
        let given = if sample.way == Way::Mac { 0 } else { dst.cd_length };
        let writes = match (sample.mode, sample.way) {
            (Mode::Gmac | Mode::Cmac, _) | (Mode::Ccm, Way::Decrypt) => 0,
            (Mode::Ctr, _) => rest,
            _ => 80 - given,
        };
        for damage in DAMAGES {
            for &format in damage.formats {
                let name = format!("{} {format:?}: {}", sample.name(), damage.name);
                let left = output.bytes();
                let mut input = Buffer::new(format, &sample.input[FIRST..], &thirds(rest));
                let (mut src, mut dst) = (input.data(0, rest), output.data(given, room - given));
                (damage.damage)(&mut input, &mut src);
                let rv = message.update(&mut src, Some(&mut dst));
                assert_eq!(rv, (damage.input)(format), "{name}");
                assert_eq!((src.cd_length, dst.cd_length), (rest, room - given), "{name}");
                assert_eq!(output.bytes(), left, "{name}");
                if writes == 0 {
                    continue;
                }
                let mut input = Buffer::new(Format::Uio, &sample.input[FIRST..], &thirds(rest));
                let mut damaged = Buffer::room(format, writes, &thirds(writes));
                let (mut src, mut dst) = (input.data(0, rest), damaged.data(0, writes));
                (damage.damage)(&mut damaged, &mut dst);
                dst.cd_length += 40;
                let want = (damage.output)(format);
                let said = if want == CRYPTO_BUFFER_TOO_SMALL { writes } else { writes + 40 };
                let rv = message.update(&mut src, Some(&mut dst));
                assert_eq!((rv, dst.cd_length), (want, said), "{name}");
                assert_eq!(damaged.bytes(), vec![FILL; writes], "{name}");
                assert_eq!(input.bytes(), sample.input[FIRST..], "{name}");
            }
        }
        let mut second = Buffer::new(Format::Mblk, &sample.input[FIRST..], &thirds(rest));
        let mut dst = output.data(given, room - given);
        assert_eq!(message.update(&mut second.data(0, rest), Some(&mut dst)), CRYPTO_SUCCESS);
        let given = given + if sample.way == Way::Mac { 0 } else { dst.cd_length };
        let mut dst = output.data(given, room - given);
        assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS, "{}", sample.name());
        assert_eq!(output.bytes(), sample.output, "{}", sample.name());
    }
    ledger.settle();
}

/// If final has something to write, it is refused before it writes any of it. If the list was too short,
/// final can be called again.
#[test]
fn damaged_output_of_final_is_refused() {
    let ledger = Ledger::begin();
    let mut calls = 0;
    for (sample, streams) in Sample::all(61).into_iter().flat_map(|sample| {
        let may_stream = sample.mode == Mode::Gcm && sample.way == Way::Decrypt;
        [(sample.clone(), false), (sample, true)].into_iter().take(1 + usize::from(may_stream))
    }) {
        let absorbs = sample.way == Way::Mac || sample.verifies() && !streams;
        let len = sample.input.len();
        let ended = || {
            let mut message = begin(&sample);
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut room = Buffer::room(Format::Raw, len, &[]);
            let mut dst = room.data(0, len);
            let out = if absorbs { Out::Null } else { Out::Other(&mut dst) };
            assert_eq!(message.update(&mut input.data(0, len), out), CRYPTO_SUCCESS);
            (message, if absorbs { 0 } else { dst.cd_length })
        };
        let (message, given) = ended();
        message.cancel();
        let want = &sample.output[given..];
        if want.is_empty() {
            continue;
        }
        for damage in DAMAGES {
            for &format in damage.formats {
                let name = format!("{} {format:?}: {}", sample.name(), damage.name);
                let n = want.len();
                let mut output = Buffer::room(format, n, &thirds(n));
                let mut dst = output.data(0, n);
                (damage.damage)(&mut output, &mut dst);
                dst.cd_length += 40;
                let offset = dst.cd_offset;
                let (mut message, _) = ended();
                let rv = message.finish(Some(&mut dst));
                let refusal = (damage.output)(format);
                let said = if refusal == CRYPTO_BUFFER_TOO_SMALL { n } else { n + 40 };
                assert_eq!((rv, dst.cd_length, dst.cd_offset), (refusal, said, offset), "{name}");
                assert_eq!(output.bytes(), vec![FILL; n], "{name}");
                if refusal == CRYPTO_BUFFER_TOO_SMALL {
                    let mut output = Buffer::room(Format::Uio, n, &thirds(n));
                    let mut dst = output.data(0, n);
                    assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS, "{name}");
                    assert_eq!((dst.cd_length, output.bytes()), (n, want.to_vec()), "{name}");
                }
                calls += 1;
            }
        }
    }
    assert!(calls > 200, "{calls}");
    ledger.settle();
}

/// The walk over a list ends where the window does. Pieces after it may have any length, so that no sum of
/// lengths can be right, or may not exist at all.
#[test]
fn what_lies_behind_the_window_is_not_looked_at() {
    let ledger = Ledger::begin();
    let nowhere = core::ptr::without_provenance_mut::<u8>(16);
    for sample in Sample::all(61) {
        for (entry, format) in ENTRIES.into_iter().flat_map(|e| LISTS.iter().map(move |f| (e, *f)))
        {
            let name = format!("{} {entry:?} {format:?}", sample.name());
            let (len, room) = (sample.input.len(), sample.output.len());
            let list = |bytes: &[u8]| {
                let n = bytes.len();
                let mut list = Buffer::new(format, bytes, &[n / 2, n - n / 2, 0, 0, 0]);
                for iov in &mut list.iov()[2..] {
                    (iov.iov_base, iov.iov_len) = (nowhere.cast(), isize::MAX as usize);
                }
                list.mblk()[1].b_cont = nowhere.cast();
                list
            };
            let (mut input, mut output) = (list(&sample.input), list(&vec![FILL; room]));
            let (mut src, mut dst) = (input.data(0, len), output.data(0, room));
            let rv = entry.call(&sample, &mut src, Some(&mut dst));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            if entry != Entry::Update {
                assert_eq!(output.bytes(), sample.output, "{name}");
            }
        }
    }
    // Before the window a piece is as long as it says, even if this and an offset are the largest numbers.
    let sample = Sample::new(Mode::Ctr, Way::Encrypt, 48);
    let mut input = Buffer::new(Format::Uio, &sample.input, &[0, 48]);
    let mut output = Buffer::room(Format::Uio, 48, &[0, 48]);
    for list in [&mut input, &mut output] {
        (list.iov()[0].iov_base, list.iov()[0].iov_len) = (nowhere.cast(), isize::MAX as usize);
    }
    let (mut src, mut dst) = (input.data(0, 48), output.data(0, 48));
    (src.cd_offset, dst.cd_offset) = (i64::MAX, i64::MAX);
    let rv = Entry::Atomic.call(&sample, &mut src, Some(&mut dst));
    assert_eq!((rv, output.bytes()), (CRYPTO_SUCCESS, sample.output));
    ledger.settle();
}

/// The `cd_length` of an output may exceed its list. What is written must fit.
#[test]
fn room_is_what_is_written() {
    let ledger = Ledger::begin();
    for sample in Sample::all(61) {
        for (entry, format) in ENTRIES.into_iter().flat_map(|e| Format::ALL.map(|f| (e, f))) {
            let name = format!("{} {entry:?} {format:?}", sample.name());
            // The first part of a GCM decryption streams if there is room for the text.
            let streams =
                (entry, sample.mode, sample.way) == (Entry::Update, Mode::Gcm, Way::Decrypt);
            let written = if streams { 48 } else { entry.writes(&sample) };
            let room = if streams { sample.len } else { written };
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(format, room, &thirds(room));
            let mut dst = output.data(0, room + 1000);
            let rv = entry.call(&sample, &mut input.data(0, sample.input.len()), Some(&mut dst));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            let unsaid = match entry {
                Entry::Single => sample.mode.is_mac() && !sample.verifies(),
                _ => entry == Entry::Update && sample.way == Way::Mac,
            };
            assert_eq!(dst.cd_length, if unsaid { room + 1000 } else { written }, "{name}");
            assert_eq!(output.bytes()[..written], sample.output[..written], "{name}");
            assert_eq!(output.bytes()[written..], vec![FILL; room - written], "{name}");
        }
    }
    ledger.settle();
}

/// cd_offset + cd_length beyond the address space.
#[test]
fn offset_and_length_overflow() {
    let ledger = Ledger::begin();
    for format in Format::ALL {
        for (offset, length) in
            [(1, usize::MAX), (i64::MAX, usize::MAX - 15), (16, usize::MAX - 15)]
        {
            // CTR takes any length, ECB multiples of 16. GCM checks its own limit first.
            let sample = Sample::new(Mode::Ctr, Way::Encrypt, 48);
            let mut input = Buffer::new(format, &sample.input, &[48]);
            let mut output = Buffer::room(Format::Raw, 48, &[]);
            let (mut src, mut dst) = (input.data(0, length), output.data(0, usize::MAX));
            src.cd_offset = offset;
            let rv = Entry::Atomic.call(&sample, &mut src, Some(&mut dst));
            assert_eq!(rv, CRYPTO_ARGUMENTS_BAD, "{format:?} {offset}");
            assert_eq!((src.cd_length, dst.cd_length), (length, usize::MAX));
            assert_eq!(output.bytes(), [FILL; 48]);

            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(format, 48, &[48]);
            let mut dst = output.data(0, usize::MAX);
            dst.cd_offset = i64::MAX;
            let rv = Entry::Atomic.call(&sample, &mut input.data(0, 48), Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_BUFFER_TOO_SMALL, 48), "{format:?}");
            assert_eq!(output.bytes(), [FILL; 48]);
        }
    }
    ledger.settle();
}

/// A message without bytes. Inside the list it is legal everywhere. At the exact end uio is legal (as in
/// the newest reference) and mblk is not (as in every reference). Raw is legal while the offset is inside.
#[test]
fn length_zero_at_and_past_the_end() {
    let ledger = Ledger::begin();
    let cases: [(Format, usize, c_int); 10] = [
        (Format::Raw, 0, CRYPTO_SUCCESS),
        (Format::Raw, 48, CRYPTO_SUCCESS),
        (Format::Raw, 49, CRYPTO_ARGUMENTS_BAD),
        (Format::Uio, 0, CRYPTO_SUCCESS),
        (Format::Uio, 48, CRYPTO_SUCCESS),
        (Format::Uio, 1000, CRYPTO_SUCCESS),
        (Format::Mblk, 0, CRYPTO_SUCCESS),
        (Format::Mblk, 47, CRYPTO_SUCCESS),
        (Format::Mblk, 48, CRYPTO_DATA_LEN_RANGE),
        (Format::Mblk, 1000, CRYPTO_DATA_LEN_RANGE),
    ];
    for (format, offset, want) in cases {
        for sample in Sample::all(0) {
            let tag = if sample.verifies() { 16 } else { 0 };
            for entry in ENTRIES {
                // A decryption's tag makes the message not empty.
                if tag > 0 && entry != Entry::Update {
                    continue;
                }
                let mut input = Buffer::new(format, &[FILL; 48], &[16, 0, 32]);
                let mut output = Buffer::room(Format::Uio, 16, &[7, 9]);
                let mut src = input.data(offset, 0);
                let rv = entry.call(&sample, &mut src, Some(&mut output.data(0, 16)));
                let name = sample.name();
                assert_eq!(rv, want, "{name} {entry:?} {format:?} at {offset}");
                assert_eq!((src.cd_length, src.cd_offset), (0, offset as i64));
            }
        }
    }
    ledger.settle();
}

/// Empty pieces anywhere, one of them at NULL, up to the bound. One more counts as a chain that loops.
#[test]
fn empty_pieces() {
    let ledger = Ledger::begin();
    for format in [Format::Uio, Format::Mblk] {
        for sample in Sample::all(40) {
            let len = sample.input.len();
            let mut lengths = vec![0, 0];
            for n in [1, 15, 0, 3, len - 19, 0, 0] {
                lengths.extend([n, 0]);
            }
            let mut input = Buffer::new(format, &sample.input, &lengths);
            let room = sample.output.len();
            let mut output = Buffer::room(format, room, &[0, room / 2, 0, 0, room - room / 2, 0]);
            input.iov()[0].iov_base = core::ptr::null_mut();
            let mut dst = output.data(0, room);
            let rv = Entry::Atomic.call(&sample, &mut input.data(0, len), Some(&mut dst));
            assert_eq!(
                (rv, output.bytes()),
                (CRYPTO_SUCCESS, sample.output.clone()),
                "{}",
                sample.name()
            );
        }
        let sample = Sample::new(Mode::Gcm, Way::Encrypt, 40);
        for (empty, want) in
            [(MAX_EMPTY_PIECES, CRYPTO_SUCCESS), (MAX_EMPTY_PIECES + 1, CRYPTO_ARGUMENTS_BAD)]
        {
            let lengths: Vec<usize> =
                [10].into_iter().chain(core::iter::repeat_n(0, empty)).chain([30]).collect();
            let mut input = Buffer::new(format, &sample.input, &lengths);
            let mut output = Buffer::room(Format::Raw, 56, &[]);
            let rv =
                Entry::Atomic.call(&sample, &mut input.data(0, 40), Some(&mut output.data(0, 56)));
            assert_eq!(rv, want, "{format:?} {empty}");
            let left = if want == CRYPTO_SUCCESS { sample.output.clone() } else { vec![FILL; 56] };
            assert_eq!(output.bytes(), left);
            let lengths: Vec<usize> =
                [10].into_iter().chain(core::iter::repeat_n(0, empty)).chain([46]).collect();
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(format, 56, &lengths);
            let rv =
                Entry::Atomic.call(&sample, &mut input.data(0, 40), Some(&mut output.data(0, 56)));
            assert_eq!((rv, output.bytes()), (want, left), "{format:?} {empty}");
        }
        // The bound counts empty pieces in a row.
        let row = || core::iter::repeat_n(0, MAX_EMPTY_PIECES);
        let lengths: Vec<usize> = row().chain([1]).chain(row()).chain([39]).collect();
        let mut input = Buffer::new(format, &sample.input, &lengths);
        let mut output = Buffer::room(Format::Raw, 56, &[]);
        let rv = Entry::Atomic.call(&sample, &mut input.data(0, 40), Some(&mut output.data(0, 56)));
        assert_eq!((rv, output.bytes()), (CRYPTO_SUCCESS, sample.output.clone()), "{format:?}");
    }
    ledger.settle();
}

/// Thousands of one-byte pieces on both sides, after an offset of thousands.
#[test]
fn thousands_of_pieces() {
    let ledger = Ledger::begin();
    for format in [Format::Uio, Format::Mblk] {
        for sample in Sample::all(3000) {
            let memory = [vec![FILL; 3000], sample.input.clone()].concat();
            let mut input = Buffer::new(format, &memory, &vec![1; memory.len()]);
            let room = sample.output.len();
            let mut output = Buffer::room(format, room + 3000, &vec![1; room + 3000]);
            let rv = Entry::Atomic.call(
                &sample,
                &mut input.data(3000, sample.input.len()),
                Some(&mut output.data(3000, room)),
            );
            assert_eq!(rv, CRYPTO_SUCCESS, "{} {format:?}", sample.name());
            assert_eq!(output.bytes()[3000..], sample.output, "{} {format:?}", sample.name());
            assert_eq!(output.bytes()[..3000], [FILL; 3000]);
            assert!(input.lists_untouched() && output.lists_untouched());
        }
    }
    ledger.settle();
}

/// A chain that loops over bytes is as long as `cd_length` says. The walk ends, and only those bytes are
/// written.
#[test]
fn looped_chain_with_data_ends() {
    let ledger = Ledger::begin();
    for mode in Mode::ALL {
        let sample = Sample::new(mode, Way::Encrypt, 64);
        let twice = Sample { input: [&sample.input[..32]; 2].concat(), ..sample.clone() };
        let mut flat = Buffer::new(Format::Raw, &twice.input, &[]);
        let room = sample.output.len();
        let mut want = Buffer::room(Format::Raw, room, &[]);
        let rv = Entry::Atomic.call(&sample, &mut flat.data(0, 64), Some(&mut want.data(0, room)));
        assert_eq!(rv, CRYPTO_SUCCESS);

        let mut ring = Buffer::new(Format::Mblk, &sample.input[..32], &[13, 19]);
        let first = &raw mut ring.mblk()[0];
        ring.mblk()[1].b_cont = first;
        let mut output = Buffer::room(Format::Uio, room, &thirds(room));
        let rv =
            Entry::Atomic.call(&sample, &mut ring.data(0, 64), Some(&mut output.data(0, room)));
        assert_eq!((rv, output.bytes()), (CRYPTO_SUCCESS, want.bytes()), "{mode:?}");
        assert_eq!(ring.bytes(), sample.input[..32]);

        // As output the later bytes win. Only the blocks' own memory is written.
        let mut ring = Buffer::room(Format::Mblk, 32, &[13, 19]);
        let first = &raw mut ring.mblk()[0];
        ring.mblk()[1].b_cont = first;
        let mut flat = Buffer::new(Format::Raw, &sample.input, &[]);
        let rv = Entry::Atomic.call(&sample, &mut flat.data(0, 64), Some(&mut ring.data(0, room)));
        assert_eq!(rv, CRYPTO_SUCCESS, "{mode:?}");
        let mut left = vec![FILL; 32];
        for (i, &byte) in sample.output.iter().enumerate() {
            left[i % 32] = byte;
        }
        assert_eq!(ring.bytes(), left, "{mode:?}");
        assert_eq!(flat.bytes(), sample.input);
    }
    ledger.settle();
}

/// A chain of one byte that is its own next, for more bytes than anybody has. A raw output without the room
/// is refused before the chain is walked, and the walk ends.
#[test]
fn looped_chain_for_more_than_there_is_ends() {
    const ENDLESS: usize = 1 << 62;
    let ledger = Ledger::begin();
    for sample in Sample::all(64) {
        for entry in ENTRIES {
            let name = format!("{} {entry:?}", sample.name());
            let mut ring = Buffer::new(Format::Mblk, &[FILL], &[1]);
            let first = &raw mut ring.mblk()[0];
            ring.mblk()[0].b_cont = first;
            // Lengths that no message may have are found first.
            let too_long = match (sample.mode, sample.way, entry) {
                (Mode::Ccm, Way::Decrypt, _) => Some(CRYPTO_ENCRYPTED_DATA_LEN_RANGE),
                (Mode::Gcm | Mode::Ccm, ..) => Some(CRYPTO_DATA_LEN_RANGE),
                _ => None,
            };
            // The largest output: 16 bytes if it is only a MAC.
            let writes = match (sample.mode, sample.way, entry) {
                (Mode::Gmac, Way::Decrypt, _) | (Mode::Gmac | Mode::Cmac, _, Entry::Update) => 0,
                (Mode::Gmac | Mode::Cmac, ..) => 16,
                _ => ENDLESS,
            };
            for room in [15, 16] {
                let mut output = Buffer::room(Format::Raw, room, &[]);
                let (mut src, mut dst) = (ring.data(0, ENDLESS), output.data(0, ENDLESS));
                let rv = entry.call(&sample, &mut src, Some(&mut dst));
                let want = match too_long {
                    Some(code) => code,
                    None if room < writes => CRYPTO_BUFFER_TOO_SMALL,
                    None => CRYPTO_ARGUMENTS_BAD,
                };
                assert_eq!(rv, want, "{name}, {room}");
                assert_eq!(output.bytes(), vec![FILL; room], "{name}, {room}");
            }
            if too_long.is_none() {
                let mut src = ring.data(0, ENDLESS);
                assert_eq!(entry.call(&sample, &mut src, None), CRYPTO_ARGUMENTS_BAD, "{name}");
                assert_eq!(ring.bytes(), [FILL], "{name}");
            }
        }
    }
    ledger.settle();
}

/// A list may have 2^20 pieces of any length. A list is refused if the walk meets one more.
#[test]
fn a_list_has_an_end() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Ctr, Way::Encrypt, MAX_PIECES / 2);
    let (mut memory, len) = (sample.input.clone(), sample.len);
    let at = memory.as_mut_ptr();
    for format in [Format::Uio, Format::Mblk] {
        for (first, want) in [(0, CRYPTO_SUCCESS), (1, CRYPTO_ARGUMENTS_BAD)] {
            let pieces = (0..2 * len).map(|i| (at.wrapping_add(i / 2), i % 2));
            let mut list =
                Side::new(format, core::iter::repeat_n((at, 0), first).chain(pieces.clone()));
            let mut output = Buffer::room(Format::Raw, len, &[]);
            let (mut src, mut dst) = (list.data((0, len)), output.data(0, len));
            assert_eq!(Entry::Atomic.call(&sample, &mut src, Some(&mut dst)), want, "{format:?}");
            let left = if want == CRYPTO_SUCCESS { &sample.output } else { &vec![FILL; len] };
            assert!(output.bytes() == *left, "{format:?}");
        }
    }
    ledger.settle();
}

/// Deals one stretch of memory to two lists, `pieces` pieces of `len` bytes to each. The lists take turns
/// in the order of addresses, or in a shuffled order.
fn dealt(memory: &mut [u8], pieces: usize, len: usize, shuffled: bool) -> [Side; 2] {
    let mut random = Stream::new(7);
    let mut places: Vec<usize> = (0..2 * pieces).collect();
    for i in (1..places.len()).rev().filter(|_| shuffled) {
        places.swap(i, below(&mut random, i + 1));
    }
    let at = memory.as_mut_ptr();
    [0, 1].map(|side| {
        let places = places.iter().skip(side).step_by(2);
        Side::new(Format::Uio, places.map(|place| (at.wrapping_add(place * len), len)))
    })
}

/// What `call` returns, and the sizes of the blocks that it allocated for an overlap. The blocks of keys
/// and contexts have odd sizes.
fn blocks_of(call: impl FnOnce() -> c_int) -> (c_int, Vec<usize>) {
    let mut sizes = [0; 64];
    // SAFETY: room for 64 sizes; the ledger is this thread's.
    unsafe {
        fk_kmem_sizes_clear();
        let rv = call();
        let n = fk_kmem_sizes(sizes.as_mut_ptr(), 64) as usize;
        (rv, sizes[..n].iter().copied().filter(|size| size % 16 == 0).collect())
    }
}

/// Two lists of many pieces in no order take one block, of 16 bytes for each piece. It is freed when the
/// call returns. Without memory nothing has happened. Few pieces, or many in order, take no block.
#[test]
fn overlap_of_long_lists_takes_one_block() {
    let ledger = Ledger::begin();
    // A message with a tag has fewer pieces of text.
    let (few, many) = (MAX_COMPARED_PIECES / 2, MAX_COMPARED_PIECES / 2 + 8);
    let samples = Sample::all(16 * 40).into_iter().filter(|sample| !sample.mode.is_mac());
    for (sample, entry) in samples.flat_map(|s| ENTRIES.map(|entry| (s.clone(), entry))) {
        if (sample.mode, sample.way, entry) == (Mode::Ccm, Way::Decrypt, Entry::Update) {
            // CCM decryption keeps all of it until the end.
            continue;
        }
        for (pieces, shuffled) in
            [(few, true), (many, true), (many, false), (300, true), (300, false)]
        {
            let name = format!("{} {entry:?}, {pieces} pieces, {shuffled}", sample.name());
            let size = sample.input.len().max(sample.output.len());
            let len = size.div_ceil(pieces);
            let mut memory = vec![FILL; 2 * pieces * len];
            let [mut input, mut output] = dealt(&mut memory, pieces, len, shuffled);
            for (bytes, piece) in sample.input.chunks(len).zip(&input.iov) {
                let at = piece.iov_base.cast::<u8>();
                // SAFETY: the piece is within the memory.
                unsafe { at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            }
            let before = memory.clone();
            let mut src = input.data((0, sample.input.len()));
            let mut dst = output.data((0, sample.output.len()));
            // A part of a decryption has room for everything that may be text.
            let verifies = entry == Entry::Update && sample.verifies();
            let written = match entry {
                Entry::Update if !verifies => entry.writes(&sample),
                _ => sample.output.len(),
            };
            let named = sample.input.len().div_ceil(len) + written.div_ceil(len);
            let takes = shuffled && named > MAX_COMPARED_PIECES;

            let template = sample.request().template();
            let mut request = sample.request();
            request.declare(sample.way);
            let mut message = begin(&sample);
            let mut call = |src: &mut crypto_data_t, dst: &mut crypto_data_t| match entry {
                Entry::Atomic => request.atomic(sample.way, Some(&template), src, Out::Other(dst)),
                Entry::Single => message.single(src, Out::Other(dst)),
                Entry::Update => message.update(src, Out::Other(dst)),
            };
            // SAFETY: flags of this thread.
            let (rv, _) = kernel::in_interrupt(false, || unsafe {
                fk_kmem_fail_all(1);
                let result = blocks_of(|| call(&mut src, &mut dst));
                fk_kmem_fail_all(0);
                result
            });
            if takes {
                assert_eq!(rv, CRYPTO_HOST_MEMORY, "{name}");
                assert!(*core::hint::black_box(&memory) == before, "{name}: a byte changed");
                assert_eq!(dst.cd_length, sample.output.len(), "{name}");
                if entry == Entry::Single {
                    // The framework has ended the message.
                    continue;
                }
                let (rv, blocks) = blocks_of(|| call(&mut src, &mut dst));
                assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
                assert!(blocks.contains(&(16 * named)), "{name}: {blocks:?}");
            } else {
                assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            }
            if entry == Entry::Update {
                message.cancel();
            } else if entry == Entry::Atomic {
                message.cancel();
                let memory = core::hint::black_box(&memory);
                let at = |piece: &iovec_t| piece.iov_base.addr() - memory.as_ptr().addr();
                let written = output.iov.iter().flat_map(|piece| &memory[at(piece)..][..len]);
                assert!(written.take(sample.output.len()).eq(&sample.output), "{name}");
            }
        }
    }
    ledger.settle();
}

/// The block is allocated with the flag that the request gives.
#[test]
fn overlap_asks_for_memory_as_the_request_says() {
    let sample = Sample::new(Mode::Ctr, Way::Encrypt, 1000);
    let mut request = sample.request();
    let template = request.template();
    let mut memory = vec![FILL; 2000];
    let [mut input, mut output] = dealt(&mut memory, 1000, 1, true);
    for (mut req, want) in [(Some(CallReq::nosleep()), 1), (None, 0)] {
        let (mut src, mut dst) = (input.data((0, 1000)), output.data((0, 1000)));
        kernel::clear_stats();
        // SAFETY: everything is alive; the request ends before the call returns.
        let rv = unsafe {
            let req = req.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
            let (mechanism, key) = (&mut request.mechanism, &mut request.key);
            kernel::crypto_encrypt(mechanism, &mut src, key, template.0, &mut dst, req)
        };
        assert_eq!(rv, CRYPTO_SUCCESS);
        let stats = kernel::stats();
        assert_eq!((stats.allocs, stats.frees, stats.nosleep_allocs), (1, 1, want));
        assert_eq!((stats.alloc_bytes, stats.free_bytes), (32_000, 32_000));
    }
}

/// A list becomes shorter during the call, because the output lies over one of its blocks. The message is
/// not whole, and no call reports success. A decryption with a tag leaves no plaintext.
#[test]
fn a_list_that_becomes_shorter_is_told() {
    const PIECES: usize = 80;
    const CUT: usize = 60;
    let ledger = Ledger::begin();
    for mode in Mode::ALL.into_iter().filter(|mode| !mode.is_mac()) {
        // As a block of a chain, zeros mean: no bytes, and the last block.
        let mut text = Stream::new(1).draw(16 * PIECES);
        text[..size_of::<mblk_t>()].fill(0);
        let sample = Sample { input: text.clone(), ..Sample::new(mode, Way::Encrypt, text.len()) };
        let room = sample.output.len();
        let mut plain = Buffer::new(Format::Raw, &text, &[]);
        let mut sealed = Buffer::room(Format::Raw, room, &[]);
        let (mut src, mut dst) = (plain.data(0, text.len()), sealed.data(0, room));
        assert_eq!(Entry::Atomic.call(&sample, &mut src, Some(&mut dst)), CRYPTO_SUCCESS);
        let sample = Sample { way: Way::Decrypt, input: sealed.bytes(), output: text, ..sample };

        let mut input = sample.input.clone();
        for entry in ENTRIES {
            if mode.is_aead() && entry == Entry::Update {
                // An update transforms at most the blocks that cannot be the tag. They are too few for this
                // list.
                continue;
            }
            let mut list = Side::new(Format::Mblk, pieces_of(&mut input));
            let mut output = vec![list.mblk[CUT]; 16 * PIECES / size_of::<mblk_t>()];
            list.mblk[CUT - 1].b_cont = output.as_mut_ptr();
            let mut flat =
                Side::new(Format::Raw, [(output.as_mut_ptr().cast(), 16 * PIECES)].into_iter());
            let mut src = list.data((0, sample.input.len()));
            let mut dst = flat.data((0, 16 * PIECES));
            let rv = entry.call(&sample, &mut src, Some(&mut dst));
            assert_eq!(rv, CRYPTO_GENERAL_ERROR, "{mode:?} {entry:?}");
            assert_eq!(dst.cd_length, 16 * PIECES, "{mode:?} {entry:?}");
            if mode.is_aead() {
                // SAFETY: plain bytes, and the vector has that many.
                let left =
                    unsafe { core::slice::from_raw_parts(output.as_ptr().cast::<u8>(), 16 * CUT) };
                assert!(left.iter().all(|&byte| byte == 0), "{mode:?} {entry:?}");
            }
        }
    }
    ledger.settle();
}

/// `bytes` in pieces of 16.
fn pieces_of(bytes: &mut [u8]) -> impl Iterator<Item = (*mut u8, usize)> {
    bytes.chunks_mut(16).map(|piece| (piece.as_mut_ptr(), piece.len()))
}

/// A list that names a byte twice is transformed in place. The two mentions are more than 512 bytes apart,
/// or in different blocks for CBC encryption and CCM, which go block by block. The byte is transformed
/// twice, as by two calls, and no other byte changes.
#[test]
fn looped_chain_in_place_is_transformed_twice() {
    let ledger = Ledger::begin();
    let modes = [Mode::Ecb, Mode::Cbc, Mode::Ctr, Mode::Gcm, Mode::Ccm];
    let ways = modes.map(|mode| (mode, Way::Encrypt));
    let ways = ways.into_iter().chain([(Mode::Ecb, Way::Decrypt), (Mode::Cbc, Way::Decrypt)]);
    for (&table, (mode, way)) in
        kernel::tables().iter().flat_map(|t| ways.clone().map(move |w| (t, w)))
    {
        kernel::use_table(table);
        let serial = mode == Mode::Ccm || (mode, way) == (Mode::Cbc, Way::Encrypt);
        let short = [[16, 16], [13, 19], [40, 8]].into_iter().filter(|_| serial);
        let long = [[256, 256], [512, 0], [13, 499], [250, 262], [400, 144]];
        for lengths in short.chain(long) {
            let len = lengths.iter().sum::<usize>();
            let sample = Sample::new(mode, way, 2 * len);
            for out in [|| Out::Null, || Out::Same] {
                let mut ring = Buffer::new(Format::Mblk, &sample.input[..len], &lengths);
                let first = &raw mut ring.mblk()[0];
                ring.mblk()[1].b_cont = first;
                let mut flat = Buffer::new(Format::Raw, &sample.input[..len], &[]);
                let mut message = begin(&sample);
                assert_eq!(message.update(&mut ring.data(0, 2 * len), out()), CRYPTO_SUCCESS);
                message.cancel();
                let mut message = begin(&sample);
                for _ in 0..2 {
                    assert_eq!(message.update(&mut flat.data(0, len), out()), CRYPTO_SUCCESS);
                }
                message.cancel();
                assert!(ring.bytes() == flat.bytes(), "{mode:?} {way:?} {lengths:?} {table:?}");
            }
        }
    }
    ledger.settle();
}

/// A forged message in place, over a list that names a byte twice, even within one block, becomes
/// ciphertext again, by every table.
#[test]
fn looped_chain_in_place_is_taken_back() {
    let ledger = Ledger::begin();
    for &table in kernel::tables() {
        kernel::use_table(table);
        for mode in [Mode::Gcm, Mode::Ccm] {
            let sample = Sample::new(mode, Way::Decrypt, 64);
            let len = sample.input.len();
            for lengths in [[16, 16], [13, 19], [5, 6], [7, 1], [3, 30]] {
                let bytes = &sample.input[..lengths.iter().sum()];
                let mut ring = Buffer::new(Format::Mblk, bytes, &lengths);
                let first = &raw mut ring.mblk()[0];
                ring.mblk()[1].b_cont = first;
                let rv = Entry::Atomic.call(&sample, &mut ring.data(0, len), None);
                assert_eq!(rv, CRYPTO_INVALID_MAC, "{mode:?} {lengths:?} {table:?}");
                assert_eq!(ring.bytes(), bytes, "{mode:?} {lengths:?} {table:?}");
            }
        }
    }
    ledger.settle();
}

/// Every offset from 0 to 40 on either side. Each lands before, on and after the edges of pieces of 1 to 17
/// bytes.
#[test]
fn offsets_on_both_sides() {
    let ledger = Ledger::begin();
    for sample in Sample::all(37) {
        let (len, room) = (sample.input.len(), sample.output.len());
        for (i, piece) in [1, 2, 3, 5, 7, 8, 11, 13, 16, 17].into_iter().enumerate() {
            for offset in 0..=40 {
                let other = (offset * 7 + i) % 41;
                let formats =
                    [(Format::Uio, Format::Mblk), (Format::Mblk, Format::Uio)][offset % 2];
                let memory = [&vec![FILL; offset], sample.input.as_slice()].concat();
                let cut = |len: usize| {
                    let mut lengths = vec![piece; len / piece];
                    lengths.push(len % piece);
                    lengths
                };
                let mut input = Buffer::new(formats.0, &memory, &cut(memory.len()));
                let mut output = Buffer::room(formats.1, other + room, &cut(other + room));
                let rv = Entry::Atomic.call(
                    &sample,
                    &mut input.data(offset, len),
                    Some(&mut output.data(other, room)),
                );
                let name = format!("{} {offset} {other} pieces of {piece}", sample.name());
                assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
                assert_eq!(output.bytes()[other..], sample.output, "{name}");
                assert!(output.bytes()[..other].iter().all(|&b| b == FILL), "{name}");
                assert_eq!(input.bytes(), memory, "{name}");
            }
        }
    }
    ledger.settle();
}

/// Checks `memory` after a call that wrote its output from `to` on, or was refused and changed nothing.
/// Returns whether the call succeeded.
fn right_or_refused(
    name: &str,
    (entry, sample): (Entry, &Sample),
    rv: c_int,
    dst: &crypto_data_t,
    (memory, to): (&mut [u8], usize),
    bytes: &[u8],
) -> bool {
    if rv != CRYPTO_SUCCESS {
        assert_eq!(rv, CRYPTO_ARGUMENTS_BAD, "{name}");
        assert!(bytes == memory, "{name}: refused, but a byte changed");
        return false;
    }
    let written = match (entry, sample.mode) {
        (Entry::Update, Mode::Gmac | Mode::Cmac) => 0,
        (Entry::Update, Mode::Gcm | Mode::Ccm) => dst.cd_length,
        _ => sample.output.len(),
    };
    memory[to..to + written].copy_from_slice(&sample.output[..written]);
    assert!(bytes == memory, "{name}: not the answer");
    true
}

/// Output that overlaps the input at another place, by -80 to 80 bytes, in every mode and call, as one
/// buffer and as pieces that differ on the two sides. Each call gives the right answer or a clean refusal,
/// and never changes a byte outside the output.
#[test]
fn partial_overlap() {
    let ledger = Ledger::begin();
    for sample in Sample::all(256) {
        let (len, room) = (sample.input.len(), sample.output.len());
        let mut right = 0;
        for shift in -80_i64..=80 {
            for (entry, formats) in ENTRIES.into_iter().flat_map(|e| PAIRS.map(|pair| (e, pair))) {
                let name = format!("{} {entry:?} by {shift}, {formats:?}", sample.name());
                let mut memory = vec![FILL; AT];
                memory.extend_from_slice(&sample.input);
                memory.resize(640, FILL);
                let to = (AT as i64 + shift) as usize;
                let mut region = Region::new(&memory, formats);
                let (mut src, mut dst) = region.data((AT, len), (to, room));
                let rv = entry.call(&sample, &mut src, Some(&mut dst));
                let (what, after) = ((entry, &sample), (memory.as_mut_slice(), to));
                if right_or_refused(&name, what, rv, &dst, after, &region.bytes()) {
                    right += 1;
                } else {
                    assert_ne!(shift, 0, "{name}");
                    assert_eq!((src.cd_length, dst.cd_length), (len, room), "{name}");
                }
            }
        }
        assert!(right >= 6, "{}: only {right} right", sample.name());
    }
    ledger.settle();
}

/// Input and output in the very same list, at one offset or at two. Both may lie in one piece.
#[test]
fn one_list_at_two_offsets() {
    const LENGTHS: [usize; 5] = [30, 100, 90, 60, 140];
    let ledger = Ledger::begin();
    for sample in Sample::all(256) {
        let (len, room) = (sample.input.len(), sample.output.len());
        for (from, to) in [(0, 0), (5, 5), (40, 40), (0, 5), (5, 0), (1, 17), (45, 40), (3, 35)] {
            for (entry, format) in
                ENTRIES.into_iter().flat_map(|e| [Format::Uio, Format::Mblk].map(|f| (e, f)))
            {
                let name = format!("{} {entry:?} {from} to {to}, {format:?}", sample.name());
                let mut memory = vec![FILL; LENGTHS.iter().sum()];
                memory[from..from + len].copy_from_slice(&sample.input);
                let mut list = Buffer::new(format, &memory, &LENGTHS);
                let (mut src, mut dst) = (list.data(from, len), list.data(to, room));
                let rv = entry.call(&sample, &mut src, Some(&mut dst));
                let (what, after) = ((entry, &sample), (memory.as_mut_slice(), to));
                if !right_or_refused(&name, what, rv, &dst, after, &list.bytes()) {
                    assert_ne!(from, to, "{name}");
                }
            }
        }
    }
    ledger.settle();
}

/// Lists that begin with the same piece and then differ. Each goes on in its own pieces.
#[test]
fn lists_that_share_their_first_piece() {
    let ledger = Ledger::begin();
    for sample in Sample::all(256) {
        for format in [Format::Uio, Format::Mblk] {
            let name = format!("{}, {format:?}", sample.name());
            let (input, output) = (&sample.input, &sample.output);
            let (len, room) = (input.len(), output.len());
            let shared = 37.min(room);
            let memory = [input.as_slice(), &vec![FILL; room - shared]].concat();
            let mut bytes = memory.clone();
            let at = bytes.as_mut_ptr();
            let list = |from: usize, len: usize| {
                let rest = (at.wrapping_add(from), len - shared);
                Side::new(format, [(at, shared), rest].into_iter())
            };
            let (mut src, mut dst) = (list(shared, len), list(len, room));
            let (mut src, mut dst) = (src.data((0, len)), dst.data((0, room)));
            let rv = Entry::Atomic.call(&sample, &mut src, Some(&mut dst));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            let want = [&output[..shared], &input[shared..], &output[shared..]].concat();
            // The provider writes through the lists, which the borrow checker does not see.
            assert_eq!(*core::hint::black_box(&bytes), want, "{name}");
        }
    }
    ledger.settle();
}

/// Overlap after a part whose last bytes wait. A refusal consumes nothing here either.
#[test]
fn partial_overlap_of_a_later_part() {
    const FIRST: usize = 21;
    let ledger = Ledger::begin();
    for sample in Sample::all(256) {
        let (rest, room) = (sample.input.len() - FIRST, sample.output.len());
        let (mut right, mut refused) = (0, 0);
        for shift in -80_i64..=80 {
            for formats in PAIRS {
                let name = format!("{} by {shift}, {formats:?}", sample.name());
                let mut message = begin(&sample);
                let mut output = Buffer::room(Format::Raw, room, &[]);
                let mut first = Buffer::new(Format::Raw, &sample.input[..FIRST], &[]);
                let mut dst = output.data(0, room);
                let rv = message.update(&mut first.data(0, FIRST), Some(&mut dst));
                assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
                let mut given = if sample.way == Way::Mac { 0 } else { dst.cd_length };

                let mut memory = vec![FILL; AT];
                memory.extend_from_slice(&sample.input[FIRST..]);
                memory.resize(640, FILL);
                let to = (AT as i64 + shift) as usize;
                let mut region = Region::new(&memory, formats);
                let (mut src, mut dst) = region.data((AT, rest), (to, room - given));
                let rv = message.update(&mut src, Some(&mut dst));
                let bytes = region.bytes();
                if rv == CRYPTO_SUCCESS {
                    let n = if sample.way == Way::Mac { 0 } else { dst.cd_length };
                    memory[to..to + n].copy_from_slice(&sample.output[given..given + n]);
                    assert!(bytes == memory, "{name}: not the answer");
                    message.cancel();
                    right += 1;
                    continue;
                }
                refused += 1;
                let waits = sample.mode != Mode::Ctr && !sample.verifies();
                let want = if waits { CRYPTO_DATA_LEN_RANGE } else { CRYPTO_ARGUMENTS_BAD };
                assert_eq!(rv, want, "{name}");
                assert!(bytes == memory, "{name}: refused, but a byte changed");
                assert_eq!((src.cd_length, dst.cd_length), (rest, room - given), "{name}");
                let mut dst = output.data(given, room - given);
                assert_eq!(message.update(&mut src, Some(&mut dst)), CRYPTO_SUCCESS, "{name}");
                given += dst.cd_length;
                let mut dst = output.data(given, room - given);
                assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS, "{name}");
                assert!(output.bytes() == sample.output, "{name}: not the answer");
            }
        }
        let absorbs = sample.mode.is_mac() || sample.mode == Mode::Ccm && sample.verifies();
        assert_eq!(refused == 0, absorbs, "{}: {refused} refused", sample.name());
        assert_eq!(right > 0, absorbs || sample.mode == Mode::Ctr, "{}", sample.name());
    }
    ledger.settle();
}

/// Where the message begins in a [`Region`].
const AT: usize = 160;

/// Each format with itself and with the next one.
const PAIRS: [[Format; 2]; 6] = [
    [Format::Raw, Format::Raw],
    [Format::Uio, Format::Uio],
    [Format::Mblk, Format::Mblk],
    [Format::Raw, Format::Uio],
    [Format::Uio, Format::Mblk],
    [Format::Mblk, Format::Raw],
];

/// One stretch of memory, named by two lists that cut it differently.
struct Region {
    memory: Box<[u8]>,
    sides: [Side; 2],
}

/// A list over memory that somebody else owns.
struct Side {
    format: Format,
    iov: Box<[iovec_t]>,
    uio: Box<uio_t>,
    mblk: Box<[mblk_t]>,
}

impl Side {
    fn new(format: Format, pieces: impl Iterator<Item = (*mut u8, usize)>) -> Self {
        let pieces: Vec<_> = pieces.collect();
        let piece = |&(at, iov_len): &(*mut u8, usize)| iovec_t { iov_base: at.cast(), iov_len };
        let mut iov: Box<[_]> = pieces.iter().map(piece).collect();
        // For the other members of the structs.
        let mut any = Buffer::room(Format::Mblk, 1, &[1]);
        let mut uio = Box::new(*any.uio());
        (uio.uio_iov, uio.uio_iovcnt) = (iov.as_mut_ptr(), iov.len() as c_int);
        let block = |&(at, len): &(*mut u8, usize)| mblk_t {
            b_rptr: at,
            b_wptr: at.wrapping_add(len),
            ..any.mblk()[0]
        };
        let mut mblk: Box<[_]> = pieces.iter().map(block).collect();
        for i in 1..mblk.len() {
            let next = &raw mut mblk[i];
            mblk[i - 1].b_cont = next;
        }
        Self { format, iov, uio, mblk }
    }

    fn data(&mut self, (offset, cd_length): (usize, usize)) -> crypto_data_t {
        let (cd_format, cdu) = match self.format {
            Format::Raw => (CRYPTO_DATA_RAW, crypto_data_cdu_t { cdu_raw: self.iov[0] }),
            Format::Uio => (CRYPTO_DATA_UIO, crypto_data_cdu_t { cdu_uio: &raw mut *self.uio }),
            Format::Mblk => {
                (CRYPTO_DATA_MBLK, crypto_data_cdu_t { cdu_mp: self.mblk.as_mut_ptr() })
            }
        };
        let cd_miscdata = core::ptr::null_mut();
        crypto_data_t { cd_format, cd_offset: offset as i64, cd_length, cd_miscdata, cdu }
    }
}

impl Region {
    fn new(bytes: &[u8], formats: [Format; 2]) -> Self {
        let mut memory: Box<[u8]> = bytes.into();
        let (at, len) = (memory.as_mut_ptr(), memory.len());
        let sides = [(formats[0], 37), (formats[1], 11)].map(|(format, piece)| {
            let piece = if format == Format::Raw { len } else { piece };
            let cuts = (0..len).step_by(piece);
            Side::new(format, cuts.map(|i| (at.wrapping_add(i), piece.min(len - i))))
        });
        Self { memory, sides }
    }

    fn data(&mut self, from: (usize, usize), to: (usize, usize)) -> (crypto_data_t, crypto_data_t) {
        let [src, dst] = &mut self.sides;
        (src.data(from), dst.data(to))
    }

    fn bytes(&self) -> Vec<u8> {
        // The provider writes through the lists, which the borrow checker does not see.
        core::hint::black_box(&self.memory).to_vec()
    }
}

/// How two windows overlap, computed from the addresses of their bytes.
fn overlap_of_bytes(a: &[(usize, usize)], b: &[(usize, usize)]) -> Overlap {
    let bytes = |pieces: &[(usize, usize)]| -> Vec<usize> {
        pieces.iter().flat_map(|&(at, len)| at..at + len).collect()
    };
    let (a, b) = (bytes(a), bytes(b));
    let places: HashMap<usize, usize> = a.iter().enumerate().map(|(i, &at)| (at, i)).collect();
    let shared = b.iter().enumerate().filter_map(|(j, at)| places.get(at).map(|&i| i == j));
    shared.fold(Overlap::None, |found, exact| match (found, exact) {
        (Overlap::Partial, _) | (_, false) => Overlap::Partial,
        _ => Overlap::Exact,
    })
}

/// Whatever the order of their pieces, two lists share memory as their bytes say.
#[test]
fn overlap_of_lists_is_that_of_their_bytes() {
    let mut random = Stream::new(11);
    let mut found = [0; 3];
    let memory = [0_u8; 96];
    let base = memory.as_ptr().addr();
    for turn in 0..200_000 {
        // Both sides take their pieces from one row, so that their addresses interleave. A few pieces go to
        // both sides.
        let mut sides = [vec![], vec![]];
        let mut at = 0;
        while at < 90 {
            let piece = (base + at, (1 + below(&mut random, 12)).min(96 - at));
            at += piece.1;
            match below(&mut random, 8) {
                0..3 => sides[0].push(piece),
                3..6 => sides[1].push(piece),
                6 if turn % 3 == 0 => sides.iter_mut().for_each(|side| side.push(piece)),
                _ => {}
            }
        }
        for (i, side) in sides.iter_mut().enumerate() {
            match (turn >> (2 * i)) % 4 {
                0 => side.reverse(),
                1 => (1..side.len()).for_each(|i| side.swap(i, below(&mut random, i + 1))),
                2 if !side.is_empty() => {
                    let middle = below(&mut random, side.len());
                    side.rotate_left(middle);
                }
                _ => {}
            }
        }
        if turn % 16 == 0 {
            // The same bytes, in other pieces.
            let [a, b] = &mut sides;
            let cut = b.iter().flat_map(|&(at, len)| {
                let n = below(&mut random, len + 1);
                [(at, n), (at + n, len - n)]
            });
            *a = cut.collect();
        }
        let want = overlap_of_bytes(&sides[0], &sides[1]);
        let windows = sides.each_ref().map(|side| {
            let len = side.iter().map(|piece| piece.1).sum();
            let at = |&(at, len): &(usize, usize)| (core::ptr::without_provenance_mut(at), len);
            let format = LISTS[turn % 2];
            (Side::new(format, side.iter().map(at)), len)
        });
        let [(mut a, n), (mut b, m)] = windows;
        let (a, b) = (a.data((0, n)), b.data((0, m)));
        if n == 0 || m == 0 {
            continue;
        }
        // SAFETY: the lists are alive, and no byte that they name is touched.
        let (a, b) = unsafe { (Data::new(&a).input(), Data::new(&b).input()) };
        let (a, b) = (a.expect("a list"), b.expect("a list"));
        assert_eq!(a.overlap(&b, core::ptr::null_mut()), Ok(want), "{turn}: {sides:?}");
        assert_eq!(b.overlap(&a, core::ptr::null_mut()), Ok(want), "{turn}: {sides:?}");
        found[want as usize] += 1;
    }
    assert!(found.iter().all(|&n| n > 2000), "{found:?}");
}

/// Two structs over one list, from the same place on. Each window ends where its struct says, whichever is
/// longer.
#[test]
fn one_list_in_two_windows() {
    for format in [Format::Uio, Format::Mblk] {
        for (len, room) in [(20, 36), (36, 20), (36, 36), (47, 0), (0, 47)] {
            let mut list = Buffer::new(format, &[FILL; 50], &[7, 0, 9, 34]);
            let (src, dst) = (list.data(3, len), list.data(3, room));
            let mut pair = MaybeUninit::uninit();
            // SAFETY: the lists are alive, and nobody else uses their bytes meanwhile.
            let io = unsafe {
                Io { src: Data::new(&src), dst: Some(Data::new(&dst)), req: core::ptr::null_mut() }
            };
            let pair = io.pair(room, &mut pair).expect("a list");
            assert_eq!(pair.src().left(), len, "{format:?} {len} {room}");
            assert_eq!(pair.scatter(&[0; 50]).is_ok(), room >= 50, "{format:?} {len} {room}");
            let mut want = [FILL; 50];
            want[3..3 + room].fill(0);
            assert_eq!(list.bytes(), want, "{format:?} {len} {room}");
        }
    }
}

/// Lists whose pieces alternate in memory are walked once if the addresses of each side ascend. Comparing
/// every piece with every other would take 10^11 steps.
#[test]
fn lists_that_alternate_are_walked_once() {
    const PIECES: usize = 300_000;
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Ctr, Way::Encrypt, PIECES);
    let mut memory: Vec<u8> = sample.input.iter().flat_map(|&byte| [byte, FILL]).collect();
    let at = memory.as_mut_ptr();
    for format in [Format::Uio, Format::Mblk] {
        let [mut input, mut output] =
            [0, 1].map(|i| Side::new(format, (0..PIECES).map(|n| (at.wrapping_add(2 * n + i), 1))));
        let (mut src, mut dst) = (input.data((0, PIECES)), output.data((0, PIECES)));
        let rv = Entry::Atomic.call(&sample, &mut src, Some(&mut dst));
        assert_eq!(rv, CRYPTO_SUCCESS, "{format:?}");
        let written = core::hint::black_box(&memory).iter().skip(1).step_by(2);
        assert!(written.eq(&sample.output), "{format:?}");
    }
    ledger.settle();
}
