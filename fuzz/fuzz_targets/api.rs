// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plain C API: whole messages and parts, buffers and lists, over keys and contexts in memory of
//! any alignment. Some calls do what a caller can do wrong. The output is compared with RustCrypto and
//! the composition of tests/oracle. If several things are wrong, a function may name any of them.
#![no_main]

use core::ffi::{CStr, c_int};
use core::ptr::{null, null_mut};

use kcfaes_capi::api::*;
use kcfaes_ffi_tests::kernel::{Ledger, tables};
use kcfaes_fuzz::memory::{FILL, Memory, Overlap, Range, Shadow, lengths, overlap};
use kcfaes_fuzz::wire::{Call, Head, decode, mutate};
use kcfaes_provider::engine::{TableId, set_hold_bytes};
use kcfaes_provider::watch::forbid_direct;
use kcfaes_vectors::Mode;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use oracle::Message;

#[path = "../../ffi-tests/tests/oracle/mod.rs"]
mod oracle;

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    mutate(data, size, most, seed)
});

fuzz_target!(|data: &[u8]| {
    if let Ok((head, calls)) = decode(data) {
        let ledger = Ledger::begin();
        Session::run(head, &calls);
        ledger.settle();
    }
});

const OK: c_int = kcfaes_rc::KCFAES_OK as c_int;
const BAD: c_int = kcfaes_rc::KCFAES_ARGUMENTS_BAD as c_int;
const PARAMETER: c_int = kcfaes_rc::KCFAES_MECHANISM_PARAM_INVALID as c_int;
const DATA_LEN: c_int = kcfaes_rc::KCFAES_DATA_LEN_RANGE as c_int;
const ENCRYPTED_LEN: c_int = kcfaes_rc::KCFAES_ENCRYPTED_DATA_LEN_RANGE as c_int;
const TOO_SMALL: c_int = kcfaes_rc::KCFAES_BUFFER_TOO_SMALL as c_int;
const INVALID_MAC: c_int = kcfaes_rc::KCFAES_INVALID_MAC as c_int;
const NOT_BEGUN: c_int = kcfaes_rc::KCFAES_OPERATION_NOT_INITIALIZED as c_int;
const KEY_SIZE: c_int = kcfaes_rc::KCFAES_KEY_SIZE_RANGE as c_int;

/// Input or output, as a buffer or as pieces.
struct Bytes {
    iov: bool,
    at: *mut u8,
    len: usize,
    pieces: Vec<kcfaes_iovec>,
    /// The bytes before the piece whose pointer is NULL.
    missing: usize,
}

impl Bytes {
    fn new(iov: bool, mut pieces: Vec<(*mut u8, usize)>, damage: Option<u8>) -> Self {
        let mut missing = usize::MAX;
        if let Some(which) = damage {
            let place = usize::from(which) % pieces.len();
            if pieces[place].1 > 0 {
                missing = pieces[..place].iter().map(|piece| piece.1).sum();
            }
            pieces[place].0 = null_mut();
        }
        let (at, len) = pieces[0];
        let pieces =
            pieces.iter().map(|&(at, len)| kcfaes_iovec { base: at.cast(), len }).collect();
        Self { iov, at, len, pieces, missing }
    }

    fn src(&self) -> *const u8 {
        self.at
    }

    fn list(&self) -> (*const kcfaes_iovec, usize) {
        (self.pieces.as_ptr(), self.pieces.len())
    }

    /// The first `len` bytes, if there are as many.
    fn window(&self, len: usize) -> Option<Vec<Range>> {
        let mut left = len;
        let mut window = vec![];
        for piece in &self.pieces {
            let here = piece.len.min(left);
            if here > 0 {
                window.push((piece.base.expose_provenance(), here));
            }
            left -= here;
        }
        (left == 0).then_some(window)
    }

    fn total(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len).sum()
    }
}

/// The memory of one call: text, and 16 bytes for a tag.
struct Scene {
    src: Bytes,
    dst: Bytes,
    tag: Box<[u8]>,
    shadow: Shadow,
    _memories: [Memory; 2],
}

impl Scene {
    fn new(call: &Call, message: &[u8], whole: bool) -> Self {
        let (iov_in, iov_out) = match call.formats & 3 {
            // A function has lists on both sides or on neither side.
            0 => (false, false),
            _ => (true, true),
        };
        let place = call.place % 4;
        // Where the output is a buffer, a function in one call takes its length from the input.
        let room = if whole && !iov_out { message.len() } else { call.room(message.len()) };
        let (cut_in, cut_out) = if iov_in { (call.cut_in, call.cut_out) } else { (0, 0) };
        let shift = if place == 3 { usize::from(call.at_out) } else { 0 };
        let mut bytes = message.to_vec();
        if place != 0 {
            bytes.resize(bytes.len().max(shift + room), FILL);
        }
        // If input and output are apart, each piece is an allocation. Otherwise both are cut from one
        // allocation.
        let mut memory =
            Memory::new(&bytes, &lengths(bytes.len(), if place == 0 { cut_in } else { 0 }));
        let rooms = vec![FILL; if place == 0 { room } else { 0 }];
        let mut other = Memory::new(&rooms, &lengths(rooms.len(), cut_out));
        let shadow = Shadow::of(&[&memory, &other]);
        let cut = |memory: &mut Memory, from: usize, len: usize, cut: u32| {
            let (mut at, _) = memory.pieces(0)[0];
            at = at.wrapping_add(from);
            let piece = |n| {
                let here = at;
                at = at.wrapping_add(n);
                (here, n)
            };
            lengths(len, cut).into_iter().map(piece).collect::<Vec<_>>()
        };
        let (from, to) = match place {
            0 => (memory.pieces(0), other.pieces(0)),
            _ => {
                (cut(&mut memory, 0, message.len(), cut_in), cut(&mut memory, shift, room, cut_out))
            }
        };
        let damage = |kind: u8| (call.damage % 8 == kind).then_some(call.which);
        Self {
            src: Bytes::new(iov_in, from, damage(1)),
            dst: Bytes::new(iov_out, to, damage(2)),
            tag: vec![FILL; 16].into(),
            shadow,
            _memories: [memory, other],
        }
    }

