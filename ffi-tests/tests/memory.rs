// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where memory is allocated, how much, what happens without memory, and what is freed.
//!
//! * init, making a template, and an atomic operation without a template allocate one block each.
//! * init of a CCM decryption allocates a second one, as long as its text.
//! * An atomic operation with a template, an update and a final allocate none. The exception is a GCM
//!   decryption in parts that buffers.

mod oracle;

use core::cell::RefCell;
use core::ffi::{c_char, c_int, c_void};

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Way, pointer};
use kcfaes_ffi_tests::kernel::{
    self, CallReq, Ledger, fk_kmem_check, fk_kmem_fail_all, fk_kmem_fail_nth, fk_kmem_on_free,
    fk_kmem_sizes, fk_kmem_sizes_clear,
};
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_ffi_tests::spi::{self, Spi};
use kcfaes_provider::kcf::{
    CK_AES_CCM_PARAMS, CRYPTO_BUFFER_TOO_SMALL, CRYPTO_HOST_MEMORY, CRYPTO_INVALID_MAC,
    CRYPTO_SUCCESS, KM_NOSLEEP, crypto_data_t,
};
use kcfaes_provider::key::Key;
use kcfaes_vectors::{Mode, Stream};
use oracle::Message;

/// A block for `n` bytes at an alignment of 64 takes 63 more.
const SLACK: usize = 63;

/// What `f` returns, and the sizes of the blocks that this thread allocated in it.
fn allocations<T>(f: impl FnOnce() -> T) -> (T, Vec<usize>) {
    let mut sizes = [0; 64];
    // SAFETY: room for 64 sizes; the ledger is this thread's.
    unsafe {
        fk_kmem_sizes_clear();
        let result = f();
        let n = fk_kmem_sizes(sizes.as_mut_ptr(), 64) as usize;
        (result, sizes[..n].to_vec())
    }
}

/// Fails this thread's `n`-th allocation that may not sleep. 0 fails none.
fn fail(n: u64) {
    // SAFETY: no precondition.
    unsafe { fk_kmem_fail_nth(n) }
}

struct Sample {
    message: Message,
    way: Way,
    request: Request,
    src: Buffer,
    dst: Buffer,
    input: Vec<u8>,
    want: Vec<u8>,
}

impl Sample {
    fn new((mode, way): (Mode, Way), len: usize) -> Self {
        let message = Message::draw(mode, 32, len, &mut Stream::new(len as u64));
        let (input, want) = (message.input(way), message.output(way));
        let src =
            Buffer::new(Format::Mblk, &input, &[input.len() / 3, input.len() - input.len() / 3]);
        let dst =
            Buffer::room(Format::Uio, want.len(), &[want.len() / 2, want.len() - want.len() / 2]);
        Self { request: message.request(), message, way, src, dst, input, want }
    }

    fn data(&mut self) -> (crypto_data_t, crypto_data_t) {
        (self.src.data(0, self.input.len()), self.dst.data(0, self.want.len()))
    }

    /// The block that the framework will free.
    fn template(&mut self) -> (*mut c_void, usize) {
        let (mut block, mut size) = (core::ptr::null_mut(), 0);
        let mut mechanism = self.request.provider_mechanism(self.way);
        let key = Some(&mut self.request.key);
        let rv = spi::create_template(Some(&mut mechanism), key, Some(&mut block), Some(&mut size));
        assert_eq!(rv, CRYPTO_SUCCESS);
        (block, size)
    }
}

fn free_template((block, size): (*mut c_void, usize)) {
    let block = core::ptr::NonNull::new(block.cast::<u8>()).expect("a block");
    // SAFETY: it came from the environment's heap with this size.
    unsafe {
        block.write_bytes(0, size);
        kcfaes_provider::env::free(block, size);
    }
}

