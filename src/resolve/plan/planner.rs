//! Drawing up the plan: which tables, hops and slots a pipeline's tree needs, and which columns of each table.
//!
//! A table's layout is fixed last, when every node has said what it needs.

mod layouts;
mod missing;
mod nodes;
mod values;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::key::{self, KeyForm};
use crate::pipeline::{Condition, Form, Maximum, Pipeline, Relation, Source, TableKey};
use crate::resolve::condition::ColumnTest;
use crate::resolve::keys::KeyShape;
use crate::snapshot::{Catalog, Column, SqlType, Table, TableName};

use super::collected::is_collected_from;
use super::error::PlanError;
use super::ids::{HopId, Id, IdVec, KindId, SlotId, TableId};
use super::model::{
    EntityKey, Hop, LeftOutRelation, Plan, PlanKind, PlanMaximum, PlanRelation, PlanSource,
    PlanWithin, Slot, SlotSource,
};
use super::selection::Selection;
use nodes::Above;

/// Lays pipelines over a catalog, all that they have. Of one whose entities are schemas, over all that are in the catalog.
///
/// # Errors
/// If an entity's own table is missing or lacks its key: then nothing can be exported.
pub fn plan(
    pipelines: &[&Pipeline],
    selection: &Selection,
    catalog: &Catalog,
) -> Result<Plan, PlanError> {
    let kinds: Vec<Laying<'_>> = pipelines
        .iter()
        .map(|pipeline| Laying {
            pipeline,
            schemas: pipeline
                .schemas_in(catalog)
                .map(|schemas| schemas.into_iter().map(ToOwned::to_owned).collect()),
            is_wanted: true,
        })
        .collect();
    plan_all(&kinds, selection, catalog)
}

/// A pipeline that is to be laid over a catalog.
pub(in crate::resolve) struct Laying<'a> {
    pub pipeline: &'a Pipeline,
    /// If its entities are schemas, those that it is laid over.
    pub schemas: Option<Vec<String>>,
    /// Its relations are wanted, and not only who its entities are.
    pub is_wanted: bool,
}

/// Lays pipelines over a catalog. What they share, or the schemas of one of them, is read once.
///
/// # Errors
/// As [`plan`].
pub(in crate::resolve) fn plan_all(
    kinds: &[Laying<'_>],
    selection: &Selection,
    catalog: &Catalog,
) -> Result<Plan, PlanError> {
    // A pipeline as it is for each of its sets of relations.
    let pipelines: Vec<Vec<Cow<'_, Pipeline>>> = kinds
        .iter()
        .map(|kind| match &kind.schemas {
            None => vec![Cow::Borrowed(kind.pipeline)],
            Some(schemas) => {
                let schemas = schemas.iter();
                schemas
                    .map(|schema| Cow::Owned(kind.pipeline.in_schema(schema)))
                    .collect()
            }
        })
        .collect();
    let Some(first) = kinds.first() else {
        return Err(PlanError::NoPipeline);
    };
    let keys = said_keys(pipelines.iter().flatten().map(AsRef::as_ref))?;
    let mut planner = Planner::new(first.pipeline, keys, selection, catalog);
    for kind in kinds {
        planner.pipeline = kind.pipeline;
        let key = match &kind.schemas {
            None => Some(planner.entities()?),
            Some(_) => None,
        };
        planner.kinds.push(PlanKind {
            pipeline: kind.pipeline.name.clone(),
            key,
            sets: 0..0,
        });
    }
    for ((id, kind), pipelines) in planner.kinds.ids().zip(kinds).zip(&pipelines) {
        planner.kind = id;
        let first = planner.sets.len();
        for pipeline in pipelines {
            planner.pipeline = pipeline;
            planner.set(kind.is_wanted);
        }
        planner.kinds[id].sets = first..planner.sets.len();
    }
    planner.finish()
}

/// What the pipelines of a run say of the keys of tables.
///
/// # Errors
/// If two of them say different things: a table's rows have one order.
fn said_keys<'p>(
    pipelines: impl Iterator<Item = &'p Pipeline>,
) -> Result<HashMap<&'p TableName, &'p TableKey>, PlanError> {
    let mut said: HashMap<&TableName, (&Pipeline, &TableKey)> = HashMap::new();
    for pipeline in pipelines {
        let rules = pipeline.tables.iter();
        for (table, rules) in rules.filter(|(_, rules)| rules.key != TableKey::NotSaid) {
            let (other, key) = said.entry(table).or_insert((pipeline, &rules.key));
            if **key != rules.key {
                return Err(PlanError::Keys {
                    table: table.clone(),
                    one: other.name.clone(),
                    other: pipeline.name.clone(),
                });
            }
        }
    }
    let said = said.into_iter();
    Ok(said.map(|(table, (_, key))| (table, key)).collect())
}

