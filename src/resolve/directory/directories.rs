//! The directories of a run's kinds: entities of one kind may lie within those of another, which then give them a part of
//! their paths, and say which of them are chosen.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::FixedState;

use crate::pipeline::{Entity, EntityId};
use crate::resolve::entities::{Choice, EntityError, EntityInfo, KindEntities, Remarks};
use crate::resolve::name_pattern::NamePattern;
use crate::resolve::plan::{IdVec, KindId, Plan, PlanTable};
use crate::resolve::scan::RowPosition;

use super::family::Family;
use super::{Directory, Map};

/// A directory for each kind of a run. Kinds stand behind those that theirs lie within.
pub(in crate::resolve) struct Directories {
    kinds: IdVec<KindId, Directory>,
}

/// Which entities of a kind are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::resolve) struct Chosen {
    /// Their keys, each once: in the order in which they were named, those of a pattern by path, with the descendants of each
    /// behind it; then those that follow from others, by key.
    pub keys: Vec<EntityId>,
    /// Those that are not taken because nobody named them, as the snapshot writes their keys.
    pub left_out: Vec<EntityId>,
    /// Those among the chosen that are taken only because they were named, as the snapshot writes their keys.
    pub only_named: Vec<EntityId>,
    /// Those among the chosen that lie below a named one by what some of their columns say, and not by others, as the
    /// snapshot writes their keys; in order.
    pub disputed: Vec<EntityId>,
}

/// The entities of a run, those of one kind behind those of the other.
#[derive(Debug, Default)]
pub(in crate::resolve) struct Entities {
    pub infos: Vec<EntityInfo>,
    pub remarks: Remarks,
}

impl Entities {
    /// Adds the chosen ones of a kind. `set` is the position of its relations' set.
    pub(crate) fn add(
        &mut self,
        directories: &Directories,
        kind: KindId,
        chosen: &Chosen,
        set: usize,
    ) {
        let keys = chosen.keys.iter();
        let infos = keys.map(|key| directories.info(kind, key, set));
        self.infos.extend(infos);
        let directory = directories.of(kind);
        let is_deep = |key: &&EntityId| {
            directory.stated_path(key).is_none() && directory.parts(key).is_none()
        };
        let deep = chosen.keys.iter().filter(is_deep).count();
        if deep > 0 {
            tracing::warn!(
                "{deep} of kind {} lie so deep below others that their paths would be too long: their keys stand for them",
                directory.entity.kind
            );
        }
        for (ids, list) in [
            (&chosen.left_out, &mut self.remarks.left_out),
            (&chosen.only_named, &mut self.remarks.only_named),
            (&chosen.disputed, &mut self.remarks.disputed),
        ] {
            if !ids.is_empty() {
                let ids = ids.clone();
                list.push(KindEntities { kind, ids });
            }
        }
    }
}

