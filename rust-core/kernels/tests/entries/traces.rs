// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an entry point leaves: in the registers that belong to its caller, in the vector registers that
//! belong to whoever had the FPU before, and on the dead stack, where nothing secret may stay.

use core::arch::global_asm;
use core::mem::offset_of;

use kcfaes_kernels::BlockMode::{
    self, CbcDecrypt, CbcEncrypt, CbcMac, CcmDecrypt, CcmEncrypt, Ctr, EcbDecrypt, EcbEncrypt,
};
use kcfaes_kernels::{
    Block, CHAINS, ChainKeys, Chains, CounterBlock, MAX_ROUNDS, Piece, Powers, Schedule, Tag,
};

use crate::reference::Bytes;
use crate::table::{Table, tables};

/// Bytes of dead stack that are searched.
const BELOW: usize = 4096;
const MARK: u64 = 0xc7c7_c7c7_c7c7_c7c7;

/// A call of an entry point, and the machine before and after it.
#[repr(C, align(64))]
struct Call {
    before: [[u8; 64]; 32],
    after: [[u8; 64]; 32],
    /// From the bottom up to the word below the return address.
    stack: [u64; BELOW / 8 - 1],
    /// The stack pointer at the call.
    rsp: u64,
    entry: *const (),
    arguments: [u64; 10],
    /// rbx, rbp, r12, r13, r14, r15.
    kept: [u64; 6],
    flags: u64,
    mxcsr: u32,
    /// The widest vector registers of this CPU: 0 xmm, 1 ymm, 2 zmm.
    wide: u32,
}

/// The values at the call of the registers that a callee must keep.
const KEPT: [u64; 6] = [
    0xb0b0_1111_b0b0_1111,
    0xb0b0_2222_b0b0_2222,
    0xb0b0_3333_b0b0_3333,
    0xb0b0_4444_b0b0_4444,
    0xb0b0_5555_b0b0_5555,
    0xb0b0_6666_b0b0_6666,
];

/// Denormals are zero, results are rounded up, all exceptions masked.
const MXCSR: u32 = 0x1f80 | 0x8040 | 0x4000;

const DIRECTION: u64 = 1 << 10;

global_asm!(
    "kcfaes_test_call:",
    "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15", "push rdi",
    "sub rsp, 16",
    "stmxcsr [rsp]",
    "mov rbx, rdi",
    "push qword ptr [rbx + {arguments} + 72]",
    "push qword ptr [rbx + {arguments} + 64]",
    "push qword ptr [rbx + {arguments} + 56]",
    "push qword ptr [rbx + {arguments} + 48]",
    "mov [rbx + {rsp}], rsp",
    "lea rdi, [rsp - {below}]",
    "mov ecx, {below} / 8",
    "mov rax, {mark}",
    "rep stosq",
    "mov ecx, [rbx + {wide}]",
    "cmp ecx, 1",
    "ja 2f",
    "je 1f",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movdqu xmm\\n, [rbx + {before} + 64 * \\n]",
    ".endr",
    "jmp 3f",
    "1:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovdqu ymm\\n, [rbx + {before} + 64 * \\n]",
    ".endr",
    "jmp 3f",
    "2:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovdqu64 zmm\\n, [rbx + {before} + 64 * \\n]",
    ".endr",
    "3:",
    "ldmxcsr [rbx + {mxcsr}]",
    "mov rax, [rbx + {entry}]",
    "mov rdi, [rbx + {arguments}]",
    "mov rsi, [rbx + {arguments} + 8]",
    "mov rdx, [rbx + {arguments} + 16]",
    "mov rcx, [rbx + {arguments} + 24]",
    "mov r8, [rbx + {arguments} + 32]",
    "mov r9, [rbx + {arguments} + 40]",
    "mov rbp, [rbx + {kept} + 8]",
    "mov r12, [rbx + {kept} + 16]",
    "mov r13, [rbx + {kept} + 24]",
    "mov r14, [rbx + {kept} + 32]",
    "mov r15, [rbx + {kept} + 40]",
    "mov rbx, [rbx + {kept}]",
    "call rax",
    // Instead of the return address.
    "pushfq",
    "mov rax, [rsp + 56]",
    "mov [rax + {kept}], rbx",
    "mov [rax + {kept} + 8], rbp",
    "mov [rax + {kept} + 16], r12",
    "mov [rax + {kept} + 24], r13",
    "mov [rax + {kept} + 32], r14",
    "mov [rax + {kept} + 40], r15",
    "mov rbx, rax",
    "mov ecx, [rbx + {wide}]",
    "cmp ecx, 1",
    "ja 2f",
    "je 1f",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movdqu [rbx + {after} + 64 * \\n], xmm\\n",
    ".endr",
    "jmp 3f",
    "1:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovdqu [rbx + {after} + 64 * \\n], ymm\\n",
    ".endr",
    "jmp 3f",
    "2:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovdqu64 [rbx + {after} + 64 * \\n], zmm\\n",
    ".endr",
    "3:",
    "stmxcsr [rbx + {mxcsr}]",
    "pop qword ptr [rbx + {flags}]",
    "cld",
    "lea rsi, [rsp - {below}]",
    "lea rdi, [rbx + {stack}]",
    "mov ecx, {below} / 8 - 1",
    "rep movsq",
    "add rsp, 32",
    "ldmxcsr [rsp]",
    "add rsp, 16",
    "pop rdi", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx",
    // The caller may use the registers, but their upper parts must be clear.
    "mov ecx, [rdi + {wide}]",
    "test ecx, ecx",
    "jz 1f",
    "vzeroupper",
    "1:",
    "ret",
    below = const BELOW,
    mark = const MARK as i64,
    before = const offset_of!(Call, before),
    after = const offset_of!(Call, after),
    stack = const offset_of!(Call, stack),
    rsp = const offset_of!(Call, rsp),
    entry = const offset_of!(Call, entry),
    arguments = const offset_of!(Call, arguments),
    kept = const offset_of!(Call, kept),
    flags = const offset_of!(Call, flags),
    mxcsr = const offset_of!(Call, mxcsr),
    wide = const offset_of!(Call, wide),
);

