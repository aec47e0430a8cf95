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
    /// were left out because the catalog does not have it. `pipelines` are those of the plan's sets, in their order; none for a
    /// set of a kind of which no relation is wanted.
    pub(in crate::resolve) fn fail_undefined<'p>(
        &mut self,
        pipelines: impl Iterator<Item = Option<&'p Pipeline>>,
        selection: &Selection,
        names: &BTreeSet<TableName>,
    ) {
        let old = std::mem::take(&mut self.relations);
        let mut old = old.into_iter().enumerate().peekable();
        // What the old positions have become.
        let mut positions = Vec::new();
        for (pipeline, set) in pipelines.zip(&mut self.sets) {
            let first = self.relations.len();
            let planned = set.end;
            let relations = pipeline.map(|pipeline| (pipeline, selection.relations(pipeline)));
            let relations = relations.into_iter().flat_map(|(pipeline, relations)| {
                let relations = relations.into_iter();
                relations.map(move |relation| (pipeline, relation))
            });
            for (pipeline, relation) in relations {
                let tables = selection.relation_tables(relation);
                let undefined_table = tables.iter().find(|table| names.contains(*table));
                let is_it = |(position, other): &(usize, PlanRelation)| {
                    *position < planned && other.name == relation.name
                };
                let planned = old.next_if(is_it).map(|(_, planned)| planned);
                let reason = undefined_table.map(|table| PlanError::Undefined(table.clone()));
                if planned.is_some() {
                    positions.push(self.relations.len());
                }
                let relation = match (planned, reason) {
                    (Some(planned), None) => planned,
                    (Some(planned), Some(reason)) => PlanRelation {
                        source: Err(reason),
                        ..planned
                    },
                    (None, Some(reason)) => {
                        let table = relation.table();
                        self.left_out.retain(|left_out| {
                            left_out.pipeline != pipeline.name
                                || left_out.relation != relation.name
                                || Some(&left_out.table) != table
                        });
                        PlanRelation {
                            name: relation.name.clone(),
                            pipeline: pipeline.name.clone(),
                            form: relation.form,
                            values: pipeline.values,
                            batched: relation.batched,
                            batches_by_key: relation.batches_by_key,
                            pick: relation.pick,
                            without_row: relation.without_row.clone(),
                            source: Err(reason),
                            tables: BTreeSet::new(),
                            hops: Vec::new(),
                            collected_from: is_collected_from(pipeline, relation, None),
                        }
                    }
                    // It stays left out.
                    (None, None) => continue,
                };
                self.relations.push(relation);
            }
            *set = first..self.relations.len();
        }
        for table in self.tables.as_mut_slice() {
            for column in &mut table.collected {
                if let Some(position) = positions.get(column.relation) {
                    column.relation = *position;
                }
            }
        }
    }
}
