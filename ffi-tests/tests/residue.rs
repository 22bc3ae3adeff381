// SPDX-License-Identifier: MIT OR Apache-2.0
//! No operation leaves anything secret. After every operation, good or failed, by any table, this searches
//! 64 KiB of dead stack below the caller, every vector register and every freed block. It searches for
//! these, in either order of bytes:
//!
//! * round keys of both directions, H and its powers as the key has them, and CMAC's subkeys;
//! * E(K, J0), keystream and plaintext;
//! * a CCM's CBC-MAC, and the block that encrypts it.
//!
//! It also searches for the tag that a forged message should have had, and for an aligned half of anything
//! that is 16 bytes long.
//!
//! A search finds only known values. So every operation also runs with two keys and two texts, at the same
//! addresses. A difference between them in the registers, on the dead stack, in freed blocks or in the
//! process' own data is residue, unless it is public.

mod library;
mod oracle;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use kcfaes_capi::api::kcfaes_rc;
use kcfaes_capi::spi::*;
use kcfaes_ffi_tests::buffer::{Buffer, FILL, Format};
use kcfaes_ffi_tests::consumer::{Request, Way};
use kcfaes_ffi_tests::kernel::{self, fk_host_features, fk_kmem_on_free};
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_ffi_tests::spi;
use kcfaes_kernels::POWERS;
use kcfaes_provider::kcf::{
    CRYPTO_BUFFER_TOO_SMALL, CRYPTO_INVALID_MAC, CRYPTO_KEY_SIZE_RANGE, CRYPTO_SUCCESS,
    crypto_ctx_t, crypto_data_t, crypto_mechanism_t,
};
use kcfaes_provider::key::Key;
use kcfaes_vectors::{Mode, Stream};
use library::{Operands, TAG, compare, free_key, new_key, unwatched};
use oracle::Message;

/// Bytes of dead stack that are searched.
const DEPTH: usize = 64 * 1024;
/// What the stack holds before a call.
const MARK: u8 = 0xc7;
/// 32 registers of 64 bytes.
const REGISTERS: usize = 2048;
/// rax, rcx, rdx, rsi, rdi and r8 to r11; k0 to k7.
const GENERAL: usize = 17 * 8;

const NONE: *mut c_void = core::ptr::null_mut();

/// The test's memory. Two runs that are compared have theirs at the same addresses, because the place of a
/// list decides how it is walked.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

/// Bytes that a run may take, and their address.
const ARENA: usize = 16 << 20;
static ARENA_AT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Where a run's next bytes are, while this thread is in a run.
    static NEXT: Cell<Option<usize>> = const { Cell::new(None) };
}

// SAFETY: the system's memory. A run hands out a part of it once and never gives it back.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(next) = NEXT.get() else {
            // SAFETY: the caller's contract.
            return unsafe { System.alloc(layout) };
        };
        let at = next.next_multiple_of(layout.align());
        NEXT.set(Some(at + layout.size()));
        assert!(at + layout.size() <= ARENA_AT.load(Ordering::Relaxed) + ARENA);
        core::ptr::with_exposed_provenance_mut(at)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let start = ARENA_AT.load(Ordering::Relaxed);
        if !(start..start + ARENA).contains(&ptr.addr()) {
            // SAFETY: the caller's contract.
            unsafe { System.dealloc(ptr, layout) }
        }
    }
}

/// Does the work with memory at the same addresses as in the last run.
fn at_the_same_addresses(work: impl FnOnce()) {
    if ARENA_AT.load(Ordering::Relaxed) == 0 {
        let arena = Vec::<u8>::with_capacity(ARENA).leak().as_mut_ptr();
        ARENA_AT.store(arena.expose_provenance(), Ordering::Relaxed);
    }
    NEXT.set(Some(ARENA_AT.load(Ordering::Relaxed)));
    work();
    NEXT.set(None);
}

/// Does work whose memory outlives a run.
fn beside_the_run<T>(work: impl FnOnce() -> T) -> T {
    let next = NEXT.take();
    let result = work();
    NEXT.set(next);
    result
}

/// A call of an entry point, with everything that it needs made before. No code of the test runs between
/// its end and the search.
#[repr(C)]
struct Call {
    op: Op,
    rv: c_int,
    ctx: crypto_ctx_t,
    mechanism: crypto_mechanism_t,
    key: *mut kcfaes_provider::kcf::crypto_key_t,
    template: *mut c_void,
    made: *mut c_void,
    size: usize,
    src: crypto_data_t,
    dst: crypto_data_t,
    in_place: bool,
}

/// Entry points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Atomic(Way),
    Init(Way),
    Update(Way),
    Final(Way),
    Single(Way),
    Verify,
    Template,
    Free,
    /// The control: leaves a secret on the stack and one in a register.
    Plant,
}

/// What is watched: a function, and the pointer that it gets.
#[derive(Clone, Copy)]
struct Work {
    perform: unsafe extern "C" fn(*mut c_void),
    with: *mut c_void,
}