#[test]
fn one_block_where_a_key_is_set() {
    let mut context_only = Vec::new();
    for task in tasks() {
        let mut sample = Sample::new(task, 96);
        let ledger = Ledger::begin();
        let name = format!("{task:?}");

        let (template, sizes) = allocations(|| sample.template());
        assert_eq!(sizes, [16 + size_of::<Key>() + SLACK], "{name}: template");
        assert_eq!(template.1, sizes[0], "{name}: the size that the framework is told");

        let mut mechanism = sample.request.provider_mechanism(sample.way);
        for (template, want) in
            [(core::ptr::null_mut(), vec![size_of::<Key>() + SLACK]), (template.0, vec![])]
        {
            let (mut src, mut dst) = sample.data();
            let key = Some(&mut sample.request.key);
            let (rv, sizes) = allocations(|| {
                let out = Out::Other(&mut dst);
                spi::atomic(sample.way, Some(&mut mechanism), key, template, Some(&mut src), out)
            });
            assert_eq!((rv, sizes), (CRYPTO_SUCCESS, want), "{name}: atomic");
            assert_eq!(sample.dst.bytes(), sample.want, "{name}");
        }

        for template in [core::ptr::null_mut(), template.0] {
            for single in [false, true] {
                let mut spi = Spi::default();
                let key = Some(&mut sample.request.key);
                let (rv, sizes) =
                    allocations(|| spi.init(sample.way, Some(&mut mechanism), key, template));
                let text = if buffers(task) { vec![sample.want.len()] } else { vec![] };
                assert_eq!((rv, &sizes[1..]), (CRYPTO_SUCCESS, text.as_slice()), "{name}: init");
                if template.is_null() {
                    context_only.push(sizes[0] - size_of::<Key>());
                } else {
                    context_only.push(sizes[0]);
                }
                let (mut src, mut dst) = sample.data();
                let ((), sizes) = allocations(|| {
                    if single {
                        let out = Out::Other(&mut dst);
                        let rv = spi.single(sample.way, Some(&mut src), out);
                        assert_eq!(rv, CRYPTO_SUCCESS, "{name}: single");
                    } else {
                        parts(&mut spi, sample.way, &mut sample.src, &mut sample.dst);
                    }
                });
                assert_eq!(sizes, [0; 0], "{name}: update, final, single");
                assert_eq!(sample.dst.bytes(), sample.want, "{name}");
                assert!(!spi.live());
            }
        }
        free_template(template);
        ledger.settle();
    }
    context_only.dedup();
    assert_eq!(
        context_only.len(),
        1,
        "a context is as large for every mechanism: {context_only:?}"
    );
    assert!(context_only[0] <= 512, "{context_only:?}");
}

/// Whether init allocates room for the text, whose length it is given.
fn buffers(task: (Mode, Way)) -> bool {
    task == (Mode::Ccm, Way::Decrypt)
}

/// Updates of 1, 31, 32 bytes and the rest, and final.
fn parts(spi: &mut Spi, way: Way, src: &mut Buffer, dst: &mut Buffer) {
    let (total, room) = (src.bytes().len(), dst.bytes().len());
    let (mut taken, mut given) = (0, 0);
    for n in [1, 31, 32, total - 64] {
        let mut to = dst.data(given, room - given);
        let rv = spi.update(way, Some(&mut src.data(taken, n)), Out::Other(&mut to));
        assert_eq!(rv, CRYPTO_SUCCESS);
        taken += n;
        if way != Way::Mac {
            given += to.cd_length;
        }
    }
    assert_eq!(spi.finish(way, Some(&mut dst.data(given, room - given))), CRYPTO_SUCCESS);
}

