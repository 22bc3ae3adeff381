// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which code each wrong argument gets, and which code wins if two are wrong at once; foreign templates;
//! contexts in every state. The ops vector is called directly where the framework would stop or hide the
//! case.

use core::ffi::{c_int, c_void};

use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Template, Way, mechanism_id};
use kcfaes_ffi_tests::kernel::{Ledger, fk_kmem_fail_all, in_interrupt, on_both_paths, stats};
use kcfaes_ffi_tests::sample::{Sample, tasks};
use kcfaes_ffi_tests::spi::{self, Spi};
use kcfaes_provider::kcf::{
    CK_AES_CCM_PARAMS, CK_AES_CTR_PARAMS, CK_AES_GCM_PARAMS, CK_AES_GMAC_PARAMS,
    CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_DATA_LEN_RANGE,
    CRYPTO_ENCRYPTED_DATA_LEN_RANGE, CRYPTO_HOST_MEMORY, CRYPTO_INVALID_MAC, CRYPTO_KEY_ATTR_LIST,
    CRYPTO_KEY_REFERENCE, CRYPTO_KEY_SIZE_RANGE, CRYPTO_KEY_TYPE_INCONSISTENT,
    CRYPTO_MECHANISM_INVALID, CRYPTO_MECHANISM_PARAM_INVALID, CRYPTO_OPERATION_NOT_INITIALIZED,
    CRYPTO_SUCCESS, crypto_data_t, crypto_key_t, crypto_key_value_t, crypto_mechanism_t,
};
use kcfaes_vectors::Mode;

const NONE: *mut c_void = core::ptr::null_mut();

/// Everything that one call takes, so that each item can be damaged.
struct Call {
    sample: Sample,
    request: Request,
    mechanism: crypto_mechanism_t,
    key: crypto_key_t,
    template: *mut c_void,
    input: Buffer,
    output: Buffer,
    src: crypto_data_t,
    dst: crypto_data_t,
    /// There is no memory, and the call may not wait for it.
    no_memory: bool,
}

impl Call {
    fn new(mode: Mode, way: Way) -> Self {
        let sample = Sample::new(mode, way, 48);
        let mut request = sample.request();
        let (len, room) = (sample.input.len(), sample.output.len());
        let mut input = Buffer::new(Format::Uio, &sample.input, &[20, len - 20]);
        let mut output = Buffer::room(Format::Uio, room, &[room / 2, room - room / 2]);
        Self {
            mechanism: request.provider_mechanism(way),
            key: request.key,
            template: NONE,
            src: input.data(0, len),
            dst: output.data(0, room),
            sample,
            request,
            input,
            output,
            no_memory: false,
        }
    }

    fn atomic(&mut self) -> c_int {
        let Self { sample, mechanism, key, template, src, dst, .. } = self;
        with_memory(!self.no_memory, || {
            let out = Out::Other(dst);
            spi::atomic(sample.way, Some(mechanism), Some(key), *template, Some(src), out)
        })
    }

    /// Runs init, and frees what it leaves.
    fn init(&mut self) -> c_int {
        let mut spi = Spi::default();
        let Self { sample, mechanism, key, template, .. } = self;
        let rv = with_memory(!self.no_memory, || {
            spi.init(sample.way, Some(mechanism), Some(key), *template)
        });
        assert_eq!(spi.live(), rv == CRYPTO_SUCCESS, "state behind {rv:#x}");
        assert_eq!(spi.free(), CRYPTO_SUCCESS);
        rv
    }

    fn create_template(&mut self) -> c_int {
        let (mut template, mut size) = (NONE, 0);
        let rv = spi::create_template(
            Some(&mut self.mechanism),
            Some(&mut self.key),
            Some(&mut template),
            Some(&mut size),
        );
        if rv == CRYPTO_SUCCESS {
            Block { at: template, size }.free();
        } else {
            assert_eq!((template, size), (NONE, 0), "output behind {rv:#x}");
        }
        rv
    }

    fn key_value(&mut self) -> &mut crypto_key_value_t {
        // SAFETY: the key is given by value.
        unsafe { &mut self.key.cku_data.cku_key_value }
    }

    /// The parameter in the request's own copy, to be damaged.
    fn parameter<T>(&mut self) -> &mut T {
        assert_eq!(self.mechanism.cm_param_len, size_of::<T>());
        // SAFETY: the request owns a parameter of that size and of the mode's type.
        unsafe { &mut *self.mechanism.cm_param.cast::<T>() }
    }

    fn untouched(&self) -> bool {
        self.output.bytes().iter().all(|&b| b == FILL)
    }
}

/// Calls `f` with memory, or without memory and without leave to wait.
fn with_memory(some: bool, f: impl FnOnce() -> c_int) -> c_int {
    if some {
        return f();
    }
    // SAFETY: this thread's allocations.
    unsafe { fk_kmem_fail_all(1) };
    let rv = in_interrupt(false, f);
    // SAFETY: as above.
    unsafe { fk_kmem_fail_all(0) };
    rv
}

/// A template's block, freed as KCF frees it.
struct Block {
    at: *mut c_void,
    size: usize,
}

unsafe extern "C" {
    fn kmem_free(at: *mut c_void, size: usize);
}

impl Block {
    fn free(self) {
        // SAFETY: the block came from the provider, with this size.
        unsafe {
            self.at.cast::<u8>().write_bytes(0, self.size);
            kmem_free(self.at, self.size);
        }
    }
}

const WAYS: [Way; 2] = [Way::Encrypt, Way::Decrypt];

fn every() -> impl Iterator<Item = (Mode, Way)> {
    tasks().into_iter()
}

/// One fault. The faults are listed in the order in which they are found.
struct Fault {
    name: &'static str,
    code: fn(Way) -> c_int,
    applies: fn(Mode, Way) -> bool,
    damage: fn(&mut Call),
}

fn always(_: Mode, _: Way) -> bool {
    true
}

