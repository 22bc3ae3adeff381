// SPDX-License-Identifier: MIT OR Apache-2.0
//! The block cipher, for each key size.

use core::fmt;

use cipher::consts::{U16, U24, U32, U64};
use cipher::inout::{InOut, InOutBuf, NotEqualError};
use cipher::{
    Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
    BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, Key as KeyBytes, KeyInit,
    KeySizeUser, ParBlocks, ParBlocksSizeUser,
};

use crate::error::infallible;
use crate::{Key, Text};

mod sealed {
    pub trait HasKey {
        fn key(&self) -> &crate::Key;
    }
}

/// [`Aes128`], [`Aes192`] or [`Aes256`], or a reference to one: what the modes have for a key. By a reference many
/// share one, such as `Ctr128BE<&Aes128>`.
pub trait Aes: sealed::HasKey + BlockSizeUser<BlockSize = U16> {}

impl<A: sealed::HasKey> sealed::HasKey for &A {
    fn key(&self) -> &Key {
        A::key(self)
    }
}

impl<A: Aes> Aes for &A {}

/// Blocks of 16 bytes as a text.
pub(super) fn text<'a>(blocks: InOutBuf<'a, 'a, cipher::Array<u8, U16>>) -> Text<'a> {
    let len = 16 * blocks.len();
    let (src, dst) = blocks.into_raw();
    // SAFETY: the same bytes; an array of bytes has no others.
    Text::from(unsafe { InOutBuf::from_raw(src.cast(), dst.cast(), len) })
}

/// What generic code of RustCrypto calls: it brings 64 blocks at a time.
///
/// Chosen: more than the 48 blocks that the widest table keeps in flight.
pub(super) type ParBlocksSize = U64;

macro_rules! aes {
    ($($name:ident, $size:ty, $bits:literal;)*) => {$(
        #[doc = concat!("AES with a key of ", $bits, " bits, as a block cipher and as the key of a mode.")]
        ///
        /// The key is erased when it is dropped. `KeyInit::new` panics if there is no memory.
        ///
        /// A slice of blocks is one call of the kernels, of any length. Blocks that come one by one are slow.
        pub struct $name(Key);

        impl sealed::HasKey for $name {
            fn key(&self) -> &Key {
                &self.0
            }
        }

        impl Aes for $name {}

        impl KeySizeUser for $name {
            type KeySize = $size;
        }

        impl KeyInit for $name {
            fn new(key: &KeyBytes<Self>) -> Self {
                Self(infallible(Key::new(key)))
            }
        }

        impl BlockSizeUser for $name {
            type BlockSize = U16;
        }

        impl BlockCipherEncrypt for $name {
            fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
                f.call(&Backend(&self.0));
            }

            fn encrypt_blocks_inout(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
                infallible(self.0.ecb_encrypt(text(blocks)));
            }

            fn encrypt_blocks(&self, blocks: &mut [Block<Self>]) {
                self.encrypt_blocks_inout(blocks.into());
            }

            fn encrypt_blocks_b2b(
                &self,
                src: &[Block<Self>],
                dst: &mut [Block<Self>],
            ) -> Result<(), NotEqualError> {
                InOutBuf::new(src, dst).map(|blocks| self.encrypt_blocks_inout(blocks))
            }
        }

        impl BlockCipherDecrypt for $name {
            fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
                f.call(&Backend(&self.0));
            }

            fn decrypt_blocks_inout(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
                infallible(self.0.ecb_decrypt(text(blocks)));
            }

            fn decrypt_blocks(&self, blocks: &mut [Block<Self>]) {
                self.decrypt_blocks_inout(blocks.into());
            }

            fn decrypt_blocks_b2b(
                &self,
                src: &[Block<Self>],
                dst: &mut [Block<Self>],
            ) -> Result<(), NotEqualError> {
                InOutBuf::new(src, dst).map(|blocks| self.decrypt_blocks_inout(blocks))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        #[cfg(feature = "zeroize")]
        impl zeroize::ZeroizeOnDrop for $name {}
    )*};
}

aes! {
    Aes128, U16, "128";
    Aes192, U24, "192";
    Aes256, U32, "256";
}

/// What generic code of RustCrypto is given.
struct Backend<'a>(&'a Key);

impl BlockSizeUser for Backend<'_> {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Backend<'_> {
    type ParBlocksSize = ParBlocksSize;
}

impl BlockCipherEncBackend for Backend<'_> {
    fn encrypt_block(&self, block: InOut<'_, '_, Block<Self>>) {
        infallible(self.0.ecb_encrypt(block.into_buf()));
    }

    fn encrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        infallible(self.0.ecb_encrypt(text(blocks.into_buf())));
    }

    fn encrypt_tail_blocks(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        infallible(self.0.ecb_encrypt(text(blocks)));
    }
}

impl BlockCipherDecBackend for Backend<'_> {
    fn decrypt_block(&self, block: InOut<'_, '_, Block<Self>>) {
        infallible(self.0.ecb_decrypt(block.into_buf()));
    }

    fn decrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        infallible(self.0.ecb_decrypt(text(blocks.into_buf())));
    }

    fn decrypt_tail_blocks(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        infallible(self.0.ecb_decrypt(text(blocks)));
    }
}
