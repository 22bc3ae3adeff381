// SPDX-License-Identifier: MIT OR Apache-2.0
//! Planted leaks. Every run shows that they are seen.

use core::arch::asm;
use core::hint::black_box;

use crate::case::Case;
use crate::secret::{Secret, j0};
use crate::watch::{Region, watched};

pub(crate) struct Plant {
    /// The function that leaks.
    pub(crate) function: &'static str,
    /// Memcheck does not see how long a division takes nor, on this CPU, what a mask masks.
    pub(crate) by_memcheck: bool,
    run: fn(&Secret),
}

const IV: [u8; 16] = [0x5c; 16];

impl Plant {
    pub(crate) fn case(&self) -> Case {
        let run = self.run;
        Case {
            name: format!("planted {}", self.function),
            verdicts: 0,
            secrets: Secret::all(16, Some(&IV)),
            run: Box::new(run),
        }
    }

    /// Whether this CPU has the instructions of the leak.
    pub(crate) fn can_run(&self) -> bool {
        self.function != "planted_mask" || is_x86_feature_detected!("avx2")
    }
}

pub(crate) const PLANTS: [Plant; 5] = [
    Plant { function: "planted_lookup", by_memcheck: true, run: lookup },
    Plant { function: "planted_early_exit", by_memcheck: true, run: early_exit },
    Plant { function: "planted_counter_branch", by_memcheck: true, run: counter_branch },
    Plant { function: "planted_division", by_memcheck: false, run: division },
    Plant { function: "planted_mask", by_memcheck: false, run: mask },
];

fn key(secret: &Secret) -> [Region; 1] {
    [(secret.key.as_ptr(), secret.key.len())]
}

/// A table lookup by a secret index.
fn lookup(secret: &Secret) {
    static TABLE: [u8; 256] = [7; 256];
    watched(&key(secret), || _ = planted_lookup(&TABLE, secret.key[0]));
}

#[inline(never)]
#[unsafe(no_mangle)]
fn planted_lookup(table: &[u8; 256], index: u8) -> u8 {
    black_box(table[usize::from(index)])
}

/// A comparison of tags that ends at the first difference.
fn early_exit(secret: &Secret) {
    let mut forged = secret.key.clone();
    secret.forge(&mut forged);
    watched(&key(secret), || _ = planted_early_exit(&secret.key, &forged));
}

#[inline(never)]
#[unsafe(no_mangle)]
fn planted_early_exit(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| black_box(*a) == *b)
}

/// The counter of GCM, where the IV does not have 12 bytes, so that J0 is a hash: a branch on its last
/// byte.
fn counter_branch(secret: &Secret) {
    watched(&key(secret), || _ = planted_counter_branch(&j0(&secret.key, &IV)));
}

#[inline(never)]
#[unsafe(no_mangle)]
fn planted_counter_branch(j0: &[u8; 16]) -> u32 {
    let low = u32::from(j0[15]);
    // Each way has its own opaque code. So the compiler leaves it a branch.
    if low + 36 <= 256 { black_box(low + 32) } else { black_box(low) & 0xff }
}

/// A division by a secret. The more digits the quotient has, the longer it takes.
fn division(secret: &Secret) {
    watched(&key(secret), || _ = planted_division(secret.key[0]));
}

#[inline(never)]
#[unsafe(no_mangle)]
fn planted_division(dividend: u8) -> u64 {
    let quotient;
    // SAFETY: the divisor is not 0, and the quotient fits.
    unsafe {
        asm!("div {}", in(reg) 3_u64, inout("rax") u64::from(dividend) => quotient, inout("rdx") 0_u64 => _);
    }
    quotient
}

/// A store for which a secret says how many bytes it has.
fn mask(secret: &Secret) {
    watched(&key(secret), || planted_mask(secret.key[0]));
}

#[inline(never)]
#[unsafe(no_mangle)]
fn planted_mask(count: u8) {
    let mut room = [0_u64; 4];
    let mask = [u64::from(count).wrapping_neg(); 4];
    // SAFETY: the CPU has AVX2 (`can_run`), and there is room for all four words.
    unsafe {
        asm!(
            "vmovdqu ymm0, [{1}]", "vpmaskmovq [{0}], ymm0, ymm0", "vzeroupper",
            in(reg) room.as_mut_ptr(), in(reg) mask.as_ptr(), out("xmm0") _,
        );
    }
    black_box(room);
}
