//! Values: the rules of a node's columns and its computed keys, and what they need.

use std::collections::BTreeMap;

use crate::key::KeyForm;
use crate::pipeline::{Computed, ComputedValue, Condition, Node, Test, ValueRule};
use crate::resolve::condition::ValueTest;
use crate::resolve::plan::error::PlanError;
use crate::resolve::plan::ids::{HopId, TableId};
use crate::resolve::plan::model::{
    PlanComputed, PlanEqual, PlanMatch, PlanRule, PlanTest, PlanValue, RowOf,
};

use super::nodes::Above;
use super::{Planner, find_column};

impl<'p> Planner<'p> {
    /// The rules of all columns that a node may write.
    pub(super) fn rules(
        &mut self,
        node: &'p Node,
        table: TableId,
    ) -> Result<BTreeMap<String, PlanRule>, PlanError> {
        let columns = &self.tables[table].table.columns;
        let name = self.said(self.tables[table].table);
        let mut rules = BTreeMap::new();
        for column in columns.iter().map(|column| &column.name) {
            if !node.columns.contains(column) && !is_computed_of(node, column) {
                continue;
            }
            let own = node.values.get(column);
            if let Some(rule) = own.or_else(|| self.pipeline.value_rule(name, column)) {
                rules.insert(column.clone(), self.rule(table, rule)?);
            }
        }
        Ok(rules)
    }

    /// A rule, ready for the rows of a table; what it looks at is kept.
    fn rule(&mut self, table: TableId, rule: &ValueRule) -> Result<PlanRule, PlanError> {
        for column in rule.columns() {
            let (_, table, column) = self.place(table, column, RowOf::Own);
            self.need_if_there(table, &column);
        }
        for column in rule.template_columns() {
            let (_, table, column) = self.place(table, column, RowOf::Own);
            self.need(table, &column)?;
        }
        rule.try_map(&mut |condition| self.test(table, condition))
    }

    fn test(&mut self, table: TableId, condition: &Condition) -> Result<PlanTest, PlanError> {
        let (of, table, column) = self.place(table, &condition.column, RowOf::Own);
        // A column that the snapshot lacks is NULL.
        self.need_if_there(table, &column);
        let definition = self.tables[table].table;
        let found = definition.column(&column);
        let form = found.and_then(|(_, found)| KeyForm::of(&found.sql_type, self.catalog));
        let test = match found {
            Some(_) => ValueTest::new(&condition.test, form),
            None => match &condition.test {
                test @ (Test::In { .. } | Test::NotIn { .. }) => {
                    ValueTest::new(test, Some(KeyForm::Text))
                }
                // NULL is neither beyond a bound nor a text.
                Test::Between { .. } | Test::Prefix(_) | Test::Length(_) => {
                    let never = Test::In {
                        values: Vec::new(),
                        null: false,
                    };
                    ValueTest::new(&never, Some(KeyForm::Text))
                }
            },
        };
        let test = test.map_err(|reason| PlanError::Condition {
            table: definition.name.clone(),
            column: column.clone(),
            reason,
        })?;
        Ok(PlanTest { of, column, test })
    }

    /// The row that a column is looked at of: of one further up, if the name of its node stands before a dot; else `else_of`.
    fn place(&self, table: TableId, column: &str, else_of: RowOf) -> (RowOf, TableId, String) {
        let own = self.tables[table].table.column(column).is_some();
        if !own
            && let Some((node, name)) = column.rsplit_once('.')
            && let Some(at) = self.above.iter().rposition(|(above, _)| above == node)
        {
            let path = self.above[..=at].iter().map(|(name, _)| name.clone());
            return (
                RowOf::Above(path.collect()),
                self.above[at].1,
                name.to_owned(),
            );
        }
        (else_of, table, column.to_owned())
    }

