// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the loops of the kernels that encipher or hash, and what the processor executes in one lap of each.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

use crate::audit::decode;
use crate::elf::{Function, Object};
use crate::flow::{self, Callee};
use crate::rooms::is_mangled;

/// Instructions by address.
type Code = BTreeMap<u64, Instruction>;

/// Heads of loops, each with the addresses of all instructions of its loop.
type Loops = BTreeMap<u64, BTreeSet<u64>>;

/// Rounds of AES-128. Longer keys have 2 or 4 more.
pub(crate) const ROUNDS: u32 = 10;

/// AESENC or AESDEC of a block, before the one for its last round.
const MIDDLE_ROUNDS: usize = ROUNDS as usize - 1;

/// A loop, and the instructions of one lap in the order of their execution.
pub(crate) struct Loop {
    /// Entry point and number; of a loop of rounds, what it has in flight.
    pub(crate) name: String,
    /// Entry points that execute it.
    pub(crate) entries: Vec<String>,
    /// Where it begins in its function.
    pub(crate) offset: u64,
    pub(crate) kind: Kind,
    pub(crate) lap: Vec<Instruction>,
}

/// What goes around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// One lap is one round of some registers.
    Rounds,
    /// One lap is some text.
    Text,
}

/// The loops of all kernels in `object` that have one way to go around, and the places of the others. A loop
/// of rounds inside a loop of text belongs to that one.
pub(crate) fn find(object: &Object) -> (Vec<Loop>, Vec<String>) {
    let (mut loops, mut left_out) = (Vec::new(), Vec::new());
    for section in object.sections.iter().filter(|section| section.executable) {
        let codes: Vec<_> = section
            .functions
            .iter()
            .map(|function| decode(section, function.start, function.start + function.size))
            .collect();
        for (function, code) in section.functions.iter().zip(&codes) {
            let calls = |(caller, code): &(&Function, &Code)| {
                let calls = flow::walk(section, caller, code).calls;
                calls.iter().any(|(to, _)| *to == Callee::Here(section.index, function.start))
            };
            let entries = if is_mangled(&function.name) {
                let callers = section.functions.iter().zip(&codes).filter(calls);
                callers.map(|(caller, _)| caller.name.clone()).collect()
            } else {
                vec![function.name.clone()]
            };
            let (found, others) = find_in(&entries, function.start, code);
            loops.extend(found);
            left_out.extend(others);
        }
    }
    (loops, left_out)
}

/// `kcfaes_gcm_{decrypt,encrypt}_aesni`: names that differ in one word.
fn alternatives(names: &[String]) -> String {
    let split: Vec<Vec<&str>> = names.iter().map(|name| name.split('_').collect()).collect();
    let Some(first) = split.first() else { return "nobody".to_string() };
    if split.iter().any(|words| words.len() != first.len()) {
        return names.join("|");
    }
    let word = |n: usize| {
        let words: BTreeSet<&str> = split.iter().map(|words| words[n]).collect();
        match words.len() {
            1 => first[n].to_string(),
            _ => format!("{{{}}}", words.into_iter().collect::<Vec<_>>().join(",")),
        }
    };
    (0..first.len()).map(word).collect::<Vec<_>>().join("_")
}

/// The loops of one function.
fn find_in(entries: &[String], start: u64, code: &Code) -> (Vec<Loop>, Vec<String>) {
    let entry = alternatives(entries);
    let all = loops_of(start, code);
    let (mut loops, mut left_out) = (Vec::new(), Vec::new());
    let mut inside = BTreeSet::new();
    for (&head, members) in &all {
        let instructions = || members.iter().filter_map(|address| code.get(address));
        if !instructions().any(is_crypto) {
            continue;
        }
        let inner: Vec<u64> =
            all.keys().copied().filter(|other| *other != head && members.contains(other)).collect();
        let Some(lap) = lap(code, &all, head, &inner) else {
            left_out.push(format!("{entry} +{:#x}", head - start));
            continue;
        };
        inside.extend(inner);
        let kind = if instructions().all(|i| !is_crypto(i) || is_middle_round(i)) {
            Kind::Rounds
        } else {
            Kind::Text
        };
        let (entries, offset) = (entries.to_vec(), head - start);
        loops.push((head, Loop { name: String::new(), entries, offset, kind, lap }));
    }
    // The lap of the outer loop has it.
    loops.retain(|(head, _)| !inside.contains(head));
    let mut loops: Vec<Loop> = loops.into_iter().map(|(_, found)| found).collect();
    let texts = loops.iter().filter(|found| found.kind == Kind::Text).count();
    let mut number = 0;
    for found in &mut loops {
        found.name = match found.kind {
            Kind::Rounds => {
                let first = found.lap.iter().find(|i| is_middle_round(i));
                let width = match first.map_or(0, |i| i.op0_register().size()) {
                    64 => "zmm",
                    32 => "ymm",
                    _ => "xmm",
                };
                format!("rounds of {} {width}", found.in_flight())
            }
            Kind::Text if texts == 1 => entry.clone(),
            Kind::Text => {
                number += 1;
                format!("{entry} #{number}")
            }
        };
    }
    (loops, left_out)
}

