//! The relation tree against a catalog.

use std::collections::BTreeSet;

use super::links::Above;
use super::{Absence, Checker, Need, Severity};
use crate::key::KeyForm;
use crate::pipeline::model::*;
use crate::snapshot::Table;

impl<'a> Checker<'a> {
    pub(super) fn relation(&mut self, relation: &'a Relation) {
        let place = format!("relations > {}", relation.name);
        match &relation.source {
            Source::Rows(node) => self.node(&place, node, Above::Entity),
            Source::Collected(collected) => {
                self.node(&place, &collected.node, Above::Collected(collected))
            }
            Source::Maxima(maxima) => {
                let scope = self.scope;
                for maximum in maxima.iter().filter(|it| scope.takes(it.ee)) {
                    self.maximum(&format!("{place} > {}", maximum.name), maximum);
                }
            }
        }
    }

    fn maximum(&mut self, place: &str, maximum: &Maximum) {
        let Some(table) = self.table(&maximum.table) else {
            let message = format!(
                "the snapshot has no table {}: the key is left out",
                maximum.table
            );
            return self.report_lack(Severity::Note, place, message);
        };
        let links = std::slice::from_ref(&maximum.link);
        self.chain(place, table, links, &maximum.via, Above::Entity);
        let column = &maximum.column;
        let found = self.there(place, table, column, "the largest value");
        if let Some(sql_type) = found
            && KeyForm::of(sql_type, self.catalog).is_none()
        {
            let message = format!(
                "the largest value needs a type with an order, and column {column} of table {} is {sql_type}",
                table.name
            );
            self.report(Severity::Error, place, message);
        }
    }

    /// A node and what is under it. What hangs under a missing table is not looked at: nothing of it is written.
    fn node(&mut self, place: &str, node: &Node, above: Above<'a>) {
        let Some(table) = self.table(&node.table) else {
            let (severity, consequence) = match (above, node.many) {
                (Above::Entity | Above::Collected(_), _) => {
                    (Severity::Warning, "the relation is left out")
                }
                (Above::Table(_) | Above::Missing, true) => (Severity::Note, "the array is empty"),
                (Above::Table(_) | Above::Missing, false) => {
                    (Severity::Note, "the key is left out")
                }
            };
            let message = format!("the snapshot has no table {}: {consequence}", node.table);
            return self.report_lack(severity, place, message);
        };
        for column in self.key_of(table) {
            self.there(place, table, &column, "the key");
        }
        self.stated_key(place, table);
        self.chain(place, table, &node.links, &node.via, above);
        if let Some(tree) = &node.tree {
            self.link(place, &tree.link, table, Above::Table(table));
        }
        if let (Some(instead), Above::Table(above)) = (&node.instead, above) {
            self.needed(place, above, &instead.column, Need::Integer, "`instead`");
        }
        for order in &node.order {
            self.there(place, table, &order.column, "the order");
        }
        self.ordered_by_bytes(place, node, table);
        self.columns(place, node, table);
        self.nodes.push((node.name.clone(), table));
        self.rules(place, node, table);
        for computed in &node.computed {
            self.computed(
                &format!("{place} > {}", computed.name),
                node,
                &computed.value,
                table,
            );
        }
        let scope = self.scope;
        for nested in node.nested.iter().filter(|it| scope.takes(it.ee)) {
            let place = format!("{place} > {}", nested.name);
            self.node(&place, nested, Above::Table(table));
        }
        self.nodes.pop();
    }

    /// What a node says of the values of its columns.
    fn rules(&mut self, place: &str, node: &Node, table: &'a Table) {
        for (column, rule) in &node.values {
            let consequence = "the rule has nothing to hold for";
            let found = self.wanted(
                place,
                table,
                column,
                Absence::Told(Severity::Note),
                consequence,
            );
            if found.is_some() {
                self.value_rule(place, table, column, rule);
            }
        }
        for it in &node.matching {
            self.there(place, table, &it.column, "`match`");
            self.matched(place, &it.column, &it.equals);
        }
        if let Some(overlay) = &node.overlay {
            let mut nested = node.nested.iter();
            let over = nested.find(|nested| nested.name == overlay.nested);
            let over = over.and_then(|over| self.table(&over.table));
            for column in &overlay.columns {
                for table in [Some(table), over].into_iter().flatten() {
                    self.there(place, table, column, "`overlay`");
                }
            }
        }
    }