impl Directories {
    /// Empty ones, for the rows that a plan has the columns of. `is_list` says that the entities are to be shown.
    pub(crate) fn new<'e>(
        entities: impl IntoIterator<Item = &'e Entity>,
        plan: &Plan,
        is_list: bool,
    ) -> Self {
        let mut directories = Directories {
            kinds: IdVec::new(),
        };
        for (entity, kind) in entities.into_iter().zip(&plan.kinds) {
            let mut directory = match &kind.key {
                Some(key) => Directory::new(entity, plan, key),
                // Of schemas no rows are needed.
                None => Directory::of_schemas(entity, []),
            };
            if is_list {
                directory.shown.clone_from(&entity.shown);
                // They can be named, so a list has them.
                directory.leave_out.clear();
            }
            if let Some(within) = &directory.within {
                directories.kinds[within.kind].other_rows = Some(Map::default());
            }
            directories.kinds.push(directory);
        }
        directories
    }

    /// That of the only kind, whose entities are schemas, of which no rows are needed.
    pub(crate) fn of_schemas<'s>(
        entity: &Entity,
        schemas: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        let directory = Directory::of_schemas(entity, schemas);
        Directories {
            kinds: [directory].into_iter().collect(),
        }
    }

    /// The directory of a kind.
    pub(crate) fn of(&self, kind: KindId) -> &Directory {
        &self.kinds[kind]
    }

    /// Takes rows of a table, as its layout has them, for the kinds that it says the entities of. `places` has where each
    /// stands, if that is known.
    ///
    /// # Errors
    /// Where a key is none of its type, or a text is not UTF-8.
    pub(crate) fn observe(
        &mut self,
        table: &PlanTable,
        rows: &[u8],
        places: &[RowPosition],
    ) -> Result<(), EntityError> {
        for kind in &table.observed_by {
            self.kinds[*kind].observe(table, rows, places)?;
        }
        Ok(())
    }

    /// The full path of an entity: what something states, else its ancestors' parts joined by `/`, behind the path of what they
    /// lie within, else its key.
    pub(crate) fn full_path(&self, kind: KindId, id: &EntityId) -> String {
        let path = self.path_of(kind, id);
        path.unwrap_or_else(|| self.of(kind).written(id).to_string())
    }

    /// The path of a row of a kind's table, entity or not, as far as it is known.
    fn path_of<'a>(&'a self, kind: KindId, id: &'a EntityId) -> Option<String> {
        let (mut kind, mut id) = (kind, id);
        let mut behind = Vec::new();
        // Kinds lie within earlier ones, so this ends.
        loop {
            let directory = self.of(kind);
            if let Some(path) = directory.stated_path(id) {
                behind.push(path.to_owned());
                break;
            }
            // What lies too deep for a path is known by its key, and so is what lies within it.
            let (own, within) = directory.parts(id)?;
            if own.is_empty() {
                break;
            }
            behind.push(own);
            match (&directory.within, within) {
                (Some(outer), Some(key)) => (kind, id) = (outer.kind, key),
                _ => break,
            }
        }
        behind.reverse();
        Some(behind.join("/")).filter(|path| !path.is_empty())
    }

    /// All entities of a kind with their full paths, in the order of these.
    fn full_paths(&self, kind: KindId) -> Vec<(String, &EntityId)> {
        let keys = self.of(kind).records.keys();
        let mut paths: Vec<(String, &EntityId)> =
            keys.map(|key| (self.full_path(kind, key), key)).collect();
        paths.sort_unstable();
        paths
    }

    /// The chosen entities of a kind. `outer` are those of the kind that its entities lie within.
    ///
    /// # Errors
    /// Where a name finds nothing, or something that is no entity.
    pub(crate) fn choose(
        &self,
        kind: KindId,
        choice: &Choice,
        outer: &[EntityId],
    ) -> Result<Chosen, EntityError> {
        let directory = self.of(kind);
        let mut chosen = Chosen::default();
        let mut named: BTreeSet<&EntityId> = BTreeSet::new();
        let mut keys: Vec<&EntityId> = Vec::new();
        let descendants = matches!(
            choice,
            Choice::Named {
                descendants: true,
                ..
            }
        );
        let mut paths = None;
        let mut disputed: BTreeSet<&EntityId> = BTreeSet::new();
        let mut family = descendants.then(|| Family::new(directory));
        for name in choice.names() {
            let pattern = NamePattern::of(name);
            let one = match &pattern {
                None => Some(self.find(kind, name)?),
                // Nobody knows which characters the names of other programs have.
                Some(_) => self.look_up(kind, name, &mut false)?,
            };
            let meant = match (one, pattern) {
                (None, Some(pattern)) => {
                    let paths = paths.get_or_insert_with(|| self.full_paths(kind)).iter();
                    let meant = paths.filter(|(path, _)| pattern.matches(path));
                    meant.map(|(_, key)| *key).collect()
                }
                (one, _) => {
                    named.extend(one);
                    Vec::from_iter(one)
                }
            };
            if meant.is_empty() {
                return Err(directory.no_match(name));
            }
            for key in meant {
                keys.push(key);
                if let Some(family) = &mut family {
                    let below = family.descendants(key);
                    keys.extend(below.all);
                    disputed.extend(below.disputed);
                }
            }
        }
        match choice {
            Choice::All => keys.extend(directory.records.keys().collect::<BTreeSet<_>>()),
            Choice::Within { .. } => {
                let outer: HashSet<&EntityId, FixedState> = outer.iter().collect();
                keys.extend(directory.within(&outer));
            }
            Choice::Named { .. } => {}
        }
        let mut seen: BTreeSet<&EntityId> = BTreeSet::new();
        keys.retain(|key| seen.insert(*key));
        self.check(kind, choice, keys.iter().copied())?;
        for key in keys {
            let is_left_out = directory.is_left_out(key);
            if is_left_out && !named.contains(key) {
                chosen.left_out.push(directory.written(key));
                continue;
            }
            if is_left_out {
                chosen.only_named.push(directory.written(key));
            }
            if disputed.contains(key) && !named.contains(key) {
                chosen.disputed.push(directory.written(key));
            }
            chosen.keys.push(key.clone());
        }
        chosen.left_out.sort();
        chosen.disputed.sort();
        Ok(chosen)
    }

    /// Makes sure that nothing contradicts itself that these entities of a kind were chosen by.
    ///
    /// # Errors
    /// Where rows say different things.
    pub(crate) fn check<'i>(
        &self,
        kind: KindId,
        choice: &Choice,
        keys: impl IntoIterator<Item = &'i EntityId>,
    ) -> Result<(), EntityError> {
        let doubtful = &self.of(kind).doubtful;
        if doubtful.is_empty() {
            return Ok(());
        }
        // Who is above whom is not sure where anybody's rows say different things.
        let by_family = match choice {
            // A path may be made of the parts of those above.
            Choice::Named { descendants, .. } => *descendants || choice.has_pattern(),
            Choice::Within { .. } => true,
            Choice::All => false,
        };
        let first = match by_family {
            true => doubtful.values().next(),
            false => {
                let mut reasons = keys.into_iter().filter_map(|key| doubtful.get(key));
                reasons.next()
            }
        };
        match first {
            Some(reason) => Err(EntityError::BadRow {
                reason: format!("{reason}\n  repair the table, and dump it again"),
            }),
            None => Ok(()),
        }
    }

    /// What is known of an entity. `set` is the position of its relations' set.
    pub(crate) fn info(&self, kind: KindId, id: &EntityId, set: usize) -> EntityInfo {
        let directory = self.of(kind);
        let record = directory.records.get(id);
        let parent = record.and_then(|record| record.parent.as_ref());
        EntityInfo {
            id: directory.written(id),
            key: id.clone(),
            full_path: self.full_path(kind, id),
            name: record
                .map(|record| record.name.to_string())
                .unwrap_or_default(),
            parent_id: match parent {
                Some(parent) => Some(directory.written(parent)),
                None => self.lies_within(kind, id),
            },
            missing_parent: self.missing_parent(kind, id),
            root: directory.written(directory.root(id)),
            kind,
            set,
            shown: record
                .map(|record| record.shown())
                .into_iter()
                .flatten()
                .map(|value| value.map(ToOwned::to_owned))
                .collect(),
        }
    }

    /// The key of the row above an entity, or else of the row that it lies within, if that row is not there.
    fn missing_parent(&self, kind: KindId, id: &EntityId) -> Option<EntityId> {
        let directory = self.of(kind);
        let record = directory.records.get(id)?;
        if let Some(parent) = &record.parent {
            return (!directory.is_there(parent)).then(|| directory.written(parent));
        }
        let outer = self.of(directory.within.as_ref()?.kind);
        let key = record.within()?;
        (!outer.is_there(key)).then(|| outer.written(key))
    }

    /// The keys of the rows above these entities of a kind, as far as those are not there.
    pub(crate) fn missing_parents<'i>(
        &self,
        kind: KindId,
        ids: impl IntoIterator<Item = &'i EntityId>,
    ) -> BTreeSet<EntityId> {
        let directory = self.of(kind);
        let parents = ids
            .into_iter()
            .filter_map(|id| directory.records.get(id)?.parent.clone());
        parents
            .filter(|parent| !directory.is_there(parent))
            .collect()
    }

    /// The key of the entity of another kind that an entity lies within, if what it lies within is one.
    fn lies_within(&self, kind: KindId, id: &EntityId) -> Option<EntityId> {
        let directory = self.of(kind);
        let outer = self.of(directory.within.as_ref()?.kind);
        let key = directory.records.get(id)?.within()?;
        outer.records.contains_key(key).then(|| outer.written(key))
    }

    /// The keys of what these entities of a kind lie within, entities or not.
    pub(crate) fn around<'i>(
        &self,
        kind: KindId,
        ids: impl IntoIterator<Item = &'i EntityId>,
    ) -> BTreeSet<EntityId> {
        let records = &self.of(kind).records;
        let within = ids
            .into_iter()
            .filter_map(|id| records.get(id)?.within().cloned());
        within.collect()
    }
}
