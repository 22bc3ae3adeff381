// SPDX-License-Identifier: MIT OR Apache-2.0
//! kssl (`ksslrec.c`): a CBC context lives as long as the connection. Each record is one update in
//! place, with an output of NULL. `final` is never called; the context is cancelled at the end.

use core::ffi::c_int;

use kcfaes_ffi_tests::consumer::{Message, Out, Request, Way};
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::Mode;

use std::rc::Rc;

use crate::memory::Memory;
use crate::replay::{Atomic, Replay, Secret, Shape, same, same_bytes};

struct Connection {
    request: Request,
    way: Way,
    message: Option<Message>,
    records: Vec<(Memory, Vec<u8>)>,
    want: Vec<u8>,
    /// What each record's `cd_length` was afterwards.
    lengths: Vec<usize>,
}

impl Connection {
    fn shape(key_bits: usize, way: Way, records: &'static [usize]) -> Shape {
        let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
        let len = records.iter().sum();
        let name = format!("CBC-{key_bits} {verb} {} records, {len} B, in place", records.len());
        Shape::timed(name, len, move |plan| {
            let secret = Secret {
                mode: Mode::Cbc,
                key: plan.draw(key_bits / 8),
                iv: plan.draw(16),
                aad: vec![],
                tag_len: 0,
                text: plan.draw(len),
            };
            let (from, want) = secret.ways(way);
            let mut rest = from.as_slice();
            let mut own = Vec::new();
            for &len in records {
                let (now, later) = rest.split_at(len);
                let memory = plan.raw(now).memory;
                let before = memory.bytes();
                own.push((memory, before));
                rest = later;
            }
            let (request, message, lengths) = (secret.request(), None, vec![]);
            let own = Self { request, way, message, records: own, want, lengths };
            let template = Some(Rc::new(secret.request().template()));
            (own, Atomic::contiguous_in_place(&secret, template, way, plan))
        })
    }

    fn hang_up(&mut self) {
        if let Some(message) = self.message.take() {
            message.cancel();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Replay for Connection {
    /// Another connection with the same key and IV.
    fn reset(&mut self) {
        self.hang_up();
        self.message = self.request.init(self.way, None).ok();
        for (record, before) in &mut self.records {
            record.fill(before);
        }
        self.lengths.clear();
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        let Some(message) = &mut self.message else { return -1 };
        self.lengths.clear();
        for (record, before) in &mut self.records {
            let mut data = record.data(0, before.len());
            let rv = message.update(&mut data, Out::Null);
            if rv != CRYPTO_SUCCESS {
                return rv;
            }
            self.lengths.push(data.cd_length);
        }
        CRYPTO_SUCCESS
    }

    fn check(&self) -> Result<(), String> {
        let records = self.records.iter().map(|(record, _)| record.bytes());
        let must: Vec<_> = self.records.iter().map(|(_, before)| before.len()).collect();
        same("cd_length of the records", &self.lengths, &must)?;
        same_bytes("the records", &records.collect::<Vec<_>>().concat(), &self.want)
    }
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for way in [Way::Encrypt, Way::Decrypt] {
        shapes.push(Connection::shape(128, way, &[48, 16, 1024, 16384 + 32]));
        shapes.push(Connection::shape(256, way, &[16384 + 32]));
    }
    shapes
}
