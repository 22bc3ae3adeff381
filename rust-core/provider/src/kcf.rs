// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types and numbers of the Kernel Cryptographic Framework that cross the ops vector.
//! `include/kcfaes_kcf.h` is generated from this file alone.
//!
//! Names, order and widths are those of the illumos headers named at each type, LP64 kernel. Only
//! what the provider reads or writes is here. The layouts are pinned by `ffi-tests` against a
//! table compiled from the real headers, and by `kmod/kcfaes_abi.c` against the headers of the
//! build.
#![allow(
    non_camel_case_types,
    non_snake_case,
    clippy::use_self,
    reason = "the names are illumos' own"
)]

use core::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};

/// Handle of a registered provider (`sys/crypto/spi.h`); kcfaes has one instance and ignores it.
pub type crypto_provider_handle_t = *mut c_void;
/// Session of a hardware provider (`sys/crypto/common.h`); ignored.
pub type crypto_session_id_t = c_uint;
/// A context template as the provider made it (`sys/crypto/spi.h`).
pub type crypto_spi_ctx_template_t = *mut c_void;
/// The framework's request, opaque; `crypto_kmflag()` tells whether it may sleep.
pub type crypto_req_handle_t = *mut c_void;
/// Private number of a mechanism (`sys/crypto/common.h`).
pub type crypto_mech_type_t = c_ulong;

/// A mechanism and its parameter (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_mechanism_t {
    /// The provider's own number: one of the `AES_*_MECH_INFO_TYPE`.
    pub cm_type: crypto_mech_type_t,
    /// The parameter, of the type that the mechanism wants, or NULL.
    pub cm_param: *mut c_char,
    /// Bytes at `cm_param`.
    pub cm_param_len: usize,
}

/// One piece of a scattered buffer (`sys/uio.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct iovec_t {
    /// First byte.
    pub iov_base: *mut c_char,
    /// Bytes.
    pub iov_len: usize,
}

/// A list of pieces (`sys/uio.h`). Only `uio_iov`, `uio_iovcnt` and `uio_segflg` are read;
/// nothing is written.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct uio_t {
    /// The pieces.
    pub uio_iov: *mut iovec_t,
    /// The number of pieces.
    pub uio_iovcnt: c_int,
    /// `lloff_t`, not read.
    pub _uio_offset: i64,
    /// Must be [`UIO_SYSSPACE`].
    pub uio_segflg: c_uint,
    /// Not read.
    pub uio_fmode: u16,
    /// Not read.
    pub uio_extflg: u16,
    /// `lloff_t`, not read.
    pub _uio_limit: i64,
    /// Not read.
    pub uio_resid: isize,
}

/// A STREAMS message block (`sys/stream.h`). Only `b_cont`, `b_rptr` and `b_wptr` are read;
/// nothing is written.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct mblk_t {
    /// Next message of a queue, not read.
    pub b_next: *mut mblk_t,
    /// Previous message of a queue, not read.
    pub b_prev: *mut mblk_t,
    /// Next block of this message.
    pub b_cont: *mut mblk_t,
    /// First byte of data.
    pub b_rptr: *mut c_uchar,
    /// One past the last byte of data.
    pub b_wptr: *mut c_uchar,
    /// Not read.
    pub b_datap: *mut c_void,
    /// Not read.
    pub b_band: c_uchar,
    /// Not read.
    pub b_tag: c_uchar,
    /// Not read.
    pub b_flag: u16,
    /// Not read.
    pub b_queue: *mut c_void,
}

/// Where the bytes of a [`crypto_data_t`] are.
#[derive(Clone, Copy)]
#[repr(C)]
pub union crypto_data_cdu_t {
    /// [`CRYPTO_DATA_RAW`]
    pub cdu_raw: iovec_t,
    /// [`CRYPTO_DATA_UIO`]
    pub cdu_uio: *mut uio_t,
    /// [`CRYPTO_DATA_MBLK`]
    pub cdu_mp: *mut mblk_t,
}

/// Input or output of an operation (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_data_t {
    /// [`CRYPTO_DATA_RAW`], [`CRYPTO_DATA_UIO`] or [`CRYPTO_DATA_MBLK`].
    pub cd_format: c_uint,
    /// Bytes to skip from the start of the whole list.
    pub cd_offset: c_long,
    /// Bytes to process, or room.
    pub cd_length: usize,
    /// CBC only: if non-NULL, the 16-byte IV of this call.
    pub cd_miscdata: *mut c_char,
    /// The bytes.
    pub cdu: crypto_data_cdu_t,
}