/// Performs the [`Call`] at `call`.
unsafe extern "C" fn perform(call: *mut c_void) {
    // SAFETY: the call is alive, and so is all that it names.
    unsafe {
        let call = &mut *call.cast::<Call>();
        let (ctx, mechanism, key) = (&raw mut call.ctx, &raw mut call.mechanism, call.key);
        let (src, template) = (&raw mut call.src, call.template);
        let dst = if call.in_place { core::ptr::null_mut() } else { &raw mut call.dst };
        call.rv = match call.op {
            Op::Atomic(Way::Encrypt) => {
                kcfaes_spi_encrypt_atomic(NONE, 0, mechanism, key, src, dst, template, NONE)
            }
            Op::Atomic(Way::Decrypt) => {
                kcfaes_spi_decrypt_atomic(NONE, 0, mechanism, key, src, dst, template, NONE)
            }
            Op::Atomic(Way::Mac) => {
                kcfaes_spi_mac_atomic(NONE, 0, mechanism, key, src, dst, template, NONE)
            }
            Op::Verify => kcfaes_spi_mac_verify_atomic(
                NONE,
                0,
                mechanism,
                key,
                src,
                &raw mut call.dst,
                template,
                NONE,
            ),
            Op::Init(Way::Encrypt) => kcfaes_spi_encrypt_init(ctx, mechanism, key, template, NONE),
            Op::Init(Way::Decrypt) => kcfaes_spi_decrypt_init(ctx, mechanism, key, template, NONE),
            Op::Init(Way::Mac) => kcfaes_spi_mac_init(ctx, mechanism, key, template, NONE),
            Op::Update(Way::Encrypt) => kcfaes_spi_encrypt_update(ctx, src, dst, NONE),
            Op::Update(Way::Decrypt) => kcfaes_spi_decrypt_update(ctx, src, dst, NONE),
            Op::Update(Way::Mac) => kcfaes_spi_mac_update(ctx, src, NONE),
            Op::Final(Way::Encrypt) => kcfaes_spi_encrypt_final(ctx, dst, NONE),
            Op::Final(Way::Decrypt) => kcfaes_spi_decrypt_final(ctx, dst, NONE),
            Op::Final(Way::Mac) => kcfaes_spi_mac_final(ctx, dst, NONE),
            Op::Single(Way::Encrypt) => kcfaes_spi_encrypt(ctx, src, dst, NONE),
            Op::Single(Way::Decrypt) => kcfaes_spi_decrypt(ctx, src, dst, NONE),
            Op::Single(Way::Mac) => kcfaes_spi_mac(ctx, src, dst, NONE),
            Op::Template => kcfaes_spi_create_ctx_template(
                NONE,
                mechanism,
                key,
                &raw mut call.made,
                &raw mut call.size,
                NONE,
            ),
            Op::Free => kcfaes_spi_free_context(ctx),
            Op::Plant => plant(call.made.cast()),
        };
    }
}

/// A call of the plain C API, and its answer.
struct ApiCall<'a> {
    call: &'a mut dyn FnMut() -> kcfaes_rc,
    rc: kcfaes_rc,
}

