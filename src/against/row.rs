//! A row of the snapshot: its fields as texts, and what is kept of it at a spot.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use sha1::{Digest, Sha1};

use crate::hex;
use crate::key::KeyForm;
use crate::pipeline::ValueForm;
use crate::snapshot::codec::{copy_text, csv_text};
use crate::snapshot::{BlockHead, RowForm};

use super::spots::{Field, Made, Make, Part, Spot};
use super::value;
use crate::json_text as json;
use crate::salt::{ABSENT, Key, Salt, Sum};

/// Where the columns of a block's rows stand.
pub(super) struct Head<'h> {
    columns: HashMap<&'h str, usize>,
    form: RowForm,
}

impl<'h> Head<'h> {
    pub(super) fn new(head: &'h BlockHead) -> Head<'h> {
        let columns = head.columns.iter().enumerate();
        Head {
            columns: columns.map(|(at, name)| (name.as_str(), at)).collect(),
            form: head.form,
        }
    }
}

/// How the fields of a row are written.
pub(super) enum Fields<'f> {
    Copy(&'f [Range<usize>]),
    Csv(&'f [csv_text::CsvField]),
}

/// A row with its columns' names.
pub(super) struct RowText<'r> {
    pub(super) head: &'r Head<'r>,
    pub(super) bytes: &'r [u8],
    pub(super) fields: Fields<'r>,
}

impl RowText<'_> {
    pub(super) fn len(&self) -> usize {
        match self.fields {
            Fields::Copy(fields) => fields.len(),
            Fields::Csv(fields) => fields.len(),
        }
    }

    /// True for a column whose key records do not have: one that the database computes, or that a CSV file was made
    /// without. What a dump's rows lack else a server fills in with NULL.
    fn is_left_out(&self, spot: &Spot, column: &str) -> bool {
        match self.head.form {
            RowForm::Csv => !self.head.columns.contains_key(column),
            RowForm::CopyText => spot.is_generated(column),
        }
    }

