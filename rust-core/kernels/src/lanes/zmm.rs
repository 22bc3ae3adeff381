// SPDX-License-Identifier: MIT OR Apache-2.0
//! Four blocks in a zmm register: AVX-512F, BW and VL, VAES, VPCLMULQDQ and BMI2.
//!
//! Partial registers use masks. Bytes that a mask leaves out are not touched, even if they are not
//! accessible.

use core::arch::{asm, x86_64::*};

use super::{Lanes, Xmm};
use crate::{Block, LINE};

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Zmm(__m512i);

/// A bit for each byte before `stop`.
#[inline(always)]
unsafe fn bytes_before(stop: usize) -> __mmask64 {
    // SAFETY: the caller says that the CPU has the features.
    unsafe { _bzhi_u64(u64::MAX, stop as u32) }
}

/// Whether the register at `at` goes over the end of a page. A masked access that reaches a page that is not
/// there, or not used yet, does not fault, but costs hundreds of cycles: seal of 37 bytes at the end of a page 355
/// ns, not 51 (Zen 5).
#[inline(always)]
fn over_page_end(at: *const u8) -> bool {
    const PAGE: usize = 4096;
    at.addr() % PAGE > PAGE - Zmm::BYTES
}

/// The bytes of `src` before `stop`, block by block.
///
/// # Safety
/// As [`Lanes::load_before`].
#[inline(always)]
unsafe fn load_blocks(src: *const u8, stop: usize) -> __m512i {
    // SAFETY: the caller's promise; every access lies in [src, src + stop).
    unsafe {
        let (mut x, mut lane, mut at) = (_mm512_setzero_si512(), 0xf, 0);
        while at < stop {
            let block = if stop - at < 16 {
                Xmm::load_before(src.add(at), stop - at)
            } else {
                Xmm::load(src.add(at))
            };
            x = _mm512_mask_broadcast_i32x4(x, lane, block.0);
            lane <<= 4;
            at += 16;
        }
        x
    }
}

// The masked accesses. Under a fuzzer they are functions that are called: AddressSanitizer makes a branch of
// each byte of a mask, and the branches of every place where they were inlined would be more edges than all
// other code has.

/// The bytes of `src` that `mask` names, the others from `otherwise`.
#[cfg_attr(not(fuzzing), inline)]
#[cfg_attr(fuzzing, inline(never))]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load_masked(otherwise: __m512i, mask: __mmask64, src: *const u8) -> __m512i {
    // SAFETY: the caller's promise: the bytes that `mask` names can be read.
    unsafe { _mm512_mask_loadu_epi8(otherwise, mask, src.cast()) }
}

/// Stores the bytes of `x` that `mask` names.
#[cfg_attr(not(fuzzing), inline)]
#[cfg_attr(fuzzing, inline(never))]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_masked(dst: *mut u8, mask: __mmask64, x: __m512i) {
    // SAFETY: the caller's promise: the bytes that `mask` names can be written.
    unsafe { _mm512_mask_storeu_epi8(dst.cast(), mask, x) }
}

/// [`load_masked`] of a block, the other bytes zero.
#[cfg_attr(not(fuzzing), inline)]
#[cfg_attr(fuzzing, inline(never))]
#[target_feature(enable = "avx512bw,avx512vl")]
unsafe fn load_block_masked(mask: __mmask16, src: *const u8) -> __m128i {
    // SAFETY: the caller's promise: the bytes that `mask` names can be read.
    unsafe { _mm_maskz_loadu_epi8(mask, src.cast()) }
}

/// [`store_masked`] of a block.
#[cfg_attr(not(fuzzing), inline)]
#[cfg_attr(fuzzing, inline(never))]
#[target_feature(enable = "avx512bw,avx512vl")]
unsafe fn store_block_masked(dst: *mut u8, mask: __mmask16, x: __m128i) {
    // SAFETY: the caller's promise: the bytes that `mask` names can be written.
    unsafe { _mm_mask_storeu_epi8(dst.cast(), mask, x) }
}

/// The number of each place, in the last byte of its block.
const PLACES: __m512i =
    // SAFETY: bytes.
    unsafe {
        core::mem::transmute::<[u32; 16], __m512i>([
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            1 << 24,
            0,
            0,
            0,
            2 << 24,
            0,
            0,
            0,
            3 << 24,
        ])
    };

// For the blocks below that only compute: the operand exists, so the CPU has the features (the invariant of
// `Lanes`).

