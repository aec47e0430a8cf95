//! Drawing up the plan: which tables, hops and slots a pipeline's tree needs, and which columns of each table.
//!
//! Columns are names here, because a table's layout is known only when every node has said what it needs.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::pipeline::{
    Collected, Columns, Computed, ComputedValue, Link, Maximum, Node, Pipeline, Relation, Source,
    TemplatePart, ValueRule,
};
use crate::snapshot::{Catalog, Table, TableName};

use super::layout::{key_column, lay_out, rules_of};
use super::{Hop, HopId, Plan, Selection, SlotId, SlotSource, TableId};

/// Lays a pipeline over a catalog.
///
/// # Errors
/// A message where the entity's own table is missing or lacks its key: then nothing can be exported.
pub fn plan(pipeline: &Pipeline, selection: &Selection, catalog: &Catalog) -> Result<Plan, String> {
    let mut planner = Planner {
        pipeline,
        selection,
        catalog,
        drafts: Vec::new(),
        hops: Vec::new(),
        slots: Vec::new(),
        warnings: Vec::new(),
        writers: Vec::new(),
    };
    planner.entities()?;
    let mut relations = Vec::new();
    let mut left_out = Vec::new();
    let mut collected = Vec::new();
    for relation in selection.of(pipeline) {
        let table = match &relation.source {
            Source::Rows(node) => Some(&node.table),
            Source::Collected(it) => Some(&it.node.table),
            Source::Maxima(_) => None,
        };
        if let Some(table) = table.filter(|table| planner.find(table).is_none()) {
            left_out.push((relation.name.clone(), table.clone()));
            continue;
        }
        let (first_hop, first_slot) = (planner.hops.len(), planner.slots.len());
        let source = match &relation.source {
            Source::Rows(node) => planner.top_level(node).map(Draft::Node),
            Source::Maxima(maxima) => planner.maxima(maxima).map(Draft::Maxima),
            Source::Collected(it) => {
                // Its keys are fed by every other relation's hops, so it is planned when those are known.
                collected.push((relations.len(), it));
                Err("planned below".to_owned())
            }
        };
        if source.is_err() {
            planner.hops.truncate(first_hop);
            planner.slots.truncate(first_slot);
            planner.writers.retain(|writer| *writer < first_hop);
        }
        let hops = first_hop..planner.hops.len();
        relations.push(DraftRelation {
            relation,
            source,
            tables: planner.tables_of(&hops),
            hops,
            collected_from: is_collected_from(pipeline, relation, Some(catalog)),
        });
    }
    for (position, it) in collected {
        let first_hop = planner.hops.len();
        let source = planner.collected(it);
        let hops = first_hop..planner.hops.len();
        relations[position].tables = planner.tables_of(&hops);
        relations[position].hops = hops;
        relations[position].source = source.map(Draft::Node);
    }
    planner.finish(relations, left_out)
}

/// A table while the columns that it needs are being gathered.
pub(super) struct DraftTable<'c> {
    pub(super) table: &'c Table,
    pub(super) key: String,
    pub(super) needs: BTreeSet<String>,
    pub(super) observed: bool,
    pub(super) in_parts: bool,
}

pub(super) struct DraftRelation<'p> {
    pub(super) relation: &'p Relation,
    pub(super) source: Result<Draft<'p>, String>,
    pub(super) tables: BTreeSet<TableId>,
    pub(super) hops: Range<HopId>,
    pub(super) collected_from: bool,
}

