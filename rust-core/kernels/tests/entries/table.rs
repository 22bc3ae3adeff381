// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of kernels as values: the entry points for each operation.

use core::cell::Cell;
use core::ptr::{null, null_mut};
use std::io::Write as _;
use std::sync::OnceLock;

use kcfaes_kernels::{
    Block, BlockMode, CHAINS, COMMON_POWERS, ChainKeys, Chains, CounterBlock, Piece, Powers,
    Schedule, Tag, entry_aesni, entry_aesni::*, entry_vaes256, entry_vaes256::*, entry_vaes512,
    entry_vaes512::*,
};

use crate::reference;

pub(crate) type Expand = unsafe extern "C" fn(*mut Schedule, *const u8, usize);
pub(crate) type Init = unsafe extern "C" fn(*const Schedule, *mut Powers);
pub(crate) type Ecb = unsafe extern "C" fn(*const Schedule, *const u8, *mut u8, usize);
pub(crate) type Batch = unsafe extern "C" fn(*const Schedule, *const ChainKeys, *mut Chains, usize);
/// CBC and CTR: they advance one block of state. The length is in blocks or bytes.
pub(crate) type Chained =
    unsafe extern "C" fn(*const Schedule, *mut Block, *const u8, *mut u8, usize);
/// Any block mode, in pieces.
pub(crate) type Pieces =
    unsafe extern "C" fn(BlockMode, *const Schedule, *mut Block, *mut Block, *const Piece, usize);
pub(crate) type Hash = unsafe extern "C" fn(*const Powers, *mut Block, *const u8, usize);
pub(crate) type Part = unsafe extern "C" fn(
    *const Schedule,
    *const Powers,
    *mut CounterBlock,
    *mut Block,
    *const Piece,
    usize,
    bool,
    *const Tag<'_>,
);
pub(crate) type Short = unsafe extern "C" fn(
    *const Schedule,
    *const Powers,
    *const CounterBlock,
    *mut Block,
    u64,
    *const u8,
    *mut u8,
    usize,
    bool,
);
pub(crate) type Wipe = unsafe extern "C" fn();

/// A table: its entry points, and those of `aesni` for what it lacks.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Blocks in one of its registers.
    pub(crate) lanes: usize,
    /// Powers that its `ghash_init` sets.
    pub(crate) powers: usize,
    pub(crate) key_expand: Expand,
    pub(crate) ghash_init: Init,
    pub(crate) ecb_encrypt: Ecb,
    pub(crate) ecb_decrypt: Ecb,
    pub(crate) cbc_encrypt: Chained,
    pub(crate) cbc_encrypt_batch: Batch,
    /// Chains in one call of `cbc_encrypt_batch`.
    pub(crate) chains: usize,
    pub(crate) cbc_decrypt: Chained,
    pub(crate) ctr32: Chained,
    pub(crate) pieces: Pieces,
    pub(crate) ghash: Hash,
    pub(crate) gcm_encrypt: Part,
    pub(crate) gcm_decrypt: Part,
    pub(crate) gcm_short: Short,
    /// The longest text of `gcm_short`.
    pub(crate) short: usize,
    pub(crate) wipe: Wipe,
}

const AESNI: Table = Table {
    name: "aesni",
    lanes: 1,
    powers: COMMON_POWERS,
    key_expand: kcfaes_key_expand_aesni,
    ghash_init: kcfaes_ghash_init_aesni,
    ecb_encrypt: kcfaes_ecb_encrypt_aesni,
    ecb_decrypt: kcfaes_ecb_decrypt_aesni,
    cbc_encrypt: kcfaes_cbc_encrypt_aesni,
    cbc_encrypt_batch: kcfaes_cbc_encrypt_batch_aesni,
    chains: 8,
    cbc_decrypt: kcfaes_cbc_decrypt_aesni,
    ctr32: kcfaes_ctr32_aesni,
    pieces: kcfaes_pieces_aesni,
    ghash: kcfaes_ghash_aesni,
    gcm_encrypt: kcfaes_gcm_encrypt_aesni,
    gcm_decrypt: kcfaes_gcm_decrypt_aesni,
    gcm_short: kcfaes_gcm_short_aesni,
    short: entry_aesni::SHORT_TEXT,
    wipe: kcfaes_wipe_aesni,
};

