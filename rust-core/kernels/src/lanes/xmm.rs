// SPDX-License-Identifier: MIT OR Apache-2.0
//! One block in an xmm register: AES-NI, SSSE3, SSE4.1 and PCLMULQDQ.
//!
//! In addition to [`Lanes`] it has the operations that every table does one block at a time: key expansion,
//! hash accumulators and counter blocks.

use core::{
    arch::{asm, x86_64::*},
    mem::offset_of,
};

use super::Lanes;
use crate::{Block, LINE, POWERS, Powers, types::mid_of};

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Xmm(pub(super) __m128i);

// For the blocks below that only compute: the operand exists, so the CPU has the features (the invariant of
// `Lanes`).

impl Lanes for Xmm {
    const BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(_mm_setzero_si128()) }
    }

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: the caller's promise; the load needs no alignment.
        unsafe { Self(_mm_loadu_si128(src.cast())) }
    }

    #[inline(always)]
    unsafe fn load_before(src: *const u8, stop: usize) -> Self {
        // Two loads that overlap in the middle cover every length without touching a byte outside.
        // SAFETY: every access lies in [src, src + stop) in its branch.
        unsafe {
            let block = if stop == 0 {
                return Self::zero();
            } else if stop == Self::BYTES {
                return Self::load(src);
            } else if stop >= 8 {
                let head = src.cast::<u64>().read_unaligned();
                let tail = src.add(stop - 8).cast::<u64>().read_unaligned();
                u128::from(head) | u128::from(tail) << (8 * (stop - 8))
            } else if stop >= 4 {
                let head = src.cast::<u32>().read_unaligned();
                let tail = src.add(stop - 4).cast::<u32>().read_unaligned();
                u128::from(u64::from(head) | u64::from(tail) << (8 * (stop - 4)))
            } else {
                // From the last byte to the first. Each one shifts the bytes after it up.
                let mut bytes = u32::from(*src.add(stop - 1));
                if stop > 2 {
                    bytes = bytes << 8 | u32::from(*src.add(1));
                }
                if stop > 1 {
                    bytes = bytes << 8 | u32::from(*src);
                }
                u128::from(bytes)
            };
            Self::from_u128(block)
        }
    }

    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: the caller's promise; the store needs no alignment.
        unsafe { _mm_storeu_si128(dst.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn store_before(self, dst: *mut u8, stop: usize) {
        if stop == 0 {
            return;
        }
        // SAFETY: every access lies in [dst, dst + stop) in its branch.
        unsafe {
            let block = self.to_u128();
            if stop == Self::BYTES {
                self.store(dst);
            } else if stop >= 8 {
                dst.cast::<u64>().write_unaligned(block as u64);
                let tail = (block >> (8 * (stop - 8))) as u64;
                dst.add(stop - 8).cast::<u64>().write_unaligned(tail);
            } else if stop >= 4 {
                dst.cast::<u32>().write_unaligned(block as u32);
                let tail = (block as u64 >> (8 * (stop - 4))) as u32;
                dst.add(stop - 4).cast::<u32>().write_unaligned(tail);
            } else {
                *dst = block as u8;
                *dst.add(stop / 2) = (block as u32 >> (8 * (stop / 2))) as u8;
                *dst.add(stop - 1) = (block as u32 >> (8 * (stop - 1))) as u8;
            }
        }
    }

    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: the caller's promise; a `Block` is aligned.
        unsafe { Self(_mm_load_si128(block.cast())) }
    }

    #[inline(always)]
    fn repeat(block: Xmm) -> Self {
        block
    }

    #[inline(always)]
    unsafe fn consecutive(block: *const Block) -> Self {
        // SAFETY: the caller's promise; a `Block` is aligned.
        unsafe { Self(_mm_load_si128(block.cast())) }
    }

    #[inline(always)]
    unsafe fn gather(src: *const *const u8, at: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load((*src).add(at)) }
    }

    #[inline(always)]
    unsafe fn scatter(self, dst: *const *mut u8, at: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.store((*dst).add(at)) }
    }

    #[inline(always)]
    unsafe fn gather_line(src: *const *const u8, at: usize) -> [Self; LINE] {
        // SAFETY: the caller's promise.
        unsafe { [0, 16, 32, 48].map(|n| Self::gather(src, at + n)) }
    }

    #[inline(always)]
    unsafe fn scatter_line(line: [Self; LINE], dst: *const *mut u8, at: usize) {
        for (n, block) in line.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { block.scatter(dst, at + 16 * n) }
        }
    }

    #[inline(always)]
    fn widen(block: Xmm) -> Self {
        block
    }

    #[inline(always)]
    fn two([first, _]: [Xmm; 2]) -> Self {
        first
    }

    #[inline(always)]
    fn place(block: Xmm, _lane: usize) -> Self {
        block
    }

    #[inline(always)]
    fn first(self) -> Xmm {
        self
    }

    #[inline(always)]
    fn keep_before(self, stop: usize) -> Self {
        // SAFETY: see above.
        unsafe {
            let place = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            Self(_mm_and_si128(self.0, _mm_cmplt_epi8(place, _mm_set1_epi8(stop as i8))))
        }
    }

    #[inline(always)]
    fn chained(self, before: Self) -> Self {
        before
    }

    #[inline(always)]
    fn last(self) -> Self {
        self
    }

    #[inline(always)]
    fn with_last(self, block: Xmm) -> Self {
        block
    }

    #[inline(always)]
    fn fold(self) -> Xmm {
        self
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_xor_si128(self.0, other.0)) }
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            Self(_mm_shuffle_epi8(self.0, reverse))
        }
    }

    #[inline(always)]
    fn round<const ENCRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(if ENCRYPT {
                _mm_aesenc_si128(self.0, key.0)
            } else {
                _mm_aesdec_si128(self.0, key.0)
            })
        }
    }

    #[inline(always)]
    fn last_round<const ENCRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(if ENCRYPT {
                _mm_aesenclast_si128(self.0, key.0)
            } else {
                _mm_aesdeclast_si128(self.0, key.0)
            })
        }
    }

    #[inline(always)]
    fn number(self) -> Self {
        self
    }

    #[inline(always)]
    fn number_within_byte(self) -> Self {
        self
    }

    #[inline(always)]
    fn count(self, n: u32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_add_epi32(self.0, _mm_cvtsi32_si128(n as i32))) }
    }

    #[inline(always)]
    fn count_within_byte(self, n: u32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_add_epi32(self.0, _mm_set_epi32((n << 24) as i32, 0, 0, 0))) }
    }

    #[inline(always)]
    fn clmul<const HALVES: i32>(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_clmulepi64_si128::<HALVES>(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn multiply_add<const I: usize>(
        [Self(mut lo), Self(mut mid), Self(mut hi)]: [Self; 3],
        Self(x): Self,
        powers: *const Powers,
    ) -> [Self; 3] {
        // Assembler, for its memory operands and its order. From intrinsics LLVM makes separate loads, and
        // reorders until cipher state is spilled: 0.56 to 0.58 cycles per byte of AES-128-GCM on Zen 5, where
        // this takes 0.52.
        // SAFETY: reads only register `I` of the powers, which exists by the caller's promise.
        unsafe {
            asm!(
                "movdqa {low}, {x}",
                "pshufd {both}, {x}, 0x4e",
                "pxor {both}, {x}",
                "pclmulqdq {low}, [{powers} + {pow}], 0x00",
                "pclmulqdq {x}, [{powers} + {pow}], 0x11",
                "pclmulqdq {both}, [{powers} + {pair}], {half}",
                "pxor {lo}, {low}",
                "pxor {hi}, {x}",
                "pxor {mid}, {both}",
                low = out(xmm_reg) _,
                both = out(xmm_reg) _,
                x = inout(xmm_reg) x => _,
                lo = inout(xmm_reg) lo,
                mid = inout(xmm_reg) mid,
                hi = inout(xmm_reg) hi,
                powers = in(reg) powers,
                pow = const offset_of!(Powers, pow) + 16 * (POWERS - 8 + I),
                pair = const offset_of!(Powers, mid) + 16 * mid_of(POWERS - 8 + I).0,
                half = const mid_of(POWERS - 8 + I).1 << 4,
                options(readonly, nostack, preserves_flags),
            );
        }
        [Self(lo), Self(mid), Self(hi)]
    }

    #[inline(always)]
    fn low_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn pin(mut self) -> Self {
        // SAFETY: no instruction.
        unsafe {
            asm!("/* {0} */", inout(xmm_reg) self.0, options(nomem, nostack, preserves_flags))
        };
        self
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_shuffle_epi32::<0b01_00_11_10>(self.0)) }
    }
}

