// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who does the work: ours and others, all behind one shape of call.
//!
//! [`field`] is all that can run here and, by name and reason, all that cannot. Keys are set before
//! the clock runs; a call sets the IV, absorbs the additional data, transforms the text and makes or
//! checks the tag.

mod aesni;
mod openssl;
mod ops;
mod portable;

use core::any::Any;
use core::arch::asm;
use core::marker::PhantomData;

use self::aesni::Aesni;
use self::openssl::OpenSsl;
use self::ops::Ops;
pub use self::portable::Portable;
use crate::message::{Call, Job, Message, Operation};

/// Name of the direct calls of table `aesni`.
pub const AESNI: &str = "aesni kernels";
/// Name of the direct calls of table `portable`.
pub const PORTABLE: &str = "portable";
/// Name of the calls through the ops vector, of which the best table of this processor serves.
pub const OPS: &str = "ops vector";
/// Name of OpenSSL, whatever its version.
pub const OPENSSL: &str = "OpenSSL";

/// A library, or a way into one.
pub trait Contender {
    /// Its name, one of the constants of this module.
    fn name(&self) -> &'static str;

    /// What exactly it is: a version, a way of calling.
    fn description(&self) -> String;

    /// Gets ready to do what the message asks, again and again; `None` where it has no such
    /// operation.
    fn prepare<'m>(&self, message: &'m Message) -> Option<Prepared<'m>>;
}

/// A contender that cannot run here.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Missing {
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub reason: String,
}

/// Everyone, and who is missing.
pub fn field() -> (Vec<Box<dyn Contender>>, Vec<Missing>) {
    let mut field: Vec<Box<dyn Contender>> = Vec::new();
    let mut missing = Vec::new();
    let mut enter = |name, contender: Result<Box<dyn Contender>, String>| match contender {
        Ok(contender) => field.push(contender),
        Err(reason) => missing.push(Missing { name, reason }),
    };
    enter(AESNI, Aesni::new().map(|it| Box::new(it) as _));
    enter(OPS, Ok(Box::new(Ops)));
    enter(OPENSSL, OpenSsl::load().map(|it| Box::new(it) as _));
    enter(PORTABLE, Ok(Box::new(Portable)));
    (field, missing)
}

/// A message that its own contender can work on.
pub struct Prepared<'m> {
    call: Call,
    job: Job,
    /// The last eight bytes of the output.
    last: *const u64,
    /// What `job.state` points to.
    _state: Box<dyn Any>,
    _message: PhantomData<&'m Message>,
}

impl<'m> Prepared<'m> {
    pub(crate) fn new<T: Any>(message: &'m Message, call: Call, state: T) -> Self {
        let mut state = Box::new(state);
        let job = message.job((&raw mut *state).cast());
        let last = job.dst.wrapping_add(message.dst_len() - 8).cast_const().cast();
        Self { call, job, last, _state: state, _message: PhantomData }
    }

    /// Does the work once; whether it succeeded.
    pub fn once(&self) -> bool {
        // SAFETY: prepared by its contender; the message is borrowed.
        unsafe { (self.call)(&self.job) == 0 }
    }

    /// Does the work `calls` times, each as soon as the processor likes.
    pub fn back_to_back(&self, calls: u64) {
        for _ in 0..calls {
            self.once();
        }
    }

    /// Does the work `calls` times, each after the output of the one before is there: the address
    /// of the job is made to depend on it.
    pub fn isolated(&self, calls: u64) {
        let mut job = &raw const self.job;
        for _ in 0..calls {
            // SAFETY: prepared by its contender; the message is borrowed, and its output has at
            // least 16 bytes. The job's address does not change.
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

/// The text of a message to be opened becomes a genuine one, sealed by `portable`.
pub fn make_genuine(message: &Message) {
    if message.operation == Operation::GcmOpen {
        let seal = Message::new(Operation::GcmSeal, message.key.len() * 8, message.len);
        if let Some(portable) = Portable.prepare(&seal) {
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
    use super::{field, make_genuine};
    use crate::message::{Message, Operation};

    /// Lengths around every bulk loop, and ragged ones.
    const LENGTHS: [usize; 9] = [16, 17, 64, 127, 128, 129, 256, 1420, 4096];

    #[test]
    fn all_contenders_agree() {
        let (field, _) = field();
        assert!(field.len() >= 2, "nobody to compare with");
        for operation in Operation::ALL {
            for key_bits in [128, 256] {
                for len in LENGTHS {
                    let message = Message::new(operation, key_bits, operation.text_len(len));
                    make_genuine(&message);
                    let outputs = field.iter().filter_map(|contender| {
                        let prepared = contender.prepare(&message)?;
                        message.spoil_output();
                        assert!(prepared.once(), "{}: {operation:?}", contender.name());
                        Some((contender.name(), message.output()))
                    });
                    let outputs: Vec<_> = outputs.collect();
                    assert_eq!(outputs.len(), field.len());
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
        let (field, _) = field();
        let all: Vec<_> =
            field.iter().filter_map(|c| Some((c.name(), c.prepare(&message)?))).collect();
        for (name, prepared) in &all {
            assert!(prepared.once(), "{name} refuses a genuine message");
        }
        message.set_sealed(&[0; 64 + 16]);
        for (name, prepared) in &all {
            assert!(!prepared.once(), "{name} takes a forged message");
        }
    }
}
