// SPDX-License-Identifier: MIT OR Apache-2.0
//! One key for two streams; a stream is read again from the middle.

use kcfaes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherSeek};
use kcfaes::{Aes128, Ctr128BE};

fn main() {
    let aes = Aes128::new(&[7; 16].into());
    let (mut one, mut two) = ([0; 100], [0; 100]);
    Ctr128BE::inner_iv_init(&aes, &[1; 16].into()).apply_keystream(&mut one);
    Ctr128BE::inner_iv_init(&aes, &[2; 16].into()).apply_keystream(&mut two);
    assert_ne!(one, two);

    let mut again = [0; 50];
    let mut stream = Ctr128BE::inner_iv_init(&aes, &[1; 16].into());
    stream.seek(50_u64);
    stream.apply_keystream(&mut again);
    assert_eq!(again, one[50..]);
    println!("bytes 50 to 99 of the first stream: {again:02x?}");
}
