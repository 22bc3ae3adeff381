// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which table runs, and that nothing depends on it: a message changes tables between its calls, by
//! force and by context (interrupt, FPU section), and a template made by either serves both.
//!
//! The table that ran is told by the FPU holds of a call in process context: `portable` takes none.

mod oracle;

use std::sync::{Mutex, MutexGuard, PoisonError};

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Way};
use kcfaes_ffi_tests::kernel::{self, fk_host_features, fk_set_features, fk_set_kfpu};
use kcfaes_ffi_tests::spi;
use kcfaes_provider::engine::{TableId, force, select};
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS};
use kcfaes_provider::key::Key;
use kcfaes_vectors::{Mode, Stream};
use oracle::Message;

unsafe extern "C" {
    /// Reads the CPU's features anew; otherwise `_init` does.
    fn kcfaes_env_init();
}

/// The forced table and the features are one per process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(kernel::tables(), TableId::ALL, "this CPU cannot run every table");
    force(None);
    guard
}

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Process,
    /// With CR0.TS as given.
    Interrupt(bool),
    /// A thread inside an FPU section of its own.
    FpuSection,
}

/// Runs `call` on a table in a context; returns what it does and the FPU holds it took.
fn call<T>(table: TableId, from: From, call: impl FnOnce() -> T) -> (T, u64) {
    kernel::use_table(table);
    kernel::clear_stats();
    let result = match from {
        From::Process => call(),
        From::Interrupt(ts) => kernel::in_interrupt(ts, call),
        From::FpuSection => {
            // SAFETY: a flag of this thread.
            unsafe { fk_set_kfpu(1) };
            let result = call();
            // SAFETY: as above.
            unsafe { fk_set_kfpu(0) };
            result
        }
    };
    (result, kernel::stats().holds)
}

const TASKS: [(Mode, Way); 10] = [
    (Mode::Ecb, Way::Encrypt),
    (Mode::Ecb, Way::Decrypt),
    (Mode::Cbc, Way::Encrypt),
    (Mode::Cbc, Way::Decrypt),
    (Mode::Ctr, Way::Encrypt),
    (Mode::Ctr, Way::Decrypt),
    (Mode::Gcm, Way::Encrypt),
    (Mode::Gcm, Way::Decrypt),
    (Mode::Gmac, Way::Mac),
    (Mode::Gmac, Way::Decrypt),
];

