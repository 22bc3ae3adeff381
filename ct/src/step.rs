// SPDX-License-Identifier: MIT OR Apache-2.0
//! The trace of a call: the address of each instruction, and of each place in memory that it names. A
//! mask and the operands of a division are in the trace too.
//!
//! A child of this process runs the call, one instruction at a time. Every child begins as a copy of
//! the same process, so all of them have the same addresses.

use core::panic::AssertUnwindSafe;
use std::collections::HashMap;

use iced_x86::{
    Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register,
    UsedMemory,
};

use crate::Result;
use crate::secret::Secret;

/// What a stepped instruction does, decoded once.
struct Decoded {
    memory: Vec<UsedMemory>,
    /// The register that says which bytes of the memory it touches.
    mask: Option<Register>,
    divides: bool,
    ends: bool,
    /// It takes addresses from vector registers. These are not followed.
    gathers: bool,
}

#[derive(Default)]
pub(crate) struct Trace {
    /// Addresses of instructions.
    steps: Vec<u64>,
    /// For each step, where its words of `data` begin.
    begins: Vec<usize>,
    data: Vec<u64>,
}

/// Where two traces differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// This instruction is followed by another one.
    Branch(u64),
    /// This instruction touches other memory, or divides something else.
    Operand(u64),
}

impl Trace {
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    fn words(&self, i: usize) -> &[u64] {
        let end = self.begins.get(i + 1).copied().unwrap_or(self.data.len());
        &self.data[self.begins[i]..end]
    }

    /// All differences up to the first branch that goes two ways.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for i in 0..self.steps.len().max(other.steps.len()) {
            if self.steps.get(i) != other.steps.get(i) {
                found.push(Difference::Branch(i.checked_sub(1).map_or(0, |i| self.steps[i])));
                break;
            }
            if self.words(i) != other.words(i) {
                found.push(Difference::Operand(self.steps[i]));
            }
        }
        found
    }
}

pub(crate) struct Stepper {
    code: HashMap<u64, Decoded>,
    factory: InstructionInfoFactory,
    /// Where the upper halves of ymm registers and the masks are in the state that XSAVE saves.
    ymm: usize,
    masks: usize,
}

impl Stepper {
    pub(crate) fn new() -> Self {
        // A child must not move to another CPU, because KCF counts by CPU. Steps are also quicker so.
        // SAFETY: a zeroed set is an empty one.
        unsafe {
            let mut set: libc::cpu_set_t = core::mem::zeroed();
            libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &set);
        }
        let place = |component| core::arch::x86_64::__cpuid_count(0xd, component).ebx as usize;
        Self {
            code: HashMap::new(),
            factory: InstructionInfoFactory::new(),
            ymm: place(2),
            masks: place(5),
        }
    }

    /// Whether a call has run the instruction at this address.
    pub(crate) fn stepped(&self, at: u64) -> bool {
        self.code.contains_key(&at)
    }

    /// The traces of what `run` does with each secret, between two INT3.
    pub(crate) fn traces(
        &mut self,
        secrets: &[Secret],
        run: &dyn Fn(&Secret),
    ) -> Result<Vec<Trace>> {
        let mut children = Vec::with_capacity(secrets.len());
        // All children begin before the first one is stepped. So nothing here is allocated between two
        // of them.
        for secret in secrets {
            // SAFETY: this process has one thread.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // The copy of the secret is at the same place in every child.
                let call = || run(&secret.clone());
                // SAFETY: the child runs the call and exits.
                unsafe {
                    libc::ptrace(libc::PTRACE_TRACEME);
                    let done = std::panic::catch_unwind(AssertUnwindSafe(call));
                    libc::_exit(i32::from(done.is_err()));
                }
            }
            children.push(child);
        }
        let traces = children.iter().map(|&child| self.trace(child)).collect();
        if Result::is_err(&traces) {
            // SAFETY: children of this process, for which nobody has waited. So no other process is
            // killed.
            children.iter().for_each(|&child| _ = unsafe { libc::kill(child, libc::SIGKILL) });
        }
        traces
    }

    fn trace(&mut self, child: libc::pid_t) -> Result<Trace> {
        wait(child, Some(libc::SIGTRAP))?;
        let mut trace = Trace::default();
        loop {
            let registers = registers(child)?;
            if !self.code.contains_key(&registers.rip) {
                let decoded = self.decode(registers.rip);
                self.code.insert(registers.rip, decoded);
            }
            let decoded = &self.code[&registers.rip];
            if decoded.ends {
                break;
            }
            trace.steps.push(registers.rip);
            trace.begins.push(trace.data.len());
            if decoded.gathers {
                return Err(format!("a gather or scatter at {:#x}", registers.rip).into());
            }
            for memory in &decoded.memory {
                let at = memory.virtual_address(0, |name, _, _| value(&registers, name));
                trace.data.push(at.ok_or("a memory operand that is not understood")?);
            }
            if let Some(mask) = decoded.mask {
                self.push_mask(child, mask, &mut trace.data)?;
            }
            if decoded.divides {
                trace.data.extend([registers.rax, registers.rdx]);
            }
            ptrace(libc::PTRACE_SINGLESTEP, child)?;
            wait(child, Some(libc::SIGTRAP))?;
        }
        ptrace(libc::PTRACE_CONT, child)?;
        // The child stops at the second INT3.
        wait(child, Some(libc::SIGTRAP))?;
        ptrace(libc::PTRACE_CONT, child)?;
        wait(child, None)?;
        Ok(trace)
    }

    fn decode(&mut self, at: u64) -> Decoded {
        // SAFETY: the child runs this process' own code. The longest instruction has 15 bytes, and no
        // code ends so near to the end of its pages: after the last function of a section more pages
        // follow.
        let bytes = unsafe { core::slice::from_raw_parts(at as *const u8, 15) };
        let instruction = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE).decode();
        let memory = self.factory.info(&instruction).used_memory().to_vec();
        Decoded {
            gathers: memory.iter().any(|memory| memory.index().is_vector_register()),
            mask: (!memory.is_empty()).then(|| mask(&instruction)).flatten(),
            memory,
            divides: matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv),
            ends: instruction.code() == Code::Int3,
        }
    }

    fn push_mask(&self, child: libc::pid_t, mask: Register, data: &mut Vec<u64>) -> Result<()> {
        let mut state = [0_u64; 512];
        let mut room =
            libc::iovec { iov_base: state.as_mut_ptr().cast(), iov_len: size_of_val(&state) };
        // SAFETY: the kernel writes at most as much as there is room for.
        let error = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, child, XSTATE, &raw mut room) };
        if error != 0 {
            return Err("no vector registers by PTRACE_GETREGSET".into());
        }
        let number = mask.number();
        if mask.is_k() {
            data.push(state[self.masks / 8 + number]);
        } else {
            let (low, high) = (160 / 8 + 2 * number, self.ymm / 8 + 2 * number);
            data.extend_from_slice(&state[low..low + 2]);
            data.extend_from_slice(&state[high..high + 2]);
        }
        Ok(())
    }
}