/// A decryption in parts that may not stream. Each block is at least twice as long as the one before, so
/// that fewer bytes are copied than came. The total is what a caller can send.
#[test]
fn a_latched_decryption_grows_geometrically() {
    let len = 300_000;
    let message = Message::draw(Mode::Gcm, 16, len, &mut Stream::new(1));
    for part in [1, 100, 4096, 5000, 70_000] {
        let len = if part == 1 { 10_000 } else { len };
        let message = Message { text: message.text[..len].to_vec(), ..message.clone() };
        let message = message.seal_quickly();
        let mut request = message.request();
        let ledger = Ledger::begin();
        let mut src = Buffer::new(Format::Raw, &message.sealed, &[]);
        let mut dst = Buffer::room(Format::Raw, len, &[]);
        let mut context = request.init(Way::Decrypt, None).expect("init");
        let ((), sizes) = allocations(|| {
            let mut taken = 0;
            while taken < len + 16 {
                let n = part.min(len + 16 - taken);
                assert_eq!(context.update(&mut src.data(taken, n), Out::Null), CRYPTO_SUCCESS);
                taken += n;
            }
        });
        assert!(sizes[0] >= part.max(4096), "{sizes:?}");
        assert!(sizes.is_sorted_by(|a, b| 2 * a <= *b), "parts of {part}: {sizes:?}");
        assert!(*sizes.last().expect("a block") < 2 * (len + 16).max(2048), "{sizes:?}");
        let stats = kernel::stats();
        // Left are the context's blocks (one is the framework's) and the last buffer.
        assert!(stats.allocs - stats.frees <= 3, "old buffers are freed: {stats:?}");
        let (rv, sizes) = allocations(|| {
            let rv = context.finish(Some(&mut dst.data(0, len - 1)));
            assert_eq!(rv, CRYPTO_BUFFER_TOO_SMALL);
            context.finish(Some(&mut dst.data(0, len)))
        });
        assert_eq!((rv, sizes), (CRYPTO_SUCCESS, vec![]));
        assert_eq!(dst.bytes(), message.text);
        ledger.settle();
    }
}

impl Message {
    /// As [`Message::seal`], by the crates. For long messages.
    fn seal_quickly(mut self) -> Self {
        self.sealed = self.by_crates().expect("a mechanism that the crates have");
        self
    }
}