    /// Where a call reads and writes `needed` bytes. What is wrong with that goes into `wrong`.
    fn pair(
        &self,
        needed: usize,
        wrong: &mut Vec<c_int>,
    ) -> Option<(Vec<Range>, Vec<Range>, Overlap)> {
        if self.src.missing < self.src.total() || self.dst.missing < needed {
            wrong.push(BAD);
        }
        let src = self.src.window(self.src.total()).expect("all of it");
        let Some(dst) = self.dst.window(needed) else {
            wrong.push(TOO_SMALL);
            return None;
        };
        let shared = overlap(&src, &dst);
        if shared == Overlap::Partial {
            wrong.push(BAD);
        }
        Some((src, dst, shared))
    }
}

/// A message in parts.
struct Model {
    message: Message,
    decrypts: bool,
    declared: usize,
    come: Vec<u8>,
    given: usize,
}

impl Model {
    fn sealed(&self, text: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let message = Message { text: text.to_vec(), ..self.message.clone() };
        let mut sealed = message.by_blocks();
        if let Some(other) = message.by_crates() {
            assert_eq!(sealed, other, "the two implementations differ");
        }
        let tag = sealed.split_off(sealed.len() - message.tag_len);
        (sealed, tag)
    }

    /// Whether an update writes every byte that it takes.
    fn gives_all(&self) -> bool {
        matches!(self.message.mode, Mode::Gcm | Mode::Ctr)
    }

    /// The output for a text, without a tag.
    fn transformed(&self, text: &[u8]) -> Vec<u8> {
        if self.decrypts {
            return self.message.open(text);
        }
        // The length of the tag does not matter for the text.
        let message = Message { text: text.to_vec(), tag_len: 16, ..self.message.clone() };
        let mut out = message.by_blocks();
        out.truncate(text.len());
        out
    }

    /// The tag of what has come so far.
    fn tag(&self) -> Vec<u8> {
        let open = self.decrypts && self.message.mode.is_aead();
        self.sealed(&if open { self.message.open(&self.come) } else { self.come.clone() }).1
    }
}

/// A key or a context, on the heap or in memory of ours.
struct Object<T> {
    at: *mut T,
    memory: Vec<u8>,
}

struct Session {
    head: Head,
    mode: Mode,
    decrypts: bool,
    key: Object<kcfaes_key>,
    ctx: Object<kcfaes_ctx>,
    message: Message,
    source: Vec<u8>,
    model: Option<Model>,
}

/// Whether the mode has tags of this length.
fn has_tag(mode: Mode, len: usize) -> bool {
    match mode {
        Mode::Ccm => len.is_multiple_of(2) && (4..=16).contains(&len),
        Mode::Cmac => (4..=16).contains(&len),
        Mode::Gcm | Mode::Gmac => [4, 8, 12, 13, 14, 15, 16].contains(&len),
        _ => len == 0,
    }
}

impl Session {
    fn run(head: Head, calls: &[Call]) {
        set_hold_bytes(1024 << (head.hold % 6));
        forbid_direct(head.hold & 0x80 != 0);
        let mode = head.mode().unwrap_or(Mode::Cbc);
        let (mut iv, aad, text) = head.draw();
        if matches!(mode, Mode::Cbc | Mode::Ctr) {
            iv.resize(16, 0x36);
        }
        let bytes = head.key();
        let aad = if mode.is_aead() { aad } else { vec![] };
        let tag_len = if mode.has_tag() { usize::from(head.tag_len) } else { 0 };
        let decrypts = head.way % 2 == 1;
        let message = Message {
            mode,
            key: bytes.clone(),
            iv,
            bits: 128,
            aad,
            tag_len,
            text: vec![],
            sealed: vec![],
        };
        // SAFETY: the memory lives longer than what is made in it.
        unsafe {
            let mut key = Object { at: null_mut(), memory: vec![0; kcfaes_key_size() + 64] };
            let (at, size) =
                (key.memory.as_mut_ptr().add(usize::from(head.template % 64)), kcfaes_key_size());
            let rv = match head.fault % 4 {
                0 => kcfaes_key_new(bytes.as_ptr(), bytes.len(), &mut key.at),
                1 => kcfaes_key_init(at.cast(), size, bytes.as_ptr(), bytes.len(), &mut key.at),
                2 => {
                    let rv = kcfaes_key_init(
                        at.cast(),
                        size - 1,
                        bytes.as_ptr(),
                        bytes.len(),
                        &mut key.at,
                    );
                    assert!(rv as c_int == TOO_SMALL || rv as c_int == KEY_SIZE);
                    kcfaes_key_init(at.cast(), size, bytes.as_ptr(), bytes.len(), &mut key.at)
                }
                _ => {
                    let rv = kcfaes_key_new(null(), bytes.len(), &mut key.at) as c_int;
                    let empty = bytes.is_empty() && rv == KEY_SIZE;
                    assert!(
                        rv == BAD
                            || rv == KEY_SIZE && (empty || ![16, 24, 32].contains(&bytes.len()))
                    );
                    kcfaes_key_new(bytes.as_ptr(), bytes.len(), &mut key.at)
                }
            };
            let sized = [16, 24, 32].contains(&bytes.len());
            assert_eq!(rv as c_int, if sized { OK } else { KEY_SIZE });
            if !sized {
                return;
            }
            let mut ctx = Object { at: null_mut(), memory: vec![0; kcfaes_ctx_size() + 64] };
            let at = ctx.memory.as_mut_ptr().add(usize::from(head.template / 4));
            let rv = match head.fault & 4 {
                0 => kcfaes_ctx_new(&mut ctx.at),
                _ => kcfaes_ctx_init(at.cast(), kcfaes_ctx_size(), &mut ctx.at),
            };
            assert_eq!(rv as c_int, OK);
            let mut session =
                Self { head, mode, decrypts, key, ctx, message, source: text, model: None };
            for call in calls {
                let tables = tables();
                let table = tables[usize::from(call.table) % tables.len()];
                assert_eq!(kcfaes_table_force(name(table).as_ptr()) as c_int, OK);
                session.call(call);
            }
            kcfaes_ctx_free(session.ctx.at);
            kcfaes_key_free(session.key.at);
        }
    }

