//! The directory: all entities of a snapshot, gathered while their tables go by, with their full paths and families.

mod family;
mod letter_case;
mod names;
mod own_path;
mod row;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::key::KeyForm;
use crate::pipeline::{Entity, EntityId};
use crate::snapshot::codec::copy_text;

use super::condition::ColumnTest;
use super::entities::{Choice, EntityError, EntityInfo};
use super::plan::{Plan, PlanTable};
use super::scan::RowPosition;
use own_path::OwnPath;
use row::ObservedRow;

pub(super) use letter_case::{LetterCase, letter_cases};
pub(super) use names::spellings;

/// By key, in the form that equal keys share.
type Map<V> = HashMap<EntityId, V, FixedState>;

struct Record {
    /// The key as the snapshot writes it, if that is another text.
    written: Option<Box<str>>,
    parent: Option<EntityId>,
    /// Root first, the entity itself last; empty where the snapshot does not say.
    ancestors: Box<[EntityId]>,
    name: Box<str>,
    segment: Box<str>,
}

/// All entities of a snapshot, gathered while their tables go by.
pub(super) struct Directory {
    entity: Entity,
    /// The key column of the entities' table.
    key: String,
    /// How keys compare. Columns that refer to entities are read alike.
    form: KeyForm,
    tests: Vec<ColumnTest>,
    path_tests: Vec<Vec<ColumnTest>>,
    records: Map<Record>,
    /// Keys of rows of the entity table that are no entities (a person's namespace); they have paths, too.
    others: HashSet<EntityId, FixedState>,
    own_paths: Vec<OwnPath>,
    /// By lookup table of current paths: full path of keys.
    paths: Vec<Map<Box<str>>>,
    /// By lookup table: former paths, every one that a key had; of current ones those that are not the only ones.
    more_paths: Vec<Vec<(EntityId, Box<str>)>>,
    /// Entities of which two rows say different things, with the reason why they cannot be chosen.
    doubtful: BTreeMap<EntityId, String>,
}

impl Directory {
    /// An empty one, for the rows that a plan has the columns of.
    pub(crate) fn new(entity: &Entity, plan: &Plan) -> Self {
        let key = plan.entity_key.as_ref();
        let path_tests = key.map(|key| key.path_tests.clone()).unwrap_or_default();
        Directory {
            form: key.map_or(KeyForm::Integer, |key| key.form),
            own_paths: OwnPath::all(entity, plan),
            entity: entity.clone(),
            key: key.map(|key| key.column.clone()).unwrap_or_default(),
            tests: key.map(|key| key.tests.clone()).unwrap_or_default(),
            path_tests,
            records: Map::default(),
            others: HashSet::default(),
            paths: entity.paths.iter().map(|_| Map::default()).collect(),
            more_paths: entity.paths.iter().map(|_| Vec::new()).collect(),
            doubtful: BTreeMap::new(),
        }
    }

