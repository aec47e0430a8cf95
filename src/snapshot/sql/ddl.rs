//! Reads table definitions out of SQL text: the DDL part of a plain dump, or a `schema.sql`.
//!
//! Only what tells tables, columns, types and partitions apart is read; all other statements are
//! stepped over. Facts are those of pg_dump 9.6 to 18: newer ones write schema-qualified names and
//! attach partitions by `ALTER TABLE`, older ones set `search_path` before each schema.

mod alter_table;
mod create_table;
mod fault;
mod keys;
mod read_schema;
mod settings;
mod tokens;
mod types;

use std::collections::{HashMap, HashSet};

use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::sql::text::{Scanner, Stop, skip_blank, tokens};
use crate::snapshot::table_name::TableName;
pub(crate) use fault::Fault;
pub use read_schema::read_schema;
use settings::Settings;
pub(crate) use tokens::Tokens;
use tokens::{has_default, is_generated};
use types::UserType;

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
