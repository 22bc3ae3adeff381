// SPDX-License-Identifier: MIT OR Apache-2.0
//! One template under several threads, each on a CPU of its own: what is shared is only read, so
//! that two do twice as much as one.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Barrier;
use std::time::Instant;

use kcfaes_ffi_tests::buffer::Format;
use kcfaes_ffi_tests::consumer::{Request, Template, Way};
use kcfaes_vectors::Mode;

use crate::measure::{Bar, Effort, fast};
use crate::memory::Memory;

const TAG: usize = 16;
const WINDOW: Duration = Duration::from_millis(60);
const SCALING: f64 = 1.9;

pub(crate) fn bars(effort: Effort) -> Vec<Bar> {
    [16384, 1420].map(|len| bar(len, effort.rounds)).into()
}

fn bar(len: usize, rounds: usize) -> Bar {
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
                let now = rate(cpus, &template, len);
                // Noise only takes away.
                if now.by_clock > best.by_clock {
                    *best = now;
                }
            }
        }
    });
    let scaling = |of: fn(&Rate) -> f64| 2.0 * of(&best[2]) / (of(&best[0]) + of(&best[1]));
    let (by_clock, by_cpu) = (scaling(|rate| rate.by_clock), scaling(|rate| rate.by_cpu));
    Bar::at_least(what, "x one thread", by_clock, SCALING)
        .remark(format!("{by_cpu:.2} x by the time that the threads had a CPU"))
}

/// Operations in a second.
#[derive(Clone, Copy, Default)]
struct Rate {
    by_clock: f64,
    /// In a second of a thread's time on a CPU: what other work takes away is not in it.
    by_cpu: f64,
}

fn request(thread: usize) -> Request {
    Request::new(Mode::Gcm, &[7; 16], &[thread as u8; 12], 0, &[], TAG)
}

/// Of all threads together, one on each of `cpus`.
fn rate(cpus: &[usize], template: &Template, len: usize) -> Rate {
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
                assert_eq!(once(), 0);
                barrier.wait();
                let (start, cpu_start) = (Instant::now(), cpu_seconds());
                let (mut operations, mut status) = (0.0, 0);
                while !stop.load(Ordering::Relaxed) {
                    (0..16).for_each(|_| status |= once());
                    operations += 16.0;
                }
                assert_eq!(status, 0);
                Rate {
                    by_clock: operations / start.elapsed().as_secs_f64(),
                    by_cpu: operations / (cpu_seconds() - cpu_start),
                }
            })
        };
        let threads: Vec<_> = cpus.iter().map(start).collect();
        barrier.wait();
        std::thread::sleep(WINDOW);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().fold(Rate::default(), |sum, thread| {
            let rate = thread.join().expect("a thread");
            Rate { by_clock: sum.by_clock + rate.by_clock, by_cpu: sum.by_cpu + rate.by_cpu }
        })
    })
}

/// What this thread has had of a CPU.
fn cpu_seconds() -> f64 {
    // SAFETY: the call fills the struct.
    unsafe {
        let mut time: libc::timespec = core::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    }
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
