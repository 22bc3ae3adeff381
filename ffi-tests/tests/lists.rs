// SPDX-License-Identifier: MIT OR Apache-2.0
//! Data lists, good and bad, raw, uio and mblk, on both sides: what is refused is refused before a
//! byte is written, what is legal gives the right answer, and no list walk is endless.

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Message, Way};
use kcfaes_ffi_tests::kernel::Ledger;
use kcfaes_ffi_tests::sample::Sample;
use kcfaes_provider::data::MAX_EMPTY_PIECES;
use kcfaes_provider::kcf::{
    CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE, CRYPTO_SUCCESS,
    UIO_SYSSPACE, crypto_data_t,
};
use kcfaes_vectors::Mode;

/// Calls that walk a list: atomic, single on a context, update.
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
    fn call(self, sample: &Sample, src: &mut crypto_data_t, dst: &mut crypto_data_t) -> c_int {
        if self == Self::Atomic {
            return sample.request().atomic(sample.way, None, src, Some(dst));
        }
        let mut message = begin(sample);
        match self {
            Self::Single => {
                let rv = message.single(src, Some(dst));
                if rv == CRYPTO_BUFFER_TOO_SMALL {
                    message.cancel();
                }
                rv
            }
            _ => {
                let rv = message.update(src, Some(dst));
                message.cancel();
                rv
            }
        }
    }

    /// Bytes that the call writes at least: an update of an AEAD may write fewer than the message.
    fn writes(self, sample: &Sample) -> usize {
        match (self, sample.mode, sample.way) {
            (Self::Update, Mode::Gmac | Mode::Cmac, _) => 0,
            (Self::Update, Mode::Gcm | Mode::Ccm, Way::Encrypt) => sample.input.len() & !15,
            // With less room than that it would buffer, and write nothing; CCM always does.
            (Self::Update, Mode::Gcm | Mode::Ccm, _) => 0,
            _ => sample.output.len(),
        }
    }
}

/// Damages a list; the code for an input, and for an output.
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
        name: "negative iov_len",
        formats: &[Format::Uio],
        damage: |list, _| list.iov()[1].iov_len = usize::MAX - 7,
        input: bad,
        output: bad,
    },
    Damage {
        name: "no list",
        formats: LISTS,
        damage: |_, data| data.cdu.cdu_uio = core::ptr::null_mut(),
        input: bad,
        output: bad,
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

/// Three pieces with exactly the bytes wanted.
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
                    let rv = entry.call(&sample, &mut src, &mut dst);
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
                    let rv = entry.call(&sample, &mut src, &mut dst);
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

/// In place the same list is both; a damage is found before a byte is transformed.
#[test]
fn damaged_list_in_place_is_refused() {
    let ledger = Ledger::begin();
    for sample in Sample::all(61) {
        let len = sample.input.len();
        if sample.output.len() > len {
            continue;
        }
        for damage in DAMAGES {
            for &format in damage.formats {
                let name = format!("{} {format:?}: {}", sample.name(), damage.name);
                let mut buffer = Buffer::new(format, &sample.input, &thirds(len));
                let mut src = buffer.data(0, len);
                (damage.damage)(&mut buffer, &mut src);
                let rv = sample.request().atomic(sample.way, None, &mut src, None);
                assert_eq!(rv, (damage.input)(format), "{name}");
                assert_eq!((src.cd_length, buffer.bytes()), (len, sample.input.clone()), "{name}");
            }
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
            // CTR takes any length, ECB multiples of 16; GCM has its own limit and says so first.
            let sample = Sample::new(Mode::Ctr, Way::Encrypt, 48);
            let mut input = Buffer::new(format, &sample.input, &[48]);
            let mut output = Buffer::room(Format::Raw, 48, &[]);
            let (mut src, mut dst) = (input.data(0, length), output.data(0, usize::MAX));
            src.cd_offset = offset;
            let rv = Entry::Atomic.call(&sample, &mut src, &mut dst);
            assert_eq!(rv, CRYPTO_ARGUMENTS_BAD, "{format:?} {offset}");
            assert_eq!((src.cd_length, dst.cd_length), (length, usize::MAX));
            assert_eq!(output.bytes(), [FILL; 48]);

            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(format, 48, &[48]);
            let mut dst = output.data(0, usize::MAX);
            dst.cd_offset = i64::MAX;
            let rv = Entry::Atomic.call(&sample, &mut input.data(0, 48), &mut dst);
            assert_eq!((rv, dst.cd_length), (CRYPTO_BUFFER_TOO_SMALL, 48), "{format:?}");
            assert_eq!(output.bytes(), [FILL; 48]);
        }
    }
    ledger.settle();
}

/// A message without bytes: inside the list it is legal everywhere; at the exact end uio is (as in
/// the newest reference), mblk is not (as in every one), raw is as long as the offset is inside.
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
                // A decryption's tag is no empty message.
                if tag > 0 && entry != Entry::Update {
                    continue;
                }
                let mut input = Buffer::new(format, &[FILL; 48], &[16, 0, 32]);
                let mut output = Buffer::room(Format::Uio, 16, &[7, 9]);
                let mut src = input.data(offset, 0);
                let rv = entry.call(&sample, &mut src, &mut output.data(0, 16));
                let name = sample.name();
                assert_eq!(rv, want, "{name} {entry:?} {format:?} at {offset}");
                assert_eq!((src.cd_length, src.cd_offset), (0, offset as i64));
            }
        }
    }
    ledger.settle();
}

