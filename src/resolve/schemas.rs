//! Entities that are schemas: which of them are chosen, the pipeline as it is for each, and which tables are read for them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::{EntityId, Pipeline, SchemaPattern};
use crate::snapshot::{Catalog, TableName};

use super::directory::{Directories, spellings};
use super::entities::{Choice, EntityInfo, KindChoice};
use super::error::ResolveError;
use super::name_pattern::NamePattern;
use super::plan::{Id, KindId, Laying, Plan, Selection, entity_tables, plan_all};
use super::start::lacks_nothing;

/// Lays the pipelines of a run over a catalog. If the entities of one are schemas, these are the chosen ones, and the plan is
/// made for no others. Returns the chosen schemas, of every kind that has some.
///
/// # Errors
/// If it cannot be planned, or a chosen schema is no entity.
pub(super) fn plan_chosen(
    kinds: &[KindChoice],
    selection: &Selection,
    catalog: &Catalog,
) -> Result<(Plan, ChosenSchemas), ResolveError> {
    let mut layings = Vec::new();
    for KindChoice { pipeline, choice } in kinds {
        let schemas = match pipeline.schemas_in(catalog) {
            None => None,
            Some(schemas) => {
                let directories = Directories::of_schemas(&pipeline.entity, schemas);
                let chosen = directories.choose(KindId::at(0), choice, &[])?;
                let names = chosen.keys.iter().filter_map(EntityId::as_text);
                Some(names.map(ToOwned::to_owned).collect())
            }
        };
        layings.push(Laying {
            pipeline,
            schemas,
            is_wanted: !choice.is_nobody(),
        });
    }
    let plan = plan_all(&layings, selection, catalog)?;
    let mut chosen = ChosenSchemas::new();
    for (kind, laying) in plan.kinds.ids().zip(&layings) {
        if let Some(schemas) = &laying.schemas {
            let sets = plan.kinds[kind].sets.clone();
            let infos = schemas.iter().zip(sets);
            let infos = infos.map(|(schema, set)| schema_info(schema, kind, set));
            chosen.insert(kind, infos.collect());
        }
    }
    Ok((plan, chosen))
}

/// The plan of a run over a catalog, for whoever asks which tables its relations are made of and reads no row. If it is to be
/// `strict`, nothing may be missing in the catalog.
///
/// # Errors
/// As [`resolve()`](super::resolve()), if the pipelines cannot be laid over the catalog.
pub fn outline(
    kinds: &[KindChoice],
    selection: &Selection,
    catalog: &Catalog,
    strict: bool,
) -> Result<Plan, ResolveError> {
    let (plan, _) = plan_chosen(kinds, selection, catalog)?;
    if strict {
        lacks_nothing(kinds, selection, catalog, &plan)?;
    }
    Ok(plan)
}

/// The chosen schemas of the kinds whose entities are schemas.
pub(super) type ChosenSchemas = BTreeMap<KindId, Vec<EntityInfo>>;

fn schema_info(schema: &str, kind: KindId, set: usize) -> EntityInfo {
    EntityInfo {
        id: EntityId::text(schema),
        key: EntityId::text(schema),
        full_path: schema.to_owned(),
        name: schema.to_owned(),
        parent_id: None,
        missing_parent: None,
        root: EntityId::text(schema),
        kind,
        set,
        shown: Vec::new(),
    }
}

/// The pipelines of a plan's sets, in their order: if the entities of one are schemas, as it is for each chosen one. None for
/// a set of a kind of which no relation is wanted.
pub fn pipelines_of<'p>(
    kinds: &'p [KindChoice],
    entities: &'p [EntityInfo],
) -> Vec<Option<Cow<'p, Pipeline>>> {
    let mut pipelines = Vec::new();
    for (position, KindChoice { pipeline, choice }) in kinds.iter().enumerate() {
        if pipeline.entity.schemas.is_none() {
            pipelines.push((!choice.is_nobody()).then_some(Cow::Borrowed(pipeline)));
            continue;
        }
        let own = entities.iter();
        let own = own.filter(|entity| entity.kind == KindId::at(position));
        let schemas = own.filter_map(|entity| entity.key.as_text());
        pipelines.extend(schemas.map(|schema| Some(Cow::Owned(pipeline.in_schema(schema)))));
    }
    pipelines
}

/// The tables that a run reads, as far as that is known before any catalog.
#[derive(Debug, Clone)]
pub struct WantedTables {
    of_kinds: Vec<WantedOfKind>,
}

/// The tables that are read for one kind.
#[derive(Debug, Clone)]
struct WantedOfKind {
    /// Without a schema if they are looked for in those of the entities.
    names: BTreeSet<TableName>,
    schemas: Option<SchemaPattern>,
    /// The chosen schemas, if they are named, and patterns of their names.
    named: Option<(Vec<String>, Vec<NamePattern>)>,
}

