// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cases in which the stock module answered differently, found by 400,000 random operations of both
//! modules under the real KCF. The tests check what kcfaes does; each comment says what stock does.

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Message, Out, Request, Way};
use kcfaes_ffi_tests::kernel::Ledger;
use kcfaes_ffi_tests::sample::{AAD, KEY, Sample};
use kcfaes_ffi_tests::spi::Spi;
use kcfaes_provider::kcf::{
    CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE, CRYPTO_INVALID_MAC,
    CRYPTO_KEY_SIZE_RANGE, CRYPTO_MECHANISM_PARAM_INVALID, CRYPTO_SUCCESS, UIO_SYSSPACE,
    crypto_data_t,
};
use kcfaes_vectors::Mode;

const WAYS: [Way; 2] = [Way::Encrypt, Way::Decrypt];
const LISTS: [Format; 2] = [Format::Uio, Format::Mblk];

fn begin(sample: &Sample) -> Message {
    sample.request().init(sample.way, None).expect("init")
}

fn atomic<'a>(sample: &Sample, src: &mut crypto_data_t, out: impl Into<Out<'a>>) -> c_int {
    sample.request().atomic(sample.way, None, src, out)
}

/// Both ways to say "in place".
fn in_place() -> [Out<'static>; 2] {
    [Out::Null, Out::Same]
}

/// CTR in place. Stock refuses 16 raw bytes with ARGUMENTS_BAD. For a list it answers 0 and leaves the text
/// unencrypted.
#[test]
fn ctr_in_place_is_encrypted() {
    let ledger = Ledger::begin();
    for way in WAYS {
        for len in [1, 15, 16, 17, 37, 64] {
            let sample = Sample::new(Mode::Ctr, way, len);
            for format in Format::ALL {
                for out in in_place() {
                    let cut = len / 2;
                    let mut text = Buffer::new(format, &sample.input, &[cut, len - cut]);
                    let mut src = text.data(0, len);
                    let rv = atomic(&sample, &mut src, out);
                    assert_eq!((rv, src.cd_length), (CRYPTO_SUCCESS, len), "{format:?} {len}");
                    assert_eq!(text.bytes(), sample.output, "{format:?} {len}");
                }
            }
        }
    }
    ledger.settle();
}

/// CTR to a raw output at an offset. Stock answers BUFFER_TOO_SMALL although there is room. For a chain of
/// 16 and 16 bytes it answers 0 and writes half of the text.
#[test]
fn ctr_to_a_raw_output_at_an_offset() {
    let ledger = Ledger::begin();
    for way in WAYS {
        let sample = Sample::new(Mode::Ctr, way, 32);
        let (first, second) = sample.output.split_at(16);

        let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
        let mut output = Buffer::room(Format::Raw, 32, &[]);
        let mut dst = output.data(16, 16);
        let rv = atomic(&sample, &mut input.data(0, 16), Some(&mut dst));
        assert_eq!((rv, dst.cd_length, dst.cd_offset), (CRYPTO_SUCCESS, 16, 16));
        assert_eq!(output.bytes(), [&[FILL; 16], first].concat());

        let mut output = Buffer::room(Format::Raw, 32, &[]);
        let mut message = begin(&sample);
        for at in [0, 16] {
            let mut dst = output.data(at, 16);
            let rv = message.update(&mut input.data(at, 16), Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, 16), "part at {at}");
        }
        message.cancel();
        assert_eq!(output.bytes(), [first, second].concat());

        let mut input = Buffer::new(Format::Mblk, &sample.input, &[16, 16]);
        let mut output = Buffer::room(Format::Raw, 40, &[]);
        let mut dst = output.data(8, 32);
        let rv = atomic(&sample, &mut input.data(0, 32), Some(&mut dst));
        assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, 32));
        assert_eq!(output.bytes(), [&[FILL; 8], sample.output.as_slice()].concat());
    }
    ledger.settle();
}