    /// What a column must equal: the first of these columns that is not NULL.
    fn matched(&mut self, place: &str, column: &str, equals: &[String]) {
        let parent = self.nodes.iter().rev().nth(1).map(|(_, table)| *table);
        let Some(parent) = parent else {
            return;
        };
        let mut found = 0;
        for other in equals {
            match self.column_above(parent, other) {
                Ok(_) => found += 1,
                Err(message) => self.report(Severity::Note, place, message),
            }
        }
        if found == 0 {
            let message = format!(
                "column {column} has nothing to match: none of the columns that it must equal is there, and no row is found"
            );
            self.report_lack(Severity::Warning, place, message);
        }
    }

    /// A column of a table, or of a row further up, by its name; or what is not there.
    pub(super) fn column_above(
        &self,
        table: &'a Table,
        column: &str,
    ) -> Result<(&'a Table, String), String> {
        if table.column(column).is_some() {
            return Ok((table, column.to_owned()));
        }
        let above = column.rsplit_once('.').and_then(|(node, name)| {
            let mut nodes = self.nodes.iter().rev().skip(1);
            nodes
                .find(|(above, _)| above == node)
                .map(|(_, above)| (*above, name))
        });
        match above {
            Some((above, name)) if above.column(name).is_some() => Ok((above, name.to_owned())),
            Some((above, name)) => Err(format!(
                "table {} has no column {name}: it is NULL",
                above.name
            )),
            None => Err(format!(
                "table {} has no column {column}: it is NULL",
                table.name
            )),
        }
    }

    fn columns(&mut self, place: &str, node: &Node, table: &'a Table) {
        let (names, consequence) = match &node.columns {
            Columns::Only(names) => (names, "it is not written"),
            Columns::Except(names) => (names, "there is nothing to leave out"),
        };
        let scope = self.scope;
        let is_written = |name: &&String| scope.takes(node.ee_columns.contains(*name));
        for name in names.iter().filter(is_written) {
            self.wanted(place, table, name, missing(node, name), consequence);
        }
        for name in node.renamed.keys().filter(is_written) {
            self.wanted(place, table, name, missing(node, name), "it is not written");
        }
        let written = table.columns.iter().map(|column| &column.name);
        let written: BTreeSet<&String> = written
            .filter(|name| node.columns.contains(name) && !node.renamed.contains_key(*name))
            // Records do not have what the database computes.
            .filter(|name| !self.catalog.is_generated(&table.name, name))
            .collect();
        let renamed = node.renamed.iter();
        let renamed = renamed.filter(|(column, _)| table.column(column).is_some());
        let computed = node.computed.iter().map(|computed| &computed.name);
        let tree = node.tree.iter().map(|tree| &tree.name);
        let nested = node.nested.iter().map(|nested| &nested.name);
        for key in renamed
            .map(|(_, key)| key)
            .chain(computed)
            .chain(tree)
            .chain(nested)
        {
            if written.contains(key) {
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
            ComputedValue::Ruled { column, rule } => {
                self.wanted(place, table, column, missing(node, column), left_out);
                self.value_rule(place, table, column, rule);
            }
            ComputedValue::Constant(_) | ComputedValue::Of(_) => {}
            ComputedValue::First(values) => {
                let before = self.findings.len();
                for value in values {
                    self.computed(place, node, value, table);
                }
                // Of tables that only some releases have, the pipeline names several in turn.
                let is_there = |value: &ComputedValue| {
                    let lookups = value.lookups();
                    lookups.iter().all(|other| self.table(other).is_some())
                };
                if values.iter().any(is_there) {
                    for finding in &mut self.findings[before..] {
                        finding.is_lack &= finding.severity != Severity::Note;
                    }
                }
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
                names,
                without_row: _,
            } => match self.table(other) {
                Some(other) => {
                    self.link(place, link, other, Above::Table(table));
                    self.stated_key(place, other);
                    let found = self.wanted(place, other, column, missing(node, column), no_value);
                    if names.is_some() && found.is_some() {
                        self.needed(place, other, column, Need::Integer, "a name");
                    }
                }
                None => {
                    let message = format!(
                        "the snapshot has no table {other}: the key has no value from there"
                    );
                    match without_table {
                        Some(column) => {
                            self.report(Severity::Note, place, message);
                            self.wanted(place, table, column, missing(node, column), no_value);
                        }
                        None => self.report_lack(Severity::Note, place, message),
                    }
                }
            },
        }
    }
}

/// What it means that the snapshot lacks a column that a node names.
fn missing(node: &Node, column: &str) -> Absence {
    match node.optional.contains(column) {
        true => Absence::Allowed,
        false => Absence::Told(Severity::Warning),
    }
}
