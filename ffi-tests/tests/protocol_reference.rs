// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stock module's objects of 2017 were run in userland, and their answers are here as numbers. Each
//! question is asked again. kcfaes gives the same answer, or the different one that COMPATIBILITY.md
//! states.

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Message, Out, Request, Way};
use kcfaes_ffi_tests::kernel::Ledger;
use kcfaes_ffi_tests::sample::{KEY, Sample};
use kcfaes_ffi_tests::spi::{self, Spi};
use kcfaes_provider::kcf::{CRYPTO_KEY_REFERENCE, crypto_data_t};
use kcfaes_vectors::Mode;

/// Status, `cd_length` after the call, and the change of `cd_offset`.
type Said = (c_int, usize, i64);

/// A question, stock's answer, kcfaes' answer if it differs, and how to ask.
type Fact = (&'static str, Said, Option<Said>, fn() -> Said);

/// Offset of every output here.
const AT: usize = 7;

fn ask(data: &mut crypto_data_t, call: impl FnOnce(&mut crypto_data_t) -> c_int) -> Said {
    let offset = data.cd_offset;
    let rv = call(data);
    (rv, data.cd_length, data.cd_offset - offset)
}

/// A status alone.
fn code(rv: c_int) -> Said {
    (rv, 0, 0)
}

/// What init answers. The message is then cancelled.
fn begun(message: Result<Message, c_int>) -> Said {
    code(message.map_or_else(
        |rv| rv,
        |message| {
            message.cancel();
            0
        },
    ))
}

fn sample(mode: Mode, way: Way) -> Sample {
    Sample::new(mode, way, 37)
}

fn input(sample: &Sample) -> Buffer {
    Buffer::new(Format::Raw, &sample.input, &[])
}

/// One call, with `room` bytes of output apart from the input.
fn atomic(sample: &Sample, room: usize) -> Said {
    let (mut input, mut output) = (input(sample), Buffer::room(Format::Raw, 90, &[]));
    let mut src = input.data(0, sample.input.len());
    ask(&mut output.data(AT, room), |dst| {
        sample.request().atomic(sample.way, None, &mut src, Some(dst))
    })
}

/// One call, in place by NULL.
fn atomic_in_place(sample: &Sample) -> Said {
    let mut input = input(sample);
    ask(&mut input.data(0, sample.input.len()), |src| {
        sample.request().atomic(sample.way, None, src, None)
    })
}

/// One call on a context.
fn single(sample: &Sample, room: usize) -> Said {
    let (mut input, mut output) = (input(sample), Buffer::room(Format::Raw, 90, &[]));
    let mut message = begin(sample);
    let mut src = input.data(0, sample.input.len());
    let said = ask(&mut output.data(AT, room), |dst| message.single(&mut src, Some(dst)));
    if said.0 == 0x42 {
        message.cancel();
    }
    said
}

fn begin(sample: &Sample) -> Message {
    sample.request().init(sample.way, None).expect("init")
}

/// The answer to the last of several updates of these lengths, or to final after them. Each call has `room`
/// bytes.
fn parts(sample: &Sample, lengths: &[usize], room: usize, finish: bool) -> Said {
    let (mut input, mut output) = (input(sample), Buffer::room(Format::Raw, 90, &[]));
    let (mut message, mut at, mut said) = (begin(sample), 0, code(0));
    for &n in lengths {
        let mut src = input.data(at, n);
        said = ask(&mut output.data(AT, room), |dst| message.update(&mut src, Some(dst)));
        at += n;
    }
    if finish {
        return ask(&mut output.data(AT, room), |dst| message.finish(Some(dst)));
    }
    message.cancel();
    said
}

/// A CBC encryption of `len` bytes with a key of `bits` bits.
fn cbc(len: usize, bits: u32, damage: impl FnOnce(&mut Request, &mut u64)) -> Said {
    let mut request = Request::new(Mode::Cbc, &KEY, &[0x5c; 16], 0, &[], 0);
    request.key.cku_data.cku_key_value.cku_v_length = bits;
    let mut mechanism = request.provider_mechanism(Way::Encrypt);
    damage(&mut request, &mut mechanism.cm_type);
    let (mut input, none) = (Buffer::room(Format::Raw, 64, &[]), core::ptr::null_mut());
    let src = Some(&mut input.data(0, len));
    let (mechanism, key) = (Some(&mut mechanism), Some(&mut request.key));
    code(spi::atomic(Way::Encrypt, mechanism, key, none, src, Out::Null))
}

/// CTR's init with another parameter.
fn ctr(bits: u32, raw: bool) -> Said {
    let mut request = Request::new(Mode::Ctr, &KEY, &[0x5c; 16], bits, &[], 0);
    let mut iv = [1_u8; 16];
    if raw {
        request.mechanism.cm_param = iv.as_mut_ptr().cast();
        request.mechanism.cm_param_len = 16;
    }
    begun(request.init(Way::Encrypt, None))
}

/// ECB over a list of 16, 0 and 16 bytes.
fn uio((offset, len): (usize, usize), segflg: u32) -> Said {
    let mut list = Buffer::room(Format::Uio, 32, &[16, 0, 16]);
    list.uio().uio_segflg = segflg;
    let mut request = Request::new(Mode::Ecb, &KEY, &[], 0, &[], 0);
    code(request.atomic(Way::Encrypt, None, &mut list.data(offset, len), None))
}

fn gmac(verify: bool, bit: u8) -> Said {
    let sample = sample(Mode::Gmac, Way::Mac);
    let mut data = input(&sample);
    let mut mac = Buffer::new(Format::Raw, &sample.output, &[]);
    let mut tag = mac.data(0, 16);
    let mut request = sample.request();
    if !verify {
        return ask(&mut tag, |tag| {
            request.atomic(Way::Mac, None, &mut data.data(0, 37), Some(tag))
        });
    }
    let mut data = Buffer::new(Format::Raw, &sample.input, &[]);
    let mut forged = sample.output.clone();
    forged[15] ^= bit;
    let mut mac = Buffer::new(Format::Raw, &forged, &[]);
    ask(&mut mac.data(0, 16), |mac| request.verify(None, &mut data.data(0, 37), mac))
}

/// A key by reference, with a template: in one call, and in init.
fn by_reference(init: bool) -> Said {
    let sample = sample(Mode::Ctr, Way::Encrypt);
    let mut request = sample.request();
    let template = request.template();
    request.key.ck_format = CRYPTO_KEY_REFERENCE;
    if init {
        return begun(request.init(Way::Encrypt, Some(&template)));
    }
    let mut data = input(&sample);
    code(request.atomic(Way::Encrypt, Some(&template), &mut data.data(0, 37), None))
}

fn template_size() -> usize {
    let mut request = sample(Mode::Ctr, Way::Encrypt).request();
    let mut mechanism = request.provider_mechanism(Way::Encrypt);
    let (mut block, mut size) = (core::ptr::null_mut(), 0);
    let (mech, key) = (Some(&mut mechanism), Some(&mut request.key));
    assert_eq!(spi::create_template(mech, key, Some(&mut block), Some(&mut size)), 0);
    let block = core::ptr::NonNull::new(block.cast::<u8>()).expect("a block");
    // SAFETY: it came from the environment's heap with this size.
    unsafe { kcfaes_provider::env::free(block, size) };
    size
}

const E: Way = Way::Encrypt;
const D: Way = Way::Decrypt;

#[rustfmt::skip]
const FACTS: &[Fact] = &[
    ("GCM encryption of 37 bytes", (0, 53, 0), None, || atomic(&sample(Mode::Gcm, E), 60)),
    ("GCM decryption of 53", (0, 37, 0), None, || atomic(&sample(Mode::Gcm, D), 60)),
    ("one byte too little room", (0x42, 37, 0), None, || atomic(&sample(Mode::Gcm, D), 36)),
    ("forged", (0x48, 60, 0), None, || {
        let mut sample = sample(Mode::Gcm, D);
        sample.input[9] ^= 1;
        atomic(&sample, 60)
    }),
    ("GCM decryption in place counts the tag", (0, 53, 0), None, || atomic_in_place(&sample(Mode::Gcm, D))),
    ("GCM encryption in place learns the size", (0x42, 53, 0), None, || atomic_in_place(&sample(Mode::Gcm, E))),
    ("GCM encryption by two structs over the same bytes", (0, 53, 0), None, || {
        let sample = sample(Mode::Gcm, E);
        let mut bytes = Buffer::new(Format::Raw, &[&sample.input, [FILL; 16].as_slice()].concat(), &[]);
        let (mut src, mut dst) = (bytes.data(0, 37), bytes.data(0, 53));
        let said = ask(&mut dst, |dst| sample.request().atomic(E, None, &mut src, Some(dst)));
        assert_eq!(bytes.bytes(), sample.output);
        said
    }),
    ("GCM update with 20 bytes", (0, 16, 0), None, || parts(&sample(Mode::Gcm, E), &[20], 60, false)),
    ("and with 17 more", (0, 16, 0), None, || parts(&sample(Mode::Gcm, E), &[20, 17], 60, false)),
    ("and final", (0, 21, 0), None, || parts(&sample(Mode::Gcm, E), &[20, 17], 60, true)),
    ("GCM decryption, update without room", (0, 0, 0), None, || parts(&sample(Mode::Gcm, D), &[53], 0, false)),
    ("and with room: it streams", (0, 0, 0), Some((0, 32, 0)), || parts(&sample(Mode::Gcm, D), &[53], 37, false)),
    ("GCM decryption, update to NULL", (0, 53, 0), None, || {
        let sample = sample(Mode::Gcm, D);
        let (mut input, mut message) = (input(&sample), begin(&sample));
        let said = ask(&mut input.data(0, 53), |src| message.update(src, None));
        message.cancel();
        said
    }),
    ("and final without room, then with", (0, 37, 0), None, || {
        let sample = sample(Mode::Gcm, D);
        let (mut input, mut message) = (input(&sample), Spi::begun(D, &mut sample.request()));
        let mut output = Buffer::room(Format::Raw, 90, &[]);
        assert_eq!(message.update(D, Some(&mut input.data(0, 53)), Out::Null), 0);
        let said = ask(&mut output.data(AT, 36), |dst| message.finish(D, Some(dst)));
        assert_eq!((said, message.live()), ((0x42, 37, 0), true));
        let said = ask(&mut output.data(AT, 60), |dst| message.finish(D, Some(dst)));
        assert!(!message.live());
        said
    }),
    ("CCM update with 37 bytes", (0, 32, 0), None, || parts(&sample(Mode::Ccm, E), &[37], 32, false)),
    ("CCM final: the offset says it, or the length", (0, 32, 21), Some((0, 21, 0)), || parts(&sample(Mode::Ccm, E), &[37], 32, true)),
    ("CCM final of fewer bytes than declared", (0x0c, 60, 0), None, || parts(&sample(Mode::Ccm, E), &[36], 60, true)),
    ("CCM decryption on a context without room", (0x0c, 36, 0), Some((0x42, 37, 0)), || single(&sample(Mode::Ccm, D), 36)),
    ("CTR with a raw IV", (0x1d, 0, 0), None, || ctr(32, true)),
    ("CTR with 129 bits", (0x1d, 0, 0), None, || ctr(129, false)),
    ("CTR with 128", (0, 0, 0), None, || ctr(128, false)),
    ("CBC of 31 bytes with a bad key: the length first", (0x0c, 0, 0), None, || cbc(31, 160, |_, _| {})),
    ("a key of 160 bits", (0x13, 0, 0), None, || cbc(32, 160, |_, _| {})),
    ("a key by reference", (0x14, 0, 0), None, || cbc(32, 128, |r, _| r.key.ck_format = CRYPTO_KEY_REFERENCE)),
    ("an unknown mechanism", (0x1c, 0, 0), None, || cbc(32, 128, |_, number| *number = 99)),
    ("CBC final with bytes left over", (0x0c, 60, 0), None, || parts(&Sample::new(Mode::Cbc, E, 32), &[31], 60, true)),
    ("an empty iovec", (0, 0, 0), None, || uio((0, 32), 1)),
    ("a list that ends early", (0x0c, 0, 0), None, || uio((1, 32), 1)),
    ("a list in user space", (0x05, 0, 0), None, || uio((0, 32), 0)),
    ("no bytes at the very end (2026: legal)", (0x0c, 0, 0), Some((0, 0, 0)), || uio((32, 0), 1)),
    ("GMAC", (0, 16, 0), None, || gmac(false, 0)),
    ("GMAC verified", (0, 16, 0), None, || gmac(true, 0)),
    ("GMAC forged", (0x48, 16, 0), None, || gmac(true, 1)),
    ("a template beside a key by reference", (0, 0, 0), None, || by_reference(false)),
    ("and in init", (0x14, 0, 0), None, || by_reference(true)),
    // The faults that were run. The B numbers are those of COMPATIBILITY.md.
    ("B1: 10 bytes of GCM ciphertext", (0x42, usize::MAX - 5, 0), Some((0x11, 60, 0)), || {
        let mut sample = sample(Mode::Gcm, D);
        sample.input.truncate(10);
        atomic(&sample, 60)
    }),
    ("B4: CCM decryption of fewer bytes than declared", (0x48, 60, 0), Some((0x11, 60, 0)), || {
        let mut sample = sample(Mode::Ccm, D);
        sample.input.truncate(40);
        atomic(&sample, 60)
    }),
    ("B6: in place behind a partial block", (0x42, 16, 0), Some((0x0c, 12, 0)), || {
        let sample = sample(Mode::Gcm, E);
        let (mut input, mut message) = (input(&sample), begin(&sample));
        assert_eq!(message.update(&mut input.data(0, 20), None), 0);
        let said = ask(&mut input.data(20, 12), |src| message.update(src, None));
        message.cancel();
        said
    }),
    ("B7: a raw buffer that its offset makes too short", (0, 37, 0), Some((0x05, 60, 0)), || {
        let sample = sample(Mode::Ctr, E);
        let (mut input, mut output) = (input(&sample), Buffer::room(Format::Raw, 90, &[]));
        let mut src = input.data(1, 37);
        ask(&mut output.data(AT, 60), |dst| sample.request().atomic(E, None, &mut src, Some(dst)))
    }),
    ("B8: GCM decryption on a context in place", (0, 0, 0), Some((0, 53, 0)), || {
        let sample = sample(Mode::Gcm, D);
        let (mut input, mut message) = (input(&sample), begin(&sample));
        ask(&mut input.data(0, 53), |src| message.single(src, None))
    }),
];

#[test]
fn what_stock_answered_when_it_was_run() {
    let ledger = Ledger::begin();
    for (what, stock, here, answer) in FACTS {
        assert_ne!(here.as_ref(), Some(stock), "{what}: no difference");
        assert_eq!(answer(), here.unwrap_or(*stock), "{what}");
    }
    assert!(template_size() > 512, "the powers of H are in it");
    ledger.settle();
}

/// Without any IV it is zero. An IV in `cd_miscdata` takes precedence over the parameter.
#[test]
fn cbc_iv_as_stock_finds_it() {
    let run = |parameter: bool, misc: Option<[u8; 16]>, iv: [u8; 16]| {
        let mut request = Request::new(Mode::Cbc, &KEY, &iv, 0, &[], 0);
        if !parameter {
            request.mechanism.cm_param = core::ptr::null_mut();
        }
        let mut data = Buffer::new(Format::Raw, &[9; 48], &[]);
        let mut src = data.data(0, 48);
        let mut misc = misc;
        src.cd_miscdata = misc.as_mut().map_or(core::ptr::null_mut(), |iv| iv.as_mut_ptr().cast());
        assert_eq!(request.atomic(Way::Encrypt, None, &mut src, None), 0);
        data.bytes()
    };
    let (zero, other) = (run(true, None, [0; 16]), run(true, None, [0x77; 16]));
    assert_ne!(zero, other);
    assert_eq!(run(false, None, [0; 16]), zero);
    assert_eq!(run(true, Some([0x77; 16]), [0; 16]), other);
    assert_eq!(run(false, Some([0x77; 16]), [0; 16]), other);
}
