// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stock module's faults, one test each. Each test pins what kcfaes does instead. The numbers are those
//! of COMPATIBILITY.md.

use core::cell::RefCell;
use core::ffi::c_void;

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Message, Out, Request, Way, mechanism_name, pointer};
use kcfaes_ffi_tests::kernel::{
    CallReq, Ledger, MechanismEntry, clear_stats, crypto_encrypt, crypto_encrypt_init,
    fk_kmem_fail_all, fk_kmem_on_free, in_interrupt, load, stats,
};
use kcfaes_ffi_tests::sample::{AAD, Bench, KEY, Place, Sample, ways};
use kcfaes_ffi_tests::spi::{self, Spi};
use kcfaes_provider::kcf::{
    CK_AES_CCM_PARAMS, CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE,
    CRYPTO_ENCRYPTED_DATA_LEN_RANGE, CRYPTO_HOST_MEMORY, CRYPTO_INVALID_MAC,
    CRYPTO_MECHANISM_PARAM_INVALID, CRYPTO_SUCCESS,
};
use kcfaes_vectors::Mode;

fn begin(sample: &Sample) -> Message {
    sample.request().init(sample.way, None).expect("init")
}

/// B1: a ciphertext shorter than its tag. Stock computes a length of 2^64 minus a few bytes.
#[test]
fn b01_ciphertext_shorter_than_its_tag() {
    for mode in [Mode::Ccm, Mode::Gcm, Mode::Gmac] {
        let sample = Sample::new(mode, Way::Decrypt, 20);
        for len in 0..16 {
            let mut input = Buffer::new(Format::Raw, &sample.input[..len], &[]);
            let mut output = Buffer::room(Format::Raw, 64, &[]);
            let mut dst = output.data(0, 64);
            let mut request = sample.request();
            let rv = request.atomic(Way::Decrypt, None, &mut input.data(0, len), Some(&mut dst));
            assert_eq!((rv, dst.cd_length), (CRYPTO_ENCRYPTED_DATA_LEN_RANGE, 64));
            let mut message = begin(&sample);
            assert_eq!(message.update(&mut input.data(0, len), None), CRYPTO_SUCCESS);
            let mut dst = output.data(0, 64);
            assert_eq!(message.finish(Some(&mut dst)), CRYPTO_ENCRYPTED_DATA_LEN_RANGE);
            assert_eq!((dst.cd_length, output.bytes()), (64, vec![FILL; 64]));
        }
    }
}

/// B2: no memory at init, and for the growing buffer of a GCM decryption. The code is HOST_MEMORY and the
/// state stays. Interrupts must not sleep, although KCF's fast path says that they may.
#[test]
fn b02_no_memory_is_an_answer() {
    load();
    for sample in Sample::all(48) {
        let ledger = Ledger::begin();
        let mut request = sample.request();
        request.declare(sample.way);
        let mut context = core::ptr::null_mut();
        // SAFETY: this thread's allocations; the request's pointers are valid.
        unsafe { fk_kmem_fail_all(1) };
        if sample.way == Way::Encrypt {
            // SAFETY: the request's pointers are valid.
            let rv = unsafe {
                crypto_encrypt_init(
                    &mut request.mechanism,
                    &mut request.key,
                    pointer(None),
                    &mut context,
                    &mut CallReq::nosleep(),
                )
            };
            assert_eq!(rv, CRYPTO_HOST_MEMORY, "{}", sample.name());
            let mut buffer = Buffer::room(Format::Raw, 64, &[]);
            // SAFETY: as above.
            let rv = unsafe {
                crypto_encrypt(
                    &mut request.mechanism,
                    &mut buffer.data(0, 48),
                    &mut request.key,
                    pointer(None),
                    &mut buffer.data(0, 64),
                    &mut CallReq::nosleep(),
                )
            };
            assert_eq!((rv, buffer.bytes()), (CRYPTO_HOST_MEMORY, vec![FILL; 64]));
        }
        let rv = in_interrupt(false, || request.init(sample.way, None).err());
        assert_eq!(rv, Some(CRYPTO_HOST_MEMORY), "{} in an interrupt", sample.name());
        // SAFETY: as above.
        unsafe { fk_kmem_fail_all(0) };
        assert!(stats().failed_allocs > 0);
        ledger.settle();
    }
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Gcm, Way::Decrypt, 9000);
    let mut message = begin(&sample);
    for at in (0..sample.input.len()).step_by(902) {
        let part = &sample.input[at..sample.input.len().min(at + 902)];
        let mut input = Buffer::new(Format::Uio, part, &[1, part.len() - 1]);
        let before = stats().allocs;
        // SAFETY: this thread's allocations.
        unsafe { fk_kmem_fail_all(1) };
        let rv = in_interrupt(false, || message.update(&mut input.data(0, part.len()), None));
        // SAFETY: as above.
        unsafe { fk_kmem_fail_all(0) };
        match rv {
            CRYPTO_SUCCESS => assert_eq!(stats().allocs, before),
            _ => {
                assert_eq!(rv, CRYPTO_HOST_MEMORY);
                let rv = message.update(&mut input.data(0, part.len()), None);
                assert_eq!((rv, stats().allocs), (CRYPTO_SUCCESS, before + 1));
            }
        }
    }
    let mut output = Buffer::room(Format::Raw, 9000, &[]);
    assert_eq!(message.finish(Some(&mut output.data(0, 9000))), CRYPTO_SUCCESS);
    assert_eq!(output.bytes(), sample.output);
    ledger.settle();
}

