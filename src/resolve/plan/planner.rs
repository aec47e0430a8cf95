//! Drawing up the plan: which tables, hops and slots a pipeline's tree needs, and which columns of each table.
//!
//! A table's layout is fixed last, when every node has said what it needs.

mod missing;
mod nodes;

use std::collections::BTreeSet;

use crate::pipeline::{Collected, Link, Maximum, Pipeline, Relation, Source};
use crate::snapshot::{Catalog, Table, TableName};

use super::collected::is_collected_from;
use super::error::PlanError;
use super::ids::{HopId, IdVec, SlotId, TableId};
use super::model::{
    Hop, LayoutColumn, Plan, PlanMaximum, PlanRelation, PlanSource, PlanTable, SlotSource,
};
use super::selection::Selection;

/// Lays a pipeline over a catalog.
///
/// # Errors
/// If the entity's own table is missing or lacks its key: then nothing can be exported.
pub fn plan(
    pipeline: &Pipeline,
    selection: &Selection,
    catalog: &Catalog,
) -> Result<Plan, PlanError> {
    let mut planner = Planner {
        pipeline,
        selection,
        catalog,
        tables: IdVec::new(),
        hops: IdVec::new(),
        slots: IdVec::new(),
        warnings: Vec::new(),
        writers: Vec::new(),
    };
    planner.entities()?;
    let mut left_out = Vec::new();
    let mut wanted = Vec::new();
    for relation in selection.relations(pipeline) {
        let table = match &relation.source {
            Source::Rows(node) => Some(&node.table),
            Source::Collected(it) => Some(&it.node.table),
            Source::Maxima(_) => None,
        };
        match table.filter(|table| planner.find(table).is_none()) {
            Some(table) => left_out.push((relation.name.clone(), table.clone())),
            None => wanted.push(relation),
        }
    }
    // What is collected is planned last: its keys are fed by every other relation's hops.
    let is_collected = |relation: &&Relation| matches!(relation.source, Source::Collected(_));
    let wanted = wanted.into_iter().enumerate();
    let (collected, others): (Vec<_>, Vec<_>) =
        wanted.partition(|(_, relation)| is_collected(relation));
    let mut planned: Vec<(usize, PlanRelation)> = Vec::new();
    for (position, relation) in others.into_iter().chain(collected) {
        planned.push((position, planner.relation(relation)));
    }
    planned.sort_by_key(|(position, _)| *position);
    Ok(Plan {
        tables: planner.fix_layouts()?,
        hops: planner.hops,
        slots: planner.slots,
        relations: planned.into_iter().map(|(_, relation)| relation).collect(),
        values: pipeline.values,
        warnings: planner.warnings,
        left_out,
    })
}

/// A table while the columns that it needs are being gathered.
struct TableNeeds<'c> {
    table: &'c Table,
    key: String,
    columns: BTreeSet<String>,
    observed: bool,
}

struct Planner<'p> {
    pipeline: &'p Pipeline,
    selection: &'p Selection,
    catalog: &'p Catalog,
    tables: IdVec<TableId, TableNeeds<'p>>,
    hops: IdVec<HopId, Hop>,
    slots: IdVec<SlotId, SlotSource>,
    warnings: Vec<String>,
    /// Hops whose rows are written as records (not join rows, look-ups or maxima).
    writers: Vec<HopId>,
}

