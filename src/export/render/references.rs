//! References: columns by which the tree of a relation goes from a row to the one row that they name, and those of them
//! that lead nowhere.
//!
//! A link is a reference if the column names the other table's key, and nothing else is asked of the other row: then a
//! value without a row is one that the snapshot should have a row for. Columns whose values are collected are looked at
//! where they are collected.

use crate::output::DanglingReference;
use crate::resolve::{CopyFields, KeyRead, Plan, PlanNode, PlanSource, TableId};

use super::compile::{From, Nested, Node, Reach};
use super::record::Job;
use super::value::Value;

/// A reference of a relation's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    table: String,
    column: String,
    to: String,
}

impl Reference {
    /// What is noted of so many that lead nowhere.
    pub(super) fn dangling(&self, count: u64) -> DanglingReference {
        DanglingReference {
            table: self.table.clone(),
            column: self.column.clone(),
            to: self.to.clone(),
            count,
        }
    }
}

/// Finds the references of a relation's tree, and marks in it where each is taken. A column is one reference of its row,
/// however many keys are made by it.
pub(super) fn find(plan: &Plan, relation: usize, node: &mut Node) -> Vec<Reference> {
    let mut found = Vec::new();
    Finder { plan, relation }.find(node, &mut found);
    found
}

struct Finder<'p> {
    plan: &'p Plan,
    relation: usize,
}

impl Finder<'_> {
    fn find(&self, node: &mut Node, found: &mut Vec<Reference>) {
        let first = found.len();
        let table = node.table;
        let mut add = |reference: Option<Reference>| {
            let reference = reference.filter(|it| !found[first..].contains(it))?;
            found.push(reference);
            Some(found.len() - 1)
        };
        for nested in &mut node.nested {
            if let Nested::Node { node: child, .. } = nested {
                child.reference = match (child.many, &*child.steps, child.matching.is_empty()) {
                    (false, [step], true) => match &**step {
                        [reach] => add(self.reference(table, reach)),
                        _ => None,
                    },
                    _ => None,
                };
            }
        }
        for field in node.fields.iter_mut().chain(&mut node.last) {
            // Of several values that may stand in for each other none has to be there.
            if let Value::Lookup {
                reach, reference, ..
            } = &mut field.value
            {
                *reference = add(self.reference(table, reach));
            }
        }
        for nested in &mut node.nested {
            if let Nested::Node { node: child, .. } = nested {
                self.find(child, found);
            }
        }
    }

    /// The reference that a link from rows of a table is, if it is one.
    fn reference(&self, from: TableId, reach: &Reach) -> Option<Reference> {
        let From::Columns(columns) = &reach.from else {
            return None;
        };
        let plan = self.plan;
        let (hop, from) = (&plan.hops[reach.hop], &plan.tables[from]);
        let to = &plan.tables[hop.table];
        let mut key: Vec<&str> = to
            .key
            .iter()
            .map(|at| to.layout[*at].name.as_str())
            .collect();
        let mut child: Vec<&str> = hop.child.iter().map(String::as_str).collect();
        key.sort_unstable();
        child.sort_unstable();
        let is_by_key = !key.is_empty() && key == child;
        // What names a row by the own key is a row that may be there or not. The key of a partitioned table is its `id` and
        // what it is partitioned by.
        let is_id = |at: &usize| from.key.contains(at) && from.layout[*at].name == "id";
        let is_own = *columns == from.key || columns.iter().all(is_id);
        let set = plan.set_of(self.relation);
        let is_collected = from.collected.iter().any(|it| {
            set.contains(&it.relation)
                && *columns == [it.column]
                && every_row(plan, it.relation)
                    .is_some_and(|node| plan.tables[node.table].name == to.name)
        });
        let is_one =
            is_by_key && !is_own && !is_collected && hop.filter.is_empty() && reach.over.is_none();
        let columns = columns.iter().map(|at| from.layout[*at].name.as_str());
        is_one.then(|| Reference {
            table: from.name.to_string(),
            column: columns.collect::<Vec<_>>().join(", "),
            to: to.name.to_string(),
        })
    }
}

/// The node of a relation that is collected, if every row that is referred to belongs to it.
pub(super) fn every_row(plan: &Plan, relation: usize) -> Option<&PlanNode> {
    let Ok(PlanSource::Collected(node)) = &plan.relations.get(relation)?.source else {
        return None;
    };
    let hop = node.last_hops().next()?;
    (!node.may_repeat() && plan.hops[hop].filter.is_empty()).then_some(node)
}

impl Job<'_> {
    /// A reference found no row: if its columns say that there is one, it leads nowhere.
    pub(super) fn leads_nowhere(
        &mut self,
        reference: Option<usize>,
        reach: &Reach,
        row: &CopyFields<'_>,
    ) {
        let (Some(reference), From::Columns(columns)) = (reference, &reach.from) else {
            return;
        };
        if let KeyRead::Is(_) = reach.shape.read(row, columns) {
            self.rendered.dangling.push(reference);
        }
    }
}
