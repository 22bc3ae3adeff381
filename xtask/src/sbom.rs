// SPDX-License-Identifier: MIT OR Apache-2.0
//! What libkcfaes and the module consist of, as SPDX documents (version 2.3). cargo-sbom finds the
//! crates. What it cannot know is added here: the product itself, Rust's core, the module's C.
//!
//! The same source gives the same bytes: the date is that of the tarballs, and the namespace tells of their
//! checksum. A crate in an object that the document lacks is an error, and one that no object has, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{VENDOR_CONFIG, cargo, output};
use crate::{Result, Tree, licences};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is shipped, with the licences of what is in it.
struct Product {
    name: &'static str,
    licence: &'static str,
    purpose: &'static str,
    /// Whether the C of `kmod/` is in it.
    module: bool,
}

const PRODUCTS: [Product; 2] = [
    Product {
        name: "libkcfaes",
        licence: "(MIT OR Apache-2.0) AND BSD-3-Clause",
        purpose: "LIBRARY",
        module: false,
    },
    Product {
        name: "kcfaes-module",
        licence: "(MIT OR Apache-2.0) AND BSD-3-Clause AND (CDDL-1.0 OR MIT)",
        purpose: "OPERATING-SYSTEM",
        module: true,
    },
];

/// The crate of both, and those of ours below it.
const OURS: [&str; 3] = ["kcfaes-capi", "kcfaes-kernels", "kcfaes-provider"];

/// What only the library has: the environment of a process. cargo-sbom does not know the condition that says so.
const OF_LIBRARY: &str = "kcfaes-userland";

/// Writes the documents to `dir`. `date` and `checksum` are those of the source's tarball.
pub(crate) fn write(tree: &Tree, dir: &Path, date: u64, checksum: &str) -> Result<Vec<PathBuf>> {
    let crates = crates(tree)?;
    let mut written = Vec::new();
    for product in &PRODUCTS {
        let document = document(product, crates.clone(), date, checksum)?;
        let path = dir.join(format!("{}-{VERSION}.spdx.json", product.name));
        fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
        written.push(path);
    }
    Ok(written)
}

/// cargo-sbom's document of the C API's crate.
fn crates(tree: &Tree) -> Result<Value> {
    let mut tool = cargo(tree);
    tool.args(["sbom", "--cargo-package=kcfaes-capi", "--output-format=spdx_json_2_3"]);
    // The tool asks cargo, without what we tell it: in an unpacked tarball a home of cargo's says where the
    // crates are.
    if tree.root.join(VENDOR_CONFIG).is_file() {
        let home = tree.target.join("sbom-home");
        fs::create_dir_all(&home)?;
        let vendored = tree.root.join("vendor");
        let config = format!(
            "[source.crates-io]\nreplace-with = \"vendored-sources\"\n\n\
             [source.vendored-sources]\ndirectory = {:?}\n",
            vendored.display().to_string()
        );
        fs::write(home.join("config.toml"), config)?;
        tool.env("CARGO_HOME", home);
    }
    let document: Value = serde_json::from_str(&output(&mut tool)?)?;
    let found: BTreeSet<String> = list(&document, "packages")
        .iter()
        .filter_map(|package| package["name"].as_str().map(Into::into))
        .collect();
    let linked = licences::linked_crates(tree)?.into_iter().map(|(name, _)| name);
    let wanted: BTreeSet<String> =
        linked.chain(OURS.map(Into::into)).chain([OF_LIBRARY.into()]).collect();
    if found != wanted {
        return Err(format!("cargo-sbom names {found:?}; the objects have {wanted:?}").into());
    }
    Ok(document)
}

fn list(document: &Value, name: &str) -> Vec<Value> {
    document[name].as_array().cloned().unwrap_or_default()
}

