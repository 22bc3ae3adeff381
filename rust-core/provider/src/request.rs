// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests: KCF's raw mechanism and key become checked values. The order of checks is the reference's.

use core::ffi::{CStr, c_void};

use kcfaes_kernels::Block;

use crate::kcf::{
    AES_CBC_MECH_INFO_TYPE, AES_CCM_MECH_INFO_TYPE, AES_CMAC_MECH_INFO_TYPE,
    AES_CTR_MECH_INFO_TYPE, AES_ECB_MECH_INFO_TYPE, AES_GCM_MECH_INFO_TYPE,
    AES_GMAC_MECH_INFO_TYPE, CK_AES_CCM_PARAMS, CK_AES_CTR_PARAMS, CK_AES_GCM_PARAMS,
    CK_AES_GMAC_PARAMS, CRYPTO_KEY_RAW, Error, Result, crypto_key_t, crypto_mech_type_t,
    crypto_mechanism_t,
};
use crate::key::Key;

/// The mechanisms of this provider, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mechanism {
    /// CKM_AES_ECB
    Ecb = AES_ECB_MECH_INFO_TYPE as u8,
    /// CKM_AES_CBC
    Cbc = AES_CBC_MECH_INFO_TYPE as u8,
    /// CKM_AES_CTR
    Ctr = AES_CTR_MECH_INFO_TYPE as u8,
    /// CKM_AES_CCM
    Ccm = AES_CCM_MECH_INFO_TYPE as u8,
    /// CKM_AES_GCM
    Gcm = AES_GCM_MECH_INFO_TYPE as u8,
    /// CKM_AES_GMAC
    Gmac = AES_GMAC_MECH_INFO_TYPE as u8,
    /// CKM_AES_CMAC
    Cmac = AES_CMAC_MECH_INFO_TYPE as u8,
}

/// What a context does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Encrypts, or computes a MAC.
    Encrypt,
    /// Decrypts, or verifies a MAC.
    Decrypt,
}

impl Direction {
    /// The error for an impossible length: no multiple of the block, or not the declared length.
    pub fn wrong_length(self) -> Error {
        match self {
            Self::Encrypt => Error::DATA_LEN_RANGE,
            Self::Decrypt => Error::ENCRYPTED_DATA_LEN_RANGE,
        }
    }
}

/// A mechanism's parameter, with its pointers followed. None of it needs to outlive the init call.
#[derive(Clone, Copy)]
pub enum Parameter<'a> {
    /// ECB takes none.
    Ecb,
    /// CBC: the IV, zero if the request has none (the input's `cd_miscdata` may follow).
    Cbc {
        /// The IV.
        iv: Block,
    },
    /// CTR (SP 800-38A section 6.5).
    Ctr {
        /// Width of the counter, 1..=128: the low bits of `cb`, which wrap within themselves.
        bits: u32,
        /// The first counter block.
        cb: Block,
    },
    /// CCM (SP 800-38C), made by [`Parameter::ccm`].
    Ccm {
        /// The nonce, 7..=13 bytes.
        nonce: &'a [u8],
        /// The additional authenticated data.
        aad: &'a [u8],
        /// Length of the plaintext in bytes, less than 2^(8·(15 - length of the nonce)).
        text_len: u64,
        /// Length of the MAC in bytes, one of [`Mechanism::has_tag_len`].
        tag_len: usize,
    },
    /// CMAC takes none.
    Cmac,
    /// GMAC (SP 800-38D section 3), with a tag of 16 bytes.
    Gmac {
        /// The IV, not empty.
        iv: &'a [u8],
        /// The data that is authenticated before the message.
        aad: &'a [u8],
    },
    /// GCM (SP 800-38D section 7).
    Gcm {
        /// The IV, not empty.
        iv: &'a [u8],
        /// The additional authenticated data.
        aad: &'a [u8],
        /// Length of the tag in bytes, one of [`Mechanism::has_tag_len`].
        tag_len: usize,
    },
}

