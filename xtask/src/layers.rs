// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask layers`: the modules of each room are in an order, and a module may only use those
//! below it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree, Visibility};

use crate::rust_source::parse;
use crate::{Result, Tree};

/// A crate's folder, and its modules from the bottom up. A folder's own file has a place apart from the
/// files in the folder. It is above them where it puts them together, and below them where they share
/// it.
const CRATES: [(&str, &[&str]); 5] = [
    (
        "rust-core/kernels",
        &[
            "types",
            "lanes",
            "lanes::xmm",
            "lanes::ymm",
            "lanes::zmm",
            "wipe",
            "body",
            "body::key",
            "body::ecb",
            "body::cbc",
            "body::cbc_mac",
            "body::cbc_batch",
            "body::ctr",
            "body::ccm",
            "body::pieces",
            "body::ghash",
            "body::gcm",
            "entry",
            "entry_aesni",
            "entry_vaes256",
            "entry_vaes512",
        ],
    ),
    (
        "rust-core/provider",
        &[
            "kcf",
            "watch",
            "env",
            "wipe",
            "key",
            "request",
            "data::segments",
            "data::run",
            "data::pair",
            "data::io",
            "data",
            "portable::sbox",
            "portable::aes",
            "portable::ghash",
            "portable",
            "engine::select",
            "engine::fpu",
            "engine::kernel",
            "engine::material",
            "engine::call",
            "engine::step",
            "engine::drive",
            "engine::buffer",
            "engine",
            "mode::tag",
            "mode::aead",
            "mode::ecb",
            "mode::cbc",
            "mode::cbc_batch",
            "mode::ctr",
            "mode::cmac",
            "mode::gcm",
            "mode::gcm_batch",
            "mode::gcm_parts",
            "mode::gmac",
            "mode::ccm",
            "mode::direct",
            "mode",
            "selftest::answers",
            "selftest",
            "stats",
        ],
    ),
    (
        "rust-core/capi",
        &[
            "artifact",
            "context",
            "spi",
            "api::error",
            "api::bytes",
            "api::object",
            "api::key",
            "api::message",
            "api::gcm",
            "api::ccm",
            "api::mac",
            "api::block",
            "api::context",
            "api::memory",
            "api::tables",
            "api",
            "module",
        ],
    ),
    ("rust-core/userland", &["cpuid"]),
    (
        "rust-core/kcfaes",
        &[
            "error",
            "text",
            "key",
            "parts",
            "batch",
            "table",
            "memory",
            "traits::aes",
            "traits::aead",
            "traits::cbc",
            "traits::ctr",
            "traits::cmac",
            "traits",
        ],
    ),
];

pub(crate) fn command(tree: &Tree) -> Result<()> {
    let mut wrong = Vec::new();
    for (folder, order) in CRATES {
        let room = Room::read(&tree.root.join(folder).join("src"))?;
        let found = room.violations(order);
        let edges = room.edges().len();
        println!("{folder}: {} modules, {edges} imports, {} of them up", order.len(), found.len());
        wrong.extend(found.into_iter().map(|what| format!("{folder}: {what}")));
    }
    for what in &wrong {
        println!("  VIOLATION: {what}");
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("layers: {} violations", wrong.len()).into())
    }
}

/// A path in a crate: the names of its modules, from the root.
type Place = Vec<String>;

/// A crate's modules.
struct Room {
    modules: BTreeMap<Place, Module>,
}

/// What a file says of other files.
#[derive(Default)]
struct Module {
    /// Names of its own.
    defines: BTreeSet<String>,
    /// Names of others that it re-exports, and where those are.
    gives: BTreeMap<String, Place>,
    /// Modules from which it re-exports every name.
    gives_all: Vec<Place>,
    /// Paths that it uses.
    uses: BTreeSet<Place>,
}

impl Room {
    fn read(source: &Path) -> Result<Self> {
        let mut room = Self { modules: BTreeMap::new() };
        room.file(&source.join("lib.rs"), source, Vec::new())?;
        Ok(room)
    }

    /// Reads a file and those of its modules, which lie in `folder`.
    fn file(&mut self, path: &Path, folder: &Path, place: Place) -> Result<()> {
        let file = parse(path)?;
        for item in &file.items {
            if let Item::Mod(ItemMod { ident, content: None, attrs, .. }) = item
                && !is_test(attrs)
            {
                let name = ident.to_string();
                let child = [place.as_slice(), core::slice::from_ref(&name)].concat();
                let inner = folder.join(&name);
                let flat = folder.join(format!("{name}.rs"));
                let path = if flat.exists() { flat } else { inner.join("mod.rs") };
                self.file(&path, &inner, child)?;
            }
        }
        let mut reader = Reader { place: place.clone(), module: Module::default() };
        reader.visit_file(&file);
        reader.module.defines.extend(file.items.iter().filter_map(name_of));
        self.modules.insert(place, reader.module);
        Ok(())
    }

