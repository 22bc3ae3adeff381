// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which kernels a call really runs. Each entry point of the kernels begins with a breakpoint, and the
//! signal handler records which ones are hit.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod oracle;

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_ffi_tests::sample::tasks;
use kcfaes_kernels::{
    entry_aesni, entry_aesni::*, entry_vaes256, entry_vaes256::*, entry_vaes512, entry_vaes512::*,
};
use kcfaes_provider::engine::{TableId, force, select, set_light_bytes};
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::{Mode, Stream};
use oracle::Message;

/// The forced table and the data that the signal handler writes exist once in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    _ = kernel::tables();
    set_light_bytes(0);
    prepare();
    guard
}

/// An entry point: what it does, its table, and where it begins.
struct Entry {
    what: &'static str,
    table: TableId,
    at: *mut u8,
    /// Its first byte, while a breakpoint replaces it.
    first: AtomicU8,
    hit: AtomicBool,
}

// SAFETY: only the one test that runs, and its signal handler, write at the address.
unsafe impl Sync for Entry {}

macro_rules! entries {
    ($($what:literal $table:ident $name:ident)*) => {
        [$(Entry {
            what: $what,
            table: TableId::$table,
            at: $name as *mut u8,
            first: AtomicU8::new(0),
            hit: AtomicBool::new(false),
        }),*]
    };
}

static ENTRIES: [Entry; 38] = entries! {
    "key" Aesni kcfaes_key_expand_aesni
    "powers" Aesni kcfaes_ghash_init_aesni
    "powers" Vaes256 kcfaes_ghash_init_vaes256
    "powers" Vaes512 kcfaes_ghash_init_vaes512
    "ecb encrypt" Aesni kcfaes_ecb_encrypt_aesni
    "ecb encrypt" Vaes256 kcfaes_ecb_encrypt_vaes256
    "ecb encrypt" Vaes512 kcfaes_ecb_encrypt_vaes512
    "ecb decrypt" Aesni kcfaes_ecb_decrypt_aesni
    "ecb decrypt" Vaes256 kcfaes_ecb_decrypt_vaes256
    "ecb decrypt" Vaes512 kcfaes_ecb_decrypt_vaes512
    "cbc encrypt" Aesni kcfaes_cbc_encrypt_aesni
    "cbc decrypt" Aesni kcfaes_cbc_decrypt_aesni
    "cbc decrypt" Vaes256 kcfaes_cbc_decrypt_vaes256
    "cbc decrypt" Vaes512 kcfaes_cbc_decrypt_vaes512
    "pieces" Aesni kcfaes_pieces_aesni
    "pieces" Vaes256 kcfaes_pieces_vaes256
    "pieces" Vaes512 kcfaes_pieces_vaes512
    "ctr" Aesni kcfaes_ctr32_aesni
    "ctr" Vaes256 kcfaes_ctr32_vaes256
    "ctr" Vaes512 kcfaes_ctr32_vaes512
    "hash" Aesni kcfaes_ghash_aesni
    "hash" Vaes256 kcfaes_ghash_vaes256
    "hash" Vaes512 kcfaes_ghash_vaes512
    "gcm encrypt" Aesni kcfaes_gcm_encrypt_aesni
    "gcm encrypt" Vaes256 kcfaes_gcm_encrypt_vaes256
    "gcm encrypt" Vaes512 kcfaes_gcm_encrypt_vaes512
    "gcm decrypt" Aesni kcfaes_gcm_decrypt_aesni
    "gcm decrypt" Vaes256 kcfaes_gcm_decrypt_vaes256
    "gcm decrypt" Vaes512 kcfaes_gcm_decrypt_vaes512
    "gcm short" Aesni kcfaes_gcm_short_aesni
    "gcm short" Vaes256 kcfaes_gcm_short_vaes256
    "gcm short" Vaes512 kcfaes_gcm_short_vaes512
    "cbc mac" Aesni kcfaes_cbc_mac_aesni
    "ccm encrypt" Aesni kcfaes_ccm_encrypt_aesni
    "ccm decrypt" Aesni kcfaes_ccm_decrypt_aesni
    "wipe" Aesni kcfaes_wipe_aesni
    "wipe" Vaes256 kcfaes_wipe_vaes256
    "wipe" Vaes512 kcfaes_wipe_vaes512
};

