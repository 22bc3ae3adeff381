// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ops vector below this crate: each mechanism over each format of list, in every way to call, in so few bytes
//! that Miri checks every access. Each piece is an allocation of its own. `ffi-tests` has the many cases.

use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use kcfaes::{Key, Piece, PieceMut, Text};
use kcfaes_capi::spi::*;
use kcfaes_provider::engine::{TableId, force, set_hold_bytes, set_light_bytes};
use kcfaes_provider::env;
use kcfaes_provider::kcf::*;

const KEY: [u8; 16] = *b"a key of AES-128";
const IV: [u8; 16] = [0xf7; 16];
const AAD: [u8; 5] = *b"extra";
const FILL: u8 = 0x5c;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Raw,
    Uio,
    Mblk,
}

use Format::{Mblk, Raw, Uio};

/// Bytes in pieces of their own.
struct List {
    format: Format,
    pieces: Vec<Vec<u8>>,
    iov: Vec<iovec_t>,
    blocks: Vec<mblk_t>,
    uio: Vec<uio_t>,
}

impl List {
    /// Cut at these places, if the format has pieces.
    fn new(format: Format, bytes: &[u8], cuts: &[usize]) -> Self {
        let cuts = if format == Raw { &[] } else { cuts };
        let ends = cuts.iter().map(|&cut| cut.min(bytes.len())).chain([bytes.len()]);
        let mut at = 0;
        let mut pieces: Vec<Vec<u8>> =
            ends.map(|end| bytes[core::mem::replace(&mut at, end)..end].to_vec()).collect();
        // So that an allocation ends where its piece does.
        pieces.iter_mut().for_each(Vec::shrink_to_fit);
        let iov = (pieces.iter_mut())
            .map(|piece| iovec_t { iov_base: piece.as_mut_ptr().cast(), iov_len: piece.len() })
            .collect();
        Self { pieces, ..Self::over(format, iov) }
    }

    /// Of pieces in memory of somebody else.
    fn over(format: Format, iov: Vec<iovec_t>) -> Self {
        let block = |piece: &iovec_t| mblk_t {
            b_next: null_mut(),
            b_prev: null_mut(),
            b_cont: null_mut(),
            b_rptr: piece.iov_base.cast(),
            b_wptr: piece.iov_base.cast::<u8>().wrapping_add(piece.iov_len),
            b_datap: null_mut(),
            b_band: 0,
            b_tag: 0,
            b_flag: 0,
            b_queue: null_mut(),
        };
        let mut blocks: Vec<_> = iov.iter().map(block).collect();
        let first = blocks.as_mut_ptr();
        for i in 1..iov.len() {
            // SAFETY: both are within the vector.
            unsafe { (*first.add(i - 1)).b_cont = first.add(i) };
        }
        Self { format, pieces: Vec::new(), iov, blocks, uio: Vec::with_capacity(1) }
    }

    fn data(&mut self, cd_offset: usize, cd_length: usize) -> crypto_data_t {
        let (cd_format, cdu) = match self.format {
            Raw => (CRYPTO_DATA_RAW, crypto_data_cdu_t { cdu_raw: self.iov[0] }),
            Uio => {
                self.uio.clear();
                self.uio.push(uio_t {
                    uio_iov: self.iov.as_mut_ptr(),
                    uio_iovcnt: self.iov.len() as c_int,
                    _uio_offset: 0,
                    uio_segflg: UIO_SYSSPACE,
                    uio_fmode: 0,
                    uio_extflg: 0,
                    _uio_limit: 0,
                    uio_resid: cd_length as isize,
                });
                (CRYPTO_DATA_UIO, crypto_data_cdu_t { cdu_uio: self.uio.as_mut_ptr() })
            }
            Mblk => (CRYPTO_DATA_MBLK, crypto_data_cdu_t { cdu_mp: self.blocks.as_mut_ptr() }),
        };
        let cd_offset = cd_offset as i64;
        crypto_data_t { cd_format, cd_offset, cd_length, cd_miscdata: null_mut(), cdu }
    }

    fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Encrypt,
    Decrypt,
    Mac,
}

use Way::{Decrypt, Encrypt, Mac};

