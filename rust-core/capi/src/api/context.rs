// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages in parts.

use core::ffi::c_void;
use core::ptr::NonNull;

use kcfaes_provider::data::{Data, Flat};
use kcfaes_provider::engine::Fpu;
use kcfaes_provider::kcf::{Error, Result};
use kcfaes_provider::key::Key;
use kcfaes_provider::mode::{Operation, Produced};
use kcfaes_provider::request::{Direction, Mechanism, Parameter};
use kcfaes_provider::wipe::{Secret, copy_words};

use super::bytes::{Bytes, NO_PIECES, kcfaes_iovec, read_block, readable, with_io};
use super::ccm::ccm_parameter;
use super::error::{answer, answer_written, kcfaes_rc};
use super::gcm::gcm_parameter;
use super::key::kcfaes_key;
use super::mac::gmac_parameter;
use super::message::Tag;
use super::object::{
    Head, Object, erase, erase_and_free, live, make_in_memory, make_on_heap, room_for,
};

/// A message in parts, in any mode. One thread at a time. The key must stay until the message ends.
/// It must not be copied or moved.
#[cfg_attr(not(kcfaes_artifact = "header"), repr(C))]
pub struct kcfaes_ctx {
    head: Head,
    key: *const kcfaes_key,
    role: Role,
    /// Bytes that were taken but not yet written, less than a block.
    waiting: usize,
    operation: Operation,
}

const _: () = assert!(room_for::<kcfaes_ctx>() <= KCFAES_CTX_SIZE);

impl Object for kcfaes_ctx {
    const SEAL: usize = 0x6b63_6661_6573_6374;
    const ZEROED: bool = true;
}

const _: () = assert!(core::mem::offset_of!(kcfaes_ctx, head) == 0);

/// Makes a context on the heap, with no message begun. KCFAES_HOST_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_new(ctx: *mut *mut kcfaes_ctx) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_on_heap(ctx, |at| fill_ctx(at)) })
}

/// Erases a context and frees it if it came from kcfaes_ctx_new. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_free(ctx: *mut kcfaes_ctx) {
    // SAFETY: the common contract.
    unsafe { erase_and_free(ctx) }
}

/// Erases a context, wherever it lies and in whatever state; later use of it is refused. NULL is
/// fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_wipe(ctx: *mut kcfaes_ctx) {
    // SAFETY: the common contract.
    unsafe { erase(ctx) }
}

/// Bytes of memory that are enough for a context, at any alignment, in every version with this
/// soname.
pub const KCFAES_CTX_SIZE: usize = 512;

