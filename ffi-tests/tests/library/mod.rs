// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calls of the plain C API with one message: in one call, as lists, in parts, as a batch, and the
//! calls that only verify. Each goes through a [`Step`], so that a watcher sees each call separately.
#![allow(dead_code, reason = "each program uses a part")]

use core::ptr::{null, null_mut};

use kcfaes_capi::api::kcfaes_rc::KCFAES_OK;
use kcfaes_capi::api::*;
use kcfaes_ffi_tests::consumer::Way;
use kcfaes_vectors::Mode;

/// Makes one call with this name, and returns its answer.
pub(crate) type Step<'a> = &'a mut dyn FnMut(&str, &mut dyn FnMut() -> kcfaes_rc) -> kcfaes_rc;

/// Makes the call and nothing else.
pub(crate) fn unwatched(_: &str, call: &mut dyn FnMut() -> kcfaes_rc) -> kcfaes_rc {
    call()
}

/// Room for the longest tag.
pub(crate) const TAG: usize = 16;

/// The data of the calls.
#[derive(Clone)]
pub(crate) struct Operands {
    pub(crate) mode: Mode,
    pub(crate) way: Way,
    pub(crate) iv: Vec<u8>,
    pub(crate) aad: Vec<u8>,
    pub(crate) src: Vec<u8>,
    /// As long as `src` and a tag. Not used if the calls work in place.
    pub(crate) dst: Vec<u8>,
    pub(crate) in_place: bool,
    pub(crate) tag: [u8; TAG],
    pub(crate) tag_len: usize,
}

/// Three pieces, none of full blocks where the length allows.
pub(crate) fn pieces(len: usize) -> [usize; 3] {
    let (first, second) = (len / 3, len / 5 * 2);
    [first, second, len - first - second]
}

/// `len` bytes from `at` on, in three pieces.
fn list(at: *const u8, len: usize) -> [kcfaes_iovec; 3] {
    let mut from = 0;
    pieces(len).map(|len| {
        let base = at.wrapping_add(from).cast_mut().cast();
        from += len;
        kcfaes_iovec { base, len }
    })
}

/// A key on the heap.
pub(crate) fn new_key(bytes: &[u8], step: Step<'_>) -> *mut kcfaes_key {
    let mut key = null_mut();
    // SAFETY: `bytes` has that length.
    let rv = step("key_new", &mut || unsafe {
        kcfaes_key_new(bytes.as_ptr(), bytes.len(), &raw mut key)
    });
    assert!(rv == KCFAES_OK);
    key
}

// The functions are safe to call with a live key, or with NULL, which is refused.
// SAFETY of every block below: pointers to live data that is as long as stated.
impl Operands {
    fn encrypts(&self) -> bool {
        self.way == Way::Encrypt
    }

    /// Whether a tag is verified before its text counts.
    fn opens(&self) -> bool {
        self.mode.is_aead() && self.way == Way::Decrypt
    }

    fn to(&mut self) -> *mut u8 {
        self.output().as_mut_ptr()
    }

    fn output(&mut self) -> &mut [u8] {
        if self.in_place { &mut self.src } else { &mut self.dst }
    }

    /// In one call.
    pub(crate) fn whole(&mut self, key: *const kcfaes_key, step: Step<'_>) -> kcfaes_rc {
        let (encrypt, dst, t) = (self.encrypts(), self.to(), self.tag_len);
        let (iv, iv_len) = (self.iv.as_mut_ptr(), self.iv.len());
        let (aad, n, tag) = (self.aad.as_ptr(), self.aad.len(), self.tag.as_mut_ptr());
        let (src, len) = (self.src.as_ptr(), self.src.len());
        // SAFETY: see above.
        step("whole", &mut || unsafe {
            match self.mode {
                Mode::Ecb if encrypt => kcfaes_ecb_encrypt(key, src, len, dst),
                Mode::Ecb => kcfaes_ecb_decrypt(key, src, len, dst),
                Mode::Cbc if encrypt => kcfaes_cbc_encrypt(key, iv, src, len, dst),
                Mode::Cbc => kcfaes_cbc_decrypt(key, iv, src, len, dst),
                Mode::Ctr => kcfaes_ctr(key, iv, src, len, dst),
                Mode::Gcm if encrypt => {
                    kcfaes_gcm_seal(key, iv, iv_len, aad, n, src, len, dst, tag, t)
                }
                Mode::Gcm => kcfaes_gcm_open(key, iv, iv_len, aad, n, src, len, dst, tag, t),
                Mode::Ccm if encrypt => {
                    kcfaes_ccm_seal(key, iv, iv_len, aad, n, src, len, dst, tag, t)
                }
                Mode::Ccm => kcfaes_ccm_open(key, iv, iv_len, aad, n, src, len, dst, tag, t),
                Mode::Gmac => kcfaes_gmac(key, iv, iv_len, src, len, tag, t),
                Mode::Cmac => kcfaes_cmac(key, src, len, tag, t),
            }
        })
    }