/// A mechanism, its parameter, and what KCF keeps for its calls.
struct Task {
    mechanism: crypto_mechanism_t,
    key: crypto_key_t,
    template: *mut c_void,
    context: crypto_ctx_t,
    way: Way,
}

/// Parameters, in memory that nobody moves.
struct Parameters {
    iv: Vec<u8>,
    _aad: Vec<u8>,
    key: Vec<u8>,
    ctr: Vec<CK_AES_CTR_PARAMS>,
    ccm: Vec<CK_AES_CCM_PARAMS>,
    gcm: Vec<CK_AES_GCM_PARAMS>,
    gmac: Vec<CK_AES_GMAC_PARAMS>,
}

impl Parameters {
    fn new() -> Self {
        let (mut iv, mut aad) = (IV.to_vec(), AAD.to_vec());
        let (at, extra) = (iv.as_mut_ptr(), aad.as_mut_ptr());
        Self {
            ctr: vec![CK_AES_CTR_PARAMS { ulCounterBits: 32, cb: IV }],
            ccm: vec![CK_AES_CCM_PARAMS {
                ulMACSize: 16,
                ulNonceSize: 12,
                ulAuthDataSize: 5,
                ulDataSize: 0,
                nonce: at,
                authData: extra,
            }],
            gcm: vec![CK_AES_GCM_PARAMS {
                pIv: at,
                ulIvLen: 12,
                ulIvBits: 0,
                pAAD: extra,
                ulAADLen: 5,
                ulTagBits: 128,
            }],
            gmac: vec![CK_AES_GMAC_PARAMS { pIv: at, pAAD: extra, ulAADLen: 5 }],
            key: KEY.to_vec(),
            iv,
            _aad: aad,
        }
    }

    fn task(&mut self, cm_type: crypto_mech_type_t, way: Way, len: usize) -> Task {
        self.ccm[0].ulDataSize = len as u64;
        let (cm_param, cm_param_len) = match cm_type {
            AES_CBC_MECH_INFO_TYPE => (self.iv.as_mut_ptr().cast(), 16),
            AES_CTR_MECH_INFO_TYPE => (self.ctr.as_mut_ptr().cast(), size_of_val(&self.ctr[0])),
            AES_CCM_MECH_INFO_TYPE => (self.ccm.as_mut_ptr().cast(), size_of_val(&self.ccm[0])),
            AES_GCM_MECH_INFO_TYPE => (self.gcm.as_mut_ptr().cast(), size_of_val(&self.gcm[0])),
            AES_GMAC_MECH_INFO_TYPE => (self.gmac.as_mut_ptr().cast(), size_of_val(&self.gmac[0])),
            _ => (null_mut(), 0),
        };
        let cku_key_value = crypto_key_value_t {
            cku_v_length: 8 * self.key.len() as u32,
            cku_v_data: self.key.as_mut_ptr().cast(),
        };
        let cku_data = crypto_key_data_t { cku_key_value };
        Task {
            mechanism: crypto_mechanism_t { cm_type, cm_param, cm_param_len },
            key: crypto_key_t { ck_format: CRYPTO_KEY_RAW, cku_data },
            template: null_mut(),
            context: crypto_ctx_t {
                cc_provider: null_mut(),
                cc_session: 0,
                cc_provider_private: null_mut(),
                cc_framework_private: null_mut(),
                cc_flags: 0,
                cc_opstate: null_mut(),
            },
            way,
        }
    }
}

/// A template of [`KEY`], which is freed as KCF frees it.
struct Template {
    at: *mut c_void,
    size: usize,
}

// SAFETY: a template is only read.
unsafe impl Sync for Template {}

impl Template {
    fn new() -> Self {
        let mut parameters = Parameters::new();
        let mut task = parameters.task(AES_ECB_MECH_INFO_TYPE, Encrypt, 0);
        let (mut at, mut size) = (null_mut(), 0);
        // SAFETY: live structs.
        let rv = unsafe {
            let (mechanism, key) = (&raw mut task.mechanism, &raw mut task.key);
            let none = null_mut();
            kcfaes_spi_create_ctx_template(none, mechanism, key, &raw mut at, &raw mut size, none)
        };
        assert_eq!(rv, CRYPTO_SUCCESS);
        Self { at, size }
    }

