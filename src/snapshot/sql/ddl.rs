//! Reads table definitions out of SQL text: the DDL part of a plain dump, or a `schema.sql`.
//!
//! Only what tells tables, columns, types and partitions apart is read; all other statements are
//! stepped over. Facts are those of pg_dump 9.6 to 18: newer ones write schema-qualified names and
//! attach partitions by `ALTER TABLE`, older ones set `search_path` before each schema.

mod keys;
mod tokens;
mod types;

use std::collections::{HashMap, HashSet};

use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::sql::frame::DumpFrame;
use crate::snapshot::sql::text::{Scanner, Stop, Token, skip_blank, tokens};
pub(crate) use tokens::Tokens;
use tokens::{has_default, is_generated};
use types::UserType;

use crate::snapshot::catalog::Belonging;
use crate::snapshot::catalog::{Catalog, Column, Table};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::table_name::TableName;

/// The most columns that PostgreSQL lets a table have.
const MOST_COLUMNS: usize = 1600;

/// Columns that tables may take from others (`INHERITS`, `LIKE`), all tables together. A few hostile bytes could
/// else make thousands of columns, again and again.
const MOST_TAKEN: usize = 2_000_000;

/// Reads the definitions of a whole SQL text, such as the `schema.sql` of a CSV folder.
///
/// Rows that stand in it (`COPY … FROM stdin`) are stepped over.
///
/// # Errors
/// `Damaged` where the text ends inside a statement or before pg_dump's closing line, or a table's definition
/// cannot be understood; `Unsupported` where the text says that it is in an encoding that is not known.
pub fn read_schema(text: &[u8]) -> Result<Catalog, SnapshotError> {
    let mut ddl = Ddl::default();
    let mut frame = DumpFrame::default();
    let mut scanner = Scanner::default();
    let mut place = 0;
    loop {
        place += text[place..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let rest = &text[place..];
        let Some(first) = rest.first() else {
            break;
        };
        if *first == b'\\' || rest.starts_with(b"--") {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            frame.comment(&rest[..end]);
            place += end;
            continue;
        }
        if rest.starts_with(b"/*") {
            scanner.open_comment();
            place = scanner
                .scan(text, place + 2, Stop::Comment)
                .ok_or_else(|| damaged(place, "it ends inside a comment"))?;
            continue;
        }
        let Some(end) = scanner.scan(text, place, Stop::Statement) else {
            return Err(damaged(place, "it ends inside a statement"));
        };
        let statement = &text[place..end];
        ddl.statement(statement)
            .map_err(|fault| fault.at(None, place as u64))?;
        scanner.escapes_everywhere = ddl.escapes_everywhere();
        place = end;
        if first_words(statement)
            .first()
            .is_some_and(|word| word == "copy")
        {
            let end = [&b"\n\\.\n"[..], b"\n\\.\r\n"]
                .iter()
                .find_map(|end| memchr::memmem::find(&text[place..], end));
            match end {
                Some(length) => place += length + 3,
                None => return Err(damaged(place, "it ends inside the rows of a table")),
            }
        }
    }
    if frame.is_open() {
        return Err(damaged(
            text.len(),
            "it ends before the line in which pg_dump says that it is complete",
        ));
    }
    Ok(ddl.into_catalog())
}

fn damaged(offset: usize, reason: &str) -> SnapshotError {
    let place = Position {
        offset: Some(offset as u64),
        ..Position::default()
    };
    SnapshotError::Damaged {
        place,
        reason: reason.into(),
    }
}

/// Why a statement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The table's definition cannot be understood.
    Definition { table: Option<TableName> },
    /// Tables have more columns than PostgreSQL allows, or than anyone could want.
    Columns { table: TableName },
    /// The dump is in an encoding that is not known, or that nothing converts.
    Encoding(String),
}

impl Fault {
    pub(crate) fn at(self, member: Option<String>, offset: u64) -> SnapshotError {
        match self {
            Fault::Definition { table } => SnapshotError::Damaged {
                place: Position {
                    member,
                    table: table.map(|name| name.to_string()),
                    offset: Some(offset),
                    ..Position::default()
                },
                reason: "a table's definition cannot be understood".into(),
            },
            Fault::Columns { table } => SnapshotError::Damaged {
                place: Position {
                    member,
                    table: Some(table.to_string()),
                    offset: Some(offset),
                    ..Position::default()
                },
                reason: "the tables up to this one have more columns than they can have".into(),
            },
            Fault::Encoding(encoding) => SnapshotError::Unsupported {
                what: format!("a dump in the encoding {encoding}"),
                reason:
                    "it is not known how its text becomes UTF-8: dump again with --encoding=UTF8"
                        .into(),
            },
        }
    }
}

