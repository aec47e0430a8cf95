//! Tables and the foreign keys between them, as a pipeline can use them.
//!
//! Rows of partitions and of tables that inherit are rows of the tables above them, so their foreign keys count as those of
//! the topmost table.

use std::collections::{BTreeMap, BTreeSet};

use super::InitError;
use crate::key::{Incomparable, KeyForm, comparison};
use crate::snapshot::{Catalog, ForeignKey, Table, TableName};

/// Where a table stands in [`Graph::tables`].
pub(super) type TableIndex = usize;

/// The tables of a catalog, the entity's among them.
pub(super) struct Graph<'c> {
    pub(super) catalog: &'c Catalog,
    /// In the order of their names, those of the entity's schema first, without those whose rows are other tables'.
    pub(super) tables: Vec<TableNode<'c>>,
    pub(super) entity: TableIndex,
    /// The column that tells entities apart.
    pub(super) key: &'c str,
}

/// A table and where its rows lead.
pub(super) struct TableNode<'c> {
    pub(super) table: &'c Table,
    /// To other tables, by their names.
    pub(super) groups: Vec<Group<'c>>,
    /// To the table itself.
    pub(super) own: Vec<Link<'c>>,
    /// Columns of any foreign key.
    pub(super) foreign: BTreeSet<&'c str>,
    /// Foreign keys that no link can follow, and why.
    pub(super) unusable: Vec<String>,
}

/// All links of a table to another one.
pub(super) struct Group<'c> {
    pub(super) to: TableIndex,
    /// To the entity, by its key.
    pub(super) by_key: bool,
    pub(super) links: Vec<Link<'c>>,
}

/// Columns of a table that are equal to columns of another one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link<'c> {
    /// Each with the column that it refers to.
    pub(super) pairs: Vec<(&'c str, &'c str)>,
    /// Every row has such a row above it.
    pub(super) total: bool,
}

impl Group<'_> {
    pub(super) fn is_total(&self) -> bool {
        self.links.iter().any(|link| link.total)
    }
}

impl<'c> Graph<'c> {
    /// # Errors
    /// The catalog has no such table, or nothing tells its rows apart.
    pub(super) fn new(catalog: &'c Catalog, entity: &TableName) -> Result<Self, InitError> {
        let table = catalog
            .table(entity)
            .ok_or_else(|| InitError::no_table(catalog, entity))?;
        let top = top(catalog, entity);
        if top != *entity {
            return Err(InitError::Part {
                table: entity.clone(),
                of: top,
            });
        }
        let key = entity_key(catalog, table)?;
        let mut names: Vec<&TableName> = catalog.tables().map(|table| &table.name).collect();
        names.sort_by_key(|name| (name.schema != entity.schema, *name));
        let mut tables = Vec::new();
        let mut index = BTreeMap::new();
        for name in names
            .iter()
            .filter(|name| self::top(catalog, name) == ***name)
        {
            if let Some(table) = catalog.table(name) {
                index.insert(*name, tables.len());
                tables.push(TableNode {
                    table,
                    groups: Vec::new(),
                    own: Vec::new(),
                    foreign: BTreeSet::new(),
                    unusable: Vec::new(),
                });
            }
        }
        let entity = index.get(entity).copied().unwrap_or_default();
        let mut graph = Graph {
            catalog,
            tables,
            entity,
            key,
        };
        for (table, foreign) in catalog.keys().foreign() {
            let top = self::top(catalog, table);
            if let Some(from) = index.get(&top) {
                graph.add(*from, table == &top, foreign, &index);
            }
        }
        for node in &mut graph.tables {
            node.own.sort();
            node.groups.sort_by_key(|group| (group.to, !group.by_key));
            for group in &mut node.groups {
                group.links.sort();
            }
        }
        Ok(graph)
    }

