// SPDX-License-Identifier: MIT OR Apache-2.0
//! IPsec ESP (`ipsecesp.c`, `sadb.c`). A packet in one mblk goes as one raw buffer. A packet in several
//! mblks goes as their chain, with the payload's place in `cd_offset`. CBC is done in place, without a
//! parameter; `cd_miscdata` points to the IV in the packet. GCM and CCM encrypt into a second struct
//! over the same bytes, longer by the ICV, and decrypt with NULL. Templates are made without a
//! parameter and without sleeping, and used in interrupts. A queued request answers by callback.

use core::ffi::{c_int, c_void};

use std::rc::Rc;
use std::sync::{Condvar, Mutex};

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_ffi_tests::kernel::{self, CallReq, crypto_create_ctx_template};
use kcfaes_provider::kcf::{CRYPTO_INVALID_MAC, CRYPTO_SUCCESS, KM_NOSLEEP};
use kcfaes_vectors::Mode;

use crate::memory::even;
use crate::replay::{Atomic, Place, Plan, Replay, Secret, Shape};

const IP: usize = 20;
const ESP: usize = 8;

#[derive(Clone, Copy)]
struct Packet {
    mode: Mode,
    key_bits: usize,
    /// Bytes that are encrypted.
    payload: usize,
    icv: usize,
    fragments: usize,
    way: Way,
}

impl Packet {
    /// Bytes before the payload.
    fn headers(&self) -> usize {
        IP + ESP + if self.mode == Mode::Cbc { 16 } else { 8 }
    }

    /// Headers, payload and ICV in the clear, and what authenticates them.
    fn secret(&self, plan: &mut Plan) -> (Vec<u8>, Secret) {
        let headers = plan.draw(self.headers());
        let (esp, iv) = headers[IP..].split_at(ESP);
        let salt = match self.mode {
            Mode::Cbc => 0,
            Mode::Gcm => 4,
            _ => 3,
        };
        let secret = Secret {
            mode: self.mode,
            key: plan.draw(self.key_bits / 8),
            iv: [plan.draw(salt).as_slice(), iv].concat(),
            aad: if self.mode == Mode::Cbc { vec![] } else { esp.to_vec() },
            tag_len: self.icv,
            text: plan.draw(self.payload),
        };
        (headers, secret)
    }

    fn operation(
        &self,
        headers: &[u8],
        secret: &Secret,
        (from, to): &(Vec<u8>, Vec<u8>),
        template: Rc<Template>,
        fragments: usize,
        plan: &mut Plan,
    ) -> Atomic {
        let packet = [headers, from].concat();
        let room = if self.way == Way::Encrypt { self.icv } else { 0 };
        // The headers are in the first fragment, because IPsec pulls them up.
        let mut lengths = even(self.payload + self.icv, fragments, 1);
        lengths[0] += headers.len();
        let format = if fragments == 1 { Format::Raw } else { Format::Mblk };
        let input = plan.input_with_room(format, &packet, room, &lengths);
        let length = match (self.mode, self.way) {
            (Mode::Cbc, _) | (_, Way::Encrypt) => self.payload,
            _ => self.payload + self.icv,
        };
        let window = (headers.len(), length);
        let template = Some(template);
        if self.mode == Mode::Cbc {
            let call = Atomic::new(secret, template, self.way, input, window, Place::Null, to);
            call.with_misc(IP + ESP)
        } else if self.way == Way::Encrypt {
            let twin = Place::Twin(self.payload + self.icv);
            Atomic::new(secret, template, self.way, input, window, twin, to)
        } else {
            Atomic::new(secret, template, self.way, input, window, Place::Null, to)
        }
    }

    fn name(&self) -> String {
        let way = if self.way == Way::Encrypt { "encrypt" } else { "decrypt" };
        let in_what = match self.fragments {
            1 => "raw".to_owned(),
            n => format!("mblk in {n}"),
        };
        let (mode, bits, len) = (self.mode.name(), self.key_bits, self.payload);
        let icv = if self.icv > 0 { format!(", ICV {}", self.icv) } else { String::new() };
        format!("{mode}-{bits} {way} {len} B, {in_what}{icv}")
    }

    fn shape(self) -> Shape {
        Shape::timed(self.name(), self.payload, move |plan| {
            let (headers, secret) = self.secret(plan);
            let template = Rc::new(template(&secret));
            let ways = secret.ways(self.way);
            let mut operation = |fragments| {
                self.operation(&headers, &secret, &ways, template.clone(), fragments, plan)
            };
            (operation(self.fragments), operation(1))
        })
    }

    /// As in a receive interrupt that has pinned a thread. The thread's FPU is in use or not.
    fn in_interrupt(self, ts: bool) -> Shape {
        let name = format!("{}, in an interrupt", self.name());
        Shape::checked(name, self.payload, move |plan| {
            let (headers, secret) = self.secret(plan);
            let template = Rc::new(template(&secret));
            let ways = secret.ways(self.way);
            let own = self.operation(&headers, &secret, &ways, template, self.fragments, plan);
            Interrupt { own, ts }
        })
    }