/// Calls that say they cannot sleep. Each allocation of each operation fails once. The operation reports
/// it, leaves nothing allocated, and works at the next attempt.
#[test]
fn every_allocation_fails_once() {
    let mut failures = 0;
    for task in tasks() {
        let mut sample = Sample::new(task, 96);
        let template = sample.request.template();
        sample.request.declare(sample.way);
        let ledger = Ledger::begin();

        for template in [None, Some(&template)] {
            let mut req = CallReq::nosleep();
            for n in 1.. {
                let (mut src, mut dst) = sample.data();
                let (mut out, request) = (&raw mut dst, &mut sample.request);
                if sample.want.is_empty() {
                    out = core::ptr::null_mut();
                }
                let call = match sample.way {
                    Way::Encrypt => kernel::crypto_encrypt,
                    Way::Decrypt => kernel::crypto_decrypt,
                    Way::Mac => kernel::crypto_mac,
                };
                fail(n);
                kernel::clear_stats();
                // SAFETY: everything is alive; the request ends before the call returns.
                let rv = unsafe {
                    let (mechanism, key) = (&mut request.mechanism, &mut request.key);
                    call(mechanism, &mut src, key, pointer(template), out, &mut req)
                };
                fail(0);
                let stats = kernel::stats();
                assert_eq!(stats.allocs, stats.frees, "{task:?}: blocks left");
                assert_eq!(stats.nosleep_allocs, stats.allocs + stats.failed_allocs, "sleeps");
                if stats.failed_allocs == 0 {
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    assert_eq!(sample.dst.bytes(), sample.want);
                    // With a template there was no allocation to fail.
                    assert_eq!(n, if template.is_some() { 1 } else { 2 }, "{task:?}: atomic");
                    break;
                }
                assert_eq!(rv, CRYPTO_HOST_MEMORY, "{task:?}: atomic, allocation {n}");
                assert_eq!(sample.src.bytes(), sample.input);
                failures += 1;
            }
        }

        for template in [None, Some(&template)] {
            let call = match sample.way {
                Way::Encrypt => kernel::crypto_encrypt_init,
                Way::Decrypt => kernel::crypto_decrypt_init,
                Way::Mac => kernel::crypto_mac_init,
            };
            let mut req = CallReq::nosleep();
            for n in 1.. {
                let mut context = core::ptr::null_mut();
                let request = &mut sample.request;
                fail(n);
                kernel::clear_stats();
                // SAFETY: everything is alive.
                let rv = unsafe {
                    let (mechanism, key) = (&mut request.mechanism, &mut request.key);
                    call(mechanism, key, pointer(template), &mut context, &mut req)
                };
                fail(0);
                if kernel::stats().failed_allocs == 0 {
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    let own = 2 + u64::from(buffers(task));
                    assert!(n >= own, "{task:?}: init allocates");
                    // SAFETY: the context is alive and not used again.
                    unsafe { kernel::crypto_cancel_ctx(context) };
                    break;
                }
                assert_eq!(rv, CRYPTO_HOST_MEMORY, "{task:?}: init, allocation {n}");
                let stats = kernel::stats();
                assert_eq!(stats.allocs, stats.frees, "{task:?}: blocks left");
                failures += 1;
            }
        }

        for n in 1.. {
            let mut made = core::ptr::null_mut();
            let request = &mut sample.request;
            fail(n);
            kernel::clear_stats();
            // SAFETY: everything is alive.
            let rv = unsafe {
                let (mechanism, key) = (&mut request.mechanism, &mut request.key);
                kernel::crypto_create_ctx_template(mechanism, key, &mut made, KM_NOSLEEP)
            };
            fail(0);
            if kernel::stats().failed_allocs == 0 {
                assert_eq!(rv, CRYPTO_SUCCESS);
                assert!(n >= 2, "{task:?}: a template allocates");
                // SAFETY: made just now, and not used again.
                unsafe { kernel::crypto_destroy_ctx_template(made) };
                break;
            }
            assert_eq!(rv, CRYPTO_HOST_MEMORY, "{task:?}: template, allocation {n}");
            let stats = kernel::stats();
            assert_eq!(stats.allocs, stats.frees, "{task:?}: blocks left");
            failures += 1;
        }
        ledger.settle();
    }
    // Atomic 1; init 2 (one is the framework's), with and without template; template 2.
    assert!(failures >= tasks().len() * (1 + 1 + 1 + 1), "{failures}");
}

/// A decryption in parts that buffers, in an interrupt, where no update may sleep. Each growth fails once
/// and consumes nothing. The same part then succeeds, and the plaintext is right.
#[test]
fn a_failed_growth_consumes_nothing() {
    let message = Message::draw(Mode::Gcm, 32, 40_000, &mut Stream::new(2)).seal_quickly();
    let mut request = message.request();
    for (first, part) in [(10, 1000), (4096, 4096), (5000, 20_000)] {
        for forged in [false, true] {
            let mut sealed = message.sealed.clone();
            sealed[39_000] ^= u8::from(forged);
            let ledger = Ledger::begin();
            let mut src = Buffer::new(Format::Uio, &sealed, &[3, 4000, sealed.len() - 4003]);
            let mut dst = Buffer::room(Format::Raw, 40_000, &[]);
            let mut context = request.init(Way::Decrypt, None).expect("init");
            let (mut taken, mut failed) = (0, 0);
            while taken < sealed.len() {
                let n = if taken == 0 { first } else { part }.min(sealed.len() - taken);
                let mut update = |fails: bool| -> c_int {
                    kernel::in_interrupt(true, || {
                        fail(u64::from(fails));
                        let rv = context.update(&mut src.data(taken, n), Out::Null);
                        fail(0);
                        rv
                    })
                };
                match update(true) {
                    CRYPTO_HOST_MEMORY => {
                        failed += 1;
                        assert_eq!(update(true), CRYPTO_HOST_MEMORY);
                        assert_eq!(update(false), CRYPTO_SUCCESS);
                    }
                    rv => assert_eq!(rv, CRYPTO_SUCCESS),
                }
                taken += n;
            }
            assert!(failed >= 2, "{failed} growths");
            let rv = context.finish(Some(&mut dst.data(0, 40_000)));
            assert_eq!(rv, if forged { CRYPTO_INVALID_MAC } else { CRYPTO_SUCCESS });
            assert!(forged || dst.bytes() == message.text);
            ledger.settle();
        }
    }
}

