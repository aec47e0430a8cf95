//! Primary keys, unique constraints, unique indexes and foreign keys, out of the statements that state them.

use super::{Ddl, Tokens};
use crate::snapshot::foreign_keys::ForeignKey;
use crate::snapshot::sql::text::Token;
use crate::snapshot::stated_keys::StatedKey;
use crate::snapshot::table_name::TableName;

impl Ddl {
    /// Takes note of the keys that a column's definition states behind its type, `PRIMARY KEY`, `UNIQUE`,
    /// `REFERENCES`, and of `NOT NULL`.
    pub(crate) fn column_keys(&mut self, table: &TableName, column: &str, rest: &[Token]) {
        let mut depth = 0u32;
        for (place, token) in rest.iter().enumerate() {
            match token {
                Token::Symbol(b'(') => depth += 1,
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                Token::Word(word)
                    if depth == 0
                        && word == "not"
                        && rest.get(place + 1).is_some_and(|next| next.is("null")) =>
                {
                    self.catalog.set_not_null(table, column, true);
                }
                // None of these words can stand in an expression without quotes.
                Token::Word(word)
                    if depth == 0
                        && ["primary", "unique", "references"].contains(&word.as_str()) =>
                {
                    let name = match rest[..place] {
                        [
                            ..,
                            ref before,
                            Token::Word(ref name) | Token::Name(ref name),
                        ] if before.is("constraint") => Some(name.clone()),
                        _ => None,
                    };
                    let columns = vec![column.to_owned()];
                    match word.as_str() {
                        "references" => {
                            let mut tokens = Tokens::new(rest[place + 1..].to_vec());
                            self.references(&mut tokens, table, name, columns);
                        }
                        word => self.add_key(table, name, columns, word == "primary"),
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes note of a table's constraint, which the tokens are at: `[CONSTRAINT name] PRIMARY KEY (…)`, `… UNIQUE (…)`,
    /// either `USING INDEX`, `… FOREIGN KEY (…) REFERENCES …`, or `… NOT NULL column`. Others are not looked at.
    pub(crate) fn constraint(&mut self, tokens: &mut Tokens, table: &TableName) {
        let name = match tokens.accept("constraint") {
            true => tokens.identifier(),
            false => None,
        };
        if tokens.accept("foreign") && tokens.accept("key") {
            if let Some(columns) = foreign_columns(tokens)
                && tokens.accept("references")
            {
                self.references(tokens, table, name, columns);
            }
            return;
        }
        if tokens.accept("not") && tokens.accept("null") {
            // As PostgreSQL 18 has it. One that is NOT VALID says nothing of the rows that there are.
            if let Some(column) = tokens.identifier()
                && !tokens.rest_of_element().iter().any(|it| it.is("valid"))
            {
                self.catalog.set_not_null(table, &column, true);
            }
            return;
        }
        let primary = tokens.accept("primary") && tokens.accept("key");
        if !primary && !tokens.accept("unique") {
            return;
        }
        // `NULLS NOT DISTINCT`
        while ["nulls", "not", "distinct"]
            .iter()
            .any(|word| tokens.accept(word))
        {}
        if tokens.accept("using") && tokens.accept("index") {
            let index = tokens.identifier().unwrap_or_default();
            if let Some(key) = self.catalog.keys_mut().take_named(table, &index) {
                self.add_key(table, name.or(Some(index)), key.columns, primary);
            }
        } else if let Some(columns) = plain_columns(tokens) {
            self.add_key(table, name, columns, primary);
        }
    }

    /// Takes note of `CREATE UNIQUE INDEX … ON table (columns)`, if it holds for all rows.
    pub(crate) fn create_unique_index(&mut self, tokens: &mut Tokens) {
        tokens.skip(3);
        tokens.accept("concurrently");
        if tokens.accept("if") {
            tokens.skip(2);
        }
        let name = match tokens.accept("on") {
            true => None,
            false => {
                let name = self.name(tokens);
                if !tokens.accept("on") {
                    return;
                }
                name.map(|name| name.name)
            }
        };
        tokens.accept("only");
        let Some(table) = self.name(tokens) else {
            return;
        };
        if tokens.accept("using") {
            tokens.skip(1);
        }
        let Some(columns) = plain_columns(tokens) else {
            return;
        };
        while let Some(token) = tokens.next() {
            if token.is("where") {
                return;
            }
        }
        self.add_key(&table, name, columns, false);
    }

    /// `DROP INDEX [CONCURRENTLY] [IF EXISTS] name, …`
    pub(crate) fn drop_index(&mut self, tokens: &mut Tokens) {
        tokens.skip(2);
        tokens.accept("concurrently");
        if tokens.accept("if") {
            tokens.skip(1);
        }
        while let Some(name) = self.name(tokens) {
            self.catalog.keys_mut().drop_index(&name);
            if !tokens.accept_symbol(b',') {
                return;
            }
        }
    }

    /// `ALTER TABLE … DROP CONSTRAINT [IF EXISTS] name`, behind `CONSTRAINT`.
    pub(crate) fn drop_constraint(&mut self, tokens: &mut Tokens, table: &TableName) {
        if tokens.accept("if") {
            tokens.skip(1);
        }
        if let Some(name) = tokens.identifier() {
            let cascade = tokens.accept("cascade");
            let keys = self.catalog.keys_mut();
            keys.drop_constraint(table, &name, cascade);
        }
    }

    /// Takes note of a foreign key, behind `REFERENCES`: a table, and its columns unless the primary key is meant. What
    /// stands behind them says nothing of values: `MATCH`, `ON DELETE`, `DEFERRABLE`, `NOT VALID`.
    fn references(
        &mut self,
        tokens: &mut Tokens,
        table: &TableName,
        name: Option<String>,
        columns: Vec<String>,
    ) {
        let unqualified = !tokens.is_qualified();
        // A table that is being made is not known yet, and comes before others of its name.
        let own = tokens
            .peek()
            .filter(|_| unqualified)
            .and_then(|token| match token {
                Token::Word(name) | Token::Name(name) if *name == table.name => Some(table.clone()),
                _ => None,
            });
        let own = own.filter(|own| self.catalog.table(own).is_none() && self.in_first_schema(own));
        let named = self.known_name(tokens);
        let Some(other) = own.or(named) else {
            return;
        };
        let referenced = match tokens.peek() {
            Some(Token::Symbol(b'(')) => match foreign_columns(tokens) {
                Some(referenced) if referenced.len() == columns.len() => Some(referenced),
                // PostgreSQL refuses another number.
                _ => return,
            },
            _ => None,
        };
        let name = name.unwrap_or_else(|| self.free_name(table, &columns));
        let key = ForeignKey {
            columns,
            table: other,
            referenced,
            name,
        };
        self.catalog.keys_mut().add_foreign(table.clone(), key);
    }

    /// True for a table in the schema that names without one are in.
    fn in_first_schema(&self, table: &TableName) -> bool {
        table.schema == self.schema.as_deref().unwrap_or("public")
    }

    /// The name that PostgreSQL gives to a foreign key that states none.
    fn free_name(&self, table: &TableName, columns: &[String]) -> String {
        let base = format!("{}_{}_fkey", table.name, columns.join("_"));
        // A hostile dump might have so many that trying all numbers would take hours.
        let numbers = (1..10).chain(self.catalog.keys().foreign_of(table).len()..);
        let numbered = numbers.map(|number| format!("{base}{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        let is_free = |name: &String| !self.catalog.keys().has_name(table, name);
        names.find(is_free).unwrap_or(base)
    }

    /// The keys of a table go for another one, too (`LIKE … INCLUDING INDEXES`, `PARTITION OF`).
    pub(crate) fn take_keys(&mut self, from: &TableName, table: &TableName) {
        let keys = self.catalog.keys().of(from).to_vec();
        for StatedKey {
            columns, primary, ..
        } in keys
        {
            self.add_key(table, None, columns, primary);
        }
    }

    fn add_key(
        &mut self,
        table: &TableName,
        name: Option<String>,
        columns: Vec<String>,
        primary: bool,
    ) {
        // As PostgreSQL names it.
        let name = name.unwrap_or_else(|| match primary {
            true => format!("{}_pkey", table.name),
            false => format!("{}_{}_key", table.name, columns.join("_")),
        });
        let key = StatedKey {
            columns,
            primary,
            name,
        };
        self.catalog.keys_mut().add(table.clone(), key);
    }
}

/// The columns of a foreign key's list, to its end. `None` for any other list: one with a `PERIOD` (PostgreSQL 18) finds
/// rows by more than equal values.
fn foreign_columns(tokens: &mut Tokens) -> Option<Vec<String>> {
    if !tokens.accept_symbol(b'(') {
        return None;
    }
    let mut columns = Vec::new();
    loop {
        columns.push(tokens.identifier()?);
        match tokens.next()? {
            Token::Symbol(b',') => {}
            Token::Symbol(b')') => return Some(columns),
            _ => return None,
        }
    }
}

/// The columns of a list in parentheses, to its end; `None` if an expression is among them.
fn plain_columns(tokens: &mut Tokens) -> Option<Vec<String>> {
    if !tokens.accept_symbol(b'(') {
        return None;
    }
    let mut columns = Vec::new();
    loop {
        columns.push(tokens.identifier()?);
        // Collation, operator class and order have no parentheses; a function's arguments have.
        let rest = tokens.rest_of_element();
        if rest.contains(&Token::Symbol(b'(')) {
            return None;
        }
        match tokens.next()? {
            Token::Symbol(b',') => {}
            _ => return Some(columns),
        }
    }
}
