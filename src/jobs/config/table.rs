//! Values of a table as what they are meant to be, and what is said if they are something else.

use std::time::Duration;

use super::super::job::Mistake;
use super::document::{Data, Place, Table, Value};
use crate::time_span;

/// The mistakes that were found so far.
#[derive(Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn at(&mut self, place: &Place, message: impl Into<String>) {
        self.found.push(place.mistake(message));
    }

    pub(super) fn extend(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        self.found.extend(mistakes);
    }

    pub(super) fn into_inner(self) -> Vec<Mistake> {
        self.found
    }

    /// A text that is not empty, and can be an argument or a path.
    pub(super) fn text<'v>(&mut self, key: &str, value: &'v Value) -> Option<&'v str> {
        let message = match &value.data {
            Data::Text(text) if text.contains('\0') => {
                format!("`{key}` has a zero byte in it; leave it out")
            }
            Data::Text(text) if text.is_empty() => {
                format!("`{key}` is empty; write its value, or leave the key out")
            }
            Data::Text(text) => return Some(text),
            other => format!("`{key}` is a text in quotes, not {}", kind(other)),
        };
        self.at(&value.place, message);
        None
    }

    pub(super) fn boolean(&mut self, key: &str, value: &Value) -> Option<bool> {
        if let Data::Boolean(boolean) = value.data {
            return Some(boolean);
        }
        let message = format!("`{key}` is true or false, not {}", kind(&value.data));
        self.at(&value.place, message);
        None
    }

    /// A time such as `10min`.
    pub(super) fn time(&mut self, key: &str, value: &Value) -> Option<Duration> {
        let text = match &value.data {
            Data::Integer(digits) => digits,
            _ => self.text(key, value)?,
        };
        match time_span::parse(text) {
            Ok(time) => Some(time),
            Err(wrong) => {
                self.at(&value.place, format!("`{key}`: {wrong}"));
                None
            }
        }
    }

    /// A text or a number, or a list of them: each with its place.
    pub(super) fn scalars(&mut self, key: &str, value: &Value) -> Option<Vec<(String, Place)>> {
        let values = match &value.data {
            Data::List(values) => values.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let scalars: Vec<_> = values
            .iter()
            .map(|value| Some((self.scalar(key, value)?, value.place.clone())))
            .collect();
        scalars.into_iter().collect()
    }

    /// A text or a number.
    pub(super) fn scalar(&mut self, key: &str, value: &Value) -> Option<String> {
        match &value.data {
            Data::Integer(text) | Data::Float(text) => Some(text.clone()),
            Data::Text(_) => self.text(key, value).map(str::to_owned),
            other => {
                let message = format!("`{key}` is a text or a number, not {}", kind(other));
                self.at(&value.place, message);
                None
            }
        }
    }

    pub(super) fn table<'v>(&mut self, key: &str, value: &'v Value) -> Option<&'v Table> {
        if let Data::Table(table) = &value.data {
            return Some(table);
        }
        let message = format!("`{key}` is a table, not {}", kind(&value.data));
        self.at(&value.place, message);
        None
    }
}

/// What a value is, in words.
pub(super) fn kind(data: &Data) -> &'static str {
    match data {
        Data::Text(_) => "a text",
        Data::Integer(_) | Data::Float(_) => "a number",
        Data::Boolean(_) => "true or false",
        Data::Time(_) => "a date or time",
        Data::List(_) => "a list",
        Data::Table(_) => "a table",
    }
}
