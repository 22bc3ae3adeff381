// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C ABI of kcfaes: the ops vector of KCF ([`spi`]) and the plain C API ([`api`]). Nothing is
//! computed here.
#![no_std]

pub mod api;
mod context;
pub mod spi;

#[cfg(any(kcfaes_artifact = "kernel", kcfaes_artifact = "userland"))]
mod artifact;
#[cfg(kcfaes_artifact = "userland")]
mod env_user;