    fn begin(&self) -> Model {
        let message = self.message.clone();
        let declared = match self.head.declared {
            0 => self.source.len(),
            n => self.source.len().saturating_add_signed(isize::from(n.cast_signed()) % 40),
        };
        Model { message, decrypts: self.decrypts, declared, come: vec![], given: 0 }
    }

    /// The errors for which the request itself is refused.
    fn parameters(&self, len: usize) -> Vec<c_int> {
        let Message { iv, tag_len, .. } = &self.message;
        let fits = |n: usize| n >= 8 || len >> (8 * n) == 0;
        let sound = match self.mode {
            Mode::Gcm | Mode::Gmac => !iv.is_empty(),
            Mode::Ccm => {
                (7..14).contains(&iv.len()) && fits(15 - iv.len()) && has_tag(self.mode, *tag_len)
            }
            _ => true,
        };
        if sound { vec![] } else { vec![PARAMETER] }
    }

    unsafe fn call(&mut self, call: &Call) {
        let done = self.model.as_ref().map_or(0, |model| model.come.len());
        let op = call.op % 8;
        let from = if op < 2 { 0 } else { done.min(self.source.len()) };
        let take = call.take(self.source.len() - from);
        let mut bytes = self.source[from..].to_vec();
        bytes.resize(take, 0x77);
        call.forge(&mut bytes);
        let mut scene = Scene::new(call, &bytes, op < 2);
        // SAFETY: all that the arguments name is alive.
        unsafe {
            match op {
                0 if self.mode == Mode::Ctr && call.op & 0x80 != 0 => self.ctr_at(call, &mut scene),
                0 => self.whole(call, &mut scene),
                1 if self.mode == Mode::Gcm => self.gcm_batch(call),
                1 => self.batch(call),
                2 => self.init(call),
                3 | 4 => self.update(call, &mut scene),
                5 | 6 => self.finish(call, &mut scene),
                _ if call.op & 0x20 != 0 => self.update_aad(call),
                _ if call.op & 0x40 != 0 => self.copy(call),
                _ => {
                    if call.op & 0x80 != 0 {
                        kcfaes_ctx_free(self.ctx.at);
                        assert_eq!(kcfaes_ctx_new(&mut self.ctx.at) as c_int, OK);
                    } else {
                        kcfaes_ctx_wipe(self.ctx.at);
                        let rv = kcfaes_final(self.ctx.at) as c_int;
                        assert!([BAD, NOT_BEGUN].contains(&rv), "an erased context: {rv}");
                        kcfaes_ctx_free(self.ctx.at);
                        assert_eq!(kcfaes_ctx_new(&mut self.ctx.at) as c_int, OK);
                    }
                    self.model = None;
                }
            }
        }
        scene.shadow.check();
    }

    /// The key, or NULL in its place.
    fn key(&self, call: &Call, wrong: &mut Vec<c_int>) -> *const kcfaes_key {
        if call.damage % 8 == 3 {
            wrong.push(BAD);
            return null();
        }
        self.key.at
    }

