//! A file's text as a tree of values, each with its place.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::job::Mistake;
use super::table::Mistakes;
use super::{ConfigFile, MAX_BYTES};

/// Tables and lists in one another that a file may have. Nothing that is known has more than 4.
const DEEPEST: usize = 16;

/// Where in a file something stands.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    text: Arc<str>,
    /// In bytes.
    offset: usize,
}

impl Place {
    /// Line, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.before().bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// Column in characters, counted from 1.
    fn column(&self) -> usize {
        let before = self.before();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.chars().count() + 1
    }

    fn before(&self) -> &str {
        self.text.get(..self.offset).unwrap_or_default()
    }

    pub(super) fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake {
            file: self.file.to_path_buf(),
            line: self.line(),
            column: self.column(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line())
    }
}

#[derive(Clone)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) data: Data,
}

/// What a value is. It may be a secret, so it is never printed.
#[derive(Clone, PartialEq)]
pub(super) enum Data {
    Text(String),
    /// As decimal digits, of any size.
    Integer(String),
    /// As it is written.
    Float(String),
    Boolean(bool),
    /// As it is written.
    Time(String),
    List(Vec<Value>),
    Table(Table),
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.data == other.data
    }
}

/// In the order of the file.
#[derive(Clone, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.entries.len() == other.entries.len()
            && self
                .entries
                .iter()
                .all(|entry| other.get(&entry.key) == Some(&entry.value))
    }
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// That of the key.
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let mut entries = self.entries.iter();
        Some(&entries.find(|entry| entry.key == key)?.value)
    }

    /// Adds what another file says. One of the two would be lost if both said the same.
    pub(super) fn add(&mut self, entry: Entry, mistakes: &mut Mistakes) {
        match self.entries.iter().find(|other| other.key == entry.key) {
            Some(other) => {
                let message = format!(
                    "`{}` is already said at {}; leave one of them out",
                    entry.key, other.place
                );
                mistakes.at(&entry.place, message);
            }
            None => self.entries.push(entry),
        }
    }
}

/// Reads a file's text.
///
/// # Errors
/// Where it is no TOML. Nothing else is said of such a file: what follows cannot be told.
pub(super) fn parse(file: &ConfigFile) -> Result<Table, Vec<Mistake>> {
    let texts = Texts {
        file: file.path.as_path().into(),
        text: file.text.as_str().into(),
    };
    if file.text.len() > MAX_BYTES {
        return Err(vec![Mistake {
            file: file.path.clone(),
            line: 0,
            column: 0,
            message: format!(
                "the file cannot be a configuration: it has {} bytes, and at most {MAX_BYTES} are read",
                file.text.len()
            ),
        }]);
    }
    if let Some(offset) = too_deep(&file.text) {
        let message = "a key has more parts than any that is known; write fewer dots";
        return Err(vec![texts.place(offset..offset).mistake(message)]);
    }
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    if !errors.is_empty() {
        let mistakes = errors.iter().map(|error| {
            let place = texts.place(error.span().unwrap_or_default());
            place.mistake(format!("this is no TOML: {}", error.message()))
        });
        return Err(mistakes.collect());
    }
    let mut mistakes = Vec::new();
    let table = texts.table(table.get_ref(), 0, &mut mistakes);
    match mistakes.is_empty() {
        true => Ok(table),
        false => Err(mistakes),
    }
}

/// Where a key with very many parts begins: the tree that would be made of it is one that costs a stack to throw away.
fn too_deep(text: &str) -> Option<usize> {
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        if line.bytes().filter(|byte| *byte == b'.').count() > 1000 {
            return Some(begin);
        }
        begin += line.len();
    }
    None
}

struct Texts {
    file: Arc<Path>,
    text: Arc<str>,
}

impl Texts {
    fn place(&self, span: Range<usize>) -> Place {
        let mut offset = span.start.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        Place {
            file: Arc::clone(&self.file),
            text: Arc::clone(&self.text),
            offset,
        }
    }

    fn table(&self, table: &DeTable<'_>, depth: usize, mistakes: &mut Vec<Mistake>) -> Table {
        let mut entries: Vec<(usize, Entry)> = Vec::new();
        for (key, value) in table {
            let place = self.place(key.span());
            if let Some(value) = self.value(value, &place, depth + 1, mistakes) {
                let key = key.get_ref().clone().into_owned();
                entries.push((place.offset, Entry { key, place, value }));
            }
        }
        entries.sort_by_key(|(offset, _)| *offset);
        Table {
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        }
    }

    fn value(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &Place,
        depth: usize,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Value> {
        if depth > DEEPEST {
            mistakes.push(key.mistake("this lies deeper than anything that is known"));
            return None;
        }
        let place = self.place(value.span());
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(text.clone().into_owned()),
            DeValue::Integer(integer) => {
                match i128::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => Data::Integer(number.to_string()),
                    Err(_) => {
                        mistakes.push(
                            place.mistake("the number is larger than any that is meant here"),
                        );
                        return None;
                    }
                }
            }
            DeValue::Float(float) => Data::Float(float.as_str().to_owned()),
            DeValue::Boolean(boolean) => Data::Boolean(*boolean),
            DeValue::Datetime(time) => Data::Time(time.to_string()),
            DeValue::Array(list) => Data::List(
                list.iter()
                    .filter_map(|value| self.value(value, key, depth + 1, mistakes))
                    .collect(),
            ),
            DeValue::Table(table) => Data::Table(self.table(table, depth, mistakes)),
        };
        Some(Value { place, data })
    }
}
