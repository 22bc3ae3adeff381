// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plain C API of libkcfaes: AES-GCM, CCM, GMAC, CMAC, CTR, CBC and ECB, whole messages in one
//! call or in parts, over buffers or lists of pieces.
//!
//! Lengths are in bytes. A pointer may be NULL only where its length is 0, and is otherwise
//! KCFAES_ARGUMENTS_BAD. Output may be the input's own bytes (in place) or share no byte with it. A
//! function that fails has consumed and written nothing, unless it says otherwise. Keys may be used
//! by any number of threads at the same time, a context by one. No function blocks, prints or
//! changes errno. Only these allocate: kcfaes_key_new, kcfaes_ctx_new, and a function whose input
//! and output have more than 64 pieces together, whose addresses do not ascend: for the length of
//! the call 16 bytes for each piece. If there is no memory it is KCFAES_HOST_MEMORY.
#![allow(non_camel_case_types, reason = "the names are those of the C header")]
// Nothing is computed here: a call describes its bytes as KCF's own data and hands them to the
// provider's `Operation`, as the ops vector does. This file's comments on public items are the
// header's, and so in C's terms.
//
// The common safety contract: a pointer is NULL, or its bytes are readable (const) or writable for
// the length that goes with it; a key or context is NULL or was made here, and nobody else uses it
// during the call, but for keys in other calls.
#![allow(clippy::missing_safety_doc, reason = "the module's common safety contract")]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::NonNull;

use kcfaes_kernels::{Block, ChainKeys};
use kcfaes_provider::data::{Data, Flat, Io, Run, exists};
use kcfaes_provider::engine::{Chain, Fpu, Material, TableId, force, select};
use kcfaes_provider::env;
use kcfaes_provider::kcf::{
    self, CRYPTO_DATA_RAW, CRYPTO_DATA_UIO, Error, KM_SLEEP, Result, UIO_SYSSPACE,
    crypto_data_cdu_t, crypto_data_t, iovec_t, uio_t,
};
use kcfaes_provider::key::Key;
use kcfaes_provider::mode::{Operation, Produced, cbc_encrypt_batch, same_tag};
use kcfaes_provider::request::{Direction, Mechanism, Parameter};
use kcfaes_provider::selftest;
use kcfaes_provider::wipe::{Secret, general_registers, wipe_raw};

use crate::context::Heap;

/// What a function answers: 0, or the number that KCF has for it in sys/crypto/common.h.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum kcfaes_rc {
    /// Success.
    KCFAES_OK = 0,
    /// There is no memory (CRYPTO_HOST_MEMORY).
    KCFAES_HOST_MEMORY = 2,
    /// The self-test found a wrong answer (CRYPTO_FAILED).
    KCFAES_FAILED = 4,
    /// A pointer is NULL; a list of pieces or jobs is misaligned; input and output overlap at
    /// different places; a key or context was erased, moved or never made; the function is not one
    /// for this context (CRYPTO_ARGUMENTS_BAD).
    KCFAES_ARGUMENTS_BAD = 5,
    /// The text is too long, or not as long as was said when an AES-CCM message began; or ECB or CBC
    /// was given a part of a block (CRYPTO_DATA_LEN_RANGE).
    KCFAES_DATA_LEN_RANGE = 12,
    /// The same of ciphertext, when decrypting (CRYPTO_ENCRYPTED_DATA_LEN_RANGE).
    KCFAES_ENCRYPTED_DATA_LEN_RANGE = 17,
    /// The key has not 16, 24 or 32 bytes (CRYPTO_KEY_SIZE_RANGE).
    KCFAES_KEY_SIZE_RANGE = 19,
    /// The IV, nonce or tag has a length that the mode does not know, or the nonce is too long for
    /// the length of the text (CRYPTO_MECHANISM_PARAM_INVALID).
    KCFAES_MECHANISM_PARAM_INVALID = 29,
    /// The context has no message begun (CRYPTO_OPERATION_NOT_INITIALIZED).
    KCFAES_OPERATION_NOT_INITIALIZED = 32,
    /// The output has too little room (CRYPTO_BUFFER_TOO_SMALL).
    KCFAES_BUFFER_TOO_SMALL = 66,
    /// This CPU cannot do it (CRYPTO_NOT_SUPPORTED).
    KCFAES_NOT_SUPPORTED = 68,
    /// The message is not authentic (CRYPTO_INVALID_MAC).
    KCFAES_INVALID_MAC = 72,
}

use kcfaes_rc::{
    KCFAES_ARGUMENTS_BAD, KCFAES_BUFFER_TOO_SMALL, KCFAES_DATA_LEN_RANGE,
    KCFAES_ENCRYPTED_DATA_LEN_RANGE, KCFAES_FAILED, KCFAES_HOST_MEMORY, KCFAES_INVALID_MAC,
    KCFAES_KEY_SIZE_RANGE, KCFAES_MECHANISM_PARAM_INVALID, KCFAES_NOT_SUPPORTED, KCFAES_OK,
    KCFAES_OPERATION_NOT_INITIALIZED,
};

const _: () = {
    assert!(KCFAES_OK as c_int == kcf::CRYPTO_SUCCESS);
    assert!(KCFAES_HOST_MEMORY as c_int == kcf::CRYPTO_HOST_MEMORY);
    assert!(KCFAES_ARGUMENTS_BAD as c_int == kcf::CRYPTO_ARGUMENTS_BAD);
    assert!(KCFAES_DATA_LEN_RANGE as c_int == kcf::CRYPTO_DATA_LEN_RANGE);
    assert!(KCFAES_ENCRYPTED_DATA_LEN_RANGE as c_int == kcf::CRYPTO_ENCRYPTED_DATA_LEN_RANGE);
    assert!(KCFAES_KEY_SIZE_RANGE as c_int == kcf::CRYPTO_KEY_SIZE_RANGE);
    assert!(KCFAES_MECHANISM_PARAM_INVALID as c_int == kcf::CRYPTO_MECHANISM_PARAM_INVALID);
    assert!(KCFAES_OPERATION_NOT_INITIALIZED as c_int == kcf::CRYPTO_OPERATION_NOT_INITIALIZED);
    assert!(KCFAES_BUFFER_TOO_SMALL as c_int == kcf::CRYPTO_BUFFER_TOO_SMALL);
    assert!(KCFAES_INVALID_MAC as c_int == kcf::CRYPTO_INVALID_MAC);
};

/// One piece of scattered input or output, laid out as the system's struct iovec. Pieces may have
/// any length, 0 too, and text is cut among those of input and output independently.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kcfaes_iovec {
    /// First byte.
    pub base: *mut c_void,
    /// Bytes.
    pub len: usize,
}

const _: () = {
    assert!(size_of::<kcfaes_iovec>() == size_of::<iovec_t>());
    assert!(core::mem::offset_of!(kcfaes_iovec, base) == core::mem::offset_of!(iovec_t, iov_base));
    assert!(core::mem::offset_of!(kcfaes_iovec, len) == core::mem::offset_of!(iovec_t, iov_len));
};

/// What the self-test found.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kcfaes_fault {
    /// Name of the table that gave a wrong answer; NULL if none did.
    pub table: *const c_char,
    /// "ecb", "cbc", "ctr", "ccm", "gcm", "gmac" or "cmac".
    pub mode: *const c_char,
    /// 128, 192 or 256.
    pub key_bits: usize,
}

/// A key, for every mode. It does not change once made, so that any number of threads may use it at
/// the same time. It must not be copied or moved.
#[cfg_attr(not(kcfaes_artifact = "header"), repr(C))]
pub struct kcfaes_key {
    head: Head,
    material: Key,
}

