// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC: `Encryptor` and `Decryptor`, named as in RustCrypto's crate `cbc`.
//!
//! A slice of blocks is one call of the kernels, of any length. Blocks that come one by one are slow.

use core::fmt;

use cipher::common::InnerUser;
use cipher::consts::U16;
use cipher::inout::{InOut, InOutBuf, NotEqualError};
use cipher::{
    Block, BlockModeDecBackend, BlockModeDecClosure, BlockModeDecrypt, BlockModeEncBackend,
    BlockModeEncClosure, BlockModeEncrypt, BlockSizeUser, InnerIvInit, Iv, IvSizeUser, IvState,
    ParBlocks, ParBlocksSizeUser,
};

use super::aes::{Aes, ParBlocksSize, text};
use crate::Text;
use crate::error::infallible;

/// CBC encryption. Each block waits for the one before, so it is slower than decryption.
#[derive(Clone)]
pub struct Encryptor<A: Aes> {
    aes: A,
    iv: [u8; 16],
}

/// CBC decryption.
#[derive(Clone)]
pub struct Decryptor<A: Aes> {
    aes: A,
    iv: [u8; 16],
}

macro_rules! mode {
    ($($name:ident, $backend:ident, $call:ident;)*) => {$(
        impl<A: Aes> $name<A> {
            fn apply(&mut self, text: Text<'_>) {
                infallible(self.aes.key().$call(&mut self.iv, text));
            }
        }

        impl<A: Aes> BlockSizeUser for $name<A> {
            type BlockSize = U16;
        }

        impl<A: Aes> InnerUser for $name<A> {
            type Inner = A;
        }

        impl<A: Aes> IvSizeUser for $name<A> {
            type IvSize = U16;
        }

        impl<A: Aes> InnerIvInit for $name<A> {
            fn inner_iv_init(aes: A, iv: &Iv<Self>) -> Self {
                Self { aes, iv: (*iv).into() }
            }
        }

        impl<A: Aes> IvState for $name<A> {
            fn iv_state(&self) -> Iv<Self> {
                self.iv.into()
            }
        }

        impl<A: Aes> fmt::Debug for $name<A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        #[cfg(feature = "zeroize")]
        impl<A: Aes + zeroize::ZeroizeOnDrop> zeroize::ZeroizeOnDrop for $name<A> {}

        /// What generic code of RustCrypto is given.
        struct $backend<'a, A: Aes>(&'a mut $name<A>);

        impl<A: Aes> BlockSizeUser for $backend<'_, A> {
            type BlockSize = U16;
        }

        impl<A: Aes> ParBlocksSizeUser for $backend<'_, A> {
            type ParBlocksSize = ParBlocksSize;
        }
    )*};
}

mode! {
    Encryptor, EncBackend, cbc_encrypt;
    Decryptor, DecBackend, cbc_decrypt;
}

impl<A: Aes> BlockModeEncrypt for Encryptor<A> {
    fn encrypt_with_backend(&mut self, f: impl BlockModeEncClosure<BlockSize = U16>) {
        f.call(&mut EncBackend(self));
    }

    fn encrypt_blocks_inout(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.apply(text(blocks));
    }

    fn encrypt_blocks(&mut self, blocks: &mut [Block<Self>]) {
        self.encrypt_blocks_inout(blocks.into());
    }

    fn encrypt_blocks_b2b(
        &mut self,
        src: &[Block<Self>],
        dst: &mut [Block<Self>],
    ) -> Result<(), NotEqualError> {
        InOutBuf::new(src, dst).map(|blocks| self.encrypt_blocks_inout(blocks))
    }
}

impl<A: Aes> BlockModeEncBackend for EncBackend<'_, A> {
    fn encrypt_block(&mut self, block: InOut<'_, '_, Block<Self>>) {
        self.0.apply(block.into_buf().into());
    }

    fn encrypt_par_blocks(&mut self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        self.0.apply(text(blocks.into_buf()));
    }

    fn encrypt_tail_blocks(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.0.apply(text(blocks));
    }
}

impl<A: Aes> BlockModeDecrypt for Decryptor<A> {
    fn decrypt_with_backend(&mut self, f: impl BlockModeDecClosure<BlockSize = U16>) {
        f.call(&mut DecBackend(self));
    }

    fn decrypt_blocks_inout(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.apply(text(blocks));
    }

    fn decrypt_blocks(&mut self, blocks: &mut [Block<Self>]) {
        self.decrypt_blocks_inout(blocks.into());
    }

    fn decrypt_blocks_b2b(
        &mut self,
        src: &[Block<Self>],
        dst: &mut [Block<Self>],
    ) -> Result<(), NotEqualError> {
        InOutBuf::new(src, dst).map(|blocks| self.decrypt_blocks_inout(blocks))
    }
}

impl<A: Aes> BlockModeDecBackend for DecBackend<'_, A> {
    fn decrypt_block(&mut self, block: InOut<'_, '_, Block<Self>>) {
        self.0.apply(block.into_buf().into());
    }

    fn decrypt_par_blocks(&mut self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        self.0.apply(text(blocks.into_buf()));
    }

    fn decrypt_tail_blocks(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.0.apply(text(blocks));
    }
}