/// CTR to an output in two pieces. Stock follows a bad pointer if the text ends with the second piece. Into
/// pieces of 32 and 64 bytes it writes the last 16 of 48 bytes 16 bytes too far on.
#[test]
fn ctr_to_an_output_in_pieces() {
    let ledger = Ledger::begin();
    for way in WAYS {
        for (format, pieces, len) in [
            (Format::Uio, [16, 16], 32),
            (Format::Mblk, [20, 12], 32),
            (Format::Uio, [32, 64], 48),
            (Format::Mblk, [32, 64], 48),
        ] {
            let sample = Sample::new(Mode::Ctr, way, len);
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(format, pieces[0] + pieces[1], &pieces);
            let mut dst = output.data(0, len);
            let rv = atomic(&sample, &mut input.data(0, len), Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, len), "{format:?} {pieces:?}");
            let (text, rest) = (output.bytes()[..len].to_vec(), output.bytes()[len..].to_vec());
            assert_eq!(text, sample.output, "{format:?} {pieces:?}");
            assert!(rest.iter().all(|&b| b == FILL), "{format:?} {pieces:?}: past the text");
        }
    }
    ledger.settle();
}

/// CBC encryption in place, where a piece holds the end of one block, the beginning of the next and no full
/// block. Stock answers 0, and the text is wrong from the third block on.
#[test]
fn cbc_in_place_over_a_piece_without_a_whole_block() {
    let ledger = Ledger::begin();
    for way in WAYS {
        let sample = Sample::new(Mode::Cbc, way, 64);
        for format in LISTS {
            for out in in_place() {
                let mut text = Buffer::new(format, &sample.input, &[24, 16, 24]);
                let rv = atomic(&sample, &mut text.data(0, 64), out);
                assert_eq!((rv, text.bytes()), (CRYPTO_SUCCESS, sample.output.clone()));
            }
        }
    }
    ledger.settle();
}

/// A part of a GCM or CCM encryption, in place. Stock answers 0 and leaves the text unencrypted.
#[test]
fn aead_part_in_place_is_encrypted() {
    let ledger = Ledger::begin();
    for mode in [Mode::Gcm, Mode::Ccm] {
        let sample = Sample::new(mode, Way::Encrypt, 32);
        for format in Format::ALL {
            for out in in_place() {
                let mut text = Buffer::new(format, &sample.input, &[5, 27]);
                let mut message = begin(&sample);
                let mut src = text.data(0, 32);
                let rv = message.update(&mut src, out);
                assert_eq!((rv, src.cd_length), (CRYPTO_SUCCESS, 32), "{mode:?} {format:?}");
                assert_eq!(text.bytes(), sample.output[..32], "{mode:?} {format:?}");
                let mut tag = Buffer::room(Format::Raw, 16, &[]);
                assert_eq!(message.finish(Some(&mut tag.data(0, 16))), CRYPTO_SUCCESS);
                assert_eq!(tag.bytes(), sample.output[32..], "{mode:?} {format:?}");
            }
        }
    }
    ledger.settle();
}

/// Decrypts `input` by GMAC in each way. Returns the status, and `cd_length` of an output apart with 24
/// bytes of room.
fn gmac_decryptions(input: &[u8]) -> [(c_int, usize); 3] {
    let sample = Sample::new(Mode::Gmac, Way::Decrypt, 4);
    let len = input.len();
    let run = |call: fn(&Sample, &mut crypto_data_t, &mut crypto_data_t) -> c_int| {
        let mut data = Buffer::new(Format::Raw, input, &[]);
        let mut output = Buffer::room(Format::Raw, 24, &[]);
        let mut dst = output.data(0, 24);
        let rv = call(&sample, &mut data.data(0, len), &mut dst);
        assert_eq!(output.bytes(), [FILL; 24], "nothing is written");
        (rv, dst.cd_length)
    };
    [
        run(|sample, src, dst| atomic(sample, src, Some(dst))),
        run(|sample, src, dst| begin(sample).single(src, Some(dst))),
        run(|sample, src, dst| {
            let mut message = begin(sample);
            assert_eq!(message.update(src, None), CRYPTO_SUCCESS);
            message.finish(Some(dst))
        }),
    ]
}

