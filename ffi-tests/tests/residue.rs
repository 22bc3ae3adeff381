// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nothing secret is left behind: after every operation, good or failed, by any table, 64 KiB of
//! dead stack below the caller, every vector register and every freed block are searched for round
//! keys of both directions, H and its powers as the key has them, E(K, J0), keystream and plaintext,
//! what enciphers a CCM's MAC and its CBC-MAC before that, CMAC's subkeys, in either order of bytes,
//! and for the tag that a forged message should have had; of what is 16 bytes long also for an aligned
//! half.

mod oracle;

use core::ffi::{c_int, c_void};
use std::collections::BTreeMap;
use std::sync::Mutex;

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
use oracle::Message;

/// Bytes of dead stack that are searched.
const DEPTH: usize = 64 * 1024;
/// What the stack holds before.
const MARK: u8 = 0xc7;
/// 32 registers of 64 bytes.
const REGISTERS: usize = 2048;

const NONE: *mut c_void = core::ptr::null_mut();

/// A call of an entry point with everything that it needs, made before; nothing of the test's own
/// runs between its end and the search.
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

unsafe extern "C" fn perform(call: *mut Call) {
    // SAFETY: the call is alive, with all that it names.
    unsafe {
        let call = &mut *call;
        let (ctx, mechanism, key) = (&raw mut call.ctx, &raw mut call.mechanism, call.key);
        let (src, template) = (&raw mut call.src, call.template);
        let dst = if call.in_place { core::ptr::null_mut() } else { &raw mut call.dst };
        call.rv = match call.op {
            Op::Atomic(Way::Encrypt) => {
                kcfaes_encrypt_atomic(NONE, 0, mechanism, key, src, dst, template, NONE)
            }
            Op::Atomic(Way::Decrypt) => {
                kcfaes_decrypt_atomic(NONE, 0, mechanism, key, src, dst, template, NONE)
            }
            Op::Atomic(Way::Mac) => {
                kcfaes_mac_atomic(NONE, 0, mechanism, key, src, dst, template, NONE)
            }
            Op::Verify => kcfaes_mac_verify_atomic(
                NONE,
                0,
                mechanism,
                key,
                src,
                &raw mut call.dst,
                template,
                NONE,
            ),
            Op::Init(Way::Encrypt) => kcfaes_encrypt_init(ctx, mechanism, key, template, NONE),
            Op::Init(Way::Decrypt) => kcfaes_decrypt_init(ctx, mechanism, key, template, NONE),
            Op::Init(Way::Mac) => kcfaes_mac_init(ctx, mechanism, key, template, NONE),
            Op::Update(Way::Encrypt) => kcfaes_encrypt_update(ctx, src, dst, NONE),
            Op::Update(Way::Decrypt) => kcfaes_decrypt_update(ctx, src, dst, NONE),
            Op::Update(Way::Mac) => kcfaes_mac_update(ctx, src, NONE),
            Op::Final(Way::Encrypt) => kcfaes_encrypt_final(ctx, dst, NONE),
            Op::Final(Way::Decrypt) => kcfaes_decrypt_final(ctx, dst, NONE),
            Op::Final(Way::Mac) => kcfaes_mac_final(ctx, dst, NONE),
            Op::Single(Way::Encrypt) => kcfaes_encrypt(ctx, src, dst, NONE),
            Op::Single(Way::Decrypt) => kcfaes_decrypt(ctx, src, dst, NONE),
            Op::Single(Way::Mac) => kcfaes_mac(ctx, src, dst, NONE),
            Op::Template => kcfaes_create_ctx_template(
                NONE,
                mechanism,
                key,
                &raw mut call.made,
                &raw mut call.size,
                NONE,
            ),
            Op::Free => kcfaes_free_context(ctx),
            Op::Plant => plant(call.made.cast()),
        };
    }
}

/// Leaves the 16 bytes at `secret` on the stack, some 4 KiB down, and in xmm13.
#[inline(never)]
unsafe fn plant(secret: *const u8) -> c_int {
    let mut frame = [0_u8; 4096];
    // SAFETY: 16 bytes are readable; the register is declared, but that the compiler may use it later
    // is the point of looking at once.
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

/// Fills the dead stack and the registers, performs the call, and copies the registers and the dead stack at once.
#[inline(never)]
fn search(call: &mut Call, registers: &mut [u8; REGISTERS], stack: &mut [u8]) {
    assert_eq!(stack.len(), DEPTH);
    // SAFETY: no precondition.
    let zmm = unsafe { fk_host_features() } & 1 << 13 != 0;
    let (fill, store) = if zmm {
        (fk_zmm_fill as *const (), fk_zmm_store as *const ())
    } else {
        (fk_xmm_fill as *const (), fk_xmm_store as *const ())
    };
    let (call, registers) = (core::ptr::from_mut(call), registers.as_mut_ptr());
    let arguments = [call.cast(), registers.cast(), store, fill];
    // SAFETY: the stack below is this thread's and unused (threads have megabytes); the callees are of
    // the C ABI, on an aligned stack; every register that they may change is declared.
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
            "call {perform}",
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
            perform = sym perform,
            in("r12") arguments.as_ptr(),
            in("r13") stack.as_mut_ptr(),
            clobber_abi("C"),
        );
    }
}

