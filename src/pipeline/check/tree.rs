//! The relation tree against a catalog.

use super::{Checker, Need, Severity};
use crate::pipeline::model::*;
use crate::snapshot::Table;

impl<'a> Checker<'a> {
    pub(super) fn relation(&mut self, relation: &Relation) {
        let place = format!("relations > {}", relation.name);
        match &relation.source {
            Source::Rows(node) => self.node(&place, node, None),
            Source::Collected(collected) => self.collected(&place, collected),
            Source::Maxima(maxima) => {
                for maximum in maxima {
                    let place = format!("{place} > {}", maximum.name);
                    let Some(table) = self.table(&maximum.table) else {
                        let message = format!(
                            "the snapshot has no table {}: the key is left out",
                            maximum.table
                        );
                        self.report(Severity::Note, &place, message);
                        continue;
                    };
                    self.link(&place, &maximum.link, table, None);
                    self.needed(
                        &place,
                        table,
                        &maximum.column,
                        Need::Integer,
                        "the largest value",
                    );
                }
            }
        }
    }

    fn collected(&mut self, place: &str, collected: &Collected) {
        self.node(place, &collected.node, None);
        for name in self.pipeline.written_tables() {
            if collected.except_tables.iter().any(|except| except == name) {
                continue;
            }
            let Some(table) = self.table(name) else {
                continue;
            };
            for column in &collected.columns {
                if let Some((_, found)) = table.column(column)
                    && !found.sql_type.is_integer()
                {
                    let message = format!(
                        "column {column} of table {name} is no integer: its values are not collected"
                    );
                    self.report(Severity::Warning, place, message);
                }
            }
        }
    }

    /// A link's columns; without `above` the row above is the entity, whose columns are always there.
    fn link(&mut self, place: &str, link: &Link, table: &Table, above: Option<&Table>) {
        self.needed(place, table, &link.child, Need::Integer, "a link");
        if let Some(above) = above {
            self.needed(place, above, &link.parent, Need::Integer, "a link");
        }
        self.filter(place, table, &link.filter);
    }

    /// A node and what is under it. What hangs under a missing table is not looked at: nothing of it is written.
    fn node(&mut self, place: &str, node: &Node, above: Option<&'a Table>) {
        let Some(table) = self.table(&node.table) else {
            let consequence = match (above, node.many) {
                (None, _) => "the relation is left out",
                (Some(_), true) => "the array is empty",
                (Some(_), false) => "the key is left out",
            };
            let message = format!("the snapshot has no table {}: {consequence}", node.table);
            let severity = match above {
                None => Severity::Warning,
                Some(_) => Severity::Note,
            };
            return self.report(severity, place, message);
        };
        self.needed(
            place,
            table,
            self.pipeline.key_of(&node.table),
            Need::Integer,
            "the key",
        );
        self.stated_key(place, table);
        let mut linked = Some(table);
        if let Some(through) = &node.through {
            self.needed(place, table, &through.key, Need::Integer, "a link");
            linked = self.table(&through.table);
            match linked {
                Some(join) => {
                    self.needed(place, join, &through.to, Need::Integer, "a link");
                    self.stated_key(place, join);
                }
                None => {
                    let message = format!(
                        "the snapshot has no table {}: no row is found through it",
                        through.table
                    );
                    self.report(Severity::Note, place, message);
                }
            }
        }
        if let Some(linked) = linked {
            for link in &node.links {
                self.link(place, link, linked, above);
            }
        }
        if let (Some(instead), Some(above)) = (&node.instead, above) {
            self.needed(place, above, &instead.column, Need::Integer, "`instead`");
        }
        for order in &node.order {
            self.needed(place, table, &order.column, Need::Any, "the order");
        }
        self.columns(place, node, table);
        for computed in &node.computed {
            self.computed(
                &format!("{place} > {}", computed.name),
                node,
                &computed.value,
                table,
            );
        }
        for nested in &node.nested {
            self.node(&format!("{place} > {}", nested.name), nested, Some(table));
        }
    }

    fn columns(&mut self, place: &str, node: &Node, table: &'a Table) {
        let (names, consequence) = match &node.columns {
            Columns::Only(names) => (names, "it is not written"),
            Columns::Except(names) => (names, "there is nothing to leave out"),
        };
        for name in names {
            self.wanted(place, table, name, missing(node, name), consequence);
        }
        let computed = node.computed.iter().map(|computed| &computed.name);
        for key in computed.chain(node.nested.iter().map(|nested| &nested.name)) {
            if table.column(key).is_some() && node.columns.contains(key) {
                let message = format!(
                    "key {key} would be written twice: table {} has a column of that name",
                    table.name
                );
                self.report(Severity::Error, place, message);
            }
        }
    }

    fn computed(&mut self, place: &str, node: &Node, value: &ComputedValue, table: &'a Table) {
        let left_out = "the key is left out";
        let no_value = "the key has no value";
        match value {
            ComputedValue::Column(column) => {
                self.wanted(place, table, column, missing(node, column), left_out);
            }
            ComputedValue::Names { column, .. } => {
                if self
                    .wanted(place, table, column, missing(node, column), left_out)
                    .is_some()
                {
                    self.needed(place, table, column, Need::Integer, "a name");
                }
            }
            ComputedValue::TextColor { column } => {
                if self
                    .wanted(place, table, column, missing(node, column), left_out)
                    .is_some()
                {
                    self.needed(place, table, column, Need::Text, "a colour");
                }
            }
            ComputedValue::Lookup {
                table: other,
                link,
                column,
                without_table,
            } => match self.table(other) {
                Some(other) => {
                    self.link(place, link, other, Some(table));
                    self.stated_key(place, other);
                    self.wanted(place, other, column, missing(node, column), no_value);
                }
                None => {
                    let message = format!(
                        "the snapshot has no table {other}: the key has no value from there"
                    );
                    self.report(Severity::Note, place, message);
                    if let Some(column) = without_table {
                        self.wanted(place, table, column, missing(node, column), no_value);
                    }
                }
            },
        }
    }
}

/// What it means that the snapshot lacks a column that a node names.
fn missing(node: &Node, column: &str) -> Severity {
    match node.optional.contains(column) {
        true => Severity::Note,
        false => Severity::Warning,
    }
}