unsafe extern "C" {
    /// The handle of a request whose caller must not sleep (`fk_kcf_spi.c`).
    safe static fk_kcf_nosleep: c_char;
}

/// A part that is buffered takes memory with the flag of its own request, whatever that of the init was.
#[test]
fn an_update_asks_for_memory_as_its_request_says() {
    let nosleep = (&raw const fk_kcf_nosleep).cast_mut().cast();
    for (req, want) in [(nosleep, 1), (core::ptr::null_mut(), 0)] {
        let mut sample = Sample::new((Mode::Gcm, Way::Decrypt), 96);
        let ledger = Ledger::begin();
        let mut spi = Spi::begun(Way::Decrypt, &mut sample.request);
        let (mut src, mut dst) = sample.data();
        let before = kernel::stats();
        let rv = spi.update_for(req, Way::Decrypt, Some(&mut src), Out::Null);
        let after = kernel::stats();
        assert_eq!((rv, after.allocs - before.allocs), (CRYPTO_SUCCESS, 1));
        assert_eq!(after.nosleep_allocs - before.nosleep_allocs, want);
        assert_eq!(spi.finish(Way::Decrypt, Some(&mut dst)), CRYPTO_SUCCESS);
        assert_eq!(sample.dst.bytes(), sample.want);
        ledger.settle();
    }
}

/// A CCM decryption's room is allocated when it begins, with the declared length. The call waits for memory
/// only if the caller may sleep and a system could have that much. For a length that no system has, the
/// call fails at once.
#[test]
fn a_declared_length_is_allocated_or_refused() {
    let message = Message::draw(Mode::Ccm, 16, 96, &mut Stream::new(3));
    let mut request = Message { iv: vec![9; 7], ..message }.request();
    let mut mechanism = request.provider_mechanism(Way::Decrypt);
    // SAFETY: the request has a parameter of CCM.
    let parameter = unsafe { &mut *mechanism.cm_param.cast::<CK_AES_CCM_PARAMS>() };
    for (text, want) in [
        (0, CRYPTO_SUCCESS),
        (1, CRYPTO_SUCCESS),
        (1 << 20, CRYPTO_SUCCESS),
        (1 << 50, CRYPTO_HOST_MEMORY),
        (1 << 63, CRYPTO_HOST_MEMORY),
        (u64::MAX - 16, CRYPTO_HOST_MEMORY),
    ] {
        let ledger = Ledger::begin();
        parameter.ulDataSize = text + 16;
        let mut spi = Spi::default();
        let key = Some(&mut request.key);
        let none = core::ptr::null_mut();
        let (rv, sizes) = allocations(|| spi.init(Way::Decrypt, Some(&mut mechanism), key, none));
        assert_eq!((rv, spi.live()), (want, want == CRYPTO_SUCCESS), "{text}");
        let room: Vec<usize> = sizes.into_iter().skip(1).collect();
        let got = want == CRYPTO_SUCCESS && text > 0;
        assert_eq!(room, if got { vec![text as usize] } else { vec![] }, "{text}");
        if want == CRYPTO_HOST_MEMORY {
            assert_eq!(kernel::stats().nosleep_allocs, kernel::stats().failed_allocs, "{text}");
        }
        assert_eq!(spi.free(), CRYPTO_SUCCESS);
        ledger.settle();
    }
}

