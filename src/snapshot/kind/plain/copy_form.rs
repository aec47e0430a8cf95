//! The form of the rows behind a `COPY … FROM stdin`: what its options say, and how such rows become plain COPY text.
//!
//! pg_dump writes no option but `WITH OIDS`, which servers up to 11 had: the row's oid then stands in front. Dumps by hand
//! name all others. Rows that already are plain COPY text are handed on as they are; only the others are written anew.

use crate::snapshot::sql::ddl::Tokens;
use crate::snapshot::sql::text::Token;

/// How the rows are written, as far as it is COPY's text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyForm {
    pub(crate) delimiter: u8,
    /// What stands for NULL, as it is written.
    pub(crate) null: Vec<u8>,
    /// An oid stands in front of every row.
    pub(crate) oids: bool,
    /// The first row holds the columns' names.
    pub(crate) header: bool,
    /// Why rows of this form are not read.
    pub(crate) unread: Option<&'static str>,
}

impl Default for CopyForm {
    fn default() -> Self {
        CopyForm {
            delimiter: b'\t',
            null: b"\\N".to_vec(),
            oids: false,
            header: false,
            unread: None,
        }
    }
}

/// Why a row cannot be read.
pub(crate) type RowFault = &'static str;

pub(crate) const OTHER_LINE_END: RowFault = "its line ends in another way than the first one; some program has changed line ends, so dump again";

impl CopyForm {
    /// True where rows stand as COPY writes them without options, line ends apart.
    pub(crate) fn is_plain(&self) -> bool {
        !self.oids && self.has_plain_fields()
    }

    fn has_plain_fields(&self) -> bool {
        self.delimiter == b'\t' && self.null == b"\\N"
    }

    /// Reads what stands between `FROM stdin` and the semicolon.
    ///
    /// # Errors
    /// The options cannot be understood at all.
    pub(crate) fn options(&mut self, tokens: &mut Tokens) -> Result<(), &'static str> {
        const OPTIONS: &str = "its options cannot be understood";
        // Before 7.3: `USING DELIMITERS '|' WITH NULL AS ''`.
        tokens.accept("using");
        if tokens.accept("delimiters") {
            self.option("delimiter", tokens.next().as_ref());
        }
        tokens.accept("with");
        if tokens.accept_symbol(b'(') {
            self.list(tokens).ok_or(OPTIONS)?;
        } else {
            self.words(tokens).ok_or(OPTIONS)?;
        }
        if tokens.accept("where") {
            self.unread("WHERE leaves out rows, which only the database can judge");
            return Ok(());
        }
        match tokens.peek() {
            Some(Token::Symbol(b';')) | None => Ok(()),
            Some(_) => Err(OPTIONS),
        }
    }

    /// `(FORMAT text, DELIMITER '|', …)`, whose opening parenthesis is taken.
    fn list(&mut self, tokens: &mut Tokens) -> Option<()> {
        loop {
            let name = tokens.identifier()?.to_ascii_lowercase();
            let value = match tokens.peek()? {
                Token::Symbol(b',' | b')') => None,
                _ => tokens.next(),
            };
            if value == Some(Token::Symbol(b'(')) {
                tokens.skip_to_element_end();
                tokens.next();
            }
            self.option(&name, value.as_ref());
            match tokens.next()? {
                Token::Symbol(b',') => {}
                Token::Symbol(b')') => return Some(()),
                _ => return None,
            }
        }
    }

    /// `DELIMITER AS '|' NULL AS '' CSV …`, as up to PostgreSQL 8.4.
    fn words(&mut self, tokens: &mut Tokens) -> Option<()> {
        while let Some(Token::Word(name)) = tokens.peek().cloned() {
            if name == "where" {
                break;
            }
            tokens.skip(1);
            match name.as_str() {
                "csv" | "binary" => self.option("format", Some(&Token::Word(name))),
                "delimiter" | "delimiters" | "null" | "quote" | "escape" | "encoding" => {
                    tokens.accept("as");
                    let value = tokens.next()?;
                    let name = name.trim_end_matches('s');
                    self.option(name, Some(&value));
                }
                "force" => {
                    self.unread(CSV);
                    while !matches!(tokens.peek(), None | Some(Token::Symbol(b';'))) {
                        tokens.skip(1);
                    }
                }
                _ => self.option(&name, None),
            }
        }
        Some(())
    }

    fn option(&mut self, name: &str, value: Option<&Token>) {
        let text = match value {
            Some(Token::Word(text) | Token::Name(text) | Token::Text(text)) => Some(text.as_str()),
            Some(Token::Symbol(_)) | None => None,
        };
        let lower = text.map(str::to_ascii_lowercase);
        let on = !matches!(lower.as_deref(), Some("false" | "off" | "0"));
        match (name, text) {
            ("format", _) => match lower.as_deref() {
                Some("text") => {}
                Some("csv") => self.unread(CSV),
                _ => self.unread("only COPY's text format is read in SQL text; dump with pg_dump"),
            },
            // How rows are stored, what the server logs, and what it does with rows that are wrong.
            ("freeze" | "log_verbosity" | "quote" | "escape", _) => {}
            ("on_error", _) if lower.as_deref() == Some("stop") => {}
            ("oids", _) => self.oids = on,
            ("header", _) => self.header = on,
            ("null", Some(text)) => self.null = text.as_bytes().to_vec(),
            ("delimiter", Some(text)) => match text.as_bytes() {
                // What else may follow a backslash, or end a row, PostgreSQL refuses, too.
                [byte]
                    if byte.is_ascii()
                        && !b"\\\r\n.".contains(byte)
                        && !byte.is_ascii_lowercase()
                        && !byte.is_ascii_digit() =>
                {
                    self.delimiter = *byte;
                }
                _ => self.unread("its delimiter is none that PostgreSQL knows"),
            },
            ("encoding", Some(text)) => {
                let letters = text.chars().filter(char::is_ascii_alphanumeric);
                let letters: String = letters.collect::<String>().to_ascii_uppercase();
                if !["UTF8", "UNICODE"].contains(&letters.as_str()) {
                    self.unread(
                        "its rows have an ENCODING of their own; dump with --encoding=UTF8",
                    );
                }
            }
            _ => self.unread("it has an option that is not known; dump with pg_dump"),
        }
    }

    fn unread(&mut self, reason: &'static str) {
        self.unread.get_or_insert(reason);
    }

    /// Appends rows, each ended by a line end, as plain COPY text. `crlf` tells that lines end with CR LF, which holds for
    /// all of them.
    ///
    /// # Errors
    /// The number of a row that cannot be read, from 0, where it begins, and why. Rows before it were appended.
    pub(crate) fn rewrite(
        &self,
        rows: &[u8],
        crlf: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), (u64, usize, RowFault)> {
        let mut start = 0;
        for (index, end) in memchr::memchr_iter(b'\n', rows).enumerate() {
            let line = &rows[start..end];
            let row = match line.strip_suffix(b"\r") {
                Some(row) if crlf => Ok(row),
                None if !crlf => Ok(line),
                _ => Err(OTHER_LINE_END),
            };
            row.and_then(|row| self.row(row, out))
                .map_err(|fault| (index as u64, start, fault))?;
            out.push(b'\n');
            start = end + 1;
        }
        Ok(())
    }

    fn row(&self, mut row: &[u8], out: &mut Vec<u8>) -> Result<(), RowFault> {
        if self.oids {
            let digits = row.iter().take_while(|byte| byte.is_ascii_digit()).count();
            row = match row.get(digits) {
                _ if digits == 0 => return Err("the row does not begin with an oid"),
                Some(byte) if *byte == self.delimiter => &row[digits + 1..],
                // Of a table without columns.
                None => &row[digits..],
                Some(_) => return Err("the row does not begin with an oid"),
            };
        }
        if self.has_plain_fields() {
            out.extend_from_slice(row);
            return Ok(());
        }
        let mut start = 0;
        loop {
            let mut end = start;
            while let Some(byte) = row.get(end).filter(|byte| **byte != self.delimiter) {
                end += if *byte == b'\\' { 2 } else { 1 };
            }
            let end = end.min(row.len());
            self.field(&row[start..end], out);
            if end == row.len() {
                return Ok(());
            }
            out.push(b'\t');
            start = end + 1;
        }
    }

    fn field(&self, field: &[u8], out: &mut Vec<u8>) {
        if field == self.null {
            out.extend_from_slice(b"\\N");
        } else if field == b"\\N" {
            // Where something else stands for NULL, this is the letter.
            out.push(b'N');
        } else {
            let mut escaped = false;
            for byte in field {
                match byte {
                    // The delimiter of plain COPY text is a value's byte here.
                    b'\t' if escaped => out.push(b't'),
                    b'\t' => out.extend_from_slice(b"\\t"),
                    byte => out.push(*byte),
                }
                escaped = *byte == b'\\' && !escaped;
            }
        }
    }
}

