// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys.

use core::ffi::c_void;
use core::ptr::NonNull;

use kcfaes_provider::engine::Fpu;
use kcfaes_provider::kcf::Result;
use kcfaes_provider::key::Key;

use super::bytes::readable;
use super::error::{answer, kcfaes_rc};
use super::object::{Head, Object, erase, erase_and_free, make_in_memory, make_on_heap, room_for};

/// A key, for every mode. It does not change once made, so that any number of threads may use it at
/// the same time. It must not be copied or moved.
#[cfg_attr(not(kcfaes_artifact = "header"), repr(C))]
pub struct kcfaes_key {
    head: Head,
    pub(super) material: Key,
}

const _: () = assert!(room_for::<kcfaes_key>() <= KCFAES_KEY_SIZE);

impl Object for kcfaes_key {
    const SEAL: usize = 0x6b63_6661_6573_6b65;
    /// All of it is set.
    const ZEROED: bool = false;
}

const _: () = assert!(core::mem::offset_of!(kcfaes_key, head) == 0);

/// Makes a key of 16, 24 or 32 bytes on the heap. KCFAES_KEY_SIZE_RANGE, KCFAES_HOST_MEMORY.
///
/// cbindgen:ptrs-as-arrays=[[bytes; ]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_new(
    bytes: *const u8,
    len: usize,
    key: *mut *mut kcfaes_key,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_on_heap(key, |at| fill_key(at, bytes, len)) })
}

/// Erases a key and frees it if it came from kcfaes_key_new. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_free(key: *mut kcfaes_key) {
    // SAFETY: the common contract.
    unsafe { erase_and_free(key) }
}

/// Erases a key, wherever it lies; later use of it is refused. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_wipe(key: *mut kcfaes_key) {
    // SAFETY: the common contract.
    unsafe { erase(key) }
}

/// Bytes of memory that are enough for a key, at any alignment, in every version with this soname.
pub const KCFAES_KEY_SIZE: usize = 2048;

/// Bytes of memory that a key takes, at any alignment; at most KCFAES_KEY_SIZE.
#[unsafe(no_mangle)]
pub extern "C" fn kcfaes_key_size() -> usize {
    room_for::<kcfaes_key>()
}

/// Makes a key of 16, 24 or 32 bytes in the size bytes at memory, which stay the caller's; key then
/// points into them. KCFAES_KEY_SIZE_RANGE; KCFAES_BUFFER_TOO_SMALL: size is less than
/// kcfaes_key_size().
///
/// cbindgen:ptrs-as-arrays=[[bytes; ]]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcfaes_key_init(
    memory: *mut c_void,
    size: usize,
    bytes: *const u8,
    len: usize,
    key: *mut *mut kcfaes_key,
) -> kcfaes_rc {
    // SAFETY: the common contract.
    answer(unsafe { make_in_memory(memory, size, key, |at| fill_key(at, bytes, len)) })
}

/// Fills a key.
unsafe fn fill_key(at: NonNull<kcfaes_key>, bytes: *const u8, len: usize) -> Result<()> {
    Key::check_len(len)?;
    // SAFETY: the common contract; any bytes are a value of the key's material.
    let (key, bytes) = unsafe { (&mut (*at.as_ptr()).material, readable(bytes, len)?) };
    key.set(&mut Fpu::new(), bytes, usize::MAX);
    Ok(())
}
