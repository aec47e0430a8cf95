//! `INSERT` statements as pg_dump writes them with `--inserts` and its like, turned into COPY text.
//!
//! Values are literals only: strings in every way in which SQL quotes them, numbers, `true`, `false`, `NULL`, bit
//! strings, and `DEFAULT` for generated columns (pg_dump's `dumpTableData_insert`). Comments may stand anywhere
//! between them.

use crate::snapshot::codec::copy_text;
use crate::snapshot::sql::ddl::{Ddl, Tokens};
use crate::snapshot::sql::text::{
    Token, continued, dollar_quoted, skip_blank, tokens, unicode, unquote,
};
use crate::snapshot::table_name::TableName;

/// What stands before the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InsertHead {
    pub(crate) table: TableName,
    /// `None` where the statement has no list of columns: they are then those of the table, generated ones too.
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) rows: InsertRows,
}

/// Where the rows of an `INSERT` come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InsertRows {
    /// They follow.
    Values,
    /// `DEFAULT VALUES`, which is how a row of a table without columns is written.
    Default,
    /// The database makes them of something else. The reason says of what.
    Made(&'static str),
}

/// Reads `INSERT INTO … VALUES`. `None` where it does not say into which table.
pub(crate) fn head(text: &[u8], ddl: &Ddl) -> Option<InsertHead> {
    let mut tokens = Tokens::new(tokens(text));
    if !(tokens.accept("insert") && tokens.accept("into")) {
        return None;
    }
    let table = ddl.known_name(&mut tokens)?;
    if tokens.accept("as") {
        // The alias counts in ON CONFLICT and RETURNING only.
        tokens.identifier()?;
    }
    let made = |rows| {
        Some(InsertHead {
            table: table.clone(),
            columns: None,
            rows: InsertRows::Made(rows),
        })
    };
    let columns = match tokens.accept_symbol(b'(') {
        true => match column_list(&mut tokens) {
            Some(columns) => Some(columns),
            None => return made("a query, or parts of columns, stand in parentheses"),
        },
        false => None,
    };
    if tokens.accept("overriding") {
        if tokens.accept("user") {
            return made("OVERRIDING USER VALUE has the database make up values");
        }
        tokens.accept("system");
        tokens.accept("value");
    }
    let default = tokens.accept("default");
    if !tokens.accept("values") {
        return made("its rows come from a query");
    }
    Some(InsertHead {
        table,
        columns,
        rows: match default {
            true => InsertRows::Default,
            false => InsertRows::Values,
        },
    })
}

/// Looks at what follows the last row of a statement, up to its semicolon: whether the rows are then in the table as
/// they stand. True where those are left out that conflict with others.
///
/// # Errors
/// Why they may not be.
pub(crate) fn tail(text: &[u8]) -> Result<bool, &'static str> {
    let mut tokens = Tokens::new(tokens(text));
    let leaves_out = tokens.accept("on") && tokens.accept("conflict");
    if leaves_out {
        // In parentheses expressions of an index may stand.
        let mut depth = 0u32;
        loop {
            match tokens.next() {
                Some(Token::Symbol(b'(')) => depth += 1,
                Some(Token::Symbol(b')')) => depth = depth.saturating_sub(1),
                Some(token) if depth == 0 && token.is("do") => break,
                Some(_) => {}
                None => return Err(UNKNOWN_TAIL),
            }
        }
        if tokens.accept("update") {
            return Err("ON CONFLICT DO UPDATE changes rows; dump with pg_dump");
        }
        if !tokens.accept("nothing") {
            return Err(UNKNOWN_TAIL);
        }
    }
    match tokens.peek() {
        Some(Token::Symbol(b';')) => Ok(leaves_out),
        // What is returned changes nothing.
        Some(token) if token.is("returning") => Ok(leaves_out),
        _ => Err(UNKNOWN_TAIL),
    }
}

const UNKNOWN_TAIL: &str =
    "what follows its rows is not known; only ON CONFLICT DO NOTHING and RETURNING are";

/// Reads names up to the closing parenthesis; the opening one is taken already.
pub(crate) fn column_list(tokens: &mut Tokens) -> Option<Vec<String>> {
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
pub(crate) fn row(
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
        place = skip_blank(text, place + 1);
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
        place = skip_blank(text, place);
    }
    if text.get(place) != Some(&b')') {
        return Err("the row has too many values, or one that is not a literal");
    }
    out.push(b'\n');
    Ok(())
}