/// From an interrupt KCF passes no request handle, which seems to allow sleep. Nothing may sleep.
#[test]
fn nothing_sleeps_in_an_interrupt() {
    for task in tasks() {
        for ts in [false, true] {
            let mut sample = Sample::new(task, 96);
            let mut mechanism = sample.request.provider_mechanism(sample.way);
            let ledger = Ledger::begin();
            kernel::in_interrupt(ts, || {
                let (mut src, mut dst) = sample.data();
                let (key, out) = (Some(&mut sample.request.key), Out::Other(&mut dst));
                let none = core::ptr::null_mut();
                let rv =
                    spi::atomic(sample.way, Some(&mut mechanism), key, none, Some(&mut src), out);
                assert_eq!(rv, CRYPTO_SUCCESS);
                assert_eq!(sample.dst.bytes(), sample.want);
                let mut spi = Spi::default();
                let key = Some(&mut sample.request.key);
                assert_eq!(spi.init(sample.way, Some(&mut mechanism), key, none), CRYPTO_SUCCESS);
                parts(&mut spi, sample.way, &mut sample.src, &mut sample.dst);
                assert_eq!(sample.dst.bytes(), sample.want);
                free_template(sample.template());
            });
            let stats = kernel::stats();
            let blocks = 3 + u64::from(buffers(task));
            assert_eq!((stats.allocs, stats.nosleep_allocs), (blocks, blocks), "{task:?}");
            // SAFETY: no precondition.
            unsafe { fk_kmem_fail_all(1) };
            kernel::in_interrupt(ts, || {
                let mut spi = Spi::default();
                let key = Some(&mut sample.request.key);
                let rv = spi.init(sample.way, Some(&mut mechanism), key, core::ptr::null_mut());
                assert_eq!(rv, CRYPTO_HOST_MEMORY);
                assert!(!spi.live());
            });
            // SAFETY: no precondition.
            unsafe { fk_kmem_fail_all(0) };
            ledger.settle();
        }
    }
}

/// What fills a new block of the fake kernel's heap, as words from its beginning.
const FRESH: [u8; 4] = 0xbadd_cafe_u32.to_ne_bytes();