/// A message in parts, in any mode. One thread at a time. The key must stay until the message ends.
/// It must not be copied or moved.
#[cfg_attr(not(kcfaes_artifact = "header"), repr(C))]
pub struct kcfaes_ctx {
    head: Head,
    key: *const kcfaes_key,
    role: Role,
    /// Bytes taken but not yet given, less than a block.
    waiting: usize,
    operation: Operation,
}

/// Bytes of memory that are enough for a key, at any alignment, in every version with this soname.
pub const KCFAES_KEY_SIZE: usize = 2048;

/// Bytes of memory that are enough for a context, at any alignment, in every version with this
/// soname.
pub const KCFAES_CTX_SIZE: usize = 512;

const _: () = assert!(room::<kcfaes_key>() <= KCFAES_KEY_SIZE);
const _: () = assert!(room::<kcfaes_ctx>() <= KCFAES_CTX_SIZE);

/// Version of the library: "major.minor.patch".
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// One line of English on a kcfaes_rc, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_strerror(rc: c_int) -> *const c_char {
    const MESSAGES: [(kcfaes_rc, &CStr); 12] = [
        (KCFAES_OK, c"success"),
        (KCFAES_HOST_MEMORY, c"out of memory"),
        (KCFAES_FAILED, c"self-test failed"),
        (KCFAES_ARGUMENTS_BAD, c"bad argument"),
        (KCFAES_DATA_LEN_RANGE, c"text of impossible length"),
        (KCFAES_ENCRYPTED_DATA_LEN_RANGE, c"ciphertext of impossible length"),
        (KCFAES_KEY_SIZE_RANGE, c"key of impossible length"),
        (KCFAES_MECHANISM_PARAM_INVALID, c"bad IV or tag length"),
        (KCFAES_OPERATION_NOT_INITIALIZED, c"no message begun"),
        (KCFAES_BUFFER_TOO_SMALL, c"output too small"),
        (KCFAES_NOT_SUPPORTED, c"not supported by this CPU"),
        (KCFAES_INVALID_MAC, c"message not authentic"),
    ];
    let known = MESSAGES.iter().find(|(known, _)| *known as c_int == rc);
    known.map_or(c"unknown error", |(_, message)| message).as_ptr()
}

/// Name of the table of kernels that a call would use now: "portable" or "aesni".
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_table_name() -> *const c_char {
    table_name(select().id()).as_ptr()
}

/// Makes later calls of the whole process use the table of that name or, with NULL, again the best
/// that the CPU has. KCFAES_ARGUMENTS_BAD: no such table. KCFAES_NOT_SUPPORTED: this CPU lacks
/// it. Messages in work may go on with another table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_table_force(name: *const c_char) -> kcfaes_rc {
    let mut chosen = None;
    if !name.is_null() {
        // SAFETY: the common contract: a string.
        chosen = TableId::ALL.into_iter().find(|&id| unsafe { same_string(name, table_name(id)) });
        if chosen.is_none() {
            return KCFAES_ARGUMENTS_BAD;
        }
    }
    if force(chosen) { KCFAES_OK } else { KCFAES_NOT_SUPPORTED }
}

/// Known answers of every mode and key size on every table that this CPU has; a few milliseconds.
/// KCFAES_FAILED: an answer was wrong, and fault (which may be NULL) says where. KCFAES_HOST_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_selftest(fault: *mut kcfaes_fault) -> kcfaes_rc {
    let mut scratch = match Heap::<selftest::Scratch>::new(KM_SLEEP) {
        Ok(scratch) => scratch,
        Err(error) => return rc(Err(error)),
    };
    let result = selftest::run(scratch.get());
    let found = match result {
        Ok(()) => kcfaes_fault { table: core::ptr::null(), mode: core::ptr::null(), key_bits: 0 },
        Err(found) => kcfaes_fault {
            table: table_name(found.table).as_ptr(),
            mode: mode_name(found.mechanism).as_ptr(),
            key_bits: found.key_len << 3,
        },
    };
    // SAFETY: the common contract.
    if let Some(fault) = unsafe { fault.as_mut() } {
        *fault = found;
    }
    if result.is_ok() { KCFAES_OK } else { KCFAES_FAILED }
}

/// Makes a key of 16, 24 or 32 bytes on the heap. KCFAES_KEY_SIZE_RANGE, KCFAES_HOST_MEMORY.
///
/// cbindgen:ptrs-as-arrays=[[bytes; ]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_new(
    bytes: *const u8,
    len: usize,
    key: *mut *mut kcfaes_key,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { on_heap(key, |at| make_key(at, bytes, len)) })
}

/// Bytes of memory that a key takes, at any alignment; at most KCFAES_KEY_SIZE.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_key_size() -> usize {
    room::<kcfaes_key>()
}

/// Makes a key of 16, 24 or 32 bytes in the size bytes at memory, which stay the caller's; key then
/// points into them. KCFAES_KEY_SIZE_RANGE; KCFAES_BUFFER_TOO_SMALL: size is less than
/// kcfaes_key_size().
///
/// cbindgen:ptrs-as-arrays=[[bytes; ]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_init(
    memory: *mut c_void,
    size: usize,
    bytes: *const u8,
    len: usize,
    key: *mut *mut kcfaes_key,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { in_memory(memory, size, key, |at| make_key(at, bytes, len)) })
}

/// Erases a key, wherever it lies; later use of it is refused. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_wipe(key: *mut kcfaes_key) {
    // SAFETY: the common contract.
    unsafe { erase(key) }
}

/// Erases a key and frees it if it came from kcfaes_key_new. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_free(key: *mut kcfaes_key) {
    // SAFETY: the common contract.
    unsafe { free(key) }
}

/// AES-GCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 8 or 12 to 16 bytes,
/// which also covers aad. The IV has 1 byte or more, best 12, and must never be used twice with one
/// key. KCFAES_MECHANISM_PARAM_INVALID, KCFAES_DATA_LEN_RANGE (more than 64 GiB).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, aad, aad_len, tag_len);
        seal(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// AES-GCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
/// is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, aad, aad_len, tag_len);
        open(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// kcfaes_gcm_seal over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, aad, aad_len, tag_len);
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        seal(key, parameter, src, dst, tag, tag_len)
    })
}

/// kcfaes_gcm_open over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, aad, aad_len, tag_len);
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        open(key, parameter, src, dst, tag, tag_len)
    })
}

/// AES-GMAC: the tag of len bytes of src, as AES-GCM makes it of so much aad and no text. IV and
/// tag as for kcfaes_gcm_seal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const u8,
    len: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { gmac(key, iv, iv_len, Bytes::input(src, len), Tag::Write(tag), tag_len) })
}

/// AES-GMAC: verifies the tag of len bytes of src. KCFAES_INVALID_MAC: they are not authentic.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_verify(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const u8,
    len: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { gmac(key, iv, iv_len, Bytes::input(src, len), Tag::Verify(tag), tag_len) })
}

/// kcfaes_gmac over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { gmac(key, iv, iv_len, Bytes::Pieces(src, src_count), Tag::Write(tag), tag_len) })
}

/// kcfaes_gmac_verify over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_verify_iov(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { gmac(key, iv, iv_len, Bytes::Pieces(src, src_count), Tag::Verify(tag), tag_len) })
}

