// SPDX-License-Identifier: MIT OR Apache-2.0
//! FPU holds: how many, how long, never nested, ended on every path, and with nothing secret left in the
//! registers. And interrupts, where the registers belong to somebody else.

mod oracle;

use core::ffi::c_int;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kcfaes_capi::api::{
    kcfaes_gcm_job, kcfaes_gcm_open_batch, kcfaes_gcm_seal_batch, kcfaes_key_free, kcfaes_key_new,
    kcfaes_rc,
};
use kcfaes_ffi_tests::buffer::{Buffer, Cut, FILL, Format, below};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel::{
    self, fk_cr0_ts, fk_fpu_canary, fk_preempt_depth, fk_set_cr0_ts, fk_set_interrupt, fk_set_kfpu,
    fk_violations_clear,
};
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_kernels::{Block, Schedule, entry_aesni};
use kcfaes_provider::engine::{HOLD_BYTES, LIGHT_BYTES, TableId, set_light_bytes};
use kcfaes_provider::env::kcfaes_hold;
use kcfaes_provider::kcf::{
    CRYPTO_ARGUMENTS_BAD, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_INVALID_MAC, CRYPTO_KEY_SIZE_RANGE,
    CRYPTO_SUCCESS, crypto_data_t,
};
use kcfaes_vectors::{Mode, Stream};
use oracle::Message;

/// The table, the budget and the canary exist once in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    kernel::load();
    kernel::use_table(TableId::Aesni);
    set_hold_bytes(HOLD_BYTES);
    set_light_bytes(0);
    guard
}

/// Cost units that one hold may use.
static BUDGET: AtomicUsize = AtomicUsize::new(HOLD_BYTES);

fn set_hold_bytes(bytes: usize) -> usize {
    let taken = kcfaes_provider::engine::set_hold_bytes(bytes);
    BUDGET.store(taken, Ordering::Relaxed);
    taken
}

/// Checks this thread's holds since the last call of this function. No list was opened or compared in a
/// hold. Neither the cost nor the number of pieces passed exceeds the budget. Builds without debug
/// assertions cannot tell.
fn check_holds() {
    #[cfg(debug_assertions)]
    {
        let (seen, budget) = (kcfaes_provider::watch::take(), BUDGET.load(Ordering::Relaxed));
        assert_eq!(seen.walks, 0, "{seen:?}: lists were walked in a hold");
        assert!(seen.cost <= budget, "{seen:?}: more than {budget} units in a hold");
        // A run costs at least 64 units, and ends a piece of either list. What did not fit goes twice. A
        // piece may follow up to eight empty ones; in crumbs, one piece in eight does.
        assert!(seen.pieces <= 5 * (budget / 64), "{seen:?}: more than {budget} units in a hold");
    }
}

/// Runs `f` with each table that takes the FPU.
fn each_table(f: impl Fn()) {
    for &table in kernel::tables().iter().filter(|&&table| table > TableId::Portable) {
        kernel::use_table(table);
        f();
    }
}

/// The number of holds that `f` took. Afterwards no hold is left, and preemption is as it was.
fn holds<T>(f: impl FnOnce() -> T) -> (T, u64) {
    kernel::clear_stats();
    let result = f();
    let stats = kernel::stats();
    check_holds();
    assert_eq!(stats.violations, 0, "{:?}", kernel::violations());
    // SAFETY: no precondition.
    assert_eq!(unsafe { fk_preempt_depth() }, 0, "preemption is still off");
    // If a hold were left, the next one would be nested.
    (result, stats.holds)
}

/// Sends a whole message in pieces by `cut`. Returns the status and the number of holds.
fn send(message: &Message, way: Way, template: bool, cut: Cut) -> (c_int, u64) {
    let mut random = Stream::new(9);
    let (input, want) = (message.input(way), message.output(way));
    let mut request = message.request();
    let template = template.then(|| request.template());
    let mut src = Buffer::new(Format::Uio, &input, &cut.lengths(input.len(), &mut random));
    let mut dst = Buffer::room(Format::Mblk, want.len(), &cut.lengths(want.len(), &mut random));
    let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
    let (rv, n) = holds(|| request.atomic(way, template.as_ref(), &mut from, Out::Other(&mut to)));
    assert_eq!(dst.bytes(), want);
    (rv, n)
}