/// What must not be found, and what it is.
type Secrets = Vec<(String, [u8; 16])>;

/// Everything secret about a message.
fn secrets(message: &Message, key: &Key) -> Secrets {
    let mut all: Secrets = Vec::new();
    let mut add = |what: String, bytes: [u8; 16]| {
        // Halves that are all alike, as a short text's padding has, would be found anywhere.
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

/// The secrets that `memory` has, or an aligned half of; places are multiples of 8.
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

/// Text in the registers 16 to 31: a C library copies through them, and the library's code has no
/// others to move bytes with. In the kernel copying takes no vector register.
fn copied_by_libc(what: &str) -> bool {
    let at = what.rsplit(' ').next().and_then(|at| at.parse().ok());
    what.contains("plaintext") && at.is_some_and(|at: usize| at >= REGISTERS / 2)
}

/// What freed blocks held, for the one thread that searches.
static FREED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep(_: *mut c_void, block: *const c_void, size: usize) {
    // SAFETY: the block is this size, and is being freed.
    let bytes = unsafe { core::slice::from_raw_parts(block.cast::<u8>(), size) };
    let mut freed = FREED.lock().expect("one thread");
    let start = freed.len().next_multiple_of(64);
    freed.resize(start, 0);
    freed.extend_from_slice(bytes);
}

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
            stack: vec![0; DEPTH],
            what: String::new(),
            secrets: vec![],
            found: vec![],
            calls: 0,
        }
    }

    fn run(&mut self, call: &mut Call, op: Op, want: c_int) {
        FREED.lock().expect("one thread").clear();
        call.op = op;
        // The heap that the test's own vector grows into is not what is searched.
        FREED.lock().expect("one thread").reserve(1 << 20);
        search(call, &mut self.registers, &mut self.stack);
        assert_eq!(call.rv, want, "{}, {op:?}", self.what);
        self.calls += 1;
        let freed = FREED.lock().expect("one thread").clone();
        for (memory, place) in [
            (self.stack.as_slice(), "stack"),
            (self.registers.as_slice(), "register byte"),
            (&freed, "freed heap"),
        ] {
            for what in found(&self.secrets, memory, place) {
                if place == "register byte" && copied_by_libc(&what) {
                    continue;
                }
                self.found.push(format!("{}, {op:?}: {what}", self.what));
            }
        }
    }
}

/// What was found, without places and numbers of blocks: how often, and one of each.
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
            // In both halves.
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
fn every_operation(search: &mut Search, message: &Message, way: Way, cut: &[usize]) {
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
        for n in [21, 64, in_len - 85] {
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

        // Failures.
        if out_len > 0 {
            let mut call = subject.call(template);
            call.dst.cd_length = out_len - 1;
            search.run(&mut call, Op::Atomic(way), CRYPTO_BUFFER_TOO_SMALL);
        }
        if verifies {
            let mut subject = Subject::new(message.clone(), way, true, cut);
            // Who reads it can forge.
            let (_, tag) = message.sealed.split_last_chunk::<16>().expect("a tag in full");
            let always = search.secrets.len();
            search.secrets.push(("right tag".into(), *tag));
            for in_place in [false, true] {
                let mut call = subject.call(template);
                call.in_place = in_place;
                search.run(&mut call, Op::Atomic(way), CRYPTO_INVALID_MAC);
            }
            if message.mode.is_aead() {
                assert_eq!(subject.dst.bytes(), vec![0; out_len]);
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
            search.secrets.truncate(always);
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
        kcfaes_provider::engine::env::free(at, block.1);
    }
    let _ = spi::free_nothing();
}

#[test]
fn nothing_secret_is_left_behind() {
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
    let block = kcfaes_provider::engine::env::alloc(100, 0).expect("memory");
    // SAFETY: 100 bytes of ours.
    unsafe {
        block.write_bytes(FILL, 100);
        block.add(33).copy_from_nonoverlapping(core::ptr::NonNull::from(&planted).cast(), 16);
        kcfaes_provider::engine::env::free(block, 100);
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
