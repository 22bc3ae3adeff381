// SPDX-License-Identifier: MIT OR Apache-2.0
//! A KCF consumer. Requests are values, and their pointers live as long as they do.

use core::ffi::{CStr, c_int};

use kcfaes_provider::kcf::{
    CK_AES_CCM_PARAMS, CK_AES_CTR_PARAMS, CK_AES_GCM_PARAMS, CK_AES_GMAC_PARAMS, CRYPTO_KEY_RAW,
    KM_SLEEP, crypto_data_t, crypto_key_data_t, crypto_key_t, crypto_key_value_t,
    crypto_mechanism_t,
};
use kcfaes_vectors::{Case, Mode};

use crate::kernel::{
    CallReq, Context, TemplatePtr, crypto_create_ctx_template, crypto_decrypt,
    crypto_decrypt_final, crypto_decrypt_init, crypto_decrypt_single, crypto_decrypt_update,
    crypto_destroy_ctx_template, crypto_encrypt, crypto_encrypt_final, crypto_encrypt_init,
    crypto_encrypt_single, crypto_encrypt_update, crypto_mac, crypto_mac_final, crypto_mac_init,
    crypto_mac_single, crypto_mac_update, crypto_mac_verify, crypto_mech2id, load,
};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Encrypt.
    Encrypt,
    /// Decrypt.
    Decrypt,
    /// Compute a MAC through the MAC entry points.
    Mac,
}

/// The output argument of a call.
pub enum Out<'a> {
    /// NULL: in place.
    Null,
    /// The input's own struct: in place.
    Same,
    /// A separate struct.
    Other(&'a mut crypto_data_t),
}

impl<'a> From<Option<&'a mut crypto_data_t>> for Out<'a> {
    fn from(output: Option<&'a mut crypto_data_t>) -> Self {
        output.map_or(Self::Null, Self::Other)
    }
}

impl Out<'_> {
    /// Input and output as the entry points take them.
    pub fn pointers(self, input: &mut crypto_data_t) -> (*mut crypto_data_t, *mut crypto_data_t) {
        let input = core::ptr::from_mut(input);
        let output = match self {
            Self::Null => core::ptr::null_mut(),
            Self::Same => input,
            Self::Other(output) => output,
        };
        (input, output)
    }
}

/// A mechanism with its parameter, and a key.
pub struct Request {
    /// The mechanism as the consumer passes it.
    pub mechanism: crypto_mechanism_t,
    /// The key as the consumer passes it.
    pub key: crypto_key_t,
    _iv: Vec<u8>,
    _aad: Vec<u8>,
    _key: Vec<u8>,
    parameter: Parameter,
    /// CCM: length of the plaintext.
    text_len: usize,
}

enum Parameter {
    None,
    Ctr(Box<CK_AES_CTR_PARAMS>),
    Ccm(Box<CK_AES_CCM_PARAMS>),
    Gcm(Box<CK_AES_GCM_PARAMS>),
    Gmac(Box<CK_AES_GMAC_PARAMS>),
}

/// The KCF name of a mode.
pub fn mechanism_name(mode: Mode) -> &'static CStr {
    match mode {
        Mode::Ecb => c"CKM_AES_ECB",
        Mode::Cbc => c"CKM_AES_CBC",
        Mode::Ctr => c"CKM_AES_CTR",
        Mode::Ccm => c"CKM_AES_CCM",
        Mode::Gcm => c"CKM_AES_GCM",
        Mode::Gmac => c"CKM_AES_GMAC",
        Mode::Cmac => c"CKM_AES_CMAC",
    }
}

/// Its id in the framework.
pub fn mechanism_id(mode: Mode) -> u64 {
    load();
    // SAFETY: a C string.
    unsafe { crypto_mech2id(mechanism_name(mode).as_ptr()) }
}

impl Request {
    /// The request of a vector. A MAC's message is data, not the parameter's AAD.
    pub fn of(case: &Case) -> Self {
        let aad = if case.mode.is_mac() { &[] } else { case.aad.as_slice() };
        let request =
            Self::new(case.mode, &case.key, &case.iv, case.counter_bits, aad, case.tag.len());
        request.for_text(case.text_len())
    }

    /// Sets the length of the text. CCM must be told it when a message begins.
    #[must_use]
    pub fn for_text(mut self, len: usize) -> Self {
        self.text_len = len;
        self
    }

