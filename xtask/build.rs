// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the list of KCF's types, fields and numbers from `provider/src/kcf.rs`. The compiler that
//! lays the types out fills in the sizes and offsets (see `src/layout.rs`). And names the host's target.

use std::path::Path;
use std::{env, fs};

use quote::{ToTokens as _, quote};
use syn::{Attribute, Fields, Item, Visibility};

const KCF: &str = "../rust-core/provider/src/kcf.rs";

fn main() {
    println!("cargo::rerun-if-changed={KCF}");
    // What this program is built for is the machine that it runs on.
    let host = env::var("TARGET").expect("cargo sets TARGET");
    println!("cargo::rustc-env=KCFAES_HOST={host}");
    let file = syn::parse_file(&fs::read_to_string(KCF).expect(KCF)).expect(KCF);
    let mut types = Vec::new();
    let mut constants = Vec::new();
    for item in &file.items {
        let (ident, fields) = match item {
            Item::Struct(item) if has_c_layout(&item.attrs) => match &item.fields {
                Fields::Named(fields) => (&item.ident, fields),
                _ => continue,
            },
            Item::Union(item) if has_c_layout(&item.attrs) => (&item.ident, &item.fields),
            Item::Const(item) if matches!(item.vis, Visibility::Public(_)) => {
                let ident = &item.ident;
                let name = ident.to_string();
                constants.push(quote!((#name, kcf::#ident as i64)));
                continue;
            }
            _ => continue,
        };
        let fields = fields.named.iter().map(|field| {
            let (field, ty) = (&field.ident, &field.ty);
            let name = field.to_token_stream().to_string();
            quote!(Field { name: #name, offset: offset_of!(#ident, #field), size: size_of::<#ty>() })
        });
        let name = ident.to_string();
        types
            .push(quote!(Type { name: #name, size: size_of::<#ident>(), fields: &[#(#fields),*] }));
    }
    let table = quote! {
        pub(crate) static TYPES: &[Type] = &[#(#types),*];
        pub(crate) static CONSTANTS: &[(&str, i64)] = &[#(#constants),*];
    };
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("layout.rs"), table.to_string()).expect("OUT_DIR is writable");
}

fn has_c_layout(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("repr") && attribute.to_token_stream().to_string().contains('C')
    })
}
