// SPDX-License-Identifier: MIT OR Apache-2.0
//! lofi (`lofi.c`, `lofi_crypto`): 512 bytes at a time, by moving `cd_offset` over one raw buffer. ECB
//! makes each IV from the sector's number. There is never a template. Reads are decrypted in place, and
//! writes are encrypted into a second struct.

use core::ffi::c_int;

use kcfaes_ffi_tests::buffer::{FILL, Format};
use kcfaes_ffi_tests::consumer::{Request, Way};
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::Mode;

use crate::memory::Memory;
use crate::replay::{Atomic, Replay, Secret, Shape, same_bytes};

const SECTOR: usize = 512;
const FIRST_SECTOR: u64 = 0x1_0000;

struct Walk {
    cipher: Request,
    number: Request,
    iv: Box<[u8; 16]>,
    way: Way,
    data: Memory,
    /// Only for writes: reads are in place.
    room: Option<Memory>,
    before: Vec<u8>,
    want: Vec<u8>,
    ran: bool,
}

/// The block from which ECB makes an IV.
fn number(sector: usize) -> [u8; 16] {
    u128::from(FIRST_SECTOR + sector as u64).to_le_bytes()
}

impl Walk {
    fn shape(key_bits: usize, way: Way, len: usize) -> Shape {
        let verb = if way == Way::Encrypt { "write" } else { "read in place" };
        let name = format!("CBC-{key_bits} {verb} {len} B, 512 at a time, IV by ECB");
        Shape::timed(name, len, move |plan| {
            let key = plan.draw(key_bits / 8);
            let ecb = |text| secret(Mode::Ecb, &key, vec![], text);
            let whole = secret(Mode::Cbc, &key, plan.draw(16), plan.draw(len));
            let sectors: Vec<_> = whole
                .text
                .chunks(SECTOR)
                .enumerate()
                .map(|(i, text)| {
                    let iv = ecb(number(i).to_vec()).sealed();
                    secret(Mode::Cbc, &key, iv, text.to_vec()).ways(way)
                })
                .collect();
            let [from, want] = [0, 1].map(|side| {
                let bytes = sectors.iter().map(|ways| if side == 0 { &ways.0 } else { &ways.1 });
                bytes.flatten().copied().collect::<Vec<u8>>()
            });
            let data = plan.raw(&from).memory;
            let before = data.bytes();
            let mut iv = Box::new([0; 16]);
            let mut cipher = whole.request();
            cipher.mechanism.cm_param = iv.as_mut_ptr().cast();
            let in_place = way == Way::Decrypt;
            let room = (!in_place).then(|| Memory::room(Format::Raw, &[len]));
            let number = ecb(vec![]).request();
            let own = Self { cipher, number, iv, way, data, room, before, want, ran: false };
            let contiguous = if in_place {
                Atomic::contiguous_in_place(&whole, None, way, plan)
            } else {
                Atomic::contiguous(&whole, None, way, plan)
            };
            (own, contiguous)
        })
    }

    fn sector(&mut self, i: usize) -> c_int {
        let mut block = number(i);
        let [mut src, mut dst] = [block.as_mut_ptr(), self.iv.as_mut_ptr()].map(block_at);
        let rv = self.number.atomic(Way::Encrypt, None, &mut src, Some(&mut dst));
        if rv != CRYPTO_SUCCESS {
            return rv;
        }
        let mut src = self.data.data(i * SECTOR, SECTOR);
        let mut dst = self.room.as_mut().map(|room| room.data(i * SECTOR, SECTOR));
        self.cipher.atomic(self.way, None, &mut src, dst.as_mut())
    }
}

/// A block that is passed as it is.
fn block_at(at: *mut u8) -> kcfaes_provider::kcf::crypto_data_t {
    use kcfaes_provider::kcf::{CRYPTO_DATA_RAW, crypto_data_cdu_t, crypto_data_t, iovec_t};
    crypto_data_t {
        cd_format: CRYPTO_DATA_RAW,
        cd_offset: 0,
        cd_length: 16,
        cd_miscdata: core::ptr::null_mut(),
        cdu: crypto_data_cdu_t { cdu_raw: iovec_t { iov_base: at.cast(), iov_len: 16 } },
    }
}

fn secret(mode: Mode, key: &[u8], iv: Vec<u8>, text: Vec<u8>) -> Secret {
    Secret { mode, key: key.to_vec(), iv, aad: vec![], tag_len: 0, text }
}

impl Replay for Walk {
    fn reset(&mut self) {
        self.data.fill(&self.before);
        if let Some(room) = &mut self.room {
            room.fill(&vec![FILL; self.before.len()]);
        }
        self.ran = false;
    }

    fn repeats(&self) -> bool {
        true
    }

    fn run(&mut self) -> c_int {
        for i in 0..self.before.len() / SECTOR {
            let rv = self.sector(i);
            if rv != CRYPTO_SUCCESS {
                return rv;
            }
        }
        self.ran = true;
        CRYPTO_SUCCESS
    }

    fn check(&self) -> Result<(), String> {
        if !self.ran {
            return Err("not run to its end".to_owned());
        }
        match &self.room {
            None => same_bytes("the sectors", &self.data.bytes(), &self.want),
            Some(room) => {
                same_bytes("the input", &self.data.bytes(), &self.before)?;
                same_bytes("the sectors", &room.bytes(), &self.want)
            }
        }
    }
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for way in [Way::Encrypt, Way::Decrypt] {
        for (key_bits, len) in [(256, 512), (256, 65536), (128, 8192)] {
            shapes.push(Walk::shape(key_bits, way, len).timed_if(key_bits == 256));
        }
    }
    shapes
}
