// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modes of operation: one state machine each, driven by an entry point, fed with runs.
//!
//! An [`Operation`] never sees a `crypto_data_t` and allocates only in [`Operation::reserve`] and where
//! a GCM decryption in parts has latched to buffering. Every method either does all of its work or
//! fails with nothing consumed and nothing written, but for the rule of forged messages ([`gcm`]).

mod cbc;
mod cbc_batch;
mod ccm;
mod cmac;
mod ctr;
mod ecb;
mod gcm;
mod gmac;

use core::ffi::c_int;
use core::mem::MaybeUninit;

use self::cbc::Cbc;
pub use self::cbc_batch::cbc_encrypt_batch;
use self::ccm::Ccm;
use self::cmac::Cmac;
use self::ctr::Ctr;
use self::ecb::Ecb;
use self::gcm::Gcm;
pub use self::gcm::set_gcm_stream;
use self::gmac::Gmac;
use crate::data::{Data, Io, Pair, Segments};
use crate::engine::drive::{Carry, drive};
use crate::engine::{Buffer, Fpu, Pace, Step, Wipe, wipe};
use crate::kcf::{Error, Result};
use crate::key::Key;
use crate::request::{Direction, Mechanism, Parameter};

/// One message in one mode and direction.
pub struct Operation {
    direction: Direction,
    mode: Mode,
    buffer: Buffer,
}

/// State of each mode, in one form for all tables. All-zero is [`Mode::Ended`].
#[repr(u64)]
enum Mode {
    /// Not begun, or ended.
    Ended = 0,
    Ecb(Ecb),
    Cbc(Cbc),
    Ctr(Ctr),
    Ccm(Ccm),
    Gcm(Gcm),
    Gmac(Gmac),
    Cmac(Cmac),
}

#[allow(unsafe_code, reason = "a statement about layout")]
// SAFETY: with `repr(u64)` all-zero bytes are the variant 0, which has no fields; no variant owns
// anything.
unsafe impl Wipe for Mode {}

#[allow(unsafe_code, reason = "as above")]
// SAFETY: blocks, integers and a boolean.
unsafe impl Wipe for gcm::Text {}

impl Mode {
    /// Takes in a message of a MAC, or a part.
    fn absorb(&mut self, key: &Key, fpu: &mut Fpu, src: Segments<'_>) -> Result<()> {
        match self {
            Self::Gmac(gmac) => gmac.update(key, fpu, src)?,
            Self::Cmac(cmac) => cmac.update(key, fpu, src),
            _ => return Err(Error::OPERATION_NOT_INITIALIZED),
        }
        Ok(())
    }

    /// Ends the message of a MAC and writes its 16 bytes.
    fn give_mac(&mut self, key: &Key, fpu: &mut Fpu, out: &mut Segments<'_>) -> Result<()> {
        match self {
            Self::Gmac(gmac) => out.scatter(&gmac.tag(key, fpu).0),
            Self::Cmac(cmac) => out.scatter(&cmac.tag(key, fpu).0),
            _ => return Err(Error::OPERATION_NOT_INITIALIZED),
        }
        Ok(())
    }
}

/// What a call has written, for `cd_length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// So many bytes.
    Bytes(usize),
    /// `cd_length` stays as it is.
    Unsaid,
}

impl Operation {
    /// An operation that has not begun. Not a constant, which would be copied, padding and all.
    #[inline]
    pub const fn idle() -> Self {
        Self { direction: Direction::Encrypt, mode: Mode::Ended, buffer: Buffer::new() }
    }

    /// Whether it has not begun, or has ended.
    pub fn ended(&self) -> bool {
        matches!(self.mode, Mode::Ended)
    }

    /// The mechanism of the message in work.
    pub fn mechanism(&self) -> Option<Mechanism> {
        match self.mode {
            Mode::Ended => None,
            Mode::Ecb(_) => Some(Mechanism::Ecb),
            Mode::Cbc(_) => Some(Mechanism::Cbc),
            Mode::Ctr(_) => Some(Mechanism::Ctr),
            Mode::Ccm(_) => Some(Mechanism::Ccm),
            Mode::Gcm(_) => Some(Mechanism::Gcm),
            Mode::Gmac(_) => Some(Mechanism::Gmac),
            Mode::Cmac(_) => Some(Mechanism::Cmac),
        }
    }

    /// Whether it computes or verifies a MAC, and transforms nothing.
    pub fn is_mac(&self) -> bool {
        matches!(self.mode, Mode::Gmac(_) | Mode::Cmac(_))
    }

