// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module with the real provider: its tunables, its statistics, its self-tests, and the vector test
//! module. It is one test, because a process has one module.

use core::ffi::{c_int, c_uint};
use std::collections::BTreeMap;

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel::{
    self, fk_kmem_live_bytes, fk_log_clear, fk_module_load, fk_module_unload, kcfaes_gcm_stream,
    kcfaes_hold_bytes, kcfaes_light_bytes, kcfaes_table_max, statistic, statistics, table_in_use,
};
use kcfaes_ffi_tests::sample::{Sample, tasks};
use kcfaes_provider::engine::{LIGHT_BYTES, TableId};
use kcfaes_vectors::Mode;

unsafe extern "C" {
    fn kcfaes_test_module_init() -> c_int;
    fn kcfaes_test_module_fini() -> c_int;
    static mut kcfaes_test_stay: c_uint;
}

const ECANCELED: c_int = 47;
const EIO: c_int = 5;

/// The tunable's default: the module chooses.
const AUTOMATIC: c_uint = TableId::ALL.len() as c_uint;

/// Whether the table in use is the best of this CPU. Of two wide tables it is the one that the CPU's model
/// prefers.
fn the_best_is_in_use() -> bool {
    let [.., second, best] = kernel::tables() else { return false };
    let wide = *best == TableId::Vaes512 && table_in_use() == second.name();
    wide || table_in_use() == best.name()
}

/// Loads it without light holds: the table in use serves calls of every length.
fn load(table_max: c_uint, hold_bytes: c_uint, gcm_stream: c_uint) {
    // SAFETY: a tunable, which only the module's `_init` reads.
    unsafe { kcfaes_light_bytes = 0 };
    load_lightly(table_max, hold_bytes, gcm_stream);
}

fn load_lightly(table_max: c_uint, hold_bytes: c_uint, gcm_stream: c_uint) {
    // SAFETY: tunables, which only the module's `_init` reads; the name is a C string.
    let error = unsafe {
        kcfaes_table_max = table_max;
        kcfaes_hold_bytes = hold_bytes;
        kcfaes_gcm_stream = gcm_stream;
        fk_log_clear();
        fk_module_load(c"kcfaes".as_ptr(), kernel::kcfaes_module_init)
    };
    assert_eq!(error, 0, "{:?}", kernel::log());
}

fn unload() {
    assert_eq!(kernel::unload(), 0);
    // SAFETY: a counter.
    assert_eq!(unsafe { fk_kmem_live_bytes() }, 0);
}

fn request(mode: Mode) -> Request {
    let iv = [7; 16];
    let iv = if mode.has_tag() { &iv[..12] } else { &iv };
    Request::new(mode, &[1; 32], iv, 128, &[], 16)
}

fn raw(bytes: &[u8]) -> Buffer {
    Buffer::new(Format::Raw, bytes, &[bytes.len()])
}

/// Encrypts `len` bytes in one call. Returns the output.
fn seal(mode: Mode, len: usize) -> Vec<u8> {
    let produced = match mode {
        Mode::Gcm | Mode::Ccm => len + 16,
        Mode::Gmac | Mode::Cmac => 16,
        _ => len,
    };
    let mut input = raw(&vec![3; len]);
    let mut output = Buffer::room(Format::Raw, produced, &[produced]);
    let (mut src, mut dst) = (input.data(0, len), output.data(0, produced));
    let mut request = request(mode).for_text(len);
    assert_eq!(request.atomic(Way::Encrypt, None, &mut src, Some(&mut dst)), 0);
    output.bytes()
}