/// B3: a bad parameter leaks neither key schedule nor context.
#[test]
fn b03_bad_parameters_leak_nothing() {
    for sample in Sample::all(48) {
        if matches!(sample.mode, Mode::Ecb | Mode::Cbc | Mode::Cmac) {
            continue;
        }
        let damages: [fn(&mut Request); 2] = [
            |r: &mut Request| r.mechanism.cm_param = core::ptr::null_mut(),
            |r: &mut Request| {
                r.mechanism.cm_param_len -= 1;
            },
        ];
        for damage in damages {
            let ledger = Ledger::begin();
            let mut request = sample.request();
            damage(&mut request);
            let bad = CRYPTO_MECHANISM_PARAM_INVALID;
            assert_eq!(request.init(sample.way, None).err(), Some(bad));
            let mut buffer = Buffer::room(Format::Raw, 64, &[]);
            let mut src = buffer.data(0, 64);
            assert_eq!(request.atomic(sample.way, None, &mut src, None), bad);
            ledger.settle();
        }
    }
}

/// B4: a CCM decryption with fewer bytes than declared. Stock compares bytes that it has not received.
#[test]
fn b04_ccm_with_fewer_bytes_than_declared() {
    let sample = Sample::new(Mode::Ccm, Way::Decrypt, 48);
    for given in 0..64 {
        let ledger = Ledger::begin();
        let mut input = Buffer::new(Format::Uio, &sample.input, &[5, 59]);
        let mut output = Buffer::room(Format::Raw, 48, &[]);
        let (mut src, mut dst) = (input.data(0, given), output.data(0, 48));
        let rv = sample.request().atomic(Way::Decrypt, None, &mut src, Some(&mut dst));
        assert_eq!((rv, dst.cd_length), (CRYPTO_ENCRYPTED_DATA_LEN_RANGE, 48), "{given}");
        let mut message = begin(&sample);
        assert_eq!(message.update(&mut src, None), CRYPTO_SUCCESS);
        assert_eq!(message.finish(Some(&mut dst)), CRYPTO_ENCRYPTED_DATA_LEN_RANGE, "{given}");
        assert_eq!((dst.cd_length, output.bytes()), (48, vec![FILL; 48]), "{given}");
        ledger.settle();
    }
}

/// B5: a fault in a uio or mblk list has the same code as in a raw buffer. Stock says success, or
/// INVALID_MAC.
#[test]
fn b05_list_faults_are_told() {
    for sample in Sample::all(48) {
        for format in [Format::Uio, Format::Mblk] {
            let ledger = Ledger::begin();
            let len = sample.input.len();
            let mut input = Buffer::new(format, &sample.input, &[16, len - 16]);
            let mut output = Buffer::room(format, 64, &[64]);
            let mut src = input.data(1, len);
            let rv =
                sample.request().atomic(sample.way, None, &mut src, Some(&mut output.data(0, 64)));
            assert_eq!(rv, CRYPTO_DATA_LEN_RANGE, "{}", sample.name());
            let mut message = begin(&sample);
            assert_eq!(message.update(&mut input.data(1, len), None), CRYPTO_DATA_LEN_RANGE);
            message.cancel();
            assert_eq!(output.bytes(), [FILL; 64]);
            ledger.settle();
        }
    }
}

