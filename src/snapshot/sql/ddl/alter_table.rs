//! `ALTER TABLE` and `DROP TABLE`.

use super::create_table::MOST_COLUMNS;
use super::{Ddl, Tokens};
use crate::snapshot::catalog::Belonging;
use crate::snapshot::table_name::TableName;

impl Ddl {
    pub(super) fn alter_table(&mut self, tokens: &mut Tokens) {
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

    pub(super) fn add_column(&mut self, tokens: &mut Tokens, name: &TableName, only: bool) {
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

    pub(super) fn drop_column(&mut self, tokens: &mut Tokens, name: &TableName) {
        tokens.accept("column");
        if tokens.accept("if") {
            tokens.skip(1);
        }
        if let Some(column) = tokens.identifier() {
            self.catalog.drop_column(name, &column);
        }
    }

    /// `RENAME [COLUMN] a TO b`, `RENAME CONSTRAINT a TO b`, and `RENAME TO b` of the table itself.
    pub(super) fn rename(&mut self, tokens: &mut Tokens, name: &TableName) {
        if tokens.accept("to") {
            if let Some(new) = tokens.identifier() {
                let new = TableName::new(name.schema.clone(), new);
                self.catalog.rename(name, new);
            }
            return;
        }
        let is_constraint = tokens.accept("constraint");
        if !is_constraint {
            tokens.accept("column");
        }
        let old = tokens.identifier();
        if !tokens.accept("to") {
            return;
        }
        if let (Some(old), Some(new)) = (old, tokens.identifier()) {
            match is_constraint {
                true => self.catalog.keys_mut().rename_constraint(name, &old, &new),
                false => self.catalog.rename_column(name, &old, &new),
            }
        }
    }

    /// `ALTER [COLUMN] a`: another type, with a default or without, NOT NULL or not.
    pub(super) fn alter_column(&mut self, tokens: &mut Tokens, name: &TableName) {
        tokens.accept("column");
        let Some(column) = tokens.identifier() else {
            return;
        };
        let set = tokens.accept("set");
        if set && tokens.accept("default") {
            let is_null = tokens.peek().is_some_and(|token| token.is("null"));
            self.catalog.set_default(name, &column, !is_null);
        } else if set && tokens.accept("not") {
            self.catalog.set_not_null(name, &column, true);
        } else if tokens.accept("drop") {
            if tokens.accept("expression") {
                self.catalog.set_stored(name, &column);
            } else if tokens.accept("not") {
                self.catalog.set_not_null(name, &column, false);
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

    pub(super) fn drop_tables(&mut self, tokens: &mut Tokens) {
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
}