    /// The value of a column; `None` for NULL, and for a column that the data does not have.
    pub(super) fn value(&self, column: &str) -> Option<Cow<'_, [u8]>> {
        let at = *self.head.columns.get(column)?;
        let mut decoded = Vec::new();
        match self.fields {
            Fields::Copy(fields) => {
                let field = &self.bytes[fields.get(at)?.clone()];
                match copy_text::decode(field, &mut decoded) {
                    Ok(Some(())) => Some(Cow::Owned(decoded)),
                    Ok(None) => None,
                    // No server writes such a field. It stays what it is, which is no value.
                    Err(_) => Some(Cow::Borrowed(field)),
                }
            }
            Fields::Csv(fields) => {
                let field = fields.get(at)?;
                let bytes = &self.bytes[field.range.clone()];
                match field.quoted {
                    true => {
                        csv_text::unquote(bytes, &mut decoded);
                        Some(Cow::Owned(decoded))
                    }
                    false => (!bytes.is_empty()).then_some(Cow::Borrowed(bytes)),
                }
            }
        }
    }

    /// The key that columns are; `None` if one of them is NULL or no value of its type.
    pub(super) fn key(&self, columns: &[(String, KeyForm)], salt: Salt) -> Option<Key> {
        let texts = columns.iter().map(|(name, form)| {
            let value = self.value(name)?;
            Some(form.canonical(&value)?.into_owned())
        });
        Some(salt.key(&texts.collect::<Option<Vec<_>>>()?))
    }

    fn integer(&self, column: &str) -> Option<i64> {
        let value = self.value(column)?;
        std::str::from_utf8(&value).ok()?.trim().parse().ok()
    }

    /// The JSON text of a field; `None` if a value of it is none of its type. Values that are looked up are not the row's.
    fn json(&self, make: &Make, form: ValueForm) -> Option<String> {
        let plain = |column: &super::spots::Column| {
            value::json_of(&column.sql_type, form, self.value(&column.name).as_deref())
        };
        match make {
            Make::Plain(column) => plain(column),
            Make::Names(column, names) => {
                if self.value(&column.name).is_none() {
                    return Some("null".to_owned());
                }
                let number = self.integer(&column.name)?;
                Some(match names.get(&number) {
                    Some(name) => json::string(name),
                    None => number.to_string(),
                })
            }
            Make::NullAs(make, column, text) => match self.value(&column.name) {
                None => Some(json::canonical(text)),
                Some(_) => self.json(make, form),
            },
            Make::NullAsColumn(column, other) => match self.value(&column.name) {
                None => plain(other),
                Some(_) => plain(column),
            },
            Make::Object { column, key, parts } => {
                let is_empty = self
                    .value(&column.name)
                    .is_none_or(|value| value.is_empty());
                let text = match is_empty {
                    true => "null".to_owned(),
                    false => json::string(&self.template(parts)?),
                };
                Some(format!("{{{}:{text}}}", json::string(key)))
            }
            Make::Constant(text) => Some(json::canonical(text)),
            Make::Text(parts) => Some(json::string(&self.template(parts)?)),
            Make::Sha1(parts) => {
                let digest = Sha1::digest(self.template(parts)?.as_bytes());
                Some(json::string(&hex::encode(&digest)))
            }
            Make::TextColor(make) => {
                let colour = self.json(make, form)?;
                let colour: String = serde_json::from_str(&colour).unwrap_or_default();
                Some(json::string(text_color(&colour)))
            }
            Make::Cases(cases, otherwise) => {
                let holds = |tests: &[super::test::Test]| {
                    let mut tests = tests.iter();
                    tests.all(|test| test.passes(self.value(&test.column).as_deref()))
                };
                let case = cases.iter().find(|(tests, _)| holds(tests));
                self.json(case.map_or(otherwise, |(_, make)| make), form)
            }
            Make::Within(key, make) => {
                let value = self.json(make, form)?;
                Some(format!("{{{}:{value}}}", json::string(key)))
            }
            Make::Lookup { .. } => None,
        }
    }

    fn template(&self, parts: &[Part]) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Column(name) => {
                    if let Some(value) = self.value(name) {
                        text.push_str(std::str::from_utf8(&value).ok()?);
                    }
                }
            }
        }
        Some(text)
    }

    /// The hash of a field's value.
    fn hashed(&self, spot: &Spot, field: &Field, make: &Make, salt: Salt) -> Sum {
        let mut columns = Vec::new();
        make.sources(&mut columns);
        let column = columns.first();
        if column.is_some_and(|column| self.is_left_out(spot, column)) {
            return ABSENT;
        }
        match self.json(make, spot.values) {
            Some(text) => salt.text(&field.normal(&text)),
            None => salt.text("no value of its type"),
        }
    }

    /// Bytes that order as rows do.
    fn order(&self, spot: &Spot) -> Vec<u8> {
        let mut bytes = Vec::new();
        for column in spot.order.iter().flatten() {
            let value = self.value(&column.column);
            bytes.push(match (value.is_none(), column.nulls_last) {
                (false, _) => 1,
                (true, true) => 2,
                (true, false) => 0,
            });
            let start = bytes.len();
            if let Some(value) = value {
                let is_encoded = column
                    .form
                    .is_some_and(|form| form.encode(&value, &mut bytes));
                if !is_encoded {
                    bytes.extend_from_slice(&value);
                    bytes.push(0);
                }
            }
            if column.descending {
                bytes[start..].iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        bytes
    }

    /// What is kept of the row at a spot.
    pub(super) fn kept(&self, spot: &Spot, salt: Salt) -> Row {
        let mut row = Row {
            own: 0,
            id: 0,
            bits: Vec::with_capacity(spot.fields.len()).into(),
            label: self.label(spot),
            outs: spot
                .outs
                .iter()
                .map(|out| self.key(&out.columns, salt))
                .collect(),
            more: None,
        };
        let mut bits = Vec::with_capacity(spot.fields.len());
        let mut more = More::default();
        for (at, field) in spot.fields.iter().enumerate() {
            let sum = match &field.made {
                Made::By(Make::Lookup { .. }) | Made::NotCompared(_) => {
                    bits.push(0);
                    continue;
                }
                Made::By(make) => self.hashed(spot, field, make, salt),
            };
            if spot.is_value() {
                row.own = sum;
                bits.push(0);
                continue;
            }
            let sum = salt.at("field", at, sum);
            row.own = row.own.wrapping_add(sum);
            bits.push(sum as u16);
            if spot.id.contains(&at) {
                row.id = row.id.wrapping_add(sum);
            }
            if let Some(overlay) = &spot.overlay
                && overlay.fields.contains(&at)
            {
                more.under.push(sum);
            }
        }
        row.bits = bits.into();
        for over in &spot.over {
            let field = Field {
                name: String::new(),
                key: String::new(),
                made: Made::NotCompared(String::new()),
            };
            let sum = self.hashed(spot, &field, &over.make, salt);
            more.over.push(salt.at("field", over.field, sum));
        }
        for (position, column, form) in &spot.collects {
            let key = self.key(&[(column.clone(), *form)], salt);
            more.collected.extend(key.map(|key| (*position, key)));
        }
        for instead in &spot.instead {
            let number = self.integer(&instead.column);
            if let Some(text) = number.and_then(|number| instead.objects.get(&number)) {
                let sum = salt.text(&json::canonical(text));
                more.instead.push((instead.nested, sum));
            }
        }
        if spot.order.is_some() {
            more.order = self.order(spot);
        }
        if let Some((column, form)) = &spot.maximum {
            let mut bytes = Vec::new();
            more.maximum = self.value(column).and_then(|value| {
                let is_value = form.encode(&value, &mut bytes);
                is_value.then(|| (bytes, value.into_owned()))
            });
        }
        row.more = (more != More::default()).then(|| Box::new(more));
        row
    }

    /// The row's key, if it may be told: one of integers and uuids.
    fn label(&self, spot: &Spot) -> Option<Box<str>> {
        if spot.key.is_empty() || spot.is_value() {
            return None;
        }
        let texts = spot.key.iter().map(|(name, form)| match form {
            Some(KeyForm::Integer | KeyForm::Uuid) => {
                let value = self.value(name)?;
                let text = String::from_utf8_lossy(&value).into_owned();
                is_key_text(&text).then_some(text)
            }
            _ => None,
        });
        let texts: Option<Vec<String>> = texts.collect();
        Some(texts?.join(", ").into())
    }
}

/// True for what integers and uuids are made of: a damaged field of their type may hold anything.
fn is_key_text(text: &str) -> bool {
    text.len() <= 36
        && text
            .bytes()
            .all(|letter| letter == b'-' || letter.is_ascii_hexdigit())
}

/// What is kept of a row at a spot: hashes, and its key for people.
pub(super) struct Row {
    /// Of all its compared fields.
    pub(super) own: Sum,
    /// Of the fields that are its key.
    pub(super) id: Sum,
    /// A few bits of each field's hash, which tell the fields apart that differ.
    pub(super) bits: Box<[u16]>,
    pub(super) label: Option<Box<str>>,
    pub(super) outs: Box<[Option<Key>]>,
    pub(super) more: Option<Box<More>>,
}

/// What only some rows have.
#[derive(Default, PartialEq)]
pub(super) struct More {
    pub(super) order: Vec<u8>,
    /// Bytes that order as values do, and the text of the value.
    pub(super) maximum: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) collected: Vec<(usize, Key)>,
    pub(super) instead: Vec<(usize, Sum)>,
    /// Of the fields that others may lie over.
    pub(super) under: Vec<Sum>,
    /// Of fields of the row above.
    pub(super) over: Vec<Sum>,
}