/// The instruction INT3.
const BREAKPOINT: u8 = 0xcc;

impl Entry {
    fn arm(&self) {
        // SAFETY: code that does not run now, and that is writable.
        unsafe {
            self.first.store(self.at.read_volatile(), Ordering::SeqCst);
            self.at.write_volatile(BREAKPOINT);
        }
        self.hit.store(false, Ordering::SeqCst);
    }

    fn disarm(&self) {
        // SAFETY: as above.
        unsafe { self.at.write_volatile(self.first.load(Ordering::SeqCst)) };
    }
}

unsafe extern "C" fn stopped(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the frame of this signal.
    let at = unsafe {
        &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize]
    };
    if let Some(entry) = ENTRIES.iter().find(|entry| entry.at.addr() as i64 + 1 == *at) {
        entry.hit.store(true, Ordering::SeqCst);
        entry.disarm();
        *at -= 1;
    } else {
        // Somebody else's breakpoint: the next one ends the process.
        // SAFETY: no precondition.
        unsafe { libc::signal(libc::SIGTRAP, libc::SIG_DFL) };
    }
}

/// Makes the code at the beginning of the entry points writable.
fn prepare() {
    // SAFETY: whole pages of this program, which stay executable; the handler is for a signal that nothing
    // else here raises.
    unsafe {
        for entry in &ENTRIES {
            let page = entry.at.map_addr(|at| at & !4095).cast();
            let access = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            assert_eq!(libc::mprotect(page, 4096, access), 0);
        }
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = stopped as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, core::ptr::null_mut()), 0);
    }
}

/// The kernels that `f` runs, except wiping.
fn kernels_of(f: impl FnOnce()) -> BTreeSet<(&'static str, TableId)> {
    ENTRIES.iter().for_each(Entry::arm);
    f();
    ENTRIES.iter().for_each(Entry::disarm);
    let hit = ENTRIES.iter().filter(|entry| entry.hit.load(Ordering::SeqCst));
    hit.map(|entry| (entry.what, entry.table)).collect()
}

/// Bytes of a text.
const LEN: usize = 400;

/// The longest text that `table` gives to GCM's kernel for short ones.
fn short_text(table: TableId) -> usize {
    match table {
        TableId::Portable => 0,
        TableId::Aesni => entry_aesni::SHORT_TEXT,
        TableId::Vaes256 => entry_vaes256::SHORT_TEXT,
        TableId::Vaes512 => entry_vaes512::SHORT_TEXT,
    }
}

/// What a message in one call must run, as far as its mode determines it.
fn needed(mode: Mode, way: Way) -> &'static [&'static str] {
    match (mode, way) {
        (Mode::Ecb, Way::Encrypt) => &["ecb encrypt"],
        (Mode::Ecb, _) => &["ecb decrypt"],
        (Mode::Cbc, Way::Encrypt) => &["cbc encrypt"],
        (Mode::Cbc, _) => &["cbc decrypt"],
        (Mode::Ctr, _) => &["ctr"],
        (Mode::Gcm, Way::Encrypt) => &["powers", "hash", "gcm encrypt", "gcm short"],
        (Mode::Gcm, _) => &["powers", "hash", "gcm decrypt", "gcm short"],
        (Mode::Gmac, _) => &["powers", "hash"],
        (Mode::Ccm, Way::Encrypt) => &["cbc mac", "ccm encrypt"],
        (Mode::Ccm, _) => &["cbc mac", "ccm decrypt"],
        (Mode::Cmac, _) => &["cbc mac"],
    }
}

/// The kernels of one message in one call, on a forced table or the chosen one. The template is made by
/// `maker`; without `maker` there is none.
fn kernels_of_message(
    table: Option<TableId>,
    (mode, way): (Mode, Way),
    maker: Option<TableId>,
    interrupt: bool,
) -> BTreeSet<(&'static str, TableId)> {
    kernels_of_pieces(table, (mode, way), maker, interrupt, LEN, &[])
}

