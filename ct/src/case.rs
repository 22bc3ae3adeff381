// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is called: every mechanism, direction, key size, edge length and form of a call.

use kcfaes_ffi_tests::consumer::Way;
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_vectors::Mode;

use crate::library::GCM_BATCH;
use crate::secret::Secret;
use crate::{api, kcf};

/// One call, to be made with several secrets.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Number of tags that it compares. Whether a tag is right is public: a call answers that by
    /// design, and the answer takes one branch.
    pub(crate) verdicts: usize,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) run: Box<dyn Fn(&Secret)>,
}

/// How a message is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In one call.
    Whole,
    /// In one call, with a template; in the plain C API, with a key in the caller's memory.
    Template,
    /// In one call, over its own bytes.
    InPlace,
    /// In one call, as a list of pieces.
    Pieces,
    /// In one call, as a chain of blocks.
    Mblk,
    /// In parts.
    Parts,
    /// In one call on a context.
    Single,
    /// In parts, each in one piece; all but the last are full blocks.
    Blocks,
    /// In parts that are lists. A decryption in KCF's API has no output before the end.
    Stored,
    /// In one call from an interrupt handler.
    Interrupt,
    /// `crypto_mac_verify`, `kcfaes_cmac_verify` and their like.
    Verify,
    /// One of many messages in a call.
    Batch,
    /// From the middle of a block on: `kcfaes_ctr_at`.
    Offset,
}

/// A call without its secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) mode: Mode,
    pub(crate) way: Way,
    pub(crate) form: Form,
    pub(crate) key_len: usize,
    pub(crate) iv_len: usize,
    pub(crate) len: usize,
    pub(crate) tag_len: usize,
    /// Its tag is wrong.
    pub(crate) forged: bool,
}

/// Additional data of GCM and CCM.
pub(crate) const AAD: [u8; 20] = *b"data, not encrypted!";

impl Call {
    pub(crate) fn iv(&self) -> Vec<u8> {
        vec![0x5c; self.iv_len]
    }

    /// Whether a tag is an input.
    pub(crate) fn verifies(&self) -> bool {
        self.form == Form::Verify || self.mode.has_tag() && self.way == Way::Decrypt
    }

    fn name(&self, api: &str) -> String {
        let Self { mode, way, form, key_len, iv_len, len, tag_len, forged } = *self;
        let (mode, forged) = (mode.name(), if forged { ", forged" } else { "" });
        let bits = key_len * 8;
        format!(
            "{api} AES-{bits} {mode} {way:?} {form:?}, IV of {iv_len}, {len} bytes, tag of \
             {tag_len}{forged}"
        )
    }

    fn case(&self, api: Api, run: fn(&Self, &Secret)) -> Case {
        let iv = self.iv();
        // In the plain C API three functions verify a MAC, and a case calls all three.
        let verdicts = match self.form {
            Form::Verify if api == Api::Library => 3,
            Form::Batch if self.verifies() => GCM_BATCH,
            _ => usize::from(self.verifies()),
        };
        let hashed = self.mode == Mode::Gcm && self.iv_len != 12;
        Case {
            name: self.name(api.name()),
            verdicts,
            secrets: Secret::all(self.key_len, hashed.then_some(&iv)),
            run: Box::new({
                let call = *self;
                move |secret| run(&call, secret)
            }),
        }
    }
}

/// How many cases there are. Memcheck takes a millisecond for one; a trace on a virtual machine takes
/// 20 us a step, half a second for a case and five for one of the portable table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Every combination.
    All,
    /// A few lengths for every form. The key sizes come in turn.
    Few,
    /// Every length in one call, and fewer lengths in the forms that lead to the same kernels. The key
    /// sizes come in turn. What a wide table takes from `aesni` is checked on `aesni` only.
    Edges { wide: bool },
    /// One in eleven of the cases with a few lengths; each number takes other ones. Cases where the
    /// counter is a hash are always included.
    Sample(usize),
    /// One short message for every mode.
    Modes,
    /// One short message that uses all of a table: a decryption in GCM.
    One,
}

/// Lengths at which the kernels begin to work differently.
const LENGTHS: [usize; 26] = [
    0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 255, 256, 257, 303, 304, 305,
    511, 512, 513, 1424, 2049,
];
const FEW_LENGTHS: [usize; 7] = [0, 1, 17, 64, 304, 513, 1424];
const LONG: usize = 1424;
/// More than a hold, at either pace.
const BULK: usize = 33_008;
/// The length of the messages whose tag is cut short.
const TAGGED: usize = 17;