/// GMAC as a decryption verifies the tag of parameter and data that `crypto_mac` computes. Stock decrypts
/// as GCM does. It answers INVALID_MAC; for a GCM message it answers 0 and writes the plaintext.
#[test]
fn gmac_decryption_verifies_what_mac_computes() {
    let ledger = Ledger::begin();
    for len in [0, 4, 32, 45] {
        let mac = Sample::new(Mode::Gmac, Way::Mac, len);
        let mut message = [mac.input, mac.output].concat();
        assert_eq!(gmac_decryptions(&message), [(CRYPTO_SUCCESS, 0); 3], "{len}");
        message[0] ^= 1;
        assert_eq!(gmac_decryptions(&message), [(CRYPTO_INVALID_MAC, 24); 3], "{len} forged");
        if len > 0 {
            let sealed = Sample::new(Mode::Gcm, Way::Encrypt, len).output;
            assert_eq!(gmac_decryptions(&sealed), [(CRYPTO_INVALID_MAC, 24); 3], "GCM of {len}");
        }
    }
    ledger.settle();
}

/// CMAC has no decryption group, so KCF never asks for one.
#[test]
fn kcf_refuses_a_cmac_decryption() {
    const CRYPTO_MECH_NOT_SUPPORTED: c_int = 73;
    let ledger = Ledger::begin();
    let mut request = Sample::new(Mode::Cmac, Way::Encrypt, 32).request();
    assert_eq!(request.init(Way::Decrypt, None).err(), Some(CRYPTO_MECH_NOT_SUPPORTED));
    let mut data = Buffer::room(Format::Raw, 32, &[]);
    let rv = request.atomic(Way::Decrypt, None, &mut data.data(0, 32), None);
    assert_eq!((rv, data.bytes()), (CRYPTO_MECH_NOT_SUPPORTED, vec![FILL; 32]));
    ledger.settle();
}

/// A CCM MAC of fewer than 16 bytes across two output pieces. Stock writes 16 bytes minus the MAC's length
/// past its end.
#[test]
fn ccm_mac_across_two_pieces_ends_there() {
    let ledger = Ledger::begin();
    for mac in [4, 6, 8, 10, 12, 14, 16] {
        let request = || Request::new(Mode::Ccm, &KEY, &[0x5c; 12], 0, &AAD, mac).for_text(16);
        let (text, needed) = ([7; 16], 16 + mac);
        let run = |format, pieces: &[usize]| {
            let mut input = Buffer::new(Format::Raw, &text, &[]);
            let mut output = Buffer::room(format, 84, pieces);
            let mut dst = output.data(0, needed);
            let rv = request().atomic(Way::Encrypt, None, &mut input.data(0, 16), Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, needed), "{format:?} {mac}");
            output.bytes()
        };
        let want = run(Format::Raw, &[]);
        assert!(want[needed..].iter().all(|&b| b == FILL), "{mac}");
        for format in LISTS {
            for first in 17..needed {
                assert_eq!(run(format, &[first, 84 - first]), want, "{format:?} {mac} {first}");
            }
        }
    }
    ledger.settle();
}

/// A verification by GMAC in one call on a context sets `cd_length` to 0, as final does, in place too;
/// `cd_offset` stays. Stock sets 0 at offset 0, and otherwise 0 minus the offset.
#[test]
fn gmac_verification_on_a_context_says_zero() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Gmac, Way::Decrypt, 45);
    let len = sample.input.len();
    for format in Format::ALL {
        let mut input = Buffer::new(format, &sample.input, &[20, len - 20]);
        for (offset, room) in [(0, 24), (4, 20), (0, 0)] {
            let mut output = Buffer::room(format, 24, &[7, 17]);
            let mut dst = output.data(offset, room);
            let rv = begin(&sample).single(&mut input.data(0, len), Some(&mut dst));
            let said = (rv, dst.cd_length, dst.cd_offset);
            assert_eq!(said, (CRYPTO_SUCCESS, 0, offset as i64), "{format:?} {room}");
            assert_eq!(output.bytes(), [FILL; 24]);
        }
        for out in in_place() {
            let mut src = input.data(0, len);
            let rv = begin(&sample).single(&mut src, out);
            assert_eq!((rv, src.cd_length, src.cd_offset), (CRYPTO_SUCCESS, 0, 0), "{format:?}");
        }
        assert_eq!(input.bytes(), sample.input);
        let mut forged = Buffer::new(format, &sample.input, &[20, len - 20]);
        let mut src = forged.data(0, len - 1);
        let rv = begin(&sample).single(&mut src, None);
        assert_eq!((rv, src.cd_length), (CRYPTO_INVALID_MAC, len - 1), "{format:?}");
    }
    ledger.settle();
}

