//! Plain dumps: the SQL text that pg_dump writes by default, and GitLab backups hold.
//!
//! The text goes by once. Between blocks of data it is read statement by statement; a block of
//! `COPY … FROM stdin` is only searched for the line `\.` that ends it, and handed on as ranges of the
//! chunks it came in. Rows of `INSERT` statements are turned into COPY text.
//!
//! Facts are those of pg_dump 9.6 to 18. Since August 2025 a dump also has `\restrict` and
//! `\unrestrict` lines (CVE-2025-8714); like psql, this reader takes a line with a backslash for a
//! statement of its own.

mod changes;
mod context;
pub(crate) mod copy_block;
pub(crate) mod copy_form;
mod databases;
mod hidden;
mod insert_run;
mod psql;
pub(crate) mod reader;
pub(crate) mod several;
mod transaction;

use std::io::Read;
use std::ops::ControlFlow;

use crate::snapshot::codec::chunks;
use crate::snapshot::codec::chunks::Origin;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::{Sink, TableFilter};
use crate::snapshot::source::StreamSource;
use crate::timings;
use reader::Reader;

/// A plain dump that is read once, from its first byte to its last.
pub struct PlainDump {
    reader: Box<dyn Read + Send>,
    origin: Origin,
    chunk: usize,
}

impl PlainDump {
    /// Reads `reader`, which gives the dump's SQL text, decompressed.
    ///
    /// Messages call the snapshot `source`, and name the `member` of it that the dump is.
    pub fn new(
        reader: Box<dyn Read + Send>,
        source: impl Into<String>,
        member: Option<String>,
    ) -> Self {
        PlainDump {
            reader,
            origin: Origin {
                source: source.into(),
                member,
            },
            chunk: chunks::CHUNK,
        }
    }

    /// With chunks of another size.
    #[cfg(test)]
    fn with_chunks_of(text: &[u8], chunk: usize) -> Self {
        let reader = Box::new(std::io::Cursor::new(text.to_vec()));
        PlainDump {
            chunk,
            ..PlainDump::new(reader, "dump.sql", None)
        }
    }
}

impl StreamSource for PlainDump {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let chunks = chunks::spawn(self.reader, self.origin.clone(), self.chunk)?;
        let mut reader = Reader::new(self.origin, wanted, sink);
        while let Ok(chunk) = timings::waiting(|| chunks.recv()) {
            let chunk = chunk.map_err(|error| reader.place(error))?;
            if reader.chunk(&chunk)? == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        reader.finish()
    }
}

#[cfg(test)]
mod tests;
