// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every split of short messages over update calls and over pieces, on both sides, in every mode,
//! direction, format and place. Other implementations computed the expected output once for each message.
//!
//! The tests here run every cut. Formats, places, offsets and tables take turns over the cuts, with coprime
//! periods. The ignored tests run the full product.

mod layout;
mod oracle;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_provider::engine::force;
use kcfaes_vectors::{Mode, Stream};
use layout::{Calls, Memory, Place, REFUSED, Shape, Side};
use oracle::Message;

const OFFSETS: [usize; 5] = [0, 1, 15, 16, 17];

/// A message ready to be sent many times.
struct Task {
    message: Message,
    way: Way,
    request: Request,
    template: Template,
}

impl Task {
    fn new(mode: Mode, way: Way, len: usize) -> Self {
        let mut random = Stream::new(len as u64);
        let message = Message::draw(mode, [16, 24, 32][len % 3], len, &mut random);
        let mut request = message.request();
        // By the best table, so that the template has what every table needs.
        force(None);
        let template = request.template();
        Self { message, way, request, template }
    }

    /// Whether the request can go in place in that way.
    fn may(&self, place: Place) -> bool {
        let grows = self.message.output(self.way).len() > self.message.input(self.way).len()
            || self.message.mode.is_mac() && self.way != Way::Decrypt;
        match place {
            Place::Apart => true,
            Place::Twin => self.way != Way::Mac,
            Place::Null => !grows,
        }
    }

    /// Whether anything except full blocks is an error.
    fn blocks_only(&self) -> bool {
        matches!(self.message.mode, Mode::Ecb | Mode::Cbc)
    }