/// A key by value (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_key_value_t {
    /// Length in bits.
    pub cku_v_length: c_uint,
    /// The key.
    pub cku_v_data: *mut c_void,
}

/// A key by attributes (`sys/crypto/common.h`). This provider refuses it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_key_attrs_t {
    /// The number of attributes.
    pub cku_a_count: c_uint,
    /// `crypto_object_attribute_t *`, not read.
    pub cku_a_oattr: *mut c_void,
}

/// What a [`crypto_key_t`] holds.
#[derive(Clone, Copy)]
#[repr(C)]
pub union crypto_key_data_t {
    /// [`CRYPTO_KEY_RAW`]
    pub cku_key_value: crypto_key_value_t,
    /// [`CRYPTO_KEY_REFERENCE`], refused.
    pub cku_key_id: c_uint,
    /// [`CRYPTO_KEY_ATTR_LIST`], refused.
    pub cku_key_attrs: crypto_key_attrs_t,
}

/// A key (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_key_t {
    /// Must be [`CRYPTO_KEY_RAW`].
    pub ck_format: c_uint,
    /// The key.
    pub cku_data: crypto_key_data_t,
}

/// The framework's context of a multi-part operation (`sys/crypto/spi.h`). The provider writes
/// only `cc_provider_private`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_ctx_t {
    /// Not read.
    pub cc_provider: crypto_provider_handle_t,
    /// Not read.
    pub cc_session: crypto_session_id_t,
    /// The provider's state; NULL if there is none.
    pub cc_provider_private: *mut c_void,
    /// Not read.
    pub cc_framework_private: *mut c_void,
    /// Not read.
    pub cc_flags: u32,
    /// Not read.
    pub cc_opstate: *mut c_void,
}

/// Parameter of CKM_AES_CTR (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CK_AES_CTR_PARAMS {
    /// Width of the counter in bits, 1..=128: the low bits of `cb`, which wrap within themselves.
    pub ulCounterBits: c_ulong,
    /// The first counter block.
    pub cb: [u8; 16],
}

/// Parameter of CKM_AES_CCM (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CK_AES_CCM_PARAMS {
    /// Length of the MAC in bytes: 4, 6, 8, 10, 12, 14 or 16.
    pub ulMACSize: c_ulong,
    /// Length of the nonce in bytes, 7..=13.
    pub ulNonceSize: c_ulong,
    /// Length of the additional authenticated data in bytes.
    pub ulAuthDataSize: c_ulong,
    /// Length of the message in bytes: of the plaintext in an encryption, of the ciphertext with
    /// its MAC in a decryption.
    pub ulDataSize: c_ulong,
    /// The nonce.
    pub nonce: *mut c_uchar,
    /// The additional authenticated data; may be NULL when `ulAuthDataSize` is 0.
    pub authData: *mut c_uchar,
}

/// Parameter of CKM_AES_GCM (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CK_AES_GCM_PARAMS {
    /// The IV.
    pub pIv: *mut c_uchar,
    /// Its length in bytes, not 0.
    pub ulIvLen: c_ulong,
    /// Never read: consumers leave it unset.
    pub ulIvBits: c_ulong,
    /// The additional authenticated data; may be NULL when `ulAADLen` is 0.
    pub pAAD: *mut c_uchar,
    /// Its length in bytes.
    pub ulAADLen: c_ulong,
    /// Length of the tag in bits: 32, 64, 96, 104, 112, 120 or 128.
    pub ulTagBits: c_ulong,
}

/// Parameter of CKM_AES_GMAC (`sys/crypto/common.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CK_AES_GMAC_PARAMS {
    /// The IV of 12 bytes.
    pub pIv: *mut c_uchar,
    /// Authenticated data that precedes the message; may be NULL when `ulAADLen` is 0.
    pub pAAD: *mut c_uchar,
    /// Its length in bytes.
    pub ulAADLen: c_ulong,
}

/// Data is one contiguous buffer.
pub const CRYPTO_DATA_RAW: c_uint = 1;
/// Data is a `uio_t`.
pub const CRYPTO_DATA_UIO: c_uint = 2;
/// Data is a chain of `mblk_t`.
pub const CRYPTO_DATA_MBLK: c_uint = 3;
/// The key is given by value.
pub const CRYPTO_KEY_RAW: c_uint = 1;
/// The key is a reference.
pub const CRYPTO_KEY_REFERENCE: c_uint = 2;
/// The key is a list of attributes.
pub const CRYPTO_KEY_ATTR_LIST: c_uint = 3;
/// The pieces of a uio are kernel memory (`sys/uio.h`).
pub const UIO_SYSSPACE: c_uint = 1;
/// The caller may sleep (`sys/kmem.h`).
pub const KM_SLEEP: c_int = 0;
/// The caller may not sleep (`sys/kmem.h`).
pub const KM_NOSLEEP: c_int = 1;
/// State of a provider that takes requests (`sys/crypto/spi.h`).
pub const CRYPTO_PROVIDER_READY: c_uint = 0;