/// Performs the [`ApiCall`] at `call`.
unsafe extern "C" fn perform_api(call: *mut c_void) {
    // SAFETY: it is alive.
    let call = unsafe { &mut *call.cast::<ApiCall<'_>>() };
    call.rc = (call.call)();
}

/// Leaves the 16 bytes at `secret` on the stack, about 4 KiB down, and in xmm13.
#[inline(never)]
unsafe fn plant(secret: *const u8) -> c_int {
    let mut frame = [0_u8; 4096];
    // SAFETY: 16 bytes are readable. The register is declared; reading it at once, before the compiler uses
    // it again, is the purpose.
    unsafe {
        frame.as_mut_ptr().add(24).copy_from_nonoverlapping(secret, 16);
        core::arch::asm!(
            "movdqu xmm13, [{secret}]",
            "/* {frame} */",
            secret = in(reg) secret,
            frame = in(reg) frame.as_mut_ptr(),
            out("xmm13") _,
        );
    }
    CRYPTO_SUCCESS
}

unsafe extern "C" {
    fn fk_xmm_store(to: *mut c_void);
    fn fk_zmm_store(to: *mut c_void);
    fn fk_xmm_fill(with: u64);
    fn fk_zmm_fill(with: u64);
}

/// Fills the dead stack and the registers, performs the work, and copies the registers and the dead stack
/// at once. The general and the mask registers follow them.
#[inline(never)]
fn search(work: Work, registers: &mut [u8; REGISTERS], stack: &mut [u8]) {
    assert_eq!(stack.len(), DEPTH + GENERAL);
    // SAFETY: no precondition.
    let zmm = unsafe { fk_host_features() } & 1 << 13 != 0;
    let (fill, store) = if zmm {
        (fk_zmm_fill as *const (), fk_zmm_store as *const ())
    } else {
        (fk_xmm_fill as *const (), fk_xmm_store as *const ())
    };
    let (registers, perform) = (registers.as_mut_ptr(), work.perform as *const ());
    let arguments = [work.with.cast(), registers.cast(), store, fill, perform];
    // SAFETY: the stack below is this thread's and unused (threads have megabytes). The callees have the C
    // ABI, on an aligned stack. Every register that they may change is declared.
    unsafe {
        core::arch::asm!(
            "push rbx",
            "mov rbx, rsp",
            "and rsp, -16",
            "lea rdi, [rsp - {depth}]",
            "mov ecx, {depth}",
            "mov al, {mark}",
            "rep stosb",
            "mov rdi, {marks}",
            "call [r12 + 24]",
            "mov rdi, [r12]",
            "call [r12 + 32]",
            "mov [r13 + {depth}], rax",
            "mov [r13 + {depth} + 8], rcx",
            "mov [r13 + {depth} + 16], rdx",
            "mov [r13 + {depth} + 24], rsi",
            "mov [r13 + {depth} + 32], rdi",
            "mov [r13 + {depth} + 40], r8",
            "mov [r13 + {depth} + 48], r9",
            "mov [r13 + {depth} + 56], r10",
            "mov [r13 + {depth} + 64], r11",
            "test r14d, r14d",
            "jz 2f",
            "kmovq [r13 + {depth} + 72], k0",
            "kmovq [r13 + {depth} + 80], k1",
            "kmovq [r13 + {depth} + 88], k2",
            "kmovq [r13 + {depth} + 96], k3",
            "kmovq [r13 + {depth} + 104], k4",
            "kmovq [r13 + {depth} + 112], k5",
            "kmovq [r13 + {depth} + 120], k6",
            "kmovq [r13 + {depth} + 128], k7",
            "2:",
            "mov rdi, [r12 + 8]",
            "call [r12 + 16]",
            "lea rsi, [rsp - {depth}]",
            "mov rdi, r13",
            "mov ecx, {depth}",
            "rep movsb",
            "mov rsp, rbx",
            "pop rbx",
            depth = const DEPTH,
            mark = const MARK,
            marks = const u64::from_ne_bytes([MARK; 8]).cast_signed(),
            in("r12") arguments.as_ptr(),
            in("r13") stack.as_mut_ptr(),
            in("r14") u64::from(zmm),
            clobber_abi("C"),
        );
    }
}

/// What must not be found, with its name.
type Secrets = Vec<(String, [u8; 16])>;

/// Everything secret about a message.
fn secrets(message: &Message, key: &Key) -> Secrets {
    let mut all: Secrets = Vec::new();
    let mut add = |what: String, bytes: [u8; 16]| {
        // A half with equal bytes, such as a short text's padding, would be found anywhere.
        let plain = |half: &[u8]| half.iter().all(|b| b == &half[0]);
        if !plain(&bytes[..8]) && !plain(&bytes[8..]) {
            let mut reversed = bytes;
            reversed.reverse();
            all.push((format!("{what}, reversed"), reversed));
            all.push((what, bytes));
        }
    };
    for (i, (enc, dec)) in key.schedule.enc.iter().zip(&key.schedule.dec).enumerate() {
        add(format!("round key {i}"), enc.0);
        add(format!("round key {i} of decryption"), dec.0);
    }
    if matches!(message.mode, Mode::Gcm | Mode::Gmac) {
        for (i, power) in key.powers.pow.iter().enumerate() {
            add(format!("H^{}", POWERS - i), power.0);
        }
        for (i, pair) in key.powers.mid.iter().enumerate() {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&pair[0].to_le_bytes());
            bytes[8..].copy_from_slice(&pair[1].to_le_bytes());
            add(format!("middle operands {i}"), bytes);
        }
        add("H".into(), key.powers.h.0);
        add("E(K, J0)".into(), message.cipher(message.j0()));
    }
    if message.mode == Mode::Ccm {
        let mask = message.cipher(message.ccm_block(0, 0));
        let tag = &message.sealed[message.text.len()..];
        add("E(K, A0)".into(), mask);
        add("CBC-MAC".into(), core::array::from_fn(|i| mask[i] ^ tag[i]));
    }
    if message.mode == Mode::Cmac {
        let mut subkey = u128::from_be_bytes(message.cipher([0; 16]));
        for what in ["L", "K1", "K2"] {
            add(what.into(), subkey.to_be_bytes());
            if let ("K1", Some(last)) = (what, message.text.as_chunks::<16>().0.last()) {
                let last = u128::from_be_bytes(*last) ^ subkey;
                add("the last block with K1".into(), last.to_be_bytes());
            }
            subkey = (subkey << 1) ^ ((subkey >> 127) * 0x87);
        }
    }
    if !message.mode.is_mac() {
        for (i, block) in message.text.as_chunks::<16>().0.iter().enumerate() {
            add(format!("plaintext block {i}"), *block);
        }
    }
    if matches!(message.mode, Mode::Ctr | Mode::Gcm | Mode::Ccm) {
        let pairs = message.text.as_chunks::<16>().0.iter().zip(message.sealed.as_chunks::<16>().0);
        for (i, (text, sealed)) in pairs.enumerate() {
            let keystream = core::array::from_fn(|j| text[j] ^ sealed[j]);
            add(format!("keystream block {i}"), keystream);
        }
    }
    all
}

/// The secrets that `memory` contains, in full or as an aligned half, at multiples of 8.
fn found(secrets: &Secrets, memory: &[u8], place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for at in (0..memory.len().saturating_sub(7)).step_by(1) {
        let word = &memory[at..at + 8];
        if word == [MARK; 8] || word == [0; 8] {
            continue;
        }
        for (what, secret) in secrets {
            let aligned = at % 8 == 0;
            let whole = memory.get(at..at + 16).is_some_and(|bytes| bytes == secret);
            if whole {
                found.push(format!("{what} at {place} {at}"));
            } else if aligned && (word == &secret[..8] || word == &secret[8..]) {
                found.push(format!("half of {what} at {place} {at}"));
            }
        }
    }
    found
}

/// Text in the registers 16 to 31. A C library copies through them. The library's code moves bytes through
/// no other registers. In the kernel copying uses no vector register.
fn copied_by_libc(what: &str) -> bool {
    let at = what.rsplit(' ').next().and_then(|at| at.parse().ok());
    what.contains("plaintext") && at.is_some_and(|at: usize| at >= REGISTERS / 2)
}

/// What freed blocks held. Only one thread searches.
static FREED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep(_: *mut c_void, block: *const c_void, size: usize) {
    // SAFETY: the block is this size, and is being freed.
    let bytes = unsafe { core::slice::from_raw_parts(block.cast::<u8>(), size) };
    let mut freed = FREED.lock().expect("one thread");
    // Keys and contexts lie at a multiple of 64 in their block, which may start anywhere. They do so here
    // too.
    let start = freed.len().next_multiple_of(64) + block.addr() % 64;
    freed.resize(start, 0);
    freed.extend_from_slice(bytes);
    // How much of a block is never written depends on where it starts.
    for word in freed[start..].as_chunks_mut().0.iter_mut().filter(|word| **word == UNWRITTEN) {
        *word = [0; 8];
    }
}

