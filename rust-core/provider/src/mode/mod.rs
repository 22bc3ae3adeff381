// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modes of operation: one state machine each, driven by an entry point, fed with runs.
//!
//! An [`Operation`] never sees a `crypto_data_t`. It allocates only in [`Operation::reserve`], and when a GCM
//! decryption in parts has decided to buffer. Every method either does all of its work or fails with nothing
//! consumed and nothing written. The rule of forged messages (`aead.rs`) is the exception.

mod aead;
mod cbc;
mod cbc_batch;
mod ccm;
mod cmac;
mod ctr;
pub mod direct;
mod ecb;
mod gcm;
mod gcm_batch;
mod gcm_parts;
mod gmac;
mod tag;

use core::ffi::c_int;
use core::mem::MaybeUninit;

use kcfaes_kernels::{Block, BlockMode};

use self::aead::{Aead, Release, TagOf, Text, Way, transform_run};
pub use self::aead::{Apart, set_gcm_stream};
use self::cbc::Cbc;
pub use self::cbc_batch::cbc_encrypt_batch;
use self::cmac::Cmac;
use self::ctr::Ctr;
use self::ecb::Ecb;
pub use self::gcm::MAX_TEXT as GCM_MAX_TEXT;
pub use self::gcm_batch::{GcmBatch, GcmMessage};
use self::gmac::Gmac;
pub use self::tag::{padded, same_tag};
use crate::data::{Data, Io, Pair, Run, Segments};
use crate::engine::drive::{Carry, drive};
use crate::engine::{Buffer, Call, Fpu, Material, Once, Pace, Step, TableId, select_for};
use crate::kcf::{Error, KM_SLEEP, Result};
use crate::key::Key;
use crate::request::{Direction, Mechanism, Parameter};
use crate::wipe::{Secret, Wipe, wipe};

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
    Ccm(Aead<ccm::Text>),
    Gcm(Aead<gcm::Text>),
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

#[allow(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Wipe for gcm::Ghash {}

#[allow(unsafe_code, reason = "as above")]
// SAFETY: blocks and integers.
unsafe impl Wipe for ccm::Text {}

impl Mode {
    /// Absorbs a message of a MAC, or a part.
    fn absorb(&mut self, call: &mut Call<'_>, pair: &mut Pair<'_>) -> Result<()> {
        match self {
            Self::Gmac(gmac) => gmac.update(call, pair),
            Self::Cmac(cmac) => Ok(cmac.update(call, pair)?),
            // The callers have checked that this is a MAC.
            _ => Err(Error::GENERAL_ERROR),
        }
    }

    /// Ends the message of a MAC and writes its 16 bytes.
    fn give_mac(&mut self, call: &mut Call<'_>, out: &mut Segments<'_>) -> Result<()> {
        let mac = match self {
            Self::Gmac(gmac) => gmac.tag(call),
            Self::Cmac(cmac) => cmac.tag(call),
            // As above.
            _ => return Err(Error::GENERAL_ERROR),
        };
        call.fpu.end();
        Ok(out.scatter(&mac.0)?)
    }
}

/// What a call reports in `cd_length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// The number of bytes written.
    Bytes(usize),
    /// `cd_length` stays as it is.
    Unsaid,
}

/// What a call on data has done.
pub struct Done {
    /// Its result.
    pub result: Result<Produced>,
    /// The table that it ran on.
    pub table: TableId,
    /// See [`Fpu::longest_hold`].
    pub longest_hold: u64,
}

impl Done {
    /// On the direct path, whose hold never spends a budget.
    #[inline(always)]
    fn directly(result: Result<Produced>, way: Way) -> Self {
        Self { result, table: way.table(), longest_hold: 0 }
    }

    /// On holds of an FPU.
    #[inline(always)]
    pub fn on(result: Result<Produced>, fpu: &Fpu) -> Self {
        Self { result, table: fpu.table(), longest_hold: fpu.longest_hold() }
    }
}

impl Operation {
    /// An operation that has not begun. Not a constant: a constant would be copied, padding included.
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

