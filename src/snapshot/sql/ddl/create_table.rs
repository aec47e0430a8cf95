//! `CREATE TABLE`: columns, and where rows of the table belong besides.

use std::collections::HashSet;

use super::types::reads_as_type;
use super::{Ddl, Fault, Tokens, has_default, is_generated};
use crate::snapshot::catalog::{Belonging, Column, Table};
use crate::snapshot::sql::text::Token;
use crate::snapshot::table_name::TableName;

/// The most columns that PostgreSQL lets a table have.
pub(super) const MOST_COLUMNS: usize = 1600;

/// Columns that tables may take from others (`INHERITS`, `LIKE`), all tables together. A few hostile bytes could
/// else make thousands of columns, again and again.
pub(super) const MOST_TAKEN: usize = 2_000_000;

impl Ddl {
    pub(super) fn create_table(&mut self, tokens: &mut Tokens) -> Result<(), Fault> {
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
    pub(super) fn take_columns(&mut self, from: &TableName, table: &mut Table) {
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
            if self.catalog.is_not_null(from, &column.name) {
                self.catalog.set_not_null(&table.name, &column.name, true);
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
    pub(super) fn elements(&mut self, tokens: &mut Tokens, table: &mut Table) -> Option<()> {
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
    pub(super) fn column(&mut self, tokens: &mut Tokens, table: &mut Table) -> Option<()> {
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
        let before = tokens.taken();
        let (sql_type, written) = self.written_type_of(tokens);
        if !reads_as_type(tokens.taken_since(before)) {
            return None;
        }
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
}
