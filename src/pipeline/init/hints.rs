//! What columns look like that no foreign key is declared for.

use super::graph::{Graph, TableIndex, TableNode};
use super::words::{singular, snake};
use crate::key::comparison;
use crate::snapshot::Column;

/// A column that may link rows, though no foreign key says so.
pub(super) struct Undeclared<'c> {
    pub(super) column: &'c str,
    /// The table that it may lead to, by its name.
    pub(super) to: Option<TableIndex>,
}

/// Pairs of columns that may link to rows of several tables: one with the table's name, one with the row's key.
pub(super) fn polymorphic<'c>(graph: &Graph<'c>, node: &TableNode<'c>) -> Vec<(&'c str, &'c str)> {
    let columns = &node.table.columns;
    let mut pairs = Vec::new();
    for kind in columns {
        let is_text = kind.sql_type.is_text() || graph.catalog.is_enum(&kind.sql_type);
        if let Some(stem) = kind.name.strip_suffix("_type").filter(|_| is_text) {
            let id = columns.iter().find(|column| {
                column.name.strip_suffix("_id") == Some(stem)
                    || column.name.strip_suffix("_uuid") == Some(stem)
            });
            if let Some(id) = id.filter(|id| !node.foreign.contains(id.name.as_str())) {
                pairs.push((kind.name.as_str(), id.name.as_str()));
            }
        }
    }
    pairs
}

/// The columns of a table that are named like links, without those of foreign keys and of [`polymorphic`] pairs.
pub(super) fn undeclared<'c>(graph: &Graph<'c>, table: TableIndex) -> Vec<Undeclared<'c>> {
    let node = &graph.tables[table];
    let pairs = polymorphic(graph, node);
    let mut found = Vec::new();
    for column in &node.table.columns {
        let name = column.name.as_str();
        let snake = snake(name);
        let stem = snake.strip_suffix("_id").or(snake.strip_suffix("_uuid"));
        let Some(stem) = stem.filter(|stem| !stem.is_empty()) else {
            continue;
        };
        if node.foreign.contains(name) || pairs.iter().any(|(_, id)| *id == name) {
            continue;
        }
        let to = guess(graph, table, column, stem);
        // A table's own key, named after the table.
        let is_key = key_of(graph, table) == Some(column);
        if !(is_key && to.is_none_or(|to| to == table)) {
            found.push(Undeclared { column: name, to });
        }
    }
    found
}

/// The table that a column's name and type speak of: the one with the most words of it, in the same schema if there is one.
fn guess(graph: &Graph<'_>, table: TableIndex, column: &Column, stem: &str) -> Option<TableIndex> {
    let fits = |to: TableIndex| {
        let key = key_of(graph, to);
        key.is_some_and(|key| comparison(&column.sql_type, &key.sql_type, graph.catalog).is_ok())
    };
    if stem == "parent" && fits(table) {
        return Some(table);
    }
    let words: Vec<&str> = stem.split('_').collect();
    for start in 0..words.len() {
        let meant = singular(&words[start..].join("_"));
        let named = (0..graph.tables.len())
            .filter(|to| singular(&snake(&graph.name(*to).name)) == meant && fits(*to));
        let elsewhere = |to: &TableIndex| graph.name(*to).schema != graph.name(table).schema;
        if let Some(to) = named.min_by_key(elsewhere) {
            return Some(to);
        }
    }
    None
}

/// The single column that tells a table's rows apart.
fn key_of<'c>(graph: &Graph<'c>, table: TableIndex) -> Option<&'c Column> {
    let table = graph.tables[table].table;
    let name = match graph.catalog.keys().primary(&table.name) {
        Some([name]) => name,
        Some(_) => return None,
        None => "id",
    };
    table.column(name).map(|(_, column)| column)
}
