// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls the ops vector as KCF does, without KCF in between. This reaches what the framework would stop
//! (NULL pointers, foreign templates) or end (a context after an error). Mechanism numbers are the
//! provider's own.
#![allow(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "a template is whatever the test passes, readable memory or NULL"
)]

use core::ffi::c_int;

use kcfaes_capi::spi::{
    kcfaes_spi_create_ctx_template, kcfaes_spi_decrypt, kcfaes_spi_decrypt_atomic,
    kcfaes_spi_decrypt_final, kcfaes_spi_decrypt_init, kcfaes_spi_decrypt_update,
    kcfaes_spi_encrypt, kcfaes_spi_encrypt_atomic, kcfaes_spi_encrypt_final,
    kcfaes_spi_encrypt_init, kcfaes_spi_encrypt_update, kcfaes_spi_free_context, kcfaes_spi_mac,
    kcfaes_spi_mac_atomic, kcfaes_spi_mac_final, kcfaes_spi_mac_init, kcfaes_spi_mac_update,
    kcfaes_spi_mac_verify_atomic,
};
use kcfaes_provider::kcf::{
    crypto_ctx_t, crypto_data_t, crypto_key_t, crypto_mechanism_t, crypto_req_handle_t,
};

use crate::consumer::{Out, Request, Way};
use crate::kernel::{TemplatePtr, load};

/// A pointer argument: the value's address, or NULL.
fn at<T>(argument: Option<&mut T>) -> *mut T {
    argument.map_or(core::ptr::null_mut(), core::ptr::from_mut)
}

const NONE: *mut core::ffi::c_void = core::ptr::null_mut();

/// A context as the framework passes it to the provider.
pub struct Spi {
    ctx: crypto_ctx_t,
}

impl Default for Spi {
    fn default() -> Self {
        load();
        Self {
            ctx: crypto_ctx_t {
                cc_provider: NONE,
                cc_session: 0,
                cc_provider_private: NONE,
                cc_framework_private: NONE,
                cc_flags: 0,
                cc_opstate: NONE,
            },
        }
    }
}

impl Spi {
    /// A context whose other members have values that a test recognizes.
    pub fn marked() -> Self {
        let mut spi = Self::default();
        let mark = |n| core::ptr::without_provenance_mut(n);
        spi.ctx = crypto_ctx_t {
            cc_provider: mark(0x1111),
            cc_session: 0x2222,
            cc_provider_private: NONE,
            cc_framework_private: mark(0x3333),
            cc_flags: 0x4444,
            cc_opstate: mark(0x5555),
        };
        spi
    }

    /// Whether they are still as [`marked`](Self::marked) made them.
    pub fn is_marked(&self) -> bool {
        let crypto_ctx_t { cc_provider, cc_session, cc_framework_private, .. } = self.ctx;
        let pointers = [cc_provider, cc_framework_private, self.ctx.cc_opstate];
        pointers.map(|at| at.addr()) == [0x1111, 0x3333, 0x5555]
            && (cc_session, self.ctx.cc_flags) == (0x2222, 0x4444)
    }

    /// A context on which a message has begun.
    ///
    /// # Panics
    /// If the provider refuses.
    pub fn begun(way: Way, request: &mut Request) -> Self {
        let mut spi = Self::default();
        let mut mechanism = request.provider_mechanism(way);
        assert_eq!(spi.init(way, Some(&mut mechanism), Some(&mut request.key), NONE), 0, "init");
        spi
    }

    /// Whether the provider has state here. If so, the framework would have the provider free it.
    pub fn live(&self) -> bool {
        !self.ctx.cc_provider_private.is_null()
    }

    /// `encrypt_init`, `decrypt_init` or `mac_init`
    pub fn init(
        &mut self,
        way: Way,
        mechanism: Option<&mut crypto_mechanism_t>,
        key: Option<&mut crypto_key_t>,
        template: TemplatePtr,
    ) -> c_int {
        let call = match way {
            Way::Encrypt => kcfaes_spi_encrypt_init,
            Way::Decrypt => kcfaes_spi_decrypt_init,
            Way::Mac => kcfaes_spi_mac_init,
        };
        // SAFETY: NULL or references; the test keeps alive what they point to.
        unsafe { call(&mut self.ctx, at(mechanism), at(key), template, NONE) }
    }

    /// `encrypt_update`, `decrypt_update` or `mac_update`
    pub fn update(
        &mut self,
        way: Way,
        input: Option<&mut crypto_data_t>,
        output: Out<'_>,
    ) -> c_int {
        self.update_for(NONE, way, input, output)
    }

