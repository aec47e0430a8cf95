//! COPY's CSV format: rows and fields as ranges of a block's bytes.
//!
//! `COPY … TO … WITH (FORMAT csv, HEADER)` tells NULL from the empty string by quotes alone: `a,,b` holds a
//! NULL, `a,"",b` an empty string. The `csv` crate does not report whether a field was quoted, so rows are
//! split here; the tests let that crate judge the values.
//!
//! What is accepted: delimiter comma, quote `"` doubled inside quotes (COPY's defaults), rows that end at LF or
//! CRLF, quoted fields that hold commas and line ends. PostgreSQL quotes every value that holds a quote, a
//! comma, a CR or an LF, so any of these in an unquoted field is damage, as it is for `COPY … FROM`.

use std::fmt;
use std::ops::Range;

use memchr::{memchr, memchr3};

use crate::snapshot::codec::copy_text;

/// A field of a row: where its bytes stand, without the quotes around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvField {
    pub range: Range<usize>,
    /// True if quotes stood around it; quotes inside are then still doubled.
    pub quoted: bool,
}

/// Why bytes do not split into rows, and at which byte of the block that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvError {
    pub at: usize,
    pub kind: CsvErrorKind,
}

/// The ways in which CSV can be malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvErrorKind {
    /// The bytes end inside a quoted field.
    OpenQuote,
    /// A closing quote is followed by something else than a comma or a line end.
    TextAfterQuote,
    /// A quote stands in the middle of an unquoted field.
    StrayQuote,
    /// A CR that is no part of a CRLF stands outside quotes.
    StrayCarriageReturn,
    /// The bytes end before the row's line end.
    NoLineEnd,
}

impl fmt::Display for CsvErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CsvErrorKind::OpenQuote => "the data ends inside a quoted field",
            CsvErrorKind::TextAfterQuote => "text follows the closing quote of a field",
            CsvErrorKind::StrayQuote => "a quote stands inside an unquoted field",
            CsvErrorKind::StrayCarriageReturn => "a carriage return stands outside quotes",
            CsvErrorKind::NoLineEnd => "the data ends before the end of a row",
        })
    }
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for CsvError {}

/// Unquoted fields are mostly numbers and short words: up to this many bytes a plain loop beats a search call.
const SHORT: usize = 24;

/// Splits the row that begins at `pos` and gives the position after its line end. `fields` is cleared first and
/// keeps its memory from row to row. An empty line is a row of one NULL, as COPY writes it for a table of one
/// column. At the end of `bytes` there is no row: ask only while `pos < bytes.len()`.
///
/// # Errors
/// See [`CsvErrorKind`]; `fields` then holds the fields before the error.
pub fn next_row(
    bytes: &[u8],
    mut pos: usize,
    fields: &mut Vec<CsvField>,
) -> Result<usize, CsvError> {
    fields.clear();
    loop {
        let end = if bytes.get(pos) == Some(&b'"') {
            let close = closing_quote(bytes, pos + 1)?;
            fields.push(CsvField {
                range: pos + 1..close,
                quoted: true,
            });
            close + 1
        } else {
            let end = unquoted_end(bytes, pos)?;
            fields.push(CsvField {
                range: pos..end,
                quoted: false,
            });
            end
        };
        match bytes.get(end) {
            Some(b',') => pos = end + 1,
            Some(b'\n') => return Ok(end + 1),
            Some(b'\r') => return line_end(bytes, end),
            Some(_) => return Err(error(end, CsvErrorKind::TextAfterQuote)),
            None => return Err(error(end, CsvErrorKind::NoLineEnd)),
        }
    }
}

/// Where the row at `pos` ends, of which [`next_row`] says that it does not split: behind the LF that is a row's end by
/// [`row_ends`](super::csv_walk::row_ends), too. CRs in it may stand anywhere.
///
/// # Errors
/// Where a quote opens or closes wrongly: what is inside of quotes and what outside cannot be told from there on.
pub fn row_end(bytes: &[u8], mut pos: usize) -> Result<usize, CsvError> {
    loop {
        if bytes.get(pos) == Some(&b'"') {
            pos = closing_quote(bytes, pos + 1)? + 1;
            match bytes.get(pos) {
                Some(b',' | b'\n' | b'\r') => {}
                Some(_) => return Err(error(pos, CsvErrorKind::TextAfterQuote)),
                None => return Err(error(pos, CsvErrorKind::NoLineEnd)),
            }
        }
        let rest = bytes.get(pos..).unwrap_or_default();
        let Some(found) = memchr3(b',', b'\n', b'"', rest) else {
            return Err(error(bytes.len(), CsvErrorKind::NoLineEnd));
        };
        match rest[found] {
            b',' => pos += found + 1,
            b'"' => return Err(error(pos + found, CsvErrorKind::StrayQuote)),
            // LF is all that is left.
            _ => return Ok(pos + found + 1),
        }
    }
}