/// Eight calls of one message (init, six updates, final), each on a table and in a context of its
/// own: every choice of tables, contexts by turns.
#[test]
fn tables_alternate_within_a_message() {
    const CALLS: usize = 8;
    const FROM: [From; 5] = [
        From::Process,
        From::Interrupt(true),
        From::Process,
        From::Interrupt(false),
        From::FpuSection,
    ];
    let _alone = alone();
    let mut turn = 0;
    for (mode, way) in TASKS {
        let mut random = Stream::new(3);
        let message = Message::draw(mode, 32, 400, &mut random);
        let (input, want) = (message.input(way), message.output(way));
        for choice in 0..1_usize << CALLS {
            let mut request = message.request();
            let mut at = 0;
            let mut next = || {
                turn += 1;
                at += 1;
                (TableId::ALL[choice >> (at - 1) & 1], FROM[turn % FROM.len()])
            };
            let (table, from) = next();
            let template = (choice % 3 == 0).then(|| request.template());
            let (context, _) = call(table, from, || request.init(way, template.as_ref()));
            let mut context = context.expect("init");
            let mut src = Buffer::new(Format::Raw, &input, &[]);
            let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
            let (mut taken, mut given) = (0, 0);
            for part in [1, 47, 130, 16, 5, input.len() - 199] {
                let (table, from) = next();
                let mut from_data = src.data(taken, part);
                let mut to_data = dst.data(given, want.len() - given);
                let out = Out::Other(&mut to_data);
                let (rv, holds) = call(table, from, || context.update(&mut from_data, out));
                assert_eq!(rv, CRYPTO_SUCCESS, "{mode:?} {way:?} {choice:#b}: update");
                let borrowed = from != From::Process;
                match table {
                    TableId::Portable => assert_eq!(holds, 0),
                    TableId::Aesni if borrowed => assert_eq!(holds, 0),
                    TableId::Aesni if part >= 47 => assert_eq!(holds, 1),
                    TableId::Aesni => assert!(holds <= 1),
                }
                taken += part;
                if way != Way::Mac {
                    given += to_data.cd_length;
                }
            }
            let (table, from) = next();
            let mut to_data = dst.data(given, want.len() - given);
            let (rv, _) = call(table, from, || context.finish(Some(&mut to_data)));
            assert_eq!(rv, CRYPTO_SUCCESS, "{mode:?} {way:?} {choice:#b}: final");
            assert_eq!(dst.bytes(), want, "{mode:?} {way:?} {choice:#b}");
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// Every pair of makers and users of a template, in one call and in parts; and the keys in the two
/// blocks are the same bytes.
#[test]
fn templates_belong_to_no_table() {
    let _alone = alone();
    for (mode, way) in TASKS {
        for key_len in [16, 24, 32] {
            let message = Message::draw(mode, key_len, 320, &mut Stream::new(4));
            let (input, want) = (message.input(way), message.output(way));
            let mut blocks = Vec::new();
            for maker in TableId::ALL {
                let mut request = message.request();
                let (template, holds) = call(maker, From::Process, || request.template());
                assert_eq!(holds, u64::from(maker == TableId::Aesni), "made by {maker:?}");
                for user in TableId::ALL {
                    let mut src = Buffer::new(Format::Raw, &input, &[]);
                    let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
                    let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
                    let out = Out::Other(&mut to);
                    let (rv, holds) = call(user, From::Process, || {
                        request.atomic(way, Some(&template), &mut from, out)
                    });
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    assert_eq!(holds, u64::from(user == TableId::Aesni), "used by {user:?}");
                    assert_eq!(dst.bytes(), want, "{mode:?} {way:?}, {maker:?} for {user:?}");
                }
                blocks.push(key_of_template(&message, maker));
            }
            assert!(blocks[0].iter().any(|&b| b != 0));
            assert!(blocks[0] == blocks[1], "{mode:?} {key_len}: the tables make other keys");
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// The bytes of the [`Key`] in a template's block: the first multiple of 64 behind its header.
fn key_of_template(message: &Message, maker: TableId) -> Vec<u8> {
    kernel::use_table(maker);
    let mut request = message.request();
    let mut mechanism = request.provider_mechanism();
    let (mut block, mut size) = (core::ptr::null_mut(), 0);
    let rv = spi::create_template(
        Some(&mut mechanism),
        Some(&mut request.key),
        Some(&mut block),
        Some(&mut size),
    );
    assert_eq!(rv, CRYPTO_SUCCESS);
    let place = (block as usize + 16).next_multiple_of(64) - block as usize;
    assert!(place + size_of::<Key>() <= size);
    // SAFETY: the block is `size` bytes, which the provider has written; then it is the framework's
    // to free, with the size that it was told.
    unsafe {
        let key = core::slice::from_raw_parts(block.cast::<u8>().add(place), size_of::<Key>());
        let key = key.to_vec();
        kcfaes_provider::engine::env::free(
            core::ptr::NonNull::new(block.cast()).expect("a block"),
            size,
        );
        key
    }
}

/// The names, and that forcing means what it says.
#[test]
fn tables_by_name() {
    let _alone = alone();
    assert_eq!(TableId::ALL.map(TableId::name), ["portable", "aesni"]);
    assert_eq!(select().id(), TableId::Aesni, "the best is chosen unless another is forced");
    for table in TableId::ALL {
        assert!(force(Some(table)));
        assert_eq!(select().id(), table);
        for ts in [false, true] {
            kernel::in_interrupt(ts, || assert_eq!(select().id(), table));
        }
    }
    assert!(force(None));
    assert_eq!(select().id(), TableId::Aesni);
}

/// The bit numbers of `fk_test.h`: what `aesni` needs.
const NEEDED: [(&str, u64); 4] =
    [("SSSE3", 1 << 3), ("SSE4.1", 1 << 4), ("AES", 1 << 6), ("PCLMULQDQ", 1 << 7)];
/// AVX and all that builds on it, which it does not.
const WIDER: u64 = 0x7_f600;

/// One message in each direction by each way of calling; returns the holds taken.
fn holds_of_a_message() -> u64 {
    let mut holds = 0;
    for (mode, way) in TASKS {
        let message = Message::draw(mode, 16, 96, &mut Stream::new(5));
        let (input, want) = (message.input(way), message.output(way));
        let mut request = message.request();
        let mut src = Buffer::new(Format::Raw, &input, &[]);
        let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
        let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
        kernel::clear_stats();
        let rv = request.atomic(way, None, &mut from, Out::Other(&mut to));
        holds += kernel::stats().holds;
        assert_eq!((rv, dst.bytes()), (CRYPTO_SUCCESS, want), "{mode:?} {way:?}");
        if mode == Mode::Gcm && way == Way::Decrypt {
            let mut forged = input.clone();
            forged[7] ^= 0x10;
            let mut src = Buffer::new(Format::Raw, &forged, &[]);
            let rv = request.atomic(way, None, &mut src.data(0, forged.len()), Out::Null);
            assert_eq!((rv, src.bytes()), (CRYPTO_INVALID_MAC, forged));
        }
    }
    holds
}

#[test]
fn a_missing_feature_means_portable() {
    let _alone = alone();
    let set = |mask: u64| {
        // SAFETY: no precondition; no other test runs.
        unsafe {
            fk_set_features(mask);
            kcfaes_env_init();
        }
    };
    // SAFETY: no precondition.
    let host = unsafe { fk_host_features() };
    let all = NEEDED.iter().fold(0, |all, (_, bit)| all | bit);
    for (mask, table, why) in [
        (host, TableId::Aesni, "all that this CPU has"),
        (host & !WIDER, TableId::Aesni, "no AVX"),
        (all, TableId::Aesni, "what the table needs and nothing else"),
        (host & !all, TableId::Portable, "none of them"),
        (0, TableId::Portable, "nothing"),
    ] {
        set(mask);
        assert_eq!(select().id(), table, "{why}");
        let holds = holds_of_a_message();
        assert_eq!(holds > 0, table == TableId::Aesni, "{why}: {holds} holds");
    }
    for (name, bit) in NEEDED {
        set(host & !bit);
        assert_eq!(select().id(), TableId::Portable, "without {name}");
        assert!(!force(Some(TableId::Aesni)), "forced without {name}");
        assert_eq!(holds_of_a_message(), 0, "without {name}");
        for ts in [false, true] {
            kernel::in_interrupt(ts, || assert_eq!(select().id(), TableId::Portable));
        }
        // A context begun with it goes on without.
        set(host);
        let message = Message::draw(Mode::Gcm, 16, 96, &mut Stream::new(6));
        let mut request = message.request();
        let template = request.template();
        let mut context = request.init(Way::Encrypt, Some(&template)).expect("init");
        set(host & !bit);
        let mut src = Buffer::new(Format::Raw, &message.text, &[]);
        let mut dst = Buffer::room(Format::Raw, 112, &[]);
        let mut to = dst.data(0, 112);
        assert_eq!(context.update(&mut src.data(0, 96), Out::Other(&mut to)), CRYPTO_SUCCESS);
        set(host);
        assert_eq!(context.finish(Some(&mut dst.data(96, 16))), CRYPTO_SUCCESS);
        assert_eq!(dst.bytes(), message.sealed);
    }
    set(host);
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
