// SPDX-License-Identifier: MIT OR Apache-2.0
//! A relocatable ELF object as the build and the audit look at it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use object::elf::{
    DF_BIND_NOW, DT_FLAGS, DT_NEEDED, DT_NULL, DT_TEXTREL, GNU_PROPERTY_X86_FEATURE_1_AND,
    GNU_PROPERTY_X86_FEATURE_1_SHSTK, PF_X, PT_GNU_EH_FRAME, PT_GNU_RELRO, PT_GNU_STACK,
    R_X86_64_NONE, RelocationType, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHN_COMMON,
    SHT_FINI_ARRAY, SHT_GROUP, SHT_INIT_ARRAY, SHT_NOBITS, SHT_PREINIT_ARRAY, SectionFlags,
};
use object::read::elf::{Dyn as _, ElfFile64, ProgramHeader as _, SectionHeader};
use object::{
    Architecture, LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _,
    RelocationFlags, RelocationTarget, SymbolKind, SymbolSection,
};

use crate::Result;

/// A function symbol.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) size: u64,
}

/// Where a relocation points.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// An undefined symbol.
    Undefined(String),
    /// Section index, address in it.
    Defined(usize, u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Relocation {
    pub(crate) kind: RelocationType,
    pub(crate) target: Target,
    pub(crate) addend: i64,
}

/// The section of the unwind table.
const UNWIND_TABLE: &str = ".eh_frame";

/// A section that is loaded.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) executable: bool,
    pub(crate) writable: bool,
    /// Kinds that krtld refuses or ignores: TLS, constructors, …
    pub(crate) unloadable: bool,
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) functions: Vec<Function>,
    pub(crate) relocations: BTreeMap<u64, Relocation>,
}

/// The loaded part of an object.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) sections: Vec<Section>,
    pub(crate) undefined: BTreeSet<String>,
    pub(crate) common: BTreeSet<String>,
    /// Every named symbol, defined or not.
    pub(crate) symbols: BTreeSet<String>,
    pub(crate) groups: usize,
}