impl<'a> Parameter<'a> {
    /// The mechanism that it belongs to.
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Ecb => Mechanism::Ecb,
            Self::Cbc { .. } => Mechanism::Cbc,
            Self::Ctr { .. } => Mechanism::Ctr,
            Self::Ccm { .. } => Mechanism::Ccm,
            Self::Cmac => Mechanism::Cmac,
            Self::Gmac { .. } => Mechanism::Gmac,
            Self::Gcm { .. } => Mechanism::Gcm,
        }
    }

    /// The number of bytes that a message with `len` bytes of data hashes; 0 if the mechanism hashes nothing.
    pub fn hashed(&self, len: usize) -> usize {
        match self {
            Self::Gcm { iv, aad, .. } | Self::Gmac { iv, aad } => {
                len.saturating_add(iv.len()).saturating_add(aad.len())
            }
            _ => 0,
        }
    }

    /// The number of bytes of a message with `len` bytes of data, AAD included.
    #[inline]
    pub fn total(&self, len: usize) -> usize {
        match self {
            Self::Gcm { aad, .. } | Self::Gmac { aad, .. } | Self::Ccm { aad, .. } => {
                len.saturating_add(aad.len())
            }
            _ => len,
        }
    }

    /// A parameter of CCM.
    ///
    /// # Errors
    /// `MECHANISM_PARAM_INVALID` for a length that the standard does not have.
    pub fn ccm(nonce: &'a [u8], aad: &'a [u8], text_len: u64, tag_len: usize) -> Result<Self> {
        let lengths = matches!(nonce.len(), 7..=13) && Mechanism::Ccm.has_tag_len(tag_len);
        // With a nonce of 7 bytes every length can be encoded.
        let limit = 1_u64.checked_shl(8 * (15_u32.saturating_sub(nonce.len() as u32)));
        if lengths && limit.is_none_or(|limit| text_len < limit) {
            Ok(Self::Ccm { nonce, aad, text_len, tag_len })
        } else {
            Err(Error::MECHANISM_PARAM_INVALID)
        }
    }
}

/// Longest IV and AAD of SP 800-38D section 5.2.1.1, in bytes: 2^64 - 1 bits.
pub(crate) const MAX_HASHED: u64 = (1 << 61) - 1;

/// CBC's parameter: the IV, zeros if there is none.
///
/// # Safety
/// `param` is NULL, or 16 bytes are there, as [`Mechanism::check_parameter`] has found.
#[inline(always)]
unsafe fn cbc_parameter(param: *const core::ffi::c_char, parameter: &mut Parameter<'_>) {
    let iv = if param.is_null() {
        [0; 16]
    } else {
        // SAFETY: the caller's contract.
        unsafe { param.cast::<[u8; 16]>().read() }
    };
    *parameter = Parameter::Cbc { iv: Block(iv) };
}

impl Mechanism {
    /// Whether the parameter, if there is one, has the right length.
    ///
    /// # Errors
    /// `MECHANISM_PARAM_INVALID`
    #[inline]
    pub fn check_parameter(self, mechanism: &crypto_mechanism_t) -> Result<()> {
        let expected = match self {
            Self::Ecb | Self::Cmac => return Ok(()),
            Self::Cbc => 16,
            Self::Ccm => size_of::<CK_AES_CCM_PARAMS>(),
            Self::Ctr => size_of::<CK_AES_CTR_PARAMS>(),
            Self::Gcm => size_of::<CK_AES_GCM_PARAMS>(),
            Self::Gmac => size_of::<CK_AES_GMAC_PARAMS>(),
        };
        if !mechanism.cm_param.is_null() && mechanism.cm_param_len != expected {
            return Err(Error::MECHANISM_PARAM_INVALID);
        }
        Ok(())
    }

    /// The mechanism with this number.
    ///
    /// # Errors
    /// `MECHANISM_INVALID`
    #[inline]
    pub fn numbered(number: crypto_mech_type_t) -> Result<Self> {
        match number {
            AES_ECB_MECH_INFO_TYPE => Ok(Self::Ecb),
            AES_CBC_MECH_INFO_TYPE => Ok(Self::Cbc),
            AES_CTR_MECH_INFO_TYPE => Ok(Self::Ctr),
            AES_CCM_MECH_INFO_TYPE => Ok(Self::Ccm),
            AES_GCM_MECH_INFO_TYPE => Ok(Self::Gcm),
            AES_GMAC_MECH_INFO_TYPE => Ok(Self::Gmac),
            AES_CMAC_MECH_INFO_TYPE => Ok(Self::Cmac),
            _ => Err(Error::MECHANISM_INVALID),
        }
    }

