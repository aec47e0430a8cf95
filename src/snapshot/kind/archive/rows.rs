//! The rows of one entry, out of its decompressed data.
//!
//! Data is the rows of a `COPY` and the line `\.`, or `INSERT` statements, and some empty lines. The end of a
//! table's data is told only when the stream that holds it has been read to its own end, checksum and all.

use std::io::Read;
use std::ops::ControlFlow;

use super::catalog::{Contents, TableData};
use crate::snapshot::codec::chunks::{CHUNK, Chunks, Origin, Piece};
use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::codec::read_errors::{cut_off, damaged};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink};
use crate::snapshot::kind::plain::copy_block::{CopyBlock, Pieced, Progress};
use crate::snapshot::kind::plain::reader::Reader;
use crate::snapshot::owners::Owners;
use crate::snapshot::table_name::TableName;

const COLUMNS: &str = "the row has too few or too many columns";

/// Reads the rows of `data` for their owners: `Begin`, `Rows`…, `End`. `Break` where `sink` wants no more.
///
/// # Errors
/// The data is damaged, ends early, or holds something else than this table's rows.
pub(crate) fn read_rows(
    contents: &Contents,
    data: &TableData,
    owners: &Owners,
    reader: impl Read,
    origin: Origin,
    sink: Sink<'_>,
) -> Result<ControlFlow<()>, SnapshotError> {
    let (mut rows, mut bytes) = (0, 0);
    let mut stopped = false;
    let mut begun = false;
    let mut stray = None;
    let holders = contents.catalog.holders(&data.table);
    // Each run of statements ends for all its tables alike.
    let counted = owners.ends().first().cloned();
    // The end waits until it is sure; what is not this table's rows goes nowhere.
    let mut held = |event: Event| {
        let flow = match event {
            // Statements that name their columns otherwise make a run of their own.
            Event::End(run) if Some(&run.table) == counted.as_ref() => {
                rows += run.rows;
                bytes += run.bytes;
                ControlFlow::Continue(())
            }
            Event::End(run) => {
                if !holders.contains(&run.table) {
                    stray = Some(run.table);
                }
                ControlFlow::Continue(())
            }
            event => {
                begun |= matches!(event, Event::Begin(_));
                sink(event)
            }
        };
        stopped |= flow.is_break();
        flow
    };
    let member = origin.member.clone();
    let result = match data.is_inserts {
        true => read_inserts(contents, data, owners, reader, origin, &mut held),
        false => read_copy(contents.encoding(), data, owners, reader, origin, &mut held),
    };
    if stopped {
        return Ok(ControlFlow::Break(()));
    }
    result?;
    if let Some(table) = stray {
        let reason = format!("among its rows are rows of table {table}");
        return Err(damaged(place(data, member), reason));
    }
    // An empty table has no INSERT at all.
    if !begun && owners.begin(sink).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    Ok(owners.end(rows, bytes, sink))
}

fn place(data: &TableData, member: Option<String>) -> Position {
    Position {
        member,
        table: Some(data.table.to_string()),
        ..Position::default()
    }
}

/// Names the table in an error that does not.
fn in_table(error: SnapshotError, data: &TableData, row: Option<u64>) -> SnapshotError {
    let name = |place: Position| Position {
        table: Some(data.table.to_string()),
        row: place.row.or(row),
        ..place
    };
    match error {
        SnapshotError::Damaged { place, reason } => damaged(name(place), reason),
        SnapshotError::CutOff { place, reason } => cut_off(name(place), reason),
        SnapshotError::TooLarge {
            place,
            reason,
            tables,
        } => SnapshotError::TooLarge {
            place: Box::new(name(*place)),
            reason,
            tables,
        },
        other => other,
    }
}

fn read_copy(
    encoding: Encoding,
    data: &TableData,
    owners: &Owners,
    reader: impl Read,
    origin: Origin,
    sink: Sink<'_>,
) -> Result<(), SnapshotError> {
    let member = origin.member.clone();
    if owners.begin(sink).is_break() {
        return Ok(());
    }
    let mut block = CopyBlock::new(data.table.clone(), owners.clone(), None, data.form.clone());
    let mut ended = false;
    let mut offset = 0;
    let mut long = None;
    for chunk in Chunks::new(reader, origin, CHUNK) {
        let chunk = chunk.map_err(|error| in_table(error, data, Some(block.rows + 1)))?;
        offset = chunk.offset + chunk.len as u64;
        let chunk = match chunk.piece {
            Piece::Lines => chunk,
            // What follows the rows are empty lines, and the end tells of others.
            Piece::More | Piece::Last if ended => chunk,
            Piece::More | Piece::Last => {
                match block.piece(&mut long, &chunk, member.as_ref(), sink) {
                    Pieced::More => continue,
                    Pieced::Line(line) => line,
                    Pieced::Stopped => return Ok(()),
                    Pieced::UnneededRow(row, offset) => {
                        let place = Position {
                            row: Some(row),
                            offset: Some(offset),
                            ..place(data, member)
                        };
                        return Err(damaged(place, COLUMNS));
                    }
                }
            }
        };
        let chunk = chunk.in_utf8(encoding, 0).unwrap_or(chunk);
        let mut rest = 0;
        if !ended {
            match block.rows(&chunk, 0, sink) {
                Progress::More => continue,
                Progress::Stopped => return Ok(()),
                Progress::Ended(next) => (ended, rest) = (true, next),
                Progress::Cut => break,
                wrong @ (Progress::WrongRow(row, at, _) | Progress::UnneededRow(row, at)) => {
                    let reason = match wrong {
                        Progress::WrongRow(_, _, reason) => reason,
                        _ => COLUMNS,
                    };
                    let place = Position {
                        row: Some(row),
                        offset: Some(chunk.offset_of(at)),
                        ..place(data, member)
                    };
                    return Err(damaged(place, reason));
                }
            }
        }
        if let Some(found) = chunk.bytes()[rest..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
        {
            let place = Position {
                offset: Some(chunk.offset_of(rest + found)),
                ..place(data, member)
            };
            return Err(damaged(
                place,
                "more than empty lines follows the end of its rows",
            ));
        }
    }
    if ended {
        return Ok(());
    }
    let place = Position {
        row: Some(block.rows + 1),
        offset: Some(offset),
        ..place(data, member)
    };
    Err(cut_off(
        place,
        "the table's data ends without the line \\. that ends it: the archive is cut off, copy or dump it again",
    ))
}

fn read_inserts(
    contents: &Contents,
    data: &TableData,
    owners: &Owners,
    reader: impl Read,
    origin: Origin,
    sink: Sink<'_>,
) -> Result<(), SnapshotError> {
    let wanted = |table: &TableName| owners.contain(table);
    let ddl = contents.ddl_for(data);
    let mut statements = Reader::of_rows(origin.clone(), &data.table, ddl, &wanted, sink);
    for chunk in Chunks::new(reader, origin, CHUNK) {
        let chunk = chunk.map_err(|error| in_table(statements.place(error), data, None))?;
        if statements.chunk(&chunk)?.is_break() {
            return Ok(());
        }
    }
    statements.finish()
}

#[cfg(test)]
mod tests;
