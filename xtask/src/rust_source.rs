// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the build needs to know of the Rust sources of the C ABI: exported functions, the types and
//! numbers that cross the ABI, and the functions that C must provide.

use std::fs;
use std::path::Path;

use quote::quote;
use syn::{Attribute, Expr, ExprLit, ForeignItem, Item, Lit, Meta, Visibility};

use crate::Result;

/// A parsed source file. A `mod.rs` also has the modules next to it.
pub(crate) struct Source {
    file: syn::File,
    modules: Vec<(String, Self)>,
}

/// Parses a source file.
pub(crate) fn parse(path: &Path) -> Result<syn::File> {
    let named = |error: &dyn core::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    Ok(syn::parse_file(&text).map_err(|error| named(&error))?)
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = parse(path)?;
        let mut modules = Vec::new();
        if path.ends_with("mod.rs") {
            for item in &file.items {
                if let Item::Mod(module) = item
                    && module.content.is_none()
                {
                    let name = module.ident.to_string();
                    let source = Self::read(&path.with_file_name(format!("{name}.rs")))?;
                    modules.push((name, source));
                }
            }
        }
        Ok(Self { file, modules })
    }

    /// A module of a `mod.rs`.
    pub(crate) fn module(&self, name: &str) -> Option<&Self> {
        self.modules.iter().find(|(module, _)| module == name).map(|(_, source)| source)
    }

    /// The items of the file and of its modules.
    fn items(&self) -> impl Iterator<Item = &Item> {
        let modules = self.modules.iter().map(|(_, source)| source);
        core::iter::once(self).chain(modules).flat_map(|source| &source.file.items)
    }

    /// The file's own documentation.
    pub(crate) fn documentation(&self) -> String {
        let mut text = String::new();
        for attribute in &self.file.attrs {
            let Meta::NameValue(meta) = &attribute.meta else { continue };
            let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &meta.value else { continue };
            if meta.path.is_ident("doc") {
                let line = line.value();
                text.push_str(line.strip_prefix(' ').unwrap_or(&line));
                text.push('\n');
            }
        }
        text
    }

    /// Names of all that the header takes from this file: its functions, types and constants.
    pub(crate) fn declarations(&self) -> Vec<String> {
        let names = self.items().filter_map(|item| match item {
            Item::Fn(item) if is_exported(&item.attrs) => Some(&item.sig.ident),
            Item::Struct(item) if public(&item.vis) => Some(&item.ident),
            Item::Enum(item) if public(&item.vis) => Some(&item.ident),
            Item::Const(item) if public(&item.vis) => Some(&item.ident),
            _ => None,
        });
        names.map(ToString::to_string).collect()
    }

    /// Names of the functions that the file exports unmangled.
    pub(crate) fn exports(&self) -> Vec<String> {
        let functions = self.items().filter_map(|item| match item {
            Item::Fn(function) if is_exported(&function.attrs) => {
                Some(function.sig.ident.to_string())
            }
            _ => None,
        });
        functions.collect()
    }

    /// Names of the public types with a C layout, and of the public aliases.
    pub(crate) fn c_types(&self) -> Vec<String> {
        let types = self.items().filter_map(|item| match item {
            Item::Struct(item) if public(&item.vis) && has_c_layout(&item.attrs) => {
                Some(&item.ident)
            }
            Item::Union(item) if public(&item.vis) && has_c_layout(&item.attrs) => {
                Some(&item.ident)
            }
            Item::Enum(item) if public(&item.vis) && has_c_layout(&item.attrs) => Some(&item.ident),
            Item::Type(item) if public(&item.vis) && item.generics.params.is_empty() => {
                Some(&item.ident)
            }
            _ => None,
        });
        types.map(ToString::to_string).collect()
    }

    /// Names of the public types that C never sees.
    pub(crate) fn rust_only_types(&self) -> Vec<String> {
        let types = self.items().filter_map(|item| match item {
            Item::Struct(item) if !has_c_layout(&item.attrs) => Some(&item.ident),
            Item::Enum(item) if !has_c_layout(&item.attrs) => Some(&item.ident),
            Item::Type(item) if !item.generics.params.is_empty() => Some(&item.ident),
            _ => None,
        });
        types.map(ToString::to_string).collect()
    }

    /// Names of the public constants.
    pub(crate) fn constants(&self) -> Vec<String> {
        let constants = self.items().filter_map(|item| match item {
            Item::Const(item) if public(&item.vis) => Some(item.ident.to_string()),
            _ => None,
        });
        constants.collect()
    }

    /// Names and definitions of the public constants whose names end in one of `endings`. The
    /// definitions are of one plain type, because an alias is not known where they go.
    pub(crate) fn numbers(&self, endings: &[&str]) -> Vec<(String, String)> {
        let constants = self.file.items.iter().filter_map(|item| match item {
            Item::Const(item) if public(&item.vis) => {
                let name = item.ident.to_string();
                let (attrs, ident, value) = (&item.attrs, &item.ident, &item.expr);
                let definition = quote!(#(#attrs)* pub const #ident: u64 = #value;).to_string();
                endings.iter().any(|end| name.ends_with(end)).then_some((name, definition))
            }
            _ => None,
        });
        constants.collect()
    }

    /// The file's types and constants, with the functions of its `extern "C"` blocks as definitions.
    /// cbindgen emits prototypes only for definitions.
    pub(crate) fn foreign_as_definitions(&self) -> String {
        let mut text = String::new();
        for item in self.items() {
            match item {
                Item::Const(_) | Item::Struct(_) | Item::Union(_) | Item::Type(_) => {
                    text.push_str(&quote!(#item).to_string());
                }
                Item::ForeignMod(block) => {
                    for item in &block.items {
                        if let ForeignItem::Fn(function) = item {
                            let (attrs, sig) = (&function.attrs, &function.sig);
                            let definition = quote! {
                                #(#attrs)* #[unsafe(no_mangle)] pub unsafe extern "C" #sig {}
                            };
                            text.push_str(&definition.to_string());
                        }
                    }
                }
                _ => continue,
            }
            text.push('\n');
        }
        text
    }
}

fn public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_exported(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = quote!(#attribute).to_string();
        text.contains("no_mangle") || text.contains("export_name")
    })
}

fn has_c_layout(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("repr"))
        .any(|attribute| quote!(#attribute).to_string().contains('C'))
}
