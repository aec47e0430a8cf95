//! The nodes of a relation's tree, each with the hops that find its rows.

use crate::key;
use crate::pipeline::{Collected, Columns, Link, Node, Via};
use crate::resolve::keys::KeyShape;
use crate::resolve::plan::error::PlanError;
use crate::resolve::plan::ids::{HopId, SlotId, TableId};
use crate::resolve::plan::model::{
    FeedColumn, PlanNested, PlanNode, PlanOverlay, PlanTree, Reach, ReachedFrom, SlotSource, Step,
};
use crate::resolve::plan::selection::CollectedRelations;
use crate::snapshot::{SqlType, TableName};

use super::Planner;

/// What links are to.
pub(super) enum Above {
    /// The entity.
    Entity,
    /// A value that was collected, of the type of the column that it is looked up in.
    Collected(SlotId, KeyShape),
    /// Rows of a table that these hops found.
    Rows {
        table: TableId,
        hops: Vec<HopId>,
        overlay: Option<Over>,
    },
}

impl Above {
    /// Rows of a table, with no others over them.
    pub(super) fn rows(table: TableId, hops: Vec<HopId>) -> Above {
        Above::Rows {
            table,
            hops,
            overlay: None,
        }
    }
}

/// Rows that lie over others: those of a table that these hops found.
#[derive(Clone)]
pub(super) struct Over {
    table: TableId,
    hops: Vec<HopId>,
    /// The columns that are theirs.
    columns: Vec<String>,
}

impl<'p> Planner<'p> {
    /// The node of a relation whose rows are linked to the entity.
    pub(super) fn top_level(&mut self, node: &'p Node) -> Result<PlanNode, PlanError> {
        let steps = self.steps(&node.table, &node.links, &node.via, &Above::Entity)?;
        self.node(node, steps)
    }

    /// The way to the rows of a table from what stands above them.
    pub(super) fn steps(
        &mut self,
        table: &TableName,
        links: &[Link],
        via: &[Via],
        above: &Above,
    ) -> Result<Vec<Step>, PlanError> {
        let mut steps: Vec<Step> = Vec::new();
        let chain = via
            .iter()
            .rev()
            .map(|via| (&via.table, via.links.as_slice()));
        for (table, links) in chain.chain([(table, links)]) {
            let before = steps.last().map(|step| {
                let hops = step.reach.iter().map(|reach| reach.hop).collect();
                Above::rows(step.table, hops)
            });
            let table = self.table_named(table)?;
            let mut reach = Vec::new();
            let above = before.as_ref().unwrap_or(above);
            for link in links {
                reach.push(self.reach(table, link, above)?);
                reach.extend(self.reach_of_overlay(table, link, above)?);
            }
            steps.push(Step { table, reach });
        }
        Ok(steps)
    }

    /// A link, as a hop from what it is to.
    pub(super) fn reach(
        &mut self,
        table: TableId,
        link: &Link,
        above: &Above,
    ) -> Result<Reach, PlanError> {
        if link.is_to_schema() {
            let shape = KeyShape::new([]);
            let slot = self.slot(SlotSource::Everything, shape.clone());
            return Ok(Reach {
                from: ReachedFrom::Everything,
                hop: self.hop(table, Vec::new(), shape.clone(), &link.filter, slot)?,
                shape,
                of_overlay: false,
            });
        }
        let link = &self.counted(table, link, above);
        let child = self.or_key(table, &link.child)?;
        let (from, slot, own, shape) = match above {
            Above::Entity => {
                let entity_key = self.kinds[self.kind].key.as_ref();
                let key = entity_key.map(|key| {
                    let name = format!("the key of the {}", self.pipeline.entity.kind);
                    (name, key.sql_type.clone())
                });
                // The entities that are schemas have names and no rows.
                let key = key.unwrap_or_else(|| ("the schema".to_owned(), SqlType::Text));
                let (own, shape) = self.compare(table, &child, &[key])?;
                let (from, source) = match link.is_to_root() {
                    true => (ReachedFrom::EntityRoot, SlotSource::EntityRoot(self.kind)),
                    false => (ReachedFrom::EntityKey, SlotSource::EntityKey(self.kind)),
                };
                let slot = self.slot(source, shape.clone());
                (from, slot, own, shape)
            }
            Above::Collected(slot, shape) => {
                (ReachedFrom::Collected, *slot, shape.clone(), shape.clone())
            }
            Above::Rows {
                table: above, hops, ..
            } => {
                let columns = self.or_key(*above, &link.parent)?;
                let types = self.need_keys(*above, &columns)?;
                let ends: Vec<(String, SqlType)> = columns
                    .iter()
                    .map(|column| {
                        let name = &self.tables[*above].table.name;
                        format!("column {column} of table {name}")
                    })
                    .zip(types)
                    .collect();
                let (own, shape) = self.compare(table, &child, &ends)?;
                let source = SlotSource::Rows {
                    hops: hops.clone(),
                    columns: columns.clone(),
                };
                let slot = self.slot(source, shape.clone());
                (ReachedFrom::Columns(columns), slot, own, shape)
            }
        };
        let hop = self.hop(table, child, own, &link.filter, slot)?;
        Ok(Reach {
            from,
            shape,
            hop,
            of_overlay: false,
        })
    }

