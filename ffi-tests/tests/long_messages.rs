// SPDX-License-Identifier: MIT OR Apache-2.0
//! AAD and IVs of gigabytes, and a text that is as long as GCM allows, through the ops vector and the
//! plain C API. One period of 2 MiB is mapped as often as needed, so the tests take no more memory than
//! that.
//!
//! Where only the hash is long, SP 800-38D's definition gives the answer here: a period multiplies the
//! hash by a power of H and adds a constant. OpenSSL and pycryptodome computed the others, and these too
//! (`vectors/convert.py long`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use aes::cipher::{BlockEncrypt, KeyInit};
use kcfaes_capi::api::kcfaes_rc::{self, KCFAES_DATA_LEN_RANGE, KCFAES_OK};
use kcfaes_capi::api::*;
use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::engine::TableId;
use kcfaes_provider::kcf::{
    CK_AES_GCM_PARAMS, CRYPTO_DATA_LEN_RANGE, CRYPTO_DATA_RAW, CRYPTO_SUCCESS, crypto_data_cdu_t,
    crypto_data_t, iovec_t,
};
use kcfaes_vectors::{Mode, Stream};

type Block = [u8; 16];

/// The forced table exists once in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes after which the data repeats.
const PERIOD: usize = 1 << 21;

/// The key, the first 16 bytes of the stream; what repeats follows it.
const SEED: u64 = 64;

/// The nonce where the IV is not what is long.
const NONCE: [u8; 12] = *b"twelve bytes";

/// 2^29, and more than 2^32 by a block and a byte.
const LENGTHS: [usize; 2] = [512 << 20, (4 << 30) + 17];

/// The most text that GCM allows.
const MOST: usize = (1 << 36) - 32;

/// Tags that OpenSSL and pycryptodome computed: of AAD as long as each of [`LENGTHS`] and no text; with
/// an IV as long, of 33 bytes of text; of the longest text.
const BY_LIBRARIES: [&str; 5] = [
    "b1d4502a8a3e87682a281cbf86b8d117",
    "ff49a013928f907cd1feffb63ab19154",
    "c8509bbc8afe5fe2f03bea3e8f95ce39",
    "b2f7e1c10b59eaad5ccbe0d30a44a959",
    "c158a4de78e94ab120cbaa9d1826df58",
];

/// The key and the period.
fn drawn() -> (Block, Vec<u8>) {
    let mut stream = Stream::new(SEED);
    (stream.draw(16).try_into().expect("16 bytes"), stream.draw(PERIOD))
}

/// The period, as often as `len` bytes need. Only to be read.
struct Repeated {
    at: *mut u8,
    mapped: usize,
}

