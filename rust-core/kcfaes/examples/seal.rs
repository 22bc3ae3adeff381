// SPDX-License-Identifier: MIT OR Apache-2.0
//! Seals a message in place and opens it again; then a forged one, which is refused.

use kcfaes::Aes256Gcm;
use kcfaes::aead::{AeadInOut, Error, KeyInit};

fn main() -> Result<(), Error> {
    // A real key is random and secret, and a nonce is never used twice with it.
    let cipher = Aes256Gcm::new(&[7; 32].into());
    let nonce = [1; 12].into();
    let mut text = *b"the quick brown fox";

    let tag = cipher.encrypt_inout_detached(&nonce, b"to: alice", text.as_mut_slice().into())?;
    println!("sealed: {text:02x?}");
    cipher.decrypt_inout_detached(&nonce, b"to: alice", text.as_mut_slice().into(), &tag)?;
    println!("opened: {}", String::from_utf8_lossy(&text));

    let forged =
        cipher.decrypt_inout_detached(&nonce, b"to: bob", text.as_mut_slice().into(), &tag);
    println!("with another header: {forged:?}");
    assert_eq!(forged, Err(Error));
    Ok(())
}
