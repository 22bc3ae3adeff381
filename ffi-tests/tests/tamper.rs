// SPDX-License-Identifier: MIT OR Apache-2.0
//! Forged messages: every single bit of short ones and sampled bits of long ones, in every layout and on
//! every table. Each is INVALID_MAC, and no plaintext is left. A separate output becomes zero. Bytes that
//! were also the input become the ciphertext again. A decryption in parts writes nothing more.

mod layout;
mod oracle;

use std::sync::{Mutex, MutexGuard, PoisonError};

use kcfaes_ffi_tests::buffer::{Buffer, Cut, FILL, Format, below};
use kcfaes_ffi_tests::consumer::{Out, Request, Template, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::engine::TableId;
use kcfaes_provider::kcf::{
    CRYPTO_DATA_UIO, CRYPTO_INVALID_MAC, CRYPTO_SUCCESS, UIO_SYSSPACE, crypto_data_cdu_t,
    crypto_data_t, iovec_t, uio_t,
};
use kcfaes_provider::mode::set_gcm_stream;
use kcfaes_vectors::{Mode, Stream};
use layout::{Calls, Memory, Place, Shape, Side, Verdict};
use oracle::Message;

const TAGS: [usize; 7] = [4, 8, 12, 13, 14, 15, 16];
const CCM_TAGS: [usize; 7] = [4, 6, 8, 10, 12, 14, 16];
const FORGED: Verdict = Verdict::Forged(CRYPTO_INVALID_MAC);

/// The forced table exists once in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each table with each mode.
fn every_table(modes: &[Mode]) -> impl Iterator<Item = (TableId, Mode)> {
    kernel::tables().iter().flat_map(|&table| modes.iter().map(move |&mode| (table, mode)))
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// A layout and a way to call for the `turn`-th message of `len` bytes, including its tag.
fn shape(turn: usize, len: usize) -> Shape {
    let lists = [3, 5, 0, 7, 1, 11, 13, 2, 16];
    let cut = |from: usize| [&lists[from % 9..], &lists, &lists].concat();
    let (a, b) = (turn / 5 % (len + 1), turn / 11 % 23);
    Shape {
        calls: match turn % 4 {
            0 => Calls::Atomic,
            1 => Calls::Single,
            _ => Calls::Parts(vec![a, b.min(len - a)]),
        },
        input: Side::new(Format::ALL[turn / 4 % 3], &cut(turn), [0, 1, 15, 16, 17][turn % 5]),
        output: Side::new(Format::ALL[turn / 12 % 3], &cut(turn / 3), [0, 17, 1][turn / 2 % 3]),
        place: Place::ALL[turn / 36 % 3],
    }
}

#[test]
fn every_bit_of_short_messages() {
    let _alone = alone();
    let mut memory = Memory::default();
    let (mut turn, mut refused) = (0, 0_u64);
    for &table in kernel::tables() {
        kernel::use_table(table);
        for len in 0..=80 {
            for tag_len in TAGS {
                let mut random = Stream::new(len as u64);
                let drawn = Message::draw(Mode::Gcm, [16, 24, 32][len % 3], len, &mut random);
                let message = Message { tag_len, ..drawn }.seal();
                refused += every_bit(&message, &mut memory, &mut turn);
            }
            for (i, tag_len) in CCM_TAGS.into_iter().enumerate() {
                let mut random = Stream::new(len as u64);
                let drawn = Message::draw(Mode::Ccm, [16, 24, 32][len % 3], len, &mut random);
                let iv = random.draw(7 + (i + len) % 7);
                let message = Message { tag_len, iv, ..drawn }.seal();
                refused += every_bit(&message, &mut memory, &mut turn);
            }
            let mut random = Stream::new(len as u64);
            let message = Message::draw(Mode::Gmac, [16, 24, 32][len % 3], len, &mut random);
            refused += every_bit(&message, &mut memory, &mut turn);
        }
    }
    assert!(refused > 1_400_000, "{refused}");
    assert_eq!(kernel::violations(), Vec::<String>::new());
    println!("{refused} forged messages refused");
}

/// Flips each bit of a message, of its AAD and of its IV. Returns how many bits there were.
fn every_bit(message: &Message, memory: &mut Memory, turn: &mut usize) -> u64 {
    let mut refused = 0;
    let sealed = message.input(Way::Decrypt);
    let want = message.output(Way::Decrypt);
    let mut request = message.request();
    let template = request.template();
    let mut check = |request: &mut Request, input: &[u8], verdict: Verdict, what: &str| {
        *turn += 1;
        refused += u64::from(verdict == FORGED);
        let shape = shape(*turn, input.len());
        let template = turn.is_multiple_of(3).then_some(&template);
        let passed =
            memory.pass(message, Way::Decrypt, request, template, &shape, verdict, (input, &want));
        if let Err(why) = passed {
            panic!("{message:x?}, {what}, {shape:?}: {why}");
        }
    };
    check(&mut request, &sealed, Verdict::Good, "as it is");
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        flip(&mut forged, bit);
        check(&mut request, &forged, FORGED, &format!("bit {bit} of the message"));
    }
    for bit in 0..message.iv.len() * 8 {
        let mut iv = message.iv.clone();
        flip(&mut iv, bit);
        let mut request = Message { iv, ..message.clone() }.request();
        check(&mut request, &sealed, FORGED, &format!("bit {bit} of the IV"));
    }
    for bit in 0..message.aad.len() * 8 {
        let mut aad = message.aad.clone();
        flip(&mut aad, bit);
        let mut request = Message { aad, ..message.clone() }.request();
        check(&mut request, &sealed, FORGED, &format!("bit {bit} of the AAD"));
    }
    refused
}

#[test]
fn every_bit_of_a_verified_mac() {
    let _alone = alone();
    for (table, mode) in every_table(&[Mode::Gmac, Mode::Cmac]) {
        kernel::use_table(table);
        for len in 0..=80 {
            let mut random = Stream::new(len as u64);
            let message = Message::draw(mode, [16, 24, 32][len % 3], len, &mut random);
            let mut request = message.request();
            let template = request.template();
            let total = (len + 16) * 8;
            for bit in 0..=total {
                let mut both = [message.text.as_slice(), &message.sealed].concat();
                if bit < total {
                    flip(&mut both, bit);
                }
                let (text, mac) = both.split_at(len);
                let (from, to) = (Format::ALL[bit % 3], Format::ALL[bit / 3 % 3]);
                // One byte more, because an mblk offset at the very end is refused.
                let text = [text, &[FILL]].concat();
                let mut text = Buffer::new(from, &text, &Cut::Crumbs.lengths(len + 1, &mut random));
                let mut mac = Buffer::new(to, mac, &Cut::Crumbs.lengths(16, &mut random));
                let rv = request.verify(
                    (bit % 2 == 0).then_some(&template),
                    &mut text.data(0, len),
                    &mut mac.data(0, 16),
                );
                let want = if bit < total { CRYPTO_INVALID_MAC } else { CRYPTO_SUCCESS };
                assert_eq!(rv, want, "bit {bit} of {len} bytes and their MAC");
                assert_eq!([&text.bytes()[..len], &mac.bytes()].concat(), both);
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

#[test]
fn sampled_bits_of_long_messages() {
    let _alone = alone();
    let mut random = Stream::new(5);
    let lengths = [(1000, 60), (4103, 30), (33_000, 12), (70_001, 8)];
    for ((table, mode), (len, samples)) in
        every_table(&[Mode::Gcm, Mode::Ccm]).flat_map(|pair| lengths.map(|length| (pair, length)))
    {
        kernel::use_table(table);
        let message = Message::draw(mode, 32, len, &mut random);
        let mut request = message.request();
        let template = request.template();
        let total = message.sealed.len() * 8;
        for turn in 0..samples {
            let mut forged = message.sealed.clone();
            flip(&mut forged, below(&mut random, total));
            let cut = [Cut::Whole, Cut::Few, Cut::Crumbs][turn / 2 % 3];
            let format = Format::ALL[turn % 3];
            let pieces = cut.lengths(forged.len(), &mut random);
            let mut input = Buffer::new(format, &forged, &pieces);
            let mut src = input.data(0, forged.len());
            if turn % 4 < 2 {
                let pieces = cut.lengths(len, &mut random);
                let mut output = Buffer::room(Format::ALL[turn / 3 % 3], len, &pieces);
                let mut dst = output.data(0, len);
                let out = Out::Other(&mut dst);
                let rv = request.atomic(Way::Decrypt, Some(&template), &mut src, out);
                assert_eq!((rv, dst.cd_length), (CRYPTO_INVALID_MAC, len));
                assert_eq!(output.bytes(), vec![0; len], "{len} bytes, {format:?}, {cut:?}");
            } else {
                let rv = request.atomic(Way::Decrypt, None, &mut src, Out::Null);
                assert_eq!((rv, src.cd_length), (CRYPTO_INVALID_MAC, forged.len()));
            }
        }
    }
}

/// Lists in which some pieces are the input's own bytes and some are not.
#[test]
fn lists_that_are_aliased_in_part() {
    let _alone = alone();
    let mut random = Stream::new(6);
    for (table, mode) in every_table(&[Mode::Gcm, Mode::Ccm]) {
        kernel::use_table(table);
        for len in 1..=160 {
            let message = Message::draw(mode, 16, len, &mut random);
            let mut request = message.request();
            let template = request.template();
            for turn in 0..24 {
                let good = turn % 4 == 0;
                let mut input = message.sealed.clone();
                if !good {
                    flip(&mut input, below(&mut random, message.sealed.len() * 8));
                }
                let before = input.clone();
                let mut apart = vec![FILL; len];
                let cut = if turn % 2 == 0 { Cut::Few } else { Cut::Crumbs };
                let lengths = cut.lengths(len, &mut random);
                let mut at = 0;
                let mut shared = vec![false; len];
                let mut iov: Vec<iovec_t> = Vec::new();
                for n in lengths {
                    let alias = below(&mut random, 2) == 0;
                    let memory = if alias { &mut input } else { &mut apart };
                    let iov_base = memory[at..].as_mut_ptr().cast();
                    iov.push(iovec_t { iov_base, iov_len: n });
                    shared[at..at + n].fill(alias);
                    at += n;
                }
                let rv = decrypt_into(&mut request, &template, &mut input, &mut iov, len);
                assert_eq!(rv, if good { CRYPTO_SUCCESS } else { CRYPTO_INVALID_MAC });
                for i in 0..len {
                    let (here, there) = match (shared[i], good) {
                        (true, true) => (message.text[i], FILL),
                        (true, false) => (before[i], FILL),
                        (false, true) => (before[i], message.text[i]),
                        (false, false) => (before[i], 0),
                    };
                    assert_eq!(
                        (input[i], apart[i]),
                        (here, there),
                        "byte {i} of {len}, good: {good}, shared: {shared:?}"
                    );
                }
                assert_eq!(input[len..], before[len..]);
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

fn decrypt_into(
    request: &mut Request,
    template: &Template,
    input: &mut [u8],
    iov: &mut [iovec_t],
    len: usize,
) -> i32 {
    let mut source = [iovec_t { iov_base: input.as_mut_ptr().cast(), iov_len: input.len() }];
    let list = |iov: &mut [iovec_t]| uio_t {
        uio_iov: iov.as_mut_ptr(),
        uio_iovcnt: iov.len() as i32,
        _uio_offset: 0,
        uio_segflg: UIO_SYSSPACE,
        uio_fmode: 0,
        uio_extflg: 0,
        _uio_limit: 0,
        uio_resid: 0,
    };
    let data = |uio: &mut uio_t, cd_length: usize| crypto_data_t {
        cd_format: CRYPTO_DATA_UIO,
        cd_offset: 0,
        cd_length,
        cd_miscdata: core::ptr::null_mut(),
        cdu: crypto_data_cdu_t { cdu_uio: uio },
    };
    let (mut from, mut to) = (list(&mut source), list(iov));
    let (mut src, mut dst) = (data(&mut from, input.len()), data(&mut to, len));
    let rv = request.atomic(Way::Decrypt, Some(template), &mut src, Out::Other(&mut dst));
    assert_eq!((src.cd_length, dst.cd_length), (input.len(), len));
    rv
}

/// A decryption in parts that buffers for good: its first output was NULL, streaming is off, or it is
/// CCM's. It writes nothing at all if the tag is wrong. If the tag is right it writes everything at its
/// end.
#[test]
fn latched_decryption_writes_at_its_end_only() {
    let _alone = alone();
    let mut random = Stream::new(7);
    for (table, mode) in every_table(&[Mode::Gcm, Mode::Ccm]) {
        kernel::use_table(table);
        for len in 0..=80 {
            let message = Message::draw(mode, 24, len, &mut random);
            let mut request = message.request();
            for turn in 0..12 {
                let forged = turn % 3 != 0;
                let off = turn % 2 == 0;
                let mut bytes = message.sealed.clone();
                if forged {
                    flip(&mut bytes, below(&mut random, message.sealed.len() * 8));
                }
                let format = Format::ALL[turn / 2 % 3];
                let pieces = Cut::Crumbs.lengths(bytes.len(), &mut random);
                let mut input = Buffer::new(format, &bytes, &pieces);
                let mut output = Buffer::room(format, len, &Cut::Crumbs.lengths(len, &mut random));
                set_gcm_stream(!off);
                let mut context = request.init(Way::Decrypt, None).expect("init");
                let mut taken = 0;
                while taken < bytes.len() {
                    let n = (1 + below(&mut random, 40)).min(bytes.len() - taken);
                    let mut src = input.data(taken, n);
                    let mut dst = output.data(0, len);
                    let rv = if off {
                        context.update(&mut src, Out::Other(&mut dst))
                    } else {
                        context.update(&mut src, Out::Null)
                    };
                    assert_eq!((rv, src.cd_length), (CRYPTO_SUCCESS, n));
                    if off {
                        assert_eq!(dst.cd_length, 0);
                    }
                    assert_eq!(output.bytes(), vec![FILL; len]);
                    taken += n;
                }
                let mut dst = output.data(0, len);
                let rv = context.finish(Some(&mut dst));
                set_gcm_stream(true);
                assert_eq!(dst.cd_length, len);
                if forged {
                    assert_eq!(rv, CRYPTO_INVALID_MAC);
                    assert_eq!(output.bytes(), vec![FILL; len]);
                } else {
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    assert_eq!(output.bytes(), message.text);
                }
                assert_eq!(input.bytes(), bytes);
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