/// AES-CCM: encrypts len bytes of src to dst and makes the tag of tag_len 4, 6, 8, 10, 12, 14 or 16
/// bytes, which also covers aad. The nonce has n = 7 to 13 bytes and must never be used twice with
/// one key; the text has less than 2^(8(15 - n)). KCFAES_MECHANISM_PARAM_INVALID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_seal(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = ccm(nonce, nonce_len, aad, aad_len, Ok(len as u64), tag_len);
        seal(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// AES-CCM: verifies the tag and decrypts len bytes of src to dst. KCFAES_INVALID_MAC: the message
/// is not authentic, and no plaintext is left: dst is zero or, in place, the ciphertext again.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_open(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = ccm(nonce, nonce_len, aad, aad_len, Ok(len as u64), tag_len);
        open(key, parameter, Bytes::input(src, len), Bytes::Buffer(dst, len), tag, tag_len)
    })
}

/// kcfaes_ccm_seal over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_seal_iov(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        let parameter = ccm(nonce, nonce_len, aad, aad_len, src.text_len(), tag_len);
        seal(key, parameter, src, dst, tag, tag_len)
    })
}

/// kcfaes_ccm_open over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_open_iov(
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
        let parameter = ccm(nonce, nonce_len, aad, aad_len, src.text_len(), tag_len);
        open(key, parameter, src, dst, tag, tag_len)
    })
}

/// AES-CMAC: the MAC of len bytes of src; of its 16 bytes the first tag_len, 4 to 16.
/// KCFAES_MECHANISM_PARAM_INVALID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { cmac(key, Bytes::input(src, len), Tag::Write(tag), tag_len) })
}

/// AES-CMAC: verifies the MAC of len bytes of src. KCFAES_INVALID_MAC: they are not authentic.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_verify(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { cmac(key, Bytes::input(src, len), Tag::Verify(tag), tag_len) })
}

/// kcfaes_cmac over pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { cmac(key, Bytes::Pieces(src, src_count), Tag::Write(tag), tag_len) })
}

/// kcfaes_cmac_verify over pieces.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_verify_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { cmac(key, Bytes::Pieces(src, src_count), Tag::Verify(tag), tag_len) })
}

/// AES-CTR: encrypts or decrypts len bytes. counter is the first counter block, a big-endian number
/// of 128 bits, and becomes the one after the last used: another call goes on where this ended if
/// len was a multiple of 16. Not authenticated. No counter block may be used twice with one key.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr(
    key: *const kcfaes_key,
    counter: *mut u8,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { ctr(key, counter, Bytes::input(src, len), Bytes::Buffer(dst, len)) })
}

/// kcfaes_ctr over pieces: all bytes of src, to the first bytes of dst. KCFAES_BUFFER_TOO_SMALL:
/// dst has fewer.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr_iov(
    key: *const kcfaes_key,
    counter: *mut u8,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { ctr(key, counter, Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count)) })
}

/// AES-CBC: encrypts len bytes, a multiple of 16, without padding. iv becomes the last ciphertext
/// block, so that another call goes on where this ended. Not authenticated; the first IV must be
/// unpredictable. KCFAES_DATA_LEN_RANGE.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    rc(unsafe { cbc(Direction::Encrypt, key, iv, src, dst) })
}

/// AES-CBC: decrypts; otherwise as kcfaes_cbc_encrypt. KCFAES_ENCRYPTED_DATA_LEN_RANGE.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_decrypt(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    rc(unsafe { cbc(Direction::Decrypt, key, iv, src, dst) })
}

/// One message of kcfaes_cbc_encrypt_batch.
#[repr(C)]
pub struct kcfaes_cbc_job {
    /// Its key.
    pub key: *const kcfaes_key,
    /// Text: len bytes.
    pub src: *const u8,
    /// Ciphertext: len bytes, the same as src's or disjoint from every src of the batch.
    pub dst: *mut u8,
    /// Length of the text, a multiple of 16.
    pub len: usize,
    /// The IV; becomes the last ciphertext block.
    pub iv: [u8; 16],
}

/// AES-CBC: encrypts count messages that do not depend on each other, each with its own key or all
/// with the same one. A single CBC encryption waits for the processor at every block; up to 16 side
/// by side take hardly longer than one: disk sectors, a queue of packets. The lengths may differ.
/// What is wrong with the first such job, without any effect: KCFAES_ARGUMENTS_BAD,
/// KCFAES_DATA_LEN_RANGE. KCFAES_HOST_MEMORY likewise, but never where all keys are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt_batch(
    jobs: *mut kcfaes_cbc_job,
    count: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { cbc_batch(jobs, count) })
}

/// kcfaes_cbc_encrypt over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt_iov(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    rc(unsafe { cbc(Direction::Encrypt, key, iv, src, dst) })
}

/// kcfaes_cbc_decrypt over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_decrypt_iov(
    key: *const kcfaes_key,
    iv: *mut u8,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    rc(unsafe { cbc(Direction::Decrypt, key, iv, src, dst) })
}

/// AES-ECB: encrypts len bytes, a multiple of 16, each block by itself. Equal blocks stay equal: a
/// building block, not a way to protect text. KCFAES_DATA_LEN_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_encrypt(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    rc(unsafe { ecb(Direction::Encrypt, key, src, dst) })
}

/// AES-ECB: decrypts; otherwise as kcfaes_ecb_encrypt. KCFAES_ENCRYPTED_DATA_LEN_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_decrypt(
    key: *const kcfaes_key,
    src: *const u8,
    len: usize,
    dst: *mut u8,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, len));
    // SAFETY: the common contract.
    rc(unsafe { ecb(Direction::Decrypt, key, src, dst) })
}

/// kcfaes_ecb_encrypt over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_encrypt_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    rc(unsafe { ecb(Direction::Encrypt, key, src, dst) })
}

/// kcfaes_ecb_decrypt over pieces: all bytes of src, to the first bytes of dst.
/// KCFAES_BUFFER_TOO_SMALL: dst has fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_decrypt_iov(
    key: *const kcfaes_key,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    rc(unsafe { ecb(Direction::Decrypt, key, src, dst) })
}

/// Makes a context on the heap, with no message begun. KCFAES_HOST_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_new(ctx: *mut *mut kcfaes_ctx) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { on_heap(ctx, |at| make_ctx(at)) })
}

/// Bytes of memory that a context takes, at any alignment; at most KCFAES_CTX_SIZE.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_ctx_size() -> usize {
    room::<kcfaes_ctx>()
}

/// Makes a context in the size bytes at memory, which stay the caller's; ctx then points into them.
/// KCFAES_BUFFER_TOO_SMALL: size is less than kcfaes_ctx_size().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_init(
    memory: *mut c_void,
    size: usize,
    ctx: *mut *mut kcfaes_ctx,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { in_memory(memory, size, ctx, |at| make_ctx(at)) })
}

/// Erases a context, wherever it lies and in whatever state; later use of it is refused. NULL is
/// fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_wipe(ctx: *mut kcfaes_ctx) {
    // SAFETY: the common contract.
    unsafe { erase(ctx) }
}

/// Erases a context and frees it if it came from kcfaes_ctx_new. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_free(ctx: *mut kcfaes_ctx) {
    // SAFETY: the common contract.
    unsafe { free(ctx) }
}

/// Begins an AES-GCM message to encrypt in parts: kcfaes_update, kcfaes_gcm_seal_final. IV as for
/// kcfaes_gcm_seal; it and aad need not stay. Every init function abandons the message that the
/// context may have in work, even if it fails itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, aad, aad_len, 16);
        begin(ctx, key, Role::Seal, Mechanism::Gcm, Direction::Encrypt, parameter)
    })
}

/// Begins an AES-GCM message to decrypt in parts: kcfaes_update_unverified, kcfaes_gcm_open_final.
/// Whoever can hold the whole message calls kcfaes_gcm_open or kcfaes_gcm_open_iov instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, aad, aad_len, 16);
        begin(ctx, key, Role::Open, Mechanism::Gcm, Direction::Decrypt, parameter)
    })
}