/// Two lists over one stretch of memory. Their pieces lie anywhere in it: the addresses of the two lists
/// alternate, and neither list ascends.
struct Shuffled {
    memory: Box<[u8]>,
    src: Buffer,
    dst: Buffer,
    /// Where the pieces of the output are.
    places: Vec<usize>,
    room: usize,
}

/// Bytes of each piece: few and odd, so that blocks are cut at every place.
const PIECE: usize = 3;

impl Shuffled {
    fn new(input: &[u8], room: usize) -> Self {
        let mut random = Stream::new(5);
        let lengths = |len: usize| -> Vec<usize> {
            (0..len).step_by(PIECE).map(|at| PIECE.min(len - at)).collect()
        };
        let (from, to) = (lengths(input.len()), lengths(room));
        let mut places: Vec<usize> = (0..from.len() + to.len()).collect();
        for i in (1..places.len()).rev() {
            places.swap(i, below(&mut random, i + 1));
        }
        let mut memory = vec![FILL; places.len() * PIECE].into_boxed_slice();
        let base = memory.as_mut_ptr();
        let name = |mut list: Buffer, places: &[usize]| {
            for (i, place) in places.iter().enumerate() {
                let at = base.wrapping_add(place * PIECE);
                list.iov()[i].iov_base = at.cast();
                let block = &mut list.mblk()[i];
                let len = block.b_wptr.addr() - block.b_rptr.addr();
                (block.b_rptr, block.b_wptr) = (at, at.wrapping_add(len));
            }
            list
        };
        let src = name(Buffer::new(Format::Uio, input, &from), &places[..from.len()]);
        let dst = name(Buffer::room(Format::Mblk, room, &to), &places[from.len()..]);
        for (bytes, place) in input.chunks(PIECE).zip(&places) {
            memory[place * PIECE..][..bytes.len()].copy_from_slice(bytes);
        }
        Self { memory, src, dst, places: places.split_off(from.len()), room }
    }

    fn data(&mut self, from: (usize, usize), to: (usize, usize)) -> (crypto_data_t, crypto_data_t) {
        (self.src.data(from.0, from.1), self.dst.data(to.0, to.1))
    }

    fn output(&self) -> Vec<u8> {
        // The provider writes through the lists, which the borrow checker does not see.
        let memory = core::hint::black_box(&self.memory);
        let pieces = self.places.iter().flat_map(|place| &memory[place * PIECE..][..PIECE]);
        pieces.copied().take(self.room).collect()
    }
}

fn sealed(mode: Mode, len: usize) -> Message {
    let mut message = Message::draw(mode, 16, 0, &mut Stream::new(len as u64));
    message.text = Stream::new(1).draw(len);
    message.sealed = message.by_crates().expect("the crates have it");
    message
}

/// Whether each block must wait for the one before.
fn serial(mode: Mode, way: Way) -> bool {
    matches!(mode, Mode::Ccm | Mode::Cmac) || (mode, way) == (Mode::Cbc, Way::Encrypt)
}

/// A hold has 32 KiB of text in parallel modes, and 8 KiB in CBC encryption, CCM and CMAC. The key's and
/// the tag's own time may need one hold more. There are never fewer holds than the text needs.
#[test]
fn holds_are_as_many_as_the_bytes_need() {
    let _alone = alone();
    each_table(holds_are_as_many);
}

fn holds_are_as_many() {
    for (mode, way) in tasks() {
        let budget = if serial(mode, way) { 8 * 1024 } else { 32 * 1024 };
        for len in [16, 1024, budget - 64, budget, budget + 16, 2 * budget, 128 * 1024] {
            let message = sealed(mode, len);
            for template in [true, false] {
                for cut in [Cut::Whole, Cut::Few] {
                    let (rv, n) = send(&message, way, template, cut);
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    let least = (len.div_ceil(budget) as u64).max(1);
                    assert!(
                        (least..=least + 1).contains(&n),
                        "{mode:?} {way:?} of {len} bytes, {cut:?}, template {template}: {n} holds"
                    );
                    if len <= 1024 {
                        assert_eq!(n, 1, "{mode:?} {way:?}: a small message is one hold");
                    }
                }
            }
        }
    }
    // A hold spans pieces: 1 KiB in crumbs of up to 17 bytes, cut differently on each side, takes one.
    for (mode, way) in tasks() {
        let (rv, n) = send(&sealed(mode, 1024), way, true, Cut::Crumbs);
        assert_eq!((rv, n), (CRYPTO_SUCCESS, 1), "{mode:?} {way:?} in crumbs");
    }
}

