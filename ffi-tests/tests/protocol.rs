// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each call says in `cd_length` and `cd_offset`, and what it leaves alone, call by call. Results:
//! success, BUFFER_TOO_SMALL with a retry on the same context, any other failure. Output: apart, NULL, in
//! the input's struct, in a second struct over the same bytes. `Bench::call` asserts for each call that
//! offsets, lists and the input's struct stay as they were.

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Message, Out, Request, Way};
use kcfaes_ffi_tests::kernel::Ledger;
use kcfaes_ffi_tests::sample::{AAD, Answer, Bench, KEY, Place, Sample};
use kcfaes_provider::kcf::{
    CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE,
    CRYPTO_ENCRYPTED_DATA_LEN_RANGE, CRYPTO_INVALID_MAC, CRYPTO_SUCCESS,
};
use kcfaes_vectors::Mode;

/// Every format with itself, and with a different one.
const FORMATS: [(Format, Format); 6] = [
    (Format::Raw, Format::Raw),
    (Format::Uio, Format::Uio),
    (Format::Mblk, Format::Mblk),
    (Format::Raw, Format::Uio),
    (Format::Uio, Format::Mblk),
    (Format::Mblk, Format::Raw),
];

/// Bytes of a piece.
const PIECES: [usize; 3] = [7, 16, 4096];

/// Every format, with the lengths of its pieces if it has any.
fn shapes() -> impl Iterator<Item = ((Format, Format), usize)> {
    FORMATS.into_iter().flat_map(|formats| PIECES.map(|piece| (formats, piece)))
}

fn begin(sample: &Sample) -> Message {
    sample.request().init(sample.way, None).unwrap_or_else(|rv| panic!("init: {rv:#x}"))
}

/// A single call on a context, or an atomic call. The caller knows which one it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Atomic,
    Single,
}

/// A whole message in one call. The context, if any, allows a second try.
struct Shot<'a> {
    sample: &'a Sample,
    message: Option<Message>,
}

impl<'a> Shot<'a> {
    fn new(whole: Whole, sample: &'a Sample) -> Self {
        Self { sample, message: (whole == Whole::Single).then(|| begin(sample)) }
    }

    fn call(&mut self, bench: &mut Bench, input_len: usize, room: usize) -> Answer {
        let Self { sample, message } = self;
        bench.call((0, input_len), (0, room), |src, dst| match message {
            Some(message) => message.single(src, dst),
            None => sample.request().atomic(sample.way, None, src, dst),
        })
    }
}

/// What `cd_length` of a separate output says after a success: the bytes produced. If a MAC is computed on
/// a context, `cd_length` stays.
fn said(whole: Whole, sample: &Sample, room: usize) -> usize {
    let unsaid = whole == Whole::Single && sample.mode.is_mac() && !sample.verifies();
    if unsaid { room } else { sample.output.len() }
}

fn whole_apart(whole: Whole) {
    let ledger = Ledger::begin();
    for (formats, piece) in shapes() {
        for sample in Sample::all(45) {
            let name = sample.name();
            let (len, needed) = (sample.input.len(), sample.output.len());
            let room = needed + 9;
            let mut bench = Bench::new(Place::Apart, formats, piece, &sample.input, room);
            let mut shot = Shot::new(whole, &sample);
            if needed > 0 {
                for short in [needed - 1, needed / 2, 0] {
                    let answer = shot.call(&mut bench, len, short);
                    assert_eq!(answer.rv, CRYPTO_BUFFER_TOO_SMALL, "{name} with {short}");
                    assert_eq!(answer.output_length, Some(needed), "{name} with {short}");
                    assert_eq!(bench.output(), vec![FILL; room], "{name} with {short}");
                }
            }
            let answer = shot.call(&mut bench, len, room);
            assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name} {formats:?} pieces of {piece}");
            assert_eq!(answer.output_length, Some(said(whole, &sample, room)), "{name}");
            assert_eq!(bench.output()[..needed], sample.output, "{name} {formats:?}");
            assert_eq!(bench.output()[needed..], [FILL; 9], "{name}: behind the output");
            assert_eq!(bench.message(), sample.input, "{name}: input");
            bench.check_around();
        }
    }
    ledger.settle();
}

#[test]
fn atomic_apart() {
    whole_apart(Whole::Atomic);
}

#[test]
fn single_apart() {
    whole_apart(Whole::Single);
}

/// In place with one struct, the caller learns only the return value, because `cd_length` stays. For a GCM
/// or CCM decryption it still counts the tag. It becomes 0 if GMAC verifies on a context. GCM and CCM
/// encryption cannot work so: they need more room than the struct can state, and its `cd_length` becomes
/// the size needed. A twin is told as any output is.
fn whole_in_place(whole: Whole, place: Place) {
    let ledger = Ledger::begin();
    for (formats, piece) in shapes().filter(|((a, b), _)| a == b) {
        for sample in Sample::all(45) {
            let name = format!("{} {place:?} {formats:?} pieces of {piece}", sample.name());
            let (len, needed) = (sample.input.len(), sample.output.len());
            let mut bench = Bench::new(place, formats, piece, &sample.input, needed);
            let mut shot = Shot::new(whole, &sample);
            let mut before = sample.input.clone();
            before.resize(len.max(needed), FILL);
            if place == Place::Twin && needed > 0 {
                let answer = shot.call(&mut bench, len, needed - 1);
                assert_eq!(answer.rv, CRYPTO_BUFFER_TOO_SMALL, "{name}");
                assert_eq!(answer.output_length, Some(needed), "{name}");
                assert_eq!(bench.message(), sample.input, "{name}");
            }
            let answer = shot.call(&mut bench, len, needed);
            if place.one_struct() && needed > len {
                assert_eq!(answer.rv, CRYPTO_BUFFER_TOO_SMALL, "{name}");
                assert_eq!(answer.input_length, needed, "{name}");
                assert_eq!(bench.message(), sample.input, "{name}");
                if let Some(message) = shot.message {
                    message.cancel();
                }
                continue;
            }
            assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name}");
            let verified = whole == Whole::Single && sample.mode.is_mac() && sample.verifies();
            let stays = if verified && place.one_struct() { 0 } else { len };
            assert_eq!(answer.input_length, stays, "{name}");
            if place == Place::Twin {
                assert_eq!(answer.output_length, Some(said(whole, &sample, needed)), "{name}");
            }
            assert_eq!(bench.output(), sample.output, "{name}");
            let behind = bench.message();
            let untouched = behind.get(needed..).unwrap_or_default();
            assert_eq!(untouched, &before[needed..len.max(needed)], "{name}: behind the output");
            bench.check_around();
        }
    }
    ledger.settle();
}