/// B6: an update may leave a partial block waiting, but in place no update may follow one. Stock writes to
/// where the block began, in a buffer that may no longer exist. CTR carries nothing.
#[test]
fn b06_no_stale_pointer_to_a_partial_block() {
    let ledger = Ledger::begin();
    for place in [Place::Null, Place::Same, Place::Twin] {
        for sample in Sample::all(64) {
            let absorbs = sample.mode.is_aead() && sample.way == Way::Decrypt;
            if sample.mode.is_mac() || absorbs {
                continue;
            }
            let name = format!("{} {place:?}", sample.name());
            let mut message = begin(&sample);
            let mut first = Buffer::new(Format::Raw, &sample.input[..21], &[]);
            let mut twin = first.data(0, 21);
            let out = |twin| match place {
                Place::Null => Out::Null,
                Place::Same => Out::Same,
                _ => Out::Other(twin),
            };
            let rv = message.update(&mut first.data(0, 21), out(&mut twin));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            let done = if sample.mode == Mode::Ctr { 21 } else { 16 };
            let expected = [&sample.output[..done], &sample.input[done..21]].concat();
            assert_eq!(first.bytes(), expected, "{name}");
            drop(first);

            let mut second = Buffer::new(Format::Raw, &sample.input[21..64], &[]);
            let mut src = second.data(0, 43);
            let mut twin = second.data(0, 43);
            let mut room =
                Buffer::new(Format::Raw, &[&sample.input[21..64], &[FILL; 5]].concat(), &[]);
            let rv = if place == Place::Twin {
                // A twin with room for the blocks that become complete.
                let mut twin = room.data(0, 48);
                message.update(&mut room.data(0, 43), Some(&mut twin))
            } else {
                message.update(&mut src, out(&mut twin))
            };
            if sample.mode == Mode::Ctr {
                assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
                message.cancel();
                continue;
            }
            assert_eq!(rv, CRYPTO_DATA_LEN_RANGE, "{name}");
            assert_eq!(src.cd_length, 43, "{name}");
            assert_eq!(second.bytes(), &sample.input[21..64], "{name}");
            assert_eq!(room.bytes()[..43], sample.input[21..64], "{name}");
            // Nothing was consumed: with an output apart the rest goes on.
            let mut output = Buffer::room(Format::Raw, 80, &[]);
            let mut dst = output.data(0, 80);
            assert_eq!(message.update(&mut second.data(0, 43), Some(&mut dst)), CRYPTO_SUCCESS);
            assert_eq!(output.bytes()[..48], sample.output[16..64], "{name}");
            message.cancel();
        }
    }
    ledger.settle();
}

/// B7: a raw buffer ends at iov_len, whatever cd_offset is. Stock reads on.
#[test]
fn b07_raw_bound_counts_the_offset() {
    for sample in Sample::all(48) {
        let len = sample.input.len();
        let mut request = sample.request();
        for (offset, want) in [
            (0, CRYPTO_SUCCESS),
            (1, CRYPTO_ARGUMENTS_BAD),
            (len, CRYPTO_ARGUMENTS_BAD),
            (usize::MAX, CRYPTO_ARGUMENTS_BAD),
        ] {
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(Format::Raw, 64, &[]);
            let mut src = input.data(offset, len);
            let rv = request.atomic(sample.way, None, &mut src, Some(&mut output.data(0, 64)));
            assert_eq!(rv, want, "{} {offset}", sample.name());
        }
    }
}

/// B8: an AEAD message on a context honours cd_offset, and works in place. Stock writes tag or plaintext
/// elsewhere, even past the buffer.
#[test]
fn b08_single_shot_aead_at_an_offset() {
    for (mode, way) in [Mode::Ccm, Mode::Gcm]
        .into_iter()
        .flat_map(|mode| ways(mode).iter().map(move |&way| (mode, way)))
    {
        let sample = Sample::new(mode, way, 45);
        let (len, needed) = (sample.input.len(), sample.output.len());
        for place in [Place::Apart, Place::Twin, Place::Null] {
            if place == Place::Null && way == Way::Encrypt {
                continue;
            }
            let formats = (Format::Raw, Format::Raw);
            let mut bench = Bench::new(place, formats, 1, &sample.input, needed);
            let mut message = begin(&sample);
            let answer = bench.call((0, len), (0, needed), |src, dst| message.single(src, dst));
            assert_eq!(answer.rv, CRYPTO_SUCCESS, "{way:?} {place:?}");
            let said = if place == Place::Null { None } else { Some(needed) };
            assert_eq!(answer.output_length, said);
            assert_eq!(bench.output(), sample.output, "{way:?} {place:?}");
            bench.check_around();
        }
    }
}

/// B9: GMAC takes its data in any format, at its offset, after the parameter's AAD.
#[test]
fn b09_gmac_data_in_any_format_at_its_offset() {
    let sample = Sample::new(Mode::Gmac, Way::Mac, 45);
    for format in Format::ALL {
        let bytes = [&[FILL; 13], sample.input.as_slice()].concat();
        let mut data = Buffer::new(format, &bytes, &[5, 20, 33]);
        let mut mac = Buffer::room(format, 20, &[3, 17]);
        let mut dst = mac.data(4, 16);
        let mut request = sample.request();
        let rv = request.atomic(Way::Mac, None, &mut data.data(13, 45), Some(&mut dst));
        assert_eq!((rv, dst.cd_length, dst.cd_offset), (CRYPTO_SUCCESS, 16, 4));
        assert_eq!(mac.bytes()[4..], sample.output);
        let rv = request.verify(None, &mut data.data(13, 45), &mut mac.data(4, 16));
        assert_eq!(rv, CRYPTO_SUCCESS);
        let rv = request.verify(None, &mut data.data(12, 45), &mut mac.data(4, 16));
        assert_eq!(rv, CRYPTO_INVALID_MAC);
    }
}