/// A table while the columns that it needs are being gathered.
struct TableNeeds<'c> {
    table: &'c Table,
    /// Its key, none if it has none, or none is known so far.
    key: Vec<String>,
    key_is_late: bool,
    columns: BTreeSet<String>,
    observed_by: Vec<KindId>,
}

struct Planner<'p> {
    /// The pipeline that is being laid, and the kind that it is of.
    pipeline: &'p Pipeline,
    kind: KindId,
    /// What any pipeline of the run says of a table's key.
    keys: HashMap<&'p TableName, &'p TableKey>,
    selection: &'p Selection,
    catalog: &'p Catalog,
    tables: IdVec<TableId, TableNeeds<'p>>,
    hops: IdVec<HopId, Hop>,
    slots: IdVec<SlotId, Slot>,
    kinds: IdVec<KindId, PlanKind>,
    relations: Vec<PlanRelation>,
    sets: Vec<Range<usize>>,
    left_out: Vec<LeftOutRelation>,
    warnings: Vec<String>,
    /// Hops whose rows are written as records (not join rows, look-ups or maxima).
    writers: Vec<HopId>,
    /// The nodes that stand above what is being planned, from the relation down: their names and tables.
    above: Vec<(String, TableId)>,
    /// Columns that are collected, by table.
    collected: Vec<(TableId, usize, String, KeyShape)>,
}

impl<'p> Planner<'p> {
    fn new(
        pipeline: &'p Pipeline,
        keys: HashMap<&'p TableName, &'p TableKey>,
        selection: &'p Selection,
        catalog: &'p Catalog,
    ) -> Self {
        Planner {
            pipeline,
            kind: KindId::at(0),
            keys,
            selection,
            catalog,
            tables: IdVec::new(),
            hops: IdVec::new(),
            slots: IdVec::new(),
            kinds: IdVec::new(),
            relations: Vec::new(),
            sets: Vec::new(),
            left_out: Vec::new(),
            warnings: Vec::new(),
            writers: Vec::new(),
            above: Vec::new(),
            collected: Vec::new(),
        }
    }

    /// Plans a set of relations, those of the pipeline that are wanted. Its records refer to rows of its own relations
    /// alone.
    fn set(&mut self, is_wanted: bool) {
        self.writers.clear();
        let first = self.relations.len();
        if is_wanted {
            self.relations();
        }
        self.sets.push(first..self.relations.len());
    }

    fn relations(&mut self) {
        let mut wanted = Vec::new();
        for relation in self.selection.relations(self.pipeline) {
            let missing = relation.table();
            let missing = missing.filter(|table| self.find(table).is_none());
            match missing.filter(|_| self.selection.is_of_rows(relation)) {
                Some(table) => self.left_out.push(LeftOutRelation {
                    pipeline: self.pipeline.name.clone(),
                    relation: relation.name.clone(),
                    table: table.clone(),
                }),
                None => wanted.push(relation),
            }
        }
        // What is collected is planned last: its keys are fed by every other relation's hops.
        let is_collected = |relation: &&Relation| matches!(relation.source, Source::Collected(_));
        let wanted = (self.relations.len()..).zip(wanted);
        let (collected, others): (Vec<_>, Vec<_>) =
            wanted.partition(|(_, relation)| is_collected(relation));
        let mut planned: Vec<(usize, PlanRelation)> = Vec::new();
        for (position, relation) in others.into_iter().chain(collected) {
            planned.push((position, self.relation(position, relation)));
        }
        planned.sort_by_key(|(position, _)| *position);
        let planned = planned.into_iter().map(|(_, relation)| relation);
        self.relations.extend(planned);
    }