impl Repeated {
    fn new(period: &[u8], len: usize) -> Self {
        let mapped = len.next_multiple_of(PERIOD);
        // SAFETY: a file of our own as long as the period, mapped over addresses that are reserved for it.
        unsafe {
            let file = libc::memfd_create(c"period".as_ptr(), 0);
            assert!(file >= 0);
            let written = libc::write(file, period.as_ptr().cast(), PERIOD);
            assert_eq!(written, PERIOD as isize);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let none = core::ptr::null_mut();
            let at = libc::mmap(none, mapped, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
            for offset in (0..mapped).step_by(PERIOD) {
                let flags = libc::MAP_SHARED | libc::MAP_FIXED;
                let place = at.cast::<u8>().add(offset).cast();
                let page = libc::mmap(place, PERIOD, libc::PROT_READ, flags, file, 0);
                assert_eq!(page, place);
            }
            libc::close(file);
            Self { at: at.cast(), mapped }
        }
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        // SAFETY: our mapping, which nobody uses any more.
        unsafe { libc::munmap(self.at.cast(), self.mapped) };
    }
}

fn encrypt(key: &Block, block: Block) -> Block {
    let mut block = block.into();
    aes::Aes128::new(key.into()).encrypt_block(&mut block);
    block.into()
}

fn xor(a: Block, b: Block) -> Block {
    (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
}

/// SP 800-38D, algorithm 1.
fn multiply(x: u128, mut v: u128) -> u128 {
    let mut z = 0;
    for i in (0..128).rev() {
        z ^= if x >> i & 1 == 1 { v } else { 0 };
        v = v >> 1 ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}

/// GHASH, not yet with the lengths, of the first `len` bytes of what repeats.
fn hash_of_repeated(h: u128, period: &[u8], len: usize) -> u128 {
    let absorb = |y: u128, bytes: &[u8]| {
        bytes.chunks(16).fold(y, |y, piece| {
            let mut block = [0; 16];
            block[..piece.len()].copy_from_slice(piece);
            multiply(y ^ u128::from_be_bytes(block), h)
        })
    };
    // H to the number of blocks in a period, a power of two.
    let power = (0..(PERIOD / 16).trailing_zeros()).fold(h, |power, _| multiply(power, power));
    let one = absorb(0, period);
    let all = (0..len / PERIOD).fold(0, |y, _| multiply(y, power) ^ one);
    absorb(all, &period[..len % PERIOD])
}

/// J0 of an IV, and the tag for a hash of AAD and text to which the lengths are still to be added.
struct Definition {
    key: Block,
    h: u128,
}

impl Definition {
    fn new(key: Block) -> Self {
        Self { key, h: u128::from_be_bytes(encrypt(&key, [0; 16])) }
    }

    fn nonce(&self) -> Block {
        let mut j0 = [0; 16];
        j0[..12].copy_from_slice(&NONCE);
        j0[15] = 1;
        j0
    }

    fn ends(&self, y: u128, (first, second): (usize, usize)) -> Block {
        let bits = (first as u128) << 67 | (second as u128) << 3;
        multiply(y ^ bits, self.h).to_be_bytes()
    }

    fn tag(&self, j0: Block, y: u128, lengths: (usize, usize)) -> Block {
        xor(self.ends(y, lengths), encrypt(&self.key, j0))
    }

    /// The keystream of a block of text.
    fn keystream(&self, j0: Block, block: usize) -> Block {
        let j0 = u128::from_be_bytes(j0);
        let low = (j0 as u32).wrapping_add(1).wrapping_add(block as u32);
        encrypt(&self.key, (j0 & !0xffff_ffff | u128::from(low)).to_be_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn raw(at: *mut u8, len: usize) -> crypto_data_t {
    crypto_data_t {
        cd_format: CRYPTO_DATA_RAW,
        cd_offset: 0,
        cd_length: len,
        cd_miscdata: core::ptr::null_mut(),
        cdu: crypto_data_cdu_t { cdu_raw: iovec_t { iov_base: at.cast(), iov_len: len } },
    }
}

fn new_key(key: &Block) -> *mut kcfaes_key {
    let mut made = core::ptr::null_mut();
    // SAFETY: 16 bytes.
    assert!(unsafe { kcfaes_key_new(key.as_ptr(), 16, &raw mut made) } == KCFAES_OK);
    made
}

/// A request whose IV and AAD are elsewhere.
fn request(key: &Block, iv: (*mut u8, usize), aad: (*mut u8, usize)) -> Request {
    let request = Request::new(Mode::Gcm, key, &NONCE, 0, &[0], 16);
    // SAFETY: the request has a parameter of GCM.
    let parameter = unsafe { &mut *request.mechanism.cm_param.cast::<CK_AES_GCM_PARAMS>() };
    (parameter.pIv, parameter.ulIvLen) = (iv.0, iv.1 as u64);
    (parameter.pAAD, parameter.ulAADLen) = (aad.0, aad.1 as u64);
    request
}

/// The tables to run a hash of `len` bytes with. The portable one takes minutes for gigabytes.
fn tables(len: usize) -> impl Iterator<Item = TableId> {
    let long = len > 1 << 30;
    kernel::tables().iter().copied().filter(move |&table| !long || table > TableId::Portable)
}

#[test]
#[ignore = "authenticates 60 GiB"]
fn aad_of_half_and_four_gib() {
    let _alone = alone();
    let (key, period) = drawn();
    let definition = Definition::new(key);
    for (index, len) in LENGTHS.into_iter().enumerate() {
        let aad = Repeated::new(&period, len);
        let y = hash_of_repeated(definition.h, &period, len);
        let want = definition.tag(definition.nonce(), y, (len, 0));
        assert_eq!(hex(&want), BY_LIBRARIES[index], "{len}: the definition and the libraries");
        for table in tables(len) {
            kernel::use_table(table);
            let name = format!("{len} bytes, {}", table.name());
            let mut nonce = NONCE;
            let mut request = request(&key, (nonce.as_mut_ptr(), 12), (aad.at, len));
            let mut none = Buffer::new(Format::Raw, &[], &[]);
            let mut tag = Buffer::room(Format::Raw, 16, &[]);
            let mut to = tag.data(0, 16);
            let rv = request.atomic(Way::Encrypt, None, &mut none.data(0, 0), Some(&mut to));
            assert_eq!((rv, hex(&tag.bytes())), (CRYPTO_SUCCESS, hex(&want)), "{name}");
            let mut from = tag.data(0, 16);
            let rv = request.atomic(Way::Decrypt, None, &mut from, Some(&mut none.data(0, 0)));
            assert_eq!(rv, CRYPTO_SUCCESS, "{name}");

            // The same bytes as the data of a GMAC.
            let mut request = Request::new(Mode::Gmac, &key, &NONCE, 0, &[], 16);
            let mut tag = Buffer::room(Format::Raw, 16, &[]);
            let mut to = tag.data(0, 16);
            let rv = request.atomic(Way::Mac, None, &mut raw(aad.at, len), Some(&mut to));
            assert_eq!((rv, hex(&tag.bytes())), (CRYPTO_SUCCESS, hex(&want)), "{name}: GMAC");

            // The plain C API: at once, and 17 bytes before the rest.
            let (key, mut ctx, mut tag) = (new_key(&key), core::ptr::null_mut(), [0; 16]);
            let (none, mut written) = (core::ptr::null_mut(), 0);
            // SAFETY: a live key, and as many bytes as stated.
            unsafe {
                let (iv, at) = (NONCE.as_ptr(), tag.as_mut_ptr());
                let rc = kcfaes_gcm_seal(key, iv, 12, aad.at, len, none, 0, none, at, 16);
                assert!(rc == KCFAES_OK && tag == want, "{name}: libkcfaes");
                assert!(kcfaes_ctx_new(&raw mut ctx) == KCFAES_OK);
                assert!(kcfaes_gcm_open_init(ctx, key, iv, 12, aad.at, 17) == KCFAES_OK);
                assert!(kcfaes_update_aad(ctx, aad.at.add(17), len - 17) == KCFAES_OK);
                let rc = kcfaes_gcm_open_final(ctx, none, 0, &raw mut written, at, 16);
                assert!(rc == KCFAES_OK, "{name}: libkcfaes, in parts");
                kcfaes_ctx_free(ctx);
                kcfaes_key_free(key);
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

#[test]
#[ignore = "hashes 40 GiB"]
fn iv_of_half_and_four_gib() {
    const TEXT: usize = 33;
    let _alone = alone();
    let (key, period) = drawn();
    let definition = Definition::new(key);
    for (index, len) in LENGTHS.into_iter().enumerate() {
        let iv = Repeated::new(&period, len);
        let j0 = definition.ends(hash_of_repeated(definition.h, &period, len), (0, len));
        let text = &period[..TEXT];
        let keystream: Vec<_> = (0..3).flat_map(|i| definition.keystream(j0, i)).collect();
        let mut want: Vec<_> = text.iter().zip(keystream).map(|(a, b)| a ^ b).collect();
        let y = hash_of_repeated(definition.h, &[&want[..], &period[TEXT..]].concat(), TEXT);
        want.extend(definition.tag(j0, y, (0, TEXT)));
        assert_eq!(hex(&want[TEXT..]), BY_LIBRARIES[2 + index], "{len}: the libraries");
        for table in tables(len) {
            kernel::use_table(table);
            let name = format!("{len} bytes, {}", table.name());
            let mut request = request(&key, (iv.at, len), (core::ptr::null_mut(), 0));
            let mut src = Buffer::new(Format::Raw, text, &[]);
            let mut dst = Buffer::room(Format::Raw, TEXT + 16, &[]);
            let mut to = dst.data(0, TEXT + 16);
            let rv = request.atomic(Way::Encrypt, None, &mut src.data(0, TEXT), Some(&mut to));
            assert_eq!((rv, hex(&dst.bytes())), (CRYPTO_SUCCESS, hex(&want)), "{name}");
            let mut message = request.init(Way::Decrypt, None).expect("init");
            let mut back = Buffer::room(Format::Raw, TEXT, &[]);
            let mut from = dst.data(0, TEXT + 16);
            let rv = message.single(&mut from, Some(&mut back.data(0, TEXT)));
            assert_eq!((rv, back.bytes().as_slice()), (CRYPTO_SUCCESS, text), "{name}");

            let (key, mut tag, mut out) = (new_key(&key), [0; 16], [0; TEXT]);
            // SAFETY: a live key, and as many bytes as stated.
            unsafe {
                let none = core::ptr::null();
                let (from, to) = (text.as_ptr(), out.as_mut_ptr());
                let at = tag.as_mut_ptr();
                let rc = kcfaes_gcm_seal(key, iv.at, len, none, 0, from, TEXT, to, at, 16);
                assert!(rc == KCFAES_OK, "{name}: libkcfaes");
                kcfaes_key_free(key);
            }
            assert_eq!(hex(&[&out[..], &tag].concat()), hex(&want), "{name}: libkcfaes");
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// Lengths of parts that add up to [`MOST`]: periods, and now and then one cut inside a block.
fn parts() -> impl Iterator<Item = usize> {
    let mut left = MOST;
    let mut turn = 0;
    core::iter::from_fn(move || {
        turn += 1;
        // Three parts that make a period: the data stays in step with the period.
        let part = match turn % 64 {
            1 => 1,
            2 => PERIOD / 2 + 6,
            3 => PERIOD / 2 - 7,
            _ => PERIOD,
        };
        let part = part.min(left);
        left -= part;
        (part > 0).then_some(part)
    })
}

/// Samples of what came out of a part: its first and last full blocks, and some between.
fn check_part(definition: &Definition, period: &[u8], out: &[u8], taken: usize) {
    let end = taken + out.len();
    let (first, last) = (taken.div_ceil(16), end / 16);
    if first >= last {
        return;
    }
    for i in 0..8 {
        let block = first + (last - 1 - first) * i / 7;
        let keystream = definition.keystream(definition.nonce(), block);
        let from = 16 * block % PERIOD;
        let text: Block = period[from..from + 16].try_into().expect("a block");
        let got = &out[16 * block - taken..][..16];
        assert_eq!(got, xor(text, keystream), "block {block}");
    }
}

/// What takes a text in parts.
trait Parts {
    /// Takes bytes of the period; returns what came out, or false where they are too many.
    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool;
    /// Takes the tag that was computed, or verifies the expected one.
    fn tag(&mut self, want: &Block) -> bool;
}

/// A message of the module's. A decryption holds back the last 16 bytes and a partial block: the output
/// comes up to 31 bytes late.
struct OfModule {
    message: kcfaes_ffi_tests::consumer::Message,
    way: Way,
}

impl Parts for OfModule {
    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool {
        output.resize(input.len() + 32, 0);
        let mut from = raw(input.as_ptr().cast_mut(), input.len());
        let mut to = raw(output.as_mut_ptr(), output.len());
        let rv = self.message.update(&mut from, Out::Other(&mut to));
        output.truncate(if rv == CRYPTO_SUCCESS { to.cd_length } else { 0 });
        assert!(rv == CRYPTO_SUCCESS || rv == CRYPTO_DATA_LEN_RANGE, "{rv:#x}");
        rv == CRYPTO_SUCCESS
    }

    fn tag(&mut self, want: &Block) -> bool {
        let mut end = Buffer::room(Format::Raw, 64, &[]);
        if self.way == Way::Decrypt {
            let mut tag = Buffer::new(Format::Raw, want, &[]);
            let mut to = end.data(0, 64);
            let rv = self.message.update(&mut tag.data(0, 16), Out::Other(&mut to));
            assert_eq!(rv, CRYPTO_SUCCESS);
        }
        let mut to = end.data(0, 64);
        let rv = self.message.finish(Some(&mut to));
        rv == CRYPTO_SUCCESS
            && (self.way == Way::Decrypt || end.bytes()[..to.cd_length].ends_with(want))
    }
}

/// A message of libkcfaes'.
struct OfLibrary {
    ctx: *mut kcfaes_ctx,
    way: Way,
}

impl Parts for OfLibrary {
    fn update(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool {
        output.resize(input.len(), 0);
        let (len, mut written) = (input.len(), 0);
        let update =
            if self.way == Way::Encrypt { kcfaes_update } else { kcfaes_update_unverified };
        let (from, to) = (input.as_ptr(), output.as_mut_ptr());
        // SAFETY: a live context, and as many bytes as stated.
        let rc: kcfaes_rc = unsafe { update(self.ctx, from, len, to, len, &raw mut written) };
        output.truncate(written);
        assert!(rc == KCFAES_OK || rc == KCFAES_DATA_LEN_RANGE);
        rc == KCFAES_OK
    }

    fn tag(&mut self, want: &Block) -> bool {
        let (mut tag, mut written) = (*want, 0);
        let (none, at) = (core::ptr::null_mut(), tag.as_mut_ptr());
        // SAFETY: as above.
        unsafe {
            let rc = if self.way == Way::Encrypt {
                tag = [0; 16];
                kcfaes_gcm_seal_final(self.ctx, none, 0, &raw mut written, at, 16)
            } else {
                kcfaes_gcm_open_final(self.ctx, none, 0, &raw mut written, at, 16)
            };
            kcfaes_ctx_free(self.ctx);
            rc == KCFAES_OK && tag == *want
        }
    }
}

/// The text up to the limit, and one byte more, which is refused and changes nothing.
fn to_the_limit(definition: &Definition, period: &[u8], mut message: impl Parts, want: &Block) {
    let mut output = Vec::with_capacity(PERIOD + 32);
    let (mut taken, mut given) = (0, 0);
    for part in parts() {
        let from = taken % PERIOD;
        assert!(message.update(&period[from..from + part], &mut output), "behind {taken}");
        check_part(definition, period, &output, given);
        taken += part;
        given += output.len();
        assert!(given <= taken && taken - given < 32, "{given} of {taken}");
    }
    assert_eq!(taken, MOST);
    // In a decryption of the module's the last 16 bytes are still to come: the tag. So one byte beyond is
    // 17.
    let beyond = if given < taken && taken - given >= 16 { 17 } else { 1 };
    assert!(!message.update(&period[..beyond], &mut output), "one byte beyond");
    assert!(message.tag(want), "the tag");
}

#[test]
#[ignore = "two encryptions and two decryptions of 64 GiB"]
fn text_to_the_limit_and_one_byte_beyond() {
    let _alone = alone();
    let (key, period) = drawn();
    let definition = Definition::new(key);
    kernel::use_table(*kernel::tables().last().expect("a table"));
    let library = |way: Way| {
        let (made, mut ctx) = (new_key(&key), core::ptr::null_mut());
        // SAFETY: a live key, which stays; 12 bytes.
        unsafe {
            assert!(kcfaes_ctx_new(&raw mut ctx) == KCFAES_OK);
            let init =
                if way == Way::Encrypt { kcfaes_gcm_seal_init } else { kcfaes_gcm_open_init };
            assert!(init(ctx, made, NONCE.as_ptr(), 12, core::ptr::null(), 0) == KCFAES_OK);
        }
        OfLibrary { ctx, way }
    };
    let module = |way: Way| {
        let mut request = Request::new(Mode::Gcm, &key, &NONCE, 0, &[], 16);
        OfModule { message: request.init(way, None).expect("init"), way }
    };
    let sealed: Vec<u8> = (0..16)
        .map(|i| u8::from_str_radix(&BY_LIBRARIES[4][2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    let sealed: Block = sealed.try_into().expect("16 bytes");
    // The other way round, what repeats is the ciphertext.
    let y = hash_of_repeated(definition.h, &period, MOST);
    let opened = definition.tag(definition.nonce(), y, (0, MOST));
    to_the_limit(&definition, &period, library(Way::Encrypt), &sealed);
    to_the_limit(&definition, &period, library(Way::Decrypt), &opened);
    to_the_limit(&definition, &period, module(Way::Encrypt), &sealed);
    to_the_limit(&definition, &period, module(Way::Decrypt), &opened);
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
