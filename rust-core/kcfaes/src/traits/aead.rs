// SPDX-License-Identifier: MIT OR Apache-2.0
//! GCM and CCM.

use core::fmt;
use core::marker::PhantomData;

use aead::array::ArraySize;
use aead::inout::InOutBuf;
use aead::{AeadCore, AeadInOut, Nonce, Tag, TagPosition};
use cipher::common::{InnerInit, InnerUser};
use cipher::consts::{U4, U6, U7, U8, U9, U10, U11, U12, U13, U14, U15, U16};

use super::aes::{Aes, Aes128, Aes192, Aes256};

/// AES-GCM with a nonce of `N` bytes, 1 or more, best 12, and a tag of `T`. A nonce must never be used twice with one
/// key.
///
/// The tag has 12 to 16 bytes. SP 800-38D also knows 4 and 8, for protocols that bear a forgery now and then.
#[derive(Clone)]
pub struct AesGcm<A: Aes, N = U12, T: GcmTagSize = U16> {
    aes: A,
    sizes: PhantomData<fn() -> (N, T)>,
}

/// AES-CCM with a tag of `T` and a nonce of `N` bytes. A nonce must never be used twice with one key. The text has
/// less than 2^(8(15 - N)) bytes.
#[derive(Clone)]
pub struct AesCcm<A: Aes, T: CcmTagSize, N: CcmNonceSize> {
    aes: A,
    sizes: PhantomData<fn() -> (T, N)>,
}

/// AES-GCM with a key of 128 bits, a nonce of 12 bytes and a tag of 16.
pub type Aes128Gcm = AesGcm<Aes128>;
/// AES-GCM with a key of 192 bits, a nonce of 12 bytes and a tag of 16.
pub type Aes192Gcm = AesGcm<Aes192>;
/// AES-GCM with a key of 256 bits, a nonce of 12 bytes and a tag of 16.
pub type Aes256Gcm = AesGcm<Aes256>;

/// AES-CCM with a key of 128 bits, by default with a tag of 16 and a nonce of 12 bytes.
pub type Aes128Ccm<T = U16, N = U12> = AesCcm<Aes128, T, N>;
/// AES-CCM with a key of 192 bits, by default with a tag of 16 and a nonce of 12 bytes.
pub type Aes192Ccm<T = U16, N = U12> = AesCcm<Aes192, T, N>;
/// AES-CCM with a key of 256 bits, by default with a tag of 16 and a nonce of 12 bytes.
pub type Aes256Ccm<T = U16, N = U12> = AesCcm<Aes256, T, N>;

mod sealed {
    pub trait GcmTag {}
    pub trait CcmTag {}
    pub trait CcmNonce {}
}

/// A length that a tag of GCM may have: 4, 8 or 12 to 16 bytes.
pub trait GcmTagSize: ArraySize + sealed::GcmTag {}
/// A length that a tag of CCM may have: 4, 6, 8, 10, 12, 14 or 16 bytes.
pub trait CcmTagSize: ArraySize + sealed::CcmTag {}
/// A length that a nonce of CCM may have: 7 to 13 bytes.
pub trait CcmNonceSize: ArraySize + sealed::CcmNonce {}

macro_rules! sizes {
    ($($public:ident, $sealed:ident: $($size:ident)*;)*) => {$($(
        impl $public for $size {}
        impl sealed::$sealed for $size {}
    )*)*};
}

sizes! {
    GcmTagSize, GcmTag: U4 U8 U12 U13 U14 U15 U16;
    CcmTagSize, CcmTag: U4 U6 U8 U10 U12 U14 U16;
    CcmNonceSize, CcmNonce: U7 U8 U9 U10 U11 U12 U13;
}

macro_rules! aead {
    ($($name:ident<$($size:ident: $bound:ident),*>, $seal:ident, $open:ident;)*) => {$(
        impl<A: Aes, $($size: $bound),*> InnerUser for $name<A, $($size),*> {
            type Inner = A;
        }

        impl<A: Aes, $($size: $bound),*> InnerInit for $name<A, $($size),*> {
            fn inner_init(aes: A) -> Self {
                Self { aes, sizes: PhantomData }
            }
        }

        impl<A: Aes, $($size: $bound),*> From<A> for $name<A, $($size),*> {
            fn from(aes: A) -> Self {
                Self::inner_init(aes)
            }
        }

        impl<A: Aes, $($size: $bound),*> AeadCore for $name<A, $($size),*> {
            type NonceSize = N;
            type TagSize = T;
            const TAG_POSITION: TagPosition = TagPosition::Postfix;
        }

        impl<A: Aes, $($size: $bound),*> AeadInOut for $name<A, $($size),*> {
            fn encrypt_inout_detached(
                &self,
                nonce: &Nonce<Self>,
                aad: &[u8],
                text: InOutBuf<'_, '_, u8>,
            ) -> aead::Result<Tag<Self>> {
                let mut tag = Tag::<Self>::default();
                let sealed = self.aes.key().$seal(nonce, aad, text, &mut tag);
                sealed.map(|()| tag).map_err(|_| aead::Error)
            }

            /// If the message is not authentic, no plaintext is left: the output is zero or, in place, the
            /// ciphertext again.
            fn decrypt_inout_detached(
                &self,
                nonce: &Nonce<Self>,
                aad: &[u8],
                text: InOutBuf<'_, '_, u8>,
                tag: &Tag<Self>,
            ) -> aead::Result<()> {
                self.aes.key().$open(nonce, aad, text, tag).map_err(|_| aead::Error)
            }
        }

        impl<A: Aes, $($size: $bound),*> fmt::Debug for $name<A, $($size),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        #[cfg(feature = "zeroize")]
        impl<A: Aes + zeroize::ZeroizeOnDrop, $($size: $bound),*> zeroize::ZeroizeOnDrop
            for $name<A, $($size),*>
        {
        }
    )*};
}

aead! {
    AesGcm<N: ArraySize, T: GcmTagSize>, gcm_seal, gcm_open;
    AesCcm<T: CcmTagSize, N: CcmNonceSize>, ccm_seal, ccm_open;
}
