// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random messages in random layouts against two implementations. RustCrypto's crates of modes support some
//! of the parameters; a composition over single blocks supports all. A failure shrinks to the shortest
//! message, the fewest pieces and the plainest layout that still fail.

mod layout;
mod oracle;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::Way;
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::engine::{TableId, force};
use kcfaes_provider::kcf::CRYPTO_INVALID_MAC;
use kcfaes_provider::watch::forbid_direct;
use kcfaes_vectors::{Mode, Stream};
use layout::{Calls, Memory, Place, REFUSED, Shape, Side, Verdict};
use oracle::Message;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError};

/// What is drawn. The bytes come from a seed, because shrinking their values would tell nothing.
#[derive(Clone, Debug)]
struct Case {
    mode: Mode,
    key_len: usize,
    iv_len: usize,
    bits: u32,
    aad_len: usize,
    tag_len: usize,
    len: usize,
    seed: u64,
    /// Set all low bytes of a counter or IV, so that the counter wraps soon.
    wraps: bool,
}

impl Case {
    fn message(&self) -> Message {
        let mut random = Stream::new(self.seed);
        let blocks = matches!(self.mode, Mode::Ecb | Mode::Cbc);
        let len = if blocks { self.len & !15 } else { self.len };
        let mut message = Message::draw(self.mode, self.key_len, len, &mut random);
        match self.mode {
            Mode::Ctr => message.bits = self.bits,
            Mode::Gcm => {
                message.iv = random.draw(self.iv_len);
                message.tag_len = self.tag_len;
            }
            Mode::Ccm => {
                message.iv = random.draw(7 + self.iv_len % 7);
                message.tag_len = self.tag_len / 2 * 2;
            }
            _ => {}
        }
        if message.tag_len > 0 && message.mode != Mode::Cmac {
            message.aad = random.draw(self.aad_len);
        }
        if self.wraps && self.mode == Mode::Ctr {
            let low = 1 + self.seed as usize % 16;
            message.iv[16 - low..].fill(0xff);
            message.iv[15] = 0xfd;
        }
        message.seal()
    }
}

/// Mostly short lengths, and lengths around blocks and the kernels' strides.
fn length(most: usize) -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..most.min(100),
        2 => (0..most / 128, 0_usize..5).prop_map(|(n, d)| (n * 128 + d).saturating_sub(2)),
        1 => 0..most,
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let iv_len = prop_oneof![3 => Just(12), 2 => select(vec![1, 8, 16, 17, 60]), 1 => 1_usize..300];
    let bits = prop_oneof![select(vec![32, 64, 128]), 1_u32..=128];
    (
        select(Mode::ALL.to_vec()),
        select(vec![16, 24, 32]),
        (iv_len, bits),
        prop_oneof![2 => 0_usize..40, 1 => length(2000)],
        select(vec![16, 12, 13, 14, 15, 8, 4]),
        length(3000),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(mode, key_len, (iv_len, bits), aad_len, tag_len, len, seed, wraps)| Case {
            mode,
            key_len,
            iv_len,
            bits,
            aad_len,
            tag_len,
            len,
            seed,
            wraps,
        })
}

fn side() -> impl Strategy<Value = Side> {
    let piece = prop_oneof![3 => 0_usize..=20, 1 => 0_usize..700];
    (
        select(Format::ALL.to_vec()),
        prop::collection::vec(piece, 0..40),
        prop_oneof![select(vec![0, 1, 15, 16, 17]), 0_usize..50],
        any::<bool>(),
    )
        .prop_map(|(format, cut, offset, apart)| Side {
            format,
            cut,
            offset: offset.min(32),
            apart,
        })
}

#[derive(Clone, Debug)]
struct Layout {
    decrypt: bool,
    calls: u8,
    parts: Vec<usize>,
    input: Side,
    output: Side,
    place: Place,
    template: bool,
    /// Whether the direct path is forbidden.
    general: bool,
    table: TableId,
    /// The table that makes the template.
    maker: TableId,
    forge: Option<usize>,
}

fn layout() -> impl Strategy<Value = Layout> {
    let part = prop_oneof![3 => 0_usize..=40, 1 => 0_usize..900];
    (
        any::<bool>(),
        0_u8..4,
        prop::collection::vec(part, 0..12),
        side(),
        side(),
        select(Place::ALL.to_vec()),
        (any::<bool>(), any::<bool>()),
        (select(kernel::tables().to_vec()), select(kernel::tables().to_vec())),
        prop::option::weighted(0.2, any::<usize>()),
    )
        .prop_map(
            |(
                decrypt,
                calls,
                parts,
                input,
                output,
                place,
                (template, general),
                (table, maker),
                forge,
            )| {
                Layout {
                    decrypt,
                    calls,
                    parts,
                    input,
                    output,
                    place,
                    template,
                    general,
                    table,
                    maker,
                    forge,
                }
            },
        )
}