/// Bytes of memory that a context takes, at any alignment; at most KCFAES_CTX_SIZE.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_ctx_size() -> usize {
    room_for::<kcfaes_ctx>()
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
    answer(unsafe { make_in_memory(memory, size, ctx, |at| fill_ctx(at)) })
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
    answer(unsafe {
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, 16);
        begin_message(ctx, key, Role::Seal, Direction::Encrypt, parameter)
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
    answer(unsafe {
        let parameter = gcm_parameter(iv, iv_len, aad, aad_len, 16);
        begin_message(ctx, key, Role::Open, Direction::Decrypt, parameter)
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
    answer(unsafe {
        let parameter = ccm_parameter(nonce, nonce_len, aad, aad_len, Ok(text_len), tag_len);
        begin_message(ctx, key, Role::Seal, Direction::Encrypt, parameter)
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
    answer(unsafe {
        let parameter = ccm_parameter(nonce, nonce_len, aad, aad_len, Ok(text_len), tag_len);
        begin_message(ctx, key, Role::Open, Direction::Decrypt, parameter)
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
    answer(unsafe {
        let parameter = gmac_parameter(iv, iv_len);
        begin_message(ctx, key, Role::Mac, Direction::Encrypt, parameter)
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
    answer(unsafe { begin_message(ctx, key, Role::Mac, Direction::Encrypt, parameter) })
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
    answer(unsafe {
        let parameter = read_block(counter).map(|cb| Parameter::Ctr { bits: 128, cb });
        begin_message(ctx, key, Role::Cipher, Direction::Encrypt, parameter)
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
    answer(unsafe {
        let parameter = read_block(iv).map(|iv| Parameter::Cbc { iv });
        begin_message(ctx, key, Role::Cipher, Direction::Encrypt, parameter)
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
    answer(unsafe {
        let parameter = read_block(iv).map(|iv| Parameter::Cbc { iv });
        begin_message(ctx, key, Role::Cipher, Direction::Decrypt, parameter)
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
    answer(unsafe { begin_message(ctx, key, Role::Cipher, Direction::Encrypt, parameter) })
}

/// Begins an AES-ECB message to decrypt in parts: kcfaes_update, kcfaes_final.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ecb_decrypt_init(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
) -> kcfaes_rc {
    let parameter = Ok(Parameter::Ecb);
    // SAFETY: the common contract.
    answer(unsafe { begin_message(ctx, key, Role::Cipher, Direction::Decrypt, parameter) })
}

/// Copies the message that ctx has in work to copy, another context. Both go on with it, each with
/// its own text: so the MAC of a handshake can be ended at several places. A message that copy had
/// in work is abandoned. The key must stay until both messages end.
///
/// KCFAES_ARGUMENTS_BAD: the message encrypts, or is AES-CTR or AES-GMAC. Two ends of it would be
/// two messages with one IV: their texts could be read, or messages be forged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_ctx_copy(
    copy: *mut kcfaes_ctx,
    ctx: *const kcfaes_ctx,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { copy_message(copy, ctx) })
}

/// Gives len more bytes of AAD to an AES-GCM message that has no text yet: after
/// kcfaes_gcm_seal_init or kcfaes_gcm_open_init, whose aad comes first, and before an update with
/// text. The message has the AAD of all these calls together. KCFAES_ARGUMENTS_BAD: text has come,
/// or the message is not AES-GCM; AES-CCM begins with the length of its AAD.
/// KCFAES_DATA_LEN_RANGE: more than 2^61 - 1 bytes in all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_update_aad(
    ctx: *mut kcfaes_ctx,
    aad: *const u8,
    len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { update_aad(ctx, aad, len) })
}

/// Gives len more bytes to a message; any number, 0 too. written becomes the number of bytes at
/// dst: AES-GCM and AES-CTR write len. AES-CCM, AES-CBC and AES-ECB write every block that is
/// complete, at most len + 15, and keep the rest of a block for later.
///
/// KCFAES_BUFFER_TOO_SMALL: room is less than what would be written, written says how much that is,
/// and the call may be repeated. After any other failure written is 0. KCFAES_DATA_LEN_RANGE: too
/// long a text; or, in the modes that keep the rest of a block, a part in place where an earlier one
/// ended within a block, so that the output would begin before it. KCFAES_ARGUMENTS_BAD: the context
/// decrypts AES-GCM or AES-CCM.
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
    unsafe { answer_written(written, || update_message(ctx, Release::Safe, src, dst)) }
}

/// kcfaes_update of an AES-GCM or AES-CCM message that is decrypted: dst is plaintext that nobody
/// has verified. Nothing may depend on it, and it must be thrown away unless kcfaes_gcm_open_final
/// or kcfaes_ccm_open_final succeeds. KCFAES_ARGUMENTS_BAD: the context does something else.
/// KCFAES_ENCRYPTED_DATA_LEN_RANGE: more bytes than an AES-CCM message began with.
/// KCFAES_DATA_LEN_RANGE: more than 2^36 - 32 bytes of AES-GCM.
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
    unsafe { answer_written(written, || update_message(ctx, Release::Unverified, src, dst)) }
}

/// kcfaes_update over pieces.
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
    unsafe { answer_written(written, || update_message(ctx, Release::Safe, src, dst)) }
}

/// kcfaes_update_unverified over pieces.
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
    unsafe { answer_written(written, || update_message(ctx, Release::Unverified, src, dst)) }
}

/// Ends a message of CTR, CBC or ECB. KCFAES_DATA_LEN_RANGE, KCFAES_ENCRYPTED_DATA_LEN_RANGE: CBC
/// or ECB has a part of a block left; the message goes on. After success, here and in the other
/// final functions, the context takes nothing more until another init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_final(ctx: *mut kcfaes_ctx) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { end_cipher(ctx) })
}

/// Ends the encryption of an AES-GCM message: writes the tag. The text is complete, so written
/// becomes 0 and dst is not used; it may be NULL.
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
    unsafe { answer_written(written, || end_seal(ctx, Mechanism::Gcm, dst, room, tag, tag_len)) }
}

/// Ends the decryption of an AES-GCM message: verifies the tag. The text is complete, so written
/// becomes 0 and dst is not used; it may be NULL. KCFAES_INVALID_MAC: the message is not authentic,
/// it has ended, and what kcfaes_update_unverified gave must be thrown away.
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
    unsafe { answer_written(written, || end_open(ctx, Mechanism::Gcm, dst, room, tag, tag_len)) }
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
    unsafe { answer_written(written, || end_seal(ctx, Mechanism::Ccm, dst, room, tag, tag_len)) }
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
    unsafe { answer_written(written, || end_open(ctx, Mechanism::Ccm, dst, room, tag, tag_len)) }
}

/// Ends an AES-GMAC message with its tag.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_gmac_final(
    ctx: *mut kcfaes_ctx,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { end_mac(ctx, Mechanism::Gmac, Tag::Write(tag), tag_len) })
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
    answer(unsafe { end_mac(ctx, Mechanism::Gmac, Tag::Verify(tag), tag_len) })
}