    unsafe fn whole(&mut self, call: &Call, scene: &mut Scene) {
        let mut wrong = vec![];
        let key = self.key(call, &mut wrong);
        let model = Model { declared: scene.src.total(), ..self.begin() };
        let (mode, decrypts) = (self.mode, self.decrypts);
        let len = scene.src.total();
        wrong.extend(self.parameters(len));
        if mode.has_tag() && !has_tag(mode, model.message.tag_len) {
            wrong.push(PARAMETER);
        }
        if matches!(mode, Mode::Ecb | Mode::Cbc) && !len.is_multiple_of(16) {
            wrong.push(if decrypts { ENCRYPTED_LEN } else { DATA_LEN });
        }
        let pair = if mode.is_mac() {
            if scene.src.missing < len {
                wrong.push(BAD);
            }
            scene.src.window(len).map(|src| (src, vec![], Overlap::None))
        } else {
            scene.pair(len, &mut wrong)
        };
        let Message { iv, aad, tag_len, .. } = model.message.clone();
        let mut next = iv.clone();
        let no_tag = mode.has_tag() && call.damage % 8 == 4;
        if no_tag {
            wrong.push(BAD);
        }
        // The answer, if nothing is wrong.
        let mut input = vec![];
        let (mut out, mut tag) = (vec![], vec![]);
        if let (Some((src, ..)), true) = (&pair, wrong.is_empty()) {
            input = scene.shadow.read(src);
            let text =
                if decrypts && !mode.is_mac() { model.message.open(&input) } else { input.clone() };
            (out, tag) = model.sealed(&text);
            if decrypts && !mode.is_mac() {
                out = text;
            }
        }
        let n = tag_len.min(16);
        let mut forged = false;
        if decrypts && wrong.is_empty() && mode.has_tag() {
            scene.tag[..n].copy_from_slice(&tag);
            if call.op & 0x40 != 0 {
                scene.tag[forged_byte(call, n)] ^= 1 << (call.op >> 3 & 7);
                forged = true;
            }
        }
        let before = scene.tag.clone();
        let at = if no_tag { null_mut() } else { scene.tag.as_mut_ptr() };
        let (iv_at, aad_at) = (iv.as_ptr(), if aad.is_empty() { null() } else { aad.as_ptr() });
        let (iv_len, aad_len) = (iv.len(), aad.len());
        let (src, dst) = (scene.src.src(), scene.dst.at);
        let ((src_list, src_count), (dst_list, dst_count)) = (scene.src.list(), scene.dst.list());
        let next_at = next.as_mut_ptr();
        // SAFETY: the arguments name memory that is alive, or they are wrong in a way that is refused.
        let rv = unsafe {
            match (mode, decrypts, scene.src.iov) {
                (Mode::Gcm, false, false) => {
                    kcfaes_gcm_seal(key, iv_at, iv_len, aad_at, aad_len, src, len, dst, at, tag_len)
                }
                (Mode::Gcm, true, false) => {
                    kcfaes_gcm_open(key, iv_at, iv_len, aad_at, aad_len, src, len, dst, at, tag_len)
                }
                (Mode::Gcm, false, true) => kcfaes_gcm_seal_iov(
                    key, iv_at, iv_len, aad_at, aad_len, src_list, src_count, dst_list, dst_count,
                    at, tag_len,
                ),
                (Mode::Gcm, true, true) => kcfaes_gcm_open_iov(
                    key, iv_at, iv_len, aad_at, aad_len, src_list, src_count, dst_list, dst_count,
                    at, tag_len,
                ),
                (Mode::Ccm, false, false) => {
                    kcfaes_ccm_seal(key, iv_at, iv_len, aad_at, aad_len, src, len, dst, at, tag_len)
                }
                (Mode::Ccm, true, false) => {
                    kcfaes_ccm_open(key, iv_at, iv_len, aad_at, aad_len, src, len, dst, at, tag_len)
                }
                (Mode::Ccm, false, true) => kcfaes_ccm_seal_iov(
                    key, iv_at, iv_len, aad_at, aad_len, src_list, src_count, dst_list, dst_count,
                    at, tag_len,
                ),
                (Mode::Ccm, true, true) => kcfaes_ccm_open_iov(
                    key, iv_at, iv_len, aad_at, aad_len, src_list, src_count, dst_list, dst_count,
                    at, tag_len,
                ),
                (Mode::Gmac, false, false) => {
                    kcfaes_gmac(key, iv_at, iv_len, src, len, at, tag_len)
                }
                (Mode::Gmac, true, false) => {
                    kcfaes_gmac_verify(key, iv_at, iv_len, src, len, at, tag_len)
                }
                (Mode::Gmac, false, true) => {
                    kcfaes_gmac_iov(key, iv_at, iv_len, src_list, src_count, at, tag_len)
                }
                (Mode::Gmac, true, true) => {
                    kcfaes_gmac_verify_iov(key, iv_at, iv_len, src_list, src_count, at, tag_len)
                }
                (Mode::Cmac, false, false) => kcfaes_cmac(key, src, len, at, tag_len),
                (Mode::Cmac, true, false) => kcfaes_cmac_verify(key, src, len, at, tag_len),
                (Mode::Cmac, false, true) => kcfaes_cmac_iov(key, src_list, src_count, at, tag_len),
                (Mode::Cmac, true, true) => {
                    kcfaes_cmac_verify_iov(key, src_list, src_count, at, tag_len)
                }
                (Mode::Ctr, _, false) => kcfaes_ctr(key, next_at, src, len, dst),
                (Mode::Ctr, _, true) => {
                    kcfaes_ctr_iov(key, next_at, src_list, src_count, dst_list, dst_count)
                }
                (Mode::Cbc, false, false) => kcfaes_cbc_encrypt(key, next_at, src, len, dst),
                (Mode::Cbc, true, false) => kcfaes_cbc_decrypt(key, next_at, src, len, dst),
                (Mode::Cbc, false, true) => {
                    kcfaes_cbc_encrypt_iov(key, next_at, src_list, src_count, dst_list, dst_count)
                }
                (Mode::Cbc, true, true) => {
                    kcfaes_cbc_decrypt_iov(key, next_at, src_list, src_count, dst_list, dst_count)
                }
                (Mode::Ecb, false, false) => kcfaes_ecb_encrypt(key, src, len, dst),
                (Mode::Ecb, true, false) => kcfaes_ecb_decrypt(key, src, len, dst),
                (Mode::Ecb, false, true) => {
                    kcfaes_ecb_encrypt_iov(key, src_list, src_count, dst_list, dst_count)
                }
                (Mode::Ecb, true, true) => {
                    kcfaes_ecb_decrypt_iov(key, src_list, src_count, dst_list, dst_count)
                }
            }
        } as c_int;
        if forged {
            wrong.push(INVALID_MAC);
        }
        answered(rv, &wrong);
        let mut tag_after = before;
        match (pair, rv) {
            (Some((_, dst, _)), OK) => {
                if !mode.is_mac() {
                    scene.shadow.write(&dst, &out);
                }
                if !decrypts {
                    tag_after[..n].copy_from_slice(&tag);
                }
                let counter = u128::from_be_bytes(iv.clone().try_into().unwrap_or_default());
                let want = match mode {
                    Mode::Ctr => {
                        counter.wrapping_add(len.div_ceil(16) as u128).to_be_bytes().to_vec()
                    }
                    Mode::Cbc if len > 0 => {
                        (if decrypts { &input } else { &out })[len - 16..].to_vec()
                    }
                    _ => iv,
                };
                assert_eq!(next, want, "the next IV");
            }
            // No plaintext is left: the bytes are ciphertext again, or zero.
            (Some((_, dst, Overlap::None)), INVALID_MAC) if !mode.is_mac() => {
                scene.shadow.write(&dst, &vec![0; len]);
            }
            _ => assert_eq!(next, iv, "the IV after {rv}"),
        }
        assert_eq!(scene.tag, tag_after, "the tag");
    }

