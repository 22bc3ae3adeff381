// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plain C API of libkcfaes: AES-GCM, CCM, GMAC, CMAC, CTR, CBC and ECB, whole messages in one
//! call or in parts, over buffers or lists of pieces.
//!
//! Lengths are in bytes. A pointer may be NULL only if its length is 0 or its function says so; any
//! other NULL is KCFAES_ARGUMENTS_BAD. Output may be the input's own bytes (in place) or share no
//! byte with it. A function that fails has consumed and written nothing, unless it says otherwise.
//! Any number of threads may use a key at the same time. A context serves one thread at a time. No
//! function blocks, prints or changes errno.
//!
//! These functions allocate: kcfaes_key_new, kcfaes_ctx_new, kcfaes_selftest, and
//! kcfaes_cbc_encrypt_batch if its keys differ. A function over lists takes 16 bytes for each piece
//! until it returns, if input and output have several pieces each, more than 64 together, and the
//! pieces' addresses do not ascend. If there is no memory the answer is KCFAES_HOST_MEMORY.
#![allow(non_camel_case_types, reason = "the names are those of the C header")]
#![allow(rustdoc::broken_intra_doc_links, reason = "marks for cbindgen look like links")]
// Nothing is computed here, except by `memory`: a call describes its bytes as KCF's own data and hands them to
// the provider's `Operation`, as the ops vector does. The comments on public items are copied into the header,
// so they use C's terms. In the header each module has a section, in the order of `xtask/src/headers.rs`. Its
// heading is the first line of the module's documentation.
//
// The common safety contract: a pointer is NULL, or its bytes are readable (const) or writable for the length
// passed with it. A key or context is NULL or was made here, and nobody else uses it during the call. Keys
// are the exception: other calls may use them.
#![allow(clippy::missing_safety_doc, reason = "the module's common safety contract")]

mod block;
mod bytes;
mod ccm;
mod context;
mod error;
mod gcm;
mod key;
mod mac;
mod memory;
mod tables;

mod message;
mod object;

pub use self::block::*;
pub use self::bytes::*;
pub use self::ccm::*;
pub use self::context::*;
pub use self::error::*;
pub use self::gcm::*;
pub use self::key::*;
pub use self::mac::*;
pub use self::memory::*;
pub use self::tables::*;