/// The first words of a statement in lower case, four at most; ends at anything else. Comments between them are none.
pub(crate) fn first_words(statement: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut place = 0;
    while words.len() < 4 {
        place = skip_blank(statement, place);
        let rest = &statement[place..];
        let letters = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_')
            .count();
        if letters == 0 {
            break;
        }
        words.push(String::from_utf8_lossy(&rest[..letters]).to_ascii_lowercase());
        place += letters;
        let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"$.\"".contains(byte);
        if statement.get(place).is_some_and(goes_on) {
            break;
        }
    }
    words
}

/// What the statements so far have defined.
#[derive(Debug, Default)]
pub(crate) struct Ddl {
    catalog: Catalog,
    types: HashMap<TableName, UserType>,
    /// Tables that were made from a composite type, and the type.
    typed: HashMap<TableName, TableName>,
    /// How many columns tables took from others.
    taken: usize,
    /// First schema of the search path, if it is another than `public`.
    schema: Option<String>,
    /// The other schemas of the search path.
    further_schemas: Vec<String>,
    /// The search path names `pg_catalog` behind other schemas, so that their types come before PostgreSQL's own.
    catalog_last: bool,
    escapes_everywhere: bool,
    encoding: Encoding,
    /// In a transaction: the settings from before it, and those that stay behind it.
    transaction: Option<Box<(Settings, Settings)>>,
    /// Domains that give their columns a default.
    filling_domains: HashSet<TableName>,
}

/// What `SET` has set, as far as it matters here.
#[derive(Debug, Clone)]
struct Settings {
    schema: Option<String>,
    further_schemas: Vec<String>,
    catalog_last: bool,
    escapes_everywhere: bool,
    encoding: Encoding,
}

impl Ddl {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// True after `SET standard_conforming_strings = off`.
    pub(crate) fn escapes_everywhere(&self) -> bool {
        self.escapes_everywhere
    }

    /// The encoding of the text that follows, as statements said.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// A part of what is known here, enough to read rows of `table`, whose statements name tables without
    /// a schema where that is `schema`.
    pub(crate) fn for_rows(&self, table: &TableName, schema: &str) -> Ddl {
        let mut ddl = Ddl {
            catalog: self.catalog.only(table),
            escapes_everywhere: self.escapes_everywhere,
            encoding: self.encoding,
            ..Ddl::default()
        };
        ddl.set_schema(schema, false);
        ddl
    }

    /// Names without a schema are in this one from now on. `before_catalog` tells whether its types come before PostgreSQL's
    /// own.
    pub(crate) fn set_schema(&mut self, schema: &str, before_catalog: bool) {
        match before_catalog {
            true => self.search_path(&[schema, "pg_catalog"]),
            false => self.search_path(&[schema]),
        }
    }

    /// Takes note of the statements of a text that holds no rows.
    pub(crate) fn statements(&mut self, text: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::default();
        scanner.escapes_everywhere = self.escapes_everywhere;
        let mut place = 0;
        loop {
            place = skip_blank(text, place);
            if place == text.len() {
                return Ok(());
            }
            let end = scanner
                .scan(text, place, Stop::Statement)
                .unwrap_or(text.len());
            self.statement(&text[place..end])?;
            place = end;
        }
    }

