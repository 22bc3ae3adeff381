// SPDX-License-Identifier: MIT OR Apache-2.0
//! The direct path: the text is one run, and one hold is enough for the message. A kernel transforms it, and
//! no state is set up for parts that never come.
//!
//! It finds no errors but a wrong tag. Where anything is unusual it does not take the message. Then the
//! general path makes all checks, in their order.

use core::mem::MaybeUninit;

use kcfaes_kernels::{Block, BlockMode};

pub use super::aead::Way;
use super::aead::{TagOf, transform_run};
use super::ecb::Ecb;
use super::gcm::Ghash;
use super::gmac::Gmac;
use super::{Apart, cbc, ccm, cmac};
use crate::data::Run;
use crate::engine::{Material, Once, Pace, Table, TableId, most_at_once, select_for, to_wrap};
use crate::kcf::Result;
use crate::request::{Direction, Parameter};
use crate::watch;
use crate::wipe::{Secret, wipe};

/// The bytes of CCM that belong neither to the text nor to the AAD, at most: the first block, the AAD's
/// length and padding, the block that enciphers the tag.
const CCM_BLOCKS: usize = 48;

impl Way {
    /// The way of a text of `len` bytes, at least one, if one hold of `table` is enough for it, for `more`
    /// bytes and for `setup` cost units.
    #[inline(always)]
    pub(super) fn of(
        table: Table,
        pace: Pace,
        len: usize,
        more: usize,
        setup: usize,
    ) -> Option<Self> {
        let most = most_at_once(pace, setup).saturating_sub(more);
        let takes = len.wrapping_sub(1) < most && table.id() != TableId::Portable;
        let cost = pace.cost(len.wrapping_add(more)).wrapping_add(setup);
        (takes && watch::direct()).then_some(Self { table, cost })
    }
}

/// The way of a message of `len` bytes that is only authenticated, by a MAC.
#[inline(always)]
pub fn takes_mac(parameter: &Parameter<'_>, len: usize, setup: usize) -> Option<Way> {
    let table = select_for(parameter.total(len));
    match parameter {
        Parameter::Cmac => Way::of(table, Pace::Serial, len.saturating_add(16), 0, setup),
        Parameter::Gmac { iv, aad: [] } => {
            Way::of(table, Pace::Parallel, len, Ghash::cost_of_iv(iv), setup)
        }
        _ => None,
    }
}

/// Makes the MAC of a message that the direct path takes ([`takes_mac`]) in `mac`, which is zero.
#[inline(always)]
pub fn make_mac(
    way: Way,
    parameter: &Parameter<'_>,
    key: &mut Material<'_>,
    message: &[u8],
    mac: &mut Secret<Block>,
) {
    let mut room = MaybeUninit::uninit();
    let once = Once::new(way.table, way.cost, &mut room);
    let key = key.set_in(once.hold());
    match *parameter {
        Parameter::Gmac { iv, .. } => {
            Gmac::tag_of(once.hold(), key, iv, message, &mut mac.0);
        }
        _ => cmac::mac_of(once.hold(), key, message, &mut mac.0),
    }
    once.end();
}

/// The bytes of the tag that are in the text.
#[inline(always)]
pub(super) fn attached(parameter: &Parameter<'_>, apart: &Apart<'_>) -> usize {
    match (parameter, apart) {
        (Parameter::Gcm { tag_len, .. } | Parameter::Ccm { tag_len, .. }, Apart::Nothing) => {
            *tag_len
        }
        _ => 0,
    }
}

/// Transforms a text, if the direct path takes it; otherwise it does nothing, and returns `None`. If its tag
/// is attached, that is at `place`.
///
/// # Errors
/// `INVALID_MAC`
#[inline(always)]
pub fn transform<'a>(
    direction: Direction,
    parameter: &mut Parameter<'_>,
    apart: &mut Apart<'_>,
    key: &mut Material<'_>,
    run: Run<'_>,
    place: impl FnOnce() -> Run<'a>,
) -> Option<(Result<()>, Way)> {
    let (len, setup) = (run.len(), key.cost());
    let behind = if direction == Direction::Decrypt { attached(parameter, apart) } else { 0 };
    let table = select_for(parameter.total(len + behind));
    let mut none = Block([0; 16]);
    let (mode, own) = match parameter {
        Parameter::Ecb if len & 15 == 0 => (Ecb::mode(direction), &mut none),
        Parameter::Cbc { iv } if len & 15 == 0 => (cbc::mode(direction), iv),
        // Strictly: the counter after the text must not have wrapped either.
        Parameter::Ctr { bits, cb } if len < to_wrap(cb, *bits).saturating_sub(15) => {
            (BlockMode::Ctr, cb)
        }
        Parameter::Gcm { iv, aad, tag_len } => {
            let more = aad.len().saturating_add(Ghash::cost_of_iv(iv));
            let way = Way::of(table, Pace::Parallel, len, more, setup)?;
            let (mut hash, tag) = (Ghash::new(), TagOf { apart, place: place(), len: *tag_len });
            let result = transform_run(&mut hash, way, direction, key, Some((iv, aad)), run, tag);
            // The tag that a forged message should have is a secret, and J0 if it was hashed.
            wipe(&mut hash.y);
            if hash.j0.secret {
                wipe(&mut hash.j0.block);
            }
            return Some((result, way));
        }
        Parameter::Ccm { nonce, aad, tag_len, text_len } if *text_len == len as u64 => {
            let more = aad.len().saturating_add(CCM_BLOCKS);
            let way = Way::of(table, Pace::Serial, len, more, setup)?;
            let (mut text, tag) =
                (ccm::Text::new(*text_len), TagOf { apart, place: place(), len: *tag_len });
            let result =
                transform_run(&mut text, way, direction, key, Some((nonce, aad)), run, tag);
            wipe(&mut text);
            return Some((result, way));
        }
        _ => return None,
    };
    let way = Way::of(table, Pace::of(mode), len, 0, setup)?;
    let state = if let Apart::NextIv(iv) = apart { iv } else { &mut own.0 };
    let (mut mac, mut room) = (Block([0; 16]), MaybeUninit::uninit());
    let once = Once::new(way.table, way.cost, &mut room);
    let schedule = &key.set_in(once.hold()).schedule;
    once.hold().transform_run(mode, schedule, state, &mut mac, &run, len);
    once.end();
    Some((Ok(()), way))
}
