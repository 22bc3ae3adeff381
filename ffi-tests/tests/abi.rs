// SPDX-License-Identifier: MIT OR Apache-2.0
//! A C front end reads the generated headers back. Every size, alignment, offset and number that `include/`
//! states is compared with tables compiled from illumos' own headers.
//!
//! `data/abi-layout.tsv` and `data/constants.tsv` are facts from outside; nothing generates them. It is
//! also an error if a header defines something that no row confirms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quote::ToTokens as _;
use syn::{Expr, Fields, Item, Lit, Stmt, Type};

const LAYOUT: &str = include_str!("../data/abi-layout.tsv");
const CONSTANTS: &str = include_str!("../data/constants.tsv");

fn include(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../include").join(file)
}

/// A header as libclang understands it.
#[derive(Default)]
struct Header {
    /// Structs and unions: their fields in order, with types.
    types: BTreeMap<String, Vec<(String, Type)>>,
    aliases: BTreeMap<String, Type>,
    sizes: BTreeMap<String, u64>,
    alignments: BTreeMap<String, u64>,
    offsets: BTreeMap<(String, String), u64>,
    constants: BTreeMap<String, i64>,
}

impl Header {
    fn read(path: &Path) -> Self {
        let bindings = bindgen::Builder::default()
            .header(path.to_str().expect("a path in UTF-8"))
            .allowlist_file(regex_of(path))
            .formatter(bindgen::Formatter::None)
            .generate()
            .expect("libclang reads the header");
        let mut header = Self::default();
        for item in syn::parse_file(&bindings.to_string()).expect("bindgen writes Rust").items {
            match item {
                Item::Struct(item) => header.add_type(item.ident.to_string(), &item.fields),
                Item::Union(item) => {
                    header.add_type(item.ident.to_string(), &Fields::Named(item.fields));
                }
                Item::Type(item) => {
                    header.aliases.insert(item.ident.to_string(), *item.ty);
                }
                Item::Const(item) if item.ident == "_" => header.add_assertions(&item.expr),
                Item::Const(item) => {
                    if let Some(value) = integer(&item.expr) {
                        header.constants.insert(item.ident.to_string(), value);
                    }
                }
                _ => {}
            }
        }
        header
    }

    fn add_type(&mut self, name: String, fields: &Fields) {
        let fields = fields
            .iter()
            .map(|field| (field.ident.to_token_stream().to_string(), field.ty.clone()));
        self.types.insert(name, fields.collect());
    }

    /// bindgen states what libclang computed as indices of one-element arrays,
    /// `["Offset of field: a::b"][offset_of!(a, b) - 8usize];`.
    fn add_assertions(&mut self, block: &Expr) {
        let Expr::Block(block) = block else { panic!("an assertion of another form") };
        for statement in &block.block.stmts {
            let Stmt::Expr(Expr::Index(index), _) = statement else { panic!("another form") };
            let (Expr::Array(array), Expr::Binary(difference)) = (&*index.expr, &*index.index)
            else {
                panic!("another form")
            };
            let Expr::Lit(text) = &array.elems[0] else { panic!("another form") };
            let Lit::Str(text) = &text.lit else { panic!("another form") };
            let value = integer(&difference.right).and_then(|value| u64::try_from(value).ok());
            let value = value.expect("a number");
            let text = text.value();
            if let Some(name) = text.strip_prefix("Size of ") {
                self.sizes.insert(name.to_string(), value);
            } else if let Some(name) = text.strip_prefix("Alignment of ") {
                self.alignments.insert(name.to_string(), value);
            } else if let Some(name) = text.strip_prefix("Offset of field: ") {
                let (ty, field) = name.split_once("::").expect("type and field");
                self.offsets.insert((ty.to_string(), field.to_string()), value);
            }
        }
    }

    fn size_of(&self, ty: &Type) -> u64 {
        match ty {
            Type::Ptr(_) => 8,
            Type::Array(array) => {
                let Some(len) = integer(&array.len) else { panic!("an array's length") };
                self.size_of(&array.elem) * u64::try_from(len).expect("a length")
            }
            Type::Path(path) => {
                let name = path.path.segments.last().expect("a name").ident.to_string();
                match name.as_str() {
                    "c_char" | "c_uchar" | "u8" => 1,
                    "c_ushort" | "u16" => 2,
                    "c_int" | "c_uint" | "u32" => 4,
                    "c_long" | "c_ulong" | "i64" | "u64" | "usize" | "isize" | "Option" => 8,
                    _ => match (self.sizes.get(&name), self.aliases.get(&name)) {
                        (Some(size), _) => *size,
                        (None, Some(alias)) => self.size_of(alias),
                        (None, None) => panic!("a type not known: {name}"),
                    },
                }
            }
            other => panic!("a type not known: {}", other.to_token_stream()),
        }
    }