/// True where the records of a relation may refer to rows of a collected one, by the columns in the catalog, if there
/// is one.
pub(super) fn is_collected_from(
    pipeline: &Pipeline,
    relation: &Relation,
    catalog: Option<&Catalog>,
) -> bool {
    fn refers(node: &Node, it: &Collected, catalog: Option<&Catalog>) -> bool {
        let has_column = |catalog: &Catalog| {
            let table = catalog.table(&TableName::public(&node.table));
            let mut columns = it.columns.iter();
            table.is_some_and(|table| columns.any(|column| table.column(column).is_some()))
        };
        !it.except_tables.contains(&node.table) && catalog.is_none_or(has_column)
            || node.nested.iter().any(|child| refers(child, it, catalog))
    }

    let Source::Rows(node) = &relation.source else {
        return false;
    };
    let mut relations = pipeline.relations.iter();
    relations.any(|other| match &other.source {
        Source::Collected(it) => refers(node, it, catalog),
        Source::Rows(_) | Source::Maxima(_) => false,
    })
}

pub(super) enum Draft<'p> {
    Node(DraftNode<'p>),
    Maxima(Vec<(String, HopId, String)>),
}

/// A node whose columns are still names, because layouts are fixed last.
pub(super) struct DraftNode<'p> {
    pub(super) node: &'p Node,
    pub(super) table: TableId,
    pub(super) reach: Vec<(String, HopId)>,
    pub(super) through: Option<(TableId, String, HopId)>,
    pub(super) computed: Vec<DraftComputed<'p>>,
    pub(super) nested: Vec<DraftNested<'p>>,
}

pub(super) enum DraftComputed<'p> {
    Of(&'p Computed),
    Column {
        name: &'p str,
        column: &'p str,
    },
    Lookup {
        name: &'p str,
        parent: &'p str,
        hop: HopId,
        column: &'p str,
    },
    Null {
        name: &'p str,
    },
}

pub(super) enum DraftNested<'p> {
    Node(DraftNode<'p>),
    Empty(&'p str),
}

struct Planner<'p> {
    pipeline: &'p Pipeline,
    selection: &'p Selection,
    catalog: &'p Catalog,
    drafts: Vec<DraftTable<'p>>,
    hops: Vec<Hop>,
    slots: Vec<SlotSource>,
    warnings: Vec<String>,
    /// Hops whose rows are written as records (not join rows, look-ups or maxima).
    writers: Vec<HopId>,
}