/// If the MAC to verify is not 16 bytes long, that is found before any other fault, as in stock.
#[test]
fn the_length_of_a_mac_to_verify_comes_first() {
    type Damage = fn(&mut Request, &mut crypto_data_t);
    let damages: [(Damage, c_int); 4] = [
        (|_, _| {}, CRYPTO_SUCCESS),
        (|request, _| request.key.cku_data.cku_key_value.cku_v_length = 160, CRYPTO_KEY_SIZE_RANGE),
        (|_, data| data.cd_offset = 1, CRYPTO_ARGUMENTS_BAD),
        (|request, _| request.mechanism.cm_param_len = 23, CRYPTO_MECHANISM_PARAM_INVALID),
    ];
    let ledger = Ledger::begin();
    for mode in [Mode::Gmac, Mode::Cmac] {
        let sample = Sample::new(mode, Way::Mac, 45);
        for (damage, code) in damages {
            if mode == Mode::Cmac && code == CRYPTO_MECHANISM_PARAM_INVALID {
                continue;
            }
            for len in [0, 15, 16, 17] {
                let mut data = Buffer::new(Format::Raw, &sample.input, &[]);
                let mut mac = Buffer::new(Format::Raw, &[&sample.output[..], &[0]].concat(), &[]);
                let (mut request, mut src) = (sample.request(), data.data(0, 45));
                damage(&mut request, &mut src);
                let rv = request.verify(None, &mut src, &mut mac.data(0, len));
                let want = if len == 16 { code } else { CRYPTO_INVALID_MAC };
                assert_eq!(rv, want, "{mode:?} {len}");
            }
        }
    }
    ledger.settle();
}

/// A message without text. An output with no byte left at `cd_offset` is enough, because nothing is
/// written. Stock answers DATA_LEN_RANGE for an empty chain, and BUFFER_TOO_SMALL for a raw output at an
/// offset.
#[test]
fn empty_plaintext_needs_no_output() {
    let ledger = Ledger::begin();
    for mode in [Mode::Gcm, Mode::Ccm, Mode::Gmac] {
        let sample = Sample::new(mode, Way::Decrypt, 0);
        for (format, offset) in [(Format::Mblk, 0), (Format::Raw, 8), (Format::Uio, 0)] {
            for parts in [false, true] {
                let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
                let mut output = Buffer::room(format, 0, &[0]);
                let (mut src, mut dst) = (input.data(0, 16), output.data(offset, 0));
                let rv = if parts {
                    let mut message = begin(&sample);
                    assert_eq!(message.update(&mut src, None), CRYPTO_SUCCESS);
                    message.finish(Some(&mut dst))
                } else {
                    atomic(&sample, &mut src, Some(&mut dst))
                };
                assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, 0), "{mode:?} {format:?} {parts}");
            }
        }
    }
    ledger.settle();
}

/// An output of an unknown format is ARGUMENTS_BAD in every final, before any other fault, as in stock.
/// Nothing is consumed.
#[test]
fn final_looks_at_the_format_first() {
    let ledger = Ledger::begin();
    for sample in Sample::all(48) {
        let (name, way) = (sample.name(), sample.way);
        for waits in [false, true] {
            let mut spi = Spi::begun(way, &mut sample.request());
            let len = sample.input.len() - if waits { 11 } else { 0 };
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(Format::Raw, 80, &[]);
            let mut dst = output.data(0, 80);
            let rv = spi.update(way, Some(&mut input.data(0, len)), Out::Other(&mut dst));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            let given = output.bytes();
            for room in [0, 80] {
                for format in [0, 4, 9] {
                    let mut dst = output.data(0, room);
                    dst.cd_format = format;
                    let rv = spi.finish(way, Some(&mut dst));
                    let said = (rv, dst.cd_length, spi.live());
                    assert_eq!(said, (CRYPTO_ARGUMENTS_BAD, room, true), "{name} {waits}");
                }
            }
            assert_eq!(output.bytes(), given, "{name}");
            if waits {
                assert_eq!(spi.free(), CRYPTO_SUCCESS);
            } else {
                let mut rest = Buffer::room(Format::Raw, 80, &[]);
                assert_eq!(spi.finish(way, Some(&mut rest.data(0, 80))), CRYPTO_SUCCESS, "{name}");
            }
        }
    }
    ledger.settle();
}

