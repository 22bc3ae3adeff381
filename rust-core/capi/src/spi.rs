// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ops vector: KCF's software provider interface, version 4 (`sys/crypto/spi.h`).
//!
//! Every function returns a `CRYPTO_*` number of `sys/crypto/common.h`. They share these rules:
//! * An output of NULL, or the input's own struct, means in place. Two structs over the same
//!   bytes are allowed too, if the bytes are at the same place in both; other overlap is
//!   `CRYPTO_ARGUMENTS_BAD`.
//! * On success `cd_length` of an output that is not in place is the number of bytes written. On
//!   `CRYPTO_BUFFER_TOO_SMALL` it is the number needed, nothing was consumed, and the call may be
//!   repeated. Any other failure leaves it unchanged. `cd_offset` never changes. In one call on a
//!   context, computing a MAC leaves `cd_length` unchanged, and verifying a GMAC makes it 0, in
//!   place too.
//! * Nothing else of the caller's structs, lists and input bytes is written.
//! * Any thread may call, and an interrupt too. One context serves one call at a time, a template
//!   any number.
//!
//! Common safety contract: pointers are NULL or point to the framework's own, valid structs.
//! Lists are readable, and the bytes they name are readable or writable as their role wants. A
//! context was made by an init function of this module, and a template by
//! `kcfaes_spi_create_ctx_template`.
#![allow(clippy::missing_safety_doc, reason = "the module's common safety contract")]

use core::ffi::{c_int, c_uint, c_void};
use core::ptr::NonNull;

use kcfaes_provider::data::{Data, Flat, Io};
use kcfaes_provider::engine::{Fpu, Material};
use kcfaes_provider::env;
use kcfaes_provider::kcf::{
    CRYPTO_DATA_MBLK, CRYPTO_DATA_RAW, CRYPTO_PROVIDER_READY, CRYPTO_SUCCESS, Error, Result,
    crypto_ctx_t, crypto_data_t, crypto_key_t, crypto_mechanism_t, crypto_provider_handle_t,
    crypto_req_handle_t, crypto_session_id_t, crypto_spi_ctx_template_t,
};
use kcfaes_provider::mode::{Apart, Done, Operation, Produced, same_tag};
use kcfaes_provider::request::{Mechanism, Parameter, check_format, key_bytes};
use kcfaes_provider::stats;
use kcfaes_provider::wipe::{Secret, general_registers};

use crate::context::{Context, Group, HeapKey, Template};

/// Stores `CRYPTO_PROVIDER_READY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_provider_status(
    _provider: crypto_provider_handle_t,
    status: *mut c_uint,
) {
    // SAFETY: the common contract. The status is the only answer.
    if let Some(status) = unsafe { status.as_mut() } {
        *status = CRYPTO_PROVIDER_READY;
    }
}

/// Begins an encryption in parts. The mechanism, its parameter and the key need not outlive the
/// call. The template must outlive the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_encrypt_init(
    ctx: *mut crypto_ctx_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { init(Group::Encrypt, ctx, mechanism, key, template, req) })
}

/// Encrypts a whole message on a context. Success ends the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_encrypt(
    ctx: *mut crypto_ctx_t,
    plaintext: *mut crypto_data_t,
    ciphertext: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { single(Group::Encrypt, ctx, plaintext, ciphertext, req) })
}

/// Encrypts a part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_encrypt_update(
    ctx: *mut crypto_ctx_t,
    plaintext: *mut crypto_data_t,
    ciphertext: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { update(Group::Encrypt, ctx, plaintext, ciphertext, req) })
}

/// Ends an encryption in parts: writes the rest of the text, and the tag. Success ends the
/// context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_encrypt_final(
    ctx: *mut crypto_ctx_t,
    ciphertext: *mut crypto_data_t,
    _req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { finish(Group::Encrypt, ctx, ciphertext) })
}

/// Encrypts a message in one call. With a template the key is not read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_encrypt_atomic(
    _provider: crypto_provider_handle_t,
    _session: crypto_session_id_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    plaintext: *mut crypto_data_t,
    ciphertext: *mut crypto_data_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    let request = Request { group: Group::Encrypt, mechanism, key, template, req };
    // SAFETY: the common contract.
    code(unsafe { atomic(request, plaintext, ciphertext) })
}