unsafe extern "C" {
    fn kcfaes_test_call(call: *mut Call);
}

impl Call {
    fn new() -> Box<Self> {
        let mut bytes = Bytes(60);
        let wide = match () {
            () if is_x86_feature_detected!("avx512f") => 2,
            () if is_x86_feature_detected!("avx") => 1,
            () => 0,
        };
        Box::new(Self {
            before: core::array::from_fn(|_| bytes.take(64).try_into().expect("64 bytes")),
            after: [[0; 64]; 32],
            stack: [0; BELOW / 8 - 1],
            rsp: 0,
            entry: core::ptr::null(),
            arguments: [0; 10],
            kept: KEPT,
            flags: 0,
            mxcsr: MXCSR,
            wide,
        })
    }

    /// Calls `entry`, and checks the registers that it must keep.
    fn perform(&mut self, what: &str, entry: *const (), arguments: &[u64]) {
        (self.entry, self.kept, self.mxcsr) = (entry, KEPT, MXCSR);
        self.arguments[..arguments.len()].copy_from_slice(arguments);
        unsafe { kcfaes_test_call(self) };
        assert_eq!(self.kept, KEPT, "{what}: rbx, rbp, r12 to r15");
        assert_eq!(self.mxcsr, MXCSR, "{what}: MXCSR");
        assert_eq!(self.flags & DIRECTION, 0, "{what}: the direction flag");
    }

    /// Bytes in a vector register of this CPU.
    fn width(&self) -> usize {
        16 << self.wide
    }

    /// Number of vector registers of this CPU.
    fn registers(&self) -> usize {
        if self.wide == 2 { 32 } else { 16 }
    }
}

/// Arguments for all of a table's entry points. None of their values looks like an address or a length.
struct Material {
    key: [u8; 32],
    schedule: Schedule,
    powers: Powers,
    /// What the entry points write. Each call starts with fresh values.
    state: State,
    text: Vec<u8>,
    out: Vec<u8>,
    /// The text in pieces.
    pieces: [Piece; 3],
    /// For a tag after the text.
    tag: Tag<'static>,
    chains: Chains,
    keys: Box<ChainKeys>,
}

#[derive(Clone, Copy)]
struct State {
    schedule: [u64; 64],
    powers: [u64; 160],
    ctr: Block,
    y: Block,
    counter: CounterBlock,
}

const LONGEST: usize = 3000;

/// A counter is public and may be spilled. This one's words are small numbers.
static CTR: Block = Block(0xf6_u128.to_be_bytes());

/// GCM's counter may be a hash. Then nothing of it may stay.
static J0: Block = Block(0x9c4e_1f83_b5d2_706a_e897_3b1c_54af_c2f6_u128.to_be_bytes());

