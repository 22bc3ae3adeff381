// SPDX-License-Identifier: MIT OR Apache-2.0
//! CTR as a stream cipher.

use core::fmt;

use cipher::common::InnerUser;
use cipher::consts::U16;
use cipher::inout::InOutBuf;
use cipher::{
    InnerIvInit, Iv, IvSizeUser, OverflowError, SeekNum, StreamCipher, StreamCipherError,
    StreamCipherSeek,
};

use super::aes::Aes;
use crate::error::infallible;

/// CTR with a big-endian counter of 128 bits. It may begin at any byte; the stream has 2^64 bytes.
///
/// It keeps no keystream. A text that begins within a block costs one block more.
#[derive(Clone)]
pub struct Ctr128BE<A: Aes> {
    aes: A,
    counter: [u8; 16],
    position: u64,
}

impl<A: Aes> InnerUser for Ctr128BE<A> {
    type Inner = A;
}

impl<A: Aes> IvSizeUser for Ctr128BE<A> {
    type IvSize = U16;
}

impl<A: Aes> InnerIvInit for Ctr128BE<A> {
    fn inner_iv_init(aes: A, iv: &Iv<Self>) -> Self {
        Self { aes, counter: (*iv).into(), position: 0 }
    }
}

impl<A: Aes> StreamCipher for Ctr128BE<A> {
    fn check_remaining(&self, data_len: usize) -> Result<(), StreamCipherError> {
        self.position.checked_add(data_len as u64).map(drop).ok_or(StreamCipherError)
    }

    fn unchecked_apply_keystream_inout(&mut self, text: InOutBuf<'_, '_, u8>) {
        let len = text.len() as u64;
        infallible(self.aes.key().ctr_at(&self.counter, self.position, text));
        self.position = self.position.wrapping_add(len);
    }

    fn unchecked_write_keystream(&mut self, buf: &mut [u8]) {
        buf.fill(0);
        self.unchecked_apply_keystream_inout(buf.into());
    }
}

impl<A: Aes> StreamCipherSeek for Ctr128BE<A> {
    fn try_current_pos<T: SeekNum>(&self) -> Result<T, OverflowError> {
        // The trait counts a block as soon as a byte of it is used, and then the bytes of it, 1 to 16.
        let used = (self.position.wrapping_sub(1) % 16 + 1) as u8;
        T::from_block_byte(self.position.div_ceil(16), used, 16)
    }

    fn try_seek<T: SeekNum>(&mut self, pos: T) -> Result<(), StreamCipherError> {
        let (block, byte) = pos.into_block_byte::<u64>(16)?;
        let position = block.checked_mul(16).ok_or(StreamCipherError)?;
        self.position = position | u64::from(byte);
        Ok(())
    }
}

impl<A: Aes> fmt::Debug for Ctr128BE<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctr128BE").finish_non_exhaustive()
    }
}

#[cfg(feature = "zeroize")]
impl<A: Aes + zeroize::ZeroizeOnDrop> zeroize::ZeroizeOnDrop for Ctr128BE<A> {}
