//! `INSERT` statements as pg_dump writes them with `--inserts` and its like, turned into COPY text.
//!
//! Values are literals only: `'…'` with doubled quotes, `E'…'`, numbers, `true`, `false`, `NULL`, bit strings, and
//! `DEFAULT` for generated columns (pg_dump's `dumpTableData_insert`).

use super::TableName;
use super::copy_text;
use super::ddl::{Ddl, Tokens};
use super::sql_text::{tokens, unquote};

/// What stands before the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InsertHead {
    pub(super) table: TableName,
    /// `None` where the statement has no list of columns: they are then those of the table, generated ones too.
    pub(super) columns: Option<Vec<String>>,
    /// True for `DEFAULT VALUES`, which is how a row of a table without columns is written.
    pub(super) default_values: bool,
}

/// Reads `INSERT INTO … VALUES`. `None` for any other form of `INSERT`.
pub(super) fn head(text: &[u8], ddl: &Ddl) -> Option<InsertHead> {
    let mut tokens = Tokens::new(tokens(text));
    if !(tokens.accept("insert") && tokens.accept("into")) {
        return None;
    }
    let table = ddl.name(&mut tokens)?;
    let columns = match tokens.accept_symbol(b'(') {
        true => Some(column_list(&mut tokens)?),
        false => None,
    };
    if tokens.accept("overriding") {
        tokens.next();
        tokens.accept("value");
    }
    let default_values = tokens.accept("default");
    tokens.accept("values").then_some(InsertHead {
        table,
        columns,
        default_values,
    })
}

/// Reads names up to the closing parenthesis; the opening one is taken already.
pub(super) fn column_list(tokens: &mut Tokens) -> Option<Vec<String>> {
    let mut columns = Vec::new();
    if tokens.accept_symbol(b')') {
        return Some(columns);
    }
    loop {
        columns.push(tokens.identifier()?);
        if tokens.accept_symbol(b')') {
            return Some(columns);
        }
        if !tokens.accept_symbol(b',') {
            return None;
        }
    }
}

/// Appends a row `(…)` as a row of COPY text.
///
/// `generated` tells for every field whether its column is generated: such a field must be
/// `DEFAULT` and is left out.
///
/// # Errors
/// What is wrong with the row. Part of it may have been appended.
pub(super) fn row(
    text: &[u8],
    generated: &[bool],
    escapes_everywhere: bool,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let mut place = 0;
    let mut first = true;
    for (index, generated) in generated.iter().enumerate() {
        let separator = if index == 0 { b'(' } else { b',' };
        if text.get(place) != Some(&separator) {
            return Err("the row has too few values, or one that is not a literal");
        }
        place = skip_space(text, place + 1);
        if *generated {
            let end = bare_end(text, place);
            if !text[place..end].eq_ignore_ascii_case(b"default") {
                return Err("a generated column has a value");
            }
            place = end;
        } else {
            if !first {
                out.push(b'\t');
            }
            first = false;
            place = value(text, place, escapes_everywhere, out)?;
        }
        place = skip_space(text, place);
    }
    if text.get(place) != Some(&b')') {
        return Err("the row has too many values, or one that is not a literal");
    }
    out.push(b'\n');
    Ok(())
}