/// Begins an AES-GMAC message in parts: kcfaes_update (its output is not used, and may be NULL),
/// kcfaes_gmac_final or kcfaes_gmac_verify_final.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = gcm(iv, iv_len, core::ptr::null(), 0, 16);
        begin(ctx, key, Role::Mac, Mechanism::Gmac, Direction::Encrypt, parameter)
    })
}

/// Begins an AES-CCM message of text_len bytes to encrypt in parts: kcfaes_update,
/// kcfaes_ccm_seal_final. Lengths as for kcfaes_ccm_seal; nonce and aad need not stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_seal_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    text_len: u64,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = ccm(nonce, nonce_len, aad, aad_len, Ok(text_len), tag_len);
        begin(ctx, key, Role::Seal, Mechanism::Ccm, Direction::Encrypt, parameter)
    })
}

/// Begins an AES-CCM message of text_len bytes, without the tag, to decrypt in parts:
/// kcfaes_update_unverified, kcfaes_ccm_open_final. Whoever can hold the whole message calls
/// kcfaes_ccm_open or kcfaes_ccm_open_iov instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_open_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    text_len: u64,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = ccm(nonce, nonce_len, aad, aad_len, Ok(text_len), tag_len);
        begin(ctx, key, Role::Open, Mechanism::Ccm, Direction::Decrypt, parameter)
    })
}

/// Begins an AES-CMAC message in parts: kcfaes_update (its output is not used, and may be NULL),
/// kcfaes_cmac_final or kcfaes_cmac_verify_final.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
) -> kcfaes_rc {
    let parameter = Ok(Parameter::Cmac);
    // SAFETY: the common contract.
    rc(unsafe { begin(ctx, key, Role::Mac, Mechanism::Cmac, Direction::Encrypt, parameter) })
}

/// Begins an AES-CTR message in parts: kcfaes_update, kcfaes_final. The keystream is continuous
/// over parts of any length.
///
/// cbindgen:ptrs-as-arrays=[[counter;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctr_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    counter: *const u8,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = block(counter).map(|cb| Parameter::Ctr { bits: 128, cb });
        begin(ctx, key, Role::Cipher, Mechanism::Ctr, Direction::Encrypt, parameter)
    })
}

/// Begins an AES-CBC message to encrypt in parts: kcfaes_update, kcfaes_final.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_encrypt_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    iv: *const u8,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = block(iv).map(|iv| Parameter::Cbc { iv });
        begin(ctx, key, Role::Cipher, Mechanism::Cbc, Direction::Encrypt, parameter)
    })
}

/// Begins an AES-CBC message to decrypt in parts: kcfaes_update, kcfaes_final.
///
/// cbindgen:ptrs-as-arrays=[[iv;16]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cbc_decrypt_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    iv: *const u8,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe {
        let parameter = block(iv).map(|iv| Parameter::Cbc { iv });
        begin(ctx, key, Role::Cipher, Mechanism::Cbc, Direction::Decrypt, parameter)
    })
}

/// Begins an AES-ECB message to encrypt in parts: kcfaes_update, kcfaes_final.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_encrypt_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
) -> kcfaes_rc {
    let parameter = Ok(Parameter::Ecb);
    // SAFETY: the common contract.
    rc(unsafe { begin(ctx, key, Role::Cipher, Mechanism::Ecb, Direction::Encrypt, parameter) })
}

/// Begins an AES-ECB message to decrypt in parts: kcfaes_update, kcfaes_final.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_decrypt_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
) -> kcfaes_rc {
    let parameter = Ok(Parameter::Ecb);
    // SAFETY: the common contract.
    rc(unsafe { begin(ctx, key, Role::Cipher, Mechanism::Ecb, Direction::Decrypt, parameter) })
}

/// Gives len more bytes to a message; any number, 0 too. written becomes the number of bytes at
/// dst: CTR writes len, the other modes every block that is complete, at most len + 15, and keep
/// the rest of a block for later.
///
/// KCFAES_BUFFER_TOO_SMALL: room is less than what would be written, written says how much that is,
/// and the call may be repeated. KCFAES_DATA_LEN_RANGE: a part in place where an earlier one ended
/// within a block, so that the output would begin before it; more bytes than an AES-CCM message
/// began with. KCFAES_ARGUMENTS_BAD: the context decrypts AES-GCM or AES-CCM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_update(
    ctx: *mut kcfaes_ctx,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    room: usize,
    written: *mut usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, room));
    // SAFETY: the common contract.
    unsafe { report(written, || part(ctx, Release::Safe, src, dst)) }
}

/// kcfaes_update of an AES-GCM or AES-CCM message that is decrypted: dst is plaintext that nobody
/// has verified. Nothing may depend on it, and it must be thrown away unless kcfaes_gcm_open_final
/// or kcfaes_ccm_open_final succeeds. KCFAES_ARGUMENTS_BAD: the context does something else.
/// KCFAES_ENCRYPTED_DATA_LEN_RANGE: more bytes than an AES-CCM message began with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_update_unverified(
    ctx: *mut kcfaes_ctx,
    src: *const u8,
    len: usize,
    dst: *mut u8,
    room: usize,
    written: *mut usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::input(src, len), Bytes::Buffer(dst, room));
    // SAFETY: the common contract.
    unsafe { report(written, || part(ctx, Release::Unverified, src, dst)) }
}

/// kcfaes_update over pieces: all bytes of src, to the first bytes of dst.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_update_iov(
    ctx: *mut kcfaes_ctx,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    written: *mut usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    unsafe { report(written, || part(ctx, Release::Safe, src, dst)) }
}

/// kcfaes_update_unverified over pieces: all bytes of src, to the first bytes of dst.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_update_unverified_iov(
    ctx: *mut kcfaes_ctx,
    src: *const kcfaes_iovec,
    src_count: usize,
    dst: *const kcfaes_iovec,
    dst_count: usize,
    written: *mut usize,
) -> kcfaes_rc {
    let (src, dst) = (Bytes::Pieces(src, src_count), Bytes::Pieces(dst, dst_count));
    // SAFETY: the common contract.
    unsafe { report(written, || part(ctx, Release::Unverified, src, dst)) }
}

/// Ends a message of CTR, CBC or ECB. KCFAES_DATA_LEN_RANGE, KCFAES_ENCRYPTED_DATA_LEN_RANGE: CBC
/// or ECB has a part of a block left; the message goes on. After success, here and in the other
/// final functions, the context takes nothing more until another init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_final(ctx: *mut kcfaes_ctx) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { finish(ctx) })
}

/// Ends the encryption of an AES-GCM message: writes the rest of the ciphertext, written bytes and
/// less than 16, to dst, and the tag. KCFAES_BUFFER_TOO_SMALL: written says how much room the rest
/// needs, and the call may be repeated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_seal_final(
    ctx: *mut kcfaes_ctx,
    dst: *mut u8,
    room: usize,
    written: *mut usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    unsafe { report(written, || seal_final(ctx, Mechanism::Gcm, dst, room, tag, tag_len)) }
}

/// Ends the decryption of an AES-GCM message: verifies the tag, then writes the rest of the
/// plaintext, written bytes and less than 16, to dst. KCFAES_INVALID_MAC: the message is not
/// authentic, nothing is written, it has ended, and what kcfaes_update_unverified gave must be
/// thrown away. KCFAES_BUFFER_TOO_SMALL: written says how much room the rest needs, and the call
/// may be repeated.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gcm_open_final(
    ctx: *mut kcfaes_ctx,
    dst: *mut u8,
    room: usize,
    written: *mut usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    unsafe { report(written, || open_final(ctx, Mechanism::Gcm, dst, room, tag, tag_len)) }
}

