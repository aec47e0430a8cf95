//! The value that is written in place of a column's, for a column of one type.

use std::borrow::Cow;

use super::json::{self, PartMask, Pointer};
use super::key::{DigestUse, RedactionKey};
use super::rule::{Rule, TextRule};
use super::texts::Texts;
use crate::export::values::{self, Codec, ValueError};
use crate::hex;
use crate::snapshot::SqlType;
use crate::snapshot::codec::copy_text;

/// NULL in COPY's text form.
const NULL: &[u8] = br"\N";

/// What is written in place of a column's values.
#[derive(Debug, Clone)]
pub(in crate::export) struct Mask {
    /// The rule's name, for the manifest.
    pub(super) word: &'static str,
    action: Action,
}

#[derive(Debug, Clone)]
enum Action {
    Keep,
    /// The same of every value but NULL: a field in COPY's text form, and JSON.
    Constant {
        field: Vec<u8>,
        json: Vec<u8>,
    },
    Texts(Texts, Shape),
    Inside(Vec<(Pointer, PartMask)>),
}

/// What a column's values are, as far as redaction has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Json,
    Bytea,
    Array { element: Box<Shape>, delimiter: u8 },
}

impl Shape {
    /// That of a type.
    pub(super) fn of(sql_type: &SqlType) -> Shape {
        Shape::of_codec(&Codec::of(sql_type))
    }

    fn of_codec(codec: &Codec) -> Shape {
        match codec {
            Codec::Json => Shape::Json,
            Codec::Bytea => Shape::Bytea,
            Codec::Array { element, delimiter } => Shape::Array {
                element: Box::new(Shape::of_codec(element)),
                delimiter: *delimiter,
            },
            // Values of the others are texts, or no text rule is for them.
            Codec::Integer
            | Codec::Boolean
            | Codec::Timestamp
            | Codec::TimestampTz
            | Codec::Date
            | Codec::Numeric
            | Codec::Float
            | Codec::Text
            | Codec::Exact(_) => Shape::Text,
        }
    }
}

/// Why a rule is not for a column.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaskError {
    #[error("`{0}` is for texts; write `null`, `keep` or a constant")]
    NoText(&'static str),
    #[error("`inside` is for json and jsonb; write another rule")]
    NoJson,
    #[error("the constant is no value of the column's type; write one that is")]
    Constant,
    #[error("`{0}` needs a key; name its file with --redact-key-file")]
    NoKey(&'static str),
}

impl Mask {
    /// The mask of a rule for a column of a type. `may_hold_text` says whether values of the type may hold text.
    pub(super) fn new(
        rule: &Rule,
        sql_type: &SqlType,
        may_hold_text: bool,
        key: Option<&RedactionKey>,
    ) -> Result<Mask, MaskError> {
        let shape = Shape::of(sql_type);
        let action = match rule {
            Rule::Keep => Action::Keep,
            Rule::Null => Action::Constant {
                field: NULL.to_vec(),
                json: b"null".to_vec(),
            },
            Rule::Constant(value) => constant(value, sql_type, &shape)?,
            Rule::Texts(texts) if may_hold_text => {
                let key = key.ok_or(MaskError::NoKey(rule.word()))?;
                Action::Texts(made(texts, sql_type, key), shape)
            }
            Rule::Texts(_) => return Err(MaskError::NoText(rule.word())),
            Rule::Inside(parts) if shape == Shape::Json => {
                let parts = parts.iter().map(|(pointer, rule)| {
                    let mask = match rule {
                        Rule::Keep => PartMask::Keep,
                        Rule::Null => PartMask::Constant(b"null".to_vec()),
                        Rule::Constant(value) => PartMask::Constant(value.to_string().into_bytes()),
                        Rule::Texts(texts) => {
                            let key = key.ok_or(MaskError::NoKey(rule.word()))?;
                            PartMask::Texts(made(texts, sql_type, key))
                        }
                        // The file's reader lets none stand in another one.
                        Rule::Inside(_) => return Err(MaskError::NoJson),
                    };
                    Ok((pointer.clone(), mask))
                });
                Action::Inside(parts.collect::<Result<_, _>>()?)
            }
            Rule::Inside(_) => return Err(MaskError::NoJson),
        };
        Ok(Mask {
            word: rule.word(),
            action,
        })
    }

    /// True if what is written is what the snapshot holds.
    pub(in crate::export) fn keeps(&self) -> bool {
        matches!(self.action, Action::Keep)
    }

    /// The field that stands in place of one, both in COPY's text form. NULL stays NULL.
    ///
    /// # Errors
    /// As of the column's codec, of a field that is no value of its type.
    pub(in crate::export) fn field<'r>(&self, field: &'r [u8]) -> Result<Cow<'r, [u8]>, ValueError>
    where
        Self: 'r,
    {
        if values::is_null(field) {
            return Ok(Cow::Borrowed(field));
        }
        let redacted = match &self.action {
            Action::Keep => return Ok(Cow::Borrowed(field)),
            Action::Constant { field, .. } => return Ok(Cow::Owned(field.clone())),
            Action::Texts(texts, shape) => in_shape(texts, shape, &values::decode_copy(field)?)?,
            Action::Inside(parts) => {
                let mut redacted = Vec::new();
                json::redact(parts, &values::decode_copy(field)?, &mut redacted);
                redacted
            }
        };
        let mut encoded = Vec::with_capacity(redacted.len());
        copy_text::encode(&redacted, &mut encoded);
        Ok(Cow::Owned(encoded))
    }

    /// What stands in place of a text that tells things apart; `None` if it would be the same for all of them.
    pub(super) fn text(&self, text: &str) -> Option<String> {
        match &self.action {
            Action::Keep | Action::Inside(_) => Some(text.to_owned()),
            Action::Constant { .. } => None,
            Action::Texts(texts, _) => Some(texts.of(text)),
        }
    }

    /// What stands in place of a value that is JSON already: one that was decoded, or taken from a file.
    pub(in crate::export) fn json(&self, value: &[u8]) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(value.len());
        match &self.action {
            Action::Keep => redacted.extend_from_slice(value),
            Action::Constant { .. } if value == b"null" => redacted.extend_from_slice(value),
            Action::Constant { json, .. } => redacted.extend_from_slice(json),
            Action::Texts(texts, _) => {
                let parts = [(Pointer::whole(), PartMask::Texts(texts.clone()))];
                json::redact(&parts, value, &mut redacted);
            }
            Action::Inside(parts) => json::redact(parts, value, &mut redacted),
        }
        redacted
    }
}