/// B10: CMAC's verification, in any format, at its offset. Stock (2018 to 2023) runs it with a mechanism
/// that nothing has set, and reads only raw MACs.
#[test]
fn b10_cmac_is_verified_in_any_format() {
    for len in [0, 1, 16, 45] {
        let sample = Sample::new(Mode::Cmac, Way::Mac, len);
        for format in Format::ALL {
            let bytes = [&[FILL; 13], sample.input.as_slice(), &[FILL; 4]].concat();
            let mut data = Buffer::new(format, &bytes, &[5, 8, len + 4]);
            let mac = [&[FILL; 3], sample.output.as_slice()].concat();
            let mut mac = Buffer::new(format, &mac, &[9, 10]);
            let mut request = sample.request();
            let rv = request.verify(None, &mut data.data(13, len), &mut mac.data(3, 16));
            assert_eq!(rv, CRYPTO_SUCCESS, "{len} {format:?}");
            let rv = request.verify(None, &mut data.data(13, len + 1), &mut mac.data(3, 16));
            assert_eq!(rv, CRYPTO_INVALID_MAC, "{len} {format:?}");
            let rv = request.verify(None, &mut data.data(13, len), &mut mac.data(3, 15));
            assert_eq!(rv, CRYPTO_INVALID_MAC, "{len} {format:?}: a part of it");
        }
    }
}

/// B11: AAD of 2^31 bytes and more has the standard's coding: from 0xff00 up to 2^32 six bytes, then ten.
/// For AAD around the first step the vectors have the answers. For the other steps no second implementation
/// computes them here. But the same bytes would have another MAC with the other coding. This test computes
/// the expected MAC with the block cipher alone.
#[test]
#[ignore = "authenticates 10 GiB"]
fn b11_aad_of_two_and_four_gib() {
    // Pages of zeros that are all one page: reading them takes no memory.
    let len = (1_usize << 32) + 1;
    // SAFETY: fresh anonymous memory, only read.
    let zeros = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        libc::mmap(core::ptr::null_mut(), len, libc::PROT_READ, flags, -1, 0)
    };
    assert_ne!(zeros, libc::MAP_FAILED);
    let nonce = [0x5c; 12];
    for aad_len in [1_usize << 31, (1 << 32) - 1, 1 << 32] {
        let coded: Vec<u8> = match u32::try_from(aad_len) {
            Ok(len) => [[0xff, 0xfe].as_slice(), &len.to_be_bytes()].concat(),
            Err(_) => [[0xff, 0xff].as_slice(), &(aad_len as u64).to_be_bytes()].concat(),
        };
        // CBC-MAC by the provider's CBC: B0, the coded length, and zeros up to a full last block. The AAD
        // is zeros too, so no byte of it is held here.
        let mut b0 = [0; 16];
        b0[0] = 0x40 | 7 << 3 | 2;
        b0[1..13].copy_from_slice(&nonce);
        let mut first = [0; 16];
        first[..coded.len()].copy_from_slice(&coded);
        let blocks = (coded.len() + aad_len).div_ceil(16) - 1;
        let mut mac = cbc_of(&[b0, first].concat(), [0; 16]);
        let chunk = vec![0; 1 << 20];
        let mut left = blocks * 16;
        while left > 0 {
            let n = left.min(chunk.len());
            mac = cbc_of(&chunk[..n], mac);
            left -= n;
        }
        let mut a0 = [0; 16];
        a0[0] = 2;
        a0[1..13].copy_from_slice(&nonce);
        let mask = cbc_of(&a0, [0; 16]);
        let want: Vec<u8> = mac.iter().zip(mask).map(|(mac, mask)| mac ^ mask).collect();

        let mut request = Request::new(Mode::Ccm, &KEY, &nonce, 0, &[0], 16);
        let mut mechanism = request.provider_mechanism(Way::Encrypt);
        // SAFETY: the request has a parameter of CCM.
        let parameter = unsafe { &mut *mechanism.cm_param.cast::<CK_AES_CCM_PARAMS>() };
        (parameter.authData, parameter.ulAuthDataSize) = (zeros.cast(), aad_len as u64);
        let mut output = Buffer::room(Format::Raw, 16, &[]);
        let mut empty = Buffer::new(Format::Raw, &[], &[]);
        let rv = spi::atomic(
            Way::Encrypt,
            Some(&mut mechanism),
            Some(&mut request.key),
            core::ptr::null_mut(),
            Some(&mut empty.data(0, 0)),
            Out::Other(&mut output.data(0, 16)),
        );
        assert_eq!((rv, output.bytes()), (CRYPTO_SUCCESS, want), "{aad_len}");
    }
    // SAFETY: our mapping.
    unsafe { libc::munmap(zeros, len) };
}