impl<'p> Planner<'p> {
    fn find(&self, table: &str) -> Option<&'p Table> {
        self.catalog.table(&TableName::public(table))
    }

    fn tables_of(&self, hops: &Range<HopId>) -> BTreeSet<TableId> {
        self.hops[hops.clone()]
            .iter()
            .map(|hop| hop.table)
            .collect()
    }

    /// The table's id; the table is known to be in the catalog.
    fn table(&mut self, table: &'p Table) -> Result<TableId, String> {
        if let Some(id) = self
            .drafts
            .iter()
            .position(|draft| draft.table.name == table.name)
        {
            return Ok(id);
        }
        let key = match self.pipeline.tables.get(&table.name.name) {
            Some(rules) => rules.key.clone(),
            None => "id".to_owned(),
        };
        key_column(table, &key)?;
        self.drafts.push(DraftTable {
            table,
            needs: BTreeSet::from([key.clone()]),
            key,
            observed: false,
            in_parts: table.partitioned || self.catalog.has_children(&table.name),
        });
        Ok(self.drafts.len() - 1)
    }

    fn need(&mut self, table: TableId, column: &str) -> Result<(), String> {
        let draft = &mut self.drafts[table];
        if draft.table.column(column).is_none() {
            return Err(format!("table {} has no column {column}", draft.table.name));
        }
        draft.needs.insert(column.to_owned());
        Ok(())
    }

    /// Columns for which a lack is no error.
    fn need_if_there(&mut self, table: TableId, column: &str) -> bool {
        self.need(table, column).is_ok()
    }

    fn entities(&mut self) -> Result<(), String> {
        let entity = &self.pipeline.entity;
        let table = self.find(&entity.table).ok_or_else(|| {
            format!(
                "the snapshot has no table {}, so there is no {} to be found in it\n  \
                 if it is of another database, name a pipeline of that one with --pipeline; \
                 `relexport inspect` lists its tables",
                entity.table, entity.kind
            )
        })?;
        let id = self.table(table)?;
        self.drafts[id].observed = true;
        self.need(id, &entity.key)?;
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
            let Some(table) = self.find(&lookup.table) else {
                continue;
            };
            let id = self.table(table)?;
            self.drafts[id].observed = true;
            self.need(id, &lookup.key)?;
            self.need(id, &lookup.path)?;
            for condition in &lookup.filter {
                self.need(id, &condition.column)?;
            }
        }
        Ok(())
    }

    fn slot(&mut self, source: SlotSource) -> SlotId {
        if let Some(id) = self.slots.iter().position(|slot| *slot == source) {
            return id;
        }
        self.slots.push(source);
        self.slots.len() - 1
    }

    fn hop(&mut self, table: TableId, link: &Link, slot: SlotId) -> Result<HopId, String> {
        key_column(self.drafts[table].table, &link.child)?;
        self.need(table, &link.child)?;
        for condition in &link.filter {
            self.need(table, &condition.column)?;
        }
        self.hops.push(Hop {
            table,
            child: link.child.clone(),
            filter: link.filter.clone(),
            slot,
        });
        Ok(self.hops.len() - 1)
    }

    fn entity_slot(&mut self, link: &Link) -> SlotId {
        let source = if link.parent == "root" {
            SlotSource::EntityRoot
        } else {
            SlotSource::EntityKey
        };
        self.slot(source)
    }

    fn top_level(&mut self, node: &'p Node) -> Result<DraftNode<'p>, String> {
        let table = self
            .find(&node.table)
            .ok_or_else(|| format!("the snapshot has no table {}", node.table))?;
        let table = self.table(table)?;
        let linked = self.linked_table(node, table)?;
        let mut reach = Vec::new();
        for link in &node.links {
            let slot = self.entity_slot(link);
            reach.push((link.parent.clone(), self.hop(linked, link, slot)?));
        }
        let through = self.through(node, table, linked, &reach)?;
        self.node(node, table, reach, through)
    }

    fn maxima(&mut self, maxima: &'p [Maximum]) -> Result<Vec<(String, HopId, String)>, String> {
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
            key_column(self.drafts[table].table, &maximum.column)?;
            self.need(table, &maximum.column)?;
            let slot = self.entity_slot(&maximum.link);
            let hop = self.hop(table, &maximum.link, slot)?;
            found.push((maximum.name.clone(), hop, maximum.column.clone()));
        }
        Ok(found)
    }

    fn collected(&mut self, it: &'p Collected) -> Result<DraftNode<'p>, String> {
        let hops: Vec<HopId> = self
            .writers
            .iter()
            .copied()
            .filter(|hop| {
                let table = &self.drafts[self.hops[*hop].table].table.name.name;
                !it.except_tables.contains(table)
            })
            .collect();
        for &hop in &hops {
            for column in &it.columns {
                self.need_if_there(self.hops[hop].table, column);
            }
        }
        let slot = self.slot(SlotSource::Collected {
            hops,
            columns: it.columns.clone(),
        });
        let table = self
            .find(&it.node.table)
            .ok_or_else(|| format!("the snapshot has no table {}", it.node.table))?;
        let table = self.table(table)?;
        let mut reach = Vec::new();
        for link in &it.node.links {
            reach.push((link.parent.clone(), self.hop(table, link, slot)?));
        }
        self.node(&it.node, table, reach, None)
    }

    fn node(
        &mut self,
        node: &'p Node,
        table: TableId,
        reach: Vec<(String, HopId)>,
        through: Option<(TableId, String, HopId)>,
    ) -> Result<DraftNode<'p>, String> {
        let hops: Vec<HopId> = match &through {
            Some((_, _, hop)) => vec![*hop],
            None => reach.iter().map(|(_, hop)| *hop).collect(),
        };
        self.writers.extend(&hops);
        let columns: Vec<&str> = self.drafts[table]
            .table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        for column in columns
            .into_iter()
            .filter(|column| node.columns.contains(column))
        {
            // What names that are no text become while they are read. Two such names might be one then.
            if column.contains(char::REPLACEMENT_CHARACTER) {
                return Err(format!(
                    "table {} has a column whose name ({column}) is not valid in the snapshot's encoding; leave it out \
                     by `only`, or rename it and dump again",
                    self.drafts[table].table.name
                ));
            }
            self.need(table, column)?;
            self.need_rule(table, column);
        }
        self.look_for_columns(node, table);
        for order in &node.order {
            self.need(table, &order.column)?;
        }
        let mut computed = Vec::new();
        for item in &node.computed {
            computed.extend(self.computed(item, table, &hops)?);
        }
        let mut nested = Vec::new();
        for child in node
            .nested
            .iter()
            .filter(|child| self.selection.takes(child.ee))
        {
            match self.nested(node, child, table, &hops)? {
                Some(draft) => nested.push(draft),
                None => continue,
            }
        }
        Ok(DraftNode {
            node,
            table,
            reach,
            through,
            computed,
            nested,
        })
    }

    /// Warns of columns that a node names and the snapshot lacks: most likely the names are wrong, and what `except` was to
    /// leave out is written.
    fn look_for_columns(&mut self, node: &Node, table: TableId) {
        let found = self.drafts[table].table;
        let (names, outcome) = match &node.columns {
            Columns::Except(names) => (names, "`except` leaves out nothing by that name"),
            Columns::Only(names) => (names, "it is not written"),
        };
        for name in names {
            self.look_for(node, found, name, &format!("{outcome} in {}", node.name));
        }
        for item in &node.computed {
            let outcome = |what: &str| format!("key {} of {} {what}", item.name, node.name);
            match &item.value {
                ComputedValue::Column(column)
                | ComputedValue::Names { column, .. }
                | ComputedValue::TextColor { column } => {
                    self.look_for(node, found, column, &outcome("is left out"));
                }
                ComputedValue::Lookup {
                    table: other,
                    column,
                    without_table,
                    ..
                } => match (self.find(other), without_table) {
                    (Some(other), _) => {
                        self.look_for(node, other, column, &outcome("is always null"));
                    }
                    (None, Some(own)) => {
                        self.look_for(node, found, own, &outcome("is always null"));
                    }
                    (None, None) => {
                        let outcome = outcome("is always null");
                        self.warn(format!("table {other} is not in the snapshot: {outcome}"));
                    }
                },
            }
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

    /// Columns that a column's value rule looks at.
    fn need_rule(&mut self, table: TableId, column: &str) {
        let rule = rules_of(self.pipeline, &self.drafts[table].table.name.name, column).cloned();
        match rule {
            Some(ValueRule::NullAsColumn(other)) => {
                self.need_if_there(table, &other);
            }
            Some(ValueRule::Object { template, .. }) => {
                for part in template {
                    if let TemplatePart::Column(other) = part {
                        self.need_if_there(table, &other);
                    }
                }
            }
            Some(ValueRule::Names(_) | ValueRule::NullAs(_)) | None => {}
        }
    }

    fn computed(
        &mut self,
        item: &'p Computed,
        table: TableId,
        hops: &[HopId],
    ) -> Result<Option<DraftComputed<'p>>, String> {
        let draft = match &item.value {
            ComputedValue::Column(column) => {
                self.need_rule(table, column);
                self.need_if_there(table, column)
                    .then_some(DraftComputed::Of(item))
            }
            ComputedValue::Names { column, .. } | ComputedValue::TextColor { column } => self
                .need_if_there(table, column)
                .then_some(DraftComputed::Of(item)),
            ComputedValue::Lookup {
                table: other,
                link,
                column,
                without_table,
            } => {
                let Some(found) = self.find(other) else {
                    return Ok(Some(match without_table {
                        Some(own) if self.need_if_there(table, own) => DraftComputed::Column {
                            name: &item.name,
                            column: own,
                        },
                        _ => DraftComputed::Null { name: &item.name },
                    }));
                };
                let other = self.table(found)?;
                if !self.need_if_there(other, column) {
                    return Ok(Some(DraftComputed::Null { name: &item.name }));
                }
                self.parent_column(table, &link.parent)?;
                let slot = self.slot(SlotSource::Rows {
                    hops: hops.to_vec(),
                    column: link.parent.clone(),
                });
                let hop = self.hop(other, link, slot)?;
                Some(DraftComputed::Lookup {
                    name: &item.name,
                    parent: &link.parent,
                    hop,
                    column,
                })
            }
        };
        Ok(draft)
    }

    fn parent_column(&mut self, table: TableId, column: &str) -> Result<(), String> {
        key_column(self.drafts[table].table, column)?;
        self.need(table, column)
    }

    fn nested(
        &mut self,
        parent: &'p Node,
        child: &'p Node,
        parent_table: TableId,
        parent_hops: &[HopId],
    ) -> Result<Option<DraftNested<'p>>, String> {
        let tables = [
            Some(&child.table),
            child.through.as_ref().map(|through| &through.table),
        ];
        for table in tables.into_iter().flatten() {
            if self.find(table).is_none() {
                let outcome = if child.many {
                    "is always []"
                } else {
                    "is left out"
                };
                self.warn(format!(
                    "table {table} is not in the snapshot: {} of {} {outcome}",
                    child.name, parent.name
                ));
                return Ok(child.many.then_some(DraftNested::Empty(&child.name)));
            }
        }
        if let Some(instead) = &child.instead {
            self.parent_column(parent_table, &instead.column)?;
        }
        // Both tables were found above.
        let table = self
            .find(&child.table)
            .ok_or_else(|| format!("the snapshot has no table {}", child.table))?;
        let table = self.table(table)?;
        let linked = self.linked_table(child, table)?;
        let mut reach = Vec::new();
        for link in &child.links {
            self.parent_column(parent_table, &link.parent)?;
            let slot = self.slot(SlotSource::Rows {
                hops: parent_hops.to_vec(),
                column: link.parent.clone(),
            });
            reach.push((link.parent.clone(), self.hop(linked, link, slot)?));
        }
        let through = self.through(child, table, linked, &reach)?;
        Ok(Some(DraftNested::Node(
            self.node(child, table, reach, through)?,
        )))
    }

    /// The table that a node's links are about: its join table, or else its own.
    fn linked_table(&mut self, node: &Node, own: TableId) -> Result<TableId, String> {
        let Some(through) = &node.through else {
            return Ok(own);
        };
        let join = self
            .find(&through.table)
            .ok_or_else(|| format!("the snapshot has no table {}", through.table))?;
        self.table(join)
    }

    /// The way from the rows of a node's join table, which `reach` finds, to its own.
    fn through(
        &mut self,
        node: &Node,
        own: TableId,
        join: TableId,
        reach: &[(String, HopId)],
    ) -> Result<Option<(TableId, String, HopId)>, String> {
        let Some(through) = &node.through else {
            return Ok(None);
        };
        self.parent_column(join, &through.to)?;
        let slot = self.slot(SlotSource::Rows {
            hops: reach.iter().map(|(_, hop)| *hop).collect(),
            column: through.to.clone(),
        });
        let link = Link {
            child: through.key.clone(),
            parent: through.to.clone(),
            filter: Vec::new(),
        };
        let hop = self.hop(own, &link, slot)?;
        Ok(Some((join, through.to.clone(), hop)))
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Fixes the layouts and turns names into positions.
    fn finish(
        self,
        relations: Vec<DraftRelation<'p>>,
        left_out: Vec<(String, String)>,
    ) -> Result<Plan, String> {
        let (tables, relations) = lay_out(self.pipeline, &self.drafts, &self.hops, relations)?;
        Ok(Plan {
            tables,
            hops: self.hops,
            slots: self.slots,
            relations,
            values: self.pipeline.values,
            warnings: self.warnings,
            left_out,
        })
    }
}
