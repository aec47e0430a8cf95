//! The files of tables that are being taken: blocks become CSV and zstd on the pool, and are written in order.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::ThreadPool;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use crate::fan_out::FanOut;
use crate::output::atomic::PartFile;
use crate::output::layout;
use crate::resolve::ResolveError;
use crate::snapshot::{
    Block, BlockHead, Catalog, CsvWriter, DescribedTable, Position, RowForm, SnapshotError, Spec,
    TableName,
};
use crate::timings::Phase;

use super::TakeError;

/// zstd's own default.
const LEVEL: i32 = 3;

/// The name of a table's file. The table's schema stands before its name, unless it is `public`.
pub(super) fn file_name(table: impl Display) -> String {
    format!("{table}.csv.zst")
}

/// Files that are being written by one thread.
pub(super) struct Files {
    folder: PathBuf,
    catalog: Arc<Catalog>,
    fan_out: FanOut<Packed>,
    open: BTreeMap<TableName, TableFile>,
}

/// A table's file.
struct TableFile {
    file: PartFile,
    /// The columns of its first line.
    columns: Vec<String>,
    /// The writer for the data that goes by.
    writer: Option<Arc<CsvWriter>>,
    rows: u64,
}

/// What the pool made of a block.
struct Packed {
    table: TableName,
    /// A zstd frame and its number of rows.
    frame: Result<(Vec<u8>, u64), SnapshotError>,
}

impl Files {
    /// `window` is how many blocks may be on the pool.
    pub(super) fn new(
        folder: &Path,
        catalog: &Arc<Catalog>,
        pool: &Arc<ThreadPool>,
        window: usize,
    ) -> Self {
        Files {
            folder: folder.to_owned(),
            catalog: Arc::clone(catalog),
            fan_out: FanOut::new(Arc::clone(pool), window, Phase::Compress),
            open: BTreeMap::new(),
        }
    }

    /// Data of a table, or of another partition of it, begins.
    pub(super) fn begin(&mut self, head: &Arc<BlockHead>) -> Result<(), StopReason> {
        self.begin_with(head, self.columns(head))
    }

    /// A table has no row: its file has its columns, unless data of it went by.
    pub(super) fn begin_empty(&mut self, table: &TableName) -> Result<(), StopReason> {
        let definition = self.catalog.table(table);
        let Some(definition) = definition.filter(|_| !self.open.contains_key(table)) else {
            return Ok(());
        };
        let columns = definition.columns.iter().map(|column| column.name.clone());
        let head = BlockHead {
            table: table.clone(),
            columns: columns
                .filter(|column| !self.catalog.is_generated(table, column))
                .collect(),
            form: RowForm::CopyText,
        };
        self.begin(&Arc::new(head))
    }

    /// As [`Files::begin`], where only some columns are written.
    pub(super) fn begin_with(
        &mut self,
        head: &Arc<BlockHead>,
        columns: Vec<String>,
    ) -> Result<(), StopReason> {
        let name = &head.table;
        let fault = |reason: &str| {
            StopReason::from(SnapshotError::Unsupported {
                what: format!("table {name}"),
                reason: reason.to_owned(),
            })
        };
        if !layout::is_name(&name.to_string()) {
            return Err(fault("its name cannot be the name of a file"));
        }
        let definition = self.catalog.with_columns_below(name);
        let is_defined = |column: &String| {
            let definition = definition.as_ref();
            definition.is_some_and(|definition| definition.column(column).is_some())
        };
        if !columns.iter().all(is_defined) {
            return Err(fault(
                "its data have a column that its definition does not have",
            ));
        }
        if !self.open.contains_key(name) {
            let mut header = Vec::new();
            CsvWriter::header(&columns, &mut header);
            let frame = compress(&header).map_err(StopReason::Write)?;
            let path = self.folder.join(file_name(name));
            let mut file = PartFile::create(&path).map_err(StopReason::Write)?;
            file.write(&frame).map_err(StopReason::Write)?;
            let table = TableFile {
                file,
                columns: columns.clone(),
                writer: None,
                rows: 0,
            };
            self.open.insert(name.clone(), table);
        }
        let Some(table) = self.open.get_mut(name) else {
            return Ok(());
        };
        // A later part of the data may lack columns, which are NULL then.
        if head.form == RowForm::Csv && columns != table.columns {
            // Of a file nobody knows why it lacks a column.
            return Err(fault(
                "its data stand in several places with different columns",
            ));
        }
        if !columns.iter().all(|column| table.columns.contains(column)) {
            return Err(fault(
                "its data stand in several places, and the first lacks a column that another has",
            ));
        }
        let mut lacking = table
            .columns
            .iter()
            .filter(|column| !columns.contains(column));
        if let Some(column) = lacking.find(|column| self.catalog.has_default(name, column)) {
            return Err(fault(&format!(
                "some of its data has no column {column}, and the database would fill in the column's default; \
                 restore the dump into a server, and take the snapshot from that"
            )));
        }
        table.writer = Some(Arc::new(CsvWriter::new(
            head.form,
            &head.columns,
            &table.columns,
        )));
        Ok(())
    }