impl Spot {
    /// True if its rows are looked at for one value.
    pub(super) fn is_value(&self) -> bool {
        self.maximum.is_some() || matches!(self.fields.as_slice(), [one] if one.key.is_empty())
    }
}

impl Field {
    /// A value's JSON text in the form in which two are compared: a float as its number, whose texts may differ.
    pub(super) fn normal(&self, text: &str) -> String {
        let is_float = matches!(&self.made, Made::By(make) if make.is_float());
        match is_float.then(|| value::float(text)).flatten() {
            Some(number) => number,
            None => text.to_owned(),
        }
    }
}

impl Make {
    /// The column that decides whether there is such a key, if there is one.
    fn sources<'m>(&'m self, out: &mut Vec<&'m str>) {
        match self {
            Make::Plain(column)
            | Make::Names(column, _)
            | Make::NullAs(_, column, _)
            | Make::NullAsColumn(column, _)
            | Make::Object { column, .. } => out.push(&column.name),
            Make::Cases(_, make) | Make::TextColor(make) | Make::Within(_, make) => {
                make.sources(out);
            }
            Make::Constant(_) | Make::Text(_) | Make::Sha1(_) | Make::Lookup { .. } => {}
        }
    }

    fn is_float(&self) -> bool {
        use crate::snapshot::SqlType::{Double, Real};
        match self {
            Make::Plain(column) => matches!(column.sql_type, Real | Double),
            Make::NullAs(make, ..) => make.is_float(),
            Make::NullAsColumn(column, other) => [column, other]
                .iter()
                .any(|it| matches!(it.sql_type, Real | Double)),
            Make::Cases(cases, make) => {
                make.is_float() || cases.iter().any(|(_, make)| make.is_float())
            }
            Make::Lookup { is_float, .. } => *is_float,
            Make::Names(..)
            | Make::Object { .. }
            | Make::Constant(_)
            | Make::Text(_)
            | Make::Sha1(_)
            | Make::TextColor(_)
            | Make::Within(..) => false,
        }
    }
}

/// The text colour that GitLab chooses for a background, by WCAG 2.1.
fn text_color(background: &str) -> &'static str {
    let luminance = |[red, green, blue]: [u8; 3]| {
        let linear = |channel: u8| match f64::from(channel) / 255.0 {
            low if low <= 0.03928 => low / 12.92,
            high => ((high + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    };
    let digits = background.strip_prefix('#').unwrap_or_default();
    let doubled: String = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let channels: Option<[u8; 3]> = (doubled.len() == 6)
        .then(|| hex::decode(&doubled))
        .flatten()
        .and_then(|bytes| bytes.try_into().ok());
    let Some(channels) = channels else {
        return "#FFFFFF";
    };
    let own = luminance(channels);
    let white = (luminance([255; 3]) + 0.05) / (own + 0.05);
    let dark = (own + 0.05) / (luminance([31, 30, 36]) + 0.05);
    match white >= 2.4 || white > dark {
        true => "#FFFFFF",
        false => "#1F1E24",
    }
}