/// Bytes of text in lists of 8,000 pieces each.
const LONG: usize = 8000 * PIECE / 16 * 16;

/// Lists of 8,000 pieces each, shuffled, in every mode: in one call with a key that is not yet expanded,
/// with a template, on a context, and in parts. [`holds`] checks the work in each hold.
#[test]
fn long_lists_are_opened_before_the_fpu_is_held() {
    let _alone = alone();
    for hold_bytes in [1024, HOLD_BYTES] {
        set_hold_bytes(hold_bytes);
        each_table(long_lists_are_opened_before);
    }
    set_hold_bytes(HOLD_BYTES);
}

fn long_lists_are_opened_before() {
    for (mode, way) in tasks() {
        let mut message = sealed(mode, LONG);
        if matches!(mode, Mode::Gcm | Mode::Ccm | Mode::Gmac) {
            message.aad = Stream::new(3).draw(500);
            message.sealed = message.by_crates().expect("the crates have it");
        }
        let (input, want) = (message.input(way), message.output(way));
        let whole = ((0, input.len()), (0, want.len()));
        let name = format!("{mode:?} {way:?}");
        for template in [false, true] {
            let mut lists = Shuffled::new(&input, want.len());
            let mut request = message.request();
            let template = template.then(|| request.template());
            let (mut src, mut dst) = lists.data(whole.0, whole.1);
            let out = Out::Other(&mut dst);
            let (rv, _) = holds(|| request.atomic(way, template.as_ref(), &mut src, out));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            assert!(lists.output() == want, "{name}");
        }

        let mut lists = Shuffled::new(&input, want.len());
        let mut request = message.request();
        let (mut src, mut dst) = lists.data(whole.0, whole.1);
        let (rv, _) = holds(|| {
            let mut context = request.init(way, None).expect("init");
            context.single(&mut src, Out::Other(&mut dst))
        });
        assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
        assert!(lists.output() == want, "{name}");

        // Without an output GCM buffers until the end. With one it streams.
        for buffers in [true, false] {
            if buffers && (mode, way) != (Mode::Gcm, Way::Decrypt) {
                continue;
            }
            let mut lists = Shuffled::new(&input, want.len());
            let mut request = message.request();
            let (mut taken, mut given) = (0, 0);
            let (rv, _) = holds(|| {
                let mut context = request.init(way, None).expect("init");
                for part in [7, input.len() / 2, input.len() - input.len() / 2 - 7] {
                    let room = want.len() - given;
                    let (mut src, mut dst) = lists.data((taken, part), (given, room));
                    let out = if buffers { Out::Null } else { Out::Other(&mut dst) };
                    let rv = context.update(&mut src, out);
                    assert_eq!(rv, CRYPTO_SUCCESS, "{name}: {part} bytes");
                    taken += part;
                    given += if way == Way::Mac || buffers { 0 } else { dst.cd_length };
                }
                let (_, mut dst) = lists.data((0, 0), (given, want.len() - given));
                context.finish(Some(&mut dst))
            });
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");
            assert!(lists.output() == want, "{name}");
        }

        if message.tag_len > 0 && way == Way::Decrypt {
            let mut lists = Shuffled::new(&input, want.len());
            let mut forged = Message { iv: vec![3; 12], ..message.clone() }.request();
            let (mut src, mut dst) = lists.data(whole.0, whole.1);
            let out = Out::Other(&mut dst);
            let (rv, _) = holds(|| forged.atomic(way, None, &mut src, out));
            assert_eq!(rv, CRYPTO_INVALID_MAC, "{name}");
            assert!(mode == Mode::Gmac || lists.output() == vec![0; want.len()], "{name}");
        }
    }
}