    /// Done by a thread of KCF, which calls back.
    fn queued(self) -> Shape {
        Shape::checked(format!("{}, queued", self.name()), self.payload, move |plan| {
            let (headers, secret) = self.secret(plan);
            let template = Rc::new(template(&secret));
            let ways = secret.ways(self.way);
            Queued(self.operation(&headers, &secret, &ways, template, self.fragments, plan))
        })
    }

    /// A packet that somebody has changed. The ICV does not match, and the bytes stay as they came.
    fn forged(self) -> Shape {
        Shape::checked(format!("{}, forged", self.name()), self.payload, move |plan| {
            let (headers, secret) = self.secret(plan);
            let template = Rc::new(template(&secret));
            let (mut from, to) = secret.ways(Way::Decrypt);
            from[0] ^= 1;
            let came = [headers.as_slice(), &from].concat();
            let ways = (from, to);
            let call = self.operation(&headers, &secret, &ways, template, self.fragments, plan);
            call.failing(CRYPTO_INVALID_MAC, came)
        })
    }
}

struct Interrupt {
    own: Atomic,
    ts: bool,
}

impl Replay for Interrupt {
    fn reset(&mut self) {
        self.own.reset();
    }

    fn repeats(&self) -> bool {
        self.own.repeats()
    }

    fn run(&mut self) -> c_int {
        kernel::in_interrupt(self.ts, || self.own.run())
    }

    fn check(&self) -> Result<(), String> {
        self.own.check()
    }
}

struct Queued(Atomic);

/// A request's result, when it is there.
type Answer = (Mutex<Option<c_int>>, Condvar);

unsafe extern "C" fn done(answer: *mut c_void, rv: c_int) {
    // SAFETY: the request's argument. Its submitter keeps it until the answer is there.
    let (value, there) = unsafe { &*answer.cast::<Answer>() };
    *value.lock().expect("the submitter waits") = Some(rv);
    there.notify_one();
}

impl Replay for Queued {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn repeats(&self) -> bool {
        self.0.repeats()
    }

    fn run(&mut self) -> c_int {
        let mut answer: Answer = Default::default();
        let mut request = CallReq {
            cr_flag: CRYPTO_ALWAYS_QUEUE | CRYPTO_SKIP_REQID,
            cr_callback_func: Some(done),
            cr_callback_arg: (&raw mut answer).cast(),
            cr_reqid: 0,
        };
        self.0.call(&mut request, |rv| {
            assert_eq!(rv, CRYPTO_QUEUED);
            let guard = answer.0.lock().expect("a callback");
            let guard = answer.1.wait_while(guard, |value| value.is_none()).expect("a callback");
            guard.unwrap_or_default()
        })
    }

    fn check(&self) -> Result<(), String> {
        self.0.check()
    }
}

/// Flags and result of a queued request (`sys/crypto/api.h`, `sys/crypto/common.h`).
const CRYPTO_ALWAYS_QUEUE: u32 = 1;
const CRYPTO_SKIP_REQID: u32 = 4;
const CRYPTO_QUEUED: c_int = 0x45;

/// A template as an SA makes it: before the SA knows of any packet.
fn template(secret: &Secret) -> Template {
    let mut request: Request = secret.request();
    request.mechanism.cm_param = core::ptr::null_mut();
    request.mechanism.cm_param_len = 0;
    let mut template = core::ptr::null_mut();
    // SAFETY: the request's pointers are valid.
    let rv = unsafe {
        crypto_create_ctx_template(
            &mut request.mechanism,
            &mut request.key,
            &mut template,
            KM_NOSLEEP,
        )
    };
    assert_eq!(rv, CRYPTO_SUCCESS, "crypto_create_ctx_template");
    Template(template)
}

pub(crate) fn shapes(modes: &[Mode]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for &mode in modes {
        let cbc = mode == Mode::Cbc;
        let size = |len: usize| if cbc { len.next_multiple_of(16) } else { len };
        for way in [Way::Encrypt, Way::Decrypt] {
            let packet = |payload, fragments| Packet {
                mode,
                key_bits: 128,
                payload: size(payload),
                icv: if cbc { 0 } else { 16 },
                fragments,
                way,
            };
            for fragments in [2, 5] {
                let shape = packet(1420, fragments).shape();
                let barred = mode == Mode::Gcm || cbc && way == Way::Decrypt && fragments == 5;
                shapes.push(Shape { bar: barred.then_some(0.80), ..shape });
            }
            shapes.push(packet(40, 2).shape());
            shapes.push(packet(9000, 8).shape());
            // Every number of fragments, for the result.
            for fragments in 1..=8 {
                for payload in [40, 64, 576, 1420, 9000] {
                    let packet = packet(payload, fragments);
                    let packet = Packet { key_bits: [128, 192, 256][fragments % 3], ..packet };
                    let icv = if cbc { 0 } else { [8, 12, 16][(fragments + payload / 8) % 3] };
                    shapes.push(Packet { icv, ..packet }.shape().timed_if(false));
                }
            }
            for fragments in [1, 4] {
                shapes.push(packet(1420, fragments).in_interrupt(true));
                shapes.push(packet(1420, fragments).in_interrupt(false));
                shapes.push(packet(1420, fragments).queued());
                if !cbc && way == Way::Decrypt {
                    shapes.push(packet(1420, fragments).forged());
                }
            }
        }
    }
    shapes
}
