// SPDX-License-Identifier: MIT OR Apache-2.0
//! Day-to-day figures: the direct calls of each table of kernels and the ops vector, AES-128, three
//! lengths. `cargo bench -p kcfaes-bench` compares with its own last run. The interleaved program makes
//! all other comparisons.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kcfaes_bench::contender::{API, Role, make_genuine, ours, prepare};
use kcfaes_bench::message::{Message, Operation};

const LENGTHS: [usize; 3] = [64, 1424, 16384];

fn modes(criterion: &mut Criterion) {
    let (field, _) = ours();
    for operation in Operation::WARM {
        let mut group = criterion.benchmark_group(operation.name());
        for len in LENGTHS {
            let message = Message::new(operation, 128, len);
            make_genuine(&message);
            group.throughput(Throughput::Bytes(len as u64));
            for contender in &field {
                if contender.role() == Role::Reference || contender.name() == API {
                    continue;
                }
                if let Some(prepared) = prepare(&**contender, &message) {
                    let id = BenchmarkId::new(contender.name(), len);
                    group.bench_function(id, |bencher| bencher.iter(|| prepared.once()));
                }
            }
        }
        group.finish();
    }
}

criterion_group!(benches, modes);
criterion_main!(benches);