impl WantedTables {
    /// The tables that the selected relations of the pipelines, and the search for entities, read for the chosen entities.
    pub fn new(kinds: &[KindChoice], selection: &Selection) -> WantedTables {
        let of_kind = |KindChoice { pipeline, choice }: &KindChoice| WantedOfKind {
            names: match choice.is_nobody() {
                true => entity_tables(&pipeline.entity),
                false => selection.tables(pipeline),
            },
            schemas: pipeline.entity.schemas.clone(),
            named: match choice {
                Choice::All => None,
                Choice::Named { names, .. } | Choice::Within { names } => {
                    let patterns = names.iter().filter_map(|name| NamePattern::of(name));
                    Some((names.clone(), patterns.collect()))
                }
            },
        };
        WantedTables {
            of_kinds: kinds.iter().map(of_kind).collect(),
        }
    }

    /// And the tables that schemas must have to be entities.
    #[must_use]
    pub fn with_entities(mut self, kinds: &[KindChoice]) -> WantedTables {
        for (wanted, kind) in self.of_kinds.iter_mut().zip(kinds) {
            // Of rows it is wanted in any case.
            wanted.names.insert(kind.pipeline.entity.table.clone());
        }
        self
    }

    /// True if the table may be read.
    pub fn contains(&self, table: &TableName) -> bool {
        let mut kinds = self.of_kinds.iter();
        kinds.any(|kind| kind.contains(table))
    }

    /// True for a schema that may be one of the chosen entities of a kind, the first, second and so on of the run.
    pub fn is_chosen(&self, kind: usize, schema: &str) -> bool {
        let kind = self.of_kinds.get(kind);
        kind.is_some_and(|kind| kind.is_chosen(schema))
    }

    /// All of them; `None` where they are only known from a catalog.
    pub fn known(&self) -> Option<BTreeSet<TableName>> {
        let mut all = BTreeSet::new();
        for kind in &self.of_kinds {
            if kind.schemas.is_some() {
                return None;
            }
            all.extend(kind.names.iter().cloned());
        }
        Some(all)
    }

    /// Those that a catalog has.
    pub fn in_catalog(&self, catalog: &Catalog) -> Vec<TableName> {
        let names = catalog.tables().map(|table| &table.name);
        let mut names: Vec<TableName> = names.filter(|name| self.contains(name)).cloned().collect();
        names.sort();
        names
    }
}

impl WantedOfKind {
    fn contains(&self, table: &TableName) -> bool {
        self.names.contains(table)
            || self.is_chosen(&table.schema)
                && self.names.contains(&TableName::new("", &table.name))
    }

    fn is_chosen(&self, schema: &str) -> bool {
        let named = self.named.as_ref();
        let schemas = self.schemas.as_ref();
        schemas.is_some_and(|schemas| schemas.matches(schema))
            && named.is_none_or(|(names, patterns)| {
                let mut names = names.iter().flat_map(|name| spellings(name));
                names.any(|name| name == schema)
                    || patterns.iter().any(|pattern| pattern.matches(schema))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_chosen_schemas_are_wanted_and_those_that_all_share() {
        let pipeline = Pipeline::parse(
            "pipeline: crm\nentity: { kind: Tenant, schema: \"tenant_*\", table: users, prefix: \"{key}\" }\n\
             relations:\n  users: { table: users, nested: { plan: { one: public.plans, link: { id: plan_id } } } }\n",
            "crm.yml",
        )
        .unwrap();
        let selection = Selection::default();
        let named = Choice::Named {
            names: vec!["tenant_a".to_owned(), "other".to_owned()],
            descendants: false,
        };
        for (choice, schema, table, expected) in [
            (&Choice::All, "tenant_a", "users", true),
            (&Choice::All, "tenant_b", "users", true),
            (&Choice::All, "tenant_a", "logs", false),
            (&Choice::All, "other", "users", false),
            (&Choice::All, "public", "users", false),
            (&Choice::All, "public", "plans", true),
            (&Choice::All, "tenant_a", "plans", false),
            (&named, "tenant_a", "users", true),
            (&named, "tenant_b", "users", false),
            (&named, "other", "users", false),
            (&named, "public", "plans", true),
        ] {
            let kind = KindChoice {
                pipeline: pipeline.clone(),
                choice: choice.clone(),
            };
            let wanted = WantedTables::new(&[kind], &selection);
            let found = wanted.contains(&TableName::new(schema, table));
            assert_eq!(found, expected, "{choice:?} {schema}.{table}");
        }
    }
}
