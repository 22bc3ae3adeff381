// SPDX-License-Identifier: MIT OR Apache-2.0
//! The blocks of memory that the framework holds for us: templates and contexts.
//!
//! The environment's heap promises 8-byte alignment; keys and contexts need 64. So every block is allocated
//! larger by 63 bytes, and the aligned place is found inside it.

use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use kcfaes_provider::engine::Fpu;
use kcfaes_provider::env;
use kcfaes_provider::kcf::{Error, Result, crypto_spi_ctx_template_t};
use kcfaes_provider::key::Key;
use kcfaes_provider::mode::Operation;
use kcfaes_provider::request::Direction;
use kcfaes_provider::wipe::{Wipe, wipe_raw};

/// A block of the environment's heap, wiped before it is freed.
struct Block {
    at: NonNull<u8>,
    size: usize,
    /// How many of its bytes are wiped, from its beginning.
    wiped: usize,
}

impl Block {
    /// The size of a block for `size` bytes at an alignment of 64.
    const fn bytes(size: usize) -> usize {
        size + 63
    }

    /// A block for `size` bytes at an alignment of 64, with whatever the heap has left in it.
    fn unset(size: usize, kmflag: c_int) -> Result<Self> {
        let size = Self::bytes(size);
        let at = env::alloc(size, kmflag).ok_or(Error::HOST_MEMORY)?;
        Ok(Self { at, size, wiped: size })
    }

    /// A zeroed block for `size` bytes at an alignment of 64.
    fn new(size: usize, kmflag: c_int) -> Result<Self> {
        let block = Self::unset(size, kmflag)?;
        // SAFETY: `size` bytes are ours.
        unsafe { block.at.write_bytes(0, block.size) };
        Ok(block)
    }

    /// The first multiple of 64 at or after `offset`.
    fn aligned(&self, offset: usize) -> NonNull<u8> {
        aligned(self.at, offset)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is ours and nothing refers to it any more.
        unsafe {
            wipe_raw(self.at.as_ptr(), self.wiped);
            env::free(self.at, self.size);
        }
    }
}

/// The first multiple of 64 at or after `at + offset`.
fn aligned(at: NonNull<u8>, offset: usize) -> NonNull<u8> {
    let behind = at.addr().get() + offset;
    // SAFETY: every block is larger by 63 than what is placed in it.
    unsafe { at.add(offset + (behind.wrapping_neg() & 63)) }
}

/// A value in a block of its own, for the length of one call.
pub(crate) struct Heap<T: Wipe> {
    block: Block,
    value: PhantomData<T>,
}

impl<T: Wipe> Heap<T> {
    /// A value that is all zero.
    pub(crate) fn new(kmflag: c_int) -> Result<Self> {
        const { assert!(align_of::<T>() <= 64) };
        Ok(Self { block: Block::new(size_of::<T>(), kmflag)?, value: PhantomData })
    }

    /// The value.
    pub(crate) fn get(&mut self) -> &mut T {
        let at = self.block.aligned(0).cast::<T>();
        // SAFETY: aligned, zeroed (which is a `T`), and borrowed from `self`, which owns it.
        unsafe { &mut *at.as_ptr() }
    }
}

/// A key for the length of one call. Its block always has the same size, so that a cache of fixed size can serve
/// it. To zero all of the block, and to wipe all of it, would take as long as to expand the key.
pub(crate) struct HeapKey {
    block: Block,
}

impl HeapKey {
    /// The size of the block.
    #[cfg(not(kcfaes_artifact = "userland"))]
    pub(crate) const BYTES: usize = Block::bytes(size_of::<Key>());

    /// A key that is not set.
    pub(crate) fn new(kmflag: c_int) -> Result<Self> {
        let mut block = Block::unset(size_of::<Key>(), kmflag)?;
        block.wiped = 0;
        let mut key = Self { block };
        key.get().powers.set = 0;
        Ok(key)
    }

    /// The key.
    pub(crate) fn get(&mut self) -> &mut Key {
        let at = self.block.aligned(0).cast::<Key>();
        // SAFETY: aligned, any bytes are a key, and borrowed from `self`, which owns it.
        unsafe { &mut *at.as_ptr() }
    }
}

impl Drop for HeapKey {
    fn drop(&mut self) {
        self.get().erase();
    }
}

/// First bytes of a template. They distinguish ours from a foreign pointer.
#[repr(C)]
struct Header {
    /// [`MAGIC`] xor the block's address. So a moved copy, whose key is elsewhere, is foreign too.
    magic: u64,
    /// [`LAYOUT`]
    layout: u64,
}

/// "kcfaes" and a number, not an address.
const MAGIC: u64 = 0x6b63_6661_6573_f00d;

/// Changes whenever [`Key`] does.
const LAYOUT: u64 = 1;

