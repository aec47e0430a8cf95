//! Databases with a schema for each tenant: which schemas are entities, and a pipeline as it is for one of them.

use std::collections::BTreeSet;

use crate::snapshot::{Catalog, TableName};

use super::model::{Collected, ComputedValue, Node, Pipeline, Source, Via};

/// Names of schemas: a text with at most one `*`, which stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaPattern {
    before: String,
    /// What comes behind the `*`, if there is one.
    after: Option<String>,
}

impl SchemaPattern {
    /// Reads a pattern; `None` if it is empty or has several `*`.
    pub fn parse(text: &str) -> Option<SchemaPattern> {
        let (before, after) = match text.split_once('*') {
            Some((_, after)) if after.contains('*') => return None,
            Some((before, after)) => (before, Some(after.to_owned())),
            None if text.is_empty() => return None,
            None => (text, None),
        };
        Some(SchemaPattern {
            before: before.to_owned(),
            after,
        })
    }

    /// True for a schema of such a name. PostgreSQL's own schemas are never meant.
    pub fn matches(&self, schema: &str) -> bool {
        if schema.starts_with("pg_") || schema == "information_schema" {
            return false;
        }
        match &self.after {
            None => schema == self.before,
            Some(after) => schema
                .strip_prefix(self.before.as_str())
                .is_some_and(|rest| rest.ends_with(after.as_str())),
        }
    }
}

impl Pipeline {
    /// The schemas of a catalog that are entities: those of such a name that have the entity's table. `None` if entities are
    /// rows.
    pub fn schemas_in<'c>(&self, catalog: &'c Catalog) -> Option<BTreeSet<&'c str>> {
        let schemas = self.entity.schemas.as_ref()?;
        let names = catalog.tables().map(|table| &table.name);
        let of_entities = names
            .filter(|name| name.name == self.entity.table.name && schemas.matches(&name.schema));
        Some(of_entities.map(|name| name.schema.as_str()).collect())
    }

    /// True if a catalog has the table of the entities, by one of its names; of schemas, if one of them is an entity.
    pub fn has_entities(&self, catalog: &Catalog) -> bool {
        match self.schemas_in(catalog) {
            Some(schemas) => !schemas.is_empty(),
            None => {
                let mut names = self.names_of(&self.entity.table);
                names.any(|name| catalog.table(name).is_some())
            }
        }
    }

    /// The pipeline for the tenant whose schema this is: tables that name no schema are looked for there.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Pipeline {
        let mut pipeline = self.clone();
        let place = |table: &mut TableName| {
            if table.schema.is_empty() {
                schema.clone_into(&mut table.schema);
            }
        };
        place(&mut pipeline.entity.table);
        let tables = std::mem::take(&mut pipeline.tables).into_iter();
        pipeline.tables = tables
            .map(|(mut table, mut rules)| {
                place(&mut table);
                rules.formerly.iter_mut().for_each(place);
                (table, rules)
            })
            .collect();
        for relation in &mut pipeline.relations {
            match &mut relation.source {
                Source::Rows(node) => place_node(node, &place),
                Source::Maxima(maxima) => {
                    for maximum in maxima {
                        place(&mut maximum.table);
                        place_via(&mut maximum.via, &place);
                    }
                }
                Source::Collected(Collected {
                    except_tables,
                    node,
                    ..
                }) => {
                    except_tables.iter_mut().for_each(&place);
                    place_node(node, &place);
                }
            }
        }
        pipeline
    }
}

fn place_node(node: &mut Node, place: &impl Fn(&mut TableName)) {
    place(&mut node.table);
    place_via(&mut node.via, place);
    for computed in &mut node.computed {
        place_computed(&mut computed.value, place);
    }
    for nested in &mut node.nested {
        place_node(nested, place);
    }
}

fn place_computed(value: &mut ComputedValue, place: &impl Fn(&mut TableName)) {
    match value {
        ComputedValue::Lookup { table, .. } => place(table),
        ComputedValue::First(values) => {
            for value in values {
                place_computed(value, place);
            }
        }
        ComputedValue::Column(_)
        | ComputedValue::Constant(_)
        | ComputedValue::Names { .. }
        | ComputedValue::TextColor { .. }
        | ComputedValue::Ruled { .. }
        | ComputedValue::Of(_) => {}
    }
}

fn place_via(via: &mut [Via], place: &impl Fn(&mut TableName)) {
    for step in via {
        place(&mut step.table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_which_schemas_are_tenants() {
        let matches = |pattern: &str, schema: &str| {
            SchemaPattern::parse(pattern).is_some_and(|pattern| pattern.matches(schema))
        };
        for (pattern, schema, expected) in [
            ("tenant_*", "tenant_7", true),
            ("tenant_*", "tenant_", true),
            ("tenant_*", "public", false),
            ("*_app", "acme_app", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*", "acme", true),
            ("*", "pg_catalog", false),
            ("*", "information_schema", false),
            ("acme", "acme", true),
            ("acme", "acme2", false),
            ("a*b*c", "abc", false),
            ("", "", false),
        ] {
            assert_eq!(matches(pattern, schema), expected, "{pattern} {schema}");
        }
    }
}
