// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loading and unloading by the module's own `_init` and `_fini`: what it registers, who gets a mechanism,
//! what policy leaves, and what happens to a live context and an old template. A process has one module, so
//! each test here uses it alone, from nothing loaded to nothing loaded.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::mechanism_name;
use kcfaes_ffi_tests::kernel::{
    Context, MechanismEntry, TemplatePtr, crypto_cancel_ctx, crypto_create_ctx_template,
    crypto_destroy_ctx_template, crypto_encrypt, crypto_encrypt_init, crypto_encrypt_update,
    crypto_mech2id, fk_kcf_contexts, fk_kcf_providers, fk_kcf_unregistering, fk_kmem_live_blocks,
    fk_log_clear, fk_log_find, fk_mod_install_error, fk_mod_remove_error, fk_module_load,
    fk_module_unload, fk_policy_clear, fk_policy_disable, fk_violations_clear, kcfaes_module_fini,
    kcfaes_module_init, violations,
};
use kcfaes_ffi_tests::sample::KEY;
use kcfaes_provider::kcf::{
    CRYPTO_KEY_RAW, CRYPTO_PROVIDER_READY, CRYPTO_SUCCESS, KM_SLEEP, crypto_key_data_t,
    crypto_key_t, crypto_key_value_t, crypto_mechanism_t,
};
use kcfaes_vectors::Mode;

const ENOMEM: c_int = 12;
const EACCES: c_int = 13;
const EBUSY: c_int = 16;
const CRYPTO_MECH_NOT_SUPPORTED: c_int = 73;
const CRYPTO_OLD_CTX_TEMPLATE: c_int = 81;

const ENCRYPT: u32 = 0x1;
const DECRYPT: u32 = 0x2;
const MAC: u32 = 0x1000;
const ENCRYPT_ATOMIC: u32 = 0x8000;
const DECRYPT_ATOMIC: u32 = 0x1_0000;
const MAC_ATOMIC: u32 = 0x2_0000;
const CIPHER: u32 = ENCRYPT | DECRYPT | ENCRYPT_ATOMIC | DECRYPT_ATOMIC;
/// `CRYPTO_KEYSIZE_UNIT_IN_BYTES`
const BYTES: u32 = 2;

/// Exclusive use of the module.
struct Machine(#[allow(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Machine {
    fn boot() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let machine = Self(ONE.lock().unwrap_or_else(PoisonError::into_inner));
        // SAFETY: no precondition.
        unsafe {
            assert_eq!(fk_kcf_providers(), 0, "an earlier test left a provider");
            fk_policy_clear();
            fk_log_clear();
            fk_violations_clear();
        }
        machine
    }

    /// Nothing may be left, and nothing may have gone wrong before.
    fn halt(self) {
        // SAFETY: no precondition.
        let left = unsafe { (fk_kcf_providers(), fk_kcf_contexts(), fk_kmem_live_blocks()) };
        assert_eq!(left, (0, 0, 0), "providers, contexts, blocks");
        assert_eq!(violations(), Vec::<String>::new());
    }
}

fn load(name: &CStr) -> c_int {
    // SAFETY: a C string and the module's `_init`.
    unsafe { fk_module_load(name.as_ptr(), kcfaes_module_init) }
}

fn unload(name: &CStr) -> c_int {
    // SAFETY: a C string and the module's `_fini`.
    unsafe { fk_module_unload(name.as_ptr(), kcfaes_module_fini) }
}

fn log_has(text: &CStr) -> u32 {
    // SAFETY: a C string.
    unsafe { fk_log_find(text.as_ptr()) }
}

/// The module that has a mechanism.
fn owner(mode: Mode) -> Option<String> {
    MechanismEntry::of(mechanism_name(mode)).map(|entry| entry.module())
}

/// Another software provider of AES mechanisms, which nobody calls. Layouts: `sys/modctl.h`,
/// `sys/crypto/spi.h`.
struct Rival {
    linkage: Box<Linkage>,
    handle: c_uint,
}

#[repr(C)]
struct ModOps(u8);

#[repr(C)]
struct ModLcrypto {
    ops: *const ModOps,
    info: *const c_char,
}