    fn send(&mut self, memory: &mut Memory, template: bool, shape: &Shape) -> Sent {
        let template = template.then_some(&self.template);
        match memory.send(&self.message, self.way, &mut self.request, template, shape) {
            Ok(()) => Sent::Through,
            Err(why) if why == REFUSED => Sent::Refused,
            Err(why) => panic!(
                "{} {:?} of {} bytes, {shape:?}: {why}",
                self.message.mode.name(),
                self.way,
                self.message.text.len()
            ),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Sent {
    Through,
    Refused,
}

/// Takes turns through choices, each with its own period, so that all combinations come up.
struct Turns(usize);

impl Turns {
    fn pick<T: Copy>(&self, from: &[T], period: usize) -> T {
        from[self.0 / period % from.len()]
    }

    fn next(&mut self) {
        self.0 += 1;
    }
}

/// Forces any table, because results must not depend on it. Tests here may run at the same time.
fn some_table(turn: usize) {
    let tables = kernel::tables();
    assert!(force(Some(tables[turn % tables.len()])));
}

fn places(task: &Task) -> Vec<Place> {
    Place::ALL.into_iter().filter(|&place| task.may(place)).collect()
}

/// Two and three parts at every place of every message of up to `most` bytes.
fn updates(most: usize, full: bool) {
    kernel::load();
    let mut memory = Memory::default();
    let mut turns = Turns(0);
    let (mut through, mut refused) = (0_u64, 0_u64);
    for (mode, way) in tasks() {
        for len in 0..=most {
            if matches!(mode, Mode::Ecb | Mode::Cbc) && len % 16 != 0 {
                continue;
            }
            let mut task = Task::new(mode, way, len);
            let places = places(&task);
            let n = task.message.input(way).len();
            for a in 0..=n {
                for b in 0..=n - a {
                    let cases = if full { 9 * places.len() } else { 1 };
                    for _ in 0..cases {
                        turns.next();
                        some_table(turns.0 / 3);
                        let place = turns.pick(&places, 1);
                        let (from, to) =
                            (turns.pick(&Format::ALL, places.len()), turns.pick(&Format::ALL, 7));
                        let crumbs =
                            [1 + turns.0 % 17, 1 + turns.0 % 5, 0, 1 + turns.0 % 16, 16, 1];
                        let pieces = [crumbs.as_slice(), &crumbs, &crumbs, &crumbs].concat();
                        let shape = Shape {
                            calls: Calls::Parts(if b == 0 { vec![a] } else { vec![a, b] }),
                            input: Side::new(from, &pieces, turns.pick(&OFFSETS, 2)),
                            output: Side::new(to, &pieces[1..], turns.pick(&OFFSETS, 11)),
                            place,
                        };
                        match task.send(&mut memory, turns.0.is_multiple_of(4), &shape) {
                            Sent::Through => through += 1,
                            Sent::Refused => {
                                assert!((a | b) % 16 != 0, "{shape:?} has no partial block");
                                refused += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(through > refused && refused > 0, "{through} through, {refused} refused");
    assert_eq!(kernel::violations(), Vec::<String>::new());
    println!("{through} messages in parts, {refused} refused behind a partial block");
}

#[test]
fn every_split_over_updates() {
    updates(80, false);
}

#[test]
#[ignore = "exhaustive"]
fn every_split_over_updates_full() {
    updates(272, false);
    updates(80, true);
}

/// Two and three pieces at every place of every message of up to `most` bytes, on either side and on both
/// sides.
fn cuts(most: usize, full: bool) {
    kernel::load();
    let mut memory = Memory::default();
    let mut turns = Turns(0);
    let mut sent = 0_u64;
    for (mode, way) in tasks() {
        for len in 0..=most {
            if matches!(mode, Mode::Ecb | Mode::Cbc) && len % 16 != 0 {
                continue;
            }
            let mut task = Task::new(mode, way, len);
            let places = places(&task);
            let n = task.message.input(way).len().max(task.message.output(way).len());
            for a in 0..=n {
                for b in 0..=n - a {
                    let cases = if full { 9 * places.len() } else { 1 };
                    for _ in 0..cases {
                        turns.next();
                        some_table(turns.0 / 5);
                        sent += 1;
                        let place = turns.pick(&places, 1);
                        let [from, to] = match turns.pick(&[0, 1, 2], places.len()) {
                            0 => [Format::Uio, turns.pick(&Format::ALL, 5)],
                            1 => [Format::Mblk, turns.pick(&Format::ALL, 5)],
                            _ => [Format::Raw, turns.pick(&[Format::Uio, Format::Mblk], 5)],
                        };
                        let (c, d) = (turns.0 % (n + 1), turns.0 / 7 % (n + 1));
                        let other = [c, d.saturating_sub(c)];
                        let (one, two) = match turns.pick(&[0, 1, 2], 3 * places.len()) {
                            0 => ([a, b], [a, b]),
                            1 => ([a, b], other),
                            _ => (other, [a, b]),
                        };
                        let calls =
                            if turns.0.is_multiple_of(16) { Calls::Single } else { Calls::Atomic };
                        let shape = Shape {
                            calls,
                            input: Side::new(from, &one, turns.pick(&OFFSETS, 2)),
                            output: Side::new(to, &two, turns.pick(&OFFSETS, 11)),
                            place,
                        };
                        let sent = task.send(&mut memory, !turns.0.is_multiple_of(8), &shape);
                        assert!(sent == Sent::Through);
                    }
                }
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
    println!("{sent} messages in two or three pieces");
}

#[test]
fn every_cut_into_three_pieces() {
    cuts(80, false);
}

#[test]
#[ignore = "exhaustive"]
fn every_cut_into_three_pieces_full() {
    cuts(272, false);
    cuts(80, true);
}

/// Every composition of up to `most` bytes, as a window at several places of a message, on either side and
/// on both sides.
fn compositions(most: usize) {
    kernel::load();
    let mut memory = Memory::default();
    let mut turns = Turns(0);
    let mut sent = 0_u64;
    for (mode, way) in tasks() {
        let mut tasks: Vec<Task> =
            [32, 48].map(|len| Task::new(mode, way, len)).into_iter().collect();
        if !tasks[0].blocks_only() {
            tasks.extend((0..=most).map(|len| Task::new(mode, way, len)));
        }
        let places = places(&tasks[0]);
        for n in 1..=most {
            for bits in 0..1_usize << (n - 1) {
                turns.next();
                some_table(turns.0 / 3);
                let composition = composition(n, bits);
                let complement = self::composition(n, !bits);
                for place in &places {
                    for side in 0..3 {
                        turns.next();
                        sent += 1;
                        // Whole messages of n bytes if the mode has them, otherwise windows of longer ones.
                        let (task, start) = match turns.pick(&[0, 1, 2], 1) {
                            0 if tasks.len() > 2 => (&mut tasks[2 + n], 0),
                            1 => (&mut tasks[0], turns.pick(&[0, 1, 15, 16, 17], 3)),
                            _ => (&mut tasks[1], turns.pick(&[0, 7, 16, 20, 31], 3)),
                        };
                        let window = [[start].as_slice(), &composition].concat();
                        let other = [[start].as_slice(), &complement].concat();
                        let lists = [Format::Uio, Format::Mblk];
                        let (from, to) = (turns.pick(&lists, 1), turns.pick(&lists, 2));
                        let (one, two) = match side {
                            0 => (Side::new(from, &window, 0), Side::new(Format::Raw, &[], 0)),
                            1 => (Side::new(Format::Raw, &[], 0), Side::new(to, &window, 0)),
                            _ => (Side::new(from, &window, 0), Side::new(to, &other, 0)),
                        };
                        let shape = Shape {
                            calls: Calls::Atomic,
                            input: Side { offset: turns.pick(&OFFSETS, 1), ..one },
                            output: Side { offset: turns.pick(&OFFSETS, 5), ..two },
                            place: *place,
                        };
                        assert!(task.send(&mut memory, true, &shape) == Sent::Through);
                    }
                }
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
    println!("{sent} messages in every composition of up to {most} bytes");
}

/// The `bits`-th composition of `n`. Bit i says whether a piece ends after byte i.
fn composition(n: usize, bits: usize) -> Vec<usize> {
    let mut pieces = vec![1];
    for i in 0..n - 1 {
        if bits >> i & 1 == 1 {
            pieces.push(1);
        } else if let Some(last) = pieces.last_mut() {
            *last += 1;
        }
    }
    pieces
}

#[test]
fn every_composition_of_twelve_bytes() {
    compositions(12);
}

#[test]
#[ignore = "exhaustive"]
fn every_composition_of_twenty_bytes_full() {
    compositions(20);
}

/// Output in pieces of one length, 1 to 17 bytes, and input in pieces of another, at every pair of offsets,
/// with empty pieces between.
#[test]
fn even_pieces_at_every_offset() {
    kernel::load();
    let mut memory = Memory::default();
    let mut turns = Turns(0);
    for (mode, way) in tasks() {
        for len in [0, 16, 48, 79, 80, 160] {
            if matches!(mode, Mode::Ecb | Mode::Cbc) && len % 16 != 0 {
                continue;
            }
            let mut task = Task::new(mode, way, len);
            let places = places(&task);
            for piece in 1..=17 {
                for from in OFFSETS {
                    for to in OFFSETS {
                        turns.next();
                        some_table(turns.0 / 3);
                        let even = |piece: usize| -> Vec<usize> {
                            (0..180 / piece).flat_map(|_| [piece, 0]).collect()
                        };
                        let shape = Shape {
                            calls: match turns.0 % 3 {
                                0 => Calls::Parts(vec![len / 32 * 16]),
                                1 => Calls::Single,
                                _ => Calls::Atomic,
                            },
                            input: Side::new(
                                turns.pick(&Format::ALL, 1),
                                &even(1 + turns.0 % 17),
                                from,
                            ),
                            output: Side::new(
                                turns.pick(&[Format::Uio, Format::Mblk], 2),
                                &even(piece),
                                to,
                            ),
                            place: turns.pick(&places, 1),
                        };
                        let sent = task.send(&mut memory, turns.0.is_multiple_of(2), &shape);
                        assert!(sent == Sent::Through);
                    }
                }
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// A counter wraps just before, at and just after the end of a part: within its bits, and in the 32 bits that
/// kernels count in. The direct path leaves the second and the third to the general one.
#[test]
fn a_counter_wraps_around_the_end_of_a_part() {
    kernel::load();
    let mut memory = Memory::default();
    for bits in [2, 8, 31, 32, 33, 64, 128] {
        for (wrapping, before) in
            [bits, bits.min(32)].iter().flat_map(|&w| [(w, 1), (w, 2), (w, 3)])
        {
            let mut message = Message::draw(Mode::Ctr, 16, 96, &mut Stream::new(u64::from(bits)));
            let ones = u128::MAX >> (128 - wrapping);
            let iv: [u8; 16] = message.iv.as_slice().try_into().expect("a block");
            let first = u128::from_be_bytes(iv) & !ones | (ones - (before - 1));
            message.iv = first.to_be_bytes().to_vec();
            message.bits = bits;
            let message = message.seal();
            let mut request = message.request();
            for &table in kernel::tables() {
                assert!(force(Some(table)));
                let side = Side::new(Format::Raw, &[], 0);
                let shape = Shape {
                    calls: Calls::Parts(vec![32]),
                    input: side.clone(),
                    output: side,
                    place: Place::Apart,
                };
                let sent = memory.send(&message, Way::Encrypt, &mut request, None, &shape);
                assert!(sent.is_ok(), "{bits}, {before} blocks before {wrapping} bits: {sent:?}");
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// Texts of several hundred bytes in small pieces, which the provider puts together 512 bytes at a time: around
/// each multiple of that, in pieces of 1 to 80 bytes, and with one long piece among them.
#[test]
fn small_pieces_of_a_text_of_several_stages() {
    kernel::load();
    let mut memory = Memory::default();
    let mut turns = Turns(0);
    for (mode, way) in tasks() {
        for len in [496, 511, 512, 513, 528, 1024, 1040, 1279, 1536, 1552] {
            if matches!(mode, Mode::Ecb | Mode::Cbc) && len % 16 != 0 {
                continue;
            }
            let mut task = Task::new(mode, way, len);
            let places = places(&task);
            for piece in [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 20, 31, 32, 33, 60, 80] {
                for &table in kernel::tables() {
                    kernel::use_table(table);
                    turns.next();
                    let small = |piece: usize| -> Vec<usize> {
                        let long = if turns.0.is_multiple_of(5) { 600 } else { 0 };
                        let more = (1700 / piece).min(380);
                        [piece, long].into_iter().chain((0..more).map(|_| piece)).collect()
                    };
                    let other = turns.pick(&[piece, 20, 2000], 1);
                    let shape = Shape {
                        calls: if turns.0.is_multiple_of(3) {
                            Calls::Single
                        } else {
                            Calls::Atomic
                        },
                        input: Side::new(
                            turns.pick(&[Format::Uio, Format::Mblk], 1),
                            &small(piece),
                            0,
                        ),
                        output: Side::new(
                            turns.pick(&[Format::Mblk, Format::Uio], 2),
                            &small(other),
                            0,
                        ),
                        place: turns.pick(&places, 1),
                    };
                    assert!(task.send(&mut memory, true, &shape) == Sent::Through);
                }
            }
        }
    }
    force(None);
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