fn check(case: &Case, layout: &Layout, memory: &mut Memory) -> Result<(), TestCaseError> {
    let message = case.message();
    if let Some(other) = message.by_crates() {
        prop_assert_eq!(&message.sealed, &other, "the two implementations differ");
    }
    let way = match (layout.decrypt, message.mode) {
        (true, Mode::Cmac) => Way::Mac,
        (true, _) => Way::Decrypt,
        (false, Mode::Gmac) if layout.calls < 2 => Way::Mac,
        (false, _) => Way::Encrypt,
    };
    let (mut input, want) = (message.input(way), message.output(way));
    let forged = match layout.forge {
        Some(bit) if message.tag_len > 0 && way == Way::Decrypt => {
            let bit = bit % (input.len() * 8);
            input[bit / 8] ^= 1 << (bit % 8);
            true
        }
        _ => false,
    };
    let mut parts = layout.parts.clone();
    let mut left = input.len();
    for part in &mut parts {
        *part = (*part).min(left);
        left -= *part;
    }
    // What the framework has no way to request.
    let place = match layout.place {
        Place::Null if way != Way::Decrypt && message.tag_len > 0 => Place::Apart,
        Place::Twin if way == Way::Mac => Place::Apart,
        place => place,
    };
    let shape = Shape {
        calls: match layout.calls {
            0 => Calls::Atomic,
            1 => Calls::Single,
            _ => Calls::Parts(parts),
        },
        input: layout.input.clone(),
        output: layout.output.clone(),
        place,
    };
    // A page holds one piece of a list that is apart.
    let mut shape = shape;
    for (side, len) in [(&mut shape.input, input.len()), (&mut shape.output, want.len())] {
        let named: usize = side.cut.iter().sum();
        if len > named && side.format != Format::Raw {
            side.cut.extend(core::iter::repeat_n(1000, (len - named).div_ceil(1000)));
        }
    }
    let mut request = message.request();
    forbid_direct(layout.general);
    assert!(force(Some(layout.maker)));
    let template = layout.template.then(|| request.template());
    assert!(force(Some(layout.table)));
    let verdict = if forged { Verdict::Forged(CRYPTO_INVALID_MAC) } else { Verdict::Good };
    let data = (input.as_slice(), want.as_slice());
    match memory.pass(&message, way, &mut request, template.as_ref(), &shape, verdict, data) {
        Ok(()) => Ok(()),
        Err(why) if why == REFUSED => Ok(()),
        Err(why) => Err(TestCaseError::fail(format!("{way:?}, {shape:?}: {why}"))),
    }
}

fn cases(number: u32) {
    kernel::load();
    let config = Config {
        cases: number,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let memory = core::cell::RefCell::new(Memory::default());
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner
        .run(&(case(), layout()), |(case, layout)| check(&case, &layout, &mut memory.borrow_mut()));
    if let Err(why) = result {
        panic!("{why}");
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

#[test]
fn random_messages_in_random_layouts() {
    cases(100_000);
}

#[test]
#[ignore = "exhaustive"]
fn random_messages_in_random_layouts_full() {
    cases(1_000_000);
}

/// The property is tested against two implementations that are independent. They agree with each other and
/// with a published answer: the GCM specification's test case 4, of the kind of SP 800-38D's validation
/// suite.
#[test]
fn both_implementations_know_a_published_answer() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits = hex.as_bytes().as_chunks::<2>().0.iter();
        let byte = |d: &[u8; 2]| u8::from_str_radix(core::str::from_utf8(d).expect("hex"), 16);
        digits.map(|d| byte(d).expect("hex")).collect()
    };
    let message = Message {
        mode: Mode::Gcm,
        key: bytes("feffe9928665731c6d6a8f9467308308"),
        iv: bytes("cafebabefacedbaddecaf888"),
        bits: 0,
        aad: bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        tag_len: 16,
        text: bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        ),
        sealed: bytes(
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
        ),
    };
    assert_eq!(message.by_blocks(), message.sealed);
    assert_eq!(message.by_crates(), Some(message.sealed.clone()));
}
