// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the entry points of all tables share.

/// Defines each entry point where x86-64 code may use vector registers. In x86-64 code that may not, the crate
/// is only the provider room's view of the kernels object, and the entry points are declared. Other processors
/// have no table with these kernels, and each entry point is [`absent`].
macro_rules! entries {
    ($features:literal $($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// The common contract in the head of the crate.
            #[cfg(target_feature = "sse2")]
            #[unsafe(no_mangle)]
            #[target_feature(enable = $features)]
            pub unsafe extern "C" fn $name($($arg: $ty),*) {
                // SAFETY: the caller's promise is that of the body; the features are enabled here.
                unsafe { $body }
            }
        )*
        #[cfg(all(target_arch = "x86_64", not(target_feature = "sse2")))]
        unsafe extern "C" {
            $(
                $(#[$doc])*
                ///
                /// # Safety
                /// The common contract in the head of the crate.
                pub fn $name($($arg: $ty),*);
            )*
        }
        $crate::entry::absent! { $($(#[$doc])* fn $name($($arg: $ty),*);)* }
    };
}
pub(crate) use entries;

/// Defines entry points for processors that are not x86-64. Nobody calls them.
macro_rules! absent {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*);)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// The common contract in the head of the crate.
            #[cfg(not(target_arch = "x86_64"))]
            pub unsafe extern "C" fn $name($(_: $ty),*) {
                // SAFETY: the caller promises that the CPU has the table's features. This one has none of them.
                unsafe { core::hint::unreachable_unchecked() }
            }
        )*
    };
}
pub(crate) use absent;