    /// The link without the pairs that do not count in this snapshot.
    fn counted(&self, table: TableId, link: &Link, above: &Above) -> Link {
        let has = |table: TableId, column: &str| self.tables[table].table.column(column).is_some();
        let above = match above {
            Above::Rows { table, .. } => Some(*table),
            Above::Entity | Above::Collected(..) => None,
        };
        link.counted(
            |column| has(table, column),
            |column| above.is_none_or(|above| has(above, column)),
        )
    }

    /// The link again, from the rows that lie over those above, if what it is to is theirs.
    fn reach_of_overlay(
        &mut self,
        table: TableId,
        link: &Link,
        above: &Above,
    ) -> Result<Option<Reach>, PlanError> {
        let Above::Rows {
            overlay: Some(over),
            ..
        } = above
        else {
            return Ok(None);
        };
        if !link
            .parent
            .iter()
            .any(|column| over.columns.contains(column))
        {
            return Ok(None);
        }
        let above = Above::rows(over.table, over.hops.clone());
        let reach = self.reach(table, link, &above)?;
        Ok(Some(Reach {
            of_overlay: true,
            ..reach
        }))
    }

    /// The node of a relation whose rows are those that others refer to. `relation` is its position.
    pub(super) fn collected(
        &mut self,
        relation: usize,
        name: &str,
        it: &'p Collected,
    ) -> Result<PlanNode, PlanError> {
        // The table that the collected values are looked up in.
        let (first, links) = match it.node.via.last() {
            Some(via) => (&via.table, &via.links),
            None => (&it.node.table, &it.node.links),
        };
        let table = self.table_named(first)?;
        let child = match links.first() {
            Some(link) => self.or_key(table, &link.child)?,
            None => self.or_key(table, &[])?,
        };
        let [column] = child.as_slice() else {
            return Err(PlanError::NoKeyType {
                table: first.clone(),
                column: child.join(", "),
                reason: "what is collected is looked up by one column; say which as `key`"
                    .to_owned(),
            });
        };
        let types = self.need_keys(table, std::slice::from_ref(column))?;
        let Some(sql_type) = types.first() else {
            return Err(PlanError::NoKey(first.clone()));
        };
        let form = self.form(first, column, sql_type)?;
        let mut columns = Vec::new();
        for hop in self.writers.clone() {
            let writer = self.hops[hop].table;
            let name = self.tables[writer].table.name.clone();
            if it.except_tables.contains(&name) {
                continue;
            }
            for column in &it.columns {
                if !self.need_if_there(writer, column) {
                    continue;
                }
                let Some((_, found)) = self.tables[writer].table.column(column) else {
                    continue;
                };
                let forms = key::comparison(sql_type, &found.sql_type, self.catalog);
                let own = match forms {
                    Ok((target, own)) if target == form => own,
                    Ok(_) | Err(_) => {
                        let reason = match forms {
                            Err(reason) => format!(": {reason}"),
                            Ok(_) => String::new(),
                        };
                        self.warn(format!(
                            "column {column} of table {name} cannot refer to {first}: its values are not collected{reason}"
                        ));
                        continue;
                    }
                };
                let shape = KeyShape::new([own]);
                let entry = (writer, relation, column.clone(), shape);
                if !self.collected.contains(&entry) {
                    self.collected.push(entry);
                }
                columns.push(FeedColumn {
                    hop,
                    column: column.clone(),
                    form: own,
                });
            }
        }
        self.look_for_collected(name, it);
        let shape = KeyShape::new([form]);
        let source = match &self.selection.collected {
            CollectedRelations::Made => SlotSource::Collected { columns },
            CollectedRelations::Elsewhere => SlotSource::Given { keys: Vec::new() },
            CollectedRelations::Given(keys) => {
                let place = (self.pipeline.name.clone(), name.to_owned());
                let keys = keys.get(&place).cloned().unwrap_or_default();
                SlotSource::Given { keys }
            }
        };
        let slot = self.slot(source, shape.clone());
        let above = Above::Collected(slot, shape);
        let steps = self.steps(&it.node.table, &it.node.links, &it.node.via, &above)?;
        self.node(&it.node, steps)
    }

