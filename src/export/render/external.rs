//! The files that values of records lie in: their paths, as all rows that are kept say them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::{Renderer, row_of};
use crate::export::values;
use crate::pipeline::{FileSlice, Pick, TemplatePart, ValueRule};
use crate::resolve::{
    Entry, IndexKey, PlanComputed, PlanNested, PlanNode, PlanRule, PlanSource, PlanValue, RowStore,
    WholeRow,
};

impl Renderer {
    /// Tells the paths of all files that values lie in, of every row that was kept and may be written; `None` is any path,
    /// where it is made of several rows.
    ///
    /// # Errors
    /// Where rows were moved out of memory and cannot be read back.
    pub(in crate::export) fn external_files(
        &self,
        store: &Arc<RowStore>,
        tell: &mut dyn FnMut(Option<&str>),
    ) -> io::Result<()> {
        for relation in &self.plan.relations {
            let node = relation.source.as_ref().ok().and_then(PlanSource::node);
            if let Some(node) = node {
                self.below(&mut vec![node], store, tell)?;
            }
        }
        Ok(())
    }

    /// The same of a node, the last one of those that stand in one another, and of all below it.
    fn below<'p>(
        &self,
        line: &mut Vec<&'p PlanNode>,
        store: &Arc<RowStore>,
        tell: &mut dyn FnMut(Option<&str>),
    ) -> io::Result<()> {
        let Some(node) = line.last().copied() else {
            return Ok(());
        };
        let rules = node
            .values
            .values()
            .chain(node.computed.iter().filter_map(ruled));
        let rules = rules.flat_map(|rule| rule.rules());
        for rule in rules {
            if let ValueRule::File(slice) = rule {
                self.paths(line, slice, store, tell)?;
            }
        }
        for nested in &node.nested {
            match nested {
                PlanNested::Node(nested) => {
                    line.push(nested);
                    self.below(line, store, tell)?;
                    line.pop();
                }
                PlanNested::Empty(_) => {}
            }
        }
        Ok(())
    }

    /// The paths of one rule, if its columns are those of one row: that of the node, or one that it stands in.
    fn paths(
        &self,
        line: &[&PlanNode],
        slice: &FileSlice,
        store: &Arc<RowStore>,
        tell: &mut dyn FnMut(Option<&str>),
    ) -> io::Result<()> {
        let Some(own) = line.last() else {
            return Ok(());
        };
        let mut owner: Option<&PlanNode> = None;
        let mut parts: Vec<Result<&str, usize>> = Vec::new();
        for part in &slice.path {
            let column = match part {
                TemplatePart::Text(text) => {
                    parts.push(Ok(text));
                    continue;
                }
                TemplatePart::Column(column) => column,
            };
            let (node, name) = match self.plan.tables[own.table].column(column) {
                Some(_) => (Some(*own), column.as_str()),
                None => {
                    let (above, name) = column.rsplit_once('.').unwrap_or(("", column));
                    let mut line = line.iter().rev();
                    (line.find(|node| node.name == above).copied(), name)
                }
            };
            let node = node.filter(|node| owner.is_none_or(|owner| std::ptr::eq(owner, *node)));
            let Some(node) = node else {
                tell(None);
                return Ok(());
            };
            let at = self.plan.tables[node.table].kept_column(name);
            parts.push(Err(at.map_err(io::Error::other)?));
            owner = Some(node);
        }
        let Some(owner) = owner else {
            return Ok(());
        };
        for entry in kept(owner, store) {
            let row = row_of(store, entry.at)?;
            if let Some(path) = path(&parts, &row) {
                tell(Some(&path));
            }
        }
        Ok(())
    }
}

/// The rule of a computed key.
fn ruled(computed: &PlanComputed) -> Option<&PlanRule> {
    match &computed.value {
        PlanValue::Column { rule, .. } => rule.as_ref(),
        PlanValue::TextColor { .. }
        | PlanValue::Lookup { .. }
        | PlanValue::Constant(_)
        | PlanValue::Of(_)
        // What it chooses among are columns and look-ups without rules of files.
        | PlanValue::First(_) => None,
    }
}

/// The rows of a node that may be written: of those from which one is picked by its key, that one.
fn kept(node: &PlanNode, store: &RowStore) -> Vec<Entry> {
    let picks = !node.many && node.order.is_empty() && node.tree.is_none();
    let mut all = Vec::new();
    for hop in node.last_hops() {
        let mut picked: HashMap<IndexKey, Entry> = HashMap::new();
        // In the order of their keys.
        for (key, entry) in store.all(hop) {
            match (picks, node.pick) {
                (false, _) => all.push(entry),
                (true, Pick::First) => _ = picked.entry(key).or_insert(entry),
                (true, Pick::Last) => _ = picked.insert(key, entry),
            }
        }
        all.extend(picked.into_values());
    }
    all
}

/// A path; `None` if a column of it is NULL, for then there is no such file.
fn path(parts: &[Result<&str, usize>], row: &[u8]) -> Option<String> {
    let row = WholeRow(row);
    let mut path = Vec::new();
    for part in parts {
        match part {
            Ok(text) => path.extend_from_slice(text.as_bytes()),
            Err(column) => {
                let field = row.field(*column);
                if values::is_null(field) {
                    return None;
                }
                path.extend_from_slice(&values::decode_copy(field).ok()?);
            }
        }
    }
    Some(String::from_utf8_lossy(&path).into_owned())
}
