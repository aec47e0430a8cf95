//! Rendering one record: a top-level row with everything below it.

use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;

use crate::export::redact::Masks;
use crate::pipeline::Pick;
use crate::resolve::{CopyFields, Entry, KeyRead, RowAt, WholeRow, parse_integer};
use crate::snapshot::codec::copy_text;

use super::compile::{From, Nested, Node, Reach};
use super::sorting::{by_key, key_of, same_key};
use super::value::{At, Field};
use super::{BadValue, Rendered, Renderer, Resident};

/// The rendering of one batch.
pub(super) struct Job<'a> {
    pub(super) renderer: &'a Renderer,
    /// What stands in place of columns' values.
    pub(super) masks: Option<&'a Masks>,
    pub(super) resident: &'a Resident,
    pub(super) rendered: &'a mut Rendered,
    /// Field lists of rows further up that are free again.
    pub(super) scratch: Vec<Vec<Range<usize>>>,
    /// The rows of a tree that stand above the current one.
    pub(super) above: Vec<RowAt>,
    /// The rows that the current one stands in, and behind them itself, each with its node.
    pub(super) rows: Vec<(&'a Node, RowBytes<'a>)>,
    /// Rows of trees, of all nodes, that the current one stands in.
    pub(super) levels: usize,
}

/// A row as it is kept, or with the columns of what lies over it.
pub(super) enum RowBytes<'a> {
    Kept(&'a [u8]),
    Overlaid(Rc<[u8]>),
}

