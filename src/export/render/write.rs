//! Writing the value of a key: the field of a row, by its codec or by the rules of the pipeline.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::export::redact::Mask;
use crate::export::values::{self, FieldOn, ValueError, decode};
use crate::pipeline::Digest;
use crate::resolve::{CopyFields, RowAt, WholeRow};

use super::compile::{Nested, Node};
use super::record::Job;
use super::sorting::{by_key, key_of, same_key};
use super::value::{At, Field, TemplateField, Test, Value};
use super::{Unreadable, Why, from_files};

impl<'a> Job<'a> {
    /// Writes a key with its value. False if it is left out; what was written of it is then still there.
    #[inline]
    pub(super) fn field(
        &mut self,
        node: &'a Node,
        field: &'a Field,
        row: &CopyFields<'_>,
        is_first: bool,
    ) -> Result<bool, String> {
        match field.plain() {
            Some(codec) if self.masks.is_none() => {
                let out = &mut self.rendered.content;
                let value = row.fields.get(field.column).cloned();
                let value = value.map(|range| FieldOn::new(row.bytes, range));
                match value.filter(|value| !values::is_null(value.field())) {
                    Some(value) => {
                        field.key.push(is_first, out);
                        let written = values::write_value(codec, value, out);
                        written.map_err(|error| error.to_string())?;
                    }
                    None => field.null.push(is_first, out),
                }
                Ok(true)
            }
            Some(_) | None => self.any_field(node, field, row, is_first),
        }
    }