/// Ends the encryption of an AES-CCM message, whose text is complete: writes the rest of the
/// ciphertext, written bytes and less than 16, to dst, and the tag. KCFAES_BUFFER_TOO_SMALL: written
/// says how much room the rest needs, and the call may be repeated. KCFAES_DATA_LEN_RANGE: less
/// text has come than the message began with; it goes on. KCFAES_MECHANISM_PARAM_INVALID: tag_len
/// is not that of the beginning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_seal_final(
    ctx: *mut kcfaes_ctx,
    dst: *mut u8,
    room: usize,
    written: *mut usize,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    unsafe { report(written, || seal_final(ctx, Mechanism::Ccm, dst, room, tag, tag_len)) }
}

/// Ends the decryption of an AES-CCM message, whose text is complete: verifies the tag, then writes
/// the rest of the plaintext, written bytes and less than 16, to dst. KCFAES_INVALID_MAC: the
/// message is not authentic, nothing is written, it has ended, and what kcfaes_update_unverified
/// gave must be thrown away. KCFAES_BUFFER_TOO_SMALL: written says how much room the rest needs, and
/// the call may be repeated. KCFAES_ENCRYPTED_DATA_LEN_RANGE: less text has come than the message
/// began with; it goes on. KCFAES_MECHANISM_PARAM_INVALID: tag_len is not that of the beginning.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ccm_open_final(
    ctx: *mut kcfaes_ctx,
    dst: *mut u8,
    room: usize,
    written: *mut usize,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    unsafe { report(written, || open_final(ctx, Mechanism::Ccm, dst, room, tag, tag_len)) }
}

/// Ends an AES-CMAC message with its MAC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_final(
    ctx: *mut kcfaes_ctx,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { mac_final(ctx, Mechanism::Cmac, Tag::Write(tag), tag_len) })
}

/// Ends an AES-CMAC message and verifies its MAC. KCFAES_INVALID_MAC: it is not authentic, and it
/// has ended.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_verify_final(
    ctx: *mut kcfaes_ctx,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { mac_final(ctx, Mechanism::Cmac, Tag::Verify(tag), tag_len) })
}

/// Ends an AES-GMAC message with its tag.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_final(
    ctx: *mut kcfaes_ctx,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { mac_final(ctx, Mechanism::Gmac, Tag::Write(tag), tag_len) })
}

/// Ends an AES-GMAC message and verifies its tag. KCFAES_INVALID_MAC: it is not authentic, and it
/// has ended.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_verify_final(
    ctx: *mut kcfaes_ctx,
    tag: *const u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    rc(unsafe { mac_final(ctx, Mechanism::Gmac, Tag::Verify(tag), tag_len) })
}

unsafe fn cbc_batch(jobs: *mut kcfaes_cbc_job, count: usize) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    if jobs.is_null() || !jobs.is_aligned() {
        return Err(Error::ARGUMENTS_BAD);
    }
    let mut same = true;
    for i in 0..count {
        // SAFETY: the common contract: `count` jobs.
        let (job, first) = unsafe { (&*jobs.add(i), &*jobs) };
        // SAFETY: the common contract.
        unsafe { live(job.key)? };
        if job.len & 15 != 0 {
            return Err(Error::DATA_LEN_RANGE);
        }
        let apart = job.src.addr().abs_diff(job.dst.addr());
        let overlap = apart != 0 && apart < job.len;
        if !exists(job.src, job.len) || !exists(job.dst, job.len) || overlap {
            return Err(Error::ARGUMENTS_BAD);
        }
        same &= job.key == first.key;
    }
    let mut keys = if same { None } else { Some(Heap::<ChainKeys>::new(KM_SLEEP)?) };
    let mut fpu = Fpu::new();
    for rounds in [10, 12, 14] {
        let mut numbers = 0..count;
        let next = || {
            numbers.find_map(|i| {
                // SAFETY: the common contract, of which the part that can be seen was checked above: the
                // key is one.
                unsafe {
                    let job = &*jobs.add(i);
                    let schedule = &(*job.key).material.schedule;
                    let run = Run::new(job.src, job.dst, job.len);
                    let chain = Chain { schedule, iv: Block(job.iv), run };
                    (schedule.rounds == rounds).then_some((i, chain))
                }
            })
        };
        let done = |i, iv: &Block| {
            // SAFETY: the common contract; `i` came from `next`.
            unsafe { (*jobs.add(i)).iv = iv.0 };
        };
        cbc_encrypt_batch(&mut fpu, keys.as_mut().map(Heap::get), next, done);
    }
    Ok(())
}

/// What a function answers; the last that it does.
fn rc(result: Result<()>) -> kcfaes_rc {
    general_registers();
    match result {
        Ok(()) => KCFAES_OK,
        Err(Error::Room(_)) => KCFAES_BUFFER_TOO_SMALL,
        Err(Error::HOST_MEMORY) => KCFAES_HOST_MEMORY,
        Err(Error::DATA_LEN_RANGE) => KCFAES_DATA_LEN_RANGE,
        Err(Error::ENCRYPTED_DATA_LEN_RANGE) => KCFAES_ENCRYPTED_DATA_LEN_RANGE,
        Err(Error::KEY_SIZE_RANGE) => KCFAES_KEY_SIZE_RANGE,
        Err(Error::MECHANISM_PARAM_INVALID) => KCFAES_MECHANISM_PARAM_INVALID,
        Err(Error::OPERATION_NOT_INITIALIZED) => KCFAES_OPERATION_NOT_INITIALIZED,
        Err(Error::INVALID_MAC) => KCFAES_INVALID_MAC,
        Err(Error::Kcf(_)) => KCFAES_ARGUMENTS_BAD,
    }
}

/// Does the work if its outcome can be told, and tells the bytes written or needed.
///
/// # Safety
/// The module's common contract, here and below.
unsafe fn report(written: *mut usize, work: impl FnOnce() -> Result<usize>) -> kcfaes_rc {
    // SAFETY: the common contract.
    let Some(written) = (unsafe { written.as_mut() }) else {
        return KCFAES_ARGUMENTS_BAD;
    };
    let result = work();
    *written = match result {
        Ok(n) | Err(Error::Room(n)) => n,
        Err(_) => 0,
    };
    rc(result.map(|_| ()))
}

pub(crate) fn table_name(id: TableId) -> &'static CStr {
    match id {
        TableId::Portable => c"portable",
        TableId::Aesni => c"aesni",
        TableId::Vaes256 => c"vaes256",
        TableId::Vaes512 => c"vaes512",
    }
}

pub(crate) fn mode_name(mechanism: Mechanism) -> &'static CStr {
    match mechanism {
        Mechanism::Ecb => c"ecb",
        Mechanism::Cbc => c"cbc",
        Mechanism::Ctr => c"ctr",
        Mechanism::Ccm => c"ccm",
        Mechanism::Gcm => c"gcm",
        Mechanism::Gmac => c"gmac",
        Mechanism::Cmac => c"cmac",
    }
}

/// Whether the string at `at` is `name`; reads no further than the first difference.
unsafe fn same_string(at: *const c_char, name: &CStr) -> bool {
    let bytes = name.to_bytes_with_nul();
    // SAFETY: all bytes before `i` were equal, so the string goes on to `i` at least.
    (0..).zip(bytes).all(|(i, &byte)| unsafe { at.add(i).cast::<u8>().read() } == byte)
}