#[test]
fn atomic_in_place_null() {
    whole_in_place(Whole::Atomic, Place::Null);
}

#[test]
fn atomic_in_place_same_struct() {
    whole_in_place(Whole::Atomic, Place::Same);
}

#[test]
fn atomic_two_structs_over_the_same_bytes() {
    whole_in_place(Whole::Atomic, Place::Twin);
}

#[test]
fn single_in_place_null() {
    whole_in_place(Whole::Single, Place::Null);
}

#[test]
fn single_in_place_same_struct() {
    whole_in_place(Whole::Single, Place::Same);
}

#[test]
fn single_two_structs_over_the_same_bytes() {
    whole_in_place(Whole::Single, Place::Twin);
}

/// A part without a byte does not begin the message. The whole message may follow it.
#[test]
fn single_behind_an_empty_part() {
    let ledger = Ledger::begin();
    for (formats, piece) in shapes() {
        for sample in Sample::all(45) {
            let (len, room) = (sample.input.len(), sample.output.len());
            let mut bench = Bench::new(Place::Apart, formats, piece, &sample.input, room);
            let mut shot = Shot::new(Whole::Single, &sample);
            let message = shot.message.as_mut().expect("a context");
            let answer = bench.call((0, 0), (0, room), |src, dst| message.update(src, dst));
            assert_eq!(answer.rv, CRYPTO_SUCCESS, "{}: an empty part", sample.name());
            let answer = shot.call(&mut bench, len, room);
            assert_eq!(answer.rv, CRYPTO_SUCCESS, "{} {formats:?}", sample.name());
            assert_eq!(bench.output(), sample.output, "{} {formats:?}", sample.name());
        }
    }
    ledger.settle();
}

/// A forged message: INVALID_MAC, and `cd_length` as at entry. Bytes that are the input's are as before;
/// others are zero.
#[test]
fn forged_message_restores_lengths() {
    let ledger = Ledger::begin();
    for whole in [Whole::Atomic, Whole::Single] {
        for place in Place::ALL {
            for (formats, piece) in shapes().filter(|((a, b), _)| a == b) {
                for mode in [Mode::Ccm, Mode::Gcm, Mode::Gmac] {
                    let mut sample = Sample::new(mode, Way::Decrypt, 45);
                    *sample.input.last_mut().expect("a tag") ^= 1;
                    let name = format!("{} {whole:?} {place:?} {formats:?}", sample.name());
                    let (len, pt_len) = (sample.input.len(), sample.output.len());
                    let room = pt_len + 5;
                    let mut bench = Bench::new(place, formats, piece, &sample.input, room);
                    let answer = Shot::new(whole, &sample).call(&mut bench, len, room);
                    assert_eq!(answer.rv, CRYPTO_INVALID_MAC, "{name}");
                    assert_eq!(answer.input_length, len, "{name}");
                    assert_eq!(bench.message(), sample.input, "{name}");
                    if place == Place::Apart {
                        let mut left = vec![0; pt_len];
                        left.resize(room, FILL);
                        assert_eq!(bench.output(), left, "{name}");
                    }
                    if let Some(length) = answer.output_length {
                        assert_eq!(length, room, "{name}");
                    }
                    bench.check_around();
                }
            }
        }
    }
    ledger.settle();
}

/// An AEAD input that is shorter than its tag. No length is computed from it.
#[test]
fn input_shorter_than_its_tag() {
    let ledger = Ledger::begin();
    for whole in [Whole::Atomic, Whole::Single] {
        for place in Place::ALL {
            for (mode, len) in [Mode::Ccm, Mode::Gcm, Mode::Gmac]
                .into_iter()
                .flat_map(|m| (0..16).map(move |n| (m, n)))
            {
                let sample = Sample::new(mode, Way::Decrypt, 45);
                let bytes = &sample.input[..len];
                let formats = (Format::Uio, Format::Uio);
                let mut bench = Bench::new(place, formats, 5, bytes, 30);
                let answer = Shot::new(whole, &sample).call(&mut bench, len, 30);
                assert_eq!(answer.rv, CRYPTO_ENCRYPTED_DATA_LEN_RANGE, "{mode:?} {place:?} {len}");
                assert_eq!(answer.input_length, len);
                assert_eq!(answer.output_length.unwrap_or(30), 30);
                assert_eq!(bench.message(), bytes);
                bench.check_around();
            }
        }
    }
    ledger.settle();
}

/// The same for tags of every length, in one call and in parts. A tag alone is a message without text.
#[test]
fn input_shorter_than_its_tag_of_every_length() {
    let ledger = Ledger::begin();
    let gcm = [4, 8, 12, 13, 14, 15, 16].map(|tag_len| (Mode::Gcm, tag_len));
    let ccm = [4, 6, 8, 10, 12, 14, 16].map(|tag_len| (Mode::Ccm, tag_len));
    for (mode, tag_len) in gcm.into_iter().chain(ccm) {
        let request = || Request::new(mode, &KEY, &[0x5c; 12], 0, &AAD, tag_len).for_text(0);
        let (mut none, mut room) =
            (Buffer::room(Format::Raw, 0, &[]), Buffer::room(Format::Raw, 16, &[]));
        let mut tag = room.data(0, tag_len);
        let rv = request().atomic(Way::Encrypt, None, &mut none.data(0, 0), Some(&mut tag));
        assert_eq!((rv, tag.cd_length), (CRYPTO_SUCCESS, tag_len));
        let tag = room.bytes();
        for len in 0..=tag_len {
            let want = if len == tag_len {
                (CRYPTO_SUCCESS, 0)
            } else {
                (CRYPTO_ENCRYPTED_DATA_LEN_RANGE, 9)
            };
            for (formats, piece) in shapes() {
                let name = format!("{mode:?} tag {tag_len}, {len} bytes, {formats:?}");
                let bench = || Bench::new(Place::Apart, formats, piece, &tag[..len], 9);
                for whole in [Whole::Atomic, Whole::Single] {
                    let (mut bench, mut request) = (bench(), request());
                    let answer = bench.call((0, len), (0, 9), |src, dst| match whole {
                        Whole::Atomic => request.atomic(Way::Decrypt, None, src, dst),
                        Whole::Single => {
                            request.init(Way::Decrypt, None).expect("init").single(src, dst)
                        }
                    });
                    assert_eq!((answer.rv, answer.output_length), (want.0, Some(want.1)), "{name}");
                    assert_eq!(bench.output(), [FILL; 9], "{name}");
                }
                let mut bench = bench();
                let mut message = request().init(Way::Decrypt, None).expect("init");
                let answer = bench.call((0, len), (0, 9), |src, dst| message.update(src, dst));
                assert_eq!((answer.rv, answer.output_length), (CRYPTO_SUCCESS, Some(0)), "{name}");
                let answer = bench.finish((0, 9), |dst| message.finish(Some(dst)));
                assert_eq!(answer, want, "{name}: in parts");
                assert_eq!(bench.output(), [FILL; 9], "{name}");
            }
        }
    }
    ledger.settle();
}