    /// The same of any field.
    fn any_field(
        &mut self,
        node: &'a Node,
        field: &'a Field,
        row: &CopyFields<'_>,
        is_first: bool,
    ) -> Result<bool, String> {
        field.key.push(is_first, &mut self.rendered.content);
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
            key: key_of((node.table, table), self.masks, row),
            column: key.to_owned(),
            why,
        });
    }

    /// Notes the same of a value that is made of a column.
    pub(super) fn note_column(
        &mut self,
        node: &Node,
        column: usize,
        row: &CopyFields<'_>,
        why: Why,
    ) {
        let renderer = self.renderer;
        let key = &renderer.plan.tables[node.table].layout[column].name;
        self.note(node, key, row, why);
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
            Value::Field(form) => {
                let field = self.redacted(node, column, row).map_err(said)?;
                form.write(&field, &mut self.rendered.content).map_err(said)
            }
            Value::NullAs(codec, json) => {
                let field = self.redacted(node, column, row).map_err(said)?;
                let out = &mut self.rendered.content;
                match values::is_null(&field) {
                    true => out.extend_from_slice(json),
                    false => values::write(codec, &field, out).map_err(said)?,
                }
                Ok(())
            }
            Value::NullAsColumn(codec, other, other_codec) => {
                // Which of the two it is, the row says as it is kept.
                let (column, codec) = match values::is_null(raw) {
                    true => (*other, other_codec),
                    false => (column, codec),
                };
                let field = self.redacted(node, column, row).map_err(said)?;
                values::write(codec, &field, &mut self.rendered.content).map_err(said)
            }
            Value::Column(other, codec) => {
                let field = self.redacted(node, *other, row).map_err(said)?;
                values::write(codec, &field, &mut self.rendered.content).map_err(said)
            }
            Value::Object { prefix, parts } => {
                let field = self.redacted(node, column, row).map_err(said)?;
                let text = match values::is_null(&field) || field.is_empty() {
                    true => None,
                    false => Some(self.text_of(node, parts, row).map_err(said)?),
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
                let text = self.text_of(node, parts, row).map_err(said)?;
                let out = &mut self.rendered.content;
                match digest {
                    Some(Digest::Sha1) => values::write_json_str(&decode::sha1_hex(&text), out),
                    None => values::write_json_string(&text, out).map_err(said)?,
                }
                Ok(())
            }
            Value::Title { column, part } => {
                let path = self.redacted(node, *column, row).map_err(said)?;
                let path = match values::is_null(&path) {
                    true => Cow::Borrowed(b"".as_slice()),
                    false => values::decode_copy(&path).map_err(said)?,
                };
                let path = String::from_utf8_lossy(&path);
                let parts = path.split_once(part.behind.as_str());
                let found = parts.and_then(|(_, parts)| parts.split('/').nth(part.part - 1));
                let out = &mut self.rendered.content;
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
                form,
                without_row,
                reference,
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
                        self.leads_nowhere(*reference, reach, row);
                        self.rendered.content.extend_from_slice(without_row);
                        Ok(())
                    }
                    Some(other) => {
                        let field = WholeRow(other).field(*column);
                        let mask = self.masks.and_then(|masks| masks.of(hop.table, *column));
                        let field = by_mask(mask, field).map_err(said)?;
                        form.write(&field, &mut self.rendered.content).map_err(said)
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
                let start = out.len();
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
                    self.note_column(node, column, row, Why::Decoding(why));
                }
                self.redact_written(node, column, start);
                Ok(())
            }
            Value::Bytes(rule) => {
                let start = out.len();
                match values::is_null(raw) {
                    true => from_files::write_nothing(*rule, out),
                    false => {
                        let bytes = values::decode_copy(raw).map_err(said)?;
                        from_files::write_bytes(&bytes, *rule, out);
                    }
                }
                self.redact_written(node, column, start);
                Ok(())
            }
            Value::File(part) => {
                let start = out.len();
                self.write_of_file(node, part, column, row)?;
                self.redact_written(node, column, start);
                Ok(())
            }
            Value::Repository { project, branch } => {
                let start = out.len();
                self.write_of_repository(node, (*project, *branch), column, row)?;
                self.redact_written(node, column, start);
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

    /// The mask of a column of a node's row. Of a column of another row that lies over it, it is that one's, if it has one.
    fn mask(&self, node: &'a Node, is_overlaid: bool, column: usize) -> Option<&'a Mask> {
        let masks = self.masks?;
        let overlay = node.overlay.as_ref().filter(|_| is_overlaid);
        let over = overlay.and_then(|overlay| {
            let mut columns = overlay.columns.iter();
            let (_, other) = columns.find(|(own, _)| *own == column)?;
            masks.of(overlay.table, *other)
        });
        over.or_else(|| masks.of(node.table, column))
    }

    /// The mask of a column of the current row, which is a node's.
    fn own_mask(&self, node: &'a Node, column: usize) -> Option<&'a Mask> {
        self.masks?;
        let is_overlaid = self.rows.last().is_some_and(|(_, row)| row.is_overlaid());
        self.mask(node, is_overlaid, column)
    }

    /// A field of the current row as it may be written.
    fn redacted<'r>(
        &self,
        node: &'a Node,
        column: usize,
        row: &CopyFields<'r>,
    ) -> Result<Cow<'r, [u8]>, ValueError> {
        by_mask(self.own_mask(node, column), row.field(column))
    }

    /// Redacts a column's value that was written from here on, because only now it is known what it stands for.
    fn redact_written(&mut self, node: &'a Node, column: usize, start: usize) {
        if let Some(mask) = self.own_mask(node, column) {
            let content = &mut self.rendered.content;
            let redacted = mask.json(&content[start..]);
            content.truncate(start);
            content.extend_from_slice(&redacted);
        }
    }

    /// A text made of columns of a row, and of those further up, as they may be written.
    pub(super) fn text_of(
        &self,
        node: &'a Node,
        parts: &[TemplateField],
        row: &CopyFields<'_>,
    ) -> Result<Vec<u8>, ValueError> {
        self.text(Some(node), parts, row)
    }

    /// The same as the rows are kept: a path by which something is found.
    pub(super) fn path_of(
        &self,
        parts: &[TemplateField],
        row: &CopyFields<'_>,
    ) -> Result<Vec<u8>, ValueError> {
        self.text(None, parts, row)
    }

    /// A text made of columns of a row, and of those further up. With the row's node, it may be written.
    fn text(
        &self,
        written: Option<&'a Node>,
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
                TemplateField::Column(At::Own, column) => {
                    let mask = written.and_then(|node| self.own_mask(node, *column));
                    by_mask(mask, row.field(*column))?
                }
                TemplateField::Column(At::Above(place), column) => match self.row_at(*place) {
                    Some((node, above)) => {
                        let mask =
                            written.and_then(|_| self.mask(node, above.is_overlaid(), *column));
                        by_mask(mask, WholeRow(above.bytes()).field(*column))?
                    }
                    None => continue,
                },
            };
            // NULL is no text.
            if !values::is_null(&field) {
                text.extend_from_slice(&values::decode_copy(&field)?);
            }
        }
        Ok(text)
    }

    fn holds(&self, test: &Test, row: &CopyFields<'_>) -> bool {
        match test.at {
            At::Own => test.test.passes(row, test.column),
            At::Above(place) => {
                let above = self.row_at(place).map(|(_, row)| row.bytes());
                let above = WholeRow(above.unwrap_or(b"\\N"));
                test.test.passes(&above, test.column)
            }
        }
    }
}

/// A field as it may be written.
fn by_mask<'r>(mask: Option<&Mask>, field: &'r [u8]) -> Result<Cow<'r, [u8]>, ValueError> {
    match mask {
        Some(mask) => mask.field(field),
        None => Ok(Cow::Borrowed(field)),
    }
}
