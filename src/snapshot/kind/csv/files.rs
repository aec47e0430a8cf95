//! Which files of a folder hold the data of which tables, and which belong to none.
//!
//! A file is called like its table: `<table>.csv` in schema `public`, `<schema>.<table>.csv` in others. It may be called
//! like a partition of a table, and a table of `public` may have its schema before it where no file has the plain name.
//! Every other file is named in a warning: a table that was exported under another name would otherwise be missing
//! without a word.

use std::collections::BTreeMap;

use super::SCHEMA;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::described::Described;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::place::{Entry, EntryKind, Folder};
use crate::snapshot::table_name::TableName;

/// Suffixes of compressed files. They say only which files are meant: content tells the compression.
const COMPRESSED: [&str; 5] = [".gz", ".zst", ".lz4", ".xz", ".bz2"];

/// Names that one warning tells.
const NAMED: usize = 20;

/// A file with rows.
pub(super) struct DataFile {
    pub(super) name: String,
    /// The table that the rows stand in.
    pub(super) table: TableName,
    /// The tables that the rows belong to.
    pub(super) holders: Vec<TableName>,
    pub(super) size: u64,
    /// Why it cannot be read. That is an error only for those who want its rows.
    pub(super) unusable: Option<String>,
}

impl DataFile {
    pub(super) fn place(&self, line: Option<u64>) -> Position {
        Position {
            member: Some(self.name.clone()),
            line,
            ..Position::default()
        }
    }
}

/// A file as the folder lists it.
pub(super) struct ListedFile {
    pub(super) name: String,
    pub(super) size: u64,
    is_link: bool,
}

/// What lies in a folder.
#[derive(Default)]
pub(super) struct Listing {
    /// Files with the definitions of the tables.
    pub(super) schemas: Vec<String>,
    /// Files that are named like those of tables, in the order of their names.
    pub(super) files: Vec<ListedFile>,
    /// The others, as messages show them.
    others: Vec<String>,
}

impl Listing {
    /// Lists a folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn of(folder: &Folder) -> Result<Self, SnapshotError> {
        let mut listing = Listing::default();
        for entry in folder.entries().map_err(|error| folder.failed(error))? {
            listing.take(entry);
        }
        listing.schemas.sort();
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    fn take(&mut self, entry: Entry) {
        let Entry { name, size, kind } = entry;
        let name = match name.into_string() {
            Ok(name) => name,
            Err(name) => {
                self.others.push(name.to_string_lossy().into_owned());
                return;
            }
        };
        let is_file = matches!(kind, EntryKind::File | EntryKind::Link);
        if is_file && is_schema(&name) {
            self.schemas.push(name);
        } else if is_file && stem(&name).is_some() {
            self.files.push(ListedFile {
                name,
                size,
                is_link: kind == EntryKind::Link,
            });
        } else if is_file && name == Described::FILE_NAME {
            // Read by its name.
        } else if is_hidden(&name) || kind == EntryKind::Folder && stem(&name).is_none() {
            // What systems and editors leave, and folders, which hold no table.
        } else {
            self.others.push(name);
        }
    }