    /// Its name in C: in the statistics and in the findings of a self-test.
    pub const fn c_name(self) -> &'static CStr {
        match self {
            Self::Ecb => c"ecb",
            Self::Cbc => c"cbc",
            Self::Ctr => c"ctr",
            Self::Ccm => c"ccm",
            Self::Gcm => c"gcm",
            Self::Gmac => c"gmac",
            Self::Cmac => c"cmac",
        }
    }

    /// Whether a whole message may have `len` bytes: ECB and CBC want full blocks.
    ///
    /// # Errors
    /// `DATA_LEN_RANGE`; in a decryption `ENCRYPTED_DATA_LEN_RANGE`
    #[inline]
    pub fn check_len(self, direction: Direction, len: usize) -> Result<()> {
        match self {
            Self::Ecb | Self::Cbc if len & 15 != 0 => Err(direction.wrong_length()),
            _ => Ok(()),
        }
    }

    /// Whether a tag may have `len` bytes (SP 800-38D section 5.2.1.2, SP 800-38C appendix A.1). SP 800-38B
    /// does not limit the tag of CMAC: here it has at least 4 bytes.
    #[inline]
    pub const fn has_tag_len(self, len: usize) -> bool {
        match self {
            Self::Gcm | Self::Gmac => matches!(len, 4 | 8 | 12..=16),
            Self::Ccm => matches!(len, 4 | 6 | 8 | 10 | 12 | 14 | 16),
            Self::Cmac => matches!(len, 4..=16),
            Self::Ecb | Self::Cbc | Self::Ctr => false,
        }
    }

    /// Whether its keys need the powers of H.
    pub fn hashes(self) -> bool {
        matches!(self, Self::Gcm | Self::Gmac)
    }

    /// [`parameter`](Self::parameter) of a message in one call: the frequent mechanisms are inlined. A call
    /// would be 3 percent of a short message.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn parameter_at_once<'a>(
        self,
        direction: Direction,
        mechanism: &crypto_mechanism_t,
        parameter: &mut Parameter<'a>,
    ) -> Result<()> {
        let param = mechanism.cm_param.cast_const();
        match self {
            Self::Ecb => {
                *parameter = Parameter::Ecb;
                Ok(())
            }
            Self::Cbc => {
                // SAFETY: the caller's contract.
                unsafe { cbc_parameter(param, parameter) };
                Ok(())
            }
            // SAFETY: the caller's contract.
            Self::Gcm => unsafe { Self::gcm_parameter(mechanism, parameter) },
            // SAFETY: the caller's contract.
            _ => unsafe { self.parameter(direction, mechanism, parameter) },
        }
    }

    /// Follows and checks the parameter. Written in place, because a return value would be copied.
    ///
    /// # Errors
    /// `MECHANISM_PARAM_INVALID`
    ///
    /// # Safety
    /// [`Mechanism::check_parameter`] has passed `mechanism`. `cm_param` is NULL or readable for that length.
    /// The IV and AAD that it names are readable for `'a`.
    #[inline(never)]
    pub unsafe fn parameter<'a>(
        self,
        direction: Direction,
        mechanism: &crypto_mechanism_t,
        parameter: &mut Parameter<'a>,
    ) -> Result<()> {
        let param = mechanism.cm_param.cast_const();
        let missing = param.is_null();
        match self {
            Self::Ecb => *parameter = Parameter::Ecb,
            Self::Cmac => *parameter = Parameter::Cmac,
            // SAFETY: the caller's contract.
            Self::Cbc => unsafe { cbc_parameter(param, parameter) },
            _ if missing => return Err(Error::MECHANISM_PARAM_INVALID),
            Self::Ctr => {
                // SAFETY: of that length, by `check_parameter`; no alignment is presumed.
                let p = unsafe { param.cast::<CK_AES_CTR_PARAMS>().read_unaligned() };
                *parameter = match u32::try_from(p.ulCounterBits) {
                    Ok(bits @ 1..=128) => Parameter::Ctr { bits, cb: Block(p.cb) },
                    _ => return Err(Error::MECHANISM_PARAM_INVALID),
                };
            }
            Self::Ccm => {
                // SAFETY: of that length, by `check_parameter`; no alignment is presumed.
                let p = unsafe { param.cast::<CK_AES_CCM_PARAMS>().read_unaligned() };
                let attached = match direction {
                    Direction::Encrypt => 0,
                    Direction::Decrypt => p.ulMACSize,
                };
                let text_len =
                    p.ulDataSize.checked_sub(attached).ok_or(Error::MECHANISM_PARAM_INVALID)?;
                // SAFETY: the caller's contract.
                let (nonce, aad) = unsafe {
                    (bytes(p.nonce, p.ulNonceSize)?, bytes(p.authData, p.ulAuthDataSize)?)
                };
                *parameter = Parameter::ccm(nonce, aad, text_len, p.ulMACSize as usize)?;
            }
            // SAFETY: the caller's contract.
            Self::Gcm => unsafe { Self::gcm_parameter(mechanism, parameter)? },
            Self::Gmac => {
                // SAFETY: of that length, by `check_parameter`; no alignment is presumed.
                let p = unsafe { param.cast::<CK_AES_GMAC_PARAMS>().read_unaligned() };
                // SAFETY: the caller's contract.
                let (iv, aad) = unsafe { (bytes(p.pIv, 12)?, bytes(p.pAAD, p.ulAADLen)?) };
                *parameter = Parameter::Gmac { iv, aad };
            }
        }
        Ok(())
    }

    /// [`parameter`](Self::parameter) of GCM.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn gcm_parameter<'a>(
        mechanism: &crypto_mechanism_t,
        parameter: &mut Parameter<'a>,
    ) -> Result<()> {
        let param = mechanism.cm_param.cast_const().cast::<CK_AES_GCM_PARAMS>();
        if param.is_null() {
            return Err(Error::MECHANISM_PARAM_INVALID);
        }
        // SAFETY: of that length, by `check_parameter`; no alignment is presumed.
        let p = unsafe { param.read_unaligned() };
        let tag_len = p.ulTagBits as usize / 8;
        let tag = p.ulTagBits & 7 == 0 && Self::Gcm.has_tag_len(tag_len);
        if !tag || p.ulIvLen == 0 {
            return Err(Error::MECHANISM_PARAM_INVALID);
        }
        // SAFETY: the caller's contract.
        let (iv, aad) = unsafe { (bytes(p.pIv, p.ulIvLen)?, bytes(p.pAAD, p.ulAADLen)?) };
        *parameter = Parameter::Gcm { iv, aad, tag_len };
        Ok(())
    }
}