/// As [`kernels_of_message`], with a text of `len` bytes, and input and output cut at these places.
fn kernels_of_pieces(
    table: Option<TableId>,
    (mode, way): (Mode, Way),
    maker: Option<TableId>,
    interrupt: bool,
    len: usize,
    cuts: &[usize],
) -> BTreeSet<(&'static str, TableId)> {
    let message = Message::draw(mode, 16, len, &mut Stream::new(7));
    let (input, want) = (message.input(way), message.output(way));
    let mut request = message.request();
    let template = maker.map(|maker| {
        kernel::use_table(maker);
        request.template()
    });
    match table {
        Some(table) => kernel::use_table(table),
        None => _ = force(None),
    }
    let format = if cuts.is_empty() { Format::Raw } else { Format::Uio };
    let lengths = |len: usize| -> Vec<usize> {
        let ends = || cuts.iter().map(|&cut| cut.min(len)).chain([len]);
        [0].into_iter().chain(ends()).zip(ends()).map(|(from, to)| to - from).collect()
    };
    let mut src = Buffer::new(format, &input, &lengths(input.len()));
    let mut dst = Buffer::room(format, want.len(), &lengths(want.len()));
    let (mut from, mut to) = (src.data(0, input.len()), dst.data(0, want.len()));
    let mut rv = -1;
    let mut call = || rv = request.atomic(way, template.as_ref(), &mut from, Out::Other(&mut to));
    let kernels = if interrupt {
        kernel::in_interrupt(true, || kernels_of(call))
    } else {
        kernels_of(&mut call)
    };
    assert_eq!((rv, dst.bytes()), (CRYPTO_SUCCESS, want), "{mode:?} {way:?}");
    kernels
}

/// The kernels that the task needs, from a table or, if the table lacks them, from `aesni`.
fn expected(
    table: TableId,
    task: (Mode, Way),
    template: bool,
) -> BTreeSet<(&'static str, TableId)> {
    let has = |what, table| ENTRIES.iter().any(|e| e.what == what && e.table == table);
    if table == TableId::Portable {
        return BTreeSet::new();
    }
    let mut expected = BTreeSet::from([("wipe", table)]);
    for &what in needed(task.0, task.1) {
        if what == "powers" && template {
            continue;
        }
        // A short text has a kernel of its own.
        if what.starts_with("gcm") && (what == "gcm short") != (LEN <= short_text(table)) {
            continue;
        }
        if has(what, table) {
            expected.insert((what, table));
        } else if !has(what, TableId::Vaes512) {
            expected.insert((what, TableId::Aesni));
        }
    }
    if !template {
        expected.insert(("key", TableId::Aesni));
    }
    // The mask of CCM's tag takes one block, and so do the subkeys of CMAC, unless the key has H.
    if task.0 == Mode::Ccm || task.0 == Mode::Cmac && !template {
        expected.insert(("ctr", TableId::Aesni));
    }
    // GMAC's tag is that of a GCM message without text.
    if task.0 == Mode::Gmac {
        expected.insert(("gcm encrypt", TableId::Aesni));
    }
    expected
}

#[test]
fn each_table_runs_its_own_kernels() {
    let _alone = alone();
    for &table in kernel::tables() {
        for task in tasks() {
            for template in [false, true] {
                let kernels =
                    kernels_of_message(Some(table), task, template.then_some(table), false);
                assert_eq!(kernels, expected(table, task, template), "{table:?} {task:?}");
            }
        }
    }
}

/// Unless one is forced, the best table that the CPU has. Of two wide ones, the one for its model.
#[test]
fn the_best_table_runs() {
    let _alone = alone();
    force(None);
    let (chosen, tables) = (select().id(), kernel::tables());
    let best = tables[tables.len() - 1];
    assert!(chosen == best || (chosen, best) == (TableId::Vaes256, TableId::Vaes512));
    for task in tasks() {
        let kernels = kernels_of_message(None, task, None, false);
        assert_eq!(kernels, expected(chosen, task, false), "{task:?}");
    }
}