const KEY_FORMAT: Fault = Fault {
    name: "key format",
    code: |_| CRYPTO_KEY_TYPE_INCONSISTENT,
    applies: always,
    damage: |call| call.key.ck_format = CRYPTO_KEY_REFERENCE,
};
const KEY_SIZE: Fault = Fault {
    name: "key size",
    code: |_| CRYPTO_KEY_SIZE_RANGE,
    applies: always,
    damage: |call| call.key_value().cku_v_length = 160,
};
const NUMBER: Fault = Fault {
    name: "mechanism number",
    code: |_| CRYPTO_MECHANISM_INVALID,
    applies: always,
    damage: |call| call.mechanism.cm_type = 99,
};
const PARAMETER_LENGTH: Fault = Fault {
    name: "parameter length",
    code: |_| CRYPTO_MECHANISM_PARAM_INVALID,
    applies: |mode, _| !matches!(mode, Mode::Ecb | Mode::Cmac),
    damage: |call| call.mechanism.cm_param_len += 1,
};
const PARAMETER: Fault = Fault {
    name: "parameter",
    code: |_| CRYPTO_MECHANISM_PARAM_INVALID,
    applies: |mode, _| !matches!(mode, Mode::Ecb | Mode::Cbc | Mode::Cmac),
    damage: |call| {
        // If the length is wrong too, the parameter is not read.
        if call.mechanism.cm_param_len % 8 == 0 {
            match call.sample.mode {
                Mode::Ctr => call.parameter::<CK_AES_CTR_PARAMS>().ulCounterBits = 129,
                Mode::Ccm => call.parameter::<CK_AES_CCM_PARAMS>().ulMACSize = 5,
                Mode::Gcm => call.parameter::<CK_AES_GCM_PARAMS>().ulTagBits = 129,
                _ => call.parameter::<CK_AES_GMAC_PARAMS>().pIv = core::ptr::null_mut(),
            }
        }
    },
};
const MEMORY: Fault = Fault {
    name: "no memory",
    code: |_| CRYPTO_HOST_MEMORY,
    applies: always,
    damage: |call| call.no_memory = true,
};
const RAGGED: Fault = Fault {
    name: "ragged length",
    code: |way| match way {
        Way::Decrypt => CRYPTO_ENCRYPTED_DATA_LEN_RANGE,
        _ => CRYPTO_DATA_LEN_RANGE,
    },
    applies: |mode, _| matches!(mode, Mode::Ecb | Mode::Cbc),
    damage: |call| call.src.cd_length -= 1,
};
const SHORTER_THAN_TAG: Fault = Fault {
    name: "shorter than its tag",
    code: |_| CRYPTO_ENCRYPTED_DATA_LEN_RANGE,
    applies: |mode, way| mode.is_aead() && way == Way::Decrypt,
    damage: |call| call.src.cd_length = 15,
};
const UNDECLARED: Fault = Fault {
    name: "other than declared",
    code: |way| match way {
        Way::Decrypt => CRYPTO_ENCRYPTED_DATA_LEN_RANGE,
        _ => CRYPTO_DATA_LEN_RANGE,
    },
    applies: |mode, _| mode == Mode::Ccm,
    damage: |call| call.src.cd_length -= 1,
};
const ROOM: Fault = Fault {
    name: "room",
    code: |_| CRYPTO_BUFFER_TOO_SMALL,
    applies: |mode, way| !(mode == Mode::Gmac && way == Way::Decrypt),
    damage: |call| call.dst.cd_length = call.dst.cd_length.min(1).saturating_sub(1),
};
const INPUT: Fault = Fault {
    name: "input list",
    code: |_| CRYPTO_DATA_LEN_RANGE,
    applies: always,
    damage: |call| call.src.cd_offset = 1000,
};
const OUTPUT: Fault = Fault {
    name: "output format",
    code: |_| CRYPTO_ARGUMENTS_BAD,
    applies: |mode, way| !(mode == Mode::Gmac && way == Way::Decrypt),
    damage: |call| call.dst.cd_format = 99,
};

/// Tests each fault alone, and each pair: the earlier must win, on either path.
fn check_order(faults: &[&Fault], entry: fn(&mut Call) -> c_int) {
    on_both_paths(|| check_order_on_this_path(faults, entry));
}

fn check_order_on_this_path(faults: &[&Fault], entry: fn(&mut Call) -> c_int) {
    let ledger = Ledger::begin();
    let mut pairs = 0;
    for (mode, way) in every() {
        assert_eq!(entry(&mut Call::new(mode, way)), CRYPTO_SUCCESS, "{mode:?} {way:?}");
        let faults: Vec<_> = faults.iter().filter(|fault| (fault.applies)(mode, way)).collect();
        for (i, first) in faults.iter().enumerate() {
            for second in &faults[i..] {
                // An unknown mechanism has no rule about lengths to break.
                if first.name == "ragged length" && second.name == "mechanism number" {
                    continue;
                }
                let mut call = Call::new(mode, way);
                (first.damage)(&mut call);
                if first.name != second.name {
                    (second.damage)(&mut call);
                    pairs += 1;
                }
                let rv = entry(&mut call);
                let want = (first.code)(way);
                assert_eq!(rv, want, "{mode:?} {way:?}: {} and {}", first.name, second.name);
                assert!(call.untouched(), "{mode:?} {way:?}: {} and {}", first.name, second.name);
            }
        }
    }
    assert!(pairs >= 40, "{pairs} pairs");
    ledger.settle();
}

#[test]
fn atomic_order_of_checks() {
    check_order(
        &[
            &RAGGED,
            &NUMBER,
            &PARAMETER_LENGTH,
            &KEY_FORMAT,
            &KEY_SIZE,
            &PARAMETER,
            &MEMORY,
            &SHORTER_THAN_TAG,
            &UNDECLARED,
            &ROOM,
            &INPUT,
            &OUTPUT,
        ],
        Call::atomic,
    );
}

#[test]
fn init_order_of_checks() {
    check_order(
        &[&KEY_FORMAT, &NUMBER, &PARAMETER_LENGTH, &KEY_SIZE, &PARAMETER, &MEMORY],
        Call::init,
    );
}

/// The faults of a single call, each on its own context.
#[test]
fn single_order_of_checks() {
    let faults = [&RAGGED, &SHORTER_THAN_TAG, &UNDECLARED, &ROOM, &INPUT, &OUTPUT];
    check_order(&faults, |call| {
        let mut spi = Spi::begun(call.sample.way, &mut call.request);
        let rv = spi.single(call.sample.way, Some(&mut call.src), Out::Other(&mut call.dst));
        assert_eq!(spi.live(), rv != CRYPTO_SUCCESS);
        spi.free();
        rv
    });
}