/// The last block of CBC over `blocks`.
fn cbc_of(blocks: &[u8], iv: [u8; 16]) -> [u8; 16] {
    let mut buffer = Buffer::new(Format::Raw, blocks, &[]);
    let mut request = Request::new(Mode::Cbc, &KEY, &iv, 0, &[], 0);
    let rv = request.atomic(Way::Encrypt, None, &mut buffer.data(0, blocks.len()), None);
    assert_eq!(rv, CRYPTO_SUCCESS);
    *buffer.bytes().last_chunk().expect("a block")
}

/// B12: CMAC in one call says that it has written 16 bytes; stock says 0. Only a caller that reads
/// `cd_length` sees the difference, and our answer is what such a caller needs.
#[test]
fn b12_cmac_atomic_says_sixteen_bytes() {
    for way in [Way::Encrypt, Way::Mac] {
        let sample = Sample::new(Mode::Cmac, way, 45);
        let mut data = Buffer::new(Format::Mblk, &sample.input, &[1, 44]);
        let mut mac = Buffer::room(Format::Uio, 40, &[9, 31]);
        let mut dst = mac.data(7, 30);
        let rv = sample.request().atomic(way, None, &mut data.data(0, 45), Some(&mut dst));
        assert_eq!((rv, dst.cd_length, dst.cd_offset), (CRYPTO_SUCCESS, 16, 7));
        assert_eq!(mac.bytes()[7..23], sample.output);
    }
}

/// B13: a MAC in place overwrites the first 16 bytes of the data, and the rest stays. Stock runs CBC over
/// all of it.
#[test]
fn b13_mac_in_place_spares_the_data() {
    for (mode, way) in
        [Mode::Gmac, Mode::Cmac].into_iter().flat_map(|m| [(m, Way::Encrypt), (m, Way::Mac)])
    {
        let sample = Sample::new(mode, way, 45);
        for out in [Out::Null, Out::Same] {
            let mut data = Buffer::new(Format::Uio, &sample.input, &[7, 38]);
            let rv = sample.request().atomic(way, None, &mut data.data(0, 45), out);
            assert_eq!(rv, CRYPTO_SUCCESS);
            assert_eq!(data.bytes(), [&sample.output, &sample.input[16..]].concat());
        }
    }
}

/// B14: key sizes of 16 to 32 bytes, in every entry of the mechanism table.
#[test]
fn b14_key_sizes_as_intended() {
    load();
    for name in Mode::ALL.map(mechanism_name) {
        let entry = MechanismEntry::of(name).expect("registered");
        assert_eq!((entry.min_key, entry.max_key, entry.flags), (16, 32, 2), "{name:?}");
        assert_eq!(entry.groups & 0x10, 0, "{name:?}: SIGN_RECOVER");
    }
}

/// B15: a block may span any number of output pieces. Stock handles two and writes past the second.
#[test]
fn b15_block_over_many_output_pieces() {
    for sample in Sample::all(45) {
        let (len, room) = (sample.input.len(), sample.output.len());
        for format in [Format::Uio, Format::Mblk] {
            for piece in 1..=17 {
                let mut lengths = vec![piece; room / piece];
                lengths.push(room % piece);
                let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
                let mut output = Buffer::room(format, room, &lengths);
                let mut dst = output.data(0, room);
                let mut request = sample.request();
                let rv = request.atomic(sample.way, None, &mut input.data(0, len), Some(&mut dst));
                assert_eq!(
                    (rv, output.bytes()),
                    (CRYPTO_SUCCESS, sample.output.clone()),
                    "{piece}"
                );
                if room < piece {
                    continue;
                }
                // With one piece too few the call fails before a byte is written.
                let rest = room - piece;
                let mut lengths = vec![piece; rest / piece];
                lengths.push(rest % piece);
                let mut output = Buffer::room(format, rest, &lengths);
                let mut dst = output.data(0, room);
                let rv = request.atomic(sample.way, None, &mut input.data(0, len), Some(&mut dst));
                assert_eq!((rv, dst.cd_length), (CRYPTO_BUFFER_TOO_SMALL, room));
                assert_eq!(output.bytes(), vec![FILL; rest]);
            }
        }
    }
}

thread_local! {
    /// What freed memory of this thread must not contain, what was found, and a count.
    static SECRETS: RefCell<(Vec<Vec<u8>>, Vec<String>, usize)> =
        const { RefCell::new((Vec::new(), Vec::new(), 0)) };
}

unsafe extern "C" fn scan(_: *mut c_void, block: *const c_void, size: usize) {
    // SAFETY: the fake kernel shows the block that it frees.
    let block = unsafe { core::slice::from_raw_parts(block.cast::<u8>(), size) };
    SECRETS.with_borrow_mut(|(secrets, found, seen)| {
        *seen += usize::from(!secrets.is_empty());
        for secret in secrets.iter() {
            if block.windows(8).any(|window| secret.windows(8).any(|part| part == window)) {
                found.push(format!("{secret:x?} in a block of {size} bytes"));
            }
        }
    });
}

