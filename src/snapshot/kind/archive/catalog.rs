//! What a TOC says of tables: their definitions, and whose rows the entries with data hold.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use super::toc::{DataPlace, Entry, Toc};
use crate::snapshot::block::BlockHead;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::compression::Compression;
use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::TableFilter;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::kind::plain::copy_block;
use crate::snapshot::kind::plain::copy_block::{Copy, CopyHead};
use crate::snapshot::kind::plain::copy_form::CopyForm;
use crate::snapshot::owners::Owners;
use crate::snapshot::source::TablePart;
use crate::snapshot::sql::ddl::Ddl;
use crate::snapshot::table_name::TableName;

/// What an archive holds.
pub(crate) struct Contents {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) facts: SnapshotFacts,
    /// One for each entry with rows, in the order of the TOC.
    pub(crate) data: Vec<TableData>,
    /// The entries by their dump ids.
    by_id: HashMap<i64, usize>,
    /// The entries whose rows belong to a table.
    of_table: HashMap<TableName, Vec<usize>>,
    ddl: Ddl,
}

/// An entry with the rows of a table or of one partition.
pub(crate) struct TableData {
    pub(crate) dump_id: i64,
    /// The table that the rows stand in. Statements with rows of a partition may name its root.
    pub(crate) table: TableName,
    /// The schema that names without one are in.
    namespace: String,
    /// The rows' head, with the table that they stand in.
    head: Arc<BlockHead>,
    /// True for `INSERT` statements, false for the rows of a `COPY`.
    pub(crate) is_inserts: bool,
    /// How the rows of a `COPY` are written.
    pub(crate) form: CopyForm,
    pub(crate) place: DataPlace,
}

impl TableData {
    /// The head of the rows as those of a table that they belong to.
    pub(crate) fn head_for(&self, holder: &TableName) -> Arc<BlockHead> {
        match *holder == self.head.table {
            true => Arc::clone(&self.head),
            false => Arc::new(BlockHead {
                table: holder.clone(),
                ..(*self.head).clone()
            }),
        }
    }
}

impl Contents {
    /// Reads the definitions in a TOC. Messages call it `member`, where it is a file of a larger whole.
    ///
    /// # Errors
    /// `Damaged` where an entry cannot be understood, `Unsupported` where its data is of a form that is not read.
    pub(crate) fn new(toc: Toc, member: Option<&str>) -> Result<Self, SnapshotError> {
        let header = &toc.header;
        let facts = SnapshotFacts {
            server_version: header.server_version.clone(),
            dump_version: header.dump_version.clone(),
            taken_at: header.taken_at.clone(),
            archive_version: Some(format!("1.{}", header.minor)),
            compression: Some(compression_name(header.compression).to_owned()),
            ..SnapshotFacts::default()
        };
        let mut ddl = Ddl::default();
        // pg_dump up to 10.2 sets the search path before each definition, to the entry's schema and then `pg_catalog`. Newer
        // ones write names with their schemas.
        let mut entries = toc.entries.iter();
        let is_older = !entries.any(|entry| entry.description == "SEARCHPATH");
        for entry in &toc.entries {
            if entry.description != "TABLE DATA" {
                ddl.set_schema(&entry.namespace, is_older);
                ddl.statements(&entry.definition)
                    .map_err(|fault| fault.at(member.map(str::to_owned), entry.offset))?;
            }
        }
        let has_data =
            |entry: &&Entry| entry.description == "TABLE DATA" && entry.place != DataPlace::Nowhere;
        let mut by_id = HashMap::new();
        let mut data = Vec::new();
        let mut heads = HashMap::new();
        for entry in toc.entries.iter().filter(has_data) {
            if let Some(other) = by_id.insert(entry.dump_id, data.len()) {
                let other: &TableData = &data[other];
                let reason = format!(
                    "entry {} of the archive's TOC has the dump id {} of the data of {}",
                    entry.number, entry.dump_id, other.table
                );
                return Err(damaged(entry, member, reason));
            }
            data.push(table_data(entry, &mut ddl, &mut heads)?);
        }
        let mut of_table: HashMap<TableName, Vec<usize>> = HashMap::new();
        for (index, data) in data.iter().enumerate() {
            for holder in ddl.catalog().holders(&data.table) {
                of_table.entry(holder).or_default().push(index);
            }
        }
        if !data.is_empty() && ddl.catalog().tables().next().is_none() {
            return Err(SnapshotError::Unsupported {
                what: "an archive without definitions of tables".to_owned(),
                reason: "the types of columns are needed: dump again without --data-only"
                    .to_owned(),
            });
        }
        Ok(Contents {
            catalog: Arc::new(ddl.catalog().clone()),
            facts,
            data,
            by_id,
            of_table,
            ddl,
        })
    }

    /// The data of that dump id, and its index.
    pub(crate) fn data_of(&self, dump_id: i64) -> Option<(usize, &TableData)> {
        let index = *self.by_id.get(&dump_id)?;
        Some((index, &self.data[index]))
    }

