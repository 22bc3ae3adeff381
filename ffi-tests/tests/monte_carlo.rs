// SPDX-License-Identifier: MIT OR Apache-2.0
//! NIST's tests that are chains and not single answers, on every table: the Monte Carlo test of ECB and
//! CBC, and the counter test of CTR, for which ACVP has no Monte Carlo test ("ACVP Symmetric Block Cipher
//! Algorithm JSON Specification", Test Types).
//!
//! A chain's last answer depends on each of its 100,000 ciphers. The starts and last answers are those of
//! NIST's CAVP files (CAVS 11.1, AESVS MCT: COUNT 0 and COUNT 99). RustCrypto computes each of the 100
//! answers too.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aes::cipher::consts::U16;
use aes::cipher::{BlockDecrypt, BlockEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use kcfaes_ffi_tests::buffer::{Buffer, Format};
use kcfaes_ffi_tests::consumer::{Out, Request, Way};
use kcfaes_ffi_tests::kernel;
use kcfaes_provider::kcf::CRYPTO_SUCCESS;
use kcfaes_vectors::{Mode, Stream};

type Block = [u8; 16];

/// The forced table exists once in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A chain's start and its last answer, in hexadecimal.
struct Chain {
    mode: Mode,
    way: Way,
    key: &'static str,
    /// Empty in ECB.
    iv: &'static str,
    input: &'static str,
    last: &'static str,
}

use Mode::{Cbc, Ecb};
use Way::{Decrypt, Encrypt};

#[rustfmt::skip]
const CHAINS: [Chain; 12] = [
    // ECBMCT128.rsp
    Chain {
        mode: Ecb, way: Encrypt, iv: "",
        key: "139a35422f1d61de3c91787fe0507afd",
        input: "b9145a768b7dc489a096b546f43b231f", last: "fb2649694783b551eacd9d5db6126d47",
    },
    Chain {
        mode: Ecb, way: Decrypt, iv: "",
        key: "0c60e7bf20ada9baa9e1ddf0d1540726",
        input: "b08a29b11a500ea3aca42c36675b9785", last: "d1d2bfdc58ffcad2341b095bce55221e",
    },
    // ECBMCT192.rsp
    Chain {
        mode: Ecb, way: Encrypt, iv: "",
        key: "b9a63e09e1dfc42e93a90d9bad739e5967aef672eedd5da9",
        input: "85a1f7a58167b389cddc8a9ff175ee26", last: "5d1196da8f184975e240949a25104554",
    },
    Chain {
        mode: Ecb, way: Decrypt, iv: "",
        key: "4b97585701c03fbebdfa8555024f589f1482c58a00fdd9fd",
        input: "d0bd0e02ded155e4516be83f42d347a4", last: "b63ef1b79507a62eba3dafcec54a6328",
    },
    // ECBMCT256.rsp
    Chain {
        mode: Ecb, way: Encrypt, iv: "",
        key: "f9e8389f5b80712e3886cc1fa2d28a3b8c9cd88a2d4a54c6aa86ce0fef944be0",
        input: "b379777f9050e2a818f2940cbbd9aba4", last: "c5d2cb3d5b7ff0e23e308967ee074825",
    },
    Chain {
        mode: Ecb, way: Decrypt, iv: "",
        key: "2b09ba39b834062b9e93f48373b8dd018dedf1e5ba1b8af831ebbacbc92a2643",
        input: "89649bd0115f30bd878567610223a59d", last: "e3d3868f578caf34e36445bf14cefc68",
    },
    // CBCMCT128.rsp
    Chain {
        mode: Cbc, way: Encrypt, iv: "e5c0bb535d7d54572ad06d170a0e58ae",
        key: "8809e7dd3a959ee5d8dbb13f501f2274",
        input: "1fd4ee65603e6130cfc2a82ab3d56c24", last: "7bed7671c8913aa1330f193761523e67",
    },
    Chain {
        mode: Cbc, way: Decrypt, iv: "41b461f9464fd515d25413b4241002b8",
        key: "287b07c78f8e3e1be7c41b3d96c04e6e",
        input: "7c54923b0490a9d4de4ec1ce6790aa4d", last: "4769317b0562c45949c18b3855f8bf4a",
    },
    // CBCMCT192.rsp
    Chain {
        mode: Cbc, way: Encrypt, iv: "426fbc087b50b395c0fc81ef9fd6d1aa",
        key: "dea64f83cfe6a0a183ddbe865cfca059b3c615c1623d63fc",
        input: "cd0b8c8a8179ecb171b64c894a4d60fd", last: "e6457bfc3433e80299c52b2be418f582",
    },
    Chain {
        mode: Cbc, way: Decrypt, iv: "c5aeb9b51ad5108371c59d0b90816310",
        key: "a24ebd4d7a080c28caae984b5098a9ea38cf7280e2c5f122",
        input: "eb2c4e2712591ff13b8ac7870c9c404c", last: "836424eadf8155aaf9a9a51391a1cf7e",
    },
    // CBCMCT256.rsp
    Chain {
        mode: Cbc, way: Encrypt, iv: "ff8127621be616803e3f002377730185",
        key: "632bac4fe4db44cfcf18cfa90b43f86f378611b8d968595eb89e7ae98624564a",
        input: "90ed17475f0a62bc381ba1f3ffbfff33", last: "bade1667b42f537f0cb3f5573a949aaa",
    },
    Chain {
        mode: Cbc, way: Decrypt, iv: "4139cb54eeac3fcf36ed72941122c40f",
        key: "31397ad8cc79c519e0f46e0f70303587e38958d70723b771552336b7771f6311",
        input: "27a1d5c10fe45b801d15f56e654a70f0", last: "9be831799a79b0955241f308f0d5b2e1",
    },
];

fn hex(digits: &str) -> Vec<u8> {
    let nibble = |c: u8| char::from(c).to_digit(16).expect("a digit") as u8;
    digits.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

/// A block in hexadecimal; zero if there is none.
fn block(digits: &str) -> Block {
    hex(digits).try_into().unwrap_or_default()
}

fn xor(a: Block, b: Block) -> Block {
    (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
}

/// A message of 1,000 blocks, each of which is made of the answers before.
type Message<'a> = Box<dyn FnMut(Block) -> Block + 'a>;

/// The test's two loops. `begin` gives a message its key and IV. The result is all 100 answers.
fn run<'a>(chain: &Chain, mut begin: impl FnMut(&[u8], Block) -> Message<'a>) -> Vec<Block> {
    let (mut key, mut iv, mut input) = (hex(chain.key), block(chain.iv), block(chain.input));
    let mut answers = Vec::new();
    for _ in 0..100 {
        let mut message = begin(&key, iv);
        let (mut before, mut last) = (iv, iv);
        for j in 0..1000 {
            let output = message(input);
            input = match (chain.mode, j) {
                (Ecb, _) => output,
                (_, 0) => iv,
                _ => last,
            };
            (before, last) = (last, output);
        }
        answers.push(last);
        let both = [before, last].concat();
        key.iter_mut().zip(&both[32 - hex(chain.key).len()..]).for_each(|(key, byte)| *key ^= byte);
        if chain.mode == Cbc {
            (iv, input) = (last, before);
        }
    }
    answers
}

/// RustCrypto's cipher of one block.
fn cipher(key: &[u8], way: Way) -> Message<'static> {
    fn of<C>(key: &[u8], way: Way) -> Message<'static>
    where
        C: KeyInit + BlockEncrypt + BlockDecrypt + BlockSizeUser<BlockSize = U16> + 'static,
    {
        let cipher = C::new_from_slice(key).expect("a key");
        Box::new(move |input| {
            let mut block = input.into();
            if way == Decrypt {
                cipher.decrypt_block(&mut block);
            } else {
                cipher.encrypt_block(&mut block);
            }
            block.into()
        })
    }
    match key.len() {
        16 => of::<Aes128>(key, way),
        24 => of::<Aes192>(key, way),
        _ => of::<Aes256>(key, way),
    }
}

/// A message of RustCrypto's cipher, chained here.
fn by_rustcrypto(chain: &Chain, key: &[u8], mut iv: Block) -> Message<'static> {
    let (mode, way) = (chain.mode, chain.way);
    let mut cipher = cipher(key, way);
    Box::new(move |input| match (mode, way) {
        (Ecb, _) => cipher(input),
        (_, Decrypt) => xor(cipher(input), core::mem::replace(&mut iv, input)),
        _ => {
            iv = cipher(xor(iv, input));
            iv
        }
    })
}