/// What an allocation of the userland KCF contains, as in a kernel with KMEM_DEBUG.
const UNWRITTEN: [u8; 8] = 0xbadd_cafe_badd_cafe_u64.to_le_bytes();

const RIGHT_TAG: &str = "right tag";

/// A searcher with its memory.
struct Search {
    registers: Box<[u8; REGISTERS]>,
    stack: Vec<u8>,
    what: String,
    secrets: Secrets,
    found: Vec<String>,
    calls: usize,
}

impl Search {
    fn new() -> Self {
        Self {
            registers: Box::new([0; REGISTERS]),
            stack: vec![0; DEPTH + GENERAL],
            what: String::new(),
            secrets: vec![],
            found: vec![],
            calls: 0,
        }
    }

    /// Performs the work. Returns what it has freed.
    fn perform(&mut self, work: Work) -> Vec<u8> {
        FREED.lock().expect("one thread").clear();
        // The heap into which the test's own vector grows is not searched.
        FREED.lock().expect("one thread").reserve(1 << 20);
        search(work, &mut self.registers, &mut self.stack);
        self.calls += 1;
        FREED.lock().expect("one thread").clone()
    }
}

/// Inspects the machine after each call.
trait Watch {
    /// Performs the work, and inspects what it leaves.
    fn watch(&mut self, what: &str, work: Work);

    /// Tells whether the message was forged.
    fn answered(&mut self, _forged: bool) {}

    /// Tells which output is public.
    fn expect(&mut self, _public: &[u8]) {}

    /// Performs the call, which must answer `want`.
    fn run(&mut self, call: &mut Call, op: Op, want: c_int) {
        call.op = op;
        let what = format!("{op:?}");
        self.watch(&what, Work { perform, with: core::ptr::from_mut(call).cast() });
        assert_eq!(call.rv, want, "{what}");
        self.answered(want == CRYPTO_INVALID_MAC);
    }

    /// Performs a call of the plain C API. Returns its answer.
    fn api(&mut self, what: &str, call: &mut dyn FnMut() -> kcfaes_rc) -> kcfaes_rc {
        let mut call = ApiCall { call, rc: kcfaes_rc::KCFAES_FAILED };
        let with = core::ptr::from_mut(&mut call).cast();
        self.watch(what, Work { perform: perform_api, with });
        self.answered(call.rc == kcfaes_rc::KCFAES_INVALID_MAC);
        call.rc
    }

    /// From now on the tag that a forged message should have had is a secret. `None` ends that.
    fn forged(&mut self, tag: Option<[u8; 16]>);
}

impl Watch for Search {
    fn forged(&mut self, tag: Option<[u8; 16]>) {
        self.secrets.retain(|(what, _)| what != RIGHT_TAG);
        self.secrets.extend(tag.map(|tag| (RIGHT_TAG.to_string(), tag)));
    }

    fn watch(&mut self, what: &str, work: Work) {
        let freed = self.perform(work);
        for (memory, place) in [
            (self.stack.as_slice(), "stack"),
            (self.registers.as_slice(), "register byte"),
            (&freed, "freed heap"),
        ] {
            for secret in found(&self.secrets, memory, place) {
                if place == "register byte" && copied_by_libc(&secret) {
                    continue;
                }
                self.found.push(format!("{}, {what}: {secret}", self.what));
            }
        }
    }
}

/// What was found, without places and numbers of blocks: the count, and one example of each.
fn kinds(found: &[String]) -> BTreeMap<String, (usize, &String)> {
    let mut kinds = BTreeMap::new();
    for one in found {
        let (table, rest) = one.split_once(' ').expect("a table");
        let (_, what) = rest.split_once(": ").expect("a secret");
        let kind: String = what.chars().filter(|c| !c.is_ascii_digit()).collect();
        kinds.entry(format!("{table}: {kind}")).or_insert((0, one)).0 += 1;
    }
    kinds
}

/// A key, as the tables make it.
fn key_of(message: &Message) -> Key {
    let mut key = Key::default();
    key.set(&mut kcfaes_provider::engine::Fpu::new(), &message.key, usize::MAX);
    key
}

struct Subject {
    way: Way,
    request: Request,
    src: Buffer,
    dst: Buffer,
    in_len: usize,
    out_len: usize,
}

impl Subject {
    fn new(message: Message, way: Way, forged: bool, cut: &[usize]) -> Self {
        let mut input = message.input(way);
        if forged {
            // The tag is wrong in both halves.
            let len = input.len();
            for at in [len - 1, len - message.tag_len] {
                input[at] ^= 1;
            }
        }
        let out_len = message.output(way).len();
        let pieces = |len: usize| -> Vec<usize> {
            let mut left = len;
            let mut pieces: Vec<usize> = cut
                .iter()
                .map(|&n| {
                    let n = n.min(left);
                    left -= n;
                    n
                })
                .collect();
            pieces.push(left);
            pieces
        };
        let format = if cut.is_empty() { Format::Raw } else { Format::Uio };
        Self {
            way,
            request: message.request(),
            src: Buffer::new(format, &input, &pieces(input.len())),
            dst: Buffer::room(format, out_len, &pieces(out_len)),
            in_len: input.len(),
            out_len,
        }
    }

    fn call(&mut self, template: *mut c_void) -> Call {
        Call {
            op: Op::Plant,
            rv: -1,
            ctx: crypto_ctx_t {
                cc_provider: NONE,
                cc_session: 0,
                cc_provider_private: NONE,
                cc_framework_private: NONE,
                cc_flags: 0,
                cc_opstate: NONE,
            },
            mechanism: self.request.provider_mechanism(self.way),
            key: &raw mut self.request.key,
            template,
            made: NONE,
            size: 0,
            src: self.src.data(0, self.in_len),
            dst: self.dst.data(0, self.out_len),
            in_place: false,
        }
    }
}

