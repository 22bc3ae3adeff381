// SPDX-License-Identifier: MIT OR Apache-2.0
//! Another library, called through a cdylib of `peers/`.

use core::ffi::CStr;
use std::path::Path;

use kcfaes_shape::{Peer, Prepared, SHAPE, SYMBOL};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::{Contender, Role};
use crate::message::{Job, Operation};

/// A peer that is loaded and is never unloaded.
pub struct Loaded {
    name: String,
    description: String,
    peer: Peer,
}

impl Loaded {
    /// Loads the peer `name` from the cdylib at `path`.
    ///
    /// # Errors
    /// It cannot be loaded, is no peer, has another version of the shape, or says that it cannot run
    /// here.
    pub fn load(name: &str, path: &Path) -> Result<Self, String> {
        // SAFETY: initialisers of these libraries are meant to run in any program. RTLD_LOCAL, so that
        // none finds another's symbols.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|error| error.to_string())?;
        // SAFETY: the symbol of that name is a `Peer`, by the macro that defines it.
        let peer = unsafe { library.get::<*const Peer>(SYMBOL.to_bytes_with_nul()) };
        // SAFETY: as above. Its first field is in every shape.
        let peer = unsafe { &**peer.map_err(|error| error.to_string())? };
        if peer.shape != SHAPE {
            return Err(format!("it was built for shape {}, not {SHAPE}", peer.shape));
        }
        // The library's states and strings are used until the process ends.
        core::mem::forget(library);
        Self::new(name, *peer)
    }

    /// The peer `name`, called through `peer`.
    ///
    /// # Errors
    /// It says that it cannot run here.
    pub fn new(name: &str, peer: Peer) -> Result<Self, String> {
        let description = (peer.describe)();
        if description.is_null() {
            return Err("this machine does not have it".to_owned());
        }
        // SAFETY: a string, as `Peer` says.
        let description = unsafe { CStr::from_ptr(description) }.to_string_lossy().into_owned();
        Ok(Self { name: name.to_owned(), description, peer })
    }
}

impl Contender for Loaded {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> String {
        self.description.clone()
    }

    fn role(&self) -> Role {
        Role::Peer
    }

    unsafe fn prepare(&self, operation: Operation, job: &Job) -> Prepared {
        // SAFETY: the caller's promise.
        unsafe { (self.peer.prepare)(operation, job) }
    }
}

#[cfg(test)]
mod tests {
    use super::Loaded;
    use std::path::Path;

    #[test]
    fn what_is_no_peer_is_refused() {
        for path in ["/nowhere.so", "libc.so.6"] {
            assert!(Loaded::load("nobody", Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_peer_that_cannot_run_is_refused() {
        use core::ffi::CStr;
        use kcfaes_shape::{Job, Operation, Prepared};
        fn nothing() -> Option<&'static CStr> {
            None
        }
        unsafe fn none(_: Operation, _: &Job) -> Prepared {
            Prepared::NONE
        }
        kcfaes_shape::peer!(nothing, none);
        assert_eq!(
            Loaded::new("nobody", KCFAES_PEER).map(drop),
            Err("this machine does not have it".to_owned())
        );
    }
}