    /// Takes note of one statement. Costs little for one that is of no interest.
    pub(crate) fn statement(&mut self, statement: &[u8]) -> Result<(), Fault> {
        let words = first_words(statement);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["set", ..] => self.set(&tokens(statement)),
            ["reset" | "discard", "all"] => {
                for setting in ["search_path", "standard_conforming_strings"] {
                    self.setting(setting, &["default"], false)?;
                }
                Ok(())
            }
            ["reset", setting] => self.setting(setting, &["default"], false),
            ["select", ..] if memchr::memmem::find(statement, b"set_config").is_some() => {
                self.set_config(&tokens(statement))
            }
            ["commit" | "end" | "rollback", "prepared", ..] => Ok(()),
            ["begin" | "start", ..] => {
                if self.transaction.is_none() {
                    self.transaction = Some(Box::new((self.settings(), self.settings())));
                }
                Ok(())
            }
            ["commit" | "end" | "rollback" | "abort", ref rest @ ..] if !rest.contains(&"to") => {
                let ended = self.transaction.take();
                if let Some((before, after)) = ended.map(|both| *both) {
                    self.restore(match words[0] {
                        "commit" | "end" => after,
                        _ => before,
                    });
                }
                let chain = tokens(statement);
                let mut chain = chain.windows(2);
                if chain.any(|two| two[0].is("and") && two[1].is("chain")) {
                    self.transaction = Some(Box::new((self.settings(), self.settings())));
                }
                Ok(())
            }
            ["create", "domain", ..] => {
                self.create_domain(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["alter", "domain", ..] => {
                self.alter_domain(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["create", "type", ..] => {
                self.create_type(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["create", ref rest @ ..] if rest.contains(&"table") => {
                self.create_table(&mut Tokens::new(tokens(statement)))
            }
            ["alter", "type", ..] => {
                self.alter_type(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["alter", "table", ..] | ["alter", "foreign", "table", ..] => {
                self.alter_table(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["create", "unique", "index", ..] => {
                self.create_unique_index(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["drop", "index", ..] => {
                self.drop_index(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            ["drop", "table", ..] | ["drop", "foreign", "table", ..] => {
                self.drop_tables(&mut Tokens::new(tokens(statement)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            schema: self.schema.clone(),
            further_schemas: self.further_schemas.clone(),
            catalog_last: self.catalog_last,
            escapes_everywhere: self.escapes_everywhere,
            encoding: self.encoding,
        }
    }

    fn restore(&mut self, settings: Settings) {
        self.schema = settings.schema;
        self.further_schemas = settings.further_schemas;
        self.catalog_last = settings.catalog_last;
        self.escapes_everywhere = settings.escapes_everywhere;
        self.encoding = settings.encoding;
    }

    fn set(&mut self, tokens: &[Token]) -> Result<(), Fault> {
        let local = tokens.get(1).is_some_and(|token| token.is("local"));
        let mut words = tokens[1..]
            .iter()
            .filter(|token| !token.is("session") && !token.is("local"));
        let Some(Token::Word(setting)) = words.next() else {
            return Ok(());
        };
        // `SET NAMES 'LATIN1'` and `SET SCHEMA 'a'` have no sign between the words.
        let signs = usize::from(!matches!(setting.as_str(), "names" | "schema"));
        let values: Vec<&str> = words
            .skip(signs)
            .filter_map(|token| match token {
                Token::Word(value) | Token::Name(value) | Token::Text(value) => {
                    Some(value.as_str())
                }
                Token::Symbol(_) => None,
            })
            .collect();
        self.setting(setting, &values, local)
    }

    /// Sets a setting: for the transaction only where it is `local`, which is nothing outside of one.
    fn setting(&mut self, setting: &str, values: &[&str], local: bool) -> Result<(), Fault> {
        if let Some(transaction) = &mut self.transaction {
            if !local {
                // It stays behind the transaction, unlike others that are local to it.
                let after = transaction.1.clone();
                let now = self.settings();
                self.restore(after);
                self.apply(setting, values)?;
                let after = self.settings();
                self.restore(now);
                if let Some(transaction) = &mut self.transaction {
                    transaction.1 = after;
                }
            }
            return self.apply(setting, values);
        }
        match local {
            true => Ok(()),
            false => self.apply(setting, values),
        }
    }

    fn apply(&mut self, setting: &str, values: &[&str]) -> Result<(), Fault> {
        match setting {
            "search_path" | "schema" if values == ["default"] => self.search_path(&[]),
            "search_path" => self.search_path(values),
            "schema" => self.search_path(values.get(..1).unwrap_or_default()),
            "standard_conforming_strings" => {
                self.escapes_everywhere = matches!(values, ["off" | "false" | "0" | "no", ..]);
            }
            "client_encoding" | "names" if values == ["default"] => {
                self.encoding = Encoding::default();
            }
            "client_encoding" | "names" => {
                self.set_encoding(values.first().copied().unwrap_or_default())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `SELECT pg_catalog.set_config('search_path', '', false)`.
    fn set_config(&mut self, tokens: &[Token]) -> Result<(), Fault> {
        let texts: Vec<&str> = tokens
            .iter()
            .filter_map(|token| match token {
                Token::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let local = tokens.iter().any(|token| token.is("true"));
        match texts[..] {
            ["search_path", path, ..] => {
                let schemas: Vec<&str> = path
                    .split(',')
                    .map(|name| name.trim().trim_matches('"'))
                    .collect();
                self.setting("search_path", &schemas, local)
            }
            [setting, value, ..] => self.setting(setting, &[value], local),
            _ => Ok(()),
        }
    }

    /// The text that follows is in the encoding of this name.
    ///
    /// # Errors
    /// It is one that cannot be converted.
    pub(crate) fn set_encoding(&mut self, name: &str) -> Result<(), Fault> {
        self.encoding = Encoding::named(name).ok_or_else(|| Fault::Encoding(name.into()))?;
        Ok(())
    }

    fn search_path(&mut self, schemas: &[&str]) {
        let own = |name: &&str| !matches!(*name, "" | "$user" | "pg_catalog" | "pg_temp");
        let first = schemas.iter().position(own);
        let catalog = schemas.iter().position(|name| *name == "pg_catalog");
        self.catalog_last =
            matches!((first, catalog), (Some(first), Some(catalog)) if first < catalog);
        let mut schemas = schemas.iter().copied().filter(own).map(str::to_owned);
        self.schema = schemas.next().filter(|name| name != "public");
        self.further_schemas = schemas.collect();
    }

    fn create_table(&mut self, tokens: &mut Tokens) -> Result<(), Fault> {
        const BEFORE: [&str; 6] = ["create", "global", "local", "temp", "temporary", "unlogged"];
        while BEFORE.iter().any(|word| tokens.accept(word)) {}
        tokens.accept("foreign");
        if !tokens.accept("table") {
            // `CREATE … TABLE` of another kind, such as an event trigger `ON table_rewrite`.
            return Ok(());
        }
        if tokens.accept("if") {
            tokens.skip(2);
        }
        let name = self.name(tokens).ok_or(Fault::Definition { table: None })?;
        if self.catalog.table(&name).is_some() {
            // The server refuses a second table of that name, and goes on with the first.
            return Ok(());
        }
        self.typed.remove(&name);
        let fault = || Fault::Definition {
            table: Some(name.clone()),
        };
        let mut table = Table {
            name: name.clone(),
            columns: Vec::new(),
            partitioned: false,
        };
        if tokens.accept("partition") {
            tokens.accept("of");
            let parent = self.name(tokens).ok_or_else(fault)?;
            self.take_columns(&parent, &mut table);
            self.take_keys(&parent, &name);
            self.catalog
                .attach(name.clone(), parent, Belonging::Partition);
        } else if tokens.accept_symbol(b'(') {
            self.elements(tokens, &mut table).ok_or_else(fault)?;
        } else if tokens.accept("of") {
            let of_type = self.name(tokens).ok_or_else(fault)?;
            // Without its type (`pg_dump --table`) nothing is known of the table.
            if !self.take_attributes(&of_type, &mut table) {
                return Ok(());
            }
            self.typed.insert(name.clone(), of_type);
            self.options(tokens, &table).ok_or_else(fault)?;
        } else {
            // `CREATE TABLE … AS`: pg_dump does not write it.
            return Ok(());
        }
        while let Some(token) = tokens.next() {
            if token.is("inherits") && tokens.accept_symbol(b'(') {
                let mut inherited = Table {
                    name: name.clone(),
                    columns: Vec::new(),
                    partitioned: false,
                };
                while let Some(parent) = self.name(tokens) {
                    self.take_columns(&parent, &mut inherited);
                    self.catalog
                        .attach(name.clone(), parent, Belonging::Inheritance);
                    tokens.accept_symbol(b',');
                }
                let own = std::mem::replace(&mut table.columns, inherited.columns);
                for column in own {
                    if table.column(&column.name).is_none() {
                        table.columns.push(column);
                    }
                }
            } else if token.is("partition") && tokens.accept("by") {
                table.partitioned = true;
            }
        }
        if table.columns.len() > MOST_COLUMNS || self.taken > MOST_TAKEN {
            return Err(Fault::Columns { table: name });
        }
        self.catalog.add(table);
        Ok(())
    }

    /// Adds the columns of another table.
    fn take_columns(&mut self, from: &TableName, table: &mut Table) {
        let found = self
            .catalog
            .table(from)
            .filter(|_| self.taken <= MOST_TAKEN && table.columns.len() <= MOST_COLUMNS);
        let columns = found.map(|from| from.columns.clone()).unwrap_or_default();
        self.taken += columns.len();
        let mut there: HashSet<String> = table
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        for column in columns {
            if self.catalog.is_generated(from, &column.name) {
                self.catalog
                    .set_generated(table.name.clone(), column.name.clone());
            }
            if self.catalog.has_default(from, &column.name) {
                self.catalog.set_default(&table.name, &column.name, true);
            }
            if let Some(sql) = self.catalog.written_type(from, &column.name).cloned() {
                self.catalog
                    .set_written_type(table.name.clone(), column.name.clone(), sql);
            }
            if there.insert(column.name.clone()) {
                table.columns.push(column);
            }
        }
    }

    /// Reads columns and constraints to the parenthesis that closes them. `None` if there is none.
    fn elements(&mut self, tokens: &mut Tokens, table: &mut Table) -> Option<()> {
        if tokens.accept_symbol(b')') {
            return Some(());
        }
        loop {
            if tokens.accept("like") {
                let from = self.name(tokens)?;
                self.take_columns(&from, table);
                let options = tokens.rest_of_element();
                let including = |what: &str| {
                    options
                        .windows(2)
                        .any(|two| two[0].is("including") && two[1].is(what))
                };
                if including("all") || including("indexes") {
                    self.take_keys(&from, &table.name);
                }
            } else if tokens.at_constraint() {
                self.constraint(tokens, &table.name);
            } else {
                self.column(tokens, table)?;
            }
            tokens.skip_to_element_end();
            match tokens.next()? {
                Token::Symbol(b',') => {}
                _ => return Some(()),
            }
        }
    }

    /// Reads a column's definition, up to the comma or parenthesis after it.
    fn column(&mut self, tokens: &mut Tokens, table: &mut Table) -> Option<()> {
        let name = tokens.identifier()?;
        const SERIAL: [&str; 6] = [
            "serial",
            "bigserial",
            "smallserial",
            "serial2",
            "serial4",
            "serial8",
        ];
        let mut type_tokens = tokens.ahead(5);
        let domain = self.name(&mut type_tokens);
        let fills = domain.is_some_and(|domain| self.filling_domains.contains(&domain))
            && !type_tokens.accept_symbol(b'[');
        let type_name = tokens.peek();
        let is_serial = type_name.is_some_and(|name| SERIAL.iter().any(|serial| name.is(serial)));
        let (sql_type, written) = self.written_type_of(tokens);
        if written != sql_type.sql() {
            self.catalog
                .set_written_type(table.name.clone(), name.clone(), written.into());
        }
        let rest = tokens.rest_of_element().to_vec();
        if has_default(&rest) || is_serial || fills {
            self.catalog.set_default(&table.name, &name, true);
        }
        if is_generated(&rest) {
            self.catalog.set_generated(table.name.clone(), name.clone());
        }
        self.column_keys(&table.name, &name, &rest);
        table.columns.push(Column { name, sql_type });
        Some(())
    }

    fn alter_table(&mut self, tokens: &mut Tokens) {
        tokens.skip(1);
        tokens.accept("foreign");
        tokens.accept("table");
        if tokens.accept("if") {
            tokens.skip(1);
        }
        let only = tokens.accept("only");
        let Some(name) = self.known_name(tokens) else {
            return;
        };
        tokens.accept_symbol(b'*');
        loop {
            if tokens.accept("drop") {
                match tokens.accept("constraint") {
                    true => self.drop_constraint(tokens, &name),
                    false => self.drop_column(tokens, &name),
                }
            } else if tokens.accept("rename") {
                self.rename(tokens, &name);
                return;
            } else if tokens.accept("alter") {
                self.alter_column(tokens, &name);
            } else if tokens.accept("attach") && tokens.accept("partition") {
                if let Some(leaf) = self.name(tokens) {
                    self.catalog
                        .attach(leaf, name.clone(), Belonging::Partition);
                }
            } else if tokens.accept("detach") && tokens.accept("partition") {
                if let Some(leaf) = self.name(tokens) {
                    self.catalog.detach(&leaf, &name);
                }
            } else if tokens.accept("inherit") {
                if let Some(parent) = self.name(tokens) {
                    self.catalog
                        .attach(name.clone(), parent, Belonging::Inheritance);
                }
            } else if tokens.accept("no") && tokens.accept("inherit") {
                if let Some(parent) = self.name(tokens) {
                    self.catalog.detach(&name, &parent);
                }
            } else if tokens.accept("add") {
                match tokens.at_constraint() {
                    true => self.constraint(tokens, &name),
                    false => self.add_column(tokens, &name, only),
                }
            }
            tokens.skip_to_element_end();
            if !tokens.accept_symbol(b',') {
                return;
            }
        }
    }

    fn add_column(&mut self, tokens: &mut Tokens, name: &TableName, only: bool) {
        tokens.accept("column");
        if tokens.accept("if") {
            tokens.skip(2);
        }
        let Some(mut table) = self.catalog.table_mut(name).cloned() else {
            return;
        };
        // A column too many would be refused by any server: nobody will miss it.
        if self.column(tokens, &mut table).is_none() || table.columns.len() > MOST_COLUMNS {
            return;
        }
        self.catalog.add(table);
        if !only {
            for child in self.catalog.descendants(name) {
                if let Some(mut table) = self.catalog.table(&child).cloned() {
                    self.take_columns(name, &mut table);
                    self.catalog.add(table);
                }
            }
        }
    }

    fn drop_column(&mut self, tokens: &mut Tokens, name: &TableName) {
        tokens.accept("column");
        if tokens.accept("if") {
            tokens.skip(1);
        }
        if let Some(column) = tokens.identifier() {
            self.catalog.drop_column(name, &column);
        }
    }

    /// `RENAME [COLUMN] a TO b`, and `RENAME TO b` of the table itself.
    fn rename(&mut self, tokens: &mut Tokens, name: &TableName) {
        if tokens.accept("to") {
            if let Some(new) = tokens.identifier() {
                let new = TableName::new(name.schema.clone(), new);
                self.catalog.rename(name, new);
            }
            return;
        }
        tokens.accept("column");
        let old = tokens.identifier();
        if !tokens.accept("to") {
            return;
        }
        if let (Some(old), Some(new)) = (old, tokens.identifier()) {
            self.catalog.rename_column(name, &old, &new);
        }
    }

    /// `ALTER [COLUMN] a`: another type, or with a default or without.
    fn alter_column(&mut self, tokens: &mut Tokens, name: &TableName) {
        tokens.accept("column");
        let Some(column) = tokens.identifier() else {
            return;
        };
        let set = tokens.accept("set");
        if set && tokens.accept("default") {
            let is_null = tokens.peek().is_some_and(|token| token.is("null"));
            self.catalog.set_default(name, &column, !is_null);
        } else if tokens.accept("drop") {
            if tokens.accept("expression") {
                self.catalog.set_stored(name, &column);
            } else if tokens.accept("default") || tokens.accept("identity") {
                self.catalog.set_default(name, &column, false);
            }
        } else if tokens.accept("add") {
            // `GENERATED … AS IDENTITY`.
            self.catalog.set_default(name, &column, true);
        } else if (!set || tokens.accept("data")) && tokens.accept("type") {
            let (sql_type, written) = self.written_type_of(tokens);
            let written = Some(written).filter(|written| *written != sql_type.sql());
            let written = written.map(Into::into);
            self.catalog.set_type(name, &column, sql_type, written);
        }
    }

    fn drop_tables(&mut self, tokens: &mut Tokens) {
        tokens.skip(1);
        tokens.accept("foreign");
        tokens.accept("table");
        if tokens.accept("if") {
            tokens.skip(1);
        }
        while let Some(name) = self.known_name(tokens) {
            self.catalog.remove(&name);
            if !tokens.accept_symbol(b',') {
                return;
            }
        }
    }

    /// A table's or type's name. Without a schema it is in the first one of the search path.
    pub(crate) fn name(&self, tokens: &mut Tokens) -> Option<TableName> {
        let mut name = tokens.identifier()?;
        let mut schema = self.schema.clone().unwrap_or_else(|| "public".into());
        while tokens.accept_symbol(b'.') {
            schema = std::mem::replace(&mut name, tokens.identifier()?);
        }
        Some(TableName { schema, name })
    }

    /// The name of a table that there should be: as [`Ddl::name`], but without a schema it is in the first one of the
    /// search path that has such a table.
    pub(crate) fn known_name(&self, tokens: &mut Tokens) -> Option<TableName> {
        let qualified = tokens.is_qualified();
        let name = self.name(tokens)?;
        if qualified || self.further_schemas.is_empty() || self.catalog.table(&name).is_some() {
            return Some(name);
        }
        let found = self
            .further_schemas
            .iter()
            .map(|schema| TableName::new(schema.clone(), name.name.clone()))
            .find(|other| self.catalog.table(other).is_some());
        Some(found.unwrap_or(name))
    }
}

#[cfg(test)]
mod tests;