/// Every operation on one message.
fn every_operation(search: &mut impl Watch, message: &Message, way: Way, cut: &[usize]) {
    let verifies = message.tag_len > 0 && way == Way::Decrypt;
    let block = {
        let mut subject = Subject::new(message.clone(), way, false, cut);
        let mut call = subject.call(NONE);
        search.run(&mut call, Op::Template, CRYPTO_SUCCESS);
        (call.made, call.size)
    };
    for template in [NONE, block.0] {
        let mut subject = Subject::new(message.clone(), way, false, cut);
        let (in_len, out_len) = (subject.in_len, subject.out_len);
        let want = message.output(way);

        let mut call = subject.call(template);
        search.run(&mut call, Op::Atomic(way), CRYPTO_SUCCESS);
        assert_eq!(subject.dst.bytes(), want);

        let mut call = subject.call(template);
        search.run(&mut call, Op::Init(way), CRYPTO_SUCCESS);
        search.run(&mut call, Op::Single(way), CRYPTO_SUCCESS);

        let mut call = subject.call(template);
        search.run(&mut call, Op::Init(way), CRYPTO_SUCCESS);
        let (mut taken, mut given) = (0, 0);
        // The first part takes the direct path, if it is in one piece, the others do not.
        for n in [16, 21, 64, in_len - 101] {
            call.src = subject.src.data(taken, n);
            call.dst = subject.dst.data(given, out_len - given);
            search.run(&mut call, Op::Update(way), CRYPTO_SUCCESS);
            taken += n;
            if way != Way::Mac {
                given += call.dst.cd_length;
            }
        }
        call.dst = subject.dst.data(given, out_len - given);
        search.run(&mut call, Op::Final(way), CRYPTO_SUCCESS);
        assert_eq!(subject.dst.bytes(), want);

        // Cancelled with a partial block waiting.
        let mut call = subject.call(template);
        search.run(&mut call, Op::Init(way), CRYPTO_SUCCESS);
        call.src = subject.src.data(0, 21);
        search.run(&mut call, Op::Update(way), CRYPTO_SUCCESS);
        search.run(&mut call, Op::Free, CRYPTO_SUCCESS);

        // Buffered to its end.
        if message.mode.is_aead() && way == Way::Decrypt {
            let mut call = subject.call(template);
            search.run(&mut call, Op::Init(way), CRYPTO_SUCCESS);
            call.in_place = true;
            for (start, len) in [(0, 40), (40, in_len - 40)] {
                call.src = subject.src.data(start, len);
                search.run(&mut call, Op::Update(way), CRYPTO_SUCCESS);
            }
            call.in_place = false;
            search.run(&mut call, Op::Final(way), CRYPTO_SUCCESS);
        }

        // Calls that fail.
        if out_len > 0 {
            let mut call = subject.call(template);
            call.dst.cd_length = out_len - 1;
            search.run(&mut call, Op::Atomic(way), CRYPTO_BUFFER_TOO_SMALL);
        }
        if verifies {
            let mut subject = Subject::new(message.clone(), way, true, cut);
            // Whoever reads it can forge.
            let (_, tag) = message.sealed.split_last_chunk::<16>().expect("a tag in full");
            search.forged(Some(*tag));
            for in_place in [false, true] {
                let mut call = subject.call(template);
                call.in_place = in_place;
                search.run(&mut call, Op::Atomic(way), CRYPTO_INVALID_MAC);
            }
            if message.mode.is_aead() {
                assert_eq!(subject.dst.bytes(), vec![0; out_len]);
            }
            for in_place in [false, true] {
                let mut call = subject.call(template);
                search.run(&mut call, Op::Init(way), CRYPTO_SUCCESS);
                call.in_place = in_place;
                search.run(&mut call, Op::Single(way), CRYPTO_INVALID_MAC);
            }
            for latched in [false, true] {
                let mut call = subject.call(template);
                search.run(&mut call, Op::Init(way), CRYPTO_SUCCESS);
                call.in_place = latched;
                call.src = subject.src.data(0, in_len);
                search.run(&mut call, Op::Update(way), CRYPTO_SUCCESS);
                call.in_place = false;
                let given = if latched { 0 } else { call.dst.cd_length };
                call.dst = subject.dst.data(given, out_len - given);
                search.run(&mut call, Op::Final(way), CRYPTO_INVALID_MAC);
                search.run(&mut call, Op::Free, CRYPTO_SUCCESS);
            }
            search.forged(None);
        }
    }
    if way == Way::Mac {
        for bad in [false, true] {
            let mut subject = Subject::new(message.clone(), way, false, cut);
            let mut mac = message.sealed.clone();
            mac[3] ^= u8::from(bad);
            subject.dst = Buffer::new(Format::Raw, &mac, &[]);
            let mut call = subject.call(NONE);
            let want = if bad { CRYPTO_INVALID_MAC } else { CRYPTO_SUCCESS };
            search.run(&mut call, Op::Verify, want);
        }
    }
    let mut subject = Subject::new(message.clone(), way, false, cut);
    let mut wrong = Message { key: message.key[..15].to_vec(), ..message.clone() }.request();
    let mut call = subject.call(NONE);
    call.key = &raw mut wrong.key;
    search.run(&mut call, Op::Atomic(way), CRYPTO_KEY_SIZE_RANGE);
    search.run(&mut call, Op::Init(way), CRYPTO_KEY_SIZE_RANGE);

    let at = core::ptr::NonNull::new(block.0.cast::<u8>()).expect("a template");
    // SAFETY: the block is ours to free, with the size that the framework is told; it wipes it.
    unsafe {
        at.write_bytes(0, block.1);
        kcfaes_provider::env::free(at, block.1);
    }
    let _ = spi::free_nothing();
}