const CSV: &str =
    "only COPY's text format is read in SQL text, and this is FORMAT csv; dump with pg_dump";

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(
        form: &CopyForm,
        rows: &str,
        crlf: bool,
    ) -> Result<String, (u64, usize, RowFault)> {
        let mut out = Vec::new();
        form.rewrite(rows.as_bytes(), crlf, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn rows_of_every_form_become_plain_copy_text() {
        let plain = CopyForm::default();
        let oids = CopyForm {
            oids: true,
            ..CopyForm::default()
        };
        let bars = CopyForm {
            delimiter: b'|',
            null: Vec::new(),
            ..CopyForm::default()
        };
        for (form, rows, crlf, expected) in [
            (&plain, "1\ta\\r\\nb\r\n\r\n", true, "1\ta\\r\\nb\n\n"),
            (
                &oids,
                "16390\t10\ta\n16391\t\t\\N\n",
                false,
                "10\ta\n\t\\N\n",
            ),
            (&oids, "16390\r\n", true, "\n"),
            (
                &bars,
                "1||\\N|a\tb|c\\|d\\\\|\n",
                false,
                "1\t\\N\tN\ta\\tb\tc\\|d\\\\\t\\N\n",
            ),
            (&bars, "a\\\tb|\\n\n", false, "a\\tb\t\\n\n"),
        ] {
            assert_eq!(
                rewritten(form, rows, crlf).as_deref(),
                Ok(expected),
                "{rows:?}"
            );
        }
    }

    #[test]
    fn a_row_that_does_not_fit_its_form_is_named() {
        let oids = CopyForm {
            oids: true,
            ..CopyForm::default()
        };
        let no_oid = "the row does not begin with an oid";
        assert_eq!(rewritten(&oids, "1\ta\nx\tb\n", false), Err((1, 4, no_oid)));
        assert_eq!(rewritten(&oids, "1a\ta\n", false), Err((0, 0, no_oid)));
        let plain = CopyForm::default();
        assert_eq!(
            rewritten(&plain, "1\r\n2\n", true),
            Err((1, 3, OTHER_LINE_END))
        );
        assert_eq!(
            rewritten(&oids, "1\t1\n2\t2\r\n", false),
            Err((1, 4, OTHER_LINE_END))
        );
    }
}