/// First bytes of a key or context, by which it is known for what it is: nothing else of it is read
/// before.
#[repr(C)]
struct Head {
    /// The type's number xor the address: a copy elsewhere is not one.
    seal: usize,
    /// Start of its memory if that came from the heap.
    heap: *mut u8,
}

/// A key or a context: begins with its [`Head`].
trait Object: Sized {
    /// The number of the type.
    const SEAL: usize;
}

impl Object for kcfaes_key {
    const SEAL: usize = 0x6b63_6661_6573_6b65;
}

impl Object for kcfaes_ctx {
    const SEAL: usize = 0x6b63_6661_6573_6374;
}

const _: () = {
    assert!(core::mem::offset_of!(kcfaes_key, head) == 0);
    assert!(core::mem::offset_of!(kcfaes_ctx, head) == 0);
};

/// The head of the object at `at`.
fn head<T: Object>(at: *const T) -> *mut Head {
    at.cast_mut().cast()
}

/// The seal of an object at `at`; once erased, its complement.
fn seal_at<T: Object>(at: *const T) -> usize {
    T::SEAL ^ at.addr()
}

/// Bytes in which a `T` finds a place, whatever their alignment.
const fn room<T>() -> usize {
    size_of::<T>() + align_of::<T>() - 1
}

/// The object at `at`, for the length of a call.
///
/// # Errors
/// `ARGUMENTS_BAD` if there is none.
unsafe fn live<'a, T: Object>(at: *const T) -> Result<&'a T> {
    if at.is_null() || !at.is_aligned() {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract; a head is all integers, so that any bytes may be read as one.
    let seal = unsafe { (*head(at)).seal };
    if seal != seal_at(at) {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: sealed, so made here and neither erased nor moved.
    Ok(unsafe { &*at })
}

/// Makes an object in memory of the caller's.
unsafe fn in_memory<T: Object>(
    memory: *mut c_void,
    size: usize,
    object: *mut *mut T,
    make: impl FnOnce(NonNull<T>) -> Result<()>,
) -> Result<()> {
    let (Some(memory), Some(object)) = (NonNull::new(memory), NonNull::new(object)) else {
        return Err(Error::ARGUMENTS_BAD);
    };
    if size < room::<T>() {
        return Err(Error::Room(room::<T>()));
    }
    // SAFETY: there is room for an object from the first aligned place on, and it is the caller's.
    unsafe {
        let memory = memory.cast::<u8>();
        let at = memory.add(memory.addr().get().wrapping_neg() & (align_of::<T>() - 1)).cast::<T>();
        at.write_bytes(0, 1);
        make(at)?;
        head(at.as_ptr()).write(Head { seal: seal_at(at.as_ptr()), heap: core::ptr::null_mut() });
        object.write(at.as_ptr());
    }
    Ok(())
}

/// Makes an object in memory of its own.
unsafe fn on_heap<T: Object>(
    object: *mut *mut T,
    make: impl FnOnce(NonNull<T>) -> Result<()>,
) -> Result<()> {
    let object = NonNull::new(object).ok_or(Error::ARGUMENTS_BAD)?;
    let memory = env::alloc(room::<T>(), KM_SLEEP).ok_or(Error::HOST_MEMORY)?;
    // SAFETY: the memory is ours and of that size.
    unsafe {
        let made = in_memory(memory.as_ptr().cast(), room::<T>(), object.as_ptr(), make);
        match made {
            Ok(()) => (*head(object.read())).heap = memory.as_ptr(),
            Err(_) => env::free(memory, room::<T>()),
        }
        made
    }
}

/// Erases an object; what is left is a head that says so.
unsafe fn erase<T: Object>(at: *mut T) {
    // SAFETY: the common contract; after `live` it is an object, which nobody else uses.
    unsafe {
        if live(at).is_ok() {
            let heap = (*head(at)).heap;
            core::ptr::drop_in_place(at);
            wipe_raw(at.cast(), size_of::<T>());
            head(at).write(Head { seal: !seal_at(at), heap });
        }
    }
}

/// Erases an object and gives its memory back if it is ours.
unsafe fn free<T: Object>(at: *mut T) {
    // SAFETY: the common contract; after `erase` there is a head, if there ever was an object.
    unsafe {
        erase(at);
        if at.is_null() || !at.is_aligned() || (*head(at)).seal != !seal_at(at) {
            return;
        }
        if let Some(memory) = NonNull::new((*head(at)).heap) {
            head(at).write(Head { seal: 0, heap: core::ptr::null_mut() });
            env::free(memory, room::<T>());
        }
    }
}

/// Fills a key whose memory is all zero.
unsafe fn make_key(at: NonNull<kcfaes_key>, bytes: *const u8, len: usize) -> Result<()> {
    Key::check_len(len)?;
    // SAFETY: the common contract; all zero is a value of the key's material.
    let (key, bytes) = unsafe { (&mut (*at.as_ptr()).material, slice(bytes, len)?) };
    key.set(&mut Fpu::new(), bytes, usize::MAX);
    Ok(())
}

/// Fills a context.
unsafe fn make_ctx(at: NonNull<kcfaes_ctx>) -> Result<()> {
    let head = Head { seal: 0, heap: core::ptr::null_mut() };
    let (key, operation) = (core::ptr::null(), Operation::idle());
    // SAFETY: memory for a context, with nothing in it.
    unsafe { at.write(kcfaes_ctx { head, key, role: Role::Cipher, waiting: 0, operation }) };
    Ok(())
}

/// What a context's message is, which decides the functions that it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Cipher,
    Seal,
    Open,
    Mac,
}

/// Input or output of a function.
#[derive(Clone, Copy)]
enum Bytes {
    Buffer(*mut u8, usize),
    Pieces(*const kcfaes_iovec, usize),
}

const NO_PIECES: uio_t = uio_t {
    uio_iov: core::ptr::null_mut(),
    uio_iovcnt: 0,
    _uio_offset: 0,
    uio_segflg: UIO_SYSSPACE,
    uio_fmode: 0,
    uio_extflg: 0,
    _uio_limit: 0,
    uio_resid: 0,
};

impl Bytes {
    fn input(at: *const u8, len: usize) -> Self {
        Self::Buffer(at.cast_mut(), len)
    }

    /// Bytes in all.
    unsafe fn len(self) -> Result<usize> {
        match self {
            Self::Buffer(_, len) => Ok(len),
            Self::Pieces(_, 0) => Ok(0),
            Self::Pieces(at, count) => {
                self.list()?;
                // SAFETY: the common contract; a list, so neither NULL nor misaligned.
                let pieces = unsafe { core::slice::from_raw_parts(at, count) };
                pieces
                    .iter()
                    .try_fold(0usize, |sum, piece| sum.checked_add(piece.len))
                    .ok_or(Error::ARGUMENTS_BAD)
            }
        }
    }

    /// Bytes in all, as a parameter states them.
    unsafe fn text_len(self) -> Result<u64> {
        // SAFETY: the common contract.
        unsafe { self.len() }.map(|len| len as u64)
    }

    /// A list of the pieces; of none for a buffer.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD` for pieces where none can be, or more than a uio counts.
    fn list(self) -> Result<uio_t> {
        let Self::Pieces(at, count) = self else {
            return Ok(NO_PIECES);
        };
        if count > 0 && (at.is_null() || !at.is_aligned()) {
            return Err(Error::ARGUMENTS_BAD);
        }
        let uio_iov = at.cast::<iovec_t>().cast_mut();
        let uio_iovcnt = c_int::try_from(count).map_err(|_| Error::ARGUMENTS_BAD)?;
        Ok(uio_t { uio_iov, uio_iovcnt, ..NO_PIECES })
    }

    /// The first `len` bytes, or room for so many, as KCF would describe them; `list` is
    /// [`Bytes::list`].
    fn data(self, list: &uio_t, len: usize) -> crypto_data_t {
        let (cd_format, cdu) = match self {
            Self::Buffer(at, len) => {
                let cdu_raw = iovec_t { iov_base: at.cast(), iov_len: len };
                (CRYPTO_DATA_RAW, crypto_data_cdu_t { cdu_raw })
            }
            Self::Pieces(..) => {
                let cdu_uio = core::ptr::from_ref(list).cast_mut();
                (CRYPTO_DATA_UIO, crypto_data_cdu_t { cdu_uio })
            }
        };
        let cd_miscdata = core::ptr::null_mut();
        crypto_data_t { cd_format, cd_offset: 0, cd_length: len, cd_miscdata, cdu }
    }
}

/// Describes input and output to the provider.
unsafe fn with_io<R>(src: Bytes, dst: Bytes, work: impl FnOnce(&Io<'_>) -> Result<R>) -> Result<R> {
    let (src_list, dst_list) = (src.list()?, dst.list()?);
    // Whether an output list has the room is found out by walking it.
    let room = match dst {
        Bytes::Buffer(_, room) => room,
        Bytes::Pieces(..) => usize::MAX,
    };
    // SAFETY: the common contract; the lists outlive the work.
    unsafe {
        let (src, dst) = (src.data(&src_list, src.len()?), dst.data(&dst_list, room));
        work(&Io { src: Data::new(&src), dst: Some(Data::new(&dst)), req: core::ptr::null_mut() })
    }
}

/// `len` bytes to read.
unsafe fn slice<'a>(at: *const u8, len: usize) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if at.is_null() || len > isize::MAX as usize {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract; not NULL.
    Ok(unsafe { core::slice::from_raw_parts(at, len) })
}

/// The 16 bytes of an IV or counter.
unsafe fn block(at: *const u8) -> Result<Block> {
    if at.is_null() {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract; not NULL, and bytes need no alignment.
    Ok(Block(unsafe { at.cast::<[u8; 16]>().read() }))
}

/// Parameter of GCM and GMAC. The length of the tag is looked at where the tag is; with a tag yet to
/// come it is 16.
unsafe fn gcm<'a>(
    iv: *const u8,
    iv_len: usize,
    aad: *const u8,
    aad_len: usize,
    tag_len: usize,
) -> Result<Parameter<'a>> {
    if iv_len == 0 {
        return Err(Error::MECHANISM_PARAM_INVALID);
    }
    // SAFETY: the common contract.
    let (iv, aad) = unsafe { (slice(iv, iv_len)?, slice(aad, aad_len)?) };
    Ok(Parameter::Gcm { iv, aad, tag_len })
}

