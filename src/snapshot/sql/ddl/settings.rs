//! Settings of the session: the search path, how strings are written, and the encoding.

use super::{Ddl, Fault};
use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::sql::text::Token;

/// What `SET` has set, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    schema: Option<String>,
    further_schemas: Vec<String>,
    catalog_last: bool,
    escapes_everywhere: bool,
    encoding: Encoding,
}

impl Ddl {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            schema: self.schema.clone(),
            further_schemas: self.further_schemas.clone(),
            catalog_last: self.catalog_last,
            escapes_everywhere: self.escapes_everywhere,
            encoding: self.encoding,
        }
    }

    pub(super) fn restore(&mut self, settings: Settings) {
        self.schema = settings.schema;
        self.further_schemas = settings.further_schemas;
        self.catalog_last = settings.catalog_last;
        self.escapes_everywhere = settings.escapes_everywhere;
        self.encoding = settings.encoding;
    }

    pub(super) fn set(&mut self, tokens: &[Token]) -> Result<(), Fault> {
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
    pub(super) fn setting(
        &mut self,
        setting: &str,
        values: &[&str],
        local: bool,
    ) -> Result<(), Fault> {
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

    pub(super) fn apply(&mut self, setting: &str, values: &[&str]) -> Result<(), Fault> {
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
    pub(super) fn set_config(&mut self, tokens: &[Token]) -> Result<(), Fault> {
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

    pub(super) fn search_path(&mut self, schemas: &[&str]) {
        let own = |name: &&str| !matches!(*name, "" | "$user" | "pg_catalog" | "pg_temp");
        let first = schemas.iter().position(own);
        let catalog = schemas.iter().position(|name| *name == "pg_catalog");
        self.catalog_last =
            matches!((first, catalog), (Some(first), Some(catalog)) if first < catalog);
        let mut schemas = schemas.iter().copied().filter(own).map(str::to_owned);
        self.schema = schemas.next().filter(|name| name != "public");
        self.further_schemas = schemas.collect();
    }
}
