//! Types that a snapshot defines, and the types of columns.
//!
//! A type of the snapshot may have the name of one of PostgreSQL's own (`public.date`, `public."json"`): schemas tell them apart.

use std::sync::Arc;

use super::{Ddl, Tokens, has_default, is_generated};
use crate::snapshot::catalog::{Column, Table};
use crate::snapshot::sql::names;
use crate::snapshot::sql::text::Token;
use crate::snapshot::sql_type::SqlType;
use crate::snapshot::table_name::TableName;

/// A type that the snapshot defines.
#[derive(Debug, Clone)]
pub(crate) enum UserType {
    /// Another type with conditions: that type, and how SQL writes it if it is an enum or an array of one.
    Domain(SqlType, Option<String>),
    Enum,
    Composite(Vec<Attribute>),
    /// A range, a base type.
    Other,
}

/// A column of a composite type, and how SQL writes its type where that says more.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    column: Column,
    written: Option<Arc<str>>,
}

impl Attribute {
    fn new(name: String, sql_type: SqlType, written: String) -> Attribute {
        let written = (written != sql_type.sql()).then(|| written.into());
        let column = Column { name, sql_type };
        Attribute { column, written }
    }
}

/// Words of SQL's own for types: without quotes they never mean a type of the snapshot.
const WORDS: [&str; 19] = [
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "interval",
    "national",
    "nchar",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
];

/// Of those, the words that are no name of a type in `pg_catalog`: in quotes they always mean a type of the snapshot.
const ONLY_WORDS: [&str; 12] = [
    "bigint",
    "boolean",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "national",
    "nchar",
    "real",
];

/// Words that types of several words go on with, and the array after any type.
const FURTHER_WORDS: [&str; 19] = [
    "array",
    "char",
    "character",
    "day",
    "hour",
    "large",
    "local",
    "minute",
    "month",
    "object",
    "precision",
    "second",
    "time",
    "to",
    "varying",
    "with",
    "without",
    "year",
    "zone",
];

/// True for what can be a type. In a damaged definition two columns run together (`integer� description text`), or a letter is
/// none any more: whoever took that for a type of somebody's own would lose a column, or write its numbers as texts.
pub(super) fn reads_as_type(tokens: &[Token]) -> bool {
    let mut depth = 0u32;
    let mut before = None;
    for token in tokens {
        let is_further = !matches!(before, None | Some(&Token::Symbol(b'.')));
        if let Token::Word(word) | Token::Name(word) = token
            && word.contains(char::REPLACEMENT_CHARACTER)
        {
            return false;
        }
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            Token::Symbol(b'.' | b'[' | b']') => {}
            Token::Symbol(b',' | b'-') if depth > 0 => {}
            Token::Symbol(_) => return false,
            Token::Word(_) | Token::Name(_) | Token::Text(_) if depth > 0 => {}
            Token::Word(word) if is_further => {
                let is_bound = before == Some(&Token::Symbol(b'['));
                if !is_bound && !FURTHER_WORDS.contains(&word.as_str()) {
                    return false;
                }
            }
            Token::Name(_) if is_further => return false,
            Token::Text(_) => return false,
            Token::Word(_) | Token::Name(_) => {}
        }
        before = Some(token);
    }
    matches!(tokens.first(), Some(Token::Word(_) | Token::Name(_)))
}

impl Ddl {
    pub(crate) fn create_domain(&mut self, tokens: &mut Tokens) {
        tokens.skip(2);
        let Some(name) = self.name(tokens) else {
            return;
        };
        tokens.accept("as");
        let (base, written) = self.written_type_of(tokens);
        // Of other types that stand in quotes it says no more than the type itself.
        let of_enum = (written.starts_with('"') && written != base.sql()).then_some(written);
        if has_default(tokens.rest()) {
            self.filling_domains.insert(name.clone());
        }
        self.types.insert(name, UserType::Domain(base, of_enum));
    }