/// Begins a decryption in parts; otherwise as `kcfaes_spi_encrypt_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_decrypt_init(
    ctx: *mut crypto_ctx_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { init(Group::Decrypt, ctx, mechanism, key, template, req) })
}

/// Decrypts a whole message on a context. Success and `CRYPTO_INVALID_MAC` end it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_decrypt(
    ctx: *mut crypto_ctx_t,
    ciphertext: *mut crypto_data_t,
    plaintext: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { single(Group::Decrypt, ctx, ciphertext, plaintext, req) })
}

/// Decrypts a part. GCM streams if the first part's output is apart from its input and has room
/// for all of it except the tag. Otherwise nothing is written before `kcfaes_spi_decrypt_final`; CCM
/// never writes before it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_decrypt_update(
    ctx: *mut crypto_ctx_t,
    ciphertext: *mut crypto_data_t,
    plaintext: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { update(Group::Decrypt, ctx, ciphertext, plaintext, req) })
}

/// Ends a decryption in parts. It writes only if the tag is right. Success and
/// `CRYPTO_INVALID_MAC` end the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_decrypt_final(
    ctx: *mut crypto_ctx_t,
    plaintext: *mut crypto_data_t,
    _req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { finish(Group::Decrypt, ctx, plaintext) })
}

/// Decrypts a message in one call. For a forged one it returns `CRYPTO_INVALID_MAC`, and leaves
/// no plaintext: output apart from the input becomes zero, and bytes that are both become the
/// ciphertext again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_decrypt_atomic(
    _provider: crypto_provider_handle_t,
    _session: crypto_session_id_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    ciphertext: *mut crypto_data_t,
    plaintext: *mut crypto_data_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    let request = Request { group: Group::Decrypt, mechanism, key, template, req };
    // SAFETY: the common contract.
    code(unsafe { atomic(request, ciphertext, plaintext) })
}

/// Begins a MAC in parts; otherwise as `kcfaes_spi_encrypt_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_mac_init(
    ctx: *mut crypto_ctx_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { init(Group::Mac, ctx, mechanism, key, template, req) })
}

/// MAC of a whole message on a context. Success ends the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_mac(
    ctx: *mut crypto_ctx_t,
    data: *mut crypto_data_t,
    mac: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { single(Group::Mac, ctx, data, mac, req) })
}

/// Absorbs a part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_mac_update(
    ctx: *mut crypto_ctx_t,
    data: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { update(Group::Mac, ctx, data, core::ptr::null_mut(), req) })
}

/// Ends a MAC in parts. Success ends the context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_mac_final(
    ctx: *mut crypto_ctx_t,
    mac: *mut crypto_data_t,
    _req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { finish(Group::Mac, ctx, mac) })
}

/// MAC of a message in one call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_mac_atomic(
    _provider: crypto_provider_handle_t,
    _session: crypto_session_id_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    data: *mut crypto_data_t,
    mac: *mut crypto_data_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    let request = Request { group: Group::Mac, mechanism, key, template, req };
    // SAFETY: the common contract.
    code(unsafe { atomic(request, data, mac) })
}

/// Verifies the MAC of a message in one call, in constant time. If its length is not the
/// mechanism's, it returns `CRYPTO_INVALID_MAC`, whatever else is wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_mac_verify_atomic(
    _provider: crypto_provider_handle_t,
    _session: crypto_session_id_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    data: *mut crypto_data_t,
    mac: *mut crypto_data_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> c_int {
    let request = Request { group: Group::Mac, mechanism, key, template, req };
    // SAFETY: the common contract.
    code(unsafe { verify(request, data, mac) })
}

/// Makes a template of a key: one flat block from the environment's heap, which KCF itself wipes
/// and frees. The mechanism's parameter is not read, and the template serves every mechanism.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_create_ctx_template(
    _provider: crypto_provider_handle_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: *mut crypto_spi_ctx_template_t,
    size: *mut usize,
    req: crypto_req_handle_t,
) -> c_int {
    // SAFETY: the common contract.
    code(unsafe { create_template(mechanism, key, template, size, req) })
}