    fn of(&self, task: Task) -> Task {
        Task { template: self.at, ..task }
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // SAFETY: it came from the environment with this size, and no context is left.
        unsafe { env::free(NonNull::new(self.at.cast()).expect("a template"), self.size) };
    }
}

// SAFETY, of all calls below: the structs live, and nobody else uses them meanwhile.
impl Task {
    fn atomic(&mut self, input: &mut crypto_data_t, output: *mut crypto_data_t) -> c_int {
        let (none, input) = (null_mut(), core::ptr::from_mut(input));
        let (mechanism, key, template) =
            (&raw mut self.mechanism, &raw mut self.key, self.template);
        let call = match self.way {
            Encrypt => kcfaes_spi_encrypt_atomic,
            Decrypt => kcfaes_spi_decrypt_atomic,
            Mac => kcfaes_spi_mac_atomic,
        };
        // SAFETY: as said above.
        unsafe { call(none, 0, mechanism, key, input, output, template, none) }
    }

    fn verify(&mut self, input: &mut crypto_data_t, mac: &mut crypto_data_t) -> c_int {
        let (none, input, mac) = (null_mut(), core::ptr::from_mut(input), core::ptr::from_mut(mac));
        let (mechanism, key, template) =
            (&raw mut self.mechanism, &raw mut self.key, self.template);
        // SAFETY: as said above.
        unsafe { kcfaes_spi_mac_verify_atomic(none, 0, mechanism, key, input, mac, template, none) }
    }

    fn init(&mut self) -> c_int {
        let call = match self.way {
            Encrypt => kcfaes_spi_encrypt_init,
            Decrypt => kcfaes_spi_decrypt_init,
            Mac => kcfaes_spi_mac_init,
        };
        let (mechanism, key) = (&raw mut self.mechanism, &raw mut self.key);
        // SAFETY: as said above.
        unsafe { call(&raw mut self.context, mechanism, key, self.template, null_mut()) }
    }

    fn single(&mut self, input: &mut crypto_data_t, output: *mut crypto_data_t) -> c_int {
        let call = match self.way {
            Encrypt => kcfaes_spi_encrypt,
            Decrypt => kcfaes_spi_decrypt,
            Mac => kcfaes_spi_mac,
        };
        // SAFETY: as said above.
        unsafe { call(&raw mut self.context, input, output, null_mut()) }
    }

    fn update(&mut self, input: &mut crypto_data_t, output: *mut crypto_data_t) -> c_int {
        let (context, none) = (&raw mut self.context, null_mut());
        // SAFETY: as said above.
        unsafe {
            match self.way {
                Encrypt => kcfaes_spi_encrypt_update(context, input, output, none),
                Decrypt => kcfaes_spi_decrypt_update(context, input, output, none),
                Mac => kcfaes_spi_mac_update(context, input, none),
            }
        }
    }

    fn finish(&mut self, output: &mut crypto_data_t) -> c_int {
        let call = match self.way {
            Encrypt => kcfaes_spi_encrypt_final,
            Decrypt => kcfaes_spi_decrypt_final,
            Mac => kcfaes_spi_mac_final,
        };
        // SAFETY: as said above.
        unsafe { call(&raw mut self.context, output, null_mut()) }
    }

    fn free(&mut self) {
        // SAFETY: as said above.
        assert_eq!(unsafe { kcfaes_spi_free_context(&raw mut self.context) }, CRYPTO_SUCCESS);
    }
}

/// A text, and what the crate's own types make of it: the ciphertext with its tag, or the MAC alone.
fn sealed(mechanism: crypto_mech_type_t) -> (Vec<u8>, Vec<u8>) {
    let key = Key::new(&KEY).expect("a key");
    let blocks = [AES_ECB_MECH_INFO_TYPE, AES_CBC_MECH_INFO_TYPE].contains(&mechanism);
    let text: Vec<u8> = (0..if blocks { 64 } else { 63 }).collect();
    let (mut out, mut tag, mut iv) = (text.clone(), [0; 16], IV);
    let (nonce, place) = (&IV[..12], out.as_mut_slice());
    match mechanism {
        AES_ECB_MECH_INFO_TYPE => key.ecb_encrypt(place),
        AES_CBC_MECH_INFO_TYPE => key.cbc_encrypt(&mut iv, place),
        AES_CTR_MECH_INFO_TYPE => key.ctr(&mut iv, place),
        AES_CCM_MECH_INFO_TYPE => key.ccm_seal(nonce, &AAD, place, &mut tag),
        AES_GCM_MECH_INFO_TYPE => key.gcm_seal(nonce, &AAD, place, &mut tag),
        AES_GMAC_MECH_INFO_TYPE => {
            key.gmac(nonce, [&AAD, text.as_slice()].concat().as_slice(), &mut tag)
        }
        _ => key.cmac(text.as_slice(), &mut tag),
    }
    .expect("a valid call");
    match mechanism {
        AES_CCM_MECH_INFO_TYPE | AES_GCM_MECH_INFO_TYPE => out.extend(tag),
        AES_GMAC_MECH_INFO_TYPE | AES_CMAC_MECH_INFO_TYPE => out = tag.to_vec(),
        _ => {}
    }
    (text, out)
}

