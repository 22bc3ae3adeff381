// SPDX-License-Identifier: MIT OR Apache-2.0
//! CBC-MAC and CCM. All tables take their kernels from `aesni`. Every length, in place and apart, in one
//! call and in two, with no accessible byte around the text.

use kcfaes_kernels::entry_aesni::{
    kcfaes_cbc_mac_aesni, kcfaes_ccm_decrypt_aesni, kcfaes_ccm_encrypt_aesni,
};
use kcfaes_kernels::{Block, Schedule};

use crate::KEY_SIZES;
use crate::memory::{At, Guarded};
use crate::reference::{Bytes, cbc_encrypt, ctr32};
use crate::table::{advanced, tables};

fn lengths() -> impl Iterator<Item = usize> {
    (0..=600).chain([16384, 16389])
}

/// CBC-MAC of `text`, padded with zeros, starting from `start`: the last ciphertext block.
pub(crate) fn cbc_mac(key: &[u8], start: &Block, text: &[u8]) -> Block {
    let mut padded = text.to_vec();
    padded.resize(text.len().next_multiple_of(16), 0);
    let sealed = cbc_encrypt(key, start, &padded);
    sealed.last_chunk().map_or(*start, |&last| Block(last))
}

#[test]
fn cbc_mac_every_length() {
    let (mut bytes, mut memory) = (Bytes(9), Guarded::new());
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let schedule = tables()[0].schedule(&key);
        for len in lengths() {
            let (start, text) = (bytes.block(), bytes.take(len));
            let want = cbc_mac(&key, &start, &text);
            for at in [At::Start, At::End] {
                let src = memory.put(at, &text);
                let mut mac = start;
                unsafe { kcfaes_cbc_mac_aesni(&schedule, &mut mac, src, len) };
                assert_eq!(mac, want, "{size}-byte key, {len} bytes, {at:?}");
                assert_eq!(memory.text(at, len), text);
            }
        }
    }
}

type Ccm = unsafe extern "C" fn(*const Schedule, *mut Block, *mut Block, *const u8, *mut u8, usize);

#[test]
fn ccm_every_length() {
    let mut bytes = Bytes(10);
    let (mut from, mut to) = (Guarded::new(), Guarded::new());
    for size in KEY_SIZES {
        let key = bytes.take(size);
        let schedule = tables()[0].schedule(&key);
        for len in lengths() {
            let (mut start, mac0, plain) = (bytes.block(), bytes.block(), bytes.take(len));
            if len % 3 == 0 {
                // The counter wraps somewhere in the text.
                start.0[12..].copy_from_slice(&(len as u32 / 32).wrapping_neg().to_be_bytes());
            }
            let cipher = ctr32(&key, &start, &plain);
            let want_mac = cbc_mac(&key, &mac0, &plain);
            for (kernel, text, want) in [
                (kcfaes_ccm_encrypt_aesni as Ccm, &plain, &cipher),
                (kcfaes_ccm_decrypt_aesni as Ccm, &cipher, &plain),
            ] {
                for at in [At::Start, At::End, At::Offset(5)] {
                    for in_place in [false, true] {
                        let src = from.put(at, text);
                        let dst = if in_place { src } else { to.put(at, &vec![0; len]) };
                        let (mut ctr, mut mac) = (start, mac0);
                        let first = (len / 2) & !15;
                        for (at, n) in [(0, first), (first, len - first)] {
                            let (src, dst) = (src.wrapping_add(at), dst.wrapping_add(at));
                            unsafe { kernel(&schedule, &mut ctr, &mut mac, src, dst, n) };
                        }
                        let out = if in_place { &mut from } else { &mut to };
                        assert_eq!(out.text(at, len), want, "{size}-byte key, {len} bytes");
                        assert_eq!(mac, want_mac, "{size}-byte key, {len} bytes");
                        assert_eq!(ctr, advanced(&start, len));
                    }
                }
            }
        }
    }
}
