// SPDX-License-Identifier: MIT OR Apache-2.0
//! What keys and contexts have in common: their head, and the memory that they are in.

use core::ffi::c_void;
use core::ptr::NonNull;

use kcfaes_provider::env;
use kcfaes_provider::kcf::{Error, KM_SLEEP, Result};
use kcfaes_provider::wipe::wipe_raw;

/// First bytes of a key or context, which identify it. Nothing else of it is read before.
#[repr(C)]
pub(super) struct Head {
    /// The type's number xor the address. So a copy elsewhere does not count as one.
    pub(super) seal: usize,
    /// Start of the object's memory, if that came from the heap.
    pub(super) heap: *mut u8,
}

/// A key or a context: begins with its [`Head`].
pub(super) trait Object: Sized {
    /// The number of the type.
    const SEAL: usize;
    /// Whether its memory is zero before it is made.
    const ZEROED: bool;
}

/// The head of the object at `at`.
fn head_of<T: Object>(at: *const T) -> *mut Head {
    at.cast_mut().cast()
}

/// The seal of an object at `at`; once erased, its complement.
fn seal_at<T: Object>(at: *const T) -> usize {
    T::SEAL ^ at.addr()
}

/// Bytes that are enough for a `T`, whatever their alignment.
pub(super) const fn room_for<T>() -> usize {
    size_of::<T>() + align_of::<T>() - 1
}

/// The object at `at`, for the length of a call.
///
/// # Errors
/// `ARGUMENTS_BAD` if there is none.
pub(super) unsafe fn live<'a, T: Object>(at: *const T) -> Result<&'a T> {
    if at.is_null() || !at.is_aligned() {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: the common contract; a head is all integers, so any bytes may be read as one.
    let seal = unsafe { (*head_of(at)).seal };
    if seal != seal_at(at) {
        return Err(Error::ARGUMENTS_BAD);
    }
    // SAFETY: sealed, so made here and neither erased nor moved.
    Ok(unsafe { &*at })
}

/// Makes an object in memory of the caller's.
pub(super) unsafe fn make_in_memory<T: Object>(
    memory: *mut c_void,
    size: usize,
    object: *mut *mut T,
    make: impl FnOnce(NonNull<T>) -> Result<()>,
) -> Result<()> {
    let (Some(memory), Some(object)) = (NonNull::new(memory), NonNull::new(object)) else {
        return Err(Error::ARGUMENTS_BAD);
    };
    if size < room_for::<T>() {
        return Err(Error::Room(room_for::<T>()));
    }
    // SAFETY: there is room for an object from the first aligned place on, and it is the caller's.
    unsafe {
        let memory = memory.cast::<u8>();
        let at = memory.add(memory.addr().get().wrapping_neg() & (align_of::<T>() - 1)).cast::<T>();
        if T::ZEROED {
            at.write_bytes(0, 1);
        }
        make(at)?;
        head_of(at.as_ptr())
            .write(Head { seal: seal_at(at.as_ptr()), heap: core::ptr::null_mut() });
        object.write(at.as_ptr());
    }
    Ok(())
}

/// Makes an object in memory of its own.
pub(super) unsafe fn make_on_heap<T: Object>(
    object: *mut *mut T,
    make: impl FnOnce(NonNull<T>) -> Result<()>,
) -> Result<()> {
    let object = NonNull::new(object).ok_or(Error::ARGUMENTS_BAD)?;
    let memory = env::alloc(room_for::<T>(), KM_SLEEP).ok_or(Error::HOST_MEMORY)?;
    // SAFETY: the memory is ours and of that size.
    unsafe {
        let made = make_in_memory(memory.as_ptr().cast(), room_for::<T>(), object.as_ptr(), make);
        match made {
            Ok(()) => (*head_of(object.read())).heap = memory.as_ptr(),
            Err(_) => env::free(memory, room_for::<T>()),
        }
        made
    }
}

/// Erases an object. Only a head remains, which says so.
pub(super) unsafe fn erase<T: Object>(at: *mut T) {
    // SAFETY: the common contract; after `live` it is an object, which nobody else uses.
    unsafe {
        if live(at).is_ok() {
            let heap = (*head_of(at)).heap;
            core::ptr::drop_in_place(at);
            wipe_raw(at.cast(), size_of::<T>());
            head_of(at).write(Head { seal: !seal_at(at), heap });
        }
    }
}

/// Erases an object, and frees its memory if it is ours.
pub(super) unsafe fn erase_and_free<T: Object>(at: *mut T) {
    // SAFETY: the common contract; after `erase` there is a head, if there ever was an object.
    unsafe {
        erase(at);
        if at.is_null() || !at.is_aligned() || (*head_of(at)).seal != !seal_at(at) {
            return;
        }
        if let Some(memory) = NonNull::new((*head_of(at)).heap) {
            head_of(at).write(Head { seal: 0, heap: core::ptr::null_mut() });
            env::free(memory, room_for::<T>());
        }
    }
}