    /// `ALTER DOMAIN a SET DEFAULT …`, of which columns that come later know.
    pub(crate) fn alter_domain(&mut self, tokens: &mut Tokens) {
        tokens.skip(2);
        let Some(name) = self.name(tokens) else {
            return;
        };
        if tokens.accept("set") && has_default(tokens.rest()) {
            self.filling_domains.insert(name);
        }
    }

    pub(crate) fn create_type(&mut self, tokens: &mut Tokens) {
        tokens.skip(2);
        let Some(name) = self.name(tokens) else {
            return;
        };
        let mut user_type = UserType::Other;
        if tokens.accept("as") {
            if tokens.accept("enum") && tokens.accept_symbol(b'(') {
                user_type = UserType::Enum;
                let mut labels = Vec::new();
                while let Some(token) = tokens.next() {
                    match token {
                        Token::Text(label) => labels.push(label),
                        Token::Symbol(b',') => {}
                        _ => break,
                    }
                }
                self.catalog.add_enum(name.clone(), labels);
            } else if tokens.accept_symbol(b'(') {
                let mut attributes = Vec::new();
                while let Some(attribute) = self.attribute(tokens) {
                    attributes.push(attribute);
                    tokens.skip_to_element_end();
                    if !tokens.accept_symbol(b',') {
                        break;
                    }
                }
                user_type = UserType::Composite(attributes);
            }
        }
        self.types.insert(name, user_type);
    }

    fn attribute(&self, tokens: &mut Tokens) -> Option<Attribute> {
        let name = tokens.identifier()?;
        let (sql_type, written) = self.written_type_of(tokens);
        Some(Attribute::new(name, sql_type, written))
    }

    /// `ALTER TYPE`: attributes that come, go and change, labels of an enum, another name.
    pub(crate) fn alter_type(&mut self, tokens: &mut Tokens) {
        tokens.skip(2);
        let Some(mut name) = self.name(tokens) else {
            return;
        };
        loop {
            let action = tokens.identifier().unwrap_or_default();
            match action.as_str() {
                "rename" if tokens.accept("to") => {
                    let new = tokens.identifier().unwrap_or_default();
                    name = self.rename_type(&name, TableName::new(name.schema.clone(), new));
                }
                "set" if tokens.accept("schema") => {
                    let new = tokens.identifier().unwrap_or_default();
                    name = self.rename_type(&name, TableName::new(new, name.name.clone()));
                }
                "add" | "rename" if tokens.accept("value") => {
                    self.alter_label(tokens, &name, action == "add");
                }
                "add" | "alter" | "drop" | "rename" if tokens.accept("attribute") => {
                    self.alter_attribute(tokens, &name, &action);
                }
                // Owners and functions say nothing of values.
                _ => {}
            }
            tokens.skip_to_element_end();
            if !tokens.accept_symbol(b',') {
                return self.type_changed(&name);
            }
        }
    }

    fn rename_type(&mut self, name: &TableName, new: TableName) -> TableName {
        if let Some(user_type) = self.types.remove(name) {
            self.types.insert(new.clone(), user_type);
        }
        for of_type in self.typed.values_mut().filter(|of_type| *of_type == name) {
            of_type.clone_from(&new);
        }
        self.catalog.rename_enum(name, new.clone());
        new
    }

    /// `ADD VALUE [IF NOT EXISTS] 'new' [BEFORE | AFTER 'other']`, or `RENAME VALUE 'old' TO 'new'`.
    fn alter_label(&mut self, tokens: &mut Tokens, name: &TableName, is_new: bool) {
        let mut texts = Vec::new();
        let mut before = false;
        while let Some(token) = tokens.next() {
            before |= token.is("before");
            if let Token::Text(text) = token {
                texts.push(text);
            }
        }
        if let (Some(labels), [first, rest @ ..]) = (self.catalog.enum_mut(name), &texts[..]) {
            let place = |label: &String| labels.iter().position(|known| known == label);
            match (is_new, rest.first()) {
                (true, other) if !labels.contains(first) => {
                    let at = other.and_then(place).map(|at| at + usize::from(!before));
                    labels.insert(at.unwrap_or(labels.len()), first.clone());
                }
                (false, Some(new)) => {
                    if let Some(at) = place(first) {
                        labels[at].clone_from(new);
                    }
                }
                // It is there already, as IF NOT EXISTS allows.
                (true, _) | (false, None) => {}
            }
        }
    }