/// Empty pieces wherever they are, a piece at NULL of no length among them, up to the bound; one
/// more is a chain that loops.
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
            let rv = Entry::Atomic.call(&sample, &mut input.data(0, len), &mut dst);
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
            let rv = Entry::Atomic.call(&sample, &mut input.data(0, 40), &mut output.data(0, 56));
            assert_eq!(rv, want, "{format:?} {empty}");
            let left = if want == CRYPTO_SUCCESS { sample.output.clone() } else { vec![FILL; 56] };
            assert_eq!(output.bytes(), left);
            let lengths: Vec<usize> =
                [10].into_iter().chain(core::iter::repeat_n(0, empty)).chain([46]).collect();
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(format, 56, &lengths);
            let rv = Entry::Atomic.call(&sample, &mut input.data(0, 40), &mut output.data(0, 56));
            assert_eq!((rv, output.bytes()), (want, left), "{format:?} {empty}");
        }
        // The bound is on those in a row.
        let row = || core::iter::repeat_n(0, MAX_EMPTY_PIECES);
        let lengths: Vec<usize> = row().chain([1]).chain(row()).chain([39]).collect();
        let mut input = Buffer::new(format, &sample.input, &lengths);
        let mut output = Buffer::room(Format::Raw, 56, &[]);
        let rv = Entry::Atomic.call(&sample, &mut input.data(0, 40), &mut output.data(0, 56));
        assert_eq!((rv, output.bytes()), (CRYPTO_SUCCESS, sample.output.clone()), "{format:?}");
    }
    ledger.settle();
}

/// Thousands of one-byte pieces on both sides, behind an offset of thousands.
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
                &mut output.data(3000, room),
            );
            assert_eq!(rv, CRYPTO_SUCCESS, "{} {format:?}", sample.name());
            assert_eq!(output.bytes()[3000..], sample.output, "{} {format:?}", sample.name());
            assert_eq!(output.bytes()[..3000], [FILL; 3000]);
            assert!(input.lists_untouched() && output.lists_untouched());
        }
    }
    ledger.settle();
}