impl Material {
    fn new(table: &Table) -> Box<Self> {
        let mut bytes = Bytes(61);
        let key: [u8; 32] = bytes.take(32).try_into().expect("32 bytes");
        let schedule = table.schedule(&key);
        let powers = table.powers(&schedule);
        assert!(size_of::<Schedule>() <= 512 && size_of::<Powers>() <= 1280);
        let text = bytes.take(LONGEST);
        let state = State {
            schedule: [0; 64],
            powers: [0; 160],
            ctr: CTR,
            y: bytes.block(),
            counter: CounterBlock { block: J0, secret: true },
        };
        let mut out = vec![0; LONGEST];
        let chains = Chains {
            iv: core::array::from_fn(|_| bytes.block()),
            src: [text.as_ptr(); CHAINS],
            // One place for all outputs: their values do not matter here.
            dst: [out.as_mut_ptr(); CHAINS],
            line: core::mem::MaybeUninit::zeroed(),
        };
        let keys = core::array::from_fn(|_| core::array::from_fn(|_| bytes.block()));
        let keys: Box<[[Block; CHAINS]; MAX_ROUNDS + 1]> = Box::new(keys);
        let pieces = [Piece { src: text.as_ptr(), dst: out.as_mut_ptr(), len: 0 }; 3];
        let tag = Tag { j0: &J0, aad_len: 20, text_len: 0 };
        Box::new(Self { key, schedule, powers, state, text, out, pieces, tag, chains, keys })
    }

    /// Each entry point with arguments for a text of `len` bytes.
    fn calls(&mut self, table: &Table, len: usize) -> Vec<(&'static str, *const (), Vec<u64>)> {
        // Two members of the state are larger than their content, so that it can be aligned.
        let aligned = |at: *mut u64| (at as u64).next_multiple_of(64);
        let (s, p) = (&raw const self.schedule as u64, &raw const self.powers as u64);
        let made = aligned(self.state.schedule.as_mut_ptr());
        let powers = aligned(self.state.powers.as_mut_ptr());
        let (ctr, y) = (&raw mut self.state.ctr as u64, &raw mut self.state.y as u64);
        let j0 = &raw mut self.state.counter as u64;
        let (src, dst) = (self.text.as_ptr() as u64, self.out.as_mut_ptr() as u64);
        let (chains, keys) = (&raw mut self.chains as u64, &raw const *self.keys as u64);
        // Two cuts, each of which may be within a block.
        for (i, piece) in self.pieces.iter_mut().enumerate() {
            let (from, to) = (len * i / 3, len * (i + 1) / 3);
            *piece = Piece {
                src: self.text[from..].as_ptr(),
                dst: self.out[from..].as_mut_ptr(),
                len: to - from,
            };
        }
        let text = self.pieces.as_ptr() as u64;
        self.tag.text_len = len as u64;
        let tag = &raw const self.tag as u64;
        let (blocks, len) = ((len / 16) as u64, len as u64);
        let mut calls = vec![
            ("ecb_encrypt", table.ecb_encrypt as *const (), vec![s, src, dst, blocks]),
            ("ecb_decrypt", table.ecb_decrypt as *const (), vec![s, src, dst, blocks]),
            ("cbc_encrypt", table.cbc_encrypt as *const (), vec![s, ctr, src, dst, blocks]),
            (
                "cbc_encrypt_batch",
                table.cbc_encrypt_batch as *const (),
                vec![s, if blocks % 2 == 0 { 0 } else { keys }, chains, blocks],
            ),
            ("cbc_decrypt", table.cbc_decrypt as *const (), vec![s, ctr, src, dst, blocks]),
            ("ctr32", table.ctr32 as *const (), vec![s, ctr, src, dst, len]),
            ("ghash", table.ghash as *const (), vec![p, y, src, len]),
        ];
        for mode in BLOCK_MODES {
            let serial = matches!(mode, CbcEncrypt | CcmEncrypt | CcmDecrypt | CbcMac);
            if !serial || table.lanes == 1 {
                let ragged = matches!(mode, Ctr | CcmEncrypt | CcmDecrypt | CbcMac);
                let len = if ragged { len } else { len & !15 };
                let arguments = vec![mode as u64, s, ctr, y, text, len];
                calls.push(("pieces", table.pieces as *const (), arguments));
            }
        }
        for (name, part) in [("gcm_encrypt", table.gcm_encrypt), ("gcm_decrypt", table.gcm_decrypt)]
        {
            calls.push((name, part as *const (), vec![s, p, j0, y, text, len, len & 1, 0]));
            calls.push((name, part as *const (), vec![s, p, j0, y, text, len, 1, tag]));
            if len as usize <= table.short {
                let encrypt = u64::from(name == "gcm_encrypt");
                let arguments = vec![s, p, j0, y, 20, src, dst, len, encrypt];
                calls.push(("gcm_short", table.gcm_short as *const (), arguments));
            }
        }
        if len % 64 == 0 {
            let (key, key_len) = (self.key.as_ptr() as u64, 16 + len / 64 % 3 * 8);
            calls.push(("key_expand", table.key_expand as *const (), vec![made, key, key_len]));
            calls.push(("ghash_init", table.ghash_init as *const (), vec![s, powers]));
        }
        calls
    }
}