    /// States CCM's length of the message. The length of ciphertext includes its MAC.
    pub fn declare(&mut self, way: Way) {
        if let Parameter::Ccm(p) = &mut self.parameter {
            let tag = if way == Way::Decrypt { p.ulMACSize } else { 0 };
            p.ulDataSize = self.text_len as u64 + tag;
        }
    }

    /// A request in `mode`. Values that the mode does not use are ignored.
    pub fn new(
        mode: Mode,
        key: &[u8],
        iv: &[u8],
        counter_bits: u32,
        aad: &[u8],
        tag_len: usize,
    ) -> Self {
        let (mut iv, mut aad, mut key) = (iv.to_vec(), aad.to_vec(), key.to_vec());
        let p_aad = if aad.is_empty() { core::ptr::null_mut() } else { aad.as_mut_ptr() };
        let mut parameter = match mode {
            Mode::Ecb | Mode::Cbc | Mode::Cmac => Parameter::None,
            Mode::Ccm => Parameter::Ccm(Box::new(CK_AES_CCM_PARAMS {
                ulMACSize: tag_len as u64,
                ulNonceSize: iv.len() as u64,
                ulAuthDataSize: aad.len() as u64,
                ulDataSize: u64::MAX,
                nonce: iv.as_mut_ptr(),
                authData: p_aad,
            })),
            Mode::Ctr => Parameter::Ctr(Box::new(CK_AES_CTR_PARAMS {
                ulCounterBits: counter_bits.into(),
                cb: iv.as_slice().try_into().expect("a counter block"),
            })),
            Mode::Gcm => Parameter::Gcm(Box::new(CK_AES_GCM_PARAMS {
                pIv: iv.as_mut_ptr(),
                ulIvLen: iv.len() as u64,
                ulIvBits: 0xdead_beef,
                pAAD: p_aad,
                ulAADLen: aad.len() as u64,
                ulTagBits: tag_len as u64 * 8,
            })),
            Mode::Gmac => Parameter::Gmac(Box::new(CK_AES_GMAC_PARAMS {
                pIv: iv.as_mut_ptr(),
                pAAD: p_aad,
                ulAADLen: aad.len() as u64,
            })),
        };
        let (cm_param, cm_param_len) = match &mut parameter {
            Parameter::None if mode == Mode::Cbc => (iv.as_mut_ptr().cast(), iv.len()),
            Parameter::None => (core::ptr::null_mut(), 0),
            Parameter::Ctr(p) => ((&raw mut **p).cast(), size_of::<CK_AES_CTR_PARAMS>()),
            Parameter::Ccm(p) => ((&raw mut **p).cast(), size_of::<CK_AES_CCM_PARAMS>()),
            Parameter::Gcm(p) => ((&raw mut **p).cast(), size_of::<CK_AES_GCM_PARAMS>()),
            Parameter::Gmac(p) => ((&raw mut **p).cast(), size_of::<CK_AES_GMAC_PARAMS>()),
        };
        let value = crypto_key_value_t {
            cku_v_length: key.len() as u32 * 8,
            cku_v_data: key.as_mut_ptr().cast(),
        };
        Self {
            mechanism: crypto_mechanism_t { cm_type: mechanism_id(mode), cm_param, cm_param_len },
            key: crypto_key_t {
                ck_format: CRYPTO_KEY_RAW,
                cku_data: crypto_key_data_t { cku_key_value: value },
            },
            _iv: iv,
            _aad: aad,
            _key: key,
            parameter,
            text_len: 0,
        }
    }

    /// A template of this request's key.
    pub fn template(&mut self) -> Template {
        let mut template = core::ptr::null_mut();
        // SAFETY: the request's pointers are valid.
        let rv = unsafe {
            crypto_create_ctx_template(&mut self.mechanism, &mut self.key, &mut template, KM_SLEEP)
        };
        assert_eq!(rv, 0, "crypto_create_ctx_template");
        Template(template)
    }