/// Ends a context, in any state. A context that has ended already, or never began, stays
/// unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_spi_free_context(ctx: *mut crypto_ctx_t) -> c_int {
    if !ctx.is_null() {
        // SAFETY: the common contract.
        unsafe { free(ctx) };
    }
    code(Ok(()))
}

/// The arguments that every operation in one call has.
#[derive(Clone, Copy)]
struct Request {
    group: Group,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
}

/// The return value of an entry point, computed last.
fn code(result: Result<()>) -> c_int {
    general_registers();
    match result {
        Ok(()) => CRYPTO_SUCCESS,
        Err(error) => {
            stats::failed(error);
            error.code()
        }
    }
}

/// Counts a call on data if it succeeded. [`code`] counts failures.
#[inline(always)]
fn count(mechanism: Option<Mechanism>, bytes: usize, done: &Done) {
    if let (Some(mechanism), Ok(_)) = (mechanism, &done.result) {
        stats::succeeded(mechanism, done.table, done.longest_hold, bytes);
    }
}

/// The value at `at`, shared: concurrent calls may read the same key and mechanism. A member that
/// a call writes (`cd_length`, `cc_provider_private`) is written through the raw pointer.
///
/// # Safety
/// The module's common contract, here and below.
unsafe fn deref<'a, T>(at: *const T) -> Result<&'a T> {
    // SAFETY: the common contract.
    unsafe { at.as_ref() }.ok_or(Error::ARGUMENTS_BAD)
}

/// The mechanism, if the group has it (a CMAC is only verified, not decrypted) and a whole
/// message may have `len` bytes.
#[inline(always)]
fn mechanism_in(group: Group, mechanism: &crypto_mechanism_t, len: usize) -> Result<Mechanism> {
    let which = Mechanism::numbered(mechanism.cm_type)?;
    which.check_len(group.direction(), len)?;
    which.check_parameter(mechanism)?;
    let has = match which {
        Mechanism::Gmac => true,
        Mechanism::Cmac => group != Group::Decrypt,
        _ => group != Group::Mac,
    };
    if has { Ok(which) } else { Err(Error::MECHANISM_INVALID) }
}

/// Whether the output goes to the input's place: KCF passes NULL or the input's own struct.
fn is_in_place(input: *const crypto_data_t, output: *const crypto_data_t) -> bool {
    output.is_null() || output == input
}

unsafe fn io<'a>(
    src: &'a crypto_data_t,
    output: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> Io<'a> {
    let in_place = is_in_place(src, output);
    // SAFETY: the common contract.
    unsafe {
        let dst = if in_place { None } else { Some(Data::new(&*output)) };
        Io { src: Data::new(src), dst, req }
    }
}

/// Tells the caller what was written or would be needed.
unsafe fn report(
    input: *mut crypto_data_t,
    output: *mut crypto_data_t,
    result: Result<Produced>,
) -> Result<()> {
    let in_place = is_in_place(input, output);
    let said = if output.is_null() { input } else { output };
    let len = match result {
        Ok(Produced::Bytes(n)) if !in_place => n,
        Err(Error::Room(needed)) if !said.is_null() => needed,
        // Any other result leaves `cd_length` as it was.
        _ => return result.map(drop),
    };
    // SAFETY: the common contract; the input was checked before.
    unsafe { (*said).cd_length = len };
    result.map(drop)
}

unsafe fn init(
    group: Group,
    ctx: *mut crypto_ctx_t,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: crypto_spi_ctx_template_t,
    req: crypto_req_handle_t,
) -> Result<()> {
    // SAFETY: the common contract.
    let (_, mechanism, key) = unsafe { (deref(ctx)?, deref(mechanism)?, deref(key)?) };
    check_format(key)?;
    let direction = group.direction();
    let which = mechanism_in(group, mechanism, 0)?;
    // SAFETY: the common contract.
    let (shared, bytes) = unsafe {
        if template.is_null() {
            (None, key_bytes(key)?)
        } else {
            (Some(Template::key(template)?), [].as_slice())
        }
    };
    let mut parameter = Parameter::Ecb;
    // SAFETY: the common contract; the mechanism was checked.
    unsafe { which.parameter(direction, mechanism, &mut parameter)? };
    let kmflag = env::kmflag(req);
    let context = Context::new(group, shared, kmflag)?;
    if let Err(error) = context.operation.reserve(direction, &parameter, kmflag) {
        // SAFETY: made just now, and not used again.
        unsafe { Context::free(NonNull::from(context)) };
        return Err(error);
    }
    // Parts of any length will use a key of the context's own.
    let hashed = if shared.is_none() { usize::MAX } else { parameter.total(0) };
    let mut fpu = Fpu::of(hashed);
    if shared.is_none() {
        // SAFETY: made without a template.
        unsafe { context.own_key() }.set(
            &mut fpu,
            bytes,
            if which.hashes() { usize::MAX } else { 0 },
        );
    }
    let (operation, key) = context.parts();
    operation.begin(direction, &parameter, key, &mut fpu);
    // SAFETY: the common contract; it is not NULL.
    unsafe { (*ctx).cc_provider_private = core::ptr::from_mut(context).cast::<c_void>() };
    Ok(())
}

