// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the entry point adds to the kernel that it calls. A short raw message by `encrypt_atomic`,
//! called as KCF has registered it, is compared with direct calls of the table's functions.

use core::arch::asm;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template};
use kcfaes_ffi_tests::kernel::{self, Slot, fk_kcf_encrypt_slot};
use kcfaes_kernels::entry_aesni::{
    kcfaes_gcm_short_aesni, kcfaes_ghash_init_aesni, kcfaes_key_expand_aesni,
};
use kcfaes_kernels::entry_vaes256::{kcfaes_gcm_short_vaes256, kcfaes_ghash_init_vaes256};
use kcfaes_kernels::entry_vaes512::{kcfaes_gcm_short_vaes512, kcfaes_ghash_init_vaes512};
use kcfaes_kernels::{Block, CounterBlock, Powers, Schedule};
use kcfaes_provider::kcf::crypto_data_t;
use kcfaes_vectors::Mode;

use crate::clock::{Clock, median};
use crate::measure::{Bar, Effort, fast};
use crate::memory::Memory;

const LEN: usize = 64;
const TAG: usize = 16;
const KEY: [u8; 16] = [0x42; 16];
const IV: [u8; 12] = [0x17; 12];
const ABOVE: f64 = 100.0;

/// Messages of one sample. Each waits for the one before.
const CALLS: usize = 100;

pub(crate) fn bars(clock: &Clock, effort: Effort) -> Vec<Bar> {
    let what = format!("GCM-128 encrypt_atomic, template, raw, {LEN} B, above the kernels alone");
    let table = kernel::table_in_use();
    vec![match of(&table) {
        Some((init, short)) => {
            let above = above(clock, effort, Kernels::new(init, short));
            Bar::at_most(what, "cycles", above, ABOVE)
        }
        None => Bar::none(what, format!("table {table} has no kernels")),
    }]
}

type Init = unsafe extern "C" fn(*const Schedule, *mut Powers);
type Short = unsafe extern "C" fn(
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

/// What the provider calls of a table for a short GCM message.
fn of(table: &str) -> Option<(Init, Short)> {
    match table {
        "aesni" => Some((kcfaes_ghash_init_aesni, kcfaes_gcm_short_aesni)),
        "vaes256" => Some((kcfaes_ghash_init_vaes256, kcfaes_gcm_short_vaes256)),
        "vaes512" => Some((kcfaes_ghash_init_vaes512, kcfaes_gcm_short_vaes512)),
        _ => None,
    }
}

fn above(clock: &Clock, effort: Effort, mut kernels: Kernels) -> f64 {
    let mut entry = Entry::new();
    entry.call(0);
    kernels.call(0);
    assert_eq!(entry.output.bytes(), kernels.output.bytes(), "both encrypt the same");
    let mut rounds = Vec::new();
    fast(|| {
        for _ in 0..effort.rounds {
            let differences: Vec<f64> = (0..effort.samples)
                .map(|_| {
                    let entry = clock.measure(|| chain(|zero| entry.call(zero))).cycles;
                    let kernels = clock.measure(|| chain(|zero| kernels.call(zero))).cycles;
                    (entry - kernels) / CALLS as f64
                })
                .collect();
            rounds.push(median(&differences));
        }
    });
    rounds.into_iter().fold(f64::INFINITY, f64::min)
}

/// Calls again and again. Each call gets a zero that is known only when the output of the last call is.
fn chain(mut call: impl FnMut(usize) -> *const u64) {
    let mut zero = 0_usize;
    for _ in 0..CALLS {
        let last = call(zero);
        // SAFETY: the output's last word is read. The rest touches a register and the flags.
        unsafe {
            let mut word = last.read_unaligned();
            asm!("and {word}, 0", word = inout(reg) word, options(nomem, nostack));
            zero = word as usize;
        }
    }
}

/// Through the ops vector.
struct Entry {
    request: Request,
    _template: Template,
    slot: Slot,
    src: crypto_data_t,
    dst: crypto_data_t,
    _input: Memory,
    output: Memory,
    last: *const u64,
}

impl Entry {
    fn new() -> Self {
        let mut request = Request::new(Mode::Gcm, &KEY, &IV, 0, &[], TAG);
        let template = request.template();
        let mut slot = Slot::default();
        let mechanism = (&raw mut request.mechanism).cast();
        // SAFETY: the mechanism and the template live; the slot is written to.
        let rv = unsafe { fk_kcf_encrypt_slot(mechanism, template.0, &mut slot) };
        assert_eq!(rv, 0, "the slot of encrypt_atomic");
        request.mechanism.cm_type = slot.mech_type;
        let mut input = Memory::raw(&[0x5a; LEN]);
        let mut output = Memory::room(Format::Raw, &[LEN + TAG]);
        let last = output.address(LEN + TAG - 8).cast_const().cast();
        let (src, dst) = (input.data(0, LEN), output.data(0, LEN + TAG));
        Self { request, _template: template, slot, src, dst, _input: input, output, last }
    }

    fn call(&mut self, zero: usize) -> *const u64 {
        let Request { mechanism, key, .. } = &mut self.request;
        let call = self.slot.call.expect("a slot");
        let none = core::ptr::null_mut();
        let src = (&raw mut self.src).cast::<u8>().wrapping_add(zero).cast();
        // SAFETY: everything lives. The framework's template keeps the provider's.
        let rv = unsafe {
            call(
                self.slot.provider,
                0,
                core::ptr::from_mut(mechanism).cast(),
                core::ptr::from_mut(key).cast(),
                src,
                (&raw mut self.dst).cast(),
                self.slot.tmpl,
                none,
            )
        };
        assert_eq!(rv, 0);
        self.last
    }
}

/// The same by the kernels.
struct Kernels {
    schedule: Schedule,
    powers: Powers,
    short: Short,
    input: Memory,
    output: Memory,
}

impl Kernels {
    fn new(init: Init, short: Short) -> Self {
        let (mut schedule, mut powers) = (Schedule::default(), Powers::default());
        // SAFETY: the module uses this table, so the CPU has it; the key has 16 bytes.
        unsafe {
            kcfaes_key_expand_aesni(&mut schedule, KEY.as_ptr(), KEY.len());
            init(&schedule, &mut powers);
        }
        let (input, output) = (Memory::raw(&[0x5a; LEN]), Memory::room(Format::Raw, &[LEN + TAG]));
        Self { schedule, powers, short, input, output }
    }

    fn call(&mut self, zero: usize) -> *const u64 {
        let mut j0 = CounterBlock::default();
        j0.block.0[..12].copy_from_slice(&IV);
        j0.block.0[15] = 1;
        let mut hash = Block([0; 16]);
        let src = self.input.address(0).cast::<u8>().wrapping_add(zero);
        let dst = self.output.address(0).cast::<u8>();
        // SAFETY: as above; the buffers have their lengths.
        unsafe {
            (self.short)(&self.schedule, &self.powers, &j0, &mut hash, 0, src, dst, LEN, true);
            dst.add(LEN).cast::<[u8; TAG]>().write(hash.0);
            dst.add(LEN + TAG - 8).cast_const().cast()
        }
    }
}