/// The end of a value without quotes.
fn bare_end(text: &[u8], place: usize) -> usize {
    let rest = &text[place..];
    let mut length = 0;
    while let Some(byte) = rest.get(length) {
        if b",() \t\r\n\x0c'".contains(byte)
            || rest[length..].starts_with(b"--")
            || rest[length..].starts_with(b"/*")
        {
            break;
        }
        length += 1;
    }
    place + length
}

const NO_LITERAL: &str = "a value is not a literal";
const NO_END: &str = "a string does not end";

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
    if text.get(place) == Some(&b'$') {
        let (content, end) = dollar_quoted(text, place).ok_or(NO_LITERAL)?;
        copy_text::encode(content, out);
        return Ok(end);
    }
    let end = bare_end(text, place);
    let bare = &text[place..end];
    if text.get(end) == Some(&b'\'') {
        return prefixed(text, bare, end + 1, escapes_everywhere, out);
    }
    match bare {
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => number(bare, out)?,
        _ if bare.eq_ignore_ascii_case(b"null") => out.extend_from_slice(b"\\N"),
        _ if bare.eq_ignore_ascii_case(b"true") => out.push(b't'),
        _ if bare.eq_ignore_ascii_case(b"false") => out.push(b'f'),
        _ if bare.eq_ignore_ascii_case(b"default") => {
            return Err("a value is DEFAULT, which only the database could fill in");
        }
        _ => return Err(NO_LITERAL),
    }
    Ok(end)
}

/// Appends a string before whose quote letters stand that say how to read it. `place` is that of its content.
fn prefixed(
    text: &[u8],
    prefix: &[u8],
    place: usize,
    escapes_everywhere: bool,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    let is = |name: &[u8]| prefix.eq_ignore_ascii_case(name);
    let (nibbles, code_points) = (is(b"x"), is(b"u&"));
    let escapes = is(b"e") || (is(b"") && escapes_everywhere);
    if !(escapes || nibbles || code_points || is(b"b") || is(b"n")) {
        return Err(NO_LITERAL);
    }
    let (mut value, mut end) = unquote(text, place, b'\'', escapes);
    while let Some(next) = continued(text, end) {
        let (more, after) = unquote(text, next, b'\'', escapes);
        value.extend_from_slice(&more);
        end = after;
    }
    if nibbles {
        // What the server shows of a bit string is its bits.
        for digit in &value {
            let digit = char::from(*digit)
                .to_digit(16)
                .ok_or("a bit string has other digits")?;
            out.extend_from_slice(format!("{digit:04b}").as_bytes());
        }
    } else if code_points {
        // Behind it `UESCAPE` may name another letter than the backslash; that is then no end of a value.
        let value = unicode(&value).ok_or("a string U&'…' has an escape that is none")?;
        copy_text::encode(&value, out);
    } else {
        copy_text::encode(&value, out);
    }
    Ok(end)
}