/// In an interrupt no wide table runs. A narrower table's key also keeps a wide table from hashing, unless
/// the text is short: the key lacks powers.
#[test]
fn wide_tables_fall_back_to_aesni() {
    let _alone = alone();
    for &table in kernel::tables().iter().filter(|&&table| table > TableId::Aesni) {
        for task in tasks() {
            let kernels = kernels_of_message(Some(table), task, None, true);
            assert_eq!(kernels, expected(TableId::Aesni, task, false), "{table:?} {task:?}");
            for maker in [TableId::Portable, TableId::Aesni] {
                let mut kernels = kernels_of_message(Some(table), task, Some(maker), false);
                // For the few blocks of the additional data the powers suffice.
                kernels.remove(&("hash", table));
                let hashes = needed(task.0, task.1).contains(&"hash");
                let by = if hashes { TableId::Aesni } else { table };
                let mut expected = expected(by, task, true);
                if task.0 == Mode::Gcm {
                    expected.remove(&("hash", by));
                }
                // The hold is still the wide table's.
                expected.remove(&("wipe", by));
                expected.insert(("wipe", table));
                assert_eq!(kernels, expected, "{table:?} {task:?} by {maker:?}");
            }
        }
    }
}

/// A call of at most the tunable's bytes runs on `aesni`, whose light hold it has, if the CPU has that, and a longer one on the
/// table that is forced or the best. A template has the powers that long calls want.
#[test]
fn the_length_chooses_the_table() {
    let _alone = alone();
    let forced = kernel::tables().iter().filter(|&&table| table > TableId::Aesni).map(|&t| Some(t));
    for table in forced.chain([None]) {
        let best = table.unwrap_or_else(|| {
            force(None);
            select().id()
        });
        for task in tasks() {
            for template in [None, Some(best)] {
                let aside = Message::draw(task.0, 16, LEN, &mut Stream::new(7));
                let total = aside.input(task.1).len() + aside.aad.len();
                let short = best.min(TableId::Aesni);
                for (limit, by) in [(total - 1, best), (total, short), (0, best)] {
                    set_light_bytes(limit);
                    let kernels = kernels_of_message(table, task, template, false);
                    let name = format!("{table:?} {task:?} of {total} bytes, {limit}");
                    assert_eq!(kernels, expected(by, task, template.is_some()), "{name}");
                }
            }
        }
    }
    set_light_bytes(0);
}

/// The longest short text, and one byte more.
#[test]
fn short_texts_go_to_the_kernel_for_them() {
    let _alone = alone();
    for &table in kernel::tables().iter().filter(|&&table| table > TableId::Portable) {
        for (way, long) in [(Way::Encrypt, "gcm encrypt"), (Way::Decrypt, "gcm decrypt")] {
            for (more, kernel, other) in [(0, "gcm short", long), (1, long, "gcm short")] {
                let (len, task) = (short_text(table) + more, (Mode::Gcm, way));
                let kernels = kernels_of_pieces(Some(table), task, Some(table), false, len, &[]);
                let has = |what| kernels.contains(&(what, table));
                assert!(has(kernel) && !has(other), "{table:?} {len} {task:?}: {kernels:?}");
            }
        }
    }
}

/// A text in pieces goes whole to a kernel that takes pieces. That is GCM's kernel for parts, or the kernel
/// of all other modes. For serial modes it is `aesni`'s.
#[test]
fn pieces_go_to_the_kernels_that_take_them() {
    let _alone = alone();
    for &table in kernel::tables().iter().filter(|&&table| table > TableId::Portable) {
        for task in tasks() {
            let (takes, not, by) = match task {
                (Mode::Gcm, Way::Encrypt) => ("gcm encrypt", "gcm short", table),
                (Mode::Gcm, _) => ("gcm decrypt", "gcm short", table),
                (Mode::Gmac, _) => continue,
                (Mode::Ccm | Mode::Cmac, _) | (Mode::Cbc, Way::Encrypt) => {
                    ("pieces", "", TableId::Aesni)
                }
                _ => ("pieces", "", table),
            };
            let kernels =
                kernels_of_pieces(Some(table), task, Some(table), false, LEN, &[101, 250]);
            let has = |what| kernels.contains(&(what, by));
            assert!(has(takes) && !has(not), "{table:?} {task:?}: {kernels:?}");
        }
    }
}