/// Rows of 10,000 empty pieces are passed while the FPU is not held.
#[test]
fn rows_of_empty_pieces_are_passed_before_the_fpu_is_held() {
    let _alone = alone();
    for (mode, way) in tasks() {
        let message = sealed(mode, 64 * 13 / 16 * 16);
        let (input, want) = (message.input(way), message.output(way));
        let cut = |len: usize| -> Vec<usize> {
            let pieces = (0..len).step_by(13).map(|at| 13.min(len - at));
            pieces.flat_map(|n| core::iter::repeat_n(0, 10_000).chain([n])).collect()
        };
        for template in [false, true] {
            let mut src = Buffer::new(Format::Uio, &input, &cut(input.len()));
            let mut dst = Buffer::room(Format::Mblk, want.len(), &cut(want.len()));
            let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
            let mut request = message.request();
            let template = template.then(|| request.template());
            let out = Out::Other(&mut to);
            let (rv, _) = holds(|| request.atomic(way, template.as_ref(), &mut from, out));
            assert_eq!((rv, dst.bytes()), (CRYPTO_SUCCESS, want.clone()), "{mode:?} {way:?}");
        }
    }
}

/// The budget is what the tunable says, whatever shape the data has. No hold exceeds it.
#[test]
fn the_budget_is_tunable_and_kept() {
    let _alone = alone();
    for (asked, taken) in
        [(0, 1024), (1, 1024), (1100, 1088), (4096, 4096), (40_000, 40_000), (usize::MAX, 1 << 20)]
    {
        assert_eq!(set_hold_bytes(asked), taken);
        let len = 16 * 1024;
        for (mode, way) in tasks() {
            let budget = if serial(mode, way) { taken / 4 } else { taken };
            let budget = budget & !15;
            for cut in [Cut::Whole, Cut::Few, Cut::Crumbs] {
                let (rv, n) = send(&sealed(mode, len), way, true, cut);
                assert_eq!(rv, CRYPTO_SUCCESS);
                let least = len.div_ceil(budget) as u64;
                // A crumb may count as 64 bytes. Cut on both sides it has about 4.
                let most = if cut == Cut::Crumbs { 16 * least } else { least };
                assert!(
                    (least..=most + 1 + least / 32).contains(&n),
                    "{mode:?} {way:?}, {cut:?}, {budget} bytes a hold: {n} holds, not {least}"
                );
            }
        }
    }
    set_hold_bytes(HOLD_BYTES);
}

/// Long AAD and long IVs count against the budget too.
#[test]
fn hashing_alone_is_held_in_portions() {
    let _alone = alone();
    let aad = Stream::new(2).draw(100_000);
    for (mode, iv, least) in
        [(Mode::Gcm, 12, 4), (Mode::Gcm, 70_000, 6), (Mode::Gmac, 12, 4), (Mode::Ccm, 12, 13)]
    {
        let iv = Stream::new(3).draw(iv);
        let mut request = Request::new(mode, &[7; 32], &iv, 0, &aad, 16);
        let template = request.template();
        let (context, n) = holds(|| request.init(Way::Encrypt, Some(&template)));
        assert!((least..=least + 1).contains(&n), "{mode:?}: {n} holds of init");
        context.expect("init").cancel();
    }
}

/// The messages of a batch share holds. A short one costs as much as a run.
#[test]
fn a_batch_is_held_in_portions() {
    let _alone = alone();
    check_holds();
    set_hold_bytes(1024);
    each_table(|| {
        let mut key = core::ptr::null_mut();
        // SAFETY: 16 bytes.
        let made = unsafe { kcfaes_key_new([7; 16].as_ptr(), 16, &raw mut key) };
        assert!(made == kcfaes_rc::KCFAES_OK);
        for (count, len, want) in [(1, 0, 1), (16, 16, 1), (17, 16, 2), (9, 256, 3), (2, 1500, 4)] {
            let mut texts = vec![vec![FILL; len]; count];
            let mut tags = vec![[0; 16]; count];
            let iv = [5; 12];
            let places = texts.iter_mut().zip(&mut tags);
            let mut jobs: Vec<_> = places
                .map(|(text, tag)| kcfaes_gcm_job {
                    iv: iv.as_ptr(),
                    iv_len: iv.len(),
                    aad: iv.as_ptr(),
                    aad_len: iv.len(),
                    src: text.as_ptr(),
                    dst: text.as_mut_ptr(),
                    len,
                    tag: tag.as_mut_ptr(),
                    tag_len: 16,
                    rc: kcfaes_rc::KCFAES_OK,
                })
                .collect();
            for batch in [kcfaes_gcm_seal_batch, kcfaes_gcm_open_batch] {
                // SAFETY: the jobs name memory that is alive.
                let (rc, n) = holds(|| unsafe { batch(key, jobs.as_mut_ptr(), count) });
                assert!(rc == kcfaes_rc::KCFAES_OK);
                assert_eq!(n, want, "{count} messages of {len} bytes");
            }
        }
        // SAFETY: nobody uses it any more.
        unsafe { kcfaes_key_free(key) }
    });
}