    /// The tables and partitions that files are named like, those that are not defined among them.
    pub(super) fn named<'l>(
        &'l self,
        catalog: &'l Catalog,
        listed: Option<&'l dyn Fn(&str) -> bool>,
    ) -> impl Iterator<Item = TableName> + 'l {
        let files = self.files.iter().map(|file| file.name.as_str());
        let files = files.filter(move |name| listed.is_none_or(|listed| listed(name)));
        files.filter_map(stem).flat_map(|stem| {
            let claimed = claimed(catalog, stem).into_iter();
            let mut tables: Vec<TableName> = claimed.map(|(table, _)| table).collect();
            if tables.is_empty() {
                tables.push(match stem.split_once('.') {
                    Some((schema, name)) => TableName::new(schema, name),
                    None => TableName::public(stem),
                });
            }
            tables
        })
    }

    /// Finds the table of each file; and the warnings about those that have none. `listed` tells the files that a
    /// taken snapshot consists of, by name.
    pub(super) fn assign(
        self,
        catalog: &Catalog,
        listed: Option<&dyn Fn(&str) -> bool>,
    ) -> (Vec<DataFile>, Vec<String>) {
        let mut others = self.others;
        let mut unlisted = Vec::new();
        let mut warnings = Vec::new();
        let mut files = Vec::new();
        // By the table or partition that they are named like; those with a plain name first.
        let mut claims: BTreeMap<TableName, Vec<(bool, ListedFile)>> = BTreeMap::new();
        for file in self.files {
            if listed.is_some_and(|listed| !listed(&file.name)) {
                unlisted.push(file.name);
                continue;
            }
            let claimed = stem(&file.name).map(|stem| claimed(catalog, stem));
            match &claimed.unwrap_or_default()[..] {
                [(table, is_qualified)] => {
                    let of = claims.entry(table.clone()).or_default();
                    of.push((*is_qualified, file));
                    of.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
                }
                [] => others.push(file.name),
                [(one, _), (other, _), ..] => {
                    let reason = format!(
                        "{:?} may hold the table {} or {}; give one of them another name in {SCHEMA}",
                        file.name,
                        one.quoted(),
                        other.quoted()
                    );
                    warnings.push(format!("a file is not read: {reason}"));
                    let mut holders = catalog.holders(one);
                    holders.extend(catalog.holders(other));
                    files.push(DataFile {
                        name: file.name,
                        table: one.clone(),
                        holders,
                        size: file.size,
                        unusable: Some(reason),
                    });
                }
            }
        }
        let whole: Vec<TableName> = claims.keys().cloned().collect();
        for (own, of) in claims {
            // The files of a table's partitions would repeat the rows of its own file. The file of a table that others inherit
            // from has its own rows alone, as COPY writes it.
            let mut holders = catalog.holders(&own);
            let is_whole = |holder: &&TableName| {
                let is_partitioned = catalog.table(holder).is_some_and(|it| it.partitioned);
                **holder != own && is_partitioned && whole.contains(holder)
            };
            if let Some(above) = holders.iter().find(is_whole) {
                let covered = catalog.holders(above);
                holders.retain(|holder| !covered.contains(holder));
            }
            let mut of = of.into_iter();
            // Every table here has a file.
            let Some((is_qualified, file)) = of.next() else {
                continue;
            };
            let (same, longer): (Vec<_>, Vec<_>) =
                of.partition(|(qualified, _)| *qualified == is_qualified);
            others.extend(longer.into_iter().map(|(_, file)| file.name));
            let unusable = match &same[..] {
                [] if file.is_link => Some(
                    "it is a symbolic link, and no link in a snapshot is followed; \
                     put the file itself into the folder"
                        .to_owned(),
                ),
                [] => None,
                [(_, other), ..] => {
                    let reason = format!(
                        "{:?} and {:?} hold the same table, {own}; leave only one of them in the folder",
                        file.name, other.name
                    );
                    warnings.push(format!("neither is read: {reason}"));
                    Some(reason)
                }
            };
            files.push(DataFile {
                name: file.name,
                table: own,
                holders,
                size: file.size,
                unusable,
            });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        if !unlisted.is_empty() {
            warnings.push(format!(
                "{} not read: {} does not list {}",
                names(&mut unlisted, &|_| None),
                Described::FILE_NAME,
                it_or_them(&unlisted)
            ));
        }
        if !others.is_empty() {
            let guess = |name: &str| guess(catalog, name);
            warnings.push(format!(
                "{} not read: no table of {SCHEMA} has {}; a table's file is called <table>.csv, \
                 or <schema>.<table>.csv outside of public, with {} behind it where it is compressed",
                names(&mut others, &guess),
                match others.len() {
                    1 => "such a file",
                    _ => "such files",
                },
                COMPRESSED.join(" or ")
            ));
        }
        (files, warnings)
    }
}