/// REFERENCE, ATTR_LIST and unknown formats; every length except the three legal ones.
#[test]
fn keys_refused() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        for entry in [Call::atomic, Call::init, Call::create_template] {
            for format in [0, CRYPTO_KEY_REFERENCE, CRYPTO_KEY_ATTR_LIST, 4, u32::MAX] {
                let mut call = Call::new(mode, way);
                call.key.ck_format = format;
                assert_eq!(entry(&mut call), CRYPTO_KEY_TYPE_INCONSISTENT, "{format}");
            }
            for bits in (0..=320).chain([1 << 16, u32::MAX]) {
                let mut call = Call::new(mode, way);
                let mut bytes = [7_u8; 40];
                *call.key_value() = crypto_key_value_t {
                    cku_v_length: bits,
                    cku_v_data: bytes.as_mut_ptr().cast(),
                };
                let rv = entry(&mut call);
                match bits {
                    // The answer was made with another key, so a verification fails.
                    128 | 192 | 256 => assert_ne!(rv, CRYPTO_KEY_SIZE_RANGE, "{bits}"),
                    _ => assert_eq!(rv, CRYPTO_KEY_SIZE_RANGE, "{mode:?} {way:?} {bits}"),
                }
            }
            let mut call = Call::new(mode, way);
            call.key_value().cku_v_data = NONE;
            assert_eq!(entry(&mut call), CRYPTO_ARGUMENTS_BAD);
        }
    }
    ledger.settle();
}

/// The parameter has exactly one length. ECB and CMAC do not read it.
#[test]
fn parameter_lengths() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        let right = Call::new(mode, way).mechanism.cm_param_len;
        for len in (0..=72).chain([usize::MAX]) {
            for entry in [Call::atomic, Call::init] {
                let mut call = Call::new(mode, way);
                call.mechanism.cm_param_len = len;
                let want = if len == right || matches!(mode, Mode::Ecb | Mode::Cmac) {
                    CRYPTO_SUCCESS
                } else {
                    CRYPTO_MECHANISM_PARAM_INVALID
                };
                assert_eq!(entry(&mut call), want, "{mode:?} {way:?} {len}");
            }
            // A template depends on the key alone. IPsec has no parameter yet when it makes one.
            let mut call = Call::new(mode, way);
            call.mechanism.cm_param_len = len;
            call.mechanism.cm_param = core::ptr::null_mut();
            assert_eq!(call.create_template(), CRYPTO_SUCCESS);
        }
    }
    ledger.settle();
}

/// CTR, CCM and GCM do not accept a raw 16-byte IV, which other APIs use, as their parameter.
#[test]
fn ctr_raw_iv_refused() {
    for mode in [Mode::Ctr, Mode::Ccm, Mode::Gcm, Mode::Gmac] {
        for way in WAYS {
            let mut iv = [1_u8; 16];
            let mut call = Call::new(mode, way);
            call.mechanism.cm_param = iv.as_mut_ptr().cast();
            call.mechanism.cm_param_len = 16;
            assert_eq!(call.atomic(), CRYPTO_MECHANISM_PARAM_INVALID);
            assert_eq!(call.init(), CRYPTO_MECHANISM_PARAM_INVALID);
        }
    }
}

#[test]
fn null_parameter() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        for len in [0, Call::new(mode, way).mechanism.cm_param_len, 99] {
            for entry in [Call::atomic, Call::init] {
                let mut call = Call::new(mode, way);
                call.mechanism.cm_param = core::ptr::null_mut();
                call.mechanism.cm_param_len = len;
                let want = match mode {
                    Mode::Ecb | Mode::Cbc | Mode::Cmac => CRYPTO_SUCCESS,
                    _ => CRYPTO_MECHANISM_PARAM_INVALID,
                };
                assert_eq!(entry(&mut call), want, "{mode:?} {way:?} {len}");
            }
        }
    }
    ledger.settle();
}

/// CBC without any IV runs with the zero IV, as the reference does.
#[test]
fn cbc_null_iv_is_zero() {
    let mut call = Call::new(Mode::Cbc, Way::Encrypt);
    call.mechanism.cm_param = core::ptr::null_mut();
    call.mechanism.cm_param_len = 0;
    assert_eq!(call.atomic(), CRYPTO_SUCCESS);
    let mut zero = [0_u8; 16];
    let mut explicit = Call::new(Mode::Cbc, Way::Encrypt);
    explicit.mechanism.cm_param = zero.as_mut_ptr().cast();
    assert_eq!(explicit.atomic(), CRYPTO_SUCCESS);
    assert_eq!(call.output.bytes(), explicit.output.bytes());
    assert_ne!(call.output.bytes(), call.sample.output);
}

#[test]
fn gcm_tag_bits_every_value() {
    let ledger = Ledger::begin();
    for bits in (0..=136).chain([256, 1 << 32 | 128, u64::MAX]) {
        let good = matches!(bits, 32 | 64 | 96 | 104 | 112 | 120 | 128);
        let want = if good { CRYPTO_SUCCESS } else { CRYPTO_MECHANISM_PARAM_INVALID };
        for entry in [Call::atomic, Call::init] {
            let mut call = Call::new(Mode::Gcm, Way::Encrypt);
            call.parameter::<CK_AES_GCM_PARAMS>().ulTagBits = bits;
            assert_eq!(entry(&mut call), want, "{bits}");
        }
        let mut call = Call::new(Mode::Gcm, Way::Encrypt);
        let full = call.sample.output.clone();
        call.parameter::<CK_AES_GCM_PARAMS>().ulTagBits = bits;
        if call.atomic() == CRYPTO_SUCCESS {
            // A shorter tag is the beginning of the full one.
            let n = 48 + bits as usize / 8;
            assert_eq!(call.dst.cd_length, n);
            assert_eq!(call.output.bytes()[..n], full[..n]);
        }
        let mut call = Call::new(Mode::Gcm, Way::Decrypt);
        call.parameter::<CK_AES_GCM_PARAMS>().ulTagBits = bits;
        assert_eq!(call.init(), want, "{bits}");
        call.src.cd_length = 48 + (bits as usize / 8).min(16);
        assert_eq!(call.atomic(), want, "{bits}");
    }
    ledger.settle();
}

#[test]
fn ctr_counter_bits_every_value() {
    for bits in (0..=136).chain([1 << 32 | 1, u64::MAX]) {
        let want = match bits {
            1..=128 => CRYPTO_SUCCESS,
            _ => CRYPTO_MECHANISM_PARAM_INVALID,
        };
        for entry in [Call::atomic, Call::init] {
            for way in WAYS {
                let mut call = Call::new(Mode::Ctr, way);
                call.parameter::<CK_AES_CTR_PARAMS>().ulCounterBits = bits;
                assert_eq!(entry(&mut call), want, "{bits}");
            }
        }
    }
}

/// Changes a parameter.
type Edit<T> = fn(&mut T);