    /// `ADD`, `ALTER`, `DROP` or `RENAME ATTRIBUTE`, behind these words.
    fn alter_attribute(&mut self, tokens: &mut Tokens, name: &TableName, action: &str) {
        if tokens.accept("if") {
            tokens.skip(1);
        }
        let Some(attribute) = tokens.identifier() else {
            return;
        };
        // `ALTER ATTRIBUTE a [SET DATA] TYPE t`, `RENAME ATTRIBUTE a TO b`
        while ["set", "data", "type", "to"]
            .iter()
            .any(|word| tokens.accept(word))
        {}
        let new_name = (action == "rename").then(|| tokens.identifier()).flatten();
        let (sql_type, written) = self.written_type_of(tokens);
        let Some(UserType::Composite(attributes)) = self.types.get_mut(name) else {
            return;
        };
        let place = attributes
            .iter()
            .position(|known| known.column.name == attribute);
        match (action, place) {
            ("drop", Some(place)) => {
                attributes.remove(place);
            }
            ("rename", Some(place)) => {
                attributes[place].column.name = new_name.unwrap_or(attribute);
            }
            ("alter", Some(place)) => {
                attributes[place] = Attribute::new(attribute, sql_type, written);
            }
            ("add", None) => attributes.push(Attribute::new(attribute, sql_type, written)),
            // PostgreSQL refuses these, or leaves the type as it is (IF EXISTS).
            _ => {}
        }
    }

    /// What stands behind `CREATE TABLE … OF type`: `(id NOT NULL, a WITH OPTIONS DEFAULT 1, CONSTRAINT …)`, or nothing.
    pub(crate) fn options(&mut self, tokens: &mut Tokens, table: &Table) -> Option<()> {
        if !tokens.accept_symbol(b'(') {
            return Some(());
        }
        loop {
            if tokens.at_constraint() {
                self.constraint(tokens, &table.name);
            } else {
                let column = tokens.identifier()?;
                let rest = tokens.rest_of_element().to_vec();
                if is_generated(&rest) {
                    let name = table.name.clone();
                    self.catalog.set_generated(name, column.clone());
                }
                if has_default(&rest) {
                    self.catalog.set_default(&table.name, &column, true);
                }
                self.column_keys(&table.name, &column, &rest);
            }
            tokens.skip_to_element_end();
            match tokens.next()? {
                Token::Symbol(b',') => {}
                _ => return Some(()),
            }
        }
    }

    /// Gives a table the columns of a composite type. False where there is none of that name.
    pub(crate) fn take_attributes(&mut self, of_type: &TableName, table: &mut Table) -> bool {
        let Some(UserType::Composite(attributes)) = self.types.get(of_type) else {
            return false;
        };
        self.taken += attributes.len();
        table.columns.clear();
        for Attribute { column, written } in attributes {
            table.columns.push(column.clone());
            if let Some(written) = written {
                let (table, column) = (table.name.clone(), column.name.clone());
                self.catalog
                    .set_written_type(table, column, Arc::clone(written));
            }
        }
        true
    }

    /// The tables that were made from a type change with it.
    fn type_changed(&mut self, name: &TableName) {
        let tables: Vec<TableName> = self
            .typed
            .iter()
            .filter(|(_, of_type)| *of_type == name)
            .map(|(table, _)| table.clone())
            .collect();
        for table in tables {
            if let Some(mut table) = self.catalog.table(&table).cloned()
                && self.taken <= super::create_table::MOST_TAKEN
            {
                self.take_attributes(name, &mut table);
                self.catalog.add(table);
            }
        }
    }