/// # Safety
/// `at` is NULL or readable for `len` bytes during `'a`.
unsafe fn bytes<'a>(at: *const u8, len: u64) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if at.is_null() || len > MAX_HASHED {
        return Err(Error::MECHANISM_PARAM_INVALID);
    }
    // SAFETY: not NULL, and the caller's contract.
    Ok(unsafe { core::slice::from_raw_parts(at, len as usize) })
}

/// Whether the key is given by value.
///
/// # Errors
/// `KEY_TYPE_INCONSISTENT`
pub fn check_format(key: &crypto_key_t) -> Result<()> {
    if key.ck_format == CRYPTO_KEY_RAW { Ok(()) } else { Err(Error::KEY_TYPE_INCONSISTENT) }
}

/// The bytes of a key given by value.
///
/// # Errors
/// `KEY_TYPE_INCONSISTENT`; `KEY_SIZE_RANGE` unless it has exactly 128, 192 or 256 bits;
/// `ARGUMENTS_BAD` for a NULL pointer.
///
/// # Safety
/// The key's bytes are readable for `'a`.
pub unsafe fn key_bytes<'a>(key: &crypto_key_t) -> Result<&'a [u8]> {
    check_format(key)?;
    // SAFETY: the format says which member is set.
    let value = unsafe { key.cku_data.cku_key_value };
    if value.cku_v_length & 7 != 0 {
        return Err(Error::KEY_SIZE_RANGE);
    }
    let len = value.cku_v_length as usize / 8;
    Key::check_len(len)?;
    let at: *const c_void = value.cku_v_data;
    if at.is_null() {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: not NULL, and the caller's contract.
    Ok(unsafe { core::slice::from_raw_parts(at.cast(), len) })
}
