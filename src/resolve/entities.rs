//! Finding the entities: by key or full path, with their root ancestors and descendants.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;

use crate::pipeline::{Condition, Entity, PathLookup, Test};
use crate::snapshot::codec::copy_text;

use super::plan::PlanTable;
use super::scan::{RowPlace, parse_integer};

/// Which entities to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    All,
    /// By key or full path, as the user wrote them.
    Named {
        names: Vec<String>,
        descendants: bool,
    },
}

impl Choice {
    /// The keys, where they are known before the snapshot is read. A name of digits is taken for one; it may turn out
    /// to be a path.
    pub fn keys(&self) -> Option<Vec<i64>> {
        match self {
            Choice::Named {
                names,
                descendants: false,
            } => names.iter().map(|name| name.parse().ok()).collect(),
            Choice::Named { .. } | Choice::All => None,
        }
    }
}

/// An entity that is exported, or listed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntityInfo {
    pub id: i64,
    pub full_path: String,
    pub name: String,
    pub parent_id: Option<i64>,
    #[serde(skip)]
    pub root: i64,
}

/// Why the wanted entities cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntityError {
    #[error("there is no {kind} {wanted} in the snapshot{hint}")]
    Unknown {
        kind: String,
        wanted: String,
        hint: String,
    },
    #[error(
        "{wanted} is not a {kind}: its row in {table} does not have {condition}\n  name a {kind} instead; `relexport groups` lists them"
    )]
    NotAnEntity {
        kind: String,
        wanted: String,
        table: String,
        condition: String,
    },
    #[error(
        "{wanted} is the path of {count} {kind}s, which only damage can bring about\n  name one by its id: {ids}"
    )]
    Ambiguous {
        kind: String,
        wanted: String,
        count: usize,
        ids: String,
    },
    #[error("{reason}")]
    BadRow { reason: String },
}

type Map<V> = HashMap<i64, V, FixedState>;

struct Record {
    parent: Option<i64>,
    /// Root first, the entity itself last; empty where the snapshot does not say.
    ancestors: Box<[i64]>,
    name: Box<str>,
    segment: Box<str>,
}

/// All entities of a snapshot, gathered while their tables go by.
pub struct Directory {
    entity: Entity,
    records: Map<Record>,
    /// Keys of rows of the entity table that are no entities (a person's namespace); they have paths, too.
    others: std::collections::HashSet<i64, FixedState>,
    /// By lookup table of current paths: full path of keys.
    paths: Vec<Map<Box<str>>>,
    /// By lookup table: former paths, every one that a key had; of current ones those that are not the only ones.
    more_paths: Vec<Vec<(i64, Box<str>)>>,
    /// Entities of which two rows say different things, with the reason why they cannot be chosen.
    doubtful: BTreeMap<i64, String>,
}

impl Directory {
    pub fn new(entity: &Entity) -> Self {
        Directory {
            entity: entity.clone(),
            records: Map::default(),
            others: Default::default(),
            paths: entity.paths.iter().map(|_| Map::default()).collect(),
            more_paths: entity.paths.iter().map(|_| Vec::new()).collect(),
            doubtful: BTreeMap::new(),
        }
    }

    /// Takes rows of one of the tables that the search for entities reads.
    ///
    /// # Errors
    /// Where a key is no integer or a text is not UTF-8.
    pub fn observe(
        &mut self,
        table: &PlanTable,
        rows: &[u8],
        places: &[RowPlace],
    ) -> Result<(), EntityError> {
        let mut fields = Vec::new();
        let mut at = 0;
        let mut places = places.iter();
        while at < rows.len() {
            let next = copy_text::next_row(rows, at, &mut fields);
            let row = Observed {
                table,
                rows,
                fields: &fields,
                place: places.next().copied(),
            };
            if table.name.name == self.entity.table {
                self.observe_entity(&row)?;
            }
            for position in 0..self.entity.paths.len() {
                if table.name.name == self.entity.paths[position].table {
                    self.observe_path(position, &row)?;
                }
            }
            at = next;
        }
        Ok(())
    }