/// Where in a text a call of `kcfaes_ctr_at` begins: within a block that the message does not have.
const OFFSET: u64 = 16 * 11 + 5;

/// Every call of the plain C API on one message.
fn every_call(watch: &mut impl Watch, message: &Message, way: Way) {
    let sealed = message.text.len();
    let tag_of = |bytes: &[u8]| {
        let mut tag = [0; TAG];
        tag[..bytes.len()].copy_from_slice(bytes);
        tag
    };
    let (src, tag) = match way {
        Way::Encrypt => (message.text.clone(), [0; TAG]),
        Way::Mac => (message.text.clone(), tag_of(&message.sealed)),
        Way::Decrypt => {
            let (text, tag) = message.sealed.split_at(sealed);
            (text.to_vec(), tag_of(tag))
        }
    };
    let operands = |in_place: bool, forged: bool| {
        let mut operands = Operands {
            mode: message.mode,
            way,
            iv: message.iv.clone(),
            aad: message.aad.clone(),
            dst: vec![0; src.len() + TAG],
            src: src.clone(),
            in_place,
            tag,
            tag_len: message.tag_len,
        };
        if forged {
            // Forged as the ops vector's messages are.
            for at in [message.tag_len - 1, 0] {
                operands.tag[at] ^= 1;
            }
        }
        operands
    };
    let ok = |rc: kcfaes_rc| assert!(rc == kcfaes_rc::KCFAES_OK);
    let batch = (message.mode, way) == (Mode::Cbc, Way::Encrypt);
    if batch {
        let (mut operands, key) = (operands(false, false), new_key(&message.key, &mut unwatched));
        ok(operands.batch(key, key, &mut unwatched));
        free_key(key, &mut unwatched);
        watch.expect(&operands.dst);
    }
    if message.mode == Mode::Ctr {
        let (mut operands, key) = (operands(false, false), new_key(&message.key, &mut unwatched));
        ok(operands.ctr_at(key, OFFSET, &mut unwatched));
        free_key(key, &mut unwatched);
        watch.expect(&operands.dst);
    }
    let step = &mut |what: &str, call: &mut dyn FnMut() -> kcfaes_rc| watch.api(what, call);
    let key = new_key(&message.key, step);
    for in_place in [false, true] {
        let mut whole = operands(in_place, false);
        ok(whole.whole(key, step));
        if way != Way::Mac {
            let out = if in_place { &whole.src } else { &whole.dst };
            let want = if way == Way::Encrypt { &message.sealed[..sealed] } else { &message.text };
            assert_eq!(out[..sealed], *want);
        }
        ok(operands(in_place, false).lists(key, 0, step));
        ok(operands(in_place, false).parts(key, false, step));
        ok(operands(in_place, false).parts(key, true, step));
        if message.mode == Mode::Gcm {
            ok(operands(in_place, false).gcm_batch(key, step));
        }
    }
    operands(false, false).cancelled(key, step);
    if message.mode == Mode::Ctr {
        ok(operands(false, false).ctr_at(key, OFFSET, step));
    }
    for mut other in [message.text.clone(), vec![0x5a; sealed]] {
        let same = other == message.text;
        assert_eq!(compare(&message.text, &mut other, step), same);
    }
    if way != Way::Mac {
        let rc = operands(false, false).lists(key, 1, step);
        assert!(rc == kcfaes_rc::KCFAES_BUFFER_TOO_SMALL);
    }
    if way == Way::Mac {
        ok(operands(false, false).verify(key, step));
        assert!(operands(false, true).verify(key, step) == kcfaes_rc::KCFAES_INVALID_MAC);
    } else if way == Way::Decrypt && message.tag_len > 0 {
        for in_place in [false, true] {
            let forged = || operands(in_place, true);
            for rc in [
                forged().whole(key, step),
                forged().lists(key, 0, step),
                forged().parts(key, false, step),
            ] {
                assert!(rc == kcfaes_rc::KCFAES_INVALID_MAC);
            }
            if message.mode == Mode::Gcm {
                let rc = forged().gcm_batch(key, step);
                assert!(rc == kcfaes_rc::KCFAES_INVALID_MAC);
            }
        }
    }
    if batch {
        let other = new_key(&message.key, step);
        ok(operands(false, false).batch(key, other, step));
        free_key(other, step);
    }
    free_key(key, step);
}