    /// The part of a CTR text that begins at any byte, near or far.
    unsafe fn ctr_at(&mut self, call: &Call, scene: &mut Scene) {
        let mut wrong = vec![];
        let key = self.key(call, &mut wrong);
        let len = scene.src.total();
        let pair = scene.pair(len, &mut wrong);
        let far = u64::from(call.which).rotate_right(u32::from(call.fail));
        let offset = far.wrapping_add(call.at_in.into());
        let no_counter = call.damage % 8 == 4;
        if no_counter {
            wrong.push(BAD);
        }
        let iv = self.message.iv.clone();
        let at = if no_counter { null() } else { iv.as_ptr() };
        let ((from, n), (to, m)) = (scene.src.list(), scene.dst.list());
        // SAFETY: the arguments name memory that is alive, or they are wrong in a way that is refused.
        let rv = unsafe {
            if scene.src.iov {
                kcfaes_ctr_at_iov(key, at, offset, from, n, to, m)
            } else {
                kcfaes_ctr_at(key, at, offset, scene.src.src(), len, scene.dst.at)
            }
        } as c_int;
        answered(rv, &wrong);
        if let (Some((src, dst, _)), OK) = (pair, rv) {
            let first = u128::from_be_bytes(iv.try_into().expect("16 bytes"));
            let block = first.wrapping_add((offset / 16).into()).to_be_bytes();
            let mut model = self.begin();
            model.message.iv = block.to_vec();
            let mut text = vec![0; (offset % 16) as usize];
            text.extend(scene.shadow.read(&src));
            let out = model.transformed(&text);
            scene.shadow.write(&dst, &out[(offset % 16) as usize..]);
        }
    }

    /// The message goes on in a copy, or in the context that was copied. The other one gets another text.
    unsafe fn copy(&mut self, call: &Call) {
        let from = self.ctx.at;
        let mut copy = null_mut();
        let may = self.mode == Mode::Cmac
            || self.decrypts && matches!(self.mode, Mode::Gcm | Mode::Ccm | Mode::Cbc | Mode::Ecb);
        let wrong = match self.model {
            None => vec![NOT_BEGUN],
            Some(_) if !may => vec![BAD],
            Some(_) => vec![],
        };
        // SAFETY: live contexts, and buffers of those lengths.
        unsafe {
            assert_eq!(kcfaes_ctx_new(&mut copy) as c_int, OK);
            let rv = kcfaes_ctx_copy(copy, from) as c_int;
            answered(rv, &wrong);
            let (stays, other) =
                if rv == OK && call.which & 1 == 0 { (copy, from) } else { (from, copy) };
            let (text, mut out, mut written) = ([call.which; 37], [0; 64], 0);
            let update = if self.decrypts && self.mode.is_aead() {
                kcfaes_update_unverified
            } else {
                kcfaes_update
            };
            _ = update(other, text.as_ptr(), 37, out.as_mut_ptr(), 64, &mut written);
            kcfaes_ctx_free(other);
            self.ctx.at = stays;
        }
    }

    /// The messages of a batch: the first pieces of the text.
    fn texts(&self, call: &Call) -> Vec<Vec<u8>> {
        let mut rest = self.source.as_slice();
        let lengths = lengths(rest.len(), call.cut_in).into_iter().take(40);
        lengths.map(|len| rest.split_off(..len).expect("so many").to_vec()).collect()
    }

