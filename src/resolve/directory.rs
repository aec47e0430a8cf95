//! The directory: all entities of a snapshot, gathered while their tables go by, with their full paths and families.

mod directories;
mod family;
mod letter_case;
mod names;
mod own_path;
mod row;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use foldhash::fast::FixedState;

use crate::key::KeyForm;
use crate::pipeline::{Entity, EntityId};
use crate::snapshot::TableName;
use crate::snapshot::codec::copy_text;

use super::condition::ColumnTest;
use super::entities::EntityError;
use super::plan::{EntityKey, Plan, PlanTable, PlanWithin};
use super::scan::RowPosition;
use family::Top;
use own_path::OwnPath;
use row::ObservedRow;

pub(super) use directories::{Chosen, Directories, Entities};
pub(super) use letter_case::{LetterCase, letter_cases};
pub(super) use names::spellings;

/// By key, in the form that equal keys share.
type Map<V> = HashMap<EntityId, V, FixedState>;

/// What is known of an entity. There may be a million, so what most do not have lies apart.
struct Record {
    parent: Option<EntityId>,
    /// Root first, the entity itself last; empty where the snapshot does not say.
    ancestors: Box<[EntityId]>,
    name: Box<str>,
    segment: Box<str>,
    more: Option<Box<More>>,
}

/// What is known of few entities.
#[derive(Default, PartialEq)]
struct More {
    /// The key as the snapshot writes it, if that is another text.
    written: Option<Box<str>>,
    /// The key of the row of the other kind's table that it lies within.
    within: Option<EntityId>,
    /// It is taken only if it is named.
    is_left_out: bool,
    /// The values of the columns that lists show.
    shown: Box<[Option<Box<str>>]>,
}

impl Record {
    /// The key of what it lies within.
    fn within(&self) -> Option<&EntityId> {
        self.more.as_ref()?.within.as_ref()
    }

    /// The values of the columns that lists show.
    fn shown(&self) -> impl Iterator<Item = Option<&str>> {
        let more = self.more.as_ref();
        let shown = more.map(|more| more.shown.iter()).into_iter().flatten();
        shown.map(Option::as_deref)
    }
}

/// A row of the entities' table that is none: its part of the full path, and the key of the row above.
struct OtherRow {
    segment: Box<str>,
    parent: Option<EntityId>,
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
    records: Map<Box<Record>>,
    /// Keys of rows of the entity table that are no entities (a person's namespace); they have paths, too.
    others: HashSet<EntityId, FixedState>,
    /// What their paths are made of, if entities of another kind may lie within them.
    other_rows: Option<Map<OtherRow>>,
    within: Option<PlanWithin>,
    leave_out: Vec<ColumnTest>,
    /// The columns that lists show, if this is for one.
    shown: Vec<String>,
    own_paths: Vec<OwnPath>,
    /// By lookup table of current paths: full path of keys.
    paths: Vec<Map<Box<str>>>,
    /// By lookup table: former paths, every one that a key had; of current ones those that are not the only ones.
    more_paths: Vec<Vec<(EntityId, Box<str>)>>,
    /// Who the topmost one above every entity is, once somebody lies deep enough to ask. Anew when rows have come.
    tops: OnceLock<Map<Top>>,
    /// Entities of which two rows say different things, with the reason why they cannot be chosen.
    doubtful: BTreeMap<EntityId, String>,
}

impl Directory {
    /// An empty one, for the rows that a plan has the columns of.
    fn new(entity: &Entity, plan: &Plan, key: &EntityKey) -> Self {
        Directory {
            form: key.form,
            own_paths: OwnPath::all(entity, plan),
            entity: entity.clone(),
            key: key.column.clone(),
            tests: key.tests.clone(),
            path_tests: key.path_tests.clone(),
            records: Map::default(),
            others: HashSet::default(),
            other_rows: None,
            within: key.within.clone(),
            leave_out: key.leave_out.clone(),
            shown: Vec::new(),
            paths: entity.paths.iter().map(|_| Map::default()).collect(),
            more_paths: entity.paths.iter().map(|_| Vec::new()).collect(),
            tops: OnceLock::new(),
            doubtful: BTreeMap::new(),
        }
    }

