// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which table runs, and that no result depends on it. A message changes tables between its calls, by force
//! and by context (interrupt, FPU section). A template made by any table serves all.
//!
//! The module's counters tell which table ran. The FPU holds tell it too: `portable` takes none, and no
//! table takes one while the FPU is borrowed.

mod oracle;

use std::sync::{Mutex, MutexGuard, PoisonError};

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Way};
use kcfaes_ffi_tests::kernel::{self, fk_host_features, fk_set_features, fk_set_kfpu};
use kcfaes_ffi_tests::sample::{tasks, ways};
use kcfaes_ffi_tests::spi;
use kcfaes_kernels::{Block, COMMON_POWERS, POWERS, entry_vaes256, entry_vaes512, mid_of};
use kcfaes_provider::engine::{TableId, force, select};
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS};
use kcfaes_provider::key::Key;
use kcfaes_vectors::{Mode, Stream};
use oracle::Message;

unsafe extern "C" {
    /// Reads the CPU's features again. Otherwise `_init` does this.
    fn kcfaes_env_init();
}

/// The forced table and the features exist once in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    _ = kernel::tables();
    force(None);
    guard
}

/// The context of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Process,
    /// With CR0.TS as given.
    Interrupt(bool),
    /// A thread inside its own FPU section.
    FpuSection,
}

impl From {
    /// The table that serves a call from here if this one is forced. A borrower gets no wide registers.
    fn table(self, forced: TableId) -> TableId {
        if self == Self::Process { forced } else { forced.min(TableId::Aesni) }
    }
}

/// Runs `call` on a table in a context. Returns its result and the number of FPU holds.
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

/// Calls that each table has served so far, in the order of [`TableId::ALL`].
fn served(mode: Mode) -> [u64; 4] {
    let mode = mode.name().to_lowercase();
    TableId::ALL.map(|table| kernel::statistic(&format!("{mode}_{}_ops", table.name())))
}

