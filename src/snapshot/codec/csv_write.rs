//! Writes rows as COPY's CSV format, byte for byte as `COPY … TO … WITH (FORMAT csv, HEADER)` does.
//!
//! NULL is an empty field; an empty string stands in quotes, and so does what holds a comma, a quote or a line end. A
//! lone `\.` stands in quotes where the table has one column, because it would end the data (`CopyAttributeOutCSV` in
//! PostgreSQL's `copyto.c`).

use std::ops::Range;

use crate::snapshot::codec::copy_text;
use crate::snapshot::codec::csv_text;
use crate::snapshot::codec::csv_text::CsvField;
use crate::snapshot::{Block, BlockHead, RowForm};

/// Writes the rows of blocks with the same columns.
#[derive(Debug, Clone)]
pub struct CsvWriter {
    form: RowForm,
    /// How many fields the rows have.
    fields: usize,
    /// The field that each written column is, or none where it is NULL.
    project: Vec<Option<usize>>,
}

/// A row that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Number of the row in its table's data, from 1.
    pub row: u64,
    /// Where the row starts, in bytes of the decompressed source.
    pub offset: u64,
    pub reason: String,
}

impl CsvWriter {
    /// A writer of these columns. Those that the blocks' data does not have are NULL.
    pub fn new(head: &BlockHead, columns: &[String]) -> CsvWriter {
        let place = |name: &String| head.columns.iter().position(|column| column == name);
        CsvWriter {
            form: head.form,
            fields: head.columns.len(),
            project: columns.iter().map(place).collect(),
        }
    }

    /// Appends the line that names columns.
    pub fn header(columns: &[String], out: &mut Vec<u8>) {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            field(Some(column.as_bytes()), columns.len() == 1, out);
        }
        out.push(b'\n');
    }

    /// Appends the rows of a block, and says how many there are. Pure computation.
    ///
    /// # Errors
    /// The first row that does not split into the columns, or whose text PostgreSQL does not write.
    pub fn rows(&self, block: &Block, out: &mut Vec<u8>) -> Result<u64, BadRow> {
        match self.form {
            RowForm::CopyText => self.copy_text(block, out),
            RowForm::Csv => self.csv(block, out),
        }
    }

    fn copy_text(&self, block: &Block, out: &mut Vec<u8>) -> Result<u64, BadRow> {
        let bytes = block.bytes();
        let mut rows = copy_text::Rows::new(bytes);
        let (mut fields, mut value): (Vec<Range<usize>>, Vec<u8>) = (Vec::new(), Vec::new());
        let mut count = 0;
        while let Some(range) = rows.next_row(&mut fields) {
            let bad = |reason: String| bad_row(block, count, range.start, reason);
            self.check(fields.len()).map_err(bad)?;
            for (index, place) in self.project.iter().enumerate() {
                let Some(place) = place else {
                    self.column(index, None, out);
                    continue;
                };
                let text = &bytes[fields[*place].clone()];
                value.clear();
                let text = match memchr::memchr(b'\\', text) {
                    None => Some(text),
                    Some(_) => copy_text::decode(text, &mut value)
                        .map_err(|error| bad(error.to_string()))?
                        .map(|()| value.as_slice()),
                };
                self.column(index, text, out);
            }
            out.push(b'\n');
            count += 1;
        }
        Ok(count)
    }

    fn csv(&self, block: &Block, out: &mut Vec<u8>) -> Result<u64, BadRow> {
        let bytes = block.bytes();
        let (mut fields, mut value): (Vec<CsvField>, Vec<u8>) = (Vec::new(), Vec::new());
        let (mut count, mut at) = (0, 0);
        while at < bytes.len() {
            let bad = |reason: String| bad_row(block, count, at, reason);
            let next = csv_text::next_row(bytes, at, &mut fields)
                .map_err(|error| bad(error.to_string()))?;
            self.check(fields.len()).map_err(bad)?;
            for (index, place) in self.project.iter().enumerate() {
                let Some(place) = place else {
                    self.column(index, None, out);
                    continue;
                };
                let CsvField { range, quoted } = fields[*place].clone();
                value.clear();
                let text = match (quoted, &bytes[range]) {
                    (false, []) => None,
                    (false, text) => Some(text),
                    (true, text) => {
                        csv_text::unquote(text, &mut value);
                        Some(value.as_slice())
                    }
                };
                self.column(index, text, out);
            }
            out.push(b'\n');
            count += 1;
            at = next;
        }
        Ok(count)
    }

    fn check(&self, fields: usize) -> Result<(), String> {
        match fields == self.fields {
            true => Ok(()),
            false => Err(format!(
                "{fields} fields, but the table's data has {} columns",
                self.fields
            )),
        }
    }

    fn column(&self, index: usize, value: Option<&[u8]>, out: &mut Vec<u8>) {
        if index > 0 {
            out.push(b',');
        }
        field(value, self.project.len() == 1, out);
    }
}