/// An IV must have bytes. AAD must have bytes if its length is not 0. A NULL pointer for either is refused
/// otherwise, and so are lengths beyond what GCM can hash.
#[test]
fn gcm_iv_and_aad() {
    type Params = CK_AES_GCM_PARAMS;
    let cases: [(Edit<Params>, c_int); 7] = [
        (|p| p.ulIvLen = 0, CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| p.pIv = core::ptr::null_mut(), CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| p.ulIvLen = u64::MAX, CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| p.pAAD = core::ptr::null_mut(), CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| p.ulAADLen = 1 << 61, CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| (p.pAAD, p.ulAADLen) = (core::ptr::null_mut(), 0), CRYPTO_SUCCESS),
        (|p| p.ulIvBits = 1, CRYPTO_SUCCESS),
    ];
    for (i, (damage, want)) in cases.into_iter().enumerate() {
        for entry in [Call::atomic, Call::init] {
            let mut call = Call::new(Mode::Gcm, Way::Encrypt);
            damage(call.parameter());
            assert_eq!(entry(&mut call), want, "case {i}");
        }
    }
    let mut call = Call::new(Mode::Gcm, Way::Encrypt);
    call.parameter::<Params>().ulIvBits = 0x1234_5678;
    assert_eq!(call.atomic(), CRYPTO_SUCCESS);
    assert_eq!(call.output.bytes(), call.sample.output, "ulIvBits is never read");
}

#[test]
fn gmac_iv_and_aad() {
    type Params = CK_AES_GMAC_PARAMS;
    let cases: [(Edit<Params>, c_int); 4] = [
        (|p| p.pIv = core::ptr::null_mut(), CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| p.pAAD = core::ptr::null_mut(), CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| p.ulAADLen = 1 << 61, CRYPTO_MECHANISM_PARAM_INVALID),
        (|p| (p.pAAD, p.ulAADLen) = (core::ptr::null_mut(), 0), CRYPTO_SUCCESS),
    ];
    for (i, (damage, want)) in cases.into_iter().enumerate() {
        for (way, entry) in [
            (Way::Mac, Call::atomic as fn(&mut Call) -> c_int),
            (Way::Mac, Call::init),
            (Way::Encrypt, Call::atomic),
            (Way::Decrypt, Call::init),
        ] {
            let mut call = Call::new(Mode::Gmac, way);
            damage(call.parameter());
            assert_eq!(entry(&mut call), want, "case {i} {way:?}");
        }
    }
}

/// Every length of CCM. The MAC's is even, from 4 to 16. The nonce's is from 7 to 13. The text's must fit
/// into the bytes of the block that the nonce leaves. This limit is on the text in both directions; a
/// decryption declares the length of text and MAC.
#[test]
fn ccm_lengths_every_value() {
    type Params = CK_AES_CCM_PARAMS;
    let ledger = Ledger::begin();
    let bad = CRYPTO_MECHANISM_PARAM_INVALID;
    for size in (0..=20).chain([32, 1 << 32 | 16, 1 << 63, u64::MAX]) {
        let mac = matches!(size, 4 | 6 | 8 | 10 | 12 | 14 | 16);
        let nonce = matches!(size, 7..=13);
        for way in WAYS {
            for entry in [Call::atomic, Call::init] {
                let mut call = Call::new(Mode::Ccm, way);
                let Params { nonce: at, .. } = *call.parameter();
                let text = 48_u64.wrapping_add(if way == Way::Decrypt { size } else { 0 });
                call.parameter::<Params>().ulMACSize = size;
                call.parameter::<Params>().ulDataSize = text;
                call.src.cd_length = text.min(64) as usize;
                let rv = entry(&mut call);
                assert_eq!(rv == bad, !mac, "MAC of {size}: {rv:#x}");
                let mut call = Call::new(Mode::Ccm, way);
                let mut long = [0x5c_u8; 20];
                call.parameter::<Params>().ulNonceSize = size;
                if size > 12 {
                    call.parameter::<Params>().nonce = long.as_mut_ptr();
                }
                let rv = entry(&mut call);
                assert_eq!(rv == bad, !nonce, "nonce of {size}: {rv:#x}");
                call.parameter::<Params>().nonce = at;
            }
        }
    }
    for nonce in 7..=13_u64 {
        let limit = u64::MAX >> (8 * (nonce - 7));
        let mut long = [0x5c_u8; 20];
        let mut declare = |way, size: u64| {
            let mut call = Call::new(Mode::Ccm, way);
            let p = call.parameter::<Params>();
            (p.ulNonceSize, p.nonce, p.ulDataSize) = (nonce, long.as_mut_ptr(), size);
            call.init()
        };
        // The longest text whose length fits, and one byte more.
        assert_eq!(declare(Way::Encrypt, limit), CRYPTO_SUCCESS, "{nonce}");
        if let Some(more) = limit.checked_add(1) {
            assert_eq!(declare(Way::Encrypt, more), bad, "{nonce}");
            assert_eq!(declare(Way::Decrypt, more + 16), bad, "{nonce}");
        }
        // A decryption allocates the length that it declares: here at most 16 MiB.
        if nonce >= 12 {
            assert_eq!(declare(Way::Decrypt, limit + 16), CRYPTO_SUCCESS, "{nonce}");
        }
        assert_eq!(declare(Way::Decrypt, 16), CRYPTO_SUCCESS, "{nonce}");
        assert_eq!(declare(Way::Decrypt, 15), bad, "{nonce}: shorter than its MAC");
    }
    let cases: [(Edit<Params>, c_int); 5] = [
        (|p| p.nonce = core::ptr::null_mut(), bad),
        (|p| p.authData = core::ptr::null_mut(), bad),
        (|p| p.ulAuthDataSize = 1 << 61, bad),
        (|p| (p.authData, p.ulAuthDataSize) = (core::ptr::null_mut(), 0), CRYPTO_SUCCESS),
        (|p| p.ulAuthDataSize = 0, CRYPTO_SUCCESS),
    ];
    for (i, (damage, want)) in cases.into_iter().enumerate() {
        for entry in [Call::atomic, Call::init] {
            let mut call = Call::new(Mode::Ccm, Way::Encrypt);
            damage(call.parameter());
            assert_eq!(entry(&mut call), want, "case {i}");
        }
    }
    ledger.settle();
}

/// CMAC computes and verifies MACs. No call decrypts with it.
#[test]
fn cmac_is_not_decrypted() {
    let ledger = Ledger::begin();
    for entry in [Call::atomic, Call::init] {
        let mut call = Call::new(Mode::Cmac, Way::Encrypt);
        call.sample.way = Way::Decrypt;
        // CMAC does not need full blocks. The reference would run it as CBC, which does.
        for len in [48, 47] {
            call.src.cd_length = len;
            assert_eq!(entry(&mut call), CRYPTO_MECHANISM_INVALID);
        }
        assert!(call.untouched());
    }
    ledger.settle();
}