/// The tests inspect one process.
static ONE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_secret_is_left_behind() {
    let _alone = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the function locks what it writes.
    unsafe { fk_kmem_on_free(Some(keep), NONE) };
    let mut search = Search::new();

    // The control: a planted secret is found, on the stack, in a register and in the freed heap.
    let mut random = Stream::new(1);
    let message = Message::draw(Mode::Ecb, 16, 176, &mut random);
    let mut planted: [u8; 16] = random.draw(16).try_into().expect("16");
    search.secrets = vec![("planted".into(), planted)];
    let mut subject = Subject::new(message, Way::Encrypt, false, &[]);
    let mut call = subject.call(NONE);
    call.made = planted.as_mut_ptr().cast();
    search.run(&mut call, Op::Plant, CRYPTO_SUCCESS);
    for place in ["stack", "register"] {
        assert!(search.found.iter().any(|f| f.contains(place)), "{place}: {:?}", search.found);
    }
    let block = kcfaes_provider::env::alloc(100, 0).expect("memory");
    // SAFETY: 100 bytes of ours.
    unsafe {
        block.write_bytes(FILL, 100);
        block.add(33).copy_from_nonoverlapping(core::ptr::NonNull::from(&planted).cast(), 16);
        kcfaes_provider::env::free(block, 100);
    }
    assert_eq!(found(&search.secrets, &FREED.lock().expect("one thread"), "heap").len(), 1);
    search.found.clear();

    for &table in kernel::tables() {
        for (mode, way) in tasks() {
            for key_len in [16, 24, 32] {
                for cut in [&[][..], &[7, 0, 3, 22, 1, 64, 5]] {
                    kernel::use_table(table);
                    let message =
                        Message::draw(mode, key_len, 176, &mut Stream::new(key_len as u64));
                    search.secrets = secrets(&message, &key_of(&message));
                    let what = format!("{} {mode:?} {key_len} {cut:?}", table.name());
                    search.what = what;
                    every_operation(&mut search, &message, way, cut);
                }
            }
        }
    }
    // SAFETY: no precondition.
    unsafe { fk_kmem_on_free(None, NONE) };
    println!("{} calls searched", search.calls);
    let kinds = kinds(&search.found);
    assert!(kinds.is_empty(), "left behind: {kinds:#?}");
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// The machine after a call.
struct State {
    what: String,
    forged: bool,
    /// Stack, general and mask registers, vector registers, freed blocks.
    bytes: Vec<u8>,
}

/// The machine after each call of a run.
#[derive(Default)]
struct Record {
    states: Vec<State>,
    /// The public output of the run, in addition to the message.
    public: Vec<u8>,
}

/// The last entry of a run: the process' own data.
const OWN_DATA: &str = "own data";

/// Records what each call leaves.
struct Recorder {
    search: Search,
    record: Record,
}

impl Watch for Recorder {
    fn forged(&mut self, _: Option<[u8; 16]>) {}

    fn watch(&mut self, what: &str, work: Work) {
        beside_the_run(|| {
            let freed = self.search.perform(work);
            let mut bytes = self.search.stack.clone();
            bytes.extend_from_slice(&self.search.registers[..]);
            bytes.extend_from_slice(&freed);
            self.record.states.push(State { what: what.into(), forged: false, bytes });
        });
    }

    fn expect(&mut self, public: &[u8]) {
        beside_the_run(|| self.record.public.extend_from_slice(public));
    }

    fn answered(&mut self, forged: bool) {
        self.record.states.last_mut().expect("a call").forged = forged;
    }
}

unsafe extern "C" {
    /// Where the process' `.data` and `.bss` begin and end.
    static __data_start: u8;
    static _end: u8;
}

/// A copy of the process' own data.
fn own_data() -> Vec<u8> {
    let (start, end) = (&raw const __data_start, &raw const _end);
    let len = end.addr() - start.addr();
    let mut copy = vec![0_u8; len];
    // SAFETY: the linker says that it is mapped. Other threads of the test may write it meanwhile, so it is
    // copied as bytes without a meaning.
    unsafe { core::ptr::copy(start, copy.as_mut_ptr(), len) };
    copy
}

/// All that `work` does, with what is left after each of its calls and at the end.
fn recorded(work: &dyn Fn(&mut Recorder)) -> Record {
    let mut recorder = Recorder { search: Search::new(), record: Record::default() };
    at_the_same_addresses(|| work(&mut recorder));
    let Recorder { mut record, .. } = recorder;
    record.states.push(State { what: OWN_DATA.into(), forged: false, bytes: own_data() });
    record
}

/// Words of these bytes, at any offset in them, padded with zeros at their ends, in either order of bytes.
fn words_of<'a>(all: impl IntoIterator<Item = &'a [u8]>) -> HashSet<[u8; 8]> {
    let mut words = HashSet::new();
    for bytes in all {
        let padded = [&[0; 8], bytes, &[0; 8]].concat();
        for word in padded.windows(8) {
            let mut word: [u8; 8] = word.try_into().expect("8 bytes");
            words.insert(word);
            word.reverse();
            words.insert(word);
        }
    }
    words
}

/// Whether a word shares four or more bytes with a known word, in the bytes where it differs from the other
/// run's. Such a word is half of a known one, or one that a C library has partly overwritten.
fn part_of(known: &HashSet<[u8; 8]>, word: [u8; 8], other: [u8; 8]) -> bool {
    let differs = |&i: &usize| word[i] != other[i];
    let (Some(first), Some(last)) = ((0..8).find(differs), (0..8).rfind(differs)) else {
        return true;
    };
    let place = first..=last;
    last - first >= 3 && known.iter().any(|known| known[place.clone()] == word[place.clone()])
}

/// Whether a word holds only what the stack held before, numbers that both runs have, and an address of
/// this process, in full or half of it. Two runs may have their buffers at different addresses.
fn tells_nothing(word: [u8; 8], other: [u8; 8]) -> bool {
    let half = |word: [u8; 8], at: usize| {
        u32::from_le_bytes(word[at..at + 4].try_into().expect("4 bytes"))
    };
    let address = |high: u32| (0x5000..0x8000).contains(&high);
    let idle = |half: u32| half == 0 || half == u32::from_le_bytes([MARK; 4]);
    let (low, high) = (half(word, 0), half(word, 4));
    (idle(low) || low == half(other, 0) || address(high))
        && (idle(high) || high == half(other, 4) || address(high))
}

/// What is left by two messages that differ only in key and text. It counts if it differs between them and
/// is the same in both runs of each. By operation: how many words, and the first.
fn residue(message: &Message, work: &dyn Fn(&mut Recorder, &Message)) -> Vec<String> {
    let mut random = Stream::new(77);
    let key = random.draw(message.key.len());
    // A MAC does not keep its message secret.
    let text = if message.mode.is_mac() { message.text.clone() } else { random.draw(176) };
    let other = Message { key, text, ..message.clone() }.seal();
    // What changes from run to run is not the message's: the heap's addresses, a C library's masks. If the
    // runs differ, as many follow in the opposite order, because what malloc leaves depends on the heap.
    let (mut first, mut second) = (vec![], vec![]);
    let mut found = vec![];
    for opposite in [false, true] {
        for other_turn in [false, true, true, false, true, false, false, true] {
            let (message, runs) =
                if other_turn == opposite { (message, &mut first) } else { (&other, &mut second) };
            runs.push(recorded(&|recorder| work(recorder, message)));
        }
        found = compared([message, &other], [&first, &second]);
        if found.is_empty() {
            break;
        }
    }
    found
}

