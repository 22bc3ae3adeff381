// SPDX-License-Identifier: MIT OR Apache-2.0
//! A call of the plain C API, in libkcfaes.a.

use core::ffi::c_void;
use core::ptr::null_mut;

use kcfaes_capi::api::kcfaes_rc::{KCFAES_INVALID_MAC, KCFAES_OK};
use kcfaes_capi::api::*;
use kcfaes_ffi_tests::consumer::Way;
use kcfaes_vectors::Mode;

use crate::case::{AAD, Call, Form};
use crate::library::{Operands, TAG, compare as compare_and_wipe, free_key, new_key, unwatched};
use crate::secret::Secret;
use crate::watch::watched;

pub(crate) fn run(call: &Call, secret: &Secret) {
    let text = secret.text(call.len);
    let operands = |way, src: Vec<u8>, tag| Operands {
        mode: call.mode,
        way,
        iv: call.iv(),
        aad: AAD.to_vec(),
        dst: vec![0; src.len() + TAG],
        src,
        in_place: call.form == Form::InPlace,
        tag,
        tag_len: call.tag_len,
    };
    let mut message = match call.way {
        Way::Encrypt => operands(Way::Encrypt, text, [0; TAG]),
        way => {
            let sealing = if way == Way::Mac { Way::Mac } else { Way::Encrypt };
            let mut sealed = operands(sealing, text.clone(), [0; TAG]);
            sealed.in_place = false;
            let key = new_key(&secret.key, &mut unwatched);
            assert!(sealed.whole(key, &mut unwatched) == KCFAES_OK);
            free_key(key, &mut unwatched);
            sealed.dst.truncate(call.len);
            operands(way, if way == Way::Mac { text } else { sealed.dst }, sealed.tag)
        }
    };
    if call.forged {
        secret.forge(&mut message.tag[..call.tag_len]);
    }
    let secrets = [
        (secret.key.as_ptr(), secret.key.len()),
        (message.src.as_ptr(), message.src.len()),
        (message.tag.as_ptr(), TAG),
        (message.dst.as_ptr(), message.dst.len()),
        // In a chain of messages the next IV is ciphertext of this message.
        (message.iv.as_ptr(), if call.mode == Mode::Cbc { message.iv.len() } else { 0 }),
    ];
    let all = watched(&secrets, || {
        let step = &mut unwatched;
        if call.form == Form::Template {
            return with_own_memory(&secret.key, |key| message.whole(key, step));
        }
        let key = new_key(&secret.key, step);
        let rv = match call.form {
            Form::Pieces => message.lists(key, 0, step),
            Form::Parts => message.parts(key, false, step),
            Form::Stored => message.parts(key, true, step),
            Form::Verify => message.verify(key, step),
            Form::Offset => message.ctr_at(key, 5, step),
            Form::Batch if call.mode == Mode::Gcm => message.gcm_batch(key, step),
            Form::Batch => {
                let other = new_key(&[0x33; 16], step);
                let rv = message.batch(key, other, step);
                free_key(other, step);
                rv
            }
            _ => message.whole(key, step),
        };
        free_key(key, step);
        rv
    });
    assert!(all == if call.forged { KCFAES_INVALID_MAC } else { KCFAES_OK });
}

/// Compares two secrets and erases one. One of the secrets that a case runs with makes them equal.
pub(crate) fn compare(secret: &Secret, len: usize) {
    let (text, mut other) = (secret.text(len), secret.text(len));
    let equal = secret.wrong == 15;
    if !equal {
        secret.forge(&mut other);
    }
    let secrets = [(text.as_ptr(), len), (other.as_ptr(), len)];
    let same = watched(&secrets, || compare_and_wipe(&text, &mut other, &mut unwatched));
    assert!(same == equal && other.iter().all(|&byte| byte == 0));
}

fn with_own_memory(bytes: &[u8], work: impl FnOnce(*const kcfaes_key) -> kcfaes_rc) -> kcfaes_rc {
    let mut memory = vec![0_u64; KCFAES_KEY_SIZE / 8];
    let (at, mut key) = (memory.as_mut_ptr().cast::<c_void>(), null_mut());
    // SAFETY: the memory is as large as stated, and the pointers have as many bytes.
    unsafe {
        let rv = kcfaes_key_init(at, KCFAES_KEY_SIZE, bytes.as_ptr(), bytes.len(), &raw mut key);
        assert!(rv == KCFAES_OK);
        let rv = work(key);
        kcfaes_key_wipe(key);
        rv
    }
}