    /// GCM messages with one key. One may be forged, and one may have no output.
    unsafe fn gcm_batch(&mut self, call: &Call) {
        let (model, texts) = (self.begin(), self.texts(call));
        let mut wrong = self.parameters(0);
        let Message { iv, aad, tag_len, .. } = &model.message;
        if !has_tag(self.mode, *tag_len) {
            wrong.push(PARAMETER);
        }
        let in_place = call.place & 1 != 0;
        let chosen = usize::from(call.which) % texts.len();
        let forged = self.decrypts && call.op & 0x40 != 0;
        let missing = !forged && call.damage % 8 == 4 && !texts[chosen].is_empty();
        let mut messages: Vec<_> = texts
            .iter()
            .map(|text| {
                let (sealed, mut tag) =
                    if wrong.is_empty() { model.sealed(text) } else { (text.clone(), vec![]) };
                tag.resize(16, FILL);
                let (src, want) =
                    if self.decrypts { (sealed, text.clone()) } else { (text.clone(), sealed) };
                let given = if self.decrypts { tag.clone() } else { vec![FILL; 16] };
                (src, vec![FILL; text.len()], given, want, tag)
            })
            .collect();
        if forged {
            let bit = usize::from(call.op >> 3 & 7);
            messages[chosen].2[forged_byte(call, (*tag_len).clamp(1, 16))] ^= 1 << bit;
        }
        let sources: Vec<_> = messages.iter().map(|(src, ..)| src.clone()).collect();
        let mut jobs: Vec<_> = messages
            .iter_mut()
            .enumerate()
            .map(|(i, (src, out, tag, ..))| {
                let len = src.len();
                let from = src.as_mut_ptr();
                let to = if in_place { from } else { out.as_mut_ptr() };
                kcfaes_gcm_job {
                    iv: iv.as_ptr(),
                    iv_len: iv.len(),
                    aad: aad.as_ptr(),
                    aad_len: aad.len(),
                    src: from,
                    dst: if missing && i == chosen { null_mut() } else { to },
                    len,
                    tag: tag.as_mut_ptr(),
                    tag_len: *tag_len,
                    rc: kcfaes_rc::KCFAES_FAILED,
                }
            })
            .collect();
        // SAFETY: all that the jobs name is alive, or NULL, which is refused.
        let rv = unsafe {
            let (jobs, count) = (jobs.as_mut_ptr(), jobs.len());
            if self.decrypts {
                kcfaes_gcm_open_batch(self.key.at, jobs, count)
            } else {
                kcfaes_gcm_seal_batch(self.key.at, jobs, count)
            }
        } as c_int;
        let answers: Vec<_> = jobs.iter().map(|job| job.rc as c_int).collect();
        let first = answers.iter().find(|&&rc| rc != OK);
        assert_eq!(rv, first.copied().unwrap_or(OK), "the first failure");
        for (i, (src, out, given, want, tag)) in messages.iter().enumerate() {
            let len = want.len();
            let out = if in_place { src } else { out };
            let (rc, here) = (answers[i], i == chosen);
            if !wrong.is_empty() || here && missing {
                assert_eq!(rc, if wrong.is_empty() { BAD } else { PARAMETER }, "message {i}");
                assert_eq!(*out, if in_place { sources[i].clone() } else { vec![FILL; len] });
            } else if here && forged {
                assert_eq!(rc, INVALID_MAC, "message {i}");
                let sealed = if in_place { sources[i].clone() } else { vec![0; len] };
                assert_eq!(*out, sealed, "no plaintext");
            } else {
                assert_eq!((rc, out, given), (OK, want, tag), "message {i}");
            }
        }
    }

    /// CBC encryptions in parallel, one for each piece of the text.
    unsafe fn batch(&mut self, call: &Call) {
        let mut texts = self.texts(call);
        texts.iter_mut().for_each(|text| text.truncate(text.len() & !15));
        let iv = [call.which; 16];
        let model = |text: &[u8]| {
            let message = Message {
                mode: Mode::Cbc,
                iv: iv.to_vec(),
                tag_len: 0,
                text: text.to_vec(),
                ..self.message.clone()
            };
            message.by_blocks()
        };
        let want: Vec<_> = texts.iter().map(|text| model(text)).collect();
        let mut outs: Vec<Vec<u8>> = texts.iter().map(|text| vec![FILL; text.len()]).collect();
        let mut jobs: Vec<_> = texts
            .iter_mut()
            .zip(&mut outs)
            .map(|(text, out)| kcfaes_cbc_job {
                key: self.key.at,
                src: text.as_ptr(),
                dst: if call.place & 1 == 0 { out.as_mut_ptr() } else { text.as_mut_ptr() },
                len: text.len(),
                iv,
            })
            .collect();
        // SAFETY: all that the jobs name is alive.
        let rv = unsafe { kcfaes_cbc_encrypt_batch(jobs.as_mut_ptr(), jobs.len()) };
        assert_eq!(rv as c_int, OK);
        let last: Vec<_> = jobs.iter().map(|job| job.iv).collect();
        for (i, want) in want.iter().enumerate() {
            assert_eq!(if call.place & 1 == 0 { &outs[i] } else { &texts[i] }, want, "job {i}");
            let next = want.last_chunk().copied().unwrap_or(iv);
            assert_eq!(last[i], next, "the next IV of job {i}");
        }
    }

