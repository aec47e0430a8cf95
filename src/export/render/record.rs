//! Rendering one record: a top-level row with everything below it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;

use crate::resolve::{Entry, RowAt, parse_integer};
use crate::snapshot::codec::copy_text;

use super::compile::{Field, Nested, Node, Order, TemplateField, Value};
use super::{BadValue, Rendered, Renderer, Resident, by_id, nth_field};
use crate::export::values::{self, ValueError};

/// The rendering of one batch.
pub(super) struct Job<'a> {
    pub(super) renderer: &'a Renderer,
    pub(super) resident: &'a Resident,
    pub(super) rendered: &'a mut Rendered,
    /// Field lists of rows further up that are free again.
    pub(super) scratch: Vec<Vec<Range<usize>>>,
}

impl<'a> Job<'a> {
    /// Renders a row as an object. False where it cannot be rendered and is left out.
    pub(super) fn row(&mut self, node: &'a Node, entry: Entry) -> Result<bool, BadValue> {
        let marks = (
            self.rendered.content.len(),
            self.rendered.collected.len(),
            self.rendered.written.len(),
        );
        let Err(bad) = self.object(node, entry) else {
            if self.renderer.counts {
                self.rendered.written.push(node.place);
            }
            return Ok(true);
        };
        if !self.renderer.keep_going {
            return Err(bad);
        }
        self.rendered.content.truncate(marks.0);
        self.rendered.collected.truncate(marks.1);
        self.rendered.written.truncate(marks.2);
        self.rendered.skipped.push(bad);
        Ok(false)
    }

    fn object(&mut self, node: &'a Node, entry: Entry) -> Result<(), BadValue> {
        let table = &self.renderer.plan.tables[node.table];
        let bad = |column: &str, reason: String| BadValue {
            table: table.name.to_string(),
            key: Some(entry.id),
            column: Some(column.to_owned()),
            reason,
        };
        let row = self.resident.row(entry.at).ok_or_else(|| {
            bad(
                "(all)",
                "the row was not read back from the temp file".to_owned(),
            )
        })?;
        let mut fields = self.scratch.pop().unwrap_or_default();
        copy_text::next_row(row, 0, &mut fields);
        let row = RowFields {
            bytes: row,
            fields: &fields,
        };
        for column in &node.collected {
            match parse_integer(row.field(*column)) {
                Some(id) => self.rendered.collected.push(id),
                None if values::is_null(row.field(*column)) => {}
                None => {
                    return Err(bad(
                        &table.layout[*column].name,
                        "the value is no integer".to_owned(),
                    ));
                }
            }
        }
        self.rendered.content.push(b'{');
        let mut first = true;
        for field in &node.fields {
            let out = &mut self.rendered.content;
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(&field.prefix);
            if let Err(reason) = self.value(field, &row) {
                let column = table
                    .layout
                    .get(field.column)
                    .map_or("?", |column| column.name.as_str());
                return Err(bad(column, reason));
            }
        }
        for nested in &node.nested {
            let mark = self.rendered.content.len();
            if !first {
                self.rendered.content.push(b',');
            }
            let wrote = match nested {
                Nested::Empty { prefix } => {
                    self.rendered.content.extend_from_slice(prefix);
                    self.rendered.content.extend_from_slice(b"[]");
                    true
                }
                Nested::Node { prefix, node } => {
                    self.rendered.content.extend_from_slice(prefix);
                    self.nested(node, &row)?
                }
            };
            if wrote {
                first = false;
            } else {
                self.rendered.content.truncate(mark);
            }
        }
        self.rendered.content.push(b'}');
        self.scratch.push(fields);
        Ok(())
    }

    /// Renders the rows below a row. False where a single one is not there.
    fn nested(&mut self, node: &'a Node, parent: &RowFields<'_>) -> Result<bool, BadValue> {
        if let Some((column, instead)) = &node.instead {
            let constant =
                parse_integer(parent.field(*column)).and_then(|value| instead.objects.get(&value));
            if let Some(constant) = constant {
                self.rendered.content.extend_from_slice(constant.as_bytes());
                return Ok(true);
            }
        }
        let entries = self.gather(node, parent);
        if !node.many {
            return match entries.split_first() {
                Some((entry, others)) if others.iter().any(|other| other.id == entry.id) => {
                    self.two_of_one_key(node)
                }
                Some((entry, _)) => self.row(node, *entry),
                None => Ok(false),
            };
        }
        self.rendered.content.push(b'[');
        let mut first = true;
        for entry in entries {
            let mark = self.rendered.content.len();
            if !first {
                self.rendered.content.push(b',');
            }
            if self.row(node, entry)? {
                first = false;
            } else {
                self.rendered.content.truncate(mark);
            }
        }
        self.rendered.content.push(b']');
        Ok(true)
    }

    /// The one row below a row is two with the same primary key: nobody knows which is the right one.
    fn two_of_one_key(&mut self, node: &Node) -> Result<bool, BadValue> {
        let table = &self.renderer.plan.tables[node.table];
        let key = table.key_name();
        let bad = BadValue {
            table: table.name.to_string(),
            key: None,
            column: Some(key.to_owned()),
            reason: format!("two rows have the same {key}, but one is nested"),
        };
        if !self.renderer.keep_going {
            return Err(bad);
        }
        self.rendered.skipped.push(bad);
        Ok(false)
    }