const VAES256: Table = Table {
    name: "vaes256",
    lanes: 2,
    powers: entry_vaes256::POWERS,
    ghash_init: kcfaes_ghash_init_vaes256,
    ecb_encrypt: kcfaes_ecb_encrypt_vaes256,
    ecb_decrypt: kcfaes_ecb_decrypt_vaes256,
    cbc_encrypt_batch: kcfaes_cbc_encrypt_batch_vaes256,
    chains: CHAINS,
    cbc_decrypt: kcfaes_cbc_decrypt_vaes256,
    ctr32: kcfaes_ctr32_vaes256,
    pieces: kcfaes_pieces_vaes256,
    ghash: kcfaes_ghash_vaes256,
    gcm_encrypt: kcfaes_gcm_encrypt_vaes256,
    gcm_decrypt: kcfaes_gcm_decrypt_vaes256,
    gcm_short: kcfaes_gcm_short_vaes256,
    short: entry_vaes256::SHORT_TEXT,
    wipe: kcfaes_wipe_vaes256,
    ..AESNI
};

const VAES512: Table = Table {
    name: "vaes512",
    lanes: 4,
    powers: entry_vaes512::POWERS,
    ghash_init: kcfaes_ghash_init_vaes512,
    ecb_encrypt: kcfaes_ecb_encrypt_vaes512,
    ecb_decrypt: kcfaes_ecb_decrypt_vaes512,
    cbc_encrypt_batch: kcfaes_cbc_encrypt_batch_vaes512,
    chains: CHAINS,
    cbc_decrypt: kcfaes_cbc_decrypt_vaes512,
    ctr32: kcfaes_ctr32_vaes512,
    pieces: kcfaes_pieces_vaes512,
    ghash: kcfaes_ghash_vaes512,
    gcm_encrypt: kcfaes_gcm_encrypt_vaes512,
    gcm_decrypt: kcfaes_gcm_decrypt_vaes512,
    gcm_short: kcfaes_gcm_short_vaes512,
    short: entry_vaes512::SHORT_TEXT,
    wipe: kcfaes_wipe_vaes512,
    ..AESNI
};

/// The tables that this CPU can run, narrowest first. The others are printed where a test's output is not
/// captured: a test that did not run has not passed. Without `aesni` nothing passes.
pub(crate) fn tables() -> &'static [Table] {
    static TABLES: OnceLock<Vec<Table>> = OnceLock::new();
    macro_rules! lacking {
        ($($name:tt)*) => {
            [$(($name, is_x86_feature_detected!($name))),*]
                .iter()
                .filter(|(_, has)| !has)
                .map(|&(name, _)| name)
                .collect::<Vec<&str>>()
                .join(", ")
        };
    }
    TABLES.get_or_init(|| {
        let lacking = lacking!["aes" "pclmulqdq" "ssse3" "sse4.1"];
        assert_eq!(lacking, "", "this CPU lacks {lacking}: no table was tested");
        let mut tables = vec![AESNI];
        for (table, lacking) in [
            (VAES256, lacking!["avx2" "vaes" "vpclmulqdq"]),
            (VAES512, lacking!["avx2" "bmi2" "vaes" "vpclmulqdq" "avx512f" "avx512bw" "avx512vl"]),
        ] {
            if lacking.is_empty() {
                tables.push(table);
            } else {
                let line = format!("NOT RUN: table {}: this CPU lacks {lacking}\n", table.name);
                _ = std::io::stderr().write_all(line.as_bytes());
            }
        }
        tables
    })
}

impl Table {
    pub(crate) fn schedule(&self, key: &[u8]) -> Schedule {
        // Dirty memory, to see that all of it is written.
        let mut schedule =
            Schedule { enc: [Block([0xa5; 16]); 15], dec: [Block([0xa5; 16]); 15], rounds: 99 };
        unsafe { (self.key_expand)(&mut schedule, key.as_ptr(), key.len()) };
        schedule
    }

    pub(crate) fn powers(&self, schedule: &Schedule) -> Powers {
        let mut powers = Powers::default();
        unsafe { (self.ghash_init)(schedule, &mut powers) };
        powers
    }

    /// A part of a message, in one piece.
    pub(crate) fn part(
        &self,
        encrypt: bool,
        keys: (&Schedule, &Powers),
        state: (&mut Block, &mut Block),
        text: (*const u8, *mut u8, usize),
    ) {
        self.last_part(encrypt, keys, state, text, null());
    }