/// Number of CKM_AES_ECB in this provider. All these numbers are those of the stock provider,
/// which reserves 2 for CBC_PAD.
pub const AES_ECB_MECH_INFO_TYPE: crypto_mech_type_t = 0;
/// Number of CKM_AES_CBC in this provider.
pub const AES_CBC_MECH_INFO_TYPE: crypto_mech_type_t = 1;
/// Number of CKM_AES_CTR in this provider.
pub const AES_CTR_MECH_INFO_TYPE: crypto_mech_type_t = 3;
/// Number of CKM_AES_CCM in this provider.
pub const AES_CCM_MECH_INFO_TYPE: crypto_mech_type_t = 4;
/// Number of CKM_AES_GCM in this provider.
pub const AES_GCM_MECH_INFO_TYPE: crypto_mech_type_t = 5;
/// Number of CKM_AES_GMAC in this provider.
pub const AES_GMAC_MECH_INFO_TYPE: crypto_mech_type_t = 6;
/// Number of CKM_AES_CMAC in this provider.
pub const AES_CMAC_MECH_INFO_TYPE: crypto_mech_type_t = 7;

/// Success (`sys/crypto/common.h`, as all results below).
pub const CRYPTO_SUCCESS: c_int = 0x00;
/// No memory.
pub const CRYPTO_HOST_MEMORY: c_int = 0x02;
/// Something impossible has happened.
pub const CRYPTO_GENERAL_ERROR: c_int = 0x03;
/// An argument is wrong.
pub const CRYPTO_ARGUMENTS_BAD: c_int = 0x05;
/// The length of the data is impossible.
pub const CRYPTO_DATA_LEN_RANGE: c_int = 0x0c;
/// The length of the ciphertext is impossible.
pub const CRYPTO_ENCRYPTED_DATA_LEN_RANGE: c_int = 0x11;
/// The length of the key is impossible.
pub const CRYPTO_KEY_SIZE_RANGE: c_int = 0x13;
/// The key is not given by value.
pub const CRYPTO_KEY_TYPE_INCONSISTENT: c_int = 0x14;
/// This provider does not have the mechanism.
pub const CRYPTO_MECHANISM_INVALID: c_int = 0x1c;
/// The mechanism's parameter is wrong.
pub const CRYPTO_MECHANISM_PARAM_INVALID: c_int = 0x1d;
/// The context was not initialised.
pub const CRYPTO_OPERATION_NOT_INITIALIZED: c_int = 0x20;
/// The output has too little room; `cd_length` has the room needed.
pub const CRYPTO_BUFFER_TOO_SMALL: c_int = 0x42;
/// The tag does not match.
pub const CRYPTO_INVALID_MAC: c_int = 0x48;