/// Parameter of CCM.
unsafe fn ccm<'a>(
    nonce: *const u8,
    nonce_len: usize,
    aad: *const u8,
    aad_len: usize,
    text_len: Result<u64>,
    tag_len: usize,
) -> Result<Parameter<'a>> {
    // SAFETY: the common contract.
    let (nonce, aad) = unsafe { (slice(nonce, nonce_len)?, slice(aad, aad_len)?) };
    Parameter::ccm(nonce, aad, text_len?, tag_len)
}

/// What is to be done with a tag.
#[derive(Clone, Copy)]
enum Tag {
    Write(*mut u8),
    Verify(*const u8),
}

impl Tag {
    /// Whether it has a possible length and a place; asked before any work is done.
    fn check(self, mechanism: Mechanism, len: usize) -> Result<()> {
        let possible = match mechanism {
            Mechanism::Ccm => matches!(len, 4 | 6 | 8 | 10 | 12 | 14 | 16),
            Mechanism::Cmac => matches!(len, 4..=16),
            _ => matches!(len, 4 | 8 | 12..=16),
        };
        let missing = match self {
            Self::Write(at) => at.is_null(),
            Self::Verify(at) => at.is_null(),
        };
        match possible {
            false => Err(Error::MECHANISM_PARAM_INVALID),
            true if missing => Err(Error::ARGUMENTS_BAD),
            true => Ok(()),
        }
    }

    /// Does it, in constant time.
    unsafe fn settle(self, len: usize, computed: &[u8; 16]) -> Result<()> {
        match self {
            Self::Write(at) => {
                let computed = computed.get(..len).ok_or(Error::MECHANISM_PARAM_INVALID)?;
                // SAFETY: the common contract; checked, and `computed` is memory of our own.
                unsafe { core::ptr::copy_nonoverlapping(computed.as_ptr(), at, computed.len()) };
                Ok(())
            }
            Self::Verify(at) => {
                // SAFETY: the common contract.
                let tag = unsafe { slice(at, len)? };
                let mut received = [0; 16];
                for (to, from) in received.iter_mut().zip(tag) {
                    *to = *from;
                }
                same_tag(computed, &received, len)
            }
        }
    }
}

/// A whole message. `apart` is as in [`Operation::at_once`].
#[inline(never)]
fn whole(
    key: &Key,
    mechanism: Mechanism,
    direction: Direction,
    parameter: &Parameter<'_>,
    apart: &mut [u8; 16],
    io: &Io<'_>,
) -> Result<()> {
    let mut fpu = Fpu::new();
    let key = Material::Set(key);
    Operation::at_once(mechanism, direction, parameter, Some(apart), key, &mut fpu, io).map(drop)
}

/// The mode of a parameter that is GCM's or CCM's.
fn sealed_by(parameter: &Parameter<'_>) -> Mechanism {
    match parameter {
        Parameter::Ccm { .. } => Mechanism::Ccm,
        _ => Mechanism::Gcm,
    }
}

unsafe fn seal(
    key: *const kcfaes_key,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    dst: Bytes,
    tag: *mut u8,
    tag_len: usize,
) -> Result<()> {
    let (parameter, tag) = (parameter?, Tag::Write(tag));
    let mechanism = sealed_by(&parameter);
    tag.check(mechanism, tag_len)?;
    // SAFETY: the common contract.
    unsafe {
        let (key, mut computed) = (&live(key)?.material, [0; 16]);
        with_io(src, dst, |io| {
            whole(key, mechanism, Direction::Encrypt, &parameter, &mut computed, io)
        })?;
        tag.settle(tag_len, &computed)
    }
}

unsafe fn open(
    key: *const kcfaes_key,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    dst: Bytes,
    tag: *const u8,
    tag_len: usize,
) -> Result<()> {
    let parameter = parameter?;
    let mechanism = sealed_by(&parameter);
    Tag::Verify(tag).check(mechanism, tag_len)?;
    // SAFETY: the common contract.
    unsafe {
        let (key, mut received) = (&live(key)?.material, [0; 16]);
        for (to, from) in received.iter_mut().zip(slice(tag, tag_len)?) {
            *to = *from;
        }
        with_io(src, dst, |io| {
            whole(key, mechanism, Direction::Decrypt, &parameter, &mut received, io)
        })
    }
}

unsafe fn gmac(
    key: *const kcfaes_key,
    iv: *const u8,
    iv_len: usize,
    src: Bytes,
    tag: Tag,
    tag_len: usize,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let parameter = gcm(iv, iv_len, core::ptr::null(), 0, 16);
        mac(key, Mechanism::Gmac, parameter, src, tag, tag_len)
    }
}

unsafe fn cmac(key: *const kcfaes_key, src: Bytes, tag: Tag, tag_len: usize) -> Result<()> {
    // SAFETY: the common contract.
    unsafe { mac(key, Mechanism::Cmac, Ok(Parameter::Cmac), src, tag, tag_len) }
}