/// An mblk list has a byte after its data, because it has no place behind its last byte.
fn padded(format: Format, bytes: &[u8]) -> Vec<u8> {
    [bytes, if format == Mblk { &[FILL] } else { &[] }].concat()
}

/// Encrypts and decrypts in one call and in parts, apart and in place. The lists' cuts are in a block and between two,
/// and one piece is empty.
fn cipher(mechanism: crypto_mech_type_t) {
    let (text, out) = sealed(mechanism);
    let template = Template::new();
    for (i, (way, from, to)) in
        [(Encrypt, &text, &out), (Decrypt, &out, &text)].into_iter().enumerate()
    {
        for (j, (format, other)) in [(Raw, Mblk), (Uio, Raw), (Mblk, Uio)].into_iter().enumerate() {
            let parameters = &mut Parameters::new();
            let mut input = List::new(format, &padded(format, from), &[7, 7, 32, 33]);
            let mut output = List::new(other, &padded(other, &vec![FILL; to.len()]), &[5, 16, 40]);
            // Once without a template.
            let task = parameters.task(mechanism, way, from.len());
            let mut task = if i + j > 0 { template.of(task) } else { task };
            let mut src = input.data(0, from.len());
            if (i + j) % 2 == 0 {
                let mut short = output.data(0, to.len() - 1);
                assert_eq!(task.atomic(&mut src, &raw mut short), CRYPTO_BUFFER_TOO_SMALL);
                assert_eq!(short.cd_length, to.len());
                let mut dst = output.data(0, to.len());
                assert_eq!(task.atomic(&mut src, &raw mut dst), CRYPTO_SUCCESS, "{format:?}");
                assert_eq!(dst.cd_length, to.len());
            } else {
                assert_eq!(task.init(), CRYPTO_SUCCESS);
                let mut done = 0;
                for (at, n) in [(0, 20), (20, from.len() - 20)] {
                    let mut dst = output.data(done, to.len() - done);
                    let mut src = input.data(at, n);
                    assert_eq!(task.update(&mut src, &raw mut dst), CRYPTO_SUCCESS, "{format:?}");
                    done += dst.cd_length;
                }
                let mut dst = output.data(done, to.len() - done);
                assert_eq!(task.finish(&mut dst), CRYPTO_SUCCESS, "{format:?}");
                assert_eq!(done + dst.cd_length, to.len());
                task.free();
            }
            assert_eq!(output.bytes(), padded(other, to), "{way:?} {format:?}");
            assert_eq!(input.bytes(), padded(format, from));
        }
    }
    // In place, where input and output have the same length.
    if text.len() == out.len() {
        let parameters = &mut Parameters::new();
        let mut list = List::new(Uio, &text, &[7, 7, 32, 33]);
        let mut task = template.of(parameters.task(mechanism, Encrypt, text.len()));
        assert_eq!(task.init(), CRYPTO_SUCCESS);
        if mechanism == AES_CTR_MECH_INFO_TYPE {
            for (at, n) in [(0, 21), (21, text.len() - 21)] {
                assert_eq!(task.update(&mut list.data(at, n), null_mut()), CRYPTO_SUCCESS);
            }
            task.free();
        } else {
            let mut src = list.data(0, text.len());
            assert_eq!(task.single(&mut src, null_mut()), CRYPTO_SUCCESS);
        }
        assert_eq!(list.bytes(), out);
    }
}