/// Every length, first with one byte of room too few and then with enough.
#[test]
fn needed_less_one_at_every_length() {
    let ledger = Ledger::begin();
    for len in 0..=80 {
        for sample in Sample::all(len) {
            let needed = sample.output.len();
            let formats = (Format::Uio, Format::Mblk);
            let mut bench = Bench::new(Place::Apart, formats, 5, &sample.input, needed);
            for whole in [Whole::Atomic, Whole::Single] {
                let mut shot = Shot::new(whole, &sample);
                let name = format!("{} {whole:?} {len}", sample.name());
                if needed > 0 {
                    let answer = shot.call(&mut bench, sample.input.len(), needed - 1);
                    assert_eq!(answer.rv, CRYPTO_BUFFER_TOO_SMALL, "{name}");
                    assert_eq!(answer.output_length, Some(needed), "{name}");
                }
                let answer = shot.call(&mut bench, sample.input.len(), needed);
                assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name}");
                assert_eq!(bench.output(), sample.output, "{name}");
            }
        }
    }
    ledger.settle();
}

/// Samples whose update produces text. Not MACs, and not decryption by GCM or CCM.
fn text_samples(len: usize) -> impl Iterator<Item = Sample> {
    Sample::all(len).into_iter().filter(|sample| match (sample.mode, sample.way) {
        (Mode::Gmac | Mode::Cmac, _) => false,
        (Mode::Gcm | Mode::Ccm, way) => way == Way::Encrypt,
        _ => true,
    })
}

/// Lengths of parts. Between the parts, partial blocks of every length wait.
const PARTS: [usize; 7] = [20, 1, 0, 17, 15, 3, 40];

/// What an update must produce after `taken` bytes have come and `given` bytes were produced.
fn ready(sample: &Sample, taken: usize, given: usize) -> usize {
    match (sample.mode, sample.way) {
        (Mode::Ctr, _) => taken - given,
        (Mode::Gcm, Way::Decrypt) => (taken.saturating_sub(16) & !15) - given,
        _ => (taken & !15) - given,
    }
}

#[test]
fn update_apart() {
    let ledger = Ledger::begin();
    let streaming = Sample::new(Mode::Gcm, Way::Decrypt, 80);
    for (formats, piece) in shapes() {
        for sample in text_samples(96).chain([streaming.clone()]) {
            let name = format!("{} {formats:?} pieces of {piece}", sample.name());
            let total = sample.output.len();
            let mut bench = Bench::new(Place::Apart, formats, piece, &sample.input, total);
            let mut message = begin(&sample);
            let (mut taken, mut given) = (0, 0);
            for n in PARTS {
                let needed = ready(&sample, taken + n, given);
                // A first part with too little room makes GCM decryption buffer instead.
                if needed > 0 && taken > 0 {
                    let before = bench.output();
                    let answer = bench
                        .call((taken, n), (given, needed - 1), |src, dst| message.update(src, dst));
                    assert_eq!(answer.rv, CRYPTO_BUFFER_TOO_SMALL, "{name} at {taken}");
                    assert_eq!(answer.output_length, Some(needed), "{name} at {taken}");
                    assert_eq!(bench.output(), before, "{name} at {taken}");
                }
                let answer = bench
                    .call((taken, n), (given, total - given), |src, dst| message.update(src, dst));
                assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name} at {taken}");
                assert_eq!(answer.output_length, Some(needed), "{name} at {taken}");
                taken += n;
                given += needed;
            }
            assert_eq!(taken, 96);
            let (rv, length) =
                bench.finish((given, total - given), |dst| message.finish(Some(dst)));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            assert_eq!(length, total - given, "{name}");
            assert_eq!(bench.output(), sample.output, "{name}");
            assert_eq!(bench.message(), sample.input, "{name}");
            bench.check_around();
        }
    }
    ledger.settle();
}

/// In place an update leaves `cd_length` alone; a twin is told. Both may leave a partial block waiting. The
/// tests of stock bug B6 cover what follows one.
#[test]
fn update_in_place() {
    let ledger = Ledger::begin();
    for place in [Place::Null, Place::Same, Place::Twin] {
        for (formats, piece) in shapes().filter(|((a, b), _)| a == b) {
            for sample in text_samples(85) {
                let name = format!("{} {place:?} {formats:?} pieces of {piece}", sample.name());
                let mut bench =
                    Bench::new(place, formats, piece, &sample.input, sample.output.len());
                let mut message = begin(&sample);
                let (mut taken, mut given) = (0, 0);
                for n in [32, 0, 16, sample.input.len() - 48] {
                    let answer =
                        bench.call((taken, n), (given, n), |src, dst| message.update(src, dst));
                    taken += n;
                    let produced = ready(&sample, taken, given);
                    given += produced;
                    assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name} at {taken}");
                    assert_eq!(answer.input_length, n, "{name} at {taken}");
                    assert_eq!(
                        answer.output_length.unwrap_or(produced),
                        produced,
                        "{name} at {taken}"
                    );
                }
                assert_eq!(bench.output()[..given], sample.output[..given], "{name}");
                assert_eq!(bench.message()[given..], sample.input[given..], "{name}: behind");
                bench.check_around();
                message.cancel();
            }
        }
    }
    ledger.settle();
}

