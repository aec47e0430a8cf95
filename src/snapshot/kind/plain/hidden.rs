//! What statements do to rows by way of other objects of the database: routines, views, rules, triggers, foreign keys.

use std::collections::{HashMap, HashSet};

use super::context::Context;
use crate::snapshot::sql::ddl::{Ddl, Tokens};
use crate::snapshot::sql::text::{Token, tokens};
use crate::snapshot::table_name::TableName;

/// Bytes of routines that are kept: far more than any database has.
const MOST_CODE: usize = 64 * 1024 * 1024;

/// Words without which code neither changes rows nor runs other code.
const EFFECTS: [&str; 12] = [
    "alter", "call", "copy", "delete", "drop", "execute", "insert", "merge", "perform", "select",
    "truncate", "update",
];

/// The objects that were defined so far.
#[derive(Default)]
pub(crate) struct Hidden {
    /// Definitions of routines, by name without schema.
    routines: HashMap<String, Vec<Vec<u8>>>,
    code_size: usize,
    /// The names in the queries of views.
    views: HashMap<TableName, Vec<TableName>>,
    /// Definitions of rules, by table.
    rules: HashMap<TableName, Vec<Vec<u8>>>,
    /// Tables with triggers that INSERT and COPY set off.
    triggers: HashSet<TableName>,
    /// By table, those with foreign keys to it that change rows with it.
    cascades: HashMap<TableName, Vec<TableName>>,
    /// `session_replication_role` is `replica`: neither triggers nor rules are at work.
    replica: bool,
}

impl Hidden {
    /// Takes note of a statement. `words` are its first ones.
    pub(crate) fn note(&mut self, text: &[u8], words: &[&str], ddl: &Ddl) {
        const BEFORE: [&str; 9] = [
            "or",
            "replace",
            "temp",
            "temporary",
            "recursive",
            "constraint",
            "local",
            "global",
            "unlogged",
        ];
        let (verb, kind) = match words {
            [verb @ ("create" | "alter" | "drop"), rest @ ..] => {
                let is_kind = |word: &&str| !BEFORE.contains(word);
                match rest.iter().copied().find(is_kind) {
                    Some(kind) => (*verb, kind.to_owned()),
                    // More words stand before it than were given: `CREATE OR REPLACE TEMP VIEW`.
                    None => {
                        let mut all = tokens(text).into_iter().skip(1);
                        let kind = all.find_map(|token| match token {
                            Token::Word(word) => Some(word).filter(|word| is_kind(&word.as_str())),
                            Token::Name(_) | Token::Text(_) | Token::Symbol(_) => None,
                        });
                        (*verb, kind.unwrap_or_default())
                    }
                }
            }
            ["set", ..] => {
                let tokens = tokens(text);
                if tokens
                    .iter()
                    .any(|token| token.is("session_replication_role"))
                {
                    let replica = |token: &Token| {
                        matches!(token, Token::Word(word) | Token::Text(word) | Token::Name(word)
                            if word == "replica")
                    };
                    self.replica = tokens.iter().any(replica);
                }
                return;
            }
            _ => return,
        };
        let kind = kind.as_str();
        match (verb, kind) {
            ("create", "function" | "procedure") => {
                let mut statement = after(text, kind);
                let size = self.code_size + text.len();
                if let Some(name) = ddl.name(&mut statement).filter(|_| size <= MOST_CODE) {
                    self.code_size = size;
                    self.routines
                        .entry(name.name)
                        .or_default()
                        .push(text.to_vec());
                }
            }
            ("create", "view") => {
                let mut statement = after(text, kind);
                let Some(name) = ddl.name(&mut statement) else {
                    return;
                };
                let mut names = Vec::new();
                while statement.peek().is_some() {
                    match ddl.known_name(&mut statement) {
                        Some(name) => names.push(name),
                        None => statement.skip(1),
                    }
                }
                self.views.insert(name, names);
            }
            ("drop", "view") => {
                let mut statement = after(text, kind);
                if statement.accept("if") {
                    statement.skip(1);
                }
                while let Some(name) = ddl.known_name(&mut statement) {
                    self.views.remove(&name);
                    statement.accept_symbol(b',');
                }
            }
            ("create", "rule") => {
                let mut statement = after(text, "on");
                let reads = statement.accept("select");
                let mut statement = after(text, "to");
                if let Some(table) = ddl.known_name(&mut statement).filter(|_| !reads) {
                    self.rules.entry(table).or_default().push(text.to_vec());
                }
            }
            ("create", "trigger") => {
                let all = tokens(text);
                let events = all.split(|token| token.is("on")).next().unwrap_or_default();
                let mut statement = after(text, "on");
                if events.iter().any(|token| token.is("insert"))
                    && let Some(table) = ddl.known_name(&mut statement)
                {
                    self.triggers.insert(table);
                }
            }
            ("create" | "alter", "table") => self.table(text, ddl),
            _ => {}
        }
    }

