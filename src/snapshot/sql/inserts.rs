//! `INSERT` statements as pg_dump writes them with `--inserts` and its like, turned into COPY text.
//!
//! Values are literals only: strings in every way in which SQL quotes them, numbers, `true`, `false`, `NULL`, bit
//! strings, and `DEFAULT` for generated columns (pg_dump's `dumpTableData_insert`). Comments may stand anywhere
//! between them.

mod row;

use crate::snapshot::sql::ddl::{Ddl, Tokens};
use crate::snapshot::sql::text::{Token, tokens};
use crate::snapshot::table_name::TableName;

pub(crate) use row::row;

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

#[cfg(test)]
mod tests;