    /// The rows of a node that belong to the row above, in order.
    fn gather(&self, node: &Node, parent: &RowFields<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for reach in &node.reach {
            if let Some(key) = parse_integer(parent.field(reach.column)) {
                entries.extend_from_slice(self.resident.found(reach.hop, key));
            }
        }
        if let Some(through) = &node.through {
            entries = self.resident.reached(through, &entries);
        }
        let Ok(()) = by_id(
            &mut entries,
            node.reach.len() > 1 || node.through.is_some(),
            |at| Ok::<_, Infallible>(self.resident.row(at).unwrap_or_default()),
        );
        if !node.order.is_empty() && entries.len() > 1 {
            // Stable, so that rows that are equal by the order stay in order of their primary keys.
            entries.sort_by_cached_key(|entry| self.order_keys(node, entry.at));
        }
        entries
    }

    fn order_keys(&self, node: &Node, at: RowAt) -> Vec<OrderKey> {
        let row = self.resident.row(at).unwrap_or_default();
        let key = |order: &Order| {
            let field = nth_field(row, order.column);
            if values::is_null(field) {
                return if order.nulls_last {
                    OrderKey::NullLast
                } else {
                    OrderKey::NullFirst
                };
            }
            match parse_integer(field).filter(|_| order.integer) {
                Some(value) => OrderKey::Integer(value),
                None => {
                    // Text with a broken escape fails when it is rendered; here it only needs some place.
                    OrderKey::Text(
                        values::decode_copy(field)
                            .map(Cow::into_owned)
                            .unwrap_or_default(),
                    )
                }
            }
        };
        node.order.iter().map(key).collect()
    }

    fn value(&mut self, field: &'a Field, row: &RowFields<'_>) -> Result<(), String> {
        let raw = row.field(field.column);
        let said = |error: ValueError| error.to_string();
        let out = &mut self.rendered.content;
        match &field.value {
            Value::Plain(codec) => values::write(codec, raw, out).map_err(said),
            Value::Names(names) => values::write_names(names, raw, out).map_err(said),
            Value::NullAs(_, json) if values::is_null(raw) => {
                out.extend_from_slice(json);
                Ok(())
            }
            Value::NullAs(codec, _) => values::write(codec, raw, out).map_err(said),
            Value::NullAsColumn(_, other, codec) if values::is_null(raw) => {
                values::write(codec, row.field(*other), out).map_err(said)
            }
            Value::NullAsColumn(codec, ..) => values::write(codec, raw, out).map_err(said),
            Value::Object { prefix, parts } => {
                out.push(b'{');
                out.extend_from_slice(prefix);
                if values::is_null(raw) || raw.is_empty() {
                    out.extend_from_slice(b"null");
                } else {
                    let mut text = Vec::new();
                    for part in parts {
                        match part {
                            TemplateField::Text(bytes) => text.extend_from_slice(bytes),
                            TemplateField::Column(column) => {
                                text.extend_from_slice(
                                    &values::decode_copy(row.field(*column)).map_err(said)?,
                                );
                            }
                        }
                    }
                    values::write_json_string(&text, out).map_err(said)?;
                }
                out.push(b'}');
                Ok(())
            }
            Value::TextColor { default } => {
                let color = if values::is_null(raw) {
                    Cow::Borrowed(default.as_slice())
                } else {
                    values::decode_copy(raw).map_err(said)?
                };
                values::write_json_str(values::text_color(&color), out);
                Ok(())
            }
            Value::Lookup {
                reach,
                column,
                codec,
            } => {
                let key = parse_integer(row.field(reach.column));
                let found = key.map_or(&[][..], |key| self.resident.found(reach.hop, key));
                if let [first, second, ..] = found
                    && first.id == second.id
                {
                    let hop = &self.renderer.plan.hops[reach.hop];
                    let table = &self.renderer.plan.tables[hop.table];
                    let key = table.key_name();
                    let name = &table.name;
                    return Err(format!("two rows of table {name} have the same {key}"));
                }
                match found.first().and_then(|entry| self.resident.row(entry.at)) {
                    None => out.extend_from_slice(b"null"),
                    Some(other) => {
                        let value = nth_field(other, *column);
                        values::write(codec, value, out).map_err(said)?;
                    }
                }
                Ok(())
            }
            Value::Null => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }
}

/// How rows compare: NULLs first or last, integers by value, everything else by bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum OrderKey {
    NullFirst,
    Integer(i64),
    Text(Vec<u8>),
    NullLast,
}

/// A row of a layout, split.
struct RowFields<'a> {
    bytes: &'a [u8],
    fields: &'a [Range<usize>],
}

impl RowFields<'_> {
    fn field(&self, column: usize) -> &[u8] {
        match self.fields.get(column) {
            Some(range) => &self.bytes[range.clone()],
            None => b"\\N",
        }
    }
}