    /// That of entities that are schemas, of which no rows are needed.
    fn of_schemas<'s>(entity: &Entity, schemas: impl IntoIterator<Item = &'s str>) -> Self {
        let record = |schema: &'s str| {
            Box::new(Record {
                parent: None,
                ancestors: Box::default(),
                name: schema.into(),
                segment: schema.into(),
                more: None,
            })
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
            other_rows: None,
            within: None,
            leave_out: Vec::new(),
            shown: Vec::new(),
            own_paths: Vec::new(),
            paths: Vec::new(),
            more_paths: Vec::new(),
            tops: OnceLock::new(),
            doubtful: BTreeMap::new(),
        }
    }

    /// Takes rows of one of the tables that the search for entities reads.
    ///
    /// # Errors
    /// Where a key is none of its type, or a text is not UTF-8.
    fn observe(
        &mut self,
        table: &PlanTable,
        rows: &[u8],
        places: &[RowPosition],
    ) -> Result<(), EntityError> {
        self.tops = OnceLock::new();
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
        let Some(id) = row.key(&self.key, self.form)? else {
            return match row.passes(&self.tests)? {
                true => Err(row.without_key(&self.key)),
                // It is none, and nobody can name it as what is above or around somebody.
                false => Ok(()),
            };
        };
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
        let parent = |form: KeyForm| match &entity.parent {
            Some(column) => row.key(column, form),
            None => Ok(None),
        };
        let text = |column: &Option<String>| -> Result<Box<str>, EntityError> {
            let text = column
                .as_ref()
                .map(|column| row.text(column))
                .transpose()?
                .flatten();
            Ok(text.unwrap_or_default().into())
        };
        if !row.passes(&self.tests)? {
            if let Some(rows) = &mut self.other_rows {
                let other = OtherRow {
                    segment: text(&entity.segment)?,
                    parent: parent(self.form)?,
                };
                rows.insert(id.clone(), other);
            }
            self.others.insert(id);
            return Ok(());
        }
        let parent = parent(self.form)?;
        let within = match &self.within {
            Some(within) => row.key(&within.column, within.form)?,
            None => None,
        };
        let shown = self.shown.iter().map(|column| {
            let text = row.text(column)?;
            Ok(text.map(String::into_boxed_str))
        });
        let ancestors = match &entity.ancestors {
            Some(column) => row.keys(column, self.form)?,
            None => Box::default(),
        };
        let more = More {
            written: row.written(&self.key, &id)?,
            within,
            is_left_out: !self.leave_out.is_empty() && row.passes(&self.leave_out)?,
            shown: shown.collect::<Result<_, EntityError>>()?,
        };
        let record = Box::new(Record {
            parent,
            ancestors,
            name: text(&entity.name)?,
            segment: text(&entity.segment)?,
            more: (more != More::default()).then(|| Box::new(more)),
        });
        if let Some(other) = self.records.get(&id)
            && (&other.parent, &other.ancestors, other.within())
                != (&record.parent, &record.ancestors, record.within())
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
        if !row.passes(tests.unwrap_or_default())? {
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

    /// The table of the entities.
    pub(crate) fn table(&self) -> &TableName {
        &self.entity.table
    }

    /// True for an entity that is taken only if it is named.
    fn is_left_out(&self, id: &EntityId) -> bool {
        let record = self.records.get(id);
        let more = record.and_then(|record| record.more.as_ref());
        more.is_some_and(|more| more.is_left_out)
    }

    /// The entities that lie within these, by key.
    fn within(&self, outer: &HashSet<&EntityId, FixedState>) -> BTreeSet<&EntityId> {
        let is_within = |record: &Record| {
            let within = record.within();
            within.is_some_and(|within| outer.contains(within))
        };
        let records = self.records.iter();
        records
            .filter(|(_, record)| is_within(record))
            .map(|(id, _)| id)
            .collect()
    }

    /// True if the entities' table has a row of this key, entity or not.
    fn is_there(&self, key: &EntityId) -> bool {
        self.records.contains_key(key) || self.others.contains(key)
    }

    /// A key as the snapshot writes it.
    pub(crate) fn written(&self, key: &EntityId) -> EntityId {
        let record = self.records.get(key);
        let more = record.and_then(|record| record.more.as_ref());
        match more.and_then(|more| more.written.as_deref()) {
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
