// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts with no accessible byte before or after them, and at every alignment.

const PAGE: usize = 4096;

/// Bytes between the guard pages.
const ROOM: usize = 18 * PAGE;

/// Bytes around a text that must not change.
const AROUND: usize = 64;

const FILL: u8 = 0xee;

/// Where a text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Right after the lower guard page.
    Start,
    /// Right before the upper guard page.
    End,
    /// This many bytes after a multiple of 64, with room on both sides.
    Offset(usize),
}

/// Memory between two pages that cannot be accessed.
pub(crate) struct Guarded {
    map: *mut u8,
}

impl Guarded {
    pub(crate) fn new() -> Self {
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let size = ROOM + 2 * PAGE;
            let map = libc::mmap(core::ptr::null_mut(), size, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let map = map.cast::<u8>();
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(map.add(PAGE).cast(), ROOM, access), 0);
            Self { map }
        }
    }

    /// Puts a text there and returns its address.
    pub(crate) fn put(&mut self, at: At, text: &[u8]) -> *mut u8 {
        let (room, start) = self.around(at, text.len());
        room.fill(FILL);
        room[start..start + text.len()].copy_from_slice(text);
        room[start..].as_mut_ptr()
    }

    /// The text there. Fails if a byte around it has changed.
    pub(crate) fn text(&mut self, at: At, len: usize) -> &[u8] {
        let (room, start) = self.around(at, len);
        let (before, text) = room.split_at(start);
        let (text, behind) = text.split_at(len);
        assert!(before.iter().all(|&byte| byte == FILL), "wrote before the text, {at:?}");
        assert!(behind.iter().all(|&byte| byte == FILL), "wrote behind the text, {at:?}");
        text
    }

    /// The memory of a text and of the bytes around it, and where the text begins in it.
    fn around(&mut self, at: At, len: usize) -> (&mut [u8], usize) {
        let start = match at {
            At::Start => 0,
            At::End => ROOM - len,
            At::Offset(offset) => AROUND + offset,
        };
        let first = start.saturating_sub(AROUND);
        let behind = (start + len + AROUND).min(ROOM);
        let room = unsafe { core::slice::from_raw_parts_mut(self.map.add(PAGE), ROOM) };
        (&mut room[first..behind], start - first)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.map.cast(), ROOM + 2 * PAGE) };
    }
}

/// Where the source and the destination of a kernel lie.
pub(crate) struct Memory {
    src: Guarded,
    dst: Guarded,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { src: Guarded::new(), dst: Guarded::new() }
    }

    /// Runs a kernel over `text`, in place if `to` is `None`. The output must be `want`, and nothing else
    /// may have changed. The kernel gets source, destination and length in bytes.
    pub(crate) fn run(
        &mut self,
        (from, to): (At, Option<At>),
        (text, want): (&[u8], &[u8]),
        kernel: impl FnOnce(*const u8, *mut u8, usize),
    ) {
        let len = text.len();
        let src = self.src.put(from, text);
        let dst = to.map_or(src, |to| self.dst.put(to, &vec![!FILL; len]));
        kernel(src, dst, len);
        let left = if to.is_some() { text } else { want };
        assert!(self.src.text(from, len) == left, "{len} bytes, {from:?} to {to:?}: source");
        if let Some(to) = to {
            let out = self.dst.text(to, len);
            assert!(out == want, "{len} bytes, {from:?} to {to:?}: output");
        }
    }

    /// Runs a kernel at both guard pages, in place and apart, and at two alignments that change from length
    /// to length.
    pub(crate) fn everywhere(
        &mut self,
        texts: (&[u8], &[u8]),
        kernel: impl Fn(*const u8, *mut u8, usize),
    ) {
        let len = texts.0.len();
        let (one, other) = (At::Offset((7 * len + 3) % 64), At::Offset((29 * len + 11) % 64));
        for places in [
            (At::End, Some(At::End)),
            (At::Start, Some(At::Start)),
            (At::End, None),
            (At::Start, None),
            (one, Some(other)),
            (other, None),
        ] {
            self.run(places, texts, &kernel);
        }
    }
}