#[test]
fn ecb() {
    cipher(AES_ECB_MECH_INFO_TYPE);
}

#[test]
fn cbc() {
    cipher(AES_CBC_MECH_INFO_TYPE);
}

#[test]
fn ctr() {
    cipher(AES_CTR_MECH_INFO_TYPE);
}

#[test]
fn ccm() {
    cipher(AES_CCM_MECH_INFO_TYPE);
}

#[test]
fn gcm() {
    cipher(AES_GCM_MECH_INFO_TYPE);
}

/// A forged message: zeros apart, the ciphertext again in place, in one list for both too, and nothing from parts
/// in place.
#[test]
fn forgeries() {
    let template = Template::new();
    let parameters = &mut Parameters::new();
    for mechanism in [AES_GCM_MECH_INFO_TYPE, AES_CCM_MECH_INFO_TYPE] {
        let (text, mut out) = sealed(mechanism);
        out[3] ^= 1;
        let mut task = template.of(parameters.task(mechanism, Decrypt, out.len()));
        let mut input = List::new(Mblk, &out, &[9, 62, 64]);
        let mut output = List::new(Uio, &[FILL; 63], &[21]);
        let (mut src, mut dst) = (input.data(0, out.len()), output.data(0, text.len()));
        assert_eq!(task.atomic(&mut src, &raw mut dst), CRYPTO_INVALID_MAC);
        assert_eq!(output.bytes(), [0; 63]);
        assert_eq!(task.atomic(&mut src, null_mut()), CRYPTO_INVALID_MAC);
        assert_eq!(input.bytes(), out);
        let mut same = input.data(0, text.len());
        assert_eq!(task.atomic(&mut src, &raw mut same), CRYPTO_INVALID_MAC);
        assert_eq!(input.bytes(), out);
        assert_eq!(task.init(), CRYPTO_SUCCESS);
        assert_eq!(task.update(&mut src, null_mut()), CRYPTO_SUCCESS);
        assert_eq!(task.finish(&mut same), CRYPTO_INVALID_MAC);
        assert_eq!(input.bytes(), out);
        task.free();
    }
}

/// MACs in one call and in parts, verified, and wrong.
#[test]
fn macs() {
    let template = Template::new();
    let parameters = &mut Parameters::new();
    for mechanism in [AES_GMAC_MECH_INFO_TYPE, AES_CMAC_MECH_INFO_TYPE] {
        let (text, mac) = sealed(mechanism);
        let mut task = template.of(parameters.task(mechanism, Mac, text.len()));
        for format in [Uio, Mblk] {
            let mut input = List::new(format, &padded(format, &text), &[7, 7, 32, 33]);
            let mut output = List::new(format, &[FILL; 16], &[3]);
            let mut src = input.data(0, text.len());
            assert_eq!(task.init(), CRYPTO_SUCCESS);
            if format == Uio {
                assert_eq!(task.single(&mut src, &mut output.data(0, 16)), CRYPTO_SUCCESS);
            } else {
                assert_eq!(task.update(&mut input.data(0, 19), null_mut()), CRYPTO_SUCCESS);
                assert_eq!(task.update(&mut input.data(19, 44), null_mut()), CRYPTO_SUCCESS);
                assert_eq!(task.finish(&mut output.data(0, 16)), CRYPTO_SUCCESS);
            }
            assert_eq!(output.bytes(), mac);
            assert_eq!(task.verify(&mut src, &mut output.data(0, 16)), CRYPTO_SUCCESS);
            output.pieces[1][12] ^= 1;
            assert_eq!(task.verify(&mut src, &mut output.data(0, 16)), CRYPTO_INVALID_MAC);
        }
    }
}

