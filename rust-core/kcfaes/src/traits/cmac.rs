// SPDX-License-Identifier: MIT OR Apache-2.0
//! CMAC.

use core::fmt;

use cipher::consts::U16;
use digest::common::{InnerInit, InnerUser};
use digest::{FixedOutput, FixedOutputReset, MacMarker, Output, OutputSizeUser, Reset, Update};

use super::aes::{Aes, Aes128, Aes192, Aes256};
use crate::Message;
use crate::error::infallible;
use crate::parts::Context;

/// CMAC. Erased when it is dropped; `verify` and its like compare in constant time. Making or cloning one panics if
/// there is no memory.
pub struct Cmac<A: Aes> {
    /// Of the key of `aes`, which lies on the heap and stays there.
    context: Context,
    aes: A,
}

/// CMAC with a key of 128 bits.
pub type Aes128Cmac = Cmac<Aes128>;
/// CMAC with a key of 192 bits.
pub type Aes192Cmac = Cmac<Aes192>;
/// CMAC with a key of 256 bits.
pub type Aes256Cmac = Cmac<Aes256>;

impl<A: Aes> InnerUser for Cmac<A> {
    type Inner = A;
}

impl<A: Aes> InnerInit for Cmac<A> {
    fn inner_init(aes: A) -> Self {
        let mut context = infallible(Context::new());
        infallible(context.begin_cmac(aes.key()));
        Self { context, aes }
    }
}

impl<A: Aes> OutputSizeUser for Cmac<A> {
    type OutputSize = U16;
}

impl<A: Aes> Update for Cmac<A> {
    fn update(&mut self, data: &[u8]) {
        infallible(self.context.read(&Message::from(data)));
    }
}

impl<A: Aes> FixedOutput for Cmac<A> {
    fn finalize_into(mut self, out: &mut Output<Self>) {
        infallible(self.context.end_cmac(out));
    }
}

impl<A: Aes> Reset for Cmac<A> {
    fn reset(&mut self) {
        infallible(self.context.begin_cmac(self.aes.key()));
    }
}

impl<A: Aes> FixedOutputReset for Cmac<A> {
    fn finalize_into_reset(&mut self, out: &mut Output<Self>) {
        infallible(self.context.end_cmac(out));
        self.reset();
    }
}

impl<A: Aes> MacMarker for Cmac<A> {}

impl<A: Aes + Clone> Clone for Cmac<A> {
    fn clone(&self) -> Self {
        let context = infallible(self.context.copied());
        Self { context, aes: self.aes.clone() }
    }
}

impl<A: Aes> fmt::Debug for Cmac<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cmac").finish_non_exhaustive()
    }
}

#[cfg(feature = "zeroize")]
impl<A: Aes + zeroize::ZeroizeOnDrop> zeroize::ZeroizeOnDrop for Cmac<A> {}