/// An update that fails for a reason other than room restores both structs and consumes nothing. The
/// message goes on.
#[test]
fn update_failure_consumes_nothing() {
    let ledger = Ledger::begin();
    for sample in Sample::all(64) {
        let name = sample.name();
        let mut message = begin(&sample);
        let room = sample.output.len();
        let mut output = Buffer::room(Format::Raw, room, &[]);
        let mut given = 0;
        for (start, n) in [(0, 25), (25, sample.input.len() - 25)] {
            // The list ends before the window does.
            let mut short = Buffer::new(Format::Uio, &sample.input[start..start + n], &[1, n - 1]);
            let mut src = short.data(1, n);
            let mut dst = output.data(given, room - given);
            let before = output.bytes();
            let rv = message.update(&mut src, Some(&mut dst));
            assert_eq!(rv, CRYPTO_DATA_LEN_RANGE, "{name}");
            assert_eq!((src.cd_length, src.cd_offset), (n, 1), "{name}");
            assert_eq!((dst.cd_length, dst.cd_offset), (room - given, given as i64), "{name}");
            assert_eq!(output.bytes(), before, "{name}");

            let mut dst = output.data(given, room - given);
            assert_eq!(
                message.update(&mut short.data(0, n), Some(&mut dst)),
                CRYPTO_SUCCESS,
                "{name}"
            );
            if sample.way != Way::Mac {
                given += dst.cd_length;
            }
        }
        let mut dst = output.data(given, room - given);
        assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS, "{name}");
        assert_eq!(output.bytes(), sample.output, "{name}");
    }
    ledger.settle();
}

/// GCM, CCM and GMAC decryption, and MACs, absorb their input. With NULL `cd_length` stays. A separate
/// struct is told 0, and its room does not matter.
#[test]
fn absorbing_update_says_nothing_came_out() {
    let ledger = Ledger::begin();
    for place in Place::ALL {
        for (mode, way) in [
            (Mode::Gcm, Way::Decrypt),
            (Mode::Ccm, Way::Decrypt),
            (Mode::Gmac, Way::Decrypt),
            (Mode::Gmac, Way::Encrypt),
            (Mode::Cmac, Way::Encrypt),
        ] {
            let sample = Sample::new(mode, way, 45);
            let name = format!("{} {place:?}", sample.name());
            let formats = (Format::Mblk, Format::Mblk);
            let mut bench = Bench::new(place, formats, 7, &sample.input, sample.output.len());
            let mut message = begin(&sample);
            let mut taken = 0;
            for n in [17, 0, 1, sample.input.len() - 18] {
                // Too little room for streaming.
                let answer = bench.call((taken, n), (0, 0), |src, dst| message.update(src, dst));
                assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name}");
                assert_eq!(answer.input_length, n, "{name}");
                assert_eq!(answer.output_length.unwrap_or(0), 0, "{name}");
                taken += n;
            }
            assert_eq!(bench.message(), sample.input, "{name}");
            let room = sample.output.len();
            if place == Place::Apart {
                let (rv, length) = bench.finish((0, room), |dst| message.finish(Some(dst)));
                assert_eq!((rv, length), (CRYPTO_SUCCESS, room), "{name}");
                assert_eq!(bench.output(), sample.output, "{name}");
            } else {
                message.cancel();
            }
            bench.check_around();
        }
    }
    ledger.settle();
}

/// ECB and CBC: `cd_length` becomes 0. Bytes that make no full block have one code for each direction.
#[test]
fn final_ecb_cbc() {
    let ledger = Ledger::begin();
    for mode in [Mode::Ecb, Mode::Cbc] {
        for way in [Way::Encrypt, Way::Decrypt] {
            let sample = Sample::new(mode, way, 48);
            let ragged = match way {
                Way::Decrypt => CRYPTO_ENCRYPTED_DATA_LEN_RANGE,
                _ => CRYPTO_DATA_LEN_RANGE,
            };
            for len in 0..=48 {
                let formats = (Format::Uio, Format::Uio);
                let mut bench = Bench::new(Place::Apart, formats, 7, &sample.input, 48);
                let mut message = begin(&sample);
                let answer = bench.call((0, len), (0, 48), |src, dst| message.update(src, dst));
                assert_eq!(answer.rv, CRYPTO_SUCCESS);
                let (rv, length) = bench.finish((0, 48), |dst| message.finish(Some(dst)));
                let expected = if len % 16 == 0 { (CRYPTO_SUCCESS, 0) } else { (ragged, 48) };
                assert_eq!((rv, length), expected, "{mode:?} {way:?} {len}");
            }
            // There is nothing to write, so a missing output is no fault.
            assert_eq!(begin(&sample).finish(None), CRYPTO_SUCCESS);
        }
    }
    ledger.settle();
}

/// CTR: `cd_length` and the bytes stay as they are, whatever came before.
#[test]
fn final_ctr_changes_nothing() {
    let ledger = Ledger::begin();
    for way in [Way::Encrypt, Way::Decrypt] {
        for len in [0, 1, 16, 37] {
            let sample = Sample::new(Mode::Ctr, way, len);
            let formats = (Format::Raw, Format::Uio);
            let mut bench = Bench::new(Place::Apart, formats, 7, &sample.input, len + 30);
            let mut message = begin(&sample);
            bench.call((0, len), (0, len), |src, dst| message.update(src, dst));
            let before = bench.output();
            let (rv, length) = bench.finish((len, 30), |dst| message.finish(Some(dst)));
            assert_eq!((rv, length), (CRYPTO_SUCCESS, 30));
            assert_eq!(bench.output(), before);
        }
        assert_eq!(begin(&Sample::new(Mode::Ctr, way, 5)).finish(None), CRYPTO_SUCCESS);
    }
    ledger.settle();
}

/// GCM and CCM encryption. Tail and tag are at `cd_offset`, `cd_length` is their length, and the offset is
/// restored. So a consumer that reads either of the two finds the length. Too little `cd_length` is
/// DATA_LEN_RANGE. A list that is too short is BUFFER_TOO_SMALL, after which final works.
#[test]
fn final_gcm_encrypt() {
    final_aead_encrypt(Mode::Gcm);
}