/// Parts that complete no block take no hold at all. The others take one.
#[test]
fn small_parts_take_one_hold_or_none() {
    let _alone = alone();
    for (mode, way) in tasks() {
        let message = sealed(mode, 96);
        let (input, want) = (message.input(way), message.output(way));
        let mut request = message.request();
        let mut context = request.init(way, None).expect("init");
        let mut src = Buffer::new(Format::Raw, &input, &[]);
        let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
        let (mut taken, mut given) = (0, 0);
        for part in [5, 0, 6, 5, 50, input.len() - 66] {
            let mut from = src.data(taken, part);
            let mut to = dst.data(given, want.len() - given);
            let (rv, n) = holds(|| context.update(&mut from, Out::Other(&mut to)));
            assert_eq!(rv, CRYPTO_SUCCESS);
            assert!(n <= 1, "{mode:?} {way:?}: {n} holds of {part} bytes");
            if part == 0 {
                assert_eq!(n, 0, "{mode:?} {way:?}: a hold for nothing");
            }
            taken += part;
            if way != Way::Mac {
                given += to.cd_length;
            }
        }
        let mut to = dst.data(given, want.len() - given);
        let (rv, n) = holds(|| context.finish(Some(&mut to)));
        assert_eq!(rv, CRYPTO_SUCCESS);
        assert!(n <= 1, "{mode:?} {way:?}: {n} holds of final");
        assert_eq!(dst.bytes(), want);
    }
}

/// Errors at every stage leave no hold.
#[test]
fn errors_end_the_hold() {
    let _alone = alone();
    for (mode, way) in tasks() {
        let message = sealed(mode, 96);
        let mut request = message.request();
        let mut src = Buffer::new(Format::Raw, &message.input(way), &[]);
        let mut dst = Buffer::room(Format::Raw, 200, &[]);
        let len = message.input(way).len();
        let mut attempt = |request: &mut Request, room: usize, want: c_int| {
            let (mut from, mut to) = (src.data(0, len), dst.data(0, room));
            let (rv, _) = holds(|| request.atomic(way, None, &mut from, Out::Other(&mut to)));
            assert_eq!(rv, want, "{mode:?} {way:?}");
        };
        if !message.output(way).is_empty() {
            attempt(&mut request, message.output(way).len() - 1, CRYPTO_BUFFER_TOO_SMALL);
        }
        let mut wrong = Message { key: vec![1; 17], ..message.clone() }.request();
        attempt(&mut wrong, 200, CRYPTO_KEY_SIZE_RANGE);
        if message.tag_len > 0 && way == Way::Decrypt {
            let mut forged = Message { aad: vec![1], ..message.clone() }.request();
            attempt(&mut forged, message.output(way).len(), CRYPTO_INVALID_MAC);
        }
        // Input and output at different places of the same bytes. This is found after the key's set-up.
        if !mode.is_mac() {
            let want = message.output(way).len();
            let (mut from, mut to) = (dst.data(0, len), dst.data(3, want));
            let (rv, _) = holds(|| request.atomic(way, None, &mut from, Out::Other(&mut to)));
            assert_eq!(rv, CRYPTO_ARGUMENTS_BAD, "{mode:?} {way:?}");
        }
    }
}

/// In an interrupt and in a thread's own FPU section: right results, no `kernel_fpu_begin`, and CR0.TS and
/// preemption as they were.
#[test]
fn the_fpu_is_borrowed_where_it_cannot_be_taken() {
    let _alone = alone();
    each_table(the_fpu_is_borrowed);
}