impl Lanes for Zmm {
    const BLOCKS: usize = 4;
    const MASKS: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: the caller's promise; the load needs no alignment.
        unsafe { Self(_mm512_loadu_si512(src.cast())) }
    }

    #[inline(always)]
    unsafe fn load_before(src: *const u8, stop: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            if over_page_end(src) {
                return Self(load_blocks(src, stop));
            }
            Self(load_masked(_mm512_setzero_si512(), bytes_before(stop), src))
        }
    }

    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: the caller's promise; the store needs no alignment.
        unsafe { _mm512_storeu_si512(dst.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn store_before(self, dst: *mut u8, stop: usize) {
        // Full blocks one by one: it is slow to read again what a mask has stored.
        // SAFETY: the caller's promise; only bytes before `stop` are touched.
        unsafe {
            if stop >= 16 {
                self.first().store(dst);
            }
            if stop >= 32 {
                Xmm(_mm512_extracti32x4_epi32::<1>(self.0)).store(dst.wrapping_add(16));
            }
            if stop >= 48 {
                Xmm(_mm512_extracti32x4_epi32::<2>(self.0)).store(dst.wrapping_add(32));
            }
            if stop >= 64 {
                Xmm(_mm512_extracti32x4_epi32::<3>(self.0)).store(dst.wrapping_add(48));
            }
            // `stop` has no bits above these.
            let (full, ragged) = (stop & (2 * Self::BYTES - 16), stop & 15);
            if ragged > 0 {
                let mask = bytes_before(stop) & !bytes_before(full);
                if over_page_end(dst) {
                    let lane = (0b11 << (full / 8)) as __mmask8;
                    let block = _mm512_maskz_compress_epi64(lane, self.0);
                    Self(block).first().store_before(dst.add(full), ragged);
                } else {
                    store_masked(dst, mask, self.0);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load_inside(src: *const u8, place: usize, n: usize) -> Xmm {
        let mask = (u16::MAX >> (16 - n)) << place;
        // SAFETY: the caller's promise; no other byte is touched.
        unsafe { Xmm(load_block_masked(mask, src.wrapping_sub(place))) }
    }

    #[inline(always)]
    unsafe fn store_inside(block: Xmm, dst: *mut u8, place: usize, n: usize) -> Xmm {
        let mask = (u16::MAX >> (16 - n)) << place;
        // SAFETY: the caller's promise; no other byte is touched.
        unsafe {
            store_block_masked(dst.wrapping_sub(place), mask, block.0);
            Xmm(_mm_maskz_mov_epi8(mask, block.0))
        }
    }

    #[inline(always)]
    unsafe fn load_between(self, src: *const u8, start: usize, stop: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let mask = bytes_before(stop) ^ bytes_before(start);
            Self(load_masked(self.0, mask, src))
        }
    }

    #[inline(always)]
    unsafe fn store_between(self, dst: *mut u8, start: usize, stop: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let mask = bytes_before(stop) ^ bytes_before(start);
            store_masked(dst, mask, self.0);
            Self(_mm512_maskz_mov_epi8(mask, self.0))
        }
    }

    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: the caller's promise; a `Block` is aligned.
        unsafe { Self(_mm512_broadcast_i32x4(_mm_load_si128(block.cast()))) }
    }

    #[inline(always)]
    fn repeat(block: Xmm) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_broadcast_i32x4(block.0)) }
    }

    #[inline(always)]
    unsafe fn consecutive(block: *const Block) -> Self {
        // SAFETY: the caller's promise; the load needs no alignment.
        unsafe { Self(_mm512_loadu_si512(block.cast())) }
    }

    #[inline(always)]
    unsafe fn gather(src: *const *const u8, at: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let block = |i| Xmm::load((*src.add(i)).add(at)).0;
            let low = _mm256_set_m128i(block(1), block(0));
            let high = _mm256_set_m128i(block(3), block(2));
            Self(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
        }
    }

    #[inline(always)]
    unsafe fn scatter(self, dst: *const *mut u8, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.first().store((*dst).add(at));
            Xmm(_mm512_extracti32x4_epi32::<1>(self.0)).store((*dst.add(1)).add(at));
            Xmm(_mm512_extracti32x4_epi32::<2>(self.0)).store((*dst.add(2)).add(at));
            Xmm(_mm512_extracti32x4_epi32::<3>(self.0)).store((*dst.add(3)).add(at));
        }
    }

    #[inline(always)]
    unsafe fn gather_line(src: *const *const u8, at: usize) -> [Self; LINE] {
        // SAFETY: the caller's promise.
        unsafe { transpose([0, 1, 2, 3].map(|n| Self::load((*src.add(n)).add(at)))) }
    }

    #[inline(always)]
    unsafe fn scatter_line(line: [Self; LINE], dst: *const *mut u8, at: usize) {
        for (n, x) in transpose(line).into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { x.store((*dst.add(n)).add(at)) }
        }
    }

    #[inline(always)]
    fn widen(block: Xmm) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_zextsi128_si512(block.0)) }
    }

    #[inline(always)]
    fn two([first, second]: [Xmm; 2]) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_zextsi256_si512(_mm256_set_m128i(second.0, first.0))) }
    }

    #[inline(always)]
    fn place(block: Xmm, lane: usize) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_maskz_broadcast_i32x4(0xf << (4 * lane), block.0)) }
    }

    #[inline(always)]
    fn first(self) -> Xmm {
        // SAFETY: see above.
        unsafe { Xmm(_mm512_castsi512_si128(self.0)) }
    }

    #[inline(always)]
    fn keep_before(self, stop: usize) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_maskz_mov_epi8(bytes_before(stop), self.0)) }
    }

    #[inline(always)]
    fn last(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_shuffle_i64x2::<0xff>(self.0, self.0)) }
    }

    #[inline(always)]
    fn chained(self, before: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_alignr_epi64::<6>(self.0, before.0)) }
    }

    #[inline(always)]
    fn with_last(self, block: Xmm) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_inserti32x4::<3>(self.0, block.0)) }
    }

    #[inline(always)]
    fn fold(self) -> Xmm {
        // SAFETY: see above.
        unsafe {
            let upper = _mm512_extracti64x4_epi64::<1>(self.0);
            let two = _mm256_xor_si256(_mm512_castsi512_si256(self.0), upper);
            Xmm(_mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two)))
        }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_xor_si512(self.0, other.0)) }
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            Self(_mm512_shuffle_epi8(self.0, _mm512_broadcast_i32x4(reverse)))
        }
    }

    #[inline(always)]
    fn round<const ENCRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(if ENCRYPT {
                _mm512_aesenc_epi128(self.0, key.0)
            } else {
                _mm512_aesdec_epi128(self.0, key.0)
            })
        }
    }

    #[inline(always)]
    fn last_round<const ENCRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(if ENCRYPT {
                _mm512_aesenclast_epi128(self.0, key.0)
            } else {
                _mm512_aesdeclast_epi128(self.0, key.0)
            })
        }
    }

    #[inline(always)]
    fn number(self) -> Self {
        // Made from the constant of `number_within_byte`. `pin` keeps the compiler from making a second
        // constant: no self-test would notice a fault in one that only this rare path uses.
        // SAFETY: see above.
        unsafe { Self(_mm512_add_epi32(self.0, Self(PLACES).pin().swap_bytes().0)) }
    }

    #[inline(always)]
    fn number_within_byte(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_add_epi32(self.0, PLACES)) }
    }

    #[inline(always)]
    fn count(self, n: u32) -> Self {
        // SAFETY: see above.
        unsafe {
            let addend = _mm_cvtsi32_si128(n as i32);
            Self(_mm512_add_epi32(self.0, _mm512_broadcast_i32x4(addend)))
        }
    }

    #[inline(always)]
    fn count_within_byte(self, n: u32) -> Self {
        // SAFETY: see above.
        unsafe {
            let addend = _mm_set_epi32((n << 24) as i32, 0, 0, 0);
            Self(_mm512_add_epi32(self.0, _mm512_broadcast_i32x4(addend)))
        }
    }

    #[inline(always)]
    fn clmul<const HALVES: i32>(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_clmulepi64_epi128::<HALVES>(self.0, other.0)) }
    }

    #[inline(always)]
    fn low_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn pin(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(pin(self.0)) }
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_shuffle_epi32::<0b01_00_11_10>(self.0)) }
    }
}