    /// What must hold between a node's rows and those above.
    pub(super) fn matching(
        &mut self,
        node: &Node,
        table: TableId,
    ) -> Result<Vec<PlanMatch>, PlanError> {
        let parent = self.above.last().map(|(_, table)| *table);
        let (Some(parent), false) = (parent, node.matching.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut matching = Vec::new();
        for it in &node.matching {
            self.need(table, &it.column)?;
            let mut equals = Vec::new();
            for column in &it.equals {
                let (of, above, column) = self.place(parent, column, RowOf::Parent);
                // One that the snapshot lacks is NULL, and the next one counts.
                if !self.need_if_there(above, &column) {
                    continue;
                }
                let found = self.tables[above].table;
                let sql_type = find_column(found, &column)?.sql_type.clone();
                let end = (format!("column {column} of table {}", found.name), sql_type);
                let (own, shape) = self.compare(table, std::slice::from_ref(&it.column), &[end])?;
                equals.push(PlanEqual {
                    of,
                    column,
                    own,
                    shape,
                });
            }
            if equals.is_empty() {
                self.look_for_match(node, &it.column, &it.equals);
            }
            matching.push(PlanMatch {
                column: it.column.clone(),
                equals,
            });
        }
        Ok(matching)
    }

    /// A computed key; `None` if the row's table lacks the column that it is made of.
    pub(super) fn computed(
        &mut self,
        item: &'p Computed,
        table: TableId,
        hops: &[HopId],
    ) -> Result<Option<PlanComputed>, PlanError> {
        let value = self.computed_value(&item.value, table, hops)?;
        Ok(value.map(|value| PlanComputed {
            name: item.name.clone(),
            value,
            object: item.object.clone(),
            last: item.last,
            unless_null: item.unless_null,
        }))
    }

    fn computed_value(
        &mut self,
        value: &'p ComputedValue,
        table: TableId,
        hops: &[HopId],
    ) -> Result<Option<PlanValue>, PlanError> {
        let own = |column: &str, rule: Option<PlanRule>| PlanValue::Column {
            column: column.to_owned(),
            rule,
        };
        match value {
            ComputedValue::Constant(json) => Ok(Some(PlanValue::Constant(json.clone()))),
            ComputedValue::Column(column) => {
                Ok(self.need_if_there(table, column).then(|| own(column, None)))
            }
            ComputedValue::Names { column, names } => Ok(self
                .need_if_there(table, column)
                .then(|| own(column, Some(ValueRule::Names(names.clone()))))),
            ComputedValue::Ruled { column, rule } => {
                let rule = self.rule(table, rule)?;
                Ok(self
                    .need_if_there(table, column)
                    .then(|| own(column, Some(rule))))
            }
            ComputedValue::TextColor { column } => {
                Ok(self
                    .need_if_there(table, column)
                    .then(|| PlanValue::TextColor {
                        column: column.clone(),
                    }))
            }
            ComputedValue::Of(path) => Ok(Some(PlanValue::Of(path.clone()))),
            ComputedValue::First(values) => {
                let mut found = Vec::new();
                for value in values {
                    found.extend(self.computed_value(value, table, hops)?);
                }
                Ok(Some(PlanValue::First(found)))
            }
            ComputedValue::Lookup {
                table: other,
                link,
                column,
                without_table,
                names,
                without_row,
            } => {
                let without_row = without_row.clone().unwrap_or_else(|| "null".to_owned());
                let Some(found) = self.find(other) else {
                    return Ok(Some(match without_table {
                        Some(column) if self.need_if_there(table, column) => own(column, None),
                        Some(_) | None => PlanValue::Constant(without_row),
                    }));
                };
                let other = self.table(found)?;
                if !self.need_if_there(other, column) {
                    return Ok(Some(PlanValue::Constant(without_row)));
                }
                let above = Above::rows(table, hops.to_vec());
                Ok(Some(PlanValue::Lookup {
                    reach: self.reach(other, link, &above)?,
                    column: column.clone(),
                    names: names.clone(),
                    without_row,
                }))
            }
        }
    }
}

/// True if a computed key of a node is the value of this column.
fn is_computed_of(node: &Node, column: &str) -> bool {
    fn is_of(value: &ComputedValue, column: &str) -> bool {
        match value {
            ComputedValue::Column(of) | ComputedValue::TextColor { column: of } => of == column,
            ComputedValue::First(values) => values.iter().any(|value| is_of(value, column)),
            ComputedValue::Lookup { without_table, .. } => without_table.as_deref() == Some(column),
            ComputedValue::Constant(_)
            | ComputedValue::Names { .. }
            | ComputedValue::Ruled { .. }
            | ComputedValue::Of(_) => false,
        }
    }
    node.computed
        .iter()
        .any(|computed| is_of(&computed.value, column))
}