    /// The parts of a table: its own data, and that of its partitions and of tables that inherit from it.
    pub(crate) fn parts(
        &self,
        table: &TableName,
        size: impl Fn(usize, &TableData) -> u64,
    ) -> Vec<TablePart> {
        let indices = self.of_table.get(table).into_iter().flatten();
        indices
            .map(|index| TablePart {
                table: table.clone(),
                index: *index,
                size: size(*index, &self.data[*index]),
            })
            .collect()
    }

    /// The tables that some data belongs to, if anything of it is wanted.
    pub(crate) fn owners(&self, data: &TableData, wanted: TableFilter<'_>) -> Option<Owners> {
        let head = |holder| -> Result<_, Infallible> { Ok(data.head_for(&holder)) };
        let owners = Owners::new(&self.catalog, &data.table, wanted, head);
        owners.ok().filter(Owners::are_wanted)
    }

    /// Where definitions and data do not match.
    pub(crate) fn holdings(&self) -> Holdings {
        let named: HashSet<&TableName> = self.data.iter().map(|data| &data.table).collect();
        let mut holdings = self
            .catalog
            .holdings(named.iter().copied(), |table| named.contains(table));
        let is_contradicted = |data: &&TableData| {
            let columns = &data.head.columns;
            self.catalog
                .undefined_column(&data.table, columns)
                .is_some()
        };
        let contradicted = self.data.iter().filter(is_contradicted);
        let contradicted = contradicted.map(|data| data.table.clone());
        holdings.undefined.extend(contradicted);
        holdings.undefined.sort();
        holdings.undefined.dedup();
        holdings
    }

    /// The data that a part stands for.
    ///
    /// # Errors
    /// The part is another snapshot's.
    pub(crate) fn part(&self, part: &TablePart, source: &str) -> Result<&TableData, SnapshotError> {
        self.data
            .get(part.index)
            .ok_or_else(|| SnapshotError::Unsupported {
                what: format!("part {} of table {}", part.index, part.table),
                reason: format!("{source} has no such part"),
            })
    }

    /// The encoding of the archive's data.
    pub(crate) fn encoding(&self) -> Encoding {
        self.ddl.encoding()
    }

    /// What is needed to read the `INSERT` statements of `data`.
    pub(crate) fn ddl_for(&self, data: &TableData) -> Ddl {
        self.ddl.for_rows(&data.table, &data.namespace)
    }
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
        // What pg_dump's options call it; no header says anything else.
        _ => "gzip",
    }
}

/// `heads` has those of tables whose columns come from their definitions, so that entries can share them.
fn table_data(
    entry: &Entry,
    ddl: &mut Ddl,
    heads: &mut HashMap<TableName, Arc<BlockHead>>,
) -> Result<TableData, SnapshotError> {
    ddl.set_schema(&entry.namespace, false);
    let copy = entry.copy.trim_ascii();
    let head = if copy.is_empty() {
        CopyHead {
            table: TableName::new(entry.namespace.clone(), entry.tag.clone()),
            columns: None,
            form: CopyForm::default(),
        }
    } else {
        let unsupported = |reason: &str| SnapshotError::Unsupported {
            what: format!("the data of table {} ({})", entry.tag, shown(copy)),
            reason: reason.to_owned(),
        };
        match copy_block::head(copy, ddl).map_err(unsupported)? {
            Copy::Rows(head) => match head.form.unread {
                Some(reason) => return Err(unsupported(reason)),
                None => head,
            },
            Copy::Elsewhere(_, reason) => return Err(unsupported(reason)),
            Copy::Out => return Err(unsupported("it writes rows and holds none")),
        }
    };
    let CopyHead {
        table: named,
        columns,
        form,
    } = head;
    let catalog = ddl.catalog();
    let columns_of = named.clone();
    let tagged = TableName::new(entry.namespace.clone(), entry.tag.clone());
    let table = match catalog.is_partition_below(&tagged, &named) {
        true => tagged,
        false => named,
    };
    let head = |columns| {
        Arc::new(BlockHead {
            table: table.clone(),
            columns,
            form: RowForm::CopyText,
        })
    };
    let head = match columns {
        Some(columns) => head(columns),
        None => Arc::clone(
            heads
                .entry(table.clone())
                .or_insert_with(|| head(stored_columns(catalog, &columns_of))),
        ),
    };
    Ok(TableData {
        dump_id: entry.dump_id,
        head,
        table,
        namespace: entry.namespace.clone(),
        is_inserts: copy.is_empty(),
        form,
        place: entry.place.clone(),
    })
}

/// The columns that dumps hold values of, none for a table that is not defined.
fn stored_columns(catalog: &Catalog, table: &TableName) -> Vec<String> {
    let columns = catalog
        .table(table)
        .map_or(&[][..], |found| &found.columns[..]);
    columns
        .iter()
        .map(|column| column.name.clone())
        .filter(|column| !catalog.is_generated(table, column))
        .collect()
}

fn shown(statement: &[u8]) -> String {
    String::from_utf8_lossy(&statement[..statement.len().min(80)]).into_owned()
}

fn damaged(entry: &Entry, member: Option<&str>, reason: String) -> SnapshotError {
    SnapshotError::Damaged {
        place: Position {
            member: member.map(str::to_owned),
            offset: Some(entry.offset),
            ..Position::default()
        },
        reason,
    }
}

#[cfg(test)]
mod tests;
