//! Tables whose data a snapshot holds without their definition: what needs them fails.

use std::collections::BTreeSet;

use crate::pipeline::Pipeline;
use crate::snapshot::TableName;

use super::collected::is_collected_from;
use super::error::PlanError;
use super::model::{Plan, PlanRelation};
use super::selection::Selection;

impl Plan {
    /// Fails the relations that need one of these tables, whose data is there without its definition: also those that
    /// were left out because the catalog does not have it.
    pub(in crate::resolve) fn fail_undefined(
        &mut self,
        pipeline: &Pipeline,
        selection: &Selection,
        names: &BTreeSet<TableName>,
    ) {
        let mut relations = std::mem::take(&mut self.relations).into_iter().peekable();
        for relation in selection.relations(pipeline) {
            let tables = selection.relation_tables(relation);
            let undefined_table = tables.iter().find(|table| names.contains(*table));
            let planned = relations.next_if(|planned| planned.name == relation.name);
            let reason = undefined_table.map(|table| PlanError::Undefined(table.clone()));
            let relation = match (planned, reason) {
                (Some(planned), None) => planned,
                (Some(planned), Some(reason)) => PlanRelation {
                    source: Err(reason),
                    ..planned
                },
                (None, Some(reason)) => PlanRelation {
                    name: relation.name.clone(),
                    form: relation.form,
                    batched: relation.batched,
                    source: Err(reason),
                    tables: BTreeSet::new(),
                    hops: Vec::new(),
                    collected_from: is_collected_from(pipeline, relation, None),
                },
                // It stays left out.
                (None, None) => continue,
            };
            self.left_out
                .retain(|(left_out, _)| *left_out != relation.name);
            self.relations.push(relation);
        }
    }
}