#[test]
fn final_ccm_encrypt() {
    final_aead_encrypt(Mode::Ccm);
}

fn final_aead_encrypt(mode: Mode) {
    let ledger = Ledger::begin();
    for (_, format) in FORMATS {
        for len in [0, 1, 15, 16, 37, 48] {
            let sample = Sample::new(mode, Way::Encrypt, len);
            let (given, tail) = (len & !15, (len & 15) + 16);
            let update = |bench: &mut Bench| {
                let mut message = begin(&sample);
                let answer = bench.call((0, len), (0, given), |src, dst| message.update(src, dst));
                assert_eq!((answer.rv, answer.output_length), (CRYPTO_SUCCESS, Some(given)));
                message
            };
            let bench =
                || Bench::new(Place::Apart, (format, format), 5, &sample.input, given + tail);
            for short in [0, tail - 1] {
                let mut bench = bench();
                let mut message = update(&mut bench);
                let before = bench.output();
                let answer = bench.finish((given, short), |dst| message.finish(Some(dst)));
                assert_eq!(answer, (CRYPTO_DATA_LEN_RANGE, short), "{len} {format:?}");
                assert_eq!(bench.output(), before);
            }
            let mut bench = bench();
            let mut message = update(&mut bench);
            let mut list = Buffer::room(format, tail - 1, &[5, tail - 6]);
            let mut dst = list.data(0, tail);
            // A raw buffer that is too short has no list that ends, but the result is the same.
            assert_eq!(message.finish(Some(&mut dst)), CRYPTO_BUFFER_TOO_SMALL, "{len} {format:?}");
            assert_eq!((dst.cd_length, dst.cd_offset), (tail, 0));
            assert_eq!(list.bytes(), vec![FILL; tail - 1]);
            let answer = bench.finish((given, tail), |dst| message.finish(Some(dst)));
            assert_eq!(answer, (CRYPTO_SUCCESS, tail), "{len} {format:?}");
            assert_eq!(bench.output(), sample.output);
            bench.check_around();
        }
    }
    let sample = Sample::new(mode, Way::Encrypt, 5);
    assert_eq!(begin(&sample).finish(None), CRYPTO_ARGUMENTS_BAD);
    ledger.settle();
}

/// A MAC through the MAC group and as a cipher: 16 bytes at `cd_offset`, which is restored.
#[test]
fn final_gmac() {
    final_mac(Mode::Gmac);
}

#[test]
fn final_cmac() {
    final_mac(Mode::Cmac);
}

fn final_mac(mode: Mode) {
    let ledger = Ledger::begin();
    for way in [Way::Mac, Way::Encrypt] {
        for (_, format) in FORMATS {
            let sample = Sample::new(mode, way, 45);
            let start = || {
                let mut message = begin(&sample);
                let mut input = Buffer::new(format, &sample.input, &[20, 25]);
                let rv = message.update(&mut input.data(0, 45), None);
                assert_eq!(rv, CRYPTO_SUCCESS);
                message
            };
            let mut bench = Bench::new(Place::Apart, (format, format), 5, &[], 20);
            let answer = bench.finish((0, 15), |dst| start().finish(Some(dst)));
            assert_eq!(answer, (CRYPTO_DATA_LEN_RANGE, 15), "{way:?} {format:?}");
            assert_eq!(bench.output(), [FILL; 20]);

            let mut message = start();
            let mut list = Buffer::room(format, 15, &[5, 10]);
            let mut dst = list.data(0, 16);
            assert_eq!(message.finish(Some(&mut dst)), CRYPTO_BUFFER_TOO_SMALL);
            assert_eq!((dst.cd_length, list.bytes()), (16, vec![FILL; 15]));
            let answer = bench.finish((0, 20), |dst| message.finish(Some(dst)));
            assert_eq!(answer, (CRYPTO_SUCCESS, 16), "{way:?} {format:?}");
            assert_eq!(bench.output()[..16], sample.output);
            bench.check_around();
            assert_eq!(start().finish(None), CRYPTO_ARGUMENTS_BAD);
        }
    }
    ledger.settle();
}

/// GMAC as a decryption: final has nothing to write to any output, and says so.
#[test]
fn final_gmac_decrypt() {
    let ledger = Ledger::begin();
    for (_, format) in FORMATS {
        for forged in [false, true] {
            let mut sample = Sample::new(Mode::Gmac, Way::Decrypt, 45);
            sample.input[3] ^= u8::from(forged);
            let start = || {
                let mut message = begin(&sample);
                let mut input = Buffer::new(format, &sample.input, &[20, 41]);
                assert_eq!(message.update(&mut input.data(0, 61), None), CRYPTO_SUCCESS);
                message
            };
            let rv = if forged { CRYPTO_INVALID_MAC } else { CRYPTO_SUCCESS };
            let mut bench = Bench::new(Place::Apart, (format, format), 5, &[], 20);
            let answer = bench.finish((0, 9), |dst| start().finish(Some(dst)));
            assert_eq!(answer, (rv, if forged { 9 } else { 0 }), "{format:?}");
            assert_eq!(bench.output(), [FILL; 20]);
            assert_eq!(start().finish(None), rv);
        }
    }
    ledger.settle();
}