    /// Adds a foreign key to a table's groups. `whole` tells that it holds for all rows of the table.
    fn add(
        &mut self,
        from: TableIndex,
        whole: bool,
        foreign: &'c ForeignKey,
        index: &BTreeMap<&'c TableName, TableIndex>,
    ) {
        let target = top(self.catalog, &foreign.table);
        let child = self.tables[from].table;
        let link = index
            .get(&target)
            .ok_or_else(|| "the snapshot has no such table".to_owned())
            .and_then(|to| Ok((*to, self.pairs(child, self.tables[*to].table, foreign)?)));
        let is_entity = |to| to == self.entity;
        let is_key = |pairs: &[(&str, &str)]| matches!(pairs, [(_, column)] if *column == self.key);
        let columns = foreign.columns.iter();
        let total = whole
            && columns
                .clone()
                .all(|column| self.catalog.is_not_null(&child.name, column));
        let found = link.map(|(to, pairs)| {
            let by_key = is_entity(to) && is_key(&pairs);
            (to, by_key, Link { pairs, total })
        });
        let node = &mut self.tables[from];
        node.foreign.extend(columns.map(String::as_str));
        match found {
            Ok((to, _, link)) if to == from => add_link(&mut node.own, link),
            Ok((to, by_key, link)) => {
                let mut groups = node.groups.iter_mut();
                match groups.find(|group| group.to == to && group.by_key == by_key) {
                    Some(group) => add_link(&mut group.links, link),
                    None => node.groups.push(Group {
                        to,
                        by_key,
                        links: vec![link],
                    }),
                }
            }
            Err(reason) => node.unusable.push(format!(
                "{} refers to {} and cannot be followed: {reason}",
                foreign.columns.join(", "),
                foreign.table
            )),
        }
    }

    /// The columns of a foreign key with those that they refer to.
    fn pairs(
        &self,
        child: &'c Table,
        parent: &'c Table,
        foreign: &'c ForeignKey,
    ) -> Result<Vec<(&'c str, &'c str)>, String> {
        let referenced = self
            .catalog
            .keys()
            .referenced(foreign)
            .ok_or("the snapshot does not state that table's primary key")?;
        let mut pairs = Vec::new();
        for (column, other) in foreign.columns.iter().zip(referenced) {
            let lacks = |table: &Table, column: &str| {
                format!("table {} has no column {column}", table.name)
            };
            let (_, one) = child.column(column).ok_or_else(|| lacks(child, column))?;
            let (_, two) = parent.column(other).ok_or_else(|| lacks(parent, other))?;
            comparison(&one.sql_type, &two.sql_type, self.catalog)
                .map_err(|why: Incomparable| why.to_string())?;
            if column == "where" {
                return Err("a link cannot say the name of the column".to_owned());
            }
            pairs.push((column.as_str(), other.as_str()));
        }
        Ok(pairs)
    }

    pub(super) fn name(&self, table: TableIndex) -> &'c TableName {
        &self.tables[table].table.name
    }
}

/// Adds a link; two foreign keys of the same columns are one.
fn add_link<'c>(links: &mut Vec<Link<'c>>, link: Link<'c>) {
    match links.iter_mut().find(|other| other.pairs == link.pairs) {
        Some(other) => other.total |= link.total,
        None => links.push(link),
    }
}

/// The topmost table that has the rows of a table, the table itself if no other has.
fn top(catalog: &Catalog, table: &TableName) -> TableName {
    let holders = catalog.holders(table);
    let top = holders.iter().rev().find(|it| catalog.table(it).is_some());
    top.unwrap_or(table).clone()
}

/// The column by which entities are named: the primary key, or another column whose values are unique.
fn entity_key<'c>(catalog: &'c Catalog, table: &'c Table) -> Result<&'c str, InitError> {
    let stated = catalog.keys().of(&table.name);
    let is_id = |columns: &&[String]| **columns == ["id"];
    let single = |columns: &&[String]| columns.len() == 1;
    let keys = || stated.iter().map(|key| key.columns.as_slice());
    let primary = catalog.keys().primary(&table.name).filter(single);
    let chosen = primary
        .or_else(|| keys().find(is_id))
        .or_else(|| keys().find(single));
    let name = match chosen {
        Some(columns) => columns[0].as_str(),
        // Nothing at all is stated of the table.
        None if stated.is_empty() => "id",
        None => "",
    };
    let column = table.column(name).map(|(_, column)| column);
    match column.filter(|it| KeyForm::of(&it.sql_type, catalog).is_some()) {
        Some(column) => Ok(&column.name),
        None => Err(InitError::NoKey(table.name.clone())),
    }
}
