// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module with the real provider behind it: its tunables, its statistics, its self-tests, and
//! the vector test module. One test, because there is one module in a process.

use core::ffi::{CStr, c_char, c_int, c_uint};

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Request, Way};
use kcfaes_ffi_tests::kernel::{self, fk_kmem_live_bytes, fk_log_clear, fk_module_load};
use kcfaes_provider::engine::{TableId, force, select};
use kcfaes_vectors::Mode;

unsafe extern "C" {
    static mut kcfaes_table_max: c_uint;
    static mut kcfaes_hold_bytes: c_uint;
    static mut kcfaes_gcm_stream: c_uint;
    fn kcfaes_test_module_init() -> c_int;
    fn fk_kstat_value(module: *const c_char, name: *const c_char, statistic: *const c_char) -> u64;
    fn fk_kstat_text(
        module: *const c_char,
        name: *const c_char,
        statistic: *const c_char,
    ) -> *const c_char;
}

const ECANCELED: c_int = 47;

const BEST: c_uint = TableId::ALL.len() as c_uint - 1;

fn load(table_max: c_uint, hold_bytes: c_uint, gcm_stream: c_uint) {
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

fn statistic(name: &CStr) -> u64 {
    // SAFETY: C strings.
    let value = unsafe { fk_kstat_value(c"kcfaes".as_ptr(), c"stats".as_ptr(), name.as_ptr()) };
    assert_ne!(value, u64::MAX, "no statistic {name:?}");
    value
}

fn table_in_use() -> String {
    // SAFETY: C strings; the result stays while the module is loaded.
    unsafe {
        let text = fk_kstat_text(c"kcfaes".as_ptr(), c"stats".as_ptr(), c"table".as_ptr());
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

fn request(mode: Mode) -> Request {
    let iv = [7; 16];
    let iv = if matches!(mode, Mode::Gcm | Mode::Gmac) { &iv[..12] } else { &iv };
    Request::new(mode, &[1; 32], iv, 128, &[], 16)
}

fn raw(bytes: &[u8]) -> Buffer {
    Buffer::new(Format::Raw, bytes, &[bytes.len()])
}

/// Encrypts `len` bytes in one call; returns what came out.
fn seal(mode: Mode, len: usize) -> Vec<u8> {
    let produced = if mode == Mode::Gcm { len + 16 } else { len };
    let mut input = raw(&vec![3; len]);
    let mut output = Buffer::room(Format::Raw, produced, &[produced]);
    let (mut src, mut dst) = (input.data(0, len), output.data(0, produced));
    assert_eq!(request(mode).atomic(Way::Encrypt, None, &mut src, Some(&mut dst)), 0);
    output.bytes()
}

#[test]
fn the_module_and_the_provider() {
    assert_eq!(kernel::tables(), TableId::ALL, "this CPU cannot run every table");
    unload();
    statistics_are_exact();
    the_vector_test_module_passes();
    tunables_are_obeyed();
    a_table_change_is_for_later_calls();
    a_slow_cpu_is_told();
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

fn statistics_are_exact() {
    load(BEST, 32 * 1024, 1);
    assert_eq!(kernel::log(), Vec::<String>::new());
    let name = select().id().name();
    assert_eq!(table_in_use(), name);
    let took = statistic(c"selftest_ns");
    assert!(took > 0 && took < 5_000_000 || cfg!(debug_assertions), "self-tests took {took} ns");
    assert_eq!(statistic(c"longest_hold_bytes"), 0);

    seal(Mode::Ctr, 1000);
    assert_eq!(statistic(c"ctr_aesni_ops"), 1);
    assert_eq!(statistic(c"ctr_aesni_bytes"), 1000);
    seal(Mode::Ctr, 100_000);
    assert_eq!(statistic(c"ctr_aesni_ops"), 2);
    assert_eq!(statistic(c"ctr_aesni_bytes"), 101_000);
    assert_eq!(statistic(c"longest_hold_bytes"), 32 * 1024);

    let mut forged = seal(Mode::Gcm, 50);
    forged[0] ^= 1;
    let mut input = raw(&forged);
    let mut output = Buffer::room(Format::Raw, 50, &[50]);
    let (mut src, mut dst) = (input.data(0, 66), output.data(0, 50));
    assert_eq!(request(Mode::Gcm).atomic(Way::Decrypt, None, &mut src, Some(&mut dst)), 0x48);
    assert_eq!(statistic(c"gcm_aesni_ops"), 1);
    assert_eq!(statistic(c"gcm_aesni_bytes"), 50);
    assert_eq!(statistic(c"fail_invalid_mac"), 1);
    for other in [c"ecb_aesni_ops", c"cbc_aesni_ops", c"ctr_portable_ops", c"fail_other"] {
        assert_eq!(statistic(other), 0, "{other:?}");
    }

    // In parts: each is a call.
    let mut input = raw(&[5; 40]);
    let mut output = Buffer::room(Format::Raw, 40, &[40]);
    let mut whole = request(Mode::Ctr);
    let mut message = whole.init(Way::Encrypt, None).expect("init");
    for (offset, len) in [(0, 20), (20, 20)] {
        let (mut src, mut dst) = (input.data(offset, len), output.data(offset, len));
        assert_eq!(message.update(&mut src, Some(&mut dst)), 0);
    }
    assert_eq!(message.finish(Some(&mut output.data(40, 0))), 0);
    assert_eq!(statistic(c"ctr_aesni_ops"), 5);
    assert_eq!(statistic(c"ctr_aesni_bytes"), 101_040);
    unload();
}

fn the_vector_test_module_passes() {
    load(BEST, 32 * 1024, 1);
    // SAFETY: the name is a C string and `_init` is the module's.
    let error = unsafe { fk_module_load(c"kcfaes_test".as_ptr(), kcfaes_test_module_init) };
    assert_eq!(error, ECANCELED, "{:?}", kernel::log());
    assert!(kernel::log()[0].contains(", 0 skipped: 0 failures"), "{:?}", kernel::log());
    assert_eq!(statistic(c"longest_hold_bytes"), 32 * 1024);
    unload();
}

fn tunables_are_obeyed() {
    load(BEST, 32 * 1024, 1);
    let small = seal(Mode::Ctr, 1000);
    let bulk = seal(Mode::Ctr, 100_000);
    unload();

    load(0, 32 * 1024, 1);
    assert_eq!(table_in_use(), "portable");
    assert_eq!(seal(Mode::Ctr, 1000), small);
    assert_eq!(statistic(c"ctr_portable_ops"), 1);
    assert_eq!(statistic(c"longest_hold_bytes"), 0, "nobody took the FPU");
    unload();

    // A serial mode has a quarter; the key's set-up counts as 1024 bytes, not serial ones.
    load(BEST, 8192, 1);
    seal(Mode::Cbc, 100_000 & !15);
    assert_eq!(statistic(c"longest_hold_bytes"), 1024 + (8192 - 1024) / 4);
    assert_eq!(seal(Mode::Ctr, 100_000), bulk);
    assert_eq!(statistic(c"longest_hold_bytes"), 8192);
    unload();

    // Whether a part of a decryption writes before the end.
    for stream in [1, 0] {
        load(BEST, 32 * 1024, stream);
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

fn a_table_change_is_for_later_calls() {
    load(BEST, 32 * 1024, 1);
    let expected = seal(Mode::Gcm, 96);
    let mut input = raw(&[3; 96]);
    let mut output = Buffer::room(Format::Raw, 112, &[112]);
    let mut whole = request(Mode::Gcm);
    let mut message = whole.init(Way::Encrypt, None).expect("init");
    for (offset, table) in [(0, TableId::Aesni), (32, TableId::Portable), (64, TableId::Aesni)] {
        assert!(force(Some(table)));
        assert_eq!(table_in_use(), table.name());
        let (mut src, mut dst) = (input.data(offset, 32), output.data(offset, 32));
        assert_eq!(message.update(&mut src, Some(&mut dst)), 0);
    }
    assert_eq!(message.finish(Some(&mut output.data(96, 16))), 0);
    assert_eq!(output.bytes(), expected);
    assert_eq!(statistic(c"gcm_portable_bytes"), 32);
    assert_eq!(statistic(c"gcm_aesni_bytes"), 96 + 64);
    unload();
}

fn a_slow_cpu_is_told() {
    load(BEST, 32 * 1024, 1);
    let expected = seal(Mode::Gcm, 1000);
    unload();
    // SAFETY: sets what `_init` will find.
    unsafe { kernel::fk_set_features(0) };
    load(BEST, 32 * 1024, 1);
    assert!(kernel::log()[0].contains("this CPU lacks AES-NI or PCLMULQDQ"), "{:?}", kernel::log());
    assert_eq!(table_in_use(), "portable");
    assert_eq!(seal(Mode::Gcm, 1000), expected);
    unload();
}