thread_local! {
    /// If set, what must not be in a block that this thread frees: (what, bytes).
    static SECRETS: RefCell<Vec<(&'static str, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
    /// The number of blocks searched, and what was found.
    static FREED: RefCell<(usize, Vec<String>)> = const { RefCell::new((0, Vec::new())) };
}

unsafe extern "C" fn look(_: *mut c_void, block: *const c_void, size: usize) {
    SECRETS.with_borrow(|secrets| {
        if secrets.is_empty() {
            return;
        }
        // SAFETY: the block is this size, and is being freed.
        let bytes = unsafe { core::slice::from_raw_parts(block.cast::<u8>(), size) };
        FREED.with_borrow_mut(|(n, found)| {
            *n += 1;
            for (what, secret) in secrets {
                if bytes.windows(secret.len()).any(|window| window == secret) {
                    found.push(format!("{what} in a block of {size} bytes"));
                }
            }
            // What the provider frees is all zeros, except bytes that it never wrote: the end of reserved room,
            // and a key's powers in a mode that hashes nothing. The framework's own blocks are not zeros.
            let ours = size > 256;
            let left = |(i, &b): (usize, &u8)| b != 0 && b != FRESH[i % FRESH.len()];
            if ours && bytes.iter().enumerate().any(left) {
                found.push(format!("a block of {size} bytes is not zero"));
            }
        });
    });
}

/// An operation to test.
type Run<'a> = &'a mut dyn FnMut(&mut Sample);

/// Every block that is freed is wiped, after success and after each failure.
#[test]
fn freed_blocks_are_wiped() {
    // SAFETY: the function reads only its own thread's variables.
    unsafe { fk_kmem_on_free(Some(look), core::ptr::null_mut()) };
    for task in tasks() {
        let mut sample = Sample::new(task, 6400);
        let message = &sample.message;
        let secrets: Vec<(&'static str, Vec<u8>)> = vec![
            ("the key", message.key[..16].to_vec()),
            ("the key's second half", message.key[16..].to_vec()),
            ("H, or the first subkey's half", message.cipher([0; 16]).to_vec()),
            ("plaintext", message.text[..16].to_vec()),
            ("plaintext", message.text[6000..6016].to_vec()),
        ];
        let freed = |f: Run<'_>, sample: &mut Sample| {
            SECRETS.set(secrets.clone());
            f(sample);
            SECRETS.set(vec![]);
            FREED.take()
        };
        let runs: [(&str, Run<'_>); 6] = [
            ("atomic", &mut |sample| {
                let (mut src, mut dst) = sample.data();
                let out = Out::Other(&mut dst);
                assert_eq!(sample.request.atomic(sample.way, None, &mut src, out), CRYPTO_SUCCESS);
            }),
            ("single", &mut |sample| {
                let (mut src, mut dst) = sample.data();
                let mut context = sample.request.init(sample.way, None).expect("init");
                assert_eq!(context.single(&mut src, Out::Other(&mut dst)), CRYPTO_SUCCESS);
            }),
            ("cancelled", &mut |sample| {
                let (mut src, mut dst) = sample.data();
                src.cd_length -= 7;
                let mut context = sample.request.init(sample.way, None).expect("init");
                assert_eq!(context.update(&mut src, Out::Other(&mut dst)), CRYPTO_SUCCESS);
                context.cancel();
            }),
            ("template", &mut |sample| drop(sample.request.template())),
            ("a key that is no key", &mut |sample| {
                let (mut src, mut dst) = sample.data();
                let mut request =
                    Request::new(sample.message.mode, &[1; 15], &sample.message.iv, 32, &[], 16)
                        .for_text(sample.message.text.len());
                let rv = request.atomic(sample.way, None, &mut src, Out::Other(&mut dst));
                assert_ne!(rv, CRYPTO_SUCCESS);
            }),
            ("forged, or too small", &mut |sample| {
                let (mut src, mut dst) = sample.data();
                let len = sample.input.len();
                if sample.message.tag_len > 0 && sample.way == Way::Decrypt {
                    let mut forged = sample.input.clone();
                    forged[len - 1] ^= 1;
                    let mut input = Buffer::new(Format::Raw, &forged, &[]);
                    let mut context = sample.request.init(sample.way, None).expect("init");
                    let rv = context.update(&mut input.data(0, len), Out::Null);
                    assert_eq!(rv, CRYPTO_SUCCESS);
                    assert_eq!(context.finish(Some(&mut dst)), CRYPTO_INVALID_MAC);
                } else {
                    dst.cd_length = 15;
                    let rv =
                        sample.request.atomic(sample.way, None, &mut src, Out::Other(&mut dst));
                    assert_eq!(rv, CRYPTO_BUFFER_TOO_SMALL);
                }
            }),
        ];
        for (what, run) in runs {
            let (blocks, found) = freed(run, &mut sample);
            assert_eq!(found, Vec::<String>::new(), "{task:?}, {what}");
            assert!(
                blocks > 0 || what == "a key that is no key",
                "{task:?}, {what}: nothing freed"
            );
        }
    }
    // The control: a block with a secret in it is found.
    SECRETS.set(vec![("a planted secret", b"sixteen bytes of".to_vec())]);
    let block = kcfaes_provider::env::alloc(300, KM_NOSLEEP).expect("memory");
    // SAFETY: 300 bytes of ours.
    unsafe {
        block.write_bytes(0, 300);
        block
            .add(77)
            .copy_from_nonoverlapping(core::ptr::NonNull::from(b"sixteen bytes of").cast(), 16);
        kcfaes_provider::env::free(block, 300);
    }
    SECRETS.set(vec![]);
    assert_eq!(FREED.take().1.len(), 2, "the planted secret was not found");
    // SAFETY: no precondition.
    unsafe {
        assert_eq!(fk_kmem_check(), 0);
        fk_kmem_on_free(None, core::ptr::null_mut());
    }
}