    /// Makes room for the plaintext of a CCM decryption in parts, whose length the parameter states,
    /// before the message begins.
    ///
    /// # Errors
    /// `HOST_MEMORY`
    pub fn reserve(
        &mut self,
        direction: Direction,
        parameter: &Parameter<'_>,
        kmflag: c_int,
    ) -> Result<()> {
        match (direction, parameter) {
            (Direction::Decrypt, Parameter::Ccm { text_len, .. }) => {
                self.buffer.reserve(*text_len as usize, kmflag)
            }
            _ => Ok(()),
        }
    }

    /// Begins a message. Never inlined: a key that was just set has begun a hold, and a caller that
    /// built the state itself would copy it in with a memcpy, which in userland uses registers that
    /// nobody wipes.
    #[inline(never)]
    pub fn begin(
        &mut self,
        mechanism: Mechanism,
        direction: Direction,
        parameter: &Parameter<'_>,
        key: &Key,
        fpu: &mut Fpu,
    ) {
        self.direction = direction;
        // A mode that has something to begin with is set first: then no state is moved. So each `if let`
        // finds what the line before it has set.
        match *parameter {
            Parameter::Ecb => self.mode = Mode::Ecb(Ecb::new()),
            Parameter::Cbc { iv } => self.mode = Mode::Cbc(Cbc::new(iv)),
            Parameter::Ctr { bits, cb } => self.mode = Mode::Ctr(Ctr::new(bits, cb)),
            Parameter::Ccm { nonce, aad, text_len, tag_len } => {
                self.mode = Mode::Ccm(Ccm::new(text_len, tag_len));
                if let Mode::Ccm(ccm) = &mut self.mode {
                    ccm.begin(key, fpu, nonce, aad);
                }
            }
            Parameter::Cmac => self.mode = Mode::Cmac(Cmac::new()),
            Parameter::Gcm { iv, aad, .. } if mechanism == Mechanism::Gmac => {
                self.mode = Mode::Gmac(Gmac::new());
                if let Mode::Gmac(gmac) = &mut self.mode {
                    gmac.begin(direction, key, fpu, iv, aad);
                }
            }
            Parameter::Gcm { iv, aad, tag_len } => {
                self.mode = Mode::Gcm(Gcm::new(tag_len));
                if let Mode::Gcm(gcm) = &mut self.mode {
                    gcm.begin(key, fpu, iv, aad);
                }
            }
        }
    }

    /// The tag of a GCM or CCM message that has just begun is passed apart from its text: an
    /// encryption leaves it in [`computed_tag`](Self::computed_tag), a decryption wants
    /// [`expect_tag`](Self::expect_tag) before its end. A decryption in parts then releases every
    /// block at once, unverified.
    pub fn detach_tag(&mut self) {
        match &mut self.mode {
            Mode::Gcm(gcm) => gcm.detach_tag(),
            Mode::Ccm(ccm) => ccm.detach_tag(),
            // The others have no tag in their text.
            _ => {}
        }
    }

    /// The tag that a decryption with the tag apart must find: of a length that GCM has, in CCM of
    /// the one that its parameter states.
    pub fn expect_tag(&mut self, tag: &[u8]) {
        match &mut self.mode {
            Mode::Gcm(gcm) => gcm.expect_tag(tag),
            Mode::Ccm(ccm) => ccm.expect_tag(tag),
            // The others verify none.
            _ => {}
        }
    }

    /// The tag of a GCM or CCM encryption whose text is complete.
    pub fn computed_tag(&self) -> Option<&[u8; 16]> {
        match &self.mode {
            Mode::Gcm(gcm) => Some(gcm.computed_tag()),
            Mode::Ccm(ccm) => Some(ccm.computed_tag()),
            _ => None,
        }
    }

    /// Length of the tag where it is fixed when a message begins: CCM's.
    pub fn tag_len(&self) -> Option<usize> {
        match &self.mode {
            Mode::Ccm(ccm) => Some(ccm.tag_len()),
            _ => None,
        }
    }

    /// Where a next message would go on: the last ciphertext block of CBC, the next counter block
    /// of CTR.
    pub fn next_iv(&self) -> Option<[u8; 16]> {
        match &self.mode {
            Mode::Cbc(cbc) => Some(cbc.iv.0),
            Mode::Ctr(ctr) => Some(ctr.counter.0),
            _ => None,
        }
    }