fn the_fpu_is_borrowed() {
    for (mode, way) in tasks() {
        let message = sealed(mode, 40_000 & !15);
        let (input, want) = (message.input(way), message.output(way));
        for (interrupt, kfpu, ts) in
            [(1, 0, 0), (1, 0, 1), (0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1)]
        {
            let mut request = message.request();
            let mut src = Buffer::new(Format::Raw, &input, &[]);
            let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
            // SAFETY: flags of this thread.
            unsafe {
                fk_set_interrupt(interrupt);
                fk_set_kfpu(kfpu);
                fk_set_cr0_ts(ts);
            }
            let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
            let (rv, n) = holds(|| request.atomic(way, None, &mut from, Out::Other(&mut to)));
            // SAFETY: as above.
            let after = unsafe {
                let after = fk_cr0_ts();
                fk_set_interrupt(0);
                fk_set_kfpu(0);
                fk_set_cr0_ts(0);
                after
            };
            assert_eq!((rv, n), (CRYPTO_SUCCESS, 0), "{mode:?} {way:?}: holds in an interrupt");
            assert_eq!(after, ts, "{mode:?} {way:?}: CR0.TS");
            assert_eq!(dst.bytes(), want);
        }
    }
}

/// Bytes of a call: its data, and the AAD of its parameter.
fn total(message: &Message, way: Way) -> usize {
    message.input(way).len() + message.aad.len()
}

/// A call of at most so many bytes, AAD included, never takes the kernel's hold; a longer one does. Either
/// way the result is right, and preemption, CR0.TS and T_KFPU are as before.
#[test]
fn short_calls_hold_lightly() {
    let _alone = alone();
    for limit in [48, LIGHT_BYTES] {
        set_light_bytes(limit);
        each_table(|| hold_lightly(limit));
    }
}

fn hold_lightly(limit: usize) {
    let mut sides = [0; 2];
    for (mode, way) in tasks() {
        for len in [16, 32, 48, 64, limit - 32, limit - 16, limit, limit + 16, 4 * limit] {
            let mut message = sealed(mode, len & !15);
            if matches!(mode, Mode::Gcm | Mode::Ccm | Mode::Gmac) {
                message.aad = Stream::new(3).draw(16);
                message.sealed = message.by_crates().expect("the crates have it");
            }
            let short = total(&message, way) <= limit;
            sides[usize::from(short)] += 1;
            for (template, ts) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
                // SAFETY: a flag of this thread. The template's hold is not counted: it is the kernel's.
                unsafe { fk_set_cr0_ts(ts) };
                let (rv, n) = send(&message, way, template, Cut::Few);
                // SAFETY: as above.
                let after = unsafe { fk_cr0_ts() };
                assert_eq!((rv, after), (CRYPTO_SUCCESS, ts), "{mode:?} {way:?} of {len}");
                assert_eq!(n == 0, short, "{mode:?} {way:?} of {len}: {n} holds of the kernel's");
            }
        }
    }
    assert!(sides[0] > 0 && sides[1] > 0, "calls on both sides of {limit}");
    // SAFETY: as above.
    unsafe { fk_set_cr0_ts(0) };
}

/// Parts, and the end, each by its own length. What was buffered until the end counts there.
#[test]
fn each_part_holds_by_its_length() {
    let _alone = alone();
    set_light_bytes(256);
    let message = sealed(Mode::Gcm, 1024);
    let (input, want) = (message.input(Way::Decrypt), message.output(Way::Decrypt));
    for buffers in [false, true] {
        let mut src = Buffer::new(Format::Raw, &input, &[]);
        let mut dst = Buffer::room(Format::Raw, want.len(), &[]);
        let mut request = message.request();
        let template = request.template();
        let (context, n) = holds(|| request.init(Way::Decrypt, Some(&template)));
        let (mut context, mut given) = (context.expect("init"), 0);
        assert_eq!(n, 0, "init with a template hashes nothing long");
        for (from, to, whole) in [(0, 256, 0), (256, 640, 1), (640, input.len(), 1)] {
            let (mut data, mut out) =
                (src.data(from, to - from), dst.data(given, want.len() - given));
            let (rv, n) = holds(|| {
                context.update(&mut data, if buffers { Out::Null } else { Out::Other(&mut out) })
            });
            assert_eq!((rv, n), (CRYPTO_SUCCESS, if buffers { 0 } else { whole }), "at {from}");
            given += if buffers { 0 } else { out.cd_length };
        }
        let mut out = dst.data(given, want.len() - given);
        let (rv, n) = holds(|| context.finish(Some(&mut out)));
        assert_eq!((rv, n), (CRYPTO_SUCCESS, buffers.into()), "final");
        assert_eq!(dst.bytes(), want);
    }
}

