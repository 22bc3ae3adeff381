// SPDX-License-Identifier: MIT OR Apache-2.0
//! One template, used by many threads in memory that cannot be written. Every mechanism, every table by
//! turns, in one call and in parts, from process context and from interrupts.

mod oracle;

use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};

use kcfaes_ffi_tests::buffer::{Buffer, Cut, Format, below};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_ffi_tests::spi::{self, Spi};
use kcfaes_provider::engine::force;
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS};
use kcfaes_vectors::Stream;
use oracle::Message;

const THREADS: u64 = 8;
const ROUNDS: usize = 4000;
const PAGES: usize = 2 * 4096;

/// A template moved to its own pages, which then become read-only.
struct ReadOnly {
    pages: *mut u8,
    at: *mut c_void,
    before: Vec<u8>,
}

// SAFETY: nobody can write the pages.
unsafe impl Sync for ReadOnly {}

impl ReadOnly {
    fn of(request: &mut Request) -> Self {
        let (mut block, mut size) = (core::ptr::null_mut(), 0);
        let mut mechanism = request.provider_mechanism(Way::Encrypt);
        let rv = spi::create_template(
            Some(&mut mechanism),
            Some(&mut request.key),
            Some(&mut block),
            Some(&mut size),
        );
        assert_eq!(rv, CRYPTO_SUCCESS);
        assert!(size <= PAGES - 64);
        let block = block.cast::<u8>();
        // SAFETY: fresh pages, with room for the block at the block's own alignment. The block begins with
        // a word that is bound to its address, and that is adjusted to the new one. The old block is the
        // framework's to free with this size.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let pages = libc::mmap(core::ptr::null_mut(), PAGES, protection, flags, -1, 0);
            assert_ne!(pages, libc::MAP_FAILED);
            let pages = pages.cast::<u8>();
            let at = pages.add(block as usize & 63);
            at.copy_from_nonoverlapping(block, size);
            let word = at.cast::<u64>();
            word.write(word.read() ^ block as u64 ^ at as u64);
            assert_eq!(libc::mprotect(pages.cast(), PAGES, libc::PROT_READ), 0);
            let before = core::slice::from_raw_parts(at, size).to_vec();
            let block = core::ptr::NonNull::new(block).expect("a block");
            kcfaes_provider::env::free(block, size);
            Self { pages, at: at.cast(), before }
        }
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        // SAFETY: our pages; no thread is left.
        unsafe {
            let now = core::slice::from_raw_parts(self.at.cast::<u8>(), self.before.len());
            assert_eq!(now, self.before);
            libc::munmap(self.pages.cast(), PAGES);
        }
    }
}

#[test]
fn one_template_serves_all_threads_and_is_never_written() {
    let tables = kernel::tables();
    let key = Stream::new(1).draw(32);
    let messages: Vec<(Message, Way)> = tasks()
        .into_iter()
        .flat_map(|(mode, way)| [0, 16, 48, 160, 208, 1024].map(|len| (mode, way, len)))
        .map(|(mode, way, len)| {
            let drawn = Message::draw(mode, 32, len, &mut Stream::new(len as u64));
            (Message { key: key.clone(), ..drawn }.seal(), way)
        })
        .collect();
    // Made for ECB, used by all mechanisms.
    let template = ReadOnly::of(&mut messages[0].0.request());
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (messages, template, done) = (&messages, &template, &done);
            scope.spawn(move || {
                let mut random = Stream::new(100 + thread);
                for round in 0..ROUNDS {
                    let (message, way) = &messages[below(&mut random, messages.len())];
                    force(Some(tables[round / 7 % tables.len()]));
                    let interrupt = round % 5 == 0;
                    let mut go = || one(message, *way, template.at, &mut random);
                    if interrupt {
                        kernel::in_interrupt(round % 2 == 0, go)
                    } else {
                        go()
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                let stats = kernel::stats();
                assert_eq!((stats.allocs, stats.alloc_bytes), (stats.frees, stats.free_bytes));
            });
        }
    });
    assert_eq!(done.into_inner(), THREADS * ROUNDS as u64);
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// Sends one message by a random way to call, and sometimes a forged one.
fn one(message: &Message, way: Way, template: *mut c_void, random: &mut Stream) {
    let (mut input, want) = (message.input(way), message.output(way));
    let forged = message.tag_len > 0 && way == Way::Decrypt && below(random, 4) == 0;
    if forged {
        let bit = below(random, input.len() * 8);
        input[bit / 8] ^= 1 << (bit % 8);
    }
    let status = if forged { CRYPTO_INVALID_MAC } else { CRYPTO_SUCCESS };
    let mut request = message.request();
    let mut mechanism = request.provider_mechanism(way);
    // One byte more, because an mblk offset at the very end is refused.
    let padded = [input.as_slice(), &[0]].concat();
    let cut = Cut::Few.lengths(padded.len(), random);
    let mut src = Buffer::new(Format::ALL[below(random, 3)], &padded, &cut);
    let cut = Cut::Few.lengths(want.len(), random);
    let mut dst = Buffer::room(Format::ALL[below(random, 3)], want.len(), &cut);
    let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
    let rv = if below(random, 2) == 0 {
        let out = Out::Other(&mut to);
        let key = Some(&mut request.key);
        spi::atomic(way, Some(&mut mechanism), key, template, Some(&mut from), out)
    } else {
        let mut spi = Spi::default();
        let rv = spi.init(way, Some(&mut mechanism), Some(&mut request.key), template);
        assert_eq!(rv, CRYPTO_SUCCESS);
        let first = below(random, input.len() + 1);
        let mut given = 0;
        for (start, len) in [(0, first), (first, input.len() - first)] {
            let mut to = dst.data(given, want.len() - given);
            let rv = spi.update(way, Some(&mut src.data(start, len)), Out::Other(&mut to));
            assert_eq!(rv, CRYPTO_SUCCESS, "{:?} {way:?}", message.mode);
            if way != Way::Mac {
                given += to.cd_length;
            }
        }
        let rv = spi.finish(way, Some(&mut dst.data(given, want.len() - given)));
        spi.free();
        rv
    };
    assert_eq!(rv, status, "{:?} {way:?}", message.mode);
    if !forged {
        assert_eq!(dst.bytes(), want, "{:?} {way:?}", message.mode);
    }
}