impl Xmm {
    /// Little-endian: bit 0 is the lowest bit of the first byte.
    ///
    /// # Safety
    /// The CPU has the table's features.
    #[inline(always)]
    pub(crate) unsafe fn from_u128(block: u128) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(_mm_set_epi64x((block >> 64) as i64, block as i64)) }
    }

    /// The block at `src`, in two loads. Whoever has just written it did so in two stores, and one load would
    /// wait until these have left the store buffer.
    ///
    /// # Safety
    /// The CPU has the table's features, and `src` is readable for 16 bytes.
    #[inline(always)]
    pub(crate) unsafe fn load_halves(src: *const u8) -> Self {
        // SAFETY: the caller's promise. `pin` keeps the compiler from making one load of them.
        unsafe {
            let low = Self(_mm_loadl_epi64(src.cast())).pin();
            Self(_mm_castpd_si128(_mm_loadh_pd(_mm_castsi128_pd(low.0), src.add(8).cast())))
        }
    }

    /// The 32-bit word `word`, four times.
    ///
    /// # Safety
    /// The CPU has the table's features.
    #[inline(always)]
    pub(crate) unsafe fn words(word: u32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(_mm_set1_epi32(word as i32)) }
    }

    #[inline(always)]
    pub(super) fn to_u128(self) -> u128 {
        // SAFETY: see above.
        unsafe {
            let (low, high) = (_mm_cvtsi128_si64(self.0), _mm_extract_epi64::<1>(self.0));
            u128::from(low as u64) | u128::from(high as u64) << 64
        }
    }

    /// The low half from memory; the high half is zero.
    ///
    /// # Safety
    /// The CPU has the table's features, and `src` is readable for 8 bytes.
    #[inline(always)]
    pub(crate) unsafe fn load_low_half(src: *const u8) -> Self {
        // SAFETY: the caller's promise; the load needs no alignment.
        unsafe { Self(_mm_loadl_epi64(src.cast())) }
    }

    /// # Safety
    /// `dst` is writable for 8 bytes.
    #[inline(always)]
    pub(crate) unsafe fn store_low_half(self, dst: *mut u8) {
        // SAFETY: the caller's promise; the store needs no alignment.
        unsafe { _mm_storel_epi64(dst.cast(), self.0) }
    }

    /// InvMixColumns (FIPS 197 section 5.3.3).
    #[inline(always)]
    pub(crate) fn inv_mix_columns(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_aesimc_si128(self.0)) }
    }

    /// Word i becomes the xor of words 0..=i: the running sum of FIPS 197 algorithm 2.
    #[inline(always)]
    pub(crate) fn running_xor(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let pairs = _mm_xor_si128(self.0, _mm_slli_si128::<4>(self.0));
            Self(_mm_xor_si128(pairs, _mm_slli_si128::<8>(pairs)))
        }
    }

    /// SubWord(RotWord(word `WORD`)), or SubWord alone if not `ROTATE`, xored with the round constant. All
    /// four words of the result are equal; all four words of `rcon` are too.
    ///
    /// With four equal columns ShiftRows changes nothing, so the last round of the cipher is SubWord of each
    /// column. It needs no table, and has less latency than AESKEYGENASSIST.
    #[inline(always)]
    pub(crate) fn sub_word<const WORD: i32, const ROTATE: bool>(self, rcon: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let first = WORD * 0x0404_0404;
            let pick = first + if ROTATE { 0x0003_0201 } else { 0x0302_0100 };
            let column = _mm_shuffle_epi8(self.0, _mm_set1_epi32(pick));
            Self(_mm_aesenclast_si128(column, rcon.0))
        }
    }

    /// The last word, four times.
    #[inline(always)]
    pub(crate) fn last_word(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm_shuffle_epi32::<0b11_11_11_11>(self.0)) }
    }

    /// Multiplication by x modulo x^128 + x^127 + x^126 + x^121 + 1, where bit i is the coefficient of x^i.
    /// There is no branch on the bit that leaves.
    #[inline(always)]
    pub(crate) fn shift_left_reduced(self) -> Self {
        let (value, out) = (self.to_u128() << 1, self.to_u128() >> 127);
        // x^128 is congruent to x^127 + x^126 + x^121 + 1.
        let low = out.wrapping_neg() & 0xc200_0000_0000_0000_0000_0000_0000_0001;
        // SAFETY: see above.
        unsafe { Self::from_u128(value ^ low) }
    }
}