/// Ends an AES-CMAC message with its MAC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_cmac_final(
    ctx: *mut kcfaes_ctx,
    tag: *mut u8,
    tag_len: usize,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { end_mac(ctx, Mechanism::Cmac, Tag::Write(tag), tag_len) })
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
    answer(unsafe { end_mac(ctx, Mechanism::Cmac, Tag::Verify(tag), tag_len) })
}

/// Fills a context.
unsafe fn fill_ctx(at: NonNull<kcfaes_ctx>) -> Result<()> {
    let head = Head { seal: 0, heap: core::ptr::null_mut() };
    let (key, operation) = (core::ptr::null(), Operation::idle());
    // SAFETY: memory for a context, with nothing in it.
    unsafe { at.write(kcfaes_ctx { head, key, role: Role::Cipher, waiting: 0, operation }) };
    Ok(())
}

/// The kind of a context's message, which decides the functions that it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Cipher,
    Seal,
    Open,
    Mac,
}

/// Begins a message. A context whose init failed must not continue under the old IV. So the message that it
/// had in work ends first.
unsafe fn begin_message(
    ctx: *mut kcfaes_ctx,
    key: *const kcfaes_key,
    role: Role,
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
        ctx.operation.begin(direction, &parameter, material, &mut Fpu::new());
        ctx.operation.detach_tag();
    }
    Ok(())
}

/// Makes one context go on with the message of another.
unsafe fn copy_message(copy: *mut kcfaes_ctx, ctx: *const kcfaes_ctx) -> Result<()> {
    // SAFETY: the common contract.
    let ctx = unsafe {
        live(copy)?;
        live(ctx)?
    };
    let operation = &ctx.operation;
    match operation.mechanism() {
        None => return Err(Error::OPERATION_NOT_INITIALIZED),
        Some(Mechanism::Cmac) => {}
        Some(_) if operation.direction() == Direction::Decrypt => {}
        Some(_) => return Err(Error::ARGUMENTS_BAD),
    }
    if core::ptr::eq(copy, ctx) {
        return Ok(());
    }
    // SAFETY: `copy` is another context, which this call has alone. No message of this library has a buffer in
    // its operation, so nothing is owned twice: the tag is always passed apart.
    unsafe {
        let copy = &mut *copy;
        copy.operation.end();
        (copy.key, copy.role, copy.waiting) = (ctx.key, ctx.role, ctx.waiting);
        copy_words(operation, &mut copy.operation);
    }
    Ok(())
}

/// Whether a caller has said that it takes plaintext whose tag is not verified yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    Safe,
    Unverified,
}

/// A part of a message. Returns the number of bytes written.
#[inline(always)]
unsafe fn update_message(
    ctx: *mut kcfaes_ctx,
    release: Release,
    src: Bytes,
    dst: Bytes,
) -> Result<usize> {
    // SAFETY: the common contract.
    let (ctx, key) = unsafe {
        message_in_role(ctx, |role| (role == Role::Open) == (release == Release::Unverified))?
    };
    // SAFETY: the common contract.
    if let Some(run) = unsafe { Bytes::as_run(src, dst) }
        && ctx.operation.update_run(key, run, false).is_some()
    {
        return Ok(run.len());
    }
    // SAFETY: the common contract.
    unsafe { update_in_general(ctx, key, src.again(), dst.again()) }
}

/// [`update_message`] of any part.
#[inline(never)]
unsafe fn update_in_general(
    ctx: &mut kcfaes_ctx,
    key: &Key,
    src: Bytes,
    dst: Bytes,
) -> Result<usize> {
    // SAFETY: the common contract.
    unsafe {
        with_io(src, dst, |io| {
            let Produced::Bytes(n) = ctx.operation.update_all(key, &mut Fpu::new(), io)? else {
                // Only an end leaves the number unsaid.
                return Ok(0);
            };
            ctx.waiting = ctx.waiting.wrapping_add(io.src.len()).wrapping_sub(n);
            Ok(n)
        })
    }
}