/// Numbers that no mechanism has, or whose mechanism has no MAC group.
#[test]
fn mechanism_numbers() {
    for way in [Way::Encrypt, Way::Decrypt, Way::Mac] {
        for number in [2, 8, 99, 1 << 32, u64::MAX] {
            for entry in [Call::atomic, Call::init, Call::create_template] {
                let mut call = Call::new(Mode::Gmac, way);
                call.mechanism.cm_type = number;
                assert_eq!(entry(&mut call), CRYPTO_MECHANISM_INVALID, "{way:?} {number}");
            }
        }
    }
    for mode in [Mode::Ecb, Mode::Cbc, Mode::Ctr, Mode::Ccm, Mode::Gcm] {
        for entry in [Call::atomic, Call::init] {
            let mut call = Call::new(mode, Way::Encrypt);
            call.sample.way = Way::Mac;
            assert_eq!(entry(&mut call), CRYPTO_MECHANISM_INVALID, "{mode:?} as a MAC");
        }
    }
}

/// NULL instead of a required struct is ARGUMENTS_BAD, in every call.
#[test]
fn null_pointers() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        let mut call = Call::new(mode, way);
        let Call { mechanism, key, src, dst, request, .. } = &mut call;
        let bad = CRYPTO_ARGUMENTS_BAD;
        assert_eq!(spi::atomic(way, None, Some(key), NONE, Some(src), Out::Other(dst)), bad);
        assert_eq!(spi::atomic(way, Some(mechanism), None, NONE, Some(src), Out::Other(dst)), bad);
        assert_eq!(spi::atomic(way, Some(mechanism), Some(key), NONE, None, Out::Other(dst)), bad);
        assert_eq!(spi::atomic(way, Some(mechanism), Some(key), NONE, None, Out::Null), bad);
        let mut spi = Spi::default();
        assert_eq!(spi.init(way, None, Some(key), NONE), bad);
        assert_eq!(spi.init(way, Some(mechanism), None, NONE), bad);
        assert!(!spi.live());
        let mut spi = Spi::begun(way, request);
        assert_eq!(spi.update(way, None, Out::Other(dst)), bad);
        assert_eq!(spi.single(way, None, Out::Other(dst)), bad);
        assert!(spi.live());
        assert_eq!(spi.free(), CRYPTO_SUCCESS);
    }
    let mut call = Call::new(Mode::Gmac, Way::Mac);
    let Call { mechanism, key, src, dst, .. } = &mut call;
    let bad = CRYPTO_ARGUMENTS_BAD;
    assert_eq!(spi::verify(None, Some(key), NONE, Some(src), Some(dst)), bad);
    assert_eq!(spi::verify(Some(mechanism), None, NONE, Some(src), Some(dst)), bad);
    assert_eq!(spi::verify(Some(mechanism), Some(key), NONE, None, Some(dst)), bad);
    assert_eq!(spi::verify(Some(mechanism), Some(key), NONE, Some(src), None), bad);
    let (mut template, mut size) = (NONE, 0);
    let create = spi::create_template;
    assert_eq!(create(None, Some(key), Some(&mut template), Some(&mut size)), bad);
    assert_eq!(create(Some(mechanism), None, Some(&mut template), Some(&mut size)), bad);
    assert_eq!(create(Some(mechanism), Some(key), None, Some(&mut size)), bad);
    assert_eq!(create(Some(mechanism), Some(key), Some(&mut template), None), bad);
    assert_eq!((template, size), (NONE, 0));
    assert_eq!(spi::free_nothing(), CRYPTO_SUCCESS);
    ledger.settle();
}

/// With a template an atomic call does not read the key at all. init still checks the key's format.
#[test]
fn template_replaces_the_key() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        let mut call = Call::new(mode, way);
        let block = template_of(&mut call);
        let damages: [fn(&mut Call); 4] = [
            |call| call.key.ck_format = CRYPTO_KEY_REFERENCE,
            |call| call.key_value().cku_v_length = 13,
            |call| call.key_value().cku_v_data = NONE,
            |_| {},
        ];
        for damage in damages {
            let mut call = Call::new(mode, way);
            call.template = block.at;
            damage(&mut call);
            assert_eq!(call.atomic(), CRYPTO_SUCCESS, "{mode:?} {way:?}");
            assert_eq!(call.output.bytes(), call.sample.output, "{mode:?} {way:?}");
            let want = match call.key.ck_format {
                CRYPTO_KEY_REFERENCE => CRYPTO_KEY_TYPE_INCONSISTENT,
                _ => CRYPTO_SUCCESS,
            };
            assert_eq!(call.init(), want, "{mode:?} {way:?}");
        }
        let Call { mechanism, src, dst, .. } = &mut call;
        let rv = spi::atomic(way, Some(mechanism), None, block.at, Some(src), Out::Other(dst));
        assert_eq!(rv, CRYPTO_SUCCESS, "no key at all");
        block.free();
    }
    ledger.settle();
}

fn template_of(call: &mut Call) -> Block {
    let mut block = Block { at: NONE, size: 0 };
    let rv = spi::create_template(
        Some(&mut call.mechanism),
        Some(&mut call.key),
        Some(&mut block.at),
        Some(&mut block.size),
    );
    assert_eq!(rv, CRYPTO_SUCCESS);
    block
}