    /// In one call, as lists, with `less` bytes of room fewer than needed.
    pub(crate) fn lists(
        &mut self,
        key: *const kcfaes_key,
        less: usize,
        step: Step<'_>,
    ) -> kcfaes_rc {
        let (encrypt, t) = (self.encrypts(), self.tag_len);
        // Apart, the pieces of the two lists end at different places of a cache line.
        let to = self.to().wrapping_add(usize::from(!self.in_place));
        let (iv, iv_len) = (self.iv.as_mut_ptr(), self.iv.len());
        let (aad, n, tag) = (self.aad.as_ptr(), self.aad.len(), self.tag.as_mut_ptr());
        let len = self.src.len();
        let (from, to) = (list(self.src.as_ptr(), len), list(to, len - less));
        let (src, dst) = (from.as_ptr(), to.as_ptr());
        // SAFETY: see above.
        step("lists", &mut || unsafe {
            match self.mode {
                Mode::Ecb if encrypt => kcfaes_ecb_encrypt_iov(key, src, 3, dst, 3),
                Mode::Ecb => kcfaes_ecb_decrypt_iov(key, src, 3, dst, 3),
                Mode::Cbc if encrypt => kcfaes_cbc_encrypt_iov(key, iv, src, 3, dst, 3),
                Mode::Cbc => kcfaes_cbc_decrypt_iov(key, iv, src, 3, dst, 3),
                Mode::Ctr => kcfaes_ctr_iov(key, iv, src, 3, dst, 3),
                Mode::Gcm if encrypt => {
                    kcfaes_gcm_seal_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, t)
                }
                Mode::Gcm => kcfaes_gcm_open_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, t),
                Mode::Ccm if encrypt => {
                    kcfaes_ccm_seal_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, t)
                }
                Mode::Ccm => kcfaes_ccm_open_iov(key, iv, iv_len, aad, n, src, 3, dst, 3, tag, t),
                Mode::Gmac => kcfaes_gmac_iov(key, iv, iv_len, src, 3, tag, t),
                Mode::Cmac => kcfaes_cmac_iov(key, src, 3, tag, t),
            }
        })
    }

    /// CTR in one call, as the part of a text that begins `offset` bytes into it.
    pub(crate) fn ctr_at(
        &mut self,
        key: *const kcfaes_key,
        offset: u64,
        step: Step<'_>,
    ) -> kcfaes_rc {
        let (iv, dst) = (self.iv.as_ptr(), self.to());
        let (src, len) = (self.src.as_ptr(), self.src.len());
        let (from, to) = (list(src, len), list(dst, len));
        // SAFETY: see above.
        let rv = step("ctr_at_lists", &mut || unsafe {
            kcfaes_ctr_at_iov(key, iv, offset, from.as_ptr(), 3, to.as_ptr(), 3)
        });
        assert!(rv == KCFAES_OK);
        // SAFETY: see above.
        step("ctr_at", &mut || unsafe { kcfaes_ctr_at(key, iv, offset, src, len, dst) })
    }

    /// Whether an update gives every byte that it takes.
    fn gives_all(&self) -> bool {
        matches!(self.mode, Mode::Gcm | Mode::Ctr)
    }

    /// Whether a message in parts may be copied.
    fn may_be_copied(&self) -> bool {
        self.mode == Mode::Cmac || self.way == Way::Decrypt && self.mode != Mode::Ctr
    }

    /// Begins the message on a context; its AAD comes in parts, if the mode has it and `in_parts` is set.
    fn begin(
        &self,
        ctx: *mut kcfaes_ctx,
        key: *const kcfaes_key,
        in_parts: bool,
        step: Step<'_>,
    ) -> kcfaes_rc {
        let (encrypt, open) = (self.encrypts(), self.opens());
        let (iv, iv_len) = (self.iv.as_ptr(), self.iv.len());
        let (aad, all, t) = (self.aad.as_ptr(), self.aad.len(), self.tag_len);
        let in_parts = in_parts && self.mode == Mode::Gcm;
        let n = if in_parts { all / 3 } else { all };
        let len = self.src.len() as u64;
        // SAFETY: see above.
        let rv = step("init", &mut || unsafe {
            match self.mode {
                Mode::Ecb if encrypt => kcfaes_ecb_encrypt_init(ctx, key),
                Mode::Ecb => kcfaes_ecb_decrypt_init(ctx, key),
                Mode::Cbc if encrypt => kcfaes_cbc_encrypt_init(ctx, key, iv),
                Mode::Cbc => kcfaes_cbc_decrypt_init(ctx, key, iv),
                Mode::Ctr => kcfaes_ctr_init(ctx, key, iv),
                Mode::Gcm if open => kcfaes_gcm_open_init(ctx, key, iv, iv_len, aad, n),
                Mode::Gcm => kcfaes_gcm_seal_init(ctx, key, iv, iv_len, aad, n),
                Mode::Ccm if open => kcfaes_ccm_open_init(ctx, key, iv, iv_len, aad, n, len, t),
                Mode::Ccm => kcfaes_ccm_seal_init(ctx, key, iv, iv_len, aad, n, len, t),
                Mode::Gmac => kcfaes_gmac_init(ctx, key, iv, iv_len),
                Mode::Cmac => kcfaes_cmac_init(ctx, key),
            }
        });
        if in_parts {
            let mut at = n;
            for more in pieces(all - n) {
                let aad = aad.wrapping_add(at);
                // SAFETY: see above.
                let rv = step("update_aad", &mut || unsafe { kcfaes_update_aad(ctx, aad, more) });
                assert!(rv == KCFAES_OK);
                at += more;
            }
        }
        rv
    }

    /// Passes a part that starts at `from` to the context, as lists or not. Returns the bytes written at
    /// `given`.
    fn part(
        &mut self,
        ctx: *mut kcfaes_ctx,
        (from, len): (usize, usize),
        given: usize,
        lists: bool,
        step: Step<'_>,
    ) -> usize {
        let open = self.opens();
        let (src, dst) = (self.src.as_ptr().wrapping_add(from), self.to().wrapping_add(given));
        let room = self.output().len() - given;
        let (from, to) = (list(src, len), list(dst, room));
        let mut written = 0;
        // SAFETY: see above.
        let rv = step("update", &mut || unsafe {
            if lists {
                let update = if open { kcfaes_update_unverified_iov } else { kcfaes_update_iov };
                update(ctx, from.as_ptr(), 3, to.as_ptr(), 3, &raw mut written)
            } else {
                let update = if open { kcfaes_update_unverified } else { kcfaes_update };
                update(ctx, src, len, dst, room, &raw mut written)
            }
        });
        assert!(rv == KCFAES_OK);
        written
    }

    /// In parts. If `lists` is set, the last one is lists, AAD comes in parts too, and a message that may be
    /// copied goes on in a copy. In place each part has full blocks, where a rest of a block would wait.
    pub(crate) fn parts(
        &mut self,
        key: *const kcfaes_key,
        lists: bool,
        step: Step<'_>,
    ) -> kcfaes_rc {
        let open = self.opens();
        let (len, t) = (self.src.len(), self.tag_len);
        let whole = self.in_place && !self.gives_all();
        let half = if whole { (len / 2) & !15 } else { len / 2 };
        // A part that neither begins nor ends with a block.
        let some = if whole { 0 } else { (len - half).min(3) };
        let (mut ctx, mut given) = (null_mut(), 0);
        // SAFETY: see above.
        let rv = step("ctx_new", &mut || unsafe { kcfaes_ctx_new(&raw mut ctx) });
        assert!(rv == KCFAES_OK);
        assert!(self.begin(ctx, key, lists, step) == KCFAES_OK);
        given += self.part(ctx, (0, half), given, false, step);
        given += self.part(ctx, (half, some), given, false, step);
        if lists && self.may_be_copied() {
            ctx = copied(ctx, step);
        }
        let rest = (half + some, len - half - some);
        given += self.part(ctx, rest, given, lists, step);
        let (dst, room) = (self.to().wrapping_add(given), self.output().len() - given);
        let (tag, mut written) = (self.tag.as_mut_ptr(), 0);
        let end = &raw mut written;
        // SAFETY: see above.
        let rv = step("final", &mut || unsafe {
            match self.mode {
                Mode::Gcm if open => kcfaes_gcm_open_final(ctx, dst, room, end, tag, t),
                Mode::Gcm => kcfaes_gcm_seal_final(ctx, dst, room, end, tag, t),
                Mode::Ccm if open => kcfaes_ccm_open_final(ctx, dst, room, end, tag, t),
                Mode::Ccm => kcfaes_ccm_seal_final(ctx, dst, room, end, tag, t),
                Mode::Gmac => kcfaes_gmac_final(ctx, tag, t),
                Mode::Cmac => kcfaes_cmac_final(ctx, tag, t),
                _ => kcfaes_final(ctx),
            }
        });
        free(ctx, step);
        rv
    }

    /// Begun, given a part that ends within a block, and abandoned.
    pub(crate) fn cancelled(&mut self, key: *const kcfaes_key, step: Step<'_>) {
        let mut ctx = null_mut();
        // SAFETY: see above.
        let rv = step("ctx_new", &mut || unsafe { kcfaes_ctx_new(&raw mut ctx) });
        assert!(rv == KCFAES_OK);
        assert!(self.begin(ctx, key, false, step) == KCFAES_OK);
        self.part(ctx, (0, self.src.len().min(21)), 0, false, step);
        free(ctx, step);
    }

    /// A MAC in one call, over a list, and in parts. Returns the answer of the last call.
    pub(crate) fn verify(&mut self, key: *const kcfaes_key, step: Step<'_>) -> kcfaes_rc {
        let (iv, iv_len) = (self.iv.as_ptr(), self.iv.len());
        let (tag, t) = (self.tag.as_ptr(), self.tag_len);
        let (src, len) = (self.src.as_ptr(), self.src.len());
        let gmac = self.mode == Mode::Gmac;
        let mut ctx = null_mut();
        // SAFETY: see above.
        let rv = step("ctx_new", &mut || unsafe { kcfaes_ctx_new(&raw mut ctx) });
        assert!(rv == KCFAES_OK);
        assert!(self.begin(ctx, key, false, step) == KCFAES_OK);
        self.part(ctx, (0, len), 0, false, step);
        // SAFETY: see above.
        step("verify_final", &mut || unsafe {
            if gmac {
                kcfaes_gmac_verify_final(ctx, tag, t)
            } else {
                kcfaes_cmac_verify_final(ctx, tag, t)
            }
        });
        free(ctx, step);
        let pieces = list(src, len);
        let list = pieces.as_ptr();
        // SAFETY: see above.
        step("verify_lists", &mut || unsafe {
            if gmac {
                kcfaes_gmac_verify_iov(key, iv, iv_len, list, 3, tag, t)
            } else {
                kcfaes_cmac_verify_iov(key, list, 3, tag, t)
            }
        });
        // SAFETY: see above.
        step("verify", &mut || unsafe {
            if gmac {
                kcfaes_gmac_verify(key, iv, iv_len, src, len, tag, t)
            } else {
                kcfaes_cmac_verify(key, src, len, tag, t)
            }
        })
    }

    /// 16 messages, all with one key; then every second one with another key. `dst` becomes the output.
    pub(crate) fn batch(
        &mut self,
        key: *const kcfaes_key,
        other: *const kcfaes_key,
        step: Step<'_>,
    ) -> kcfaes_rc {
        let len = self.src.len();
        self.dst = vec![0; 16 * len.max(1)];
        let mut rv = KCFAES_OK;
        for keys in [[key, key], [key, other]] {
            let mut jobs: Vec<_> = (0..16)
                .map(|i| kcfaes_cbc_job {
                    key: keys[i % 2],
                    src: if len == 0 { null() } else { self.src.as_ptr() },
                    dst: self.dst.as_mut_ptr().wrapping_add(i * len),
                    // One is shorter.
                    len: if i == 3 { len / 32 * 16 } else { len },
                    iv: [i as u8; 16],
                })
                .collect();
            // SAFETY: see above.
            rv = step("batch", &mut || unsafe {
                kcfaes_cbc_encrypt_batch(jobs.as_mut_ptr(), jobs.len())
            });
            if rv != KCFAES_OK {
                break;
            }
        }
        rv
    }
}