/// Our context in a framework's context, if an init of this group began it.
unsafe fn context<'a>(group: Group, ctx: *mut crypto_ctx_t) -> Result<&'a mut Context> {
    // SAFETY: the common contract: if it is not NULL, it is a context of ours, which serves one
    // call at a time.
    let context = unsafe { deref(ctx)?.cc_provider_private.cast::<Context>().as_mut() };
    context.filter(|context| context.group == group).ok_or(Error::OPERATION_NOT_INITIALIZED)
}

/// Frees the context, if it still exists: an end frees it, and KCF may ask for it again.
unsafe fn free(ctx: *mut crypto_ctx_t) {
    // SAFETY: the common contract; a context of ours that nobody can reach any more.
    unsafe {
        if let Some(context) = NonNull::new((*ctx).cc_provider_private.cast::<Context>()) {
            (*ctx).cc_provider_private = core::ptr::null_mut();
            Context::free(context);
        }
    }
}

/// Ends a message that was right or forged. After a forgery nothing more may come out of it. Any
/// other error leaves the context unchanged: the caller tries again, or KCF frees it.
#[inline(never)]
unsafe fn settle(ctx: *mut crypto_ctx_t, result: &Result<Produced>) {
    if matches!(result, Ok(_) | Err(Error::INVALID_MAC)) {
        // SAFETY: the common contract.
        unsafe { free(ctx) };
    }
}

