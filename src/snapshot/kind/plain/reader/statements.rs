//! Statements without rows: what they define, and what they do to rows that were read.

use super::super::changes::{Judged, Refusal};
use super::super::context::Context;
use super::*;
use crate::snapshot::sql::ddl::{Fault, first_words};

impl Reader<'_> {
    pub(super) fn statement(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        let Some((text, end)) = self.scan(chunk, place, Stop::Statement)? else {
            return Ok(Step::NextChunk);
        };
        let text = text.bytes();
        self.state = State::Between;
        if first_words(text).first().is_some_and(|word| word == "copy") {
            return self.begin_copy(chunk, text, end);
        }
        let defined = self.judge(text)?;
        let fault = |fault: Fault| fault.at(self.origin.member.clone(), self.pending_offset);
        self.ddl.statement(text).map_err(fault)?;
        self.scanner.escapes_everywhere = self.ddl.escapes_everywhere();
        for table in defined {
            self.defined(&table)?;
        }
        Ok(Step::At(end))
    }

    /// Looks whether a statement touches rows that were read. Gives the tables that it defines.
    pub(super) fn judge(&mut self, text: &[u8]) -> Result<Vec<TableName>, SnapshotError> {
        let words = first_words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if matches!(words[..], ["create", ref rest @ ..] if rest.contains(&"table")) {
            self.table_seen()?;
        }
        let context = Context {
            ddl: &self.ddl,
            wanted: self.wanted,
            database: self.databases.with_tables(),
        };
        match self.changes.judge(text, &words, context) {
            Ok(Judged::Harmless) => Ok(Vec::new()),
            Ok(Judged::Runs(kind)) => {
                self.runs(kind);
                Ok(Vec::new())
            }
            Ok(Judged::Defines(tables)) => Ok(tables),
            Ok(Judged::Unknown) => Err(self.damaged(
                None,
                None,
                self.pending_offset,
                "what stands here is no statement of SQL; another program may have written between the dump's lines",
            )),
            Err(Refusal { what, reason }) => Err(self.unsupported(&self.at(&what), reason)),
        }
    }

    /// A table's definition was made or changed. After the catalog was told, that comes too late for a table that is needed.
    fn defined(&mut self, table: &TableName) -> Result<(), SnapshotError> {
        let needed = self.is_needed(table);
        let touched = self.changes.touch(needed);
        touched.map_err(|reason| {
            self.unsupported(
                &self.at(&format!("the definition of table {table}")),
                reason,
            )
        })?;
        let Some(told) = self.told.as_ref().filter(|_| needed) else {
            return Ok(());
        };
        let catalog = self.ddl.catalog();
        for holder in catalog.holders(table) {
            if holder != *table && !(self.wanted)(&holder) {
                continue;
            }
            let columns =
                |catalog: &Catalog| catalog.table(&holder).map(|table| table.columns.clone());
            match (columns(told), columns(catalog)) {
                (before, now) if before == now => {}
                // One that comes below a table that is needed: its data are looked at when they come.
                (None, _) if !(self.wanted)(&holder) => {}
                (None, _) => return Err(self.defined_too_late(table)),
                _ => return Err(self.unsupported(
                    &self.at(&format!("a change of the definition of table {table}")),
                    "it comes after rows of the dump; restore the dump into a server, and export from that",
                )),
            }
        }
        Ok(())
    }

    /// Rows begin by a statement that names `named`. They stand in `table`: that one, or a partition of it.
    pub(super) fn rows_begin(
        &mut self,
        named: &TableName,
        table: &TableName,
        by_insert: bool,
    ) -> Result<(), SnapshotError> {
        let context = Context {
            ddl: &self.ddl,
            wanted: self.wanted,
            database: self.databases.with_tables(),
        };
        match self.changes.rows_come(named, by_insert, context) {
            Ok(Some(kind)) => self.runs(kind),
            Ok(None) => {}
            Err(Refusal { what, reason }) => return Err(self.unsupported(&self.at(&what), reason)),
        }
        let holders = self.ddl.catalog().holders(table);
        let needed = holders.iter().any(|holder| (self.wanted)(holder));
        self.changes.rows_begin(table, holders);
        let touched = self.changes.touch(needed);
        touched.map_err(|reason| {
            self.unsupported(&self.at(&format!("the data of table {table}")), reason)
        })
    }

    /// Code of the database runs here, of which nobody can tell from the text what it does to rows.
    fn runs(&mut self, kind: &'static str) {
        let first = (kind, self.pending_offset, 0);
        self.code.get_or_insert(first).2 += 1;
    }

    /// Says at the end that the dump has the database run code.
    pub(super) fn about_code(&self) -> Option<String> {
        let (kind, offset, count) = self.code.filter(|_| self.changes.any_needed)?;
        let statements = if count == 1 {
            "statement"
        } else {
            "statements"
        };
        Some(format!(
            "the dump has the database run code ({count} {statements}, the first is {kind} at byte {offset}): \
             what that does to rows is not known; restore the dump into a server, and export from that, if it changes any"
        ))
    }

    /// True for a table whose rows somebody wants, or that is a part of one.
    pub(super) fn is_needed(&self, table: &TableName) -> bool {
        let holders = self.ddl.catalog().holders(table);
        holders.iter().any(|holder| (self.wanted)(holder))
    }

    /// Names the place of the statement that is being read.
    pub(super) fn at(&self, what: &str) -> String {
        format!("{what} (byte {})", self.pending_offset)
    }

    pub(super) fn unsupported(&self, what: &str, reason: &str) -> SnapshotError {
        SnapshotError::Unsupported {
            what: what.to_owned(),
            reason: reason.to_owned(),
        }
    }
}