/// The first block of each, then the second of each, and so on.
#[inline(always)]
fn transpose([Zmm(a), Zmm(b), Zmm(c), Zmm(d)]: [Zmm; 4]) -> [Zmm; 4] {
    // SAFETY: see above.
    unsafe {
        let (ab, cd) = (_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0x44>(c, d));
        let (ab_high, cd_high) =
            (_mm512_shuffle_i64x2::<0xee>(a, b), _mm512_shuffle_i64x2::<0xee>(c, d));
        [
            Zmm(_mm512_shuffle_i64x2::<0x88>(ab, cd)),
            Zmm(_mm512_shuffle_i64x2::<0xdd>(ab, cd)),
            Zmm(_mm512_shuffle_i64x2::<0x88>(ab_high, cd_high)),
            Zmm(_mm512_shuffle_i64x2::<0xdd>(ab_high, cd_high)),
        ]
    }
}

impl Zmm {
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
                "vpxord xmm16, xmm16, xmm16",
                "vpxord xmm17, xmm17, xmm17",
                "vpxord xmm18, xmm18, xmm18",
                "vpxord xmm19, xmm19, xmm19",
                "vpxord xmm20, xmm20, xmm20",
                "vpxord xmm21, xmm21, xmm21",
                "vpxord xmm22, xmm22, xmm22",
                "vpxord xmm23, xmm23, xmm23",
                "vpxord xmm24, xmm24, xmm24",
                "vpxord xmm25, xmm25, xmm25",
                "vpxord xmm26, xmm26, xmm26",
                "vpxord xmm27, xmm27, xmm27",
                "vpxord xmm28, xmm28, xmm28",
                "vpxord xmm29, xmm29, xmm29",
                "vpxord xmm30, xmm30, xmm30",
                "vpxord xmm31, xmm31, xmm31",
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
                out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
                out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
                out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
                out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pin(mut x: __m512i) -> __m512i {
    // SAFETY: no instruction.
    unsafe { asm!("/* {0} */", inout(zmm_reg) x, options(nomem, nostack, preserves_flags)) };
    x
}