    /// Whether it encrypts (or makes a MAC), or decrypts.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether it computes or verifies a MAC, without transforming anything.
    pub fn is_mac(&self) -> bool {
        matches!(self.mode, Mode::Gmac(_) | Mode::Cmac(_))
    }

    /// The number of bytes that the end of the message transforms, in full blocks.
    pub fn kept(&self) -> usize {
        self.buffer.len()
    }

    /// Makes room for the plaintext of a CCM decryption in parts, before the message begins. The parameter
    /// states its length.
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

    /// Begins a message.
    pub fn begin(
        &mut self,
        direction: Direction,
        parameter: &Parameter<'_>,
        key: &Key,
        fpu: &mut Fpu,
    ) {
        self.settle(direction, parameter);
        self.hash(parameter, &mut Call { direction, key, fpu });
    }

    /// Begins a message, except for what its parameter has to hash. Never inlined: a key that was just set
    /// has begun a hold, and a caller that built the state itself would copy it with a memcpy, which in
    /// userland uses registers that nobody wipes.
    #[inline(never)]
    fn settle(&mut self, direction: Direction, parameter: &Parameter<'_>) {
        self.direction = direction;
        // A mode that has something to begin with is set first, so no state is moved. Each `if let` finds the
        // mode that the line before it has set.
        match *parameter {
            Parameter::Ecb => self.mode = Mode::Ecb(Ecb::new()),
            Parameter::Cbc { iv } => self.mode = Mode::Cbc(Cbc::new(iv)),
            Parameter::Ctr { bits, cb } => self.mode = Mode::Ctr(Ctr::new(bits, cb)),
            Parameter::Ccm { text_len, tag_len, .. } => {
                let text = ccm::Text::new(text_len);
                self.mode = Mode::Ccm(Aead::new(text, tag_len, Release::Deciphered));
            }
            Parameter::Cmac => self.mode = Mode::Cmac(Cmac::new()),
            Parameter::Gmac { .. } => self.mode = Mode::Gmac(Gmac::new()),
            Parameter::Gcm { tag_len, .. } => {
                self.mode = Mode::Gcm(Aead::new(gcm::Text::new(), tag_len, Release::Undecided));
            }
        }
    }

    /// Hashes the IV and AAD of the parameter, in the modes that hash them.
    #[inline(never)]
    fn hash(&mut self, parameter: &Parameter<'_>, call: &mut Call<'_>) {
        match (&mut self.mode, parameter) {
            (Mode::Ccm(ccm), Parameter::Ccm { nonce, aad, .. }) => {
                let (text, tag_len) = ccm.text();
                text.begin(call, nonce, aad, tag_len);
            }
            (Mode::Gmac(gmac), Parameter::Gmac { iv, aad }) => {
                gmac.begin(call, iv, aad);
            }
            (Mode::Gcm(gcm), Parameter::Gcm { iv, aad, .. }) => {
                let (text, tag_len) = gcm.text();
                text.begin(call, iv, aad, tag_len);
            }
            // Other modes hash nothing.
            _ => {}
        }
    }

    /// Passes the tag of a GCM or CCM message that has just begun apart from its text. An encryption leaves
    /// the tag in [`computed_tag`](Self::computed_tag). A decryption wants [`expect_tag`](Self::expect_tag)
    /// before its end; in parts it releases every block at once, unverified.
    pub fn detach_tag(&mut self) {
        match &mut self.mode {
            Mode::Gcm(gcm) => gcm.detach_tag(),
            Mode::Ccm(ccm) => ccm.detach_tag(),
            // Other modes have no tag in their text.
            _ => {}
        }
    }