    /// The same, and what `tag` asks for.
    fn last_part(
        &self,
        encrypt: bool,
        (schedule, powers): (&Schedule, &Powers),
        (ctr, y): (&mut Block, &mut Block),
        (src, dst, len): (*const u8, *mut u8, usize),
        tag: *const Tag<'_>,
    ) {
        let kernel = if encrypt { self.gcm_encrypt } else { self.gcm_decrypt };
        let mut counter = counter(ctr, len);
        let text = Piece { src, dst, len };
        unsafe { kernel(schedule, powers, &mut counter, y, &text, len, false, tag) }
        *ctr = counter.block;
    }

    /// A whole message by the entry points for parts. The tag comes with its text, or in a call of its own.
    pub(crate) fn in_parts(
        &self,
        encrypt: bool,
        (schedule, powers): (&Schedule, &Powers),
        j0: &Block,
        y: &mut Block,
        aad_len: usize,
        (src, dst, len): (*const u8, *mut u8, usize),
    ) {
        let mut ctr = advanced(j0, 1);
        let tag = Tag { j0, aad_len: aad_len as u64, text_len: len as u64 };
        if (len + aad_len).is_multiple_of(2) {
            let (text, state) = ((src, dst, len), (&mut ctr, &mut *y));
            self.last_part(encrypt, (schedule, powers), state, text, &tag);
            assert_eq!(ctr, advanced(j0, 1), "{}: the counter", self.name);
        } else {
            self.part(encrypt, (schedule, powers), (&mut ctr, y), (src, dst, len));
            let mut unused = Block([0; 16]);
            let none = (null(), null_mut(), 0);
            self.last_part(encrypt, (schedule, powers), (&mut unused, y), none, &tag);
            assert_eq!(ctr, advanced(j0, 16 + len), "{}: the counter", self.name);
        }
    }

    /// A whole message in one call, by the entry point for short ones if it can be.
    pub(crate) fn at_once(
        &self,
        encrypt: bool,
        (schedule, powers): (&Schedule, &Powers),
        j0: &Block,
        y: &mut Block,
        aad_len: usize,
        (src, dst, len): (*const u8, *mut u8, usize),
    ) {
        unmultiply(&powers.h, y);
        if len <= self.short && !(len + aad_len).is_multiple_of(5) {
            let j0 = counter(j0, len);
            let aad_len = aad_len as u64;
            let short = self.gcm_short;
            unsafe { short(schedule, powers, &j0, y, aad_len, src, dst, len, encrypt) }
            return;
        }
        let kernel = if encrypt { self.gcm_encrypt } else { self.gcm_decrypt };
        let (mut first, text) = (counter(j0, len), Piece { src, dst, len });
        let tag = Tag { j0, aad_len: aad_len as u64, text_len: len as u64 };
        unsafe { kernel(schedule, powers, &mut first, y, &text, len, true, &tag) }
        assert_eq!(first.block, *j0, "{}: with a tag the counter stays", self.name);
    }
}

/// Divides by H. For a whole message the hash of its AAD must lack the last multiplication.
pub(crate) fn unmultiply(h: &Block, y: &mut Block) {
    thread_local! {
        static LAST: Cell<(Block, u128)> = const { Cell::new((Block([0; 16]), 0)) };
    }
    let (mut known, mut inverse) = LAST.get();
    if known != *h {
        (known, inverse) = (*h, reference::inverse(u128::from_be_bytes(h.0)));
        LAST.set((known, inverse));
    }
    *y = Block(reference::product(u128::from_be_bytes(y.0), inverse).to_be_bytes());
}

/// A counter block for GCM. Lengths take turns with a secret one, which the kernels count differently.
pub(crate) fn counter(block: &Block, len: usize) -> CounterBlock {
    CounterBlock { block: *block, secret: len / 16 % 2 == 1 }
}

/// A text of so many bytes makes the 32-bit counter the one before.
pub(crate) const BEFORE: usize = 0xf_ffff_fff0;

/// A counter block after a text of `len` bytes.
pub(crate) fn advanced(ctr: &Block, len: usize) -> Block {
    let mut next = *ctr;
    let count = u32::from_be_bytes(ctr.0[12..].try_into().expect("4 bytes"));
    next.0[12..].copy_from_slice(&count.wrapping_add(len.div_ceil(16) as u32).to_be_bytes());
    next
}