    unsafe fn init(&mut self, call: &Call) {
        let model = self.begin();
        let mut wrong = self.parameters(model.declared);
        let key = self.key(call, &mut wrong);
        let Message { iv, aad, tag_len, .. } = &model.message;
        let (iv_at, iv_len, aad_at, aad_len) = (iv.as_ptr(), iv.len(), aad.as_ptr(), aad.len());
        let (ctx, declared) = (self.ctx.at, model.declared as u64);
        // SAFETY: all that the arguments name is alive.
        let rv = unsafe {
            match (self.mode, self.decrypts) {
                (Mode::Gcm, false) => {
                    kcfaes_gcm_seal_init(ctx, key, iv_at, iv_len, aad_at, aad_len)
                }
                (Mode::Gcm, true) => kcfaes_gcm_open_init(ctx, key, iv_at, iv_len, aad_at, aad_len),
                (Mode::Ccm, false) => kcfaes_ccm_seal_init(
                    ctx, key, iv_at, iv_len, aad_at, aad_len, declared, *tag_len,
                ),
                (Mode::Ccm, true) => kcfaes_ccm_open_init(
                    ctx, key, iv_at, iv_len, aad_at, aad_len, declared, *tag_len,
                ),
                (Mode::Gmac, _) => kcfaes_gmac_init(ctx, key, iv_at, iv_len),
                (Mode::Cmac, _) => kcfaes_cmac_init(ctx, key),
                (Mode::Ctr, _) => kcfaes_ctr_init(ctx, key, iv_at),
                (Mode::Cbc, false) => kcfaes_cbc_encrypt_init(ctx, key, iv_at),
                (Mode::Cbc, true) => kcfaes_cbc_decrypt_init(ctx, key, iv_at),
                (Mode::Ecb, false) => kcfaes_ecb_encrypt_init(ctx, key),
                (Mode::Ecb, true) => kcfaes_ecb_decrypt_init(ctx, key),
            }
        } as c_int;
        answered(rv, &wrong);
        self.model = (rv == OK).then_some(model);
    }

    /// AAD in parts, which only GCM takes, and only before the text.
    unsafe fn update_aad(&mut self, call: &Call) {
        let mut aad = vec![call.which; call.take(100)];
        call.forge(&mut aad);
        for len in lengths(aad.len(), call.cut_in) {
            let part: Box<[u8]> = aad.drain(..len).collect();
            let at = if call.damage % 8 == 1 { null() } else { part.as_ptr() };
            // SAFETY: the part is alive, or NULL.
            let rv = unsafe { kcfaes_update_aad(self.ctx.at, at, len) } as c_int;
            let Some(model) = &mut self.model else {
                answered(rv, &[NOT_BEGUN]);
                continue;
            };
            let mut wrong = vec![];
            if self.mode != Mode::Gcm || !model.come.is_empty() || at.is_null() && len > 0 {
                wrong.push(BAD);
            }
            answered(rv, &wrong);
            if rv == OK {
                model.message.aad.extend(part);
            }
        }
    }

    unsafe fn update(&mut self, call: &Call, scene: &mut Scene) {
        if self.model.is_none() && call.op & 0x40 == 0 {
            // SAFETY: all that the arguments name is alive.
            unsafe { self.init(&Call::default()) };
        }
        let opens = self.decrypts && self.mode.is_aead();
        // Bit 0x80 calls the function of the other kind, which is refused.
        let unverified = opens != (call.op & 0x80 != 0);
        let mut written = 0x5555;
        let (src_list, src_count) = scene.src.list();
        let (dst_list, dst_count) = scene.dst.list();
        let (src, len, dst, room) =
            (scene.src.src(), scene.src.total(), scene.dst.at, scene.dst.len);
        // SAFETY: all that the arguments name is alive.
        let rv = unsafe {
            match (unverified, scene.src.iov) {
                (false, false) => kcfaes_update(self.ctx.at, src, len, dst, room, &mut written),
                (true, false) => {
                    kcfaes_update_unverified(self.ctx.at, src, len, dst, room, &mut written)
                }
                (false, true) => kcfaes_update_iov(
                    self.ctx.at,
                    src_list,
                    src_count,
                    dst_list,
                    dst_count,
                    &mut written,
                ),
                (true, true) => kcfaes_update_unverified_iov(
                    self.ctx.at,
                    src_list,
                    src_count,
                    dst_list,
                    dst_count,
                    &mut written,
                ),
            }
        } as c_int;
        let Some(model) = &mut self.model else {
            answered(rv, &[NOT_BEGUN]);
            assert_eq!(written, 0);
            return;
        };
        let mut wrong = vec![];
        if unverified != opens {
            wrong.push(BAD);
        }
        let waiting = model.come.len() - model.given;
        if self.mode == Mode::Ccm && model.come.len() + len > model.declared {
            wrong.push(if opens { ENCRYPTED_LEN } else { DATA_LEN });
        }
        let needed = match self.mode {
            Mode::Gmac | Mode::Cmac => 0,
            _ if model.gives_all() => len,
            _ => (waiting + len) & !15,
        };
        let pair = if self.mode.is_mac() {
            if scene.src.missing < len {
                wrong.push(BAD);
            }
            scene.src.window(len).map(|src| (src, vec![], Overlap::None))
        } else {
            scene.pair(needed, &mut wrong)
        };
        let blocks = !self.mode.is_mac() && !model.gives_all();
        let shared = pair.as_ref().is_some_and(|(.., shared)| *shared != Overlap::None);
        // If nothing is written to an output, the contract leaves open whether it is apart and sound.
        let open =
            needed == 0 && rv == DATA_LEN && scene.src.pieces.len() == scene.dst.pieces.len();
        if blocks && waiting > 0 && len > 0 && (shared || open && scene.src.iov) {
            wrong.push(DATA_LEN);
        }
        answered(rv, &wrong);
        let told = match rv {
            OK | TOO_SMALL => needed,
            _ => 0,
        };
        assert_eq!(written, told, "written");
        if let (Some((src, dst, _)), OK) = (pair, rv) {
            model.come.extend(scene.shadow.read(&src));
            if !self.mode.is_mac() {
                let all = model.given + needed;
                let out = model.transformed(&model.come[..all]);
                scene.shadow.write(&dst, &out[model.given..]);
                model.given = all;
            }
        }
    }

