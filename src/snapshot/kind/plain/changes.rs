//! What statements do to rows that were read before them. Rows go by once: what a later statement takes back or changes
//! cannot be mended any more, so it is refused, if the table is needed.

mod definitions;
mod queries;

use std::collections::HashMap;

use super::context::Context;
use super::hidden::{Hidden, may_change};
use super::transaction::Transaction;
use crate::snapshot::sql::ddl::Tokens;
use crate::snapshot::sql::start::is_statement_word;
use crate::snapshot::sql::text::{Token, tokens};
use crate::snapshot::table_name::TableName;
use queries::calls_function;

/// Why a statement cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is refused, such as `UPDATE of table labels`.
    pub(crate) what: String,
    pub(crate) reason: &'static str,
}

const CHANGES: &str =
    "it changes rows that stand before it; restore the dump into a server, and export from that";
const AGAIN: &str = "rows of the table stand before it, as where two dumps are in one file; \
                     cut the file in two, or restore it into a server, and export from that";
const MADE: &str =
    "the database makes up its rows; restore the dump into a server, and export from that";
const TAKEN_BACK: &str = "it takes back rows that stand before it; leave them out, \
                          or restore the dump into a server, and export from that";

const CASCADES: &str = "a foreign key changes rows with it that stand before it; \
                        restore the dump into a server, and export from that";
const OF_VIEW: &str =
    "it is a view of a table that is needed; restore the dump into a server, and export from that";
const BY_RULE: &str = "a rule of the table does something else in their place; \
                       restore the dump into a server, and export from that";

/// What a statement comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Nothing here need be known of it.
    Harmless,
    /// It runs code of the database, of which nobody knows what it does to rows. Says which kind of statement.
    Runs(&'static str),
    /// It defines these tables or changes their definitions.
    Defines(Vec<TableName>),
    /// It begins with no word that a statement begins with.
    Unknown,
}

/// The tables whose rows have gone by, and what may still become of them.
#[derive(Default)]
pub(crate) struct Changes {
    /// With the tables that their rows belong to.
    begun: HashMap<TableName, Vec<TableName>>,
    pub(crate) transaction: Transaction,
    /// Something that is needed was read.
    pub(crate) any_needed: bool,
    hidden: Hidden,
    /// How many `\if` are open.
    pub(crate) conditions: u32,
    /// psql has stopped.
    pub(crate) quit: bool,
}

