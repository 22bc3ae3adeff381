// SPDX-License-Identifier: MIT OR Apache-2.0
//! A call of the plain C API, in libkcfaes.a.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use kcfaes_capi::api::kcfaes_rc::{KCFAES_INVALID_MAC, KCFAES_OK};
use kcfaes_capi::api::*;
use kcfaes_ffi_tests::consumer::Way;
use kcfaes_vectors::Mode;

use crate::case::{AAD, Call, Form};
use crate::secret::Secret;
use crate::watch::watched;

const TAG: usize = 16;

/// What a call works on.
struct Message {
    mode: Mode,
    way: Way,
    iv: Vec<u8>,
    src: Vec<u8>,
    dst: Vec<u8>,
    tag: [u8; TAG],
}

pub(crate) fn run(call: &Call, secret: &Secret) {
    let text = secret.text(call.len);
    let message = |way, src: Vec<u8>, tag| {
        let dst = vec![0; src.len() + TAG];
        Message { mode: call.mode, way, iv: call.iv(), src, dst, tag }
    };
    // SAFETY: every call below has pointers to what is alive and as long as it says.
    unsafe {
        let mut message = match call.way {
            Way::Encrypt => message(Way::Encrypt, text, [0; TAG]),
            way => {
                let sealing = if way == Way::Mac { Way::Mac } else { Way::Encrypt };
                let mut sealed = message(sealing, text.clone(), [0; TAG]);
                let key = new_key(&secret.key);
                assert!(sealed.whole(key) == KCFAES_OK);
                kcfaes_key_free(key);
                sealed.dst.truncate(call.len);
                message(way, if way == Way::Mac { text } else { sealed.dst }, sealed.tag)
            }
        };
        if call.forged {
            secret.forge(&mut message.tag);
        }
        let secrets = [
            (secret.key.as_ptr(), secret.key.len()),
            (message.src.as_ptr(), message.src.len()),
            (message.tag.as_ptr(), TAG),
            (message.dst.as_ptr(), message.dst.len()),
            // Of a chain of messages the next IV is ciphertext of this one.
            (message.iv.as_ptr(), if call.mode == Mode::Cbc { message.iv.len() } else { 0 }),
        ];
        let all = watched(&secrets, || match call.form {
            Form::Template => with_own_memory(&secret.key, |key| message.whole(key)),
            form => {
                let key = new_key(&secret.key);
                let rv = match form {
                    Form::Pieces => message.pieces(key),
                    Form::Parts => message.parts(key, false),
                    Form::Stored => message.parts(key, true),
                    Form::Batch => message.batch(key),
                    Form::Verify => message.verify(key),
                    _ => message.whole(key),
                };
                kcfaes_key_free(key);
                rv
            }
        });
        assert!(all == if call.forged { KCFAES_INVALID_MAC } else { KCFAES_OK });
    }
}

unsafe fn new_key(bytes: &[u8]) -> *mut kcfaes_key {
    let mut key = null_mut();
    // SAFETY: as in `run`; likewise below.
    unsafe { assert!(kcfaes_key_new(bytes.as_ptr(), bytes.len(), &mut key) == KCFAES_OK) };
    key
}

unsafe fn with_own_memory(
    bytes: &[u8],
    work: impl FnOnce(*const kcfaes_key) -> kcfaes_rc,
) -> kcfaes_rc {
    let mut memory = vec![0_u64; KCFAES_KEY_SIZE / 8];
    let (at, mut key) = (memory.as_mut_ptr().cast::<c_void>(), null_mut());
    // SAFETY: as in `run`.
    unsafe {
        let rv = kcfaes_key_init(at, KCFAES_KEY_SIZE, bytes.as_ptr(), bytes.len(), &mut key);
        assert!(rv == KCFAES_OK);
        let rv = work(key);
        kcfaes_key_wipe(key);
        rv
    }
}

/// Three pieces of `len` bytes from `at` on.
unsafe fn list(at: *const u8, len: usize) -> [kcfaes_iovec; 3] {
    let mut from = 0;
    let mut pieces = Call::pieces(len).into_iter();
    core::array::from_fn(|_| {
        let len = pieces.next().unwrap_or_default();
        // SAFETY: inside the bytes.
        let base = unsafe { at.add(from) }.cast_mut().cast();
        from += len;
        kcfaes_iovec { base, len }
    })
}