/// A template: one flat block that KCF itself will wipe and free. It has a header, and a key with the powers
/// of H, whatever the mechanism. Once made it is read-only, and any number of calls share it.
pub(crate) struct Template;

impl Template {
    /// Makes one; returns the block and its size.
    pub(crate) fn create(key: &[u8], kmflag: c_int) -> Result<(*mut c_void, usize)> {
        let block = Block::new(size_of::<Header>() + size_of::<Key>(), kmflag)?;
        let at = block.at;
        let header = Header { magic: magic(at), layout: LAYOUT };
        // SAFETY: the block begins with room for a header, at an alignment of 8. After it there is room for a
        // key, aligned and zeroed. Nobody else has the block yet.
        let place = unsafe {
            at.cast::<Header>().write(header);
            &mut *block.aligned(size_of::<Header>()).cast::<Key>().as_ptr()
        };
        place.set(&mut Fpu::new(), key, usize::MAX);
        let block = ManuallyDrop::new(block);
        Ok((at.as_ptr().cast(), block.size))
    }

    /// The key of a template.
    ///
    /// # Errors
    /// `ARGUMENTS_BAD` if the template is not one of ours.
    ///
    /// # Safety
    /// `template` points to readable memory. If it is ours, it does not change during `'a`.
    pub(crate) unsafe fn key<'a>(template: crypto_spi_ctx_template_t) -> Result<&'a Key> {
        let at = NonNull::new(template.cast::<u8>()).ok_or(Error::ARGUMENTS_BAD)?;
        if at.addr().get() & 7 != 0 {
            return Err(Error::ARGUMENTS_BAD);
        }
        // SAFETY: readable, and aligned to 8.
        let header = unsafe { at.cast::<Header>().as_ref() };
        if header.magic != magic(at) || header.layout != LAYOUT {
            return Err(Error::ARGUMENTS_BAD);
        }
        // SAFETY: `create` made it, and put the key there.
        Ok(unsafe { aligned(at, size_of::<Header>()).cast::<Key>().as_ref() })
    }
}

fn magic(at: NonNull<u8>) -> u64 {
    MAGIC ^ at.addr().get() as u64
}

/// The functions that may use a context: those of the group whose init began it (`CRYPTO_FG_*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Encrypt,
    Decrypt,
    Mac,
}

impl Group {
    /// The direction of its messages.
    #[inline(always)]
    pub(crate) fn direction(self) -> Direction {
        if self == Self::Decrypt { Direction::Decrypt } else { Direction::Encrypt }
    }
}

/// What `cc_provider_private` points to: a message in work, with its own key or a template's.
pub(crate) struct Context {
    /// The group that may continue it.
    pub(crate) group: Group,
    /// The message.
    pub(crate) operation: Operation,
    key: *const Key,
    block: Block,
}

impl Context {
    /// Room for a context, with a key of its own unless a template is given.
    pub(crate) fn new<'a>(
        group: Group,
        template: Option<&Key>,
        kmflag: c_int,
    ) -> Result<&'a mut Self> {
        let own = if template.is_some() { 0 } else { size_of::<Key>() };
        let place = size_of::<Self>().next_multiple_of(64);
        let block = Block::new(place + own, kmflag)?;
        let at = block.aligned(0);
        // SAFETY: after the context there is room for a key, if the context has its own.
        let behind = unsafe { at.add(place) }.cast::<Key>().as_ptr().cast_const();
        let key = template.map_or(behind, core::ptr::from_ref);
        let at = at.cast::<Self>();
        // SAFETY: aligned, large enough and ours. The context ends with `free` only.
        unsafe {
            at.write(Self { group, operation: Operation::idle(), key, block });
            Ok(&mut *at.as_ptr())
        }
    }

    /// The context's own key, to be set before its first use.
    ///
    /// # Safety
    /// The context was made without a template.
    pub(crate) unsafe fn own_key(&mut self) -> &mut Key {
        // SAFETY: then the key is after it, zeroed, in its own block.
        unsafe { &mut *self.key.cast_mut() }
    }

    /// The message and the key.
    pub(crate) fn parts(&mut self) -> (&mut Operation, &Key) {
        // SAFETY: the key is in the context's own block, or in a template that by KCF's rules lives as long
        // as the context. It does not change.
        (&mut self.operation, unsafe { &*self.key })
    }

    /// Ends the message, wipes everything and gives the memory back.
    ///
    /// # Safety
    /// `this` came from [`Context::new`] and is not used again.
    pub(crate) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: the caller's contract; the block is read out of the memory that it describes before that
        // memory is wiped.
        unsafe {
            let block = core::ptr::read(&raw const (*this.as_ptr()).block);
            core::ptr::drop_in_place(&raw mut (*this.as_ptr()).operation);
            drop(block);
        }
    }
}