impl Changes {
    /// Rows of a table begin, or something else that matters if the table is needed.
    ///
    /// # Errors
    /// Why psql may not come here.
    pub(crate) fn touch(&mut self, needed: bool) -> Result<(), &'static str> {
        if !needed {
            return Ok(());
        }
        self.any_needed = true;
        self.transaction.touch();
        if self.conditions > 0 {
            return Err(
                "it stands between \\if and \\endif; leave these lines out, with what psql would not read",
            );
        }
        if self.quit {
            return Err(
                "it stands behind \\q, where psql stops; leave out that line, or what follows it",
            );
        }
        Ok(())
    }

    /// Rows that stand in `table`, and belong to `holders`, begin.
    pub(crate) fn rows_begin(&mut self, table: &TableName, holders: Vec<TableName>) {
        if !self.begun.contains_key(table) {
            self.begun.insert(table.clone(), holders);
        }
    }

    /// Looks at what else happens when rows come into `table`, by INSERT or COPY. Gives what may change them unseen.
    pub(crate) fn rows_come(
        &self,
        table: &TableName,
        by_insert: bool,
        context: Context<'_>,
    ) -> Result<Option<&'static str>, Refusal> {
        if self.hidden.is_view_of_needed(table, context) {
            return Err(of_table("the data", table, OF_VIEW));
        }
        let rules = self.hidden.rules(table);
        if by_insert && !rules.is_empty() {
            if context.is_needed(table) {
                return Err(of_table("the data", table, BY_RULE));
            }
            for rule in rules {
                self.code(rule, context)?;
            }
        }
        Ok(self.hidden.has_trigger(table).then_some("a trigger"))
    }

    /// True where rows of the table went by, or of one that shares a table above it.
    fn has_rows(&self, table: &TableName, context: Context<'_>) -> bool {
        let holders = context.ddl.catalog().holders(table);
        let mut begun = self.begun.values().flatten();
        self.begun.contains_key(table) || begun.any(|other| holders.contains(other))
    }

    fn refuse_change(
        &self,
        verb: &str,
        table: &TableName,
        reason: &'static str,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        match context.is_needed(table) && self.has_rows(table, context) {
            true => Err(of_table(verb, table, reason)),
            false => Ok(()),
        }
    }

    /// Refuses what may touch every table, if rows that are needed went by in a schema, or anywhere.
    fn refuse_all(
        &self,
        verb: &str,
        schema: Option<&str>,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        let mut needed = self.begun.iter().filter(|(table, holders)| {
            holders.iter().any(|holder| (context.wanted)(holder))
                && schema.is_none_or(|schema| table.schema == schema)
        });
        match needed.next() {
            Some(_) => Err(Refusal {
                what: verb.to_owned(),
                reason: TAKEN_BACK,
            }),
            None => Ok(()),
        }
    }

    /// Judges a statement that holds no rows, before it is taken note of.
    pub(crate) fn judge(
        &mut self,
        text: &[u8],
        words: &[&str],
        context: Context<'_>,
    ) -> Result<Judged, Refusal> {
        self.hidden.note(text, words, context.ddl);
        let mut statement = Tokens::new(match words {
            // Large objects: text without end, and nothing in it.
            ["select", "pg_catalog"] if text.len() > 4096 => return Ok(Judged::Harmless),
            [
                "create",
                "table" | "temp" | "temporary" | "local" | "global" | "unlogged" | "foreign",
                ..,
            ]
            | ["alter", "table" | "foreign" | "schema", ..] => tokens(text),
            ["create" | "alter" | "comment", ..] => return Ok(Judged::Harmless),
            _ => tokens(text),
        });
        match words {
            ["create", ..] => return self.create_table(&mut statement, context),
            ["alter", "schema", ..] => self.rename_schema(&mut statement, context)?,
            ["alter", ..] => return self.alter_table(&mut statement, context),
            ["drop", ..] => return self.drop(&mut statement, context),
            ["truncate", ..] => self.truncate(&mut statement, context)?,
            ["begin" | "start", ..] => self.transaction.begin(),
            ["commit" | "end" | "rollback", "prepared", ..] => {}
            ["commit" | "end", ..] => {
                self.transaction.end(chains(&statement));
            }
            ["rollback" | "abort", ..] => self.rollback(&mut statement)?,
            ["savepoint", ..] => {
                statement.skip(1);
                self.transaction
                    .savepoint(statement.identifier().unwrap_or_default());
            }
            ["prepare", "transaction", ..] if self.transaction.end(false) => {
                return Err(Refusal {
                    what: "PREPARE TRANSACTION".to_owned(),
                    reason: TAKEN_BACK,
                });
            }
            ["prepare", "transaction", ..] => {}
            ["do", ..] => {
                self.code(text, context)?;
                if may_change(statement.rest()) {
                    return Ok(Judged::Runs("DO"));
                }
            }
            ["call", ..] => {
                self.code(text, context)?;
                return Ok(Judged::Runs("CALL"));
            }
            [
                "update" | "delete" | "merge" | "insert" | "with" | "explain" | "prepare" | "copy"
                | "declare",
                ..,
            ] => {
                self.queries(&mut statement, context)?;
            }
            ["select" | "values" | "table", ..] => {
                self.queries(&mut statement, context)?;
                if calls_function(text) {
                    self.code(text, context)?;
                    return Ok(Judged::Runs("SELECT of a function"));
                }
            }
            [word, ..] if !is_statement_word(word) => return Ok(Judged::Unknown),
            [] => match statement.peek() {
                Some(Token::Symbol(b'(')) => self.queries(&mut statement, context)?,
                Some(Token::Symbol(b';')) | None => {}
                Some(_) => return Ok(Judged::Unknown),
            },
            _ => {}
        }
        Ok(Judged::Harmless)
    }

    fn rollback(&mut self, statement: &mut Tokens) -> Result<(), Refusal> {
        let chained = chains(statement);
        statement.skip(1);
        if !statement.accept("work") {
            statement.accept("transaction");
        }
        let touched = if statement.accept("to") {
            statement.accept("savepoint");
            let name = statement.identifier().unwrap_or_default();
            self.transaction.touched_since(&name)
        } else {
            self.transaction.end(chained)
        };
        match touched {
            true => Err(Refusal {
                what: "ROLLBACK".to_owned(),
                reason: TAKEN_BACK,
            }),
            false => Ok(()),
        }
    }
}

fn of_table(verb: &str, table: &TableName, reason: &'static str) -> Refusal {
    Refusal {
        what: format!("{verb} of table {table}"),
        reason,
    }
}

fn has_word(statement: &Tokens, word: &str) -> bool {
    statement.rest().iter().any(|token| token.is(word))
}

/// True for `COMMIT AND CHAIN`.
fn chains(statement: &Tokens) -> bool {
    statement
        .rest()
        .windows(2)
        .any(|two| two[0].is("and") && two[1].is("chain"))
}
