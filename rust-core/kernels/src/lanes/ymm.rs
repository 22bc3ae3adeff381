// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two blocks in a ymm register: AVX2, VAES and VPCLMULQDQ.
//!
//! Partial registers are made from their two blocks, each full or partial.

use core::arch::{asm, x86_64::*};
use core::mem::offset_of;

use super::{Lanes, Xmm};
use crate::{Block, LINE, POWERS, Powers, types::mid_of};

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Ymm(__m256i);

/// The number of each place, in the last byte of its block.
const PLACES: __m256i =
    // SAFETY: bytes.
    unsafe { core::mem::transmute::<[u32; 8], __m256i>([0, 0, 0, 0, 0, 0, 0, 1 << 24]) };

// For the blocks below that only compute: the operand exists, so the CPU has the features (the invariant of
// `Lanes`).

impl Lanes for Ymm {
    const BLOCKS: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(_mm256_setzero_si256()) }
    }

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: the caller's promise; the load needs no alignment.
        unsafe { Self(_mm256_loadu_si256(src.cast())) }
    }

    #[inline(always)]
    unsafe fn load_before(src: *const u8, stop: usize) -> Self {
        // SAFETY: the caller's promise; the second block is only read where `stop` reaches it.
        unsafe {
            let low = Xmm::load_before(src, stop.min(16));
            let high = Xmm::load_before(src.wrapping_add(16), stop.saturating_sub(16));
            Self(_mm256_set_m128i(high.0, low.0))
        }
    }

    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: the caller's promise; the store needs no alignment.
        unsafe { _mm256_storeu_si256(dst.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn store_before(self, dst: *mut u8, stop: usize) {
        // SAFETY: the caller's promise; the second block is only touched where `stop` reaches it.
        unsafe {
            self.first().store_before(dst, stop.min(16));
            let high = Xmm(_mm256_extracti128_si256::<1>(self.0));
            high.store_before(dst.wrapping_add(16), stop.saturating_sub(16));
        }
    }

    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: the caller's promise; a `Block` is aligned.
        unsafe { Self(_mm256_broadcastsi128_si256(_mm_load_si128(block.cast()))) }
    }

    #[inline(always)]
    fn repeat(block: Xmm) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_broadcastsi128_si256(block.0)) }
    }

    #[inline(always)]
    unsafe fn consecutive(block: *const Block) -> Self {
        // SAFETY: the caller's promise; the load needs no alignment.
        unsafe { Self(_mm256_loadu_si256(block.cast())) }
    }

    #[inline(always)]
    unsafe fn gather(src: *const *const u8, at: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let block = |i| Xmm::load((*src.add(i)).add(at)).0;
            Self(_mm256_set_m128i(block(1), block(0)))
        }
    }

    #[inline(always)]
    unsafe fn scatter(self, dst: *const *mut u8, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.first().store((*dst).add(at));
            Xmm(_mm256_extracti128_si256::<1>(self.0)).store((*dst.add(1)).add(at));
        }
    }

    #[inline(always)]
    unsafe fn gather_line(src: *const *const u8, at: usize) -> [Self; LINE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (a, b) = ((*src).add(at), (*src.add(1)).add(at));
            let [first, second] = transpose([Self::load(a), Self::load(b)]);
            let [third, fourth] = transpose([Self::load(a.add(32)), Self::load(b.add(32))]);
            [first, second, third, fourth]
        }
    }

    #[inline(always)]
    unsafe fn scatter_line(
        [first, second, third, fourth]: [Self; LINE],
        dst: *const *mut u8,
        at: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let [[a, b], [a_end, b_end]] = [transpose([first, second]), transpose([third, fourth])];
            let (at_a, at_b) = ((*dst).add(at), (*dst.add(1)).add(at));
            a.store(at_a);
            a_end.store(at_a.add(32));
            b.store(at_b);
            b_end.store(at_b.add(32));
        }
    }

    #[inline(always)]
    fn widen(block: Xmm) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_zextsi128_si256(block.0)) }
    }

    #[inline(always)]
    fn two([first, second]: [Xmm; 2]) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_set_m128i(second.0, first.0)) }
    }

    #[inline(always)]
    fn place(block: Xmm, lane: usize) -> Self {
        // SAFETY: see above.
        unsafe {
            let places = _mm256_setr_epi64x(0, 0, 1, 1);
            let here = _mm256_cmpeq_epi64(places, _mm256_set1_epi64x(lane as i64));
            Self(_mm256_and_si256(_mm256_broadcastsi128_si256(block.0), here))
        }
    }

    #[inline(always)]
    fn first(self) -> Xmm {
        // SAFETY: see above.
        unsafe { Xmm(_mm256_castsi256_si128(self.0)) }
    }

    #[inline(always)]
    fn keep_before(self, stop: usize) -> Self {
        // SAFETY: see above.
        unsafe {
            let places = _mm256_setr_epi8(
                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                23, 24, 25, 26, 27, 28, 29, 30, 31,
            );
            let here = _mm256_cmpgt_epi8(_mm256_set1_epi8(stop as i8), places);
            Self(_mm256_and_si256(self.0, here))
        }
    }

    #[inline(always)]
    fn chained(self, before: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_permute2x128_si256::<0x21>(before.0, self.0)) }
    }

    #[inline(always)]
    fn last(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_permute4x64_epi64::<0b11_10_11_10>(self.0)) }
    }

    #[inline(always)]
    fn with_last(self, block: Xmm) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_inserti128_si256::<1>(self.0, block.0)) }
    }

    #[inline(always)]
    fn fold(self) -> Xmm {
        // SAFETY: see above.
        unsafe { Xmm(_mm_xor_si128(self.first().0, _mm256_extracti128_si256::<1>(self.0))) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_xor_si256(self.0, other.0)) }
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            Self(_mm256_shuffle_epi8(self.0, _mm256_broadcastsi128_si256(reverse)))
        }
    }

    #[inline(always)]
    fn round<const ENCRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(if ENCRYPT {
                _mm256_aesenc_epi128(self.0, key.0)
            } else {
                _mm256_aesdec_epi128(self.0, key.0)
            })
        }
    }

    #[inline(always)]
    fn last_round<const ENCRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(if ENCRYPT {
                _mm256_aesenclast_epi128(self.0, key.0)
            } else {
                _mm256_aesdeclast_epi128(self.0, key.0)
            })
        }
    }

    #[inline(always)]
    fn number(self) -> Self {
        // Made from the constant of `number_within_byte`. `pin` keeps the compiler from making a second
        // constant: no self-test would notice a fault in one that only this rare path uses.
        // SAFETY: see above.
        unsafe { Self(_mm256_add_epi32(self.0, Self(PLACES).pin().swap_bytes().0)) }
    }

    #[inline(always)]
    fn number_within_byte(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_add_epi32(self.0, PLACES)) }
    }

    #[inline(always)]
    fn count(self, n: u32) -> Self {
        // SAFETY: see above.
        unsafe {
            let addend = _mm_cvtsi32_si128(n as i32);
            Self(_mm256_add_epi32(self.0, _mm256_broadcastsi128_si256(addend)))
        }
    }

    #[inline(always)]
    fn count_within_byte(self, n: u32) -> Self {
        // SAFETY: see above.
        unsafe {
            let addend = _mm_set_epi32((n << 24) as i32, 0, 0, 0);
            Self(_mm256_add_epi32(self.0, _mm256_broadcastsi128_si256(addend)))
        }
    }

    #[inline(always)]
    fn clmul<const HALVES: i32>(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_clmulepi64_epi128::<HALVES>(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn multiply_add<const I: usize>(
        sum: [Self; 3],
        x: Self,
        powers: *const Powers,
    ) -> [Self; 3] {
        // SAFETY: the caller's promise.
        unsafe { multiply_add::<I>(sum, x, powers) }
    }

    #[inline(always)]
    fn low_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn pin(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(pin(self.0)) }
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_shuffle_epi32::<0b01_00_11_10>(self.0)) }
    }
}

