// SPDX-License-Identifier: MIT OR Apache-2.0
//! A packet that lies in several buffers is sealed where it lies, and its MAC is made in parts.

use kcfaes::{Key, Piece, PieceMut, Result, Table};

fn main() -> Result<()> {
    let key = Key::new(&[7; 16])?;
    let (mut first, mut second, mut tag) = ([1; 1000], [2; 500], [0; 16]);
    let mut packet = [PieceMut::new(&mut first), PieceMut::new(&mut second)];
    key.gcm_seal(&[1; 12], b"sequence 1", packet.as_mut_slice(), &mut tag)?;
    println!("1500 bytes in 2 pieces, by table {}: tag {tag:02x?}", Table::current().name());

    // From a list to a buffer: the two may be cut differently.
    let mut opened = [0; 1500];
    let sealed = [Piece::new(&first), Piece::new(&second)];
    let mut whole = [PieceMut::new(&mut opened)];
    key.gcm_open(&[1; 12], b"sequence 1", (sealed.as_slice(), whole.as_mut_slice()), &tag)?;
    assert!(opened[..1000] == [1; 1000] && opened[1000..] == [2; 500]);

    let mut mac = key.cmac_parts()?;
    mac.update(&opened[..700])?;
    mac.update(&opened[700..])?;
    mac.finish(&mut tag)?;
    println!("its CMAC: {tag:02x?}");
    key.cmac_verify(opened.as_slice(), &tag)
}