const BLOCK_MODES: [BlockMode; 8] =
    [EcbEncrypt, EcbDecrypt, CbcEncrypt, CbcDecrypt, Ctr, CcmEncrypt, CcmDecrypt, CbcMac];

fn each_call(mut f: impl FnMut(&Table, &str, &Call)) {
    let mut call = Call::new();
    for table in tables() {
        let mut material = Material::new(table);
        let fresh = material.state;
        for len in (0..=900).chain([1024, 1420, 1536, 2049, 2999]) {
            for (name, entry, arguments) in material.calls(table, len) {
                let what = format!("{} {name}, {len} bytes", table.name);
                material.state = fresh;
                call.perform(&what, entry, &arguments);
                f(table, &what, &call);
            }
        }
    }
}

/// Table `aesni` runs on borrowed registers, of which only the lower 16 bytes are saved. `vaes256` wipes
/// only ymm0 to ymm15.
#[test]
fn registers_that_are_somebody_elses() {
    each_call(|table, what, call| {
        let keeps = |register: usize| match table.lanes {
            1 if register < 16 => 16..call.width(),
            2 if register < 16 => 0..0,
            4 => 0..0,
            _ => 0..call.width(),
        };
        for register in 0..call.registers() {
            let kept = keeps(register);
            let (before, after) = (&call.before[register], &call.after[register]);
            assert_eq!(before[kept.clone()], after[kept], "{what}: register {register}");
        }
    });
}

/// After wiping, no register of the table holds anything.
#[test]
fn wipe_clears_registers() {
    let mut call = Call::new();
    for table in tables() {
        call.perform(table.name, table.wipe as *const (), &[]);
        for register in 0..call.registers() {
            let (before, after) = (&call.before[register], &call.after[register]);
            let wiped = match table.lanes {
                1 if register < 16 => 16,
                2 if register < 16 => call.width(),
                4 => call.width(),
                _ => 0,
            };
            assert_eq!(after[..wiped], [0; 64][..wiped], "{}: {register}", table.name);
            assert_eq!(after[wiped..call.width()], before[wiped..call.width()], "{}", table.name);
        }
    }
}

/// The dead stack holds only addresses, lengths and public constants.
#[test]
fn nothing_is_left_on_the_stack() {
    /// The constants of the kernels: the order of a byte reversal, the polynomial.
    const PUBLIC: [u64; 3] = [0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0xc2 << 56];
    each_call(|_, what, call| {
        let near = |word: u64, place: u64| word.abs_diff(place) < 1 << 16;
        let harmless = |&word: &u64| {
            word == MARK
                || word.min(word.swap_bytes()) < 1 << 20
                || KEPT.contains(&word)
                || PUBLIC.contains(&word)
                || near(word, call.rsp)
                || word.abs_diff(call.entry as u64) < 1 << 22
                || call.arguments.iter().any(|&argument| argument > 1 << 20 && near(word, argument))
        };
        let left: Vec<(usize, &u64)> =
            call.stack.iter().enumerate().filter(|(_, word)| !harmless(word)).collect();
        let depth = |&(at, _): &(usize, &u64)| BELOW - 8 * at;
        let depths: Vec<usize> = left.iter().map(depth).collect();
        assert!(left.is_empty(), "{what}: {left:x?} left, {depths:?} bytes below the caller");
    });
}

/// The control: a planted value is found.
#[test]
fn planted_traces_are_seen() {
    let seen = |entry: *const ()| {
        std::panic::catch_unwind(|| Call::new().perform("planted", entry, &[])).is_err()
    };
    assert!(seen(kcfaes_test_direction as *const ()));
    assert!(seen(kcfaes_test_rounding as *const ()));
    assert!(seen(kcfaes_test_register as *const ()));
    let mut call = Call::new();
    call.perform("planted", kcfaes_test_spill as *const (), &[]);
    assert!(call.stack.contains(&0x5ec3_e75e_c3e7_5ec3));
    assert_ne!(call.before[7], call.after[7]);
    assert_eq!(call.before[8][..call.width()], call.after[8][..call.width()]);
}

global_asm!(
    "kcfaes_test_direction: push rax; std; pop rax; ret",
    "kcfaes_test_rounding: push 0x1f80; ldmxcsr [rsp]; pop rax; ret",
    "kcfaes_test_register: push rax; xor r13d, r13d; pop rax; ret",
    "kcfaes_test_spill: mov rax, 0x5ec3e75ec3e75ec3; movq xmm7, rax",
    "push rax; movdqu [rsp - 1000], xmm7; pop rax; ret",
);

unsafe extern "C" {
    fn kcfaes_test_direction();
    fn kcfaes_test_rounding();
    fn kcfaes_test_register();
    fn kcfaes_test_spill();
}