#[repr(C)]
struct Linkage {
    rev: c_int,
    linkage: [*mut c_void; 7],
    modl: ModLcrypto,
}

#[repr(C)]
struct MechInfo {
    name: [u8; 32],
    number: u64,
    groups: u32,
    min_key: isize,
    max_key: isize,
    flags: u32,
}

#[repr(C)]
struct ProviderInfo {
    interface_version: c_uint,
    description: *const c_char,
    kind: c_uint,
    device: *mut Linkage,
    handle: *mut c_void,
    ops: *const c_void,
    mech_count: c_uint,
    mechs: *const MechInfo,
    logical_count: c_uint,
    logical: *mut c_uint,
    flags: c_uint,
}

unsafe extern "C" {
    static mod_cryptoops: ModOps;
    fn mod_install(linkage: *mut Linkage) -> c_int;
    fn mod_remove(linkage: *mut Linkage) -> c_int;
    fn crypto_register_provider(info: *const ProviderInfo, handle: *mut c_uint) -> c_int;
    fn crypto_unregister_provider(handle: c_uint) -> c_int;
}

impl Rival {
    fn register(modes: &[Mode]) -> Self {
        let modl = ModLcrypto { ops: &raw const mod_cryptoops, info: c"rival".as_ptr() };
        let mut linkage = Box::new(Linkage { rev: 1, linkage: [core::ptr::null_mut(); 7], modl });
        linkage.linkage[0] = (&raw mut linkage.modl).cast();
        let mechs: Vec<MechInfo> = modes
            .iter()
            .map(|&mode| {
                let mut name = [0; 32];
                let text = mechanism_name(mode).to_bytes();
                name[..text.len()].copy_from_slice(text);
                MechInfo { name, number: 0, groups: CIPHER, min_key: 16, max_key: 32, flags: BYTES }
            })
            .collect();
        let ops = [core::ptr::null::<c_void>(); 17];
        let info = ProviderInfo {
            interface_version: 4,
            description: c"Rival AES".as_ptr(),
            kind: 1,
            device: &raw mut *linkage,
            handle: core::ptr::null_mut(),
            ops: ops.as_ptr().cast(),
            mech_count: mechs.len() as c_uint,
            mechs: mechs.as_ptr(),
            logical_count: 0,
            logical: core::ptr::null_mut(),
            flags: 0,
        };
        let mut handle = c_uint::MAX;
        // SAFETY: the structs are as the framework's headers say. The framework copies what it keeps,
        // except the linkage, which lives as long as the rival.
        unsafe {
            assert_eq!(mod_install(&mut *linkage), 0);
            assert_eq!(crypto_register_provider(&info, &mut handle), CRYPTO_SUCCESS);
        }
        Self { linkage, handle }
    }

    fn unregister(mut self) {
        // SAFETY: registered and installed.
        unsafe {
            assert_eq!(crypto_unregister_provider(self.handle), CRYPTO_SUCCESS);
            assert_eq!(mod_remove(&mut *self.linkage), 0);
        }
    }
}

fn mechanism(mode: Mode) -> crypto_mechanism_t {
    // SAFETY: a C string.
    let cm_type = unsafe { crypto_mech2id(mechanism_name(mode).as_ptr()) };
    crypto_mechanism_t { cm_type, cm_param: core::ptr::null_mut(), cm_param_len: 0 }
}

fn key(bytes: &mut [u8]) -> crypto_key_t {
    let cku_key_value = crypto_key_value_t {
        cku_v_length: bytes.len() as u32 * 8,
        cku_v_data: bytes.as_mut_ptr().cast(),
    };
    crypto_key_t { ck_format: CRYPTO_KEY_RAW, cku_data: crypto_key_data_t { cku_key_value } }
}

/// One block by ECB, with or without a template.
fn encrypt(template: TemplatePtr) -> c_int {
    let mut bytes = KEY;
    let mut buffer = Buffer::room(Format::Raw, 16, &[]);
    // SAFETY: everything lives through the call.
    unsafe {
        crypto_encrypt(
            &mut mechanism(Mode::Ecb),
            &mut buffer.data(0, 16),
            &mut key(&mut bytes),
            template,
            core::ptr::null_mut(),
            core::ptr::null_mut(),
        )
    }
}