/// All loops of a function. A loop is instructions that each lead to all the others, and its head is the one by
/// which the function comes in. What is left without the head may have loops inside. A compiler may come in at
/// several places: then the first is the head.
fn loops_of(start: u64, code: &Code) -> Loops {
    let mut before: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (&address, instruction) in code {
        for next in successors(code, instruction) {
            before.entry(next).or_default().push(address);
        }
    }
    let behind = |address| before.get(&address).cloned().unwrap_or_default();
    let ahead = |address| successors(code, &code[&address]);
    let mut loops = Loops::new();
    // Not what pads between two ways.
    let mut pending = vec![reach(start, ahead)];
    while let Some(region) = pending.pop() {
        let inside = |next: Vec<u64>| next.into_iter().filter(|at| region.contains(at)).collect();
        // Where two ways meet, which every head is.
        let mut heads: BTreeSet<u64> =
            region.iter().copied().filter(|&at| at == start || behind(at).len() > 1).collect();
        while let Some(at) = heads.pop_first() {
            let forth = reach(at, |address| inside(ahead(address)));
            let members: BTreeSet<u64> = reach(at, |address| inside(behind(address)))
                .intersection(&forth)
                .copied()
                .collect();
            if members.len() == 1 && !ahead(at).contains(&at) {
                continue;
            }
            heads.retain(|other| !members.contains(other));
            let comes_in =
                |&&at: &&u64| at == start || behind(at).iter().any(|from| !members.contains(from));
            if let Some(&head) = members.iter().find(comes_in) {
                pending.push(members.iter().copied().filter(|&at| at != head).collect());
                loops.insert(head, members);
            }
        }
    }
    loops
}

/// `from`, and what it leads to by `next`.
fn reach(from: u64, next: impl Fn(u64) -> Vec<u64>) -> BTreeSet<u64> {
    let (mut seen, mut pending) = (BTreeSet::new(), vec![from]);
    while let Some(address) = pending.pop() {
        if seen.insert(address) {
            pending.extend(next(address));
        }
    }
    seen
}

/// Where control goes inside the function: on, then where a branch leads.
fn successors(code: &Code, instruction: &Instruction) -> Vec<u64> {
    let (on, target) = (instruction.next_ip(), instruction.near_branch_target());
    let next = match instruction.flow_control() {
        FlowControl::Next | FlowControl::Call => vec![on],
        FlowControl::ConditionalBranch => vec![on, target],
        FlowControl::UnconditionalBranch => vec![target],
        _ => vec![],
    };
    next.into_iter().filter(|address| code.contains_key(address)).collect()
}

/// Choices on a way around a loop that are looked at. Chosen: GCM's loop has seven, and each doubles the ways.
const CHOICES: usize = 10;