    /// A whole message from its beginning, with nothing but the stack. A short one in GCM takes less
    /// time than an operation would that is set up for parts, moved into place and wiped.
    ///
    /// `apart` is for what is not to be in the text: the tag of GCM and CCM, which an encryption writes
    /// there in full and a decryption finds there, of the parameter's length; in CBC and CTR the IV or
    /// counter with which a next message would go on.
    ///
    /// # Errors
    /// As [`whole`](Self::whole).
    #[inline(always)]
    pub fn at_once(
        mechanism: Mechanism,
        direction: Direction,
        parameter: &Parameter<'_>,
        apart: Option<&mut [u8; 16]>,
        key: &Key,
        fpu: &mut Fpu,
        io: &Io<'_>,
    ) -> Result<Produced> {
        match *parameter {
            Parameter::Gcm { iv, aad, tag_len } if mechanism == Mechanism::Gcm => {
                gcm::at_once(direction, iv, aad, tag_len, apart, key, fpu, io).map(Produced::Bytes)
            }
            _ => {
                let mut operation = Self::idle();
                operation.begin(mechanism, direction, parameter, key, fpu);
                let Some(apart) = apart else { return operation.whole(key, fpu, io) };
                operation.detach_tag();
                operation.expect_tag(apart);
                let produced = operation.whole(key, fpu, io)?;
                // ECB and the MACs, whose output is all that they give, leave nothing.
                if let Some(left) = operation.computed_tag().copied().or(operation.next_iv()) {
                    *apart = left;
                }
                Ok(produced)
            }
        }
    }

    /// Transforms a whole message.
    ///
    /// # Errors
    /// `Room`: nothing consumed. `DATA_LEN_RANGE` or `ENCRYPTED_DATA_LEN_RANGE`: a length that the
    /// mode cannot have. `INVALID_MAC`. Otherwise what is wrong with the data.
    pub fn whole(&mut self, key: &Key, fpu: &mut Fpu, io: &Io<'_>) -> Result<Produced> {
        let direction = self.direction;
        let produced = match &mut self.mode {
            Mode::Ended => return Err(Error::OPERATION_NOT_INITIALIZED),
            Mode::Ecb(Ecb { carry }) | Mode::Cbc(Cbc { carry, .. })
                if (carry.len() | io.src.len()) & 15 != 0 =>
            {
                return Err(ragged(direction));
            }
            Mode::Ecb(ecb) => ecb.update(direction, key, fpu, io)?,
            Mode::Cbc(cbc) => cbc.update(direction, key, fpu, io)?,
            Mode::Ctr(ctr) => ctr.update(key, fpu, io, true)?,
            Mode::Gcm(gcm) if !gcm.fresh() => return Err(Error::ARGUMENTS_BAD),
            Mode::Gcm(gcm) => gcm.whole(direction, key, fpu, io)?,
            Mode::Ccm(ccm) if !ccm.fresh() => return Err(Error::ARGUMENTS_BAD),
            Mode::Ccm(ccm) => match direction {
                Direction::Encrypt => ccm.encrypt(key, fpu, io)?,
                Direction::Decrypt => ccm.decrypt(key, fpu, io)?,
            },
            Mode::Gmac(gmac) if direction == Direction::Decrypt => {
                let src = io.src.input()?;
                // Before a byte is absorbed: the caller may come again with all of them.
                gmac.check_tagged(src.left())?;
                gmac.update(key, fpu, src)?;
                gmac.verify(key, fpu)?;
                0
            }
            mac @ (Mode::Gmac(_) | Mode::Cmac(_)) => {
                let dst = io.dst_or_src();
                if dst.len() < 16 {
                    return Err(Error::Room(16));
                }
                let src = io.src.input()?;
                let mut out = dst.output(16)?;
                mac.absorb(key, fpu, src)?;
                mac.give_mac(key, fpu, &mut out)?;
                16
            }
        };
        Ok(Produced::Bytes(produced))
    }

    /// Transforms a part of a message.
    ///
    /// # Errors
    /// `Room`: nothing consumed. `HOST_MEMORY`: likewise. `DATA_LEN_RANGE`: a part that arrives in
    /// place behind a partial block, or too long a message. Otherwise what is wrong with the data.
    pub fn update(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        io: &Io<'_>,
        kmflag: c_int,
    ) -> Result<Produced> {
        let direction = self.direction;
        let produced = match &mut self.mode {
            Mode::Ended => return Err(Error::OPERATION_NOT_INITIALIZED),
            Mode::Ecb(ecb) => ecb.update(direction, key, fpu, io)?,
            Mode::Cbc(cbc) => cbc.update(direction, key, fpu, io)?,
            Mode::Ctr(ctr) => ctr.update(key, fpu, io, false)?,
            Mode::Gcm(gcm) => match direction {
                Direction::Encrypt => gcm.text_update(direction, key, fpu, io)?,
                Direction::Decrypt => gcm.decrypt_update(key, fpu, io, &mut self.buffer, kmflag)?,
            },
            Mode::Ccm(ccm) => match direction {
                Direction::Encrypt => ccm.text_update(direction, key, fpu, io)?,
                Direction::Decrypt => ccm.decrypt_update(key, fpu, io, &mut self.buffer)?,
            },
            mac @ (Mode::Gmac(_) | Mode::Cmac(_)) => {
                mac.absorb(key, fpu, io.src.input()?)?;
                0
            }
        };
        Ok(Produced::Bytes(produced))
    }

