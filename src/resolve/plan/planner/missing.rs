//! Warnings of columns that a node names and the snapshot lacks: most likely the names are wrong, and what `except` was
//! to leave out is written.

use crate::pipeline::{Collected, Columns, ComputedValue, Node};
use crate::resolve::plan::ids::TableId;
use crate::snapshot::Table;

use super::Planner;

impl Planner<'_> {
    pub(super) fn look_for_columns(&mut self, node: &Node, table: TableId) {
        let found = self.tables[table].table;
        let (names, outcome) = match &node.columns {
            Columns::Except(names) => (names, "`except` leaves out nothing by that name"),
            Columns::Only(names) => (names, "it is not written"),
        };
        for name in names {
            self.look_for(node, found, name, &format!("{outcome} in {}", node.name));
        }
        for item in &node.computed {
            self.look_for_computed(node, &item.name, &item.value, found);
        }
    }

    /// Columns that no table has whose values a relation is collected from.
    pub(super) fn look_for_collected(&mut self, relation: &str, it: &Collected) {
        let mut tables = self.pipeline.written_tables();
        tables.retain(|table| !it.except_tables.contains(table));
        let tables: Vec<&Table> = tables
            .into_iter()
            .filter_map(|table| self.find(table))
            .collect();
        let columns = it.columns.iter();
        for column in columns.filter(|name| !it.optional.contains(*name)) {
            if tables.iter().all(|table| table.column(column).is_none()) {
                self.warn(format!(
                    "no table that is exported has a column {column}: nothing is collected by it for {relation}"
                ));
            }
        }
    }

    /// What a row must match, if none of the columns is there that it must equal.
    pub(super) fn look_for_match(&mut self, node: &Node, column: &str, equals: &[String]) {
        if equals.iter().all(|equal| node.optional.contains(equal)) {
            return;
        }
        self.warn(format!(
            "column {column} of table {} has nothing to match, since there is no {}: no row is found for {}",
            node.table,
            equals.join(", "),
            node.name
        ));
    }

    fn look_for_computed(&mut self, node: &Node, key: &str, value: &ComputedValue, found: &Table) {
        let outcome = |what: &str| format!("key {key} of {} {what}", node.name);
        match value {
            ComputedValue::Constant(_) | ComputedValue::Of(_) => {}
            ComputedValue::Column(column)
            | ComputedValue::Ruled { column, .. }
            | ComputedValue::Names { column, .. }
            | ComputedValue::TextColor { column } => {
                self.look_for(node, found, column, &outcome("is left out"));
            }
            // A table of names that only some releases have is no loss.
            ComputedValue::First(values) => {
                for value in values {
                    if value
                        .lookups()
                        .iter()
                        .all(|table| self.find(table).is_some())
                    {
                        self.look_for_computed(node, key, value, found);
                    }
                }
            }
            ComputedValue::Lookup {
                table: other,
                column,
                without_table,
                without_row,
                ..
            } => match (self.find(other), without_table) {
                (Some(other), _) => {
                    self.look_for(node, other, column, &outcome(&always(without_row)));
                }
                (None, Some(own)) => {
                    self.look_for(node, found, own, &outcome("is always null"));
                }
                (None, None) => {
                    let outcome = outcome(&always(without_row));
                    self.warn(format!("table {other} is not in the snapshot: {outcome}"));
                }
            },
        }
    }

    fn look_for(&mut self, node: &Node, table: &Table, column: &str, outcome: &str) {
        if table.column(column).is_none() && !node.optional.contains(column) {
            self.warn(format!(
                "table {} has no column {column}: {outcome}",
                table.name
            ));
        }
    }
}

/// What a key is that has no other table to be looked up in: JSON text, or null.
fn always(without_row: &Option<String>) -> String {
    format!("is always {}", without_row.as_deref().unwrap_or("null"))
}
