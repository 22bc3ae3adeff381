// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows the stack pointer through a function.
//!
//! Every path from the entry is walked with the depth of the stack below the return address. So the
//! largest frame, the depth at each call and a use of the red zone are known, not guessed from the
//! prologue. A depth that cannot be known (a frame of variable size) is a violation.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use object::elf::{R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_REX_GOTPCRELX};

use crate::elf::{Function, Relocation, Section, Target};

/// The code that a call or a tail call leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    /// Section index, address in it.
    Here(usize, u64),
    Import(String),
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The most bytes of stack below the return address.
    pub(crate) frame: i64,
    /// Where control goes to, and the stack in use then. The callee's return address is included.
    pub(crate) calls: Vec<(Callee, i64)>,
    /// What is wrong, with its address.
    pub(crate) faults: BTreeSet<(u64, String)>,
}

/// Deeper than any frame that could be meant: some loop pushes.
const RUNAWAY: i64 = 1 << 20;

#[derive(Clone, Copy)]
struct Stack {
    depth: i64,
    /// Bytes taken by `sub rsp`.
    locals: i64,
    /// Depth that rbp points to, while it is the frame pointer.
    frame_pointer: Option<i64>,
}

/// Walks `function`, whose instructions are `code` by address.
pub(crate) fn walk(
    section: &Section,
    function: &Function,
    code: &BTreeMap<u64, Instruction>,
) -> Walk {
    let mut walk = Walk::default();
    let mut factory = InstructionInfoFactory::new();
    let mut seen: BTreeMap<u64, i64> = BTreeMap::new();
    let end = function.start + function.size;
    let inside = |address: u64| (function.start..end).contains(&address);
    let mut pending = vec![(function.start, Stack { depth: 0, locals: 0, frame_pointer: None })];
    while let Some((address, mut stack)) = pending.pop() {
        if seen.get(&address).is_some_and(|&depth| depth >= stack.depth) {
            continue;
        }
        seen.insert(address, stack.depth);
        let Some(instruction) = code.get(&address) else {
            walk.fault(
                address,
                "control runs into the middle of an instruction or out of the function",
            );
            continue;
        };
        if stack.depth > RUNAWAY {
            walk.fault(address, "the stack grows without bound");
            continue;
        }
        check_red_zone(&mut walk, instruction, stack);
        step(&mut walk, &mut factory, instruction, &mut stack);
        walk.frame = walk.frame.max(stack.depth);

        let branch = || {
            let field = instruction.next_ip().wrapping_sub(4);
            match section.relocations.get(&field) {
                Some(relocation) => callee_of(relocation),
                None => Callee::Here(section.index, instruction.near_branch_target()),
            }
        };
        match instruction.flow_control() {
            FlowControl::Next => pending.push((instruction.next_ip(), stack)),
            FlowControl::Call => {
                walk.calls.push((branch(), stack.depth + 8));
                pending.push((instruction.next_ip(), stack));
            }
            kind @ (FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch) => {
                if kind == FlowControl::ConditionalBranch {
                    pending.push((instruction.next_ip(), stack));
                }
                match branch() {
                    Callee::Here(index, target) if index == section.index && inside(target) => {
                        pending.push((target, stack));
                    }
                    callee => walk.calls.push((callee, stack.depth)),
                }
            }
            // Of libkcfaes, from one part of it to another. The linker of a program makes a direct call of it.
            FlowControl::IndirectCall if by_got(section, instruction) => {
                walk.calls.push((branch(), stack.depth + 8));
                pending.push((instruction.next_ip(), stack));
            }
            FlowControl::IndirectBranch if by_got(section, instruction) => {
                walk.calls.push((branch(), stack.depth));
            }
            // The audit itself reports other indirect branches, traps and the like.
            _ => {}
        }
    }
    walk
}

/// Whether an indirect branch goes where an entry of the GOT says.
fn by_got(section: &Section, instruction: &Instruction) -> bool {
    let field = instruction.next_ip().wrapping_sub(4);
    section.relocations.get(&field).is_some_and(|relocation| {
        [R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_REX_GOTPCRELX].contains(&relocation.kind)
    })
}

/// A branch's field holds the distance from its end, hence the 4.
fn callee_of(relocation: &Relocation) -> Callee {
    match &relocation.target {
        Target::Undefined(name) => Callee::Import(name.clone()),
        Target::Defined(section, address) => {
            Callee::Here(*section, address.wrapping_add_signed(relocation.addend + 4))
        }
    }
}