    fn node(&mut self, node: &'p Node, steps: Vec<Step>) -> Result<PlanNode, PlanError> {
        let Some(last) = steps.last() else {
            return Err(PlanError::NoTable(node.table.clone()));
        };
        let table = last.table;
        let mut hops: Vec<HopId> = last.reach.iter().map(|reach| reach.hop).collect();
        let tree = match &node.tree {
            Some(tree) => Some(self.tree(node, tree, table, &hops)?),
            None => None,
        };
        hops.extend(tree.as_ref().map(|tree| tree.hop));
        self.writers.extend(&hops);
        let written = self.written_columns(node);
        let definition = self.tables[table].table;
        for column in definition.columns.iter().map(|column| &column.name) {
            if !written.contains(column) {
                continue;
            }
            if column.contains(char::REPLACEMENT_CHARACTER) {
                return Err(PlanError::ColumnName {
                    table: definition.name.clone(),
                    column: column.clone(),
                });
            }
            self.need(table, column)?;
        }
        self.look_for_columns(node, table);
        for order in &node.order {
            self.need(table, &order.column)?;
        }
        let matching = self.matching(node, table)?;
        let values = self.rules(node, table)?;
        let mut computed = Vec::new();
        for item in &node.computed {
            computed.extend(self.computed(item, table, &hops)?);
        }
        self.above.push((node.name.clone(), table));
        let (nested, overlay) = self.nested_nodes(node, table, &hops)?;
        self.above.pop();
        let planned = PlanNode {
            name: node.name.clone(),
            table,
            many: node.many,
            steps,
            tree,
            order: node.order.clone(),
            pick: node.pick,
            renamed: node.renamed.clone(),
            columns: written,
            values,
            overlay,
            matching,
            without_row: node.without_row.clone(),
            computed,
            instead: node.instead.clone(),
            nested,
        };
        self.without_repeated_keys(planned)
    }

    /// A node, if each of its keys is written once. A column that the database computes, which records do not have, makes
    /// room for a key of its name.
    ///
    /// # Errors
    /// A key of the pipeline's is the name of a column that is written, too.
    fn without_repeated_keys(&self, mut node: PlanNode) -> Result<PlanNode, PlanError> {
        let table = self.tables[node.table].table;
        let is_written = |column: &String| {
            table.column(column).is_some()
                && node.columns.contains(column)
                && !node.renamed.contains_key(column)
        };
        let renamed = node.renamed.iter();
        let renamed = renamed
            .filter(|(column, _)| table.column(column).is_some() && node.columns.contains(column));
        let nested = node.nested.iter().map(|nested| match nested {
            PlanNested::Node(node) => &node.name,
            PlanNested::Empty(name) => name,
        });
        let twice: Vec<String> = renamed
            .map(|(_, key)| key)
            .chain(node.computed.iter().map(|computed| &computed.name))
            .chain(node.tree.iter().map(|tree| &tree.name))
            .chain(nested)
            .filter(|key| is_written(key))
            .cloned()
            .collect();
        for key in twice {
            match (
                self.catalog.is_generated(&table.name, &key),
                &mut node.columns,
            ) {
                (false, _) => {
                    return Err(PlanError::KeyTwice {
                        table: table.name.clone(),
                        key,
                    });
                }
                (true, Columns::Only(names)) => names.retain(|name| *name != key),
                (true, Columns::Except(names)) => names.push(key),
            }
        }
        Ok(node)
    }