/// A pointer that is no template, a pointer into a template, and a copy of a template elsewhere:
/// ARGUMENTS_BAD before a byte is transformed.
#[test]
fn template_foreign_misaligned_or_moved_is_refused() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        let mut call = Call::new(mode, way);
        let block = template_of(&mut call);
        // SAFETY: the block has that many bytes, and the copies are only read.
        let bytes = unsafe { core::slice::from_raw_parts(block.at.cast::<u8>(), block.size) };
        let mut moved = vec![0_u64; block.size / 8 + 1];
        // SAFETY: the vector has room for the block.
        unsafe { moved.as_mut_ptr().cast::<u8>().copy_from(bytes.as_ptr(), bytes.len()) };
        let mut zeros = [0_u64; 8];
        let mut strange = [0x5a5a_5a5a_5a5a_5a5a_u64; 8];
        let foreign: [*mut c_void; 5] = [
            zeros.as_mut_ptr().cast(),
            strange.as_mut_ptr().cast(),
            moved.as_mut_ptr().cast(),
            block.at.cast::<u8>().wrapping_add(1).cast(),
            block.at.cast::<u8>().wrapping_add(8).cast(),
        ];
        for (i, template) in foreign.into_iter().enumerate() {
            let mut call = Call::new(mode, way);
            call.template = template;
            assert_eq!(call.atomic(), CRYPTO_ARGUMENTS_BAD, "{mode:?} {way:?} {i}");
            assert_eq!(call.init(), CRYPTO_ARGUMENTS_BAD, "{mode:?} {way:?} {i}");
            assert!(call.untouched());
        }
        // At an odd address, although its header says that it belongs there.
        let odd = moved.as_mut_ptr().cast::<u8>().wrapping_add(1);
        let magic = u64::from_ne_bytes(bytes[..8].try_into().expect("8 bytes"));
        let magic = magic ^ block.at as u64 ^ odd as u64;
        // SAFETY: the vector has room for the block and 8 bytes more.
        unsafe {
            odd.copy_from(bytes.as_ptr(), bytes.len());
            odd.copy_from(magic.to_ne_bytes().as_ptr(), 8);
        }
        call.template = odd.cast();
        assert_eq!(call.atomic(), CRYPTO_ARGUMENTS_BAD, "{mode:?} {way:?} odd");
        assert_eq!(call.init(), CRYPTO_ARGUMENTS_BAD, "{mode:?} {way:?} odd");
        block.free();
    }
    ledger.settle();
}

/// A template does not need the key or the mechanism from which it was made. It serves every mechanism, and
/// any number of threads and contexts at once. Contexts may die before it in any order.
#[test]
fn template_outlives_its_key_and_serves_threads() {
    let ledger = Ledger::begin();
    let template: Template = {
        let mut request = Sample::new(Mode::Ecb, Way::Encrypt, 16).request();
        let template = request.template();
        let mut other = Request::new(Mode::Ecb, &[0; 32], &[], 0, &[], 0);
        // SAFETY: the request owns 16 bytes of key.
        unsafe { request.key.cku_data.cku_key_value.cku_v_data.write_bytes(0xee, 16) };
        assert_ne!(other.template().0, template.0);
        template
    };
    // KCF binds a template to its mechanism. The provider does not.
    let mut call = Call::new(Mode::Gcm, Way::Encrypt);
    call.mechanism = Call::new(Mode::Ecb, Way::Encrypt).mechanism;
    let block = template_of(&mut call);
    for (mode, way) in every() {
        let mut call = Call::new(mode, way);
        call.template = block.at;
        assert_eq!(call.atomic(), CRYPTO_SUCCESS, "{mode:?} {way:?}");
        assert_eq!(call.output.bytes(), call.sample.output, "{mode:?} {way:?}");
    }
    block.free();
    let sample = &Sample::new(Mode::Ecb, Way::Encrypt, 512);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let ledger = Ledger::begin();
                for _ in 0..200 {
                    let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
                    let mut output = Buffer::room(Format::Raw, 512, &[]);
                    let mut request = sample.request();
                    let mut first = request.init(Way::Encrypt, Some(&template)).expect("init");
                    let mut second = request.init(Way::Encrypt, Some(&template)).expect("init");
                    let mut dst = output.data(0, 512);
                    assert_eq!(first.single(&mut input.data(0, 512), Some(&mut dst)), 0);
                    assert_eq!(output.bytes(), sample.output);
                    let mut dst = output.data(0, 512);
                    assert_eq!(second.update(&mut input.data(0, 512), Some(&mut dst)), 0);
                    second.cancel();
                }
                ledger.settle();
            });
        }
    });
    drop(template);
    ledger.settle();
}

/// After init the key, the parameter, its IV and its AAD may change.
#[test]
fn init_keeps_no_pointer() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        let mut call = Call::new(mode, way);
        let mut spi = Spi::begun(way, &mut call.request);
        let scribble = |at: *mut u8, len: u64| {
            // SAFETY: the request owns `len` bytes there.
            unsafe { at.write_bytes(0xee, len as usize) };
        };
        scribble(call.key_value().cku_v_data.cast(), 16);
        match mode {
            Mode::Ccm => {
                let p: CK_AES_CCM_PARAMS = *call.parameter();
                scribble(p.nonce, p.ulNonceSize);
                scribble(p.authData, p.ulAuthDataSize);
            }
            Mode::Gcm => {
                let p: CK_AES_GCM_PARAMS = *call.parameter();
                scribble(p.pIv, p.ulIvLen);
                scribble(p.pAAD, p.ulAADLen);
            }
            Mode::Gmac => {
                let p: CK_AES_GMAC_PARAMS = *call.parameter();
                scribble(p.pIv, 12);
                scribble(p.pAAD, p.ulAADLen);
            }
            _ => {}
        }
        scribble(call.mechanism.cm_param.cast(), call.mechanism.cm_param_len as u64);
        let rv = spi.single(way, Some(&mut call.src), Out::Other(&mut call.dst));
        assert_eq!(rv, CRYPTO_SUCCESS, "{mode:?} {way:?}");
        assert_eq!(call.output.bytes(), call.sample.output, "{mode:?} {way:?}");
    }
    ledger.settle();
}

/// A message that has ended, or never began, can be freed again without harm. It takes no more data.
#[test]
fn free_context_in_every_state() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        let states: [fn(&mut Call, &mut Spi); 7] = [
            |_, _| {},
            |call, spi| {
                let rv =
                    spi.update(call.sample.way, Some(&mut call.src), Out::Other(&mut call.dst));
                assert_eq!(rv, CRYPTO_SUCCESS);
            },
            // A partial block waits, or GCM decryption has buffered.
            |call, spi| {
                call.src.cd_length = 17;
                call.dst.cd_length = 17;
                let rv = spi.update(call.sample.way, Some(&mut call.src), Out::Null);
                assert_eq!(rv, CRYPTO_SUCCESS);
            },
            |call, spi| {
                call.dst.cd_length = 0;
                let rv =
                    spi.single(call.sample.way, Some(&mut call.src), Out::Other(&mut call.dst));
                let verifies = call.sample.output.is_empty();
                assert_eq!(rv, if verifies { CRYPTO_SUCCESS } else { CRYPTO_BUFFER_TOO_SMALL });
            },
            |call, spi| {
                call.src.cd_offset = 1000;
                let rv =
                    spi.update(call.sample.way, Some(&mut call.src), Out::Other(&mut call.dst));
                assert_eq!(rv, CRYPTO_DATA_LEN_RANGE);
            },
            |call, spi| {
                let rv =
                    spi.single(call.sample.way, Some(&mut call.src), Out::Other(&mut call.dst));
                assert_eq!((rv, spi.live()), (CRYPTO_SUCCESS, false));
            },
            |call, spi| {
                call.src.cd_length = 17;
                spi.update(call.sample.way, Some(&mut call.src), Out::Null);
                call.dst.cd_length = 0;
                spi.finish(call.sample.way, Some(&mut call.dst));
            },
        ];
        for state in states {
            let mut call = Call::new(mode, way);
            let mut spi = Spi::begun(way, &mut call.request);
            assert!(spi.live());
            state(&mut call, &mut spi);
            for _ in 0..3 {
                assert_eq!(spi.free(), CRYPTO_SUCCESS);
                assert!(!spi.live());
            }
            let mut call = Call::new(mode, way);
            let gone = CRYPTO_OPERATION_NOT_INITIALIZED;
            assert_eq!(spi.update(way, Some(&mut call.src), Out::Other(&mut call.dst)), gone);
            assert_eq!(spi.single(way, Some(&mut call.src), Out::Other(&mut call.dst)), gone);
            assert_eq!(spi.finish(way, Some(&mut call.dst)), gone);
            assert!(call.untouched());
        }
    }
    ledger.settle();
}