    fn field(&self, ty: &str, field: &str) -> Option<(u64, &Type)> {
        let (_, field_type) = self.types.get(ty)?.iter().find(|(name, _)| name == field)?;
        Some((*self.offsets.get(&(ty.to_string(), field.to_string()))?, field_type))
    }
}

/// bindgen selects files by regular expression.
fn regex_of(path: &Path) -> String {
    format!(".*{}", path.file_name().expect("a file").to_string_lossy().replace('.', "\\."))
}

fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(value) => value.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) => integer(&unary.expr).map(|value| -value),
        _ => None,
    }
}

/// A row of the layout table.
struct Row<'a> {
    ty: &'a str,
    field: &'a str,
    offset: Option<u64>,
    size: u64,
    /// `align=8`, or the C type.
    note: &'a str,
}

fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let &[ty, field, offset, size, note] = &columns[..] else {
            panic!("not five columns: {line}")
        };
        Row { ty, field, offset: offset.parse().ok(), size: size.parse().expect(line), note }
    })
}

/// How many facts agreed, and which did not.
struct Comparison {
    compared: usize,
    faults: Vec<String>,
}

impl Comparison {
    fn equal(&mut self, what: &str, ours: u64, theirs: u64) {
        self.compared += 1;
        if ours != theirs {
            self.faults.push(format!("{what} is {ours}, in illumos {theirs}"));
        }
    }
}

/// Compares `header`'s types with the table, following a field's path into nested types.
fn compare_layout(header: &Header, table: &str) -> Comparison {
    let mut comparison = Comparison { compared: 0, faults: Vec::new() };
    let mut seen = BTreeSet::new();
    for row in rows(table) {
        let Row { ty, field, .. } = row;
        if field == "(scalar typedef)" {
            if let Some(alias) = header.aliases.get(ty) {
                comparison.equal(ty, header.size_of(alias), row.size);
                seen.insert(ty.to_string());
            }
            continue;
        }
        if !header.types.contains_key(ty) {
            continue;
        }
        if field == "(sizeof)" {
            let align = row.note.strip_prefix("align=").and_then(|align| align.parse().ok());
            comparison.equal(&format!("sizeof {ty}"), header.sizes[ty], row.size);
            let align = align.expect("an alignment");
            comparison.equal(&format!("alignof {ty}"), header.alignments[ty], align);
            continue;
        }
        let (mut within, mut at, mut found) = (ty.to_string(), 0, None);
        for (depth, step) in field.split('.').enumerate() {
            match header.field(&within, step) {
                Some((offset, field_type)) => {
                    at += offset;
                    seen.insert(format!("{within}.{step}"));
                    within = field_type.to_token_stream().to_string();
                    found = Some(field_type);
                }
                // An 8-byte number stands for lloff_t, the only union without fields here.
                None if depth == 1 && field.starts_with("_uio_") => found = None,
                None => {
                    comparison.faults.push(format!("{ty}.{field} is missing"));
                    found = None;
                }
            }
            if found.is_none() {
                break;
            }
        }
        if let Some(field_type) = found {
            comparison.equal(&format!("{ty}.{field}: offset"), at, row.offset.expect("an offset"));
            comparison.equal(&format!("{ty}.{field}: size"), header.size_of(field_type), row.size);
        }
    }
    let fields = header
        .types
        .iter()
        .flat_map(|(ty, fields)| fields.iter().map(move |(field, _)| format!("{ty}.{field}")));
    for name in fields.chain(header.aliases.keys().cloned()) {
        if !seen.contains(&name) {
            comparison.faults.push(format!("{name} is in no row of the table"));
        }
    }
    comparison
}

fn compare_constants(header: &Header, table: &str) -> Comparison {
    let mut comparison = Comparison { compared: 0, faults: Vec::new() };
    let theirs: BTreeMap<&str, &str> = table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, rest)| (name, rest.split('\t').next().unwrap_or_default()))
        .collect();
    for (name, value) in &header.constants {
        match theirs.get(name.as_str()) {
            Some(expected) if *expected == value.to_string() => comparison.compared += 1,
            Some(expected) => {
                comparison.faults.push(format!("{name} is {value}, in illumos {expected}"));
            }
            None => comparison.faults.push(format!("{name} is in no row of the table")),
        }
    }
    comparison
}

#[test]
fn kcf_header_has_the_layout_of_illumos() {
    let header = Header::read(&include("kcfaes_kcf.h"));
    let comparison = compare_layout(&header, LAYOUT);
    assert!(comparison.faults.is_empty(), "{:#?}", comparison.faults);
    assert!(comparison.compared >= 189, "only {} facts compared", comparison.compared);
}

#[test]
fn kcf_header_has_the_numbers_of_illumos() {
    let header = Header::read(&include("kcfaes_kcf.h"));
    let comparison = compare_constants(&header, CONSTANTS);
    assert!(comparison.faults.is_empty(), "{:#?}", comparison.faults);
    assert!(comparison.compared >= 27, "only {} numbers compared", comparison.compared);
}