/// B16: memory that is freed holds no key and no plaintext, after success, after failure and after a
/// cancelled message.
#[test]
fn b16_freed_memory_is_wiped() {
    load();
    // SAFETY: the function reads only its own thread's secrets.
    unsafe { fk_kmem_on_free(Some(scan), core::ptr::null_mut()) };
    for mut sample in Sample::all(45) {
        for forged in [false, true] {
            let plain = if sample.way == Way::Decrypt { &sample.output } else { &sample.input };
            SECRETS.set((vec![KEY.to_vec(), plain.clone()], vec![], 0));
            let len = sample.input.len();
            if forged {
                sample.input[len - 1] ^= 1;
            }
            let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut output = Buffer::room(Format::Raw, 64, &[]);
            let mut src = input.data(0, len);
            sample.request().atomic(sample.way, None, &mut src, Some(&mut output.data(0, 64)));
            begin(&sample).cancel();
            for stored in [false, true] {
                let mut message = begin(&sample);
                let mut dst = output.data(0, 64);
                let out = if stored { Out::Null } else { Out::Other(&mut dst) };
                assert_eq!(message.update(&mut src, out), CRYPTO_SUCCESS);
                // Too little room keeps the message and what it holds.
                if message.finish(Some(&mut output.data(0, 0))) == CRYPTO_BUFFER_TOO_SMALL {
                    message.finish(Some(&mut output.data(0, 64)));
                }
            }
            drop(sample.request().template());
            let (_, found, seen) = SECRETS.take();
            assert_eq!(found, Vec::<String>::new(), "{}", sample.name());
            assert!(seen >= 5, "{}: {seen} blocks seen", sample.name());
        }
    }
}

/// B17: every bit of a tag counts, wherever it is wrong. (This test does not cover that the comparison
/// takes constant time.)
#[test]
fn b17_every_bit_of_the_tag_counts() {
    for mode in [Mode::Ccm, Mode::Gcm, Mode::Gmac] {
        let sample = Sample::new(mode, Way::Decrypt, 20);
        let len = sample.input.len();
        for bit in 0..128 {
            let mut forged = sample.input.clone();
            forged[len - 16 + bit / 8] ^= 1 << (bit % 8);
            let mut input = Buffer::new(Format::Raw, &forged, &[]);
            let rv = sample.request().atomic(Way::Decrypt, None, &mut input.data(0, len), None);
            assert_eq!((rv, input.bytes()), (CRYPTO_INVALID_MAC, forged), "{mode:?} bit {bit}");
        }
    }
}

/// B18: GCM refuses text beyond 2^32 - 2 blocks before it touches any, in one call and in parts. GMAC
/// refuses data beyond what its length block can state. A CTR counter wraps within its bits, as stock's
/// does.
#[test]
fn b18_gcm_length_limit_and_ctr_wrap() {
    const MAX: usize = ((1 << 32) - 2) * 16;
    for (way, tag) in [(Way::Encrypt, 0), (Way::Decrypt, 16)] {
        let sample = Sample::new(Mode::Gcm, way, 16);
        let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
        let mut output = Buffer::room(Format::Raw, 64, &[]);
        for (len, want) in [
            (MAX + tag, CRYPTO_BUFFER_TOO_SMALL),
            (MAX + tag + 1, CRYPTO_DATA_LEN_RANGE),
            (usize::MAX, CRYPTO_DATA_LEN_RANGE),
        ] {
            let (mut src, mut dst) = (input.data(0, len), output.data(0, 64));
            let rv = sample.request().atomic(way, None, &mut src, Some(&mut dst));
            assert_eq!(rv, want, "{way:?} {len}");
            let mut message = begin(&sample);
            let (mut src, mut dst) = (input.data(0, 16), output.data(0, 64));
            assert_eq!(message.update(&mut src, Some(&mut dst)), CRYPTO_SUCCESS);
            let (mut src, mut dst) = (input.data(0, len - 15), output.data(0, 64));
            assert_eq!(message.update(&mut src, Some(&mut dst)), CRYPTO_DATA_LEN_RANGE);
            message.cancel();
        }
    }
    // The limit of 2^64 - 1 bits includes the parameter's AAD.
    let sample = Sample::new(Mode::Gmac, Way::Mac, 16);
    for len in [(1 << 61) - AAD.len(), isize::MAX as usize] {
        let mut input = Buffer::new(Format::Uio, &sample.input, &[16]);
        let mut output = Buffer::room(Format::Raw, 16, &[]);
        let mut message = begin(&sample);
        assert_eq!(message.update(&mut input.data(0, 16), None), CRYPTO_SUCCESS);
        input.iov()[0].iov_len = len;
        let (mut src, mut dst) = (input.data(0, len), output.data(0, 16));
        let rv = sample.request().atomic(Way::Mac, None, &mut src, Some(&mut dst));
        assert_eq!((rv, output.bytes()), (CRYPTO_DATA_LEN_RANGE, vec![FILL; 16]), "{len}");
        assert_eq!(message.update(&mut input.data(0, len - 16), None), CRYPTO_DATA_LEN_RANGE);
        assert_eq!(message.finish(Some(&mut output.data(0, 16))), CRYPTO_SUCCESS);
        assert_eq!(output.bytes(), sample.output, "{len}: nothing was consumed");
    }
    // Four bits count sixteen blocks. The seventeenth repeats the first.
    let mut request = Request::new(Mode::Ctr, &KEY, &[0x5c; 16], 4, &[], 0);
    let mut zeros = Buffer::new(Format::Raw, &[0; 272], &[]);
    assert_eq!(request.atomic(Way::Encrypt, None, &mut zeros.data(0, 272), None), CRYPTO_SUCCESS);
    let keystream = zeros.bytes();
    let blocks: std::collections::HashSet<_> = keystream.chunks(16).collect();
    assert_eq!((blocks.len(), &keystream[..16]), (16, &keystream[256..]));
}

