// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who does the work: ours and others, all called in the same way.
//!
//! [`ours`] returns all of ours that can run here and, by name and reason, all that cannot. Keys are
//! set before the clock runs. A call sets the IV, absorbs the additional data, transforms the text and
//! makes or checks the tag.

mod api;
mod kernels;
mod ops;
mod peer;
mod portable;

use core::arch::asm;
use core::marker::PhantomData;

use kcfaes_shape as shape;

use self::api::Api;
use self::ops::Ops;
pub use self::peer::Loaded;
pub use self::portable::Portable;
use crate::message::{Job, Message, Operation};

/// Name of the direct calls of table `portable`.
pub const PORTABLE: &str = "portable";
/// Name of the direct calls of table `aesni`.
pub const AESNI: &str = "aesni kernels";
/// Name of the direct calls of table `vaes256`.
pub const VAES256: &str = "vaes256 kernels";
/// Name of the direct calls of table `vaes512`.
pub const VAES512: &str = "vaes512 kernels";
/// Name of the calls through the ops vector, which use the best table of this processor.
pub const OPS: &str = "ops vector";
/// Name of the calls of the plain C API, which use the same table.
pub const API: &str = "C API";

/// What a contender stands for in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The table of kernels that this processor's callers get, called directly. It is compared with the
    /// peers.
    Kernels,
    /// Another table, called directly.
    OtherKernels,
    /// A way to the kernels: it shows what checking, choosing and wiping add.
    Interface,
    /// Another library.
    Peer,
    /// The output of the others is checked against it. It is too slow to be compared.
    Reference,
}

/// A library, or a way into one.
pub trait Contender {
    /// Its name. For ours it is one of the constants of this module.
    fn name(&self) -> &str;

    /// What exactly it is: a version, a way of calling.
    fn description(&self) -> String;

    /// What it stands for.
    fn role(&self) -> Role;

    /// Gets ready to do what the job says, with a state of its own.
    ///
    /// # Safety
    /// The job belongs to a message, which outlives what is prepared.
    unsafe fn prepare(&self, operation: Operation, job: &Job) -> shape::Prepared;
}

/// A contender that cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// All of ours, the widest table first, and those that cannot run.
pub fn ours() -> (Vec<Box<dyn Contender>>, Vec<Missing>) {
    let (mut field, missing) = kernels::all();
    field.push(Box::new(Ops));
    field.push(Box::new(Api));
    field.push(Box::new(Portable));
    (field, missing)
}

/// A message made ready for one contender.
pub struct Prepared<'m> {
    call: shape::Call,
    job: Job,
    /// The last eight bytes of the output.
    last: *const u64,
    /// What `job.state` points to.
    _state: shape::Prepared,
    _message: PhantomData<&'m Message>,
}

/// Gets `contender` ready to do what the message asks, again and again. `None` if it does not have the
/// operation.
pub fn prepare<'m>(contender: &dyn Contender, message: &'m Message) -> Option<Prepared<'m>> {
    let mut job = message.job();
    // SAFETY: the message is borrowed.
    let state = unsafe { contender.prepare(message.operation, &job) };
    job.state = state.state;
    let last = job.dst.wrapping_add(message.dst_len() - 8).cast_const().cast();
    Some(Prepared { call: state.call?, job, last, _state: state, _message: PhantomData })
}

impl Prepared<'_> {
    /// Does the work once. Returns whether it succeeded.
    pub fn once(&self) -> bool {
        // SAFETY: prepared by its contender; the message is borrowed.
        unsafe { (self.call)(&self.job) == 0 }
    }

    /// Does the work `calls` times. Each call starts as soon as the processor likes.
    pub fn back_to_back(&self, calls: u64) {
        for _ in 0..calls {
            self.once();
        }
    }

    /// Does the work `calls` times. Each call waits for the output of the one before: the address of
    /// the job is made to depend on that output.
    pub fn isolated(&self, calls: u64) {
        let mut job = &raw const self.job;
        for _ in 0..calls {
            // SAFETY: prepared by its contender; the message is borrowed, and its output has at least
            // 16 bytes. The job's address does not change.
            unsafe {
                (self.call)(&*job);
                let word = self.last.read_unaligned();
                asm!(
                    "and {word}, 0",
                    "add {job}, {word}",
                    word = inout(reg) word => _,
                    job = inout(reg) job,
                    options(nostack),
                );
            }
        }
    }
}

/// Makes the text of a message to be opened a genuine one, sealed by `portable`.
pub fn make_genuine(message: &Message) {
    if message.operation == Operation::GcmOpen {
        let seal = Message::new(Operation::GcmSeal, message.key.len() * 8, message.len);
        if let Some(portable) = prepare(&Portable, &seal) {
            portable.once();
        }
        message.set_sealed(&seal.output());
    }
}

/// Whether two tags are the same, by a comparison without branches.
fn same_tag(a: &[u8; 16], b: &[u8; 16]) -> bool {
    u128::from_ne_bytes(*a) ^ u128::from_ne_bytes(*b) == 0
}

#[cfg(test)]
mod tests {
    use super::{make_genuine, ours, prepare};
    use crate::message::{Message, Operation};

    /// Lengths around every bulk loop, and ragged ones.
    const LENGTHS: [usize; 13] = [16, 17, 64, 127, 128, 129, 256, 257, 511, 513, 1024, 1420, 4096];

    #[test]
    fn all_of_ours_agree() {
        let (field, _) = ours();
        assert!(field.len() >= 3, "nobody to compare with");
        for operation in Operation::WARM.into_iter().chain([Operation::GcmNewKeySeal]) {
            for key_bits in [128, 256] {
                for len in LENGTHS {
                    let message = Message::new(operation, key_bits, operation.text_len(len));
                    make_genuine(&message);
                    let outputs = field.iter().map(|contender| {
                        let name = contender.name();
                        let prepared = prepare(&**contender, &message).expect(name);
                        message.spoil_output();
                        assert!(prepared.once(), "{name}: {operation:?}");
                        (name, message.output())
                    });
                    let outputs: Vec<_> = outputs.collect();
                    for (name, output) in &outputs {
                        assert_eq!(*output, outputs[0].1, "{name}: {operation:?} {key_bits} {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn opening_fails_for_a_forged_message() {
        let message = Message::new(Operation::GcmOpen, 128, 64);
        make_genuine(&message);
        let (field, _) = ours();
        let all: Vec<_> =
            field.iter().filter_map(|c| Some((c.name(), prepare(&**c, &message)?))).collect();
        for (name, prepared) in &all {
            assert!(prepared.once(), "{name} refuses a genuine message");
        }
        message.set_sealed(&[0; 64 + 16]);
        for (name, prepared) in &all {
            assert!(!prepared.once(), "{name} takes a forged message");
        }
    }
}
