//! Where each table's rows are written: nested in the rows that they refer to, or as relations.

use std::collections::BTreeSet;

use super::chains::{Chain, Ways};
use super::graph::{Graph, TableIndex};
use super::words;

/// How deep nodes nest. Deeper ones could hardly be read.
const DEEPEST: usize = 6;

/// What becomes of a table that leads to the entity.
pub(super) enum Place {
    /// In the rows of the first step's table, by that table's group.
    Nested { in_table: TableIndex, group: usize },
    /// A relation for each way, with its name.
    Relations(Vec<String>),
}

/// What becomes of all tables.
pub(super) struct Plan<'g, 'c> {
    pub(super) graph: &'g Graph<'c>,
    pub(super) ways: Vec<Ways>,
    /// Where tables are written; `None` for those that are not.
    pub(super) places: Vec<Option<Place>>,
    /// The tables with relations, in the order of the file.
    pub(super) order: Vec<TableIndex>,
    /// The name of the relation with the entity's own row.
    pub(super) entity: String,
    schema: &'c str,
}

impl<'g, 'c> Plan<'g, 'c> {
    pub(super) fn new(graph: &'g Graph<'c>, ways: Vec<Ways>) -> Self {
        let mut plan = Plan {
            graph,
            places: Vec::new(),
            order: Vec::new(),
            entity: String::new(),
            schema: &graph.name(graph.entity).schema,
            ways,
        };
        let mut depths = vec![0; graph.tables.len()];
        plan.places.resize_with(graph.tables.len(), || None);
        // Tables after those that they lead to first, so that what is above is placed.
        let mut tables: Vec<TableIndex> = (0..graph.tables.len())
            .filter(|table| !plan.ways[*table].chains.is_empty())
            .collect();
        tables.sort_by_key(|table| (plan.ways[*table].chains[0].steps.len(), *table));
        for table in &tables {
            if let Some((in_table, group)) = plan.nests(*table)
                && depths[in_table] < DEEPEST
            {
                depths[*table] = depths[in_table] + 1;
                plan.places[*table] = Some(Place::Nested { in_table, group });
            } else {
                plan.order.push(*table);
            }
        }
        plan.name_relations();
        plan
    }

    /// The table and the group by which rows are nested: if each way goes through it, and it is written once.
    fn nests(&self, table: TableIndex) -> Option<(TableIndex, usize)> {
        let chains = &self.ways[table].chains;
        let (_, group) = *chains.first()?.steps.first()?;
        let in_table = self.graph.tables[table].groups[group].to;
        let is_same = |chain: &Chain| chain.steps[0].1 == group;
        let is_whole = self.ways[in_table].chains.len() == 1 || self.tree(in_table).is_some();
        let nests = in_table != self.graph.entity && chains.iter().all(is_same) && is_whole;
        nests.then_some((in_table, group))
    }

    /// The link by which rows of a table are found below others of it: where some have no other way.
    pub(super) fn tree(&self, table: TableIndex) -> Option<usize> {
        let own = &self.graph.tables[table].own;
        if self.ways[table].total || table == self.graph.entity {
            return None;
        }
        let has = |word: &str| {
            own.iter()
                .position(|link| link.pairs.iter().any(|(column, _)| column.contains(word)))
        };
        has("parent").or_else(|| (!own.is_empty()).then_some(0))
    }

    fn name_relations(&mut self) {
        let mut names = BTreeSet::new();
        let mut written: Vec<TableIndex> = vec![self.graph.entity];
        written.extend(&self.order);
        let base = |table: TableIndex| words::relation(&self.graph.name(table).name);
        let prefixed = |table: TableIndex| {
            let name = self.graph.name(table);
            words::relation(&format!("{}_{}", name.schema, name.name))
        };
        // Tables of the default schema keep their names.
        let mut own = BTreeSet::new();
        for table in &written {
            if self.graph.name(*table).schema == self.schema {
                own.insert(base(*table));
            }
        }
        let mut seen = BTreeSet::new();
        let mut free = |wanted: String| {
            let numbers = (2..).map(|number| format!("{wanted}_{number}"));
            let mut choices = std::iter::once(wanted.clone()).chain(numbers);
            let name = choices.find(|name| !names.contains(name)).unwrap_or(wanted);
            names.insert(name.clone());
            name
        };
        for table in written {
            let is_own = self.graph.name(table).schema == self.schema;
            let mut first = base(table);
            if !is_own && own.contains(&first) || !seen.insert(first.clone()) {
                first = prefixed(table);
            }
            if table == self.graph.entity {
                self.entity = free(first);
                continue;
            }
            let chains = self.ways[table].chains.iter();
            let named = chains.enumerate().map(|(place, chain)| match place {
                0 => free(first.clone()),
                _ => free(format!("{first}_by_{}", by(self.graph, chain))),
            });
            self.places[table] = Some(Place::Relations(named.collect()));
        }
    }
}

/// What tells a way from the table's other ones: the table that it goes through first, or the columns to the entity.
fn by(graph: &Graph<'_>, chain: &Chain) -> String {
    let (table, group) = chain.steps[0];
    let group = &graph.tables[table].groups[group];
    match group.to == graph.entity {
        false => words::relation(&graph.name(group.to).name),
        true => {
            let columns = group.links.iter().flat_map(|link| &link.pairs);
            let columns: Vec<String> = columns.map(|(column, _)| words::snake(column)).collect();
            columns.join("_")
        }
    }
}