/// One call for the rest of a message that has begun in parts. Without a tag to come it works as an update
/// and final do. With a tag it is refused. Bytes of a partial block that wait make the length ragged, also if the
/// rest ends with as many bytes of a block (8).
#[test]
fn single_behind_an_update() {
    let ledger = Ledger::begin();
    for first in [0, 5, 8, 16] {
        for sample in Sample::all(64) {
            let name = format!("{} behind {first}", sample.name());
            let (len, room) = (sample.input.len(), sample.output.len());
            let formats = (Format::Uio, Format::Mblk);
            let mut bench = Bench::new(Place::Apart, formats, 7, &sample.input, room);
            let mut message = begin(&sample);
            let answer = bench.call((0, first), (0, room), |src, dst| message.update(src, dst));
            assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name}");
            let given = if sample.way == Way::Mac { 0 } else { answer.output_length.unwrap_or(0) };
            let (before, left) = (bench.output(), room - given);
            let answer = bench
                .call((first, len - first), (given, left), |src, dst| message.single(src, dst));
            let want = match sample.mode {
                Mode::Ecb | Mode::Cbc if first % 16 > 0 => match sample.way {
                    Way::Decrypt => CRYPTO_ENCRYPTED_DATA_LEN_RANGE,
                    _ => CRYPTO_DATA_LEN_RANGE,
                },
                Mode::Gcm | Mode::Ccm if first > 0 => CRYPTO_ARGUMENTS_BAD,
                _ => CRYPTO_SUCCESS,
            };
            let said = if sample.mode == Mode::Gmac && sample.verifies() { 0 } else { left };
            assert_eq!((answer.rv, answer.output_length), (want, Some(said)), "{name}");
            let after = if want == CRYPTO_SUCCESS { sample.output.clone() } else { before };
            assert_eq!(bench.output(), after, "{name}");
        }
    }
    ledger.settle();
}

/// GCM decryption that has buffered, and CCM decryption, which always does: all plaintext comes at the end.
/// One byte of room too few reports the length and keeps the context. A forged message leaves length and
/// bytes.
#[test]
fn final_gcm_decrypt_buffered() {
    final_decrypt_buffered(Mode::Gcm);
}

#[test]
fn final_ccm_decrypt() {
    final_decrypt_buffered(Mode::Ccm);
}

fn final_decrypt_buffered(mode: Mode) {
    let ledger = Ledger::begin();
    for (_, format) in FORMATS {
        for len in [0, 1, 16, 45] {
            let mut sample = Sample::new(mode, Way::Decrypt, len);
            for forged in [false, true] {
                if forged {
                    sample.input[len] ^= 0x80;
                }
                let mut bench =
                    Bench::new(Place::Apart, (format, format), 5, &sample.input, len + 3);
                let mut message = begin(&sample);
                for (from, n) in [(0, len / 2), (len / 2, len + 16 - len / 2)] {
                    let answer =
                        bench.call((from, n), (0, 0), |src, _| message.update(src, Out::Null));
                    assert_eq!(answer.rv, CRYPTO_SUCCESS);
                }
                for _ in 0..2 {
                    if len > 0 {
                        let answer = bench.finish((0, len - 1), |dst| message.finish(Some(dst)));
                        assert_eq!(answer, (CRYPTO_BUFFER_TOO_SMALL, len), "{len} {format:?}");
                        assert_eq!(bench.output(), vec![FILL; len + 3]);
                    }
                }
                let answer = bench.finish((0, len + 3), |dst| message.finish(Some(dst)));
                let mut left = vec![FILL; len + 3];
                if forged {
                    assert_eq!(answer, (CRYPTO_INVALID_MAC, len + 3), "{len} {format:?}");
                } else {
                    assert_eq!(answer, (CRYPTO_SUCCESS, len), "{len} {format:?}");
                    left[..len].copy_from_slice(&sample.output);
                }
                assert_eq!(bench.output(), left);
                bench.check_around();
            }
        }
    }
    ledger.settle();
}

/// GCM decryption that streams: final writes the rest, with the same rules.
#[test]
fn final_gcm_decrypt_streaming() {
    let ledger = Ledger::begin();
    for (_, format) in FORMATS {
        for (len, forged) in [(45, false), (45, true), (48, false), (16, true)] {
            let mut sample = Sample::new(Mode::Gcm, Way::Decrypt, len);
            if forged {
                sample.input[len + 3] ^= 0x80;
            }
            let mut bench = Bench::new(Place::Apart, (format, format), 5, &sample.input, len);
            let mut message = begin(&sample);
            let answer = bench.call((0, len + 16), (0, len), |src, dst| message.update(src, dst));
            let given = len & !15;
            assert_eq!((answer.rv, answer.output_length), (CRYPTO_SUCCESS, Some(given)));
            let rest = len - given;
            let before = bench.output();
            if rest > 0 {
                let answer = bench.finish((given, rest - 1), |dst| message.finish(Some(dst)));
                assert_eq!(answer, (CRYPTO_BUFFER_TOO_SMALL, rest));
                assert_eq!(bench.output(), before);
            }
            let answer = bench.finish((given, len - given), |dst| message.finish(Some(dst)));
            if forged {
                assert_eq!(answer, (CRYPTO_INVALID_MAC, rest));
                assert_eq!(bench.output(), before);
            } else {
                assert_eq!(answer, (CRYPTO_SUCCESS, rest));
                assert_eq!(bench.output(), sample.output);
            }
            bench.check_around();
        }
    }
    ledger.settle();
}

/// A decryption in parts that ends with fewer bytes than a tag.
#[test]
fn final_decrypt_shorter_than_its_tag() {
    let ledger = Ledger::begin();
    for mode in [Mode::Ccm, Mode::Gcm, Mode::Gmac] {
        for (len, room) in (0..16).flat_map(|len| [(len, 0), (len, 40)]) {
            let sample = Sample::new(mode, Way::Decrypt, 45);
            let formats = (Format::Uio, Format::Uio);
            let mut bench = Bench::new(Place::Apart, formats, 5, &sample.input, 40);
            let mut message = begin(&sample);
            let answer = bench.call((0, len), (0, room), |src, dst| message.update(src, dst));
            assert_eq!(answer.rv, CRYPTO_SUCCESS);
            let answer = bench.finish((0, 40), |dst| message.finish(Some(dst)));
            assert_eq!(answer, (CRYPTO_ENCRYPTED_DATA_LEN_RANGE, 40), "{mode:?} {len}");
            assert_eq!(bench.output(), [FILL; 40]);
        }
    }
    ledger.settle();
}

