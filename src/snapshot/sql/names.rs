//! Names and strings as SQL text.

use crate::snapshot::table_name::{TableName, quoted};

/// A name in double quotes.
pub(crate) fn identifier(name: &str) -> String {
    quoted(name)
}

/// A table's name with its schema.
pub(crate) fn table(name: &TableName) -> String {
    name.quoted()
}

/// A string in single quotes, for sessions with `standard_conforming_strings` on.
pub(crate) fn string(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(string("it's \\'"), "'it''s \\'''");
    }
}
