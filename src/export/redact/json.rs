//! Redaction inside JSON: strings and numbers by rules; keys, true, false and null stay.
//!
//! The text goes through token by token, so that what no rule is for keeps its bytes. Nesting costs no call stack. Text that
//! is no JSON comes out as something that is none either, which the codec behind it refuses.

use std::borrow::Cow;

use super::texts::Texts;
use crate::export::values::write_json_str;

/// Where in a document a rule holds: the parts of a JSON pointer, in which `*` is any key or position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    parts: Vec<PointerPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PointerPart {
    Any,
    Named(String),
}

impl Pointer {
    /// Reads a pointer (RFC 6901): empty for the whole document.
    pub(super) fn parse(text: &str) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer { parts: Vec::new() });
        }
        let parts = text.strip_prefix('/')?.split('/');
        let parts = parts.map(|part| match part {
            "*" => PointerPart::Any,
            part => PointerPart::Named(part.replace("~1", "/").replace("~0", "~")),
        });
        Some(Pointer {
            parts: parts.collect(),
        })
    }

    /// The pointer to the whole document.
    pub(super) fn whole() -> Pointer {
        Pointer { parts: Vec::new() }
    }

    /// How many of its parts are names.
    fn names(&self) -> usize {
        let parts = self.parts.iter();
        parts
            .filter(|part| matches!(part, PointerPart::Named(_)))
            .count()
    }
}

/// What stands in place of a part of a document.
#[derive(Debug, Clone)]
pub(super) enum PartMask {
    Keep,
    /// This JSON text, whatever is there but null.
    Constant(Vec<u8>),
    Texts(Texts),
}

/// The rules of a document.
pub(super) type Parts = [(Pointer, PartMask)];

/// An array or object that is open.
struct Open {
    is_object: bool,
    /// The position of the next element.
    position: usize,
    /// How many keys and positions lead to what is in it, but for the last.
    depth: usize,
    /// The rules whose pointers lead here or through it.
    alive: Vec<usize>,
    /// The rule that holds for what is in it, unless one goes further in.
    rule: Option<usize>,
    /// The key whose value comes next.
    key: Option<String>,
}

/// Appends JSON text with its parts redacted.
pub(super) fn redact(parts: &Parts, text: &[u8], out: &mut Vec<u8>) {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let expects_key = open
            .last()
            .is_some_and(|open| open.is_object && open.key.is_none());
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {
                out.push(byte);
                at += 1;
            }
            b',' => {
                if let Some(open) = open.last_mut() {
                    open.key = None;
                    open.position += 1;
                }
                out.push(byte);
                at += 1;
            }
            b']' | b'}' => {
                open.pop();
                out.push(byte);
                at += 1;
            }
            b'"' if expects_key => {
                let end = string_end(text, at);
                if let Some(open) = open.last_mut() {
                    open.key = Some(string(&text[at..end]).into_owned());
                }
                out.extend_from_slice(&text[at..end]);
                at = end;
            }
            _ => {
                let (alive, rule) = reach(parts, open.last());
                let mask = rule.and_then(|rule| parts.get(rule)).map(|(_, mask)| mask);
                let is_open = matches!(byte, b'[' | b'{');
                match mask {
                    Some(PartMask::Constant(json)) => {
                        let end = value_end(text, at);
                        let is_null = text[at..end] == *b"null";
                        out.extend_from_slice(if is_null { b"null" } else { json });
                        at = end;
                    }
                    _ if is_open => {
                        let depth = open.len();
                        open.push(Open {
                            depth,
                            is_object: byte == b'{',
                            position: 0,
                            alive,
                            rule,
                            key: None,
                        });
                        out.push(byte);
                        at += 1;
                    }
                    Some(PartMask::Texts(texts)) => {
                        let end = value_end(text, at);
                        redact_scalar(texts, &text[at..end], out);
                        at = end;
                    }
                    Some(PartMask::Keep) | None => {
                        let end = value_end(text, at);
                        out.extend_from_slice(&text[at..end]);
                        at = end;
                    }
                }
            }
        }
    }
}

/// The rules whose pointers lead to the next value or through it, and the one that holds for it.
fn reach(parts: &Parts, within: Option<&Open>) -> (Vec<usize>, Option<usize>) {
    let Some(open) = within else {
        let all: Vec<usize> = (0..parts.len()).collect();
        let rule = best(parts, &all, 0);
        return (all, rule);
    };
    let position;
    let key = match &open.key {
        Some(key) => key.as_str(),
        None => {
            position = open.position.to_string();
            &position
        }
    };
    let leads = |index: &usize| {
        let pointer = parts.get(*index).map(|(pointer, _)| pointer);
        match pointer.and_then(|pointer| pointer.parts.get(open.depth)) {
            Some(PointerPart::Any) => true,
            Some(PointerPart::Named(name)) => name == key,
            None => false,
        }
    };
    let alive: Vec<usize> = open.alive.iter().copied().filter(leads).collect();
    let rule = best(parts, &alive, open.depth + 1);
    (alive, rule.or(open.rule))
}

/// Of rules whose pointers end at a depth, the one that names most; of several, the first.
fn best(parts: &Parts, alive: &[usize], depth: usize) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for index in alive {
        let Some((pointer, _)) = parts.get(*index) else {
            continue;
        };
        let names = pointer.names();
        if pointer.parts.len() == depth && best.is_none_or(|(_, most)| names > most) {
            best = Some((*index, names));
        }
    }
    best.map(|(index, _)| index)
}

/// A string or a number by its rule; true, false and null stay.
fn redact_scalar(texts: &Texts, token: &[u8], out: &mut Vec<u8>) {
    match token {
        b"true" | b"false" | b"null" => out.extend_from_slice(token),
        [b'"', ..] => write_json_str(&texts.of(&string(token)), out),
        number => write_json_str(&texts.of(&String::from_utf8_lossy(number)), out),
    }
}

/// The text of a string with its quotes. One that holds half a character of UTF-16 is taken as it is written.
fn string(token: &[u8]) -> Cow<'_, str> {
    match serde_json::from_slice::<String>(token) {
        Ok(text) => Cow::Owned(text),
        Err(_) => String::from_utf8_lossy(token),
    }
}

/// Where the string that begins here ends, behind its last quote.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Where the value that begins here ends.
fn value_end(text: &[u8], start: usize) -> usize {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at),
            b'[' | b'{' => {
                depth += 1;
                at += 1;
            }
            b']' | b'}' => {
                depth = match depth.checked_sub(1) {
                    Some(depth) => depth,
                    // It is the end of what the value stands in.
                    None => return at,
                };
                at += 1;
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}
