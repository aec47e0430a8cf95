//! What statements do to rows that were read before them. Rows go by once: what a later statement takes back or changes
//! cannot be mended any more, so it is refused, if the table is needed.

use std::collections::{HashMap, HashSet};

use super::hidden::{Hidden, may_change};
use super::transaction::Transaction;
use crate::snapshot::event::TableFilter;
use crate::snapshot::sql::ddl::{Ddl, Tokens};
use crate::snapshot::sql::start::is_statement_word;
use crate::snapshot::sql::text::{Token, tokens};
use crate::snapshot::table_name::TableName;

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

/// How deep code that calls other code is followed.
const DEEPEST: u32 = 8;

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

/// What is known besides while a statement is judged.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) ddl: &'c Ddl,
    pub(crate) wanted: TableFilter<'c>,
    /// The database that the tables so far are in, where it was named.
    pub(crate) database: Option<&'c str>,
}

impl Context<'_> {
    pub(crate) fn is_needed(&self, table: &TableName) -> bool {
        let holders = self.ddl.catalog().holders(table);
        holders.iter().any(|holder| (self.wanted)(holder))
    }
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

    /// Looks for what code of the database does to rows: its own statements, those in its strings, and the routines that it
    /// calls.
    fn code(&self, text: &[u8], context: Context<'_>) -> Result<(), Refusal> {
        self.code_in(text, 0, &mut HashSet::new(), context)
    }

    /// `seen` holds the routines that were looked at.
    fn code_in<'c>(
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

    fn create_table(
        &mut self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<Judged, Refusal> {
        statement.skip(1);
        let mut temporary = false;
        while ["global", "local", "unlogged", "foreign"]
            .iter()
            .any(|word| statement.accept(word))
            || {
                let found = statement.accept("temp") || statement.accept("temporary");
                temporary |= found;
                found
            }
        {}
        if !statement.accept("table") {
            return Ok(Judged::Harmless);
        }
        let unless_there = statement.accept("if");
        if unless_there {
            statement.skip(2);
        }
        let Some(name) = context.ddl.name(statement) else {
            return Ok(Judged::Harmless);
        };
        let verb = "CREATE TABLE";
        temporary |= name.schema == "pg_temp";
        let hides = TableName::public(&name.name);
        if temporary && (context.is_needed(&name) || context.is_needed(&hides)) {
            let reason =
                "a temporary table of that name hides the one that is needed; leave it out";
            return Err(of_table("CREATE TEMPORARY TABLE", &name, reason));
        }
        if self.begun.contains_key(&name) && !unless_there {
            self.refuse_change(verb, &name, AGAIN, context)?;
        }
        if makes_rows(statement) && context.is_needed(&name) {
            return Err(of_table("CREATE TABLE AS", &name, MADE));
        }
        Ok(Judged::Defines(vec![name]))
    }

    fn alter_table(
        &mut self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<Judged, Refusal> {
        statement.skip(1);
        statement.accept("foreign");
        if !statement.accept("table") {
            return Ok(Judged::Harmless);
        }
        if statement.accept("if") {
            statement.skip(1);
        }
        statement.accept("only");
        let Some(name) = context.ddl.known_name(statement) else {
            return Ok(Judged::Harmless);
        };
        statement.accept_symbol(b'*');
        // Rows that went by as those of another table become those of one that is needed, or of none.
        let becomes = |verb: &str, other: &TableName| match self.begun.contains_key(&name)
            && (context.is_needed(other) || context.is_needed(&name))
        {
            true => Err(of_table(verb, &name, CHANGES)),
            false => Ok(()),
        };
        if statement.accept("rename") && statement.accept("to") {
            if let Some(new) = statement.identifier() {
                let new = TableName::new(name.schema.clone(), new);
                becomes("ALTER TABLE … RENAME", &new)?;
            }
        } else if statement.accept("set") && statement.accept("schema") {
            if let Some(schema) = statement.identifier() {
                let new = TableName::new(schema, name.name.clone());
                becomes("ALTER TABLE … SET SCHEMA", &new)?;
            }
        } else {
            self.parents(statement, &name, context)?;
        }
        Ok(Judged::Defines(vec![name]))
    }

    /// Looks for tables that become parts of others, or are none any more, after their rows went by.
    fn parents(
        &self,
        statement: &mut Tokens,
        name: &TableName,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        // A table's own rows, or those of a table below it.
        let begun = |table: &TableName| self.begun.values().flatten().any(|it| it == table);
        let needs = |table: &TableName| context.is_needed(table);
        loop {
            let no = statement.accept("no");
            if statement.accept("inherit") {
                if let Some(parent) = context.ddl.known_name(statement)
                    && begun(name)
                    && needs(&parent)
                {
                    let verb = if no {
                        "ALTER TABLE … NO INHERIT"
                    } else {
                        "ALTER TABLE … INHERIT"
                    };
                    return Err(of_table(verb, name, CHANGES));
                }
            } else if (statement.accept("attach") || statement.accept("detach"))
                && statement.accept("partition")
                && let Some(leaf) = context.ddl.known_name(statement)
                && begun(&leaf)
                && needs(name)
            {
                return Err(of_table("ALTER TABLE … PARTITION", &leaf, CHANGES));
            }
            statement.skip_to_element_end();
            if !statement.accept_symbol(b',') {
                return Ok(());
            }
        }
    }

    fn rename_schema(&self, statement: &mut Tokens, context: Context<'_>) -> Result<(), Refusal> {
        statement.skip(2);
        let old = statement.identifier();
        if !(statement.accept("rename") && statement.accept("to")) {
            return Ok(());
        }
        let (Some(old), Some(new)) = (old, statement.identifier()) else {
            return Ok(());
        };
        let changes = self.begun.keys().any(|table| {
            let renamed = TableName::new(new.clone(), table.name.clone());
            table.schema == old && ((context.wanted)(&renamed) || context.is_needed(table))
        });
        match changes {
            true => Err(Refusal {
                what: "ALTER SCHEMA … RENAME".to_owned(),
                reason: CHANGES,
            }),
            false => Ok(()),
        }
    }

    fn drop(&mut self, statement: &mut Tokens, context: Context<'_>) -> Result<Judged, Refusal> {
        statement.skip(1);
        statement.accept("foreign");
        let kind = match statement.next() {
            Some(Token::Word(kind)) => kind,
            _ => return Ok(Judged::Harmless),
        };
        if statement.accept("if") {
            statement.skip(1);
        }
        match kind.as_str() {
            "table" => {
                let mut dropped = Vec::new();
                while let Some(name) = context.ddl.known_name(statement) {
                    self.refuse_change("DROP TABLE", &name, AGAIN, context)?;
                    dropped.push(name);
                    if !statement.accept_symbol(b',') {
                        break;
                    }
                }
                return Ok(Judged::Defines(dropped));
            }
            "schema" => {
                while let Some(schema) = statement.identifier() {
                    self.refuse_all("DROP SCHEMA", Some(&schema), context)?;
                    if !statement.accept_symbol(b',') {
                        break;
                    }
                }
            }
            "owned" => self.refuse_all("DROP OWNED", None, context)?,
            // They may take columns with them.
            "type" | "domain" | "extension" if has_word(statement, "cascade") => {
                self.refuse_all("DROP … CASCADE", None, context)?;
            }
            "database" => {
                let name = statement.identifier();
                if name.is_some() && name.as_deref() == context.database {
                    self.refuse_all("DROP DATABASE", None, context)?;
                }
            }
            _ => {}
        }
        Ok(Judged::Harmless)
    }

    fn truncate(&self, statement: &mut Tokens, context: Context<'_>) -> Result<(), Refusal> {
        statement.skip(1);
        statement.accept("table");
        loop {
            statement.accept("only");
            let Some(name) = context.ddl.known_name(statement) else {
                return Ok(());
            };
            self.refuse_change("TRUNCATE", &name, AGAIN, context)?;
            statement.accept_symbol(b'*');
            if !statement.accept_symbol(b',') {
                break;
            }
        }
        match has_word(statement, "cascade") {
            true => self.refuse_all("TRUNCATE … CASCADE", None, context),
            false => Ok(()),
        }
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

    /// What the rule of a table does besides. A rule's own statements set no other rules off that are looked at here.
    fn rule(&self, definition: &[u8], context: Context<'_>) -> Result<(), Refusal> {
        let without = Changes {
            begun: self.begun.clone(),
            ..Changes::default()
        };
        without.code(definition, context)
    }

    /// Looks for tables whose rows a query changes or makes, wherever in it that stands.
    fn queries(&self, statement: &mut Tokens, context: Context<'_>) -> Result<(), Refusal> {
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

/// True for `CREATE TABLE … AS`, unless it is `WITH NO DATA`. The table's name is taken.
fn makes_rows(statement: &Tokens) -> bool {
    let mut depth = 0u32;
    let mut is_query = false;
    for token in statement.rest() {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word == "as" => is_query = true,
            _ => {}
        }
    }
    let no_data = statement
        .rest()
        .windows(3)
        .any(|three| three[0].is("with") && three[1].is("no") && three[2].is("data"));
    is_query && !no_data
}

/// True where a query calls a function of which it is not known that it changes no rows of tables.
fn calls_function(text: &[u8]) -> bool {
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