fn init(template: TemplatePtr) -> Result<Context, c_int> {
    let mut bytes = KEY;
    let mut context = core::ptr::null_mut();
    // SAFETY: as above.
    let rv = unsafe {
        crypto_encrypt_init(
            &mut mechanism(Mode::Ecb),
            &mut key(&mut bytes),
            template,
            &mut context,
            core::ptr::null_mut(),
        )
    };
    if rv == CRYPTO_SUCCESS { Ok(context) } else { Err(rv) }
}

fn template() -> TemplatePtr {
    let mut bytes = KEY;
    let mut template = core::ptr::null_mut();
    // SAFETY: as above.
    let rv = unsafe {
        crypto_create_ctx_template(
            &mut mechanism(Mode::Ecb),
            &mut key(&mut bytes),
            &mut template,
            KM_SLEEP,
        )
    };
    assert_eq!(rv, CRYPTO_SUCCESS);
    template
}

/// Interface and operations, names, numbers, groups and key sizes. Numbers and sizes are the stock module's
/// as intended. The groups are those that have entry points.
fn mechanism_table() {
    let machine = Machine::boot();
    assert_eq!(load(c"aes"), 0);
    let table = [
        (Mode::Ecb, 0, CIPHER),
        (Mode::Cbc, 1, CIPHER),
        (Mode::Cmac, 7, ENCRYPT | ENCRYPT_ATOMIC | MAC | MAC_ATOMIC),
        (Mode::Ctr, 3, CIPHER),
        (Mode::Ccm, 4, CIPHER),
        (Mode::Gcm, 5, CIPHER),
        (Mode::Gmac, 6, CIPHER | MAC | MAC_ATOMIC),
    ];
    let mut generations = Vec::new();
    for (mode, number, groups) in table {
        let entry = MechanismEntry::of(mechanism_name(mode)).expect("registered");
        assert_eq!((entry.provider_number, entry.groups), (number, groups), "{mode:?}");
        assert_eq!((entry.min_key, entry.max_key, entry.flags), (16, 32, BYTES), "{mode:?}");
        assert_eq!(entry.module(), "aes");
        assert_eq!(entry.provider(), "kcfaes AES software provider");
        // The vectors for control, cipher, MAC and context, and no other.
        assert_eq!(entry.vectors, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 13, "{mode:?}");
        assert_eq!((entry.spi_version, entry.status), (4, CRYPTO_PROVIDER_READY), "{mode:?}");
        generations.push(entry.generation);
    }
    // Each has its own generation, in the table's order.
    assert!(generations.is_sorted_by(|a, b| a < b), "{generations:?}");
    assert!(MechanismEntry::of(c"CKM_AES_CBC_PAD").is_none());
    assert_eq!(unload(c"aes"), 0);
    machine.halt();
}

/// First come, first served. Our registration stays, the later provider gets the other mechanisms, and it
/// gets nothing more when ours goes.
fn first_registrant() {
    let machine = Machine::boot();
    assert_eq!(load(c"kcfaes"), 0);
    let rival = {
        // A name that only the rival has keeps its registration alive.
        // SAFETY: C strings.
        unsafe { fk_policy_disable(c"kcfaes".as_ptr(), c"CKM_AES_CTR".as_ptr()) };
        assert_eq!(unload(c"kcfaes"), 0);
        assert_eq!(load(c"kcfaes"), 0);
        Rival::register(&[Mode::Ecb, Mode::Ctr])
    };
    assert_eq!(owner(Mode::Ecb).as_deref(), Some("kcfaes"));
    assert_eq!(owner(Mode::Ctr).as_deref(), Some("unnamed"));
    assert_eq!(log_has(c"\"Rival AES\" will not be used for CKM_AES_ECB"), 1);
    assert_eq!(encrypt(core::ptr::null_mut()), CRYPTO_SUCCESS);
    assert_eq!(unload(c"kcfaes"), 0);
    assert_eq!(owner(Mode::Ecb), None, "no takeover");
    assert_eq!(encrypt(core::ptr::null_mut()), CRYPTO_MECH_NOT_SUPPORTED);
    rival.unregister();
    machine.halt();
}

