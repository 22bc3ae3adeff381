// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a light FPU hold costs beside the kernel's own, and up to which length of a message it pays:
//! `cargo bench -p kcfaes-ffi-tests --bench light`.
//!
//! A light hold is timed by calling the module's own C, with the userland KCF's `curthread` and CR0, which are
//! functions of a hundred instructions in all; and its moves are timed alone. `kernel_fpu_begin` is represented by the instructions that take its time: XSAVEOPT of the thread's registers and XRSTOR of fresh
//! ones, and XRSTOR of the thread's on its return to userland; of a kernel thread only the second. Its
//! bookkeeping is left out, and so are writes of CR0. For a thread with user state neither kind of hold makes
//! any, and for a kernel thread both make two.

use core::arch::x86_64::{_mm_lfence, _rdtsc};
use core::arch::{asm, global_asm};
use core::ffi::c_int;
use core::hint::black_box;
use core::mem::MaybeUninit;

use kcfaes_ffi_tests::kernel;
use kcfaes_kernels::{
    Block, CounterBlock, Piece, Powers, Schedule, Tag, entry_aesni as aesni,
    entry_vaes256 as vaes256, entry_vaes512 as vaes512,
};
use kcfaes_provider::engine::TableId;
use kcfaes_provider::env::kcfaes_hold;

unsafe extern "C" {
    fn kcfaes_env_hold(hold: *mut kcfaes_hold, light: c_int);
    fn kcfaes_env_release(hold: *mut kcfaes_hold);
    fn fk_vector_fill(pattern: u64);
}

// The moves of `kcfaes_xmm_save` and `kcfaes_xmm_restore`.
global_asm!(
    "light_moves:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movdqu [rdi + 16 * \\n], xmm\\n",
    ".endr",
    "pxor xmm15, xmm15",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14",
    "movdqu xmm\\n, [rdi + 16 * \\n]",
    "movdqu [rdi + 16 * \\n], xmm15",
    ".endr",
    "movdqu xmm15, [rdi + 240]",
    "mov qword ptr [rdi + 240], 0",
    "mov qword ptr [rdi + 248], 0",
    "ret",
);

unsafe extern "C" {
    fn light_moves(xmm: *mut [[u8; 16]; 16]);
}

/// Rounds of each measurement, interleaved; the median counts.
const ROUNDS: usize = 2001;

/// Additions of the chain that tells what a tick of the TSC is worth in core cycles.
const CHAIN: u32 = 4096;

/// The components that illumos saves: x87, SSE, AVX, AVX-512, PKRU (`XFEATURE_FP_ALL`).
const ALL: u32 = 0x2e7;
/// The components that it makes fresh (`fpinit`).
const FRESH: u32 = 0x7;

/// An area of XSAVE in the standard form, which has less than 3 KiB for these components.
#[repr(C, align(64))]
struct Area([u8; 4096]);