/// B19: cd_miscdata is CBC's IV for this call, whatever the parameter says. Other modes do not read it.
/// Stock overwrites the counter block with it.
#[test]
fn b19_miscdata_is_for_cbc_alone() {
    let ledger = Ledger::begin();
    let mut misc = [0x77_u8; 16];
    for sample in Sample::all(48) {
        let (len, room) = (sample.input.len(), sample.output.len());
        let run = |misc: *mut u8, parts: bool| {
            let mut input = Buffer::new(Format::Uio, &sample.input, &[20, len - 20]);
            let mut output = Buffer::room(Format::Uio, room, &[room]);
            let (mut src, mut dst) = (input.data(0, len), output.data(0, room));
            src.cd_miscdata = misc.cast();
            if parts {
                let mut message = begin(&sample);
                assert_eq!(message.update(&mut src, Some(&mut dst)), CRYPTO_SUCCESS);
                let given = if sample.way == Way::Mac { 0 } else { dst.cd_length };
                let mut dst = output.data(given, room - given);
                assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS);
            } else {
                let rv = sample.request().atomic(sample.way, None, &mut src, Some(&mut dst));
                assert!(matches!(rv, CRYPTO_SUCCESS), "{}", sample.name());
            }
            output.bytes()
        };
        for parts in [false, true] {
            let got = run(misc.as_mut_ptr(), parts);
            if sample.mode == Mode::Cbc {
                let mut request = Request::new(Mode::Cbc, &KEY, &[0x77; 16], 0, &[], 0);
                let mut want = Buffer::new(Format::Raw, &sample.input, &[]);
                assert_eq!(request.atomic(sample.way, None, &mut want.data(0, len), None), 0);
                assert_eq!(got, want.bytes(), "{}", sample.name());
                assert_ne!(got, sample.output, "{}", sample.name());
            } else {
                assert_eq!(got, sample.output, "{}", sample.name());
            }
        }
    }
    ledger.settle();
}

/// IPsec's CBC: no parameter, the IV in the packet, in place; and a new IV for each update.
#[test]
fn b19_ipsec_iv_inside_the_packet() {
    let sample = Sample::new(Mode::Cbc, Way::Encrypt, 64);
    let packet = [&[0x5c; 16], sample.input.as_slice()].concat();
    for format in Format::ALL {
        let mut buffer = Buffer::new(format, &packet, &[80]);
        let mut request = sample.request();
        request.mechanism.cm_param = core::ptr::null_mut();
        request.mechanism.cm_param_len = 0;
        let mut src = buffer.data(16, 64);
        src.cd_miscdata = buffer.iov()[0].iov_base;
        assert_eq!(request.atomic(Way::Encrypt, None, &mut src, None), CRYPTO_SUCCESS);
        assert_eq!(buffer.bytes()[16..], sample.output);
        let mut message = request.init(Way::Encrypt, None).expect("init");
        for _ in 0..2 {
            let mut again = Buffer::new(Format::Raw, &packet, &[]);
            let mut src = again.data(16, 64);
            src.cd_miscdata = again.iov()[0].iov_base;
            assert_eq!(message.update(&mut src, None), CRYPTO_SUCCESS);
            assert_eq!(again.bytes()[16..], sample.output);
        }
        message.cancel();
    }
}