/// CCM keeps to the declared length, in both directions. More bytes are refused as they come, and none of
/// them is consumed. Fewer bytes are refused at the end, and nothing is written. One call refuses both.
#[test]
fn ccm_declared_length_every_pair() {
    let ledger = Ledger::begin();
    for way in [Way::Encrypt, Way::Decrypt] {
        let refusal = match way {
            Way::Decrypt => CRYPTO_ENCRYPTED_DATA_LEN_RANGE,
            _ => CRYPTO_DATA_LEN_RANGE,
        };
        for declared in 0..=40 {
            let sample = Sample::new(Mode::Ccm, way, declared);
            let total = sample.input.len();
            let mut bytes = sample.input.clone();
            bytes.resize(80, 0x77);
            for given in 0..=60 {
                let name = format!("{way:?} {declared} declared, {given} given");
                let formats = (Format::Uio, Format::Mblk);
                let room = sample.output.len();
                for whole in [Whole::Atomic, Whole::Single] {
                    let mut bench = Bench::new(Place::Apart, formats, 7, &bytes, 80);
                    let mut shot = Shot::new(whole, &sample);
                    let answer = shot.call(&mut bench, given, 80);
                    if given == total {
                        assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name}");
                        assert_eq!(bench.output()[..room], sample.output, "{name}");
                    } else {
                        assert_eq!(
                            (answer.rv, answer.output_length),
                            (refusal, Some(80)),
                            "{name}"
                        );
                        assert_eq!(bench.output(), [FILL; 80], "{name}");
                    }
                }
                let mut bench = Bench::new(Place::Apart, formats, 7, &bytes, 80);
                let mut message = begin(&sample);
                let first = given.min(total) / 2;
                let (mut taken, mut written) = (0, 0);
                for n in [first, given - first] {
                    let fits = taken + n <= total;
                    let before = bench.output();
                    let answer = bench.call((taken, n), (written, 80 - written), |src, dst| {
                        message.update(src, dst)
                    });
                    assert_eq!(answer.rv, if fits { CRYPTO_SUCCESS } else { refusal }, "{name}");
                    if fits {
                        taken += n;
                        written += answer.output_length.unwrap_or(0);
                    } else {
                        assert_eq!(bench.output(), before, "{name}");
                        assert_eq!(answer.output_length, Some(80 - written), "{name}");
                    }
                }
                if taken < given {
                    // The part that was too long left the message as it was. The missing bytes follow.
                    let rest = total - taken;
                    let answer = bench.call((taken, rest), (written, 80 - written), |src, dst| {
                        message.update(src, dst)
                    });
                    assert_eq!(answer.rv, CRYPTO_SUCCESS, "{name}");
                    written += answer.output_length.unwrap_or(0);
                    taken = total;
                }
                let before = bench.output();
                let (rv, length) =
                    bench.finish((written, 80 - written), |dst| message.finish(Some(dst)));
                if taken == total {
                    assert_eq!((rv, written + length), (CRYPTO_SUCCESS, room), "{name}");
                    assert_eq!(bench.output()[..room], sample.output, "{name}");
                } else {
                    assert_eq!((rv, length), (refusal, 80 - written), "{name}");
                    assert_eq!(bench.output(), before, "{name}: final wrote");
                }
            }
        }
    }
    ledger.settle();
}

/// A length other than the declared one, in every format, apart and in place: nothing is written.
#[test]
fn ccm_undeclared_length_in_every_format_and_place() {
    let ledger = Ledger::begin();
    for (way, refusal) in
        [(Way::Encrypt, CRYPTO_DATA_LEN_RANGE), (Way::Decrypt, CRYPTO_ENCRYPTED_DATA_LEN_RANGE)]
    {
        for declared in [0, 1, 16, 37] {
            let sample = Sample::new(Mode::Ccm, way, declared);
            let total = sample.input.len();
            let mut bytes = sample.input.clone();
            bytes.resize(80, 0x77);
            for ((formats, piece), place) in
                shapes().flat_map(|shape| Place::ALL.map(|place| (shape, place)))
            {
                if place != Place::Apart && formats.0 != formats.1 {
                    continue;
                }
                for given in (0..=60).filter(|&given| given != total) {
                    let name = format!("{way:?} {declared}, {given} given, {place:?} {formats:?}");
                    let mut bench = Bench::new(place, formats, piece, &bytes, 80);
                    let check = |bench: &Bench, answer: Answer| {
                        assert_eq!((answer.rv, answer.input_length), (refusal, given), "{name}");
                        assert_eq!(answer.output_length.unwrap_or(80), 80, "{name}");
                        assert_eq!(bench.message(), bytes, "{name}");
                        if place == Place::Apart {
                            assert_eq!(bench.output(), [FILL; 80], "{name}");
                        }
                        bench.check_around();
                    };
                    for whole in [Whole::Atomic, Whole::Single] {
                        let answer = Shot::new(whole, &sample).call(&mut bench, given, 80);
                        check(&bench, answer);
                    }
                    if given > total {
                        let mut message = begin(&sample);
                        let answer =
                            bench.call((0, given), (0, 80), |src, dst| message.update(src, dst));
                        message.cancel();
                        check(&bench, answer);
                    }
                }
            }
        }
    }
    ledger.settle();
}

/// A CCM decryption in parts never releases text before its end, whatever output a part has: NULL, its own
/// bytes or others.
#[test]
fn ccm_decryption_in_parts_writes_at_its_end_only() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Ccm, Way::Decrypt, 100);
    for place in Place::ALL {
        for (formats, piece) in shapes().filter(|((a, b), _)| a == b) {
            let mut bench = Bench::new(place, formats, piece, &sample.input, 116);
            let mut message = begin(&sample);
            let mut taken = 0;
            for n in [33, 0, 1, 15, 16, 40, 11] {
                let answer = bench
                    .call((taken, n), (taken, 116 - taken), |src, dst| message.update(src, dst));
                assert_eq!((answer.rv, answer.input_length), (CRYPTO_SUCCESS, n), "{place:?}");
                assert_eq!(answer.output_length.unwrap_or(0), 0, "{place:?}");
                taken += n;
            }
            assert_eq!(taken, 116);
            assert_eq!(bench.message(), sample.input);
            if place == Place::Apart {
                assert_eq!(bench.output(), [FILL; 116]);
            }
            let mut room = Buffer::room(formats.1, 100, &[50, 50]);
            let mut dst = room.data(0, 100);
            assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS, "{place:?}");
            assert_eq!((dst.cd_length, room.bytes()), (100, sample.output.clone()));
        }
    }
    ledger.settle();
}

