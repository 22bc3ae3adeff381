// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernels room: every vector instruction of kcfaes, and nothing else.
//!
//! Compiled hard-float for the host with the kernel code model and no red zone. The object has no undefined
//! symbol, writes no static, allocates nothing and cannot panic. The provider reaches it only through the
//! unmangled `extern "C"` names that the `entry_` modules list, and passes pointers and integers. On a target
//! without vector registers (`x86_64-unknown-none`, the provider room of the kernel object) this crate is
//! only the types and the declarations of those names. On AArch64 it is the types, and nothing calls the rest.
//!
//! Common contract of every entry point (`_aesni` below stands for each table's suffix):
//! * The caller owns the FPU, and the CPU has every feature that the table presumes.
//! * Lengths are in bytes, or in 16-byte blocks where the argument is named `blocks`; zero is legal.
//! * `dst` may equal `src` exactly; any other overlap is the caller's error. No alignment is needed.
//! * State (`ctr`, `y`, `iv`, `mac`) has one table-independent form, the bytes of the standard's own
//!   notation, so that one message may alternate between tables. The `iv` and `ctr` of CBC and CTR need no
//!   alignment: they may be the caller's own.
#![no_std]

// The calling convention of the entry points is that of System V, and AArch64 is tested under Linux only.
#[cfg(not(all(
    target_pointer_width = "64",
    target_endian = "little",
    any(
        all(target_arch = "x86_64", any(unix, target_os = "none")),
        all(target_arch = "aarch64", target_os = "linux"),
    )
)))]
compile_error!(
    "kcfaes supports x86-64 (Unix, or no operating system) and little-endian AArch64 Linux only"
);

mod types;
pub use types::{
    Block, BlockMode, CHAINS, COMMON_POWERS, ChainKeys, Chains, CounterBlock, LINE, MAX_ROUNDS,
    POWERS, Piece, Powers, Schedule, Tag, mid_of,
};

#[cfg(target_feature = "sse2")]
mod body;
mod entry;
pub mod entry_aesni;
pub mod entry_vaes256;
pub mod entry_vaes512;
#[cfg(target_feature = "sse2")]
mod lanes;
#[cfg(target_feature = "sse2")]
mod wipe;
