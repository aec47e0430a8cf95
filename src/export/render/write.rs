//! Writing the value of a key: the field of a row, by its codec or by the rules of the pipeline.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::export::values::{self, ValueError, decode};
use crate::pipeline::Digest;
use crate::resolve::{CopyFields, RowAt, WholeRow};

use super::compile::{Nested, Node};
use super::record::Job;
use super::sorting::{by_key, key_of, same_key};
use super::value::{At, Field, TemplateField, Test, Value};
use super::{Unreadable, Why};

impl<'a> Job<'a> {
    /// Writes a key with its value. False if it is left out.
    pub(super) fn field(
        &mut self,
        node: &'a Node,
        field: &'a Field,
        row: &CopyFields<'_>,
    ) -> Result<bool, String> {
        self.rendered.content.extend_from_slice(&field.prefix);
        if let Some(prefix) = &field.object {
            self.rendered.content.push(b'{');
            self.rendered.content.extend_from_slice(prefix);
        }
        let start = self.rendered.content.len();
        self.value(node, &field.value, field.column, row)?;
        if field.unless_null && self.rendered.content[start..] == *b"null" {
            self.note(node, &field.name, row, Why::NoValue);
            return Ok(false);
        }
        if field.object.is_some() {
            self.rendered.content.push(b'}');
        }
        Ok(true)
    }

    /// Notes that a value could not be read, and something else stands in its place.
    fn note(&mut self, node: &Node, key: &str, row: &CopyFields<'_>, why: Why) {
        let table = &self.renderer.plan.tables[node.table];
        self.rendered.unreadable.push(Unreadable {
            table: table.name.to_string(),
            key: key_of(table, row),
            column: key.to_owned(),
            why,
        });
    }