impl Object {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&bytes).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let elf = ElfFile64::<LittleEndian>::parse(bytes)?;
        if elf.kind() != object::ObjectKind::Relocatable {
            return Err("not a relocatable object".into());
        }
        let mut groups = 0;
        let mut sections = Vec::new();
        for section in elf.sections() {
            let header = section.elf_section_header();
            let (kind, flags) = (header.sh_type(LittleEndian), header.sh_flags(LittleEndian));
            let has = |flag: SectionFlags| flags.0 & flag.0 != 0;
            groups += usize::from(kind == SHT_GROUP);
            if !has(SHF_ALLOC) {
                continue;
            }
            let constructors = [SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY].contains(&kind);
            let mut functions: Vec<Function> = elf
                .symbols()
                .filter(|symbol| symbol.section_index() == Some(section.index()))
                .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
                .map(|symbol| Function {
                    name: symbol.name().unwrap_or("?").to_string(),
                    start: symbol.address(),
                    size: symbol.size(),
                })
                .collect();
            functions.sort_by_key(|function| (function.start, function.size));
            let mut relocations = BTreeMap::new();
            for (offset, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else {
                    return Err("a relocation that is not ELF's".into());
                };
                if section.name()? == UNWIND_TABLE && r_type == R_X86_64_NONE {
                    // Of a function that the link has dropped. The next link drops this entry.
                    continue;
                }
                let RelocationTarget::Symbol(index) = relocation.target() else {
                    return Err(format!("{}: a relocation without symbol", section.name()?).into());
                };
                let symbol = elf.symbol_by_index(index)?;
                let target = match symbol.section() {
                    SymbolSection::Section(index) => Target::Defined(index.0, symbol.address()),
                    _ => Target::Undefined(symbol.name()?.to_string()),
                };
                relocations.insert(
                    offset,
                    Relocation { kind: r_type, target, addend: relocation.addend() },
                );
            }
            sections.push(Section {
                index: section.index().0,
                name: section.name()?.to_string(),
                executable: has(SHF_EXECINSTR),
                writable: has(SHF_WRITE),
                unloadable: has(SHF_TLS) || constructors,
                address: section.address(),
                size: section.size(),
                bytes: if kind == SHT_NOBITS { Vec::new() } else { section.data()?.to_vec() },
                functions,
                relocations,
            });
        }
        let named = |symbol: &object::read::elf::ElfSymbol64<'_, '_, LittleEndian>| {
            symbol.name().ok().filter(|name| !name.is_empty()).map(ToString::to_string)
        };
        Ok(Self {
            sections,
            groups,
            undefined: elf
                .symbols()
                .filter(|s| s.is_undefined())
                .filter_map(|s| named(&s))
                .collect(),
            common: elf
                .symbols()
                .filter(|s| s.elf_symbol().st_shndx.get(LittleEndian) == SHN_COMMON)
                .filter_map(|s| named(&s))
                .collect(),
            symbols: elf.symbols().filter_map(|s| named(&s)).collect(),
        })
    }

    /// Functions of which the unwind table says nothing at some instruction.
    pub(crate) fn not_unwound(&self) -> Vec<&str> {
        let mut described = Vec::new();
        for table in self.sections.iter().filter(|section| section.name == UNWIND_TABLE) {
            // An entry: its length, 0 or the way to its common part, then where its function begins, which a
            // relocation says, and the function's length (LSB 5.0 Core, 10.6).
            let word = |at: usize| -> Option<usize> {
                let bytes = table.bytes.get(at..at + 4)?;
                Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
            };
            let mut at = 0;
            while let Some(length) = word(at) {
                let begin = table.relocations.get(&(at as u64 + 8)).map(|r| (&r.target, r.addend));
                if let (Some((&Target::Defined(section, start), addend)), Some(size)) =
                    (begin, word(at + 12))
                {
                    let start = start.wrapping_add_signed(addend);
                    described.push((section, start..start + size as u64));
                }
                at += 4 + length;
            }
        }
        let functions = self
            .sections
            .iter()
            .flat_map(|section| section.functions.iter().map(|function| (section.index, function)));
        let missing = functions.filter(|(index, function)| {
            !described.iter().any(|(section, range)| {
                section == index
                    && range.start <= function.start
                    && function.start + function.size <= range.end
            })
        });
        missing.map(|(_, function)| function.name.as_str()).collect()
    }

    /// The section with this index.
    pub(crate) fn section(&self, index: usize) -> Option<&Section> {
        self.sections.iter().find(|section| section.index == index)
    }
}

/// The symbol table of an object.
pub(crate) struct Symbols {
    defined: BTreeSet<String>,
    /// Undefined symbols that no relocation mentions.
    pub(crate) undefined_unreferenced: BTreeSet<String>,
}

impl Symbols {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let elf = ElfFile64::<LittleEndian>::parse(&*bytes)?;
        let mut referenced = HashSet::new();
        for section in elf.sections() {
            for (_, relocation) in section.relocations() {
                if let RelocationTarget::Symbol(index) = relocation.target() {
                    referenced.insert(index);
                }
            }
        }
        let mut symbols =
            Self { defined: BTreeSet::new(), undefined_unreferenced: BTreeSet::new() };
        for symbol in elf.symbols() {
            let name = symbol.name()?.to_string();
            if symbol.is_definition() && symbol.is_global() {
                symbols.defined.insert(name);
            } else if symbol.is_undefined()
                && !name.is_empty()
                && !referenced.contains(&symbol.index())
            {
                symbols.undefined_unreferenced.insert(name);
            }
        }
        Ok(symbols)
    }

    pub(crate) fn defined_with_prefix(&self, prefix: &str) -> BTreeSet<String> {
        self.defined.iter().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}

/// Names that a shared library defines for the dynamic linker.
pub(crate) fn dynamic_exports(path: &Path) -> Result<BTreeSet<String>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let elf = ElfFile64::<LittleEndian>::parse(&*bytes)?;
    let mut names = BTreeSet::new();
    for symbol in elf
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() || symbol.section() == SymbolSection::Absolute)
    {
        names.insert(symbol.name()?.to_string());
    }
    Ok(names)
}