    fn observe_entity(&mut self, row: &Observed<'_>) -> Result<(), EntityError> {
        let entity = &self.entity;
        let id = row.required(&entity.key)?;
        if !entity.filter.iter().all(|condition| row.passes(condition)) {
            self.others.insert(id);
            return Ok(());
        }
        let parent = match &entity.parent {
            Some(column) => row.integer(column)?,
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
            Some(column) => row.integers(column)?,
            None => Box::default(),
        };
        let record = Record {
            parent,
            ancestors,
            name: text(&entity.name)?,
            segment: text(&entity.segment)?,
        };
        if let Some(other) = self.records.get(&id)
            && (other.parent, &other.ancestors) != (record.parent, &record.ancestors)
        {
            let (table, key) = (&row.table.name, &entity.key);
            let reason = format!(
                "table {table}: two rows have the same {key}, and say different things of what is above them"
            );
            self.doubtful.insert(id, reason);
        }
        self.records.insert(id, record);
        Ok(())
    }

    fn observe_path(&mut self, position: usize, row: &Observed<'_>) -> Result<(), EntityError> {
        let lookup = &self.entity.paths[position];
        if !lookup.filter.iter().all(|condition| row.passes(condition)) {
            return Ok(());
        }
        if let (Some(id), Some(path)) = (row.integer(&lookup.key)?, row.text(&lookup.path)?) {
            match lookup.former {
                true => self.more_paths[position].push((id, path.into())),
                false => {
                    let path: Box<str> = path.into();
                    let other = self.paths[position].insert(id, path.clone());
                    if let Some(other) = other.filter(|other| *other != path) {
                        let (table, key) = (&row.table.name, &lookup.key);
                        let reason = format!(
                            "table {table}: two rows have the same {key}, with different paths"
                        );
                        self.doubtful.insert(id, reason);
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
    pub fn choose(&self, choice: &Choice) -> Result<Vec<EntityInfo>, EntityError> {
        let mut keys = Vec::new();
        let doubt = |reason: &String| EntityError::BadRow {
            reason: format!("{reason}\n  repair the table, and dump it again"),
        };
        match choice {
            Choice::All => keys.extend(self.records.keys().copied().collect::<BTreeSet<_>>()),
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
        let mut seen = BTreeSet::new();
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
        if let Some((_, reason)) = doubtful.find(|(key, _)| by_family || seen.contains(key)) {
            return Err(doubt(reason));
        }
        Ok(keys.into_iter().map(|key| self.info(key)).collect())
    }

    /// What is known of an entity.
    fn info(&self, id: i64) -> EntityInfo {
        let record = self.records.get(&id);
        EntityInfo {
            id,
            full_path: self.full_path(id),
            name: record
                .map(|record| record.name.to_string())
                .unwrap_or_default(),
            parent_id: record.and_then(|record| record.parent),
            root: self.root(id),
        }
    }

    /// The key of the entity of this name.
    ///
    /// # Errors
    /// Where there is none, or something that is no entity.
    pub fn find(&self, wanted: &str) -> Result<i64, EntityError> {
        let wanted = wanted.trim_matches('/');
        if let Ok(id) = wanted.parse::<i64>()
            && self.records.contains_key(&id)
        {
            return Ok(id);
        }
        // A number that is no entity's key may be a path.
        let mut other = wanted
            .parse()
            .is_ok_and(|id: i64| self.others.contains(&id));
        for (position, lookup) in self.entity.paths.iter().enumerate() {
            for fold in folds(lookup) {
                let is_wanted = |path: &str| match fold {
                    true => same_ignoring_case(path, wanted),
                    false => path == wanted,
                };
                let current = self.paths[position].iter();
                let current = current.map(|(id, path)| (*id, path));
                let former = self.more_paths[position]
                    .iter()
                    .map(|(id, path)| (*id, path));
                let mut ids: Vec<i64> = current
                    .chain(former)
                    .filter(|(_, path)| is_wanted(path))
                    .map(|(id, _)| id)
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                other |= ids.iter().any(|id| self.others.contains(id));
                ids.retain(|id| self.records.contains_key(id));
                if let Some(id) = self.only(wanted, &ids)? {
                    return Ok(id);
                }
            }
        }
        // Entities without a path of their own are found by their ancestors' parts.
        let mut by_parts: Vec<i64> = self
            .records
            .keys()
            .copied()
            .filter(|id| self.full_path(*id) == wanted)
            .collect();
        by_parts.sort_unstable();
        match self.only(wanted, &by_parts)? {
            Some(id) => Ok(id),
            None if other => Err(self.not_an_entity(wanted)),
            None => Err(self.unknown(wanted)),
        }
    }

    /// The one of these entities, if there is one.
    ///
    /// # Errors
    /// Where there are several: one of them would be another's.
    fn only(&self, wanted: &str, ids: &[i64]) -> Result<Option<i64>, EntityError> {
        match ids {
            [] => Ok(None),
            [id] => Ok(Some(*id)),
            several => Err(EntityError::Ambiguous {
                kind: self.entity.kind.clone(),
                wanted: wanted.to_owned(),
                count: several.len(),
                ids: several
                    .iter()
                    .map(i64::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    fn unknown(&self, wanted: &str) -> EntityError {
        EntityError::Unknown {
            kind: self.entity.kind.clone(),
            wanted: wanted.to_owned(),
            hint: self.hint(wanted),
        }
    }

    fn not_an_entity(&self, wanted: &str) -> EntityError {
        let condition = self
            .entity
            .filter
            .first()
            .map(|condition| format!("the right {}", condition.column));
        EntityError::NotAnEntity {
            kind: self.entity.kind.clone(),
            wanted: wanted.to_owned(),
            table: self.entity.table.clone(),
            condition: condition.unwrap_or_default(),
        }
    }

    /// The full paths that look most like the wanted one.
    fn hint(&self, wanted: &str) -> String {
        let mut near: Vec<(usize, String)> = self
            .records
            .keys()
            .map(|id| self.full_path(*id))
            .map(|path| (distance(wanted, &path), path))
            .collect();
        near.sort();
        near.truncate(3);
        if near.is_empty() {
            return "; it holds none at all".to_owned();
        }
        let names: Vec<String> = near.into_iter().map(|(_, path)| path).collect();
        format!("\n  the nearest paths are: {}", names.join(", "))
    }

    /// The full path: what the first lookup that knows the entity says, else its ancestors' parts joined by `/`.
    pub fn full_path(&self, id: i64) -> String {
        let current = self
            .entity
            .paths
            .iter()
            .zip(&self.paths)
            .filter(|(lookup, _)| !lookup.former);
        for (_, paths) in current {
            if let Some(path) = paths.get(&id) {
                return path.to_string();
            }
        }
        let mut parts: Vec<&str> = Vec::new();
        self.walk_up(id, |_, record| parts.push(&record.segment));
        parts.reverse();
        let path = parts.join("/");
        if path.is_empty() {
            id.to_string()
        } else {
            path
        }
    }

    fn root(&self, id: i64) -> i64 {
        if let Some(root) = self
            .records
            .get(&id)
            .and_then(|record| record.ancestors.first())
        {
            return *root;
        }
        let mut root = id;
        self.walk_up(id, |id, _| root = id);
        root
    }

    fn descendants(&self, of: i64) -> BTreeSet<i64> {
        let is_below = |id: i64, record: &Record| {
            if record.ancestors.is_empty() {
                let mut below = false;
                self.walk_up(id, |ancestor, _| below |= ancestor == of);
                below
            } else {
                record.ancestors.contains(&of)
            }
        };
        self.records
            .iter()
            .filter(|(id, record)| **id != of && is_below(**id, record))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Keys that a path names, but whose rows have not been seen.
    pub fn strangers(&self) -> BTreeSet<i64> {
        let current = self.paths.iter().flat_map(|paths| paths.keys());
        let former = self.more_paths.iter().flatten().map(|(id, _)| id);
        let known = |id: &i64| self.records.contains_key(id) || self.others.contains(id);
        current
            .chain(former)
            .copied()
            .filter(|id| !known(id))
            .collect()
    }

    /// Entities for which no table of current paths has said a path.
    pub fn without_path(&self) -> BTreeSet<i64> {
        let has_path = |id: &i64| self.paths.iter().any(|paths| paths.contains_key(id));
        self.records
            .keys()
            .copied()
            .filter(|id| !has_path(id))
            .collect()
    }

    /// Entities right below these.
    pub fn below(&self, parents: &BTreeSet<i64>) -> BTreeSet<i64> {
        self.records
            .iter()
            .filter(|(_, record)| {
                record
                    .parent
                    .is_some_and(|parent| parents.contains(&parent))
            })
            .map(|(id, _)| *id)
            .collect()
    }

    /// The nearest ancestors that have not been seen, of entities whose path or root has to be found by walking up.
    pub fn missing_above(&self) -> BTreeSet<i64> {
        let has_path = |id: &i64| self.paths.iter().any(|paths| paths.contains_key(id));
        let walks = |id: &i64, record: &Record| record.ancestors.is_empty() || !has_path(id);
        let mut missing = BTreeSet::new();
        for (id, _) in self.records.iter().filter(|(id, record)| walks(id, record)) {
            let mut top = None;
            self.walk_up(*id, |_, record| top = record.parent);
            missing.extend(top.filter(|top| !self.records.contains_key(top)));
        }
        missing.retain(|id| !self.others.contains(id));
        missing
    }

    /// Visits an entity and its ancestors, nearest first.
    fn walk_up<'a>(&'a self, id: i64, mut visit: impl FnMut(i64, &'a Record)) {
        let mut current = Some(id);
        // A hostile snapshot may have parents in a circle.
        let mut seen = BTreeSet::new();
        while let Some(id) = current.filter(|id| seen.insert(*id)) {
            let Some(record) = self.records.get(&id) else {
                return;
            };
            visit(id, record);
            current = record.parent;
        }
    }
}

/// A row of a table that the directory reads.
struct Observed<'a> {
    table: &'a PlanTable,
    rows: &'a [u8],
    fields: &'a [std::ops::Range<usize>],
    place: Option<RowPlace>,
}

impl<'a> Observed<'a> {
    /// The field of a column, `None` where the table lacks the column or the value is NULL.
    fn field(&self, column: &str) -> Option<&'a [u8]> {
        let range = self.fields.get(self.table.column(column)?)?;
        Some(&self.rows[range.clone()]).filter(|field| *field != b"\\N")
    }

    fn passes(&self, condition: &Condition) -> bool {
        match (&condition.test, self.field(&condition.column)) {
            (Test::Null, field) => field.is_none(),
            (_, None) => false,
            (Test::NotNull, Some(_)) => true,
            (Test::In(texts), Some(field)) => texts.iter().any(|text| text.as_bytes() == field),
            (Test::Above(bound), Some(field)) => {
                parse_integer(field).is_some_and(|value| value > *bound)
            }
            (Test::Below(bound), Some(field)) => {
                parse_integer(field).is_some_and(|value| value < *bound)
            }
        }
    }

    fn bad(&self, column: &str, what: &str) -> EntityError {
        let place = self.place.map(|place| {
            let RowPlace { row, offset } = place;
            format!(", row {row} (byte {offset})")
        });
        EntityError::BadRow {
            reason: format!(
                "table {}{}: its {column} is {what}, so that it is not sure which ones there are\n  copy or dump it again",
                self.table.name,
                place.unwrap_or_default()
            ),
        }
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, EntityError> {
        match self.field(column) {
            None => Ok(None),
            Some(field) => Ok(Some(
                parse_integer(field).ok_or_else(|| self.bad(column, "no integer"))?,
            )),
        }
    }

    fn required(&self, column: &str) -> Result<i64, EntityError> {
        self.integer(column)?
            .ok_or_else(|| self.bad(column, "NULL"))
    }

    fn text(&self, column: &str) -> Result<Option<String>, EntityError> {
        let Some(field) = self.field(column) else {
            return Ok(None);
        };
        let mut decoded = Vec::new();
        copy_text::decode(field, &mut decoded).map_err(|_| self.bad(column, "not COPY text"))?;
        String::from_utf8(decoded)
            .map(Some)
            .map_err(|_| self.bad(column, "not UTF-8"))
    }

    /// An array of integers.
    fn integers(&self, column: &str) -> Result<Box<[i64]>, EntityError> {
        let Some(field) = self.field(column) else {
            return Ok(Box::default());
        };
        let bad = || self.bad(column, "no array of integers");
        let inner = field
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_suffix(b"}"))
            .ok_or_else(bad)?;
        if inner.is_empty() {
            return Ok(Box::default());
        }
        inner
            .split(|byte| *byte == b',')
            .map(|item| parse_integer(item).ok_or_else(bad))
            .collect()
    }
}

/// Whether the case of letters counts, in the order in which a lookup table is tried.
pub fn folds(lookup: &PathLookup) -> &'static [bool] {
    match lookup.former {
        true => &[true],
        false => &[false, true],
    }
}

fn same_ignoring_case(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

/// Edit distance of two paths, capped by their lengths: small where one was mistyped.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(255).collect(), b.chars().take(255).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let change = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