/// Both first blocks, then both second blocks.
#[inline(always)]
fn transpose([a, b]: [Ymm; 2]) -> [Ymm; 2] {
    // SAFETY: see above.
    unsafe {
        [
            Ymm(_mm256_permute2x128_si256::<0x20>(a.0, b.0)),
            Ymm(_mm256_permute2x128_si256::<0x31>(a.0, b.0)),
        ]
    }
}

impl Ymm {
    /// Zeros every vector register of the table.
    ///
    /// # Safety
    /// The caller owns the vector registers, and the CPU has the table's features.
    #[inline(always)]
    pub(crate) unsafe fn wipe() {
        // SAFETY: touches the named registers only, all of which are declared.
        unsafe {
            asm!(
                "vzeroall",
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
                out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
                out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
}

/// [`Lanes::multiply_add`] in assembler, as in `Xmm` for its memory operands. With intrinsics the sixteen
/// registers do not suffice.
///
/// # Safety
/// As there.
#[inline]
#[target_feature(enable = "avx2,vpclmulqdq")]
unsafe fn multiply_add<const I: usize>(
    [Ymm(mut lo), Ymm(mut mid), Ymm(mut hi)]: [Ymm; 3],
    Ymm(x): Ymm,
    powers: *const Powers,
) -> [Ymm; 3] {
    // SAFETY: reads only register `I` of the powers, which exists by the caller's promise.
    unsafe {
        asm!(
            "vpshufd {both}, {x}, 0x4e",
            "vpxor {both}, {both}, {x}",
            "vpclmulqdq {low}, {x}, [{powers} + {pow}], 0x00",
            "vpclmulqdq {x}, {x}, [{powers} + {pow}], 0x11",
            "vpclmulqdq {both}, {both}, [{powers} + {pair}], {half}",
            "vpxor {lo}, {lo}, {low}",
            "vpxor {hi}, {hi}, {x}",
            "vpxor {mid}, {mid}, {both}",
            low = out(ymm_reg) _,
            both = out(ymm_reg) _,
            x = inout(ymm_reg) x => _,
            lo = inout(ymm_reg) lo,
            mid = inout(ymm_reg) mid,
            hi = inout(ymm_reg) hi,
            powers = in(reg) powers,
            pow = const offset_of!(Powers, pow) + 16 * (POWERS - 16 + 2 * I),
            pair = const offset_of!(Powers, mid) + 16 * mid_of(POWERS - 16 + 2 * I).0,
            half = const mid_of(POWERS - 16 + 2 * I).1 << 4,
            options(readonly, nostack, preserves_flags),
        );
    }
    [Ymm(lo), Ymm(mid), Ymm(hi)]
}

#[inline]
#[target_feature(enable = "avx")]
fn pin(mut x: __m256i) -> __m256i {
    // SAFETY: no instruction.
    unsafe { asm!("/* {0} */", inout(ymm_reg) x, options(nomem, nostack, preserves_flags)) };
    x
}