    /// That of entities that are schemas, of which no rows are needed.
    pub(crate) fn of_schemas<'s>(
        entity: &Entity,
        schemas: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        let record = |schema: &'s str| Record {
            written: None,
            parent: None,
            ancestors: Box::default(),
            name: schema.into(),
            segment: schema.into(),
        };
        let schemas = schemas.into_iter();
        Directory {
            form: KeyForm::Text,
            entity: entity.clone(),
            key: String::new(),
            tests: Vec::new(),
            path_tests: Vec::new(),
            records: schemas
                .map(|schema| (EntityId::text(schema), record(schema)))
                .collect(),
            others: HashSet::default(),
            own_paths: Vec::new(),
            paths: Vec::new(),
            more_paths: Vec::new(),
            doubtful: BTreeMap::new(),
        }
    }

    /// Takes rows of one of the tables that the search for entities reads.
    ///
    /// # Errors
    /// Where a key is none of its type, or a text is not UTF-8.
    pub(crate) fn observe(
        &mut self,
        table: &PlanTable,
        rows: &[u8],
        places: &[RowPosition],
    ) -> Result<(), EntityError> {
        let mut fields = Vec::new();
        let mut at = 0;
        let mut places = places.iter();
        while at < rows.len() {
            let next = copy_text::next_row(rows, at, &mut fields);
            let row = ObservedRow {
                table,
                rows,
                fields: &fields,
                place: places.next().copied(),
            };
            if table.name == self.entity.table {
                self.observe_entity(&row)?;
            }
            for position in 0..self.entity.paths.len() {
                if table.name == self.entity.paths[position].table {
                    self.observe_path(position, &row)?;
                }
            }
            at = next;
        }
        Ok(())
    }

    fn observe_entity(&mut self, row: &ObservedRow<'_>) -> Result<(), EntityError> {
        let entity = &self.entity;
        let id = row.required(&self.key, self.form)?;
        for own in &mut self.own_paths {
            let Some(path) = row.text(&own.column)?.filter(|path| !path.is_empty()) else {
                continue;
            };
            let path: Box<str> = path.into();
            let other = own.values.insert(id.clone(), path.clone());
            if other.is_some_and(|other| other != path) {
                let (table, key, column) = (&row.table.name, &self.key, &own.column);
                let reason =
                    format!("table {table}: two rows have the same {key}, with different {column}");
                self.doubtful.insert(id.clone(), reason);
            }
        }
        if !row.passes(&self.tests) {
            self.others.insert(id);
            return Ok(());
        }
        let parent = match &entity.parent {
            Some(column) => row.key(column, self.form)?,
            None => None,
        };
        let text = |column: &Option<String>| -> Result<Box<str>, EntityError> {
            let text = column
                .as_ref()
                .map(|column| row.text(column))
                .transpose()?
                .flatten();
            Ok(text.unwrap_or_default().into())
        };
        let ancestors = match &entity.ancestors {
            Some(column) => row.keys(column, self.form)?,
            None => Box::default(),
        };
        let record = Record {
            written: row.written(&self.key, &id)?,
            parent,
            ancestors,
            name: text(&entity.name)?,
            segment: text(&entity.segment)?,
        };
        if let Some(other) = self.records.get(&id)
            && (&other.parent, &other.ancestors) != (&record.parent, &record.ancestors)
        {
            let (table, key) = (&row.table.name, &self.key);
            let reason = format!(
                "table {table}: two rows have the same {key}, and say different things of what is above them"
            );
            self.doubtful.insert(id.clone(), reason);
        }
        self.records.insert(id, record);
        Ok(())
    }

    fn observe_path(&mut self, position: usize, row: &ObservedRow<'_>) -> Result<(), EntityError> {
        let lookup = &self.entity.paths[position];
        let tests = self.path_tests.get(position).map(Vec::as_slice);
        if !row.passes(tests.unwrap_or_default()) {
            return Ok(());
        }
        let id = row.key(&lookup.key, self.form)?;
        if let (Some(id), Some(path)) = (id, row.text(&lookup.path)?) {
            match lookup.former {
                true => self.more_paths[position].push((id, path.into())),
                false => {
                    let path: Box<str> = path.into();
                    let other = self.paths[position].insert(id.clone(), path.clone());
                    if let Some(other) = other.filter(|other| *other != path) {
                        let (table, key) = (&row.table.name, &lookup.key);
                        let reason = format!(
                            "table {table}: two rows have the same {key}, with different paths"
                        );
                        self.doubtful.insert(id.clone(), reason);
                        self.more_paths[position].push((id, other));
                    }
                }
            }
        }
        Ok(())
    }

    /// The chosen entities, each once, in the order in which they were named, their descendants (by key) behind them.
    ///
    /// # Errors
    /// Where a name finds nothing, or something that is no entity.
    pub(crate) fn choose(&self, choice: &Choice) -> Result<Vec<EntityInfo>, EntityError> {
        let mut keys = Vec::new();
        let doubt = |reason: &String| EntityError::BadRow {
            reason: format!("{reason}\n  repair the table, and dump it again"),
        };
        match choice {
            Choice::All => keys.extend(self.records.keys().collect::<BTreeSet<_>>()),
            Choice::Named { names, descendants } => {
                for name in names {
                    let key = self.find(name)?;
                    keys.push(key);
                    if *descendants {
                        keys.extend(self.descendants(key));
                    }
                }
            }
        }
        let mut seen: BTreeSet<&EntityId> = BTreeSet::new();
        keys.retain(|key| seen.insert(*key));
        let by_family = matches!(
            choice,
            Choice::Named {
                descendants: true,
                ..
            }
        );
        // Who is below whom is not sure where anybody's rows say different things.
        let mut doubtful = self.doubtful.iter();
        if let Some((_, reason)) = doubtful.find(|(key, _)| by_family || seen.contains(*key)) {
            return Err(doubt(reason));
        }
        Ok(keys.into_iter().map(|key| self.info(key)).collect())
    }

    /// What is known of an entity.
    fn info(&self, id: &EntityId) -> EntityInfo {
        let record = self.records.get(id);
        EntityInfo {
            id: self.written(id),
            key: id.clone(),
            full_path: self.full_path(id),
            name: record
                .map(|record| record.name.to_string())
                .unwrap_or_default(),
            parent_id: record
                .and_then(|record| record.parent.as_ref())
                .map(|parent| self.written(parent)),
            root: self.root(id).clone(),
        }
    }

    /// A key as the snapshot writes it.
    fn written(&self, key: &EntityId) -> EntityId {
        let record = self.records.get(key);
        match record.and_then(|record| record.written.as_deref()) {
            Some(text) => EntityId::text(text),
            None => key.clone(),
        }
    }

    /// True if a column or table of current paths has said a path of the entity.
    fn has_path(&self, id: &EntityId) -> bool {
        let mut own = self.own_paths.iter();
        own.any(|own| own.values.contains_key(id))
            || self.paths.iter().any(|paths| paths.contains_key(id))
    }

    /// Keys that a path names, but whose rows have not been seen.
    pub(crate) fn strangers(&self) -> BTreeSet<EntityId> {
        let current = self.paths.iter().flat_map(|paths| paths.keys());
        let former = self.more_paths.iter().flatten().map(|(id, _)| id);
        let known = |id: &EntityId| self.records.contains_key(id) || self.others.contains(id);
        current
            .chain(former)
            .filter(|id| !known(id))
            .cloned()
            .collect()
    }

    /// Entities for which nothing has said a path.
    pub(crate) fn without_path(&self) -> BTreeSet<EntityId> {
        self.records
            .keys()
            .filter(|id| !self.has_path(id))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests;