/// Loaded second, the module gets what the other provider lacks, with one warning for each other mechanism.
fn second_registrant() {
    let machine = Machine::boot();
    let rival = Rival::register(&[Mode::Ecb, Mode::Gcm]);
    assert_eq!(load(c"kcfaes"), 0);
    for (mode, module) in [
        (Mode::Ecb, "unnamed"),
        (Mode::Cbc, "kcfaes"),
        (Mode::Ctr, "kcfaes"),
        (Mode::Ccm, "kcfaes"),
        (Mode::Gcm, "unnamed"),
        (Mode::Gmac, "kcfaes"),
        (Mode::Cmac, "kcfaes"),
    ] {
        assert_eq!(owner(mode).as_deref(), Some(module), "{mode:?}");
    }
    assert_eq!(log_has(c"\"Rival AES\" will be used instead"), 2);
    assert_eq!(unload(c"kcfaes"), 0);
    rival.unregister();
    assert_eq!(load(c"kcfaes"), 0);
    assert_eq!(owner(Mode::Ecb).as_deref(), Some("kcfaes"));
    assert_eq!(unload(c"kcfaes"), 0);
    machine.halt();
}

/// If no mechanism is free, `_init` returns EACCES, says why, and leaves nothing. It can be tried again.
fn all_mechanisms_taken() {
    let machine = Machine::boot();
    let rival = Rival::register(&Mode::ALL);
    for _ in 0..3 {
        assert_eq!(load(c"kcfaes"), EACCES);
        // SAFETY: no precondition.
        assert_eq!(unsafe { (fk_kcf_providers(), fk_kmem_live_blocks()) }, (1, 0));
    }
    assert_eq!(log_has(c"\"Rival AES\" will be used instead"), 3 * Mode::ALL.len() as u32);
    assert_eq!(log_has(c"kcfaes: KCF refused the provider"), 3);
    rival.unregister();
    assert_eq!(load(c"kcfaes"), 0);
    assert_eq!(unload(c"kcfaes"), 0);
    machine.halt();
}

/// Mechanisms that policy disables under the module's name are not registered, without a message. Policy
/// under another name does not count. If all are disabled, it is as if all were taken.
fn disabled_by_policy() {
    let machine = Machine::boot();
    // SAFETY: C strings.
    unsafe {
        fk_policy_disable(c"aes".as_ptr(), c"CKM_AES_ECB".as_ptr());
        fk_policy_disable(c"aes".as_ptr(), c"CKM_AES_GMAC".as_ptr());
    }
    assert_eq!(load(c"aes"), 0);
    for mode in Mode::ALL {
        let disabled = matches!(mode, Mode::Ecb | Mode::Gmac);
        assert_eq!(owner(mode).is_none(), disabled, "{mode:?}");
    }
    assert_eq!(log_has(c"WARNING"), 0);
    assert_eq!(encrypt(core::ptr::null_mut()), CRYPTO_MECH_NOT_SUPPORTED);
    assert_eq!(unload(c"aes"), 0);
    assert_eq!(load(c"kcfaes"), 0);
    assert!(Mode::ALL.into_iter().all(|mode| owner(mode).is_some()));
    assert_eq!(unload(c"kcfaes"), 0);
    for mode in Mode::ALL {
        // SAFETY: C strings.
        unsafe { fk_policy_disable(c"aes".as_ptr(), mechanism_name(mode).as_ptr()) };
    }
    assert_eq!(load(c"aes"), EACCES);
    machine.halt();
}