    /// Reads a type, up to the first word that cannot belong to it. Gives the type in SQL, too: as it is written where it is
    /// one of PostgreSQL's own or an enum.
    pub(crate) fn written_type_of(&self, tokens: &mut Tokens) -> (SqlType, String) {
        const AFTER: [&str; 19] = [
            "collate",
            "default",
            "not",
            "null",
            "constraint",
            "check",
            "generated",
            "unique",
            "primary",
            "references",
            "options",
            "storage",
            "compression",
            "deferrable",
            "initially",
            "using",
            "no",
            "cascade",
            "restrict",
        ];
        let defined = self.defined_type(tokens);
        let mut text = String::new();
        let mut depth = 0u32;
        while let Some(token) = tokens.peek() {
            match token {
                Token::Symbol(b',' | b')' | b';') if depth == 0 => break,
                Token::Word(word) if depth == 0 && AFTER.contains(&word.as_str()) => break,
                Token::Symbol(symbol) => {
                    depth += u32::from(*symbol == b'(');
                    depth = depth.saturating_sub(u32::from(*symbol == b')'));
                    text.push(char::from(*symbol));
                }
                Token::Word(word) => {
                    if !text.is_empty() && !text.ends_with(['.', '(', '[', ',']) {
                        text.push(' ');
                    }
                    text.push_str(word);
                }
                Token::Name(name) => text.push_str(&names::identifier(name)),
                Token::Text(_) => {}
            }
            tokens.skip(1);
        }
        let Some((name, user_type)) = defined else {
            let sql_type = SqlType::parse(&text);
            let written = SqlType::built_in_sql(&text).unwrap_or_else(|| sql_type.sql());
            return (sql_type, written);
        };
        let element = match user_type {
            UserType::Domain(base, _) => base.clone(),
            UserType::Enum | UserType::Composite(_) | UserType::Other => SqlType::of_name(name),
        };
        // A quoted name may end in anything.
        let bounds = text.rsplit('"').next().unwrap_or_default();
        let is_array = bounds.contains('[') || bounds.ends_with(" array");
        let enum_sql = match user_type {
            UserType::Enum => Some(names::table(name)),
            UserType::Domain(_, of_enum) => of_enum.clone(),
            UserType::Composite(_) | UserType::Other => None,
        };
        let (sql_type, enum_sql) = match is_array {
            true => {
                let sql = enum_sql.map(|sql| format!("{sql}[]"));
                (SqlType::Array(Box::new(element)), sql)
            }
            false => (element, enum_sql),
        };
        let written = enum_sql.unwrap_or_else(|| sql_type.sql());
        (sql_type, written)
    }

    /// The type of the snapshot that the name means which the tokens are at, if it means one.
    fn defined_type(&self, tokens: &Tokens) -> Option<(&TableName, &UserType)> {
        let first = tokens.peek()?;
        let (name, is_quoted) = match first {
            Token::Word(word) => (word, false),
            Token::Name(name) => (name, true),
            Token::Text(_) | Token::Symbol(_) => return None,
        };
        if let Some(qualified) = self.name_at(tokens) {
            return self.types.get_key_value(&qualified);
        }
        let is_word = WORDS.contains(&name.as_str());
        if is_word && !is_quoted {
            return None;
        }
        let only_ours = is_quoted && ONLY_WORDS.contains(&name.as_str());
        if !only_ours && !self.catalog_last && SqlType::is_built_in(name) {
            return None;
        }
        let first = self.schema.as_deref().unwrap_or("public");
        let further = self.further_schemas.iter().map(String::as_str);
        let mut schemas = [first].into_iter().chain(further).chain(["public"]);
        schemas.find_map(|schema| self.types.get_key_value(&TableName::new(schema, name)))
    }

    /// A name with a schema that the tokens are at.
    fn name_at(&self, tokens: &Tokens) -> Option<TableName> {
        let mut ahead = tokens.ahead(6);
        let name = self.name(&mut ahead)?;
        (ahead.taken() > 1).then_some(name)
    }
}