/// One lap of the loop at `head`, if the loops inside it are loops of rounds. Of several ways around, that is the
/// one with the most work: the first lap of GCM hashes nothing. Of two that only differ in whether a counter's
/// last byte has a carry it is the first, because compilers put the usual case first.
fn lap(code: &Code, all: &Loops, head: u64, inner: &[u64]) -> Option<Vec<Instruction>> {
    let members = &all[&head];
    for inner in inner {
        let rounds = || all[inner].iter().map(|address| &code[address]);
        let middle = rounds().filter(|i| is_middle_round(i)).count();
        if middle == 0 || rounds().filter(|i| is_crypto(i)).count() != middle {
            return None;
        }
    }
    let once = |address: u64| !inner.iter().any(|inner| all[inner].contains(&address));
    let work = |lap: &[Instruction]| lap.iter().filter(|i| is_crypto(i)).count();
    let mut best: Option<Vec<Instruction>> = None;
    let mut pending = vec![(head, Vec::new(), 0)];
    while let Some((mut address, mut lap, mut choices)) = pending.pop() {
        let complete = loop {
            let instruction = code.get(&address)?;
            // Only rounds repeat. Another way goes around without the head.
            if once(address) && lap.iter().any(|passed: &Instruction| passed.ip() == address) {
                break false;
            }
            lap.push(*instruction);
            let next = successors(code, instruction);
            let stays: Vec<u64> = next.into_iter().filter(|next| members.contains(next)).collect();
            address = match *stays {
                _ if instruction.flow_control() == FlowControl::Call => break false,
                [next] => next,
                [on, back] if inner.contains(&back) && back <= address => {
                    // So often that each register has all of its rounds.
                    let middle = |i: &&Instruction| is_middle_round(i);
                    let width = all[&back].iter().map(|at| &code[at]).filter(middle).count();
                    let rounds = lap.iter().filter(middle).count();
                    if rounds < MIDDLE_ROUNDS * width { back } else { on }
                }
                [_, back] if back == head => back,
                [on, other] if choices < CHOICES => {
                    choices += 1;
                    pending.push((other, lap.clone(), choices));
                    on
                }
                _ => break false,
            };
            if address == head {
                break true;
            }
        };
        if complete && best.as_ref().is_none_or(|best| work(&lap) > work(best)) {
            best = Some(lap);
        }
    }
    best
}

impl Loop {
    /// Where a person finds it.
    pub(crate) fn place(&self) -> String {
        format!("{} +{:#x}", alternatives(&self.entries), self.offset)
    }

    /// Whether an entry point whose name begins so executes it.
    pub(crate) fn is_of(&self, prefixes: &[&str]) -> bool {
        self.entries.iter().any(|entry| prefixes.iter().any(|prefix| entry.starts_with(prefix)))
    }

    /// Registers that go through rounds side by side.
    fn in_flight(&self) -> usize {
        let rounds = self.lap.iter().filter(|i| is_middle_round(i));
        rounds.map(Instruction::op0_register).collect::<BTreeSet<_>>().len()
    }

    /// Bytes of text in a lap, if it is one of text: what it stores, or what goes through a last round.
    pub(crate) fn bytes(&self) -> usize {
        let stored = self.lap.iter().filter(|i| {
            i.op0_kind() == OpKind::Memory
                && !matches!(i.memory_base(), Register::RSP | Register::RBP)
        });
        let stored: usize = stored.map(|i| vector_bytes(i.op1_register())).sum();
        let last = self.lap.iter().filter(|i| is_last_round(i));
        let last: usize = last.map(|i| vector_bytes(i.op0_register())).sum();
        if stored > 0 { stored } else { last }
    }
}

fn vector_bytes(register: Register) -> usize {
    if register.is_vector_register() { register.size() } else { 0 }
}

/// AESENC or AESDEC.
fn is_middle_round(instruction: &Instruction) -> bool {
    use Mnemonic::{Aesdec, Aesenc, Vaesdec, Vaesenc};
    matches!(instruction.mnemonic(), Aesdec | Aesenc | Vaesdec | Vaesenc)
}

fn is_last_round(instruction: &Instruction) -> bool {
    use Mnemonic::{Aesdeclast, Aesenclast, Vaesdeclast, Vaesenclast};
    matches!(instruction.mnemonic(), Aesdeclast | Aesenclast | Vaesdeclast | Vaesenclast)
}