    /// The same for a request of the framework's.
    pub fn update_for(
        &mut self,
        req: crypto_req_handle_t,
        way: Way,
        input: Option<&mut crypto_data_t>,
        output: Out<'_>,
    ) -> c_int {
        let (input, output) = pair(input, output);
        let ctx = &raw mut self.ctx;
        // SAFETY: as in `init`.
        unsafe {
            match way {
                Way::Encrypt => kcfaes_spi_encrypt_update(ctx, input, output, req),
                Way::Decrypt => kcfaes_spi_decrypt_update(ctx, input, output, req),
                Way::Mac => kcfaes_spi_mac_update(ctx, input, req),
            }
        }
    }

    /// `encrypt`, `decrypt` or `mac`
    pub fn single(
        &mut self,
        way: Way,
        input: Option<&mut crypto_data_t>,
        output: Out<'_>,
    ) -> c_int {
        let call = match way {
            Way::Encrypt => kcfaes_spi_encrypt,
            Way::Decrypt => kcfaes_spi_decrypt,
            Way::Mac => kcfaes_spi_mac,
        };
        let (input, output) = pair(input, output);
        // SAFETY: as in `init`.
        unsafe { call(&mut self.ctx, input, output, NONE) }
    }

    /// `encrypt_final`, `decrypt_final` or `mac_final`
    pub fn finish(&mut self, way: Way, output: Option<&mut crypto_data_t>) -> c_int {
        let call = match way {
            Way::Encrypt => kcfaes_spi_encrypt_final,
            Way::Decrypt => kcfaes_spi_decrypt_final,
            Way::Mac => kcfaes_spi_mac_final,
        };
        // SAFETY: as in `init`.
        unsafe { call(&mut self.ctx, at(output), NONE) }
    }

    /// `free_context`
    pub fn free(&mut self) -> c_int {
        // SAFETY: as in `init`.
        unsafe { kcfaes_spi_free_context(&mut self.ctx) }
    }
}

fn pair(
    input: Option<&mut crypto_data_t>,
    output: Out<'_>,
) -> (*mut crypto_data_t, *mut crypto_data_t) {
    match (input, output) {
        (Some(input), output) => output.pointers(input),
        (None, Out::Other(output)) => (core::ptr::null_mut(), output),
        (None, _) => (core::ptr::null_mut(), core::ptr::null_mut()),
    }
}

/// `encrypt_atomic`, `decrypt_atomic` or `mac_atomic`
pub fn atomic(
    way: Way,
    mechanism: Option<&mut crypto_mechanism_t>,
    key: Option<&mut crypto_key_t>,
    template: TemplatePtr,
    input: Option<&mut crypto_data_t>,
    output: Out<'_>,
) -> c_int {
    load();
    let call = match way {
        Way::Encrypt => kcfaes_spi_encrypt_atomic,
        Way::Decrypt => kcfaes_spi_decrypt_atomic,
        Way::Mac => kcfaes_spi_mac_atomic,
    };
    let (input, output) = pair(input, output);
    // SAFETY: NULL or references; the test keeps alive what they point to.
    unsafe { call(NONE, 0, at(mechanism), at(key), input, output, template, NONE) }
}

/// `mac_verify_atomic`
pub fn verify(
    mechanism: Option<&mut crypto_mechanism_t>,
    key: Option<&mut crypto_key_t>,
    template: TemplatePtr,
    data: Option<&mut crypto_data_t>,
    mac: Option<&mut crypto_data_t>,
) -> c_int {
    load();
    // SAFETY: as in `atomic`.
    unsafe {
        kcfaes_spi_mac_verify_atomic(
            NONE,
            0,
            at(mechanism),
            at(key),
            at(data),
            at(mac),
            template,
            NONE,
        )
    }
}

/// `create_ctx_template`
pub fn create_template(
    mechanism: Option<&mut crypto_mechanism_t>,
    key: Option<&mut crypto_key_t>,
    template: Option<&mut TemplatePtr>,
    size: Option<&mut usize>,
) -> c_int {
    load();
    // SAFETY: as in `atomic`.
    unsafe {
        kcfaes_spi_create_ctx_template(NONE, at(mechanism), at(key), at(template), at(size), NONE)
    }
}

/// `free_context` with NULL.
pub fn free_nothing() -> c_int {
    // SAFETY: the function takes NULL.
    unsafe { kcfaes_spi_free_context(core::ptr::null_mut()) }
}