// SAFETY of every block below: as in `run`.
impl Message {
    unsafe fn whole(&mut self, key: *const kcfaes_key) -> kcfaes_rc {
        let (iv, iv_len) = (self.iv.as_mut_ptr(), self.iv.len());
        let (src, len, dst) = (self.src.as_ptr(), self.src.len(), self.dst.as_mut_ptr());
        let (aad, n, tag) = (AAD.as_ptr(), AAD.len(), self.tag.as_mut_ptr());
        let encrypt = self.way == Way::Encrypt;
        // SAFETY: see above.
        unsafe {
            match self.mode {
                Mode::Ecb if encrypt => kcfaes_ecb_encrypt(key, src, len, dst),
                Mode::Ecb => kcfaes_ecb_decrypt(key, src, len, dst),
                Mode::Cbc if encrypt => kcfaes_cbc_encrypt(key, iv, src, len, dst),
                Mode::Cbc => kcfaes_cbc_decrypt(key, iv, src, len, dst),
                Mode::Ctr => kcfaes_ctr(key, iv, src, len, dst),
                Mode::Gcm if encrypt => {
                    kcfaes_gcm_seal(key, iv, iv_len, aad, n, src, len, dst, tag, TAG)
                }
                Mode::Gcm => kcfaes_gcm_open(key, iv, iv_len, aad, n, src, len, dst, tag, TAG),
                Mode::Ccm if encrypt => {
                    kcfaes_ccm_seal(key, iv, iv_len, aad, n, src, len, dst, tag, TAG)
                }
                Mode::Ccm => kcfaes_ccm_open(key, iv, iv_len, aad, n, src, len, dst, tag, TAG),
                Mode::Gmac => kcfaes_gmac(key, iv, iv_len, src, len, tag, TAG),
                Mode::Cmac => kcfaes_cmac(key, src, len, tag, TAG),
            }
        }
    }