/// Messages of [`Operands::gcm_batch`].
pub(crate) const GCM_BATCH: usize = 5;

impl Operands {
    /// The message [`GCM_BATCH`] times, in one call. `dst` becomes the outputs, `tag` the first tag.
    pub(crate) fn gcm_batch(&mut self, key: *const kcfaes_key, step: Step<'_>) -> kcfaes_rc {
        let (encrypt, in_place, len) = (self.encrypts(), self.in_place, self.src.len());
        self.dst =
            if in_place { self.src.repeat(GCM_BATCH) } else { vec![0; GCM_BATCH * len.max(1)] };
        let mut tags = [self.tag; GCM_BATCH];
        let mut jobs = [const { None }; GCM_BATCH];
        for (i, (job, tag)) in jobs.iter_mut().zip(&mut tags).enumerate() {
            let dst = self.dst.as_mut_ptr().wrapping_add(i * len);
            *job = Some(kcfaes_gcm_job {
                iv: self.iv.as_ptr(),
                iv_len: self.iv.len(),
                aad: self.aad.as_ptr(),
                aad_len: self.aad.len(),
                src: if in_place { dst } else { self.src.as_ptr() },
                dst,
                len,
                tag: tag.as_mut_ptr(),
                tag_len: self.tag_len,
                rc: KCFAES_OK,
            });
        }
        let mut jobs = jobs.map(|job| job.expect("made above"));
        // SAFETY: see above.
        let rv = step("gcm_batch", &mut || unsafe {
            let batch = if encrypt { kcfaes_gcm_seal_batch } else { kcfaes_gcm_open_batch };
            batch(key, jobs.as_mut_ptr(), jobs.len())
        });
        assert!(jobs.iter().all(|job| job.rc == rv), "equal messages");
        self.tag = tags[0];
        rv
    }
}