/// The same states, ended by the consumer.
#[test]
fn cancel_in_every_state() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        for state in 0..4 {
            let Call { request, src, dst, .. } = &mut Call::new(mode, way);
            let mut message = request.init(way, None).expect("init");
            match state {
                1 => assert_eq!(message.update(src, Some(&mut *dst)), CRYPTO_SUCCESS),
                2 => {
                    src.cd_length = 17;
                    assert_eq!(message.update(src, None), CRYPTO_SUCCESS);
                }
                3 => {
                    src.cd_offset = 1000;
                    assert_eq!(message.update(src, Some(&mut *dst)), CRYPTO_DATA_LEN_RANGE);
                }
                _ => {}
            }
            message.cancel();
        }
    }
    ledger.settle();
}

/// The entry points that take data on a context.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Update,
    Single,
    Finish,
}

/// The init of a context makes it one of encryption, decryption or MAC. The entry points of the other two
/// refuse it, write nothing, and leave it as it was.
#[test]
fn context_of_another_group() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        for other in [Way::Encrypt, Way::Decrypt, Way::Mac] {
            for entry in [Entry::Update, Entry::Single, Entry::Finish] {
                for in_place in [false, true] {
                    let what = format!("{mode:?}, begun to {way:?}: {entry:?} to {other:?}");
                    let mut call = Call::new(mode, way);
                    let mut spi = Spi::begun(way, &mut call.request);
                    let Call { src, dst, .. } = &mut call;
                    let mut again = *src;
                    let out = if in_place { Out::Null } else { Out::Other(dst) };
                    if other != way {
                        let rv = match entry {
                            Entry::Update => spi.update(other, Some(&mut again), out),
                            Entry::Single => spi.single(other, Some(&mut again), out),
                            Entry::Finish => spi.finish(other, Some(dst)),
                        };
                        assert_eq!(rv, CRYPTO_OPERATION_NOT_INITIALIZED, "{what}");
                        assert!(call.untouched(), "{what}");
                        assert_eq!(call.input.bytes(), call.sample.input, "{what}");
                        assert_eq!(again.cd_length, call.src.cd_length, "{what}");
                        assert_eq!(call.dst.cd_length, call.sample.output.len(), "{what}");
                    }
                    let rv = spi.single(way, Some(&mut call.src), Out::Other(&mut call.dst));
                    assert_eq!(rv, CRYPTO_SUCCESS, "{what}: the context is as it was");
                    assert_eq!(call.output.bytes(), call.sample.output, "{what}");
                }
            }
        }
    }
    ledger.settle();
}

/// A verification by GMAC with fewer bytes than its tag absorbs nothing. With all bytes, the same context
/// then answers as if the first call had not happened.
#[test]
fn gmac_too_short_absorbs_nothing() {
    let ledger = Ledger::begin();
    let sample = Sample::new(Mode::Gmac, Way::Decrypt, 45);
    let mut input = Buffer::new(Format::Raw, &sample.input, &[]);
    for before in [0, 1, 7, 15] {
        for len in 0..16 - before {
            let mut spi = Spi::begun(Way::Decrypt, &mut sample.request());
            let rv = spi.update(Way::Decrypt, Some(&mut input.data(0, before)), Out::Null);
            assert_eq!(rv, CRYPTO_SUCCESS);
            for _ in 0..2 {
                let rv = spi.single(Way::Decrypt, Some(&mut input.data(before, len)), Out::Null);
                assert_eq!(rv, CRYPTO_ENCRYPTED_DATA_LEN_RANGE, "{before} and {len}");
                assert!(spi.live());
            }
            let rest = sample.input.len() - before;
            let rv = spi.single(Way::Decrypt, Some(&mut input.data(before, rest)), Out::Null);
            assert_eq!(rv, CRYPTO_SUCCESS, "{before} and {len}, then all");
        }
    }
    ledger.settle();
}

/// A forged whole message ends its context, as a good one does.
#[test]
fn forged_single_frees_its_context() {
    let ledger = Ledger::begin();
    for mode in [Mode::Ccm, Mode::Gcm, Mode::Gmac] {
        let mut call = Call::new(mode, Way::Decrypt);
        let mut forged = call.sample.input.clone();
        forged[1] ^= 1;
        let mut input = Buffer::new(Format::Raw, &forged, &[]);
        let mut spi = Spi::begun(Way::Decrypt, &mut call.request);
        let mut src = input.data(0, forged.len());
        let rv = spi.single(Way::Decrypt, Some(&mut src), Out::Other(&mut call.dst));
        assert_eq!((rv, spi.live()), (CRYPTO_INVALID_MAC, false), "{mode:?}");
    }
    ledger.settle();
}

/// In the framework's context the provider writes only its own member.
#[test]
fn only_the_private_member_is_written() {
    let ledger = Ledger::begin();
    for (mode, way) in every() {
        for parts in [false, true] {
            let mut call = Call::new(mode, way);
            let mut spi = Spi::marked();
            let key = Some(&mut call.key);
            assert_eq!(spi.init(way, Some(&mut call.mechanism), key, NONE), CRYPTO_SUCCESS);
            let rv = if parts {
                let room = call.dst.cd_length;
                let out = Out::Other(&mut call.dst);
                assert_eq!(spi.update(way, Some(&mut call.src), out), CRYPTO_SUCCESS);
                let given = if way == Way::Mac { 0 } else { call.dst.cd_length };
                spi.finish(way, Some(&mut call.output.data(given, room - given)))
            } else {
                spi.single(way, Some(&mut call.src), Out::Other(&mut call.dst))
            };
            assert_eq!(rv, CRYPTO_SUCCESS, "{mode:?} {way:?}");
            assert!(spi.is_marked() && !spi.live(), "{mode:?} {way:?}");
        }
    }
    ledger.settle();
}