/// A chain that loops over bytes is as long as `cd_length` says: the walk ends, and nothing but
/// those bytes is written.
#[test]
fn looped_chain_with_data_ends() {
    let ledger = Ledger::begin();
    for mode in Mode::ALL {
        let sample = Sample::new(mode, Way::Encrypt, 64);
        let twice = Sample { input: [&sample.input[..32]; 2].concat(), ..sample.clone() };
        let mut flat = Buffer::new(Format::Raw, &twice.input, &[]);
        let room = sample.output.len();
        let mut want = Buffer::room(Format::Raw, room, &[]);
        let rv = Entry::Atomic.call(&sample, &mut flat.data(0, 64), &mut want.data(0, room));
        assert_eq!(rv, CRYPTO_SUCCESS);

        let mut ring = Buffer::new(Format::Mblk, &sample.input[..32], &[13, 19]);
        let first = &raw mut ring.mblk()[0];
        ring.mblk()[1].b_cont = first;
        let mut output = Buffer::room(Format::Uio, room, &thirds(room));
        let rv = Entry::Atomic.call(&sample, &mut ring.data(0, 64), &mut output.data(0, room));
        assert_eq!((rv, output.bytes()), (CRYPTO_SUCCESS, want.bytes()), "{mode:?}");
        assert_eq!(ring.bytes(), sample.input[..32]);

        // As output the later bytes win; the blocks' own memory is all that is written.
        let mut ring = Buffer::room(Format::Mblk, 32, &[13, 19]);
        let first = &raw mut ring.mblk()[0];
        ring.mblk()[1].b_cont = first;
        let mut flat = Buffer::new(Format::Raw, &sample.input, &[]);
        let rv = Entry::Atomic.call(&sample, &mut flat.data(0, 64), &mut ring.data(0, room));
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

/// Every offset from 0 to 40 on either side, so that each lands before, on and behind the edges of
/// pieces of 1 to 17 bytes.
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
                    &mut output.data(other, room),
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

/// Output that overlaps the input at another place, by -80 to 80 bytes, in every mode and call, as
/// raw buffers and as pieces that differ on the two sides: the right answer or a clean refusal, and
/// never a changed byte that is not output.
#[test]
fn partial_overlap() {
    const AT: usize = 160;
    let ledger = Ledger::begin();
    for sample in Sample::all(256) {
        let len = sample.input.len();
        let room = sample.output.len();
        let mut right = 0;
        for shift in -80_i64..=80 {
            for (entry, pieces) in
                ENTRIES.into_iter().flat_map(|entry| [(entry, false), (entry, true)])
            {
                let name = format!("{} {entry:?} by {shift}", sample.name());
                let mut memory = vec![FILL; AT];
                memory.extend_from_slice(&sample.input);
                memory.resize(640, FILL);
                let to = (AT as i64 + shift) as usize;
                let mut region = Region::new(&memory, pieces);
                let (mut src, mut dst) = region.data(AT, len, to, room);
                let rv = entry.call(&sample, &mut src, &mut dst);
                let bytes = region.bytes();
                if rv == CRYPTO_SUCCESS {
                    let written = match (entry, sample.mode) {
                        (Entry::Update, Mode::Gmac | Mode::Cmac) => 0,
                        (Entry::Update, Mode::Gcm | Mode::Ccm) => dst.cd_length,
                        _ => room,
                    };
                    memory[to..to + written].copy_from_slice(&sample.output[..written]);
                    assert!(bytes == memory, "{name}: not the answer");
                    right += 1;
                } else {
                    assert_eq!(rv, CRYPTO_ARGUMENTS_BAD, "{name}");
                    assert!(bytes == memory, "{name}: refused, but a byte changed");
                    assert_ne!(shift, 0, "{name}");
                    assert_eq!((src.cd_length, dst.cd_length), (len, room), "{name}");
                }
            }
        }
        assert!(right >= 6, "{}: only {right} right", sample.name());
    }
    ledger.settle();
}

/// One stretch of memory named by two lists that cut it differently.
struct Region {
    memory: Box<[u8]>,
    pieces: bool,
    iovs: [Box<[kcfaes_provider::kcf::iovec_t]>; 2],
    uios: Vec<kcfaes_provider::kcf::uio_t>,
}

impl Region {
    fn new(bytes: &[u8], pieces: bool) -> Self {
        let mut memory: Box<[u8]> = bytes.into();
        let iovs = [37, 11].map(|n| {
            let n = if pieces { n } else { memory.len() };
            let cut = memory.chunks_mut(n);
            cut.map(|piece| kcfaes_provider::kcf::iovec_t {
                iov_base: piece.as_mut_ptr().cast(),
                iov_len: piece.len(),
            })
            .collect()
        });
        Self { memory, pieces, iovs, uios: Vec::new() }
    }

    fn data(
        &mut self,
        from: usize,
        len: usize,
        to: usize,
        room: usize,
    ) -> (crypto_data_t, crypto_data_t) {
        let mut template = Buffer::room(Format::Uio, 1, &[1]);
        for iov in &mut self.iovs {
            let mut uio = *template.uio();
            uio.uio_iov = iov.as_mut_ptr();
            uio.uio_iovcnt = iov.len() as c_int;
            self.uios.push(uio);
        }
        let mut data = [template.data(from, len), template.data(to, room)];
        for (data, (uio, iov)) in data.iter_mut().zip(self.uios.iter_mut().zip(&self.iovs)) {
            if self.pieces {
                data.cdu.cdu_uio = uio;
            } else {
                data.cd_format = kcfaes_provider::kcf::CRYPTO_DATA_RAW;
                data.cdu.cdu_raw = iov[0];
            }
        }
        (data[0], data[1])
    }

    fn bytes(&self) -> Vec<u8> {
        // The lists write behind the borrow checker's back.
        core::hint::black_box(&self.memory).to_vec()
    }
}