    fn table(&mut self, text: &[u8], ddl: &Ddl) {
        let mut statement = after(text, "table");
        if statement.accept("if") {
            statement.accept("not");
            statement.skip(1);
        }
        statement.accept("only");
        let Some(table) = ddl.known_name(&mut statement) else {
            return;
        };
        while let Some(token) = statement.next() {
            if token.is("disable") {
                if statement.accept("trigger") {
                    self.triggers.remove(&table);
                } else if statement.accept("rule") {
                    self.rules.remove(&table);
                }
            } else if token.is("references")
                && let Some(other) = ddl.known_name(&mut statement)
            {
                let mut changes = false;
                while !matches!(statement.peek(), None | Some(Token::Symbol(b','))) {
                    if statement.accept_symbol(b'(') {
                        // The columns of a key, of which several have commas between them.
                        statement.skip_list();
                        continue;
                    }
                    let event = statement.accept("delete") || statement.accept("update");
                    changes |= event && (statement.accept("cascade") || statement.accept("set"));
                    if !event {
                        statement.skip(1);
                    }
                }
                if changes {
                    self.cascades.entry(other).or_default().push(table.clone());
                }
            }
        }
    }

    /// True for a view whose rows are those of a table that is needed.
    pub(crate) fn is_view_of_needed(&self, name: &TableName, context: Context<'_>) -> bool {
        let mut seen = HashSet::from([name]);
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for other in self.views.get(name).into_iter().flatten() {
                // Among the names are words of the query.
                let is_table = context.ddl.catalog().table(other).is_some();
                if is_table && context.is_needed(other) {
                    return true;
                }
                if seen.insert(other) {
                    open.push(other);
                }
            }
        }
        false
    }

    /// The tables whose rows change with those of `name`, by foreign keys.
    pub(crate) fn changed_with<'h>(&'h self, name: &'h TableName) -> HashSet<&'h TableName> {
        let mut found = HashSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for other in self.cascades.get(name).into_iter().flatten() {
                if found.insert(other) {
                    open.push(other);
                }
            }
        }
        found
    }

    /// The rules on a table that are at work.
    pub(crate) fn rules(&self, table: &TableName) -> &[Vec<u8>] {
        match self.rules.get(table) {
            Some(rules) if !self.replica => rules,
            _ => &[],
        }
    }

    pub(crate) fn has_trigger(&self, table: &TableName) -> bool {
        !self.replica && self.triggers.contains(table)
    }

    /// The definitions of the routines that code calls, as far as they were defined before.
    pub(crate) fn called<'h>(
        &'h self,
        code: &[Token],
    ) -> impl Iterator<Item = (&'h str, &'h [Vec<u8>])> {
        code.windows(2).filter_map(|two| match two {
            [Token::Word(name) | Token::Name(name), Token::Symbol(b'(')] => self
                .routines
                .get_key_value(name)
                .map(|(name, definitions)| (name.as_str(), &definitions[..])),
            _ => None,
        })
    }
}

/// True where code may change rows, or run other code that may.
pub(crate) fn may_change(code: &[Token]) -> bool {
    code.iter().any(|token| match token {
        Token::Word(word) => EFFECTS.contains(&word.as_str()),
        Token::Text(text) => may_change(&tokens(text.as_bytes())),
        Token::Name(_) | Token::Symbol(_) => false,
    })
}

/// What follows the first of these words.
fn after(text: &[u8], word: &str) -> Tokens {
    let all = tokens(text);
    let place = all.iter().position(|token| token.is(word));
    let mut statement = Tokens::new(all);
    statement.skip(place.map_or(usize::MAX / 2, |place| place + 1));
    statement
}