/// A copy of the context, which is freed.
fn copied(ctx: *mut kcfaes_ctx, step: Step<'_>) -> *mut kcfaes_ctx {
    let mut copy = null_mut();
    // SAFETY: live contexts.
    let rv = step("ctx_new", &mut || unsafe { kcfaes_ctx_new(&raw mut copy) });
    assert!(rv == KCFAES_OK);
    // SAFETY: as above.
    let rv = step("ctx_copy", &mut || unsafe { kcfaes_ctx_copy(copy, ctx) });
    assert!(rv == KCFAES_OK);
    free(ctx, step);
    copy
}

/// Whether two secrets of one length are equal; the second is erased.
pub(crate) fn compare(a: &[u8], b: &mut [u8], step: Step<'_>) -> bool {
    assert_eq!(a.len(), b.len());
    let mut same = 0;
    let (first, second, len) = (a.as_ptr().cast(), b.as_mut_ptr().cast(), a.len());
    // SAFETY: as many bytes at both.
    step("equal", &mut || unsafe {
        same = kcfaes_equal(first, second, len);
        KCFAES_OK
    });
    // SAFETY: as above.
    step("wipe", &mut || unsafe {
        kcfaes_wipe(second, len);
        KCFAES_OK
    });
    same == 1
}

/// Erases the context and frees it.
fn free(ctx: *mut kcfaes_ctx, step: Step<'_>) {
    // SAFETY: a context that nobody uses again.
    step("ctx_wipe and ctx_free", &mut || unsafe {
        kcfaes_ctx_wipe(ctx);
        kcfaes_ctx_free(ctx);
        KCFAES_OK
    });
}

/// Erases the key and frees it.
pub(crate) fn free_key(key: *mut kcfaes_key, step: Step<'_>) {
    // SAFETY: a key that nobody uses again.
    step("key_wipe and key_free", &mut || unsafe {
        kcfaes_key_wipe(key);
        kcfaes_key_free(key);
        KCFAES_OK
    });
}