/// Every call that ends before it has touched a byte.
#[test]
fn errors() {
    let parameters = &mut Parameters::new();
    let mut task = parameters.task(AES_CTR_MECH_INFO_TYPE, Encrypt, 0);
    let mut list = List::new(Uio, &[FILL; 40], &[7, 20]);
    let mut all = list.data(0, 40);
    // Its own bytes, but at other places.
    let mut moved = list.data(1, 39);
    let mut src = list.data(0, 39);
    assert_eq!(task.atomic(&mut src, &raw mut moved), CRYPTO_ARGUMENTS_BAD);
    let mut beyond = list.data(2, 39);
    assert_eq!(task.atomic(&mut beyond, null_mut()), CRYPTO_DATA_LEN_RANGE);
    let mut unknown = crypto_data_t { cd_format: 9, ..all };
    assert_eq!(task.atomic(&mut unknown, null_mut()), CRYPTO_ARGUMENTS_BAD);
    assert_eq!(task.update(&mut all, null_mut()), CRYPTO_OPERATION_NOT_INITIALIZED);
    task.free();
    task.mechanism.cm_type = 77;
    assert_eq!(task.init(), CRYPTO_MECHANISM_INVALID);
    let mut task = parameters.task(AES_ECB_MECH_INFO_TYPE, Encrypt, 0);
    task.key.cku_data.cku_key_value.cku_v_length = 120;
    assert_eq!(task.atomic(&mut list.data(0, 32), null_mut()), CRYPTO_KEY_SIZE_RANGE);
    let mut task = parameters.task(AES_ECB_MECH_INFO_TYPE, Encrypt, 0);
    assert_eq!(task.atomic(&mut list.data(0, 33), null_mut()), CRYPTO_DATA_LEN_RANGE);
    assert_eq!(list.bytes(), [FILL; 40]);
}

/// More pieces than are compared each with each, in falling order, and between those of the other list.
#[test]
fn many_small_pieces() {
    let template = Template::new();
    let mut memory = vec![7; 160];
    let base = memory.as_mut_ptr();
    let piece = |at| iovec_t { iov_base: base.wrapping_add(at).cast(), iov_len: 2 };
    let mut input = List::over(Uio, (0..40).rev().map(|i| piece(4 * i)).collect());
    let mut output = List::over(Mblk, (0..40).rev().map(|i| piece(4 * i + 2)).collect());
    let parameters = &mut Parameters::new();
    let mut task = template.of(parameters.task(AES_CTR_MECH_INFO_TYPE, Encrypt, 0));
    let (mut src, mut dst) = (input.data(0, 80), output.data(0, 80));
    assert_eq!(task.atomic(&mut src, &raw mut dst), CRYPTO_SUCCESS);
    let mut made: Vec<_> = memory.chunks(4).rev().flat_map(|four| four[2..].to_vec()).collect();
    // The same by lists of the crate: apart, and back in place.
    let key = Key::new(&KEY).expect("a key");
    let (text, mut out) = ([7; 80], [0; 80]);
    let list = [Piece::new(&text[..9]), Piece::new(&text[9..])];
    let (list, mut to) = (list.as_slice(), [PieceMut::new(&mut out)]);
    key.ctr(&mut IV.clone(), Text::from((list, to.as_mut_slice()))).expect("a valid call");
    assert_eq!(made, out);
    let (first, second) = made.split_at_mut(50);
    let mut list = [PieceMut::new(first), PieceMut::new(second)];
    key.ctr(&mut IV.clone(), list.as_mut_slice()).expect("a valid call");
    assert_eq!(made, text);
}

/// Threads share a template, while others change what all calls read.
#[test]
fn threads() {
    let (text, out) = sealed(AES_CTR_MECH_INFO_TYPE);
    let template = &Template::new();
    let rounds = if cfg!(miri) { 1 } else { 2000 };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let parameters = &mut Parameters::new();
                    let mut list = List::new(Mblk, &text, &[7, 20]);
                    let task = parameters.task(AES_CTR_MECH_INFO_TYPE, Encrypt, 0);
                    let mut src = list.data(0, text.len());
                    assert_eq!(template.of(task).atomic(&mut src, null_mut()), CRYPTO_SUCCESS);
                    assert_eq!(list.bytes(), out);
                }
            });
        }
        for thread in 0..2 {
            scope.spawn(move || {
                for round in 0..rounds {
                    let tables = TableId::ALL.len();
                    force(Some(TableId::ALL[(round + thread) % tables]));
                    TableId::Aesni.exclude(round % 3 == 0);
                    set_hold_bytes(1024 << (round % 4));
                    set_light_bytes(round % 2 * 512);
                    _ = TableId::Vaes512.suits();
                }
            });
        }
    });
    force(None);
    TableId::Aesni.exclude(false);
    set_light_bytes(0);
    set_hold_bytes(kcfaes_provider::engine::HOLD_BYTES);
}