/// A chain without any block ends early, as in stock: DATA_LEN_RANGE. As an output it has no room.
#[test]
fn null_chain_is_a_short_list() {
    let ledger = Ledger::begin();
    for len in [0, 16] {
        for sample in Sample::all(len).into_iter().filter(|sample| !sample.verifies()) {
            let name = format!("{} of {len}", sample.name());
            let room = sample.output.len();
            let mut list = Buffer::new(Format::Mblk, &sample.input, &[len]);
            let mut output = Buffer::room(Format::Raw, room, &[]);
            let (mut src, mut dst) = (list.data(0, len), output.data(0, room));
            src.cdu.cdu_mp = core::ptr::null_mut();
            let rv = atomic(&sample, &mut src, Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_DATA_LEN_RANGE, room), "{name}");
            assert_eq!(output.bytes(), vec![FILL; room], "{name}");
            let mut message = begin(&sample);
            let rv = message.update(&mut src, Some(&mut dst));
            assert_eq!(rv, CRYPTO_DATA_LEN_RANGE, "{name}");
            message.cancel();
            if room > 0 {
                let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
                let (mut src, mut dst) = (input.data(0, len), list.data(0, room));
                dst.cdu.cdu_mp = core::ptr::null_mut();
                let rv = atomic(&sample, &mut src, Some(&mut dst));
                assert_eq!((rv, dst.cd_length), (CRYPTO_BUFFER_TOO_SMALL, room), "{name}");
            }
        }
    }
    ledger.settle();
}

/// An output in user space is refused in every mode. In ECB, CBC, CTR and CCM stock answers 0 and writes
/// through the user's address.
#[test]
fn output_in_user_space_is_refused() {
    let ledger = Ledger::begin();
    for sample in Sample::all(48).into_iter().filter(|sample| !sample.output.is_empty()) {
        let (name, room) = (sample.name(), sample.output.len());
        let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
        let mut output = Buffer::room(Format::Uio, room, &[room]);
        output.uio().uio_segflg = UIO_SYSSPACE - 1;
        let mut dst = output.data(0, room);
        let mut src = input.data(0, sample.input.len());
        let rv = atomic(&sample, &mut src, Some(&mut dst));
        assert_eq!((rv, dst.cd_length), (CRYPTO_ARGUMENTS_BAD, room), "{name}");
        assert_eq!(output.bytes(), vec![FILL; room], "{name}");
    }
    ledger.settle();
}

/// A later part of a streaming GCM decryption, with too little room. Stock buffers and answers 0.
#[test]
fn streaming_part_without_room_is_told_what_it_needs() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Gcm, Way::Decrypt, 112);
    let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
    let mut output = Buffer::room(Format::Raw, 112, &[]);
    let mut message = begin(&sample);
    let mut dst = output.data(0, 64);
    let rv = message.update(&mut input.data(0, 64), Some(&mut dst));
    assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, 48), "it streams");
    let given = output.bytes();
    for room in [0, 63] {
        let mut dst = output.data(48, room);
        let rv = message.update(&mut input.data(64, 64), Some(&mut dst));
        assert_eq!((rv, dst.cd_length), (CRYPTO_BUFFER_TOO_SMALL, 64));
        assert_eq!(output.bytes(), given);
    }
    let mut dst = output.data(48, 64);
    let rv = message.update(&mut input.data(64, 64), Some(&mut dst));
    assert_eq!((rv, dst.cd_length), (CRYPTO_SUCCESS, 64), "nothing was consumed");
    assert_eq!(message.finish(Some(&mut output.data(112, 0))), CRYPTO_SUCCESS);
    assert_eq!(output.bytes(), sample.output);
    ledger.settle();
}