unsafe extern "C" {
    fn kcfaes_env_hold(hold: *mut kcfaes_hold, light: c_int);
    fn kcfaes_env_release(hold: *mut kcfaes_hold);
}

/// What a light hold does to the registers of the interrupted thread, or of the thread itself. Hold, kernel,
/// wipe and release run as the engine calls them, between two reads of xmm0 to xmm15.
fn registers_after_a_light_hold(interrupt: bool, ts: bool) -> [[u8; 16]; 16] {
    let mut schedule = Schedule::default();
    let (mut ctr, text) = (Block([9; 16]), [0x5a; 256]);
    let mut out = [0; 256];
    let mut hold = core::mem::MaybeUninit::<kcfaes_hold>::zeroed();
    let mut registers = [[0; 16]; 16];
    // SAFETY: the CPU has the table (the test forces it). The registers are declared; the calls are
    // to functions of the C ABI with valid pointers, on a stack aligned for them.
    let mut call = || unsafe {
        entry_aesni::kcfaes_key_expand_aesni(&mut schedule, [3; 16].as_ptr(), 16);
        core::arch::asm!(
            "push rbx",
            "mov rbx, rsp",
            "and rsp, -16",
            "mov rax, 0x0101010101010101",
            "xor ecx, ecx",
            "movq xmm0, rax", "punpcklqdq xmm0, xmm0",
            "movdqa xmm1, xmm0", "paddb xmm1, xmm0", "movdqa xmm2, xmm1", "paddb xmm2, xmm0",
            "movdqa xmm3, xmm2", "paddb xmm3, xmm0", "movdqa xmm4, xmm3", "paddb xmm4, xmm0",
            "movdqa xmm5, xmm4", "paddb xmm5, xmm0", "movdqa xmm6, xmm5", "paddb xmm6, xmm0",
            "movdqa xmm7, xmm6", "paddb xmm7, xmm0", "movdqa xmm8, xmm7", "paddb xmm8, xmm0",
            "movdqa xmm9, xmm8", "paddb xmm9, xmm0", "movdqa xmm10, xmm9", "paddb xmm10, xmm0",
            "movdqa xmm11, xmm10", "paddb xmm11, xmm0", "movdqa xmm12, xmm11", "paddb xmm12, xmm0",
            "movdqa xmm13, xmm12", "paddb xmm13, xmm0", "movdqa xmm14, xmm13", "paddb xmm14, xmm0",
            "movdqa xmm15, xmm14", "paddb xmm15, xmm0",
            "mov rdi, r12",
            "mov esi, 1",
            "call {hold}",
            "mov rdi, r13",
            "mov rsi, r14",
            "mov rdx, [r15]",
            "mov rcx, [r15 + 8]",
            "mov r8d, 256",
            "call {ctr32}",
            "call {wipe}",
            "mov rdi, r12",
            "call {release}",
            "mov rdi, [r15 + 16]",
            "movdqu [rdi], xmm0", "movdqu [rdi + 16], xmm1", "movdqu [rdi + 32], xmm2",
            "movdqu [rdi + 48], xmm3", "movdqu [rdi + 64], xmm4", "movdqu [rdi + 80], xmm5",
            "movdqu [rdi + 96], xmm6", "movdqu [rdi + 112], xmm7", "movdqu [rdi + 128], xmm8",
            "movdqu [rdi + 144], xmm9", "movdqu [rdi + 160], xmm10", "movdqu [rdi + 176], xmm11",
            "movdqu [rdi + 192], xmm12", "movdqu [rdi + 208], xmm13", "movdqu [rdi + 224], xmm14",
            "movdqu [rdi + 240], xmm15",
            "mov rsp, rbx",
            "pop rbx",
            hold = sym kcfaes_env_hold,
            ctr32 = sym entry_aesni::kcfaes_ctr32_aesni,
            wipe = sym entry_aesni::kcfaes_wipe_aesni,
            release = sym kcfaes_env_release,
            in("r12") hold.as_mut_ptr(),
            in("r13") &raw const schedule,
            in("r14") &raw mut ctr,
            in("r15") [text.as_ptr() as usize, out.as_mut_ptr() as usize, registers.as_mut_ptr() as usize].as_ptr(),
            clobber_abi("C"),
        );
    };
    // SAFETY: a flag of this thread.
    unsafe { fk_set_cr0_ts(ts.into()) };
    if interrupt {
        kernel::in_interrupt(ts, call)
    } else {
        call()
    }
    // SAFETY: as above.
    unsafe {
        assert_eq!(fk_cr0_ts(), c_int::from(ts), "CR0.TS");
        fk_set_cr0_ts(0);
    }
    assert_ne!(out, text, "the kernel ran");
    // The hold does not keep the interrupted thread's registers.
    // SAFETY: plain bytes, which began as zeros.
    let saved = unsafe { hold.assume_init() }.xmm;
    assert_eq!(saved, [[0; 16]; 16], "saved registers are left on the stack");
    registers
}

