//! A custom archive that goes by once: from standard input, a pipe, or compressed as a whole.

use std::io::{BufReader, Read};
use std::sync::Arc;

use super::super::catalog::Contents;
use super::super::toc::Toc;
use super::blocks::{
    Chunked, Layout, block_error, block_start, missing, skip_by_reading, skip_chunks,
    skip_large_objects,
};
use super::read_block;
use crate::snapshot::codec::chunks::Origin;
use crate::snapshot::codec::compression::INPUT_BUFFER;
use crate::snapshot::codec::read_errors::{cut_off, damaged};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableFilter};
use crate::snapshot::source::StreamSource;

/// An archive in custom format that goes by once.
pub struct CustomStream {
    reader: Box<dyn Read + Send>,
    source: String,
}

impl CustomStream {
    /// Reads `reader`, which gives the archive from its first byte. Messages call the snapshot `source`.
    pub fn new(reader: Box<dyn Read + Send>, source: impl Into<String>) -> Self {
        CustomStream {
            reader,
            source: source.into(),
        }
    }
}

impl StreamSource for CustomStream {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, self.reader);
        let toc = Toc::read(&mut reader, None)?;
        let layout = Layout::of(&toc.header, &self.source)?;
        let contents = Contents::new(toc, None)?;
        let told = Event::Catalog(Arc::clone(&contents.catalog), contents.facts.clone());
        if sink(told).is_break() {
            return Ok(());
        }
        let mut seen = vec![false; contents.data.len()];
        let failed = |error| block_error(error, None);
        while let Some(start) = block_start(&mut reader, layout).map_err(failed)? {
            let data = contents.data_of(start.dump_id).filter(|_| start.is_rows);
            if let Some((index, data)) = data {
                if std::mem::replace(&mut seen[index], true) {
                    let place = Position {
                        table: Some(data.table.to_string()),
                        ..Position::default()
                    };
                    return Err(damaged(place, "the archive holds the table's data twice"));
                }
                if let Some(owners) = contents.owners(data, wanted) {
                    let mut chunks = Chunked::new(&mut reader, layout.int_size);
                    let origin = Origin {
                        source: self.source.clone(),
                        member: None,
                    };
                    let read =
                        read_block(&contents, data, &owners, &mut chunks, layout, origin, sink)?;
                    if read.is_break() {
                        return Ok(());
                    }
                    continue;
                }
            }
            let skipped = match start.is_rows {
                true => skip_chunks(&mut reader, layout.int_size, skip_by_reading),
                false => skip_large_objects(&mut reader, layout.int_size, skip_by_reading),
            };
            skipped.map_err(|error| {
                let table = data.map(|(_, data)| data.table.to_string());
                match block_error(error, None) {
                    SnapshotError::CutOff { place, reason } => {
                        cut_off(Position { table, ..place }, reason)
                    }
                    other => other,
                }
            })?;
        }
        match seen.iter().position(|seen| !seen) {
            Some(index) => Err(missing(&contents.data[index])),
            None => {
                // The last event: whether the sink breaks makes no difference.
                let _ = sink(Event::Holdings(contents.holdings()));
                Ok(())
            }
        }
    }
}