    /// The columns of some data, in the order of the table's definition, as COPY of the whole table writes them. Those that
    /// only a table below it has are left out, as `SELECT` leaves them out.
    fn columns(&self, head: &BlockHead) -> Vec<String> {
        let place = |column: &String| {
            let table = self.catalog.table(&head.table)?;
            table.column(column).map(|(place, _)| place)
        };
        let mut columns = head.columns.clone();
        if self.catalog.has_children(&head.table) {
            columns.retain(|column| place(column).is_some());
        }
        columns.sort_by_key(|column| place(column).unwrap_or(usize::MAX));
        columns
    }

    /// Takes some rows of a table that has begun.
    pub(super) fn rows(&mut self, block: Block) -> Result<(), StopReason> {
        let name = block.head.table.clone();
        let table = self.open.get(&name);
        let Some(writer) = table.and_then(|table| table.writer.clone()) else {
            return Ok(());
        };
        let done = self.fan_out.give(move || Packed {
            frame: pack(&writer, &block),
            table: name,
        });
        match done {
            Some(packed) => self.write(packed),
            None => Ok(()),
        }
    }

    fn write(&mut self, packed: Packed) -> Result<(), StopReason> {
        let (frame, rows) = packed.frame.map_err(StopReason::from)?;
        if let Some(table) = self.open.get_mut(&packed.table) {
            table.rows += rows;
            table.file.write(&frame).map_err(StopReason::Write)?;
        }
        Ok(())
    }

    /// Everything has gone by: gives the files their names.
    pub(super) fn finish(mut self) -> Result<Vec<DescribedTable>, StopReason> {
        while let Some(packed) = self.fan_out.take() {
            self.write(packed)?;
        }
        let mut described = Vec::new();
        for (name, table) in self.open {
            let (bytes, sha256) = table.file.commit().map_err(StopReason::Write)?;
            described.push(DescribedTable {
                file: file_name(&name),
                table: name.to_string(),
                rows: table.rows,
                bytes,
                sha256,
            });
        }
        Ok(described)
    }
}

/// Why nothing more is taken.
#[derive(Debug)]
pub(super) enum StopReason {
    Read(Box<SnapshotError>),
    Write(std::io::Error),
    /// The run was interrupted, or another thread has failed.
    CalledOff,
}

impl From<SnapshotError> for StopReason {
    fn from(error: SnapshotError) -> Self {
        StopReason::Read(Box::new(error))
    }
}

impl StopReason {
    /// The error of the run; `None` where somebody else has it.
    pub(super) fn error(self, from: &Spec) -> Option<TakeError> {
        match self {
            StopReason::Read(error) => Some(TakeError::Read {
                from: from.shown(),
                source: Box::new(ResolveError::Snapshot(error)),
            }),
            StopReason::Write(error) => Some(TakeError::Write(error)),
            StopReason::CalledOff => None,
        }
    }
}

fn pack(writer: &CsvWriter, block: &Block) -> Result<(Vec<u8>, u64), SnapshotError> {
    let table = &block.head.table;
    block.check_zero_bytes()?;
    let mut csv = Vec::with_capacity(block.bytes().len() + block.bytes().len() / 8);
    let rows = writer
        .rows(block.bytes(), &mut csv)
        .map_err(|bad| SnapshotError::Damaged {
            place: Position {
                table: Some(table.to_string()),
                row: Some(block.first_row + bad.before + 1),
                offset: Some(block.offset_of(bad.at)),
                ..Position::default()
            },
            reason: bad.reason,
        })?;
    let frame = compress(&csv).map_err(|error| SnapshotError::Unsupported {
        what: format!("a part of table {table}"),
        reason: format!("zstd does not compress it: {error}"),
    })?;
    Ok((frame, rows))
}

/// A zstd frame with a checksum.
fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.compress(bytes)
}