/// More AAD of a message.
unsafe fn update_aad(ctx: *mut kcfaes_ctx, aad: *const u8, len: usize) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = message_in_role(ctx, |role| matches!(role, Role::Seal | Role::Open))?;
        ctx.operation.update_aad(key, &mut Fpu::new(), readable(aad, len)?)
    }
}

/// A context with a message in work that may take this call, and the message's key.
unsafe fn message_in_role<'a>(
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

/// Ends a message that has no tag.
unsafe fn end_cipher(ctx: *mut kcfaes_ctx) -> Result<()> {
    // SAFETY: the common contract.
    let (ctx, key) = unsafe { message_in_role(ctx, |role| role == Role::Cipher)? };
    ctx.operation.finish(key, &mut Fpu::new(), None)?;
    ctx.operation.end();
    Ok(())
}

/// Lets a message write its last bytes, if there is room for them. Returns how many.
unsafe fn write_rest(ctx: &mut kcfaes_ctx, key: &Key, dst: *mut u8, room: usize) -> Result<usize> {
    if room < ctx.waiting {
        return Err(Error::Room(ctx.waiting));
    }
    let dst = Bytes::Buffer(dst, room).as_crypto_data(&NO_PIECES, room);
    // SAFETY: the common contract.
    let dst = unsafe { Data::new(&dst) };
    let produced = ctx.operation.finish(key, &mut Fpu::new(), Some(&dst))?;
    // Only CTR, which has no tag, leaves unsaid what its end writes: nothing.
    Ok(if let Produced::Bytes(n) = produced { n } else { 0 })
}

/// A context whose message, of this mode, can end with a tag of this length.
unsafe fn message_to_end<'a>(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    role: Role,
    tag_len: usize,
) -> Result<(&'a mut kcfaes_ctx, &'a Key)> {
    // SAFETY: the common contract.
    let (ctx, key) = unsafe { message_in_role(ctx, |is| is == role)? };
    if ctx.operation.mechanism() != Some(mechanism) {
        return Err(Error::ARGUMENTS_BAD);
    }
    match ctx.operation.tag_len() {
        Some(len) if len != tag_len => Err(Error::MECHANISM_PARAM_INVALID),
        _ => Ok((ctx, key)),
    }
}

/// Ends an encryption: its last bytes and its tag.
unsafe fn end_seal(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    dst: *mut u8,
    room: usize,
    tag: *mut u8,
    tag_len: usize,
) -> Result<usize> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = message_to_end(ctx, mechanism, Role::Seal, tag_len)?;
        let tag = Tag::Write(tag);
        tag.check(mechanism, tag_len)?;
        let written = write_rest(ctx, key, dst, room)?;
        let computed = ctx.operation.computed_tag().copied();
        let computed = computed.ok_or(Error::OPERATION_NOT_INITIALIZED)?;
        ctx.operation.end();
        tag.settle(tag_len, &computed).map(|()| written)
    }
}

/// Ends a decryption: compares the tag, then writes the last bytes.
unsafe fn end_open(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    dst: *mut u8,
    room: usize,
    tag: *const u8,
    tag_len: usize,
) -> Result<usize> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = message_to_end(ctx, mechanism, Role::Open, tag_len)?;
        Tag::Verify(tag).check(mechanism, tag_len)?;
        ctx.operation.expect_tag(readable(tag, tag_len)?);
        let result = write_rest(ctx, key, dst, room);
        if matches!(result, Ok(_) | Err(Error::INVALID_MAC)) {
            ctx.operation.end();
        }
        result
    }
}

/// Ends a MAC, and writes or compares it.
unsafe fn end_mac(
    ctx: *mut kcfaes_ctx,
    mechanism: Mechanism,
    tag: Tag,
    tag_len: usize,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let (ctx, key) = message_to_end(ctx, mechanism, Role::Mac, tag_len)?;
        tag.check(mechanism, tag_len)?;
        let mut computed = Secret([0; 16]);
        let mut dst = Flat::new(&mut computed.0);
        ctx.operation.finish(key, &mut Fpu::new(), Some(&dst.data()))?;
        ctx.operation.end();
        tag.settle(tag_len, &computed.0)
    }
}
