// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of a case that is looked at, and what in it is secret. The stepping parent knows the part
//! by an INT3 on either side, memcheck by its client requests.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bytes that are secret: a key, a text, a tag.
pub(crate) type Region = (*const u8, usize);

/// Whether this process runs under memcheck. Otherwise a parent steps it.
static MEMCHECK: AtomicBool = AtomicBool::new(false);

pub(crate) fn under_memcheck() {
    MEMCHECK.store(true, Ordering::Relaxed);
}

/// Makes the one call that a case is about.
pub(crate) fn watched<T>(secrets: &[Region], call: impl FnOnce() -> T) -> T {
    if MEMCHECK.load(Ordering::Relaxed) {
        secrets.iter().for_each(|&(at, len)| _ = request(MAKE_MEM_UNDEFINED, at.addr(), len));
        let result = call();
        secrets.iter().for_each(|&(at, len)| _ = request(MAKE_MEM_DEFINED, at.addr(), len));
        // The answer of the call is public: success, or that the tag is not the message's.
        reveal((&raw const result).cast(), size_of::<T>());
        result
    } else {
        // SAFETY: the parent takes the trap.
        unsafe { asm!("int3") };
        let result = call();
        // SAFETY: as above.
        unsafe { asm!("int3") };
        result
    }
}

/// Makes public what was secret until here.
pub(crate) fn reveal(at: *const u8, len: usize) {
    if MEMCHECK.load(Ordering::Relaxed) {
        request(MAKE_MEM_DEFINED, at.addr(), len);
    }
}

/// Errors that memcheck has found so far.
pub(crate) fn errors() -> usize {
    request(COUNT_ERRORS, 0, 0)
}

// valgrind.h and memcheck.h: the numbers of client requests.
const COUNT_ERRORS: usize = 0x1201;
const MAKE_MEM_UNDEFINED: usize = 0x4d43_0001;
const MAKE_MEM_DEFINED: usize = 0x4d43_0002;

/// A client request. Rotations of rdi by 128 bits in all, and an exchange of rbx with itself, do
/// nothing on a CPU. valgrind knows the sequence. So the program builds without any file of valgrind.
fn request(number: usize, first: usize, second: usize) -> usize {
    let words = [number, first, second, 0, 0, 0];
    let mut answer = 0_usize;
    // SAFETY: no register changes except rdx, which has the answer. The request reads the words.
    unsafe {
        asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") words.as_ptr(), inout("rdx") answer, in("rdi") 0_usize,
        );
    }
    answer
}