/// Appends a number in plain notation as the server shows it: no plus sign, no zeros in front, a digit before the point.
fn number(bare: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let (sign, rest) = match bare {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        [b'+', rest @ ..] => (&b""[..], rest),
        rest => (&b""[..], rest),
    };
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(rest);
    let (whole, mut after) = rest.split_at(whole);
    let mut any = !whole.is_empty();
    if let [b'.', fraction @ ..] = after {
        let length = digits(fraction);
        any |= length > 0;
        after = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = after {
        let exponent = match exponent {
            [b'-' | b'+', exponent @ ..] => exponent,
            exponent => exponent,
        };
        let length = digits(exponent);
        after = &exponent[length..];
        any &= length > 0;
    }
    if !any || !after.is_empty() {
        return Err(NO_LITERAL);
    }
    let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
    let kept = &whole[zeros..];
    if rest.iter().any(|byte| matches!(byte, b'1'..=b'9')) {
        out.extend_from_slice(sign);
    }
    match kept {
        [] => out.push(b'0'),
        kept => out.extend_from_slice(kept),
    }
    match &rest[whole.len()..] {
        [b'.', after @ ..] if !after.first().is_some_and(u8::is_ascii_digit) => {
            out.extend_from_slice(after);
        }
        after => out.extend_from_slice(after),
    }
    Ok(())
}

/// Appends a plain string whose content begins at `place`: the usual case, without a copy of its own.
fn string(text: &[u8], mut place: usize, out: &mut Vec<u8>) -> Result<usize, &'static str> {
    loop {
        let found = memchr::memchr(b'\'', &text[place..]).ok_or(NO_END)?;
        copy_text::encode(&text[place..place + found], out);
        place += found + 1;
        match text.get(place) {
            Some(b'\'') => {
                out.push(b'\'');
                place += 1;
            }
            Some(b',' | b')') => return Ok(place),
            _ => match continued(text, place) {
                Some(next) => place = next,
                None => return Ok(place),
            },
        }
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
                rows: InsertRows::Values,
            })
        };
        let made = |reason| {
            Some(InsertHead {
                table: TableName::public("t"),
                columns: None,
                rows: InsertRows::Made(reason),
            })
        };
        let query = "its rows come from a query";
        let parentheses = "a query, or parts of columns, stand in parentheses";
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
                made("OVERRIDING USER VALUE has the database make up values"),
            ),
            (
                "INSERT /* a */ INTO -- b\n t /* c */ AS x (id, /* d */ \"b\" -- e\n) VALUES",
                head_of(TableName::public("t"), Some(&["id", "b"])),
            ),
            (
                "INSERT INTO t DEFAULT VALUES",
                Some(InsertHead {
                    table: TableName::public("t"),
                    columns: None,
                    rows: InsertRows::Default,
                }),
            ),
            ("INSERT INTO t SELECT 1;", made(query)),
            ("INSERT INTO t TABLE u;", made(query)),
            ("INSERT INTO t WITH x AS (SELECT 1) VALUES", made(query)),
            ("INSERT INTO t (VALUES (1));", made(parentheses)),
            ("INSERT INTO t (a[1]) VALUES", made(parentheses)),
            ("INSERT INTO t (a b) VALUES", made(parentheses)),
            ("INSERT INTO 't' VALUES", None),
        ];
        for (text, expected) in cases {
            assert_eq!(head(text.as_bytes(), &Ddl::default()), expected, "{text}");
        }
    }

    #[test]
    fn rows_become_copy_text() {
        let cases: [(&str, &[bool], Result<&str, &str>); 36] = [
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
                "(/* a */ 1 -- it's\n, /* (b */ 'x' /* ' */ , NULL--,\n)",
                &[false; 3],
                Ok("1\tx\t\\N\n"),
            ),
            ("(-5--x\n, 1/**/)", &[false; 2], Ok("-5\t1\n")),
            (
                "('a'\n 'b', E'\\n' -- x\n '\\t')",
                &[false; 2],
                Ok("ab\t\\n\\t\n"),
            ),
            (
                "('a' 'b')",
                &[false],
                Err("the row has too many values, or one that is not a literal"),
            ),
            (
                "($$it's$$, $x$\\ $$\n$x$)",
                &[false; 2],
                Ok("it's\t\\\\ $$\\n\n"),
            ),
            ("(U&'d\\0061', N'x')", &[false; 2], Ok("da\tx\n")),
            (
                "(U&'d!0061' UESCAPE '!')",
                &[false],
                Err("the row has too many values, or one that is not a literal"),
            ),
            (
                "(U&'\\1')",
                &[false],
                Err("a string U&'…' has an escape that is none"),
            ),
            (
                "(+5, 007, -0, .5, -.50, 1., 0)",
                &[false; 7],
                Ok("5\t7\t0\t0.5\t-0.50\t1\t0\n"),
            ),
            (
                "(1e5, -0.0, 1.5E-07)",
                &[false; 3],
                Ok("1e5\t0.0\t1.5E-07\n"),
            ),
            ("(1+1)", &[false], Err("a value is not a literal")),
            ("(1-1)", &[false], Err("a value is not a literal")),
            ("(1e)", &[false], Err("a value is not a literal")),
            ("(-)", &[false], Err("a value is not a literal")),
            ("(0x1F)", &[false], Err("a value is not a literal")),
            ("(:id)", &[false], Err("a value is not a literal")),
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
    fn what_follows_the_rows_is_known_or_refused() {
        for text in [
            ";",
            "ON CONFLICT DO NOTHING;",
            "/* a */ on conflict (id, lower(do)) WHERE x > (1) DO -- b\n NOTHING RETURNING id;",
            "ON CONFLICT ON CONSTRAINT \"do\" DO NOTHING;",
            "RETURNING *, (SELECT 1);",
        ] {
            let leaves_out = text.to_lowercase().contains("conflict");
            assert_eq!(tail(text.as_bytes()), Ok(leaves_out), "{text}");
        }
        for text in [
            "UNION ALL VALUES (2);",
            "ON CONFLICT DO;",
            "ON CONFLICT DO NOTHING WHERE;",
            "ORDER BY 1;",
            "(2, 'x');",
            "AS x;",
            "ON x;",
        ] {
            assert_eq!(tail(text.as_bytes()), Err(UNKNOWN_TAIL), "{text}");
        }
        let update = "ON CONFLICT (id) DO UPDATE SET a = 1;";
        assert!(tail(update.as_bytes()).unwrap_err().contains("DO UPDATE"));
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