/// A new registration is a new generation. The framework refuses an old template, and frees it without the
/// provider.
fn template_of_an_earlier_registration() {
    let machine = Machine::boot();
    assert_eq!(load(c"aes"), 0);
    let old = template();
    assert_eq!(encrypt(old), CRYPTO_SUCCESS);
    let before = MechanismEntry::of(c"CKM_AES_ECB").expect("registered").generation;
    assert_eq!(unload(c"aes"), 0);
    assert_eq!(encrypt(old), CRYPTO_MECH_NOT_SUPPORTED);
    assert_eq!(load(c"aes"), 0);
    assert!(MechanismEntry::of(c"CKM_AES_ECB").expect("registered").generation > before);
    assert_eq!(encrypt(old), CRYPTO_OLD_CTX_TEMPLATE);
    assert_eq!(init(old).err(), Some(CRYPTO_OLD_CTX_TEMPLATE));
    let new = template();
    assert_eq!(encrypt(new), CRYPTO_SUCCESS);
    // SAFETY: made by the framework, used no more.
    unsafe {
        crypto_destroy_ctx_template(old);
        crypto_destroy_ctx_template(new);
    }
    assert_eq!(unload(c"aes"), 0);
    machine.halt();
}

/// `_fini` waits for a live context. Meanwhile the context works, new requests find no provider, and a
/// second `_fini` returns EBUSY.
fn unload_waits_for_a_context() {
    let machine = Machine::boot();
    assert_eq!(load(c"kcfaes"), 0);
    let context = init(core::ptr::null_mut()).expect("init") as usize;
    let unloading = std::thread::spawn(|| unload(c"kcfaes"));
    // SAFETY: no precondition.
    while unsafe { fk_kcf_unregistering() } == 0 {
        std::thread::yield_now();
    }
    assert_eq!(encrypt(core::ptr::null_mut()), CRYPTO_MECH_NOT_SUPPORTED);
    assert_eq!(init(core::ptr::null_mut()).err(), Some(CRYPTO_MECH_NOT_SUPPORTED));
    // SAFETY: `_fini` of the loaded module. It is not called through the loader, which would take the
    // module for unloaded by the thread that waits.
    assert_eq!(unsafe { kcfaes_module_fini() }, EBUSY);
    let mut buffer = Buffer::room(Format::Raw, 32, &[]);
    // SAFETY: the context is alive.
    let rv = unsafe {
        let context = context as Context;
        crypto_encrypt_update(
            context,
            &mut buffer.data(0, 32),
            core::ptr::null_mut(),
            core::ptr::null_mut(),
        )
    };
    assert_eq!(rv, CRYPTO_SUCCESS);
    assert!(!unloading.is_finished());
    // SAFETY: the context is alive until here.
    unsafe { crypto_cancel_ctx(context as Context) };
    assert_eq!(unloading.join().expect("the thread"), 0);
    machine.halt();
}

/// KCF's first handle is 0. Load and unload work with it and with others, again and again.
fn handle_zero() {
    let machine = Machine::boot();
    for _ in 0..3 {
        assert_eq!(load(c"aes"), 0);
        assert_eq!(unload(c"aes"), 0);
    }
    let rival = Rival::register(&[Mode::Ctr]);
    assert_eq!(rival.handle, 0);
    assert_eq!(load(c"aes"), 0);
    rival.unregister();
    let rival = Rival::register(&[Mode::Ctr]);
    assert_eq!(rival.handle, 0, "ours is another");
    assert_eq!(unload(c"aes"), 0);
    rival.unregister();
    machine.halt();
}

/// Errors of the module framework are returned as they are. What they leave can be retried.
fn module_framework_errors() {
    let machine = Machine::boot();
    // SAFETY: no precondition.
    unsafe { fk_mod_install_error(ENOMEM) };
    assert_eq!(load(c"aes"), ENOMEM);
    assert_eq!(owner(Mode::Ecb), None);
    assert_eq!(load(c"aes"), 0);
    // SAFETY: no precondition.
    unsafe { fk_mod_remove_error(EBUSY) };
    assert_eq!(unload(c"aes"), EBUSY);
    assert_eq!(owner(Mode::Ecb), None);
    assert_eq!(unload(c"aes"), 0);
    machine.halt();
}

kcfaes_ffi_tests::tests! {
    mechanism_table
    first_registrant
    second_registrant
    all_mechanisms_taken
    disabled_by_policy
    template_of_an_earlier_registration
    unload_waits_for_a_context
    handle_zero
    module_framework_errors
}
