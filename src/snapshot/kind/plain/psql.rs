//! Lines that are no SQL but commands of psql, which begin with a backslash: those that decide what is read.

/// What a line with a command does to the reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PsqlLine<'l> {
    /// `\connect`, with its arguments.
    Connect(&'l [u8]),
    /// `\copy`, with its arguments: `COPY` whose rows come from where psql runs.
    Copy(&'l [u8]),
    /// `\encoding`, with its argument.
    Encoding(&'l [u8]),
    /// `\if`: what follows is read on a condition.
    If,
    /// `\endif`: the innermost condition ends.
    EndIf,
    /// `\set AUTOCOMMIT`, and whether it is on.
    Autocommit(bool),
    /// `\q`: psql reads no further.
    Quit,
    /// Rows may come of it that nobody can know, for this reason.
    Refused(&'static str),
    /// Nothing that is of interest here.
    Other,
}

impl PsqlLine<'_> {
    /// Reads a line without its line end.
    pub(crate) fn read(line: &[u8]) -> PsqlLine<'_> {
        let rest = line.strip_prefix(b"\\").unwrap_or(line).trim_ascii_end();
        let length = rest
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == b'\\')
            .unwrap_or(rest.len());
        let (name, arguments) = rest.split_at(length);
        let arguments = arguments.trim_ascii_start();
        // SQL may follow it.
        let separated = memchr::memmem::find(line, b" \\\\")
            .is_some_and(|found| !line[found + 3..].trim_ascii().is_empty());
        match name {
            _ if separated => {
                PsqlLine::Refused("more follows it on its line; write that on a line of its own")
            }
            b"c" | b"connect" => PsqlLine::Connect(arguments),
            b"copy" => PsqlLine::Copy(arguments),
            b"encoding" => PsqlLine::Encoding(arguments),
            b"if" => PsqlLine::If,
            b"endif" => PsqlLine::EndIf,
            b"q" | b"quit" => PsqlLine::Quit,
            b"set" => {
                let mut words = arguments
                    .split(u8::is_ascii_whitespace)
                    .filter(|word| !word.is_empty());
                if words.next() != Some(b"AUTOCOMMIT") {
                    return PsqlLine::Other;
                }
                let off = |word: &[u8]| {
                    [&b"off"[..], b"false", b"0", b"no"]
                        .iter()
                        .any(|no| no.eq_ignore_ascii_case(word.trim_ascii()))
                };
                PsqlLine::Autocommit(!words.next().is_some_and(|word| off(strip_quotes(word))))
            }
            b"i" | b"ir" | b"include" | b"include_relative" => PsqlLine::Refused(
                "the file that it names is another part of the dump; put the parts into one file, in their order",
            ),
            b"g" | b"gx" | b"gset" | b"gexec" | b"gdesc" | b"watch" | b"crosstabview" | b"bind"
            | b"bind_named" | b"parse" | b";" => PsqlLine::Refused(
                "it runs a statement that only psql knows; restore the dump and export from the server",
            ),
            _ => PsqlLine::Other,
        }
    }
}

fn strip_quotes(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"'")
        .and_then(|word| word.strip_suffix(b"'"))
        .unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_psql_are_told_by_their_names() {
        for (line, expected) in [
            ("\\c", PsqlLine::Connect(b"")),
            ("\\connect gitlab\r", PsqlLine::Connect(b"gitlab")),
            ("\\copy t from stdin", PsqlLine::Copy(b"t from stdin")),
            ("\\copyright", PsqlLine::Other),
            ("\\cd /", PsqlLine::Other),
            ("\\encoding UTF8", PsqlLine::Encoding(b"UTF8")),
            ("\\set ON_ERROR_STOP on", PsqlLine::Other),
            ("\\set  AUTOCOMMIT 'off'", PsqlLine::Autocommit(false)),
            ("\\set AUTOCOMMIT", PsqlLine::Autocommit(true)),
            ("\\if :{?x}", PsqlLine::If),
            ("\\endif", PsqlLine::EndIf),
            ("\\q", PsqlLine::Quit),
            ("\\restrict a\\\\b", PsqlLine::Other),
            ("\\.", PsqlLine::Other),
        ] {
            assert_eq!(PsqlLine::read(line.as_bytes()), expected, "{line}");
        }
        for line in ["\\i data.sql", "\\gexec", "\\set x 1 \\\\ DELETE FROM t;"] {
            assert!(
                matches!(PsqlLine::read(line.as_bytes()), PsqlLine::Refused(_)),
                "{line}"
            );
        }
    }
}