unsafe fn mac(
    key: *const kcfaes_key,
    mechanism: Mechanism,
    parameter: Result<Parameter<'_>>,
    src: Bytes,
    tag: Tag,
    tag_len: usize,
) -> Result<()> {
    tag.check(mechanism, tag_len)?;
    let parameter = parameter?;
    let mut computed = Secret([0; 16]);
    // SAFETY: the common contract.
    unsafe {
        let key = &live(key)?.material;
        with_io(src, Bytes::Buffer(computed.0.as_mut_ptr(), 16), |io| {
            whole(key, mechanism, Direction::Encrypt, &parameter, &mut [0; 16], io)
        })?;
        tag.settle(tag_len, &computed.0)
    }
}

unsafe fn ctr(key: *const kcfaes_key, counter: *mut u8, src: Bytes, dst: Bytes) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let parameter = Parameter::Ctr { bits: 128, cb: block(counter)? };
        let (key, mut next) = (&live(key)?.material, [0; 16]);
        with_io(src, dst, |io| {
            whole(key, Mechanism::Ctr, Direction::Encrypt, &parameter, &mut next, io)
        })?;
        counter.cast::<[u8; 16]>().write(next);
    }
    Ok(())
}

unsafe fn cbc(
    direction: Direction,
    key: *const kcfaes_key,
    iv: *mut u8,
    src: Bytes,
    dst: Bytes,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let parameter = Parameter::Cbc { iv: block(iv)? };
        let (key, mut next) = (&live(key)?.material, [0; 16]);
        with_io(src, dst, |io| whole(key, Mechanism::Cbc, direction, &parameter, &mut next, io))?;
        iv.cast::<[u8; 16]>().write(next);
    }
    Ok(())
}

unsafe fn ecb(direction: Direction, key: *const kcfaes_key, src: Bytes, dst: Bytes) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let key = &live(key)?.material;
        with_io(src, dst, |io| {
            whole(key, Mechanism::Ecb, direction, &Parameter::Ecb, &mut [0; 16], io)
        })
    }
}

/// Begins a message. A context whose init failed must not go on under the old IV: whatever it did
/// before ends first.
unsafe fn begin(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    role: Role,
    mechanism: Mechanism,
    direction: Direction,
    parameter: Result<Parameter<'_>>,
) -> Result<()> {
    // SAFETY: the common contract; after `live` it is a context, and a call has it alone.
    unsafe {
        live(ctx)?;
        let ctx = &mut *ctx;
        ctx.operation.end();
        let (parameter, material) = (parameter?, &live(key)?.material);
        (ctx.key, ctx.role, ctx.waiting) = (key, role, 0);
        ctx.operation.begin(mechanism, direction, &parameter, material, &mut Fpu::new());
        ctx.operation.detach_tag();
    }
    Ok(())
}

/// Whether a caller has said that it takes plaintext before its tag was verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    Safe,
    Unverified,
}

/// A part of a message; returns the bytes written.
unsafe fn part(ctx: *mut kcfaes_ctx, release: Release, src: Bytes, dst: Bytes) -> Result<usize> {
    // SAFETY: the common contract.
    let (ctx, key) =
        unsafe { in_role(ctx, |role| (role == Role::Open) == (release == Release::Unverified))? };
    // SAFETY: the common contract.
    unsafe {
        with_io(src, dst, |io| {
            let Produced::Bytes(n) = ctx.operation.update(key, &mut Fpu::new(), io, KM_SLEEP)?
            else {
                // Only an end leaves it unsaid.
                return Ok(0);
            };
            ctx.waiting = ctx.waiting.wrapping_add(io.src.len()).wrapping_sub(n);
            Ok(n)
        })
    }
}

/// A context with a message in work that may take this call, and the message's key.
unsafe fn in_role<'a>(
    ctx: *mut kcfaes_ctx,
    may: impl FnOnce(Role) -> bool,
) -> Result<(&'a mut kcfaes_ctx, &'a Key)> {
    // SAFETY: the common contract; after `live` it is a context, and a call has it alone.
    let ctx = unsafe {
        live(ctx)?;
        &mut *ctx
    };
    if ctx.operation.ended() {
        return Err(Error::OPERATION_NOT_INITIALIZED);
    }
    if !may(ctx.role) {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract.
    let key = unsafe { live(ctx.key)? };
    Ok((ctx, &key.material))
}

unsafe fn finish(ctx: *mut kcfaes_ctx) -> Result<()> {
    // SAFETY: the common contract.
    let (ctx, key) = unsafe { in_role(ctx, |role| role == Role::Cipher)? };
    ctx.operation.finish(key, &mut Fpu::new(), None)?;
    ctx.operation.end();
    Ok(())
}

/// Lets a message write its last bytes, if there is room for them; returns how many.
unsafe fn rest(ctx: &mut kcfaes_ctx, key: &Key, dst: *mut u8, room: usize) -> Result<usize> {
    if room < ctx.waiting {
        return Err(Error::Room(ctx.waiting));
    }
    let dst = Bytes::Buffer(dst, room).data(&NO_PIECES, room);
    // SAFETY: the common contract.
    let dst = unsafe { Data::new(&dst) };
    let produced = ctx.operation.finish(key, &mut Fpu::new(), Some(&dst))?;
    // Only CTR, which has no tag, leaves unsaid what its end writes: nothing.
    Ok(if let Produced::Bytes(n) = produced { n } else { 0 })
}

/// A context whose message, of this mode, can end with a tag of this length.
unsafe fn ending<'a>(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    role: Role,
    tag_len: usize,
) -> Result<(&'a mut kcfaes_ctx, &'a Key)> {
    // SAFETY: the common contract.
    let (ctx, key) = unsafe { in_role(ctx, |is| is == role)? };
    if ctx.operation.mechanism() != Some(mechanism) {
        return Err(Error::ARGUMENTS_BAD);
    }
    match ctx.operation.tag_len() {
        Some(len) if len != tag_len => Err(Error::MECHANISM_PARAM_INVALID),
        _ => Ok((ctx, key)),
    }
}

unsafe fn seal_final(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    dst: *mut u8,
    room: usize,
    tag: *mut u8,
    tag_len: usize,
) -> Result<usize> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = ending(ctx, mechanism, Role::Seal, tag_len)?;
        let tag = Tag::Write(tag);
        tag.check(mechanism, tag_len)?;
        let written = rest(ctx, key, dst, room)?;
        let computed = ctx.operation.computed_tag().copied();
        let computed = computed.ok_or(Error::OPERATION_NOT_INITIALIZED)?;
        ctx.operation.end();
        tag.settle(tag_len, &computed).map(|()| written)
    }
}

unsafe fn open_final(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    dst: *mut u8,
    room: usize,
    tag: *const u8,
    tag_len: usize,
) -> Result<usize> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = ending(ctx, mechanism, Role::Open, tag_len)?;
        Tag::Verify(tag).check(mechanism, tag_len)?;
        ctx.operation.expect_tag(slice(tag, tag_len)?);
        let result = rest(ctx, key, dst, room);
        if matches!(result, Ok(_) | Err(Error::INVALID_MAC)) {
            ctx.operation.end();
        }
        result
    }
}

unsafe fn mac_final(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    tag: Tag,
    tag_len: usize,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = ending(ctx, mechanism, Role::Mac, tag_len)?;
        tag.check(mechanism, tag_len)?;
        let mut computed = Secret([0; 16]);
        let mut dst = Flat::new(&mut computed.0);
        ctx.operation.finish(key, &mut Fpu::new(), Some(&dst.data()))?;
        ctx.operation.end();
        tag.settle(tag_len, &computed.0)
    }
}