    fn finish(self) -> Result<Plan, PlanError> {
        Ok(Plan {
            tables: self.fix_layouts()?,
            hops: self.hops,
            slots: self.slots,
            kinds: self.kinds,
            relations: self.relations,
            sets: self.sets,
            warnings: self.warnings,
            advice: Vec::new(),
            left_out: self.left_out,
        })
    }

    fn find(&self, table: &TableName) -> Option<&'p Table> {
        let mut names = self.pipeline.names_of(table);
        names.find_map(|name| self.catalog.table(name))
    }

    /// What the pipeline calls a table of the catalog.
    fn said(&self, table: &'p Table) -> &'p TableName {
        let said = self.pipeline.said(&table.name, self.catalog);
        said.unwrap_or(&table.name)
    }

    /// The id of a table of the catalog.
    fn table(&mut self, table: &'p Table) -> Result<TableId, PlanError> {
        if let Some(id) = self.tables.find(|needs| needs.table.name == table.name) {
            return Ok(id);
        }
        let said = self.keys.get(self.said(table)).copied();
        let said = said.unwrap_or(&TableKey::NotSaid);
        let key = said.columns(table, self.catalog.keys());
        for column in &key {
            find_column(table, column)?;
        }
        // Rows without a key are told apart, and ordered, by all that they hold. One that is stated later may be any column.
        let all = || table.columns.iter().map(|column| column.name.clone());
        let columns = match key.is_empty() {
            true => all().collect(),
            false => key.iter().cloned().collect(),
        };
        Ok(self.tables.push(TableNeeds {
            table,
            key_is_late: key.is_empty() && said.is_left_to_snapshot(table),
            columns,
            key,
            observed_by: Vec::new(),
        }))
    }

    /// The id of the table of this name.
    fn table_named(&mut self, name: &TableName) -> Result<TableId, PlanError> {
        let table = self.find(name);
        self.table(table.ok_or_else(|| PlanError::NoTable(name.clone()))?)
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

    /// Columns by which rows are found, with their types.
    fn need_keys(&mut self, table: TableId, columns: &[String]) -> Result<Vec<SqlType>, PlanError> {
        let mut types = Vec::new();
        for column in columns {
            let found = find_column(self.tables[table].table, column)?;
            types.push(found.sql_type.clone());
            self.need(table, column)?;
        }
        Ok(types)
    }

    /// The columns of a link, or, where it names none, the table's key.
    ///
    /// # Errors
    /// If the key is not known.
    fn or_key(&self, table: TableId, columns: &[String]) -> Result<Vec<String>, PlanError> {
        let needs = &self.tables[table];
        match (columns, needs.key.as_slice()) {
            ([], []) => Err(PlanError::NoKey(needs.table.name.clone())),
            ([], key) => Ok(key.to_vec()),
            (columns, _) => Ok(columns.to_vec()),
        }
    }

    /// Notes that a kind's directory reads a table. The kind is the one that comes next.
    fn observe(&mut self, table: TableId) {
        let kind = self.kinds.next_id();
        let observed_by = &mut self.tables[table].observed_by;
        if !observed_by.contains(&kind) {
            observed_by.push(kind);
        }
    }

    /// What says who the entities of the pipeline are.
    fn entities(&mut self) -> Result<EntityKey, PlanError> {
        let entity = &self.pipeline.entity;
        let table = self
            .find(&entity.table)
            .ok_or_else(|| PlanError::NoEntityTable {
                table: entity.table.clone(),
                kind: entity.kind.clone(),
            })?;
        let id = self.table(table)?;
        self.observe(id);
        let key: Vec<String> = entity.key.iter().cloned().collect();
        let [key] = self
            .or_key(id, &key)?
            .try_into()
            .map_err(|columns: Vec<String>| PlanError::NoKeyType {
                table: table.name.clone(),
                column: columns.join(", "),
                reason: "an entity is named by one column; say which as the entity's `key`"
                    .to_owned(),
            })?;
        let sql_type = find_column(table, &key)?.sql_type.clone();
        let form = self.form(&table.name, &key, &sql_type)?;
        self.need(id, &key)?;
        for condition in &entity.filter {
            self.need(id, &condition.column)?;
        }
        let tests = self.tests(id, &entity.filter)?;
        for column in [
            &entity.name,
            &entity.parent,
            &entity.ancestors,
            &entity.segment,
        ]
        .into_iter()
        .flatten()
        .chain(&entity.shown)
        {
            self.need_if_there(id, column);
        }
        let leave_out = self.leave_out(id)?;
        let within = self.within(id)?;
        for column in &entity.path {
            self.need(id, column)?;
        }
        let mut path_tests = Vec::new();
        for lookup in &entity.paths {
            // A snapshot may lack a table of paths; `pipeline check` says so.
            let Some(table) = self.find(&lookup.table) else {
                path_tests.push(Vec::new());
                continue;
            };
            let id = self.table(table)?;
            self.observe(id);
            self.need(id, &lookup.key)?;
            self.need(id, &lookup.path)?;
            for condition in &lookup.filter {
                self.need(id, &condition.column)?;
            }
            path_tests.push(self.tests(id, &lookup.filter)?);
        }
        Ok(EntityKey {
            column: key,
            sql_type,
            form,
            tests,
            path_tests,
            leave_out,
            within,
        })
    }

    /// The tests by which entities are left out, of which an older snapshot may lack the columns.
    fn leave_out(&mut self, table: TableId) -> Result<Vec<ColumnTest>, PlanError> {
        let entity = &self.pipeline.entity;
        for condition in &entity.leave_out {
            if !self.need_if_there(table, &condition.column) {
                self.warn(format!(
                    "table {} has no column {}: no {} is left out by it",
                    entity.table, condition.column, entity.kind
                ));
                return Ok(Vec::new());
            }
        }
        self.tests(table, &entity.leave_out)
    }

    fn within(&mut self, table: TableId) -> Result<Option<PlanWithin>, PlanError> {
        let Some(within) = &self.pipeline.entity.within else {
            return Ok(None);
        };
        let not_there = || PlanError::NotInRun {
            pipeline: self.pipeline.name.clone(),
            within: within.pipeline.clone(),
        };
        let kind = self.kinds.find(|kind| kind.pipeline == within.pipeline);
        let kind = kind.ok_or_else(not_there)?;
        let outer = self.kinds[kind].key.as_ref().ok_or_else(not_there)?;
        let above = (
            format!("the key of what pipeline {} takes", within.pipeline),
            outer.sql_type.clone(),
        );
        let outer_form = outer.form;
        let column = std::slice::from_ref(&within.column);
        let (own, other) = self.compare(table, column, std::slice::from_ref(&above))?;
        self.need(table, &within.column)?;
        match (own.forms(), other.forms()) {
            ([form], [other]) if *other == outer_form => Ok(Some(PlanWithin {
                kind,
                column: within.column.clone(),
                form: *form,
            })),
            _ => Err(PlanError::Incomparable {
                table: self.tables[table].table.name.clone(),
                column: within.column.clone(),
                to: above.0,
                reason: "they compare otherwise than those keys do among each other".to_owned(),
            }),
        }
    }

    /// How the values of a column compare with each other.
    fn form(
        &self,
        table: &TableName,
        column: &str,
        sql_type: &SqlType,
    ) -> Result<KeyForm, PlanError> {
        KeyForm::of(sql_type, self.catalog).ok_or_else(|| PlanError::NoKeyType {
            table: table.clone(),
            column: column.to_owned(),
            reason: "its texts do not show which of its values are equal".to_owned(),
        })
    }

    /// Conditions, ready for the columns of a table.
    fn tests(&self, table: TableId, filter: &[Condition]) -> Result<Vec<ColumnTest>, PlanError> {
        let table = self.tables[table].table;
        ColumnTest::all(filter, table, self.catalog).map_err(|(condition, reason)| {
            PlanError::Condition {
                table: table.name.clone(),
                column: condition.column.clone(),
                reason,
            }
        })
    }

    fn slot(&mut self, source: SlotSource, shape: KeyShape) -> SlotId {
        let slot = Slot { source, shape };
        match self.slots.find(|other| *other == slot) {
            Some(id) => id,
            None => self.slots.push(slot),
        }
    }

    fn hop(
        &mut self,
        table: TableId,
        child: Vec<String>,
        shape: KeyShape,
        filter: &[Condition],
        slot: SlotId,
    ) -> Result<HopId, PlanError> {
        for column in &child {
            self.need(table, column)?;
        }
        for condition in filter {
            self.need(table, &condition.column)?;
        }
        Ok(self.hops.push(Hop {
            table,
            child,
            shape,
            filter: filter.to_vec(),
            tests: self.tests(table, filter)?,
            slot,
        }))
    }

    /// How the two ends of a link compare, column by column: the row's own, and that of what it is linked to.
    fn compare(
        &self,
        table: TableId,
        child: &[String],
        above: &[(String, SqlType)],
    ) -> Result<(KeyShape, KeyShape), PlanError> {
        let table = self.tables[table].table;
        if child.len() != above.len() {
            return Err(PlanError::LinkColumns {
                table: table.name.clone(),
                child: child.len(),
                parent: above.len(),
            });
        }
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for (column, (to, to_type)) in child.iter().zip(above) {
            let found = find_column(table, column)?;
            let forms = key::comparison(&found.sql_type, to_type, self.catalog);
            let (child, parent) = forms.map_err(|reason| PlanError::Incomparable {
                table: table.name.clone(),
                column: column.clone(),
                to: to.clone(),
                reason: reason.to_string(),
            })?;
            own.push(child);
            other.push(parent);
        }
        Ok((KeyShape::new(own), KeyShape::new(other)))
    }

    /// A relation. If it cannot be planned, its hops go again.
    fn relation(&mut self, position: usize, relation: &'p Relation) -> PlanRelation {
        let (first_hop, first_slot) = (self.hops.next_id(), self.slots.next_id());
        let source = match (self.selection.is_of_rows(relation), &relation.source) {
            (false, _) => Ok(PlanSource::NoFiles),
            (true, Source::Rows(node)) => self.top_level(node).map(PlanSource::Rows),
            (true, Source::Maxima(maxima)) => self.maxima(maxima).map(PlanSource::Maxima),
            (true, Source::Collected(it)) => {
                let collected = self.collected(position, &relation.name, it);
                collected.map(PlanSource::Collected)
            }
        };
        self.above.clear();
        if let Form::Archive(_) = relation.form {
            // Its rows name files, and are no records.
            self.writers.retain(|writer| *writer < first_hop);
        }
        if source.is_err() {
            self.hops.truncate(first_hop);
            self.slots.truncate(first_slot);
            self.writers.retain(|writer| *writer < first_hop);
            self.collected
                .retain(|(_, relation, ..)| *relation != position);
        }
        let hops: Vec<HopId> = self.hops.ids_from(first_hop).collect();
        PlanRelation {
            name: relation.name.clone(),
            pipeline: self.pipeline.name.clone(),
            form: relation.form,
            values: self.pipeline.values,
            batched: relation.batched,
            batches_by_key: relation.batches_by_key,
            pick: relation.pick,
            without_row: relation.without_row.clone(),
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
            let id = self.table(table)?;
            self.need(id, &maximum.column)?;
            let column = find_column(table, &maximum.column)?;
            self.form(&table.name, &maximum.column, &column.sql_type)?;
            let links = std::slice::from_ref(&maximum.link);
            found.push(PlanMaximum {
                name: maximum.name.clone(),
                steps: self.steps(&maximum.table, links, &maximum.via, &Above::Entity)?,
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
}

/// A column by which rows are found.
fn find_column<'t>(table: &'t Table, column: &str) -> Result<&'t Column, PlanError> {
    match table.column(column) {
        Some((_, found)) => Ok(found),
        None => Err(PlanError::NoKeyColumn {
            table: table.name.clone(),
            column: column.to_owned(),
        }),
    }
}