/// What differs between the two messages, and is the same in all runs of each.
fn compared([message, other]: [&Message; 2], [first, second]: [&Vec<Record>; 2]) -> Vec<String> {
    let forged = |message: &Message| {
        let (mut sealed, len) = (message.sealed.clone(), message.sealed.len());
        for at in [len - 1, len - message.tag_len.max(1)] {
            sealed[at] ^= 1;
        }
        sealed
    };
    let verified = |message: &Message| {
        let mut mac = message.sealed.clone();
        mac[3] ^= 1;
        mac
    };
    let (forged, verified) = ([message, other].map(forged), [message, other].map(verified));
    // If a message was forged, the tag that it should have had is a secret.
    let given = forged.iter().chain(&verified).map(Vec::as_slice);
    let when_forged = words_of(given.clone());
    let beside = [first, second].map(|runs| &runs[0].public[..]);
    let public = words_of(given.chain([&message.sealed[..], &other.sealed]).chain(beside));
    let texts = words_of([&message.text[..], &other.text]);
    let mut found = Vec::new();
    for (call, State { what, forged, .. }) in first[0].states.iter().enumerate() {
        let words = |record: &Record| record.states[call].bytes.as_chunks::<8>().0.to_vec();
        let [first, second] =
            [first, second].map(|runs| runs.iter().map(words).collect::<Vec<_>>());
        let (a, b) = (&first[0], &second[0]);
        let known = if *forged { &when_forged } else { &public };
        let harmless = |i: usize, word: [u8; 8], other: [u8; 8]| {
            let by_libc = (DEPTH + GENERAL + REGISTERS / 2..DEPTH + GENERAL + REGISTERS)
                .contains(&(8 * i))
                && what != OWN_DATA
                && texts.contains(&word);
            known.contains(&word)
                || by_libc
                || tells_nothing(word, other)
                || part_of(known, word, other)
        };
        let len = first.iter().chain(&second).map(Vec::len).min().unwrap_or(0);
        let steady = |i: usize| {
            first.iter().all(|run| run[i] == a[i]) && second.iter().all(|run| run[i] == b[i])
        };
        let differing: Vec<_> = (0..len)
            .filter(|&i| a[i] != b[i] && steady(i))
            .filter(|&i| !(harmless(i, a[i], b[i]) && harmless(i, b[i], a[i])))
            .collect();
        if let Some(&at) = differing.first() {
            let place = match 8 * at {
                _ if what == OWN_DATA => "own data",
                place if place < DEPTH => "stack",
                place if place < DEPTH + GENERAL => "general register",
                place if place < DEPTH + GENERAL + REGISTERS => "vector register",
                _ => "freed heap",
            };
            let (n, at, x, y) = (differing.len(), 8 * at, a[at], b[at]);
            let all = secrets(message, &key_of(message));
            let named = all.iter().find(|(_, secret)| secret.windows(8).any(|word| word == x));
            let name = named.map_or("", |(name, _)| name);
            let forged = if *forged { ", forged" } else { "" };
            found.push(format!(
                "{what}{forged}: {n} words, the first {place} {at}: {x:02x?} {y:02x?} {name}"
            ));
        }
    }
    found
}

#[test]
fn nothing_differs_but_what_is_public() {
    let _alone = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the function locks the data that it writes.
    unsafe { fk_kmem_on_free(Some(keep), NONE) };
    let mut all = Vec::new();
    for &table in kernel::tables() {
        for (mode, way) in tasks() {
            for key_len in [16, 32] {
                // J0 of an IV of another length is a hash under H, and a secret.
                let drawn = Message::draw(mode, key_len, 176, &mut Stream::new(key_len as u64));
                let mut messages = vec![drawn.clone()];
                if mode == Mode::Gcm {
                    messages.push(Message { iv: Stream::new(16).draw(16), ..drawn }.seal());
                }
                let cuts = [&[][..], &[7, 0, 3, 22, 1, 64, 5]];
                for (message, cut) in messages.iter().flat_map(|one| cuts.map(|cut| (one, cut))) {
                    kernel::use_table(table);
                    let operations = |recorder: &mut Recorder, message: &Message| {
                        every_operation(recorder, message, way, cut);
                    };
                    for what in residue(message, &operations) {
                        let iv = message.iv.len();
                        let case =
                            format!("{} {mode:?} {way:?} {key_len} {iv} {cut:?}", table.name());
                        all.push(format!("{case}: {what}"));
                    }
                }
                // In the plain C API a MAC is no mode of encryption, and GMAC has no other AAD.
                if mode.is_mac() && way != Way::Mac {
                    continue;
                }
                for message in messages {
                    let aad = if mode.is_mac() { vec![] } else { message.aad.clone() };
                    let message = Message { aad, bits: 128, ..message.clone() }.seal();
                    let calls = |recorder: &mut Recorder, message: &Message| {
                        every_call(recorder, message, way);
                    };
                    for what in residue(&message, &calls) {
                        let iv = message.iv.len();
                        let case =
                            format!("{} {mode:?} {way:?} {key_len} {iv}, C API", table.name());
                        all.push(format!("{case}: {what}"));
                    }
                }
            }
        }
    }
    // SAFETY: no precondition.
    unsafe { fk_kmem_on_free(None, NONE) };
    assert!(all.is_empty(), "{} left behind:\n{}", all.len(), all.join("\n"));
}
