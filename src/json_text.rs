//! JSON as text: one form for all texts of one value, and an object cut into its keys.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text without white space, its strings escaped as serde_json does it. Equal texts are equal values; numbers stay
/// what they are, digit by digit, and keys stay where they are.
///
/// What is no JSON stays no JSON: nothing is checked here.
pub(crate) fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            _ => first.len_utf8(),
        };
        let (part, behind) = rest.split_at(length);
        match first {
            '"' => match serde_json::from_str::<String>(part) {
                Ok(string) => push_string(&string, &mut out),
                // Half of a pair of surrogates, which a column of type json may hold.
                Err(_) => out.push_str(part),
            },
            ' ' | '\t' | '\n' | '\r' => {}
            _ => out.push_str(part),
        }
        rest = behind;
    }
    out
}

/// Bytes of the string that a text begins with, both quotes included; all of a text whose string does not end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Appends a string as JSON.
pub(crate) fn push_string(text: &str, out: &mut String) {
    // A string can always be written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// A string as JSON.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::new();
    push_string(text, &mut out);
    out
}

/// The keys of an object with the texts of their values, in their order, also those that stand twice.
#[derive(Debug, Default)]
pub(crate) struct Object<'t>(pub(crate) Vec<(String, &'t str)>);

impl<'t> Object<'t> {
    /// Reads an object; `None` if the text is none.
    pub(crate) fn parse(text: &'t str) -> Option<Object<'t>> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let object = reader.deserialize_map(ObjectVisitor).ok()?;
        reader.end().ok()?;
        Some(object)
    }
}

impl<'de> serde::Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            entries.push((key, value.get()));
        }
        Ok(Object(entries))
    }
}

/// The texts of an array's elements; `None` if the text is no array.
pub(crate) fn elements(text: &str) -> Option<Vec<&str>> {
    let elements = serde_json::from_str::<Vec<&RawValue>>(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_value_have_one_form() {
        for (one, other) in [
            (r#"{"a" : [1, 2.50]}"#, r#"{"a":[1,2.50]}"#),
            (r#""\u003cb\u003e\/""#, r#""<b>/""#),
            (r#""a\"b,c""#, r#" "a\u0022b,c" "#),
            (r#""ü""#, r#""\u00fc""#),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one}");
        }
        for (one, other) in [
            ("1.0", "1.00"),
            ("\"1\"", "1"),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            (r#""a b""#, r#""ab""#),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn an_object_is_cut_into_its_keys_and_nothing_else_is() {
        let object = Object::parse(r#"{"b":{"x":[1]},"a":"é","b":null}"#).unwrap();
        let keys: Vec<(&str, &str)> = object.0.iter().map(|(key, text)| (&**key, *text)).collect();
        assert_eq!(keys, [("b", r#"{"x":[1]}"#), ("a", "\"é\""), ("b", "null")]);
        for text in ["[]", "{} {}", "{", "", "{\"a\":}"] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
        assert_eq!(elements("[1, {\"a\":[]}]").unwrap(), ["1", "{\"a\":[]}"]);
        assert!(elements("{}").is_none());
    }
}