impl Depth {
    fn lengths(self, form: Form, iv_len: usize) -> &'static [usize] {
        use Form::{Batch, Parts, Pieces, Verify, Whole};
        let usual_iv = [0, 12, 16].contains(&iv_len);
        match self {
            Self::All => &LENGTHS,
            Self::Few => &FEW_LENGTHS,
            Self::Edges { .. } => match form {
                Whole if usual_iv => &LENGTHS,
                Pieces | Parts | Batch if usual_iv => &FEW_LENGTHS,
                _ => &[17, LONG],
            },
            Self::Sample(_) => match form {
                Whole => &[17, LONG],
                Batch => &[513],
                _ => &[17, 304],
            },
            Self::Modes if matches!(form, Whole | Verify | Batch) && iv_len != 1 => &[TAGGED],
            Self::One if form == Whole => &[17],
            Self::Modes | Self::One => &[],
        }
    }

    /// Whether there is a message of more than one hold, passed in one call.
    fn bulk(self, form: Form, iv_len: usize) -> bool {
        matches!(self, Self::All | Self::Edges { .. }) && form == Form::Whole && iv_len != 1
    }

    fn wants(self, call: &Call, turn: usize) -> bool {
        let &Call { mode, way, iv_len, len, .. } = call;
        let of_aesni =
            matches!((mode, way), (Mode::Ccm | Mode::Cmac, _) | (Mode::Cbc, Way::Encrypt));
        let hashed = (mode, way, iv_len, len) == (Mode::Gcm, Way::Encrypt, 16, LONG);
        match self {
            Self::Edges { wide } => !(wide && of_aesni && call.form != Form::Batch),
            Self::Sample(number) => {
                (turn + number).is_multiple_of(11) || hashed && call.form == Form::Whole
            }
            Self::One => (mode, way, iv_len) == (Mode::Gcm, Way::Decrypt, 12) && !call.forged,
            Self::All | Self::Few | Self::Modes => true,
        }
    }

    fn iv_lens(self, mode: Mode) -> &'static [usize] {
        match mode {
            Mode::Ecb | Mode::Cmac => &[0],
            Mode::Cbc | Mode::Ctr => &[16],
            Mode::Gmac => &[12],
            Mode::Gcm if matches!(self, Self::All | Self::Edges { .. }) => &[12, 16, 1, 60],
            Mode::Gcm => &[12, 16],
            Mode::Ccm if self == Self::All => &[12, 7, 13],
            Mode::Ccm => &[12],
        }
    }
}

/// The calls of one API.
pub(crate) fn cases(which: Api, depth: Depth) -> Vec<Case> {
    use Form::{
        Batch, Blocks, InPlace, Interrupt, Mblk, Offset, Parts, Pieces, Single, Stored, Template,
        Verify, Whole,
    };
    let (run, forms): (fn(&Call, &Secret), &[Form]) = match which {
        Api::Kcf => (
            kcf::run,
            &[
                Whole, Template, InPlace, Single, Pieces, Mblk, Blocks, Parts, Stored, Interrupt,
                Verify,
            ],
        ),
        Api::Library => {
            (api::run, &[Whole, Template, InPlace, Pieces, Parts, Stored, Verify, Batch, Offset])
        }
    };
    let mut calls = Vec::new();
    for ((mode, way), form) in tasks().into_iter().flat_map(|t| forms.iter().map(move |&f| (t, f)))
    {
        let applies = match form {
            Verify => way == Way::Mac,
            InPlace => !mode.is_mac(),
            Batch => mode == Mode::Gcm || (mode, way) == (Mode::Cbc, Way::Encrypt),
            Offset => (mode, way) == (Mode::Ctr, Way::Encrypt),
            // A KCF update without output is in place, except where it waits for a tag.
            Stored => which == Api::Library || mode.is_aead() && way == Way::Decrypt,
            _ => true,
        };
        // The plain C API has a MAC only as a MAC, not as an encryption or decryption.
        if !applies || which == Api::Library && mode.is_mac() && way != Way::Mac {
            continue;
        }
        for &iv_len in depth.iv_lens(mode) {
            let bulk = depth.bulk(form, iv_len).then_some(&BULK);
            for (turn, &len) in depth.lengths(form, iv_len).iter().chain(bulk).enumerate() {
                let blocks = matches!(mode, Mode::Ecb | Mode::Cbc);
                let len = if blocks { len.next_multiple_of(16) } else { len };
                let key_lens: &[usize] = &[16, 24, 32];
                let in_turn = &key_lens[turn % 3..][..1];
                for &key_len in if depth == Depth::All { key_lens } else { in_turn } {
                    // A chain without bytes has no place in it, not even at its offset.
                    if form == Mblk && len == 0 {
                        continue;
                    }
                    let short = if len == TAGGED { which.short_tag(mode) } else { None };
                    for tag_len in [Some(16), short].into_iter().flatten() {
                        let forged = false;
                        let call = Call { mode, way, form, key_len, iv_len, len, tag_len, forged };
                        calls.push(call);
                        if call.verifies() {
                            calls.push(Call { forged: true, ..call });
                        }
                    }
                }
            }
        }
    }
    let wanted = calls.iter().enumerate().filter(|&(turn, call)| depth.wants(call, turn));
    let mut cases: Vec<_> = wanted.map(|(_, call)| call.case(which, run)).collect();
    if which == Api::Library {
        cases.extend([1, 16, 33].map(comparison));
    }
    cases
}

/// `kcfaes_equal` of `len` bytes that are equal or not, and `kcfaes_wipe`.
fn comparison(len: usize) -> Case {
    Case {
        name: format!("libkcfaes comparison of {len} bytes"),
        // There is no branch for the result either.
        verdicts: 0,
        secrets: Secret::all(16, None),
        run: Box::new(move |secret| api::compare(secret, len)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// The consumer's calls of KCF, into the kernel object.
    Kcf,
    /// kcfaes.h, into libkcfaes.a.
    Library,
}

impl Api {
    pub(crate) const ALL: [Self; 2] = [Self::Kcf, Self::Library];

    /// A tag length other than the usual one, if there is any.
    fn short_tag(self, mode: Mode) -> Option<usize> {
        match (mode, self) {
            (Mode::Gcm, _) => Some(13),
            (Mode::Ccm, _) => Some(6),
            (Mode::Gmac, Self::Library) => Some(12),
            (Mode::Cmac, Self::Library) => Some(5),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kcf => "KCF",
            Self::Library => "libkcfaes",
        }
    }
}
