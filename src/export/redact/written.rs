//! Which columns' values an export writes, in records or elsewhere.

use std::collections::BTreeSet;

use crate::pipeline::{Entity, Form, Pipeline, TemplatePart, ValueRule};
use crate::resolve::{
    Plan, PlanComputed, PlanNested, PlanNode, PlanRule, PlanSource, PlanValue, TableId,
};

/// A column: a table, and a position in its layout.
pub(super) type Column = (TableId, usize);

/// The columns whose values are written by a plan of these pipelines.
pub(super) fn written(plan: &Plan, pipelines: &[&Pipeline]) -> BTreeSet<Column> {
    let mut survey = Survey {
        plan,
        found: BTreeSet::new(),
    };
    for relation in &plan.relations {
        match (&relation.source, relation.form) {
            // Rows that name files are no records, and a relation that fails is not written.
            (Ok(_), Form::Archive(_)) | (Err(_) | Ok(PlanSource::NoFiles), _) => {}
            (Ok(PlanSource::Rows(node) | PlanSource::Collected(node)), _) => {
                survey.node(node, &mut Vec::new());
            }
            (Ok(PlanSource::Maxima(maxima)), _) => {
                for maximum in maxima {
                    if let Some(step) = maximum.steps.last() {
                        survey.note(step.table, &maximum.column);
                    }
                }
            }
        }
    }
    for pipeline in pipelines {
        survey.paths(&pipeline.entity);
    }
    survey.found
}

struct Survey<'p> {
    plan: &'p Plan,
    found: BTreeSet<Column>,
}

impl<'p> Survey<'p> {
    /// Notes a column, if the table has it.
    fn note(&mut self, table: TableId, column: &str) {
        if let Some(column) = self.plan.tables[table].column(column) {
            self.found.insert((table, column));
        }
    }

    /// The columns of which the path of an entity is made, which the manifest and the metadata say.
    fn paths(&mut self, entity: &Entity) {
        let own = entity.path.iter().chain(&entity.segment);
        let own = own.map(|column| (&entity.table, column));
        let lookups = entity.paths.iter().filter(|lookup| !lookup.former);
        let lookups = lookups.map(|lookup| (&lookup.table, &lookup.path));
        for (table, column) in own.chain(lookups) {
            if let Some(table) = self.plan.table(table) {
                self.note(table, column);
            }
        }
    }

    /// The columns of a node and of what is nested in it. `above` are the nodes that it stands in.
    fn node(&mut self, node: &'p PlanNode, above: &mut Vec<&'p PlanNode>) {
        let table = &self.plan.tables[node.table];
        for column in &table.layout {
            if node.columns.contains(&column.name) {
                self.column(node, above, &column.name, node.values.get(&column.name));
            }
        }
        for PlanComputed { value, .. } in &node.computed {
            self.value(node, above, value);
        }
        above.push(node);
        for nested in &node.nested {
            match nested {
                PlanNested::Empty(_) => {}
                PlanNested::Node(child) => {
                    let over = node.overlay.as_ref();
                    if let Some(over) = over.filter(|over| over.nested == child.name) {
                        for column in &over.columns {
                            self.note(child.table, column);
                        }
                    }
                    self.node(child, above);
                }
            }
        }
        above.pop();
    }

    fn value(&mut self, node: &'p PlanNode, above: &[&'p PlanNode], value: &PlanValue) {
        match value {
            PlanValue::Column { column, rule } => {
                let rule = rule.as_ref().or_else(|| node.values.get(column));
                self.column(node, above, column, rule);
            }
            PlanValue::TextColor { column } => self.note(node.table, column),
            PlanValue::Lookup { reach, column, .. } => {
                self.note(self.plan.hops[reach.hop].table, column);
            }
            // A nested row's own key is noted there.
            PlanValue::Constant(_) | PlanValue::Of(_) => {}
            PlanValue::First(values) => {
                for value in values {
                    self.value(node, above, value);
                }
            }
        }
    }

    /// A column that is written by a rule.
    fn column(
        &mut self,
        node: &'p PlanNode,
        above: &[&'p PlanNode],
        column: &str,
        rule: Option<&PlanRule>,
    ) {
        let Some(rule) = rule else {
            return self.note(node.table, column);
        };
        match rule {
            ValueRule::Names(_)
            | ValueRule::NullAs(_)
            | ValueRule::Yaml(_)
            | ValueRule::Bytes(_)
            | ValueRule::File(_)
            | ValueRule::Repository(_)
            | ValueRule::Plain => self.note(node.table, column),
            ValueRule::NullAsColumn(other) => {
                self.note(node.table, column);
                self.note(node.table, other);
            }
            ValueRule::Column(other) => self.note(node.table, other),
            ValueRule::Title(part) => self.note(node.table, &part.column),
            ValueRule::Object { template, .. } | ValueRule::Text { template, .. } => {
                for part in template {
                    if let TemplatePart::Column(name) = part {
                        self.located(node, above, name);
                    }
                }
            }
            ValueRule::Cases(cases) => {
                // None of them may hold.
                self.note(node.table, column);
                for case in cases {
                    self.column(node, above, column, Some(&case.rule));
                }
            }
            ValueRule::Constant(_) | ValueRule::Of(_) | ValueRule::Count(_) => {}
        }
    }

    /// A column of the row, or of one further up, if the name of its node stands before a dot.
    fn located(&mut self, node: &'p PlanNode, above: &[&'p PlanNode], name: &str) {
        if self.plan.tables[node.table].column(name).is_some() {
            return self.note(node.table, name);
        }
        if let Some((of, column)) = name.rsplit_once('.')
            && let Some(above) = above.iter().rev().find(|above| above.name == of)
        {
            self.note(above.table, column);
        }
    }
}