fn is_crypto(instruction: &Instruction) -> bool {
    let product = matches!(instruction.mnemonic(), Mnemonic::Pclmulqdq | Mnemonic::Vpclmulqdq);
    product || is_middle_round(instruction) || is_last_round(instruction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    /// ```text
    ///  0: movdqa xmm0, [rdi]
    ///  4: mov eax, 16
    ///  9: aesenc xmm0, xmm1
    ///  e: dec eax
    /// 10: jne 9
    /// 12: aesenclast xmm0, xmm1
    /// 17: movdqa [rsi], xmm0
    /// 1b: jne 0
    /// 1d: ret
    /// ```
    const BLOCKS: [u8; 30] = [
        0x66, 0x0f, 0x6f, 0x07, 0xb8, 0x10, 0, 0, 0, 0x66, 0x0f, 0x38, 0xdc, 0xc1, 0xff, 0xc8,
        0x75, 0xf7, 0x66, 0x0f, 0x38, 0xdd, 0xc1, 0x66, 0x0f, 0x7f, 0x06, 0x75, 0xe3, 0xc3,
    ];

    fn found(bytes: &[u8]) -> (Vec<Loop>, Vec<String>) {
        let code = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).into_iter();
        find_in(
            &["kcfaes_test".to_string()],
            0,
            &code.map(|instruction| (instruction.ip(), instruction)).collect(),
        )
    }

    /// ```text
    ///  0: jne 7
    ///  2: aesenc xmm0, xmm1
    ///  7: aesenclast xmm0, xmm1
    ///  c: jne 2
    ///  e: ret
    /// ```
    #[test]
    fn a_loop_may_have_two_ways_in() {
        let (loops, left_out) = found(&[
            0x75, 5, 0x66, 0x0f, 0x38, 0xdc, 0xc1, 0x66, 0x0f, 0x38, 0xdd, 0xc1, 0x75, 0xf4, 0xc3,
        ]);
        assert_eq!((loops.len(), left_out.len()), (1, 0));
        assert_eq!((loops[0].offset, loops[0].lap.len(), loops[0].bytes()), (2, 3, 16));
    }

    /// ```text
    ///  0: jne 9
    ///  2: aesenc xmm0, xmm1
    ///  7: jmp 14
    ///  9: aesenc xmm0, xmm1
    ///  e: pclmulqdq xmm0, xmm1, 0
    /// 14: aesenclast xmm0, xmm1
    /// 19: jne 0
    /// 1b: ret
    /// ```
    #[test]
    fn of_two_ways_around_the_one_with_more_work_is_taken() {
        let mut code = vec![0x75, 7, 0x66, 0x0f, 0x38, 0xdc, 0xc1, 0xeb, 0x0b];
        code.extend([0x66, 0x0f, 0x38, 0xdc, 0xc1, 0x66, 0x0f, 0x3a, 0x44, 0xc1, 0]);
        code.extend([0x66, 0x0f, 0x38, 0xdd, 0xc1, 0x75, 0xe5, 0xc3]);
        let (loops, _) = found(&code);
        assert_eq!(loops.len(), 1);
        let products = |i: &&Instruction| i.mnemonic() == Mnemonic::Pclmulqdq;
        assert_eq!(loops[0].lap.iter().filter(products).count(), 1);
    }

    #[test]
    fn a_lap_has_all_rounds() {
        let (loops, left_out) = found(&BLOCKS);
        assert_eq!((loops.len(), left_out.len()), (1, 0));
        let one = &loops[0];
        assert_eq!((one.name.as_str(), one.kind, one.bytes()), ("kcfaes_test", Kind::Text, 16));
        assert_eq!(one.lap.iter().filter(|i| is_middle_round(i)).count(), MIDDLE_ROUNDS);
        assert_eq!(one.lap.len(), 5 + 3 * MIDDLE_ROUNDS);
    }

    #[test]
    fn rounds_alone_are_a_loop() {
        let mut bytes = BLOCKS;
        // The outer jump becomes two NOPs.
        bytes[0x1b..0x1d].fill(0x90);
        let (loops, _) = found(&bytes);
        assert_eq!(loops.len(), 1);
        assert_eq!((loops[0].name.as_str(), loops[0].kind), ("rounds of 1 xmm", Kind::Rounds));
    }

    #[test]
    fn names_that_differ_in_one_word() {
        let of = |names: &[&str]| {
            alternatives(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(of(&["a_open_c", "a_seal_c"]), "a_{open,seal}_c");
        assert_eq!(of(&["a_b"]), "a_b");
    }
}
