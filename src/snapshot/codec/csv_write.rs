//! Writes rows as COPY's CSV format, byte for byte as `COPY … TO … WITH (FORMAT csv, HEADER)` does.
//!
//! NULL is an empty field; an empty string stands in quotes, and so does what holds a comma, a quote or a line end. A
//! lone `\.` stands in quotes where the table has one column, because it would end the data (`CopyAttributeOutCSV` in
//! PostgreSQL's `copyto.c`).

use std::ops::Range;

use crate::snapshot::codec::copy_text;
use crate::snapshot::codec::csv_text;
use crate::snapshot::codec::csv_text::CsvField;
use crate::snapshot::codec::row_form::RowForm;

/// Writes rows with the same columns.
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
    /// Rows before it.
    pub before: u64,
    /// Where it starts among the bytes.
    pub at: usize,
    pub reason: String,
}

impl CsvWriter {
    /// A writer of `columns`, out of rows that have the columns `found`. Those that the rows do not have are NULL.
    pub fn new(form: RowForm, found: &[String], columns: &[String]) -> CsvWriter {
        let place = |name: &String| found.iter().position(|column| column == name);
        CsvWriter {
            form,
            fields: found.len(),
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

    /// Appends whole rows, and says how many there are. Pure computation.
    ///
    /// # Errors
    /// The first row that does not split into the columns, or whose text PostgreSQL does not write.
    pub fn rows(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<u64, BadRow> {
        match self.form {
            RowForm::CopyText => self.copy_text(bytes, out),
            RowForm::Csv => self.csv(bytes, out),
        }
    }

    fn copy_text(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<u64, BadRow> {
        let mut rows = copy_text::CopyRows::new(bytes);
        let (mut fields, mut value): (Vec<Range<usize>>, Vec<u8>) = (Vec::new(), Vec::new());
        let mut count = 0;
        while let Some(range) = rows.next_row(&mut fields) {
            let bad = |reason: String| bad_row(count, range.start, reason);
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

    fn csv(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<u64, BadRow> {
        let (mut fields, mut value): (Vec<CsvField>, Vec<u8>) = (Vec::new(), Vec::new());
        let (mut count, mut at) = (0, 0);
        while at < bytes.len() {
            let bad = |reason: String| bad_row(count, at, reason);
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

fn bad_row(before: u64, at: usize, reason: String) -> BadRow {
    BadRow { before, at, reason }
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
    use super::*;

    fn write(form: RowForm, columns: &[&str], rows: &str) -> Result<(String, u64), BadRow> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let writer = CsvWriter::new(form, &columns, &columns);
        let mut out = Vec::new();
        let count = writer.rows(rows.as_bytes(), &mut out)?;
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
            assert_eq!((bad.before, bad.at), (1, 4));
            assert!(bad.reason.contains("3 fields"));
        }
        let bad = write(RowForm::CopyText, &["a"], "x\\\n").unwrap_err();
        assert!(bad.reason.contains("lone backslash"));
    }
}