impl Area {
    /// All components initial.
    fn fresh() -> Box<Self> {
        let mut area = Box::new(Self([0; 4096]));
        // FCW and MXCSR.
        area.0[..2].copy_from_slice(&0x37fu16.to_le_bytes());
        area.0[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
        area.0[512] = 3;
        area
    }

    #[inline(always)]
    fn save(&mut self, mask: u32) {
        // SAFETY: an aligned area of enough bytes; the CPU has the instruction if it has AVX-512 or VAES.
        unsafe {
            asm!("xsaveopt64 [{}]", in(reg) self, in("eax") mask, in("edx") 0, options(nostack))
        }
    }

    #[inline(always)]
    fn restore(&self, mask: u32) {
        // SAFETY: an area that `save` or `fresh` wrote; every vector register is declared.
        unsafe {
            asm!("xrstor64 [{}]", in(reg) self, in("eax") mask, in("edx") 0, options(nostack),
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _);
        }
    }
}

/// What the user's code has in the registers.
#[derive(Clone, Copy, PartialEq)]
enum User {
    /// All of them, upper halves too.
    Wide,
    /// xmm registers only: the code ends with VZEROUPPER, as compilers have it.
    Narrow,
    /// Nothing: a kernel thread.
    Nothing,
}

const USERS: [(&str, User); 3] =
    [("all registers", User::Wide), ("xmm registers", User::Narrow), ("none", User::Nothing)];

impl User {
    #[inline(always)]
    fn runs(self) {
        // SAFETY: nothing live is in a vector register; the instruction is AVX's.
        unsafe {
            fk_vector_fill(black_box(0x1122_3344_5566_7788));
            if self != Self::Wide {
                // Of zmm16-31 nothing is left either.
                Area::restore(black_box(&FRESH_AREA), ALL);
            }
            if self == Self::Narrow {
                asm!("pcmpeqd xmm0, xmm0", "movdqa xmm7, xmm0", out("xmm0") _, out("xmm7") _);
            }
        }
    }
}

static FRESH_AREA: Area = {
    let mut bytes = [0; 4096];
    (bytes[0], bytes[1], bytes[24], bytes[25]) = (0x7f, 3, 0x80, 0x1f);
    bytes[512] = 3;
    Area(bytes)
};

fn ticks() -> u64 {
    // SAFETY: in every x86-64.
    unsafe {
        _mm_lfence();
        let now = _rdtsc();
        _mm_lfence();
        now
    }
}

/// Ticks of [`CHAIN`] dependent additions, of which each takes a core cycle.
fn chain() -> u64 {
    let begin = ticks();
    // SAFETY: touches only its operands and the flags.
    unsafe {
        asm!("2:", ".rept 64", "add {x}, {y}", ".endr", "sub {n:e}, 1", "jnz 2b",
            x = inout(reg) 1u64 => _, y = in(reg) 3u64, n = inout(reg) CHAIN / 64 => _,
            options(nomem, nostack));
    }
    ticks() - begin
}

/// The median time of each of these pieces of work, in core cycles, after the user's code has run. What no work
/// takes is subtracted.
fn medians<const N: usize>(user: User, mut work: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut nothing = || _ = black_box(0);
    let mut samples: [Vec<f64>; N] = core::array::from_fn(|_| Vec::new());
    let mut empty = Vec::new();
    for _ in 0..ROUNDS {
        let time = |work: &mut dyn FnMut(), samples: &mut Vec<f64>| {
            user.runs();
            let begin = ticks();
            work();
            let spent = ticks() - begin;
            samples.push(spent as f64 * f64::from(CHAIN) / chain() as f64);
        };
        time(&mut nothing, &mut empty);
        work.iter_mut().zip(&mut samples).for_each(|(work, samples)| time(work, samples));
    }
    let median = |samples: &mut Vec<f64>| {
        samples.sort_by(f64::total_cmp);
        samples[ROUNDS / 2]
    };
    let empty = median(&mut empty);
    samples.map(|mut samples| median(&mut samples) - empty)
}

#[inline(always)]
fn in_light_hold(hold: &mut MaybeUninit<kcfaes_hold>, f: impl FnOnce()) {
    // SAFETY: begun and ended by the rules; `f` runs code of `aesni` only.
    unsafe {
        kcfaes_env_hold(hold.as_mut_ptr(), 1);
        f();
        aesni::kcfaes_wipe_aesni();
        kcfaes_env_release(hold.as_mut_ptr());
    }
}

fn in_kernel_hold(user: User, own: &mut Area, wide: TableId, f: impl FnOnce()) {
    if user != User::Nothing {
        own.save(ALL);
    }
    FRESH_AREA.restore(FRESH);
    f();
    // SAFETY: the CPU has the table.
    unsafe {
        match wide {
            TableId::Vaes512 => vaes512::kcfaes_wipe_vaes512(),
            _ => vaes256::kcfaes_wipe_vaes256(),
        }
    }
    if user != User::Nothing {
        own.restore(ALL);
    }
}

fn holds() {
    println!("hold and release, core cycles:");
    for (name, user) in USERS {
        let (mut hold, mut own) = (MaybeUninit::uninit(), Area::fresh());
        let mut light = || {
            // SAFETY: begun and ended by the rules.
            unsafe {
                kcfaes_env_hold(hold.as_mut_ptr(), 1);
                kcfaes_env_release(hold.as_mut_ptr());
            }
        };
        let (mut other, mut xmm) = (Area::fresh(), [[0; 16]; 16]);
        // SAFETY: room for 16 registers.
        let mut moves = || unsafe { light_moves(&mut xmm) };
        let mut begin = || {
            other.save(ALL);
            FRESH_AREA.restore(FRESH);
        };
        let mut fresh = || FRESH_AREA.restore(FRESH);
        let mut all = || {
            own.save(ALL);
            FRESH_AREA.restore(FRESH);
            own.restore(ALL);
        };
        let work: [&mut dyn FnMut(); 5] =
            [&mut moves, &mut light, &mut fresh, &mut begin, &mut all];
        let [moves, light, fresh, begin, all] = medians(user, work);
        println!(
            "  user state: {name}: moves {moves:.0}, light {light:.0}; xrstor of fresh {fresh:.0}, xsaveopt + \
             that {begin:.0}, + xrstor of the thread's {all:.0}; moves / all {:.2}, light / all {:.2}",
            moves / all,
            light / all
        );
    }
}

/// Lengths of a message.
const LENGTHS: [usize; 14] =
    [16, 64, 128, 256, 384, 512, 640, 768, 1024, 1280, 1424, 2048, 4096, 8192];

/// A key, a message, and what its kernels advance.
struct Message {
    schedule: Box<Schedule>,
    powers: Box<Powers>,
    text: Vec<u8>,
    out: Vec<u8>,
    j0: CounterBlock,
    y: Block,
}

impl Message {
    fn new(wide: TableId) -> Self {
        let (mut schedule, mut powers) = (Box::<Schedule>::default(), Box::<Powers>::default());
        // SAFETY: 16 bytes of key; the CPU has the tables.
        unsafe {
            aesni::kcfaes_key_expand_aesni(&mut *schedule, [3; 16].as_ptr(), 16);
            match wide {
                TableId::Vaes512 => vaes512::kcfaes_ghash_init_vaes512(&*schedule, &mut *powers),
                _ => vaes256::kcfaes_ghash_init_vaes256(&*schedule, &mut *powers),
            }
        }
        let j0 = CounterBlock { block: Block([5; 16]), secret: false };
        Self { schedule, powers, text: vec![7; 8192], out: vec![0; 8192], j0, y: Block([0; 16]) }
    }