/// Defines or declares entry points, as [`entries`] does. These call a kernel that has a frame of its own,
/// and then a function that wipes that frame. `$pass` pushes the kernel's arguments from the seventh on. The
/// first six are already in registers.
///
/// The stack when the kernel is called, and again when the wiping function is called
/// (`kcfaes_gcm_encrypt_aesni`):
///
/// ```text
///  rbp + 24   tag, the caller's eighth argument
///  rbp + 16   waits, the caller's seventh argument
///  rbp +  8   return address of the entry point
///  rbp        the caller's rbp                          push rbp
///  rbp -  8   no argument: rsp is a multiple of 16      push rbp                  ┐
///  rbp - 16   tag, the kernel's ninth argument          push qword ptr [rbp + 24] │ pass_gcm!(1)
///  rbp - 24   encrypt, its eighth                       push 1                    │
///  rbp - 32   waits, its seventh                        push qword ptr [rbp + 16] ┘   <- rsp
///  rbp - 40   return address of the kernel              call
///  below      the kernel's frame                        zeroed by the second call
/// ```
///
/// This is assembler because nothing else keeps the two frames at the same place: rustc (1.95) drops
/// `#[inline(never)]` from functions that enable target features.
///
/// The `.cfi` lines say at each instruction where the caller's frame is (its address, the CFA, is `rbp + 16`
/// above). libkcfaes has them for debuggers and profilers. The kernel object drops them: illumos goes by `rbp`.
macro_rules! framed_entries {
    (
        $wipe:path,
        $($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $kernel:expr $(, $pass:expr)?;)*
    ) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// The common contract in the head of the crate.
            #[cfg(target_feature = "sse2")]
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name($($arg: $ty),*) {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    "push rbp",
                    ".cfi_def_cfa_offset 16",
                    ".cfi_offset rbp, -16",
                    "mov rbp, rsp",
                    ".cfi_def_cfa_register rbp",
                    $($pass,)?
                    "call {kernel}",
                    "call {wipe}",
                    "leave",
                    ".cfi_restore rbp",
                    ".cfi_def_cfa rsp, 8",
                    "ret",
                    ".cfi_endproc",
                    kernel = sym $kernel,
                    wipe = sym $wipe,
                )
            }
        )*
        #[cfg(all(target_arch = "x86_64", not(target_feature = "sse2")))]
        unsafe extern "C" {
            $(
                $(#[$doc])*
                ///
                /// # Safety
                /// The common contract in the head of the crate.
                pub fn $name($($arg: $ty),*);
            )*
        }
        $crate::entry::absent! { $($(#[$doc])* fn $name($($arg: $ty),*);)* }
    };
}
pub(crate) use framed_entries;

/// Pushes the last three arguments of a kernel `gcm`: `waits`, `encrypt` (1 or 0) and `tag`. See
/// [`framed_entries`].
#[cfg(target_feature = "sse2")]
macro_rules! pass_gcm {
    ($encrypt:literal) => {
        concat!(
            "push rbp\n",
            "push qword ptr [rbp + 24]\n",
            concat!("push ", $encrypt, "\n"),
            "push qword ptr [rbp + 16]",
        )
    };
}
#[cfg(target_feature = "sse2")]
pub(crate) use pass_gcm;

/// The entry points of a table of wide registers: those that wide registers make faster. For the others,
/// which are serial or small, callers use `aesni`.
///
/// A wide entry point passes a text of one block to `aesni` too, because the text would fill one lane. CBC
/// decryption does so for up to four blocks, which are faster in registers of one block. Measured (Zen 5,
/// `make bench`, 64 bytes).
///
/// `$cut` is the register type for a text in pieces (see `pieces::transform`). A step has `$registers` of
/// them, and `$chained` in CBC decryption. Measured (Zen 5, `make consumers`): with seven registers of
/// `vaes512`, 1424 bytes in five pieces take 1.35 times as long as in one buffer.
macro_rules! wide_entries {
    (
        $features:literal, $lanes:ty, ($cut:ty, $registers:literal, $chained:literal), $wipe_stack:path,
        $ghash_init:ident, $ecb_encrypt:ident, $ecb_decrypt:ident, $cbc_encrypt_batch:ident,
        $cbc_decrypt:ident, $ctr32:ident, $pieces:ident,
        $ghash:ident, $gcm_encrypt:ident, $gcm_decrypt:ident, $gcm_short:ident,
        $wipe:ident,
    ) => {
        $crate::entry::entries! {
            $features

            /// As `kcfaes_ghash_init_aesni`, with the powers that this table wants.
            fn $ghash_init(schedule: *const Schedule, powers: *mut Powers) {
                ghash::init::<$lanes>(schedule, powers)
            }
            /// As `kcfaes_ecb_encrypt_aesni`.
            fn $ecb_encrypt(schedule: *const Schedule, src: *const u8, dst: *mut u8, blocks: usize) {
                if blocks <= 1 {
                    return kcfaes_ecb_encrypt_aesni(schedule, src, dst, blocks);
                }
                ecb::ecb::<$lanes, true>(schedule, src, dst, blocks)
            }
            /// As `kcfaes_ecb_decrypt_aesni`.
            fn $ecb_decrypt(schedule: *const Schedule, src: *const u8, dst: *mut u8, blocks: usize) {
                if blocks <= 1 {
                    return kcfaes_ecb_decrypt_aesni(schedule, src, dst, blocks);
                }
                ecb::ecb::<$lanes, false>(schedule, src, dst, blocks)
            }
            /// As `kcfaes_cbc_encrypt_batch_aesni`, with all 16 chains.
            fn $cbc_encrypt_batch(schedule: *const Schedule, keys: *const ChainKeys, chains: *mut Chains, blocks: usize) {
                const REGISTERS: usize = CHAINS / <$lanes>::BLOCKS;
                if keys.is_null() {
                    cbc_batch::encrypt::<$lanes, REGISTERS, false>(schedule, keys, chains, blocks)
                } else {
                    cbc_batch::encrypt::<$lanes, REGISTERS, true>(schedule, keys, chains, blocks)
                }
            }
            /// As `kcfaes_cbc_decrypt_aesni`.
            fn $cbc_decrypt(schedule: *const Schedule, iv: *mut Block, src: *const u8, dst: *mut u8, blocks: usize) {
                if blocks <= 4 {
                    return kcfaes_cbc_decrypt_aesni(schedule, iv, src, dst, blocks);
                }
                cbc::decrypt::<$lanes>(schedule, iv, src, dst, blocks)
            }
            /// As `kcfaes_ctr32_aesni`.
            fn $ctr32(schedule: *const Schedule, ctr: *mut Block, src: *const u8, dst: *mut u8, len: usize) {
                if len <= 16 {
                    return kcfaes_ctr32_aesni(schedule, ctr, src, dst, len);
                }
                ctr::ctr32::<$lanes>(schedule, ctr, src, dst, len)
            }
            /// As `kcfaes_ghash_aesni`; `powers` has the powers that this table wants.
            fn $ghash(powers: *const Powers, y: *mut Block, src: *const u8, len: usize) {
                ghash::ghash::<$lanes>(powers, y, src, len)
            }
            /// As `kcfaes_gcm_short_aesni`, for a text of at most [`SHORT_TEXT`] bytes; `powers` has the powers that
            /// this table wants.
            fn $gcm_short(schedule: *const Schedule, powers: *const Powers, j0: *const CounterBlock, y: *mut Block, aad_len: u64, src: *const u8, dst: *mut u8, len: usize, encrypt: bool) {
                gcm::transform_short::<$lanes>(schedule, powers, j0, y, aad_len, src, dst, len, encrypt)
            }
            /// Clears every vector register. An entry point leaves no keys and no text on the stack.
            fn $wipe() {
                <$lanes>::wipe()
            }
        }

        // GCM and texts in pieces, which spill blocks.

        $crate::entry::framed_entries! {
            $wipe_stack,

            /// As `kcfaes_pieces_aesni`, except that the serial modes are not allowed.
            fn $pieces(mode: BlockMode, schedule: *const Schedule, state: *mut Block, mac: *mut Block, text: *const Piece, len: usize) pieces;
        }
        $crate::entry::framed_entries! {
            $wipe_stack,

            /// As `kcfaes_gcm_encrypt_aesni`; `powers` has the powers that this table wants.
            fn $gcm_encrypt(schedule: *const Schedule, powers: *const Powers, ctr: *mut CounterBlock, y: *mut Block, text: *const Piece, len: usize, waits: bool, tag: *const Tag<'_>) gcm, $crate::entry::pass_gcm!(1);
            /// As `kcfaes_gcm_decrypt_aesni`; `powers` has the powers that this table wants.
            fn $gcm_decrypt(schedule: *const Schedule, powers: *const Powers, ctr: *mut CounterBlock, y: *mut Block, text: *const Piece, len: usize, waits: bool, tag: *const Tag<'_>) gcm, $crate::entry::pass_gcm!(0);
        }
        #[cfg(target_feature = "sse2")]
        #[target_feature(enable = $features)]
        unsafe extern "C" fn pieces(
            mode: BlockMode,
            schedule: *const Schedule,
            state: *mut Block,
            mac: *mut Block,
            text: *const Piece,
            len: usize,
        ) {
            // SAFETY: the entry points' contract; the features are enabled here.
            unsafe {
                let run = |Piece { src, dst, len }| match mode {
                    BlockMode::EcbEncrypt => $ecb_encrypt(schedule, src, dst, len / 16),
                    BlockMode::EcbDecrypt => $ecb_decrypt(schedule, src, dst, len / 16),
                    BlockMode::CbcDecrypt => $cbc_decrypt(schedule, state, src, dst, len / 16),
                    _ => $ctr32(schedule, state, src, dst, len),
                };
                // CBC decryption has a copy of its own if it takes more registers. IPsec packets in fragments
                // are decrypted with CBC; the other modes rarely get texts in pieces.
                const CBC: BlockMode = BlockMode::CbcDecrypt;
                if $chained != $registers && mode == CBC {
                    pieces::transform::<$cut, { $chained }, false>(CBC, schedule, state, mac, text, len, run);
                } else {
                    pieces::transform::<$cut, { $registers }, false>(mode, schedule, state, mac, text, len, run);
                }
            }
        }

        #[cfg(target_feature = "sse2")]
        #[target_feature(enable = $features)]
        unsafe extern "C" fn gcm(
            schedule: *const Schedule,
            powers: *const Powers,
            ctr: *mut CounterBlock,
            y: *mut Block,
            text: *const Piece,
            len: usize,
            waits: bool,
            encrypt: bool,
            tag: *const Tag<'_>,
        ) {
            // SAFETY: the entry points' contract; the features are enabled here.
            unsafe {
                gcm::transform::<$lanes>(schedule, powers, ctr, y, text, len, waits, encrypt, tag)
            }
        }
    };
}
pub(crate) use wide_entries;
