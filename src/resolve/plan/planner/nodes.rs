//! The nodes of a relation's tree, each with the hops that find its rows.

use crate::pipeline::{Collected, Computed, ComputedValue, Link, Node, TemplatePart, ValueRule};
use crate::resolve::plan::error::PlanError;
use crate::resolve::plan::ids::{HopId, TableId};
use crate::resolve::plan::model::{
    PlanComputed, PlanNested, PlanNode, Reach, ReachedFrom, SlotSource, Through,
};

use super::Planner;

impl<'p> Planner<'p> {
    /// The node of a relation whose rows are linked to the entity.
    pub(super) fn top_level(&mut self, node: &'p Node) -> Result<PlanNode, PlanError> {
        let table = self.table_named(&node.table)?;
        let linked = self.linked_table(node, table)?;
        let mut reach = Vec::new();
        for link in &node.links {
            let slot = self.entity_slot(link);
            reach.push(Reach {
                from: entity_column(link),
                hop: self.hop(linked, link, slot)?,
            });
        }
        let through = self.through(node, table, linked, &reach)?;
        self.node(node, table, reach, through)
    }

    /// The node of a relation whose rows are those that others refer to.
    pub(super) fn collected(&mut self, it: &'p Collected) -> Result<PlanNode, PlanError> {
        let hops: Vec<HopId> = self
            .writers
            .iter()
            .copied()
            .filter(|hop| {
                let table = &self.tables[self.hops[*hop].table].table.name.name;
                !it.except_tables.contains(table)
            })
            .collect();
        for hop in &hops {
            for column in &it.columns {
                self.need_if_there(self.hops[*hop].table, column);
            }
        }
        let slot = self.slot(SlotSource::Collected {
            hops,
            columns: it.columns.clone(),
        });
        let table = self.table_named(&it.node.table)?;
        let mut reach = Vec::new();
        for link in &it.node.links {
            reach.push(Reach {
                from: entity_column(link),
                hop: self.hop(table, link, slot)?,
            });
        }
        self.node(&it.node, table, reach, None)
    }

    fn node(
        &mut self,
        node: &'p Node,
        table: TableId,
        reach: Vec<Reach>,
        through: Option<Through>,
    ) -> Result<PlanNode, PlanError> {
        let hops: Vec<HopId> = match &through {
            Some(through) => vec![through.hop],
            None => reach.iter().map(|reach| reach.hop).collect(),
        };
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
            reach,
            through,
            order: node.order.clone(),
            columns: node.columns.clone(),
            computed,
            instead: node.instead.clone(),
            nested,
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
        let join = child.through.as_ref().map(|through| &through.table);
        for table in [Some(&child.table), join].into_iter().flatten() {
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
            self.need_key(parent_table, &instead.column)?;
        }
        let table = self.table_named(&child.table)?;
        let linked = self.linked_table(child, table)?;
        let mut reach = Vec::new();
        for link in &child.links {
            self.need_key(parent_table, &link.parent)?;
            let slot = self.slot_of_rows(parent_hops, &link.parent);
            reach.push(Reach {
                from: ReachedFrom::Column(link.parent.clone()),
                hop: self.hop(linked, link, slot)?,
            });
        }
        let through = self.through(child, table, linked, &reach)?;
        let node = self.node(child, table, reach, through)?;
        Ok(Some(PlanNested::Node(Box::new(node))))
    }

    /// The table that a node's links are about: its join table, or else its own.
    fn linked_table(&mut self, node: &Node, own: TableId) -> Result<TableId, PlanError> {
        match &node.through {
            Some(through) => self.table_named(&through.table),
            None => Ok(own),
        }
    }

    /// The way from the rows of a node's join table, which `reach` finds, to its own.
    fn through(
        &mut self,
        node: &Node,
        own: TableId,
        join: TableId,
        reach: &[Reach],
    ) -> Result<Option<Through>, PlanError> {
        let Some(through) = &node.through else {
            return Ok(None);
        };
        self.need_key(join, &through.to)?;
        let hops: Vec<HopId> = reach.iter().map(|reach| reach.hop).collect();
        let slot = self.slot_of_rows(&hops, &through.to);
        let link = Link {
            child: through.key.clone(),
            parent: through.to.clone(),
            filter: Vec::new(),
        };
        Ok(Some(Through {
            join,
            to: through.to.clone(),
            hop: self.hop(own, &link, slot)?,
        }))
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
                self.need_key(table, &link.parent)?;
                let slot = self.slot_of_rows(hops, &link.parent);
                Ok(Some(PlanComputed::Lookup {
                    name: item.name.clone(),
                    parent: link.parent.clone(),
                    hop: self.hop(other, link, slot)?,
                    column: column.clone(),
                }))
            }
        }
    }

    /// Columns that a column's value rule looks at.
    fn need_rule(&mut self, table: TableId, column: &str) {
        let name = &self.tables[table].table.name.name;
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

/// The column of the entity that a top-level link is to.
fn entity_column(link: &Link) -> ReachedFrom {
    match link.is_to_root() {
        true => ReachedFrom::EntityRoot,
        false => ReachedFrom::EntityKey,
    }
}
