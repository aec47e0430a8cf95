//! Printed Ruby hashes: `{"a"=>1, :b=>[nil, true]}`, what `Hash#inspect` gave before Ruby 3.4.
//!
//! Keys are texts or symbols, values these, numbers, `nil`, truths, lists and hashes. Of the escapes in texts those are read
//! that JSON has, too. With any other, such as `\e` or `\#`, the whole text is unreadable.

use std::rc::Rc;

use super::Unreadable;
use super::tree::{Entry, MAX_DEPTH, MAX_NODES, Node, Value, unique};
use crate::export::values::float::json_number_length;

/// The hash that a text is, with any white space around it. `None` for a text that does not begin like one: with a brace,
/// a key and an arrow.
///
/// # Errors
/// The text begins like a printed hash and does not go on like one.
pub(super) fn read(text: &str) -> Result<Option<Rc<Node>>, Unreadable> {
    let mut reader = Reader {
        rest: text.trim(),
        nodes: 0,
    };
    let mut ahead = Reader {
        rest: reader.rest,
        nodes: 0,
    };
    let is_hash = ahead.take("{") && ahead.key().is_ok() && ahead.takes_arrow();
    if !is_hash {
        return Ok(None);
    }
    let hash = reader.value(0)?;
    if reader.rest.is_empty() {
        Ok(Some(hash))
    } else {
        Err(Unreadable::NotAPrintedHash)
    }
}

struct Reader<'a> {
    rest: &'a str,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Rc<Node>, Unreadable> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Unreadable::TooLarge);
        }
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let value = match self.rest.as_bytes().first() {
            Some(b'{') => Value::Object(self.hash(depth)?),
            Some(b'[') => Value::List(self.list(depth)?),
            Some(b'"' | b':') => Value::Text(self.key()?),
            _ => self.word()?,
        };
        Node::new(value)
    }

    fn hash(&mut self, depth: usize) -> Result<Vec<Entry>, Unreadable> {
        let mut entries = Vec::new();
        self.rest = &self.rest[1..];
        if self.take("}") {
            return Ok(entries);
        }
        loop {
            let key = self.key()?;
            if !self.takes_arrow() {
                return Err(Unreadable::NotAPrintedHash);
            }
            entries.push((key.into(), self.value(depth + 1)?));
            if self.ends_with("}")? {
                return Ok(unique(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Rc<Node>>, Unreadable> {
        let mut items = Vec::new();
        self.rest = &self.rest[1..];
        if self.take("]") {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends_with("]")? {
                return Ok(items);
            }
        }
    }

    /// After an item: whether the list ends here; else a comma was taken.
    fn ends_with(&mut self, bracket: &str) -> Result<bool, Unreadable> {
        if self.take(bracket) {
            return Ok(true);
        }
        if !self.take(",") {
            return Err(Unreadable::NotAPrintedHash);
        }
        self.skip_space();
        Ok(false)
    }

    /// Text in quotes, or a symbol: `:a`, `:"a b"`.
    fn key(&mut self) -> Result<String, Unreadable> {
        if !self.take(":") || self.rest.starts_with('"') {
            return self.quoted();
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        if name.is_empty() || name.starts_with(char::is_numeric) {
            return Err(Unreadable::NotAPrintedHash);
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn quoted(&mut self) -> Result<String, Unreadable> {
        if !self.take("\"") {
            return Err(Unreadable::NotAPrintedHash);
        }
        let mut text = String::new();
        loop {
            let length = self
                .rest
                .find(['"', '\\'])
                .ok_or(Unreadable::NotAPrintedHash)?;
            text.push_str(&self.rest[..length]);
            self.rest = &self.rest[length..];
            if self.take("\"") {
                return Ok(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let mut chars = self.rest.chars();
        let (_, escape) = (chars.next(), chars.next());
        let c = match escape {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let digits = chars
                    .as_str()
                    .get(..4)
                    .filter(|digits| !digits.starts_with('+'));
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let c = code
                    .and_then(char::from_u32)
                    .ok_or(Unreadable::NotAPrintedHash)?;
                self.rest = &chars.as_str()[4..];
                return Ok(c);
            }
            _ => return Err(Unreadable::NotAPrintedHash),
        };
        self.rest = chars.as_str();
        Ok(c)
    }

    /// `nil`, a truth or a number.
    fn word(&mut self) -> Result<Value, Unreadable> {
        let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
        let (word, rest) = self
            .rest
            .split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            // JSON has no infinities.
            "nil" | "NaN" | "Infinity" | "-Infinity" => Ok(Value::Null),
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ if json_number_length(word.as_bytes()) == Some(word.len()) => {
                Ok(Value::Number(word.to_owned()))
            }
            _ => Err(Unreadable::NotAPrintedHash),
        }
    }

    /// `=>`, which Ruby writes with spaces around it or without.
    fn takes_arrow(&mut self) -> bool {
        self.skip_space();
        let arrow = self.take("=>");
        self.skip_space();
        arrow
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }
}