/// A forged final ends the message. What was held is freed at once, and so wiped, and no other call gives
/// out a byte. KCF then has nothing to free, but may still ask the provider to.
#[test]
fn forged_final_gives_nothing_more() {
    let ledger = Ledger::begin();
    for (mode, apart) in
        [(Mode::Gcm, true), (Mode::Gcm, false), (Mode::Ccm, false), (Mode::Gmac, false)]
    {
        for entry in [Entry::Update, Entry::Single, Entry::Finish] {
            let what = format!("{mode:?}, output apart: {apart}, {entry:?}");
            let mut call = Call::new(mode, Way::Decrypt);
            let len = call.sample.input.len();
            let forged =
                [&call.sample.input[..len - 1], &[call.sample.input[len - 1] ^ 1]].concat();
            let mut input = Buffer::new(Format::Raw, &forged, &[]);
            let mut spi = Spi::begun(Way::Decrypt, &mut call.request);
            let out = if apart { Out::Other(&mut call.dst) } else { Out::Null };
            let rv = spi.update(Way::Decrypt, Some(&mut input.data(0, len)), out);
            assert_eq!(rv, CRYPTO_SUCCESS);
            let mut room = Buffer::room(Format::Raw, 64, &[]);
            let mut dst = room.data(0, 64);
            assert_eq!(spi.finish(Way::Decrypt, Some(&mut dst)), CRYPTO_INVALID_MAC, "{what}");
            let gone = CRYPTO_OPERATION_NOT_INITIALIZED;
            for _ in 0..3 {
                let mut zeros = Buffer::new(Format::Raw, &[0; 16], &[]);
                let (mut src, out) = (zeros.data(0, 16), Out::Other(&mut dst));
                let rv = match entry {
                    Entry::Update => spi.update(Way::Decrypt, Some(&mut src), out),
                    Entry::Single => spi.single(Way::Decrypt, Some(&mut src), out),
                    Entry::Finish => spi.finish(Way::Decrypt, Some(&mut dst)),
                };
                assert_eq!((rv, spi.live()), (gone, false), "{what}");
                assert_eq!((dst.cd_length, room.bytes()), (64, vec![FILL; 64]), "{what}");
            }
            let blocks = stats();
            assert_eq!((blocks.allocs, blocks.alloc_bytes), (blocks.frees, blocks.free_bytes));
            assert_eq!(spi.free(), CRYPTO_SUCCESS);
        }
    }
    ledger.settle();
}

/// A MAC to verify that is not exactly 16 bytes is INVALID_MAC before any other fault, in any format. Then
/// come faults of the data, then of the MAC.
#[test]
fn verify_codes() {
    for mode in [Mode::Gmac, Mode::Cmac] {
        verify_codes_of(mode);
    }
}

fn verify_codes_of(mode: Mode) {
    let ledger = Ledger::begin();
    let sample = Sample::new(mode, Way::Mac, 45);
    let verify = |mac: &mut crypto_data_t, data: &mut crypto_data_t| {
        let mut request = sample.request();
        let mut mechanism = request.provider_mechanism(Way::Mac);
        spi::verify(Some(&mut mechanism), Some(&mut request.key), NONE, Some(data), Some(mac))
    };
    for format in Format::ALL {
        let bytes = [&[FILL; 3], sample.output.as_slice(), &[FILL; 9]].concat();
        let mut mac = Buffer::new(format, &bytes, &[5, 0, 6, 17]);
        let mut data = Buffer::new(format, &sample.input, &[1, 44]);
        for len in 0..=20 {
            let want = if len == 16 { CRYPTO_SUCCESS } else { CRYPTO_INVALID_MAC };
            let mut tag = mac.data(3, len);
            assert_eq!(verify(&mut tag, &mut data.data(0, 45)), want, "{len}");
            assert_eq!((tag.cd_length, tag.cd_offset), (len, 3));
        }
        assert_eq!(verify(&mut mac.data(4, 16), &mut data.data(0, 45)), CRYPTO_INVALID_MAC);
        for bit in 0..128 {
            let mut forged = sample.output.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let mut tag = Buffer::new(format, &forged, &[16]);
            let rv = verify(&mut tag.data(0, 16), &mut data.data(0, 45));
            assert_eq!(rv, CRYPTO_INVALID_MAC, "bit {bit}");
        }
        let short =
            if format == Format::Raw { CRYPTO_ARGUMENTS_BAD } else { CRYPTO_DATA_LEN_RANGE };
        assert_eq!(verify(&mut mac.data(20, 16), &mut data.data(0, 45)), short);
        assert_eq!(verify(&mut mac.data(3, 16), &mut data.data(1, 45)), short);
        assert_eq!(verify(&mut mac.data(3, 3), &mut data.data(1, 45)), CRYPTO_INVALID_MAC);
        let mut nowhere = mac.data(3, 16);
        nowhere.cd_format = 0;
        assert_eq!(verify(&mut nowhere, &mut data.data(0, 45)), CRYPTO_ARGUMENTS_BAD);
        assert_eq!(verify(&mut nowhere, &mut data.data(1, 45)), short, "the data's fault first");
        assert_eq!(mac.bytes(), bytes);
    }
    ledger.settle();
}

/// What the framework itself refuses: a mechanism without the group, and an unknown mechanism.
#[test]
fn framework_refuses() {
    const CRYPTO_MECH_NOT_SUPPORTED: c_int = 73;
    let mut request = Sample::new(Mode::Ecb, Way::Encrypt, 16).request();
    let mut data = Buffer::room(Format::Raw, 16, &[]);
    let (mut src, mut dst) = (data.data(0, 16), data.data(0, 16));
    let rv = request.atomic(Way::Mac, None, &mut src, Some(&mut dst));
    assert_eq!(rv, CRYPTO_MECH_NOT_SUPPORTED);
    assert_eq!(request.init(Way::Mac, None).err(), Some(CRYPTO_MECH_NOT_SUPPORTED));
    request.mechanism.cm_type = mechanism_id(Mode::Ecb) + 1000;
    let rv = request.atomic(Way::Encrypt, None, &mut src, Some(&mut dst));
    assert_eq!(rv, CRYPTO_MECHANISM_INVALID);
    assert_eq!(data.bytes(), [FILL; 16]);
}