    /// The tag that a decryption with the tag apart must find. Its length is one that GCM has, or in CCM the
    /// one that the parameter states.
    pub fn expect_tag(&mut self, tag: &[u8]) {
        match &mut self.mode {
            Mode::Gcm(gcm) => gcm.expect_tag(tag),
            Mode::Ccm(ccm) => ccm.expect_tag(tag),
            // Other modes verify no tag.
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

    /// Length of the tag if it is fixed when a message begins: CCM's.
    pub fn tag_len(&self) -> Option<usize> {
        match &self.mode {
            Mode::Ccm(ccm) => Some(ccm.tag_len()),
            _ => None,
        }
    }

    /// A whole message from its beginning, using only the stack.
    ///
    /// # Errors
    /// As [`transform_whole`](Self::transform_whole).
    #[inline(always)]
    pub fn at_once(
        direction: Direction,
        parameter: &mut Parameter<'_>,
        mut apart: Apart<'_>,
        mut key: Material<'_>,
        io: &Io<'_>,
    ) -> Done {
        let all = io.src.len();
        if let Parameter::Cmac | Parameter::Gmac { .. } = parameter {
            if direction == Direction::Encrypt
                && let Some(way) = direct::takes_mac(parameter, all, key.cost())
                && let Some((message, out)) = io.message(16)
            {
                let mut mac = Secret(Block([0; 16]));
                direct::make_mac(way, parameter, &mut key, message, &mut mac);
                out.fill(&mac.0.0);
                return Done::directly(Ok(Produced::Bytes(16)), way);
            }
        } else {
            let (_, needed) = lengths(direction, all, direct::attached(parameter, &apart));
            if let Some(run) = io.run(needed)
                && let Some((result, way)) =
                    direct::transform(direction, parameter, &mut apart, &mut key, run, || {
                        io.behind(&run, needed)
                    })
            {
                return Done::directly(result.map(|()| Produced::Bytes(needed)), way);
            }
        }
        Self::in_general(direction, parameter, apart, key, io)
    }

    /// [`at_once`](Self::at_once) for any message. Only a MAC sets up an operation, which keeps state for parts.
    #[inline(never)]
    pub fn in_general(
        direction: Direction,
        parameter: &Parameter<'_>,
        apart: Apart<'_>,
        key: Material<'_>,
        io: &Io<'_>,
    ) -> Done {
        let mut fpu = Fpu::of(parameter.total(io.src.len()));
        let result = Self::on_fpu(direction, parameter, apart, key, &mut fpu, io);
        Done::on(result, &fpu)
    }

    /// Not inlined: what `portable` leaves in this frame is wiped, because it is below that of the FPU.
    #[inline(never)]
    fn on_fpu(
        direction: Direction,
        parameter: &Parameter<'_>,
        apart: Apart<'_>,
        key: Material<'_>,
        fpu: &mut Fpu,
        io: &Io<'_>,
    ) -> Result<Produced> {
        match *parameter {
            Parameter::Gcm { iv, aad, tag_len } => {
                let text = &mut gcm::Text::new();
                aead::at_once(text, direction, iv, aad, tag_len, apart, key, fpu, io)
                    .map(Produced::Bytes)
            }
            Parameter::Ccm { nonce, aad, text_len, tag_len } => {
                let text = &mut ccm::Text::new(text_len);
                aead::at_once(text, direction, nonce, aad, tag_len, apart, key, fpu, io)
                    .map(Produced::Bytes)
            }
            Parameter::Ecb | Parameter::Cbc { .. } | Parameter::Ctr { .. } => {
                Self::transform_blocks(direction, parameter, apart, key, fpu, io)
            }
            Parameter::Gmac { .. } | Parameter::Cmac => {
                Self::set_up(direction, parameter, key, fpu, io)
            }
        }
    }

    /// [`at_once`](Self::at_once) in ECB, CBC and CTR. Not inlined: as below.
    #[inline(never)]
    fn transform_blocks(
        direction: Direction,
        parameter: &Parameter<'_>,
        apart: Apart<'_>,
        mut key: Material<'_>,
        fpu: &mut Fpu,
        io: &Io<'_>,
    ) -> Result<Produced> {
        let len = io.src.len();
        let (mode, mut state, bits) = match *parameter {
            Parameter::Cbc { iv } => (cbc::mode(direction), io.src.miscdata().map_or(iv, Block), 0),
            Parameter::Ctr { bits, cb } => (BlockMode::Ctr, cb, bits),
            _ => (Ecb::mode(direction), Block([0; 16]), 0),
        };
        parameter.mechanism().check_len(direction, len)?;
        let mut room = MaybeUninit::uninit();
        let pair = io.pair(len, &mut room)?;
        let schedule = &key.set(fpu).schedule;
        let mut step = Step::Blocks { mode, schedule, state: Some(&mut state), bits, mac: None };
        drive(fpu, pair, len, &mut step)?;
        if let Apart::NextIv(iv) = apart {
            *iv = state.0;
        }
        Ok(Produced::Bytes(len))
    }

    /// [`at_once`](Self::at_once) of a MAC, by an operation. Not inlined: the caller's frame would be too large.
    #[inline(never)]
    fn set_up(
        direction: Direction,
        parameter: &Parameter<'_>,
        mut key: Material<'_>,
        fpu: &mut Fpu,
        io: &Io<'_>,
    ) -> Result<Produced> {
        let mut operation = Self::idle();
        operation.settle(direction, parameter);
        let mut room = MaybeUninit::uninit();
        let (produced, pair) = operation.open(io, true, &mut room)?;
        let call = &mut Call { direction, key: key.set(fpu), fpu };
        operation.hash(parameter, call);
        operation.run(call, io, true, pair)?;
        Ok(Produced::Bytes(produced))
    }

    /// Transforms a whole message.
    ///
    /// # Errors
    /// `Room`: nothing consumed. `DATA_LEN_RANGE` or `ENCRYPTED_DATA_LEN_RANGE`: a length that the mode
    /// cannot have. `INVALID_MAC`. `HOST_MEMORY`: as [`Segments::overlap`], nothing consumed.
    /// `GENERAL_ERROR`: a list became shorter during the call; a decryption with a tag leaves no plaintext.
    /// Otherwise a fault of the data.
    pub fn transform_whole(&mut self, key: &Key, io: &Io<'_>) -> Done {
        if let Some(done) = self.transform_run(key, io) {
            return done;
        }
        let mut fpu = Fpu::of(io.src.len());
        let result = self.transform_in_general(key, &mut fpu, io);
        Done::on(result, &fpu)
    }

    /// [`transform_whole`](Self::transform_whole) of any message.
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    pub fn transform_in_general(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        io: &Io<'_>,
    ) -> Result<Produced> {
        let mut room = MaybeUninit::uninit();
        let (produced, pair) = self.open(io, true, &mut room)?;
        self.run(&mut Call { direction: self.direction, key, fpu }, io, true, pair)?;
        Ok(Produced::Bytes(produced))
    }

    /// [`transform_whole`](Self::transform_whole) on the direct path, if it takes the message.
    #[inline(always)]
    fn transform_run(&mut self, set: &Key, io: &Io<'_>) -> Option<Done> {
        let (direction, all) = (self.direction, io.src.len());
        let attached = match &self.mode {
            Mode::Gcm(gcm) => gcm.attached_to_whole()?,
            Mode::Ccm(ccm) => ccm.attached_to_whole()?,
            Mode::Ecb(_) | Mode::Cbc(_) | Mode::Ctr(_) => 0,
            _ => return None,
        };
        let (len, needed) = lengths(direction, all, attached);
        let run = io.run(needed)?;
        let place = io.behind(&run, needed);
        let (table, mut key) = (select_for(all), Material::Set(set));
        let tag = TagOf { apart: &mut Apart::Nothing, place, len: attached };
        let (result, way) = match &mut self.mode {
            Mode::Gcm(gcm) => {
                let (way, hash) = (Way::of(table, Pace::Parallel, len, 0, 0)?, &mut gcm.text.hash);
                (transform_run(hash, way, direction, &mut key, None, run, tag), way)
            }
            Mode::Ccm(ccm) => {
                let way = Way::of(table, Pace::Serial, ccm.exactly(len)?, 0, 0)?;
                (transform_run(&mut ccm.text, way, direction, &mut key, None, run, tag), way)
            }
            _ => (Ok(()), self.update_run(set, run, true)?),
        };
        Some(Done::directly(result.map(|()| Produced::Bytes(needed)), way))
    }

    /// Input and output of a whole message or of a part, and the number of bytes that will be written. It
    /// makes all checks that can refuse the call, and all walks whose length its lists decide. So it comes
    /// before the FPU is held.
    #[inline(never)]
    fn open<'a, 'p>(
        &self,
        io: &Io<'a>,
        whole: bool,
        room: &'p mut MaybeUninit<Pair<'a>>,
    ) -> Result<(usize, &'p mut Pair<'a>)> {
        let (direction, len) = (self.direction, io.src.len());
        let carry = match &self.mode {
            Mode::Ended => return Err(Error::OPERATION_NOT_INITIALIZED),
            Mode::Ecb(Ecb { carry }) | Mode::Cbc(Cbc { carry, .. }) => {
                if whole && (carry.len() | len) & 15 != 0 {
                    return Err(direction.wrong_length());
                }
                carry
            }
            Mode::Ctr(_) => return Ok((len, io.pair(len, room)?)),
            Mode::Gcm(gcm) if !whole => gcm.for_part(direction, len)?,
            Mode::Ccm(ccm) if !whole => ccm.for_part(direction, len)?,
            Mode::Gcm(gcm) if gcm.fresh() => return gcm.open(direction, io, room),
            Mode::Ccm(ccm) if ccm.fresh() => return ccm.open(direction, io, room),
            Mode::Gcm(_) | Mode::Ccm(_) => return Err(Error::ARGUMENTS_BAD),
            mac @ (Mode::Gmac(_) | Mode::Cmac(_)) => {
                let verifies = direction == Direction::Decrypt;
                let produced = if whole && !verifies { 16 } else { 0 };
                let pair = io.pair_unmixed(produced, room)?;
                if let (true, Mode::Gmac(gmac)) = (whole && verifies, mac) {
                    gmac.check_tag_has_come(len)?;
                }
                return Ok((produced, pair));
            }
        };
        begin_blocks(carry, io, room)
    }

    /// Transforms a whole message or a part, after [`open`](Self::open).
    #[inline(never)]
    fn run(
        &mut self,
        call: &mut Call<'_>,
        io: &Io<'_>,
        whole: bool,
        pair: &mut Pair<'_>,
    ) -> Result<()> {
        let (direction, len) = (call.direction, io.src.len());
        let result = match &mut self.mode {
            Mode::Ended => Err(Error::OPERATION_NOT_INITIALIZED),
            Mode::Ecb(ecb) => ecb.update(call, pair).map_err(Error::from),
            Mode::Cbc(cbc) => {
                let iv = io.src.miscdata();
                cbc.update(call, iv, pair).map_err(Error::from)
            }
            Mode::Ctr(ctr) => ctr.update(call, pair, len, whole).map_err(Error::from),
            Mode::Gcm(gcm) if whole => gcm.transform_whole(call, pair, len),
            Mode::Gcm(gcm) => gcm.transform_part(call, pair, len).map_err(Error::from),
            Mode::Ccm(ccm) if whole => ccm.transform_whole(call, pair, len),
            Mode::Ccm(ccm) => ccm.transform_part(call, pair, len).map_err(Error::from),
            mac @ (Mode::Gmac(_) | Mode::Cmac(_)) => {
                let mut out = pair.aside();
                mac.absorb(call, pair).and_then(|()| match mac {
                    _ if !whole => Ok(()),
                    Mode::Gmac(gmac) if direction == Direction::Decrypt => gmac.verify(call),
                    _ => mac.give_mac(call, &mut out),
                })
            }
        };
        self.unless_broken(result)
    }

    /// Ends a message that failed in the middle. Its memory is freed with the context, because the FPU may be
    /// held here.
    fn unless_broken<T>(&mut self, result: Result<T>) -> Result<T> {
        if matches!(result, Err(Error::GENERAL_ERROR)) {
            wipe(&mut self.mode);
        }
        result
    }

    /// Transforms a part of a message if it is one run of full blocks, for which one hold is enough, and
    /// nothing waits: the direct path of a part. In CTR a message that comes `whole` may end within a block.
    /// Otherwise it does nothing, and returns `None`.
    #[inline(always)]
    pub fn update_run(&mut self, key: &Key, run: Run<'_>, whole: bool) -> Option<Way> {
        let (direction, len) = (self.direction, run.len());
        let (mut none, mut room) = (Block([0; 16]), MaybeUninit::uninit());
        let (mode, state) = match &mut self.mode {
            Mode::Ecb(ecb) if ecb.carry.len() == 0 => (Ecb::mode(direction), &mut none),
            Mode::Cbc(Cbc { iv, carry }) if carry.len() == 0 => (cbc::mode(direction), iv),
            Mode::Ctr(ctr) => (BlockMode::Ctr, ctr.part(len)?),
            Mode::Gcm(gcm) if len & 15 == 0 => {
                let way = Way::of(select_for(len), Pace::Parallel, len, 0, 0)?;
                let mut step = gcm.part(direction, key, len)?;
                let once = Once::new(way.table, way.cost, &mut room);
                step.run(once.hold(), &[run], len, false);
                once.end();
                return Some(way);
            }
            _ => return None,
        };
        if len & 15 != 0 && !(whole && mode == BlockMode::Ctr) {
            return None;
        }
        let way = Way::of(select_for(len), Pace::of(mode), len, 0, 0)?;
        let once = Once::new(way.table, way.cost, &mut room);
        let mac = &mut Block([0; 16]);
        once.hold().transform_run(mode, &key.schedule, &mut state.0, mac, &run, len);
        once.end();
        Some(way)
    }

    /// Transforms a part of a message.
    ///
    /// # Errors
    /// `Room`: nothing consumed. `HOST_MEMORY`: likewise. `DATA_LEN_RANGE`: a part that arrives in place
    /// after a partial block, or too long a message. `GENERAL_ERROR`: a list became shorter during the call;
    /// the message has ended. Otherwise a fault of the data.
    #[inline(always)]
    pub fn update(&mut self, key: &Key, io: &Io<'_>, kmflag: c_int) -> Done {
        if io.src.len() & 15 == 0
            && let Some(run) = io.run(io.src.len())
            && let Some(way) = self.update_run(key, run, false)
        {
            return Done::directly(Ok(Produced::Bytes(run.len())), way);
        }
        let mut fpu = Fpu::of(io.src.len());
        let result = self.update_in_general(key, &mut fpu, io, kmflag);
        Done::on(result, &fpu)
    }

    /// [`update`](Self::update) of any part.
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    pub fn update_in_general(
        &mut self,
        key: &Key,
        fpu: &mut Fpu,
        io: &Io<'_>,
        kmflag: c_int,
    ) -> Result<Produced> {
        let direction = self.direction;
        let call = &mut Call { direction, key, fpu };
        let result = match &mut self.mode {
            Mode::Gcm(gcm) if direction == Direction::Decrypt && gcm.waits() => {
                gcm.decrypt_update(call, io, &mut self.buffer, kmflag)
            }
            Mode::Ccm(ccm) if direction == Direction::Decrypt && ccm.waits() => {
                ccm.decrypt_update(call, io, &mut self.buffer, kmflag)
            }
            _ => {
                let mut room = MaybeUninit::uninit();
                let (produced, pair) = self.open(io, false, &mut room)?;
                return self.run(call, io, false, pair).map(|()| Produced::Bytes(produced));
            }
        };
        self.unless_broken(result).map(Produced::Bytes)
    }

    /// Transforms a part of a message, for libkcfaes: of GCM all of its bytes. The tag is passed apart.
    ///
    /// # Errors
    /// As [`update`](Self::update), but no part of GCM is refused because it arrives in place.
    pub fn update_all(&mut self, key: &Key, fpu: &mut Fpu, io: &Io<'_>) -> Result<Produced> {
        let direction = self.direction;
        let Mode::Gcm(gcm) = &mut self.mode else {
            return self.update_in_general(key, fpu, io, KM_SLEEP);
        };
        let result = gcm.transform_all(&mut Call { direction, key, fpu }, io);
        self.unless_broken(result).map(Produced::Bytes)
    }

    /// Takes more AAD of a GCM message that has no text yet.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD`: another mode, or text has come. `DATA_LEN_RANGE`: more AAD than GCM allows.
    pub fn update_aad(&mut self, key: &Key, fpu: &mut Fpu, aad: &[u8]) -> Result<()> {
        let direction = self.direction;
        let Mode::Gcm(gcm) = &mut self.mode else { return Err(Error::ARGUMENTS_BAD) };
        gcm.more_aad(&mut Call { direction, key, fpu }, aad)
    }

    /// Ends a message given in parts. Without an output only modes that have nothing to write can end.
    ///
    /// # Errors
    /// `Room`: nothing consumed, may be tried again. `DATA_LEN_RANGE` or `ENCRYPTED_DATA_LEN_RANGE`: bytes
    /// are left over, or too few have come, or (encryption) the room is too small. `INVALID_MAC`: nothing
    /// written.
    pub fn finish(&mut self, key: &Key, fpu: &mut Fpu, dst: Option<&Data<'_>>) -> Result<Produced> {
        let direction = self.direction;
        let call = &mut Call { direction, key, fpu };
        let produced = match &mut self.mode {
            Mode::Ended => return Err(Error::OPERATION_NOT_INITIALIZED),
            Mode::Ecb(Ecb { carry }) | Mode::Cbc(Cbc { carry, .. }) => {
                if carry.len() != 0 {
                    return Err(direction.wrong_length());
                }
                0
            }
            Mode::Ctr(_) => return Ok(Produced::Unsaid),
            Mode::Gcm(gcm) => {
                let dst = dst.ok_or(Error::ARGUMENTS_BAD)?;
                match direction {
                    Direction::Encrypt => gcm.encrypt_final(call, dst)?,
                    Direction::Decrypt => gcm.decrypt_final(call, dst, &mut self.buffer)?,
                }
            }
            Mode::Ccm(ccm) => {
                let dst = dst.ok_or(Error::ARGUMENTS_BAD)?;
                match direction {
                    Direction::Encrypt => ccm.encrypt_final(call, dst)?,
                    Direction::Decrypt => ccm.decrypt_final(call, dst, &mut self.buffer)?,
                }
            }
            Mode::Gmac(gmac) if direction == Direction::Decrypt => {
                gmac.verify(call)?;
                0
            }
            mac @ (Mode::Gmac(_) | Mode::Cmac(_)) => {
                let dst = dst.ok_or(Error::ARGUMENTS_BAD)?;
                if dst.len() < 16 {
                    return Err(Error::DATA_LEN_RANGE);
                }
                let mut out = dst.output(16)?;
                mac.give_mac(call, &mut out)?;
                16
            }
        };
        Ok(Produced::Bytes(produced))
    }

    /// Ends the message and erases its state.
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

/// The bytes of a whole message's text, and those of its output, if it has `all` bytes of input and
/// `attached` bytes of a tag with its text.
#[inline(always)]
fn lengths(direction: Direction, all: usize, attached: usize) -> (usize, usize) {
    match direction {
        Direction::Encrypt => (all, all.saturating_add(attached)),
        Direction::Decrypt => (all.saturating_sub(attached), all.saturating_sub(attached)),
    }
}

/// Input and output of a part in a mode that emits full blocks, and the number of bytes that it will emit.
///
/// # Errors
/// `DATA_LEN_RANGE` for a part that arrives, in place or over its own bytes, after a partial block: the
/// output would begin where that block began, in an earlier buffer of the caller.
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