impl RowBytes<'_> {
    /// True if columns of a nested row lie over it.
    pub(super) fn is_overlaid(&self) -> bool {
        matches!(self, RowBytes::Overlaid(_))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            RowBytes::Kept(bytes) => bytes,
            RowBytes::Overlaid(bytes) => bytes,
        }
    }
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
            self.rendered.unreadable.len(),
            self.rendered.dangling.len(),
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
        self.rendered.unreadable.truncate(marks.3);
        self.rendered.dangling.truncate(marks.4);
        self.rendered.skipped.push(bad);
        Ok(false)
    }

    fn object(&mut self, node: &'a Node, entry: Entry) -> Result<(), BadValue> {
        let written = self.with_row(node, entry, |job, row| job.object_of(node, entry, row));
        written.unwrap_or_else(|| {
            let table = &self.renderer.plan.tables[node.table];
            Err(BadValue {
                table: table.name.to_string(),
                key: None,
                column: None,
                reason: "the row was not read back from the temp file".to_owned(),
            })
        })
    }

    /// Does something with the fields of a row, over which those of a nested row may lie. `None` if the row was moved out of
    /// memory and not read back.
    pub(super) fn with_row<T>(
        &mut self,
        node: &'a Node,
        entry: Entry,
        with: impl FnOnce(&mut Self, &CopyFields<'_>) -> T,
    ) -> Option<T> {
        let bytes = self.resident.row(entry.at)?;
        let mut fields = self.scratch.pop().unwrap_or_default();
        copy_text::next_row(bytes, 0, &mut fields);
        self.rows.push((node, RowBytes::Kept(bytes)));
        let row = CopyFields {
            bytes,
            fields: &fields,
        };
        let done = match self.overlaid(node, &row) {
            None => with(self, &row),
            Some(over) => {
                // What is asked of the row further down sees the same values as what is written of it.
                let over: Rc<[u8]> = over.into();
                self.rows.pop();
                self.rows.push((node, RowBytes::Overlaid(Rc::clone(&over))));
                copy_text::next_row(&over, 0, &mut fields);
                let row = CopyFields {
                    bytes: &over,
                    fields: &fields,
                };
                with(self, &row)
            }
        };
        self.rows.pop();
        self.scratch.push(fields);
        Some(done)
    }

    /// A row with the columns of the nested row that lies over it; `None` if there is none.
    fn overlaid(&self, node: &'a Node, row: &CopyFields<'_>) -> Option<Vec<u8>> {
        let overlay = node.overlay.as_ref()?;
        let Nested::Node { node: child, .. } = &node.nested[overlay.nested] else {
            return None;
        };
        let found = self.gather(child, row);
        let over = WholeRow(self.resident.row(self.picked(child, &found)?.at)?);
        let layout = self.renderer.plan.tables[node.table].layout.len();
        let mut fields: Vec<&[u8]> = (0..layout).map(|column| row.field(column)).collect();
        for (own, other) in &overlay.columns {
            fields[*own] = over.field(*other);
        }
        Some(fields.join(&b'\t'))
    }

    fn object_of(
        &mut self,
        node: &'a Node,
        entry: Entry,
        row: &CopyFields<'_>,
    ) -> Result<(), BadValue> {
        let table = &self.renderer.plan.tables[node.table];
        let masks = self.masks;
        let bad = |column: &str, reason: String| BadValue {
            table: table.name.to_string(),
            key: key_of((node.table, table), masks, row),
            column: Some(column.to_owned()),
            reason,
        };
        for collected in &node.collected {
            match collected.shape.read_key(row, &[collected.column]) {
                KeyRead::Is(key) => self.rendered.collected.push(collected.number, key),
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
        self.fields(node, &node.fields, row, &mut first)?;
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
            let written = self.below(node, reach, row);
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
                    self.nested(node, row)?
                }
            };
            if wrote {
                first = false;
            } else {
                self.rendered.content.truncate(mark);
            }
        }
        self.fields(node, &node.last, row, &mut first)?;
        self.rendered.content.push(b'}');
        Ok(())
    }

    /// Writes keys of a row. `first` is true as long as the object has none.
    fn fields(
        &mut self,
        node: &'a Node,
        fields: &'a [Field],
        row: &CopyFields<'_>,
        first: &mut bool,
    ) -> Result<(), BadValue> {
        for field in fields {
            let mark = self.rendered.content.len();
            match self.field(node, field, row, *first) {
                Ok(true) => *first = false,
                Ok(false) => self.rendered.content.truncate(mark),
                Err(reason) => {
                    let table = &self.renderer.plan.tables[node.table];
                    let column = match field.value.is_of_column() {
                        true => table.layout.get(field.column),
                        false => None,
                    };
                    let column = column.map_or(&field.name, |column| &column.name);
                    return Err(BadValue {
                        table: table.name.to_string(),
                        key: key_of((node.table, table), self.masks, row),
                        column: Some(column.clone()),
                        reason,
                    });
                }
            }
        }
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
                match (entries.split_first(), &node.without_row) {
                    (Some((entry, others)), _) if self.has_twin(node, entry, others) => {
                        self.two_of_one_key(node)
                    }
                    (Some((entry, _)), _) => self.row(node, *entry),
                    (None, without_row) => {
                        if let Some([reach]) = node.steps.first().map(Vec::as_slice) {
                            self.leads_nowhere(node.reference, reach, parent);
                        }
                        let object = without_row.as_deref();
                        self.rendered
                            .content
                            .extend_from_slice(object.unwrap_or_default());
                        Ok(object.is_some())
                    }
                }
            }
        };
        self.above = above;
        wrote
    }

    fn array(&mut self, node: &'a Node, entries: Vec<Entry>) -> Result<(), BadValue> {
        // An object is longer than its row. What counts more: the rows lie anywhere in memory, and looking at all of them
        // first waits for several at the same time.
        let rows = entries.iter().map(|entry| self.resident.row(entry.at));
        let bytes = rows.map(|row| row.map_or(0, <[u8]>::len)).sum();
        self.rendered.content.reserve(bytes);
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

    /// Which of the rows of a node that is one is taken.
    pub(super) fn picked(&self, node: &Node, entries: &[Entry]) -> Option<Entry> {
        let picked = match node.pick {
            Pick::First => entries.first(),
            Pick::Last => entries.last(),
        };
        picked.copied()
    }

    /// The innermost row above that is written at a place, with its node.
    pub(super) fn row_at(&self, place: usize) -> Option<&(&'a Node, RowBytes<'a>)> {
        let mut rows = self.rows.iter().rev();
        rows.find(|(node, _)| node.place == place)
    }

    /// The rows that a hop comes to from a row.
    pub(super) fn reached(&self, reach: &Reach, row: &CopyFields<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.reach(reach, row, &mut entries);
        entries
    }

    /// Adds the rows that a hop comes to from a row.
    fn reach(&self, reach: &Reach, row: &CopyFields<'_>, entries: &mut Vec<Entry>) {
        if let From::Columns(columns) = &reach.from
            && let KeyRead::Is(key) = reach.shape.read(row, columns)
        {
            self.resident.find(reach.hop, key, entries);
        }
    }

    /// The rows of a node that belong to the row above, in order.
    pub(super) fn gather(&self, node: &Node, parent: &CopyFields<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let Some((first, others)) = node.steps.split_first() else {
            return entries;
        };
        for reach in first {
            self.reach(reach, parent, &mut entries);
        }
        for step in others {
            entries = self.resident.reached(step, &entries);
        }
        if !node.matching.is_empty() {
            entries.retain(|entry| self.matches(node, *entry, parent));
        }
        self.sort(node, &mut entries, node.may_repeat);
        entries
    }

    /// True if what must hold between a row of a node and those above does.
    fn matches(&self, node: &Node, entry: Entry, parent: &CopyFields<'_>) -> bool {
        let row = WholeRow(self.resident.row(entry.at).unwrap_or_default());
        node.matching.iter().all(|it| {
            for equal in &it.equals {
                let column = std::slice::from_ref(&equal.column);
                let wanted = match equal.at {
                    At::Own => equal.shape.read(parent, column),
                    At::Above(place) => match self.row_at(place) {
                        Some((_, above)) => equal.shape.read(&WholeRow(above.bytes()), column),
                        None => KeyRead::Null,
                    },
                };
                match wanted {
                    KeyRead::Is(wanted) => {
                        let own = equal.own.read(&row, std::slice::from_ref(&it.column));
                        return own == KeyRead::Is(wanted);
                    }
                    // What is no value of its type equals nothing.
                    KeyRead::Wrong(_) => return false,
                    KeyRead::Null => {}
                }
            }
            false
        })
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
}