    /// `crypto_encrypt`, `crypto_decrypt` or `crypto_mac`: a message in one call.
    pub fn atomic<'a>(
        &mut self,
        way: Way,
        template: Option<&Template>,
        input: &mut crypto_data_t,
        output: impl Into<Out<'a>>,
    ) -> c_int {
        let call = match way {
            Way::Encrypt => crypto_encrypt,
            Way::Decrypt => crypto_decrypt,
            Way::Mac => crypto_mac,
        };
        self.declare(way);
        let (input, output) = output.into().pointers(input);
        // SAFETY: the request's pointers are valid, and the buffers that the data names are alive.
        unsafe {
            call(
                &mut self.mechanism,
                input,
                &mut self.key,
                pointer(template),
                output,
                core::ptr::null_mut(),
            )
        }
    }

    /// `crypto_mac_verify`
    pub fn verify(
        &mut self,
        template: Option<&Template>,
        data: &mut crypto_data_t,
        mac: &mut crypto_data_t,
    ) -> c_int {
        // SAFETY: the request's pointers are valid, and the buffers that the data names are alive.
        unsafe {
            crypto_mac_verify(
                &mut self.mechanism,
                data,
                &mut self.key,
                pointer(template),
                mac,
                core::ptr::null_mut(),
            )
        }
    }

    /// `crypto_encrypt_init`, `crypto_decrypt_init` or `crypto_mac_init`.
    ///
    /// # Errors
    /// What the framework returned.
    pub fn init(&mut self, way: Way, template: Option<&Template>) -> Result<Message, c_int> {
        let call = match way {
            Way::Encrypt => crypto_encrypt_init,
            Way::Decrypt => crypto_decrypt_init,
            Way::Mac => crypto_mac_init,
        };
        self.declare(way);
        let mut context = core::ptr::null_mut();
        // SAFETY: the request's pointers are valid.
        let rv = unsafe {
            call(
                &mut self.mechanism,
                &mut self.key,
                pointer(template),
                &mut context,
                core::ptr::null_mut(),
            )
        };
        if rv == 0 { Ok(Message { way, context }) } else { Err(rv) }
    }
}

/// The pointer of a template, NULL for none.
pub fn pointer(template: Option<&Template>) -> TemplatePtr {
    template.map_or(core::ptr::null_mut(), |template| template.0)
}

/// A template, destroyed on drop.
pub struct Template(pub TemplatePtr);

// SAFETY: a template is read-only and shared by design.
unsafe impl Sync for Template {}
// SAFETY: as above.
unsafe impl Send for Template {}

impl Drop for Template {
    fn drop(&mut self) {
        // SAFETY: it came from the framework and is not used again.
        unsafe { crypto_destroy_ctx_template(self.0) }
    }
}

/// A message in parts. The framework ends the context with the message. [`Message::cancel`] ends it
/// earlier.
pub struct Message {
    way: Way,
    context: Context,
}

impl Message {
    /// `crypto_encrypt_update`, `crypto_decrypt_update`, or `crypto_mac_update`, which has no output.
    pub fn update<'a>(&mut self, input: &mut crypto_data_t, output: impl Into<Out<'a>>) -> c_int {
        let (input, output) = output.into().pointers(input);
        let none = core::ptr::null_mut::<CallReq>();
        // SAFETY: the context is alive, and so are the buffers that the data names.
        unsafe {
            match self.way {
                Way::Encrypt => crypto_encrypt_update(self.context, input, output, none),
                Way::Decrypt => crypto_decrypt_update(self.context, input, output, none),
                Way::Mac => crypto_mac_update(self.context, input, none),
            }
        }
    }

    /// `crypto_encrypt_final`, `crypto_decrypt_final` or `crypto_mac_final`. The message stays alive only
    /// after BUFFER_TOO_SMALL.
    pub fn finish(&mut self, output: Option<&mut crypto_data_t>) -> c_int {
        let call = match self.way {
            Way::Encrypt => crypto_encrypt_final,
            Way::Decrypt => crypto_decrypt_final,
            Way::Mac => crypto_mac_final,
        };
        let output = output.map_or(core::ptr::null_mut(), core::ptr::from_mut);
        // SAFETY: the context is alive, and so are the buffers that the data names.
        unsafe { call(self.context, output, core::ptr::null_mut::<CallReq>()) }
    }

    /// The whole message in one call on this context. The message ends as by [`Message::finish`].
    pub fn single<'a>(&mut self, input: &mut crypto_data_t, output: impl Into<Out<'a>>) -> c_int {
        let call = match self.way {
            Way::Encrypt => crypto_encrypt_single,
            Way::Decrypt => crypto_decrypt_single,
            Way::Mac => crypto_mac_single,
        };
        let (input, output) = output.into().pointers(input);
        // SAFETY: the context is alive, and so are the buffers that the data names.
        unsafe { call(self.context, input, output, core::ptr::null_mut::<CallReq>()) }
    }

    /// `crypto_cancel_ctx`.
    pub fn cancel(self) {
        // SAFETY: the context is alive.
        unsafe { crate::kernel::crypto_cancel_ctx(self.context) }
    }
}
