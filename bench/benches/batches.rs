// SPDX-License-Identifier: MIT OR Apache-2.0
//! The batches of the plain C API beside one call for each message, AES-128, sixteen messages:
//! `cargo bench -p kcfaes-bench --bench batches`.

use core::ptr::null_mut;
use core::slice::from_mut;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kcfaes_bench as _; // the environment of the provider
use kcfaes_capi::api::*;

const COUNT: usize = 16;
const LENGTHS: [usize; 4] = [16, 64, 256, 1424];
/// Bytes of a sector, and bytes from one text to the next.
const SECTOR: usize = 512;
const STRIDES: [usize; 3] = [SECTOR, 4096, 8192];
const ROOM: usize = COUNT * 8192;

/// Memory at the start of a page.
#[repr(align(4096))]
struct Texts([[u8; ROOM]; 2]);

fn texts() -> Box<Texts> {
    Box::new(Texts([[0x35; ROOM]; 2]))
}

fn new_key() -> *mut kcfaes_key {
    let mut key = null_mut();
    // SAFETY: 16 bytes.
    let made = unsafe { kcfaes_key_new([0x5a; 16].as_ptr(), 16, &mut key) };
    assert!(made == kcfaes_rc::KCFAES_OK);
    key
}

fn gcm(criterion: &mut Criterion) {
    let (key, mut memory) = (new_key(), texts());
    let Texts([src, dst]) = &mut *memory;
    let (iv, aad, mut tags) = ([7; 12], [9; 13], [[0; 16]; COUNT]);
    let mut group = criterion.benchmark_group("GCM seal, 16 messages");
    for len in LENGTHS {
        let mut jobs: Vec<_> = (0..COUNT)
            .map(|i| kcfaes_gcm_job {
                iv: iv.as_ptr(),
                iv_len: iv.len(),
                aad: aad.as_ptr(),
                aad_len: aad.len(),
                src: src[i * len..].as_ptr(),
                dst: dst[i * len..].as_mut_ptr(),
                len,
                tag: tags[i].as_mut_ptr(),
                tag_len: 16,
                rc: kcfaes_rc::KCFAES_OK,
            })
            .collect();
        group.bench_function(BenchmarkId::new("one by one", len), |bencher| {
            bencher.iter(|| {
                for job in &jobs {
                    // SAFETY: the job names memory that is alive.
                    let rc = unsafe {
                        kcfaes_gcm_seal(
                            key,
                            job.iv,
                            job.iv_len,
                            job.aad,
                            job.aad_len,
                            job.src,
                            job.len,
                            job.dst,
                            job.tag,
                            job.tag_len,
                        )
                    };
                    assert!(rc == kcfaes_rc::KCFAES_OK);
                }
            });
        });
        group.bench_function(BenchmarkId::new("batch", len), |bencher| {
            bencher.iter(|| {
                // SAFETY: as above.
                let rc = unsafe { kcfaes_gcm_seal_batch(key, jobs.as_mut_ptr(), COUNT) };
                assert!(rc == kcfaes_rc::KCFAES_OK);
            });
        });
    }
    group.finish();
    // SAFETY: nobody uses it any more.
    unsafe { kcfaes_key_free(key) }
}

fn cbc(criterion: &mut Criterion) {
    let (key, mut memory) = (new_key(), texts());
    let Texts([src, dst]) = &mut *memory;
    let mut group = criterion.benchmark_group("CBC encrypt, 16 sectors");
    for stride in STRIDES {
        let mut jobs: Vec<_> = (0..COUNT)
            .map(|i| kcfaes_cbc_job {
                key,
                src: src[i * stride..].as_ptr(),
                dst: dst[i * stride..].as_mut_ptr(),
                len: SECTOR,
                iv: [7; 16],
            })
            .collect();
        let batch = |jobs: &mut [kcfaes_cbc_job]| {
            // SAFETY: the jobs name memory that is alive.
            let rc = unsafe { kcfaes_cbc_encrypt_batch(jobs.as_mut_ptr(), jobs.len()) };
            assert!(rc == kcfaes_rc::KCFAES_OK);
        };
        group.bench_function(BenchmarkId::new("one by one", stride), |bencher| {
            bencher.iter(|| jobs.iter_mut().for_each(|job| batch(from_mut(job))));
        });
        group.bench_function(BenchmarkId::new("batch", stride), |bencher| {
            bencher.iter(|| batch(&mut jobs));
        });
    }
    group.finish();
    // SAFETY: nobody uses it any more.
    unsafe { kcfaes_key_free(key) }
}

criterion_group!(benches, gcm, cbc);
criterion_main!(benches);
