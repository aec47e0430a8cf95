//! The definitions of a whole SQL text.

use super::{Ddl, first_words};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::sql::frame::DumpFrame;
use crate::snapshot::sql::text::{Scanner, Stop};

/// Reads the definitions of a whole SQL text, such as the `schema.sql` of a CSV folder.
///
/// Rows that stand in it (`COPY … FROM stdin`) are stepped over.
///
/// # Errors
/// `Damaged` where the text ends inside a statement or before pg_dump's closing line, or a table's definition
/// cannot be understood; `Unsupported` where the text says that it is in an encoding that is not known.
pub fn read_schema(text: &[u8]) -> Result<Catalog, SnapshotError> {
    if let Some(at) = memchr::memchr(0, text) {
        return Err(damaged(
            at,
            "a zero byte stands in it: something wrote over it; copy it again from where it was made",
        ));
    }
    let mut ddl = Ddl::default();
    let mut frame = DumpFrame::default();
    let mut scanner = Scanner::default();
    let mut place = 0;
    loop {
        place += text[place..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let rest = &text[place..];
        let Some(first) = rest.first() else {
            break;
        };
        if *first == b'\\' || rest.starts_with(b"--") {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            frame.comment(&rest[..end]);
            place += end;
            continue;
        }
        if rest.starts_with(b"/*") {
            scanner.open_comment();
            place = scanner
                .scan(text, place + 2, Stop::Comment)
                .ok_or_else(|| damaged(place, "it ends inside a comment"))?;
            continue;
        }
        let Some(end) = scanner.scan(text, place, Stop::Statement) else {
            return Err(damaged(place, "it ends inside a statement"));
        };
        let statement = &text[place..end];
        ddl.statement(statement)
            .map_err(|fault| fault.at(None, place as u64))?;
        scanner.escapes_everywhere = ddl.escapes_everywhere();
        place = end;
        if first_words(statement)
            .first()
            .is_some_and(|word| word == "copy")
        {
            let end = [&b"\n\\.\n"[..], b"\n\\.\r\n"]
                .iter()
                .find_map(|end| memchr::memmem::find(&text[place..], end));
            match end {
                Some(length) => place += length + 3,
                None => return Err(damaged(place, "it ends inside the rows of a table")),
            }
        }
    }
    if frame.is_open() {
        return Err(damaged(
            text.len(),
            "it ends before the line in which pg_dump says that it is complete",
        ));
    }
    Ok(ddl.into_catalog())
}

fn damaged(offset: usize, reason: &str) -> SnapshotError {
    let place = Position {
        offset: Some(offset as u64),
        ..Position::default()
    };
    SnapshotError::Damaged {
        place,
        reason: reason.into(),
    }
}
