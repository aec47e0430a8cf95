//! The nodes of a relation's tree, each with the hops that find its rows.

use crate::key;
use crate::pipeline::{
    Collected, Computed, ComputedValue, Link, Node, TemplatePart, ValueRule, Via,
};
use crate::resolve::keys::KeyShape;
use crate::resolve::plan::error::PlanError;
use crate::resolve::plan::ids::{HopId, SlotId, TableId};
use crate::resolve::plan::model::{
    FeedColumn, PlanComputed, PlanNested, PlanNode, PlanTree, Reach, ReachedFrom, SlotSource, Step,
};
use crate::snapshot::{SqlType, TableName};

use super::Planner;

/// What links are to.
pub(super) enum Above {
    /// The entity.
    Entity,
    /// A value that was collected, of the type of the column that it is looked up in.
    Collected(SlotId, KeyShape),
    /// Rows of a table that these hops found.
    Rows(TableId, Vec<HopId>),
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
                Above::Rows(step.table, hops)
            });
            let table = self.table_named(table)?;
            let mut reach = Vec::new();
            let above = before.as_ref().unwrap_or(above);
            for link in links {
                reach.push(self.reach(table, link, above)?);
            }
            steps.push(Step { table, reach });
        }
        Ok(steps)
    }

    /// A link, as a hop from what it is to.
    fn reach(&mut self, table: TableId, link: &Link, above: &Above) -> Result<Reach, PlanError> {
        if link.is_to_schema() {
            let shape = KeyShape::new([]);
            let slot = self.slot(SlotSource::Everything, shape.clone());
            return Ok(Reach {
                from: ReachedFrom::Everything,
                hop: self.hop(table, Vec::new(), shape.clone(), &link.filter, slot)?,
                shape,
            });
        }
        let child = self.or_key(table, &link.child)?;
        let (from, slot, own, shape) = match above {
            Above::Entity => {
                let entity_key = self.entity_key.as_ref();
                let key = entity_key.map(|key| {
                    let name = format!("the key of the {}", self.pipeline.entity.kind);
                    (name, key.sql_type.clone())
                });
                // The entities that are schemas have names and no rows.
                let key = key.unwrap_or_else(|| ("the schema".to_owned(), SqlType::Text));
                let (own, shape) = self.compare(table, &child, &[key])?;
                let (from, source) = match link.is_to_root() {
                    true => (ReachedFrom::EntityRoot, SlotSource::EntityRoot),
                    false => (ReachedFrom::EntityKey, SlotSource::EntityKey),
                };
                let slot = self.slot(source, shape.clone());
                (from, slot, own, shape)
            }
            Above::Collected(slot, shape) => {
                (ReachedFrom::Collected, *slot, shape.clone(), shape.clone())
            }
            Above::Rows(above, hops) => {
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
        Ok(Reach { from, shape, hop })
    }

    /// The node of a relation whose rows are those that others refer to. `relation` is its position.
    pub(super) fn collected(
        &mut self,
        relation: usize,
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
        let shape = KeyShape::new([form]);
        let slot = self.slot(SlotSource::Collected { columns }, shape.clone());
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
        let definition = self.tables[table].table;
        for column in definition.columns.iter().map(|column| &column.name) {
            if !node.columns.contains(column) {
                continue;
            }
            if column.contains(char::REPLACEMENT_CHARACTER) {
                return Err(PlanError::ColumnName {
                    table: definition.name.clone(),
                    column: column.clone(),
                });
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
        for child in &node.nested {
            if self.selection.takes(child.ee) {
                nested.extend(self.nested(node, child, table, &hops)?);
            }
        }
        Ok(PlanNode {
            name: node.name.clone(),
            table,
            many: node.many,
            steps,
            tree,
            order: node.order.clone(),
            pick: node.pick,
            renamed: node.renamed.clone(),
            columns: node.columns.clone(),
            computed,
            instead: node.instead.clone(),
            nested,
        })
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
        parent_hops: &[HopId],
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
        let above = Above::Rows(parent_table, parent_hops.to_vec());
        let steps = self.steps(&child.table, &child.links, &child.via, &above)?;
        let node = self.node(child, steps)?;
        Ok(Some(PlanNested::Node(Box::new(node))))
    }

    /// A computed key; `None` if the row's table lacks the column that it is made of.
    fn computed(
        &mut self,
        item: &'p Computed,
        table: TableId,
        hops: &[HopId],
    ) -> Result<Option<PlanComputed>, PlanError> {
        let own = |item: &Computed| PlanComputed::OwnColumns(item.clone());
        let null = || PlanComputed::Null {
            name: item.name.clone(),
        };
        match &item.value {
            ComputedValue::Constant(json) => Ok(Some(PlanComputed::Constant {
                name: item.name.clone(),
                json: json.clone(),
            })),
            ComputedValue::Column(column) => {
                self.need_rule(table, column);
                Ok(self.need_if_there(table, column).then(|| own(item)))
            }
            ComputedValue::Names { column, .. } | ComputedValue::TextColor { column } => {
                Ok(self.need_if_there(table, column).then(|| own(item)))
            }
            ComputedValue::Lookup {
                table: other,
                link,
                column,
                without_table,
            } => {
                let Some(found) = self.find(other) else {
                    return Ok(Some(match without_table {
                        Some(column) if self.need_if_there(table, column) => own(&Computed {
                            name: item.name.clone(),
                            value: ComputedValue::Column(column.clone()),
                        }),
                        Some(_) | None => null(),
                    }));
                };
                let other = self.table(found)?;
                if !self.need_if_there(other, column) {
                    return Ok(Some(null()));
                }
                let above = Above::Rows(table, hops.to_vec());
                Ok(Some(PlanComputed::Lookup {
                    name: item.name.clone(),
                    reach: self.reach(other, link, &above)?,
                    column: column.clone(),
                }))
            }
        }
    }

    /// Columns that a column's value rule looks at.
    fn need_rule(&mut self, table: TableId, column: &str) {
        let name = &self.tables[table].table.name;
        match self.pipeline.value_rule(name, column) {
            Some(ValueRule::NullAsColumn(other)) => {
                self.need_if_there(table, other);
            }
            Some(ValueRule::Object { template, .. }) => {
                for part in template {
                    if let TemplatePart::Column(other) = part {
                        self.need_if_there(table, other);
                    }
                }
            }
            Some(ValueRule::Names(_) | ValueRule::NullAs(_)) | None => {}
        }
    }
}