    /// The module that defines what `path` names, as far as re-exports are followed.
    fn home(&self, path: &[String]) -> Place {
        let mut at: Place = Vec::new();
        for (i, name) in path.iter().enumerate() {
            let child = [at.as_slice(), core::slice::from_ref(name)].concat();
            if self.modules.contains_key(&child) {
                at = child;
                continue;
            }
            let module = &self.modules[&at];
            if let Some(given) = module.gives.get(name).filter(|given| given.as_slice() != path) {
                return self.home(&[given.as_slice(), &path[i + 1..]].concat());
            }
            let mut others = module.gives_all.iter().map(|other| self.home(other));
            let other = others.find(|other| self.modules[other].defines.contains(name));
            return other.filter(|_| !module.defines.contains(name)).unwrap_or(at);
        }
        at
    }

    /// Who uses whom.
    fn edges(&self) -> BTreeSet<(String, String)> {
        let named = |place: &Place| place.join("::");
        let mut edges = BTreeSet::new();
        for (place, module) in self.modules.iter().filter(|(place, _)| !place.is_empty()) {
            for path in &module.uses {
                let home = self.home(path);
                if home != *place && !home.is_empty() {
                    edges.insert((named(place), named(&home)));
                }
            }
        }
        edges
    }

    fn violations(&self, order: &[&str]) -> Vec<String> {
        let position = |name: &str| order.iter().position(|&other| other == name);
        let mut wrong = Vec::new();
        for place in self.modules.keys().filter(|place| !place.is_empty()) {
            if position(&place.join("::")).is_none() {
                wrong.push(format!("{} has no place in the order", place.join("::")));
            }
        }
        for name in order {
            if !self.modules.keys().any(|place| place.join("::") == *name) {
                wrong.push(format!("there is no module {name}"));
            }
        }
        for (from, to) in self.edges() {
            if position(&from) <= position(&to) {
                wrong.push(format!("{from} uses {to}, which is not below it"));
            }
        }
        wrong
    }
}

/// Reads what a file re-exports and uses.
struct Reader {
    /// Where it reads: the file's module, or one within it.
    place: Place,
    module: Module,
}

impl Reader {
    /// A path from the crate's root, if it is one in the crate.
    fn absolute(&self, path: &[String]) -> Option<Place> {
        let mut rest = path;
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.place.clone(),
            _ => return None,
        };
        while let Some((first, behind)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    at.pop()?;
                }
                _ => break,
            }
            rest = behind;
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }

    fn import(&mut self, tree: &UseTree, before: &[String], given: bool) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(path.ident.to_string()), given),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, given));
            }
            UseTree::Name(name) if name.ident == "self" => self.imported(before, None, given),
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.imported(&with(name.clone()), Some(name), given);
            }
            UseTree::Rename(rename) => {
                let name = rename.rename.to_string();
                self.imported(&with(rename.ident.to_string()), Some(name), given);
            }
            UseTree::Glob(_) => {
                // In a file that has modules, a path may begin with one of them.
                let path = self.absolute(before).unwrap_or_else(|| self.here(before));
                if given {
                    self.module.gives_all.push(path);
                } else {
                    self.module.uses.insert(path);
                }
            }
        }
    }

    fn here(&self, path: &[String]) -> Place {
        [self.place.as_slice(), path].concat()
    }

    fn imported(&mut self, path: &[String], name: Option<String>, given: bool) {
        let Some(place) = self.absolute(path).or_else(|| given.then(|| self.here(path))) else {
            return;
        };
        match name {
            Some(name) if given => {
                self.module.gives.insert(name, place);
            }
            _ => {
                self.module.uses.insert(place);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            self.place.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.place.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            let given = !matches!(item.vis, Visibility::Inherited);
            self.import(&item.tree, &[], given);
        }
    }

    /// `pub(super)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if let Some(place) = self.absolute(&names) {
            self.module.uses.insert(place);
        }
        visit::visit_path(self, path);
    }
}

/// The name by which the item can be used elsewhere.
fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(ident.to_string())
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Three files: `high` uses `low` by names that the root re-exports.
    fn room(low: &str) -> Vec<String> {
        let folder = crate::scratch().join(format!("kcfaes-layers-{}", std::process::id()));
        let folder = folder.join(low.len().to_string());
        fs::create_dir_all(&folder).unwrap();
        let files = [
            ("lib.rs", "mod high;\nmod low;\npub use high::*;\npub use low::Thing;\n"),
            ("high.rs", "use crate::Thing;\npub struct Other;\n"),
            ("low.rs", low),
        ];
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let violations = Room::read(&folder).unwrap().violations(&["low", "high"]);
        fs::remove_dir_all(folder).unwrap();
        violations
    }

    #[test]
    fn down_is_right() {
        assert_eq!(room("pub struct Thing(pub(super) u8);"), Vec::<String>::new());
    }

    #[test]
    fn up_is_wrong_however_it_is_written() {
        for up in [
            "pub struct Thing; use crate::high::Other;",
            "pub struct Thing; use super::high::{self};",
            "pub struct Thing; fn f() { let _ = crate::high::Other; }",
            "pub struct Thing(super::high::Other);",
            "pub struct Thing; mod inner { use crate::high::*; }",
            "pub struct Thing; use crate::Other;",
        ] {
            assert_eq!(room(up), ["low uses high, which is not below it"], "{up}");
        }
        assert_eq!(room("pub struct Thing; #[cfg(test)] mod t { use crate::high::*; }").len(), 0);
    }
}