/// The first part decides whether GCM decryption streams, whatever output a later part has.
#[test]
fn gcm_decrypt_latches_by_its_first_part() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Gcm, Way::Decrypt, 64);
    let formats = (Format::Uio, Format::Mblk);
    for place in Place::ALL {
        let mut bench = Bench::new(place, formats, 9, &sample.input, 64);
        let mut message = begin(&sample);
        // Zero bytes decide nothing.
        let answer = bench.call((0, 0), (0, 0), |src, dst| message.update(src, dst));
        assert_eq!(answer.rv, CRYPTO_SUCCESS);
        let answer = bench.call((0, 40), (0, 40), |src, dst| message.update(src, dst));
        assert_eq!(answer.rv, CRYPTO_SUCCESS, "{place:?}");
        let streams = place == Place::Apart;
        assert_eq!(answer.output_length.unwrap_or(0), if streams { 16 } else { 0 }, "{place:?}");
        let mut src = Buffer::new(Format::Raw, &[&sample.input[40..], &[FILL; 8]].concat(), &[]);
        let mut dst = Buffer::room(Format::Raw, 64, &[]);
        if streams {
            // Later parts may not come without an output, or over their own bytes.
            assert_eq!(message.update(&mut src.data(0, 40), None), CRYPTO_ARGUMENTS_BAD);
            assert_eq!(message.update(&mut src.data(0, 40), Out::Same), CRYPTO_ARGUMENTS_BAD);
            let mut twin = src.data(0, 48);
            assert_eq!(message.update(&mut src.data(0, 40), Some(&mut twin)), CRYPTO_ARGUMENTS_BAD);
            let mut out = dst.data(16, 48);
            assert_eq!(message.update(&mut src.data(0, 40), Some(&mut out)), CRYPTO_SUCCESS);
            assert_eq!(out.cd_length, 48);
            let mut out = dst.data(0, 0);
            assert_eq!(message.finish(Some(&mut out)), CRYPTO_SUCCESS);
            assert_eq!(dst.bytes()[16..], sample.output[16..]);
        } else {
            let mut out = dst.data(0, 64);
            assert_eq!(message.update(&mut src.data(0, 40), Some(&mut out)), CRYPTO_SUCCESS);
            assert_eq!(out.cd_length, 0, "{place:?}");
            let mut out = dst.data(0, 64);
            assert_eq!(message.finish(Some(&mut out)), CRYPTO_SUCCESS);
            assert_eq!(dst.bytes(), sample.output, "{place:?}");
        }
    }
    ledger.settle();
}

/// A first part no longer than the tag, over its own bytes. None of it can be plaintext, but it must not
/// stream, or the next such part would be refused.
#[test]
fn gcm_decrypt_latches_to_buffering_on_a_short_twin() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Gcm, Way::Decrypt, 64);
    for first in 1..=20 {
        let mut bench = Bench::new(Place::Twin, (Format::Raw, Format::Raw), 1, &sample.input, 64);
        let mut message = begin(&sample);
        for (from, n) in [(0, first), (first, 80 - first)] {
            let answer = bench.call((from, n), (from, n), |src, dst| message.update(src, dst));
            assert_eq!((answer.rv, answer.output_length), (CRYPTO_SUCCESS, Some(0)), "{first}");
        }
        let (rv, _) = {
            let mut room = Buffer::room(Format::Raw, 64, &[]);
            let mut dst = room.data(0, 64);
            let rv = message.finish(Some(&mut dst));
            assert_eq!(room.bytes(), sample.output, "{first}");
            (rv, dst.cd_length)
        };
        assert_eq!(rv, CRYPTO_SUCCESS, "{first}");
        assert_eq!(bench.message(), sample.input);
    }
    ledger.settle();
}

/// Plaintext `cd_length` counts the tag although its iovecs do not: ZFS decrypts this way.
#[test]
fn output_list_shorter_than_its_cd_length() {
    let ledger = Ledger::begin();
    for format in Format::ALL {
        for sample in Sample::all(45) {
            let needed = sample.output.len();
            let len = sample.input.len();
            let mut input = Buffer::new(format, &sample.input, &[len - 16, 16]);
            let mut output = Buffer::room(format, needed, &[needed / 2, needed - needed / 2]);
            let mut dst = output.data(0, needed + 16);
            let mut request = sample.request();
            let rv = request.atomic(sample.way, None, &mut input.data(0, len), Some(&mut dst));
            assert_eq!(
                (rv, dst.cd_length),
                (CRYPTO_SUCCESS, needed),
                "{} {format:?}",
                sample.name()
            );
            assert_eq!(output.bytes(), sample.output, "{} {format:?}", sample.name());
            if needed == 0 {
                continue;
            }
            // One byte less than needed is too little, whatever cd_length says.
            let mut output =
                Buffer::room(format, needed - 1, &[needed / 2, needed - 1 - needed / 2]);
            let mut dst = output.data(0, needed + 16);
            let rv = request.atomic(sample.way, None, &mut input.data(0, len), Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_BUFFER_TOO_SMALL, needed), "{}", sample.name());
            assert_eq!(output.bytes(), vec![FILL; needed - 1]);
        }
    }
    ledger.settle();
}

/// lofi: one large buffer, transformed 512 bytes at a time by moving `cd_offset`. Reads work in place,
/// writes go to a second struct. The last piece ends where the buffer does.
#[test]
fn window_walks_over_one_buffer() {
    let ledger = Ledger::begin();
    let text = Sample::new(Mode::Cbc, Way::Encrypt, 4096).input;
    let (mut apart, mut back) =
        (Buffer::room(Format::Raw, 4096, &[]), Buffer::new(Format::Raw, &text, &[]));
    for at in (0..4096).step_by(512) {
        let sample = Sample::new(Mode::Cbc, Way::Encrypt, 0);
        let mut dst = apart.data(at, 512);
        let rv =
            sample.request().atomic(Way::Encrypt, None, &mut back.data(at, 512), Some(&mut dst));
        assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, 512));
        let mut src = apart.data(at, 512);
        assert_ne!(apart.bytes()[at..at + 512], text[at..at + 512]);
        assert_eq!(sample.request().atomic(Way::Decrypt, None, &mut src, None), CRYPTO_SUCCESS);
        assert_eq!(src.cd_length, 512);
    }
    assert_eq!(apart.bytes(), text);
    ledger.settle();
}
