// SPDX-License-Identifier: MIT OR Apache-2.0
//! One template under several threads, each on a CPU of its own. What they share is only read, so two
//! threads do twice as much as one.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Barrier;
use std::time::Instant;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_vectors::Mode;

use crate::clock::{Clock, median};
use crate::measure::{Bar, Effort, fast};
use crate::memory::Memory;

const TAG: usize = 16;
const WINDOW: Duration = Duration::from_millis(60);
const SCALING: f64 = 1.9;
/// Long compared with the chains of additions around a sample.
const SAMPLE_SECONDS: f64 = 80e-6;

pub(crate) fn bars(clock: &Clock, effort: Effort) -> Vec<Bar> {
    [16384, 1420].map(|len| bar(clock, len, effort.rounds)).into()
}

fn bar(clock: &Clock, len: usize, rounds: usize) -> Bar {
    let what = format!("two threads, one template, GCM-128 encrypt {len} B, raw");
    let [first, second] = match cpus().as_slice() {
        [first, second, ..] => [*first, *second],
        _ => return Bar::none(what, "this machine has one CPU"),
    };
    let template = request(0).template();
    let mut best = [Rate::default(); 3];
    fast(|| {
        for _ in 0..rounds {
            let runs: [&[usize]; 3] = [&[first], &[second], &[first, second]];
            for (best, cpus) in best.iter_mut().zip(runs) {
                let now = rate(clock, cpus, &template, len);
                // Noise only lowers a rate.
                best.in_a_second = best.in_a_second.max(now.in_a_second);
                best.in_a_cycle = best.in_a_cycle.max(now.in_a_cycle);
            }
        }
    });
    let scaling = |of: fn(&Rate) -> f64| 2.0 * of(&best[2]) / (of(&best[0]) + of(&best[1]));
    let by_cycles = scaling(|rate| rate.in_a_cycle);
    Bar::at_least(what, "x one thread", scaling(|rate| rate.in_a_second), SCALING)
        .remark(format!("{by_cycles:.2} x in core cycles"))
}

/// Operations of all threads.
#[derive(Clone, Copy, Default)]
struct Rate {
    in_a_second: f64,
    /// From the median of each thread's samples.
    in_a_cycle: f64,
}

fn request(thread: usize) -> Request {
    Request::new(Mode::Gcm, &[7; 16], &[thread as u8; 12], 0, &[], TAG)
}

/// The rate of all threads together, one thread on each of `cpus`.
fn rate(clock: &Clock, cpus: &[usize], template: &Template, len: usize) -> Rate {
    let (barrier, stop) = (Barrier::new(cpus.len() + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let start = |&cpu| {
            let (barrier, stop) = (&barrier, &stop);
            scope.spawn(move || {
                pin(cpu);
                let mut request = request(cpu);
                let mut input = Memory::room(Format::Raw, &[len]);
                let mut output = Memory::room(Format::Raw, &[len + TAG]);
                let mut once = || {
                    let (mut src, mut dst) = (input.data(0, len), output.data(0, len + TAG));
                    request.atomic(Way::Encrypt, Some(template), &mut src, Some(&mut dst))
                };
                let seconds = (0..5).map(|_| clock.measure(|| assert_eq!(once(), 0)).seconds);
                let runs = (SAMPLE_SECONDS / seconds.fold(f64::INFINITY, f64::min)) as usize;
                barrier.wait();
                let (start, mut samples, mut status) = (Instant::now(), vec![], 0);
                while !stop.load(Ordering::Relaxed) {
                    let span = clock.measure(|| (0..runs).for_each(|_| status |= once()));
                    samples.push(span.cycles / runs as f64);
                }
                assert_eq!(status, 0);
                let seconds = start.elapsed().as_secs_f64();
                Rate {
                    in_a_second: (samples.len() * runs) as f64 / seconds,
                    in_a_cycle: 1.0 / median(&samples),
                }
            })
        };
        let threads: Vec<_> = cpus.iter().map(start).collect();
        barrier.wait();
        std::thread::sleep(WINDOW);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().fold(Rate::default(), |sum, thread| {
            let rate = thread.join().expect("a thread");
            Rate {
                in_a_second: sum.in_a_second + rate.in_a_second,
                in_a_cycle: sum.in_a_cycle + rate.in_a_cycle,
            }
        })
    })
}

/// The CPUs that this process may use.
fn cpus() -> Vec<usize> {
    // SAFETY: a set of CPUs may be zero, and the call fills it.
    unsafe {
        let mut set: libc::cpu_set_t = core::mem::zeroed();
        if libc::sched_getaffinity(0, size_of_val(&set), &mut set) != 0 {
            return vec![];
        }
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &set)).collect()
    }
}

/// Keeps this thread on `cpu`.
fn pin(cpu: usize) {
    // SAFETY: as above; `cpu` is one of `cpus()`.
    unsafe {
        let mut set: libc::cpu_set_t = core::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}