fn skip_space(text: &[u8], place: usize) -> usize {
    place
        + text[place..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count()
}

/// The end of a value without quotes.
fn bare_end(text: &[u8], place: usize) -> usize {
    place
        + text[place..]
            .iter()
            .take_while(|byte| !b",() \t\r\n'".contains(byte))
            .count()
}

/// Appends one value as a field of COPY text and gives the position after it.
fn value(
    text: &[u8],
    place: usize,
    escapes_everywhere: bool,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    if text.get(place) == Some(&b'\'') && !escapes_everywhere {
        return string(text, place + 1, out);
    }
    let end = bare_end(text, place);
    let bare = &text[place..end];
    if text.get(end) == Some(&b'\'') {
        let escapes = bare.eq_ignore_ascii_case(b"e") || (bare.is_empty() && escapes_everywhere);
        let bits = bare.eq_ignore_ascii_case(b"b");
        let nibbles = bare.eq_ignore_ascii_case(b"x");
        if !(escapes || bits || nibbles) {
            return Err("a value is not a literal");
        }
        let (value, end) = unquote(text, end + 1, b'\'', escapes);
        if nibbles {
            // What the server shows of a bit string is its bits.
            for digit in &value {
                let digit = char::from(*digit)
                    .to_digit(16)
                    .ok_or("a bit string has other digits")?;
                out.extend_from_slice(format!("{digit:04b}").as_bytes());
            }
        } else {
            copy_text::encode(&value, out);
        }
        return Ok(end);
    }
    match bare {
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => out.extend_from_slice(bare),
        _ if bare.eq_ignore_ascii_case(b"null") => out.extend_from_slice(b"\\N"),
        _ if bare.eq_ignore_ascii_case(b"true") => out.push(b't'),
        _ if bare.eq_ignore_ascii_case(b"false") => out.push(b'f'),
        _ if bare.eq_ignore_ascii_case(b"default") => {
            return Err("a value is DEFAULT, which only the database could fill in");
        }
        _ => return Err("a value is not a literal"),
    }
    Ok(end)
}

/// Appends a plain string whose content begins at `place`: the usual case, without a copy of its own.
fn string(text: &[u8], mut place: usize, out: &mut Vec<u8>) -> Result<usize, &'static str> {
    loop {
        let found = memchr::memchr(b'\'', &text[place..]).ok_or("a string does not end")?;
        copy_text::encode(&text[place..place + found], out);
        place += found + 1;
        if text.get(place) != Some(&b'\'') {
            return Ok(place);
        }
        out.push(b'\'');
        place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_in_all_their_forms() {
        let head_of = |table: TableName, columns: Option<&[&str]>| {
            let columns =
                columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            Some(InsertHead {
                table,
                columns,
                default_values: false,
            })
        };
        let cases = [
            (
                "INSERT INTO public.notes VALUES",
                head_of(TableName::public("notes"), None),
            ),
            (
                "insert into notes values",
                head_of(TableName::public("notes"), None),
            ),
            (
                "INSERT INTO audit.\"N o\" (id, \"position\") VALUES",
                head_of(TableName::new("audit", "N o"), Some(&["id", "position"])),
            ),
            (
                "INSERT INTO public.t (id) OVERRIDING SYSTEM VALUE VALUES",
                head_of(TableName::public("t"), Some(&["id"])),
            ),
            (
                "INSERT INTO t OVERRIDING USER VALUE VALUES",
                head_of(TableName::public("t"), None),
            ),
            (
                "INSERT INTO t DEFAULT VALUES",
                Some(InsertHead {
                    table: TableName::public("t"),
                    columns: None,
                    default_values: true,
                }),
            ),
            ("INSERT INTO t SELECT 1;", None),
            ("INSERT INTO t (a b) VALUES", None),
            ("INSERT INTO 't' VALUES", None),
        ];
        for (text, expected) in cases {
            assert_eq!(head(text.as_bytes(), &Ddl::default()), expected, "{text}");
        }
    }

    #[test]
    fn rows_become_copy_text() {
        let cases: [(&str, &[bool], Result<&str, &str>); 20] = [
            ("(1, -2.5e3, 'x')", &[false; 3], Ok("1\t-2.5e3\tx\n")),
            ("( true ,FALSE, NULL )", &[false; 3], Ok("t\tf\t\\N\n")),
            ("('it''s', '''', '')", &[false; 3], Ok("it's\t'\t\n")),
            ("('', '')", &[false; 2], Ok("\t\n")),
            (
                "('a\tb\nc\\d', 'NULL', '\\N')",
                &[false; 3],
                Ok("a\\tb\\nc\\\\d\tNULL\t\\\\N\n"),
            ),
            (
                "(E'a\\'b\\n\\\\', e'''')",
                &[false; 2],
                Ok("a'b\\n\\\\\t'\n"),
            ),
            ("('), (', ';')", &[false; 2], Ok("), (\t;\n")),
            (
                "(B'0101', X'1f', x'')",
                &[false; 3],
                Ok("0101\t00011111\t\n"),
            ),
            (
                "('{\"a\": \"é\"}', '\\x00ff')",
                &[false; 2],
                Ok("{\"a\": \"é\"}\t\\\\x00ff\n"),
            ),
            (
                "(DEFAULT, 'b', DEFAULT, 'd')",
                &[true, false, true, false],
                Ok("b\td\n"),
            ),
            ("(DEFAULT)", &[true], Ok("\n")),
            (
                "(DEFAULT)",
                &[false],
                Err("a value is DEFAULT, which only the database could fill in"),
            ),
            ("(1)", &[true], Err("a generated column has a value")),
            (
                "(1, 2)",
                &[false],
                Err("the row has too many values, or one that is not a literal"),
            ),
            (
                "(1)",
                &[false; 2],
                Err("the row has too few values, or one that is not a literal"),
            ),
            ("(now())", &[false], Err("a value is not a literal")),
            (
                "('a'::text)",
                &[false],
                Err("the row has too many values, or one that is not a literal"),
            ),
            ("(nextval('x'))", &[false], Err("a value is not a literal")),
            ("(X'1g')", &[false], Err("a bit string has other digits")),
            (
                "1, 2",
                &[false],
                Err("the row has too few values, or one that is not a literal"),
            ),
        ];
        for (text, generated, expected) in cases {
            let mut out = Vec::new();
            let result = row(text.as_bytes(), generated, false, &mut out);
            assert_eq!(
                result.map(|()| std::str::from_utf8(&out).unwrap()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn strings_have_escapes_where_the_dump_says_so() {
        let mut out = Vec::new();
        assert_eq!(
            row(b"('a\\\\b\\'c', 'd''e')", &[false; 2], true, &mut out),
            Ok(())
        );
        assert_eq!(out, b"a\\\\b'c\td'e\n");
    }
}