/// NT_X86_XSTATE of elf.h.
const XSTATE: usize = 0x202;

/// The register that says which of the bytes in memory an instruction touches.
fn mask(instruction: &Instruction) -> Option<Register> {
    match instruction.mnemonic() {
        Mnemonic::Vmaskmovps
        | Mnemonic::Vmaskmovpd
        | Mnemonic::Vpmaskmovd
        | Mnemonic::Vpmaskmovq => Some(instruction.op1_register()),
        Mnemonic::Maskmovdqu | Mnemonic::Vmaskmovdqu => {
            let last = (0..instruction.op_count())
                .rev()
                .find(|&i| instruction.op_kind(i) == OpKind::Register)?;
            Some(instruction.op_register(last))
        }
        _ => Some(instruction.op_mask()).filter(|&mask| mask != Register::None),
    }
}

fn value(registers: &libc::user_regs_struct, name: Register) -> Option<u64> {
    let whole = match name.full_register() {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        Register::RIP => registers.rip,
        Register::FS => registers.fs_base,
        Register::GS => registers.gs_base,
        Register::CS | Register::DS | Register::ES | Register::SS => 0,
        _ => return None,
    };
    Some(if name.is_gpr32() { whole & 0xffff_ffff } else { whole })
}

fn registers(child: libc::pid_t) -> Result<libc::user_regs_struct> {
    let mut registers = core::mem::MaybeUninit::uninit();
    // SAFETY: success fills the struct.
    unsafe {
        let none = core::ptr::null_mut::<u8>();
        match libc::ptrace(libc::PTRACE_GETREGS, child, none, registers.as_mut_ptr()) {
            0 => Ok(registers.assume_init()),
            _ => Err(std::io::Error::last_os_error().into()),
        }
    }
}

fn ptrace(request: libc::c_uint, child: libc::pid_t) -> Result<()> {
    let none = core::ptr::null_mut::<u8>();
    // SAFETY: requests that continue the child, without a signal.
    match unsafe { libc::ptrace(request, child, none, none) } {
        0 => Ok(()),
        _ => Err(format!("ptrace: {}", std::io::Error::last_os_error()).into()),
    }
}

/// Waits until the child stops by a signal, or ends well.
fn wait(child: libc::pid_t, signal: Option<i32>) -> Result<()> {
    let mut status = 0;
    // SAFETY: the status is written.
    if unsafe { libc::waitpid(child, &mut status, 0) } != child {
        return Err(std::io::Error::last_os_error().into());
    }
    let as_wanted = match signal {
        Some(signal) => libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == signal,
        None => libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
    };
    as_wanted.then_some(()).ok_or_else(|| format!("did not run: wait status {status:#x}").into())
}