fn made(rule: &TextRule, sql_type: &SqlType, key: &RedactionKey) -> Texts {
    let mut element = sql_type;
    while let SqlType::Array(inner) = element {
        element = inner;
    }
    Texts {
        rule: rule.clone(),
        key: key.clone(),
        folds: *element == SqlType::Citext,
    }
}

/// A decoded value with its texts redacted.
fn in_shape(texts: &Texts, shape: &Shape, value: &[u8]) -> Result<Vec<u8>, ValueError> {
    match shape {
        Shape::Text => {
            let text = std::str::from_utf8(value).map_err(|error| ValueError::InvalidUtf8 {
                at: error.valid_up_to(),
            })?;
            Ok(texts.of(text).into_bytes())
        }
        Shape::Json => {
            let mut redacted = Vec::new();
            let parts = [(Pointer::whole(), PartMask::Texts(texts.clone()))];
            json::redact(&parts, value, &mut redacted);
            Ok(redacted)
        }
        Shape::Bytea => {
            let mut digits = Vec::new();
            values::write_bytea(value, &mut digits)?;
            // Two forms of the same bytes have the same digits, in quotes.
            let digits = digits
                .get(1..digits.len().saturating_sub(1))
                .unwrap_or_default();
            let digest = match digits.is_empty() {
                true => String::new(),
                false => hex::encode(&texts.key.digest(DigestUse::Hash, digits)),
            };
            Ok(format!("\\x{digest}").into_bytes())
        }
        Shape::Array { element, delimiter } => {
            values::replace_elements(*delimiter, value, |it| in_shape(texts, element, it))
        }
    }
}

/// A constant, as the column's type has it; of an array that of every element, or the whole one.
fn constant(
    value: &serde_json::Value,
    sql_type: &SqlType,
    shape: &Shape,
) -> Result<Action, MaskError> {
    let text = match (value, shape) {
        (value, Shape::Json) => value.to_string(),
        (serde_json::Value::Array(elements), Shape::Array { .. }) => array(elements)?,
        (value, _) => scalar(value)?,
    };
    let mut field = Vec::new();
    copy_text::encode(text.as_bytes(), &mut field);
    let mut json = Vec::new();
    values::write(&Codec::of(sql_type), &field, &mut json).map_err(|_| MaskError::Constant)?;
    Ok(Action::Constant { field, json })
}

/// A plain value as PostgreSQL's text.
fn scalar(value: &serde_json::Value) -> Result<String, MaskError> {
    match value {
        serde_json::Value::String(text) => Ok(text.clone()),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        serde_json::Value::Bool(value) => Ok(if *value { "t" } else { "f" }.to_owned()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            Err(MaskError::Constant)
        }
    }
}

/// An array of plain values as PostgreSQL's text.
fn array(elements: &[serde_json::Value]) -> Result<String, MaskError> {
    let mut text = String::from("{");
    for (position, element) in elements.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        match element {
            serde_json::Value::Null => text.push_str("NULL"),
            element => {
                let element = scalar(element)?.replace('\\', "\\\\").replace('"', "\\\"");
                text.push('"');
                text.push_str(&element);
                text.push('"');
            }
        }
    }
    text.push('}');
    Ok(text)
}
