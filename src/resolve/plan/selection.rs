//! What of a pipeline is wanted, and the tables that are read for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::pipeline::{Edition, Entity, Form, Node, Pipeline, Relation, Source};
use crate::resolve::keys::Key;
use crate::snapshot::TableName;

/// Which relations of a pipeline are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Relations {
    #[default]
    All,
    /// Only those of these names, in every pipeline of the run, or in one, whose name then stands before a dot; of no name,
    /// none at all.
    Only(Vec<String>),
}

impl Relations {
    /// True if a relation of a pipeline is wanted.
    pub fn contains(&self, pipeline: &str, relation: &str) -> bool {
        match self {
            Relations::All => true,
            Relations::Only(names) => names.iter().any(|name| is_named(name, pipeline, relation)),
        }
    }
}

/// True if a name, `relation` or `pipeline.relation`, means this relation of this pipeline. Neither name has a dot in it.
pub fn is_named(name: &str, pipeline: &str, relation: &str) -> bool {
    match name.split_once('.') {
        None => name == relation,
        Some((of, name)) => of == pipeline && name == relation,
    }
}

/// What of a pipeline is wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub relations: Relations,
    pub edition: Edition,
    /// The snapshot holds files, and they are wanted. Without them relations of files have no rows.
    pub files: bool,
    /// What becomes of relations that are collected from the records of others.
    pub collected: CollectedRelations,
}

/// What becomes of relations that are collected from the records of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum CollectedRelations {
    /// They are made of the rows that the records refer to.
    #[default]
    Made,
    /// They are made elsewhere: none of their rows is looked for.
    Elsewhere,
    /// They are made of the rows of these keys, by pipeline and relation: the records that refer to them are elsewhere.
    Given(Arc<GivenKeys>),
}

/// Keys of collected relations, by pipeline and relation.
pub type GivenKeys = BTreeMap<(String, String), Vec<Key>>;

impl Selection {
    /// The relations of a pipeline that are wanted, in the pipeline's order.
    pub fn relations<'p>(&self, pipeline: &'p Pipeline) -> Vec<&'p Relation> {
        pipeline
            .relations
            .iter()
            .filter(|relation| !relation.ee || self.edition == Edition::Ee)
            .filter(|relation| self.relations.contains(&pipeline.name, &relation.name))
            .collect()
    }

    /// The names of all tables that the wanted relations and the search for entities read.
    pub fn tables(&self, pipeline: &Pipeline) -> BTreeSet<TableName> {
        let mut names = entity_tables(&pipeline.entity);
        for relation in self.relations(pipeline) {
            let tables = self.relation_tables(relation);
            names.extend(
                tables
                    .iter()
                    .flat_map(|table| pipeline.names_of(table))
                    .cloned(),
            );
        }
        names
    }

    /// The names of all tables that a relation reads.
    pub(super) fn relation_tables(&self, relation: &Relation) -> BTreeSet<TableName> {
        let mut names = BTreeSet::new();
        if !self.is_of_rows(relation) {
            return names;
        }
        match &relation.source {
            Source::Rows(node) => self.node_tables(node, &mut names),
            Source::Maxima(maxima) => {
                for maximum in maxima {
                    names.insert(maximum.table.clone());
                    names.extend(maximum.via.iter().map(|via| via.table.clone()));
                }
            }
            Source::Collected(collected) => self.node_tables(&collected.node, &mut names),
        }
        names
    }

    fn node_tables(&self, node: &Node, names: &mut BTreeSet<TableName>) {
        names.insert(node.table.clone());
        names.extend(node.via.iter().map(|via| via.table.clone()));
        for computed in &node.computed {
            names.extend(computed.value.lookups().into_iter().cloned());
        }
        for nested in node.nested.iter().filter(|nested| self.takes(nested.ee)) {
            self.node_tables(nested, names);
        }
    }

    /// False for a relation of files that are not there, or not wanted.
    pub(super) fn is_of_rows(&self, relation: &Relation) -> bool {
        self.files || !matches!(relation.form, Form::Archive(_))
    }

    pub(super) fn takes(&self, ee: bool) -> bool {
        !ee || self.edition == Edition::Ee
    }
}

/// The tables that are read to find entities and their full paths; none if the entities are schemas.
pub fn entity_tables(entity: &Entity) -> BTreeSet<TableName> {
    if entity.schemas.is_some() {
        return BTreeSet::new();
    }
    entity
        .paths
        .iter()
        .map(|lookup| lookup.table.clone())
        .chain([entity.table.clone()])
        .collect()
}