    unsafe fn pieces(&mut self, key: *const kcfaes_key) -> kcfaes_rc {
        let (iv, iv_len) = (self.iv.as_mut_ptr(), self.iv.len());
        // SAFETY: see above.
        let (from, to) = unsafe {
            let len = self.src.len();
            (list(self.src.as_ptr(), len), list(self.dst.as_ptr().add(1), len))
        };
        let (src, dst) = (from.as_ptr(), to.as_ptr());
        let (aad, n, tag) = (AAD.as_ptr(), AAD.len(), self.tag.as_mut_ptr());
        let encrypt = self.way == Way::Encrypt;
        // SAFETY: see above.
        unsafe {
            match self.mode {
                Mode::Ecb if encrypt => kcfaes_ecb_encrypt_iov(key, src, 3, dst, 3),
                Mode::Ecb => kcfaes_ecb_decrypt_iov(key, src, 3, dst, 3),
                Mode::Cbc if encrypt => kcfaes_cbc_encrypt_iov(key, iv, src, 3, dst, 3),
                Mode::Cbc => kcfaes_cbc_decrypt_iov(key, iv, src, 3, dst, 3),
                Mode::Ctr => kcfaes_ctr_iov(key, iv, src, 3, dst, 3),
                Mode::Gcm if encrypt => {
                    kcfaes_gcm_seal_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, TAG)
                }
                Mode::Gcm => kcfaes_gcm_open_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, TAG),
                Mode::Ccm if encrypt => {
                    kcfaes_ccm_seal_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, TAG)
                }
                Mode::Ccm => kcfaes_ccm_open_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, TAG),
                Mode::Gmac => kcfaes_gmac_iov(key, iv, iv_len, src, 3, tag, TAG),
                Mode::Cmac => kcfaes_cmac_iov(key, src, 3, tag, TAG),
            }
        }
    }

    /// In two parts, the second a list where `lists` is set.
    unsafe fn parts(&mut self, key: *const kcfaes_key, lists: bool) -> kcfaes_rc {
        let (iv, iv_len) = (self.iv.as_ptr(), self.iv.len());
        let (aad, n, tag) = (AAD.as_ptr(), AAD.len(), self.tag.as_mut_ptr());
        let (encrypt, open) =
            (self.way == Way::Encrypt, self.mode.is_aead() && self.way == Way::Decrypt);
        let len = self.src.len();
        let (mut ctx, mut given) = (null_mut(), 0);
        // SAFETY: see above.
        unsafe {
            assert!(kcfaes_ctx_new(&mut ctx) == KCFAES_OK);
            let rv = match self.mode {
                Mode::Ecb if encrypt => kcfaes_ecb_encrypt_init(ctx, key),
                Mode::Ecb => kcfaes_ecb_decrypt_init(ctx, key),
                Mode::Cbc if encrypt => kcfaes_cbc_encrypt_init(ctx, key, iv),
                Mode::Cbc => kcfaes_cbc_decrypt_init(ctx, key, iv),
                Mode::Ctr => kcfaes_ctr_init(ctx, key, iv),
                Mode::Gcm if open => kcfaes_gcm_open_init(ctx, key, iv, iv_len, aad, n),
                Mode::Gcm => kcfaes_gcm_seal_init(ctx, key, iv, iv_len, aad, n),
                Mode::Ccm => {
                    let init = if open { kcfaes_ccm_open_init } else { kcfaes_ccm_seal_init };
                    init(ctx, key, iv, iv_len, aad, n, len as u64, TAG)
                }
                Mode::Gmac => kcfaes_gmac_init(ctx, key, iv, iv_len),
                Mode::Cmac => kcfaes_cmac_init(ctx, key),
            };
            assert!(rv == KCFAES_OK);
            let half = len / 2;
            for (i, (from, len)) in [(0, half), (half, len - half)].into_iter().enumerate() {
                let (src, dst) = (self.src.as_ptr().add(from), self.dst.as_mut_ptr().add(given));
                let room = self.dst.len() - given;
                let mut written = 0;
                let rv = if lists && i == 1 {
                    let (from, to) = (list(src, len), list(dst, room));
                    let update =
                        if open { kcfaes_update_unverified_iov } else { kcfaes_update_iov };
                    update(ctx, from.as_ptr(), 3, to.as_ptr(), 3, &mut written)
                } else {
                    let update = if open { kcfaes_update_unverified } else { kcfaes_update };
                    update(ctx, src, len, dst, room, &mut written)
                };
                assert!(rv == KCFAES_OK);
                given += written;
            }
            let (dst, room) = (self.dst.as_mut_ptr().add(given), self.dst.len() - given);
            let mut written = 0;
            let rv = match self.mode {
                Mode::Gcm if open => kcfaes_gcm_open_final(ctx, dst, room, &mut written, tag, TAG),
                Mode::Gcm => kcfaes_gcm_seal_final(ctx, dst, room, &mut written, tag, TAG),
                Mode::Ccm if open => kcfaes_ccm_open_final(ctx, dst, room, &mut written, tag, TAG),
                Mode::Ccm => kcfaes_ccm_seal_final(ctx, dst, room, &mut written, tag, TAG),
                Mode::Gmac => kcfaes_gmac_final(ctx, tag, TAG),
                Mode::Cmac => kcfaes_cmac_final(ctx, tag, TAG),
                _ => kcfaes_final(ctx),
            };
            kcfaes_ctx_wipe(ctx);
            kcfaes_ctx_free(ctx);
            rv
        }
    }

    /// A MAC in one call, over a list, and in parts.
    unsafe fn verify(&mut self, key: *const kcfaes_key) -> kcfaes_rc {
        let (iv, iv_len, tag) = (self.iv.as_ptr(), self.iv.len(), self.tag.as_ptr());
        let (src, len) = (self.src.as_ptr(), self.src.len());
        let (mut ctx, mut written) = (null_mut(), 0);
        // SAFETY: see above.
        unsafe {
            let pieces = list(src, len);
            let pieces = pieces.as_ptr();
            assert!(kcfaes_ctx_new(&mut ctx) == KCFAES_OK);
            let rv = if self.mode == Mode::Gmac {
                _ = kcfaes_gmac_init(ctx, key, iv, iv_len);
                _ = kcfaes_update(ctx, src, len, null_mut(), 0, &mut written);
                _ = kcfaes_gmac_verify_final(ctx, tag, TAG);
                _ = kcfaes_gmac_verify_iov(key, iv, iv_len, pieces, 3, tag, TAG);
                kcfaes_gmac_verify(key, iv, iv_len, src, len, tag, TAG)
            } else {
                _ = kcfaes_cmac_init(ctx, key);
                _ = kcfaes_update(ctx, src, len, null_mut(), 0, &mut written);
                _ = kcfaes_cmac_verify_final(ctx, tag, TAG);
                _ = kcfaes_cmac_verify_iov(key, pieces, 3, tag, TAG);
                kcfaes_cmac_verify(key, src, len, tag, TAG)
            };
            kcfaes_ctx_free(ctx);
            rv
        }
    }

    /// 16 messages, all with one key, and then each second one with another.
    unsafe fn batch(&mut self, key: *const kcfaes_key) -> kcfaes_rc {
        let len = self.src.len();
        let mut room = vec![0; 16 * len.max(1)];
        let other = [0x33; 16];
        // SAFETY: see above.
        unsafe {
            let other = new_key(&other);
            let mut rv = KCFAES_OK;
            for keys in [[key, key], [key, other]] {
                let mut jobs: Vec<_> = (0..16)
                    .map(|i| kcfaes_cbc_job {
                        key: keys[i % 2],
                        src: if len == 0 { null() } else { self.src.as_ptr() },
                        dst: room.as_mut_ptr().add(i * len),
                        // One is shorter.
                        len: if i == 3 { len / 32 * 16 } else { len },
                        iv: [i as u8; 16],
                    })
                    .collect();
                rv = kcfaes_cbc_encrypt_batch(jobs.as_mut_ptr(), jobs.len());
                if rv != KCFAES_OK {
                    break;
                }
            }
            kcfaes_key_free(other);
            rv
        }
    }
}
