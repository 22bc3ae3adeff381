// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C ABI of kcfaes: the ops vector of KCF ([`spi`]), the plain C API ([`api`]), and what the kernel
//! module asks when it is loaded (`module`). Nothing is computed here.
#![no_std]

pub mod api;
mod context;
#[cfg(not(kcfaes_artifact = "userland"))]
pub mod module;
pub mod spi;

#[cfg(any(kcfaes_artifact = "kernel", kcfaes_artifact = "userland"))]
mod artifact;
#[cfg(kcfaes_artifact = "userland")]
extern crate kcfaes_userland as _;