fn it_or_them(names: &[String]) -> &'static str {
    match names {
        [_] => "it",
        _ => "them",
    }
}

/// `"a.txt" and 3 more files are`: a subject and its verb. What a name may mean stands behind it.
fn names(names: &mut [String], guess: &dyn Fn(&str) -> Option<String>) -> String {
    names.sort();
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| match guess(name) {
            Some(meant) => format!("{name:?} (is it {meant}?)"),
            None => format!("{name:?}"),
        })
        .collect();
    match names.len() {
        1 => format!("the file {} is", shown[0]),
        count if count > NAMED => {
            format!(
                "the files {} and {} more are",
                shown.join(", "),
                count - NAMED
            )
        }
        _ => format!("the files {} are", shown.join(", ")),
    }
}

/// The name that a file may have been meant to have.
fn guess(catalog: &Catalog, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some([table]) = stem(&lower).map(|stem| qualified(catalog, stem)).as_deref() {
        return Some(format!("{table}.csv"));
    }
    let bare = lower.strip_prefix("public.").unwrap_or(&lower);
    let stem = bare.split('.').next().unwrap_or(bare);
    let mut tables = catalog.tables().map(|table| &table.name);
    let mut named: Vec<&TableName> = Vec::new();
    match catalog.table(&TableName::public(stem)) {
        Some(table) => named.push(&table.name),
        None => named.extend(tables.by_ref().filter(|table| table.name == stem)),
    }
    match named[..] {
        [table] => Some(format!("{table}.csv")),
        _ => None,
    }
}

/// Name of the table or partition that a file of this name holds, `None` for other files.
pub(super) fn stem(name: &str) -> Option<&str> {
    let stem = uncompressed(name).strip_suffix(".csv")?;
    // Archivers leave files like `._notes.csv` beside the real ones.
    (!stem.is_empty() && !stem.starts_with('.')).then_some(stem)
}

pub(super) fn is_schema(name: &str) -> bool {
    uncompressed(name) == SCHEMA
}

/// Files that systems, archivers and editors leave. A hidden file of rows may be one that is still being copied.
fn is_hidden(name: &str) -> bool {
    name.starts_with("._") || name.starts_with('.') && !name.contains(".csv")
}

/// Without the suffixes of compressed files, of which there may be several.
fn uncompressed(mut name: &str) -> &str {
    while let Some(rest) = COMPRESSED
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
    {
        name = rest;
    }
    name
}

/// The table or partition that `<stem>.csv` is named like, and whether its schema stands before it; several where a dot
/// may be a part of a name or stand behind a schema. GitLab keeps partitions in schemas of their own
/// (`gitlab_partitions_static`), as TimescaleDB keeps tables that inherit, but of names without a schema only those count
/// whose rows belong to a table in `public`.
fn claimed(catalog: &Catalog, stem: &str) -> Vec<(TableName, bool)> {
    let qualified = qualified(catalog, stem);
    let mut claimed: Vec<(TableName, bool)> =
        qualified.into_iter().map(|table| (table, true)).collect();
    let public = TableName::public(stem);
    if catalog.table(&public).is_some() {
        claimed.insert(0, (public, false));
        return claimed;
    }
    let is_below_public = |name: &TableName| {
        let holders = catalog.holders(name);
        holders.iter().any(|holder| holder.schema == public.schema)
    };
    let mut partitions = catalog
        .tables()
        .filter(|table| table.name.name == stem && is_below_public(&table.name));
    if let Some(partition) = partitions.next() {
        // Two partitions of one name: nobody can tell whose file it is.
        match partitions.next() {
            None => claimed.insert(0, (partition.name.clone(), false)),
            Some(_) => return Vec::new(),
        }
    }
    claimed
}

/// The tables that a text names with their schemas.
pub(super) fn qualified(catalog: &Catalog, text: &str) -> Vec<TableName> {
    let dots = text.match_indices('.');
    let names = dots.map(|(at, _)| TableName::new(&text[..at], &text[at + 1..]));
    names.filter(|name| catalog.table(name).is_some()).collect()
}