    /// The columns that a node writes in this edition.
    fn written_columns(&self, node: &Node) -> Columns {
        if self.selection.takes(true) {
            return node.columns.clone();
        }
        match &node.columns {
            Columns::Only(names) => {
                let names = names.iter().filter(|name| !node.ee_columns.contains(*name));
                Columns::Only(names.cloned().collect())
            }
            Columns::Except(names) => {
                Columns::Except(names.iter().chain(&node.ee_columns).cloned().collect())
            }
        }
    }

    /// What is nested in the rows of a node, and which of it lies over them.
    fn nested_nodes(
        &mut self,
        node: &'p Node,
        table: TableId,
        hops: &[HopId],
    ) -> Result<(Vec<PlanNested>, Option<PlanOverlay>), PlanError> {
        let is_over = |child: &Node| {
            let overlay = node.overlay.as_ref();
            overlay.is_some_and(|overlay| overlay.nested == child.name)
        };
        // What lies over the rows comes first: links of the others may be to its columns.
        let mut children: Vec<(usize, &'p Node)> = node.nested.iter().enumerate().collect();
        children.sort_by_key(|(_, child)| !is_over(child));
        let mut planned: Vec<(usize, PlanNested)> = Vec::new();
        let (mut over, mut overlay) = (None, None);
        for (position, child) in children {
            if !self.selection.takes(child.ee) {
                continue;
            }
            let above = Above::Rows {
                table,
                hops: hops.to_vec(),
                overlay: over.clone(),
            };
            let Some(nested) = self.nested(node, child, table, &above)? else {
                if let Some(said) = node.overlay.as_ref().filter(|_| is_over(child)) {
                    self.warn(format!(
                        "table {} is not in the snapshot: {} of {} are those of the row itself, which may be NULL",
                        child.table,
                        said.columns.join(", "),
                        node.name
                    ));
                }
                continue;
            };
            if let (PlanNested::Node(found), Some(said), true) =
                (&nested, &node.overlay, is_over(child))
            {
                let columns: Vec<String> = said.columns.clone();
                for column in &columns {
                    self.need(table, column)?;
                    self.need(found.table, column)?;
                }
                overlay = Some(PlanOverlay {
                    nested: child.name.clone(),
                    columns: columns.clone(),
                });
                over = Some(Over {
                    table: found.table,
                    hops: found.last_hops().collect(),
                    columns,
                });
            }
            planned.push((position, nested));
        }
        planned.sort_by_key(|(position, _)| *position);
        let nested = planned.into_iter().map(|(_, nested)| nested).collect();
        Ok((nested, overlay))
    }

    /// The hop to the rows below the rows of a node, which are rows of the same table.
    fn tree(
        &mut self,
        node: &Node,
        tree: &crate::pipeline::Tree,
        table: TableId,
        base: &[HopId],
    ) -> Result<PlanTree, PlanError> {
        let child = self.or_key(table, &tree.link.child)?;
        let columns = self.or_key(table, &tree.link.parent)?;
        let types = self.need_keys(table, &columns)?;
        let ends: Vec<(String, SqlType)> = columns
            .iter()
            .map(|column| format!("column {column} of table {}", node.table))
            .zip(types)
            .collect();
        let (own, shape) = self.compare(table, &child, &ends)?;
        let source = SlotSource::Tree {
            base: base.to_vec(),
            below: self.hops.next_id(),
            columns: columns.clone(),
        };
        let slot = self.slot(source, shape.clone());
        Ok(PlanTree {
            name: tree.name.clone(),
            hop: self.hop(table, child, own, &tree.link.filter, slot)?,
            columns,
            shape,
        })
    }

    /// A nested key; `None` for a single row whose table the snapshot does not have.
    fn nested(
        &mut self,
        parent: &'p Node,
        child: &'p Node,
        parent_table: TableId,
        above: &Above,
    ) -> Result<Option<PlanNested>, PlanError> {
        let between = child.via.iter().map(|via| &via.table);
        for table in [&child.table].into_iter().chain(between) {
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
                return Ok(child.many.then(|| PlanNested::Empty(child.name.clone())));
            }
        }
        if let Some(instead) = &child.instead {
            self.need(parent_table, &instead.column)?;
        }
        let steps = self.steps(&child.table, &child.links, &child.via, above)?;
        let node = self.node(child, steps)?;
        Ok(Some(PlanNested::Node(Box::new(node))))
    }
}