/// The macro table. The module asserts it against the headers of the system that it is built for.
#[test]
fn layout_macros_are_those_of_illumos() {
    let macros = Header::read(&include("kcfaes_abi.h")).constants;
    let mut compared = 0;
    let mut check = |name: String, expected: i64| {
        if let Some(value) = macros.get(&name) {
            assert_eq!(*value, expected, "{name}");
            compared += 1;
        }
    };
    for row in rows(LAYOUT).filter(|row| !row.field.contains('.')) {
        let Row { ty, field, .. } = row;
        let size = i64::try_from(row.size).expect("a size");
        match row.offset.map(|offset| i64::try_from(offset).expect("an offset")) {
            Some(offset) => {
                check(format!("KCFAES_OFFSETOF_{ty}_{field}"), offset);
                check(format!("KCFAES_FIELDSIZE_{ty}_{field}"), size);
            }
            None => check(format!("KCFAES_SIZEOF_{ty}"), size),
        }
    }
    for line in CONSTANTS.lines() {
        if let Some((name, rest)) = line.split_once('\t')
            && let Some(Ok(value)) = rest.split('\t').next().map(str::parse)
        {
            check(format!("KCFAES_VALUE_{name}"), value);
        }
    }
    assert!(compared >= 170, "only {compared} macros compared");
}

/// The numbers with which the module registers its mechanisms.
#[test]
fn module_header_has_the_mechanism_numbers_of_illumos() {
    let macros = Header::read(&include("kcfaes_module.h")).constants;
    let mechanisms = macros.into_iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("KCFAES_").filter(|name| name.starts_with("AES_"))?;
        Some((name.to_string(), value))
    });
    let header = Header { constants: mechanisms.collect(), ..Header::default() };
    let comparison = compare_constants(&header, CONSTANTS);
    assert!(comparison.faults.is_empty(), "{:#?}", comparison.faults);
    assert_eq!(comparison.compared, 7);
}

mod planted {
    //! Each comparison must see a fault.
    use super::*;

    /// The KCF header, with `from` replaced by `to`.
    fn edited(name: &str, from: &str, to: &str) -> Header {
        let text = std::fs::read_to_string(include("kcfaes_kcf.h")).expect("the header");
        assert!(text.contains(from), "the header has no {from}");
        let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("kcfaes-abi-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let path = dir.join(format!("{name}.h"));
        std::fs::write(&path, text.replacen(from, to, 1)).expect("a file");
        Header::read(&path)
    }

    fn layout_fault(name: &str, from: &str, to: &str, expected: &str) {
        let faults = compare_layout(&edited(name, from, to), LAYOUT).faults;
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:?}");
    }

    #[test]
    fn a_narrower_field() {
        let expected = "crypto_data_t.cd_format: size is 2, in illumos 4";
        layout_fault("narrow", "unsigned int cd_format", "unsigned short cd_format", expected);
    }

    #[test]
    fn fields_in_another_order() {
        layout_fault(
            "order",
            "size_t cm_param_len;",
            "size_t x, cm_param_len;",
            "cm_param_len: offset is 24",
        );
    }

    #[test]
    fn a_field_that_moved_inside_a_union() {
        let expected = "crypto_data_t.cdu.cdu_raw.iov_len: offset is 48";
        layout_fault("nested", "size_t iov_len;", "long y; size_t iov_len;", expected);
    }

    #[test]
    fn a_field_too_few() {
        layout_fault("few", "void *cc_opstate;", "", "crypto_ctx_t.cc_opstate is missing");
    }

    #[test]
    fn a_field_that_illumos_does_not_have() {
        layout_fault(
            "many",
            "uint16_t uio_extflg;",
            "uint16_t uio_extflg, z;",
            "uio_t.z is in no row",
        );
    }

    #[test]
    fn a_wrong_row_of_the_table() {
        let header = Header::read(&include("kcfaes_kcf.h"));
        let table =
            LAYOUT.replacen("crypto_key_t\tck_format\t0\t4", "crypto_key_t\tck_format\t4\t4", 1);
        assert_ne!(table, LAYOUT);
        let faults = compare_layout(&header, &table).faults;
        assert_eq!(faults, ["crypto_key_t.ck_format: offset is 0, in illumos 4"]);
    }

    #[test]
    fn a_wrong_or_unknown_number() {
        let header =
            edited("number", "#define CRYPTO_INVALID_MAC 72", "#define CRYPTO_INVALID_MAC 73");
        let faults = compare_constants(&header, CONSTANTS).faults;
        assert_eq!(faults, ["CRYPTO_INVALID_MAC is 73, in illumos 72"]);
        let header = edited("unknown", "#define KM_SLEEP 0", "#define KM_DREAM 0");
        let faults = compare_constants(&header, CONSTANTS).faults;
        assert_eq!(faults, ["KM_DREAM is in no row of the table"]);
    }
}