    fn value(
        &mut self,
        node: &'a Node,
        value: &'a Value,
        column: usize,
        row: &CopyFields<'_>,
    ) -> Result<(), String> {
        let raw = row.field(column);
        let said = |error: ValueError| error.to_string();
        let out = &mut self.rendered.content;
        match value {
            Value::Plain(codec) => values::write(codec, raw, out).map_err(said),
            Value::Names(names) => values::write_names(names, raw, out).map_err(said),
            Value::NamesOrNull(names) => {
                let start = out.len();
                values::write_names(names, raw, out).map_err(said)?;
                if out.get(start) != Some(&b'"') {
                    out.truncate(start);
                    out.extend_from_slice(b"null");
                }
                Ok(())
            }
            Value::NullAs(_, json) if values::is_null(raw) => {
                out.extend_from_slice(json);
                Ok(())
            }
            Value::NullAs(codec, _) => values::write(codec, raw, out).map_err(said),
            Value::NullAsColumn(_, other, codec) if values::is_null(raw) => {
                values::write(codec, row.field(*other), out).map_err(said)
            }
            Value::NullAsColumn(codec, ..) => values::write(codec, raw, out).map_err(said),
            Value::Column(other, codec) => {
                values::write(codec, row.field(*other), out).map_err(said)
            }
            Value::Object { prefix, parts } => {
                let text = match values::is_null(raw) || raw.is_empty() {
                    true => None,
                    false => Some(self.text_of(parts, row).map_err(said)?),
                };
                let out = &mut self.rendered.content;
                out.push(b'{');
                out.extend_from_slice(prefix);
                match text {
                    None => out.extend_from_slice(b"null"),
                    Some(text) => values::write_json_string(&text, out).map_err(said)?,
                }
                out.push(b'}');
                Ok(())
            }
            Value::Text { parts, digest } => {
                let text = self.text_of(parts, row).map_err(said)?;
                let out = &mut self.rendered.content;
                match digest {
                    Some(Digest::Sha1) => values::write_json_str(&decode::sha1_hex(&text), out),
                    None => values::write_json_string(&text, out).map_err(said)?,
                }
                Ok(())
            }
            Value::Title { column, part } => {
                let path = row.field(*column);
                let path = match values::is_null(path) {
                    true => Cow::Borrowed(b"".as_slice()),
                    false => values::decode_copy(path).map_err(said)?,
                };
                let path = String::from_utf8_lossy(&path);
                let parts = path.split_once(part.behind.as_str());
                let found = parts.and_then(|(_, parts)| parts.split('/').nth(part.part - 1));
                match found.filter(|part| !part.is_empty()) {
                    Some(words) => values::write_json_str(&decode::titleize(words), out),
                    None => out.extend_from_slice(b"null"),
                }
                Ok(())
            }
            Value::TextColor(color) => {
                let start = out.len();
                self.value(node, color, column, row)?;
                let out = &mut self.rendered.content;
                // What is no text is no colour.
                let color: String = serde_json::from_slice(&out[start..]).unwrap_or_default();
                out.truncate(start);
                values::write_json_str(values::text_color(color.as_bytes()), out);
                Ok(())
            }
            Value::Lookup {
                reach,
                column,
                value,
                without_row,
            } => {
                let mut found = self.reached(reach, row);
                let hop = &self.renderer.plan.hops[reach.hop];
                let table = &self.renderer.plan.tables[hop.table];
                let bytes = |at: RowAt| self.resident.row(at).unwrap_or_default();
                let Ok(()) = by_key(table, &mut found, false, |at| {
                    Ok::<_, Infallible>(bytes(at))
                });
                if let [first, second, ..] = found.as_slice()
                    && same_key(table, first, second, &bytes)
                {
                    let (key, name) = (table.key_name(), &table.name);
                    return Err(format!("two rows of table {name} have the same {key}"));
                }
                match found.first().and_then(|entry| self.resident.row(entry.at)) {
                    None => {
                        self.rendered.content.extend_from_slice(without_row);
                        Ok(())
                    }
                    Some(other) => {
                        let field = WholeRow(other).field(*column);
                        let range = 0..field.len();
                        let other = CopyFields {
                            bytes: field,
                            fields: std::slice::from_ref(&range),
                        };
                        self.value(node, value, 0, &other)
                    }
                }
            }
            Value::Of { path, field } => {
                // The nested row is written, too, and its values are noted there.
                let noted = self.rendered.unreadable.len();
                let written = self.value_of(node, path, *field, row);
                self.rendered.unreadable.truncate(noted);
                written
            }
            Value::Count(nested) => {
                let count = match &node.nested[*nested] {
                    Nested::Node { node: child, .. } => self.gather(child, row).len(),
                    Nested::Empty { .. } => 0,
                };
                self.rendered
                    .content
                    .extend_from_slice(count.to_string().as_bytes());
                Ok(())
            }
            Value::Yaml(rule) => {
                if values::is_null(raw) {
                    decode::write_null_object(rule, out);
                    return Ok(());
                }
                let text = values::decode_copy(raw).map_err(said)?;
                let text = std::str::from_utf8(&text).map_err(|error| {
                    let at = error.valid_up_to();
                    said(ValueError::InvalidUtf8 { at })
                })?;
                if let Err(why) = decode::decode_yaml(text, rule, out) {
                    out.extend_from_slice(b"null");
                    let column = &self.renderer.plan.tables[node.table].layout[column].name;
                    self.note(node, column, row, Why::Decoding(why));
                }
                Ok(())
            }
            Value::Bytes(rule) => {
                if values::is_null(raw) {
                    out.extend_from_slice(if rule.blank_as_empty {
                        b"\"\""
                    } else {
                        b"null"
                    });
                    return Ok(());
                }
                let bytes = values::decode_copy(raw).map_err(said)?;
                let decoded = rule.base64.then(|| decode::decode_base64(&bytes)).flatten();
                // What the column itself holds is blank or not.
                let is_blank = rule.blank_as_empty && decode::is_blank(&decode::to_utf8(&bytes));
                let text = match &decoded {
                    _ if is_blank => Cow::Borrowed(""),
                    Some(decoded) => decode::to_utf8(decoded),
                    None => decode::to_utf8(&bytes),
                };
                values::write_json_str(&text, out);
                Ok(())
            }
            Value::File(path) => {
                out.extend_from_slice(b"\"\"");
                let path = self.text_of(path, row).map_err(said)?;
                let path = String::from_utf8_lossy(&path).into_owned();
                let column = &self.renderer.plan.tables[node.table].layout[column].name;
                self.note(node, column, row, Why::MissingFile(path));
                Ok(())
            }
            Value::Constant(json) => {
                out.extend_from_slice(json);
                Ok(())
            }
            Value::Cases { cases, otherwise } => {
                let mut cases = cases.iter();
                let holds = cases.find(|(when, _)| when.iter().all(|test| self.holds(test, row)));
                let value = holds.map_or(otherwise.as_ref(), |(_, value)| value);
                self.value(node, value, column, row)
            }
            Value::First(values) => {
                let start = out.len();
                for (column, value) in values {
                    self.rendered.content.truncate(start);
                    self.value(node, value, *column, row)?;
                    if self.rendered.content[start..] != *b"null" {
                        return Ok(());
                    }
                }
                self.rendered.content.truncate(start);
                self.rendered.content.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    /// A key of the first of the rows that are nested in a row; null if there is none.
    fn value_of(
        &mut self,
        node: &'a Node,
        path: &'a [usize],
        field: usize,
        row: &CopyFields<'_>,
    ) -> Result<(), String> {
        let Some((first, rest)) = path.split_first() else {
            let Some(field) = node.fields.iter().chain(&node.last).nth(field) else {
                return Err("a key of a nested row is not there".to_owned());
            };
            return self.value(node, &field.value, field.column, row);
        };
        let child = match &node.nested[*first] {
            Nested::Node { node: child, .. } => child,
            Nested::Empty { .. } => {
                self.rendered.content.extend_from_slice(b"null");
                return Ok(());
            }
        };
        let found = self.gather(child, row);
        let Some(entry) = self.picked(child, &found) else {
            self.rendered.content.extend_from_slice(b"null");
            return Ok(());
        };
        let written = self.with_row(child, entry, |job, row| {
            job.value_of(child, rest, field, row)
        });
        written.unwrap_or_else(|| Err("a row was not read back from the temp file".to_owned()))
    }

    /// A text made of columns of a row, and of those further up.
    fn text_of(
        &self,
        parts: &[TemplateField],
        row: &CopyFields<'_>,
    ) -> Result<Vec<u8>, ValueError> {
        let mut text = Vec::new();
        for part in parts {
            let field = match part {
                TemplateField::Text(bytes) => {
                    text.extend_from_slice(bytes);
                    continue;
                }
                TemplateField::Column(At::Own, column) => row.field(*column),
                TemplateField::Column(At::Above(place), column) => {
                    WholeRow(self.row_at(*place).unwrap_or_default()).field(*column)
                }
            };
            // NULL is no text.
            if !values::is_null(field) {
                text.extend_from_slice(&values::decode_copy(field)?);
            }
        }
        Ok(text)
    }

    fn holds(&self, test: &Test, row: &CopyFields<'_>) -> bool {
        match test.at {
            At::Own => test.test.passes(row, test.column),
            At::Above(place) => {
                let above = WholeRow(self.row_at(place).unwrap_or(b"\\N"));
                test.test.passes(&above, test.column)
            }
        }
    }
}