    #[inline(always)]
    fn ecb(&mut self, table: TableId, len: usize) {
        let (s, src, dst) = (&raw const *self.schedule, self.text.as_ptr(), self.out.as_mut_ptr());
        // SAFETY: `len` bytes on both sides; the CPU has the table.
        unsafe {
            match table {
                TableId::Vaes512 => vaes512::kcfaes_ecb_encrypt_vaes512(s, src, dst, len / 16),
                TableId::Vaes256 => vaes256::kcfaes_ecb_encrypt_vaes256(s, src, dst, len / 16),
                _ => aesni::kcfaes_ecb_encrypt_aesni(s, src, dst, len / 16),
            }
        }
    }

    #[inline(always)]
    fn gcm(&mut self, table: TableId, len: usize) {
        let (s, p) = (&raw const *self.schedule, &raw const *self.powers);
        let (src, dst) = (self.text.as_ptr(), self.out.as_mut_ptr());
        let (j0, y) = (&raw const self.j0, &raw mut self.y);
        let tag = Tag { j0: &self.j0.block, aad_len: 0, text_len: len as u64 };
        let text = Piece { src, dst, len };
        let (piece, ctr) = (&raw const text, j0.cast_mut());
        // SAFETY: as above; with a tag nothing is written to the counter.
        unsafe {
            match table {
                TableId::Vaes512 if len <= vaes512::SHORT_TEXT => {
                    vaes512::kcfaes_gcm_short_vaes512(s, p, j0, y, 0, src, dst, len, true);
                }
                TableId::Vaes512 => {
                    vaes512::kcfaes_gcm_encrypt_vaes512(s, p, ctr, y, piece, len, true, &tag);
                }
                TableId::Vaes256 if len <= vaes256::SHORT_TEXT => {
                    vaes256::kcfaes_gcm_short_vaes256(s, p, j0, y, 0, src, dst, len, true);
                }
                TableId::Vaes256 => {
                    vaes256::kcfaes_gcm_encrypt_vaes256(s, p, ctr, y, piece, len, true, &tag);
                }
                _ if len <= aesni::SHORT_TEXT => {
                    aesni::kcfaes_gcm_short_aesni(s, p, j0, y, 0, src, dst, len, true);
                }
                _ => aesni::kcfaes_gcm_encrypt_aesni(s, p, ctr, y, piece, len, true, &tag),
            }
        }
    }
}

fn crossings(wide: TableId) {
    for (name, user) in USERS {
        println!(
            "core cycles of a message: aesni in a light hold, {} in the kernel's; user state: {name}:",
            wide.name()
        );
        println!(
            "{:>8} {:>8} {:>8} {:>6}   {:>8} {:>8} {:>6}",
            "bytes", "ECB", "", "", "GCM", "", ""
        );
        for len in LENGTHS {
            let [mut a, mut b, mut c, mut d] = core::array::from_fn(|_| Message::new(wide));
            let mut room = [MaybeUninit::uninit(), MaybeUninit::uninit()];
            let [hold, hold2] = &mut room;
            let (mut own, mut own2) = (Area::fresh(), Area::fresh());
            let [light, kernel, light_gcm, kernel_gcm] = medians(
                user,
                [
                    &mut || in_light_hold(hold, || a.ecb(TableId::Aesni, len)),
                    &mut || in_kernel_hold(user, &mut own, wide, || b.ecb(wide, len)),
                    &mut || in_light_hold(hold2, || c.gcm(TableId::Aesni, len)),
                    &mut || in_kernel_hold(user, &mut own2, wide, || d.gcm(wide, len)),
                ],
            );
            println!(
                "{len:>8} {light:>8.0} {kernel:>8.0} {:>6.2}   {light_gcm:>8.0} {kernel_gcm:>8.0} {:>6.2}",
                light / kernel,
                light_gcm / kernel_gcm
            );
        }
    }
}

fn main() {
    kernel::load();
    holds();
    for wide in [TableId::Vaes256, TableId::Vaes512] {
        if kernel::tables().contains(&wide) {
            crossings(wide);
        } else {
            println!("NOT RUN: this CPU lacks table {}", wide.name());
        }
    }
}