    unsafe fn finish(&mut self, call: &Call, scene: &mut Scene) {
        let ctx = self.ctx.at;
        let Some(model) = &self.model else {
            // SAFETY: a context.
            answered(unsafe { kcfaes_final(ctx) } as c_int, &[NOT_BEGUN]);
            return;
        };
        let (mode, opens) = (self.mode, self.decrypts);
        let waiting = model.come.len() - model.given;
        let mut wrong = vec![];
        if !mode.has_tag() {
            if mode != Mode::Ctr && waiting > 0 {
                wrong.push(if opens { ENCRYPTED_LEN } else { DATA_LEN });
            }
            // SAFETY: a context.
            let rv = unsafe { kcfaes_final(ctx) } as c_int;
            answered(rv, &wrong);
            if rv == OK {
                self.model = None;
            }
            return;
        }
        // SAFETY: a context.
        answered(unsafe { kcfaes_final(ctx) } as c_int, &[BAD]);
        // It may differ from the length at the beginning.
        let tag_len = if call.op & 0x20 == 0 { model.message.tag_len } else { call.which.into() };
        if !has_tag(mode, tag_len) || mode == Mode::Ccm && tag_len != model.message.tag_len {
            wrong.push(PARAMETER);
        }
        let no_tag = call.damage % 8 == 4;
        if no_tag {
            wrong.push(BAD);
        }
        if mode == Mode::Ccm && model.come.len() != model.declared {
            wrong.push(if opens { ENCRYPTED_LEN } else { DATA_LEN });
        }
        // The waiting bytes go to a buffer.
        let (at, room) = (scene.dst.at, scene.dst.len);
        let aead = mode.is_aead();
        if aead && room < waiting {
            wrong.push(TOO_SMALL);
        }
        if aead && at.is_null() && waiting > 0 {
            wrong.push(BAD);
        }
        let n = tag_len.min(16);
        let mut tag = vec![];
        let mut forged = false;
        if wrong.is_empty() {
            tag = Model {
                message: Message { tag_len, ..model.message.clone() },
                come: model.come.clone(),
                ..*model
            }
            .tag();
            if opens {
                scene.tag[..n].copy_from_slice(&tag);
                if call.op & 0x40 != 0 {
                    scene.tag[forged_byte(call, n)] ^= 1 << (call.place & 7);
                    forged = true;
                }
            }
        }
        let tag_at = if no_tag { null_mut() } else { scene.tag.as_mut_ptr() };
        let mut written = 0;
        let w = &mut written;
        // SAFETY: all that the arguments name is alive.
        let rv = unsafe {
            match (mode, opens) {
                (Mode::Gcm, false) => kcfaes_gcm_seal_final(ctx, at, room, w, tag_at, tag_len),
                (Mode::Gcm, true) => kcfaes_gcm_open_final(ctx, at, room, w, tag_at, tag_len),
                (Mode::Ccm, false) => kcfaes_ccm_seal_final(ctx, at, room, w, tag_at, tag_len),
                (Mode::Ccm, true) => kcfaes_ccm_open_final(ctx, at, room, w, tag_at, tag_len),
                (Mode::Gmac, false) => kcfaes_gmac_final(ctx, tag_at, tag_len),
                (Mode::Gmac, true) => kcfaes_gmac_verify_final(ctx, tag_at, tag_len),
                (_, false) => kcfaes_cmac_final(ctx, tag_at, tag_len),
                (_, true) => kcfaes_cmac_verify_final(ctx, tag_at, tag_len),
            }
        } as c_int;
        if forged {
            wrong.push(INVALID_MAC);
        }
        answered(rv, &wrong);
        let told = if aead && matches!(rv, OK | TOO_SMALL) { waiting } else { 0 };
        assert_eq!(written, told, "written");
        if rv == OK {
            if aead {
                let out = model.transformed(&model.come);
                let to = [(at.expose_provenance(), waiting)];
                scene.shadow.write(&to, &out[model.given..]);
            }
            if !opens {
                assert_eq!(scene.tag[..n], tag, "the tag");
            }
        }
        if rv == OK || rv == INVALID_MAC {
            self.model = None;
        }
    }
}

/// Which byte of a tag of `n` bytes is forged: often the last.
fn forged_byte(call: &Call, n: usize) -> usize {
    (n - 1).saturating_sub(usize::from(call.which) % (2 * n))
}

/// # Panics
/// Unless the answer is one of `wrong` or, if `wrong` is empty, success.
fn answered(rv: c_int, wrong: &[c_int]) {
    match wrong {
        [] => assert_eq!(rv, OK, "the answer"),
        _ => assert!(wrong.contains(&rv), "answer {rv}, not one of {wrong:?}"),
    }
}

fn name(table: TableId) -> &'static CStr {
    match table {
        TableId::Portable => c"portable",
        TableId::Aesni => c"aesni",
        TableId::Vaes256 => c"vaes256",
        TableId::Vaes512 => c"vaes512",
    }
}