unsafe fn single(
    group: Group,
    ctx: *mut crypto_ctx_t,
    input: *mut crypto_data_t,
    output: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> Result<()> {
    // SAFETY: the common contract.
    let src = unsafe { deref(input)? };
    // SAFETY: the common contract.
    let (context, io) = unsafe { (context(group, ctx)?, io(src, output, req)) };
    let (operation, key) = context.parts();
    let (mac, mechanism) = (operation.is_mac(), operation.mechanism());
    let done = operation.transform_whole(key, &io);
    count(mechanism, io.src.len(), &done);
    let Done { result, .. } = done;
    // SAFETY: the common contract.
    unsafe { settle(ctx, &result) };
    // In the reference, computing a MAC on a context leaves `cd_length` unchanged. Verifying one
    // makes it 0, as final does, in place too.
    let verifies = mac && group == Group::Decrypt;
    let result = result.map(|n| if mac && !verifies { Produced::Unsaid } else { n });
    let said = if output.is_null() { input } else { output };
    let input = if verifies { core::ptr::null_mut() } else { input };
    // SAFETY: the common contract.
    unsafe { report(input, said, result) }
}

unsafe fn update(
    group: Group,
    ctx: *mut crypto_ctx_t,
    input: *mut crypto_data_t,
    output: *mut crypto_data_t,
    req: crypto_req_handle_t,
) -> Result<()> {
    // SAFETY: the common contract.
    let src = unsafe { deref(input)? };
    // SAFETY: the common contract.
    let (context, io) = unsafe { (context(group, ctx)?, io(src, output, req)) };
    let (operation, key) = context.parts();
    let done = operation.update(key, &io, env::kmflag(req));
    count(operation.mechanism(), io.src.len(), &done);
    // SAFETY: the common contract.
    unsafe { report(input, output, done.result) }
}

unsafe fn finish(group: Group, ctx: *mut crypto_ctx_t, output: *mut crypto_data_t) -> Result<()> {
    // SAFETY: the common contract.
    let (context, dst) = unsafe { (context(group, ctx)?, output.as_ref()) };
    // First of all, as in the reference; also if nothing is to be written.
    if dst.is_some_and(|dst| !(CRYPTO_DATA_RAW..=CRYPTO_DATA_MBLK).contains(&dst.cd_format)) {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract.
    let dst = dst.map(|dst| unsafe { Data::new(dst) });
    let (operation, key) = context.parts();
    let result = {
        let mut fpu = Fpu::of(operation.kept());
        let result = operation.finish(key, &mut fpu, dst.as_ref());
        let done = Done::on(result, &fpu);
        count(operation.mechanism(), 0, &done);
        done.result
    };
    // SAFETY: the common contract.
    unsafe {
        settle(ctx, &result);
        report(core::ptr::null_mut(), output, result)
    }
}

#[inline(always)]
unsafe fn atomic(
    request: Request,
    input: *mut crypto_data_t,
    output: *mut crypto_data_t,
) -> Result<()> {
    // SAFETY: the common contract.
    let src = unsafe { deref(input)? };
    // SAFETY: the common contract.
    unsafe {
        let io = io(src, output, request.req);
        let Request { group, mechanism, key, template, .. } = request;
        report(input, output, one_call(group, mechanism, key, template, &io))
    }
}

/// One message in one call.
#[inline(never)]
unsafe fn one_call(
    group: Group,
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: crypto_spi_ctx_template_t,
    io: &Io<'_>,
) -> Result<Produced> {
    // SAFETY: the common contract.
    let mechanism = unsafe { deref(mechanism)? };
    let which = mechanism_in(group, mechanism, io.src.len())?;
    let direction = group.direction();
    let mut own;
    // SAFETY: the common contract; the mechanism was checked.
    unsafe {
        let (shared, bytes) = if template.is_null() {
            (None, key_bytes(deref(key)?)?)
        } else {
            (Some(Template::key(template)?), [].as_slice())
        };
        let mut parameter = Parameter::Ecb;
        which.parameter_at_once(direction, mechanism, &mut parameter)?;
        let key = match shared {
            Some(key) => Material::Set(key),
            None => {
                own = HeapKey::new(env::kmflag(io.req))?;
                let (key, hashed) = (own.get(), parameter.hashed(io.src.len()));
                Material::Raw { key, bytes, hashed }
            }
        };
        let done = Operation::at_once(direction, &mut parameter, Apart::Nothing, key, io);
        count(Some(which), io.src.len(), &done);
        done.result
    }
}

unsafe fn verify(
    request: Request,
    data: *mut crypto_data_t,
    mac: *mut crypto_data_t,
) -> Result<()> {
    // SAFETY: the common contract.
    let (src, mac) = unsafe { (deref(data)?, deref(mac)?) };
    // First of all, as in the reference.
    if mac.cd_length != 16 {
        return Err(Error::INVALID_MAC);
    }
    let mut computed = Secret([0; 16]);
    let mut out = Flat::new(&mut computed.0);
    // SAFETY: the common contract.
    unsafe {
        let io = Io { src: Data::new(src), dst: Some(out.data()), req: request.req };
        let Request { group, mechanism, key, template, .. } = request;
        one_call(group, mechanism, key, template, &io)?;
    };
    let mut received = [0; 16];
    // SAFETY: the common contract.
    unsafe { Data::new(mac) }.input()?.gather(&mut received);
    same_tag(&computed.0, &received, 16)
}

unsafe fn create_template(
    mechanism: *mut crypto_mechanism_t,
    key: *mut crypto_key_t,
    template: *mut crypto_spi_ctx_template_t,
    size: *mut usize,
    req: crypto_req_handle_t,
) -> Result<()> {
    // SAFETY: the common contract.
    unsafe {
        let (mechanism, key) = (deref(mechanism)?, deref(key)?);
        if template.is_null() || size.is_null() {
            return Err(Error::ARGUMENTS_BAD);
        }
        Mechanism::numbered(mechanism.cm_type)?;
        let bytes = key_bytes(key)?;
        (*template, *size) = Template::create(bytes, env::kmflag(req))?;
    }
    Ok(())
}