/// A message of the module's: ECB in calls of one block with a template, CBC as one message in parts.
fn by_module(chain: &Chain, key: &[u8], iv: Block) -> Message<'static> {
    let (mode, way) = (chain.mode, chain.way);
    let mut request = Request::new(mode, key, &iv, 0, &[], 0);
    let template = request.template();
    let mut parts = (mode == Cbc).then(|| request.init(way, Some(&template)).expect("init"));
    Box::new(move |input| {
        let mut src = Buffer::new(Format::Raw, &input, &[]);
        let mut dst = Buffer::room(Format::Raw, 16, &[]);
        let (mut from, mut to) = (src.data(0, 16), dst.data(0, 16));
        let out = Out::Other(&mut to);
        let rv = match &mut parts {
            Some(message) => message.update(&mut from, out),
            None => request.atomic(way, Some(&template), &mut from, out),
        };
        assert_eq!((rv, to.cd_length), (CRYPTO_SUCCESS, 16));
        dst.bytes().try_into().expect("a block")
    })
}

#[test]
fn monte_carlo_chains_end_as_nists() {
    let _alone = alone();
    for chain in &CHAINS {
        let name = format!("{} {:?} {}", chain.mode.name(), chain.way, 4 * chain.key.len());
        let want = run(chain, |key, iv| by_rustcrypto(chain, key, iv));
        assert_eq!(want[99], block(chain.last), "{name}: NIST's last answer");
        for &table in kernel::tables() {
            kernel::use_table(table);
            let got = run(chain, |key, iv| by_module(chain, key, iv));
            let first = got.iter().zip(&want).position(|(got, want)| got != want);
            assert_eq!(first, None, "{name} {}: the first wrong answer", table.name());
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}

/// ACVP's counter test: the counter blocks of a long message, computed back from what came out. They
/// ascend by one within the counter's width, and none occurs twice. Messages begin so that the counter
/// wraps inside.
#[test]
fn counters_ascend_and_never_repeat() {
    const BLOCKS: usize = 1000;
    let _alone = alone();
    for (key_len, bits) in
        [16, 24, 32].into_iter().flat_map(|n| [10, 32, 64, 128].map(|bits| (n, bits)))
    {
        let mut random = Stream::new(u64::from(bits) << 8 | key_len as u64);
        let (key, text) = (random.draw(key_len), random.draw(16 * BLOCKS));
        let mask = u128::MAX >> (128 - bits);
        let above = u128::from_be_bytes(random.draw(16).try_into().expect("a block")) & !mask;
        let mut back = cipher(&key, Decrypt);
        for (way, before) in [(Encrypt, 300), (Decrypt, 701)] {
            let first = above | 0_u128.wrapping_sub(before) & mask;
            for &table in kernel::tables() {
                kernel::use_table(table);
                let mut request = Request::new(Mode::Ctr, &key, &first.to_be_bytes(), bits, &[], 0);
                let mut message = request.init(way, None).expect("init");
                let mut src = Buffer::new(Format::Raw, &text, &[]);
                let mut dst = Buffer::room(Format::Raw, text.len(), &[]);
                // Parts that end inside blocks, inside steps, and behind the wrap.
                let mut taken = 0;
                for part in [1, 16, 4000, 783, text.len() - 4800] {
                    let (mut from, mut to) = (src.data(taken, part), dst.data(taken, part));
                    let rv = message.update(&mut from, Out::Other(&mut to));
                    assert_eq!((rv, to.cd_length), (CRYPTO_SUCCESS, part));
                    taken += part;
                }
                message.cancel();
                let out = dst.bytes();
                let blocks = out.as_chunks().0.iter().zip(text.as_chunks().0);
                let counters: Vec<u128> =
                    blocks.map(|(&out, &text)| u128::from_be_bytes(back(xor(out, text)))).collect();
                let name = format!("{key_len} bytes, {bits} bits, {way:?}, {}", table.name());
                assert_eq!(counters[0], first, "{name}");
                for (i, pair) in counters.windows(2).enumerate() {
                    let next = pair[0] & !mask | pair[0].wrapping_add(1) & mask;
                    assert_eq!(pair[1], next, "{name}: block {}", i + 1);
                }
                let unique: std::collections::HashSet<_> = counters.iter().collect();
                assert_eq!(unique.len(), BLOCKS, "{name}");
            }
        }
    }
    assert_eq!(kernel::violations(), Vec::<String>::new());
}
