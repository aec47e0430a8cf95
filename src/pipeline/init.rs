//! A first pipeline, made from the foreign keys that a snapshot declares.
//!
//! Every table from which foreign keys lead to the entity is written: nested in the rows that it refers to, or as a
//! relation. What foreign keys do not say (which columns link without one, and rows of which tables are wanted besides)
//! stands in comments. Equal catalogs give equal text.
//!
//! `graph` has the tables and their foreign keys, `chains` finds the ways, `plan` says what is written where, `write`
//! writes it; `hints` looks at names, `words` makes some, `text` is about lines of YAML.

mod chains;
mod graph;
mod hints;
mod plan;
mod text;
mod words;
mod write;

use chains::ways;
use graph::Graph;
use plan::Plan;

use crate::snapshot::{Catalog, TableName};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct InitOptions<'a> {
    /// The entity's table as the user names it: `customers`, or `app.customers`.
    pub(crate) entity: &'a str,
    /// What the manifest is to call an entity; by default it is made of the table's name.
    pub(crate) kind: Option<&'a str>,
    /// Follow ways also from tables whose every row has another one.
    pub(crate) every_way: bool,
}

/// Why there is no pipeline.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("the snapshot has no table {table}\n  {advice}")]
    NoTable { table: String, advice: String },
    #[error("{0} may mean several tables: {1}\n  rename one of them in the snapshot")]
    Ambiguous(String, String),
    #[error(
        "the rows of table {table} are those of table {of}, too\n  name the latter as the entity's table"
    )]
    Part { table: TableName, of: TableName },
    #[error(
        "nothing tells the rows of table {0} apart by one column: it has no primary key or unique constraint of a single column \
         whose values can be compared\n  write the pipeline by hand"
    )]
    NoKey(TableName),
}

impl InitError {
    fn no_table(catalog: &Catalog, name: &TableName) -> InitError {
        let lower = name.name.to_lowercase();
        let mut others: Vec<String> = catalog
            .tables()
            .filter(|table| table.name.name.to_lowercase() == lower)
            .map(|table| table.name.to_string())
            .collect();
        others.sort();
        InitError::NoTable {
            table: name.to_string(),
            advice: match others.is_empty() {
                true => "`relexport inspect` lists its tables".to_owned(),
                false => format!("it has {}", others.join(" and ")),
            },
        }
    }
}

/// The text of a first pipeline for the entities in a table.
///
/// # Errors
/// The catalog has no such table, or nothing tells its rows apart.
pub(crate) fn init(catalog: &Catalog, options: &InitOptions<'_>) -> Result<String, InitError> {
    let entity = named(catalog, options.entity)?;
    let graph = Graph::new(catalog, &entity)?;
    let ways = ways(&graph, options.every_way);
    let plan = Plan::new(&graph, ways);
    Ok(write::pipeline(&plan, options))
}

/// The table that a name means: of `public`, or with its schema before a dot.
fn named(catalog: &Catalog, name: &str) -> Result<TableName, InitError> {
    let public = TableName::public(name);
    let dots = name.match_indices('.');
    let split = dots.map(|(at, _)| TableName::new(&name[..at], &name[at + 1..]));
    let names = std::iter::once(public.clone()).chain(split);
    let found: Vec<TableName> = names.filter(|it| catalog.table(it).is_some()).collect();
    match &found[..] {
        [] => Err(InitError::no_table(catalog, &public)),
        [table] => Ok(table.clone()),
        _ => {
            let names: Vec<String> = found.iter().map(TableName::quoted).collect();
            Err(InitError::Ambiguous(name.to_owned(), names.join(" and ")))
        }
    }
}

#[cfg(test)]
mod tests;