/// The cipher entry points (`sys/crypto/spi.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_cipher_ops_t {
    /// Begins a multi-part encryption.
    pub encrypt_init: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Encrypts a whole message on a context.
    pub encrypt: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Encrypts a part.
    pub encrypt_update: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Ends a multi-part encryption.
    pub encrypt_final: Option<
        unsafe extern "C" fn(*mut crypto_ctx_t, *mut crypto_data_t, crypto_req_handle_t) -> c_int,
    >,
    /// Encrypts a message in one call.
    pub encrypt_atomic: Option<
        unsafe extern "C" fn(
            crypto_provider_handle_t,
            crypto_session_id_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Begins a multi-part decryption.
    pub decrypt_init: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Decrypts a whole message on a context.
    pub decrypt: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Decrypts a part.
    pub decrypt_update: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Ends a multi-part decryption.
    pub decrypt_final: Option<
        unsafe extern "C" fn(*mut crypto_ctx_t, *mut crypto_data_t, crypto_req_handle_t) -> c_int,
    >,
    /// Decrypts a message in one call.
    pub decrypt_atomic: Option<
        unsafe extern "C" fn(
            crypto_provider_handle_t,
            crypto_session_id_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
}

/// The MAC entry points (`sys/crypto/spi.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_mac_ops_t {
    /// Begins a multi-part MAC.
    pub mac_init: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// MAC of a whole message on a context.
    pub mac: Option<
        unsafe extern "C" fn(
            *mut crypto_ctx_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Absorbs a part.
    pub mac_update: Option<
        unsafe extern "C" fn(*mut crypto_ctx_t, *mut crypto_data_t, crypto_req_handle_t) -> c_int,
    >,
    /// Ends a multi-part MAC.
    pub mac_final: Option<
        unsafe extern "C" fn(*mut crypto_ctx_t, *mut crypto_data_t, crypto_req_handle_t) -> c_int,
    >,
    /// MAC of a message in one call.
    pub mac_atomic: Option<
        unsafe extern "C" fn(
            crypto_provider_handle_t,
            crypto_session_id_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Verifies a MAC in one call.
    pub mac_verify_atomic: Option<
        unsafe extern "C" fn(
            crypto_provider_handle_t,
            crypto_session_id_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            *mut crypto_data_t,
            *mut crypto_data_t,
            crypto_spi_ctx_template_t,
            crypto_req_handle_t,
        ) -> c_int,
    >,
}

/// The context entry points (`sys/crypto/spi.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_ctx_ops_t {
    /// Makes a template of a key.
    pub create_ctx_template: Option<
        unsafe extern "C" fn(
            crypto_provider_handle_t,
            *mut crypto_mechanism_t,
            *mut crypto_key_t,
            *mut crypto_spi_ctx_template_t,
            *mut usize,
            crypto_req_handle_t,
        ) -> c_int,
    >,
    /// Frees the state of a context.
    pub free_context: Option<unsafe extern "C" fn(*mut crypto_ctx_t) -> c_int>,
}

/// The control entry points (`sys/crypto/spi.h`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct crypto_control_ops_t {
    /// Stores the provider's state.
    pub provider_status: Option<unsafe extern "C" fn(crypto_provider_handle_t, *mut c_uint)>,
}

/// A failure of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// One of the `CRYPTO_*` above, never [`CRYPTO_SUCCESS`] or [`CRYPTO_BUFFER_TOO_SMALL`].
    Kcf(c_int),
    /// [`CRYPTO_BUFFER_TOO_SMALL`]: the output must hold this many bytes.
    Room(usize),
}

/// Outcome of an operation of the provider.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// [`CRYPTO_HOST_MEMORY`]
    pub const HOST_MEMORY: Self = Self::Kcf(CRYPTO_HOST_MEMORY);
    /// [`CRYPTO_GENERAL_ERROR`]
    pub const GENERAL_ERROR: Self = Self::Kcf(CRYPTO_GENERAL_ERROR);
    /// [`CRYPTO_ARGUMENTS_BAD`]
    pub const ARGUMENTS_BAD: Self = Self::Kcf(CRYPTO_ARGUMENTS_BAD);
    /// [`CRYPTO_DATA_LEN_RANGE`]
    pub const DATA_LEN_RANGE: Self = Self::Kcf(CRYPTO_DATA_LEN_RANGE);
    /// [`CRYPTO_ENCRYPTED_DATA_LEN_RANGE`]
    pub const ENCRYPTED_DATA_LEN_RANGE: Self = Self::Kcf(CRYPTO_ENCRYPTED_DATA_LEN_RANGE);
    /// [`CRYPTO_KEY_SIZE_RANGE`]
    pub const KEY_SIZE_RANGE: Self = Self::Kcf(CRYPTO_KEY_SIZE_RANGE);
    /// [`CRYPTO_KEY_TYPE_INCONSISTENT`]
    pub const KEY_TYPE_INCONSISTENT: Self = Self::Kcf(CRYPTO_KEY_TYPE_INCONSISTENT);
    /// [`CRYPTO_MECHANISM_INVALID`]
    pub const MECHANISM_INVALID: Self = Self::Kcf(CRYPTO_MECHANISM_INVALID);
    /// [`CRYPTO_MECHANISM_PARAM_INVALID`]
    pub const MECHANISM_PARAM_INVALID: Self = Self::Kcf(CRYPTO_MECHANISM_PARAM_INVALID);
    /// [`CRYPTO_OPERATION_NOT_INITIALIZED`]
    pub const OPERATION_NOT_INITIALIZED: Self = Self::Kcf(CRYPTO_OPERATION_NOT_INITIALIZED);
    /// [`CRYPTO_INVALID_MAC`]
    pub const INVALID_MAC: Self = Self::Kcf(CRYPTO_INVALID_MAC);

    /// The number that KCF expects.
    #[inline(never)]
    pub fn code(self) -> c_int {
        match self {
            Self::Kcf(code) => code,
            Self::Room(_) => CRYPTO_BUFFER_TOO_SMALL,
        }
    }
}
