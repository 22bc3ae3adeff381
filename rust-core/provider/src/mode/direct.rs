// SPDX-License-Identifier: MIT OR Apache-2.0
//! The direct path of a whole message: its text is one run, for which one hold is enough. One kernel
//! transforms it, and no state is set up for parts that never come.
//!
//! It finds no errors but a wrong tag. Where anything is unusual it does not take the message. Then the
//! general path makes all checks, in their order.

use kcfaes_kernels::{Block, BlockMode};

use super::ecb::Ecb;
use super::gmac::Gmac;
use super::{Apart, cbc, cmac, gcm};
use crate::data::Run;
use crate::engine::{Call, Fpu, Pace, TableId, to_wrap};
use crate::kcf::{Error, Result};
use crate::request::{Direction, Parameter};
use crate::watch;
use crate::wipe::Secret;

/// The mode of the text, except in GCM.
#[inline(always)]
fn block_mode(direction: Direction, parameter: &Parameter<'_>) -> Option<BlockMode> {
    match parameter {
        Parameter::Ecb => Some(Ecb::mode(direction)),
        Parameter::Cbc { .. } => Some(cbc::mode(direction)),
        Parameter::Ctr { .. } => Some(BlockMode::Ctr),
        _ => None,
    }
}

/// Whether the direct path takes a text of `len` bytes.
#[inline(always)]
pub fn takes(direction: Direction, parameter: &Parameter<'_>, fpu: &Fpu, len: usize) -> bool {
    let pace = block_mode(direction, parameter).map_or(Pace::Parallel, Pace::of);
    let fits = len.wrapping_sub(1) < fpu.most(pace);
    let fits = fits && fpu.table() != TableId::Portable && watch::direct();
    match *parameter {
        Parameter::Ecb | Parameter::Cbc { .. } => fits && len & 15 == 0,
        // Strictly: the counter after the text must not have wrapped either.
        Parameter::Ctr { bits, cb } => fits && len.next_multiple_of(16) < to_wrap(&cb, bits),
        Parameter::Gcm { .. } => fits,
        _ => false,
    }
}

/// Whether the direct path takes a message of `len` bytes that is only authenticated, by a MAC.
#[inline(always)]
pub fn takes_mac(parameter: &Parameter<'_>, fpu: &Fpu, len: usize) -> bool {
    let pace = match parameter {
        Parameter::Cmac => Pace::Serial,
        Parameter::Gmac { aad: [], .. } if len > 0 => Pace::Parallel,
        _ => return false,
    };
    len < fpu.most(pace) && watch::direct()
}

/// Makes the MAC of a message that the direct path [`takes`](takes_mac) in `mac`, which is zero.
#[inline(always)]
pub fn make_mac(
    call: &mut Call<'_>,
    parameter: &Parameter<'_>,
    message: &[u8],
    mac: &mut Secret<Block>,
) {
    match *parameter {
        Parameter::Gmac { iv, .. } => Gmac::tag_of(call, iv, message, &mut mac.0),
        _ => cmac::mac_of(call, message, &mut mac.0),
    }
}

/// Transforms a text that the direct path [`takes`].
///
/// # Errors
/// `INVALID_MAC`
#[inline(always)]
pub fn transform(
    call: &mut Call<'_>,
    parameter: &Parameter<'_>,
    apart: Apart<'_>,
    run: Run<'_>,
) -> Result<()> {
    let len = run.len();
    if let Parameter::Gcm { iv, aad, tag_len } = *parameter {
        return gcm::transform_run(call, iv, aad, tag_len, apart, run);
    }
    let Some(mode) = block_mode(call.direction, parameter) else {
        return Err(Error::GENERAL_ERROR);
    };
    let zero = Block([0; 16]);
    let mut own = match *parameter {
        Parameter::Cbc { iv } => iv.0,
        Parameter::Ctr { cb, .. } => cb.0,
        _ => zero.0,
    };
    let state = if let Apart::NextIv(iv) = apart { iv } else { &mut own };
    let hold = call.fpu.hold_all(Pace::of(mode).cost(len));
    hold.transform_run(mode, &call.key.schedule, state, &mut { zero }, &run, len);
    Ok(())
}