/// The modules that a kernel module depends on, read as krtld reads them: the DT_NEEDED entries of the
/// one SHT_DYNAMIC section, by the string table that it links to.
pub(crate) fn dependencies(path: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let elf = ElfFile64::<LittleEndian>::parse(&*bytes)?;
    let table = elf.elf_section_table();
    let mut names = Vec::new();
    for header in table.iter() {
        let Some((entries, link)) = header.dynamic(LittleEndian, &*bytes)? else { continue };
        let strings = table.strings(LittleEndian, &*bytes, link)?;
        for entry in entries.iter().take_while(|entry| entry.tag(LittleEndian) != DT_NULL) {
            if entry.tag(LittleEndian) == DT_NEEDED {
                let name = strings.get(u32::try_from(entry.d_val.get(LittleEndian))?);
                let name = name.map_err(|()| "DT_NEEDED names no string")?;
                names.push(String::from_utf8(name.to_vec())?);
            }
        }
    }
    Ok(names)
}

/// What of a modern shared library's protection this one lacks: for the dynamic linker, which makes its tables
/// read-only and its stack not executable, and for the shadow stack of an x86-64 processor.
pub(crate) fn unprotected(path: &Path) -> Result<Vec<&'static str>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let elf = ElfFile64::<LittleEndian>::parse(&*bytes)?;
    let segment = |kind| {
        let mut segments = elf.elf_program_headers().iter();
        segments.find(|segment| segment.p_type(LittleEndian) == kind)
    };
    let (mut now, mut text_relocations) = (false, false);
    let table = elf.elf_section_table();
    for header in table.iter() {
        let Some((entries, _)) = header.dynamic(LittleEndian, &*bytes)? else { continue };
        for entry in entries.iter().take_while(|entry| entry.tag(LittleEndian) != DT_NULL) {
            let value = entry.d_val.get(LittleEndian);
            match entry.tag(LittleEndian) {
                DT_FLAGS => now |= value & DF_BIND_NOW.0 != 0,
                DT_TEXTREL => text_relocations = true,
                _ => {}
            }
        }
    }
    let executable = |segment: &object::elf::ProgramHeader64<LittleEndian>| {
        segment.p_flags(LittleEndian).0 & PF_X.0 != 0
    };
    let x86_64 = elf.architecture() == Architecture::X86_64;
    let has = [
        ("RELRO", segment(PT_GNU_RELRO).is_some()),
        ("BIND_NOW", now),
        ("a stack that is not executable", segment(PT_GNU_STACK).is_some_and(|s| !executable(s))),
        ("text without relocations", !text_relocations),
        ("an index of its unwind table", segment(PT_GNU_EH_FRAME).is_some()),
        ("SHSTK alone in .note.gnu.property", !x86_64 || has_shadow_stack(&elf)?),
    ];
    Ok(has.into_iter().filter(|(_, has)| !has).map(|(what, _)| what).collect())
}

/// Whether an object says that the processor may keep a shadow stack, and nothing else.
pub(crate) fn marks_shadow_stack(path: &Path) -> Result<bool> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    has_shadow_stack(&ElfFile64::<LittleEndian>::parse(&*bytes)?)
}

fn has_shadow_stack(elf: &ElfFile64<'_, LittleEndian>) -> Result<bool> {
    for section in elf.elf_section_table().iter() {
        let Some(mut notes) = section.notes(LittleEndian, elf.data())? else { continue };
        while let Some(note) = notes.next()? {
            let Some(properties) = note.gnu_properties(LittleEndian) else { continue };
            for property in properties {
                let property = property?;
                if property.pr_type() == GNU_PROPERTY_X86_FEATURE_1_AND {
                    let features = property.data_u32(LittleEndian)?;
                    return Ok(features == GNU_PROPERTY_X86_FEATURE_1_SHSTK);
                }
            }
        }
    }
    Ok(false)
}
