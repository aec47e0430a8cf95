//! What queries and code of the database do to rows that stand before them.

use std::collections::HashSet;

use super::super::context::Context;
use super::{CASCADES, CHANGES, Changes, MADE, OF_VIEW, Refusal, of_table};
use crate::snapshot::sql::ddl::Tokens;
use crate::snapshot::sql::text::{Token, tokens};

/// How deep code that calls other code is followed.
const DEEPEST: u32 = 8;

impl Changes {
    /// Looks for what code of the database does to rows: its own statements, those in its strings, and the routines that it
    /// calls.
    pub(super) fn code(&self, text: &[u8], context: Context<'_>) -> Result<(), Refusal> {
        self.code_in(text, 0, &mut HashSet::new(), context)
    }

    /// `seen` holds the routines that were looked at.
    pub(super) fn code_in<'c>(
        &'c self,
        text: &[u8],
        depth: u32,
        seen: &mut HashSet<&'c str>,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        let all = tokens(text);
        self.queries(&mut Tokens::new(all.clone()), context)?;
        for (index, token) in all.iter().enumerate() {
            let mut rest = Tokens::new(all[index + 1..].to_vec());
            let verb = match token {
                Token::Word(word) if word == "truncate" => "TRUNCATE",
                Token::Word(word)
                    if word == "drop" && rest.peek().is_some_and(|it| it.is("table")) =>
                {
                    "DROP TABLE"
                }
                Token::Text(text) if depth < DEEPEST => {
                    self.code_in(text.as_bytes(), depth + 1, seen, context)?;
                    continue;
                }
                _ => continue,
            };
            rest.accept("table");
            if rest.accept("if") {
                rest.skip(1);
            }
            rest.accept("only");
            if let Some(name) = context.ddl.known_name(&mut rest) {
                self.refuse_change(verb, &name, CHANGES, context)?;
            }
        }
        for (name, definitions) in self.hidden.called(&all) {
            if depth < DEEPEST && seen.insert(name) {
                for definition in definitions {
                    self.code_in(definition, depth + 1, seen, context)?;
                }
            }
        }
        Ok(())
    }

    /// What the rule of a table does besides. A rule's own statements set no other rules off that are looked at here.
    pub(super) fn rule(&self, definition: &[u8], context: Context<'_>) -> Result<(), Refusal> {
        let without = Changes {
            begun: self.begun.clone(),
            ..Changes::default()
        };
        without.code(definition, context)
    }

    /// Looks for tables whose rows a query changes or makes, wherever in it that stands.
    pub(super) fn queries(
        &self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        // `FOR UPDATE`, `ON CONFLICT DO UPDATE`, `FOR NO KEY UPDATE` change nothing, or not this.
        const NO_UPDATE: [&str; 4] = ["for", "do", "key", "on"];
        let mut before: Option<Token> = None;
        let mut depth = 0u32;
        while let Some(token) = statement.next() {
            let verb = match &token {
                Token::Symbol(b'(') => {
                    depth += 1;
                    None
                }
                Token::Symbol(b')') => {
                    depth = depth.saturating_sub(1);
                    None
                }
                Token::Word(word) => match word.as_str() {
                    "insert" if statement.accept("into") => Some("INSERT"),
                    "merge" if statement.accept("into") => Some("MERGE"),
                    "delete" if statement.accept("from") => Some("DELETE"),
                    "update"
                        if !before
                            .as_ref()
                            .is_some_and(|before| NO_UPDATE.iter().any(|word| before.is(word))) =>
                    {
                        Some("UPDATE")
                    }
                    "into" if depth == 0 => {
                        if statement.accept("temp") || statement.accept("temporary") {
                            None
                        } else {
                            statement.accept("unlogged");
                            statement.accept("table");
                            Some("SELECT INTO")
                        }
                    }
                    _ => None,
                },
                Token::Name(_) | Token::Text(_) | Token::Symbol(_) => None,
            };
            if let Some(verb) = verb {
                statement.accept("only");
                if let Some(name) = context.ddl.known_name(statement) {
                    if self.hidden.is_view_of_needed(&name, context) {
                        return Err(of_table(verb, &name, OF_VIEW));
                    }
                    for rule in self.hidden.rules(&name) {
                        self.rule(rule, context)?;
                    }
                    let mut changed = self.hidden.changed_with(&name).into_iter();
                    if !verb.ends_with("INTO")
                        && verb != "INSERT"
                        && changed
                            .any(|table| context.is_needed(table) && self.has_rows(table, context))
                    {
                        return Err(of_table(verb, &name, CASCADES));
                    }
                    match verb {
                        "INSERT" | "SELECT INTO" if context.is_needed(&name) => {
                            return Err(of_table(verb, &name, MADE));
                        }
                        "MERGE" if context.is_needed(&name) => {
                            return Err(of_table(verb, &name, MADE));
                        }
                        verb => self.refuse_change(verb, &name, CHANGES, context)?,
                    }
                }
            }
            before = Some(token);
        }
        Ok(())
    }
}

/// True where a query calls a function of which it is not known that it changes no rows of tables.
pub(super) fn calls_function(text: &[u8]) -> bool {
    let tokens = tokens(text);
    tokens.windows(2).enumerate().any(|(index, two)| {
        let (Token::Word(name) | Token::Name(name), Token::Symbol(b'(')) = (&two[0], &two[1])
        else {
            return false;
        };
        let in_catalog = index >= 2
            && tokens[index - 1] == Token::Symbol(b'.')
            && tokens[index - 2].is("pg_catalog");
        !in_catalog && !HARMLESS.contains(&name.as_str())
    })
}

/// Functions that change no rows of tables, and words that stand before a parenthesis.
const HARMLESS: [&str; 44] = [
    "setval",
    "nextval",
    "currval",
    "set_config",
    "current_setting",
    "version",
    "now",
    "count",
    "max",
    "min",
    "sum",
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "cast",
    "pg_get_serial_sequence",
    "pg_extension_config_dump",
    "pg_restore_relation_stats",
    "pg_restore_attribute_stats",
    "pg_sleep",
    "lo_create",
    "lo_open",
    "lo_close",
    "lowrite",
    "lo_unlink",
    "timescaledb_pre_restore",
    "timescaledb_post_restore",
    "format",
    "concat",
    "lower",
    "upper",
    "exists",
    "in",
    "any",
    "all",
    "from",
    "join",
    "values",
    "as",
    "and",
    "or",
    "not",
    "where",
];