/// True for a row, without its line end, whose fields are COPY text as they stand, apart from NULL: nothing is quoted, and no
/// byte has an escape.
pub fn is_plain(row: &[u8]) -> bool {
    // Without an early end, so that it is done by blocks.
    let special = row.iter().fold(false, |any, byte| {
        any | (*byte < b' ') | (*byte == b'\\') | (*byte == b'"')
    });
    !special
}

/// Writes a field as COPY text: `\N` for NULL, else the value with COPY's escapes.
pub fn to_copy_text(field: &[u8], quoted: bool, out: &mut Vec<u8>) {
    if !quoted {
        if field.is_empty() {
            out.extend_from_slice(b"\\N");
        } else {
            copy_text::encode(field, out);
        }
        return;
    }
    let mut rest = field;
    while let Some(quote) = memchr(b'"', rest) {
        copy_text::encode(&rest[..=quote], out);
        // Inside quotes a quote never stands alone; `get` because only `next_row` knows that.
        rest = rest.get(quote + 2..).unwrap_or_default();
    }
    copy_text::encode(rest, out);
}

/// Appends the value of a quoted field.
pub fn unquote(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some(quote) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        // Inside quotes a quote never stands alone; `get` because only `next_row` knows that.
        rest = rest.get(quote + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn error(at: usize, kind: CsvErrorKind) -> CsvError {
    CsvError { at, kind }
}

/// Position of the quote that closes the field whose text begins at `pos`.
fn closing_quote(bytes: &[u8], mut pos: usize) -> Result<usize, CsvError> {
    loop {
        let Some(found) = memchr(b'"', &bytes[pos..]) else {
            return Err(error(bytes.len(), CsvErrorKind::OpenQuote));
        };
        let quote = pos + found;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Ok(quote);
        }
        pos = quote + 2;
    }
}

/// Position of the comma or line end (its CR, if it has one) that ends the unquoted field at `pos`.
fn unquoted_end(bytes: &[u8], pos: usize) -> Result<usize, CsvError> {
    let head = &bytes[pos..bytes.len().min(pos + SHORT)];
    let short = head
        .iter()
        .position(|byte| matches!(byte, b',' | b'\n' | b'\r' | b'"'));
    let end = match short {
        Some(end) => pos + end,
        None => {
            let from = pos + head.len();
            let end =
                memchr3(b',', b'\n', b'"', &bytes[from..]).map_or(bytes.len(), |at| from + at);
            memchr(b'\r', &bytes[from..end]).map_or(end, |at| from + at)
        }
    };
    match bytes.get(end) {
        Some(b'"') => Err(error(end, CsvErrorKind::StrayQuote)),
        _ => Ok(end),
    }
}

/// Position after the CRLF whose CR stands at `at`.
fn line_end(bytes: &[u8], at: usize) -> Result<usize, CsvError> {
    match bytes.get(at + 1) {
        Some(b'\n') => Ok(at + 2),
        Some(_) => Err(error(at, CsvErrorKind::StrayCarriageReturn)),
        None => Err(error(bytes.len(), CsvErrorKind::NoLineEnd)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::codec::csv_walk::{RowEnds, row_ends};

    /// Rows as values: `None` is NULL.
    type Rows = Vec<Vec<Option<String>>>;

    fn read(bytes: &[u8]) -> Result<Rows, CsvError> {
        let mut rows = Vec::new();
        let mut fields = Vec::new();
        let mut pos = 0;
        while pos < bytes.len() {
            pos = next_row(bytes, pos, &mut fields)?;
            rows.push(fields.iter().map(|field| value(bytes, field)).collect());
        }
        Ok(rows)
    }

    fn value(bytes: &[u8], field: &CsvField) -> Option<String> {
        let text = std::str::from_utf8(&bytes[field.range.clone()]).unwrap();
        match (field.quoted, text) {
            (false, "") => None,
            (false, text) => Some(text.to_owned()),
            (true, text) => Some(text.replace("\"\"", "\"")),
        }
    }

    /// As COPY writes it, from its documentation: quotes where they are needed, and around empty strings.
    fn naive_write(rows: &Rows, line_end: &str, quote_all: bool) -> Vec<u8> {
        let mut out = String::new();
        for row in rows {
            let fields: Vec<String> = row
                .iter()
                .map(|value| match value {
                    None => String::new(),
                    Some(text)
                        if quote_all
                            || text.is_empty()
                            || text.contains([',', '"', '\r', '\n']) =>
                    {
                        format!("\"{}\"", text.replace('"', "\"\""))
                    }
                    Some(text) => text.clone(),
                })
                .collect();
            out += &fields.join(",");
            out += line_end;
        }
        out.into_bytes()
    }

    fn copy_text(field: &str, quoted: bool) -> String {
        let mut out = Vec::new();
        to_copy_text(field.as_bytes(), quoted, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_split_into_fields() {
        let some = |text: &str| Some(text.to_owned());
        let long = "x".repeat(100);
        let cases: [(&str, &str, Rows); 9] = [
            (
                "plain",
                "1,a\n2,b\n",
                vec![vec![some("1"), some("a")], vec![some("2"), some("b")]],
            ),
            (
                "unquoted empty is NULL, quoted is not",
                "1,,\"\"\n",
                vec![vec![some("1"), None, some("")]],
            ),
            (
                "an empty line is one NULL",
                "\n\"\"\n",
                vec![vec![None], vec![some("")]],
            ),
            (
                "commas and quotes in quotes",
                "\"a,\"\"b\"\"\",c\n",
                vec![vec![some("a,\"b\""), some("c")]],
            ),
            ("only a quote", "\"\"\"\"\n", vec![vec![some("\"")]]),
            (
                "line ends in quotes",
                "\"a\nb\r\nc\",d\r\n",
                vec![vec![some("a\nb\r\nc"), some("d")]],
            ),
            (
                "CRLF after an empty field",
                "a,\r\n",
                vec![vec![some("a"), None]],
            ),
            (
                "a backslash is text",
                "\\N,\\.\n",
                vec![vec![some("\\N"), some("\\.")]],
            ),
            (
                "a long unquoted field",
                &format!("{long},{long}\r\n"),
                vec![vec![some(&long), some(&long)]],
            ),
        ];
        for (name, text, expected) in cases {
            assert_eq!(read(text.as_bytes()), Ok(expected), "{name}");
        }
    }

    #[test]
    fn malformed_rows_are_errors_at_their_byte() {
        use CsvErrorKind::*;
        let long = "x".repeat(100);
        let cases = [
            ("open at the end", "a,\"b\n".to_owned(), 5, OpenQuote),
            (
                "open after a doubled quote",
                "\"b\"\"".to_owned(),
                4,
                OpenQuote,
            ),
            (
                "text after a closing quote",
                "\"a\"b\n".to_owned(),
                3,
                TextAfterQuote,
            ),
            (
                "space after a closing quote",
                "\"a\" ,b\n".to_owned(),
                3,
                TextAfterQuote,
            ),
            (
                "quote in an unquoted field",
                "a\"b\"\n".to_owned(),
                1,
                StrayQuote,
            ),
            (
                "quote in a long one",
                format!("{long}\"\n"),
                100,
                StrayQuote,
            ),
            ("lone CR", "a\rb\n".to_owned(), 1, StrayCarriageReturn),
            (
                "lone CR in a long field",
                format!("{long}\rb\n"),
                100,
                StrayCarriageReturn,
            ),
            (
                "lone CR after a quote",
                "\"a\"\rb\n".to_owned(),
                3,
                StrayCarriageReturn,
            ),
            ("no line end", "a,b".to_owned(), 3, NoLineEnd),
            (
                "no line end after a quote",
                "\"a\"".to_owned(),
                3,
                NoLineEnd,
            ),
            ("no LF after CR", "a\r".to_owned(), 2, NoLineEnd),
            ("no field after a comma", "a,".to_owned(), 2, NoLineEnd),
        ];
        for (name, text, at, kind) in cases {
            assert_eq!(read(text.as_bytes()), Err(CsvError { at, kind }), "{name}");
        }
    }

    #[test]
    fn a_row_with_a_stray_carriage_return_has_an_end() {
        use CsvErrorKind::*;
        let long = "x".repeat(100);
        let cases = [
            ("a\rb\nc\n".to_owned(), Ok(4)),
            ("\r\n".to_owned(), Ok(2)),
            (format!("{long}\rb,\"\n\"\nc\n"), Ok(107)),
            ("\"a\n\"\r,\"b\"\r\nc\n".to_owned(), Ok(11)),
            ("a\rb\"\n".to_owned(), Err((3, StrayQuote))),
            ("\r\"b\"\n".to_owned(), Err((1, StrayQuote))),
            ("a\r,\"b\"c\n".to_owned(), Err((6, TextAfterQuote))),
            ("a\r,\"b\n".to_owned(), Err((6, OpenQuote))),
            ("a\rb".to_owned(), Err((3, NoLineEnd))),
            ("\"a\"".to_owned(), Err((3, NoLineEnd))),
        ];
        for (text, expected) in cases {
            let expected = expected.map_err(|(at, kind)| CsvError { at, kind });
            assert_eq!(row_end(text.as_bytes(), 0), expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_with_quotes_or_escapes_is_not_plain() {
        for row in [
            "\"a\"", "a,\"\"", "a\\b", "a\tb", "a\r", "a\x08", "a,\u{1f}",
        ] {
            assert!(!is_plain(row.as_bytes()), "{row:?}");
        }
    }

    #[test]
    fn fields_become_copy_text() {
        let cases = [
            ("NULL", "", false, "\\N"),
            ("empty string", "", true, ""),
            ("plain", "abc", false, "abc"),
            ("the text \\N", "\\N", false, "\\\\N"),
            ("doubled quotes", "say \"\"hi\"\"", true, "say \"hi\""),
            (
                "quotes at both ends and in a row",
                "\"\"\"\"a\"\"",
                true,
                "\"\"a\"",
            ),
            ("controls", "a\tb\nc\rd\\e", true, "a\\tb\\nc\\rd\\\\e"),
        ];
        for (name, field, quoted, expected) in cases {
            assert_eq!(copy_text(field, quoted), expected, "{name}");
        }
    }

    fn rows(columns: Range<usize>) -> impl Strategy<Value = Rows> {
        columns.prop_flat_map(|columns| {
            let value = proptest::option::of("[a\",\r\n\\\\é]{0,40}");
            proptest::collection::vec(proptest::collection::vec(value, columns), 0..12)
        })
    }

    proptest! {
        #[test]
        fn what_copy_writes_is_read_back(rows in rows(1..5), crlf: bool) {
            let bytes = naive_write(&rows, if crlf { "\r\n" } else { "\n" }, false);
            let ends = RowEnds { rows: rows.len() as u64, end: bytes.len() };
            prop_assert_eq!(row_ends(&bytes), ends);
            if !bytes.is_empty() {
                prop_assert_eq!(row_end(&bytes, 0).ok(), next_row(&bytes, 0, &mut Vec::new()).ok());
            }
            prop_assert_eq!(read(&bytes), Ok(rows));
        }

        // From two columns on: the csv crate skips empty lines.
        #[test]
        fn the_csv_crate_reads_the_same_values(rows in rows(2..5), quote_all: bool) {
            let bytes = naive_write(&rows, "\n", quote_all);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            let judged: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            let ours: Vec<Vec<String>> = read(&bytes)
                .unwrap()
                .into_iter()
                .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
                .collect();
            prop_assert_eq!(ours, judged);
        }

        #[test]
        fn a_cut_anywhere_ends_at_a_row(rows in rows(1..4), part in 0.0..1.0f64) {
            let bytes = naive_write(&rows, "\n", false);
            let end = row_ends(&bytes[..(bytes.len() as f64 * part) as usize]).end;
            let mut ends = vec![0];
            let mut fields = Vec::new();
            while ends[ends.len() - 1] < bytes.len() {
                ends.push(next_row(&bytes, ends[ends.len() - 1], &mut fields).unwrap());
            }
            prop_assert!(ends.contains(&end));
        }

        #[test]
        fn fields_of_a_plain_row_are_copy_text_as_they_stand(row in "[a-z0-9,,é \u{7f}]{0,200}") {
            prop_assert!(is_plain(row.as_bytes()));
            let bytes = format!("1,2\n{row}\n");
            let mut fields = Vec::new();
            prop_assert_eq!(next_row(bytes.as_bytes(), 4, &mut fields), Ok(bytes.len()));
            for CsvField { range, quoted } in fields {
                let text = copy_text(&bytes[range.clone()], quoted);
                prop_assert!(text == bytes[range.clone()] || range.is_empty() && text == "\\N");
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200,
        )) {
            let mut fields = Vec::new();
            let mut pos = 0;
            while pos < bytes.len() {
                match next_row(&bytes, pos, &mut fields) {
                    Ok(next) => {
                        prop_assert!(next > pos);
                        let mut out = Vec::new();
                        for field in &fields {
                            to_copy_text(&bytes[field.range.clone()], field.quoted, &mut out);
                        }
                        pos = next;
                    }
                    Err(_) => break,
                }
            }
            prop_assert!(row_ends(&bytes).end <= bytes.len());
        }
    }
}
