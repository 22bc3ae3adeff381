// SPDX-License-Identifier: MIT OR Apache-2.0
//! CCM compared with CBC encryption of the same bytes. Both are one chain of blocks, and each block
//! waits for the one before. The additional work of CCM should hide in the waiting.

use std::rc::Rc;

use kcfaes_ffi_tests::consumer::Way;
use kcfaes_vectors::Mode;

use crate::clock::Clock;
use crate::measure::{self, Bar, Effort};
use crate::replay::{Atomic, Plan, Secret};

const LEN: usize = 65536;
const TO_CBC: f64 = 1.10;

pub(crate) fn bars(clock: &Clock, effort: Effort) -> Vec<Bar> {
    let ways = [(128, Way::Encrypt), (256, Way::Encrypt), (256, Way::Decrypt)];
    ways.map(|(key_bits, way)| {
        let mut plan = Plan::new(1, None);
        let mut operation = |mode, iv_len, tag_len, way| {
            let (key, iv, text) = (plan.draw(key_bits / 8), plan.draw(iv_len), plan.draw(LEN));
            let secret = Secret { mode, key, iv, aad: vec![], tag_len, text };
            let template = Rc::new(secret.request().template());
            Atomic::contiguous(&secret, Some(template), way, &mut plan)
        };
        let mut ccm = operation(Mode::Ccm, 12, 16, way);
        let mut cbc = operation(Mode::Cbc, 16, 0, Way::Encrypt);
        let times = measure::pair(clock, effort, &mut ccm, &mut cbc);
        let verb = if way == Way::Encrypt { "encrypt" } else { "decrypt" };
        let what = format!("CCM-{key_bits} {verb} {LEN} B, raw, template");
        Bar::at_most(what, "x CBC encryption", 1.0 / times.speed(), TO_CBC)
    })
    .into()
}