    /// Ends a message given in parts. Without an output only modes that have nothing to write can
    /// end.
    ///
    /// # Errors
    /// `Room`: nothing consumed, may be tried again. `DATA_LEN_RANGE` or
    /// `ENCRYPTED_DATA_LEN_RANGE`: bytes are left over, or too few have come, or (encryption) the
    /// room is too small. `INVALID_MAC`: nothing written.
    pub fn finish(&mut self, key: &Key, fpu: &mut Fpu, dst: Option<&Data<'_>>) -> Result<Produced> {
        let direction = self.direction;
        let produced = match &mut self.mode {
            Mode::Ended => return Err(Error::OPERATION_NOT_INITIALIZED),
            Mode::Ecb(Ecb { carry }) | Mode::Cbc(Cbc { carry, .. }) => {
                if carry.len() != 0 {
                    return Err(ragged(direction));
                }
                0
            }
            Mode::Ctr(_) => return Ok(Produced::Unsaid),
            Mode::Gcm(gcm) => {
                let dst = dst.ok_or(Error::ARGUMENTS_BAD)?;
                match direction {
                    Direction::Encrypt => gcm.encrypt_final(key, fpu, dst)?,
                    Direction::Decrypt => gcm.decrypt_final(key, fpu, dst, &mut self.buffer)?,
                }
            }
            Mode::Ccm(ccm) => {
                let dst = dst.ok_or(Error::ARGUMENTS_BAD)?;
                match direction {
                    Direction::Encrypt => ccm.encrypt_final(key, fpu, dst)?,
                    Direction::Decrypt => ccm.decrypt_final(key, fpu, dst, &mut self.buffer)?,
                }
            }
            Mode::Gmac(gmac) if direction == Direction::Decrypt => {
                gmac.verify(key, fpu)?;
                0
            }
            mac @ (Mode::Gmac(_) | Mode::Cmac(_)) => {
                let dst = dst.ok_or(Error::ARGUMENTS_BAD)?;
                if dst.len() < 16 {
                    return Err(Error::DATA_LEN_RANGE);
                }
                let mut out = dst.output(16)?;
                mac.give_mac(key, fpu, &mut out)?;
                16
            }
        };
        Ok(Produced::Bytes(produced))
    }

    /// Ends and erases it.
    pub fn end(&mut self) {
        wipe(&mut self.mode);
        self.buffer = Buffer::new();
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        wipe(&mut self.mode);
    }
}

/// A length that cannot be: no multiple of the block, or not what was declared.
fn ragged(direction: Direction) -> Error {
    match direction {
        Direction::Encrypt => Error::DATA_LEN_RANGE,
        Direction::Decrypt => Error::ENCRYPTED_DATA_LEN_RANGE,
    }
}

/// A forged message's plaintext goes: where output is input `step`, from its beginning, makes it ciphertext
/// again, the rest of the output becomes zero. The text is the first `len` bytes. The kernels that
/// deciphered it must take it back, as many blocks at a time: a list may name a byte twice.
#[inline(never)]
fn take_back(mut message: Pair<'_>, len: usize, step: &mut Step<'_>, pace: Pace, fpu: &mut Fpu) {
    message.limit(len);
    if message.aliased() {
        drive(fpu, pace, &mut message.clone(), len, step);
    }
    message.zero_destination();
}

/// Input and output of a part in a mode that emits whole blocks, and the bytes it will emit.
///
/// # Errors
/// `DATA_LEN_RANGE` for a part that arrives, in place or over its own bytes, behind a partial block:
/// the output would have to go where the block began, in the caller's earlier buffer.
#[inline(always)]
fn begin_blocks<'a, 'p>(
    carry: &Carry,
    io: &Io<'a>,
    room: &'p mut MaybeUninit<Pair<'a>>,
) -> Result<(usize, &'p mut Pair<'a>)> {
    let behind = carry.len() > 0 && !io.src.is_empty();
    let produced = carry.ready(io.src.len(), 0).ok_or(Error::DATA_LEN_RANGE)?;
    let pair = if behind {
        io.pair_apart(produced, room, Error::DATA_LEN_RANGE)?
    } else {
        io.pair(produced, room)?
    };
    Ok((produced, pair))
}