fn bad_row(block: &Block, before: u64, at: usize, reason: String) -> BadRow {
    BadRow {
        row: block.first_row + before + 1,
        offset: block.offset + at as u64,
        reason,
    }
}

/// Appends a value, with quotes where they are needed.
fn field(value: Option<&[u8]>, alone: bool, out: &mut Vec<u8>) {
    let Some(value) = value else { return };
    let needs_quotes = value.is_empty()
        || (alone && value == b"\\.")
        || memchr::memchr3(b',', b'"', b'\n', value).is_some()
        || memchr::memchr(b'\r', value).is_some();
    if !needs_quotes {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    let mut rest = value;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::snapshot::TableName;

    fn write(form: RowForm, columns: &[&str], rows: &str) -> Result<(String, u64), BadRow> {
        let names = |columns: &[&str]| columns.iter().map(|&name| name.to_owned()).collect();
        let head = BlockHead {
            table: TableName::public("t"),
            columns: names(columns),
            form,
        };
        let writer = CsvWriter::new(&head, &names(columns));
        let block = Block {
            head: Arc::new(head),
            range: 0..rows.len(),
            buffer: Arc::new(rows.as_bytes().to_vec()),
            offset: 100,
            first_row: 7,
            converted: None,
        };
        let mut out = Vec::new();
        let count = writer.rows(&block, &mut out)?;
        Ok((String::from_utf8(out).unwrap(), count))
    }

    #[test]
    fn values_are_quoted_as_the_server_quotes_them() {
        let text = "\\N\t\n\\\\N\ta,b\n\"\tline\\nend\n\\r\t \n\\\\.\t\\t\n";
        let csv = ",\"\"\n\\N,\"a,b\"\n\"\"\"\",\"line\nend\"\n\"\r\", \n\\.,\t\n";
        assert_eq!(
            write(RowForm::CopyText, &["a", "b"], text),
            Ok((csv.to_owned(), 5))
        );
        // The same rows as others may write them: all in quotes, and lines that end with CRLF.
        let quoted =
            ",\"\"\r\n\"\\N\",\"a,b\"\r\n\"\"\"\",\"line\nend\"\r\n\"\r\",\" \"\r\n\\.,\"\t\"\r\n";
        assert_eq!(
            write(RowForm::Csv, &["a", "b"], quoted),
            Ok((csv.to_owned(), 5))
        );
    }

    #[test]
    fn the_only_column_of_a_table_never_looks_like_an_end_mark() {
        assert_eq!(
            write(RowForm::CopyText, &["a"], "\\\\.\n\\N\n\nx\n"),
            Ok(("\"\\.\"\n\n\"\"\nx\n".to_owned(), 4))
        );
    }

    #[test]
    fn a_row_that_does_not_fit_is_named() {
        for (form, rows) in [
            (RowForm::CopyText, "1\t2\n1\t2\t3\n"),
            (RowForm::Csv, "1,2\n1,2,3\n"),
        ] {
            let bad = write(form, &["a", "b"], rows).unwrap_err();
            assert_eq!((bad.row, bad.offset), (9, 104));
            assert!(bad.reason.contains("3 fields"));
        }
        let bad = write(RowForm::CopyText, &["a"], "x\\\n").unwrap_err();
        assert!(bad.reason.contains("lone backslash"));
    }
}