#[test]
fn a_thread_keeps_its_registers_in_a_light_hold() {
    let _alone = alone();
    let marks: Vec<[u8; 16]> = (1..=16).map(|n| [n; 16]).collect();
    for interrupt in [false, true] {
        assert_eq!(registers_after_a_light_hold(interrupt, false).as_slice(), marks, "TS clear");
        // A guest's registers, which a hypervisor loaded before it set TS.
        assert_eq!(registers_after_a_light_hold(interrupt, true).as_slice(), marks, "TS set");
    }
}

/// Watches the registers while `f` runs. They are filled when a hold begins. When it ends they must be zero
/// or as filled. This works only for data in one piece: a library's own code copies pieces with vector
/// registers. The kernel object has no such code.
fn watched<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: no precondition.
    unsafe {
        fk_fpu_canary(1);
        let result = f();
        fk_fpu_canary(0);
        result
    }
}

#[test]
fn registers_are_clean_when_a_hold_ends() {
    let _alone = alone();
    each_table(registers_are_clean);
}

fn registers_are_clean() {
    for (mode, way) in tasks() {
        for len in [0, 16, 128, 1024, 100_000 & !15] {
            for template in [true, false] {
                let message = sealed(mode, len);
                let (rv, n) = watched(|| send(&message, way, template, Cut::Whole));
                assert_eq!(rv, CRYPTO_SUCCESS);
                assert!(n > 0 || len == 0, "{mode:?} {way:?} of {len} bytes");
                if message.tag_len > 0 && way == Way::Decrypt {
                    let mut forged = Message { iv: vec![3; 12], ..message.clone() }.request();
                    let input = message.input(way);
                    let mut src = Buffer::new(Format::Raw, &input, &[]);
                    let mut data = src.data(0, input.len());
                    let call = || forged.atomic(way, None, &mut data, Out::Null);
                    let (rv, _) = holds(|| watched(call));
                    assert_eq!((rv, src.bytes()), (CRYPTO_INVALID_MAC, input));
                }
            }
        }
    }
}

/// The control: the watch finds a secret that is left in a register.
#[test]
fn a_secret_left_in_a_register_is_seen() {
    let _alone = alone();
    let mut hold = core::mem::MaybeUninit::<kcfaes_hold>::zeroed();
    kernel::clear_stats();
    // SAFETY: the hold begins and ends by the rules; the register is declared.
    watched(|| unsafe {
        kcfaes_env_hold(hold.as_mut_ptr(), 0);
        core::arch::asm!(
            "mov rax, 0x5ec3e75ec3e75ec3",
            "movq xmm7, rax",
            "call {release}",
            release = sym kcfaes_env_release,
            in("rdi") hold.as_mut_ptr(),
            clobber_abi("C"),
        );
    });
    assert_eq!(kernel::stats().violations, 1, "{:?}", kernel::violations());
    // SAFETY: no precondition.
    unsafe { fk_violations_clear() };
}
