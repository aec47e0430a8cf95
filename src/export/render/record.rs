//! Rendering one record: a top-level row with everything below it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;

use crate::pipeline::Pick;
use crate::resolve::{CopyFields, Entry, KeyRead, RowAt, WholeRow, parse_integer};
use crate::snapshot::codec::copy_text;

use super::compile::{Field, From, Nested, Node, Reach, TemplateField, Value};
use super::sorting::{by_key, key_of, same_key};
use super::{BadValue, Rendered, Renderer, Resident};
use crate::export::values::{self, ValueError};

/// The rendering of one batch.
pub(super) struct Job<'a> {
    pub(super) renderer: &'a Renderer,
    pub(super) resident: &'a Resident,
    pub(super) rendered: &'a mut Rendered,
    /// Field lists of rows further up that are free again.
    pub(super) scratch: Vec<Vec<Range<usize>>>,
    /// The rows of a tree that stand above the current one.
    pub(super) above: Vec<RowAt>,
    /// Rows of trees, of all nodes, that the current one stands in.
    pub(super) levels: usize,
}

/// Rows of trees that may stand in one another: what a worker's stack holds in any case. Little that reads JSON goes
/// deeper.
const MOST_LEVELS: usize = 1000;

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
        let row = self.resident.row(entry.at).ok_or_else(|| BadValue {
            table: table.name.to_string(),
            key: None,
            column: None,
            reason: "the row was not read back from the temp file".to_owned(),
        })?;
        let bad = |column: &str, reason: String| BadValue {
            table: table.name.to_string(),
            key: key_of(table, &WholeRow(row)),
            column: Some(column.to_owned()),
            reason,
        };
        let mut fields = self.scratch.pop().unwrap_or_default();
        copy_text::next_row(row, 0, &mut fields);
        let row = CopyFields {
            bytes: row,
            fields: &fields,
        };
        for collected in &table.collected {
            match collected.shape.read_key(&row, &[collected.column]) {
                KeyRead::Is(key) => self.rendered.collected.push((collected.relation, key)),
                KeyRead::Null => {}
                KeyRead::Wrong(_) => {
                    let column = &table.layout[collected.column];
                    let what = match column.sql_type.is_integer() {
                        true => "integer",
                        false => "value of its type",
                    };
                    return Err(bad(&column.name, format!("the value is no {what}")));
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
        if let Some((prefix, reach)) = &node.tree {
            if !std::mem::take(&mut first) {
                self.rendered.content.push(b',');
            }
            self.rendered.content.extend_from_slice(prefix);
            if self.above.contains(&entry.at) || self.levels >= MOST_LEVELS {
                let reason = match self.above.contains(&entry.at) {
                    true => "rows refer to one another in a circle".to_owned(),
                    false => format!("rows stand in one another more than {MOST_LEVELS} deep"),
                };
                let column = Some(table.key_name()).filter(|key| !key.is_empty());
                return Err(BadValue {
                    column,
                    ..bad("", reason)
                });
            }
            self.above.push(entry.at);
            self.levels += 1;
            let written = self.below(node, reach, &row);
            self.levels -= 1;
            self.above.pop();
            written?;
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

    /// Renders the rows below a row of a tree.
    fn below(
        &mut self,
        node: &'a Node,
        reach: &'a Reach,
        row: &CopyFields<'_>,
    ) -> Result<(), BadValue> {
        let mut entries = self.reached(reach, row);
        self.sort(node, &mut entries, false);
        self.array(node, entries)
    }

    /// Renders the rows below a row. False where a single one is not there.
    fn nested(&mut self, node: &'a Node, parent: &CopyFields<'_>) -> Result<bool, BadValue> {
        if let Some((column, instead)) = &node.instead {
            let constant =
                parse_integer(parent.field(*column)).and_then(|value| instead.objects.get(&value));
            if let Some(constant) = constant {
                self.rendered.content.extend_from_slice(constant.as_bytes());
                return Ok(true);
            }
        }
        let mut entries = self.gather(node, parent);
        // What stands above in the tree of another node is no circle of this one.
        let above = std::mem::take(&mut self.above);
        let wrote = match node.many {
            true => self.array(node, entries).map(|()| true),
            false => {
                if node.pick == Pick::Last {
                    entries.reverse();
                }
                match entries.split_first() {
                    Some((entry, others)) if self.has_twin(node, entry, others) => {
                        self.two_of_one_key(node)
                    }
                    Some((entry, _)) => self.row(node, *entry),
                    None => Ok(false),
                }
            }
        };
        self.above = above;
        wrote
    }

    fn array(&mut self, node: &'a Node, entries: Vec<Entry>) -> Result<(), BadValue> {
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
        Ok(())
    }

    /// True if another row has the primary key of this one.
    fn has_twin(&self, node: &Node, entry: &Entry, others: &[Entry]) -> bool {
        let table = &self.renderer.plan.tables[node.table];
        let row = |at: RowAt| self.resident.row(at).unwrap_or_default();
        others
            .iter()
            .any(|other| same_key(table, entry, other, &row))
    }

    /// The one row below a row is two with the same primary key: nobody knows which is the right one.
    fn two_of_one_key(&mut self, node: &Node) -> Result<bool, BadValue> {
        let table = &self.renderer.plan.tables[node.table];
        let key = table.key_name();
        let bad = BadValue {
            table: table.name.to_string(),
            key: None,
            reason: format!("two rows have the same {key}, but one is nested"),
            column: Some(key),
        };
        if !self.renderer.keep_going {
            return Err(bad);
        }
        self.rendered.skipped.push(bad);
        Ok(false)
    }

    /// The rows that a hop comes to from a row.
    fn reached(&self, reach: &Reach, row: &CopyFields<'_>) -> Vec<Entry> {
        let From::Columns(columns) = &reach.from else {
            return Vec::new();
        };
        match reach.shape.read(row, columns) {
            KeyRead::Is(key) => self.resident.found(reach.hop, key).collect(),
            KeyRead::Null | KeyRead::Wrong(_) => Vec::new(),
        }
    }

    /// The rows of a node that belong to the row above, in order.
    fn gather(&self, node: &Node, parent: &CopyFields<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let Some((first, others)) = node.steps.split_first() else {
            return entries;
        };
        for reach in first {
            entries.extend(self.reached(reach, parent));
        }
        for step in others {
            entries = self.resident.reached(step, &entries);
        }
        self.sort(node, &mut entries, node.may_repeat);
        entries
    }

    /// Puts rows of a node in order.
    fn sort(&self, node: &Node, entries: &mut Vec<Entry>, may_repeat: bool) {
        let table = &self.renderer.plan.tables[node.table];
        let row = |at: RowAt| self.resident.row(at).unwrap_or_default();
        let Ok(()) = by_key(table, entries, may_repeat, |at| {
            Ok::<_, Infallible>(row(at))
        });
        if !node.order.is_empty() && entries.len() > 1 {
            // Stable, so that rows that are equal by the order stay in order of their primary keys.
            entries.sort_by_cached_key(|entry| node.order.bytes(&WholeRow(row(entry.at))));
        }
    }

    fn value(&mut self, field: &'a Field, row: &CopyFields<'_>) -> Result<(), String> {
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
                let out = &mut self.rendered.content;
                match found.first().and_then(|entry| self.resident.row(entry.at)) {
                    None => out.extend_from_slice(b"null"),
                    Some(other) => {
                        let value = WholeRow(other).field(*column);
                        values::write(codec, value, out).map_err(said)?;
                    }
                }
                Ok(())
            }
            Value::Constant(json) => {
                out.extend_from_slice(json);
                Ok(())
            }
            Value::Null => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }
}
