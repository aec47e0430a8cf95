//! How SQL text begins: the one test by which it is known.

/// The words that PostgreSQL's statements begin with.
const WORDS: [&str; 53] = [
    "abort",
    "alter",
    "analyse",
    "analyze",
    "begin",
    "call",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "delete",
    "discard",
    "do",
    "drop",
    "end",
    "execute",
    "explain",
    "fetch",
    "grant",
    "import",
    "insert",
    "listen",
    "load",
    "lock",
    "merge",
    "move",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "select",
    "set",
    "show",
    "start",
    "table",
    "truncate",
    "unlisten",
    "update",
    "vacuum",
    "values",
    "with",
];

/// True for a word, in lower case, that a statement of PostgreSQL begins with.
pub(crate) fn is_statement_word(word: &str) -> bool {
    WORDS.contains(&word)
}

/// True for a line that SQL begins with: a comment, a command of psql, or a statement.
pub(crate) fn begins_like_sql(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    if line.starts_with(b"--") || line.starts_with(b"/*") {
        return true;
    }
    if let Some(command) = line.strip_prefix(b"\\") {
        return command
            .first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'!');
    }
    let letters = line
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    // A comment or a quote may follow at once: `SELECT/* … */`, `DO$$ … $$`.
    let ended = match line.get(letters) {
        None => true,
        Some(byte) => {
            byte.is_ascii_whitespace()
                || b";(/$'\"".contains(byte)
                || line[letters..].starts_with(b"--")
        }
    };
    ended
        && WORDS
            .iter()
            .any(|word| word.as_bytes().eq_ignore_ascii_case(&line[..letters]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_begins_with_a_comment_a_command_or_a_statement() {
        for line in [
            "-- a",
            "/* a",
            "\\set ON_ERROR_STOP on",
            "\\echo loading",
            "\\timing",
            "\\restrict x",
            "\\! date",
            "set x = 1;",
            "SELECT(1);",
            "BEGIN;",
            "BEGIN\r\n",
            "DO$$",
            "  Insert into t",
            "with",
        ] {
            assert!(begins_like_sql(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "settings",
            "set_config",
            "id,name",
            "\\\\server",
            "\\.",
            "1",
            "pg_dump: warning",
            "do.txt",
        ] {
            assert!(!begins_like_sql(line.as_bytes()), "{line}");
        }
    }
}