/// The document of a product, from that of its crates.
fn document(product: &Product, mut document: Value, date: u64, checksum: &str) -> Result<Value> {
    let rust = output(Command::new("rustc").arg("--version"))?;
    let rust = rust.split_whitespace().nth(1).unwrap_or("NOASSERTION").to_string();
    let package = |id: &str, name: &str, version: &str, licence: &str, purpose: &str| {
        json!({
            "SPDXID": format!("SPDXRef-{id}"),
            "name": name,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "licenseConcluded": licence,
            "licenseDeclared": licence,
            "copyrightText": "NOASSERTION",
            "primaryPackagePurpose": purpose,
        })
    };
    let relation = |from: &str, kind: &str, to: &str| {
        json!({
            "spdxElementId": format!("SPDXRef-{from}"),
            "relationshipType": kind,
            "relatedSpdxElement": format!("SPDXRef-{to}"),
        })
    };
    let api = format!("Package-kcfaes-capi-{VERSION}");
    let mut packages = list(&document, "packages");
    let mut relations = list(&document, "relationships");
    packages.push(package("Product", product.name, VERSION, product.licence, product.purpose));
    packages.push(package("Rust-core", "core", &rust, "MIT OR Apache-2.0", "LIBRARY"));
    relations.push(relation("DOCUMENT", "DESCRIBES", "Product"));
    relations.push(relation("Product", "CONTAINS", &api));
    relations.push(relation("Product", "CONTAINS", "Rust-core"));
    if product.module {
        packages.retain(|package| package["name"] != OF_LIBRARY);
        relations.retain(|relation| !relation.to_string().contains(OF_LIBRARY));
        packages.push(package("Module-C", "kmod", VERSION, "CDDL-1.0 OR MIT", "SOURCE"));
        relations.push(relation("Product", "CONTAINS", "Module-C"));
    }
    for package in &mut packages {
        // Nobody has looked at the single files.
        package["filesAnalyzed"] = false.into();
        // The tool gives cargo's name of the registry, which is no location as SPDX has them.
        if package["downloadLocation"].as_str().is_some_and(|at| at.starts_with("registry+")) {
            let text = |key: &str| package[key].as_str().unwrap_or_default();
            let (name, version) = (text("name"), text("versionInfo"));
            let at = format!("https://crates.io/api/v1/crates/{name}/{version}/download");
            package["downloadLocation"] = at.into();
        }
    }
    // The tool's own order changes from run to run.
    packages.sort_by_key(|package| package["SPDXID"].to_string());
    relations.sort_by_key(Value::to_string);
    document["packages"] = packages.into();
    document["relationships"] = relations.into();
    document["name"] = format!("{}-{VERSION}", product.name).into();
    let namespace = format!("https://spdx.org/spdxdocs/{}-{VERSION}-{checksum}", product.name);
    document["documentNamespace"] = namespace.into();
    let created =
        output(Command::new("date").args(["-u", "-d"]).arg(format!("@{date}")).arg("+%FT%TZ"))?;
    document["creationInfo"]["created"] = created.trim().into();
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_its_product_and_no_day_of_its_own() {
        let crates = json!({
            "creationInfo": { "created": "today", "creators": ["Tool: cargo-sbom"] },
            "packages": [
                { "SPDXID": "SPDXRef-Package-z-1", "name": "z" },
                { "SPDXID": "SPDXRef-Package-a-1", "name": "a" },
                { "SPDXID": "SPDXRef-Package-kcfaes-userland-1", "name": "kcfaes-userland" },
            ],
            "relationships": [{
                "spdxElementId": "SPDXRef-Package-a-1",
                "relationshipType": "DEPENDS_ON",
                "relatedSpdxElement": "SPDXRef-Package-kcfaes-userland-1",
            }],
        });
        let library = document(&PRODUCTS[0], crates.clone(), 86_400, "abc").expect("a document");
        assert!(library.to_string().contains(OF_LIBRARY));
        let made = document(&PRODUCTS[1], crates, 86_400, "abc").expect("a document");
        assert_eq!(made["creationInfo"]["created"], "1970-01-02T00:00:00Z");
        assert!(made["documentNamespace"].as_str().is_some_and(|name| name.ends_with("-abc")));
        let names: Vec<_> =
            list(&made, "packages").iter().map(|package| package["name"].to_string()).collect();
        assert_eq!(names, ["\"kmod\"", "\"a\"", "\"z\"", "\"kcfaes-module\"", "\"core\""]);
        assert!(made.to_string().contains("CDDL-1.0 OR MIT"));
        assert!(!made.to_string().contains(OF_LIBRARY));
    }
}