fn the_module_and_the_provider() {
    // This loads the module.
    _ = kernel::tables();
    unload();
    self_tests_are_short();
    statistics_have_their_names();
    statistics_are_exact();
    the_vector_test_module_passes();
    tunables_are_obeyed();
    tunables_out_of_range_are_clamped();
    another_context_takes_another_table();
    #[cfg(not(kcfaes_object))]
    a_table_change_is_for_later_calls();
    a_slow_cpu_is_told();
    no_memory_call_is_below_the_kernel();
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// One of many loads takes less than 5 ms. In most of them the thread may have to wait.
fn self_tests_are_short() {
    let mut shortest = u64::MAX;
    for _ in 0..200 {
        load(AUTOMATIC, 32 * 1024, 1);
        shortest = shortest.min(statistic("selftest_ns"));
        unload();
        assert!(shortest > 0);
        if shortest < 5_000_000 || cfg!(debug_assertions) {
            return;
        }
    }
    panic!("self-tests took {shortest} ns");
}

/// Names and order are an interface: kcfaes(4) lists them.
fn statistics_have_their_names() {
    let mut expected: Vec<String> =
        ["table", "selftest_ns", "longest_hold_ticks"].map(String::from).to_vec();
    for mechanism in ["ecb", "cbc", "ctr", "ccm", "gcm", "gmac", "cmac"] {
        for table in ["portable", "aesni", "vaes256", "vaes512"] {
            for what in ["ops", "bytes"] {
                expected.push(format!("{mechanism}_{table}_{what}"));
            }
        }
    }
    for result in [
        "host_memory",
        "arguments_bad",
        "data_len_range",
        "encrypted_data_len_range",
        "key_size_range",
        "key_type_inconsistent",
        "mechanism_invalid",
        "mechanism_param_invalid",
        "not_initialized",
        "buffer_too_small",
        "invalid_mac",
        "other",
    ] {
        expected.push(format!("fail_{result}"));
    }
    load(AUTOMATIC, 32 * 1024, 1);
    assert_eq!(statistics(), expected);
    unload();
}

fn statistics_are_exact() {
    load(AUTOMATIC, 32 * 1024, 1);
    assert_eq!(kernel::log(), Vec::<String>::new());
    assert!(the_best_is_in_use(), "{}", table_in_use());
    unload();

    load(TableId::Aesni as c_uint, 32 * 1024, 1);
    assert_eq!(table_in_use(), "aesni");
    seal(Mode::Ctr, 1000);
    assert_eq!(statistic("ctr_aesni_ops"), 1);
    assert_eq!(statistic("ctr_aesni_bytes"), 1000);
    // The clock is not read for a hold that is not full.
    assert_eq!(statistic("longest_hold_ticks"), 0);
    seal(Mode::Ctr, 100_000);
    assert_eq!(statistic("ctr_aesni_ops"), 2);
    assert_eq!(statistic("ctr_aesni_bytes"), 101_000);
    let longest = statistic("longest_hold_ticks");
    assert!(longest > 0);
    seal(Mode::Ctr, 1000);
    assert_eq!(statistic("longest_hold_ticks"), longest, "of all calls");

    let mut forged = seal(Mode::Gcm, 50);
    forged[0] ^= 1;
    let mut input = raw(&forged);
    let mut output = Buffer::room(Format::Raw, 50, &[50]);
    let (mut src, mut dst) = (input.data(0, 66), output.data(0, 50));
    assert_eq!(request(Mode::Gcm).atomic(Way::Decrypt, None, &mut src, Some(&mut dst)), 0x48);
    assert_eq!(statistic("gcm_aesni_ops"), 1);
    assert_eq!(statistic("gcm_aesni_bytes"), 50);
    assert_eq!(statistic("fail_invalid_mac"), 1);
    for other in ["ecb_aesni_ops", "cbc_aesni_ops", "fail_other"] {
        assert_eq!(statistic(other), 0, "{other}");
    }
    for table in TableId::ALL.into_iter().filter(|&table| table != TableId::Aesni) {
        assert_eq!(statistic(&format!("ctr_{}_ops", table.name())), 0, "{}", table.name());
    }

    seal(Mode::Ccm, 100);
    seal(Mode::Cmac, 33);
    for (name, value) in [
        ("ccm_aesni_ops", 1),
        ("ccm_aesni_bytes", 100),
        ("cmac_aesni_ops", 1),
        ("cmac_aesni_bytes", 33),
    ] {
        assert_eq!(statistic(name), value, "{name}");
    }

    // In parts each call counts.
    let mut input = raw(&[5; 40]);
    let mut output = Buffer::room(Format::Raw, 40, &[40]);
    let mut whole = request(Mode::Ctr);
    let mut message = whole.init(Way::Encrypt, None).expect("init");
    for (offset, len) in [(0, 20), (20, 20)] {
        let (mut src, mut dst) = (input.data(offset, len), output.data(offset, len));
        assert_eq!(message.update(&mut src, Some(&mut dst)), 0);
    }
    assert_eq!(message.finish(Some(&mut output.data(40, 0))), 0);
    assert_eq!(statistic("ctr_aesni_ops"), 6);
    assert_eq!(statistic("ctr_aesni_bytes"), 102_040);
    unload();
}

fn the_vector_test_module_passes() {
    load(AUTOMATIC, 32 * 1024, 1);
    // SAFETY: the name is a C string and `_init` is the module's.
    let error = unsafe { fk_module_load(c"kcfaes_test".as_ptr(), kcfaes_test_module_init) };
    assert_eq!(error, ECANCELED, "{:?}", kernel::log());
    let line = format!(", 0 skipped: 0 failures; table {}", table_in_use());
    assert!(kernel::log()[0].ends_with(&line), "{:?}", kernel::log());
    assert!(statistic("longest_hold_ticks") > 0);
    unload();

    // On request the module stays, and says which table has worked.
    load(TableId::Portable as c_uint, 32 * 1024, 1);
    // SAFETY: a tunable; the name is a C string, `_init` and `_fini` are the module's.
    let errors = unsafe {
        kcfaes_test_stay = 1;
        let init = fk_module_load(c"kcfaes_test".as_ptr(), kcfaes_test_module_init);
        kcfaes_test_stay = 0;
        (init, fk_module_unload(c"kcfaes_test".as_ptr(), kcfaes_test_module_fini))
    };
    assert_eq!(errors, (0, 0), "{:?}", kernel::log());
    assert!(kernel::log()[0].ends_with("0 failures; table portable"), "{:?}", kernel::log());
    unload();

    // Without a provider there is no pass.
    // SAFETY: as above.
    let error = unsafe { fk_module_load(c"kcfaes_test".as_ptr(), kcfaes_test_module_init) };
    assert_eq!(error, EIO);
    assert!(kernel::log().iter().any(|line| line.ends_with(" failures; not by kcfaes")));
}

fn tunables_are_obeyed() {
    load(AUTOMATIC, 32 * 1024, 1);
    let small = seal(Mode::Ctr, 1000);
    let bulk = seal(Mode::Ctr, 100_000);
    unload();

    load(TableId::Portable as c_uint, 32 * 1024, 1);
    assert_eq!(table_in_use(), "portable");
    assert_eq!(seal(Mode::Ctr, 1000), small);
    assert_eq!(statistic("ctr_portable_ops"), 1);
    seal(Mode::Ctr, 100_000);
    assert_eq!(statistic("longest_hold_ticks"), 0, "nobody took the FPU");
    unload();

    // Each number means that table, whatever the model prefers, or the best table below it.
    for table in TableId::ALL {
        load(table as c_uint, 32 * 1024, 1);
        let best = kernel::tables().iter().rfind(|&&has| has <= table).expect("a table");
        assert_eq!(table_in_use(), best.name());
        unload();
    }

    // A serial mode has a quarter: four holds of the least size. All except the first are timed.
    for (hold_bytes, len) in [(1024, 1024), (32 * 1024, 32 * 1024)] {
        load(AUTOMATIC, hold_bytes, 1);
        seal(Mode::Ctr, len / 2);
        assert_eq!(statistic("longest_hold_ticks"), 0, "{len} bytes");
        seal(Mode::Cbc, len);
        assert!(statistic("longest_hold_ticks") > 0, "{len} bytes");
        unload();
    }
    load(AUTOMATIC, 8192, 1);
    assert_eq!(seal(Mode::Ctr, 100_000), bulk);
    unload();

    // The length, AAD included, up to which `aesni` serves a call instead of the table in use.
    for bytes in [LIGHT_BYTES as c_uint, 48] {
        // SAFETY: as above.
        unsafe { kcfaes_light_bytes = bytes };
        load_lightly(AUTOMATIC, 32 * 1024, 1);
        let best = format!("ctr_{}_bytes", table_in_use());
        let len = bytes as usize;
        seal(Mode::Ctr, len);
        assert_eq!(statistic("ctr_aesni_bytes"), u64::from(bytes));
        seal(Mode::Ctr, len + 1);
        let more = u64::from(if best == "ctr_aesni_bytes" { 2 * bytes + 1 } else { bytes + 1 });
        assert_eq!(statistic(&best), more);
        unload();
    }

    // Whether a part of a decryption is written before the end.
    for stream in [1, 0] {
        load(AUTOMATIC, 32 * 1024, stream);
        let mut input = raw(&seal(Mode::Gcm, 64));
        let mut output = Buffer::room(Format::Raw, 64, &[64]);
        let (mut src, mut dst) = (input.data(0, 48), output.data(0, 64));
        let mut whole = request(Mode::Gcm);
        let mut message = whole.init(Way::Decrypt, None).expect("init");
        assert_eq!(message.update(&mut src, Some(&mut dst)), 0);
        assert_eq!(dst.cd_length, if stream == 1 { 32 } else { 0 });
        message.cancel();
        unload();
    }
}

fn tunables_out_of_range_are_clamped() {
    // SAFETY: tunables, read back when nothing is loaded that could change them.
    let load = |table, hold, stream| unsafe {
        (kcfaes_table_max, kcfaes_hold_bytes, kcfaes_gcm_stream) = (table, hold, stream);
        fk_log_clear();
        assert_eq!(fk_module_load(c"kcfaes".as_ptr(), kernel::kcfaes_module_init), 0);
        let log = kernel::log();
        assert!(the_best_is_in_use(), "{}", table_in_use());
        unload();
        (log, (kcfaes_table_max, kcfaes_hold_bytes, kcfaes_gcm_stream))
    };
    for (given, taken) in [
        ((AUTOMATIC + 1, 0, 2), (AUTOMATIC, 1024, 1)),
        ((c_uint::MAX, c_uint::MAX, c_uint::MAX), (AUTOMATIC, 1024 * 1024, 1)),
    ] {
        let (log, now) = load(given.0, given.1, given.2);
        assert_eq!(now, taken);
        for (name, from, to) in [
            ("table_max", given.0, taken.0),
            ("hold_bytes", given.1, taken.1),
            ("gcm_stream", given.2, taken.2),
        ] {
            let line = format!("WARNING: kcfaes: kcfaes_{name} is {from}, now {to}");
            assert!(log.contains(&line), "{line}: {log:?}");
        }
        assert_eq!(log.len(), 3, "{log:?}");
    }
    assert_eq!(load(AUTOMATIC, 32 * 1024, 1), (vec![], (AUTOMATIC, 32 * 1024, 1)));
}

/// Encrypts 96 bytes in three parts. `around` calls each part and is told its number. Each part must count
/// for the table in use there.
fn seal_in_parts(around: impl Fn(usize, &mut dyn FnMut())) {
    load(AUTOMATIC, 32 * 1024, 1);
    let expected = seal(Mode::Gcm, 96);
    let mut counted = BTreeMap::from([(table_in_use(), 96)]);
    let mut input = raw(&[3; 96]);
    let mut output = Buffer::room(Format::Raw, 112, &[112]);
    let mut whole = request(Mode::Gcm);
    let mut message = whole.init(Way::Encrypt, None).expect("init");
    for part in 0..3 {
        around(part, &mut || {
            *counted.entry(table_in_use()).or_default() += 32;
            let (mut src, mut dst) = (input.data(part * 32, 32), output.data(part * 32, 32));
            assert_eq!(message.update(&mut src, Some(&mut dst)), 0);
        });
    }
    assert_eq!(message.finish(Some(&mut output.data(96, 16))), 0);
    assert_eq!(output.bytes(), expected);
    for (table, bytes) in counted {
        assert_eq!(statistic(&format!("gcm_{table}_bytes")), bytes, "{table}");
    }
    unload();
}

/// A message goes on with whatever table its next part can use.
fn another_context_takes_another_table() {
    seal_in_parts(|part, go| match part {
        1 => kernel::in_interrupt(true, || {
            assert_eq!(table_in_use(), "aesni");
            go();
        }),
        _ => go(),
    });
}

#[cfg(not(kcfaes_object))]
fn a_table_change_is_for_later_calls() {
    let force = kcfaes_provider::engine::force;
    seal_in_parts(|part, go| {
        let table = kernel::tables()[(part + 1) % kernel::tables().len()];
        assert!(force(Some(table)));
        assert_eq!(table_in_use(), table.name());
        go();
    });
    force(None);
}

fn a_slow_cpu_is_told() {
    load(AUTOMATIC, 32 * 1024, 1);
    let expected = seal(Mode::Gcm, 1000);
    unload();
    let aes_ni = 1 << 6;
    let pclmulqdq = 1 << 7;
    for features in [0, !aes_ni, !pclmulqdq] {
        // SAFETY: sets the features that `_init` will find.
        unsafe { kernel::fk_set_features(features) };
        load(AUTOMATIC, 32 * 1024, 1);
        let log = kernel::log();
        assert!(log.len() == 1 && log[0].contains("lacks AES-NI or PCLMULQDQ"), "{log:?}");
        assert_eq!(table_in_use(), "portable");
        assert_eq!(seal(Mode::Gcm, 1000), expected);
        unload();
    }
    // SAFETY: as above.
    unsafe { kernel::fk_set_features(u64::MAX) };
}

/// Empty parts, empty texts, buffers that grow from nothing. With a length of 0 there may be no address,
/// and a DEBUG kernel's memory functions check the address first. For the built object the userland KCF's
/// functions do so too.
fn no_memory_call_is_below_the_kernel() {
    for (gcm_stream, table) in [(0, 0), (1, 0), (0, AUTOMATIC), (1, AUTOMATIC)] {
        load(table, 32 * 1024, gcm_stream);
        for (mode, way) in tasks() {
            for len in [0, 16, 48, 5008] {
                for (format, apart) in Format::ALL.into_iter().zip([true, false, true]) {
                    in_parts(&Sample::new(mode, way, len), format, apart);
                    in_parts(&Sample::new(mode, way, len), format, !apart);
                }
            }
        }
        unload();
        assert_eq!(kernel::violations(), Vec::<String>::new());
    }
}

/// A message in parts, the first and the third of them empty, to an output apart or to none.
fn in_parts(sample: &Sample, format: Format, apart: bool) {
    let (len, room) = (sample.input.len(), sample.output.len());
    // A byte after each. Without it an mblk has no place for a part of 0 bytes.
    let message = [sample.input.as_slice(), &[0]].concat();
    let mut input = Buffer::new(format, &message, &[0, len, 0, 1]);
    let mut output = Buffer::room(format, room + 1, &[0, room, 0, 1]);
    let mut message = sample.request().init(sample.way, None).expect("init");
    let (first, mut done) = (len.min(16), 0);
    for (at, n) in [(0, 0), (0, first), (first, 0), (first, len - first)] {
        let mut dst = output.data(done, room - done);
        let out = if apart { Out::Other(&mut dst) } else { Out::Null };
        assert_eq!(
            message.update(&mut input.data(at, n), out),
            0,
            "{} of {len}: {n}",
            sample.name()
        );
        done += if apart && sample.way != Way::Mac { dst.cd_length } else { 0 };
    }
    let rv = message.finish(Some(&mut output.data(done, room - done)));
    assert_eq!(rv, 0, "{} of {len}", sample.name());
    if apart {
        assert_eq!(output.bytes()[..room], sample.output, "{} of {len}", sample.name());
    }
}

kcfaes_ffi_tests::tests! {
    the_module_and_the_provider
}