impl Walk {
    fn fault(&mut self, address: u64, what: &str) {
        self.faults.insert((address, what.to_string()));
    }
}

/// Applies `instruction` to the stack pointer.
fn step(
    walk: &mut Walk,
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
    stack: &mut Stack,
) {
    use Mnemonic::{Add, And, Call, Lea, Leave, Mov, Pop, Push, Ret, Sub};
    let address = instruction.ip();
    let destination = instruction.op0_register();
    let constant = || match instruction.op1_kind() {
        OpKind::Immediate8to64 | OpKind::Immediate32to64 => Some(instruction.immediate(1) as i64),
        _ => None,
    };
    let displacement = instruction.memory_displacement64() as i64;
    match (instruction.mnemonic(), destination) {
        (Call | Ret, _) => return,
        (Leave, _) => {
            match stack.frame_pointer.take() {
                Some(depth) => stack.depth = depth - 8,
                None => walk.fault(address, "leave without a frame pointer"),
            }
            return;
        }
        (Push, _) => {
            stack.depth -= i64::from(instruction.stack_pointer_increment());
            return;
        }
        (Pop, register) => {
            stack.depth -= i64::from(instruction.stack_pointer_increment());
            if register == Register::RBP {
                stack.frame_pointer = None;
            }
            return;
        }
        (Sub, Register::RSP) => match constant() {
            Some(bytes) => {
                stack.depth += bytes;
                stack.locals += bytes;
                return;
            }
            None => walk.fault(address, "a frame of variable size"),
        },
        (Add, Register::RSP) => {
            if let Some(bytes) = constant() {
                stack.depth -= bytes;
                stack.locals -= bytes;
                return;
            }
        }
        (And, Register::RSP) => {
            // Rounds down by an unknown amount, at most the alignment less the 8 that a call keeps.
            if let Some(mask) = constant() {
                stack.depth += -mask - 8;
                return;
            }
        }
        (Mov, Register::RBP) if instruction.op1_register() == Register::RSP => {
            stack.frame_pointer = Some(stack.depth);
            return;
        }
        (Mov, Register::RSP) if instruction.op1_register() == Register::RBP => {
            if let Some(depth) = stack.frame_pointer {
                stack.depth = depth;
                return;
            }
        }
        (Lea, Register::RBP)
            if instruction.memory_base() == Register::RSP
                && instruction.memory_index() == Register::None =>
        {
            stack.frame_pointer = Some(stack.depth - displacement);
            return;
        }
        (Lea, Register::RSP) if instruction.memory_index() == Register::None => {
            match (instruction.memory_base(), stack.frame_pointer) {
                (Register::RSP, _) => {
                    stack.depth -= displacement;
                    return;
                }
                (Register::RBP, Some(depth)) => {
                    stack.depth = depth - displacement;
                    return;
                }
                _ => {}
            }
        }
        _ => {}
    }
    for used in factory.info(instruction).used_registers() {
        let written =
            !matches!(used.access(), OpAccess::None | OpAccess::Read | OpAccess::CondRead);
        match used.register().full_register() {
            Register::RSP if written => {
                walk.fault(address, "the stack pointer is set to a value not known")
            }
            Register::RBP if written => stack.frame_pointer = None,
            _ => {}
        }
    }
}

/// An interrupt overwrites what is below the stack pointer.
fn check_red_zone(walk: &mut Walk, instruction: &Instruction, stack: Stack) {
    let touches_memory =
        (0..instruction.op_count()).any(|n| instruction.op_kind(n) == OpKind::Memory);
    if !touches_memory || matches!(instruction.mnemonic(), Mnemonic::Lea | Mnemonic::Nop) {
        return;
    }
    let base = match instruction.memory_base() {
        Register::RSP => stack.depth,
        Register::RBP => match stack.frame_pointer {
            Some(depth) => depth,
            None => return,
        },
        _ => return,
    };
    let below = base - instruction.memory_displacement64() as i64 > stack.depth;
    // With an index the address may still be inside the frame, if there is a frame.
    let certain = instruction.memory_index() == Register::None || stack.locals == 0;
    if below && certain {
        walk.fault(instruction.ip(), "a memory access below the stack pointer (red zone)");
    }
}