impl<'p> Planner<'p> {
    fn find(&self, table: &str) -> Option<&'p Table> {
        self.catalog.table(&TableName::public(table))
    }

    /// The id of a table of the catalog.
    fn table(&mut self, table: &'p Table) -> Result<TableId, PlanError> {
        if let Some(id) = self.tables.find(|needs| needs.table.name == table.name) {
            return Ok(id);
        }
        let key = self.pipeline.key_of(&table.name.name).to_owned();
        key_column(table, &key)?;
        Ok(self.tables.push(TableNeeds {
            table,
            columns: BTreeSet::from([key.clone()]),
            key,
            observed: false,
        }))
    }

    /// The id of the table of this name.
    fn table_named(&mut self, name: &str) -> Result<TableId, PlanError> {
        let table = self.find(name);
        self.table(table.ok_or_else(|| PlanError::NoTable(name.to_owned()))?)
    }

    fn need(&mut self, table: TableId, column: &str) -> Result<(), PlanError> {
        let needs = &mut self.tables[table];
        if needs.table.column(column).is_none() {
            return Err(PlanError::NoColumn {
                table: needs.table.name.clone(),
                column: column.to_owned(),
            });
        }
        needs.columns.insert(column.to_owned());
        Ok(())
    }

    /// Columns for which a lack is no error: false if the table lacks it.
    fn need_if_there(&mut self, table: TableId, column: &str) -> bool {
        self.need(table, column).is_ok()
    }

    /// A column whose values are keys.
    fn need_key(&mut self, table: TableId, column: &str) -> Result<(), PlanError> {
        key_column(self.tables[table].table, column)?;
        self.need(table, column)
    }

    fn entities(&mut self) -> Result<(), PlanError> {
        let entity = &self.pipeline.entity;
        let table = self
            .find(&entity.table)
            .ok_or_else(|| PlanError::NoEntityTable {
                table: entity.table.clone(),
                kind: entity.kind.clone(),
            })?;
        let id = self.table(table)?;
        self.tables[id].observed = true;
        self.need_key(id, &entity.key)?;
        for condition in &entity.filter {
            self.need(id, &condition.column)?;
        }
        for column in [
            &entity.name,
            &entity.parent,
            &entity.ancestors,
            &entity.segment,
        ]
        .into_iter()
        .flatten()
        {
            self.need_if_there(id, column);
        }
        for lookup in &entity.paths {
            // A snapshot may lack a table of paths; `pipeline check` says so.
            let Some(table) = self.find(&lookup.table) else {
                continue;
            };
            let id = self.table(table)?;
            self.tables[id].observed = true;
            self.need(id, &lookup.key)?;
            self.need(id, &lookup.path)?;
            for condition in &lookup.filter {
                self.need(id, &condition.column)?;
            }
        }
        Ok(())
    }

    fn slot(&mut self, source: SlotSource) -> SlotId {
        match self.slots.find(|slot| *slot == source) {
            Some(id) => id,
            None => self.slots.push(source),
        }
    }

    /// The slot of a column of the rows that these hops found.
    fn slot_of_rows(&mut self, hops: &[HopId], column: &str) -> SlotId {
        self.slot(SlotSource::Rows {
            hops: hops.to_vec(),
            column: column.to_owned(),
        })
    }

    fn entity_slot(&mut self, link: &Link) -> SlotId {
        self.slot(match link.is_to_root() {
            true => SlotSource::EntityRoot,
            false => SlotSource::EntityKey,
        })
    }

    fn hop(&mut self, table: TableId, link: &Link, slot: SlotId) -> Result<HopId, PlanError> {
        self.need_key(table, &link.child)?;
        for condition in &link.filter {
            self.need(table, &condition.column)?;
        }
        Ok(self.hops.push(Hop {
            table,
            child: link.child.clone(),
            filter: link.filter.clone(),
            slot,
        }))
    }

    /// A relation. If it cannot be planned, its hops go again.
    fn relation(&mut self, relation: &'p Relation) -> PlanRelation {
        let (first_hop, first_slot) = (self.hops.next_id(), self.slots.next_id());
        let source = match &relation.source {
            Source::Rows(node) => self.top_level(node).map(PlanSource::Rows),
            Source::Maxima(maxima) => self.maxima(maxima).map(PlanSource::Maxima),
            Source::Collected(it) => self.collected(it).map(PlanSource::Collected),
        };
        if source.is_err() {
            self.hops.truncate(first_hop);
            self.slots.truncate(first_slot);
            self.writers.retain(|writer| *writer < first_hop);
        }
        let hops: Vec<HopId> = self.hops.ids_from(first_hop).collect();
        PlanRelation {
            name: relation.name.clone(),
            form: relation.form,
            batched: relation.batched,
            source,
            tables: hops.iter().map(|hop| self.hops[*hop].table).collect(),
            hops,
            collected_from: is_collected_from(self.pipeline, relation, Some(self.catalog)),
        }
    }

    fn maxima(&mut self, maxima: &'p [Maximum]) -> Result<Vec<PlanMaximum>, PlanError> {
        let mut found = Vec::new();
        for maximum in maxima
            .iter()
            .filter(|maximum| self.selection.takes(maximum.ee))
        {
            let Some(table) = self.find(&maximum.table) else {
                self.warn(format!(
                    "table {} is not in the snapshot: {} is left out",
                    maximum.table, maximum.name
                ));
                continue;
            };
            let table = self.table(table)?;
            self.need_key(table, &maximum.column)?;
            let slot = self.entity_slot(&maximum.link);
            found.push(PlanMaximum {
                name: maximum.name.clone(),
                hop: self.hop(table, &maximum.link, slot)?,
                column: maximum.column.clone(),
            });
        }
        Ok(found)
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Fixes which columns of each table are kept.
    fn fix_layouts(&self) -> Result<IdVec<TableId, PlanTable>, PlanError> {
        // The relation that is collected, as far as it could be planned at all.
        let mut relations = self.selection.relations(self.pipeline).into_iter();
        let collected = relations.find_map(|relation| match &relation.source {
            Source::Collected(it) => self.find(&it.node.table).map(|_| it),
            Source::Rows(_) | Source::Maxima(_) => None,
        });
        let tables = self.tables.iter();
        tables
            .map(|needs| self.fix_layout(needs, collected))
            .collect()
    }

    fn fix_layout(
        &self,
        needs: &TableNeeds<'_>,
        collected: Option<&Collected>,
    ) -> Result<PlanTable, PlanError> {
        let name = &needs.table.name;
        let columns = needs.table.columns.iter();
        let layout: Vec<LayoutColumn> = columns
            .filter(|column| needs.columns.contains(&column.name))
            .map(|column| LayoutColumn {
                name: column.name.clone(),
                sql_type: column.sql_type.clone(),
            })
            .collect();
        let rules = layout.iter().filter_map(|column| {
            let rule = self.pipeline.value_rule(&name.name, &column.name)?;
            Some((column.name.clone(), rule.clone()))
        });
        let mut table = PlanTable {
            name: name.clone(),
            values: rules.collect(),
            layout,
            key: 0,
            observed: needs.observed,
            in_parts: needs.table.partitioned || self.catalog.has_children(name),
            collected: Vec::new(),
        };
        table.key = table.kept_column(&needs.key)?;
        if let Some(it) = collected.filter(|it| !it.except_tables.contains(&name.name)) {
            let columns = it.columns.iter();
            table.collected = columns.filter_map(|column| table.column(column)).collect();
        }
        Ok(table)
    }
}

/// Keys are integers: sets of them decide which rows are kept.
fn key_column(table: &Table, column: &str) -> Result<(), PlanError> {
    let (table_name, column_name) = (table.name.clone(), column.to_owned());
    match table.column(column) {
        None => Err(PlanError::NoKeyColumn {
            table: table_name,
            column: column_name,
        }),
        Some((_, found)) if !found.sql_type.is_integer() => Err(PlanError::NoInteger {
            table: table_name,
            column: column_name,
        }),
        Some(_) => Ok(()),
    }
}