/// Eight calls of one message (init, six updates, final), each on its own table and in its own context.
/// They cover every pair of tables; contexts take turns.
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
    let tables = kernel::tables();
    let pairs: Vec<[TableId; 2]> = tables
        .iter()
        .flat_map(|&one| tables.iter().map(move |&other| [one, other]))
        .filter(|[one, other]| one < other)
        .collect();
    let mut turn = 0;
    for ((mode, way), pair) in
        tasks().into_iter().flat_map(|task| pairs.iter().map(move |&p| (task, p)))
    {
        let mut random = Stream::new(3);
        let message = Message::draw(mode, 32, 400, &mut random);
        let (input, want) = (message.input(way), message.output(way));
        for choice in 0..1_usize << CALLS {
            let mut request = message.request();
            let mut at = 0;
            let mut next = || {
                turn += 1;
                at += 1;
                (pair[choice >> (at - 1) & 1], FROM[turn % FROM.len()])
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
                let mut calls = served(mode);
                let (rv, holds) = call(table, from, || context.update(&mut from_data, out));
                assert_eq!(rv, CRYPTO_SUCCESS, "{mode:?} {way:?} {choice:#b}: update");
                calls[from.table(table) as usize] += 1;
                assert_eq!(served(mode), calls, "{table:?} from {from:?}");
                match table {
                    TableId::Portable => assert_eq!(holds, 0),
                    _ if from != From::Process => assert_eq!(holds, 0),
                    _ if part >= 47 => assert_eq!(holds, 1),
                    _ => assert!(holds <= 1),
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

/// Every pair of maker and user of a template, in one call. The keys in the templates' blocks are the same
/// bytes, except the powers that only wide tables add.
#[test]
fn templates_belong_to_no_table() {
    let _alone = alone();
    for (mode, way) in tasks() {
        for key_len in [16, 24, 32] {
            let message = Message::draw(mode, key_len, 320, &mut Stream::new(4));
            let (input, want) = (message.input(way), message.output(way));
            let mut blocks = Vec::new();
            for &maker in kernel::tables() {
                let mut request = message.request();
                let (template, holds) = call(maker, From::Process, || request.template());
                assert_eq!(holds, u64::from(maker != TableId::Portable), "made by {maker:?}");
                for &user in kernel::tables() {
                    let mut src = Buffer::new(Format::Raw, &input, &[]);
                    let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
                    let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
                    let out = Out::Other(&mut to);
                    let mut calls = served(mode);
                    let (rv, holds) = call(user, From::Process, || {
                        request.atomic(way, Some(&template), &mut from, out)
                    });
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    calls[user as usize] += 1;
                    assert_eq!(served(mode), calls, "used by {user:?}");
                    assert_eq!(holds, u64::from(user != TableId::Portable), "used by {user:?}");
                    assert_eq!(dst.bytes(), want, "{mode:?} {way:?}, {maker:?} for {user:?}");
                }
                let key = key_of_template(&message, maker);
                let wanted = match maker {
                    TableId::Portable | TableId::Aesni => COMMON_POWERS,
                    TableId::Vaes256 => entry_vaes256::POWERS,
                    TableId::Vaes512 => entry_vaes512::POWERS,
                };
                assert_eq!(key.powers.set as usize, wanted, "made by {maker:?}");
                blocks.push((maker, key));
            }
            for (maker, key) in &blocks {
                assert_eq!(common(key), common(&blocks[0].1), "{mode:?} {key_len} by {maker:?}");
                let unused = POWERS - key.powers.set as usize;
                assert!(key.powers.pow[..unused].iter().all(|power| power.0 == [0; 16]));
                for (one, other) in key.powers.pow[unused..]
                    .iter()
                    .zip(&blocks[blocks.len() - 1].1.powers.pow[unused..])
                {
                    assert_eq!(one, other, "{mode:?} {key_len} by {maker:?}");
                }
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// The parts of a key that all tables make: all round keys, H, the powers that are always set and their
/// middle operands.
fn common(key: &Key) -> (Vec<Block>, u32, Block, Vec<Block>, Vec<u64>) {
    let Key { schedule, powers } = key;
    let places = POWERS - COMMON_POWERS..POWERS;
    let mids = places.clone().map(mid_of).map(|(pair, half)| powers.mid[pair][half]).collect();
    let keys = [schedule.enc, schedule.dec].concat();
    (keys, schedule.rounds, powers.h, powers.pow[places].to_vec(), mids)
}

/// The [`Key`] in a template's block, at the first multiple of 64 after its header.
fn key_of_template(message: &Message, maker: TableId) -> Key {
    kernel::use_table(maker);
    let mut request = message.request();
    let mut mechanism = request.provider_mechanism(Way::Encrypt);
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
    // SAFETY: the block is `size` bytes, and the provider has made a key in it. Then it is the framework's
    // to free, with the size that it was told.
    unsafe {
        let key = (*block.cast::<u8>().add(place).cast::<Key>()).clone();
        kcfaes_provider::env::free(core::ptr::NonNull::new(block.cast()).expect("a block"), size);
        key
    }
}

/// A message in one call, both ways, in every table, with a template made by that table.
fn in_every_table(message: &Message) {
    for &table in kernel::tables() {
        let mut request = message.request();
        kernel::use_table(table);
        let template = request.template();
        for &way in ways(message.mode) {
            let (input, want) = (message.input(way), message.output(way));
            let mut src = Buffer::new(Format::Raw, &input, &[]);
            let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
            let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
            let out = Out::Other(&mut to);
            let rv = request.atomic(way, Some(&template), &mut from, out);
            let len = message.text.len();
            let (mode, bits) = (message.mode, message.bits);
            assert_eq!(rv, CRYPTO_SUCCESS, "{table:?} {mode:?} {way:?}, {len} bytes");
            assert!(dst.bytes() == want, "{table:?} {mode:?} {way:?}, {len} bytes, {bits} bits");
        }
    }
}

/// Every table, including the portable one, agrees with two other implementations at every length.
#[test]
fn every_length_in_every_table() {
    let _alone = alone();
    for mode in Mode::ALL {
        for len in 0..=1100 {
            if matches!(mode, Mode::Ecb | Mode::Cbc) && len % 16 != 0 {
                continue;
            }
            let message = Message::draw(mode, [16, 24, 32][len % 3], len, &mut Stream::new(8));
            assert_eq!(message.by_crates().as_ref(), Some(&message.sealed), "{mode:?} {len}");
            in_every_table(&message);
        }
    }
}

/// A counter of every width, starting at several blocks before it wraps. All of its bits become zero, and
/// the bits above it stay.
#[test]
fn every_counter_width_wraps_in_every_table() {
    let _alone = alone();
    for bits in 1..=128_u32 {
        for before in [0_u128, 1, 2, 7, 15, 31, 47, 48, 63, 95, 96] {
            let mut message = Message::draw(Mode::Ctr, 16, 0, &mut Stream::new(bits.into()));
            let above = u128::from_be_bytes(message.iv.as_slice().try_into().expect("a counter"));
            let mask = u128::MAX >> (128 - bits);
            let start = above & !mask | 0_u128.wrapping_sub(before) & mask;
            message.iv = start.to_be_bytes().to_vec();
            message.bits = bits;
            // No counter block may occur twice.
            let blocks = if bits < 7 { 1 << bits } else { 101 };
            message.text = Stream::new(9).draw(16 * blocks - 5);
            in_every_table(&message.seal());
        }
    }
}

/// The names of the tables, and that forcing one has its effect.
#[test]
fn tables_by_name() {
    let _alone = alone();
    assert_eq!(TableId::ALL.map(TableId::name), ["portable", "aesni", "vaes256", "vaes512"]);
    let automatic = select().id();
    // Of two wide tables either one, depending on the model of this CPU.
    let best = *kernel::tables().last().expect("a table");
    assert!(automatic == best || (automatic, best) == (TableId::Vaes256, TableId::Vaes512));
    for &table in kernel::tables() {
        assert!(force(Some(table)));
        assert_eq!(select().id(), table);
        for from in [From::Interrupt(false), From::Interrupt(true), From::FpuSection] {
            let (chosen, _) = call(table, from, || select().id());
            assert_eq!(chosen, from.table(table), "{from:?}");
        }
    }
    assert!(force(None));
    assert_eq!(select().id(), automatic);
}

/// The bit numbers of `fk_test.h` for the features that tables need, each with the first table that needs
/// it. The wider tables need it too.
const NEEDED: [(&str, u64, TableId); 12] = [
    ("SSSE3", 1 << 3, TableId::Aesni),
    ("SSE4.1", 1 << 4, TableId::Aesni),
    ("AES", 1 << 6, TableId::Aesni),
    ("PCLMULQDQ", 1 << 7, TableId::Aesni),
    ("AVX", 1 << 9, TableId::Vaes256),
    ("AVX2", 1 << 10, TableId::Vaes256),
    ("VAES", 1 << 17, TableId::Vaes256),
    ("VPCLMULQDQ", 1 << 18, TableId::Vaes256),
    ("BMI2", 1 << 12, TableId::Vaes512),
    ("AVX512F", 1 << 13, TableId::Vaes512),
    ("AVX512BW", 1 << 15, TableId::Vaes512),
    ("AVX512VL", 1 << 16, TableId::Vaes512),
];

/// One message in each direction in each mode, each served by this table.
fn messages_are_served_by(table: TableId, why: &str) {
    for (mode, way) in tasks() {
        let message = Message::draw(mode, 16, 96, &mut Stream::new(5));
        let (input, want) = (message.input(way), message.output(way));
        let mut request = message.request();
        let mut src = Buffer::new(Format::Raw, &input, &[]);
        let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
        let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
        kernel::clear_stats();
        let mut calls = served(mode);
        let rv = request.atomic(way, None, &mut from, Out::Other(&mut to));
        assert_eq!((rv, dst.bytes()), (CRYPTO_SUCCESS, want), "{mode:?} {way:?} {why}");
        calls[table as usize] += 1;
        assert_eq!(served(mode), calls, "{mode:?} {way:?} {why}");
        let holds = kernel::stats().holds;
        assert_eq!(holds > 0, table > TableId::Portable, "{mode:?} {way:?} {why}: {holds} holds");
        if mode.is_aead() && way == Way::Decrypt {
            let mut forged = input.clone();
            forged[7] ^= 0x10;
            let mut src = Buffer::new(Format::Raw, &forged, &[]);
            let rv = request.atomic(way, None, &mut src.data(0, forged.len()), Out::Null);
            assert_eq!((rv, src.bytes()), (CRYPTO_INVALID_MAC, forged));
        }
    }
}

/// Without one feature, the tables that need it are gone, and no other.
#[test]
fn a_missing_feature_means_a_lesser_table() {
    let _alone = alone();
    let set = |mask: u64| {
        // SAFETY: no precondition; no other test runs.
        unsafe {
            fk_set_features(mask);
            kcfaes_env_init();
        }
        // Any change of the choice makes the next call look at the features.
        TableId::Portable.exclude(false);
    };
    // SAFETY: no precondition.
    let host = unsafe { fk_host_features() };
    let best = *kernel::tables().last().expect("a table");
    let needed = |table: TableId| {
        NEEDED.iter().filter(|(.., first)| *first <= table).fold(0, |all, (_, bit, _)| all | bit)
    };
    for &table in kernel::tables() {
        assert!(force(Some(best)));
        set(needed(table));
        messages_are_served_by(table, "with its features and no others");
        set(host);
        assert!(force(Some(table)));
        messages_are_served_by(table, "forced");
    }
    assert!(force(Some(best)));
    for mask in [0, host & !needed(TableId::Aesni)] {
        set(mask);
        messages_are_served_by(TableId::Portable, "without any");
    }
    for (name, bit, first) in NEEDED {
        let left = TableId::ALL[first as usize - 1].min(best);
        set(host);
        assert!(force(Some(best)));
        let message = Message::draw(Mode::Gcm, 16, 96, &mut Stream::new(6));
        let mut request = message.request();
        let template = request.template();
        let mut context = request.init(Way::Encrypt, Some(&template)).expect("init");

        set(host & !bit);
        messages_are_served_by(left, name);
        for table in TableId::ALL {
            let has = table < first && table <= best;
            assert_eq!(force(Some(table)), has, "{table:?} without {name}");
        }
        for ts in [false, true] {
            kernel::in_interrupt(ts, || assert_eq!(select().id(), left.min(TableId::Aesni)));
        }
        // A context that has begun with the table goes on without it.
        let mut src = Buffer::new(Format::Raw, &message.text, &[]);
        let mut dst = Buffer::room(Format::Raw, 112, &[]);
        let mut to = dst.data(0, 112);
        assert_eq!(context.update(&mut src.data(0, 96), Out::Other(&mut to)), CRYPTO_SUCCESS);
        set(host);
        assert_eq!(context.finish(Some(&mut dst.data(96, 16))), CRYPTO_SUCCESS);
        assert_eq!(dst.bytes(), message.sealed);
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