/// B20: a template takes precedence over the key, as in stock. What is no template is refused.
#[test]
fn b20_template_wins_but_must_be_one() {
    let sample = Sample::new(Mode::Ctr, Way::Encrypt, 48);
    let mut other = Request::new(Mode::Ctr, &[9; 32], &[0x5c; 16], 32, &[], 0);
    let template = sample.request().template();
    let mut buffer = Buffer::new(Format::Raw, &sample.input, &[]);
    let rv = other.atomic(Way::Encrypt, Some(&template), &mut buffer.data(0, 48), None);
    assert_eq!((rv, buffer.bytes()), (CRYPTO_SUCCESS, sample.output.clone()));

    let mut mechanism = other.provider_mechanism(Way::Encrypt);
    let mut foreign = [0x1234_5678_u64; 512];
    let mut buffer = Buffer::new(Format::Raw, &sample.input, &[]);
    let rv = spi::atomic(
        Way::Encrypt,
        Some(&mut mechanism),
        Some(&mut other.key),
        foreign.as_mut_ptr().cast(),
        Some(&mut buffer.data(0, 48)),
        Out::Null,
    );
    assert_eq!((rv, buffer.bytes()), (CRYPTO_ARGUMENTS_BAD, sample.input.clone()));
}

/// B21: no group is advertised that has no entry points.
#[test]
fn b21_no_sign_or_verify_groups() {
    load();
    let groups = |mode| MechanismEntry::of(mechanism_name(mode)).expect("registered").groups;
    assert_eq!(groups(Mode::Gmac), 0x1 | 0x2 | 0x1000 | 0x8000 | 0x1_0000 | 0x2_0000);
    assert_eq!(groups(Mode::Cmac), 0x1 | 0x1000 | 0x8000 | 0x2_0000);
}

/// B22: a MAC on a context leaves `cd_length`, as stock does. It restores `cd_offset`, which stock does not
/// do in GMAC.
#[test]
fn b22_gmac_restores_the_offset() {
    for (mode, way) in
        [Mode::Gmac, Mode::Cmac].into_iter().flat_map(|m| [(m, Way::Encrypt), (m, Way::Mac)])
    {
        let sample = Sample::new(mode, way, 45);
        let mut input = Buffer::new(Format::Uio, &sample.input, &[45]);
        let mut mac = Buffer::room(Format::Uio, 40, &[9, 31]);
        let mut dst = mac.data(7, 30);
        let rv = begin(&sample).single(&mut input.data(0, 45), Some(&mut dst));
        assert_eq!((rv, dst.cd_length, dst.cd_offset), (CRYPTO_SUCCESS, 30, 7));
        assert_eq!(mac.bytes()[7..23], sample.output);
        let mut message = begin(&sample);
        assert_eq!(message.update(&mut input.data(0, 45), None), CRYPTO_SUCCESS);
        let mut dst = mac.data(7, 30);
        assert_eq!(message.finish(Some(&mut dst)), CRYPTO_SUCCESS);
        assert_eq!((dst.cd_length, dst.cd_offset), (16, 7));
    }
}

/// B23: GCM or CCM encryption with one struct reports the size needed in that struct. This is kept.
#[test]
fn b23_one_struct_learns_the_size() {
    for (mode, same) in
        [Mode::Ccm, Mode::Gcm].into_iter().flat_map(|mode| [(mode, false), (mode, true)])
    {
        let sample = Sample::new(mode, Way::Encrypt, 37);
        let mut buffer = Buffer::new(Format::Raw, &sample.input, &[]);
        let mut src = buffer.data(0, 37);
        let out = if same { Out::Same } else { Out::Null };
        let rv = sample.request().atomic(Way::Encrypt, None, &mut src, out);
        assert_eq!((rv, src.cd_length), (CRYPTO_BUFFER_TOO_SMALL, 53));
        assert_eq!(buffer.bytes(), sample.input);
    }
}

/// B24: CTR's keystream is continuous over updates of any length.
#[test]
fn b24_ctr_keystream_is_continuous() {
    for way in [Way::Encrypt, Way::Decrypt] {
        let sample = Sample::new(Mode::Ctr, way, 200);
        for step in 1..=40 {
            let mut buffer = Buffer::new(Format::Raw, &sample.input, &[]);
            let mut message = begin(&sample);
            for at in (0..200).step_by(step) {
                let n = step.min(200 - at);
                assert_eq!(message.update(&mut buffer.data(at, n), None), CRYPTO_SUCCESS);
            }
            assert_eq!(message.finish(None), CRYPTO_SUCCESS);
            assert_eq!(buffer.bytes(), sample.output, "{way:?} by {step}");
        }
    }
}

/// A failed init leaves no state, and an atomic call with a template allocates nothing.
#[test]
fn atomic_with_a_template_allocates_nothing() {
    for sample in Sample::all(300) {
        let mut request = sample.request();
        let template = request.template();
        let (len, room) = (sample.input.len(), sample.output.len());
        let mut input = Buffer::new(Format::Uio, &sample.input, &[7, len - 7]);
        let mut output = Buffer::room(Format::Mblk, room, &[room]);
        clear_stats();
        let mut dst = output.data(0, room);
        let rv =
            request.atomic(sample.way, Some(&template), &mut input.data(0, len), Some(&mut dst));
        assert_eq!((rv, stats().allocs), (CRYPTO_SUCCESS, 0), "{}", sample.name());
        assert_eq!(output.bytes(), sample.output);
    }
    assert!(!Spi::default().live());
}
